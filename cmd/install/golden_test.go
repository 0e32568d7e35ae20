package install

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// secret stands for the keys that other servers have in these files.
const secret = "hush-of-another-server"

// files are configurations as people have them.
var files = map[string]string{
	"claude-desktop": `{
  "globalShortcut": "Ctrl+Space",
  "mcpServers": {
    "github": {
      "command": "docker",
      "args": ["run", "-i", "--rm", "github-mcp"],
      "env": {
        "GITHUB_TOKEN": "` + secret + `"
      }
    }
  }
}
`,
	"claude-code": `{
  "numStartups": 34,
  "projects": {
    "/home/ana/shop": {
      "mcpServers": {},
      "history": ["` + secret + `"]
    }
  },
  "userID": "` + secret + `"
}`,
	"cursor": "{\n\t\"mcpServers\": {\n\t\t\"search\": { \"url\": \"https://search.example.com/?key=" + secret + "\" }\n\t}\n}\n",
	"vscode": `// what the team uses
{
    "inputs": [],
    "servers": {
        // "old": {"command": "old", "env": {"KEY": "` + secret + `"}},
        "search": {
            "type": "http",
            "url": "https://search.example.com", // the new one
        }, /* more to come */
    },
}
`,
	"windsurf": `{ "mcpServers": {} }
`,
	"codex": `model = "gpt-5" # the default
approval_policy = 'on-request'

[mcp_servers.search]
# ` + secret + `
command = "search-mcp"
env = { KEY = "` + secret + `" }

[tui]
notifications = true
`,
	"gemini": `{"theme":"Dracula","mcpServers":{"search":{"httpUrl":"https://search.example.com","headers":{"Authorization":"` + secret + `"}}}}`,
	"zed": `// Zed settings
//
// For information on how to configure Zed, see the Zed documentation.
{
  "theme": "One Dark",
  "vim_mode": true,
  // "api_key": "` + secret + `",
  "languages": {
    "Go": { "tab_size": 4 }
  } // the rest is as it comes
}
`,
}

// machine is a computer of that system, below a directory of the test.
func machine(t *testing.T, system string) Machine {
	t.Helper()
	home := map[string]string{"linux": "/home/ana", "darwin": "/Users/ana", "windows": `C:\Users\Ana`}[system]
	variables := map[string]string{"HOME": home}
	if system == "windows" {
		variables = map[string]string{
			"USERPROFILE": home, "HOME": "/wrong",
			"APPDATA": home + `\AppData\Roaming`, "LOCALAPPDATA": home + `\AppData\Local`,
		}
	}
	return Machine{OS: system, Root: t.TempDir(), Getenv: func(name string) string { return variables[name] }}
}

// entryOn is what install writes on that system.
func entryOn(system string) Entry {
	e := Entry{Command: "/usr/local/bin/brickmcp", Args: []string{"--access", "read,jobs=full", "--profile", "work"}}
	if system == "windows" {
		e.Command, e.Args = `C:\Program Files\BrickMCP\brickmcp.exe`, append(e.Args, "--policy", `C:\Users\Ana\"team" policy.yaml`)
	}
	return e
}

func store(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// installed makes the change and returns it.
func installed(t *testing.T, m Machine, c *Client, e Entry) *Change {
	t.Helper()
	change, err := Put(m, c, e)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := change.Write(); err != nil {
		t.Fatal(err)
	}
	return change
}

// TestGolden walks through the life of the entry in each client on each system, and
// holds the place of the file, the file and what is shown to testdata.
func TestGolden(t *testing.T) {
	for _, c := range Clients() {
		for _, system := range []string{"linux", "darwin", "windows"} {
			t.Run(c.ID+" "+system, func(t *testing.T) {
				m, e := machine(t, system), entryOn(system)
				path, err := m.config(c)
				if err != nil {
					t.Fatal(err)
				}
				fresh := installed(t, m, c, e)
				made := load(t, m.local(path))
				if fresh.Path != path || !fresh.New() {
					t.Errorf("the new file is %s, want %s", fresh.Path, path)
				}
				removal := taken(t, m, c)
				if _, err := os.Stat(m.local(path)); !os.IsNotExist(err) || !removal.Remove {
					t.Errorf("what install made is still there: %v", err)
				}

				before := files[c.ID]
				if system == "windows" {
					before = strings.ReplaceAll(before, "\n", "\r\n")
				}
				store(t, m.local(path), before)
				change := installed(t, m, c, e)
				after := load(t, m.local(path))
				if system == "windows" && strings.Contains(strings.ReplaceAll(after, "\r\n", ""), "\n") && strings.Contains(before, "\n") {
					t.Errorf("line breaks of two kinds: %q", after)
				}
				again, err := Put(m, c, e)
				if err != nil || !again.Empty() {
					t.Errorf("the same again is a change (%v):\n%s", err, again.Diff())
				}
				back := taken(t, m, c)
				if got := load(t, m.local(path)); got != before {
					t.Errorf("what uninstall leaves is not what was there before:\n%q\n%q", got, before)
				}
				for _, shown := range []string{fresh.Diff(), change.Diff(), back.Diff()} {
					if strings.Contains(shown, secret) {
						t.Errorf("a secret of another server is shown:\n%s", shown)
					}
				}
				golden(t, c.ID+"."+system, "== "+path+"\n"+made+"== after\n"+after+"\n== diff\n"+change.Diff()+"== snippet\n"+c.Snippet(e))
			})
		}
	}
}

func taken(t *testing.T, m Machine, c *Client) *Change {
	t.Helper()
	change, err := Take(m, c)
	if err != nil {
		t.Fatal(err)
	}
	if change.Empty() {
		t.Fatal("there is nothing to take out")
	}
	if _, err := change.Write(); err != nil {
		t.Fatal(err)
	}
	return change
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	got = strings.ReplaceAll(got, "\r", "")
	path := filepath.Join("testdata", name+".golden")
	if *update {
		store(t, path, got)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./cmd/install -update writes it", err)
	}
	if !bytes.Equal(want, []byte(got)) {
		t.Errorf("%s is not what comes now; see whether this is meant, then go test ./cmd/install -update\n%s", path, unified(path, "now", string(want), got))
	}
}
