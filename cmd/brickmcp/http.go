package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"brickmcp/tools"
	"brickmcp/transport/rest"
	"brickmcp/transport/serve"

	"go.uber.org/zap"
)

// users are those whom a server on HTTP serves.
type users interface {
	serve.Authenticator
	// strip takes out of a request's header what nothing here is to believe or to see.
	strip(http.Header)
	begin(context.Context)
	// count is how many there are right now.
	count() int
	// end waits for what calls have left to do, as long as ctx lets it, and closes.
	end(context.Context) error
}

// serveHTTP serves users on HTTP until ctx ends. checkTransport was here before.
func (c *config) serveHTTP(ctx context.Context) (err error) {
	sh, err := c.share()
	if err != nil {
		return err
	}
	sh.metrics = c.newMetrics()
	defer func() { err = errors.Join(err, sh.close()) }()
	who, place, err := c.users(sh)
	if err != nil {
		return err
	}
	who = withFixtures(who, c, sh.log)
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(farewell, c.drain))
		defer cancel()
		err = errors.Join(err, who.end(ending))
	}()
	key, err := c.sessionKey(sh.log)
	if err != nil {
		return err
	}
	listener, admin, err := c.listeners()
	if err != nil {
		return err
	}
	server := c.httpServer(sh, who, key, listener, admin)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	sh.begin(ctx, place)
	who.begin(ctx)
	c.announce(sh.log, listener, admin)
	return server.Run(ctx)
}

// users are whom --identity says; place is the workspace they are of.
func (c *config) users(sh *shared) (who users, place string, err error) {
	if c.identity == identityApps {
		u, err := sh.appUsers()
		if err != nil {
			return nil, "", err
		}
		return u, hostOf(u.place.Host), nil
	}
	file := c.bearerFile()
	if _, err := file.open(); err != nil {
		return nil, "", fmt.Errorf("the secret of --identity local: %w", err)
	}
	a := sh.person()
	return &local{app: a, secret: &watched{file: file}}, a.workspace.hostName(), nil
}

// httpServer puts the parts together: guard, then authentication, then MCP.
func (c *config) httpServer(sh *shared, who users, key []byte, listener, admin net.Listener) *serve.HTTP {
	guard := &serve.Guard{Hosts: c.allowHosts, Origins: c.allowOrigins, Limits: limits(sh.rateLimit), QuickAuth: c.identity == identityLocal, Log: sh.log}
	if c.identity == identityApps {
		// Requests come through the platform's proxy, which knows for which host they
		// are and from whom. No page can forge the token that it adds.
		if len(guard.Hosts) == 0 {
			guard.Hosts = []string{"*"}
		}
		guard.Address = realAddress
	}
	if admin != nil {
		sh.metrics.Users(who.count)
		guard.Refused = sh.metrics.Refused
	}
	endpoint := &serve.Endpoint{Auth: guard.Authenticator(who), Key: key, Log: sh.log}
	mux := http.NewServeMux()
	paths := "/mcp"
	if c.transport == transportSSE {
		paths = "/sse and /message"
		mux.Handle("/sse", endpoint.SSE())
		mux.Handle("/message", endpoint.SSE())
	} else {
		mux.Handle("/mcp", endpoint.StreamableHTTP())
	}
	nothing := fmt.Sprintf(`{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"there is nothing at this path: --transport %s serves %s"}}`, c.transport, paths)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, nothing)
	})
	server := &serve.HTTP{
		Handler: guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			who.strip(r.Header)
			mux.ServeHTTP(w, r)
		})),
		Listener: listener, Ready: sh.ready, Ending: endpoint.End, Drain: c.drain, Log: sh.log,
	}
	if admin != nil {
		server.Handler = sh.metrics.Count(server.Handler)
		server.Admin, server.AdminListener, server.Refused = sh.metrics.Handler(), admin, sh.metrics.Refused
	}
	return server
}

// limits are what one user, and all at once, may ask of this server. Whoever lifts the
// limits towards the workspace means these, too.
func limits(towards rest.RateLimit) serve.Limits {
	lifted := serve.Limits{UserRate: -1, UserCalls: -1, UserStreams: -1, Calls: -1}
	switch n := towards.PerSecond(); {
	case n < 0:
		return lifted
	case n > 100: // more than a user has by default
		lifted.UserRate, lifted.UserBurst = float64(n), 2*n
		return lifted
	}
	return serve.Limits{}
}

// realAddress is who sent a request, as the proxy of Databricks Apps says it
// (contract auth.md, section 9).
func realAddress(r *http.Request) string {
	if address := r.Header.Get("X-Real-Ip"); address != "" && len(address) < 64 {
		return address
	}
	return r.RemoteAddr
}

// ready says why requests would be refused, whoever sends them.
func (sh *shared) ready(context.Context) error {
	if sh.policy != nil {
		if _, err := sh.policy.Current(); err != nil {
			return fmt.Errorf("the policy cannot be used: %w", err)
		}
	}
	if sh.audit == nil || sh.auditNeed == tools.AuditNone {
		return nil
	}
	path, _ := sh.config.auditPath()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if errors.Is(err, os.ErrNotExist) { // not written yet, or moved away: a call makes it
		return nil
	}
	if err != nil {
		return fmt.Errorf("the audit file cannot be written: %w", err)
	}
	return file.Close()
}

// sessionKey signs session ids, so that they hold over a restart. In an app whose disk
// cannot be written to they last as long as the process.
func (c *config) sessionKey(log *zap.Logger) ([]byte, error) {
	if c.stateDir() != "" {
		key, err := c.keyFile().open()
		if err == nil || c.identity == identityLocal {
			return []byte(key), err
		}
		log.Warn("sessions end with this process: their key cannot be kept", zap.Error(err))
	}
	key := make([]byte, secretBytes)
	_, _ = rand.Read(key) // never fails
	return key, nil
}

func (c *config) listeners() (listener, admin net.Listener, err error) {
	if listener, err = net.Listen("tcp", c.listen); err != nil {
		return nil, nil, cannotListen(c.listen, err, "another with --listen, or port 0 for a free one")
	}
	if c.adminListen == "" {
		return listener, nil, nil
	}
	if admin, err = net.Listen("tcp", c.adminListen); err != nil {
		return nil, nil, errors.Join(cannotListen(c.adminListen, err, "another with --admin-listen"), listener.Close())
	}
	return listener, admin, nil
}

// cannotListen leaves out what net says again, the address among it.
func cannotListen(address string, err error, give string) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return fmt.Errorf("cannot listen on %s: %w; give %s", address, err, give)
}

// announce says where clients find the server; scripts read it.
func (c *config) announce(log *zap.Logger, listener, admin net.Listener) {
	path := "/mcp"
	if c.transport == transportSSE {
		path = "/sse"
	}
	fields := []zap.Field{zap.String("url", "http://"+listener.Addr().String()+path), zap.String("identity", c.identity)}
	if admin != nil {
		fields = append(fields, zap.String("metrics", "http://"+admin.Addr().String()+"/metrics"))
	}
	log.Info("listening", fields...)
}
