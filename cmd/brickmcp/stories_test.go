package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// until polls a tool until done says so. The sandbox's clock runs a hundred
// times as fast, so this takes few rounds.
func (a *agent) until(tool string, arguments args, done func(gjson.Result) bool) gjson.Result {
	a.t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		answer := a.call(tool, arguments)
		if done(answer) {
			return answer
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			a.t.Fatalf("%s %v did not come to its end: %s", tool, arguments, answer.Raw)
		}
	}
}

func inSandbox(t *testing.T, arguments ...string) *agent {
	t.Helper()
	return newAgent(t, command(t, append([]string{"--sandbox", "--sandbox-speed", "100", "--log-level", "error"}, arguments...)...), nil)
}

// TestStories walks an agent through the sandbox. Together the stories call every
// tool that there is.
func TestStories(t *testing.T) {
	t.Run("jobs", storyJobs)
	t.Run("failing job", storyFailingJob)
	t.Run("clusters", storyClusters)
	t.Run("warehouses", storyWarehouses)
	t.Run("sql", storySQL)
	t.Run("query", storyQuery)
	t.Run("unity catalog", storyUnity)
	t.Run("volumes", storyVolumes)
	t.Run("dbfs", storyDBFS)
	t.Run("workspace", storyWorkspace)
	t.Run("secrets", storySecrets)
	t.Run("service principals", storyPrincipals)
	t.Run("supervisor", storySupervisor)
	t.Run("agents", storyAgents)
	t.Run("access", storyAccess)
	if t.Failed() {
		return
	}
	for _, row := range catalog.All() {
		if _, ok := called.Load(row.Name); !ok {
			t.Errorf("no story calls %s", row.Name)
		}
	}
}

func storyJobs(t *testing.T) {
	a := inSandbox(t)
	page := a.call("jobs_list", args{"limit": 5})
	if page.Get("returned").Int() != 5 || !page.Get("truncated").Bool() {
		t.Fatalf("first page: %s", page.Raw)
	}
	seen := map[string]bool{}
	for rounds := 0; ; rounds++ {
		for _, job := range page.Get("jobs").Array() {
			if id := job.Get("job_id"); id.Type != gjson.String || seen[id.Str] {
				t.Fatalf("job_id %s is no string, or came twice", id.Raw)
			}
			seen[job.Get("job_id").Str] = true
		}
		token := page.Get("next_page_token").Str
		if token == "" {
			break
		}
		page = a.call("jobs_list", args{"limit": 5, "page_token": token})
	}
	if len(seen) < 20 {
		t.Errorf("%d jobs in all, the sandbox has at least 20", len(seen))
	}

	created := a.call("jobs_create", args{
		"name": "story", "max_concurrent_runs": 1, "tags": args{"team": "story"},
		"tasks": []any{args{"task_key": "only", "notebook_task": args{"notebook_path": "/Workspace/Shared/etl/x"}}},
	})
	id := created.Get("job_id").Str
	a.call("jobs_update", args{"job_id": id, "new_settings": args{"description": "changed"}, "fields_to_remove": []any{"tags"}})
	job := a.call("jobs_get", args{"job_id": id})
	if job.Get("settings.description").Str != "changed" || job.Get("settings.tags").Exists() {
		t.Errorf("after the update: %s", job.Raw)
	}
	a.call("jobs_reset", args{"job_id": id, "new_settings": args{
		"name": "story 2", "tasks": []any{args{"task_key": "other", "run_job_task": args{"job_id": id}}},
	}})
	job = a.call("jobs_get", args{"job_id": id})
	if job.Get("settings.name").Str != "story 2" || job.Get("settings.tasks.0.run_job_task.job_id").Str != id {
		t.Errorf("after the reset: %s", job.Raw)
	}
	a.call("jobs_delete", args{"job_id": id})
	a.refused("missing", "jobs_get", args{"job_id": id})

	// 130 tasks come in two pages of the API and as one object here.
	large := a.call("jobs_list", args{"name": "store_replication_full"}).Get("jobs.0.job_id").Str
	tasks, token := 0, ""
	for {
		arguments := args{"job_id": large}
		if token != "" {
			arguments["page_token"] = token
		}
		part := a.call("jobs_get", arguments)
		tasks += len(part.Get("settings.tasks").Array())
		if token = part.Get("next_page_token").Str; token == "" {
			break
		}
	}
	if tasks != 130 {
		t.Errorf("%d tasks in all, want 130", tasks)
	}
}

