package serve

import (
	"net"
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

// capped is a listener that refuses connections beyond a number, and watches over the
// others.
type capped struct {
	net.Listener
	most    int64
	write   time.Duration
	refused func(reason string)
	open    atomic.Int64
}

func newCapped(l net.Listener, most int, write time.Duration, refused func(string)) *capped {
	if refused == nil {
		refused = func(string) {}
	}
	return &capped{Listener: l, most: int64(most), write: write, refused: refused}
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
		// A few bytes fit into any socket: this does not wait for the client.
		_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = conn.Write([]byte(tooManyConnections)) // it is refused either way
		_ = conn.Close()
	}
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
