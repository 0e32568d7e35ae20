package engine

import (
	"strconv"
	"strings"
)

// fromClause collects FROM, and the conditions that semi joins and generators
// add to WHERE.
type fromClause struct {
	sql   string
	where []string
}

func (f *fromClause) add(item string) {
	if f.sql != "" {
		f.sql += " JOIN "
	}
	f.sql += item
}

func (f *fromClause) text() string {
	s := ""
	if f.sql != "" {
		s = " FROM " + f.sql
	}
	if len(f.where) > 0 {
		if s == "" {
			s = " FROM (SELECT 1)"
		}
		s += " WHERE (" + strings.Join(f.where, ") AND (") + ")"
	}
	return s
}

// from analyses the relations of FROM, in order, so that a lateral function
// sees those before it.
func (a *analyzer) from(list []relation, sc *scope) (fromClause, error) {
	var f fromClause
	for _, r := range list {
		text, err := a.relation(r, sc, &f)
		if err != nil {
			return f, err
		}
		f.add(text)
	}
	return f, nil
}

func (a *analyzer) relation(r relation, sc *scope, f *fromClause) (string, error) {
	if err := a.enter(); err != nil {
		return "", err
	}
	defer func() { a.depth-- }()
	switch r := r.(type) {
	case *tableRel:
		return a.table(r, sc)
	case *subqueryRel:
		p, err := a.query(r.query, sc.parent)
		if err != nil {
			return "", err
		}
		return a.derived(p, r.alias, r.columns, sc)
	case *functionRel:
		return a.tableFunction(r, sc)
	}
	return a.join(r.(*joinRel), sc, f)
}

// derived puts a plan into scope as (…) AS t.
func (a *analyzer) derived(p plan, alias string, columns []string, sc *scope) (string, error) {
	if alias == "" {
		return a.derivedAs(p, nil, columns, sc)
	}
	return a.derivedAs(p, []string{alias}, columns, sc)
}

func (a *analyzer) derivedAs(p plan, qualifier, columns []string, sc *scope) (string, error) {
	cols, err := renamed(p.cols, columns)
	if err != nil {
		return "", err
	}
	name := a.alias("t")
	sc.push(bindPlan(plan{cols: cols}, name, qualifier))
	return "(" + p.sql + ") AS " + name, nil
}

