package sandbox

import (
	"slices"
	"time"
)

// attempt is one try of a task, or one iteration of a for-each task, from its
// beginning to its end. Times may lie in the future: a plan says what will
// happen unless somebody interferes.
type attempt struct {
	id     int64
	task   *taskSpec
	raw    object // the task's settings
	part   *part
	number int64
	after  time.Time // shown from here on; zero: from the start of the run
	ready  time.Time // upstream tasks are done
	setup  time.Time // compute is ready, code starts
	stop   time.Time // code ended, or was told to
	end    time.Time
	result string // result_state
	code   string // of termination_details
	fault  fate
	// of a condition task
	outcome string
	// of a for-each task
	iterations []*attempt
	iteration  bool
}

// How long things take: seconds in runs of today, minutes in seeded history.
const (
	quickSetup    = time.Second
	quickWork     = 2 * time.Second // and up to 3 more
	slowSetup     = 40 * time.Second
	slowWork      = 50 * time.Second // and up to 8 minutes more
	cancelling    = time.Second
	maxIterations = 200
)

// attempts is the plan of r, made when it is first needed.
func (r *run) attempts() []*attempt {
	if r.plan != nil || r.skipped || r.started.IsZero() {
		return r.plan
	}
	last := map[string]*attempt{} // the newest attempt of each task
	for _, p := range r.parts {
		p.schedule(r, last)
	}
	return r.plan
}

// cut is when the part is ended from outside, and what that makes of tasks
// under way; a zero time: never.
func (p *part) cut(r *run) (at time.Time, result string) {
	limit := p.from.Add(time.Duration(r.timeout) * time.Second)
	if r.timeout > 0 && (p.cancelled.IsZero() || limit.Before(p.cancelled)) {
		return limit, "TIMEDOUT"
	}
	return p.cancelled, "CANCELED"
}

// schedule appends the attempts of one part to the plan.
func (p *part) schedule(r *run, last map[string]*attempt) {
	cut, cutResult := p.cut(r)
	first := p.first
	firsts := make([]int64, len(p.spec.Tasks))
	for i := range p.spec.Tasks {
		firsts[i] = first
		first += p.spec.Tasks[i].slots()
	}
	raw, _ := p.settings["tasks"].([]any)
	for _, i := range p.spec.order() {
		task := &p.spec.Tasks[i]
		if p.tasks != nil && !p.tasks[task.Key] {
			continue
		}
		ready := p.from
		var upstream []*attempt
		for _, d := range task.DependsOn {
			if up := last[d.Key]; up != nil {
				upstream = append(upstream, up)
				if up.end.After(ready) {
					ready = up.end
				}
			}
		}
		base := attempt{task: task, raw: raw[i].(object), part: p, ready: ready}
		if result, code := gate(task, upstream); result != "" {
			base.id, base.result, base.code = runID(firsts[i]), result, code
			base.setup, base.stop, base.end = ready, ready, ready
			if !cut.IsZero() && !ready.Before(cut) {
				base.result, base.code = cutResult, cutCode(cutResult)
			}
			last[task.Key] = &base
			r.plan = append(r.plan, last[task.Key])
			continue
		}
		for n := range task.attempts() {
			a := base
			a.id, a.number = runID(firsts[i]+n), n
			if n > 0 {
				a.after = last[task.Key].end
				a.ready = a.after.Add(time.Duration(task.RetryWait) * time.Millisecond)
			}
			a.execute(r, firsts[i], cut, cutResult)
			last[task.Key] = &a
			r.plan = append(r.plan, last[task.Key])
			if a.result != "FAILED" && (a.result != "TIMEDOUT" || !task.RetryOnTime || !cut.IsZero() && !a.end.Before(cut)) {
				break
			}
		}
	}
}

// gate says whether a task runs at all: "" if so, else the result it gets
// instead (contract jobs.md, run_if).
func gate(task *taskSpec, upstream []*attempt) (result, code string) {
	if task.Disabled {
		return "DISABLED", "DISABLED"
	}
	var good, bad, cancelled, left int
	for _, up := range upstream {
		for _, d := range task.DependsOn {
			if d.Key == up.task.Key && d.Outcome != "" && up.outcome != "" && d.Outcome != up.outcome {
				return "EXCLUDED", "SKIPPED"
			}
		}
		switch up.result {
		case "SUCCESS", "DISABLED":
			good++
		case "CANCELED", "UPSTREAM_CANCELED":
			cancelled++
		case "EXCLUDED":
			left++
		default:
			bad++
		}
	}
	all := len(upstream)
	run := false
	switch task.RunIf {
	case "", "ALL_SUCCESS":
		run = good == all
	case "AT_LEAST_ONE_SUCCESS":
		run = good > 0 || all == 0
	case "NONE_FAILED":
		run = bad+cancelled == 0 && (good > 0 || all == 0)
	case "ALL_DONE":
		run = true
	case "AT_LEAST_ONE_FAILED":
		if bad == 0 {
			return "EXCLUDED", "SKIPPED"
		}
		run = true
	case "ALL_FAILED":
		if bad < all || all == 0 {
			return "EXCLUDED", "SKIPPED"
		}
		run = true
	}
	switch {
	case run:
		return "", ""
	case bad > 0:
		return "UPSTREAM_FAILED", "SKIPPED"
	case cancelled > 0:
		return "UPSTREAM_CANCELED", "SKIPPED"
	}
	return "EXCLUDED", "SKIPPED"
}

