package install

import "strings"

// Client is a program that starts MCP servers by what a file of its says.
type Client struct {
	ID    string // as in brickmcp install ID
	Name  string // as people know it
	After string // what makes it see the change

	// Where the file is: see Machine.expand. Of several places the first one counts whose
	// directory is there, else the last.
	places          []string
	darwin, windows []string // where it is elsewhere there
	form            form
}

// Clients returns all that can be configured, in the order to show them.
func Clients() []*Client { return clients }

// Find returns the client of that id or name; case, spaces and dashes do not count.
func Find(word string) (*Client, bool) {
	for _, c := range clients {
		if w := plain(word); w == plain(c.ID) || w == plain(c.Name) {
			return c, true
		}
	}
	return nil, false
}

func plain(word string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -_", r) {
			return -1
		}
		return r
	}, word))
}

const portable = "$VSCODE_PORTABLE/user-data/User/mcp.json"

// The facts, and where they stand as of November 2026.
var clients = []*Client{
	{
		// https://modelcontextprotocol.io/quickstart/user. JSON.parse reads it: no comments.
		// The MSIX package on Windows (the standard one since February 2026) sees a
		// place of its own: https://github.com/anthropics/claude-code/issues/26073.
		ID: "claude-desktop", Name: "Claude Desktop", After: "Quit Claude Desktop and start it again.",
		places: []string{"$XDG_CONFIG_HOME/Claude/claude_desktop_config.json"},
		darwin: []string{"~/Library/Application Support/Claude/claude_desktop_config.json"},
		windows: []string{
			"$LOCALAPPDATA/Packages/Claude_*/LocalCache/Roaming/Claude/claude_desktop_config.json",
			"$APPDATA/Claude/claude_desktop_config.json",
		},
		form: jsonForm{container: "mcpServers", plain: true},
	},
	{
		// The user scope: https://code.claude.com/docs/en/mcp, and
		// https://github.com/anthropics/claude-code/issues/48448 for CLAUDE_CONFIG_DIR.
		ID: "claude-code", Name: "Claude Code", After: "New sessions have it; /mcp shows it.",
		places: []string{"$CLAUDE_CONFIG_DIR/.claude.json"},
		form:   jsonForm{container: "mcpServers", typed: true, plain: true},
	},
	{
		// https://cursor.com/docs/mcp
		ID: "cursor", Name: "Cursor", After: "Cursor asks to enable it; its settings show it under MCP.",
		places: []string{"~/.cursor/mcp.json"},
		form:   jsonForm{container: "mcpServers"},
	},
	{
		// https://code.visualstudio.com/docs/agents/reference/mcp-configuration: mcp.json of
		// the user, beside the settings.json of the default profile.
		ID: "vscode", Name: "VS Code", After: "Run 'MCP: List Servers' in VS Code and start it.",
		places:  []string{portable, "$XDG_CONFIG_HOME/Code/User/mcp.json"},
		darwin:  []string{portable, "~/Library/Application Support/Code/User/mcp.json"},
		windows: []string{portable, "$APPDATA/Code/User/mcp.json"},
		form:    jsonForm{container: "servers", typed: true},
	},
	{
		// Windsurf is Devin Desktop since June 2026, and its agent reads another file:
		// https://docs.devin.ai/cli/extensibility/mcp/configuration.
		ID: "windsurf", Name: "Windsurf", After: "Refresh the list of MCP servers in Windsurf (now Devin Desktop), or start it again.",
		places:  []string{"~/.config/devin/mcp_config.json", "~/.codeium/windsurf/mcp_config.json"},
		windows: []string{"$APPDATA/devin/mcp_config.json", "~/.codeium/windsurf/mcp_config.json"},
		form:    jsonForm{container: "mcpServers"},
	},
	{
		// https://developers.openai.com/codex/mcp
		ID: "codex", Name: "Codex CLI", After: "New sessions have it; /mcp shows it.",
		places: []string{"$CODEX_HOME/config.toml"},
		form:   tomlForm{},
	},
	{
		// https://geminicli.com/docs/tools/mcp-server; comments are stripped before it is
		// parsed. GEMINI_CLI_HOME: https://github.com/google-gemini/gemini-cli/issues/23622.
		ID: "gemini", Name: "Gemini CLI", After: "New sessions have it; /mcp shows it.",
		places: []string{"$GEMINI_CLI_HOME/.gemini/settings.json"},
		form:   jsonForm{container: "mcpServers"},
	},
	{
		// https://zed.dev/docs/ai/mcp, and crates/paths/src/paths.rs of zed-industries/zed
		// for the places: ~/.config on macOS, too.
		ID: "zed", Name: "Zed", After: "Zed starts it at once; the settings of its agent panel show it.",
		places:  []string{"$XDG_CONFIG_HOME/zed/settings.json"},
		darwin:  []string{"~/.config/zed/settings.json"},
		windows: []string{"$APPDATA/Zed/settings.json"},
		form:    jsonForm{container: "context_servers"},
	},
}
