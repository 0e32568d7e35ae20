package serve

import (
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

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
)

// asker is a server with the tool ask, which asks within timeout (0: the time that
// the session sets) and says what came back, and the tool slow, which takes 1s.
func asker(timeout time.Duration) *server.MCPServer {
	var srv *server.MCPServer
	srv = newServer(map[string]server.ToolHandlerFunc{
		"slow": take(time.Second),
		"ask": func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			if timeout > 0 {
				bounded, cancel := context.WithTimeout(ctx, timeout)
				defer cancel()
				ctx = bounded
			}
			result, err := srv.RequestElicitation(ctx, mcp.ElicitationRequest{Params: mcp.ElicitationParams{
				Message: "Delete <prod> & all?", RequestedSchema: json.RawMessage(`{"type":"object","properties":{}}`),
			}})
			if err != nil {
				return textResult(err.Error()), nil
			}
			content, _ := result.Content.(json.RawMessage)
			return textResult(string(result.Action) + string(content)), nil
		},
	})
	return srv
}

// introduce does the handshake with these capabilities.
func (p *peer) introduce(capabilities string) {
	p.t.Helper()
	p.send(`{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":%s,"clientInfo":{"name":"peer","version":"1"}}}`, capabilities)
	if answer := p.receive(); answer.Get("result.protocolVersion").Str != "2025-11-25" {
		p.t.Fatalf("initialize brought %s", answer.Raw)
	}
	p.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

const forms = `{"elicitation":{}}`

// asked receives a question and returns its id, which is JSON.
func (p *peer) asked() string {
	p.t.Helper()
	question := p.receive()
	if question.Get("method").Str != "elicitation/create" || question.Get("id").Type != gjson.String {
		p.t.Fatalf("instead of a question came %s", question.Raw)
	}
	return question.Get("id").Raw
}

// quiet makes sure that the server has nothing to say.
func (p *peer) quiet() {
	p.t.Helper()
	synctest.Wait()
	if len(p.lines) > 0 {
		p.t.Errorf("unexpected: %s", (<-p.lines).Raw)
	}
}

func TestQuestionOnTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, asker(0))
		p.introduce(forms)
		p.call("1", "ask")
		question := p.receive()
		want := `{"jsonrpc":"2.0","id":` + question.Get("id").Raw + `,"method":"elicitation/create","params":{"message":"Delete <prod> & all?","requestedSchema":{"type":"object","properties":{}}}}`
		if got := strings.TrimSpace(question.Raw); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	})
}

