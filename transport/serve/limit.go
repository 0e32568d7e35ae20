package serve

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"golang.org/x/time/rate"
)

// Limits of a Guard. A negative number is no limit, 0 the default.
type Limits struct {
	UserRate     float64 // requests a second and user; default 100
	UserBurst    int     // default 200
	UserCalls    int     // of a user at once; default 64
	UserStreams  int     // likewise, of streams that stay open; default 1,024
	Calls        int     // of all users at once; default 1,000
	UserLarge    int     // of a user at once, of requests with a large body; default 8
	Large        int     // likewise, of all users; default 24
	FailureRate  float64 // failed requests a second and address; default 10
	FailureBurst int     // default 100
}

func (l Limits) orDefault() Limits {
	return Limits{
		UserRate: cmp.Or(l.UserRate, 100), UserBurst: cmp.Or(l.UserBurst, 200),
		UserCalls: cmp.Or(l.UserCalls, 64), UserStreams: cmp.Or(l.UserStreams, 1024),
		Calls:     cmp.Or(l.Calls, 1000),
		UserLarge: cmp.Or(l.UserLarge, 8), Large: cmp.Or(l.Large, 24),
		FailureRate: cmp.Or(l.FailureRate, 10), FailureBurst: cmp.Or(l.FailureBurst, 100),
	}
}

const (
	// queueTime is how long a call waits for a place before it is refused: agents
	// send bursts, and most of their hosts take a refusal for a failure.
	queueTime = time.Second
	// maxUsers bounds the users that are remembered; more share one set of limits.
	maxUsers = 16 << 10
)

// slots are places for what runs at once; nil: as many as wanted.
type slots chan struct{}

func newSlots(n int) slots {
	if n < 0 {
		return nil
	}
	return make(slots, n)
}

// take waits for a place until timeout, and reports whether there was one.
func (s slots) take(ctx context.Context, timeout time.Duration) bool {
	if s == nil {
		return true
	}
	select {
	case s <- struct{}{}:
		return true
	default:
	}
	if timeout <= 0 {
		return false
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case s <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (s slots) give() {
	if s != nil {
		<-s
	}
}

// user is what is counted of one.
type user struct {
	rate    *rate.Limiter
	calls   slots
	streams slots
	large   slots
	holding int // requests under way; guarded by users
}

// users are counted by Principal.ID.
type users struct {
	limits Limits
	large  slots // of all users

	mu    sync.Mutex
	byID  map[string]*user
	rest  *user // those beyond maxUsers
	swept time.Time
}

func newUsers(limits Limits) *users {
	u := &users{limits: limits, large: newSlots(limits.Large), byID: map[string]*user{}}
	u.rest = u.fresh()
	return u
}

func (u *users) fresh() *user {
	return &user{
		rate:  limiter(u.limits.UserRate, u.limits.UserBurst),
		calls: newSlots(u.limits.UserCalls), streams: newSlots(u.limits.UserStreams), large: newSlots(u.limits.UserLarge),
	}
}

// hold is the user with that id, who is not forgotten until let.
func (u *users) hold(id string, now time.Time) *user {
	u.mu.Lock()
	defer u.mu.Unlock()
	one := u.byID[id]
	if one == nil {
		if len(u.byID) >= maxUsers {
			u.sweep(now)
		}
		if len(u.byID) >= maxUsers {
			one = u.rest
		} else {
			one = u.fresh()
			u.byID[id] = one
		}
	}
	one.holding++
	return one
}

func (u *users) let(one *user) {
	u.mu.Lock()
	defer u.mu.Unlock()
	one.holding--
}

// sweep forgets users that forgetting gives nothing to.
func (u *users) sweep(now time.Time) {
	if now.Sub(u.swept) < sweepPause {
		return
	}
	u.swept = now
	for id, one := range u.byID {
		if one.holding == 0 && full(one.rate, now) {
			delete(u.byID, id)
		}
	}
}

// Authenticator is next with the limits of each user: it refuses what is too much.
// An Endpoint behind a Guard is given it as its Auth.
func (g *Guard) Authenticator(next Authenticator) Authenticator {
	g.setUp()
	return &limited{guard: g, next: next}
}

type limited struct {
	guard *Guard
	next  Authenticator
}

func (l *limited) Authenticate(r *http.Request) (Principal, error) {
	p, err := l.next.Authenticate(r)
	if err != nil {
		var refusal *Refusal
		if errors.As(err, &refusal) && refusal.Status/100 == 4 {
			l.guard.Refused(reasonAuth)
			l.guard.failures.distrust(r)
		}
		return p, err
	}
	l.guard.failures.trust(r)
	release, reason, refusal := l.guard.enter(r, p.ID)
	if refusal != nil {
		l.guard.Refused(reason)
		if p.Release != nil {
			p.Release()
		}
		return Principal{}, refusal
	}
	inner := p.Release
	p.Release = sync.OnceFunc(func() {
		release()
		if inner != nil {
			inner()
		}
	})
	return p, nil
}

// enter counts a request of a user in; release counts it out.
func (g *Guard) enter(r *http.Request, id string) (release func(), reason string, refusal *Refusal) {
	now := time.Now()
	one := g.users.hold(id, now)
	if wait := spend(one.rate, now); wait > 0 {
		g.users.let(one)
		return nil, reasonRate, tooMany("this user sends requests too fast", wait)
	}
	if streams(r) {
		if !one.streams.take(r.Context(), 0) {
			g.users.let(one)
			return nil, reasonStreams, tooMany("this user has too many streams open", queueTime)
		}
		r.Body = http.MaxBytesReader(nil, r.Body, smallBody) // what asks for a stream is short
		return func() { one.streams.give(); g.users.let(one) }, "", nil
	}
	if !one.calls.take(r.Context(), queueTime) {
		g.users.let(one)
		return nil, reasonCalls, tooMany("too many calls of this user are running", queueTime)
	}
	if !g.calls.take(r.Context(), queueTime) {
		one.calls.give()
		g.users.let(one)
		return nil, reasonBusy, &Refusal{
			Status: http.StatusServiceUnavailable, Code: mcp.INTERNAL_ERROR, RetryAfter: queueTime,
			Message: "the server is busy; try again later, as Retry-After says",
		}
	}
	body := g.counted(r, one)
	r.Body = body
	return func() { body.give(); g.calls.give(); one.calls.give(); g.users.let(one) }, "", nil
}

// streams reports whether a request opens a stream that stays open without work:
// a GET, or a subscription of 2026-07-28. A client that calls something else a
// subscription is refused by the endpoint, which compares the header with the message.
func streams(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Header.Get("Mcp-Method") == "subscriptions/listen"
}
