package runs

import (
	"context"
	"fmt"
	"time"

	"brickmcp/catalog"
)

// Wait looks until the run ends, waits for an approval, or ctx ends: then it is as
// it was last seen. tell hears of every look.
func (r *Runner) Wait(ctx context.Context, owner Owner, id string, tell func(*Run)) (run *Run, looked, err error) {
	r.waiting.Add(1)
	defer r.waiting.Add(-1)
	for {
		seen, failed, err := r.lookInTurn(ctx, owner, id)
		if err != nil {
			return run, nil, err
		}
		if seen == nil { // ctx ended before its turn
			return r.last(ctx, owner, id, run)
		}
		run, looked = seen, failed
		if ctx.Err() != nil {
			looked = nil // no time was left for it
		}
		if !run.Status.Polls() {
			return run, nil, nil
		}
		if ctx.Err() != nil {
			return run, looked, nil
		}
		tell(run)
		if !r.pause(ctx, run) {
			return run, looked, nil
		}
	}
}

// maxLooksAtOnce is how many of the runs that are waited for are looked at at once. Without
// it a thousand waits that begin together open a thousand connections.
const maxLooksAtOnce = 32

// lookInTurn is Look, in a goroutine of its own: the stack that a look needs is given
// back, while that of whoever waits stays small. run is nil when ctx ended before it
// was its turn.
func (r *Runner) lookInTurn(ctx context.Context, owner Owner, id string) (run *Run, looked, err error) {
	r.once.Do(func() { r.looks = make(chan struct{}, maxLooksAtOnce) })
	select {
	case r.looks <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { <-r.looks }()
		defer func() { // as a panic of a tool is none of the process
			if p := recover(); p != nil {
				err = &catalog.Error{Kind: catalog.Internal, Message: fmt.Sprintf("run %s: looking at it failed: %v", id, p), Advice: "The run goes on. Please report it."}
			}
		}()
		run, looked, err = r.Look(ctx, owner, id)
	}()
	<-done
	return run, looked, err
}

// last is the run as it was last seen, by this wait or by anybody.
func (r *Runner) last(ctx context.Context, owner Owner, id string, seen *Run) (*Run, error, error) {
	if seen != nil {
		return seen, nil, nil
	}
	run, err := r.settled(ctx, owner, id)
	return run, nil, err
}

// pause sleeps until the next look is worth it; false when ctx ends before.
func (r *Runner) pause(ctx context.Context, run *Run) bool {
	wait := r.Next(run)
	var news <-chan struct{}
	if h := r.Registry.heldHere(run.ID); h != nil {
		h.mu.Lock()
		news = h.changed
		if h.run.Status != run.Status || len(h.run.Items) != len(run.Items) {
			wait = 0 // it came between look and pause
		}
		h.mu.Unlock()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	case <-news:
	}
	// Many small pieces make one piece of news.
	timer.Reset(newsTime)
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

const (
	newsTime = 200 * time.Millisecond
	// maxLookRate is how many looks a second this process takes at all runs together.
	maxLookRate = 50
)

// Next is after how long another look at the run is worth it: 1 s, 2 s, and 10 s or
// 30 s for long work (contract/supervisor.md, section 5). Many runs that are waited
// for at once are looked at less often each.
func (r *Runner) Next(run *Run) time.Duration {
	since := run.Created
	if last := run.LastResponse(); last != nil && last.CreatedAt.After(since) {
		since = last.CreatedAt
	}
	now := time.Now()
	wait := pace(now.Sub(since))
	if backend, err := r.Backend(run.Agent); err == nil {
		if pacer, ok := backend.(Pacer); ok {
			wait = pacer.Next(run, now)
		}
	}
	return max(wait, time.Duration(r.waiting.Load())*time.Second/maxLookRate)
}

func pace(age time.Duration) time.Duration {
	switch {
	case age < 2*time.Second:
		return time.Second
	case age < time.Minute:
		return 2 * time.Second
	case age < 10*time.Minute:
		return 10 * time.Second
	}
	return 30 * time.Second
}
