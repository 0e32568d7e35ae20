package serve

// Clients that were not written with this server: the official SDK and mcp-go's, over
// both transports, in every version of the protocol.

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// asUser makes every request one of a user.
type asUser string

func (u asUser) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User", string(u))
	return http.DefaultTransport.RoundTrip(r)
}

func (u asUser) client() *http.Client { return &http.Client{Transport: u} }

// busy is a server with a tool for each thing that a server can do to a client.
func busy(block chan string) func() *server.MCPServer {
	return func() *server.MCPServer {
		var srv *server.MCPServer
		question := mcp.ElicitationParams{Message: "sure?", RequestedSchema: json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer"}}}`)}
		srv = server.NewMCPServer("busy", "1", server.WithToolCapabilities(true))
		for name, handler := range map[string]server.ToolHandlerFunc{
			"say": say("hi"),
			"work": func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				for n := range 3 {
					if err := srv.SendNotificationToClient(ctx, "notifications/progress", map[string]any{"progressToken": req.Params.Meta.ProgressToken, "progress": n + 1}); err != nil {
						return nil, err
					}
				}
				return textResult("done"), nil
			},
			"ask": func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				if server.IsModernRequest(ctx) {
					if reply := server.ElicitationResponse(req.Params.InputResponses, "q"); reply != nil {
						return textResult(string(reply.Action)), nil
					}
					return server.NewInputRequestBuilder("state").Elicit("q", question).ToolResult(), nil
				}
				reply, err := srv.RequestElicitation(ctx, mcp.ElicitationRequest{Params: question})
				if err != nil {
					return textResult("refused: " + err.Error()), nil
				}
				return textResult(string(reply.Action)), nil
			},
			"block": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				block <- "began"
				<-ctx.Done()
				block <- "cancelled"
				return textResult("cancelled"), nil
			},
			"grow": func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				srv.AddTool(mcp.Tool{Name: "grown", RawInputSchema: []byte(`{"type":"object","properties":{}}`)}, say("grown"))
				return textResult("grew"), nil
			},
		} {
			srv.AddTool(mcp.Tool{Name: name, RawInputSchema: []byte(`{"type":"object","properties":{}}`)}, handler)
		}
		return srv
	}
}

func TestOfficialSDK(t *testing.T) {
	for _, over := range []string{"http", "sse"} {
		for _, version := range mcp.ValidProtocolVersions {
			t.Run(over+" "+version, func(t *testing.T) {
				block := make(chan string, 10)
				site := publish(t, busy(block))
				progress, changed := make(chan float64, 10), make(chan struct{}, 10)
				c := sdk.NewClient(&sdk.Implementation{Name: "official", Version: "1"}, &sdk.ClientOptions{
					ElicitationHandler: func(context.Context, *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
						return &sdk.ElicitResult{Action: "accept", Content: map[string]any{"n": 1}}, nil
					},
					ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) { progress <- r.Params.Progress },
					ToolListChangedHandler:      func(context.Context, *sdk.ToolListChangedRequest) { changed <- struct{}{} },
				})
				var wire sdk.Transport = &sdk.StreamableClientTransport{Endpoint: site.url + "/mcp", HTTPClient: asUser("alice").client()}
				if over == "sse" {
					wire = &sdk.SSEClientTransport{Endpoint: site.url + "/sse", HTTPClient: asUser("alice").client()}
				}
				session, err := c.Connect(t.Context(), wire, &sdk.ClientSessionOptions{ProtocolVersion: version})
				if err != nil {
					t.Fatal(err)
				}
				defer session.Close()
				spoken := version
				if over == "sse" && version == mcp.ProtocolVersion20260728 {
					spoken = mcp.ProtocolVersion20251125 // this transport is older than that
				}
				if got := session.InitializeResult().ProtocolVersion; got != spoken {
					t.Errorf("speaks %s", got)
				}
				call := func(tool string) string {
					t.Helper()
					params := &sdk.CallToolParams{Name: tool, Arguments: map[string]any{}}
					if tool == "work" {
						params.SetProgressToken("t")
					}
					result, err := session.CallTool(t.Context(), params)
					if err != nil {
						t.Fatalf("%s: %v", tool, err)
					}
					return result.Content[0].(*sdk.TextContent).Text
				}
				if list, err := session.ListTools(t.Context(), nil); err != nil || len(list.Tools) != 5 {
					t.Errorf("tools/list: %v", err)
				}
				for tool, want := range map[string]string{"say": "hi", "work": "done", "ask": "accept"} {
					if got := call(tool); got != want {
						t.Errorf("%s brought %q", tool, got)
					}
				}
				for n := range 3 {
					if got := <-progress; got != float64(n+1) {
						t.Errorf("progress %v at place %d", got, n)
					}
				}
				if over == "http" && spoken < mcp.ProtocolVersion20260728 { // the stream is opened beside
					within(t, "the client listens", func() bool { site.mu.Lock(); defer site.mu.Unlock(); return len(site.streams) == 1 })
				}
				call("grow")
				<-changed
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					if got := <-block; got != "began" {
						t.Errorf("the call %s", got)
					}
					cancel()
				}()
				if _, err := session.CallTool(ctx, &sdk.CallToolParams{Name: "block"}); err == nil {
					t.Error("a cancelled call brought a result")
				}
				if got := <-block; got != "cancelled" {
					t.Errorf("the call %s", got)
				}
				if got := call("say"); got != "hi" {
					t.Errorf("then say brought %q", got)
				}
			})
		}
	}
}

