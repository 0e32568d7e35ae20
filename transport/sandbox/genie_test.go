package sandbox

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	ordersSpace = "/api/2.0/genie/spaces/01ef8d2a5c7b1e4f9a3d6b8c0e2f4a61"
	stockSpace  = "/api/2.0/genie/spaces/01ef8d2a71c05b3e8d4f2a9b6c1e7d35"
)

// wonder asks a question in a new conversation and returns the path of its
// message.
func (c caller) wonder(space, text string) string {
	c.t.Helper()
	begun := c.call("POST", space+"/start-conversation", object{"content": text})
	m := begun["message"].(map[string]any)
	if m["status"] != "SUBMITTED" || m["message_id"] != begun["message_id"] || m["conversation_id"] != begun["conversation_id"] || m["content"] != text {
		c.t.Fatal(begun)
	}
	return fmt.Sprintf("%s/conversations/%s/messages/%s", space, begun["conversation_id"], begun["message_id"])
}

// attachment is the member of the message's attachment of a kind.
func attachmentOf(m map[string]any, kind string) (id string, of map[string]any) {
	all, _ := m["attachments"].([]any)
	for _, a := range all {
		if one, ok := a.(map[string]any)[kind].(map[string]any); ok {
			return a.(map[string]any)["attachment_id"].(string), one
		}
	}
	return "", nil
}

func TestGenieMessage(t *testing.T) {
	_, ben, clock := newCallers(t)
	at := ben.wonder(ordersSpace, "What was the revenue by channel last week?")
	for _, want := range []string{"SUBMITTED", "FETCHING_METADATA", "FILTERING_CONTEXT", "ASKING_AI", "ASKING_AI", "EXECUTING_QUERY", "COMPLETED", "COMPLETED"} {
		if got := ben.get(at)["status"]; got != want {
			t.Fatalf("status %v, want %s", got, want)
		}
		clock.advance(time.Second)
	}
	done := ben.get(at)
	id, query := attachmentOf(done, "query")
	if !strings.Contains(query["query"].(string), "GROUP BY 1") || fmt.Sprint(query["query_result_metadata"]) != "map[is_truncated:false row_count:3]" {
		t.Fatal(query)
	}
	_, text := attachmentOf(done, "text")
	if text["purpose"] != "TEXT_ATTACHMENT_PURPOSE_ANSWER" || !strings.HasPrefix(text["content"].(string), "Revenue by channel in the newest seven days of the data: web **") {
		t.Fatal(text)
	}
	if _, more := attachmentOf(done, "suggested_questions"); len(more["questions"].([]any)) == 0 {
		t.Fatal(done)
	}
	result := ben.get(at + "/attachments/" + id + "/query-result")["statement_response"].(map[string]any)
	if result["statement_id"] != query["statement_id"] || fmt.Sprint(result["status"]) != "map[state:SUCCEEDED]" {
		t.Fatal(result)
	}
	rows := result["result"].(map[string]any)["data_array"].([]any)
	if len(rows) != 3 || rows[0].([]any)[0] != "web" {
		t.Fatal(rows)
	}
	ben.refused("GET", at+"/attachments/other/query-result", nil, 404, "RESOURCE_DOES_NOT_EXIST")

	clock.advance(resultLife) // the rows go, the answer stays
	if got := ben.get(at); got["status"] != "QUERY_RESULT_EXPIRED" {
		t.Fatal(got)
	}
	ben.refused("GET", at+"/attachments/"+id+"/query-result", nil, 400, "BAD_REQUEST")
	again := ben.call("POST", at+"/attachments/"+id+"/execute-query", nil)["statement_response"].(map[string]any)
	if again["statement_id"] == query["statement_id"] {
		t.Fatal(again)
	}
	for range 8 { // the warehouse has stopped meanwhile
		clock.advance(time.Second)
		if ben.get(at)["status"] == "COMPLETED" {
			break
		}
	}
	ben.get(at + "/attachments/" + id + "/query-result")
}

func TestGenieEnds(t *testing.T) {
	ana, ben, clock := newCallers(t)
	for _, c := range []struct {
		who                  caller
		question             string
		status, kind, answer string
	}{
		{ben, "How many orders in March?", "COMPLETED", "", "Orders in March: **"},
		{ben, "Who are the top 3 customers by revenue?", "COMPLETED", "", "Revenue by customer: "},
		{ben, "Average order value last 14 days", "COMPLETED", "", "Average order in the newest 14 days of the data: **"},
		{ben, "How is it going?", "COMPLETED", "", "Which of these do you want to know: average order, revenue"},
		{ben, "Which tables are there?", "COMPLETED", "", "main.retail.orders"},
		{ben, "What are the salaries?", "FAILED", "SQL_EXECUTION_EXCEPTION", ""},
		{ana, "What are the salaries?", "COMPLETED", "", "Payroll: **"},
		{ben, "sandbox-fail CONTENT_FILTER_EXCEPTION please", "FAILED", "CONTENT_FILTER_EXCEPTION", ""},
		{ben, "sandbox-fail", "FAILED", "GENERIC_CHAT_COMPLETION_EXCEPTION", ""},
		{ben, "orders sandbox-cancelled", "CANCELLED", "", ""},
		{ben, "orders sandbox-expired", "QUERY_RESULT_EXPIRED", "", "Orders: **5000**."},
	} {
		clock.advance(time.Minute) // the limit
		at := c.who.wonder(ordersSpace, c.question)
		clock.advance(thinking)
		c.who.get(at)
		clock.advance(executing)
		m := c.who.get(at)
		kind := ""
		if e, ok := m["error"].(map[string]any); ok {
			kind = e["type"].(string)
		}
		_, text := attachmentOf(m, "text")
		if m["status"] != c.status || kind != c.kind || c.answer != "" && !strings.Contains(fmt.Sprint(text["content"]), c.answer) {
			t.Errorf("%s: %v", c.question, m)
		}
		if c.question == "How is it going?" && text["purpose"] != "FOLLOW_UP_QUESTION" {
			t.Error(text)
		}
	}
}

