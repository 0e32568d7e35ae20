package sandbox

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

const endpointsAPI = "/api/2.0/serving-endpoints"

// up is how long a deployment takes here.
const up = servingBuild + servingStart

func supportEntity(version string) shape {
	return shape{"name": "main-rag-support_bot_" + version, "entity_name": "main.rag.support_bot", "entity_version": version, "workload_size": "Small", "scale_to_zero_enabled": false,
		"environment_vars": shape{"MLFLOW_EXPERIMENT_ID": supportExperiment, "ENABLE_MLFLOW_TRACING": "true", "RETURN_REQUEST_ID_IN_RESPONSE": "true"}}
}

func routesTo(percent map[string]int) shape {
	routes := []shape{}
	for name, p := range percent {
		routes = append(routes, shape{"served_model_name": name, "traffic_percentage": p})
	}
	return shape{"routes": routes}
}

func TestEndpointLife(t *testing.T) {
	ana, ben, clock := newCallers(t)
	made := ana.call("POST", endpointsAPI, shape{
		"name": "support", "description": "for the shops", "tags": []shape{{"key": "team", "value": "rag"}},
		"config":     shape{"served_entities": []shape{supportEntity("3")}},
		"ai_gateway": shape{"inference_table_config": shape{"enabled": true, "catalog_name": "main", "schema_name": "rag", "table_name_prefix": "support"}},
	})
	if dig(made, "state", "ready") != "NOT_READY" || dig(made, "state", "config_update") != "IN_PROGRESS" || made["config"] != nil ||
		dig(made, "pending_config", "served_entities", 0, "state", "deployment") != "DEPLOYMENT_CREATING" ||
		dig(made, "pending_config", "traffic_config", "routes", 0, "traffic_percentage") != "100" || dig(made, "task") != taskResponses || dig(made, "permission_level") != "CAN_MANAGE" {
		t.Fatal(made)
	}
	const path = endpointsAPI + "/support"
	config := shape{"served_entities": []shape{supportEntity("3"), supportEntity("2")}, "traffic_config": routesTo(map[string]int{"main-rag-support_bot_3": 100, "main-rag-support_bot_2": 0})}
	if why := ana.refused("PUT", path+"/config", config, 409, "RESOURCE_CONFLICT"); !strings.Contains(why, "currently updating") {
		t.Error(why)
	}
	ana.refused("POST", "/serving-endpoints/support/invocations", ask("hello"), 404, "RESOURCE_DOES_NOT_EXIST")
	if logs := dig(ana.get(path+"/served-models/main-rag-support_bot_3/build-logs"), "logs"); !strings.Contains(logs, "Downloading") || strings.Contains(logs, "pushed") {
		t.Error(logs)
	}
	ana.refused("GET", path+"/served-models/main-rag-support_bot_3/logs", nil, 404, "RESOURCE_DOES_NOT_EXIST")
	clock.advance(up - time.Millisecond)
	if dig(ana.get(path), "state", "ready") != "NOT_READY" {
		t.Error("ready before its time")
	}
	clock.advance(time.Millisecond)
	got := ana.get(path)
	if dig(got, "state", "ready") != "READY" || dig(got, "state", "config_update") != "NOT_UPDATING" || got["pending_config"] != nil ||
		dig(got, "config", "served_entities", 0, "state", "deployment") != "DEPLOYMENT_READY" || dig(got, "config", "config_version") != "1" {
		t.Fatal(got)
	}
	if logs := dig(ana.get(path+"/served-models/main-rag-support_bot_3/logs"), "logs"); !strings.Contains(logs, "Listening") {
		t.Error(logs)
	}

	ana.call("PUT", path+"/config", config)
	got = ana.get(path)
	if dig(got, "state", "ready") != "READY" || dig(got, "pending_config", "served_entities", 0, "state", "deployment") != "DEPLOYMENT_READY" ||
		dig(got, "pending_config", "served_entities", 1, "state", "deployment") != "DEPLOYMENT_CREATING" || dig(got, "config", "served_entities", 1, "name") != "" {
		t.Fatal("what runs stays ready while the rest comes up:", got)
	}
	ana.call("POST", "/serving-endpoints/support/invocations", ask("hello")) // served by the old configuration
	clock.advance(up)
	config["traffic_config"] = routesTo(map[string]int{"main-rag-support_bot_3": 0, "main-rag-support_bot_2": 100})
	ana.call("PUT", path+"/config", config)
	clock.advance(servingSwitch)
	if got = ana.get(path); dig(got, "config", "config_version") != "3" || dig(got, "state", "config_update") != "NOT_UPDATING" {
		t.Error("traffic alone is quick to change:", got)
	}
	if rec := ana.send("POST", "/serving-endpoints/support/invocations", ask("hello")); rec.Header().Get("served-model-name") != "main-rag-support_bot_2" {
		t.Error(rec.Header())
	}

	ana.call("PATCH", path+"/tags", shape{"add_tags": []shape{{"key": "team", "value": "ml"}, {"key": "tier", "value": "2"}}, "delete_tags": []string{"absent"}})
	if got := fmt.Sprint(ana.call("PATCH", path+"/tags", shape{"delete_tags": []string{"tier"}})["tags"]); got != "[map[key:team value:ml]]" {
		t.Error(got)
	}
	ana.call("PATCH", path+"/description", shape{"description": "for all"})
	if got := ana.get(path)["description"]; got != "for all" {
		t.Error(got)
	}
	ben.refused("DELETE", path, nil, 403, "PERMISSION_DENIED")
	ana.call("DELETE", path, nil)
	ana.refused("GET", path, nil, 404, "RESOURCE_DOES_NOT_EXIST")
}

