package catalog

// Jobs: contract/jobs.md sections 2 to 6. Runs are in runs.go.

func jobRows() []*Row {
	return []*Row{
		&CreateJob.Row, &GetJob.Row, &ListJobs.Row, &UpdateJob.Row, &ResetJob.Row, &DeleteJob.Row,
		&RunJob.Row, &ListRuns.Row, &GetRun.Row, &CancelRun.Row, &GetRunOutput.Row,
	}
}

// GetJobRequest names a job.
type GetJobRequest struct {
	JobID               ID   `json:"job_id" jsonschema_description:"Job id"`
	IncludeTriggerState bool `json:"include_trigger_state,omitempty" jsonschema_description:"Add trigger_state"`
	Resumed
}

// Job is one job with all its settings; times in epoch ms.
type Job struct {
	JobID           ID     `json:"job_id"`
	CreatorUserName string `json:"creator_user_name"` // absent when that user is gone
	RunAsUserName   string `json:"run_as_user_name"`
	CreatedTime     int64  `json:"created_time"`
	Settings        Raw    `json:"settings"`
	TriggerState    Raw    `json:"trigger_state"`
	TriggerDetails  Raw    `json:"trigger_details"`
}

// GetJob reads one job. The arrays in its settings come in pages of 100.
var GetJob = Define[GetJobRequest, Job](Row{
	Name: "jobs_get", Title: "Get job", Group: Jobs, Effect: Read,
	Method: "GET", Path: "/api/2.2/jobs/get",
	Needs: "CAN_VIEW on the job", Object: "job {job_id}", Limit: PerSecond(20),
	Gather:  []string{"settings.tasks", "settings.job_clusters", "settings.environments", "settings.parameters"},
	Doc:     "Show a job's settings.",
	Did:     "read {}",
	Touches: []Touch{{Scope: ScopeJobs, ID: "{job_id}"}},
})

// ListJobsRequest narrows the list of jobs.
type ListJobsRequest struct {
	Name        string `json:"name,omitempty" jsonschema_description:"Exact name"`
	ExpandTasks bool   `json:"expand_tasks,omitempty" jsonschema_description:"Add tasks"`
	Limit       int64  `json:"limit,omitempty" check:"minimum=1,maximum=100" jsonschema_description:"1 to 100"`
	Offset      int64  `json:"offset,omitempty" check:"minimum=0,maximum=1000" jsonschema:"-" jsonschema_description:"Deprecated"`
	PagedWide
}

// JobList is the answer of jobs/list, newest first. Tasks come only when asked
// for, the first 100 of a job.
type JobList struct {
	Jobs []struct {
		JobID           ID     `json:"job_id"`
		CreatorUserName string `json:"creator_user_name"`
		Settings        struct {
			Name  string `json:"name"`
			Tasks []struct {
				TaskKey string `json:"task_key"`
			} `json:"tasks"`
		} `json:"settings"`
	} `json:"jobs"`
}

// ListJobs lists the jobs that the user may see.
var ListJobs = Define[ListJobsRequest, JobList](Row{
	Name: "jobs_list", Title: "List jobs", Group: Jobs, Effect: Read,
	Method: "GET", Path: "/api/2.2/jobs/list", Items: "jobs", Paging: TokenPages,
	Needs: "CAN_VIEW on the jobs", Limit: PerSecond(20),
	Doc:   "List jobs, newest first.",
	Did:   "listed jobs",
	Shows: Shown{Scope: ScopeJobs, ID: "job_id", Name: "settings.name"},
})

// UpdateJobRequest changes parts of a job's settings.
type UpdateJobRequest struct {
	JobID          ID       `json:"job_id" jsonschema_description:"Job id"`
	NewSettings    Object   `json:"new_settings,omitempty" settings:"job" jsonschema_description:"As jobs_create: objects replaced whole, tasks merged by task_key"`
	FieldsToRemove []string `json:"fields_to_remove,omitempty" jsonschema_description:"Such as schedule, tasks/KEY"`
}

// UpdateJob changes parts of a job; nothing nested can be changed alone.
var UpdateJob = Define[UpdateJobRequest, None](Row{
	Name: "jobs_update", Title: "Update job", Group: Jobs, Effect: Update,
	Method: "POST", Path: "/api/2.2/jobs/update",
	Needs: "CAN_MANAGE on the job", Object: "job {job_id}", Limit: PerSecond(10),
	Doc:     "Change some settings of a job.",
	Did:     "changed {}",
	Touches: []Touch{{Scope: ScopeJobs, ID: "{job_id}"}},
})

// ResetJobRequest carries all settings of a job.
type ResetJobRequest struct {
	JobID       ID     `json:"job_id" jsonschema_description:"Job id"`
	NewSettings Object `json:"new_settings" settings:"job" jsonschema_description:"All settings, as jobs_create"`
}

// ResetJob overwrites a job. What is left out falls back to its default, run_as
// alone stays as it was.
var ResetJob = Define[ResetJobRequest, None](Row{
	Name: "jobs_reset", Title: "Replace job settings", Group: Jobs, Effect: Replace,
	Method: "POST", Path: "/api/2.2/jobs/reset",
	Needs: "CAN_MANAGE on the job", Object: "job {job_id}", Limit: PerSecond(20),
	Doc:     "Replace all settings of a job.",
	Did:     "replaced the settings of {}",
	Touches: []Touch{{Scope: ScopeJobs, ID: "{job_id}"}},
})

// DeleteJobRequest names a job.
type DeleteJobRequest struct {
	JobID ID `json:"job_id" jsonschema_description:"Job id"`
}

// DeleteJob removes a job for good; its active runs go on.
var DeleteJob = Define[DeleteJobRequest, None](Row{
	Name: "jobs_delete", Title: "Delete job", Group: Jobs, Effect: Delete,
	Method: "POST", Path: "/api/2.2/jobs/delete",
	Needs: "CAN_MANAGE on the job", Object: "job {job_id}", Limit: PerSecond(10),
	Doc:     "Delete a job for good.",
	Did:     "deleted {}",
	Touches: []Touch{{Scope: ScopeJobs, ID: "{job_id}"}},
})
