package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

func newForwardedFor(t *testing.T, env map[string]string, refused func(string)) *Forwarded {
	t.Helper()
	f, err := NewForwarded(Options{Getenv: func(name string) string { return env[name] }}, refused)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Whatever else is in the environment, above all the credentials of the app itself,
// nothing but the token of the request is sent.
func TestForwardedLooksAtNoOtherCredentials(t *testing.T) {
	f := newForwardedFor(t, map[string]string{
		"DATABRICKS_HOST": "dbc-1.cloud.databricks.com", "DATABRICKS_WORKSPACE_ID": "42", "DATABRICKS_WAREHOUSE_ID": "w1",
		"DATABRICKS_CLIENT_ID": "app", "DATABRICKS_CLIENT_SECRET": "secret-of-the-app", "DATABRICKS_TOKEN": "dapi-of-the-app",
		"DATABRICKS_CONFIG_PROFILE": "other", "DATABRICKS_AUTH_TYPE": "oauth-m2m",
	}, nil)
	id, err := f.Identity()
	if err != nil {
		t.Fatal(err)
	}
	if id.Host != "https://dbc-1.cloud.databricks.com" || id.WorkspaceID != "42" || id.WarehouseID != "w1" || id.AuthType != "pat" || id.ClientID != "" || id.Profile != "" {
		t.Errorf("identity %+v", *id)
	}
	if token, err := f.Token(t.Context()); err == nil {
		t.Errorf("without a request there is the token %q", token)
	}
	if headers, err := f.Headers(t.Context()); err != nil || headers != nil {
		t.Errorf("headers %v, %v", headers, err)
	}
	if token, err := f.Token(f.With(t.Context(), "token-1")); err != nil || token != "token-1" {
		t.Errorf("token %q, %v", token, err)
	}
}

func TestForwardedNeedsAHost(t *testing.T) {
	_, err := NewForwarded(Options{Getenv: func(string) string { return "" }}, nil)
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, "DATABRICKS_HOST") || e.Advice == "" {
		t.Errorf("error %v", err)
	}
}

func TestForwardedToken(t *testing.T) {
	env := map[string]string{"DATABRICKS_HOST": "https://dbc-1.cloud.databricks.com"}
	ana, ben := newForwardedFor(t, env, nil), newForwardedFor(t, env, nil)
	first := ana.With(context.Background(), "ana-1")
	second := ana.With(context.Background(), "ana-2")
	for _, c := range []struct {
		name string
		ctx  context.Context
		want string
	}{
		{"first request", first, "ana-1"},
		{"second request", second, "ana-2"},
		{"clean-up of the first", context.WithoutCancel(first), "ana-1"},
		{"background", context.Background(), "ana-2"},
	} {
		if got, err := ana.Token(c.ctx); err != nil || got != c.want {
			t.Errorf("%s: token %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	if got, err := ben.Token(first); err == nil || got != "" {
		t.Errorf("Ana's request gave Ben's credential the token %q", got)
	} else if strings.Contains(err.Error(), "ana-1") {
		t.Errorf("the error shows the token: %v", err)
	}
	gone, cancel := context.WithCancel(first)
	cancel()
	if _, err := ana.Token(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call: %v", err)
	}
}

func TestForwardedRefused(t *testing.T) {
	var told []string
	f := newForwardedFor(t, map[string]string{"DATABRICKS_HOST": "https://dbc-1.cloud.databricks.com"}, func(token string) { told = append(told, token) })
	old, fresh := f.With(t.Context(), "old"), f.With(t.Context(), "fresh")
	f.Invalidate("old")
	if len(told) != 1 || told[0] != "old" {
		t.Errorf("told %q", told)
	}
	for range 2 { // as often as it is asked
		_, err := f.Token(old)
		var e *Error
		if !errors.As(err, &e) || e.Temporary || !strings.Contains(e.Advice, "user_api_scopes") || strings.Contains(err.Error(), `"old"`) {
			t.Fatalf("error %v", err)
		}
	}
	if token, err := f.Token(fresh); err != nil || token != "fresh" {
		t.Errorf("another request of the user: %q, %v", token, err)
	}
	if id, err := f.Identity(); err != nil || id.Host == "" {
		t.Errorf("identity %v, %v", id, err) // not resolved anew
	}
	f.Verified("old")
	if token, err := f.Token(old); err != nil || token != "old" {
		t.Errorf("after it proved good: %q, %v", token, err)
	}
	for i := range 3 * maxRefused {
		f.Invalidate(strings.Repeat("x", i))
	}
	if len(f.source.refused) > maxRefused {
		t.Errorf("%d tokens are remembered", len(f.source.refused))
	}
}

func TestTokenExpiry(t *testing.T) {
	jwt := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".sig"
	}
	for token, want := range map[string]time.Time{
		jwt(`{"exp":1900000000}`):   time.Unix(1900000000, 0),
		jwt(`{"exp":1900000000.5}`): time.Unix(1900000000, 0),
		jwt(`{"exp":-1}`):           {},
		jwt(`{"exp":1e300}`):        {},
		jwt(`{"exp":"soon"}`):       {},
		jwt(`{}`):                   {},
		jwt(`nonsense`):             {},
		"dapi-1":                    {},
		"a.!.c":                     {},
		"":                          {},
	} {
		if got := TokenExpiry(token); !got.Equal(want) {
			t.Errorf("%q ends %v, want %v", token, got, want)
		}
	}
	f := newForwardedFor(t, map[string]string{"DATABRICKS_HOST": "https://dbc-1.cloud.databricks.com"}, nil)
	f.With(t.Context(), jwt(`{"exp":1900000000}`))
	if id, _ := f.Identity(); !id.ExpiresAt().Equal(time.Unix(1900000000, 0)) {
		t.Errorf("the credential ends %v", id.ExpiresAt())
	}
}
