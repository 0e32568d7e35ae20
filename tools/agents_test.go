package tools

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"brickmcp/catalog"
	"brickmcp/tools/policy"

	"github.com/tidwall/gjson"
)

// fixedPolicy is a policy that does not change.
type fixedPolicy struct{ policy *policy.Policy }

func (f fixedPolicy) Current() (*policy.Policy, error) { return f.policy, nil }

func underPolicy(t testing.TB, text string) func(*Config) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.Policies = fixedPolicy{p} }
}

const someEndpoints = `{"endpoints":[{"name":"agents_a","creator":"x"},{"name":"databricks-llama","task":"llm/v1/chat"},{"name":"helper","task":"agent/v2/chat"},{"name":"churn"},{"name":"secret-bot","task":"agent/v1/responses"}]}`

func TestListAgents(t *testing.T) {
	h := newAgentHost(map[string]string{endpointsPath: someEndpoints})
	got := gjson.Parse(succeed(t, h.server(t, nil), "agents_list", `{}`))
	if names := got.Get("endpoints.#.name").Raw; names != `["agents_a","helper","secret-bot"]` || got.Get("returned").Int() != 3 || got.Get("withheld").Exists() {
		t.Errorf("got %s", got.Raw)
	}
	got = gjson.Parse(succeed(t, h.server(t, underPolicy(t, "scopes: {agents: [agents_*, endpoints/HELPER]}")), "agents_list", `{}`))
	if names := got.Get("endpoints.#.name").Raw; names != `["agents_a","helper"]` || got.Get("withheld").Int() != 1 {
		t.Errorf("under a policy: %s", got.Raw)
	}
	// Pages go on behind what was left out.
	many := `{"endpoints":[` + strings.TrimSuffix(strings.Repeat(`{"name":"churn"},{"name":"agents_x","creator":"`+strings.Repeat("y", 150)+`"},`, 20), ",") + `]}`
	s := newAgentHost(map[string]string{endpointsPath: many}).server(t, func(c *Config) { c.ResultTokens = 300 })
	seen, token := 0, ""
	for range 30 {
		page := gjson.Parse(succeed(t, s, "agents_list", `{"page_token":"`+token+`"}`))
		seen += int(page.Get("returned").Int())
		if token = page.Get("next_page_token").Str; token == "" {
			break
		}
	}
	if seen != 20 {
		t.Errorf("%d agents on all pages", seen)
	}
}

func TestGetAgent(t *testing.T) {
	body := strings.Replace(twoVersions(), `"id":"e1"`, `"id":"e1","description":"d","permission_level":"CAN_QUERY"`, 1)
	h := newAgentHost(map[string]string{botPath: body, tablesPath + "main.rag.bot_payload": `{"columns":[]}`})
	h.errors[tablesPath+"main.rag.bot_payload_assessment_logs"] = &catalog.Error{Kind: catalog.Forbidden, Message: "no"}
	h.header.Set("X-Databricks-Org-Id", "42")
	got := gjson.Parse(succeed(t, h.server(t, nil), "agents_get", `{"endpoint_name":"agents_main-rag-bot"}`))
	for path, want := range map[string]string{
		"endpoint_name": "agents_main-rag-bot", "state.ready": "READY", "task": "agent/v1/responses", "description": "d", "permission_level": "CAN_QUERY",
		"versions.#":                    "3",
		"versions.1.served_entity_name": "main-rag-bot_2", "versions.1.model_version": "2", "versions.1.traffic_percentage": "100", "versions.1.state": "DEPLOYMENT_READY",
		"versions.1.query_url":           "https://dbc-1.cloud.databricks.com/serving-endpoints/agents_main-rag-bot/served-models/main-rag-bot_2/invocations",
		"query_endpoint":                 "https://dbc-1.cloud.databricks.com/serving-endpoints/agents_main-rag-bot/invocations",
		"review_app_url":                 "https://dbc-1.cloud.databricks.com/ml/review-v2/chat?endpoint=agents_main-rag-bot&o=42",
		"inference_tables.enabled":       "true",
		"inference_tables.tables.0.name": "main.rag.bot_payload", "inference_tables.tables.0.exists": "true", "inference_tables.tables.1.exists": "false",
		"inference_tables.tables.2.exists": "", "tags.0.key": "a", "failure": "",
	} {
		if v := got.Get(path).String(); v != want {
			t.Errorf("%s is %q, want %q", path, v, want)
		}
	}
	if strings.Contains(got.Raw, "plain") {
		t.Errorf("the environment is shown: %s", got.Raw)
	}
	wantError(t, h.server(t, nil), "agents_get", `{"endpoint_name":"none"}`, catalog.Missing)
	// What the policy does not let through is named, and not looked at.
	s := h.server(t, underPolicy(t, "scopes: {tables: [main.sales.*]}"))
	if got := gjson.Parse(succeed(t, s, "agents_get", `{"endpoint_name":"agents_main-rag-bot"}`)); got.Get("inference_tables.tables.0.exists").Exists() {
		t.Error(got.Raw)
	}
}

