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
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"brickmcp/catalog"

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

	mu       sync.Mutex
	sessions map[bool]*session // by whether the server may ask a person

	token    atomic.Pointer[string] // that was last sent
	requests atomic.Int64
	relays   sync.Map // progress token -> func(string)
}

// New makes a client; it opens no connection.
func New(config Config) *Client {
	if config.Timeout == 0 {
		config.Timeout = OtherTime
	}
	if config.UserAgent == nil {
		config.UserAgent = func(context.Context) string { return "brickmcp" }
	}
	return &Client{config: config, lock: make(chan struct{}, 1), sessions: map[bool]*session{}}
}

// Close ends the sessions with the server, and what is under way in them.
func (c *Client) Close() {
	c.mu.Lock()
	open := c.sessions
	c.sessions = map[bool]*session{}
	c.mu.Unlock()
	for _, s := range open {
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
// when nobody knows what became of it. Progress hears how far the call has come, and
// ask puts questions of the server to a person; both may be nil.
func (c *Client) Call(ctx context.Context, params json.RawMessage, repeatable bool, progress func(message string), ask Asker) (json.RawMessage, error) {
	if ask != nil {
		ctx = context.WithValue(ctx, askerKey{}, ask)
	}
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

// hideToken takes the token out of what a server says: one that sends requests back
// to whoever made them would give it to the model.
func (c *Client) hideToken(text string) string {
	if token := c.token.Load(); token != nil && len(*token) >= minToken {
		return strings.ReplaceAll(text, *token, "(the token)")
	}
	return text
}
