package tools

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"brickmcp/catalog"
	"brickmcp/transport/sandbox"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

const sampleJob = `{"name":"sample","description":"d","max_concurrent_runs":2,"timeout_seconds":3600,
	"tags":{"team":"a","env":"dev"},
	"schedule":{"quartz_cron_expression":"0 0 6 * * ?","timezone_id":"UTC","pause_status":"PAUSED"},
	"job_clusters":[{"job_cluster_key":"small","new_cluster":{"spark_version":"16.4.x-scala2.12","node_type_id":"i3.xlarge","num_workers":1}}],
	"parameters":[{"name":"day","default":"today"}],
	"tasks":[{"task_key":"extract","notebook_task":{"notebook_path":"/Shared/x"},"job_cluster_key":"small"},
		{"task_key":"load","notebook_task":{"notebook_path":"/Shared/y"},"depends_on":[{"task_key":"extract"}],"job_cluster_key":"small"}]}`

// undoText makes a call and returns its undo, as a server would.
func undoText(t *testing.T, s *Server, tool, arguments, auditCall string) (text string, earlier json.RawMessage) {
	t.Helper()
	call := bound(t, tool, arguments)
	earlier, err := s.earlier(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	answer := succeed(t, s, tool, arguments)
	return undo(call, earlier, []byte(answer), auditCall), earlier
}

// follow makes the call of an undo that is one, or puts in what audit kept.
func follow(t *testing.T, s *Server, text string, earlier json.RawMessage) {
	t.Helper()
	tool, arguments, _ := strings.Cut(text, " ")
	if strings.HasPrefix(text, "the earlier settings are in audit line c-1 ") && strings.Contains(text, "jobs_reset") {
		tool, arguments = "jobs_reset", string(earlier)
	}
	if catalog.Find(tool) == nil || !gjson.Valid(arguments) {
		t.Fatalf("the undo is no call: %q", text)
	}
	send(t, s, tool, arguments)
}

func settingsNow(t *testing.T, s *Server, id string) string {
	t.Helper()
	job, _, err := s.job(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return string(canonical(json.RawMessage(job.Raw)))
}

// TestUndoOfAJobChange: apply, undo, compare.
func TestUndoOfAJobChange(t *testing.T) {
	s := inSandbox(t, sandbox.Token, sandbox.Options{})
	long := strings.Repeat("x", 700)
	for _, c := range []struct {
		name, tool, arguments, says string
	}{
		{"a field", "jobs_update", `{"job_id":"ID","new_settings":{"timeout_seconds":60}}`, `jobs_update {"job_id":"ID","new_settings":{"timeout_seconds":3600}}`},
		{"a new field", "jobs_update", `{"job_id":ID,"new_settings":{"health":{"rules":[{"metric":"RUN_DURATION_SECONDS","op":"GREATER_THAN","value":60}]}}}`, `"fields_to_remove":["health"]`},
		{"a removed field", "jobs_update", `{"job_id":"ID","fields_to_remove":["schedule"]}`, `0 0 6 * * ?`},
		{"a changed task and a new one", "jobs_update", `{"job_id":"ID","new_settings":{"tasks":[{"task_key":"load","notebook_task":{"notebook_path":"/Shared/z"},"job_cluster_key":"small"},{"task_key":"check","notebook_task":{"notebook_path":"/Shared/c"},"job_cluster_key":"small"}]}}`, `"fields_to_remove":["tasks/check"]`},
		{"a removed task", "jobs_update", `{"job_id":"ID","fields_to_remove":["tasks/load"]}`, `/Shared/y`},
		{"a changed parameter", "jobs_update", `{"job_id":"ID","new_settings":{"parameters":[{"name":"day","default":"now"}]}}`, `jobs_update`},
		{"a new parameter", "jobs_update", `{"job_id":"ID","new_settings":{"parameters":[{"name":"more","default":"1"}]}}`, `audit line c-1`},
		{"set and removed", "jobs_update", `{"job_id":"ID","new_settings":{"tags":{"x":"y"}},"fields_to_remove":["tags"]}`, `audit line c-1`},
		{"a task set and removed", "jobs_update", `{"job_id":"ID","new_settings":{"tasks":[{"task_key":"load","notebook_task":{"notebook_path":"/Shared/z"},"job_cluster_key":"small"}]},"fields_to_remove":["tasks/load"]}`, `audit line c-1`},
		{"a long one", "jobs_update", `{"job_id":"ID","new_settings":{"description":"` + long + `"}}`, `"description":"d"`},
		{"a reset", "jobs_reset", `{"job_id":"ID","new_settings":{"name":"other","tasks":[]}}`, `audit line c-1`},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := send(t, s, "jobs_create", sampleJob).Get("job_id").Raw
			before := settingsNow(t, s, id)
			text, earlier := undoText(t, s, c.tool, strings.ReplaceAll(c.arguments, "ID", id), "c-1")
			if says := strings.ReplaceAll(c.says, "ID", id); !strings.Contains(text, says) {
				t.Errorf("%q is not in the undo: %s", says, text)
			}
			if len(text) > maxUndo {
				t.Errorf("an undo of %d bytes", len(text))
			}
			if settingsNow(t, s, id) == before {
				t.Fatal("the call changed nothing: the case tests nothing")
			}
			follow(t, s, text, earlier)
			if after := settingsNow(t, s, id); after != before {
				t.Errorf("before: %s\n after: %s", before, after)
			}
		})
	}
}

