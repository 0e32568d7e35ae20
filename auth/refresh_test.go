package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

var dnsNotFound = &net.DNSError{Name: "a.example.com", IsNotFound: true}

// clock stands still until it is told to move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// issuer is a token endpoint that the test steers.
type issuer struct {
	mu     sync.Mutex
	calls  int
	life   time.Duration
	err    error
	pauses []time.Duration
	gate   chan struct{} // when set, each fetch announces itself and waits here
	begun  chan struct{}
}

func (i *issuer) fetch(ctx context.Context) (granted, error) {
	if i.gate != nil {
		i.begun <- struct{}{}
		<-i.gate
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.calls++
	if i.err != nil {
		return granted{}, i.err
	}
	return granted{token: fmt.Sprintf("t%d", i.calls), life: i.life}, nil
}

func (i *issuer) refresher(c *clock) *refresher {
	return &refresher{
		fetch: i.fetch, now: c.now,
		pause: func(_ context.Context, d time.Duration) error { i.pauses = append(i.pauses, d); return nil },
		stale: &Error{Message: "Refused fresh tokens.", Advice: "Ask."},
	}
}

func (r *refresher) want(t *testing.T, token string) {
	t.Helper()
	if got, err := r.Token(t.Context()); err != nil || got != token {
		t.Fatalf("Token = %q, %v; want %q", got, err, token)
	}
}

// settle waits for a background refresh, by joining or, if it is over,
// repeating it, which does nothing when the token is fresh or held back.
func (r *refresher) settle() { <-r.flight.DoChan("", r.refresh) }

func TestOneRefreshForManyCallers(t *testing.T) {
	i := &issuer{life: time.Hour, gate: make(chan struct{}), begun: make(chan struct{}, 1)}
	r := i.refresher(newClock())
	var wg sync.WaitGroup
	got := make([]string, 50)
	for n := range got {
		wg.Go(func() { got[n], _ = r.Token(context.Background()) })
	}
	<-i.begun
	close(i.gate)
	wg.Wait()
	for n, tok := range got {
		if tok != "t1" {
			t.Errorf("caller %d got %q", n, tok)
		}
	}
	if i.calls != 1 {
		t.Errorf("%d refreshes", i.calls)
	}
}

func TestManyCallersWithOneDeadToken(t *testing.T) {
	i := &issuer{life: time.Hour}
	r := i.refresher(newClock())
	r.want(t, "t1")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			r.Invalidate("t1")
			if tok, err := r.Token(context.Background()); tok != "t2" {
				t.Errorf("Token = %q, %v", tok, err)
			}
		})
	}
	wg.Wait()
	if i.calls != 2 {
		t.Errorf("%d fetches, want the first and one more", i.calls)
	}
}

func TestCallerThatLeavesDoesNotCancelTheRefresh(t *testing.T) {
	i := &issuer{life: time.Hour, gate: make(chan struct{}), begun: make(chan struct{}, 1)}
	r := i.refresher(newClock())
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := r.Token(ctx)
		left <- err
	}()
	<-i.begun
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Fatalf("the leaver got %v", err)
	}
	close(i.gate)
	r.settle()
	r.want(t, "t1")
	if i.calls != 1 {
		t.Errorf("%d refreshes", i.calls)
	}
	if _, err := r.Token(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled caller got %v", err)
	}
}

func TestRenewalBeforeTheEnd(t *testing.T) {
	for _, tt := range []struct{ life, quiet, renewed, dead time.Duration }{
		{time.Hour, 54 * time.Minute, 56 * time.Minute, 59*time.Minute + 51*time.Second},
		{time.Minute, 44 * time.Second, 46 * time.Second, 55 * time.Second},
		{0, 11 * time.Minute, 12 * time.Minute, 14*time.Minute + 51*time.Second}, // unknown: 15 minutes
	} {
		t.Run(tt.life.String(), func(t *testing.T) {
			c, i := newClock(), &issuer{life: tt.life}
			start := c.now()
			r := i.refresher(c)
			r.want(t, "t1")
			c.advance(tt.quiet)
			r.want(t, "t1")
			r.settle()
			if i.calls != 1 {
				t.Fatalf("renewed after %v", tt.quiet)
			}
			c.advance(start.Add(tt.renewed).Sub(c.now()))
			r.want(t, "t1") // at once, while the renewal runs
			r.settle()
			r.want(t, "t2")

			// The same token without anybody asking in its last minutes: it is not handed out.
			c.advance(tt.dead)
			r.want(t, "t3")
		})
	}
}

