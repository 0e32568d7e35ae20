package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"brickmcp/catalog"

	"golang.org/x/time/rate"
)

// RateLimit says which limits the client keeps by itself. The zero value keeps
// the documented ones of catalog.Row.Limit, and adapts where the workspace
// answers 429.
type RateLimit struct {
	off       bool
	perSecond int
}

// NoRateLimit keeps no limit at all.
var NoRateLimit = RateLimit{off: true}

// CallsPerSecond is one ceiling for all calls, in place of the documented limits.
func CallsPerSecond(n int) RateLimit { return RateLimit{perSecond: n} }

// PerSecond is the one ceiling for all calls: 0 where the documented limits are kept,
// less where none is.
func (r RateLimit) PerSecond() int {
	if r.off {
		return -1
	}
	return r.perSecond
}

// ParseRateLimit reads documented, off or a number of calls per second.
func ParseRateLimit(s string) (RateLimit, error) {
	switch s {
	case "", "documented":
		return RateLimit{}, nil
	case "off":
		return NoRateLimit, nil
	}
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		return CallsPerSecond(n), nil
	}
	return RateLimit{}, errors.New("a rate limit is documented, off, or a number of calls per second above 0")
}

// limiter makes attempts wait their turn. One belongs to one workspace.
type limiter struct {
	mode    RateLimit
	overall *rate.Limiter // nil: none

	mu      sync.RWMutex
	buckets map[string]*bucket
}

// bucket is what all rows of one catalog.Limit.Bucket share.
type bucket struct {
	lanes    *lanes // nil: no documented limit is kept
	adaptive adaptive
}

func newLimiter(mode RateLimit) *limiter {
	l := &limiter{mode: mode, buckets: map[string]*bucket{}}
	if n := mode.perSecond; n > 0 {
		// A token bucket lets burst + rate through in a second: together at most n.
		burst := max(1, n/10)
		l.overall = rate.NewLimiter(rate.Limit(max(n-burst, 1)), burst)
	}
	return l
}

func (l *limiter) bucket(row *catalog.Row) *bucket {
	name := row.Bucket()
	l.mu.RLock()
	b := l.buckets[name]
	l.mu.RUnlock()
	if b != nil {
		return b
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if b = l.buckets[name]; b == nil {
		b = &bucket{}
		if l.overall == nil && row.Limit.Calls > 0 {
			b.lanes = newLanes(row.Limit)
		}
		l.buckets[name] = b
	}
	return b
}

// turn waits until the call may be sent. A turn beyond end is not waited for.
func (l *limiter) turn(ctx context.Context, c *Client, call *catalog.Call, end time.Time) (*turn, *failure) {
	if l.mode.off {
		return nil, nil
	}
	b := l.bucket(call.Row)
	if l.overall != nil {
		reason := fmt.Sprintf("%s waits for its turn: at most %d calls a second are allowed here", call.Row.Name, l.mode.perSecond)
		if f := c.await(ctx, call, l.overall, reason, end); f != nil {
			return nil, f
		}
	}
	if slow := b.adaptive.limiter(time.Now()); slow != nil {
		reason := call.Row.Name + " waits for its turn: the workspace answered 429 a moment ago, and calls are spaced out"
		if f := c.await(ctx, call, slow, reason, end); f != nil {
			return nil, f
		}
	}
	b.adaptive.note(time.Now())
	if b.lanes == nil {
		return nil, nil
	}
	return b.lanes.turn(ctx, c, call, end)
}

// learn adapts the bucket to how an attempt ended.
func (l *limiter) learn(call *catalog.Call, began time.Time, f *failure) {
	switch {
	case l.mode.off:
	case f == nil:
		l.bucket(call.Row).adaptive.ease(time.Now())
	case f.fate == rejected && f.Status == http.StatusTooManyRequests:
		l.bucket(call.Row).adaptive.cut(began, time.Now())
	}
}

// await waits for a token of limiter.
func (c *Client) await(ctx context.Context, call *catalog.Call, limiter *rate.Limiter, reason string, end time.Time) *failure {
	r := limiter.Reserve()
	wait := r.Delay()
	if wait == 0 {
		return nil
	}
	if time.Now().Add(wait).After(end) {
		r.Cancel()
		return tooLong(call, reason, wait)
	}
	if c.pause(ctx, reason, wait) != nil {
		r.Cancel()
		return gaveUp(ctx, call, unsent, nil)
	}
	return nil
}

// tooLong is the answer to a call whose turn comes after its time is up.
func tooLong(call *catalog.Call, reason string, wait time.Duration) *failure {
	return &failure{Error: &catalog.Error{
		Kind:    catalog.Limited,
		Message: shorten(call.About(), 160) + ": nothing was sent, because too many other calls wait before it; " + reason,
		Advice:  fmt.Sprintf("Call again in about %s, and make fewer calls at once.", seconds(wait)),
	}, fate: unsent, final: true}
}
