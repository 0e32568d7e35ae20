package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// storyAgents deploys a version that comes up, asks it, judges its answer, reads the
// logs, sees a version fail on a permission, and tidies up.
func storyAgents(t *testing.T) {
	a := inSandbox(t)
	const bot = "agents_main-rag-support_bot"
	list := a.call("agents_list", args{})
	if names := list.Get("endpoints.#.name").Raw; !strings.Contains(names, bot) || strings.Contains(names, "databricks-") || strings.Contains(names, "churn") {
		t.Errorf("agents: %s", names)
	}
	before := a.call("agents_get", args{"endpoint_name": bot})
	if before.Get(`versions.#(model_version=="2").traffic_percentage`).Int() != 100 || !before.Get("inference_tables.tables.0.exists").Bool() {
		t.Errorf("before: %s", before.Raw)
	}

	// A new agent takes minutes to come up. Then it answers.
	made := a.call("agents_deploy", args{"model_name": "main.rag.store_analyst", "model_version": 1, "endpoint_name": "analyst-2", "scale_to_zero": false, "deploy_feedback_model": true})
	if !made.Get("created").Bool() || made.Get("endpoint_name").Str != "analyst-2" || made.Get("inference_table").Str == "" {
		t.Fatalf("deployed: %s", made.Raw)
	}
	a.refused("busy", "agents_query", args{"endpoint_name": "analyst-2", "input": "How many orders?"})
	up := func(r gjson.Result) bool {
		return r.Get("state.ready").Str == "READY" && r.Get("state.config_update").Str == "NOT_UPDATING"
	}
	a.until("agents_get", args{"endpoint_name": "analyst-2"}, up)
	if answer := a.call("agents_query", args{"endpoint_name": "analyst-2", "input": "How many orders?", "stream": true, "force": true}); answer.Get("form").Str != "chat_agent" || answer.Get("output_text").Str == "" {
		t.Errorf("answer: %s", answer.Raw)
	}
	judged := a.call("agents_give_feedback", args{"endpoint_name": "analyst-2", "request_id": "573d4a61-4adb-41bd-96db-0ec8cebc3744", "comment": "by the model that was deployed with it"})
	if served := a.call("agents_get", args{"endpoint_name": "analyst-2"}); judged.Get("recorded_by").Str != "feedback model" || served.Get(`versions.#(served_entity_name=="feedback").traffic_percentage`).Raw != "0" {
		t.Errorf("the feedback model: %s, %s", judged.Raw, served.Raw)
	}
	a.refused("missing", "agents_deploy", args{"model_name": "main.ml.churn", "model_version": 1, "endpoint_name": "churn-2", "deploy_feedback_model": true})
	a.call("agents_delete", args{"endpoint_name": "analyst-2"})
	a.refused("missing", "agents_get", args{"endpoint_name": "analyst-2"})

	// A version joins the endpoint of its model, or fails on what it needs.
	answer := a.call("agents_query", args{"endpoint_name": bot, "input": "How many orders?", "return_trace": true})
	trace := answer.Get("trace_id").Str
	if trace == "" || answer.Get("trace.spans").Int() == 0 || !strings.Contains(answer.Get("output_text").Str, "orders") {
		t.Fatalf("answer: %s", answer.Raw)
	}
	given := a.call("agents_give_feedback", args{"endpoint_name": bot, "trace_id": trace, "ratings": args{"answer_correct": args{"value": "positive", "rationale": "counted"}}})
	if given.Get("recorded_by").Str != "MLflow" || !strings.Contains(given.Get("source").Str, "@") {
		t.Errorf("feedback: %s", given.Raw)
	}
	a.refused("invalid", "agents_give_feedback", args{"endpoint_name": bot, "trace_id": trace, "ratings": args{"answer_correct": args{"valeu": "positive"}}})
	logs := a.call("agents_read_logs", args{"endpoint_name": bot, "since": "2025-01-01"})
	if logs.Get("table").Str != "main.rag.support_bot_payload" || logs.Get("returned").Int() < 5 {
		t.Errorf("logs: %s", logs.Raw)
	}
	newest := a.call("agents_read_logs", args{"endpoint_name": bot, "since": "2025-01-01", "row_limit": 2})
	_, until, _ := strings.Cut(strings.TrimSuffix(newest.Get("next").Str, "."), "until=")
	older := a.call("agents_read_logs", args{"endpoint_name": bot, "since": "2025-01-01", "row_limit": 2, "until": until})
	if times := append(newest.Get("rows.#.0").Array(), older.Get("rows.#.0").Array()...); len(times) != 4 || !slices.IsSortedFunc(times, func(x, y gjson.Result) int { return strings.Compare(y.Str, x.Str) }) || times[1].Str == times[2].Str {
		t.Errorf("the newest, and those before: %s, %s", newest.Raw, older.Raw)
	}
	errors := a.call("agents_read_logs", args{"endpoint_name": bot, "since": "2025-01-01", "min_status": 400})
	if n := errors.Get("returned").Int(); n == 0 || n >= logs.Get("returned").Int() {
		t.Errorf("errors: %s", errors.Raw)
	}
	old := logs.Get("rows.#.1").Array()
	if said := a.call("agents_give_feedback", args{"endpoint_name": bot, "request_id": old[len(old)-1].Str, "comment": "too short"}); said.Get("recorded_by").Str != "feedback model" {
		t.Errorf("feedback on an older answer: %s", said.Raw)
	}
	if judged := a.call("agents_read_logs", args{"endpoint_name": bot, "since": "2025-01-01", "kind": "assessments"}); judged.Get("returned").Int() == 0 {
		t.Errorf("assessments: %s", judged.Raw)
	}
	failing := a.call("agents_deploy", args{"model_name": "main.rag.support_bot", "model_version": "4"})
	if failing.Get("created").Bool() || failing.Get("routes_before.main-rag-support_bot_2").Int() != 100 || failing.Get("routes_after.main-rag-support_bot_4").Int() != 100 {
		t.Errorf("version 4: %s", failing.Raw)
	}
	after := a.until("agents_get", args{"endpoint_name": bot}, func(r gjson.Result) bool { return r.Get("state.config_update").Str != "IN_PROGRESS" })
	if after.Get("state.config_update").Str != "UPDATE_FAILED" || !strings.Contains(after.Get("failure.missing_permissions").Raw, "Can Run on the Genie space") {
		t.Errorf("why it failed is not said: %s", after.Raw)
	}
	a.refused("conflict", "agents_deploy", args{"model_name": "main.rag.support_bot", "model_version": "2"})
	gone := a.call("agents_delete", args{"endpoint_name": bot, "model_version": "1"})
	if gone.Get("deleted_endpoint").Bool() || gone.Get("deleted_served_entity").Str != "main-rag-support_bot_1" {
		t.Errorf("deleted: %s", gone.Raw)
	}
}
