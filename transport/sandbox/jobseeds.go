package sandbox

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// jobSeed is a seeded job. The first of its tags tells the team that owns it.
type jobSeed struct {
	id       int64 // 0: made like that of any job
	name     string
	about    string
	age      int    // days since it was made
	cron     string // Quartz, UTC; "" for none
	paused   bool
	creator  string
	team     string
	timeout  int
	extra    object // further settings
	tasks    []object
	access   acl
	troubles []trouble
	outputs  map[string]string
	manual   []time.Duration // runs by hand, so long ago
}

const day = 24 * time.Hour

// seed makes the jobs of the company and weeks of their runs, all relative to
// the moment the workspace was made.
func (js *jobs) seed() {
	type firing struct {
		job     *job
		at      time.Time
		trigger string
	}
	var history []firing
	for _, s := range jobSeeds(js.born) {
		j := js.plant(s)
		if j.spec.cron != nil {
			var at []time.Time
			from := j.created
			if oldest := js.born.Add(-28 * day); from.Before(oldest) {
				from = oldest
			}
			until := js.born
			if s.paused {
				until = js.born.Add(-9 * day)
			}
			for t := j.spec.cron.next(from.UTC()); !t.IsZero() && !t.After(until); t = j.spec.cron.next(t) {
				at = append(at, t)
			}
			for _, t := range at[max(0, len(at)-60):] {
				history = append(history, firing{j, t, "PERIODIC"})
			}
		}
		for _, ago := range s.manual {
			history = append(history, firing{j, js.born.Add(-ago), "ONE_TIME"})
		}
	}
	slices.SortStableFunc(history, func(a, b firing) int { return a.at.Compare(b.at) })
	for _, f := range history {
		creator := f.job.creator
		if f.trigger == "PERIODIC" {
			creator = f.job.runAs
		}
		r := &run{
			job: f.job, jobID: f.job.id, name: f.job.spec.Name, kind: "JOB_RUN", trigger: f.trigger, creator: creator,
			spec: f.job.spec, settings: f.job.settings, acl: f.job.acl, timeout: f.job.spec.Timeout, history: true, parameters: f.job.defaults(),
		}
		if f.job.spec.Continuous != nil {
			r.trigger = "CONTINUOUS"
		}
		js.newRun(r, f.at, nil)
		r.begin(f.at)
		if f.job.spec.Name == "promo_uplift_backfill" && f.at.Before(js.born.Add(-5*day)) {
			r.last().cancelled = f.at.Add(95 * time.Second)
		}
	}
}

// plant makes one job.
func (js *jobs) plant(s jobSeed) *job {
	body := object{
		"name": s.name, "description": s.about, "tasks": s.tasks, "tags": object{"team": s.team, "env": "prod"},
		"max_concurrent_runs": 1, "queue": object{"enabled": true}, "timeout_seconds": s.timeout,
		"email_notifications": object{"on_failure": []string{s.team + "@example.com"}},
	}
	if s.cron != "" {
		status := "UNPAUSED"
		if s.paused {
			status = "PAUSED"
		}
		body["schedule"] = object{"quartz_cron_expression": s.cron, "timezone_id": "UTC", "pause_status": status}
	}
	for k, v := range s.extra {
		body[k] = v
	}
	settings, spec, err := parseSettings(clone(body), maxTasks)
	if err != nil {
		panic(fmt.Sprintf("seeded job %s: %v", s.name, err)) // a test plants them all
	}
	id := js.newJobID()
	j := &job{
		id: cmp.Or(s.id, id), creator: s.creator, runAs: s.creator, created: js.born.Add(-time.Duration(s.age) * day), settings: settings, spec: spec,
		acl: acl{s.creator: "IS_OWNER", "data-engineers": "CAN_MANAGE"}, troubles: s.troubles, outputs: s.outputs,
	}
	for who, level := range s.access {
		j.acl[who] = level
	}
	j.schedule(js.born)
	js.all = append(js.all, j)
	return j
}

// work makes a task; on names what it depends on.
func work(key, kind string, body object, on ...string) object {
	task := object{"task_key": key, kind: body}
	var deps []object
	for _, d := range on {
		deps = append(deps, object{"task_key": d})
	}
	if deps != nil {
		task["depends_on"] = deps
	}
	return task
}

func notebook(key, path string, on ...string) object {
	return work(key, "notebook_task", object{"notebook_path": path, "source": "WORKSPACE"}, on...)
}

func script(key, path string, on ...string) object {
	return with(work(key, "spark_python_task", object{"python_file": path}, on...), object{"environment_key": "default"})
}

func query(key, warehouse, path string, on ...string) object {
	return work(key, "sql_task", object{"warehouse_id": warehouse, "file": object{"path": path, "source": "WORKSPACE"}}, on...)
}

func with(task, more object) object {
	for k, v := range more {
		task[k] = v
	}
	return task
}

// onCluster puts tasks on the job's own cluster.
func onCluster(tasks ...object) []object {
	for _, t := range tasks {
		t["job_cluster_key"] = "main"
	}
	return tasks
}

func jobCluster(workers int) object {
	return object{"job_clusters": []object{{"job_cluster_key": "main", "new_cluster": object{
		"spark_version": "16.4.x-scala2.12", "node_type_id": "i3.xlarge", "num_workers": workers, "data_security_mode": "SINGLE_USER",
		"aws_attributes": object{"availability": "SPOT_WITH_FALLBACK", "first_on_demand": 1, "zone_id": "auto"},
	}}}}
}

func environment(requirements ...string) object {
	return object{"environments": []object{{"environment_key": "default", "spec": object{"environment_version": "4", "dependencies": requirements}}}}
}

func parameters(pairs ...string) []object {
	var out []object
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, object{"name": pairs[i], "default": pairs[i+1]})
	}
	return out
}