func (a *analyzer) table(r *tableRel, sc *scope) (string, error) {
	parts, err := a.nameParts(r.name)
	if err != nil {
		return "", err
	}
	if len(parts) == 1 {
		for c := a.ctes; c != nil; c = c.parent {
			if !strings.EqualFold(c.name, parts[0]) {
				continue
			}
			cols, err := renamed(c.cols, r.columns)
			if err != nil {
				return "", err
			}
			name := a.alias("t")
			sc.push(bindPlan(plan{cols: cols}, name, []string{orElse(r.alias, parts[0])}))
			return c.sql + " AS " + name, nil
		}
	}
	full, err := a.fullName(parts)
	if err != nil {
		return "", err
	}
	qualifier := full.parts()
	if r.alias != "" {
		qualifier = []string{r.alias}
	}
	if full.Schema == "information_schema" {
		p, err := a.informationSchema(full, parts)
		if err != nil {
			return "", err
		}
		return a.derivedAs(p, qualifier, r.columns, sc)
	}
	t, err := a.readable(full, parts)
	if err != nil {
		return "", err
	}
	if t.isView() {
		p, err := a.view(t)
		if err != nil {
			return "", err
		}
		return a.derivedAs(p, qualifier, r.columns, sc)
	}
	cols, err := renamed(t.Columns, r.columns)
	if err != nil {
		return "", err
	}
	name := a.alias("t")
	bound := &boundRelation{qualifier: qualifier}
	for i, c := range cols {
		bound.cols = append(bound.cols, boundColumn{name: c.Name, typ: c.Type, sql: name + "." + storedColumn(t.Columns[i].Name)})
	}
	sc.push(bound)
	return storedTable(t.ID) + " AS " + name, nil
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// view expands a view: its text is analysed where it was created, with its
// owner's rights.
func (a *analyzer) view(t *Table) (plan, error) {
	if containsFold(a.views, t.Name.String()) || len(a.views) > 30 {
		return plan{}, newError("RECURSIVE_VIEW", "42K0H", "Recursive view %s detected (cycle: %s).", quoteParts(t.parts()), strings.Join(append(a.views, t.Name.String()), " -> "))
	}
	p, err := newParser(t.ViewDefinition)
	var q *query
	if err == nil {
		if q, err = p.query(); err == nil {
			err = p.end()
		}
	}
	if err != nil {
		return plan{}, err
	}
	inner := *a
	inner.views = append(append([]string(nil), a.views...), t.Name.String())
	inner.trusted, inner.ctes = true, nil
	inner.catalog, inner.schema = orElse(t.ViewCatalog, t.Catalog), orElse(t.ViewSchema, t.Schema)
	result, err := inner.query(q, nil)
	a.aliases = inner.aliases
	if err != nil {
		return plan{}, err
	}
	if len(t.Columns) == len(result.cols) {
		cols := append([]Column(nil), result.cols...)
		for i := range cols {
			cols[i].Name = t.Columns[i].Name
		}
		result.cols = cols
	}
	return result, nil
}

func (a *analyzer) join(j *joinRel, sc *scope, f *fromClause) (string, error) {
	start := len(sc.rels)
	left, err := a.relation(j.l, sc, f)
	if err != nil {
		return "", err
	}
	middle := len(sc.rels)
	right, err := a.relation(j.r, sc, f)
	if err != nil {
		return "", err
	}
	if _, nested := j.r.(*joinRel); nested {
		right = "(" + right + ")"
	}
	cond, err := a.joinCondition(j, sc, start, middle)
	if err != nil {
		return "", err
	}
	switch j.kind {
	case "LEFT SEMI", "LEFT ANTI":
		exists := "EXISTS (SELECT 1 FROM " + right
		if cond != "" {
			exists += " WHERE " + cond
		}
		exists += ")"
		if j.kind == "LEFT ANTI" {
			exists = "NOT " + exists
		}
		sc.rels = sc.rels[:middle]
		f.where = append(f.where, exists)
		return left, nil
	case "INNER", "CROSS":
		left += " JOIN " + right
	default:
		if fn, ok := j.r.(*functionRel); ok && fn.outer {
			left += " LEFT JOIN " + right
		} else {
			left += " " + j.kind + " JOIN " + right
		}
		if cond == "" {
			cond = "1"
		}
	}
	if cond != "" {
		left += " ON " + cond
	}
	return left, nil
}

func (a *analyzer) joinCondition(j *joinRel, sc *scope, start, middle int) (string, error) {
	if j.on != nil {
		joined := &scope{parent: sc.parent, rels: sc.rels[start:]}
		v, err := a.condition(j.on, joined)
		return v.sql, err
	}
	if j.using == nil {
		return "", nil
	}
	merged := &boundRelation{}
	var conds []string
	for _, name := range j.using {
		l, err := usingColumn(sc.rels[start:middle], name)
		if err != nil {
			return "", err
		}
		r, err := usingColumn(sc.rels[middle:], name)
		if err != nil {
			return "", err
		}
		lv, rv, err := comparable("=", value{sql: l.sql, typ: l.typ}, value{sql: r.sql, typ: r.typ})
		if err != nil {
			return "", err
		}
		conds = append(conds, lv.sql+" = "+rv.sql)
		text := lv.sql
		switch j.kind {
		case "RIGHT":
			text = rv.sql
		case "FULL":
			text = "coalesce(" + lv.sql + ", " + rv.sql + ")"
		}
		merged.cols = append(merged.cols, boundColumn{name: l.name, typ: lv.typ, sql: text})
		if !strings.HasPrefix(j.kind, "LEFT ") {
			l.hidden, r.hidden = true, true
		}
	}
	if strings.HasPrefix(j.kind, "LEFT ") { // a semi join shows its left side only
		return strings.Join(conds, " AND "), nil
	}
	rels := append([]*boundRelation(nil), sc.rels[:start]...)
	rels = append(rels, merged)
	sc.rels = append(rels, sc.rels[start:]...)
	return strings.Join(conds, " AND "), nil
}

func usingColumn(rels []*boundRelation, name string) (*boundColumn, error) {
	var found *boundColumn
	for _, r := range rels {
		for i := range r.cols {
			if c := &r.cols[i]; strings.EqualFold(c.name, name) && !c.hidden {
				found = c
			}
		}
	}
	if found == nil {
		return nil, newError("UNRESOLVED_USING_COLUMN_FOR_JOIN", "42703", "USING column %s cannot be resolved on one side of the join.", quoteParts([]string{name}))
	}
	return found, nil
}

// generators are the functions that make rows.
var generators = map[string]bool{"explode": true, "explode_outer": true, "posexplode": true, "posexplode_outer": true, "inline": true, "stack": true}

// tableFunction analyses range(…), explode(…) and its kin in FROM.
func (a *analyzer) tableFunction(r *functionRel, sc *scope) (string, error) {
	name := a.alias("t")
	bound := &boundRelation{qualifier: []string{orElse(r.alias, r.call.name)}}
	var text string
	if r.call.name == "range" {
		sql, err := a.rangeRows(r.call)
		if err != nil {
			return "", err
		}
		text = "(" + sql + ") AS " + name
		bound.cols = []boundColumn{{name: "id", typ: Scalar(Long), sql: name + ".c1"}}
	} else {
		var err error
		if text, bound.cols, err = a.explode(r.call, sc, name); err != nil {
			return "", err
		}
	}
	if r.columns != nil {
		if len(r.columns) != len(bound.cols) {
			_, err := renamed(make([]Column, len(bound.cols)), r.columns)
			return "", err
		}
		for i := range bound.cols {
			bound.cols[i].name = r.columns[i]
		}
	}
	sc.push(bound)
	return text, nil
}

// explode makes the rows of an array or a map with SQLite's json_each.
func (a *analyzer) explode(c *callExpr, sc *scope, name string) (string, []boundColumn, error) {
	if !generators[c.name] || c.name == "inline" || c.name == "stack" {
		if strings.HasPrefix(c.name, "read_") || c.name == "stack" || c.name == "inline" {
			return "", nil, errUnsupported("the table function %s", c.name)
		}
		return "", nil, newError("UNRESOLVABLE_TABLE_VALUED_FUNCTION", "42883", "Could not resolve %s to a table-valued function.\nPlease make sure that %s is defined as a table-valued function and that all required parameters are provided correctly.", quoteParts([]string{c.name}), quoteParts([]string{c.name}))
	}
	if len(c.args) != 1 {
		return "", nil, errArgCount(c.name, "1", len(c.args))
	}
	v, err := a.expr(c.args[0], sc)
	if err != nil {
		return "", nil, err
	}
	var cols []boundColumn
	if strings.HasPrefix(c.name, "pos") {
		cols = append(cols, boundColumn{name: "pos", typ: Scalar(Int), sql: name + ".rowid"})
		cols[0].sql = "CAST(" + name + ".key AS INTEGER)"
	}
	switch v.typ.Kind {
	case Array:
		cols = append(cols, boundColumn{name: "col", typ: *v.typ.Elem, sql: fromJSON(*v.typ.Elem, name+".value", name+".type")})
	case Map:
		cols = append(cols, boundColumn{name: "key", typ: *v.typ.Key, sql: mapKey(*v.typ.Key, name+".key")},
			boundColumn{name: "value", typ: *v.typ.Elem, sql: fromJSON(*v.typ.Elem, name+".value", name+".type")})
	default:
		return "", nil, errMismatch("UNEXPECTED_INPUT_TYPE", "Cannot resolve %q due to data type mismatch: The first parameter requires the (\"ARRAY\" or \"MAP\") type, however %q has the type %q.", pretty(c), pretty(c.args[0]), v.typ)
	}
	rows := v.sql
	if strings.HasSuffix(c.name, "_outer") {
		rows = "coalesce(nullif(nullif(" + rows + ", '[]'), '{}'), '[null]')"
	}
	return "json_each(" + rows + ") AS " + name, cols, nil
}

// generatorItem handles explode(…) in the select list: its rows multiply those of FROM.
func (a *analyzer) generatorItem(c *callExpr, it selectItem, sc *scope, from *fromClause) ([]boundItem, error) {
	name := a.alias("t")
	text, cols, err := a.explode(c, sc, name)
	if err != nil {
		return nil, err
	}
	from.add(text)
	names := it.aliases
	if it.alias != "" {
		names = []string{it.alias}
	}
	if names != nil && len(names) != len(cols) {
		_, err := renamed(make([]Column, len(cols)), names)
		return nil, err
	}
	var out []boundItem
	for i, col := range cols {
		if names != nil {
			col.name = names[i]
		}
		v := value{sql: col.sql, typ: col.typ, bare: []bareColumn{{col.name, col.sql}}}
		out = append(out, boundItem{name: col.name, alias: names != nil, v: &v, x: it.x})
	}
	return out, nil
}

// rangeRows is range(end), range(start, end) or range(start, end, step).
func (a *analyzer) rangeRows(c *callExpr) (string, error) {
	if len(c.args) < 1 || len(c.args) > 4 {
		return "", errArgCount("range", "[1, 2, 3, 4]", len(c.args))
	}
	n := []string{"0", "0", "1"}
	for i, x := range c.args[:min(3, len(c.args))] {
		v, err := a.expr(x, &scope{})
		if err != nil {
			return "", err
		}
		if v, err = castTo(v, Scalar(Long), false); err != nil {
			return "", err
		}
		at := i
		if len(c.args) == 1 {
			at = 1
		}
		n[at] = v.sql
	}
	r := a.alias("r")
	step, _ := strconv.ParseInt(strings.TrimSpace(n[2]), 10, 64)
	less := " < "
	if step < 0 || strings.HasPrefix(n[2], "-") {
		less = " > "
	} else if step == 0 && n[2] == "0" {
		return "", newError("INVALID_PARAMETER_VALUE.STEP", "22023", "The value of parameter(s) step in range is invalid: it must not be 0.")
	}
	return "WITH RECURSIVE " + r + "(c1) AS (SELECT " + n[0] + " WHERE " + n[0] + less + n[1] +
		" UNION ALL SELECT c1 + " + n[2] + " FROM " + r + " WHERE c1 + " + n[2] + less + n[1] + ") SELECT c1 FROM " + r, nil
}
