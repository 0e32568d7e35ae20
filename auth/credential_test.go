package auth

import (
	"net/http"
	"os"
	"sync"
	"testing"
	"time"
)

func TestCredentialResolvesLate(t *testing.T) {
	path := writeConfig(t, "")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	asked := 0
	c := NewCredential(Options{Home: path[:len(path)-len("/.databrickscfg")], Getenv: func(string) string { asked++; return "" }})
	if _, err := c.Token(t.Context()); err == nil {
		t.Fatal("a token out of nothing")
	} else {
		wantError(t, err, "There are no Databricks credentials")
	}
	c.Invalidate("nothing yet")

	// The person signs in meanwhile: the next call works.
	rewrite(t, path, "[DEFAULT]\nhost = https://a.example.com\ntoken = one\n")
	if tok, err := c.Token(t.Context()); err != nil || tok != "one" {
		t.Fatalf("Token = %q, %v", tok, err)
	}

	// From here on nothing is read until the token is refused.
	rewrite(t, path, "[DEFAULT]\nhost = https://a.example.com\ntoken = two\n")
	before := asked
	if tok, err := c.Token(t.Context()); err != nil || tok != "one" || asked != before {
		t.Fatalf("Token = %q, %v, %d variables read", tok, err, asked-before)
	}
	c.Invalidate("one")
	if tok, err := c.Token(t.Context()); err != nil || tok != "two" {
		t.Fatalf("after the refusal: %q, %v", tok, err)
	}
}

func TestCredentialKeepsItsHost(t *testing.T) {
	path := writeConfig(t, "[DEFAULT]\nhost = https://a.example.com\ntoken = one\n")
	clk := newClock()
	c := NewCredential(Options{ConfigFile: path, Now: clk.now})
	if tok, err := c.Token(t.Context()); err != nil || tok != "one" {
		t.Fatalf("Token = %q, %v", tok, err)
	}
	rewrite(t, path, "[DEFAULT]\nhost = https://b.example.com\ntoken = of-b\n")
	c.Invalidate("one")
	_, err := c.Token(t.Context())
	e := wantError(t, err, "https://a.example.com refused the personal access token from profile DEFAULT of "+path, "expired")
	if e.Temporary {
		t.Error("a dead token does not come back by waiting")
	}
	if id, err := c.Identity(); err != nil || id.Host != "https://a.example.com" {
		t.Errorf("identity %v, %v", id, err)
	}
	// A 401 may be a hiccup: after a moment the token is tried again.
	clk.advance(refusedFor)
	if tok, err := c.Token(t.Context()); err != nil || tok != "one" {
		t.Errorf("Token = %q, %v", tok, err)
	}
	c.Invalidate("something else")
	if tok, err := c.Token(t.Context()); err != nil || tok != "one" {
		t.Errorf("Token = %q, %v", tok, err)
	}
}

func TestCredentialTakesARenewedSecret(t *testing.T) {
	o := newOIDC(t)
	o.issue = func(w http.ResponseWriter, r *http.Request) {
		if _, secret, _ := r.BasicAuth(); secret != "new" {
			writeJSON(w, 401, map[string]any{"error": "invalid_client"})
			return
		}
		writeJSON(w, 200, map[string]any{"access_token": "good", "expires_in": 3600})
	}
	profile := func(secret string) string {
		return "[DEFAULT]\nhost = " + o.URL + "\nclient_id = i\nclient_secret = " + secret + "\n"
	}
	path := writeConfig(t, profile("old"))
	c := NewCredential(Options{ConfigFile: path, HTTPClient: o.Client()})
	_, err := c.Token(t.Context())
	wantError(t, err, "did not accept")
	rewrite(t, path, profile("new"))
	if tok, err := c.Token(t.Context()); err != nil || tok != "good" {
		t.Errorf("Token = %q, %v", tok, err)
	}
}

func TestCredentialForManyCallers(t *testing.T) {
	o := newOIDC(t)
	c := NewCredential(Options{Getenv: o.env().get, HTTPClient: o.Client()})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			tok, err := c.Token(t.Context())
			if err != nil || tok != "access-1" {
				t.Errorf("Token = %q, %v", tok, err)
			}
		})
	}
	wg.Wait()
	if n := o.issued.Load(); n != 1 {
		t.Errorf("%d tokens were asked for", n)
	}
	id, err := c.Identity()
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(id.ExpiresAt()); left < 59*time.Minute {
		t.Errorf("expires in %v", left)
	}
}

func rewrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
