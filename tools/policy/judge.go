package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brickmcp/catalog"
)

// Judge decides a bound call. It returns the objects that the call reaches too.
// What it cannot find out it refuses.
func (r *Rules) Judge(ctx context.Context, call *catalog.Call, look Lookup) (Decision, []Object) {
	d := r.Tool(call.Row)
	writes := !call.Row.Effect.ReadOnly()
	if d.Action == Deny || !r.narrowed && (len(r.protected) == 0 || !writes) {
		return d, touched(call)
	}
	if look == nil {
		look = nobody{}
	}
	j := judgement{Rules: r, ctx: ctx, call: call, look: look, decision: d, writes: writes}
	j.run()
	return j.decision, j.objects
}

// nobody knows nothing: without a workspace, names are not known.
type nobody struct{}

func (nobody) Object(context.Context, catalog.Scope, string) (Object, error) {
	return Object{}, errors.New("no workspace is asked")
}

func (nobody) JobOfRun(context.Context, string) (string, error) {
	return "", errors.New("no workspace is asked")
}

// judgement is one call on its way through the scopes and protections.
type judgement struct {
	*Rules
	ctx      context.Context
	call     *catalog.Call
	look     Lookup
	writes   bool // not a statement that provably only reads
	objects  []Object
	decision Decision
}

func (j *judgement) run() {
	for _, touch := range j.call.Touches {
		if touch.Scope == catalog.ScopeSQL {
			continue
		}
		o := objectOf(touch)
		if o.Scope == catalog.ScopeRuns && !j.ownerOf(&o) {
			return
		}
		j.objects = append(j.objects, o)
	}
	j.references()
	if supervised(j.call) {
		j.objects = append(j.objects, Object{Scope: catalog.ScopeAgents, ID: supervisorAgent})
	} else if scope, l := j.untouched(); l != nil {
		j.refuse(l, nil, fmt.Sprintf("%s names none of the %s that %s lets through; name it.", j.call.Row.Name, words(scope), j.place(l.rule, l.line)))
		return
	}
	if j.narrowed && !j.statement() {
		return
	}
	for i := range j.objects {
		if !j.pass(i) {
			return
		}
	}
	if len(j.protected) > 0 && j.decision.Action == Allow && j.writes && !j.onlyReads() {
		j.protect()
	}
}

// objectOf is the object of a touch, with a securable's type read out of its id.
func objectOf(t catalog.Touch) Object {
	o := Object{Scope: t.Scope, ID: t.ID, Name: t.Name}
	if t.Scope != catalog.ScopeSecurables {
		return o
	}
	kind, name, _ := strings.Cut(t.ID, ":")
	switch strings.ToLower(kind) {
	case "catalog":
		return Object{Scope: catalog.ScopeCatalogs, ID: name}
	case "schema":
		return Object{Scope: catalog.ScopeSchemas, ID: name}
	case "table", "view", "materialized_view", "streaming_table":
		return Object{Scope: catalog.ScopeTables, ID: name}
	case "function":
		return Object{Scope: catalog.ScopeFunctions, ID: name}
	case "volume":
		if parts, ok := splitName(name); ok && len(parts) == 3 {
			return Object{Scope: catalog.ScopeVolumes, ID: "/" + volumesRoot + "/" + strings.Join(parts, "/")}
		}
	}
	return o
}

// touched are the objects of a call as its arguments name them.
func touched(call *catalog.Call) []Object {
	if len(call.Touches) == 0 {
		return nil
	}
	objects := make([]Object, 0, len(call.Touches))
	for _, t := range call.Touches {
		if t.Scope != catalog.ScopeSQL {
			objects = append(objects, objectOf(t))
		}
	}
	return objects
}

// ownerOf puts the job in the place of its run, where a rule depends on it.
func (j *judgement) ownerOf(o *Object) bool {
	l := j.narrowing(catalog.ScopeJobs)
	if l == nil && (len(j.protected) == 0 || !j.writes) {
		return true
	}
	job, err := j.look.JobOfRun(j.ctx, o.ID)
	switch {
	case err == nil && job != "":
		*o = Object{Scope: catalog.ScopeJobs, ID: job}
	case err == nil: // it was submitted without a job; judge says what follows
	case l != nil:
		j.refuse(l, o, fmt.Sprintf("the job of run %s could not be looked up, as %s needs it: %s.", o.ID, j.place(l.rule, l.line), reason(err)))
		return false
	default:
		p := j.protected[0]
		j.ask(p, o, fmt.Sprintf("the job of run %s could not be looked up, so it may be one of %s: %s.", o.ID, j.place(p.rule, p.line), reason(err)))
		return false
	}
	return true
}

