package runs

import (
	"encoding/json"
	"strings"
	"testing"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

func approval(id string) string {
	return `{"type":"mcp_approval_request","id":"` + id + `","name":"search","server_label":"web","arguments":"{}"}`
}

// A look that nobody could write down does not keep an approval from being answered.
func TestApproveBeforeALook(t *testing.T) {
	g := &gateway{answers: map[string][]answer{
		posts: {response("r1", "queued"), response("r2", "queued")},
		gets:  {response("r1", "completed", request1)},
	}}
	r := supervised(t.TempDir(), g)
	run := mustStart(t, r, task())
	if _, err := r.Approve(t.Context(), gatewayUser, run.ID, []Decision{{RequestID: "ask_1", Approve: true}}, "tool"); err != nil {
		t.Fatal(err)
	}
	if sent := g.sent(&catalog.CreateResponse.Row); len(sent) != 2 || sent[1].Get("input.#").Int() != 3 {
		t.Errorf("sent %v", sent)
	}
}

// Ids that are longer than a service takes back are cut alike wherever they stand.
func TestLongApprovalIDs(t *testing.T) {
	long := strings.Repeat("a", 80)
	g := &gateway{answers: map[string][]answer{
		posts: {response("r1", "completed", approval(long)), response("r2", "completed", `{"type":"function_call_output","call_id":"`+long[:64]+`","output":"found"}`, textItem1)},
	}}
	r := supervised(t.TempDir(), g)
	run := mustStart(t, r, task())
	if p := run.Pending(); len(p) != 1 || p[0].ID != long[:64] {
		t.Fatalf("pending %+v", p)
	}
	run, err := r.Approve(t.Context(), gatewayUser, run.ID, []Decision{{RequestID: long, Approve: true}}, "tool") // as it stands among the items
	if err != nil || run.Status != Completed || len(run.Pending()) != 0 {
		t.Fatal(run, err)
	}
	_, err = r.Approve(t.Context(), gatewayUser, run.ID, []Decision{{RequestID: long[:64], Approve: true}}, "tool")
	checkError(t, err, catalog.Conflict, "already approved")
	input := g.sent(&catalog.CreateResponse.Row)[1].Get("input")
	if input.Get("1.id").Str != long[:64] || input.Get("2.approval_request_id").Str != long[:64] {
		t.Errorf("sent %s", input.Raw)
	}
}

// Approvals that are echoed are neither asked for nor sent twice.
func TestEchoedApprovals(t *testing.T) {
	g := &gateway{answers: map[string][]answer{
		posts: {response("r1", "completed", callItem, outputItem, approval("ask_1")), response("r2", "queued"), response("r3", "queued")},
		gets: {response("r2", "completed", callItem, outputItem, approval("ask_1"), `{"type":"mcp_approval_response","id":"ask_1","approval_request_id":"ask_1","approve":true}`,
			`{"type":"function_call_output","call_id":"ask_1","output":"found"}`, approval("ask_2"))},
	}}
	r := supervised(t.TempDir(), g)
	run := mustStart(t, r, task())
	if _, err := r.Approve(t.Context(), gatewayUser, run.ID, []Decision{{RequestID: "ask_1", Approve: true}}, "tool"); err != nil {
		t.Fatal(err)
	}
	run = mustLook(t, r, run.ID)
	checkRun(t, run, ApprovalRequired, 6, "")
	if p := run.Pending(); len(p) != 1 || p[0].ID != "ask_2" {
		t.Errorf("pending %+v", p)
	}
	if _, err := r.Approve(t.Context(), gatewayUser, run.ID, []Decision{{RequestID: "ask_2"}}, "tool"); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, item := range g.sent(&catalog.CreateResponse.Row)[2].Get("input").Array() {
		types = append(types, item.Get("type").Str)
	}
	if got := strings.Join(types, " "); got != "message function_call function_call_output mcp_approval_request mcp_approval_response function_call_output mcp_approval_request mcp_approval_response" {
		t.Errorf("sent %s", got)
	}
}

// A continuation names the model that the start named, and is told what it lacks.
func TestContinuationKeepsTheModel(t *testing.T) {
	g := &gateway{answers: map[string][]answer{posts: {response("r1", "completed", request1), failing(catalog.Forbidden, 403, "PERMISSION_DENIED", "no")}}}
	r := supervised(t.TempDir(), g)
	request := task()
	request.Model = ""
	run := mustStart(t, r, request)
	kept, err := r.Registry.get(gatewayUser, run.ID)
	if err != nil || kept.Request.Model != DefaultModel {
		t.Errorf("kept model %q, %v", kept.Request.Model, err)
	}
	_, err = r.Approve(t.Context(), gatewayUser, run.ID, []Decision{{RequestID: "ask_1", Approve: true}}, "tool")
	checkError(t, err, catalog.Forbidden, "uc_connection: USE CONNECTION (scope unity-catalog)", "can be answered again")
	for _, sent := range g.sent(&catalog.CreateResponse.Row) {
		if sent.Get("model").Str != DefaultModel {
			t.Errorf("sent %s", sent.Raw)
		}
	}
	checkRun(t, mustLook(t, r, run.ID), ApprovalRequired, 1, "")
}

// Each type of tool asks for its own grant and scope.
func TestNeedsOfEachTool(t *testing.T) {
	for kind, want := range map[string]string{
		"genie_space":         "CAN_RUN on the space, CAN_USE on its warehouse and SELECT on its data (scope genie)",
		"uc_function":         "EXECUTE on the function, USE SCHEMA, USE CATALOG (scope unity-catalog)",
		"uc_connection":       "USE CONNECTION (scope unity-catalog)",
		"app":                 "CAN_USE on the app (scope apps)",
		"knowledge_assistant": "CAN_QUERY on its endpoint (scope model-serving)",
	} {
		got := needs(Request{Tools: []json.RawMessage{json.RawMessage(`{"type":"` + kind + `"}`)}})
		if got != "CAN_QUERY on the model (scope ai-gateway); "+kind+": "+want {
			t.Errorf("%s: %s", kind, got)
		}
	}
}

// A run that broke off can be gone on from: no call is left without its answer.
func TestHistory(t *testing.T) {
	run := &Run{Request: task()}
	for _, item := range []string{
		callItem, outputItem, approval("ask_1"), `{"type":"mcp_approval_response","id":"ask_1","approval_request_id":"ask_1","approve":true}`,
		`{"type":"function_call_output","call_id":"ask_1","output":"found"}`,
		`{"type":"function_call","id":"f9","call_id":"open","name":"x","arguments":"{}"}`, `{"type":"function_call_output","call_id":"nobody","output":"x"}`, textItem1,
		approval("ask_2"), `{"type":"mcp_approval_response","id":"ask_2","approval_request_id":"ask_2","approve":false}`,
		approval("ask_3"), `{"type":"mcp_approval_response","id":"ask_3","approval_request_id":"ask_3","approve":true}`,
	} {
		run.Items = append(run.Items, json.RawMessage(item))
	}
	before := len(run.Items)
	history := run.History()
	if len(history) != len(run.Request.Input)+before-4 || len(run.Items) != before {
		t.Errorf("%d items of %d", len(history), before)
	}
	for _, item := range history {
		if id := callOf(gjson.ParseBytes(item)); id == "open" || id == "nobody" || id == "ask_3" {
			t.Errorf("%s is left", item)
		}
	}
}
