package tools

import (
	"context"
	"errors"

	"brickmcp/catalog"

	"github.com/google/uuid"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// signInRequest is the key of the one thing a client is ever asked for.
const signInRequest = "signin"

// askToSignIn asks a client that can open addresses for its person to do so, when
// that is all that a call lacks. The two protocol eras have two ways: the older
// gets an error with the address, the newer a request to come back. Both results
// are nil when the client cannot, or was asked already: the error result then has
// the address in its advice.
func askToSignIn(ctx context.Context, req mcp.CallToolRequest, err error) (*mcp.CallToolResult, error) {
	var e *catalog.Error
	if !errors.As(err, &e) || e.SignInURL == "" || len(req.Params.InputResponses) > 0 {
		return nil, nil
	}
	what := "Sign in to Databricks; then the call can go on."
	switch {
	case !errors.Is(err, catalog.ErrSignInElsewhere):
	case req.Params.Name == catalog.WaitSupervisorRun.Name: // the run has ended
		what = "Sign in to the connection that the agent run wants to use; then start the run again."
	default:
		what = "Sign in to the service behind " + req.Params.Name + "; then the call can go on."
	}
	id := uuid.NewString()
	ask := mcp.ElicitationParams{Mode: mcp.ElicitationModeURL, Message: what, ElicitationID: id, URL: e.SignInURL}
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.Modern {
		if opensAddresses(info.ClientCapabilities) {
			return server.NewInputRequestBuilder("").Elicit(signInRequest, ask).ToolResult(), nil
		}
		return nil, nil
	}
	session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo)
	if !ok {
		return nil, nil
	}
	if capabilities := session.GetClientCapabilities(); opensAddresses(&capabilities) {
		return nil, mcp.URLElicitationRequiredError{Elicitations: []mcp.ElicitationParams{ask}}
	}
	return nil, nil
}

func opensAddresses(c *mcp.ClientCapabilities) bool {
	return c != nil && c.Elicitation != nil && c.Elicitation.URL != nil
}
