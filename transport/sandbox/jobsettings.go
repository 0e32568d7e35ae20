package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"
)

// settingsFields are the fields of JobSettings; others are dropped, as the real
// API ignores what it does not know.
var settingsFields = []string{
	"budget_policy_id", "continuous", "deployment", "description", "edit_mode", "email_notifications", "environments", "format",
	"git_source", "health", "job_clusters", "max_concurrent_runs", "name", "notification_settings", "parameters", "parent_path",
	"performance_target", "queue", "run_as", "schedule", "tags", "tasks", "timeout_seconds", "trigger", "triggers", "usage_policy_id",
	"webhook_notifications",
}

var taskKinds = []string{
	"notebook_task", "spark_python_task", "python_wheel_task", "spark_jar_task", "spark_submit_task", "sql_task", "dbt_task",
	"pipeline_task", "run_job_task", "condition_task", "for_each_task", "dashboard_task", "alert_task", "power_bi_task",
	"dbt_platform_task", "dbt_cloud_task", "clean_rooms_notebook_task", "python_operator_task", "ai_runtime_task", "gen_ai_compute_task",
}

// mergeKeys names, for the arrays of settings, the field that identifies an
// element in an update.
var mergeKeys = map[string]string{
	"tasks": "task_key", "job_clusters": "job_cluster_key", "environments": "environment_key", "parameters": "name",
}

// jobSpec is what the workspace itself understands of a job's settings; the
// rest is kept and echoed.
type jobSpec struct {
	Name       string            `json:"name"`
	Tasks      []taskSpec        `json:"tasks"`
	Parameters []jobParameter    `json:"parameters"`
	Tags       map[string]string `json:"tags"`
	MaxRuns    *int64            `json:"max_concurrent_runs"`
	Timeout    int64             `json:"timeout_seconds"`
	Queue      *struct {
		Enabled bool `json:"enabled"`
	} `json:"queue"`
	Schedule *struct {
		Cron   string `json:"quartz_cron_expression"`
		Zone   string `json:"timezone_id"`
		Status string `json:"pause_status"`
	} `json:"schedule"`
	Continuous *struct {
		Status string `json:"pause_status"`
	} `json:"continuous"`
	Trigger object `json:"trigger"`
	RunAs   struct {
		User      string `json:"user_name"`
		Principal string `json:"service_principal_name"`
		Group     string `json:"group_name"`
	} `json:"run_as"`
	JobClusters []struct {
		Key string `json:"job_cluster_key"`
	} `json:"job_clusters"`
	Environments []struct {
		Key string `json:"environment_key"`
	} `json:"environments"`
	GitSource *struct {
		URL      string `json:"git_url"`
		Provider string `json:"git_provider"`
	} `json:"git_source"`

	cron *quartz
	zone *time.Location
}

type jobParameter struct {
	Name    string `json:"name"`
	Default string `json:"default"`
}

type taskSpec struct {
	Key       string `json:"task_key"`
	DependsOn []struct {
		Key     string `json:"task_key"`
		Outcome string `json:"outcome"`
	} `json:"depends_on"`
	RunIf       string `json:"run_if"`
	MaxRetries  int64  `json:"max_retries"`
	RetryWait   int64  `json:"min_retry_interval_millis"`
	RetryOnTime bool   `json:"retry_on_timeout"`
	Timeout     int64  `json:"timeout_seconds"`
	Disabled    bool   `json:"disabled"`
	Cluster     string `json:"existing_cluster_id"`
	JobCluster  string `json:"job_cluster_key"`
	Environment string `json:"environment_key"`
	Notebook    *struct {
		Path       string            `json:"notebook_path"`
		Source     string            `json:"source"`
		Parameters map[string]string `json:"base_parameters"`
	} `json:"notebook_task"`
	Condition *struct {
		Op    string `json:"op"`
		Left  string `json:"left"`
		Right string `json:"right"`
	} `json:"condition_task"`
	ForEach *struct {
		Inputs      string   `json:"inputs"`
		Concurrency int64    `json:"concurrency"`
		Task        taskSpec `json:"task"`
	} `json:"for_each_task"`
	SQL *struct {
		Warehouse string `json:"warehouse_id"`
	} `json:"sql_task"`

	kind string // which *_task is set
}

