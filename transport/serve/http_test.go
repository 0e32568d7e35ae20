package serve

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
)

// crowd tells users apart by a header, and has a server for each.
type crowd struct {
	build func() *server.MCPServer
	mu    sync.Mutex
	known map[string]*server.MCPServer
	held  int // principals that were not let go
}

type tokenKey struct{}

func (u *crowd) Authenticate(r *http.Request) (Principal, error) {
	name := r.Header.Get("User")
	switch name {
	case "":
		return Principal{}, &Refusal{Status: http.StatusUnauthorized, Message: "no user", Challenge: `Bearer realm="test"`}
	case "broken":
		return Principal{}, errors.New("secret of the machine")
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.known[name] == nil {
		if u.known == nil {
			u.known = map[string]*server.MCPServer{}
		}
		u.known[name] = u.build()
	}
	u.held++
	return Principal{
		ID: name, Server: u.known[name],
		With: func(ctx context.Context) context.Context {
			return context.WithValue(ctx, tokenKey{}, r.Header.Get("Token"))
		},
		Release: func() { u.mu.Lock(); u.held--; u.mu.Unlock() },
	}, nil
}

// server is the one of a user.
func (u *crowd) server(name string) *server.MCPServer {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.known[name]
}

// site is an Endpoint on a real listener.
type site struct {
	t *testing.T
	*Endpoint
	users *crowd
	url   string
	web   *http.Client // nil: the default one
	abort func()       // ends the context of all requests, as a server does that has to end
}

var testKey = []byte("0123456789abcdef0123456789abcdef")

// publish serves at /mcp, /sse and /message until the test ends, and then sees that
// everybody was let go.
func publish(t *testing.T, build func() *server.MCPServer, change ...func(*Endpoint)) *site {
	t.Helper()
	u := &crowd{build: build}
	e := &Endpoint{Auth: u, Key: testKey}
	for _, c := range change {
		c(e)
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp", e.StreamableHTTP())
	mux.Handle("/", e.SSE())
	var requests sync.WaitGroup
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		defer requests.Done()
		mux.ServeHTTP(w, r)
	}))
	base, abort := context.WithCancel(context.Background())
	srv.Config.BaseContext = func(net.Listener) context.Context { return base }
	srv.Start()
	t.Cleanup(func() {
		abort()
		srv.CloseClientConnections()
		srv.Close()
		requests.Wait()
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.held != 0 {
			t.Errorf("%d principals were not let go", u.held)
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		if len(e.streams)+len(e.pairs)+len(e.calls.running)+len(e.questions.waiting)+len(e.questions.asked) != 0 {
			t.Errorf("left behind: %d streams, %d sessions, %d calls, %d questions", len(e.streams), len(e.pairs), len(e.calls.running), len(e.questions.waiting))
		}
	})
	return &site{t: t, Endpoint: e, users: u, url: srv.URL, abort: abort}
}

// newRequest is one to the site; headers are name and value in turn, and a value of
// "-" takes a default away.
func (s *site) newRequest(ctx context.Context, method, path, body string, headers ...string) *http.Request {
	s.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("User", "alice")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "-" {
			req.Header.Del(headers[i])
		}
	}
	return req
}

func (s *site) client() *http.Client { return cmp.Or(s.web, http.DefaultClient) }

// request is the response to a request.
func (s *site) request(ctx context.Context, method, path, body string, headers ...string) *http.Response {
	s.t.Helper()
	res, err := s.client().Do(s.newRequest(ctx, method, path, body, headers...))
	if err != nil {
		s.t.Fatal(err)
	}
	return res
}

// send is a message to /mcp and its response: one JSON document.
func (s *site) send(body string, headers ...string) (*http.Response, gjson.Result) {
	s.t.Helper()
	res := s.request(s.t.Context(), "POST", "/mcp", body, headers...)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if len(text) > 0 && !gjson.ValidBytes(text) {
		s.t.Fatalf("status %d with a body that is no JSON: %q", res.StatusCode, text)
	}
	return res, gjson.ParseBytes(text)
}

const capable = `{"elicitation":{}}`

