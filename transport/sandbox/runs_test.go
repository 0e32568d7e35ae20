package sandbox

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func (c caller) runNow(body object) json.Number {
	c.t.Helper()
	return c.call("POST", jobsPath+"run-now", body)["run_id"].(json.Number)
}

func (c caller) run(id json.Number) map[string]any {
	c.t.Helper()
	return c.get(jobsPath + "runs/get?run_id=" + id.String())
}

// brief is "PENDING", or with an end "TERMINATED/SUCCESS", in the old model and
// the new one.
func brief(run any) (legacy, current string) {
	state, status := run.(map[string]any)["state"].(map[string]any), run.(map[string]any)["status"].(map[string]any)
	legacy, current = state["life_cycle_state"].(string), status["state"].(string)
	if result, ok := state["result_state"].(string); ok {
		legacy += "/" + result
	}
	if details, ok := status["termination_details"].(map[string]any); ok {
		current += "/" + details["code"].(string) + "/" + details["type"].(string)
	}
	return legacy, current
}

// ends is the old state of each task of a run, by key; of the newest attempt.
func ends(run map[string]any) map[string]string {
	out := map[string]string{}
	for _, t := range run["tasks"].([]any) {
		out[t.(map[string]any)["task_key"].(string)], _ = brief(t)
	}
	return out
}

func TestRunLife(t *testing.T) {
	ana, _, clock := newCallers(t)
	job := ana.createJob(object{"name": "n", "tasks": []object{task("a"), task("b", "a")}, "parameters": parameters("x", "1")})
	id := ana.runNow(object{"job_id": job, "job_parameters": object{"x": "2", "extra": "3"}})
	step := func(d time.Duration, legacy, current string, tasks map[string]string) map[string]any {
		t.Helper()
		clock.advance(d)
		got := ana.run(id)
		if l, c := brief(got); l != legacy || c != current || !reflect.DeepEqual(ends(got), tasks) {
			t.Fatalf("after %s: %s, %s, %v", d, l, c, ends(got))
		}
		return got
	}
	first := step(0, "PENDING", "PENDING", map[string]string{"a": "PENDING", "b": "BLOCKED"})
	if first["end_time"] != json.Number("0") || first["number_in_job"] != id || first["trigger"] != "ONE_TIME" || first["run_type"] != "JOB_RUN" {
		t.Error(first)
	}
	if jsonText(first["job_parameters"]) != `[{"default":"1","name":"x","value":"2"},{"name":"extra","value":"3"}]` {
		t.Error(first["job_parameters"])
	}
	step(quickSetup, "RUNNING", "RUNNING", map[string]string{"a": "RUNNING", "b": "BLOCKED"})
	step(5*time.Second, "RUNNING", "RUNNING", map[string]string{"a": "TERMINATED/SUCCESS", "b": "RUNNING"})
	last := step(time.Minute, "TERMINATED/SUCCESS", "TERMINATED/SUCCESS/SUCCESS", map[string]string{"a": "TERMINATED/SUCCESS", "b": "TERMINATED/SUCCESS"})
	if last["end_time"] == json.Number("0") || last["execution_duration"] != json.Number("0") || last["run_duration"] == json.Number("0") {
		t.Error("a run of many tasks has a run_duration and no execution_duration:", last)
	}
	if again := ana.run(id); jsonText(again) != jsonText(last) {
		t.Error("a finished run changed")
	}

	a := last["tasks"].([]any)[0].(map[string]any)["run_id"].(json.Number)
	alone := ana.run(a)
	if alone["job_run_id"] != id || len(alone["tasks"].([]any)) != 1 || alone["run_name"] != "a" {
		t.Error("the run of a task:", alone)
	}
	output := ana.get(jobsPath + "runs/get-output?run_id=" + a.String())
	if output["error"] != nil || output["notebook_output"].(map[string]any)["result"] == nil || output["metadata"].(map[string]any)["run_id"] != a {
		t.Error(output)
	}
	why := ana.refused("GET", jobsPath+"runs/get-output?run_id="+id.String(), nil, 400, "INVALID_PARAMETER_VALUE")
	if !strings.HasPrefix(why, "Retrieving the output of runs with multiple tasks is not supported") {
		t.Error(why)
	}
}