// parseSettings checks settings and keeps their known fields. The errors are
// those of jobs/create (contract jobs.md, sections 3 and 4).
func parseSettings(body object, maxTasks int) (object, *jobSpec, error) {
	settings := object{}
	for _, f := range settingsFields {
		if v, ok := body[f]; ok && v != nil {
			settings[f] = v
		}
	}
	spec := &jobSpec{}
	if err := recast(settings, spec); err != nil {
		return nil, nil, err
	}
	for field := range mergeKeys {
		list, _ := settings[field].([]any)
		for _, item := range list {
			if _, ok := item.(object); !ok {
				return nil, nil, notObjects(field)
			}
		}
	}
	if spec.Name == "" {
		spec.Name = "Untitled"
		settings["name"] = spec.Name
	}
	if err := spec.check(maxTasks); err != nil {
		return nil, nil, err
	}
	raw, _ := settings["tasks"].([]any)
	for i := range spec.Tasks {
		kind, err := taskKind(raw[i].(object), spec.Tasks[i].Key)
		if err != nil {
			return nil, nil, err
		}
		task := &spec.Tasks[i]
		task.kind = kind
		if task.ForEach != nil {
			inner, _ := raw[i].(object)["for_each_task"].(object)["task"].(object)
			if task.ForEach.Task.kind, err = taskKind(inner, task.Key); err != nil {
				return nil, nil, err
			}
		}
	}
	return settings, spec, spec.checkTasks()
}

func notObjects(field string) error {
	return failure(http.StatusBadRequest, "MALFORMED_REQUEST", "Could not parse request object: elements of "+field+" must be objects")
}

