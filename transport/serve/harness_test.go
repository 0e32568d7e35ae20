package serve

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
)

// newServer is a server as tools.New builds it, with the given tools.
func newServer(handlers map[string]server.ToolHandlerFunc) *server.MCPServer {
	s := server.NewMCPServer("test", "1", server.WithToolCapabilities(false))
	for name, handler := range handlers {
		s.AddTool(mcp.Tool{Name: name, RawInputSchema: []byte(`{"type":"object","properties":{}}`)}, handler)
	}
	return s
}

func textResult(text string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{mcp.TextContent{Type: "text", Text: text}}}
}

// say is a tool that answers at once.
func say(text string) server.ToolHandlerFunc {
	return func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return textResult(text), nil
	}
}

// take is a tool that takes its time, unless its context ends first.
func take(d time.Duration) server.ToolHandlerFunc {
	return func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		select {
		case <-time.After(d):
			return textResult("finished"), nil
		case <-ctx.Done():
			return textResult("cancelled"), nil
		}
	}
}

// peer is an MCP client at the other end of the pipes.
type peer struct {
	t     *testing.T
	in    *io.PipeWriter
	out   *io.PipeReader
	lines chan gjson.Result // what the server wrote
	ended chan error        // what Run returned
	end   context.CancelFunc
}

// connect runs a Stdio until the test ends.
func connect(t *testing.T, srv *server.MCPServer) *peer {
	t.Helper()
	p := open(t, srv)
	go p.read()
	return p
}

// open is connect with a client that does not read yet.
func open(t *testing.T, srv *server.MCPServer) *peer {
	t.Helper()
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	ctx, end := context.WithCancel(t.Context())
	p := &peer{t: t, in: inWrite, out: outRead, lines: make(chan gjson.Result, 10_000), ended: make(chan error, 1), end: end}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.ended <- (&Stdio{Server: srv, In: inRead, Out: outWrite}).Run(ctx)
		outWrite.Close()
	}()
	t.Cleanup(func() { // lets every goroutine end, as synctest demands
		end()
		outRead.Close()
		inWrite.Close()
		<-done
	})
	return p
}

func (p *peer) read() {
	defer close(p.lines)
	reader := bufio.NewReader(p.out)
	for {
		text, err := reader.ReadBytes('\n')
		if err != nil {
			if len(text) > 0 {
				p.t.Errorf("the output ends inside a line: %q", text)
			}
			return
		}
		if !gjson.ValidBytes(text) || gjson.GetBytes(text, "jsonrpc").Str != "2.0" {
			p.t.Errorf("stdout carries something that is no JSON-RPC: %q", text)
		}
		p.lines <- gjson.ParseBytes(text)
	}
}

// send writes one line.
func (p *peer) send(format string, args ...any) {
	p.t.Helper()
	line := format
	if len(args) > 0 {
		line = fmt.Sprintf(format, args...)
	}
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatalf("the server does not read: %v", err)
	}
}

// call sends a tools/call; id is JSON.
func (p *peer) call(id, tool string) {
	p.t.Helper()
	p.send(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":{}}}`, id, tool)
}

// receive is the next line of the server.
func (p *peer) receive() gjson.Result {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			p.t.Fatal("the server closed its output")
		}
		return line
	case <-time.After(2 * time.Minute): // far above every time in these tests, real or fake
		p.t.Fatal("no answer")
	}
	return gjson.Result{}
}

// initialize does the handshake of the eras that have one.
func (p *peer) initialize() {
	p.t.Helper()
	p.send(`{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"peer","version":"1"}}}`)
	if got := p.receive().Get("result.protocolVersion").Str; got != "2025-11-25" {
		p.t.Fatalf("protocol version %q", got)
	}
	p.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

// alive makes sure that the server still serves.
func (p *peer) alive() {
	p.t.Helper()
	p.send(`{"jsonrpc":"2.0","id":"alive","method":"ping"}`)
	if answer := p.receive(); answer.Get("id").Str != "alive" || !answer.Get("result").Exists() {
		p.t.Fatalf("no answer to a ping but %s", answer.Raw)
	}
}

// closeInput ends the input and returns every line that was still written.
func (p *peer) closeInput() []gjson.Result {
	p.t.Helper()
	p.in.Close()
	var rest []gjson.Result
	for line := range p.lines {
		rest = append(rest, line)
	}
	if err := <-p.ended; err != nil {
		p.t.Errorf("Run returned %v at the end of input", err)
	}
	return rest
}

// byID sorts answers by the JSON text of their id.
func byID(t *testing.T, lines []gjson.Result) map[string]gjson.Result {
	t.Helper()
	answers := map[string]gjson.Result{}
	for _, line := range lines {
		id := line.Get("id").Raw
		if _, twice := answers[id]; twice {
			t.Errorf("two answers with id %s", id)
		}
		answers[id] = line
	}
	return answers
}

func resultText(line gjson.Result) string { return line.Get("result.content.0.text").Str }

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%q does not say %q", text, part)
	}
}
