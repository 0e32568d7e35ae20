package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// rpc sends one JSON-RPC request and returns the whole answer.
func (c caller) rpc(path, method, params string) gjson.Result {
	c.t.Helper()
	rec := c.send("POST", path, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params), "Content-Type: application/json", "Accept: application/json, text/event-stream")
	if rec.Code != http.StatusOK {
		c.t.Fatalf("%s at %s: %d %s", method, path, rec.Code, rec.Body)
	}
	return gjson.ParseBytes(rec.Body.Bytes())
}

// tool calls a tool and returns its text.
func (c caller) tool(path, name, arguments, meta string) (text string, failed bool) {
	c.t.Helper()
	answer := c.rpc(path, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s,"_meta":%s}`, name, arguments, meta))
	if answer.Get("error").Exists() {
		c.t.Fatalf("%s: %s", name, answer.Get("error").Raw)
	}
	return answer.Get("result.content.0.text").Str, answer.Get("result.isError").Bool()
}

func (c caller) tools(path string) string {
	c.t.Helper()
	var names []string
	for _, name := range c.rpc(path, "tools/list", `{}`).Get("result.tools.#.name").Array() {
		names = append(names, name.Str)
	}
	return strings.Join(names, " ")
}

func TestManagedServersListTheirTools(t *testing.T) {
	ana, ben, _ := newCallers(t)
	space := ana.w.genie.all[0].id
	for path, want := range map[string]string{
		"/api/2.0/mcp/functions/main/retail":               "main__retail__convert_currency main__retail__net_price main__retail__sku_category",
		"/api/2.0/mcp/functions/main/retail/net_price":     "main__retail__net_price",
		"/api/2.0/mcp/vector-search/main/retail":           "main__retail__handbook_index",
		"/api/2.0/mcp/ai-search/main/ops/runbooks_index":   "main__ops__runbooks_index",
		"/api/2.0/mcp/genie/" + space:                      "poll_response_" + space + " query_space_" + space,
		"/api/2.0/mcp/sql":                                 "execute_sql execute_sql_read_only poll_sql_result",
		"/api/2.0/mcp/external/team_chat":                  "post-message",
		"/ai-gateway/mcp-services/system.ai.dbsql":         "execute_sql execute_sql_read_only poll_sql_result",
		"/ai-gateway/mcp-services/main.retail.chat_reader": "",
	} {
		if got := ana.tools(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	for path, want := range map[string]int{
		"/api/2.0/mcp/external/team_chat":                    403,
		"/api/2.0/mcp/vector-search/main/ops/runbooks_index": 403,
		"/api/2.0/mcp/genie/" + ana.w.genie.all[1].id:        403,
		"/api/2.0/mcp/functions/main/hr":                     403,
		"/api/2.0/mcp/external/nobody":                       404,
		"/api/2.0/mcp/nothing":                               404,
		"/ai-gateway/mcp-services/main.retail.nobody":        404,
	} {
		if rec := ben.send("POST", path, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`); rec.Code != want {
			t.Errorf("ben at %s: %d, want %d", path, rec.Code, want)
		}
	}
	nobody := caller{t, ana.w, ""}
	if rec := nobody.send("POST", "/api/2.0/mcp/sql", `{}`); rec.Code != 401 {
		t.Errorf("without a token: %d", rec.Code)
	}
}

func TestManagedToolsReallyWork(t *testing.T) {
	ana, ben, clock := newCallers(t)
	if text, failed := ana.tool("/api/2.0/mcp/functions/main/retail", "main__retail__net_price", `{"price":100,"discount":0.25}`, `{}`); failed || !strings.Contains(text, "75") {
		t.Errorf("net_price: %s", text)
	}
	text, failed := ana.tool("/api/2.0/mcp/vector-search/main/retail", "main__retail__handbook_index", `{"query":"returns and delivery of goods"}`, `{"num_results":1,"include_score":true}`)
	if rows := gjson.Parse(text).Array(); failed || len(rows) != 1 || !rows[0].Get("score").Exists() {
		t.Errorf("search: %s", text)
	}
	text, failed = ana.tool("/api/2.0/mcp/sql", "execute_sql_read_only", `{"query":"SELECT count(*) AS n FROM main.retail.orders"}`, `{}`)
	if failed || gjson.Get(text, "status.state").Str != "SUCCEEDED" {
		t.Errorf("sql: %s", text)
	}
	if again, failed := ana.tool("/api/2.0/mcp/sql", "poll_sql_result", `{"statement_id":"`+gjson.Get(text, "statement_id").Str+`"}`, `{}`); failed || gjson.Get(again, "result.data_array").Raw != gjson.Get(text, "result.data_array").Raw {
		t.Errorf("poll: %s", again)
	}
	if text, failed = ana.tool("/api/2.0/mcp/sql", "execute_sql_read_only", `{"query":"DROP TABLE main.retail.orders"}`, `{}`); !failed {
		t.Errorf("a read that drops: %s", text)
	}
	if text, failed = ben.tool("/api/2.0/mcp/sql", "execute_sql", `{"query":"SELECT * FROM main.hr.salaries"}`, `{}`); failed || gjson.Get(text, "status.state").Str != "FAILED" {
		t.Errorf("ben reads salaries: %s", text)
	}
	space := ana.w.genie.all[0].id
	text, _ = ana.tool("/api/2.0/mcp/genie/"+space, "query_space_"+space, `{"query":"How many orders did we get last week?"}`, `{}`)
	if gjson.Get(text, "status").Str != "SUBMITTED" {
		t.Fatalf("genie: %s", text)
	}
	ids, err := json.Marshal(map[string]string{"conversation_id": gjson.Get(text, "conversationId").Str, "message_id": gjson.Get(text, "messageId").Str})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if text, _ = ana.tool("/api/2.0/mcp/genie/"+space, "poll_response_"+space, string(ids), `{}`); gjson.Get(text, "status").Str == "COMPLETED" {
			break
		}
		clock.advance(3 * time.Second)
	}
	if gjson.Get(text, "status").Str != "COMPLETED" || !strings.Contains(text, "statement_id") {
		t.Errorf("genie in the end: %s", text)
	}
}

