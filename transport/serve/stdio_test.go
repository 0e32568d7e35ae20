package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
)

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name, in string
		id       string // JSON
		code     int64
		says     string
	}{
		{"malformed", `{"jsonrpc":"2.0",`, "null", mcp.PARSE_ERROR, "not valid JSON"},
		{"words", `how are you?`, "null", mcp.PARSE_ERROR, "not valid JSON"},
		{"batch", `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, "null", mcp.INVALID_REQUEST, "batches"},
		{"unknown method", `{"jsonrpc":"2.0","id":"u","method":"no/such"}`, `"u"`, mcp.METHOD_NOT_FOUND, ""},
		{"unknown tool", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"no_such","arguments":{}}}`, "1", mcp.INVALID_PARAMS, "no_such"},
		{"wrong type of params", `{"jsonrpc":"2.0","id":2,"method":"tools/list","params":7}`, "2", mcp.INVALID_PARAMS, "params"},
		{"wrong type of arguments", `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"say","arguments":[1]}}`, "3", mcp.INVALID_PARAMS, "arguments"},
		{"wrong type of a name", `{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":4}}`, "4", mcp.INVALID_PARAMS, "name"},
		{"wrong type of _meta", `{"jsonrpc":"2.0","id":5,"method":"tools/list","params":{"_meta":3}}`, "5", 0, ""},
		{"deeply nested", strings.Repeat(`{"a":`, 1<<20), "null", mcp.PARSE_ERROR, "deep"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := connect(t, newServer(map[string]server.ToolHandlerFunc{"say": say("hi")}))
				p.send("%s", c.in)
				answer := p.receive()
				if answer.Get("id").Raw != c.id {
					t.Errorf("id %s, want %s", answer.Get("id").Raw, c.id)
				}
				code := answer.Get("error.code").Int()
				if code == 0 || c.code != 0 && code != c.code {
					t.Errorf("code %d, want %d: %s", code, c.code, answer.Raw)
				}
				contains(t, answer.Get("error.message").Str, c.says)
				p.alive()
			})
		})
	}
}

func TestLinesWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newServer(nil))
		for _, line := range []string{
			"", "  \t", "\r",
			`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
			`{"jsonrpc":"2.0","method":"notifications/unknown","params":{"a":1}}`,
			`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"never"}}`,
			`{"jsonrpc":"2.0","method":"notifications/cancelled"}`,
			`{"jsonrpc":"2.0","method":"tools/list"}`,
			`{"jsonrpc":"2.0","id":1,"result":{}}`,
			`{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m"}}`,
		} {
			p.send("%s", line)
		}
		synctest.Wait()
		if len(p.lines) > 0 {
			t.Errorf("answered %s", (<-p.lines).Raw)
		}
		p.alive()
	})
}

func TestLongLines(t *testing.T) {
	p := connect(t, newServer(map[string]server.ToolHandlerFunc{
		"measure": func(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return textResult(fmt.Sprint(len(gjson.GetBytes(req.Params.RawArguments, "text").Str))), nil
		},
	}))
	for _, c := range []struct {
		length   int
		accepted bool
	}{{10_000_000, true}, {maxLine, false}} {
		p.send(`{"method":"tools/call","params":{"name":"measure","arguments":{"text":"%s"}},"jsonrpc":"2.0","id":%d}`, strings.Repeat("a", c.length), c.length)
		answer := p.receive()
		if answer.Get("id").Int() != int64(c.length) {
			t.Errorf("%d bytes: answered with id %s", c.length, answer.Get("id").Raw)
		}
		if accepted := resultText(answer) == fmt.Sprint(c.length); accepted != c.accepted {
			t.Errorf("%d bytes: accepted %v, want %v: %s", c.length, accepted, c.accepted, answer.Raw)
		}
		if !c.accepted {
			contains(t, answer.Get("error.message").Str, "16 MiB")
		}
	}
	p.alive()
}

func TestDuplicateID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newServer(map[string]server.ToolHandlerFunc{"slow": take(time.Second)}))
		p.call("1", "slow")
		p.call("1", "slow")
		refused := p.receive()
		if refused.Get("id").Raw != "1" || refused.Get("error.code").Int() != mcp.INVALID_REQUEST {
			t.Errorf("the second call got %s", refused.Raw)
		}
		contains(t, refused.Get("error.message").Str, "still running")
		if first := p.receive(); resultText(first) != "finished" {
			t.Errorf("the first call got %s", first.Raw)
		}
		p.call("1", "slow") // the id is free again
		if again := p.receive(); resultText(again) != "finished" {
			t.Errorf("the third call got %s", again.Raw)
		}
	})
}

