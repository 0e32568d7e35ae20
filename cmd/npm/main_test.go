package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// standIn makes the test binary stand in for brickmcp behind the shim: it tells
// what reaches it.
const standIn = "BRICKMCP_TEST_STAND_IN"

func TestMain(m *testing.M) {
	if os.Getenv(standIn) != "" {
		os.Exit(standInForBinary())
	}
	if spec := os.Getenv(inContainer); spec != "" {
		fmt.Fprintln(os.Stderr, enterContainer(spec))
		os.Exit(1)
	}
	status := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(status)
}

// standInForBinary prints its arguments, then a line for each line of stdin and for
// each signal. A line "exit N" ends it with that status, "die N" by that signal,
// SIGTERM with status 7.
func standInForBinary() int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	fmt.Printf("arguments %q\n", os.Args[1:])
	lines := make(chan string)
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- in.Text()
		}
		close(lines)
	}()
	for {
		select {
		case s := <-signals:
			fmt.Println("signal", s)
			if s == syscall.SIGTERM {
				return 7
			}
		case line, ok := <-lines:
			var n int
			if !ok {
				fmt.Println("end of stdin")
				return 0
			} else if _, err := fmt.Sscanf(line, "exit %d", &n); err == nil {
				return n
			} else if _, err := fmt.Sscanf(line, "die %d", &n); err == nil {
				signal.Reset()
				dieBy(syscall.Signal(n))
			}
			fmt.Println("line", line)
		}
	}
}

// built are the packages, made once: the real binary for this platform, and for the
// others a few bytes that nobody runs.
var built struct {
	once     sync.Once
	dir      string
	host     platform
	packages map[string]tarball
	err      error
}

func buildPackages(t *testing.T) map[string]tarball {
	t.Helper()
	needs(t, "npm", "node", "make")
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "brickmcp-npm-test-"); built.err != nil {
			return
		}
		if built.host, built.err = findPlatform(runtime.GOOS + "-" + runtime.GOARCH); built.err != nil {
			return
		}
		cmd := exec.Command("make", "npm", "NPM_PLATFORMS="+built.host.String(), "DIST="+built.dir)
		cmd.Dir = root
		cmd.Env = withoutMake(os.Environ())
		if said, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%v: %w\n%s", cmd, err, said)
			return
		}
		version, err := readVersion(root)
		if err != nil {
			built.err = err
			return
		}
		b := &build{root: root, version: version, out: filepath.Join(built.dir, "npm")}
		for _, p := range platforms {
			if p != built.host && built.err == nil {
				built.err = b.platformPackage(p, []byte("for "+p.String()))
			}
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	files, err := filepath.Glob(filepath.Join(built.dir, "npm", "*.tgz"))
	if err != nil || len(files) != 1+len(platforms) {
		t.Fatalf("%d tarballs, want %d: %v", len(files), 1+len(platforms), err)
	}
	packages := map[string]tarball{}
	for _, file := range files {
		packed := readTarball(t, file)
		packages[packed.Name] = packed
	}
	return packages
}

const root = "../.."

// withoutMake takes out what a make above us tells a make below.
func withoutMake(env []string) []string {
	var kept []string
	for _, variable := range env {
		if !strings.HasPrefix(variable, "MAKE") && !strings.HasPrefix(variable, "MFLAGS=") {
			kept = append(kept, variable)
		}
	}
	return kept
}

// needs skips a test where a program is missing.
func needs(t testing.TB, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
}

// install installs the package in a new directory as a person would, and returns
// the directory.
func install(t *testing.T, r *registry, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	version := r.packages[name].Version
	cmd := exec.Command("npm", append([]string{"install", "--loglevel", "error", name + "@" + version}, flags...)...)
	cmd.Dir = dir
	cmd.Env = r.environment(t)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, &said)
	}
	return dir
}
