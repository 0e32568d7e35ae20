package tools

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
)

// fake is a workspace made of one function.
type fake struct {
	mu    sync.Mutex
	calls []string // "METHOD path?query body"
	do    func(ctx context.Context, call *catalog.Call) (string, error)
	link  func(url string) (string, error)
}

func (f *fake) Do(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
	line := call.Row.Method + " " + call.Path
	if call.Query != "" {
		line += "?" + call.Query
	}
	if len(call.Body) > 0 {
		line += " " + string(call.Body)
	}
	f.mu.Lock()
	f.calls = append(f.calls, line)
	f.mu.Unlock()
	body, err := f.do(ctx, call)
	if err != nil {
		return nil, err
	}
	return &catalog.Answer{Body: []byte(body), Status: 200, RequestID: "req-1"}, nil
}

func (f *fake) Link(_ context.Context, url string, _ map[string]string) (io.ReadCloser, error) {
	body, err := f.link(url)
	return io.NopCloser(strings.NewReader(body)), err
}

func (f *fake) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.calls...)
}

func answering(bodies ...string) *fake {
	n := 0
	f := &fake{}
	f.do = func(context.Context, *catalog.Call) (string, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if n >= len(bodies) {
			return "", fmt.Errorf("call %d was not expected", n+1)
		}
		n++
		return bodies[n-1], nil
	}
	return f
}

func newServer(t testing.TB, api *fake, change func(*Config)) *Server {
	t.Helper()
	access, err := ParseAccess("full")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Version: "test", Access: access, Workspaces: []Workspace{{API: api, Links: api}}}
	if change != nil {
		change(&cfg)
	}
	return New(cfg)
}

// ask calls a tool and returns its text.
func ask(t testing.TB, s *Server, tool, arguments string) (text string, failed bool) {
	t.Helper()
	return askWith(t.Context(), t, s, tool, arguments)
}

func askWith(ctx context.Context, t testing.TB, s *Server, tool, arguments string) (text string, failed bool) {
	t.Helper()
	result := s.Call(ctx, catalog.Find(tool), []byte(arguments))
	if len(result.Content) != 1 {
		t.Fatalf("%d content blocks", len(result.Content))
	}
	block, ok := result.Content[0].(mcp.TextContent)
	if !ok || !gjson.Valid(block.Text) {
		t.Fatalf("no JSON text: %v", result.Content[0])
	}
	if result.IsError != (len(result.RawStructuredContent) > 0) && !s.structured {
		t.Fatalf("isError is %v with %d bytes of structured content", result.IsError, len(result.RawStructuredContent))
	}
	return block.Text, result.IsError
}

func succeed(t testing.TB, s *Server, tool, arguments string) string {
	t.Helper()
	text, failed := ask(t, s, tool, arguments)
	if failed {
		t.Fatalf("%s %s: %s", tool, arguments, text)
	}
	return text
}

func wantError(t testing.TB, s *Server, tool, arguments string, kind catalog.Kind, parts ...string) {
	t.Helper()
	text, failed := ask(t, s, tool, arguments)
	if !failed || gjson.Get(text, "error.kind").Str != string(kind) {
		t.Fatalf("%s %s: want an error of kind %s, got %s", tool, arguments, kind, text)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s: %q is not in %s", tool, part, text)
		}
	}
}
