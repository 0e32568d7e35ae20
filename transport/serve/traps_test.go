package serve

// Each test here is about something that mcp-go, or its own stdio server, does
// wrong or oddly. A new version of mcp-go is tried against them first: what stands
// against a trap may go when its test passes without it.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
)

// Trap: a tool with two input schemas cannot be marshalled, and tools/list is
// then never answered.
func TestAnswerThatCannotBeEncoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server.NewMCPServer("test", "1", server.WithToolCapabilities(false))
		srv.AddTool(mcp.NewTool("both", mcp.WithRawInputSchema([]byte(`{"type":"object"}`))), say("hi"))
		p := connect(t, srv)
		p.send(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
		if answer := p.receive(); answer.Get("id").Raw != "1" || answer.Get("error.code").Int() != mcp.INTERNAL_ERROR {
			t.Errorf("tools/list brought %s", answer.Raw)
		}
		p.alive()
	})
}

// Trap: elicitation is sent to clients that cannot answer it, and the call hangs.
// Our session asks only those that declared it, so that a tool which asks others
// gets an error at once.
func TestElicitationDoesNotHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var srv *server.MCPServer
		srv = newServer(map[string]server.ToolHandlerFunc{
			"ask": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				var request mcp.ElicitationRequest
				request.Params.Message = "sure?"
				if _, err := srv.RequestElicitation(ctx, request); err != nil {
					return textResult("refused"), nil
				}
				return textResult("asked"), nil
			},
		})
		p := connect(t, srv)
		p.initialize()
		p.call("1", "ask")
		if answer := p.receive(); resultText(answer) != "refused" {
			t.Errorf("the call got %s", answer.Raw)
		}
	})
}

const modern = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"peer","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`

// Trap: for clients of 2026-07-28 mcp-go writes fields into the tool's result,
// which then show in answers to older clients. Encoding keeps the eras apart as
// long as results are built anew, as tools does.
func TestErasDoNotMix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newServer(map[string]server.ToolHandlerFunc{"say": say("hi")}))
		for i := range 20 {
			p.send(`{"jsonrpc":"2.0","id":"new%d","method":"tools/call","params":{"name":"say","arguments":{},%s}}`, i, modern)
			p.call(fmt.Sprintf(`"old%d"`, i), "say")
		}
		for range 40 {
			answer := p.receive()
			isNew := strings.HasPrefix(answer.Get("id").Str, "new")
			if answer.Get("result.resultType").Exists() != isNew || answer.Get("result._meta").Exists() != isNew || resultText(answer) != "hi" {
				t.Errorf("wrong for its era: %s", answer.Raw)
			}
		}
	})
}

// Trap: five tool calls at once, so that 64 calls of 50 ms take 650 ms, and a ping
// waits seconds behind 200 slow calls.
func TestSlowCallsDelayNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newServer(map[string]server.ToolHandlerFunc{"slow": take(500 * time.Millisecond), "quick": say("hi")}))
		began := time.Now()
		for i := range 200 {
			p.call(fmt.Sprint(i), "slow")
		}
		p.call(`"quick"`, "quick")
		if answer := p.receive(); answer.Get("id").Str != "quick" {
			t.Errorf("the quick call did not come first: %s", answer.Raw)
		}
		p.alive()
		if waited := time.Since(began); waited != 0 {
			t.Errorf("a quick call and a ping took %v beside slow ones", waited)
		}
		for range 200 {
			p.receive()
		}
		if took := time.Since(began); took != 500*time.Millisecond {
			t.Errorf("200 calls of 500ms took %v", took)
		}
	})
}

