package audit

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// childVariable makes the test binary a process that does nothing but write
// the log at the path in it, until it is killed.
const childVariable = "BRICKMCP_TEST_AUDIT_WRITER"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		writeForever(path)
	}
	os.Exit(m.Run())
}

func writeForever(path string) {
	l := New(Config{Path: path, MaxBytes: 256 << 10})
	for i := 0; ; i++ {
		line := exampleLine()
		line.Call = fmt.Sprintf("%d-%d", os.Getpid(), i)
		if err := l.Write(line); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		// What is told here was written: the parent looks for it in the log.
		fmt.Println(line.Call)
	}
}

// TestKill kills one of three processes in the middle of its writing, as often
// as it takes no line with it but the one it was at.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	type child struct {
		cmd  *exec.Cmd
		told *bufio.Scanner
	}
	start := func() child {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), childVariable+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		return child{cmd, bufio.NewScanner(out)}
	}
	told := map[string]bool{}
	hear := func(c child, n int) {
		for ; n != 0 && c.told.Scan(); n-- {
			told[c.told.Text()] = true
		}
		if n > 0 {
			t.Fatal("a process ended by itself")
		}
	}
	const kills = 8
	stay := []child{start(), start()}
	for k := range kills {
		victim := start()
		hear(victim, 50+k*7)
		must(t, victim.cmd.Process.Kill())
		hear(victim, -1)
		for _, c := range stay {
			hear(c, 100) // they go on after it
		}
	}
	for _, c := range stay {
		must(t, c.cmd.Process.Kill())
		hear(c, -1)
	}
	r := verify(t, path)
	torn := 0
	for _, n := range r.Notes {
		if strings.Contains(n.What, "left unfinished") && strings.HasPrefix(n.What, "it ") {
			torn++
		}
	}
	if !r.OK() || torn > kills+2 {
		t.Fatalf("problems %v, notes %v", r.Problems, r.Notes)
	}
	lines := 0
	for e, err := range Read(path, Filter{}) {
		var bad *Unreadable
		if err != nil && !errors.As(err, &bad) {
			t.Fatal(err)
		}
		if told[e.Call] {
			delete(told, e.Call)
			lines++
		}
	}
	if len(told) > 0 {
		t.Errorf("%d lines that were written are not there", len(told))
	}
	if lines < 8*150 || len(r.Files) < 2 {
		t.Errorf("only %d lines in %d files: the test tests little", lines, len(r.Files))
	}
}
