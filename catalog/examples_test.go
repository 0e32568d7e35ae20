package catalog

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// example is a file of testdata/wire: a call, what goes over the wire for it, and
// the result that the agent sees.
type example struct {
	Args json.RawMessage `json:"args"`
	exchange
	Exchanges []exchange      `json:"exchanges"` // in place of one
	Result    json.RawMessage `json:"result"`
}

type exchange struct {
	Request struct {
		Method, Path, Query string
		Body                json.RawMessage
	} `json:"request"`
	Response struct {
		Status int
		Body   json.RawMessage
	} `json:"response"`
}

// The tools whose first request is not what Bind makes of the arguments: they put
// content, a length or a limit of their own in.
var ownRequest = map[string]bool{
	"agents_deploy": true, "agents_delete": true, "agents_query": true, "agents_give_feedback": true, "agents_read_logs": true,
	"dbfs_put": true, "dbfs_read": true, "workspace_import": true, "files_upload": true, "sql_query": true}

// The tools whose result is not a projection of one answer.
var ownResult = map[string]bool{
	"dbfs_put": true, "dbfs_read": true, "workspace_export": true, "files_upload": true, "files_download": true,
	"sql_execute_statement": true, "sql_get_statement": true, "sql_query": true, "clusters_start": true, "warehouses_start": true,
	"jobs_get": true, "jobs_get_run": true, "uc_list_catalogs": true, // several pages
	"agents_deploy": true, "agents_list": true, "agents_get": true, "agents_delete": true, "agents_query": true, "agents_give_feedback": true, "agents_read_logs": true,
}

func examples(t *testing.T) map[string]example {
	t.Helper()
	files, err := filepath.Glob("../testdata/wire/*.json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]example{}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var e example
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tool := strings.TrimSuffix(filepath.Base(name), ".json")
		for i, x := range e.Exchanges { // some are only questions on the way
			if row := Find(tool); i == 0 || row != nil && (!row.Effect.ReadOnly() || row.Proven) && e.exchange.Request.Method == "GET" && x.Request.Method == row.Method {
				e.exchange = x
			}
		}
		all[tool] = e
	}
	return all
}

func TestEveryToolHasAnExample(t *testing.T) {
	all := examples(t)
	for _, row := range All() {
		if _, ok := all[row.Name]; !ok {
			t.Errorf("testdata/wire/%s.json is missing", row.Name)
		}
	}
	for name := range all {
		if Find(name) == nil {
			t.Errorf("testdata/wire/%s.json is of no tool", name)
		}
	}
}

func TestExamplesBind(t *testing.T) {
	for name, e := range examples(t) {
		row := Find(name)
		if row == nil {
			continue
		}
		call, err := row.Bind(e.Args)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if row.Group == Supervisor { // runs join calls: cmd/brickmcp holds them to their wire
			continue
		}
		if row.Method != e.Request.Method || call.Path != e.Request.Path {
			t.Errorf("%s: %s %s, want %s %s", name, row.Method, call.Path, e.Request.Method, e.Request.Path)
		}
		if ownRequest[name] {
			continue
		}
		want, err := url.ParseQuery(e.Request.Query)
		if err != nil {
			t.Fatal(err)
		}
		if call.Query != want.Encode() {
			t.Errorf("%s: query %s, want %s", name, call.Query, want.Encode())
		}
		if !sameJSON(t, call.Body, e.Request.Body) {
			t.Errorf("%s: body %s, want %s", name, call.Body, e.Request.Body)
		}
	}
}

func TestExamplesProject(t *testing.T) {
	for name, e := range examples(t) {
		row := Find(name)
		if row == nil || ownResult[name] || row.Group == Supervisor {
			continue
		}
		call, err := row.Bind(e.Args)
		if err != nil {
			continue // TestExamplesBind says so
		}
		p := call.Projection()
		switch {
		case row.list():
			var items []string
			gjson.GetBytes(e.Response.Body, row.Items).ForEach(func(_, item gjson.Result) bool {
				items = append(items, string(p.AppendItem(nil, item)))
				return true
			})
			got := "[" + strings.Join(items, ",") + "]"
			if want := gjson.GetBytes(e.Result, row.Items).Raw; !sameJSON(t, []byte(got), []byte(want)) {
				t.Errorf("%s: %s\nwant %s", name, got, want)
			}
		default:
			got := p.Append(nil, string(e.Response.Body))
			if string(got) == "{}" || len(got) == 0 {
				got = []byte(`{"ok":true}`) // the tools' answer where the API has none
			}
			want := []byte(e.Result)
			for _, remark := range []string{"untrusted", "undo"} { // of the tools
				if want, err = sjson.DeleteBytes(want, remark); err != nil {
					t.Fatal(err)
				}
			}
			if !sameJSON(t, got, want) {
				t.Errorf("%s: %s\nwant %s", name, got, want)
			}
		}
	}
}

// sameJSON compares two JSON values, numbers digit by digit.
func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	return reflect.DeepEqual(decode(t, a), decode(t, b))
}
