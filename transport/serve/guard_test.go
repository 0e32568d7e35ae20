package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// ours is the address that requests of these tests come in by.
var ours = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8765}

// post is a request as net/http hands it over.
func post(body string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/mcp", strings.NewReader(body))
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(ours)))
	r.Host, r.RemoteAddr = "localhost:8765", "127.0.0.1:40000"
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else {
			r.Header.Add(header[i], header[i+1])
		}
	}
	return r
}

func do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// mustRefuse checks the shape that every refusal has.
func mustRefuse(t *testing.T, w *httptest.ResponseRecorder, status int) {
	t.Helper()
	if w.Code != status {
		t.Errorf("status %d, want %d: %s", w.Code, status, w.Body)
		return
	}
	var answer struct {
		JSONRPC string           `json:"jsonrpc"`
		ID      *json.RawMessage `json:"id"`
		Error   struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if answer.JSONRPC != "2.0" || answer.ID != nil || answer.Error.Code >= 0 || answer.Error.Message == "" {
		t.Errorf("not a JSON-RPC error: %s", w.Body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	for name := range w.Header() {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("a refusal carries %s", name)
		}
	}
	if status == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
}

var fine = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			turnAway(w, &Refusal{Status: http.StatusRequestEntityTooLarge, Message: "too large"})
			return
		}
	}
	_, _ = io.WriteString(w, "fine")
})

func TestHostsThatAreServed(t *testing.T) {
	for _, c := range []struct {
		allowed []string
		host    string
		served  bool
	}{
		{nil, "localhost:8765", true},
		{nil, "LOCALHOST:8765", true},
		{nil, "localhost.:8765", true},
		{nil, "127.0.0.1:8765", true},
		{nil, "127.8.9.10:8765", true},
		{nil, "[::1]:8765", true},
		{nil, "[::ffff:127.0.0.1]:8765", true},
		{nil, "localhost", false}, // port 80 is not ours
		{nil, "localhost:80", false},
		{nil, "localhost:87650", false},
		{nil, "evil.example:8765", false},
		{nil, "localhost.evil.example:8765", false},
		{nil, "127.0.0.1.nip.example:8765", false},
		{nil, "0.0.0.0:8765", false},
		{nil, "10.0.0.7:8765", false},
		{nil, "", false},
		{nil, "[::1", false},
		{[]string{"mcp.example.com"}, "mcp.example.com", true},
		{[]string{"mcp.example.com"}, "MCP.example.com:443", true},
		{[]string{"mcp.example.com"}, "a.mcp.example.com", false},
		{[]string{"mcp.example.com:443"}, "mcp.example.com:444", false},
		{[]string{"mcp.example.com:443"}, "mcp.example.com:443", true},
		{[]string{"[fd00::1]"}, "[fd00::1]:8765", true},
		{[]string{"*"}, "anything.example", true},
	} {
		guard := &Guard{Hosts: c.allowed}
		w := do(guard.Wrap(fine), post("{}", "Host", c.host))
		if c.served {
			if w.Code != http.StatusOK {
				t.Errorf("Host %q with %q: %d", c.host, c.allowed, w.Code)
			}
			continue
		}
		mustRefuse(t, w, http.StatusForbidden)
		if t.Failed() {
			t.Fatalf("Host %q with %q", c.host, c.allowed)
		}
	}
}

// A page whose name points to this machine sends its own name as Host, or its Origin.
func TestRebindingIsRefused(t *testing.T) {
	var reasons []string
	guard := &Guard{Refused: func(reason string) { reasons = append(reasons, reason) }}
	h := guard.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was reached") }))
	mustRefuse(t, do(h, post("{}", "Host", "rebound.example:8765", "Origin", "http://rebound.example:8765")), http.StatusForbidden)
	mustRefuse(t, do(h, post("{}", "Origin", "http://rebound.example:8765")), http.StatusForbidden)
	if got := strings.Join(reasons, " "); got != "host origin" {
		t.Errorf("reasons %q", got)
	}
}