func TestUndoOfASmallReset(t *testing.T) {
	s := inSandbox(t, sandbox.Token, sandbox.Options{})
	id := send(t, s, "jobs_create", `{"name":"small"}`).Get("job_id").Raw
	before := settingsNow(t, s, id)
	text, earlier := undoText(t, s, "jobs_reset", `{"job_id":"`+id+`","new_settings":{"name":"other"}}`, "")
	if !strings.HasPrefix(text, `jobs_reset {"job_id":"`) {
		t.Fatalf("undo: %s", text)
	}
	follow(t, s, text, earlier)
	if after := settingsNow(t, s, id); after != before {
		t.Errorf("before: %s\n after: %s", before, after)
	}
}

func TestNothingToUndo(t *testing.T) {
	s := inSandbox(t, sandbox.Token, sandbox.Options{})
	id := send(t, s, "jobs_create", sampleJob).Get("job_id").Raw
	settings := gjson.Get(settingsNow(t, s, id), "settings").Raw
	for _, c := range [][2]string{
		{"jobs_update", `{"job_id":"` + id + `","new_settings":{"timeout_seconds":3600,"parameters":[{"name":"day","default":"today"}]}}`},
		{"jobs_update", `{"job_id":"` + id + `"}`},
		{"jobs_reset", `{"job_id":"` + id + `","new_settings":` + settings + `}`},
	} {
		if text, _ := undoText(t, s, c[0], c[1], "c-1"); text != "" {
			t.Errorf("%s %s: %s", c[0], c[1], text)
		}
	}
	// Without audit a long one has no way back.
	if text, _ := undoText(t, s, "jobs_reset", `{"job_id":"`+id+`","new_settings":{"name":"x"}}`, ""); text != "" {
		t.Errorf("without audit: %s", text)
	}
}

func TestUndoOfADelete(t *testing.T) {
	s := inSandbox(t, sandbox.Token, sandbox.Options{})
	id := send(t, s, "jobs_create", sampleJob).Get("job_id").Raw
	before := gjson.Get(settingsNow(t, s, id), "settings").Raw
	text, earlier := undoText(t, s, "jobs_delete", `{"job_id":"`+id+`"}`, "c-1")
	if !strings.Contains(text, "jobs_create") || !strings.Contains(text, "audit line c-1") || !strings.Contains(text, "new id") {
		t.Errorf("undo: %s", text)
	}
	again := send(t, s, "jobs_create", string(earlier)).Get("job_id").Raw
	if after := gjson.Get(settingsNow(t, s, again), "settings").Raw; after != before || again == id {
		t.Errorf("before: %s\n after: %s", before, after)
	}
}

