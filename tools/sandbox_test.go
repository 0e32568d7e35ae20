package tools

import (
	"context"
	"testing"

	"brickmcp/catalog"
	"brickmcp/transport/rest"
	"brickmcp/transport/sandbox"

	"github.com/tidwall/gjson"
)

// inSandbox is a server on a workspace of its own, seen by whoever the token
// belongs to.
func inSandbox(t testing.TB, token string, opts sandbox.Options) *Server {
	t.Helper()
	box, err := sandbox.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	return seenBy(t, box, token)
}

func seenBy(t testing.TB, box *sandbox.Workspace, token string) *Server {
	t.Helper()
	client, err := rest.New(rest.Config{
		Host: "https://sandbox.example", RoundTripper: box.RoundTripper(), RateLimit: rest.NoRateLimit,
		Token: func(context.Context) (string, error) { return token, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	access, err := ParseAccess("full")
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{Version: "test", Access: access, Workspaces: []Workspace{{API: client, Links: client}}})
}

func bound(t testing.TB, tool, arguments string) *catalog.Call {
	t.Helper()
	call, err := catalog.Find(tool).Bind([]byte(arguments))
	if err != nil {
		t.Fatal(err)
	}
	return call
}

// send makes a call as it is, past policy, audit and confirmation.
func send(t testing.TB, s *Server, tool, arguments string) gjson.Result {
	t.Helper()
	answer, err := s.api.Do(t.Context(), bound(t, tool, arguments))
	if err != nil {
		t.Fatalf("%s %s: %v", tool, arguments, err)
	}
	return gjson.ParseBytes(answer.Body)
}
