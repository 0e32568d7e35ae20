package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDemo: the guided session comes to its end, shows what it promises, stays
// readable, and leaves nothing behind.
func TestDemo(t *testing.T) {
	cmd := command(t, "demo")
	home, temporary := t.TempDir(), t.TempDir()
	cmd.Env = append(cmd.Env, "HOME="+home, "XDG_STATE_HOME="+home, "TMPDIR="+temporary, "TMP="+temporary, "TEMP="+temporary,
		"BRICKMCP_ACCESS=off", "BRICKMCP_APPROVALS=never", "BRICKMCP_TRANSPORT=teapot", "BRICKMCP_MANAGED=no=such/server", // of the person's own servers
		"DATABRICKS_HOST=https://nobody.invalid", "DATABRICKS_CLIENT_ID=nobody", "ARM_CLIENT_ID=nobody", "OTEL_EXPORTER_OTLP_ENDPOINT=grpc://nobody")
	began := time.Now()
	out, said := begin(t, cmd).ended(0)
	mustContain(t, "the demo", out,
		"confirm: destructive", "tools/list",
		`["Munich",122,58353.98]`, "on warehouse ", `DELETE changes data (line 1, column 1, at "DELETE")`, "But sql_execute_statement is not allowed here", // the policy says so, --access does not
		"task build_features: AnalysisException",
		`it asks: may I call you-search of web_search with {"query":"order statistics"}?`, "The server is killed", "is there, and still waits",
		"Orders: **5000**. According to web_search: ", "answered approvals of run run_",
		"team.yaml, line 1 (default: read)",
		"Deletes job ", "ana_scratch_test", "confirm_token", "undo:",
		"deleted job ", "confirmed, as confirm: destructive (team.yaml:3) asks",
		"was not allowed files_delete: it needs", "queried main.retail.orders, main.retail.stores on warehouse ", "waits for confirmation",
		"The audit log is whole",
	)
	if said != "" {
		t.Errorf("stderr: %s", said)
	}
	if n := strings.Count(out, "began to serve"); n != 2 {
		t.Errorf("the log tells of %d servers, want one that is killed and another", n)
	}
	if n := strings.Count(out, "\n"); n > 115 {
		t.Errorf("%d lines are too many to read", n)
	}
	if took := time.Since(began); took > time.Minute { // 4 s where nothing else runs
		t.Errorf("it took %v", took)
	}
	for _, dir := range []string{home, temporary} {
		if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
	if strings.Contains(out, temporary+string(os.PathSeparator)) {
		t.Error("paths of this machine are shown")
	}
}
