package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// accountID is the Databricks account the embedded workspace belongs to.
const accountID = "3f8a1c57-92de-4b06-8c71-d5e0b4a6f293"

// oauthError is an error of the token endpoint (RFC 6749, section 5.2), which
// has another shape than the REST API.
func oauthError(status int, code, description string) (any, error) {
	return answer{status, map[string]string{"error": code, "error_description": description}}, nil
}

// serveOAuth registers discovery and the token endpoint.
//
// The metadata already names the authorization endpoint of the user sign-in
// (U2M); its grants join the table in issueToken.
func (p *people) serveOAuth(w *Workspace) {
	w.open("GET /.well-known/databricks-config", func(r *request) (any, error) {
		return object{
			"oidc_endpoint": r.base() + "/oidc", "account_id": accountID, "workspace_id": ID, "cloud": "AWS",
			"host_type": "WORKSPACE_HOST",
			"token_federation_default_oidc_audiences": []string{r.base() + "/oidc/v1/token"},
		}, nil
	})
	metadata := func(r *request) (any, error) {
		return object{
			"issuer": r.base() + "/oidc", "authorization_endpoint": r.base() + "/oidc/v1/authorize",
			"token_endpoint":                        r.base() + "/oidc/v1/token",
			"response_types_supported":              []string{"code"},
			"grant_types_supported":                 []string{"client_credentials", "authorization_code", "refresh_token"},
			"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "none"},
			"code_challenge_methods_supported":      []string{"S256"},
			"scopes_supported":                      []string{"all-apis", "offline_access", "openid", "profile", "email"},
		}, nil
	}
	w.open("GET /oidc/.well-known/oauth-authorization-server", metadata)
	w.open("GET /oidc/.well-known/openid-configuration", metadata)
	w.open("POST /oidc/v1/token", p.issueToken)
}

// issueToken is POST /oidc/v1/token (contract auth.md, sections 2 and 6).
func (p *people) issueToken(r *request) (any, error) {
	r.Body = http.MaxBytesReader(r.w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		return oauthError(http.StatusBadRequest, "invalid_request", "The body must be application/x-www-form-urlencoded")
	}
	r.w.Header().Set("Cache-Control", "no-store")
	switch grant := r.PostForm.Get("grant_type"); grant {
	case "client_credentials":
		return p.clientCredentials(r)
	case "":
		return oauthError(http.StatusBadRequest, "invalid_request", "Missing required parameter: grant_type")
	default:
		return oauthError(http.StatusBadRequest, "unsupported_grant_type", "Unsupported grant type: "+grant)
	}
}

// clientCredentials is M2M: a service principal's application id and secret, by
// HTTP basic authentication or in the form.
func (p *people) clientCredentials(r *request) (any, error) {
	id, secret, basic := r.BasicAuth()
	if basic { // RFC 6749, section 2.3.1: both parts are form-encoded first
		id, secret = unescaped(id), unescaped(secret)
	} else {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	scope := r.PostForm.Get("scope")
	if scope == "" {
		scope = "all-apis"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var holder *member
	for _, m := range p.members {
		if m.servicePrincipal && m.name == id && m.active {
			holder = m
		}
	}
	want, has := p.secrets[id]
	if holder == nil || !has || subtle.ConstantTimeCompare([]byte(secret), []byte(want)) != 1 {
		if basic {
			r.w.Header().Set("WWW-Authenticate", `Basic realm="oidc"`)
		}
		return oauthError(http.StatusUnauthorized, "invalid_client", "Client authentication failed")
	}
	return object{
		"access_token": p.grant(holder, r, scope), "token_type": "Bearer", "expires_in": int64(p.life / time.Second), "scope": scope,
	}, nil
}

// grant makes an access token. It looks like the real JWT, but is known by
// table: clients must treat it as opaque. Needs p.mu held.
func (p *people) grant(m *member, r *request, scope string) string {
	for token, t := range p.tokens {
		if !t.expires.IsZero() && !r.now.Before(t.expires) {
			delete(p.tokens, token)
		}
	}
	expires := r.now.Add(p.life)
	p.next++
	claims, err := json.Marshal(object{
		"iss": r.base() + "/oidc", "aud": ID, "sub": m.name, "client_id": m.name, "scope": scope,
		"iat": r.now.Unix(), "exp": expires.Unix(), "jti": p.next,
	})
	if err != nil {
		panic(err) // strings and integers always encode
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"at+jwt"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(text))
	token := text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	p.tokens[token] = accessToken{id: m.id, expires: expires}
	return token
}

func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}
