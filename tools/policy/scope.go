package policy

import (
	"fmt"
	"strings"

	"brickmcp/catalog"
)

// list is what one section lets through of one scope.
type list struct {
	scope    catalog.Scope
	rule     string // scopes.tables, with its section
	line     int
	weight   int  // of its section
	any      bool // "*" is in it: it narrows nothing
	patterns []pattern
}

// parsePattern reads an entry of a scope; problem says what is wrong with it.
func parsePattern(scope catalog.Scope, text string) (p pattern, problem string) {
	p.text = text
	switch scope {
	case catalog.ScopeCatalogs, catalog.ScopeSchemas, catalog.ScopeTables, catalog.ScopeFunctions:
		want, example := shapeOf(scope)
		parts, ok := splitName(text)
		switch {
		case !ok:
			return p, fmt.Sprintf("%q is no name such as %s", text, example)
		case len(parts) > want || len(parts) < want && !takesRest(parts):
			return p, fmt.Sprintf("%q has %s; write %s, or end it with *", text, count(len(parts), "part"), example)
		}
		p.parts = parts
	case catalog.ScopeVolumes:
		parts, ok := splitPath(scope, text)
		if !ok || len(parts) == 0 || parts[0] != volumesRoot && parts[0] != dbfsRoot {
			return p, fmt.Sprintf("%q is no path such as /Volumes/main/default/data or dbfs:/tmp", text)
		}
		p.parts = parts
	case catalog.ScopeWorkspacePaths:
		parts, ok := splitPath(scope, text)
		if !ok {
			return p, fmt.Sprintf("%q is no path such as /Users/ana@example.com", text)
		}
		p.parts = parts
	case catalog.ScopeSecretScopes: // Databricks compares them without case
		p.text = strings.ToLower(text)
	case catalog.ScopeAgents:
		p.text, problem = parseAgent(text)
	default:
		p.exact = isID(scope, text)
	}
	return p, problem
}

// shapeOf is how many parts a name of the scope has.
func shapeOf(scope catalog.Scope) (parts int, example string) {
	switch scope {
	case catalog.ScopeCatalogs:
		return 1, "main"
	case catalog.ScopeSchemas:
		return 2, "main.sales"
	case catalog.ScopeFunctions:
		return 3, "main.sales.mask"
	}
	return 3, "main.sales.orders"
}

func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// some reports whether a pattern of the list holds.
func (l *list) some(holds func(p *pattern) bool) bool {
	if l.any {
		return true
	}
	for i := range l.patterns {
		if holds(&l.patterns[i]) {
			return true
		}
	}
	return false
}

// verdict is what the scopes say of one object.
type verdict struct {
	by       *list  // that refuses it; nil: none does
	nameless bool   // it could pass by its name, which is not known
	why      string // when it is not simply missing from the list
}

// extent is how much of a catalog or schema a call is about.
type extent uint8

const (
	itself     extent = iota // the catalog or schema, and what of it may be shown
	itsTables                // all its schemas and tables, unfiltered
	everything               // all in it: a grant on a schema holds for functions and volumes too
)

// judge holds an object against the scopes.
func (r *Rules) judge(o *Object, reach extent) verdict {
	switch o.Scope {
	case catalog.ScopeCatalogs, catalog.ScopeSchemas, catalog.ScopeTables, catalog.ScopeFunctions:
		return r.judgeName(o, reach)
	case catalog.ScopeVolumes:
		return r.judgeFile(o)
	case catalog.ScopeWorkspacePaths:
		path, ok := splitPath(o.Scope, o.ID)
		for _, l := range r.lists[o.Scope] {
			if !l.any && (!ok || !l.some(func(p *pattern) bool { return matchPath(p.parts, path) })) {
				return verdict{by: l}
			}
		}
	case catalog.ScopeSecurables: // of a type that no scope names
		if l := r.narrowing(ucScopes...); l != nil {
			return verdict{by: l, why: "no scope can let this type of securable through"}
		}
	case catalog.ScopeRuns: // of no job
		if l := r.narrowing(catalog.ScopeJobs); l != nil {
			return verdict{by: l, why: "the run belongs to no job"}
		}
	case catalog.ScopeAgents:
		return r.judgeAgent(o)
	case catalog.ScopeStatements, catalog.ScopeSQL, catalog.ScopeAgentRuns: // the user's own
	default:
		return r.judgeID(o)
	}
	return verdict{}
}

