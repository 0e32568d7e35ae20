package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	Admin         http.Handler // without authentication; nil: nothing
	AdminListener net.Listener // nil: none
	// Ready tells whether requests can be served; nil: as long as Run does not end.
	// Its error goes to the log, never to the client.
	Ready func(context.Context) error
	// Ending is called when Run begins to end: streams are to be closed.
	Ending      func()
	Drain       time.Duration // for running requests at the end; 0: DefaultHTTPDrain
	Connections int           // at once, of Listener; 0: DefaultConnections
	Refused     func(reason string)
	Log         *zap.Logger // nil: silent

	times times // zero fields: the defaults; tests have shorter ones
}

const (
	// DefaultConnections bounds the open connections of a listener.
	DefaultConnections = 8192
	// DefaultHTTPDrain is how long running requests may still be answered at the end:
	// less than platforms wait before they kill a process (Databricks Apps: 15 s).
	DefaultHTTPDrain = 10 * time.Second

	adminConnections = 64
	maxHeaderBytes   = 32 << 10
)

// times bound what a client may take. A whole request has no bound: it may be a stream.
type times struct {
	header time.Duration // for a request's header, from the first byte on
	body   time.Duration // for its body
	idle   time.Duration // between requests of a connection
	write  time.Duration // until a client takes what was written, a piece of it at a time
	lull   time.Duration // between telling clients of the end and closing their idle connections
	abort  time.Duration // for requests whose contexts ended
}

func (t times) orDefault() times {
	return times{
		header: cmp.Or(t.header, 5*time.Second), body: cmp.Or(t.body, 30*time.Second),
		idle: cmp.Or(t.idle, 2*time.Minute), write: cmp.Or(t.write, time.Minute),
		lull: cmp.Or(t.lull, 250*time.Millisecond), abort: cmp.Or(t.abort, 2*time.Second),
	}
}

// Run serves until ctx is done. Then /readyz answers 503, Ending is called, running
// requests have the time of Drain to finish, and the contexts of those that do not
// end. It closes the listeners. The error is nil after ctx is done, and otherwise why
// a listener failed.
func (h *HTTP) Run(ctx context.Context) error {
	if h.Log == nil {
		h.Log = zap.NewNop()
	}
	t := h.times.orDefault()
	requests, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	front := &front{next: h.Handler, ready: h.Ready, log: h.Log, body: t.body}
	listener := newCapped(h.Listener, cmp.Or(h.Connections, DefaultConnections), t.write, h.Refused)
	server, unused := h.server(requests, front, t), &unused{}
	server.ConnState = unused.watch
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(listener) }()
	serving := 1
	admin, adminListener := &http.Server{}, (*capped)(nil)
	if h.AdminListener != nil {
		admin = h.server(requests, h.admin(), t)
		adminListener = newCapped(h.AdminListener, adminConnections, t.write, nil)
		go func() { failed <- admin.Serve(adminListener) }()
		serving++
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("serve HTTP: %w", err)
		serving--
	}

	front.ending.Store(true)
	if h.Ending != nil {
		h.Ending()
	}
	// Who sends a request now is answered, and told to use another connection. A
	// request that comes while its idle connection is being closed would be lost.
	for until := time.Now().Add(t.lull); listener.open.Load() > 0 && time.Now().Before(until); {
		time.Sleep(min(t.lull, 5*time.Millisecond))
	}
	closing := time.AfterFunc(t.lull, unused.close)
	defer closing.Stop()
	if !h.shutDown(server, cmp.Or(h.Drain, DefaultHTTPDrain)) {
		h.Log.Info("ending the requests that are still running")
		abort()
		if !h.shutDown(server, t.abort) {
			h.Log.Warn("requests were still running at exit")
		}
	}
	_, _ = server.Close(), admin.Close() // what is left of their connections
	for ; serving > 0; serving-- {
		if e := <-failed; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	listener.lingering.Wait()
	if adminListener != nil {
		adminListener.lingering.Wait()
	}
	return err
}

// admin is the handler of the other listener. On this machine's own addresses it is for
// this machine: web pages whose names point here get nothing.
func (h *HTTP) admin() http.Handler {
	if h.Admin == nil {
		return http.NotFoundHandler() // nil would be whatever this process has registered
	}
	hosts := []string{"*"}
	if addr, ok := h.AdminListener.Addr().(*net.TCPAddr); ok && addr.IP.IsLoopback() {
		hosts = []string{"localhost", "127.0.0.1", "[::1]"} // any port: tunnels have their own
	}
	return (&Guard{Hosts: hosts, QuickAuth: true, Log: h.Log}).Wrap(h.Admin)
}

// shutDown waits for the running requests, and reports whether all are over.
func (h *HTTP) shutDown(server *http.Server, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return server.Shutdown(ctx) == nil
}

// server has no ReadTimeout or WriteTimeout, which would end streams; front and the
// listener bound bodies and writes.
func (h *HTTP) server(requests context.Context, handler http.Handler, t times) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	errorLog, err := zap.NewStdLogAt(h.Log, zap.DebugLevel) // clients' doings, of which there may be a flood
	if err != nil {
		errorLog = zap.NewStdLog(h.Log)
	}
	return &http.Server{
		Handler: handler, Protocols: protocols,
		ReadHeaderTimeout: t.header, IdleTimeout: t.idle, MaxHeaderBytes: maxHeaderBytes,
		BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog:    errorLog,
	}
}
