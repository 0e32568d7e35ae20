package engine

import (
	"strconv"
	"strings"
)

// specialFunctions are those whose type or text depends on their arguments.
var specialFunctions map[string]func(*analyzer, *callExpr, *scope) (value, error)

func init() { // the functions refer back to the table through expr
	specialFunctions = map[string]func(*analyzer, *callExpr, *scope) (value, error){
		"current_user": (*analyzer).sessionFunction, "current_catalog": (*analyzer).sessionFunction, "current_schema": (*analyzer).sessionFunction,
		"current_date": (*analyzer).sessionFunction, "current_timestamp": (*analyzer).sessionFunction, "localtimestamp": (*analyzer).sessionFunction,
		"current_metastore": (*analyzer).sessionFunction, "unix_timestamp": (*analyzer).unixTimestamp, "to_unix_timestamp": (*analyzer).unixTimestamp,
		"sandbox_sleep": (*analyzer).sandboxSleep, "concat": (*analyzer).concatCall, "array": (*analyzer).arrayCall, "map": (*analyzer).mapCall,
		"named_struct": (*analyzer).structCall, "struct": (*analyzer).structCall, "map_keys": (*analyzer).mapParts, "map_values": (*analyzer).mapParts,
		"element_at": (*analyzer).elementAt, "try_element_at": (*analyzer).elementAt, "get": (*analyzer).elementAt, "sequence": (*analyzer).sequence,
		"round": (*analyzer).round, "bround": (*analyzer).round, "ceil": (*analyzer).ceilFloor, "floor": (*analyzer).ceilFloor, "abs": (*analyzer).sameNumber,
		"negative": (*analyzer).sameNumber, "positive": (*analyzer).sameNumber, "log": (*analyzer).log, "mod": (*analyzer).operatorCall, "div": (*analyzer).operatorCall,
		"try_add": (*analyzer).operatorCall, "try_subtract": (*analyzer).operatorCall, "try_multiply": (*analyzer).operatorCall,
		"decode": (*analyzer).decode, "date_add": (*analyzer).dateAdd, "dateadd": (*analyzer).dateAdd, "datediff": (*analyzer).dateDiff,
		"to_date": (*analyzer).toDate, "to_timestamp": (*analyzer).toDate, "date_part": (*analyzer).datePart, "typeof": (*analyzer).typeOf,
		"transform": (*analyzer).higherOrder, "filter": (*analyzer).higherOrder, "exists": (*analyzer).higherOrder, "forall": (*analyzer).higherOrder,
		"from_json": (*analyzer).fromJSONCall, "ltrim": (*analyzer).trimCall, "rtrim": (*analyzer).trimCall,
	}
	for _, name := range []string{"string", "int", "bigint", "double", "float", "boolean", "date", "timestamp", "smallint", "tinyint", "decimal", "binary"} {
		specialFunctions[name] = (*analyzer).castCall
	}
}

func (a *analyzer) sessionFunction(c *callExpr, _ *scope) (value, error) {
	if len(c.args) > 0 {
		return value{}, errArgCount(c.name, "0", len(c.args))
	}
	text := func(s string) (value, error) { return constant(&literal{Scalar(String), s}), nil }
	switch c.name {
	case "current_user":
		return text(a.session.User)
	case "current_catalog":
		return text(a.catalog)
	case "current_schema":
		return text(a.schema)
	case "current_metastore":
		return text("sandbox")
	case "current_date":
		return constant(&literal{Scalar(Date), floorDiv(a.now.UnixMicro(), microsPerDay)}), nil
	}
	return constant(&literal{Scalar(Timestamp), a.now.UnixMicro()}), nil
}

func (a *analyzer) unixTimestamp(c *callExpr, sc *scope) (value, error) {
	if len(c.args) == 0 {
		return constant(&literal{Scalar(Long), a.now.Unix()}), nil
	}
	to := *c
	to.name = "to_timestamp"
	v, err := a.toDate(&to, sc)
	return with("x_seconds("+v.sql+")", Scalar(Long), v), err
}

func (a *analyzer) sandboxSleep(c *callExpr, sc *scope) (value, error) {
	args, err := a.arguments(c, "d", sc)
	if err != nil {
		return value{}, err
	}
	return with("x_sleep("+strconv.FormatInt(a.run, 10)+", "+args[0].sql+")", Scalar(Boolean), args[0]), nil
}

func (a *analyzer) concatCall(c *callExpr, sc *scope) (value, error) {
	args, err := a.arguments(c, "a*", sc)
	if err != nil {
		return value{}, err
	}
	if args[0].typ.Kind == Array {
		if args, err = a.arguments(c, "c*", sc); err != nil {
			return value{}, err
		}
		return with(expand("x_array_concat", args), args[0].typ, args...), nil
	}
	parts := make([]string, len(args))
	for i := range args {
		if args[i], err = castTo(args[i], Scalar(String), false); err != nil {
			return value{}, err
		}
		parts[i] = args[i].sql
	}
	return with("("+strings.Join(parts, " || ")+")", Scalar(String), args...), nil
}

