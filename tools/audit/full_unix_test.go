//go:build !windows

package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// fullVariable makes the test binary a process that meets a limit of file size
// in the middle of a line, as on a full disk.
const fullVariable = "BRICKMCP_TEST_AUDIT_FULL"

func init() {
	if path := os.Getenv(fullVariable); path != "" {
		if err := meetLimit(path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

func meetLimit(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	limit := was
	limit.Cur = 1000 // of which one line takes more than a half
	l := New(Config{Path: path})
	if err := l.Write(exampleLine()); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for range 3 {
		err := l.Write(exampleLine())
		var f *Failure
		if !errors.As(err, &f) || f.Path != path || !errors.Is(err, syscall.EFBIG) || l.Err() == nil {
			return fmt.Errorf("a write beyond the limit: %v", err)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, before) {
			return fmt.Errorf("half a line was left: %d bytes, %d before: %v", len(now), len(before), err)
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	return l.Write(exampleLine())
}

func TestFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fullVariable+"="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	wantWhole(t, path, 2)
}

func TestFailureSaysWhatToDo(t *testing.T) {
	for err, want := range map[error]string{
		syscall.ENOSPC: "no space left on device. Free space on that disk",
		syscall.EDQUOT: "Free space on that disk",
		syscall.EROFS:  "read-only file system. Name a file on a writable disk",
		syscall.EACCES: "permission denied. Let this user write",
		syscall.EISDIR: "it is a directory or a device. Name a regular file",
		syscall.EIO:    "Mend that",
	} {
		got := failure("/state/audit.jsonl", "written", &os.PathError{Op: "write", Path: "/state/audit.jsonl", Err: err}).Error()
		if !strings.HasPrefix(got, "the audit log /state/audit.jsonl cannot be written: ") || !strings.Contains(got, want) {
			t.Errorf("%v: %s", err, got)
		}
	}
}
