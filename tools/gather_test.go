package tools

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// TestInsert: arrays that only a later page has find their place too.
func TestInsert(t *testing.T) {
	joinedOf := func(items ...string) *joined {
		j := &joined{}
		j.add(gjson.Parse("["+strings.Join(items, ",")+"]"), catalog.Page{})
		return j
	}
	for _, c := range []struct {
		whole, path string
		array       *joined
		want        string
	}{
		{`{"a":{"x":[1],"b":2}}`, "a.x", joinedOf("1", "2"), `{"a":{"x":[1,2],"b":2}}`},
		{`{"a":{"x":[1]}}`, "a.y", joinedOf("3"), `{"a":{"x":[1],"y":[3]}}`},
		{`{"a":{}}`, "a.y", joinedOf("3"), `{"a":{"y":[3]}}`},
		{`{"z":1}`, "a.y", joinedOf("3"), `{"z":1,"a":{"y":[3]}}`},
		{`{"z":[1]}`, "z", joinedOf(), `{"z":[]}`},
		{`{"z":null}`, "z", joinedOf(), `{"z":null}`},
		{`{"z":null}`, "z", joinedOf("1"), `{"z":[1]}`},
		{`{}`, "a.y", joinedOf(), `{}`},
		{`{"a":"… 99 bytes of JSON"}`, "a.y", joinedOf("3"), `{"a":{"y":[3]}}`},
	} {
		got, err := insert([]byte(c.whole), c.path, c.array)
		if err != nil || string(got) != c.want {
			t.Errorf("%s at %s: %s, %v; want %s", c.whole, c.path, got, err, c.want)
		}
	}
}

// jobPages is a workspace with one job, whose answer has more pages as the API
// makes them: each repeats the settings and goes on in every array.
func jobPages(pages []string) *fake {
	return &fake{do: func(_ context.Context, call *catalog.Call) (string, error) {
		page := 0
		if token := call.Page.Token; token != "" {
			if _, err := fmt.Sscanf(token, "p%d", &page); err != nil {
				return "", err
			}
		}
		more := ""
		if page < len(pages)-1 {
			more = fmt.Sprintf(`,"next_page_token":"p%d"`, page+1)
		}
		return `{"job_id":7,"settings":` + pages[page] + more + `}`, nil
	}}
}

func taskList(from, to, size int) string {
	var items []string
	for i := from; i < to; i++ {
		items = append(items, fmt.Sprintf(`{"task_key":"t%d","description":%q}`, i, strings.Repeat("d", size)))
	}
	return "[" + strings.Join(items, ",") + "]"
}