func TestAnswers(t *testing.T) {
	const ok = `"jsonrpc":"2.0"`
	for _, c := range []struct {
		name, answer string // %s: the id
		want         string
	}{
		{"accept", `{` + ok + `,"id":%s,"result":{"action":"accept","content":{"n":9007199254740993,"x":"<&>"}}}`, `accept{"n":9007199254740993,"x":"<&>"}`},
		{"accept without content", `{` + ok + `,"id":%s,"result":{"action":"accept"}}`, "accept"},
		{"accept with null", `{` + ok + `,"id":%s,"result":{"action":"accept","content":null}}`, "accept"},
		{"decline", `{` + ok + `,"id":%s,"result":{"action":"decline","content":{"sure":true}}}`, "decline"},
		{"cancel", `{` + ok + `,"id":%s,"result":{"action":"cancel"}}`, "cancel"},
		{"error", `{` + ok + `,"id":%s,"error":{"code":-32601,"message":"a secret of the client"}}`, errNoAnswer.Error()},
		{"result and error", `{` + ok + `,"id":%s,"result":{"action":"accept"},"error":{"code":1,"message":"m"}}`, errNoAnswer.Error()},
		{"no action", `{` + ok + `,"id":%s,"result":{}}`, errMalformed.Error()},
		{"unknown action", `{` + ok + `,"id":%s,"result":{"action":"ACCEPT"}}`, errMalformed.Error()},
		{"action of another type", `{` + ok + `,"id":%s,"result":{"action":["accept"]}}`, errMalformed.Error()},
		{"result null", `{` + ok + `,"id":%s,"result":null}`, errMalformed.Error()},
		{"result a text", `{` + ok + `,"id":%s,"result":"accept"}`, errMalformed.Error()},
		{"result an array", `{` + ok + `,"id":%s,"result":[{"action":"accept"}]}`, errMalformed.Error()},
		{"content of another type", `{` + ok + `,"id":%s,"result":{"action":"accept","content":[true]}}`, errMalformed.Error()},
		{"content false", `{` + ok + `,"id":%s,"result":{"action":"accept","content":false}}`, errMalformed.Error()},
		{"large", `{` + ok + `,"id":%s,"result":{"action":"accept","content":{"x":"` + strings.Repeat("x", maxAnswer) + `"}}}`, errMalformed.Error()},
		{"too long for a message", `{` + ok + `,"result":{"action":"accept","content":{"x":"` + strings.Repeat("x", maxLine) + `"}},"id":%s}`, errMalformed.Error()},
		{"no version", `{"id":%s,"result":{"action":"accept"}}`, errMalformed.Error()},
		{"a request at once", `{` + ok + `,"id":%s,"method":"ping","result":{"action":"accept"}}`, errMalformed.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := connect(t, asker(0))
				p.introduce(forms)
				p.call("1", "ask")
				began := time.Now()
				p.send(c.answer, p.asked())
				if answer := p.receive(); answer.Get("id").Raw != "1" || resultText(answer) != c.want {
					t.Errorf("the call got %s, want %q", answer.Raw, c.want)
				}
				if took := time.Since(began); took != 0 {
					t.Errorf("the answer was noticed after %v", took)
				}
				p.quiet() // nothing is said about the answer itself
				p.alive()
			})
		})
	}
}

// What is sent before, beside and behind the one answer changes nothing.
func TestAnswersThatNobodyWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, asker(0))
		p.introduce(forms)
		answer := func(id, action string) {
			p.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":%q}}`, id, action)
		}
		guesses := []string{"0", "1", `"1"`, `"init"`, `"brickmcp-"`, `"brickmcp-1"`, "null", `""`}
		for _, id := range guesses {
			answer(id, "accept") // forged, before any question
		}
		p.quiet()
		p.call("1", "ask")
		id := p.asked()
		for _, guess := range guesses {
			answer(guess, "accept")
			p.send(`{"jsonrpc":"2.0","id":%s,"error":{"code":1,"message":"m"}}`, guess)
		}
		p.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}`, id) // only we may
		p.quiet()
		answer(id, "decline")
		answer(id, "accept") // a second thought
		if got := p.receive(); resultText(got) != "decline" {
			t.Errorf("the call got %s", got.Raw)
		}
		answer(id, "accept") // late
		p.call("1", "ask")
		second := p.asked()
		if second == id {
			t.Error("two questions have one id")
		}
		answer(id, "accept") // to the earlier question
		p.quiet()
		answer(second, "cancel")
		if got := p.receive(); resultText(got) != "cancel" {
			t.Errorf("the second call got %s", got.Raw)
		}
		p.quiet()
		p.alive()
	})
}

// The id of a question may come back escaped in another way.
func TestIDOfAnAnswerIsText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, asker(0))
		p.introduce(forms)
		p.call("1", "ask")
		id := strings.Replace(p.asked(), "-", `\u002d`, 1)
		p.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept"}}`, id)
		if got := p.receive(); resultText(got) != "accept" {
			t.Errorf("the call got %s", got.Raw)
		}
	})
}

// withdrawn receives the notification that takes a question back.
func (p *peer) withdrawn(id, reason string) {
	p.t.Helper()
	note := p.receive()
	if note.Get("method").Str != "notifications/cancelled" || note.Get("params.requestId").Raw != id || note.Get("params.reason").Str != reason || note.Get("id").Exists() {
		p.t.Errorf("the question %s was not taken back (%s): %s", id, reason, note.Raw)
	}
}

func TestQuestionEndsWithItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, asker(0))
		p.introduce(forms)
		p.call("1", "ask")
		first := p.asked()
		p.call("2", "ask")
		second := p.asked()
		p.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		p.withdrawn(first, "the call was cancelled")
		if got := p.receive(); got.Get("id").Raw != "1" || resultText(got) != context.Canceled.Error() {
			t.Errorf("the cancelled call got %s", got.Raw)
		}
		p.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept"}}`, first) // too late
		p.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept"}}`, second)
		if got := p.receive(); got.Get("id").Raw != "2" || resultText(got) != "accept" {
			t.Errorf("the other call got %s", got.Raw)
		}
		p.quiet()
	})
}

func TestNoAnswer(t *testing.T) {
	for name, c := range map[string]struct{ set, want time.Duration }{
		"the asker's time":   {30 * time.Second, 30 * time.Second},
		"no time of its own": {0, maxAnswerTime},
		"a longer time":      {time.Hour, maxAnswerTime},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := connect(t, asker(c.set))
				p.introduce(forms)
				began := time.Now()
				p.call("1", "ask")
				id := p.asked()
				p.alive()                        // the loop reads on
				time.Sleep(c.want - time.Second) // fake
				p.quiet()
				p.withdrawn(id, "no answer in time")
				if got := p.receive(); resultText(got) != context.DeadlineExceeded.Error() {
					t.Errorf("the call got %s", got.Raw)
				}
				if took := time.Since(began); took != c.want {
					t.Errorf("ended after %v, want %v", took, c.want)
				}
				p.alive()
			})
		})
	}
}

// A client that does not even read cannot hold an asker beyond its time.
func TestQuestionThatIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 100 // more than the writer queues
		ended := make(chan time.Duration, calls)
		began := time.Now()
		srv := newServer(map[string]server.ToolHandlerFunc{
			"ask": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				ctx, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				_, err := server.ClientSessionFromContext(ctx).(server.SessionWithElicitation).RequestElicitation(ctx, mcp.ElicitationRequest{})
				ended <- time.Since(began)
				return textResult(fmt.Sprint(err)), nil
			},
		})
		p := open(t, srv)
		p.send(`{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"peer","version":"1"}}}`)
		for i := range calls {
			p.call(fmt.Sprint(i), "ask")
		}
		for range calls {
			if took := <-ended; took != time.Minute {
				t.Errorf("an asker was held for %v", took)
			}
		}
		go p.read()
		p.receive() // of initialize
		questions, withdrawn, answers := 0, 0, 0
		for answers < calls || withdrawn < questions {
			switch line := p.receive(); line.Get("method").Str {
			case "elicitation/create":
				questions++
			case "notifications/cancelled":
				withdrawn++
			default:
				answers++
			}
		}
		p.quiet()
		if questions == 0 || questions == calls {
			t.Errorf("%d questions of %d were queued: this tests nothing", questions, calls)
		}
	})
}

