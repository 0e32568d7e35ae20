package tools

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"brickmcp/catalog"
)

// preview says what a call would do, before it is done.
type preview struct {
	What    string          // one or two sentences
	Changes []string        // one sentence each
	Now     json.RawMessage // the object as it is, projected and bounded; nil
}

func (s *Server) preview(ctx context.Context, call *catalog.Call) (preview, error) {
	return preview{}, errors.ErrUnsupported
}

// append adds the preview to the result of a call that waits for confirmation.
func (p preview) append(o *object) { o.raw("preview", "{}") }

// earlier are the values that a write is about to replace, for audit and undo.
func (s *Server) earlier(ctx context.Context, call *catalog.Call) (json.RawMessage, error) {
	return nil, errors.ErrUnsupported
}

// trimAbout takes the name of the tool off a message that goes into another one.
func trimAbout(message, tool string) string {
	return strings.TrimPrefix(strings.TrimPrefix(message, tool), ": ")
}
