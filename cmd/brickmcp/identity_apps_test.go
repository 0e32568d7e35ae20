package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"brickmcp/transport/sandbox"
)

const oneCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami","arguments":{}}}`

func TestAppsWhoAmI(t *testing.T) {
	server := overHTTP(t, map[string]string{"DATABRICKS_APP_NAME": "brickmcp", "HOME": t.TempDir()}, "--sandbox", "--identity", "apps")
	for n, user := range map[int]string{1: "user-1@example.com", 2: "user-2@example.com"} {
		c := asUser(t, server.url, sandbox.NumberedToken(n))
		if who := c.ok("whoami", args{}); who.Get("user").Str != user || who.Get("auth_type").Str != "pat" || who.Get("profile").Exists() {
			t.Errorf("user %d is %s", n, who.Raw)
		}
	}
	if who := asUser(t, server.url, sandbox.BenToken).ok("whoami", args{}); who.Get("user").Str != "ben@example.com" {
		t.Errorf("Ben is %s", who.Raw)
	}
	// A run in an app of the workspace goes out as the user, not as whom the sandbox is
	// otherwise for.
	c := asUser(t, server.url, sandbox.NumberedToken(3))
	run := c.ok("supervisor_start_run", args{"agent": "apps/agent-bricks-orders", "input": "How many orders are there?"})
	if run.Get("run_id").Str == "" {
		t.Errorf("the run: %s", run.Raw)
	}
}

// Who has no token, or one that the workspace does not take, is told so by HTTP, and
// nothing is served.
func TestAppsRefuses(t *testing.T) {
	host, _ := numberedWorkspace(t, nil)
	server := overHTTP(t, appEnv(t, host), "--identity", "apps")
	for name, c := range map[string]struct {
		header http.Header
		says   string
	}{
		"nothing":             {http.Header{}, forwardedHeader},
		"empty":               {http.Header{forwardedHeader: {""}}, forwardedHeader},
		"two tokens":          {http.Header{forwardedHeader: {"sandbox-user-1", "sandbox-user-2"}}, forwardedHeader},
		"unknown":             {http.Header{forwardedHeader: {"sandbox-user-none"}}, "does not take the user's token"},
		"no token":            {http.Header{forwardedHeader: {"a b"}}, "does not take the user's token"},
		"too long":            {http.Header{forwardedHeader: {strings.Repeat("x", maxForwarded+1)}}, "does not take the user's token"},
		"a client's bearer":   {http.Header{"Authorization": {"Bearer sandbox-user-1"}}, forwardedHeader},
		"claims to be a user": {http.Header{"X-Forwarded-Email": {"user-1@example.com"}, "X-Forwarded-User": {"1"}}, forwardedHeader},
	} {
		t.Run(name, func(t *testing.T) {
			client := &httpClient{t: t, url: server.url, header: c.header, http: http.DefaultClient}
			resp, answer := client.post(oneCall)
			if resp.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer") || !strings.Contains(answer.Get("error.message").Str, c.says) {
				t.Errorf("%d %q %s", resp.StatusCode, resp.Header.Get("WWW-Authenticate"), answer.Raw)
			}
			if strings.Contains(answer.Raw, "sandbox-user") {
				t.Errorf("the answer shows the token: %s", answer.Raw)
			}
		})
	}
}

// workspaceOf answers SCIM Me by one function, and everything else by another.
func workspaceOf(t *testing.T, me, rest http.HandlerFunc) string {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/2.0/preview/scim/v2/Me", me)
	mux.HandleFunc("/", rest)
	return serveOn(t, mux)
}

func meAs(id string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"id":"` + id + `","userName":"` + id + `@example.com"}`))
	}
}

func failing(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "600")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"error_code":"` + code + `","message":"` + message + `"}`))
	}
}

// The workspace that cannot say who a user is: nobody is served, and told when to come
// again.
func TestAppsWorkspaceDown(t *testing.T) {
	host := workspaceOf(t, failing(503, "TEMPORARILY_UNAVAILABLE", "down"), failing(500, "", ""))
	server := overHTTP(t, appEnv(t, host), "--identity", "apps")
	resp, answer := asUser(t, server.url, "token-of-somebody").post(oneCall)
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || answer.Get("error.code").Int() == 0 {
		t.Errorf("%d, Retry-After %q, %s", resp.StatusCode, resp.Header.Get("Retry-After"), answer.Raw)
	}
	if strings.Contains(server.log.String(), "token-of-somebody") {
		t.Error("the log has the token")
	}
}

func TestAppsUserMayDoNothing(t *testing.T) {
	host := workspaceOf(t, failing(403, "PERMISSION_DENIED", "Provided OAuth token does not have required scopes: iam"), failing(500, "", ""))
	server := overHTTP(t, appEnv(t, host), "--identity", "apps")
	resp, answer := asUser(t, server.url, "token").post(oneCall)
	if message := answer.Get("error.message").Str; resp.StatusCode != http.StatusForbidden || !strings.Contains(message, "scope iam") || !strings.Contains(message, "user_api_scopes") {
		t.Errorf("%d %s", resp.StatusCode, answer.Raw)
	}
}

