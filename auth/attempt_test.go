package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

func TestSignInInTheBackground(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	o := p.options(dir)
	o.SignIn = true
	a, b := NewCredential(o), NewCredential(o)
	urls := make([]string, 20)
	var wg sync.WaitGroup
	for n := range urls {
		wg.Go(func() {
			_, err := []*Credential{a, b}[n%2].Token(context.Background())
			var e *Error
			if errors.As(err, &e) {
				urls[n] = e.SignInURL
			}
		})
	}
	wg.Wait()
	for _, u := range urls {
		if u == "" || u != urls[0] {
			t.Fatalf("addresses %q", urls)
		}
	}
	if status, body, _, err := browse(urls[0]); err != nil || status != 200 {
		t.Fatalf("%d %v\n%s", status, err, body)
	}
	for _, c := range []*Credential{a, b} {
		if tok, err := c.Token(t.Context()); err != nil || !p.granted(tok) {
			t.Errorf("after the sign-in: %v", err)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if names := files(t, dir); len(names) != 1 || p.exchanged() != 1 {
		t.Errorf("files %v, %d exchanges", names, p.exchanged())
	}
}

func TestDeclinedInTheBackground(t *testing.T) {
	p := newIDP(t)
	o := p.options(t.TempDir())
	o.SignIn = true
	c := NewCredential(o)
	_, err := c.Token(t.Context())
	first := wantError(t, err).SignInURL
	p.set(func() { p.deny = "access_denied" })
	u := source(t, c)
	u.mu.Lock()
	running := u.attempt
	u.mu.Unlock()
	if status, _, _, err := browse(first); err != nil || status != 403 {
		t.Errorf("%d %v", status, err)
	}
	<-running.done
	wantError(t, c.AwaitSignIn(t.Context()), "was declined")
	_, err = c.Token(t.Context())
	e := wantError(t, err, "The last attempt:", "was declined")
	if e.SignInURL == "" || e.SignInURL == first {
		t.Errorf("no new address: %q", e.SignInURL)
	}
	p.noSecrets(t, "the error", e.Error())
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLoginEndsTheBackgroundSignIn(t *testing.T) {
	p := newIDP(t)
	o := p.options(t.TempDir())
	o.SignIn = true
	c := NewCredential(o)
	_, err := c.Token(t.Context())
	wantError(t, err)
	u := source(t, c)
	u.mu.Lock()
	running := u.attempt
	u.mu.Unlock()
	p.signIn(t, o) // brickmcp login in a terminal
	if _, err := c.Token(t.Context()); err != nil {
		t.Error(err)
	}
	<-running.done // the port is free again
}

func TestBackgroundSignInThatCannotStart(t *testing.T) {
	p := newIDP(t)
	o := p.options(t.TempDir())
	o.SignIn = true
	p.Close()
	c := NewCredential(o)
	source(t, c)
	_, err := c.Token(t.Context())
	e := wantError(t, err, "Nobody is signed in", "cannot be started", "refuses connections", "brickmcp login --host")
	if e.SignInURL != "" {
		t.Errorf("an address of nothing: %s", e.SignInURL)
	}
}

func TestATokenInTheProfileEndsTheWait(t *testing.T) {
	p := newIDP(t)
	path := writeConfig(t, "[DEFAULT]\nhost = "+p.URL+"\n")
	c := NewCredential(Options{ConfigFile: path, StateDir: t.TempDir(), Keyring: NoKeyring})
	_, err := c.Token(t.Context())
	wantError(t, err, "Nobody is signed in")
	rewrite(t, path, "[DEFAULT]\nhost = "+p.URL+"\ntoken = pasted\n")
	if tok, err := c.Token(t.Context()); err != nil || tok != "pasted" {
		t.Errorf("%q, %v", tok, err)
	}
}

func TestHalfConfiguredIsSaid(t *testing.T) {
	o := Options{StateDir: t.TempDir(), Keyring: NoKeyring, Getenv: env{"DATABRICKS_HOST": "https://a.example.com", "DATABRICKS_CLIENT_ID": "x"}.get}
	_, err := NewCredential(o).Token(t.Context())
	wantError(t, err, "Nobody is signed in to https://a.example.com", "oauth-m2m lacks DATABRICKS_CLIENT_SECRET")
}

func TestNoSecretsAnywhere(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	clk := newClock()
	var out lockedBuffer
	show := func(what string, v any) { fmt.Fprintf(&out, "%s: %v %+v %#v %s\n", what, v, v, v, v) }
	o := p.options(dir)
	o.Now, o.SignIn = clk.now, true
	c := NewCredential(o)
	_, err := c.Token(t.Context())
	show("nobody", err)
	address := wantError(t, err).SignInURL
	_, body, header, err := browse(address)
	show("page", body)
	show("header", header)
	show("browser", err)
	r, err := Login(t.Context(), LoginOptions{Options: o, Out: &out, OpenBrowser: func(u string) error {
		go func() { _, _, _, _ = browse(u) }()
		return nil
	}})
	show("login", r)
	show("error", err)
	if _, err := c.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	id, _ := c.Identity()
	show("identity", id)
	stored, err := newStore(o.withDefaults()).load(newLoginKey(p.URL, "", "", nil), "")
	if err != nil {
		t.Fatal(err)
	}
	show("tokens", stored.Tokens)
	show("tokens by value", *stored.Tokens)
	list, err := SignIns(o)
	show("list", list)
	show("error", err)
	clk.advance(2 * time.Hour)
	p.set(func() {
		p.issue = func(w http.ResponseWriter, r *http.Request) { // an endpoint that quotes everything it was sent
			writeJSON(w, 400, map[string]any{"error": "invalid_grant", "error_description": r.Form.Encode()})
		}
	})
	_, err = c.Token(t.Context())
	show("dead", err)
	for ; err != nil; err = errors.Unwrap(err) {
		show("chain", err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if p.exchanged() != 2 {
		t.Fatalf("the flow did not run: %d exchanges", p.exchanged())
	}
	p.noSecrets(t, "all output", out.String())
}
