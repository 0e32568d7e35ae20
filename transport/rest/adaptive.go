package rest

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// quiet is how long after the last 429 the adaptive limit is forgotten.
	quiet = time.Minute

	// slowest is the rate below which no 429 drives a bucket, per second.
	slowest = 1
)

// adaptive finds a rate that nobody has documented: none until the workspace
// answers 429, then half of what was sent lately, halved again by each further
// round of 429, and raised by a 25th of the first rate each good second.
type adaptive struct {
	mu      sync.Mutex
	rate    *rate.Limiter // nil: no limit
	step    rate.Limit
	cutAt   time.Time // last reduction
	easedAt time.Time // last change of either kind
	last429 time.Time

	// Starts in this second and the one before it.
	second       int64
	count, prior int
}

// limiter is what calls wait for; nil: nothing.
func (a *adaptive) limiter(now time.Time) *rate.Limiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rate != nil && now.Sub(a.last429) >= quiet {
		a.rate = nil
	}
	return a.rate
}

// note counts a start.
func (a *adaptive) note(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.roll(now)
	a.count++
}

func (a *adaptive) roll(now time.Time) {
	second := now.Unix()
	switch second - a.second {
	case 0:
		return
	case 1:
		a.prior = a.count
	default:
		a.prior = 0
	}
	a.second, a.count = second, 0
}

// observed is the rate of starts of about the last second.
func (a *adaptive) observed(now time.Time) rate.Limit {
	a.roll(now)
	part := float64(now.Nanosecond()) / float64(time.Second)
	return rate.Limit(float64(a.count) + float64(a.prior)*(1-part))
}

// cut reacts to a 429 of a request that was sent at began. Of all that were sent
// within a second of the last cut none counts: they were on their way already,
// or met a window of the workspace that others had used up.
func (a *adaptive) cut(began, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last429 = now
	if a.rate != nil && began.Before(a.cutAt.Add(time.Second)) {
		return
	}
	before := a.observed(now)
	if a.rate != nil {
		// Not what was observed: calls that wait make that small, and a few cuts
		// of it would leave a crowd waiting at one call a second.
		before = a.rate.Limit()
	} else {
		a.step = max(slowest, before/25)
	}
	half := max(slowest, before/2)
	if a.rate == nil {
		a.rate = rate.NewLimiter(half, 1)
	} else {
		a.rate.SetLimitAt(now, half)
	}
	a.rate.SetBurstAt(now, max(1, int(half/10)))
	a.cutAt, a.easedAt = now, now
}

// ease reacts to a success.
func (a *adaptive) ease(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.rate == nil:
	case now.Sub(a.last429) >= quiet:
		a.rate = nil
	case now.Sub(a.easedAt) >= time.Second:
		a.easedAt = now
		a.rate.SetLimitAt(now, a.rate.Limit()+a.step)
	}
}
