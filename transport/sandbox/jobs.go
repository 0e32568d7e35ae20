package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// jobs is the state behind /api/2.x/jobs: jobs and their runs (contract
// jobs.md).
type jobs struct {
	mu     sync.Mutex
	born   time.Time // seeded history ends here
	seeded bool      // history is made on first use: it costs some milliseconds
	all    []*job    // in order of creation
	runs   []*run    // in order of creation
	tokens map[string]int64
	ids    runIDs
	made   int64 // jobs made so far
	// notebook says whether the identity can read a notebook
	notebook func(identity, path string) bool
}

type job struct {
	id       int64
	creator  string
	runAs    string
	created  time.Time
	settings object // never changed in place: runs share it
	spec     *jobSpec
	acl      acl
	legacy   bool // made through API 2.1: queueing is off unless asked for
	fires    time.Time
	queue    []*run
	troubles []trouble
	outputs  map[string]string // seeded results by task key

}

const (
	maxTasks       = 1000
	maxLegacyTasks = 100
	sliceSize      = 100 // elements of an array that one answer of API 2.2 holds
)

func addJobs(w *Workspace) error {
	js := &jobs{born: w.clock.Now(), tokens: map[string]int64{}, notebook: w.readsNotebook}
	w.jobs = js
	for _, version := range []string{"2.1", "2.2"} {
		root := "/api/" + version + "/jobs/"
		for route, h := range map[string]handler{
			"POST create": js.create, "GET get": js.get, "GET list": js.list, "POST update": js.update, "POST reset": js.reset,
			"POST delete": js.delete, "POST run-now": js.runNow, "POST runs/submit": js.submit, "GET runs/list": js.listRuns,
			"GET runs/get": js.getRun, "GET runs/get-output": js.getOutput, "POST runs/cancel": js.cancel,
			"POST runs/cancel-all": js.cancelAll, "POST runs/repair": js.repair, "POST runs/delete": js.deleteRun,
		} {
			method, path, _ := strings.Cut(route, " ")
			w.on(method+" "+root+path, js.current(h))
		}
	}
	return nil
}

// current runs a handler with js.mu held and everything brought up to now.
func (js *jobs) current(h handler) handler {
	return locked(&js.mu, func(r *request) (any, error) {
		if !js.seeded {
			js.seeded = true
			js.seed()
		}
		js.advance(r.now)
		return h(r)
	})
}

// legacy says whether the request came by API 2.1, which knows no paging within
// one job or run.
func (r *request) legacy() bool { return strings.HasPrefix(r.URL.Path, "/api/2.1/") }

// newJobID makes a 15-digit id that depends on the number of jobs made before.
func (js *jobs) newJobID() int64 {
	js.made++
	x := uint64(js.made) * 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return int64(100_000_000_000_000 + (x^x>>31)%900_000_000_000_000)
}

// job looks one up for a user. Permission is checked before existence: people
// who are not admins cannot tell a missing job from a hidden one.
func (js *jobs) job(user *principal, id int64, level string) (*job, error) {
	at := slices.IndexFunc(js.all, func(j *job) bool { return j.id == id })
	if at >= 0 && js.all[at].acl.allows(user, "jobs", level) {
		return js.all[at], nil
	}
	if user.Admin {
		return nil, badArgument(fmt.Sprintf("Job %d does not exist.", id))
	}
	return nil, noJobPermission(user, level, "job", id)
}

func noJobPermission(user *principal, level, what string, id int64) error {
	roles := map[string]string{
		"CAN_VIEW": "View or Admin or Manage Run or Owner", "CAN_MANAGE_RUN": "Admin or Manage Run or Owner", "CAN_MANAGE": "Admin or Owner",
	}[level]
	return denied(fmt.Sprintf("User %s does not have %s permissions on %s %d", user.UserName, roles, what, id))
}

