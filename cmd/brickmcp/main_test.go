package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/tidwall/gjson"
)

// asServer makes the test binary be brickmcp itself, so that the stories run
// against a real process, race detector included.
const asServer = "BRICKMCP_TEST_AS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		os.Exit(run())
	}
	os.Exit(m.Run())
}

// command is brickmcp with arguments, in a clean environment.
func command(t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, arguments...)
	home := t.TempDir()
	cmd.Env = []string{
		asServer + "=1", "HOME=" + home, "USERPROFILE=" + home, "PATH=" + os.Getenv("PATH"), "XDG_STATE_HOME=" + home,
		"BROWSER=none", "DATABRICKS_AUTH_STORAGE=plaintext", // nothing of the person who runs the tests is touched
	}
	return cmd
}

// agent is an MCP client session with a brickmcp process, by an SDK that shares
// no code with the server.
type agent struct {
	t       *testing.T
	session *mcp.ClientSession
	stderr  *lockedBuffer
	killed  bool // on purpose
}

func newAgent(t *testing.T, cmd *exec.Cmd, options *mcp.ClientOptions) *agent {
	t.Helper()
	a := &agent{t: t, stderr: &lockedBuffer{}}
	cmd.Stderr = a.stderr
	client := mcp.NewClient(&mcp.Implementation{Name: "story", Version: "1.0.0"}, options)
	session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatalf("connect: %v\n%s", err, a.stderr)
	}
	a.session = session
	t.Cleanup(func() {
		if err := session.Close(); err != nil && !a.killed {
			t.Errorf("close: %v\n%s", err, a.stderr)
		}
	})
	return a
}

// called are the tools that any story has called with success.
var called sync.Map

// args are the arguments of a call.
type args = map[string]any

// ask calls a tool; failed tells an error result.
func (a *agent) ask(ctx context.Context, tool string, arguments args) (answer gjson.Result, failed bool) {
	a.t.Helper()
	result, err := a.session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		a.t.Fatalf("%s %v: %v\n%s", tool, arguments, err, a.stderr)
	}
	if len(result.Content) != 1 {
		a.t.Fatalf("%s: %d content blocks, want one", tool, len(result.Content))
	}
	text, ok := result.Content[0].(*mcp.TextContent)
	if !ok || !json.Valid([]byte(text.Text)) {
		a.t.Fatalf("%s: the result is no JSON text: %v", tool, result.Content[0])
	}
	return gjson.Parse(text.Text), result.IsError
}

// call calls a tool that must succeed.
func (a *agent) call(tool string, arguments args) gjson.Result {
	a.t.Helper()
	answer, failed := a.ask(a.t.Context(), tool, arguments)
	if failed {
		a.t.Fatalf("%s %v: %s", tool, arguments, answer.Raw)
	}
	called.Store(tool, true)
	return answer
}

// refused calls a tool that must fail with an error of that kind.
func (a *agent) refused(kind, tool string, arguments args) gjson.Result {
	a.t.Helper()
	answer, failed := a.ask(a.t.Context(), tool, arguments)
	if !failed || answer.Get("error.kind").Str != kind {
		a.t.Fatalf("%s %v: want an error of kind %s, got %s", tool, arguments, kind, answer.Raw)
	}
	for _, member := range []string{"message", "advice"} {
		if answer.Get("error."+member).Str == "" {
			a.t.Errorf("%s: the error has no %s: %s", tool, member, answer.Raw)
		}
	}
	return answer.Get("error")
}

// must fails the story unless text contains part.
func (a *agent) must(text, part string) {
	a.t.Helper()
	if !strings.Contains(text, part) {
		a.t.Fatalf("%q is not in %s", part, text)
	}
}

// lockedBuffer is the output of a process, to be read while it is written.
type lockedBuffer struct {
	mu    sync.Mutex
	text  strings.Builder
	grown chan struct{} // closed by the next Write; nil while nobody waits
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.grown != nil {
		close(b.grown)
		b.grown = nil
	}
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// await returns what the pattern finds, as soon as it does.
func (b *lockedBuffer) await(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	late := time.After(time.Minute)
	for {
		b.mu.Lock()
		found := re.FindString(b.text.String())
		if b.grown == nil {
			b.grown = make(chan struct{})
		}
		grown := b.grown
		b.mu.Unlock()
		if found != "" {
			return found
		}
		select {
		case <-grown:
		case <-late:
			t.Fatalf("%s did not come up in a minute:\n%s", pattern, b)
		}
	}
}
