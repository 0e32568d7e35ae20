package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// shim is brickmcp as npm installs it, in front of a stand-in for the binary.
type shim struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
}

func shimCommand(t testing.TB, arguments ...string) *exec.Cmd {
	t.Helper()
	needs(t, "node")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", append([]string{filepath.Join("wrapper", "brickmcp.js")}, arguments...)...)
	cmd.Env = append(cleanEnvironment(t.TempDir()), standIn+"=1", "BRICKMCP_BINARY="+self)
	return cmd
}

func startShim(t *testing.T, arguments ...string) *shim {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals")
	}
	s := &shim{t: t, cmd: shimCommand(t, arguments...)}
	s.cmd.Stderr = &s.stderr
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.out = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	return s
}

// says expects the next line of stdout, "" for its end.
func (s *shim) says(want string) {
	s.t.Helper()
	line, err := s.out.ReadString('\n')
	if line = strings.TrimSuffix(line, "\n"); line != want || err != nil && !errors.Is(err, io.EOF) {
		s.t.Fatalf("stdout has %q (%v), want %q; stderr: %s", line, err, want, &s.stderr)
	}
}

func (s *shim) write(line string) {
	s.t.Helper()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shim) signal(signal os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// ends waits, and returns how the process ended: "exit status 3", "signal: killed".
func (s *shim) ends() string {
	s.t.Helper()
	s.says("")
	if err := s.cmd.Wait(); err != nil {
		return err.Error()
	}
	if s.stderr.Len() > 0 {
		s.t.Errorf("stderr: %s", &s.stderr)
	}
	return "exit status 0"
}

func TestShimPassesArgumentsAndStdio(t *testing.T) {
	// No shell may see them.
	s := startShim(t, "a b", "$HOME", `"quoted"`, "*", "", "--flag=ü;|&")
	s.says(`arguments ["a b" "$HOME" "\"quoted\"" "*" "" "--flag=ü;|&"]`)
	s.write("one")
	s.says("line one")
	if err := s.in.Close(); err != nil {
		t.Fatal(err)
	}
	s.says("end of stdin")
	if end := s.ends(); end != "exit status 0" {
		t.Error(end)
	}
}

func TestShimPassesTheExitStatus(t *testing.T) {
	for _, status := range []string{"0", "1", "2", "42", "255"} {
		s := startShim(t)
		s.says("arguments []")
		s.write("exit " + status)
		if end := s.ends(); end != "exit status "+status {
			t.Errorf("exit %s: %s", status, end)
		}
	}
}

func TestShimForwardsSignals(t *testing.T) {
	s := startShim(t)
	s.says("arguments []")
	s.signal(os.Interrupt)
	s.says("signal interrupt")
	s.signal(syscall.SIGHUP)
	s.says("signal hangup")
	s.signal(syscall.SIGTERM)
	s.says("signal terminated")
	if end := s.ends(); end != "exit status 7" {
		t.Error(end)
	}
}

// A binary that a signal ended must look so from outside.
func TestShimDiesBySignal(t *testing.T) {
	for number, want := range map[string]string{
		"9": "signal: killed", "15": "signal: terminated", "2": "signal: interrupt", "1": "signal: hangup",
	} {
		s := startShim(t)
		s.says("arguments []")
		s.write("die " + number)
		if end := s.ends(); end != want {
			t.Errorf("signal %s: %s", number, end)
		}
	}
}

// Nobody may be left behind when the shim is killed: stdin ends with its owner.
func TestShimLeavesNoOrphan(t *testing.T) {
	s := startShim(t)
	s.says("arguments []")
	s.signal(os.Kill)
	if err := s.in.Close(); err != nil {
		t.Fatal(err)
	}
	s.says("end of stdin")
	s.says("")
}

func TestShimExplains(t *testing.T) {
	r := newRegistry(t, buildPackages(t))
	version := r.packages[name].Version
	whole, bare := install(t, r), install(t, r, "--omit=optional")
	bin := filepath.Join("node_modules", ".bin", name)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere.js")
	if err := os.WriteFile(elsewhere, []byte(`Object.defineProperty(process, "platform", {value: "sunos"})`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		title, dir string
		env        []string
		command    []string
		status     int
		stdout     string
		stderr     []string
	}{
		{"version", whole, nil, []string{bin, "version"}, 0, "brickmcp " + version, nil},
		{"end of stdin", whole, nil, []string{bin, "--sandbox", "--log-level", "error"}, 0, "", nil},
		{"wrong flag", whole, nil, []string{bin, "--nonsense"}, 2, "", []string{"--nonsense"}},
		{"no platform package", bare, nil, []string{bin, "version"}, 1, "",
			[]string{platformPackageName(built.host) + "@" + version, "--omit=optional", "package-lock.json", "BRICKMCP_BINARY"}},
		{"another platform", whole, nil, []string{"node", "--require", elsewhere, bin, "version"}, 1, "",
			[]string{"no binary for sunos-", "linux-x64", "win32-arm64", "BRICKMCP_BINARY"}},
		{"wrong BRICKMCP_BINARY", whole, []string{"BRICKMCP_BINARY=/nonexistent/brickmcp"}, []string{bin, "version"}, 1, "",
			[]string{"/nonexistent/brickmcp", "ENOENT", "BRICKMCP_BINARY"}},
		{"no program", whole, []string{"BRICKMCP_BINARY=" + elsewhere}, []string{bin, "version"}, 1, "", []string{elsewhere, "EACCES"}},
	} {
		cmd := exec.Command(c.command[0], c.command[1:]...)
		if cmd.Dir = c.dir; c.command[0] == bin {
			cmd.Path = filepath.Join(c.dir, bin)
			cmd.Err = nil
		}
		cmd.Env = append(cleanEnvironment(t.TempDir()), c.env...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		var exit *exec.ExitError
		if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
			t.Errorf("%s: %v", c.title, err)
			continue
		}
		if status := cmd.ProcessState.ExitCode(); status != c.status || !strings.HasPrefix(stdout.String(), c.stdout) || c.stdout == "" && stdout.Len() > 0 {
			t.Errorf("%s: exit status %d, stdout %q, want %d, %q\n%s", c.title, status, &stdout, c.status, c.stdout, &stderr)
		}
		for _, part := range c.stderr {
			if !strings.Contains(stderr.String(), part) {
				t.Errorf("%s: %q is not in stderr:\n%s", c.title, part, &stderr)
			}
		}
	}
}