func TestFailedDeployment(t *testing.T) {
	ana, _, clock := newCallers(t)
	const path = endpointsAPI + "/agents_main-rag-support_bot"
	before := ana.get(path)
	ana.call("PUT", path+"/config", shape{
		"served_entities": []shape{supportEntity("2"), supportEntity("3"), supportEntity("4")},
		"traffic_config":  routesTo(map[string]int{"main-rag-support_bot_4": 100}),
	})
	clock.advance(servingBuild)
	got := ana.get(path)
	if dig(got, "state", "ready") != "READY" || dig(got, "state", "config_update") != "UPDATE_FAILED" || dig(got, "config", "config_version") != dig(before, "config", "config_version") {
		t.Fatal(got["state"])
	}
	if dig(got, "pending_config", "served_entities", 2, "state", "deployment") != "DEPLOYMENT_FAILED" ||
		!strings.Contains(dig(got, "pending_config", "served_entities", 2, "state", "deployment_state_message"), "Can Run on the Genie space") ||
		dig(got, "pending_config", "served_entities", 1, "state", "deployment") != "DEPLOYMENT_ABORTED" {
		t.Fatal(got["pending_config"])
	}
	if logs := dig(ana.get(path+"/served-models/main-rag-support_bot_4/build-logs"), "logs"); !strings.Contains(logs, "ERROR Failed to deploy") {
		t.Error(logs)
	}
	// The endpoint answers as before, and can be updated again.
	ana.call("POST", "/serving-endpoints/agents_main-rag-support_bot/invocations", ask("hello"))
	ana.call("PUT", path+"/config", shape{"served_entities": []shape{supportEntity("3")}})
	clock.advance(up)
	if got = ana.get(path); dig(got, "state", "config_update") != "NOT_UPDATING" || dig(got, "config", "served_entities", 0, "entity_version") != "3" {
		t.Error(got)
	}

	secret := supportEntity("1")
	secret["environment_vars"] = shape{"OPENAI_API_KEY": "{{secrets/absent/key}}"}
	ana.call("POST", endpointsAPI, shape{"name": "no-secret", "config": shape{"served_entities": []shape{secret}}})
	clock.advance(up)
	if got := dig(ana.get(endpointsAPI+"/no-secret"), "pending_config", "served_entities", 0, "state", "deployment_state_message"); !strings.Contains(got, "OPENAI_API_KEY") {
		t.Error(got)
	}
}

