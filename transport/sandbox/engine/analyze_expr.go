package engine

import (
	"strconv"
	"strings"
)

// expr analyses an expression: its SQLite text and its type.
func (a *analyzer) expr(x expr, sc *scope) (value, error) {
	if err := a.enter(); err != nil {
		return value{}, err
	}
	defer func() { a.depth-- }()
	v, err := a.exprNode(x, sc)
	if err == nil && len(v.bare) > 0 && sc.group[v.sql] && a.aggregates == 0 {
		v.bare = nil // it is a grouping expression
	}
	return v, err
}

func (a *analyzer) exprNode(x expr, sc *scope) (value, error) {
	switch x := x.(type) {
	case *literal:
		return constant(x), nil
	case *nameExpr:
		return a.column(x, sc)
	case *callExpr:
		return a.call(x, sc)
	case *unaryExpr:
		return a.unary(x, sc)
	case *binaryExpr:
		return a.binary(x, sc)
	case *betweenExpr:
		return a.between(x, sc)
	case *inExpr:
		return a.in(x, sc)
	case *likeExpr:
		return a.like(x, sc)
	case *isExprNode:
		v, err := a.expr(x.x, sc)
		if err != nil {
			return v, err
		}
		if x.what != "NULL" {
			if v, err = castTo(v, Scalar(Boolean), false); err != nil {
				return v, err
			}
		}
		op := " IS "
		if x.not {
			op = " IS NOT "
		}
		return with("("+v.sql+op+x.what+")", Scalar(Boolean), v), nil
	case *existsExpr:
		p, err := a.query(x.query, sc)
		return value{sql: "EXISTS (" + p.sql + ")", typ: Scalar(Boolean)}, err
	case *subqueryEx:
		return a.scalarSubquery(x, sc)
	case *caseExpr:
		return a.caseWhen(x, sc)
	case *castExpr:
		v, err := a.expr(x.x, sc)
		if err != nil {
			return v, err
		}
		return castTo(v, x.to, x.try)
	case *intervalExpr:
		return a.interval(x, sc)
	case *paramExpr:
		return a.param(x)
	case *indexExpr:
		return a.index(x, sc)
	case *fieldExpr:
		v, err := a.expr(x.x, sc)
		if err != nil {
			return v, err
		}
		return structField(v, x.name)
	case *jsonExpr:
		v, err := a.typed(x.x, sc, Scalar(String))
		return with("x_json_path("+v.sql+", "+quoteText(x.path)+")", Scalar(String), v), err
	case *starExpr:
		return value{}, newError("INVALID_USAGE_OF_STAR_OR_REGEX", "42000", "Invalid usage of '*' in expression.")
	case *lambdaExpr:
		return value{}, newError("INVALID_LAMBDA_FUNCTION_CALL.NON_HIGHER_ORDER_FUNCTION", "42K0D", "Invalid lambda function call. A lambda function should only be used in a higher order function.")
	}
	return value{}, errUnsupported("this expression")
}

// typed analyses an expression and converts it.
func (a *analyzer) typed(x expr, sc *scope, to Type) (value, error) {
	v, err := a.expr(x, sc)
	if err != nil {
		return v, err
	}
	return castTo(v, to, false)
}

func (a *analyzer) column(n *nameExpr, sc *scope) (value, error) {
	v, rest, err := sc.resolve(n.parts)
	if err != nil {
		return v, err
	}
	if a.aggregates > 0 {
		v.bare = nil
	}
	for _, field := range rest {
		if v, err = structField(v, field); err != nil {
			return v, err
		}
	}
	return v, nil
}

// structField reads a member of a STRUCT or of a MAP.
func structField(v value, name string) (value, error) {
	switch v.typ.Kind {
	case Struct:
		for _, f := range v.typ.Fields {
			if strings.EqualFold(f.Name, name) {
				return with(fromJSON(f.Type, "json_extract("+v.sql+", "+quoteText(`$."`+f.Name+`"`)+")", ""), f.Type, v), nil
			}
		}
		return v, newError("FIELD_NOT_FOUND", "42704", "No such struct field %s in %s.", quoteParts([]string{name}), v.typ)
	case Map:
		return with(fromJSON(*v.typ.Elem, "x_element("+v.sql+", "+quoteText(name)+", 0)", ""), *v.typ.Elem, v), nil
	}
	return v, newError("INVALID_EXTRACT_BASE_FIELD_TYPE", "42000", "Can't extract a value from %q. Need a complex type [STRUCT, ARRAY, MAP] but got %q.", name, v.typ)
}

func (a *analyzer) index(x *indexExpr, sc *scope) (value, error) {
	v, err := a.expr(x.x, sc)
	if err != nil {
		return v, err
	}
	i, err := a.expr(x.index, sc)
	if err != nil {
		return v, err
	}
	switch {
	case v.typ.Kind == Array && i.typ.isInteger(): // 0-based, unlike element_at
		return with(fromJSON(*v.typ.Elem, "x_item("+v.sql+", "+i.sql+")", ""), *v.typ.Elem, v, i), nil
	case v.typ.Kind == Map:
		if i, err = castTo(i, Scalar(String), false); err != nil {
			return v, err
		}
		return with(fromJSON(*v.typ.Elem, "x_element("+v.sql+", "+i.sql+", 0)", ""), *v.typ.Elem, v, i), nil
	case v.typ.Kind == Struct && i.lit != nil:
		if name, ok := i.lit.val.(string); ok {
			return structField(v, name)
		}
	}
	return v, newError("INVALID_EXTRACT_BASE_FIELD_TYPE", "42000", "Can't extract a value from %q. Need a complex type [STRUCT, ARRAY, MAP] but got %q.", pretty(x.x), v.typ)
}