// initialize is the session of a new legacy client.
func (s *site) initialize(capabilities string, headers ...string) string {
	s.t.Helper()
	res, answer := s.send(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":`+capabilities+`,"clientInfo":{"name":"peer","version":"1"}}}`, headers...)
	if answer.Get("result.protocolVersion").Str != "2025-11-25" {
		s.t.Fatalf("initialize brought %d %s", res.StatusCode, answer.Raw)
	}
	id := res.Header.Get("Mcp-Session-Id")
	if id == "" {
		s.t.Fatal("no session id")
	}
	if len(id) > maxSessionID || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		s.t.Errorf("the session id is not what the protocol allows: %q", id)
	}
	return id
}

func callOf(id, tool string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"` + tool + `","arguments":{}}}`
}

// modernCall is a request of 2026-07-28 with its headers.
func modernCall(id, tool, meta string) (string, []string) {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"` + tool + `","arguments":{},` + strings.Replace(modern, `":{"`, `":{`+meta+`"`, 1) + `}}`,
		[]string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", tool}
}

// events reads a stream.
type events struct {
	t    *testing.T
	body io.ReadCloser
	in   *bufio.Reader
}

func (s *site) stream(res *http.Response) *events {
	s.t.Helper()
	s.t.Cleanup(func() { res.Body.Close() })
	if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || got != "text/event-stream" {
		text, _ := io.ReadAll(res.Body)
		s.t.Fatalf("status %d, type %s: %s", res.StatusCode, got, text)
	}
	return &events{s.t, res.Body, bufio.NewReader(res.Body)}
}

// next is the next event: its name and its data. At the end both are empty.
func (e *events) next() (name, data string) {
	e.t.Helper()
	for {
		line, err := e.in.ReadString('\n')
		if err != nil {
			if err != io.EOF || line != "" {
				e.t.Fatalf("the stream ends inside an event: %q, %v", line, err)
			}
			return "", ""
		}
		switch field, value, _ := strings.Cut(strings.TrimRight(line, "\n"), ": "); {
		case line == "\n" && data != "":
			return name, data
		case line == "\n", strings.HasPrefix(line, ":"):
		case field == "event":
			name = value
		case field == "data":
			data = value
		default:
			e.t.Fatalf("not a line of a stream: %q", line)
		}
	}
}

// message is the next event, which is a JSON-RPC message.
func (e *events) message() gjson.Result {
	e.t.Helper()
	name, data := e.next()
	if name != "message" || !gjson.Valid(data) {
		e.t.Fatalf("event %q with %q", name, data)
	}
	return gjson.Parse(data)
}

// ended makes sure that there is nothing more.
func (e *events) ended() {
	e.t.Helper()
	if name, data := e.next(); name != "" {
		e.t.Errorf("behind the last event came %s %s", name, data)
	}
}

// within waits for a condition that nothing signals.
func within(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); {
		if time.Now().After(deadline) {
			t.Fatal("still not so after a minute: ", what)
		}
		<-time.After(time.Millisecond)
	}
}

// hello is a server with a tool that answers at once.
func hello() *server.MCPServer { return newServer(map[string]server.ToolHandlerFunc{"say": say("hi")}) }