func TestGetAgentThatFailed(t *testing.T) {
	broken := strings.Replace(servedJSON("main-rag-bot_3", "main.rag.bot", "3", "DEPLOYMENT_FAILED"), `"deployment_state_message":""`, `"deployment_state_message":"Container image creation failed."`, 1)
	whole := botJSON("READY", "UPDATE_FAILED", servedJSON("main-rag-bot_2", "main.rag.bot", "2", "DEPLOYMENT_READY"), route("main-rag-bot_2", "100"))
	whole = strings.Replace(whole, `"tags"`, `"pending_config":{"served_entities":[`+broken+`]},"tags"`, 1)
	logs := endpointsPath + "/agents_main-rag-bot/served-models/main-rag-bot_3/"
	for _, c := range []struct {
		answers map[string]string
		says    []string
		missing string
	}{
		{map[string]string{logs + "build-logs": `{"logs":"step 1\nPERMISSION_DENIED: no EXECUTE on function main.a.f\n"}`}, []string{"Container image creation failed", "step 1", "Grant it"}, `["EXECUTE on the Unity Catalog function"]`},
		{map[string]string{logs + "logs": `{"logs":"` + strings.Repeat("x", 5000) + `\nImportError: y\npassword=hunter2"}`}, []string{"ImportError", catalog.Hidden, "new version"}, ""},
		{nil, []string{"Container image creation failed"}, ""},
	} {
		h := newAgentHost(c.answers)
		h.answers = map[string]string{botPath: whole}
		for path, answer := range c.answers {
			h.answers[path] = answer
		}
		text := succeed(t, h.server(t, nil), "agents_get", `{"endpoint_name":"agents_main-rag-bot"}`)
		for _, part := range c.says {
			if !strings.Contains(gjson.Get(text, "failure").Raw, part) {
				t.Errorf("%q is not in %s", part, text)
			}
		}
		if got := gjson.Get(text, "failure.missing_permissions").Raw; got != c.missing || strings.Contains(text, "hunter2") {
			t.Errorf("missing permissions %s: %s", got, text)
		}
		if pending := gjson.Get(text, `versions.#(model_version=="3").pending`); !pending.Bool() {
			t.Errorf("version 3: %s", text)
		}
	}
}

func TestDeleteAgent(t *testing.T) {
	one := botJSON("READY", "NOT_UPDATING", servedJSON("main-rag-bot_1", "main.rag.bot", "1", "DEPLOYMENT_READY")+","+servedJSON("feedback", "main.rag.feedback", "1", "DEPLOYMENT_READY"), route("main-rag-bot_1", "100"))
	mixed := botJSON("READY", "NOT_UPDATING", servedJSON("a_9", "main.rag.bot", "9", "")+","+servedJSON("a_10", "main.rag.bot", "10", "")+","+servedJSON("b_50", "main.rag.other", "50", "")+","+servedJSON("a_11", "main.rag.bot", "11", ""), route("a_11", "100"))
	const del, put = "DELETE /api/2.0/serving-endpoints/agents_main-rag-bot", "PUT /api/2.0/serving-endpoints/agents_main-rag-bot/config"
	for _, c := range []struct {
		name, version, endpoint string
		sent                    string
		after                   string
		kind                    catalog.Kind
		says                    string
	}{
		{"the endpoint", "", twoVersions(), del, "", "", `"deleted_endpoint":true`},
		{"a version", "2", twoVersions(), put, `{"main-rag-bot_1":100,"feedback":0}`, "", `"deleted_served_entity":"main-rag-bot_2"`},
		{"the last version", "1", one, del, "", "", `"deleted_endpoint":true`},
		{"the highest that stays, of the same model", "11", mixed, put, `{"a_9":0,"a_10":100,"b_50":0}`, "", ""},
		{"no such version", "7", twoVersions(), "", "", catalog.Missing, "It serves version 1, 2."},
		{"while it is updated", "2", strings.Replace(twoVersions(), "NOT_UPDATING", "IN_PROGRESS", 1), "", "", catalog.Busy, "IN_PROGRESS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newAgentHost(map[string]string{botPath: c.endpoint, del: "", put: "{}"})
			arguments := `{"endpoint_name":"agents_main-rag-bot"}`
			if c.version != "" {
				arguments = `{"endpoint_name":"agents_main-rag-bot","model_version":"` + c.version + `"}`
			}
			if c.kind != "" {
				wantError(t, h.server(t, nil), "agents_delete", arguments, c.kind, c.says)
				if len(h.sent()) > 0 {
					t.Errorf("sent %q", h.sent())
				}
				return
			}
			text := succeed(t, h.server(t, nil), "agents_delete", arguments)
			if sent := h.sent(); len(sent) != 1 || !strings.HasPrefix(sent[0], c.sent) {
				t.Errorf("sent %q", sent)
			}
			if gjson.Get(text, "routes_after").Raw != c.after || !strings.Contains(text, c.says) || !strings.Contains(text, "inference tables stay") {
				t.Error(text)
			}
			if c.sent == put {
				total := int64(0)
				for _, share := range h.body(t, put).Get("traffic_config.routes.#.traffic_percentage").Array() {
					total += share.Int()
				}
				if total != 100 {
					t.Errorf("routes sum up to %d", total)
				}
			}
		})
	}
}