func (a *analyzer) round(c *callExpr, sc *scope) (value, error) {
	args, err := a.arguments(c, "n,i?", sc)
	if err != nil {
		return value{}, err
	}
	v := args[0]
	digits := int64(0)
	if len(args) == 2 {
		n, ok := constInt(args[1])
		if !ok {
			return value{}, errMismatch("NON_FOLDABLE_INPUT", "Cannot resolve %q due to data type mismatch: the input `scale` should be a foldable \"INT\" expression.", pretty(c))
		}
		digits = n
	}
	t := v.typ
	if t.Kind == Decimal {
		scale := min(max(int(digits), 0), t.Scale)
		t = boundedDecimal(max(t.Precision-t.Scale+scale+1, 1), scale)
	}
	mode := ", 0)"
	if c.name == "bround" {
		mode = ", 1)"
	}
	if t.isInteger() && digits >= 0 {
		return v, nil
	}
	return with("x_round("+v.sql+", "+strconv.FormatInt(digits, 10)+mode, t, args...), nil
}

func (a *analyzer) ceilFloor(c *callExpr, sc *scope) (value, error) {
	args, err := a.arguments(c, "n,i?", sc)
	if err != nil {
		return value{}, err
	}
	v := args[0]
	if len(args) == 2 {
		return value{}, errUnsupported("%s with a scale", c.name)
	}
	t := Scalar(Long)
	if v.typ.Kind == Decimal {
		t = boundedDecimal(v.typ.Precision-v.typ.Scale+1, 0)
		return with(c.name+"("+v.sql+")", t, v), nil
	}
	return with("CAST("+c.name+"("+v.sql+") AS INTEGER)", t, v), nil
}

func (a *analyzer) sameNumber(c *callExpr, sc *scope) (value, error) {
	args, err := a.arguments(c, "n", sc)
	if err != nil {
		return value{}, err
	}
	switch v := args[0]; c.name {
	case "abs":
		return with("abs("+v.sql+")", v.typ, v), nil
	case "negative":
		return with("(-"+v.sql+")", v.typ, v), nil
	default:
		return v, nil
	}
}

func (a *analyzer) log(c *callExpr, sc *scope) (value, error) {
	args, err := a.arguments(c, "d,d?", sc)
	if err != nil {
		return value{}, err
	}
	if len(args) == 1 {
		return with("ln("+args[0].sql+")", Scalar(Double), args...), nil
	}
	return with("(ln("+args[1].sql+") / ln("+args[0].sql+"))", Scalar(Double), args...), nil
}

// operatorCall are the functions that are operators: mod(a, b), try_add(a, b).
func (a *analyzer) operatorCall(c *callExpr, sc *scope) (value, error) {
	if len(c.args) != 2 {
		return value{}, errArgCount(c.name, "2", len(c.args))
	}
	op := map[string]string{"mod": "%", "div": "DIV", "try_add": "+", "try_subtract": "-", "try_multiply": "*"}[c.name]
	return a.expr(&binaryExpr{op, c.args[0], c.args[1]}, sc)
}

// decode(x, s1, r1, …, default) compares NULLs as equal; decode(bin, charset)
// is text already.
func (a *analyzer) decode(c *callExpr, sc *scope) (value, error) {
	if len(c.args) < 2 {
		return value{}, errArgCount(c.name, "> 1", len(c.args))
	}
	if len(c.args) == 2 {
		return a.typed(c.args[0], sc, Scalar(String))
	}
	var keys, results []expr
	keys = append(keys, c.args[0])
	i := 1
	for ; i+1 < len(c.args); i += 2 {
		keys, results = append(keys, c.args[i]), append(results, c.args[i+1])
	}
	if i < len(c.args) {
		results = append(results, c.args[i])
	}
	k, _, err := a.unified(keys, Scalar(Null), c, sc)
	if err != nil {
		return value{}, err
	}
	r, t, err := a.unified(results, Scalar(Null), c, sc)
	if err != nil {
		return value{}, err
	}
	var b strings.Builder
	b.WriteString("(CASE")
	for i, key := range k[1:] {
		b.WriteString(" WHEN " + k[0].sql + " IS " + key.sql + " THEN " + r[i].sql)
	}
	if len(r) == len(k) {
		b.WriteString(" ELSE " + r[len(r)-1].sql)
	}
	return with(b.String()+" END)", t, append(k, r...)...), nil
}

