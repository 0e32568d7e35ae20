package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const ana = "ana@example.com"

// idp is a workspace with an OpenID provider for people: it checks PKCE, hands
// out codes and refresh tokens that work once, and counts.
type idp struct {
	*httptest.Server

	mu        sync.Mutex
	codes     map[string]url.Values // the authorization request of each unused code
	refresh   map[string]bool       // refresh token -> still good
	access    map[string]bool
	n         int
	exchanges int
	refreshes int // requests, good or bad
	life      int64
	user      string
	secrets   []string // everything that must not be seen

	issue http.HandlerFunc // replaces the token endpoint when set
	hold  chan struct{}    // when set, a refresh waits here before anything happens
	held  chan struct{}
	drop  bool // those that waited get no answer and change nothing
	keep  bool // refresh tokens do not rotate
	deny  string
	iss   string // sent with the answer
	noMe  bool
}

func newIDP(t *testing.T) *idp {
	p := &idp{codes: map[string]url.Values{}, refresh: map[string]bool{}, access: map[string]bool{}, life: 3600, user: ana}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/databricks-config", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, 200, map[string]any{"oidc_endpoint": p.URL + "/oidc", "account_id": "acc", "workspace_id": "77", "host_type": "WORKSPACE_HOST"})
	})
	mux.HandleFunc("GET /oidc/.well-known/oauth-authorization-server", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, 200, map[string]any{"issuer": p.URL + "/oidc", "authorization_endpoint": p.URL + "/oidc/v1/authorize", "token_endpoint": p.URL + "/oidc/v1/token"})
	})
	mux.HandleFunc("GET /oidc/v1/authorize", p.authorize)
	mux.HandleFunc("POST /oidc/v1/token", p.token)
	mux.HandleFunc("GET /api/2.0/preview/scim/v2/Me", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.noMe || !p.access[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")] {
			w.WriteHeader(401)
			return
		}
		writeJSON(w, 200, map[string]any{"userName": p.user, "displayName": "Ana"})
	})
	p.Server = httptest.NewUnstartedServer(mux)
	p.Start()
	t.Cleanup(p.Close)
	return p
}

func (p *idp) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p.mu.Lock()
	defer p.mu.Unlock()
	if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || q.Get("response_type") != "code" || len(q.Get("state")) < 22 {
		http.Error(w, "bad request", 400)
		return
	}
	back := url.Values{"state": {q.Get("state")}}
	if p.iss != "" {
		back.Set("iss", p.iss)
	}
	if p.deny != "" {
		back.Set("error", p.deny)
		back.Set("error_description", `<script>alert("no")</script>`)
	} else {
		code := p.secret("code")
		p.codes[code] = q
		back.Set("code", code)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"/?"+back.Encode(), http.StatusFound)
}

// secret makes a value that must never be seen. Needs mu.
func (p *idp) secret(kind string) string {
	p.n++
	s := fmt.Sprintf("%s-%d-%s", kind, p.n, randomText(8))
	p.secrets = append(p.secrets, s)
	return s
}

