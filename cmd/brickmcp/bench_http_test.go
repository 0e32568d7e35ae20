package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// website is a server process on HTTP, and a client of it.
type website struct {
	*driver // of the process alone: nothing is said over stdio
	header  http.Header
	url     string // of /mcp or /sse
	metrics string
	client  *http.Client
}

// website serves HTTP on the fake.
func (w *workspaceFake) website(b *testing.B, r *report, arguments ...string) *website {
	b.Helper()
	arguments = append([]string{"--transport", "http", "--identity", "local", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json", "--access", "full"}, arguments...)
	s := &website{driver: &driver{b: b, cmd: exec.Command(r.path("brickmcp"), arguments...)}}
	s.cmd.Env = append(w.environment(), "HOME="+b.TempDir(), "PATH="+os.Getenv("PATH"))
	log := &listenLog{found: make(chan struct{})}
	s.cmd.Stderr = log
	if err := s.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	select {
	case <-log.found:
	case <-time.After(time.Minute):
		b.Fatalf("the server does not say where it listens:\n%s", log)
	}
	secret := exec.Command(s.cmd.Path, "secret")
	secret.Env = s.cmd.Env
	text, err := secret.Output()
	if err != nil {
		b.Fatal(err)
	}
	s.url, s.metrics = log.line.Get("url").Str, log.line.Get("metrics").Str
	s.header = http.Header{"Authorization": {"Bearer " + strings.TrimSpace(string(text))}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
	s.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
	return s
}

// stop asks the process to end, which it has to do with 0.
func (s *website) stop() {
	s.b.Helper()
	s.client.CloseIdleConnections()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.b.Error(err)
	}
	if err := s.cmd.Wait(); err != nil {
		s.b.Errorf("%s: %v", s.cmd.Path, err)
	}
}

// session is the header of requests in a new session of an older protocol.
func (s *website) session() http.Header {
	s.b.Helper()
	resp, _ := s.post(s.header, initialize(0, "2025-11-25"))
	header := s.header.Clone()
	if header.Set("Mcp-Session-Id", resp.Header.Get("Mcp-Session-Id")); header.Get("Mcp-Session-Id") == "" {
		s.b.Fatalf("initialize: %s", resp.Status)
	}
	return header
}

// stateless is the header of calls of a tool in 2026-07-28.
func (s *website) stateless(tool string) http.Header {
	header := s.header.Clone()
	header.Set("Mcp-Protocol-Version", "2026-07-28")
	header.Set("Mcp-Method", "tools/call")
	header.Set("Mcp-Name", tool)
	return header
}

func (s *website) post(header http.Header, body string) (*http.Response, []byte) {
	req, err := http.NewRequest(http.MethodPost, s.url, strings.NewReader(body))
	if err != nil {
		s.b.Error(err)
		return &http.Response{}, nil
	}
	req.Header = header
	resp, err := s.client.Do(req)
	if err != nil {
		s.b.Error(err)
		return &http.Response{}, nil
	}
	text, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		s.b.Error(err)
	}
	return resp, text
}

// must is a post that has to be answered by a result.
func (s *website) must(header http.Header, body string) []byte {
	resp, text := s.post(header, body)
	if resp.StatusCode != http.StatusOK || isFailure(text) {
		s.b.Errorf("%s %.300s", resp.Status, text)
	}
	return text
}

// metric is a number of /metrics, or of several that differ in their labels the sum.
func (s *website) metric(name string) (sum float64) {
	s.b.Helper()
	for line := range strings.Lines(fetch(s.b, s.metrics)) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if family, _, _ := strings.Cut(series, "{"); family == name {
			var n float64
			if _, err := fmt.Sscan(value, &n); err != nil {
				s.b.Fatalf("%s: %v", line, err)
			}
			sum += n
		}
	}
	return sum
}

const twentyJobs = `{"limit":20}`

