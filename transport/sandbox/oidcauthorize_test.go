package sandbox

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

const goodChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636, appendix B

// request makes the query of a good authorization request, with changes:
// "name=value" sets, "name" removes, "+name=value" adds.
func authorizeQuery(changes ...string) string {
	q := url.Values{
		"client_id": {loginClient}, "redirect_uri": {"http://localhost:8020"}, "response_type": {"code"}, "state": {state},
		"scope": {"offline_access all-apis"}, "code_challenge": {goodChallenge}, "code_challenge_method": {"S256"},
	}
	for _, c := range changes {
		name, value, set := strings.Cut(c, "=")
		switch add, ok := strings.CutPrefix(name, "+"); {
		case ok:
			q.Add(add, value)
		case set:
			q.Set(name, value)
		default:
			q.Del(name)
		}
	}
	return q.Encode()
}

func TestAuthorizeRequest(t *testing.T) {
	p := newProgram(t)
	for _, good := range []string{
		"redirect_uri=http://localhost:8020/", "redirect_uri=http://localhost:8040", "scope=sql genie", "scope", "response_mode=query",
		"resource=https://example.com", "nonce=x", "state=a b~",
	} {
		if resp, body := p.do("GET", p.config.Endpoint.AuthURL+"?"+authorizeQuery(good), nil); resp.StatusCode != 200 || !handlePattern.MatchString(body) {
			t.Error(good, resp.Status)
		}
	}
	// What is wrong with the program or its address is for the person's eyes only.
	for _, bad := range []string{
		"client_id", "client_id=", "client_id=nobody", "+client_id=databricks-cli", "redirect_uri", "+redirect_uri=http://localhost:8020",
		"redirect_uri=http://localhost", "redirect_uri=http://localhost:8019", "redirect_uri=http://localhost:8041", "redirect_uri=http://localhost:+8020",
		"redirect_uri=http://localhost:8020/path", "redirect_uri=http://localhost:8020//", "redirect_uri=http://localhost:8020?x=1", "redirect_uri=http://localhost:8020#",
		"redirect_uri=https://localhost:8020", "redirect_uri=HTTP://localhost:8020", "redirect_uri=http://127.0.0.1:8020", "redirect_uri=http://localhost.evil.example:8020",
		"redirect_uri=http://localhost:8020@evil.example", "redirect_uri=http://evil.example:8020", "redirect_uri=//evil.example", "redirect_uri=javascript:alert(1)",
		"redirect_uri=http://localhost:8020\r\nX: y", "redirect_uri=" + portal.RedirectURLs[0],
	} {
		resp, body := p.do("GET", p.config.Endpoint.AuthURL+"?"+authorizeQuery(bad), nil)
		if resp.StatusCode != 400 || resp.Header.Get("Location") != "" || !strings.Contains(body, "cannot go on") {
			t.Error(bad, resp.Status, resp.Header)
		}
	}
	for query, what := range map[string]string{
		authorizeQuery() + "&%zz=1": "escape", authorizeQuery() + ";a=b": "semicolon", "": "nothing",
		authorizeQuery("scope=" + strings.Repeat("a ", maxAuthorize)): "length",
	} {
		if resp, _ := p.do("GET", p.config.Endpoint.AuthURL+"?"+query, nil); resp.StatusCode != 400 {
			t.Error(what, resp.Status)
		}
	}
	// The rest is for the program.
	for bad, code := range map[string]string{
		"state": "invalid_request", "state=": "invalid_request", "+state=2": "invalid_request", "state=a\r\nb": "invalid_request", "state=é": "invalid_request",
		"state=" + strings.Repeat("s", 1025): "invalid_request",
		"response_type":                      "invalid_request", "response_type=token": "unsupported_response_type", "response_type=code id_token": "unsupported_response_type",
		"+response_type=code": "invalid_request", "response_mode=fragment": "invalid_request",
		"code_challenge": "invalid_request", "code_challenge=short": "invalid_request", "code_challenge=" + goodChallenge + "=": "invalid_request",
		"code_challenge=" + strings.Repeat("é", 21) + "x": "invalid_request", "+code_challenge=x": "invalid_request",
		"code_challenge_method": "invalid_request", "code_challenge_method=plain": "invalid_request", "code_challenge_method=s256": "invalid_request",
		"scope=all-apis <script>": "invalid_scope", "+scope=sql": "invalid_request", "scope=" + strings.Repeat("s", 101): "invalid_scope",
	} {
		resp, _ := p.do("GET", p.config.Endpoint.AuthURL+"?"+authorizeQuery(bad), nil)
		to, err := resp.Location()
		if err != nil || resp.StatusCode != 303 || to.Host != "localhost:8020" {
			t.Error(bad, resp.Status, err)
			continue
		}
		q := to.Query()
		wantState := state
		if strings.Contains(bad, "state") {
			wantState = ""
		}
		if q.Get("error") != code || q.Get("error_description") == "" || q.Get("code") != "" || q.Get("state") != wantState {
			t.Error(bad, q)
		}
	}
	if resp, _ := p.do("GET", p.config.Endpoint.AuthURL+"?"+authorizeQuery("client_id="+custom.ID, "redirect_uri="+custom.RedirectURLs[0], "scope"), nil); !strings.Contains(resp.Header.Get("Location"), "error=invalid_scope") {
		t.Error("a custom client got a scope that it is not registered for:", resp.Header)
	}
}

