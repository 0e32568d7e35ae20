package serve

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// Many callers of several users, in both eras: each gets the answer to its own
// question, and nothing is left of any.
func TestManyCallers(t *testing.T) {
	const callers, calls = 100, 12
	before := runtime.NumGoroutine()
	t.Run("calls", func(t *testing.T) {
		transport := &http.Transport{MaxIdleConnsPerHost: callers}
		t.Cleanup(transport.CloseIdleConnections)
		site := publish(t, func() *server.MCPServer {
			var srv *server.MCPServer
			srv = newServer(map[string]server.ToolHandlerFunc{
				"echo": func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
					if req.Params.Meta != nil && req.Params.Meta.ProgressToken != nil {
						_ = srv.SendNotificationToClient(ctx, "notifications/progress", map[string]any{"progressToken": req.Params.Meta.ProgressToken, "progress": 1})
					}
					return textResult(fmt.Sprint(ctx.Value(tokenKey{}))), nil
				},
			})
			return srv
		})
		site.web = &http.Client{Transport: transport}
		var all sync.WaitGroup
		for c := range callers {
			all.Go(func() {
				user := fmt.Sprint("user", c%7)
				session := site.initialize(`{}`, "User", user)
				for i := range calls {
					token := fmt.Sprintf("%s.%d.%d", user, c, i)
					body, headers := modernCall(`"1"`, "echo", "")
					streamed := i%3 == 2
					switch i % 3 {
					case 0:
						body, headers = callOf(`"1"`, "echo"), []string{"Mcp-Session-Id", session}
					case 2:
						body, headers = modernCall(`"1"`, "echo", `"progressToken":"`+token+`",`)
					}
					headers = append(headers, "User", user, "Token", token)
					if !streamed {
						if _, answer := site.send(body, headers...); resultText(answer) != token {
							t.Errorf("instead of %s came %s", token, answer.Raw)
						}
						continue
					}
					stream := site.stream(site.request(t.Context(), "POST", "/mcp", body, headers...))
					if note := stream.message(); !strings.Contains(note.Raw, token) {
						t.Errorf("progress of another: %s", note.Raw)
					}
					if answer := stream.message(); resultText(answer) != token {
						t.Errorf("instead of %s came %s", token, answer.Raw)
					}
					stream.ended()
				}
			})
		}
		all.Wait()
	})
	within(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}
