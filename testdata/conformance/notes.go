package conformance

import (
	"context"
	"errors"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// between is the time that the suite wants between two notifications.
const between = 50 * time.Millisecond

// notes are tools that say something besides their answers.
func (f *fixtures) notes() []server.ServerTool {
	return []server.ServerTool{
		tool("test_tool_with_logging", "Logs three messages", f.logs),
		tool("test_logging_tool", "Logs, to clients that want to hear it", f.logs),
		tool("test_tool_with_progress", "Reports its progress", f.progresses),
		tool("test_trigger_tool_change", "Adds a tool and takes it away", func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			passing := tool("test_passing", "Is gone at once", always(text("here")))
			f.server.AddTools(passing)
			f.server.DeleteTools(passing.Tool.Name)
			return mcp.NewToolResultText("changed"), nil
		}),
		tool("test_trigger_prompt_change", "Adds a prompt and takes it away", func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			const passing = "test_passing_prompt"
			f.server.AddPrompt(mcp.Prompt{Name: passing, Description: "Is gone at once"}, prompt("here"))
			f.server.DeletePrompts(passing)
			return mcp.NewToolResultText("changed"), nil
		}),
	}
}

func (f *fixtures) logs(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	var said []error
	for _, message := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
		if len(said) > 0 {
			pause(ctx)
		}
		said = append(said, f.server.SendLogMessageToClient(ctx, mcp.NewLoggingMessageNotification(mcp.LoggingLevelInfo, "fixtures", message)))
	}
	return mcp.NewToolResultText("Tool with logging executed successfully"), errors.Join(said...)
}

func (f *fixtures) progresses(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	var said []error
	for _, percent := range []int{0, 50, 100} {
		if percent > 0 {
			pause(ctx)
		}
		if meta := request.Params.Meta; meta != nil && meta.ProgressToken != nil {
			said = append(said, f.server.SendNotificationToClient(ctx, string(mcp.MethodNotificationProgress), map[string]any{
				"progressToken": meta.ProgressToken, "progress": percent, "total": 100,
			}))
		}
	}
	return mcp.NewToolResultText("Tool with progress executed successfully"), errors.Join(said...)
}

func pause(ctx context.Context) {
	select {
	case <-time.After(between):
	case <-ctx.Done():
	}
}
