package tools

import (
	"strings"
	"testing"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

const (
	feedbackVersions    = "GET /api/2.1/unity-catalog/models/main.rag.feedback/versions"
	deploy3WithFeedback = `{"model_name":"main.rag.bot","model_version":3,"deploy_feedback_model":true}`
)

// TestDeployWithFeedbackModel: it joins at 0 %, and once.
func TestDeployWithFeedbackModel(t *testing.T) {
	versions := `{"model_versions":[{"version":2},{"version":10,"status":"READY"},{"version":11,"status":"FAILED_REGISTRATION"},{"version":9}]}`
	h := newAgentHost(readyModel(map[string]string{feedbackVersions: versions})).absentEndpoint("agents_main-rag-bot")
	got := gjson.Parse(succeed(t, h.server(t, nil), "agents_deploy", deploy3WithFeedback))
	config := h.body(t, "POST /api/2.0/serving-endpoints").Get("config")
	if want := `{"name":"feedback","entity_name":"main.rag.feedback","entity_version":"10","workload_size":"Small","scale_to_zero_enabled":true}`; config.Get("served_entities.1").Raw != want || config.Get("served_entities.#").Int() != 2 {
		t.Errorf("sent %s", config.Raw)
	}
	if routes := config.Get("traffic_config.routes").Raw; routes != `[{"served_model_name":"main-rag-bot_3","traffic_percentage":100},{"served_model_name":"feedback","traffic_percentage":0}]` {
		t.Errorf("routes %s", routes)
	}
	if got.Get("routes_after").Raw != `{"main-rag-bot_3":100,"feedback":0}` || !strings.Contains(got.Get("notes").Raw, "not filled for new deployments") {
		t.Error(got.Raw)
	}

	// An endpoint without one gets it with the next version.
	plain := botJSON("READY", "NOT_UPDATING", servedJSON("main-rag-bot_2", "main.rag.bot", "2", "DEPLOYMENT_READY"), route("main-rag-bot_2", "100"))
	const put = "PUT /api/2.0/serving-endpoints/agents_main-rag-bot/config"
	h = newAgentHost(readyModel(map[string]string{feedbackVersions: versions, botPath: plain}))
	got = gjson.Parse(succeed(t, h.server(t, nil), "agents_deploy", deploy3WithFeedback))
	if body := h.body(t, put); body.Get("served_entities.#.name").Raw != `["main-rag-bot_2","main-rag-bot_3","feedback"]` || body.Get("traffic_config.routes.#.traffic_percentage").Raw != "[0,100,0]" {
		t.Errorf("sent %s", body.Raw)
	}
	if got.Get("routes_after").Raw != `{"main-rag-bot_2":0,"main-rag-bot_3":100,"feedback":0}` {
		t.Error(got.Raw)
	}

	// One that has it keeps it, and nothing is looked for.
	h = newAgentHost(readyModel(map[string]string{botPath: twoVersions()}))
	succeed(t, h.server(t, nil), "agents_deploy", deploy3WithFeedback)
	if names := h.body(t, put).Get("served_entities.#.name").Raw; names != `["main-rag-bot_1","main-rag-bot_2","feedback","main-rag-bot_3"]` {
		t.Errorf("entities %s", names)
	}
}

func TestDeployFeedbackModelRefused(t *testing.T) {
	var full, routes []string
	for i := range maxServed - 1 {
		name := string(rune('a' + i))
		full, routes = append(full, servedJSON(name, "main.rag.bot", "10"+name, "DEPLOYMENT_READY")), append(routes, route(name, "0"))
	}
	for _, c := range []struct {
		name, versions, endpoint, policy string
		failure                          *catalog.Error
		kind                             catalog.Kind
		says                             []string
	}{
		{name: "there is none", kind: catalog.Missing, says: []string{"no feedback model main.rag.feedback", "databricks-agents", "MLflow"}},
		{name: "without a version", versions: `{}`, kind: catalog.Missing, says: []string{"no feedback model"}},
		{name: "none is ready", versions: `{"model_versions":[{"version":1,"status":"PENDING_REGISTRATION"}]}`, kind: catalog.Missing, says: []string{"no feedback model"}},
		{name: "no EXECUTE", failure: &catalog.Error{Kind: catalog.Forbidden, Message: "no EXECUTE"}, kind: catalog.Forbidden, says: []string{"looking for the feedback model"}},
		{name: "outside the policy", versions: `{"model_versions":[{"version":1}]}`, policy: "scopes: {functions: [main.rag.bot]}", kind: catalog.Denied, says: []string{"main.rag.feedback"}},
		{name: "no room for both", versions: `{"model_versions":[{"version":1}]}`, endpoint: botJSON("READY", "NOT_UPDATING", strings.Join(full, ","), strings.Join(routes, ",")), kind: catalog.Conflict, says: []string{"14 served entities"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newAgentHost(readyModel(nil))
			for path, answer := range map[string]string{feedbackVersions: c.versions, botPath: c.endpoint} {
				if answer != "" {
					h.answers[path] = answer
				}
			}
			if c.endpoint == "" {
				h.absentEndpoint("agents_main-rag-bot")
			}
			if c.failure != nil {
				h.errors[feedbackVersions] = c.failure
			}
			var change func(*Config)
			if c.policy != "" {
				change = underPolicy(t, c.policy)
			}
			wantError(t, h.server(t, change), "agents_deploy", deploy3WithFeedback, c.kind, c.says...)
			if sent := h.sent(); len(sent) > 0 {
				t.Errorf("sent %q", sent)
			}
		})
	}
}

// TestDeployLeavesTables: inference tables are set when an endpoint is made. What
// was asked for and is not done is said.
func TestDeployLeavesTables(t *testing.T) {
	without := strings.Replace(twoVersions(), "inference_table_config", "other", 1)
	disabled := strings.Replace(twoVersions(), `"enabled":true`, `"enabled":false`, 1)
	for _, c := range []struct{ name, endpoint, more, says string }{
		{"they are there", twoVersions(), "", ""},
		{"they are there, as asked", twoVersions(), `,"inference_tables":true`, ""},
		{"they go on", twoVersions(), `,"inference_tables":false`, "stay as they were: enabled"},
		{"they stay off", disabled, `,"inference_tables":true`, "stay as they were: disabled"},
		{"there are none", without, "", "no inference tables"},
		{"there are none, as asked", without, `,"inference_tables":false`, ""},
	} {
		h := newAgentHost(readyModel(map[string]string{botPath: c.endpoint}))
		text := succeed(t, h.server(t, nil), "agents_deploy", strings.Replace(deploy3, "}", c.more+"}", 1))
		if notes := gjson.Get(text, "notes").Raw; (notes == "") != (c.says == "") || !strings.Contains(notes, c.says) {
			t.Errorf("%s: notes %s", c.name, notes)
		}
	}
}
