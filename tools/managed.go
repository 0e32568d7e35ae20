package tools

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"brickmcp/catalog"
)

// ManagedServer is one MCP server of a workspace whose tools are shown beside our
// own, as PREFIX_TOOL.
type ManagedServer struct {
	Prefix  string
	Profile string // whose workspace; "": the first
	Kind    string // the first word of the path: functions, sql, app
	Name    string // what is behind it: "main/kb", the id of a Genie space, the name of an app
	Hints   bool   // the server is believed when it says that a tool only reads
}

// managedKind is what is known of one kind of server (contract mcp.md, section 1).
type managedKind struct {
	word     string
	min, max int // segments of the name
	example  string
	needs    string // permission and OAuth scope
	leaves   bool   // what tools are told leaves the workspace
}

// managedKinds are the servers that PATH can name, in the order of the contract.
func managedKinds() []managedKind {
	return []managedKind{
		{"functions", 2, 3, "functions/main/tools", "EXECUTE on the function, USE CATALOG and USE SCHEMA (scope unity-catalog or mcp.functions)", false},
		{"vector-search", 2, 3, "vector-search/main/kb", "SELECT on the index (scope vector-search or mcp.vectorsearch)", false},
		{"ai-search", 2, 3, "ai-search/main/kb/articles", "SELECT on the index (scope ai-search)", false},
		{"genie", 0, 1, "genie/SPACE_ID", "CAN_RUN on the Genie space and SELECT on its data (scope genie or mcp.genie)", false},
		{"sql", 0, 0, "sql", "CAN_USE on the warehouse and the privileges of Unity Catalog (scope sql or mcp.sql)", false},
		{"external", 1, 1, "external/CONNECTION", "USE CONNECTION (scope unity-catalog or mcp.external)", true},
		{"service", 1, 1, "service/system.ai.github", "EXECUTE on the MCP service (scope ai-gateway)", true},
		{"app", 1, 1, "app/mcp-mine", "CAN_USE on the app (an OAuth token, no personal access token)", true},
	}
}

func (m ManagedServer) kind() managedKind {
	kinds := managedKinds()
	return kinds[slices.IndexFunc(kinds, func(k managedKind) bool { return k.word == m.Kind })]
}

// ParseManaged reads PREFIX[@PROFILE]=PATH[?trust=hints|policy].
func ParseManaged(spec string) (ManagedServer, error) {
	var m ManagedServer
	refuse := func(format string, args ...any) (ManagedServer, error) {
		return ManagedServer{}, fmt.Errorf("%q: "+format, append([]any{spec}, args...)...)
	}
	who, path, ok := strings.Cut(spec, "=")
	if !ok {
		return refuse("want PREFIX=PATH, as docs=vector-search/main/kb")
	}
	m.Prefix, m.Profile, _ = strings.Cut(who, "@")
	if !validPrefix(m.Prefix) {
		return refuse("the prefix must be 1 to 24 lower-case letters, digits or _, beginning with a letter")
	}
	path, trust, given := strings.Cut(strings.Trim(path, "/"), "?")
	switch {
	case given && trust != "trust=hints" && trust != "trust=policy":
		return refuse("behind ? goes trust=hints (the server is believed when it says what only reads) or trust=policy, the default")
	case trust == "trust=hints":
		m.Hints = true
	}
	m.Kind, m.Name, _ = strings.Cut(path, "/")
	kinds := managedKinds()
	i := slices.IndexFunc(kinds, func(k managedKind) bool { return k.word == m.Kind })
	if i < 0 {
		var examples []string
		for _, k := range kinds {
			examples = append(examples, k.example)
		}
		return refuse("%q is no kind of MCP server; valid: %s", m.Kind, strings.Join(examples, ", "))
	}
	segments := m.segments()
	if len(segments) < kinds[i].min || len(segments) > kinds[i].max {
		return refuse("want %s", kinds[i].example)
	}
	for _, segment := range segments {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsAny(segment, "\\%#&=") || len(segment) > 255 {
			return refuse("%q cannot be a part of a path", segment)
		}
	}
	return m, nil
}

func validPrefix(prefix string) bool {
	for i, c := range prefix {
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '_' && i < len(prefix)-1)) {
			return false
		}
	}
	return prefix != "" && len(prefix) <= 24
}

// ParseManagedServers reads all of them. Each tool must belong to one server alone,
// whatever the servers name their tools, and none may look like one of ours.
func ParseManagedServers(specs []string) ([]ManagedServer, error) {
	var servers []ManagedServer
	for _, spec := range specs {
		m, err := ParseManaged(spec)
		if err != nil {
			return nil, err
		}
		own := append(toolNames(), whoAmIName)
		for _, g := range catalog.Groups() {
			for _, p := range g.Prefixes {
				own = append(own, p+"_")
			}
		}
		if i := slices.IndexFunc(own, func(name string) bool {
			return strings.HasPrefix(name, m.Prefix+"_") || strings.HasPrefix(m.Prefix+"_", name)
		}); i >= 0 {
			return nil, fmt.Errorf("%q: tools of this server are named %s…, so the prefix must be another one", spec, own[i])
		}
		for _, other := range servers {
			if strings.HasPrefix(m.Prefix+"_", other.Prefix+"_") || strings.HasPrefix(other.Prefix+"_", m.Prefix+"_") {
				return nil, fmt.Errorf("%q: the prefixes %s and %s cannot be told apart; give each server one of its own", spec, other.Prefix, m.Prefix)
			}
		}
		servers = append(servers, m)
	}
	return servers, nil
}

func (m ManagedServer) segments() []string {
	if m.Name == "" {
		return nil
	}
	return strings.Split(m.Name, "/")
}

// String is the path as the command line has it: "vector-search/main/kb".
func (m ManagedServer) String() string { return strings.TrimSuffix(m.Kind+"/"+m.Name, "/") }

// Path is where the server is on the workspace's host; "" for an app, which has a
// host of its own.
func (m ManagedServer) Path() string {
	switch m.Kind {
	case "app":
		return ""
	case "service":
		return "/ai-gateway/mcp-services/" + url.PathEscape(m.Name)
	}
	path := "/api/2.0/mcp/" + m.Kind
	for _, segment := range m.segments() {
		path += "/" + url.PathEscape(segment)
	}
	return path
}

// Needs is the permission and the OAuth scope that the server asks for.
func (m ManagedServer) Needs() string { return m.kind().needs }

// Genie reports a server whose answers may take minutes.
func (m ManagedServer) Genie() bool {
	return m.Kind == "genie" || m.Kind == "service" && m.Name == "system.ai.genie_one_mcp"
}

// SQL reports a server that executes SQL.
func (m ManagedServer) SQL() bool {
	return m.Kind == "sql" || m.Kind == "service" && m.Name == "system.ai.dbsql"
}

// search reports a server whose every tool searches an index.
func (m ManagedServer) search() bool { return m.Kind == "vector-search" || m.Kind == "ai-search" }
