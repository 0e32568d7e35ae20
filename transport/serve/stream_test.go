package serve

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

const changed = mcp.MethodNotificationToolsListChanged

// growing is a server whose list of tools can change.
func growing() *server.MCPServer {
	return server.NewMCPServer("growing", "1", server.WithToolCapabilities(true))
}

func grow(srv *server.MCPServer) {
	srv.AddTool(mcp.Tool{Name: "t", RawInputSchema: []byte(`{"type":"object","properties":{}}`)}, say("hi"))
}

// quick is a heartbeat that a test sees.
func quick(e *Endpoint) { e.Heartbeat = 5 * time.Millisecond }

func TestListen(t *testing.T) {
	site := publish(t, growing)
	mine, bobs := site.initialize(`{}`), site.initialize(`{}`, "User", "bob")
	stream := site.stream(site.request(t.Context(), "GET", "/mcp", "", "Mcp-Session-Id", mine))
	foreign := site.stream(site.request(t.Context(), "GET", "/mcp", "", "Mcp-Session-Id", bobs, "User", "bob"))
	grow(site.users.server("alice"))
	if note := stream.message(); note.Get("method").Str != changed || note.Get("id").Exists() {
		t.Errorf("instead of a notification came %s", note.Raw)
	}
	second := site.stream(site.request(t.Context(), "GET", "/mcp", "", "Mcp-Session-Id", mine)) // takes its place
	stream.ended()
	grow(site.users.server("alice"))
	if note := second.message(); note.Get("method").Str != changed {
		t.Errorf("on the second stream came %s", note.Raw)
	}
	site.End()
	second.ended()
	foreign.ended() // and nothing of alice's before
	res := site.request(t.Context(), "GET", "/mcp", "", "Mcp-Session-Id", mine)
	defer res.Body.Close()
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("a stream at the end brought %d", res.StatusCode)
	}
	if res, _ := site.send(`{"jsonrpc":"2.0","id":1,"method":"ping"}`); res.StatusCode != 200 {
		t.Errorf("a call at the end brought %d", res.StatusCode)
	}
}

