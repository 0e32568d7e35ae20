package install

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func client(t *testing.T, id string) *Client {
	t.Helper()
	c, ok := Find(id)
	if !ok {
		t.Fatalf("there is no client %s", id)
	}
	return c
}

func TestFind(t *testing.T) {
	for word, want := range map[string]string{
		"VS Code": "vscode", "vs-code": "vscode", "Claude_Desktop": "claude-desktop", "claudecode": "claude-code",
		"Codex CLI": "codex", "gemini-cli": "gemini", "ZED": "zed", "claude": "", "": "",
	} {
		if c, ok := Find(word); ok != (want != "") || ok && c.ID != want {
			t.Errorf("%q finds %v, want %q", word, c, want)
		}
	}
}

// TestPlaces: variables and directories that move the files.
func TestPlaces(t *testing.T) {
	const packages = `C:\Users\Ana\AppData\Local\Packages`
	for _, c := range []struct {
		id, system, variable, value string
		dir                         string // that is there
		want                        string
	}{
		{"claude-desktop", "linux", "XDG_CONFIG_HOME", "/cfg", "", "/cfg/Claude/claude_desktop_config.json"},
		{"claude-desktop", "darwin", "XDG_CONFIG_HOME", "/cfg", "", "/Users/ana/Library/Application Support/Claude/claude_desktop_config.json"},
		{"claude-desktop", "windows", "APPDATA", "", "", `C:\Users\Ana\AppData\Roaming\Claude\claude_desktop_config.json`},
		{"claude-desktop", "windows", "", "", packages + `\Claude_pzs8sxrjxfjjc\LocalCache\Roaming\Claude`, packages + `\Claude_pzs8sxrjxfjjc\LocalCache\Roaming\Claude\claude_desktop_config.json`},
		{"claude-desktop", "windows", "", "", packages + `\Claude_left\LocalCache`, `C:\Users\Ana\AppData\Roaming\Claude\claude_desktop_config.json`},
		{"claude-code", "linux", "CLAUDE_CONFIG_DIR", "/home/ana/.claude-work", "", "/home/ana/.claude-work/.claude.json"},
		{"vscode", "linux", "XDG_CONFIG_HOME", "/cfg", "", "/cfg/Code/User/mcp.json"},
		{"vscode", "windows", "VSCODE_PORTABLE", `D:\code\data`, `D:\code\data\user-data\User`, `D:\code\data\user-data\User\mcp.json`},
		{"windsurf", "linux", "", "", "/home/ana/.config/devin", "/home/ana/.config/devin/mcp_config.json"},
		{"windsurf", "windows", "", "", `C:\Users\Ana\AppData\Roaming\devin`, `C:\Users\Ana\AppData\Roaming\devin\mcp_config.json`},
		{"codex", "darwin", "CODEX_HOME", "/opt/codex", "", "/opt/codex/config.toml"},
		{"gemini", "linux", "GEMINI_CLI_HOME", "/opt/gemini", "", "/opt/gemini/.gemini/settings.json"},
		{"zed", "linux", "XDG_CONFIG_HOME", "/cfg", "", "/cfg/zed/settings.json"},
		{"zed", "darwin", "XDG_CONFIG_HOME", "/cfg", "", "/Users/ana/.config/zed/settings.json"},
		{"zed", "freebsd", "HOME", "/home/ana", "", "/home/ana/.config/zed/settings.json"},
	} {
		m := machine(t, c.system)
		variables := m.Getenv
		m.Getenv = func(name string) string {
			if name == c.variable {
				return c.value
			}
			return variables(name)
		}
		if c.dir != "" {
			if err := os.MkdirAll(m.local(c.dir), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if path, err := client(t, c.id).File(m); err != nil || path != c.want {
			t.Errorf("%s on %s with %s=%s: %s (%v), want %s", c.id, c.system, c.variable, c.value, path, err, c.want)
		}
	}
	homeless := Machine{OS: "linux", Getenv: func(string) string { return "" }}
	if _, err := Put(homeless, client(t, "cursor"), plainEntry); err == nil || !strings.Contains(err.Error(), "HOME") {
		t.Errorf("without a home: %v", err)
	}
}

// TestRefusals: a file that cannot be edited is named, with the line, and stays.
func TestRefusals(t *testing.T) {
	const hush = "hush-of-another-server"
	for _, c := range []struct {
		id, text string
		want     []string
	}{
		{"cursor", "{\n  \"a\": \n}", []string{"line 3", "not JSON", "column 1"}},
		{"cursor", "{\n  \"a\": \"" + hush + "\x01\"\n}", []string{"line 2", "column 8", "invalid value"}},
		{"cursor", "{\n  \"a\": " + "hushofanotherserver" + "\n}", []string{"line 2", "invalid value"}},
		{"cursor", "{\n  \"a\": 1\n  \"b\": 2}", []string{"line 3", "invalid character"}},
		{"cursor", "{\"a\": 1", []string{"line 1", "unexpected EOF"}},
		{"cursor", "\n{\"a\":" + strings.Repeat("[", 10_000_000), []string{"line 2", "nested more than 10000 deep"}},
		{"cursor", "\n\n[]", []string{"line 3", "an object"}},
		{"cursor", "{\n\"mcpServers\": []\n}", []string{"line 2", `"mcpServers" has to be an object`}},
		{"vscode", "{\"servers\": {},\n\"servers\": {}\n}", []string{"line 2", `"servers" is there twice`}},
		{"cursor", "{\"mcpServers\": {\"brickmcp\": {},\n\"brickmcp\": {}}}", []string{"line 2", `"brickmcp" is there twice`}},
		{"cursor", "{\"mcpServers\": {\n\"brickmcp\": {\"command\": \"x\", \"command\": \"y\"}}}", []string{"line 2", `"command" is there twice`}},
		{"cursor", "{\"mcpServers\": {\n\"brickmcp\": {\"url\": \"http://127.0.0.1:8765/mcp?key=" + hush + "\"}}}", []string{"line 2", "starts no command", "by hand"}},
		{"vscode", "{\"servers\": {\n\"brickmcp\": {\"type\": \"http\", \"command\": \"x\"}}}", []string{"line 2", "starts no command"}},
		{"cursor", "{\"mcpServers\": {\n\"brickmcp\": null}}", []string{"line 2", "starts no command"}},
		{"claude-desktop", "{\n  // mine\n}", []string{"line 2", "a comment or a trailing comma: take it out", "plain JSON"}},
		{"claude-code", "{\n  \"a\": 1,\n}", []string{"line 3", "a trailing comma"}},
		{"codex", "a = 1\nb = \n", []string{"line 2", "not TOML"}},
		{"codex", "a = '" + hush + "\n", []string{"line 1", "not TOML"}},
		{"codex", "mcp_servers = { a = { command = 'x' } }\n", []string{"line 1", "in braces"}},
		{"codex", "[mcp_servers]\nbrickmcp = { command = 'x' }\n", []string{"line 2", "not a table of its own"}},
		{"codex", "[mcp_servers]\nbrickmcp.command = 'x'\n", []string{"line 2", "not a table of its own"}},
		{"codex", "[[mcp_servers]]\n", []string{"line 1", "has to be a table"}},
		{"codex", "[[mcp_servers.brickmcp]]\n", []string{"line 1", "has to be a table"}},
		{"codex", "[mcp_servers.brickmcp]\nurl = 'http://localhost'\n", []string{"line 1", "starts no command"}},
		{"codex", "[mcp_servers.brickmcp]\ncommand = ['x']\n", []string{"line 1", "starts no command"}},
		{"codex", "[mcp_servers.brickmcp]\ncommand = 'x'\n[mcp_servers.brickmcp]\n", []string{"line 3", "once"}},
		{"codex", "[mcp_servers.brickmcp.env]\nA = 'b'\n", []string{"line 1", "begin with [mcp_servers.brickmcp]"}},
	} {
		m := machine(t, "linux")
		path, err := client(t, c.id).File(m)
		if err != nil {
			t.Fatal(err)
		}
		store(t, m.local(path), c.text)
		_, err = Put(m, client(t, c.id), plainEntry)
		if err == nil {
			t.Errorf("%.1000q is taken", c.text)
			continue
		}
		for _, part := range append(c.want, path, "nothing was written") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%.1000q: %v\nwant it to say %q", c.text, err, part)
			}
		}
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: the error quotes the file: %v", c.text, err)
		}
		if load(t, m.local(path)) != c.text {
			t.Errorf("%q is changed", c.text)
		}
		if names := listed(t, filepath.Dir(m.local(path))); len(names) != 1 {
			t.Errorf("%q: there are %v", c.text, names)
		}
	}
}