// TestAgentPreviews: what asks for confirmation says exactly what would happen.
func TestAgentPreviews(t *testing.T) {
	h := newAgentHost(readyModel(map[string]string{botPath: twoVersions()}))
	s := h.server(t, nil)
	for _, c := range []struct {
		tool, arguments string
		says            []string
	}{
		{"agents_delete", `{"endpoint_name":"agents_main-rag-bot"}`, []string{"with all that it serves", "main-rag-bot_2 (main.rag.bot version 2, 100 % of the traffic) goes", "feedback"}},
		{"agents_delete", `{"endpoint_name":"agents_main-rag-bot","model_version":2}`, []string{"Deletes version 2", "main-rag-bot_2", "main-rag-bot_1 gets all traffic"}},
		{"agents_deploy", deploy3, []string{"Deploys version 3", "main-rag-bot_2 stays, and its traffic goes from 100 % to 0"}},
		{"agents_deploy", `{"model_name":"main.rag.bot","model_version":3,"endpoint_name":"fresh"}`, []string{"Makes the serving endpoint fresh"}},
	} {
		if strings.Contains(c.arguments, "fresh") {
			h.absentEndpoint("fresh")
		}
		p, err := s.preview(t.Context(), bound(t, c.tool, c.arguments))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range c.says {
			if !strings.Contains(p.question(), part) {
				t.Errorf("%s %s: %q is not in %q", c.tool, c.arguments, part, p.question())
			}
		}
	}
	if sent := h.sent(); len(sent) > 0 {
		t.Errorf("sent %q", sent)
	}
}

// TestAgentsUnderPolicy: a name that the caller did not give is not taken past the
// policy.
func TestAgentsUnderPolicy(t *testing.T) {
	named := strings.Replace(deploy3, "}", `,"endpoint_name":"agents_main-rag-bot"}`, 1)
	for _, c := range []struct{ name, policy, arguments, says string }{
		{"protected", "protected: [agents_main-*]", deploy3, "endpoint_name=agents_main-rag-bot"},
		{"narrowed", "scopes: {agents: [other]}", deploy3, "name it"},
		{"narrowed and named", "scopes: {agents: [other]}", named, "outside the policy"},
		{"catalog", "scopes: {catalogs: [dev]}", deploy3, "main.rag.bot"},
		{"tables", "scopes: {tables: [main.sales.*]}", named, "inference_tables=false"},
	} {
		h := newAgentHost(readyModel(nil)).absentEndpoint("agents_main-rag-bot")
		wantError(t, h.server(t, underPolicy(t, c.policy)), "agents_deploy", c.arguments, catalog.Denied, c.says)
		if sent := h.sent(); len(sent) > 0 {
			t.Errorf("%s: sent %q", c.name, sent)
		}
	}
	h := newAgentHost(readyModel(nil)).absentEndpoint("agents_main-rag-bot")
	text := succeed(t, h.server(t, underPolicy(t, "protected: [agents_main-*]")), "agents_deploy", named)
	if gjson.Get(text, "confirm.confirm_token").Str == "" {
		t.Errorf("a protected endpoint does not ask: %s", text)
	}
	succeed(t, h.server(t, underPolicy(t, "protected: [other*]")), "agents_deploy", deploy3)
}

