package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestLogin(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	var out lockedBuffer
	type visit struct {
		status int
		body   string
		header http.Header
		err    error
	}
	visits := make(chan visit, 1)
	o := LoginOptions{Options: p.options(dir), Out: &out, OpenBrowser: func(u string) error {
		go func() {
			var v visit
			v.status, v.body, v.header, v.err = browse(u)
			visits <- v
		}()
		return nil
	}}
	r, err := Login(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.User != ana || r.Host != p.URL || r.ClientID != "databricks-cli" || r.Storage != "file" || !r.Renewable || len(r.Warnings) > 0 {
		t.Errorf("result %+v", r)
	}
	v := <-visits
	if v.err != nil || v.status != 200 {
		t.Fatalf("the browser got %d, %v", v.status, v.err)
	}
	for _, want := range []string{"You are signed in", ana, p.URL} {
		if !strings.Contains(v.body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if cc := v.header.Get("Cache-Control"); cc != "no-store" {
		t.Errorf("Cache-Control %q", cc)
	}
	if csp := v.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("CSP %q", csp)
	}
	if regexp.MustCompile(`(?i)<script|<link|<img|src=|href=|url\(|@import|<iframe|<form`).MatchString(v.body) {
		t.Error("the page refers to something outside itself, or runs something")
	}
	if !strings.Contains(out.String(), p.URL+"/oidc/v1/authorize?") || !strings.Contains(out.String(), "scope=offline_access+all-apis") {
		t.Errorf("printed: %s", out.String())
	}
	if runtime.GOOS != "windows" { // whose modes say nothing
		for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "signin"): 0o700, r.File: 0o600} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: mode %v, %v; want %v", path, info.Mode().Perm(), err, want)
			}
		}
	}
	if names := files(t, dir); len(names) != 1 {
		t.Errorf("files %v", names)
	}

	// A server with the same configuration uses it without asking anybody.
	c := NewCredential(o.Options)
	tok, err := c.Token(t.Context())
	if err != nil || !p.granted(tok) || p.refreshed() != 0 {
		t.Errorf("Token: %v, %d refreshes", err, p.refreshed())
	}
	id, _ := c.Identity()
	if id.AuthType != "external-browser" || id.ClientID != "databricks-cli" || id.Scopes[0] != "all-apis" {
		t.Errorf("identity %v %q %v", id, id.ClientID, id.Scopes)
	}
	if left := time.Until(id.ExpiresAt()); left < 59*time.Minute || left > time.Hour {
		t.Errorf("expires in %v", left)
	}
	// So does one that knows nothing but where the state is.
	bare := o.Options
	bare.Host, bare.Home = "", t.TempDir()
	id, err = Resolve(bare)
	if err != nil || id.Host != p.URL || id.Sources["host"].Origin != FromSignIn {
		t.Errorf("without a host: %v, %v", id, err)
	}
}

func TestLoginByPaste(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	var out lockedBuffer
	in, typed := io.Pipe()
	go func() {
		// The person is at another machine: its browser stops at the redirect.
		address := waitFor(t, &out, regexp.MustCompile(`http\S+/authorize\S+`))
		resp, err := noRedirects(http.DefaultClient).Get(address)
		if err != nil {
			t.Error(err)
			return
		}
		resp.Body.Close()
		back := resp.Header.Get("Location")
		fmt.Fprintln(typed, "\nhello")
		fmt.Fprintln(typed, strings.Replace(back, "state=", "state=x", 1))
		fmt.Fprintln(typed, `"`+back+`"`)
	}()
	r, err := Login(t.Context(), LoginOptions{Options: p.options(dir), Out: &out, In: in})
	if err != nil || r.User != ana {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, want := range []string{"not the address", "belongs to another sign-in", "copy that address"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not said: %q in\n%s", want, out.String())
		}
	}
	p.noSecrets(t, "the terminal", out.String())
}

// waitFor reads what is printed until it matches.
func waitFor(t *testing.T, out *lockedBuffer, re *regexp.Regexp) string {
	for t.Context().Err() == nil {
		if m := re.FindString(out.String()); m != "" {
			return m
		}
		runtime.Gosched()
	}
	return ""
}

