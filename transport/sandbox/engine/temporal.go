package engine

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Dates are days and timestamps microseconds since 1970-01-01 UTC.

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func dayTime(days int64) time.Time { return time.Unix(days*86400, 0).UTC() }

func microTime(us int64) time.Time { return time.UnixMicro(us).UTC() }

func daysOf(t time.Time) int64 {
	return floorDiv(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Unix(), 86400)
}

func formatDate(days int64) string { return dayTime(days).Format("2006-01-02") }

// formatTimestamp is the rendering of results: 2024-01-31T10:00:00.000Z.
func formatTimestamp(us int64) string {
	layout := "2006-01-02T15:04:05.000Z"
	if us%1000 != 0 {
		layout = "2006-01-02T15:04:05.000000Z"
	}
	return microTime(us).Format(layout)
}

// formatTimestampText is CAST(ts AS STRING): 2024-01-31 10:00:00[.123].
func formatTimestampText(us int64) string { return microTime(us).Format("2006-01-02 15:04:05.999999") }

// parseDate reads what CAST(s AS DATE) accepts: yyyy, yyyy-M, yyyy-M-d and
// anything after a T or a blank.
func parseDate(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, "T "); i >= 0 {
		if strings.Count(s[:i], "-") != 2 {
			return 0, false
		}
		s = s[:i]
	}
	parts := strings.Split(s, "-")
	if len(parts) > 3 || len(parts[0]) != 4 {
		return 0, false
	}
	n := [3]int{1, 1, 1}
	for i, p := range parts {
		v, ok := digits(p, 4)
		if !ok || i > 0 && len(p) > 2 {
			return 0, false
		}
		n[i] = v
	}
	return civil(n[0], n[1], n[2])
}

func civil(y, m, d int) (int64, bool) {
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	return daysOf(t), t.Year() == y && int(t.Month()) == m && t.Day() == d
}

func digits(s string, most int) (int, bool) {
	if s == "" || len(s) > most {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// parseTimestamp reads what CAST(s AS TIMESTAMP) accepts; loc is for texts
// without a zone.
func parseTimestamp(s string, loc *time.Location) (int64, bool) {
	s = strings.TrimSpace(s)
	days, ok := parseDate(s)
	if !ok {
		return 0, false
	}
	i := strings.IndexAny(s, "T ")
	if i < 0 {
		return dayTime(days).UnixMicro(), true
	}
	clock, offset := strings.TrimSpace(s[i+1:]), time.Duration(0)
	if z := strings.IndexAny(clock, "Z+-"); z >= 0 {
		if clock[z] != 'Z' {
			t, err := time.Parse("-07:00", clock[z:])
			if err != nil {
				return 0, false
			}
			_, seconds := t.Zone()
			offset = time.Duration(seconds) * time.Second
		} else if clock[z:] != "Z" {
			return 0, false
		}
		clock, loc = strings.TrimSpace(clock[:z]), time.UTC
	} else if rest, found := strings.CutSuffix(clock, " UTC"); found {
		clock, loc = rest, time.UTC
	}
	fraction := 0
	if head, frac, ok := strings.Cut(clock, "."); ok {
		if len(frac) > 9 {
			return 0, false
		}
		n, ok := digits((frac + "000000")[:6], 6)
		if !ok {
			return 0, false
		}
		clock, fraction = head, n
	}
	hms := [3]int{}
	for i, p := range strings.Split(clock, ":") {
		n, ok := digits(p, 2)
		if !ok || i > 2 || n > 59 || i == 0 && n > 23 {
			return 0, false
		}
		hms[i] = n
	}
	d := dayTime(days)
	t := time.Date(d.Year(), d.Month(), d.Day(), hms[0], hms[1], hms[2], fraction*1000, loc).Add(-offset)
	return t.UnixMicro(), true
}

// addMonths moves to the same day of another month, or to its last day.
func addMonths(t time.Time, n int64) time.Time {
	first := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, int(n), 0)
	day := min(t.Day(), lastDay(first))
	clock := t.Sub(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC))
	return first.AddDate(0, 0, day-1).Add(clock)
}