// TestInsteadUnderPolicy: where the Supervisor is gone, what the policy keeps back is
// not offered in its place.
func TestInsteadUnderPolicy(t *testing.T) {
	h := newAgentHost(map[string]string{
		"GET /api/2.0/apps":         `{"apps":[{"name":"orders","url":"https://o.example","compute_status":{"state":"ACTIVE"}},{"name":"payroll","url":"https://p.example"}]}`,
		endpointsPath:               someEndpoints,
		"GET /api/2.0/genie/spaces": `{"spaces":[{"space_id":"s1"},{"space_id":"s2"}]}`,
	})
	for policy, want := range map[string]string{
		"scopes: {agents: [supervisor, apps/orders, secret-bot, genie/s2]}": "as agent instead: apps/orders, endpoints/secret-bot, genie/s2. Nothing was started.",
		"scopes: {agents: [supervisor]}":                                    "none that runs and may be asked was found here",
		"scopes: {jobs: [1]}":                                               "as agent instead: apps/orders, apps/payroll, endpoints/helper, endpoints/secret-bot, genie/s1, genie/s2.",
	} {
		wantError(t, h.server(t, underPolicy(t, policy)), "supervisor_start_run", `{"input":"x"}`, catalog.Missing, "not available in this workspace", want)
	}
}

// TestAgentResultsAreBounded: at any budget, and however long what the workspace says.
func TestAgentResultsAreBounded(t *testing.T) {
	long := strings.Repeat(`x\"€`, 3000)
	body := strings.ReplaceAll(strings.Replace(twoVersions(), `"id":"e1"`, `"id":"e1","description":"`+long+`"`, 1), `"deployment_state_message":""`, `"deployment_state_message":"`+long+`"`)
	answer := `{"output":[{"type":"message","content":[{"type":"output_text","text":"` + long + `"}]},{"type":"function_call","arguments":"` + long + `"}],"custom_outputs":{"a":"` + long + `"},"usage":{"n":1},` +
		`"databricks_output":{"databricks_request_id":"tr-1","trace":{"info":{"state":"OK"},"data":{"spans":[` + strings.TrimSuffix(strings.Repeat(`{"name":"`+long+`"},`, 200), ",") + `]}}}}`
	for _, tokens := range []int{1, 100, 2000} {
		h := newAgentHost(readyModel(map[string]string{botPath: body, "POST /serving-endpoints/agents_main-rag-bot/invocations": answer, "POST /serving-endpoints/agents_main-rag-bot/served-models/feedback/invocations": `{}`,
			"POST /api/3.0/mlflow/traces/tr-1/assessments": `{"assessment":{"assessment_id":"a-1"}}`}))
		s := h.server(t, func(c *Config) { c.ResultTokens = tokens })
		for tool, arguments := range map[string][]string{
			"agents_get":           {`{"endpoint_name":"agents_main-rag-bot"}`},
			"agents_deploy":        {deploy3},
			"agents_query":         {`{"endpoint_name":"agents_main-rag-bot","input":"x"}`, `{"endpoint_name":"agents_main-rag-bot","input":"y","full_trace":true}`},
			"agents_give_feedback": {`{"endpoint_name":"agents_main-rag-bot","request_id":"573d4a61-4adb-41bd-96db-0ec8cebc3744","comment":"x"}`, `{"endpoint_name":"agents_main-rag-bot","trace_id":"tr-1","comment":"x"}`},
		} {
			for _, one := range arguments {
				text := succeed(t, s, tool, one)
				if most := max(tokens*4, 300) + 350; len(text) > most {
					t.Errorf("%s at %d tokens: %d bytes, more than %d: %.300s", tool, tokens, len(text), most, text)
				}
			}
		}
	}
}

// TestAgentsAskOnce: whatever may act is not marked as something to be repeated.
func TestAgentsAskOnce(t *testing.T) {
	for _, row := range slices.Concat(catalog.All(), catalog.Inner()) {
		switch row.Name {
		case catalog.QueryAgent.Name, catalog.QueryServedModel.Name, catalog.GiveFeedback.Name, catalog.AssessTrace.Name, catalog.AssessLocatedTrace.Name, catalog.DeployAgent.Name, catalog.UpdateEndpointConfig.Name:
			if row.Effect.Repeatable() || row.Verify == "" {
				t.Errorf("%s is %s", row.Name, row.Effect)
			}
		}
	}
}
