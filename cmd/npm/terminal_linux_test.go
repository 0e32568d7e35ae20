package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Ctrl-C at a terminal goes to the shim and to the binary. The binary ends at once
// on a second SIGINT, so the shim must not send it one more.
func TestShimAtATerminal(t *testing.T) {
	needs(t, "node")
	keyboard, screen := openTerminal(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join("wrapper", "brickmcp.js"))
	cmd.Env = append(cleanEnvironment(t.TempDir()), standIn+"=1", "BRICKMCP_BINARY="+self)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = screen, screen, screen
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	screen.Close()

	out := bufio.NewReader(keyboard)
	var shown strings.Builder
	until := func(want string) {
		t.Helper()
		for {
			line, err := out.ReadString('\n')
			shown.WriteString(line)
			if strings.Contains(line, want) {
				return
			}
			if err != nil {
				t.Fatalf("%q does not come: %v; the terminal shows %q", want, err, shown.String())
			}
		}
	}
	until("arguments []")
	if _, err := keyboard.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	until("signal interrupt")
	// Comes after whatever the shim did about the SIGINT.
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	until("signal terminated")
	if count := strings.Count(shown.String(), "signal interrupt"); count != 1 {
		t.Errorf("%d SIGINTs came: %q", count, shown.String())
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("the shim ended with %v", err)
	}
}

// openTerminal returns the two ends of a new pseudo-terminal.
func openTerminal(t *testing.T) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	return keyboard, screen
}