// Trap: a call that is cancelled while it waits for a worker runs all the same:
// with a tool that writes that is an effect nobody wants.
func TestCancelledCallHasNoEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		effects := make(chan struct{}, 100)
		p := connect(t, newServer(map[string]server.ToolHandlerFunc{
			"slow": take(time.Minute),
			"write": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				select {
				case <-time.After(time.Second): // on its way to the workspace
				case <-ctx.Done():
					return textResult("cancelled"), nil
				}
				effects <- struct{}{}
				return textResult("written"), nil
			},
		}))
		for i := range 100 {
			p.call(fmt.Sprint(i), "slow")
		}
		p.call(`"w"`, "write")
		p.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"w"}}`)
		if answer := p.receive(); answer.Get("id").Str != "w" || resultText(answer) == "written" {
			t.Errorf("the cancelled call got %s", answer.Raw)
		}
		time.Sleep(time.Hour) // fake
		if len(effects) > 0 {
			t.Error("the cancelled call wrote")
		}
	})
}

// Trap: another goroutine writes notifications, and progress that is sent right
// before the return arrives behind the result in 300 of 300 calls.
func TestProgressComesBeforeTheResult(t *testing.T) {
	for _, era := range []string{"2025-11-25", "2026-07-28"} {
		t.Run(era, func(t *testing.T) {
			var srv *server.MCPServer
			srv = newServer(map[string]server.ToolHandlerFunc{
				"work": func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
					for n := range 3 {
						err := srv.SendNotificationToClient(ctx, "notifications/progress", map[string]any{"progressToken": req.Params.Meta.ProgressToken, "progress": n})
						if err != nil {
							return nil, err
						}
					}
					return textResult("done"), nil
				},
			})
			p := connect(t, srv)
			meta := ""
			if era == "2026-07-28" {
				meta = strings.TrimSuffix(modern[len(`"_meta":{`):], "}") + ","
			} else {
				p.initialize()
			}
			for i := range 300 {
				p.send(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"work","_meta":{%s"progressToken":"t%d"}}}`, i, meta, i)
				for n := range 3 {
					note := p.receive()
					if note.Get("method").Str != "notifications/progress" || note.Get("params.progress").Int() != int64(n) || note.Get("params.progressToken").Str != fmt.Sprint("t", i) {
						t.Fatalf("call %d: instead of progress %d came %s", i, n, note.Raw)
					}
				}
				if answer := p.receive(); resultText(answer) != "done" {
					t.Fatalf("call %d: instead of the result came %s", i, answer.Raw)
				}
			}
		})
	}
}

// Trap: the end of input cancels running calls at once and loses answers.
func TestEndOfInputDrains(t *testing.T) {
	t.Run("instant calls", func(t *testing.T) {
		for range 50 {
			p := connect(t, newServer(map[string]server.ToolHandlerFunc{"say": say("hi")}))
			p.send(`{"jsonrpc":"2.0","id":"list","method":"tools/list"}`)
			for i := range 20 {
				p.call(fmt.Sprint(i), "say")
			}
			if answers := byID(t, p.closeInput()); len(answers) != 21 {
				t.Fatalf("%d of 21 answers", len(answers))
			}
		}
	})
	t.Run("running calls", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := connect(t, newServer(map[string]server.ToolHandlerFunc{"short": take(1900 * time.Millisecond), "long": take(time.Minute)}))
			began := time.Now()
			p.call("1", "short")
			p.call("2", "long")
			answers := byID(t, p.closeInput())
			if resultText(answers["1"]) != "finished" {
				t.Errorf("the call of 1.9s got %s", answers["1"].Raw)
			}
			if resultText(answers["2"]) != "cancelled" {
				t.Errorf("the call of a minute got %s", answers["2"].Raw)
			}
			if took := time.Since(began); took != DefaultDrain {
				t.Errorf("ended after %v, want %v", took, DefaultDrain)
			}
		})
	})
	t.Run("no newline at the end", func(t *testing.T) {
		p := connect(t, newServer(nil))
		if _, err := p.in.Write([]byte(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)); err != nil {
			t.Fatal(err)
		}
		if answers := p.closeInput(); len(answers) != 1 {
			t.Errorf("%d answers", len(answers))
		}
	})
}

// Trap: the stdio session is a global of the package; two servers in one process
// take each other's notifications.
func TestTwoServersInOneProcess(t *testing.T) {
	build := func() *server.MCPServer {
		var srv *server.MCPServer
		srv = newServer(map[string]server.ToolHandlerFunc{
			"work": func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				err := srv.SendNotificationToClient(ctx, "notifications/progress", map[string]any{"progressToken": req.Params.Meta.ProgressToken, "progress": 1})
				return textResult("done"), err
			},
		})
		return srv
	}
	peers := map[string]*peer{"a": connect(t, build()), "b": connect(t, build())}
	const calls = 100
	for name, p := range peers {
		p.initialize()
		for i := range calls {
			p.send(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"work","_meta":{"progressToken":%q}}}`, i, name)
		}
	}
	for name, p := range peers {
		notes := 0
		for range 2 * calls {
			if line := p.receive(); line.Get("method").Exists() {
				notes++
				if token := line.Get("params.progressToken").Str; token != name {
					t.Errorf("the client of %s got a notification for %s", name, token)
				}
			}
		}
		if notes != calls {
			t.Errorf("the client of %s got %d of %d notifications", name, notes, calls)
		}
	}
}

// Trap: ids pass through float64, so that 9007199254740993 is answered as
// 9007199254740992 and the client waits for ever.
func TestIDsAreExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newServer(map[string]server.ToolHandlerFunc{"say": say("hi")}))
		for _, id := range []string{"0", "-1", "9007199254740993", "9223372036854775807", "123456789012345678901234567890", "1.5", `""`, `"9007199254740993"`, `"ü \"<>& \\ 😀"`} {
			p.call(id, "say")
			if got := p.receive().Get("id").Raw; got != id {
				t.Errorf("id %s came back as %s", id, got)
			}
		}
	})
}

// Trap: so do arguments. RawArguments are the bytes of the client.
func TestArgumentsAreExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newServer(map[string]server.ToolHandlerFunc{
			"echo": func(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				return textResult(string(req.Params.RawArguments)), nil
			},
		}))
		const arguments = `{"job_id":9007199254740993,"text":"a < b && c > d","n":1.10}`
		p.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":%s}}`, arguments)
		answer := p.receive()
		if got := resultText(answer); got != arguments {
			t.Errorf("the tool got %s", got)
		}
		contains(t, answer.Raw, "a < b && c > d") // unescaped: \u003c costs an agent three tokens
	})
}