func TestOriginsThatMayCall(t *testing.T) {
	pages := []string{"https://Chat.example.com", "http://tools.example:8080/"}
	for _, c := range []struct {
		header []string
		served bool
	}{
		{nil, true}, // no browser
		{[]string{"Sec-Fetch-Site", "none"}, true},
		{[]string{"Sec-Fetch-Site", "same-origin"}, true},
		{[]string{"Sec-Fetch-Site", "cross-site"}, false}, // a picture
		{[]string{"Sec-Fetch-Site", "same-site"}, false},
		{[]string{"Origin", "https://chat.example.com", "Sec-Fetch-Site", "cross-site"}, true},
		{[]string{"Origin", "https://chat.example.com:443"}, true},
		{[]string{"Origin", "http://chat.example.com"}, false},
		{[]string{"Origin", "https://chat.example.com.evil.example"}, false},
		{[]string{"Origin", "http://tools.example:8080"}, true},
		{[]string{"Origin", "http://tools.example"}, false},
		{[]string{"Origin", "http://localhost:8765"}, true}, // our own
		{[]string{"Origin", "http://[::1]:8765"}, true},
		{[]string{"Origin", "https://localhost:8765"}, false},
		{[]string{"Origin", "http://localhost:3000"}, false}, // another program's pages
		{[]string{"Origin", "http://evil.example:8765"}, false},
		{[]string{"Origin", "null"}, false},
		{[]string{"Origin", ""}, false},
		{[]string{"Origin", "http://user@localhost:8765"}, false},
		{[]string{"Origin", "http://localhost:8765/path"}, false},
		{[]string{"Origin", "https://chat.example.com", "Origin", "https://evil.example"}, false},
	} {
		guard := &Guard{Origins: pages}
		w := do(guard.Wrap(fine), post("{}", c.header...))
		if c.served != (w.Code == http.StatusOK) {
			t.Errorf("%q: status %d", c.header, w.Code)
		}
		if !c.served {
			mustRefuse(t, w, http.StatusForbidden)
		}
	}
}

// A proxy that knows a person by a cookie is called from the pages of that person's
// machine, too: one at our port there is not ours.
func TestLoopbackPagesBehindAProxy(t *testing.T) {
	guard := (&Guard{Hosts: []string{"*"}}).Wrap(fine)
	for host, status := range map[string]int{
		"mcp.example.com": http.StatusForbidden, "localhost.example.com:8765": http.StatusForbidden,
		"localhost:8765": http.StatusOK, "[::1]:8765": http.StatusOK,
	} {
		r := post("{}", "Origin", "http://localhost:8765")
		r.Host = host
		if w := do(guard, r); w.Code != status {
			t.Errorf("for %s: status %d", host, w.Code)
		}
	}
}

// What nothing could ever match must be refused before it is relied on.
func TestWhatCanBeAllowed(t *testing.T) {
	for host, valid := range map[string]bool{
		"mcp.example.com": true, "mcp.example.com:443": true, "[fd00::1]": true, "[fd00::1]:443": true, "fd00::1": true, "*": true,
		"": false, ":443": false, "https://mcp.example.com": false, "mcp.example.com/mcp": false, "mcp.example.com:web": false,
		"*.example.com": false, "ana@example.com": false, "a b": false,
	} {
		if ValidHost(host) != valid {
			t.Errorf("host %q: %t", host, !valid)
		}
	}
	for origin, valid := range map[string]bool{
		"https://chat.example.com": true, "http://tools.example:8080/": true, "vscode-webview://1a2b": true,
		"": false, "null": false, "*": false, "chat.example.com": false, "localhost:3000": false, "https://": false,
		"https://*.example.com": false, "https://chat.example.com/mcp": false,
	} {
		if ValidOrigin(origin) != valid {
			t.Errorf("origin %q: %t", origin, !valid)
		}
	}
}

