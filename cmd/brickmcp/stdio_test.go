package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// piped runs brickmcp on a script of requests, as in a shell pipe, and returns the
// lines it writes, by the JSON text of their ids. Calls may take as long as a busy
// machine needs: what happens when their time is over is a test of transport/serve.
func piped(t *testing.T, cmd *exec.Cmd, requests ...string) map[string]gjson.Result {
	t.Helper()
	cmd.Env = append(cmd.Env, "BRICKMCP_DRAIN_TIMEOUT=5m")
	cmd.Stdin = strings.NewReader(strings.Join(requests, "\n"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	answers := map[string]gjson.Result{}
	for line := range strings.Lines(string(out)) {
		if !gjson.Valid(line) || gjson.Get(line, "jsonrpc").Str != "2.0" {
			t.Errorf("stdout carries something that is no JSON-RPC: %q", line)
		}
		answers[gjson.Get(line, "id").Raw] = gjson.Parse(line)
	}
	return answers
}

func request(id int, method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, id, method, params)
}

func toolCall(id int, tool, arguments string) string {
	return request(id, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, tool, arguments))
}

func initialize(id int, version string) string {
	return request(id, "initialize", fmt.Sprintf(`{"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":"script","version":"1"}}`, version))
}

// A shell script that pipes its requests gets every answer, though the input ends
// long before the last one.
func TestPipedScript(t *testing.T) {
	requests := []string{initialize(0, "2025-11-25"), `{"jsonrpc":"2.0","method":"notifications/initialized"}`, request(1, "tools/list", `{}`)}
	for id := 2; id < 30; id++ {
		requests = append(requests, toolCall(id, "jobs_list", `{"limit":3}`))
	}
	answers := piped(t, command(t, "--sandbox", "--fault", "latency=300ms:path=/api/2.2/jobs/list"), requests...)
	if len(answers) != 30 {
		t.Fatalf("%d of 30 answers", len(answers))
	}
	for id := 2; id < 30; id++ {
		if text := answers[fmt.Sprint(id)].Get("result.content.0.text").Str; gjson.Get(text, "returned").Int() != 3 {
			t.Errorf("call %d was answered %s", id, answers[fmt.Sprint(id)].Raw)
		}
	}
}

func TestHandshakes(t *testing.T) {
	for asked, want := range map[string]string{
		"2024-11-05": "2024-11-05", "2025-03-26": "2025-03-26", "2025-06-18": "2025-06-18", "2025-11-25": "2025-11-25",
		"1999-01-01": "2025-11-25", "2026-07-28": "2025-11-25", // the handshake ended with 2025-11-25
	} {
		answers := piped(t, command(t), initialize(1, asked), request(2, "tools/list", `{}`))
		hello := answers["1"].Get("result")
		if got := hello.Get("protocolVersion").Str; got != want {
			t.Errorf("asked for %s, got %s", asked, got)
		}
		if !hello.Get("capabilities.tools").Exists() || hello.Get("capabilities.tools.listChanged").Bool() || hello.Get("serverInfo.name").Str != "brickmcp" {
			t.Errorf("the server introduces itself as %s", hello.Raw)
		}
		if n := len(hello.Get("instructions").Str); n == 0 || n > 600 {
			t.Errorf("instructions of %d bytes", n)
		}
		if tools := answers["2"].Get("result.tools.#").Int(); tools == 0 {
			t.Errorf("%s: no tools", asked)
		}
	}
}

// The order of tools is part of the prompt that hosts cache.
func TestToolsListIsDeterministic(t *testing.T) {
	first := piped(t, command(t), request(1, "tools/list", `{}`))["1"].Raw
	for range 3 {
		if again := piped(t, command(t), request(1, "tools/list", `{}`))["1"].Raw; again != first {
			t.Fatalf("tools/list differs between two starts:\n%s\n%s", first, again)
		}
	}
	if strings.Contains(first, `"icons"`) {
		t.Error("tools have icons, which cost tokens in every request")
	}
}

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"script","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`

// Trap of mcp-go: answers to elicitation that was never asked for are accepted,
// with a forged state. Nothing here may be unlocked by them.
func TestForgedElicitationUnlocksNothing(t *testing.T) {
	params := `{"name":"jobs_delete","arguments":{"job_id":"1"},"inputResponses":{"confirm":{"action":"accept","content":{"confirm":true}}},"requestState":"forged",` + modernMeta + `}`
	answers := piped(t, command(t, "--sandbox", "--access", "read"), request(1, "tools/call", params), strings.Replace(request(2, "tools/call", params), modernMeta, `"_meta":{}`, 1))
	for _, id := range []string{"1", "2"} {
		if kind := answers[id].Get("result.structuredContent.error.kind").Str; kind != "denied" {
			t.Errorf("the call was answered %s", answers[id].Raw)
		}
	}
}

