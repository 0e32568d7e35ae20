package engine

import (
	"strconv"
	"strings"
	"time"
)

// null is the constant NULL of a type.
func null(t Type) value { return value{sql: "NULL", typ: t, lit: &literal{t, nil}} }

// constant makes the value of a literal.
func constant(l *literal) value {
	v := value{typ: l.typ, lit: l}
	switch x := l.val.(type) {
	case nil:
		v.sql = "NULL"
	case bool:
		v.sql = "0"
		if x {
			v.sql = "1"
		}
	case int64:
		v.sql = strconv.FormatInt(x, 10)
		if x == -1<<63 {
			v.sql = "(-9223372036854775807 - 1)" // SQLite reads the plain digits as a REAL
		}
	case float64:
		v.sql = strconv.FormatFloat(x, 'e', -1, 64)
	case string:
		if l.typ.Kind == Decimal {
			v.sql = x
			if !strings.Contains(x, ".") {
				v.sql += ".0"
			}
			break
		}
		v.sql = quoteText(x)
	}
	return v
}

// rank orders the numeric types by width.
var rank = map[Kind]int{Byte: 1, Short: 2, Int: 3, Long: 4, Decimal: 5, Float: 6, Double: 7}

// integerDigits is the precision of an integer type seen as DECIMAL.
var integerDigits = map[Kind]int{Byte: 3, Short: 5, Int: 10, Long: 19}

func asDecimal(v value) Type {
	if v.typ.Kind == Decimal {
		return v.typ
	}
	if n, ok := constInt(v); ok {
		return decimalTypeOf(strconv.FormatInt(n, 10))
	}
	return DecimalOf(integerDigits[v.typ.Kind], 0)
}

// commonType is the least type both sides convert to without an explicit cast.
func commonType(a, b Type) (Type, bool) {
	switch {
	case a.equal(b):
		return a, true
	case a.Kind == Null:
		return b, true
	case b.Kind == Null:
		return a, true
	case a.isNumeric() && b.isNumeric():
		return commonNumeric(a, b), true
	case a.Kind == String && b.isNumeric():
		return commonWithString(b), true
	case b.Kind == String && a.isNumeric():
		return commonWithString(a), true
	case a.Kind == String && (b.isTemporal() || b.Kind == Boolean):
		return b, true
	case b.Kind == String && (a.isTemporal() || a.Kind == Boolean):
		return a, true
	case a.isTemporal() && b.isTemporal():
		return Scalar(Timestamp), true
	case a.Kind == Interval && b.Kind == Interval:
		return a, true
	case a.Kind == Array && b.Kind == Array:
		e, ok := commonType(*a.Elem, *b.Elem)
		return ArrayOf(e), ok
	case a.Kind == Map && b.Kind == Map:
		k, ok1 := commonType(*a.Key, *b.Key)
		e, ok2 := commonType(*a.Elem, *b.Elem)
		return Type{Kind: Map, Key: &k, Elem: &e}, ok1 && ok2
	case a.Kind == Binary && b.Kind == String, a.Kind == String && b.Kind == Binary:
		return Scalar(String), true
	}
	return Type{}, false
}

func commonWithString(t Type) Type {
	if t.isInteger() {
		return Scalar(Long)
	}
	return Scalar(Double)
}

func commonNumeric(a, b Type) Type {
	if a.Kind == Decimal || b.Kind == Decimal {
		if a.isFloat() || b.isFloat() {
			return Scalar(Double)
		}
		x, y := asDecimal(value{typ: a}), asDecimal(value{typ: b})
		scale := max(x.Scale, y.Scale)
		return boundedDecimal(max(x.Precision-x.Scale, y.Precision-y.Scale)+scale, scale)
	}
	if rank[a.Kind] > rank[b.Kind] {
		return a
	}
	return b
}

// boundedDecimal keeps 38 digits, giving up scale beyond 6 first.
func boundedDecimal(precision, scale int) Type {
	if precision <= 38 {
		return DecimalOf(precision, scale)
	}
	whole := precision - scale
	return DecimalOf(38, max(38-whole, min(scale, 6)))
}

