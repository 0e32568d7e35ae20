package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/server"
)

// byToken takes the bearer token for the name of the user; "bad…" is nobody.
type byToken struct {
	server   *server.MCPServer // of everybody
	asked    atomic.Int64
	released atomic.Int64
}

func (a *byToken) Authenticate(r *http.Request) (Principal, error) {
	a.asked.Add(1)
	name := r.Header.Get("Authorization")
	if name == "" || len(name) > 2 && name[:3] == "bad" {
		return Principal{}, &Refusal{Status: http.StatusUnauthorized, Message: "who are you?", Challenge: "Bearer"}
	}
	return Principal{ID: name, Server: a.server, Release: func() { a.released.Add(1) }}, nil
}

// serving answers as an Endpoint does, once work returns.
func serving(auth Authenticator, work func(*http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := auth.Authenticate(r)
		if err != nil {
			var refusal *Refusal
			if !errors.As(err, &refusal) {
				panic(err)
			}
			turnAway(w, refusal)
			return
		}
		defer p.Release()
		if work != nil {
			work(r)
		}
		w.WriteHeader(http.StatusOK)
	})
}

func guarded(guard *Guard, work func(*http.Request)) (http.Handler, *byToken) {
	auth := &byToken{}
	return guard.Wrap(serving(guard.Authenticator(auth), work)), auth
}

func of(user string) *http.Request { return post("{}", "Authorization", user) }

func TestUserRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, auth := guarded(&Guard{Limits: Limits{UserRate: 2, UserBurst: 3}}, nil)
		for i := range 3 {
			if w := do(h, of("ann")); w.Code != http.StatusOK {
				t.Fatalf("request %d: %d", i, w.Code)
			}
		}
		w := do(h, of("ann"))
		mustRefuse(t, w, http.StatusTooManyRequests)
		if got := w.Header().Get("Retry-After"); got != "1" {
			t.Errorf("Retry-After %q", got)
		}
		if w := do(h, of("bob")); w.Code != http.StatusOK {
			t.Errorf("another user: %d", w.Code)
		}
		time.Sleep(500 * time.Millisecond)
		if w := do(h, of("ann")); w.Code != http.StatusOK {
			t.Errorf("after the wait: %d", w.Code)
		}
		mustRefuse(t, do(h, of("ann")), http.StatusTooManyRequests)
		if asked, released := auth.asked.Load(), auth.released.Load(); asked != released {
			t.Errorf("%d principals, %d released", asked, released)
		}
	})
}

func TestNoUserRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := guarded(&Guard{Limits: Limits{UserRate: -1}}, nil)
		for range 1000 {
			if w := do(h, of("ann")); w.Code != http.StatusOK {
				t.Fatal(w.Code)
			}
		}
	})
}

// hold starts n requests that stay until release.
func hold(h http.Handler, n int, request func(i int) *http.Request) *sync.WaitGroup {
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { do(h, request(i)) })
	}
	synctest.Wait()
	return &running
}

func TestCallsOfAUserAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h, auth := guarded(&Guard{Limits: Limits{UserCalls: 2}}, func(r *http.Request) {
			if r.Header.Get("Authorization") == "ann" {
				<-release
			}
		})
		running := hold(h, 2, func(int) *http.Request { return of("ann") })
		began := time.Now()
		mustRefuse(t, do(h, of("ann")), http.StatusTooManyRequests)
		if waited := time.Since(began); waited != queueTime {
			t.Errorf("refused after %v", waited)
		}
		if w := do(h, of("bob")); w.Code != http.StatusOK {
			t.Errorf("another user: %d", w.Code)
		}
		// One that waits shortly is served, not refused.
		waiting := make(chan int, 1)
		go func() { waiting <- do(h, of("ann")).Code }()
		synctest.Wait()
		close(release)
		running.Wait()
		if status := <-waiting; status != http.StatusOK {
			t.Errorf("the one that waited: %d", status)
		}
		if asked, released := auth.asked.Load(), auth.released.Load(); asked != released {
			t.Errorf("%d principals, %d released", asked, released)
		}
	})
}

func TestCallsOfAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var reasons []string
		guard := &Guard{Limits: Limits{Calls: 3, UserCalls: 1}, Refused: func(reason string) { reasons = append(reasons, reason) }}
		h, _ := guarded(guard, func(*http.Request) { <-release })
		running := hold(h, 3, func(i int) *http.Request { return of("user-" + strconv.Itoa(i)) })
		w := do(h, of("ann"))
		mustRefuse(t, w, http.StatusServiceUnavailable)
		if w.Header().Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
		close(release)
		running.Wait()
		if w := do(h, of("ann")); w.Code != http.StatusOK {
			t.Errorf("afterwards: %d", w.Code)
		}
		if fmt.Sprint(reasons) != "[busy]" {
			t.Errorf("reasons %v", reasons)
		}
	})
}

// A client that leaves while it waits for a place takes none.
func TestLeavingTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h, _ := guarded(&Guard{Limits: Limits{UserCalls: 1}}, func(*http.Request) { <-release })
		running := hold(h, 1, func(int) *http.Request { return of("ann") })
		ctx, leave := context.WithCancel(t.Context())
		began := time.Now()
		left := make(chan struct{})
		go func() {
			defer close(left)
			do(h, of("ann").WithContext(context.WithValue(ctx, http.LocalAddrContextKey, ours)))
		}()
		synctest.Wait()
		leave()
		<-left
		if waited := time.Since(began); waited != 0 {
			t.Errorf("it stayed %v", waited)
		}
		close(release)
		running.Wait()
		if w := do(h, of("ann")); w.Code != http.StatusOK {
			t.Errorf("afterwards: %d", w.Code)
		}
	})
}

func TestStreamsOfAUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h, _ := guarded(&Guard{Limits: Limits{UserStreams: 2, UserCalls: 1}}, func(r *http.Request) {
			if streams(r) {
				<-release
			}
		})
		open := func(i int) *http.Request {
			r := of("ann")
			if i == 0 {
				r.Header.Set("Mcp-Method", "subscriptions/listen")
				return r
			}
			r.Method = http.MethodGet
			return r
		}
		running := hold(h, 2, open)
		mustRefuse(t, do(h, open(0)), http.StatusTooManyRequests)
		if w := do(h, of("ann")); w.Code != http.StatusOK {
			t.Errorf("a call beside the streams: %d", w.Code)
		}
		close(release)
		running.Wait()
	})
}

// Guessing is slow, and does not lock out whoever knows the secret.
func TestFailuresAreSlowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := guarded(&Guard{QuickAuth: true, Limits: Limits{FailureRate: 1, FailureBurst: 5}}, nil)
		began := time.Now()
		for range 5 {
			mustRefuse(t, do(h, of("bad")), http.StatusUnauthorized)
		}
		if spent := time.Since(began); spent != 0 {
			t.Errorf("the first failures took %v", spent)
		}
		for range 10 {
			mustRefuse(t, do(h, of("bad")), http.StatusUnauthorized)
		}
		if spent := time.Since(began); spent != 10*failurePause {
			t.Errorf("ten more took %v", spent)
		}
		began = time.Now()
		for range 3 { // the first shows who it is
			if w := do(h, of("ann")); w.Code != http.StatusOK {
				t.Errorf("a good one: %d", w.Code)
			}
		}
		if spent := time.Since(began); spent != failurePause {
			t.Errorf("good ones took %v", spent)
		}
	})
}

// Where authentication asks another server, floods do not reach that one.
func TestFailuresAreRefusedUnheard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, auth := guarded(&Guard{Limits: Limits{FailureRate: 1, FailureBurst: 5}}, nil)
		if w := do(h, of("ann")); w.Code != http.StatusOK {
			t.Fatal(w.Code)
		}
		for range 5 {
			mustRefuse(t, do(h, of("bad")), http.StatusUnauthorized)
		}
		asked := auth.asked.Load()
		for i := range 8 { // 0.8 s: less than a new token takes
			w := do(h, of("bad"+strconv.Itoa(i)))
			mustRefuse(t, w, http.StatusTooManyRequests)
			if w.Header().Get("Connection") != "close" {
				t.Error("the connection stays open")
			}
		}
		if more := auth.asked.Load() - asked; more != 0 {
			t.Errorf("%d bad tokens were looked up", more)
		}
		if w := do(h, of("ann")); w.Code != http.StatusOK {
			t.Errorf("a user known to be good: %d", w.Code)
		}
		other := of("bob")
		other.RemoteAddr = "192.0.2.9:1"
		if w := do(h, other); w.Code != http.StatusOK {
			t.Errorf("from another address: %d", w.Code)
		}
		time.Sleep(2 * time.Second)
		if w := do(h, of("cem")); w.Code != http.StatusOK {
			t.Errorf("once the flood is over: %d", w.Code)
		}
	})
}

