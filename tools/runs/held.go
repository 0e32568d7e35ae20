package runs

import "sync"

// Held is a run whose stream this process reads. It is safe for concurrent use.
type Held struct {
	mu      sync.Mutex
	run     *Run
	changed chan struct{} // closed at the next change
	persist func(*Run, bool)
}

// Update changes the run and tells whoever waits for it. It is written down at
// once when it ended, else now and then.
func (h *Held) Update(change func(*Run)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h.run)
	close(h.changed)
	h.changed = make(chan struct{})
	if h.persist != nil {
		h.persist(h.run.clone(), h.run.Status.Ended())
	}
}
