package tools

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/transport/serve"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
	"go.uber.org/zap"
)

const (
	answerTime = 30 * time.Second
	sureForm   = `{"type":"object","properties":{"sure":{"type":"boolean"},"n":{"type":"integer"}},"required":["sure"]}`
)

// serveAsking runs the stdio loop over pipes, until its input ends, before a
// server whose tool ask puts the question sure and says what came of it.
func serveAsking(t *testing.T) (in *io.PipeWriter, out *io.PipeReader) {
	t.Helper()
	s := &Server{log: zap.NewNop()}
	srv := server.NewMCPServer("test", "1", server.WithToolCapabilities(false))
	srv.AddTool(mcp.Tool{Name: "ask", RawInputSchema: noSchema}, func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		say := func(text string) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{mcp.TextContent{Type: "text", Text: text}}}, nil
		}
		able := canAsk(ctx)
		early, replied := replyTo(ctx, req, "sure")
		reply, asked, err := s.askPerson(ctx, req, Question{
			ID: "sure", Message: "Delete\u202e job 'n\x1b[1m'?", Schema: json.RawMessage(sureForm),
			State: "token of " + gjson.GetBytes(req.Params.RawArguments, "n").Raw,
		}, answerTime)
		switch {
		case errors.Is(err, errCannotAsk) == able:
			t.Errorf("canAsk says %v, asking %v", able, err)
		case replied && (err != nil || asked != nil || string(early.Content) != string(reply.Content) || early.Action != reply.Action):
			t.Errorf("the call brought %v, asking %v, %v, %v", early, reply, asked, err)
		case err != nil && (asked != nil || reply.Action != ReplyNone):
			t.Errorf("an error and more: %v, %v, %v", err, asked, reply)
		}
		switch {
		case err != nil:
			return say(err.Error())
		case asked != nil:
			return asked, nil
		}
		return say(fmt.Sprintf("%s|%s|%s", reply.Action, reply.Content, reply.State))
	})
	inRead, in := io.Pipe()
	out, outWrite := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := (&serve.Stdio{Server: srv, In: inRead, Out: outWrite}).Run(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("the loop ended with %v", err)
		}
		outWrite.Close()
	}()
	t.Cleanup(func() { in.Close(); <-done })
	return in, out
}

// agent is an MCP client on the stdio loop.
type agent struct {
	t     *testing.T
	in    *io.PipeWriter
	lines chan gjson.Result
}

func newAgent(t *testing.T) *agent {
	t.Helper()
	in, out := serveAsking(t)
	a := &agent{t: t, in: in, lines: make(chan gjson.Result, 1000)}
	go func() {
		defer close(a.lines)
		for reader := bufio.NewReader(out); ; {
			line, err := reader.ReadBytes('\n')
			if err != nil {
				return
			}
			a.lines <- gjson.ParseBytes(line)
		}
	}()
	return a
}

func (a *agent) send(format string, args ...any) {
	a.t.Helper()
	if _, err := fmt.Fprintf(a.in, format+"\n", args...); err != nil {
		a.t.Fatal(err)
	}
}

func (a *agent) receive() gjson.Result {
	a.t.Helper()
	select {
	case line, open := <-a.lines:
		if !open {
			a.t.Fatal("the server closed its output")
		}
		return line
	case <-time.After(time.Hour): // fake
		a.t.Fatal("no answer")
	}
	return gjson.Result{}
}

