package serve

import (
	"context"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
)

// pair is a client over HTTP+SSE.
type pair struct {
	*events
	site    *site
	address string
	user    string
}

func (s *site) pair(user string) *pair {
	s.t.Helper()
	stream := s.stream(s.request(s.t.Context(), "GET", "/sse", "", "User", user, "Accept", "text/event-stream"))
	name, address := stream.next()
	if name != "endpoint" || !strings.HasPrefix(address, "/message?sessionId=") {
		s.t.Fatalf("the first event is %s %q", name, address)
	}
	return &pair{stream, s, address, user}
}

// send posts a message and wants this status.
func (p *pair) send(status int, body string, headers ...string) gjson.Result {
	p.t.Helper()
	res := p.site.request(p.t.Context(), "POST", p.address, body, append([]string{"User", p.user, "Accept", "*/*"}, headers...)...)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		p.t.Errorf("status %d %s, want %d", res.StatusCode, text, status)
	}
	return gjson.ParseBytes(text)
}

func (p *pair) introduce(capabilities string) {
	p.t.Helper()
	p.send(202, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":`+capabilities+`,"clientInfo":{"name":"peer","version":"1"}}}`)
	if answer := p.message(); answer.Get("result.protocolVersion").Str != "2024-11-05" {
		p.t.Fatalf("initialize brought %s", answer.Raw)
	}
	p.send(202, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

func TestSSE(t *testing.T) {
	block := make(chan string, 10)
	site := publish(t, busy(block))
	p := site.pair("alice")
	p.introduce(capable)
	p.send(202, callOf("9007199254740993", "say"))
	if answer := p.message(); answer.Get("id").Raw != "9007199254740993" || resultText(answer) != "hi" {
		t.Errorf("say brought %s", answer.Raw)
	}
	p.send(202, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"work","_meta":{"progressToken":"t"}}}`)
	for n := range 3 {
		if note := p.message(); note.Get("params.progress").Int() != int64(n+1) {
			t.Errorf("instead of progress came %s", note.Raw)
		}
	}
	if answer := p.message(); resultText(answer) != "done" {
		t.Errorf("work brought %s", answer.Raw)
	}
	p.send(202, callOf("3", "ask"))
	question := p.message()
	site.pair("alice").send(202, `{"jsonrpc":"2.0","id":`+question.Get("id").Raw+`,"result":{"action":"cancel"}}`) // from another session
	p.send(202, `{"jsonrpc":"2.0","id":`+question.Get("id").Raw+`,"result":{"action":"decline"}}`)
	if answer := p.message(); resultText(answer) != "decline" {
		t.Errorf("ask brought %s", answer.Raw)
	}
	p.send(202, callOf("4", "block"))
	<-block
	site.pair("alice").send(202, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":4}}`) // from another session
	p.send(202, callOf("4", "say"))
	if answer := p.message(); answer.Get("error.code").Int() != mcp.INVALID_REQUEST {
		t.Errorf("a second request with an id brought %s", answer.Raw)
	}
	p.send(202, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":4}}`)
	if got := <-block; got != "cancelled" {
		t.Errorf("the call %s", got)
	}
	if answer := p.message(); answer.Get("id").Raw != "4" {
		t.Errorf("the cancelled call brought %s", answer.Raw)
	}
	grow(site.users.server("alice"))
	if note := p.message(); note.Get("method").Str != changed {
		t.Errorf("instead of a change came %s", note.Raw)
	}
	p.send(202, callOf("5", "block"))
	<-block
	p.body.Close()
	if got := <-block; got != "cancelled" {
		t.Errorf("when the stream was closed the call %s", got)
	}
	within(t, "the session is gone", func() bool { site.mu.Lock(); defer site.mu.Unlock(); return site.pairs[idOf(p.address)] == nil })
	p.send(404, callOf("6", "say"))
}

func idOf(address string) string {
	u, _ := url.Parse(address)
	return u.Query().Get("sessionId")
}

func TestSSEStatus(t *testing.T) {
	site := publish(t, busy(nil))
	p := site.pair("alice")
	ping := `{"jsonrpc":"2.0","id":7,"method":"ping"}`
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code                     int64
	}{
		{"a foreign session", "POST", p.address, ping, []string{"User", "bob"}, 404, mcp.INVALID_REQUEST},
		{"a forged session", "POST", "/message?sessionId=x", ping, nil, 404, mcp.INVALID_REQUEST},
		{"no session", "POST", "/message", ping, nil, 404, mcp.INVALID_REQUEST},
		{"no user", "POST", p.address, ping, []string{"User", "-"}, 401, mcp.INVALID_REQUEST},
		{"no user at the stream", "GET", "/sse", "", []string{"User", "-"}, 401, mcp.INVALID_REQUEST},
		{"a form", "POST", p.address, ping, []string{"Content-Type", "text/plain"}, 415, mcp.INVALID_REQUEST},
		{"not JSON", "POST", p.address, `{`, nil, 400, mcp.PARSE_ERROR},
		{"a batch", "POST", p.address, `[` + ping + `]`, nil, 400, mcp.INVALID_REQUEST},
		{"no JSON-RPC", "POST", p.address, `{"id":7,"method":"ping"}`, nil, 400, mcp.INVALID_REQUEST},
		{"too large", "POST", p.address, `"` + strings.Repeat("x", maxLine) + `"`, nil, 413, mcp.INVALID_REQUEST},
		{"POST to the stream", "POST", "/sse", ping, nil, 405, mcp.INVALID_REQUEST},
		{"GET of messages", "GET", p.address, "", nil, 405, mcp.INVALID_REQUEST},
		{"the stream as JSON", "GET", "/sse", "", []string{"Accept", "application/json"}, 406, mcp.INVALID_REQUEST},
		{"elsewhere", "GET", "/elsewhere", "", nil, 404, mcp.INVALID_REQUEST},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := site.request(t.Context(), c.method, c.path, c.body, c.headers...)
			defer res.Body.Close()
			text, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.status || gjson.GetBytes(text, "error.code").Int() != c.code {
				t.Errorf("status %d with %s", res.StatusCode, text)
			}
		})
	}
	p.send(202, `{"jsonrpc":"2.0","id":8,"method":"server/discover","params":{`+modern+`}}`)
	if answer := p.message(); answer.Get("error.code").Int() != mcp.UNSUPPORTED_PROTOCOL_VERSION || strings.Contains(answer.Get("error.data.supported").Raw, "2026-07-28") {
		t.Errorf("the newest version, which this transport is older than, brought %s", answer.Raw)
	}
	p.send(202, ping)
	if answer := p.message(); answer.Get("id").Raw != "7" || !answer.Get("result").Exists() {
		t.Errorf("none of the refused came through, but %s", answer.Raw)
	}
}