func storyFailingJob(t *testing.T) {
	a := inSandbox(t)
	id := a.call("jobs_list", args{"name": failingJob}).Get("jobs.0.job_id").Str
	run := a.call("jobs_run_now", args{"job_id": id}).Get("run_id").Str
	ended := a.until("jobs_get_run", args{"run_id": run}, func(r gjson.Result) bool { return r.Get("status.state").Str == "TERMINATED" })
	task := ended.Get(`tasks.#(task_key=="build_features").run_id`).Str
	output := a.call("jobs_get_run_output", args{"run_id": task})
	a.must(output.Get("error").Str, "order_dt")

	// An id may come as an integer, if it comes exactly.
	runs := a.call("jobs_list_runs", args{"job_id": id, "limit": 3, "fields": []any{"creator_user_name", "nonsense"}})
	if runs.Get("runs.0.run_id").Str != run || runs.Get("absent_fields").Raw != `["nonsense"]` {
		t.Errorf("the latest run is not %s, or its fields are wrong: %s", run, runs.Raw)
	}
	again := a.call("jobs_run_now", args{"job_id": id}).Get("run_id").Str
	a.call("jobs_cancel_run", args{"run_id": again})
	a.until("jobs_get_run", args{"run_id": again}, func(r gjson.Result) bool { return r.Get("status.state").Str == "TERMINATED" })
}

func storyClusters(t *testing.T) {
	a := inSandbox(t)
	list := a.call("clusters_list", args{})
	if list.Get(`clusters.#(cluster_source=="JOB")`).Exists() || list.Get("returned").Int() == 0 {
		t.Errorf("the default list has job clusters, or nothing: %s", list.Raw)
	}
	id := a.call("clusters_create", args{"cluster_name": "story", "spark_version": "16.4.x-scala2.12", "node_type_id": "i3.xlarge", "num_workers": 0, "autotermination_minutes": 10}).Get("cluster_id").Str
	state := func(want string) func(gjson.Result) bool {
		return func(r gjson.Result) bool {
			return r.Get(fmt.Sprintf(`clusters.#(cluster_id==%q).state`, id)).Str == want
		}
	}
	a.until("clusters_list", args{}, state("RUNNING"))
	if answer := a.call("clusters_start", args{"cluster_id": id}); !answer.Get("already_started").Bool() {
		t.Errorf("starting a running cluster: %s", answer.Raw)
	}
	a.call("clusters_terminate", args{"cluster_id": id})
	a.until("clusters_list", args{}, state("TERMINATED"))
	if answer := a.call("clusters_start", args{"cluster_id": id}); answer.Get("already_started").Bool() {
		t.Errorf("starting a terminated cluster: %s", answer.Raw)
	}
	a.refused("missing", "clusters_start", args{"cluster_id": "0000-000000-nothing0"})
}

func storyWarehouses(t *testing.T) {
	a := inSandbox(t)
	id := a.call("warehouses_create", args{"name": "story", "cluster_size": "2X-Small", "auto_stop_mins": 10, "enable_serverless_compute": true, "warehouse_type": "PRO"}).Get("id").Str
	a.refused("conflict", "warehouses_create", args{"name": "story", "cluster_size": "2X-Small"})
	state := func(want string) func(gjson.Result) bool {
		return func(r gjson.Result) bool {
			return r.Get(fmt.Sprintf(`warehouses.#(id==%q).state`, id)).Str == want
		}
	}
	a.until("warehouses_list", args{}, state("RUNNING"))
	a.call("warehouses_stop", args{"warehouse_id": id})
	a.until("warehouses_list", args{}, state("STOPPED"))
	a.call("warehouses_start", args{"warehouse_id": id})
	a.until("warehouses_list", args{}, state("RUNNING"))
	if answer := a.call("warehouses_start", args{"warehouse_id": id}); !answer.Get("already_started").Bool() {
		t.Errorf("starting a running warehouse: %s", answer.Raw)
	}
}

// warehouse is the seeded one that runs.
func (a *agent) warehouse() string {
	a.t.Helper()
	return a.call("warehouses_list", args{}).Get(`warehouses.#(state=="RUNNING").id`).Str
}

