package serve

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkHTTP compares a call with a bare GET, which costs what HTTP costs.
func BenchmarkHTTP(b *testing.B) {
	e := &Endpoint{Auth: &crowd{build: hello}, Key: testKey}
	mux := http.NewServeMux()
	mux.Handle("/mcp", e.StreamableHTTP())
	mux.HandleFunc("/bare", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"ok":true}`) })
	srv := httptest.NewServer(mux)
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	session := grant{nonce: newNonce(), issued: time.Now(), protocol: "2025-11-25"}.sign(testKey, "alice")
	newCall, newHeaders := modernCall("1", "say", "")
	do := func(method, path, body string, headers []string) {
		req, err := http.NewRequest(method, srv.URL+path, strings.NewReader(body))
		if err != nil {
			b.Error(err)
			return
		}
		req.Header.Set("User", "alice")
		req.Header.Set("Accept", "application/json, text/event-stream")
		req.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := client.Do(req)
		if err != nil {
			b.Error(err)
			return
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 200 {
			b.Errorf("status %d, %v", res.StatusCode, err)
		}
		res.Body.Close()
	}
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
	}{
		{"bare GET", "GET", "/bare", "", nil},
		{"call", "POST", "/mcp", callOf("1", "say"), nil},
		{"call in a session", "POST", "/mcp", callOf("1", "say"), []string{"Mcp-Session-Id", session}},
		{"call of 2026-07-28", "POST", "/mcp", newCall, newHeaders},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				do(c.method, c.path, c.body, c.headers)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "us-median")
		})
		b.Run(c.name+", 64 callers", func(b *testing.B) {
			b.SetParallelism((64 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					do(c.method, c.path, c.body, c.headers)
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}

// BenchmarkIdleStreams is the memory of 5,000 clients that listen, with what net/http
// and the sockets need. Of the client's side there is the socket alone.
func BenchmarkIdleStreams(b *testing.B) {
	const clients = 5000
	e := &Endpoint{Auth: &crowd{build: growing}, Key: testKey}
	mux := http.NewServeMux()
	mux.Handle("/mcp", e.StreamableHTTP())
	mux.Handle("/", e.SSE())
	srv := httptest.NewServer(mux)
	defer srv.Close()
	listen, _ := listening("1", `{"toolsListChanged":true}`)
	for _, c := range []struct{ name, request string }{
		{"GET", "GET /mcp HTTP/1.1\r\nHost: x\r\nUser: alice\r\nMcp-Session-Id: %s\r\n\r\n"},
		{"SSE", "GET /sse HTTP/1.1\r\nHost: x\r\nUser: alice\r\nIgnored: %s\r\n\r\n"},
		{"subscriptions", fmt.Sprintf("POST /mcp HTTP/1.1\r\nHost: x\r\nUser: alice\r\nIgnored: %%s\r\nContent-Type: application/json\r\nMcp-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\nContent-Length: %d\r\n\r\n%s", len(listen), listen)},
	} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				before := inUse()
				var conns []net.Conn
				for range clients {
					conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
					if err != nil {
						b.Fatal(err)
					}
					conns = append(conns, conn)
					fmt.Fprintf(conn, c.request, grant{nonce: newNonce(), issued: time.Now()}.sign(testKey, "alice"))
					if line, err := bufio.NewReaderSize(conn, 16).ReadSlice(' '); err != nil {
						b.Fatalf("%q %v", line, err)
					}
				}
				used := inUse() - before
				b.ReportMetric(float64(used)/clients/1024, "kB/stream")
				b.ReportMetric(float64(used)/(1<<20), "MB")
				if status, err := os.ReadFile("/proc/self/status"); err == nil { // Linux
					var kB int
					_, rss, _ := strings.Cut(string(status), "VmRSS:")
					_, _ = fmt.Sscan(rss, &kB)
					b.ReportMetric(float64(kB)/1024, "MB-resident")
				}
				for _, conn := range conns {
					conn.Close()
				}
				within(b, "all are gone", func() bool { e.mu.Lock(); defer e.mu.Unlock(); return len(e.streams)+len(e.pairs) == 0 })
			}
		})
	}
}

// inUse is the memory of heap and stacks after a collection.
func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
