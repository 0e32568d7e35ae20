package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"brickmcp/catalog"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/tidwall/gjson"
)

// The official Go client must be served alike in every version of the protocol.
// testdata/clients does the same with the official clients in TypeScript.
func TestGoClient(t *testing.T) {
	for _, version := range []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			c := newGoClient(t, version)
			if got := c.session.InitializeResult().ProtocolVersion; got != version {
				t.Errorf("protocol version %s was negotiated", got)
			}
			t.Run("tools", c.listsTools)
			t.Run("pages", c.pages)
			t.Run("errors", c.errors)
			t.Run("progress", c.progress)
			t.Run("cancel", c.cancels)
		})
	}
}

type goClient struct {
	session *mcp.ClientSession
	mu      sync.Mutex
	notes   []*mcp.ProgressNotificationParams
}

// newGoClient connects to a sandbox that throttles one request and never answers
// another.
func newGoClient(t *testing.T, version string) *goClient {
	t.Helper()
	c := &goClient{}
	client := mcp.NewClient(&mcp.Implementation{Name: "check-go", Version: "1"}, &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, note *mcp.ProgressNotificationClientRequest) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.notes = append(c.notes, note.Params)
		},
	})
	cmd := command(t, "--sandbox", "--log-level", "error",
		"--fault", "429:path=/api/2.0/sql/warehouses,count=1,retry-after=1", "--fault", "latency=1h:path=/api/2.1/clusters/list")
	stderr := &lockedBuffer{}
	cmd.Stderr = stderr
	session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatalf("connect: %v\n%s", err, stderr)
	}
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Errorf("close: %v\n%s", err, stderr)
		}
	})
	c.session = session
	return c
}

// call returns the result and its text as JSON.
func (c *goClient) call(t *testing.T, tool string, arguments args) (*mcp.CallToolResult, gjson.Result) {
	t.Helper()
	params := &mcp.CallToolParams{Name: tool, Arguments: arguments}
	params.SetProgressToken(tool)
	result, err := c.session.CallTool(t.Context(), params)
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	if len(result.Content) != 1 {
		t.Fatalf("%s: %d content blocks", tool, len(result.Content))
	}
	text, ok := result.Content[0].(*mcp.TextContent)
	if !ok || !gjson.Valid(text.Text) {
		t.Fatalf("%s: the result is no JSON text", tool)
	}
	return result, gjson.Parse(text.Text)
}

func (c *goClient) listsTools(t *testing.T) {
	list, err := c.session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if rows := len(list.Tools) - 1; rows != len(catalog.All()) || rows < 42 {
		t.Errorf("%d tools besides whoami", rows)
	}
	for _, tool := range list.Tools {
		if tool.Name == "whoami" { // no endpoint, so no row
			continue
		}
		row := catalog.Find(tool.Name)
		hints := tool.Annotations
		if row == nil || hints == nil || hints.DestructiveHint == nil || hints.OpenWorldHint == nil {
			t.Errorf("%s: no row, or not all hints", tool.Name)
			continue
		}
		if hints.ReadOnlyHint != row.Effect.ReadOnly() || *hints.DestructiveHint != row.Effect.Destructive() || hints.IdempotentHint != row.Effect.Idempotent() {
			t.Errorf("%s: the hints do not follow from its effect", tool.Name)
		}
		if tool.Title != row.Title {
			t.Errorf("%s: title %q", tool.Name, tool.Title)
		}
	}
}

func (c *goClient) pages(t *testing.T) {
	seen := map[string]bool{}
	token, pages := "", 0
	for {
		arguments := args{"limit": 7}
		if token != "" {
			arguments["page_token"] = token
		}
		_, page := c.call(t, "jobs_list", arguments)
		pages++
		jobs := page.Get("jobs").Array()
		if int(page.Get("returned").Int()) != len(jobs) || len(jobs) > 7 {
			t.Errorf("returned %s of %d jobs", page.Get("returned").Raw, len(jobs))
		}
		for _, job := range jobs {
			id := job.Get("job_id")
			if id.Type != gjson.String || seen[id.Str] {
				t.Errorf("job_id %s is no string, or comes twice", id.Raw)
			}
			seen[id.Str] = true
		}
		if token = page.Get("next_page_token").Str; token == "" {
			break
		}
		if pages == 20 {
			t.Fatal("the pages do not end")
		}
	}
	if pages < 3 || len(seen) <= 14 {
		t.Errorf("%d jobs on %d pages", len(seen), pages)
	}
}

func (c *goClient) errors(t *testing.T) {
	for _, tool := range []struct {
		name, kind, says string
		arguments        args
	}{
		{"jobs_get", "missing", "9007199254740993", args{"job_id": json.Number("9007199254740993")}},
		{"jobs_get", "invalid", "job_id", args{"jobid": "1"}},
	} {
		result, text := c.call(t, tool.name, tool.arguments)
		structured, err := json.Marshal(result.StructuredContent)
		if err != nil {
			t.Fatal(err)
		}
		e := gjson.GetBytes(structured, "error")
		if !result.IsError || e.Get("kind").Str != tool.kind || !strings.Contains(e.Get("message").Str, tool.says) {
			t.Errorf("%s: isError %v, structured content %s", tool.name, result.IsError, structured)
		}
		if text.Get("error.message").Str != e.Get("message").Str || text.Get("error.advice").Str == "" {
			t.Errorf("%s: the text says %s", tool.name, text.Raw)
		}
		// Other servers show their Go values to the model.
		for _, dump := range []string{"&{", "map[", "0x", "goroutine"} {
			if strings.Contains(text.Raw, dump) {
				t.Errorf("%s: %q in %s", tool.name, dump, text.Raw)
			}
		}
	}
	_, err := c.session.CallTool(t.Context(), &mcp.CallToolParams{Name: "no_such_tool"})
	var wire *jsonrpc.Error
	if !errors.As(err, &wire) || wire.Code != jsonrpc.CodeInvalidParams {
		t.Errorf("an unknown tool: %v", err)
	}
}

func (c *goClient) progress(t *testing.T) {
	result, _ := c.call(t, "warehouses_list", nil)
	if result.IsError {
		t.Error("the throttled call failed")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.notes) == 0 {
		t.Fatal("no progress")
	}
	last := -1.0
	for _, note := range c.notes {
		if note.ProgressToken != "warehouses_list" || note.Message == "" || note.Progress <= last {
			t.Errorf("progress %+v after %v", note, last)
		}
		last = note.Progress
	}
}

func (c *goClient) cancels(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := c.session.CallTool(ctx, &mcp.CallToolParams{Name: "clusters_list"})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the cancelled call returned %v", err)
	}
	if result, _ := c.call(t, "jobs_list", args{"limit": 1}); result.IsError {
		t.Error("the next call failed")
	}
}
