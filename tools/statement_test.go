package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

const columns = `"manifest":{"format":"JSON_ARRAY","total_row_count":%d,"schema":{"columns":[{"name":"n","type_name":"LONG","type_text":"BIGINT"},{"name":"d","type_name":"DECIMAL","type_text":"DECIMAL(38,2)"},{"name":"s","type_name":"STRING","type_text":"STRING"}]}}`

func succeeded(rows string, total int, rest string) string {
	return fmt.Sprintf(`{"statement_id":"st-1","status":{"state":"SUCCEEDED"},`+columns+`,"result":{"chunk_index":0,"data_array":[%s]%s}}`, total, rows, rest)
}

func TestStatementRows(t *testing.T) {
	api := answering(succeeded(`["1","2.50","a"],["9007199254740993","0.1",null],["-7","12345678901234567890.12","x\"<y"]`, 3, ""))
	got := succeed(t, newServer(t, api, nil), "sql_execute_statement", `{"statement":"SELECT 1","warehouse_id":"w"}`)
	want := `{"state":"SUCCEEDED","statement_id":"st-1","columns":["n","d","s"],"types":["BIGINT","DECIMAL(38,2)","STRING"],` +
		`"untrusted":["rows"],"rows":[[1,2.50,"a"],["9007199254740993",0.1,null],[-7,"12345678901234567890.12","x\"<y"]],"returned":3,"truncated":false,"total_rows":3}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestExactNumbers(t *testing.T) {
	for s, want := range map[string]bool{
		"0": true, "-0": true, "1.50": true, "123456789012345": true, "9007199254740992": true, "9007199254740993": false,
		"1e3": true, "1.7976931348623157E308": true, "NaN": false, "Infinity": false, "": false, "01": false, "1 ": false, "+1": false,
		"0.30000000000000004": true, "0.300000000000000041": false, "true": false, `"x"`: false, "1e400": false, "null": false,
	} {
		if got := isExactNumber(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}

func TestStatementFailures(t *testing.T) {
	for _, c := range []struct {
		code, message string
		kind          catalog.Kind
	}{
		{"BAD_REQUEST", "[TABLE_OR_VIEW_NOT_FOUND] no x", catalog.Invalid},
		{"BAD_REQUEST", "[INSUFFICIENT_PERMISSIONS] User lacks SELECT", catalog.Forbidden},
		{"RESOURCE_EXHAUSTED", "Inline byte limit exceeded", catalog.Invalid},
		{"RESOURCE_EXHAUSTED", "too much", catalog.Limited},
		{"INTERNAL_ERROR", "boom", catalog.Down},
		{"SOMETHING_NEW", "what", catalog.Invalid},
	} {
		api := answering(fmt.Sprintf(`{"statement_id":"st-1","status":{"state":"FAILED","error":{"error_code":%q,"message":%q}}}`, c.code, c.message))
		wantError(t, newServer(t, api, nil), "sql_execute_statement", `{"statement":"x","warehouse_id":"w"}`, c.kind, c.message, "st-1", "req-1")
	}
}

// TestStatementIsRead: every row of every chunk, inline and behind links, comes
// exactly once, whatever the budget.
func TestStatementIsRead(t *testing.T) {
	const chunks, perChunk = 3, 40
	row := func(i int) string { return fmt.Sprintf(`["%d","1.00","%s"]`, i, strings.Repeat("y", i*7%60)) }
	chunk := func(index int) string {
		var rows []string
		for i := range perChunk {
			rows = append(rows, row(index*perChunk+i))
		}
		return strings.Join(rows, ",")
	}
	next := func(index int) string {
		if index < chunks-1 {
			return fmt.Sprintf(`,"next_chunk_index":%d`, index+1)
		}
		return ""
	}
	for _, links := range []bool{false, true} {
		expired := true
		api := &fake{}
		result := func(index int) string {
			if links {
				return fmt.Sprintf(`{"external_links":[{"chunk_index":%d,"external_link":"https://store/%d"%s}]}`, index, index, next(index))
			}
			return fmt.Sprintf(`{"chunk_index":%d,"data_array":[%s]%s}`, index, chunk(index), next(index))
		}
		api.link = func(url string) (string, error) {
			if expired {
				expired = false
				return "", &catalog.Error{Kind: catalog.Busy, Message: "the link has expired", Err: catalog.ErrLinkExpired}
			}
			var index int
			if _, err := fmt.Sscanf(url, "https://store/%d", &index); err != nil {
				return "", err
			}
			return "[" + chunk(index) + "]", nil
		}
		api.do = func(_ context.Context, call *catalog.Call) (string, error) {
			if _, index, ok := strings.Cut(call.Path, "/result/chunks/"); ok {
				var n int
				if _, err := fmt.Sscan(index, &n); err != nil {
					return "", err
				}
				return result(n), nil
			}
			return fmt.Sprintf(`{"statement_id":"st-1","status":{"state":"SUCCEEDED"},`+columns+`,"result":%s}`, chunks*perChunk, result(0)), nil
		}
		s := newServer(t, api, func(c *Config) { c.ResultTokens = 250 })
		tool, arguments, want := "sql_execute_statement", `{"statement":"x","warehouse_id":"w"}`, 0
		for rounds := 0; rounds < 200; rounds++ {
			text := succeed(t, s, tool, arguments)
			for _, r := range gjson.Get(text, "rows").Array() {
				if got := r.Get("0").Int(); got != int64(want) {
					t.Fatalf("links %v: row %d, want %d", links, got, want)
				}
				want++
			}
			token := gjson.Get(text, "next_page_token").Str
			if token == "" {
				break
			}
			tool, arguments = "sql_get_statement", fmt.Sprintf(`{"statement_id":"st-1","page_token":%q}`, token)
		}
		if want != chunks*perChunk {
			t.Errorf("links %v: %d rows, want %d", links, want, chunks*perChunk)
		}
	}
}

// warehouse is a fake on which a statement runs for some time.
func warehouse(runs time.Duration) (*fake, *time.Time) {
	began := time.Now()
	cancelled := new(time.Time)
	api := &fake{}
	api.do = func(ctx context.Context, call *catalog.Call) (string, error) {
		state := func() string {
			switch {
			case !cancelled.IsZero():
				return `{"statement_id":"st-1","status":{"state":"CANCELED"}}`
			case time.Since(began) < runs:
				return `{"statement_id":"st-1","status":{"state":"RUNNING"}}`
			}
			return succeeded(`["1","1.00","a"]`, 1, "")
		}
		switch {
		case strings.HasSuffix(call.Path, "/cancel"):
			*cancelled = time.Now()
			return "{}", nil
		case call.Row.Method == "POST":
			wait, _ := time.ParseDuration(gjson.GetBytes(call.Body, "wait_timeout").Str)
			if !gjson.GetBytes(call.Body, "wait_timeout").Exists() {
				wait = 10 * time.Second
			}
			select {
			case <-time.After(min(wait, runs)):
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		return state(), nil
	}
	return api, cancelled
}

func TestStatementWaits(t *testing.T) {
	for _, c := range []struct {
		name, arguments string
		runs            time.Duration
		state           string
		took            time.Duration // at most
	}{
		{"quick", `"wait_timeout":"50s"`, time.Second, "SUCCEEDED", 1500 * time.Millisecond},
		{"no wait", `"wait_timeout":"0s"`, time.Minute, "RUNNING", 0},
		{"default wait", `"disposition":"INLINE"`, time.Minute, "RUNNING", 10 * time.Second},
		{"longer than one request", `"wait_timeout":"30s"`, 20 * time.Second, "SUCCEEDED", 26 * time.Second},
		{"not in time", `"wait_timeout":"50s"`, time.Hour, "RUNNING", 50 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api, _ := warehouse(c.runs)
				began := time.Now()
				text, failed := ask(t, newServer(t, api, nil), "sql_execute_statement", `{"statement":"x","warehouse_id":"w",`+c.arguments+`}`)
				if failed || gjson.Get(text, "state").Str != c.state || gjson.Get(text, "statement_id").Str != "st-1" {
					t.Errorf("got %s", text)
				}
				if took := time.Since(began); took > c.took {
					t.Errorf("took %s, want at most %s", took, c.took)
				}
			})
		})
	}
}

func TestStatementIsCancelledAtTheEndOfItsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, cancelled := warehouse(time.Hour)
		began := time.Now()
		wantError(t, newServer(t, api, nil), "sql_execute_statement", `{"statement":"x","warehouse_id":"w","wait_timeout":"20s","on_wait_timeout":"CANCEL"}`, catalog.Busy, "CANCEL", "st-1")
		if cancelled.IsZero() || time.Since(began) > 26*time.Second {
			t.Errorf("cancelled at %v, after %s", cancelled, time.Since(began))
		}
	})
}

// TestCancelledCallCancelsTheStatement: also while the request that would tell
// its id is still under way.
func TestCancelledCallCancelsTheStatement(t *testing.T) {
	for _, after := range []time.Duration{time.Second, 12 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			api, cancelled := warehouse(time.Hour)
			s := newServer(t, api, nil)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(after, cancel)
			began := time.Now()
			text, failed := askWith(ctx, t, s, "sql_execute_statement", `{"statement":"x","warehouse_id":"w","wait_timeout":"50s"}`)
			if !failed || time.Since(began) > after {
				t.Errorf("the call took %s and said %s", time.Since(began), text)
			}
			s.Wait(t.Context())
			if cancelled.IsZero() || cancelled.Sub(began) > after+askedWait {
				t.Errorf("after %s: cancelled there at %v", after, cancelled)
			}
			if n := len(slices.DeleteFunc(api.seen(), func(c string) bool { return !strings.HasSuffix(c, "/cancel") && !strings.Contains(c, "/cancel ") })); n != 1 {
				t.Errorf("%d cancel requests", n)
			}
		})
	}
}
