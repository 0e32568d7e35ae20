package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brickmcp/transport/sandbox"
)

// httpProcess is brickmcp on HTTP in a process of its own.
type httpProcess struct {
	*httpClient
	cmd  *exec.Cmd
	log  *listenLog
	done chan error
}

// startHTTP starts a process with the environment of another, or of a new home.
func startHTTP(t *testing.T, env []string, arguments ...string) *httpProcess {
	t.Helper()
	p := &httpProcess{
		cmd: command(t, append([]string{"--transport", "http", "--identity", "local", "--listen", "127.0.0.1:0", "--log-format", "json"}, arguments...)...),
		log: &listenLog{found: make(chan struct{})}, done: make(chan error, 1),
	}
	if env != nil {
		p.cmd.Env = env
	}
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	select {
	case <-p.log.found:
	case err := <-p.done:
		t.Fatalf("the server did not start: %v\n%s", err, p.log)
	case <-time.After(2 * time.Minute):
		t.Fatalf("the server does not say where it listens:\n%s", p.log)
	}
	secret := exec.Command(p.cmd.Path, "secret")
	secret.Env = p.cmd.Env
	text, err := secret.Output()
	if err != nil {
		t.Fatalf("brickmcp secret: %v", err)
	}
	p.httpClient = withSecret(t, p.log.line.Get("url").Str, strings.TrimSpace(string(text)))
	return p
}

// Killed in the middle of things and started again, the server goes on: with the
// session, the run of an agent, and the confirmation that waits.
func TestHTTPRestart(t *testing.T) {
	host, _ := numberedWorkspace(t, nil)
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte("default: full\ntools: {jobs_delete: confirm}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(command(t).Env, "DATABRICKS_HOST="+host, "DATABRICKS_TOKEN="+sandbox.Token, "BRICKMCP_POLICY="+policy)
	first := startHTTP(t, env)
	first.initialize("story")
	job := first.ok("jobs_create", args{"name": "story", "tasks": []any{args{"task_key": "a", "notebook_task": args{"notebook_path": "/Workspace/Shared/etl/x"}}}}).Get("job_id").Str
	run := first.ok("supervisor_start_run", args{"input": "How many orders are there?", "tools": []any{ordersTool}}).Get("run_id").Str
	token := first.ok("jobs_delete", args{"job_id": job}).Get("confirm.confirm_token").Str
	if job == "" || run == "" || token == "" {
		t.Fatalf("job %q, run %q, token %q", job, run, token)
	}
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.done

	second := startHTTP(t, env)
	second.session = first.session
	if resp, answer := second.post(request(1, "ping", `{}`)); resp.StatusCode != http.StatusOK {
		t.Errorf("the session: %d %s", resp.StatusCode, answer.Raw)
	}
	if got := second.ok("supervisor_wait_run", args{"run_id": run}); got.Get("status").Str != "completed" || got.Get("output_text").Str == "" {
		t.Errorf("the run: %s", got.Raw)
	}
	second.ok("jobs_delete", args{"job_id": job, "confirm_token": token})
	second.refused("denied", "jobs_delete", args{"job_id": job, "confirm_token": token}) // once
	second.session = second.session[:len(second.session)-2] + "xx"
	if resp, answer := second.post(request(1, "ping", `{}`)); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a forged session: %d %s", resp.StatusCode, answer.Raw)
	}
}

// Asked to end, the server answers the call that is under way first.
func TestHTTPEndsInOrder(t *testing.T) {
	arrived, goOn := make(chan struct{}), make(chan struct{})
	host, _ := numberedWorkspace(t, func(r *http.Request) {
		if r.URL.Path == "/api/2.1/clusters/list" {
			close(arrived)
			<-goOn
		}
	})
	env := append(command(t).Env, "DATABRICKS_HOST="+host, "DATABRICKS_TOKEN="+sandbox.Token)
	server := startHTTP(t, env, "--drain-timeout", "5m")
	answered := make(chan bool, 1)
	go func() { answered <- server.ok("clusters_list", args{}).Get("clusters").Exists() }()
	<-arrived
	if err := server.cmd.Process.Signal(os.Interrupt); err != nil {
		close(goOn)
		t.Skipf("this system cannot send an interrupt to a process: %v", err)
	}
	for deadline := time.Now().Add(time.Minute); ; { // until it has begun to end
		resp, err := http.Get(strings.TrimSuffix(server.url, "mcp") + "readyz")
		if err != nil {
			break
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusServiceUnavailable {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not begin to end")
		}
	}
	close(goOn)
	if !<-answered {
		t.Error("the call under way was not answered")
	}
	if err := <-server.done; err != nil {
		t.Errorf("it ended with %v\n%s", err, server.log)
	}
}
