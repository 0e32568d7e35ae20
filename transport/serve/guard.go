package serve

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
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
	// QuickAuth says that authentication asks nobody. Then whoever sends many failures
	// is slowed but still heard; else refused until some time has passed, for every
	// look-up costs.
	QuickAuth bool
	Refused   func(reason string) // hears of every refusal; reasons are few; nil: nobody
	Log       *zap.Logger         // nil: silent

	once     sync.Once
	hosts    []hostPort
	origins  []string
	users    *users
	failures *failures
	calls    slots // of all users
}

// DefaultMaxBody bounds the body of a request.
const DefaultMaxBody = 4 << 20

// The reasons of refusals, as Refused hears them.
const (
	reasonHost     = "host"
	reasonOrigin   = "origin"
	reasonBody     = "body"
	reasonFailures = "failures"
	reasonAuth     = "authentication"
	reasonRate     = "rate"
	reasonCalls    = "calls"
	reasonStreams  = "streams"
	reasonBusy     = "busy"
	reasonPanic    = "panic"
)

// Reasons are what Guard and HTTP call their refusals.
func Reasons() []string {
	return []string{reasonHost, reasonOrigin, reasonBody, reasonFailures, reasonAuth,
		reasonRate, reasonCalls, reasonStreams, reasonBusy, reasonPanic, reasonConnections}
}

func (g *Guard) setUp() {
	g.once.Do(func() {
		if g.MaxBody == 0 {
			g.MaxBody = DefaultMaxBody
		}
		if g.Address == nil {
			g.Address = func(r *http.Request) string { return r.RemoteAddr }
		}
		if g.Refused == nil {
			g.Refused = func(string) {}
		}
		if g.Log == nil {
			g.Log = zap.NewNop()
		}
		limits := g.Limits.orDefault()
		g.hosts, g.origins = hostPorts(g.Hosts), canonicalOrigins(g.Origins)
		g.users, g.failures = newUsers(limits), newFailures(limits)
		g.calls = newSlots(limits.Calls)
	})
}

// Wrap is next behind the guard.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	g.setUp()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &statusWriter{ResponseWriter: w}
		defer g.catch(a, r)
		a.Header().Set("X-Content-Type-Options", "nosniff")
		from := source(g.Address(r))
		if !g.failures.admit(r, from, g.QuickAuth) {
			g.Refused(reasonFailures)
			a.Header().Set("Connection", "close")
			turnAway(a, tooMany("too many failed requests came from this address", failurePause))
			return
		}
		if reason, refusal := g.check(r); refusal != nil {
			g.Refused(reason)
			turnAway(a, refusal)
		} else {
			// The writer of net/http, not ours: it is told to end the connection.
			r.Body = http.MaxBytesReader(w, r.Body, g.MaxBody)
			next.ServeHTTP(a, r)
		}
		// Whoever authenticated is counted as a user, and fails at nobody else's cost.
		if a.status/100 == 4 && a.status != http.StatusTooManyRequests && !g.failures.trusts(r) {
			g.failures.add(from, time.Now())
		}
	})
}

// check looks at what a request says before its body.
func (g *Guard) check(r *http.Request) (reason string, refusal *Refusal) {
	switch {
	case r.ContentLength > g.MaxBody:
		return reasonBody, &Refusal{
			Status:  http.StatusRequestEntityTooLarge,
			Message: fmt.Sprintf("the message is longer than %d bytes; pass large contents by other means", g.MaxBody),
		}
	case !g.hostAllowed(r):
		return reasonHost, &Refusal{
			Status:  http.StatusForbidden,
			Message: "this Host is not served here, in case a web page made its name point to this machine; whoever runs the server can allow it (--allow-host)",
		}
	case !g.originAllowed(r):
		return reasonOrigin, &Refusal{
			Status:  http.StatusForbidden,
			Message: "web pages of this Origin may not call this server; whoever runs it can allow them (--allow-origin)",
		}
	}
	return "", nil
}

// catch answers a request whose handler panicked. The stack goes to the log alone.
func (g *Guard) catch(a *statusWriter, r *http.Request) {
	value := recover()
	if value == nil {
		return
	}
	if err, ok := value.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(value) // net/http's own way to cut a connection
	}
	// What was panicked with may quote a request. The stack tells where to look.
	what := fmt.Sprintf("%T", value)
	if err, ok := value.(runtime.Error); ok {
		what = err.Error()
	}
	g.Refused(reasonPanic)
	g.Log.Error("a request made the server panic", zap.String("method", r.Method), zap.String("panic", what), zap.ByteString("stack", debug.Stack()))
	if a.status != 0 { // the client would take half an answer for a whole one
		panic(http.ErrAbortHandler)
	}
	a.Header().Set("Connection", "close")
	turnAway(a, &Refusal{
		Status: http.StatusInternalServerError, Code: mcp.INTERNAL_ERROR,
		Message: "the server failed at this request; its log says where",
	})
}
