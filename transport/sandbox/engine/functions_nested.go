package engine

import (
	"strconv"
	"strings"
)

// The functions that make and read ARRAY, MAP and STRUCT.

func (a *analyzer) arrayCall(c *callExpr, sc *scope) (value, error) {
	if len(c.args) == 0 {
		return value{sql: "'[]'", typ: ArrayOf(Scalar(Null))}, nil
	}
	args, err := a.arguments(c, "c*", sc)
	if err != nil {
		return value{}, err
	}
	parts := make([]string, len(args))
	for i, v := range args {
		parts[i] = toJSON(v)
	}
	return with("json_array("+strings.Join(parts, ", ")+")", ArrayOf(args[0].typ), args...), nil
}

func (a *analyzer) mapCall(c *callExpr, sc *scope) (value, error) {
	if len(c.args)%2 != 0 {
		return value{}, errArgCount("map", "2n (n > 0)", len(c.args))
	}
	var keys, values []expr
	for i := 0; i < len(c.args); i += 2 {
		keys, values = append(keys, c.args[i]), append(values, c.args[i+1])
	}
	k, kt, err := a.unified(keys, Scalar(Null), c, sc)
	if err != nil {
		return value{}, err
	}
	v, vt, err := a.unified(values, Scalar(Null), c, sc)
	if err != nil {
		return value{}, err
	}
	var parts []string
	for i := range k {
		parts = append(parts, castToString(k[i]), toJSON(v[i]))
	}
	return with("json_object("+strings.Join(parts, ", ")+")", Type{Kind: Map, Key: &kt, Elem: &vt}, append(k, v...)...), nil
}

func (a *analyzer) structCall(c *callExpr, sc *scope) (value, error) {
	t := Type{Kind: Struct}
	var parts []string
	var from []value
	add := func(name string, x expr) error {
		v, err := a.expr(x, sc)
		t.Fields = append(t.Fields, Field{name, v.typ})
		parts = append(parts, quoteText(name), toJSON(v))
		from = append(from, v)
		return err
	}
	if c.name == "struct" {
		for i, x := range c.args {
			name := "col" + strconv.Itoa(i+1)
			if n, ok := x.(*nameExpr); ok {
				name = n.parts[len(n.parts)-1]
			}
			if err := add(name, x); err != nil {
				return value{}, err
			}
		}
	} else {
		if len(c.args)%2 != 0 {
			return value{}, errArgCount(c.name, "2n (n > 0)", len(c.args))
		}
		for i := 0; i < len(c.args); i += 2 {
			l, ok := c.args[i].(*literal)
			name, isText := "", false
			if ok {
				name, isText = l.val.(string)
			}
			if !isText {
				return value{}, errMismatch("CREATE_NAMED_STRUCT_WITHOUT_FOLDABLE_STRING", "Cannot resolve %q due to data type mismatch: Only foldable STRING expressions are allowed to appear at odd position.", pretty(c))
			}
			if err := add(name, c.args[i+1]); err != nil {
				return value{}, err
			}
		}
	}
	return with("json_object("+strings.Join(parts, ", ")+")", t, from...), nil
}

func (a *analyzer) mapParts(c *callExpr, sc *scope) (value, error) {
	args, err := a.arguments(c, "a", sc)
	if err != nil {
		return value{}, err
	}
	t := args[0].typ
	if t.Kind != Map {
		return value{}, errOperand(c, c.args[0], t, `"MAP"`)
	}
	if c.name == "map_keys" {
		return with("x_map_keys("+args[0].sql+")", ArrayOf(*t.Key), args...), nil
	}
	return with("x_map_values("+args[0].sql+")", ArrayOf(*t.Elem), args...), nil
}

func (a *analyzer) elementAt(c *callExpr, sc *scope) (value, error) {
	args, err := a.arguments(c, "a,a", sc)
	if err != nil {
		return value{}, err
	}
	v, i := args[0], args[1]
	strict := ", 1)"
	if c.name != "element_at" {
		strict = ", 0)"
	}
	switch {
	case v.typ.Kind == Array && i.typ.isInteger() && c.name == "get":
		return with(fromJSON(*v.typ.Elem, "x_element("+v.sql+", iif("+i.sql+" < 0, NULL, "+i.sql+" + 1), 0)", ""), *v.typ.Elem, args...), nil
	case v.typ.Kind == Array && i.typ.isInteger():
		return with(fromJSON(*v.typ.Elem, "x_element("+v.sql+", "+i.sql+strict, ""), *v.typ.Elem, args...), nil
	case v.typ.Kind == Map:
		return with(fromJSON(*v.typ.Elem, "x_element("+v.sql+", "+castToString(i)+", 0)", ""), *v.typ.Elem, args...), nil
	}
	return value{}, errOperand(c, c.args[0], v.typ, `"ARRAY" or "MAP"`)
}

