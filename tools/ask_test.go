package tools

import (
	"testing"

	"brickmcp/catalog"
)

// TestAnswersWithoutABody: no tool takes silence for an object, a list or a file,
// and no create for done.
func TestAnswersWithoutABody(t *testing.T) {
	for _, c := range []struct {
		tool, arguments string
		kind            catalog.Kind
	}{
		{"jobs_get", `{"job_id":1}`, catalog.Down},
		{"jobs_get_run", `{"run_id":1}`, catalog.Down},
		{"jobs_get_run_output", `{"run_id":1}`, catalog.Down},
		{"jobs_list", `{}`, catalog.Down},
		{"uc_get_table", `{"full_name":"a.b.c"}`, catalog.Down},
		{"service_principals_get", `{"id":"1"}`, catalog.Down},
		{"workspace_export", `{"path":"/x"}`, catalog.Down},
		{"dbfs_read", `{"path":"/x"}`, catalog.Down},
		{"sql_get_statement", `{"statement_id":"s"}`, catalog.Down},
		{"jobs_create", `{"name":"n"}`, catalog.UnknownFate},
		{"jobs_run_now", `{"job_id":1}`, catalog.UnknownFate},
		{"sql_execute_statement", `{"statement":"DELETE FROM t","warehouse_id":"w"}`, catalog.UnknownFate},
	} {
		wantError(t, newServer(t, answering(""), nil), c.tool, c.arguments, c.kind, c.tool, "req-1")
	}
	for tool, arguments := range map[string]string{"sql_cancel_statement": `{"statement_id":"s"}`, "jobs_cancel_run": `{"run_id":1}`} {
		if got := succeed(t, newServer(t, answering(""), nil), tool, arguments); got != `{"ok":true}` {
			t.Errorf("%s: %s", tool, got)
		}
	}
}
