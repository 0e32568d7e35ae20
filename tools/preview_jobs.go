package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// job reads a whole job, all pages of its arrays, as jobs_get shows it: ids as
// strings, secrets hidden.
func (s *Server) job(ctx context.Context, id string) (gjson.Result, *catalog.Call, error) {
	call, err := catalog.GetJob.Bind(jsonObject("job_id", id))
	if err != nil {
		return gjson.Result{}, nil, err
	}
	uncut := &Server{api: s.api, log: s.log, budget: math.MaxInt32}
	whole, err := uncut.gather(ctx, call)
	if err != nil {
		return gjson.Result{}, call, err
	}
	return gjson.ParseBytes(whole), call, nil
}

func (v *previewer) job() (gjson.Result, error) {
	job, inner, err := v.s.job(v.ctx, v.text("job_id"))
	if err != nil {
		return gjson.Result{}, v.failed(inner, err)
	}
	return job, nil
}

// presentSettings are the settings of a job that jobs_get showed. run_as is not
// among them: it stands beside, and matters only to a call that sets it.
func presentSettings(job, given gjson.Result) gjson.Result {
	settings, runAs := job.Get("settings"), job.Get("run_as_user_name").Str
	if !member(given, "run_as").Exists() || runAs == "" || !settings.IsObject() {
		return settings
	}
	kind := "service_principal_name" // an application id
	if strings.Contains(runAs, "@") {
		kind = "user_name"
	}
	var o object
	settings.ForEach(func(key, value gjson.Result) bool {
		if key.Str != "run_as" {
			o.raw(key.Str, value.Raw)
		}
		return true
	})
	o.raw("run_as", string(jsonObject(kind, runAs)))
	return gjson.ParseBytes(o.bytes())
}

func (v *previewer) changeJob() error {
	job, err := v.job()
	if err != nil {
		return err
	}
	resets := v.call.Row.Name == catalog.ResetJob.Name
	if !job.Exists() {
		v.What = "Changes settings of" + v.about(" ") + "."
		if resets {
			v.What = "Replaces all settings of" + v.about(" ") + "; what is left out falls back to its default."
		}
		return nil
	}
	given := cleanSettings(v.call.Args["new_settings"])
	settings := presentSettings(job, given)
	var d difference
	if resets {
		d.reset(settings, given)
	} else {
		remove, _ := argument[[]string](v.call, "fields_to_remove")
		d.update(settings, given, remove)
	}
	v.Changes = d.all()
	name := v.named(settings.Get("name").Str)
	switch n := d.count(); {
	case n == 0:
		v.What = "Changes nothing: " + name + " has these settings already."
	case resets:
		v.What = fmt.Sprintf("Replaces all settings of %s, which makes %s; active runs keep the old ones, but for timeout_seconds.", name, many(n, "change"))
	default:
		v.What = fmt.Sprintf("Makes %s to %s; active runs keep the old settings, but for timeout_seconds.", many(n, "change"), name)
	}
	if settings.Get("deployment.kind").Str == "BUNDLE" || settings.Get("edit_mode").Str == "UI_LOCKED" {
		v.What += " A bundle owns this job: its next deployment reverts the change."
	}
	v.Now = jobNow(job)
	return nil
}

// jobNow is the little of a job that tells people which one it is.
func jobNow(job gjson.Result) json.RawMessage {
	o := object{buf: pick(job, "job_id", "creator_user_name", "run_as_user_name")}
	if o.buf = o.buf[:len(o.buf)-1]; len(o.buf) == 1 {
		o.buf = nil
	}
	settings := job.Get("settings")
	if name := settings.Get("name"); name.Exists() {
		o.text("name", name.Str)
	}
	o.integer("tasks", settings.Get("tasks.#").Int())
	return o.bytes()
}

func (v *previewer) createJob() error {
	name := v.text("name")
	tasks := len(v.given("tasks").Array())
	v.What = fmt.Sprintf("Creates job %s with %s%s.", quoted(name), many(tasks, "task"), runsBy(v.whole()))
	if name == "" {
		return nil
	}
	same, err := v.look(&catalog.ListJobs.Row, jsonObject("name", name))
	if err != nil {
		return err
	}
	for _, job := range same.Get("jobs").Array() {
		v.say("there is a job of this name already: %s, by %s", job.Get("job_id").Raw, quoted(job.Get("creator_user_name").Str))
	}
	return nil
}

// whole are all arguments as one object.
func (v *previewer) whole() gjson.Result {
	var o object
	for _, name := range sortedKeys(v.call.Args) {
		o.raw(name, string(v.call.Args[name]))
	}
	return gjson.ParseBytes(o.bytes())
}