// castable tells which explicit casts exist.
func castable(from, to Type) bool {
	switch {
	case from.Kind == Null || from.equal(to):
		return true
	case to.Kind == String:
		return true
	case from.Kind == String:
		return !to.isNested() && to.Kind != Interval
	case from.isNumeric():
		return to.isNumeric() || to.Kind == Boolean || to.Kind == Timestamp && !from.isNested()
	case from.Kind == Boolean:
		return to.isNumeric()
	case from.Kind == Date:
		return to.Kind == Timestamp
	case from.Kind == Timestamp:
		return to.Kind == Date || to.isNumeric()
	case from.Kind == Array && to.Kind == Array:
		return castable(*from.Elem, *to.Elem)
	case from.Kind == Map && to.Kind == Map:
		return castable(*from.Elem, *to.Elem)
	case from.Kind == Struct && to.Kind == Struct:
		return len(from.Fields) == len(to.Fields)
	case from.Kind == Interval:
		return to.Kind == Interval
	}
	return false
}

// castTo converts a value; what cannot be converted at run time fails there, or
// becomes NULL with try. Constants are converted at once.
func castTo(v value, to Type, try bool) (value, error) {
	if v.typ.equal(to) {
		return v, nil
	}
	if v.typ.Kind == Null {
		if v.lit != nil {
			return null(to), nil
		}
		v.typ = to // it may be raise_error(…): keep the call
		return v, nil
	}
	if !castable(v.typ, to) {
		return value{}, errMismatch("CAST_WITHOUT_SUGGESTION", "Cannot resolve \"CAST(... AS %s)\" due to data type mismatch: cannot cast %q to %q.", to, v.typ, to)
	}
	flag := ", 0)"
	if try {
		flag = ", 1)"
	}
	sql := v.sql
	switch from := v.typ; to.Kind {
	case String:
		sql = castToString(v)
	case Byte, Short, Int, Long:
		switch {
		case from.isInteger() && rank[from.Kind] < rank[to.Kind] || from.Kind == Boolean:
		case from.Kind == Timestamp:
			sql = "x_seconds(" + sql + ")"
		default:
			sql = "x_int(" + sql + ", " + quoteText(string(to.Kind)) + ", " + quoteText(from.String()) + flag
		}
	case Float, Double:
		switch {
		case from.isFloat() || from.Kind == Decimal:
		case from.Kind == String:
			sql = "x_double(" + sql + flag
		case from.Kind == Timestamp:
			sql = "(" + sql + " / 1e6)"
		default:
			sql = "CAST(" + sql + " AS REAL)"
		}
	case Decimal:
		if from.Kind == Decimal && from.Scale <= to.Scale && from.Precision-from.Scale <= to.Precision-to.Scale {
			break
		}
		if from.isInteger() && integerDigits[from.Kind] <= to.Precision-to.Scale {
			sql = "CAST(" + sql + " AS REAL)"
			break
		}
		sql = "x_decimal(" + sql + ", " + strconv.Itoa(to.Precision) + ", " + strconv.Itoa(to.Scale) + flag
	case Boolean:
		if from.isNumeric() {
			sql = "(" + sql + " <> 0)"
		} else {
			sql = "x_boolean(" + sql + flag
		}
	case Date:
		if from.Kind == Timestamp {
			sql = "x_day(" + sql + ")"
		} else {
			sql = "x_date(" + sql + flag
		}
	case Timestamp:
		switch {
		case from.Kind == Date:
			sql = "(" + sql + " * 86400000000)"
		case from.isNumeric():
			sql = "CAST(" + sql + " * 1000000 AS INTEGER)"
		default:
			sql = "x_timestamp(" + sql + flag
		}
	}
	out := with(sql, to, v)
	if v.lit != nil {
		out.lit = castLiteral(v.lit, to)
	}
	if out.lit != nil && out.lit.val != nil {
		out.sql = constant(out.lit).sql
	}
	return out, nil
}

