package engine

import (
	"database/sql/driver"
	"math"
	"strconv"
	"strings"
	"time"
)

func errCast(v, from string, to Type) error {
	if from == "STRING" {
		v = "'" + v + "'"
	}
	return newError("CAST_INVALID_INPUT", "22018", "The value %s of the type %q cannot be cast to %q because it is malformed. Correct the value as per the syntax, or change its target type. Use `try_cast` to tolerate malformed input and return NULL instead.", v, from, to)
}

// orNull gives NULL instead of an error to try_cast.
func orNull(try driver.Value, err error) (any, error) {
	if integer(try) == 1 {
		return nil, nil
	}
	return nil, err
}

// nativeCasts convert; the last argument is 1 for try_cast.
var nativeCasts = map[string]native{
	"x_int": func(a []driver.Value) (any, error) { // value, target kind, source type, try
		to, from := Kind(text(a[1])), text(a[2])
		var n int64
		switch v := a[0].(type) {
		case int64:
			n = v
		case float64:
			if math.IsNaN(v) || math.Abs(v) >= 1<<63 {
				return orNull(a[3], errCastOverflow(formatDouble(v), from, Scalar(to)))
			}
			n = int64(v)
		case string:
			s := strings.TrimSpace(v)
			parsed, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return orNull(a[3], errCast(v, "STRING", Scalar(to)))
			}
			n = parsed
			if !fits(n, to) {
				return orNull(a[3], errCast(v, "STRING", Scalar(to)))
			}
		}
		if !fits(n, to) {
			return orNull(a[3], errCastOverflow(strconv.FormatInt(n, 10), from, Scalar(to)))
		}
		return n, nil
	},
	"x_double": func(a []driver.Value) (any, error) {
		f, ok := parseDouble(text(a[0]))
		if !ok {
			return orNull(a[1], errCast(text(a[0]), "STRING", Scalar(Double)))
		}
		return f, nil
	},
	"x_decimal": func(a []driver.Value) (any, error) { // value, precision, scale, try
		t := DecimalOf(int(integer(a[1])), int(integer(a[2])))
		f, ok := 0.0, true
		if s, isText := a[0].(string); isText {
			f, ok = parseDouble(s)
			if !ok || math.IsInf(f, 0) || math.IsNaN(f) {
				return orNull(a[3], errCast(s, "STRING", t))
			}
		} else {
			f = number(a[0])
		}
		rounded, err := strconv.ParseFloat(formatDecimal(f, t.Scale), 64)
		if err != nil || math.Abs(rounded) >= math.Pow10(t.Precision-t.Scale) {
			return orNull(a[3], newError("NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION", "22003", "The %s cannot be represented as Decimal(%d, %d). If necessary set \"ansi_mode\" to \"false\" to bypass this error, and return NULL instead.", formatDouble(f), t.Precision, t.Scale))
		}
		return rounded, nil
	},
	"x_boolean": func(a []driver.Value) (any, error) {
		switch strings.ToLower(strings.TrimSpace(text(a[0]))) {
		case "t", "true", "y", "yes", "1":
			return true, nil
		case "f", "false", "n", "no", "0":
			return false, nil
		}
		return orNull(a[1], errCast(text(a[0]), "STRING", Scalar(Boolean)))
	},
	"x_date": func(a []driver.Value) (any, error) {
		days, ok := parseDate(text(a[0]))
		if !ok {
			return orNull(a[1], errCast(text(a[0]), "STRING", Scalar(Date)))
		}
		return days, nil
	},
	"x_timestamp": func(a []driver.Value) (any, error) {
		us, ok := parseTimestamp(text(a[0]), time.UTC)
		if !ok {
			return orNull(a[1], errCast(text(a[0]), "STRING", Scalar(Timestamp)))
		}
		return us, nil
	},
	"x_seconds": func(a []driver.Value) (any, error) { // microseconds [, per second]
		per := int64(1)
		if len(a) == 2 {
			per = integer(a[1])
		}
		return floorDiv(integer(a[0]), 1e6/per), nil
	},
	"x_day":            func(a []driver.Value) (any, error) { return floorDiv(integer(a[0]), microsPerDay), nil },
	"x_double_text":    func(a []driver.Value) (any, error) { return formatDouble(number(a[0])), nil },
	"x_decimal_text":   func(a []driver.Value) (any, error) { return formatDecimal(number(a[0]), int(integer(a[1]))), nil },
	"x_date_text":      func(a []driver.Value) (any, error) { return formatDate(integer(a[0])), nil },
	"x_timestamp_text": func(a []driver.Value) (any, error) { return formatTimestampText(integer(a[0])), nil },
	"x_interval_text":  func(a []driver.Value) (any, error) { return formatInterval(integer(a[0]), text(a[1])), nil },
}

