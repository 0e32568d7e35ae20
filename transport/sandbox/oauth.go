package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// accountID is the Databricks account the embedded workspace belongs to.
const accountID = "3f8a1c57-92de-4b06-8c71-d5e0b4a6f293"

// oauthError is an error of the token endpoint (RFC 6749, section 5.2), which
// has another shape than the REST API.
func oauthError(status int, code, description string) (any, error) {
	return answer{status, map[string]string{"error": code, "error_description": description}}, nil
}

// serveOAuth registers discovery, the sign-in page and the token endpoint, at
// the places of a workspace and at those of its account (contract auth.md,
// section 2).
func (p *people) serveOAuth(w *Workspace) {
	w.open("GET /.well-known/databricks-config", func(r *request) (any, error) {
		return object{
			"oidc_endpoint": r.base() + "/oidc", "account_id": accountID, "workspace_id": ID, "cloud": "AWS",
			"host_type": "WORKSPACE_HOST",
			"token_federation_default_oidc_audiences": []string{r.base() + "/oidc/v1/token"},
		}, nil
	})
	p.serveProvider(w, "/oidc")
	p.serveProvider(w, "/oidc/accounts/{account_id}")
}

// serveProvider registers an OpenID provider under a root.
func (p *people) serveProvider(w *Workspace, root string) {
	open := func(pattern string, h handler) {
		w.open(pattern, func(r *request) (any, error) {
			if id := r.PathValue("account_id"); id != "" && id != accountID {
				return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Account '"+id+"' does not exist.")
			}
			return h(r)
		})
	}
	metadata := func(r *request) (any, error) {
		issuer := r.base() + strings.Replace(root, "{account_id}", accountID, 1)
		return object{
			"issuer": issuer, "authorization_endpoint": issuer + "/v1/authorize", "token_endpoint": issuer + "/v1/token",
			"response_types_supported":              []string{"code"},
			"response_modes_supported":              []string{"query"},
			"grant_types_supported":                 []string{"client_credentials", "authorization_code", "refresh_token"},
			"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "none"},
			"code_challenge_methods_supported":      []string{"S256"},
			"scopes_supported":                      []string{allAPIs, offlineAccess, "openid", "profile", "email"},
		}, nil
	}
	open("GET "+root+"/.well-known/oauth-authorization-server", metadata)
	open("GET "+root+"/.well-known/openid-configuration", metadata)
	open("GET "+root+"/v1/authorize", p.authorize)
	open("POST "+root+"/v1/authorize", p.decide)
	open("POST "+root+"/v1/token", p.issueToken)
}

// issueToken is POST /oidc/v1/token (contract auth.md, sections 2 and 6).
func (p *people) issueToken(r *request) (any, error) {
	r.w.Header().Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(r.w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		return oauthError(http.StatusBadRequest, "invalid_request", "The body must be application/x-www-form-urlencoded")
	}
	for _, v := range r.PostForm {
		if len(v) > 1 {
			return oauthError(http.StatusBadRequest, "invalid_request", "A parameter is given more than once")
		}
	}
	grant := r.PostForm.Get("grant_type")
	p.count(grant)
	switch grant {
	case "client_credentials":
		return p.clientCredentials(r)
	case "authorization_code":
		return p.exchangeCode(r)
	case "refresh_token":
		return p.refreshSession(r)
	case "":
		return oauthError(http.StatusBadRequest, "invalid_request", "Missing required parameter: grant_type")
	default:
		return oauthError(http.StatusBadRequest, "unsupported_grant_type", "Unsupported grant type: "+grant)
	}
}

func (p *people) count(grant string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch grant {
	case "client_credentials":
		p.asked.ClientCredentials++
	case "authorization_code":
		p.asked.AuthorizationCode++
	case "refresh_token":
		p.asked.RefreshToken++
	}
}

// sentCredentials are a client's id and secret, by HTTP basic authentication or
// in the form.
func sentCredentials(r *request) (id, secret string, basic bool) {
	if id, secret, basic = r.BasicAuth(); basic { // RFC 6749, section 2.3.1: both parts are form-encoded first
		return unescaped(id), unescaped(secret), true
	}
	return r.PostForm.Get("client_id"), r.PostForm.Get("client_secret"), false
}

// unknownClient refuses a client in the way it tried to authenticate.
func unknownClient(r *request, basic bool) any {
	if basic {
		r.w.Header().Set("WWW-Authenticate", `Basic realm="oidc"`)
	}
	refused, _ := oauthError(http.StatusUnauthorized, "invalid_client", "Client authentication failed")
	return refused
}

// clientCredentials is M2M: a service principal's application id and secret.
func (p *people) clientCredentials(r *request) (any, error) {
	id, secret, basic := sentCredentials(r)
	scopes := strings.Fields(r.PostForm.Get("scope"))
	if len(scopes) == 0 {
		scopes = []string{allAPIs}
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
		return unknownClient(r, basic), nil
	}
	return object{
		"access_token": p.grant(holder, r, holder.name, scopes, nil), "token_type": "Bearer",
		"expires_in": int64(p.life / time.Second), "scope": strings.Join(scopes, " "),
	}, nil
}

// grant makes an access token, of a session (U2M) or of none. It looks like the
// real JWT, but is known by table: clients must treat it as opaque. Needs p.mu
// held.
func (p *people) grant(m *member, r *request, client string, scopes []string, s *session) string {
	for token, t := range p.tokens { // expired ones stay a while, to be told from unknown ones
		if t.dead() || !t.expires.IsZero() && r.now.Sub(t.expires) >= p.life {
			delete(p.tokens, token)
		}
	}
	expires := r.now.Add(p.life)
	p.next++
	claims, err := json.Marshal(object{
		"iss": r.base() + "/oidc", "aud": ID, "sub": m.name, "client_id": client, "scope": strings.Join(scopes, " "),
		"iat": r.now.Unix(), "exp": expires.Unix(), "jti": p.next,
	})
	if err != nil {
		panic(err) // strings and integers always encode
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"at+jwt"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(text))
	token := text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	p.tokens[token] = accessToken{id: m.id, expires: expires, scopes: scopes, session: s}
	return token
}

func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}
