package engine

import (
	"strconv"
	"strings"
)

func (a *analyzer) binary(x *binaryExpr, sc *scope) (value, error) {
	l, err := a.expr(x.l, sc)
	if err != nil {
		return l, err
	}
	r, err := a.expr(x.r, sc)
	if err != nil {
		return r, err
	}
	switch x.op {
	case "AND", "OR":
		for _, v := range []*value{&l, &r} {
			if v.typ.Kind != Boolean && v.typ.Kind != Null && v.typ.Kind != String {
				return l, errMismatch("BINARY_OP_WRONG_TYPE", "Cannot resolve %q due to data type mismatch: The binary operator requires the input type \"BOOLEAN\", not %q.", pretty(x), v.typ)
			}
			if *v, err = castTo(*v, Scalar(Boolean), false); err != nil {
				return l, err
			}
		}
		return with("("+l.sql+" "+x.op+" "+r.sql+")", Scalar(Boolean), l, r), nil
	case "=", "<>", "<", "<=", ">", ">=", "<=>":
		l, r, err = comparable(x.op, l, r)
		if err != nil {
			return l, mismatchIn(x, err)
		}
		op := x.op
		if op == "<=>" {
			op = "IS"
		}
		return with("("+l.sql+" "+op+" "+r.sql+")", Scalar(Boolean), l, r), nil
	case "||":
		return a.concat(x, l, r)
	case "&", "|", "^", "<<", ">>":
		return bitwise(x, l, r)
	}
	return a.arithmetic(x, l, r)
}

// comparable converts both sides to the type they are compared in.
func comparable(op string, l, r value) (value, value, error) {
	t, ok := commonType(l.typ, r.typ)
	if !ok || t.Kind == Map {
		return l, r, errMismatch("BINARY_OP_DIFF_TYPES", "Cannot resolve \"(... %s ...)\" due to data type mismatch: the left and right operands of the binary operator have incompatible types (%q and %q).", op, l.typ, r.typ)
	}
	if l.typ.isNumeric() && r.typ.isNumeric() {
		return l, r, nil // SQLite compares numbers of all kinds
	}
	var err error
	if l, err = castTo(l, t, false); err != nil {
		return l, r, err
	}
	r, err = castTo(r, t, false)
	return l, r, err
}

// mismatchIn names the expression in a type mismatch.
func mismatchIn(x expr, err error) error {
	if e, ok := err.(*Error); ok && strings.Contains(e.Message, `"(... `) {
		start := strings.Index(e.Message, `"(... `)
		end := strings.Index(e.Message, ` ...)"`) + len(` ...)"`)
		e.Message = e.Message[:start] + strconv.Quote(pretty(x)) + e.Message[end:]
	}
	return err
}

func (a *analyzer) concat(x *binaryExpr, l, r value) (value, error) {
	if l.typ.Kind == Array && r.typ.Kind == Array {
		t, ok := commonType(l.typ, r.typ)
		if !ok {
			return l, errMismatch("DATA_DIFF_TYPES", "Cannot resolve %q due to data type mismatch: Input to `concat` should all be the same type, but it's [%q, %q].", pretty(x), l.typ, r.typ)
		}
		return with("x_array_concat("+l.sql+", "+r.sql+")", t, l, r), nil
	}
	ls, err := castTo(l, Scalar(String), false)
	if err != nil {
		return l, err
	}
	rs, err := castTo(r, Scalar(String), false)
	if a, b := ls.lit, rs.lit; err == nil && a != nil && b != nil { // IDENTIFIER(:schema || '.orders') needs a constant
		s, ok := a.val.(string)
		t, ok2 := b.val.(string)
		if ok && ok2 {
			return constant(&literal{Scalar(String), s + t}), nil
		}
	}
	return with("("+ls.sql+" || "+rs.sql+")", Scalar(String), ls, rs), err
}

func bitwise(x *binaryExpr, l, r value) (value, error) {
	if !(l.typ.isInteger() || l.typ.Kind == Null) || !(r.typ.isInteger() || r.typ.Kind == Null) {
		return l, errMismatch("BINARY_OP_WRONG_TYPE", "Cannot resolve %q due to data type mismatch: The binary operator requires the input type \"INTEGRAL\", not %q.", pretty(x), l.typ)
	}
	t := l.typ
	if x.op != "<<" && x.op != ">>" {
		t, _ = commonType(l.typ, r.typ)
	}
	if x.op == "^" {
		return with("x_xor("+l.sql+", "+r.sql+")", t, l, r), nil
	}
	return with("("+l.sql+" "+x.op+" "+r.sql+")", t, l, r), nil
}

