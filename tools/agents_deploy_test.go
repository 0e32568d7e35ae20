package tools

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// readyModel is version 3 of main.rag.bot, logged by a run of an experiment.
func readyModel(more map[string]string) map[string]string {
	answers := map[string]string{
		versionPath + "3":                   `{"status":"READY","run_id":"r1"}`,
		"GET /api/2.0/mlflow/runs/get":      `{"run":{"info":{"experiment_id":"9007199254740993"}}}`,
		endpointsPath:                       `{"endpoints":[]}`,
		"POST /api/2.0/serving-endpoints":   botJSON("NOT_READY", "IN_PROGRESS", servedJSON("main-rag-bot_3", "main.rag.bot", "3", "DEPLOYMENT_CREATING"), route("main-rag-bot_3", "100")),
		"PUT /api/2.0/serving-endpoints/":   `{}`,
		"PATCH /api/2.0/serving-endpoints/": `{}`,
		"PATCH /api/2.0/permissions/":       `{}`,
	}
	for path, answer := range more {
		answers[path] = answer
	}
	return answers
}

const deploy3 = `{"model_name":"main.rag.bot","model_version":3}`

// absentEndpoint lets reads of the endpoint by name miss, though a list is there.
func (h *agentHost) absentEndpoint(name string) *agentHost {
	h.errors[endpointsPath+"/"+name] = &catalog.Error{Kind: catalog.Missing, Message: "no such endpoint", Status: 404}
	return h
}

