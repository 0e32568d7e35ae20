package tools

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tidwall/gjson"
)

// A run that needs a sign-in to a connection sends the person there, once, and then
// says so itself.
func TestRunAsksToSignIn(t *testing.T) {
	const host, opens = "https://dbc-1.example", `{"elicitation":{"url":{}}}`
	at := host + "/explore/connections/web?x=" + strings.Repeat("x", 500) // longer than the answer has room for
	look := `{"id":"resp_1","status":"failed","output":[],"error":{"code":"oauth","message":"Please login first to the connection by visiting ` + at + `"}}`
	started := func(t *testing.T) (*agent, string) {
		s := newServer(t, gatewayOf(look, queuedAnswer), func(c *Config) { c.ResultTokens = 200; c.Workspaces[0].Host = func() string { return host } })
		return clientOfRuns(t, s), startRun(t, s, `{"input":"x"}`)
	}
	says := func(t *testing.T, got gjson.Result) {
		t.Helper()
		text := got.Get("result.content.0.text").Str
		if got.Get("result.isError").Bool() || gjson.Get(text, "status").Str != "failed" || !gjson.Get(text, "error.sign_in_url").Exists() {
			t.Errorf("answered %s", got.Raw)
		}
	}
	t.Run("newer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, id := started(t)
			a.waitRun(1, id, newer(`{"elicitation":{"form":{}}}`)) // cannot
			says(t, a.receive())
			a.waitRun(2, id, newer(opens))
			if asked := a.receive(); asked.Get("result.inputRequests.signin.params.url").Str != at || !strings.Contains(asked.Get("result.inputRequests.signin.params.message").Str, "start the run again") {
				t.Errorf("asked %s", asked.Raw)
			}
			a.waitRun(3, id, newer(opens)+`,"inputResponses":{"signin":{"action":"accept"}}`)
			says(t, a.receive())
		})
	})
	t.Run("older", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, id := started(t)
			a.initialize(opens)
			a.waitRun(1, id, "")
			if asked := a.receive(); asked.Get("error.code").Int() != -32042 || asked.Get("error.data.elicitations.0.url").Str != at {
				t.Errorf("asked %s", asked.Raw)
			}
			a.waitRun(2, id, "")
			says(t, a.receive())
		})
	})
}
