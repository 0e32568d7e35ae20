package engine

import (
	"strconv"
	"strings"
)

// windowCall analyses fn(…) OVER (…).
func (a *analyzer) windowCall(c *callExpr, sc *scope) (value, error) {
	w := c.over
	if c.overName != "" {
		if w = sc.windows[strings.ToLower(c.overName)]; w == nil {
			return value{}, newError("MISSING_WINDOW_SPECIFICATION", "42P20", "Window specification is not defined in the WINDOW clause for %s.", quoteParts([]string{c.overName}))
		}
	}
	over, from, err := a.window(w, sc)
	if err != nil {
		return value{}, err
	}
	if _, ok := aggregates[c.name]; ok {
		if c.distinct {
			return value{}, newError("DISTINCT_WINDOW_FUNCTION_UNSUPPORTED", "0A000", "Distinct window functions are not supported: %q.", pretty(c))
		}
		v, err := a.aggregateCall(c, sc, over)
		return windowed(v, from), err
	}
	result, ok := windowOnly[c.name]
	if !ok {
		if _, known := functions[c.name]; !known && specialFunctions[c.name] == nil {
			return value{}, errRoutine(c.name)
		}
		return value{}, newError("UNSUPPORTED_EXPR_FOR_WINDOW", "42P20", "Expression %q not supported within a window function.", pretty(c))
	}
	if len(w.order) == 0 && c.name != "nth_value" {
		return value{}, newError("WINDOW_FUNCTION_AND_FRAME_MISMATCH", "42601", "Window function %s requires window to be ordered, please add ORDER BY clause. For example SELECT %s(value_expr) OVER (PARTITION BY window_partition ORDER BY window_ordering) from table.", c.name, c.name)
	}
	if c.ignoreNulls {
		return value{}, errUnsupported("%s … IGNORE NULLS", c.name)
	}
	sig := map[string]string{"ntile": "i", "lead": "c,i?,a?", "lag": "c,i?,a?", "nth_value": "a,i"}[c.name]
	args, err := a.arguments(c, sig, sc)
	if err != nil {
		return value{}, err
	}
	t := typeLetters[result]
	if result == "1" {
		t = args[0].typ
		if len(args) == 3 {
			if args[2], err = castTo(args[2], t, false); err != nil {
				return value{}, err
			}
		}
	}
	v := with(c.name+"("+sqlList(args)+")"+over, t, args...)
	return windowed(v, from), nil
}

func windowed(v value, from []value) value {
	v = with(v.sql, v.typ, append([]value{v}, from...)...)
	v.win = true
	return v
}

// window writes OVER (…); from are the values it depends on.
func (a *analyzer) window(w *window, sc *scope) (string, []value, error) {
	if w.base != "" {
		base := sc.windows[strings.ToLower(w.base)]
		if base == nil || base.base != "" {
			return "", nil, newError("MISSING_WINDOW_SPECIFICATION", "42P20", "Window specification is not defined in the WINDOW clause for %s.", quoteParts([]string{w.base}))
		}
		merged := *w
		merged.base = ""
		merged.partition = append(append([]expr(nil), base.partition...), w.partition...)
		merged.order = append(append([]orderItem(nil), base.order...), w.order...)
		w = &merged
	}
	var parts []string
	var from []value
	if len(w.partition) > 0 {
		var keys []string
		for _, x := range w.partition {
			v, err := a.expr(x, sc)
			if err != nil {
				return "", nil, err
			}
			keys = append(keys, v.sql)
			from = append(from, v)
		}
		parts = append(parts, "PARTITION BY "+strings.Join(keys, ", "))
	}
	var order Type
	if len(w.order) > 0 {
		var keys []string
		for _, o := range w.order {
			v, err := a.expr(o.x, sc)
			if err != nil {
				return "", nil, err
			}
			order = v.typ
			keys = append(keys, v.sql+direction(o))
			from = append(from, v)
		}
		parts = append(parts, "ORDER BY "+strings.Join(keys, ", "))
	}
	if w.frame != "" {
		lo, err := a.frameBound(w.from, order, sc)
		if err != nil {
			return "", nil, err
		}
		hi, err := a.frameBound(w.to, order, sc)
		if err != nil {
			return "", nil, err
		}
		parts = append(parts, w.frame+" BETWEEN "+lo+" AND "+hi)
	}
	return " OVER (" + strings.Join(parts, " ") + ")", from, nil
}

// frameBound writes a bound; an interval becomes the number that the ordering
// column counts in.
func (a *analyzer) frameBound(b frameBound, order Type, sc *scope) (string, error) {
	if b.x == nil {
		return b.what, nil
	}
	v, err := a.expr(b.x, &scope{})
	if err != nil {
		return "", err
	}
	sql := v.sql
	switch {
	case v.typ.Kind == Interval && (v.typ.Unit == "YEAR TO MONTH" || !order.isTemporal()):
		return "", errUnsupported("this INTERVAL in a window frame")
	case v.typ.Kind == Interval && order.Kind == Date:
		sql = "(" + sql + " / " + strconv.Itoa(microsPerDay) + ")"
	case v.typ.Kind != Interval && !v.typ.isNumeric():
		return "", errMismatch("SPECIFIED_WINDOW_FRAME_UNACCEPTED_TYPE", "Cannot resolve the window frame: The data type of the bound %q does not match the expected data type.", v.typ)
	}
	if strings.HasPrefix(sql, "-") {
		return "", newError("DATATYPE_MISMATCH.SPECIFIED_WINDOW_FRAME_WRONG_COMPARISON", "42K09", "The lower bound of a window frame must be less than or equal to the upper bound.")
	}
	return sql + " " + b.what, nil
}
