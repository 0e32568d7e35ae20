package sandbox

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

func TestSignIn(t *testing.T) {
	p := newProgram(t)
	for _, who := range signInPeople {
		v := oauth2.GenerateVerifier()
		q := p.choose(p.page(v), who)
		token, err := p.config.Exchange(p.ctx(), q.Get("code"), oauth2.VerifierOption(v))
		if err != nil {
			t.Fatal(err)
		}
		if token.RefreshToken == "" || token.TokenType != "Bearer" || token.ExpiresIn != 3600 || token.Extra("scope") != "offline_access all-apis" {
			t.Error(token)
		}
		if me := p.as(token.AccessToken).get(scim + "/Me"); me["userName"] != who {
			t.Error(me)
		}
		next, err := p.refresh(token.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}
		if next.AccessToken == token.AccessToken || next.RefreshToken == token.RefreshToken {
			t.Error("a refresh did not rotate")
		}
		for _, access := range []string{token.AccessToken, next.AccessToken} {
			if me := p.as(access).get(scim + "/Me"); me["userName"] != who {
				t.Error(me)
			}
		}
	}
	if got := p.w.TokenRequests(); got != (TokenRequests{AuthorizationCode: 2, RefreshToken: 2}) {
		t.Error(got)
	}
}

func TestWithoutOfflineAccess(t *testing.T) {
	p := newProgram(t)
	p.config.Scopes = nil
	if token := p.signIn(); token.RefreshToken != "" || token.Extra("scope") != allAPIs {
		t.Error(token.RefreshToken, token.Extra("scope"))
	}
}

func TestExchangeIsRefused(t *testing.T) {
	p := newProgram(t)
	v := oauth2.GenerateVerifier()
	for name, c := range map[string]struct {
		change     func(*oauth2.Config)
		verifier   string
		late       time.Duration
		code, says string
	}{
		"wrong verifier":     {verifier: oauth2.GenerateVerifier(), code: "invalid_grant", says: "code_verifier"},
		"challenge as plain": {verifier: oauth2.S256ChallengeFromVerifier(v), code: "invalid_grant", says: "code_verifier"},
		"short verifier":     {verifier: "short", code: "invalid_grant", says: "code_verifier"},
		"no verifier":        {verifier: "", code: "invalid_request", says: "code_verifier"},
		"other redirect":     {change: func(c *oauth2.Config) { c.RedirectURL = "http://localhost:8021" }, verifier: v, code: "invalid_grant", says: "redirect_uri"},
		"no redirect":        {change: func(c *oauth2.Config) { c.RedirectURL = "" }, verifier: v, code: "invalid_request", says: "redirect_uri"},
		"other client":       {change: func(c *oauth2.Config) { c.ClientID = portal.ID }, verifier: v, code: "invalid_grant", says: "another client"},
		"unknown client":     {change: func(c *oauth2.Config) { c.ClientID = "nobody" }, verifier: v, code: "invalid_client"},
		"public with secret": {change: func(c *oauth2.Config) { c.ClientSecret = "x" }, verifier: v, code: "invalid_client"},
		"basic auth":         {change: func(c *oauth2.Config) { c.Endpoint.AuthStyle = oauth2.AuthStyleInHeader }, verifier: v, code: "invalid_client"},
		"no client":          {change: func(c *oauth2.Config) { c.ClientID = "" }, verifier: v, code: "invalid_request", says: "client_id"},
		"too late":           {verifier: v, late: codeLife, code: "invalid_grant", says: "expired"},
	} {
		code := p.code(v)
		p.clock.advance(c.late)
		config := p.config
		if c.change != nil {
			c.change(&config)
		}
		_, err := config.Exchange(p.ctx(), code, oauth2.VerifierOption(c.verifier))
		wantRefused(t, name, err, c.code, c.says)
		// A request that reached the code has used it up; another has not.
		_, err = p.config.Exchange(p.ctx(), code, oauth2.VerifierOption(v))
		if burnt := c.code == "invalid_grant"; burnt != (err != nil) {
			t.Errorf("%s, then the right request: %v", name, err)
		}
	}
	_, err := p.config.Exchange(p.ctx(), "made-up", oauth2.VerifierOption(v))
	wantRefused(t, "unknown code", err, "invalid_grant", "")
}

