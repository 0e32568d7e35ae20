package engine

import (
	"strings"
)

// boundItem is a select item after stars and generators are expanded: an
// expression still to analyse, or a column already bound.
type boundItem struct {
	x     expr
	name  string
	alias bool // the name was given, not made up
	v     *value
}

// selectBody analyses SELECT … together with the ORDER BY of its query, which
// sees both the output and the source columns.
func (a *analyzer) selectBody(s *selectBody, q *query, outer *scope) (plan, error) {
	if err := a.enter(); err != nil {
		return plan{}, err
	}
	defer func() { a.depth-- }()
	sc := &scope{parent: outer, windows: s.windows}
	from, err := a.from(s.from, sc)
	if err != nil {
		return plan{}, err
	}
	items, err := a.expandItems(s.items, sc, &from)
	if err != nil {
		return plan{}, err
	}
	where, err := a.where(s.where, sc)
	if err != nil {
		return plan{}, err
	}
	from.where = append(from.where, where...)

	group, err := a.groupKeys(s, items, sc)
	if err != nil {
		return plan{}, err
	}
	values, cols, err := a.items(items, sc, s)
	if err != nil {
		return plan{}, err
	}
	var having string
	if s.having != nil {
		v, err := a.condition(s.having, sc)
		if err != nil {
			return plan{}, err
		}
		having = " HAVING " + v.sql
	}
	core := func(list string) string {
		var b strings.Builder
		b.WriteString("SELECT ")
		if s.distinct {
			b.WriteString("DISTINCT ")
		}
		b.WriteString(list)
		b.WriteString(from.text())
		if len(group) > 0 {
			b.WriteString(" GROUP BY " + strings.Join(group, ", "))
		}
		b.WriteString(having)
		return b.String()
	}
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = v.sql + " AS " + outputName(i)
	}
	if s.qualify == nil {
		p := plan{core(strings.Join(list, ", ")), cols}
		if len(q.order) > 0 {
			keys, err := a.orderKeys(q, cols, sc, "")
			if err != nil {
				return plan{}, err
			}
			p.sql += " ORDER BY " + strings.Join(keys, ", ")
		}
		return p, nil
	}
	return a.qualified(s, q, sc, core, list, cols)
}

// qualified wraps the select, because SQLite has no QUALIFY: the condition and
// the sort keys become hidden columns of an inner query.
func (a *analyzer) qualified(s *selectBody, q *query, sc *scope, core func(string) string, list []string, cols []Column) (plan, error) {
	v, err := a.condition(s.qualify, sc)
	if err != nil {
		return plan{}, err
	}
	list = append(list, v.sql+" AS qualified")
	outer := ""
	if len(q.order) > 0 {
		keys, err := a.orderKeys(q, cols, sc, "")
		if err != nil {
			return plan{}, err
		}
		for i, k := range keys {
			dir := ""
			for _, d := range []string{" DESC NULLS FIRST", " DESC NULLS LAST", " NULLS FIRST", " NULLS LAST", " DESC"} {
				if strings.HasSuffix(k, d) {
					k, dir = strings.TrimSuffix(k, d), d
					break
				}
			}
			if !isOutputName(k, len(cols)) {
				name := "o" + outputName(i)
				list = append(list, k+" AS "+name)
				k = name
			}
			keys[i] = k + dir
		}
		outer = " ORDER BY " + strings.Join(keys, ", ")
	}
	return plan{"SELECT " + outputList(len(cols), "") + " FROM (" + core(strings.Join(list, ", ")) + ") WHERE qualified" + outer, cols}, nil
}

func isOutputName(k string, n int) bool {
	for i := range n {
		if k == outputName(i) {
			return true
		}
	}
	return false
}

func (a *analyzer) where(x expr, sc *scope) ([]string, error) {
	if x == nil {
		return nil, nil
	}
	v, err := a.condition(x, sc)
	if err != nil {
		return nil, err
	}
	if v.agg || v.win {
		return nil, newError("INVALID_WHERE_CONDITION", "42903", "The WHERE condition %q contains invalid expressions: aggregate or window functions.\nRewrite the query to avoid window functions, aggregate functions, and generator functions in the WHERE clause.", pretty(x))
	}
	return []string{v.sql}, nil
}

