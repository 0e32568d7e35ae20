package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
)

// inProcess is the whole server over an in-process sandbox, so that time can be
// faked and every retry takes none.
type inProcess struct {
	t   *testing.T
	app *app
}

func newInProcess(t *testing.T, faults ...string) *inProcess {
	t.Helper()
	c := newConfig(func(string) string { return "" }, strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{})
	c.sandbox, c.sandboxSpeed, c.resultTokens, c.logLevel, c.logFormat, c.rateLimit = true, 1, 100000, "error", "json", "off"
	c.faults = faults
	a, err := c.build()
	if err != nil {
		t.Fatal(err)
	}
	return &inProcess{t: t, app: a}
}

func (p *inProcess) call(tool string, arguments args) (answer gjson.Result, kind string) {
	p.t.Helper()
	raw, err := json.Marshal(arguments)
	if err != nil {
		p.t.Fatal(err)
	}
	result := p.app.tools.Call(context.Background(), catalog.Find(tool), raw)
	text, ok := result.Content[0].(mcp.TextContent)
	if !ok {
		p.t.Fatalf("%s: no text", tool)
	}
	answer = gjson.Parse(text.Text)
	if result.IsError {
		kind = answer.Get("error.kind").Str
		if kind == "" {
			p.t.Fatalf("%s: an error without a kind: %s", tool, answer.Raw)
		}
	}
	return answer, kind
}

// runs are the runs that a job has besides its seeded history.
func (p *inProcess) runs(job string, before map[string]bool) int {
	p.t.Helper()
	n := 0
	token := ""
	for {
		arguments := args{"job_id": job, "limit": 25}
		if token != "" {
			arguments["page_token"] = token
		}
		page, kind := p.call("jobs_list_runs", arguments)
		if kind != "" {
			p.t.Fatalf("jobs_list_runs: %s", page.Raw)
		}
		for _, run := range page.Get("runs").Array() {
			if !before[run.Get("run_id").Str] {
				n++
			}
		}
		if token = page.Get("next_page_token").Str; token == "" {
			return n
		}
	}
}

// TestFaults breaks the wire in every way the sandbox knows, before and after
// the effect. A run never starts twice, a create never happens twice, and every
// call has a true answer.
func TestFaults(t *testing.T) {
	for _, rule := range []string{
		"429:count=2,retry-after=3", "429:count=3", "503:count=2", "503:count=2,retry-after=1",
		"latency=2s:count=1", "reset:when=before,count=2", "reset:when=after,count=1", "reset:when=after,count=2",
		"truncate:count=1", "500:count=1", "502:count=1", "504:count=1", "html:count=1", "html:status=502,count=1", "empty:status=503,count=1",
	} {
		t.Run("run-now/"+rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newInProcess(t, withPath(rule, "*/run-now"))
				defer p.app.close()
				job := p.newJob()
				answer, kind := p.call("jobs_run_now", args{"job_id": job})
				switch started := p.runs(job, nil); {
				case kind == "" && (started != 1 || answer.Get("run_id").Str == ""):
					t.Errorf("success with %d runs: %s", started, answer.Raw)
				case kind == "unknown_fate" && started > 1, kind != "" && kind != "unknown_fate" && started > 0:
					t.Errorf("%s with %d runs: %s", kind, started, answer.Raw)
				}
				if transient := !strings.HasPrefix(rule, "html") && !strings.HasPrefix(rule, "50") || strings.HasPrefix(rule, "503"); transient && kind != "" {
					t.Errorf("a run has a token, so this is to be repeated: %s", answer.Raw)
				}
			})
		})
		t.Run("create/"+rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newInProcess(t, withPath(rule, "*/jobs/create"))
				defer p.app.close()
				answer, kind := p.call("jobs_create", args{"name": "once", "tasks": oneTask})
				list, _ := p.call("jobs_list", args{"name": "once"})
				switch created := list.Get("returned").Int(); {
				case created > 1:
					t.Errorf("created %d times: %s", created, answer.Raw)
				case kind == "" && created != 1:
					t.Errorf("success without a job: %s", answer.Raw)
				case kind != "" && kind != "unknown_fate" && created > 0:
					t.Errorf("%s although the job is there: %s", kind, answer.Raw)
				case kind == "unknown_fate" && !strings.Contains(answer.Get("error.advice").Str, "jobs_list"):
					t.Errorf("the advice does not say how to check: %s", answer.Raw)
				case strings.HasPrefix(rule, "429") && kind != "":
					t.Errorf("429 comes before any work, so this is to be repeated: %s", answer.Raw)
				}
			})
		})
		t.Run("list/"+rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newInProcess(t, withPath(rule, "*/jobs/list"))
				defer p.app.close()
				answer, kind := p.call("jobs_list", args{})
				if kind != "" && !strings.HasPrefix(rule, "html:count") {
					t.Errorf("a read is to be repeated: %s", answer.Raw)
				}
			})
		})
	}
}

// TestManyFaults starts 200 runs at once over a wire that breaks every fifth
// time: each starts exactly once.
func TestManyFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newInProcess(t,
			"reset:when=after,path=*/run-now,probability=0.04,seed=3",
			"reset:when=before,path=*/run-now,probability=0.04,seed=4",
			"503:path=*/run-now,probability=0.06,seed=5",
			"429:path=*/run-now,probability=0.06,seed=6,retry-after=1")
		defer p.app.close()
		job := p.newJob()
		const n = 200
		var ids sync.Map
		var group sync.WaitGroup
		for range n {
			group.Go(func() {
				answer, kind := p.call("jobs_run_now", args{"job_id": job})
				if kind != "" {
					t.Errorf("%s", answer.Raw)
				} else if _, twice := ids.LoadOrStore(answer.Get("run_id").Str, true); twice {
					t.Errorf("run %s was given twice", answer.Get("run_id").Str)
				}
			})
		}
		group.Wait()
		if started := p.runs(job, nil); started != n {
			t.Errorf("%d runs started, want %d", started, n)
		}
	})
}

var oneTask = []any{args{"task_key": "only", "notebook_task": args{"notebook_path": "/Workspace/Shared/etl/x"}}}

func (p *inProcess) newJob() string {
	p.t.Helper()
	answer, kind := p.call("jobs_create", args{"name": "faults", "max_concurrent_runs": 1000, "tasks": oneTask})
	if kind != "" {
		p.t.Fatalf("jobs_create: %s", answer.Raw)
	}
	return answer.Get("job_id").Str
}

func withPath(rule, path string) string {
	kind, conditions, _ := strings.Cut(rule, ":")
	return fmt.Sprintf("%s:path=%s,%s", kind, path, conditions)
}
