package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/tools"
)

// emptyApp is an app that nobody calls.
func emptyApp(closed *atomic.Int64) *app {
	return &app{
		tools: tools.New(tools.Config{Workspaces: []tools.Workspace{{}}}),
		close: func() error { closed.Add(1); return nil },
	}
}

func testTenants(now func() time.Time) (t *tenants, made, closed *atomic.Int64) {
	made, closed = &atomic.Int64{}, &atomic.Int64{}
	t = newTenants(now)
	t.make = func(*tenant) (*app, error) { made.Add(1); return emptyApp(closed), nil }
	return t, made, closed
}

func TestTenantsAreMadeOnce(t *testing.T) {
	all, made, closed := testTenants(time.Now)
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			one, err := all.enter(fmt.Sprint(i % 5))
			if err != nil || one.app.Load() == nil {
				t.Errorf("enter: %v", err)
				return
			}
			all.leave(one)
		})
	}
	group.Wait()
	if made.Load() != 5 || all.count() != 5 {
		t.Errorf("%d were made, %d are there", made.Load(), all.count())
	}
	all.end(t.Context())
	if closed.Load() != 5 || all.count() != 0 {
		t.Errorf("%d were closed, %d are there", closed.Load(), all.count())
	}
	if _, err := all.enter("1"); !errors.Is(err, errEnding) {
		t.Errorf("after the end: %v", err)
	}
}

func TestTenantsMakeRoom(t *testing.T) {
	now := time.Unix(1e9, 0)
	all, made, closed := testTenants(func() time.Time { now = now.Add(time.Second); return now })
	all.most = 3
	var inside []*tenant
	for _, key := range []string{"a", "b", "c"} {
		one, err := all.enter(key)
		if err != nil {
			t.Fatal(err)
		}
		inside = append(inside, one)
	}
	if _, err := all.enter("d"); !errors.Is(err, errTooMany) {
		t.Fatalf("with requests of all under way: %v", err)
	}
	all.leave(inside[1]) // b was here longest ago
	all.leave(inside[0])
	if _, err := all.enter("d"); err != nil {
		t.Fatal(err)
	}
	all.closing.Wait()
	if closed.Load() != 1 || all.all["b"] != nil || all.all["a"] == nil || all.all["c"] == nil {
		t.Errorf("%d were closed, there are %v", closed.Load(), all.all)
	}
	if again, err := all.enter("b"); err != nil || again == inside[1] || made.Load() != 5 {
		t.Errorf("b comes again: %v, made %d", err, made.Load())
	}
}

func TestTenantsLeaveWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, _, closed := testTenants(time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		go all.look(ctx)
		busy, err := all.enter("busy")
		if err != nil {
			t.Fatal(err)
		}
		idle, err := all.enter("idle")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * tenantIdle / 2) // it counts from the end of the request
		all.leave(idle)
		time.Sleep(tenantIdle - time.Second)
		if all.count() != 2 {
			t.Fatalf("%d are there", all.count())
		}
		time.Sleep(2 * tenantSweep)
		synctest.Wait()
		if all.count() != 1 || closed.Load() != 1 || all.all["busy"] == nil {
			t.Errorf("%d are there, %d were closed", all.count(), closed.Load())
		}
		all.leave(busy)
		cancel()
		all.end(context.Background())
		synctest.Wait()
	})
}

// What cannot be built now may be built later.
func TestTenantsFailAndRecover(t *testing.T) {
	all, _, _ := testTenants(time.Now)
	works := all.make
	all.make = func(*tenant) (*app, error) { return nil, errors.New("no") }
	if _, err := all.enter("a"); err == nil || err.Error() != "no" || all.count() != 0 {
		t.Errorf("error %v, %d are there", err, all.count())
	}
	all.make = works
	if _, err := all.enter("a"); err != nil {
		t.Error(err)
	}
}

