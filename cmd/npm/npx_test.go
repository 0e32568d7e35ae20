package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/tidwall/gjson"
)

// npx in an empty directory, with an empty cache, under a real client: what a
// configuration with "command": "npx" does.
func TestNpx(t *testing.T) {
	r := newRegistry(t, buildPackages(t))
	version := r.packages[name].Version
	cmd := exec.Command("npx", "-y", "--registry", r.URL, name+"@"+version, "--sandbox", "--log-level", "error")
	cmd.Dir = t.TempDir()
	cmd.Env = r.environment(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	client := mcp.NewClient(&mcp.Implementation{Name: "npx-test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, &stderr)
	}
	if server := session.InitializeResult().ServerInfo; server.Version != version {
		t.Errorf("the server says it is %s %s, not %s", server.Name, server.Version, version)
	}
	list, err := session.ListTools(t.Context(), nil)
	if err != nil || len(list.Tools) < 40 {
		t.Errorf("tools/list: %+v, %v", list, err)
	}
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "jobs_list", Arguments: map[string]any{"limit": 2}})
	if err != nil || result.IsError || len(result.Content) != 1 {
		t.Fatalf("jobs_list: %+v, %v", result, err)
	}
	if text, ok := result.Content[0].(*mcp.TextContent); !ok || gjson.Get(text.Text, "returned").Int() != 2 {
		t.Errorf("jobs_list answers %+v", result.Content[0])
	}
	if err := session.Close(); err != nil { // closes stdin, and waits for the end of all of it
		t.Errorf("close: %v\n%s", err, &stderr)
	}
	if stderr.Len() > 0 {
		t.Errorf("stderr: %s", &stderr)
	}
	if fetched, want := r.fetched(), []string{name, platformPackageName(built.host)}; !slices.Equal(fetched, want) {
		t.Errorf("%v was fetched, not only %v", fetched, want)
	}
}

// npm must take the one package for the platform.
func TestPlatformChoice(t *testing.T) {
	r := newRegistry(t, buildPackages(t))
	for _, p := range platforms {
		dir := install(t, r, "--os="+p.os, "--cpu="+p.cpu)
		if fetched, want := r.fetched(), []string{name, platformPackageName(p)}; !slices.Equal(fetched, want) {
			t.Errorf("%s: %v was fetched, not %v", p, fetched, want)
		}
		binary := filepath.Join(dir, "node_modules", platformPackageName(p), "bin", p.binary())
		info, err := os.Stat(binary)
		if err != nil {
			t.Errorf("%s: %v", p, err)
		} else if info.Mode().Perm()&0o111 != 0o111 {
			t.Errorf("%s: the binary has mode %v", p, info.Mode())
		}
	}
}

// The Inspector must be able to use what npm installs.
func TestInspector(t *testing.T) {
	inspector, err := filepath.Abs(filepath.Join(root, "testdata", "clients", "node_modules", ".bin", "mcp-inspector"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(inspector); err != nil {
		t.Skip("the Inspector is not installed: make clients does that")
	}
	r := newRegistry(t, buildPackages(t))
	dir := install(t, r)
	cmd := exec.Command(inspector, "--cli", "npx", name, "--sandbox", "--log-level", "error", "--method", "tools/list", "--format", "json")
	cmd.Dir = dir
	cmd.Env = r.environment(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", cmd, err, out, &stderr)
	}
	if got := gjson.GetBytes(out, "result.tools.#").Int(); got < 40 {
		t.Errorf("%d tools in %.300s", got, out)
	}
}
