package runs

import (
	"context"
	"errors"
	"sync"
	"time"
)

// persistTime is how often a stream that goes on is written down.
const persistTime = 2 * time.Second

// Held is a run whose stream this process reads. It is safe for concurrent use.
type Held struct {
	registry *Registry
	stop     context.CancelFunc

	mu        sync.Mutex
	run       *Run
	changed   chan struct{} // closed at the next change
	persisted time.Time

	writing sync.Mutex // one write at a time, in order
}

// Update changes the run and tells whoever waits for it. It is written down when
// there is nothing more to come, and now and then before.
func (h *Held) Update(change func(*Run)) {
	h.mu.Lock()
	change(h.run)
	close(h.changed)
	h.changed = make(chan struct{})
	due := !h.run.Status.Polls() || time.Since(h.persisted) >= persistTime
	if due {
		h.persisted = time.Now()
	}
	h.mu.Unlock()
	if due {
		h.write()
	}
}

// write takes what the stream brought over into the record. Whoever started the
// stream has the lock until its record is complete.
func (h *Held) write() {
	h.writing.Lock()
	defer h.writing.Unlock()
	h.mu.Lock()
	latest := h.run.clone()
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	unlock, err := h.registry.shelf(latest.Owner).lock(ctx, latest.ID)
	if err != nil {
		return // it stays here, and the next write has it
	}
	defer unlock()
	record, err := h.registry.get(latest.Owner, latest.ID)
	if err != nil || !record.Status.Polls() || len(record.Responses) > len(latest.Responses) {
		return // dropped or cancelled here, or it went on since
	}
	record.bring(latest)
	_ = h.registry.put(record)
}

// bring takes over what a look or a stream brings.
func (r *Run) bring(from *Run) {
	r.Responses, r.Items, r.Status, r.Error = from.Responses, from.Items, from.Status, from.Error
	r.Usage, r.Trace, r.State, r.Ended = from.Usage, from.Trace, from.State, from.Ended
	r.Conversation, r.Doing = from.Conversation, from.Doing
}

// callTime is longer than any tool call takes.
const callTime = time.Minute

func (g *Registry) hold(run *Run, limit time.Duration, follow func(context.Context, *Held)) error {
	release := func() {}
	if f, ok := g.shelf(run.Owner).(files); ok {
		var err error
		if release, err = f.tryLock(run.ID + heldSuffix); err != nil {
			return notWritten("run "+run.ID, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	h := &Held{registry: g, stop: cancel, run: run.clone(), changed: make(chan struct{}), persisted: time.Now()}
	g.mu.Lock()
	g.held[run.ID] = h
	g.mu.Unlock()
	g.holding.Go(func() {
		defer cancel()
		defer func() {
			h.Update(func(r *Run) {
				if r.Status.Polls() {
					why := "the stream ended early"
					if errors.Is(ctx.Err(), context.DeadlineExceeded) {
						why = "it took longer than " + limit.String() + ", and was no longer waited for"
					}
					r.End(Failed, &Failure{Code: "stream_ended", Message: why})
				}
			})
			g.mu.Lock()
			delete(g.held, run.ID)
			g.mu.Unlock()
			release()
		}()
		follow(ctx, h)
	})
	return nil
}

// heldHere is the run's stream, when this process reads it.
func (g *Registry) heldHere(id string) *Held {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held[id]
}

// Holding reports whether this process reads the stream of a run: it would end with
// the registry.
func (g *Registry) Holding() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.held) > 0
}

func (g *Registry) live(run *Run) bool {
	if h := g.heldHere(run.ID); h != nil {
		h.mu.Lock()
		run.bring(h.run.clone())
		h.mu.Unlock()
		return true
	}
	f, onDisk := g.shelf(run.Owner).(files)
	held := onDisk && f.heldNow(run.ID)
	// After that question: what its end left behind is in the record.
	record, err := g.get(run.Owner, run.ID)
	if err != nil {
		return held
	}
	run.bring(record)
	run.Revision = record.Revision
	return held || !record.Status.Polls()
}

// Release lets go of the run's stream, when this process reads it: the connection is
// closed. It reports whether there was one. Cancel of a backend with streams does
// this.
func (r *Run) Release() bool {
	g, _ := r.keeper.(*Registry)
	if g == nil {
		return false
	}
	h := g.heldHere(r.ID)
	if h == nil {
		return false
	}
	h.mu.Lock()
	if h.run.Status.Polls() {
		h.run.End(Abandoned, &Failure{Code: "released", Message: "the stream was closed here; what the agent had begun may have effects"})
	}
	h.mu.Unlock()
	h.stop()
	return true
}

// Close ends all streams that this process holds, and waits until their runs are
// written down, or ctx ends.
func (g *Registry) Close(ctx context.Context) {
	g.mu.Lock()
	for _, h := range g.held {
		h.mu.Lock()
		if h.run.Status.Polls() {
			h.run.End(Abandoned, heldNoMore())
		}
		h.mu.Unlock()
		h.stop()
	}
	g.mu.Unlock()
	done := make(chan struct{})
	go func() { g.holding.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// heldNoMore is why a run ended whose stream went with its process.
func heldNoMore() *Failure {
	return &Failure{Code: "not_held", Message: "the server that held it ended; what the agent had begun may have taken effect"}
}
