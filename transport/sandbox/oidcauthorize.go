package sandbox

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// authorization is an authorization request that was found good (RFC 6749,
// section 4.1.1, with PKCE, RFC 7636).
type authorization struct {
	client    *OAuthClient
	redirect  string // as sent: the token request must repeat it
	state     string
	challenge string // S256
	scopes    []string
	expires   time.Time
}

// refusal is the end of a sign-in that the program learns of. Without a
// redirect that can be trusted, only the person does, on a page.
type refusal struct {
	redirect, state string
	code            string // RFC 6749, section 4.1.2.1
	description     string // never quotes the request
}

const (
	maxAuthorize = 8 << 10 // bytes of a query
	maxPending   = 1000    // sign-in pages open at a time
)

// isState: printable ASCII (RFC 6749, appendix A.5), of a sane length.
func isState(s string) bool {
	return s != "" && len(s) <= 1024 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// authorization reads the query of an authorization request.
func (cs oauthClients) authorization(query string) (*authorization, *refusal) {
	q, err := url.ParseQuery(query)
	switch {
	case len(query) > maxAuthorize:
		return nil, &refusal{description: "The address is longer than any sign-in needs."}
	case err != nil:
		return nil, &refusal{description: "The address is damaged: its parameters cannot be read."}
	case len(q["client_id"]) != 1 || cs[q.Get("client_id")] == nil:
		return nil, &refusal{description: "The program that asks for the sign-in is not registered here: client_id is missing or unknown."}
	}
	a := &authorization{client: cs[q.Get("client_id")], redirect: q.Get("redirect_uri"), state: q.Get("state"), challenge: q.Get("code_challenge")}
	if len(q["redirect_uri"]) != 1 || !a.client.redirectsTo(a.redirect) {
		return nil, &refusal{description: "The address to return to (redirect_uri) is missing, or not registered for this program."}
	}
	refuse := func(code, description string) (*authorization, *refusal) {
		r := &refusal{redirect: a.redirect, code: code, description: description}
		if len(q["state"]) == 1 && isState(a.state) {
			r.state = a.state
		}
		return nil, r
	}
	for _, name := range []string{"response_type", "response_mode", "scope", "state", "code_challenge", "code_challenge_method"} {
		if len(q[name]) > 1 {
			return refuse("invalid_request", "The parameter "+name+" is given more than once")
		}
	}
	switch {
	case q.Get("response_type") == "":
		return refuse("invalid_request", "Missing required parameter: response_type")
	case q.Get("response_type") != "code":
		return refuse("unsupported_response_type", "Only response_type=code is supported")
	case q.Get("response_mode") != "" && q.Get("response_mode") != "query":
		return refuse("invalid_request", "Only response_mode=query is supported")
	case !isState(a.state):
		return refuse("invalid_request", "Missing or malformed required parameter: state")
	case a.challenge == "":
		return refuse("invalid_request", "Missing required parameter: code_challenge")
	case q.Get("code_challenge_method") != "S256": // absent means plain
		return refuse("invalid_request", "code_challenge_method must be S256")
	case !spelled(a.challenge, 43, 43, "-_"):
		return refuse("invalid_request", "code_challenge is not the base64url of a SHA-256 sum")
	}
	var ok bool
	if a.scopes, ok = a.client.allowed(q.Get("scope")); !ok {
		return refuse("invalid_scope", "A requested scope is unknown or not allowed for this client")
	}
	return a, nil
}

// authorize is GET /oidc/v1/authorize: the sign-in page.
func (p *people) authorize(r *request) (any, error) {
	a, refused := p.clients.authorization(r.URL.RawQuery)
	if refused != nil {
		return refused.send(r)
	}
	a.expires = r.now.Add(codeLife)
	handle, back := rand.Text(), a.origin()
	p.mu.Lock()
	p.forget(r.now)
	full := len(p.pending) >= maxPending
	if !full {
		p.pending[handle] = a
	}
	page := pickPage{Client: a.client.Name, Host: r.Host, Return: back, Handle: handle, Scopes: a.scopes, People: p.choices()}
	p.mu.Unlock()
	if full {
		return (&refusal{a.redirect, a.state, "temporarily_unavailable", "Too many sign-ins are open: finish one, or wait 10 minutes"}).send(r)
	}
	return writePage(r, http.StatusOK, page.html(), a.origin())
}

// decide is POST /oidc/v1/authorize: what the person chose on the page. The
// handle, which only the page knows, keeps other web sites from choosing.
func (p *people) decide(r *request) (any, error) {
	r.Body = http.MaxBytesReader(r.w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		return (&refusal{description: "The form could not be read."}).send(r)
	}
	a, code, refused := p.choose(r.PostForm.Get("request"), r.PostForm.Get("choice"), r.now)
	if refused != nil {
		return refused.send(r)
	}
	return redirect(r, a.redirect, url.Values{"code": {code}, "state": {a.state}})
}

// choose makes a code for the chosen person. A choice that is none leaves the
// page usable; any other ends it.
func (p *people) choose(handle, choice string, now time.Time) (*authorization, string, *refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(now)
	a := p.pending[handle]
	if a == nil {
		return nil, "", &refusal{description: "This sign-in is over: it was answered already, or it waited longer than 10 minutes."}
	}
	if choice == denyChoice {
		delete(p.pending, handle)
		return nil, "", &refusal{a.redirect, a.state, "access_denied", "The user denied the request"}
	}
	i := slices.IndexFunc(p.members, func(m *member) bool { return m.name == choice && m.active && slices.Contains(signInPeople, m.name) })
	if i < 0 {
		return nil, "", &refusal{description: "Nobody of that name can sign in here. Go back and choose somebody else."}
	}
	delete(p.pending, handle)
	code := rand.Text()
	p.codes[code] = &authorizationCode{authorization: a, member: p.members[i].id, expires: now.Add(codeLife)}
	return a, code, nil
}

// origin is the scheme and host that the browser will be sent to.
func (a *authorization) origin() string {
	u, err := url.Parse(a.redirect)
	if err != nil {
		panic(err) // registered ones were checked
	}
	return u.Scheme + "://" + u.Host
}

// send ends a sign-in that came to nothing.
func (f *refusal) send(r *request) (any, error) {
	if f.redirect == "" {
		return writePage(r, http.StatusBadRequest, refusedPage(f.description), "")
	}
	answer := url.Values{"error": {f.code}, "error_description": {f.description}}
	if f.state != "" {
		answer.Set("state", f.state)
	}
	return redirect(r, f.redirect, answer)
}

// redirect sends the browser back to the program. See Other, so that no form is
// posted there.
func redirect(r *request, address string, answer url.Values) (any, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	q := u.Query()
	for name, v := range answer {
		q[name] = v
	}
	u.RawQuery = q.Encode()
	h := r.w.Header()
	h.Set("Location", u.String())
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	r.w.WriteHeader(http.StatusSeeOther)
	return nil, errWritten
}