func listed(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestWriting: what surrounds the text of a file is kept, too.
func TestWriting(t *testing.T) {
	m, c := machine(t, "linux"), client(t, "cursor")
	link := m.local("/home/ana/.cursor/mcp.json")
	real := m.local("/home/ana/dotfiles/cursor.json")
	text := "\xef\xbb\xbf{\r\n  \"a\": 1\r\n}\r\n" // of an editor on Windows
	store(t, real, text)
	if err := os.Chmod(real, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("..", "dotfiles", "cursor.json"), link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	change, err := Put(m, c, plainEntry)
	if err != nil {
		t.Fatal(err)
	}
	backup, err := change.Write()
	if err != nil {
		t.Fatal(err)
	}
	if load(t, backup) != text || filepath.Base(backup) != "cursor.json.brickmcp.bak" {
		t.Errorf("the backup %s is %q", backup, load(t, backup))
	}
	if got, want := load(t, real), "\xef\xbb\xbf{\r\n  \"a\": 1,\r\n  \"mcpServers\": {"; !strings.HasPrefix(got, want) {
		t.Errorf("the file is %q", got)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is %v (%v)", info, err)
	}
	for _, path := range []string{real, backup} {
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
			t.Errorf("%s has the mode %v (%v)", path, info.Mode(), err)
		}
	}
	if names := listed(t, filepath.Dir(real)); !slices.Equal(names, []string{"cursor.json", "cursor.json.brickmcp.bak"}) {
		t.Errorf("there are %v", names)
	}
	taken(t, m, c)
	if load(t, real) != text {
		t.Errorf("after uninstall: %q", load(t, real))
	}
}

func TestWritingRefused(t *testing.T) {
	m, c := machine(t, "linux"), client(t, "cursor")
	path := m.local("/home/ana/.cursor/mcp.json")
	put := func() *Change {
		t.Helper()
		change, err := Put(m, c, plainEntry)
		if err != nil {
			t.Fatal(err)
		}
		return change
	}
	refused := func(change *Change, part, left string) {
		t.Helper()
		if _, err := change.Write(); err == nil || !strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), "/home/ana/.cursor/mcp.json") {
			t.Errorf("%v does not say %q", err, part)
		}
		if load(t, path) != left {
			t.Errorf("the file is %q", load(t, path))
		}
		if names := listed(t, filepath.Dir(path)); len(names) != 1 {
			t.Errorf("there are %v", names)
		}
	}
	change := put()
	store(t, path, "{}") // the client was faster
	refused(change, "changed in the meantime", "{}")
	change = put()
	store(t, path, "{ }")
	refused(change, "changed in the meantime", "{ }")
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	refused(put(), "may only be read; nothing was written: make it writable", "{ }")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Put(m, c, plainEntry); err == nil || !strings.Contains(err.Error(), "no file") {
		t.Errorf("a directory: %v", err)
	}
	if err := errors.Join(os.Remove(path), os.Symlink("gone.json", path)); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if _, err := Put(m, c, plainEntry); err == nil || !strings.Contains(err.Error(), path[len(m.Root):]) || !strings.Contains(err.Error(), "leads nowhere") {
		t.Errorf("a link to nothing: %v", err)
	}
}

