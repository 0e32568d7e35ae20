package tools

import (
	"cmp"
	"fmt"
	"time"

	"brickmcp/catalog"
)

const (
	logRows = 50                 // of a read that names no row_limit
	logDays = 7 * 24 * time.Hour // that are read when since is not given
	// idDays are read when a request is named: its day is not known.
	idDays = 30 * 24 * time.Hour
	// untilFormat has the microseconds of a TIMESTAMP: rows of the same millisecond
	// must not be lost between two pages.
	untilFormat = "2006-01-02T15:04:05.000000Z"
)

// logRead is what is asked for.
type logRead struct {
	kind, id string
	status   int64
	limit    int64
	since    time.Time
	byTime   bool      // since has a time of day
	until    time.Time // rows before it alone; zero: up to the newest
}

func newLogRead(call *catalog.Call, now time.Time) (logRead, error) {
	r := logRead{kind: cmp.Or(argumentText(call, "kind"), "requests"), id: argumentText(call, "request_id")}
	r.status, _ = argument[int64](call, "min_status")
	if r.limit, _ = argument[int64](call, "row_limit"); r.limit == 0 {
		r.limit = logRows
	}
	refuse := func(why, advice string) error {
		return &catalog.Error{Kind: catalog.Invalid, Message: call.About() + ": " + why, Advice: advice + " Nothing was sent."}
	}
	if r.kind == "trace" && r.id == "" {
		return r, refuse("a trace is that of one request", "Give request_id, which kind=requests shows.")
	}
	moment := func(name string) (at time.Time, day bool, err error) {
		text := argumentText(call, name)
		if at, err = time.Parse(time.DateOnly, text); text == "" || err == nil {
			return at, true, nil
		}
		if at, err = time.Parse(time.RFC3339, text); err != nil {
			err = refuse(fmt.Sprintf("%s cannot be %q", name, cutText(text, 60)), "Give a day such as 2025-01-31, or a time such as 2025-01-31T08:00:00Z.")
		}
		return at, false, err
	}
	var day bool
	var err error
	if r.until, day, err = moment("until"); err != nil {
		return r, err
	}
	end := now
	if !r.until.IsZero() {
		if day { // to its end
			r.until = r.until.AddDate(0, 0, 1)
		}
		end = r.until
	}
	if r.since, day, err = moment("since"); err != nil {
		return r, err
	}
	r.byTime = !day
	switch {
	case !r.since.IsZero():
	case r.id != "":
		r.since = end.Add(-idDays)
	default:
		r.since = end.Add(-logDays)
	}
	if !r.until.IsZero() && !r.since.Before(r.until) {
		return r, refuse("until is not behind since", "Leave since out for the 7 days before until.")
	}
	return r, nil
}

// sources are the tables that can answer, the one with the most first.
func (r logRead) sources(log logging) []logSource {
	raw := logSource{log.payload, payloadDelay, nil}
	formatted := logSource{log.requests, formattedDelay, nil}
	switch r.kind {
	case "assessments":
		raw.sql = feedbackSQL(log.payload)
		return []logSource{raw, {log.assessments, formattedDelay, assessmentSQL(log.assessments)}}
	case "trace":
		raw.sql, formatted.sql = traceSQL(log.payload), traceSQL(log.requests)
	default:
		raw.sql, formatted.sql = requestSQL(log.payload), requestSQL(log.requests)
	}
	return []logSource{raw, formatted}
}
