package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"brickmcp/transport/sandbox"

	"github.com/tidwall/gjson"
)

// httpServer is brickmcp on HTTP in this process.
type httpServer struct {
	url  string // of /mcp or /sse
	log  *listenLog
	out  bytes.Buffer // stdout
	stop func() error
}

// listenLog is a log that tells where the server listens.
type listenLog struct {
	mu    sync.Mutex
	text  bytes.Buffer
	found chan struct{}
	line  gjson.Result
}

func (l *listenLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	if line := gjson.ParseBytes(p); line.Get("msg").Str == "listening" && !l.line.Exists() {
		l.line = gjson.Parse(string(p))
		close(l.found)
	}
	return len(p), nil
}

func (l *listenLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// overHTTP starts a server on a free port. It is stopped with the test.
func overHTTP(t testing.TB, env map[string]string, arguments ...string) *httpServer {
	t.Helper()
	s := &httpServer{log: &listenLog{found: make(chan struct{})}}
	c := newConfig(func(name string) string { return env[name] }, strings.NewReader(""), &s.out, s.log)
	root := newRoot(c)
	root.SetArgs(append([]string{"--transport", "http", "--listen", "127.0.0.1:0", "--log-format", "json"}, arguments...))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(ctx) }()
	s.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
		if s.out.Len() > 0 {
			t.Errorf("stdout carries %q", s.out.String())
		}
	})
	select {
	case <-s.log.found:
		s.url = s.log.line.Get("url").Str
	case err := <-ended:
		ended <- nil
		t.Fatalf("the server did not start: %v\n%s", err, s.log)
	case <-time.After(time.Minute):
		t.Fatalf("the server does not say where it listens:\n%s", s.log)
	}
	return s
}

// appEnv is the environment of a Databricks App of the workspace at host.
func appEnv(t testing.TB, host string) map[string]string {
	return map[string]string{
		"DATABRICKS_APP_NAME": "brickmcp", "DATABRICKS_APP_PORT": "0", "DATABRICKS_HOST": host, "XDG_STATE_HOME": t.TempDir(),
		"DATABRICKS_CLIENT_ID": sandbox.ClientID, "DATABRICKS_CLIENT_SECRET": sandbox.ClientSecret,
	}
}

// httpClient calls a server as one user.
type httpClient struct {
	t       testing.TB
	url     string
	header  http.Header
	session string
	http    *http.Client
}

func asUser(t testing.TB, url, token string) *httpClient {
	return &httpClient{t: t, url: url, header: http.Header{forwardedHeader: {token}}, http: http.DefaultClient}
}

// post sends a message and gives the answer, whatever its status.
func (c *httpClient) post(message string) (*http.Response, gjson.Result) {
	req, err := http.NewRequest(http.MethodPost, c.url, strings.NewReader(message))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header = c.header.Clone()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if c.session != "" {
		req.Header.Set("Mcp-Session-Id", c.session)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Errorf("%s: %v", message, err)
		return &http.Response{Header: http.Header{}}, gjson.Result{}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Errorf("%s: %v", message, err)
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") { // the answer is the last event
		for line := range strings.Lines(string(text)) {
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				text = []byte(data)
			}
		}
	}
	return resp, gjson.ParseBytes(text)
}

// initialize begins a session as a client of that name.
func (c *httpClient) initialize(name string) {
	resp, answer := c.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":%q,"version":"1"}}}`, name))
	c.session = resp.Header.Get("Mcp-Session-Id")
	if resp.StatusCode != http.StatusOK || c.session == "" || answer.Get("result.serverInfo.name").Str != "brickmcp" {
		c.t.Errorf("initialize: %d, session %q, %s", resp.StatusCode, c.session, answer.Raw)
	}
}

// result calls a tool and gives the JSON of its result, or of the error in it.
func (c *httpClient) result(tool string, arguments args) gjson.Result {
	text, err := json.Marshal(arguments)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, answer := c.post(toolCall(1, tool, string(text)))
	if resp.StatusCode != http.StatusOK || !answer.Get("result.content").Exists() {
		c.t.Errorf("%s: %d %s", tool, resp.StatusCode, answer.Raw)
		return gjson.Result{}
	}
	if structured := answer.Get("result.structuredContent"); structured.Exists() {
		return structured
	}
	return gjson.Parse(answer.Get("result.content.0.text").Str)
}

// ok is result of a call that must succeed.
func (c *httpClient) ok(tool string, arguments args) gjson.Result {
	got := c.result(tool, arguments)
	if got.Get("error").Exists() {
		c.t.Errorf("%s %v failed: %s", tool, arguments, got.Raw)
	}
	return got
}

// refused is result of a call that must fail, with an error of that kind.
func (c *httpClient) refused(kind, tool string, arguments args) gjson.Result {
	got := c.result(tool, arguments).Get("error")
	if got.Get("kind").Str != kind {
		c.t.Errorf("%s %v: error %s, want %s", tool, arguments, got.Raw, kind)
	}
	return got
}

// numberedWorkspace is a workspace at an address, with users by their numbers, whose
// clock runs a hundred times as fast. see, which may be nil, sees every request first.
func numberedWorkspace(t testing.TB, see func(*http.Request)) (string, *sandbox.Workspace) {
	t.Helper()
	w, err := sandbox.New(sandbox.Options{NumberedUsers: true, Clock: &fastClock{began: time.Now(), speed: 100}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if see != nil {
			see(r)
		}
		w.ServeHTTP(rw, r)
	}))
	t.Cleanup(func() {
		server.Close()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return server.URL, w
}

// serveOn serves a handler, and gives its address.
func serveOn(t testing.TB, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func fetch(t testing.TB, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %v", url, resp.Status, err)
	}
	return string(text)
}
