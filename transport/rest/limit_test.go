package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"
)

func limited(name, bucket string, calls int, per time.Duration) *catalog.Row {
	return row(name, "GET", "/api/2.0/"+name, catalog.Read, func(r *catalog.Row) {
		r.Limit = catalog.Limit{Bucket: bucket, Calls: calls, Per: per}
	})
}

// most is the largest number of starts in any window.
func most(sent []time.Time, window time.Duration) int {
	n := 0
	for i := range sent {
		count := 0
		for j := range sent {
			if d := sent[j].Sub(sent[i]); d >= 0 && d < window {
				count++
			}
		}
		n = max(n, count)
	}
	return n
}

// together makes n calls at once and returns the errors.
func together(ctx context.Context, c *Client, n int, rows ...*catalog.Row) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, errs[i] = c.Do(ctx, callOf(rows[i%len(rows)])) })
	}
	wg.Wait()
	return errs
}

func TestDocumentedLimits(t *testing.T) {
	read, put := limited("dbfs_read", "/dbfs", 30, time.Second), limited("dbfs_put", "/dbfs", 30, time.Second)
	for _, c := range []struct {
		name     string
		n        int
		rows     []*catalog.Row
		from, to time.Duration // how long all of them take
	}{
		{"a burst within the limit waits for nothing", 30, []*catalog.Row{read}, 0, 0},
		{"200 calls", 200, []*catalog.Row{read}, 6 * time.Second, 8 * time.Second},
		{"two rows share a bucket", 200, []*catalog.Row{read, put}, 6 * time.Second, 8 * time.Second},
		{"per minute", 260, []*catalog.Row{limited("sps_list", "scim read", 255, 30*time.Second)}, 30 * time.Second, 31 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{script: []reply{ok}}
				client := newClient(t, w)
				began := time.Now()
				for _, err := range together(t.Context(), client, c.n, c.rows...) {
					if err != nil {
						t.Fatal(err)
					}
				}
				limit := c.rows[0].Limit
				if n := most(w.sent, limit.Per); n > limit.Calls {
					t.Errorf("%d starts within %s, %d are allowed", n, limit.Per, limit.Calls)
				}
				if took := time.Since(began); took < c.from || took > c.to {
					t.Errorf("took %s, want %s to %s", took, c.from, c.to)
				}
			})
		})
	}
}

// Calls that come and go at all times keep the limit in every window, too.
func TestLimitUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := limited("jobs_get", "", 10, time.Second)
		w := &wire{script: []reply{func(req *http.Request) (*http.Response, error) {
			time.Sleep(time.Duration(len(req.URL.RawQuery)%7) * 130 * time.Millisecond)
			return ok(req)
		}}}
		client := newClient(t, w)
		var wg sync.WaitGroup
		for i := range 150 {
			wg.Go(func() {
				time.Sleep(time.Duration(i*i%97) * 90 * time.Millisecond)
				call := callOf(r)
				call.Query = fmt.Sprintf("n=%0*d", i%9+1, i)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%5+1)*4*time.Second)
				defer cancel()
				_, err := client.Do(ctx, call)
				if err != nil && catalog.AsError(err).Kind != catalog.Limited && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := most(w.sent, time.Second); n > 10 {
			t.Errorf("%d starts within a second", n)
		}
		if len(w.sent) < 100 {
			t.Errorf("only %d calls got through", len(w.sent))
		}
	})
}

// Each attempt waits, not only each call.
func TestRetriesWaitTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := limited("jobs_get", "", 5, time.Second)
		w := &wire{script: []reply{fails(errReset), fails(errReset), fails(errReset), fails(errReset), fails(errReset), fails(errReset), fails(errReset), ok}}
		for _, err := range together(t.Context(), newClient(t, w), 7, r) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := most(w.sent, time.Second); n > 5 || len(w.sent) != 14 {
			t.Errorf("%d of %d starts within a second", n, len(w.sent))
		}
	})
}

func TestTurnBeyondTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := limited("jobs_get", "", 2, 10*time.Second)
		w := &wire{script: []reply{ok}}
		var told []string
		client := newClient(t, w, func(c *Config) {
			c.Waiting = func(_ context.Context, reason string, wait time.Duration) { told = append(told, reason) }
		})
		together(t.Context(), client, 2, r)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		_, err := client.Do(ctx, callOf(r))
		e := catalog.AsError(err)
		if e.Kind != catalog.Limited || time.Since(began) != 0 || w.count() != 2 {
			t.Errorf("after %s: %+v", time.Since(began), e)
		}
		contains(t, "error", e.Error(), "nothing was sent", "Call again in about 11s", "2 such calls per 10s")
		if told != nil {
			t.Errorf("told of a wait that did not happen: %q", told)
		}

		// The one that could not wait has not used up a place.
		success(t, client, callOf(r))
		if took := time.Since(began); took != 10*time.Second+slack {
			t.Errorf("the next turn came after %s", took)
		}
		if len(told) != 1 {
			t.Errorf("told %q", told)
		}
	})
}

func TestCancelledInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := limited("jobs_get", "", 1, 4*time.Second)
		w := &wire{script: []reply{ok}}
		client := newClient(t, w)
		success(t, client, callOf(r))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := client.Do(ctx, callOf(r)); !errors.Is(err, context.Canceled) || time.Since(began) != time.Second {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
			})
		}
		synctest.Wait()
		success(t, client, callOf(r)) // queues behind the three, and moves up
		if took := time.Since(began); took != 4*time.Second+slack {
			t.Errorf("took %s", took)
		}
		wg.Wait()
		if w.count() != 2 {
			t.Errorf("%d sent", w.count())
		}
	})
}

// A connection that takes long to make shortens no distance.
func TestDepartureCountsNotTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLanes(catalog.Limit{Calls: 1, Per: time.Second})
		c := newClient(t, &wire{})
		call, end := callOf(getJob), time.Now().Add(time.Minute)
		first, _ := l.turn(t.Context(), c, call, end)
		time.AfterFunc(700*time.Millisecond, first.depart)
		began := time.Now()
		second, f := l.turn(t.Context(), c, call, end)
		if f != nil || time.Since(began) != 1700*time.Millisecond+slack {
			t.Errorf("after %s: %v", time.Since(began), f)
		}
		second.end() // was never sent
		third, f := l.turn(t.Context(), c, call, end)
		if f != nil || time.Since(began) != 1700*time.Millisecond+slack {
			t.Errorf("after %s: %v", time.Since(began), f)
		}
		third.depart()
	})
}

// budget is a workspace that allows so many calls a second and answers 429 beyond.
func budget(perSecond int, refused *int) reply {
	var mu sync.Mutex
	second, used := int64(0), 0
	return func(req *http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now().Unix(); now != second {
			second, used = now, 0
		}
		if used++; used > perSecond {
			*refused++
			return answer(429, "")(req)
		}
		return ok(req)
	}
}

func TestAdaptsTo429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		w := &wire{script: []reply{budget(10, &refused)}}
		client := newClient(t, w)
		for _, err := range together(t.Context(), client, 100, getJob) {
			if err != nil {
				t.Fatal(err)
			}
		}
		// Without adapting, 90, 80, 70 … are refused in each round.
		if refused > 200 {
			t.Errorf("%d calls refused on the way", refused)
		}
		// Later calls meet a rate that the workspace allows, and no burst does harm.
		before := refused
		for _, err := range together(t.Context(), client, 60, getJob) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if refused-before > 40 {
			t.Errorf("%d of 60 refused after adapting", refused-before)
		}
		// It is forgotten after a quiet time.
		time.Sleep(quiet)
		w.script = []reply{ok}
		began := time.Now()
		together(t.Context(), client, 100, getJob)
		if took := time.Since(began); took != 0 {
			t.Errorf("still limited after a quiet time: 100 calls took %s", took)
		}
	})
}

func TestAdaptiveRate(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var a adaptive
	if a.limiter(now) != nil {
		t.Fatal("a limit before any 429")
	}
	began := now
	for range 80 {
		a.note(now)
	}
	now = now.Add(100 * time.Millisecond)
	expect := func(what string, want float64) {
		t.Helper()
		if got := float64(a.limiter(now).Limit()); got < want*0.99 || got > want*1.01 {
			t.Errorf("%s: %.2f a second, want %.2f", what, got, want)
		}
	}
	a.cut(began, now)
	expect("half of what was sent", 40)
	a.cut(began, now)
	expect("the others of the same round change nothing", 40)
	now = now.Add(time.Second)
	a.ease(now)
	expect("a 25th of the first rate back", 43.2)
	a.ease(now)
	expect("once a second", 43.2)
	for range 200 {
		now = now.Add(time.Second / 100)
		a.note(now)
	}
	a.cut(now.Add(-time.Millisecond), now)
	expect("half of the limit, which is lower than what was sent", 21.6)
	for range 20 {
		a.cut(now.Add(time.Second), now.Add(time.Second))
		now = now.Add(time.Second)
	}
	expect("never slower than", slowest)
	if a.limiter(now.Add(quiet)) != nil {
		t.Error("not forgotten")
	}
}

func TestModes(t *testing.T) {
	r := limited("jobs_get", "", 10, time.Second)
	t.Run("off", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{script: []reply{ok}}
			client := newClient(t, w, func(c *Config) { c.RateLimit = NoRateLimit })
			began := time.Now()
			together(t.Context(), client, 100, r)
			if took := time.Since(began); took != 0 || w.count() != 100 {
				t.Errorf("%d calls took %s", w.count(), took)
			}
		})
	})
	t.Run("a ceiling over all", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{script: []reply{ok}}
			client := newClient(t, w, func(c *Config) { c.RateLimit = CallsPerSecond(50) })
			began := time.Now()
			together(t.Context(), client, 200, r, getRun)
			if n := most(w.sent, time.Second); n > 50 {
				t.Errorf("%d starts within a second", n)
			}
			if took := time.Since(began); took > 5*time.Second || w.count() != 200 {
				t.Errorf("%d calls took %s", w.count(), took)
			}
		})
	})
	for text, want := range map[string]RateLimit{"": {}, "documented": {}, "off": NoRateLimit, "15": CallsPerSecond(15)} {
		if got, err := ParseRateLimit(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"0", "-1", "fast", "1.5"} {
		if _, err := ParseRateLimit(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}
