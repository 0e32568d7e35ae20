package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brickmcp/transport/sandbox"

	"github.com/tidwall/gjson"
)

const ana, ben = "ana@example.com", "ben@example.com"

// within is a command in this process, with this environment and no other.
func within(t *testing.T, environment map[string]string, arguments ...string) (out, errors string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	root := newRoot(newConfig(func(name string) string { return environment[name] }, strings.NewReader(""), &stdout, &stderr))
	root.SetArgs(arguments)
	err = root.ExecuteContext(t.Context())
	return stdout.String(), stderr.String(), err
}

func mustContain(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s does not say %q:\n%s", what, part, text)
		}
	}
}

func TestLoginWhoamiLogout(t *testing.T) {
	f := newOffice(t, sandbox.Options{})
	login := f.start("login", "--host", f.URL+"/?o=42#job")
	address := login.address()
	if status, page := choose(t, address, ana); status != http.StatusOK || !strings.Contains(page, ana) {
		t.Errorf("the browser ended with %d:\n%s", status, page)
	}
	out, said := login.ended(0)
	mustContain(t, "stderr of login", said, "To sign in to "+f.URL, "No browser could be opened")
	mustContain(t, "login", out, "Signed in to "+f.URL+" as "+ana+".", "readable by you alone", "renews itself")
	if strings.Contains(said, "paste") {
		t.Error("login offers to read from a stdin that is no terminal")
	}

	// From now on no host is needed: there is one sign-in.
	out, _ = f.run(0, "whoami", "--json", "--access", "off,jobs=full")
	who := gjson.Parse(out)
	for path, want := range map[string]string{
		"user": ana, "auth_type": "external-browser", "host": f.URL, "workspace_id": sandbox.ID, "scopes.0": "all-apis",
		"access.jobs.level": "full", "access.jobs.why": "--access", "access.secrets.level": "off",
	} {
		if got := who.Get(path).String(); got != want {
			t.Errorf("whoami says %s is %q, want %q", path, got, want)
		}
	}
	if who.Get("expires_at").Time().IsZero() {
		t.Errorf("whoami does not say when the token ends: %s", out)
	}
	out, _ = f.run(0, "whoami")
	mustContain(t, "whoami", out, "user          "+ana+"\n", "auth type     external-browser\n", "workspace id  "+sandbox.ID+"\n", "(in 59 min)", "access        read (default): jobs, ")

	out, _ = f.run(0, "logout")
	mustContain(t, "logout", out, "Signed out of "+f.URL+": "+ana+".")
	events, _ := f.run(0, "audit")
	mustContain(t, "audit", events, ana+" signed in to ", ana+" was signed out of ")
	if out, _ = f.run(0, "logout"); out != "Nobody is signed in; there is nothing to delete.\n" {
		t.Errorf("a second logout says %q", out)
	}
	out, _ = f.run(1, "whoami", "--json", "--host", f.URL)
	if kind := gjson.Get(out, "error.kind").Str; kind != "signin" || strings.Contains(out, "service_principals_me") {
		t.Errorf("whoami of nobody says %s", out)
	}
	_, said = f.run(1, "whoami", "--host", f.URL)
	mustContain(t, "whoami of nobody", said, "brickmcp: Nobody is signed in to "+f.URL+".\n", "brickmcp login --host "+f.URL)
}

func TestLogoutNeedsAHostAmongSeveral(t *testing.T) {
	f, other := newOffice(t, sandbox.Options{}), newOffice(t, sandbox.Options{})
	other.state = f.state
	for _, o := range []*office{f, other} {
		login := o.start("login", "--host", o.URL)
		choose(t, login.address(), ben)
		login.ended(0)
	}
	_, said := f.run(2, "logout")
	mustContain(t, "logout", said, f.URL, other.URL, "--host")
	out, _ := f.run(0, "logout", "--host", other.URL)
	mustContain(t, "logout", out, "Signed out of "+other.URL+": "+ben+".")
	out, _ = f.run(0, "whoami")
	mustContain(t, "whoami", out, f.URL, ben)
}

