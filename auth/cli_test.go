package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// programs is a machine with one program on it.
type programs struct {
	name   string // the program that there is; "" for none
	size   int64
	answer func(ctx context.Context, args string) (string, error)

	mu   sync.Mutex
	runs []Command
}

func (p *programs) Find(name string) (Program, error) {
	if name != p.name {
		return Program{}, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return Program{Path: "/bin/" + name, Size: p.size}, nil
}

func (p *programs) Run(ctx context.Context, c Command) ([]byte, error) {
	p.mu.Lock()
	p.runs = append(p.runs, c)
	p.mu.Unlock()
	out, err := p.answer(ctx, strings.Join(c.Args, " "))
	return []byte(out), err
}

// ran lists what was run since the last call.
func (p *programs) ran() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, c := range p.runs {
		out = append(out, strings.Join(c.Args, " "))
	}
	p.runs = nil
	return out
}

// cli is a Databricks CLI: it hands out the token in store, and a new one when
// told to refresh.
func newCLI(version string, c *clock, life time.Duration) *programs {
	n, expiry := 1, c.now().Add(life)
	return &programs{name: "databricks", size: 50 << 20, answer: func(_ context.Context, args string) (string, error) {
		if args == "version" {
			return "Databricks CLI " + version + "\n", nil
		}
		if strings.HasSuffix(args, "--force-refresh") {
			n, expiry = n+1, c.now().Add(time.Hour)
		}
		return fmt.Sprintf(`{"access_token":"cli-%d","token_type":"Bearer","expiry":%q,"scope":"all-apis"}`, n, expiry.Format(time.RFC3339Nano)), nil
	}}
}

func cliIdentity(t *testing.T, p *programs, c *clock, o Options) *Identity {
	t.Helper()
	o.Programs, o.Now, o.HTTPClient = p, c.now, noNetwork(t)
	if o.Getenv == nil {
		o.Getenv = with(aws, pin("databricks-cli")).get
	}
	return quick(resolve(t, o))
}

func TestDatabricksCLI(t *testing.T) {
	c := newClock()
	p := newCLI("v0.296.0", c, time.Hour)
	id := cliIdentity(t, p, c, Options{})
	for range 3 {
		if got := token(t, id); got != "cli-1" {
			t.Fatalf("token %q", got)
		}
	}
	const host = "auth token --host https://dbc-1.cloud.databricks.com"
	if ran := p.ran(); !slices.Equal(ran, []string{"version", host}) {
		t.Errorf("ran %q", ran)
	}
	if got := id.ExpiresAt(); !got.Equal(c.now().Add(time.Hour)) {
		t.Errorf("expires at %v", got)
	}

	// Nothing is run until five minutes before the end; then the CLI is told
	// to refresh, for what it has in store is as old as ours.
	c.advance(54 * time.Minute)
	if got := token(t, id); got != "cli-1" || len(p.ran()) > 0 {
		t.Errorf("token %q", got)
	}
	c.advance(2 * time.Minute)
	token(t, id)
	id.source.(*databricksCLI).settle()
	if got := token(t, id); got != "cli-2" {
		t.Errorf("token %q", got)
	}
	if ran := p.ran(); !slices.Contains(ran, host+" --force-refresh") {
		t.Errorf("ran %q", ran)
	}

	// A token that the workspace refused is not taken from the store again.
	id.Invalidate("cli-2")
	if got := token(t, id); got != "cli-3" {
		t.Errorf("after Invalidate: %q", got)
	}
}

