package rest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// serve is a client, on its own transport, of a server that h answers for.
func serve(t testing.TB, h http.HandlerFunc, change ...func(*Config)) (*Client, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	client := newClient(t, nil, append([]func(*Config){func(c *Config) { c.Host, c.RoundTripper = server.URL, nil }}, change...)...)
	t.Cleanup(client.http.CloseIdleConnections)
	return client, server
}

func TestHosts(t *testing.T) {
	token := func(context.Context) (string, error) { return "t", nil }
	for host, good := range map[string]bool{
		"https://dbc-1.cloud.databricks.com":      true,
		"http://127.0.0.1:8080":                   true,
		"http://localhost:1":                      true,
		"http://[::1]:1":                          true,
		"http://dbc-1.cloud.databricks.com":       false,
		"http://127.0.0.1.example.com":            false,
		"https://dbc-1.cloud.databricks.com/":     false,
		"https://dbc-1.cloud.databricks.com/x?o=": false,
		"https://u:p@dbc-1.cloud.databricks.com":  false,
		"dbc-1.cloud.databricks.com":              false,
		"ftp://dbc-1":                             false,
		"https://":                                false,
		"":                                        false,
	} {
		if _, err := New(Config{Host: host, Token: token}); (err == nil) != good {
			t.Errorf("%q: %v", host, err)
		}
	}
	if _, err := New(Config{Host: "https://x"}); err == nil {
		t.Error("a client without a token function")
	}
}

func TestPathMustNotBecomeAHost(t *testing.T) {
	call := callOf(getJob)
	call.Path = "@evil.example.com/x"
	w := &wire{script: []reply{ok}}
	if e := failureOf(t, newClient(t, w), call); e.Kind != catalog.Internal || w.count() != 0 {
		t.Errorf("%+v", e)
	}
}

func TestRequest(t *testing.T) {
	var got *http.Request
	var body []byte
	client, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("X-Request-Id", "abc")
		fmt.Fprint(w, `{"run_id":9007199254740993}`)
	}, func(c *Config) {
		c.WorkspaceID = "123"
		c.UserAgent = func(context.Context) string { return "brickmcp/1.0 go/1.26" }
	})
	call := callOf(createJob)
	call.Path, call.Query = "/api/2.0/x/a%2Fb%20c", "q=1%2B2"
	call.Header = http.Header{"If-Unmodified-Since": {"now"}, "authorization": {"Bearer evil"}}
	answer := success(t, client, call)
	if string(answer.Body) != `{"run_id":9007199254740993}` || answer.Status != 200 || answer.RequestID != "abc" {
		t.Errorf("answer %+v", answer)
	}
	if got.Method != "POST" || got.RequestURI != "/api/2.0/x/a%2Fb%20c?q=1%2B2" || string(body) != `{"job_id":42}` {
		t.Errorf("sent %s %s %s", got.Method, got.RequestURI, body)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer " + goodToken, "Accept": "application/json", "Content-Type": "application/json", "Accept-Encoding": "gzip",
		"User-Agent": "brickmcp/1.0 go/1.26", "X-Databricks-Workspace-Id": "123", "If-Unmodified-Since": "now",
	} {
		if values := got.Header.Values(name); len(values) != 1 || values[0] != want {
			t.Errorf("%s: %q, want %q", name, values, want)
		}
	}
	success(t, client, callOf(getJob))
	if got.Header.Get("Content-Type") != "" || len(body) != 0 {
		t.Errorf("a GET with a body: %q", body)
	}
}