func (a *analyzer) arithmetic(x *binaryExpr, l, r value) (value, error) {
	if l.typ.isTemporal() || r.typ.isTemporal() || l.typ.Kind == Interval || r.typ.Kind == Interval {
		if v, ok, err := temporalArithmetic(x, l, r); ok || err != nil {
			return v, err
		}
	}
	var err error
	if l.typ.Kind == String { // a string counts as the number next to it
		if l, err = castTo(l, numericPeer(r.typ), false); err != nil {
			return l, err
		}
	}
	if r.typ.Kind == String {
		if r, err = castTo(r, numericPeer(l.typ), false); err != nil {
			return r, err
		}
	}
	for _, v := range []value{l, r} {
		if !v.typ.isNumeric() && v.typ.Kind != Null {
			return l, errMismatch("BINARY_OP_DIFF_TYPES", "Cannot resolve %q due to data type mismatch: the left and right operands of the binary operator have incompatible types (%q and %q).", pretty(x), l.typ, r.typ)
		}
	}
	if l.typ.Kind == Null {
		l = null(orInt(r.typ))
	}
	if r.typ.Kind == Null {
		r = null(l.typ)
	}
	return numericArithmetic(x.op, l, r), nil
}

func orInt(t Type) Type {
	if t.Kind == Null {
		return Scalar(Int)
	}
	return t
}

func numericPeer(t Type) Type {
	if t.isInteger() {
		return Scalar(Long)
	}
	return Scalar(Double)
}

// divisor guards a denominator: zero fails the statement.
func divisor(r value) string {
	if r.lit != nil && r.lit.val != nil && strings.Trim(r.sql, "0.()e+-") != "" {
		return r.sql
	}
	return "x_divisor(" + r.sql + ")"
}

func numericArithmetic(op string, l, r value) value {
	decimals := (l.typ.Kind == Decimal || r.typ.Kind == Decimal) && !l.typ.isFloat() && !r.typ.isFloat()
	if decimals {
		return decimalArithmetic(op, l, r)
	}
	t, _ := commonType(l.typ, r.typ)
	switch op {
	case "/":
		return with("(CAST("+l.sql+" AS REAL) / "+divisor(r)+")", Scalar(Double), l, r)
	case "DIV":
		return with("CAST("+l.sql+" / "+divisor(r)+" AS INTEGER)", Scalar(Long), l, r)
	case "%":
		if t.isFloat() {
			return with("mod("+l.sql+", "+divisor(r)+")", t, l, r)
		}
		return with("("+l.sql+" % "+divisor(r)+")", t, l, r)
	}
	return with("("+l.sql+" "+op+" "+r.sql+")", t, l, r)
}

// decimalArithmetic follows Spark's precision rules. DECIMAL is a double that
// is rounded to its scale after each step, so sums of cents stay exact.
func decimalArithmetic(op string, l, r value) value {
	p, q := asDecimal(l), asDecimal(r)
	whole := max(p.Precision-p.Scale, q.Precision-q.Scale)
	scale := max(p.Scale, q.Scale)
	var t Type
	var sql string
	switch op {
	case "+", "-":
		t = boundedDecimal(whole+scale+1, scale)
		sql = l.sql + " " + op + " " + r.sql
	case "*":
		t = boundedDecimal(p.Precision+q.Precision+1, p.Scale+q.Scale)
		sql = l.sql + " * " + r.sql
	case "/":
		s := max(6, p.Scale+q.Precision+1)
		t = boundedDecimal(p.Precision-p.Scale+q.Scale+s, s)
		sql = "CAST(" + l.sql + " AS REAL) / " + divisor(r)
	case "%":
		t = boundedDecimal(min(p.Precision-p.Scale, q.Precision-q.Scale)+scale, scale)
		sql = "mod(" + l.sql + ", " + divisor(r) + ")"
	default: // DIV
		return with("CAST("+l.sql+" / "+divisor(r)+" AS INTEGER)", Scalar(Long), l, r)
	}
	return with("round("+sql+", "+strconv.Itoa(t.Scale)+")", t, l, r)
}

const microsPerDay = 86400 * 1000000

