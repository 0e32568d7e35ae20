package catalog

// Runs of jobs: contract/jobs.md sections 2.7 to 2.10, 6, 7 and 8.1.

// RunJobRequest starts a run, with parameters for it alone.
type RunJobRequest struct {
	JobID             ID       `json:"job_id" jsonschema_description:"Job id"`
	JobParameters     Map      `json:"job_parameters,omitempty" jsonschema_description:"Values as text"`
	Only              []string `json:"only,omitempty" jsonschema_description:"Task keys"`
	IdempotencyToken  string   `json:"idempotency_token,omitempty" check:"maxLength=64" jsonschema_description:"Set if absent"`
	Queue             Object   `json:"queue,omitempty" jsonschema_description:"{enabled}"`
	PerformanceTarget string   `json:"performance_target,omitempty" jsonschema:"enum=PERFORMANCE_OPTIMIZED,enum=STANDARD" jsonschema_description:"Serverless"`
	PipelineParams    Object   `json:"pipeline_params,omitempty" jsonschema_description:"{full_refresh}"`
	NotebookParams    Map      `json:"notebook_params,omitempty" jsonschema:"-" jsonschema_description:"Legacy"`
	PythonNamedParams Map      `json:"python_named_params,omitempty" jsonschema:"-" jsonschema_description:"Legacy"`
	SQLParams         Map      `json:"sql_params,omitempty" jsonschema:"-" jsonschema_description:"Legacy"`
	JarParams         []string `json:"jar_params,omitempty" jsonschema:"-" jsonschema_description:"Legacy"`
	PythonParams      []string `json:"python_params,omitempty" jsonschema:"-" jsonschema_description:"Legacy"`
	SparkSubmitParams []string `json:"spark_submit_params,omitempty" jsonschema:"-" jsonschema_description:"Legacy"`
	DbtCommands       []string `json:"dbt_commands,omitempty" jsonschema:"-" jsonschema_description:"Legacy"`
}

// StartedRun names the new run.
type StartedRun struct {
	RunID ID `json:"run_id"`
}

// RunJob asks for a run; the answer says accepted, not started.
var RunJob = Define[RunJobRequest, StartedRun](Row{
	Name: "jobs_run_now", Title: "Run job now", Group: Jobs, Effect: Create,
	Method: "POST", Path: "/api/2.2/jobs/run-now", Token: "idempotency_token",
	Needs: "CAN_MANAGE_RUN on the job", Object: "job {job_id}", Limit: PerSecond(20),
	Verify: "Look with jobs_list_runs job_id=… active_only=true before running it again.",
	Doc:    "Start a job run. Poll with jobs_get_run.",
	Did:    "started {}", Then: "run {run_id} began", Undo: "jobs_cancel_run with run_id {run_id}",
	Touches: []Touch{{Scope: ScopeJobs, ID: "{job_id}"}},
})

// ListRunsRequest narrows the list of runs.
type ListRunsRequest struct {
	JobID         ID     `json:"job_id,omitempty" jsonschema_description:"Default all"`
	ActiveOnly    bool   `json:"active_only,omitempty" jsonschema_description:"Not ended"`
	CompletedOnly bool   `json:"completed_only,omitempty" jsonschema_description:"Ended"`
	RunType       string `json:"run_type,omitempty" jsonschema:"enum=JOB_RUN,enum=SUBMIT_RUN,enum=WORKFLOW_RUN" jsonschema_description:"Kind of run"`
	StartTimeFrom int64  `json:"start_time_from,omitempty" jsonschema_description:"Epoch ms"`
	StartTimeTo   int64  `json:"start_time_to,omitempty" jsonschema_description:"Epoch ms"`
	ExpandTasks   bool   `json:"expand_tasks,omitempty" jsonschema_description:"Add tasks"`
	Limit         int64  `json:"limit,omitempty" check:"minimum=0,maximum=25" jsonschema_description:"Up to 25"`
	Offset        int64  `json:"offset,omitempty" check:"minimum=0,maximum=10000" jsonschema:"-" jsonschema_description:"Deprecated"`
	Paged
}

// RunStatus is the current state model; the legacy one calls a failing task an
// internal error (contract/jobs.md section 7).
type RunStatus struct {
	State       string `json:"state"`
	Termination struct {
		Code string `json:"code"`
	} `json:"termination_details"`
}

// RunList is the answer of runs/list, newest first; times in epoch ms. Tasks come
// only when asked for.
type RunList struct {
	Runs []struct {
		RunID       ID        `json:"run_id"`
		JobID       ID        `json:"job_id"`
		RunName     string    `json:"run_name"`
		StartTime   int64     `json:"start_time"`
		RunDuration int64     `json:"run_duration"`
		Status      RunStatus `json:"status"`
		Tasks       []struct {
			RunID   ID        `json:"run_id"`
			TaskKey string    `json:"task_key"`
			Status  RunStatus `json:"status"`
		} `json:"tasks"`
	} `json:"runs"`
}

// ListRuns lists runs of one job or of all; history goes back 60 days.
var ListRuns = Define[ListRunsRequest, RunList](Row{
	Name: "jobs_list_runs", Title: "List job runs", Group: Jobs, Effect: Read,
	Method: "GET", Path: "/api/2.2/jobs/runs/list", Items: "runs", Paging: TokenPages,
	Needs: "CAN_VIEW on the jobs", Limit: PerSecond(30),
	Doc:     "List job runs, newest first.",
	Did:     "listed job runs",
	Touches: []Touch{{Scope: ScopeJobs, ID: "{job_id}"}},
	Shows:   Shown{Scope: ScopeJobs, ID: "job_id"},
})

