package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"go.uber.org/zap"
)

// Upstream is one MCP server of a workspace as one user sees it; transport/managed
// has it. Its errors are *catalog.Error.
type Upstream interface {
	// Tools asks for the tools, each in the server's own JSON.
	Tools(ctx context.Context) ([]json.RawMessage, error)
	// Call calls a tool; params are those of tools/call. A repeatable call may be sent
	// again when nobody knows what became of it.
	// Progress hears how far it has come, and ask puts forms of the server to a person:
	// both may be nil.
	Call(ctx context.Context, params json.RawMessage, repeatable bool, progress func(message string), ask Asker) (json.RawMessage, error)
	// Close ends the session; a later call begins another.
	Close()
}

// Asker puts a form of a server to the person behind a call. The action is accept,
// decline or cancel, and content what was filled in.
type Asker = func(ctx context.Context, message string, schema json.RawMessage) (action string, content json.RawMessage)

const (
	// listedFor is how long a list of tools is believed, and listRetry how soon after a
	// failure a server is asked again.
	listedFor = 10 * time.Minute
	listRetry = 30 * time.Second
	// listTime bounds asking one server; listPatience what tools/list waits for those
	// that were never asked. Whoever comes later is announced.
	listTime     = 10 * time.Second
	listPatience = 2 * time.Second
	// listAgain is how soon a list is asked for again because a tool is not in it.
	listAgain = 5 * time.Second
)

// federation is the MCP servers of the workspaces whose tools are shown beside ours.
type federation struct{ servers []*federated }

// federated is one of them.
type federated struct {
	ManagedServer
	root *Server // that has the MCP side
	w    *Server // of the workspace
	open func(server ManagedServer, changed func()) Upstream
	now  func() time.Time

	registering sync.Mutex // held while names are registered; taken before mu

	mu    sync.Mutex
	views map[string]*managedView // by user; "" is one that is not known yet
	swept time.Time               // when views were last looked through
	added map[string]bool         // names that are registered
}

// federate makes the tools of other servers ours, as far as any are configured.
func (s *Server) federate(cfg Config, hooks *server.Hooks) {
	fed := s.newFederation(cfg.Managed, cfg.Workspaces)
	if fed == nil {
		return
	}
	for _, w := range s.workspaces {
		w.federation = fed
	}
	hooks.AddBeforeCallTool(fed.beforeCall)
}

// Close ends the sessions with other servers.
func (s *Server) Close() {
	if s.federation != nil {
		s.federation.close()
	}
}

// newFederation joins the servers with their workspaces; nil without any.
func (s *Server) newFederation(servers []ManagedServer, workspaces []Workspace) *federation {
	fed := &federation{}
	for _, m := range servers {
		i := 0
		if m.Profile != "" {
			i = slices.IndexFunc(workspaces, func(w Workspace) bool { return w.Name == m.Profile })
		}
		if i < 0 || workspaces[i].Managed == nil {
			s.log.Warn("an MCP server is of no workspace that is served", zap.String("prefix", m.Prefix), zap.String("profile", m.Profile))
			continue
		}
		fed.servers = append(fed.servers, &federated{
			ManagedServer: m, root: s, w: s.workspaces[i], open: workspaces[i].Managed, now: time.Now,
			views: map[string]*managedView{}, added: map[string]bool{},
		})
	}
	if len(fed.servers) == 0 {
		return nil
	}
	return fed
}

// of is the server that a tool of that name belongs to; nil: it is none of theirs.
func (fed *federation) of(tool string) *federated {
	if fed == nil {
		return nil
	}
	for _, f := range fed.servers {
		if strings.HasPrefix(tool, f.Prefix+"_") {
			return f
		}
	}
	return nil
}

// find is a tool that the user behind ctx may see listed, known or asked for now.
func (f *federated) find(ctx context.Context, name string) (*managedTool, error) {
	for again := false; ; again = true {
		f.mu.Lock()
		v := f.view(ctx)
		t := v.tools[name]
		if t == nil && !again && (v.loading != nil || f.now().Sub(v.asked) >= listAgain || wantsSignIn(v.err)) {
			f.load(ctx, v)
		}
		loading, err := v.loading, v.err
		f.mu.Unlock()
		switch {
		case t != nil:
			return t, nil
		case loading != nil && !again:
			select {
			case <-loading:
				continue
			case <-ctx.Done():
				return nil, &catalog.Error{Kind: catalog.Busy, Err: ctx.Err(), Message: name + ": the tools of " + f.String() + " were not listed in time",
					Advice: "Call again in a moment. Nothing was sent."}
			}
		case err != nil:
			e := *catalog.AsError(err)
			e.Message = name + ": the tools of " + f.String() + " could not be listed: " + e.Message
			return nil, &e
		}
		return nil, &catalog.Error{Kind: catalog.Missing, Message: name + ": " + f.String() + " has no such tool",
			Advice: "List the tools again: they may have changed. Nothing was sent."}
	}
}

