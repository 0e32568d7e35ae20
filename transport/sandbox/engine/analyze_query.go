package engine

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// analyzer turns one statement's queries into SQLite text: names are resolved
// and authorised, every expression gets its type.
type analyzer struct {
	engine  *Engine
	ctx     context.Context
	session Session
	now     time.Time
	run     int64 // id of the running statement, for functions that need its context

	catalog, schema string // where incomplete names resolve
	ctes            *cteScope
	views           []string // being expanded, to find cycles
	trusted         bool     // inside a view: its owner's rights apply
	aliases         int      // counter of generated names
	aggregates      int      // depth of aggregate calls around the expression
	depth, work     int
	describing      bool // nothing will be executed: tables need not be stored
}

// plan is an analysed query. Its SQLite text yields columns c1, c2, …
type plan struct {
	sql  string
	cols []Column
}

type cteScope struct {
	parent *cteScope
	name   string
	sql    string
	cols   []Column
}

// maxWork bounds the expressions analysed for one statement: nested GROUP BY
// ALL analyses its items twice at each level.
const maxWork = 5_000_000

func (a *analyzer) alias(prefix string) string {
	a.aliases++
	return prefix + strconv.Itoa(a.aliases)
}

func outputName(i int) string { return "c" + strconv.Itoa(i+1) }

func outputList(n int, prefix string) string {
	names := make([]string, n)
	for i := range names {
		names[i] = prefix + outputName(i)
	}
	return strings.Join(names, ", ")
}

func (a *analyzer) enter() error {
	a.depth++
	a.work++
	if a.depth > 4*maxDepth || a.work > maxWork {
		return newError("FAILED_TO_PARSE_TOO_COMPLEX", "54001", "The statement, including potential SQL functions and referenced views, was too complex to parse.")
	}
	return nil
}

func (a *analyzer) query(q *query, outer *scope) (plan, error) {
	if err := a.enter(); err != nil {
		return plan{}, err
	}
	saved, savedAgg := a.ctes, a.aggregates
	a.aggregates = 0
	defer func() { a.ctes, a.aggregates = saved, savedAgg; a.depth-- }()
	var with []string
	for _, c := range q.ctes {
		text, err := a.cte(c, q.recursive, outer)
		if err != nil {
			return plan{}, err
		}
		with = append(with, text)
	}
	p, err := a.ordered(q, outer)
	if err != nil {
		return plan{}, err
	}
	if len(with) > 0 {
		p.sql = "WITH RECURSIVE " + strings.Join(with, ", ") + " " + p.sql
	}
	return p, nil
}

// cte analyses one common table expression and puts it in scope.
func (a *analyzer) cte(c cte, recursive bool, outer *scope) (string, error) {
	scope := &cteScope{parent: a.ctes, name: c.name, sql: a.alias("w")}
	set, isSet := c.query.body.(*setBody)
	if recursive && isSet {
		anchor := *c.query
		anchor.body = set.l
		p, err := a.query(&anchor, outer)
		if err != nil {
			return "", err
		}
		if scope.cols, err = renamed(p.cols, c.columns); err != nil {
			return "", err
		}
		a.ctes = scope
	}
	p, err := a.query(c.query, outer)
	if err != nil {
		return "", err
	}
	if scope.cols, err = renamed(p.cols, c.columns); err != nil {
		return "", err
	}
	a.ctes = scope
	return scope.sql + "(" + outputList(len(p.cols), "") + ") AS (" + p.sql + ")", nil
}

// renamed applies the column list of an alias.
func renamed(cols []Column, names []string) ([]Column, error) {
	if names == nil {
		return cols, nil
	}
	if len(names) != len(cols) {
		return nil, newError("ASSIGNMENT_ARITY_MISMATCH", "42802", "The number of columns or variables assigned or aliased: %d does not match the number of source expressions: %d.", len(names), len(cols))
	}
	out := append([]Column(nil), cols...)
	for i := range out {
		out[i].Name = names[i]
	}
	return out, nil
}

