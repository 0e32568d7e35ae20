package rest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"brickmcp/catalog"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"
)

const (
	networkTries = 5 // at failures of the connection
	serverTries  = 3 // at 500, 502, 504: it is rarely cured by asking again

	// longWait is from where on a wait is worth telling.
	longWait = time.Second
)

// retry sends the call, again where the effect allows, until it succeeds, is
// refused, or its time is up. It never sleeps past the end: what is known by
// then is returned while somebody still listens.
func (c *Client) retry(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
	end := time.Now().Add(retryBudget)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	if !transfer(call) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, time.Now().Add(callLimit), errCallLimit)
		defer cancel()
	}
	history := history{}
	for {
		answer, f := c.attempt(ctx, call, end)
		if f == nil {
			return answer, nil
		}
		history.tries++
		if f.gone && history.doubt && call.Row.Effect == catalog.Delete {
			// It was there to delete, or so an earlier attempt with a lost
			// answer says: gone is what was asked for.
			return &catalog.Answer{Status: http.StatusOK, Header: http.Header{}, RequestID: f.RequestID}, nil
		}
		if f.stale != "" && !history.refreshed {
			history.refreshed = true
			fresh, err := c.refreshed(ctx, f.stale)
			if fresh {
				continue
			}
			if err != nil { // what the workspace said, and how to sign in
				f.signInAgain(c.notSignedIn(call, err))
			}
		}
		again, wait := history.next(call, f, end)
		history.doubt = history.doubt || f.doubtful()
		if !again {
			return nil, history.conclude(call, f)
		}
		c.log.Info("retry", zap.String("tool", call.Row.Name), zap.String("kind", string(f.Kind)), zap.Int("status", f.Status), zap.Int("attempt", history.tries), zap.Duration("wait", wait), zap.String("request_id", f.RequestID))
		if err := c.pause(ctx, fmt.Sprintf("%s: %s; attempt %d follows", call.Row.Name, because(f), history.tries+1), wait); err != nil {
			return nil, history.conclude(call, gaveUp(ctx, call, f.fate, f))
		}
	}
}

// refreshed reports a refused token and says whether there is another one.
func (c *Client) refreshed(ctx context.Context, stale string) (bool, error) {
	if c.config.Invalidate == nil {
		return false, nil
	}
	c.config.Invalidate(stale)
	token, err := c.config.Token(ctx)
	return err == nil && token != stale, err
}

// pause sleeps, and says so beforehand when it is long.
func (c *Client) pause(ctx context.Context, reason string, wait time.Duration) error {
	if wait <= 0 {
		return ctx.Err()
	}
	if wait > longWait && c.config.Waiting != nil {
		c.config.Waiting(ctx, reason, wait)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// history is what happened to a call so far.
type history struct {
	tries     int
	doubt     bool // an attempt may have taken effect
	refreshed bool // the one fresh token after a 401 has been asked for
	patient   *backoff.ExponentialBackOff
	brisk     *backoff.ExponentialBackOff
}

// next says whether to go on after f, and when.
func (h *history) next(call *catalog.Call, f *failure, end time.Time) (bool, time.Duration) {
	if !f.mayRepeat(call) || f.tries > 0 && h.tries >= f.tries {
		return false, 0
	}
	wait := h.backoff(f.quick)
	if f.after > 0 {
		// With a little on top, or all that were sent away come back at once.
		wait = f.after + rand.N(250*time.Millisecond)
	}
	if f.after == 0 {
		f.after = wait
	}
	return time.Now().Add(wait).Before(end), wait
}

// backoff is exponential with jitter: about 1, 2, 4, 8, 10 s for a workspace
// that is busy, and a start at 0.1 s for a connection that broke.
func (h *history) backoff(quick bool) time.Duration {
	b, first := &h.patient, time.Second
	if quick {
		b, first = &h.brisk, 100*time.Millisecond
	}
	if *b == nil {
		*b = &backoff.ExponentialBackOff{InitialInterval: first, Multiplier: 2, RandomizationFactor: 0.25, MaxInterval: 10 * time.Second}
	}
	return (*b).NextBackOff()
}

// conclude is the error of the whole call, of which f ended the last attempt.
func (h *history) conclude(call *catalog.Call, f *failure) *catalog.Error {
	e := f.Error
	effect := call.Row.Effect
	if h.tries > 1 && f.fate != refused {
		e.Message += fmt.Sprintf(" (after %d attempts)", h.tries)
	}
	switch {
	case f.after > 0 && f.mayRepeat(call):
		e.Advice = fmt.Sprintf("Call again in about %s. ", seconds(f.after)) + e.Advice
	case f.fate == failed:
		e.Advice = "Call again in a minute. " + e.Advice
	}
	switch {
	case effect.ReadOnly() || !h.doubt:
		return e
	case !effect.Repeatable() && f.fate == refused && !f.taken:
		// The earlier attempt carried the same bytes and must have been refused
		// alike, but that is a guess.
		e.Advice += " An earlier attempt of this call lost its answer. " + verify(call)
	case !effect.Repeatable():
		e.Kind = catalog.UnknownFate
		e.Message += "; it may or may not have taken effect"
		e.Advice = verify(call)
	case f.taken:
		e.Advice += " An earlier attempt of this very call lost its answer, so this may be its own effect. " + verify(call)
	default:
		e.Message += "; it may or may not have taken effect"
		e.Advice += " Calling again with the same arguments is safe."
	}
	return e
}

// verify says how to find out what became of a call, and how to repeat it safely.
func verify(call *catalog.Call) string {
	advice := call.Row.Verify
	if advice == "" {
		advice = "Look at the object's present state before calling again."
	}
	if key := keyOf(call); key != "" {
		advice += fmt.Sprintf(" Calling again with %q: %q is safe: it takes effect once.", call.Row.Token, key)
	}
	return advice
}

// because is a failure in a few words, for progress.
func because(f *failure) string {
	switch {
	case f.Status == http.StatusTooManyRequests || f.fate == rejected:
		return "the workspace limits the request rate"
	case f.Status != 0:
		return fmt.Sprintf("the workspace answered HTTP %d", f.Status)
	}
	return "the workspace could not be reached"
}