// TestUndoOfGrants: apply, undo, compare.
func TestUndoOfGrants(t *testing.T) {
	const table = `"securable_type":"table","full_name":"main.retail.orders"`
	s := inSandbox(t, sandbox.Token, sandbox.Options{})
	send(t, s, "uc_update_grants", `{`+table+`,"changes":[{"principal":"ben@example.com","add":["SELECT","MODIFY"]},{"principal":"carla@example.com","remove":["ALL_PRIVILEGES"]}]}`)
	now := func() string {
		return send(t, s, "uc_get_grants", `{`+table+`}`).Get("privilege_assignments").Raw
	}
	for _, c := range []struct{ changes, want string }{
		{`[{"principal":"carla@example.com","add":["SELECT"]}]`, `[{"principal":"carla@example.com","remove":["SELECT"]}]`},
		{`[{"principal":"BEN@example.com","add":["SELECT"],"remove":["modify"]}]`, `[{"principal":"ben@example.com","add":["MODIFY"]}]`},
		{`[{"principal":"ben@example.com","remove":["ALL_PRIVILEGES"]}]`, `[{"principal":"ben@example.com","add":["MODIFY","SELECT"]}]`},
		{`[{"principal":"ben@example.com","add":["ALL PRIVILEGES"]}]`, `[{"principal":"ben@example.com","add":["MODIFY","SELECT"],"remove":["ALL_PRIVILEGES"]}]`},
		{`[{"principal":"ben@example.com","add":["SELECT"]}]`, ``},
		{`[{"principal":"carla@example.com","remove":["SELECT"]}]`, ``},
		{`[{"principal":"carla@example.com","add":["SELECT"]},{"principal":"ben@example.com","remove":["SELECT"]}]`, `[{"principal":"carla@example.com","remove":["SELECT"]},{"principal":"ben@example.com","add":["SELECT"]}]`},
	} {
		before := now()
		text, _ := undoText(t, s, "uc_update_grants", `{`+table+`,"changes":`+c.changes+`}`, "")
		want := ""
		if c.want != "" {
			want = `uc_update_grants {` + table + `,"changes":` + c.want + `}`
		}
		if text != want {
			t.Errorf("%s: undo is %s, not %s", c.changes, text, want)
		}
		if changed := now() != before; changed != (want != "") {
			t.Errorf("%s: changed is %v", c.changes, changed)
		}
		if text != "" {
			follow(t, s, text, nil)
		}
		if after := now(); after != before {
			t.Errorf("%s: before %s, after %s", c.changes, before, after)
		}
	}
}

func TestEarlierGrantsAreOfThoseNamed(t *testing.T) {
	s := inSandbox(t, sandbox.Token, sandbox.Options{})
	const table = `"securable_type":"table","full_name":"main.retail.orders"`
	send(t, s, "uc_update_grants", `{`+table+`,"changes":[{"principal":"ben@example.com","add":["SELECT"]},{"principal":"carla@example.com","add":["SELECT"]}]}`)
	earlier, err := s.earlier(t.Context(), bound(t, "uc_update_grants", `{`+table+`,"changes":[{"principal":"Ben@example.com","add":["MODIFY"]}]}`))
	if want := `{"privilege_assignments":[{"principal":"ben@example.com","privileges":["SELECT"]}]}`; err != nil || string(earlier) != want {
		t.Errorf("%s, %v", earlier, err)
	}
}