func TestBodies(t *testing.T) {
	big := `{"x":"` + strings.Repeat("y", 3<<20) + `"}`
	small := `{"jobs":[` + strings.Repeat(`{"job_id":1},`, 700) + `{}]}`
	for _, c := range []struct {
		name  string
		write func(http.ResponseWriter)
		want  string
		says  string
	}{
		{"announced length", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", fmt.Sprint(len(small)))
			fmt.Fprint(w, small)
		}, small, ""},
		{"chunked", func(w http.ResponseWriter) { w.(http.Flusher).Flush(); fmt.Fprint(w, small) }, small, ""},
		{"large and chunked", func(w http.ResponseWriter) { w.(http.Flusher).Flush(); fmt.Fprint(w, big) }, big, ""},
		{"compressed", func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			fmt.Fprint(z, small)
			z.Close()
		}, small, ""},
		{"empty", func(w http.ResponseWriter) {}, "", ""},
		{"no content", func(w http.ResponseWriter) { w.WriteHeader(204) }, "", ""},
		{"space", func(w http.ResponseWriter) { fmt.Fprint(w, " \n") }, " \n", ""},
		{"compressed, broken off", func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			fmt.Fprint(z, small)
			z.Close()
			w.Write(b.Bytes()[:b.Len()/2])
		}, "", "broke off"},
		{"compressed bomb", func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			var member bytes.Buffer // gzip may be a row of members
			z := gzip.NewWriter(&member)
			z.Write(make([]byte, 8<<20))
			z.Close()
			for range maxBody/(8<<20) + 1 {
				w.Write(member.Bytes())
			}
		}, "", "larger than 64 MiB"},
		{"announced as too large", func(w http.ResponseWriter) { w.Header().Set("Content-Length", fmt.Sprint(maxBody+1)) }, "", "larger than 64 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { c.write(w) })
			call := callOf(execute) // not repeated
			if c.says == "" {
				if answer := success(t, client, call); string(answer.Body) != c.want {
					t.Errorf("%d bytes, want %d", len(answer.Body), len(c.want))
				}
				return
			}
			e := failureOf(t, client, call)
			contains(t, "message", e.Message, c.says)
			if e.Kind != catalog.UnknownFate {
				t.Errorf("the statement was executed, but the kind is %q", e.Kind)
			}
		})
	}
}

// A buffer that goes back to the pool must not be what the caller holds.
func TestBodiesAreTheCallers(t *testing.T) {
	client, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		fmt.Fprintf(w, `{"q":%q}`, r.URL.RawQuery)
	})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			call := callOf(getJob)
			call.Query = fmt.Sprintf("n=%d", i)
			first := success(t, client, call)
			for range 5 {
				success(t, client, callOf(getRun))
			}
			if want := fmt.Sprintf(`{"q":"n=%d"}`, i); string(first.Body) != want {
				t.Errorf("%s, want %s", first.Body, want)
			}
		})
	}
	wg.Wait()
}

// hangUp answers the first request of each connection and drops the
// connection after reading the second: the way a keep-alive connection dies
// under a request.
func hangUp(t *testing.T) (host string, requests func() []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	var mu sync.Mutex
	var seen []string
	var first atomic.Bool
	first.Store(true)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 64<<10)
				for {
					n, err := conn.Read(buf)
					if err != nil {
						return
					}
					mu.Lock()
					seen = append(seen, string(buf[:n]))
					mu.Unlock()
					if !first.Swap(false) {
						return
					}
					fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String(), func() []string { mu.Lock(); defer mu.Unlock(); return append([]string(nil), seen...) }
}

// net/http repeats some requests by itself when a kept connection breaks. What
// may run twice only with a token must not be among them.
func TestTransportReplaysNoWrite(t *testing.T) {
	for _, r := range []*catalog.Row{execute, createJob} {
		t.Run(r.Name, func(t *testing.T) {
			host, requests := hangUp(t)
			client := newClient(t, nil, func(c *Config) { c.Host, c.RoundTripper = host, nil })
			defer client.http.CloseIdleConnections()
			success(t, client, callOf(getJob))
			e := failureOf(t, client, callOf(r))
			posts := 0
			for _, req := range requests() {
				if strings.HasPrefix(req, "POST") {
					posts++
				}
			}
			if e.Kind != catalog.UnknownFate || posts != 1 {
				t.Errorf("sent %d times: %v", posts, e)
			}
		})
	}
}

