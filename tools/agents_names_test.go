package tools

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

func TestServingNames(t *testing.T) {
	long := "main." + strings.Repeat("schema", 8) + ".support_bot"
	for _, c := range []struct{ model, version, endpoint, entity string }{
		{"main.rag.support_bot", "3", "agents_main-rag-support_bot", "main-rag-support_bot_3"},
		{long, "3", "agents_main-schemaschemaschemaschemaschemaschemaschemaschema-su", "main-schemaschemaschemaschemaschemaschemaschemaschema-support_3"},
		{long, "12345", "agents_main-schemaschemaschemaschemaschemaschemaschemaschema-su", "main-schemaschemaschemaschemaschemaschemaschemaschema-sup_12345"},
	} {
		endpoint, entity := agentEndpointName(c.model), servedEntityName(c.model, c.version)
		if endpoint != c.endpoint || entity != c.entity || len(endpoint) > maxServingName || len(entity) > maxServingName {
			t.Errorf("%s version %s: %s (%d), %s (%d)", c.model, c.version, endpoint, len(endpoint), entity, len(entity))
		}
	}
	if name := agentEndpointName("main." + strings.Repeat("é", 60) + ".x"); !utf8.ValidString(name) || len(name) > maxServingName {
		t.Errorf("%q is cut in a character", name)
	}
	for name, good := range map[string]bool{"a.b.c": true, "a.b": false, "a.b.c.d": false, "a..c": false, "a.b.`c`": false, "a.b/x.c": false, "": false} {
		if _, _, _, ok := splitModel(name); ok != good {
			t.Errorf("splitModel(%q) is %t", name, ok)
		}
	}
	if p := tablePrefixes("bot"); len(p) != 20 || p[0] != "bot" || p[19] != "bot_19" {
		t.Errorf("prefixes %q", p)
	}
	if got := quotedName("a.b`.c"); got != "`a`.`b```.`c`" {
		t.Error(got)
	}
}

func TestIsAgent(t *testing.T) {
	for item, want := range map[string]bool{
		`{"name":"x","task":"agent/v1/responses"}`:                              true,
		`{"name":"x","task":"agent/v2/chat"}`:                                   true,
		`{"name":"agents_a-b-c"}`:                                               true,
		`{"name":"x","tags":[{"key":"a"},{"key":"MONITOR_EXPERIMENT_ID"}]}`:     true,
		`{"name":"databricks-llama","task":"llm/v1/chat"}`:                      false,
		`{"name":"churn","tags":[{"key":"team","value":"MONITOR_EXPERIMENT"}]}`: false,
	} {
		if isAgent(gjson.Parse(item)) != want {
			t.Errorf("%s: %t", item, !want)
		}
	}
}

func TestMissingPermissions(t *testing.T) {
	for message, want := range map[string]string{
		"PERMISSION_DENIED: User does not have CAN_USE permission on SQL warehouse 'abc'":  "SQL warehouse",
		"The creator does not have permission on serving endpoint databricks-x":            "Can Query on the serving endpoint",
		"PERMISSION_DENIED: User does not have EXECUTE on Function 'main.a.f'":             "EXECUTE",
		"PERMISSION_DENIED: User does not have EXECUTE on Routine or Model 'main.rag.bot'": "EXECUTE on the registered model",
		"permission denied on registered model main.rag.bot":                               "EXECUTE on the registered model",
		"403 Forbidden: Genie space 01ef":                                                  "Can Run on the Genie space",
		"Insufficient privileges: user has no SELECT on vector search index main.a.idx":    "Vector Search index",
		"User does not have SELECT privilege on Table 'main.a.t'":                          "SELECT on the table",
		"no USE CONNECTION privilege on Connection 'mail'":                                 "USE CONNECTION",
		"permission denied: databricks app helpdesk":                                       "Databricks App",
		"User does not have CREATE TABLE permission on schema":                             "CREATE TABLE",
		"ModuleNotFoundError: No module named 'warehouse'":                                 "",
		"table not found": "",
	} {
		got := strings.Join(missingPermissions(message), "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", message, got, want)
		}
	}
	if got := missingPermissions("no permission on warehouse a\nall fine with the genie\nno permission on warehouse b\nno privilege on function f"); len(got) != 2 {
		t.Errorf("%q", got)
	}
}

func TestSecretsInLogs(t *testing.T) {
	got := hideSecrets("starting\nOPENAI_API_KEY=sk-1\nAuthorization: Bearer abc\npassword: x\ntoken=dapi123\ndone")
	for _, secret := range []string{"sk-1", "abc", "dapi123", ": x"} {
		if strings.Contains(got, secret) {
			t.Errorf("%q is in %s", secret, got)
		}
	}
	if !strings.HasPrefix(got, "starting\n") || !strings.HasSuffix(got, "done") {
		t.Error(got)
	}
}
