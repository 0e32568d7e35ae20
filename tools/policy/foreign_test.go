package policy

import (
	"strings"
	"testing"

	"brickmcp/catalog"
)

func foreign(name string, effect catalog.Effect) *catalog.Row {
	return catalog.Foreign(catalog.Row{Name: name, Group: catalog.Managed, Effect: effect}, nil)
}

func TestToolsOfOtherServers(t *testing.T) {
	p, err := Parse("p.yaml", []byte("default: full\ntools: {fn_*: deny, fn_price: allow, docs_main__kb: confirm}\n"+
		"sections:\n- {client: strict, tools: {fn_*: deny}}\n"), "fn", "docs")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		client, tool string
		want         Action
	}{
		{"", "fn_other", Deny}, {"", "fn_price", Allow}, {"strict", "fn_price", Deny},
		{"", "docs_main__kb", Confirm}, {"", "docs_main__other", Allow}, {"", "fnord", Allow},
	} {
		if d := p.Rules(Subject{Client: test.client}).Tool(foreign(test.tool, catalog.Run)); d.Action != test.want {
			t.Errorf("%s for %q: %s by %s", test.tool, test.client, d.Action, d.Rule)
		}
	}
	if d := p.Rules(Subject{}).Tool(foreign("fn_other", catalog.Run)); !strings.Contains(d.Rule, "tools.fn_*: deny") || d.Line != 2 {
		t.Errorf("%s, line %d", d.Rule, d.Line)
	}
}

func TestNamesOfNoServer(t *testing.T) {
	for _, tool := range []string{"web_search", "web_*", "fn_", "fn_*x", "*", "fn*"} {
		_, err := Parse("p.yaml", []byte("tools: {\""+tool+"\": deny}\n"), "fn")
		if err == nil || !strings.Contains(err.Error(), "is no tool") {
			t.Errorf("%s: %v", tool, err)
		}
	}
}

// TestLevelsOfOtherServers: the group decides, as for any tool.
func TestLevelsOfOtherServers(t *testing.T) {
	p, err := Parse("p.yaml", []byte("default: full\ngroups: {managed: read}\n"))
	if err != nil {
		t.Fatal(err)
	}
	rules := p.Rules(Subject{})
	if rules.Lists(foreign("fn_run", catalog.Run)) || !rules.Lists(foreign("docs_search", catalog.Read)) {
		t.Error("managed: read lets tools run, or hides what reads")
	}
}