// ordered analyses the body with ORDER BY, LIMIT and OFFSET.
func (a *analyzer) ordered(q *query, outer *scope) (plan, error) {
	var p plan
	var err error
	if s, ok := q.body.(*selectBody); ok {
		p, err = a.selectBody(s, q, outer)
	} else {
		p, err = a.body(q.body, outer)
		if err == nil && len(q.order) > 0 {
			p, err = a.orderOutput(p, q, outer)
		}
	}
	if err != nil || q.limit == nil && q.offset == nil {
		return p, err
	}
	limit := "-1"
	if q.limit != nil {
		if limit, err = a.constantCount(q.limit, "limit"); err != nil {
			return p, err
		}
	}
	if _, plain := q.body.(*selectBody); !plain && len(q.order) == 0 {
		p.sql = "SELECT " + outputList(len(p.cols), "") + " FROM (" + p.sql + ")"
	}
	p.sql += " LIMIT " + limit
	if q.offset != nil {
		offset, err := a.constantCount(q.offset, "offset")
		if err != nil {
			return p, err
		}
		p.sql += " OFFSET " + offset
	}
	return p, nil
}

// constantCount is the value of LIMIT or OFFSET.
func (a *analyzer) constantCount(x expr, what string) (string, error) {
	v, err := a.expr(x, &scope{})
	if err != nil {
		return "", err
	}
	if !v.typ.isInteger() {
		return "", newError("INVALID_LIMIT_LIKE_EXPRESSION.DATA_TYPE", "42K0E", "The limit like expression %q is invalid. The %s expression must be integer type, but got %q.", pretty(x), what, v.typ)
	}
	if n, ok := constInt(v); ok && n < 0 {
		return "", newError("INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE", "42K0E", "The limit like expression %q is invalid. The %s expression must be equal to or greater than 0, but got %d.", pretty(x), what, n)
	}
	return v.sql, nil
}

func constInt(v value) (int64, bool) {
	if v.lit == nil {
		return 0, false
	}
	n, ok := v.lit.val.(int64)
	return n, ok
}

// orderOutput sorts a set operation or VALUES by its output columns.
func (a *analyzer) orderOutput(p plan, q *query, outer *scope) (plan, error) {
	name := a.alias("t")
	sc := &scope{parent: outer}
	sc.push(bindPlan(p, name, nil))
	keys, err := a.orderKeys(q, p.cols, sc, name+".")
	if err != nil {
		return plan{}, err
	}
	p.sql = "SELECT " + outputList(len(p.cols), "") + " FROM (" + p.sql + ") AS " + name + " ORDER BY " + strings.Join(keys, ", ")
	return p, nil
}

func bindPlan(p plan, name string, qualifier []string) *boundRelation {
	r := &boundRelation{qualifier: qualifier}
	for i, c := range p.cols {
		r.cols = append(r.cols, boundColumn{name: c.Name, typ: c.Type, sql: name + "." + outputName(i)})
	}
	return r
}

// orderKeys are the terms of ORDER BY: an ordinal or an output column's name
// refer to the output, everything else is an expression.
func (a *analyzer) orderKeys(q *query, cols []Column, sc *scope, prefix string) ([]string, error) {
	var keys []string
	items := q.order
	if q.orderAll {
		all := items[0]
		items = nil
		for i := range cols {
			items = append(items, orderItem{x: &literal{Scalar(Int), int64(i + 1)}, desc: all.desc})
		}
	}
	for _, o := range items {
		key := ""
		if n, ok := ordinal(o.x); ok {
			if n < 1 || n > int64(len(cols)) {
				return nil, newError("ORDER_BY_POS_OUT_OF_RANGE", "42805", "ORDER BY position %d is not in select list (valid range is [1, %d]).", n, len(cols))
			}
			key = prefix + outputName(int(n-1))
		} else if n, ok := o.x.(*nameExpr); ok && len(n.parts) == 1 {
			for i := len(cols) - 1; i >= 0; i-- {
				if strings.EqualFold(cols[i].Name, n.parts[0]) {
					key = prefix + outputName(i)
				}
			}
		}
		if key == "" {
			v, err := a.grouped(o.x, sc)
			if err != nil {
				return nil, err
			}
			if v.lit != nil { // a constant is not a position for SQLite
				continue
			}
			key = v.sql
		}
		keys = append(keys, key+direction(o))
	}
	if len(keys) == 0 {
		keys = []string{"NULL"}
	}
	return keys, nil
}

func ordinal(x expr) (int64, bool) {
	l, ok := x.(*literal)
	if !ok || l.typ.Kind != Int {
		return 0, false
	}
	n, ok := l.val.(int64)
	return n, ok
}

func direction(o orderItem) string {
	s := ""
	if o.desc {
		s = " DESC"
	}
	if o.nulls != "" {
		s += " NULLS " + o.nulls
	}
	return s
}