func TestLoginDenied(t *testing.T) {
	f := newOffice(t, sandbox.Options{})
	login := f.start("login", "--host", f.URL)
	if status, page := choose(t, login.address(), "deny"); status != http.StatusForbidden || !strings.Contains(page, "You are not signed in") {
		t.Errorf("the browser ended with %d:\n%s", status, page)
	}
	out, said := login.ended(1)
	mustContain(t, "login", said, "brickmcp: The sign-in to "+f.URL+" was declined", "To try again: brickmcp login --host "+f.URL)
	if out != "" {
		t.Errorf("stdout: %s", out)
	}
}

// An answer with another state is refused and changes nothing.
func TestLoginRefusesAnotherState(t *testing.T) {
	f := newOffice(t, sandbox.Options{})
	login := f.start("login", "--host", f.URL)
	address := login.address()
	resp, err := http.Get(redirectOf(t, address) + "/?code=stolen&state=" + strings.Repeat("w", 22))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a wrong state was answered %d", resp.StatusCode)
	}
	login.err.await(t, `An answer was refused: .*another sign-in`)
	choose(t, address, ana)
	out, _ := login.ended(0)
	mustContain(t, "login", out, "as "+ana)
}

func TestLoginInterrupted(t *testing.T) {
	f := newOffice(t, sandbox.Options{})
	login := f.start("login", "--host", f.URL)
	login.address()
	if err := login.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Skipf("this system cannot send an interrupt to a process: %v", err)
	}
	_, said := login.ended(1)
	mustContain(t, "login", said, "brickmcp: the sign-in was interrupted; nobody was signed in\n")
	if out, _ := f.run(0, "logout"); !strings.HasPrefix(out, "Nobody") {
		t.Errorf("something was stored: %s", out)
	}
}

