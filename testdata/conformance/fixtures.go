// Package conformance has what the official conformance suite calls by name: tools,
// resources and prompts that answer as the suite says. They are added to our server
// as it is, so that what the suite finds is what clients find; no product has them.
//
// Each description of a fixture stands in the suite's own texts ("Server
// Implementation Requirements"), under the name of the scenario that needs it.
package conformance

import (
	"context"
	"encoding/json"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// Add adds the fixtures to a server, with the capabilities that they need.
func Add(srv *server.MCPServer) {
	for _, declare := range []server.ServerOption{
		server.WithToolCapabilities(true), server.WithPromptCapabilities(true), server.WithResourceCapabilities(true, true),
		server.WithLogging(), server.WithCompletions(), server.WithElicitation(),
	} {
		declare(srv)
	}
	srv.EnableSampling()
	f := &fixtures{srv}
	srv.AddTools(f.contents()...)
	srv.AddTools(f.notes()...)
	srv.AddTools(f.questions()...)
	srv.AddTools(f.inputs()...)
	f.addResources()
	f.addPrompts()
}

type fixtures struct{ server *server.MCPServer }

// tool is one that takes the named texts, which are all required.
func tool(name, description string, handler server.ToolHandlerFunc, texts ...string) server.ServerTool {
	properties := map[string]any{}
	for _, text := range texts {
		properties[text] = map[string]any{"type": "string"}
	}
	schema := map[string]any{"type": "object", "properties": properties}
	if len(texts) > 0 {
		schema["required"] = texts
	}
	raw, err := json.Marshal(schema)
	if err != nil { // maps of texts: cannot happen
		panic(err)
	}
	return withSchema(name, description, string(raw), handler)
}

func withSchema(name, description, schema string, handler server.ToolHandlerFunc) server.ServerTool {
	return server.ServerTool{
		Tool:    mcp.Tool{Name: name, Description: description, RawInputSchema: json.RawMessage(schema)},
		Handler: handler,
	}
}

// always is the handler of a tool that has one answer.
func always(contents ...mcp.Content) server.ToolHandlerFunc {
	return func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: contents}, nil
	}
}

func text(s string) mcp.Content { return mcp.TextContent{Type: "text", Text: s} }