// Credentials that are good no longer lose their way past the limit.
func TestTrustEnds(t *testing.T) {
	f := newFailures(Limits{}.orDefault())
	f.trust(of("ann"))
	if !f.trusts(of("ann")) || f.trusts(of("bob")) || f.trusts(post("{}")) {
		t.Error("trust goes to the wrong ones")
	}
	f.distrust(of("ann"))
	if f.trusts(of("ann")) {
		t.Error("trust outlives a failure")
	}
	f.trust(of("ann"))
	for i := range maxTrusted {
		f.trust(of("user-" + strconv.Itoa(i)))
	}
	if n := len(f.trusted) + len(f.before); n > maxTrusted {
		t.Errorf("%d are remembered", n)
	}
	if f.trusts(of("ann")) || !f.trusts(of("user-"+strconv.Itoa(maxTrusted-1))) {
		t.Error("the oldest are not the ones that are forgotten")
	}
}

// What a user does wrong is counted with the user, not against the neighbours.
func TestFailuresOfUsersAreTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard := &Guard{Limits: Limits{FailureRate: 1, FailureBurst: 2}}
		auth := guard.Authenticator(&byToken{})
		h := guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, err := auth.Authenticate(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer p.Release()
			turnAway(w, &Refusal{Status: http.StatusBadRequest, Message: "not JSON"})
		}))
		for range 10 {
			mustRefuse(t, do(h, of("ann")), http.StatusBadRequest)
		}
		mustRefuse(t, do(h, of("bob")), http.StatusBadRequest) // and not 429
	})
}

// Whoever has many addresses or names does not fill the memory.
func TestTablesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFailures(Limits{}.orDefault())
		for i := range 3 * maxSources {
			f.add(source(fmt.Sprintf("10.%d.%d.%d:9", i>>16, i>>8&255, i&255)), time.Now())
		}
		if n := len(f.bySource); n > maxSources {
			t.Errorf("%d addresses are remembered", n)
		}
		if !f.exhausted(source("192.0.2.1:1"), time.Now()) {
			t.Error("those beyond the bound are not counted")
		}
		u := newUsers(Limits{}.orDefault())
		held := u.hold("ann", time.Now())
		for i := range 2 * maxUsers {
			one := u.hold("user-"+strconv.Itoa(i), time.Now())
			spend(one.rate, time.Now())
			u.let(one)
		}
		if n := len(u.byID); n > maxUsers {
			t.Errorf("%d users are remembered", n)
		}
		time.Sleep(time.Minute)
		f.add(source("192.0.2.1:1"), time.Now())
		u.let(u.hold("bob", time.Now()))
		if len(f.bySource) != 1 || len(u.byID) != 2 {
			t.Errorf("%d addresses and %d users are left", len(f.bySource), len(u.byID))
		}
		if u.hold("ann", time.Now()) != held {
			t.Error("a user with a request under way was forgotten")
		}
	})
}

func TestSources(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1:10", "192.0.2.1:20", true},
		{"192.0.2.1:10", "192.0.2.2:10", false},
		{"[2001:db8::1]:10", "[2001:db8::ffff:2]:10", true},
		{"[2001:db8::1]:10", "[2001:db8:0:1::1]:10", false},
		{"[::ffff:192.0.2.1]:10", "192.0.2.1", true},
		{"[fe80::1%eth0]:10", "[fe80::2%eth1]:10", true},
		{"nonsense", "@", true},
	} {
		if got := source(c.a) == source(c.b); got != c.same {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}

// Past as many as wait, floods are cut off at once.
func TestPausesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := guarded(&Guard{QuickAuth: true, Limits: Limits{FailureRate: 1, FailureBurst: 1}}, nil)
		mustRefuse(t, do(h, of("bad")), http.StatusUnauthorized)
		waiting := hold(h, maxPaused, func(int) *http.Request { return of("bad") })
		began := time.Now()
		mustRefuse(t, do(h, of("bad")), http.StatusTooManyRequests)
		if spent := time.Since(began); spent != 0 {
			t.Errorf("it took %v", spent)
		}
		waiting.Wait()
	})
}