// Ids are exact where a float64 is not.
func TestRunIDs(t *testing.T) {
	ana, _, _ := newCallers(t)
	job := ana.createJob(object{"tasks": []object{task("a")}})
	seen := map[json.Number]bool{}
	for range 5 {
		id := ana.runNow(object{"job_id": job})
		n, err := id.Int64()
		if err != nil || int64(float64(n)) == n || seen[id] {
			t.Error(id, err)
		}
		seen[id] = true
		if got := ana.run(id); got["run_id"] != id {
			t.Error(got["run_id"])
		}
		ana.refused("GET", fmt.Sprintf("%sruns/get?run_id=%d", jobsPath, n-1), nil, 400, "INVALID_PARAMETER_VALUE")
	}
	if failing := ana.get(jobsPath + fmt.Sprintf("get?job_id=%d", int64(failingJobID))); failing["job_id"] != json.Number("9221120237041091") {
		t.Error(failing["job_id"])
	}
}

func TestIdempotencyToken(t *testing.T) {
	ana, _, clock := newCallers(t)
	job, other := ana.createJob(object{"tasks": []object{task("a")}}), ana.createJob(object{"tasks": []object{task("a")}})
	body := object{"job_id": job, "idempotency_token": "tok"}
	id := ana.runNow(body)
	clock.advance(time.Hour)
	if again := ana.runNow(body); again != id {
		t.Error("one token started two runs")
	}
	if fresh := ana.runNow(object{"job_id": other, "idempotency_token": "tok"}); fresh == id {
		t.Error("a token counts per job")
	}
	if runs := ana.get(jobsPath + "runs/list?job_id=" + job.String())["runs"].([]any); len(runs) != 1 {
		t.Error(len(runs))
	}
	ana.call("POST", jobsPath+"runs/delete", object{"run_id": id})
	ana.refused("POST", jobsPath+"run-now", body, 400, "INVALID_PARAMETER_VALUE") // stays bound
	ana.refused("POST", jobsPath+"run-now", object{"job_id": job, "idempotency_token": strings.Repeat("x", 65)}, 400, "INVALID_PARAMETER_VALUE")
	submit := object{"idempotency_token": "tok", "tasks": []object{task("a")}}
	one, two := ana.call("POST", jobsPath+"runs/submit", submit), ana.call("POST", jobsPath+"runs/submit", submit)
	if one["run_id"] != two["run_id"] {
		t.Error("one token submitted two runs")
	}
}

