package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// taskRun is the Run that runs/get shows for the id of a task run.
func (r *run) taskRun(req *request, a *attempt) object {
	o := r.view(req)
	task := r.taskView(req, a)
	for _, f := range []string{
		"run_id", "state", "status", "start_time", "end_time", "setup_duration", "execution_duration", "cleanup_duration",
		"run_page_url", "attempt_number", "cluster_instance",
	} {
		if v, ok := task[f]; ok {
			o[f] = v
		}
	}
	o["job_run_id"], o["number_in_job"], o["run_name"] = r.id, a.id, a.task.Key
	o["run_duration"] = span(req.now, a.ready, a.end)
	o["original_attempt_run_id"] = a.id
	for _, other := range r.attempts() {
		if other.task == a.task && other.part == a.part && other.number == 0 && !a.iteration {
			o["original_attempt_run_id"] = other.id
		}
	}
	delete(o, "queue_duration")
	if a.task.ForEach == nil || a.iteration {
		o["tasks"] = []object{task}
		return o
	}
	o["tasks"] = []object{}
	iterations := []object{}
	for _, it := range a.iterations {
		if !req.now.Before(it.ready) {
			iterations = append(iterations, r.taskView(req, it))
		}
	}
	o["iterations"] = iterations
	return o
}

// resolvedValues are the parameters of a task with its references filled in.
func (r *run) resolvedValues(a *attempt) object {
	switch {
	case a.task.Condition != nil:
		return object{"condition_task": object{"left": r.resolve(a.part, a.task.Condition.Left), "right": r.resolve(a.part, a.task.Condition.Right)}}
	case a.task.Notebook != nil:
		params := object{}
		for name, v := range a.task.Notebook.Parameters {
			params[name] = r.resolve(a.part, v)
		}
		for _, p := range r.parameters {
			params[p.name] = r.parameter(a.part, p.name)
		}
		return object{"notebook_task": object{"base_parameters": params}}
	}
	return object{}
}

// getOutput answers for task runs alone: the id of a job run is refused, also
// when the job has one task only.
func (js *jobs) getOutput(r *request) (any, error) {
	id, err := r.id("run_id")
	if err != nil {
		return nil, err
	}
	found, task, err := js.find(r.user, r.now, id, "CAN_VIEW")
	if err != nil {
		return nil, err
	}
	if task == nil {
		return nil, badArgument("Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each individual task run instead.")
	}
	out := object{"metadata": found.taskRun(r, task)}
	if task.phase(r.now) != "TERMINATED" || found.started.IsZero() {
		return out, nil
	}
	switch task.result {
	case "FAILED":
		out["error"] = task.fault.message
		if task.fault.trace != "" {
			out["error_trace"] = task.fault.trace
		}
	case "CANCELED":
		out["error"] = "Run cancelled."
	case "TIMEDOUT":
		out["error"] = "Run timed out."
	}
	found.output(task, out)
	return out, nil
}

// output adds what the task itself produced, in the field of its type.
func (r *run) output(a *attempt, out object) {
	done := a.result == "SUCCESS"
	switch a.task.kind {
	case "notebook_task":
		notebook := object{"truncated": false}
		if done {
			notebook["result"] = fmt.Sprintf(`{"status":"ok","rows":%d}`, r.rows(a))
			if r.job != nil && r.job.outputs[a.task.Key] != "" {
				notebook["result"] = r.job.outputs[a.task.Key]
			}
		}
		out["notebook_output"] = notebook
	case "spark_python_task", "python_wheel_task", "spark_jar_task":
		at := a.setup.UTC().Format("2006-01-02 15:04:05")
		logs := at + " INFO  starting " + a.task.Key + " of run " + strconv.FormatInt(r.id, 10) + "\n"
		if done {
			logs += a.stop.UTC().Format("2006-01-02 15:04:05") + fmt.Sprintf(" INFO  done, %d rows written\n", r.rows(a))
		} else {
			logs += a.fault.trace
		}
		out["logs"], out["logs_truncated"] = logs, false
	case "sql_task":
		if a.task.SQL != nil {
			out["sql_output"] = object{"query_output": object{"warehouse_id": a.task.SQL.Warehouse, "endpoint_id": a.task.SQL.Warehouse}}
		}
	}
}

func (r *run) rows(a *attempt) int64 {
	return 800 + int64(dice("rows", strconv.FormatInt(a.id, 10))*40000)
}

// repair runs the failed or the named tasks of a finished run again, under the
// same run id.
func (js *jobs) repair(r *request) (any, error) {
	var body struct {
		runNowBody
		ID        int64    `json:"run_id"`
		AllFailed bool     `json:"rerun_all_failed_tasks"`
		Tasks     []string `json:"rerun_tasks"`
		Dependent bool     `json:"rerun_dependent_tasks"`
		Latest    int64    `json:"latest_repair_id"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	found, task, err := js.find(r.user, r.now, body.ID, "CAN_MANAGE_RUN")
	switch {
	case err != nil:
		return nil, err
	case task != nil:
		return nil, badArgument("A task run cannot be repaired. Repair its job run instead.")
	case found.active(r.now):
		return nil, failure(http.StatusBadRequest, "INVALID_STATE", fmt.Sprintf("Run %d is in progress. Only finished runs can be repaired.", found.id))
	case found.skipped:
		return nil, failure(http.StatusBadRequest, "INVALID_STATE", fmt.Sprintf("Run %d was skipped and cannot be repaired.", found.id))
	case body.AllFailed == (len(body.Tasks) > 0):
		return nil, badArgument("Exactly one of rerun_all_failed_tasks and rerun_tasks must be given")
	case body.Latest != found.last().id:
		return nil, badArgument(fmt.Sprintf("latest_repair_id %d is not the latest repair of run %d, which is %d", body.Latest, found.id, found.last().id))
	}
	if _, err := body.legacy(); err != nil {
		return nil, err
	}
	spec, settings := found.last().spec, found.last().settings
	if j := found.job; j != nil && slices.Contains(js.all, j) {
		spec, settings = j.spec, j.settings
	}
	again, err := found.toRepeat(spec, body.Tasks, body.Dependent)
	if err != nil {
		return nil, err
	}
	p := js.newPart(found, spec, settings, again)
	p.from, p.params = r.now, found.last().params
	if body.JobParameters != nil {
		p.params = body.JobParameters
	}
	found.parts, found.plan = append(found.parts, p), nil
	return object{"repair_id": p.id}, nil
}

// toRepeat is the tasks of a repair: those named, else all that did not
// succeed.
func (r *run) toRepeat(spec *jobSpec, named []string, dependent bool) (map[string]bool, error) {
	again := map[string]bool{}
	for _, key := range named {
		if spec.index(key) < 0 {
			return nil, badArgument("Task '" + key + "' of rerun_tasks does not exist in the job")
		}
		again[key] = true
	}
	if len(named) == 0 {
		for _, a := range r.newest() {
			switch a.result {
			case "SUCCESS", "EXCLUDED", "DISABLED":
			default:
				if spec.index(a.task.Key) >= 0 {
					again[a.task.Key] = true
				}
			}
		}
		if len(again) == 0 {
			return nil, failure(http.StatusBadRequest, "INVALID_STATE", fmt.Sprintf("Run %d has no failed task to repair.", r.id))
		}
	}
	if dependent {
		for key := range again {
			spec.spread(key, again, false)
		}
	}
	return again, nil
}