func TestDeployMakesAnEndpoint(t *testing.T) {
	h := newAgentHost(readyModel(nil)).absentEndpoint("")
	h.header.Set("X-Databricks-Org-Id", "42")
	got := gjson.Parse(succeed(t, h.server(t, nil), "agents_deploy", `{"model_name":"main.rag.bot","model_version":"3","description":"d","tags":{"team":"x"},`+
		`"environment_vars":{"KEY":"{{secrets/a/b}}","ENABLE_MLFLOW_TRACING":"false"},"workload_size":"Large","scale_to_zero":true,"usage_policy_id":"p1","instance_profile_arn":"arn:1",`+
		`"access_control_list":[{"group_name":"staff","permission_level":"CAN_QUERY"}]}`))
	body := h.body(t, "POST /api/2.0/serving-endpoints")
	for path, want := range map[string]string{
		"name": "agents_main-rag-bot", "description": "d", "budget_policy_id": "p1",
		"config.served_entities.0.name": "main-rag-bot_3", "config.served_entities.0.entity_name": "main.rag.bot", "config.served_entities.0.entity_version": "3",
		"config.served_entities.0.workload_size": "Large", "config.served_entities.0.scale_to_zero_enabled": "true", "config.served_entities.0.instance_profile_arn": "arn:1",
		"config.served_entities.0.environment_vars.ENABLE_MLFLOW_TRACING":         "true", // forced
		"config.served_entities.0.environment_vars.ENABLE_LANGCHAIN_STREAMING":    "true",
		"config.served_entities.0.environment_vars.RETURN_REQUEST_ID_IN_RESPONSE": "true",
		"config.served_entities.0.environment_vars.MLFLOW_EXPERIMENT_ID":          "9007199254740993",
		"config.served_entities.0.environment_vars.KEY":                           "{{secrets/a/b}}",
		"config.traffic_config.routes.0.served_model_name":                        "main-rag-bot_3", "config.traffic_config.routes.0.traffic_percentage": "100",
		"ai_gateway.inference_table_config.enabled": "true", "ai_gateway.inference_table_config.table_name_prefix": "bot", "ai_gateway.inference_table_config.schema_name": "rag",
		`tags.#(key=="MONITOR_EXPERIMENT_ID").value`: "9007199254740993", `tags.#(key=="team").value`: "x",
	} {
		if got := body.Get(path).String(); got != want {
			t.Errorf("sent %s = %q, want %q", path, got, want)
		}
	}
	if v := body.Get("config.served_entities.0.entity_version"); v.Type != gjson.String {
		t.Errorf("entity_version is %s", v.Raw)
	}
	for path, want := range map[string]string{
		"model_name": "main.rag.bot", "model_version": "3", "endpoint_name": "agents_main-rag-bot", "served_entity_name": "main-rag-bot_3", "created": "true",
		"query_endpoint":  "https://dbc-1.cloud.databricks.com/serving-endpoints/agents_main-rag-bot/served-models/main-rag-bot_3/invocations",
		"endpoint_url":    "https://dbc-1.cloud.databricks.com/ml/endpoints/agents_main-rag-bot",
		"review_app_url":  "https://dbc-1.cloud.databricks.com/ml/review-v2/chat?endpoint=agents_main-rag-bot&o=42",
		"state.ready":     "NOT_READY",
		"routes_before":   "{}",
		"routes_after":    `{"main-rag-bot_3":100}`,
		"inference_table": "main.rag.bot_payload",
	} {
		if got := got.Get(path).String(); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if sent := h.sent(); len(sent) != 2 || sent[1] != `PATCH /api/2.0/permissions/serving-endpoints/e1 {"access_control_list":[{"group_name":"staff","permission_level":"CAN_QUERY"}]}` {
		t.Errorf("sent %q", sent)
	}
	if !strings.Contains(got.Get("next").Str, "agents_get") {
		t.Error(got.Raw)
	}
}

// TestDeployAddsAVersion: the older ones stay at 0, as they were configured.
func TestDeployAddsAVersion(t *testing.T) {
	h := newAgentHost(readyModel(map[string]string{botPath: twoVersions()}))
	h.errors["PATCH /api/2.0/serving-endpoints/agents_main-rag-bot/description"] = &catalog.Error{Kind: catalog.Missing, Message: "no route", MissingRoute: true}
	got := gjson.Parse(succeed(t, h.server(t, nil), "agents_deploy", `{"model_name":"main.rag.bot","model_version":3,"description":"d","tags":{"team":"x"},"usage_policy_id":"p"}`))
	body := h.body(t, "PUT /api/2.0/serving-endpoints/agents_main-rag-bot/config")
	if names := body.Get("served_entities.#.name").Raw; names != `["main-rag-bot_1","main-rag-bot_2","feedback","main-rag-bot_3"]` {
		t.Errorf("entities %s", names)
	}
	if routes := body.Get("traffic_config.routes.#.traffic_percentage").Raw; routes != "[0,0,0,100]" {
		t.Errorf("routes %s", routes)
	}
	first := body.Get("served_entities.0")
	if first.Get("environment_vars.KEY").Str != "plain" || first.Get("state").Exists() || first.Get("creator").Exists() || !first.Get("scale_to_zero_enabled").Bool() {
		t.Errorf("the first version is sent as %s", first.Raw)
	}
	if body.Get("ai_gateway").Exists() || body.Get("auto_capture_config").Exists() {
		t.Errorf("inference tables are set again: %s", body.Raw)
	}
	if got.Get("routes_before").Raw != `{"main-rag-bot_1":0,"main-rag-bot_2":100,"feedback":0}` || got.Get("routes_after").Raw != `{"main-rag-bot_1":0,"main-rag-bot_2":0,"feedback":0,"main-rag-bot_3":100}` || got.Get("created").Bool() {
		t.Errorf("got %s", got.Raw)
	}
	if n := len(h.sent()); n != 4 || !strings.Contains(got.Get("notes").Raw, "the description could not be set") {
		t.Errorf("%d writes, %s", n, got.Get("notes").Raw)
	}
	if strings.Contains(got.Raw, "plain") {
		t.Errorf("the environment of another version is shown: %s", got.Raw)
	}
	legacy := strings.Replace(twoVersions(), `"traffic_config"`, `"auto_capture_config":{"enabled":true,"catalog_name":"main","state":{"payload_table":{}}},"traffic_config"`, 1)
	h = newAgentHost(readyModel(map[string]string{botPath: legacy}))
	succeed(t, h.server(t, nil), "agents_deploy", deploy3)
	if kept := h.body(t, "PUT /api/2.0/serving-endpoints/agents_main-rag-bot/config").Get("auto_capture_config").Raw; kept != `{"enabled":true,"catalog_name":"main"}` {
		t.Errorf("the older inference table is sent as %s", kept)
	}
}

func TestDeployFindsTheEndpoint(t *testing.T) {
	elsewhere := `{"name":"helper","id":"e9","state":{"ready":"READY"},"config":{"served_entities":[` + servedJSON("x", "Main.rag.bot", "1", "DEPLOYMENT_READY") + `],"traffic_config":{"routes":[` + route("x", "100") + `]}}}`
	other := strings.ReplaceAll(twoVersions(), "main.rag.bot", "main.rag.other")
	for _, c := range []struct {
		name, arguments string
		answers         map[string]string
		sent            string // beginning of the first write; empty: refused
		says            string
	}{
		{"by what it serves", deploy3, map[string]string{endpointsPath: `{"endpoints":[` + elsewhere + `]}`, endpointsPath + "/helper": elsewhere}, "PUT /api/2.0/serving-endpoints/helper/config", ""},
		{"its name is taken", deploy3, map[string]string{botPath: other}, "", "serves another model, main.rag.other"},
		{"taken, and served elsewhere", deploy3, map[string]string{botPath: other, endpointsPath: `{"endpoints":[` + elsewhere + `]}`, endpointsPath + "/helper": elsewhere}, "PUT /api/2.0/serving-endpoints/helper/config", ""},
		{"twice elsewhere", deploy3, map[string]string{endpointsPath: `{"endpoints":[` + elsewhere + "," + strings.Replace(elsewhere, "helper", "second", 1) + `]}`}, "", "several endpoints serve the model: helper, second"},
		{"named", `{"model_name":"main.rag.bot","model_version":3,"endpoint_name":"helper"}`, map[string]string{endpointsPath + "/helper": elsewhere}, "PUT /api/2.0/serving-endpoints/helper/config", ""},
		{"named, and new", `{"model_name":"main.rag.bot","model_version":3,"endpoint_name":"fresh"}`, nil, `POST /api/2.0/serving-endpoints {"name":"fresh"`, ""},
		{"named, and another's", `{"model_name":"main.rag.bot","model_version":3,"endpoint_name":"helper"}`, map[string]string{endpointsPath + "/helper": strings.Replace(elsewhere, "Main.rag.bot", "a.b.c", 1)}, "", "serves another model, a.b.c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newAgentHost(readyModel(c.answers))
			for _, name := range []string{"agents_main-rag-bot", "helper", "fresh"} {
				if c.answers[endpointsPath+"/"+name] == "" {
					h.absentEndpoint(name)
				}
			}
			text, failed := ask(t, h.server(t, nil), "agents_deploy", c.arguments)
			sent := h.sent()
			if failed != (c.sent == "") || !strings.Contains(text, c.says) {
				t.Fatal(text)
			}
			if failed && len(sent) > 0 || !failed && !strings.HasPrefix(sent[0], c.sent) {
				t.Errorf("sent %q", sent)
			}
		})
	}
}

