package tools

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/audit"
	"brickmcp/tools/policy"
)

// onePolicy never changes.
type onePolicy struct{ *policy.Policy }

func (p onePolicy) Current() (*policy.Policy, error) { return p.Policy, nil }

// BenchmarkControl is a call without and with policy and audit, in turn, so that
// what else the machine does meets all of them alike. It reports the median of each,
// and what each adds to the plain call; it counts disk, for two lines a call.
func BenchmarkControl(b *testing.B) {
	p, err := policy.Parse("team.yaml", []byte("default: read\ngroups: {jobs: full}\ntools: {jobs_delete: confirm}\n"+
		"scopes: {jobs: [\"5001\", \"nightly-*\"], tables: [main.sales.*]}\nprotected: [\"*prod*\"]\nsections: [{client: other, default: off}]\n"))
	if err != nil {
		b.Fatal(err)
	}
	policed := func(c *Config) { c.Policies = onePolicy{p} }
	audited := func(c *Config) {
		c.Audit = audit.New(audit.Config{Path: filepath.Join(b.TempDir(), "audit.jsonl")})
		c.Workspaces[0].Identify = func(context.Context) (Identity, error) { return Identity{User: "ana@example.com"}, nil }
	}
	servers := []struct {
		name  string
		s     *Server
		times []time.Duration
	}{
		{name: "plain", s: newServer(b, &fake{}, nil)},
		{name: "policy", s: newServer(b, &fake{}, policed)},
		{name: "audit", s: newServer(b, &fake{}, audited)},
		{name: "both", s: newServer(b, &fake{}, func(c *Config) { policed(c); audited(c) })},
	}
	for _, of := range servers {
		of.s.api = still{}
		if of.s.audit != nil {
			of.s.api = tracing{still{}}
		}
	}
	for b.Loop() {
		for i := range servers {
			of := &servers[i]
			began := time.Now()
			result := of.s.Call(b.Context(), &catalog.GetJob.Row, []byte(`{"job_id":"5001"}`))
			of.times = append(of.times, time.Since(began))
			if result.IsError {
				b.Fatal(result)
			}
		}
	}
	var plain time.Duration
	for i, of := range servers {
		slices.Sort(of.times)
		median := of.times[len(of.times)/2]
		if i == 0 {
			plain = median
			b.ReportMetric(float64(median)/1e3, "µs-plain")
			continue
		}
		b.ReportMetric(float64(median-plain)/1e3, "µs-added-by-"+of.name)
	}
}

// still is a workspace that answers at once and keeps nothing.
type still struct{}

func (still) Do(context.Context, *catalog.Call) (*catalog.Answer, error) {
	return &catalog.Answer{Body: []byte(`{"job_id":5001,"settings":{"name":"x"}}`), Status: 200, RequestID: "req-1"}, nil
}
