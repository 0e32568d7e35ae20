// Command bare is mcp-go as its documentation shows it, with as many tools as
// brickmcp has. The benchmarks measure against it what brickmcp adds.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

func main() {
	s := server.NewMCPServer("bare", "1", server.WithToolCapabilities(false))
	for i := range 42 {
		tool := mcp.NewTool(fmt.Sprintf("tool_%02d", i),
			mcp.WithDescription("Lists things. Use it to find the id of a thing."),
			mcp.WithString("name", mcp.Required(), mcp.Description("Name of the thing")),
			mcp.WithNumber("limit", mcp.Description("How many")),
			mcp.WithString("page_token", mcp.Description("next_page_token of the last answer")),
		)
		s.AddTool(tool, func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText("ok"), nil
		})
	}
	if err := server.ServeStdio(s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