// TestDeployAgain: a version whose update failed is not served, and may be deployed
// again when what it lacked is there.
func TestDeployAgain(t *testing.T) {
	failed := strings.Replace(twoVersions(), "NOT_UPDATING", "UPDATE_FAILED", 1)
	failed = strings.Replace(failed, `"tags"`, `"pending_config":{"served_entities":[`+servedJSON("main-rag-bot_3", "main.rag.bot", "3", "DEPLOYMENT_FAILED")+`]},"tags"`, 1)
	h := newAgentHost(readyModel(map[string]string{botPath: failed}))
	succeed(t, h.server(t, nil), "agents_deploy", deploy3)
	if names := h.body(t, "PUT /api/2.0/serving-endpoints/agents_main-rag-bot/config").Get("served_entities.#.name").Raw; names != `["main-rag-bot_1","main-rag-bot_2","feedback","main-rag-bot_3"]` {
		t.Errorf("entities %s", names)
	}
	h = newAgentHost(readyModel(map[string]string{botPath: strings.Replace(failed, "UPDATE_FAILED", "IN_PROGRESS", 1)}))
	wantError(t, h.server(t, nil), "agents_deploy", deploy3, catalog.Conflict, "has version 3 already")
}

func TestDeployRefusals(t *testing.T) {
	var full, routes []string
	for i := range maxServed {
		full = append(full, servedJSON(fmt.Sprint("v", i), "main.rag.bot", fmt.Sprint(100+i), "DEPLOYMENT_READY"))
		routes = append(routes, route(fmt.Sprint("v", i), "0"))
	}
	third := func(state string) string {
		return botJSON("READY", "NOT_UPDATING", servedJSON("main-rag-bot_3", "main.rag.bot", "3", state), route("main-rag-bot_3", "100"))
	}
	for _, c := range []struct {
		name, arguments string
		answers         map[string]string
		kind            catalog.Kind
		says            []string
	}{
		{"no full name", `{"model_name":"bot","model_version":3}`, nil, catalog.Invalid, []string{"catalog.schema.model"}},
		{"no version", `{"model_name":"a.b.c","model_version":0}`, nil, catalog.Invalid, []string{"0 is no version"}},
		{"negative version", `{"model_name":"a.b.c","model_version":-3}`, nil, catalog.Invalid, []string{"is no version"}},
		{"no such version", `{"model_name":"main.rag.bot","model_version":4}`, nil, catalog.Missing, []string{"reading the model version"}},
		{"registering", deploy3, map[string]string{versionPath + "3": `{"status":"PENDING_REGISTRATION"}`}, catalog.Busy, []string{"PENDING_REGISTRATION"}},
		{"failed to register", deploy3, map[string]string{versionPath + "3": `{"status":"FAILED_REGISTRATION"}`}, catalog.Conflict, []string{"failed to register"}},
		{"updating", deploy3, map[string]string{botPath: strings.Replace(twoVersions(), "NOT_UPDATING", "IN_PROGRESS", 1)}, catalog.Busy, []string{"IN_PROGRESS", "Poll agents_get"}},
		{"there already", deploy3, map[string]string{botPath: third("DEPLOYMENT_READY")}, catalog.Conflict, []string{"has version 3 already", "nothing to do"}},
		{"there already, failed", deploy3, map[string]string{botPath: third("DEPLOYMENT_FAILED")}, catalog.Conflict, []string{"DEPLOYMENT_FAILED", "agents_delete"}},
		{"full", deploy3, map[string]string{botPath: botJSON("READY", "NOT_UPDATING", strings.Join(full, ","), strings.Join(routes, ","))}, catalog.Conflict, []string{"15 served entities", "agents_delete"}},
		{"a bad name", `{"model_name":"a.b.c","model_version":1,"endpoint_name":"a/../b"}`, nil, catalog.Invalid, []string{"endpoint_name"}},
		{"a long name", `{"model_name":"a.b.c","model_version":1,"endpoint_name":"` + strings.Repeat("a", 64) + `"}`, nil, catalog.Invalid, []string{"63"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newAgentHost(readyModel(c.answers))
			wantError(t, h.server(t, nil).workspaces[0], "agents_deploy", c.arguments, c.kind, c.says...)
			if sent := h.sent(); len(sent) > 0 {
				t.Errorf("sent %q", sent)
			}
		})
	}
}

