package tools

import (
	"context"
	"path/filepath"
	"testing"

	"brickmcp/catalog"
	"brickmcp/tools/audit"
	"brickmcp/tools/policy"
)

// onePolicy never changes.
type onePolicy struct{ *policy.Policy }

func (p onePolicy) Current() (*policy.Policy, error) { return p.Policy, nil }

// BenchmarkControl is a call without and with policy and audit: the difference is
// what they add. It counts disk, for two lines a call.
func BenchmarkControl(b *testing.B) {
	p, err := policy.Parse("team.yaml", []byte("default: read\ngroups: {jobs: full}\ntools: {jobs_delete: confirm}\n"+
		"scopes: {jobs: [\"5001\", \"nightly-*\"], tables: [main.sales.*]}\nprotected: [\"*prod*\"]\nsections: [{client: other, default: off}]\n"))
	if err != nil {
		b.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"plain":  nil,
		"policy": func(c *Config) { c.Policies = onePolicy{p} },
		"audit":  func(c *Config) { c.Audit = audit.New(audit.Config{Path: filepath.Join(b.TempDir(), "audit.jsonl")}) },
		"both": func(c *Config) {
			c.Policies = onePolicy{p}
			c.Audit = audit.New(audit.Config{Path: filepath.Join(b.TempDir(), "audit.jsonl")})
		},
	} {
		b.Run(name, func(b *testing.B) {
			api := &fake{do: func(context.Context, *catalog.Call) (string, error) {
				return `{"job_id":5001,"settings":{"name":"x"}}`, nil
			}}
			s := newServer(b, api, change)
			for b.Loop() {
				api.calls = api.calls[:0]
				if result := s.Call(b.Context(), &catalog.GetJob.Row, []byte(`{"job_id":"5001"}`)); result.IsError {
					b.Fatal(result)
				}
			}
		})
	}
}
