package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"
)

const responses = "/ai-gateway/mlflow/v1/responses"

// Tools of the seeded workspace, as a request spells them.
var (
	ordersTool   = object{"type": "genie_space", "genie_space": object{"id": "01ef8d2a5c7b1e4f9a3d6b8c0e2f4a61", "description": "Orders"}}
	stockTool    = object{"type": "genie_space", "genie_space": object{"id": "01ef8d2a71c05b3e8d4f2a9b6c1e7d35", "description": "Stock"}}
	convertTool  = object{"type": "uc_function", "uc_function": object{"name": "main.retail.convert_currency"}}
	salaryTool   = object{"type": "uc_function", "uc_function": object{"name": "main.hr.net_salary"}}
	webTool      = object{"type": "uc_connection", "uc_connection": object{"name": "web_search", "description": "The web"}}
	crmTool      = object{"type": "uc_connection", "uc_connection": object{"name": "crm", "description": "Accounts"}}
	chatTool     = object{"type": "uc_connection", "uc_connection": object{"name": "team_chat", "description": "Chat"}}
	ordersApp    = object{"type": "app", "app": object{"name": "agent-bricks-orders", "description": "Agent"}}
	stockApp     = object{"type": "app", "app": object{"name": "stock-agent", "description": "Agent"}}
	handbookTool = object{"type": "knowledge_assistant", "knowledge_assistant": object{"knowledge_assistant_id": "6b1f0c52-8e3d-4a97-b5c4-2d7f9e01a83b", "description": "Handbook"}}
	runbookTool  = object{"type": "knowledge_assistant", "knowledge_assistant": object{"knowledge_assistant_id": "d40a7e19-35bc-4f62-9a08-c1e6b74f2d95", "description": "Runbooks"}}
)

func asked(text string, tools ...object) object {
	return object{"model": "databricks-claude-sonnet-4-5", "input": text, "background": true, "tools": tools}
}

// but is a request with some fields changed.
func but(request object, changes object) object {
	changed := maps.Clone(request)
	maps.Copy(changed, changes)
	return changed
}

// outcome is what tests look at in a response.
type outcome struct {
	ID         string
	Status     string
	Output     []object
	Error      object
	Incomplete object `json:"incomplete_details"`
	Usage      object
	Databricks object `json:"databricks_output"`
}

func (c caller) outcome(body map[string]any) outcome {
	c.t.Helper()
	var o outcome
	if err := recast(body, &o); err != nil {
		c.t.Fatal(err)
	}
	return o
}

func (c caller) poll(id string) outcome { c.t.Helper(); return c.outcome(c.get(responses + "/" + id)) }

// respond starts a response and goes to its end on the clock.
func (c caller) respond(clock *turnClock, request object) outcome {
	c.t.Helper()
	begun := c.outcome(c.call("POST", responses, request))
	for range 60 {
		clock.advance(time.Second)
		if now := c.poll(begun.ID); now.Status != "queued" && now.Status != "in_progress" {
			return now
		}
	}
	c.t.Fatal(begun.ID, "does not end")
	return outcome{}
}

// kinds are the types of the items, in order.
func (o outcome) kinds() string {
	var all []string
	for _, item := range o.Output {
		all = append(all, textOf(item, "type"))
	}
	return strings.Join(all, " ")
}

func (o outcome) text() string {
	var b strings.Builder
	for _, item := range o.Output {
		if textOf(item, "type") == "message" {
			b.WriteString(said(item))
		}
	}
	return b.String()
}

func wants(t *testing.T, o outcome, status, kinds, text string) {
	t.Helper()
	if o.Status != status || o.kinds() != kinds || !strings.Contains(o.text(), text) {
		t.Fatalf("got %s, %q, %q (error %v), want %s, %q, …%s…", o.Status, o.kinds(), o.text(), o.Error, status, kinds, text)
	}
}