func TestDeployChoosesAPrefix(t *testing.T) {
	for _, c := range []struct {
		taken int
		want  string
	}{{0, "bot"}, {1, "bot_1"}, {20, "bot_"}} {
		answers := readyModel(nil)
		for _, prefix := range tablePrefixes("bot")[:c.taken] {
			answers[tablesPath+"main.rag."+prefix+payloadSuffix] = `{"columns":[]}`
		}
		h := newAgentHost(answers).absentEndpoint("agents_main-rag-bot")
		if c.taken == 1 { // one that cannot be looked at is taken, too
			h.errors[tablesPath+"main.rag.bot_1"+payloadSuffix] = &catalog.Error{Kind: catalog.Forbidden, Message: "no SELECT"}
			c.want = "bot_2"
		}
		succeed(t, h.server(t, nil), "agents_deploy", deploy3)
		prefix := h.body(t, "POST /api/2.0/serving-endpoints").Get("ai_gateway.inference_table_config.table_name_prefix").Str
		if c.taken < 20 && prefix != c.want || c.taken == 20 && len(prefix) != len("bot_12345678") {
			t.Errorf("%d taken: prefix %q, want %q", c.taken, prefix, c.want)
		}
	}
	h := newAgentHost(readyModel(nil)).absentEndpoint("agents_main-rag-bot")
	succeed(t, h.server(t, nil), "agents_deploy", `{"model_name":"main.rag.bot","model_version":3,"inference_tables":false}`)
	if body := h.body(t, "POST /api/2.0/serving-endpoints"); body.Get("ai_gateway").Exists() {
		t.Error(body.Raw)
	}
}

