package tools

import (
	"errors"
	"fmt"
	"slices"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
)

// result makes the tool result of an answer: one text block, produced once, or
// with --structured the structured form and a line about it. It is built anew for
// every call, because mcp-go writes into it.
func (s *Server) result(tool string, answer []byte, err error) *mcp.CallToolResult {
	if u := (*awaiting)(nil); errors.As(err, &u) {
		answer, err = u.result, nil
	}
	if err != nil {
		return failed(err)
	}
	answer = cleaned(answer)
	if !s.structured {
		return &mcp.CallToolResult{Content: text(view(answer))}
	}
	return &mcp.CallToolResult{Content: text(summary(tool, answer)), RawStructuredContent: answer}
}

// failed is an error result. It carries the error as structured content in every
// mode: clients that show only one of the two must not lose it.
func failed(err error) *mcp.CallToolResult {
	e := catalog.AsError(err)
	var o object
	o.text("kind", string(e.Kind))
	if e.Quoted {
		o.untrusted("message")
	}
	o.text("message", bounded(e.Message))
	o.text("advice", bounded(e.Advice))
	if e.RequestID != "" {
		o.text("request_id", bounded(e.RequestID))
	}
	if e.Status != 0 {
		o.integer("status", int64(e.Status))
	}
	encoded, _ := catalog.CleanJSON(fmt.Appendf(nil, `{"error":%s}`, o.bytes()))
	return &mcp.CallToolResult{IsError: true, Content: text(string(encoded)), RawStructuredContent: encoded}
}

// maxErrorText bounds each text of an error: it may repeat what a caller sent.
const maxErrorText = 4000

func bounded(text string) string {
	if n := fitting(text, maxErrorText); n < len(text) {
		return text[:n] + "…"
	}
	return text
}

func text(s string) []mcp.Content {
	return []mcp.Content{mcp.TextContent{Type: "text", Text: s}}
}

// summary is the one line that stands beside structured content.
func summary(tool string, answer []byte) string {
	returned := gjson.GetBytes(answer, "returned")
	switch {
	case !returned.Exists():
		return tool + ": done"
	case gjson.GetBytes(answer, "truncated").Bool():
		return fmt.Sprintf("%s: %d returned, there are more", tool, returned.Int())
	}
	return fmt.Sprintf("%s: %d returned", tool, returned.Int())
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