// initialize is the handshake of an older client.
func (a *agent) initialize(capabilities string) {
	a.t.Helper()
	a.send(`{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":%s,"clientInfo":{"name":"a","version":"1"}}}`, capabilities)
	if answer := a.receive(); !answer.Get("result.serverInfo").Exists() {
		a.t.Fatalf("initialize brought %s", answer.Raw)
	}
	a.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

// call sends tools/call with id n; more are further params.
func (a *agent) call(n int, more string) {
	a.t.Helper()
	a.send(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"ask","arguments":{"n":%d}%s}}`, n, n, more)
}

// newer are the params of a client of 2026-07-28.
func newer(capabilities string) string {
	return `,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"a","version":"1"},"io.modelcontextprotocol/clientCapabilities":` + capabilities + `}`
}

// asked receives a question of the server and returns its id, which is JSON.
func (a *agent) asked() string {
	a.t.Helper()
	question := a.receive()
	if question.Get("method").Str != "elicitation/create" {
		a.t.Fatalf("instead of a question came %s", question.Raw)
	}
	return question.Get("id").Raw
}

// got holds the answer to call n against want.
func (a *agent) got(n int, want string) {
	a.t.Helper()
	answer := a.receive()
	if said := answer.Get("result.content.0.text").Str; answer.Get("id").Int() != int64(n) || said != want {
		a.t.Errorf("call %d: want %q, got %s", n, want, answer.Raw)
	}
}

// replies are what clients may answer, and what askPerson makes of it.
var replies = []struct{ name, result, want string }{
	{"accept", `{"action":"accept","content":{"sure":true,"n":9007199254740993}}`, `accept|{"sure":true,"n":9007199254740993}|token of 1`},
	{"accept only", `{"action":"accept"}`, `accept||token of 1`},
	{"accept null", `{"action":"accept","content":null}`, `accept||token of 1`},
	{"decline", `{"action":"decline"}`, `decline||token of 1`},
	{"decline with content", `{"action":"decline","content":{"sure":true}}`, `decline||token of 1`},
	{"cancel", `{"action":"cancel"}`, `cancel||token of 1`},
	{"nothing", `{}`, `||`},
	{"no action", `{"content":{"sure":true}}`, `||`},
	{"empty action", `{"action":"","content":{"sure":true}}`, `||`},
	{"another action", `{"action":"Accept","content":{"sure":true}}`, `||`},
	{"action of another type", `{"action":true,"content":{"sure":true}}`, `||`},
	{"content of another type", `{"action":"accept","content":["sure"]}`, `||`},
	{"content a text", `{"action":"accept","content":"{\"sure\":true}"}`, `||`},
	{"large", `{"action":"accept","content":{"sure":"` + strings.Repeat("x", maxReply) + `"}}`, `||`},
	{"a text", `"accept"`, `||`},
	{"an array", `[{"action":"accept"}]`, `||`},
	{"null", `null`, `||`},
}

func TestOlderClientReplies(t *testing.T) {
	for _, c := range replies {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAgent(t)
				a.initialize(`{"elicitation":{}}`)
				began := time.Now()
				a.call(1, "")
				question := a.receive()
				if got, want := question.Get("params").Raw, `{"message":"Delete job 'n[1m'?","requestedSchema":`+sureForm+`}`; got != want {
					t.Errorf("asked %s\nwant  %s", got, want)
				}
				a.send(`{"jsonrpc":"2.0","id":%s,"result":%s}`, question.Get("id").Raw, c.result)
				a.got(1, c.want)
				if took := time.Since(began); took != 0 {
					t.Errorf("took %v", took)
				}
			})
		})
	}
	t.Run("error", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := newAgent(t)
			a.initialize(`{"elicitation":{}}`)
			a.call(1, "")
			a.send(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}`, a.asked())
			a.got(1, "||")
		})
	})
}

// A newer client is answered with what to ask for, and calls again.
func TestNewerClientReplies(t *testing.T) {
	const able = `{"elicitation":{"form":{}}}`
	for _, c := range replies {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAgent(t)
				a.call(1, newer(able))
				asked := a.receive().Get("result")
				params := asked.Get("inputRequests.sure.params")
				if asked.Get("resultType").Str != "input_required" || asked.Get("requestState").Str != "token of 1" ||
					asked.Get("inputRequests.sure.method").Str != "elicitation/create" ||
					params.Get("message").Str != "Delete job 'n[1m'?" || params.Get("requestedSchema").Raw != sureForm {
					t.Fatalf("asked by %s", asked.Raw)
				}
				a.call(1, newer(able)+`,"requestState":"token of 1","inputResponses":{"sure":`+c.result+`}`)
				a.got(1, c.want)
			})
		})
	}
}

func TestNewerClientForgesReplies(t *testing.T) {
	const able, accept = `{"elicitation":{}}`, `{"action":"accept","content":{"sure":true}}`
	for _, c := range []struct {
		name, capabilities, more string
		want                     string // empty: asked again
	}{
		{"without a state", able, `,"inputResponses":{"sure":` + accept + `}`, "||"},
		{"with an empty state", able, `,"requestState":"","inputResponses":{"sure":` + accept + `}`, "||"},
		{"with a state of its own", able, `,"requestState":"mine","inputResponses":{"sure":` + accept + `}`, `accept|{"sure":true}|mine`}, // for the asker to refuse
		{"to another question", able, `,"requestState":"token of 1","inputResponses":{"signin":` + accept + `}`, ""},
		{"to no question", able, `,"requestState":"token of 1","inputResponses":{}`, ""},
		{"a state alone", able, `,"requestState":"token of 1"`, ""},
		{"that it cannot ask for", `{}`, `,"requestState":"token of 1","inputResponses":{"sure":` + accept + `}`, errCannotAsk.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAgent(t)
				a.call(1, newer(c.capabilities)+c.more)
				if c.want != "" {
					a.got(1, c.want)
				} else if answer := a.receive(); answer.Get("result.resultType").Str != "input_required" {
					t.Errorf("got %s", answer.Raw)
				}
			})
		})
	}
}

