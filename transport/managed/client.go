// Package managed talks to the MCP servers that a Databricks workspace hosts: one
// Client for each server and user, over streamable HTTP. Whatever leaves it as an
// error is a *catalog.Error without token, query or Go text in it.
//
// Source: contract mcp.md.
package managed

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

const (
	// GenieTime and OtherTime bound one request; callers mostly give less.
	GenieTime = 300 * time.Second
	OtherTime = 60 * time.Second

	maxPages  = 20               // of a list of tools
	maxTools  = 1000             // in it
	maxListed = 4 << 20          // bytes of it
	minToken  = 8                // bytes; what is shorter is in any text
	maxWait   = 10 * time.Second // for a turn that a server asks to wait for
)

// Turns makes requests wait their turn; *rate.Limiter is one.
type Turns interface{ Wait(context.Context) error }

// Config says where a server is and as whom it is called.
type Config struct {
	// URL is the address of the server, "https://host/api/2.0/mcp/sql". It is asked
	// for at the first request, and again until it is known.
	URL func(context.Context) (string, error)

	// Token gives the user's bearer token of the workspace, for each request anew;
	// Invalidate reports one that was refused. Headers are what the credentials need
	// besides; it may be nil, and so may Invalidate.
	Token      func(context.Context) (string, error)
	Invalidate func(token string)
	Headers    func(context.Context) (http.Header, error)

	// SignInError explains an error of Token; nil: it is SignIn with its own text.
	SignInError func(error) *catalog.Error

	// SignInHosts are the hosts that a person may be sent to for a sign-in: that of
	// the workspace. Those of accounts are known.
	SignInHosts []string

	WorkspaceID  string // routes requests on hosts of several workspaces; "": not sent
	UserAgent    func(context.Context) string
	RoundTripper http.RoundTripper // in place of the network; nil: the network
	Turns        Turns             // nil: nobody waits
	Timeout      time.Duration     // of one request; 0: OtherTime
	Needs        string            // the permission and the OAuth scope that a 403 is about
	Version      string            // of this program
	Changed      func()            // the server says that its tools are others now; may be nil
}

// Client is one server as one user sees it. It is safe for concurrent use, connects
// when it is first used, and again after the server has forgotten the session.
type Client struct {
	config Config
	lock   chan struct{} // held while connecting; waiting for it ends with the context

	mu      sync.Mutex
	session *session

	token    atomic.Pointer[string] // that was last sent
	requests atomic.Int64
	relays   sync.Map // progress token -> func(string)
}

// session is one connection to a server.
type session struct {
	mcp  *client.Client
	wire *transport.StreamableHTTP
}

// New makes a client; it opens no connection.
func New(config Config) *Client {
	if config.Timeout == 0 {
		config.Timeout = OtherTime
	}
	if config.UserAgent == nil {
		config.UserAgent = func(context.Context) string { return "brickmcp" }
	}
	return &Client{config: config, lock: make(chan struct{}, 1)}
}

// Close ends the session with the server.
func (c *Client) Close() {
	c.mu.Lock()
	s := c.session
	c.session = nil
	c.mu.Unlock()
	if s != nil {
		_ = s.mcp.Close() // the server forgets it some day anyway
	}
}

// Tools asks for the server's tools, each in the server's own JSON.
func (c *Client) Tools(ctx context.Context) ([]json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	var tools []json.RawMessage
	size := 0
	params := json.RawMessage(`{}`)
	for range maxPages {
		result, err := c.patiently(ctx, "tools/list", params, true)
		if err != nil {
			return nil, err
		}
		list := gjson.GetBytes(result, "tools")
		if !list.IsArray() {
			return nil, &catalog.Error{Kind: catalog.Down, Message: "the answer to tools/list has no tools in it", Advice: "Check that the address is that of an MCP server."}
		}
		full := false
		list.ForEach(func(_, tool gjson.Result) bool {
			if size += len(tool.Raw); size > maxListed || len(tools) == maxTools {
				full = true
				return false
			}
			tools = append(tools, json.RawMessage(tool.Raw))
			return true
		})
		next := gjson.GetBytes(result, "nextCursor")
		if next.Str == "" || full {
			return tools, nil // more than that nobody can use
		}
		if params, err = sjson.SetBytes([]byte(`{}`), "cursor", next.Str); err != nil {
			return nil, err
		}
	}
	return tools, nil
}