// TestGatherLosesNothing: whatever stands beside the tasks, each comes exactly
// once, in order and within the budget.
func TestGatherLosesNothing(t *testing.T) {
	clusters := func(n int) string {
		var items []string
		for i := range n {
			items = append(items, fmt.Sprintf(`{"job_cluster_key":"c%d","new_cluster":{"spark_version":"15.4","node":%q}}`, i, strings.Repeat("n", 50)))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	for _, c := range []struct {
		name  string
		pages []string
		tasks int
	}{
		{"settings above the budget", []string{`{"name":"n","description":"` + strings.Repeat("x", 9000) + `","tasks":` + taskList(0, 30, 10) + `}`}, 30},
		{"many clusters", []string{`{"tasks":` + taskList(0, 100, 10) + `,"job_clusters":` + clusters(100) + `}`, `{"tasks":` + taskList(100, 130, 10) + `,"job_clusters":` + clusters(3) + `}`}, 130},
		{"clusters on the last page", []string{`{"tasks":` + taskList(0, 60, 10) + `}`, `{"tasks":` + taskList(60, 70, 10) + `,"job_clusters":` + clusters(100) + `}`}, 70},
		{"every task above the budget", []string{`{"tasks":` + taskList(0, 3, 9000) + `}`, `{"tasks":` + taskList(3, 5, 9000) + `}`}, 5},
		{"an empty page", []string{`{"name":"n"}`, `{"tasks":[]}`, `{"tasks":` + taskList(0, 3, 10) + `}`}, 3},
		{"no tasks", []string{`{"name":"n","tasks":[]}`}, 0},
	} {
		for _, tokens := range []int{100, 1000, 8000} {
			t.Run(fmt.Sprint(c.name, "/", tokens), func(t *testing.T) {
				s := newServer(t, jobPages(c.pages), func(cfg *Config) { cfg.ResultTokens = tokens })
				next, arguments := 0, `{"job_id":7}`
				for rounds := 0; ; rounds++ {
					text := succeed(t, s, "jobs_get", arguments)
					if len(text) > tokens*4+300 {
						t.Fatalf("%d bytes: %.200s…", len(text), text)
					}
					tasks := gjson.Get(text, "settings.tasks")
					for _, task := range tasks.Array() {
						key := task.Get("task_key").Str
						if want := fmt.Sprintf("t%d", next); key != want {
							t.Fatalf("task %q, want %s, in %.300s", key, want, text)
						}
						next++
					}
					token := gjson.Get(text, "next_page_token").Str
					if (token != "") != gjson.Get(text, "truncated").Bool() || token != "" && gjson.Get(text, "returned").Int() != int64(len(tasks.Array())) {
						t.Fatalf("returned, truncated and next_page_token disagree: %s", text)
					}
					if token == "" || rounds > 200 {
						break
					}
					arguments = fmt.Sprintf(`{"job_id":7,"page_token":%q}`, token)
				}
				if next != c.tasks {
					t.Errorf("%d tasks, want %d", next, c.tasks)
				}
			})
		}
	}
}

// TestCutsAreSaid: what cannot be had by pages is marked where it is cut.
func TestCutsAreSaid(t *testing.T) {
	for _, c := range []struct{ name, tool, arguments, body string }{
		{"settings", "jobs_get", `{"job_id":7}`, `{"job_id":7,"settings":{"description":"` + strings.Repeat("x", 40000) + `","tasks":[{"task_key":"a"}]}}`},
		{"view", "uc_get_table", `{"full_name":"a.b.c"}`, `{"name":"c","view_definition":"` + strings.Repeat("x", 40000) + `","columns":[{"name":"a"}]}`},
		{"many members", "jobs_get", `{"job_id":7}`, `{"job_id":7,"settings":{"tags":{` + strings.TrimSuffix(manyMembers(3000), ",") + `}}}`},
		{"plain object", "service_principals_get", `{"id":"1"}`, `{"id":"1","entitlements":[` + strings.TrimSuffix(strings.Repeat(`{"value":"x"},`, 5000), ",") + `]}`},
		{"a little above", "service_principals_get", `{"id":"1"}`, `{"id":"1","displayName":"` + strings.Repeat("x", 33000) + `"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := succeed(t, newServer(t, answering(c.body), nil), c.tool, c.arguments)
			if len(text) > 8000*4+300 || !gjson.Get(text, "shortened").Bool() || !strings.Contains(gjson.Get(text, "note").Str, "max-result-tokens") || !strings.Contains(text, " more") {
				t.Errorf("%d bytes: %.100s … %s", len(text), text, text[max(len(text)-300, 0):])
			}
		})
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"spark.setting.%d":"value",`, i)
	}
	return b.String()
}

// TestForgedPages: a token that no answer gave must not look like the end.
func TestForgedPages(t *testing.T) {
	statementOf := succeeded(`["1","1.00","a"]`, 1, "")
	for _, c := range []struct{ tool, arguments, body string }{
		{"jobs_list", `{"page_token":"~5~"}`, `{"jobs":[{"job_id":1}]}`},
		{"jobs_list", `{"page_token":"~x~"}`, ``},
		{"jobs_list", `{"page_token":"~-1~p"}`, ``},
		{"secrets_list_scopes", `{"page_token":"p2"}`, ``},
		{"secrets_list_scopes", `{"page_token":"~9~"}`, `{}`},
		{"service_principals_list", `{"page_token":"abc"}`, ``},
		{"jobs_get", `{"job_id":1,"page_token":"~5~"}`, `{"job_id":1,"settings":{"tasks":[{"task_key":"a"}]}}`},
		{"uc_get_table", `{"full_name":"a.b.c","page_token":"~5~"}`, `{"columns":[{"name":"a"}]}`},
		{"jobs_get_run_output", `{"run_id":1,"page_token":"~500~"}`, `{"logs":"short"}`},
		{"sql_get_statement", `{"statement_id":"st-1","page_token":"~5~"}`, statementOf},
		{"sql_get_statement", `{"statement_id":"st-1","page_token":"x"}`, statementOf},
		{"sql_get_statement", `{"statement_id":"st-1","page_token":"-1"}`, statementOf},
	} {
		api := answering(c.body)
		wantError(t, newServer(t, api, nil), c.tool, c.arguments, catalog.Invalid, "page_token")
		if c.body == "" && len(api.seen()) > 0 {
			t.Errorf("%s %s was sent", c.tool, c.arguments)
		}
	}
}

func TestFieldPaths(t *testing.T) {
	body := `{"jobs":[{"job_id":1,"settings":{"name":"n","tags":{"a.b":"1","":"2"}}}]}`
	for _, fields := range []string{`[""]`, `["."]`, `["a..b"]`, `["settings."]`, `["` + strings.Repeat("a.", 200) + `a"]`, `[` + strings.TrimSuffix(strings.Repeat(`"x",`, 51), ",") + `]`} {
		api := answering(body)
		wantError(t, newServer(t, api, nil), "jobs_list", `{"fields":`+fields+`}`, catalog.Invalid, "fields", "Nothing was sent")
		if len(api.seen()) > 0 {
			t.Errorf("%s was sent", fields)
		}
	}
	for _, fields := range []string{`["#"]`, `["*"]`, `["job_id.x"]`, `["settings.name.x"]`, `["@this"]`, `["settings","settings.tags","settings"]`, `["<>\u0000\ud800"]`, `[]`, `["` + strings.Repeat("a.", 90) + `a"]`} {
		text := succeed(t, newServer(t, answering(body), nil), "jobs_list", `{"fields":`+fields+`}`)
		if gjson.Get(text, "jobs.0.job_id").Str != "1" || gjson.Get(text, "returned").Int() != 1 {
			t.Errorf("%s: %s", fields, text)
		}
	}
	var names []string
	for i := range 50 {
		names = append(names, fmt.Sprintf(`"%s%d"`, strings.Repeat("n", 190), i))
	}
	text := succeed(t, newServer(t, answering(body), nil), "jobs_list", `{"fields":[`+strings.Join(names, ",")+`]}`)
	if n := len(gjson.Get(text, "absent_fields").Array()); n != maxAbsent {
		t.Errorf("%d absent fields are repeated, want %d", n, maxAbsent)
	}
}
