package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	askBot     = "/serving-endpoints/agents_main-rag-support_bot/invocations"
	askAnalyst = "/serving-endpoints/agents_main-rag-store_analyst/invocations"
	askHelper  = "/serving-endpoints/order-helper/invocations"
	askChurn   = "/serving-endpoints/churn/invocations"
)

// ask is a question in the form of a responses agent, talk in that of a chat.
func ask(question string) shape {
	return shape{"input": []shape{{"role": "user", "content": question}}}
}

func talk(question string) shape {
	return shape{"messages": []shape{{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}}}
}

func TestResponsesAgent(t *testing.T) {
	ana, ben, _ := newCallers(t)
	body := ask("How many orders came in last week?")
	body["custom_inputs"] = shape{"store": "7"}
	got := ben.call("POST", askBot, body) // ben cannot read main.rag, the agent can read main.retail
	rows := ana.sql("SELECT count(*) FROM main.retail.orders WHERE order_date > date '2025-06-22'")
	if want := dig(rows, "result", "data_array", 0, 0); !strings.Contains(dig(got, "output", 2, "content", 0, "text"), "There were "+want+" orders") {
		t.Error(got, want)
	}
	if dig(got, "object") != "response" || dig(got, "output", 0, "type") != "function_call" || dig(got, "output", 0, "call_id") != dig(got, "output", 1, "call_id") || dig(got, "custom_outputs", "store") != "7" {
		t.Error(got)
	}
	// The deployment says that the id always comes, the trace only when asked.
	if id := dig(got, "databricks_output", "databricks_request_id"); !strings.HasPrefix(id, "tr-") || len(id) != 35 || got["databricks_output"].(map[string]any)["trace"] != nil {
		t.Error(got["databricks_output"])
	}
	body["databricks_options"] = shape{"return_trace": true}
	got = ben.call("POST", "/serving-endpoints/agents_main-rag-support_bot/served-models/main-rag-support_bot_1/invocations", body)
	if id := dig(got, "databricks_output", "databricks_request_id"); len(id) != 36 {
		t.Error("version 1 is from before real-time tracing:", id)
	}
	if dig(got, "databricks_output", "trace", "info", "state") != "OK" || dig(got, "databricks_output", "trace", "data", "spans", 1, "name") != "query_lakehouse" {
		t.Error(got["databricks_output"])
	}
	for question, want := range map[string]string{
		"What is the state of order 100042?": "Order 100042 is ",
		"Who is our best customer?":          "The best customer is ",
		"Why do people return things?":       "The most common reason",
		"Which stock is short?":              "below their reorder point",
		"What was the revenue?":              "EUR from",
		"Tell me a joke":                     "I answer questions",
	} {
		output := ana.call("POST", askBot, ask(question))["output"].([]any)
		if text := dig(output[len(output)-1], "content", 0, "text"); !strings.HasPrefix(text, want) && !strings.Contains(text, want) {
			t.Errorf("%s: %s", question, text)
		}
	}
	same := ana.call("POST", "/serving-endpoints/responses", shape{"model": "agents_main-rag-support_bot", "input": []shape{{"role": "user", "content": []shape{{"type": "input_text", "text": "stock?"}}}}})
	if dig(same, "output", 2, "type") != "message" {
		t.Error(same)
	}
}

func TestChatForms(t *testing.T) {
	ana, _, clock := newCallers(t)
	got := ana.call("POST", askAnalyst, talk("What was the revenue?"))
	if dig(got, "messages", 0, "tool_calls", 0, "function", "name") != "query_lakehouse" || dig(got, "messages", 1, "role") != "tool" || !strings.Contains(dig(got, "messages", 2, "content"), "EUR") || dig(got, "finish_reason") != "stop" {
		t.Error(got)
	}
	// order-helper may scale to zero: the first request only starts it.
	ana.refused("POST", askHelper, talk("hi"), 503, "TEMPORARILY_UNAVAILABLE")
	ana.refused("POST", askHelper, talk("hi"), 503, "TEMPORARILY_UNAVAILABLE")
	clock.advance(servingStart)
	got = ana.call("POST", askHelper, talk("How many orders?"))
	if dig(got, "object") != "chat.completion" || !strings.Contains(dig(got, "choices", 0, "message", "content"), "orders in the last seven days") || dig(got, "choices", 0, "finish_reason") != "stop" {
		t.Error(got)
	}
	clock.advance(servingIdle)
	if got := dig(ana.get(endpointsAPI+"/order-helper"), "config", "served_entities", 0, "state", "deployment_state_message"); got != "Scaled to zero" {
		t.Error(got)
	}
	ana.refused("POST", askHelper, talk("hi"), 503, "TEMPORARILY_UNAVAILABLE")

	got = ana.call("POST", "/serving-endpoints/chat/completions", shape{"model": "databricks-claude-sonnet-4-5", "messages": []shape{{"role": "user", "content": "hi"}}})
	if !strings.Contains(dig(got, "choices", 0, "message", "content"), "hi") {
		t.Error(got)
	}
	ana.refused("POST", "/serving-endpoints/chat/completions", shape{"model": "agents_main-rag-support_bot", "messages": []shape{}}, 400, "BAD_REQUEST")
	ana.refused("POST", "/serving-endpoints/responses", shape{"input": "hi"}, 400, "BAD_REQUEST")
	got = ana.call("POST", "/serving-endpoints/embeddings", shape{"model": "databricks-gte-large-en", "input": []string{"a", "b"}})
	if len(got["data"].([]any)) != 2 || dig(got, "data", 0, "embedding", 0) == dig(got, "data", 1, "embedding", 0) {
		t.Error(got)
	}
}

