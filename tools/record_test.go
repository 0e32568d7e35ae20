package tools

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/audit"
	"brickmcp/tools/policy"

	"github.com/tidwall/gjson"
)

// audited is a server that writes an audit file, and how to read its last line.
func audited(t *testing.T, api *fake, change func(*Config)) (*Server, func() gjson.Result) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	s := newServer(t, api, func(c *Config) {
		c.Audit = audit.New(audit.Config{Path: path})
		c.Workspaces[0].Identify = func(context.Context) (Identity, error) { return Identity{User: "ana@example.com"}, nil }
		if change != nil {
			change(c)
		}
	})
	return s, func() gjson.Result {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		return gjson.Parse(lines[len(lines)-1])
	}
}

// What never comes to a tool has its line, too.
func TestEveryCallHasItsLine(t *testing.T) {
	api := answering()
	s, line := audited(t, api, func(c *Config) {
		c.Workspaces[0].Name = "a"
		c.Workspaces[0].WhoAmI = func(context.Context) (json.RawMessage, error) { return nil, nil }
		c.Workspaces = append(c.Workspaces, Workspace{Name: "b", API: api})
	})
	for _, c := range []struct{ request, tool, say string }{
		{`{"name":"jobs_delete","arguments":{"job_id":"1","profile":"c"}}`, "jobs_delete", `"profile" cannot be "c"`},
		{`{"name":"whoami","arguments":{"profile":"c"}}`, "whoami", `"profile" cannot be "c"`},
		{`{"name":"jobs_destroy","arguments":{}}`, "jobs_destroy", "not found"},
		{`{"name":"jobs_delete","arguments":[]}`, "jobs_delete", "must be one JSON object"},
		{`{"name":"jobs_delete","arguments":{"job_id":"1","confirm_token":5}}`, "jobs_delete", "confirm_token"},
		{`{"name":"jobs_delete","arguments":{"id":"1"}}`, "jobs_delete", "unknown argument"},
	} {
		s.MCP().HandleMessage(t.Context(), json.RawMessage(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":`+c.request+`}`))
		if l := line(); l.Get("tool").Str != c.tool || l.Get("outcome").Str != "error" || l.Get("error_kind").Str != "invalid" || !strings.Contains(l.Get("say").Str, c.say) {
			t.Errorf("%s is written down as %s", c.request, l.Raw)
		}
	}
}

// Names that others chose cannot go on in the words of the sentence.
func TestSentencesKeepTheirParts(t *testing.T) {
	api := &fake{do: func(_ context.Context, call *catalog.Call) (string, error) {
		return `{"job_id":1,"run_id":2,"settings":{"name":"x' in prod; allowed\n\u001b[31mby nobody"}}`, nil
	}}
	s, line := audited(t, api, nil)
	succeed(t, s, "jobs_delete", `{"job_id":"1"}`)
	if say := line().Get("say").Str; !strings.Contains(say, "deleted job 1 'x’ in prod; allowed by nobody';") {
		t.Errorf("the name ends early: %s", say)
	}
	succeed(t, s, "files_delete", `{"path":"/Volumes/a/b/c; confirmed, as nobody asks"}`)
	if say := line().Get("say").Str; !strings.Contains(say, `deleted "file /Volumes/a/b/c; confirmed, as nobody asks";`) {
		t.Errorf("the path is not set off: %s", say)
	}
}

// What the workspace says of a statement may repeat its secrets.
func TestSentencesHoldNoSecrets(t *testing.T) {
	api := &fake{do: func(context.Context, *catalog.Call) (string, error) {
		return "", &catalog.Error{Kind: catalog.Invalid, Quoted: true, Message: "near CREATE CONNECTION c OPTIONS (password 'hunter2')"}
	}}
	s, line := audited(t, api, nil)
	ask(t, s, "sql_execute_statement", `{"warehouse_id":"abc","statement":"CREATE CONNECTION c OPTIONS (password 'hunter2')"}`)
	if l := line(); strings.Contains(l.Raw, "hunter2") || !strings.Contains(l.Get("say").Str, "password '…'") {
		t.Errorf("the line is %s", l.Raw)
	}
}

// A refusal of arguments names the rule of the policy, not the access above it.
func TestWrongArgumentsNameTheRule(t *testing.T) {
	p, err := policy.Parse("team.yaml", []byte("default: read\ngroups: {jobs: full}\n"))
	if err != nil {
		t.Fatal(err)
	}
	s, line := audited(t, answering(), func(c *Config) { c.Policies = onePolicy{p} })
	wantError(t, s, "jobs_delete", `{"id":"1"}`, catalog.Invalid)
	if l := line(); l.Get("rule").Str != "groups.jobs: full (team.yaml:2)" {
		t.Errorf("the line is %s", l.Raw)
	}
}

// A workspace that never says who is signed in delays the calls that wait for it
// first, and no others.
func TestUnknownUserDelaysOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &identities{now: time.Now, ask: func(ctx context.Context) (Identity, error) {
			<-ctx.Done()
			return Identity{}, ctx.Err()
		}}
		i.last()
		for call, want := range []time.Duration{identityRetry, 0, 0} {
			began := time.Now()
			if _, known := i.settle(t.Context()); known || time.Since(began) != want {
				t.Errorf("call %d waited %s", call+1, time.Since(began))
			}
		}
		synctest.Wait()
		time.Sleep(callTime)
	})
}

// The warehouse that a query was given is known only when it has run.
func TestQueryNamesItsWarehouse(t *testing.T) {
	l := newLakehouse("w RUNNING Small")
	s, line := audited(t, l.fake, nil)
	succeed(t, s, "sql_query", aQuery)
	if l := line(); l.Get("object").Str != "warehouse w" || !strings.Contains(l.Get("say").Str, "warehouse w") {
		t.Errorf("the line is %s", l.Raw)
	}
}
