package sandbox

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRunsList(t *testing.T) {
	ana, ben, clock := newCallers(t)
	list := func(query string) []any {
		runs, _ := ana.get(jobsPath + "runs/list?" + query)["runs"].([]any)
		return runs
	}
	if got := list(""); len(got) != 20 || got[0].(map[string]any)["tasks"] != nil {
		t.Error(len(got))
	}
	if got := list("limit=0"); len(got) != 25 {
		t.Error("0 is the maximum:", len(got))
	}
	if got := list("expand_tasks=true&limit=1"); len(got[0].(map[string]any)["tasks"].([]any)) == 0 {
		t.Error(got)
	}
	active := list("active_only=true")
	var running []string
	for _, r := range active {
		running = append(running, r.(map[string]any)["run_name"].(string))
	}
	if !slices.Contains(running, "demand_forecast_training") || !slices.Contains(running, "clickstream_ingest") {
		t.Error("running when the workspace begins:", running)
	}
	// Every run once, newest first, in pages of 25.
	seen, last := map[any]bool{}, int64(1<<62)
	for token := ""; ; {
		page := ana.get(jobsPath + "runs/list?limit=25&completed_only=true&page_token=" + url.QueryEscape(token))
		for _, r := range page["runs"].([]any) {
			run := r.(map[string]any)
			start, err := run["start_time"].(json.Number).Int64()
			if err != nil || start > last || seen[run["run_id"]] {
				t.Fatal(start, last, run["run_id"])
			}
			seen[run["run_id"]], last = true, start
		}
		next, more := page["next_page_token"].(string)
		if !more {
			break
		}
		token = next
	}
	if len(seen) < 400 {
		t.Error("history:", len(seen))
	}
	from, to := clock.Now().Add(-24*time.Hour).UnixMilli(), clock.Now().Add(-12*time.Hour).UnixMilli()
	for _, r := range list(fmt.Sprintf("start_time_from=%d&start_time_to=%d", from, to)) {
		if start, _ := r.(map[string]any)["start_time"].(json.Number).Int64(); start < from || start > to {
			t.Error(start)
		}
	}
	ana.call("POST", jobsPath+"runs/submit", object{"run_name": "once", "tasks": []object{task("a")}})
	if got := list("run_type=SUBMIT_RUN"); len(got) != 1 || got[0].(map[string]any)["run_name"] != "once" {
		t.Error(got)
	}
	for _, r := range ben.get(jobsPath + "runs/list?limit=25")["runs"].([]any) {
		if name := r.(map[string]any)["run_name"]; name == "hr_headcount_sync" || name == "once" {
			t.Error("ben sees", name)
		}
	}
	for query, want := range map[string]string{
		"limit=26": "Invalid limit 26", "limit=-1": "Invalid limit -1", "offset=10001": "has exceeded the value of 10000",
		"active_only=true&completed_only=true": "cannot both be true", "run_type=X": "Invalid run_type", "job_id=7": "Job 7 does not exist.",
		"start_time_from=x": "not a 64-bit integer", "page_token=x": "Invalid page token",
	} {
		if why := ana.refused("GET", jobsPath+"runs/list?"+query, nil, 400, "INVALID_PARAMETER_VALUE"); !strings.Contains(why, want) {
			t.Errorf("%s: %s", query, why)
		}
	}
	ben.refused("GET", jobsPath+"runs/list?job_id=7", nil, 403, "PERMISSION_DENIED")
	ben.refused("GET", jobsPath+"runs/get?run_id=7", nil, 403, "PERMISSION_DENIED")
}

func TestRunOfManyTasks(t *testing.T) {
	ana, _, _ := newCallers(t)
	job := ana.get(jobsPath + "list?name=store_replication_full")["jobs"].([]any)[0].(map[string]any)["job_id"].(json.Number)
	id := ana.get(jobsPath + "runs/list?job_id=" + job.String())["runs"].([]any)[0].(map[string]any)["run_id"].(json.Number)
	first := ana.run(id)
	token := first["next_page_token"].(string)
	second := ana.get(jobsPath + "runs/get?run_id=" + id.String() + "&page_token=" + url.QueryEscape(token))
	if len(first["tasks"].([]any)) != 100 || len(second["tasks"].([]any)) != 30 || second["next_page_token"] != nil || second["state"] == nil {
		t.Error(len(first["tasks"].([]any)), len(second["tasks"].([]any)))
	}
	ana.refused("GET", "/api/2.1/jobs/runs/get?run_id="+id.String(), nil, 400, "INVALID_PARAMETER_VALUE")
}

// Schedules fire by the clock, continuous jobs come back, and a clock that
// jumps far does not flood the workspace.
func TestSchedule(t *testing.T) {
	ana, _, clock := newCallers(t)
	job := ana.createJob(object{"tasks": []object{task("a")}, "schedule": object{"quartz_cron_expression": "0 0 * * * ?", "timezone_id": "UTC"}})
	paused := ana.createJob(object{"tasks": []object{task("a")}, "schedule": object{"quartz_cron_expression": "0 0 * * * ?", "timezone_id": "UTC", "pause_status": "PAUSED"}})
	count := func(id json.Number) int {
		runs, _ := ana.get(jobsPath + "runs/list?limit=25&job_id=" + id.String())["runs"].([]any)
		return len(runs)
	}
	clock.advance(3*time.Hour + 30*time.Minute)
	if got := ana.get(jobsPath + "runs/list?job_id=" + job.String())["runs"].([]any); len(got) != 3 || got[0].(map[string]any)["trigger"] != "PERIODIC" {
		t.Error(got)
	}
	if count(paused) != 0 {
		t.Error("a paused schedule fired")
	}
	ana.runNow(object{"job_id": paused}) // which does not keep anybody from running it
	ana.call("POST", jobsPath+"update", object{"job_id": job, "fields_to_remove": []string{"schedule"}})
	clock.advance(24 * time.Hour)
	if got := count(job); got != 3 {
		t.Error("a removed schedule fired:", got)
	}
	clock.advance(10 * 365 * 24 * time.Hour)
	ana.get(jobsPath + "list")
	if n := len(ana.w.jobs.runs); n > 5000 {
		t.Error("runs after ten years:", n)
	}

	stream := ana.createJob(object{"tasks": []object{task("a")}, "continuous": object{"pause_status": "UNPAUSED"}})
	active := func() []any {
		runs, _ := ana.get(jobsPath + "runs/list?active_only=true&job_id=" + stream.String())["runs"].([]any)
		return runs
	}
	if got := active(); len(got) != 1 || got[0].(map[string]any)["trigger"] != "CONTINUOUS" {
		t.Fatal(got)
	}
	old := active()[0].(map[string]any)["run_id"].(json.Number)
	ana.call("POST", jobsPath+"runs/cancel", object{"run_id": old})
	clock.advance(2 * time.Minute)
	if got := active(); len(got) != 1 || got[0].(map[string]any)["run_id"] == old {
		t.Error("a continuous job comes back with a new run:", got)
	}
}

// The same clock makes the same workspace.
func TestSeedIsDeterministic(t *testing.T) {
	one, _, _ := newCallers(t)
	two, _, _ := newCallers(t)
	for _, path := range []string{jobsPath + "list?expand_tasks=true", jobsPath + "runs/list?expand_tasks=true", clustersPath + "list", warehousesPath, principals} {
		if jsonText(one.get(path)) != jsonText(two.get(path)) {
			t.Error(path, "differs")
		}
	}
}
