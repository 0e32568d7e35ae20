package audit

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func exampleLine() *Line {
	return &Line{
		Event: "call", Say: "Claude Desktop, for ana@example.com, started job 42 'nightly' in dbc-1; allowed by jobs=full; run 1001 began.",
		Call: "c-8f2e", User: "ana@example.com", AuthType: "databricks-cli", Client: "claude-desktop 1.2.3", Tool: "jobs_run_now", Group: "jobs", Effect: "run",
		Endpoint: "POST /api/2.2/jobs/run-now", Workspace: "https://dbc-1.cloud.databricks.com", Object: "job 42", Decision: "allow", Rule: "jobs=full",
		Outcome: "ok", RequestIDs: []string{"0f2c9a9e-6d0b-4b38-8d3f-1f0a35cbe3a1"}, DurationMS: 123.456, Rows: 1, Bytes: 512,
		Arguments: json.RawMessage(`{"job_id":"42","job_parameters":{"day":"2026-01-01"}}`),
	}
}

func BenchmarkWrite(b *testing.B) {
	l := New(Config{Path: filepath.Join(b.TempDir(), "audit.jsonl")})
	defer l.Close()
	line := exampleLine()
	took := make([]time.Duration, 0, b.N)
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		line.Time = time.Time{}
		if err := l.Write(line); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "median-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}

func BenchmarkWriteParallel(b *testing.B) {
	l := New(Config{Path: filepath.Join(b.TempDir(), "audit.jsonl")})
	defer l.Close()
	b.SetParallelism(32) // times GOMAXPROCS: 64 goroutines on two processors
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := l.Write(exampleLine()); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkWriteBeside: a second process writes the same file in a loop.
func BenchmarkWriteBeside(b *testing.B) {
	path := filepath.Join(b.TempDir(), "audit.jsonl")
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childVariable+"="+path)
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	l := New(Config{Path: path})
	defer l.Close()
	for b.Loop() {
		if err := l.Write(exampleLine()); err != nil {
			b.Fatal(err)
		}
	}
}
