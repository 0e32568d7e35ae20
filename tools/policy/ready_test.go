package policy

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brickmcp/catalog"
)

func anyTool(*catalog.Row) bool { return true }

// TestReadyPolicies runs the cases of the policies that docs/policy.md shows.
func TestReadyPolicies(t *testing.T) {
	files, err := filepath.Glob("../../docs/policies/*.cases.yaml")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		cases, err := LoadCases(file, "")
		if err != nil {
			t.Error(err)
			continue
		}
		for _, f := range cases.Run(context.Background(), anyTool) {
			t.Errorf("%s:%d: %s", filepath.Base(file), f.Line, f)
		}
		// Cases that pass whatever the policy says would prove nothing.
		for _, other := range []string{"default: full", "default: off", "{default: full, confirm: writes}"} {
			cases.Policy = parse(t, other)
			if failures := cases.Run(context.Background(), anyTool); len(failures) < 3 {
				t.Errorf("%s: only %d cases fail under %q", file, len(failures), other)
			}
		}
	}
}

// TestPolicyDocument: docs/policy.md shows the ready policies as they are, and
// examples that can be used.
func TestPolicyDocument(t *testing.T) {
	raw, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	document := string(raw)
	files, err := filepath.Glob("../../docs/policies/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, ".cases.yaml") && !strings.Contains(document, "```yaml\n"+string(text)+"```\n") {
			t.Errorf("docs/policy.md does not show %s as it is", filepath.Base(file))
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"team.yaml", "team.cases.yaml"} {
		_, after, _ := strings.Cut(document, "```yaml\n# "+name+"\n")
		example, _, ok := strings.Cut(after, "```")
		if !ok {
			t.Fatalf("docs/policy.md has no example %s", name)
		}
		write(t, dir, name, example)
	}
	cases, err := LoadCases(filepath.Join(dir, "team.cases.yaml"), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range cases.Run(context.Background(), anyTool) {
		t.Error(f)
	}
	for _, s := range catalog.Scopes() {
		if !strings.Contains(document, "`"+string(s)+"`") {
			t.Errorf("docs/policy.md does not tell of the scope %s", s)
		}
	}
	for _, group := range catalog.Groups() {
		if !strings.Contains(document, "`"+group.ID+"`") {
			t.Errorf("docs/policy.md does not tell of the group %s", group.ID)
		}
	}
}

func TestCasesSayWhatFailed(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "team.yaml", "default: read\nscopes: {jobs: [nightly-*]}")
	file := write(t, dir, "team.cases.yaml", `policy: team.yaml
objects: {jobs: {5: {name: nightly-a}}}
cases:
  - {tool: jobs_get, arguments: {job_id: 5}, expect: allow}
  - {tool: jobs_get, arguments: {job_id: 5}, expect: deny, objects: {jobs: {5: {name: weekly}}}}
  - {tool: jobs_get, arguments: {job_id: 6}, expect: allow}
  - {tool: jobs_get, arguments: {job: 6}, expect: allow}
  - {user: ana@example.com, tool: jobs_delete, expect: allow}
  - {tool: jobs_get, arguments: {}, expect: allow}
`)
	cases, err := LoadCases(file, "")
	if err != nil {
		t.Fatal(err)
	}
	failures := cases.Run(context.Background(), anyTool)
	want := []struct {
		line int
		says []string
	}{
		{6, []string{"jobs_get: expected allow, got deny by scopes.jobs (team.yaml:2)", "objects.jobs in the file of cases does not have 6"}},
		{7, []string{`unknown argument "job"`}},
		{8, []string{"jobs_delete for ana@example.com: expected allow, got deny by default: read (team.yaml:1)"}},
	}
	if len(failures) != len(want) {
		t.Fatalf("%d failures: %v", len(failures), failures)
	}
	for i, w := range want {
		for _, say := range w.says {
			if f := failures[i]; f.Line != w.line || !strings.Contains(f.String(), say) {
				t.Errorf("line %d: %s\nwant line %d with %q", f.Line, f, w.line, say)
			}
		}
	}
	for _, f := range cases.Run(context.Background(), func(row *catalog.Row) bool { return false }) {
		if f.Got.Action != Deny || f.Got.Rule != "--access" {
			t.Errorf("%+v", f)
		}
	}
}

// The policy stands beside the cases; a path from the working directory will do.
func TestWhereThePolicyIs(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("cases", 0o700); err != nil {
		t.Fatal(err)
	}
	const text = "cases: [{tool: jobs_get, expect: deny}]\npolicy: "
	write(t, dir, "team.yaml", "default: off")
	write(t, dir, "both.yaml", "default: read")
	write(t, dir, "cases/both.yaml", "default: off")
	for _, policy := range []string{"team.yaml", "both.yaml", "../team.yaml", filepath.Join(dir, "team.yaml")} {
		cases, err := LoadCases(write(t, dir, "cases/c.yaml", text+policy), "")
		if err != nil {
			t.Errorf("%s: %v", policy, err)
		} else if f := cases.Run(context.Background(), anyTool); len(f) > 0 {
			t.Errorf("%s: %v", policy, f)
		}
	}
	if _, err := LoadCases(write(t, dir, "cases/c.yaml", text+"gone.yaml"), ""); err == nil || !strings.Contains(err.Error(), filepath.Join("cases", "gone.yaml")) {
		t.Errorf("%v", err)
	}
}

func TestWrongCases(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "team.yaml", "default: read")
	for text, want := range map[string]string{
		"cases: [{tool: jobs_get, expect: deny}]":                    "policy is required",
		"policy: gone.yaml\ncases: [{tool: jobs_get, expect: deny}]": "gone.yaml",
		"policy: team.yaml": "nothing to test",
		"policy: team.yaml\ncases: [{tool: jobs_gte, expect: deny}]":                  "did you mean jobs_get?",
		"policy: team.yaml\ncases: [{tool: jobs_get, expect: refuse}]":                "cases[0].expect must be one of allow, confirm, deny",
		"policy: team.yaml\ncases: [{tool: jobs_get}]":                                "needs tool and expect",
		"policy: team.yaml\ncases: [{tool: jobs_get, arguments: [], expect: deny}]":   "must be a mapping",
		"policy: team.yaml\ncases:\n- {tool: jobs_get, expect: deny, argments: {}}":   "w.yaml:3: cases[0].argments is unknown (did you mean arguments?)",
		"policy: team.yaml\nobjects: {tables: {}}\ncases: [{tool: x, expect: allow}]": "objects.tables is unknown",
	} {
		_, err := LoadCases(write(t, dir, "w.yaml", text), "")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", text, err, want)
		}
	}
}

// Arguments of a case are JSON as a client would send it, integers exact.
func TestArgumentsOfCases(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "team.yaml", "default: full")
	file := write(t, dir, "c.yaml", `policy: team.yaml
cases:
  - tool: jobs_get
    arguments: {job_id: 9007199254740993, a: "x", b: [true, null, 1.5], c: {d: "5"}}
    expect: allow`)
	cases, err := LoadCases(file, "")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(cases.Cases[0].Arguments), `{"job_id":9007199254740993,"a":"x","b":[true,null,1.5],"c":{"d":"5"}}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
