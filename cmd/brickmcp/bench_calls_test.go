package main

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

const jobsPath = "/api/2.2/jobs/list?limit=20"

// benchCalls is one caller: jobs_list over a bare GET of the same 9 kB, in turns
// with a bare mcp-go server that passes the body through. How dear a wake-up of
// another process is differs widely between machines; the ratio to bare mcp-go
// does not.
func benchCalls(b *testing.B, r *report) {
	w := newWorkspaceFake(b)
	ours := w.serve(b, r)
	defer ours.stop()
	bare := spawn(b, []string{"BARE_URL=" + w.URL + jobsPath}, r.path("bare")).hello()
	defer bare.stop()
	list := func() { ours.call("jobs_list", `{"limit":20}`) }
	pass := func() { bare.call("get", `{}`) }
	get := func() { w.get(b, jobsPath) }
	ping := func() { ours.ask("ping", `{}`) }

	const rounds = 9
	var gets, pings, p50s, over, bareOver, times, spread, bareSpread, cpus, cpuTimes []float64
	for round := range rounds {
		floor, mine, theirs := caller(get), caller(list), caller(pass)
		oursCPU, bareCPU := ours.perCall(list), bare.perCall(pass)
		if round == 0 { // warms connections and heaps
			continue
		}
		gets, pings, p50s = append(gets, micros(median(floor))), append(pings, micros(median(caller(ping)))), append(p50s, micros(median(mine)))
		over = append(over, micros(median(mine)-median(floor)))
		bareOver = append(bareOver, micros(median(theirs)-median(floor)))
		times = append(times, float64(median(mine)-median(floor))/float64(median(theirs)-median(floor)))
		spread = append(spread, float64(quantile(mine, 0.99))/float64(median(mine)))
		bareSpread = append(bareSpread, float64(quantile(theirs, 0.99))/float64(median(theirs)))
		cpus = append(cpus, micros(oursCPU))
		cpuTimes = append(cpuTimes, float64(oursCPU)/float64(bareCPU))
	}
	text := gjson.GetBytes(ours.call("jobs_list", `{"limit":20}`), "result.content.0.text").Str
	if gjson.Get(text, "returned").Int() != 20 {
		b.Fatalf("jobs_list answers %.300s", text)
	}
	r.note(b, "GET of 9 kB, p50", median(gets), "us", "")
	r.note(b, "ping, p50", median(pings), "us", "")
	r.note(b, "bare mcp-go over the GET, p50", median(bareOver), "us", "")
	r.note(b, "jobs_list, p50", median(p50s), "us", "")
	r.note(b, "jobs_list over the GET, p50", median(over), "us", "135 where bare mcp-go takes 84")
	r.note(b, "jobs_list over the GET, p50, best round", quantile(over, 0), "us", "")
	r.add(b, "jobs_list over the GET, of bare mcp-go", median(times), "times", 1.6)
	r.add(b, "jobs_list, p99 of p50", median(spread), "times", 3)
	r.note(b, "bare mcp-go, p99 of p50", median(bareSpread), "times", "")
	r.note(b, "jobs_list, processor time", median(cpus), "us", "150 where bare mcp-go takes 100")
	r.add(b, "jobs_list, processor time, of bare mcp-go", median(cpuTimes), "times", 1.5)
	r.add(b, "jobs_list of 20 jobs", float64(tokens(b, []byte(text))), "tokens", 720)
}

// caller is how long each of many calls in a row takes.
func caller(do func()) []time.Duration {
	took := make([]time.Duration, 500)
	for i := range took {
		began := time.Now()
		do()
		took[i] = time.Since(began)
	}
	return took
}

// perCall is the processor time of the process for one of many calls in a row.
func (d *driver) perCall(do func()) time.Duration {
	const calls = 1000
	before := d.cpu()
	for range calls {
		do()
	}
	return (d.cpu() - before) / calls
}

