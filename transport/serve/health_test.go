package serve

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestHealthz(t *testing.T) {
	f := &front{next: http.NotFoundHandler(), ready: func(context.Context) error { return errors.New("no") }, log: zap.NewNop()}
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/healthz", 200, "ok\n"}, // alive, ready or not
		{"HEAD", "/healthz", 200, ""},
		{"POST", "/healthz", 405, "use GET\n"},
		{"GET", "/readyz", 503, "not ready\n"},
		{"GET", "/healthz/", 404, "404 page not found\n"},
	} {
		server := httptest.NewServer(f)
		req, err := http.NewRequest(c.method, server.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "10.0.0.7:8000" // probes name an address
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.status || string(body) != c.body {
			t.Errorf("%s %s: %d %q", c.method, c.path, resp.StatusCode, body)
		}
		server.Close()
	}
}

// Why the server is not ready stands in its log, once, and not in the answer.
func TestReadyzTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		asked, failure := 0, errors.New("/secret/policy.yaml cannot be read")
		f := &front{log: zap.New(core), ready: func(context.Context) error { asked++; return failure }}
		get := func() *httptest.ResponseRecorder {
			return do(f, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		}
		for range 100 {
			if w := get(); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret") {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		if asked != 1 {
			t.Errorf("checked %d times in a moment", asked)
		}
		time.Sleep(readyAge)
		get()
		if asked != 2 || logs.Len() != 1 {
			t.Errorf("checked %d times, %d lines in the log", asked, logs.Len())
		}
		failure = nil
		time.Sleep(readyAge)
		if w := get(); w.Code != http.StatusOK || w.Body.String() != "ok\n" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// A check that hangs is an answer too.
func TestReadyzIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &front{log: zap.NewNop(), ready: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		began := time.Now()
		if w := do(f, httptest.NewRequest(http.MethodGet, "/readyz", nil)); w.Code != http.StatusServiceUnavailable {
			t.Error(w.Code)
		}
		if spent := time.Since(began); spent != readyTime {
			t.Errorf("it took %v", spent)
		}
	})
}

// While the server ends, whoever spreads requests hears of it before the listener
// is closed.
func TestReadyzWhileEnding(t *testing.T) {
	ending := make(chan struct{})
	r := runHTTP(t, &HTTP{Handler: fine, times: times{lull: patience}, Ending: func() { close(ending) }})
	conn := r.dial()
	from := bufio.NewReader(conn)
	ask := func() *http.Response {
		_, _ = io.WriteString(conn, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, _ := readResponse(t, from)
		return resp
	}
	if resp := ask(); resp.StatusCode != http.StatusOK || resp.Close {
		t.Errorf("before: %s", resp.Status)
	}
	r.end()
	<-ending
	if resp := ask(); resp.StatusCode != http.StatusServiceUnavailable || !resp.Close {
		t.Errorf("while it ends: %s, close %v", resp.Status, resp.Close)
	}
	r.wait() // as soon as nobody is connected
}
