package sandbox

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"
)

// exchangeCode is grant_type=authorization_code (RFC 6749, section 4.1.3).
// Whatever is wrong with the request, the code is used up; a second use ends
// the session of the first.
func (p *people) exchangeCode(r *request) (any, error) {
	client, refused := p.oauthClient(r)
	if client == nil {
		return refused, nil
	}
	for _, name := range []string{"code", "redirect_uri", "code_verifier"} {
		if r.PostForm.Get(name) == "" {
			return oauthError(http.StatusBadRequest, "invalid_request", "Missing required parameter: "+name)
		}
	}
	invalid := func(why string) (any, error) { return oauthError(http.StatusBadRequest, "invalid_grant", why) }
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(r.now)
	c := p.codes[r.PostForm.Get("code")]
	if c == nil {
		return invalid("Authorization code is invalid or expired")
	}
	if c.used {
		if c.session != nil {
			c.session.ended = true
		}
		return invalid("Authorization code was used before; what it granted is revoked")
	}
	c.used = true
	m := p.find(c.member)
	switch {
	case c.client != client:
		return invalid("Authorization code was issued to another client")
	case c.redirect != r.PostForm.Get("redirect_uri"):
		return invalid("redirect_uri is not the one of the authorization request")
	case !proves(r.PostForm.Get("code_verifier"), c.challenge):
		return invalid("code_verifier does not match code_challenge")
	case m == nil || !m.active:
		return invalid("The user is deleted or deactivated")
	}
	c.session = &session{member: c.member, client: client.ID, scopes: c.scopes, until: r.now.Add(sessionLife)}
	return p.grantSession(m, r, c.session, c.scopes), nil
}

// proves says whether a PKCE verifier (RFC 7636, section 4.1) belongs to an S256
// challenge.
func proves(text, challenge string) bool {
	sum := sha256.Sum256([]byte(text))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	return spelled(text, 43, 128, "-._~") && subtle.ConstantTimeCompare([]byte(want), []byte(challenge)) == 1
}

// refreshSession is grant_type=refresh_token (RFC 6749, section 6) with
// rotation: each token works once, and the second use of one ends the session,
// because either the user or the second one who has it is a thief.
func (p *people) refreshSession(r *request) (any, error) {
	client, refused := p.oauthClient(r)
	if client == nil {
		return refused, nil
	}
	if r.PostForm.Get("refresh_token") == "" {
		return oauthError(http.StatusBadRequest, "invalid_request", "Missing required parameter: refresh_token")
	}
	invalid := func(why string) (any, error) {
		return oauthError(http.StatusBadRequest, "invalid_grant", "Refresh token is invalid"+why)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(r.now)
	t := p.refresh[r.PostForm.Get("refresh_token")]
	if t == nil || t.session.client != client.ID {
		return invalid("")
	}
	if t.used {
		t.ended = true
		return invalid(": it was used before, so the sign-in is revoked")
	}
	m := p.find(t.member)
	if m == nil || !m.active {
		return invalid(": the user is deleted or deactivated")
	}
	scopes := t.scopes
	if narrower := strings.Fields(r.PostForm.Get("scope")); len(narrower) > 0 {
		for _, name := range narrower {
			if !slices.Contains(t.scopes, name) {
				return oauthError(http.StatusBadRequest, "invalid_scope", "A refresh cannot widen the scopes of a sign-in")
			}
		}
		scopes = narrower
	}
	t.used = true
	return p.grantSession(m, r, t.session, scopes), nil
}

// grantSession answers with the next tokens of a session. Needs p.mu held.
func (p *people) grantSession(m *member, r *request, s *session, scopes []string) object {
	answer := object{
		"access_token": p.grant(m, r, s.client, scopes, s), "token_type": "Bearer",
		"expires_in": int64(p.life / time.Second), "scope": strings.Join(scopes, " "),
	}
	if slices.Contains(s.scopes, offlineAccess) {
		token, expires := rand.Text(), r.now.Add(refreshLife)
		if s.until.Before(expires) {
			expires = s.until
		}
		p.refresh[token] = &refreshToken{session: s, expires: expires}
		answer["refresh_token"] = token
	}
	return answer
}

// oauthClient finds out which client asks. A public client has no secret and
// names itself in the form only. Without a client, refused is the answer.
func (p *people) oauthClient(r *request) (c *OAuthClient, refused any) {
	id, secret, basic := sentCredentials(r)
	if id == "" {
		refused, _ = oauthError(http.StatusBadRequest, "invalid_request", "Missing required parameter: client_id")
		return nil, refused
	}
	c = p.clients[id]
	if c == nil || c.Secret == "" && (basic || secret != "") || subtle.ConstantTimeCompare([]byte(secret), []byte(c.Secret)) != 1 {
		return nil, unknownClient(r, basic)
	}
	return c, nil
}