// The token of the request that brought a call is the one that the call has.
func TestSSETokenIsOfTheMessage(t *testing.T) {
	began, ended, letGo := make(chan string), make(chan string, 2), make(chan struct{})
	site := publish(t, held(began, ended, letGo))
	p := site.pair("alice")
	p.introduce(`{}`)
	for id, token := range map[string]string{"1": "first", "2": "second"} {
		p.send(202, callOf(id, "hold"), "Token", token)
		if got := <-began; got != token {
			t.Errorf("the call has the token %s, want %s", got, token)
		}
	}
	close(letGo)
	p.message()
	p.message()
}

// A session whose calls all run is not served more of them, but may cancel.
func TestSSECallsAreBounded(t *testing.T) {
	began, ended := make(chan string, maxPairCalls), make(chan string, maxPairCalls)
	site := publish(t, held(began, ended, nil))
	p := site.pair("alice")
	p.introduce(`{}`)
	for range maxPairCalls {
		p.send(202, callOf(`"`+newNonceText()+`"`, "hold"))
	}
	refused := p.send(429, callOf("1", "hold"))
	if refused.Get("id").Raw != "1" {
		t.Errorf("refused with %s", refused.Raw)
	}
	for range maxPairCalls {
		<-began
	}
	p.body.Close()
	for range maxPairCalls {
		if got := <-ended; !strings.HasSuffix(got, "cancelled") {
			t.Errorf("a call %s", got)
		}
	}
}

// At the end running calls are answered first, and then the stream is closed.
func TestSSEEnd(t *testing.T) {
	began, ended, letGo := make(chan string), make(chan string, 1), make(chan struct{})
	site := publish(t, held(began, ended, letGo))
	p, idle := site.pair("alice"), site.pair("bob")
	p.introduce(`{}`)
	p.send(202, callOf("1", "hold"))
	<-began
	site.End()
	idle.ended()
	within(t, "no message is let in", func() bool {
		res := site.request(t.Context(), "POST", p.address, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
		res.Body.Close()
		return res.StatusCode == 503
	})
	close(letGo)
	if answer := p.message(); resultText(answer) != "finished" {
		t.Errorf("the running call got %s", answer.Raw)
	}
	p.ended()
	res := site.request(t.Context(), "GET", "/sse", "")
	res.Body.Close()
	if res.StatusCode != 503 {
		t.Errorf("a new session brought %d", res.StatusCode)
	}
}

// Calls that the end of the process cuts short are still answered.
func TestAbortedCallsAreAnswered(t *testing.T) {
	began, ended := make(chan string), make(chan string, 2)
	site := publish(t, held(began, ended, nil))
	p := site.pair("alice")
	p.introduce(`{}`)
	p.send(202, callOf("1", "hold"))
	<-began
	answered := make(chan string)
	go func() {
		_, answer := site.send(callOf("1", "hold"))
		answered <- resultText(answer)
	}()
	<-began
	site.abort()
	if answer := p.message(); resultText(answer) != "cancelled" {
		t.Errorf("over SSE the call got %s", answer.Raw)
	}
	p.ended()
	if got := <-answered; got != "cancelled" {
		t.Errorf("over streamable HTTP the call got %q", got)
	}
}

// A question that waits when the server ends keeps nobody.
func TestEndEndsQuestions(t *testing.T) {
	site := publish(t, func() *server.MCPServer { return asker(0) })
	stream := site.stream(site.request(t.Context(), "POST", "/mcp", callOf("1", "ask"), "Mcp-Session-Id", site.initialize(capable)))
	stream.message()
	site.End()
	if answer := stream.message(); resultText(answer) != errGone.Error() {
		t.Errorf("the call got %s", answer.Raw)
	}
}

// With is what the context of a call is made with, also over streamable HTTP.
func TestTokenOfARequest(t *testing.T) {
	site := publish(t, func() *server.MCPServer {
		return newServer(map[string]server.ToolHandlerFunc{"token": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return textResult(ctx.Value(tokenKey{}).(string)), nil
		}})
	})
	if _, answer := site.send(callOf("1", "token"), "Token", "mine"); resultText(answer) != "mine" {
		t.Errorf("the call has %s", answer.Raw)
	}
}
