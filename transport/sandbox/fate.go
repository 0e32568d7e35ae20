package sandbox

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fate is what the sandbox decides about an attempt: how long it takes, and how
// it fails if it does. Nothing is executed.
type fate struct {
	setup, work time.Duration
	code        string // termination code of a failure, "" if it succeeds
	kind        string // its type: CLIENT_ERROR, CLOUD_FAILURE, INTERNAL_ERROR
	message     string // error
	trace       string // error_trace
}

// trouble makes runs of a seeded job fail.
type trouble struct {
	task   string
	chance float64           // share of its runs; 0: all
	params map[string]string // job parameters with which it happens; nil: any
	times  int64             // attempts of one run that fail, the next succeeds; 0: all
	past   bool              // only in history: new runs are fine
	fate   fate              // code, kind, message, trace
}

// dice is a number from 0 to 1 that depends on the words alone.
func dice(words ...string) float64 {
	h := fnv.New64a()
	for _, w := range words {
		_, _ = h.Write([]byte(w))
		_, _ = h.Write([]byte{0})
	}
	x := h.Sum64() // FNV's high bits are weak for short input: mix them
	x = (x ^ x>>31) * 0x9E3779B97F4A7C15
	return float64(x>>11) / (1 << 53)
}

func (r *run) fate(a *attempt) fate {
	id := strconv.FormatInt(a.id, 10)
	span := func(least, more time.Duration) time.Duration {
		return (least + time.Duration(dice(id, a.task.Key)*float64(more))).Truncate(10 * time.Millisecond)
	}
	f := fate{setup: quickSetup, work: span(quickWork, 3*time.Second)}
	if r.history {
		f = fate{setup: slowSetup + span(0, 50*time.Second), work: span(slowWork, 8*time.Minute)}
	}
	if a.task.Condition != nil {
		f.setup, f.work = 0, 200*time.Millisecond
	}
	if path := a.part.absent[a.task.Key]; path != "" {
		f.work, f.code, f.kind = 0, "RESOURCE_NOT_FOUND", "CLIENT_ERROR"
		f.message = fmt.Sprintf("Unable to access the notebook %q. Either it does not exist, or the identity used to run this job, %s, lacks the required permissions.", path, r.runsAs())
		return f
	}
	if r.job == nil {
		return f
	}
	if r.job.spec.Continuous != nil {
		f.work = 100 * 24 * time.Hour // runs until it is stopped
	}
	for _, t := range r.job.troubles {
		if t.task == a.task.Key && t.strikes(r, a) {
			f.code, f.kind, f.message, f.trace = t.fate.code, t.fate.kind, t.fate.message, t.fate.trace
			f.work = min(f.work, time.Duration(float64(f.work)*0.6)+time.Second)
		}
	}
	return f
}

// runsAs is the identity a run acts for.
func (r *run) runsAs() string {
	if r.job != nil {
		return r.job.runAs
	}
	return r.creator
}

// absent lists the notebooks of a run that its identity cannot read when it
// begins, by task key. Those from git are not looked for.
func (js *jobs) absent(r *run, spec *jobSpec) map[string]string {
	out := map[string]string{}
	for i := range spec.Tasks {
		task := &spec.Tasks[i]
		if task.ForEach != nil {
			task = &task.ForEach.Task
		}
		nb := task.Notebook
		if nb != nil && spec.GitSource == nil && nb.Source != "GIT" && !js.notebook(r.runsAs(), nb.Path) {
			out[task.Key] = nb.Path
		}
	}
	return out
}

// readsNotebook says whether a user or service principal can read a notebook.
func (w *Workspace) readsNotebook(identity, path string) bool {
	w.people.mu.Lock()
	at := slices.IndexFunc(w.people.members, func(m *member) bool { return m.name == identity })
	var who *principal
	if at >= 0 {
		who = w.people.principal(w.people.members[at])
	}
	w.people.mu.Unlock()
	place, err := readPath(path)
	if who == nil || err != nil {
		return false
	}
	nb := w.notebooks
	nb.seed.Do(nb.plant)
	nb.mu.Lock()
	defer nb.mu.Unlock()
	n, err := nb.at(who, place)
	return err == nil && n.value.kind == kindNotebook
}

func (t *trouble) strikes(r *run, a *attempt) bool {
	if t.past && !r.history || t.times > 0 && a.number >= t.times {
		return false
	}
	for name, value := range t.params {
		if r.parameter(a.part, name) != value {
			return false
		}
	}
	return t.chance == 0 || dice("trouble", strconv.FormatInt(r.id, 10), t.task) < t.chance
}

// parameter is the value of a job parameter, as a repair may have changed it.
func (r *run) parameter(p *part, name string) string {
	if v, ok := p.params[name]; ok {
		return v
	}
	for _, param := range r.parameters {
		if param.name == name {
			return param.value
		}
	}
	return ""
}

var reference = regexp.MustCompile(`\{\{\s*([^{}]+?)\s*\}\}`)

// resolve fills in the dynamic value references a condition or an input list
// may hold (contract jobs.md, section 4.2); unknown ones stay as they are.
func (r *run) resolve(p *part, text string) string {
	return reference.ReplaceAllStringFunc(text, func(ref string) string {
		name := reference.FindStringSubmatch(ref)[1]
		switch name {
		case "job.id":
			return strconv.FormatInt(r.jobID, 10)
		case "job.run_id":
			return strconv.FormatInt(r.id, 10)
		case "job.name":
			return r.name
		case "job.start_time.iso_date":
			return r.started.UTC().Format(time.DateOnly)
		case "job.start_time.iso_weekday":
			return strconv.Itoa((int(r.started.UTC().Weekday())+6)%7 + 1)
		}
		if param, ok := strings.CutPrefix(name, "job.parameters."); ok {
			return r.parameter(p, param)
		}
		if path, ok := strings.CutPrefix(name, "tasks."); ok {
			if key, ok := strings.CutSuffix(path, ".result_state"); ok {
				for _, done := range r.plan {
					if done.task.Key == key {
						ref = strings.ToLower(done.result)
					}
				}
			}
		}
		return ref
	})
}

// condition evaluates a condition task: texts for (in)equality, numbers for the
// others.
func (a *attempt) condition(r *run) string {
	c := a.task.Condition
	left, right := r.resolve(a.part, c.Left), r.resolve(a.part, c.Right)
	x, errX := strconv.ParseFloat(left, 64)
	y, errY := strconv.ParseFloat(right, 64)
	numbers := errX == nil && errY == nil
	is := false
	switch c.Op {
	case "EQUAL_TO":
		is = left == right
	case "NOT_EQUAL":
		is = left != right
	case "GREATER_THAN":
		is = numbers && x > y
	case "GREATER_THAN_OR_EQUAL":
		is = numbers && x >= y
	case "LESS_THAN":
		is = numbers && x < y
	case "LESS_THAN_OR_EQUAL":
		is = numbers && x <= y
	}
	return strconv.FormatBool(is)
}

// inputs reads the JSON array a for-each task iterates over.
func (a *attempt) inputs(r *run) []any {
	var list []any
	if err := json.Unmarshal([]byte(r.resolve(a.part, a.task.ForEach.Inputs)), &list); err != nil {
		return nil
	}
	return list[:min(len(list), maxIterations)]
}
