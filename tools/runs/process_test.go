package runs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"brickmcp/catalog"
	"brickmcp/transport/rest"

	"github.com/tidwall/gjson"
)

// The test binary plays the process that is killed: it is started again with these.
const (
	roleVariable = "RUNS_TEST_ROLE" // "start STEP", "approve STEP RUN" or "chaos FROM TO"
	dirVariable  = "RUNS_TEST_DIR"
	hostVariable = "RUNS_TEST_HOST"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		play(strings.Fields(role))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// real is a runner on a gateway behind HTTP.
func real(dir, host string) *Runner {
	client, err := rest.New(rest.Config{Host: host, RateLimit: rest.NoRateLimit, Token: func(context.Context) (string, error) { return "token", nil }})
	if err != nil {
		panic(err)
	}
	s := &Supervisor{API: client}
	return &Runner{Registry: New(dir), Backend: func(string) (Backend, error) { return s, nil }}
}

func marked(n int) Request {
	return Request{Input: []json.RawMessage{userSays(fmt.Sprintf("task %d", n))}}
}

// play is what the process does until it is killed.
func play(role []string) {
	var r *Runner
	if host := os.Getenv(hostVariable); host != "" {
		r = real(os.Getenv(dirVariable), host)
	}
	killAt := func(name string) {
		step = func(at string) {
			if at == name {
				self, err := os.FindProcess(os.Getpid())
				if err == nil {
					err = self.Kill()
				}
				if err != nil {
					panic(err)
				}
				select {}
			}
		}
	}
	switch role[0] {
	case "gateway": // that never gets done
		c := &counting{starts: map[string]int{}, ids: map[string]string{}, busy: true}
		fmt.Print(httptest.NewServer(c).URL)
		select {}
	case "start":
		killAt(role[1])
		run, err := r.Start(context.Background(), gatewayUser, "", marked(0))
		fmt.Println(run != nil, err)
	case "approve":
		killAt(role[1])
		run, err := r.Approve(context.Background(), gatewayUser, role[2], []Decision{{RequestID: "ask_1", Approve: true}}, "tool")
		fmt.Println(run != nil, err)
	case "chaos":
		from, _ := strconv.Atoi(role[1])
		to, _ := strconv.Atoi(role[2])
		var all sync.WaitGroup
		var taking sync.Mutex
		next := from
		for range 25 {
			all.Go(func() {
				for {
					taking.Lock()
					n := next
					if next++; n < to {
						fmt.Println(n) // before anything else
					}
					taking.Unlock()
					if n >= to {
						return
					}
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					_, _ = r.Start(ctx, gatewayUser, "", marked(n))
					cancel()
				}
			})
		}
		all.Wait()
	}
}

// again starts the test binary in a role.
func again(t testing.TB, dir, host, role string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, dirVariable+"="+dir, hostVariable+"="+host)
	cmd.Stderr = os.Stderr
	return cmd
}

// counting is a gateway behind HTTP that counts what it began.
type counting struct {
	mu     sync.Mutex
	starts map[string]int    // by the user's text
	ids    map[string]string // response id to text
	posts  int
	gets   int
	busy   bool                                                               // nothing ends
	asks   bool                                                               // the first response of a task asks for an approval
	fault  func(n int, w http.ResponseWriter, post bool) (before, after bool) // breaks an exchange before or after its effect
}

