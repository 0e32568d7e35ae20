package serve

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"go.uber.org/zap"
)

// stream carries what the server has to say outside of requests to one client.
type stream struct {
	close context.CancelFunc
}

// listen is the stream of a legacy session. A second one takes the place of the
// first, which the client has lost.
func (e *Endpoint) listen(w http.ResponseWriter, r *http.Request, p Principal) {
	defer p.Release()
	switch {
	case mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion)):
		notAllowed(w, "POST")
		return
	case !accepts(r, "text/event-stream"):
		refuse(w, http.StatusNotAcceptable, nil, mcp.INVALID_REQUEST, "Accept must have text/event-stream")
		return
	}
	s, ok := e.named(w, r, p)
	if !ok || e.refusedAtEnd(w, nil) {
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(e.ending, cancel)()
	mine := &stream{close: cancel}
	e.mu.Lock()
	if lost := e.streams[s.key]; lost != nil {
		lost.close()
	}
	e.streams[s.key] = mine
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.streams[s.key] == mine {
			delete(e.streams, s.key)
		}
	}()
	out := newWriter(newResponse(w, e.readTime), 1, 16)
	s.outlet, s.id = out, rand.Text() // the stream it takes the place of may be registered still
	s.Initialize()
	if err := p.Server.RegisterSession(ctx, s.session); err != nil {
		e.Log.Error("cannot register a stream", zap.Error(err))
		refuse(w, http.StatusInternalServerError, nil, mcp.INTERNAL_ERROR, "internal error while opening the stream")
		return
	}
	defer p.Server.UnregisterSession(ctx, s.id)
	e.run(w, ctx, out)
}

// run writes a stream until ctx is done or the client does not read.
func (e *Endpoint) run(w http.ResponseWriter, ctx context.Context, out *writer) {
	unhurried(w)
	beats := time.NewTicker(e.Heartbeat)
	defer beats.Stop()
	out.beats = beats.C
	defer context.AfterFunc(ctx, out.end)()
	if err := out.out.(*response).open(); err != nil {
		return
	}
	out.run()
}

// subscription is the session of a client of 2026-07-28 that listens: it gets what
// it asked for, and nothing before mcp-go has set that.
type subscription struct {
	*session
	mu     sync.RWMutex
	filter mcp.SubscriptionFilter
}

func (s *subscription) SetSubscriptionFilter(filter mcp.SubscriptionFilter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.filter = filter
}

func (s *subscription) SubscriptionFilter() (mcp.SubscriptionFilter, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.filter, true
}

// subscribe serves subscriptions/listen: a request whose answer ends its stream.
func (e *Endpoint) subscribe(w http.ResponseWriter, r *http.Request, p Principal, m message) {
	if e.refusedAtEnd(w, m.id) {
		return
	}
	ctx, cancel := context.WithCancel(p.With(r.Context()))
	defer cancel()
	defer context.AfterFunc(e.ending, cancel)()
	wire := newResponse(w, e.readTime)
	wire.modern = true
	out := newWriter(wire, 2, 16)
	out.tag = json.RawMessage(m.id)
	s := &subscription{session: &session{id: rand.Text(), outlet: out, questions: e.questions}}
	s.Initialize()
	if err := p.Server.RegisterSession(ctx, s); err != nil {
		e.Log.Error("cannot register a subscription", zap.Error(err))
		refuse(w, http.StatusInternalServerError, m.id, mcp.INTERNAL_ERROR, "internal error while subscribing")
		return
	}
	defer p.Server.UnregisterSession(ctx, s.id)
	beats := time.NewTicker(e.Heartbeat)
	defer beats.Stop()
	out.beats = beats.C
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if answer := answer(p.Server.WithContext(ctx, s), p.Server, e.Log, m); answer != nil {
			out.write(answer)
		}
		out.end()
	}()
	out.run()
	cancel() // should the client not read
	<-answered
}