// A verifier that RFC 7636 does not allow proves nothing, even for its own
// challenge: it could be guessed.
func TestVerifierLength(t *testing.T) {
	for text, want := range map[string]bool{
		strings.Repeat("a", 42): false, strings.Repeat("a", 43): true, strings.Repeat("a", 128): true, strings.Repeat("a", 129): false,
		strings.Repeat("a", 43) + "+": false, strings.Repeat("a", 43) + "-._~": true,
	} {
		if proves(text, oauth2.S256ChallengeFromVerifier(text)) != want {
			t.Error(len(text), text, !want)
		}
	}
}

func TestCodeLastsTenMinutes(t *testing.T) {
	p := newProgram(t)
	v := oauth2.GenerateVerifier()
	handle := p.page(v)
	p.clock.advance(codeLife - time.Second)
	code := p.choose(handle, "ana@example.com").Get("code")
	p.clock.advance(codeLife - time.Second)
	if _, err := p.config.Exchange(p.ctx(), code, oauth2.VerifierOption(v)); err != nil {
		t.Error(err)
	}
}

func TestCodeTwiceEndsSession(t *testing.T) {
	p := newProgram(t)
	v := oauth2.GenerateVerifier()
	code := p.code(v)
	token, err := p.config.Exchange(p.ctx(), code, oauth2.VerifierOption(v))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.config.Exchange(p.ctx(), code, oauth2.VerifierOption(v))
	wantRefused(t, "second use", err, "invalid_grant", "used before")
	_, err = p.refresh(token.RefreshToken)
	wantRefused(t, "its refresh token", err, "invalid_grant", "Refresh token is invalid")
	p.as(token.AccessToken).refused("GET", scim+"/Me", nil, 401, "UNAUTHENTICATED")
}

