package tools

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
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
		answer = s.logAnswer(ctx, answer, source, read)
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

// logAnswer says of rows where they come from and how to get at more, and of missing
// ones why.
func (s *Server) logAnswer(ctx context.Context, rows []byte, source logSource, read logRead) []byte {
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
	if next := s.moreLogs(ctx, rows, read); next != "" {
		o.text("next", next)
	}
	return o.bytes()
}

// moreLogs says how to go on: with a statement that still runs or whose rows did not
// all fit, or with older rows than the limit let through; "" at the end.
func (s *Server) moreLogs(ctx context.Context, answer []byte, read logRead) string {
	root := gjson.ParseBytes(answer)
	polls := s.allows(ctx, &catalog.GetStatement.Row)
	rows := root.Get("rows").Array()
	switch {
	case !root.Get("rows").IsArray() && polls:
		return catalog.GetStatement.Name + " with statement_id gives the rows when they are there."
	case !root.Get("rows").IsArray():
		return "It took too long: call again with a later since."
	case root.Get("next_page_token").Exists() && polls:
		return "The rows behind: " + catalog.GetStatement.Name + " with statement_id and page_token=" + root.Get("next_page_token").String() + "."
	case !root.Get("truncated").Bool() || len(rows) == 0:
		return ""
	}
	until, ok := logTime(rows[len(rows)-1].Get("0"))
	if !ok {
		return "Older rows: call again with a larger row_limit."
	}
	return "Older rows: the same call with until=" + until.Format(untilFormat) + "."
}

// logTime is the time of a row, as the generations of tables have it.
func logTime(cell gjson.Result) (time.Time, bool) {
	if ms, err := strconv.ParseInt(cell.String(), 10, 64); err == nil {
		return time.UnixMilli(ms).UTC(), true
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999"} {
		if at, err := time.Parse(layout, cell.String()); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}
