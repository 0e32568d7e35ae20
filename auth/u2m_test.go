package auth

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestRefreshRotates(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	clk := newClock()
	o := p.options(dir)
	o.Now = clk.now
	p.signIn(t, o)
	c := NewCredential(o)
	seen := map[string]bool{}
	for n := range 4 {
		tok, err := c.Token(t.Context())
		if err != nil || seen[tok] {
			t.Fatalf("round %d: seen %v, %v", n, seen[tok], err)
		}
		seen[tok] = true
		if got := p.refreshed(); got != n {
			t.Fatalf("round %d: %d refreshes", n, got)
		}
		clk.advance(time.Hour)
	}
}

func TestRefreshFiveMinutesBefore(t *testing.T) {
	p := newIDP(t)
	clk := newClock()
	o := p.options(t.TempDir())
	o.Now = clk.now
	p.signIn(t, o)
	clk.advance(54 * time.Minute)
	if _, err := NewCredential(o).Token(t.Context()); err != nil || p.refreshed() != 0 {
		t.Errorf("6 minutes before: %v, %d refreshes", err, p.refreshed())
	}
	// A process that starts now and one that has been running both see it.
	clk.advance(90 * time.Second)
	if _, err := NewCredential(o).Token(t.Context()); err != nil || p.refreshed() != 1 {
		t.Errorf("4.5 minutes before: %v, %d refreshes", err, p.refreshed())
	}
}

func TestRefreshThatFailsBeforeTheEndDoesNoHarm(t *testing.T) {
	p := newIDP(t)
	clk := newClock()
	o := p.options(t.TempDir())
	o.Now = clk.now
	p.signIn(t, o)
	p.set(func() { p.issue = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) } })
	clk.advance(56 * time.Minute)
	c := NewCredential(o)
	source(t, c)
	if _, err := c.Token(t.Context()); err != nil {
		t.Errorf("the token still works for 4 minutes: %v", err)
	}
	clk.advance(5 * time.Minute)
	_, err := c.Token(t.Context())
	if e := wantError(t, err, "HTTP 503"); !e.Temporary {
		t.Errorf("%+v", e)
	}
	p.set(func() { p.issue = nil })
	clk.advance(failedFor)
	if _, err := c.Token(t.Context()); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

func TestRefusedTokenForcesOneRefresh(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	o := p.options(dir)
	p.signIn(t, o)
	c, other := NewCredential(o), NewCredential(o)
	dead, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := other.Token(t.Context()); again != dead {
		t.Fatal("two processes with two tokens")
	}
	var wg sync.WaitGroup
	for n := range 40 {
		cred := []*Credential{c, other}[n%2]
		wg.Go(func() {
			cred.Invalidate(dead)
			if tok, err := cred.Token(context.Background()); err != nil || tok == dead {
				t.Errorf("after the refusal: same %v, %v", tok == dead, err)
			}
		})
	}
	wg.Wait()
	if n := p.refreshed(); n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
}

func TestDeadRefreshToken(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		answer map[string]any
		dead   bool
	}{
		{"invalid_grant", 400, map[string]any{"error": "invalid_grant"}, true},
		{"Databricks' words", 400, map[string]any{"error": "invalid_request", "error_description": "Refresh token is invalid"}, true},
		{"consent", 400, map[string]any{"error": "consent_required"}, true},
		{"client", 401, map[string]any{"error": "invalid_client"}, false},
		{"outage", 503, map[string]any{"error": "invalid_grant"}, false},
		{"limit", 429, map[string]any{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, dir := newIDP(t), t.TempDir()
			o := p.options(dir)
			p.seed(t, o, time.Minute)
			p.set(func() {
				p.issue = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, tt.status, tt.answer) }
			})
			c := NewCredential(o)
			paused := 0
			source(t, c).pause = func(context.Context, time.Duration) error { paused++; return nil }
			_, err := c.Token(t.Context())
			e := wantError(t, err)
			if tt.dead && paused > 0 {
				t.Error("it waited before it said so")
			}
			if strings.Contains(e.Message, "has ended") != tt.dead || e.Temporary && tt.dead {
				t.Fatalf("%+v", e)
			}
			if !tt.dead {
				return
			}
			for range 5 {
				_, err = c.Token(t.Context())
				wantError(t, err, "has ended", "brickmcp login --host "+p.URL)
			}
			if n := p.refreshed(); n != 1 {
				t.Errorf("%d refreshes, want 1", n)
			}
			// The person signs in: the next call works.
			p.set(func() { p.issue = nil })
			p.signIn(t, o)
			if tok, err := c.Token(t.Context()); err != nil || !p.granted(tok) {
				t.Errorf("after signing in again: %v", err)
			}
		})
	}
}

func TestSignInWithoutRefreshToken(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	clk := newClock()
	o := p.options(dir)
	o.Now = clk.now
	o.Getenv = env{"DATABRICKS_DISABLE_OAUTH_REFRESH_TOKEN": "true"}.get
	p.signIn(t, o)
	c := NewCredential(o)
	clk.advance(59 * time.Minute)
	if _, err := c.Token(t.Context()); err != nil {
		t.Error(err)
	}
	clk.advance(time.Minute)
	_, err := c.Token(t.Context())
	wantError(t, err, "has ended", "without a refresh token")
	if p.refreshed() != 0 {
		t.Error("asked for a refresh with nothing")
	}
}