func TestTables(t *testing.T) {
	ana, _, _ := newCallers(t)
	row := shape{"orders": 3, "average_basket": 41.5, "returns_rate": 0.1}
	want := fmt.Sprint(ana.call("POST", askChurn, shape{"dataframe_records": []shape{row}})["predictions"])
	for _, body := range []shape{
		{"dataframe_split": shape{"columns": []string{"returns_rate", "orders", "average_basket"}, "data": [][]any{{0.1, 3, 41.5}}}},
		{"instances": []shape{row}},
		{"inputs": shape{"orders": []int{3}, "average_basket": []float64{41.5}, "returns_rate": []float64{0.1}}},
	} {
		if got := fmt.Sprint(ana.call("POST", askChurn, body)["predictions"]); got != want || got == "[]" {
			t.Errorf("%v: %s, want %s", body, got, want)
		}
	}
	for want, body := range map[string]any{
		"missing inputs ['orders']": shape{"dataframe_records": []shape{{"basket": 1}}},
		"Incompatible input types":  shape{"dataframe_records": []shape{{"orders": "x", "average_basket": 1, "returns_rate": 1}}},
		"exactly one of the keys":   shape{"messages": []shape{}},
		"another length":            shape{"dataframe_split": shape{"columns": []string{"a"}, "data": [][]any{{1, 2}}}},
		"must be an object":         shape{"instances": []int{1}},
		"wrong form":                shape{"dataframe_records": 1},
		"valid JSON":                "{",
	} {
		if why := ana.refused("POST", askChurn, body, 400, "BAD_REQUEST"); !strings.Contains(why, want) {
			t.Errorf("%v: %s lacks %q", body, why, want)
		}
	}
}

func TestQueryRefusals(t *testing.T) {
	ana, ben, clock := newCallers(t)
	ben.refused("POST", askAnalyst, talk("hi"), 403, "PERMISSION_DENIED")
	ana.refused("POST", "/serving-endpoints/absent/invocations", talk("hi"), 404, "RESOURCE_DOES_NOT_EXIST")
	ana.refused("POST", "/serving-endpoints/churn/served-models/feedback/invocations", shape{}, 404, "RESOURCE_DOES_NOT_EXIST")
	if why := ana.refused("POST", askBot, talk("hi"), 400, "BAD_REQUEST"); !strings.Contains(why, "missing inputs ['input']") || !strings.Contains(why, "extra inputs: ['messages']") {
		t.Error(why)
	}
	ana.refused("POST", askBot, shape{"input": []shape{{"role": "robot", "content": "x"}}}, 400, "BAD_REQUEST")
	ana.refused("POST", askBot, ask(strings.Repeat("x", largestAgentRequest)), 413, "BAD_REQUEST")
	// A classic model takes more than an agent.
	ana.refused("POST", askChurn, shape{"dataframe_records": 1, "pad": strings.Repeat("x", largestAgentRequest)}, 400, "BAD_REQUEST")
	if why := ana.refused("POST", askBot, ask("divide by zero"), 500, "INTERNAL_ERROR"); !strings.Contains(why, "Traceback (most recent call last)") || !strings.Contains(why, "DIVIDE_BY_ZERO") {
		t.Error(why)
	}
	const gateway = endpointsAPI + "/agents_main-rag-store_analyst/ai-gateway"
	ana.refused("PUT", gateway, shape{"rate_limits": []shape{{"calls": 1, "renewal_period": "hour"}}}, 400, "INVALID_PARAMETER_VALUE")
	ana.call("PUT", gateway, shape{"rate_limits": []shape{{"calls": 2, "key": "user", "renewal_period": "minute"}, {"calls": 100, "renewal_period": "minute"}}})
	for range 2 {
		ana.call("POST", askAnalyst, talk("hi"))
	}
	ana.refused("POST", askAnalyst, talk("hi"), 429, "REQUEST_LIMIT_EXCEEDED")
	clock.advance(time.Minute)
	ana.call("POST", askAnalyst, talk("hi"))
}

