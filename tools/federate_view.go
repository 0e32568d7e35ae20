package tools

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"go.uber.org/zap"
)

const (
	// maxViews bounds how many users of one server are remembered, each with a session
	// and a list of tools; viewIdle is how long one is who does nothing.
	maxViews = 256
	viewIdle = time.Hour
)

// managedView is a server as one user sees it: nothing of it is shown to another. It
// is guarded by federated.mu.
type managedView struct {
	upstream Upstream
	tools    map[string]*managedTool
	known    bool      // tools were listed at least once
	began    time.Time // when the last listing did
	asked    time.Time // when it ended
	used     time.Time
	stale    bool
	err      error // of the last listing
	loading  chan struct{}
	calls    int // under way: the session stays open
}

func (v *managedView) busy() bool { return v.calls > 0 || v.loading != nil }

// view is what the user behind ctx sees of the server. f.mu is held.
func (f *federated) view(context.Context) *managedView {
	who, _ := f.w.identities.last() // all calls of a workspace are those of its one credential
	v := f.views[who.User]
	if first := f.views[""]; v == nil && who.User != "" && first != nil {
		// What was seen before the first user was known is that user's, and no other's.
		delete(f.views, "")
		if len(f.views) == 0 {
			v = first
		} else {
			f.retire(first)
		}
	}
	if v == nil {
		v = &managedView{}
	}
	f.views[who.User] = v
	v.used = f.now()
	f.sweep(v)
	return v
}

// sweep forgets users who have done nothing for long, and beyond maxViews those who
// have for longest. The one that is in use, and those with calls under way, stay. f.mu
// is held.
func (f *federated) sweep(inUse *managedView) {
	now := f.now()
	if len(f.views) <= maxViews && now.Sub(f.swept) < viewIdle/4 {
		return
	}
	f.swept = now
	byUse := slices.SortedFunc(maps.Keys(f.views), func(a, b string) int { return f.views[a].used.Compare(f.views[b].used) })
	for _, who := range byUse {
		v := f.views[who]
		if v == inUse || v.busy() || len(f.views) <= maxViews && now.Sub(v.used) < viewIdle {
			continue
		}
		delete(f.views, who)
		f.retire(v)
	}
}

// retire ends the session of a view that nobody has any more. f.mu is held.
func (f *federated) retire(v *managedView) {
	f.w.background.Go(func() {
		if v.upstream != nil {
			v.upstream.Close()
		}
		f.reregister()
	})
}

// connect is the server for the user whose view it is. f.mu is held.
func (f *federated) connect(v *managedView) Upstream {
	if v.upstream == nil {
		v.upstream = f.open(f.ManagedServer, func() { f.changed(v) })
	}
	return v.upstream
}

// listed is what is known of the tools, and what to wait for when the server was never
// heard of, or says that they are others now. What is merely old is asked for again in
// the background.
func (f *federated) listed(ctx context.Context) (tools map[string]*managedTool, first <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.view(ctx)
	now := f.now()
	awaited, age := v.asked.IsZero() || v.stale, now.Sub(v.asked)
	// A server that says with every list that it has changed must not keep clients busy.
	due := listedFor
	switch {
	case v.stale || wantsSignIn(v.err): // a person may have signed in by now
		due = listAgain
	case v.err != nil:
		due = listRetry
	}
	if v.asked.IsZero() || age >= due {
		f.load(ctx, v)
	}
	if awaited && v.loading != nil && now.Sub(v.began) < listPatience { // nobody waits for one that hangs
		first = v.loading
	}
	return v.tools, first
}

// load asks for the tools in the background, once at a time. f.mu is held.
func (f *federated) load(ctx context.Context, v *managedView) {
	if v.loading != nil {
		return
	}
	upstream, done := f.connect(v), make(chan struct{})
	v.loading, v.stale, v.began = done, false, f.now()
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
			raw, err := upstream.Tools(ctx)
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

// loaded takes a list over and tells clients when it is another one. A server that is
// gone has no tools; one that fails keeps those that it had.
func (f *federated) loaded(v *managedView, list func() (map[string]*managedTool, error)) {
	log := f.logger()
	tools, err := list()
	f.mu.Lock()
	failed := v.err != nil
	v.loading, v.asked, v.err = nil, f.now(), err
	differs := false
	if err == nil || catalog.AsError(err).Kind == catalog.Missing {
		differs = !sameTools(v.tools, tools)
		v.tools, v.known = tools, err == nil
	}
	f.mu.Unlock()
	switch {
	case err != nil && !failed:
		log.Warn("an MCP server of the workspace does not list its tools; the others are not concerned", zap.String("error", catalog.AsError(err).Message))
	case err == nil && failed:
		log.Info("an MCP server of the workspace lists its tools again")
	}
	if !f.reregister() && differs {
		f.root.ToolsChanged()
	}
}

// reregister makes the names callable that any user sees, and no others. It reports
// whether that told clients that the list has changed.
func (f *federated) reregister() bool {
	f.registering.Lock()
	defer f.registering.Unlock()
	f.mu.Lock()
	fresh, gone := f.registrations()
	f.mu.Unlock()
	f.register(fresh, gone)
	return len(fresh) > 0 || len(gone) > 0
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
// Which of them a client is shown, and may call, is judged then. f.registering is held.
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

// changed: the server says that its tools are others now. Clients are told, and the
// list that one of them asks for is a new one: here nobody is there to ask for.
func (f *federated) changed(v *managedView) {
	f.mu.Lock()
	v.stale = true
	tell := v.loading == nil && f.now().Sub(v.asked) >= listAgain
	f.mu.Unlock()
	if tell {
		f.root.ToolsChanged()
	}
}

// close ends the sessions with all servers, at once: each may take some seconds.
func (fed *federation) close() {
	var ending sync.WaitGroup
	for _, f := range fed.servers {
		f.mu.Lock()
		for _, v := range f.views {
			if v.upstream != nil {
				ending.Go(v.upstream.Close)
			}
		}
		f.mu.Unlock()
	}
	ending.Wait()
}
