package install

import (
	"encoding/base64"
	"net/url"
)

// VSCodeLink is an address that offers e to VS Code. A page may link to it, where
// vscode:mcp/install would be left out; it leads there.
// https://code.visualstudio.com/api/extension-guides/ai/mcp#create-an-mcp-installation-url
func VSCodeLink(e Entry) string {
	return "https://insiders.vscode.dev/redirect/mcp/install?name=" + Name + "&config=" + url.QueryEscape(config(e))
}

// CursorLink is the same for Cursor. It leads to
// cursor://anysphere.cursor-deeplink/mcp/install. https://cursor.com/docs/mcp/install-links
func CursorLink(e Entry) string {
	return "https://cursor.com/en/install-mcp?name=" + Name + "&config=" +
		url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(config(e))))
}

// config is an entry without its name, as both links want it.
func config(e Entry) string {
	return layout{}.object([]field{{name: "command", text: quote(e.Command)}, {name: "args", text: list(e.Args)}}, "", false)
}