func TestDenial(t *testing.T) {
	p := newProgram(t)
	handle := p.page(oauth2.GenerateVerifier())
	q := p.choose(handle, denyChoice)
	if q.Get("error") != "access_denied" || q.Get("error_description") == "" || q.Get("state") != state || q.Has("code") {
		t.Error(q)
	}
	if resp, _ := p.do("POST", p.config.Endpoint.AuthURL, url.Values{"request": {handle}, "choice": {"ana@example.com"}}); resp.StatusCode != 400 {
		t.Error("a denied sign-in went on:", resp.Status)
	}
}

func TestChoice(t *testing.T) {
	p := newProgram(t)
	v := oauth2.GenerateVerifier()
	handle := p.page(v)
	post := func(handle, choice string) (*http.Response, string) {
		return p.do("POST", p.config.Endpoint.AuthURL, url.Values{"request": {handle}, "choice": {choice}})
	}
	for _, nobody := range []string{"", "carla@example.com", ClientID, "<script>alert(1)</script>"} {
		if resp, body := post(handle, nobody); resp.StatusCode != 400 || resp.Header.Get("Location") != "" || strings.Contains(body, "<script") {
			t.Error(nobody, resp.Status)
		}
	}
	for _, strange := range []string{"", "AAAAAAAAAAAAAAAAAAAAAAAAAA", `"><script>`} {
		if resp, body := post(strange, "ana@example.com"); resp.StatusCode != 400 || resp.Header.Get("Location") != "" || strings.Contains(body, "<script") {
			t.Error(strange, resp.Status)
		}
	}
	p.choose(handle, "ana@example.com")
	if resp, _ := post(handle, "ana@example.com"); resp.StatusCode != 400 {
		t.Error("a page gave two codes:", resp.Status)
	}
	late := p.page(v)
	p.clock.advance(codeLife)
	if resp, body := post(late, "ana@example.com"); resp.StatusCode != 400 || !strings.Contains(body, "10 minutes") {
		t.Error(resp.Status, body)
	}
	if resp, _ := p.do("POST", p.config.Endpoint.AuthURL, url.Values{"request": {strings.Repeat("x", 65<<10)}}); resp.StatusCode != 400 {
		t.Error(resp.Status)
	}
}

func TestTooManyPages(t *testing.T) {
	p := newProgram(t)
	open := func() *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		p.w.ServeHTTP(rec, httptest.NewRequest("GET", "/oidc/v1/authorize?"+authorizeQuery(), nil))
		return rec
	}
	first := open()
	p.w.people.mu.Lock()
	for i := range maxPending - 1 {
		p.w.people.pending[string(rune('a'+i))] = &authorization{expires: p.clock.Now().Add(codeLife)}
	}
	p.w.people.mu.Unlock()
	if rec := open(); first.Code != 200 || rec.Code != 303 || !strings.Contains(rec.Header().Get("Location"), "error=temporarily_unavailable") {
		t.Error(first.Code, rec.Code, rec.Header())
	}
	p.clock.advance(codeLife)
	if rec := open(); rec.Code != 200 {
		t.Error(rec.Code)
	}
}

