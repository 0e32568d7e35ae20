package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

const (
	// serverQuestion is a question of another server, asked within a call to it.
	serverQuestion = "server"
	// maxAsked bounds how often a server may ask during one call.
	maxAsked = 3
	// maxAskedForm bounds the form, in bytes.
	maxAskedForm = 4000
)

// asker puts forms of the server to the person behind ctx; nil when nobody can be
// asked. Only servers of others have anything to ask. Newer clients have no way to be
// asked while a call goes on: they would have to call again, and the server would have
// begun anew.
func (f *federated) asker(ctx context.Context, t *managedTool) Asker {
	if !f.kind().leaves || server.IsModernRequest(ctx) || !canAsk(ctx) {
		return nil
	}
	var asked atomic.Int32
	return func(ctx context.Context, message string, schema json.RawMessage) (string, json.RawMessage) {
		if len(schema) > maxAskedForm || asked.Add(1) > maxAsked {
			return string(ReplyDecline), nil
		}
		form, _ := catalog.CleanJSON(schema)
		reply, _, err := f.w.askPerson(ctx, mcp.CallToolRequest{}, Question{
			ID: serverQuestion, Schema: form, State: t.upstream,
			Message: fmt.Sprintf("The MCP server %s asks, for its tool %s. The answer goes to that server: give it no password or token. What stands in quotes is its own text.\n%s",
				f, managedText(t.upstream, 80), quotedFor(message, 1000)),
		}, confirmPatience)
		switch {
		case err != nil: // a form that no client can show, or a call that is over
			return string(ReplyDecline), nil
		case reply.Action == ReplyNone:
			return string(ReplyCancel), nil
		}
		return string(reply.Action), reply.Content
	}
}
