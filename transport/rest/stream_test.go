package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"
)

func TestUpload(t *testing.T) {
	content := strings.Repeat("0123456789", 100_000)
	var got []string
	var header http.Header
	var length int64
	var mu sync.Mutex // the second attempt may come by another connection
	client, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got, header, length = append(got, string(body)), r.Header, r.ContentLength
		if len(got) == 1 {
			w.Header().Set("Retry-After", "0.01")
			w.WriteHeader(429)
			return
		}
		w.WriteHeader(204)
	}, func(c *Config) { c.RateLimit = NoRateLimit })
	opened, closed := 0, 0
	call := &catalog.Call{Row: upload, Path: "/api/2.0/fs/files/Volumes/a", Size: int64(len(content))}
	call.Upload = func() (io.ReadCloser, error) {
		opened++
		return closing{strings.NewReader(content), func() { closed++ }}, nil
	}
	success(t, client, call)
	if len(got) != 2 || got[1] != content || opened != 2 || closed != 2 {
		t.Errorf("%d requests, %d opened, %d closed", len(got), opened, closed)
	}
	if length != call.Size || header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("length %d, type %q", length, header.Get("Content-Type"))
	}

	for name, c := range map[string]struct {
		open func() (io.ReadCloser, error)
		size int64
		kind catalog.Kind
		says string
	}{
		"cannot be opened": {func() (io.ReadCloser, error) { return nil, errors.New("open a.csv: no such file") }, 3, catalog.Invalid, "no such file"},
		"cannot be read": {func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("ab"), broken{})), nil
		}, 9, catalog.Invalid, "could not be read"},
		"shorter than it was": {func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("ab")), nil }, 9, catalog.Invalid, "changed meanwhile"},
	} {
		call.Upload, call.Size = c.open, c.size
		e := failureOf(t, client, call)
		if e.Kind != c.kind {
			t.Errorf("%s: %+v", name, e)
		}
		contains(t, name, e.Error(), c.says)
	}

	call.Upload, call.Size = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }, 0
	success(t, client, call)
	if length != 0 || got[len(got)-1] != "" {
		t.Errorf("an empty file has length %d", length)
	}
}

type closing struct {
	io.Reader
	close func()
}

func (c closing) Close() error { c.close(); return nil }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("disk") }

func TestStream(t *testing.T) {
	client, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "bytes=2-" || r.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("headers %v", r.Header)
		}
		switch r.URL.Path {
		case "/missing":
			w.WriteHeader(404)
		case "/login.csv":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>")
		default:
			w.WriteHeader(206)
			fmt.Fprint(w, "<not json")
		}
	})
	call := &catalog.Call{Row: download, Path: "/a.csv", Stream: true, Header: http.Header{"Range": {"bytes=2-"}}}
	answer := success(t, client, call)
	body, err := io.ReadAll(answer.Stream)
	if err != nil || string(body) != "<not json" || answer.Status != 206 {
		t.Errorf("%d %q %v", answer.Status, body, err)
	}
	if err := answer.Stream.Close(); err != nil {
		t.Error(err)
	}
	call.Path = "/missing"
	if e := failureOf(t, client, call); e.Kind != catalog.Missing {
		t.Errorf("%+v", e)
	}
	call.Path = "/login.csv"
	if e := failureOf(t, client, call); e.Kind != catalog.SignIn {
		t.Errorf("%+v", e)
	}
}

// A transfer may take for ever, as long as something moves. A stream of events may
// stand still for longer.
func TestInactivity(t *testing.T) {
	for want, header := range map[time.Duration]http.Header{inactivity: nil, silence: {"Accept": {"text/event-stream"}}} {
		testInactivity(t, want, header)
	}
}

func testInactivity(t *testing.T, want time.Duration, header http.Header) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{script: []reply{func(req *http.Request) (*http.Response, error) {
			resp, err := answer(200, "")(req)
			reader, writer := io.Pipe()
			context.AfterFunc(req.Context(), func() { writer.CloseWithError(req.Context().Err()) })
			go func() {
				for range 10 {
					time.Sleep(50 * time.Second)
					fmt.Fprint(writer, "x")
				}
			}()
			resp.Body, resp.ContentLength = reader, -1
			return resp, err
		}}}
		began := time.Now()
		answer := success(t, newClient(t, w), &catalog.Call{Row: download, Path: "/a", Stream: true, Header: header})
		body, err := io.ReadAll(answer.Stream)
		if len(body) != 10 || !errors.Is(err, errInactivity) || time.Since(began) != 500*time.Second+want {
			t.Errorf("%d bytes in %s: %v", len(body), time.Since(began), err)
		}
		answer.Stream.Close()
	})
}