// begun starts a flow and returns the address of its redirect listener.
func begun(t *testing.T, p *idp, dir string) (*flow, string) {
	t.Helper()
	o := p.options(dir).withDefaults()
	tg, err := findTarget(o)
	if err != nil {
		t.Fatal(err)
	}
	f, err := beginFlow(t.Context(), tg, o, newStore(o), noRedirects(o.HTTPClient))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	return f, "http://127.0.0.1:" + strconv.Itoa(f.port)
}

func TestHostileCallbacks(t *testing.T) {
	const script = `<script>alert(1)</script>`
	p, dir := newIDP(t), t.TempDir()
	f, base := begun(t, p, dir)
	good := "state=" + f.state
	for _, tt := range []struct {
		name, method, target string
		host                 string
		header               [2]string
		status               int
		says                 string
	}{
		{name: "no answer", target: "/", status: 400, says: "Nothing arrived"},
		{name: "wrong state", target: "/?code=c&state=wrong", status: 400, says: "another sign-in"},
		{name: "no state", target: "/?code=c", status: 400, says: "cannot be used"},
		{name: "half a state", target: "/?code=c&state=" + f.state[:10], status: 400, says: "another sign-in"},
		{name: "state twice", target: "/?code=c&state=x&" + good, status: 400, says: "twice"},
		{name: "no code", target: "/?" + good, status: 400, says: "cannot be used"},
		{name: "code and error", target: "/?code=c&error=access_denied&" + good, status: 400, says: "cannot be used"},
		{name: "code that is no code", target: "/?code=a%20b%0d%0a&" + good, status: 400, says: "cannot be used"},
		{name: "script in the description", target: "/?error=access_denied&state=no&error_description=" + url.QueryEscape(script), status: 400, says: "another sign-in"},
		{name: "endless", target: "/?code=" + strings.Repeat("a", maxCallback) + "&" + good, status: 400, says: "cannot be used"},
		{name: "broken escape", target: "/?code=%zz&" + good, status: 400, says: "cannot be used"},
		{name: "path", target: "/callback?code=c&" + good, status: 404, says: "nothing at this address"},
		{name: "icon", target: "/favicon.ico", status: 404, says: "nothing"},
		{name: "script in the path", target: "/" + url.PathEscape(script), status: 404, says: "nothing"},
		{name: "POST", method: "POST", target: "/?code=c&" + good, status: 405, says: "browser"},
		{name: "HEAD", method: "HEAD", target: "/?code=c&" + good, status: 405},
		{name: "OPTIONS", method: "OPTIONS", target: "/?code=c&" + good, status: 405, says: "browser"},
		{name: "rebound name", target: "/?code=c&" + good, host: "evil.example.com:8020", status: 403, says: "localhost"},
		{name: "rebound name, right port", target: "/?code=c&" + good, host: "evil.example.com:" + strconv.Itoa(f.port), status: 403, says: "localhost"},
		{name: "other port", target: "/?code=c&" + good, host: "localhost:1", status: 403, says: "localhost"},
		{name: "image of a web page", target: "/?code=c&" + good, header: [2]string{"Sec-Fetch-Dest", "image"}, status: 403, says: "web pages"},
		{name: "frame", target: "/?code=c&" + good, header: [2]string{"Sec-Fetch-Dest", "iframe"}, status: 403, says: "web pages"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			method := tt.method
			if method == "" {
				method = "GET"
			}
			req, err := http.NewRequestWithContext(t.Context(), method, base+tt.target, nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.host != "" {
				req.Host = tt.host
			}
			if tt.header[0] != "" {
				req.Header.Set(tt.header[0], tt.header[1])
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != tt.status || !strings.Contains(string(body), tt.says) {
				t.Errorf("%d\n%s", resp.StatusCode, body)
			}
			if strings.Contains(string(body), "<script") {
				t.Error("the script came through")
			}
			if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Content-Security-Policy") == "" {
				t.Errorf("headers %v", resp.Header)
			}
		})
	}
	if p.exchanged() != 0 {
		t.Errorf("%d codes were exchanged", p.exchanged())
	}
	// The sign-in waits all the same, and the real answer still counts; twice, as browsers reload.
	resp, err := noRedirects(http.DefaultClient).Get(f.url())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for range 2 {
		if status, body, _, err := browse(resp.Header.Get("Location")); err != nil || status != 200 || !strings.Contains(body, ana) {
			t.Errorf("%d %v\n%s", status, err, body)
		}
	}
	if r, err := f.wait(t.Context()); err != nil || r.User != ana || p.exchanged() != 1 {
		t.Errorf("%+v, %v, %d exchanges", r, err, p.exchanged())
	}
}

func TestSignInThatIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setup func(*idp)
		says  []string // in the error and on the page
	}{
		{"declined", func(p *idp) { p.deny = "access_denied" }, []string{"was declined", "brickmcp login"}},
		{"scope", func(p *idp) { p.deny = "invalid_scope" }, []string{"databricks-cli", "scopes"}},
		{"down", func(p *idp) { p.deny = "server_error" }, []string{"at the moment"}},
		{"something new", func(p *idp) { p.deny = "x_new" }, []string{"x_new"}},
		{"something odd", func(p *idp) { p.deny = `<b>"` }, []string{"unknown_error"}},
		{"another issuer", func(p *idp) { p.iss = "https://evil.example.com/oidc" }, []string{"another authorization server"}},
		{"code refused", func(p *idp) {
			p.issue = func(w http.ResponseWriter, r *http.Request) {
				writeJSON(w, 400, map[string]any{"error": "invalid_grant", "error_description": "bad " + r.FormValue("code") + " " + r.FormValue("code_verifier")})
			}
		}, []string{"did not accept the answer", "[hidden] [hidden]"}},
		{"client unknown", func(p *idp) {
			p.issue = func(w http.ResponseWriter, r *http.Request) {
				writeJSON(w, 401, map[string]any{"error": "invalid_client"})
			}
		}, []string{"does not know the OAuth client"}},
		{"no token in the answer", func(p *idp) {
			p.issue = func(w http.ResponseWriter, r *http.Request) { writeJSON(w, 200, map[string]any{}) }
		}, []string{"not a bearer token"}},
		{"token that breaks a header", func(p *idp) {
			p.issue = func(w http.ResponseWriter, r *http.Request) {
				writeJSON(w, 200, map[string]any{"access_token": "a\r\nb"})
			}
		}, []string{"not a bearer token"}},
		{"clock two hours off", func(p *idp) {
			p.issue = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", time.Now().Add(2*time.Hour).UTC().Format(http.TimeFormat))
				writeJSON(w, 400, map[string]any{"error": "invalid_request"})
			}
		}, []string{"clock of this machine is 2h0m0s behind"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, dir := newIDP(t), t.TempDir()
			tt.setup(p)
			var status int
			var body string
			read := make(chan struct{})
			_, err := Login(t.Context(), LoginOptions{Options: p.options(dir), OpenBrowser: func(u string) error {
				go func() { defer close(read); status, body, _, _ = browse(u) }()
				return nil
			}})
			<-read
			e := wantError(t, err, tt.says...)
			if status == 200 || !strings.Contains(body, "You are not signed in") || strings.Contains(body, "<script") {
				t.Errorf("%d\n%s", status, body)
			}
			p.noSecrets(t, "the error", fmt.Sprintf("%v %+v %#v", e, e, e.Err))
			p.noSecrets(t, "the page", body)
			if names := files(t, dir); len(names) > 0 {
				t.Errorf("left behind: %v", names)
			}
		})
	}
}

