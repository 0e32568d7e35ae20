package managed

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// session is one connection to a server.
type session struct {
	mcp  *client.Client
	wire *transport.StreamableHTTP
}

// connect is the session for what ctx is about, made now if there is none. What a
// client can is said once for a session: calls for which a person can be asked have
// one of their own, so that no server waits for answers that nobody gives.
func (c *Client) connect(ctx context.Context) (*session, error) {
	asks := askerOf(ctx) != nil
	if s := c.connected(asks); s != nil {
		return s, nil
	}
	select {
	case c.lock <- struct{}{}:
		defer func() { <-c.lock }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s := c.connected(asks); s != nil {
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
	var hello mcp.InitializeRequest
	hello.Params.ClientInfo = mcp.Implementation{Name: "brickmcp", Version: c.config.Version}
	// The older protocol only: a server that answers server/discover but speaks no
	// newer version would refuse every later request of this library.
	//lint:ignore SA1019 there is no other way to keep this library from it
	options := []client.ClientOption{client.WithLegacyProtocolOnly()}
	if asks {
		hello.Params.Capabilities.Elicitation = &mcp.ElicitationCapability{Form: &struct{}{}}
		options = append(options, client.WithElicitationHandler(elicitor{c}))
	}
	s := &session{mcp: client.NewClient(wire, options...), wire: wire}
	if err := s.mcp.Start(ctx); err != nil {
		return nil, err
	}
	s.mcp.OnNotification(c.notified)
	if _, err := s.mcp.Initialize(ctx, hello); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.sessions[asks] = s
	c.mu.Unlock()
	return s, nil
}

func (c *Client) connected(asks bool) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sessions[asks]
}

func (c *Client) drop(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for asks, open := range c.sessions {
		if open == s {
			delete(c.sessions, asks)
		}
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

// Asker puts a form of a server to the person behind the call. Message and schema are
// the server's own words. The action is accept, decline or cancel; content is the
// object that was filled in.
type Asker = func(ctx context.Context, message string, schema json.RawMessage) (action string, content json.RawMessage)

type askerKey struct{}

func askerOf(ctx context.Context) Asker {
	ask, _ := ctx.Value(askerKey{}).(Asker)
	return ask
}

// elicitor relays questions of the server. Those come in the stream of a call, and
// with its context. Sampling is refused by having no handler for it.
type elicitor struct{ client *Client }

// Elicit implements client.ElicitationHandler.
func (e elicitor) Elicit(ctx context.Context, req mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	answer := &mcp.ElicitationResult{}
	answer.Action = mcp.ElicitationResponseActionCancel
	ask := askerOf(ctx)
	schema, err := json.Marshal(req.Params.RequestedSchema)
	// Addresses are for the error that asks for a sign-in: there they are checked.
	if ask == nil || err != nil || req.Params.Mode == mcp.ElicitationModeURL {
		return answer, nil
	}
	action, content := ask(ctx, e.client.hideToken(req.Params.Message), json.RawMessage(e.client.hideToken(string(schema))))
	answer.Action = mcp.ElicitationResponseAction(action)
	if answer.Action == mcp.ElicitationResponseActionAccept && len(content) > 0 {
		answer.Content = content
	}
	return answer, nil
}
