package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long these tests wait for what comes at once.
const patience = 30 * time.Second

// running is an HTTP under test.
type running struct {
	t      *testing.T
	server *HTTP
	addr   string
	end    context.CancelFunc
	ended  chan error
}

func listenOn(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func runHTTP(t *testing.T, server *HTTP) *running {
	t.Helper()
	server.Listener = listenOn(t)
	if server.times.lull == 0 {
		server.times.lull = time.Millisecond
	}
	ctx, end := context.WithCancel(t.Context())
	r := &running{t: t, server: server, addr: server.Listener.Addr().String(), end: end, ended: make(chan error, 1)}
	go func() { r.ended <- server.Run(ctx) }()
	t.Cleanup(func() { r.wait() })
	return r
}

// wait ends the server and is over when Run is.
func (r *running) wait() {
	r.t.Helper()
	r.end()
	select {
	case err := <-r.ended:
		if err != nil {
			r.t.Errorf("Run: %v", err)
		}
		r.ended <- nil // for the next who asks
	case <-time.After(patience):
		r.t.Error("Run does not end")
	}
}

func (r *running) dial() net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		r.t.Fatal(err)
	}
	return conn
}

// get asks once, on a connection of its own.
func (r *running) get(path string) (*http.Response, string) {
	r.t.Helper()
	conn := r.dial()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path)
	return readResponse(r.t, bufio.NewReader(conn))
}

func readResponse(t *testing.T, from *bufio.Reader) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// closes fails unless the server ends the connection.
func closes(t *testing.T, conn net.Conn) string {
	t.Helper()
	text, err := io.ReadAll(conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the connection stays open")
	}
	return string(text)
}

func TestSlowHeaders(t *testing.T) {
	r := runHTTP(t, &HTTP{Handler: fine, times: times{header: 20 * time.Millisecond}})
	conn := r.dial()
	_, _ = io.WriteString(conn, "POST /mcp HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	closes(t, conn)
}

func TestSlowBodies(t *testing.T) {
	failed := make(chan error, 1)
	r := runHTTP(t, &HTTP{times: times{body: 20 * time.Millisecond}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		failed <- err
		w.WriteHeader(http.StatusRequestTimeout)
	})})
	for _, framing := range []string{"Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n64\r\n{"} {
		conn := r.dial()
		_, _ = io.WriteString(conn, "POST /mcp HTTP/1.1\r\nHost: x\r\n"+framing)
		select {
		case err := <-failed:
			var timeout net.Error
			if !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("the body ended with %v", err)
			}
		case <-time.After(patience):
			t.Fatal("the body is waited for")
		}
		closes(t, conn)
	}
}

// The time for a body is not the time for its answer.
func TestTimeForTheBodyIsNotForTheStream(t *testing.T) {
	const body = 500 * time.Millisecond
	r := runHTTP(t, &HTTP{times: times{body: body}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			t.Error(err)
		}
		select { // net/http reads on, and ends the context when that fails
		case <-r.Context().Done():
			t.Error("the stream ended with the time for the body")
		case <-time.After(2 * body):
		}
		_, _ = io.WriteString(w, "still here")
	})})
	conn := r.dial()
	_, _ = io.WriteString(conn, "POST /mcp HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
	if got := closes(t, conn); !strings.Contains(got, "still here") {
		t.Errorf("the answer is %q", got)
	}
}

func TestIdleConnectionsEnd(t *testing.T) {
	r := runHTTP(t, &HTTP{Handler: fine, times: times{idle: 20 * time.Millisecond}})
	conn := r.dial()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := closes(t, conn); !strings.HasSuffix(got, "fine") {
		t.Errorf("the answer is %q", got)
	}
}

// A client that does not read is not waited for.
func TestClientsThatDoNotRead(t *testing.T) {
	failed := make(chan error, 1)
	r := runHTTP(t, &HTTP{times: times{write: 50 * time.Millisecond}, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		piece := make([]byte, 1<<20)
		for {
			if _, err := w.Write(piece); err != nil {
				failed <- err
				return
			}
		}
	})})
	conn := r.dial()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case <-failed:
	case <-time.After(patience):
		t.Error("the handler still writes")
	}
}

