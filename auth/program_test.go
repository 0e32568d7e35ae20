package auth

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestMachineProgram is the program that TestMachine runs: this test binary.
func TestMachineProgram(t *testing.T) {
	switch os.Getenv("BRICKMCP_TEST_PROGRAM") {
	case "":
		return // an ordinary test run
	case "environment":
		os.Stdout.WriteString(strings.Join(os.Environ(), "\n"))
	case "fail":
		os.Stderr.WriteString("no: " + strings.Repeat("x", 2*maxStderr))
		os.Exit(7)
	case "flood":
		os.Stdout.WriteString(strings.Repeat("x", maxOutput+1))
	case "hang":
		select {}
	}
	os.Exit(0)
}

func TestMachine(t *testing.T) {
	m := machine{getenv: env{"PATH": os.Getenv("PATH"), "HOME": "/home/ana", "SYSTEMROOT": os.Getenv("SYSTEMROOT"), "DATABRICKS_TOKEN": "hush", "ARM_CLIENT_SECRET": "hush"}.get}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(ctx context.Context, what string) (string, error) {
		out, err := m.Run(ctx, Command{Path: self, Args: []string{"-test.run=^TestMachineProgram$"}, Env: []string{"BRICKMCP_TEST_PROGRAM=" + what}})
		return string(out), err
	}
	out, err := run(t.Context(), "environment")
	if err != nil || !strings.Contains(out, "HOME=/home/ana") || strings.Contains(out, "hush") {
		t.Errorf("environment %q, %v", out, err)
	}
	var exit *ExitError
	if _, err := run(t.Context(), "fail"); !errors.As(err, &exit) || exit.Status != 7 || !strings.HasPrefix(exit.Stderr, "no: ") || len(exit.Stderr) != maxStderr {
		t.Errorf("failure %v", err)
	}
	if _, err := run(t.Context(), "flood"); err == nil || !strings.Contains(err.Error(), "bytes of output") {
		t.Errorf("flood: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := run(ctx, "hang")
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := m.Run(t.Context(), Command{Path: filepath.Join(t.TempDir(), "none")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
}

func TestFind(t *testing.T) {
	dir, name := t.TempDir(), "databricks"
	file := name
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path, []byte("12345"), 0o755); err != nil {
		t.Fatal(err)
	}
	list := func(dirs ...string) machine {
		return machine{getenv: env{"PATH": strings.Join(dirs, string(filepath.ListSeparator))}.get}
	}
	for _, in := range []string{name, path} {
		p, err := list(t.TempDir(), dir).Find(in)
		if err != nil || p.Path != path || p.Size != 5 {
			t.Errorf("Find(%q) = %+v, %v", in, p, err)
		}
	}
	t.Chdir(dir)
	for what, m := range map[string]machine{"elsewhere": list(t.TempDir()), "no PATH": list(), "the working directory": list(".", "")} {
		if p, err := m.Find(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %+v, %v", what, p, err)
		}
	}
	if _, err := list(dir).Find(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory: %v", err)
	}
}

func TestReadSmallFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	for size, ok := range map[int]bool{0: true, maxSmallFile: true, maxSmallFile + 1: false} {
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if data, err := readSmallFile(path); (err == nil) != ok || ok && len(data) != size {
			t.Errorf("%d bytes: %d, %v", size, len(data), err)
		}
	}
}