func TestConnectionsAskForASignIn(t *testing.T) {
	ana, ben, _ := newCallers(t)
	const path, params = "/api/2.0/mcp/external/crm", `{"name":"find-account","arguments":{"name":"Acme"}}`
	refused := ana.rpc(path, "tools/call", params)
	address := refused.Get("error.data.elicitations.0.url").Str
	if refused.Get("error.code").Int() != -32042 || !strings.Contains(address, "/explore/connections/crm") {
		t.Fatal(refused.Raw)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	ana.get(u.RequestURI())
	if got := ana.rpc(path, "tools/call", params); !strings.Contains(got.Get("result.content.0.text").Str, "Acme") {
		t.Errorf("signed in: %s", got.Raw)
	}
	if got := ben.rpc(path, "tools/call", params); got.Get("error.code").Int() != -32042 {
		t.Errorf("ben, who has not signed in: %s", got.Raw)
	}
	ben.tool(path, "find-account", `{"name":"`+signInWord+`"}`, `{}`)
	if got := ben.rpc(path, "tools/call", params); got.Get("error").Exists() {
		t.Errorf("ben, who has: %s", got.Raw)
	}
	left := ana.rpc("/ai-gateway/mcp-services/main.retail.chat_reader", "tools/call", `{"name":"post-message","arguments":{"text":"x"}}`)
	if left.Get("error.code").Int() != -32003 {
		t.Errorf("a tool that the service leaves out: %s", left.Raw)
	}
}

func TestCatalogKnowsMCPServers(t *testing.T) {
	ana, ben, _ := newCallers(t)
	if got := names(ana.get("/api/2.1/unity-catalog/mcp-services?parent=schemas/system.ai")["mcp_services"], "name"); len(got) != 2 {
		t.Error(got)
	}
	if got := names(ana.get("/api/2.1/unity-catalog/connections")["connections"], "name"); len(got) != 4 {
		t.Error(got)
	}
	if got := names(ben.get("/api/2.1/unity-catalog/connections")["connections"], "name"); len(got) != 3 {
		t.Errorf("ben sees %v", got)
	}
	if got := names(ben.get("/api/2.0/vector-search/indexes?endpoint_name=shared_search")["vector_indexes"], "name"); len(got) != 1 {
		t.Errorf("ben sees %v", got)
	}
	ana.refused("GET", "/api/2.1/unity-catalog/mcp-services?parent=main", nil, 400, "INVALID_PARAMETER_VALUE")
}

// TestAppServesMCP: with the rights of its user, to OAuth tokens alone, and nowhere
// but in the app that is an MCP server.
func TestAppServesMCP(t *testing.T) {
	ana, _, _ := newCallers(t)
	const path = appsPath + "mcp-stock/mcp"
	app := caller{t, ana.w, OAuthToken}
	if got := app.tools(path); got != "stock_level" {
		t.Error(got)
	}
	category := gjson.Get(textOfAll(t, ana, "SELECT category FROM main.retail.products LIMIT 1"), "result.data_array.0.0").Str
	if text, failed := app.tool(path, "stock_level", `{"category":"`+category+`"}`, `{}`); failed || gjson.Get(text, "pieces").Int() < 1 {
		t.Errorf("of %s: %s", category, text)
	}
	if text, failed := app.tool(path, "stock_level", `{"category":"moons"}`, `{}`); !failed {
		t.Errorf("of moons: %s", text)
	}
	if rec := ana.send("POST", path, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`); rec.Code != http.StatusFound {
		t.Errorf("with a personal access token: %d", rec.Code)
	}
	if rec := app.send("POST", appsPath+"stock-agent/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`); rec.Code != http.StatusNotFound {
		t.Errorf("of an agent: %d", rec.Code)
	}
}

// textOfAll runs a statement by the managed SQL server.
func textOfAll(t *testing.T, c caller, statement string) string {
	t.Helper()
	text, failed := c.tool("/api/2.0/mcp/sql", "execute_sql_read_only", `{"query":"`+statement+`"}`, `{}`)
	if failed {
		t.Fatal(text)
	}
	return text
}
