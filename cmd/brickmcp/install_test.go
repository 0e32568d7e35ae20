package main

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"brickmcp/cmd/install"

	"github.com/pelletier/go-toml/v2"
	"github.com/tailscale/hujson"
)

// household is a person's machine: a home directory that brickmcp install works in.
type household struct {
	t       *testing.T
	home    string
	env     map[string]string
	process bool
}

func newHousehold(t *testing.T) *household {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the files of clients are elsewhere on " + runtime.GOOS + "; cmd/install tests that")
	}
	return &household{t: t, home: t.TempDir()}
}

// run is brickmcp install there: a process of its own when it is to be the real thing.
func (h *household) run(arguments ...string) (stdout, stderr string, status int) {
	h.t.Helper()
	arguments = append([]string{"install"}, arguments...)
	var out, errs strings.Builder
	if h.process {
		cmd := command(h.t, arguments...)
		cmd.Env = append(cmd.Env, "HOME="+h.home)
		cmd.Dir, cmd.Stdout, cmd.Stderr = h.home, &out, &errs
		if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
			h.t.Fatal(err)
		}
		return out.String(), errs.String(), cmd.ProcessState.ExitCode()
	}
	h.t.Chdir(h.home)
	variables := map[string]string{"HOME": h.home}
	maps.Copy(variables, h.env)
	root := newRoot(newConfig(func(name string) string { return variables[name] }, strings.NewReader(""), &out, &errs))
	root.SetArgs(arguments)
	if err := root.ExecuteContext(h.t.Context()); err != nil {
		status = 1
		if _, ok := errors.AsType[usageError](err); ok {
			status = 2
		}
		errs.WriteString(err.Error())
	}
	return out.String(), errs.String(), status
}

// ok is run for what must succeed.
func (h *household) ok(arguments ...string) (stdout, stderr string) {
	h.t.Helper()
	stdout, stderr, status := h.run(arguments...)
	if status != 0 {
		h.t.Fatalf("install %v: status %d\n%s%s", arguments, status, stdout, stderr)
	}
	return stdout, stderr
}

func (h *household) refused(status int, part string, arguments ...string) {
	h.t.Helper()
	out, errs, got := h.run(arguments...)
	if got != status || !strings.Contains(errs, part) || out != "" {
		h.t.Errorf("install %v: status %d\n%s%s\nwant status %d and %q", arguments, got, out, errs, status, part)
	}
}

func (h *household) write(path, text string) {
	h.t.Helper()
	path = filepath.Join(h.home, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *household) read(path string) string {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.home, path))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// server is an entry as a client reads it.
type server struct {
	Command string   `json:"command" toml:"command"`
	Args    []string `json:"args" toml:"args"`
}

