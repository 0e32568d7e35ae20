package runs

import (
	"encoding/json"
	"fmt"
	"strings"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

const (
	// maxGenieRows and maxGenieBytes bound what is kept of a result; the SQL is there
	// to read more.
	maxGenieRows  = 200
	maxGenieBytes = 64 << 10
	// maxShownRows of them stand in the answer's text when Genie says nothing.
	maxShownRows = 20
)

// genieRows is the result of a query as far as it is kept: JSON as the output of a
// call, or why there is none.
type genieRows struct {
	columns   []string
	rows      []json.RawMessage // arrays of strings and nulls
	total     int64
	truncated bool
	problem   string
}

// genieRowsOf reads a statement; nil while it runs.
func genieRowsOf(result *catalog.GenieResult) *genieRows {
	s := &result.Statement
	switch s.Status.State {
	case "SUCCEEDED":
	case "PENDING", "RUNNING", "":
		return nil
	default:
		problem := "the query ended as " + cut(s.Status.State, 60)
		if e := s.Status.Error; e != nil {
			problem += ": " + cut(e.Message, maxFailureText)
		}
		return &genieRows{problem: problem}
	}
	rows := &genieRows{}
	if m := s.Manifest; m != nil {
		rows.total, rows.truncated = m.TotalRowCount, m.Truncated
		for _, c := range m.Schema.Columns {
			rows.columns = append(rows.columns, c.Name)
		}
	}
	if s.Result == nil {
		return rows
	}
	size, seen := 0, int64(0)
	gjson.ParseBytes(s.Result.DataArray).ForEach(func(_, row gjson.Result) bool {
		seen++
		if size += len(row.Raw); len(rows.rows) < maxGenieRows && size <= maxGenieBytes {
			rows.rows = append(rows.rows, json.RawMessage(row.Raw))
		}
		return true
	})
	rows.total = max(rows.total, seen)
	rows.truncated = rows.truncated || rows.total > int64(len(rows.rows))
	return rows
}

// output is the rows as the output of a call.
func (r *genieRows) output() string {
	if r.problem != "" {
		return string(item(struct {
			Error string `json:"error"`
		}{r.problem}))
	}
	return string(item(struct {
		Columns   []string          `json:"columns"`
		Rows      []json.RawMessage `json:"rows"`
		Total     int64             `json:"total_rows"`
		Truncated bool              `json:"truncated"`
	}{append([]string{}, r.columns...), append([]json.RawMessage{}, r.rows...), r.total, r.truncated}))
}

// text shows the first rows in words, for an answer without any.
func (r *genieRows) text() string {
	if r.problem != "" {
		return "The rows cannot be read: " + r.problem
	}
	var b strings.Builder
	b.WriteString(strings.Join(r.columns, " | "))
	for i, raw := range r.rows {
		if i == maxShownRows || b.Len() > 2<<10 {
			break
		}
		var cells []string
		for _, cell := range gjson.ParseBytes(raw).Array() {
			cells = append(cells, cell.String())
		}
		b.WriteString("\n" + strings.Join(cells, " | "))
	}
	fmt.Fprintf(&b, "\n(%d rows in all)", r.total)
	return b.String()
}

// genieItems makes items of a message: each query a call with its SQL and its rows,
// each text a message, and what Genie suggests to ask next.
func genieItems(message *catalog.GenieMessage, results map[string]*genieRows) []json.RawMessage {
	var items, texts, suggested []json.RawMessage
	for _, a := range message.Attachments {
		if q := a.Query; q != nil {
			call, parameters := a.AttachmentID, json.RawMessage(q.Parameters)
			if string(parameters) == "null" {
				parameters = nil
			}
			items = append(items, functionCall(call, "genie_query", string(item(struct {
				Query       string          `json:"query"`
				Title       string          `json:"title,omitempty"`
				Description string          `json:"description,omitempty"`
				Parameters  json.RawMessage `json:"parameters,omitempty"`
			}{q.Query, q.Title, q.Description, parameters}))))
			if rows := results[call]; rows != nil {
				items = append(items, functionOutput(call, rows.output()))
			}
		}
		if a.Text != nil {
			texts = append(texts, textItem(a.Text.Content)...)
		}
		if a.Suggested != nil && len(a.Suggested.Questions) > 0 {
			suggested = append(suggested, item(struct {
				Type      string   `json:"type"`
				Questions []string `json:"questions"`
			}{"suggested_questions", a.Suggested.Questions}))
		}
	}
	if len(texts) == 0 { // the rows are the answer
		for _, a := range message.Attachments {
			if rows := results[a.AttachmentID]; rows != nil && a.Query != nil {
				said := a.Query.Description
				if said != "" {
					said += "\n\n"
				}
				texts = append(texts, textItem(said+rows.text())...)
			}
		}
	}
	return append(append(items, texts...), suggested...)
}

// genieFailure maps Genie's own types of errors to what can be done about them.
func genieFailure(message *catalog.GenieMessage) *Failure {
	f := &Failure{Code: "FAILED", Message: "Genie gives no reason"}
	if e := message.Error; e != nil {
		if e.Type != "" {
			f.Code = cut(e.Type, 100)
		}
		if e.Error != "" {
			f.Message = cut(e.Error, maxFailureText)
		}
	}
	if hint := genieHint(f.Code); hint != "" {
		f.Message += " [" + hint + "]"
	}
	return f
}

// genieHint is what the known types mean; there are about 60, most of them internal.
func genieHint(kind string) string {
	switch kind {
	case "WAREHOUSE_ACCESS_MISSING_EXCEPTION", "WAREHOUSE_NOT_FOUND_EXCEPTION":
		return "forbidden: the user needs CAN_USE on the warehouse of the space"
	case "TABLES_MISSING_EXCEPTION", "NO_TABLES_TO_QUERY_EXCEPTION", "INVALID_TABLE_IDENTIFIER_EXCEPTION", "COULD_NOT_GET_UC_SCHEMA_EXCEPTION":
		return "forbidden: the user needs SELECT on the tables of the space, and they must exist"
	case "CONTENT_FILTER_EXCEPTION", "CONTEXT_EXCEEDED_EXCEPTION", "SQL_EXECUTION_EXCEPTION", "GENERATED_SQL_QUERY_TOO_LONG_EXCEPTION":
		return "invalid: ask in other words, or for less"
	case "RETRYABLE_PROCESSING_EXCEPTION", "REPLY_PROCESS_TIMEOUT_EXCEPTION":
		return "busy: ask again"
	case "BLOCK_MULTIPLE_EXECUTIONS_EXCEPTION", "MESSAGE_UPDATED_WHILE_EXECUTING_EXCEPTION":
		return "conflict: one question of a conversation runs at a time"
	}
	switch {
	case strings.HasPrefix(kind, "RATE_LIMIT_EXCEEDED"):
		return "limited: a workspace takes about 5 questions a minute; ask again in a minute"
	case strings.HasPrefix(kind, "CHAT_COMPLETION_") && strings.Contains(kind, "TIMEOUT"):
		return "busy: ask again"
	}
	return ""
}