func TestDatabricksCLIArguments(t *testing.T) {
	path := writeConfig(t, "[a b]\nhost = https://dbc-1.cloud.databricks.com\nauth_type = databricks-cli\n"+
		"[acct]\nhost = https://accounts.cloud.databricks.com\naccount_id = acc\nauth_type = databricks-cli\n")
	for _, tt := range []struct {
		name, version, profile string
		env                    env
		want                   string
	}{
		{"profile", "v0.207.1", "a b", nil, "auth token --profile a b"},
		{"profile with an older CLI", "v0.207.0", "a b", nil, "auth token --host https://dbc-1.cloud.databricks.com"},
		{"profile with a build from source", "v0.0.0-dev+abc", "a b", nil, "auth token --host https://dbc-1.cloud.databricks.com"},
		{"version that cannot be read", "unreleased", "a b", nil, "auth token --host https://dbc-1.cloud.databricks.com"},
		{"another host than the profile's", "v1.2.3", "a b", env{"DATABRICKS_HOST": "https://dbc-2.cloud.databricks.com"}, "auth token --host https://dbc-2.cloud.databricks.com"},
		{"account", "v0.207.0", "acct", nil, "auth token --host https://accounts.cloud.databricks.com --account-id acc"},
		{"account by profile", "v1.0.0", "acct", nil, "auth token --profile acct"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock()
			p := newCLI(tt.version, c, time.Hour)
			id := cliIdentity(t, p, c, Options{ConfigFile: path, Profile: tt.profile, Getenv: with(tt.env, env{"DATABRICKS_TOKEN": ""}).get})
			token(t, id)
			if !slices.Equal(p.runs[1].Env, []string{"DATABRICKS_CONFIG_FILE=" + path}) {
				t.Errorf("environment %q", p.runs[1].Env)
			}
			if ran := p.ran(); len(ran) != 2 || ran[1] != tt.want {
				t.Errorf("ran %q, want %q", ran, tt.want)
			}
		})
	}
}

