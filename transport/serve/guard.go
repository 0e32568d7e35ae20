package serve

import (
	"net/http"

	"go.uber.org/zap"
)

// Guard stands before an HTTP handler and turns away what must not reach it: foreign
// hosts and origins, bodies that are too large, floods. Set its fields before the
// first request.
type Guard struct {
	// Hosts may stand in the Host header besides the loopback names and addresses with
	// our own port, which always may: a name, for every port, or name:port. "*" is
	// every host: only where whatever stands in front of us sees to it.
	Hosts []string
	// Origins are the web pages that may call us, as scheme://host[:port]. Requests
	// without an Origin do not come from a page. Our own origin on loopback always may.
	Origins []string
	MaxBody int64  // bytes; 0: DefaultMaxBody
	Limits  Limits // zero fields: the defaults
	// Address is who sent a request, for counting failures; nil: the peer's address.
	// Behind a proxy it must be what that proxy vouches for, or all are one.
	Address func(*http.Request) string
	Refused func(reason string) // hears of every refusal; reasons are few; nil: nobody
	Log     *zap.Logger         // nil: silent
}

// DefaultMaxBody bounds the body of a request.
const DefaultMaxBody = 4 << 20

// Wrap is next behind the guard.
func (g *Guard) Wrap(next http.Handler) http.Handler { return next }

// Authenticator is next with the limits of each user: it refuses what is too much.
// An Endpoint behind a Guard is given it as its Auth.
func (g *Guard) Authenticator(next Authenticator) Authenticator { return next }
