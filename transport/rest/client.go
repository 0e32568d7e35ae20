// Package rest carries calls to a Databricks workspace: it is the
// catalog.Caller that speaks HTTP. One attempt is in attempt.go; retry.go
// repeats it as far as the row's effect allows, limit.go makes it wait its
// turn, and error.go turns whatever came back into a catalog.Error.
//
// Whatever leaves this package as an error or a log line holds no header, no
// query, no body and no presigned link.
package rest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"brickmcp/catalog"

	"go.uber.org/zap"
)

const (
	// retryBudget is how long after its start a call may still begin something:
	// another attempt, or a wait for a turn.
	retryBudget = 50 * time.Second

	// callLimit ends an attempt under way. A statement may ask the workspace to
	// wait 50 s for its end, and such an answer must still get through; MCP
	// clients give up after 60 s by default, and should hear the reason first.
	callLimit = 58 * time.Second

	// inactivity ends a transfer during which no byte moved. Transfers have no
	// other limit: a file takes as long as it takes.
	inactivity = 60 * time.Second

	// silence is the same for a stream of events: an agent thinks, and its tools
	// work, for minutes between two of them.
	silence = 10 * time.Minute
)

// Config says which workspace, who asks, and how fast.
type Config struct {
	// Host is the base URL, "https://dbc-1.cloud.databricks.com": scheme and
	// host alone. Plain http is accepted for loopback only.
	Host string

	// WorkspaceID routes calls on hosts that serve several workspaces; empty:
	// the header is not sent.
	WorkspaceID string

	// Token gives a bearer token; Invalidate reports one that the workspace
	// refused, after which Token is asked once more. Invalidate may be nil.
	Token      func(ctx context.Context) (string, error)
	Invalidate func(token string)

	// Headers gives what the credentials need in every request besides the
	// token; Azure service principals do. May be nil.
	Headers func(ctx context.Context) (http.Header, error)

	// SignInError explains an error of Token; nil, or an answer of nil, is a
	// SignIn with the error's own text.
	SignInError func(error) *catalog.Error

	// UserAgent gives the User-Agent of a call; nil: "brickmcp".
	UserAgent func(ctx context.Context) string

	// MissingScope advises on a 403 for want of an OAuth scope, of which the name is
	// given if the workspace told it; nil: to sign in again with the scope.
	MissingScope func(scope string) string

	// RoundTripper replaces the package's own transport: the sandbox in this
	// process.
	RoundTripper http.RoundTripper

	// Pool is shared with other clients; nil: the client has connections of its own.
	Pool *Pool

	RateLimit RateLimit

	// Waiting is told before a call waits longer than a second: why, and how long.
	Waiting func(ctx context.Context, reason string, wait time.Duration)

	// Observe hears the status of every answer of the workspace, one for each attempt,
	// and 0 of those that got none. May be nil.
	Observe func(status int)

	Logger *zap.Logger // nil: nothing is logged
}

// Pool is connections that several clients share, each with tokens of its own.
type Pool struct{ transport *http.Transport }

// NewPool opens nothing yet.
func NewPool() *Pool { return &Pool{newTransport()} }

// Close closes the connections that nobody uses.
func (p *Pool) Close() { p.transport.CloseIdleConnections() }

// Client calls one workspace. It is safe for any number of callers.
type Client struct {
	config  Config
	http    *http.Client
	limiter *limiter
	log     *zap.Logger

	// traced: the transport is our own and reports when a connection is ready.
	// Any other may keep silent, and silence must not be taken for "not sent".
	traced bool
}

var _ catalog.Caller = (*Client)(nil)

// New checks the host and opens no connection.
func New(config Config) (*Client, error) {
	if err := checkHost(config.Host); err != nil {
		return nil, err
	}
	if config.Token == nil {
		return nil, errors.New("rest: no token function")
	}
	if config.UserAgent == nil {
		config.UserAgent = func(context.Context) string { return "brickmcp" }
	}
	if config.Observe == nil {
		config.Observe = func(int) {}
	}
	c := &Client{config: config, limiter: newLimiter(config.RateLimit), log: config.Logger}
	if c.log == nil {
		c.log = zap.NewNop()
	}
	roundTripper := config.RoundTripper
	switch {
	case roundTripper != nil:
	case config.Pool != nil:
		roundTripper, c.traced = config.Pool.transport, true
	default:
		roundTripper, c.traced = newTransport(), true
	}
	c.http = &http.Client{
		Transport: roundTripper,
		// A workspace's API never redirects. What does is a login page or a
		// proxy, and neither is to be shown the token.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// newTransport is tuned for many callers of one host. It speaks HTTP/1.1 only:
// a dead connection then takes one call with it and not all, a big download
// shares its window with nobody, and net/http replays a POST only when nothing
// of it was written, where HTTP/2 also replays some that were.
func newTransport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Protocols:             protocols,
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   15 * time.Second,
		ExpectContinueTimeout: time.Second,
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   256,
		// Shorter than the 60 s of common load balancers: a write that meets a
		// connection just closed over there is of unknown fate.
		IdleConnTimeout: 55 * time.Second,
		ReadBufferSize:  16 << 10, // most answers in one read
	}
}

func checkHost(host string) error {
	u, err := url.Parse(host)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("the workspace host cannot be read as a URL")
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return errors.New("the workspace host must be scheme and host alone, as https://dbc-1.cloud.databricks.com")
	}
	return checkScheme(u, "the workspace host")
}

// checkScheme refuses what would send secrets in the clear.
func checkScheme(u *url.URL, what string) error {
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%s must be https: plain http is for this machine only", what)
}

func isLoopback(name string) bool {
	ip := net.ParseIP(name)
	return strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback()
}

// Do sends call and returns the answer of a success; any other end is a
// *catalog.Error. The call itself is not changed.
func (c *Client) Do(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
	if !strings.HasPrefix(call.Path, "/") {
		// It would become part of the host.
		return nil, &catalog.Error{Kind: catalog.Internal, Message: call.About() + ": the path of the request does not begin with a slash", Advice: "This is a fault of the server, not of the call; report it."}
	}
	answer, err := c.retry(ctx, withKey(call))
	if older := olderJobs(call, err); older != nil {
		return c.retry(ctx, withKey(older))
	}
	return answer, err
}

const jobsPath, olderJobsPath = "/api/2.2/jobs/", "/api/2.1/jobs/"

// olderJobs is the same call of Jobs API 2.1, when the workspace does not know
// 2.2 (contract README, section 1). What met no route had no effect, so this is
// safe for writes too.
func olderJobs(call *catalog.Call, err error) *catalog.Call {
	var e *catalog.Error
	path, ok := strings.CutPrefix(call.Path, jobsPath)
	if !ok || !errors.As(err, &e) || !e.MissingRoute {
		return nil
	}
	older := *call
	older.Path = olderJobsPath + path
	return &older
}
