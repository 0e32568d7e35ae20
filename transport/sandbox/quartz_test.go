package sandbox

import (
	"strings"
	"testing"
	"time"
)

func TestQuartzNext(t *testing.T) {
	for _, c := range []struct{ cron, after, want string }{
		{"0 0 2 * * ?", "2025-06-30 06:00:00", "2025-07-01 02:00:00"},
		{"0 0 2 * * ?", "2025-06-30 01:59:59", "2025-06-30 02:00:00"},
		{"0 0 2 * * ?", "2025-06-30 02:00:00", "2025-07-01 02:00:00"}, // after, not at
		{"0 10 0/6 * * ?", "2025-06-30 06:00:00", "2025-06-30 06:10:00"},
		{"0 0 4 ? * SUN", "2025-06-30 06:00:00", "2025-07-06 04:00:00"}, // a Monday
		{"0 0 4 ? * 1", "2025-06-30 06:00:00", "2025-07-06 04:00:00"},   // 1 is Sunday
		{"0 15 6 ? * MON-FRI", "2025-07-04 07:00:00", "2025-07-07 06:15:00"},
		{"0 0 6 1 * ?", "2025-06-30 06:00:00", "2025-07-01 06:00:00"},
		{"30 59 23 31 12 ? 2030", "2025-06-30 06:00:00", ""}, // further than five years
		{"30 59 23 31 12 ? 2026", "2025-06-30 06:00:00", "2026-12-31 23:59:30"},
		{"0 0 0 29 2 ?", "2025-06-30 06:00:00", "2028-02-29 00:00:00"},
		{"0 0 0 31 2 ?", "2025-06-30 06:00:00", ""},
		{"*/20 * * ? jan,MAR tue", "2025-06-30 06:00:00", "2026-01-06 00:00:00"},
		{"5,10 0 0-2/2 ? * *", "2025-06-30 00:00:07", "2025-06-30 00:00:10"},
	} {
		q, err := parseQuartz(c.cron)
		if err != nil {
			t.Errorf("%s: %v", c.cron, err)
			continue
		}
		after, err := time.Parse(time.DateTime, c.after)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if at := q.next(after); !at.IsZero() {
			got = at.Format(time.DateTime)
		}
		if got != c.want {
			t.Errorf("%s after %s: %q, want %q", c.cron, c.after, got, c.want)
		}
	}
}

// In spring the hour from two to three does not exist: the run moves, and the
// search ends.
func TestQuartzClockChange(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("this host has no time zone database:", err)
	}
	q, err := parseQuartz("0 30 2 * * ?")
	if err != nil {
		t.Fatal(err)
	}
	at := q.next(time.Date(2025, 3, 29, 12, 0, 0, 0, zone))
	if at.Sub(time.Date(2025, 3, 29, 12, 0, 0, 0, zone)) > 48*time.Hour || at.IsZero() {
		t.Error(at)
	}
}

func TestQuartzErrors(t *testing.T) {
	for cron, why := range map[string]string{
		"0 2 * * *":        "it has 5 fields",
		"0 0 2 * * *":      "exactly one of",
		"0 0 2 ? * ?":      "exactly one of",
		"60 0 2 * * ?":     "seconds:",
		"0 0 24 * * ?":     "hours:",
		"0 0 0 0 * ?":      "day-of-month:",
		"0 0 0 ? * MOO":    "day-of-week:",
		"0 0/0 0 * * ?":    "bad step",
		"0 30-10 0 * * ?":  "ends before it begins",
		"0 0 0 * * ? 1800": "year:",
	} {
		if _, err := parseQuartz(cron); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %q", cron, err, why)
		}
	}
}

func FuzzQuartz(f *testing.F) {
	for _, s := range []string{"0 0 2 * * ?", "0 10 0/6 * * ?", "0 0 4 ? * SUN-TUE/2 2027", "*/7 1,2-9 * ? JAN *"} {
		f.Add(s)
	}
	from := time.Date(2025, 6, 30, 6, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, expression string) {
		q, err := parseQuartz(expression)
		if err != nil {
			return
		}
		at := q.next(from)
		if at.IsZero() {
			return
		}
		if !at.After(from) || !q.hour.has(at.Hour()) || !q.minute.has(at.Minute()) || !q.second.has(at.Second()) ||
			!q.day.has(at.Day()) || !q.month.has(int(at.Month())) || !q.weekday.has(int(at.Weekday())+1) {
			t.Fatalf("%q fires at %s", expression, at)
		}
	})
}