// A token that was good when it came and is refused later: the agent hears what the
// user has to do, and the next request asks anew who that is.
func TestAppsTokenIsRefusedLater(t *testing.T) {
	var asked atomic.Int64
	me := func(w http.ResponseWriter, r *http.Request) { asked.Add(1); meAs("42")(w, r) }
	host := workspaceOf(t, me, failing(401, "UNAUTHENTICATED", "Access token expired."))
	server := overHTTP(t, appEnv(t, host), "--identity", "apps", "--audit-file", "off")
	c := asUser(t, server.url, "token")
	for i := range int64(2) {
		e := c.refused("signin", "jobs_list", args{})
		if advice := e.Get("advice").Str; !strings.Contains(advice, "reconnect") || !strings.Contains(advice, "consent") || !strings.Contains(advice, "user_api_scopes") || strings.Contains(advice, "brickmcp login") {
			t.Errorf("advice: %s", advice)
		}
		if asked.Load() != i+1 {
			t.Errorf("after %d calls it was asked %d times who the user is", i+1, asked.Load())
		}
	}
}

func TestAppsMissingScope(t *testing.T) {
	host := workspaceOf(t, meAs("42"), failing(403, "PERMISSION_DENIED", "Provided OAuth token does not have required scopes: jobs"))
	server := overHTTP(t, appEnv(t, host), "--identity", "apps")
	e := asUser(t, server.url, "token").refused("forbidden", "jobs_list", args{})
	if advice := e.Get("advice").Str; !strings.Contains(advice, "scope jobs") || !strings.Contains(advice, "user_api_scopes") || !strings.Contains(advice, "consent") {
		t.Errorf("error: %s", e.Raw)
	}
}

// The same user with another token is the same user.
func TestAppsTokensOfOneUser(t *testing.T) {
	host := workspaceOf(t, meAs("42"), func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"jobs":[{"job_id":1,"settings":{"name":"` + strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") + `"}}]}`))
	})
	server := overHTTP(t, appEnv(t, host), "--identity", "apps", "--admin-listen", ":0")
	first, second := asUser(t, server.url, "token-1"), asUser(t, server.url, "token-2")
	first.initialize("client")
	second.session = first.session // it is the user's, not the token's
	for token, c := range map[string]*httpClient{"token-1": first, "token-2": second} {
		if got := c.ok("jobs_list", args{}); got.Get("jobs.0.settings.name").Str != token {
			t.Errorf("the request with %s went out with another: %s", token, got.Raw)
		}
	}
	numbers := fetch(t, server.log.line.Get("metrics").Str)
	for _, want := range []string{"brickmcp_users 1\n", `brickmcp_tool_calls_total{tool="jobs_list",outcome="ok"} 2`, `brickmcp_upstream_requests_total{status="200"} `} {
		if !strings.Contains(numbers, want) {
			t.Errorf("the metrics lack %q:\n%s", want, numbers)
		}
	}
	if strings.Contains(numbers, "token-") {
		t.Error("the metrics have a token")
	}
}

// While requests are under way their tenants stay, and afterwards none is held.
func TestAppsReleasesRequests(t *testing.T) {
	host, _ := numberedWorkspace(t, nil)
	env := appEnv(t, host)
	c := newConfig(func(name string) string { return env[name] }, strings.NewReader(""), &strings.Builder{}, &strings.Builder{})
	newRoot(c) // sets the defaults
	c.transport, c.identity, c.serving = transportHTTP, identityApps, true
	sh, err := c.share()
	if err != nil {
		t.Fatal(err)
	}
	defer sh.close()
	u, err := sh.appUsers()
	if err != nil {
		t.Fatal(err)
	}
	defer u.end(t.Context())
	handler := c.httpServer(sh, u, make([]byte, 32), nil, nil).Handler
	url := serveOn(t, handler)
	user := asUser(t, url+"/mcp", sandbox.NumberedToken(1))
	user.initialize("client")
	user.ok("whoami", args{})
	for _, message := range []string{`{"jsonrpc":"2.0","method":"notifications/initialized"}`, `nonsense`, request(1, "nope", `{}`), request(2, "ping", `{}`), `[]`} {
		user.post(message)
	}
	for _, method := range []string{http.MethodDelete, http.MethodOptions, http.MethodPut, http.MethodDelete} {
		req, err := http.NewRequest(method, user.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = user.header.Clone()
		req.Header.Set("Mcp-Session-Id", user.session)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	u.tenants.mu.Lock()
	defer u.tenants.mu.Unlock()
	if len(u.tenants.all) != 1 {
		t.Errorf("%d tenants", len(u.tenants.all))
	}
	for _, one := range u.tenants.all {
		if one.requests != 0 {
			t.Errorf("%d requests of a user are still under way", one.requests)
		}
	}
}

// A restart changes nothing for anybody: what was begun goes on, for its user alone.
func TestAppsRestart(t *testing.T) {
	host, _ := numberedWorkspace(t, nil)
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte("default: full\ntools: {jobs_delete: confirm}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := appEnv(t, host)
	before := overHTTP(t, env, "--identity", "apps", "--policy", policy)
	var users [2]*isolatedUser
	for i := range users {
		users[i] = &isolatedUser{httpClient: asUser(t, before.url, sandbox.NumberedToken(i+1)), n: i + 1}
		users[i].work()
	}
	if err := before.stop(); err != nil {
		t.Fatal(err)
	}
	after := overHTTP(t, env, "--identity", "apps", "--policy", policy)
	for _, u := range users {
		u.url = after.url
	}
	left := *users[1]
	users[0].pry(&left)
	for _, u := range users {
		u.finish()
	}
}
