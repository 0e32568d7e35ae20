package engine

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// How types are stored: integers, BOOLEAN (0, 1), DATE (days since 1970),
// TIMESTAMP (microseconds since 1970, UTC) and INTERVAL (months or
// microseconds) as INTEGER; FLOAT, DOUBLE and DECIMAL as REAL; STRING as TEXT;
// ARRAY, MAP and STRUCT as JSON text. A DECIMAL is therefore exact to about 15
// significant digits; every operation rounds it to its scale.

// storable converts a Go value of seed data to what the column stores.
func storable(t Type, v any) (any, error) {
	bad := func() (any, error) {
		return nil, newError("INTERNAL_ERROR", "XX000", "The value %v (%T) does not fit a column of type %s.", v, v, t)
	}
	switch x := v.(type) {
	case nil:
		return nil, nil
	case int:
		return storable(t, int64(x))
	case int64:
		if t.isFloat() || t.Kind == Decimal {
			return float64(x), nil
		}
		if t.isInteger() {
			return x, nil
		}
	case float64:
		if t.isFloat() || t.Kind == Decimal {
			return x, nil
		}
	case bool:
		if t.Kind == Boolean {
			return x, nil
		}
	case time.Time:
		switch t.Kind {
		case Date:
			return daysOf(x.UTC()), nil
		case Timestamp:
			return x.UnixMicro(), nil
		}
	case string:
		return storableText(t, x, bad)
	case []byte:
		return x, nil
	case fmt.Stringer:
		return storableText(t, x.String(), bad)
	default:
		if t.isNested() {
			text, err := json.Marshal(x)
			return string(text), err
		}
	}
	return bad()
}

func storableText(t Type, s string, bad func() (any, error)) (any, error) {
	switch {
	case t.Kind == String || t.isNested() || t.Kind == Binary:
		return s, nil
	case t.Kind == Date:
		if d, ok := parseDate(s); ok {
			return d, nil
		}
	case t.Kind == Timestamp:
		if us, ok := parseTimestamp(s, time.UTC); ok {
			return us, nil
		}
	case t.isInteger():
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, nil
		}
	case t.isFloat() || t.Kind == Decimal:
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return f, nil
		}
	case t.Kind == Boolean:
		if b, err := strconv.ParseBool(s); err == nil {
			return b, nil
		}
	}
	return bad()
}
