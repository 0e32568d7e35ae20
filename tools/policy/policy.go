// Package policy decides what each agent may do: a level for every group of
// tools, a word for single tools, the objects that calls may reach, and what asks
// for confirmation, all read from one YAML file.
//
// A policy only narrows. It never sees --access: the caller asks both, and a call
// goes through when both let it.
package policy

import (
	"context"
	"slices"
	"strings"

	"brickmcp/catalog"
)

// Subject is who calls.
type Subject struct {
	User   string   // the workspace's user name, mostly an e-mail address
	Groups []string // of the user in the workspace, by display name
	Client string   // the MCP client's own name, such as claude-desktop; compared without case
}

// Action is what becomes of a call.
type Action string

// The actions, in narrowing order.
const (
	Allow   Action = "allow"
	Confirm Action = "confirm" // the call waits for a second one with a token
	Deny    Action = "deny"
)

// Object is one thing that a call reaches.
type Object struct {
	Scope    catalog.Scope
	ID, Name string
	Tags     []string // key=value, or the key alone
}

// Decision is what the policy says of one call, and why.
type Decision struct {
	Action Action
	// Rule is what decided, as audit writes it: "groups.jobs: full",
	// "tools.jobs_delete: confirm", "scopes.tables", "protected: *prod*", and
	// "section user ana@example.com: groups.secrets: off" in a section.
	Rule       string
	File       string        // base name of the policy file; empty without one
	Line       int           // of the rule, from 1; 0 when no line says it
	Has, Needs catalog.Level // of the tool's group, and of the tool
	Object     *Object       // that decided, if one did
	Why        string        // one sentence for the agent
	Shadow     bool          // a Deny or Confirm that is only to be written down
}

// Lookup finds out about objects what their ids do not say. It may ask the
// workspace; policies ask it only when a rule depends on the answer.
type Lookup interface {
	// Object is the name and the tags of a job, cluster, warehouse or service
	// principal.
	Object(ctx context.Context, scope catalog.Scope, id string) (Object, error)
	// JobOfRun is the id of the job that a run belongs to; empty when the run was
	// submitted without one.
	JobOfRun(ctx context.Context, runID string) (string, error)
}

// Policy is a checked policy file. It is immutable.
type Policy struct {
	file       string // base name
	shadow     bool
	byIdentity bool
	sections   []section // most specific first; the last one is the file itself
}

// None is the policy without a file: it allows whatever --access allows.
func None() *Policy { return &Policy{} }

// ByIdentity reports whether a section asks for a user or a group: the subject
// must be known before anything is decided.
func (p *Policy) ByIdentity() bool { return p.byIdentity }

// Otherwise is the policy with a level for what the file gives none. A file
// without default leaves the rest to --access; where that is not given either,
// nobody has allowed anything, and the caller says what holds then.
func (p *Policy) Otherwise(l catalog.Level) *Policy {
	last := len(p.sections) - 1
	if last < 0 || p.sections[last].fallback != nil {
		return p
	}
	with := *p
	with.sections = slices.Clone(p.sections)
	with.sections[last].fallback = &level{Level: l, rule: "default: " + l.String() + ", as the file has none"}
	return &with
}

// Shadow reports whether decisions are only to be written down.
func (p *Policy) Shadow() bool { return p.shadow }

// The weight of a section is the sum of what it asks for. The file itself has
// none.
const (
	byClient = 1
	byGroup  = 2
	byUser   = 4
)

// section is what the file says for some subjects, or for all.
type section struct {
	user, group, client string // globs in lower case; empty: not asked for
	weight              int
	label               string // "section user ana@example.com: ", or empty

	fallback  *level
	groups    map[string]level
	tools     map[string]word
	lists     map[catalog.Scope]*list
	protected []protection
	confirm   *preset
}

// level is an access level that the file gives.
type level struct {
	catalog.Level
	rule   string // with the section's label
	line   int
	weight int
	byName bool // of the group, and not the default
}

// word is what the file says of one tool.
type word struct {
	action Action
	rule   string
	line   int
	weight int
}

// preset makes all writes, or all destructive ones, ask.
type preset struct {
	writes bool
	rule   string
	line   int
	weight int
}

// protection is a name or tag on which writes ask.
type protection struct {
	pattern string // in lower case
	rule    string
	line    int
}

// holds reports whether the section is about the subject.
func (s *section) holds(who Subject) bool {
	return (s.user == "" || who.User != "" && glob(s.user, strings.ToLower(who.User))) &&
		(s.client == "" || who.Client != "" && glob(s.client, strings.ToLower(who.Client))) &&
		(s.group == "" || slices.ContainsFunc(who.Groups, func(g string) bool { return glob(s.group, strings.ToLower(g)) }))
}

// Rules gathers what holds for a subject.
func (p *Policy) Rules(s Subject) *Rules {
	r := &Rules{file: p.file, shadow: p.shadow, levels: map[string]level{}, words: map[string]word{}, lists: map[catalog.Scope][]*list{}}
	var holding []*section
	for i := range p.sections {
		if p.sections[i].holds(s) {
			holding = append(holding, &p.sections[i])
		}
	}
	for _, group := range catalog.Groups() {
		r.levels[group.ID] = levelOf(holding, group.ID)
	}
	for _, section := range holding { // the most specific first
		for tool, w := range section.tools {
			if has, ok := r.words[tool]; !ok || has.weight == w.weight && narrower(w.action, has.action) {
				r.words[tool] = w
			}
		}
		for scope, l := range section.lists {
			if has := r.lists[scope]; len(has) == 0 || has[0].weight == l.weight {
				r.lists[scope] = append(has, l)
				r.narrowed = r.narrowed || !l.any
			}
		}
		r.protected = append(r.protected, section.protected...)
		if section.confirm != nil {
			r.presets = append(r.presets, *section.confirm)
		}
	}
	for _, row := range catalog.All() {
		if r.tools == nil {
			r.tools = make(map[string]Decision, 64)
		}
		r.tools[row.Name] = r.decide(row)
	}
	return r
}

// levelOf is the level of a group: what the most specific section says that says
// anything, the lowest of equally specific ones.
func levelOf(holding []*section, group string) level {
	found := level{Level: catalog.LevelFull, weight: -1}
	for _, s := range holding {
		if s.weight < found.weight {
			break
		}
		l, ok := s.groups[group]
		if !ok && s.fallback != nil {
			l, ok = *s.fallback, true
		}
		if ok && (found.weight < 0 || l.Level < found.Level || l.Level == found.Level && l.byName && !found.byName) {
			found = l
		}
	}
	return found
}

func narrower(a, than Action) bool {
	return a == Deny && than != Deny || a == Confirm && than == Allow
}