// Of what is a secret, neither audit nor undo learns anything.
func TestUndoHidesSecrets(t *testing.T) {
	s := inSandbox(t, sandbox.Token, sandbox.Options{})
	cluster := func(key string) string {
		return `{"job_cluster_key":"c","new_cluster":{"spark_version":"16.4.x-scala2.12","node_type_id":"i3.xlarge","num_workers":1,"spark_conf":{"fs.azure.account.key":"` + key + `"}}}`
	}
	id := send(t, s, "jobs_create", `{"name":"s","job_clusters":[`+cluster("hunter2")+`]}`).Get("job_id").Raw
	arguments := `{"job_id":"` + id + `","new_settings":{"job_clusters":[` + cluster("hunter3") + `]}}`
	p, err := s.preview(t.Context(), bound(t, "jobs_update", arguments))
	if err != nil || !strings.Contains(strings.Join(p.Changes, "\n"), "is written anew (a secret, not shown)") {
		t.Errorf("a secret changes, and the preview is %q, %v", p.Changes, err)
	}
	text, earlier := undoText(t, s, "jobs_update", arguments, "c-1")
	for _, said := range []string{text, string(earlier), p.What, strings.Join(p.Changes, "\n"), string(p.Now)} {
		if strings.Contains(said, "hunter") {
			t.Errorf("a secret is shown: %s", said)
		}
	}
	if !strings.Contains(text, "audit line c-1") || !strings.Contains(text, "secrets are left out") {
		t.Errorf("undo: %s", text)
	}
}

func TestUndoFromTheRow(t *testing.T) {
	for _, c := range []struct{ tool, arguments, answer, want string }{
		{"jobs_create", `{"name":"x"}`, `{"job_id":"9007199254740993"}`, "jobs_delete with job_id 9007199254740993"},
		{"jobs_create", `{"name":"x"}`, `{"job_id":9007199254740993}`, "jobs_delete with job_id 9007199254740993"},
		{"jobs_create", `{"name":"x"}`, `{"ok":true}`, ""},
		{"jobs_run_now", `{"job_id":5}`, `{"run_id":"7"}`, "jobs_cancel_run with run_id 7"},
		{"clusters_start", `{"cluster_id":"c"}`, `{"cluster_id":"c","state":"PENDING"}`, "clusters_terminate with cluster_id c"},
		{"clusters_start", `{"cluster_id":"c"}`, `{"cluster_id":"c","state":"RUNNING","already_started":true}`, ""},
		{"clusters_terminate", `{"cluster_id":"c"}`, `{"ok":true}`, "clusters_start with cluster_id c"},
		{"warehouses_create", `{"name":"w"}`, `{"id":"abc"}`, "warehouses_stop with warehouse_id abc"},
		{"warehouses_stop", `{"warehouse_id":"w"}`, `{"ok":true}`, "warehouses_start with warehouse_id w"},
		{"files_delete", `{"path":"/Volumes/a/b/c/d"}`, `{"ok":true}`, ""},
		{"secrets_put", `{"scope":"s","key":"k","string_value":"v"}`, `{"ok":true}`, ""},
		{"jobs_update", `{"job_id":"5"}`, `{"ok":true}`, ""},
	} {
		if got := undo(bound(t, c.tool, c.arguments), nil, []byte(c.answer), "c-1"); got != c.want {
			t.Errorf("%s %s: %q, not %q", c.tool, c.answer, got, c.want)
		}
	}
}

// Settings of a thousand tasks are kept whole.
func TestEarlierIsWhole(t *testing.T) {
	s := inSandbox(t, sandbox.Token, sandbox.Options{})
	var tasks []string
	for i := range 250 {
		tasks = append(tasks, fmt.Sprintf(`{"task_key":"t%d","notebook_task":{"notebook_path":"/Shared/%s"}}`, i, strings.Repeat("n", 200)))
	}
	id := send(t, s, "jobs_create", `{"name":"wide","tasks":[`+strings.Join(tasks, ",")+`]}`).Get("job_id").Raw
	earlier, err := s.earlier(t.Context(), bound(t, "jobs_reset", `{"job_id":"`+id+`","new_settings":{"name":"x"}}`))
	if n := gjson.GetBytes(earlier, "new_settings.tasks.#").Int(); err != nil || n != 250 || strings.Contains(string(earlier), "…") {
		t.Errorf("%d tasks are kept, %v", n, err)
	}
}