func TestTenantKey(t *testing.T) {
	seen := map[string]bool{}
	for _, parts := range [][3]string{{"h", "", "1"}, {"h", "1", ""}, {"h1", "", ""}, {"h", "1", "1"}, {"h", "11", ""}} {
		key := tenantKey(parts[0], parts[1], parts[2])
		if len(key) != 32 || seen[key] {
			t.Errorf("%q: key %q", parts, key)
		}
		seen[key] = true
		if key != tenantKey(parts[0], parts[1], parts[2]) {
			t.Errorf("%q: another key the second time", parts)
		}
	}
}

// askedUsers counts questions, and answers with what stands behind the colon.
type askedUsers struct {
	mu    sync.Mutex
	asked []string
	wait  chan struct{} // nil: no wait
	err   error
	end   time.Time
}

func (a *askedUsers) ask(_ context.Context, token string) (string, time.Time, error) {
	a.mu.Lock()
	a.asked = append(a.asked, token)
	err, end, wait := a.err, a.end, a.wait
	a.mu.Unlock()
	if wait != nil {
		<-wait
	}
	return "id of " + token, end, err
}

func (a *askedUsers) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.asked)
}

var errDenied = errors.New("denied")

func testTokens(a *askedUsers, now func() time.Time) *tokenUsers {
	users := newTokenUsers(now)
	users.ask, users.denied = a.ask, func(err error) bool { return errors.Is(err, errDenied) }
	return users
}

func TestTokenIsAskedAboutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := &askedUsers{wait: make(chan struct{})}
		users := testTokens(asked, time.Now)
		var group sync.WaitGroup
		for i := range 50 {
			group.Go(func() {
				ctx := t.Context()
				if i == 0 { // who asked first goes away; the others are answered all the same
					gone, cancel := context.WithCancel(ctx)
					cancel()
					if _, err := users.of(gone, "a"); !errors.Is(err, context.Canceled) {
						t.Errorf("who went away: %v", err)
					}
					return
				}
				if id, err := users.of(ctx, "a"); err != nil || id != "id of a" {
					t.Errorf("%q, %v", id, err)
				}
			})
		}
		synctest.Wait()
		close(asked.wait)
		group.Wait()
		if asked.count() != 1 {
			t.Errorf("%d questions", asked.count())
		}
		if id, err := users.of(t.Context(), "b"); err != nil || id != "id of b" {
			t.Errorf("another token: %q, %v", id, err)
		}
	})
}

func TestTokenAnswersGrowOld(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		end  time.Duration // of the token, from now; 0: unknown
		old  time.Duration
	}{
		{"good", nil, 0, tokenTime},
		{"good, ends early", nil, 10 * time.Minute, 10 * time.Minute},
		{"good, ends late", nil, 5 * time.Hour, tokenTime},
		{"refused", errDenied, 0, refusedTime},
		{"no answer", errors.New("down"), 0, downTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := &askedUsers{err: c.err}
				if c.end > 0 {
					asked.end = time.Now().Add(c.end)
				}
				users := testTokens(asked, time.Now)
				for _, step := range []struct {
					after time.Duration
					want  int
				}{{0, 1}, {c.old - time.Millisecond, 1}, {time.Millisecond, 2}} {
					time.Sleep(step.after)
					if _, err := users.of(t.Context(), "a"); !errors.Is(err, c.err) {
						t.Errorf("error %v", err)
					}
					if asked.count() != step.want {
						t.Errorf("after %v more: %d questions, want %d", step.after, asked.count(), step.want)
					}
				}
			})
		})
	}
}

