package serve

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// Clients such as Node's open connections in advance. At the end net/http waits 5 s
// for each that has brought nothing yet.
func TestUnusedConnectionsDoNotHoldUpTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which time passes when nothing else happens
		listener := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		server := &HTTP{Handler: http.NotFoundHandler(), Listener: listener}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- server.Run(ctx) }()
		client, conn := net.Pipe()
		listener.conns <- conn
		synctest.Wait()
		began := time.Now()
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the end took %s", took)
		}
		if _, err := client.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is still open")
		}
	})
}

// pipes is a listener without a network.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }
