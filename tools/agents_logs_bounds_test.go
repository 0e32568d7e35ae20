package tools

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// loggedRequests is a warehouse whose table has count requests, one a second, with
// long bodies. It gives them as the statement asks: newest first, before a time, and
// as many as row_limit says.
type loggedRequests struct {
	count  int
	body   string
	millis bool // times are epoch ms
	began  time.Time
	apart  time.Duration // 0: a second
}

func (l loggedRequests) answer(body []byte) string {
	parameter := func(name string) string {
		return gjson.GetBytes(body, `parameters.#(name=="`+name+`").value`).Str
	}
	limit := gjson.GetBytes(body, "row_limit").Int()
	var rows []string
	cut := false
	for i := l.count - 1; i >= 0; i-- {
		at := l.began.Add(time.Duration(i) * cmp.Or(l.apart, time.Second))
		if ms := parameter("until_ms"); ms != "" && fmt.Sprint(at.UnixMilli()) >= ms {
			continue
		}
		if until := parameter("until_time"); until != "" && at.Format("2006-01-02 15:04:05.000000") >= until {
			continue
		}
		if cut = int64(len(rows)) == limit; cut {
			break
		}
		cell := at.Format("2006-01-02T15:04:05.000000Z")
		if l.millis {
			cell = fmt.Sprint(at.UnixMilli())
		}
		rows = append(rows, fmt.Sprintf(`[%q,"request-%d",%q]`, cell, i, l.body))
	}
	kind := "TIMESTAMP"
	if l.millis {
		kind = "LONG"
	}
	return fmt.Sprintf(`{"statement_id":"st-1","status":{"state":"SUCCEEDED"},"manifest":{"format":"JSON_ARRAY","schema":{"columns":[{"name":"time","type_name":%q,"type_text":%q},{"name":"request_id","type_name":"STRING"},{"name":"request","type_name":"STRING"}]},"total_row_count":%d,"truncated":%t},"result":{"data_array":[%s]}}`,
		kind, kind, len(rows), cut, strings.Join(rows, ","))
}

// TestReadLogsIsBounded: any answer fits the budget, has the newest rows first, and
// says how to get at the others. So all of them come, each once.
func TestReadLogsIsBounded(t *testing.T) {
	began := time.Date(2025, 6, 1, 8, 0, 0, 0, time.UTC)
	long := strings.Repeat(`{"role":"user","content":"x"} `, 130)
	for _, c := range []struct {
		name      string
		columns   []string
		logged    loggedRequests
		tokens    int
		limit     int
		perPage   int // at most
		policy    string
		says      string
		statement bool // it goes on in the statement
	}{
		{"gateway, by row_limit", gatewayColumns, loggedRequests{count: 23, body: "short", began: began}, 4000, 5, 5, "", "until=2025-06-01T08:00:18.000000Z", false},
		{"legacy, by row_limit", legacyColumns, loggedRequests{count: 23, body: "short", millis: true, began: began}, 4000, 5, 5, "", "until=2025-06-01T08:00:18.000000Z", false},
		{"rows of one millisecond", gatewayColumns, loggedRequests{count: 23, body: "short", began: began, apart: 40 * time.Microsecond}, 4000, 5, 5, "", "until=2025-06-01T08:00:00.000720Z", false},
		{"unity, by row_limit", unityColumns, loggedRequests{count: 23, body: "short", began: began}, 4000, 10, 10, "", "until=2025-06-01T08:00:13.000000Z", false},
		{"long bodies, as many as there is room for", gatewayColumns, loggedRequests{count: 23, body: long, began: began}, 4000, 23, 5, "tools: {sql_get_statement: deny}", "until=", false},
		{"one body above the budget", gatewayColumns, loggedRequests{count: 3, body: long, began: began}, 300, 3, 1, "tools: {sql_get_statement: deny}", "until=", false},
		{"long bodies, with the statement to read on in", gatewayColumns, loggedRequests{count: 23, body: long, began: began}, 4000, 23, 5, "", "sql_get_statement with statement_id and page_token=~", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := logHost(map[string][]string{"bot_payload": c.columns})
			plain := h.do
			h.do = func(ctx context.Context, call *catalog.Call) (string, error) {
				if call.Row.Method == "POST" {
					return c.logged.answer(call.Body), nil
				}
				return plain(ctx, call)
			}
			s := h.server(t, func(cfg *Config) {
				cfg.ResultTokens = c.tokens
				if c.policy != "" {
					underPolicy(t, c.policy)(cfg)
				}
			})
			next, seen, arguments := c.logged.count-1, 0, ""
			for page := 0; ; page++ {
				text := succeed(t, s, "agents_read_logs", fmt.Sprintf(`{"endpoint_name":"bot","row_limit":%d,"since":"2025-06-01"%s}`, c.limit, arguments))
				if most := c.tokens*4 + 600; len(text) > most {
					t.Fatalf("%d bytes, more than %d", len(text), most)
				}
				rows := gjson.Get(text, "rows").Array()
				if int64(len(rows)) != gjson.Get(text, "returned").Int() || len(rows) == 0 || len(rows) > c.perPage {
					t.Fatalf("%d rows: %.300s", len(rows), text)
				}
				for _, row := range rows {
					if c.tokens >= 4000 && row.Get("1").Str != fmt.Sprint("request-", next) {
						t.Fatalf("page %d has %s, want request-%d", page, row.Get("1").Str, next)
					}
					next--
					seen++
				}
				more := gjson.Get(text, "next").Str
				if truncated := gjson.Get(text, "truncated").Bool(); truncated != (seen < c.logged.count) || truncated != (more != "") {
					t.Fatalf("%d of %d rows, truncated %t, next %q", seen, c.logged.count, truncated, more)
				}
				if page == 0 && !strings.Contains(more, c.says) {
					t.Fatalf("next %q, want %q", more, c.says)
				}
				if more == "" || c.statement {
					break
				}
				_, until, _ := strings.Cut(more, "until=")
				arguments = `,"until":"` + strings.TrimSuffix(until, ".") + `"`
			}
			if !c.statement && seen != c.logged.count {
				t.Errorf("%d of %d rows came", seen, c.logged.count)
			}
		})
	}
}

// TestLogTime: the times of all generations.
func TestLogTime(t *testing.T) {
	for cell, want := range map[string]string{
		`1748764800123`: "2025-06-01T08:00:00.123000Z", `"1748764800123"`: "2025-06-01T08:00:00.123000Z",
		`"2025-06-01T08:00:00.123Z"`: "2025-06-01T08:00:00.123000Z", `"2025-06-01T10:00:00+02:00"`: "2025-06-01T08:00:00.000000Z",
		`"2025-06-01 08:00:00.123456"`: "2025-06-01T08:00:00.123456Z", `"yesterday"`: "", `null`: "", `""`: "",
	} {
		at, ok := logTime(gjson.Parse(cell))
		if got := at.Format(untilFormat); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %s, %t", cell, got, ok)
		}
	}
}
