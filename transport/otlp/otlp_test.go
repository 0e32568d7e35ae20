package otlp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

const auditLine = `{"time":"2026-03-01T08:00:00.123456Z","event":"call","say":"Claude, for ana@example.com, started job 42.","user":"ana@example.com",` +
	`"request_ids":["a","b"],"duration_ms":1.5,"rows":9007199254740993,"arguments":{"job_id": "42"},"hash":"h","prev":"p"}`

func environmentOf(pairs ...string) func(string) string {
	values := map[string]string{}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

// newExporter has a log that can be read, secrets in headers and endpoint
// included if they were there.
func newExporter(t *testing.T, transport http.RoundTripper, env ...string) (*Exporter, func() string) {
	t.Helper()
	core, seen := observer.New(zap.DebugLevel)
	e, err := New(Config{Getenv: environmentOf(env...), Version: "1.2.3", Log: zap.New(core), Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	if e == nil {
		t.Fatal("no exporter")
	}
	return e, func() string {
		var all []string
		for _, entry := range seen.All() {
			all = append(all, fmt.Sprint(entry.Message, " ", entry.ContextMap()))
		}
		return strings.Join(all, "\n")
	}
}

func TestExport(t *testing.T) {
	for _, protocol := range []string{"http/protobuf", "http/json"} {
		for _, compression := range []string{"none", "gzip"} {
			t.Run(protocol+" "+compression, func(t *testing.T) {
				c := newCollector(t)
				e, logged := newExporter(t, nil,
					"OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL+"/otel/", "OTEL_EXPORTER_OTLP_PROTOCOL="+protocol, "OTEL_EXPORTER_OTLP_COMPRESSION="+compression,
					"OTEL_EXPORTER_OTLP_HEADERS=api-key=k%2C1, x-scope = a=b", "OTEL_RESOURCE_ATTRIBUTES=service.name=other,team=data%20platform", "OTEL_SERVICE_NAME=bricks")
				e.Export([]byte(auditLine))
				e.Export([]byte(`{"event":"denied","say":"No: \"é\" \n.","decision":"deny","outcome":"error"}`))
				e.Export([]byte(`{"event":"call","say":"It failed.","outcome":"error","bytes":-1,"ok":true}`))
				e.Export([]byte(`{"event":"call","decision":"would deny"}`))
				e.Export([]byte("no line \xff"))
				if err := e.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				e.Export([]byte("after the end"))
				if len(c.got()) != 1 || logged() != "" {
					t.Fatalf("%d requests, log %s", len(c.got()), logged())
				}
				r := c.got()[0]
				wantType := map[string]string{"http/protobuf": "application/x-protobuf", "http/json": "application/json"}[protocol]
				if r.path != "/otel/v1/logs" || r.contentType != wantType || r.scope != "brickmcp/audit" ||
					r.header.Get("Api-Key") != "k,1" || r.header.Get("X-Scope") != "a=b" || r.header.Get("User-Agent") != "brickmcp/1.2.3" {
					t.Errorf("got %+v", r)
				}
				if want := map[string]string{"service.name": "bricks", "service.version": "1.2.3", "team": "data platform"}; !maps.Equal(r.resource, want) {
					t.Errorf("resource %v", r.resource)
				}
				at := uint64(time.Date(2026, 3, 1, 8, 0, 0, 123456000, time.UTC).UnixNano())
				wants := []received{
					{time: at, severity: 9, severityText: "INFO", body: "Claude, for ana@example.com, started job 42.", attributes: map[string]string{
						"event": "call", "user": "ana@example.com", "request_ids": "list a b", "duration_ms": "double 1.5", "rows": "int 9007199254740993",
						"arguments": `{"job_id": "42"}`, "hash": "h", "prev": "p"}},
					{severity: 13, severityText: "WARN", body: "No: \"é\" \n.", attributes: map[string]string{"event": "denied", "decision": "deny", "outcome": "error"}},
					{severity: 17, severityText: "ERROR", body: "It failed.", attributes: map[string]string{"event": "call", "outcome": "error", "bytes": "int -1", "ok": "bool true"}},
					{severity: 13, severityText: "WARN", attributes: map[string]string{"event": "call", "decision": "would deny"}},
					{severity: 9, severityText: "INFO", body: "no line \ufffd"},
				}
				if len(r.records) != len(wants) {
					t.Fatalf("%d records", len(r.records))
				}
				for i, want := range wants {
					got := r.records[i]
					if got.observed < at {
						t.Errorf("record %d: observed at %d", i, got.observed)
					}
					if got.time != want.time || got.severity != want.severity || got.severityText != want.severityText || got.body != want.body || !maps.Equal(got.attributes, want.attributes) {
						t.Errorf("record %d: got %+v, want %+v", i, got, want)
					}
				}
			})
		}
	}
}

// trips is a collector inside the bubble of a test with its own clock.
type trips struct {
	mu     sync.Mutex
	at     []time.Time
	answer func(n int, r *http.Request) (*http.Response, error)
}

func (t *trips) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	t.at = append(t.at, time.Now())
	n := len(t.at)
	t.mu.Unlock()
	return t.answer(n, r)
}

// times are when requests came, once nothing is under way any more.
func (t *trips) times() []time.Time {
	synctest.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.at)
}

func status(code int, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: code, Status: fmt.Sprint(code, " ", http.StatusText(code)), Header: h, Body: io.NopCloser(strings.NewReader(""))}
}

