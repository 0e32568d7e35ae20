package sandbox

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// cell is the first cell of a query's result, or the error.
func (c caller) cell(text string) string {
	c.t.Helper()
	got := c.sql(text)
	if why := dig(got, "status", "error", "message"); why != "" {
		return why
	}
	return dig(got, "result", "data_array", 0, 0)
}

const botTables = "`main`.`rag`.`support_bot"

func TestInferenceTablesFill(t *testing.T) {
	ana, ben, clock := newCallers(t)
	count := func(table string) string {
		t.Helper()
		return ana.cell("SELECT count(*) FROM " + botTables + table + "`")
	}
	if payload, requests, judged := count("_payload"), count("_payload_request_logs"), count("_payload_assessment_logs"); payload != "5" || requests != "5" || judged != "3" {
		t.Fatal("seeded:", payload, requests, judged)
	}
	body := ask("How many orders came in last week?")
	body["client_request_id"], body["databricks_options"] = "mine", shape{"conversation_id": "c-77", "return_trace": true}
	const old = "/serving-endpoints/agents_main-rag-support_bot/served-models/"
	answer := ben.call("POST", old+"main-rag-support_bot_1/invocations", body)
	id := dig(answer, "databricks_output", "databricks_request_id")
	ben.call("POST", old+"feedback/invocations", shape{"dataframe_records": []shape{{
		"source": shape{"id": benName, "type": "human"}, "request_id": id,
		"text_assessments":      []shape{{"ratings": shape{"answer_correct": shape{"value": "positive"}}, "free_text_comment": "Right to the euro"}},
		"retrieval_assessments": []shape{{"step_id": "s1", "ratings": shape{"groundedness": shape{"value": "negative"}}}},
	}}})
	ben.call("POST", old+"feedback/invocations", shape{"dataframe_records": []shape{{"nonsense": true}}}) // validates nothing
	if got := count("_payload"); got != "5" {
		t.Error("rows must not be there at once:", got)
	}
	clock.advance(payloadDelay)
	if got := count("_payload"); got != "8" {
		t.Error(got)
	}
	if got := count("_payload_request_logs"); got != "5" {
		t.Error("the formatted logs come later:", got)
	}
	const row = "' FROM " + botTables + "_payload` WHERE databricks_request_id = '"
	if got := ana.cell("SELECT concat_ws(' ', client_request_id, status_code, requester, get_json_object(request, '$.databricks_options.conversation_id'), size(logging_error_codes)) || '" + row + id + "'"); got != "mine 200 ben@example.com c-77 0" {
		t.Error(got)
	}
	if got := ana.cell("SELECT get_json_object(response, '$.databricks_output.trace.info.state') FROM " + botTables + "_payload` WHERE databricks_request_id = '" + id + "'"); got != "OK" {
		t.Error(got)
	}
	// The queries of the contract, section 6.4.
	if got := ana.cell("SELECT count(*) FROM " + botTables + "_payload` WHERE get_json_object(request, '$.dataframe_records[0].text_assessments') IS NULL"); got != "7" {
		t.Error(got)
	}
	if got := ana.cell("SELECT get_json_object(request, '$.dataframe_records[0].source.id') FROM " + botTables + "_payload` WHERE get_json_object(request, '$.dataframe_records[0].request_id') = '" + id + "'"); got != benName {
		t.Error(got)
	}
	clock.advance(formattedDelay - payloadDelay)
	joined := "SELECT concat_ws('|', r.conversation_id, r.request, r.response, r.status_code, a.source.id, a.text_assessment.free_text_comment, r.request_metadata['model_version']) FROM " + botTables +
		"_payload_request_logs` r LEFT JOIN " + botTables + "_payload_assessment_logs` a ON a.request_id = r.databricks_request_id WHERE r.date >= '2025-06-01' AND a.text_assessment IS NOT NULL ORDER BY r.timestamp_ms DESC LIMIT 100"
	if got := ana.cell(joined); !strings.HasPrefix(got, "c-77|How many orders came in last week?|There were ") || !strings.HasSuffix(got, "|200|ben@example.com|Right to the euro|1") {
		t.Error(got)
	}
	if got := ana.cell("SELECT to_json(retrieval_assessment) FROM " + botTables + "_payload_assessment_logs` WHERE step_id = 's1'"); !strings.Contains(got, `"groundedness":{"value":"negative"`) {
		t.Error(got)
	}
	if got := ana.cell("SELECT get_json_object(trace, '$.data.spans[1].name') FROM " + botTables + "_payload_request_logs` WHERE databricks_request_id = '" + id + "'"); got != "query_lakehouse" {
		t.Error(got)
	}
	if got := ben.cell("SELECT count(*) FROM " + botTables + "_payload`"); !strings.Contains(got, "rag") || !strings.Contains(got, "USE SCHEMA") {
		t.Error("ben may ask the agent, not read what others asked:", got)
	}
}

