package serve

import (
	"context"
	"strings"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
	"go.uber.org/zap"
)

// connection is one client that is answered on one stream, whatever way its
// messages come.
type connection struct {
	server  *server.MCPServer
	log     *zap.Logger
	session *session
	writer  *writer
	calls   calls
	running sync.WaitGroup
	slots   chan struct{} // of requests that run at once: begin wants one
}

// receive handles a message; what is left to the caller is a request, for begin.
func (c *connection) receive(ctx context.Context, m message) (isRequest bool) {
	switch {
	case m.method == "":
		if !c.session.questions.answer(c.session.id, m.id, m.raw) {
			c.log.Debug("ignored an answer that nobody waits for")
		}
	case m.method == string(mcp.MethodNotificationCancelled):
		c.calls.cancel(cancelled(m))
	case m.id == nil:
		c.server.HandleMessage(ctx, m.raw)
	case m.method == string(mcp.MethodInitialize):
		ctx := c.server.WithContext(ctx, &handshake{session: c.session})
		c.send(answer(ctx, c.server, c.log, m)) // in order: what follows may rely on it
	default:
		return true
	}
	return false
}

// cancelled is the key of the call that a message cancels.
func cancelled(m message) string { return gjson.GetBytes(m.raw, "params.requestId").Raw }

// begin runs a request in a slot that it was given, and gives it back. It returns
// at once. over is told when the request is answered; nil: nobody.
func (c *connection) begin(ctx context.Context, m message, over func()) {
	ctx, cancel := context.WithCancel(ctx)
	key := string(m.id)
	if !c.calls.add(key, cancel) {
		cancel()
		c.send(refusal(m.id, mcp.INVALID_REQUEST, "a request with this id is still running"))
		c.leave(over)
		return
	}
	c.running.Go(func() {
		answer := answer(ctx, c.server, c.log, m)
		c.calls.forget(key) // before the answer: then the client may use the id again
		cancel()
		c.send(answer)
		c.leave(over)
	})
}

// leave gives a slot back.
func (c *connection) leave(over func()) {
	<-c.slots
	if over != nil {
		over()
	}
}

// send queues an answer, if there is one.
func (c *connection) send(answer *outgoing) {
	if answer != nil {
		c.writer.write(answer)
	}
}

// calls are the requests of a client that run, to be cancelled.
type calls struct {
	mu      sync.Mutex
	running map[string]context.CancelFunc // by the JSON text of the id
}

// add is false when a call with this key runs already.
func (c *calls) add(key string, cancel context.CancelFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, taken := c.running[key]; taken {
		return false
	}
	if c.running == nil {
		c.running = make(map[string]context.CancelFunc)
	}
	c.running[key] = cancel
	return true
}

func (c *calls) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, key)
}

func (c *calls) cancel(key string) {
	c.mu.Lock()
	cancel := c.running[key]
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// answer runs one request; nil means that there is none. A panic outside of a tool
// (tools have their own net) costs this request only.
func answer(ctx context.Context, srv *server.MCPServer, log *zap.Logger, m message) (answer *outgoing) {
	defer func() {
		if r := recover(); r != nil {
			log.Error("panic while serving a request", zap.String("method", m.method), zap.Any("panic", r), zap.Stack("stack"))
			answer = refusal(m.id, mcp.INTERNAL_ERROR, "internal error while serving "+m.method)
		}
	}()
	response := srv.HandleMessage(ctx, m.raw)
	if response == nil {
		return nil
	}
	if refused, ok := response.(mcp.JSONRPCError); ok && isTypeError(refused) {
		return refusal(m.id, mcp.INVALID_PARAMS, "a member of the params of "+m.method+" has the wrong type")
	}
	answer, err := encode(response, m.id)
	if err != nil {
		log.Error("cannot encode a response", zap.String("method", m.method), zap.Error(err))
		return refusal(m.id, mcp.INTERNAL_ERROR, "the answer cannot be encoded")
	}
	return answer
}

// isTypeError recognises mcp-go's answer to params that do not decode: the wrong
// code, and a text full of Go's type names.
func isTypeError(e mcp.JSONRPCError) bool {
	return e.Error.Code == mcp.INVALID_REQUEST && strings.Contains(e.Error.Message, "cannot unmarshal")
}

// refusal is a JSON-RPC error; a nil id becomes null.
func refusal(id []byte, code int, text string) *outgoing {
	answer, err := encode(mcp.NewJSONRPCError(mcp.NewRequestId(nil), code, text, nil), id)
	if err != nil { // a text and a number: cannot happen
		return nil
	}
	return answer
}