// TestMade: a file that install made is nobody's: no backup, and it goes.
func TestMade(t *testing.T) {
	m, c := machine(t, "linux"), client(t, "codex")
	path := m.local("/home/ana/.codex/config.toml")
	installed(t, m, c, plainEntry)
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the new file has the mode %v (%v)", info.Mode(), err)
	}
	installed(t, m, c, Entry{Command: "/bin/other"})
	if names := listed(t, filepath.Dir(path)); len(names) != 1 {
		t.Errorf("there are %v", names)
	}
	change, err := Take(m, c)
	if err != nil || !change.Remove || !strings.Contains(change.Diff(), "+++ /dev/null") {
		t.Fatalf("%v: %+v", err, change)
	}
	if _, err := change.Write(); err != nil {
		t.Fatal(err)
	}
	if change, err = Take(m, c); err != nil || !change.Empty() {
		t.Errorf("without a file there is something to take out: %v", err)
	}
	if names := listed(t, filepath.Dir(path)); len(names) != 0 {
		t.Errorf("there are %v", names)
	}
	store(t, path, "# mine\n")
	installed(t, m, c, plainEntry)
	if change := taken(t, m, c); change.Remove || load(t, path) != "# mine\n" {
		t.Errorf("a file with a comment is %q", load(t, path))
	}
}

// TestNothingOfPeopleIsLost: an entry that people wrote, or added to, is theirs, also
// where the file holds nothing else.
func TestNothingOfPeopleIsLost(t *testing.T) {
	for id, text := range map[string]string{
		"cursor": "{\n  \"mcpServers\": {\n    \"brickmcp\": {\n      \"command\": \"/home/ana/wrapper\",\n      \"args\": [],\n      \"env\": {\"DATABRICKS_TOKEN\": \"hush\"}\n    }\n  }\n}\n",
		"zed":    `{"context_servers": {"brickmcp": {"command": "/home/ana/wrapper"}}}`,
		"codex":  "[mcp_servers.brickmcp]\ncommand = '/home/ana/wrapper'\n\n[mcp_servers.brickmcp.env]\nDATABRICKS_TOKEN = 'hush'\n",
	} {
		m, c := machine(t, "linux"), client(t, id)
		path, err := c.File(m)
		if err != nil {
			t.Fatal(err)
		}
		path = m.local(path)
		store(t, path, text)
		backup := path + ".brickmcp.bak"
		installed(t, m, c, plainEntry)
		if got := load(t, backup); got != text {
			t.Errorf("%s: the backup of install is %q", id, got)
		}
		if err := os.Remove(backup); err != nil { // of another day
			t.Fatal(err)
		}
		after := load(t, path)
		if change := taken(t, m, c); change.Remove || load(t, backup) != after {
			t.Errorf("%s: uninstall removes the file (%t), and its backup is %q", id, change.Remove, load(t, backup))
		}
	}
}

// TestSecretsOfTheEntry: what people add to the entry is not shown when it goes.
func TestSecretsOfTheEntry(t *testing.T) {
	m, c := machine(t, "linux"), client(t, "cursor")
	store(t, m.local("/home/ana/.cursor/mcp.json"), `{"mcpServers":{"brickmcp":{"command":"brickmcp","env":{"DATABRICKS_TOKEN":"hush"}}}}`)
	put, err := Put(m, c, plainEntry)
	if err != nil {
		t.Fatal(err)
	}
	take, err := Take(m, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{put.Diff(), take.Diff()} {
		if strings.Contains(d, "hush") || !strings.Contains(d, "DATABRICKS_TOKEN") {
			t.Errorf("the diff is\n%s", d)
		}
	}
}

func TestNPX(t *testing.T) {
	e, err := NPX("darwin", "1.2.3", []string{"--policy", "/a&b.yaml"})
	if err != nil || e.Command != "npx" || strings.Join(e.Args, " ") != "-y brickmcp@1.2.3 --policy /a&b.yaml" {
		t.Errorf("%v %v", e, err)
	}
	e, err = NPX("windows", "", []string{"--policy", `C:\my files\p.yaml`})
	if err != nil || e.Command != "cmd" || strings.Join(e.Args, " ") != `/c npx -y brickmcp --policy C:\my files\p.yaml` {
		t.Errorf("%v %v", e, err)
	}
	for _, arg := range []string{"a&calc", "%PATH%", `a"b`, "a\nb", "a|b", "a^b", "a>b", "a<b", "a!b"} {
		if _, err := NPX("windows", "", []string{"--profile", arg}); err == nil || !strings.Contains(err.Error(), "--npx") {
			t.Errorf("cmd gets %q: %v", arg, err)
		}
	}
}