// GetRunRequest names a run.
type GetRunRequest struct {
	RunID                 ID   `json:"run_id" jsonschema_description:"Job or task run"`
	IncludeHistory        bool `json:"include_history,omitempty" jsonschema_description:"Add repairs"`
	IncludeResolvedValues bool `json:"include_resolved_values,omitempty" jsonschema_description:"Add values"`
	Resumed
}

// JobRun is one run; times in epoch ms, durations in ms. The legacy state stays
// beside status: its message is often the better one.
type JobRun struct {
	RunID           ID        `json:"run_id"`
	JobID           ID        `json:"job_id"`
	JobRunID        ID        `json:"job_run_id"`
	RunName         string    `json:"run_name"`
	RunType         string    `json:"run_type"`
	Trigger         string    `json:"trigger"`
	CreatorUserName string    `json:"creator_user_name"`
	RunPageURL      string    `json:"run_page_url"`
	Status          Raw       `json:"status"`
	State           Raw       `json:"state"`
	StartTime       int64     `json:"start_time"`
	EndTime         int64     `json:"end_time"`
	RunDuration     int64     `json:"run_duration"`
	QueueDuration   int64     `json:"queue_duration"`
	JobParameters   Raw       `json:"job_parameters"`
	Overriding      Raw       `json:"overriding_parameters"`
	Tasks           []RunTask `json:"tasks"`
	Iterations      []RunTask `json:"iterations"` // of a for-each task run, instead of tasks
	RepairHistory   Raw       `json:"repair_history"`
}

// RunTask is one attempt at a task. Its run_id is what jobs_get_run_output takes.
type RunTask struct {
	RunID           ID     `json:"run_id"`
	TaskKey         string `json:"task_key"`
	AttemptNumber   int64  `json:"attempt_number"`
	Status          Raw    `json:"status"`
	StartTime       int64  `json:"start_time"`
	EndTime         int64  `json:"end_time"`
	ClusterInstance struct {
		ClusterID string `json:"cluster_id"`
	} `json:"cluster_instance"`
	Condition struct {
		Outcome string `json:"outcome"`
	} `json:"condition_task"`
	ForEach struct {
		Stats Raw `json:"stats"`
	} `json:"for_each_task"`
	ResolvedValues Raw `json:"resolved_values"`
}

// GetRun reads one run. Its arrays come in pages of 100; without the later ones a
// failing 101st task would be invisible.
var GetRun = Define[GetRunRequest, JobRun](Row{
	Name: "jobs_get_run", Title: "Get job run", Group: Jobs, Effect: Read,
	Method: "GET", Path: "/api/2.2/jobs/runs/get",
	Needs: "CAN_VIEW on the job", Object: "run {run_id}", Limit: PerSecond(100),
	Gather:  []string{"tasks", "iterations", "job_parameters", "repair_history", "job_clusters"},
	Doc:     "Show a run and its tasks. Ended: status.state TERMINATED.",
	Did:     "read {}",
	Touches: []Touch{{Scope: ScopeRuns, ID: "{run_id}"}},
})

// CancelRunRequest names a run.
type CancelRunRequest struct {
	RunID ID `json:"run_id" jsonschema_description:"Run id"`
}

// CancelRun asks a run to stop; it ends later.
var CancelRun = Define[CancelRunRequest, None](Row{
	Name: "jobs_cancel_run", Title: "Cancel job run", Group: Jobs, Effect: Replace,
	Method: "POST", Path: "/api/2.2/jobs/runs/cancel",
	Needs: "CAN_MANAGE_RUN on the job", Object: "run {run_id}", Limit: PerSecond(10),
	Doc:     "Cancel a run. Poll with jobs_get_run.",
	Did:     "cancelled {}",
	Touches: []Touch{{Scope: ScopeRuns, ID: "{run_id}"}},
})

// GetRunOutputRequest names a task run.
type GetRunOutputRequest struct {
	RunID ID `json:"run_id" jsonschema_description:"Run id of one task"`
	Cut
}

// RunOutput is what a task run left behind. Links to artifacts are presigned and
// therefore not kept.
type RunOutput struct {
	Metadata struct {
		RunID      ID        `json:"run_id"`
		JobID      ID        `json:"job_id"`
		RunPageURL string    `json:"run_page_url"`
		Status     RunStatus `json:"status"`
	} `json:"metadata"`
	Error           string `json:"error"`
	ErrorTrace      string `json:"error_trace"`
	Logs            string `json:"logs"` // the last 5 MB
	LogsTruncated   bool   `json:"logs_truncated"`
	Info            string `json:"info"`
	NotebookOutput  Raw    `json:"notebook_output"` // the first 5 MB
	SQLOutput       Raw    `json:"sql_output"`      // which queries ran; no rows
	RunJobOutput    Raw    `json:"run_job_output"`
	AlertOutput     Raw    `json:"alert_output"`
	DashboardOutput Raw    `json:"dashboard_output"`
	DbtPlatform     Raw    `json:"dbt_platform_output"`
	DbtCloud        Raw    `json:"dbt_cloud_output"`
	CleanRooms      Raw    `json:"clean_rooms_notebook_output"`
	AIRuntime       Raw    `json:"ai_runtime_task_output"`
}

// GetRunOutput reads the output of a task run, not of a run of several tasks.
var GetRunOutput = Define[GetRunOutputRequest, RunOutput](Row{
	Name: "jobs_get_run_output", Title: "Get task output", Group: Jobs, Effect: Read,
	Method: "GET", Path: "/api/2.2/jobs/runs/get-output",
	Needs: "CAN_VIEW on the job", Object: "task run {run_id}",
	Doc:     "Show a task run's output, error, logs; untrusted.",
	Did:     "read the output of {}",
	Touches: []Touch{{Scope: ScopeRuns, ID: "{run_id}"}},
})
