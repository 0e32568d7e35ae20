package install

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"
)

// linkEntry is what the links of the README install: the newest version, which asks
// where to sign in.
func linkEntry(t *testing.T) Entry {
	t.Helper()
	e, err := NPX("linux", "", nil) // VS Code and Cursor find npx on Windows, too
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestLinks(t *testing.T) {
	e := linkEntry(t)
	for _, c := range []struct {
		link, host, path string
		decode           func(string) ([]byte, error)
	}{
		{VSCodeLink(e), "insiders.vscode.dev", "/redirect/mcp/install", func(s string) ([]byte, error) { return []byte(s), nil }},
		{CursorLink(e), "cursor.com", "/en/install-mcp", base64.StdEncoding.DecodeString},
	} {
		u, err := url.Parse(c.link)
		if err != nil || u.Scheme != "https" || u.Host != c.host || u.Path != c.path || u.Query().Get("name") != Name {
			t.Fatalf("%s: %v", c.link, err)
		}
		text, err := c.decode(u.Query().Get("config"))
		if err != nil {
			t.Fatalf("%s: %v", c.link, err)
		}
		var got struct {
			Command string   `json:"command"`
			Args    []string `json:"args"`
		}
		if err := json.Unmarshal(text, &got); err != nil || got.Command != "npx" || !reflect.DeepEqual(got.Args, []string{"-y", "brickmcp"}) {
			t.Errorf("%s installs %s (%v)", c.link, text, err)
		}
		if strings.ContainsAny(c.link, "+ \"<>()") {
			t.Errorf("%s has to stand in Markdown, and + is a space to some", c.link)
		}
	}
}

// TestLinksInDocuments: who clicks gets what install would write.
func TestLinksInDocuments(t *testing.T) {
	e := linkEntry(t)
	for _, c := range []struct {
		path     string
		required bool
	}{{"../../docs/install.md", true}, {"../../README.md", false}} {
		text, err := os.ReadFile(c.path)
		if err != nil {
			t.Fatal(err)
		}
		for start, link := range map[string]string{
			"https://insiders.vscode.dev/redirect/mcp/install": VSCodeLink(e), "https://cursor.com/en/install-mcp": CursorLink(e),
		} {
			found := 0
			for _, part := range strings.Split(string(text), "]("+start)[1:] {
				found++
				if rest, _, _ := strings.Cut(part, ")"); start+rest != link {
					t.Errorf("%s links to\n%s\nwant\n%s", c.path, start+rest, link)
				}
			}
			if found == 0 && c.required {
				t.Errorf("%s has no link to %s", c.path, link)
			}
		}
	}
}

// TestClientsInDocuments: docs/install.md names every client, and its file on every
// system.
func TestClientsInDocuments(t *testing.T) {
	text, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	short := strings.NewReplacer("/home/ana", "~", "/Users/ana", "~", `C:\Users\Ana\AppData\Roaming`, "%APPDATA%", `C:\Users\Ana`, "%USERPROFILE%")
	for _, c := range Clients() {
		row := "| `" + c.ID + "` | " + c.Name
		_, rest, found := strings.Cut(string(text), row)
		rest, _, _ = strings.Cut(rest, "\n")
		if !found {
			t.Errorf("docs/install.md has no row %s", row)
		}
		for _, system := range []string{"linux", "darwin", "windows"} {
			path, err := c.File(machine(t, system))
			if err != nil {
				t.Fatal(err)
			}
			if want := "`" + short.Replace(path) + "`"; !strings.Contains(rest, want) {
				t.Errorf("docs/install.md: the row of %s does not name %s", c.ID, want)
			}
		}
	}
}
