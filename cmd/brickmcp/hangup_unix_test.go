//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A hang-up reads the policy again, whatever the file looks like.
func TestHangUp(t *testing.T) {
	dir := t.TempDir()
	policy, audit := filepath.Join(dir, "team.yaml"), filepath.Join(dir, "audit.jsonl")
	if err := os.WriteFile(policy, []byte("default: read\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "--sandbox", "--log-level", "error", "--audit-file", audit, "--policy", policy)
	a := newAgent(t, cmd, nil)
	a.call("clusters_list", nil)
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for late := time.After(time.Minute); len(lines(t, audit, "reload")) == 0; {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-late:
			t.Fatal("the policy was not read again")
		}
	}
	a.call("clusters_list", nil)
}