func TestRefreshTokenThatDoesNotRotateIsKept(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	o := p.options(dir)
	before := p.seed(t, o, time.Minute)
	p.set(func() { p.keep = true })
	if _, err := NewCredential(o).Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := newStore(o.withDefaults()).load(before.Key, "")
	if err != nil || r.Tokens.Refresh != before.Tokens.Refresh || r.Tokens.Access == before.Tokens.Access {
		t.Errorf("kept %v, %v", r.Tokens.Refresh == before.Tokens.Refresh, err)
	}
}

func TestFullDiskBeforeTheRefresh(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	o := p.options(dir)
	before := p.seed(t, o, time.Minute)
	c := NewCredential(o)
	u := source(t, c)
	u.store.write = func(*os.File, []byte) (int, error) {
		return 0, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	_, err := c.Token(t.Context())
	wantError(t, err, "cannot be stored in "+u.store.dir, "no space left on device", "Free some space")
	if p.refreshed() != 0 {
		t.Error("the refresh token was used up although its successor could not be stored")
	}
	if names := files(t, dir); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
	u.store.write = (*os.File).Write
	if _, err := c.Token(t.Context()); err != nil {
		t.Errorf("with space again: %v", err)
	}
	if r, err := u.store.load(before.Key, ""); err != nil || r.Generation != 2 {
		t.Errorf("%v", err)
	}
}

func TestFullDiskAfterTheRefresh(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	clk := newClock()
	o := p.options(dir)
	o.Now = clk.now
	before := p.seed(t, o, time.Minute)
	c := NewCredential(o)
	u := source(t, c)
	writes := 0
	u.store.write = func(f *os.File, b []byte) (int, error) {
		if writes++; writes > 1 {
			n, _ := f.Write(b[:len(b)/2])
			return n, syscall.ENOSPC
		}
		return f.Write(b)
	}
	tok, err := c.Token(t.Context())
	if err != nil || !p.granted(tok) {
		t.Fatalf("the token that came is good: %v", err)
	}
	if r, err := u.store.load(before.Key, ""); err != nil || r.Generation != 1 {
		t.Fatalf("stored %+v, %v", r, err)
	}
	// The half-written file is no record, and the next chance is taken.
	u.store.write = (*os.File).Write
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := u.store.load(before.Key, "")
	if err != nil || r.Tokens.Access != tok || !p.good(r.Tokens.Refresh) {
		t.Errorf("the rotated token was lost: %v", err)
	}
}

func TestCloseWaitsForTheAnswer(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	o := p.options(dir)
	before := p.seed(t, o, time.Minute)
	p.set(func() { p.hold, p.held = make(chan struct{}), make(chan struct{}, 1) })
	c := NewCredential(o)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { _, err := c.Token(ctx); gone <- err }()
	<-p.held
	cancel() // the caller leaves
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	late, stop := context.WithCancel(t.Context())
	stop()
	if err := c.Close(late); !errors.Is(err, context.Canceled) {
		t.Errorf("Close did not wait: %v", err)
	}
	close(p.hold)
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := newStore(o.withDefaults()).load(before.Key, ""); err != nil || r.Generation != 2 {
		t.Errorf("Close returned before the answer was stored: %v", err)
	}
}

func TestLoggedOutInBetween(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	clk := newClock()
	o := p.options(dir)
	o.Now = clk.now
	p.signIn(t, o)
	c := NewCredential(o)
	if _, err := c.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Logout(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	clk.advance(time.Hour)
	_, err := c.Token(t.Context())
	wantError(t, err, "Nobody is signed in")
	if p.refreshed() != 0 || len(files(t, dir)) != 0 {
		t.Errorf("%d refreshes, files %v", p.refreshed(), files(t, dir))
	}
}

func TestTokenEndpointOfTheFileIsChecked(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	o := p.options(dir)
	r := p.seed(t, o, time.Minute)
	r.Tokens.Endpoint = "https://evil.example.com/token"
	if err := newStore(o.withDefaults()).save(r); err != nil {
		t.Fatal(err)
	}
	_, err := NewCredential(o).Token(t.Context())
	wantError(t, err, "Nothing was sent there")
}

func TestAnotherProcessIsBusy(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	o := p.options(dir).withDefaults()
	r := p.seed(t, o, time.Minute)
	unlock, err := newStore(o).lock(t.Context(), r.Key)
	if err != nil {
		t.Fatal(err)
	}
	u := source(t, NewCredential(o))
	short, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = u.fetch(short)
	if e := wantError(t, err, "Another process", "busy"); !e.Temporary {
		t.Errorf("%+v", e)
	}
	unlock()
	if _, err := u.fetch(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOnlySignInOfAnotherClient(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	p.signIn(t, p.options(dir))
	o := Options{StateDir: dir, Keyring: NoKeyring, Home: t.TempDir(), SignInClientID: "own-app"}
	if _, err := Resolve(o); err == nil {
		t.Error("a sign-in for another client was taken")
	}
	o.SignInClientID, o.SignInScopes = "", []string{"all-apis", "offline_access"}
	if id, err := Resolve(o); err != nil || id.Host != p.URL {
		t.Errorf("%v, %v", id, err)
	}
	o.Getenv = env{"DATABRICKS_TOKEN": "x"}.get
	_, err := Resolve(o) // a token of who knows which workspace
	wantError(t, err, "no workspace host")
}
