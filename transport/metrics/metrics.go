// Package metrics counts what the server does, for Prometheus.
//
// It stands on github.com/VictoriaMetrics/metrics. Prometheus' own client costs 2.6 MB
// of binary, as much memory, and 0.9 ms of every start, also of those who serve one
// client over stdio and never look at a metric; this one costs 0.3 MB. Histograms are
// ours: the library's have vmrange labels, which Prometheus does not understand.
//
// Every label has few values: names that the server does not know count as "other".
package metrics

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// Vocabulary is what labels may say.
type Vocabulary struct {
	Tools    []string // names of tools
	Outcomes []string // of calls
	Reasons  []string // of refusals
}

// Metrics are the counters of one process. They are safe for concurrent use.
type Metrics struct {
	set      *metrics.Set
	words    Vocabulary
	inFlight atomic.Int64
	streams  atomic.Int64

	mu        sync.Mutex
	durations map[string]*histogram // by tool
}

// other is the label of what has no name here.
const other = "other"

var typed = sync.OnceFunc(func() { metrics.ExposeMetadata(true) }) // a switch of the library for the whole process

// New makes counters that begin at zero.
func New(words Vocabulary) *Metrics {
	typed()
	m := &Metrics{set: metrics.NewSet(), words: words, durations: map[string]*histogram{}}
	m.gauge("brickmcp_http_requests_in_flight", func() float64 { return float64(m.inFlight.Load()) })
	m.gauge("brickmcp_http_streams_open", func() float64 { return float64(m.streams.Load()) })
	for _, reason := range words.Reasons { // so that the first refusal is an increase
		m.set.NewCounter(`brickmcp_http_refusals_total{reason="` + reason + `"}`)
	}
	m.set.RegisterMetricsWriter(m.writeDurations)
	m.set.RegisterMetricsWriter(metrics.WriteProcessMetrics)
	return m
}

func (m *Metrics) gauge(name string, value func() float64) { m.set.NewGauge(name, value) }

// Users tells where to ask for the number of users that the server keeps state for.
func (m *Metrics) Users(count func() int) {
	m.gauge("brickmcp_users", func() float64 { return float64(count()) })
}

// Build says which version runs.
func (m *Metrics) Build(version string) {
	m.gauge("brickmcp_build_info{version="+strconv.Quote(version)+"}", func() float64 { return 1 })
}

func known(words []string, word string) string {
	if slices.Contains(words, word) {
		return word
	}
	return other
}

// Call counts a call of a tool.
func (m *Metrics) Call(tool, outcome string, took time.Duration) {
	tool, outcome = known(m.words.Tools, tool), known(m.words.Outcomes, outcome)
	m.set.GetOrCreateCounter(`brickmcp_tool_calls_total{tool="` + tool + `",outcome="` + outcome + `"}`).Inc()
	m.duration(tool).observe(took)
}

// Refused counts a request or a connection that was turned away.
func (m *Metrics) Refused(reason string) {
	m.set.GetOrCreateCounter(`brickmcp_http_refusals_total{reason="` + known(m.words.Reasons, reason) + `"}`).Inc()
}

// Upstream counts a request to a workspace by the status of its answer; 0: there was none.
func (m *Metrics) Upstream(status int) {
	m.set.GetOrCreateCounter(`brickmcp_upstream_requests_total{status="` + statusOf(status) + `"}`).Inc()
}

func statusOf(status int) string {
	if status < 100 || status > 599 {
		return "none"
	}
	return strconv.Itoa(status)
}

func (m *Metrics) request(method string, status int) {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodPatch:
	default:
		method = other
	}
	m.set.GetOrCreateCounter(`brickmcp_http_requests_total{method="` + method + `",status="` + statusOf(status) + `"}`).Inc()
}

func (m *Metrics) duration(tool string) *histogram {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.durations[tool]
	if h == nil {
		h = &histogram{}
		m.durations[tool] = h
	}
	return h
}

func (m *Metrics) writeDurations(w io.Writer) {
	const family = "brickmcp_tool_call_duration_seconds"
	m.mu.Lock()
	tools := make([]string, 0, len(m.durations))
	for tool := range m.durations {
		tools = append(tools, tool)
	}
	m.mu.Unlock()
	if len(tools) == 0 {
		return
	}
	slices.Sort(tools)
	metrics.WriteMetadataIfNeeded(w, family, "histogram")
	for _, tool := range tools {
		m.duration(tool).write(w, family, `tool="`+tool+`"`)
	}
}

// Handler serves the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/metrics":
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "use GET", http.StatusMethodNotAllowed)
		default:
			w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
			m.set.WritePrometheus(w)
		}
	})
}