const secretEndpoint = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://ana:hunter2@collector.example.com/in?key=hunter2"

func noSecret(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(text, "hunter2") {
			t.Errorf("a secret was told: %s", text)
		}
	}
}

func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &trips{answer: func(n int, r *http.Request) (*http.Response, error) {
			switch n {
			case 1:
				return nil, errors.New("connection refused")
			case 2:
				return status(503, "Retry-After", "40"), nil
			case 3:
				<-r.Context().Done() // never answers
				return nil, r.Context().Err()
			}
			if user, password, _ := r.BasicAuth(); user != "ana" || password != "hunter2" || r.Header.Get("Api-Key") != "hunter2" || r.URL.Path != "/in" {
				t.Errorf("request %v %v", r.URL, r.Header)
			}
			return status(200), nil
		}}
		e, logged := newExporter(t, c, secretEndpoint, "OTEL_EXPORTER_OTLP_HEADERS=api-key=hunter2", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT=3000", "OTEL_BLRP_SCHEDULE_DELAY=200")
		began := time.Now()
		e.Export([]byte(auditLine))
		time.Sleep(5 * time.Minute)
		at := c.times()
		if len(at) != 4 {
			t.Fatalf("requests at %v\n%s", at, logged())
		}
		if got := at[0].Sub(began); got != 200*time.Millisecond {
			t.Errorf("the first request came after %v", got)
		}
		if got := at[2].Sub(at[1]); got < 40*time.Second || got > 41*time.Second {
			t.Errorf("after Retry-After: 40 it waited %v", got)
		}
		if got := at[3].Sub(at[2]); got < 3*time.Second || got > 20*time.Second {
			t.Errorf("after no answer it waited %v", got)
		}
		if log := logged(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "connection refused") || !strings.Contains(log, "takes audit lines again") {
			t.Errorf("log:\n%s", log)
		}
		noSecret(t, logged())
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestOverflow: a collector that hangs never holds up a call, and the newest
// lines are those that are kept.
func TestOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var bodies []string
		c := &trips{answer: func(n int, r *http.Request) (*http.Response, error) {
			content, _ := io.ReadAll(r.Body)
			bodies = append(bodies, string(content))
			<-hang
			return status(200), nil
		}}
		e, logged := newExporter(t, c, secretEndpoint, "OTEL_BLRP_MAX_QUEUE_SIZE=10", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE=4", "OTEL_EXPORTER_OTLP_TIMEOUT=60000")
		send := func(from, to int) {
			for i := from; i <= to; i++ {
				e.Export(fmt.Appendf(nil, `{"say":"line-%03d"}`, i))
			}
		}
		began := time.Now()
		send(1, 4) // a full batch goes at once
		if at := c.times(); len(at) != 1 || at[0] != began {
			t.Fatalf("requests at %v", at)
		}
		send(5, 104)
		if time.Since(began) != 0 {
			t.Error("it blocked")
		}
		close(hang)
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		all := strings.Join(bodies, "")
		for i := 1; i <= 104; i++ {
			if got, want := strings.Contains(all, fmt.Sprintf("line-%03d", i)), i <= 4 || i >= 95; got != want {
				t.Errorf("line %d: sent %v, want %v", i, got, want)
			}
		}
		if len(bodies) != 4 || !strings.Contains(logged(), "map[collector:collector.example.com lines:90]") {
			t.Errorf("%d requests, log %s", len(bodies), logged())
		}
	})
}

