package tools

import (
	"context"
	"slices"
	"strings"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// The inference tables of an endpoint are named by a prefix: agents.md, section 6.
const (
	payloadSuffix     = "_payload"
	requestsSuffix    = "_payload_request_logs"
	assessmentsSuffix = "_payload_assessment_logs"
)

// logging is where an endpoint logs to: the raw payloads, and the tables that were
// once made of them.
type logging struct {
	payload, requests, assessments string // full names
	enabled                        bool
}

// loggingOf reads the tables out of the configuration; they are never guessed.
func loggingOf(e endpoint) (logging, bool) {
	table := e.Get("ai_gateway.inference_table_config")
	if !table.Get("catalog_name").Exists() {
		table = e.Get("config.auto_capture_config")
	}
	where, schema, prefix := table.Get("catalog_name").Str, table.Get("schema_name").Str, table.Get("table_name_prefix").Str
	if where == "" || schema == "" {
		return logging{}, false
	}
	if prefix == "" {
		prefix = e.name()
	}
	root := where + "." + schema + "."
	log := logging{root + prefix + payloadSuffix, root + prefix + requestsSuffix, root + prefix + assessmentsSuffix, table.Get("enabled").Bool()}
	if name := table.Get("state.payload_table.name").Str; name != "" {
		log.payload = root + name[strings.LastIndexByte(name, '.')+1:]
	}
	return log, true
}

// tableColumns are the names of a table's columns.
func (s *Server) tableColumns(ctx context.Context, name string) ([]string, error) {
	get, err := catalog.GetTable.Bind(jsonObject("full_name", name))
	if err != nil {
		return nil, err
	}
	answer, err := s.ask(ctx, get)
	if err != nil {
		return nil, err
	}
	var columns []string
	eachItem(parse(answer.Body).Get("columns"), func(column gjson.Result) bool {
		columns = append(columns, strings.ToLower(column.Get("name").Str))
		return true
	})
	return columns, nil
}

// quotedName is a full name for SQL. Its parts come from an endpoint's configuration.
func quotedName(name string) string {
	parts := strings.Split(name, ".")
	for i, part := range parts {
		parts[i] = "`" + strings.ReplaceAll(part, "`", "``") + "`"
	}
	return strings.Join(parts, ".")
}

// generation is what a table of logged requests calls its columns.
type generation struct {
	day    string // the partition; "": none
	time   string
	millis bool // time is epoch ms
	id     string
	took   string // milliseconds
}

// generations are told apart by their column of time: agents.md, sections 6.1 and 6.2.
// The formatted table has two, of which the number orders exactly.
var generations = []generation{
	{day: "request_date", time: "request_time", id: "databricks_request_id", took: "execution_duration_ms"},
	{day: "date", time: "timestamp_ms", millis: true, id: "databricks_request_id", took: "execution_time_ms"},
	{time: "event_time", id: "invocation_id", took: "latency_ms"},
}

func generationOf(columns []string) (generation, bool) {
	for _, g := range generations {
		if slices.Contains(columns, g.time) {
			if !slices.Contains(columns, g.day) {
				g.day = ""
			}
			return g, slices.Contains(columns, g.id)
		}
	}
	return generation{}, false
}