// condition analyses a boolean expression.
func (a *analyzer) condition(x expr, sc *scope) (value, error) {
	v, err := a.grouped(x, sc)
	if err != nil {
		return v, err
	}
	if v.typ.Kind == String && v.lit != nil {
		return castTo(v, Scalar(Boolean), false)
	}
	if v.typ.Kind != Boolean && v.typ.Kind != Null {
		return v, errMismatch("FILTER_NOT_BOOLEAN", "Cannot resolve %q due to data type mismatch: Filter expression %q of type %q is not a boolean.", pretty(x), pretty(x), v.typ)
	}
	return v, nil
}

// grouped analyses an expression and checks it against GROUP BY.
func (a *analyzer) grouped(x expr, sc *scope) (value, error) {
	v, err := a.expr(x, sc)
	if err != nil || sc.group == nil || len(v.bare) == 0 {
		return v, err
	}
	return v, errGrouping(sc, v, x)
}

func errGrouping(sc *scope, v value, x expr) error {
	if len(sc.group) == 0 {
		return newError("MISSING_GROUP_BY", "42803", "The query does not include a GROUP BY clause. Add GROUP BY or turn it into the window functions using OVER clauses.")
	}
	return newError("MISSING_AGGREGATION", "42803", "The non-aggregating expression %q is based on columns which are not participating in the GROUP BY clause.\nAdd the columns or the expression to the GROUP BY, aggregate the expression, or use %q if you do not care which of the values within a group is returned.",
		v.bare[0].name, "any_value("+v.bare[0].name+")")
}

// expandItems replaces * by columns, and generators by their output.
func (a *analyzer) expandItems(items []selectItem, sc *scope, from *fromClause) ([]boundItem, error) {
	var out []boundItem
	for _, it := range items {
		if star, ok := it.x.(*starExpr); ok {
			cols, err := a.star(star, sc)
			if err != nil {
				return nil, err
			}
			out = append(out, cols...)
			continue
		}
		if c, ok := it.x.(*callExpr); ok && generators[c.name] {
			cols, err := a.generatorItem(c, it, sc, from)
			if err != nil {
				return nil, err
			}
			out = append(out, cols...)
			continue
		}
		b := boundItem{x: it.x, name: it.alias, alias: it.alias != ""}
		if b.name == "" {
			b.name = outputLabel(it.x)
		}
		out = append(out, b)
	}
	return out, nil
}

func (a *analyzer) star(star *starExpr, sc *scope) ([]boundItem, error) {
	var out []boundItem
	matched := false
	for _, r := range sc.rels {
		if len(star.qualifier) > 0 && !r.matches(star.qualifier) {
			continue
		}
		matched = true
		for _, c := range r.cols {
			if c.hidden && len(star.qualifier) == 0 || containsFold(star.except, c.name) {
				continue
			}
			v := value{sql: c.sql, typ: c.typ, bare: []bareColumn{{c.name, c.sql}}}
			out = append(out, boundItem{name: c.name, v: &v, x: &nameExpr{parts: []string{c.name}}})
		}
	}
	if !matched {
		if len(star.qualifier) > 0 {
			return nil, newError("CANNOT_RESOLVE_STAR_EXPAND", "42704", "Cannot resolve %s.* given input columns %s. Please check that the specified table or struct exists and is accessible in the input columns.", quoteParts(star.qualifier), strings.Join(sc.visibleNames(), ", "))
		}
		return nil, newError("INVALID_USAGE_OF_STAR_OR_REGEX", "42000", "Invalid usage of '*' in Project.")
	}
	return out, nil
}

func containsFold(list []string, s string) bool {
	for _, x := range list {
		if strings.EqualFold(x, s) {
			return true
		}
	}
	return false
}

