package main

import (
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"brickmcp/transport/sandbox"

	"github.com/tidwall/gjson"
)

// addressIn is the sign-in address in an error result.
func addressIn(t *testing.T, e gjson.Result) string {
	t.Helper()
	address := regexp.MustCompile(signInAddress).FindString(e.Get("advice").Str)
	if address == "" {
		t.Fatalf("no address to sign in at: %s", e.Raw)
	}
	return address
}

// A call that finds nobody signed in says where to do it, and the next one
// works. Calls and processes at the same time share one attempt.
func TestSignInFromASession(t *testing.T) {
	f := newOffice(t, sandbox.Options{})
	first := newAgent(t, f.command("--host", f.URL), nil)
	second := newAgent(t, f.command("--host", f.URL), nil)
	var addresses sync.Map
	var calls sync.WaitGroup
	for _, a := range []*agent{first, first, second, second} {
		calls.Go(func() {
			answer, failed := a.ask(t.Context(), "jobs_list", args{"limit": 1})
			if !failed || answer.Get("error.kind").Str != "signin" {
				t.Errorf("a call of nobody was answered %s", answer.Raw)
				return
			}
			addresses.Store(addressIn(t, answer.Get("error")), true)
		})
	}
	calls.Wait()
	n, address := 0, ""
	addresses.Range(func(key, _ any) bool { n++; address = key.(string); return true })
	if n != 1 {
		t.Fatalf("four calls of two processes were sent to %d addresses", n)
	}

	if status, page := choose(t, address, ben); status != http.StatusOK || !strings.Contains(page, ben) {
		t.Errorf("the browser ended with %d:\n%s", status, page)
	}
	for _, a := range []*agent{first, second} {
		a.call("jobs_list", args{"limit": 1})
		line := a.stderr.await(t, `signed in\t.*\n`)
		for _, want := range []string{ben, sandbox.ID, "external-browser", f.URL} {
			a.must(line, want)
		}
	}
	if asked := f.box.TokenRequests(); asked.AuthorizationCode != 1 || asked.RefreshToken != 0 {
		t.Errorf("the token endpoint was asked %+v", asked)
	}
}

// A refusal in the browser is told by the next call, with another address.
func TestSignInDeniedInASession(t *testing.T) {
	f := newOffice(t, sandbox.Options{})
	a := newAgent(t, f.command("--host", f.URL), nil)
	address := addressIn(t, a.refused("signin", "jobs_list", nil))
	choose(t, address, "deny")
	e := a.refused("signin", "jobs_list", nil)
	a.must(e.Get("message").Str, "declined")
	if again := addressIn(t, e); again == address {
		t.Error("the address of the attempt that is over is given once more")
	} else {
		choose(t, again, ana)
	}
	a.call("jobs_list", nil)
}

// A server ends although a sign-in still waits for its person.
func TestServerEndsDuringSignIn(t *testing.T) {
	f := newOffice(t, sandbox.Options{})
	began := time.Now()
	answers := piped(t, f.command("--host", f.URL), toolCall(1, "jobs_list", `{}`))
	address := addressIn(t, answers["1"].Get("result.structuredContent.error"))
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the server took %v to end", took)
	}
	if resp, err := http.Get(redirectOf(t, address)); err == nil {
		resp.Body.Close()
		t.Error("somebody still listens for the end of the sign-in")
	}
}

type clock func() time.Time

func (c clock) Now() time.Time { return c() }

// Everything that a full run prints, answers and logs, at its most talkative:
// no token, code, verifier or secret is in it.
func TestNoSecretsInAnyOutput(t *testing.T) {
	var late atomic.Int64 // how far the workspace's clock is ahead
	f := newOffice(t, sandbox.Options{Clock: clock(func() time.Time { return time.Now().Add(time.Duration(late.Load())) })})
	talkative := []string{"--log-level", "debug"}
	var all []string
	keep := func(texts ...string) { all = append(all, texts...) }
	run := func(status int, arguments ...string) { keep(f.run(status, append(arguments, talkative...)...)) }

	server := newAgent(t, f.command(append(talkative, "--host", f.URL, "--access", "full")...), nil)
	e := server.refused("signin", "jobs_list", nil)
	keep(e.Raw)
	_, page := choose(t, addressIn(t, e), "deny")
	keep(page)
	e = server.refused("signin", "jobs_list", nil)
	_, page = choose(t, addressIn(t, e), ana)
	keep(e.Raw, page)
	keep(server.call("jobs_list", args{"limit": 1}).Raw)
	late.Store(int64(2 * time.Hour)) // the token has expired over there: a refresh
	keep(server.call("jobs_list", args{"limit": 1}).Raw)
	keep(server.refused("missing", "jobs_get", args{"job_id": "1"}).Raw)
	server.stderr.await(t, "signed in\t")

	login := f.start(append(talkative, "login", "--host", f.URL)...)
	_, page = choose(t, login.address(), ben)
	out, said := login.ended(0)
	keep(page, out, said)
	run(0, "whoami")
	run(0, "whoami", "--json")
	run(0, "call", "jobs_list", "limit=1")
	run(0, "doctor", "--json")
	run(0, "logout")
	run(1, "whoami", "--json", "--host", f.URL)

	for _, credentials := range [][]string{
		{"DATABRICKS_CLIENT_ID=" + sandbox.ClientID, "DATABRICKS_CLIENT_SECRET=" + sandbox.ClientSecret},
		{"DATABRICKS_CLIENT_ID=" + sandbox.ClientID, "DATABRICKS_CLIENT_SECRET=dose-wrong-secret-0123456789"},
		{"DATABRICKS_TOKEN=" + sandbox.BenToken},
		{"DATABRICKS_TOKEN=dapi-wrong-token-0123456789"},
	} {
		for _, arguments := range [][]string{{"whoami", "--json"}, {"doctor"}, {"call", "jobs_list"}} {
			cmd := f.command(append(arguments, append(talkative, "--host", f.URL)...)...)
			cmd.Env = append(cmd.Env, credentials...)
			p := begin(t, cmd)
			_ = p.cmd.Wait() // some of these fail, as they should
			keep(p.out.String(), p.err.String())
		}
	}
	keep(server.stderr.String())

	kinds := map[string]bool{}
	for _, kind := range f.secrets {
		kinds[kind] = true
	}
	for _, kind := range []string{"bearer token", "client secret", "code", "code_verifier", "refresh token", "refresh_token"} {
		if !kinds[kind] {
			t.Errorf("the run used no %s: this test sees nothing", kind)
		}
	}
	for _, text := range all {
		f.clean("an output", text)
	}
}
