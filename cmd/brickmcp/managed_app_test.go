package main

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"brickmcp/transport/sandbox"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// TestManagedApp: the MCP server in an app, in this process, and over sockets by one
// who signs in. Apps take no personal access token, and none is sent.
func TestManagedApp(t *testing.T) {
	const tool = "stock_stock_level"
	a := newAgent(t, command(t, "--sandbox", "--log-level", "error", "--managed", "stock=app/mcp-stock", "--managed", "agent=app/stock-agent"), nil)
	category := a.call("sql_query", args{"statement": "SELECT category FROM main.retail.products ORDER BY 1 LIMIT 1"}).Get("rows.0.0").Str
	if level := a.call(tool, args{"category": category}); level.Get("result.pieces").Int() < 1 || level.Get("untrusted.0").Str != "result" {
		t.Error(level.Raw)
	}
	a.must(a.refused("invalid", tool, args{"category": "moons"}).Get("message").Str, "no category moons")
	a.refused("missing", "agent_anything", args{})
	list, err := a.session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	described := ""
	for _, listed := range list.Tools {
		if listed.Name == tool {
			described = listed.Description
		}
	}
	a.must(described, "[app/mcp-stock; what it is told leaves the workspace] Pieces in stock")

	f := newOffice(t, sandbox.Options{})
	signing := newAgent(t, f.command("--host", f.URL, "--access", "full", "--managed", "stock=app/mcp-stock"), nil)
	address := addressIn(t, signing.refused("signin", tool, args{"category": category}))
	choose(t, address, ana)
	if level := signing.call(tool, args{"category": category}); level.Get("result.pieces").Int() < 1 {
		t.Error(level.Raw)
	}

	cmd := command(t, "--access", "full", "--log-level", "error", "--managed", "stock=app/mcp-stock")
	cmd.Env = append(cmd.Env, "DATABRICKS_HOST="+f.URL, "DATABRICKS_TOKEN="+sandbox.Token)
	e := newAgent(t, cmd, nil).refused("signin", tool, args{"category": category})
	a.must(e.Get("message").Str, "personal access token")
	a.must(e.Get("advice").Str, "brickmcp login")
}

// TestManagedSignInIsAddress: a client that opens addresses for its person is given
// that of the connection, and the call goes on behind it.
func TestManagedSignInIsAddress(t *testing.T) {
	web := sick(t, nil) // of nothing
	cmd := command(t, "--access", "full", "--log-level", "error", "--managed", "crm=external/crm")
	cmd.Env = append(cmd.Env, "DATABRICKS_HOST="+web.URL, "DATABRICKS_TOKEN="+sandbox.Token)
	var opened []*mcp.ElicitParams
	a := newAgent(t, cmd, &mcp.ClientOptions{
		Capabilities: &mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapabilities{URL: &mcp.URLElicitationCapabilities{}}},
		ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			opened = append(opened, req.Params)
			resp, err := http.Get(req.Params.URL)
			if err != nil {
				return nil, err
			}
			defer resp.Body.Close()
			return &mcp.ElicitResult{Action: "accept"}, nil
		},
	})
	if account := a.call("crm_find-account", args{"name": "Acme"}); !strings.Contains(account.Get("text").Str, "Account of Acme") {
		t.Error(account.Raw)
	}
	if len(opened) != 1 || !strings.HasPrefix(opened[0].URL, web.URL+"/explore/connections/crm?") || !strings.Contains(opened[0].Message, "the service behind crm_find-account") {
		t.Errorf("%d addresses were opened: %+v", len(opened), opened)
	}
}

// TestToolsOfOtherServersAreShown: the command lists them, and says which servers it
// cannot list.
func TestToolsOfOtherServersAreShown(t *testing.T) {
	for _, form := range []string{"--json", ""} {
		arguments := []string{"tools", "--sandbox", "--access", "read,managed=read", "--managed", "q=sql", "--managed", "gone=functions/main/nowhere"}
		if form != "" {
			arguments = append(arguments, form)
		}
		cmd := command(t, arguments...)
		stderr := &lockedBuffer{}
		cmd.Stderr = stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		for _, name := range []string{"jobs_list", "q_execute_sql", "q_execute_sql_read_only", "q_poll_sql_result", "POST /api/2.0/mcp/sql"} {
			if !strings.Contains(string(out), name) {
				t.Errorf("%s is not in\n%s", name, out)
			}
		}
		if said := stderr.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "the tools of gone (functions/main/nowhere) are not listed") {
			t.Errorf("it says %q", said)
		}
		for line := range strings.Lines(string(out)) {
			if fields := strings.Fields(line); form == "" && len(fields) > 3 {
				if want := map[string]string{"q_execute_sql": "no", "q_execute_sql_read_only": "yes"}[fields[0]]; want != "" && fields[3] != want {
					t.Errorf("%s is allowed: %s", fields[0], fields[3])
				}
			}
		}
	}
}
