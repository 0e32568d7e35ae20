package managed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"brickmcp/catalog"
)

// maxAnswer bounds the body of one answer: what a server sends besides is lost.
const maxAnswer = 16 << 20

// gate is what every request to a server passes: it adds the token of the moment,
// to requests to that server alone, and makes an error of every answer that is none
// of MCP. The library's own errors would lose the status.
type gate struct {
	client *Client
	at     *url.URL
	next   http.RoundTripper
}

func (c *Client) gate(at *url.URL) *gate {
	next := c.config.RoundTripper
	if next == nil {
		next = network()
	}
	return &gate{client: c, at: at, next: next}
}

// network is shared by all clients. It speaks HTTP/1.1 only: net/http then replays
// no POST of which a byte was written.
var network = sync.OnceValue(func() http.RoundTripper {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Protocols:           protocols,
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 15 * time.Second,
		MaxIdleConnsPerHost: 32,
		IdleConnTimeout:     55 * time.Second,
	}
})

// checkAddress refuses where no token may go.
func checkAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return nil, &catalog.Error{Kind: catalog.Invalid, Message: "the address of the MCP server cannot be read", Advice: "The person who runs this server must correct --managed."}
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return nil, &catalog.Error{Kind: catalog.Invalid, Message: "the address of the MCP server is not https", Advice: "No token is sent there. The person who runs this server must correct --managed."}
	}
	return u, nil
}

func loopback(name string) bool {
	ip := net.ParseIP(name)
	return strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback()
}

// RoundTrip implements http.RoundTripper. A refused token is replaced once: a
// request that was not let in has done nothing.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, token, err := g.send(req)
	if err == nil && resp.StatusCode == http.StatusUnauthorized && g.client.config.Invalidate != nil && (req.Body == nil || req.GetBody != nil) {
		resp.Body.Close()
		g.client.config.Invalidate(token)
		again := req.Clone(req.Context())
		if req.GetBody != nil {
			if again.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
		resp, token, err = g.send(again)
	}
	if err != nil {
		return nil, err
	}
	if err := g.judge(req, resp, token); err != nil {
		resp.Body.Close()
		return nil, err
	}
	resp.Body = &capped{body: resp.Body, left: maxAnswer}
	return resp, nil
}

// send sends a request once.
func (g *gate) send(req *http.Request) (*http.Response, string, error) {
	ctx, config := req.Context(), &g.client.config
	if req.URL.Host != g.at.Host || req.URL.Scheme != g.at.Scheme {
		return nil, "", &catalog.Error{Kind: catalog.Internal, Message: "a request to another host was not sent", Advice: "This is a fault of this server; report it."}
	}
	token, err := config.Token(ctx)
	if err != nil {
		return nil, "", g.client.notSignedIn(ctx, err)
	}
	out := req.Clone(ctx) // a RoundTripper must not change its request
	if config.Headers != nil {
		more, err := config.Headers(ctx)
		if err != nil {
			return nil, "", g.client.notSignedIn(ctx, err)
		}
		for name, values := range more {
			out.Header[name] = values
		}
	}
	g.client.token.Store(&token)
	out.Header.Set("Authorization", "Bearer "+token)
	out.Header.Set("User-Agent", config.UserAgent(ctx))
	if config.WorkspaceID != "" {
		out.Header.Set("X-Databricks-Workspace-Id", config.WorkspaceID)
	}
	if config.Turns != nil {
		if err := config.Turns.Wait(ctx); err != nil {
			return nil, "", &catalog.Error{Kind: catalog.Busy, Err: err, Message: "no turn came within the time that the call had: too many calls at once", Advice: "Call again in a moment. Nothing was sent."}
		}
	}
	resp, err := g.next.RoundTrip(out)
	if err != nil {
		return nil, "", g.broken(ctx, err)
	}
	return resp, token, nil
}

func (c *Client) notSignedIn(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if c.config.SignInError != nil {
		if e := c.config.SignInError(err); e != nil {
			return e
		}
	}
	return &catalog.Error{Kind: catalog.SignIn, Err: err, Message: "there is no token for the workspace", Advice: "A person must sign in to the workspace; then call again."}
}

// errLost: nobody knows whether the request took effect.
var errLost = errors.New("the fate of the request is not known")

// broken explains a request without an answer. Errors of net/http are never quoted:
// they hold addresses, and those of a proxy its password.
func (g *gate) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := &catalog.Error{Kind: catalog.Down, Advice: "Check the network, the VPN, and HTTPS_PROXY if this network needs a proxy; then call again."}
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		e.Message = g.at.Hostname() + " could not be looked up (DNS); nothing was sent"
	case errors.As(err, &op) && op.Op == "dial":
		e.Message = g.at.Hostname() + " cannot be connected to; nothing was sent"
	default:
		e.Err, e.Message = errLost, g.at.Hostname()+" broke the connection before it answered"
	}
	return e
}

// judge refuses an answer that is none of MCP.
func (g *gate) judge(req *http.Request, resp *http.Response, token string) error {
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	page := mediaType == "text/html"
	if resp.StatusCode/100 == 2 && !page {
		return nil
	}
	if resp.StatusCode == http.StatusNotFound && req.Header.Get("Mcp-Session-Id") != "" {
		return nil // the library knows that the session is over
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what could be read will do
	if mediaType == "application/json" && bytes.Contains(body, []byte(`"jsonrpc"`)) && resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusNotFound {
		resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(body)) // an error of MCP: the library reads it
		return nil
	}
	return g.client.status(resp, page, body, token)
}

// capped ends a body that is longer than anybody wants.
type capped struct {
	body io.ReadCloser
	left int
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("%w: the answer is longer than %d MB", errTooLong, maxAnswer>>20)
	}
	n, err := c.body.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

func (c *capped) Close() error { return c.body.Close() }

var errTooLong = errors.New("too long")
