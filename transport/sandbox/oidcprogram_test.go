package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// program is a client that signs people in to a workspace, and the browser it
// does so with.
type program struct {
	t      *testing.T
	w      *Workspace
	clock  *turnClock
	host   string
	http   *http.Client // follows no redirects
	config oauth2.Config
}

// custom is a registered client with a secret, portal one without.
var (
	custom = OAuthClient{ID: "custom-app", Name: `<b>"Custom" & Sons</b>`, RedirectURLs: []string{"https://mcp.example.com/callback?tenant=7"}, Secret: "s3:cret%", Scopes: []string{"sql", "offline_access"}}
	portal = OAuthClient{ID: "portal", RedirectURLs: []string{"http://127.0.0.1:9999/back"}}
)

const state = "kE9-state-of-this-sign-in"

func newProgram(t *testing.T) *program {
	t.Helper()
	p := &program{t: t, clock: newTurnClock()}
	var err error
	if p.w, err = New(Options{Clock: p.clock, OAuthClients: []OAuthClient{custom, portal}}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(p.w)
	t.Cleanup(func() {
		server.Close()
		if err := p.w.Close(); err != nil {
			t.Error(err)
		}
	})
	p.host, p.http = server.URL, server.Client()
	p.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	meta := p.get("/oidc/.well-known/oauth-authorization-server")
	p.config = oauth2.Config{
		ClientID: loginClient, RedirectURL: "http://localhost:8020", Scopes: []string{"offline_access", "all-apis"},
		Endpoint: oauth2.Endpoint{AuthURL: meta["authorization_endpoint"].(string), TokenURL: meta["token_endpoint"].(string), AuthStyle: oauth2.AuthStyleInParams},
	}
	return p
}

// ctx makes x/oauth2 use the program's HTTP client.
func (p *program) ctx() context.Context {
	return context.WithValue(p.t.Context(), oauth2.HTTPClient, p.http)
}

func (p *program) get(path string) map[string]any { return caller{p.t, p.w, ""}.callAt(p.host, path) }

// callAt is get over a socket, so that links in the answer lead there.
func (c caller) callAt(host, path string) map[string]any {
	c.t.Helper()
	resp, err := http.Get(host + path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	out := map[string]any{}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode != 200 {
		c.t.Fatal(path, resp.Status, err)
	}
	return out
}

func (p *program) do(method, address string, form url.Values) (*http.Response, string) {
	p.t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := p.http.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp, string(body)
}

var handlePattern = regexp.MustCompile(`name="request" value="([A-Z2-7]{26})"`)

// page opens the sign-in page and returns the handle in its form.
func (p *program) page(verifier string) string {
	p.t.Helper()
	resp, body := p.do("GET", p.config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)), nil)
	m := handlePattern.FindStringSubmatch(body)
	if resp.StatusCode != 200 || m == nil {
		p.t.Fatal(resp.Status, body)
	}
	return m[1]
}

// choose answers the page and returns what the browser takes back.
func (p *program) choose(handle, choice string) url.Values {
	p.t.Helper()
	resp, body := p.do("POST", p.config.Endpoint.AuthURL, url.Values{"request": {handle}, "choice": {choice}})
	to, err := resp.Location()
	if err != nil || resp.StatusCode != 303 {
		p.t.Fatal(resp.Status, body)
	}
	if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Referrer-Policy") != "no-referrer" {
		p.t.Error("the redirect, which holds a code, can be stored or leak:", resp.Header)
	}
	if back, _, _ := strings.Cut(p.config.RedirectURL, "?"); !strings.HasPrefix(to.String(), back+"?") {
		p.t.Fatal(to)
	}
	return to.Query()
}

// code signs ana in up to the authorization code.
func (p *program) code(verifier string) string {
	p.t.Helper()
	q := p.choose(p.page(verifier), "ana@example.com")
	if q.Get("state") != state || q.Get("code") == "" {
		p.t.Fatal(q)
	}
	return q.Get("code")
}

// signIn signs ana in.
func (p *program) signIn() *oauth2.Token {
	p.t.Helper()
	v := oauth2.GenerateVerifier()
	token, err := p.config.Exchange(p.ctx(), p.code(v), oauth2.VerifierOption(v))
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}

func (p *program) refresh(token string) (*oauth2.Token, error) {
	return p.config.TokenSource(p.ctx(), &oauth2.Token{RefreshToken: token}).Token()
}

func (p *program) as(token string) caller { return caller{p.t, p.w, token} }

// wants an error of the token endpoint.
func wantRefused(t *testing.T, what string, err error, code, part string) {
	t.Helper()
	var e *oauth2.RetrieveError
	if !errors.As(err, &e) || e.ErrorCode != code || !strings.Contains(e.ErrorDescription, part) {
		t.Errorf("%s: %v, want %s …%s…", what, err, code, part)
	}
}
