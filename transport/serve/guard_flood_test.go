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
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// fortress is all of the server on HTTP: listener, guard, users and endpoint.
func fortress(guard *Guard) (*HTTP, *byToken) {
	auth := &byToken{server: newServer(map[string]server.ToolHandlerFunc{
		"say":   say("hi"),
		"break": func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) { panic("dapi0123456789") },
	})}
	guard.Hosts = append(guard.Hosts, "x")
	endpoint := &Endpoint{Auth: guard.Authenticator(auth), Key: testKey}
	return &HTTP{Handler: guard.Wrap(endpoint.StreamableHTTP()), Ending: endpoint.End}, auth
}

// wire is a request as it goes over the wire.
func wire(body string, header ...string) string {
	lines := []string{"POST /mcp HTTP/1.1", "Host: x", "Accept: application/json, text/event-stream", "Content-Type: application/json"}
	for i := 0; i+1 < len(header); i += 2 {
		lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, header[i]+": ") })
		lines = append(lines, header[i]+": "+header[i+1])
	}
	return strings.Join(append(lines, fmt.Sprintf("Content-Length: %d", len(body))), "\r\n") + "\r\n\r\n" + body
}

var goodCall = wire(callOf("1", "say"), "Authorization", "ann")

// badRequests are what floods are made of, with the status of each as long as its
// sender is heard.
func badRequests() map[string]int {
	return map[string]int{
		wire(callOf("1", "say")):                                                    http.StatusUnauthorized,
		wire(callOf("1", "say"), "Authorization", "bad"):                            http.StatusUnauthorized,
		wire(callOf("1", "say"), "Authorization", "ann", "Host", "evil.example"):    http.StatusForbidden,
		wire(callOf("1", "say"), "Authorization", "ann", "Origin", "http://evil.x"): http.StatusForbidden,
		wire("{", "Authorization", "bad"):                                           http.StatusUnauthorized,
	}
}

// Each is refused as what it is, by the guard and by what stands behind it.
func TestBadRequestsOverTheWire(t *testing.T) {
	server, _ := fortress(&Guard{})
	r := runHTTP(t, server)
	large := strings.Repeat(" ", DefaultMaxBody+1)
	requests := badRequests()
	requests[wire("{", "Authorization", "ann")] = http.StatusBadRequest
	requests[wire("[]", "Authorization", "ann")] = http.StatusBadRequest
	requests[wire("{}", "Authorization", "ann", "Content-Type", "text/plain")] = http.StatusUnsupportedMediaType
	requests[wire(large, "Authorization", "ann")] = http.StatusRequestEntityTooLarge
	requests["POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: ann\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"+
		fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(large), large)] = http.StatusRequestEntityTooLarge
	requests["PUT /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: ann\r\n\r\n"] = http.StatusMethodNotAllowed
	requests["OPTIONS /mcp HTTP/1.1\r\nHost: "+r.addr+"\r\nAuthorization: ann\r\nOrigin: http://"+r.addr+"\r\n\r\n"] = http.StatusMethodNotAllowed
	for request, status := range requests {
		conn := r.dial()
		go func() { _, _ = io.WriteString(conn, request) }()
		resp, body := readResponse(t, bufio.NewReader(conn))
		if resp.StatusCode != status || !strings.HasPrefix(body, `{"jsonrpc":"2.0","id":null,"error":`) {
			t.Errorf("%.120q: %s %s", request, resp.Status, body)
		}
		for name := range resp.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%.80q: the answer carries %s", request, name)
			}
		}
	}
}

// A tool that panics ends its call, and tells nothing of the server.
func TestPanicsOfToolsTellNothing(t *testing.T) {
	server, _ := fortress(&Guard{})
	r := runHTTP(t, server)
	conn := r.dial()
	from := bufio.NewReader(conn)
	_, _ = io.WriteString(conn, wire(callOf("1", "break"), "Authorization", "ann"))
	resp, body := readResponse(t, from)
	if !strings.Contains(body, `"error"`) || strings.Contains(body, "dapi") || strings.Contains(body, ".go:") || strings.Contains(body, "goroutine") {
		t.Errorf("%s %s", resp.Status, body)
	}
	_, _ = io.WriteString(conn, goodCall)
	if resp, body := readResponse(t, from); !strings.Contains(body, `"hi"`) {
		t.Errorf("afterwards: %s %s", resp.Status, body)
	}
}