func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newServer(map[string]server.ToolHandlerFunc{"slow": take(time.Hour)}))
		began := time.Now()
		for _, id := range []string{`1`, `"1"`, `9007199254740993`, `9007199254740992`} {
			p.call(id, "slow")
		}
		time.Sleep(time.Second) // fake: lets the calls begin
		for _, id := range []string{`9007199254740993`, `"1"`} {
			p.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s,"reason":"test"}}`, id)
			answer := p.receive()
			if answer.Get("id").Raw != id || resultText(answer) != "cancelled" {
				t.Errorf("cancelling %s brought %s", id, answer.Raw)
			}
		}
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("cancelling took %v", waited)
		}
		synctest.Wait()
		if len(p.lines) > 0 {
			t.Errorf("another call ended too: %s", (<-p.lines).Raw)
		}
	})
}

func TestPanicOutsideOfATool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &server.Hooks{}
		hooks.AddBeforeListTools(func(context.Context, any, *mcp.ListToolsRequest) { panic("a secret of the server") })
		p := connect(t, server.NewMCPServer("test", "1", server.WithToolCapabilities(true), server.WithHooks(hooks)))
		p.send(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
		answer := p.receive()
		if answer.Get("id").Raw != "1" || answer.Get("error.code").Int() != mcp.INTERNAL_ERROR {
			t.Errorf("a panic brought %s", answer.Raw)
		}
		if strings.Contains(answer.Raw, "secret") {
			t.Errorf("the client sees the panic: %s", answer.Raw)
		}
		p.alive()
	})
}

func TestPanicInATool(t *testing.T) { // tools recovers its own; this is the net below
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newServer(map[string]server.ToolHandlerFunc{
			"break": func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) { panic("a secret of the tool") },
		}))
		p.call("1", "break")
		answer := p.receive()
		if answer.Get("id").Raw != "1" || answer.Get("error.code").Int() != mcp.INTERNAL_ERROR || strings.Contains(answer.Raw, "secret") {
			t.Errorf("a panic brought %s", answer.Raw)
		}
		p.alive()
	})
}

func TestConcurrentCalls(t *testing.T) {
	p := connect(t, newServer(map[string]server.ToolHandlerFunc{
		"echo": func(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return textResult(string(req.Params.RawArguments)), nil
		},
	}))
	const calls = 200
	for i := range calls {
		p.send(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"n":%d}}}`, i, i)
	}
	var lines []gjson.Result
	for range calls {
		lines = append(lines, p.receive())
	}
	for id, answer := range byID(t, lines) {
		if want := `{"n":` + id + `}`; resultText(answer) != want {
			t.Errorf("call %s was answered %q", id, resultText(answer))
		}
	}
}

// Beyond maxInFlight reading pauses; it goes on as calls end, and nothing is lost.
func TestMoreCallsThanSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newServer(map[string]server.ToolHandlerFunc{"slow": take(time.Second)}))
		began := time.Now()
		const calls = maxInFlight + 10
		for i := range calls {
			p.call(fmt.Sprint(i), "slow")
		}
		var lines []gjson.Result
		for range calls {
			lines = append(lines, p.receive())
		}
		if n := len(byID(t, lines)); n != calls {
			t.Errorf("%d answers", n)
		}
		if waited := time.Since(began); waited != 2*time.Second {
			t.Errorf("took %v, want two rounds of 1s", waited)
		}
	})
}

func TestContextEndsRun(t *testing.T) { // as on SIGTERM and when the parent dies
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newServer(map[string]server.ToolHandlerFunc{"second": take(time.Second), "hour": take(time.Hour)}))
		p.call("1", "second")
		p.call("2", "hour")
		synctest.Wait()
		began := time.Now()
		p.end()
		if err := <-p.ended; err != nil {
			t.Errorf("Run returned %v", err)
		}
		if took := time.Since(began); took != DefaultDrain {
			t.Errorf("ended after %v, want %v", took, DefaultDrain)
		}
		if answer := p.receive(); resultText(answer) != "finished" {
			t.Errorf("the short call got %s", answer.Raw)
		}
		if answer := p.receive(); resultText(answer) != "cancelled" {
			t.Errorf("the long call got %s", answer.Raw)
		}
	})
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestClientGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, client := io.Pipe()
		defer client.Close()
		cancelled := make(chan struct{})
		srv := newServer(map[string]server.ToolHandlerFunc{
			"say": say("hi"),
			"slow": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				<-ctx.Done()
				close(cancelled)
				return textResult("cancelled"), nil
			},
		})
		ended := make(chan error, 1)
		began := time.Now()
		go func() { ended <- (&Stdio{Server: srv, In: in, Out: brokenPipe{}}).Run(t.Context()) }()
		p := &peer{t: t, in: client}
		p.call("1", "slow")
		p.call("2", "say")
		err := <-ended
		if err == nil || !strings.Contains(err.Error(), "broken pipe") {
			t.Errorf("Run returned %v", err)
		}
		<-cancelled
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v to end without a client", took)
		}
	})
}

// A client that neither reads nor goes away must not keep the process alive
// after SIGTERM, whether it is an answer that waits for it or a refusal.
func TestClientThatDoesNotRead(t *testing.T) {
	for name, line := range map[string]string{
		"answers":  `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"say"}}`,
		"refusals": `{"jsonrpc":"2.0","id":%d,"method":5}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := open(t, newServer(map[string]server.ToolHandlerFunc{"say": say("hi")}))
				go func() {
					for i := range 3000 {
						if _, err := fmt.Fprintf(p.in, line+"\n", i); err != nil {
							return
						}
					}
				}()
				synctest.Wait()
				began := time.Now()
				p.end()
				if err := <-p.ended; !errors.Is(err, errNotRead) {
					t.Errorf("Run returned %v", err)
				}
				if took := time.Since(began); took > 2*DefaultDrain {
					t.Errorf("took %v to end", took)
				}
				p.in.Close()
			})
		})
	}
}

// A reader such as a pager may take its time at the end of input: everything is
// written all the same.
func TestSlowReaderGetsEveryAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, newServer(map[string]server.ToolHandlerFunc{"say": say("hi")}))
		const calls = 300
		for i := range calls {
			p.call(fmt.Sprint(i), "say")
		}
		p.in.Close()
		time.Sleep(time.Minute) // fake
		go p.read()
		answers := 0
		for range p.lines {
			answers++
		}
		if answers != calls {
			t.Errorf("%d of %d answers", answers, calls)
		}
		if err := <-p.ended; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestReadError(t *testing.T) {
	in := io.MultiReader(strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`+"\n"), failingReader{})
	var out strings.Builder
	err := (&Stdio{Server: newServer(nil), In: in, Out: &out}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "read from the client: input/output error") {
		t.Errorf("Run returned %v", err)
	}
	contains(t, out.String(), `"id":1`)
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("input/output error") }