type acceptor struct{}

func (acceptor) Elicit(context.Context, mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	return &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{Action: mcp.ElicitationResponseActionAccept, Content: map[string]any{"n": 1}}}, nil
}

func TestClientOfTheLibrary(t *testing.T) {
	for _, over := range []string{"http", "sse"} {
		for _, version := range mcp.ValidProtocolVersions {
			t.Run(over+" "+version, func(t *testing.T) {
				block := make(chan string, 10)
				site := publish(t, busy(block))
				options := []client.ClientOption{client.WithElicitationHandler(acceptor{}), client.WithProtocolVersion(version)}
				var wire transport.Interface
				var err error
				if over == "sse" {
					wire, err = transport.NewSSE(site.url+"/sse", transport.WithHTTPClient(asUser("alice").client()))
				} else {
					options := []transport.StreamableHTTPCOption{transport.WithHTTPBasicClient(asUser("alice").client()), transport.WithHTTPLogger(slog.New(slog.DiscardHandler))}
					if version < mcp.ProtocolVersion20260728 {
						//lint:ignore SA1019 clients of before 2026-07-28 listen so
						options = append(options, transport.WithContinuousListening())
					}
					wire, err = transport.NewStreamableHTTP(site.url+"/mcp", options...)
				}
				if err != nil {
					t.Fatal(err)
				}
				c := client.NewClient(wire, options...)
				notes := make(chan string, 100)
				c.OnNotification(func(n mcp.JSONRPCNotification) { notes <- n.Method + fmt.Sprint(n.Params.AdditionalFields["progress"]) })
				if err := c.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				hello := mcp.InitializeRequest{}
				hello.Params.ProtocolVersion = version
				hello.Params.ClientInfo = mcp.Implementation{Name: "library", Version: "1"}
				result, err := c.Initialize(t.Context(), hello)
				if err != nil {
					t.Fatal(err)
				}
				spoken := version
				if over == "sse" && version == mcp.ProtocolVersion20260728 {
					spoken = mcp.ProtocolVersion20251125
				}
				if result.ProtocolVersion != spoken {
					t.Errorf("speaks %s", result.ProtocolVersion)
				}
				call := func(tool string) string {
					t.Helper()
					request := mcp.CallToolRequest{}
					request.Params.Name = tool
					request.Params.Arguments = map[string]any{}
					request.Params.Meta = &mcp.Meta{ProgressToken: "t"}
					result, err := c.CallTool(t.Context(), request)
					if err != nil {
						t.Fatalf("%s: %v", tool, err)
					}
					return result.Content[0].(mcp.TextContent).Text
				}
				if list, err := c.ListTools(t.Context(), mcp.ListToolsRequest{}); err != nil || len(list.Tools) != 5 {
					t.Errorf("tools/list: %v", err)
				}
				for _, tool := range []struct{ name, want string }{{"say", "hi"}, {"work", "done"}, {"ask", "accept"}} {
					if tool.name == "ask" && over == "sse" {
						continue // this client declares that it can be asked, and its SSE transport drops the question
					}
					if got := call(tool.name); got != tool.want {
						t.Errorf("%s brought %q", tool.name, got)
					}
				}
				for n := range 3 {
					if got, want := <-notes, fmt.Sprint("notifications/progress", n+1); got != want {
						t.Errorf("note %s, want %s", got, want)
					}
				}
			})
		}
	}
}
