package managed

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// asking is a server that puts a request of its own into the stream of each call, and
// answers the call with what it got. It counts sessions by what their client can.
func asking(t *testing.T, request string) (u *upstream, abilities func() []string) {
	t.Helper()
	u = newUpstream(t)
	replies := make(chan string, 1)
	var able []string
	u.before = func(w http.ResponseWriter, r *http.Request, method string) bool {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		switch {
		case method == "initialize":
			u.mu.Lock()
			able = append(able, gjson.GetBytes(body, "params.capabilities").Raw)
			u.mu.Unlock()
		case method == "" && gjson.GetBytes(body, "id").Int() == 77:
			replies <- string(body)
			w.WriteHeader(http.StatusAccepted)
			return true
		case method == "tools/call":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: %s\n\n", request)
			w.(http.Flusher).Flush()
			select {
			case reply := <-replies:
				text, err := json.Marshal(reply)
				if err != nil {
					t.Error(err)
				}
				fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[{\"type\":\"text\",\"text\":%s}]}}\n\n", gjson.GetBytes(body, "id").Raw, text)
			case <-r.Context().Done():
			}
			return true
		}
		return false
	}
	return u, func() []string {
		u.mu.Lock()
		defer u.mu.Unlock()
		return able
	}
}

const formRequest = `{"jsonrpc":"2.0","id":77,"method":"elicitation/create","params":{"message":"Which branch? secret-token","requestedSchema":{"type":"object","properties":{"branch":{"type":"string"}}}}}`

// TestQuestionsAreRelayed: a form reaches the person of the call, and the reply the
// server; who cannot be asked is not said to be able to.
func TestQuestionsAreRelayed(t *testing.T) {
	u, abilities := asking(t, formRequest)
	c := u.client(t, nil)
	for action, content := range map[string]string{"accept": `{"branch":"main","n":9007199254740993}`, "decline": "", "cancel": ""} {
		heard := ""
		result, err := c.Call(t.Context(), json.RawMessage(callEcho), false, nil, func(_ context.Context, message string, schema json.RawMessage) (string, json.RawMessage) {
			heard = message + " " + string(schema)
			return action, json.RawMessage(content)
		})
		if err != nil {
			t.Fatal(err)
		}
		if heard != `Which branch? (the token) {"properties":{"branch":{"type":"string"}},"type":"object"}` {
			t.Errorf("asked %s", heard)
		}
		reply := gjson.Parse(gjson.GetBytes(result, "content.0.text").Str).Get("result")
		if reply.Get("action").Str != action || reply.Get("content").Raw != content {
			t.Errorf("%s came as %s", action, reply.Raw)
		}
	}
	if _, err := c.Tools(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(abilities()); got != `[{"elicitation":{"form":{}}} {}]` {
		t.Errorf("sessions of %s", got)
	}
}

// TestQuestionsNobodyAnswers: addresses are opened by another way, and models of
// clients are nobody's to use.
func TestQuestionsNobodyAnswers(t *testing.T) {
	never := func(context.Context, string, json.RawMessage) (string, json.RawMessage) {
		t.Error("a person was asked")
		return "accept", nil
	}
	for request, want := range map[string]string{
		`{"jsonrpc":"2.0","id":77,"method":"elicitation/create","params":{"mode":"url","message":"Open","elicitationId":"1","url":"https://evil.example/"}}`: "result.action=cancel",
		`{"jsonrpc":"2.0","id":77,"method":"elicitation/create","params":{"message":"no form"}}`:                                                             "error.code=-32603",
		`{"jsonrpc":"2.0","id":77,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":5}}`:                                                 "error.code=-32603",
		`{"jsonrpc":"2.0","id":77,"method":"roots/list"}`:                                                                                                    "error.code=-32603",
	} {
		u, _ := asking(t, request)
		result, err := u.client(t, nil).Call(t.Context(), json.RawMessage(callEcho), false, nil, never)
		if err != nil {
			t.Fatal(err)
		}
		path, value, _ := strings.Cut(want, "=")
		if reply := gjson.GetBytes(result, "content.0.text").Str; gjson.Get(reply, path).String() != value {
			t.Errorf("%s was answered with %s", request, reply)
		}
	}
	u, _ := asking(t, formRequest) // though nobody was said to be there
	result, err := u.client(t, nil).Call(t.Context(), json.RawMessage(callEcho), false, nil, nil)
	if err != nil || !strings.Contains(gjson.GetBytes(result, "content.0.text").Str, "error") {
		t.Errorf("%s, %v", result, err)
	}
}

// TestSessionsEnd: closing ends both kinds.
func TestSessionsEnd(t *testing.T) {
	u, _ := asking(t, formRequest)
	deleted := 0
	next := u.before
	u.before = func(w http.ResponseWriter, r *http.Request, method string) bool {
		if r.Method == http.MethodDelete {
			u.mu.Lock()
			deleted++
			u.mu.Unlock()
			return true
		}
		return next(w, r, method)
	}
	c := u.client(t, nil)
	cancels := func(context.Context, string, json.RawMessage) (string, json.RawMessage) { return "cancel", nil }
	for _, ask := range []Asker{cancels, nil} {
		if _, err := c.Call(t.Context(), json.RawMessage(callEcho), true, nil, ask); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	u.mu.Lock()
	defer u.mu.Unlock()
	if deleted != 2 {
		t.Errorf("%d sessions were ended", deleted)
	}
}