// A handler's own deadline holds, and ends with its request.
func TestHandlersHaveTheirOwnDeadlines(t *testing.T) {
	r := runHTTP(t, &HTTP{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/own" {
			if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
				t.Error(err)
			}
		}
		_, _ = io.WriteString(w, "fine")
	})})
	conn := r.dial()
	from := bufio.NewReader(conn)
	for range 2 {
		for _, path := range []string{"/own", "/"} {
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
			if _, body := readResponse(t, from); body != "fine" {
				t.Errorf("%s: %q", path, body)
			}
		}
	}
	pipe, _ := net.Pipe()
	w := &watched{Conn: pipe, write: time.Nanosecond}
	if err := w.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil || !w.own.Load() {
		t.Errorf("own deadline: %v", err)
	}
	if err := w.SetWriteDeadline(time.Time{}); err != nil || w.own.Load() {
		t.Errorf("without it: %v", err)
	}
}

func TestHeaderFlood(t *testing.T) {
	r := runHTTP(t, &HTTP{Handler: fine})
	conn := r.dial()
	go func() { // the server may stop reading
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Large: "+strings.Repeat("a", 64<<10)+"\r\n\r\n")
	}()
	if got := closes(t, conn); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("the answer is %.100q", got)
	}
	many := r.dial()
	go func() {
		_, _ = io.WriteString(many, "GET / HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("X-A: b\r\n", 8<<10)+"\r\n")
	}()
	if got := closes(t, many); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("the answer is %.100q", got)
	}
}

// A body beyond the bound is answered, with a length and without one.
func TestLargeBodiesOverTheWire(t *testing.T) {
	guard := &Guard{Hosts: []string{"x"}}
	r := runHTTP(t, &HTTP{Handler: guard.Wrap(fine)})
	large := strings.Repeat(" ", DefaultMaxBody+1)
	for name, request := range map[string]string{
		"length":  fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(large), large),
		"chunked": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(large), large),
	} {
		conn := r.dial()
		go func() { _, _ = io.WriteString(conn, "POST /mcp HTTP/1.1\r\nHost: x\r\n"+request) }()
		resp, body := readResponse(t, bufio.NewReader(conn))
		if resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(body, `"jsonrpc"`) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	conn := r.dial()
	go func() {
		_, _ = fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", DefaultMaxBody, large[1:])
	}()
	if resp, body := readResponse(t, bufio.NewReader(conn)); resp.StatusCode != http.StatusOK {
		t.Errorf("4 MiB: %d %s", resp.StatusCode, body)
	}
}

// Beyond the bound connections are refused at once, and there is room again later.
func TestConnectionsAreBounded(t *testing.T) {
	var refused atomic.Int64
	r := runHTTP(t, &HTTP{Handler: fine, Connections: 2, Refused: func(reason string) {
		if reason == reasonConnections {
			refused.Add(1)
		}
	}})
	var open []net.Conn
	for range 2 {
		conn := r.dial()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp, _ := readResponse(t, bufio.NewReader(conn)); resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
		open = append(open, conn)
	}
	resp, body := readResponse(t, bufio.NewReader(r.dial()))
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, `"jsonrpc"`) {
		t.Errorf("%s %s", resp.Status, body)
	}
	if refused.Load() != 1 {
		t.Errorf("%d refusals were told", refused.Load())
	}
	_ = open[0].Close()
	for until := time.Now().Add(patience); ; { // the server has to notice
		resp, _ := r.get("/")
		if resp.StatusCode == http.StatusOK {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the place of a closed connection stays taken")
		}
		runtime.Gosched()
	}
}

