package sandbox

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"brickmcp/transport/sandbox/browsertest"
)

// callbacks is a program's redirect listener, on a port that the public client
// may use. What comes in goes to the channel.
func callbacks(t *testing.T) (address string, came <-chan url.Values) {
	t.Helper()
	answers := make(chan url.Values, 4)
	for port := firstPort; port <= lastPort; port++ {
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" { // the icon that browsers ask for
				http.NotFound(w, r)
				return
			}
			answers <- r.URL.Query()
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, `<!doctype html><title>back</title><h1 id="back">Back in the program</h1>`)
		}))
		_ = server.Listener.Close()
		server.Listener = l
		server.Start()
		t.Cleanup(server.Close)
		return fmt.Sprintf("http://localhost:%d", port), answers
	}
	t.Fatalf("all ports from %d to %d are in use", firstPort, lastPort)
	return "", nil
}

func TestSignInPageInBrowser(t *testing.T) {
	browser := browsertest.Start(t)
	p := newProgram(t)
	var came <-chan url.Values
	p.config.RedirectURL, came = callbacks(t)
	verifier := oauth2.GenerateVerifier()
	page := p.config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier))

	t.Run("picks a user", func(t *testing.T) {
		browser.Open(page)
		if got := browser.Text("h1"); got != "Who is signing in?" {
			t.Error(got)
		}
		picture(t, "pick.png", browser)
		browser.Click(`button[value="ben@example.com"]`)
		q := <-came
		if got := browser.Text("#back"); got != "Back in the program" || q.Get("state") != state {
			t.Fatal(got, q)
		}
		token, err := p.config.Exchange(p.ctx(), q.Get("code"), oauth2.VerifierOption(verifier))
		if err != nil {
			t.Fatal(err)
		}
		if me := p.as(token.AccessToken).get(scim + "/Me"); me["userName"] != "ben@example.com" {
			t.Error(me)
		}
	})
	t.Run("denies", func(t *testing.T) {
		browser.Open(page)
		browser.Click(`button[value="deny"]`)
		if q := <-came; q.Get("error") != "access_denied" || q.Get("state") != state || q.Has("code") {
			t.Error(q)
		}
	})
	t.Run("with the keyboard alone", func(t *testing.T) {
		browser.Open(page)
		browser.Type("\t")
		browser.Type("\r")
		browser.Wait("#back")
		if q := <-came; q.Get("code") == "" {
			t.Error(q)
		}
	})
	t.Run("is styled, has names, and loads nothing else", func(t *testing.T) {
		browser.Open(page)
		type found struct {
			Radius string
			Names  []string
			Loaded int
			Lang   string
		}
		got := browsertest.Evaluate[found](browser, `({
			Radius: getComputedStyle(document.querySelector("main")).borderRadius,
			Names: [...document.querySelectorAll("button")].map(b => b.innerText.replace(/\s+/g, " ").trim()),
			Loaded: performance.getEntriesByType("resource").filter(e => !e.name.endsWith("/favicon.ico")).length,
			Lang: document.documentElement.lang,
		})`)
		if got.Radius != "16px" || got.Loaded != 0 || got.Lang != "en" || len(got.Names) != 3 || !strings.Contains(got.Names[0], "Ana Alvarez ana@example.com") || got.Names[2] != "Deny" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("shows what is wrong with a program", func(t *testing.T) {
		browser.Open(strings.Replace(page, loginClient, "nobody", 1))
		if got := browser.Text("#why"); !strings.Contains(got, "not registered") {
			t.Error(got)
		}
		picture(t, "refused.png", browser)
	})
	if said := browser.Complaints(); len(said) > 0 {
		t.Errorf("the browser complains: %q", said)
	}
}

// picture stores how the page looks where SANDBOX_PICTURES names a directory,
// for people to look at.
func picture(t *testing.T, name string, b *browsertest.Browser) {
	t.Helper()
	dir := os.Getenv("SANDBOX_PICTURES")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name), b.Screenshot(), 0o600); err != nil {
		t.Error(err)
	}
}
