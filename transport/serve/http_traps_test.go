package serve

// Each test here is about something that mcp-go's own HTTP servers do wrong or oddly,
// as traps_test.go is for stdio.

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
)

// held is a server with a tool that runs until it is cancelled or let go.
func held(began, ended chan string, letGo chan struct{}) func() *server.MCPServer {
	return func() *server.MCPServer {
		return newServer(map[string]server.ToolHandlerFunc{
			"say": say("hi"),
			"hold": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				who := fmt.Sprint(ctx.Value(tokenKey{}))
				began <- who
				select {
				case <-letGo:
					ended <- who + " finished"
					return textResult("finished"), nil
				case <-ctx.Done():
					ended <- who + " cancelled"
					return textResult("cancelled"), nil
				}
			},
		})
	}
}

// Trap: whoever sends notifications/cancelled with a small number cancels the call
// with that id of anybody.
func TestNobodyCancelsTheCallOfAnother(t *testing.T) {
	began, ended, letGo := make(chan string), make(chan string, 10), make(chan struct{})
	site := publish(t, held(began, ended, letGo))
	mine, other, bobs := site.initialize(`{}`), site.initialize(`{}`), site.initialize(`{}`, "User", "bob")
	answers := make(chan string, 10)
	start := func(token, body string, headers ...string) {
		go func() {
			_, answer := site.send(body, append(headers, "Token", token)...)
			answers <- token + " " + resultText(answer)
		}()
		if got := <-began; got != token {
			t.Errorf("the call has the token of %s", got)
		}
	}
	newCall, newHeaders := modernCall("1", "hold", "")
	start("session", callOf("1", "hold"), "Mcp-Session-Id", mine)
	start("none", callOf("1", "hold"))
	start("modern", newCall, newHeaders...)
	cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`
	for _, headers := range [][]string{
		{"User", "bob"}, {"User", "bob", "Mcp-Session-Id", bobs},
		{}, {"Mcp-Session-Id", other}, {"Mcp-Protocol-Version", "2026-07-28"},
		{"User", "bob", "Mcp-Protocol-Version", "2026-07-28"},
	} {
		if res, _ := site.send(cancel, headers...); res.StatusCode != 202 {
			t.Errorf("%v: %d", headers, res.StatusCode)
		}
	}
	if res, _ := site.send(cancel, "User", "bob", "Mcp-Session-Id", mine); res.StatusCode != 404 {
		t.Errorf("bob speaks in alice's session: %d", res.StatusCode)
	}
	if res, _ := site.send(strings.Replace(cancel, ":1}", `:"1"}`, 1), "Mcp-Session-Id", mine); res.StatusCode != 202 { // another id
		t.Errorf("%d", res.StatusCode)
	}
	select {
	case got := <-ended:
		t.Fatalf("cancelled by another: %s", got)
	default:
	}
	if res, _ := site.send(cancel, "Mcp-Session-Id", mine); res.StatusCode != 202 {
		t.Errorf("%d", res.StatusCode)
	}
	if got := <-answers; got != "session cancelled" {
		t.Errorf("own cancellation brought %s", got)
	}
	close(letGo)
	for range 2 {
		if got := <-answers; !strings.HasSuffix(got, " finished") {
			t.Errorf("a call of somebody else: %s", got)
		}
	}
}

// A client that goes away ends its call.
func TestClientThatGoesAway(t *testing.T) {
	began, ended := make(chan string), make(chan string, 1)
	site := publish(t, held(began, ended, nil))
	for _, session := range []string{"-", site.initialize(`{}`)} {
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan struct{})
		go func() {
			defer close(left)
			req := site.newRequest(ctx, "POST", "/mcp", callOf("1", "hold"), "Mcp-Session-Id", session, "Token", "t")
			if res, err := site.client().Do(req); err == nil {
				res.Body.Close()
				t.Error("there was an answer")
			}
		}()
		<-began
		leave()
		if got := <-ended; got != "t cancelled" {
			t.Errorf("the call %s", got)
		}
		<-left
	}
}

// A request that is sent again with its id, after a break, is served.
func TestSameIDTwice(t *testing.T) {
	began, ended, letGo := make(chan string), make(chan string, 2), make(chan struct{})
	site := publish(t, held(began, ended, letGo))
	session := site.initialize(`{}`)
	answers := make(chan string, 2)
	for range 2 {
		go func() {
			_, answer := site.send(callOf("1", "hold"), "Mcp-Session-Id", session)
			answers <- resultText(answer)
		}()
		<-began
	}
	close(letGo)
	for range 2 {
		if got := <-answers; got != "finished" {
			t.Errorf("got %q", got)
		}
	}
}

// Trap: a question goes to clients that cannot answer, or whose answer finds no way
// back, and the call hangs.
func TestOnlyWhoCanAnswerIsAsked(t *testing.T) {
	site := publish(t, func() *server.MCPServer { return asker(0) })
	newCall, newHeaders := modernCall("1", "ask", "")
	for name, headers := range map[string][]string{
		"no session":       {},
		"nothing declared": {"Mcp-Session-Id", site.initialize(`{}`)},
		"only addresses":   {"Mcp-Session-Id", site.initialize(`{"elicitation":{"url":{}}}`)},
	} {
		if _, answer := site.send(callOf("1", "ask"), headers...); !strings.Contains(resultText(answer), "not support") {
			t.Errorf("%s: %s", name, answer.Raw)
		}
	}
	if _, answer := site.send(newCall, newHeaders...); resultText(answer) == "" {
		t.Errorf("modern: %s", answer.Raw)
	}
}

// The question comes on the stream of the call, the answer by another request with
// the same session, and by nothing else.
func TestQuestionOverHTTP(t *testing.T) {
	site := publish(t, func() *server.MCPServer { return asker(0) })
	mine, other, bobs := site.initialize(capable), site.initialize(capable), site.initialize(capable, "User", "bob")
	for _, c := range []struct{ name, answer, want string }{
		{"accept", `"result":{"action":"accept","content":{"n":9007199254740993}}`, `accept{"n":9007199254740993}`},
		{"decline", `"result":{"action":"decline"}`, "decline"},
		{"an error", `"error":{"code":1,"message":"m"}`, errNoAnswer.Error()},
		{"malformed", `"result":{"action":"accept"},"method":"ping"`, errMalformed.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			stream := site.stream(site.request(t.Context(), "POST", "/mcp", callOf("1", "ask"), "Mcp-Session-Id", mine))
			question := stream.message()
			if question.Get("method").Str != "elicitation/create" {
				t.Fatalf("instead of a question came %s", question.Raw)
			}
			answer := func(format string, status int, headers ...string) {
				t.Helper()
				res, _ := site.send(`{"jsonrpc":"2.0","id":`+question.Get("id").Raw+`,`+format+`}`, headers...)
				if res.StatusCode != status {
					t.Errorf("the answer brought %d", res.StatusCode)
				}
			}
			forged := `"result":{"action":"cancel"}`
			answer(forged, 202)
			answer(forged, 202, "Mcp-Session-Id", other)
			answer(forged, 202, "Mcp-Session-Id", bobs, "User", "bob")
			answer(forged, 404, "Mcp-Session-Id", mine, "User", "bob")
			status := 202
			if c.name == "malformed" {
				status = 400
			}
			answer(c.answer, status, "Mcp-Session-Id", mine)
			if got := stream.message(); got.Get("id").Raw != "1" || resultText(got) != c.want {
				t.Errorf("the call got %s, want %s", got.Raw, c.want)
			}
			stream.ended()
			answer(c.answer, status, "Mcp-Session-Id", mine) // late
		})
	}
}

// A question whose client goes away is not waited for.
func TestQuestionOfAClientThatGoesAway(t *testing.T) {
	site := publish(t, func() *server.MCPServer { return asker(0) })
	res := site.request(t.Context(), "POST", "/mcp", callOf("1", "ask"), "Mcp-Session-Id", site.initialize(capable))
	stream := site.stream(res)
	stream.message()
	res.Body.Close()
	within(t, "nobody waits", func() bool { // and publish sees that the call ended
		site.questions.mu.Lock()
		defer site.questions.mu.Unlock()
		return len(site.questions.waiting) == 0
	})
}

// Trap: some progress comes behind the result, or not at all.
func TestProgressOverHTTP(t *testing.T) {
	site := publish(t, busy(nil))
	session := site.initialize(`{}`)
	for _, era := range []string{"legacy", "modern"} {
		t.Run(era, func(t *testing.T) {
			var clients sync.WaitGroup
			for c := range 8 {
				clients.Go(func() {
					for i := range 40 {
						token := fmt.Sprintf("t%d.%d", c, i)
						body, headers := modernCall("1", "work", `"progressToken":"`+token+`",`)
						if era == "legacy" {
							body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"work","_meta":{"progressToken":"` + token + `"}}}`
							headers = []string{"Mcp-Session-Id", session}
						}
						stream := site.stream(site.request(t.Context(), "POST", "/mcp", body, headers...))
						for n := range 3 {
							note := stream.message()
							if note.Get("params.progress").Int() != int64(n+1) || note.Get("params.progressToken").Str != token {
								t.Errorf("instead of progress %d came %s", n+1, note.Raw)
								return
							}
						}
						if answer := stream.message(); resultText(answer) != "done" {
							t.Errorf("instead of the result came %s", answer.Raw)
						}
						stream.ended()
						stream.body.Close()
					}
				})
			}
			clients.Wait()
		})
	}
}

