package engine

import "strings"

// call reads the arguments of a function and what may follow them.
func (p *parser) call(name string, pos int) (expr, error) {
	c := &callExpr{name: name, pos: pos}
	if err := p.expectOp("("); err != nil {
		return nil, err
	}
	if err := p.arguments(c); err != nil {
		return nil, err
	}
	if err := p.expectOp(")"); err != nil {
		return nil, err
	}
	return c, p.callSuffix(c)
}

func (p *parser) arguments(c *callExpr) error {
	var err error
	switch {
	case p.isOp(")"):
		return nil
	case p.isOp("*") && p.peek(1).text == ")":
		p.advance()
		c.star = true
		return nil
	case c.name == "trim" && (p.isOne("BOTH", "LEADING", "TRAILING") || p.trimFrom()):
		return p.trim(c)
	}
	c.distinct = p.accept("DISTINCT")
	if !c.distinct {
		p.accept("ALL")
	}
	for n := 0; ; n++ {
		if n == 0 && takesUnit[c.name] && p.peek(1).text == "," && p.tok().kind == tokWord {
			// dateadd(DAY, 1, d): the unit is a bare word
			c.args = append(c.args, &literal{Scalar(String), p.advance().val})
		} else {
			if p.peek(1).text == "=>" {
				return errUnsupported("a named argument (%s =>)", p.tok().val)
			}
			x, err := p.expr()
			if err != nil {
				return err
			}
			c.args = append(c.args, x)
		}
		if n == 0 && (c.name == "substring" || c.name == "substr") && p.accept("FROM") {
			return p.substringFrom(c)
		}
		if !p.acceptOp(",") {
			break
		}
	}
	if p.is("IGNORE", "NULLS") || p.is("RESPECT", "NULLS") {
		c.ignoreNulls = p.is("IGNORE")
		p.advance()
		p.advance()
	}
	return err
}

// takesUnit are the functions whose first argument may be a bare unit.
var takesUnit = map[string]bool{"dateadd": true, "date_add": true, "datediff": true, "date_diff": true, "timestampadd": true, "timestampdiff": true}

// trimFrom looks for "x FROM" in trim(x FROM s).
func (p *parser) trimFrom() bool {
	return p.tok().kind == tokString && p.peek(1).text == "FROM"
}

func (p *parser) trim(c *callExpr) error {
	switch p.acceptOne("BOTH", "LEADING", "TRAILING") {
	case "LEADING":
		c.name = "ltrim"
	case "TRAILING":
		c.name = "rtrim"
	}
	var chars expr
	if !p.is("FROM") {
		var err error
		if chars, err = p.expr(); err != nil {
			return err
		}
	}
	if err := p.expect("FROM"); err != nil {
		return err
	}
	x, err := p.expr()
	if err != nil {
		return err
	}
	c.args = []expr{x}
	if chars != nil {
		if c.name == "trim" {
			c.name = "btrim"
			c.args = []expr{x, chars}
		} else {
			c.args = []expr{chars, x}
		}
	}
	return nil
}

func (p *parser) substringFrom(c *callExpr) error {
	x, err := p.expr()
	if err != nil {
		return err
	}
	c.args = append(c.args, x)
	if p.accept("FOR") {
		if x, err = p.expr(); err != nil {
			return err
		}
		c.args = append(c.args, x)
	}
	return nil
}

