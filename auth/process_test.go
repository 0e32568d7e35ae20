package auth

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// The tests of what several processes do to each other start this test binary
// again. TestMain then plays one of these parts instead of running tests.
const (
	roleEnv  = "BRICKMCP_AUTH_TEST_ROLE" // "token", "die:STAGE", "attempt"
	hostEnv  = "BRICKMCP_AUTH_TEST_HOST"
	stateEnv = "BRICKMCP_AUTH_TEST_STATE"
)

// said is what a child prints, as one line of JSON.
type said struct {
	Token string
	Error string
	URL   string
}

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		child(role)
		return
	}
	os.Exit(m.Run())
}

func child(role string) {
	o := Options{Host: os.Getenv(hostEnv), StateDir: os.Getenv(stateEnv), Keyring: NoKeyring, SignIn: role == "attempt"}
	c := NewCredential(o)
	id, err := c.Identity()
	if err != nil {
		panic(err)
	}
	var stage string
	if n, _ := fmt.Sscanf(role, "die:%s", &stage); n == 1 {
		id.source.(*u2m).store.stage = func(s string) {
			if s == stage {
				self, _ := os.FindProcess(os.Getpid())
				_ = self.Kill() // SIGKILL: no deferred call, no flush
				select {}
			}
		}
	}
	token, err := c.Token(context.Background())
	out := said{Token: token}
	if err != nil {
		out.Error = err.Error()
		var e *Error
		if errors.As(err, &e) {
			out.URL = e.SignInURL
		}
	}
	_ = json.NewEncoder(os.Stdout).Encode(out)
	if role == "attempt" { // until the parent is done with us
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
}

// process is a started child.
type process struct {
	cmd   *exec.Cmd
	out   *bufio.Reader
	stdin io.WriteCloser
}

func spawn(t *testing.T, role, host, dir string) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+role, hostEnv+"="+host, stateEnv+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &process{cmd, bufio.NewReader(out), in}
}

// said waits for the line that the child prints.
func (p *process) said(t *testing.T) said {
	t.Helper()
	var s said
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &s)
	}
	if err != nil {
		t.Fatalf("the child said %q: %v", line, err)
	}
	return s
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = p.cmd.Wait() // its error says that it was killed
}

func TestTwentyProcessesOneRefresh(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	p.seed(t, p.options(dir), time.Minute)
	p.set(func() { p.hold, p.held = make(chan struct{}), make(chan struct{}, 20) })
	children := make([]*process, 20)
	for i := range children {
		children[i] = spawn(t, "token", p.URL, dir)
	}
	<-p.held // one of them is at it; the others come upon the lock
	close(p.hold)
	var token string
	for i, c := range children {
		s := c.said(t)
		_ = c.cmd.Wait()
		if s.Token == "" || token != "" && s.Token != token {
			t.Errorf("process %d: token %t, same %t, error %q", i, s.Token != "", s.Token == token, s.Error)
		}
		token = s.Token
	}
	if n := p.refreshed(); n != 1 {
		t.Errorf("%d refresh requests, want 1", n)
	}
	r, err := newStore(p.options(dir).withDefaults()).load(newLoginKey(p.URL, "", "", nil), "")
	if err != nil || r.Tokens.Access != token || !p.good(r.Tokens.Refresh) || r.Generation != 2 {
		t.Errorf("stored: generation %d, %v", r.Generation, err)
	}
}

func TestTwentyProcessesWithADeadRefreshToken(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	r := p.seed(t, p.options(dir), time.Minute)
	p.set(func() { p.refresh[r.Tokens.Refresh] = false })
	children := make([]*process, 20)
	for i := range children {
		children[i] = spawn(t, "token", p.URL, dir)
	}
	for _, c := range children {
		s := c.said(t)
		_ = c.cmd.Wait()
		e := &Error{Message: s.Error, Advice: "-"}
		wantError(t, e, "sign-in of "+ana, "has ended", "Refresh token is invalid", "brickmcp login --host "+p.URL)
		p.noSecrets(t, "the error", s.Error)
	}
	if n := p.refreshed(); n != 1 {
		t.Errorf("%d refresh requests, want 1", n)
	}
}