// Trap: the error of a handler becomes a JSON-RPC error that many hosts do not
// show to the model, which is why tools returns none. Should one slip through it
// is answered.
func TestErrorOfAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newServer(map[string]server.ToolHandlerFunc{
			"fail": func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				return nil, errors.New("failed")
			},
		}))
		p.call("1", "fail")
		if answer := p.receive(); answer.Get("error.code").Int() != mcp.INTERNAL_ERROR {
			t.Errorf("answered %s", answer.Raw)
		}
	})
}

// Trap: after SIGTERM the server waits for ever for handlers that ignore their
// context, and its Run returns context.Canceled, which a main takes for a failure.
func TestHandlerThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		p := connect(t, newServer(map[string]server.ToolHandlerFunc{
			"deaf": func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				<-release
				return textResult("late"), nil
			},
		}))
		p.call("1", "deaf")
		synctest.Wait()
		began := time.Now()
		p.end()
		if err := <-p.ended; err != nil {
			t.Errorf("Run returned %v", err)
		}
		if took := time.Since(began); took != DefaultDrain+abortTime {
			t.Errorf("ended after %v, want %v", took, DefaultDrain+abortTime)
		}
	})
}

// Notifications that nobody can encode, and results of every shape, leave the
// stream in order.
func TestEncodedResults(t *testing.T) {
	for _, c := range []struct {
		name   string
		result *mcp.CallToolResult
		want   string
	}{
		{"text", textResult("a \"quoted\"\nline <b>"), `{"content":[{"type":"text","text":"a \"quoted\"\nline <b>"}]}`},
		{"nothing", &mcp.CallToolResult{}, `{"content":[]}`},
		{"error", &mcp.CallToolResult{IsError: true, Content: textResult("e").Content, RawStructuredContent: []byte(`{"error":{"status":404}}`)},
			`{"content":[{"type":"text","text":"e"}],"structuredContent":{"error":{"status":404}},"isError":true}`},
		{"structured value", &mcp.CallToolResult{StructuredContent: map[string]any{"n": 1}}, `{"content":[],"structuredContent":{"n":1}}`},
		{"image", &mcp.CallToolResult{Content: []mcp.Content{mcp.ImageContent{Type: "image", Data: "QQ==", MIMEType: "image/png"}, mcp.TextContent{Type: "text", Text: "t"}}},
			`{"content":[{"type":"image","data":"QQ==","mimeType":"image/png"},{"type":"text","text":"t"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			message, err := encode(mcp.NewJSONRPCResultResponse(mcp.NewRequestId(1), c.result), []byte("7"))
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := message.writeTo(&out); err != nil {
				t.Fatal(err)
			}
			line := out.Bytes()
			if got, want := string(line), `{"jsonrpc":"2.0","id":7,"result":`+c.want+"}\n"; got != want {
				t.Errorf("%s\nwant %s", got, want)
			}
			// The same as mcp-go's own encoding, but for escapes and order.
			theirs, err := c.result.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if got := gjson.GetBytes(line, "result"); !sameJSON(got, gjson.ParseBytes(theirs)) {
				t.Errorf("mcp-go writes %s", theirs)
			}
		})
	}
}

func sameJSON(a, b gjson.Result) bool {
	if !a.IsObject() && !a.IsArray() {
		return a.Type == b.Type && a.String() == b.String()
	}
	same, n := a.IsArray() == b.IsArray(), 0
	a.ForEach(func(key, value gjson.Result) bool {
		path := fmt.Sprint(n)
		if a.IsObject() {
			path = key.Str
		}
		n++
		same = same && sameJSON(value, b.Get(path))
		return same
	})
	b.ForEach(func(_, _ gjson.Result) bool { n--; return true })
	return same && n == 0
}
