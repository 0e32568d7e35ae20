package sandbox

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

const tracesAPI = "/api/3.0/mlflow/traces/"

func TestTracesAndAssessments(t *testing.T) {
	_, ben, clock := newCallers(t)
	answer := ben.call("POST", askBot, ask("How many orders?"))
	id := dig(answer, "databricks_output", "databricks_request_id")
	path := tracesAPI + id
	info := ben.get(path)
	if dig(info, "trace", "trace_info", "state") != "OK" || dig(info, "trace", "trace_info", "request_preview") != "How many orders?" ||
		dig(info, "trace", "trace_info", "trace_location", "mlflow_experiment", "experiment_id") != supportExperiment {
		t.Error(info)
	}
	assessment := func(set shape) shape {
		a := shape{"assessment_name": "answer_correct", "source": shape{"source_type": "HUMAN", "source_id": benName}, "feedback": shape{"value": true}, "span_id": nil}
		for k, v := range set {
			a[k] = v
		}
		return shape{"assessment": a}
	}
	made := ben.call("POST", path+"/assessments", assessment(shape{"rationale": "matches", "metadata": shape{"client": "mcp"}}))["assessment"].(map[string]any)
	one := path + "/assessments/" + dig(made, "assessment_id")
	if made["valid"] != true || !strings.HasPrefix(dig(made, "assessment_id"), "a-") || made["create_time"] != "2025-06-30T06:00:00.000Z" || dig(made, "metadata", "client") != "mcp" {
		t.Error(made)
	}
	ben.call("POST", path+"/assessments", assessment(nil)) // no idempotency key: a second one
	if n := len(ben.get(path)["trace"].(map[string]any)["trace_info"].(map[string]any)["assessments"].([]any)); n != 2 {
		t.Error(n)
	}
	clock.advance(time.Minute)
	changed := ben.call("PATCH", one, shape{"assessment": shape{"feedback": shape{"value": []string{"late", "wrong"}}}, "update_mask": "feedback,rationale"})["assessment"].(map[string]any)
	if fmt.Sprint(changed["feedback"]) != "map[value:[late wrong]]" || changed["rationale"] != nil || changed["last_update_time"] == changed["create_time"] {
		t.Error(changed)
	}
	ben.refused("PATCH", one, shape{"assessment": shape{}, "update_mask": "source"}, 400, "INVALID_PARAMETER_VALUE")
	if got := dig(ben.get(one), "assessment", "assessment_name"); got != "answer_correct" {
		t.Error(got)
	}
	ben.call("DELETE", one, nil)
	ben.refused("GET", one, nil, 404, "RESOURCE_DOES_NOT_EXIST")

	for want, set := range map[string]shape{
		"assessment_name'":       {"assessment_name": ""},
		"period":                 {"assessment_name": "a.b"},
		"Missing value for requ": {"source": nil},
		"HUMAN, LLM_JUDGE, CODE": {"source": shape{"source_type": "ROBOT"}},
		"Exactly one of":         {"expectation": shape{"value": 1}},
		"Exactly":                {"feedback": nil},
		"feedback.value'":        {"feedback": shape{}},
		"a number, a boolean":    {"feedback": shape{"value": shape{"a": 1}}},
		"list of strings":        {"feedback": shape{"value": []any{"a", 1}}},
		"expectation.value":      {"feedback": nil, "expectation": shape{}},
		"rationale":              {"rationale": 7},
		"metadata":               {"metadata": shape{"n": 7}},
	} {
		if why := ben.refused("POST", path+"/assessments", assessment(set), 400, "INVALID_PARAMETER_VALUE"); !strings.Contains(why, want) {
			t.Errorf("%v: %s lacks %q", set, why, want)
		}
	}
	for _, value := range []any{1.5, "yes", false, []string{"a"}} {
		ben.call("POST", path+"/assessments", assessment(shape{"feedback": shape{"value": value}}))
	}
	ben.call("POST", path+"/assessments", assessment(shape{"feedback": nil, "expectation": shape{"value": shape{"any": "thing"}}}))
	ben.refused("POST", tracesAPI+"tr-00000000000000000000000000000000/assessments", assessment(nil), 404, "RESOURCE_DOES_NOT_EXIST")

	// Version 1 does not trace in real time: its request ids are no traces.
	old := ben.call("POST", "/serving-endpoints/agents_main-rag-support_bot/served-models/main-rag-support_bot_1/invocations", ask("hi"))
	ben.refused("GET", tracesAPI+dig(old, "databricks_output", "databricks_request_id"), nil, 404, "RESOURCE_DOES_NOT_EXIST")
}

func TestFailedCallsAreTraced(t *testing.T) {
	ana, _, _ := newCallers(t)
	ana.refused("POST", askBot, ask("divide by zero"), 500, "INTERNAL_ERROR")
	m := ana.w.mlflow
	m.mu.Lock()
	id := m.traces[len(m.traces)-1].id
	m.mu.Unlock()
	if got := ana.get(tracesAPI + id); dig(got, "trace", "trace_info", "state") != "ERROR" {
		t.Error(got)
	}
}

func TestExperiments(t *testing.T) {
	ana, ben, _ := newCallers(t)
	got := ben.get("/api/2.0/mlflow/experiments/get?experiment_id=" + supportExperiment)
	if dig(got, "experiment", "name") != "/Users/ana@example.com/support_bot" {
		t.Error(got)
	}
	if got := ana.get("/api/2.0/mlflow/experiments/get-by-name?experiment_name=/Users/ana@example.com/churn"); dig(got, "experiment", "experiment_id") != churnExperiment {
		t.Error(got)
	}
	ben.refused("GET", "/api/2.0/mlflow/experiments/get?experiment_id="+churnExperiment, nil, 403, "PERMISSION_DENIED")
	ben.refused("GET", "/api/2.0/mlflow/experiments/get?experiment_id=1", nil, 404, "RESOURCE_DOES_NOT_EXIST")
	if got := ben.get("/api/2.0/mlflow/runs/get?run_id=" + supportRun); dig(got, "run", "info", "start_time") != json.Number(fmt.Sprint(seeded.UnixMilli())).String() {
		t.Error(got)
	}
	ben.refused("GET", "/api/2.0/mlflow/runs/get?run_id="+churnRun, nil, 404, "RESOURCE_DOES_NOT_EXIST")
}
