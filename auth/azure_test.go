package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// cloud is Azure, the workspace and GitHub behind one transport. Handlers are
// by host and path.
type cloud map[string]http.HandlerFunc

func (c cloud) RoundTrip(r *http.Request) (*http.Response, error) {
	h := c[r.URL.Host+r.URL.Path]
	if h == nil {
		h = http.NotFound
	}
	w := httptest.NewRecorder()
	h(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

const (
	entraToken = "login.microsoftonline.com/tenant/oauth2/token"
	imdsToken  = "169.254.169.254/metadata/identity/oauth2/token"
	tenantID   = "11111111-2222-4333-8444-555555555555"
	management = "https://management.core.windows.net/"
)

// issue answers with a token named after the resource.
func issue(resource string) map[string]any {
	name := map[string]string{databricksApp: "databricks", management: "management"}[resource]
	if name == "" {
		name = "for " + resource // no bearer: the test fails
	}
	return map[string]any{"access_token": name, "token_type": "Bearer", "expires_in": "3600"}
}

func azureIdentity(t *testing.T, handlers map[string]http.HandlerFunc, p Programs, vars ...env) (*Identity, *clock) {
	t.Helper()
	c := newClock()
	id := resolve(t, Options{Getenv: with(vars...).get, Now: c.now, Programs: p, HTTPClient: &http.Client{Transport: cloud(handlers)}})
	return quick(id), c
}

func wantHeaders(t *testing.T, id *Identity, want http.Header) {
	t.Helper()
	got, err := id.Headers(t.Context())
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("headers %v, %v; want %v", got, err, want)
	}
}

func bothHeaders() http.Header {
	h := http.Header{}
	h.Set("X-Databricks-Azure-Workspace-Resource-Id", resourceID)
	h.Set("X-Databricks-Azure-SP-Management-Token", "management")
	return h
}

func TestAzureClientSecret(t *testing.T) {
	entra := func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		if r.PostForm.Get("grant_type") != "client_credentials" || r.PostForm.Get("client_id") != "app" || r.PostForm.Get("client_secret") != "hush-azure" {
			t.Errorf("form %v", r.PostForm)
		}
		writeJSON(w, 200, issue(r.PostForm.Get("resource")))
	}
	handlers := map[string]http.HandlerFunc{entraToken: entra}
	id, _ := azureIdentity(t, handlers, nil, adb, azureSecret, resource)
	if got := token(t, id); got != "databricks" {
		t.Errorf("token %q", got)
	}
	wantHeaders(t, id, bothHeaders())
	if strings.Contains(fmt.Sprintf("%v %+v %#v", id, id, id), "hush") {
		t.Error("the identity shows its secret")
	}

	// Without a resource id there is nothing to show to Azure's management.
	id, _ = azureIdentity(t, handlers, nil, adb, azureSecret)
	token(t, id)
	wantHeaders(t, id, nil)

	// Another cloud has another place to sign in and another management.
	id, _ = azureIdentity(t, map[string]http.HandlerFunc{"login.microsoftonline.us/tenant/oauth2/token": func(w http.ResponseWriter, r *http.Request) {
		if got := r.FormValue("resource"); got != databricksApp {
			t.Errorf("resource %q", got)
		}
		writeJSON(w, 200, issue(databricksApp))
	}}, nil, env{"DATABRICKS_HOST": "https://adb-1.2.databricks.azure.us"}, azureSecret)
	token(t, id)
}

func TestGitHubOIDCAzure(t *testing.T) {
	id, _ := azureIdentity(t, map[string]http.HandlerFunc{
		"ci.example.com/token": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("audience") != "api://AzureADTokenExchange" || r.URL.Query().Get("v") != "1" {
				t.Errorf("asked %s", r.URL)
			}
			writeJSON(w, 200, map[string]any{"value": jwt})
		},
		entraToken: func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			if r.PostForm.Get("client_assertion") != jwt || r.PostForm.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || r.PostForm.Has("client_secret") {
				t.Errorf("form %v", r.PostForm)
			}
			writeJSON(w, 200, issue(r.PostForm.Get("resource")))
		},
	}, nil, adb, github, azureSecret, env{"ARM_CLIENT_SECRET": ""})
	if got := token(t, id); id.AuthType != "github-oidc-azure" || got != "databricks" {
		t.Errorf("%s: %q", id.AuthType, got)
	}
}

