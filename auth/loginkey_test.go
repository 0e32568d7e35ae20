package auth

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestLoginKey(t *testing.T) {
	key := newLoginKey("https://dbc-1.cloud.databricks.com", "acc", "", []string{"offline_access", "sql", "files", "sql"})
	if key.AccountID != "" || key.ClientID != "databricks-cli" || strings.Join(key.Scopes, " ") != "files sql" {
		t.Errorf("%+v", key)
	}
	if k := newLoginKey("https://accounts.cloud.databricks.com", "acc", "", nil); k.AccountID != "acc" || k.Scopes[0] != "all-apis" {
		t.Errorf("%+v", k)
	}
	if k := newLoginKey("https://acme.databricks.com", "acc", "", nil); k.AccountID != "acc" {
		t.Errorf("a unified host: %+v", k)
	}
	seen := map[string]bool{}
	for _, k := range []loginKey{
		key, newLoginKey("https://dbc-2.cloud.databricks.com", "", "", []string{"sql", "files"}),
		newLoginKey(key.Host, "", "other", key.Scopes), newLoginKey(key.Host, "", "", nil),
		newLoginKey("https://a.example.com", "", "", nil), newLoginKey("https://a.example.com", "b", "", nil),
		newLoginKey("http://127.0.0.1:1", "", "", nil), newLoginKey("http://127.0.0.1:2", "", "", nil),
	} {
		name := k.file(ana)
		if seen[name] || !regexp.MustCompile(`^[a-z0-9._-]+\.json$`).MatchString(name) || k.file("") == name {
			t.Errorf("file %q", name)
		}
		seen[name] = true
	}
	if key.file("Ana@Example.com") != key.file(ana) {
		t.Error("the case of a user name makes two sign-ins")
	}
}

func TestSignInEndpoints(t *testing.T) {
	answers := map[string]string{
		"https://acme.databricks.com/.well-known/databricks-config":                            `{"oidc_endpoint":"https://acme.databricks.com/oidc/accounts/{account_id}","account_id":"acc","host_type":"UNIFIED_HOST"}`,
		"https://acme.databricks.com/oidc/accounts/acc/.well-known/oauth-authorization-server": `{"authorization_endpoint":"https://acme.databricks.com/a","token_endpoint":"https://acme.databricks.com/t"}`,
		"https://old.cloud.databricks.com/oidc/.well-known/oauth-authorization-server":         `{"authorization_endpoint":"https://old.cloud.databricks.com/a","token_endpoint":"https://old.cloud.databricks.com/t"}`,
		"https://half.cloud.databricks.com/oidc/.well-known/oauth-authorization-server":        `{"token_endpoint":"https://half.cloud.databricks.com/t"}`,
		"https://evil.cloud.databricks.com/oidc/.well-known/oauth-authorization-server":        `{"authorization_endpoint":"https://phish.example.com/a","token_endpoint":"https://evil.cloud.databricks.com/t"}`,
		"https://plain.cloud.databricks.com/oidc/.well-known/oauth-authorization-server":       `{"authorization_endpoint":"http://plain.cloud.databricks.com/a","token_endpoint":"https://plain.cloud.databricks.com/t"}`,
		"https://script.cloud.databricks.com/oidc/.well-known/oauth-authorization-server":      `{"authorization_endpoint":"javascript:alert(1)","token_endpoint":"https://script.cloud.databricks.com/t"}`,
	}
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		body, ok := answers[r.URL.String()]
		status := 200
		if !ok {
			status = 404
		}
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	})}
	for _, tt := range []struct{ host, account, authorize, says string }{
		{host: "https://acme.databricks.com", authorize: "https://acme.databricks.com/a"},
		{host: "https://old.cloud.databricks.com", authorize: "https://old.cloud.databricks.com/a"},
		{host: "https://accounts.cloud.databricks.com", account: "acc", authorize: "https://accounts.cloud.databricks.com/oidc/accounts/acc/v1/authorize"},
		{host: "https://accounts.cloud.databricks.com", says: "DATABRICKS_ACCOUNT_ID"},
		{host: "https://half.cloud.databricks.com", says: "does not offer the sign-in of users"},
		{host: "https://evil.cloud.databricks.com", says: "Nothing was sent there"},
		{host: "https://plain.cloud.databricks.com", says: "Nothing was sent there"},
		{host: "https://script.cloud.databricks.com", says: "Nothing was sent there"},
		{host: "https://none.cloud.databricks.com", says: "does not offer OAuth"},
	} {
		f, err := endpoints{client: client, host: tt.host, accountID: tt.account}.both(t.Context())
		if tt.says != "" {
			wantError(t, err, tt.says)
		} else if err != nil || f.authorization != tt.authorize || f.token == "" {
			t.Errorf("%s: %+v, %v", tt.host, f, err)
		}
	}
}
