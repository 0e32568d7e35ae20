package policy

import (
	"context"
	"strings"
	"testing"

	"brickmcp/catalog"
)

func TestAgentScopes(t *testing.T) {
	judgeAll(t, "scopes: {agents: [support-*, endpoints/Agents_Main-bot, apps/help, genie/*]}", []judgeCase{
		{`agents_get {"endpoint_name":"support-a"}`, Allow, "", ""},
		{`agents_get {"endpoint_name":"SUPPORT-a"}`, Allow, "", ""},
		{`agents_query {"endpoint_name":"agents_main-bot","input":"x"}`, Allow, "", ""},
		{`agents_query {"endpoint_name":"agents_main-bot2","input":"x"}`, Deny, "", "endpoints/agents_main-bot2"},
		{`agents_get {"endpoint_name":"help"}`, Deny, "", "none of endpoints/support-*"},
		{`agents_delete {"endpoint_name":"x"}`, Deny, "", "scopes.agents"},
		{`agents_deploy {"model_name":"main.a.bot","model_version":1,"endpoint_name":"support-b"}`, Allow, "", ""},
		{`agents_deploy {"model_name":"main.a.bot","model_version":1}`, Deny, "", "name it"},
		{`agents_list {}`, Allow, "", ""},
	})
	judgeAll(t, `scopes: {agents: ["*"]}`, []judgeCase{
		{`agents_deploy {"model_name":"main.a.bot","model_version":1}`, Allow, "", ""},
		{`agents_query {"endpoint_name":"x","input":"x"}`, Allow, "", ""},
	})
	judgeAll(t, `scopes: {catalogs: [main]}`, []judgeCase{
		{`agents_deploy {"model_name":"main.a.bot","model_version":1}`, Allow, "", ""},
		{`agents_deploy {"model_name":"prod.a.bot","model_version":1}`, Deny, "", "prod.a.bot"},
		{`agents_deploy {"model_name":"bot","model_version":1}`, Deny, "", "no full name"},
	})
	judgeAll(t, `protected: ["*prod*"]`, []judgeCase{
		{`agents_query {"endpoint_name":"prod-bot","input":"x"}`, Confirm, "", "prod-bot"},
		{`agents_delete {"endpoint_name":"Prod-bot"}`, Confirm, "", ""},
		{`agents_get {"endpoint_name":"prod-bot"}`, Allow, "", ""},
		{`agents_deploy {"model_name":"prod.a.bot","model_version":1}`, Confirm, "", ""},
		{`agents_deploy {"model_name":"main.a.bot","model_version":1,"tags":{"env":"prod"}}`, Confirm, "", "gives a tag"},
		{`agents_query {"endpoint_name":"bot","input":"prod"}`, Allow, "", ""},
	})
}

// TestSupervisorIsAnAgent: a run that names no agent goes to the Supervisor.
func TestSupervisorIsAnAgent(t *testing.T) {
	row := &catalog.Row{Name: "supervisor_start_run", Group: catalog.Supervisor, Effect: catalog.Create,
		Touches: []catalog.Touch{{Scope: catalog.ScopeAgents, ID: "{agent}"}}}
	for _, c := range []struct {
		file, agent string
		want        Action
	}{
		{"scopes: {agents: [supervisor]}", "", Allow},
		{"scopes: {agents: [supervisor]}", "endpoints/supervisor", Deny},
		{"scopes: {agents: [endpoints/supervisor]}", "", Deny},
		{"scopes: {agents: [endpoints/supervisor]}", "endpoints/supervisor", Allow},
		{"scopes: {agents: [a]}", "endpoints/a", Allow},
		{"scopes: {agents: [a]}", "apps/a", Deny},
		{"scopes: {agents: [apps/*]}", "apps/A", Allow},
		{"scopes: {agents: []}", "", Deny},
		{`scopes: {agents: ["*"]}`, "", Allow},
		{`scopes: {agents: ["*"]}`, "genie/1", Allow},
		{"scopes: {jobs: []}", "", Allow},
		{"protected: [supervisor]", "", Confirm},
		{"protected: [prod*]", "apps/prod-a", Confirm},
	} {
		call := &catalog.Call{Row: row}
		if c.agent != "" {
			call.Touches = []catalog.Touch{{Scope: catalog.ScopeAgents, ID: c.agent}}
		}
		if d, _ := parse(t, c.file).Rules(Subject{}).Judge(context.Background(), call, nil); d.Action != c.want {
			t.Errorf("%s, agent %q: %s, want %s (%s)", c.file, c.agent, d.Action, c.want, d.Why)
		}
	}
	runs := &catalog.Call{Row: &catalog.Row{Name: "supervisor_cancel_run", Group: catalog.Supervisor, Effect: catalog.Replace,
		Touches: []catalog.Touch{{Scope: catalog.ScopeAgentRuns, ID: "{run_id}"}}}, Touches: []catalog.Touch{{Scope: catalog.ScopeAgentRuns, ID: "run-1"}}}
	if d, _ := parse(t, "scopes: {agents: [], jobs: [], tables: []}").Rules(Subject{}).Judge(context.Background(), runs, nil); d.Action != Allow {
		t.Errorf("a run of the user: %s", d.Why)
	}
}

