package tools

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"brickmcp/catalog"
	"brickmcp/transport/sandbox"

	"github.com/tidwall/gjson"
)

// frozen is a clock of the sandbox that stands still, so that nothing moves on its
// own while a test looks.
type frozen time.Time

func (f frozen) Now() time.Time { return time.Time(f) }

var noon = sandbox.Options{Clock: frozen(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))}

// previewed is the preview of a call as text, for people and agents alike.
func previewed(t *testing.T, s *Server, tool, arguments string) string {
	t.Helper()
	p, err := s.preview(t.Context(), bound(t, tool, arguments))
	if err != nil {
		t.Fatalf("%s %s: %v", tool, arguments, err)
	}
	var o object
	p.append(&o)
	if !gjson.ValidBytes(o.bytes()) {
		t.Fatalf("no JSON: %s", o.bytes())
	}
	if !strings.HasSuffix(p.What, ".") || strings.ContainsAny(p.What+strings.Join(p.Changes, ""), "\n\r") {
		t.Errorf("no sentences: %q %q", p.What, p.Changes)
	}
	return p.What + "\n" + strings.Join(p.Changes, "\n") + "\n" + string(p.Now)
}

func wantParts(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

func TestPreviewOfJobs(t *testing.T) {
	s := inSandbox(t, sandbox.Token, noon)
	id := send(t, s, "jobs_create", sampleJob).Get("job_id").Raw
	wantParts(t, previewed(t, s, "jobs_update", `{"job_id":`+id+`,"new_settings":{"timeout_seconds":60,"tasks":[{"task_key":"extract","notebook_task":{"notebook_path":"/Shared/x"},"job_cluster_key":"small"}]},"fields_to_remove":["tasks/load"]}`),
		"Makes 2 changes to job "+id+" 'sample'", "timeout_seconds changes from 3600 to 60", "task 'load' is removed", `"creator_user_name":"ana@example.com"`)
	wantParts(t, previewed(t, s, "jobs_update", `{"job_id":`+id+`,"new_settings":{"name":"sample"}}`), "Changes nothing")
	wantParts(t, previewed(t, s, "jobs_update", `{"job_id":`+id+`,"new_settings":{"run_as":{"user_name":"ben@example.com"}}}`), "run_as.user_name changes from 'ana@example.com' to 'ben@example.com'")
	wantParts(t, previewed(t, s, "jobs_update", `{"job_id":`+id+`,"new_settings":{"run_as":{"user_name":"ana@example.com"}}}`), "Changes nothing")
	wantParts(t, previewed(t, s, "jobs_reset", `{"job_id":`+id+`,"new_settings":{"name":"sample"}}`), "Replaces all settings", "falls back to its default (was 3600)")
	wantParts(t, previewed(t, s, "jobs_create", sampleJob), "Creates job 'sample' with 2 tasks; its schedule is '0 0 6 * * ?', 'UTC' (paused).", "a job of this name already: "+id)
	wantParts(t, previewed(t, s, "jobs_delete", `{"job_id":`+id+`}`), "Deletes job "+id+" 'sample' for good", "2 tasks", "(paused)")
	wantParts(t, previewed(t, s, "jobs_run_now", `{"job_id":`+id+`,"only":["load"]}`), "Starts a run of job "+id+" 'sample' (2 tasks)", `only these tasks run: ["load"]`, "it runs as 'ana@example.com'")
	run := send(t, s, "jobs_run_now", `{"job_id":`+id+`}`).Get("run_id").Raw
	wantParts(t, previewed(t, s, "jobs_delete", `{"job_id":`+id+`}`), "1 run is active: they go on")
	wantParts(t, previewed(t, s, "jobs_run_now", `{"job_id":`+id+`}`), "1 run is active, of at most 2")
	wantParts(t, previewed(t, s, "jobs_cancel_run", `{"run_id":`+run+`}`), "Cancels run "+run, "of job "+id)
	for _, job := range send(t, s, "jobs_list_runs", `{"completed_only":true,"limit":1}`).Get("runs").Array() {
		wantParts(t, previewed(t, s, "jobs_cancel_run", `{"run_id":`+job.Get("run_id").Raw+`}`), "Changes nothing", "ended already")
		wantParts(t, previewed(t, s, "jobs_run_now", `{"job_id":`+job.Get("job_id").Raw+`}`), "the last completed run took ")
	}
}

// A preview asks, and never writes.
func TestPreviewOnlyReads(t *testing.T) {
	for _, row := range catalog.All() {
		api := answering()
		api.do = func(_ context.Context, call *catalog.Call) (string, error) {
			if !call.Row.Effect.ReadOnly() {
				t.Errorf("the preview of %s calls %s", row.Name, call.Row.Name)
			}
			return `{}`, nil
		}
		s := newServer(t, api, nil)
		call := &catalog.Call{Row: row, Object: "x", Args: nil}
		if p, err := s.preview(t.Context(), call); err == nil && p.What == "" {
			t.Errorf("%s: nothing is said", row.Name)
		}
	}
}

func TestPreviewOfGrants(t *testing.T) {
	const table = `"securable_type":"table","full_name":"main.retail.orders"`
	s := inSandbox(t, sandbox.Token, noon)
	send(t, s, "uc_update_grants", `{`+table+`,"changes":[{"principal":"ben@example.com","add":["SELECT"],"remove":["MODIFY"]}]}`)
	got := previewed(t, s, "uc_update_grants", `{`+table+`,"changes":[{"principal":"carla@example.com","add":["SELECT"]},{"principal":"Ben@example.com","add":["select"],"remove":["MODIFY"]}]}`)
	wantParts(t, got, "Changes grants on table main.retail.orders.", "carla@example.com gains SELECT on table main.retail.orders",
		"Ben@example.com already has SELECT on table main.retail.orders: nothing changes", "does not have MODIFY on table main.retail.orders directly")
	got = previewed(t, s, "uc_update_grants", `{`+table+`,"changes":[{"principal":"ben@example.com","remove":["ALL_PRIVILEGES"]}]}`)
	wantParts(t, got, "ben@example.com loses SELECT on table main.retail.orders")
	got = previewed(t, s, "uc_update_grants", `{`+table+`,"changes":[{"principal":"ben@example.com","add":["ALL_PRIVILEGES"]}]}`)
	wantParts(t, got, "ben@example.com gains ALL_PRIVILEGES", "do everything")
	// One who may not see the grants hears what is asked for, and that the rest is not known.
	box, err := sandbox.New(noon)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	got = previewed(t, seenBy(t, box, sandbox.BenToken), "uc_update_grants", `{`+table+`,"changes":[{"principal":"ben@example.com","add":["MODIFY"]}]}`)
	wantParts(t, got, "could not be read", "ben@example.com is to gain MODIFY")
}

func TestPreviewOfCompute(t *testing.T) {
	s := inSandbox(t, sandbox.Token, noon)
	wantParts(t, previewed(t, s, "clusters_create", `{"cluster_name":"c","spark_version":"16.4.x-scala2.12","node_type_id":"i3.xlarge","num_workers":4}`),
		"Creates and starts cluster 'c', which bills at once: 5 machines (1 driver, 4 workers) of i3.xlarge.", "it never stops by itself")
	wantParts(t, previewed(t, s, "clusters_create", `{"spark_version":"16.4.x-scala2.12","autoscale":{"min_workers":1,"max_workers":8},"instance_pool_id":"p","autotermination_minutes":30}`),
		"2 to 9 machines (1 driver, 1 to 8 workers) from pool p", "it stops by itself after 30 minutes without use")
	wantParts(t, previewed(t, s, "clusters_create", `{"spark_version":"16.4.x-scala2.12","policy_id":"P","num_workers":0}`), "1 machine (a single node)", "unless cluster policy 'P'")
	wantParts(t, previewed(t, s, "warehouses_create", `{"name":"w","cluster_size":"2X-Small","auto_stop_mins":0,"max_num_clusters":3}`),
		"'w', which bills at once: 2X-Small, 1 to 3 clusters.", "it never stops by itself", "whether it is serverless")
	wantParts(t, previewed(t, s, "warehouses_create", `{"name":"w","cluster_size":"Small","enable_serverless_compute":true}`), "after 120 minutes", "serverless")

	created := send(t, s, "clusters_create", `{"cluster_name":"mine","spark_version":"16.4.x-scala2.12","node_type_id":"i3.xlarge","num_workers":2,"autotermination_minutes":20}`)
	cluster := `{"cluster_id":"` + created.Get("cluster_id").Str + `"}`
	wantParts(t, previewed(t, s, "clusters_start", cluster), "Changes nothing", "'mine' is PENDING already", "3 machines")
	wantParts(t, previewed(t, s, "clusters_terminate", cluster), "Terminates cluster", "it is PENDING now", "created by 'ana@example.com'", `"cluster_name":"mine"`)
	w := send(t, s, "warehouses_list", `{}`).Get("warehouses").Array()
	for _, w := range w {
		warehouse := `{"warehouse_id":"` + w.Get("id").Str + `"}`
		start, stop := previewed(t, s, "warehouses_start", warehouse), previewed(t, s, "warehouses_stop", warehouse)
		state := w.Get("state").Str
		if strings.Contains(start, "Changes nothing") != (state == "RUNNING" || state == "STARTING") || strings.Contains(stop, "Changes nothing") != (state == "STOPPED" || state == "STOPPING") {
			t.Errorf("%s:\n%s%s", state, start, stop)
		}
		wantParts(t, start, w.Get("name").Str, w.Get("cluster_size").Str, "it is "+state+" now")
		sql := previewed(t, s, "sql_execute_statement", `{"warehouse_id":"`+w.Get("id").Str+`","statement":"-- x\n /* a /* b */ */ (drop table t"}`)
		wantParts(t, sql, "Runs SQL that begins with DROP on warehouse "+w.Get("id").Str, w.Get("name").Str, "which is "+state)
	}
	if len(w) < 2 {
		t.Errorf("%d warehouses: the loop tests little", len(w))
	}
}

func TestPreviewOfFiles(t *testing.T) {
	s := inSandbox(t, sandbox.Token, noon)
	const volume = "/Volumes/main/retail/exports/preview.txt"
	succeed(t, s, "files_upload", `{"path":"`+volume+`","contents":"hello"}`)
	succeed(t, s, "dbfs_put", `{"path":"/tmp/preview.txt","contents":"hello"}`)
	succeed(t, s, "workspace_import", `{"path":"/Users/ana@example.com/preview","content":"print(1)","language":"PYTHON","format":"SOURCE"}`)
	for _, c := range []struct{ tool, path, content, there string }{
		{"files_upload", volume, "contents", "a file of 5 bytes, changed 2026-03-02 12:00 UTC"},
		{"dbfs_put", "/tmp/preview.txt", "contents", "a file of 5 bytes, changed 2026-03-02 12:00 UTC"},
		{"workspace_import", "/Users/ana@example.com/preview", "content", "a notebook"},
	} {
		wantParts(t, previewed(t, s, c.tool, `{"path":"`+c.path+`","`+c.content+`":"more text"}`), "Will be refused", "overwrite is not true", "there is "+c.there)
		wantParts(t, previewed(t, s, c.tool, `{"path":"`+c.path+`","`+c.content+`":"more text","overwrite":true}`), "Overwrites ", c.path+" with 9 bytes. What is there is lost.", "there is "+c.there)
		wantParts(t, previewed(t, s, c.tool, `{"path":"`+c.path+`2","`+c.content+`":"x"}`), "Creates ", c.path+"2 with 1 byte.")
	}
	wantParts(t, previewed(t, s, "workspace_import", `{"path":"/Users/ana@example.com","content":"x"}`), "Will be refused", "is a folder")
	wantParts(t, previewed(t, s, "files_delete", `{"path":"`+volume+`"}`), "Deletes file "+volume+" for good: there is no trash.", "it is a file of 5 bytes")
	wantMissing(t, s, "files_delete", `{"path":"`+volume+`2"}`)
}

func TestPreviewOfTheRest(t *testing.T) {
	s := inSandbox(t, sandbox.Token, noon)
	scope := send(t, s, "secrets_list_scopes", `{}`).Get("scopes.0.name").Str
	key := send(t, s, "secrets_list", `{"scope":"`+scope+`"}`).Get("secrets.0.key").Str
	for name, part := range map[string]string{key: "Overwrites the value of secret " + scope + "/" + key, "brand-new": "Creates secret " + scope + "/brand-new."} {
		got := previewed(t, s, "secrets_put", `{"scope":"`+scope+`","key":"`+name+`","string_value":"hunter2"}`)
		wantParts(t, got, part)
		if strings.Contains(got, "hunter2") {
			t.Errorf("a secret is shown: %s", got)
		}
	}
	made := send(t, s, "service_principals_create", `{"displayName":"etl \"two\""}`)
	wantParts(t, previewed(t, s, "service_principals_create", `{"displayName":"etl \"two\"","groups":[{"value":"7"}]}`), "without credentials", "one of this name already: id "+made.Get("id").String(), `it gets groups ["7"]`)
	wantParts(t, previewed(t, s, "service_principals_create", `{"displayName":"nobody"}`), "'nobody'")
	wantParts(t, previewed(t, s, "jobs_list", `{}`), "List jobs. It changes nothing.")
}

func wantMissing(t *testing.T, s *Server, tool, arguments string) {
	t.Helper()
	_, err := s.preview(t.Context(), bound(t, tool, arguments))
	var e *catalog.Error
	if !errors.As(err, &e) || e.Kind != catalog.Missing || !strings.HasPrefix(e.Message, tool+" on ") {
		t.Errorf("%s %s: %v", tool, arguments, err)
	}
}

func TestPreviewOfWhatIsNotThere(t *testing.T) {
	s := inSandbox(t, sandbox.Token, noon)
	for tool, arguments := range map[string]string{
		"jobs_update": `{"job_id":1}`, "jobs_reset": `{"job_id":1,"new_settings":{}}`, "jobs_delete": `{"job_id":1}`, "jobs_run_now": `{"job_id":1}`, "jobs_cancel_run": `{"run_id":1}`,
		"clusters_start": `{"cluster_id":"0000-000000-none"}`, "clusters_terminate": `{"cluster_id":"0000-000000-none"}`,
		"warehouses_start": `{"warehouse_id":"none"}`, "warehouses_stop": `{"warehouse_id":"none"}`,
		"sql_cancel_statement": `{"statement_id":"none"}`, "secrets_put": `{"scope":"none","key":"k","string_value":"v"}`,
		"uc_update_grants": `{"securable_type":"table","full_name":"main.none.t","changes":[{"principal":"ben@example.com","add":["SELECT"]}]}`,
	} {
		wantMissing(t, s, tool, arguments)
	}
}

// What cannot be read is said; the rest of the preview stands.
func TestPreviewOfWhatCannotBeRead(t *testing.T) {
	for _, kind := range []catalog.Kind{catalog.Forbidden, catalog.Down, catalog.Limited, catalog.Missing} {
		api := answering()
		api.do = func(_ context.Context, call *catalog.Call) (string, error) {
			return "", &catalog.Error{Kind: kind, MissingRoute: kind == catalog.Missing, Message: call.About() + ": no\nluck"}
		}
		s := newServer(t, api, nil)
		for tool, arguments := range map[string]string{
			"jobs_update": `{"job_id":1}`, "jobs_reset": `{"job_id":1,"new_settings":{}}`, "jobs_delete": `{"job_id":1}`, "jobs_run_now": `{"job_id":1}`, "jobs_cancel_run": `{"run_id":1}`,
			"clusters_start": `{"cluster_id":"c"}`, "clusters_terminate": `{"cluster_id":"c"}`, "warehouses_start": `{"warehouse_id":"w"}`, "warehouses_stop": `{"warehouse_id":"w"}`,
			"sql_cancel_statement": `{"statement_id":"s"}`, "sql_execute_statement": `{"warehouse_id":"w","statement":"DROP TABLE t"}`, "secrets_put": `{"scope":"s","key":"k","string_value":"v"}`,
			"files_upload": `{"path":"/Volumes/a/b/c/d","contents":"x"}`, "files_delete": `{"path":"/Volumes/a/b/c/d"}`, "dbfs_put": `{"path":"/x","contents":"x","overwrite":true}`,
			"uc_update_grants": `{"securable_type":"table","full_name":"a.b.c","changes":[{"principal":"ben@example.com","add":["SELECT"]}]}`, "service_principals_create": `{"displayName":"x"}`,
		} {
			wantParts(t, previewed(t, s, tool, arguments), "could not be read: ", "no luck")
		}
	}
	for _, kind := range []catalog.Kind{catalog.SignIn} {
		api := answering()
		api.do = func(context.Context, *catalog.Call) (string, error) {
			return "", &catalog.Error{Kind: kind, Message: "sign in"}
		}
		if _, err := newServer(t, api, nil).preview(t.Context(), bound(t, "jobs_delete", `{"job_id":1}`)); catalog.AsError(err).Kind != kind {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// A preview leaves the rest of the result room, however small that is.
func TestPreviewIsBounded(t *testing.T) {
	wide := `{"job_id":1,"settings":{"name":"` + strings.Repeat("n", 5000) + `","tasks":[`
	for i := range 300 {
		wide += fmt.Sprintf(`{"task_key":"%d","notebook_task":{"notebook_path":"%s"}},`, i, strings.Repeat("p", 300))
	}
	wide = strings.TrimSuffix(wide, ",") + `]}}`
	for _, tokens := range []int{1, 200, 0} {
		for _, arguments := range []string{`{"job_id":1,"new_settings":{"tasks":[]}}`, `{"job_id":1,"new_settings":{}}`} {
			for _, tool := range []string{"jobs_reset", "jobs_delete"} {
				if tool == "jobs_delete" {
					arguments = `{"job_id":1}`
				}
				s := newServer(t, answering(wide, `{}`, `{}`), func(c *Config) { c.ResultTokens = tokens })
				p, err := s.preview(t.Context(), bound(t, tool, arguments))
				if err != nil {
					t.Fatal(err)
				}
				var o object
				p.append(&o)
				if n := len(p.What) + len(o.bytes()); n > max(s.budget, 1000) || n > 6000 {
					t.Errorf("%s with %d tokens: a preview of %d bytes", tool, tokens, n)
				}
			}
		}
	}
}

func TestFirstWord(t *testing.T) {
	for sql, want := range map[string]string{
		"select 1": "SELECT", "  \n(WITH x AS (SELECT 1) DELETE FROM t)": "WITH", "-- a\n--b\r\n update t": "UPDATE", "/* /* */ select */ drop table t": "DROP",
		"": "", "/* open": "", "--": "", "42": "", "\ufeffselect": "", "merge\tinto t": "MERGE", strings.Repeat("x", 99): strings.Repeat("X", 30),
	} {
		if got := firstWord(sql); got != want {
			t.Errorf("%q begins with %q, not %q", sql, got, want)
		}
	}
}
