package rest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"brickmcp/catalog"
)

// Rows of every effect, as the catalog declares them.
type someRequest struct {
	Name        string `json:"name,omitempty"`
	StringValue string `json:"string_value,omitempty" audit:"hide"`
}

func row(name, method, path string, effect catalog.Effect, change ...func(*catalog.Row)) *catalog.Row {
	r := catalog.Row{Name: name, Method: method, Path: path, Effect: effect, Group: catalog.Jobs, Needs: "CAN_VIEW"}
	for _, c := range change {
		c(&r)
	}
	return &catalog.Define[someRequest, catalog.None](r).Row
}

var (
	getJob     = row("jobs_get", "GET", "/api/2.2/jobs/get", catalog.Read)
	getRun     = row("jobs_get_run", "GET", "/api/2.2/jobs/runs/get", catalog.Read)
	getCluster = row("clusters_get", "GET", "/api/2.1/clusters/get", catalog.Read, func(r *catalog.Row) { r.Group = catalog.Clusters })
	createJob  = row("jobs_create", "POST", "/api/2.2/jobs/create", catalog.Create, func(r *catalog.Row) { r.Verify = "Look with jobs_list for the name." })
	updateJob  = row("jobs_update", "POST", "/api/2.2/jobs/update", catalog.Update)
	resetJob   = row("jobs_reset", "POST", "/api/2.2/jobs/reset", catalog.Replace)
	deleteJob  = row("jobs_delete", "POST", "/api/2.2/jobs/delete", catalog.Delete)
	startWh    = row("warehouses_start", "POST", "/api/2.0/sql/warehouses/{id}/start", catalog.Ensure, func(r *catalog.Row) { r.Path = "/api/2.0/sql/warehouses/x/start" })
	execute    = row("sql_execute_statement", "POST", "/api/2.0/sql/statements", catalog.Run, func(r *catalog.Row) { r.Verify = "Look in the query history." })
	runNow     = row("jobs_run_now", "POST", "/api/2.2/jobs/run-now", catalog.Run, func(r *catalog.Row) {
		r.Token, r.Verify = "idempotency_token", "Look with jobs_list_runs."
	})
	putSecret = row("secrets_put", "POST", "/api/2.0/secrets/put", catalog.Replace, func(r *catalog.Row) { r.Group, r.Needs = catalog.Secrets, "WRITE" })
	upload    = row("files_upload", "PUT", "/api/2.0/fs/files", catalog.Replace, func(r *catalog.Row) { r.Group = catalog.Files })
	download  = row("files_download", "GET", "/api/2.0/fs/files", catalog.Read, func(r *catalog.Row) { r.Group = catalog.Files })
)

// callOf is a bound call of row, about job 42.
func callOf(r *catalog.Row) *catalog.Call {
	call := &catalog.Call{Row: r, Path: r.Path, Object: "job 42"}
	if r.Method == "POST" {
		call.Body = []byte(`{"job_id":42}`)
	} else {
		call.Query = "job_id=42"
	}
	return call
}

// wire is a RoundTripper that plays a script; its last entry repeats.
type wire struct {
	script []reply

	mu     sync.Mutex
	sent   []time.Time
	bodies []string
	header []http.Header
	onSend func(n int)
}

type reply func(*http.Request) (*http.Response, error)

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		req.Body.Close()
	}
	w.mu.Lock()
	n := len(w.sent)
	w.sent = append(w.sent, time.Now())
	w.bodies = append(w.bodies, string(body))
	w.header = append(w.header, req.Header.Clone())
	w.mu.Unlock()
	if w.onSend != nil {
		w.onSend(n + 1)
	}
	return w.script[min(n, len(w.script)-1)](req)
}

func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.sent)
}

// answer is a reply of status, body and "Name: value" headers.
func answer(status int, body string, headers ...string) reply {
	return func(req *http.Request) (*http.Response, error) {
		h := http.Header{"X-Request-Id": {"req-1"}}
		for _, line := range headers {
			name, value, _ := strings.Cut(line, ": ")
			h.Set(name, value)
		}
		return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req}, nil
	}
}

// coded is an error of the normal shape.
func coded(status int, code, message string, headers ...string) reply {
	return answer(status, `{"error_code":"`+code+`","message":"`+message+`"}`, headers...)
}

func fails(err error) reply {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// truncated promises more than it sends.
func truncated(req *http.Request) (*http.Response, error) {
	resp, err := answer(200, `{"job_id":42,"settings":{"na`)(req)
	resp.ContentLength += 100
	return resp, err
}

// hang answers when the caller gives up.
func hang(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

var (
	errReset       = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	errConnRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	errNoHost      = &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}}
)

const goodToken = "dapi-test-0123456789"

// newClient is a client on w; change may alter its configuration.
func newClient(t testing.TB, w http.RoundTripper, change ...func(*Config)) *Client {
	t.Helper()
	config := Config{
		Host:         "https://dbc-1.cloud.databricks.com",
		Token:        func(context.Context) (string, error) { return goodToken, nil },
		RoundTripper: w,
	}
	for _, c := range change {
		c(&config)
	}
	client, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// failureOf calls and expects a *catalog.Error.
func failureOf(t *testing.T, c *Client, call *catalog.Call) *catalog.Error {
	t.Helper()
	answer, err := c.Do(t.Context(), call)
	if err == nil {
		t.Fatalf("%s succeeded with %s", call.Row.Name, answer.Body)
	}
	var e *catalog.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T is no *catalog.Error: %v", err, err)
	}
	if e.Message == "" || e.Advice == "" || e.Kind == "" {
		t.Errorf("incomplete error: %+v", *e)
	}
	if len(e.Message) > 1100 || len(e.Advice) > 1000 {
		t.Errorf("unbounded error: %d and %d bytes", len(e.Message), len(e.Advice))
	}
	for _, secret := range []string{goodToken, "job_id=42", "https://dbc-1"} {
		if strings.Contains(e.Error(), secret) {
			t.Errorf("the error shows %q: %v", secret, e)
		}
	}
	return e
}

func success(t *testing.T, c *Client, call *catalog.Call) *catalog.Answer {
	t.Helper()
	answer, err := c.Do(t.Context(), call)
	if err != nil {
		t.Fatalf("%s: %v", call.Row.Name, err)
	}
	return answer
}

func contains(t *testing.T, what, s string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(s, want) {
			t.Errorf("%s %q lacks %q", what, s, want)
		}
	}
}
