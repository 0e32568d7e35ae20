package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Benchmark measures the stripped binary as MCP clients meet it: as a process, over
// stdio and HTTP, with a workspace on loopback. Each figure stands beside one that was
// measured in the same run (a bare GET, a bare mcp-go server), for both move with
// the machine and its load, and only their ratio means something elsewhere:
//
//	make bench
//	go test -run '^$' -bench Benchmark/calls -benchtime 1x ./cmd/brickmcp
func Benchmark(b *testing.B) {
	r := &report{bin: b.TempDir()}
	r.build(b, "make", "-C", "../..", "build", "BIN="+r.path("brickmcp")) // with its flags
	r.build(b, "go", "build", "-o", r.path("bare"), "-trimpath", "-ldflags", "-s -w", "../../testdata/bench/bare")
	for _, bench := range []struct {
		name string
		run  func(*testing.B, *report)
	}{
		{"size", benchSize},
		{"list", benchList},
		{"start", benchStart},
		{"memory", benchMemory},
		{"calls", benchCalls},
		{"callers", benchCallers},
		{"rows", benchRows},
		{"manyrows", benchManyRows},
		{"download", benchDownload},
		{"http", benchHTTP},
		{"ping", benchHTTPAlone},
		{"idle", benchIdle},
		{"flood", benchFlood},
		{"load", benchLoad},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportMetric(0, "ns/op") // of no meaning here: it is left out
			bench.run(b, r)
		})
	}
	r.print()
}

// report collects the figures of a run.
type report struct {
	bin  string // directory of the binaries
	rows [][4]string
}

func (r *report) build(b *testing.B, program string, arguments ...string) {
	b.Helper()
	cmd := exec.Command(program, arguments...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s %s: %v\n%s", program, strings.Join(arguments, " "), err, out)
	}
}

func (r *report) path(name string) string { return filepath.Join(r.bin, name) }

// add notes a figure. A goal above 0 is an upper bound, one below 0 a lower bound.
func (r *report) add(b *testing.B, what string, figure float64, unit string, goal float64) {
	b.Helper()
	if goal < 0 {
		r.row(b, what, figure, unit, fmt.Sprintf("at least %g", -goal), verdict(figure >= -goal))
		return
	}
	r.row(b, what, figure, unit, fmt.Sprintf("at most %g", goal), verdict(figure <= goal))
}

// note notes a figure that depends on the machine, and what to hold it against.
func (r *report) note(b *testing.B, what string, figure float64, unit, against string) {
	b.Helper()
	r.row(b, what, figure, unit, against, "")
}

func (r *report) row(b *testing.B, what string, figure float64, unit, goal, met string) {
	b.Helper()
	b.ReportMetric(figure, strings.ReplaceAll(what, " ", "-")+"-"+unit)
	r.rows = append(r.rows, [4]string{what, readable(figure) + " " + unit, goal, met})
}

// readable has three digits, or all of a whole number.
func readable(figure float64) string {
	if figure >= 100 {
		return fmt.Sprintf("%.0f", figure)
	}
	return fmt.Sprintf("%.3g", figure)
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}

func (r *report) print() {
	if len(r.rows) == 0 {
		return
	}
	rows := append([][4]string{{"figure", "measured", "goal", ""}}, r.rows...)
	var width [4]int
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	fmt.Println()
	for _, row := range rows {
		fmt.Printf("%-*s  %-*s  %-*s  %s\n", width[0], row[0], width[1], row[1], width[2], row[2], row[3])
	}
	fmt.Println()
}

// quantile of sorted or unsorted values; q from 0 to 1.
func quantile[T cmp.Ordered](values []T, q float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func median[T cmp.Ordered](values []T) T { return quantile(values, 0.5) }

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