// temporalArithmetic handles + and - with dates, timestamps and intervals, and
// intervals times numbers; ok is false for anything else.
func temporalArithmetic(x *binaryExpr, l, r value) (v value, ok bool, err error) {
	if x.op == "+" && (l.typ.Kind == Interval || l.typ.isInteger()) && r.typ.isTemporal() {
		l, r = r, l
	}
	months := func(v value) bool { return v.typ.Unit == "YEAR TO MONTH" }
	if l.typ.Kind == String && r.typ.isTemporal() && x.op == "-" {
		if l, err = castTo(l, r.typ, false); err != nil {
			return l, false, err
		}
	}
	if r.typ.Kind == String && l.typ.isTemporal() && x.op == "-" {
		if r, err = castTo(r, l.typ, false); err != nil {
			return l, false, err
		}
	}
	switch {
	case x.op != "+" && x.op != "-":
		if x.op == "*" && l.typ.Kind == Interval && r.typ.isNumeric() || x.op == "*" && r.typ.Kind == Interval && l.typ.isNumeric() {
			t := l.typ
			if r.typ.Kind == Interval {
				t = r.typ
			}
			return with("CAST("+l.sql+" * "+r.sql+" AS INTEGER)", t, l, r), true, nil
		}
		return v, false, nil
	case l.typ.Kind == Date && r.typ.isInteger():
		return with("("+l.sql+" "+x.op+" "+r.sql+")", l.typ, l, r), true, nil
	case l.typ.isTemporal() && r.typ.Kind == Interval && months(r):
		fn := "x_add_months("
		if l.typ.Kind == Timestamp {
			fn = "x_add_months_ts("
		}
		sign := ""
		if x.op == "-" {
			sign = "-"
		}
		return with(fn+l.sql+", "+sign+r.sql+")", l.typ, l, r), true, nil
	case l.typ.Kind == Date && r.typ.Kind == Interval && r.typ.Unit == "DAY":
		return with("("+l.sql+" "+x.op+" "+r.sql+" / "+strconv.Itoa(microsPerDay)+")", l.typ, l, r), true, nil
	case l.typ.isTemporal() && r.typ.Kind == Interval:
		if l, err = castTo(l, Scalar(Timestamp), false); err != nil {
			return l, false, err
		}
		return with("("+l.sql+" "+x.op+" "+r.sql+")", l.typ, l, r), true, nil
	case l.typ.Kind == Date && r.typ.Kind == Date && x.op == "-":
		return with("(("+l.sql+" - "+r.sql+") * "+strconv.Itoa(microsPerDay)+")", Type{Kind: Interval, Unit: "DAY"}, l, r), true, nil
	case l.typ.isTemporal() && r.typ.isTemporal() && x.op == "-":
		if l, err = castTo(l, Scalar(Timestamp), false); err == nil {
			r, err = castTo(r, Scalar(Timestamp), false)
		}
		return with("("+l.sql+" - "+r.sql+")", Type{Kind: Interval, Unit: "DAY TO SECOND"}, l, r), true, err
	case l.typ.Kind == Interval && r.typ.Kind == Interval && months(l) == months(r):
		return with("("+l.sql+" "+x.op+" "+r.sql+")", l.typ, l, r), true, nil
	}
	return v, false, nil
}

// microsOf are the lengths of the units of day-time intervals.
var microsOf = map[string]int64{"WEEK": 7 * microsPerDay, "DAY": microsPerDay, "HOUR": 3600e6, "MINUTE": 60e6, "SECOND": 1e6, "MILLISECOND": 1000, "MICROSECOND": 1}

var monthsOf = map[string]int64{"YEAR": 12, "QUARTER": 3, "MONTH": 1}

// interval is a number: months for year-month intervals, microseconds otherwise.
func (a *analyzer) interval(x *intervalExpr, sc *scope) (value, error) {
	var terms []string
	var from []value
	unit := ""
	for _, p := range x.parts {
		v, err := a.expr(p.value, sc)
		if err != nil {
			return v, err
		}
		to := Scalar(Long)
		if p.unit == "SECOND" {
			to = Scalar(Double)
		}
		if v, err = castTo(v, to, false); err != nil {
			return v, err
		}
		factor, kind := microsOf[p.unit], "DAY TO SECOND"
		if p.unit == "DAY" || p.unit == "WEEK" {
			kind = "DAY"
		}
		if m, ok := monthsOf[p.unit]; ok {
			factor, kind = m, "YEAR TO MONTH"
		}
		switch {
		case unit == "" || unit == "DAY" && kind == "DAY TO SECOND":
			unit = kind
		case (unit == "YEAR TO MONTH") != (kind == "YEAR TO MONTH"):
			return v, errUnsupported("an INTERVAL that mixes months with days")
		}
		terms = append(terms, "CAST("+v.sql+" * "+strconv.FormatInt(factor, 10)+" AS INTEGER)")
		from = append(from, v)
	}
	return with("("+strings.Join(terms, " + ")+")", Type{Kind: Interval, Unit: unit}, from...), nil
}