// Trap: ids pass through float64.
func TestIDsAreExactOverHTTP(t *testing.T) {
	site := publish(t, busy(nil))
	for _, id := range []string{"0", "-1", "9007199254740993", "123456789012345678901234567890", "1.5", `""`, `"ü \"<>& \\ 😀"`} {
		if _, answer := site.send(callOf(id, "say")); answer.Get("id").Raw != id {
			t.Errorf("id %s came back as %s", id, answer.Get("id").Raw)
		}
		body, headers := modernCall(id, "work", `"progressToken":1,`)
		stream := site.stream(site.request(t.Context(), "POST", "/mcp", body, headers...))
		for range 3 {
			stream.message()
		}
		if answer := stream.message(); answer.Get("id").Raw != id {
			t.Errorf("on a stream id %s came back as %s", id, answer.Get("id").Raw)
		}
	}
}

// Trap: for clients of 2026-07-28 mcp-go writes fields into the tool's result.
func TestErasDoNotMixOverHTTP(t *testing.T) {
	site := publish(t, hello)
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for range 20 {
				if _, answer := site.send(callOf("1", "say")); answer.Get("result.resultType").Exists() || answer.Get("result._meta").Exists() || resultText(answer) != "hi" {
					t.Errorf("wrong for its era: %s", answer.Raw)
				}
				body, headers := modernCall("1", "say", "")
				if _, answer := site.send(body, headers...); answer.Get("result.resultType").Str != "complete" || !answer.Get("result._meta").Exists() || resultText(answer) != "hi" {
					t.Errorf("wrong for its era: %s", answer.Raw)
				}
			}
		})
	}
	clients.Wait()
}

