package tools

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// lakehouse is a fake workspace with warehouses, on which every statement runs for
// some time.
type lakehouse struct {
	*fake
	houses    []string // as the API lists them, two to a page
	runs      time.Duration
	answer    func(body gjson.Result) string // of a statement that has run; nil: one row
	submitted []gjson.Result                 // bodies, in order
	sent      time.Time                      // the latest of them
	cancelled bool
}

func newLakehouse(houses ...string) *lakehouse {
	l := &lakehouse{fake: &fake{}, houses: houses}
	l.do = l.serve
	return l
}

// house is a warehouse from "id state size", and perhaps "serverless" or a health.
func house(spec string) string {
	words := strings.Fields(spec)
	w := fmt.Sprintf(`{"id":%q,"name":"name of %s","state":%q,"cluster_size":%q`, words[0], words[0], words[1], words[2])
	for _, word := range words[3:] {
		if word == "serverless" {
			w += `,"enable_serverless_compute":true`
		} else {
			w += fmt.Sprintf(`,"health":{"status":%q}`, word)
		}
	}
	return w + "}"
}

func (l *lakehouse) serve(ctx context.Context, call *catalog.Call) (string, error) {
	const root = "/api/2.0/sql/warehouses"
	switch {
	case call.Path == root:
		from := 0
		_, _ = fmt.Sscan(call.Page.Token, &from)
		page := `{"warehouses":[`
		for i, spec := range l.houses[from:min(from+2, len(l.houses))] {
			if i > 0 {
				page += ","
			}
			page += house(spec)
		}
		if page += "]"; from+2 < len(l.houses) {
			page += fmt.Sprintf(`,"next_page_token":"%d"`, from+2)
		}
		return page + "}", nil
	case strings.HasPrefix(call.Path, root+"/"):
		for _, spec := range l.houses {
			if strings.HasPrefix(spec, strings.TrimPrefix(call.Path, root+"/")+" ") {
				return house(spec), nil
			}
		}
		return "", &catalog.Error{Kind: catalog.Missing, Message: "no such warehouse", Advice: "Look.", Status: http.StatusNotFound}
	case strings.HasSuffix(call.Path, "/cancel"):
		l.cancelled = true
		return "{}", nil
	case call.Row.Method == http.MethodPost:
		body := gjson.ParseBytes(call.Body)
		l.submitted, l.sent = append(l.submitted, body), time.Now()
		wait, err := time.ParseDuration(body.Get("wait_timeout").Str)
		if err != nil {
			return "", err
		}
		select {
		case <-time.After(min(wait, l.runs)):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return l.state(), nil
}

func (l *lakehouse) state() string {
	state := "RUNNING"
	body := l.submitted[len(l.submitted)-1]
	for _, spec := range l.houses {
		if words := strings.Fields(spec); words[0] == body.Get("warehouse_id").Str && words[1] != "RUNNING" {
			state = "PENDING"
		}
	}
	switch {
	case l.cancelled:
		state = "CANCELED"
	case time.Since(l.sent) >= l.runs && l.answer != nil:
		return l.answer(body)
	case time.Since(l.sent) >= l.runs:
		return succeeded(`["1","1.00","a"]`, 1, "")
	}
	return fmt.Sprintf(`{"statement_id":"st-1","status":{"state":%q}}`, state)
}

// count is how many requests began like that.
func (l *lakehouse) count(prefix string) int {
	return len(slices.DeleteFunc(l.seen(), func(line string) bool { return !strings.HasPrefix(line, prefix) }))
}

func (l *lakehouse) server(t testing.TB, access string, change func(*Config)) *Server {
	t.Helper()
	return newServer(t, l.fake, func(c *Config) {
		var err error
		if c.Access, err = ParseAccess(access); err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(c)
		}
	})
}

const (
	aQuery     = `{"statement":"SELECT n FROM main.sales.orders"}`
	listed     = "GET /api/2.0/sql/warehouses"
	lookedAt   = "GET /api/2.0/sql/warehouses/"
	statements = "POST /api/2.0/sql/statements {"
)

func TestQueryGoesOut(t *testing.T) {
	for _, c := range []struct{ name, arguments, body, limited string }{
		{"as it is", `{"statement":"SELECT 1","warehouse_id":"w"}`,
			`{"statement":"SELECT 1","warehouse_id":"w","row_limit":10000,"wait_timeout":"5s"}`, "row_limit 10000; a larger one gives more"},
		{"with everything", `{"statement":"SELECT :d, :e","warehouse_id":"w","catalog":"main","schema":"s","row_limit":9007199254740993,"parameters":[{"name":"d","value":"2025-01-31","type":"DATE"},{"name":"e"}]}`,
			`{"statement":"SELECT :d, :e","warehouse_id":"w","catalog":"main","schema":"s","parameters":[{"name":"d","value":"2025-01-31","type":"DATE"},{"name":"e"}],"row_limit":9007199254740993,"wait_timeout":"5s"}`, "row_limit 9007199254740993; a larger one gives more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLakehouse("w RUNNING Small")
			l.answer = func(gjson.Result) string {
				return strings.Replace(succeeded(`["1","1.00","a"]`, 1, ""), `"total_row_count"`, `"truncated":true,"total_row_count"`, 1)
			}
			got := succeed(t, l.server(t, "full", nil), "sql_query", c.arguments)
			if calls := l.seen(); len(calls) != 1 || calls[0] != "POST /api/2.0/sql/statements "+c.body {
				t.Errorf("sent %q\nwant %s", calls, c.body)
			}
			if gjson.Get(got, "limited_by").Str != c.limited || !gjson.Get(got, "truncated").Bool() || gjson.Get(got, "warehouse_id").Exists() {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestQueryWaits: for 48 seconds at most, then comes the handle.
func TestQueryWaits(t *testing.T) {
	for _, c := range []struct {
		name, house, state, says string
		runs, most               time.Duration
		requests                 int // at most
	}{
		{"quick", "w RUNNING Small", "SUCCEEDED", "", time.Second, time.Second, 1},
		{"slower", "w RUNNING Small", "SUCCEEDED", "", 20 * time.Second, 26 * time.Second, 6},
		{"not in time", "w RUNNING Small", "RUNNING", "", time.Hour, maxWait, 13},
		{"warehouse does not come up in time", "w STARTING Small", "PENDING", "STARTING", time.Hour, maxWait, 14},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLakehouse(c.house)
				l.runs = c.runs
				began := time.Now()
				text := succeed(t, l.server(t, "full", nil), "sql_query", `{"statement":"SELECT 1","warehouse_id":"w"}`)
				if gjson.Get(text, "state").Str != c.state || gjson.Get(text, "statement_id").Str != "st-1" || gjson.Get(text, "warehouse_state").Str != c.says {
					t.Errorf("got %s", text)
				}
				if took := time.Since(began); took > c.most {
					t.Errorf("took %s, want at most %s", took, c.most)
				}
				if n := len(l.seen()); n > c.requests || len(l.submitted) != 1 {
					t.Errorf("%d requests, want at most %d: %q", n, c.requests, l.seen())
				}
			})
		})
	}
	starting := statement{id: "st-1", state: "PENDING", pending: "warehouse x is starting"}
	if got := starting.progress(); got != "warehouse x is starting" {
		t.Errorf("progress %q", got)
	}
	starting.state = "RUNNING"
	if got := starting.progress(); got != "statement st-1 is RUNNING" {
		t.Errorf("progress %q", got)
	}
}

func TestQueryIsCancelled(t *testing.T) {
	for _, after := range []time.Duration{time.Second, 12 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			l := newLakehouse("w RUNNING Small")
			l.runs = time.Hour
			s := l.server(t, "read", nil)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(after, cancel)
			began := time.Now()
			text, failed := askWith(ctx, t, s, "sql_query", aQuery)
			if !failed || time.Since(began) > after || !strings.Contains(text, "sql_query on ") {
				t.Errorf("the call took %s and said %s", time.Since(began), text)
			}
			s.Wait(t.Context())
			if n := l.count("POST /api/2.0/sql/statements/st-1/cancel"); n != 1 || !l.cancelled {
				t.Errorf("%d cancel requests", n)
			}
		})
	}
}

