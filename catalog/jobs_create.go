package catalog

// CreateJobRequest is a job's settings (contract/jobs.md section 3) and who may
// use it. Nothing is required, but a job without tasks can do nothing.
type CreateJobRequest struct {
	Name                 string   `json:"name,omitempty" jsonschema_description:"Not unique"`
	Tasks                []Object `json:"tasks,omitempty" jsonschema_description:"{task_key, depends_on: [{task_key}], notebook_task: {notebook_path} | sql_task | spark_python_task | ..., existing_cluster_id | job_cluster_key | environment_key}"`
	JobClusters          []Object `json:"job_clusters,omitempty" jsonschema_description:"{job_cluster_key, new_cluster}"`
	Environments         []Object `json:"environments,omitempty" jsonschema_description:"{environment_key, spec}"`
	Parameters           []Object `json:"parameters,omitempty" jsonschema_description:"{name, default}"`
	Schedule             Object   `json:"schedule,omitempty" jsonschema_description:"{quartz_cron_expression, timezone_id, pause_status}"`
	Trigger              Object   `json:"trigger,omitempty" jsonschema_description:"{file_arrival | table_update | periodic}"`
	Triggers             []Object `json:"triggers,omitempty" jsonschema_description:"Preview"`
	Continuous           Object   `json:"continuous,omitempty" jsonschema_description:"{pause_status}"`
	Description          string   `json:"description,omitempty" jsonschema_description:"Text"`
	Tags                 Map      `json:"tags,omitempty" jsonschema_description:"Tags"`
	MaxConcurrentRuns    int64    `json:"max_concurrent_runs,omitempty" check:"minimum=0,maximum=1000" jsonschema_description:"Default 1"`
	TimeoutSeconds       int64    `json:"timeout_seconds,omitempty" jsonschema_description:"0: none"`
	Queue                Object   `json:"queue,omitempty" jsonschema_description:"{enabled}"`
	RunAs                Object   `json:"run_as,omitempty" jsonschema_description:"{user_name | service_principal_name}"`
	GitSource            Object   `json:"git_source,omitempty" jsonschema_description:"{git_url, git_provider, git_branch}"`
	EmailNotifications   Object   `json:"email_notifications,omitempty" jsonschema_description:"{on_failure: [email]}"`
	WebhookNotifications Object   `json:"webhook_notifications,omitempty" jsonschema_description:"{on_failure: [{id}]}"`
	NotificationSettings Object   `json:"notification_settings,omitempty" jsonschema_description:"Mute alerts"`
	Health               Object   `json:"health,omitempty" jsonschema_description:"{rules}"`
	AccessControlList    []Object `json:"access_control_list,omitempty" jsonschema_description:"{user_name | group_name, permission_level}"`
	PerformanceTarget    string   `json:"performance_target,omitempty" jsonschema:"enum=PERFORMANCE_OPTIMIZED,enum=STANDARD" jsonschema_description:"Serverless"`
	BudgetPolicyID       string   `json:"budget_policy_id,omitempty" jsonschema_description:"Billing"`
	UsagePolicyID        string   `json:"usage_policy_id,omitempty" jsonschema_description:"Billing"`
	ParentPath           string   `json:"parent_path,omitempty" jsonschema_description:"Folder"`
	Deployment           Object   `json:"deployment,omitempty" jsonschema_description:"Bundle"`
	EditMode             string   `json:"edit_mode,omitempty" jsonschema:"enum=EDITABLE,enum=UI_LOCKED" jsonschema_description:"Bundle"`
	Format               string   `json:"format,omitempty" jsonschema:"enum=MULTI_TASK,enum=SINGLE_TASK" jsonschema_description:"Ignored"`
	Forced
}

// CreatedJob names the new job.
type CreatedJob struct {
	JobID ID `json:"job_id"`
}

// CreateJob saves a new job. It has no idempotency token: two calls make two
// jobs of the same name (contract README, section 7).
var CreateJob = Define[CreateJobRequest, CreatedJob](Row{
	Name: "jobs_create", Title: "Create job", Group: Jobs, Effect: Create,
	Method: "POST", Path: "/api/2.2/jobs/create",
	Needs: "the right to create jobs (its creator then has CAN_MANAGE), and the right to use the compute it names", Limit: PerSecond(20),
	Object: "job {name}",
	Verify: "Look for it with jobs_list name=… before creating it again: names are not unique, so a repeat makes a second job.",
	Doc:    "Create a job. Start it with jobs_run_now.",
	Did:    "created {}", Then: "job {job_id}", Undo: "jobs_delete with job_id {job_id}",
	Touches: []Touch{{Scope: ScopeJobs, Name: "{name}"}},
})
