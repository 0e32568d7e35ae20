package install

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
)

// VSCodeLink is an address that offers e to VS Code. A page may link to it, where
// vscode:mcp/install would be left out; it leads there.
// https://code.visualstudio.com/api/extension-guides/ai/mcp#create-an-mcp-installation-url
func VSCodeLink(e Entry) string {
	return link("https://insiders.vscode.dev/redirect/mcp/install", string(config(e)))
}

// CursorLink is the same for Cursor. It leads to
// cursor://anysphere.cursor-deeplink/mcp/install. https://cursor.com/docs/mcp/install-links
func CursorLink(e Entry) string {
	return link("https://cursor.com/en/install-mcp", base64.StdEncoding.EncodeToString(config(e)))
}

func link(page, config string) string {
	// A space as + is one in forms alone.
	return page + "?name=" + Name + "&config=" + strings.ReplaceAll(url.QueryEscape(config), "+", "%20")
}

// config is an entry without its name, as both want it.
func config(e Entry) []byte {
	text, err := json.Marshal(struct {
		Command string   `json:"command"`
		Args    []string `json:"args"`
	}{e.Command, e.Args})
	if err != nil {
		panic(err) // strings alone
	}
	return text
}