func TestTrafficIsSplit(t *testing.T) {
	ana, _, clock := newCallers(t)
	ana.call("PUT", endpointsAPI+"/agents_main-rag-support_bot/config", shape{
		"served_entities": []shape{supportEntity("2"), supportEntity("3")},
		"traffic_config":  routesTo(map[string]int{"main-rag-support_bot_2": 90, "main-rag-support_bot_3": 10}),
	})
	clock.advance(up)
	count := map[string]int{}
	for range 100 {
		count[ana.send("POST", askBot, ask("hi")).Header().Get("served-model-name")]++
	}
	if count["main-rag-support_bot_2"] != 90 || count["main-rag-support_bot_3"] != 10 {
		t.Error(count)
	}
}

// streamed reads server-sent events, and says whether they ended with [DONE].
func (c caller) streamed(path string, body shape) (events []map[string]any, done bool) {
	c.t.Helper()
	body["stream"] = true
	rec := c.send("POST", path, body)
	if rec.Code != http.StatusOK || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/event-stream") {
		c.t.Fatalf("%d %s: %s", rec.Code, rec.Header(), rec.Body)
	}
	for block := range strings.SplitSeq(strings.TrimSuffix(rec.Body.String(), "\n\n"), "\n\n") {
		data, ok := strings.CutPrefix(block, "data: ")
		if !ok || done {
			c.t.Fatalf("not an event, or after the end: %q", block)
		}
		if data == "[DONE]" {
			done = true
			continue
		}
		var event map[string]any
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			c.t.Fatal(err)
		}
		events = append(events, event)
	}
	return events, done
}

func TestStreams(t *testing.T) {
	ana, _, _ := newCallers(t)
	events, done := ana.streamed(askBot, ask("How many orders?"))
	text, kinds := "", map[string]int{}
	for _, e := range events {
		kind, _ := e["type"].(string)
		kinds[kind]++
		if delta, ok := e["delta"].(string); ok {
			text += delta
		}
	}
	last := events[len(events)-1]
	if !done || kinds["response.output_item.done"] != 3 || text != dig(last, "item", "content", 0, "text") || !strings.HasPrefix(dig(last, "databricks_output", "databricks_request_id"), "tr-") {
		t.Error(kinds, text, last)
	}
	events, done = ana.streamed(askAnalyst, talk("How many orders?"))
	text = ""
	for _, e := range events {
		text += dig(e, "delta", "content")
	}
	if !done || !strings.Contains(text, "orders in the last seven days") || dig(events[len(events)-1], "finish_reason") != "stop" {
		t.Error(text, events)
	}
	events, done = ana.streamed("/serving-endpoints/databricks-claude-sonnet-4-5/invocations", talk("hi"))
	text = ""
	for _, e := range events {
		text += dig(e, "choices", 0, "delta", "content")
	}
	if !done || !strings.Contains(text, "it read: hi") || dig(events[0], "object") != "chat.completion.chunk" || dig(events[len(events)-1], "choices", 0, "finish_reason") != "stop" {
		t.Error(text, events)
	}
	// An agent that fails has said 200 already.
	events, done = ana.streamed(askBot, ask("divide by zero"))
	if last := events[len(events)-1]; done || dig(last, "error_code") != "INTERNAL_ERROR" || !strings.Contains(dig(last, "message"), "Traceback") {
		t.Error(done, events)
	}
	// A request that never reaches the agent is refused as without a stream.
	ana.refused("POST", askBot, shape{"messages": []shape{}, "stream": true}, 400, "BAD_REQUEST")
}

func TestDescriptionsOfEndpoints(t *testing.T) {
	ana, _, _ := newCallers(t)
	rec := ana.send("GET", endpointsAPI+"/agents_main-rag-support_bot/openapi", nil)
	var document map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &document); err != nil || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/plain") || len(document["paths"].(map[string]any)) != 3 {
		t.Error(err, rec.Body)
	}
	ana.refused("GET", endpointsAPI+"/databricks-gte-large-en/openapi", nil, 404, "RESOURCE_DOES_NOT_EXIST")
	if text := ana.send("GET", endpointsAPI+"/churn/metrics", nil).Body.String(); !strings.Contains(text, `cpu_usage_percentage{endpoint_name="churn",served_entity_name="churn-2"} 12`) {
		t.Error(text)
	}
	ana.refused("GET", endpointsAPI+"/databricks-gte-large-en/served-models/databricks-gte-large-en/logs", nil, 400, "INVALID_PARAMETER_VALUE")
}