// Whatever an update sets, merges and removes, its undo brings back what was there.
func TestUndoOfManyUpdates(t *testing.T) {
	s := inSandbox(t, sandbox.Token, sandbox.Options{})
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	settings := func() string {
		members := []string{`"name":"` + pick("a", "b") + `"`}
		add := func(member string) {
			if random.IntN(2) == 0 {
				members = append(members, member)
			}
		}
		add(`"timeout_seconds":` + pick("0", "60", "3600"))
		add(`"description":"` + pick("x", "y") + `"`)
		add(`"tags":{"t":"` + pick("1", "2") + `"}`)
		add(`"schedule":{"quartz_cron_expression":"0 0 ` + pick("1", "2") + ` * * ?","timezone_id":"UTC","pause_status":"PAUSED"}`)
		for field, element := range map[string]string{
			"parameters": `{"name":"%s","default":"%s"}`, "tasks": `{"task_key":"%s","notebook_task":{"notebook_path":"/%s"},"existing_cluster_id":"0412-083015-retail01"}`,
		} {
			var elements []string
			for _, key := range []string{"k", "l", "m"} {
				if random.IntN(3) > 0 {
					elements = append(elements, fmt.Sprintf(element, key, pick("p", "q")))
				}
			}
			add(`"` + field + `":[` + strings.Join(elements, ",") + `]`)
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	byUpdate := 0
	for range 300 {
		id := send(t, s, "jobs_create", settings()).Get("job_id").Raw
		before := settingsNow(t, s, id)
		var remove []string
		for _, path := range []string{"tags", "schedule", "tasks", "tasks/k", "tasks/l", "parameters"} {
			field, _, _ := strings.Cut(path, "/")
			if random.IntN(5) == 0 && gjson.Get(before, "settings."+field).Exists() && (field == path || strings.Contains(before, `"task_key":"`+path[len(field)+1:])) {
				remove = append(remove, path)
			}
		}
		if slices.Contains(remove, "tasks") { // what is gone cannot be removed again
			remove = slices.DeleteFunc(remove, func(path string) bool { return strings.HasPrefix(path, "tasks/") })
		}
		removed, err := json.Marshal(append([]string{}, remove...))
		if err != nil {
			t.Fatal(err)
		}
		arguments := `{"job_id":"` + id + `","new_settings":` + settings() + `,"fields_to_remove":` + string(removed) + `}`
		text, earlier := undoText(t, s, "jobs_update", arguments, "c-1")
		changed := settingsNow(t, s, id)
		if text == "" {
			if changed != before {
				t.Errorf("no undo of %s on %s", arguments, before)
			}
			continue
		}
		if strings.HasPrefix(text, "jobs_update") {
			byUpdate++
		}
		follow(t, s, text, earlier)
		if after := settingsNow(t, s, id); inAnyOrder(t, after) != inAnyOrder(t, before) {
			t.Errorf("update %s\n  undo %s\nbefore %s\n after %s", arguments, text, before, after)
		}
	}
	if byUpdate < 100 {
		t.Errorf("only %d of 300 were undone by an update", byUpdate)
	}
}

// inAnyOrder is a job without the order of its tasks and parameters, which says
// nothing: one that was removed comes back as the last.
func inAnyOrder(t *testing.T, job string) string {
	t.Helper()
	for _, field := range []string{"settings.tasks", "settings.parameters"} {
		var elements []string
		for _, element := range gjson.Get(job, field).Array() {
			elements = append(elements, element.Raw)
		}
		slices.Sort(elements)
		sorted, err := sjson.SetRaw(job, field, "["+strings.Join(elements, ",")+"]")
		if err != nil {
			t.Fatal(err)
		}
		job = sorted
	}
	return job
}
