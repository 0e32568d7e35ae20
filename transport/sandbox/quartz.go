package sandbox

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// quartz is a Quartz cron expression: seconds first, six or seven fields, one of
// day-of-month and day-of-week is "?". Of the special characters it knows those
// that job schedules use: * ? , - and /.
type quartz struct {
	second, minute, hour, day, month, weekday, year field
	anyDay, anyWeekday                              bool // the field is "?"
}

// field is the set of values that match; nil: all.
type field map[int]bool

func (f field) has(n int) bool { return f == nil || f[n] }

var months = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
var weekdays = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"} // 1 is Sunday

func parseQuartz(expression string) (*quartz, error) {
	parts := strings.Fields(expression)
	if len(parts) < 6 || len(parts) > 7 {
		return nil, fmt.Errorf("it has %d fields, not the six or seven of Quartz (seconds first)", len(parts))
	}
	q := &quartz{anyDay: parts[3] == "?", anyWeekday: parts[5] == "?"}
	if q.anyDay == q.anyWeekday {
		return nil, fmt.Errorf("exactly one of day-of-month and day-of-week must be ?")
	}
	for i, f := range []struct {
		into     *field
		name     string
		from, to int
		words    []string
	}{
		{&q.second, "seconds", 0, 59, nil}, {&q.minute, "minutes", 0, 59, nil}, {&q.hour, "hours", 0, 23, nil},
		{&q.day, "day-of-month", 1, 31, nil}, {&q.month, "month", 1, 12, months}, {&q.weekday, "day-of-week", 1, 7, weekdays},
		{&q.year, "year", 1970, 2099, nil},
	} {
		if i == len(parts) {
			break
		}
		set, err := parseField(strings.ToUpper(parts[i]), f.from, f.to, f.words)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		*f.into = set
	}
	return q, nil
}

func parseField(text string, from, to int, words []string) (field, error) {
	if text == "*" || text == "?" {
		return nil, nil
	}
	set := field{}
	for _, item := range strings.Split(text, ",") {
		span, stepText, stepped := strings.Cut(item, "/")
		step := 1
		if stepped {
			n, err := strconv.Atoi(stepText)
			if err != nil || n < 1 || n > to {
				return nil, fmt.Errorf("bad step in %q", item)
			}
			step = n
		}
		low, high := from, to
		if span != "*" {
			first, last, ranged := strings.Cut(span, "-")
			var err error
			if low, err = fieldValue(first, from, to, words); err != nil {
				return nil, err
			}
			switch {
			case ranged:
				if high, err = fieldValue(last, from, to, words); err != nil {
					return nil, err
				}
			case !stepped:
				high = low
			}
		}
		if high < low {
			return nil, fmt.Errorf("the range %q ends before it begins", item)
		}
		for n := low; n <= high; n += step {
			set[n] = true
		}
	}
	return set, nil
}

func fieldValue(text string, from, to int, words []string) (int, error) {
	for i, w := range words {
		if text == w {
			return i + 1, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < from || n > to {
		return 0, fmt.Errorf("%q is not between %d and %d", text, from, to)
	}
	return n, nil
}

// next is the first firing after t, in t's location; zero: none within five
// years.
func (q *quartz) next(t time.Time) time.Time {
	loc := t.Location()
	t = t.Truncate(time.Second).Add(time.Second)
	for limit := t.AddDate(5, 0, 0); t.Before(limit); {
		y, mo, d := t.Date()
		switch {
		case !q.year.has(y) || !q.month.has(int(mo)):
			t = time.Date(y, mo+1, 1, 0, 0, 0, 0, loc)
		case !q.day.has(d) || !q.weekday.has(int(t.Weekday())+1):
			t = time.Date(y, mo, d+1, 0, 0, 0, 0, loc)
		case !q.hour.has(t.Hour()):
			t = forward(t, time.Date(y, mo, d, t.Hour()+1, 0, 0, 0, loc), time.Hour)
		case !q.minute.has(t.Minute()):
			t = t.Truncate(time.Minute).Add(time.Minute)
		case !q.second.has(t.Second()):
			t = t.Add(time.Second)
		default:
			return t
		}
	}
	return time.Time{}
}

// forward guards against a clock change that makes the next wall-clock hour lie
// in the past.
func forward(t, next time.Time, step time.Duration) time.Time {
	if next.After(t) {
		return next
	}
	return t.Add(step)
}