func TestLoginRehearsal(t *testing.T) {
	f := newOffice(t, sandbox.Options{}) // for its directory alone
	temporary := t.TempDir()
	cmd := f.command("login", "--sandbox")
	cmd.Env = append(cmd.Env, "TMPDIR="+temporary, "TMP="+temporary, "DATABRICKS_TOKEN=dapi0123456789abcdef")
	login := begin(t, cmd)
	choose(t, login.address(), ben)
	out, _ := login.ended(0)
	mustContain(t, "login --sandbox", out, "as "+ben, "This was a rehearsal")
	for _, dir := range []string{f.state, temporary} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

// What people get wrong, and what they are told.
func TestLoginMistakes(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", "[production]\nhost = https://dbc-1.cloud.databricks.com\n[staging]\nhost = https://dbc-2.cloud.databricks.com\n")
	bad := write("bad", "[DEFAULT]\nhost = https://dbc-1.cloud.databricks.com\nthis is no setting\n")
	notADirectory := write("file", "")
	for _, tt := range []struct {
		name        string
		environment map[string]string
		arguments   []string
		says        []string
	}{
		{"no host", nil, nil, []string{"There is no host to sign in to", "brickmcp login --host"}},
		{"plain http", nil, []string{"--host", "http://dbc-1.cloud.databricks.com"}, []string{"plain http", "Write https://"}},
		{"misspelt host", nil, []string{"--host", "https://dbc-1.cloud.databricks.con"}, []string{"misspelt", "cloud.databricks.com"}},
		{"a token as host", nil, []string{"--host", "dapi0123456789abcdef0123456789abcdef"}, []string{"looks like an access token"}},
		{"unknown profile", map[string]string{"DATABRICKS_CONFIG_FILE": good}, []string{"--profile", "prodution"}, []string{"prodution", "production"}},
		{"malformed file", map[string]string{"DATABRICKS_CONFIG_FILE": bad}, nil, []string{bad, "line 3"}},
		{"nobody home", map[string]string{"XDG_STATE_HOME": "", "LOCALAPPDATA": "", "HOME": "", "USERPROFILE": ""}, []string{"--host", "http://127.0.0.1:1"}, []string{"no directory to keep a sign-in", "XDG_STATE_HOME"}},
		{"state is a file", map[string]string{"XDG_STATE_HOME": notADirectory}, []string{"--host", "http://127.0.0.1:1"}, []string{"cannot be stored in", notADirectory}},
		{"nobody answers", nil, []string{"--host", "http://127.0.0.1:1"}, []string{"refuses connections", "HTTPS_PROXY"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			environment := map[string]string{"HOME": dir, "USERPROFILE": dir, "XDG_STATE_HOME": filepath.Join(dir, "state"), "DATABRICKS_AUTH_STORAGE": "plaintext", "BROWSER": "none"}
			for name, value := range tt.environment {
				environment[name] = value
			}
			out, said, err := within(t, environment, append([]string{"login"}, tt.arguments...)...)
			if err == nil {
				t.Fatalf("login succeeded: %s%s", out, said)
			}
			mustContain(t, "the error", err.Error(), tt.says...)
			if strings.Contains(err.Error()+said, "dapi0123") {
				t.Errorf("the token is quoted: %v", err)
			}
		})
	}
}

func TestAccessReport(t *testing.T) {
	for _, tt := range []struct {
		environment map[string]string
		arguments   []string
		jobs, files allowance
	}{
		{nil, nil, allowance{"full", "--sandbox"}, allowance{"full", "--sandbox"}},
		{nil, []string{"--access", "read"}, allowance{"read", "--access"}, allowance{"read", "--access"}},
		{nil, []string{"--access", "jobs=full"}, allowance{"full", "--access"}, allowance{"read", "default"}},
		{map[string]string{"BRICKMCP_ACCESS": "off, jobs=read"}, nil, allowance{"read", "BRICKMCP_ACCESS"}, allowance{"off", "BRICKMCP_ACCESS"}},
		{map[string]string{"BRICKMCP_ACCESS": "off"}, []string{"--access", "full"}, allowance{"full", "--access"}, allowance{"full", "--access"}},
	} {
		out, _, err := within(t, tt.environment, append([]string{"whoami", "--json", "--sandbox"}, tt.arguments...)...)
		if err != nil {
			t.Fatal(err)
		}
		for group, want := range map[string]allowance{"jobs": tt.jobs, "files": tt.files} {
			a := gjson.Get(out, "access."+group)
			if got := (allowance{a.Get("level").Str, a.Get("why").Str}); got != want {
				t.Errorf("%v %v: %s: %v, want %v", tt.environment, tt.arguments, group, got, want)
			}
		}
	}
}

func TestStateDir(t *testing.T) {
	root := t.TempDir() // absolute on any system
	for _, tt := range []struct {
		system      string
		environment map[string]string
		want        []string // nil: none
	}{
		{"linux", map[string]string{"HOME": root}, []string{root, ".local", "state", "brickmcp"}},
		{"linux", map[string]string{"HOME": root, "XDG_STATE_HOME": filepath.Join(root, "x")}, []string{root, "x", "brickmcp"}},
		{"linux", map[string]string{"HOME": root, "XDG_STATE_HOME": "relative"}, []string{root, ".local", "state", "brickmcp"}},
		{"linux", nil, nil},
		{"darwin", map[string]string{"HOME": root}, []string{root, "Library", "Application Support", "brickmcp"}},
		{"darwin", map[string]string{"HOME": root, "XDG_STATE_HOME": filepath.Join(root, "x")}, []string{root, "x", "brickmcp"}},
		{"windows", map[string]string{"LOCALAPPDATA": root}, []string{root, "brickmcp"}},
		{"windows", map[string]string{"HOME": root}, nil},
	} {
		want := filepath.Join(tt.want...)
		if got := stateDir(tt.system, func(name string) string { return tt.environment[name] }); got != want {
			t.Errorf("%s %v: %q, want %q", tt.system, tt.environment, got, want)
		}
	}
}