func TestAzureMSI(t *testing.T) {
	c := newClock()
	handlers := map[string]http.HandlerFunc{imdsToken: func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.Header.Get("Metadata") != "true" || q.Get("api-version") != "2018-02-01" || q.Get("client_id") != "id" {
			t.Errorf("asked %s", r.URL)
		}
		a := issue(q.Get("resource"))
		delete(a, "expires_in")
		a["expires_on"] = fmt.Sprint(c.now().Add(time.Hour).Unix()) // IMDS quotes its numbers
		writeJSON(w, 200, a)
	}}
	id, _ := azureIdentity(t, handlers, nil, adb, msi, resource, env{"ARM_CLIENT_ID": "id"})
	if got := token(t, id); got != "databricks" {
		t.Errorf("token %q", got)
	}
	wantHeaders(t, id, bothHeaders())
	if got := id.ExpiresAt().Sub(c.now()); got != time.Hour-40*time.Second {
		t.Errorf("expires in %v, want 40 s before the hour", got)
	}
	// A 401 does not say which token it is about: both are asked for again.
	before := len(id.source.(*azure).managementToken())
	id.Invalidate("databricks")
	if before == 0 || id.source.(*azure).managementToken() != "" {
		t.Error("the management token outlived a 401")
	}
}

func (a *azure) managementToken() string {
	token, _, _ := a.management.inHand()
	return token
}

// az is an Azure CLI.
func newAz(c *clock, user, kind string, token func(args string) (string, error)) *programs {
	return &programs{name: "az", size: 900, answer: func(_ context.Context, args string) (string, error) {
		if strings.HasPrefix(args, "account show") {
			return fmt.Sprintf(`{"user":{"name":%q,"type":%q}}`, user, kind), nil
		}
		if token != nil {
			return token(args)
		}
		name := "management"
		if strings.Contains(args, databricksApp) {
			name = "databricks"
		}
		return azAnswer(name, c.now().Add(time.Hour)), nil
	}}
}

func azAnswer(token string, expiry time.Time) string {
	return fmt.Sprintf(`{"accessToken":%q,"expiresOn":%q,"subscription":"s","tenant":"t","tokenType":"Bearer"}`, token, expiry.Local().Format("2006-01-02 15:04:05.000000"))
}

// toLogin is the workspace that sends people to the tenant's login.
func toLogin(location string) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"adb-1.2.azuredatabricks.net/aad/auth": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, location, http.StatusFound)
	}}
}

func TestAzureCLI(t *testing.T) {
	const get, show = "account get-access-token --resource " + databricksApp + " --output json", "account show --output json"
	found := toLogin("https://login.microsoftonline.com/" + tenantID + "/oauth2/authorize?x=y")
	failsWith := func(part string) func(string) (string, error) {
		return func(args string) (string, error) {
			if strings.Contains(args, part) {
				return "", &ExitError{Status: 1, Stderr: "ERROR: AADSTS90002"}
			}
			return azAnswer("databricks", newClock().now().Add(time.Hour)), nil
		}
	}
	for _, tt := range []struct {
		name       string
		handlers   map[string]http.HandlerFunc
		user, kind string
		token      func(string) (string, error)
		env        env
		ran        []string
	}{
		{"tenant of the workspace", found, "ana@example.com", "user", nil, nil, []string{show, get + " --tenant " + tenantID}},
		{"tenant of the configuration", found, "ana@example.com", "user", nil, env{"ARM_TENANT_ID": "mine.example.com"}, []string{show, get + " --tenant mine.example.com"}},
		{"tenant unknown", toLogin("https://login.microsoftonline.com/common/oauth2"), "ana@example.com", "user", nil, nil, []string{show, get}},
		{"a redirect elsewhere tells no tenant", toLogin("https://evil.example.com/" + tenantID + "/x"), "ana@example.com", "user", nil, nil, []string{show, get}},
		{"subscription of the resource id", nil, "ana@example.com", "user", nil, resource, []string{show, get + " --subscription 00000000-0000-4000-8000-000000000009"}},
		{"managed identity takes no tenant", found, "systemAssignedIdentity", "servicePrincipal", nil, nil, []string{show, get}},
		{"federated service principal", found, "app", "servicePrincipal", failsWith("--tenant"), nil, []string{show, get + " --tenant " + tenantID, get}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newAz(newClock(), tt.user, tt.kind, tt.token)
			id, _ := azureIdentity(t, tt.handlers, p, adb, pin("azure-cli"), tt.env)
			if got := token(t, id); got != "databricks" {
				t.Errorf("token %q", got)
			}
			if ran := p.ran(); !slices.Equal(ran, tt.ran) {
				t.Errorf("ran  %q\nwant %q", ran, tt.ran)
			}
		})
	}
}