func (a *analyzer) unary(x *unaryExpr, sc *scope) (value, error) {
	v, err := a.expr(x.x, sc)
	if err != nil {
		return v, err
	}
	switch x.op {
	case "NOT":
		if v.typ.Kind != Boolean {
			if v.typ.Kind != Null && v.typ.Kind != String {
				return v, errMismatch("UNEXPECTED_INPUT_TYPE", "Cannot resolve %q due to data type mismatch: The first parameter requires the \"BOOLEAN\" type, however %q has the type %q.", pretty(x), pretty(x.x), v.typ)
			}
			if v, err = castTo(v, Scalar(Boolean), false); err != nil {
				return v, err
			}
		}
		return with("(NOT "+v.sql+")", v.typ, v), nil
	case "~":
		if !v.typ.isInteger() {
			return v, errOperand(x, x.x, v.typ, `"INTEGRAL"`)
		}
		return with("(~"+v.sql+")", v.typ, v), nil
	}
	if v.typ.Kind == String {
		if v, err = castTo(v, Scalar(Double), false); err != nil {
			return v, err
		}
	}
	if !v.typ.isNumeric() && v.typ.Kind != Interval && v.typ.Kind != Null {
		return v, errOperand(x, x.x, v.typ, `"NUMERIC" or "INTERVAL"`)
	}
	return with("(-"+v.sql+")", v.typ, v), nil
}

func errOperand(whole, operand expr, t Type, want string) error {
	return errMismatch("UNEXPECTED_INPUT_TYPE", "Cannot resolve %q due to data type mismatch: The first parameter requires the (%s) type, however %q has the type %q.", pretty(whole), want, pretty(operand), t)
}

func (a *analyzer) between(x *betweenExpr, sc *scope) (value, error) {
	parts := make([]value, 3)
	t := Scalar(Null)
	for i, e := range []expr{x.x, x.lo, x.hi} {
		v, err := a.expr(e, sc)
		if err != nil {
			return v, err
		}
		wider, ok := commonType(t, v.typ)
		if !ok {
			return v, errMismatch("DATA_DIFF_TYPES", "Cannot resolve %q due to data type mismatch: Input to `between` should all be the same type, but it's [%q, %q].", pretty(x), t, v.typ)
		}
		t, parts[i] = wider, v
	}
	for i := range parts {
		var err error
		if parts[i], err = castTo(parts[i], t, false); err != nil {
			return parts[i], err
		}
	}
	not := ""
	if x.not {
		not = "NOT "
	}
	return with("("+parts[0].sql+" "+not+"BETWEEN "+parts[1].sql+" AND "+parts[2].sql+")", Scalar(Boolean), parts...), nil
}

func (a *analyzer) in(x *inExpr, sc *scope) (value, error) {
	v, err := a.expr(x.x, sc)
	if err != nil {
		return v, err
	}
	op := " IN ("
	if x.not {
		op = " NOT IN ("
	}
	if x.query != nil {
		p, err := a.query(x.query, sc)
		if err != nil {
			return v, err
		}
		if len(p.cols) != 1 {
			return v, errMismatch("IN_SUBQUERY_LENGTH_MISMATCH", "The number of columns in the left hand side of an IN subquery does not match the number of columns in the output of subquery. Left hand side columns(length: 1), right hand side columns(length: %d).", len(p.cols))
		}
		t, ok := commonType(v.typ, p.cols[0].Type)
		if !ok {
			return v, errMismatch("IN_SUBQUERY_DATA_TYPE_MISMATCH", "The data type of one or more elements in the left hand side of an IN subquery is not compatible with the data type of the output of the subquery: %q and %q.", v.typ, p.cols[0].Type)
		}
		l, err := castTo(v, t, false)
		if err != nil {
			return v, err
		}
		cols := []Column{{Type: t}}
		return with("("+l.sql+op+coerced(p, cols)+"))", Scalar(Boolean), l), nil
	}
	t := v.typ
	list := make([]value, len(x.list))
	for i, item := range x.list {
		if list[i], err = a.expr(item, sc); err != nil {
			return v, err
		}
		wider, ok := commonType(t, list[i].typ)
		if !ok {
			return v, errMismatch("DATA_DIFF_TYPES", "Cannot resolve %q due to data type mismatch: Input to `in` should all be the same type, but it's [%q, %q].", pretty(x), t, list[i].typ)
		}
		t = wider
	}
	from := []value{v}
	parts := make([]string, len(list))
	for i := range list {
		item, err := castTo(list[i], t, false)
		if err != nil {
			return v, err
		}
		parts[i] = item.sql
		from = append(from, item)
	}
	l, err := castTo(v, t, false)
	return with("("+l.sql+op+strings.Join(parts, ", ")+"))", Scalar(Boolean), from...), err
}

