package auth

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJqb2IifQ.c2lnbmF0dXJl"

// noNetwork refuses every request.
func noNetwork(t *testing.T) *http.Client {
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 404, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	})}
}

// quick lets no retry of an identity wait.
func quick(id *Identity) *Identity {
	stop := func(context.Context, time.Duration) error { return nil }
	switch s := id.source.(type) {
	case *refresher:
		s.pause = stop
	case *databricksCLI:
		s.pause = stop
	case *azure:
		s.refresher.pause, s.management.pause = stop, stop
	}
	return id
}

// exchange lets the workspace's provider check a token exchange and answer it.
func exchange(t *testing.T, o *oidc, subject, client string, scope string) {
	o.issue = func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		want := url.Values{
			"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
			"subject_token":      {subject}, "scope": {scope},
		}
		if client != "" {
			want.Set("client_id", client)
		}
		if got := r.PostForm.Encode(); got != want.Encode() {
			t.Errorf("exchange %s\nwant     %s", got, want.Encode())
		}
		if h := r.Header.Get("Authorization"); h != "" {
			t.Errorf("Authorization %q", h)
		}
		writeJSON(w, 200, map[string]any{"access_token": fmt.Sprintf("access-%d", o.issued.Add(1)), "token_type": "Bearer", "expires_in": 3600})
	}
}

func TestFederation(t *testing.T) {
	ci := func(t *testing.T, method, path, query, answer string) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != method || r.URL.Path != path || r.URL.RawQuery != query || r.Header.Get("Authorization") != "Bearer ci-bearer" {
				t.Errorf("asked %s %s, %q", r.Method, r.URL, r.Header.Get("Authorization"))
			}
			fmt.Fprint(w, answer)
		}))
		t.Cleanup(s.Close)
		return s
	}
	for _, tt := range []struct {
		name   string
		vars   func(t *testing.T, o *oidc) env
		client string
	}{
		{"env-oidc", func(*testing.T, *oidc) env { return env{"DATABRICKS_OIDC_TOKEN": " " + jwt + "\n"} }, ""},
		{"env-oidc", func(*testing.T, *oidc) env {
			return env{"DATABRICKS_OIDC_TOKEN_ENV": "MINE", "MINE": jwt, "DATABRICKS_CLIENT_ID": "sp"}
		}, "sp"},
		{"file-oidc", func(*testing.T, *oidc) env { return env{"DATABRICKS_OIDC_TOKEN_FILEPATH": "/run/a token"} }, ""},
		{"github-oidc", func(t *testing.T, o *oidc) env {
			s := ci(t, "GET", "/t", "audience="+url.QueryEscape(o.URL+"/oidc/v1/token")+"&v=2", `{"value":"`+jwt+`"}`)
			return env{"ACTIONS_ID_TOKEN_REQUEST_URL": s.URL + "/t?v=2", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "ci-bearer", "DATABRICKS_CLIENT_ID": "sp"}
		}, "sp"},
		{"github-oidc", func(t *testing.T, o *oidc) env {
			s := ci(t, "GET", "/t", "audience=mine", `{"value":"`+jwt+`"}`)
			return env{"ACTIONS_ID_TOKEN_REQUEST_URL": s.URL + "/t", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "ci-bearer", "DATABRICKS_TOKEN_AUDIENCE": "mine"}
		}, ""},
		{"azure-devops-oidc", func(t *testing.T, o *oidc) env {
			s := ci(t, "POST", "/org/proj/_apis/distributedtask/hubs/build/plans/plan/jobs/job/oidctoken", "api-version=7.2-preview.1", `{"oidcToken":"`+jwt+`"}`)
			return with(devOps, env{"SYSTEM_ACCESSTOKEN": "ci-bearer", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": s.URL + "/org/", "SYSTEM_TEAMPROJECTID": "proj", "DATABRICKS_CLIENT_ID": "sp"})
		}, "sp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, c := newOIDC(t), newClock()
			exchange(t, o, jwt, tt.client, "all-apis")
			vars := with(env{"DATABRICKS_HOST": o.URL}, tt.vars(t, o))
			read := func(path string) ([]byte, error) {
				if path != "/run/a token" {
					t.Errorf("read %q", path)
				}
				return []byte(jwt + "\n"), nil
			}
			id := quick(resolve(t, Options{Getenv: vars.get, HTTPClient: o.Client(), Now: c.now, ReadFile: read}))
			if id.AuthType != tt.name || id.ClientID != tt.client {
				t.Errorf("%s with client id %q", id.AuthType, id.ClientID)
			}
			if got := token(t, id); got != "access-1" {
				t.Errorf("token %q", got)
			}
			id.Invalidate("access-1")
			if got := token(t, id); got != "access-2" {
				t.Errorf("after Invalidate: %q", got)
			}
			if h, err := id.Headers(t.Context()); h != nil || err != nil {
				t.Errorf("headers %v, %v", h, err)
			}
		})
	}
}