func (js *jobs) create(r *request) (any, error) {
	var body object
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	limit := maxTasks
	if r.legacy() {
		limit = maxLegacyTasks
	}
	settings, spec, err := parseSettings(body, limit)
	if err != nil {
		return nil, err
	}
	granted, err := jobACL(body["access_control_list"])
	if err != nil {
		return nil, err
	}
	j := &job{
		id: js.newJobID(), creator: r.user.UserName, created: r.now, settings: settings, spec: spec, legacy: r.legacy(), acl: granted,
	}
	if j.acl.owner() == "" {
		j.acl[r.user.UserName] = "IS_OWNER"
	}
	if err := j.runsAs(r.user, r.user.UserName); err != nil {
		return nil, err
	}
	j.schedule(r.now)
	js.all = append(js.all, j)
	return object{"job_id": j.id}, nil
}

// jobACL reads an access_control_list.
func jobACL(given any) (acl, error) {
	var list []struct {
		User      string `json:"user_name"`
		Group     string `json:"group_name"`
		Principal string `json:"service_principal_name"`
		Level     string `json:"permission_level"`
	}
	if err := recast(given, &list); err != nil {
		return nil, err
	}
	out := acl{}
	for _, e := range list {
		who := e.User + e.Group + e.Principal
		if who == "" || !slices.Contains(levels["jobs"], e.Level) {
			return nil, badArgument("Each access_control_list entry needs one of user_name, group_name, service_principal_name, and a permission_level of " + strings.Join(levels["jobs"], ", "))
		}
		if e.Level == "IS_OWNER" && (out.owner() != "" || e.Group != "") {
			return nil, badArgument("The job must have exactly one owner.")
		}
		out[who] = e.Level
	}
	return out, nil
}

// runsAs settles the identity of the job's runs; absent keeps the one before.
func (j *job) runsAs(user *principal, before string) error {
	as := j.spec.RunAs.User + j.spec.RunAs.Principal + j.spec.RunAs.Group
	switch {
	case as == "":
		as = before
	case !user.Admin && as != user.UserName && !user.in(as):
		return denied(fmt.Sprintf("User %s is not allowed to set run_as to %s", user.UserName, as))
	}
	j.runAs = as
	return nil
}

func (js *jobs) get(r *request) (any, error) {
	id, err := r.id("job_id")
	if err != nil {
		return nil, err
	}
	j, err := js.job(r.user, id, "CAN_VIEW")
	if err != nil {
		return nil, err
	}
	out := j.view()
	out["run_as_user_name"] = j.runAs
	if withTrigger, err := r.bool("include_trigger_state"); err != nil {
		return nil, err
	} else if withTrigger && j.spec.Trigger != nil {
		out["trigger_state"] = object{"pause_status": j.spec.Trigger["pause_status"]}
	}
	settings := shown(j.settings)
	out["settings"] = settings
	if r.legacy() {
		if len(j.spec.Tasks) > maxLegacyTasks {
			return nil, tooManyTasks()
		}
		return out, nil
	}
	next, err := slice(settings, "job", r.URL.Query().Get("page_token"), "tasks", "job_clusters", "environments", "parameters")
	if err != nil {
		return nil, err
	}
	if next != "" {
		out["next_page_token"] = next
	}
	return out, nil
}

func tooManyTasks() error {
	return badArgument("Resources with more than 100 tasks can only be handled by API 2.2 and above. Use API 2.2 to work with this resource.")
}

// slice cuts the named arrays of o to the same 100 elements and returns the
// token of the next 100; arrays that ran out become absent.
func slice(o object, list, token string, fields ...string) (string, error) {
	from, err := readPageToken(list, token)
	if err != nil {
		return "", err
	}
	more := false
	for _, f := range fields {
		switch items := o[f].(type) {
		case []any:
			more = cutSlice(o, f, items, from) || more
		case []object:
			more = cutSlice(o, f, items, from) || more
		}
	}
	if more {
		return pageToken(list, from+sliceSize), nil
	}
	return "", nil
}

func cutSlice[T any](o object, field string, items []T, from int) (more bool) {
	if from >= len(items) {
		delete(o, field)
		return false
	}
	to := min(from+sliceSize, len(items))
	o[field] = items[from:to]
	return to < len(items)
}

// view is the job without its settings.
func (j *job) view() object {
	return object{"job_id": j.id, "creator_user_name": j.creator, "created_time": millis(j.created)}
}

