package sandbox

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// phase is the state of an attempt at a moment, in the words of the current
// model (status.state).
func (a *attempt) phase(now time.Time) string {
	switch {
	case now.Before(a.ready) && a.number > 0:
		return "WAITING"
	case now.Before(a.ready) && len(a.task.DependsOn) > 0:
		return "BLOCKED"
	case now.Before(a.setup):
		return "PENDING"
	case now.Before(a.stop):
		return "RUNNING"
	case now.Before(a.end):
		return "TERMINATING"
	}
	return "TERMINATED"
}

// states are the two models of one state (contract jobs.md, section 7).
func states(o object, phase, result, code, kind, message string) {
	status, state := object{"state": phase}, object{"life_cycle_state": phase, "state_message": "", "user_cancelled_or_timedout": false}
	o["status"], o["state"] = status, state
	switch phase {
	case "WAITING":
		state["life_cycle_state"] = "WAITING_FOR_RETRY"
	case "PENDING":
		state["state_message"] = "Waiting for cluster"
	case "RUNNING":
		state["state_message"] = "In run"
	}
	if phase != "TERMINATED" && phase != "TERMINATING" {
		return
	}
	status["termination_details"] = object{"code": code, "type": kind, "message": message}
	state["state_message"] = message
	state["user_cancelled_or_timedout"] = result == "CANCELED" || result == "TIMEDOUT"
	if phase == "TERMINATED" {
		state["result_state"] = result
		switch result {
		case "UPSTREAM_FAILED", "UPSTREAM_CANCELED", "EXCLUDED", "DISABLED", "MAXIMUM_CONCURRENT_RUNS_REACHED":
			state["life_cycle_state"] = "SKIPPED"
		}
	}
}

// blame is the type and message of an attempt's end.
func (a *attempt) blame() (kind, message string) {
	switch a.result {
	case "SUCCESS", "DISABLED", "EXCLUDED":
		return "SUCCESS", ""
	case "CANCELED":
		return "CLIENT_ERROR", "Run cancelled."
	case "TIMEDOUT":
		return "CLIENT_ERROR", "Run timed out."
	case "UPSTREAM_FAILED":
		return "CLIENT_ERROR", "An upstream task failed."
	case "UPSTREAM_CANCELED":
		return "CLIENT_ERROR", "An upstream task was canceled."
	}
	if a.code == "RUN_EXECUTION_ERROR" {
		return a.fault.kind, "Workload failed, see run output for details."
	}
	return a.fault.kind, a.fault.message
}

// times fills in when something ran; in milliseconds, 0 for not yet.
func times(o object, now, start, end time.Time) {
	o["start_time"], o["end_time"] = int64(0), int64(0)
	if !now.Before(start) {
		o["start_time"] = millis(start)
	}
	if !now.Before(end) {
		o["end_time"] = millis(end)
	}
}

// span is how much of from…to has passed by now, in milliseconds.
func span(now, from, to time.Time) int64 {
	if now.Before(to) {
		to = now
	}
	return max(0, millis(to)-millis(from))
}

func (r *run) url(req *request, id int64) string {
	return fmt.Sprintf("%s/?o=%s#job/%d/run/%d", req.base(), ID, r.jobID, id)
}

// taskView is RunTask: the task's settings and what became of it.
func (r *run) taskView(req *request, a *attempt) object {
	now := req.now
	o := shownTasks([]any{a.raw})[0].(object)
	o["run_id"], o["attempt_number"], o["run_page_url"] = a.id, a.number, r.url(req, a.id)
	if r.started.IsZero() {
		states(o, "QUEUED", "", "", "", "")
		return o
	}
	phase := a.phase(now)
	kind, message := a.blame()
	states(o, phase, a.result, a.code, kind, message)
	times(o, now, a.ready, a.end)
	o["setup_duration"], o["execution_duration"], o["cleanup_duration"] = span(now, a.ready, a.setup), span(now, a.setup, a.stop), span(now, a.stop, a.end)
	if cluster := r.clusterOf(a); cluster != "" && !now.Before(a.setup) && a.end.After(a.ready) {
		o["cluster_instance"] = object{"cluster_id": cluster, "spark_context_id": strconv.FormatInt(contextID(cluster, r.started), 10)}
	}
	if cond, ok := o["condition_task"].(object); ok && phase == "TERMINATED" {
		cond = clone(cond)
		cond["outcome"] = a.outcome
		o["condition_task"] = cond
	}
	if loop, ok := o["for_each_task"].(object); ok {
		loop = clone(loop)
		loop["stats"] = a.stats(now)
		o["for_each_task"] = loop
	}
	return o
}