// The seeded job that always fails: what failed, why, and what helps.
func TestFailingJob(t *testing.T) {
	ana, _, clock := newCallers(t)
	path := fmt.Sprintf("%sruns/list?job_id=%d&limit=0", jobsPath, int64(failingJobID))
	history := ana.get(path)["runs"].([]any)
	if len(history) != 25 {
		t.Error(len(history))
	}
	for _, r := range history {
		if legacy, current := brief(r); legacy != "INTERNAL_ERROR/FAILED" || current != "TERMINATED/RUN_EXECUTION_ERROR/CLIENT_ERROR" {
			t.Fatal(legacy, current)
		}
	}
	id := ana.runNow(object{"job_id": failingJobID})
	clock.advance(time.Minute)
	run := ana.run(id)
	if got := ends(run); !reflect.DeepEqual(got, map[string]string{
		"extract_orders": "TERMINATED/SUCCESS", "build_features": "TERMINATED/FAILED", "publish_features": "SKIPPED/UPSTREAM_FAILED",
	}) {
		t.Error(got)
	}
	message := run["state"].(map[string]any)["state_message"].(string)
	if message != "Task build_features failed with message: Workload failed, see run output for details. This caused all downstream tasks to get skipped." {
		t.Error(message)
	}
	for _, entry := range run["tasks"].([]any) {
		if entry := entry.(map[string]any); entry["task_key"] == "build_features" {
			out := ana.get(jobsPath + "runs/get-output?run_id=" + entry["run_id"].(json.Number).String())
			if !strings.Contains(out["error"].(string), "`order_dt` cannot be resolved") || !strings.Contains(out["error_trace"].(string), "line 11") {
				t.Error(out)
			}
		}
	}
	good := ana.runNow(object{"job_id": failingJobID, "job_parameters": object{"event_column": "order_date"}})
	clock.advance(time.Minute)
	if legacy, _ := brief(ana.run(good)); legacy != "TERMINATED/SUCCESS" {
		t.Error("the advice of the error does not help:", legacy)
	}
	// The same by repair: the run id stays, the failed task and what depends on
	// it run again.
	repair := ana.call("POST", jobsPath+"runs/repair", object{"run_id": id, "rerun_all_failed_tasks": true, "job_parameters": object{"event_column": "order_date"}})
	if legacy, _ := brief(ana.run(id)); legacy != "PENDING" {
		t.Error("a repaired run runs again:", legacy)
	}
	ana.refused("POST", jobsPath+"runs/repair", object{"run_id": id, "rerun_all_failed_tasks": true}, 400, "INVALID_STATE")
	clock.advance(time.Minute)
	repaired := ana.get(jobsPath + "runs/get?include_history=true&run_id=" + id.String())
	if legacy, _ := brief(repaired); legacy != "TERMINATED/SUCCESS" || len(repaired["tasks"].([]any)) != 5 {
		t.Error(legacy, ends(repaired))
	}
	parts := repaired["repair_history"].([]any)
	if len(parts) != 2 || parts[1].(map[string]any)["id"] != repair["repair_id"] {
		t.Fatal(parts)
	}
	if legacy, _ := brief(parts[0]); legacy != "INTERNAL_ERROR/FAILED" {
		t.Error("history rewrote itself:", legacy)
	}
	ana.refused("POST", jobsPath+"runs/repair", object{"run_id": id, "rerun_tasks": []string{"build_features"}}, 400, "INVALID_PARAMETER_VALUE") // not the latest repair
	ana.call("POST", jobsPath+"runs/repair", object{"run_id": id, "rerun_tasks": []string{"build_features"}, "latest_repair_id": repair["repair_id"]})
}

func TestConditionsAndRunIf(t *testing.T) {
	ana, _, clock := newCallers(t)
	check := func(op, left, right string) object {
		return work("check", "condition_task", object{"op": op, "left": left, "right": right})
	}
	after := func(key, outcome string) object {
		return with(task(key), object{"depends_on": []object{{"task_key": "check", "outcome": outcome}}})
	}
	for _, c := range []struct {
		check object
		want  string
	}{
		{check("EQUAL_TO", "{{job.parameters.mode}}", "full"), "true"},
		{check("NOT_EQUAL", "{{ job.parameters.mode }}", "full"), "false"},
		{check("GREATER_THAN", "10", "9"), "true"}, // numbers, not texts
		{check("LESS_THAN_OR_EQUAL", "10", "9"), "false"},
		{check("GREATER_THAN_OR_EQUAL", "9", "9.0"), "true"},
		{check("LESS_THAN", "x", "9"), "false"},
		{check("EQUAL_TO", "{{job.start_time.iso_weekday}}", "1"), "true"}, // the clock begins on a Monday
	} {
		job := ana.createJob(object{"parameters": parameters("mode", "full"), "tasks": []object{
			c.check, after("yes", "true"), after("no", "false"), with(task("end", "yes", "no"), object{"run_if": "NONE_FAILED"}),
		}})
		id := ana.runNow(object{"job_id": job})
		clock.advance(time.Minute)
		got := ana.run(id)
		ran, left := "yes", "no"
		if c.want == "false" {
			ran, left = left, ran
		}
		want := map[string]string{"check": "TERMINATED/SUCCESS", ran: "TERMINATED/SUCCESS", left: "SKIPPED/EXCLUDED", "end": "TERMINATED/SUCCESS"}
		outcome := got["tasks"].([]any)[0].(map[string]any)["condition_task"].(map[string]any)["outcome"]
		if !reflect.DeepEqual(ends(got), want) || outcome != c.want {
			t.Errorf("%v: %v %v", c.check, outcome, ends(got))
		}
		clock.advance(-time.Minute)
	}
}