func lastDay(t time.Time) int {
	return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// wholeMonths counts the complete months from a to b.
func wholeMonths(b, a time.Time) int64 {
	n := int64(b.Year()-a.Year())*12 + int64(b.Month()-a.Month())
	if n > 0 && addMonths(a, n).After(b) {
		n--
	} else if n < 0 && addMonths(a, n).Before(b) {
		n++
	}
	return n
}

// truncate cuts a timestamp to the start of a unit; ok is false for an unknown one.
func truncate(unit string, t time.Time) (time.Time, bool) {
	y, m, d := t.Date()
	switch strings.ToUpper(unit) {
	case "YEAR", "YYYY", "YY":
		return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC), true
	case "QUARTER":
		return time.Date(y, (m-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC), true
	case "MONTH", "MM", "MON":
		return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC), true
	case "WEEK":
		return time.Date(y, m, d-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC), true
	case "DAY", "DD":
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC), true
	case "HOUR":
		return t.Truncate(time.Hour), true
	case "MINUTE":
		return t.Truncate(time.Minute), true
	case "SECOND":
		return t.Truncate(time.Second), true
	case "MILLISECOND":
		return t.Truncate(time.Millisecond), true
	case "MICROSECOND":
		return t, true
	}
	return t, false
}

// part extracts a field of a timestamp; ok is false for an unknown one.
func part(field string, t time.Time) (int64, bool) {
	_, week := t.ISOWeek()
	isoYear, _ := t.ISOWeek()
	switch f := strings.ToUpper(field); strings.TrimSuffix(f, "S") {
	case "YEAR", "Y", "YR":
		return int64(t.Year()), true
	case "YEAROFWEEK":
		return int64(isoYear), true
	case "QUARTER", "QTR":
		return int64(t.Month()-1)/3 + 1, true
	case "MONTH", "MON":
		return int64(t.Month()), true
	case "WEEK", "W":
		return int64(week), true
	case "DAY", "D":
		return int64(t.Day()), true
	case "DAYOFWEEK", "DOW":
		return int64(t.Weekday()) + 1, true
	case "DAYOFWEEK_ISO", "DOW_ISO":
		return (int64(t.Weekday())+6)%7 + 1, true
	case "WEEKDAY":
		return (int64(t.Weekday()) + 6) % 7, true
	case "DOY":
		return int64(t.YearDay()), true
	case "HOUR", "H":
		return int64(t.Hour()), true
	case "MINUTE", "MIN", "M":
		return int64(t.Minute()), true
	case "SECOND", "SEC", "":
		return int64(t.Second()), true
	case "MICRO":
		return int64(t.Second())*1e6 + int64(t.Nanosecond())/1000, true
	}
	return 0, false
}

// formatPattern formats by a Java date-time pattern (yyyy-MM-dd HH:mm:ss).
func formatPattern(t time.Time, pattern string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(pattern); {
		c := pattern[i]
		if c == '\'' {
			quoted, size, ok := quotedPattern(pattern[i:])
			if !ok {
				return "", false
			}
			b.WriteString(quoted)
			i += size
			continue
		}
		n := 1
		for i+n < len(pattern) && pattern[i+n] == c {
			n++
		}
		if c < 'A' || c > 'z' || c > 'Z' && c < 'a' {
			b.WriteString(pattern[i : i+n])
		} else if text, ok := patternField(t, c, n); ok {
			b.WriteString(text)
		} else {
			return "", false
		}
		i += n
	}
	return b.String(), true
}

// quotedPattern reads the quoted text at the start of a pattern, and its length
// there; two quotes stand for one, inside and outside of a quoted text.
func quotedPattern(p string) (text string, size int, ok bool) {
	if strings.HasPrefix(p, "''") {
		return "'", 2, true
	}
	var b strings.Builder
	for i := 1; i < len(p); i++ {
		if p[i] != '\'' {
			b.WriteByte(p[i])
			continue
		}
		if i+1 == len(p) || p[i+1] != '\'' {
			return b.String(), i + 1, true
		}
		b.WriteByte('\'')
		i++
	}
	return "", 0, false
}