// runsBy says what starts a job by itself, as the rest of a sentence.
func runsBy(settings gjson.Result) string {
	paused := func(v gjson.Result) string {
		if v.Get("pause_status").Str == "PAUSED" {
			return " (paused)"
		}
		return ""
	}
	schedule := settings.Get("schedule")
	switch {
	case schedule.Exists():
		return "; its schedule is " + quoted(schedule.Get("quartz_cron_expression").Str) + ", " + quoted(schedule.Get("timezone_id").Str) + paused(schedule)
	case settings.Get("continuous").Exists():
		return "; it runs continuously" + paused(settings.Get("continuous"))
	case settings.Get("trigger").Exists():
		return "; a trigger starts it" + paused(settings.Get("trigger"))
	case settings.Get("triggers.0").Exists():
		return "; triggers start it"
	}
	return "; nothing starts it by itself"
}

func (v *previewer) deleteJob() error {
	job, err := v.job()
	if err != nil {
		return err
	}
	v.What = "Deletes " + v.about("") + " for good: its settings, permissions and run history."
	if job.Exists() {
		settings := job.Get("settings")
		v.What = fmt.Sprintf("Deletes %s for good: its %s, permissions and run history%s.",
			v.named(settings.Get("name").Str), many(int(settings.Get("tasks.#").Int()), "task"), runsBy(settings))
		v.Now = json.RawMessage(job.Raw)
	}
	active, err := v.activeRuns()
	if err != nil {
		return err
	}
	if active != "" {
		v.say("%s: they go on, and can no longer be found by the job", active)
	}
	return nil
}

// runs are the newest runs of the job; which is active_only or completed_only.
func (v *previewer) runs(which string, limit int64) (gjson.Result, error) {
	var o object
	o.text("job_id", v.text("job_id"))
	o.boolean(which, true)
	o.integer("limit", limit)
	return v.look(&catalog.ListRuns.Row, o.bytes())
}

// activeRuns counts the active runs of the job, in words; "" when there are none.
func (v *previewer) activeRuns() (string, error) {
	list, err := v.runs("active_only", 25)
	switch n := len(list.Get("runs").Array()); {
	case err != nil || n == 0:
		return "", err
	case list.Get("next_page_token").Str != "":
		return fmt.Sprintf("%d runs or more are active", n), nil
	case n == 1:
		return "1 run is active", nil
	default:
		return fmt.Sprintf("%d runs are active", n), nil
	}
}

func (v *previewer) runJob() error {
	job, err := v.job()
	if err != nil {
		return err
	}
	v.What = "Starts a run of " + v.about("") + "."
	if job.Exists() {
		settings := job.Get("settings")
		v.What = fmt.Sprintf("Starts a run of %s (%s).", v.named(settings.Get("name").Str), many(int(settings.Get("tasks.#").Int()), "task"))
		if runAs := job.Get("run_as_user_name").Str; runAs != "" {
			v.say("it runs as %s", quoted(runAs))
		}
		if settings.Get("continuous").Exists() {
			v.say("the job is continuous: its active run is cancelled and a new one starts")
		}
	}
	if only := v.given("only"); only.Exists() {
		v.say("only these tasks run: %s", brief(only))
	}
	active, err := v.activeRuns()
	if err != nil {
		return err
	}
	if active != "" {
		most := orElse(job.Get("settings.max_concurrent_runs"), 1)
		v.say("%s, of at most %d: beyond that a new run waits in the queue, or is skipped where the job has none", active, most)
	}
	last, err := v.runs("completed_only", 1)
	if ms := last.Get("runs.0.run_duration").Int(); ms > 0 {
		v.say("the last completed run took %s", (time.Duration(ms) * time.Millisecond).Round(time.Second))
	}
	return err
}

// orElse is an integer of the API, or what its absence says.
func orElse(v gjson.Result, absent int64) int64 {
	if v.Type != gjson.Number {
		return absent
	}
	return v.Int()
}

func (v *previewer) cancelRun() error {
	run, err := v.look(&catalog.GetRun.Row, jsonObject("run_id", v.text("run_id")))
	if err != nil {
		return err
	}
	v.What = "Cancels " + v.about("") + "; what it has done stays done."
	if !run.Exists() {
		return nil
	}
	state := run.Get("status.state").Str
	if state == "" {
		state = run.Get("state.life_cycle_state").Str
	}
	v.What = fmt.Sprintf("Cancels %s of job %s, which is %s; what it has done stays done.", v.named(run.Get("run_name").Str), run.Get("job_id").Raw, plainState(state))
	if state == "TERMINATED" {
		v.What = fmt.Sprintf("Changes nothing: %s of job %s has ended already.", v.named(run.Get("run_name").Str), run.Get("job_id").Raw)
	}
	if started := run.Get("start_time").Int(); started > 0 {
		v.say("it began at %s", when(started))
	}
	return nil
}

// plainState is a state as the API spells it.
func plainState(state string) string {
	if state == "" {
		return "in an unknown state"
	}
	return plainKey(state)
}