// Call calls a tool. Params are those of tools/call: name, arguments, _meta; the
// result is the server's own JSON. A repeatable call is one that may be sent again
// when nobody knows what became of it. Progress, which may be nil, hears how far the
// call has come.
func (c *Client) Call(ctx context.Context, params json.RawMessage, repeatable bool, progress func(message string)) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	if progress != nil {
		token := "brickmcp-" + strconv.FormatInt(c.requests.Add(1), 10)
		c.relays.Store(token, progress)
		defer c.relays.Delete(token)
		var err error
		if params, err = sjson.SetBytes(params, "_meta.progressToken", token); err != nil {
			return nil, err
		}
	}
	result, err := c.patiently(ctx, "tools/call", params, repeatable)
	if err != nil {
		return nil, fated(err, repeatable)
	}
	if err := c.loginError(result); err != nil {
		return nil, err
	}
	return result, nil
}

// fated is an error of a request of unknown fate, for a call that must not be sent
// twice.
func fated(err error, repeatable bool) error {
	if e := catalog.AsError(err); errors.Is(err, errLost) && !repeatable {
		unknown := *e
		unknown.Kind = catalog.UnknownFate
		unknown.Message += ", so whether the call took effect is not known"
		unknown.Advice = "Check that before you call again."
		return &unknown
	}
	return err
}

// patiently sends a request, and once more what the server had no turn for.
func (c *Client) patiently(ctx context.Context, method string, params json.RawMessage, repeatable bool) (json.RawMessage, error) {
	result, err := c.send(ctx, method, params)
	var busy *limited
	if !repeatable || !errors.As(err, &busy) || busy.after > maxWait {
		return result, err
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) < busy.after {
		return nil, err
	}
	timer := time.NewTimer(busy.after)
	defer timer.Stop()
	select {
	case <-timer.C:
		return c.send(ctx, method, params)
	case <-ctx.Done():
		return nil, err
	}
}

// send sends one request, and again in a new session when the server has forgotten
// this one: it has then done nothing.
func (c *Client) send(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	for attempt := 0; ; attempt++ {
		s, err := c.connect(ctx)
		if err != nil {
			return nil, c.explain(ctx, err)
		}
		answer, err := s.wire.SendRequest(ctx, transport.JSONRPCRequest{
			JSONRPC: mcp.JSONRPC_VERSION, ID: mcp.NewRequestId(c.requests.Add(1)), Method: method, Params: params,
		})
		switch {
		case errors.Is(err, transport.ErrSessionTerminated) && attempt == 0:
			c.drop(s)
		case err != nil:
			return nil, c.explain(ctx, err)
		case answer.Error != nil:
			return nil, c.refusal(answer.Error)
		default:
			return json.RawMessage(c.hideToken(string(answer.Result))), nil
		}
	}
}

// connect is the session, made now if there is none.
func (c *Client) connect(ctx context.Context) (*session, error) {
	if s := c.connected(); s != nil {
		return s, nil
	}
	select {
	case c.lock <- struct{}{}:
		defer func() { <-c.lock }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s := c.connected(); s != nil {
		return s, nil
	}
	address, err := c.config.URL(ctx)
	if err != nil {
		return nil, err
	}
	at, err := checkAddress(address)
	if err != nil {
		return nil, err
	}
	wire, err := transport.NewStreamableHTTP(address,
		transport.WithHTTPBasicClient(&http.Client{
			Transport: c.gate(at),
			// What redirects is a login page or a proxy; neither is to see the token.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}),
		transport.WithHTTPLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		return nil, err
	}
	// The older protocol only: a server that answers server/discover but speaks no
	// newer version would refuse every later request of this library.
	//lint:ignore SA1019 there is no other way to keep this library from it
	s := &session{mcp: client.NewClient(wire, client.WithLegacyProtocolOnly()), wire: wire}
	if err := s.mcp.Start(ctx); err != nil {
		return nil, err
	}
	s.mcp.OnNotification(c.notified)
	var hello mcp.InitializeRequest
	hello.Params.ClientInfo = mcp.Implementation{Name: "brickmcp", Version: c.config.Version}
	if _, err := s.mcp.Initialize(ctx, hello); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.session = s
	c.mu.Unlock()
	return s, nil
}

func (c *Client) connected() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

func (c *Client) drop(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == s {
		c.session = nil
	}
}

// notified relays progress, and hears of other tools.
func (c *Client) notified(n mcp.JSONRPCNotification) {
	switch n.Method {
	case mcp.MethodNotificationToolsListChanged:
		if c.config.Changed != nil {
			c.config.Changed()
		}
	case "notifications/progress":
		token, _ := n.Params.AdditionalFields["progressToken"].(string)
		message, _ := n.Params.AdditionalFields["message"].(string)
		if relay, ok := c.relays.Load(token); ok && message != "" {
			relay.(func(string))(c.hideToken(message))
		}
	}
}

// hideToken takes the token out of what a server says: one that sends requests back
// to whoever made them would give it to the model.
func (c *Client) hideToken(text string) string {
	if token := c.token.Load(); token != nil && len(*token) >= minToken {
		return strings.ReplaceAll(text, *token, "(the token)")
	}
	return text
}
