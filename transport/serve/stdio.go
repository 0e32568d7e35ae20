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
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
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

	ctx    context.Context // of all requests
	conn   *connection
	ending <-chan struct{} // closed when Run is to end
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
	w := newWriter(lines{s.Out}, 64, 256)
	session := &session{id: "stdio", outlet: w, questions: newQuestions(), level: mcp.LoggingLevelError}
	s.conn = &connection{server: s.Server, log: s.Log, session: session, writer: w, slots: make(chan struct{}, maxInFlight)}
	s.ending = ctx.Done()
	go w.run()
	if err := s.Server.RegisterSession(requests, session); err != nil {
		return fmt.Errorf("register the stdio session: %w", err)
	}
	defer s.Server.UnregisterSession(requests, session.id)
	s.ctx = s.Server.WithContext(requests, session)
	defer context.AfterFunc(ctx, func() { w.expire(s.Drain + 2*abortTime) })()

	input := make(chan line)
	stop := make(chan struct{})
	defer close(stop)
	go readLines(s.In, input, stop)
	err := s.loop(ctx, input)
	session.questions.end() // nothing reads answers from here on
	s.drain(abort)
	return errors.Join(err, w.close())
}

func (s *Stdio) loop(ctx context.Context, input <-chan line) error {
	for {
		select {
		case l, open := <-input:
			switch {
			case !open || l.err == io.EOF:
				return nil
			case l.err != nil:
				return fmt.Errorf("read from the client: %w", l.err)
			}
			s.receive(l)
		case <-ctx.Done():
			return nil
		case <-s.conn.writer.broken:
			return nil // close returns the cause
		}
	}
}

// drain waits for running calls, first for their answers, then for their end.
func (s *Stdio) drain(abort context.CancelFunc) {
	done := make(chan struct{})
	go func() {
		s.conn.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return
	case <-s.conn.writer.broken: // nobody is left to answer
	case <-time.After(s.Drain):
	}
	abort()
	select {
	case <-done:
	case <-time.After(abortTime):
		s.Log.Warn("calls were still running at exit")
	}
}

// receive handles one line; it returns at once, unless too many requests run.
func (s *Stdio) receive(l line) {
	if l.tooLong {
		s.refuse(l.id, mcp.INVALID_REQUEST, fmt.Sprintf("the message is longer than %d MiB; pass large contents by local_path", maxLine>>20))
		return
	}
	if len(bytes.TrimSpace(l.text)) == 0 {
		return
	}
	message, problem := parse(l.text)
	if problem != nil {
		s.refuse(message.id, problem.code, problem.text)
		return
	}
	if !s.conn.receive(s.ctx, message) {
		return
	}
	select {
	case s.conn.slots <- struct{}{}:
		s.conn.begin(s.ctx, message, nil)
	case <-s.ending: // too late to begin
		s.conn.send(refusal(message.id, mcp.INTERNAL_ERROR, "the server is ending"))
	case <-s.conn.writer.broken: // nobody is left to answer
	}
}

// refuse answers a message that cannot be served with a JSON-RPC error, unless it
// was to answer a question of ours: a client takes no answer to its answer.
func (s *Stdio) refuse(id []byte, code int, text string) {
	if !s.conn.session.questions.answer(s.conn.session.id, id, nil) {
		s.conn.send(refusal(id, code, text))
	}
}
