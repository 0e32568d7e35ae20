package serve

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// readyAge is how long the answer of /readyz holds: whoever asks often asks for
	// nothing.
	readyAge = time.Second
	// readyTime bounds the checks behind it.
	readyTime = 5 * time.Second
)

// front is what every request of the main listener meets first.
type front struct {
	next   http.Handler
	ready  func(context.Context) error
	log    *zap.Logger
	body   time.Duration
	ending atomic.Bool

	mu      sync.Mutex
	checked time.Time
	failure error
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.ending.Load() {
		w.Header().Set("Connection", "close")
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // the one before may have set its own
	switch r.URL.Path {
	case "/healthz":
		health(w, r, http.StatusOK)
		return
	case "/readyz":
		status := http.StatusOK
		if f.ending.Load() || f.check(r.Context()) != nil {
			status = http.StatusServiceUnavailable
		}
		health(w, r, status)
		return
	}
	if r.Body != http.NoBody {
		// Until the body is read: net/http lifts the deadline then, to hear of a client that
		// leaves. Every connection of ours has deadlines.
		_ = control.SetReadDeadline(time.Now().Add(f.body))
	}
	f.next.ServeHTTP(w, r)
}

// check asks whether requests can be served, once for all who ask at the same time.
func (f *front) check(ctx context.Context) error {
	if f.ready == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.checked) < readyAge {
		return f.failure
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTime)
	defer cancel()
	failure := f.ready(ctx)
	if failure != nil && (f.failure == nil || f.failure.Error() != failure.Error()) {
		f.log.Warn("not ready", zap.Error(failure))
	}
	f.checked, f.failure = time.Now(), failure
	return failure
}

// health says in one word what a platform asks. It may be asked by anybody, so it
// tells nothing else.
func health(w http.ResponseWriter, r *http.Request, status int) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		status = http.StatusMethodNotAllowed
	}
	word := "ok\n"
	switch status {
	case http.StatusServiceUnavailable:
		word = "not ready\n"
	case http.StatusMethodNotAllowed:
		word = "use GET\n"
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, word) // whoever asked may have left
}
