package tools

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

const (
	logRows = 50                 // of a read that names no row_limit
	logDays = 7 * 24 * time.Hour // that are read when since is not given
	// idDays are read when a request is named: its day is not known.
	idDays = 30 * 24 * time.Hour
)

// What is said of rows that are not there: agents.md, sections 1 and 6.1.
const (
	payloadDelay   = "Requests are there 10 to 30 minutes after they were made, within the hour; bodies above 1 MiB are never logged, and answers 401, 403, 429 and 500 may be missing."
	formattedDelay = "This table is filled about hourly, and no longer for agents deployed since December 2025."
	traceDelay     = "Feedback that was given with a trace_id is in MLflow, on the trace, and not in tables."
)

// logSource is one table that can answer a read, and its SQL.
type logSource struct {
	table string
	delay string
	sql   func(columns []string, r logRead) (string, bool)
}

// readAgentLogs reads from whichever of an agent's inference tables there is, the raw
// one first. One that has nothing is followed by the next.
func (s *Server) readAgentLogs(ctx context.Context, call *catalog.Call) ([]byte, error) {
	end := time.Now().Add(maxWait)
	read, err := newLogRead(call, time.Now())
	if err != nil {
		return nil, err
	}
	e, err := s.endpointNamed(ctx, call, argumentText(call, "endpoint_name"))
	if err != nil {
		return nil, err
	}
	log, ok := loggingOf(e)
	if !ok {
		return nil, &catalog.Error{Kind: catalog.Missing, Message: call.About() + ": it has no inference tables, so nothing is logged",
			Advice: "They are set when an agent is deployed, or later in the workspace under AI Gateway. agents_deploy sets them on a new endpoint."}
	}
	var answer []byte
	var absent, empty []string
	for _, source := range read.sources(log) {
		if !s.mayReadTable(ctx, source.table) {
			return nil, &catalog.Error{Kind: catalog.Denied, Message: fmt.Sprintf("%s: table %s is outside the tables that the policy lets through", call.About(), source.table),
				Advice: "Nothing was read. Ask whoever runs this server if it is needed."}
		}
		columns, err := s.tableColumns(ctx, source.table)
		if err != nil {
			if !missing(catalog.AsError(err)) {
				return nil, onTheWay(call, "reading the columns of the log", err)
			}
			absent = append(absent, source.table)
			continue
		}
		text, ok := source.sql(columns, read)
		if !ok {
			absent = append(absent, source.table+" (its columns are of no known kind)")
			continue
		}
		if answer, err = s.logQuery(ctx, call, text, read, end); err != nil {
			return nil, err
		}
		answer = logAnswer(answer, source, read)
		if rows := gjson.GetBytes(answer, "rows"); !rows.IsArray() || len(rows.Array()) > 0 {
			return answer, nil // rows, or a handle to poll
		}
		empty = append(empty, source.table)
	}
	if len(empty) > 0 {
		return answer, nil
	}
	return nil, noTables(call, log, absent)
}

// noTables explains why none of the tables is there.
func noTables(call *catalog.Call, log logging, absent []string) error {
	e := &catalog.Error{Kind: catalog.Missing, Message: fmt.Sprintf("%s: there is no table to read: %s", call.About(), strings.Join(absent, ", "))}
	if log.enabled {
		e.Advice = "Inference tables are enabled: the first request makes the table, within the hour. Call again later."
	} else {
		e.Advice = "Inference tables are configured but disabled on this endpoint: nothing is logged."
	}
	return e
}

// logQuery runs the SQL as sql_query would.
func (s *Server) logQuery(ctx context.Context, call *catalog.Call, text string, read logRead, end time.Time) ([]byte, error) {
	var args object
	args.text("statement", text)
	args.raw("parameters", read.parameters(text))
	args.integer("row_limit", read.limit)
	if id := argumentText(call, "warehouse_id"); id != "" {
		args.text("warehouse_id", id)
	}
	query, err := catalog.Query.Bind(args.bytes())
	if err != nil {
		return nil, err
	}
	if _, err := s.proveRead(ctx, query); err != nil {
		return nil, err
	}
	on, err := s.queryWarehouse(ctx, query)
	if err != nil {
		return nil, onTheWay(call, "choosing a warehouse", err)
	}
	query.Row, query.Object = call.Row, "warehouse "+on.ID
	answer, err := s.queryOn(ctx, query, on, end)
	if err != nil && on.from == picked {
		s.picked.forget()
	}
	return answer, err
}

// logAnswer says of rows where they come from, and of missing ones why.
func logAnswer(rows []byte, source logSource, read logRead) []byte {
	o := object{buf: rows[:len(rows)-1]}
	o.text("table", source.table)
	o.text("since", read.since.UTC().Format(time.RFC3339))
	if all := gjson.GetBytes(rows, "rows"); all.IsArray() && len(all.Array()) == 0 {
		note := "No rows. " + source.delay
		if read.kind == "assessments" {
			note += " " + traceDelay
		}
		o.text("note", note)
	}
	return o.bytes()
}

// logRead is what is asked for.
type logRead struct {
	kind, id string
	status   int64
	limit    int64
	since    time.Time
	byTime   bool // since has a time of day
}

func newLogRead(call *catalog.Call, now time.Time) (logRead, error) {
	r := logRead{kind: cmp.Or(argumentText(call, "kind"), "requests"), id: argumentText(call, "request_id"), since: now.Add(-logDays)}
	r.status, _ = argument[int64](call, "min_status")
	if r.limit, _ = argument[int64](call, "row_limit"); r.limit == 0 {
		r.limit = logRows
	}
	if r.id != "" {
		r.since = now.Add(-idDays)
	}
	refuse := func(why, advice string) error {
		return &catalog.Error{Kind: catalog.Invalid, Message: call.About() + ": " + why, Advice: advice + " Nothing was sent."}
	}
	if r.kind == "trace" && r.id == "" {
		return r, refuse("a trace is that of one request", "Give request_id, which kind=requests shows.")
	}
	if text := argumentText(call, "since"); text != "" {
		var err error
		if r.since, err = time.Parse(time.DateOnly, text); err != nil {
			r.byTime = true
			if r.since, err = time.Parse(time.RFC3339, text); err != nil {
				return r, refuse(fmt.Sprintf("since cannot be %q", cutText(text, 60)), "Give a day such as 2025-01-31, or a time such as 2025-01-31T08:00:00Z.")
			}
		}
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
