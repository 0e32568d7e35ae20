package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools"
	"brickmcp/transport/sandbox"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/tidwall/gjson"
)

// TestManagedStory: the workspace's own MCP servers through ours, by a client that
// shares no code with either.
func TestManagedStory(t *testing.T) {
	changes := make(chan struct{}, 100)
	audit := filepath.Join(t.TempDir(), "audit.jsonl")
	a := newAgent(t, command(t, "--sandbox", "--sandbox-speed", "100", "--log-level", "error", "--audit-file", audit,
		"--managed", "q=sql", "--managed", "fn=functions/main/retail", "--managed", "kb=ai-search/main/retail/handbook_index",
		"--managed", "ask="+ordersSpace, "--managed", "crm=external/crm", "--managed", "chat=service/main.retail.chat_reader",
		"--managed", "gone=functions/main/nowhere",
	), &mcp.ClientOptions{ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { changes <- struct{}{} }})
	list, err := a.session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range list.Tools {
		if catalog.Find(tool.Name) == nil && tool.Name != "whoami" {
			names = append(names, tool.Name)
		}
	}
	if got := strings.Join(names, " "); got != "ask_poll_response ask_query crm_find-account fn_main__retail__convert_currency fn_main__retail__net_price fn_main__retail__sku_category kb_main__retail__handbook_index q_execute_sql q_execute_sql_read_only q_poll_sql_result" {
		t.Fatal(got)
	}
	select {
	case <-changes:
	case <-time.After(30 * time.Second):
		t.Error("the client does not hear that the list has changed")
	}
	sql := a.call("q_execute_sql_read_only", args{"query": "SELECT count(*) AS n FROM main.retail.orders"})
	if sql.Get("result.status.state").Str != "SUCCEEDED" { // the sandbox's clock is fast, and this machine may not be
		sql = a.until("q_poll_sql_result", args{"statement_id": sql.Get("result.statement_id").Str}, func(r gjson.Result) bool { return r.Get("result.status.state").Str == "SUCCEEDED" })
	}
	if sql.Get("result.result.data_array.0.0").Str == "" || sql.Get("untrusted.0").Str != "result" {
		t.Error(sql.Raw)
	}
	if price := a.call("fn_main__retail__net_price", args{"price": 100, "discount": 0.25}); !strings.Contains(price.Raw, "75") {
		t.Error(price.Raw)
	}
	if found := a.call("kb_main__retail__handbook_index", args{"query": "returns and delivery", "num_results": 1}); len(found.Get("result").Array()) != 1 {
		t.Error(found.Raw)
	}
	question := a.call("ask_query", args{"query": "How many orders did we get last week?"}).Get("result")
	poll := args{"conversation_id": question.Get("conversationId").Str, "message_id": question.Get("messageId").Str}
	a.until("ask_poll_response", poll, func(r gjson.Result) bool { return r.Get("result.status").Str == "COMPLETED" })
	e := a.refused("signin", "crm_find-account", args{"name": "Acme"})
	a.must(e.Get("advice").Str, "https://sandbox.brickmcp.invalid/explore/connections/crm")
	a.call("crm_find-account", args{"name": "sandbox-sign-in"})
	if account := a.call("crm_find-account", args{"name": "Acme"}); !strings.Contains(account.Raw, "Acme") {
		t.Error(account.Raw)
	}
	who := a.call("whoami", args{})
	if gone := who.Get(`managed.#(prefix=="gone")`); !strings.HasPrefix(gone.Get("error").Str, "missing: ") {
		t.Error(who.Get("managed").Raw)
	}
	written := lines(t, audit, "call")
	i := slices.IndexFunc(written, func(l gjson.Result) bool { return l.Get("tool").Str == "fn_main__retail__net_price" })
	if i < 0 {
		t.Fatal("a call is not in the audit file")
	}
	if line := written[i]; line.Get("group").Str != "managed" || line.Get("user").Str != "ana@example.com" {
		t.Error(line.Raw)
	}
}

// TestManagedUnderPolicy: a policy names tools that nobody knows when it is read.
func TestManagedUnderPolicy(t *testing.T) {
	g := underPolicy(t, "default: full\ntools: {fn_*: deny, q_execute_sql: confirm}\nscopes: {tables: [main.retail.*]}\n", nil, "--managed", "q=sql", "--managed", "fn=functions/main/retail")
	if names := g.listed(); names["fn_main__retail__net_price"] || !names["q_execute_sql"] {
		t.Error(names)
	}
	g.refused("denied", "fn_main__retail__net_price", args{"price": 1, "discount": 0})
	g.refused("denied", "q_execute_sql_read_only", args{"query": "SELECT * FROM main.hr.salaries"})
	if asked := g.call("q_execute_sql", args{"query": "SELECT 1 FROM main.retail.orders"}); asked.Get("confirm.confirm_token").Str == "" {
		t.Error(asked.Raw)
	}
}

// TestManagedOverASocket: the same over real HTTP, with a token of one who may less.
func TestManagedOverASocket(t *testing.T) {
	web := sick(t, nil) // of nothing
	cmd := command(t, "--log-level", "error", "--managed", "kb=vector-search/main/retail", "--managed", "ops=vector-search/main/ops/runbooks_index")
	cmd.Env = append(cmd.Env, "DATABRICKS_HOST="+web.URL, "DATABRICKS_TOKEN="+sandbox.BenToken)
	a := newAgent(t, cmd, nil)
	if found := a.call("kb_main__retail__handbook_index", args{"query": "returns of books", "include_score": true}); !found.Get("result.0.score").Exists() {
		t.Error(found.Raw)
	}
	e := a.refused("forbidden", "ops_main__ops__runbooks_index", args{"query": "x"})
	a.must(e.Get("message").Str, "SELECT on index")
	a.must(e.Get("advice").Str, "vector-search")
}