func TestStatus(t *testing.T) {
	site := publish(t, hello)
	session := site.initialize(`{}`)
	now, old := site.now(), newNonce()
	grantOf := func(issued time.Time, user string, key []byte) string {
		return grant{nonce: old, issued: issued, protocol: "2025-11-25"}.sign(key, user)
	}
	ping := `{"jsonrpc":"2.0","id":7,"method":"ping"}`
	discover := `{"jsonrpc":"2.0","id":7,"method":"server/discover","params":{` + modern + `}}`
	version := func(v string) string { return strings.Replace(discover, "2026-07-28", v, 1) }
	newCall, newHeaders := modernCall("7", "say", "")
	without := func(header string) []string { return append(append([]string{}, newHeaders...), header, "-") }
	with := func(headers ...string) []string { return append(append([]string{}, newHeaders...), headers...) }
	isModern := []string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "server/discover"}
	for _, c := range []struct {
		name    string
		method  string // "": POST
		body    string
		headers []string
		status  int
		code    int64  // of a JSON-RPC error; 0: none
		id      string // JSON; "": 7, or null for errors of HTTP
		says    string
	}{
		{name: "a request", body: ping, status: 200},
		{name: "with a session", body: ping, headers: []string{"Mcp-Session-Id", session}, status: 200},
		{name: "a notification", body: `{"jsonrpc":"2.0","method":"notifications/initialized"}`, headers: []string{"Mcp-Session-Id", session}, status: 202},
		{name: "an answer that nobody waits for", body: `{"jsonrpc":"2.0","id":"brickmcp-1","result":{}}`, headers: []string{"Mcp-Session-Id", session}, status: 202},
		{name: "a cancellation of nothing", body: `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, status: 202},
		{name: "a tool that is not there", body: callOf("7", "nothing"), status: 200, code: mcp.INVALID_PARAMS},
		{name: "a method that is not there", body: `{"jsonrpc":"2.0","id":7,"method":"nothing"}`, status: 200, code: mcp.METHOD_NOT_FOUND},
		{name: "params of a wrong shape", body: `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":1}}`, status: 200, code: mcp.INVALID_PARAMS},

		{name: "no user", body: ping, headers: []string{"User", "-"}, status: 401, code: mcp.INVALID_REQUEST, id: "null", says: "no user"},
		{name: "a user nobody can tell", body: ping, headers: []string{"User", "broken"}, status: 500, code: mcp.INTERNAL_ERROR, id: "null", says: "internal error"},
		{name: "no user to listen", method: "GET", headers: []string{"User", "-"}, status: 401, code: mcp.INVALID_REQUEST, id: "null"},
		{name: "no user to end", method: "DELETE", headers: []string{"User", "-"}, status: 401, code: mcp.INVALID_REQUEST, id: "null"},

		{name: "not JSON", body: `{"jsonrpc":"2.0","id":7,`, status: 400, code: mcp.PARSE_ERROR, id: "null"},
		{name: "nothing", body: " ", status: 400, code: mcp.PARSE_ERROR, id: "null"},
		{name: "a batch", body: `[` + ping + `]`, status: 400, code: mcp.INVALID_REQUEST, id: "null", says: "batches"},
		{name: "no JSON-RPC", body: `{"id":7,"method":"ping"}`, status: 400, code: mcp.INVALID_REQUEST},
		{name: "both request and response", body: `{"jsonrpc":"2.0","id":7,"method":"ping","result":{}}`, status: 400, code: mcp.INVALID_REQUEST},
		{name: "brackets without end", body: strings.Repeat("[", 1<<16), status: 400, code: mcp.PARSE_ERROR, id: "null"},
		{name: "too large", body: `{"x":"` + strings.Repeat("x", maxLine) + `"}`, status: 413, code: mcp.INVALID_REQUEST, id: "null", says: "too large"},
		{name: "a form", body: ping, headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 415, code: mcp.INVALID_REQUEST, id: "null"},
		{name: "plain text", body: ping, headers: []string{"Content-Type", "text/plain"}, status: 415, code: mcp.INVALID_REQUEST, id: "null"},
		{name: "no type", body: ping, headers: []string{"Content-Type", "-"}, status: 415, code: mcp.INVALID_REQUEST, id: "null"},
		{name: "a type with a parameter", body: ping, headers: []string{"Content-Type", "application/json; charset=utf-8"}, status: 200},
		{name: "accepts JSON alone", body: ping, headers: []string{"Accept", "application/json"}, status: 406, code: mcp.INVALID_REQUEST, id: "null"},
		{name: "accepts events alone", body: ping, headers: []string{"Accept", "text/event-stream"}, status: 406, code: mcp.INVALID_REQUEST, id: "null"},
		{name: "accepts everything", body: ping, headers: []string{"Accept", "*/*"}, status: 200},
		{name: "accepts both with weights", body: ping, headers: []string{"Accept", "Application/JSON;q=0.5, text/*"}, status: 200},
		{name: "accepts what it does not say", body: ping, headers: []string{"Accept", "-"}, status: 200},

		{name: "PUT", method: "PUT", body: ping, status: 405, code: mcp.INVALID_REQUEST, id: "null"},
		{name: "OPTIONS of a browser", method: "OPTIONS", headers: []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "POST"}, status: 405, code: mcp.INVALID_REQUEST, id: "null"},
		{name: "HEAD", method: "HEAD", status: 405},

		{name: "version 2025-06-18", body: ping, headers: []string{"Mcp-Protocol-Version", "2025-06-18"}, status: 200},
		{name: "an unknown version", body: ping, headers: []string{"Mcp-Protocol-Version", "1999-01-01"}, status: 400, code: mcp.UNSUPPORTED_PROTOCOL_VERSION},
		{name: "a version that is none", body: ping, headers: []string{"Mcp-Protocol-Version", "latest"}, status: 400, code: mcp.UNSUPPORTED_PROTOCOL_VERSION},
		{name: "a version to come", body: version("2099-01-01"), headers: []string{"Mcp-Protocol-Version", "2099-01-01", "Mcp-Method", "server/discover"}, status: 400, code: mcp.UNSUPPORTED_PROTOCOL_VERSION},

		{name: "a method header nobody wants", body: ping, headers: []string{"Mcp-Method", "ping"}, status: 200},
		{name: "a method header that differs", body: ping, headers: []string{"Mcp-Method", "subscriptions/listen"}, status: 400, code: mcp.HEADER_MISMATCH},

		{name: "a forged session", body: ping, headers: []string{"Mcp-Session-Id", "no-such-session"}, status: 404, code: mcp.INVALID_REQUEST},
		{name: "a session with one letter changed", body: ping, headers: []string{"Mcp-Session-Id", swapLetter(session, 4)}, status: 404, code: mcp.INVALID_REQUEST},
		{name: "a session of a foreign user", body: ping, headers: []string{"Mcp-Session-Id", session, "User", "bob"}, status: 404, code: mcp.INVALID_REQUEST},
		{name: "a session of another server", body: ping, headers: []string{"Mcp-Session-Id", grantOf(now, "alice", bytes.Repeat([]byte{1}, 32))}, status: 404, code: mcp.INVALID_REQUEST},
		{name: "a session of 29 days", body: ping, headers: []string{"Mcp-Session-Id", grantOf(now.Add(-29*24*time.Hour), "alice", testKey)}, status: 200},
		{name: "a session of 31 days", body: ping, headers: []string{"Mcp-Session-Id", grantOf(now.Add(-31*24*time.Hour), "alice", testKey)}, status: 404, code: mcp.INVALID_REQUEST},
		{name: "a session of tomorrow", body: ping, headers: []string{"Mcp-Session-Id", grantOf(now.Add(24*time.Hour), "alice", testKey)}, status: 404, code: mcp.INVALID_REQUEST},
		{name: "an answer of a forged session", body: `{"jsonrpc":"2.0","id":"x","result":{}}`, headers: []string{"Mcp-Session-Id", "x"}, status: 404, code: mcp.INVALID_REQUEST, id: `"x"`},
		{name: "listening to a forged session", method: "GET", headers: []string{"Mcp-Session-Id", "x"}, status: 404, code: mcp.INVALID_REQUEST, id: "null"},
		{name: "listening to a foreign session", method: "GET", headers: []string{"Mcp-Session-Id", session, "User", "bob"}, status: 404, code: mcp.INVALID_REQUEST, id: "null"},
		{name: "listening without a session", method: "GET", status: 400, code: mcp.INVALID_REQUEST, id: "null"},
		{name: "listening for JSON", method: "GET", headers: []string{"Mcp-Session-Id", session, "Accept", "application/json"}, status: 406, code: mcp.INVALID_REQUEST, id: "null"},
		{name: "ending a forged session", method: "DELETE", headers: []string{"Mcp-Session-Id", "x"}, status: 404, code: mcp.INVALID_REQUEST, id: "null"},
		{name: "ending a foreign session", method: "DELETE", headers: []string{"Mcp-Session-Id", session, "User", "bob"}, status: 404, code: mcp.INVALID_REQUEST, id: "null"},
		{name: "ending no session", method: "DELETE", status: 400, code: mcp.INVALID_REQUEST, id: "null"},

		{name: "modern: discover", body: discover, headers: isModern, status: 200},
		{name: "modern: a call", body: newCall, headers: newHeaders, status: 200},
		{name: "modern: a session id is not looked at", body: newCall, headers: with("Mcp-Session-Id", "x"), status: 200},
		{name: "modern: no version header", body: newCall, headers: without("Mcp-Protocol-Version"), status: 400, code: mcp.HEADER_MISMATCH},
		{name: "modern: another version in the header", body: newCall, headers: with("Mcp-Protocol-Version", "2025-11-25"), status: 400, code: mcp.HEADER_MISMATCH},
		{name: "modern: no version in the message", body: ping, headers: []string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "ping"}, status: 400, code: mcp.INVALID_PARAMS},
		{name: "modern: no method header", body: newCall, headers: without("Mcp-Method"), status: 400, code: mcp.HEADER_MISMATCH},
		{name: "modern: another method in the header", body: newCall, headers: with("Mcp-Method", "tools/list"), status: 400, code: mcp.HEADER_MISMATCH},
		{name: "modern: no name header", body: newCall, headers: without("Mcp-Name"), status: 400, code: mcp.HEADER_MISMATCH},
		{name: "modern: another name in the header", body: newCall, headers: with("Mcp-Name", "other"), status: 400, code: mcp.HEADER_MISMATCH},
		{name: "modern: two names in the message", body: strings.Replace(newCall, `"name":"say"`, `"name":"say","name":"other"`, 1), headers: newHeaders, status: 400, code: mcp.HEADER_MISMATCH},
		{name: "modern: the name in base64", body: newCall, headers: with("Mcp-Name", "=?base64?c2F5?="), status: 200},
		{name: "modern: resuming a stream", body: newCall, headers: with("Last-Event-ID", "1"), status: 400, code: mcp.HEADER_MISMATCH},
		{name: "modern: an answer", body: `{"jsonrpc":"2.0","id":7,"result":{}}`, headers: []string{"Mcp-Protocol-Version", "2026-07-28"}, status: 400, code: mcp.INVALID_REQUEST},
		{name: "modern: a notification", body: `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, headers: []string{"Mcp-Protocol-Version", "2026-07-28"}, status: 202},
		{name: "modern: a tool that is not there", body: strings.Replace(newCall, `"name":"say"`, `"name":"nothing"`, 1), headers: with("Mcp-Name", "nothing"), status: 400, code: mcp.INVALID_PARAMS},
		{name: "modern: initialize", body: strings.Replace(discover, "server/discover", "initialize", 1), headers: []string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "initialize"}, status: 404, code: mcp.METHOD_NOT_FOUND},
		{name: "modern: a method that is not there", body: strings.Replace(discover, "server/discover", "nothing", 1), headers: []string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "nothing"}, status: 404, code: mcp.METHOD_NOT_FOUND},
		{name: "modern: no capabilities", body: `{"jsonrpc":"2.0","id":7,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`, headers: isModern, status: 400, code: mcp.INVALID_PARAMS},
		{name: "modern: GET", method: "GET", headers: []string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Session-Id", session}, status: 405, code: mcp.INVALID_REQUEST, id: "null"},
		{name: "modern: DELETE", method: "DELETE", headers: []string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Session-Id", session}, status: 405, code: mcp.INVALID_REQUEST, id: "null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			method := c.method
			if method == "" {
				method = "POST"
			}
			res := site.request(t.Context(), method, "/mcp", c.body, c.headers...)
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			answer := gjson.ParseBytes(text)
			if res.StatusCode != c.status || answer.Get("error.code").Int() != c.code {
				t.Fatalf("status %d with %s\nwant %d with code %d", res.StatusCode, text, c.status, c.code)
			}
			for name := range res.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("a page may read this: %s", name)
				}
			}
			switch id := answer.Get("id").Raw; {
			case res.StatusCode == 202 || method == "HEAD":
				if len(text) > 0 {
					t.Errorf("a body: %s", text)
				}
				return
			case c.id == "" && id != "7", c.id != "" && id != c.id:
				t.Errorf("the id is %s: %s", id, text)
			}
			if got := res.Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("type %q", got)
			}
			if res.StatusCode == 405 && res.Header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
			if res.StatusCode == 401 && res.Header.Get("WWW-Authenticate") != `Bearer realm="test"` {
				t.Errorf("challenge %q", res.Header.Get("WWW-Authenticate"))
			}
			if c.code == mcp.UNSUPPORTED_PROTOCOL_VERSION && len(answer.Get("error.data.supported").Array()) != len(mcp.ValidProtocolVersions) {
				t.Errorf("no list of versions: %s", text)
			}
			if c.code == 0 && !answer.Get("result").Exists() {
				t.Errorf("no result: %s", text)
			}
			contains(t, answer.Get("error.message").Str, c.says)
			if strings.Contains(string(text), "secret") || strings.Contains(string(text), "goroutine") {
				t.Errorf("the answer tells what is inside: %s", text)
			}
			if res.Header.Get("Mcp-Session-Id") != "" {
				t.Error("a session that nobody asked for")
			}
		})
	}
}

// swapLetter changes one letter of an id into another that is allowed there.
func swapLetter(id string, at int) string {
	c := byte('A')
	if id[at] == c {
		c = 'B'
	}
	return id[:at] + string(c) + id[at+1:]
}