func TestSupervisorCallsTools(t *testing.T) {
	ana, ben, clock := newCallers(t)
	const pair = "function_call function_call_output"
	for _, c := range []struct {
		who         caller
		question    string
		tools       []object
		kinds, text string
	}{
		{ben, "How many orders last week?", []object{ordersTool}, pair + " message", "Orders in the newest seven days of the data: **96**."},
		{ben, "Revenue by channel", []object{ordersTool, handbookTool}, pair + " message", "Revenue by channel: web **"},
		{ben, "Please convert 100 EUR to USD.", []object{convertTool}, pair + " message", "According to main__retail__convert_currency: 108.00"},
		{ben, "How long may customers return goods?", []object{handbookTool, convertTool}, pair + " message", "within 30 days of delivery"},
		{ben, "How many orders last month? Then convert 50 EUR to GBP.", []object{convertTool, ordersTool}, pair + " " + pair + " message", "convert_currency: 42.50"},
		{ben, "Convert it please", []object{convertTool}, "message", "I need a value"},
		{ben, "Hello", []object{convertTool, webTool}, "message", "None of my tools fits"},
		{ben, "Hello", nil, "message", "You asked: Hello"},
		{ben, "What are the salaries?", []object{ordersTool}, pair + " message", "Error: [INSUFFICIENT_PERMISSIONS]"},
		{ana, "What are the salaries?", []object{ordersTool}, pair + " message", "EUR a year"},
		{ana, "Which returns by reason?", []object{stockTool}, pair + " message", "Returned lines by reason: "},
		{ana, "Net salary of 1000?", []object{salaryTool}, pair + " message", "680.00"},
	} {
		wants(t, c.who.respond(clock, asked(c.question, c.tools...)), "completed", c.kinds, c.text)
	}
}

func TestSupervisorLifeOfABackgroundRun(t *testing.T) {
	_, ben, clock := newCallers(t)
	begun := ben.outcome(ben.call("POST", responses, asked("How many orders last week?", ordersTool)))
	if begun.Status != "queued" || !strings.HasPrefix(begun.ID, "resp_") || len(begun.Output) != 0 {
		t.Fatal(begun)
	}
	for i, want := range []struct {
		status, kinds string
		partial       bool // the last item is in the making
	}{
		{"queued", "", false},
		{"in_progress", "function_call", true},
		{"in_progress", "function_call function_call_output", true},
		{"in_progress", "function_call function_call_output message", true},
		{"completed", "function_call function_call_output message", false},
	} {
		if i > 0 {
			clock.advance([]time.Duration{time.Second, time.Second, time.Second, 2 * time.Second}[i-1])
		}
		now := ben.poll(begun.ID)
		if now.Status != want.status || now.kinds() != want.kinds {
			t.Fatalf("at %d: %s %s, want %s %s", i, now.Status, now.kinds(), want.status, want.kinds)
		}
		for j, item := range now.Output {
			last := j == len(now.Output)-1
			if id, has := item["id"]; want.partial && last && (!has || id != nil || item["status"] != "in_progress") {
				t.Fatalf("at %d the item in the making is %v", i, item)
			}
			if (!want.partial || !last) && textOf(item, "type") != "function_call_output" && (textOf(item, "id") == "" || item["status"] != "completed") {
				t.Fatalf("at %d a finished item is %v", i, item)
			}
		}
	}
	end := ben.poll(begun.ID)
	if end.Output[0]["call_id"] != end.Output[1]["call_id"] || fmt.Sprint(end.Usage["total_tokens"]) == "0" {
		t.Fatal(end)
	}
}

func TestSupervisorApproval(t *testing.T) {
	_, ben, clock := newCallers(t)
	request := asked("How many orders last week? Then search the web for order trends.", ordersTool, webTool)
	first := ben.respond(clock, request)
	wants(t, first, "completed", "function_call function_call_output mcp_approval_request", "")
	wish := first.Output[2]
	if wish["name"] != "you-search" || wish["server_label"] != "web_search" || wish["arguments"] != `{"query":"order trends"}` || wish["status"] != "completed" {
		t.Fatal(wish)
	}
	conversation := func(approval object) object {
		input := []any{object{"type": "message", "role": "user", "content": request["input"]}}
		for _, item := range first.Output {
			input = append(input, item)
		}
		return but(request, object{"input": append(input, approval)})
	}
	id := textOf(wish, "id")
	yes := ben.respond(clock, conversation(object{"type": "mcp_approval_response", "id": id, "approval_request_id": id, "approve": true}))
	wants(t, yes, "completed", "function_call function_call_output function_call_output message", "web_search: 1. order trends (overview)")
	if yes.ID == first.ID || yes.Output[2]["call_id"] != id {
		t.Fatal("the output must be paired with the request:", yes.Output[2], id)
	}
	if got, _ := json.Marshal(yes.Output[0]); string(got) == "" || yes.Output[0]["call_id"] != first.Output[0]["call_id"] {
		t.Fatal("history is echoed first:", string(got))
	}
	no := ben.respond(clock, conversation(object{"type": "mcp_approval_response", "id": id, "approval_request_id": id, "approve": false, "reason": "not today"}))
	wants(t, no, "completed", "function_call function_call_output message", "because you refused it (not today)")
	if before := ben.poll(first.ID); before.Status != "completed" || before.kinds() != first.kinds() {
		t.Fatal("the first response has changed:", before)
	}

	two := ben.respond(clock, but(asked("Search the web for order trends.", webTool), object{"instructions": "sandbox-two"}))
	wants(t, two, "completed", "mcp_approval_request mcp_approval_request", "")
	input := []any{object{"role": "user", "content": "Search the web for order trends."}}
	for i, item := range two.Output {
		input = append(input, item, object{"type": "mcp_approval_response", "approval_request_id": item["id"], "approve": i == 1})
	}
	both := ben.respond(clock, but(asked("", webTool), object{"instructions": "sandbox-two", "input": input}))
	wants(t, both, "completed", "function_call_output message", "refused")
}

