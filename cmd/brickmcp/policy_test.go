package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runPolicy runs brickmcp policy … in this process.
func runPolicy(t *testing.T, env map[string]string, arguments ...string) (out string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c := newConfig(func(name string) string { return env[name] }, strings.NewReader(""), &stdout, &stderr)
	root := newRoot(c)
	root.SetArgs(append([]string{"policy"}, arguments...))
	err = root.ExecuteContext(t.Context())
	return stdout.String(), err
}

func policyDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPolicyTest(t *testing.T) {
	files, err := filepath.Glob("../../docs/policies/*.cases.yaml")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		out, err := runPolicy(t, nil, "test", file)
		if err != nil || !strings.HasSuffix(out, " cases passed\n") {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
	// --access narrows too, and says that it did.
	out, err := runPolicy(t, nil, "test", files[2], "--access", "jobs=read")
	if !errors.Is(err, errSilent) || !strings.Contains(out, "expected allow, got deny by --access") {
		t.Errorf("%v\n%s", err, out)
	}
	dir := policyDir(t, map[string]string{
		"team.yaml":  "default: read\n",
		"other.yaml": "default: off\n",
		"team.cases.yaml": "policy: team.yaml\ncases:\n" +
			"- {tool: jobs_get, arguments: {job_id: 1}, expect: allow}\n- {tool: jobs_delete, expect: confirm}\n",
		"bare.yaml":       "protected: [x]\n",
		"bare.cases.yaml": "policy: bare.yaml\ncases: [{tool: jobs_delete, expect: deny}]\n",
		"bad.yaml":        "groups: {jbos: read}\n",
	})
	cases := filepath.Join(dir, "team.cases.yaml")
	out, err = runPolicy(t, nil, "test", cases)
	want := "team.cases.yaml:4: jobs_delete: expected confirm, got deny by default: read (team.yaml:1). jobs_delete needs the level full for jobs, and the policy team.yaml, line 1 (default: read) gives read.\n1 of 2 cases failed\n"
	if !errors.Is(err, errSilent) || out != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want)
	}
	if out, _ = runPolicy(t, nil, "test", cases, "--policy", filepath.Join(dir, "other.yaml")); !strings.Contains(out, "2 of 2 cases failed") {
		t.Errorf("--policy takes the place of the named file: %s", out)
	}
	if _, err = runPolicy(t, nil, "test", filepath.Join(dir, "team.yaml")); err == nil || !strings.Contains(err.Error(), "team.yaml:1: this is a policy, not a file of cases: {policy: team.yaml, cases:") {
		t.Errorf("a policy in the place of its cases: %v", err)
	}
	// Without default and --access, the usual level of a server holds.
	if out, err = runPolicy(t, nil, "test", filepath.Join(dir, "bare.cases.yaml")); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err = runPolicy(t, nil, "test", cases, "--policy", filepath.Join(dir, "bad.yaml")); err == nil || !strings.Contains(err.Error(), "bad.yaml:1: groups.jbos is unknown (did you mean jobs?)") {
		t.Error(err)
	}
}

