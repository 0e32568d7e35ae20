package sandbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// withRoutes is a workspace with test routes, and a client that reaches it in
// process.
func withRoutes(t *testing.T, routes map[string]handler) *http.Client {
	t.Helper()
	w, err := New(Options{Clock: newTurnClock()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	for pattern, h := range routes {
		w.open(pattern, h)
	}
	return &http.Client{Transport: w.RoundTripper()}
}

// A download of any size passes through without being held: the handler cannot
// write further than the client has read.
func TestRoundTripperStreams(t *testing.T) {
	const chunk, chunks = 64 << 10, 400
	wrote := make(chan int, chunks)
	client := withRoutes(t, map[string]handler{"GET /big": func(r *request) (any, error) {
		r.w.Header().Set("Content-Length", fmt.Sprint(chunk*chunks))
		for n := range chunks {
			if _, err := r.w.Write([]byte(strings.Repeat(string(rune('a'+n%26)), chunk))); err != nil {
				return nil, err
			}
			wrote <- n
		}
		return nil, errWritten
	}})
	resp, err := client.Get("http://x/big")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ContentLength != chunk*chunks {
		t.Error("Content-Length:", resp.ContentLength)
	}
	sum, buf := sha256.New(), make([]byte, chunk)
	for n := range chunks {
		if len(wrote) > 2 {
			t.Fatalf("%d chunks were written ahead of the reader", len(wrote))
		}
		if _, err := io.ReadFull(resp.Body, buf); err != nil || buf[0] != byte('a'+n%26) {
			t.Fatalf("chunk %d: %v %c", n, err, buf[0])
		}
		sum.Write(buf)
		<-wrote
	}
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
		t.Errorf("%d bytes too many, %v", len(rest), err)
	}
}

func TestRoundTripperRequestBody(t *testing.T) {
	closed := make(chan struct{})
	client := withRoutes(t, map[string]handler{"PUT /echo": func(r *request) (any, error) {
		body, err := io.ReadAll(r.Body)
		return object{"length": len(body), "error": fmt.Sprint(err), "tls": r.base()}, nil
	}})
	body := &closeWatch{Reader: iotest.OneByteReader(strings.NewReader(strings.Repeat("x", 5000))), closed: closed}
	req, err := http.NewRequest("PUT", "https://x/echo", body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); string(text) != `{"error":"\u003cnil\u003e","length":5000,"tls":"https://x"}` {
		t.Error(string(text))
	}
	<-closed // the transport's duty
}

type closeWatch struct {
	io.Reader
	closed chan struct{}
}

func (c *closeWatch) Close() error { close(c.closed); return nil }

// Both ways a client leaves end the handler's context.
func TestRoundTripperCancel(t *testing.T) {
	entered, ended := make(chan struct{}, 1), make(chan error, 1)
	client := withRoutes(t, map[string]handler{
		"GET /wait": func(r *request) (any, error) {
			entered <- struct{}{}
			<-r.Context().Done()
			ended <- r.Context().Err()
			return nil, r.Context().Err()
		},
		"GET /drip": func(r *request) (any, error) {
			_ = http.NewResponseController(r.w).Flush()
			<-r.Context().Done()
			_, err := r.w.Write([]byte("late"))
			ended <- err
			return nil, errWritten
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-entered; cancel() }()
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://x/wait", nil)
	if _, err := client.Do(req); !errors.Is(err, context.Canceled) {
		t.Error("cancelled while waiting:", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error("the handler saw", err)
	}
	resp, err := client.Get("http://x/drip")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if err := <-ended; err == nil {
		t.Error("the handler could write to a client that closed its body")
	}

	ctx, cancel = context.WithCancel(context.Background())
	req, _ = http.NewRequestWithContext(ctx, "GET", "http://x/drip", nil)
	resp, err = client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	cancel()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Error("reading a cancelled body:", err)
	}
	<-ended
}

func TestRoundTripperHandlerPanics(t *testing.T) {
	client := withRoutes(t, map[string]handler{"GET /panic": func(*request) (any, error) { panic("boom") }})
	if _, err := client.Get("http://x/panic"); err == nil || !strings.Contains(err.Error(), "boom") {
		t.Error(err)
	}
}

func TestRoundTripperStatusAndHeaders(t *testing.T) {
	client := withRoutes(t, map[string]handler{
		"GET /none": func(*request) (any, error) { return answer{status: http.StatusNoContent}, nil },
		"/head":     func(r *request) (any, error) { return object{"a": 1}, nil },
	})
	resp, err := client.Get("http://x/none")
	if err != nil || resp.StatusCode != 204 || resp.ContentLength != 0 || resp.Header.Get("X-Databricks-Org-Id") != ID {
		t.Error(resp, err)
	}
	if resp, err = client.Head("http://x/head"); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(resp.Body); err != nil || len(text) > 0 {
		t.Errorf("HEAD has a body %q, %v", text, err)
	}
}