func (p *idp) token(w http.ResponseWriter, r *http.Request) {
	grant := r.FormValue("grant_type")
	p.mu.Lock()
	if grant == "refresh_token" {
		p.refreshes++
	}
	issue, hold, held := p.issue, p.hold, p.held
	p.mu.Unlock()
	if grant == "refresh_token" && hold != nil {
		held <- struct{}{}
		<-hold
		p.mu.Lock()
		drop := p.drop
		p.mu.Unlock()
		if drop {
			return
		}
	}
	if issue != nil {
		issue(w, r)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	bad := func(code, why string) { writeJSON(w, 400, map[string]any{"error": code, "error_description": why}) }
	if _, _, basic := r.BasicAuth(); basic || r.FormValue("client_secret") != "" {
		bad("invalid_client", "a public client has no secret")
		return
	}
	switch grant {
	case "authorization_code":
		p.exchanges++
		p.secrets = append(p.secrets, r.FormValue("code_verifier"))
		asked, ok := p.codes[r.FormValue("code")]
		delete(p.codes, r.FormValue("code"))
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") || len(r.FormValue("code_verifier")) < 43 ||
			r.FormValue("redirect_uri") != asked.Get("redirect_uri") || r.FormValue("client_id") != asked.Get("client_id") {
			bad("invalid_grant", "The code is invalid: "+r.FormValue("code"))
			return
		}
		p.grant(w, strings.Contains(asked.Get("scope"), offlineAccess))
	case "refresh_token":
		old := r.FormValue("refresh_token")
		if !p.refresh[old] {
			bad("invalid_grant", "Refresh token is invalid: "+old)
			return
		}
		if !p.keep {
			p.refresh[old] = false
		}
		p.grant(w, !p.keep)
	default:
		bad("unsupported_grant_type", grant)
	}
}

func (p *idp) grant(w http.ResponseWriter, withRefresh bool) {
	a := p.secret("access")
	p.access[a] = true
	out := map[string]any{"access_token": a, "token_type": "Bearer", "expires_in": p.life, "scope": "all-apis"}
	if withRefresh {
		r := p.secret("refresh")
		p.refresh[r] = true
		out["refresh_token"] = r
	}
	writeJSON(w, 200, out)
}

func (p *idp) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// granted: the access token is one of this provider's.
func (p *idp) granted(token string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.access[token]
}

// good: the refresh token still works.
func (p *idp) good(token string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refresh[token]
}

func (p *idp) exchanged() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exchanges
}

func (p *idp) refreshed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refreshes
}

// options for this workspace alone, with a state directory of the test's own.
func (p *idp) options(dir string) Options {
	return Options{Host: p.URL, StateDir: dir, Keyring: NoKeyring, HTTPClient: p.Client(), sync: func(*os.File) error { return nil }}
}

// browse is a browser and a person who agrees.
func browse(address string) (status int, body string, header http.Header, err error) {
	resp, err := http.Get(address)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), resp.Header, err
}

// signIn runs a whole login.
func (p *idp) signIn(t *testing.T, o Options) *LoginResult {
	t.Helper()
	r, err := Login(t.Context(), LoginOptions{Options: o, OpenBrowser: func(u string) error {
		go func() { _, _, _, _ = browse(u) }()
		return nil
	}})
	if err != nil {
		t.Fatalf("Login: %v", err)
	}
	return r
}

// seed stores a sign-in whose access token has run out.
func (p *idp) seed(t *testing.T, o Options, expired time.Duration) *record {
	t.Helper()
	o = o.withDefaults()
	now := o.Now().Round(0).UTC()
	p.mu.Lock()
	r := &record{
		Key: newLoginKey(p.URL, "", "", nil), User: ana, SignedInAt: now.Add(-2 * time.Hour), Generation: 1,
		Tokens: &tokens{Access: p.secret("access"), Refresh: p.secret("refresh"), Endpoint: p.URL + "/oidc/v1/token", IssuedAt: now.Add(-time.Hour - expired), ExpiresAt: now.Add(-expired)},
	}
	p.refresh[r.Tokens.Refresh] = true
	p.access[r.Tokens.Access] = true
	p.mu.Unlock()
	s := newStore(o)
	if err := s.prepare(); err != nil {
		t.Fatal(err)
	}
	saved := *r
	if key, err := s.vault.sealKey(true); err == nil {
		if err := saved.seal(key); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.save(&saved); err != nil {
		t.Fatal(err)
	}
	return r
}

// source is the token source behind a credential, for the seams of tests.
func source(t *testing.T, c *Credential) *u2m {
	t.Helper()
	id, err := c.Identity()
	if err != nil {
		t.Fatal(err)
	}
	u := id.source.(*u2m)
	u.pause = func(context.Context, time.Duration) error { return nil }
	return u
}

// noSecrets fails when a text holds one of the values that this provider
// handed out or was sent.
func (p *idp) noSecrets(t *testing.T, what, text string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.secrets {
		if s != "" && (strings.Contains(text, s) || strings.Contains(text, url.QueryEscape(s))) {
			kind, _, _ := strings.Cut(s, "-")
			t.Errorf("%s holds a secret (%s…):\n%s", what, kind, text)
		}
	}
}

// files lists the names in the token directory, without lock files.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "signin"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

// locked is a buffer that two goroutines may write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