const tooLargeInline = `{"statement_id":"st-1","status":{"state":"FAILED","error":{"error_code":"BAD_REQUEST","message":"Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at most 26214400 bytes."}}}`

// TestQueryComesThroughLinks: once, and only when the result is too large.
func TestQueryComesThroughLinks(t *testing.T) {
	linked := strings.Replace(succeeded("", 1, ""), `"data_array":[]`, `"external_links":[{"chunk_index":0,"external_link":"https://store/0"}]`, 1)
	for _, c := range []struct {
		name, second string // answer of the second run; empty: HTTP 400
		link         error
		kind         catalog.Kind // empty: success
		says         string
	}{
		{"read", linked, nil, "", ""},
		{"refused there", "", nil, catalog.Invalid, "EXTERNAL_LINKS is off"},
		{"fails there too", tooLargeInline, nil, catalog.Invalid, "Inline byte limit"},
		{"storage cannot be reached", linked, &catalog.Error{Kind: catalog.Down, Message: "no way", Advice: "Try."}, catalog.Down, "no way"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLakehouse("w RUNNING Small")
			l.answer = func(body gjson.Result) string {
				if body.Get("disposition").Exists() {
					return c.second
				}
				return tooLargeInline
			}
			l.do = func(ctx context.Context, call *catalog.Call) (string, error) {
				text, err := l.serve(ctx, call)
				if text == "" && err == nil {
					err = &catalog.Error{Kind: catalog.Invalid, Message: "EXTERNAL_LINKS is off here", Advice: "Ask.", Status: http.StatusBadRequest}
				}
				return text, err
			}
			l.link = func(string) (string, error) { return `[["7","1.00","z"]]`, c.link }
			s := l.server(t, "read", nil)
			text, failed := ask(t, s, "sql_query", `{"statement":"SELECT 1","row_limit":5000000}`)
			if n := len(l.submitted); n != 2 || l.submitted[1].Get("disposition").Str != "EXTERNAL_LINKS" || l.submitted[1].Get("row_limit").Int() != 5000000 {
				t.Fatalf("%d runs: %v", n, l.submitted)
			}
			if c.kind == "" {
				if failed || gjson.Get(text, "rows").Raw != `[[7,1.00,"z"]]` {
					t.Errorf("got %s", text)
				}
				return
			}
			if !failed || gjson.Get(text, "error.kind").Str != string(c.kind) || !strings.Contains(text, c.says) || !strings.Contains(text, "a smaller row_limit") {
				t.Errorf("got %s", text)
			}
		})
	}
}

