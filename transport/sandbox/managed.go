package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// managed are the MCP servers that the workspace hosts (contract mcp.md). Each
// request makes its server anew, with the tools that its user may use: like the
// real ones they need no session.
type managed struct {
	w        *Workspace
	services []mcpService
	indexes  []vectorIndex
}

// mcpService is an MCP service registered in Unity Catalog.
type mcpService struct {
	name, comment string
	connection    string   // behind it; "": built in
	selectors     []string // of its tools; nil: all
}

const (
	mcpPath     = "/api/2.0/mcp/"
	servicePath = "/ai-gateway/mcp-services/"
)

func addManaged(w *Workspace) error {
	m := &managed{w: w, services: []mcpService{
		{name: "system.ai.dbsql", comment: "SQL on a warehouse"},
		{name: "system.ai.web_search", comment: "Search of the public web", connection: "web_search"},
		{name: "main.retail.accounts", comment: "Customer accounts", connection: "crm"},
		{name: "main.retail.chat_reader", comment: "The team's chat, for reading", connection: "team_chat", selectors: []string{"read-*"}},
	}, indexes: seedIndexes()}
	w.managed = m
	for _, method := range []string{"POST ", "GET ", "DELETE "} {
		w.on(method+mcpPath+"{path...}", m.serve)
		w.on(method+servicePath+"{name}", m.serveService)
	}
	m.addCatalogRoutes()
	return nil
}

// serve answers a server of /api/2.0/mcp/.
func (m *managed) serve(r *request) (any, error) {
	kind, rest, _ := strings.Cut(strings.Trim(r.PathValue("path"), "/"), "/")
	names := strings.Split(rest, "/")
	if rest == "" {
		names = nil
	}
	var tools []server.ServerTool
	var err error
	switch {
	case kind == "functions" && (len(names) == 2 || len(names) == 3):
		tools, err = m.functions(r, names)
	case (kind == "vector-search" || kind == "ai-search") && (len(names) == 2 || len(names) == 3):
		tools, err = m.search(r, strings.Join(names, "."))
	case kind == "genie" && len(names) == 1:
		tools, err = m.genie(r, names[0])
	case kind == "sql" && len(names) == 0:
		tools = m.sql(r)
	case kind == "external" && len(names) == 1:
		tools, err = m.external(r, names[0])
	default:
		err = failure(http.StatusNotFound, "ENDPOINT_NOT_FOUND", "No MCP server at "+r.URL.Path)
	}
	if err != nil {
		return nil, err
	}
	return m.answer(r, tools)
}

// serveService answers a registered MCP service.
func (m *managed) serveService(r *request) (any, error) {
	name := r.PathValue("name")
	i := slices.IndexFunc(m.services, func(s mcpService) bool { return s.name == name })
	if i < 0 {
		return nil, failure(http.StatusNotFound, "MCP_SERVICE_DOES_NOT_EXIST", "MCP service '"+name+"' does not exist.")
	}
	s := m.services[i]
	if s.connection == "" {
		return m.answer(r, m.sql(r))
	}
	tools, err := m.external(r, s.connection)
	if err != nil {
		return nil, err
	}
	if s.selectors != nil {
		tools = slices.DeleteFunc(tools, func(t server.ServerTool) bool { return !s.selects(t.Tool.Name) })
		if err := s.refuse(r); err != nil {
			return nil, err
		}
	}
	return m.answer(r, tools)
}

func (s mcpService) selects(tool string) bool {
	return slices.ContainsFunc(s.selectors, func(selector string) bool {
		prefix, open := strings.CutSuffix(selector, "*")
		return selector == tool || open && strings.HasPrefix(tool, prefix)
	})
}

// refuse answers a call of a tool that the service leaves out.
func (s mcpService) refuse(r *request) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var call struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params struct {
			Name string `json:"name"`
		} `json:"params"`
	}
	if json.Unmarshal(body, &call) != nil || call.Method != "tools/call" || s.selects(call.Params.Name) {
		return nil
	}
	reply(r.w, http.StatusOK, object{"jsonrpc": "2.0", "id": call.ID, "error": object{"code": -32003, "message": "Tool not allowed by MCP service configuration."}})
	return errWritten
}

// answer serves one request with these tools: the plain half of streamable HTTP, in
// which every POST is one message and its answer one JSON object.
func (m *managed) answer(r *request, tools []server.ServerTool) (any, error) {
	if r.Method != http.MethodPost {
		return nil, failure(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "This server has no streams and no sessions.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(r.w, r.Body, maxBody))
	if err != nil {
		return nil, failure(http.StatusRequestEntityTooLarge, "INVALID_PARAMETER_VALUE", "Request body is too large")
	}
	s := server.NewMCPServer("databricks-managed-mcp", "1.0.0", server.WithToolCapabilities(false), server.WithRecovery())
	s.AddTools(tools...)
	message := s.HandleMessage(r.Context(), body)
	if message == nil { // a notification
		return answer{http.StatusAccepted, nil}, nil
	}
	return message, nil
}

// managedTool is a tool whose arguments are those of schema. What run answers is
// sent as JSON text, or as it is when it is a text; an error becomes an error
// result.
func managedTool(name, description string, schema object, readOnly bool, run func(ctx context.Context, given object, meta map[string]any) (any, error)) server.ServerTool {
	raw, err := json.Marshal(schema)
	if err != nil {
		panic(err) // constant forms
	}
	return server.ServerTool{
		Tool: mcp.Tool{Name: name, Description: description, RawInputSchema: raw, Annotations: mcp.ToolAnnotation{ReadOnlyHint: mcp.ToBoolPtr(readOnly)}},
		Handler: func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			given := object{}
			if err := unmarshal(req.Params.RawArguments, &given); err != nil {
				return mcp.NewToolResultError("the arguments are no JSON object"), nil
			}
			var meta map[string]any
			if req.Params.Meta != nil {
				meta = req.Params.Meta.AdditionalFields
			}
			got, err := run(ctx, given, meta)
			if err != nil {
				if _, asks := err.(mcp.URLElicitationRequiredError); asks {
					return nil, err
				}
				return mcp.NewToolResultError(err.Error()), nil
			}
			if text, ok := got.(string); ok {
				return mcp.NewToolResultText(text), nil
			}
			encoded, err := json.Marshal(got)
			if err != nil {
				return nil, err
			}
			return mcp.NewToolResultText(string(encoded)), nil
		},
	}
}

// needing is the schema of string arguments, those before "?" required.
func needing(names ...string) object {
	properties, required := object{}, []string{}
	for _, name := range names {
		name, optional := strings.CutSuffix(name, "?")
		properties[name] = object{"type": "string"}
		if !optional {
			required = append(required, name)
		}
	}
	return object{"type": "object", "properties": properties, "required": required}
}
