package policy

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestProblems: an error names file, line and key, and what was probably meant.
func TestProblems(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "team.yaml: the file is empty"},
		{"comment", "# nothing\n", "team.yaml: the file is empty"},
		{"null", "~", "must be a mapping"},
		{"no keys", "{}", "team.yaml:1: says nothing"},
		{"list", "- default: read", "team.yaml:1: must be a mapping of names to values, not a list"},
		{"text", "read", `must be a mapping of names to values, not "read"`},
		{"misspelt key", "default: read\nscops: {}", "team.yaml:2: scops is unknown (did you mean scopes?)"},
		{"misspelt level", "groups:\n  jobs: ful", `team.yaml:2: groups.jobs must be one of off, read, full, not "ful" (did you mean full?)`},
		{"misspelt group", "groups: {jbos: full}", "team.yaml:1: groups.jbos is unknown (did you mean jobs?)"},
		{"misspelt tool", "tools:\n\n  job_delete: deny", "team.yaml:3: tools.job_delete is no tool (did you mean jobs_delete?)"},
		{"level for a word", "tools: {jobs_delete: off}", `tools.jobs_delete must be one of allow, confirm, deny, not "off"`},
		{"boolean", "default: false", `default must be one of off, read, full, not "false"`},
		{"no value", "default:", "default must be one of off, read, full, not nothing"},
		{"scope without a value", "scopes:\n  jobs:", "scopes.jobs must be a list, such as [a, b], not nothing"},
		{"scope as text", "scopes: {jobs: nightly}", `scopes.jobs must be a list, such as [a, b], not "nightly"`},
		{"misspelt scope", "scopes: {table: []}", "scopes.table is unknown (did you mean tables?)"},
		{"empty pattern", `scopes: {jobs: [""]}`, "scopes.jobs[0] must not be empty"},
		{"null pattern", `scopes: {jobs: [a, ~]}`, "scopes.jobs[1] must be text, not nothing"},
		{"float", `scopes: {warehouses: [1e3]}`, `scopes.warehouses[0] must be text: write it with quotes, "1e3"`},
		{"short table", `scopes: {tables: [main.sales]}`, `scopes.tables[0] "main.sales" has 2 parts; write main.sales.orders, or end it with *`},
		{"long schema", `scopes: {schemas: [main.sales.orders]}`, `has 3 parts; write main.sales`},
		{"open backtick", "scopes: {tables: ['`main.a.b']}", "is no name such as main.sales.orders"},
		{"empty part", "scopes: {tables: [main..b]}", "is no name such as main.sales.orders"},
		{"relative volume", "scopes: {volumes: [main/default]}", "is no path such as /Volumes/main/default/data"},
		{"other path", "scopes: {volumes: [/tmp]}", "is no path such as /Volumes/main/default/data"},
		{"dots", "scopes: {workspace_paths: [/Users/../Shared]}", "is no path such as /Users/ana@example.com"},
		{"twice", "default: read\ndefault: full", "team.yaml:2: default is given twice"},
		{"twice inside", "groups:\n  jobs: read\n  jobs: full", "team.yaml:3: groups.jobs is given twice"},
		{"merge key", "a: &a {jobs: full}\ngroups: {<<: *a}", "is unknown"},
		{"key that is no text", "1: read", "has a key that is no text"},
		{"unquoted star", "default: read\nprotected: [*prod*]", `team.yaml:2: it is no YAML: unknown anchor`},
		{"quotes are named", "protected: [*prod*]", `needs quotes: "*prod*"`},
		{"tab", "default: read\n\tgroups: {}", "team.yaml:"},
		{"two documents", "default: read\n---\ndefault: full", "a second document begins here"},
		{"second document broken", "default: read\n--- [", "it is no YAML"},
		{"section about nobody", "sections:\n  - default: read", "team.yaml:2: sections[0] must say whom it is about"},
		{"section without rules", "sections: [{user: ana}]", "sections[0] says nothing"},
		{"section with a mode", "sections: [{user: ana, mode: shadow}]", "sections[0].mode is unknown"},
		{"problem in a section", "sections:\n  - {user: a, default: off}\n  - user: b\n    groups: {jobs: x}", `team.yaml:4: sections[1].groups.jobs must be`},
		{"sections as mapping", "sections: {user: a}", "sections must be a list"},
		{"confirm", "confirm: all", "confirm must be one of none, destructive, writes"},
		{"mode", "mode: dry-run", "mode must be one of enforce, shadow"},
	} {
		p, err := Parse("team.yaml", []byte(c.text))
		var e *Error
		if !errors.As(err, &e) || p != nil {
			t.Errorf("%s: %v, %v", c.name, p, err)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), "team.yaml") < len(e.Problems) {
			t.Errorf("%s: %s\nwant %s", c.name, err, c.want)
		}
	}
}