func listening(id, filter string) (string, []string) {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"subscriptions/listen","params":{"notifications":` + filter + `,` + modern + `}}`,
		[]string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "subscriptions/listen"}
}

func TestSubscriptions(t *testing.T) {
	site := publish(t, growing)
	for _, id := range []string{"1", `"x"`, "9007199254740993"} {
		body, headers := listening(id, `{"toolsListChanged":true,"promptsListChanged":true}`)
		stream := site.stream(site.request(t.Context(), "POST", "/mcp", body, headers...))
		tag := `params._meta.io\.modelcontextprotocol/subscriptionId`
		ack := stream.message()
		if ack.Get("method").Str != mcp.MethodNotificationSubscriptionsAcknowledged || ack.Get("params.notifications").Raw != `{"toolsListChanged":true}` || ack.Get(tag).Raw != id {
			t.Errorf("%s: the acknowledgement is %s", id, ack.Raw)
		}
		srv := site.users.server("alice")
		srv.SendNotificationToAllClients("notifications/other", nil) // was not asked for
		grow(srv)
		if note := stream.message(); note.Get("method").Str != changed || note.Get(tag).Raw != id {
			t.Errorf("%s: instead of a notification came %s", id, note.Raw)
		}
		stream.body.Close()
	}
	body, headers := listening("1", `{}`)
	stream := site.stream(site.request(t.Context(), "POST", "/mcp", body, headers...))
	stream.message()
	if answer := stream.message(); !answer.Get("result").Exists() {
		t.Errorf("listening for nothing brought %s", answer.Raw)
	}
	stream.ended()
	body, headers = listening("9007199254740993", `{"toolsListChanged":true}`)
	stream = site.stream(site.request(t.Context(), "POST", "/mcp", body, headers...))
	stream.message()
	site.End()
	if answer := stream.message(); answer.Get("id").Raw != "9007199254740993" || answer.Get(`result._meta.io\.modelcontextprotocol/subscriptionId`).Raw != "9007199254740993" {
		t.Errorf("the end brought %s", answer.Raw)
	}
	stream.ended()
	if res, _ := site.send(body, headers...); res.StatusCode != 503 {
		t.Errorf("listening at the end brought %d", res.StatusCode)
	}
}

// Params of a wrong shape are an error with its status, not a stream.
func TestSubscriptionThatCannotBe(t *testing.T) {
	site := publish(t, growing)
	body, headers := listening("7", `"all"`)
	if res, answer := site.send(body, headers...); res.StatusCode != 400 || answer.Get("error.code").Int() != mcp.INVALID_PARAMS || strings.Contains(answer.Raw, "Go ") {
		t.Errorf("status %d, %s", res.StatusCode, answer.Raw)
	}
}

// Quiet streams show that they live, also those of calls that take long.
func TestHeartbeat(t *testing.T) {
	began, ended, letGo := make(chan string, 1), make(chan string, 1), make(chan struct{})
	site := publish(t, held(began, ended, letGo), quick)
	listen, headers := listening("1", `{"toolsListChanged":true}`)
	for name, stream := range map[string]*events{
		"GET":       site.stream(site.request(t.Context(), "GET", "/mcp", "", "Mcp-Session-Id", site.initialize(`{}`))),
		"SSE":       site.stream(site.request(t.Context(), "GET", "/sse", "")),
		"a call":    site.stream(site.request(t.Context(), "POST", "/mcp", callOf("1", "hold"))),
		"subscribe": publish(t, growing, quick).subscribe(listen, headers),
	} {
		for beats := 0; beats < 3; {
			line, err := stream.in.ReadString('\n')
			if err != nil {
				t.Fatalf("%s: %v after %d heartbeats", name, err, beats)
			}
			if line == ":\n" {
				beats++
			}
		}
	}
	close(letGo)
}

func (s *site) subscribe(body string, headers []string) *events {
	return s.stream(s.request(s.t.Context(), "POST", "/mcp", body, headers...))
}

// A call that was quiet until its first heartbeat is still answered, on its stream.
func TestLongCallIsAnswered(t *testing.T) {
	began, ended, letGo := make(chan string, 1), make(chan string, 1), make(chan struct{})
	site := publish(t, held(began, ended, letGo), quick)
	stream := site.stream(site.request(t.Context(), "POST", "/mcp", callOf("1", "hold")))
	close(letGo)
	if answer := stream.message(); resultText(answer) != "finished" {
		t.Errorf("the call got %s", answer.Raw)
	}
	stream.ended()
}

// A client that does not read is given up: its stream and its calls end.
func TestHTTPClientThatDoesNotRead(t *testing.T) {
	large := strings.Repeat("x", 64<<10)
	over := make(chan string, 100)
	build := func() *server.MCPServer {
		var srv *server.MCPServer
		srv = newServer(map[string]server.ToolHandlerFunc{
			"flood": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				for ctx.Err() == nil {
					_ = srv.SendNotificationToClient(ctx, "notifications/progress", map[string]any{"progressToken": 1, "progress": 1, "message": large})
					<-time.After(10 * time.Microsecond)
				}
				over <- "flood"
				return textResult("over"), nil
			},
			"large": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				return textResult(large), nil
			},
		})
		return srv
	}
	impatient := func(e *Endpoint) { e.readTime = 2 * time.Second } // above what a loaded machine takes to write
	dial := func(t *testing.T, site *site) net.Conn {
		conn, err := net.Dial("tcp", strings.TrimPrefix(site.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	t.Run("a call", func(t *testing.T) {
		t.Parallel()
		site := publish(t, build, impatient)
		body := callOf("1", "flood")
		fmt.Fprintf(dial(t, site), "POST /mcp HTTP/1.1\r\nHost: x\r\nUser: alice\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		<-over
	})
	t.Run("a stream", func(t *testing.T) {
		t.Parallel()
		site := publish(t, build, impatient)
		fmt.Fprintf(dial(t, site), "GET /mcp HTTP/1.1\r\nHost: x\r\nUser: alice\r\nMcp-Session-Id: %s\r\n\r\n", site.initialize(`{}`))
		open := func() int { site.mu.Lock(); defer site.mu.Unlock(); return len(site.streams) }
		within(t, "it listens", func() bool { return open() == 1 })
		within(t, "it is given up", func() bool {
			site.users.server("alice").SendNotificationToAllClients("notifications/message", map[string]any{"data": large})
			return open() == 0
		})
	})
	t.Run("a session over SSE", func(t *testing.T) {
		t.Parallel()
		site := publish(t, build, impatient)
		conn := dial(t, site)
		fmt.Fprint(conn, "GET /sse HTTP/1.1\r\nHost: x\r\nUser: alice\r\n\r\n")
		buffer := make([]byte, 1<<10) // the address, and no more
		var got string
		for !strings.Contains(got, "sessionId=") || !strings.HasSuffix(got, "\n\n\r\n") {
			n, err := conn.Read(buffer)
			if err != nil {
				t.Fatal(err)
			}
			got += string(buffer[:n])
		}
		_, address, _ := strings.Cut(got, "data: ")
		address, _, _ = strings.Cut(address, "\n")
		within(t, "it is given up", func() bool {
			res := site.request(t.Context(), "POST", address, callOf("1", "large"))
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			return res.StatusCode == 404
		})
	})
}
