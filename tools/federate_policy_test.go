package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brickmcp/tools/audit"
	"brickmcp/tools/policy"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
)

// TestReadOnlyShowsWhatReads: under read access a tool that may do anything is
// neither listed nor called.
func TestReadOnlyShowsWhatReads(t *testing.T) {
	fn := &fakeUpstream{list: listing("main__tools__price"), call: saying("no")}
	s := federating(t, map[string]*fakeUpstream{"kb=vector-search/main/kb": {list: listing("main__kb__a")}, "fn=functions/main/tools": fn}, func(cfg *Config) {
		var err error
		if cfg.Access, err = ParseAccess("read"); err != nil {
			t.Fatal(err)
		}
	})
	c := mcpClient(t, s)
	if got := fmt.Sprint(foreignTools(t, c)); got != "[kb_main__kb__a]" {
		t.Error(got)
	}
	if text, failed := use(t, c, "fn_main__tools__price", `{}`); !failed || !strings.Contains(text, "managed has access read") || len(fn.calls()) != 0 {
		t.Errorf("%s, %v", text, fn.calls())
	}
}

func TestPolicyAndAuditOfOtherServers(t *testing.T) {
	fn := &fakeUpstream{list: listing("price", "drop", "calc"), call: saying("done")}
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	p, err := policy.Parse("p.yaml", []byte("default: full\ntools: {fn_drop: deny, fn_calc: confirm}\n"), "fn")
	if err != nil {
		t.Fatal(err)
	}
	s := federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, func(cfg *Config) {
		cfg.Policies = onePolicy{p}
		cfg.Audit = audit.New(audit.Config{Path: path})
	})
	c := mcpClient(t, s)
	if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_calc fn_price]" {
		t.Error(got)
	}
	if text, failed := use(t, c, "fn_drop", `{}`); !failed || gjson.Get(text, "error.kind").Str != "denied" || !strings.Contains(text, "p.yaml, line 2") {
		t.Error(text)
	}
	use(t, c, "fn_price", `{"query":"x","api_key":"hunter2"}`)
	text, failed := use(t, c, "fn_calc", `{"query":"1+1"}`)
	token := gjson.Get(text, "confirm.confirm_token").Str
	if failed || token == "" || !strings.Contains(text, "Call the tool calc of functions/main/tools") || !strings.Contains(text, "1+1") {
		t.Fatal(text)
	}
	if text, failed = use(t, c, "fn_calc", `{"query":"1+2","confirm_token":"`+token+`"}`); !failed || !strings.Contains(text, "other arguments") {
		t.Error(text)
	}
	if text, failed = use(t, c, "fn_calc", `{"query":"1+1","confirm_token":"`+token+`"}`); failed {
		t.Error(text)
	}
	if got := fn.calls(); len(got) != 2 || got[1] != `{"name":"calc","arguments":{"query":"1+1"}}` {
		t.Error(got)
	}
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	for line := range strings.Lines(string(log)) {
		l := gjson.Parse(line)
		events = append(events, l.Get("event").Str+" "+l.Get("tool").Str)
		if l.Get("group").Str != "managed" || l.Get("effect").Str != "run" || l.Get("endpoint").Str != "POST /api/2.0/mcp/functions/main/tools" {
			t.Error(line)
		}
	}
	if got := strings.Join(events, ", "); got != "denied fn_drop, begin fn_price, call fn_price, confirm fn_calc, denied fn_calc, begin fn_calc, call fn_calc" {
		t.Error(got)
	}
	if strings.Contains(string(log), "hunter2") || !strings.Contains(string(log), "called tool price of functions/main/tools") {
		t.Error(string(log))
	}
}