func TestRefreshTokenTwiceEndsSession(t *testing.T) {
	p := newProgram(t)
	other := p.signIn()
	first := p.signIn()
	second, err := p.refresh(first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.refresh(first.RefreshToken)
	wantRefused(t, "an old one", err, "invalid_grant", "Refresh token is invalid: it was used before")
	_, err = p.refresh(second.RefreshToken)
	wantRefused(t, "the newest", err, "invalid_grant", "Refresh token is invalid")
	for _, access := range []string{first.AccessToken, second.AccessToken} {
		if why := p.as(access).refused("GET", scim+"/Me", nil, 401, "UNAUTHENTICATED"); why != "Invalid access token." {
			t.Error(why)
		}
	}
	if _, err := p.refresh(other.RefreshToken); err != nil {
		t.Error("another session of the same person ended too:", err)
	}
	if got := p.w.TokenRequests().RefreshToken; got != 4 {
		t.Error("refused requests count too:", got)
	}
}

func TestRefreshIsRefused(t *testing.T) {
	p := newProgram(t)
	token := p.signIn()
	other := p.config
	other.ClientID = portal.ID
	_, err := other.TokenSource(p.ctx(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	wantRefused(t, "other client", err, "invalid_grant", "Refresh token is invalid")
	ask := func(change url.Values) (int, map[string]any) {
		form := url.Values{"grant_type": {"refresh_token"}, "client_id": {loginClient}, "refresh_token": {token.RefreshToken}}
		for name, v := range change {
			form[name] = v
		}
		return tokenRequest(p.w, form, "", "")
	}
	for name, c := range map[string]struct {
		change url.Values
		code   string
	}{
		"no token": {url.Values{"refresh_token": nil}, "invalid_request"},
		"wider":    {url.Values{"scope": {"all-apis sql"}}, "invalid_scope"},
		"twice":    {url.Values{"refresh_token": {token.RefreshToken, token.RefreshToken}}, "invalid_request"},
	} {
		if status, body := ask(c.change); status != 400 || body["error"] != c.code {
			t.Errorf("%s: %d %v", name, status, body)
		}
	}
	// None of these used the token up. A narrower scope is for this token only.
	status, body := ask(url.Values{"scope": {"offline_access"}})
	if status != 200 || body["scope"] != "offline_access" {
		t.Fatal(status, body)
	}
	next, err := p.refresh(body["refresh_token"].(string))
	if err != nil || next.Extra("scope") != "offline_access all-apis" {
		t.Error(next, err)
	}
}

func TestExpiry(t *testing.T) {
	p := newProgram(t)
	token := p.signIn()
	me := p.as(token.AccessToken)
	p.clock.advance(time.Hour - time.Second)
	me.get(scim + "/Me")
	p.clock.advance(time.Second)
	p.signIn() // must not make the old token an unknown one
	for range 2 {
		if why := me.refused("GET", scim+"/Me", nil, 401, "UNAUTHENTICATED"); why != "Access token expired." {
			t.Error(why)
		}
	}
	p.clock.advance(refreshLife - time.Hour)
	_, err := p.refresh(token.RefreshToken)
	wantRefused(t, "after 7 days", err, "invalid_grant", "Refresh token is invalid")

	start := p.clock.Now()
	token = p.signIn()
	for p.clock.Now().Sub(start) < sessionLife-refreshLife {
		p.clock.advance(refreshLife - time.Second)
		if token, err = p.refresh(token.RefreshToken); err != nil {
			t.Fatal(p.clock.Now().Sub(start), err)
		}
	}
	p.clock.advance(start.Add(sessionLife).Sub(p.clock.Now()))
	_, err = p.refresh(token.RefreshToken)
	wantRefused(t, "after 30 days", err, "invalid_grant", "Refresh token is invalid")
	p.w.people.mu.Lock()
	defer p.w.people.mu.Unlock()
	p.w.people.forget(p.clock.Now())
	if left := len(p.w.people.refresh) + len(p.w.people.codes) + len(p.w.people.pending); left != 0 {
		t.Error("kept for ever:", left)
	}
}

func TestDeactivatedUser(t *testing.T) {
	p := newProgram(t)
	token, v := p.signIn(), oauth2.GenerateVerifier()
	code, handle := p.code(v), p.page(v)
	p.w.people.mu.Lock()
	p.w.people.members[0].active = false
	p.w.people.mu.Unlock()
	_, err := p.refresh(token.RefreshToken)
	wantRefused(t, "refresh", err, "invalid_grant", "deactivated")
	_, err = p.config.Exchange(p.ctx(), code, oauth2.VerifierOption(v))
	wantRefused(t, "code", err, "invalid_grant", "deactivated")
	if resp, _ := p.do("POST", p.config.Endpoint.AuthURL, url.Values{"request": {handle}, "choice": {"ana@example.com"}}); resp.StatusCode != 400 {
		t.Error(resp.Status)
	}
}

// Of many that refresh with one token at the same time one wins.
func TestRefreshRace(t *testing.T) {
	p := newProgram(t)
	token := p.signIn()
	var won, lost int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, err := p.refresh(token.RefreshToken)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else {
				lost++
			}
		})
	}
	all.Wait()
	if won != 1 || lost != 7 || p.w.TokenRequests().RefreshToken != 8 {
		t.Error(won, lost, p.w.TokenRequests())
	}
}