func TestGate(t *testing.T) {
	up := func(results ...string) (out []*attempt) {
		for _, r := range results {
			out = append(out, &attempt{task: &taskSpec{Key: r}, result: r})
		}
		return out
	}
	for _, c := range []struct {
		runIf    string
		upstream []*attempt
		want     string
	}{
		{"", nil, ""}, {"", up("SUCCESS", "FAILED"), "UPSTREAM_FAILED"}, {"ALL_SUCCESS", up("SUCCESS", "CANCELED"), "UPSTREAM_CANCELED"},
		{"", up("SUCCESS", "EXCLUDED"), "EXCLUDED"}, {"AT_LEAST_ONE_SUCCESS", up("SUCCESS", "FAILED"), ""}, {"AT_LEAST_ONE_SUCCESS", up("FAILED"), "UPSTREAM_FAILED"},
		{"NONE_FAILED", up("SUCCESS", "EXCLUDED"), ""}, {"NONE_FAILED", up("TIMEDOUT"), "UPSTREAM_FAILED"}, {"ALL_DONE", up("FAILED", "CANCELED"), ""},
		{"AT_LEAST_ONE_FAILED", up("SUCCESS", "FAILED"), ""}, {"AT_LEAST_ONE_FAILED", up("SUCCESS"), "EXCLUDED"},
		{"ALL_FAILED", up("FAILED", "UPSTREAM_FAILED"), ""}, {"ALL_FAILED", up("FAILED", "SUCCESS"), "EXCLUDED"},
	} {
		if got, _ := gate(&taskSpec{RunIf: c.runIf}, c.upstream); got != c.want {
			t.Errorf("%s: %q, want %q", c.runIf, got, c.want)
		}
	}
	if got, _ := gate(&taskSpec{Disabled: true}, nil); got != "DISABLED" {
		t.Error(got)
	}
}

// Each attempt is an entry of its own and appears when the one before has
// ended.
func TestRetries(t *testing.T) {
	ana, _, clock := newCallers(t)
	id := ana.createJob(object{"tasks": []object{with(task("a"), object{"max_retries": 2, "min_retry_interval_millis": 30000}), task("b", "a")}})
	js := ana.w.jobs
	j := js.all[len(js.all)-1]
	j.troubles = []trouble{{task: "a", times: 1, fate: codeError("E", "boom", "f", 1, "x")}}
	run := ana.runNow(object{"job_id": id})
	if got := ana.run(run)["tasks"].([]any); len(got) != 2 {
		t.Error("the second attempt is there before the first has failed:", got)
	}
	clock.advance(10 * time.Second)
	waiting := ana.run(run)["tasks"].([]any)
	if len(waiting) != 3 {
		t.Fatal(waiting)
	}
	var legacy, current []string
	for _, w := range waiting {
		l, c := brief(w)
		legacy, current = append(legacy, l), append(current, c)
	}
	if !reflect.DeepEqual(legacy, []string{"TERMINATED/FAILED", "WAITING_FOR_RETRY", "BLOCKED"}) || current[1] != "WAITING" {
		t.Error(legacy, current)
	}
	clock.advance(time.Minute)
	done := ana.run(run)
	if l, _ := brief(done); l != "TERMINATED/SUCCESS" {
		t.Error("a retry that succeeds does not fail the run:", l)
	}
	second := done["tasks"].([]any)[1].(map[string]any)
	if second["attempt_number"] != json.Number("1") || second["task_key"] != "a" {
		t.Error(second)
	}
	first := done["tasks"].([]any)[0].(map[string]any)["run_id"]
	if alone := ana.run(second["run_id"].(json.Number)); alone["original_attempt_run_id"] != first || alone["attempt_number"] != json.Number("1") {
		t.Error(alone)
	}
}