func TestTokenIsForgotten(t *testing.T) {
	asked := &askedUsers{}
	users := testTokens(asked, time.Now)
	for range 2 {
		if _, err := users.of(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		users.forget("a")
		users.forget("never seen")
	}
	if asked.count() != 2 {
		t.Errorf("%d questions", asked.count())
	}
}

// A flood of tokens neither fills the memory nor costs those who are known.
func TestTokensAreBounded(t *testing.T) {
	now := time.Unix(1e9, 0)
	asked := &askedUsers{}
	users := testTokens(asked, func() time.Time { return now })
	if _, err := users.of(t.Context(), "known"); err != nil {
		t.Fatal(err)
	}
	asked.mu.Lock()
	asked.err = errDenied
	asked.mu.Unlock()
	for i := range 2 * maxTokens {
		if _, err := users.of(t.Context(), fmt.Sprint("flood ", i)); !errors.Is(err, errDenied) {
			t.Fatal(err)
		}
	}
	if len(users.known) > maxTokens {
		t.Errorf("%d tokens are known", len(users.known))
	}
	if _, err := users.of(t.Context(), "known"); err != nil {
		t.Errorf("the known one was forgotten: %v", err)
	}
	asked.mu.Lock()
	asked.err = nil
	asked.mu.Unlock()
	for i := range 2 * maxTokens { // all good, all at once
		if _, err := users.of(t.Context(), fmt.Sprint("good ", i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(users.known) > maxTokens {
		t.Errorf("%d tokens are known", len(users.known))
	}
}

// More tokens than can be asked about at once wait for their turn.
func TestTokenQuestionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := &askedUsers{wait: make(chan struct{})}
		users := testTokens(asked, time.Now)
		var late, served atomic.Int64
		var group sync.WaitGroup
		for i := range maxQuestions + 10 {
			group.Go(func() {
				switch _, err := users.of(t.Context(), fmt.Sprint(i)); {
				case errors.Is(err, errBusyAsking):
					late.Add(1)
				case err == nil:
					served.Add(1)
				}
			})
		}
		synctest.Wait()
		if asked.count() != maxQuestions {
			t.Errorf("%d questions at once", asked.count())
		}
		time.Sleep(askTime + time.Second)
		close(asked.wait)
		group.Wait()
		if late.Load() != 10 || served.Load() != maxQuestions {
			t.Errorf("%d were told to come again, %d were served", late.Load(), served.Load())
		}
	})
}

// Whoever sends tokens and leaves makes the workspace's silence neither fill the memory
// nor cost those who are known.
func TestUnknownTokensAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := &askedUsers{}
		users := testTokens(asked, time.Now)
		if _, err := users.of(t.Context(), "known"); err != nil {
			t.Fatal(err)
		}
		asked.mu.Lock()
		asked.wait = make(chan struct{})
		asked.mu.Unlock()
		gone, leave := context.WithCancel(t.Context())
		leave()
		turnedAway := 0
		for i := range 2 * maxTokens {
			if _, err := users.of(gone, fmt.Sprint("flood ", i)); errors.Is(err, errBusyAsking) {
				turnedAway++
			}
		}
		if want := 2*maxTokens - maxUnknown; turnedAway != want {
			t.Errorf("%d were turned away, want %d", turnedAway, want)
		}
		if len(users.known) > maxUnknown+1 {
			t.Errorf("%d tokens are kept", len(users.known))
		}
		before := asked.count()
		if id, err := users.of(t.Context(), "known"); err != nil || id != "id of known" || asked.count() != before {
			t.Errorf("the known one: %q, %v, %d more questions", id, err, asked.count()-before)
		}
		close(asked.wait)
		synctest.Wait()
		if id, err := users.of(t.Context(), "late"); err != nil || id != "id of late" || users.unknown != 0 {
			t.Errorf("afterwards: %q, %v, %d unknown", id, err, users.unknown)
		}
	})
}

// What whoami says under a policy that cannot be used is over with the policy, and is
// not written into what all answers share.
func TestWhoAmIAfterThePolicyIsMended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("default: nonsense\n")
	env := map[string]string{"XDG_STATE_HOME": t.TempDir()}
	c := newConfig(func(name string) string { return env[name] }, strings.NewReader(""), io.Discard, io.Discard)
	newRoot(c) // sets the defaults
	c.sandbox, c.policy = true, path
	a, err := c.build()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	level := func() string {
		t.Helper()
		who, err := a.workspace.who(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		who.under(a.policy, "")
		return who.Access["jobs"].Level
	}
	if got := level(); got != "off" {
		t.Errorf("under a policy that cannot be used: %s", got)
	}
	write("default: full\n")
	if got := level(); got != "full" {
		t.Errorf("after it was mended: %s", got)
	}
}