func TestInferenceTableOfANewEndpoint(t *testing.T) {
	ana, _, clock := newCallers(t)
	ana.call("POST", endpointsAPI, shape{
		"name": "fresh", "config": shape{"served_entities": []shape{supportEntity("3")}},
		"ai_gateway": shape{"inference_table_config": shape{"enabled": true, "catalog_name": "main", "schema_name": "rag", "table_name_prefix": "fresh"}},
	})
	clock.advance(up)
	const table = unity + "/tables/main.rag.fresh_payload"
	ana.send("POST", "/serving-endpoints/fresh/invocations", ask("divide by zero"))
	ana.call("POST", "/serving-endpoints/fresh/invocations", ask(strings.Repeat("long ", largestLogged/5)))
	ana.refused("GET", table, nil, 404, "TABLE_DOES_NOT_EXIST")
	clock.advance(payloadDelay)
	if got := ana.get(table); got["owner"] != anaName || len(got["columns"].([]any)) != len(payloadColumns) {
		t.Error(got)
	}
	if got := ana.cell("SELECT sum(CASE WHEN status_code = 500 THEN 1 ELSE 0 END) * 10 + count(*) FROM main.rag.fresh_payload"); got != "12" {
		t.Error(got)
	}
	if got := ana.cell("SELECT logging_error_codes[0] FROM main.rag.fresh_payload WHERE request IS NULL"); got != "MAX_REQUEST_SIZE_EXCEEDED" {
		t.Error(got)
	}
	ana.refused("GET", unity+"/tables/main.rag.fresh_payload_request_logs", nil, 404, "TABLE_DOES_NOT_EXIST") // new deployments have none

	// A dropped table comes back with the next rows, empty before them.
	ana.call("DELETE", table, nil)
	ana.call("POST", "/serving-endpoints/fresh/invocations", ask("hi"))
	clock.advance(payloadDelay)
	if got := ana.cell("SELECT count(*) FROM main.rag.fresh_payload"); got != "1" {
		t.Error(got)
	}
}

func TestInferenceTablesUnderConcurrentUse(t *testing.T) {
	ana, ben, clock := newCallers(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5 {
				ben.send("POST", askBot, ask("How many orders?"))
				clock.advance(payloadDelay)
				ana.send("GET", unity+"/tables/main.rag.support_bot_payload", nil)
				ana.send("GET", endpointsAPI+"/agents_main-rag-support_bot", nil)
			}
		})
	}
	all.Wait()
	clock.advance(formattedDelay)
	if got := ana.cell("SELECT count(*) * 1000 + count(DISTINCT databricks_request_id) FROM " + botTables + "_payload`"); got != "25025" {
		t.Error("each request is logged once:", got)
	}
}

func TestPastLogsAreOfLastWeek(t *testing.T) {
	clock := newTurnClock()
	clock.advance(400 * 24 * time.Hour)
	w, err := New(Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ana := caller{t, w, Token}
	if got := ana.cell("SELECT count(*) FROM " + botTables + "_payload_request_logs` WHERE date > current_date() - 7"); got != "5" {
		t.Error(got)
	}
}
