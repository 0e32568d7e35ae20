package rest

import "strings"

// AgentToken turns the name and version that an MCP client gives of itself
// into one product token of a User-Agent, "mcp-client/1.2": only the
// characters that the workspace's own rule allows (contract README, section
// 4), at most 64 of each. It is empty when nothing usable is left of the name.
func AgentToken(name, version string) string {
	name, version = agentWord(name), agentWord(version)
	if name == "" || version == "" {
		return name
	}
	return name + "/" + version
}

// agentWord keeps letters, digits and _.+-; a run of anything else is one dash.
func agentWord(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case b.Len() == 64:
			return strings.Trim(b.String(), "-")
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', strings.ContainsRune("_.+-", r):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-")
}