func storySQL(t *testing.T) {
	a := inSandbox(t)
	warehouse := a.warehouse()
	answer := a.call("sql_execute_statement", args{"warehouse_id": warehouse, "statement": "SELECT 1 AS one, 'x' AS text, CAST(NULL AS INT) AS nothing, 9007199254740993 AS big"})
	if got := answer.Get("rows").Raw; got != `[[1,"x",null,"9007199254740993"]]` {
		t.Errorf("rows: %s", got)
	}
	failure := a.refused("invalid", "sql_execute_statement", args{"warehouse_id": warehouse, "statement": "SELECT * FROM main.retail.ordrs"})
	a.must(failure.Get("message").Str, "TABLE_OR_VIEW_NOT_FOUND")
	a.refused("invalid", "sql_execute_statement", args{"warehouse_id": warehouse, "statement": "SELECT 1", "wait_timeout": "3s"})

	for _, disposition := range []string{"INLINE", "EXTERNAL_LINKS"} {
		page := a.call("sql_execute_statement", args{"warehouse_id": warehouse, "statement": "SELECT order_id, line FROM main.retail.order_items ORDER BY 1, 2", "disposition": disposition, "wait_timeout": "50s"})
		id, total, read := page.Get("statement_id").Str, page.Get("total_rows").Int(), int64(0)
		last := ""
		for rounds := 0; ; rounds++ {
			for _, row := range page.Get("rows").Array() {
				if row.Raw == last {
					t.Fatalf("%s: the row %s came twice", disposition, last)
				}
				last = row.Raw
				read++
			}
			token := page.Get("next_page_token").Str
			if token == "" || rounds > 100 {
				break
			}
			page = a.call("sql_get_statement", args{"statement_id": id, "page_token": token})
		}
		if read != total || total < 10000 {
			t.Errorf("%s: %d rows read of %d", disposition, read, total)
		}
		if chunk := a.call("sql_get_statement", args{"statement_id": id, "chunk_index": 1}); chunk.Get("returned").Int() == 0 {
			t.Errorf("%s: chunk 1 is empty: %s", disposition, chunk.Raw)
		}
	}

	running := a.call("sql_execute_statement", args{"warehouse_id": warehouse, "statement": "SELECT sandbox_sleep(600)", "wait_timeout": "0s"})
	id := running.Get("statement_id").Str
	if state := running.Get("state").Str; state != "PENDING" && state != "RUNNING" {
		t.Fatalf("state with wait_timeout 0s: %s", running.Raw)
	}
	a.call("sql_cancel_statement", args{"statement_id": id})
	a.refused("conflict", "sql_get_statement", args{"statement_id": id})
}

func storyUnity(t *testing.T) {
	a := inSandbox(t)
	if got := a.call("uc_list_catalogs", args{}); !got.Get(`catalogs.#(name=="main")`).Exists() {
		t.Errorf("no catalog main: %s", got.Raw)
	}
	a.call("uc_list_schemas", args{"catalog_name": "main"})
	a.call("uc_list_tables", args{"catalog_name": "main", "schema_name": "retail", "max_results": 3})
	if table := a.call("uc_get_table", args{"full_name": "main.retail.orders"}); len(table.Get("columns").Array()) < 5 {
		t.Errorf("columns: %s", table.Raw)
	}
	grants := args{"securable_type": "table", "full_name": "main.hr.employees"}
	a.call("uc_get_grants", grants)
	grants["changes"] = []any{args{"principal": "ben@example.com", "add": []any{"SELECT"}}}
	a.call("uc_update_grants", grants)
	got := a.call("uc_get_grants", args{"securable_type": "table", "full_name": "main.hr.employees", "principal": "ben@example.com"})
	a.must(got.Raw, "SELECT")
	a.refused("missing", "uc_get_table", args{"full_name": "main.retail.nothing"})
}

func storyVolumes(t *testing.T) {
	dir := t.TempDir()
	a := inSandbox(t, "--allow-dir", dir)
	path := "/Volumes/main/retail/landing/story ü/a?b.txt"
	text := strings.Repeat("Zeile mit Umlaut ü und \"Zeichen\"\n", 3000)
	a.call("files_upload", args{"path": path, "contents": text})
	a.refused("conflict", "files_upload", args{"path": path, "contents": "other"})
	var read strings.Builder
	for offset := int64(0); ; {
		part := a.call("files_download", args{"path": path, "offset": offset})
		read.WriteString(part.Get("contents").Str)
		if !part.Get("truncated").Bool() {
			break
		}
		offset = part.Get("next_offset").Int()
	}
	if read.String() != text {
		t.Errorf("read back %d bytes, wrote %d", read.Len(), len(text))
	}
	local := filepath.Join(dir, "copy.txt")
	a.call("files_download", args{"path": path, "local_path": local})
	if copied, err := os.ReadFile(local); err != nil || string(copied) != text {
		t.Errorf("the local copy: %d bytes, %v", len(copied), err)
	}
	a.call("files_upload", args{"path": path, "local_path": local, "overwrite": true})
	a.refused("denied", "files_upload", args{"path": path, "local_path": "/etc/hostname"})
	a.refused("denied", "files_download", args{"path": path, "local_path": filepath.Join(dir, "..", "out.txt")})
	if err := os.Symlink(filepath.Dir(dir), filepath.Join(dir, "link")); err == nil {
		a.refused("denied", "files_download", args{"path": path, "local_path": filepath.Join(dir, "link", "out.txt")})
	}
	a.refused("invalid", "files_download", args{"path": "/Volumes/main/retail/landing/../../../x"})
	a.call("files_delete", args{"path": path})
	a.refused("missing", "files_download", args{"path": path})
}

