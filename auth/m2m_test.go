package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const (
	clientID     = "2f3b1c00-0000-4000-8000-000000000001"
	clientSecret = "dose0123456789abcdef0123456789abcdef"
)

// oidc is a workspace's OpenID provider on loopback. Zero handlers give the
// documented answers.
type oidc struct {
	*httptest.Server
	config, metadata, issue http.HandlerFunc
	issued, discovered      atomic.Int64
	expiresIn               int64
}

func newOIDC(t *testing.T) *oidc {
	o := &oidc{expiresIn: 3600}
	answer := func(h *http.HandlerFunc, standard http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if *h != nil {
				(*h)(w, r)
				return
			}
			standard(w, r)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/databricks-config", answer(&o.config, func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, 200, map[string]any{"oidc_endpoint": o.URL + "/oidc", "workspace_id": "77", "host_type": "WORKSPACE_HOST"})
	}))
	metadata := answer(&o.metadata, func(w http.ResponseWriter, r *http.Request) {
		o.discovered.Add(1)
		writeJSON(w, 200, map[string]any{"token_endpoint": strings.TrimSuffix(o.URL+r.URL.Path, "/.well-known/oauth-authorization-server") + "/v1/token"})
	})
	mux.HandleFunc("GET /oidc/.well-known/oauth-authorization-server", metadata)
	mux.HandleFunc("GET /oidc/accounts/acc/.well-known/oauth-authorization-server", metadata)
	token := answer(&o.issue, func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if id != clientID || secret != clientSecret || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "all-apis" {
			t.Errorf("token request: id %q, form %v", id, r.Form)
		}
		writeJSON(w, 200, map[string]any{"access_token": fmt.Sprintf("access-%d", o.issued.Add(1)), "token_type": "Bearer", "expires_in": o.expiresIn})
	})
	mux.HandleFunc("POST /oidc/v1/token", token)
	mux.HandleFunc("POST /oidc/accounts/acc/v1/token", token)
	o.Server = httptest.NewServer(mux)
	t.Cleanup(o.Close)
	return o
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (o *oidc) env() env {
	return env{"DATABRICKS_HOST": o.URL, "DATABRICKS_CLIENT_ID": clientID, "DATABRICKS_CLIENT_SECRET": clientSecret}
}

// identity resolves the service principal and lets no retry wait.
func (o *oidc) identity(t *testing.T, c *clock, extra env) *Identity {
	t.Helper()
	vars := o.env()
	for k, v := range extra {
		vars[k] = v
	}
	id := resolve(t, Options{Getenv: vars.get, HTTPClient: o.Client(), Now: c.now})
	id.source.(*refresher).pause = func(context.Context, time.Duration) error { return nil }
	return id
}

func TestServicePrincipal(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setup func(*oidc)
		extra env
	}{
		{"discovered", func(*oidc) {}, nil},
		{"older host without databricks-config", func(o *oidc) { o.config = http.NotFound }, nil},
		{"databricks-config behind a login page", func(o *oidc) {
			o.config = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>sign in</html>") }
		}, nil},
		{"account in the endpoint, configured", func(o *oidc) {
			o.config = func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, 200, map[string]any{"oidc_endpoint": o.URL + "/oidc/accounts/{account_id}"})
			}
		}, env{"DATABRICKS_ACCOUNT_ID": "acc"}},
		{"account in the endpoint, discovered", func(o *oidc) {
			o.config = func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, 200, map[string]any{"oidc_endpoint": o.URL + "/oidc/accounts/{account_id}", "account_id": "acc"})
			}
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOIDC(t)
			tt.setup(o)
			c := newClock()
			id := o.identity(t, c, tt.extra)
			if !id.ExpiresAt().IsZero() {
				t.Errorf("expires %v before there is a token", id.ExpiresAt())
			}
			if got := token(t, id); got != "access-1" {
				t.Errorf("token %q", got)
			}
			if life := id.ExpiresAt().Sub(c.now()); life < 59*time.Minute || life > time.Hour {
				t.Errorf("expires in %v, want about an hour", life)
			}
			id.Invalidate("access-1")
			if got := token(t, id); got != "access-2" {
				t.Errorf("after Invalidate: %q", got)
			}
			if n := o.discovered.Load(); n != 1 {
				t.Errorf("the endpoint was discovered %d times", n)
			}
		})
	}
}

