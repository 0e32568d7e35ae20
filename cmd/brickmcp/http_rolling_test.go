package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"brickmcp/transport/sandbox"

	"github.com/tidwall/gjson"
)

// turnstile counts the jobs that reach the workspace, and keeps some of them waiting.
type turnstile struct {
	mu      sync.Mutex
	created map[string]int // by name
	waiting chan string    // names of those that wait
	open    chan struct{}
}

// see looks at a request before the workspace does.
func (s *turnstile) see(r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/jobs/create") {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the workspace reads the same
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	name := gjson.GetBytes(body, "name").Str
	s.mu.Lock()
	s.created[name]++
	open := s.open
	s.mu.Unlock()
	if strings.HasPrefix(name, "held") {
		s.waiting <- name
		<-open
	}
}

func (s *turnstile) times(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.created[name]
}

// shut makes what is held wait until the function that it gives is called.
func (s *turnstile) shut() (open func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = make(chan struct{})
	return sync.OnceFunc(func() { close(s.open) })
}

// roller is a client that goes on while servers come and go.
type roller struct {
	*httpClient
	modern  bool
	site    *turnstile
	retried *atomic.Int64
}

// create makes a job of that name. A request that no server has taken in is sent again.
func (c *roller) create(name string) (id string) {
	for deadline := time.Now().Add(4 * time.Minute); time.Now().Before(deadline); c.retried.Add(1) {
		resp, err := c.http.Do(c.request(name))
		if err != nil {
			if c.site.times(name) > 0 {
				c.t.Errorf("%s was taken in, and not answered: %v", name, err)
				return ""
			}
			<-time.After(20 * time.Millisecond) // refused: the next server is on its way
			continue
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
			c.t.Errorf("%s has half an answer: %s %v", name, text, err)
			return ""
		case resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusTooManyRequests:
			if resp.Header.Get("Retry-After") == "" || c.site.times(name) > 0 {
				c.t.Errorf("%s: %s, Retry-After %q, sent on %d times", name, resp.Status, resp.Header.Get("Retry-After"), c.site.times(name))
				return ""
			}
			<-time.After(20 * time.Millisecond)
			continue
		}
		result := gjson.Parse(gjson.GetBytes(text, "result.content.0.text").Str)
		if id = result.Get("job_id").String(); resp.StatusCode != http.StatusOK || id == "" {
			c.t.Errorf("%s: %s %s", name, resp.Status, text)
		}
		return id
	}
	c.t.Errorf("%s is not done after minutes", name)
	return ""
}

func (c *roller) request(name string) *http.Request {
	arguments, err := json.Marshal(args{"name": name, "tasks": []any{args{"task_key": "a", "notebook_task": args{"notebook_path": "/Workspace/Shared/etl/x"}}}})
	if err != nil {
		c.t.Error(err)
	}
	body := toolCall(1, "jobs_create", string(arguments))
	if c.modern {
		body = modernToolCall("jobs_create", string(arguments))
	}
	req, err := http.NewRequest(http.MethodPost, c.url, strings.NewReader(body))
	if err != nil {
		c.t.Error(err)
		return nil
	}
	req.Header = c.header.Clone()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if c.modern {
		req.Header.Set("Mcp-Protocol-Version", "2026-07-28")
		req.Header.Set("Mcp-Method", "tools/call")
		req.Header.Set("Mcp-Name", "jobs_create")
	} else {
		req.Header.Set("Mcp-Session-Id", c.session)
	}
	return req
}

// modernToolCall is a call of 2026-07-28, which says of itself what a session said before.
func modernToolCall(tool, arguments string) string {
	return request(1, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",`+
		`"io.modelcontextprotocol/clientInfo":{"name":"modern","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}`, tool, arguments))
}

