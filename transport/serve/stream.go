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
	defer context.AfterFunc(ctx, out.end)()
	e.run(w, out)
}

// run writes a stream until its end or until the client does not read.
func (e *Endpoint) run(w http.ResponseWriter, out *writer) {
	unhurried(w)
	beats := time.NewTicker(e.Heartbeat)
	defer beats.Stop()
	out.beats = beats.C
	if err := out.out.(*response).open(); err != nil {
		return
	}
	out.run()
}

// subscription is the session of a client of 2026-07-28 that listens.
type subscription struct {
	*session
	granted context.CancelFunc
	mu      sync.RWMutex
	filter  mcp.SubscriptionFilter // of what it asked for, what there is
}

// SetSubscriptionFilter is called by mcp-go with what it grants, and with nothing
// when it takes the subscription for over, which for us it is not.
func (s *subscription) SetSubscriptionFilter(filter mcp.SubscriptionFilter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !filter.IsEmpty() {
		s.filter = filter
	}
	s.granted()
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
	answer := e.grant(ctx, p, s, m)
	switch {
	case answer == nil: // mcp-go never does that
		w.WriteHeader(http.StatusAccepted)
		return
	case answer.code != 0:
		_ = wire.send(answer)
		return
	case s.filter.IsEmpty():
		out.responses <- answer
		out.end()
		out.run()
		return
	}
	if err := p.Server.RegisterSession(ctx, s); err != nil {
		e.Log.Error("cannot register a subscription", zap.Error(err))
		refuse(w, http.StatusInternalServerError, m.id, mcp.INTERNAL_ERROR, "internal error while subscribing")
		return
	}
	defer p.Server.UnregisterSession(ctx, s.id)
	defer context.AfterFunc(ctx, func() {
		out.write(answer)
		out.end()
	})()
	e.run(w, out)
}

// grant lets mcp-go acknowledge the subscription and brings the answer that is to end
// it. mcp-go would wait for that end: in a goroutine whose stack is most of what an
// idle subscription costs, and this one is gone at once.
func (e *Endpoint) grant(ctx context.Context, p Principal, s *subscription, m message) *outgoing {
	ctx, s.granted = context.WithCancel(ctx)
	defer s.granted()
	answered := make(chan *outgoing)
	go func() { answered <- answer(p.Server.WithContext(ctx, s), p.Server, e.Log, m) }()
	return <-answered
}