func (a *analyzer) sequence(c *callExpr, sc *scope) (value, error) {
	args, err := a.arguments(c, "a,a,a?", sc)
	if err != nil {
		return value{}, err
	}
	t, ok := commonType(args[0].typ, args[1].typ)
	if !ok || !t.isInteger() && !t.isTemporal() {
		return value{}, errOperand(c, c.args[0], args[0].typ, `"INTEGRAL", "DATE" or "TIMESTAMP"`)
	}
	for i := range args[:2] {
		if args[i], err = castTo(args[i], t, false); err != nil {
			return value{}, err
		}
	}
	step, months := "NULL", "0"
	if len(args) == 3 {
		step = args[2].sql
		if args[2].typ.Kind == Interval && args[2].typ.Unit == "YEAR TO MONTH" {
			months = "1"
		} else if args[2].typ.Kind == Interval && t.Kind == Date {
			step = "(" + step + " / " + strconv.Itoa(microsPerDay) + ")"
		}
	}
	return with("x_sequence("+args[0].sql+", "+args[1].sql+", "+step+", "+months+", "+quoteText(string(t.Kind))+")", ArrayOf(t), args...), nil
}

// higherOrder are the array functions that take a lambda of one parameter; it
// becomes a subquery over the elements.
func (a *analyzer) higherOrder(c *callExpr, sc *scope) (value, error) {
	if len(c.args) != 2 {
		return value{}, errArgCount(c.name, "2", len(c.args))
	}
	v, err := a.expr(c.args[0], sc)
	if err != nil {
		return v, err
	}
	l, ok := c.args[1].(*lambdaExpr)
	if v.typ.Kind != Array || !ok {
		return v, errOperand(c, c.args[0], v.typ, `"ARRAY"`)
	}
	if len(l.params) != 1 {
		return v, errUnsupported("a lambda of %d parameters in %s", len(l.params), c.name)
	}
	name := a.alias("e")
	inner := &scope{parent: sc}
	inner.push(&boundRelation{cols: []boundColumn{{name: l.params[0], typ: *v.typ.Elem, sql: fromJSON(*v.typ.Elem, name+".value", name+".type")}}})
	body, err := a.expr(l.body, inner)
	if err != nil {
		return v, err
	}
	from := " FROM json_each(" + v.sql + ") AS " + name
	if c.name != "transform" {
		if body, err = castTo(body, Scalar(Boolean), false); err != nil {
			return v, err
		}
	}
	switch c.name {
	case "transform":
		return with("(SELECT json_group_array("+toJSON(body)+")"+from+")", ArrayOf(body.typ), v), nil
	case "filter":
		element := value{sql: fromJSON(*v.typ.Elem, name+".value", name+".type"), typ: *v.typ.Elem}
		return with("(SELECT json_group_array("+toJSON(element)+")"+from+" WHERE "+body.sql+")", v.typ, v), nil
	case "exists":
		return with("EXISTS (SELECT 1"+from+" WHERE "+body.sql+")", Scalar(Boolean), v), nil
	}
	return with("NOT EXISTS (SELECT 1"+from+" WHERE NOT ("+body.sql+"))", Scalar(Boolean), v), nil
}

func (a *analyzer) fromJSONCall(c *callExpr, sc *scope) (value, error) {
	args, err := a.arguments(c, "s,s", sc)
	if err != nil {
		return value{}, err
	}
	schema := ""
	if args[1].lit != nil {
		schema, _ = args[1].lit.val.(string)
	}
	t, err := ParseType(schema)
	if err != nil { // a column list: "a INT, b STRING"
		if t, err = ParseType("struct<" + schema + ">"); err != nil {
			return value{}, err
		}
	}
	return with("x_from_json("+args[0].sql+")", t, args[0]), nil
}