// clusterOf is where a task ran: an existing cluster, or the one that the run
// made for a job cluster.
func (r *run) clusterOf(a *attempt) string {
	switch {
	case a.task.Cluster != "":
		return a.task.Cluster
	case a.task.JobCluster != "":
		return r.started.UTC().Format("0102-150405-") + fmt.Sprintf("%08x", uint32(dice(a.task.JobCluster, strconv.FormatInt(r.id, 10))*(1<<32)))
	}
	return ""
}

// stats counts the iterations of a for-each task.
func (a *attempt) stats(now time.Time) object {
	var scheduled, running, done, failed int
	for _, it := range a.iterations {
		if !now.Before(it.ready) {
			scheduled++
		}
		switch phase := it.phase(now); {
		case phase == "TERMINATED" && it.result == "SUCCESS":
			done++
		case phase == "TERMINATED":
			done, failed = done+1, failed+1
		case !now.Before(it.ready):
			running++
		}
	}
	stats := object{"task_run_stats": object{
		"total_iterations": len(a.iterations), "scheduled_iterations": scheduled, "active_iterations": running,
		"completed_iterations": done, "succeeded_iterations": done - failed, "failed_iterations": failed,
	}}
	if failed > 0 {
		stats["error_message_stats"] = []object{{"error_message": a.fault.message, "count": failed, "termination_category": a.code}}
	}
	return stats
}

// visibleAttempts are those that exist by now: a retry appears when the attempt
// before it has ended.
func (r *run) visibleAttempts(now time.Time) []*attempt {
	if !r.started.IsZero() {
		return slices.DeleteFunc(slices.Clone(r.attempts()), func(a *attempt) bool { return now.Before(a.after) })
	}
	var waiting []*attempt
	p := r.parts[0]
	raw, _ := r.settings["tasks"].([]any)
	first := p.first
	for i := range p.spec.Tasks {
		if task := &p.spec.Tasks[i]; p.tasks == nil || p.tasks[task.Key] {
			waiting = append(waiting, &attempt{id: runID(first), task: task, raw: raw[i].(object), part: p})
		}
		first += p.spec.Tasks[i].slots()
	}
	return waiting
}

// view is BaseRun; tasks and the other arrays are added by the callers that
// show them.
func (r *run) view(req *request) object {
	now := req.now
	o := object{
		"run_id": r.id, "job_id": r.jobID, "number_in_job": r.id, "original_attempt_run_id": r.id, "run_name": r.name,
		"run_type": r.kind, "trigger": r.trigger, "creator_user_name": r.creator, "run_page_url": r.url(req, r.id), "format": "MULTI_TASK",
		"setup_duration": int64(0), "execution_duration": int64(0), "cleanup_duration": int64(0),
	}
	if d, ok := r.settings["description"]; ok {
		o["description"] = d
	}
	if s, ok := r.settings["schedule"]; ok && r.trigger == "PERIODIC" {
		o["schedule"] = s
	}
	if g, ok := r.settings["git_source"]; ok {
		o["git_source"] = g
	}
	if r.overriding != nil {
		o["overriding_parameters"] = r.overriding
	}
	if r.started.IsZero() {
		o["start_time"], o["end_time"], o["run_duration"], o["queue_duration"] = millis(r.created), int64(0), int64(0), span(now, r.created, now)
		states(o, "QUEUED", "", "", "", "")
		const why = "Queued due to reaching maximum concurrent runs of the job."
		o["status"].(object)["queue_details"] = object{"code": "MAX_CONCURRENT_RUNS_REACHED", "message": why}
		o["state"].(object)["queue_reason"] = why
		return o
	}
	end := r.end()
	times(o, now, r.started, end)
	o["run_duration"], o["queue_duration"] = span(now, r.started, end), span(now, r.created, r.started)
	if list := r.attempts(); len(list) == 1 {
		a := list[0]
		o["setup_duration"], o["execution_duration"], o["cleanup_duration"] = span(now, a.ready, a.setup), span(now, a.setup, a.stop), span(now, a.stop, a.end)
	}
	r.summary(o, now)
	return o
}