func TestFailedRenewalKeepsTheTokenThatStillWorks(t *testing.T) {
	c, i := newClock(), &issuer{life: time.Hour}
	r := i.refresher(c)
	r.want(t, "t1")
	i.err = &Error{Message: "Down.", Advice: "Wait.", Temporary: true}
	c.advance(56 * time.Minute)
	r.want(t, "t1")
	r.settle()
	if i.calls != 1+attempts {
		t.Fatalf("%d fetches", i.calls)
	}
	for range 10 { // within 30 s nobody tries again
		r.want(t, "t1")
		r.settle()
	}
	if i.calls != 1+attempts {
		t.Errorf("hammered: %d fetches", i.calls)
	}
	c.advance(31 * time.Second)
	i.err = nil
	r.want(t, "t1")
	r.settle()
	r.want(t, fmt.Sprintf("t%d", i.calls))
}

func TestFailuresAreNotHammered(t *testing.T) {
	for _, tt := range []struct {
		name     string
		err      *Error
		attempts int
		hold     time.Duration
	}{
		{"refused", &Error{Message: "No.", Advice: "Mend."}, 1, refusedFor},
		{"down", &Error{Message: "Down.", Advice: "Wait.", Temporary: true}, attempts, failedFor},
		{"busy", &Error{Message: "Busy.", Advice: "Wait.", Temporary: true, retryAfter: 20 * time.Second}, 1, 20 * time.Second},
		{"busy for a day", &Error{Message: "Busy.", Advice: "Wait.", Temporary: true, retryAfter: 24 * time.Hour}, 1, longestHold},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, i := newClock(), &issuer{life: time.Hour, err: tt.err}
			r := i.refresher(c)
			for range 20 {
				if _, err := r.Token(t.Context()); err != error(tt.err) {
					t.Fatalf("got %v", err)
				}
			}
			if i.calls != tt.attempts {
				t.Errorf("%d fetches, want %d", i.calls, tt.attempts)
			}
			c.advance(tt.hold - time.Millisecond)
			_, _ = r.Token(t.Context())
			if i.calls != tt.attempts {
				t.Errorf("tried again before %v", tt.hold)
			}
			i.err = nil
			c.advance(time.Millisecond)
			r.want(t, fmt.Sprintf("t%d", i.calls+1))
			if r.Refused() {
				t.Error("still refused")
			}
		})
	}
}

func TestRetriesWithinOneRefresh(t *testing.T) {
	i := &issuer{life: time.Hour}
	r := i.refresher(newClock())
	i.err = &Error{Message: "Busy.", Advice: "Wait.", Temporary: true, retryAfter: 2 * time.Second}
	r.pause = func(_ context.Context, d time.Duration) error {
		i.pauses = append(i.pauses, d)
		i.err = nil
		return nil
	}
	r.want(t, "t2")
	if len(i.pauses) != 1 || i.pauses[0] != 2*time.Second {
		t.Errorf("pauses %v", i.pauses)
	}
}

func TestInvalidate(t *testing.T) {
	c, i := newClock(), &issuer{life: time.Hour}
	r := i.refresher(c)
	r.want(t, "t1")
	r.Invalidate("t1")
	r.want(t, "t2")
	r.Invalidate("t1") // a straggler: t2 stays
	r.Invalidate("")
	r.want(t, "t2")

	r.Invalidate("t2") // fresh from the endpoint and refused again
	if _, err := r.Token(t.Context()); err != error(r.stale) {
		t.Fatalf("got %v, want the refusal", err)
	}
	if !r.Refused() || i.calls != 2 {
		t.Errorf("refused %v, %d fetches", r.Refused(), i.calls)
	}
	c.advance(refusedFor)
	r.want(t, "t3")

	c.advance(50 * time.Minute) // long after: an ordinary 401
	r.Invalidate("t3")
	r.want(t, "t4")
}
