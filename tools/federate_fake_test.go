package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
)

// fakeUpstream is an MCP server made of two functions.
type fakeUpstream struct {
	list func(ctx context.Context) ([]json.RawMessage, error)
	call func(ctx context.Context, params json.RawMessage, progress func(string)) (string, error)

	mu      sync.Mutex
	asked   int
	sent    []string
	changed func()
	closed  bool
}

func (f *fakeUpstream) Tools(ctx context.Context) ([]json.RawMessage, error) {
	f.mu.Lock()
	f.asked++
	f.mu.Unlock()
	return f.list(ctx)
}

func (f *fakeUpstream) Call(ctx context.Context, params json.RawMessage, _ bool, progress func(string), ask Asker) (json.RawMessage, error) {
	if ask != nil {
		ctx = context.WithValue(ctx, fakeAskerKey{}, ask)
	}
	f.mu.Lock()
	f.sent = append(f.sent, string(params))
	f.mu.Unlock()
	answer, err := f.call(ctx, params, progress)
	return json.RawMessage(answer), err
}

// fakeAskerKey is where the call of a fakeUpstream finds whom it can ask.
type fakeAskerKey struct{}

func (f *fakeUpstream) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

func (f *fakeUpstream) calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sent)
}

func listing(names ...string) func(context.Context) ([]json.RawMessage, error) {
	return func(context.Context) ([]json.RawMessage, error) {
		var tools []json.RawMessage
		for _, name := range names {
			tools = append(tools, json.RawMessage(fmt.Sprintf(`{"name":%q,"description":"Does %[1]s","inputSchema":{"type":"object","properties":{"query":{"type":"string"}}}}`, name)))
		}
		return tools, nil
	}
}

func saying(text string) func(context.Context, json.RawMessage, func(string)) (string, error) {
	return func(context.Context, json.RawMessage, func(string)) (string, error) {
		encoded, err := json.Marshal(text)
		return `{"content":[{"type":"text","text":` + string(encoded) + `}]}`, err
	}
}

// federating is a server that shows the tools of ups, by their --managed.
func federating(t *testing.T, ups map[string]*fakeUpstream, change func(*Config)) *Server {
	t.Helper()
	var specs []string
	for spec := range ups {
		specs = append(specs, spec)
	}
	slices.Sort(specs)
	servers, err := ParseManagedServers(specs)
	if err != nil {
		t.Fatal(err)
	}
	open := func(m ManagedServer, changed func()) Upstream {
		for spec, up := range ups {
			if strings.HasPrefix(spec, m.Prefix+"=") || strings.HasPrefix(spec, m.Prefix+"@") {
				up.changed = changed
				return up
			}
		}
		t.Errorf("no server for %s", m.Prefix)
		return nil
	}
	api := &fake{do: func(context.Context, *catalog.Call) (string, error) { return `{"id":"w2","name":"other"}`, nil }}
	return newServer(t, api, func(cfg *Config) {
		cfg.Managed = servers
		cfg.Workspaces[0].Managed = open
		if change != nil {
			change(cfg)
		}
	})
}

// mcpClient is a real client of the server, in this process.
func mcpClient(t *testing.T, s *Server) *client.Client {
	t.Helper()
	c, err := client.NewInProcessClientWithSamplingHandler(s.MCP(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var hello mcp.InitializeRequest
	hello.Params.ProtocolVersion = "2025-11-25"
	if _, err := c.Initialize(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	return c
}

// foreignTools are the listed names that are not ours.
func foreignTools(t *testing.T, c *client.Client) []string {
	t.Helper()
	list, err := c.ListTools(t.Context(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var names, all []string
	for _, tool := range list.Tools {
		all = append(all, tool.Name)
		if catalog.Find(tool.Name) == nil {
			names = append(names, tool.Name)
		}
	}
	if !slices.IsSorted(all) {
		t.Errorf("the list is in no order: %v", all)
	}
	return names
}

func use(t *testing.T, c *client.Client, tool, arguments string) (text string, failed bool) {
	t.Helper()
	var req mcp.CallToolRequest
	req.Params.Name, req.Params.Arguments = tool, json.RawMessage(arguments)
	result, err := c.CallTool(t.Context(), req)
	if err != nil {
		return err.Error(), true
	}
	block, ok := result.Content[0].(mcp.TextContent)
	if !ok {
		t.Fatalf("no text: %v", result.Content)
	}
	return block.Text, result.IsError
}
