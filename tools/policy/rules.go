package policy

import (
	"fmt"
	"strings"

	"brickmcp/catalog"
	"brickmcp/tools/sqlguard"
)

// Rules are what the policy says for one subject. They are immutable, and worth
// keeping per subject.
type Rules struct {
	file      string
	shadow    bool
	levels    map[string]level
	words     map[string]word
	presets   []preset
	lists     map[catalog.Scope][]*list // all of a scope must let an object through
	narrowed  bool                      // some list narrows
	protected []protection
	tools     map[string]Decision // decided beforehand
}

// Lists reports whether tools/list shows the row's tool.
func (r *Rules) Lists(row *catalog.Row) bool {
	d := r.Tool(row)
	return d.Action != Deny || d.Shadow
}

// Tool decides by level and tool alone, before arguments are known.
func (r *Rules) Tool(row *catalog.Row) Decision {
	if d, ok := r.tools[row.Name]; ok {
		return d
	}
	return r.decide(row)
}

func (r *Rules) decide(row *catalog.Row) Decision {
	has, known := r.levels[row.Group.ID]
	if !known {
		has = level{Level: catalog.LevelFull, weight: -1}
	}
	said, spoken := r.word(row)
	d := Decision{Action: Allow, File: r.file, Rule: has.rule, Line: has.line, Has: has.Level, Needs: row.Effect.Needs()}
	switch {
	case spoken && said.action == Deny:
		d.Rule, d.Line = said.rule, said.line
		return r.deny(d, fmt.Sprintf("%s is denied by %s.", row.Name, r.place(said.rule, said.line)))
	case has.Level < d.Needs && !(spoken && said.action == Allow && said.raises(has)):
		return r.deny(d, fmt.Sprintf("%s needs the level %s for %s, and %s gives %s.", row.Name, d.Needs, row.Group.ID, r.place(has.rule, has.line), has.Level))
	case spoken && said.action == Confirm:
		d.Rule, d.Line = said.rule, said.line
		return r.confirm(d, fmt.Sprintf("%s asks for confirmation by %s.", row.Name, r.place(said.rule, said.line)))
	case spoken:
		d.Rule, d.Line = said.rule, said.line
	}
	for _, p := range r.presets {
		asks := row.Effect.Destructive() || p.writes && !row.Effect.ReadOnly()
		if exempt := spoken && said.action == Allow && said.weight >= p.weight; asks && !exempt {
			d.Rule, d.Line = p.rule, p.line
			return r.confirm(d, fmt.Sprintf("%s (%s) asks for confirmation by %s.", row.Name, row.Effect, r.place(p.rule, p.line)))
		}
	}
	return d
}

// word is what the file says of the tool: by its name or, of a tool that another
// server has, by PREFIX_*. The more specific section wins, then the name.
func (r *Rules) word(row *catalog.Row) (said word, spoken bool) {
	said, spoken = r.words[row.Name]
	if !row.IsForeign() {
		return said, spoken
	}
	for i := range row.Name {
		if row.Name[i] != '_' {
			continue
		}
		if w, ok := r.words[row.Name[:i+1]+"*"]; ok && (!spoken || w.weight > said.weight) {
			said, spoken = w, true
		}
	}
	return said, spoken
}

// raises reports whether an allow lets its tool through in spite of the group's
// level. It never beats a more specific section, nor a group that its own section
// names as off.
func (w word) raises(has level) bool {
	if w.weight == has.weight && has.byName && has.Level == catalog.LevelOff {
		return false
	}
	return w.weight >= has.weight
}

func (r *Rules) deny(d Decision, why string) Decision {
	d.Action, d.Why, d.Shadow = Deny, why, r.shadow
	return d
}

func (r *Rules) confirm(d Decision, why string) Decision {
	d.Action, d.Why, d.Shadow = Confirm, why, r.shadow
	return d
}

// place is where a rule stands: `the policy team.yaml, line 3 (groups.jobs: read)`.
func (r *Rules) place(rule string, line int) string {
	if line == 0 {
		return fmt.Sprintf("the policy %s (%s)", r.file, rule)
	}
	return fmt.Sprintf("the policy %s, line %d (%s)", r.file, line, rule)
}

// Narrows reports whether objects of the scope are narrowed. In shadow mode none
// are: whoever asks would leave something out.
func (r *Rules) Narrows(s catalog.Scope) bool { return !r.shadow && r.narrowedBy(s) != nil }

// narrowedBy is the first list that narrows what a scope holds, its own or another
// one.
func (r *Rules) narrowedBy(s catalog.Scope) *list {
	switch s {
	case catalog.ScopeRuns:
		return r.narrowing(catalog.ScopeJobs)
	case catalog.ScopeCatalogs, catalog.ScopeSchemas, catalog.ScopeTables:
		// What a list of one shows, the others narrow.
		return r.narrowing(catalog.ScopeTables, catalog.ScopeSchemas, catalog.ScopeCatalogs)
	case catalog.ScopeFunctions, catalog.ScopeVolumes:
		return r.narrowing(s, catalog.ScopeSchemas, catalog.ScopeCatalogs)
	case catalog.ScopeSQL, catalog.ScopeSecurables:
		return r.narrowing(ucScopes...)
	}
	return r.narrowing(s)
}

// Shows reports whether an item stays in a list. An item without the name that a
// pattern asks for does not.
func (r *Rules) Shows(o Object) bool {
	return !r.narrowed || r.shadow || r.judge(&o, itself).by == nil
}

// SQL says what else counts as a read in a statement: the user-defined functions
// that scopes.functions lists, by their full names, and the files in volumes.
func (r *Rules) SQL() sqlguard.Options {
	var o sqlguard.Options
	if len(r.lists[catalog.ScopeFunctions]) > 0 {
		o.Function = func(name sqlguard.Name) bool {
			return len(name) == 3 && r.judgeParts(catalog.ScopeFunctions, lower(name), itself).by == nil
		}
	}
	if r.Narrows(catalog.ScopeVolumes) {
		o.Path = func(path string) bool {
			return inVolumes(path) && r.judgeFile(&Object{Scope: catalog.ScopeVolumes, ID: path}).by == nil
		}
	}
	return o
}

// inVolumes reports a path that is plainly below /Volumes/.
func inVolumes(path string) bool {
	segments, ok := splitPath(catalog.ScopeVolumes, path)
	return ok && len(segments) > 1 && segments[0] == volumesRoot
}

// lower is the name as Unity Catalog compares it.
func lower(name sqlguard.Name) []string {
	parts := make([]string, len(name))
	for i, part := range name {
		parts[i] = strings.ToLower(part)
	}
	return parts
}

// Levels is the level of every group by its id, with the rule behind it. A group
// that the file leaves alone is full without a rule: --access decides.
func (r *Rules) Levels() map[string]Decision {
	levels := make(map[string]Decision, len(r.levels))
	for group, l := range r.levels {
		levels[group] = Decision{Action: Allow, Rule: l.rule, File: r.file, Line: l.line, Has: l.Level}
	}
	return levels
}
