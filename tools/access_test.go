package tools

import (
	"strings"
	"testing"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
)

func TestParseAccess(t *testing.T) {
	for _, c := range []struct{ spec, want string }{
		{"", "read"}, {"full", "full"}, {"off,jobs=read", "off,jobs=read"},
		{"read, jobs=full , secrets=off", "read,jobs=full,secrets=off"}, {"jobs=full", "read,jobs=full"}, {"off,managed=full", "off,managed=full"},
	} {
		a, err := ParseAccess(c.spec)
		if err != nil || a.String() != c.want {
			t.Errorf("%q: %s, %v; want %s", c.spec, a, err, c.want)
		}
	}
	for _, c := range []struct{ spec, part string }{
		{"write", "off, read, full"}, {"read,full", "GROUP=full"}, {"jobs=all", `"all"`}, {"job=read", "jobs, clusters"},
		{"read,jobs=read,jobs=full", "twice"}, {"read jobs=full", "no group"}, {"READ", "valid levels"},
	} {
		if _, err := ParseAccess(c.spec); err == nil || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%q: %v; want an error with %q", c.spec, err, c.part)
		}
	}
}

// TestEveryToolAtEveryLevel holds each tool against each level: listed and called
// alike, and a refused call sends nothing.
func TestEveryToolAtEveryLevel(t *testing.T) {
	for _, level := range catalog.Levels() {
		access, err := ParseAccess(level)
		if err != nil {
			t.Fatal(err)
		}
		api := answering()
		s := newServer(t, api, func(c *Config) { c.Access = access })
		listed := map[string]bool{}
		for _, tool := range listTools(t, s) {
			listed[tool.Name] = true
		}
		for _, row := range catalog.All() {
			want := level == "full" || level == "read" && row.Effect == catalog.Read
			if listed[row.Name] != want {
				t.Errorf("%s at %s: listed %v, want %v", row.Name, level, listed[row.Name], want)
			}
			if !want {
				wantError(t, s, row.Name, `{}`, catalog.Denied, row.Name, row.Group.ID, level, row.Effect.Needs().String(), "--access")
			}
		}
		if calls := api.seen(); len(calls) > 0 {
			t.Errorf("at %s refused calls were sent: %q", level, calls)
		}
	}
}

func listTools(t *testing.T, s *Server) []mcp.Tool {
	t.Helper()
	response, ok := s.MCP().HandleMessage(t.Context(), []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)).(mcp.JSONRPCResponse)
	if !ok {
		t.Fatal("tools/list failed")
	}
	result, ok := response.Result.(mcp.ListToolsResult)
	if !ok {
		t.Fatalf("tools/list answered %T", response.Result)
	}
	return result.Tools
}

func TestToolsSayWhatTheyAre(t *testing.T) {
	for _, tool := range listTools(t, newServer(t, answering(), nil)) {
		a := tool.Annotations
		if tool.Title == "" || a.ReadOnlyHint == nil || a.DestructiveHint == nil || a.IdempotentHint == nil || a.OpenWorldHint == nil {
			t.Errorf("%s: a title and all four hints are wanted: %+v", tool.Name, a)
		} else if *a.ReadOnlyHint && *a.DestructiveHint {
			t.Errorf("%s is both read-only and destructive", tool.Name)
		}
	}
}