// ucScopes are the scopes of Unity Catalog.
var ucScopes = []catalog.Scope{catalog.ScopeTables, catalog.ScopeSchemas, catalog.ScopeCatalogs, catalog.ScopeVolumes, catalog.ScopeFunctions}

// narrowing is the first list that narrows one of the scopes.
func (r *Rules) narrowing(scopes ...catalog.Scope) *list {
	for _, s := range scopes {
		for _, l := range r.lists[s] {
			if !l.any {
				return l
			}
		}
	}
	return nil
}

func (r *Rules) judgeName(o *Object, reach extent) verdict {
	want, example := shapeOf(o.Scope)
	name, ok := splitName(o.ID)
	if !ok || len(name) != want {
		if l := r.narrowing(ucScopes...); l != nil {
			return verdict{by: l, why: "it is no full name such as " + example}
		}
		return verdict{}
	}
	return r.judgeParts(o.Scope, name, reach)
}

// judgeParts holds a full name against every scope that narrows it: its own,
// those of its catalog and schema, and, of a catalog or schema, what is inside.
func (r *Rules) judgeParts(scope catalog.Scope, name []string, reach extent) verdict {
	inside := matchName
	for _, s := range []catalog.Scope{catalog.ScopeCatalogs, catalog.ScopeSchemas, catalog.ScopeTables, catalog.ScopeFunctions} {
		want, _ := shapeOf(s)
		switch container := len(name) < want; {
		case !container && want < len(name) || s == scope:
			inside = matchName
		case container && s == catalog.ScopeFunctions && reach < everything:
			continue // functions narrow functions alone
		case container && reach == itself:
			inside = reachesInto
		case container:
			inside = coversAll
		default: // a table is no function
			continue
		}
		part := name[:min(want, len(name))]
		for _, l := range r.lists[s] {
			if !l.some(func(p *pattern) bool { return inside(p.parts, part) }) {
				return verdict{by: l}
			}
		}
	}
	if len(name) < 3 && reach == everything {
		path := append([]string{volumesRoot}, name...)
		for _, l := range r.lists[catalog.ScopeVolumes] {
			if !l.some(func(p *pattern) bool { return matchPath(p.parts, path) }) {
				return verdict{by: l}
			}
		}
	}
	return verdict{}
}

// judgeFile holds a file against the volumes, and one in a volume against the
// catalogs and schemas too.
func (r *Rules) judgeFile(o *Object) verdict {
	path, ok := splitPath(o.Scope, o.ID)
	ok = ok && len(path) > 0
	for _, l := range r.lists[catalog.ScopeVolumes] {
		if !l.any && (!ok || !l.some(func(p *pattern) bool { return matchPath(p.parts, path) })) {
			return verdict{by: l}
		}
	}
	if ok && path[0] == dbfsRoot {
		return verdict{}
	}
	if !ok || path[0] != volumesRoot || len(path) < 3 {
		if l := r.narrowing(catalog.ScopeCatalogs, catalog.ScopeSchemas); l != nil {
			return verdict{by: l, why: "it is no path such as /Volumes/main/default/data/file.csv"}
		}
		return verdict{}
	}
	for _, s := range []catalog.Scope{catalog.ScopeCatalogs, catalog.ScopeSchemas} {
		want, _ := shapeOf(s)
		for _, l := range r.lists[s] {
			if !l.some(func(p *pattern) bool { return matchName(p.parts, path[1:1+want]) }) {
				return verdict{by: l}
			}
		}
	}
	return verdict{}
}

// judgeID holds an object against lists of ids and names. What is to be created
// has a name alone.
func (r *Rules) judgeID(o *Object) verdict {
	id := o.ID
	if o.Scope == catalog.ScopeSecretScopes {
		id = strings.ToLower(id)
	}
	for _, l := range r.lists[o.Scope] {
		byName := false
		if l.some(func(p *pattern) bool {
			byName = byName || !p.exact
			switch {
			case o.Scope == catalog.ScopeSecretScopes:
				return id != "" && glob(p.text, id)
			case id != "" && p.text == id:
				return true
			}
			return !p.exact && o.Name != "" && glob(p.text, o.Name)
		}) {
			continue
		}
		return verdict{by: l, nameless: byName && o.Name == "" && o.ID != "" && hasNames(o.Scope)}
	}
	return verdict{}
}

// hasNames reports a scope whose objects have names beside their ids.
func hasNames(s catalog.Scope) bool {
	switch s {
	case catalog.ScopeJobs, catalog.ScopeClusters, catalog.ScopeWarehouses, catalog.ScopeServicePrincipals:
		return true
	}
	return false
}