func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	post := r.Method == http.MethodPost
	c.mu.Lock()
	n := c.gets
	if post {
		c.posts++
		n = c.posts
	} else {
		c.gets++
	}
	fault := c.fault
	c.mu.Unlock()
	before, after := false, false
	if fault != nil {
		if before, after = fault(n, w, post); before {
			return
		}
	}
	answer := ""
	c.mu.Lock()
	if post {
		text := gjson.GetBytes(body, "input.0.content").Str
		c.starts[text]++
		id := fmt.Sprintf("resp_%d", len(c.ids))
		c.ids[id] = text
		answer = response(id, "queued").body
		if c.asks && !strings.Contains(string(body), "mcp_approval_response") {
			answer = response(id, "completed", request1).body
		}
	} else {
		id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		if text, ok := c.ids[id]; ok {
			answer = response(id, "completed", strings.Replace(textItem1, "It is 42.", text, 1)).body
			if c.busy {
				answer = response(id, "in_progress", callItem, outputItem).body
			}
		}
	}
	c.mu.Unlock()
	switch {
	case after:
		reset(w)
	case answer == "":
		w.WriteHeader(http.StatusNotFound)
	default:
		fmt.Fprint(w, answer)
	}
}

func (c *counting) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.posts
}

// reset breaks the connection.
func reset(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

func newCounting(t *testing.T) (*counting, string) {
	c := &counting{starts: map[string]int{}, ids: map[string]string{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return c, server.URL
}

// A process killed at any step of a start loses no run and starts none twice.
func TestKilledStart(t *testing.T) {
	for at, want := range map[string]struct {
		starts int
		status Status // "": no run
	}{
		"locked":   {0, ""},
		"temp":     {0, ""},
		"written":  {0, ""},
		"synced":   {0, ""},
		"renamed":  {0, Unknown}, // nobody can tell it from the next
		"recorded": {0, Unknown},
		"sent":     {1, Unknown},
		"answered": {1, Completed},
		"never":    {1, Completed},
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			c, host := newCounting(t)
			dir := t.TempDir()
			err := again(t, dir, host, "start "+at).Run()
			if killed := err != nil; killed != (at != "never") {
				t.Fatalf("the process ended with %v", err)
			}
			r := real(dir, host)
			for range 2 { // whoever looks changes nothing
				listed, err := r.Registry.List(gatewayUser, "", every)
				if err != nil || listed.Damaged > 0 || len(listed.Runs) != min(len(want.status), 1) {
					t.Fatalf("%d runs, %d damaged, %v", len(listed.Runs), listed.Damaged, err)
				}
				for _, run := range listed.Runs {
					if seen := mustLook(t, r, run.ID); seen.Status != want.status || seen.Sending != nil {
						t.Errorf("status %s, want %s", seen.Status, want.status)
					}
				}
			}
			if got := c.count(); got != want.starts {
				t.Errorf("started %d times, want %d", got, want.starts)
			}
		})
	}
}

// A process killed at any step of an approval uses it once, or not at all.
func TestKilledApproval(t *testing.T) {
	for at, want := range map[string]struct {
		posts  int
		status Status
	}{
		"temp":      {1, ApprovalRequired}, // nothing was written: it may be given again
		"synced":    {1, ApprovalRequired},
		"used":      {1, Unknown},
		"continued": {2, Unknown},
		"answered":  {2, Completed},
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			c, host := newCounting(t)
			c.asks = true
			dir := t.TempDir()
			r := real(dir, host)
			run, err := r.Start(t.Context(), gatewayUser, "", marked(0))
			if err != nil || run.Status != ApprovalRequired {
				t.Fatal(run, err)
			}
			if err := again(t, dir, host, "approve "+at+" "+run.ID).Run(); err == nil {
				t.Fatal("the process was not killed")
			}
			if seen := mustLook(t, r, run.ID); seen.Status != want.status {
				t.Errorf("status %s, want %s", seen.Status, want.status)
			}
			_, err = r.Approve(t.Context(), gatewayUser, run.ID, []Decision{{RequestID: "ask_1", Approve: true}}, "tool")
			if again := want.status == ApprovalRequired; again != (err == nil) {
				t.Errorf("approving again: %v", err)
			} else if !again && catalog.AsError(err).Kind != catalog.Conflict {
				t.Error(err)
			}
			if got, most := c.count(), max(want.posts, 2); got > most {
				t.Errorf("%d requests", got)
			}
		})
	}
}
