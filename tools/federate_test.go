package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/audit"
	"brickmcp/tools/policy"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
)

// fakeUpstream is an MCP server made of two functions.
type fakeUpstream struct {
	list func(ctx context.Context) ([]json.RawMessage, error)
	call func(ctx context.Context, params json.RawMessage, progress func(string)) (string, error)

	mu      sync.Mutex
	asked   int
	sent    []string
	changed func()
	closed  bool
}

func (f *fakeUpstream) Tools(ctx context.Context) ([]json.RawMessage, error) {
	f.mu.Lock()
	f.asked++
	f.mu.Unlock()
	return f.list(ctx)
}

func (f *fakeUpstream) Call(ctx context.Context, params json.RawMessage, _ bool, progress func(string)) (json.RawMessage, error) {
	f.mu.Lock()
	f.sent = append(f.sent, string(params))
	f.mu.Unlock()
	answer, err := f.call(ctx, params, progress)
	return json.RawMessage(answer), err
}

func (f *fakeUpstream) Close() { f.closed = true }

func (f *fakeUpstream) calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sent)
}

func listing(names ...string) func(context.Context) ([]json.RawMessage, error) {
	return func(context.Context) ([]json.RawMessage, error) {
		var tools []json.RawMessage
		for _, name := range names {
			tools = append(tools, json.RawMessage(fmt.Sprintf(`{"name":%q,"description":"Does %[1]s","inputSchema":{"type":"object","properties":{"query":{"type":"string"}}}}`, name)))
		}
		return tools, nil
	}
}

func saying(text string) func(context.Context, json.RawMessage, func(string)) (string, error) {
	return func(context.Context, json.RawMessage, func(string)) (string, error) {
		encoded, err := json.Marshal(text)
		return `{"content":[{"type":"text","text":` + string(encoded) + `}]}`, err
	}
}

// federating is a server that shows the tools of ups, by their --managed.
func federating(t *testing.T, ups map[string]*fakeUpstream, change func(*Config)) *Server {
	t.Helper()
	var specs []string
	for spec := range ups {
		specs = append(specs, spec)
	}
	slices.Sort(specs)
	servers, err := ParseManagedServers(specs)
	if err != nil {
		t.Fatal(err)
	}
	open := func(m ManagedServer, changed func()) Upstream {
		for spec, up := range ups {
			if strings.HasPrefix(spec, m.Prefix+"=") || strings.HasPrefix(spec, m.Prefix+"@") {
				up.changed = changed
				return up
			}
		}
		t.Errorf("no server for %s", m.Prefix)
		return nil
	}
	api := &fake{do: func(context.Context, *catalog.Call) (string, error) { return `{"id":"w2","name":"other"}`, nil }}
	return newServer(t, api, func(cfg *Config) {
		cfg.Managed = servers
		cfg.Workspaces[0].Managed = open
		if change != nil {
			change(cfg)
		}
	})
}

