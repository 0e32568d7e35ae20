package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// keepRuns is how long finished runs stay.
const keepRuns = 60 * 24 * time.Hour

// find looks up a job run or the task run behind an id; task is nil for the
// former.
func (js *jobs) find(user *principal, now time.Time, id int64, level string) (*run, *attempt, error) {
	r := js.ids.find(id)
	if r == nil || r.deleted {
		if user.Admin {
			return nil, nil, noRun(id)
		}
		return nil, nil, noJobPermission(user, level, "run", id)
	}
	if !r.acl.allows(user, "jobs", level) {
		return nil, nil, noJobPermission(user, level, "run", id)
	}
	if id == r.id {
		return r, nil, nil
	}
	for _, a := range r.visibleAttempts(now) {
		if a.id == id {
			return r, a, nil
		}
		for _, it := range a.iterations {
			if it.id == id && !now.Before(it.ready) {
				return r, it, nil
			}
		}
	}
	return nil, nil, noRun(id)
}

func noRun(id int64) error { return badArgument(fmt.Sprintf("Run %d does not exist.", id)) }

// named decodes {"run_id": …} and looks the run up.
func (js *jobs) named(r *request, level string) (*run, *attempt, error) {
	var body struct {
		ID int64 `json:"run_id"`
	}
	if err := r.decode(&body); err != nil {
		return nil, nil, err
	}
	return js.find(r.user, r.now, body.ID, level)
}

// runNowBody is what run-now and repair have in common; the open fields are the
// legacy parameters.
type runNowBody struct {
	JobParameters map[string]string `json:"job_parameters"`
	Notebook      map[string]string `json:"notebook_params"`
	PythonNamed   map[string]string `json:"python_named_params"`
	SQL           map[string]string `json:"sql_params"`
	Jar           []string          `json:"jar_params"`
	Python        []string          `json:"python_params"`
	SparkSubmit   []string          `json:"spark_submit_params"`
	DBT           []string          `json:"dbt_commands"`
}