// appendTools adds the tools of all servers that allowed lets the client see. It
// waits a moment for servers that were never asked, and for no other.
func (fed *federation) appendTools(ctx context.Context, listed []mcp.Tool, allowed func(*catalog.Row) bool) []mcp.Tool {
	listed = slices.DeleteFunc(listed, func(t mcp.Tool) bool { return fed.of(t.Name) != nil })
	patience, cancel := context.WithTimeout(ctx, listPatience)
	defer cancel()
	var first []<-chan struct{}
	for _, f := range fed.servers { // all at once
		if _, loading := f.listed(ctx); loading != nil {
			first = append(first, loading)
		}
	}
	for _, loading := range first {
		select {
		case <-loading:
		case <-patience.Done():
		}
	}
	for _, f := range fed.servers {
		tools, _ := f.listed(ctx)
		for _, t := range tools {
			if allowed(t.row) {
				listed = append(listed, t.listed)
			}
		}
	}
	slices.SortFunc(listed, func(a, b mcp.Tool) int { return strings.Compare(a.Name, b.Name) })
	return listed
}

// beforeCall makes a tool callable that a client knows from an earlier session.
func (fed *federation) beforeCall(ctx context.Context, _ any, req *mcp.CallToolRequest) {
	f := fed.of(req.Params.Name)
	if f == nil || f.root.mcp.GetTool(req.Params.Name) != nil {
		return
	}
	waiting, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	_, err := f.find(waiting, req.Params.Name)
	var e *catalog.Error
	if !errors.As(err, &e) || e.Kind == catalog.Missing && !f.fails(ctx) || !allowedName(req.Params.Name) {
		return
	}
	// The call says why its server cannot be asked, instead of "not found".
	f.registering.Lock()
	defer f.registering.Unlock()
	f.mu.Lock()
	fresh := len(f.added) < 2*maxManagedTools && !f.added[req.Params.Name]
	if fresh {
		f.added[req.Params.Name] = true
	}
	f.mu.Unlock()
	if fresh {
		f.register([]string{req.Params.Name}, nil)
	}
}

// fails reports a server whose tools could not be listed when that was last tried.
func (f *federated) fails(ctx context.Context) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.view(ctx).err != nil
}

// report is the state of all servers, for whoami: {prefix, server, tools, error?}.
func (fed *federation) report(ctx context.Context) string {
	out := []byte{'['}
	for _, f := range fed.servers {
		f.mu.Lock()
		v := f.view(ctx)
		count, known, err := len(v.tools), v.known, v.err
		f.mu.Unlock()
		var o object
		o.text("prefix", f.Prefix)
		o.text("server", f.String())
		if known {
			o.integer("tools", int64(count))
		}
		if err != nil {
			e := catalog.AsError(err)
			if e.Quoted {
				o.untrusted("error")
			}
			o.text("error", string(e.Kind)+": "+e.Message)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, o.bytes()...)
	}
	return string(append(out, ']'))
}

// awaitsSignIn reports a server whose tools could not be listed for want of a sign-in.
func (fed *federation) awaitsSignIn() bool {
	if fed == nil {
		return false
	}
	return slices.ContainsFunc(fed.servers, func(f *federated) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, v := range f.views {
			if wantsSignIn(v.err) {
				return true
			}
		}
		return false
	})
}

// ManagedTool is a tool of another server, as it is listed and as it is judged.
type ManagedTool struct {
	Listed mcp.Tool
	Row    *catalog.Row
}

// ManagedTools are the tools of all other servers by name, and why those of some could
// not be listed. It waits for each as long as one may take, and no longer than ctx.
func (s *Server) ManagedTools(ctx context.Context) (all []ManagedTool, failed []error) {
	if s.federation == nil {
		return nil, nil
	}
	var views []*managedView
	for _, f := range s.federation.servers { // all at once
		f.mu.Lock()
		v := f.view(ctx)
		if !v.known {
			f.load(ctx, v)
		}
		views = append(views, v)
		f.mu.Unlock()
	}
	for i, f := range s.federation.servers {
		f.mu.Lock()
		loading := views[i].loading
		f.mu.Unlock()
		err := error(nil)
		if loading != nil {
			select {
			case <-loading:
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		f.mu.Lock()
		if err == nil {
			err = views[i].err
		}
		for _, t := range views[i].tools {
			all = append(all, ManagedTool{t.listed, t.row})
		}
		f.mu.Unlock()
		if err != nil {
			failed = append(failed, fmt.Errorf("the tools of %s (%s) are not listed: %w", f.Prefix, f, err))
		}
	}
	slices.SortFunc(all, func(a, b ManagedTool) int { return strings.Compare(a.Listed.Name, b.Listed.Name) })
	return all, failed
}