func TestDiscoveryURL(t *testing.T) {
	o := newOIDC(t)
	o.config = func(http.ResponseWriter, *http.Request) { t.Error("asked for databricks-config") }
	id := o.identity(t, newClock(), env{"DATABRICKS_DISCOVERY_URL": o.URL + "/oidc/accounts/acc/.well-known/oauth-authorization-server"})
	if got := token(t, id); got != "access-1" {
		t.Errorf("token %q", got)
	}
}

func TestSignInFailures(t *testing.T) {
	tokenSays := func(status int, v any) func(*oidc) {
		return func(o *oidc) { o.issue = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, status, v) } }
	}
	raw := func(status int, body string) func(*oidc) {
		return func(o *oidc) {
			o.issue = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); fmt.Fprint(w, body) }
		}
	}
	metadataSays := func(v any) func(*oidc) {
		return func(o *oidc) { o.metadata = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, v) } }
	}
	for _, tt := range []struct {
		name      string
		setup     func(*oidc)
		temporary bool
		says      []string
	}{
		{"wrong secret", tokenSays(401, map[string]any{"error": "invalid_client", "error_description": "Client authentication failed"}), false,
			[]string{"did not accept client id and secret", clientID, "DATABRICKS_CLIENT_SECRET in the environment", "invalid_client: Client authentication failed", "expired"}},
		{"an endpoint that quotes the request", tokenSays(401, map[string]any{"error": "invalid_client", "error_description": "bad " + clientSecret + "\nBearer abcdefgh"}), false,
			[]string{"invalid_client: bad [hidden] [hidden]"}},
		{"scope", tokenSays(400, map[string]any{"error": "invalid_scope"}), false, []string{"scopes", "invalid_scope"}},
		{"not assigned", tokenSays(400, map[string]any{"error": "access_denied"}), false, []string{"denied the sign-in", "assigned to this workspace"}},
		{"no client credentials there", tokenSays(400, map[string]any{"error": "unsupported_grant_type"}), false, []string{"client credentials"}},
		{"unknown code", tokenSays(400, map[string]any{"error": "something_new"}), false, []string{"something_new"}},
		{"server error as OAuth", tokenSays(503, map[string]any{"error": "temporarily_unavailable"}), true, []string{"not available at the moment"}},
		{"code that is no code", tokenSays(400, map[string]any{"error": "<script>" + clientSecret}), false, []string{"HTTP 400"}},
		{"bad gateway", raw(502, "<html>"+clientSecret), true, []string{"HTTP 502"}},
		{"address not allowed", raw(403, "Source IP address: 192.0.2.1 is blocked by Databricks IP ACL for workspace: 1"), false, []string{"IP access list", "admin"}},
		{"forbidden", raw(403, ""), false, []string{"HTTP 403"}},
		{"redirect to a login page", func(o *oidc) {
			o.issue = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://elsewhere.example.com/login", http.StatusFound)
			}
		}, false, []string{"HTTP 302", "does not redirect"}},
		{"HTML with 200", raw(200, "<html>"+clientSecret), true, []string{"not a token"}},
		{"no token in it", tokenSays(200, map[string]any{"token_type": "Bearer"}), true, []string{"not a token"}},
		{"another kind of token", tokenSays(200, map[string]any{"access_token": "x", "token_type": "mac"}), false, []string{"not a bearer token"}},
		{"token that breaks the header", tokenSays(200, map[string]any{"access_token": "x\r\nX-Evil: 1"}), false, []string{"not a bearer token"}},
		{"no OAuth on the host", func(o *oidc) { o.metadata = http.NotFound }, false, []string{"does not offer OAuth", "DATABRICKS_TOKEN"}},
		{"metadata that is a web page", func(o *oidc) {
			o.metadata = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }
		}, false, []string{"did not answer with the OAuth endpoints"}},
		{"metadata down", func(o *oidc) { o.metadata = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) } }, true, []string{"HTTP 500"}},
		{"token endpoint elsewhere", metadataSays(map[string]any{"token_endpoint": "https://evil.example.com/token"}), false, []string{"Nothing was sent there"}},
		{"provider elsewhere", func(o *oidc) {
			o.config = func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, 200, map[string]any{"oidc_endpoint": "http://dbc.cloud.databricks.com/oidc"})
			}
		}, false, []string{"Nothing was sent there"}},
		{"clock two hours off", func(o *oidc) {
			o.issue = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", newClock().now().Add(-2*time.Hour).UTC().Format(http.TimeFormat))
				writeJSON(w, 401, map[string]any{"error": "invalid_client"})
			}
		}, false, []string{"clock of this machine is 2h0m0s ahead of"}},
		{"host gone", func(o *oidc) { o.Close() }, true, []string{"refuses connections", "HTTPS_PROXY"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOIDC(t)
			tt.setup(o)
			id := o.identity(t, newClock(), nil)
			tok, err := id.Token(t.Context())
			if err == nil {
				t.Fatalf("token %q", tok)
			}
			e := wantError(t, err, append(tt.says, o.URL)...)
			if e.Temporary != tt.temporary {
				t.Errorf("temporary = %v: %v", e.Temporary, e)
			}
			for err := err; err != nil; err = errors.Unwrap(err) {
				if s := fmt.Sprintf("%v %+v", err, err); strings.Contains(s, clientSecret) || strings.Contains(s, "abcdefgh") {
					t.Errorf("an error of the chain holds a secret: %s", s)
				}
			}
		})
	}
}