// register stands for what packages register for the whole process, as pprof does.
var register = sync.OnceFunc(func() {
	http.HandleFunc("/registered", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
})

// Numbers about the server are for programs of this machine, not for pages that
// point their names to it, and nothing else of the process is there.
func TestAdminListener(t *testing.T) {
	register()
	for _, c := range []struct {
		admin  http.Handler
		host   string
		status int
	}{
		{fine, "localhost:9", http.StatusOK}, // through a tunnel
		{fine, "rebound.example", http.StatusForbidden},
		{nil, "localhost", http.StatusNotFound},
	} {
		server := &HTTP{Handler: fine, Admin: c.admin, AdminListener: listenOn(t)}
		r := runHTTP(t, server)
		r.addr = server.AdminListener.Addr().String()
		conn := r.dial()
		fmt.Fprintf(conn, "GET /registered HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", c.host)
		if resp, _ := readResponse(t, bufio.NewReader(conn)); resp.StatusCode != c.status {
			t.Errorf("Host %s: %s, want %d", c.host, resp.Status, c.status)
		}
		r.wait()
	}
}

// What runs at the end is answered; streams are told; nothing new is taken.
func TestRunningRequestsAreAnswered(t *testing.T) {
	started, ending, finish := make(chan struct{}), make(chan struct{}), make(chan struct{})
	r := runHTTP(t, &HTTP{Drain: patience, Ending: func() { close(ending) }, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(started)
		<-finish
		if r.Context().Err() != nil {
			t.Error("the context ended before Drain was over")
		}
		_, _ = io.WriteString(w, "done")
	})})
	conn := r.dial()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-started
	r.end()
	<-ending
	for until := time.Now().Add(patience); ; {
		again, err := net.Dial("tcp", r.addr)
		if err != nil {
			break // the listener is closed while the request runs
		}
		_ = again.Close()
		if time.Now().After(until) {
			t.Fatal("connections are still taken")
		}
		runtime.Gosched()
	}
	close(finish)
	resp, body := readResponse(t, bufio.NewReader(conn))
	if body != "done" || !resp.Close {
		t.Errorf("%s, and the connection stays open: %v", body, !resp.Close)
	}
	r.wait()
}

// What does not end in time is told so, and may still answer.
func TestDrainIsBounded(t *testing.T) {
	started := make(chan struct{})
	r := runHTTP(t, &HTTP{Drain: time.Millisecond, times: times{abort: patience}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
		_, _ = io.WriteString(w, "cut short")
	})})
	conn := r.dial()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-started
	r.end()
	if _, body := readResponse(t, bufio.NewReader(conn)); body != "cut short" {
		t.Errorf("the answer is %q", body)
	}
	r.wait()
}

// A handler that listens to nobody does not keep the process.
func TestDeafHandlersAreLeft(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	r := runHTTP(t, &HTTP{Drain: time.Millisecond, times: times{abort: time.Millisecond}, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(started)
		<-release
	})})
	conn := r.dial()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-started
	r.wait()
	closes(t, conn)
}

// A listener that fails ends Run with the cause, and the other listener with it.
func TestListenersThatFail(t *testing.T) {
	main, admin := listenOn(t), listenOn(t)
	server := &HTTP{Handler: fine, Listener: main, Admin: fine, AdminListener: admin}
	ended := make(chan error, 1)
	go func() { ended <- server.Run(t.Context()) }()
	_ = admin.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Run goes on")
	}
	if _, err := main.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the other listener: %v", err)
	}
}

// After Run there is no goroutine of the server left, whatever clients did.
func TestNothingIsLeftRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	server := &HTTP{
		Handler: (&Guard{Hosts: []string{"x"}}).Wrap(fine), Admin: fine, AdminListener: listenOn(t),
		times: times{header: time.Second},
	}
	r := runHTTP(t, server)
	for i := range 30 {
		conn := r.dial()
		switch i % 3 {
		case 0: // idle
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			readResponse(t, bufio.NewReader(conn))
		case 1: // half a header
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n")
		case 2:
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: foreign\r\n\r\n")
			readResponse(t, bufio.NewReader(conn))
		}
	}
	r.wait()
	for until := time.Now().Add(patience); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(until) {
			stacks := make([]byte, 64<<10)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
