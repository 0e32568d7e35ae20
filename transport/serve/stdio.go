// Package serve connects agents to the MCP server: it owns the bytes on the
// agent's side. It stands on mcp-go's message handler and not on its stdio
// server, which serves five tool calls at a time, drops running calls at the end
// of input and keeps one session for the whole process.
package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
	"go.uber.org/zap"
)

const (
	// maxLine bounds one message. Larger ones are answered, not fatal.
	maxLine = 16 << 20
	// maxInFlight bounds the requests that run at once; beyond it reading pauses.
	maxInFlight = 1000
	// DefaultDrain is how long running calls may still answer after the end of input.
	DefaultDrain = 2 * time.Second
	// abortTime is how long cancelled calls may take to say so, and a client to
	// read that.
	abortTime = 500 * time.Millisecond
)

// Stdio serves one MCP client over a pair of streams, one JSON-RPC message a
// line. Every request runs at once: a slow one never delays another.
type Stdio struct {
	Server *server.MCPServer
	In     io.Reader
	Out    io.Writer
	Log    *zap.Logger   // nil: silent
	Drain  time.Duration // for running calls at the end; 0: DefaultDrain

	ctx      context.Context // of all requests
	session  *session
	writer   *writer
	running  sync.WaitGroup
	slots    chan struct{}
	ending   <-chan struct{} // closed when Run is to end
	mu       sync.Mutex
	inFlight map[string]context.CancelFunc // by the JSON text of the id
}

// Run serves until the input ends or ctx is done, then gives running calls the
// time of Drain to finish and be answered. The error is nil at the end of input, and
// the cause when the client can no longer be written to.
func (s *Stdio) Run(ctx context.Context) error {
	if s.Log == nil {
		s.Log = zap.NewNop()
	}
	if s.Drain == 0 {
		s.Drain = DefaultDrain
	}
	requests, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	s.session, s.ending = newSession(), ctx.Done()
	s.slots = make(chan struct{}, maxInFlight)
	s.inFlight = make(map[string]context.CancelFunc)
	s.writer = newWriter(s.Out, s.session.notifications)
	s.session.questions = newQuestions(s.writer)
	if err := s.Server.RegisterSession(requests, s.session); err != nil {
		return fmt.Errorf("register the stdio session: %w", err)
	}
	defer s.Server.UnregisterSession(requests, s.session.SessionID())
	s.ctx = s.Server.WithContext(requests, s.session)
	defer context.AfterFunc(ctx, func() { s.writer.expire(s.Drain + 2*abortTime) })()

	lines := make(chan line)
	stop := make(chan struct{})
	defer close(stop)
	go readLines(s.In, lines, stop)
	err := s.loop(ctx, lines)
	s.session.questions.end() // nothing reads answers from here on
	s.drain(abort)
	return errors.Join(err, s.writer.close())
}

func (s *Stdio) loop(ctx context.Context, lines <-chan line) error {
	for {
		select {
		case l, open := <-lines:
			switch {
			case !open || l.err == io.EOF:
				return nil
			case l.err != nil:
				return fmt.Errorf("read from the client: %w", l.err)
			}
			s.receive(l)
		case <-ctx.Done():
			return nil
		case <-s.writer.broken:
			return nil // close returns the cause
		}
	}
}

// drain waits for running calls, first for their answers, then for their end.
func (s *Stdio) drain(abort context.CancelFunc) {
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return
	case <-s.writer.broken: // nobody is left to answer
	case <-time.After(s.Drain):
	}
	abort()
	select {
	case <-done:
	case <-time.After(abortTime):
		s.Log.Warn("calls were still running at exit")
	}
}