// A tool that writes does so once per approval, and not at all without one.
func TestSupervisorWritesAfterApproval(t *testing.T) {
	ana, _, clock := newCallers(t)
	request := asked("Post a message: the load is done", chatTool)
	posted := func() int {
		ana.w.connections.mu.Lock()
		defer ana.w.connections.mu.Unlock()
		return ana.w.connections.posted["team_chat"]
	}
	wish := ana.respond(clock, request).Output[0]
	if wish["arguments"] != `{"text":"the load is done"}` || posted() != 0 {
		t.Fatal(wish, posted())
	}
	for i, approve := range []bool{false, true} {
		wants(t, ana.respond(clock, but(request, object{"input": []object{
			{"role": "user", "content": request["input"]}, wish, {"type": "mcp_approval_response", "approval_request_id": wish["id"], "approve": approve},
		}})), "completed", []string{"message", "function_call_output message"}[i], []string{"refused", "Posted: the load is done"}[i])
		if posted() != i {
			t.Fatal("posted", posted())
		}
	}
}

func TestSupervisorForeground(t *testing.T) {
	_, ben, _ := newCallers(t)
	now := ben.outcome(ben.call("POST", responses, but(asked("Convert 1 EUR to USD", convertTool), object{"background": false})))
	wants(t, now, "completed", "function_call function_call_output message", "1.08")
	ben.refused("GET", responses+"/"+now.ID, nil, 404, "RESOURCE_DOES_NOT_EXIST")
	request := but(asked("Search the web for x", webTool), object{"background": false})
	wants(t, ben.outcome(ben.call("POST", responses, request)), "completed", "mcp_approval_request", "")
	request["model"] = "sandbox-trusting"
	wants(t, ben.outcome(ben.call("POST", responses, request)), "completed", "function_call function_call_output message", "1. x")
}