func TestAzureCLIHeaders(t *testing.T) {
	c := newClock()
	id, _ := azureIdentity(t, nil, newAz(c, "ana@example.com", "user", nil), adb, resource)
	token(t, id)
	wantHeaders(t, id, bothHeaders())

	// Many people may not have a management token, and do not need one.
	p := newAz(c, "ana@example.com", "user", func(args string) (string, error) {
		if strings.Contains(args, management) {
			return "", &ExitError{Status: 1, Stderr: "ERROR: AADSTS50020"}
		}
		return azAnswer("databricks", c.now().Add(time.Hour)), nil
	})
	id, _ = azureIdentity(t, nil, p, adb, resource)
	token(t, id)
	only := bothHeaders()
	only.Del("X-Databricks-Azure-SP-Management-Token")
	wantHeaders(t, id, only)
	p.ran()
	wantHeaders(t, id, only)
	if ran := p.ran(); len(ran) > 0 {
		t.Errorf("asked again: %q", ran)
	}
	// A service principal by secret needs it: its absence is an error.
	id, _ = azureIdentity(t, map[string]http.HandlerFunc{entraToken: func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("resource") == management {
			writeJSON(w, 400, map[string]any{"error": "invalid_resource"})
			return
		}
		writeJSON(w, 200, issue(r.FormValue("resource")))
	}}, nil, adb, azureSecret, resource)
	token(t, id)
	_, err := id.Headers(t.Context())
	wantError(t, err, "invalid_resource")
	if !id.source.Refused() {
		t.Error("the configuration is not worth reading again")
	}

	// The network being down decides nothing.
	down := true
	p = newAz(c, "ana@example.com", "user", func(args string) (string, error) {
		if down {
			return "", &ExitError{Status: 1, Stderr: "ERROR: HTTPSConnectionPool: Max retries exceeded with url: /x"}
		}
		return azAnswer("management", c.now().Add(time.Hour)), nil
	})
	id, clk := azureIdentity(t, nil, p, adb, resource)
	if _, err := id.Headers(t.Context()); !wantError(t, err, "could not reach Azure").Temporary {
		t.Error("not temporary")
	}
	down = false
	clk.advance(time.Minute)
	wantHeaders(t, id, bothHeaders())
}