// receive handles one line; it returns at once.
func (s *Stdio) receive(l line) {
	if l.tooLong {
		if s.session.questions.answer(l.id, nil) {
			return
		}
		s.refuse(l.id, mcp.INVALID_REQUEST, fmt.Sprintf("the message is longer than %d MiB; pass large contents by local_path", maxLine>>20))
		return
	}
	if len(bytes.TrimSpace(l.text)) == 0 {
		return
	}
	message, problem := parse(l.text)
	if problem != nil {
		if s.session.questions.answer(message.id, nil) { // a client takes no answer to its answer
			return
		}
		s.refuse(message.id, problem.code, problem.text)
		return
	}
	switch {
	case message.method == "":
		if !s.session.questions.answer(message.id, message.raw) {
			s.Log.Debug("ignored an answer that nobody waits for")
		}
	case message.method == string(mcp.MethodNotificationCancelled):
		s.cancel(gjson.GetBytes(message.raw, "params.requestId").Raw)
	case message.id == nil:
		s.Server.HandleMessage(s.ctx, message.raw)
	case message.method == string(mcp.MethodInitialize):
		ctx := s.Server.WithContext(s.ctx, &handshake{session: s.session})
		s.send(s.answer(message, ctx)) // in order: what follows may rely on it
	default:
		s.start(message)
	}
}

func (s *Stdio) start(message message) {
	ctx, cancel := context.WithCancel(s.ctx)
	key := string(message.id)
	s.mu.Lock()
	_, taken := s.inFlight[key]
	if !taken {
		s.inFlight[key] = cancel
	}
	s.mu.Unlock()
	if taken {
		cancel()
		s.refuse(message.id, mcp.INVALID_REQUEST, "a request with this id is still running")
		return
	}
	select {
	case s.slots <- struct{}{}:
	case <-s.ending: // too late to begin
		s.forget(key, cancel)
		s.send(refusal(message.id, mcp.INTERNAL_ERROR, "the server is ending"))
		return
	case <-s.writer.broken: // nobody is left to answer
		s.forget(key, cancel)
		return
	}
	s.running.Go(func() {
		answer := s.answer(message, ctx)
		s.forget(key, cancel) // before the answer: then the client may use the id again
		s.send(answer)
		<-s.slots
	})
}

func (s *Stdio) forget(key string, cancel context.CancelFunc) {
	s.mu.Lock()
	delete(s.inFlight, key)
	s.mu.Unlock()
	cancel()
}

func (s *Stdio) cancel(id string) {
	s.mu.Lock()
	cancel := s.inFlight[id]
	s.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// answer runs one request; nil means that there is none. A panic outside of a tool
// (tools have their own net) costs this request only.
func (s *Stdio) answer(message message, ctx context.Context) (answer *outgoing) {
	defer func() {
		if r := recover(); r != nil {
			s.Log.Error("panic while serving a request", zap.String("method", message.method), zap.Any("panic", r), zap.Stack("stack"))
			answer = refusal(message.id, mcp.INTERNAL_ERROR, "internal error while serving "+message.method)
		}
	}()
	response := s.Server.HandleMessage(ctx, message.raw)
	if response == nil {
		return nil
	}
	if refused, ok := response.(mcp.JSONRPCError); ok && isTypeError(refused) {
		return refusal(message.id, mcp.INVALID_PARAMS, "a member of the params of "+message.method+" has the wrong type")
	}
	answer, err := encode(response, message.id)
	if err != nil {
		s.Log.Error("cannot encode a response", zap.String("method", message.method), zap.Error(err))
		return refusal(message.id, mcp.INTERNAL_ERROR, "the answer cannot be encoded")
	}
	return answer
}

// isTypeError recognises mcp-go's answer to params that do not decode: the wrong
// code, and a text full of Go's type names.
func isTypeError(e mcp.JSONRPCError) bool {
	return e.Error.Code == mcp.INVALID_REQUEST && strings.Contains(e.Error.Message, "cannot unmarshal")
}

// send queues an answer, if there is one.
func (s *Stdio) send(answer *outgoing) {
	if answer != nil {
		s.writer.write(answer)
	}
}

// refusal is a JSON-RPC error; a nil id becomes null.
func refusal(id []byte, code int, text string) *outgoing {
	answer, err := encode(mcp.NewJSONRPCError(mcp.NewRequestId(nil), code, text, nil), id)
	if err != nil { // a text and a number: cannot happen
		return nil
	}
	return answer
}

// refuse answers with a JSON-RPC error.
func (s *Stdio) refuse(id []byte, code int, text string) { s.send(refusal(id, code, text)) }
