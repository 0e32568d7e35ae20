package engine

import (
	"database/sql/driver"
	"math"
	"sort"
	"time"
)

// nativesOfNull are the natives that see NULL arguments.
var nativesOfNull = map[string]native{
	"x_greatest": func(a []driver.Value) (any, error) { return extreme(a, 1), nil },
	"x_least":    func(a []driver.Value) (any, error) { return extreme(a, -1), nil },
	"x_sequence": sequenceOf,
	"x_to_date": func(a []driver.Value) (any, error) {
		t, v, err := patterned(a, Date)
		if err != nil || v == nil {
			return v, err
		}
		return daysOf(t), nil
	},
	"x_to_timestamp": func(a []driver.Value) (any, error) {
		t, v, err := patterned(a, Timestamp)
		if err != nil || v == nil {
			return v, err
		}
		return t.UnixMicro(), nil
	},
}

// patterned parses text by an optional pattern; v is nil for NULL.
func patterned(a []driver.Value, to Kind) (t time.Time, v any, err error) {
	if a[0] == nil {
		return t, nil, nil
	}
	s, ok := text(a[0]), false
	if a[1] == nil {
		var us int64
		us, ok = parseTimestamp(s, time.UTC)
		t = microTime(us)
	} else {
		t, ok = parsePattern(s, text(a[1]))
	}
	if ok {
		return t, s, nil
	}
	if integer(a[2]) == 1 {
		return t, nil, nil
	}
	return t, nil, newError("CANNOT_PARSE_TIMESTAMP", "22007", "Text '%s' could not be parsed as %s. Use `try_to_timestamp` to tolerate invalid input string and return NULL instead.", s, to)
}

// compare orders two stored values of one type.
func compare(a, b driver.Value) int {
	if s, ok := a.(string); ok {
		switch t := text(b); {
		case s < t:
			return -1
		case s > t:
			return 1
		}
		return 0
	}
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		}
	}
	switch x, y := number(a), number(b); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func extreme(a []driver.Value, sign int) any {
	var best driver.Value
	for _, v := range a {
		if v != nil && (best == nil || compare(v, best)*sign > 0) {
			best = v
		}
	}
	return best
}

// bags fold the rows of an aggregate.
var bags = map[string]func([][]driver.Value) (any, error){
	"x_first": func(rows [][]driver.Value) (any, error) { // value, ignore nulls
		for _, r := range rows {
			if r[0] != nil || integer(r[1]) == 0 {
				return r[0], nil
			}
		}
		return nil, nil
	},
	"x_last": func(rows [][]driver.Value) (any, error) {
		for i := len(rows) - 1; i >= 0; i-- {
			if r := rows[i]; r[0] != nil || integer(r[1]) == 0 {
				return r[0], nil
			}
		}
		return nil, nil
	},
	"x_max_by": func(rows [][]driver.Value) (any, error) { return by(rows, 1), nil },
	"x_min_by": func(rows [][]driver.Value) (any, error) { return by(rows, -1), nil },
	"x_mode": func(rows [][]driver.Value) (any, error) {
		counts := map[driver.Value]int{}
		var best driver.Value
		for _, r := range rows {
			if b, isBytes := r[0].([]byte); isBytes {
				r[0] = string(b)
			}
			if r[0] == nil {
				continue
			}
			counts[r[0]]++
			if best == nil || counts[r[0]] > counts[best] {
				best = r[0]
			}
		}
		return best, nil
	},
	"x_stddev": func(rows [][]driver.Value) (any, error) {
		return moment(rows, func(n, m2 float64) float64 { return math.Sqrt(m2 / (n - 1)) }, 2)
	},
	"x_stddev_pop": func(rows [][]driver.Value) (any, error) {
		return moment(rows, func(n, m2 float64) float64 { return math.Sqrt(m2 / n) }, 1)
	},
	"x_variance": func(rows [][]driver.Value) (any, error) {
		return moment(rows, func(n, m2 float64) float64 { return m2 / (n - 1) }, 2)
	},
	"x_var_pop": func(rows [][]driver.Value) (any, error) {
		return moment(rows, func(n, m2 float64) float64 { return m2 / n }, 1)
	},
	"x_skewness": func(rows [][]driver.Value) (any, error) {
		xs := numbers(rows)
		if len(xs) == 0 {
			return nil, nil
		}
		mean, m2, m3 := meanOf(xs), 0.0, 0.0
		for _, x := range xs {
			m2 += (x - mean) * (x - mean)
			m3 += (x - mean) * (x - mean) * (x - mean)
		}
		return math.Sqrt(float64(len(xs))) * m3 / math.Pow(m2, 1.5), nil
	},
	"x_corr": func(rows [][]driver.Value) (any, error) {
		n, sxy, sxx, syy := products(rows)
		if n < 2 || sxx == 0 || syy == 0 {
			return nil, nil
		}
		return sxy / math.Sqrt(sxx*syy), nil
	},
	"x_covar_pop": func(rows [][]driver.Value) (any, error) {
		n, sxy, _, _ := products(rows)
		if n == 0 {
			return nil, nil
		}
		return sxy / n, nil
	},
	"x_covar_samp": func(rows [][]driver.Value) (any, error) {
		n, sxy, _, _ := products(rows)
		if n < 2 {
			return nil, nil
		}
		return sxy / (n - 1), nil
	},
	"x_median": func(rows [][]driver.Value) (any, error) { return quantile(numbers(rows), 0.5), nil },
	"x_percentile": func(rows [][]driver.Value) (any, error) {
		if len(rows) == 0 {
			return nil, nil
		}
		return quantile(numbers(rows), number(rows[0][1])), nil
	},
	"x_percentile_disc": func(rows [][]driver.Value) (any, error) {
		var values []driver.Value
		for _, r := range rows {
			if r[0] != nil {
				values = append(values, r[0])
			}
		}
		if len(values) == 0 {
			return nil, nil
		}
		sort.SliceStable(values, func(i, j int) bool { return compare(values[i], values[j]) < 0 })
		i := int(math.Ceil(number(rows[0][1])*float64(len(values)))) - 1
		return values[min(max(i, 0), len(values)-1)], nil
	},
	"x_bit_and": func(rows [][]driver.Value) (any, error) {
		return bits(rows, func(a, b int64) int64 { return a & b }), nil
	},
	"x_bit_or": func(rows [][]driver.Value) (any, error) {
		return bits(rows, func(a, b int64) int64 { return a | b }), nil
	},
}

