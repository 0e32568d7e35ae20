package main

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// BenchmarkShim measures what the shim adds to the start of Node and of the binary:
// the time until stdin's end has ended all, of each alone and of both.
func BenchmarkShim(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	empty := b.TempDir() + "/empty.js"
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		b.Fatal(err)
	}
	const runs = 21 // of which the median counts
	for b.Loop() {
		var node, binary, both []time.Duration
		for range runs {
			shim := shimCommand(b)
			alone, start := exec.Command("node", empty), exec.Command(self)
			alone.Env, start.Env = shim.Env, shim.Env
			node, binary, both = append(node, duration(b, alone)), append(binary, duration(b, start)), append(both, duration(b, shim))
		}
		adds := median(both) - median(node) - median(binary)
		b.ReportMetric(float64(median(node).Microseconds())/1000, "ms-node")
		b.ReportMetric(float64(adds.Microseconds())/1000, "ms-added")
	}
}

func duration(b *testing.B, cmd *exec.Cmd) time.Duration {
	b.Helper()
	began := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("%v: %v", cmd, err)
	}
	return time.Since(began)
}

func median(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)/2]
}
