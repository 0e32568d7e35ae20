package catalog

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		row        *Row
		args, want string
	}{
		"plain":            {&RunJob.Row, `{"job_id":9007199254740993,"job_parameters":{"day":"2026-01-01"}}`, `{"job_id":9007199254740993,"job_parameters":{"day":"2026-01-01"}}`},
		"hidden field":     {&PutSecret.Row, `{"scope":"etl","key":"db","string_value":"hunter2"}`, `{"scope":"etl","key":"db","string_value":"(hidden, 7 bytes)"}`},
		"contents":         {&UploadFile.Row, `{"path":"/Volumes/a/b/c/.env","contents":"KEY=hunter2"}`, `{"path":"/Volumes/a/b/c/.env","contents":"(hidden, 11 bytes)"}`},
		"named secret":     {&RunJob.Row, `{"job_id":1,"job_parameters":{"db_password":"hunter2"}}`, `{"job_id":1,"job_parameters":{"db_password":"(hidden by brickmcp)"}}`},
		"reference":        {&RunJob.Row, `{"job_id":1,"job_parameters":{"db_password":"{{secrets/a/b}}"}}`, `{"job_id":1,"job_parameters":{"db_password":"{{secrets/a/b}}"}}`},
		"deep":             {&CreateJob.Row, `{"tasks":[{"new_cluster":{"spark_conf":{"fs.azure.account.key.x":"hunter2"}}}]}`, `{"tasks":[{"new_cluster":{"spark_conf":{"fs.azure.account.key.x":"(hidden by brickmcp)"}}}]}`},
		"sql with secrets": {&ExecuteStatement.Row, `{"statement":"CREATE CONNECTION c OPTIONS (user 'ana', password 'hunter2')"}`, `{"statement":"CREATE CONNECTION c OPTIONS (user '…', password '…')"}`},
		"open quote":       {&ExecuteStatement.Row, `{"statement":"SELECT secret('a', 'hunter2"}`, `{"statement":"SELECT secret('…', '…"}`},
		"sql":              {&ExecuteStatement.Row, `{"statement":"SELECT 'x' FROM t"}`, `{"statement":"SELECT 'x' FROM t"}`},
		"link":             {&RunJob.Row, `{"job_id":1,"job_parameters":{"from":"https://ana:pw@host/x?sig=hunter2"}}`, `{"job_id":1,"job_parameters":{"from":"https://…@host/x?…"}}`},
		"flag":             {&RunJob.Row, `{"job_id":1,"python_params":["--password","hunter2","--day","2026-01-01","--token=hunter2","Bearer hunter2"]}`, `{"job_id":1,"python_params":["--password","(hidden by brickmcp)","--day","2026-01-01","--token=…","Bearer …"]}`},
		"header":           {&RunJob.Row, `{"job_id":1,"notebook_params":{"headers":"Authorization: Bearer hunter2","Authorization":"hunter2"}}`, `{"job_id":1,"notebook_params":{"headers":"Authorization: Bearer …","Authorization":"(hidden by brickmcp)"}}`},
		"token anywhere":   {&RunJob.Row, `{"job_id":1,"notebook_params":{"x":"curl -H dapi0123456789abcdefhunter2 now","y":"dapi is short"}}`, `{"job_id":1,"notebook_params":{"x":"curl -H dapi… now","y":"dapi is short"}}`},
		"odd spaces":       {&RunJob.Row, `{"job_id":1,"notebook_params":{"x":"pwd = hunter2 then","y":"password:  hunter2"}}`, `{"job_id":1,"notebook_params":{"x":"pwd = … then","y":"password:  …"}}`},
		"words of secrets": {&ExecuteStatement.Row, `{"statement":"SELECT token_count FROM passwords"}`, `{"statement":"SELECT token_count FROM passwords"}`},
		"unknown":          {&GetJob.Row, `{"job_id":1,"passwrd":"hunter2"}`, `{"job_id":1,"passwrd":"(no argument)"}`},
		"no object":        {&GetJob.Row, `[1]`, ``},
		"no JSON":          {&GetJob.Row, `{"a"`, ``},
		"page token":       {&ListJobs.Row, `{"page_token":"abc"}`, `{"page_token":"abc"}`},
	} {
		t.Run(name, func(t *testing.T) {
			got := string(c.row.Recorded(json.RawMessage(c.args)))
			if got != c.want {
				t.Errorf("recorded\n%s, want\n%s", got, c.want)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("a secret is written down")
			}
		})
	}
}

func TestRecordedIsBounded(t *testing.T) {
	long := strings.Repeat("ü", 100_000)
	args, err := json.Marshal(map[string]any{"job_id": 1, "job_parameters": map[string]string{"a": long, "b": long}, "notebook_params": map[string]string{"c": strings.Repeat("d", 500)}})
	if err != nil {
		t.Fatal(err)
	}
	got := RunJob.Recorded(args)
	if len(got) > maxRecorded+64 || !json.Valid(got) {
		t.Errorf("%d bytes, valid %v: %s", len(got), json.Valid(got), got)
	}
	many := map[string]string{}
	for range 2000 {
		many[strings.Repeat("k", len(many)%90+1)+string(rune('a'+len(many)%26))] = strings.Repeat("v", 390)
	}
	if args, err = json.Marshal(map[string]any{"job_id": 1, "job_parameters": many}); err != nil {
		t.Fatal(err)
	}
	if got := RunJob.Recorded(args); len(got) > maxRecorded+64 || !json.Valid(got) {
		t.Errorf("%d bytes, valid %v", len(got), json.Valid(got))
	}
}

func FuzzRecorded(f *testing.F) {
	f.Add(`{"scope":"a","key":"b","string_value":"hunter2"}`)
	f.Add(`{"scope":{"token":"hunter2"},"x":["hunter2"]}`)
	f.Fuzz(func(t *testing.T, args string) {
		got := PutSecret.Recorded(json.RawMessage(args))
		if got != nil && !json.Valid(got) {
			t.Errorf("%q is recorded as %q", args, got)
		}
	})
}