// benchHTTP is a call over HTTP over a bare GET of what it asks the workspace for.
func benchHTTP(b *testing.B, r *report) {
	w := newWorkspaceFake(b)
	s := w.website(b, r)
	defer s.stop()
	session, stateless := s.session(), s.stateless("jobs_list")
	old, now := toolCall(1, "jobs_list", twentyJobs), modernToolCall("jobs_list", twentyJobs)
	get := func() { w.get(b, jobsPath) }
	piped := w.serve(b, r)
	defer piped.stop()
	bare := spawn(b, []string{"BARE_URL=" + w.URL + jobsPath}, r.path("bare")).hello()
	defer bare.stop()
	calls := []struct {
		name string
		do   func()
	}{
		{"in a session", func() { s.must(session, old) }},
		{"of 2026-07-28", func() { s.must(stateless, now) }},
	}
	pipe, pass := func() { piped.call("jobs_list", twentyJobs) }, func() { bare.call("get", `{}`) }
	if text := gjson.GetBytes(s.must(stateless, now), "result.content.0.text").Str; gjson.Get(text, "returned").Int() != 20 {
		b.Fatalf("jobs_list answers %.300s", text)
	}
	for _, c := range calls {
		var over, p50s, gets, cpus, piping, passing, times []float64
		for round := range 6 {
			floor, mine := caller(get), caller(c.do)
			if round > 0 { // the first one warms connections and heaps
				gets, p50s = append(gets, millis(median(floor))), append(p50s, millis(median(mine)))
				over = append(over, millis(median(mine)-median(floor)))
				piping = append(piping, millis(median(caller(pipe))-median(floor)))
				passing = append(passing, millis(median(caller(pass))-median(floor)))
				times = append(times, over[len(over)-1]/passing[len(passing)-1])
				cpus = append(cpus, micros(s.perCall(c.do)))
			}
		}
		r.note(b, "GET of 9 kB, p50", median(gets), "ms", "")
		r.note(b, "HTTP call "+c.name+", p50", median(p50s), "ms", "")
		r.note(b, "HTTP call "+c.name+" over the GET, p50", median(over), "ms", "0.35 where bare mcp-go takes 0.084")
		r.note(b, "bare mcp-go over stdio, over the GET, p50", median(passing), "ms", "")
		r.add(b, "HTTP call "+c.name+" over the GET, of bare mcp-go over stdio", median(times), "times", 4.2)
		r.note(b, "the same over stdio, over the GET, p50", median(piping), "ms", "")
		r.note(b, "HTTP call "+c.name+", processor time", median(cpus), "us", "")
	}
	piped.share()
	for _, delay := range []time.Duration{20 * time.Millisecond, 0} {
		w.delay.Store(int64(delay))
		for _, c := range calls {
			var ratios, rates, piping []float64
			for round := range 4 {
				bare, ours, theirs := rate(64, get), rate(64, c.do), rate(64, func() { piped.concurrent("jobs_list", twentyJobs) })
				if round > 0 {
					ratios, rates, piping = append(ratios, ours/bare), append(rates, ours), append(piping, theirs/bare)
				}
			}
			name := fmt.Sprintf("64 HTTP callers %s, %d ms", c.name, delay.Milliseconds())
			r.note(b, name, median(rates), "1/s", "")
			if delay > 0 {
				r.add(b, name+", of the bare client", median(ratios), "times", -0.5)
			} else { // the processor's limit: client, server and workspace share it, and of a bare GET there is no server
				r.note(b, name+", of the bare client", median(ratios), "times", "")
			}
			r.note(b, "the same over stdio, of the bare client", median(piping), "times", "")
		}
	}
}

// benchHTTPAlone is what of a call is HTTP's: a ping beside a GET of the same process.
func benchHTTPAlone(b *testing.B, r *report) {
	w := newWorkspaceFake(b)
	s := w.website(b, r)
	defer s.stop()
	session, ping := s.session(), request(1, "ping", `{}`)
	health := strings.TrimSuffix(s.url, "mcp") + "healthz"
	one := func() { s.must(session, ping) }
	get := func() {
		resp, err := s.client.Get(health)
		w.drain(b, resp, err)
	}
	var over, ratios []float64
	for round := range 6 {
		floor, mine := median(caller(get)), median(caller(one))
		bare, ours := rate(64, get), rate(64, one)
		if round > 0 {
			over, ratios = append(over, millis(mine-floor)), append(ratios, ours/bare)
		}
	}
	r.add(b, "HTTP ping over a GET of the same server, p50", median(over), "ms", 0.35)
	r.add(b, "64 HTTP callers, pings, of such GETs", median(ratios), "times", -0.5)
}

// benchIdle is the memory of the process with 5,000 clients that listen.
func benchIdle(b *testing.B, r *report) {
	const clients = 5000
	w := newWorkspaceFake(b)
	for _, transport := range []string{"http", "sse"} {
		s := w.website(b, r, "--transport", transport)
		host := strings.TrimPrefix(s.url[:strings.LastIndex(s.url, "/")], "http://")
		header := s.header
		if transport == "http" {
			header = s.session()
		}
		began, _ := s.memory()
		var conns []net.Conn
		for range clients {
			conn, err := net.Dial("tcp", host)
			if err != nil {
				b.Skipf("not so many connections here: %v", err)
			}
			conns = append(conns, conn)
			if transport == "http" {
				header = s.session()
			}
			var request bytes.Buffer
			fmt.Fprintf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\n", s.url[strings.LastIndex(s.url, "/"):], host)
			_ = header.Write(&request) // into memory
			request.WriteString("\r\n")
			_, err = conn.Write(request.Bytes())
			status := make([]byte, len("HTTP/1.1 200"))
			if err == nil {
				_, err = io.ReadFull(conn, status)
			}
			if err != nil || !strings.HasSuffix(string(status), "200") {
				b.Fatalf("%s %v", status, err)
			}
		}
		if open := s.metric("brickmcp_http_streams_open"); open != clients {
			b.Errorf("%v streams are open", open)
		}
		resident, _ := s.memory()
		r.note(b, transport+", memory without a session", float64(began)/1e6, "MB", "")
		r.add(b, transport+", memory with 5,000 idle sessions", float64(resident)/1e6, "MB", 250)
		for _, conn := range conns {
			conn.Close()
		}
		s.stop()
	}
}