func patternField(t time.Time, c byte, n int) (string, bool) {
	number := func(v int) (string, bool) { return fmt.Sprintf("%0*d", n, v), true }
	switch c {
	case 'y', 'u':
		if n == 2 {
			return fmt.Sprintf("%02d", t.Year()%100), true
		}
		return number(t.Year())
	case 'M', 'L':
		switch {
		case n == 3:
			return t.Format("Jan"), true
		case n >= 4:
			return t.Format("January"), true
		}
		return number(int(t.Month()))
	case 'd':
		return number(t.Day())
	case 'D':
		return number(t.YearDay())
	case 'H':
		return number(t.Hour())
	case 'k':
		return number((t.Hour()+23)%24 + 1)
	case 'h':
		return number((t.Hour()+11)%12 + 1)
	case 'K':
		return number(t.Hour() % 12)
	case 'm':
		return number(t.Minute())
	case 's':
		return number(t.Second())
	case 'S':
		return fmt.Sprintf("%09d", t.Nanosecond())[:min(n, 9)], true
	case 'a':
		return t.Format("PM"), true
	case 'E':
		if n >= 4 {
			return t.Format("Monday"), true
		}
		return t.Format("Mon"), true
	case 'q', 'Q':
		return number((int(t.Month())-1)/3 + 1)
	case 'z', 'V':
		return "UTC", true
	case 'X', 'Z', 'x':
		if c == 'X' {
			return "Z", true
		}
		return "+0000", true
	}
	return "", false
}

// parsePattern reads a text by a Java date-time pattern.
func parsePattern(s, pattern string) (time.Time, bool) {
	v := map[byte]int{'y': 1970, 'M': 1, 'd': 1}
	pm := -1
	for i := 0; i < len(pattern); {
		c, n := pattern[i], 1
		for i+n < len(pattern) && pattern[i+n] == c {
			n++
		}
		i += n
		switch {
		case c == '\'':
			continue
		case c < 'A' || c > 'z' || c > 'Z' && c < 'a':
			if !strings.HasPrefix(s, strings.Repeat(string(c), n)) {
				return time.Time{}, false
			}
			s = s[n:]
		case c == 'a':
			if len(s) < 2 {
				return time.Time{}, false
			}
			pm = strings.Index("AMPM", strings.ToUpper(s[:2])) / 2
			s = s[2:]
		case c == 'M' && n >= 3:
			month, rest, ok := monthName(s)
			if !ok {
				return time.Time{}, false
			}
			v['M'], s = month, rest
		default:
			width := 0
			limit := n
			if n == 1 {
				limit = 2
			}
			for width < len(s) && width < max(limit, 1) && isDigit(s[width]) {
				width++
			}
			num, err := strconv.Atoi(s[:width])
			if err != nil || width < n && c != 'S' {
				return time.Time{}, false
			}
			if c == 'y' && n == 2 {
				num += 2000
			}
			if c == 'S' {
				num, _ = strconv.Atoi((s[:width] + "000000000")[:9])
			}
			v[c], s = num, s[width:]
		}
	}
	if h, ok := v['h']; ok {
		v['H'] = h%12 + 12*max(pm, 0)
	}
	if s != "" {
		return time.Time{}, false
	}
	_, ok := civil(v['y'], v['M'], v['d'])
	ok = ok && v['H'] < 24 && v['m'] < 60 && v['s'] < 60
	return time.Date(v['y'], time.Month(v['M']), v['d'], v['H'], v['m'], v['s'], v['S'], time.UTC), ok
}

func monthName(s string) (int, string, bool) {
	for m := time.January; m <= time.December; m++ {
		for _, name := range []string{m.String(), m.String()[:3]} {
			if len(s) >= len(name) && strings.EqualFold(s[:len(name)], name) {
				return int(m), s[len(name):], true
			}
		}
	}
	return 0, "", false
}
