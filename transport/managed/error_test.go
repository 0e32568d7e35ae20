package managed

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"brickmcp/catalog"
)

// TestNothingIsSentTwice: a call that writes, and whose answer is lost, is told to be
// of unknown fate and stays one call.
func TestNothingIsSentTwice(t *testing.T) {
	for name, fail := range map[string]func(http.ResponseWriter){
		"reset": func(w http.ResponseWriter) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				conn.Close()
			}
		},
		"500": func(w http.ResponseWriter) { w.WriteHeader(500) },
		"stream": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "event: message\n")
		},
	} {
		u := newUpstream(t, plainEcho)
		u.before = func(w http.ResponseWriter, _ *http.Request, method string) bool {
			if method == "tools/call" {
				fail(w)
				return true
			}
			return false
		}
		c := u.client(t, nil)
		_, err := c.Call(t.Context(), json.RawMessage(callEcho), false, nil, nil)
		wantKind(t, err, catalog.UnknownFate, "not known")
		if n := u.seen("tools/call"); n != 1 {
			t.Errorf("%s: %d calls", name, n)
		}
		_, err = c.Call(t.Context(), json.RawMessage(callEcho), true, nil, nil)
		wantKind(t, err, catalog.Down)
	}
}

func TestReadsWaitForATurn(t *testing.T) {
	var calls atomic.Int32
	u := newUpstream(t, plainEcho)
	u.before = func(w http.ResponseWriter, _ *http.Request, method string) bool {
		if method == "tools/call" && calls.Add(1) == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		return false
	}
	c := u.client(t, nil)
	if _, err := c.Call(t.Context(), json.RawMessage(callEcho), true, nil, nil); err != nil || calls.Load() != 2 {
		t.Fatal(calls.Load(), err)
	}
	calls.Store(0)
	_, err := c.Call(t.Context(), json.RawMessage(callEcho), false, nil, nil)
	wantKind(t, err, catalog.Limited)
	if calls.Load() != 1 {
		t.Errorf("%d calls", calls.Load())
	}
}

func TestSignInElsewhere(t *testing.T) {
	for _, test := range []struct {
		url  string
		want bool
	}{
		{"https://work.cloud.databricks.com/explore/connections/github?login=1", true},
		{"https://accounts.cloud.databricks.com/login", true},
		{"http://work.cloud.databricks.com/login", false},
		{"https://work.cloud.databricks.com.evil.example/login", false},
		{"https://evil.example/work.cloud.databricks.com", false},
		{"https://work.cloud.databricks.com@evil.example/", false},
		{"https://user@work.cloud.databricks.com/", false},
		{"javascript:alert(1)", false},
		{"https://work.cloud.databricks.com/\u202egnp.", false},
	} {
		rpc := fmt.Sprintf(`{"jsonrpc":"2.0","id":9,"error":{"code":-32042,"message":"Sign in first","data":{"elicitations":[{"mode":"url","elicitationId":"1","url":%q,"message":"m"}]}}}`, test.url)
		text := fmt.Sprintf(`{"jsonrpc":"2.0","id":9,"result":{"isError":true,"content":[{"type":"text","text":"Credential for user identity('ana') is not found for the connection 'github'. Please login first to the connection by visiting %s."}]}}`, test.url)
		for form, answer := range map[string]string{"code": rpc, "text": text} {
			u := newUpstream(t, plainEcho)
			u.before = func(w http.ResponseWriter, _ *http.Request, method string) bool {
				if method != "tools/call" {
					return false
				}
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, answer)
				return true
			}
			c := u.client(t, func(config *Config) { config.SignInHosts = []string{"work.cloud.databricks.com"} })
			_, err := c.Call(t.Context(), json.RawMessage(callEcho), false, nil, nil)
			e := wantKind(t, err, catalog.SignIn)
			if !errors.Is(err, catalog.ErrSignInElsewhere) {
				t.Errorf("%s: %s is taken for the workspace's own", test.url, form)
			}
			if got := e.SignInURL != ""; got != test.want {
				t.Errorf("%s, %s: passed on: %v", test.url, form, got)
			}
			if test.want && e.SignInURL != test.url {
				t.Errorf("%s became %s", test.url, e.SignInURL)
			}
			if !test.want && strings.Contains(e.Error(), test.url) {
				t.Errorf("%s, %s: it is in the text: %s", test.url, form, e)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		code    int
		message string
		want    catalog.Kind
	}{
		{-32003, "Tool not allowed by MCP service configuration.", catalog.Forbidden},
		{-32602, "tool 'x' not found: tool not found", catalog.Missing},
		{-32602, "Unknown tool: x", catalog.Missing},
		{-32602, "z is wrong", catalog.Invalid},
		{-32603, "boom", catalog.UnknownFate},
		{-31999, "approval needed", catalog.Forbidden},
	} {
		u := newUpstream(t, plainEcho)
		u.before = func(w http.ResponseWriter, _ *http.Request, method string) bool {
			if method != "tools/call" {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":9,"error":{"code":%d,"message":"%s\u001b[2J"}}`, test.code, test.message)
			return true
		}
		_, err := u.client(t, nil).Call(t.Context(), json.RawMessage(callEcho), false, nil, nil)
		e := wantKind(t, err, test.want, test.message)
		if !e.Quoted || strings.Contains(e.Message, "\x1b") {
			t.Errorf("%d: quoted %v, %q", test.code, e.Quoted, e.Message)
		}
	}
}