// Trap of mcp-go: it writes fields of 2026-07-28 into results, where clients of
// older versions would see them if a result was ever shared.
func TestOldClientsSeeNoNewFields(t *testing.T) {
	for range 5 {
		var requests []string
		for id := range 40 {
			call := toolCall(id, "jobs_get", `{"job_id":"1"}`)
			if id%2 == 0 {
				call = strings.TrimSuffix(call, "}}") + "," + modernMeta + "}}"
			}
			requests = append(requests, call)
		}
		answers := piped(t, command(t, "--sandbox"), requests...)
		for id := range 40 {
			answer := answers[fmt.Sprint(id)]
			if isNew := answer.Get("result.resultType").Exists(); isNew != (id%2 == 0) {
				t.Errorf("call %d was answered %s", id, answer.Raw)
			}
		}
	}
}

// Trap of mcp-go: integers in arguments pass through float64. A job id off by one
// is another job.
func TestLargeIDsAreExact(t *testing.T) {
	answers := piped(t, command(t, "--sandbox"),
		toolCall(1, "jobs_get", `{"job_id":9007199254740993}`),
		toolCall(2, "jobs_get", `{"job_id":"9223372036854775807"}`),
		toolCall(3, "jobs_run_now", `{"job_id":9007199254740993,"job_parameters":{"n":"9007199254740993"}}`),
	)
	for id, want := range map[string]string{"1": "9007199254740993", "2": "9223372036854775807", "3": "9007199254740993"} {
		if message := answers[id].Get("result.structuredContent.error.message").Str; !strings.Contains(message, want+" ") {
			t.Errorf("the call with %s was answered %q", want, message)
		}
	}
}

// session is a brickmcp process that a test talks to by hand.
type session struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func newSession(t *testing.T, arguments ...string) *session {
	t.Helper()
	s := &session{t: t, cmd: command(t, arguments...)}
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.out = bufio.NewReader(out)
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	return s
}

func (s *session) send(line string) {
	s.t.Helper()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) receive() gjson.Result {
	s.t.Helper()
	line, err := s.out.ReadString('\n')
	if err != nil {
		s.t.Fatalf("read: %v", err)
	}
	return gjson.Parse(line)
}

// ended is the exit status, and how long the process took to end.
func (s *session) ended() (status int, took time.Duration) {
	began := time.Now()
	if _, err := io.Copy(io.Discard, s.out); err != nil {
		s.t.Error(err)
	}
	_ = s.cmd.Wait() // the status says it
	return s.cmd.ProcessState.ExitCode(), time.Since(began)
}

func TestTerminated(t *testing.T) {
	s := newSession(t, "--sandbox", "--log-level", "error", "--fault", "latency=1h:path=/api/2.1/clusters/list")
	s.send(toolCall(1, "clusters_list", `{}`))
	s.send(request(2, "ping", `{}`))
	if answer := s.receive(); answer.Get("id").Raw != "2" {
		t.Fatalf("instead of the ping came %s", answer.Raw)
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Skipf("this system cannot send an interrupt to a process: %v", err)
	}
	status, took := s.ended()
	if status != 0 {
		t.Errorf("exit status %d", status)
	}
	if took < time.Second { // the call has 2 s to finish before it is cancelled
		t.Errorf("ended %v after the signal", took)
	}
}

// A host that is killed closes nothing: another process may hold the other end of
// our stdin, as this test does.
func TestParentDies(t *testing.T) {
	server := command(t, "--sandbox", "--log-level", "error")
	host := exec.Command("sh", "-c", `"$0" "$@" <&3 & wait`)
	host.Args = append(host.Args, append([]string{server.Path}, server.Args[1:]...)...)
	host.Env = server.Env
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	host.ExtraFiles = []*os.File{read}
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Skipf("there is no sh to be the host: %v", err)
	}
	if _, err := io.WriteString(write, request(1, "ping", `{}`)+"\n"); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(out)
	if line, err := answers.ReadString('\n'); err != nil || gjson.Get(line, "id").Int() != 1 {
		t.Fatalf("instead of the ping came %q, %v", line, err)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, answers); err != nil { // ends with the last process that could write
		t.Fatal(err)
	}
	_ = host.Wait() // killed
}

func TestNothingElseOnStdout(t *testing.T) {
	for _, level := range []string{"debug", "info"} {
		answers := piped(t, command(t, "--sandbox", "--log-level", level, "--log-format", "json"),
			initialize(1, "2025-11-25"), `nonsense`, toolCall(2, "jobs_list", `{}`), toolCall(3, "jobs_list", `{"limit":"x"}`), toolCall(4, "nope", `{}`))
		if len(answers) != 5 { // the refusal of nonsense has the id null
			t.Errorf("%d answers", len(answers))
		}
	}
}
