package tools

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/sqlguard"

	"github.com/tidwall/gjson"
)

var (
	gatewayColumns   = strings.Fields("request_date databricks_request_id client_request_id request_time status_code sampling_fraction execution_duration_ms request response logging_error_codes served_entity_id requester")
	legacyColumns    = strings.Fields("client_request_id databricks_request_id date timestamp_ms status_code execution_time_ms request response sampling_fraction request_metadata")
	unityColumns     = strings.Fields("event_time invocation_id status_code latency_ms logging_error_codes request response")
	formattedColumns = strings.Fields("client_request_id databricks_request_id date timestamp_ms timestamp status_code execution_time_ms conversation_id request response request_raw response_raw trace sampling_fraction request_metadata schema_version")
	assessedColumns  = strings.Fields("request_id step_id source timestamp text_assessment retrieval_assessment")
)

func tableJSON(columns []string) string {
	return `{"columns":[{"name":"` + strings.Join(columns, `"},{"name":"`) + `"}]}`
}

// logHost is a workspace whose agent logs to the tables given, and whose warehouse
// answers with rows from the tables named.
func logHost(tables map[string][]string, rowsIn ...string) *agentHost {
	answers := map[string]string{endpointsPath + "/bot": strings.Replace(twoVersions(), `"agents_main-rag-bot"`, `"bot"`, 1), "GET /api/2.0/sql/warehouses": `{"warehouses":[{"id":"w1","name":"w","state":"RUNNING"}]}`}
	for name, columns := range tables {
		answers[tablesPath+"main.rag."+name] = tableJSON(columns)
	}
	h := newAgentHost(answers)
	plain := h.do
	h.do = func(ctx context.Context, call *catalog.Call) (string, error) {
		if call.Row.Method != "POST" {
			return plain(ctx, call)
		}
		statement := gjson.GetBytes(call.Body, "statement").Str
		for _, name := range rowsIn {
			if strings.Contains(statement, "`"+name+"`") {
				return succeeded(`["1","1.00","a"]`, 1, ""), nil
			}
		}
		return succeeded("", 0, ""), nil
	}
	return h
}

func (h *agentHost) statements(t testing.TB) []gjson.Result {
	t.Helper()
	var all []gjson.Result
	for _, line := range h.sent() {
		body, ok := strings.CutPrefix(line, "POST /api/2.0/sql/statements ")
		if !ok {
			t.Fatalf("sent %s", line)
		}
		all = append(all, gjson.Parse(body))
	}
	return all
}

