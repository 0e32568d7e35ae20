package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// benchFlood is a good call while 64 connections send bad requests as fast as they are
// answered. They share the machine with the server.
func benchFlood(b *testing.B, r *report) {
	w := newWorkspaceFake(b)
	s := w.website(b, r)
	defer s.stop()
	header, call := s.session(), toolCall(1, "jobs_list", twentyJobs)
	good := func() float64 { return millis(median(caller(func() { s.must(header, call) }))) }
	good()
	host := strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), "/mcp")
	var quiets, floods, ratios, rates []float64
	for range 3 {
		quiet := good()
		stop := make(chan struct{})
		var sent atomic.Int64
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() { flood(host, stop, &sent) })
		}
		for sent.Load() < 500 { // the first ones are not slowed
			time.Sleep(time.Millisecond)
		}
		began, had := time.Now(), sent.Load()
		under := good()
		rates = append(rates, float64(sent.Load()-had)/time.Since(began).Seconds())
		close(stop)
		all.Wait()
		quiets, floods, ratios = append(quiets, quiet), append(floods, under), append(ratios, under/quiet)
	}
	r.note(b, "HTTP call when it is quiet, p50", median(quiets), "ms", "")
	r.note(b, "HTTP call under a flood, p50", median(floods), "ms", "")
	r.note(b, "bad requests of the flood", median(rates), "1/s", "")
	r.add(b, "HTTP call under a flood, of quiet", median(ratios), "times", 2)
}

// flood sends requests that are refused, on one connection after the other.
func flood(host string, stop <-chan struct{}, sent *atomic.Int64) {
	bad := []string{
		"POST /mcp HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 1\r\n\r\n{",
		"POST /mcp HTTP/1.1\r\nHost: " + host + "\r\nAuthorization: Bearer wrong\r\nContent-Length: 2\r\n\r\n{}",
		"POST /mcp HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n",
		"POST /mcp HTTP/1.1\r\nHost: " + host + "\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n\r\n",
	}
	for {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			return
		}
		from := bufio.NewReader(conn)
		for n := 0; ; n++ {
			select {
			case <-stop:
				conn.Close()
				return
			default:
			}
			if _, err = io.WriteString(conn, bad[n%len(bad)]); err != nil {
				break
			}
			resp, err := http.ReadResponse(from, nil)
			if err != nil {
				break
			}
			_, _ = io.Copy(io.Discard, resp.Body) // refused is refused
			if sent.Add(1); resp.Close {
				break
			}
		}
		conn.Close()
	}
}

// faulty is a workspace of numbered jobs where one request in twenty goes wrong.
type faulty struct {
	requests atomic.Int64
	mu       sync.Mutex
	created  map[string]int // by name
}

func (f *faulty) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // one that is cut has no name
	if strings.HasSuffix(r.URL.Path, "/Me") {
		writeJSON(rw, []byte(`{"id":"1","userName":"ana.silva@example.com"}`))
		return
	}
	name := gjson.GetBytes(body, "name").Str
	create := strings.HasSuffix(r.URL.Path, "/jobs/create")
	n := f.requests.Add(1)
	wrong, cut, throttled := n%20 == 0, n%80 == 0, n%60 == 0 && n%80 != 0
	if create && (!wrong || cut || n%40 == 0 && !throttled) { // done all the same, often
		f.mu.Lock()
		f.created[name]++
		f.mu.Unlock()
	}
	switch {
	case !wrong && create:
		writeJSON(rw, []byte(`{"job_id":`+strings.TrimPrefix(name, "new-")+`}`))
	case !wrong:
		id := r.URL.Query().Get("job_id")
		writeJSON(rw, []byte(`{"job_id":`+id+`,"settings":{"name":"job-`+id+`"}}`))
	case cut:
		panic(http.ErrAbortHandler) // the connection is cut
	case throttled:
		rw.Header().Set("Retry-After", "1")
		rw.WriteHeader(http.StatusTooManyRequests)
	default:
		rw.WriteHeader(http.StatusServiceUnavailable)
	}
}

