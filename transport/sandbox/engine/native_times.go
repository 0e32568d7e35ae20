package engine

import (
	"database/sql/driver"
	"strconv"
	"strings"
	"time"
)

// nativeTimes work on dates and timestamps.
var nativeTimes = map[string]native{
	"x_date_part": func(a []driver.Value) (any, error) {
		n, ok := part(text(a[0]), microTime(integer(a[1])))
		if !ok {
			return nil, newError("INVALID_EXTRACT_FIELD", "42601", "Cannot extract '%s' from a timestamp.", text(a[0]))
		}
		return n, nil
	},
	"x_date_trunc": func(a []driver.Value) (any, error) {
		t, ok := truncate(text(a[0]), microTime(integer(a[1])))
		if !ok {
			return nil, nil
		}
		return t.UnixMicro(), nil
	},
	"x_date_format": func(a []driver.Value) (any, error) {
		s, ok := formatPattern(microTime(integer(a[0])), text(a[1]))
		if !ok {
			return nil, errPattern(text(a[1]))
		}
		return s, nil
	},
	"x_add_months": func(a []driver.Value) (any, error) {
		return daysOf(addMonths(dayTime(integer(a[0])), boundMonths(a[1]))), nil
	},
	"x_add_months_ts": func(a []driver.Value) (any, error) {
		return addMonths(microTime(integer(a[0])), boundMonths(a[1])).UnixMicro(), nil
	},
	"x_whole_months": func(a []driver.Value) (any, error) {
		return wholeMonths(microTime(integer(a[0])), microTime(integer(a[1]))), nil
	},
	"x_months_between": func(a []driver.Value) (any, error) {
		x, y := microTime(integer(a[0])), microTime(integer(a[1]))
		months := float64((x.Year()-y.Year())*12 + int(x.Month()-y.Month()))
		if x.Day() == y.Day() || x.Day() == lastDay(x) && y.Day() == lastDay(y) {
			return months, nil
		}
		seconds := func(t time.Time) float64 {
			return float64(t.Day()-1)*86400 + float64(t.Hour()*3600+t.Minute()*60+t.Second())
		}
		v, err := strconv.ParseFloat(formatDecimal(months+(seconds(x)-seconds(y))/(31*86400), 8), 64)
		return v, err
	},
	"x_last_day": func(a []driver.Value) (any, error) {
		t := dayTime(integer(a[0]))
		return integer(a[0]) + int64(lastDay(t)-t.Day()), nil
	},
	"x_next_day": func(a []driver.Value) (any, error) {
		name := strings.ToUpper(text(a[1]))
		for d := time.Sunday; d <= time.Saturday; d++ {
			full := strings.ToUpper(d.String())
			if len(name) >= 2 && strings.HasPrefix(full, name) {
				t := dayTime(integer(a[0]))
				return integer(a[0]) + int64((int(d)-int(t.Weekday())+6)%7+1), nil
			}
		}
		return nil, newError("ILLEGAL_DAY_OF_WEEK", "22009", "Illegal input for day of week: %s.", text(a[1]))
	},
	"x_make_date": func(a []driver.Value) (any, error) {
		days, ok := civil(int(integer(a[0])), int(integer(a[1])), int(integer(a[2])))
		if !ok {
			return nil, newError("DATETIME_FIELD_OUT_OF_BOUNDS.WITH_SUGGESTION", "22023", "Invalid date %d-%d-%d. If necessary set \"ansi_mode\" to \"false\" to bypass this error.", integer(a[0]), integer(a[1]), integer(a[2]))
		}
		return days, nil
	},
	"x_make_timestamp": func(a []driver.Value) (any, error) {
		days, ok := civil(int(integer(a[0])), int(integer(a[1])), int(integer(a[2])))
		h, m, s := integer(a[3]), integer(a[4]), number(a[5])
		if !ok || h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s >= 60 {
			return nil, newError("DATETIME_FIELD_OUT_OF_BOUNDS.WITH_SUGGESTION", "22023", "Invalid value for a field of make_timestamp. If necessary set \"ansi_mode\" to \"false\" to bypass this error.")
		}
		return days*microsPerDay + h*3600e6 + m*60e6 + int64(s*1e6), nil
	},
	"x_from_unixtime": func(a []driver.Value) (any, error) {
		pattern := "yyyy-MM-dd HH:mm:ss"
		if len(a) == 2 {
			pattern = text(a[1])
		}
		s, ok := formatPattern(time.Unix(integer(a[0]), 0).UTC(), pattern)
		if !ok {
			return nil, errPattern(pattern)
		}
		return s, nil
	},
	"x_from_utc": func(a []driver.Value) (any, error) { return shifted(a, 1) },
	"x_to_utc":   func(a []driver.Value) (any, error) { return shifted(a, -1) },
}

func boundMonths(v driver.Value) int64 { return min(max(integer(v), -120000), 120000) }

func errPattern(pattern string) error {
	return newError("INVALID_DATETIME_PATTERN.ILLEGAL_CHARACTER", "22007", "Unrecognized datetime pattern: %s.", pattern)
}

// shifted moves a timestamp by a zone's offset.
func shifted(a []driver.Value, sign int64) (any, error) {
	loc, err := time.LoadLocation(text(a[1]))
	if err != nil {
		return nil, newError("INVALID_TIMEZONE", "22009", "The timezone: %s is invalid.", text(a[1]))
	}
	us := integer(a[0])
	_, offset := microTime(us).In(loc).Zone()
	return us + sign*int64(offset)*1e6, nil
}
