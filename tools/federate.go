package tools

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
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
	Call(ctx context.Context, params json.RawMessage, repeatable bool, progress func(message string)) (json.RawMessage, error)
	Close()
}

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

	mu    sync.Mutex
	views map[string]*managedView // by user; "" is one that is not known yet
	added map[string]bool         // names that are registered
}

// managedView is a server as one user sees it. It is guarded by federated.mu.
type managedView struct {
	upstream Upstream
	tools    map[string]*managedTool
	known    bool // tools were listed at least once
	asked    time.Time
	stale    bool
	err      error // of the last listing
	loading  chan struct{}
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

// view is what the user behind ctx sees of the server. f.mu is held. When it turns
// out who the user is, what was seen until then is theirs.
func (f *federated) view() *managedView {
	who, _ := f.w.identities.last()
	v := f.views[who.User]
	if v == nil && who.User != "" && f.views[""] != nil {
		v = f.views[""]
		delete(f.views, "")
		f.views[who.User] = v
	}
	if v == nil {
		v = &managedView{}
		f.views[who.User] = v
	}
	return v
}

// listed is what is known of the tools, and what to wait for when the server was never
// heard of. What is old is asked for again in the background.
func (f *federated) listed(ctx context.Context) (tools map[string]*managedTool, first <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.view()
	never, age := v.asked.IsZero(), f.now().Sub(v.asked)
	// A server that says with every list that it has changed must not keep clients busy.
	if never || v.stale && age >= listAgain || v.err == nil && age >= listedFor || v.err != nil && age >= listRetry {
		f.load(ctx, v)
	}
	if never {
		first = v.loading
	}
	return v.tools, first
}

// find is a tool that the user behind ctx may see listed, known or asked for now.
func (f *federated) find(ctx context.Context, name string) (*managedTool, error) {
	for again := false; ; again = true {
		f.mu.Lock()
		v := f.view()
		t := v.tools[name]
		if t == nil && !again && (v.loading != nil || f.now().Sub(v.asked) >= listAgain) {
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
				return nil, ctx.Err()
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

// load asks for the tools in the background, once at a time. f.mu is held.
func (f *federated) load(ctx context.Context, v *managedView) {
	if v.loading != nil {
		return
	}
	if v.upstream == nil {
		v.upstream = f.open(f.ManagedServer, func() { f.changed(v) })
	}
	done := make(chan struct{})
	v.loading, v.stale = done, false
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listTime)
	f.w.background.Go(func() {
		defer cancel()
		defer close(done)
		f.loaded(v, func() (tools map[string]*managedTool, err error) {
			defer func() { // what a server says must not end this process
				if p := recover(); p != nil {
					err = f.root.panicked(f.Prefix, p)
				}
			}()
			raw, err := v.upstream.Tools(ctx)
			if err != nil {
				return nil, err
			}
			return f.managedTools(raw, func(problem string) { f.logger().Warn("a tool of an MCP server: " + problem) }), nil
		})
	})
}

func (f *federated) logger() *zap.Logger {
	return f.root.log.With(zap.String("prefix", f.Prefix), zap.String("server", f.String()))
}

// loaded takes a list over and tells clients when it is another one.
func (f *federated) loaded(v *managedView, list func() (map[string]*managedTool, error)) {
	log := f.logger()
	tools, err := list()
	f.mu.Lock()
	failed := v.err != nil
	v.loading, v.asked, v.err = nil, f.now(), err
	differs := false
	var fresh []string
	var gone []string
	if err == nil {
		differs = !v.known && len(tools) > 0 || v.known && !sameTools(v.tools, tools)
		v.tools, v.known = tools, true
		fresh, gone = f.registrations()
	}
	f.mu.Unlock()
	switch {
	case err != nil && !failed:
		log.Warn("an MCP server of the workspace does not list its tools; the others are not concerned", zap.String("error", catalog.AsError(err).Message))
	case err == nil && failed:
		log.Info("an MCP server of the workspace lists its tools again")
	}
	f.register(fresh, gone)
	if differs && len(fresh) == 0 && len(gone) == 0 {
		f.root.ToolsChanged()
	}
}

// registrations are the names that are to be registered, and those that no user sees
// any more. f.mu is held.
func (f *federated) registrations() (fresh, gone []string) {
	seen := map[string]bool{}
	for _, v := range f.views {
		for name := range v.tools {
			seen[name] = true
			if !f.added[name] {
				fresh = append(fresh, name)
				f.added[name] = true
			}
		}
	}
	for name := range f.added {
		if !seen[name] {
			gone = append(gone, name)
			delete(f.added, name)
		}
	}
	slices.Sort(fresh)
	slices.Sort(gone)
	return fresh, gone
}

// register makes names callable; either step tells clients that the list has changed.
// Which of them a client is shown, and may call, is judged then.
func (f *federated) register(fresh, gone []string) {
	if len(gone) > 0 {
		f.root.mcp.DeleteTools(gone...)
	}
	var all []server.ServerTool
	for _, name := range fresh {
		all = append(all, server.ServerTool{Tool: mcp.Tool{Name: name, RawInputSchema: noSchema}, Handler: f.serve(name)})
	}
	if len(all) > 0 {
		f.root.mcp.AddTools(all...)
	}
}

func sameTools(a, b map[string]*managedTool) bool {
	return maps.EqualFunc(a, b, func(a, b *managedTool) bool {
		return a.upstream == b.upstream && a.listed.Description == b.listed.Description && a.listed.Title == b.listed.Title &&
			string(a.listed.RawInputSchema) == string(b.listed.RawInputSchema) && a.row.Effect == b.row.Effect
	})
}

// changed: the server says that its tools are others now.
func (f *federated) changed(v *managedView) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v.stale = true
	if f.now().Sub(v.asked) >= listAgain {
		f.load(context.Background(), v)
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
	if !errors.As(err, &e) || e.Kind == catalog.Missing || !allowedName(req.Params.Name) {
		return
	}
	// The call says why its server cannot be asked, instead of "not found".
	f.mu.Lock()
	room := len(f.added) < 2*maxManagedTools
	if room {
		f.added[req.Params.Name] = true
	}
	f.mu.Unlock()
	if room {
		f.register([]string{req.Params.Name}, nil)
	}
}

// report is the state of all servers, for whoami: {prefix, server, tools, error?}.
func (fed *federation) report() string {
	out := []byte{'['}
	for _, f := range fed.servers {
		f.mu.Lock()
		v := f.view()
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

// close ends the sessions with all servers.
func (fed *federation) close() {
	for _, f := range fed.servers {
		f.mu.Lock()
		views := slices.Collect(maps.Values(f.views))
		f.mu.Unlock()
		for _, v := range views {
			f.mu.Lock()
			upstream := v.upstream
			f.mu.Unlock()
			if upstream != nil {
				upstream.Close()
			}
		}
	}
}