func TestConfidentialClient(t *testing.T) {
	p := newProgram(t)
	p.config.ClientID, p.config.RedirectURL, p.config.Scopes = custom.ID, custom.RedirectURLs[0], []string{"sql", "offline_access"}
	v := oauth2.GenerateVerifier()
	_, err := p.config.Exchange(p.ctx(), p.code(v), oauth2.VerifierOption(v))
	wantRefused(t, "without its secret", err, "invalid_client", "")
	p.config.ClientSecret = "wrong"
	_, err = p.config.Exchange(p.ctx(), p.code(v), oauth2.VerifierOption(v))
	wantRefused(t, "wrong secret", err, "invalid_client", "")
	p.config.ClientSecret = custom.Secret
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
		p.config.Endpoint.AuthStyle = style
		q := p.choose(p.page(v), "ben@example.com")
		if q.Get("tenant") != "7" {
			t.Error("the redirect lost its own parameters:", q)
		}
		token, err := p.config.Exchange(p.ctx(), q.Get("code"), oauth2.VerifierOption(v))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.refresh(token.RefreshToken); err != nil {
			t.Error(err)
		}
	}
}

func TestNarrowScopes(t *testing.T) {
	p := newProgram(t)
	p.config.Scopes = []string{"sql"}
	ana := p.as(p.signIn().AccessToken)
	ana.get("/api/2.0/sql/warehouses")
	ana.get(scim + "/Me")
	for path, scope := range map[string]string{"/api/2.2/jobs/list": "jobs", "/api/2.1/clusters/list": "clusters"} {
		if why := ana.refused("GET", path, nil, 403, "PERMISSION_DENIED"); why != "Provided OAuth token does not have required scopes: "+scope {
			t.Error(why)
		}
	}
	p.config.Scopes = []string{"jobs"}
	p.as(p.signIn().AccessToken).refused("POST", "/api/2.0/sql/warehouses", "{}", 403, "PERMISSION_DENIED")
}

func TestAccountProvider(t *testing.T) {
	p := newProgram(t)
	root := "/oidc/accounts/" + accountID
	for _, name := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		meta := p.get(root + name)
		if meta["issuer"] != p.host+root || meta["authorization_endpoint"] != p.host+root+"/v1/authorize" || meta["token_endpoint"] != p.host+root+"/v1/token" {
			t.Error(meta)
		}
	}
	p.config.Endpoint.AuthURL, p.config.Endpoint.TokenURL = p.host+root+"/v1/authorize", p.host+root+"/v1/token"
	if me := p.as(p.signIn().AccessToken).get(scim + "/Me"); me["userName"] != "ana@example.com" {
		t.Error(me)
	}
	if resp, _ := p.do("GET", p.host+"/oidc/accounts/other/.well-known/oauth-authorization-server", nil); resp.StatusCode != 404 {
		t.Error(resp.Status)
	}
}

func TestBadOAuthClients(t *testing.T) {
	for name, clients := range map[string][]OAuthClient{
		"no id":          {{RedirectURLs: portal.RedirectURLs}},
		"no redirect":    {{ID: "x"}},
		"known":          {{ID: loginClient, RedirectURLs: portal.RedirectURLs}},
		"twice":          {portal, portal},
		"plain http":     {{ID: "x", RedirectURLs: []string{"http://example.com/"}}},
		"not a URL":      {{ID: "x", RedirectURLs: []string{"http://localhost:%zz"}}},
		"fragment":       {{ID: "x", RedirectURLs: []string{"https://example.com/#a"}}},
		"user":           {{ID: "x", RedirectURLs: []string{"https://a@example.com/"}}},
		"another scheme": {{ID: "x", RedirectURLs: []string{"javascript:alert(1)"}}},
		"policy":         {{ID: "x", RedirectURLs: []string{"https://example.com;script-src"}}},
		"scope":          {{ID: "x", RedirectURLs: portal.RedirectURLs, Scopes: []string{"a b"}}},
	} {
		if w, err := New(Options{OAuthClients: clients}); err == nil {
			t.Errorf("%s: registered", name)
			_ = w.Close()
		}
	}
}
