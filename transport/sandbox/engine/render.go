package engine

import (
	"encoding/base64"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// render writes a stored value the way JSON_ARRAY results have it.
func render(t Type, v any) (Cell, error) {
	switch x := v.(type) {
	case nil:
		return Cell{Null: true}, nil
	case int64:
		return renderInt(t, x)
	case float64:
		return renderFloat(t, x)
	case string:
		return Cell{Text: x}, nil
	case []byte:
		if t.Kind == Binary {
			return Cell{Text: base64.StdEncoding.EncodeToString(x)}, nil
		}
		return Cell{Text: string(x)}, nil
	case bool:
		return Cell{Text: strconv.FormatBool(x)}, nil
	}
	return Cell{}, newError("INTERNAL_ERROR", "XX000", "The sandbox cannot render a value of type %s.", t)
}

func renderInt(t Type, n int64) (Cell, error) {
	switch t.Kind {
	case Boolean:
		return Cell{Text: strconv.FormatBool(n != 0)}, nil
	case Date:
		return Cell{Text: formatDate(n)}, nil
	case Timestamp:
		return Cell{Text: formatTimestamp(n)}, nil
	case Interval:
		return Cell{Text: formatInterval(n, t.Unit)}, nil
	case Double, Float, Decimal:
		return renderFloat(t, float64(n))
	case Byte, Short, Int:
		if !fits(n, t.Kind) {
			return Cell{}, errOverflow(t)
		}
	}
	return Cell{Text: strconv.FormatInt(n, 10)}, nil
}

func errOverflow(t Type) error {
	name := map[Kind]string{Long: "long", Int: "integer", Short: "short", Byte: "tinyint"}[t.Kind]
	return newError("ARITHMETIC_OVERFLOW", "22003", "%s overflow. Use try_ functions to tolerate overflow and return NULL instead. If necessary set \"ansi_mode\" to \"false\" to bypass this error.", name)
}

func renderFloat(t Type, f float64) (Cell, error) {
	switch t.Kind {
	case Decimal:
		return Cell{Text: formatDecimal(f, t.Scale)}, nil
	case Byte, Short, Int, Long: // an integer operation left the 64 bits
		if f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
			return Cell{}, errOverflow(t)
		}
		return renderInt(t, int64(f))
	case Date, Timestamp, Boolean, Interval:
		return renderInt(t, int64(f))
	case Float:
		return Cell{Text: formatFloat(f, 32)}, nil
	}
	return Cell{Text: formatDouble(f)}, nil
}

// formatDouble writes a double as Java does: 1.0, 0.001, 1.0E10, Infinity.
func formatDouble(f float64) string { return formatFloat(f, 64) }

func formatFloat(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		if math.Signbit(f) {
			return "-0.0"
		}
		return "0.0"
	}
	if a := math.Abs(f); a < 1e-3 || a >= 1e7 {
		s := strconv.FormatFloat(f, 'E', -1, bits)
		mantissa, exp, _ := strings.Cut(s, "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, _ := strconv.Atoi(exp)
		return mantissa + "E" + strconv.Itoa(n)
	}
	s := strconv.FormatFloat(f, 'f', -1, bits)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// formatDecimal writes a decimal with its scale, rounding half up by its
// shortest decimal digits, so that 2.675 gives 2.68.
func formatDecimal(f float64, scale int) string {
	short := strconv.FormatFloat(f, 'f', -1, 64)
	_, frac, _ := strings.Cut(short, ".")
	if len(frac) <= scale {
		if !strings.Contains(short, ".") && scale > 0 {
			short += "."
		}
		return unsignedZero(short + strings.Repeat("0", scale-len(frac)))
	}
	r, ok := new(big.Rat).SetString(short)
	if !ok {
		return short
	}
	return unsignedZero(r.FloatString(scale)) // rounds half away from zero
}

// unsignedZero turns -0.00 into 0.00: decimals have no negative zero.
func unsignedZero(s string) string {
	if strings.HasPrefix(s, "-") && strings.Trim(s, "-0.") == "" {
		return s[1:]
	}
	return s
}

// formatInterval writes INTERVAL '1 02:03:04' DAY TO SECOND and its kin.
func formatInterval(n int64, unit string) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	switch unit {
	case "YEAR TO MONTH":
		return "INTERVAL '" + sign + strconv.FormatInt(n/12, 10) + "-" + strconv.FormatInt(n%12, 10) + "' YEAR TO MONTH"
	case "DAY":
		return "INTERVAL '" + sign + strconv.FormatInt(n/microsPerDay, 10) + "' DAY"
	}
	clock := time.UnixMicro(n % microsPerDay).UTC().Format("15:04:05.999999")
	return "INTERVAL '" + sign + strconv.FormatInt(n/microsPerDay, 10) + " " + clock + "' DAY TO SECOND"
}