// The older protocol has no replies in a call: they are not looked at.
func TestOlderClientForgesReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		a.initialize(`{"elicitation":{}}`)
		for _, id := range []string{"1", `"1"`, `"sure"`} {
			a.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept","content":{"sure":true}}}`, id)
		}
		a.call(1, `,"requestState":"token of 1","inputResponses":{"sure":{"action":"accept","content":{"sure":true}}}`)
		id := a.asked()
		a.send(`{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{"sure":true}}}`) // another's id
		a.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"decline"}}`, id)
		a.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept"}}`, id) // twice
		a.got(1, "decline||token of 1")
	})
}

func TestWhoCanBeAsked(t *testing.T) {
	for _, c := range []struct {
		capabilities string
		can          bool
	}{
		{`{"elicitation":{}}`, true},
		{`{"elicitation":{"form":{}}}`, true},
		{`{"elicitation":{"form":{},"url":{}}}`, true},
		{`{"elicitation":{"url":{}}}`, false},
		{`{"elicitation":null}`, false},
		{`{"sampling":{}}`, false},
		{`{}`, false},
	} {
		t.Run(c.capabilities, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				older := newAgent(t)
				older.initialize(c.capabilities)
				older.call(1, "")
				if c.can {
					older.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"cancel"}}`, older.asked())
					older.got(1, "cancel||token of 1")
				} else {
					older.got(1, errCannotAsk.Error())
				}
				a := newAgent(t)
				a.call(1, newer(c.capabilities))
				if c.can {
					if answer := a.receive(); answer.Get("result.resultType").Str != "input_required" {
						t.Errorf("got %s", answer.Raw)
					}
				} else {
					a.got(1, errCannotAsk.Error())
				}
				// What one request says of its client holds for that request.
				a.call(2, "")
				a.got(2, errCannotAsk.Error())
				older.call(2, newer(`{}`))
				older.got(2, errCannotAsk.Error())
			})
		})
	}
}

func TestNoReplyInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		a.initialize(`{"elicitation":{}}`)
		began := time.Now()
		a.call(1, "")
		id := a.asked()
		if note := a.receive(); note.Get("method").Str != "notifications/cancelled" || note.Get("params.requestId").Raw != id {
			t.Errorf("the question was not taken back: %s", note.Raw)
		}
		a.got(1, "||")
		if took := time.Since(began); took != answerTime {
			t.Errorf("took %v", took)
		}
		a.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept"}}`, id) // late
		a.call(2, "")
		a.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"decline"}}`, a.asked())
		a.got(2, "decline||token of 2")
	})
}

func TestCallCancelledWhileAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		a.initialize(`{"elicitation":{}}`)
		a.call(1, "")
		id := a.asked()
		a.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		if note := a.receive(); note.Get("method").Str != "notifications/cancelled" || note.Get("params.requestId").Raw != id {
			t.Errorf("the question was not taken back: %s", note.Raw)
		}
		a.got(1, context.Canceled.Error())
	})
}

func TestClientGoneWhileAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		a.initialize(`{"elicitation":{}}`)
		a.call(1, "")
		a.asked()
		a.in.Close()
		a.got(1, "||")
	})
}

func TestFiftyAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		a.initialize(`{"elicitation":{}}`)
		const calls = 50
		var ids []string
		for n := range calls {
			a.call(n, "")
			ids = append(ids, a.asked())
		}
		for n, id := range slices.Backward(ids) {
			a.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept","content":{"n":%d}}}`, id, n)
		}
		seen := map[int64]bool{}
		for range calls {
			answer := a.receive()
			n := answer.Get("id").Int()
			seen[n] = true
			if got, want := answer.Get("result.content.0.text").Str, fmt.Sprintf(`accept|{"n":%d}|token of %d`, n, n); got != want {
				t.Errorf("call %d got %q", n, got)
			}
		}
		if len(seen) != calls {
			t.Errorf("%d calls were answered", len(seen))
		}
	})
}
