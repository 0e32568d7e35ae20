package engine

import (
	"strconv"
	"strings"
)

// aggregate builds the SQLite call of an aggregate function.
type aggregate func(*analyzer, *callExpr, *scope) (aggregateText, error)

// aggregateText is fn(args), which FILTER and OVER belong to, and what is
// computed from its result (%s).
type aggregateText struct {
	fn     string
	args   string
	wrap   string // "" is %s
	filter string // an additional condition
	typ    Type
	from   []value
}

var aggregates map[string]aggregate

// windowOnly are the functions that need OVER, with their result type letter.
var windowOnly = map[string]string{
	"row_number": "i", "rank": "i", "dense_rank": "i", "percent_rank": "d", "cume_dist": "d", "ntile": "i",
	"lead": "1", "lag": "1", "nth_value": "1",
}

func init() { // they refer back to the table through expr
	sum := func(a *analyzer, c *callExpr, sc *scope) (aggregateText, error) { return a.sum(c, sc) }
	aggregates = map[string]aggregate{
		"count": (*analyzer).count, "sum": sum, "try_sum": sum, "avg": (*analyzer).avg, "try_avg": (*analyzer).avg,
		"min": sameType("a", "min", ""), "max": sameType("a", "max", ""), "any_value": sameType("a,b?", "x_first", ""),
		"first": (*analyzer).firstLast, "last": (*analyzer).firstLast,
		"max_by": sameType("a,a", "x_max_by", ""), "min_by": sameType("a,a", "x_min_by", ""), "mode": sameType("a", "x_mode", ""),
		"count_if": fixed("b", "sum", "coalesce(%s, 0)", "l"), "bool_and": fixed("b", "min", "", "b"), "bool_or": fixed("b", "max", "", "b"),
		"stddev": fixed("d", "x_stddev", "", "d"), "stddev_pop": fixed("d", "x_stddev_pop", "", "d"), "variance": fixed("d", "x_variance", "", "d"),
		"var_pop": fixed("d", "x_var_pop", "", "d"), "skewness": fixed("d", "x_skewness", "", "d"), "corr": fixed("d,d", "x_corr", "", "d"),
		"covar_pop": fixed("d,d", "x_covar_pop", "", "d"), "covar_samp": fixed("d,d", "x_covar_samp", "", "d"),
		"median": fixed("d", "x_median", "", "d"), "percentile": (*analyzer).percentile, "percentile_approx": (*analyzer).percentile, "percentile_disc": (*analyzer).percentile,
		"approx_count_distinct": (*analyzer).count, "collect_list": (*analyzer).collect, "collect_set": (*analyzer).collect, "listagg": (*analyzer).listAgg,
		"bit_and": fixed("l", "x_bit_and", "", "l"), "bit_or": fixed("l", "x_bit_or", "", "l"),
	}
}

// fixed is an aggregate with a fixed result type.
func fixed(sig, fn, wrap, result string) aggregate {
	return func(a *analyzer, c *callExpr, sc *scope) (aggregateText, error) {
		args, err := a.arguments(c, sig, sc)
		return aggregateText{fn: fn, args: sqlList(args), wrap: wrap, typ: typeLetters[result], from: args}, err
	}
}

// sameType is an aggregate whose result has the type of its first argument.
func sameType(sig, fn, wrap string) aggregate {
	return func(a *analyzer, c *callExpr, sc *scope) (aggregateText, error) {
		args, err := a.arguments(c, sig, sc)
		if err != nil {
			return aggregateText{}, err
		}
		list := sqlList(args)
		if fn == "x_first" {
			list = args[0].sql + ", 0"
		}
		return aggregateText{fn: fn, args: list, wrap: wrap, typ: args[0].typ, from: args}, nil
	}
}

func sqlList(args []value) string {
	parts := make([]string, len(args))
	for i, v := range args {
		parts[i] = v.sql
	}
	return strings.Join(parts, ", ")
}

func (a *analyzer) count(c *callExpr, sc *scope) (aggregateText, error) {
	t := aggregateText{fn: "count", typ: Scalar(Long)}
	if c.star {
		t.args = "*"
		return t, nil
	}
	sig := "a*"
	if c.name != "count" {
		sig = "a,d?"
	}
	args, err := a.arguments(c, sig, sc)
	if err != nil {
		return t, err
	}
	t.from = args
	if c.name != "count" {
		t.args = "DISTINCT " + args[0].sql
		return t, nil
	}
	if len(args) == 1 {
		t.args = args[0].sql
		return t, nil
	}
	var conds []string
	for _, v := range args {
		conds = append(conds, v.sql+" IS NOT NULL")
	}
	t.args = "CASE WHEN " + strings.Join(conds, " AND ") + " THEN json_array(" + sqlList(args) + ") END"
	return t, nil
}

func (a *analyzer) sum(c *callExpr, sc *scope) (aggregateText, error) {
	args, err := a.arguments(c, "a", sc)
	if err != nil {
		return aggregateText{}, err
	}
	v := args[0]
	if v.typ.Kind != Interval {
		if args, err = a.arguments(c, "n", sc); err != nil {
			return aggregateText{}, err
		}
		v = args[0]
	}
	t := aggregateText{fn: "sum", args: v.sql, typ: Scalar(Long), from: args}
	switch {
	case v.typ.isFloat():
		t.typ = Scalar(Double)
	case v.typ.Kind == Decimal:
		t.typ = DecimalOf(min(38, v.typ.Precision+10), v.typ.Scale)
		t.wrap = "round(%s, " + strconv.Itoa(v.typ.Scale) + ")"
	case v.typ.Kind == Interval:
		t.typ = v.typ
	}
	return t, nil
}