// TestQueryRunsTwiceWithinItsTime: a second run that starts late gives a handle.
func TestQueryRunsTwiceWithinItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLakehouse("w RUNNING Small")
		l.runs = 44 * time.Second
		l.answer = func(gjson.Result) string { return tooLargeInline }
		began := time.Now()
		text := succeed(t, l.server(t, "read", nil), "sql_query", aQuery)
		if gjson.Get(text, "state").Str != "RUNNING" || len(l.submitted) != 2 || time.Since(began) > maxWait {
			t.Errorf("after %s and %d runs: %s", time.Since(began), len(l.submitted), text)
		}
	})
}

func TestQueryRefusals(t *testing.T) {
	for _, c := range []struct {
		name, arguments string
		says            []string
	}{
		{"write", `{"statement":"DELETE FROM main.sales.orders"}`, []string{"sql_query: ", "DELETE", "line 1, column 1", "Nothing was sent"}},
		{"several", `{"statement":"SELECT 1;\n DROP TABLE t"}`, []string{"line 2", "Nothing was sent"}},
		{"effect", `{"statement":"SELECT http_request(conn => 'x')"}`, []string{"http_request"}},
		{"no parameter", `{"statement":"SELECT :a, :b","parameters":[{"name":"a","value":"1"}]}`, []string{"the marker :b has no parameter"}},
		{"no parameters", `{"statement":"SELECT :a"}`, []string{"the marker :a has no parameter", "parameters"}},
		{"no marker", `{"statement":"SELECT ':a'","parameters":[{"name":"a","value":"1"}]}`, []string{`parameter \"a\" has no marker :a`}},
		{"twice", `{"statement":"SELECT :a","parameters":[{"name":"a","value":"1"},{"name":"a","value":"2"}]}`, []string{`\"a\" is given twice`}},
		{"no name", `{"statement":"SELECT 1","parameters":[{"value":"1"}]}`, []string{"a parameter has no name"}},
		{"no text", `{"statement":"SELECT :a","parameters":[{"name":"a","value":1,"type":"INT"}]}`, []string{"must be a string"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLakehouse("w RUNNING Small")
			wantError(t, l.server(t, "full", nil), "sql_query", c.arguments, catalog.Invalid, c.says...)
			if calls := l.seen(); len(calls) > 0 {
				t.Errorf("sent %q", calls)
			}
		})
	}
	const write = `{"statement":"DELETE FROM t"}`
	l := newLakehouse("w RUNNING Small")
	wantError(t, l.server(t, "read", nil), "sql_query", write, catalog.Invalid, "But sql_execute_statement is not allowed here (it needs sql=full): ask the person who runs this server.")
	if text, _ := ask(t, l.server(t, "full", nil), "sql_query", write); strings.Contains(text, "is not allowed") {
		t.Errorf("at full: %s", text)
	}
	wantError(t, l.server(t, "sql=off", nil), "sql_query", aQuery, catalog.Denied)
}