func TestPolicyExplain(t *testing.T) {
	dir := policyDir(t, map[string]string{"team.yaml": `default: read
groups: {jobs: full}
tools: {jobs_delete: confirm}
scopes:
  jobs: ["5001", nightly-*]
  tables: [main.sales.*]
protected: [prod]
sections:
  - {group: interns, groups: {jobs: read}}
`, "shadow.yaml": "mode: shadow\ndefault: off\n", "wrong.yaml": "defualt: off\ngroup: {}\n"})
	team := filepath.Join(dir, "team.yaml")
	for _, c := range []struct {
		arguments []string
		says      []string
	}{
		{[]string{"jobs_delete", "job_id=5001", "--policy", team}, []string{
			"jobs_delete on job 5001: confirm.", "It needs jobs=full. The policy gives jobs=full; --access is not given, and narrows nothing.", "tools.jobs_delete: confirm (team.yaml:3)", "name one with --as-user"}},
		{[]string{"jobs_delete", "--policy", team, "--as-group", "interns", "--as-group", "x"}, []string{
			"jobs_delete: deny.", "section group interns: groups.jobs: read (team.yaml:9)", "The policy gives jobs=read"}},
		{[]string{"jobs_run_now", "job_id=7", "--policy", team}, []string{
			"jobs_run_now on job 7: deny, as long as the name is not known.", "scopes.jobs (team.yaml:5)", "The name or tags of job 7 decide, and only the workspace knows them"}},
		{[]string{"jobs_run_now", "job_id=5001", "--policy", team}, []string{"confirm, as long as the name is not known", "protected: prod (team.yaml:7)"}},
		{[]string{"uc_get_table", "full_name=main.hr.pay", "--policy", team}, []string{"deny.", "scopes.tables (team.yaml:6)", "none of main.sales.* lets it through"}},
		{[]string{"jobs_get", "--policy", team}, []string{"jobs_get: allow.", "give its arguments to have the object judged too"}},
		{[]string{"files_upload", "--policy", team, "--access", "read"}, []string{"files_upload: deny.", "--access alone denies it", "--access files=full", "default: read (team.yaml:1)"}},
		{[]string{"jobs_get", "--policy", filepath.Join(dir, "shadow.yaml")}, []string{"deny.", "shadow mode: this is only written down, and the call goes through"}},
		{[]string{"jobs_delete"}, []string{"jobs_delete: deny.", "Without --access and --policy, agents have jobs=read.", "can allow it with --access jobs=full"}},
		{[]string{"jobs_delete", "--access", "read"}, []string{"jobs_delete: deny.", "--access gives jobs=read.", "--access alone denies it", "There is no policy file."}},
		{[]string{"whoami", "--policy", team}, []string{"whoami: allow."}},
		{[]string{"jobs_delete", "--access", "full"}, []string{"jobs_delete: allow.", "--access gives jobs=full.", "There is no policy file."}},
	} {
		out, err := runPolicy(t, nil, append([]string{"explain"}, c.arguments...)...)
		if err != nil {
			t.Errorf("%v: %v", c.arguments, err)
		}
		for _, say := range c.says {
			if !strings.Contains(out, say) {
				t.Errorf("%v: no %q in\n%s", c.arguments, say, out)
			}
		}
	}
	if out, err := runPolicy(t, map[string]string{"BRICKMCP_POLICY": team}, "explain", "jobs_delete"); err != nil || !strings.Contains(out, "team.yaml:3") {
		t.Errorf("BRICKMCP_POLICY: %v\n%s", err, out)
	}
	for _, c := range []struct {
		arguments []string
		says      string
	}{
		{[]string{"jobs_delet"}, "did you mean jobs_delete?"},
		{[]string{"jobs_delete", "job=1", "--policy", team}, `unknown argument "job"`},
		{[]string{"jobs_delete", "5001"}, "not of the form key=value"},
		{[]string{"jobs_delete", "--policy", filepath.Join(dir, "gone.yaml")}, filepath.Join(dir, "gone.yaml") + ": it cannot be read: "},
		{[]string{"jobs_delete", "--policy", filepath.Join(dir, "wrong.yaml")}, "there are 2 mistakes:\n  wrong.yaml:1: defualt is unknown (did you mean default?)"},
		{nil, "see brickmcp policy explain --help"},
	} {
		if _, err := runPolicy(t, nil, append([]string{"explain"}, c.arguments...)...); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v, want %q", c.arguments, err, c.says)
		}
	}
}

// whoami says what is wrong with a policy, a line for each.
func TestWhoAmIUnderAWrongPolicy(t *testing.T) {
	team := filepath.Join(policyDir(t, map[string]string{"team.yaml": "defualt: off\ngroup: {}\n"}), "team.yaml")
	out, _, err := within(t, map[string]string{"XDG_STATE_HOME": t.TempDir()}, "whoami", "--sandbox", "--policy", team)
	if err != nil {
		t.Fatal(err)
	}
	mustContain(t, "whoami", out, "team.yaml cannot be used, so nothing is allowed:\n", "  team.yaml:1: defualt is unknown (did you mean default?)", "\n              team.yaml:2: group is unknown", "off (the policy cannot be used): jobs")
	if strings.Contains(out, "enforce") {
		t.Errorf("it is said to be in force:\n%s", out)
	}
}