// mcpClient is a real client of the server, in this process.
func mcpClient(t *testing.T, s *Server) *client.Client {
	t.Helper()
	c, err := client.NewInProcessClientWithSamplingHandler(s.MCP(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var hello mcp.InitializeRequest
	hello.Params.ProtocolVersion = "2025-11-25"
	if _, err := c.Initialize(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	return c
}

// foreignTools are the listed names that are not ours.
func foreignTools(t *testing.T, c *client.Client) []string {
	t.Helper()
	list, err := c.ListTools(t.Context(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var names, all []string
	for _, tool := range list.Tools {
		all = append(all, tool.Name)
		if catalog.Find(tool.Name) == nil {
			names = append(names, tool.Name)
		}
	}
	if !slices.IsSorted(all) {
		t.Errorf("the list is in no order: %v", all)
	}
	return names
}

func use(t *testing.T, c *client.Client, tool, arguments string) (text string, failed bool) {
	t.Helper()
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = tool, json.RawMessage(arguments)
	result, err := c.CallTool(t.Context(), req)
	if err != nil {
		return err.Error(), true
	}
	block, ok := result.Content[0].(mcp.TextContent)
	if !ok {
		t.Fatalf("no text: %v", result.Content)
	}
	return block.Text, result.IsError
}

func TestToolsOfOtherServersAreListed(t *testing.T) {
	s := federating(t, map[string]*fakeUpstream{
		"kb=vector-search/main/kb": {list: listing("main__kb__b", "main__kb__a")},
		"fn=functions/main/tools":  {list: listing("main__tools__price")},
	}, nil)
	c := mcpClient(t, s)
	if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_main__tools__price kb_main__kb__a kb_main__kb__b]" {
		t.Error(got)
	}
	list, err := c.ListTools(t.Context(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range list.Tools {
		if tool.Name == "kb_main__kb__a" && (tool.Description != "[vector-search/main/kb] Does main__kb__a" || !*tool.Annotations.ReadOnlyHint || tool.InputSchema.Properties["num_results"] == nil) {
			t.Errorf("%+v", tool)
		}
	}
}

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

// TestSlowServerIsAnnounced: the list does not wait for it, and clients hear when its
// tools are there.
func TestSlowServerIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fakeUpstream{list: func(ctx context.Context) ([]json.RawMessage, error) {
			time.Sleep(7 * time.Second)
			return listing("main__kb__a")(ctx)
		}}
		s := federating(t, map[string]*fakeUpstream{"kb=vector-search/main/kb": slow, "fn=functions/main/tools": {list: listing("f")}}, nil)
		c := mcpClient(t, s)
		changes := 0
		var mu sync.Mutex
		c.OnNotification(func(n mcp.JSONRPCNotification) {
			mu.Lock()
			defer mu.Unlock()
			if n.Method == mcp.MethodNotificationToolsListChanged {
				changes++
			}
		})
		began := time.Now()
		if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_f]" {
			t.Error(got)
		}
		if took := time.Since(began); took != listPatience {
			t.Errorf("the first list took %s", took)
		}
		mu.Lock()
		before := changes
		mu.Unlock()
		time.Sleep(6 * time.Second)
		synctest.Wait()
		mu.Lock()
		if changes != before+1 {
			t.Errorf("%d changes were announced", changes-before)
		}
		mu.Unlock()
		began = time.Now()
		if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_f kb_main__kb__a]" || time.Since(began) > 0 {
			t.Errorf("%s after %s", got, time.Since(began))
		}
		s.Wait(t.Context())
	})
}

// TestFailingServerHarmsNobody: the others are listed, whoami says what is wrong, a
// call says it too, and the server is asked again later.
func TestFailingServerHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := true
		bad := &fakeUpstream{list: func(ctx context.Context) ([]json.RawMessage, error) {
			if fails {
				return nil, &catalog.Error{Kind: catalog.Forbidden, Message: "the workspace refuses this user", Advice: "EXECUTE"}
			}
			return listing("f")(ctx)
		}}
		s := federating(t, map[string]*fakeUpstream{"bad=functions/main/bad": bad, "fn=functions/main/tools": {list: listing("f")}}, func(cfg *Config) {
			cfg.Workspaces[0].WhoAmI = func(context.Context) (json.RawMessage, error) { return json.RawMessage(`{"user":"ana"}`), nil }
		})
		c := mcpClient(t, s)
		if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_f whoami]" {
			t.Error(got)
		}
		text, _ := use(t, c, "whoami", `{}`)
		if gjson.Get(text, "managed.0.error").Str != "forbidden: the workspace refuses this user" || gjson.Get(text, "managed.1.tools").Int() != 1 {
			t.Error(text)
		}
		if text, failed := use(t, c, "bad_f", `{}`); !failed || gjson.Get(text, "error.kind").Str != "forbidden" {
			t.Error(text)
		}
		for range 20 {
			foreignTools(t, c)
		}
		if bad.asked > 2 {
			t.Errorf("it was asked %d times at once", bad.asked)
		}
		fails = false
		time.Sleep(listRetry)
		foreignTools(t, c) // asks in the background
		synctest.Wait()
		if got := fmt.Sprint(foreignTools(t, c)); got != "[bad_f fn_f whoami]" {
			t.Error(got)
		}
		s.Wait(t.Context())
	})
}

func TestToolIsCallableBeforeTheList(t *testing.T) {
	fn := &fakeUpstream{list: listing("f"), call: saying("hello")}
	c := mcpClient(t, federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, nil))
	if text, failed := use(t, c, "fn_f", `{"query":"x"}`); failed || gjson.Get(text, "text").Str != "hello" || gjson.Get(text, "untrusted.0").Str != "text" {
		t.Error(text)
	}
	if text, failed := use(t, c, "fn_g", `{}`); !failed || !strings.Contains(text, "not found") {
		t.Error(text)
	}
	if got := fn.calls(); len(got) != 1 || got[0] != `{"name":"f","arguments":{"query":"x"}}` {
		t.Error(got)
	}
}

