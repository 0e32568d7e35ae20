package sandbox

import (
	"encoding/json"
	"fmt"
	"reflect"
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

// A notebook that is not there, or that the identity of the run cannot read,
// fails its task; what the run found when it began stays so.
func TestMissingNotebook(t *testing.T) {
	ana, ben, clock := newCallers(t)
	const private = "/Users/ana@example.com/scratch"
	run := func(c caller, path string) map[string]any {
		id := c.call("POST", jobsPath+"runs/submit", object{"tasks": []object{notebook("a", path)}})["run_id"].(json.Number)
		clock.advance(time.Minute)
		return c.run(id)
	}
	if legacy, _ := brief(run(ana, "/Workspace"+private)); legacy != "TERMINATED/SUCCESS" {
		t.Error(legacy)
	}
	for who, got := range map[string]map[string]any{"ben@example.com": run(ben, private), "ana@example.com": run(ana, "/Users/ana@example.com/nope")} {
		legacy, current := brief(got)
		if legacy != "INTERNAL_ERROR/FAILED" || current != "TERMINATED/RESOURCE_NOT_FOUND/CLIENT_ERROR" {
			t.Error(legacy, current)
		}
		task := got["tasks"].([]any)[0].(map[string]any)["run_id"].(json.Number)
		why, _ := ana.get(jobsPath + "runs/get-output?run_id=" + task.String())["error"].(string)
		if !strings.HasPrefix(why, "Unable to access the notebook") || !strings.Contains(why, who) {
			t.Error(why)
		}
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