// legacy collects the old parameter fields; nil: none was given.
func (b *runNowBody) legacy() (object, error) {
	out := object{}
	for name, m := range map[string]map[string]string{"notebook_params": b.Notebook, "python_named_params": b.PythonNamed, "sql_params": b.SQL} {
		if m != nil {
			out[name] = m
		}
	}
	for name, list := range map[string][]string{"jar_params": b.Jar, "python_params": b.Python, "spark_submit_params": b.SparkSubmit, "dbt_commands": b.DBT} {
		if list != nil {
			out[name] = list
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	if b.Notebook != nil && b.Jar != nil {
		return nil, badArgument("notebook_params cannot be specified in conjunction with jar_params")
	}
	if b.JobParameters != nil {
		return nil, badArgument("job_parameters cannot be combined with " + strings.Join(slices.Sorted(maps.Keys(out)), ", "))
	}
	for name, v := range out {
		if text, err := json.Marshal(v); err != nil || len(text) > 10000 {
			return nil, badArgument(fmt.Sprintf("The JSON representation of %s must be at most 10000 bytes long", name))
		}
	}
	return out, nil
}

func (js *jobs) runNow(r *request) (any, error) {
	var body struct {
		runNowBody
		ID    int64    `json:"job_id"`
		Token string   `json:"idempotency_token"`
		Only  []string `json:"only"`
		Queue *struct {
			Enabled bool `json:"enabled"`
		} `json:"queue"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	j, err := js.job(r.user, body.ID, "CAN_MANAGE_RUN")
	if err != nil {
		return nil, err
	}
	key := fmt.Sprintf("%d %s", body.ID, body.Token)
	if again, err := js.again(body.Token, key); err != nil || again != nil {
		return object{"run_id": again, "number_in_job": again}, err
	}
	overriding, err := body.legacy()
	if err != nil {
		return nil, err
	}
	only, err := j.spec.selection(body.Only)
	if err != nil {
		return nil, err
	}
	var queue *bool
	if body.Queue != nil {
		queue = &body.Queue.Enabled
	}
	if j.spec.Continuous != nil { // the new run takes the place of the active one
		for _, other := range js.runs {
			if other.job == j && other.active(r.now) {
				js.stop(other, r.now)
			}
		}
	}
	started := js.launch(j, &run{
		trigger: "ONE_TIME", creator: r.user.UserName, parameters: j.parameters(body.JobParameters), overriding: overriding,
	}, r.now, only, j.queues(queue))
	if body.Token != "" {
		js.tokens[key] = started.id
	}
	return object{"run_id": started.id, "number_in_job": started.id}, nil
}

// again answers a repeated idempotency token: the run it made, nil if it is
// new, an error if that run was deleted.
func (js *jobs) again(token, key string) (any, error) {
	if len(token) > 64 {
		return nil, badArgument(fmt.Sprintf("idempotency_token must be at most 64 characters, got %d", len(token)))
	}
	id, known := js.tokens[key]
	if token == "" || !known {
		return nil, nil
	}
	if r := js.ids.find(id); r == nil || r.deleted {
		return nil, badArgument(fmt.Sprintf("The run %d of this idempotency_token was deleted.", id))
	}
	return id, nil
}

// parameters are the job's with the call's values, and the call's extra ones.
func (j *job) parameters(given map[string]string) []runParameter {
	out := j.defaults()
	for _, name := range slices.Sorted(maps.Keys(given)) {
		at := slices.IndexFunc(out, func(p runParameter) bool { return p.name == name })
		if at < 0 {
			out = append(out, runParameter{name: name, value: given[name]})
		} else {
			out[at].value = given[name]
		}
	}
	return out
}

// selection reads run-now's only: task keys, with + before for upstream and +
// behind for downstream tasks. nil: everything.
func (s *jobSpec) selection(only []string) (map[string]bool, error) {
	if len(only) == 0 {
		return nil, nil
	}
	out := map[string]bool{}
	for _, pattern := range only {
		key, up := strings.CutPrefix(pattern, "+")
		key, down := strings.CutSuffix(key, "+")
		if s.index(key) < 0 {
			return nil, badArgument("Task '" + key + "' of only does not exist in the job")
		}
		out[key] = true
		if up {
			s.spread(key, out, true)
		}
		if down {
			s.spread(key, out, false)
		}
	}
	return out, nil
}

// spread adds everything upstream or downstream of a task.
func (s *jobSpec) spread(key string, into map[string]bool, upstream bool) {
	reached := map[string]bool{key: true}
	for again := true; again; {
		again = false
		for _, t := range s.Tasks {
			for _, d := range t.DependsOn {
				from, to := d.Key, t.Key
				if upstream {
					from, to = to, from
				}
				if reached[from] && !reached[to] {
					reached[to], again = true, true
				}
			}
		}
	}
	for k := range reached {
		into[k] = true
	}
}

func (js *jobs) submit(r *request) (any, error) {
	var body object
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	token, err := popToken(body)
	if err != nil {
		return nil, err
	}
	key := "submit " + r.user.UserName + " " + token
	if again, err := js.again(token, key); err != nil || again != nil {
		return object{"run_id": again}, err
	}
	granted, err := jobACL(body["access_control_list"])
	if err != nil {
		return nil, err
	}
	granted[r.user.UserName] = "IS_OWNER"
	if name, ok := body["run_name"]; ok {
		body["name"] = name
	}
	settings, spec, err := parseSettings(body, maxTasks)
	if err != nil {
		return nil, err
	}
	if len(spec.Tasks) == 0 {
		return nil, badArgument("Missing required field: tasks")
	}
	started := &run{
		jobID: js.newJobID(), name: spec.Name, kind: "SUBMIT_RUN", trigger: "ONE_TIME", creator: r.user.UserName,
		spec: spec, settings: settings, acl: granted, timeout: spec.Timeout,
	}
	js.newRun(started, r.now, nil)
	started.begin(r.now)
	if token != "" {
		js.tokens[key] = started.id
	}
	return object{"run_id": started.id}, nil
}

func (js *jobs) getRun(r *request) (any, error) {
	id, err := r.id("run_id")
	if err != nil {
		return nil, err
	}
	found, task, err := js.find(r.user, r.now, id, "CAN_VIEW")
	if err != nil {
		return nil, err
	}
	history, err := r.bool("include_history")
	if err != nil {
		return nil, err
	}
	resolved, err := r.bool("include_resolved_values")
	if err != nil {
		return nil, err
	}
	var out object
	if task != nil {
		out = found.taskRun(r, task)
	} else {
		out = found.view(r)
		found.arrays(r, out)
		if history {
			out["repair_history"] = found.repairs(r)
		}
	}
	if resolved {
		for i, a := range found.visibleAttempts(r.now) {
			if tasks := out["tasks"].([]object); task == nil && i < len(tasks) {
				tasks[i]["resolved_values"] = found.resolvedValues(a)
			}
		}
	}
	if r.legacy() {
		if tasks, _ := out["tasks"].([]object); len(tasks) > maxLegacyTasks {
			return nil, tooManyTasks()
		}
		return out, nil
	}
	next, err := slice(out, "run", r.URL.Query().Get("page_token"), "tasks", "iterations", "job_clusters", "job_parameters", "repair_history")
	if err != nil {
		return nil, err
	}
	if next != "" {
		out["next_page_token"] = next
	}
	return out, nil
}

// stop cancels a run; one that is over stays as it is.
func (js *jobs) stop(r *run, now time.Time) {
	if !r.active(now) || !r.last().cancelled.IsZero() {
		return
	}
	if r.started.IsZero() {
		r.begin(now)
		r.job.queue = slices.DeleteFunc(r.job.queue, func(q *run) bool { return q == r })
	}
	r.last().cancelled, r.plan = now, nil
}

func (js *jobs) cancel(r *request) (any, error) {
	found, _, err := js.named(r, "CAN_MANAGE_RUN")
	if err != nil {
		return nil, err
	}
	js.stop(found, r.now)
	return nil, nil
}

func (js *jobs) cancelAll(r *request) (any, error) {
	var body struct {
		ID     int64 `json:"job_id"`
		Queued bool  `json:"all_queued_runs"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	if body.ID == 0 && !body.Queued {
		return nil, badArgument("Missing required field: job_id")
	}
	if body.ID != 0 {
		if _, err := js.job(r.user, body.ID, "CAN_MANAGE_RUN"); err != nil {
			return nil, err
		}
	}
	for _, run := range js.runs {
		mine := body.ID == 0 || run.jobID == body.ID
		if mine && (!body.Queued || run.started.IsZero()) && run.acl.allows(r.user, "jobs", "CAN_MANAGE_RUN") {
			js.stop(run, r.now)
		}
	}
	return nil, nil
}

func (js *jobs) deleteRun(r *request) (any, error) {
	found, task, err := js.named(r, "CAN_MANAGE")
	switch {
	case err != nil:
		return nil, err
	case task != nil:
		return nil, badArgument("A task run cannot be deleted by itself. Delete its job run instead.")
	case found.active(r.now):
		return nil, failure(http.StatusBadRequest, "INVALID_STATE", fmt.Sprintf("Run %d is active and cannot be deleted. Cancel it first.", found.id))
	}
	found.deleted = true
	return nil, nil
}
