package main

import (
	"strings"
	"testing"

	"brickmcp/transport/sandbox"
	"brickmcp/transport/sandbox/browsertest"
)

// TestSignInInBrowser is the whole way of a person with a real browser: they
// decline, they come back with an answer that is not theirs, they sign in; and
// the session that sent them there goes on.
func TestSignInInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a real browser takes seconds")
	}
	browser := browsertest.Start(t)
	f := newOffice(t, sandbox.Options{})
	a := newAgent(t, f.command("--host", f.URL), nil)
	says := func(parts ...string) {
		t.Helper()
		mustContain(t, "the page", browser.Text("main"), parts...)
	}

	browser.Open(addressIn(t, a.refused("signin", "jobs_list", nil)))
	says("Who is signing in?")
	browser.Click("button.deny")
	says("You are not signed in", "declined")

	address := addressIn(t, a.refused("signin", "jobs_list", nil))
	browser.Open(redirectOf(t, address) + "/?code=stolen&state=" + strings.Repeat("w", 22))
	says("This answer belongs to another sign-in", "nobody was signed in")
	if e := a.refused("signin", "jobs_list", nil); addressIn(t, e) != address {
		t.Error("a wrong state ended the sign-in")
	}
	browser.Open(redirectOf(t, address) + "/?error=access_denied&error_description=%3Cimg+src%3Dx+onerror%3D%22document.title%3D%27owned%27%22%3E&state=" + strings.Repeat("w", 22))
	if title := browsertest.Evaluate[string](browser, "document.title"); title == "owned" {
		t.Error("the page runs what an answer says")
	}

	browser.Open(address)
	browser.Click(`button[value="` + ben + `"]`)
	says("You are signed in", ben, f.URL, "The next call works")
	if who := browser.Text("#user"); who != ben {
		t.Errorf("the page says that %s signed in", who)
	}
	if got := a.call("jobs_list", args{"limit": 1}).Get("returned").Int(); got != 1 {
		t.Errorf("%d jobs", got)
	}
	if said := browser.Complaints(); len(said) > 0 {
		t.Errorf("the pages break their own policy: %q", said)
	}
	f.clean("the log", a.stderr.String())
}