// benchLoad is 500 callers of a workspace where 5 % of the requests go wrong: for 10
// seconds, or for as long as BRICKMCP_BENCH_LOAD says (2m is the goal's).
func benchLoad(b *testing.B, r *report) {
	const callers = 500
	lasts := 10 * time.Second
	if text := os.Getenv("BRICKMCP_BENCH_LOAD"); text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil {
			b.Fatalf("BRICKMCP_BENCH_LOAD: %v", err)
		}
	}
	w := newWorkspaceFake(b)
	f := &faulty{created: map[string]int{}}
	w.Config.Handler = f
	w.Config.ErrorLog = nil
	s := w.website(b, r)
	defer s.stop()
	session, reading, writing := s.session(), s.stateless("jobs_get"), s.stateless("jobs_create")
	var next, answered, failed, wrong atomic.Int64
	call := func() {
		id := next.Add(1)
		create := id%10 == 0
		header, tool, arguments := session, "jobs_get", fmt.Sprintf(`{"job_id":"%d"}`, id)
		if create {
			tool, arguments = "jobs_create", fmt.Sprintf(`{"name":"new-%d","tasks":[{"task_key":"a","notebook_task":{"notebook_path":"/a"}}]}`, id)
		}
		body := toolCall(1, tool, arguments)
		if id%2 == 0 {
			body, header = modernToolCall(tool, arguments), reading
			if create {
				header = writing
			}
		}
		resp, text := s.post(header, body)
		result := gjson.Parse(gjson.GetBytes(text, "result.content.0.text").Str)
		right := result.Get("settings.name").Str == fmt.Sprint("job-", id)
		if create {
			right = result.Get("job_id").String() == fmt.Sprint(id)
		}
		switch kind := result.Get("error.kind").Str; {
		case resp.StatusCode == http.StatusOK && right:
			answered.Add(1)
		case resp.StatusCode == http.StatusOK && (kind == "down" || kind == "busy" || kind == "unknown_fate"):
			answered.Add(1)
			failed.Add(1)
		default:
			if wrong.Add(1) == 1 {
				b.Errorf("%s %.400s", resp.Status, text)
			}
		}
	}
	load := func(lasts time.Duration) {
		var all sync.WaitGroup
		until := time.Now().Add(lasts)
		for range callers {
			all.Go(func() {
				for time.Now().Before(until) {
					call()
				}
			})
		}
		all.Wait()
	}
	// settle closes what is idle, which would be closed by itself after a minute.
	settle := func(most float64, patience time.Duration) (goroutines float64) {
		for until := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
			s.client.CloseIdleConnections()
			w.CloseClientConnections()
			if goroutines = s.metric("go_goroutines"); goroutines <= most || time.Now().After(until) {
				return goroutines
			}
		}
	}
	call()
	before := settle(0, 2*time.Second)
	load(3 * time.Second) // heaps have their size now
	settle(before, 20*time.Second)
	warm, _ := s.memory()
	had, began := next.Load(), time.Now()
	load(lasts)
	calls, took := next.Load()-had, time.Since(began)
	after := settle(before, 20*time.Second)
	end, _ := s.memory()
	twice := 0
	for _, times := range f.created {
		if times != 1 {
			twice++
		}
	}
	what := fmt.Sprintf("500 callers for %s, 5 %% faults", lasts)
	r.note(b, what, float64(calls)/took.Seconds(), "1/s", "")
	r.note(b, what+", calls that had to fail", 100*float64(failed.Load())/float64(next.Load()), "%", "")
	r.add(b, what+", wrong answers", float64(wrong.Load()), "", 0)
	r.add(b, what+", lost calls", float64(next.Load()-answered.Load()-wrong.Load()), "", 0)
	r.add(b, what+", writes done twice", float64(twice), "", 0)
	r.add(b, what+", goroutines left", after-before, "", 2)
	r.note(b, what+", memory before", mib(warm), "MiB", "")
	r.add(b, what+", memory gained", mib(end-warm), "MiB", 8)
}