func taskKind(task object, key string) (string, error) {
	var kinds []string
	for _, k := range taskKinds {
		if task[k] != nil {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) != 1 {
		return "", badArgument(fmt.Sprintf("Task '%s' must have exactly one of the task type fields (notebook_task, sql_task, …), got %d", key, len(kinds)))
	}
	return kinds[0], nil
}

func (s *jobSpec) check(maxTasks int) error {
	switch {
	case len(s.Name) > 4096:
		return badArgument("The job name must be at most 4096 bytes long")
	case len(s.Tasks) > maxTasks:
		return badArgument(fmt.Sprintf("The number of tasks (%d) exceeds the limit of %d", len(s.Tasks), maxTasks))
	case len(s.Tags) > 25:
		return badArgument(fmt.Sprintf("A job can have at most 25 tags, got %d", len(s.Tags)))
	case s.MaxRuns != nil && (*s.MaxRuns < 0 || *s.MaxRuns > 1000):
		return badArgument(fmt.Sprintf("max_concurrent_runs must be between 0 and 1000, got %d", *s.MaxRuns))
	case s.Timeout < 0:
		return badArgument("timeout_seconds must be 0 (no timeout) or more")
	case s.Schedule != nil && (s.Continuous != nil || s.Trigger != nil) || s.Continuous != nil && s.Trigger != nil:
		return badArgument("Only one of schedule, continuous and trigger can be set")
	}
	if s.Schedule != nil {
		if s.Schedule.Zone == "" {
			return badArgument("Missing required field: schedule.timezone_id")
		}
		cron, err := parseQuartz(s.Schedule.Cron)
		if err != nil {
			return badArgument("Invalid quartz_cron_expression: '" + s.Schedule.Cron + "': " + err.Error())
		}
		// A host without a time zone database still knows UTC.
		if s.zone, err = time.LoadLocation(s.Schedule.Zone); err != nil {
			if !strings.Contains(s.Schedule.Zone, "/") {
				return badArgument("Invalid timezone_id: " + s.Schedule.Zone)
			}
			s.zone = time.UTC
		}
		s.cron = cron
	}
	if g := s.GitSource; g != nil {
		providers := []string{"gitHub", "gitHubEnterprise", "gitLab", "gitLabEnterpriseEdition", "bitbucketCloud", "bitbucketServer", "azureDevOpsServices", "awsCodeCommit"}
		if !slices.ContainsFunc(providers, func(p string) bool { return strings.EqualFold(p, g.Provider) }) {
			return badArgument("git_source.git_provider must be one of " + strings.Join(providers, ", "))
		}
	}
	return unique("parameter name", s.Parameters, func(p jobParameter) string { return p.Name })
}

func unique[T any](what string, list []T, key func(T) string) error {
	seen := map[string]bool{}
	for _, item := range list {
		k := key(item)
		if k == "" || seen[k] {
			return badArgument(fmt.Sprintf("Each %s must be set and unique; %q is not", what, k))
		}
		seen[k] = true
	}
	return nil
}

var runIfs = []string{"", "ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED"}

// checkTasks refuses references to what is not there, and circles.
func (s *jobSpec) checkTasks() error {
	if err := unique("task_key", s.Tasks, func(t taskSpec) string { return t.Key }); err != nil {
		return err
	}
	for _, t := range s.Tasks {
		for _, d := range t.DependsOn {
			if s.index(d.Key) < 0 {
				return badArgument(fmt.Sprintf("Task '%s' depends on task '%s', which does not exist", t.Key, d.Key))
			}
		}
		switch {
		case !slices.Contains(runIfs, t.RunIf):
			return badArgument(fmt.Sprintf("Invalid run_if %q of task '%s'", t.RunIf, t.Key))
		case t.Notebook != nil && t.Notebook.Path == "":
			return badArgument("Missing required field: notebook_task.notebook_path of task '" + t.Key + "'")
		case t.SQL != nil && t.SQL.Warehouse == "":
			return badArgument("Missing required field: sql_task.warehouse_id of task '" + t.Key + "'")
		case t.JobCluster != "" && !slices.ContainsFunc(s.JobClusters, func(c struct {
			Key string `json:"job_cluster_key"`
		}) bool {
			return c.Key == t.JobCluster
		}):
			return badArgument(fmt.Sprintf("Task '%s' names the job cluster '%s', which is not defined in job_clusters", t.Key, t.JobCluster))
		case t.Environment != "" && !slices.ContainsFunc(s.Environments, func(e struct {
			Key string `json:"environment_key"`
		}) bool {
			return e.Key == t.Environment
		}):
			return badArgument(fmt.Sprintf("Task '%s' names the environment '%s', which is not defined in environments", t.Key, t.Environment))
		}
	}
	if len(s.order()) < len(s.Tasks) {
		return badArgument("The tasks depend on each other in a circle")
	}
	return nil
}

func (s *jobSpec) index(key string) int {
	return slices.IndexFunc(s.Tasks, func(t taskSpec) bool { return t.Key == key })
}

// order lists task indexes so that each comes after what it depends on; tasks
// in a circle are missing.
func (s *jobSpec) order() []int {
	waits := make([]int, len(s.Tasks))
	next := make([][]int, len(s.Tasks))
	at := make(map[string]int, len(s.Tasks))
	for i, t := range s.Tasks {
		at[t.Key] = i
	}
	var out []int
	for i, t := range s.Tasks {
		waits[i] = len(t.DependsOn)
		for _, d := range t.DependsOn {
			next[at[d.Key]] = append(next[at[d.Key]], i)
		}
		if waits[i] == 0 {
			out = append(out, i)
		}
	}
	for n := 0; n < len(out); n++ {
		for _, i := range next[out[n]] {
			if waits[i]--; waits[i] == 0 {
				out = append(out, i)
			}
		}
	}
	return out
}

// shown is settings as get and list show them: with the defaults the server
// fills in, and depends_on sorted.
func shown(settings object) object {
	out := object{
		"email_notifications": object{}, "webhook_notifications": object{}, "timeout_seconds": 0, "max_concurrent_runs": 1,
	}
	for k, v := range settings {
		out[k] = v
	}
	delete(out, "run_as") // readable as run_as_user_name alone
	out["format"] = "MULTI_TASK"
	if tasks, ok := settings["tasks"].([]any); ok {
		out["tasks"] = shownTasks(tasks)
	}
	return out
}

func shownTasks(tasks []any) []any {
	out := make([]any, len(tasks))
	for i, t := range tasks {
		task := object{"run_if": "ALL_SUCCESS", "timeout_seconds": 0, "email_notifications": object{}}
		for k, v := range t.(object) {
			task[k] = v
		}
		if deps, ok := task["depends_on"].([]any); ok {
			deps = slices.Clone(deps)
			sort.SliceStable(deps, func(i, j int) bool {
				a, _ := deps[i].(object)["task_key"].(string)
				b, _ := deps[j].(object)["task_key"].(string)
				return a < b
			})
			task["depends_on"] = deps
		}
		out[i] = task
	}
	return out
}

// merge is an update: given fields replace whole, keyed arrays merge by key,
// then fields are removed.
func merge(settings, given object, remove []string) (object, error) {
	out := clone(settings)
	for field, v := range given {
		key, keyed := mergeKeys[field]
		old, hasOld := out[field].([]any)
		new, isArray := v.([]any)
		if !keyed || !isArray || !hasOld {
			out[field] = v
			continue
		}
		merged := slices.Clone(old)
		for _, item := range new {
			o, ok := item.(object)
			if !ok {
				return nil, notObjects(field)
			}
			at := slices.IndexFunc(merged, func(m any) bool { return m.(object)[key] == o[key] })
			if at < 0 {
				merged = append(merged, o)
			} else {
				merged[at] = o
			}
		}
		out[field] = merged
	}
	for _, path := range remove {
		field, name, nested := strings.Cut(path, "/")
		if !nested {
			delete(out, field)
			continue
		}
		if field != "tasks" && field != "job_clusters" {
			return nil, badArgument("Cannot remove " + path + ": only tasks/<task_key> and job_clusters/<job_cluster_key> can be removed within a field")
		}
		list, _ := out[field].([]any)
		kept := slices.DeleteFunc(slices.Clone(list), func(m any) bool { return m.(object)[mergeKeys[field]] == name })
		if len(kept) == len(list) {
			return nil, badArgument("Cannot remove " + path + ": there is no such element")
		}
		out[field] = kept
	}
	return out, nil
}
