package auth

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// refusedFor is how long credentials that a token endpoint refused are not tried
// again. Long enough that a burst of calls asks once, short enough that a person
// who has just mended something does not notice.
const refusedFor = 5 * time.Second

const (
	renewLead      = 5 * time.Minute  // before the end of a token; less for short-lived ones
	lastMoment     = 10 * time.Second // before its end a token is no longer handed out: it might die on the way
	renewAgain     = 30 * time.Second // between failed renewals while the old token still works
	failedFor      = 2 * time.Second  // a failure without a token answers all callers this long
	longestHold    = time.Minute      // whatever Retry-After says
	flightLimit    = 40 * time.Second // one refresh with all its attempts
	attemptLimit   = 12 * time.Second
	attempts       = 3
	longestPause   = 3 * time.Second  // a longer Retry-After ends the refresh instead
	unknownLife    = 15 * time.Minute // a token that came without expires_in
	forcedInterval = time.Minute      // two tokens refused within: a third would be, too
)

// granted is one token and how long it lives from now.
type granted struct {
	token string
	life  time.Duration
	lead  time.Duration // before its end it is renewed; 0: by the length of its life
}

// refresher keeps one short-lived token fresh. Any number of callers share one
// refresh, which belongs to none of them: a caller that gives up leaves it
// running for the others.
type refresher struct {
	fetch func(context.Context) (granted, error) // the error is an *Error
	now   func() time.Time
	pause func(context.Context, time.Duration) error
	stale *Error // the answer when the workspace refuses even a fresh token

	flight singleflight.Group

	mu          sync.Mutex
	token       string
	fetched     time.Time
	renew       time.Time // from here on a background refresh
	unusable    time.Time // from here on callers wait for a refresh
	expires     time.Time
	forced      bool // token was fetched because its predecessor was refused
	forceNext   bool
	failure     *Error // holds until failedUntil
	failedUntil time.Time
}

// wallNow drops the monotonic reading: it stands still while a laptop sleeps,
// and a token that died meanwhile would look alive.
func (r *refresher) wallNow() time.Time { return r.now().Round(0) }

func (r *refresher) Token(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	token, renew, err := r.inHand()
	if renew {
		// The channel is buffered: nobody has to listen.
		r.flight.DoChan("", r.refresh)
	}
	if token != "" || err != nil {
		return token, err
	}
	select {
	case res := <-r.flight.DoChan("", r.refresh):
		if res.Err != nil {
			return "", res.Err
		}
		return res.Val.(string), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// inHand returns the token if it is usable, whether it is time to renew it,
// and the remembered failure if there is no token.
func (r *refresher) inHand() (token string, renew bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.wallNow()
	if r.token != "" && now.Before(r.unusable) {
		return r.token, !now.Before(r.renew), nil
	}
	if r.failure != nil && now.Before(r.failedUntil) {
		return "", false, r.failure
	}
	return "", false, nil
}

// refresh runs in one goroutine at a time.
func (r *refresher) refresh() (any, error) {
	// A caller may have looked before the last refresh ended and come here after.
	if token, renew, err := r.inHand(); err != nil || token != "" && !renew {
		return token, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), flightLimit)
	defer cancel()
	got, err := r.fetchWithRetry(ctx)
	if err != nil {
		return "", r.failed(err)
	}
	r.store(got)
	return got.token, nil
}

func (r *refresher) fetchWithRetry(ctx context.Context) (granted, *Error) {
	wait := 300 * time.Millisecond
	for n := 1; ; n++ {
		attempt, cancel := context.WithTimeout(ctx, attemptLimit)
		got, err := r.fetch(attempt)
		cancel()
		if err == nil {
			return got, nil
		}
		var e *Error
		if !errors.As(err, &e) {
			e = &Error{Message: "The token could not be fetched.", Temporary: true}
		}
		pause := max(wait, e.retryAfter)
		if !e.Temporary || n == attempts || pause > longestPause || r.pause(ctx, pause) != nil {
			return granted{}, e
		}
		wait *= 3
	}
}

func (r *refresher) store(got granted) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.wallNow()
	life := got.life
	if life <= 0 {
		life = unknownLife
	}
	r.token, r.fetched, r.expires = got.token, now, now.Add(life)
	// Databricks' usual hour is renewed 5 minutes before its end; a token of
	// one minute still serves for 45 seconds.
	lead := got.lead
	if lead <= 0 {
		lead = min(renewLead, life/4)
	}
	r.renew = r.expires.Add(-lead)
	r.unusable = r.expires.Add(-min(lastMoment, life/10))
	r.forced, r.forceNext = r.forceNext, false
	r.failure = nil
}

// failed decides how long not to ask again.
func (r *refresher) failed(e *Error) *Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.wallNow()
	if r.token != "" && now.Before(r.unusable) {
		r.renew = now.Add(max(renewAgain, min(e.retryAfter, longestHold)))
		return e
	}
	if e.noHold {
		r.failure = nil
		return e
	}
	hold := refusedFor
	if e.Temporary {
		hold = max(failedFor, min(e.retryAfter, longestHold))
	}
	r.failure, r.failedUntil = e, now.Add(hold)
	return e
}

func (r *refresher) Invalidate(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if token == "" || token != r.token {
		return
	}
	now := r.wallNow()
	if r.forced && now.Before(r.fetched.Add(forcedInterval)) {
		r.failure, r.failedUntil = r.stale, now.Add(refusedFor)
	} else {
		r.failure = nil
	}
	r.token, r.forceNext = "", true
}

func (r *refresher) ExpiresAt() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.token == "" {
		return time.Time{}
	}
	return r.expires
}

func (r *refresher) Refused() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.token == "" && r.failure != nil && !r.failure.Temporary
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
