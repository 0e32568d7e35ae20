package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// mcpbTool is the command line of @anthropic-ai/mcpb, which make mcpb installs.
func mcpbTool(t *testing.T) string {
	t.Helper()
	needs(t, "node")
	tool, err := filepath.Abs(filepath.Join("testdata", "mcpb", "node_modules", "@anthropic-ai", "mcpb", "dist", "cli", "cli.js"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(tool); err != nil {
		t.Skip("@anthropic-ai/mcpb is not installed: make mcpb does that")
	}
	return tool
}

// A bundle must pass the official tool, and what it holds must run as the manifest
// says, with the settings of somebody who has set nothing but the sandbox.
func TestBundle(t *testing.T) {
	tool := mcpbTool(t)
	packages := buildPackages(t)
	version, host := packages[name].Version, built.host
	binary, err := readBinary(filepath.Join(built.dir, "bin", host.String(), host.binary()), host)
	if err != nil {
		t.Fatal(err)
	}
	b := &build{root: root, version: version, out: t.TempDir()}
	if err := b.bundle(host, binary, tool); err != nil {
		t.Fatal(err)
	}
	unpacked := filepath.Join(t.TempDir(), "unpacked")
	if err := run(".", "node", tool, "unpack", filepath.Join(b.out, name+"-"+version+"-"+host.String()+".mcpb"), unpacked); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(unpacked, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m bundleManifest
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	if m.Version != version {
		t.Errorf("the manifest has version %s, not %s", m.Version, version)
	}
	cmd := exec.Command(strings.ReplaceAll(m.Server.Config.Command, "${__dirname}", unpacked), m.Server.Config.Args...)
	cmd.Env = cleanEnvironment(t.TempDir())
	for variable, value := range m.Server.Config.Env {
		setting := strings.TrimSuffix(strings.TrimPrefix(value, "${user_config."), "}")
		item, ok := m.UserConfig[setting]
		switch {
		case !ok || item.Default == nil: // such a ${…} would reach the program as it is
			t.Errorf("%s=%s: there is no such setting, or it has no default", variable, value)
		case setting == "sandbox":
			cmd.Env = append(cmd.Env, variable+"=true")
		default:
			cmd.Env = append(cmd.Env, variable+"="+item.Default.(string))
		}
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	session, err := mcp.NewClient(&mcp.Implementation{Name: "bundle-test", Version: "1"}, nil).
		Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatalf("connect: %v\n%s", err, &stderr)
	}
	if list, err := session.ListTools(t.Context(), nil); err != nil || len(list.Tools) < 40 {
		t.Errorf("tools/list: %+v, %v", list, err)
	}
	if err := session.Close(); err != nil {
		t.Errorf("close: %v\n%s", err, &stderr)
	}
}

// The official tool must take the manifest for each platform, and can refuse one.
func TestBundleManifests(t *testing.T) {
	tool := mcpbTool(t)
	validate := func(m bundleManifest) error {
		text, err := indented(m)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "manifest.json"), text, 0o644); err != nil {
			t.Fatal(err)
		}
		return run(dir, "node", tool, "validate", "manifest.json")
	}
	for _, p := range platforms {
		if err := validate(newBundleManifest(p, "1.2.3")); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	spoilt := newBundleManifest(platforms[0], "1.2.3")
	spoilt.Server.Type = "carrier pigeon"
	if err := validate(spoilt); err == nil {
		t.Error("a manifest with a wrong server type is not refused")
	}
}
