package main

import (
	"bufio"
	"io"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"brickmcp/transport/sandbox"

	"github.com/tidwall/gjson"
)

// opened is a stream that a client has open.
type opened struct {
	t    *testing.T
	body io.ReadCloser
	in   *bufio.Reader
}

// open sends a request whose answer is a stream, and reads as far as its header.
func (c *httpClient) open(method, url, body string, header ...string) *opened {
	t := c.t.(*testing.T)
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = c.header.Clone()
	req.Header.Set("Accept", "application/json, text/event-stream")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%s %s: %s, %s", method, url, resp.Status, resp.Header.Get("Content-Type"))
	}
	return &opened{t: t, body: resp.Body, in: bufio.NewReader(resp.Body)}
}

// event is the data of the next event.
func (o *opened) event() string {
	o.t.Helper()
	for {
		line, err := o.in.ReadString('\n')
		if err != nil {
			o.t.Fatalf("the stream ends with %v", err)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			return strings.TrimSpace(data)
		}
	}
}

// rest is what still comes of a stream that has to end in order.
func (o *opened) rest() string {
	o.t.Helper()
	text, err := io.ReadAll(o.in)
	if err != nil {
		o.t.Errorf("the stream was cut: %v behind %q", err, text)
	}
	return string(text)
}

// ends waits for the process, which has to leave by itself and quietly.
func (p *httpProcess) ends(t *testing.T) {
	t.Helper()
	select {
	case err := <-p.done:
		if err != nil || p.cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(2 * time.Minute):
		t.Error("it does not end")
	}
	if text := p.log.String(); strings.Contains(text, "goroutine ") || strings.Contains(text, "panic") {
		t.Errorf("its log: %s", text)
	}
}

// held is a workspace whose clusters are listed when it is told to, and the environment
// of a server for it.
func held(t *testing.T) (env []string, arrived, goOn chan struct{}) {
	arrived, goOn = make(chan struct{}, 8), make(chan struct{})
	host, _ := numberedWorkspace(t, func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/clusters/list") {
			arrived <- struct{}{}
			select {
			case <-goOn:
			case <-r.Context().Done():
			}
		}
	})
	return append(command(t).Env, "DATABRICKS_HOST="+host, "DATABRICKS_TOKEN="+sandbox.Token), arrived, goOn
}

func noSIGTERM(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be asked to end on Windows: there is no SIGTERM")
	}
}

// Told to end, the server ends its streams in order, lets running calls finish, and
// leaves with 0.
func TestHTTPEndsStreams(t *testing.T) {
	noSIGTERM(t)
	env, arrived, goOn := held(t)
	p := startHTTP(t, env, "--drain-timeout", "5m")
	p.initialize("ends")
	listening := p.open(http.MethodGet, p.url, "", "Mcp-Session-Id", p.session)
	subscribed := p.open(http.MethodPost, p.url, request(5, "subscriptions/listen", `{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}`),
		"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "subscriptions/listen")
	answered := make(chan bool, 1)
	go func() { answered <- p.ok("clusters_list", args{}).Get("clusters").Exists() }()
	<-arrived
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if rest := listening.rest(); strings.Contains(rest, "data:") {
		t.Errorf("the stream says %q", rest)
	}
	if rest := subscribed.rest(); !strings.Contains(rest, `"id":5`) || !strings.Contains(rest, `"result"`) {
		t.Errorf("the subscription ends without its answer: %q", rest)
	}
	close(goOn)
	if !<-answered {
		t.Error("the call under way was not answered")
	}
	p.ends(t)
}

// The same for the older transport, whose answers come on the stream.
func TestSSEEnds(t *testing.T) {
	noSIGTERM(t)
	env, arrived, goOn := held(t)
	p := startHTTP(t, env, "--transport", "sse", "--drain-timeout", "5m")
	stream := p.open(http.MethodGet, p.url, "")
	message := strings.TrimSuffix(p.url, "/sse") + stream.event()
	p.url = message
	if resp, _ := p.post(initialize(1, "2024-11-05")); resp.StatusCode != http.StatusAccepted {
		t.Fatal(resp.Status)
	}
	if got := gjson.Get(stream.event(), "result.protocolVersion").Str; got != "2024-11-05" {
		t.Fatalf("version %q", got)
	}
	if resp, _ := p.post(toolCall(2, "clusters_list", `{}`)); resp.StatusCode != http.StatusAccepted {
		t.Fatal(resp.Status)
	}
	<-arrived
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; <-time.After(10 * time.Millisecond) { // it takes nothing in any more
		resp, err := p.http.Post(message, "application/json", nil)
		if err != nil {
			break
		}
		resp.Body.Close()
		if time.Now().After(deadline) {
			t.Fatal("it does not begin to end")
		}
	}
	close(goOn)
	if rest := stream.rest(); !strings.Contains(rest, `"id":2`) || !strings.Contains(rest, "clusters") {
		t.Errorf("the call under way was not answered: %q", rest)
	}
	p.ends(t)
}

// A call that never ends is ended when the time is up, and answered all the same.
func TestHTTPEndsInTime(t *testing.T) {
	noSIGTERM(t)
	env, arrived, _ := held(t)
	p := startHTTP(t, env, "--drain-timeout", "100ms")
	p.initialize("ends")
	stream := p.open(http.MethodGet, p.url, "", "Mcp-Session-Id", p.session)
	answered := make(chan gjson.Result, 1)
	go func() { answered <- p.result("clusters_list", args{}) }()
	<-arrived
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	stream.rest()
	p.ends(t)
	if got := <-answered; !got.Get("error.kind").Exists() {
		t.Errorf("the call was answered with %s", got.Raw)
	}
}
