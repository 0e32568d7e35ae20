//go:build unix

package main

import (
	"os"
	"syscall"
)

// hangUp asks a server to read its policy again.
var hangUp = []os.Signal{syscall.SIGHUP}