// TestDeployWithoutExperiment: the deployment goes on, and says what is missing.
func TestDeployWithoutExperiment(t *testing.T) {
	for name, answers := range map[string]map[string]string{
		"no run":            {versionPath + "3": `{"status":"READY"}`},
		"run without one":   {"GET /api/2.0/mlflow/runs/get": `{"run":{}}`},
		"version not known": {versionPath + "3": ""},
	} {
		h := newAgentHost(readyModel(answers)).absentEndpoint("agents_main-rag-bot")
		if answers[versionPath+"3"] == "" && name == "version not known" {
			h.errors[versionPath+"3"] = &catalog.Error{Kind: catalog.Down, Message: "no answer"}
		}
		text := succeed(t, h.server(t, nil), "agents_deploy", deploy3)
		body := h.body(t, "POST /api/2.0/serving-endpoints")
		if body.Get("config.served_entities.0.environment_vars.MLFLOW_EXPERIMENT_ID").Exists() || body.Get("tags").Exists() {
			t.Errorf("%s: %s", name, body.Raw)
		}
		if (gjson.Get(text, "notes").Raw == "") != (name == "no run") {
			t.Errorf("%s: %s", name, text)
		}
	}
	h := newAgentHost(readyModel(nil)).absentEndpoint("agents_main-rag-bot")
	succeed(t, h.server(t, nil), "agents_deploy", `{"model_name":"main.rag.bot","model_version":3,"experiment_id":"77"}`)
	if id := h.body(t, "POST /api/2.0/serving-endpoints").Get("config.served_entities.0.environment_vars.MLFLOW_EXPERIMENT_ID").Str; id != "77" {
		t.Error(id)
	}
}

