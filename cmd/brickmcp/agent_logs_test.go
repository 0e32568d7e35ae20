package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"brickmcp/transport/sandbox"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// TestAgentLogGenerations reads tables of the generations that no endpoint of the
// sandbox fills: the SQL for each has to run, page by page, and find feedback and
// traces.
func TestAgentLogGenerations(t *testing.T) {
	f := newOffice(t, sandbox.Options{Clock: &fastClock{began: time.Now(), speed: 20}, TokenLifetime: 24 * time.Hour})
	cmd := f.command("--access", "full")
	cmd.Env = append(cmd.Env, "DATABRICKS_HOST="+f.URL, "DATABRICKS_TOKEN="+sandbox.Token)
	a := newAgent(t, cmd, nil)
	warehouse := a.call("warehouses_list", args{}).Get("warehouses.0.id").Str
	for _, c := range []struct{ endpoint, prefix, columns, id, day, time string }{
		{"order-helper", "old_helper", "client_request_id STRING, databricks_request_id STRING, date DATE, timestamp_ms BIGINT, status_code INT, execution_time_ms BIGINT, request STRING, response STRING, sampling_fraction DOUBLE",
			"databricks_request_id", "date, ", "timestamp_ms"},
		{"agents_main-rag-store_analyst", "new_analyst", "event_time TIMESTAMP, invocation_id STRING, status_code INT, latency_ms BIGINT, logging_error_codes ARRAY<STRING>, request STRING, response STRING",
			"invocation_id", "", "event_time"},
	} {
		t.Run(c.prefix, func(t *testing.T) {
			a := *a
			a.t = t
			run := func(statement string) {
				id := a.call("sql_execute_statement", args{"statement": statement, "warehouse_id": warehouse}).Get("statement_id").Str
				a.until("sql_get_statement", args{"statement_id": id}, func(r gjson.Result) bool { return r.Get("state").Str == "SUCCEEDED" })
			}
			run("CREATE TABLE main.rag." + c.prefix + "_payload (" + c.columns + ")")
			row := func(id, minute, request, response string) string {
				at := "TIMESTAMP '2025-06-01 08:" + minute + ":00'"
				when := at
				if c.day != "" {
					when = "DATE '2025-06-01', unix_millis(" + at + ")"
				}
				return fmt.Sprintf("(%s, '%s', 200, '%s', '%s')", when, id, request, response)
			}
			run("INSERT INTO main.rag." + c.prefix + "_payload (" + c.day + c.time + ", " + c.id + ", status_code, request, response) VALUES " + strings.Join([]string{
				row("second", "02", `{"messages":[]}`, `{"databricks_output":{"trace":{"info":{"state":"OK"}}}}`),
				row("first", "01", `{"messages":[]}`, `{}`),
				row("judged", "04", `{"dataframe_records":[{"source":{"id":"ben"},"request_id":"first","text_assessments":[{"ratings":{}}]}]}`, `{}`),
				row("third", "03", `{"messages":[]}`, `{}`),
			}, ", "))
			captures(t, f, c.endpoint, c.prefix)
			a.until("agents_get", args{"endpoint_name": c.endpoint}, func(r gjson.Result) bool {
				return r.Get("inference_tables.tables.0.exists").Bool() && r.Get("state.config_update").Str != "IN_PROGRESS"
			})

			read := func(more args) gjson.Result {
				arguments := args{"endpoint_name": c.endpoint, "since": "2025-06-01T00:00:00Z", "row_limit": 2}
				for name, value := range more {
					arguments[name] = value
				}
				return a.until("agents_read_logs", arguments, func(r gjson.Result) bool { return r.Get("rows").Exists() })
			}
			page := read(nil)
			if ids := page.Get("rows.#.1").Raw; ids != `["third","second"]` || !page.Get("truncated").Bool() || !strings.Contains(page.Get("next").Str, "until=2025-06-01T08:02:00.000000Z.") {
				t.Errorf("the newest: %s", page.Raw)
			}
			if page = read(args{"until": "2025-06-01T08:02:00.000000Z"}); page.Get("rows.#.1").Raw != `["first"]` || page.Get("truncated").Bool() || page.Get("next").Exists() {
				t.Errorf("those before: %s", page.Raw)
			}
			if page = read(args{"kind": "assessments"}); page.Get("rows.#.1").Raw != `["first"]` || page.Get("rows.0.2").Str != "ben" {
				t.Errorf("feedback: %s", page.Raw)
			}
			if page = read(args{"kind": "trace", "request_id": "second"}); !strings.Contains(page.Get("rows.0.2").Str, "OK") {
				t.Errorf("the trace: %s", page.Raw)
			}
			if page = read(args{"min_status": 400}); page.Get("returned").Int() != 0 || !strings.Contains(page.Get("note").Str, "within the hour") {
				t.Errorf("failures: %s", page.Raw)
			}
		})
	}
}

// captures gives an endpoint the older form of inference tables, with that prefix.
func captures(t *testing.T, f *office, endpoint, prefix string) {
	t.Helper()
	do := func(method, path, body string) string {
		request, err := http.NewRequestWithContext(t.Context(), method, f.URL+"/api/2.0/serving-endpoints/"+endpoint+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+sandbox.Token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %d %s %v", method, path, response.StatusCode, answer, err)
		}
		return string(answer)
	}
	config, err := sjson.Delete(gjson.Get(do("GET", "", ""), "config").Raw, "served_models") // the deprecated twin
	if err != nil {
		t.Fatal(err)
	}
	config, err = sjson.Set(config, "auto_capture_config", map[string]any{
		"enabled": true, "catalog_name": "main", "schema_name": "rag", "table_name_prefix": prefix,
		"state": map[string]any{"payload_table": map[string]any{"name": prefix + "_payload", "status": "READY"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	do("PUT", "/config", config)
}