// Trap: every initialize costs memory for ever. A session is nothing but its id.
func TestSessionsCostNothing(t *testing.T) {
	site := publish(t, hello)
	for range 50 {
		site.initialize(`{}`)
	}
	site.mu.Lock()
	defer site.mu.Unlock()
	if len(site.streams)+len(site.pairs)+len(site.ended.keys)+len(site.calls.running) > 0 {
		t.Error("a session is kept")
	}
}

// Trap: a session that its client ended is served on.
func TestEndedSessionIsNotFound(t *testing.T) {
	site := publish(t, hello)
	session, other := site.initialize(`{}`), site.initialize(`{}`)
	stream := site.stream(site.request(t.Context(), "GET", "/mcp", "", "Mcp-Session-Id", session))
	res := site.request(t.Context(), "DELETE", "/mcp", "", "Mcp-Session-Id", session)
	res.Body.Close()
	if res.StatusCode != 204 {
		t.Fatalf("DELETE brought %d", res.StatusCode)
	}
	stream.ended()
	for _, method := range []string{"GET", "DELETE"} {
		res := site.request(t.Context(), method, "/mcp", "", "Mcp-Session-Id", session)
		res.Body.Close()
		if res.StatusCode != 404 {
			t.Errorf("%s in an ended session brought %d", method, res.StatusCode)
		}
	}
	if res, _ := site.send(callOf("1", "say"), "Mcp-Session-Id", session); res.StatusCode != 404 {
		t.Errorf("a call in an ended session brought %d", res.StatusCode)
	}
	if res, _ := site.send(callOf("1", "say"), "Mcp-Session-Id", other); res.StatusCode != 200 {
		t.Errorf("a call in another session brought %d", res.StatusCode)
	}
}