// benchCallers is many callers of a workspace that takes 20 ms.
func benchCallers(b *testing.B, r *report) {
	w := newWorkspaceFake(b)
	d := w.serve(b, r)
	defer d.stop()
	for range 300 { // warms connections and heaps
		d.call("jobs_list", `{"limit":20}`)
	}
	d.share()
	passing := spawn(b, []string{"BARE_URL=" + w.URL + jobsPath}, r.path("bare")).hello()
	defer passing.stop()
	passing.share()
	w.delay.Store(int64(20 * time.Millisecond))
	for _, c := range []struct {
		callers int
		goal    float64
		name    string
	}{{8, -0.95, "8"}, {64, -0.8, "64"}} {
		var ratios, rates, times []float64
		for range 5 {
			bare := rate(c.callers, func() { w.get(b, jobsPath) })
			theirs := rate(c.callers, func() { passing.concurrent("get", `{}`) })
			ours := rate(c.callers, func() { d.concurrent("jobs_list", `{"limit":20}`) })
			ratios, rates, times = append(ratios, ours/bare), append(rates, ours), append(times, ours/theirs)
		}
		r.note(b, c.name+" callers, 20 ms, calls a second", median(rates), "1/s", "")
		r.add(b, c.name+" callers, 20 ms, of the bare client", median(ratios), "times", c.goal)
		r.note(b, c.name+" callers, 20 ms, of bare mcp-go with a pool of 100", median(times), "times", "0.96 at 64 where bare mcp-go has 0.83 of the client")
	}
	w.delay.Store(0)

	quick := func() float64 {
		var took []float64
		for range 300 {
			began := time.Now()
			d.concurrent("jobs_list", `{"limit":20}`)
			took = append(took, micros(time.Since(began)))
		}
		return median(took)
	}
	var ratios []float64
	for range 3 {
		alone := quick()
		var slow sync.WaitGroup
		for range 64 {
			slow.Go(func() { d.concurrent("jobs_get", `{"job_id":"1"}`) })
		}
		time.Sleep(200 * time.Millisecond) // they are all on their way
		ratios = append(ratios, quick()/alone)
		slow.Wait()
	}
	r.add(b, "a quick call beside 64 slow ones, of alone", median(ratios), "times", 2)
}

// rate is how often a second callers together get through do.
func rate(callers int, do func()) float64 {
	const calls = 60 // each
	var all sync.WaitGroup
	began := time.Now()
	for range callers {
		all.Go(func() {
			for range calls {
				do()
			}
		})
	}
	all.Wait()
	return float64(callers*calls) / time.Since(began).Seconds()
}

const selectAll = `{"warehouse_id":"w","statement":"SELECT * FROM t"}`

// benchRows is a query of 1,000 rows and 5 columns over the bare POST.
func benchRows(b *testing.B, r *report) {
	w := newWorkspaceFake(b)
	body, asCSV := rowsBody(1000)
	w.rows.Store(&body)
	d := w.serve(b, r, "--max-result-tokens", "1000000")
	defer d.stop()
	var over, gets, times []float64
	for round := range 8 {
		var bare, tool, decoding []time.Duration
		for range 100 {
			began := time.Now()
			w.post(b, "/api/2.0/sql/statements")
			bare = append(bare, time.Since(began))
			began = time.Now()
			d.call("sql_execute_statement", selectAll)
			tool = append(tool, time.Since(began))
			began = time.Now()
			var decoded any
			if err := json.Unmarshal(body, &decoded); err != nil {
				b.Fatal(err)
			}
			decoding = append(decoding, time.Since(began))
		}
		if round > 0 {
			over, gets = append(over, millis(median(tool)-median(bare))), append(gets, millis(median(bare)))
			times = append(times, float64(median(tool)-median(bare))/float64(median(decoding)))
		}
	}
	text := gjson.GetBytes(d.call("sql_execute_statement", selectAll), "result.content.0.text").Str
	if gjson.Get(text, "returned").Int() != 1000 {
		b.Fatalf("the query answers %.300s", text)
	}
	r.note(b, "POST of 1,000 rows, p50", median(gets), "ms", "")
	r.note(b, "1,000 rows over the POST, p50", median(over), "ms", "1.5 where the decoding takes 0.76")
	r.note(b, "1,000 rows over the POST, p50, best round", quantile(over, 0), "ms", "")
	r.add(b, "1,000 rows over the POST, of the decoding of its body", median(times), "times", 2)
	mine, plain := tokens(b, []byte(text)), tokens(b, asCSV)
	r.note(b, "1,000 rows", float64(mine), "tokens", "")
	r.add(b, "1,000 rows, of CSV", float64(mine)/float64(plain), "times", 1.03)
}

// benchManyRows is a query of 100,000 rows whose answer is shown whole, and one
// that is cut to the usual budget.
func benchManyRows(b *testing.B, r *report) {
	w := newWorkspaceFake(b)
	body, _ := rowsBody(100_000)
	w.rows.Store(&body)
	for _, c := range []struct {
		name      string
		arguments []string
	}{{"100,000 rows, cut", nil}, {"100,000 rows, whole", []string{"--max-result-tokens", "100000000"}}} {
		d := w.serve(b, r, c.arguments...)
		began := time.Now()
		answer := d.call("sql_execute_statement", selectAll)
		took := time.Since(began)
		size := len(answer)
		_, peak := d.memory()
		for range 3 {
			d.call("sql_execute_statement", selectAll)
		}
		_, again := d.memory()
		r.add(b, c.name+", peak memory", mib(peak), "MiB", 40)
		r.add(b, c.name+", peak memory after four times", mib(again), "MiB", 40)
		r.note(b, c.name+", answer", float64(size)/1e6, "MB", "")
		r.note(b, c.name+", time", millis(took), "ms", "")
		d.stop()
	}
}