func TestReadLogs(t *testing.T) {
	const feedbackOut = " AND get_json_object(request, '$.dataframe_records[0].text_assessments') IS NULL AND get_json_object(request, '$.dataframe_records[0].retrieval_assessments') IS NULL"
	const bodies = "substr(request, 1, 4000) AS request, substr(response, 1, 4000) AS response"
	for _, c := range []struct {
		name, arguments string
		tables          map[string][]string
		sql, parameters string
	}{
		{"gateway", ``, map[string][]string{"bot_payload": gatewayColumns},
			"SELECT request_time AS time, databricks_request_id AS request_id, client_request_id, status_code, execution_duration_ms, requester, served_entity_id, " + bodies + ", logging_error_codes FROM `main`.`rag`.`bot_payload` WHERE request_date >= :since_day" + feedbackOut + " ORDER BY request_time DESC LIMIT 51",
			`since_day=1999-12-25 DATE`},
		{"legacy", `,"min_status":400,"row_limit":7,"since":"1999-12-31"`, map[string][]string{"bot_payload": legacyColumns},
			"SELECT timestamp_ms AS time, databricks_request_id AS request_id, client_request_id, status_code, execution_time_ms, " + bodies + " FROM `main`.`rag`.`bot_payload` WHERE date >= :since_day AND status_code >= :min_status" + feedbackOut + " ORDER BY timestamp_ms DESC LIMIT 8",
			`since_day=1999-12-31 DATE, min_status=400 INT`},
		{"legacy from a time on", `,"since":"1999-12-31T12:00:00+02:00"`, map[string][]string{"bot_payload": legacyColumns}, "WHERE date >= :since_day AND timestamp_ms >= :since_ms AND", `since_day=1999-12-31 DATE, since_ms=946634400000 BIGINT`},
		{"legacy up to a time", `,"until":"1999-12-31T12:00:00.5+02:00"`, map[string][]string{"bot_payload": legacyColumns}, "WHERE date >= :since_day AND date <= :until_day AND timestamp_ms < :until_ms AND", `since_day=1999-12-24 DATE, until_day=1999-12-31 DATE, until_ms=946634400500 BIGINT`},
		{"gateway up to a day", `,"since":"1999-12-30T00:00:00Z","until":"1999-12-31"`, map[string][]string{"bot_payload": gatewayColumns}, "WHERE request_date >= :since_day AND request_time >= :since_time AND request_date <= :until_day AND request_time < :until_time AND",
			`since_day=1999-12-30 DATE, since_time=1999-12-30 00:00:00 TIMESTAMP, until_day=2000-01-01 DATE, until_time=2000-01-01 00:00:00.000000 TIMESTAMP`},
		{"unity up to a time", `,"until":"1999-12-31T12:00:00Z"`, map[string][]string{"bot_payload": unityColumns}, "WHERE event_time >= :since_time AND event_time < :until_time AND", `since_time=1999-12-24 12:00:00 TIMESTAMP, until_time=1999-12-31 12:00:00.000000 TIMESTAMP`},
		{"assessments up to a time", `,"kind":"assessments","until":"1999-12-31T12:00:00Z"`, map[string][]string{"bot_payload_assessment_logs": assessedColumns}, "WHERE timestamp >= :since_time AND timestamp < :until_time ORDER BY", `since_time=1999-12-24 12:00:00 TIMESTAMP, until_time=1999-12-31 12:00:00.000000 TIMESTAMP`},
		{"unity", ``, map[string][]string{"bot_payload": unityColumns},
			"SELECT event_time AS time, invocation_id AS request_id, status_code, latency_ms, " + bodies + ", logging_error_codes FROM `main`.`rag`.`bot_payload` WHERE event_time >= :since_time" + feedbackOut + " ORDER BY event_time DESC LIMIT 51", `since_time=1999-12-25 00:00:00 TIMESTAMP`},
		{"one request", `,"request_id":"x' OR 1=1 --"`, map[string][]string{"bot_payload": gatewayColumns}, "WHERE request_date >= :since_day AND databricks_request_id = :request_id AND", `since_day=1999-12-02 DATE, request_id=x' OR 1=1 -- STRING`},
		{"formatted", ``, map[string][]string{"bot_payload_request_logs": formattedColumns},
			"SELECT timestamp AS time, databricks_request_id AS request_id, client_request_id, conversation_id, status_code, execution_time_ms, " + bodies + " FROM `main`.`rag`.`bot_payload_request_logs` WHERE date >= :since_day ORDER BY timestamp_ms DESC LIMIT 51", `since_day=1999-12-25 DATE`},
		{"feedback", `,"kind":"assessments","request_id":"r"`, map[string][]string{"bot_payload": gatewayColumns},
			"SELECT request_time AS time, get_json_object(request, '$.dataframe_records[0].request_id') AS request_id, get_json_object(request, '$.dataframe_records[0].source.id') AS reviewer, get_json_object(request, '$.dataframe_records[0].text_assessments') AS text_assessments, get_json_object(request, '$.dataframe_records[0].retrieval_assessments') AS retrieval_assessments FROM `main`.`rag`.`bot_payload` WHERE request_date >= :since_day AND get_json_object(request, '$.dataframe_records[0].request_id') IS NOT NULL AND get_json_object(request, '$.dataframe_records[0].request_id') = :request_id ORDER BY request_time DESC LIMIT 51",
			`since_day=1999-12-02 DATE, request_id=r STRING`},
		{"assessments", `,"kind":"assessments"`, map[string][]string{"bot_payload_assessment_logs": assessedColumns},
			"SELECT timestamp AS time, request_id, to_json(source) AS source, to_json(text_assessment) AS text_assessment, to_json(retrieval_assessment) AS retrieval_assessment FROM `main`.`rag`.`bot_payload_assessment_logs` WHERE timestamp >= :since_time ORDER BY timestamp DESC LIMIT 51", `since_time=1999-12-25 00:00:00 TIMESTAMP`},
		{"a trace", `,"kind":"trace","request_id":"r"`, map[string][]string{"bot_payload": gatewayColumns},
			"SELECT request_time AS time, databricks_request_id AS request_id, get_json_object(response, '$.databricks_output.trace') AS trace FROM `main`.`rag`.`bot_payload` WHERE request_date >= :since_day AND databricks_request_id = :request_id AND get_json_object(response, '$.databricks_output.trace') IS NOT NULL ORDER BY request_time DESC LIMIT 51", `since_day=1999-12-02 DATE, request_id=r STRING`},
		{"a formatted trace", `,"kind":"trace","request_id":"r"`, map[string][]string{"bot_payload_request_logs": formattedColumns}, "databricks_request_id AS request_id, trace AS trace FROM", `since_day=1999-12-02 DATE, request_id=r STRING`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // its clock begins with the year 2000
				table := ""
				for table = range c.tables {
				}
				h := logHost(c.tables, table)
				text := succeed(t, h.server(t, nil), "agents_read_logs", `{"endpoint_name":"bot"`+c.arguments+`}`)
				all := h.statements(t)
				if len(all) != 1 || !strings.Contains(all[0].Get("statement").Str, c.sql) {
					t.Fatalf("sent %v\nwant %s", all, c.sql)
				}
				var given []string
				for _, p := range all[0].Get("parameters").Array() {
					given = append(given, fmt.Sprintf("%s=%s %s", p.Get("name").Str, p.Get("value").Str, p.Get("type").Str))
				}
				if got := strings.Join(given, ", "); got != c.parameters || strings.Contains(all[0].Get("statement").Str, "OR 1=1") {
					t.Errorf("parameters %s\nwant %s", got, c.parameters)
				}
				if gjson.Get(text, "table").Str != "main.rag."+table || gjson.Get(text, "returned").Int() != 1 || !strings.Contains(text, `"untrusted":["rows"]`) || gjson.Get(text, "note").Exists() {
					t.Errorf("got %s", text)
				}
				if _, err := sqlguard.Read(all[0].Get("statement").Str, sqlguard.Options{}); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestReadLogsFallsBack: a table that has nothing, or is not there, is followed by
// the older one.
func TestReadLogsFallsBack(t *testing.T) {
	both := map[string][]string{"bot_payload": gatewayColumns, "bot_payload_assessment_logs": assessedColumns, "bot_payload_request_logs": formattedColumns}
	for _, c := range []struct {
		name, kind string
		tables     map[string][]string
		rowsIn     string
		read       string
		statements int
		says       []string
	}{
		{"raw feedback", "assessments", both, "bot_payload", "main.rag.bot_payload", 1, nil},
		{"assessments", "assessments", both, "bot_payload_assessment_logs", "main.rag.bot_payload_assessment_logs", 2, nil},
		{"no feedback", "assessments", both, "none", "main.rag.bot_payload_assessment_logs", 2, []string{"No rows", "MLflow", "hourly"}},
		{"no requests", "requests", map[string][]string{"bot_payload": gatewayColumns}, "none", "main.rag.bot_payload", 1, []string{"10 to 30 minutes", "1 MiB"}},
		{"columns of no known kind", "requests", map[string][]string{"bot_payload": {"x"}, "bot_payload_request_logs": formattedColumns}, "bot_payload_request_logs", "main.rag.bot_payload_request_logs", 1, nil},
	} {
		h := logHost(c.tables, c.rowsIn)
		text := succeed(t, h.server(t, nil), "agents_read_logs", `{"endpoint_name":"bot","kind":"`+c.kind+`"}`)
		if gjson.Get(text, "table").Str != c.read || len(h.statements(t)) != c.statements {
			t.Errorf("%s: %d statements, %s", c.name, len(h.statements(t)), text)
		}
		for _, part := range c.says {
			if !strings.Contains(gjson.Get(text, "note").Str, part) {
				t.Errorf("%s: %q is not in %s", c.name, part, text)
			}
		}
	}
}

func TestReadLogsRefusals(t *testing.T) {
	gateway := map[string][]string{"bot_payload": gatewayColumns}
	for _, c := range []struct {
		name, arguments, policy string
		change                  func(*agentHost)
		kind                    catalog.Kind
		says                    []string
	}{
		{"no tables yet", "", "", func(h *agentHost) { delete(h.answers, tablesPath+"main.rag.bot_payload") }, catalog.Missing, []string{"main.rag.bot_payload", "within the hour"}},
		{"disabled", "", "", func(h *agentHost) {
			delete(h.answers, tablesPath+"main.rag.bot_payload")
			h.answers[endpointsPath+"/bot"] = strings.Replace(h.answers[endpointsPath+"/bot"], `"enabled":true`, `"enabled":false`, 1)
		}, catalog.Missing, []string{"disabled"}},
		{"not configured", "", "", func(h *agentHost) {
			h.answers[endpointsPath+"/bot"] = strings.Replace(h.answers[endpointsPath+"/bot"], "inference_table_config", "other", 1)
		}, catalog.Missing, []string{"no inference tables"}},
		{"no SELECT", "", "", func(h *agentHost) {
			h.errors[tablesPath+"main.rag.bot_payload"] = &catalog.Error{Kind: catalog.Forbidden, Message: "no SELECT"}
		}, catalog.Forbidden, []string{"reading the columns"}},
		{"no endpoint", "", "", func(h *agentHost) { delete(h.answers, endpointsPath+"/bot") }, catalog.Missing, []string{"reading the endpoint"}},
		{"a trace of none", `,"kind":"trace"`, "", nil, catalog.Invalid, []string{"request_id"}},
		{"no end", `,"until":"yesterday"`, "", nil, catalog.Invalid, []string{"until cannot be", "2025-01-31"}},
		{"ends before it begins", `,"since":"2025-02-01","until":"2025-01-31"`, "", nil, catalog.Invalid, []string{"until is not behind since"}},
		{"no day", `,"since":"yesterday"`, "", nil, catalog.Invalid, []string{"2025-01-31"}},
		{"tables of others", "", "scopes: {tables: [main.sales.*]}", nil, catalog.Denied, []string{"main.rag.bot_payload"}},
		{"warehouses of others", `,"warehouse_id":"w1"`, "scopes: {warehouses: [w2]}", nil, catalog.Denied, []string{"w1"}},
		{"agents of others", "", "scopes: {agents: [x]}", nil, catalog.Denied, []string{"endpoints/bot"}},
	} {
		h := logHost(gateway, "bot_payload")
		if c.change != nil {
			c.change(h)
		}
		var change func(*Config)
		if c.policy != "" {
			change = underPolicy(t, c.policy)
		}
		wantError(t, h.server(t, change), "agents_read_logs", `{"endpoint_name":"bot"`+c.arguments+`}`, c.kind, c.says...)
		if n := len(h.statements(t)); n > 0 {
			t.Errorf("%s: %d statements", c.name, n)
		}
	}
	h := logHost(gateway, "bot_payload")
	succeed(t, h.server(t, underPolicy(t, "scopes: {tables: [main.rag.*], agents: [bot], warehouses: [w1]}")), "agents_read_logs", `{"endpoint_name":"bot"}`)
}

// TestReadLogsGivesAHandle: a read that takes long goes on as a statement.
func TestReadLogsGivesAHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := logHost(map[string][]string{"bot_payload": gatewayColumns})
		plain := h.do
		h.do = func(ctx context.Context, call *catalog.Call) (string, error) {
			if strings.HasPrefix(call.Path, "/api/2.0/sql/statements") {
				return `{"statement_id":"st-1","status":{"state":"RUNNING"}}`, nil
			}
			return plain(ctx, call)
		}
		began := time.Now()
		text := succeed(t, h.server(t, nil), "agents_read_logs", `{"endpoint_name":"bot"}`)
		if !strings.Contains(gjson.Get(text, "next").Str, "sql_get_statement with statement_id") {
			t.Errorf("how to go on: %s", text)
		}
		if gjson.Get(text, "state").Str != "RUNNING" || gjson.Get(text, "statement_id").Str != "st-1" || time.Since(began) > maxWait {
			t.Errorf("after %s: %s", time.Since(began), text)
		}
	})
}

func TestLegacyTableNames(t *testing.T) {
	for config, want := range map[string]string{
		`{"name":"bot","config":{"auto_capture_config":{"catalog_name":"c","schema_name":"s","table_name_prefix":"p","enabled":true,"state":{"payload_table":{"name":"p_payload_2"}}}}}`: "c.s.p_payload_2",
		`{"name":"bot","ai_gateway":{"inference_table_config":{"catalog_name":"c","schema_name":"s","enabled":true}}}`:                                                                   "c.s.bot_payload",
		`{"name":"bot","config":{}}`: "",
	} {
		log, ok := loggingOf(endpoint{Result: gjson.Parse(config)})
		if log.payload != want || ok != (want != "") || ok && !log.enabled {
			t.Errorf("%s: %+v", config, log)
		}
	}
}
