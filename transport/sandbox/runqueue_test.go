package sandbox

import (
	"encoding/json"
	"testing"
	"time"
)

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