// callSuffix reads WITHIN GROUP, FILTER, IGNORE NULLS and OVER.
func (p *parser) callSuffix(c *callExpr) error {
	var err error
	if p.is("WITHIN", "GROUP") {
		p.advance()
		p.advance()
		if err = p.expectOp("("); err != nil {
			return err
		}
		if err = p.expect("ORDER", "BY"); err != nil {
			return err
		}
		if c.within, err = p.orderItems(); err != nil {
			return err
		}
		if err = p.expectOp(")"); err != nil {
			return err
		}
	}
	if p.is("FILTER") && p.peek(1).text == "(" {
		p.advance()
		p.advance()
		if err = p.expect("WHERE"); err != nil {
			return err
		}
		if c.filter, err = p.expr(); err != nil {
			return err
		}
		if err = p.expectOp(")"); err != nil {
			return err
		}
	}
	if p.is("IGNORE", "NULLS") || p.is("RESPECT", "NULLS") {
		c.ignoreNulls = p.is("IGNORE")
		p.advance()
		p.advance()
	}
	if !p.accept("OVER") {
		return nil
	}
	if !p.isOp("(") {
		c.overName, err = p.name()
		c.over = &window{}
		return err
	}
	c.over, err = p.window()
	return err
}

func (p *parser) window() (*window, error) {
	if err := p.expectOp("("); err != nil {
		return nil, err
	}
	w := &window{}
	var err error
	if p.tok().kind == tokQuoted || p.tok().kind == tokWord && !p.isOne("PARTITION", "ORDER", "ROWS", "RANGE", "DISTRIBUTE", "SORT", "CLUSTER") {
		if w.base, err = p.name(); err != nil {
			return nil, err
		}
	}
	if p.accept("PARTITION", "BY") || p.accept("DISTRIBUTE", "BY") {
		if w.partition, err = p.exprs(); err != nil {
			return nil, err
		}
	}
	if p.accept("ORDER", "BY") || p.accept("SORT", "BY") {
		if w.order, err = p.orderItems(); err != nil {
			return nil, err
		}
	}
	if w.frame = p.acceptOne("ROWS", "RANGE"); w.frame != "" {
		if p.accept("BETWEEN") {
			if w.from, err = p.bound(); err != nil {
				return nil, err
			}
			if err = p.expect("AND"); err != nil {
				return nil, err
			}
			if w.to, err = p.bound(); err != nil {
				return nil, err
			}
		} else {
			if w.from, err = p.bound(); err != nil {
				return nil, err
			}
			w.to = frameBound{what: "CURRENT ROW"}
		}
	}
	return w, p.expectOp(")")
}

func (p *parser) bound() (frameBound, error) {
	switch {
	case p.accept("CURRENT", "ROW"):
		return frameBound{what: "CURRENT ROW"}, nil
	case p.accept("UNBOUNDED"):
		if w := p.acceptOne("PRECEDING", "FOLLOWING"); w != "" {
			return frameBound{what: "UNBOUNDED " + w}, nil
		}
		return frameBound{}, p.unexpected()
	}
	x, err := p.expr()
	if err != nil {
		return frameBound{}, err
	}
	if w := p.acceptOne("PRECEDING", "FOLLOWING"); w != "" {
		return frameBound{x, w}, nil
	}
	return frameBound{}, p.unexpected()
}

func (p *parser) orderItems() ([]orderItem, error) {
	var items []orderItem
	for {
		x, err := p.expr()
		if err != nil {
			return nil, err
		}
		o := orderItem{x: x}
		if !p.accept("ASC") {
			o.desc = p.accept("DESC")
		}
		if p.accept("NULLS") {
			if o.nulls = p.acceptOne("FIRST", "LAST"); o.nulls == "" {
				return nil, p.unexpected()
			}
		}
		items = append(items, o)
		if !p.acceptOp(",") {
			return items, nil
		}
	}
}

// typeKinds are the spellings of types without parameters.
var typeKinds = map[string]Kind{
	"BOOLEAN": Boolean, "TINYINT": Byte, "BYTE": Byte, "SMALLINT": Short, "SHORT": Short, "INT": Int, "INTEGER": Int,
	"BIGINT": Long, "LONG": Long, "FLOAT": Float, "REAL": Float, "DOUBLE": Double, "STRING": String, "BINARY": Binary,
	"DATE": Date, "TIMESTAMP": Timestamp, "TIMESTAMP_LTZ": Timestamp, "TIMESTAMP_NTZ": Timestamp, "VOID": Null,
	"VARIANT": String,
}