// Limits reach clients as they are told in the protocol's terms.
func TestLimitsOverTheWire(t *testing.T) {
	server, _ := fortress(&Guard{Limits: Limits{UserRate: 0.001, UserBurst: 1}})
	r := runHTTP(t, server)
	conn := r.dial()
	from := bufio.NewReader(conn)
	for _, status := range []int{http.StatusOK, http.StatusTooManyRequests} {
		_, _ = io.WriteString(conn, goodCall)
		resp, body := readResponse(t, from)
		if resp.StatusCode != status || !strings.Contains(body, `"jsonrpc"`) || (resp.Header.Get("Retry-After") != "") != (status != http.StatusOK) {
			t.Errorf("%s %v %s", resp.Status, resp.Header, body)
		}
	}
}

// flood sends bad requests from many connections until stop is closed.
func flood(addr string, connections int, fresh bool, stop <-chan struct{}) (sent *atomic.Int64, wait func()) {
	sent = &atomic.Int64{}
	var requests []string
	for request := range badRequests() {
		requests = append(requests, request)
	}
	var all sync.WaitGroup
	for i := range connections {
		all.Go(func() {
			var conn net.Conn
			var from *bufio.Reader
			for n := i; ; n++ {
				select {
				case <-stop:
					if conn != nil {
						_ = conn.Close()
					}
					return
				default:
				}
				if conn == nil {
					var err error
					if conn, err = net.Dial("tcp", addr); err != nil {
						continue
					}
					_ = conn.SetDeadline(time.Now().Add(patience))
					from = bufio.NewReader(conn)
				}
				_, err := io.WriteString(conn, requests[n%len(requests)])
				var resp *http.Response
				if err == nil {
					resp, err = http.ReadResponse(from, nil)
				}
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					sent.Add(1)
				}
				if err != nil || resp.Close || fresh {
					_ = conn.Close()
					conn = nil
				}
			}
		})
	}
	return sent, all.Wait
}

// Under a flood of bad requests every good one is served, and afterwards nothing of the
// flood is left.
func TestGoodCallsUnderAFlood(t *testing.T) {
	for _, quick := range []bool{true, false} {
		t.Run(fmt.Sprintf("quick authentication %v", quick), func(t *testing.T) {
			before := runtime.NumGoroutine()
			server, _ := fortress(&Guard{QuickAuth: quick, Limits: Limits{UserRate: -1}})
			r := runHTTP(t, server)
			conn := r.dial()
			from := bufio.NewReader(conn)
			call := func() {
				t.Helper()
				_, err := io.WriteString(conn, goodCall)
				if err != nil {
					t.Fatal(err)
				}
				if resp, body := readResponse(t, from); resp.StatusCode != http.StatusOK || !strings.Contains(body, `"hi"`) {
					t.Fatalf("%s %s", resp.Status, body)
				}
			}
			call()
			stop := make(chan struct{})
			sent, wait := flood(r.addr, 16, false, stop)
			for n := 0; n < 100 || sent.Load() < 300; n++ {
				call()
			}
			close(stop)
			wait()
			_ = conn.Close()
			r.wait()
			for until := time.Now().Add(patience); runtime.NumGoroutine() > before; runtime.Gosched() {
				if time.Now().After(until) {
					t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
				}
			}
		})
	}
}

// BenchmarkFlood compares a good call when it is quiet with one under a flood, whose
// senders share the machine with the server. The goal is twice as long at most.
func BenchmarkFlood(b *testing.B) {
	for _, c := range []struct {
		name        string
		connections int
		fresh       bool // connections, one for each bad request
	}{{"quiet", 0, false}, {"64 connections", 64, false}, {"256 connections", 256, false}, {"64 at a time, each for one request", 64, true}} {
		b.Run(c.name, func(b *testing.B) {
			server, _ := fortress(&Guard{QuickAuth: true, Limits: Limits{UserRate: -1}})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			server.Listener, server.times.lull = l, time.Millisecond
			ctx, end := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- server.Run(ctx) }()
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			from := bufio.NewReader(conn)
			var took []time.Duration
			call := func() {
				began := time.Now()
				_, err := io.WriteString(conn, goodCall)
				resp, rerr := http.ReadResponse(from, nil)
				if err = errors.Join(err, rerr); err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
					b.Fatal(resp.Status, err)
				}
				took = append(took, time.Since(began))
			}
			call()
			stop := make(chan struct{})
			sent, wait := flood(l.Addr().String(), c.connections, c.fresh, stop)
			for c.connections > 0 && sent.Load() < 500 { // the first ones are not slowed
				time.Sleep(time.Millisecond)
			}
			took = took[:0]
			had := sent.Load()
			for b.Loop() {
				call()
			}
			bad := sent.Load() - had
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "us-median")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "us-p99")
			b.ReportMetric(float64(bad)/b.Elapsed().Seconds(), "bad/s")
			close(stop)
			wait()
			_ = conn.Close()
			end()
			if err := <-ended; err != nil {
				b.Error(err)
			}
		})
	}
}