func TestForEach(t *testing.T) {
	ana, _, clock := newCallers(t)
	id := ana.createJob(object{"parameters": parameters("list", `["a","b","c"]`), "tasks": []object{
		work("loop", "for_each_task", object{"inputs": "{{job.parameters.list}}", "concurrency": 2, "task": task("inner")}),
	}})
	run := ana.runNow(object{"job_id": id})
	clock.advance(2 * time.Second)
	loop := ana.run(run)["tasks"].([]any)[0].(map[string]any)
	stats := loop["for_each_task"].(map[string]any)["stats"].(map[string]any)["task_run_stats"].(map[string]any)
	if stats["total_iterations"] != json.Number("3") || stats["active_iterations"] != json.Number("2") {
		t.Error(stats)
	}
	clock.advance(time.Minute)
	whole := ana.run(loop["run_id"].(json.Number))
	iterations := whole["iterations"].([]any)
	if len(iterations) != 3 || whole["tasks"] != nil && len(whole["tasks"].([]any)) != 0 {
		t.Fatal(whole)
	}
	output := ana.get(jobsPath + "runs/get-output?run_id=" + iterations[2].(map[string]any)["run_id"].(json.Number).String())
	if output["notebook_output"] == nil {
		t.Error(output)
	}
}

func TestCancelRun(t *testing.T) {
	ana, ben, clock := newCallers(t)
	job := ana.createJob(object{"tasks": []object{task("a"), task("b", "a")}})
	id := ana.runNow(object{"job_id": job})
	clock.advance(1500 * time.Millisecond)
	ben.refused("POST", jobsPath+"runs/cancel", object{"run_id": id}, 403, "PERMISSION_DENIED")
	ana.call("POST", jobsPath+"runs/cancel", object{"run_id": id})
	if legacy, current := brief(ana.run(id)); legacy != "TERMINATING" || current != "TERMINATING/USER_CANCELED/CLIENT_ERROR" {
		t.Error(legacy, current)
	}
	clock.advance(cancelling)
	got := ana.run(id)
	if legacy, current := brief(got); legacy != "TERMINATED/CANCELED" || current != "TERMINATED/USER_CANCELED/CLIENT_ERROR" {
		t.Error(legacy, current)
	}
	if tasks := ends(got); tasks["a"] != "TERMINATED/CANCELED" || tasks["b"] != "TERMINATED/CANCELED" {
		t.Error(tasks)
	}
	ana.call("POST", jobsPath+"runs/cancel", object{"run_id": id}) // finished: nothing happens
	if jsonText(ana.run(id)) != jsonText(got) {
		t.Error("cancelling a finished run changed it")
	}
	why := ana.refused("POST", jobsPath+"runs/cancel", object{"run_id": 1}, 400, "INVALID_PARAMETER_VALUE")
	if why != "Run 1 does not exist." {
		t.Error(why)
	}
}

func TestTimeouts(t *testing.T) {
	ana, _, clock := newCallers(t)
	job := ana.createJob(object{"timeout_seconds": 2, "tasks": []object{task("a"), task("b", "a")}})
	id := ana.runNow(object{"job_id": job})
	other := ana.createJob(object{"tasks": []object{with(task("a"), object{"timeout_seconds": 2}), with(task("b", "a"), object{"run_if": "ALL_DONE"})}})
	part := ana.runNow(object{"job_id": other})
	clock.advance(time.Minute)
	if legacy, current := brief(ana.run(id)); legacy != "TERMINATED/TIMEDOUT" || current != "TERMINATED/CANCELED/CLIENT_ERROR" {
		t.Error(legacy, current)
	}
	if legacy, _ := brief(ana.run(part)); legacy != "TERMINATED/SUCCESS_WITH_FAILURES" {
		t.Error("a task that is no leaf timed out:", legacy)
	}
}