// untouched finds a narrowed scope of which the call names no object although its
// tool writes to one: a job to be created without a name.
func (j *judgement) untouched() (catalog.Scope, *list) {
	if !j.writes {
		return "", nil // a list, which is narrowed item by item, or a tool that picks and asks
	}
	for _, declared := range j.call.Row.Touches {
		named := func(t catalog.Touch) bool { return t.Scope == declared.Scope }
		if declared.Scope != catalog.ScopeSQL && !slices.ContainsFunc(j.call.Touches, named) {
			if l := j.narrowedBy(declared.Scope); l != nil {
				return declared.Scope, l
			}
		}
	}
	return "", nil
}

// pass holds object i against the scopes, and looks its name up when only that
// can let it through.
func (j *judgement) pass(i int) bool {
	o := &j.objects[i]
	reach := itself
	if j.writes {
		reach = everything
	}
	v := j.judge(o, reach)
	if v.by != nil && v.nameless {
		if err := j.name(o); err != nil {
			j.refuse(v.by, o, fmt.Sprintf("the name of %s could not be looked up, as %s needs it: %s.", o, j.place(v.by.rule, v.by.line), reason(err)))
			return false
		}
		v = j.judge(o, reach)
	}
	if v.by == nil {
		return true
	}
	why := v.why
	if why == "" {
		why = "none of " + v.by.String() + " lets it through"
	}
	whole := ""
	if reach == everything && (o.Scope == catalog.ScopeCatalogs || o.Scope == catalog.ScopeSchemas) {
		whole = " with all that is in it"
	}
	j.refuse(v.by, o, fmt.Sprintf("%s%s is outside %s: %s.", o, whole, j.place(v.by.rule, v.by.line), why))
	return false
}

// name looks up name and tags, once.
func (j *judgement) name(o *Object) error {
	found, err := j.look.Object(j.ctx, o.Scope, o.ID)
	if err != nil {
		return err
	}
	o.Name, o.Tags = found.Name, found.Tags
	return nil
}

func (j *judgement) refuse(l *list, o *Object, why string) {
	d := j.decision
	d.Rule, d.Line, d.Object = l.rule, l.line, o
	j.decision = j.deny(d, sentence(why))
}

func (j *judgement) ask(p protection, o *Object, why string) {
	if j.decision.Action != Allow {
		return
	}
	d := j.decision
	d.Rule, d.Line, d.Object = p.rule, p.line, o
	j.decision = j.confirm(d, sentence(why))
}

// String names the object in a sentence: "job 5001 (nightly-etl)".
func (o *Object) String() string {
	text := singular(o.Scope)
	switch {
	case o.ID == "":
		return text + " " + short(o.Name)
	case o.Name == "":
		return text + " " + short(o.ID)
	}
	return text + " " + short(o.ID) + " (" + short(o.Name) + ")"
}

// short bounds a name that came from outside.
func short(name string) string {
	if len(name) <= 200 {
		return name
	}
	return strings.ToValidUTF8(name[:200], "") + "…"
}

// String lists the patterns, not too many of them.
func (l *list) String() string {
	const most = 5
	var texts []string
	for i, p := range l.patterns {
		if i == most {
			texts = append(texts, fmt.Sprintf("%d more", len(l.patterns)-most))
			break
		}
		texts = append(texts, p.text)
	}
	if len(texts) == 0 {
		return "its empty list"
	}
	return strings.Join(texts, ", ")
}

func words(s catalog.Scope) string { return strings.ReplaceAll(string(s), "_", " ") }

// singular is the word for one object of the scope.
func singular(s catalog.Scope) string {
	switch s {
	case catalog.ScopeVolumes:
		return "file"
	case catalog.ScopeSQL:
		return "statement"
	}
	return strings.TrimSuffix(words(s), "s")
}

// reason is the message of an error, which may end in a full stop.
func reason(err error) string {
	return strings.TrimSuffix(catalog.AsError(err).Message, ".")
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
