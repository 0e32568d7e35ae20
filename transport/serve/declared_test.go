package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// A client that never declared elicitation never receives a request from us,
// whichever way a tool takes and whatever else the client sends.
func TestOnlyWhoDeclaredItIsAsked(t *testing.T) {
	const era = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"peer","version":"1"},"io.modelcontextprotocol/clientCapabilities":`
	question := mcp.ElicitationParams{Message: "sure?", RequestedSchema: json.RawMessage(`{"type":"object","properties":{}}`)}
	address := mcp.ElicitationParams{Mode: mcp.ElicitationModeURL, Message: "sure?", URL: "https://example.com", ElicitationID: "e"}
	var srv *server.MCPServer
	tools := map[string]server.ToolHandlerFunc{
		"by_server": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			_, err := srv.RequestElicitation(ctx, mcp.ElicitationRequest{Params: question})
			return textResult(fmt.Sprint(err)), nil
		},
		"by_session": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			_, err := server.ClientSessionFromContext(ctx).(server.SessionWithElicitation).RequestElicitation(ctx, mcp.ElicitationRequest{Params: question})
			return textResult(fmt.Sprint(err)), nil
		},
		"by_address": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			_, err := srv.RequestURLElicitation(ctx, server.ClientSessionFromContext(ctx), "e", address.URL, "sure?")
			return textResult(fmt.Sprint(err)), nil
		},
		"by_result": func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) { // mcp-go makes a request of it
			return server.NewInputRequestBuilder("state").Elicit("q", question).ToolResult(), nil
		},
		"by_roots": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			_, err := srv.RequestRoots(ctx, mcp.ListRootsRequest{})
			return textResult(fmt.Sprint(err)), nil
		},
	}
	initialize := func(capabilities string) string {
		return `{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":` + capabilities + `,"clientInfo":{"name":"peer","version":"1"}}}`
	}
	for _, c := range []struct {
		name   string
		before []string // requests, each of which is answered
		meta   string   // of the calls
		asked  []string // the tools whose questions may come through
	}{
		{"declared", []string{initialize(forms)}, "", []string{"by_server", "by_session", "by_result"}},
		{"declared forms", []string{initialize(`{"elicitation":{"form":{}}}`)}, "", []string{"by_server", "by_session", "by_result"}},
		{"declared both", []string{initialize(`{"elicitation":{"form":{},"url":{}}}`)}, "", []string{"by_server", "by_session", "by_result", "by_address"}},
		{"no handshake", nil, "", nil},
		{"nothing declared", []string{initialize(`{}`)}, "", nil},
		{"declared null", []string{initialize(`{"elicitation":null}`)}, "", nil},
		{"other things declared", []string{initialize(`{"sampling":{},"roots":{"listChanged":true},"experimental":{"elicitation":{}}}`)}, "", nil},
		{"only addresses", []string{initialize(`{"elicitation":{"url":{}}}`)}, "", []string{"by_address"}},
		{"taken back", []string{initialize(forms), initialize(`{}`)}, "", nil},
		{"a handshake that failed", []string{initialize(`{"elicitation":true}`)}, "", nil},
		{"declared for another request", []string{`{"jsonrpc":"2.0","id":"l","method":"tools/list","params":{"_meta":{` + era + forms + `}}}`}, "", nil},
		{"declared for another request after a handshake", []string{initialize(`{}`), `{"jsonrpc":"2.0","id":"l","method":"tools/list","params":{"_meta":{` + era + forms + `}}}`}, "", nil},
		{"declared in server/discover", []string{`{"jsonrpc":"2.0","id":"l","method":"server/discover","params":{"_meta":{` + era + forms + `}}}`}, "", nil},
		{"a handshake of an era without", []string{`{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":` + forms + `,"clientInfo":{"name":"p","version":"1"},"_meta":{` + era + forms + `}}}`}, "", nil},
		{"of the newer era", []string{initialize(forms)}, `,"_meta":{` + era + forms + `}`, nil}, // it takes results, not requests
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv = newServer(tools)
				p := connect(t, srv)
				for _, request := range c.before {
					p.send("%s", request)
					p.receive()
				}
				for tool := range tools {
					p.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":{}%s}}`, tool, c.meta)
					line := p.receive()
					asked := line.Get("method").Exists()
					if may := slices.Contains(c.asked, tool); asked != may {
						t.Errorf("%s: asked %v, want %v: %s", tool, asked, may, line.Raw)
					}
					for ; line.Get("method").Exists(); line = p.receive() {
						p.send(`{"jsonrpc":"2.0","id":%s,"error":{"code":1,"message":"m"}}`, line.Get("id").Raw)
					}
					if line.Get("id").Raw != "1" {
						t.Errorf("%s: instead of the answer came %s", tool, line.Raw)
					}
					p.quiet()
				}
			})
		})
	}
}