// dataType reads a type.
func (p *parser) dataType() (Type, error) {
	if err := p.enter(); err != nil {
		return Type{}, err
	}
	defer p.leave()
	t := p.tok()
	if t.kind != tokWord {
		return Type{}, p.unexpected()
	}
	p.advance()
	switch t.text {
	case "DECIMAL", "DEC", "NUMERIC":
		typ := DecimalOf(10, 0)
		if p.acceptOp("(") {
			var err error
			if typ.Precision, err = p.smallInt(); err != nil {
				return Type{}, err
			}
			if p.acceptOp(",") {
				if typ.Scale, err = p.smallInt(); err != nil {
					return Type{}, err
				}
			}
			if typ.Precision < 1 || typ.Precision > 38 || typ.Scale > typ.Precision {
				return Type{}, newError("DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION", "22003", "Decimal precision %d exceeds max precision 38.", typ.Precision)
			}
			return typ, p.expectOp(")")
		}
		return typ, nil
	case "VARCHAR", "CHAR", "CHARACTER":
		if p.acceptOp("(") {
			if _, err := p.smallInt(); err != nil {
				return Type{}, err
			}
			return Scalar(String), p.expectOp(")")
		}
		return Scalar(String), nil
	case "ARRAY":
		elem, err := p.typeArguments(1)
		if err != nil {
			return Type{}, err
		}
		return ArrayOf(elem[0]), p.closeAngle()
	case "MAP":
		kv, err := p.typeArguments(2)
		if err != nil {
			return Type{}, err
		}
		return Type{Kind: Map, Key: &kv[0], Elem: &kv[1]}, p.closeAngle()
	case "STRUCT":
		return p.structType()
	case "INTERVAL":
		return Type{}, errUnsupported("the type INTERVAL in this place")
	}
	if k, ok := typeKinds[t.text]; ok {
		return Scalar(k), nil
	}
	line, pos := place(p.src, t.pos)
	return Type{}, newError("UNSUPPORTED_DATATYPE", "0A000", "Unsupported data type %q.", strings.ToUpper(t.val)).at(line, pos)
}

func (p *parser) smallInt() (int, error) {
	t := p.tok()
	n := 0
	for _, c := range t.val {
		if t.kind != tokNumber || c < '0' || c > '9' || n > 1e6 {
			return 0, p.unexpected()
		}
		n = n*10 + int(c-'0')
	}
	if t.kind != tokNumber {
		return 0, p.unexpected()
	}
	p.advance()
	return n, nil
}

func (p *parser) typeArguments(n int) ([]Type, error) {
	if err := p.expectOp("<"); err != nil {
		return nil, err
	}
	types := make([]Type, n)
	for i := range types {
		if i > 0 {
			if err := p.expectOp(","); err != nil {
				return nil, err
			}
		}
		var err error
		if types[i], err = p.dataType(); err != nil {
			return nil, err
		}
	}
	return types, nil
}

// closeAngle consumes one >, also out of the >> of array<array<int>>.
func (p *parser) closeAngle() error {
	if t := p.tok(); t.kind == tokOp && t.text == ">>" {
		t.text = ">" // half of it is used up
		t.pos++
		return nil
	}
	return p.expectOp(">")
}

func (p *parser) structType() (Type, error) {
	typ := Type{Kind: Struct}
	if t := p.tok(); t.text == "<>" {
		p.advance()
		return typ, nil
	}
	if err := p.expectOp("<"); err != nil {
		return typ, err
	}
	for {
		name, err := p.name()
		if err != nil {
			return typ, err
		}
		p.acceptOp(":")
		ft, err := p.dataType()
		if err != nil {
			return typ, err
		}
		typ.Fields = append(typ.Fields, Field{name, ft})
		if !p.acceptOp(",") {
			return typ, p.closeAngle()
		}
	}
}