// What the tools of a Supervisor run reach is in the scopes, or not.
func TestHostedToolsAreNarrowed(t *testing.T) {
	start := func(tools string) string { return `supervisor_start_run {"input":"x","tools":[` + tools + `]}` }
	const (
		price     = `{"type":"uc_function","uc_function":{"name":"main.retail.net_price"}}`
		salary    = `{"type":"uc_function","uc_function":{"name":"main.hr.salary"}}`
		twice     = `{"type":"uc_function","uc_function":{"name":"main.retail.net_price","Name":"main.hr.salary"}}`
		orders    = `{"type":"app","app":{"name":"orders","description":"x"}}`
		space     = `{"type":"genie_space","genie_space":{"id":"01ef","description":"x"}}`
		assistant = `{"type":"knowledge_assistant","knowledge_assistant":{"knowledge_assistant_id":"ka1","description":"x"}}`
		web       = `{"type":"uc_connection","uc_connection":{"name":"web","description":"x"}}`
	)
	judgeAll(t, "scopes: {functions: [main.retail.*]}", []judgeCase{
		{start(price), Allow, "", ""},
		{start(price + "," + salary), Deny, "", "main.hr.salary"},
		{start(twice), Deny, "", "main.hr.salary"},
		{start(orders + "," + space + "," + assistant + "," + web), Allow, "", ""},
	})
	judgeAll(t, "scopes: {schemas: [main.retail]}", []judgeCase{{start(price), Allow, "", ""}, {start(salary), Deny, "", "main.hr.salary"}})
	judgeAll(t, "scopes: {agents: [supervisor, apps/help]}", []judgeCase{
		{start(salary + "," + web), Allow, "", ""},
		{start(orders), Deny, "", "apps/orders"},
		{start(space), Deny, "", "genie/01ef"},
		{start(assistant), Deny, "", "knowledge_assistants/ka1"},
	})
	judgeAll(t, "scopes: {agents: [supervisor, apps/orders, genie/*, knowledge_assistants/KA1]}", []judgeCase{{start(orders + "," + space + "," + assistant), Allow, "", ""}})
	judgeAll(t, "protected: [hr]", []judgeCase{{start(price), Allow, "", ""}, {start(salary), Confirm, "", "main.hr.salary"}})
}

func TestAgentEntries(t *testing.T) {
	for text, good := range map[string]bool{
		"bot": true, "*bot": true, "endpoints/bot": true, "apps/a-*": true, "genie/01ef": true, "knowledge_assistants/1": true, "Supervisor": true,
		"jobs/1": false, "*/bot": false, "apps/": false, "endpoints/": false,
	} {
		_, err := Parse("p.yaml", []byte("scopes: {agents: ['"+text+"']}"))
		if (err == nil) != good || err != nil && !strings.Contains(err.Error(), "genie/SPACE_ID") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestMinds(t *testing.T) {
	of := func(name string) Object { return Object{Scope: catalog.ScopeAgents, ID: name} }
	for _, c := range []struct {
		file, name string
		want       bool
	}{
		{"default: full", "a", false},
		{"scopes: {agents: [a]}", "a", false},
		{"scopes: {agents: [a]}", "b", true},
		{"scopes: {jobs: [a]}", "b", false},
		{"protected: [a*]", "ab", true},
		{"protected: [a*]", "b", false},
		{"{mode: shadow, protected: [a*], scopes: {agents: []}}", "ab", false},
	} {
		if got := parse(t, c.file).Rules(Subject{}).Minds(of(c.name)); got != c.want {
			t.Errorf("%s minds %s: %t", c.file, c.name, got)
		}
	}
}
