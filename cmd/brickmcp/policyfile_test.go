package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/policy"

	"go.uber.org/zap"
)

// A second change within one tick of the file system leaves size and time as they
// were, and still counts.
func TestPolicyChangesWithinATick(t *testing.T) {
	path := filepath.Join(t.TempDir(), "team.yaml")
	f := &policyFile{path: path, fill: func(p *policy.Policy) *policy.Policy { return p }, log: zap.NewNop()}
	tick := time.Now()
	for _, level := range []string{"read", "full", "full", "read"} {
		if err := os.WriteFile(path, []byte("default: "+level+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, tick, tick); err != nil {
			t.Fatal(err)
		}
		p, err := f.Current()
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Rules(policy.Subject{}).Tool(&catalog.RunJob.Row).Action == policy.Allow; got != (level == "full") {
			t.Errorf("at %s, jobs_run_now is allowed: %v", level, got)
		}
	}
	same, err := f.Current()
	if again, errAgain := f.Current(); err != nil || errAgain != nil || same != again {
		t.Errorf("the file was read again without a change: %v %v", err, errAgain)
	}
	long := tick.Add(-time.Hour)
	if err := os.Chtimes(path, long, long); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Current(); err != nil || f.young {
		t.Errorf("an old file is compared by its text: %v", err)
	}
}

// What is no regular file, such as a pipe, can be read but once: it is not compared.
func TestPipesAreReadOnce(t *testing.T) {
	stamp, err := os.Stat(t.TempDir()) // no regular file either, and just made
	if err != nil || young(stamp) {
		t.Errorf("it would be read again: %v", err)
	}
}
