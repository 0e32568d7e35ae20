package sandbox

import (
	"cmp"
	"fmt"
	"slices"
)

func (js *jobs) listRuns(r *request) (any, error) {
	limit, err := r.int("limit", 20)
	if err != nil {
		return nil, err
	}
	if limit < 0 || limit > 25 {
		return nil, badArgument(fmt.Sprintf("Invalid limit %d: The limit must be between 0 and 25", limit))
	}
	if limit == 0 {
		limit = 25
	}
	offset, err := r.int("offset", 0)
	if err != nil {
		return nil, err
	}
	if offset < 0 || offset > 10000 {
		return nil, badArgument(fmt.Sprintf("The supplied offset %d has exceeded the value of 10000. Please use page_token to paginate through the list", offset))
	}
	keep, err := js.runFilter(r)
	if err != nil {
		return nil, err
	}
	expand, err := r.bool("expand_tasks")
	if err != nil {
		return nil, err
	}
	var found []*run
	for _, run := range js.runs {
		if keep(run) {
			found = append(found, run)
		}
	}
	slices.SortStableFunc(found, func(a, b *run) int { return cmp.Or(b.created.Compare(a.created), cmp.Compare(b.id, a.id)) })
	cut, err := page("runs", r.URL.Query().Get("page_token"), len(found), int(limit), int(offset))
	if err != nil {
		return nil, err
	}
	var rows []object
	for _, run := range found[cut.from:cut.to] {
		row := run.view(r)
		if params := run.parameterViews(); params != nil {
			row["job_parameters"] = params
		}
		if expand {
			run.arrays(r, row)
			if more, err := slice(row, "run", "", "tasks", "job_clusters", "job_parameters"); err != nil {
				return nil, err
			} else if more != "" {
				row["has_more"] = true
			}
		}
		rows = append(rows, row)
	}
	return cut.list("runs", rows), nil
}

// runFilter reads the filters of runs/list.
func (js *jobs) runFilter(r *request) (func(*run) bool, error) {
	active, err := r.bool("active_only")
	if err != nil {
		return nil, err
	}
	completed, err := r.bool("completed_only")
	if err != nil {
		return nil, err
	}
	if active && completed {
		return nil, badArgument("active_only and completed_only cannot both be true")
	}
	kind := r.URL.Query().Get("run_type")
	if kind != "" && kind != "JOB_RUN" && kind != "SUBMIT_RUN" && kind != "WORKFLOW_RUN" {
		return nil, badArgument("Invalid run_type " + kind + ". Valid values are: JOB_RUN, SUBMIT_RUN, WORKFLOW_RUN")
	}
	from, err := r.int("start_time_from", 0)
	if err != nil {
		return nil, err
	}
	to, err := r.int("start_time_to", 1<<62)
	if err != nil {
		return nil, err
	}
	jobID, err := r.int("job_id", 0)
	if err != nil {
		return nil, err
	}
	if jobID != 0 {
		if _, err := js.job(r.user, jobID, "CAN_VIEW"); err != nil {
			return nil, err
		}
	}
	return func(run *run) bool {
		start := millis(cmp.Or(run.started, run.created))
		return !run.deleted && run.acl.allows(r.user, "jobs", "CAN_VIEW") &&
			(jobID == 0 || run.jobID == jobID) && (kind == "" || run.kind == kind) && start >= from && start <= to &&
			r.now.Sub(run.created) < keepRuns &&
			(!active || run.active(r.now)) && (!completed || !run.active(r.now))
	}, nil
}