func TestFederationAudience(t *testing.T) {
	for _, tt := range []struct {
		name   string
		offers []string
		want   string // after the host's own URL for a leading "/"
	}{
		{"nothing: the token endpoint", nil, "/oidc/v1/token"},
		{"the account", []string{"3f8a1c57-92de"}, "3f8a1c57-92de"},
		{"on the host", []string{"HOST/oidc/v1/token"}, "/oidc/v1/token"},
		{"another door is not taken", []string{"api://AzureADTokenExchange", "https://sts.example.com"}, "/oidc/v1/token"},
	} {
		o := newOIDC(t)
		var offers []string
		for _, a := range tt.offers {
			offers = append(offers, strings.ReplaceAll(a, "HOST", o.URL))
		}
		o.config = func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, 200, map[string]any{"oidc_endpoint": o.URL + "/oidc", "token_federation_default_oidc_audiences": offers})
		}
		f := federation{endpoints: endpoints{client: o.Client(), host: o.URL}}
		want := tt.want
		if strings.HasPrefix(want, "/") {
			want = o.URL + want
		}
		if got, err := f.wanted(t.Context(), o.URL+"/oidc/v1/token"); got != want || err != nil {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
}

func TestFederationFailures(t *testing.T) {
	says := func(status int, v any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, status, v) }
	}
	for _, tt := range []struct {
		name      string
		env       env
		file      string // "" = there is none
		issue     http.HandlerFunc
		ci        http.HandlerFunc
		temporary bool
		says      []string
	}{
		{name: "variable is empty", env: env{"DATABRICKS_OIDC_TOKEN_ENV": "MINE"}, says: []string{"the variable MINE", "DATABRICKS_OIDC_TOKEN_ENV in the environment", "is empty"}},
		{name: "variable is no JWT", env: env{"DATABRICKS_OIDC_TOKEN": "hush"}, says: []string{"variable DATABRICKS_OIDC_TOKEN is not an id token"}},
		{name: "no file", env: fileToken, says: []string{"/var/run/a token", "cannot be read: file does not exist"}},
		{name: "empty file", env: fileToken, file: " \n", says: []string{"/var/run/a token is empty"}},
		{name: "file with something else", env: fileToken, file: "hush hush", says: []string{"file /var/run/a token is not an id token"}},
		{name: "expired", env: fileToken, file: jwt, issue: says(400, map[string]any{"error": "invalid_grant", "error_description": "token " + jwt + " is expired"}),
			says: []string{"did not accept the id token from the file /var/run/a token", "the user that the account's federation policy names", "invalid_grant: token [hidden] is expired", "read again at the next call"}},
		{name: "expired, clock ahead", env: with(envToken, env{"DATABRICKS_OIDC_TOKEN": jwt}), issue: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", newClock().now().Add(-2*time.Hour).Format(http.TimeFormat))
			writeJSON(w, 400, map[string]any{"error": "invalid_grant", "error_description": "token not yet valid"})
		}, says: []string{"not yet valid", "clock of this machine is 2h0m0s ahead", "Start this server again with a new token in DATABRICKS_OIDC_TOKEN"}},
		{name: "no policy", env: with(fileToken, spID), file: jwt, issue: says(401, map[string]any{"error": "invalid_client"}),
			says: []string{"does not know the service principal sp", "federation policy (invalid_client)"}},
		{name: "scope", env: fileToken, file: jwt, issue: says(400, map[string]any{"error": "invalid_scope"}), says: []string{"does not grant the requested scopes"}},
		{name: "address is blocked", env: fileToken, file: jwt, issue: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			fmt.Fprint(w, "Source IP address: 1.2.3.4 is blocked by Databricks IP ACL for workspace: 1")
		}, says: []string{"IP access list", "Ask a workspace admin"}},
		{name: "workspace is down", env: fileToken, file: jwt, issue: says(503, map[string]any{}), temporary: true, says: []string{"HTTP 503"}},
		{name: "redirect", env: fileToken, file: jwt, issue: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, says: []string{"HTTP 307"}},
		{name: "not a bearer", env: fileToken, file: jwt, issue: says(200, map[string]any{"access_token": "a b"}), says: []string{"not a bearer token"}},
		{name: "job may not", env: github, ci: says(403, map[string]any{"message": "hush"}), says: []string{"GitHub Actions", "HTTP 403", "permissions: id-token: write"}},
		{name: "GitHub is down", env: github, ci: says(502, nil), temporary: true, says: []string{"HTTP 502"}},
		{name: "GitHub says nothing", env: github, ci: says(200, map[string]any{"value": ""}), says: []string{"answer of GitHub Actions", "not an id token"}},
		{name: "Azure Pipelines may not", env: devOps, ci: says(401, nil), says: []string{"Azure Pipelines", "SYSTEM_ACCESSTOKEN"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOIDC(t)
			o.issue = tt.issue
			vars := with(env{"DATABRICKS_HOST": o.URL}, tt.env)
			if tt.ci != nil {
				s := httptest.NewServer(tt.ci)
				defer s.Close()
				for _, name := range []string{"ACTIONS_ID_TOKEN_REQUEST_URL", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"} {
					if vars[name] != "" {
						vars[name] = s.URL
					}
				}
			}
			read := func(path string) ([]byte, error) {
				if tt.file == "" {
					return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
				}
				return []byte(tt.file), nil
			}
			id := quick(resolve(t, Options{Getenv: vars.get, HTTPClient: o.Client(), Now: newClock().now, ReadFile: read}))
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

// wantNoSecret looks through the whole chain of an error.
func wantNoSecret(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = unwrap(err) {
		s := fmt.Sprintf("%v %+v %#v", err, err, err)
		if strings.Contains(s, "hush") || strings.Contains(s, "eyJ") {
			t.Errorf("an error of the chain holds a secret: %s", s)
		}
	}
}

func unwrap(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return nil
}
