package audit

import (
	"fmt"
	"os"
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
