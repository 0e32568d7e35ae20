package managed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// TestTokenStaysHome: a server that redirects gets no second request, and nobody
// else gets any.
func TestTokenStaysHome(t *testing.T) {
	var elsewhere atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer thief.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		u := newUpstream(t, plainEcho)
		u.before = func(w http.ResponseWriter, r *http.Request, _ string) bool {
			http.Redirect(w, r, thief.URL+"/login", status)
			return true
		}
		_, err := u.client(t, nil).Tools(t.Context())
		wantKind(t, err, catalog.SignIn, "redirect")
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}

func TestAddressesThatGetNoToken(t *testing.T) {
	for _, address := range []string{"http://example.com/api/2.0/mcp/sql", "https://user:pw@example.com/", "ftp://example.com/", "::", "https:///x"} {
		asked := false
		c := New(Config{
			URL:   func(context.Context) (string, error) { return address, nil },
			Token: func(context.Context) (string, error) { asked = true; return "secret-token", nil },
		})
		_, err := c.Tools(t.Context())
		wantKind(t, err, catalog.Invalid)
		if asked {
			t.Errorf("%s: a token was made for it", address)
		}
	}
}

func TestStatuses(t *testing.T) {
	for _, test := range []struct {
		status int
		kind   string // of the content
		body   string
		want   catalog.Kind
		parts  []string
	}{
		{403, "application/json", `{"error_code":"PERMISSION_DENIED","message":"User has no EXECUTE; secret-token"}`, catalog.Forbidden, []string{"no EXECUTE", "EXECUTE on the function", "unity-catalog"}},
		{404, "application/json", `{"error_code":"NOT_FOUND","message":"no such"}`, catalog.Missing, []string{"no such", "managed discover"}},
		{429, "application/json", `{"message":"slow down"}`, catalog.Limited, []string{"slow down"}},
		{503, "text/plain", `x`, catalog.Down, []string{"503"}},
		{400, "application/json", `{"message":"bad catalog"}`, catalog.Invalid, []string{"bad catalog"}},
		{200, "text/html", `<html>login</html>`, catalog.Down, []string{"web page"}},
		{401, "application/json", `{"message":"expired"}`, catalog.SignIn, []string{"expired"}},
		{200, "application/json", `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}`, catalog.Down, nil},
		{200, "application/octet-stream", `x`, catalog.Down, nil},
	} {
		u := newUpstream(t, plainEcho)
		u.before = func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			w.Header().Set("Content-Type", test.kind)
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(test.status)
			fmt.Fprint(w, test.body)
			return true
		}
		_, err := u.client(t, nil).Tools(t.Context())
		wantKind(t, err, test.want, test.parts...)
	}
}

func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	u := newUpstream(t, plainEcho)
	u.before = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.Header.Get("Authorization") == "Bearer old" {
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		return false
	}
	var current atomic.Value
	current.Store("old")
	refreshed := 0
	c := u.client(t, func(config *Config) {
		config.Token = func(context.Context) (string, error) { return current.Load().(string), nil }
		config.Invalidate = func(token string) {
			if token == "old" {
				refreshed++
				current.Store("new")
			}
		}
	})
	result, err := c.Call(t.Context(), json.RawMessage(callEcho), false, nil, nil)
	if err != nil || !strings.Contains(string(result), "9007199254740993") {
		t.Fatal(string(result), err)
	}
	if refreshed != 1 || u.seen("tools/call") != 1 {
		t.Errorf("%d refreshes, %d calls", refreshed, u.seen("tools/call"))
	}
}

func TestEndlessAnswer(t *testing.T) {
	u := newUpstream(t, plainEcho)
	u.before = func(w http.ResponseWriter, r *http.Request, method string) bool {
		if method != "tools/call" {
			return false
		}
		w.Header().Set("Content-Type", "text/event-stream")
		junk := strings.Repeat("x", 1<<20)
		fmt.Fprint(w, "data: ")
		for r.Context().Err() == nil {
			if _, err := fmt.Fprint(w, junk); err != nil {
				break
			}
		}
		return true
	}
	_, err := u.client(t, nil).Call(t.Context(), json.RawMessage(callEcho), true, nil, nil)
	wantKind(t, err, catalog.Down)
}

// TestTurns: without a turn in time nothing is sent.
func TestTurns(t *testing.T) {
	u := newUpstream(t, plainEcho)
	c := u.client(t, func(config *Config) { config.Turns = noTurn{} })
	_, err := c.Tools(t.Context())
	wantKind(t, err, catalog.Busy, "turn")
	if len(u.methods) != 0 {
		t.Error(u.methods)
	}
}

type noTurn struct{}

func (noTurn) Wait(context.Context) error { return errors.New("never") }

// TestTokenIsNotToldAgain: a server that sends the token back gives it to nobody.
func TestTokenIsNotToldAgain(t *testing.T) {
	u := newUpstream(t)
	answer := ""
	u.before = func(w http.ResponseWriter, r *http.Request, method string) bool {
		if method != "tools/call" && method != "tools/list" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,%s}`, strings.ReplaceAll(answer, "TOKEN", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")))
		return true
	}
	c := u.client(t, func(config *Config) { config.SignInHosts = []string{"w.example.com"} })
	answer = `"result":{"content":[{"type":"text","text":"you sent TOKEN"}]}`
	if result, err := c.Call(t.Context(), json.RawMessage(callEcho), true, nil, nil); err != nil || gjson.GetBytes(result, "content.0.text").Str != "you sent (the token)" {
		t.Errorf("%s, %v", result, err)
	}
	answer = `"result":{"tools":[{"name":"a","description":"TOKEN"}]}`
	if tools, err := c.Tools(t.Context()); err != nil || len(tools) != 1 || strings.Contains(string(tools[0]), "secret-token") {
		t.Errorf("%s, %v", tools, err)
	}
	for _, answer = range []string{
		`"error":{"code":-32001,"message":"TOKEN is not liked"}`,
		`"error":{"code":-32042,"message":"TOKEN","data":{"elicitations":[{"url":"https://w.example.com/?t=TOKEN"}]}}`,
	} {
		_, err := c.Call(t.Context(), json.RawMessage(callEcho), true, nil, nil)
		if e := catalog.AsError(err); err == nil || strings.Contains(e.Message+e.Advice+e.SignInURL, "secret-token") {
			t.Errorf("%v", err)
		}
	}
}
