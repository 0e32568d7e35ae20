// Command brickmcp serves Databricks to MCP clients.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

// run returns the exit status: 0, 1 for a failure, 2 for wrong usage.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A client that is gone must not kill us by SIGPIPE: what it left running in
	// the workspace has to be cancelled first. The write's error says it too.
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process at once
	}()
	root := newRoot(newConfig(os.Getenv, os.Stdin, os.Stdout, os.Stderr))
	root.SetArgs(os.Args[1:])
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSilent):
		return 1
	}
	fmt.Fprintln(os.Stderr, "brickmcp:", err)
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

// errSilent ends a command that has said everything already.
var errSilent = errors.New("")

// usageError is a wrong flag or argument.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }
