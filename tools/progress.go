package tools

import (
	"context"
	"sync"
	"time"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// progress tells a waiting client what a call is waiting for.
type progress struct {
	server *server.MCPServer
	token  mcp.ProgressToken
	mu     sync.Mutex
	start  time.Time
	last   float64
	ended  bool
}

type progressKey struct{}

// withProgress makes Progress work in the call's context, when the client asked
// for it. After end it is silent: the protocol allows no progress behind the
// answer, and clean-up in the background keeps the context.
func withProgress(ctx context.Context, srv *server.MCPServer, req mcp.CallToolRequest) (_ context.Context, end func()) {
	if req.Params.Meta == nil || req.Params.Meta.ProgressToken == nil {
		return ctx, func() {}
	}
	p := &progress{server: srv, token: req.Params.Meta.ProgressToken, start: time.Now()}
	return context.WithValue(ctx, progressKey{}, p), func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ended = true
	}
}

// Progress tells the client of the call behind ctx what it is waiting for; without
// a client that wants to know it does nothing. The number is the seconds since
// the start: it rises, as the protocol demands, and nobody knows a total.
func Progress(ctx context.Context, message string) {
	p, _ := ctx.Value(progressKey{}).(*progress)
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	now := time.Since(p.start).Round(time.Millisecond).Seconds()
	if now <= p.last {
		now = p.last + 0.001
	}
	p.last = now
	message, _ = catalog.Clean(message)
	// Best effort: a client that went away is noticed when the answer is written.
	_ = p.server.SendNotificationToClient(ctx, "notifications/progress", map[string]any{
		"progressToken": p.token, "progress": now, "message": message,
	})
}

// Client is the name and version that the MCP client behind ctx gave itself;
// empty when it gave none.
func Client(ctx context.Context) (name, version string) {
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.ClientInfo != nil {
		return info.ClientInfo.Name, info.ClientInfo.Version
	}
	if session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo); ok {
		client := session.GetClientInfo()
		return client.Name, client.Version
	}
	return "", ""
}
