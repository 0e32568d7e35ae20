package main

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"brickmcp/transport/sandbox"

	"github.com/tidwall/gjson"
)

// office is the embedded workspace as a server, and a note of every secret that
// went in or out of it.
type office struct {
	*httptest.Server
	t     *testing.T
	box   *sandbox.Workspace
	state string // XDG_STATE_HOME of everybody who works here

	mu      sync.Mutex
	secrets map[string]string // value -> what it is
}

func newOffice(t *testing.T, o sandbox.Options) *office {
	t.Helper()
	box, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	f := &office{t: t, box: box, state: t.TempDir(), secrets: map[string]string{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() {
		f.Close()
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *office) note(what, value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if value != "" {
		f.secrets[value] = what
	}
}

func (f *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.note("bearer token", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if _, password, ok := r.BasicAuth(); ok {
		f.note("client secret", password)
	}
	if form, err := url.ParseQuery(string(body)); err == nil && strings.HasSuffix(r.URL.Path, "/v1/token") {
		for _, name := range []string{"code", "code_verifier", "refresh_token", "client_secret"} {
			f.note(name, form.Get(name))
		}
	}
	answer := httptest.NewRecorder()
	f.box.ServeHTTP(answer, r)
	if to, err := url.Parse(answer.Header().Get("Location")); err == nil {
		f.note("code", to.Query().Get("code"))
	}
	if strings.HasSuffix(r.URL.Path, "/v1/token") {
		f.note("access token", gjson.GetBytes(answer.Body.Bytes(), "access_token").Str)
		f.note("refresh token", gjson.GetBytes(answer.Body.Bytes(), "refresh_token").Str)
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // a client that has gone needs no answer
}

// clean fails the test when a text holds one of the secrets.
func (f *office) clean(what, text string) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for value, kind := range f.secrets {
		for _, form := range []string{value, url.QueryEscape(value), base64.StdEncoding.EncodeToString([]byte(value))} {
			if strings.Contains(text, form) {
				f.t.Errorf("%s holds a %s:\n%s", what, kind, text)
			}
		}
	}
}

// command is brickmcp for a person of this office.
func (f *office) command(arguments ...string) *exec.Cmd {
	cmd := command(f.t, arguments...)
	cmd.Env = append(cmd.Env, "XDG_STATE_HOME="+f.state)
	return cmd
}

// process is a brickmcp whose output can be read while it runs.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err *lockedBuffer
}

func (f *office) start(arguments ...string) *process {
	return begin(f.t, f.command(arguments...))
}

func begin(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, out: &lockedBuffer{}, err: &lockedBuffer{}}
	cmd.Stdout, cmd.Stderr = p.out, p.err
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // in case the test ends first
	return p
}

// ended waits for the end, with this exit status, and returns both outputs.
func (p *process) ended(status int) (out, err string) {
	p.t.Helper()
	_ = p.cmd.Wait() // the status says it
	if got := p.cmd.ProcessState.ExitCode(); got != status {
		p.t.Errorf("%v: exit status %d, want %d\n%s%s", p.cmd.Args[1:], got, status, p.out, p.err)
	}
	return p.out.String(), p.err.String()
}

// run is a command from beginning to end.
func (f *office) run(status int, arguments ...string) (out, err string) {
	f.t.Helper()
	return f.start(arguments...).ended(status)
}

const signInAddress = `http://[0-9.:]+/oidc/v1/authorize\?\S+`

// address waits for the sign-in address that a command prints.
func (p *process) address() string {
	p.t.Helper()
	return p.err.await(p.t, signInAddress)
}

var formHandle = regexp.MustCompile(`name="request" value="([^"]+)"`)

// choose opens a sign-in address as a browser would, chooses a person or
// "deny", and returns the page on which the browser ends.
func choose(t *testing.T, address, choice string) (status int, page string) {
	t.Helper()
	read := func(resp *http.Response, err error) (int, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	_, form := read(http.Get(address))
	handle := formHandle.FindStringSubmatch(form)
	if handle == nil {
		t.Fatalf("%s is no sign-in page:\n%s", address, form)
	}
	action, _, _ := strings.Cut(address, "?")
	return read(http.PostForm(action, url.Values{"request": {handle[1]}, "choice": {choice}}))
}

// redirectOf is where a sign-in address sends the browser back to.
func redirectOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("redirect_uri")
}
