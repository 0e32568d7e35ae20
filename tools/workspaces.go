package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/policy"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// Workspace is one workspace that the tools work in. Tokens, limits and what is
// remembered of results are its own.
type Workspace struct {
	Name  string // of the profile; shown when there are several
	API   catalog.Caller
	Links Links

	// WhoAmI tells who is asking there, as the JSON that the whoami tool answers;
	// nil: there is no such tool.
	WhoAmI func(context.Context) (json.RawMessage, error)

	// App opens a Databricks App of the workspace by its URL, with the user's own
	// token; nil: apps cannot be reached.
	App func(ctx context.Context, url string) (catalog.Caller, error)

	// Identify asks the workspace who is signed in; nil: nobody knows.
	Identify func(context.Context) (Identity, error)

	// Managed opens an MCP server of the workspace, for the signed-in user; changed is
	// to be told when the server says that its tools are others. nil: there are none.
	Managed func(server ManagedServer, changed func()) Upstream

	// Host names the workspace in audit lines; nil: Name does.
	Host func() string

	// Address is the URL of the workspace, below which people may be sent to sign in to
	// connections; nil: Host is.
	Address func() string

	// Warehouse is the id of the SQL warehouse for queries that name none; nil or
	// "": one is picked.
	Warehouse func() string
}

// profileArgument picks a workspace when there are several. The schemas name it
// only then.
const profileArgument = "profile"

func (s *Server) names() []string {
	names := make([]string, len(s.workspaces))
	for i, w := range s.workspaces {
		names[i] = w.name
	}
	return names
}

// several reports whether calls have a choice of workspaces.
func (s *Server) several() bool { return len(s.workspaces) > 1 }

// sibling is the same server in another workspace, without an MCP side of its own.
func (s *Server) sibling(w Workspace) *Server {
	api := w.API
	if s.audit != nil {
		api = tracing{w.API}
	}
	sibling := &Server{
		name: w.Name, api: api, links: w.Links, who: w.WhoAmI, host: w.Host, address: w.Address, app: w.App, warehouse: w.Warehouse,
		access: s.access, structured: s.structured, budget: s.budget, dirs: s.dirs, log: s.log, saving: s.saving,
		policies: s.policies, ruled: s.ruled, audit: s.audit, auditNeed: s.auditNeed, observe: s.observe,
		confirmations: s.confirmations, duplicates: s.duplicates, stateDir: s.stateDir,
		identities: &identities{ask: w.Identify, now: time.Now}, lookups: &lookups{api: api, now: time.Now},
		registry: s.registry, approvals: s.approvals,
	}
	sibling.runner = sibling.newRunner()
	return sibling
}

// in finds the workspace that a call is for, and its arguments without the name.
func (s *Server) in(tool string, args json.RawMessage) (*Server, json.RawMessage, error) {
	if f := s.federation.of(tool); f != nil {
		return f.w, args, nil // its tools are of one workspace
	}
	first := s.workspaces[0]
	if !s.several() || !gjson.ValidBytes(args) {
		return first, args, nil
	}
	given := gjson.GetBytes(args, profileArgument)
	if !given.Exists() || given.Type == gjson.Null {
		return first, args, nil
	}
	for _, w := range s.workspaces {
		if given.Type == gjson.String && w.name == given.Str {
			rest, err := sjson.DeleteBytes(args, profileArgument)
			return w, rest, err
		}
	}
	shown := given.Raw
	if len(shown) > 64 {
		shown = cutText(shown, 64) + "…"
	}
	return nil, nil, &catalog.Error{Kind: catalog.Invalid, Message: fmt.Sprintf("%s: %q cannot be %s", tool, profileArgument, shown),
		Advice: "Valid profiles: " + strings.Join(s.names(), ", ") + "; the first is the default. Nothing was sent."}
}

// schema is a row's input schema, with the choice of a workspace when there is one.
func (s *Server) schema(plain json.RawMessage) json.RawMessage {
	if !s.several() {
		return plain
	}
	property, err := json.Marshal(map[string]any{"type": "string", "enum": s.names(), "description": "Workspace; default " + s.workspaces[0].name})
	if err == nil {
		plain, err = sjson.SetRawBytes(slices.Clone(plain), "properties."+profileArgument, property)
	}
	if err != nil { // constant forms: cannot happen
		panic(err)
	}
	return plain
}

// signed names the workspace in an answer when there are several.
func (s *Server) signed(w *Server, answer []byte) []byte {
	if !s.several() || len(answer) < 2 || answer[len(answer)-1] != '}' {
		return answer
	}
	o := object{buf: slices.Clone(answer[:len(answer)-1])}
	o.text("workspace", w.name)
	return o.bytes()
}

// WhoAmI is the one tool that is no endpoint: it tells an agent, and its person,
// as whom calls go out and what they may do, and of one call why it would be
// allowed or not. Every access level has it.
func WhoAmI() mcp.Tool {
	return mcp.Tool{
		Name: whoAmIName, Title: "Who am I", Description: "Show the signed-in user, workspace and access levels, or why a call is allowed or not.",
		RawInputSchema: json.RawMessage(`{"type":"object","properties":{"tool":{"type":"string","description":"Its name"},"arguments":{"type":"object","description":"Its arguments"}}}`),
		Annotations: mcp.ToolAnnotation{
			ReadOnlyHint: mcp.ToBoolPtr(true), DestructiveHint: mcp.ToBoolPtr(false),
			IdempotentHint: mcp.ToBoolPtr(true), OpenWorldHint: mcp.ToBoolPtr(true),
		},
	}
}

const whoAmIName = "whoami"

func (s *Server) whoAmI() server.ServerTool {
	tool := WhoAmI()
	tool.RawInputSchema = noSchema
	return server.ServerTool{
		Tool: tool,
		Handler: func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			called, end := withProgress(ctx, s.mcp, req)
			defer end()
			answer, err := s.runWhoAmI(called, req.Params.RawArguments)
			if asked, askErr := askToSignIn(ctx, req, err); asked != nil || askErr != nil {
				return asked, askErr
			}
			return s.result(whoAmIName, answer, err), nil
		},
	}
}

// CallWhoAmI is Call for whoami.
func (s *Server) CallWhoAmI(ctx context.Context, args json.RawMessage) *mcp.CallToolResult {
	answer, err := s.runWhoAmI(ctx, args)
	return s.result(whoAmIName, answer, err)
}

func (s *Server) runWhoAmI(ctx context.Context, args json.RawMessage) (answer []byte, err error) {
	w, rest, err := s.in(whoAmIName, args)
	if err != nil {
		s.unplaced(ctx, whoAmIRow, nil, err)
		return nil, err
	}
	args = rest
	r := w.newRecord(ctx, whoAmIRow)
	defer func() {
		if p := recover(); p != nil {
			answer, err = nil, s.panicked(whoAmIName, p)
		}
		r.end(ctx, answer, err, false)
	}()
	r.decided(policy.Decision{Action: policy.Allow, Rule: "every level"})
	asked, err := w.bindQuestion(ctx, args)
	if err != nil {
		return nil, err
	}
	if err := r.begin(nil); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.recorded(ctx), callTime)
	defer cancel()
	if answer, err = w.who(ctx); err != nil {
		return nil, err
	}
	if s.federation != nil && len(answer) > 2 && answer[len(answer)-1] == '}' {
		o := object{buf: slices.Clone(answer[:len(answer)-1])}
		o.raw("managed", s.federation.report(ctx))
		answer = o.bytes()
	}
	if asked.row != nil {
		answer = w.explain(ctx, asked, answer)
	}
	return s.signed(w, answer), nil
}