// outputLabel is the name of a column without alias.
func outputLabel(x expr) string {
	switch x := x.(type) {
	case *nameExpr:
		return x.parts[len(x.parts)-1]
	case *fieldExpr:
		return x.name
	case *jsonExpr:
		return x.path[strings.LastIndexAny(x.path, ".]")+1:]
	}
	return pretty(x)
}

// groupKeys analyses GROUP BY and prepares the scope for grouped expressions.
func (a *analyzer) groupKeys(s *selectBody, items []boundItem, sc *scope) ([]string, error) {
	if s.groupAll {
		return a.groupAll(items, sc)
	}
	if s.group == nil {
		implicit := s.having != nil
		for _, it := range items {
			implicit = implicit || it.v == nil && containsAggregate(it.x)
		}
		if implicit {
			sc.group = map[string]bool{}
		}
		return nil, nil
	}
	var keys []string
	for _, g := range s.group {
		v, err := a.groupKey(g, items, sc)
		if err != nil {
			return nil, err
		}
		if v.agg || v.win {
			return nil, newError("GROUP_BY_AGGREGATE", "42903", "Aggregate functions are not allowed in GROUP BY, but found %q.", pretty(g))
		}
		keys = append(keys, v.sql)
	}
	return setGroup(sc, keys), nil
}

func setGroup(sc *scope, keys []string) []string {
	sc.group = map[string]bool{}
	for i, k := range keys {
		sc.group[k] = true
		keys[i] = groupTerm(k)
	}
	return keys
}

// groupTerm keeps SQLite from reading a constant as a position.
func groupTerm(k string) string {
	if k != "" && strings.IndexByte("0123456789-'", k[0]) >= 0 {
		return "+(" + k + ")"
	}
	return k
}

func (a *analyzer) groupKey(g expr, items []boundItem, sc *scope) (value, error) {
	item := func(b boundItem) (value, error) {
		if b.v != nil {
			return *b.v, nil
		}
		return a.expr(b.x, sc)
	}
	if n, ok := ordinal(g); ok {
		if n < 1 || n > int64(len(items)) {
			return value{}, newError("GROUP_BY_POS_OUT_OF_RANGE", "42805", "GROUP BY position %d is not in select list (valid range is [1, %d]).", n, len(items))
		}
		return item(items[n-1])
	}
	v, err := a.expr(g, sc)
	if n, ok := g.(*nameExpr); ok && err != nil && len(n.parts) == 1 {
		for _, b := range items {
			if b.alias && strings.EqualFold(b.name, n.parts[0]) {
				return item(b)
			}
		}
	}
	return v, err
}

func (a *analyzer) groupAll(items []boundItem, sc *scope) ([]string, error) {
	var keys []string
	for _, b := range items {
		if b.v != nil {
			keys = append(keys, b.v.sql)
			continue
		}
		v, err := a.expr(b.x, sc)
		if err != nil {
			return nil, err
		}
		sc.aliases = append(sc.aliases, aliasBinding{b.name, v})
		switch {
		case v.agg:
			for _, c := range v.bare {
				keys = append(keys, c.sql)
			}
		case v.lit == nil && !v.win:
			keys = append(keys, v.sql)
		}
	}
	sc.aliases = nil
	return setGroup(sc, keys), nil
}

// items analyses the select list; later items may use the aliases of earlier ones.
func (a *analyzer) items(items []boundItem, sc *scope, s *selectBody) ([]value, []Column, error) {
	var values []value
	var cols []Column
	for _, b := range items {
		var v value
		var err error
		if b.v != nil {
			v = *b.v
			if sc.group[v.sql] {
				v.bare = nil
			}
		} else if v, err = a.expr(b.x, sc); err != nil {
			return nil, nil, err
		}
		if sc.group != nil && len(v.bare) > 0 {
			return nil, nil, errGrouping(sc, v, b.x)
		}
		if b.alias && (b.v == nil) {
			sc.aliases = append(sc.aliases, aliasBinding{b.name, v})
		}
		values = append(values, v)
		cols = append(cols, Column{Name: b.name, Type: v.typ})
	}
	return values, cols, nil
}