func storyDBFS(t *testing.T) {
	a := inSandbox(t)
	small := "a,b\n1,2\n"
	a.call("dbfs_put", args{"path": "/tmp/story.csv", "contents": small})
	if got := a.call("dbfs_read", args{"path": "/tmp/story.csv"}); got.Get("contents").Str != small || got.Get("truncated").Bool() {
		t.Errorf("read back: %s", got.Raw)
	}
	large := make([]byte, 2<<20+123)
	for i := range large {
		large[i] = byte(i * 31 >> 3)
	}
	a.call("dbfs_put", args{"path": "/tmp/story.bin", "contents_base64": base64.StdEncoding.EncodeToString(large), "overwrite": true})
	got := a.call("dbfs_read", args{"path": "/tmp/story.bin", "offset": 2 << 20})
	tail, err := base64.StdEncoding.DecodeString(got.Get("contents_base64").Str)
	if err != nil || string(tail) != string(large[2<<20:]) {
		t.Errorf("the end of the large file: %s", got.Raw)
	}
	a.refused("missing", "dbfs_read", args{"path": "/tmp/nothing"})
}

func storyWorkspace(t *testing.T) {
	a := inSandbox(t)
	source := "# Databricks notebook source\nprint('ü')\n"
	path := "/Users/ana@example.com/story"
	a.call("workspace_import", args{"path": path, "content": source, "format": "SOURCE", "language": "PYTHON"})
	if got := a.call("workspace_export", args{"path": path}); !strings.Contains(got.Get("contents").Str, "print('ü')") {
		t.Errorf("exported: %s", got.Raw)
	}
	if got := a.call("workspace_list", args{"path": "/Users/ana@example.com"}); !got.Get(fmt.Sprintf("objects.#(path==%q)", path)).Exists() {
		t.Errorf("listed: %s", got.Raw)
	}
	a.refused("invalid", "workspace_import", args{"path": path + "2", "content": strings.Repeat("x", 11<<20), "format": "RAW"})
}

func storySecrets(t *testing.T) {
	a := inSandbox(t)
	a.call("secrets_list_scopes", args{})
	const value = "s3cr3t-value-of-the-story"
	answer := a.call("secrets_put", args{"scope": "etl", "key": "story", "string_value": value})
	listed := a.call("secrets_list", args{"scope": "etl"})
	if strings.Contains(answer.Raw+listed.Raw+a.stderr.String(), value) {
		t.Error("the secret's value is shown")
	}
	if !listed.Get(`secrets.#(key=="story")`).Exists() {
		t.Errorf("the key is not listed: %s", listed.Raw)
	}
	failure := a.refused("missing", "secrets_put", args{"scope": "nothing", "key": "k", "string_value": value})
	if strings.Contains(failure.Raw, value) {
		t.Error("the secret's value is in the error")
	}
}

func storyPrincipals(t *testing.T) {
	a := inSandbox(t)
	names := map[string]bool{}
	page := a.call("service_principals_list", args{"count": 3})
	for {
		for _, sp := range page.Get("Resources").Array() {
			names[sp.Get("id").Str] = true
		}
		token := page.Get("next_page_token").Str
		if token == "" {
			break
		}
		page = a.call("service_principals_list", args{"count": 3, "page_token": token})
	}
	if len(names) < 6 {
		t.Errorf("%d service principals by pages of 3", len(names))
	}
	id := a.call("service_principals_create", args{"displayName": "story"}).Get("id").Str
	if got := a.call("service_principals_get", args{"id": id}); got.Get("displayName").Str != "story" {
		t.Errorf("got: %s", got.Raw)
	}
	a.refused("missing", "service_principals_get", args{"id": "1"})
}

func storyAccess(t *testing.T) {
	a := inSandbox(t, "--access", "read,jobs=full,secrets=off")
	list, err := a.session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, tool := range list.Tools {
		names[tool.Name] = true
	}
	for name, want := range map[string]bool{"jobs_create": true, "files_download": true, "files_delete": false, "secrets_list": false} {
		if names[name] != want {
			t.Errorf("%s listed: %v, want %v", name, names[name], want)
		}
	}
	refusal := a.refused("denied", "files_delete", args{"path": "/Volumes/main/retail/landing/README.md"})
	for _, part := range []string{"files", "read", "full"} {
		a.must(refusal.Get("message").Str, part)
	}
	a.must(refusal.Get("advice").Str, "--access")
	a.refused("denied", "secrets_list", args{"scope": "etl"})
}
