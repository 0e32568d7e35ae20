package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brickmcp/transport/sandbox"
)

// withSecret calls a local server.
func withSecret(t testing.TB, url, secret string) *httpClient {
	return &httpClient{t: t, url: url, header: http.Header{"Authorization": {"Bearer " + secret}}, http: http.DefaultClient}
}

func TestLocal(t *testing.T) {
	env := map[string]string{"XDG_STATE_HOME": t.TempDir()}
	server := overHTTP(t, env, "--identity", "local", "--sandbox")
	text, err := os.ReadFile(filepath.Join(env["XDG_STATE_HOME"], "brickmcp", "http", "secret"))
	if err != nil {
		t.Fatal(err) // made at the start
	}
	secret := strings.TrimSpace(string(text))
	c := withSecret(t, server.url, secret)
	if who := c.ok("whoami", args{}); who.Get("user").Str != "ana@example.com" {
		t.Errorf("it is %s", who.Raw)
	}
	for name, header := range map[string]http.Header{
		"nothing":           {},
		"another secret":    {"Authorization": {"Bearer " + strings.Repeat("A", 43)}},
		"another scheme":    {"Authorization": {"Basic " + secret}},
		"without a scheme":  {"Authorization": {secret}},
		"two":               {"Authorization": {"Bearer " + secret, "Bearer " + secret}},
		"a forwarded token": {forwardedHeader: {sandbox.Token}},
		"a session alone":   {"Mcp-Session-Id": {"x"}},
	} {
		stranger := &httpClient{t: t, url: server.url, header: header, http: http.DefaultClient}
		resp, answer := stranger.post(oneCall)
		if resp.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer") || !strings.Contains(answer.Get("error.message").Str, "brickmcp secret") || strings.Contains(answer.Raw, secret) {
			t.Errorf("%s: %d %q %s", name, resp.StatusCode, resp.Header.Get("WWW-Authenticate"), answer.Raw)
		}
	}
	inQuery := &httpClient{t: t, url: server.url + "?access_token=" + secret, header: http.Header{}, http: http.DefaultClient}
	if resp, answer := inQuery.post(oneCall); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a secret in the query: %d %s", resp.StatusCode, answer.Raw)
	}
	// What only a platform may say is not believed, whoever says it.
	c.header.Set(forwardedHeader, sandbox.BenToken)
	c.header.Set("X-Forwarded-Email", "ben@example.com")
	if who := c.ok("whoami", args{}); who.Get("user").Str != "ana@example.com" {
		t.Errorf("with a forwarded token it is %s", who.Raw)
	}
	fresh, err := printedSecret(t, env, "--new")
	if err != nil {
		t.Fatal(err)
	}
	if resp, answer := c.post(oneCall); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the old secret: %d %s", resp.StatusCode, answer.Raw)
	}
	withSecret(t, server.url, strings.TrimSpace(fresh)).ok("whoami", args{})
	if log := server.log.String(); strings.Contains(log, secret) || strings.Contains(log, strings.TrimSpace(fresh)) {
		t.Error("the log has the secret")
	}
}

func TestWrongPathSaysTheRightOne(t *testing.T) {
	env := map[string]string{"XDG_STATE_HOME": t.TempDir()}
	for transport, path := range map[string]string{"http": "/mcp", "sse": "/sse and /message"} {
		server := overHTTP(t, env, "--identity", "local", "--sandbox", "--transport", transport)
		base := server.url[:strings.LastIndexByte(server.url, '/')]
		c := withSecret(t, base+"/api", "x")
		if resp, answer := c.post(oneCall); resp.StatusCode != http.StatusNotFound || !strings.Contains(answer.Get("error.message").Str, path) {
			t.Errorf("%s: %d %s", transport, resp.StatusCode, answer.Raw)
		}
		if got := fetch(t, base+"/readyz"); got != "ok\n" {
			t.Errorf("ready: %q", got)
		}
	}
}

// A server that would refuse everything says that it is not ready.
func TestNotReady(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte("default: nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := overHTTP(t, map[string]string{"XDG_STATE_HOME": t.TempDir()}, "--identity", "local", "--sandbox", "--policy", policy)
	resp, err := http.Get(strings.TrimSuffix(server.url, "mcp") + "readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("ready: %s", resp.Status)
	}
}