func by(rows [][]driver.Value, sign int) any {
	var best []driver.Value
	for _, r := range rows {
		if r[1] != nil && (best == nil || compare(r[1], best[1])*sign > 0) {
			best = r
		}
	}
	if best == nil {
		return nil
	}
	return best[0]
}

func bits(rows [][]driver.Value, f func(a, b int64) int64) any {
	var acc any
	for _, r := range rows {
		switch n, ok := r[0].(int64); {
		case !ok:
		case acc == nil:
			acc = n
		default:
			acc = f(acc.(int64), n)
		}
	}
	return acc
}

func numbers(rows [][]driver.Value) []float64 {
	xs := make([]float64, 0, len(rows))
	for _, r := range rows {
		if r[0] != nil {
			xs = append(xs, number(r[0]))
		}
	}
	return xs
}

func meanOf(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / float64(len(xs))
}

func moment(rows [][]driver.Value, f func(n, m2 float64) float64, least int) (any, error) {
	xs := numbers(rows)
	if len(xs) < least {
		return nil, nil
	}
	mean, m2 := meanOf(xs), 0.0
	for _, x := range xs {
		m2 += (x - mean) * (x - mean)
	}
	return f(float64(len(xs)), m2), nil
}

func products(rows [][]driver.Value) (n, sxy, sxx, syy float64) {
	var xs, ys []float64
	for _, r := range rows {
		if r[0] != nil && r[1] != nil {
			xs, ys = append(xs, number(r[0])), append(ys, number(r[1]))
		}
	}
	if len(xs) == 0 {
		return 0, 0, 0, 0
	}
	mx, my := meanOf(xs), meanOf(ys)
	for i := range xs {
		sxy += (xs[i] - mx) * (ys[i] - my)
		sxx += (xs[i] - mx) * (xs[i] - mx)
		syy += (ys[i] - my) * (ys[i] - my)
	}
	return float64(len(xs)), sxy, sxx, syy
}

// quantile interpolates between the two nearest values.
func quantile(xs []float64, p float64) any {
	if len(xs) == 0 || p < 0 || p > 1 {
		return nil
	}
	sort.Float64s(xs)
	at := p * float64(len(xs)-1)
	lo := int(at)
	hi := min(lo+1, len(xs)-1)
	return xs[lo] + (xs[hi]-xs[lo])*(at-float64(lo))
}