func TestClientGoesAwayWhileAsked(t *testing.T) {
	t.Run("end of input", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := connect(t, asker(0))
			p.introduce(forms)
			p.call("1", "ask")
			p.asked()
			began := time.Now()
			rest := p.closeInput()
			if len(rest) != 1 || resultText(rest[0]) != errGone.Error() {
				t.Errorf("the call got %v", rest)
			}
			if took := time.Since(began); took != 0 {
				t.Errorf("ended after %v", took)
			}
		})
	})
	t.Run("answer, then end of input", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := connect(t, asker(0))
			p.introduce(forms)
			p.call("1", "ask")
			p.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept"}}`, p.asked())
			synctest.Wait()
			if rest := p.closeInput(); len(rest) != 1 || resultText(rest[0]) != "accept" {
				t.Errorf("the call got %v", rest)
			}
		})
	})
	t.Run("questions after the end of input", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			srv := newServer(map[string]server.ToolHandlerFunc{
				"late": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
					time.Sleep(time.Second) // fake
					_, err := server.ClientSessionFromContext(ctx).(server.SessionWithElicitation).RequestElicitation(ctx, mcp.ElicitationRequest{})
					return textResult(fmt.Sprint(err)), nil
				},
			})
			p := connect(t, srv)
			p.introduce(forms)
			const calls = 20
			for i := range calls {
				p.call(fmt.Sprint(i), "late")
			}
			answers := byID(t, p.closeInput())
			for id, answer := range answers {
				if resultText(answer) != errGone.Error() {
					t.Errorf("call %s got %s", id, answer.Raw)
				}
			}
			if len(answers) != calls {
				t.Errorf("%d answers", len(answers))
			}
		})
	})
	t.Run("output broken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ended := make(chan error, 1)
			srv := newServer(map[string]server.ToolHandlerFunc{
				"ask": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
					_, err := server.ClientSessionFromContext(ctx).(server.SessionWithElicitation).RequestElicitation(ctx, mcp.ElicitationRequest{})
					ended <- err
					return textResult("ended"), nil
				},
			})
			p := connect(t, srv)
			p.introduce(forms)
			p.call("1", "ask")
			p.asked()
			p.out.Close()
			p.send(`{"jsonrpc":"2.0","id":"x","method":"ping"}`)
			if err := <-ended; !errors.Is(err, errGone) {
				t.Errorf("the asker got %v", err)
			}
			if err := <-p.ended; !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("Run returned %v", err)
			}
		})
	})
}

func TestFiftyQuestionsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, asker(0))
		p.introduce(forms)
		const calls = 50
		for i := range calls {
			p.call(fmt.Sprint(i), "ask")
		}
		var ids []string
		for range calls {
			ids = append(ids, p.asked())
		}
		slices.Reverse(ids)
		var lines []gjson.Result
		for n, id := range ids {
			p.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept","content":{"n":%d}}}`, id, n)
			lines = append(lines, p.receive())
			if got, want := resultText(lines[n]), fmt.Sprintf(`accept{"n":%d}`, n); got != want {
				t.Errorf("answer %d brought %q", n, got)
			}
		}
		if n := len(byID(t, lines)); n != calls {
			t.Errorf("%d calls were answered", n)
		}
	})
}

// Questions hold slots, but never all of them: the loop comes to read the answers.
func TestQuestionsLeaveSlots(t *testing.T) {
	t.Run("more questions than slots", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := connect(t, asker(0))
			p.introduce(forms)
			const calls = maxInFlight + 100
			for i := range calls {
				p.call(fmt.Sprint(i), "ask")
			}
			var ids []string
			for range calls {
				switch line := p.receive(); {
				case line.Get("method").Exists():
					ids = append(ids, line.Get("id").Raw)
				case resultText(line) != errTooMany.Error():
					t.Fatalf("a call got %s", line.Raw)
				}
			}
			if len(ids) != maxQuestions {
				t.Errorf("%d questions wait", len(ids))
			}
			p.alive()
			for _, id := range ids {
				p.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept"}}`, id)
				if got := p.receive(); resultText(got) != "accept" {
					t.Fatalf("a call got %s", got.Raw)
				}
			}
		})
	})
	t.Run("slow calls beside", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := connect(t, asker(0))
			p.introduce(forms)
			began := time.Now()
			for i := range maxQuestions {
				p.call(fmt.Sprint(i), "ask")
			}
			var ids []string
			for range maxQuestions {
				ids = append(ids, p.asked())
			}
			const slow = maxInFlight - maxQuestions + 1 // the last one finds no slot
			for i := range slow {
				p.call(fmt.Sprintf(`"slow%d"`, i), "slow")
			}
			for _, id := range ids {
				p.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept"}}`, id)
			}
			for range maxQuestions + slow {
				if got := resultText(p.receive()); got != "accept" && got != "finished" {
					t.Errorf("a call got %q", got)
				}
			}
			if took := time.Since(began); took != 2*time.Second {
				t.Errorf("took %v, want two rounds of 1s", took)
			}
		})
	})
}