func TestTrusted(t *testing.T) {
	for _, tt := range []struct {
		host, endpoint string
		ok             bool
	}{
		{"https://dbc.cloud.databricks.com", "https://dbc.cloud.databricks.com/oidc/v1/token", true},
		{"https://lakehouse.example.com", "https://LAKEHOUSE.example.com/oidc", true},
		{"https://lakehouse.example.com", "https://dbc.cloud.databricks.com/oidc", true},
		{"https://lakehouse.example.com", "https://login.databricks.com/oidc", true},
		{"https://lakehouse.example.com", "https://other.example.com/oidc", false},
		{"https://lakehouse.example.com", "https://lakehouse.example.com.evil.org/oidc", false},
		{"https://lakehouse.example.com", "https://evildatabricks.com/oidc", false},
		{"https://lakehouse.example.com", "https://user@lakehouse.example.com/oidc", false},
		{"https://lakehouse.example.com", "http://lakehouse.example.com/oidc", false},
		{"https://lakehouse.example.com", "http://127.0.0.1/oidc", false},
		{"https://lakehouse.example.com", "/oidc", false},
		{"http://127.0.0.1:8080", "http://localhost:8080/oidc", true},
		{"http://127.0.0.1:8080", "http://example.com/oidc", false},
	} {
		err := endpoints{host: tt.host}.trusted(tt.endpoint, "It")
		if (err == nil) != tt.ok {
			t.Errorf("%s for %s: %v, want allowed = %v", tt.endpoint, tt.host, err, tt.ok)
		}
	}
}

func TestAccountHostNeedsAnAccount(t *testing.T) {
	nothing := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 404, Body: http.NoBody, Request: r}, nil
	})}
	e := endpoints{client: nothing, host: "https://accounts.cloud.databricks.com"}
	_, err := e.token(t.Context())
	wantError(t, err, "host of an account", "DATABRICKS_ACCOUNT_ID")
	e.accountID = "acc"
	if u, err := e.token(t.Context()); err != nil || u != e.host+"/oidc/accounts/acc/v1/token" {
		t.Errorf("token endpoint %q, %v", u, err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