func TestPageHeaders(t *testing.T) {
	p := newProgram(t)
	for query, want := range map[string]struct {
		status int
		form   string
	}{
		authorizeQuery(): {200, "form-action 'self' http://localhost:8020;"},
		authorizeQuery("client_id="+custom.ID, "redirect_uri="+custom.RedirectURLs[0], "scope=sql"): {200, "form-action 'self' https://mcp.example.com;"},
		authorizeQuery("client_id"): {400, "form-action 'none';"},
	} {
		resp, body := p.do("GET", p.config.Endpoint.AuthURL+"?"+query, nil)
		policy := resp.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'; ", "style-src 'sha256-", want.form, "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%q is not in %s", part, policy)
			}
		}
		if resp.StatusCode != want.status || strings.Contains(policy, "unsafe") || strings.Contains(body, "<script") || strings.Contains(body, " style=") || strings.Contains(body, "onclick") {
			t.Error(resp.Status, policy)
		}
		for name, value := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Content-Type": "text/html; charset=utf-8",
		} {
			if got := resp.Header.Get(name); got != value {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
}

// Everything on the page that somebody else chose is escaped.
func TestPageEscapes(t *testing.T) {
	p := newProgram(t)
	r := httptest.NewRequest("GET", "/oidc/v1/authorize?"+authorizeQuery("client_id="+custom.ID, "redirect_uri="+custom.RedirectURLs[0], "scope=sql", `state="><script>alert(1)</script>`), nil)
	r.Host = `x"><script>alert(2)</script>`
	rec := httptest.NewRecorder()
	p.w.ServeHTTP(rec, r)
	body := rec.Body.String()
	if rec.Code != 200 || strings.Contains(body, "<script") || strings.Contains(body, "<b>") || strings.Contains(body, "alert(1)") {
		t.Error(rec.Code, body)
	}
	for _, shown := range []string{"&lt;b&gt;&#34;Custom&#34; &amp; Sons&lt;/b&gt;", "&lt;script&gt;alert(2)", "Ana Alvarez", "ben@example.com", "<code>sql</code>"} {
		if !strings.Contains(body, shown) {
			t.Error("not on the page:", shown)
		}
	}
}

func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{
		"", authorizeQuery(), authorizeQuery("state"), authorizeQuery("scope=sql"), authorizeQuery("redirect_uri=http://localhost:8020/"), authorizeQuery("redirect_uri=http://localhost:8020@evil.example"),
		authorizeQuery("client_id=portal", "redirect_uri="+portal.RedirectURLs[0]), authorizeQuery("code_challenge=x"), "a=%zz", "client_id=databricks-cli&redirect_uri=http://localhost:8030&state=%00",
	} {
		f.Add(seed)
	}
	w, err := New(Options{Clock: newTurnClock(), OAuthClients: []OAuthClient{portal}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = w.Close() })
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/oidc/v1/authorize", nil)
		r.URL.RawQuery = query
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		if strings.Contains(rec.Body.String(), "<script") || rec.Header().Get("Cache-Control") != "no-store" {
			t.Fatal(rec.Body, rec.Header())
		}
		switch rec.Code {
		case 200, 400:
			if rec.Header().Get("Location") != "" || rec.Header().Get("Content-Security-Policy") == "" {
				t.Fatal(rec.Header())
			}
		case 303:
			to, err := url.Parse(rec.Header().Get("Location"))
			if err != nil || to.Scheme != "http" || to.Hostname() != "localhost" && to.Host != "127.0.0.1:9999" || to.User != nil {
				t.Fatal(to, err)
			}
			q := to.Query()
			if q.Get("error") == "" || q.Has("code") || q.Has("state") && !isState(q.Get("state")) {
				t.Fatal(q)
			}
		default:
			t.Fatal(rec.Code, rec.Body)
		}
		w.people.mu.Lock()
		clear(w.people.pending)
		w.people.mu.Unlock()
	})
}