func (a *analyzer) like(x *likeExpr, sc *scope) (value, error) {
	v, err := a.typed(x.x, sc, Scalar(String))
	if err != nil {
		return v, err
	}
	pattern, err := a.typed(x.pattern, sc, Scalar(String))
	if err != nil {
		return v, err
	}
	escape := value{sql: `'\'`}
	if x.escape != nil {
		if escape, err = a.typed(x.escape, sc, Scalar(String)); err != nil {
			return v, err
		}
	}
	var sql string
	switch x.op {
	case "LIKE":
		sql = "(" + v.sql + " LIKE " + pattern.sql + " ESCAPE " + escape.sql + ")"
	case "ILIKE":
		sql = "(x_lower(" + v.sql + ") LIKE x_lower(" + pattern.sql + ") ESCAPE " + escape.sql + ")"
	default:
		sql = "x_rlike(" + v.sql + ", " + pattern.sql + ")"
	}
	if x.not {
		sql = "(NOT " + sql + ")"
	}
	return with(sql, Scalar(Boolean), v, pattern, escape), nil
}

func (a *analyzer) scalarSubquery(x *subqueryEx, sc *scope) (value, error) {
	p, err := a.query(x.query, sc)
	if err != nil {
		return value{}, err
	}
	if len(p.cols) != 1 {
		return value{}, newError("INVALID_SUBQUERY_EXPRESSION.SCALAR_SUBQUERY_RETURN_MORE_THAN_ONE_OUTPUT_COLUMN", "42823", "Invalid subquery: Scalar subquery must return only one column, but got %d.", len(p.cols))
	}
	return value{sql: "(" + p.sql + ")", typ: p.cols[0].Type}, nil
}

func (a *analyzer) caseWhen(x *caseExpr, sc *scope) (value, error) {
	var whens, results []expr
	if x.operand != nil {
		whens = append(whens, x.operand)
	}
	for _, w := range x.whens {
		whens = append(whens, w.when)
		results = append(results, w.then)
	}
	if x.other != nil {
		results = append(results, x.other)
	}
	start := Scalar(Null)
	if x.operand == nil {
		start = Scalar(Boolean)
	}
	conds, _, err := a.unified(whens, start, x, sc)
	if err != nil {
		return value{}, err
	}
	values, t, err := a.unified(results, Scalar(Null), x, sc)
	if err != nil {
		return value{}, err
	}
	var b strings.Builder
	b.WriteString("(CASE")
	from := append(append([]value(nil), conds...), values...)
	if x.operand != nil {
		b.WriteString(" " + conds[0].sql)
		conds = conds[1:]
	}
	for i, c := range conds {
		b.WriteString(" WHEN " + c.sql + " THEN " + values[i].sql)
	}
	if x.other != nil {
		b.WriteString(" ELSE " + values[len(values)-1].sql)
	}
	return with(b.String()+" END)", t, from...), nil
}

// unified analyses expressions and converts all to their common type, start
// being one of the candidates.
func (a *analyzer) unified(list []expr, start Type, whole expr, sc *scope) ([]value, Type, error) {
	t := start
	out := make([]value, len(list))
	for i, x := range list {
		v, err := a.expr(x, sc)
		if err != nil {
			return nil, t, err
		}
		wider, ok := commonType(t, v.typ)
		if !ok {
			return nil, t, errMismatch("DATA_DIFF_TYPES", "Cannot resolve %q due to data type mismatch: Its inputs should all be the same type, but they are [%q, %q].", pretty(whole), t, v.typ)
		}
		t, out[i] = wider, v
	}
	for i := range out {
		var err error
		if out[i], err = castTo(out[i], t, false); err != nil {
			return nil, t, err
		}
	}
	return out, t, nil
}

// param is the value of a marker, cast to its type.
func (a *analyzer) param(x *paramExpr) (value, error) {
	position := 0
	for _, p := range a.session.Parameters {
		if x.name == "" && p.Name == "" {
			if position != x.index {
				position++
				continue
			}
		} else if x.name == "" || !strings.EqualFold(p.Name, x.name) {
			continue
		}
		t := Scalar(String)
		if p.Type != "" {
			var err error
			if t, err = ParseType(p.Type); err != nil {
				return value{}, err
			}
			if t.isNested() {
				return value{}, errUnsupported("a parameter of type %s", t)
			}
		}
		if p.Value == nil {
			return null(t), nil
		}
		if t.Kind == Null {
			return null(t), nil
		}
		return castTo(constant(&literal{Scalar(String), *p.Value}), t, false)
	}
	name := x.name
	if name == "" {
		name = "_" + strconv.Itoa(x.pos)
	}
	return value{}, newError("UNBOUND_SQL_PARAMETER", "42P02", "Found the unbound parameter: %s. Please, fix `args` and provide a mapping of the parameter to either a SQL literal or collection constructor functions such as `map()`, `array()`, `struct()`.", name)
}
