package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"brickmcp/tools/audit"
	"brickmcp/tools/policy"
)

func document(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks are the code blocks of a language.
func blocks(text, language string) []string {
	var all []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// Whoever copies a policy from the documents gets one that works.
func TestDocumentedPolicies(t *testing.T) {
	for path, want := range map[string]int{"README.md": 1, "docs/policy.md": 4} {
		found := 0
		for _, text := range blocks(document(t, path), "yaml") {
			if strings.Contains(text, "\ncases:") {
				continue // of a test of one
			}
			found++
			if _, err := policy.Parse(path, []byte(text)); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
		}
		if found != want {
			t.Errorf("%s shows %d policies, want %d", path, found, want)
		}
	}
}

func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	paths, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(paths) == 0 {
		t.Fatal("no documents", err)
	}
	for _, path := range append(paths, "../../README.md", "../../CONTRIBUTING.md") {
		path, err := filepath.Rel("../..", path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(document(t, path), -1) {
			target := path
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(path), m[1])
			}
			if _, err := os.Stat(filepath.Join("../..", target)); err != nil {
				t.Errorf("%s links to %s: %v", path, m[1], err)
			} else if m[2] != "" && !slices.Contains(anchors(document(t, target)), m[2]) {
				t.Errorf("%s links to %s, which has no heading #%s", path, target, m[2])
			}
		}
	}
}

// anchors are what links to the headings of a text say, as GitHub makes them.
func anchors(text string) []string {
	var all []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		plain := regexp.MustCompile("[^a-z0-9 _-]").ReplaceAllString(strings.ToLower(heading[1]), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

// Every command and field of audit is described.
func TestAuditIsDescribed(t *testing.T) {
	text := document(t, "docs/audit.md")
	for _, field := range strings.Fields("time event say call user auth_type client tool group effect endpoint workspace object decision rule outcome error_kind request_ids duration_ms rows bytes arguments before hash prev") {
		if !strings.Contains(text, "`"+field+"`") {
			t.Errorf("docs/audit.md does not describe %s", field)
		}
	}
}

// The script that checks the chain without this program does so.
func TestDocumentedScript(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 to run the script of docs/audit.md with")
	}
	scripts := blocks(document(t, "docs/audit.md"), "python")
	if len(scripts) != 1 {
		t.Fatalf("docs/audit.md has %d scripts", len(scripts))
	}
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := audit.New(audit.Config{Path: path})
	for _, say := range []string{"one", "two «2»", "three"} {
		if err := l.Write(&audit.Line{Event: "call", Say: say}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	run := func() (string, error) {
		out, err := exec.Command(python, "-c", scripts[0], path).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	head, err := os.ReadFile(path + ".head")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := run(); err != nil || out == "" || !strings.Contains(string(head), `"`+out+`"`) {
		t.Errorf("a whole log: %v\n%s\nthe head is %s", err, out, head)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "two", "TWO", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run(); err == nil || !strings.Contains(out, "AssertionError") {
		t.Errorf("a changed log: %v\n%s", err, out)
	}
}