func TestAzureFailures(t *testing.T) {
	c := newClock()
	says := func(path string, status int, v any) map[string]http.HandlerFunc {
		return map[string]http.HandlerFunc{path: func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, status, v) }}
	}
	azSays := func(stderr string) *programs {
		return newAz(c, "ana@example.com", "user", func(string) (string, error) { return "", &ExitError{Status: 1, Stderr: stderr} })
	}
	az := with(adb, pin("azure-cli"))
	secret := with(adb, azureSecret)
	for _, tt := range []struct {
		name      string
		env       env
		handlers  map[string]http.HandlerFunc
		programs  *programs
		temporary bool
		says      []string
	}{
		{"no az", az, nil, &programs{}, false, []string{"no program az in the PATH", "az login"}},
		{"nobody logged in", az, nil, &programs{name: "az", answer: func(context.Context, string) (string, error) {
			return "", &ExitError{Status: 1, Stderr: "ERROR: Please run 'az login' to setup account.\n"}
		}}, false, []string{"no usable login for https://adb-1.2.azuredatabricks.net", "Please run 'az login'", "Sign in again: az login."}},
		{"login has expired", az, toLogin("https://login.microsoftonline.com/" + tenantID + "/oauth2"),
			azSays("ERROR: AADSTS700082: The refresh token has expired due to inactivity. Trace ID: 1 Correlation ID: 2\nInteractive authentication is needed. Please run:\naz login --scope https://x\n"), false,
			[]string{"in the tenant " + tenantID, "AADSTS700082: The refresh token has expired due to inactivity.", "az login --tenant " + tenantID}},
		{"az quotes a token", az, nil, azSays("ERROR: bad " + jwt), false, []string{"bad [hidden]"}},
		{"offline", az, nil, azSays("ERROR: HTTPSConnectionPool(host='login.microsoftonline.com'): Max retries exceeded"), true, []string{"could not reach Azure", "HTTPS_PROXY"}},
		{"slow", az, nil, newAz(c, "ana", "user", func(string) (string, error) { return "", context.DeadlineExceeded }), true, []string{"did not answer in time"}},
		{"no account", az, nil, &programs{name: "az", answer: func(context.Context, string) (string, error) { return "[]", nil }}, false, []string{"did not answer with an account"}},
		{"no token", az, nil, newAz(c, "ana", "user", func(string) (string, error) { return `{"accessToken":"hush"}`, nil }), false, []string{"when the token expires", "az upgrade"}},
		{"token over", az, nil, newAz(c, "ana", "user", func(string) (string, error) { return azAnswer("hush", c.now().Add(30*time.Second)), nil }), false, []string{"has expired, by the clock"}},
		{"wrong secret", secret, says(entraToken, 401, map[string]any{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided: hush-azure. Trace ID: 1"}), nil, false,
			[]string{"Entra ID (https://login.microsoftonline.com/)", "service principal app (azure_client_id: ARM_CLIENT_ID in the environment) in the tenant tenant", "AADSTS7000215", "[hidden]", "azure_client_secret: ARM_CLIENT_SECRET in the environment"}},
		{"Entra ID is down", secret, says(entraToken, 503, nil), nil, true, []string{"HTTP 503", "Try again in a minute."}},
		{"a proxy answers", secret, says(entraToken, 200, "hello"), nil, true, []string{"not a token"}},
		{"no managed identity", with(adb, msi), says(imdsToken, 400, map[string]any{"error": "invalid_request", "error_description": "Identity not found"}), nil, false, []string{"169.254.169.254", "HTTP 400", "managed identity"}},
		{"another managed identity", with(adb, msi, env{"ARM_CLIENT_ID": "id"}), says(imdsToken, 400, nil), nil, false, []string{"with the client id id (azure_client_id: ARM_CLIENT_ID"}},
		{"IMDS busy", with(adb, msi), says(imdsToken, 429, nil), nil, true, []string{"HTTP 429"}},
		{"IMDS says nothing", with(adb, msi), says(imdsToken, 200, map[string]any{"access_token": ""}), nil, false, []string{"not a token"}},
		{"IMDS token over", with(adb, msi), says(imdsToken, 200, map[string]any{"access_token": "hush", "expires_on": c.now().Unix()}), nil, true, []string{"expired, by the clock"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p Programs
			if tt.programs != nil {
				p = tt.programs
			}
			id, _ := azureIdentity(t, tt.handlers, p, tt.env)
			tok, err := id.Token(t.Context())
			if err == nil {
				t.Fatalf("token %q", tok)
			}
			wantNoSecret(t, err)
			if e := wantError(t, err, tt.says...); e.Temporary != tt.temporary {
				t.Errorf("temporary = %v: %v", e.Temporary, e)
			}
		})
	}
}

func TestAzureMSIElsewhere(t *testing.T) {
	down := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded })}
	id := quick(resolve(t, Options{Getenv: with(adb, msi).get, HTTPClient: down, Now: newClock().now}))
	_, err := id.Token(t.Context())
	wantError(t, err, "does not answer", "a machine in Azure", "unset azure_use_msi (ARM_USE_MSI in the environment)")
}

