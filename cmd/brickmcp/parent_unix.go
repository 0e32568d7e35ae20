//go:build unix

package main

import (
	"context"
	"os"
	"time"
)

// watchParent stops the server when its parent dies without closing our stdin:
// another process may hold the other end of the pipe.
func watchParent(ctx context.Context, stop func()) {
	parent := os.Getppid()
	if parent == 1 { // already adopted by init, as in a container
		return
	}
	go func() {
		ticker := time.NewTicker(2 * time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				if os.Getppid() != parent {
					stop()
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
}
