// Command bare is mcp-go as its documentation shows it, with as many tools as
// brickmcp has. The benchmarks measure against it what brickmcp adds.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}

// get is a tool as one writes it by hand: a GET whose body is the result.
func get(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, os.Getenv("BARE_URL"), nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return mcp.NewToolResultText(string(body)), nil
}

func main() {
	s := server.NewMCPServer("bare", "1", server.WithToolCapabilities(false))
	for i := range 41 {
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
	s.AddTool(mcp.NewTool("get", mcp.WithDescription("Passes the answer of one GET through.")), get)
	// Its pool serves 5 calls at a time unless told otherwise.
	if err := server.ServeStdio(s, server.WithWorkerPoolSize(100), server.WithQueueSize(10_000)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
