package sandbox

import (
	"slices"
	"sort"
	"time"
)

// run is one run of a job, or a one-time run that was submitted. What it does
// over time is planned in advance (plan.go): its state at any moment is read off
// the plan.
type run struct {
	id         int64
	job        *job // nil: submitted
	jobID      int64
	name       string
	kind       string // run_type
	trigger    string
	creator    string
	spec       *jobSpec
	settings   object
	acl        acl
	parameters []runParameter
	overriding object // legacy parameters
	created    time.Time
	started    time.Time // zero while queued
	skipped    bool      // never started: the job was busy
	deleted    bool
	timeout    int64 // seconds, 0: none
	history    bool  // seeded: takes minutes, as real runs do
	parts      []*part
	plan       []*attempt // nil: to be made anew
}

type runParameter struct{ name, defaultValue, value string }

// part is the original execution of a run, or a repair of it.
type part struct {
	id        int64 // repair_id; 0: the original
	from      time.Time
	cancelled time.Time // zero: not
	spec      *jobSpec  // a repair uses the job as it is by then
	settings  object
	first     int64             // sequence number of its first task run id
	tasks     map[string]bool   // keys of the tasks it executes; nil: all
	absent    map[string]string // notebooks that are not there, by task key
	params    map[string]string // job parameters that a repair changed
}

// last is the newest part.
func (r *run) last() *part { return r.parts[len(r.parts)-1] }

// runIDs makes the ids of runs and task runs. All are odd and above 2^53, so
// none survives a detour through a float64.
type runIDs struct {
	used   int64
	blocks []idBlock // ascending
}

type idBlock struct {
	first, size int64
	run         *run
}

const (
	firstRunID = 9007199254740993 // 2^53 + 1
	runIDStep  = 104722
)

func runID(sequence int64) int64 { return firstRunID + sequence*runIDStep }

// reserve sets n ids aside for a run and returns the first sequence number.
func (ids *runIDs) reserve(r *run, n int64) int64 {
	first := ids.used
	ids.used += n
	ids.blocks = append(ids.blocks, idBlock{first, n, r})
	return first
}

// find says which run an id belongs to: its own, or that of one of its tasks.
func (ids *runIDs) find(id int64) *run {
	n := (id - firstRunID) / runIDStep
	if id < firstRunID || runID(n) != id {
		return nil
	}
	at := sort.Search(len(ids.blocks), func(i int) bool { return ids.blocks[i].first+ids.blocks[i].size > n })
	if at == len(ids.blocks) {
		return nil
	}
	return ids.blocks[at].run
}

// slots is how many task run ids a task can need: one per attempt, and one per
// iteration of a for-each task.
func (t *taskSpec) slots() int64 {
	if t.ForEach != nil {
		return 1 + maxIterations
	}
	return t.attempts()
}

// attempts is how often a task is tried at most. "Without end" (-1) is a few
// times here.
func (t *taskSpec) attempts() int64 {
	if t.MaxRetries < 0 {
		return 10
	}
	return 1 + min(t.MaxRetries, 9)
}

// newRun makes a run and its ids, not started yet.
func (js *jobs) newRun(r *run, at time.Time, only map[string]bool) {
	r.created = at
	p := js.newPart(r, r.spec, r.settings, only)
	r.id, p.id = p.id, 0
	r.parts = []*part{p}
	js.runs = append(js.runs, r)
}

// newPart reserves an id for the part itself and those of its task runs.
func (js *jobs) newPart(r *run, spec *jobSpec, settings object, only map[string]bool) *part {
	n := int64(1)
	for i := range spec.Tasks {
		n += spec.Tasks[i].slots()
	}
	first := js.ids.reserve(r, n)
	p := &part{id: runID(first), first: first + 1, spec: spec, settings: settings, tasks: only}
	if !r.history {
		p.absent = js.absent(r, spec)
	}
	return p
}

// begin starts a run.
func (r *run) begin(at time.Time) { r.started, r.parts[0].from, r.plan = at, at, nil }