// Nothing lets pages of other origins read answers, whatever they ask for.
func TestNoCORS(t *testing.T) {
	guard := &Guard{Origins: []string{"https://chat.example.com"}}
	h := guard.Wrap(fine)
	for _, origin := range []string{"https://chat.example.com", "https://evil.example"} {
		r := post("", "Origin", origin, "Access-Control-Request-Method", "POST")
		r.Method = http.MethodOptions
		for name := range do(h, r).Header() {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s gets %s", origin, name)
			}
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	guard := &Guard{MaxBody: 1000}
	h := guard.Wrap(fine)
	if w := do(h, post(strings.Repeat(" ", 1000))); w.Code != http.StatusOK {
		t.Errorf("as long as allowed: %d", w.Code)
	}
	mustRefuse(t, do(h, post(strings.Repeat(" ", 1001))), http.StatusRequestEntityTooLarge)
	deaf := guard.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was reached") }))
	mustRefuse(t, do(deaf, post(strings.Repeat(" ", 1001))), http.StatusRequestEntityTooLarge)
	chunked := post(strings.Repeat(" ", 1001))
	chunked.ContentLength = -1
	mustRefuse(t, do(h, chunked), http.StatusRequestEntityTooLarge)
	if DefaultMaxBody != 4<<20 {
		t.Errorf("the bound is %d by default", DefaultMaxBody)
	}
}

// A panic says nothing to the client and where it happened to the log.
func TestPanicsTellNothing(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	guard := &Guard{Log: zap.New(core)}
	w := do(guard.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic("dapi0123456789abcdef")
	})), post("{}"))
	mustRefuse(t, w, http.StatusInternalServerError)
	if body := w.Body.String(); strings.Contains(body, "dapi") || strings.Contains(body, ".go") || strings.Contains(body, "goroutine") {
		t.Errorf("the client is told %s", body)
	}
	entries := logs.TakeAll()
	if len(entries) != 1 {
		t.Fatalf("%d lines in the log", len(entries))
	}
	fields, err := json.Marshal(entries[0].ContextMap())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(fields, []byte("dapi")) || !bytes.Contains(fields, []byte("guard_test.go")) {
		t.Errorf("the log has %s", fields)
	}
}

// Half an answer must not look whole: the connection is cut instead.
func TestPanicInTheMiddleOfAnAnswer(t *testing.T) {
	guard := &Guard{Hosts: []string{"*"}}
	server := httptest.NewServer(guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0",`)
		_ = http.NewResponseController(w).Flush()
		panic("in the middle")
	})))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the answer ended as if it were whole: %s", body)
	}
}

// What is behind the guard can flush, and reach the connection for deadlines.
func TestStreamsPassTheGuard(t *testing.T) {
	guard := &Guard{Hosts: []string{"*"}}
	more := make(chan struct{})
	server := httptest.NewServer(guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, ok := w.(http.Flusher); !ok {
			t.Error("the writer does not flush")
		}
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, "first\n")
		_ = control.Flush()
		<-more
		_, _ = io.WriteString(w, "second\n")
	})))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	line := make([]byte, 6)
	if _, err := io.ReadFull(resp.Body, line); err != nil || string(line) != "first\n" {
		t.Errorf("%q, %v", line, err)
	}
	close(more)
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "second\n" {
		t.Errorf("%q, %v", rest, err)
	}
}

func FuzzHostAndOrigin(f *testing.F) {
	for _, seed := range []string{"localhost:8765", "[::1]:8765", "evil.example", "http://localhost:8765", "null", "[::1%25lo]:8765", "http://[::1", "*"} {
		f.Add(seed, seed)
	}
	guard := &Guard{}
	guard.setUp()
	f.Fuzz(func(t *testing.T, host, origin string) {
		r := post("{}", "Host", host, "Origin", origin)
		if guard.hostAllowed(r) {
			name, port := splitHost(host, "80")
			if port != "8765" || name != "localhost" && !net.ParseIP(name).IsLoopback() && !strings.Contains(name, "%") {
				t.Errorf("Host %q is served", host)
			}
		}
		if guard.originAllowed(r) && !strings.HasPrefix(strings.ToLower(origin), "http://") {
			t.Errorf("Origin %q may call", origin)
		}
	})
}