func cutCode(result string) string {
	if result == "TIMEDOUT" {
		return "CANCELED"
	}
	return "USER_CANCELED"
}

// execute fills in what happens from ready on.
func (a *attempt) execute(r *run, first int64, cut time.Time, cutResult string) {
	a.fault = r.fate(a)
	a.setup = a.ready.Add(a.fault.setup)
	a.stop = a.setup.Add(a.fault.work)
	a.result, a.code = "SUCCESS", "SUCCESS"
	switch {
	case a.task.Condition != nil:
		a.outcome = a.condition(r)
	case a.task.ForEach != nil && !a.iteration:
		a.iterate(r, first, cut, cutResult)
	case a.fault.code != "":
		a.result, a.code = "FAILED", a.fault.code
	}
	if limit := a.ready.Add(time.Duration(a.task.Timeout) * time.Second); a.task.Timeout > 0 && limit.Before(a.stop) {
		a.stop, a.result, a.code = limit, "TIMEDOUT", "CANCELED"
	}
	a.end = a.stop
	if cut.IsZero() || a.end.Before(cut) {
		return
	}
	a.result, a.code = cutResult, cutCode(cutResult)
	if !a.ready.Before(cut) { // it never began
		a.setup, a.stop, a.end = a.ready, a.ready, a.ready
		return
	}
	if a.setup.After(cut) {
		a.setup = cut
	}
	a.stop, a.end = cut, cut.Add(cancelling)
}

// iterate plans the iterations of a for-each task, as many at once as it
// allows. The parent fails when one of them does.
func (a *attempt) iterate(r *run, first int64, cut time.Time, cutResult string) {
	inputs := a.inputs(r)
	lanes := make([]time.Time, max(1, min(a.task.ForEach.Concurrency, 100)))
	if a.task.ForEach.Concurrency == 0 {
		lanes = make([]time.Time, 20)
	}
	for i := range lanes {
		lanes[i] = a.ready
	}
	a.stop = a.ready
	inner, _ := a.raw["for_each_task"].(object)
	raw, _ := inner["task"].(object)
	for n := range inputs {
		free := slices.Index(lanes, slices.MinFunc(lanes, time.Time.Compare))
		it := &attempt{
			id: runID(first + 1 + int64(n)), task: &a.task.ForEach.Task, raw: raw, part: a.part, ready: lanes[free], iteration: true,
		}
		it.execute(r, first, cut, cutResult)
		lanes[free] = it.end
		if it.end.After(a.stop) {
			a.stop = it.end
		}
		if it.result != "SUCCESS" && a.result == "SUCCESS" {
			a.result, a.code, a.fault = "FAILED", it.code, it.fault
		}
		a.iterations = append(a.iterations, it)
	}
}

// newest is the last attempt of each task that the run executed.
func (r *run) newest() []*attempt {
	at := map[string]int{}
	var out []*attempt
	for _, a := range r.attempts() {
		if n, ok := at[a.task.Key]; ok {
			out[n] = a
		} else {
			at[a.task.Key] = len(out)
			out = append(out, a)
		}
	}
	return out
}

// end is when the run is over; far in the future while it is queued.
func (r *run) end() time.Time {
	if r.started.IsZero() {
		return r.created.AddDate(100, 0, 0)
	}
	end := r.last().from
	if r.skipped {
		return r.started
	}
	for _, a := range r.attempts() {
		if a.end.After(end) {
			end = a.end
		}
	}
	return end
}

func (r *run) active(now time.Time) bool { return now.Before(r.end()) }

// result sums the tasks up: what the leaves of the graph say, the tasks nothing
// depends on.
func (r *run) result() (result string, failed *attempt) {
	if r.skipped {
		return "MAXIMUM_CONCURRENT_RUNS_REACHED", nil
	}
	newest := r.newest()
	inner := map[string]bool{}
	for _, a := range newest {
		for _, d := range a.task.DependsOn {
			inner[d.Key] = true
		}
	}
	var leafFailed, cancelled, late bool
	for _, a := range newest {
		switch a.result {
		case "FAILED", "TIMEDOUT":
			if failed == nil {
				failed = a
			}
			late = late || a.result == "TIMEDOUT" && a.cutByRun(r)
			leafFailed = leafFailed || !inner[a.task.Key]
		case "UPSTREAM_FAILED":
			leafFailed = leafFailed || !inner[a.task.Key]
		case "CANCELED":
			cancelled = true
		}
	}
	switch {
	case cancelled:
		return "CANCELED", nil
	case late:
		return "TIMEDOUT", failed
	case leafFailed:
		return "FAILED", failed
	case failed != nil:
		return "SUCCESS_WITH_FAILURES", failed
	}
	return "SUCCESS", nil
}

// cutByRun tells the timeout of the run from that of the task.
func (a *attempt) cutByRun(r *run) bool {
	at, result := a.part.cut(r)
	return result == "TIMEDOUT" && !a.end.Before(at)
}
