package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

const statementsAPI = "/api/2.0/sql/statements"

// warehouse is the id of a seeded warehouse.
func (c caller) warehouse(name string) string {
	c.t.Helper()
	for _, wh := range c.get("/api/2.0/sql/warehouses")["warehouses"].([]any) {
		if o := wh.(map[string]any); o["name"] == name {
			return o["id"].(string)
		}
	}
	c.t.Fatalf("no warehouse %s", name)
	return ""
}

// sql executes a statement on the running warehouse; more are further fields.
func (c caller) sql(text string, more ...any) map[string]any {
	c.t.Helper()
	body := shape{"warehouse_id": c.warehouse("Shared Serverless"), "statement": text, "wait_timeout": "50s"}
	for i := 0; i+1 < len(more); i += 2 {
		body[more[i].(string)] = more[i+1]
	}
	return c.call("POST", statementsAPI, body)
}

// dig reads a nested field as text; "" when it is absent.
func dig(v any, path ...any) string {
	for _, p := range path {
		switch key := p.(type) {
		case string:
			o, _ := v.(map[string]any)
			v = o[key]
		case int:
			list, _ := v.([]any)
			if key >= len(list) {
				return ""
			}
			v = list[key]
		}
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// ended waits until a statement is in a terminal state.
func (c caller) ended(id string) {
	c.t.Helper()
	ss := c.w.statements
	ss.mu.Lock()
	s := ss.byID[id]
	ss.mu.Unlock()
	select {
	case <-s.done:
	case <-time.After(30 * time.Second):
		c.t.Fatal("the statement does not end")
	}
}

func TestStatementAnswersRows(t *testing.T) {
	ana, _, _ := newCallers(t)
	got := ana.sql("SELECT order_id, total_amount, store_id, order_date, status = 'x' AS b FROM main.retail.orders ORDER BY order_id LIMIT 2")
	if dig(got, "status", "state") != "SUCCEEDED" {
		t.Fatalf("%v", got)
	}
	for i, want := range []string{"order_id LONG BIGINT", "total_amount DECIMAL DECIMAL(12,2)", "store_id INT INT", "order_date DATE DATE", "b BOOLEAN BOOLEAN"} {
		c := got["manifest"].(map[string]any)["schema"].(map[string]any)["columns"].([]any)[i]
		if s := dig(c, "name") + " " + dig(c, "type_name") + " " + dig(c, "type_text"); s != want || dig(c, "position") != fmt.Sprint(i) {
			t.Errorf("column %d: %s at %s, want %s", i, s, dig(c, "position"), want)
		}
	}
	for path, want := range map[string]string{"total_row_count": "2", "total_chunk_count": "1", "truncated": "false", "format": "JSON_ARRAY", "total_byte_count": ""} {
		if s := dig(got, "manifest", path); s != want {
			t.Errorf("manifest %s: %q, want %q", path, s, want)
		}
	}
	row := got["result"].(map[string]any)["data_array"].([]any)[0].([]any)
	if len(row) != 5 || row[0] != "100001" || row[4] != "false" {
		t.Errorf("row: %v", row) // every cell is a string
	}
	again := ana.get(statementsAPI + "/" + dig(got, "statement_id"))
	if fmt.Sprint(again) != fmt.Sprint(got) {
		t.Errorf("get: %v\nwant %v", again, got)
	}
}

func TestStatementWithoutRows(t *testing.T) {
	ana, _, _ := newCallers(t)
	for _, text := range []string{"SELECT * FROM main.retail.orders WHERE false", "CREATE SCHEMA main.lab"} {
		got := ana.sql(text)
		if dig(got, "status", "state") != "SUCCEEDED" || dig(got, "manifest", "total_chunk_count") != "0" || len(got["result"].(map[string]any)) != 0 {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestFailedStatementIsHTTP200(t *testing.T) {
	ana, _, _ := newCallers(t)
	for text, want := range map[string]string{
		"SELECT * FROM main.retail.nope": "42P01 BAD_REQUEST [TABLE_OR_VIEW_NOT_FOUND]",
		"SELEC 1":                        "42601 BAD_REQUEST [PARSE_SYNTAX_ERROR]",
		"SELECT :x":                      "42P02 BAD_REQUEST [UNBOUND_SQL_PARAMETER]",
	} {
		got := ana.sql(text)
		s := dig(got, "status", "sql_state") + " " + dig(got, "status", "error", "error_code") + " " + dig(got, "status", "error", "message")
		if dig(got, "status", "state") != "FAILED" || !strings.HasPrefix(s, want) || got["manifest"] != nil || got["result"] != nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestStatementRequestIsChecked(t *testing.T) {
	ana, ben, _ := newCallers(t)
	id := ana.warehouse("Shared Serverless")
	for _, more := range []shape{
		{"wait_timeout": "3s"}, {"wait_timeout": "51s"}, {"wait_timeout": "10"}, {"wait_timeout": "1m"}, {"wait_timeout": "-5s"},
		{"on_wait_timeout": "STOP"}, {"disposition": "inline"}, {"format": "XML"}, {"format": "CSV"}, {"format": "ARROW_STREAM"},
		{"format": "ARROW_STREAM", "disposition": "EXTERNAL_LINKS"}, {"statement": ""}, {"warehouse_id": ""}, {"row_limit": -1},
		{"parameters": []shape{{"value": "1"}}},
	} {
		body := shape{"warehouse_id": id, "statement": "SELECT 1"}
		for k, v := range more {
			body[k] = v
		}
		ana.refused("POST", statementsAPI, body, 400, "INVALID_PARAMETER_VALUE")
	}
	ana.refused("POST", statementsAPI, shape{"warehouse_id": id, "statement": "SELECT 1", "wait_timeout": 10}, 400, "MALFORMED_REQUEST")
	ana.refused("POST", statementsAPI, shape{"warehouse_id": "0123456789abcdef", "statement": "SELECT 1"}, 400, "RESOURCE_DOES_NOT_EXIST")
	ben.refused("POST", statementsAPI, shape{"warehouse_id": ana.warehouse("ETL Pro"), "statement": "SELECT 1"}, 403, "PERMISSION_DENIED")
	ana.refused("POST", statementsAPI+"/execute", shape{}, 404, "ENDPOINT_NOT_FOUND")
	if got := ana.call("POST", statementsAPI+"/", shape{"warehouse_id": id, "statement": "SELECT 1"}); dig(got, "status", "state") != "SUCCEEDED" {
		t.Errorf("with a trailing slash: %v", got)
	}
}

func TestStatementParameters(t *testing.T) {
	ana, _, _ := newCallers(t)
	got := ana.sql("SELECT :a + 1 AS a, :b AS b, :c AS c", "parameters", []shape{{"name": "a", "value": "41", "type": "BIGINT"}, {"name": "b", "value": "x'y"}, {"name": "c"}})
	if s := dig(got, "result", "data_array", 0); s != "[42 x'y <nil>]" {
		t.Errorf("%s in %v", s, got)
	}
}

func TestChunksAreFollowed(t *testing.T) {
	ana, ben, _ := newCallers(t)
	got := ana.sql("SELECT order_id, line FROM main.retail.order_items")
	id := dig(got, "statement_id")
	total, chunk, chunks := 0, got["result"].(map[string]any), 0
	for {
		if dig(chunk, "chunk_index") != fmt.Sprint(chunks) || dig(chunk, "row_offset") != fmt.Sprint(total) {
			t.Errorf("chunk %s at %s", dig(chunk, "chunk_index"), dig(chunk, "row_offset"))
		}
		total += len(chunk["data_array"].([]any))
		chunks++
		link, more := chunk["next_chunk_internal_link"].(string)
		if !more {
			break
		}
		chunk = ana.get(link)
	}
	if dig(got, "manifest", "total_row_count") != fmt.Sprint(total) || dig(got, "manifest", "total_chunk_count") != fmt.Sprint(chunks) || total < 10000 || chunks < 3 {
		t.Errorf("%d rows in %d chunks, manifest %v", total, chunks, got["manifest"])
	}
	ana.refused("GET", statementsAPI+"/"+id+"/result/chunks/99", nil, 400, "INVALID_PARAMETER_VALUE")
	ben.refused("GET", statementsAPI+"/"+id+"/result/chunks/0", nil, 404, "NOT_FOUND")
	ben.refused("GET", statementsAPI+"/"+id, nil, 404, "NOT_FOUND")
}

func TestExternalLinks(t *testing.T) {
	ana, _, clock := newCallers(t)
	got := ana.sql("SELECT order_id, store_id FROM main.retail.orders", "disposition", "EXTERNAL_LINKS")
	link := got["result"].(map[string]any)["external_links"].([]any)[0].(map[string]any)
	if dig(link, "expiration") != "2025-06-30T06:15:00.000Z" || dig(got, "manifest", "total_byte_count") == "" {
		t.Errorf("%v", link)
	}
	if _, there := got["result"].(map[string]any)["next_chunk_index"]; there {
		t.Error("with links the next chunk is named inside of them")
	}
	fetch := func(link string, headers http.Header) (int, string) {
		r := httptest.NewRequest("GET", link, nil)
		r.Header = headers
		rec := httptest.NewRecorder()
		ana.w.ServeHTTP(rec, r)
		return rec.Code, rec.Body.String()
	}
	headers := func() http.Header {
		h := http.Header{}
		for k, v := range link["http_headers"].(map[string]any) {
			h.Set(k, v.(string))
		}
		return h
	}
	url := dig(link, "external_link")
	status, body := fetch(url, headers())
	var rows [][]*string
	if err := json.Unmarshal([]byte(body), &rows); err != nil || status != 200 || fmt.Sprint(len(rows)) != dig(link, "row_count") || fmt.Sprint(len(body)) != dig(link, "byte_count") {
		t.Errorf("%d: %d rows, %d bytes, %v", status, len(rows), len(body), err)
	}
	withToken := headers()
	withToken.Set("Authorization", "Bearer "+Token)
	for name, c := range map[string]struct {
		url     string
		headers http.Header
		status  int
		code    string
	}{
		"with a token":   {url, withToken, 400, "InvalidArgument"},
		"without a key":  {url, http.Header{}, 400, "InvalidRequest"},
		"other chunk":    {strings.Replace(url, "/0?", "/1?", 1), headers(), 403, "SignatureDoesNotMatch"},
		"later date":     {strings.Replace(url, "X-Amz-Date=2025", "X-Amz-Date=2026", 1), headers(), 403, "SignatureDoesNotMatch"},
		"not signed":     {strings.Split(url, "?")[0], headers(), 403, "SignatureDoesNotMatch"},
		"of other chunk": {strings.Replace(url, "Signature=", "Signature=00", 1), headers(), 403, "SignatureDoesNotMatch"},
	} {
		if status, body := fetch(c.url, c.headers); status != c.status || !strings.Contains(body, "<Code>"+c.code+"</Code>") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	clock.advance(linkLife + time.Second)
	if status, body := fetch(url, headers()); status != 403 || !strings.Contains(body, "Request has expired") {
		t.Errorf("expired: %d %s", status, body)
	}
	fresh := ana.get(statementsAPI + "/" + dig(got, "statement_id") + "/result/chunks/0")
	if status, _ := fetch(dig(fresh, "external_links", 0, "external_link"), headers()); status != 200 {
		t.Errorf("fresh link: %d", status)
	}
	csv := ana.sql("SELECT 1 AS a, NULL AS b", "disposition", "EXTERNAL_LINKS", "format", "CSV")
	link = csv["result"].(map[string]any)["external_links"].([]any)[0].(map[string]any)
	if status, body := fetch(dig(link, "external_link"), headers()); status != 200 || body != "a,b\n1,null\n" {
		t.Errorf("csv: %d %q", status, body)
	}
}

func TestInlineLimitFailsTheStatement(t *testing.T) {
	ana, _, _ := newCallers(t)
	const big = "SELECT repeat('x', 20000) FROM main.retail.orders LIMIT 1500"
	got := ana.sql(big)
	if dig(got, "status", "state") != "FAILED" || !strings.HasPrefix(dig(got, "status", "error", "message"), "Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at most 26214400 bytes") {
		t.Errorf("%.300s", fmt.Sprint(got))
	}
	got = ana.sql(big, "row_limit", 10)
	if dig(got, "manifest", "total_row_count") != "10" || dig(got, "manifest", "truncated") != "true" {
		t.Errorf("%v", got["manifest"])
	}
	got = ana.sql(big, "disposition", "EXTERNAL_LINKS")
	if dig(got, "manifest", "total_row_count") != "1500" {
		t.Errorf("%v", got["status"])
	}
}

func TestAsynchronousStatement(t *testing.T) {
	ana, _, _ := newCallers(t)
	got := ana.sql("SELECT 1 AS one", "wait_timeout", "0s")
	if dig(got, "status", "state") != "PENDING" || got["manifest"] != nil {
		t.Errorf("at once: %v", got)
	}
	id := dig(got, "statement_id")
	ana.ended(id)
	got = ana.get(statementsAPI + "/" + id)
	if dig(got, "status", "state") != "SUCCEEDED" || dig(got, "result", "data_array", 0, 0) != "1" {
		t.Errorf("then: %v", got)
	}
}

func TestCancelStopsTheSQL(t *testing.T) {
	ana, ben, _ := newCallers(t)
	got := ana.sql("SELECT sandbox_sleep(3600)", "wait_timeout", "0s")
	id := dig(got, "statement_id")
	ben.refused("POST", statementsAPI+"/"+id+"/cancel", nil, 404, "NOT_FOUND")
	ana.refused("GET", statementsAPI+"/"+id+"/result/chunks/0", nil, 400, "INVALID_STATE")
	if got := ana.call("POST", statementsAPI+"/"+id+"/cancel", nil); len(got) != 0 {
		t.Errorf("cancel answers %v", got)
	}
	got = ana.get(statementsAPI + "/" + id)
	if dig(got, "status", "state") != "CANCELED" || dig(got, "status", "error", "error_code") != "CANCELLED" {
		t.Errorf("%v", got)
	}
	ana.w.statements.runs.Wait() // hangs if the SQL goes on
	done := ana.sql("SELECT 1")
	ana.call("POST", statementsAPI+"/"+dig(done, "statement_id")+"/cancel", nil)
	if got := ana.get(statementsAPI + "/" + dig(done, "statement_id")); dig(got, "status", "state") != "SUCCEEDED" {
		t.Errorf("canceled after its end: %v", got)
	}
}

func TestWaitTimeout(t *testing.T) {
	ana, _, clock := newCallers(t)
	id := ana.warehouse("Shared Serverless")
	for mode, want := range map[string]string{"CONTINUE": "RUNNING", "CANCEL": "CANCELED"} {
		answers := make(chan *httptest.ResponseRecorder)
		go func() {
			answers <- ana.send("POST", statementsAPI, shape{
				"warehouse_id": id, "statement": "SELECT sandbox_sleep(3600)", "wait_timeout": "50s", "on_wait_timeout": mode,
			})
		}()
		for !ana.runs(statementRunning) {
			runtime.Gosched()
		}
		clock.advance(49 * time.Second)
		select {
		case got := <-answers:
			t.Fatalf("%s: too early: %s", mode, got.Body)
		case <-time.After(3 * poll):
		}
		clock.advance(time.Second)
		var got map[string]any
		if err := json.Unmarshal((<-answers).Body.Bytes(), &got); err != nil || dig(got, "status", "state") != want {
			t.Errorf("%s: %v, %v", mode, got, err)
		}
		ana.call("POST", statementsAPI+"/"+dig(got, "statement_id")+"/cancel", nil)
	}
	ana.w.statements.runs.Wait()
}

// runs says whether any statement is in a state.
func (c caller) runs(state string) bool {
	ss := c.w.statements
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return slices.ContainsFunc(ss.order, func(s *statement) bool { return s.state == state })
}

func TestStatementStartsAStoppedWarehouse(t *testing.T) {
	ana, _, clock := newCallers(t)
	stopped := ana.warehouse("Finance Reporting")
	got := ana.call("POST", statementsAPI, shape{"warehouse_id": stopped, "statement": "SELECT 1", "wait_timeout": "0s"})
	id := dig(got, "statement_id")
	if got := ana.get(statementsAPI + "/" + id); dig(got, "status", "state") != "PENDING" {
		t.Errorf("while it starts: %v", got)
	}
	if got := ana.get("/api/2.0/sql/warehouses/" + stopped); got["state"] != "STARTING" {
		t.Errorf("warehouse: %v", got["state"])
	}
	clock.advance(20 * time.Minute)
	ana.ended(id)
	if got := ana.get(statementsAPI + "/" + id); dig(got, "status", "state") != "SUCCEEDED" {
		t.Errorf("when it runs: %v", got)
	}
}

func TestResultsAndRecordsExpire(t *testing.T) {
	ana, _, clock := newCallers(t)
	id := dig(ana.sql("SELECT 1"), "statement_id")
	clock.advance(resultLife - time.Second)
	if got := ana.get(statementsAPI + "/" + id); dig(got, "status", "state") != "SUCCEEDED" {
		t.Errorf("within the hour: %v", got)
	}
	clock.advance(time.Second)
	if got := ana.get(statementsAPI + "/" + id); dig(got, "status", "state") != "CLOSED" || got["result"] != nil {
		t.Errorf("after an hour: %v", got)
	}
	ana.refused("GET", statementsAPI+"/"+id+"/result/chunks/0", nil, 404, "NOT_FOUND")
	clock.advance(statementLife)
	ana.refused("GET", statementsAPI+"/"+id, nil, 404, "NOT_FOUND")
}

func TestQueryHistory(t *testing.T) {
	ana, ben, _ := newCallers(t)
	const history = "/api/2.0/sql/history/queries"
	ok := ana.sql("SELECT 1", "query_tags", []shape{{"key": "k", "value": "1"}, {"key": "k", "value": "2"}})
	ana.sql("SELECT * FROM nope")
	ben.sql("SELECT 2")
	page := ana.get(history + "?max_results=2")
	if dig(page, "res", 0, "query_text") != "SELECT 2" || dig(page, "res", 1, "status") != "FAILED" || page["has_next_page"] != true {
		t.Errorf("%v", page) // newest first; an admin sees all
	}
	page = ana.get(history + "?max_results=2&page_token=" + strings.ReplaceAll(dig(page, "next_page_token"), "+", "%2B"))
	first := page["res"].([]any)[0]
	if dig(first, "query_id") != dig(ok, "statement_id") || dig(first, "status") != "FINISHED" || dig(first, "query_tags") != "[map[key:k value:2]]" || page["has_next_page"] != false {
		t.Errorf("%v", page)
	}
	if got := ben.get(history); len(got["res"].([]any)) != 1 {
		t.Errorf("ben sees %v", got)
	}
	if got := ana.get(history + "?filter_by.statuses=FAILED"); len(got["res"].([]any)) != 1 {
		t.Errorf("failed: %v", got)
	}
}
