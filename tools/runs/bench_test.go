package runs

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
)

// BenchmarkThousandRuns is what 1,000 runs cost that are waited for at once, against
// a gateway in another process: the share of a core that this one uses, and its
// memory on top of what it had. The goal is less than 5 % and 30 MB. One iteration
// takes 20 s.
func BenchmarkThousandRuns(b *testing.B) {
	const many, warm, measured = 1000, 5 * time.Second, 20 * time.Second
	if processorTime() == 0 {
		b.Skip("this system does not say what a process used")
	}
	host := otherProcess(b)
	r := real(b.TempDir(), host)
	ids := make([]string, many)
	for i := range ids {
		run, err := r.Start(b.Context(), gatewayUser, "", marked(i))
		if err != nil {
			b.Fatal(err)
		}
		ids[i] = run.ID
	}
	before := inUse()
	ctx, cancel := context.WithCancel(b.Context())
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() { _, _, _ = r.Wait(ctx, gatewayUser, id, func(*Run) {}) })
	}
	time.Sleep(warm) // the first looks come all at once
	var used, passed time.Duration
	for b.Loop() {
		usedBefore, began := processorTime(), time.Now()
		time.Sleep(measured)
		used, passed = used+processorTime()-usedBefore, passed+time.Since(began)
	}
	core, memory := 100*float64(used)/float64(passed), float64(max(inUse()-before, 0))/(1<<20)
	cancel()
	all.Wait()
	b.ReportMetric(core, "%core")
	b.ReportMetric(memory, "MB")
	if core > 5 || memory > 30 {
		b.Errorf("%.1f %% of a core and %.1f MB; the goal is 5 %% and 30 MB", core, memory)
	}
}

// inUse is the memory of heap and stacks, in bytes.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// otherProcess is a gateway whose runs never end, and whose work is not ours.
func otherProcess(b *testing.B) (host string) {
	cmd := again(b, b.TempDir(), "", "gateway")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	address := make([]byte, 100)
	n, err := out.Read(address)
	if err != nil {
		b.Fatal(err)
	}
	return string(address[:n])
}

func BenchmarkLook(b *testing.B) {
	r := supervised(b.TempDir(), &gateway{answers: map[string][]answer{posts: {response("r", "queued")}, gets: {response("r", "in_progress", callItem, outputItem)}}})
	run, err := r.Start(b.Context(), gatewayUser, "", task())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := r.Look(b.Context(), gatewayUser, run.ID); err != nil {
			b.Fatal(err)
		}
	}
}