func TestKilledInTheMiddle(t *testing.T) {
	for _, tt := range []struct {
		stage    string
		requests int // together with the survivor's
	}{
		{"begun", 1},   // before the request
		{"synced", 1},  // the answer is on the disk: the survivor finishes the write
		{"renamed", 1}, // only the directory was not synced yet
	} {
		t.Run(tt.stage, func(t *testing.T) {
			p, dir := newIDP(t), t.TempDir()
			p.seed(t, p.options(dir), time.Minute)
			dying := spawn(t, "die:"+tt.stage, p.URL, dir)
			rest, _ := io.ReadAll(dying.out)
			_ = dying.cmd.Wait()
			if len(rest) > 0 || dying.cmd.ProcessState.Success() {
				t.Fatalf("it did not die: %q", rest)
			}
			survivor := spawn(t, "token", p.URL, dir)
			s := survivor.said(t)
			_ = survivor.cmd.Wait()
			if !p.granted(s.Token) {
				t.Errorf("the survivor got %+v", s)
			}
			if n := p.refreshed(); n != tt.requests {
				t.Errorf("%d refresh requests, want %d", n, tt.requests)
			}
			// And the sign-in goes on: the stored refresh token is the good one.
			st := newStore(p.options(dir).withDefaults())
			r, err := st.load(newLoginKey(p.URL, "", "", nil), "")
			if err != nil || !p.good(r.Tokens.Refresh) || st.interrupted(r) {
				t.Errorf("stored: %v, still marked %v", err, st.interrupted(r))
			}
		})
	}
}

func TestKilledWhileTheServerThinks(t *testing.T) {
	for _, tt := range []struct {
		name string
		used bool // the server has used the token up before the process died
	}{{"request not handled", false}, {"answer lost", true}} {
		t.Run(tt.name, func(t *testing.T) {
			p, dir := newIDP(t), t.TempDir()
			before := p.seed(t, p.options(dir), time.Minute)
			p.set(func() { p.hold, p.held = make(chan struct{}), make(chan struct{}, 1) })
			dying := spawn(t, "token", p.URL, dir)
			<-p.held
			dying.kill(t)
			hold := p.hold
			p.set(func() {
				p.hold = nil
				if tt.used {
					p.refresh[before.Tokens.Refresh] = false
				}
				p.drop = true
			})
			close(hold)

			survivor := spawn(t, "token", p.URL, dir)
			s := survivor.said(t)
			_ = survivor.cmd.Wait()
			if !tt.used {
				if !p.granted(s.Token) {
					t.Errorf("the refresh token was lost: %+v", s)
				}
				return
			}
			e := &Error{Message: s.Error, Advice: "-"}
			wantError(t, e, "has ended", "was interrupted", "brickmcp login")
			// No loop: the next process knows without asking.
			n := p.refreshed()
			third := spawn(t, "token", p.URL, dir)
			if s := third.said(t); s.Token != "" || p.refreshed() != n {
				t.Errorf("asked again: %+v", s)
			}
			_ = third.cmd.Wait()
		})
	}
}

func TestSignInSharedByProcesses(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	owner := spawn(t, "attempt", p.URL, dir)
	first := owner.said(t)
	if first.URL == "" {
		t.Fatalf("no address: %+v", first)
	}
	o := p.options(dir)
	o.SignIn = true
	c := NewCredential(o)
	_, err := c.Token(t.Context())
	if e := wantError(t, err, "Nobody is signed in", first.URL, "good for 10 minutes"); e.SignInURL != first.URL {
		t.Errorf("another address: %s", e.SignInURL)
	}
	if status, body, _, err := browse(first.URL); err != nil || status != 200 {
		t.Fatalf("%d %v\n%s", status, err, body)
	}
	if err := c.AwaitSignIn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tok, err := c.Token(t.Context()); err != nil || !p.granted(tok) {
		t.Errorf("after the sign-in that another process ran: %v", err)
	}
	owner.kill(t)
}

func TestSignInOfAProcessThatDied(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	owner := spawn(t, "attempt", p.URL, dir)
	first := owner.said(t)
	owner.kill(t)
	o := p.options(dir)
	o.SignIn = true
	c := NewCredential(o)
	_, err := c.Token(t.Context())
	e := wantError(t, err, "Nobody is signed in")
	if e.SignInURL == "" || e.SignInURL == first.URL {
		t.Fatalf("the address of a dead process: %q", e.SignInURL)
	}
	if status, _, _, err := browse(e.SignInURL); err != nil || status != 200 {
		t.Fatalf("%d %v", status, err)
	}
	if tok, err := c.Token(t.Context()); err != nil || !p.granted(tok) {
		t.Errorf("Token: %v", err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