func (js *jobs) list(r *request) (any, error) {
	limit, err := r.int("limit", 20)
	if err != nil {
		return nil, err
	}
	if limit < 1 || limit > 100 {
		return nil, badArgument(fmt.Sprintf("Invalid limit %d: The limit must be between 1 and 100", limit))
	}
	offset, err := r.int("offset", 0)
	if err != nil {
		return nil, err
	}
	if offset < 0 || offset > 1000 {
		return nil, badArgument(fmt.Sprintf("The supplied offset %d has exceeded the value of 1000. Please use page_token to paginate through the list", offset))
	}
	expand, err := r.bool("expand_tasks")
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	var found []*job
	for _, j := range slices.Backward(js.all) {
		if (q.Get("name") == "" || strings.EqualFold(j.spec.Name, q.Get("name"))) && j.acl.allows(r.user, "jobs", "CAN_VIEW") {
			found = append(found, j)
		}
	}
	cut, err := page("jobs", q.Get("page_token"), len(found), int(limit), int(offset))
	if err != nil {
		return nil, err
	}
	var rows []object
	for _, j := range found[cut.from:cut.to] {
		row, settings := j.view(), shown(j.settings)
		row["settings"] = settings
		switch {
		case !expand:
			for _, f := range []string{"tasks", "job_clusters", "environments", "parameters"} {
				delete(settings, f)
			}
		case r.legacy() && len(j.spec.Tasks) > maxLegacyTasks:
			return nil, tooManyTasks()
		case !r.legacy():
			if more, err := slice(settings, "job", "", "tasks", "job_clusters", "environments", "parameters"); err != nil {
				return nil, err
			} else if more != "" {
				row["has_more"] = true
			}
		}
		rows = append(rows, row)
	}
	return cut.list("jobs", rows), nil
}

// list is the envelope of jobs/list and runs/list.
func (w window) list(name string, rows []object) object {
	out := object{"has_more": w.next != ""}
	if len(rows) > 0 {
		out[name] = rows
	}
	if w.next != "" {
		out["next_page_token"] = w.next
	}
	if w.prev != "" {
		out["prev_page_token"] = w.prev
	}
	return out
}

// change gives a job new settings, made from the old by edit.
func (js *jobs) change(r *request, id int64, edit func(old object) (object, error)) (any, error) {
	j, err := js.job(r.user, id, "CAN_MANAGE")
	if err != nil {
		return nil, err
	}
	edited, err := edit(j.settings)
	if err != nil {
		return nil, err
	}
	limit := maxTasks
	if r.legacy() {
		limit = maxLegacyTasks
	}
	settings, spec, err := parseSettings(edited, limit)
	if err != nil {
		return nil, err
	}
	changed := *j
	changed.settings, changed.spec = settings, spec
	if err := changed.runsAs(r.user, j.runAs); err != nil {
		return nil, err
	}
	changed.schedule(r.now)
	*j = changed
	for _, run := range js.runs { // the one field that also binds runs under way
		if run.job == j && run.timeout != spec.Timeout && run.active(r.now) {
			run.timeout, run.plan = spec.Timeout, nil
		}
	}
	return nil, nil
}

func (js *jobs) update(r *request) (any, error) {
	var body struct {
		ID     int64    `json:"job_id"`
		New    object   `json:"new_settings"`
		Remove []string `json:"fields_to_remove"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	return js.change(r, body.ID, func(old object) (object, error) { return merge(old, body.New, body.Remove) })
}

// reset replaces everything but run_as, which stays when it is left out.
func (js *jobs) reset(r *request) (any, error) {
	var body struct {
		ID  int64  `json:"job_id"`
		New object `json:"new_settings"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	if body.New == nil {
		return nil, badArgument("Missing required field: new_settings")
	}
	return js.change(r, body.ID, func(object) (object, error) { return body.New, nil })
}

// delete forgets the job at once; its active runs end by themselves.
func (js *jobs) delete(r *request) (any, error) {
	var body struct {
		ID int64 `json:"job_id"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	j, err := js.job(r.user, body.ID, "CAN_MANAGE")
	if err != nil {
		return nil, err
	}
	js.all = slices.DeleteFunc(js.all, func(other *job) bool { return other == j })
	j.fires, j.queue = time.Time{}, nil
	return nil, nil
}