func TestGenieConversation(t *testing.T) {
	ana, ben, clock := newCallers(t)
	first := ben.wonder(ordersSpace, "How many orders last week?")
	conversation := first[:strings.LastIndex(first, "/")]
	blocked := ben.call("POST", conversation, object{"content": "And revenue?"})
	clock.advance(time.Minute)
	for range 2 {
		clock.advance(executing)
		ben.get(first)
	}
	if got := ben.get(conversation + "/" + blocked["message_id"].(string)); !strings.Contains(fmt.Sprint(got["error"]), "BLOCK_MULTIPLE_EXECUTIONS_EXCEPTION") {
		t.Fatal(got)
	}
	then := ben.call("POST", conversation, object{"content": "and by status?"})
	clock.advance(thinking)
	at := conversation + "/" + then["message_id"].(string)
	ben.get(at)
	clock.advance(executing)
	if _, text := attachmentOf(ben.get(at), "text"); !strings.HasPrefix(fmt.Sprint(text["content"]), "Orders by status in the newest seven days of the data: shipped") {
		t.Fatal(text)
	}
	if got := ben.get(conversation + "?page_size=2"); len(got["messages"].([]any)) != 2 || got["next_page_token"] == nil {
		t.Fatal(got)
	}
	if got := ben.get(ordersSpace + "/conversations"); len(names(got["conversations"], "conversation_id")) != 1 {
		t.Fatal(got)
	}
	if got := ana.get(ordersSpace + "/conversations"); len(got) != 0 {
		t.Fatal("others' conversations:", got)
	}
	ana.get(ordersSpace + "/conversations?include_all=true")
	ben.refused("GET", ordersSpace+"/conversations?include_all=true", nil, 403, "PERMISSION_DENIED")
	ben.call("POST", at+"/feedback", object{"rating": "POSITIVE"})
	ben.refused("POST", at+"/feedback", object{"rating": "GREAT"}, 400, "INVALID_PARAMETER_VALUE")
	ben.call("DELETE", strings.TrimSuffix(conversation, "/messages"), nil)
	ben.refused("GET", at, nil, 404, "RESOURCE_DOES_NOT_EXIST")
}

func TestGenieLimits(t *testing.T) {
	ana, ben, clock := newCallers(t)
	if got := names(ana.get("/api/2.0/genie/spaces")["spaces"], "title"); strings.Join(got, ", ") != "Retail orders, Returns and stock" {
		t.Fatal(got)
	}
	if got := names(ben.get("/api/2.0/genie/spaces")["spaces"], "title"); strings.Join(got, ", ") != "Retail orders" {
		t.Fatal(got)
	}
	ben.refused("GET", stockSpace, nil, 403, "PERMISSION_DENIED")
	ben.refused("GET", "/api/2.0/genie/spaces/none", nil, 404, "RESOURCE_DOES_NOT_EXIST")
	if got := ana.get(ordersSpace + "?include_serialized_space=true"); !strings.Contains(got["serialized_space"].(string), `"identifier":"main.retail.orders"`) {
		t.Fatal(got)
	}
	ben.refused("POST", ordersSpace+"/start-conversation", object{"content": " "}, 400, "INVALID_PARAMETER_VALUE")
	for range questionsPerMinute {
		ben.wonder(ordersSpace, "orders?")
		clock.advance(time.Second)
	}
	rec := ana.send("POST", stockSpace+"/start-conversation", object{"content": "returns by reason"})
	if rec.Code != 429 || rec.Header().Get("Retry-After") != "56" {
		t.Fatal(rec.Code, rec.Header(), rec.Body)
	}
	clock.advance(56 * time.Second)
	at := ana.wonder(stockSpace, "returns by reason") // its warehouse is stopped
	clock.advance(thinking)
	if got := ana.get(at); got["status"] != "PENDING_WAREHOUSE" {
		t.Fatal(got)
	}
	clock.advance(20 * time.Second)
	if got := ana.get(at); got["status"] != "EXECUTING_QUERY" {
		t.Fatal(got)
	}
	clock.advance(executing)
	if got := ana.get(at); got["status"] != "COMPLETED" {
		t.Fatal(got)
	}
}

// A space may be open to somebody whose warehouse is not.
func TestGenieWithoutWarehouse(t *testing.T) {
	ana, _, clock := newCallers(t)
	ana.w.people.tokens["etl"] = accessToken{id: "3302918475610228"}
	etl := caller{t, ana.w, "etl"}
	at := etl.wonder(stockSpace, "returns by reason")
	clock.advance(thinking)
	if got := etl.get(at); got["status"] != "FAILED" || got["error"].(map[string]any)["type"] != "WAREHOUSE_ACCESS_MISSING_EXCEPTION" {
		t.Fatal(got)
	}
}
