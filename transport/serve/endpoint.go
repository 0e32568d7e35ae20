package serve

import (
	"net/http"
	"time"

	"go.uber.org/zap"
)

// Endpoint serves MCP over HTTP, to many users at once. Set its fields before the
// first request.
type Endpoint struct {
	Auth Authenticator
	// Key signs session ids, so that they hold over a restart: 32 bytes or more,
	// the same in every process that serves these users.
	Key       []byte
	Log       *zap.Logger   // nil: silent
	Heartbeat time.Duration // of streams; 0: DefaultHeartbeat
}

// DefaultHeartbeat is how often a quiet stream carries a comment: more often than
// proxies close what seems dead.
const DefaultHeartbeat = 25 * time.Second

// StreamableHTTP serves POST, GET and DELETE of one path, such as /mcp.
func (e *Endpoint) StreamableHTTP() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "", http.StatusNotImplemented)
	})
}

// SSE serves the older pair of GET /sse and POST /message. It routes by the last
// element of the path.
func (e *Endpoint) SSE() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "", http.StatusNotImplemented)
	})
}

// End tells streams that the server ends: they are closed in order, and no new
// one is opened. Running calls go on.
func (e *Endpoint) End() {}