func (a *analyzer) avg(c *callExpr, sc *scope) (aggregateText, error) {
	args, err := a.arguments(c, "n", sc)
	if err != nil {
		return aggregateText{}, err
	}
	v := args[0]
	t := aggregateText{fn: "avg", args: v.sql, typ: Scalar(Double), from: args}
	if v.typ.Kind == Decimal {
		t.typ = boundedDecimal(v.typ.Precision+4, v.typ.Scale+4)
		t.wrap = "round(%s, " + strconv.Itoa(t.typ.Scale) + ")"
	}
	return t, nil
}

func (a *analyzer) firstLast(c *callExpr, sc *scope) (aggregateText, error) {
	args, err := a.arguments(c, "a,b?", sc)
	if err != nil {
		return aggregateText{}, err
	}
	skip := "0"
	if c.ignoreNulls || len(args) == 2 && args[1].sql == "1" {
		skip = "1"
	}
	return aggregateText{fn: "x_" + c.name, args: args[0].sql + ", " + skip, typ: args[0].typ, from: args}, nil
}

// percentile is percentile(x, p), percentile_approx(x, p, accuracy) and
// percentile_cont(p) WITHIN GROUP (ORDER BY x).
func (a *analyzer) percentile(c *callExpr, sc *scope) (aggregateText, error) {
	x := &callExpr{name: c.name, args: c.args, pos: c.pos}
	sig := "n,d,d?"
	desc := false
	if c.within != nil {
		if len(c.args) != 1 || len(c.within) != 1 {
			return aggregateText{}, errArgCount(c.name, "1", len(c.args))
		}
		x.args = []expr{c.within[0].x, c.args[0]}
		desc = c.within[0].desc
	}
	args, err := a.arguments(x, sig, sc)
	if err != nil {
		return aggregateText{}, err
	}
	p := args[1].sql
	if desc {
		p = "(1 - " + p + ")"
	}
	if c.name == "percentile" {
		return aggregateText{fn: "x_percentile", args: args[0].sql + ", " + p, typ: Scalar(Double), from: args}, nil
	}
	return aggregateText{fn: "x_percentile_disc", args: args[0].sql + ", " + p, typ: args[0].typ, from: args}, nil
}

func (a *analyzer) collect(c *callExpr, sc *scope) (aggregateText, error) {
	args, err := a.arguments(c, "a", sc)
	if err != nil {
		return aggregateText{}, err
	}
	v := args[0]
	t := aggregateText{fn: "json_group_array", args: toJSON(v), typ: ArrayOf(v.typ), from: args, filter: v.sql + " IS NOT NULL"}
	if c.name == "collect_set" {
		t.wrap = "x_array_distinct(%s)"
	}
	return t, nil
}

func (a *analyzer) listAgg(c *callExpr, sc *scope) (aggregateText, error) {
	args, err := a.arguments(c, "s,s?", sc)
	if err != nil {
		return aggregateText{}, err
	}
	list := args[0].sql + ", "
	if len(args) == 2 {
		list += args[1].sql
	} else {
		list += "''"
	}
	if c.distinct {
		return aggregateText{}, errUnsupported("listagg(DISTINCT …)")
	}
	if len(c.within) > 0 {
		order, err := a.orderTerms(c.within, sc)
		if err != nil {
			return aggregateText{}, err
		}
		list += " ORDER BY " + order
	}
	return aggregateText{fn: "group_concat", args: list, typ: Scalar(String), from: args}, nil
}

func (a *analyzer) orderTerms(items []orderItem, sc *scope) (string, error) {
	terms := make([]string, len(items))
	for i, o := range items {
		v, err := a.expr(o.x, sc)
		if err != nil {
			return "", err
		}
		terms[i] = groupTerm(v.sql) + direction(o)
	}
	return strings.Join(terms, ", "), nil
}

// aggregateCall analyses an aggregate; over is the text of its OVER clause, "" for none.
func (a *analyzer) aggregateCall(c *callExpr, sc *scope, over string) (value, error) {
	if over == "" {
		if a.aggregates > 0 {
			return value{}, newError("NESTED_AGGREGATE_FUNCTION", "42607", "It is not allowed to use an aggregate function in the argument of another aggregate function. Please use the inner aggregate function in a sub-query.")
		}
		a.aggregates++
		defer func() { a.aggregates-- }()
	}
	t, err := aggregates[c.name](a, c, sc)
	if err != nil {
		return value{}, err
	}
	text := t.fn + "("
	if c.distinct && !strings.HasPrefix(t.args, "DISTINCT ") {
		text += "DISTINCT "
	}
	text += t.args + ")"
	filter := t.filter
	if c.filter != nil {
		v, err := a.condition(c.filter, &scope{parent: sc.parent, rels: sc.rels})
		if err != nil {
			return value{}, err
		}
		if filter != "" {
			filter = "(" + filter + ") AND "
		}
		filter += v.sql
	}
	if filter != "" {
		text += " FILTER (WHERE " + filter + ")"
	}
	text += over
	if t.wrap != "" {
		text = strings.Replace(t.wrap, "%s", text, 1)
	}
	v := with(text, t.typ, t.from...)
	if over == "" {
		v.agg, v.bare = true, nil
	}
	return v, nil
}