func TestDatabricksCLIFailures(t *testing.T) {
	fails := func(status int, stderr string) func(context.Context, string) (string, error) {
		return func(_ context.Context, args string) (string, error) {
			if args == "version" {
				return "Databricks CLI v0.230.0", nil
			}
			return "", &ExitError{Status: status, Stderr: stderr}
		}
	}
	answers := func(out string) func(context.Context, string) (string, error) {
		return func(_ context.Context, args string) (string, error) { return out, nil }
	}
	const login = "databricks auth login --host https://dbc-1.cloud.databricks.com"
	for _, tt := range []struct {
		name      string
		env       env
		programs  *programs
		temporary bool
		says      []string
	}{
		{"missing", nil, &programs{}, false, []string{"no program databricks in the PATH", "docs.databricks.com", login}},
		{"missing where it should be", env{"DATABRICKS_CLI_PATH": "/opt/my cli"}, &programs{}, false, []string{"no Databricks CLI at /opt/my cli (databricks_cli_path: DATABRICKS_CLI_PATH in the environment)"}},
		{"legacy", nil, &programs{name: "databricks", size: 900}, false, []string{"/bin/databricks is the legacy Databricks CLI", "pip uninstall"}},
		{"too old", nil, &programs{name: "databricks", size: 9 << 20, answer: fails(1, "Error: unknown command \"token\" for \"databricks auth\"\n")}, false,
			[]string{"version 0.230.0", "too old", "Update it"}},
		{"not logged in", nil, &programs{name: "databricks", size: 9 << 20, answer: fails(1, "Error: cache: databricks OAuth is not configured for this host. Try logging in again with `databricks auth login`\n")}, false,
			[]string{"no usable login for https://dbc-1.cloud.databricks.com", "not configured for this host", "Sign in again: " + login}},
		{"dead refresh token", nil, &programs{name: "databricks", size: 9 << 20, answer: fails(1, "Error: a new access token could not be retrieved because the refresh token is invalid. "+jwt+"\n")}, false,
			[]string{"refresh token is invalid. [hidden]", login}},
		{"silent", nil, &programs{name: "databricks", size: 9 << 20, answer: fails(3, "")}, false, []string{"exit status 3", login}},
		{"offline", nil, &programs{name: "databricks", size: 9 << 20, answer: fails(1, `Error: Post "https://x/oidc/v1/token": dial tcp: lookup x: no such host`)}, true,
			[]string{"could not refresh its login", "no such host", "HTTPS_PROXY"}},
		{"slow", nil, &programs{name: "databricks", size: 9 << 20, answer: func(context.Context, string) (string, error) { return "", context.DeadlineExceeded }}, true,
			[]string{"/bin/databricks did not answer in time", "keyring"}},
		{"no program", nil, &programs{name: "databricks", size: 9 << 20, answer: func(context.Context, string) (string, error) {
			return "", &fs.PathError{Op: "fork/exec", Path: "/bin/databricks", Err: errors.New("exec format error")}
		}}, false, []string{"could not be run: exec format error"}},
		{"not JSON", nil, &programs{name: "databricks", size: 9 << 20, answer: answers("hush")}, false, []string{"did not answer with a token", "not the expected JSON"}},
		{"no token", nil, &programs{name: "databricks", size: 9 << 20, answer: answers(`{"expiry":"2026-01-01T13:00:00Z"}`)}, false, []string{"no bearer token"}},
		{"no expiry", nil, &programs{name: "databricks", size: 9 << 20, answer: answers(`{"access_token":"hush"}`)}, false, []string{"when the token expires"}},
		{"expired", nil, &programs{name: "databricks", size: 9 << 20, answer: answers(`{"access_token":"hush","expiry":"2026-01-01T11:00:00Z"}`)}, false,
			[]string{"has expired, by the clock of this machine (2026-01-01T12:00:00Z)", login}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock()
			id := cliIdentity(t, tt.programs, c, Options{Getenv: with(aws, pin("databricks-cli"), tt.env).get})
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

// An older CLI cannot be told to refresh: a refused token is not handed out
// again, and the person learns what to do.
func TestDatabricksCLIGivesTheRefusedToken(t *testing.T) {
	c := newClock()
	p := newCLI("v0.230.0", c, time.Hour)
	id := cliIdentity(t, p, c, Options{})
	if got := token(t, id); got != "cli-1" {
		t.Fatalf("token %q", got)
	}
	id.Invalidate("cli-1")
	_, err := id.Token(t.Context())
	wantError(t, err, "still gives the same one", "databricks auth login", "0.296.0")
	p.ran()
	// Nothing runs for a moment; whoever logs in meanwhile is noticed.
	if _, err := id.Token(t.Context()); err == nil || len(p.ran()) > 0 {
		t.Errorf("asked again at once, %v", err)
	}
	p.answer = newCLI("v0.296.0", c, time.Hour).answer
	c.advance(refusedFor)
	if got := token(t, id); got != "cli-2" {
		t.Errorf("token %q", got)
	}
}

// A token of less than five minutes is used when the CLI has no better one.
func TestDatabricksCLIShortToken(t *testing.T) {
	c := newClock()
	id := cliIdentity(t, newCLI("v0.230.0", c, 2*time.Minute), c, Options{})
	if got := token(t, id); got != "cli-1" {
		t.Errorf("token %q", got)
	}
}

func TestManyCallersRunTheCLIOnce(t *testing.T) {
	c := newClock()
	p := newCLI("v0.296.0", c, time.Hour)
	id := cliIdentity(t, p, c, Options{})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if tok, err := id.Token(context.Background()); tok != "cli-1" {
				t.Errorf("%q, %v", tok, err)
			}
		})
	}
	wg.Wait()
	if ran := p.ran(); len(ran) != 2 {
		t.Errorf("ran %q", ran)
	}
}

func TestParseCLIVersion(t *testing.T) {
	for in, want := range map[string]cliVersion{
		"Databricks CLI v0.207.1\n": {0, 207, 1}, "Databricks CLI v1.2.3-beta": {1, 2, 3}, "Version 0.17.8": {}, "": {}, "v99999999.1.1": {},
	} {
		if got := parseCLIVersion([]byte(in)); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
	if !(cliVersion{0, 207, 1}).before(cliWithForce) || (cliVersion{1, 0, 0}).before(cliWithForce) || cliWithForce.before(cliWithForce) {
		t.Error("before")
	}
}

func FuzzParseCLIToken(f *testing.F) {
	f.Add([]byte(`{"access_token":"a","token_type":"Bearer","expiry":"2026-01-01T12:00:00.123456789+01:00"}`))
	f.Add([]byte(`{"access_token":"a b","expiry":"2026-01-01T12:00:00Z"}`))
	f.Add([]byte(`{"access_token":1}`))
	f.Add([]byte(`[]`))
	f.Add([]byte("\xff{"))
	f.Fuzz(func(t *testing.T, in []byte) {
		token, expiry, err := parseCLIToken(in)
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
