package metrics

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var words = Vocabulary{
	Tools: []string{"jobs_list", "jobs_delete"}, Outcomes: []string{"ok", "denied"}, Reasons: []string{"host", "rate"},
}

// page is what Prometheus reads.
func page(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	return w.Body.String()
}

func mustHave(t *testing.T, page string, lines ...string) {
	t.Helper()
	all := strings.Split(page, "\n")
	for _, line := range lines {
		if !slices.Contains(all, line) {
			t.Errorf("there is no line %s in\n%s", line, ourLines(all))
		}
	}
}

func ourLines(all []string) string {
	var lines []string
	for _, line := range all {
		if strings.Contains(line, "brickmcp") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func TestCalls(t *testing.T) {
	m := New(words)
	m.Call("jobs_list", "ok", 3*time.Millisecond)
	m.Call("jobs_list", "ok", 5*time.Millisecond) // bounds belong to their bucket
	m.Call("jobs_list", "denied", time.Minute)
	m.Call("jobs_delete", "ok", 0)
	mustHave(t, page(t, m),
		`# TYPE brickmcp_tool_calls_total counter`,
		`brickmcp_tool_calls_total{tool="jobs_list",outcome="ok"} 2`,
		`brickmcp_tool_calls_total{tool="jobs_list",outcome="denied"} 1`,
		`# TYPE brickmcp_tool_call_duration_seconds histogram`,
		`brickmcp_tool_call_duration_seconds_bucket{tool="jobs_list",le="0.001"} 0`,
		`brickmcp_tool_call_duration_seconds_bucket{tool="jobs_list",le="0.005"} 2`,
		`brickmcp_tool_call_duration_seconds_bucket{tool="jobs_list",le="50"} 2`,
		`brickmcp_tool_call_duration_seconds_bucket{tool="jobs_list",le="+Inf"} 3`,
		`brickmcp_tool_call_duration_seconds_sum{tool="jobs_list"} 60.008`,
		`brickmcp_tool_call_duration_seconds_count{tool="jobs_list"} 3`,
		`brickmcp_tool_call_duration_seconds_bucket{tool="jobs_delete",le="0.001"} 1`,
	)
}

// Whatever names come in, the number of series stays small, and no name of a user or
// a client's invention reaches a label.
func TestLabelsAreBounded(t *testing.T) {
	m := New(words)
	h := m.Count(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.Header.Get("Status"))
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
	}))
	for i := range 1000 {
		name := fmt.Sprintf("evil\"} 1\n%d", i)
		m.Call(name, name, time.Second)
		m.Refused(name)
		m.Upstream(600 + i)
		r := httptest.NewRequest(http.MethodPost, "/mcp", nil)
		r.Method = fmt.Sprintf("BREW%d", i)
		r.Header.Set("Status", "405")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	text := page(t, m)
	if strings.Contains(text, "evil") || strings.Contains(text, "BREW") {
		t.Error("a label says what a client says")
	}
	mustHave(t, text,
		`brickmcp_tool_calls_total{tool="other",outcome="other"} 1000`,
		`brickmcp_http_refusals_total{reason="other"} 1000`,
		`brickmcp_http_requests_total{method="other",status="405"} 1000`,
		`brickmcp_upstream_requests_total{status="none"} 1000`,
	)
	if n := strings.Count(text, "\nbrickmcp_"); n > 40 {
		t.Errorf("there are %d series", n)
	}
}

func TestRefusalsBeginAtZero(t *testing.T) {
	m := New(words)
	m.Refused("rate")
	mustHave(t, page(t, m), `brickmcp_http_refusals_total{reason="host"} 0`, `brickmcp_http_refusals_total{reason="rate"} 1`)
}

func TestRequestsAndStreams(t *testing.T) {
	m := New(words)
	m.Users(func() int { return 7 })
	m.Build("1.2.3")
	inside := make(chan string)
	server := httptest.NewServer(m.Count(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stream":
			w.Header().Set("Content-Type", "text/event-stream")
			http.NewResponseController(w).Flush()
			inside <- page(t, m)
		case "/panic":
			panic(http.ErrAbortHandler)
		case "/empty":
		default:
			_, _ = io.WriteString(w, "fine")
		}
	})))
	once := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // a GET on a used connection is sent again
	for _, path := range []string{"/", "/empty", "/panic"} {
		if resp, err := once.Get(server.URL + path); err == nil {
			_ = resp.Body.Close()
		}
	}
	resp, err := http.Get(server.URL + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	mustHave(t, <-inside,
		`brickmcp_http_streams_open 1`, `brickmcp_http_requests_in_flight 1`,
		`brickmcp_http_requests_total{method="GET",status="200"} 2`, `brickmcp_http_requests_total{method="GET",status="none"} 1`,
		`brickmcp_users 7`, `brickmcp_build_info{version="1.2.3"} 1`,
	)
	_ = resp.Body.Close()
	server.Close() // waits for the handlers
	mustHave(t, page(t, m), `brickmcp_http_streams_open 0`, `brickmcp_http_requests_in_flight 0`, `brickmcp_http_requests_total{method="GET",status="200"} 3`)
}

// Prometheus reads every line: a name, labels, a number; each family in one piece
// with one type.
func TestFormat(t *testing.T) {
	m := New(words)
	m.Call("jobs_list", "ok", time.Second)
	m.Refused("host")
	text := page(t, m)
	line := regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-z]+="[^"\\]*"(, ?[A-Za-z]+="[^"\\]*")*\})? [-+0-9.eE]+(Inf|NaN)?$`)
	types := map[string]bool{}
	for l := range strings.Lines(text) {
		l = strings.TrimSuffix(l, "\n")
		if fields := strings.Fields(l); len(fields) > 3 && fields[0] == "#" && fields[1] == "TYPE" {
			if types[fields[2]] {
				t.Errorf("%s has two types", fields[2])
			}
			types[fields[2]] = true
			continue
		}
		if !strings.HasPrefix(l, "#") && !line.MatchString(l) {
			t.Errorf("not a sample: %q", l)
		}
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes", "brickmcp_tool_calls_total"} {
		if !strings.Contains(text, "\n"+name) {
			t.Errorf("there is no %s", name)
		}
	}
	if strings.Contains(text, "vmrange") {
		t.Error("a histogram is not one of Prometheus")
	}
}

func TestOnlyMetricsAreServed(t *testing.T) {
	h := New(words).Handler()
	for _, c := range []struct {
		method, path string
		status       int
	}{{"GET", "/", 404}, {"GET", "/metrics/", 404}, {"POST", "/metrics", 405}, {"HEAD", "/metrics", 200}} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.status {
			t.Errorf("%s %s: %d", c.method, c.path, w.Code)
		}
	}
}

func TestCountingAtTheSameTime(t *testing.T) {
	m := New(words)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 200 {
				m.Call(words.Tools[i%2], "ok", time.Second)
				m.Refused("host")
			}
		})
	}
	for range 5 {
		page(t, m)
	}
	all.Wait()
	mustHave(t, page(t, m), `brickmcp_tool_calls_total{tool="jobs_list",outcome="ok"} 800`, `brickmcp_tool_call_duration_seconds_count{tool="jobs_list"} 800`)
}

func BenchmarkCall(b *testing.B) {
	m := New(words)
	for b.Loop() {
		m.Call("jobs_list", "ok", time.Millisecond)
	}
}
