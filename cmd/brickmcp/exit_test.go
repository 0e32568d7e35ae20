package main

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"brickmcp/transport/sandbox"

	"github.com/tidwall/gjson"
)

// TestDyingClient: a client that is gone, both pipes closed, leaves no statement
// running in the workspace, and the server ends by itself and not by a signal.
func TestDyingClient(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGPIPE on Windows")
	}
	box, err := sandbox.New(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	workspace := httptest.NewServer(box)
	defer workspace.Close()
	host, token := workspace.URL, sandbox.Token
	cmd := command(t, "--access", "full", "--log-level", "error")
	cmd.Env = append(cmd.Env, "DATABRICKS_HOST="+host, "DATABRICKS_TOKEN="+token, "BRICKMCP_DRAIN_TIMEOUT=1m")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	ask := func(line string) string {
		if _, err := in.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
		answer, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return gjson.Get(answer, "result.content.0.text").Str
	}
	ask(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"dying","version":"1"}}}`)
	if _, err := io.WriteString(in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	list := ask(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"warehouses_list","arguments":{}}}`)
	warehouse := gjson.Get(list, `warehouses.#(state=="RUNNING").id`).Str
	call := `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"sql_execute_statement","_meta":{"progressToken":1},"arguments":{"warehouse_id":"` + warehouse + `","statement":"SELECT sandbox_sleep(600)","wait_timeout":"50s"}}}`
	ask(call) // returns with the first progress: the statement has its id
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if state := newestStatement(t, host, token); state != "CANCELED" {
		t.Errorf("the statement is %s", state)
	}
}

// newestStatement is the state of the last statement in the query history.
func newestStatement(t *testing.T, host, token string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, host+"/api/2.0/sql/history/queries", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return gjson.GetBytes(body, "res.0.status").Str
}