func TestSupervisorRefuses(t *testing.T) {
	ana, ben, _ := newCallers(t)
	hello := asked("Hello", convertTool)
	for _, c := range []struct {
		who     caller
		request object
		status  int
		code    string
		message string
	}{
		{ben, but(hello, object{"temperature": 0}), 400, "INVALID_PARAMETER_VALUE", "Parameter not supported when tools are provided: temperature"},
		{ben, but(hello, object{"top_p": 0.5}), 400, "INVALID_PARAMETER_VALUE", "Parameter not supported when tools are provided: top_p"},
		{ben, but(hello, object{"stream": true}), 400, "INVALID_PARAMETER_VALUE", "stream and background"},
		{ben, but(hello, object{"previous_response_id": "resp_1"}), 400, "INVALID_PARAMETER_VALUE", "previous_response_id is not supported"},
		{ben, but(hello, object{"model": nil}), 400, "INVALID_PARAMETER_VALUE", "model"},
		{ben, but(hello, object{"input": nil}), 400, "INVALID_PARAMETER_VALUE", "input"},
		{ben, but(hello, object{"input": 7}), 400, "INVALID_PARAMETER_VALUE", "string or an array"},
		{ben, but(hello, object{"trace_destination": object{"catalog_name": "main"}}), 400, "INVALID_PARAMETER_VALUE", "schema_name"},
		{ben, but(hello, object{"trace_destination": object{"catalog_name": "main", "schema_name": "retail"}}), 403, "PERMISSION_DENIED", "CREATE TABLE"},
		{ben, asked("", object{"type": "function", "name": "a b"}), 400, "INVALID_PARAMETER_VALUE", "function tool 'name' must match"},
		{ben, asked("", object{"type": "function", "name": "f"}), 400, "INVALID_PARAMETER_VALUE", "not supported"},
		{ben, asked("", object{"type": "oracle"}), 400, "INVALID_PARAMETER_VALUE", "oracle"},
		{ben, asked("", object{"type": "app", "app": object{"name": "x"}}), 400, "INVALID_PARAMETER_VALUE", "description is required"},
		{ben, asked("", object{"type": "app", "app": object{"name": "x", "description": "y"}}), 400, "INVALID_PARAMETER_VALUE", "does not exist"},
		{ben, asked("", salaryTool), 403, "PERMISSION_DENIED", "USE SCHEMA"},
		{ben, asked("", chatTool), 403, "PERMISSION_DENIED", "USE CONNECTION"},
		{ben, asked("", stockTool), 403, "PERMISSION_DENIED", "CAN_RUN"},
		{ben, asked("", runbookTool), 403, "PERMISSION_DENIED", "CAN_QUERY"},
		{ben, asked("", stockApp), 403, "PERMISSION_DENIED", "CAN_USE"},
		{ana, but(hello, object{"model": "sandbox-gone"}), 404, "FEATURE_DISABLED", "no longer available"},
		{ana, but(hello, object{"instructions": "Now sandbox-gateway-off."}), 404, "FEATURE_DISABLED", "Please ensure AI Gateway V2 is enabled"},
		{ana, but(hello, object{"model": "sandbox-no-model"}), 404, "RESOURCE_DOES_NOT_EXIST", "model"},
		{ana, but(hello, object{"model": "sandbox-rate"}), 429, "REQUEST_LIMIT_EXCEEDED", "rate limit"},
	} {
		if got := c.who.refused("POST", responses, c.request, c.status, c.code); !strings.Contains(got, c.message) {
			t.Errorf("%v: %q, want …%s…", c.request, got, c.message)
		}
	}
	for _, tool := range []object{salaryTool, chatTool, stockTool, runbookTool, stockApp, ordersApp} {
		ana.call("POST", responses, asked("Hello", tool))
	}
	ana.call("POST", responses, but(asked("Hello"), object{"temperature": 0.5})) // without tools it is plain inference
	begun := ana.outcome(ana.call("POST", responses, hello))
	ben.refused("GET", responses+"/"+begun.ID, nil, 404, "RESOURCE_DOES_NOT_EXIST")
	ana.refused("POST", responses+"/"+begun.ID+"/cancel", nil, 501, "NOT_IMPLEMENTED")
}

func TestSupervisorPairsItems(t *testing.T) {
	_, ben, _ := newCallers(t)
	user := object{"type": "message", "role": "user", "content": []any{object{"type": "input_text", "text": "Hello"}}}
	for _, c := range []struct {
		items   []object
		message string // "": accepted
	}{
		{[]object{user}, ""},
		{[]object{user, {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}, {"type": "function_call_output", "call_id": "c", "output": "1"}, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "And?"}}, ""},
		{[]object{user, {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}}, "No tool output found for function call c."},
		{[]object{user, {"type": "mcp_approval_request", "id": "c", "name": "f"}}, "No tool output found for function call c."},
		{[]object{user, {"type": "function_call_output", "call_id": "c", "output": "1"}}, "No tool call found for function call output with call_id c."},
		{[]object{user, {"type": "mcp_approval_response", "approval_request_id": "c", "approve": true}}, "No tool call found for function call output with call_id c."},
		{[]object{user, {"type": "mcp_approval_request", "id": "c"}, {"type": "mcp_approval_response", "approval_request_id": "c"}}, "approve"},
		{[]object{user, {"type": "reasoning", "id": strings.Repeat("x", 65)}}, "maximum length 64"},
		{[]object{user, {"type": "reasoning", "id": nil}}, "Invalid type"},
		{[]object{{"role": "robot"}}, "robot"},
		{[]object{{"type": "image_generation"}}, "image_generation"},
	} {
		rec := ben.send("POST", responses, but(asked(""), object{"input": c.items}))
		var body struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
			body.Error.Message = err.Error()
		}
		if c.message == "" && rec.Code != http.StatusOK || c.message != "" && (rec.Code != 400 || !strings.Contains(body.Error.Message, c.message)) {
			t.Errorf("%v: %d %s, want %q", c.items, rec.Code, rec.Body, c.message)
		}
	}
}
