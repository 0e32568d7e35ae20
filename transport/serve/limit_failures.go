package serve

import (
	"context"
	"hash/maphash"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// failurePause is how long whoever failed too often has to wait for each answer,
	// which bounds what one connection can send.
	failurePause = 100 * time.Millisecond
	// maxPaused bounds those who wait; more are answered at once, and cut off.
	maxPaused = 1024
	// maxSources bounds the addresses that are counted; more share one count.
	maxSources = 8 << 10
	// maxTrusted bounds the credentials that are remembered, in two generations.
	maxTrusted = 4 << 10
	// sweepPause is the least time between two looks through a full table.
	sweepPause = time.Second
)

// limiter is a token bucket; nil: without limit.
func limiter(perSecond float64, burst int) *rate.Limiter {
	if perSecond < 0 || burst < 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), burst)
}

// spend takes a token, or says when there will be one.
func spend(l *rate.Limiter, now time.Time) time.Duration {
	if l == nil {
		return 0
	}
	taken := l.ReserveN(now, 1)
	if !taken.OK() {
		return time.Minute // a burst of nothing
	}
	wait := taken.DelayFrom(now)
	if wait > 0 {
		taken.CancelAt(now)
	}
	return wait
}

// full reports whether a bucket is as a new one would be.
func full(l *rate.Limiter, now time.Time) bool {
	return l == nil || l.TokensAt(now) >= float64(l.Burst())
}

// failures are counted by where requests come from. Requests with credentials that
// were good lately pass in any case: others behind the same address may fail.
type failures struct {
	limits Limits
	seed   maphash.Seed
	paused slots

	mu       sync.Mutex
	bySource map[netip.Prefix]*rate.Limiter
	rest     *rate.Limiter
	swept    time.Time

	trusted, before map[uint64]struct{} // a collision lets a request through to authentication, no further
}

func newFailures(limits Limits) *failures {
	return &failures{
		limits: limits, seed: maphash.MakeSeed(), paused: newSlots(maxPaused),
		bySource: map[netip.Prefix]*rate.Limiter{}, rest: limiter(limits.FailureRate, limits.FailureBurst),
		trusted: map[uint64]struct{}{},
	}
}

// source is the address that failures are counted by: all of the /64 that a host of
// IPv6 can choose from.
func source(address string) netip.Prefix {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits) // fits both
	return prefix
}

// admit lets a request through unless its source failed too often. Then it has to
// wait, and is admitted only if authentication is quick.
func (f *failures) admit(r *http.Request, from netip.Prefix, quick bool) bool {
	if !f.exhausted(from, time.Now()) || f.trusts(r) {
		return true
	}
	if !f.paused.take(r.Context(), 0) {
		return false
	}
	defer f.paused.give()
	pause(r.Context(), failurePause)
	return quick || !f.exhausted(from, time.Now())
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (f *failures) exhausted(from netip.Prefix, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.bySource[from]
	if l == nil && len(f.bySource) >= maxSources {
		l = f.rest
	}
	return l != nil && l.TokensAt(now) < 1
}

// add counts a failure.
func (f *failures) add(from netip.Prefix, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.bySource[from]
	if l == nil {
		if len(f.bySource) >= maxSources {
			f.sweep(now)
		}
		if len(f.bySource) >= maxSources {
			l = f.rest
		} else if l = limiter(f.limits.FailureRate, f.limits.FailureBurst); l != nil {
			f.bySource[from] = l
		}
	}
	if l != nil {
		l.AllowN(now, 1)
	}
}

func (f *failures) sweep(now time.Time) {
	if now.Sub(f.swept) < sweepPause {
		return
	}
	f.swept = now
	for from, l := range f.bySource {
		if full(l, now) {
			delete(f.bySource, from)
		}
	}
}

// credential is a number for what a request authenticates with; 0: nothing.
func (f *failures) credential(r *http.Request) uint64 {
	var h maphash.Hash
	h.SetSeed(f.seed)
	none := true
	for _, name := range [...]string{"Authorization", "X-Forwarded-Access-Token"} {
		for _, value := range r.Header[name] {
			none = false
			h.WriteString(value)
		}
		h.WriteByte(0)
	}
	if none {
		return 0
	}
	return h.Sum64()
}

// trust remembers the credentials of a request that was authenticated.
func (f *failures) trust(r *http.Request) {
	c := f.credential(r)
	if c == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.trusted[c]; known {
		return
	}
	if len(f.trusted) >= maxTrusted/2 {
		f.trusted, f.before = map[uint64]struct{}{}, f.trusted
	}
	f.trusted[c] = struct{}{}
}

// distrust forgets credentials that are good no longer.
func (f *failures) distrust(r *http.Request) {
	c := f.credential(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.trusted, c)
	delete(f.before, c)
}

func (f *failures) trusts(r *http.Request) bool {
	c := f.credential(r)
	if c == 0 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.trusted[c]; known {
		return true
	}
	_, known := f.before[c]
	return known
}
