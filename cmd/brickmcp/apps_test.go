package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"brickmcp/auth"
	"brickmcp/catalog"
	"brickmcp/transport/rest"

	"go.uber.org/zap"
)

const userToken = "head.claims.signature"

// workspaceWith is a workspace whose token comes from the environment.
func workspaceWith(host, token string) *workspace {
	environment := map[string]string{"DATABRICKS_HOST": host, "DATABRICKS_TOKEN": token}
	return &workspace{log: zap.NewNop(), credential: auth.NewCredential(auth.Options{Getenv: func(name string) string { return environment[name] }})}
}

func askApp(app catalog.Caller) (*catalog.Answer, error) {
	call, err := catalog.GetInvocation.Bind(json.RawMessage(`{"id":"x"}`))
	if err != nil {
		return nil, err
	}
	return app.Do(context.Background(), call)
}

// An app over TLS gets the user's token, and nothing else of the workspace.
func TestAppIsOpened(t *testing.T) {
	var got *http.Request
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		_, _ = w.Write([]byte(`{"status":"active"}`))
	}))
	defer server.Close()
	w := workspaceWith("https://w.example?o=123", userToken)
	config, base, err := w.appConfig(server.URL + "/base/")
	if err != nil {
		t.Fatal(err)
	}
	config.RoundTripper = server.Client().Transport
	client, err := rest.New(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := askApp(below{client, base}); err != nil {
		t.Fatal(err)
	}
	if got.URL.Path != "/base/api/invocations/x" || got.Header.Get("Authorization") != "Bearer "+userToken {
		t.Errorf("%s with %q", got.URL, got.Header.Get("Authorization"))
	}
	for name := range got.Header {
		if strings.HasPrefix(name, "X-Databricks") {
			t.Errorf("the app was sent %s", name)
		}
	}
}

// A login page is no answer, and the token does not go there.
func TestAppRedirects(t *testing.T) {
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("followed to %s with %q", r.URL, r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+"/login", http.StatusFound)
	}))
	defer server.Close()
	config, _, err := workspaceWith("https://w.example", userToken).appConfig(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	config.RoundTripper = server.Client().Transport
	client, err := rest.New(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := askApp(below{client, ""}); err == nil || catalog.AsError(err).Kind != catalog.SignIn || catalog.AsError(err).Status != http.StatusFound {
		t.Errorf("%v", err)
	}
}

func TestAppNotOpened(t *testing.T) {
	sent := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { sent = true }))
	defer server.Close()
	for name, c := range map[string]struct{ host, token, address, says string }{
		"plain http":                  {"https://w.example", userToken, "http://app.example", "not https"},
		"this machine, from a cloud":  {"https://w.example", userToken, server.URL, "not https"},
		"a user in it":                {"https://w.example", userToken, "https://u:p@app.example", "no plain URL"},
		"a query":                     {"https://w.example", userToken, "https://app.example?x=1", "no plain URL"},
		"no URL":                      {"https://w.example", userToken, "::", "no plain URL"},
		"a file":                      {"https://w.example", userToken, "file:///etc/passwd", "no plain URL"},
		"personal access token":       {"http://" + strings.TrimPrefix(server.URL, "http://"), "dapi0123456789", server.URL, "personal access token"},
		"nobody is signed in":         {"", "", "https://app.example", ""},
		"a token of an unknown shape": {"http://" + strings.TrimPrefix(server.URL, "http://"), "whatever", server.URL, "personal access token"},
	} {
		t.Run(name, func(t *testing.T) {
			app, err := workspaceWith(c.host, c.token).openApp(t.Context(), c.address)
			if err == nil {
				_, err = askApp(app)
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || catalog.AsError(err).Advice == "" || catalog.AsError(err).Kind == catalog.Internal {
				t.Errorf("%v, want %q", err, c.says)
			}
			if strings.Contains(err.Error(), "dapi0123456789") || sent {
				t.Errorf("sent %t, error %v", sent, err)
			}
		})
	}
}

// One app is opened once; its limits are its own.
func TestAppIsKept(t *testing.T) {
	w := workspaceWith("https://w.example", userToken)
	first, err := w.openApp(t.Context(), "https://a.example")
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := w.openApp(t.Context(), "https://a.example"); again != first {
		t.Error("the app was opened twice")
	}
	if other, _ := w.openApp(t.Context(), "https://b.example"); other == first {
		t.Error("two apps share a client")
	}
	for i := range maxApps {
		if _, err := w.openApp(t.Context(), "https://app"+strings.Repeat("x", i)+".example"); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.apps) > maxApps {
		t.Errorf("%d apps are kept", len(w.apps))
	}
}