// castLiteral converts a constant where that is plain; nil leaves it to run time.
func castLiteral(l *literal, to Type) *literal {
	s, isText := l.val.(string)
	n, isInt := l.val.(int64)
	switch {
	case l.val == nil:
		return &literal{to, nil}
	case isInt && l.typ.isInteger() && to.isInteger():
		if fits(n, to.Kind) {
			return &literal{to, n}
		}
	case isInt && l.typ.isInteger() && to.isFloat():
		return &literal{to, float64(n)}
	case isText && l.typ.Kind == String && to.Kind == Date:
		if days, ok := parseDate(s); ok {
			return &literal{to, days}
		}
	case isText && l.typ.Kind == String && to.Kind == Timestamp:
		if us, ok := parseTimestamp(s, time.UTC); ok {
			return &literal{to, us}
		}
	case isText && l.typ.Kind == String && to.isInteger():
		if n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64); err == nil && fits(n, to.Kind) {
			return &literal{to, n}
		}
	case l.typ.Kind == Date && to.Kind == Timestamp:
		return &literal{to, n * microsPerDay}
	}
	return nil
}

// bounds of the integer types.
var bounds = map[Kind]int64{Byte: 1<<7 - 1, Short: 1<<15 - 1, Int: 1<<31 - 1, Long: 1<<63 - 1}

func fits(n int64, k Kind) bool { return n <= bounds[k] && n >= -bounds[k]-1 }

func castToString(v value) string {
	switch t := v.typ; {
	case t.Kind == Boolean:
		return "CASE " + v.sql + " WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"
	case t.isInteger():
		return "CAST(" + v.sql + " AS TEXT)"
	case t.isFloat():
		return "x_double_text(" + v.sql + ")"
	case t.Kind == Decimal:
		return "x_decimal_text(" + v.sql + ", " + strconv.Itoa(t.Scale) + ")"
	case t.Kind == Date:
		return "x_date_text(" + v.sql + ")"
	case t.Kind == Timestamp:
		return "x_timestamp_text(" + v.sql + ")"
	case t.Kind == Interval:
		return "x_interval_text(" + v.sql + ", " + quoteText(t.Unit) + ")"
	case t.Kind == Binary:
		return "CAST(" + v.sql + " AS TEXT)"
	}
	return v.sql // nested types are JSON text already
}

// toJSON makes an element of a JSON array or object out of a value.
func toJSON(v value) string {
	switch t := v.typ; {
	case t.Kind == Boolean:
		return "json(CASE " + v.sql + " WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END)"
	case t.Kind == Decimal:
		return "json(coalesce(x_decimal_text(" + v.sql + ", " + strconv.Itoa(t.Scale) + "), 'null'))"
	case t.isTemporal(), t.Kind == Interval, t.Kind == Binary:
		return castToString(v)
	case t.isNested():
		return "json(" + v.sql + ")"
	}
	return v.sql
}

// fromJSON reads an element that json_each or json_extract gives; kind is the
// SQL of its JSON type, or "".
func fromJSON(t Type, sql, kind string) string {
	switch {
	case t.Kind == Date:
		return "x_date(" + sql + ", 1)"
	case t.Kind == Timestamp:
		return "x_timestamp(" + sql + ", 1)"
	case t.Kind == String && kind != "":
		return "CASE " + kind + " WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(" + sql + " AS TEXT) END"
	case t.Kind == String:
		return "CAST(" + sql + " AS TEXT)"
	case t.isFloat() || t.Kind == Decimal:
		return "CAST(" + sql + " AS REAL)"
	}
	return sql
}

// mapKey reads the key of a JSON object, which is always text there.
func mapKey(t Type, sql string) string {
	if t.isInteger() || t.Kind == Boolean {
		return "CAST(" + sql + " AS INTEGER)"
	}
	return fromJSON(t, sql, "")
}