// summary is the state of the whole run.
func (r *run) summary(o object, now time.Time) {
	result, failed := r.result()
	code, kind, message := "SUCCESS", "SUCCESS", ""
	switch result {
	case "CANCELED":
		code, kind, message = "USER_CANCELED", "CLIENT_ERROR", "Run cancelled."
	case "TIMEDOUT":
		code, kind, message = "CANCELED", "CLIENT_ERROR", "Run timed out."
	case "SUCCESS_WITH_FAILURES":
		code = result
	case "MAXIMUM_CONCURRENT_RUNS_REACHED":
		code, kind, message = "MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR", "An active run for the job is already in progress."
	case "FAILED":
		var why string
		code = failed.code
		kind, why = failed.blame()
		message = "Task " + failed.task.Key + " failed with message: " + why
		if slices.ContainsFunc(r.newest(), func(a *attempt) bool { return a.result == "UPSTREAM_FAILED" }) {
			message += " This caused all downstream tasks to get skipped."
		}
	}
	phase := "TERMINATED"
	if now.Before(r.end()) {
		phase = "PENDING"
		for _, a := range r.attempts() {
			if a.part == r.last() && !now.Before(a.setup) && a.end.After(a.ready) {
				phase = "RUNNING"
			}
		}
		if at, _ := r.last().cut(r); !at.IsZero() && !now.Before(at) {
			phase = "TERMINATING"
		}
	}
	states(o, phase, result, code, kind, message)
	if phase == "TERMINATED" && result == "FAILED" {
		o["state"].(object)["life_cycle_state"] = "INTERNAL_ERROR" // not a platform fault, in spite of its name
	}
}

func (r *run) parameterViews() []object {
	var out []object
	for _, p := range r.parameters {
		o := object{"name": p.name, "value": p.value}
		if p.defaultValue != "" {
			o["default"] = p.defaultValue
		}
		out = append(out, o)
	}
	return out
}

// arrays adds the parts of a run that API 2.2 hands out by the hundred.
func (r *run) arrays(req *request, o object) {
	tasks := []object{}
	for _, a := range r.visibleAttempts(req.now) {
		tasks = append(tasks, r.taskView(req, a))
	}
	o["tasks"] = tasks
	if clusters, ok := r.settings["job_clusters"].([]any); ok {
		o["job_clusters"] = clusters
	}
	if params := r.parameterViews(); params != nil {
		o["job_parameters"] = params
	}
}

// repairs is repair_history: the original run and what was repaired.
func (r *run) repairs(req *request) []object {
	var out []object
	for _, p := range r.parts {
		o := object{"type": "ORIGINAL", "start_time": millis(p.from)}
		if p.id != 0 {
			o["type"], o["id"] = "REPAIR", p.id
		}
		// What the run looked like with nothing after this part.
		upTo := *r
		upTo.plan = nil
		upTo.parts = r.parts[:slices.Index(r.parts, p)+1]
		times(o, req.now, p.from, upTo.end())
		upTo.summary(o, req.now)
		ids := []int64{}
		for _, a := range upTo.attempts() {
			if a.part == p {
				ids = append(ids, a.id)
			}
		}
		o["task_run_ids"] = ids
		out = append(out, o)
	}
	return out
}
