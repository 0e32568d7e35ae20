package runs

import (
	"context"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// What 1,000 runs cost that are waited for at once, against a gateway in another
// process: under 5 % of a core and 30 MB.
func TestThousandRunsBeingPolled(t *testing.T) {
	if testing.Short() || os.Getenv("RUNS_TEST_COST") == "" {
		t.Skip("measures for half a minute: set RUNS_TEST_COST=1")
	}
	const many, measured = 1000, 20 * time.Second
	dir := t.TempDir()
	gatewayDir := t.TempDir()
	cmd := again(t, gatewayDir, "", "gateway")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	host := make([]byte, 100)
	n, err := out.Read(host)
	if err != nil {
		t.Fatal(err)
	}
	r := real(dir, string(host[:n]))
	ids := make([]string, many)
	for i := range ids {
		ids[i] = mustStart(t, r, marked(i)).ID
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second+measured)
	defer cancel()
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() { _, _, _ = r.Wait(ctx, gatewayUser, id, func(*Run) {}) })
	}
	time.Sleep(5 * time.Second)
	used := processorTime()
	time.Sleep(measured)
	share := float64(processorTime()-used) / float64(measured)
	runtime.GC()
	runtime.ReadMemStats(&after)
	memory := float64(after.HeapInuse+after.StackInuse-min(before.HeapInuse+before.StackInuse, after.HeapInuse+after.StackInuse)) / (1 << 20)
	all.Wait()
	t.Logf("%.1f %% of a core, %.1f MB more than before", 100*share, memory)
	if share > 0.05 || memory > 30 {
		t.Errorf("%.1f %% of a core and %.1f MB; the budget is 5 %% and 30 MB", 100*share, memory)
	}
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