// TestToolsThatChange: a list is asked for again after some time, or when the server
// says so; what is gone is gone.
func TestToolsThatChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"a", "b"}
		fn := &fakeUpstream{call: saying("x")}
		fn.list = func(ctx context.Context) ([]json.RawMessage, error) { return listing(names...)(ctx) }
		s := federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, nil)
		c := mcpClient(t, s)
		foreignTools(t, c)
		names = []string{"b", "c"}
		foreignTools(t, c)
		if fn.asked != 1 {
			t.Errorf("it was asked %d times within %s", fn.asked, listedFor)
		}
		time.Sleep(listedFor)
		foreignTools(t, c)
		synctest.Wait()
		if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_b fn_c]" || s.MCP().GetTool("fn_a") != nil {
			t.Error(got)
		}
		names = []string{"c"}
		time.Sleep(listAgain)
		fn.changed()
		synctest.Wait()
		if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_c]" {
			t.Error(got)
		}
		// A call that meets an unknown tool asks again, too.
		fn.call = func(context.Context, json.RawMessage, func(string)) (string, error) {
			return "", &catalog.Error{Kind: catalog.Missing, Message: "unknown tool"}
		}
		names = []string{"d"}
		if text, failed := use(t, c, "fn_c", `{}`); !failed || gjson.Get(text, "error.kind").Str != "missing" {
			t.Error(text)
		}
		synctest.Wait()
		if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_d]" {
			t.Error(got)
		}
		s.Wait(t.Context())
	})
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

func TestResultsOfOtherServers(t *testing.T) {
	long := strings.Repeat("word ", 20_000)
	for name, test := range map[string]struct {
		result string
		want   func(gjson.Result) bool
	}{
		"text":       {`{"content":[{"type":"text","text":"hi"}]}`, func(r gjson.Result) bool { return r.Raw == `{"untrusted":["text"],"text":"hi"}` }},
		"json text":  {`{"content":[{"type":"text","text":"{\"n\":9007199254740993}"}]}`, func(r gjson.Result) bool { return r.Get("result.n").Raw == "9007199254740993" }},
		"structured": {`{"content":[{"type":"text","text":"{\"a\":1}"}],"structuredContent":{"a":1}}`, func(r gjson.Result) bool { return r.Raw == `{"untrusted":["result"],"result":{"a":1}}` }},
		"both":       {`{"content":[{"type":"text","text":"words"}],"structuredContent":{"a":1}}`, func(r gjson.Result) bool { return r.Get("text").Str == "words" && r.Get("untrusted.1").Str == "text" }},
		"image":      {`{"content":[{"type":"image","mimeType":"image/png","data":"AAAA"},{"type":"text","text":"see"}]}`, func(r gjson.Result) bool { return strings.HasPrefix(r.Get("not_shown.0").Str, "image image/png") }},
		"nothing":    {`{"content":[]}`, func(r gjson.Result) bool { return r.Get("text").Exists() }},
		"long text": {`{"content":[{"type":"text","text":"` + long + `"}]}`, func(r gjson.Result) bool {
			return r.Get("truncated").Bool() && len(r.Raw) < 4*DefaultResultTokens && len(r.Raw) > 2*DefaultResultTokens
		}},
		"long json": {`{"content":[],"structuredContent":{"a":"` + long + `","b":1}}`, func(r gjson.Result) bool {
			return r.Get("truncated").Bool() && r.Get("result.b").Int() == 1 && len(r.Raw) < 4*DefaultResultTokens
		}},
		"controls":  {`{"content":[{"type":"text","text":"a\u001b[31mb\u202ec"}]}`, func(r gjson.Result) bool { return r.Get("text").Str == "abc" && r.Get("removed_characters").Int() == 6 }},
		"no object": {`[]`, func(r gjson.Result) bool { return r.Get("text").Exists() }},
	} {
		fn := &fakeUpstream{list: listing("f"), call: func(context.Context, json.RawMessage, func(string)) (string, error) { return test.result, nil }}
		text, failed := use(t, mcpClient(t, federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, nil)), "fn_f", `{}`)
		if failed || !gjson.Valid(text) || !test.want(gjson.Parse(text)) {
			t.Errorf("%s: %.300s", name, text)
		}
	}
	fn := &fakeUpstream{list: listing("f"), call: func(context.Context, json.RawMessage, func(string)) (string, error) {
		return `{"isError":true,"content":[{"type":"text","text":"price must be positive"}]}`, nil
	}}
	text, failed := use(t, mcpClient(t, federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, nil)), "fn_f", `{}`)
	if !failed || gjson.Get(text, "error.kind").Str != "invalid" || gjson.Get(text, "error.untrusted.0").Str != "message" || !strings.Contains(text, "price must be positive") {
		t.Error(text)
	}
}