func TestQueue(t *testing.T) {
	ana, _, clock := newCallers(t)
	job := ana.createJob(object{"tasks": []object{task("a")}})
	first, second, third := ana.runNow(object{"job_id": job}), ana.runNow(object{"job_id": job}), ana.runNow(object{"job_id": job})
	queued := ana.run(second)
	if legacy, current := brief(queued); legacy != "QUEUED" || current != "QUEUED" ||
		queued["status"].(map[string]any)["queue_details"].(map[string]any)["code"] != "MAX_CONCURRENT_RUNS_REACHED" {
		t.Error(queued)
	}
	if got := ends(queued); got["a"] != "QUEUED" {
		t.Error(got)
	}
	ana.call("POST", jobsPath+"runs/cancel", object{"run_id": second})
	if legacy, _ := brief(ana.run(second)); legacy != "TERMINATED/CANCELED" {
		t.Error("a cancelled queued run:", legacy)
	}
	clock.advance(time.Minute)
	one, three := ana.run(first), ana.run(third)
	if one["end_time"] != three["start_time"] {
		t.Error("the third began", three["start_time"], "though the first ended", one["end_time"])
	}
	if legacy, _ := brief(three); legacy != "TERMINATED/SUCCESS" || three["queue_duration"] == json.Number("0") {
		t.Error(legacy, three["queue_duration"])
	}
	ana.runNow(object{"job_id": job})
	skipped := ana.run(ana.runNow(object{"job_id": job, "queue": object{"enabled": false}}))
	if legacy, current := brief(skipped); legacy != "SKIPPED/MAXIMUM_CONCURRENT_RUNS_REACHED" || current != "TERMINATED/MAX_CONCURRENT_RUNS_EXCEEDED/CLIENT_ERROR" {
		t.Error(legacy, current)
	}
	// Made through API 2.1 a job does not queue.
	old := ana.call("POST", "/api/2.1/jobs/create", object{"tasks": []object{task("a")}})["job_id"]
	ana.runNow(object{"job_id": old})
	if legacy, _ := brief(ana.run(ana.runNow(object{"job_id": old}))); legacy != "SKIPPED/MAXIMUM_CONCURRENT_RUNS_REACHED" {
		t.Error(legacy)
	}
	ana.call("POST", jobsPath+"runs/cancel-all", object{"job_id": old})
	clock.advance(cancelling)
	if got := ana.get(jobsPath + "runs/list?active_only=true&job_id=" + old.(json.Number).String()); got["runs"] != nil {
		t.Error(got)
	}
	ana.refused("POST", jobsPath+"runs/cancel-all", object{}, 400, "INVALID_PARAMETER_VALUE")
}

func TestRunNowSelection(t *testing.T) {
	ana, _, _ := newCallers(t)
	job := ana.createJob(object{"max_concurrent_runs": 100, "tasks": []object{task("a"), task("b", "a"), task("c", "b"), task("d")}})
	for only, want := range map[string][]string{
		"b": {"b"}, "+b": {"a", "b"}, "b+": {"b", "c"}, "+b+": {"a", "b", "c"}, "d": {"d"},
	} {
		got := ana.run(ana.runNow(object{"job_id": job, "only": []string{only}}))
		have := ends(got)
		if len(have) != len(want) {
			t.Errorf("%s: %v", only, have)
		}
		for _, key := range want {
			if have[key] == "" {
				t.Errorf("%s: %s is missing: %v", only, key, have)
			}
		}
	}
	for _, body := range []object{
		{"only": []string{"z"}}, {"notebook_params": object{"a": "b"}, "jar_params": []string{"c"}},
		{"notebook_params": object{"a": "b"}, "job_parameters": object{"a": "b"}}, {"python_params": []string{strings.Repeat("x", 10000)}},
	} {
		ana.refused("POST", jobsPath+"run-now", with(body, object{"job_id": job}), 400, "INVALID_PARAMETER_VALUE")
	}
	ana.refused("POST", jobsPath+"run-now", object{"job_id": job, "job_parameters": object{"a": 1}}, 400, "MALFORMED_REQUEST") // values are texts
	legacy := ana.run(ana.runNow(object{"job_id": job, "notebook_params": object{"day": "1"}}))
	if jsonText(legacy["overriding_parameters"]) != `{"notebook_params":{"day":"1"}}` {
		t.Error(legacy["overriding_parameters"])
	}
}

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