func TestMetadataService(t *testing.T) {
	c := newClock()
	answer := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Databricks-Metadata-Version") != "1" || r.Header.Get("X-Databricks-Host") != aws["DATABRICKS_HOST"] || r.URL.Path != "/hush-path" {
			w.WriteHeader(400)
			return
		}
		writeJSON(w, 200, map[string]any{"access_token": "meta", "token_type": "Bearer", "expires_on": c.now().Add(time.Hour).Unix()})
	}
	var handler http.HandlerFunc = answer
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler(w, r) }))
	defer s.Close()
	fresh := func() *Identity {
		return quick(resolve(t, Options{Getenv: with(aws, env{"DATABRICKS_METADATA_SERVICE_URL": s.URL + "/hush-path"}).get, HTTPClient: s.Client(), Now: c.now}))
	}
	id := fresh()
	if got := token(t, id); got != "meta" || !id.ExpiresAt().Equal(c.now().Add(time.Hour)) {
		t.Errorf("token %q until %v", got, id.ExpiresAt())
	}
	for _, tt := range []struct {
		name      string
		handler   http.HandlerFunc
		temporary bool
		says      string
	}{
		{"another host", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, false, "HTTP 404. It signs in to one host only"},
		{"down", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, true, "HTTP 500"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/hush-path", http.StatusFound) }, false, "HTTP 302"},
		{"nonsense", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hush") }, false, "not a token"},
	} {
		handler = tt.handler
		_, err := fresh().Token(t.Context())
		wantNoSecret(t, err)
		if e := wantError(t, err, tt.says, "metadata service of this machine"); e.Temporary != tt.temporary {
			t.Errorf("%s: temporary = %v", tt.name, e.Temporary)
		}
	}
	s.Close()
	_, err := fresh().Token(t.Context())
	wantNoSecret(t, err)
	wantError(t, err, "does not answer", "start this server from that tool")
}

// What is asked on this machine never goes to a proxy.
func TestDirect(t *testing.T) {
	proxied := &http.Client{Transport: &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse("http://proxy.example.com") }}}
	for _, c := range []*http.Client{proxied, {}} {
		if direct(c).Transport.(*http.Transport).Proxy != nil {
			t.Error("a proxy")
		}
	}
	if proxied.Transport.(*http.Transport).Proxy == nil {
		t.Error("the caller's client was changed")
	}
}

func TestTokenAnswerLife(t *testing.T) {
	now := newClock().now()
	for in, want := range map[string]time.Duration{
		`{}`: 0, `{"expires_in":"60"}`: time.Minute, `{"expires_in":60}`: time.Minute, `{"expires_in":9223372036854775807}`: longestLife,
		fmt.Sprintf(`{"expires_on":%d}`, now.Unix()+60): time.Minute, fmt.Sprintf(`{"expires_on":"%d"}`, now.Unix()-60): -time.Minute,
		fmt.Sprintf(`{"expires_on":%d}`, now.Unix()): -1, `{"expires_on":9223372036854775807}`: longestLife, `{"expires_on":1e400}`: 0,
		`{"expires_on":-9223372036854775808}`: -longestLife, `{"expires_in":-9223372036854775808}`: -longestLife,
	} {
		var a tokenAnswer
		if err := json.Unmarshal([]byte(in), &a); err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if got := a.life(now); got != want {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
}

func FuzzParseAzureToken(f *testing.F) {
	f.Add([]byte(`{"accessToken":"a","expiresOn":"2026-01-01 12:00:00.000000","tokenType":"Bearer"}`))
	f.Add([]byte(`{"accessToken":"a","expiresOn":"2026-01-01 12:00:00","expires_on":1767268800}`))
	f.Add([]byte(`{"accessToken":"a","expires_on":"9999999999999999999"}`))
	f.Add([]byte(`{"accessToken":"a\nb","expires_on":1}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, in []byte) {
		token, expiry, err := parseAzureToken(in, time.UTC)
		if err != nil {
			if token != "" || !expiry.IsZero() {
				t.Errorf("%q, %v with %v", token, expiry, err)
			}
			return
		}
		if !isBearer(token) || !json.Valid(in) {
			t.Errorf("took %q", token)
		}
		if life := lifeUntil(expiry, newClock().now()); life == 0 || life.Abs() > longestLife {
			t.Errorf("life %v", life)
		}
	})
}
