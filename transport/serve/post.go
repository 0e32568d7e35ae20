package serve

import (
	"context"
	"net/http"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// httpSession is the session of one request.
type httpSession struct {
	*session
	key string // of the user's session, for what spans its requests; "": it has none
}

// post serves one message of a client over streamable HTTP.
func (e *Endpoint) post(w http.ResponseWriter, r *http.Request, p Principal) {
	defer p.Release()
	if !accepts(r, "application/json", "text/event-stream") {
		refuse(w, http.StatusNotAcceptable, nil, mcp.INVALID_REQUEST, "Accept must have application/json and text/event-stream")
		return
	}
	text, ok := body(w, r)
	if !ok {
		return
	}
	m, problem := parse(text)
	era := readEra(r.Header, message{raw: text, root: m.root})
	s := httpSession{session: &session{questions: e.questions, level: mcp.LoggingLevelInfo}}
	s.Initialize() // what was before is not known, and does not matter
	if !era.modern && m.method != string(mcp.MethodInitialize) {
		if s, ok = e.resume(w, r, p, s, m.id); !ok {
			return
		}
	}
	if problem != nil {
		s.questions.answer(s.id, m.id, nil) // should it have been to answer one
		status := http.StatusBadRequest
		if problem.code == mcp.INVALID_PARAMS && !era.modern {
			status = http.StatusOK
		}
		refuse(w, status, m.id, problem.code, problem.text)
		return
	}
	if refusal := era.check(r.Header, m, p.Server); refusal != nil {
		refuseWith(w, http.StatusBadRequest, m.id, *refusal)
		return
	}
	ctx := p.Server.WithContext(p.With(r.Context()), s.session)
	switch {
	case m.method == "":
		if s.key == "" || !e.questions.answer(s.id, m.id, m.raw) {
			e.Log.Debug("ignored an answer that nobody waits for")
		}
		w.WriteHeader(http.StatusAccepted)
	case m.method == string(mcp.MethodNotificationCancelled):
		// Without a session nobody can tell whose call is meant; such clients cancel by
		// closing the request.
		if id := cancelled(m); s.key != "" && id != "" {
			e.calls.cancel(s.key + id)
		}
		w.WriteHeader(http.StatusAccepted)
	case m.id == nil:
		p.Server.HandleMessage(ctx, m.raw)
		w.WriteHeader(http.StatusAccepted)
	case m.method == string(mcp.MethodInitialize) && !era.modern:
		e.initialize(w, r, p, s, m)
	case m.method == string(mcp.MethodSubscriptionsListen) && era.modern:
		e.subscribe(w, r, p, m)
	default:
		e.call(w, ctx, p, s, m, era.modern)
	}
}

// resume is the session that a request names; without a name it is one that ends
// with the request. It is false when the request is answered already.
func (e *Endpoint) resume(w http.ResponseWriter, r *http.Request, p Principal, s httpSession, id []byte) (httpSession, bool) {
	name := r.Header.Get(mcp.HeaderSessionID)
	if name == "" {
		return s, true
	}
	g, ok := readGrant(e.Key, p.ID, name, e.now())
	key := sessionKey(p, g)
	if !ok || e.ended.has(key) {
		refuse(w, http.StatusNotFound, id, mcp.INVALID_REQUEST, "session not found; initialize a new one")
		return s, false
	}
	s.key, s.id = key, key
	s.client, s.protocol, s.capabilities.Elicitation = g.client, g.protocol, g.elicitation
	return s, true
}

// sessionKey names a session among those of all users.
func sessionKey(p Principal, g grant) string { return p.ID + "\x00" + g.nonce }

// initialize answers with a session that knows its client.
func (e *Endpoint) initialize(w http.ResponseWriter, r *http.Request, p Principal, s httpSession, m message) {
	x := &exchange{response: newResponse(w, e.readTime), heartbeat: e.Heartbeat, abandon: func() {}}
	s.outlet = x
	answer := answer(p.Server.WithContext(p.With(r.Context()), &handshake{session: s.session}), p.Server, e.Log, m)
	if version := s.ProtocolVersion(); version != "" {
		g := grant{nonce: newNonce(), issued: e.now(), protocol: version, client: s.client, elicitation: s.capabilities.Elicitation}
		w.Header().Set(mcp.HeaderSessionID, g.sign(e.Key, p.ID))
	}
	x.finish(answer)
}

// call runs one request. Its answer is all of the response, unless something is
// said before it.
func (e *Endpoint) call(w http.ResponseWriter, ctx context.Context, p Principal, s httpSession, m message, modern bool) {
	ctx, cancel := context.WithCancel(ctx) // of a client that goes away it is done already
	defer cancel()
	x := &exchange{response: newResponse(w, e.readTime), heartbeat: e.Heartbeat, abandon: cancel}
	x.modern = modern
	s.outlet = x
	if s.key != "" {
		// Of two calls with one id the first is the one that can be cancelled: a client
		// that sends a request again after a break must not be refused.
		if key := s.key + string(m.id); e.calls.add(key, cancel) {
			defer e.calls.forget(key)
		}
	}
	defer time.AfterFunc(e.Heartbeat, x.quiet).Stop()
	x.finish(answer(ctx, p.Server, e.Log, m))
}

// delete ends a session, as far as this process is concerned.
func (e *Endpoint) delete(w http.ResponseWriter, r *http.Request, p Principal) {
	defer p.Release()
	if mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion)) {
		notAllowed(w, "POST")
		return
	}
	s, ok := e.named(w, r, p)
	if !ok {
		return
	}
	e.ended.add(s.key)
	e.mu.Lock()
	listening := e.streams[s.key]
	e.mu.Unlock()
	if listening != nil {
		listening.close()
	}
	w.WriteHeader(http.StatusNoContent)
}

// named is the session that a request must name.
func (e *Endpoint) named(w http.ResponseWriter, r *http.Request, p Principal) (httpSession, bool) {
	if r.Header.Get(mcp.HeaderSessionID) == "" {
		refuse(w, http.StatusBadRequest, nil, mcp.INVALID_REQUEST, mcp.HeaderSessionID+" is missing: it comes with the answer to initialize")
		return httpSession{}, false
	}
	return e.resume(w, r, p, httpSession{session: &session{questions: e.questions, level: mcp.LoggingLevelInfo}}, nil)
}

var _ server.SessionWithSubscriptionFilter = (*subscription)(nil)