// TestScopesHoldForSQLElsewhere: what a policy narrows, no other server opens.
func TestScopesHoldForSQLElsewhere(t *testing.T) {
	up := func(names ...string) *fakeUpstream { return &fakeUpstream{list: listing(names...), call: saying("{}")} }
	q, kb, fn := up("execute_sql", "execute_sql_read_only"), up("main__hr__idx", "main__sales__idx"), up("main__hr__f", "main__sales__f")
	p, err := policy.Parse("p.yaml", []byte("default: full\nscopes: {tables: [main.sales.*], functions: [main.sales.*], warehouses: [w1]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := federating(t, map[string]*fakeUpstream{"q=sql": q, "kb=vector-search/main/x": kb, "fn=functions/main/x": fn}, func(cfg *Config) { cfg.Policies = onePolicy{p} })
	c := mcpClient(t, s)
	for _, test := range []struct {
		tool, arguments string
		allowed         bool
	}{
		{"q_execute_sql_read_only", `{"query":"SELECT * FROM main.sales.orders","warehouse_id":"w1"}`, true},
		{"q_execute_sql_read_only", `{"query":"SELECT * FROM main.sales.orders"}`, false},
		{"q_execute_sql_read_only", `{"query":"SELECT * FROM main.sales.orders","warehouse_id":"w2"}`, false},
		{"q_execute_sql_read_only", `{"query":"SELECT * FROM main.hr.salaries","warehouse_id":"w1"}`, false},
		{"q_execute_sql", `{"query":"DELETE FROM main.sales.orders","warehouse_id":"w1"}`, false},
		{"kb_main__sales__idx", `{"query":"x"}`, true},
		{"kb_main__hr__idx", `{"query":"x"}`, false},
		{"fn_main__sales__f", `{}`, true},
		{"fn_main__hr__f", `{}`, false},
	} {
		text, failed := use(t, c, test.tool, test.arguments)
		if failed == test.allowed || failed && gjson.Get(text, "error.kind").Str != "denied" {
			t.Errorf("%s %s: %s", test.tool, test.arguments, text)
		}
	}
}

// TestMetaIsJudgedToo: what a client hides in _meta is an argument like any other.
func TestMetaIsJudgedToo(t *testing.T) {
	q := &fakeUpstream{list: listing("execute_sql_read_only"), call: saying("{}")}
	p, err := policy.Parse("p.yaml", []byte("default: full\nscopes: {warehouses: [w1]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	c := mcpClient(t, federating(t, map[string]*fakeUpstream{"q=sql": q}, func(cfg *Config) { cfg.Policies = onePolicy{p} }))
	for warehouse, allowed := range map[string]bool{"w1": true, "w2": false} {
		var req mcp.CallToolRequest
		req.Params.Name, req.Params.Arguments = "q_execute_sql_read_only", map[string]any{"query": "SELECT 1"}
		req.Params.Meta = &mcp.Meta{AdditionalFields: map[string]any{"warehouse_id": warehouse, "other": 1}}
		result, err := c.CallTool(t.Context(), req)
		if err != nil || result.IsError == allowed {
			t.Errorf("%s: %v, %v", warehouse, result, err)
		}
	}
	if got := q.calls(); len(got) != 1 || got[0] != `{"name":"execute_sql_read_only","arguments":{"query":"SELECT 1"},"_meta":{"warehouse_id":"w1"}}` {
		t.Error(got)
	}
}

// TestWarehouseWithoutAName: an empty name is none, however it is given and whatever
// the server declares.
func TestWarehouseWithoutAName(t *testing.T) {
	q := &fakeUpstream{call: saying("{}"), list: func(context.Context) ([]json.RawMessage, error) {
		return []json.RawMessage{
			json.RawMessage(`{"name":"execute_sql_read_only","inputSchema":{"type":"object","properties":{"query":{"type":"string"}}}}`),
			json.RawMessage(`{"name":"execute_sql","inputSchema":{"type":"object","properties":{"query":{"type":"string"},"warehouse_id":{"type":"string"}}}}`),
		}, nil
	}}
	p, err := policy.Parse("p.yaml", []byte("default: full\nscopes: {warehouses: [w1]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	c := mcpClient(t, federating(t, map[string]*fakeUpstream{"q=sql": q}, func(cfg *Config) { cfg.Policies = onePolicy{p} }))
	for _, tool := range []string{"q_execute_sql_read_only", "q_execute_sql"} {
		for _, given := range []string{``, `,"warehouse_id":""`, `,"warehouse_id":null`} {
			if text, failed := use(t, c, tool, `{"query":"SELECT 1"`+given+`}`); !failed || gjson.Get(text, "error.kind").Str != "denied" {
				t.Errorf("%s with %q: %s", tool, given, text)
			}
		}
		if text, failed := use(t, c, tool, `{"query":"SELECT 1","warehouse_id":"w1"}`); failed {
			t.Error(text)
		}
	}
	if got := q.calls(); len(got) != 2 {
		t.Error(got)
	}
}