func TestEndpointRefusals(t *testing.T) {
	ana, ben, clock := newCallers(t)
	config := func(entities ...shape) shape { return shape{"name": "x", "config": shape{"served_entities": entities}} }
	with := func(field string, value any) shape {
		e := supportEntity("3")
		e[field] = value
		return config(e)
	}
	var many []shape
	for i := range 16 {
		e := supportEntity("3")
		e["name"] = fmt.Sprint("e", i)
		many = append(many, e)
	}
	uneven := config(supportEntity("3"))
	uneven["config"].(shape)["traffic_config"] = routesTo(map[string]int{"main-rag-support_bot_3": 90})
	stray := config(supportEntity("3"))
	stray["config"].(shape)["traffic_config"] = routesTo(map[string]int{"other": 100})
	for _, c := range []struct {
		body   shape
		status int
		code   string
		want   string
	}{
		{shape{"name": "x y", "config": shape{}}, 400, "INVALID_PARAMETER_VALUE", "is invalid"},
		{shape{"name": strings.Repeat("x", 64)}, 400, "INVALID_PARAMETER_VALUE", "63"},
		{shape{"name": "databricks-mine"}, 400, "INVALID_PARAMETER_VALUE", "reserved"},
		{shape{"name": "CHURN"}, 409, "RESOURCE_ALREADY_EXISTS", "already exists"},
		{config(), 400, "INVALID_PARAMETER_VALUE", "At least one"},
		{config(many...), 400, "INVALID_PARAMETER_VALUE", "at most 15"},
		{config(supportEntity("3"), supportEntity("3")), 400, "INVALID_PARAMETER_VALUE", "given twice"},
		{config(supportEntity("2"), supportEntity("3")), 400, "INVALID_PARAMETER_VALUE", "must sum to 100, got 0"},
		{uneven, 400, "INVALID_PARAMETER_VALUE", "must sum to 100, got 90"},
		{stray, 400, "INVALID_PARAMETER_VALUE", "'other'"},
		{with("entity_version", "9"), 404, "RESOURCE_DOES_NOT_EXIST", "Model version '9'"},
		{with("entity_name", "main.rag.nothing"), 404, "RESOURCE_DOES_NOT_EXIST", "main.rag.nothing"},
		{with("workload_size", "Huge"), 400, "INVALID_PARAMETER_VALUE", "Small, Medium, Large"},
		{with("workload_type", "TPU"), 400, "INVALID_PARAMETER_VALUE", "GPU_SMALL"},
	} {
		if why := ana.refused("POST", endpointsAPI, c.body, c.status, c.code); !strings.Contains(why, c.want) {
			t.Errorf("%s lacks %q", why, c.want)
		}
	}
	if why := ben.refused("POST", endpointsAPI, config(supportEntity("3")), 403, "PERMISSION_DENIED"); !strings.Contains(why, "main.rag") {
		t.Error(why)
	}
	ben.refused("GET", endpointsAPI+"/churn", nil, 403, "PERMISSION_DENIED")
	ana.refused("DELETE", endpointsAPI+"/databricks-gte-large-en", nil, 403, "PERMISSION_DENIED")

	for i := range maxEndpointChanges {
		body := config(supportEntity("3"))
		body["name"] = fmt.Sprint("many-", i)
		ana.call("POST", endpointsAPI, body)
	}
	ana.refused("POST", endpointsAPI, config(supportEntity("3")), 429, "REQUEST_LIMIT_EXCEEDED")
	clock.advance(endpointChanges)
	ana.call("POST", endpointsAPI, config(supportEntity("3")))
}

func TestInferenceTableIsSetOnce(t *testing.T) {
	ana, _, _ := newCallers(t)
	table := func(schema, prefix string) shape {
		return shape{"inference_table_config": shape{"enabled": true, "catalog_name": "main", "schema_name": schema, "table_name_prefix": prefix}}
	}
	const bot, analyst = endpointsAPI + "/agents_main-rag-support_bot/ai-gateway", endpointsAPI + "/agents_main-rag-store_analyst/ai-gateway"
	ana.call("PUT", bot, table("rag", "support_bot")) // as it is
	if why := ana.refused("PUT", bot, table("rag", "other"), 400, "INVALID_PARAMETER_VALUE"); !strings.Contains(why, "already enabled") {
		t.Error(why)
	}
	ana.refused("PUT", analyst, table("nowhere", "x"), 404, "SCHEMA_DOES_NOT_EXIST")
	if why := ana.refused("PUT", analyst, table("rag", "support_bot"), 400, "INVALID_PARAMETER_VALUE"); !strings.Contains(why, "same name") {
		t.Error(why)
	}
	ana.call("DELETE", endpointsAPI+"/agents_main-rag-support_bot", nil)
	if why := ana.refused("PUT", analyst, table("rag", "support_bot"), 400, "TABLE_ALREADY_EXISTS"); !strings.Contains(why, "support_bot_payload") {
		t.Error("the tables of a deleted endpoint stay:", why)
	}
	ana.call("PUT", analyst, table("rag", "support_bot_1"))
	if got := dig(ana.get(endpointsAPI+"/agents_main-rag-store_analyst"), "ai_gateway", "inference_table_config", "table_name_prefix"); got != "support_bot_1" {
		t.Error(got)
	}
}

func TestEndpointList(t *testing.T) {
	ana, ben, _ := newCallers(t)
	all, seen := names(ana.get(endpointsAPI)["endpoints"], "name"), names(ben.get(endpointsAPI)["endpoints"], "name")
	if len(all) != 8 || len(seen) != 6 {
		t.Errorf("ana sees %v, ben %v", all, seen)
	}
	tasks := names(ana.get(endpointsAPI)["endpoints"], "task")
	if fmt.Sprint(tasks) != "[agent/v1/responses agent/v1/chat agent/v2/chat  llm/v1/chat llm/v1/chat llm/v1/chat llm/v1/embeddings]" {
		t.Error(tasks)
	}
	if got := dig(ben.get(endpointsAPI+"/order-helper"), "permission_level"); got != "CAN_QUERY" {
		t.Error(got)
	}
}

