package tools

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
)

func two(t *testing.T) (*Server, *fake, *fake) {
	t.Helper()
	dev := answering(`{"jobs":[{"job_id":1}]}`, `{"jobs":[{"job_id":1}]}`)
	prod := answering(`{"jobs":[{"job_id":2}]}`, `{"jobs":[{"job_id":2}]}`)
	me := func(name string) func(context.Context) (json.RawMessage, error) {
		return func(context.Context) (json.RawMessage, error) { return json.RawMessage(`{"user":"` + name + `"}`), nil }
	}
	s := newServer(t, dev, func(c *Config) {
		c.Workspaces = []Workspace{{Name: "dev", API: dev, Links: dev, WhoAmI: me("ana")}, {Name: "prod", API: prod, Links: prod, WhoAmI: me("bot")}}
	})
	return s, dev, prod
}

func TestSeveralWorkspaces(t *testing.T) {
	s, dev, prod := two(t)
	for _, c := range []struct{ arguments, want string }{
		{`{}`, `{"jobs":[{"job_id":"1"}],"returned":1,"truncated":false,"workspace":"dev"}`},
		{`{"profile":"prod"}`, `{"jobs":[{"job_id":"2"}],"returned":1,"truncated":false,"workspace":"prod"}`},
		{`{"profile":null}`, `{"jobs":[{"job_id":"1"}],"returned":1,"truncated":false,"workspace":"dev"}`},
	} {
		if got := succeed(t, s, "jobs_list", c.arguments); got != c.want {
			t.Errorf("%s: %s", c.arguments, got)
		}
	}
	wantError(t, s, "jobs_list", `{"profile":"prd"}`, catalog.Invalid, "prd", "dev, prod", "Nothing was sent")
	wantError(t, s, "jobs_list", `{"profile":7}`, catalog.Invalid, "7")
	if len(dev.seen()) != 2 || len(prod.seen()) != 1 {
		t.Errorf("dev was asked %d times, prod %d", len(dev.seen()), len(prod.seen()))
	}
	for _, tool := range listTools(t, s) {
		if got := gjson.GetBytes(tool.RawInputSchema, "properties.profile.enum").Raw; got != `["dev","prod"]` {
			t.Errorf("%s: profile is %s", tool.Name, got)
		}
	}
}

func TestOneWorkspaceHasNoProfile(t *testing.T) {
	s := newServer(t, answering(), nil)
	for _, tool := range listTools(t, s) {
		if strings.Contains(string(tool.RawInputSchema), `"profile":`) || tool.Name == "whoami" {
			t.Errorf("%s: %s", tool.Name, tool.RawInputSchema)
		}
	}
	wantError(t, s, "jobs_list", `{"profile":"dev"}`, catalog.Invalid, "unknown argument", "profile")
}

func TestWhoAmI(t *testing.T) {
	s, _, _ := two(t)
	for arguments, want := range map[string]string{
		`{}`: `{"user":"ana","workspace":"dev"}`, `{"profile":"prod"}`: `{"user":"bot","workspace":"prod"}`,
	} {
		request := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami","arguments":` + arguments + `}}`
		response, ok := s.MCP().HandleMessage(t.Context(), []byte(request)).(mcp.JSONRPCResponse)
		if !ok {
			t.Fatal("the call failed")
		}
		encoded, err := json.Marshal(response.Result)
		if err != nil {
			t.Fatal(err)
		}
		if got := gjson.GetBytes(encoded, "content.0.text").Str; got != want {
			t.Errorf("%s: %s", arguments, got)
		}
	}
}