// dateAdd is date_add(d, days) and dateadd(unit, n, t).
func (a *analyzer) dateAdd(c *callExpr, sc *scope) (value, error) {
	if len(c.args) == 2 {
		args, err := a.arguments(c, "D,i", sc)
		if err != nil {
			return value{}, err
		}
		return with("("+args[0].sql+" + "+args[1].sql+")", Scalar(Date), args...), nil
	}
	unit, err := a.unitArgument(c)
	if err != nil {
		return value{}, err
	}
	n, err := a.typed(c.args[1], sc, Scalar(Long))
	if err != nil {
		return value{}, err
	}
	t, err := a.typed(c.args[2], sc, Scalar(Timestamp))
	if err != nil {
		return value{}, err
	}
	if m, ok := monthsOf[unit]; ok {
		return with("x_add_months_ts("+t.sql+", "+n.sql+" * "+strconv.FormatInt(m, 10)+")", Scalar(Timestamp), n, t), nil
	}
	return with("("+t.sql+" + "+n.sql+" * "+strconv.FormatInt(microsOf[unit], 10)+")", Scalar(Timestamp), n, t), nil
}

// unitArgument reads the unit of dateadd(unit, …) and datediff(unit, …).
func (a *analyzer) unitArgument(c *callExpr) (string, error) {
	if len(c.args) != 3 {
		return "", errArgCount(c.name, "[2, 3]", len(c.args))
	}
	l, ok := c.args[0].(*literal)
	text := ""
	if ok {
		text, _ = l.val.(string)
	}
	if unit := unitOf(text); unit != "" {
		return unit, nil
	}
	return "", newError("INVALID_PARAMETER_VALUE.DATETIME_UNIT", "22023", "The value of parameter(s) `unit` in %s is invalid: expects one of the units without quotes YEAR, QUARTER, MONTH, WEEK, DAY, DAYOFYEAR, HOUR, MINUTE, SECOND, MILLISECOND, MICROSECOND, but got '%s'.", quoteParts([]string{c.name}), pretty(c.args[0]))
}

// dateDiff is datediff(end, start) in days and datediff(unit, start, end).
func (a *analyzer) dateDiff(c *callExpr, sc *scope) (value, error) {
	if len(c.args) == 2 {
		args, err := a.arguments(c, "D,D", sc)
		if err != nil {
			return value{}, err
		}
		return with("("+args[0].sql+" - "+args[1].sql+")", Scalar(Int), args...), nil
	}
	unit, err := a.unitArgument(c)
	if err != nil {
		return value{}, err
	}
	from, err := a.typed(c.args[1], sc, Scalar(Timestamp))
	if err != nil {
		return value{}, err
	}
	to, err := a.typed(c.args[2], sc, Scalar(Timestamp))
	if err != nil {
		return value{}, err
	}
	if m, ok := monthsOf[unit]; ok {
		return with("(CAST(x_whole_months("+to.sql+", "+from.sql+") AS INTEGER) / "+strconv.FormatInt(m, 10)+")", Scalar(Long), from, to), nil
	}
	return with("(("+to.sql+" - "+from.sql+") / "+strconv.FormatInt(microsOf[unit], 10)+")", Scalar(Long), from, to), nil
}

// toDate is to_date and to_timestamp, with or without a format.
func (a *analyzer) toDate(c *callExpr, sc *scope) (value, error) {
	to := Scalar(Date)
	if c.name == "to_timestamp" {
		to = Scalar(Timestamp)
	}
	args, err := a.arguments(c, "a,s?", sc)
	if err != nil {
		return value{}, err
	}
	if len(args) == 1 || args[0].typ.Kind != String {
		return castTo(args[0], to, false)
	}
	return with("x_"+c.name+"("+args[0].sql+", "+args[1].sql+", 0)", to, args...), nil
}

func (a *analyzer) datePart(c *callExpr, sc *scope) (value, error) {
	args, err := a.arguments(c, "s,T", sc)
	if err != nil {
		return value{}, err
	}
	t := Scalar(Int)
	if l := args[0].lit; l != nil {
		if s, ok := l.val.(string); ok && strings.HasPrefix(strings.ToUpper(s), "SECOND") {
			return with("(x_date_part('MICROS', "+args[1].sql+") / 1e6)", DecimalOf(8, 6), args...), nil
		}
	}
	return with("x_date_part("+args[0].sql+", "+args[1].sql+")", t, args...), nil
}

func (a *analyzer) typeOf(c *callExpr, sc *scope) (value, error) {
	args, err := a.arguments(c, "a", sc)
	if err != nil {
		return value{}, err
	}
	return constant(&literal{Scalar(String), strings.ToLower(args[0].typ.String())}), nil
}

// trimCall is ltrim(s) and ltrim(chars, s): the characters come first.
func (a *analyzer) trimCall(c *callExpr, sc *scope) (value, error) {
	args, err := a.arguments(c, "s,s?", sc)
	if err != nil {
		return value{}, err
	}
	if len(args) == 2 {
		args[0], args[1] = args[1], args[0]
	}
	return with(expand(c.name, args), Scalar(String), args...), nil
}

func (a *analyzer) castCall(c *callExpr, sc *scope) (value, error) {
	if len(c.args) != 1 {
		return value{}, errArgCount(c.name, "1", len(c.args))
	}
	t, err := ParseType(c.name)
	if err != nil {
		return value{}, err
	}
	return a.typed(c.args[0], sc, t)
}