// launch starts a run of a job by itself or by hand, or queues it, or skips it
// when the job is busy.
func (js *jobs) launch(j *job, r *run, at time.Time, only map[string]bool, queueing bool) *run {
	r.job, r.jobID, r.name, r.kind = j, j.id, j.spec.Name, "JOB_RUN"
	r.spec, r.settings, r.acl, r.timeout = j.spec, j.settings, j.acl, j.spec.Timeout
	js.newRun(r, at, only)
	limit := int64(1)
	if j.spec.MaxRuns != nil {
		limit = *j.spec.MaxRuns
	}
	switch {
	case limit > 0 && len(j.queue) == 0 && int64(js.busy(j, at)) < limit:
		r.begin(at)
	case queueing && limit > 0:
		j.queue = append(j.queue, r)
	default:
		r.skipped = true
		r.begin(at)
	}
	return r
}

// busy counts the runs of a job that are under way at a moment.
func (js *jobs) busy(j *job, at time.Time) int {
	n := 0
	for _, r := range js.runs {
		if r.job == j && !r.started.IsZero() && !r.skipped && r.end().After(at) {
			n++
		}
	}
	return n
}

// advance brings all jobs to now: queued runs start as others end, and
// schedules fire.
func (js *jobs) advance(now time.Time) {
	for _, j := range js.all {
		for n := 0; !j.fires.IsZero() && !j.fires.After(now) && n < 100; n++ {
			at := j.fires
			js.drain(j, at)
			js.launch(j, &run{trigger: "PERIODIC", creator: j.runAs, parameters: j.defaults()}, at, nil, j.queues(nil))
			j.schedule(at)
		}
		if !j.fires.IsZero() && !j.fires.After(now) { // the clock jumped further than anybody wants to list
			j.schedule(now)
		}
		js.keepAlive(j, now)
		js.drain(j, now)
	}
}

// keepAlive restarts a continuous job a minute after its run ended.
func (js *jobs) keepAlive(j *job, now time.Time) {
	if j.spec.Continuous == nil || j.spec.Continuous.Status == "PAUSED" {
		return
	}
	at := j.created
	for _, r := range js.runs {
		if r.job == j && r.end().After(at) {
			at = r.end().Add(time.Minute)
		}
	}
	if !at.After(now) {
		js.launch(j, &run{trigger: "CONTINUOUS", creator: j.runAs, parameters: j.defaults()}, at, nil, true)
	}
}

// drain starts the queued runs of a job whose turn has come by now.
func (js *jobs) drain(j *job, now time.Time) {
	for len(j.queue) > 0 {
		limit := 1
		if j.spec.MaxRuns != nil {
			limit = int(*j.spec.MaxRuns)
		}
		var ends []time.Time
		for _, r := range js.runs {
			if r.job == j && !r.started.IsZero() && !r.skipped && r.end().After(j.queue[0].created) {
				ends = append(ends, r.end())
			}
		}
		slices.SortFunc(ends, time.Time.Compare)
		at := j.queue[0].created
		if len(ends) >= limit {
			if limit == 0 {
				return
			}
			at = ends[len(ends)-limit]
		}
		if at.After(now) {
			return
		}
		j.queue[0].begin(at)
		j.queue = j.queue[1:]
	}
}

// schedule computes when the job fires next after a moment.
func (j *job) schedule(after time.Time) {
	j.fires = time.Time{}
	if s := j.spec.Schedule; s != nil && s.Status != "PAUSED" {
		j.fires = j.spec.cron.next(after.In(j.spec.zone))
	}
}

// queues says whether a run waits when the job is busy: the call's word, else
// the job's, else what the API version of its creation says.
func (j *job) queues(asked *bool) bool {
	switch {
	case asked != nil:
		return *asked
	case j.spec.Queue != nil:
		return j.spec.Queue.Enabled
	}
	return !j.legacy
}

func (j *job) defaults() []runParameter {
	var out []runParameter
	for _, p := range j.spec.Parameters {
		out = append(out, runParameter{p.Name, p.Default, p.Default})
	}
	return out
}
