package engine

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// keyword reads the expressions that begin with a keyword; ok tells whether
// there was one.
func (p *parser) keyword(t *token) (x expr, ok bool, err error) {
	next := p.peek(1)
	switch t.text {
	case "NULL":
		p.advance()
		return &literal{Scalar(Null), nil}, true, nil
	case "TRUE", "FALSE":
		p.advance()
		return &literal{Scalar(Boolean), t.text == "TRUE"}, true, nil
	case "CASE":
		x, err = p.caseWhen()
		return x, true, err
	case "CAST", "TRY_CAST":
		if next.text == "(" {
			x, err = p.cast(t.text == "TRY_CAST")
			return x, true, err
		}
	case "EXISTS":
		if next.text == "(" && p.queryFollows(2) {
			p.advance()
			p.advance()
			q, err := p.query()
			if err != nil {
				return nil, true, err
			}
			return &existsExpr{q}, true, p.expectOp(")")
		}
	case "DATE", "TIMESTAMP", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ":
		if next.kind == tokString {
			p.advance()
			x, err = p.temporalLiteral(t)
			return x, true, err
		}
	case "INTERVAL":
		if next.kind == tokString || next.kind == tokNumber || next.kind == tokOp && strings.Contains("-(:?", next.text) || next.kind == tokWord && unitOf(p.peek(2).text) != "" {
			x, err = p.interval()
			return x, true, err
		}
	case "EXTRACT":
		if next.text == "(" {
			x, err = p.extract()
			return x, true, err
		}
	case "X":
		if next.kind == tokString && next.pos == t.end {
			return nil, true, errUnsupported("a binary literal X'…'")
		}
	case "CURRENT_DATE", "CURRENT_TIMESTAMP", "CURRENT_USER", "SESSION_USER", "USER":
		if next.text != "(" && next.text != "." && t.text != "USER" {
			p.advance()
			return &callExpr{name: strings.ToLower(t.text), pos: t.pos}, true, nil
		}
	}
	return nil, false, nil
}

// numberLiteral reads a number, its suffix saying the type.
func (p *parser) numberLiteral(negative bool) (expr, error) {
	t := p.advance()
	text := t.val
	suffix := strings.ToUpper(p.src[t.pos+len(text) : t.end])
	if negative {
		text = "-" + text
	}
	invalid := func() error {
		line, pos := place(p.src, t.pos)
		return newError("INVALID_NUMERIC_LITERAL_RANGE", "22003", "Numeric literal %s is outside the valid range.", text+suffix).at(line, pos)
	}
	integer := func(k Kind, bits int) (expr, error) {
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return nil, invalid()
		}
		return &literal{Scalar(k), n}, nil
	}
	switch suffix {
	case "L":
		return integer(Long, 64)
	case "S":
		return integer(Short, 16)
	case "Y":
		return integer(Byte, 8)
	}
	if suffix == "D" || suffix == "F" || suffix == "" && strings.ContainsAny(text, "eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(f, 0) {
			return nil, invalid()
		}
		kind := Double
		if suffix == "F" {
			kind = Float
		}
		return &literal{Scalar(kind), f}, nil
	}
	if suffix == "" && !strings.Contains(text, ".") {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			if n == int64(int32(n)) {
				return &literal{Scalar(Int), n}, nil
			}
			return &literal{Scalar(Long), n}, nil
		}
	}
	if strings.ContainsAny(text, "eE") {
		return nil, invalid()
	}
	typ := decimalTypeOf(text)
	if typ.Precision > 38 {
		return nil, invalid()
	}
	return &literal{typ, strings.TrimSuffix(text, ".")}, nil
}

// decimalTypeOf is the narrowest DECIMAL that holds the digits.
func decimalTypeOf(text string) Type {
	whole, frac, _ := strings.Cut(strings.TrimLeft(text, "+-"), ".")
	whole = strings.TrimLeft(whole, "0")
	return DecimalOf(max(len(whole)+len(frac), 1), len(frac))
}

func (p *parser) caseWhen() (expr, error) {
	p.advance()
	c := &caseExpr{}
	var err error
	if !p.is("WHEN") {
		if c.operand, err = p.expr(); err != nil {
			return nil, err
		}
	}
	for p.accept("WHEN") {
		var arm whenArm
		if arm.when, err = p.expr(); err != nil {
			return nil, err
		}
		if err = p.expect("THEN"); err != nil {
			return nil, err
		}
		if arm.then, err = p.expr(); err != nil {
			return nil, err
		}
		c.whens = append(c.whens, arm)
	}
	if len(c.whens) == 0 {
		return nil, p.unexpected()
	}
	if p.accept("ELSE") {
		if c.other, err = p.expr(); err != nil {
			return nil, err
		}
	}
	return c, p.expect("END")
}

func (p *parser) cast(try bool) (expr, error) {
	p.advance()
	p.advance()
	x, err := p.expr()
	if err != nil {
		return nil, err
	}
	if err := p.expect("AS"); err != nil {
		return nil, err
	}
	t, err := p.dataType()
	if err != nil {
		return nil, err
	}
	return &castExpr{x: x, to: t, try: try}, p.expectOp(")")
}