// A session outlives the process, and serves another one with the same key.
func TestSessionOutlivesTheProcess(t *testing.T) {
	before := publish(t, func() *server.MCPServer { return asker(0) })
	session := before.initialize(capable)
	after := publish(t, func() *server.MCPServer { return asker(0) })
	stream := after.stream(after.request(t.Context(), "POST", "/mcp", callOf("1", "ask"), "Mcp-Session-Id", session))
	question := stream.message() // it is known still what the client can do
	after.send(`{"jsonrpc":"2.0","id":`+question.Get("id").Raw+`,"result":{"action":"accept"}}`, "Mcp-Session-Id", session)
	if got := stream.message(); resultText(got) != "accept" {
		t.Errorf("the call got %s", got.Raw)
	}
	stranger := publish(t, hello, func(e *Endpoint) { e.Key = []byte("another key of 32 bytes and more") })
	if res, _ := stranger.send(callOf("1", "say"), "Mcp-Session-Id", session); res.StatusCode != 404 {
		t.Errorf("with another key: %d", res.StatusCode)
	}
}

// Tools learn which client calls them from the session alone.
func TestClientOfASession(t *testing.T) {
	build := func() *server.MCPServer {
		return newServer(map[string]server.ToolHandlerFunc{"who": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			s := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo)
			text, err := json.Marshal(map[string]any{"client": s.GetClientInfo(), "version": server.RequestProtocolVersion(ctx), "elicits": s.GetClientCapabilities().Elicitation != nil})
			return textResult(string(text)), err
		}})
	}
	site := publish(t, build)
	for capabilities, elicits := range map[string]bool{`{}`: false, capable: true} {
		_, answer := site.send(callOf("1", "who"), "Mcp-Session-Id", site.initialize(capabilities))
		got := gjson.Parse(resultText(answer))
		if got.Get("client.name").Str != "peer" || got.Get("client.version").Str != "1" || got.Get("version").Str != "2025-11-25" || got.Get("elicits").Bool() != elicits {
			t.Errorf("known of the client: %s", got.Raw)
		}
	}
}

// A large answer is written in pieces, and comes whole.
func TestLargeAnswerOverHTTP(t *testing.T) {
	large := strings.Repeat("ü<&\n\"", 1<<20)
	var srv *server.MCPServer
	build := func() *server.MCPServer {
		srv = newServer(map[string]server.ToolHandlerFunc{
			"large": say(large),
			"noted": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				err := srv.SendNotificationToClient(ctx, "notifications/progress", map[string]any{"progressToken": 1, "progress": 1})
				return textResult(large), err
			},
		})
		return srv
	}
	site := publish(t, build)
	if _, answer := site.send(callOf("1", "large")); resultText(answer) != large {
		t.Error("the answer is another")
	}
	stream := site.stream(site.request(t.Context(), "POST", "/mcp", callOf("1", "noted")))
	stream.message()
	if resultText(stream.message()) != large {
		t.Error("the answer on a stream is another")
	}
}

// Trap: a panic outside of a tool.
func TestPanicOverHTTP(t *testing.T) {
	site := publish(t, func() *server.MCPServer {
		return newServer(map[string]server.ToolHandlerFunc{"panic": func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) { panic("secret") }})
	})
	res := site.request(t.Context(), "POST", "/mcp", callOf("1", "panic"))
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || gjson.GetBytes(text, "error.code").Int() != mcp.INTERNAL_ERROR || strings.Contains(string(text), "secret") {
		t.Errorf("the panic brought %s, %v", text, err)
	}
}
