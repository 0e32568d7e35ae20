package managed

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
)

// upstream is an MCP server on loopback, and what its requests carried.
type upstream struct {
	*httptest.Server
	mu      sync.Mutex
	bearers []string
	methods []string // of JSON-RPC
	// before answers in place of the server; it reports whether it did.
	before func(w http.ResponseWriter, r *http.Request, method string) bool
}

func newUpstream(t *testing.T, tools ...server.ServerTool) *upstream {
	t.Helper()
	s := server.NewMCPServer("up", "1")
	s.AddTools(tools...)
	next := server.NewStreamableHTTPServer(s)
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		method := gjson.GetBytes(body, "method").Str
		u.mu.Lock()
		u.bearers = append(u.bearers, r.Header.Get("Authorization"))
		u.methods = append(u.methods, method)
		u.mu.Unlock()
		if u.before != nil && u.before(w, r, method) {
			return
		}
		next.ServeHTTP(w, r)
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) seen(method string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for _, m := range u.methods {
		if m == method {
			n++
		}
	}
	return n
}

func (u *upstream) client(t *testing.T, change func(*Config)) *Client {
	t.Helper()
	config := Config{
		URL:   func(context.Context) (string, error) { return u.URL, nil },
		Token: func(context.Context) (string, error) { return "secret-token", nil },
		Needs: "EXECUTE on the function (scope unity-catalog)",
	}
	if change != nil {
		change(&config)
	}
	c := New(config)
	t.Cleanup(c.Close)
	return c
}

func echo(run func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error)) server.ServerTool {
	return server.ServerTool{
		Tool:    mcp.Tool{Name: "echo", RawInputSchema: json.RawMessage(`{"type":"object","properties":{"z":{"type":"integer","maximum":9007199254740993},"a":{"type":"string"}},"oneOf":[{"required":["z"]}]}`)},
		Handler: run,
	}
}

var plainEcho = echo(func(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText(string(req.Params.RawArguments)), nil
})

const callEcho = `{"name":"echo","arguments":{"z":9007199254740993}}`

func wantKind(t *testing.T, err error, kind catalog.Kind, parts ...string) *catalog.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", kind)
	}
	e := catalog.AsError(err)
	if e.Kind != kind {
		t.Fatalf("%s (%s), want %s", e.Kind, e, kind)
	}
	for _, part := range parts {
		if !strings.Contains(e.Message+" "+e.Advice, part) {
			t.Errorf("%q is not in %q, %q", part, e.Message, e.Advice)
		}
	}
	if strings.Contains(e.Error(), "secret-token") {
		t.Errorf("the token is in the error: %s", e)
	}
	return e
}