// TestSignInElsewhereIsRelayed: the address reaches clients of both eras, and is in
// the text for the others.
func TestSignInElsewhereIsRelayed(t *testing.T) {
	const address = "https://work.cloud.databricks.com/explore/connections/crm"
	s := federating(t, map[string]*fakeUpstream{"crm=external/crm": {list: listing("find"), call: func(context.Context, json.RawMessage, func(string)) (string, error) {
		return "", &catalog.Error{Kind: catalog.SignIn, Message: "sign in", Advice: "Open " + address, SignInURL: address}
	}}}, nil)
	foreignTools(t, mcpClient(t, s))
	newerClient := func(capabilities string) string {
		request := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"crm_find","arguments":{}` + newer(capabilities) + `}}`
		encoded, err := json.Marshal(s.MCP().HandleMessage(t.Context(), []byte(request)))
		if err != nil {
			t.Fatal(err)
		}
		return string(encoded)
	}
	if got := newerClient(`{"elicitation":{"url":{}}}`); gjson.Get(got, "result.resultType").Str != "input_required" || !strings.Contains(got, address) {
		t.Error(got)
	}
	if got := newerClient(`{}`); gjson.Get(got, "result.structuredContent.error.kind").Str != "signin" || !strings.Contains(got, address) {
		t.Error(got)
	}
	for _, opens := range []bool{true, false} {
		c, err := client.NewInProcessClientWithSamplingHandler(s.MCP(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		var hello mcp.InitializeRequest
		hello.Params.ProtocolVersion = "2025-11-25"
		if opens {
			hello.Params.Capabilities.Elicitation = &mcp.ElicitationCapability{URL: &struct{}{}}
		}
		if _, err := c.Initialize(t.Context(), hello); err != nil {
			t.Fatal(err)
		}
		var req mcp.CallToolRequest
		req.Params.Name = "crm_find"
		result, err := c.CallTool(t.Context(), req)
		var asked mcp.URLElicitationRequiredError
		switch {
		case opens && (!errors.As(err, &asked) || asked.Elicitations[0].URL != address):
			t.Errorf("a client that opens addresses: %v, %v", result, err)
		case !opens && (err != nil || !result.IsError):
			t.Errorf("a client that does not: %v, %v", result, err)
		}
	}
}

// TestProgressAndPairs: progress comes through, but Genie is never asked to answer in
// the one call, which would take longer than ours may.
func TestProgressAndPairs(t *testing.T) {
	heard := map[string]bool{}
	var mu sync.Mutex
	up := &fakeUpstream{list: listing("genie_ask", "genie_poll_response"), call: func(_ context.Context, params json.RawMessage, progress func(string)) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		heard[gjson.GetBytes(params, "name").Str] = progress != nil
		return `{"content":[]}`, nil
	}}
	c := mcpClient(t, federating(t, map[string]*fakeUpstream{"one=service/system.ai.genie_one_mcp": up}, nil))
	foreignTools(t, c)
	for _, tool := range []string{"one_genie_ask", "one_genie_poll_response"} {
		var req mcp.CallToolRequest
		req.Params.Name, req.Params.Meta = tool, &mcp.Meta{ProgressToken: "p"}
		if _, err := c.CallTool(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	if heard["genie_ask"] || !heard["genie_poll_response"] {
		t.Error(heard)
	}
}

// TestServersOfProfiles: each server is of one workspace, whose tools take no profile.
func TestServersOfProfiles(t *testing.T) {
	first, second := &fakeUpstream{list: listing("f"), call: saying("first")}, &fakeUpstream{list: listing("f"), call: saying("second")}
	s := federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": first, "other@prod=functions/main/tools": second}, func(cfg *Config) {
		cfg.Workspaces[0].Name = "dev"
		prod := cfg.Workspaces[0]
		prod.Name = "prod"
		cfg.Workspaces = append(cfg.Workspaces, prod)
	})
	c := mcpClient(t, s)
	for tool, want := range map[string]string{"fn_f": "first dev", "other_f": "second prod"} {
		text, failed := use(t, c, tool, `{}`)
		if failed || gjson.Get(text, "text").Str+" "+gjson.Get(text, "workspace").Str != want {
			t.Errorf("%s: %s, want %s", tool, text, want)
		}
	}
	if _, failed := use(t, c, "other_f", `{"profile":"dev"}`); failed {
		t.Error("an argument named profile is the server's own")
	}
	if got := second.calls(); len(got) != 2 || !strings.Contains(got[1], `"profile":"dev"`) {
		t.Error(got)
	}
	s.Close()
	if !first.closed || !second.closed {
		t.Error("a session stays open")
	}
}

// TestEachUserHasASession: another user sees the server anew.
func TestEachUserHasASession(t *testing.T) {
	var mu sync.Mutex
	user, opened := "ana", 0
	servers, err := ParseManagedServers([]string{"fn=functions/main/tools"})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, &fake{}, func(cfg *Config) {
		cfg.Managed = servers
		cfg.Workspaces[0].Managed = func(ManagedServer, func()) Upstream {
			mu.Lock()
			defer mu.Unlock()
			opened++
			return &fakeUpstream{list: listing("f"), call: saying("x")}
		}
		cfg.Workspaces[0].Identify = func(context.Context) (Identity, error) {
			mu.Lock()
			defer mu.Unlock()
			return Identity{User: user}, nil
		}
	})
	c := mcpClient(t, s)
	identify := func() {
		t.Helper()
		s.identities.mu.Lock()
		s.identities.asked = time.Time{}
		s.identities.mu.Unlock()
		if _, err := s.identities.current(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	foreignTools(t, c) // by nobody yet
	identify()
	foreignTools(t, c) // who turns out to be ana
	if opened != 1 {
		t.Errorf("%d sessions for one user", opened)
	}
	mu.Lock()
	user = "ben"
	mu.Unlock()
	identify()
	use(t, c, "fn_f", `{}`)
	if opened != 2 {
		t.Errorf("%d sessions for two users", opened)
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

// TestChangesWithoutEnd: a server whose list is another one each time, and that says
// so each time, is not asked for every list of ours.
func TestChangesWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fn := &fakeUpstream{}
		n := 0
		fn.list = func(ctx context.Context) ([]json.RawMessage, error) {
			n++
			fn.changed()
			return listing(fmt.Sprintf("f%d", n))(ctx)
		}
		s := federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, nil)
		c := mcpClient(t, s)
		for range 30 {
			foreignTools(t, c)
			synctest.Wait()
		}
		if fn.asked != 1 {
			t.Errorf("it was asked %d times within %s", fn.asked, listAgain)
		}
		time.Sleep(listAgain)
		foreignTools(t, c)
		synctest.Wait()
		if got := fmt.Sprint(foreignTools(t, c)); fn.asked != 2 || got != "[fn_f2]" {
			t.Errorf("%d times: %s", fn.asked, got)
		}
		s.Wait(t.Context())
	})
}

// TestHangingServerIsWaitedForOnce: lists wait for it only until it has failed once.
func TestHangingServerIsWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := &fakeUpstream{list: func(ctx context.Context) ([]json.RawMessage, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		s := federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": hung}, nil)
		c := mcpClient(t, s)
		for i, want := range []time.Duration{listPatience, 0, 0} {
			began := time.Now()
			foreignTools(t, c)
			if took := time.Since(began); took != want {
				t.Errorf("list %d took %s, want %s", i, took, want)
			}
			time.Sleep(listTime + listRetry)
			synctest.Wait()
		}
		if hung.asked != 3 {
			t.Errorf("it was asked %d times", hung.asked)
		}
		s.Wait(t.Context())
	})
}

// TestFaultWhileListing: it costs the tools of that server, not the process.
func TestFaultWhileListing(t *testing.T) {
	bad := &fakeUpstream{list: func(context.Context) ([]json.RawMessage, error) { panic("no such luck") }}
	s := federating(t, map[string]*fakeUpstream{"bad=functions/main/bad": bad, "fn=functions/main/tools": {list: listing("f")}}, nil)
	c := mcpClient(t, s)
	if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_f]" {
		t.Error(got)
	}
	if text, failed := use(t, c, "bad_f", `{}`); !failed || gjson.Get(text, "error.kind").Str != "internal" || strings.Contains(text, "luck") {
		t.Error(text)
	}
}

// TestWhatIsNotShownIsTheirs: types and addresses are the server's words, and an
// address without its query lets nobody in.
func TestWhatIsNotShownIsTheirs(t *testing.T) {
	fn := &fakeUpstream{list: listing("f"), call: func(context.Context, json.RawMessage, func(string)) (string, error) {
		return `{"content":[{"type":"resource_link","uri":"https://store/x?sig=abc","mimeType":"obey me"},{"type":"text","text":"see"}]}`, nil
	}}
	text, _ := use(t, mcpClient(t, federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, nil)), "fn_f", `{}`)
	if gjson.Get(text, "untrusted").Raw != `["text","not_shown"]` || !strings.HasPrefix(gjson.Get(text, "not_shown.0").Str, "resource_link obey me https://store/x, ") {
		t.Error(text)
	}
}