func TestSignInEndsWithoutAnAnswer(t *testing.T) {
	p := newIDP(t)
	over := make(chan time.Time)
	o := p.options(t.TempDir())
	o.after = func(d time.Duration) <-chan time.Time {
		if d != 10*time.Minute {
			t.Errorf("limit %v", d)
		}
		return over
	}
	close(over)
	_, err := Login(t.Context(), LoginOptions{Options: o})
	wantError(t, err, "within 10 minutes", "brickmcp login --host "+p.URL)

	ctx, cancel := context.WithCancel(t.Context())
	o.after = nil
	_, err = Login(ctx, LoginOptions{Options: o, OpenBrowser: func(string) error { cancel(); return errors.New("none") }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestLoginNeedsAHost(t *testing.T) {
	_, err := Login(t.Context(), LoginOptions{Options: Options{StateDir: t.TempDir(), Home: t.TempDir(), Keyring: NoKeyring}})
	wantError(t, err, "no host to sign in to", "brickmcp login --host")
	_, err = Login(t.Context(), LoginOptions{Options: Options{Host: "https://a.example.com"}})
	wantError(t, err, "no directory")
	_, err = Login(t.Context(), LoginOptions{Options: Options{Host: "http://a.example.com", StateDir: t.TempDir()}})
	wantError(t, err, "in the clear")
	_, err = Login(t.Context(), LoginOptions{Options: Options{Host: "https://a.example.com", StateDir: t.TempDir(), Getenv: env{"DATABRICKS_OAUTH_CALLBACK_PORT": "99999"}.get}})
	wantError(t, err, "oauth_callback_port", "not a port")
}

func TestLoginWarnsAboutOtherCredentials(t *testing.T) {
	p := newIDP(t)
	o := p.options(t.TempDir())
	o.Getenv = env{"DATABRICKS_TOKEN": "dapi-hush"}.get
	r := p.signIn(t, o)
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "uses pat on "+p.URL) || strings.Contains(r.Warnings[0], "hush") {
		t.Errorf("warnings %q", r.Warnings)
	}
}

func TestOwnClientAndScopes(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	path := writeConfig(t, "[mine]\nhost = "+p.URL+"\nauth_type = external-browser\nclient_id = own-app\nscopes = sql, files\ndisable_oauth_refresh_token = true\n")
	o := Options{ConfigFile: path, Profile: "mine", StateDir: dir, Keyring: NoKeyring}
	r := p.signIn(t, o)
	if r.ClientID != "own-app" || strings.Join(r.Scopes, " ") != "files sql" || r.Renewable || r.Profile != "mine" {
		t.Errorf("%+v", r)
	}
	if _, err := NewCredential(o).Token(t.Context()); err != nil {
		t.Error(err)
	}
	// It is no sign-in for the usual client.
	_, err := NewCredential(p.options(dir)).Token(t.Context())
	wantError(t, err, "Nobody is signed in", "brickmcp login --host "+p.URL)
}

func TestTwoUsersOfOneHost(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	o := p.options(dir)
	p.signIn(t, o)
	p.set(func() { p.user = "ben@example.com" })
	p.signIn(t, o)
	if names := files(t, dir); len(names) != 2 {
		t.Fatalf("files %v", names)
	}
	for user, want := range map[string]string{"": "ben@example.com", "ANA@example.com": ana} {
		r, err := newStore(o.withDefaults()).load(newLoginKey(p.URL, "", "", nil), user)
		if err != nil || r.User != want {
			t.Errorf("user %q: %v, %v", user, r, err)
		}
	}
	o.User = "cy@example.com"
	_, err := NewCredential(o).Token(t.Context())
	wantError(t, err, "cy@example.com is not signed in")

	o.User = "ben@example.com"
	if r, err := Logout(t.Context(), o); err != nil || len(r.Users) != 1 || r.Users[0] != o.User {
		t.Errorf("Logout: %+v, %v", r, err)
	}
	o.User = ""
	if r, err := Logout(t.Context(), o); err != nil || len(r.Users) != 1 || r.Users[0] != ana {
		t.Errorf("Logout: %+v, %v", r, err)
	}
	if r, err := Logout(t.Context(), o); err != nil || len(r.Users) != 0 || len(files(t, dir)) != 0 {
		t.Errorf("Logout of nobody: %+v, %v, %v", r, err, files(t, dir))
	}
}

func TestWhoSignedIn(t *testing.T) {
	jwt := func(claims string) string { return "h." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".s" }
	p := newIDP(t)
	o := p.options(t.TempDir()).withDefaults()
	f := &flow{target: target{key: newLoginKey(p.URL, "", "", nil)}, options: o, client: p.Client()}
	for _, tt := range []struct{ access, id, want string }{
		{"opaque", "", ""},
		{jwt(`{"sub":"ana"}`), "", "ana"},
		{jwt(`{"sub":"1"}`), jwt(`{"email":"e@x.com","sub":"2"}`), "e@x.com"},
		{jwt(`{"sub":1}`), "a.b.c", ""},
		{jwt(`{"sub":"a\u0000b"}`), jwt(`{"sub":"dapi0123456789abcdef0123"}`), ""},
	} {
		if got := f.who(tt.access, tt.id); got != tt.want {
			t.Errorf("who(%q, %q) = %q, want %q", tt.access, tt.id, got, tt.want)
		}
	}
	f.options.WhoAmI = func(context.Context, string, string) (string, error) { return "told", nil }
	if got := f.who("x", ""); got != "told" {
		t.Errorf("injected: %q", got)
	}
}
