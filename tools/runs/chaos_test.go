package runs

import (
	"bufio"
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tidwall/gjson"
)

// chaos is what the gateway does wrong, and when the process that speaks to it is
// killed: at these of its POSTs, which take effect and are never answered.
type chaos struct {
	process atomic.Pointer[os.Process]
	kills   atomic.Int64
}

var killedAt = []int{70, 160, 250, 330} // fewer than the requests of 500 runs, whatever is lost

func (c *chaos) fault(n int, w http.ResponseWriter, post bool) (before, after bool) {
	if post && slices.Contains(killedAt, n) {
		if err := c.process.Load().Kill(); err == nil {
			c.kills.Add(1)
		}
		return false, true
	}
	h := fnv.New32a()
	fmt.Fprint(h, n, post)
	switch h.Sum32() % 20 {
	case 0, 1:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return true, false
	case 2:
		w.WriteHeader(http.StatusServiceUnavailable)
		return true, false
	case 3, 4:
		reset(w)
		return true, false
	case 5, 6:
		return false, true
	}
	return false, false
}

// start lets processes begin all tasks, each of them once, until one is not killed.
func (c *chaos) start(t *testing.T, dir, host string, all int) {
	for next := 0; next < all; {
		cmd := again(t, dir, host, fmt.Sprintf("chaos %d %d", next, all))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		c.process.Store(cmd.Process)
		for lines := bufio.NewScanner(out); lines.Scan(); next++ {
			if n, err := strconv.Atoi(lines.Text()); err != nil || n != next {
				t.Fatalf("the process begins %q, want task %d", lines.Text(), next)
			}
		}
		_ = cmd.Wait() // killed, or done
	}
}

// 500 runs against a gateway that limits, fails and breaks connections before and
// after their effect, from processes that are killed and started again: every run
// ends in a true state, and none is started twice.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("500 runs with waits between attempts take some seconds: not with -short")
	}
	const all = 500
	c, host := newCounting(t)
	var bad chaos
	c.mu.Lock()
	c.fault = bad.fault
	c.mu.Unlock()
	dir := t.TempDir()
	bad.start(t, dir, host, all)
	r := real(dir, host)
	listed, err := r.Registry.List(gatewayUser, "", every)
	if err != nil || listed.Damaged > 0 {
		t.Fatalf("%d damaged, %v", listed.Damaged, err)
	}
	found := map[string]Status{}
	var looking sync.WaitGroup
	var mu sync.Mutex
	for _, run := range listed.Runs {
		looking.Go(func() {
			text := gjson.GetBytes(run.Request.Input[0], "content").Str
			seen := run
			for range 20 { // looks fail, too
				var err error
				if seen, _, err = r.Look(context.Background(), gatewayUser, run.ID); err != nil {
					t.Error(err)
					return
				}
				if seen.Status.Ended() {
					break
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if _, twice := found[text]; twice {
				t.Errorf("%s has two records", text)
			}
			found[text] = seen.Status
			if seen.Status != Unknown && (seen.Status != Completed || seen.OutputText() != text) {
				t.Errorf("%s ended as %s with %q", text, seen.Status, seen.OutputText())
			}
		})
	}
	looking.Wait()
	counts := map[Status]int{}
	c.mu.Lock() // what a killed process had sent may still be answered
	defer c.mu.Unlock()
	for n := range all {
		text := fmt.Sprintf("task %d", n)
		status, kept := found[text]
		counts[status]++
		switch starts := c.starts[text]; {
		case starts > 1:
			t.Errorf("%s was started %d times", text, starts)
		case starts == 1 && !kept:
			t.Errorf("%s was started and is lost", text)
		case starts == 0 && status == Completed:
			t.Errorf("%s is completed and was never started", text)
		}
	}
	kills := bad.kills.Load()
	t.Logf("%d kills, %d requests, %d looks: %v", kills, c.posts, c.gets, counts)
	if int(kills) < len(killedAt) || counts[Completed] < all/3 || counts[Unknown] < len(killedAt) {
		t.Errorf("%d kills, %v: the test has tested little", kills, counts)
	}
}
