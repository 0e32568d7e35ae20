package serve

import (
	"context"
	"net/http"
	"time"

	"github.com/mark3labs/mcp-go/server"
)

// Principal is whose request an HTTP request is, and what serves this user.
// Nothing of it is shared with another user.
type Principal struct {
	// ID names the user for sessions and limits. It comes from what proves who
	// the user is, never from what a client says of itself.
	ID     string
	Server *server.MCPServer
	// With adds to the context of a request what its calls need, such as the
	// token that came with it; nil: nothing.
	With func(context.Context) context.Context
	// Release says that the request is over; nil: nobody wants to know.
	Release func()
}

// Authenticator tells whose request it is. Its error, a *Refusal, is the answer.
type Authenticator interface {
	Authenticate(*http.Request) (Principal, error)
}

// Refusal is the answer to a request that is not served.
type Refusal struct {
	Status    int    // HTTP
	Code      int    // JSON-RPC; 0: mcp.INVALID_REQUEST
	Message   string // for the person who configures the client; no secrets
	Challenge string // WWW-Authenticate of a 401; "": none
	// RetryAfter is when it is worth another try; 0: Retry-After is not sent.
	RetryAfter time.Duration
}

func (r *Refusal) Error() string { return r.Message }
