package managed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
)

func TestToolsAndCallsAreExact(t *testing.T) {
	u := newUpstream(t, plainEcho)
	c := u.client(t, nil)
	tools, err := c.Tools(t.Context())
	if err != nil || len(tools) != 1 {
		t.Fatal(len(tools), err)
	}
	schema := gjson.GetBytes(tools[0], "inputSchema").Raw
	for _, part := range []string{`"maximum":9007199254740993`, `"oneOf"`} {
		if !strings.Contains(schema, part) {
			t.Errorf("%s is not in %s", part, schema)
		}
	}
	result, err := c.Call(t.Context(), json.RawMessage(callEcho), true, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if text := gjson.GetBytes(result, "content.0.text").Str; text != `{"z":9007199254740993}` {
		t.Errorf("the arguments came as %s", text)
	}
	if u.seen("initialize") != 1 {
		t.Errorf("%d sessions", u.seen("initialize"))
	}
	for _, bearer := range u.bearers {
		if bearer != "Bearer secret-token" {
			t.Errorf("a request with %q", bearer)
		}
	}
}

func TestForgottenSessionIsBegunAgain(t *testing.T) {
	u := newUpstream(t, plainEcho)
	var forgot atomic.Bool
	u.before = func(w http.ResponseWriter, _ *http.Request, method string) bool {
		if method == "tools/call" && forgot.CompareAndSwap(false, true) {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	}
	if _, err := u.client(t, nil).Call(t.Context(), json.RawMessage(callEcho), false, nil, nil); err != nil {
		t.Fatal(err)
	}
	if u.seen("initialize") != 2 || u.seen("tools/call") != 2 {
		t.Error(u.methods)
	}
}

func TestProgressIsRelayed(t *testing.T) {
	heard := make(chan string, 8)
	u := newUpstream(t, echo(func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if req.Params.Meta == nil || req.Params.Meta.ProgressToken == nil {
			return mcp.NewToolResultText("no token"), nil
		}
		err := server.ServerFromContext(ctx).SendNotificationToClient(ctx, "notifications/progress", map[string]any{
			"progressToken": req.Params.Meta.ProgressToken, "progress": 1, "message": "half way",
		})
		if err != nil {
			return nil, err
		}
		select { // the notification first, then the answer
		case got := <-heard:
			return mcp.NewToolResultText(got), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}))
	result, err := u.client(t, nil).Call(t.Context(), json.RawMessage(callEcho), false, func(message string) { heard <- message }, nil)
	if err != nil || gjson.GetBytes(result, "content.0.text").Str != "half way" {
		t.Fatal(string(result), err)
	}
}

func TestCancelReachesTheServer(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	u := newUpstream(t, echo(func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		close(begun)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	_, err := u.client(t, nil).Call(ctx, json.RawMessage(callEcho), true, nil, nil)
	e := wantKind(t, err, catalog.Busy, "cancelled")
	if !errors.Is(e, context.Canceled) {
		t.Error(e.Err)
	}
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("the server goes on")
	}
}

func TestChangedToolsAreHeardOf(t *testing.T) {
	changed := make(chan struct{}, 1)
	u := newUpstream(t, echo(func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if err := server.ServerFromContext(ctx).SendNotificationToClient(ctx, mcp.MethodNotificationToolsListChanged, nil); err != nil {
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
		return mcp.NewToolResultText("ok"), nil
	}))
	c := u.client(t, func(config *Config) { config.Changed = func() { changed <- struct{}{} } })
	if _, err := c.Call(t.Context(), json.RawMessage(callEcho), true, nil, nil); err != nil {
		t.Fatal(err)
	}
}

// TestListsWithoutEnd: a list is cut where nobody could use more of it.
func TestListsWithoutEnd(t *testing.T) {
	for name, test := range map[string]struct {
		tool        string
		count, want int
	}{
		"many tools": {`{"name":"a"}`, maxTools, maxTools},
		"long tools": {`{"name":"a","description":"` + strings.Repeat("x", maxListed/4) + `"}`, 3, 3},
	} {
		u := newUpstream(t)
		u.before = func(w http.ResponseWriter, r *http.Request, method string) bool {
			if method != "tools/list" {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":{"tools":[%s],"nextCursor":"more"}}`, strings.TrimSuffix(strings.Repeat(test.tool+",", test.count), ","))
			return true
		}
		tools, err := u.client(t, nil).Tools(t.Context())
		if err != nil || len(tools) != test.want || u.seen("tools/list") != 2 {
			t.Errorf("%s: %d tools of %d pages, %v", name, len(tools), u.seen("tools/list"), err)
		}
	}
}
