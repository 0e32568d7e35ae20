package rest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"brickmcp/catalog"
)

// slack is by how much two requests on warm connections may swap their
// distance on the way: the later one faster, the earlier one slower.
const slack = 50 * time.Millisecond

// lanes keep a documented limit exactly: at most Calls requests start in any
// window of Per. There are Calls lanes, and each lets its next request depart
// Per (and slack) after its last, so each has at most one in a window. Unlike a
// token bucket, which would have to divide Calls between burst and rate to
// promise the same, this lets all of Calls through at once and then keeps
// nearly the full rate.
//
// A departure is when a connection is ready to write to, not when the turn was
// given: a first call spends its time dialling, and its successor on the now
// warm connection would arrive too close to it.
type lanes struct {
	limit   catalog.Limit
	spacing time.Duration

	mu   sync.Mutex
	last []*departure // of each lane; nil: unused so far
	next int          // where to look first
}

// departure is the place of one request in a lane.
type departure struct {
	free time.Time     // when the lane is expected to be free after it
	prev *departure    // the one before it, until this one has departed
	done chan struct{} // closed when it has departed, or will not
	at   time.Time     // when it departed; zero: it did not
}

// turn is the right to send one request. A nil turn asks for nothing.
type turn struct {
	lanes *lanes
	lane  int
	d     *departure
}

func newLanes(limit catalog.Limit) *lanes {
	return &lanes{limit: limit, spacing: limit.Per + slack, last: make([]*departure, limit.Calls)}
}

// turn takes the lane that is free first and waits for it.
func (l *lanes) turn(ctx context.Context, c *Client, call *catalog.Call, end time.Time) (*turn, *failure) {
	now := time.Now()
	t, start := l.take(now)
	wait := start.Sub(now)
	reason := ""
	if wait > longWait || start.After(end) {
		reason = fmt.Sprintf("%s waits for its turn: the workspace allows %d such calls per %s", call.Row.Name, l.limit.Calls, l.limit.Per)
	}
	if start.After(end) {
		t.end()
		return nil, tooLong(call, reason, wait)
	}
	if wait > longWait && c.config.Waiting != nil {
		c.config.Waiting(ctx, reason, wait)
	}
	if err := t.wait(ctx, end); err != nil {
		t.end()
		if ctx.Err() == nil {
			return nil, tooLong(call, call.Row.Name+" waits for its turn", l.spacing)
		}
		return nil, gaveUp(ctx, call, unsent, nil)
	}
	return t, nil
}

func (l *lanes) take(now time.Time) (*turn, time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lane, start := -1, time.Time{}
	for i := range l.last {
		n := (l.next + i) % len(l.last)
		var free time.Time
		if l.last[n] != nil {
			free = l.last[n].free
		}
		if lane < 0 || free.Before(start) {
			lane, start = n, free
		}
		if !start.After(now) {
			break
		}
	}
	l.next = (lane + 1) % len(l.last)
	if start.Before(now) {
		start = now
	}
	d := &departure{free: start.Add(l.spacing), prev: l.last[lane], done: make(chan struct{})}
	l.last[lane] = d
	return &turn{l, lane, d}, start
}

// wait returns when the one before in the lane is far enough ahead, or with an
// error when ctx or the time is up.
func (t *turn) wait(ctx context.Context, end time.Time) error {
	timer := time.NewTimer(time.Until(end))
	defer timer.Stop()
	for {
		prev := t.previous()
		if prev == nil {
			return ctx.Err()
		}
		select {
		case <-prev.done:
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return context.DeadlineExceeded
		}
		if prev.at.IsZero() {
			t.skip(prev)
			continue
		}
		start := prev.at.Add(t.lanes.spacing)
		if start.After(end) {
			return context.DeadlineExceeded
		}
		timer.Reset(time.Until(start))
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (t *turn) previous() *departure {
	t.lanes.mu.Lock()
	defer t.lanes.mu.Unlock()
	return t.d.prev
}

// skip passes over one that did not depart.
func (t *turn) skip(prev *departure) {
	t.lanes.mu.Lock()
	defer t.lanes.mu.Unlock()
	t.d.prev = prev.prev
}

// depart marks that the request is written now.
func (t *turn) depart() {
	if t == nil {
		return
	}
	t.lanes.mu.Lock()
	defer t.lanes.mu.Unlock()
	if t.d.at.IsZero() {
		t.d.at, t.d.prev = time.Now(), nil
		t.d.free = t.d.at.Add(t.lanes.spacing)
		close(t.d.done)
	}
}

// end gives the turn back if nothing departed.
func (t *turn) end() {
	if t == nil {
		return
	}
	t.lanes.mu.Lock()
	defer t.lanes.mu.Unlock()
	if !t.d.at.IsZero() {
		return
	}
	if t.lanes.last[t.lane] == t.d {
		t.lanes.last[t.lane] = t.d.prev
	}
	close(t.d.done)
}