// temporalLiteral reads DATE'…' and TIMESTAMP'…'.
func (p *parser) temporalLiteral(t *token) (expr, error) {
	s, err := p.stringLiteral()
	if err != nil {
		return nil, err
	}
	line, pos := place(p.src, t.pos)
	if t.text == "DATE" {
		if days, ok := parseDate(s); ok {
			return &literal{Scalar(Date), days}, nil
		}
		return nil, newError("INVALID_TYPED_LITERAL", "42604", "The value of the typed literal %q is invalid: '%s'.", "DATE", s).at(line, pos)
	}
	if us, ok := parseTimestamp(s, time.UTC); ok {
		return &literal{Scalar(Timestamp), us}, nil
	}
	return nil, newError("INVALID_TYPED_LITERAL", "42604", "The value of the typed literal %q is invalid: '%s'.", "TIMESTAMP", s).at(line, pos)
}

// unitOf is the singular of a date-time unit, or "".
func unitOf(word string) string {
	w := strings.ToUpper(word)
	switch u := strings.TrimSuffix(w, "S"); u {
	case "YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND":
		return u
	}
	switch w {
	case "YY", "YYYY":
		return "YEAR"
	case "MON", "MM":
		return "MONTH"
	case "DD":
		return "DAY"
	}
	return ""
}

// interval reads INTERVAL '3' DAY, INTERVAL 3 DAYS 2 HOURS, INTERVAL '3 days'
// and INTERVAL '1-2' YEAR TO MONTH or '1 02:03:04' DAY TO SECOND.
func (p *parser) interval() (expr, error) {
	p.advance()
	iv := &intervalExpr{}
	for {
		start := p.tok()
		if start.kind == tokString && unitOf(p.peek(1).text) == "" {
			parts, ok := parseIntervalText(start.val)
			if !ok || len(iv.parts) > 0 {
				return nil, p.unexpected()
			}
			p.advance()
			iv.parts = parts
			return iv, nil
		}
		value, err := p.unary()
		if err != nil {
			return nil, err
		}
		unit := unitOf(p.tok().text)
		if unit == "" {
			return nil, p.unexpected()
		}
		p.advance()
		if p.accept("TO") {
			to := unitOf(p.tok().text)
			parts, ok := parseIntervalRange(start.val, unit, to)
			if start.kind != tokString || !ok {
				return nil, p.unexpected()
			}
			p.advance()
			iv.parts = append(iv.parts, parts...)
			return iv, nil
		}
		iv.parts = append(iv.parts, intervalPart{value, unit})
		if next := p.tok(); !(next.kind == tokNumber || next.kind == tokString) || unitOf(p.peek(1).text) == "" {
			return iv, nil
		}
	}
}

// parseIntervalText reads "3 days 2 hours", as inside INTERVAL '…'.
func parseIntervalText(s string) ([]intervalPart, bool) {
	words := strings.Fields(s)
	if len(words) > 0 && strings.EqualFold(words[0], "interval") {
		words = words[1:]
	}
	var parts []intervalPart
	for len(words) >= 2 {
		n, err := strconv.ParseInt(words[0], 10, 32)
		unit := unitOf(words[1])
		if err != nil || unit == "" {
			return nil, false
		}
		parts = append(parts, intervalPart{&literal{Scalar(Int), n}, unit})
		words = words[2:]
	}
	return parts, len(words) == 0 && len(parts) > 0
}

// parseIntervalRange reads '1-2' YEAR TO MONTH and '1 02:03:04' DAY TO SECOND.
func parseIntervalRange(s, from, to string) ([]intervalPart, bool) {
	units := []string{"YEAR", "MONTH"}
	fields := strings.FieldsFunc(s, func(r rune) bool { return r == '-' })
	if from != "YEAR" {
		units = []string{"DAY", "HOUR", "MINUTE", "SECOND"}
		fields = strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ':' })
	}
	for len(units) > 0 && units[0] != from {
		units = units[1:]
	}
	var parts []intervalPart
	for i, f := range fields {
		n, err := strconv.ParseInt(f, 10, 32)
		if err != nil || i >= len(units) {
			return nil, false
		}
		parts = append(parts, intervalPart{&literal{Scalar(Int), n}, units[i]})
		if units[i] == to {
			return parts, i == len(fields)-1
		}
	}
	return nil, false
}

func (p *parser) extract() (expr, error) {
	pos := p.advance().pos
	p.advance()
	field, err := p.name()
	if err != nil {
		return nil, err
	}
	if err := p.expect("FROM"); err != nil {
		return nil, err
	}
	x, err := p.expr()
	if err != nil {
		return nil, err
	}
	return &callExpr{name: "date_part", args: []expr{&literal{Scalar(String), field}, x}, pos: pos}, p.expectOp(")")
}