func TestCloseIsBounded(t *testing.T) {
	tests := map[string]func(n int, r *http.Request) (*http.Response, error){
		"it hangs": func(n int, r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"it is away": func(n int, r *http.Request) (*http.Response, error) { return nil, errors.New("connection refused") },
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, logged := newExporter(t, &trips{answer: answer}, secretEndpoint)
				for range 5 {
					e.Export([]byte(auditLine))
				}
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				err := e.Close(ctx)
				if took := time.Since(began); err == nil || took != 2*time.Second || !strings.Contains(err.Error(), "5 audit lines were not exported to collector.example.com") {
					t.Errorf("after %v: %v", took, err)
				}
				noSecret(t, logged(), fmt.Sprint(err))
			})
			synctest.Test(t, func(t *testing.T) { // without a bound of the caller's
				e, _ := newExporter(t, &trips{answer: answer}, secretEndpoint)
				e.Export([]byte(auditLine))
				began := time.Now()
				if err := e.Close(context.Background()); err == nil || time.Since(began) != 10*time.Second {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
			})
		})
	}
}

// TestRefused: what the collector will never take is not sent again, and not
// told again for a minute.
func TestRefused(t *testing.T) {
	for _, code := range []int{301, 400, 401, 404, 500} {
		synctest.Test(t, func(t *testing.T) {
			c := &trips{answer: func(int, *http.Request) (*http.Response, error) {
				return status(code, "Location", "http://elsewhere.example.com/hunter2"), nil
			}}
			e, logged := newExporter(t, c, secretEndpoint)
			for range 30 {
				e.Export([]byte(auditLine))
				time.Sleep(3 * time.Second)
			}
			at := c.times()
			if log := logged(); len(at) != 30 || strings.Count(log, "refuses audit lines") != 2 || !strings.Contains(log, fmt.Sprint("why:", code)) {
				t.Errorf("%d: %d requests, log\n%s", code, len(at), log)
			}
			noSecret(t, logged())
			if err := e.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPartialSuccess(t *testing.T) {
	answers := map[string]string{
		"application/x-protobuf": "\x0a\x0d\x08\x02\x12\x09too large",
		"application/json":       `{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too large"}}`,
	}
	for contentType, body := range answers {
		c := newCollector(t)
		c.answer = func(w http.ResponseWriter, _ int) {
			w.Header().Set("Content-Type", contentType)
			io.WriteString(w, body)
		}
		e, logged := newExporter(t, nil, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT="+c.URL+"/v1/logs")
		e.Export([]byte(auditLine))
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if log := logged(); !strings.Contains(log, "lines:2 why:too large") {
			t.Errorf("%s: log %q", contentType, log)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(auditLine))
	f.Add([]byte(`{"time":1,"say":["x"],"rows":1e400}`))
	f.Add([]byte("\x0a\x0d\x08\x02\x12\x09too large"))
	f.Fuzz(func(t *testing.T, line []byte) {
		rejected(line)
		rejectedJSON(line)
		records := []record{parse(line)}
		var fromJSON, fromProtobuf request
		if err := fromJSON.decodeJSON(encodeJSON(nil, records, time.Unix(1, 0))); err != nil {
			t.Fatal(err)
		}
		if err := fromProtobuf.decodeProtobuf(encodeProtobuf(nil, records, time.Unix(1, 0))); err != nil {
			t.Fatal(err)
		}
		if a, b := fromJSON.records[0], fromProtobuf.records[0]; a.time != b.time || a.severity != b.severity {
			t.Errorf("%+v and %+v", a, b)
		}
	})
}
