package policy

import (
	"context"
	"testing"
)

// BenchmarkJudge: without narrowing rules a decision costs next to nothing, and
// with them a few microseconds; the parse of SQL comes on top.
func BenchmarkJudge(b *testing.B) {
	const narrow = `
default: full
confirm: destructive
scopes: {tables: [main.sales.*, main.ops.daily_*, samples.*.*], catalogs: [main, samples], jobs: ["5001", nightly-*, hourly-*], volumes: [/Volumes/main/default/data]}
protected: ["*prod*", "tier=1", "*critical*"]
sections: [{group: x, default: read}, {client: y, scopes: {jobs: [a]}}]
`
	for _, c := range []struct{ name, file, call string }{
		{"levels", "default: full", `jobs_get {"job_id":5002}`},
		{"none", "", `jobs_get {"job_id":5002}`},
		{"table", narrow, `uc_get_table {"full_name":"samples.nyc.trips"}`},
		{"job", narrow, `jobs_run_now {"job_id":5001}`},
		{"file", narrow, `files_upload {"path":"/Volumes/main/default/data/in/file.csv","contents":"x"}`},
		{"sql", narrow, `sql_execute_statement {"warehouse_id":"abc123","statement":"SELECT a, count(*) FROM main.sales.orders o JOIN samples.nyc.trips t ON o.id = t.id WHERE a > 1 GROUP BY a"}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := None()
			if c.file != "" {
				p = parse(b, c.file)
			}
			rules, call, look := p.Rules(Subject{}), bind(b, c.call), example()
			b.ReportAllocs()
			for b.Loop() {
				look.asked = look.asked[:0]
				if d, _ := rules.Judge(context.Background(), call, look); d.Action == Deny {
					b.Fatal(d.Why)
				}
			}
		})
	}
	b.Run("rules", func(b *testing.B) {
		p := parse(b, narrow)
		for b.Loop() {
			p.Rules(Subject{Client: "y"})
		}
	})
}
