package serve

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"path"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"go.uber.org/zap"
)

// maxPairCalls bounds the requests of one client over HTTP+SSE that run at once.
const maxPairCalls = 100

// sseClient is a client of the transport of 2024-11-05: it posts messages, and
// everything for it comes on one stream, which is its session.
type sseClient struct {
	*connection
	user string
	ctx  context.Context // of the session

	mu     sync.RWMutex // held while a message is taken in
	closed bool
}

// close lets no message in any more.
func (c *sseClient) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// connect serves the stream.
func (e *Endpoint) connect(w http.ResponseWriter, r *http.Request, p Principal) {
	defer p.Release()
	if !accepts(r, "text/event-stream") {
		refuse(w, http.StatusNotAcceptable, nil, mcp.INVALID_REQUEST, "Accept must have text/event-stream")
		return
	}
	if e.refusedAtEnd(w, nil) {
		return
	}
	calls, abort := context.WithCancel(p.With(r.Context()))
	defer abort()
	out := newResponse(w, e.readTime)
	writer := newWriter(out, 16, 32)
	s := &session{id: rand.Text(), outlet: writer, questions: e.questions, level: mcp.LoggingLevelInfo}
	c := &sseClient{
		connection: &connection{server: p.Server, log: e.Log, session: s, writer: writer, slots: make(chan struct{}, maxPairCalls)},
		user:       p.ID,
		ctx:        server.WithSupportedProtocolVersions(p.Server.WithContext(calls, s), mcp.LegacyProtocolVersions()),
	}
	if err := p.Server.RegisterSession(calls, s); err != nil {
		e.Log.Error("cannot register a session", zap.Error(err))
		refuse(w, http.StatusInternalServerError, nil, mcp.INTERNAL_ERROR, "internal error while opening the stream")
		return
	}
	defer p.Server.UnregisterSession(calls, s.id)
	e.mu.Lock()
	e.pairs[s.id] = c
	e.mu.Unlock()
	// In this order: nobody finds the session, no message is let in, calls end.
	defer c.running.Wait()
	defer abort()
	defer c.close()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.pairs, s.id)
	}()
	// The path that the client came by, with what stands before it.
	address := &outgoing{}
	fmt.Fprintf(address, "%s?sessionId=%s\n", path.Join(path.Dir(r.URL.EscapedPath()), "message"), s.id)
	if err := out.event("endpoint", address); err != nil {
		return
	}
	finish := func() {
		c.close()
		c.running.Wait() // calls are answered first, also those that were told to end
		writer.end()
	}
	defer context.AfterFunc(e.ending, finish)()
	defer context.AfterFunc(calls, finish)()
	e.run(w, writer)
}

// message takes one message of a client in; what there is to say comes on its stream.
func (e *Endpoint) message(w http.ResponseWriter, r *http.Request, p Principal) {
	release := p.Release
	defer func() { release() }()
	text, ok := body(w, r)
	if !ok {
		return
	}
	e.mu.Lock()
	c := e.pairs[r.URL.Query().Get("sessionId")]
	e.mu.Unlock()
	if c == nil || c.user != p.ID {
		refuse(w, http.StatusNotFound, nil, mcp.INVALID_REQUEST, "session not found; open a new one with GET")
		return
	}
	m, problem := parse(text)
	if problem != nil {
		c.session.questions.answer(c.session.id, m.id, nil) // should it have been to answer one
		refuse(w, http.StatusBadRequest, m.id, problem.code, problem.text)
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, m.id, mcp.INTERNAL_ERROR, "the server is ending; connect again")
		return
	}
	if era := readEra(r.Header, m); mcp.IsModernProtocol(era.meta) && m.id != nil {
		refusal, err := encode(mcp.UnsupportedProtocolVersionError{Version: era.meta, Supported: mcp.LegacyProtocolVersions()}.JSONRPCError(), m.id)
		if err == nil {
			c.send(refusal)
		}
		w.WriteHeader(http.StatusAccepted)
		return
	}
	ctx := p.With(c.ctx)
	if c.receive(ctx, m) {
		select {
		case c.slots <- struct{}{}:
			c.begin(ctx, m, release)
			release = func() {} // when the call is over
		default:
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusTooManyRequests, m.id, mcp.INVALID_REQUEST, fmt.Sprintf("%d requests of this session run already", maxPairCalls))
			return
		}
	}
	w.WriteHeader(http.StatusAccepted)
}