func TestEndpointPermissions(t *testing.T) {
	ana, ben, _ := newCallers(t)
	id := dig(ana.get(endpointsAPI+"/churn"), "id")
	path := "/api/2.0/permissions/serving-endpoints/" + id
	ana.refused("GET", "/api/2.0/permissions/serving-endpoints/churn", nil, 404, "RESOURCE_DOES_NOT_EXIST")
	entry := func(field, who, level string) shape {
		return shape{"access_control_list": []shape{{field: who, "permission_level": level}}}
	}
	ana.refused("PATCH", path, entry("group_name", benName, "CAN_QUERY"), 404, "RESOURCE_DOES_NOT_EXIST")
	ana.refused("PATCH", path, entry("user_name", benName, "CAN_USE"), 400, "INVALID_PARAMETER_VALUE")
	ana.refused("PATCH", path, shape{"access_control_list": []shape{{"permission_level": "CAN_VIEW"}}}, 400, "INVALID_PARAMETER_VALUE")
	got := ana.call("PATCH", path, entry("user_name", benName, "CAN_VIEW"))
	if dig(got, "object_id") != "/serving-endpoints/"+id || !strings.Contains(fmt.Sprint(got), "user_name:"+anaName) {
		t.Error(got)
	}
	ben.get(endpointsAPI + "/churn")
	ben.refused("POST", "/serving-endpoints/churn/invocations", shape{}, 403, "PERMISSION_DENIED")
	ben.refused("PUT", path, entry("user_name", benName, "CAN_MANAGE"), 403, "PERMISSION_DENIED")
	ana.call("PATCH", path, entry("group_name", "analysts", "CAN_QUERY"))
	if text := fmt.Sprint(ana.call("PATCH", path, entry("group_name", "analysts", "CAN_VIEW"))); !strings.Contains(text, "CAN_QUERY") {
		t.Error("PATCH does not take away:", text)
	}
	got = ana.call("PUT", path, entry("service_principal_name", ClientID, "CAN_QUERY"))
	if text := fmt.Sprint(got); strings.Contains(text, benName) || !strings.Contains(text, "service_principal_name:"+ClientID) || !strings.Contains(text, "inherited:true") {
		t.Error("PUT replaces the direct entries:", text)
	}
	if n := len(ana.get(path + "/permissionLevels")["permission_levels"].([]any)); n != 3 {
		t.Error(n)
	}
}

func TestModels(t *testing.T) {
	ana, ben, _ := newCallers(t)
	const models = unity + "/models"
	if got := names(ana.get(models + "?catalog_name=main&schema_name=rag")["registered_models"], "name"); fmt.Sprint(got) != "[feedback order_helper store_analyst support_bot]" {
		t.Error(got)
	}
	if got := names(ana.get(models)["registered_models"], "full_name"); len(got) != 5 {
		t.Error(got)
	}
	ana.refused("GET", models+"?catalog_name=main", nil, 400, "INVALID_PARAMETER_VALUE")
	if got := ana.get(models + "/main.rag.support_bot/versions")["model_versions"].([]any); len(got) != 4 {
		t.Error(got)
	}
	got := ana.get(models + "/main.rag.support_bot/aliases/champion")
	if got["version"] != json.Number("2") || got["run_id"] != supportRun || got["status"] != "READY" {
		t.Error(got)
	}
	if run := ana.get("/api/2.0/mlflow/runs/get?run_id=" + supportRun); dig(run, "run", "info", "experiment_id") != supportExperiment {
		t.Error(run)
	}
	ana.refused("GET", models+"/main.rag.support_bot/versions/9", nil, 404, "RESOURCE_DOES_NOT_EXIST")
	ben.refused("GET", models+"/main.rag.support_bot", nil, 403, "PERMISSION_DENIED")
	// Grants on a model are those of a function.
	ana.call("PATCH", unity+"/permissions/schema/main.rag", shape{"changes": []shape{{"principal": benName, "add": []string{"USE_SCHEMA"}}}})
	ana.call("PATCH", unity+"/permissions/function/main.rag.support_bot", shape{"changes": []shape{{"principal": benName, "add": []string{"EXECUTE"}}}})
	ben.get(models + "/main.rag.support_bot")
}