func errCastOverflow(v, from string, to Type) error {
	return newError("CAST_OVERFLOW", "22003", "The value %s of the type %q cannot be cast to %q due to an overflow. Use `try_cast` to tolerate overflow and return NULL instead.", v, from, to)
}

func parseDouble(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if strings.ContainsAny(s, "xX_pP") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// nativeNumbers compute.
var nativeNumbers = map[string]native{
	"x_divisor": func(a []driver.Value) (any, error) {
		if number(a[0]) == 0 {
			return nil, newError("DIVIDE_BY_ZERO", "22012", "Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead. If necessary set \"ansi_mode\" to \"false\" to bypass this error.")
		}
		return a[0], nil
	},
	"x_xor": func(a []driver.Value) (any, error) { return integer(a[0]) ^ integer(a[1]), nil },
	"x_round": func(a []driver.Value) (any, error) { // value, digits, half-even
		digits := int(integer(a[1]))
		if n, ok := a[0].(int64); ok {
			p := int64(math.Pow10(min(-digits, 18)))
			half := p / 2
			if n < 0 {
				half = -half
			}
			return (n + half) / p * p, nil
		}
		f := number(a[0])
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return f, nil
		}
		if digits < 0 {
			p := math.Pow10(-digits)
			return math.Round(f/p) * p, nil
		}
		if integer(a[2]) == 1 {
			p := math.Pow10(digits)
			return math.RoundToEven(f*p) / p, nil
		}
		return strconv.ParseFloat(formatDecimal(f, min(digits, 40)), 64)
	},
	"x_cbrt": func(a []driver.Value) (any, error) { return math.Cbrt(number(a[0])), nil },
	"x_bin":  func(a []driver.Value) (any, error) { return strconv.FormatUint(uint64(integer(a[0])), 2), nil },
	"x_conv": func(a []driver.Value) (any, error) {
		from, to := int(integer(a[1])), int(integer(a[2]))
		if from < 2 || from > 36 || to < 2 || to > 36 {
			return nil, nil
		}
		n, err := strconv.ParseUint(text(a[0]), from, 64)
		if err != nil {
			return nil, nil
		}
		return strings.ToUpper(strconv.FormatUint(n, to)), nil
	},
	"x_factorial": func(a []driver.Value) (any, error) {
		n := integer(a[0])
		if n < 0 || n > 20 {
			return nil, nil
		}
		f := int64(1)
		for ; n > 1; n-- {
			f *= n
		}
		return f, nil
	},
	"x_width_bucket": func(a []driver.Value) (any, error) {
		v, lo, hi, n := number(a[0]), number(a[1]), number(a[2]), integer(a[3])
		switch {
		case n <= 0 || lo == hi:
			return nil, nil
		case v < min(lo, hi), v >= max(lo, hi):
			if (v < min(lo, hi)) == (lo < hi) {
				return int64(0), nil
			}
			return n + 1, nil
		}
		return int64((v-lo)/(hi-lo)*float64(n)) + 1, nil
	},
	"x_format_number": func(a []driver.Value) (any, error) {
		s := formatDecimal(number(a[0]), int(min(max(integer(a[1]), 0), 30)))
		sign := ""
		if strings.HasPrefix(s, "-") {
			sign, s = "-", s[1:]
		}
		whole, frac, dot := strings.Cut(s, ".")
		for i := len(whole) - 3; i > 0; i -= 3 {
			whole = whole[:i] + "," + whole[i:]
		}
		if dot {
			whole += "." + frac
		}
		return sign + whole, nil
	},
}