// TestQueryErrorsNameTheChoice: the caller did not name the warehouse.
func TestQueryErrorsNameTheChoice(t *testing.T) {
	l := newLakehouse("w RUNNING Small")
	l.do = func(ctx context.Context, call *catalog.Call) (string, error) {
		if call.Row.Method == http.MethodPost {
			return "", &catalog.Error{Kind: catalog.Forbidden, Message: "no CAN_USE", Advice: "Ask.", Status: http.StatusForbidden}
		}
		return l.serve(ctx, call)
	}
	wantError(t, l.server(t, "full", nil), "sql_query", aQuery, catalog.Forbidden, "no CAN_USE", "Warehouse w was picked")
	if text, _ := ask(t, l.server(t, "full", nil), "sql_query", `{"statement":"SELECT 1","warehouse_id":"w"}`); strings.Contains(text, "picked") {
		t.Errorf("a named warehouse: %s", text)
	}
	l.do = func(context.Context, *catalog.Call) (string, error) {
		return "", &catalog.Error{Kind: catalog.SignIn, Message: "sign in", Advice: "Go.", SignInURL: "https://x", Err: errors.New("cause")}
	}
	wantError(t, l.server(t, "full", nil), "sql_query", aQuery, catalog.SignIn, "sql_query, looking for a warehouse: sign in")
	l.do = func(context.Context, *catalog.Call) (string, error) { return `{"warehouses":7}`, nil }
	wantError(t, l.server(t, "full", nil), "sql_query", aQuery, catalog.Down, "looking for a warehouse", "warehouse_id")
}

// TestProvenRowsThink: a row that could write must never go out as it was bound.
func TestProvenRowsThink(t *testing.T) {
	proven := 0
	for _, row := range catalog.All() {
		if row.Proven {
			proven++
			if thinking[row.Name] == nil {
				t.Errorf("%s has no handler that proves its calls", row.Name)
			}
		}
	}
	if proven == 0 {
		t.Error("no row is Proven: this test sees nothing")
	}
}