func (a *analyzer) body(b queryBody, outer *scope) (plan, error) {
	switch b := b.(type) {
	case *selectBody:
		return a.selectBody(b, &query{}, outer)
	case *valuesBody:
		return a.valuesBody(b, outer)
	case *nestedBody:
		p, err := a.query(b.query, outer)
		p.sql = "SELECT " + outputList(len(p.cols), "") + " FROM (" + p.sql + ")"
		return p, err
	}
	return a.setBody(b.(*setBody), outer)
}

func (a *analyzer) setBody(s *setBody, outer *scope) (plan, error) {
	if err := a.enter(); err != nil {
		return plan{}, err
	}
	defer func() { a.depth-- }()
	if s.all && s.op != "UNION" {
		return plan{}, errUnsupported("%s ALL", s.op)
	}
	l, err := a.body(s.l, outer)
	if err != nil {
		return plan{}, err
	}
	r, err := a.body(s.r, outer)
	if err != nil {
		return plan{}, err
	}
	if len(l.cols) != len(r.cols) {
		return plan{}, newError("NUM_COLUMNS_MISMATCH", "42826", "%s can only be performed on inputs with the same number of columns, but the first input has %d columns and the second input has %d columns.", s.op, len(l.cols), len(r.cols))
	}
	cols := append([]Column(nil), l.cols...)
	for i := range cols {
		t, ok := commonType(l.cols[i].Type, r.cols[i].Type)
		if !ok {
			return plan{}, newError("INCOMPATIBLE_COLUMN_TYPE", "42825", "%s can only be performed on tables with compatible column types. The column %d of the second table is %q type which is not compatible with %q at the same column of the first table.", s.op, i+1, r.cols[i].Type, l.cols[i].Type)
		}
		cols[i].Type = t
	}
	left, right := coerced(l, cols), coerced(r, cols)
	if _, nested := s.r.(*setBody); nested {
		right = "SELECT " + outputList(len(cols), "") + " FROM (" + right + ")"
	}
	op := s.op
	if s.all {
		op += " ALL"
	}
	return plan{sql: left + " " + op + " " + right, cols: cols}, nil
}

// coerced casts a plan's output where its types are not the wanted ones.
func coerced(p plan, want []Column) string {
	same := true
	list := make([]string, len(want))
	for i, w := range want {
		from := value{sql: outputName(i), typ: p.cols[i].Type}
		to, _ := castTo(from, w.Type, false)
		same = same && to.sql == from.sql
		list[i] = to.sql + " AS " + outputName(i)
	}
	if same {
		return p.sql
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM (" + p.sql + ")"
}

func (a *analyzer) valuesBody(v *valuesBody, outer *scope) (plan, error) {
	width := len(v.rows[0])
	rows := make([][]value, len(v.rows))
	cols := make([]Column, width)
	sc := &scope{parent: outer}
	for i, row := range v.rows {
		if len(row) != width {
			return plan{}, newError("INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH", "42000", "Invalid inline table. Inline table expected %d columns but found %d columns in row %d.", width, len(row), i)
		}
		rows[i] = make([]value, width)
		for j, x := range row {
			val, err := a.expr(x, sc)
			if err != nil {
				return plan{}, err
			}
			rows[i][j] = val
			if i == 0 {
				cols[j] = Column{Name: "col" + strconv.Itoa(j+1), Type: val.typ}
				continue
			}
			t, ok := commonType(cols[j].Type, val.typ)
			if !ok {
				return plan{}, newError("INVALID_INLINE_TABLE.INCOMPATIBLE_TYPES_IN_INLINE_TABLE", "42000", "Invalid inline table. Found incompatible types in the column %s for inline table.", quoteParts([]string{cols[j].Name}))
			}
			cols[j].Type = t
		}
	}
	var b strings.Builder
	b.WriteString("SELECT ")
	for j := range cols {
		if j > 0 {
			b.WriteString(", ")
		}
		b.WriteString("column" + strconv.Itoa(j+1) + " AS " + outputName(j))
	}
	b.WriteString(" FROM (VALUES ")
	for i, row := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, val := range row {
			val, err := castTo(val, cols[j].Type, false)
			if err != nil {
				return plan{}, err
			}
			b.WriteByte("(,"[min(j, 1)])
			b.WriteString(val.sql)
		}
		b.WriteByte(')')
	}
	b.WriteByte(')')
	return plan{b.String(), cols}, nil
}
