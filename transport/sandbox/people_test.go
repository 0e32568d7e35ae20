package sandbox

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestAuthenticate(t *testing.T) {
	ana, _, _ := newCallers(t)
	for header, message := range map[string]string{
		"":                    "Credential was not sent",
		"Basic YW5hOng=":      "Credential was not sent",
		"Bearer ":             "Credential was not sent",
		"Bearer dapi-unknown": "Invalid access token.",
	} {
		got := ana.refused("GET", scim+"/Me", nil, 401, "UNAUTHENTICATED", "Authorization: "+header)
		if !strings.HasPrefix(got, message) {
			t.Errorf("%q: %s", header, got)
		}
	}
	rec := ana.send("GET", scim+"/Me", nil, "Authorization: bearer "+BenToken)
	if !strings.Contains(rec.Body.String(), `"userName":"ben@example.com"`) || rec.Header().Get("X-Databricks-Org-Id") != ID {
		t.Error(rec.Code, rec.Body, rec.Header())
	}
}

// tokenRequest asks the token endpoint, which is open, for a token.
func tokenRequest(w *Workspace, form url.Values, id, secret string) (int, map[string]any) {
	r := httptest.NewRequest("POST", "/oidc/v1/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id != "" {
		r.SetBasicAuth(id, secret)
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	out := map[string]any{}
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
		out["unreadable"] = rec.Body.String()
	}
	return rec.Code, out
}

func TestClientCredentials(t *testing.T) {
	ana, _, clock := newCallers(t)
	grant := url.Values{"grant_type": {"client_credentials"}, "scope": {"all-apis"}}
	code, token := tokenRequest(ana.w, grant, ClientID, ClientSecret)
	if code != 200 || token["token_type"] != "Bearer" || token["expires_in"] != 3600.0 || token["scope"] != "all-apis" {
		t.Fatal(code, token)
	}
	inForm := url.Values{"grant_type": {"client_credentials"}, "client_id": {ClientID}, "client_secret": {ClientSecret}}
	if code, other := tokenRequest(ana.w, inForm, "", ""); code != 200 || other["access_token"] == token["access_token"] {
		t.Error("credentials in the form:", code, other)
	}
	bot := caller{t, ana.w, token["access_token"].(string)}
	me := bot.get(scim + "/Me")
	if me["userName"] != ClientID || me["displayName"] != "etl-nightly" {
		t.Error("a service principal is a user named by its application id:", me)
	}
	clock.advance(time.Hour - time.Second)
	bot.get(scim + "/Me")
	clock.advance(time.Second)
	if why := bot.refused("GET", scim+"/Me", nil, 401, "UNAUTHENTICATED"); why != "Access token expired." {
		t.Error(why)
	}
	for name, c := range map[string]struct {
		form       url.Values
		id, secret string
		status     int
		code       string
	}{
		"wrong secret":     {grant, ClientID, "no", 401, "invalid_client"},
		"unknown client":   {grant, "00000000-0000-4000-8000-000000000000", ClientSecret, 401, "invalid_client"},
		"without a secret": {grant, "b7a1c3e9-2d54-4f08-8e6b-71f0a94d3c15", "", 401, "invalid_client"},
		"no grant":         {url.Values{}, ClientID, ClientSecret, 400, "invalid_request"},
		"unknown grant":    {url.Values{"grant_type": {"password"}}, ClientID, ClientSecret, 400, "unsupported_grant_type"},
	} {
		if status, body := tokenRequest(ana.w, c.form, c.id, c.secret); status != c.status || body["error"] != c.code {
			t.Errorf("%s: %d %v", name, status, body)
		}
	}
}

// Tokens die with their holder.
func TestTokenOfDeletedPrincipal(t *testing.T) {
	ana, _, _ := newCallers(t)
	grant := url.Values{"grant_type": {"client_credentials"}}
	_, token := tokenRequest(ana.w, grant, ClientID, ClientSecret)
	bot := caller{t, ana.w, token["access_token"].(string)}
	id := bot.get(scim + "/Me")["id"].(string)
	ana.call("PATCH", scim+"/ServicePrincipals/"+id, object{"Operations": []object{{"op": "replace", "path": "active", "value": "false"}}})
	bot.refused("GET", scim+"/Me", nil, 401, "UNAUTHENTICATED")
	if code, body := tokenRequest(ana.w, grant, ClientID, ClientSecret); code != 401 {
		t.Error("a deactivated principal still gets tokens:", code, body)
	}
}

func TestTokenLifetime(t *testing.T) {
	w, err := New(Options{TokenLifetime: 90 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, body := tokenRequest(w, url.Values{"grant_type": {"client_credentials"}}, ClientID, ClientSecret); body["expires_in"] != 90.0 {
		t.Error(body)
	}
}

func TestDiscovery(t *testing.T) {
	ana, _, _ := newCallers(t)
	nobody := caller{t, ana.w, ""}
	config := nobody.get("/.well-known/databricks-config")
	if config["oidc_endpoint"] != "http://example.com/oidc" || config["workspace_id"] != ID || config["host_type"] != "WORKSPACE_HOST" {
		t.Error(config)
	}
	for _, path := range []string{"/oidc/.well-known/oauth-authorization-server", "/oidc/.well-known/openid-configuration"} {
		doc := nobody.get(path)
		if doc["token_endpoint"] != "http://example.com/oidc/v1/token" || doc["authorization_endpoint"] != "http://example.com/oidc/v1/authorize" {
			t.Error(path, doc)
		}
	}
}

func TestUnknownRoute(t *testing.T) {
	ana, _, _ := newCallers(t)
	for _, path := range []string{"/api/2.0/nothing", "/api/2.2/jobs/create"} {
		if why := ana.refused("GET", path, nil, http.StatusNotFound, "ENDPOINT_NOT_FOUND"); why != "No API found for 'GET "+path+"'" {
			t.Error(why)
		}
	}
}