func TestManagedFlag(t *testing.T) {
	for value, why := range map[string]string{
		"nothing":           "PREFIX=PATH",
		"jobs=sql":          "another one",
		"x=sq":              "no kind",
		"x@prod=sql":        "the profile prod",
		"x=sql,x_y=genie/1": "told apart",
	} {
		for _, by := range []string{"flag", "environment"} {
			cmd := command(t, "tools", "--sandbox")
			if by == "flag" {
				for part := range strings.SplitSeq(value, ",") {
					cmd.Args = append(cmd.Args, "--managed", part)
				}
			} else {
				cmd.Env = append(cmd.Env, "BRICKMCP_MANAGED="+value)
			}
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), why) {
				t.Errorf("%s by %s: %v\n%s", value, by, err, out)
			}
		}
	}
}

func TestManagedDiscover(t *testing.T) {
	cmd := command(t, "managed", "discover", "--sandbox", "--json")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var found struct {
		Servers []discoveredServer `json:"servers"`
	}
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	var flags []string
	for _, s := range found.Servers {
		flags = append(flags, s.Flag)
	}
	for _, want := range []string{"retail=functions/main/retail", "dbsql=service/system.ai.dbsql", "crm=external/crm", "ask_retail_order=" + ordersSpace, "handbook_index=vector-search/main/retail/handbook_index"} {
		if !slices.Contains(flags, want) {
			t.Errorf("%s is not in %v", want, flags)
		}
	}
	if strings.Contains(strings.Join(flags, " "), "warehouse_db") {
		t.Error("a connection to a database is offered")
	}
	// What is offered works as it is, all at once.
	all := []string{"tools", "--sandbox"}
	for _, flag := range flags {
		all = append(all, "--managed", flag)
	}
	if out, err := command(t, all...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestDiscoverBearsRefusals: what is refused or not there is a note, and all else is
// found.
func TestDiscoverBearsRefusals(t *testing.T) {
	for _, kind := range []catalog.Kind{catalog.Forbidden, catalog.Missing} {
		d := discover(t.Context(), refusing{kind})
		if len(d.Servers) != 2 || len(d.Notes) < 4 {
			t.Errorf("%s: %v, %v", kind, d.Servers, d.Notes)
		}
	}
	if d := discover(t.Context(), refusing{catalog.SignIn}); len(d.Servers) != 0 || d.fatal == nil {
		t.Errorf("%v, %v", d.Servers, d.fatal)
	}
}

type refusing struct{ kind catalog.Kind }

func (r refusing) Do(_ context.Context, call *catalog.Call) (*catalog.Answer, error) {
	return nil, &catalog.Error{Kind: r.kind, Message: call.About() + ": no"}
}

// TestDiscoverSaysWhatItLeavesOut: a list that has further pages is said to be cut.
func TestDiscoverSaysWhatItLeavesOut(t *testing.T) {
	d := discover(t.Context(), endless{})
	for _, what := range []string{"MCP services of system.ai", "connections", "endpoints of vector search", "indexes on e1"} {
		if !slices.ContainsFunc(d.Notes, func(note string) bool { return strings.Contains(note, "more "+what+" than") }) {
			t.Errorf("%s: not in %v", what, d.Notes)
		}
	}
	if !slices.ContainsFunc(d.Servers, func(s discoveredServer) bool {
		return strings.HasSuffix(s.Flag, "=functions/main/tools") && s.About == "more than 0 functions"
	}) {
		t.Errorf("functions on a later page: %v", d.Servers)
	}
}

// endless is a workspace whose lists all have another page.
type endless struct{}

func (endless) Do(_ context.Context, call *catalog.Call) (*catalog.Answer, error) {
	body := `{"next_page_token":"more"}`
	switch call.Row.Name {
	case catalog.ListCatalogs.Name:
		body = `{"catalogs":[{"name":"main"}]}`
	case catalog.ListSchemas.Name:
		body = `{"schemas":[{"name":"tools"}]}`
	case catalog.ListSearchEndpoints.Name:
		body = `{"endpoints":[{"name":"e1"}],"next_page_token":"more"}`
	}
	return &catalog.Answer{Body: []byte(body), Status: 200}, nil
}

// TestCallOfAnotherServer: the command line reaches their tools, too.
func TestCallOfAnotherServer(t *testing.T) {
	cmd := command(t, "call", "fn_main__retail__net_price", "price=100", "discount=0.25", "--sandbox", "--managed", "fn=functions/main/retail")
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "75") {
		t.Errorf("%v: %s", err, out)
	}
	cmd = command(t, "call", "fn_nothing", "--sandbox", "--managed", "fn=functions/main/retail")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "no such tool") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestManyServersOfOneName: each gets a prefix of its own that --managed takes
// together with the others, and within a moment.
func TestManyServersOfOneName(t *testing.T) {
	d := &discovered{path: map[string]string{}}
	for i := range discoverSchemas {
		d.add(fmt.Sprintf("functions/c%d/default", i), "functions")
	}
	began := time.Now()
	d.finish()
	if took := time.Since(began); took > 10*time.Second { // it takes milliseconds
		t.Errorf("it took %s", took)
	}
	var specs []string
	for _, s := range d.Servers {
		specs = append(specs, s.Flag)
	}
	if _, err := tools.ParseManagedServers(specs); err != nil || len(specs) != discoverSchemas {
		t.Errorf("%d servers, %v", len(specs), err)
	}
}