// TestDeployErrors: one that may have happened is not repeated, and says how to look.
func TestDeployErrors(t *testing.T) {
	for _, c := range []struct {
		existing string
		failure  catalog.Error
		says     []string
	}{
		{"", catalog.Error{Kind: catalog.UnknownFate, Message: "no answer", Advice: "Verify."}, []string{"endpoint agents_main-rag-bot with agents_get", "main-rag-bot_3"}},
		{twoVersions(), catalog.Error{Kind: catalog.UnknownFate, Message: "no answer", Advice: "Verify."}, []string{"endpoint agents_main-rag-bot with agents_get"}},
		{"", catalog.Error{Kind: catalog.Forbidden, Status: http.StatusForbidden, Message: "the creator has no permission on Genie space 1", Advice: "Ask."}, []string{"Can Run on the Genie space", "Ask."}},
		{"", catalog.Error{Kind: catalog.Invalid, Message: "KEY=hunter22 is wrong", Advice: "Correct."}, []string{catalog.Hidden}},
	} {
		h := newAgentHost(readyModel(nil))
		path := "POST /api/2.0/serving-endpoints"
		if c.existing == "" {
			h.absentEndpoint("agents_main-rag-bot")
		} else {
			path = "PUT /api/2.0/serving-endpoints/agents_main-rag-bot/config"
			h.answers[botPath] = c.existing
		}
		h.errors[path] = &c.failure
		wantError(t, h.server(t, nil), "agents_deploy", `{"model_name":"main.rag.bot","model_version":3,"environment_vars":{"KEY":"hunter22"}}`, c.failure.Kind, c.says...)
		if sent := h.sent(); len(sent) != 1 || strings.Contains(strings.Join(h.seen()[:len(h.seen())-1], ""), "hunter22") {
			t.Errorf("sent %q", sent)
		}
	}
}

// TestDeployWaits: for as long as it is asked to, and no longer than a call may.
func TestDeployWaits(t *testing.T) {
	coming := botJSON("NOT_READY", "IN_PROGRESS", servedJSON("main-rag-bot_3", "main.rag.bot", "3", "DEPLOYMENT_CREATING"), route("main-rag-bot_3", "100"))
	up := botJSON("READY", "NOT_UPDATING", servedJSON("main-rag-bot_3", "main.rag.bot", "3", "DEPLOYMENT_READY"), route("main-rag-bot_3", "100"))
	failed := botJSON("NOT_READY", "UPDATE_FAILED", strings.Replace(servedJSON("main-rag-bot_3", "main.rag.bot", "3", "DEPLOYMENT_FAILED"), `"deployment_state_message":""`, `"deployment_state_message":"PERMISSION_DENIED on warehouse x"`, 1), route("main-rag-bot_3", "100"))
	for _, c := range []struct {
		wait      int
		upAfter   time.Duration
		then      string
		took      time.Duration
		ready     string
		failurely string
	}{
		{0, time.Hour, up, 0, "NOT_READY", ""},
		{30, 12 * time.Second, up, 15 * time.Second, "READY", ""},
		{30, time.Hour, up, 30 * time.Second, "NOT_READY", ""},
		{45, 20 * time.Second, failed, 20 * time.Second, "NOT_READY", "SQL warehouse"},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newAgentHost(readyModel(nil))
			began, posted := time.Now(), time.Time{}
			plain := h.do
			h.do = func(ctx context.Context, call *catalog.Call) (string, error) {
				switch line := call.Row.Method + " " + call.Path; {
				case call.Row.Method == "POST":
					posted = time.Now()
				case line == botPath && posted.IsZero():
					return "", &catalog.Error{Kind: catalog.Missing, Message: "absent", Status: 404}
				case line == botPath && time.Since(posted) < c.upAfter:
					return coming, nil
				case line == botPath:
					return c.then, nil
				}
				return plain(ctx, call)
			}
			got := gjson.Parse(succeed(t, h.server(t, nil), "agents_deploy", fmt.Sprintf(`{"model_name":"main.rag.bot","model_version":3,"wait_seconds":%d}`, c.wait)))
			if took := time.Since(began); took != c.took || got.Get("state.ready").Str != c.ready || !strings.Contains(got.Get("failure").Raw, c.failurely) {
				t.Errorf("waited %s of %d s: %s", took, c.wait, got.Raw)
			}
			if got.Get("next").Exists() != (c.ready == "NOT_READY" && c.failurely == "") {
				t.Errorf("next: %s", got.Raw)
			}
		})
	}
}
