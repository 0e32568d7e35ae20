package tools

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxLogText is how many characters of a logged body are read.
const maxLogText = 4000

// parameters are the values of the markers that the text has, typed.
func (r logRead) parameters(text string) string {
	var all []string
	for _, p := range []struct{ name, value, kind string }{
		{"since_day", r.since.UTC().Format(time.DateOnly), "DATE"},
		{"since_time", r.since.UTC().Format("2006-01-02 15:04:05"), "TIMESTAMP"},
		{"since_ms", strconv.FormatInt(r.since.UnixMilli(), 10), "BIGINT"},
		{"until_day", r.until.UTC().Format(time.DateOnly), "DATE"},
		{"until_time", r.until.UTC().Format("2006-01-02 15:04:05.000000"), "TIMESTAMP"},
		{"until_ms", strconv.FormatInt(r.until.UnixMilli(), 10), "BIGINT"},
		{"min_status", strconv.FormatInt(r.status, 10), "INT"},
		{"request_id", r.id, "STRING"},
	} {
		if !slices.Contains(strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == '\n' || c == ')' }), ":"+p.name) {
			continue
		}
		var o object
		o.text("name", p.name)
		o.text("value", p.value)
		o.text("type", p.kind)
		all = append(all, string(o.bytes()))
	}
	return "[" + strings.Join(all, ",") + "]"
}

// where are the conditions of a read on a table of that generation. The day is the
// partition: without it the whole table would be read.
func (r logRead) where(g generation, columns []string) []string {
	var all []string
	if g.day != "" {
		all = append(all, g.day+" >= :since_day")
	}
	switch {
	case !r.byTime && g.day != "":
	case g.millis:
		all = append(all, g.time+" >= :since_ms")
	default:
		all = append(all, g.time+" >= :since_time")
	}
	if !r.until.IsZero() {
		if g.day != "" {
			all = append(all, g.day+" <= :until_day")
		}
		if g.millis {
			all = append(all, g.time+" < :until_ms")
		} else {
			all = append(all, g.time+" < :until_time")
		}
	}
	if r.status > 0 && slices.Contains(columns, "status_code") {
		all = append(all, "status_code >= :min_status")
	}
	return all
}

// selected is a SELECT, newest first. One row more than wanted tells whether there
// are more: the row_limit of the statement leaves it out, and says so.
func (r logRead) selected(list []string, table, order string, where []string) string {
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY %s DESC LIMIT %d",
		strings.Join(list, ", "), quotedName(table), strings.Join(where, " AND "), order, r.limit+1)
}

// at is the time of a row, as a timestamp where the table has one.
func (g generation) at(columns []string) string {
	if g.millis && slices.Contains(columns, "timestamp") {
		return "timestamp AS time"
	}
	return g.time + " AS time"
}

// feedbackOf is a part of a request that was feedback, in the payload table.
func feedbackOf(part string) string {
	return "get_json_object(request, '$.dataframe_records[0]." + part + "')"
}

// requestSQL reads requests and answers; feedback, which is logged alike, is left out.
func requestSQL(table string) func([]string, logRead) (string, bool) {
	return func(columns []string, r logRead) (string, bool) {
		g, ok := generationOf(columns)
		if !ok {
			return "", false
		}
		list := []string{g.at(columns), g.id + " AS request_id"}
		for _, name := range []string{"client_request_id", "conversation_id", "status_code", g.took, "requester", "served_entity_id"} {
			if slices.Contains(columns, name) {
				list = append(list, name)
			}
		}
		for _, name := range []string{"request", "response"} {
			if slices.Contains(columns, name) {
				list = append(list, fmt.Sprintf("substr(%s, 1, %d) AS %s", name, maxLogText, name))
			}
		}
		if slices.Contains(columns, "logging_error_codes") {
			list = append(list, "logging_error_codes")
		}
		where := r.where(g, columns)
		if r.id != "" {
			where = append(where, g.id+" = :request_id")
		}
		if slices.Contains(columns, "request") && !slices.Contains(columns, "request_raw") {
			where = append(where, feedbackOf("text_assessments")+" IS NULL", feedbackOf("retrieval_assessments")+" IS NULL")
		}
		return r.selected(list, table, g.time, where), true
	}
}

// feedbackSQL reads feedback out of the payload table, which is ahead of the table of
// assessments.
func feedbackSQL(table string) func([]string, logRead) (string, bool) {
	return func(columns []string, r logRead) (string, bool) {
		g, ok := generationOf(columns)
		if !ok || !slices.Contains(columns, "request") {
			return "", false
		}
		list := []string{
			g.at(columns), feedbackOf("request_id") + " AS request_id", feedbackOf("source.id") + " AS reviewer",
			feedbackOf("text_assessments") + " AS text_assessments", feedbackOf("retrieval_assessments") + " AS retrieval_assessments",
		}
		where := append(r.where(g, columns), feedbackOf("request_id")+" IS NOT NULL")
		if r.id != "" {
			where = append(where, feedbackOf("request_id")+" = :request_id")
		}
		return r.selected(list, table, g.time, where), true
	}
}

// assessmentSQL reads the table of assessments: agents.md, section 6.3. The members
// of its structs differ, so they are read whole.
func assessmentSQL(table string) func([]string, logRead) (string, bool) {
	return func(columns []string, r logRead) (string, bool) {
		if !slices.Contains(columns, "timestamp") || !slices.Contains(columns, "request_id") {
			return "", false
		}
		list := []string{"timestamp AS time", "request_id"}
		for _, name := range []string{"source", "text_assessment", "retrieval_assessment"} {
			if slices.Contains(columns, name) {
				list = append(list, "to_json("+name+") AS "+name)
			}
		}
		where := r.where(generation{time: "timestamp"}, columns)
		if r.id != "" {
			where = append(where, "request_id = :request_id")
		}
		return r.selected(list, table, "timestamp", where), true
	}
}

// traceSQL reads the trace of one request.
func traceSQL(table string) func([]string, logRead) (string, bool) {
	return func(columns []string, r logRead) (string, bool) {
		g, ok := generationOf(columns)
		trace := "get_json_object(response, '$.databricks_output.trace')"
		switch {
		case slices.Contains(columns, "trace"):
			trace = "trace"
		case !slices.Contains(columns, "response"):
			return "", false
		}
		if !ok {
			return "", false
		}
		where := append(r.where(g, columns), g.id+" = :request_id", trace+" IS NOT NULL")
		return r.selected([]string{g.at(columns), g.id + " AS request_id", trace + " AS trace"}, table, g.time, where), true
	}
}