func TestRefusedConnectionIsNeverSent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	client := newClient(t, nil, func(c *Config) { c.Host, c.RoundTripper = "http://"+listener.Addr().String(), nil })
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	_, err = client.Do(ctx, callOf(createJob))
	e := catalog.AsError(err)
	if e.Kind != catalog.Down {
		t.Errorf("%+v", e)
	}
	contains(t, "error", e.Error(), "refuses connections", "Check host and port")
}

func TestUntrustedCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog, _ = zap.NewStdLogAt(zap.NewNop(), zap.ErrorLevel)
	server.StartTLS()
	defer server.Close()
	client := newClient(t, nil, func(c *Config) { c.Host, c.RoundTripper = server.URL, nil })
	e := failureOf(t, client, callOf(createJob))
	if e.Kind != catalog.Down || strings.Contains(e.Message, "attempts") {
		t.Errorf("%+v", e)
	}
	contains(t, "error", e.Error(), "authority", "SSL_CERT_FILE")
}

// The token goes to the workspace and nowhere else.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { elsewhere.Add(1); fmt.Fprint(w, "{}") }))
	defer other.Close()
	client, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/login?secret=1", http.StatusTemporaryRedirect)
	})
	e := failureOf(t, client, callOf(createJob))
	if e.Kind != catalog.SignIn || elsewhere.Load() != 0 || strings.Contains(e.Error(), "secret=1") {
		t.Errorf("%d requests elsewhere, %+v", elsewhere.Load(), e)
	}
}

// A hundred calls run at once and leave their connections to the next hundred.
func TestManyAtOnce(t *testing.T) {
	const n = 100
	var open atomic.Int32
	release := make(chan struct{})
	var arrived atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if arrived.Add(1)%n == 0 {
			release <- struct{}{}
		}
		<-release
		release <- struct{}{}
		fmt.Fprint(w, "{}")
	}))
	release = make(chan struct{}, n)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			open.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := newClient(t, nil, func(c *Config) { c.Host, c.RoundTripper = server.URL, nil })
	defer client.http.CloseIdleConnections()
	for range 2 {
		for _, err := range together(t.Context(), client, n, getJob) {
			if err != nil {
				t.Fatal(err)
			}
		}
		<-release // close the gate again
	}
	if got := open.Load(); got > n+n/10 {
		t.Errorf("%d connections for %d calls at a time: they are not kept", got, n)
	}
}

func TestCancelAbortsTheRequest(t *testing.T) {
	aborted := make(chan struct{})
	arrived := make(chan struct{})
	client, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(aborted)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if _, err := client.Do(ctx, callOf(getJob)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-aborted
}

// What is logged names the call and its fate, and nothing that is secret.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		w := &wire{script: []reply{answer(503, "body-text", "X-Secret: header-text"), ok}}
		client := newClient(t, w, func(c *Config) { c.Logger = zap.New(core) })
		success(t, client, callOf(getJob))
		if logs.Len() != 3 {
			t.Errorf("%d lines", logs.Len())
		}
		for _, entry := range logs.All() {
			line := fmt.Sprint(entry.Message, entry.ContextMap())
			contains(t, "line", line, "jobs_get", "req-1")
			for _, secret := range []string{goodToken, "job_id=42", "body-text", "header-text"} {
				if strings.Contains(line, secret) {
					t.Errorf("the log shows %q: %s", secret, line)
				}
			}
		}
	})
}

func TestAgentToken(t *testing.T) {
	for _, c := range [][3]string{
		{"claude-desktop", "1.2.3", "claude-desktop/1.2.3"},
		{"Visual Studio Code", "1.99", "Visual-Studio-Code/1.99"},
		{"a\r\nX-Evil: 1", "", "a-X-Evil-1"},
		{"évil (x; y)", "1 2", "vil-x-y/1-2"},
		{"日本", "1", ""},
		{"", "1", ""},
		{strings.Repeat("a", 200), strings.Repeat("b", 200), strings.Repeat("a", 64) + "/" + strings.Repeat("b", 64)},
	} {
		if got := AgentToken(c[0], c[1]); got != c[2] {
			t.Errorf("%q %q gave %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