func readServer(t *testing.T, text, container string) server {
	t.Helper()
	if container == "" {
		var config struct {
			Servers map[string]server `toml:"mcp_servers"`
		}
		if err := toml.Unmarshal([]byte(text), &config); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return config.Servers["brickmcp"]
	}
	standard, err := hujson.Standardize([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var config map[string]map[string]server
	if err := json.Unmarshal(standard, &config); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return config[container]["brickmcp"]
}

// TestInstall is the life of the entry in each client: what is written starts a server
// that has tools, and goes again.
func TestInstall(t *testing.T) {
	files := map[string]struct{ path, container string }{
		"claude-desktop": {".config/Claude/claude_desktop_config.json", "mcpServers"},
		"claude-code":    {".claude.json", "mcpServers"},
		"cursor":         {".cursor/mcp.json", "mcpServers"},
		"vscode":         {".config/Code/User/mcp.json", "servers"},
		"windsurf":       {".codeium/windsurf/mcp_config.json", "mcpServers"},
		"codex":          {".codex/config.toml", ""},
		"gemini":         {".gemini/settings.json", "mcpServers"},
		"zed":            {".config/zed/settings.json", "context_servers"},
	}
	for _, client := range install.Clients() {
		t.Run(client.ID, func(t *testing.T) {
			h, file := newHousehold(t), files[client.ID]
			h.process = client.ID == "cursor" || client.ID == "codex" // one of each form; processes take their time
			before := "{\n  \"mine\": {}\n}\n"
			if file.container == "" {
				before = "# mine\n"
			}
			h.write(file.path, before)
			flags := []string{client.ID, "--sandbox", "--access", "read"}

			shown, _ := h.ok(append(flags, "--dry-run")...)
			if h.read(file.path) != before || !strings.Contains(shown, "+++ "+filepath.Join(h.home, file.path)) || !strings.Contains(shown, "--dry-run") {
				t.Errorf("a dry run says\n%s", shown)
			}
			out, _ := h.ok(flags...)
			if !strings.Contains(out, "Wrote "+filepath.Join(h.home, file.path)) || !strings.Contains(out, client.After) {
				t.Errorf("install says\n%s", out)
			}
			after := h.read(file.path)
			again, _ := h.ok(flags...)
			if h.read(file.path) != after || !strings.HasPrefix(again, "Nothing to change in ") {
				t.Errorf("the same again says\n%s", again)
			}
			printed, where := h.ok(append(flags, "--print")...)
			entry := readServer(t, after, file.container)
			if p := readServer(t, printed, file.container); p.Command != entry.Command || !slices.Equal(p.Args, entry.Args) || !strings.Contains(where, file.path) {
				t.Errorf("--print says\n%s%s", where, printed)
			}

			if h.process {
				cmd := command(t)
				cmd.Path, cmd.Args = entry.Command, append([]string{entry.Command}, entry.Args...)
				a := newAgent(t, cmd, nil)
				if len(a.call("jobs_list", args{"limit": 2}).Get("jobs").Array()) != 2 {
					t.Error("the server that the entry starts has no jobs")
				}
			}

			if out, _ := h.ok(client.ID, "--uninstall"); h.read(file.path) != before || !strings.Contains(out, "Wrote ") {
				t.Errorf("uninstall leaves\n%s\nand says\n%s", h.read(file.path), out)
			}
			if out, _ := h.ok(client.ID, "--uninstall"); !strings.HasPrefix(out, "Nothing to change in ") {
				t.Errorf("uninstall again says\n%s", out)
			}
		})
	}
}

// TestInstallCarriesFlags: the entry starts what install was told, from any directory.
func TestInstallCarriesFlags(t *testing.T) {
	h := newHousehold(t)
	h.write("team.yaml", "default: read\n")
	h.env = map[string]string{"DATABRICKS_TOKEN": "dapi0123456789abcdef0123456789abcdef", "BRICKMCP_MAX_RESULT_TOKENS": "4321"}
	out, errs := h.ok("cursor", "--policy", "team.yaml", "--profile", "work", "--profile", "test", "--managed", "docs=vector-search/main/kb",
		"--allow-dir", "data", "--audit-file", "off", "--structured")
	got := readServer(t, h.read(".cursor/mcp.json"), "mcpServers").Args
	want := []string{
		"--allow-dir", filepath.Join(h.home, "data"), "--audit-file", "off", "--managed", "docs=vector-search/main/kb",
		"--policy", filepath.Join(h.home, "team.yaml"), "--profile", "work", "--profile", "test", "--structured",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the arguments are\n%q\nwant\n%q", got, want)
	}
	for _, name := range []string{"DATABRICKS_TOKEN", "BRICKMCP_MAX_RESULT_TOKENS"} {
		if !strings.Contains(errs, name) {
			t.Errorf("that %s is not written is not said: %s", name, errs)
		}
	}
	if all := out + errs + h.read(".cursor/mcp.json"); strings.Contains(all, "dapi") || strings.Contains(all, "4321") {
		t.Errorf("a variable is written or shown:\n%s", all)
	}
}

func TestInstallRefuses(t *testing.T) {
	h := newHousehold(t)
	const names = "claude-desktop, claude-code, cursor, vscode, windsurf, codex, gemini, zed"
	h.refused(2, "name one client: "+names)
	h.refused(2, `unknown client "curser": want cursor, claude-desktop, `, "curser")
	h.refused(2, `unknown client "claude": want claude-desktop, claude-code, cursor`, "claude")
	h.refused(2, "name one client", "cursor", "zed")
	h.refused(2, "do not go together", "cursor", "--uninstall", "--print")
	h.refused(2, "no level", "cursor", "--access", "everything")
	h.refused(1, "gone.yaml", "cursor", "--policy", "gone.yaml")
	h.refused(2, "looks like a secret", "cursor", "--host", "https://ana:hush@dbc.cloud.databricks.com")
	h.refused(2, "plain http", "cursor", "--host", "http://dbc.cloud.databricks.com")
	h.refused(2, "looks like https://dbc-a1b2c3d4-e5f6", "cursor", "--host", "https://<workspace>")
	h.refused(2, "looks like a secret", "cursor", "--profile", "dapi0123456789abcdef0123456789abcdef")
	h.refused(2, "looks like a secret", "cursor", "--warehouse", "eyJhbGciOi")
	h.write(".cursor/mcp.json", "{\n  \"mcpServers\": \n}\n")
	h.refused(1, "mcp.json, line 3: ", "cursor")
	h.refused(1, "mcp.json, line 3: ", "cursor", "--uninstall")
	if entries, err := os.ReadDir(filepath.Join(h.home, ".cursor")); err != nil || len(entries) != 1 {
		t.Errorf("there are %v (%v)", entries, err)
	}
}

// TestInstallThroughNPX: what npx runs is in its cache, which goes some day.
func TestInstallThroughNPX(t *testing.T) {
	h := newHousehold(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(h.home, ".npm", "_npx", "0123", "node_modules", "brickmcp")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	cached := filepath.Join(cache, "brickmcp")
	if err := os.Link(self, cached); err != nil {
		t.Skipf("no hard link to the test binary: %v", err)
	}
	for _, c := range []struct{ program, flag, want string }{
		{cached, "--structured", "npx -y brickmcp --structured"},
		{cached, "--npx=false", cached},
		{self, "--npx", "npx -y brickmcp"},
		{self, "--structured", self + " --structured"},
	} {
		cmd := command(t, "install", "cursor", "--print", c.flag)
		cmd.Env = append(cmd.Env, "HOME="+h.home)
		cmd.Path = c.program
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		entry := readServer(t, string(out), "mcpServers")
		if got := strings.Join(append([]string{entry.Command}, entry.Args...), " "); got != c.want {
			t.Errorf("%s %s writes\n%s\nwant\n%s", c.program, c.flag, got, c.want)
		}
	}
}

// TestLasting: a package manager replaces what its link leads to.
func TestLasting(t *testing.T) {
	dir := t.TempDir()
	self := filepath.Join(dir, "1.2.3", "brickmcp")
	link := filepath.Join(dir, "bin", "brickmcp")
	for _, d := range []string{filepath.Dir(self), filepath.Dir(link)} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(self, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(link))
	if got := lasting(self); got != self {
		t.Errorf("without a link: %s", got)
	}
	if err := os.Symlink(self, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if _, err := exec.LookPath("brickmcp"); err != nil {
		t.Skipf("this system does not run it: %v", err)
	}
	if got := lasting(self); got != link {
		t.Errorf("with a link: %s", got)
	}
	if other := filepath.Join(dir, "brickmcp"); lasting(other) != other {
		t.Errorf("another program: %s", lasting(other))
	}
}