// All problems are named at once, but never without end.
func TestManyProblems(t *testing.T) {
	_, err := Parse("team.yaml", []byte("default: x\nmode: y\nconfirm: z"))
	var e *Error
	if !errors.As(err, &e) || len(e.Problems) != 3 || e.Problems[2].Line != 3 || e.Problems[2].Key != "confirm" {
		t.Errorf("%+v", e)
	}
	_, err = Parse("team.yaml", []byte("protected: ["+strings.Repeat("'',", 5000)+"]"))
	if !errors.As(err, &e) || len(e.Problems) != maxProblems {
		t.Errorf("%d problems", len(e.Problems))
	}
}

func TestBounds(t *testing.T) {
	long := "default: read\n# " + strings.Repeat("x", maxSize)
	if _, err := Parse("team.yaml", []byte(long)); err == nil || !strings.Contains(err.Error(), "is the most") {
		t.Error(err)
	}
	if _, err := Load(write(t, t.TempDir(), "long.yaml", long)); err == nil || !strings.Contains(err.Error(), "is the most") {
		t.Error(err)
	}
	gone := filepath.Join(t.TempDir(), "gone.yaml")
	if _, err := Load(gone); err == nil || !strings.HasPrefix(err.Error(), gone+": it cannot be read: ") || strings.Count(err.Error(), "gone.yaml") != 1 {
		t.Error(err)
	}
	// Anchors may share a list; many aliases of long lists are refused.
	shared := parse(t, "scopes: {clusters: &ids [a, b], warehouses: *ids}").Rules(Subject{})
	if !shared.Shows(Object{Scope: "warehouses", ID: "b"}) || shared.Shows(Object{Scope: "warehouses", ID: "c"}) {
		t.Error("an alias is as good as the list")
	}
	bomb := "scopes:\n  jobs: &l [" + strings.Repeat("a,", 1000) + "]\nsections:\n" + strings.Repeat("- {user: u, scopes: {jobs: *l, clusters: *l}}\n", 100)
	if _, err := Parse("team.yaml", []byte(bomb)); err == nil || !strings.Contains(err.Error(), "more than 50000 values") {
		t.Error(err)
	}
	if _, err := Parse("team.yaml", []byte("groups: &g {jobs: *g}")); err == nil {
		t.Error("an alias of itself is no level")
	}
}

func TestOtherwise(t *testing.T) {
	for text, want := range map[string]string{
		"tools: {jobs_delete: deny}":                  "read default: read, as the file has none",
		"default: full":                               "full default: full",
		"default: off":                                "off default: off",
		"groups: {files: full}":                       "read default: read, as the file has none",
		"sections: [{client: '*', default: full}]":    "full section client *: default: full",
		"sections: [{client: other, default: full}]":  "read default: read, as the file has none",
		"sections: [{client: c, groups: {sql: off}}]": "read default: read, as the file has none",
	} {
		p := parse(t, text)
		if d := p.Otherwise(1).Rules(Subject{Client: "c"}).Levels()["jobs"]; d.Has.String()+" "+d.Rule != want {
			t.Errorf("%s: %s %s, want %s", text, d.Has, d.Rule, want)
		}
	}
	if p := parse(t, "mode: shadow"); p.Otherwise(1) == p || !p.Otherwise(1).Shadow() || p.Rules(Subject{}).Levels()["jobs"].Has != 2 {
		t.Error("the policy itself stays as it is")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("default: read\ngroups: {jobs: full}\ntools: {jobs_delete: confirm}")
	f.Add("scopes: {tables: [main.sales.*, '`a.b`.c.*'], volumes: [/Volumes/a/b/c, 'dbfs:/x'], jobs: [\"5001\", nightly-*]}\nprotected: ['*prod*']")
	f.Add("sections: [{user: a, client: b, default: off}, {group: c, scopes: {clusters: []}, confirm: writes}]")
	f.Add("a: &a [*a, *a]\nmode: *a")
	f.Add("? [x]\n: y")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse("f.yaml", []byte(text))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || len(e.Problems) == 0 || p != nil {
				t.Fatalf("%v, %v", p, err)
			}
			return
		}
		agreesWithSchema(t, text)
		rules := p.Rules(Subject{User: "a", Groups: []string{"c"}, Client: "b"})
		for _, d := range rules.tools {
			if d.Action == Deny && d.Why == "" {
				t.Fatalf("a refusal without a reason: %+v", d)
			}
		}
	})
}