// Servers take turns at one address while clients of both protocols write: what was
// taken in is answered, what was not is sent again, and nothing is done twice. Each
// server begins while the one before still has calls to answer.
func TestRollingRestarts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be asked to end on Windows: there is no SIGTERM")
	}
	site := &turnstile{created: map[string]int{}, waiting: make(chan string, 16)}
	host, _ := numberedWorkspace(t, site.see)
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte("default: full\ntools: {jobs_delete: confirm}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(command(t).Env, "DATABRICKS_HOST="+host, "DATABRICKS_TOKEN="+sandbox.Token, "BRICKMCP_POLICY="+policy, "BRICKMCP_DRAIN_TIMEOUT=5m", "BRICKMCP_RATE_LIMIT=off")
	server := startHTTP(t, env)
	address := server.log.line.Get("url").Str
	address = strings.TrimSuffix(strings.TrimPrefix(address, "http://"), "/mcp")

	const clients, holders = 6, 4
	var retried atomic.Int64
	var all []*roller
	for i := range clients + holders {
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		own := &httpClient{t: t, url: server.url, header: server.header, http: &http.Client{Transport: transport}}
		c := &roller{httpClient: own, modern: i%2 == 1, site: site, retried: &retried}
		if !c.modern {
			c.initialize("roller")
		}
		all = append(all, c)
	}
	made := map[string]string{} // name -> id, as clients were told
	var mu sync.Mutex
	create := func(c *roller, name string) {
		id := c.create(name)
		mu.Lock()
		defer mu.Unlock()
		made[name] = id
	}
	doomed := all[0].create("doomed")
	waiting := all[0].ok("jobs_delete", args{"job_id": doomed}).Get("confirm.confirm_token").Str
	if waiting == "" {
		t.Fatal("no confirmation is asked for")
	}

	stop := make(chan struct{})
	var load sync.WaitGroup
	for i, c := range all[:clients] {
		load.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					create(c, fmt.Sprintf("job-%d-%d", i, n))
				}
			}
		})
	}
	for round := range 2 {
		open := site.shut()
		var held sync.WaitGroup
		for i, c := range all[clients:] {
			held.Go(func() { create(c, fmt.Sprintf("held-%d-%d", i, round)) })
		}
		for range holders {
			<-site.waiting
		}
		ending := server
		if err := ending.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		untilFree(t, address)
		for had := retried.Load(); retried.Load() < had+clients && !t.Failed(); { // some are turned away now
			<-time.After(10 * time.Millisecond)
		}
		server = startHTTP(t, env, "--listen", address)
		select {
		case err := <-ending.done:
			t.Errorf("it ended before its calls were answered: %v\n%s", err, ending.log)
			ending.done <- err
		default:
		}
		open()
		held.Wait()
		if err := <-ending.done; err != nil || strings.Contains(ending.log.String(), "goroutine ") {
			t.Errorf("it ended with %v\n%s", err, ending.log)
		}
	}
	close(stop)
	load.Wait()

	all[0].ok("jobs_delete", args{"job_id": doomed, "confirm_token": waiting})
	all[0].refused("denied", "jobs_delete", args{"job_id": doomed, "confirm_token": waiting}) // once
	site.mu.Lock()
	defer site.mu.Unlock()
	delete(site.created, "doomed")
	for name, times := range site.created {
		if times != 1 || made[name] == "" {
			t.Errorf("%s was created %d times, and its client was told id %q", name, times, made[name])
		}
	}
	ids := map[string]bool{}
	for name, id := range made {
		if site.created[name] != 1 || ids[id] {
			t.Errorf("%s: told id %s, created %d times", name, id, site.created[name])
		}
		ids[id] = true
	}
	if len(made) < 2*holders+clients {
		t.Errorf("only %d jobs were made", len(made))
	}
	t.Logf("%d jobs; %d requests were refused and sent again", len(made), retried.Load())
}

// untilFree waits until nobody listens at the address.
func untilFree(t *testing.T, address string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-time.After(10 * time.Millisecond) {
		resp, err := client.Get("http://" + address + "/healthz")
		if err != nil {
			return
		}
		resp.Body.Close()
	}
	t.Fatal("the server does not let go of its address")
}
