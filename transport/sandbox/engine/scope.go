package engine

import (
	"sort"
	"strings"
)

// value is an analysed expression: SQLite text that yields a Databricks type.
// See storage.go for how each type is represented in SQLite.
type value struct {
	sql  string
	typ  Type
	bare []bareColumn // columns used outside of aggregates
	agg  bool         // contains an aggregate
	win  bool         // contains a window function
	lit  *literal     // set when it is a constant
}

type bareColumn struct{ name, sql string }

// with makes a value that is computed from others.
func with(sql string, typ Type, from ...value) value {
	v := value{sql: sql, typ: typ}
	for _, f := range from {
		v.bare = append(v.bare, f.bare...)
		v.agg = v.agg || f.agg
		v.win = v.win || f.win
	}
	return v
}

// boundColumn is a column of a relation in scope.
type boundColumn struct {
	name   string
	typ    Type
	sql    string
	hidden bool // joined by USING: only visible when qualified
}

// boundRelation is a table, view, subquery or function in scope.
type boundRelation struct {
	qualifier []string // alias, or catalog, schema, table
	cols      []boundColumn
}

// scope is what names mean at one place of a query.
type scope struct {
	parent  *scope
	rels    []*boundRelation
	aliases []aliasBinding // select items so far, for lateral column aliases
	group   map[string]bool
	windows map[string]*window
}

type aliasBinding struct {
	name string
	v    value
}

func (s *scope) push(r *boundRelation) { s.rels = append(s.rels, r) }

// matches tells whether the qualifier written in a query names the relation.
func (r *boundRelation) matches(q []string) bool {
	if len(q) > len(r.qualifier) {
		return false
	}
	tail := r.qualifier[len(r.qualifier)-len(q):]
	for i := range q {
		if !strings.EqualFold(q[i], tail[i]) {
			return false
		}
	}
	return true
}

// resolve finds a column by its parts; rest are the struct fields after it.
func (s *scope) resolve(parts []string) (v value, rest []string, err error) {
	for at := s; at != nil; at = at.parent {
		for k := min(3, len(parts)-1); k >= 0; k-- {
			found := at.candidates(parts[:k], parts[k])
			if len(found) > 1 {
				return value{}, nil, at.ambiguous(parts[k])
			}
			if len(found) == 1 {
				c := found[0]
				v := value{sql: c.sql, typ: c.typ}
				if at == s {
					v.bare = []bareColumn{{c.name, c.sql}}
				}
				return v, parts[k+1:], nil
			}
		}
		if at != s {
			continue
		}
		for i := len(at.aliases) - 1; i >= 0; i-- {
			if strings.EqualFold(at.aliases[i].name, parts[0]) {
				return at.aliases[i].v, parts[1:], nil
			}
		}
	}
	return value{}, nil, errColumn(parts, s.visibleNames())
}

func (s *scope) candidates(qualifier []string, name string) []boundColumn {
	var found []boundColumn
	for _, r := range s.rels {
		if !r.matches(qualifier) {
			continue
		}
		for _, c := range r.cols {
			if strings.EqualFold(c.name, name) && (!c.hidden || len(qualifier) > 0) {
				found = append(found, c)
			}
		}
	}
	return found
}

func (s *scope) ambiguous(name string) error {
	var options []string
	for _, r := range s.rels {
		for _, c := range r.cols {
			if strings.EqualFold(c.name, name) && !c.hidden {
				options = append(options, quoteParts(append(append([]string(nil), r.qualifier...), c.name)))
			}
		}
	}
	return newError("AMBIGUOUS_REFERENCE", "42704", "Reference %s is ambiguous, could be: [%s].", quoteParts([]string{name}), strings.Join(options, ", "))
}

// visibleNames are the candidates for "did you mean".
func (s *scope) visibleNames() []string {
	var names []string
	for _, r := range s.rels {
		for _, c := range r.cols {
			if !c.hidden {
				q := r.qualifier
				if len(s.rels) == 1 || len(q) == 0 {
					names = append(names, quoteParts([]string{c.name}))
				} else {
					names = append(names, quoteParts([]string{q[len(q)-1], c.name}))
				}
			}
		}
	}
	return names
}

// nearest sorts candidates by their distance to name and keeps n.
func nearest(name string, candidates []string, n int) []string {
	type scored struct {
		text string
		d    int
	}
	list := make([]scored, len(candidates))
	for i, c := range candidates {
		plain := strings.Trim(c[strings.LastIndexByte(c, '.')+1:], "`")
		list[i] = scored{c, distance(strings.ToLower(name), strings.ToLower(plain))}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].d < list[j].d })
	out := make([]string, 0, n)
	for _, s := range list[:min(n, len(list))] {
		out = append(out, s.text)
	}
	return out
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

func quoteIdent(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// quoteText makes a SQLite string. NUL ends SQLite's own strings, so texts with
// one travel as hex.
func quoteText(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		return "CAST(x'" + hexOf(s) + "' AS TEXT)"
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

func hexOf(s string) string {
	const digits = "0123456789abcdef"
	b := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		b = append(b, digits[s[i]>>4], digits[s[i]&15])
	}
	return string(b)
}
