package install

import "strings"

// Client is a program that starts MCP servers by what a file of its says.
type Client struct {
	ID    string // as in brickmcp install ID
	Name  string // as people know it
	After string // what makes it see the change

	files func(m Machine, home string) []string // see Machine.config
	form  form
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

// The facts, and where they stand as of November 2026. Where a client has several
// places, the newest comes first.
var clients = []*Client{
	{
		// https://modelcontextprotocol.io/quickstart/user. JSON.parse reads it: no comments.
		// The MSIX package on Windows (the standard one since February 2026) sees a
		// place of its own: https://github.com/anthropics/claude-code/issues/26073.
		ID: "claude-desktop", Name: "Claude Desktop", After: "Quit Claude Desktop and start it again.",
		form: jsonForm{container: "mcpServers", plain: true},
		files: func(m Machine, home string) []string {
			const name = "claude_desktop_config.json"
			switch m.OS {
			case "windows":
				var all []string
				packages := m.join(m.localAppData(home), "Packages")
				for _, dir := range m.subdirectories(packages, "Claude_") {
					all = append(all, m.join(packages, dir, "LocalCache", "Roaming", "Claude", name))
				}
				return append(all, m.join(m.appData(home), "Claude", name))
			case "darwin":
				return []string{m.join(home, "Library", "Application Support", "Claude", name)}
			}
			return []string{m.join(m.xdgConfig(home), "Claude", name)}
		},
	},
	{
		// The user scope: https://code.claude.com/docs/en/mcp, and
		// https://github.com/anthropics/claude-code/issues/48448 for CLAUDE_CONFIG_DIR.
		ID: "claude-code", Name: "Claude Code", After: "New sessions have it; /mcp shows it.",
		form: jsonForm{container: "mcpServers", typed: true, plain: true},
		files: func(m Machine, home string) []string {
			return []string{m.join(m.env("CLAUDE_CONFIG_DIR", home), ".claude.json")}
		},
	},
	{
		// https://cursor.com/docs/mcp
		ID: "cursor", Name: "Cursor", After: "Cursor asks to enable it; its settings show it under MCP.",
		form: jsonForm{container: "mcpServers"},
		files: func(m Machine, home string) []string {
			return []string{m.join(home, ".cursor", "mcp.json")}
		},
	},
	{
		// https://code.visualstudio.com/docs/agents/reference/mcp-configuration: mcp.json of
		// the user, beside the settings.json of the default profile.
		ID: "vscode", Name: "VS Code", After: "Run 'MCP: List Servers' in VS Code and start it.",
		form: jsonForm{container: "servers", typed: true},
		files: func(m Machine, home string) []string {
			if portable := m.env("VSCODE_PORTABLE", ""); portable != "" {
				return []string{m.join(portable, "user-data", "User", "mcp.json")}
			}
			switch m.OS {
			case "windows":
				return []string{m.join(m.appData(home), "Code", "User", "mcp.json")}
			case "darwin":
				return []string{m.join(home, "Library", "Application Support", "Code", "User", "mcp.json")}
			}
			return []string{m.join(m.xdgConfig(home), "Code", "User", "mcp.json")}
		},
	},
	{
		// Windsurf is Devin Desktop since June 2026, and its agent reads another file:
		// https://docs.devin.ai/cli/extensibility/mcp/configuration.
		ID: "windsurf", Name: "Windsurf", After: "Refresh the list of MCP servers in Windsurf (now Devin Desktop), or start it again.",
		form: jsonForm{container: "mcpServers"},
		files: func(m Machine, home string) []string {
			devin := m.join(home, ".config", "devin", "mcp_config.json")
			if m.OS == "windows" {
				devin = m.join(m.appData(home), "devin", "mcp_config.json")
			}
			return []string{devin, m.join(home, ".codeium", "windsurf", "mcp_config.json")}
		},
	},
	{
		// https://developers.openai.com/codex/mcp, the same on each system.
		ID: "codex", Name: "Codex CLI", After: "New sessions have it; /mcp shows it.",
		form: tomlForm{},
		files: func(m Machine, home string) []string {
			return []string{m.join(m.env("CODEX_HOME", m.join(home, ".codex")), "config.toml")}
		},
	},
	{
		// https://geminicli.com/docs/tools/mcp-server; comments are stripped before it is
		// parsed. GEMINI_CLI_HOME: https://github.com/google-gemini/gemini-cli/issues/23622.
		ID: "gemini", Name: "Gemini CLI", After: "New sessions have it; /mcp shows it.",
		form: jsonForm{container: "mcpServers"},
		files: func(m Machine, home string) []string {
			return []string{m.join(m.env("GEMINI_CLI_HOME", home), ".gemini", "settings.json")}
		},
	},
	{
		// https://zed.dev/docs/ai/mcp, and crates/paths/src/paths.rs of zed-industries/zed
		// for the places: ~/.config on macOS, too.
		ID: "zed", Name: "Zed", After: "Zed starts it at once; the settings of its agent panel show it.",
		form: jsonForm{container: "context_servers"},
		files: func(m Machine, home string) []string {
			switch m.OS {
			case "windows":
				return []string{m.join(m.appData(home), "Zed", "settings.json")}
			case "darwin":
				return []string{m.join(home, ".config", "zed", "settings.json")}
			}
			return []string{m.join(m.xdgConfig(home), "zed", "settings.json")}
		},
	},
}
