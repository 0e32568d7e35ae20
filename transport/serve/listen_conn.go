package serve

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// tooManyConnections is sent to a connection beyond the limit: a client that is
// refused knows more than one that waits.
const tooManyConnections = "HTTP/1.1 503 Service Unavailable\r\n" +
	"Content-Type: application/json\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 105\r\n\r\n" +
	`{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"too many connections are open; try later"}}` + "\n"

const reasonConnections = "connections"

const (
	// lingerTime is how long a refused client may take to read why: closing what still
	// has unread bytes takes the answer away from it.
	lingerTime = 200 * time.Millisecond
	// maxLingering bounds those; more are closed at once.
	maxLingering = 64
)

// capped is a listener that refuses connections beyond a number, and watches over the
// others.
type capped struct {
	net.Listener
	most    int64
	write   time.Duration
	refused func(reason string)
	open    atomic.Int64

	places    slots // of refused clients
	lingering sync.WaitGroup
}

func newCapped(l net.Listener, most int, write time.Duration, refused func(string)) *capped {
	if refused == nil {
		refused = func(string) {}
	}
	return &capped{Listener: l, most: int64(most), write: write, refused: refused, places: newSlots(maxLingering)}
}

func (l *capped) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.most {
			return &watched{Conn: conn, write: l.write, closed: sync.OnceFunc(func() { l.open.Add(-1) })}, nil
		}
		l.open.Add(-1)
		l.refused(reasonConnections)
		l.refuse(conn)
	}
}

// refuse waits for nobody.
func (l *capped) refuse(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(lingerTime))
	_, _ = io.WriteString(conn, tooManyConnections) // fits into any socket; and it is refused either way
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || !l.places.take(context.Background(), 0) {
		_ = conn.Close()
		return
	}
	l.lingering.Go(func() {
		defer l.places.give()
		_ = half.CloseWrite()
		_, _ = io.CopyN(io.Discard, conn, maxHeaderBytes)
		_ = conn.Close()
	})
}

// watched is a connection whose peer has to read: without that a client that asks for
// much and reads nothing would keep the memory of its answers.
type watched struct {
	net.Conn
	write  time.Duration
	own    atomic.Bool // the handler has set a deadline
	closed func()
}

func (c *watched) Write(p []byte) (int, error) {
	if !c.own.Load() {
		if err := c.Conn.SetWriteDeadline(time.Now().Add(c.write)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

func (c *watched) SetWriteDeadline(t time.Time) error {
	c.own.Store(!t.IsZero())
	return c.Conn.SetWriteDeadline(t)
}

func (c *watched) SetDeadline(t time.Time) error {
	c.own.Store(!t.IsZero())
	return c.Conn.SetDeadline(t)
}

// CloseWrite lets net/http end its side first, or a client whose request was too
// large would lose the answer that says so.
func (c *watched) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *watched) Close() error {
	c.closed()
	return c.Conn.Close()
}

// unused are connections that have brought no request yet. Clients open some in
// advance, and at its end net/http would wait 5 s for what they may bring.
type unused struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// watch is a http.Server's ConnState.
func (u *unused) watch(conn net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if state != http.StateNew {
		delete(u.conns, conn)
		return
	}
	if u.conns == nil {
		u.conns = make(map[net.Conn]struct{})
	}
	u.conns[conn] = struct{}{}
}

func (u *unused) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for conn := range u.conns {
		_ = conn.Close()
	}
}
