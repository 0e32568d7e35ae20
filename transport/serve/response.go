package serve

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// readTime is how long a client may take to read a piece of an answer.
const readTime = 30 * time.Second

// response is the wire to a client over HTTP. It begins with the first message: an
// answer is plain JSON, and everything else is an event of a stream, as is every
// message behind it.
type response struct {
	http    http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration // for each piece to be read
	modern  bool          // errors have a status of their own
	begun   bool
}

func newResponse(w http.ResponseWriter, timeout time.Duration) *response {
	return &response{http: w, control: http.NewResponseController(w), timeout: timeout}
}

// Write gives the client its time anew for each piece, however long a stream lives.
func (r *response) Write(p []byte) (int, error) {
	r.expect()
	return r.http.Write(p)
}

// expect wants the client to read in time. A wire without deadlines is one of a test.
func (r *response) expect() { _ = r.control.SetWriteDeadline(time.Now().Add(r.timeout)) }

func (r *response) send(m *outgoing) error {
	if m.answer && !r.begun {
		return r.plain(m, r.status(m.code))
	}
	return r.event("message", m)
}

// plain is the whole response.
func (r *response) plain(m *outgoing, status int) error {
	r.begun = true
	header := r.http.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	if m.long == "" {
		header.Set("Content-Length", strconv.Itoa(m.Len()))
	}
	r.http.WriteHeader(status)
	return m.writeTo(r)
}

// status is that of an answer: since 2026-07-28 some errors have one of their own.
func (r *response) status(code int) int {
	if !r.modern {
		return http.StatusOK
	}
	switch code {
	case mcp.METHOD_NOT_FOUND:
		return http.StatusNotFound
	case mcp.HEADER_MISMATCH, mcp.MISSING_REQUIRED_CLIENT_CAPABILITY, mcp.UNSUPPORTED_PROTOCOL_VERSION,
		mcp.INVALID_REQUEST, mcp.INVALID_PARAMS, mcp.PARSE_ERROR:
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// open begins a stream of events.
func (r *response) open() error {
	if r.begun {
		return nil
	}
	r.begun = true
	header := r.http.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store, no-transform")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Accel-Buffering", "no") // some proxies keep events back otherwise
	r.http.WriteHeader(http.StatusOK)
	return r.flush()
}

func (r *response) flush() error {
	r.expect()
	if err := r.control.Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// event writes one line, which ends with its newline, as an event.
func (r *response) event(name string, m *outgoing) error {
	if err := r.open(); err != nil {
		return err
	}
	if _, err := io.WriteString(r, "event: "+name+"\ndata: "); err != nil {
		return err
	}
	if err := m.writeTo(r); err != nil {
		return err
	}
	if _, err := io.WriteString(r, "\n"); err != nil {
		return err
	}
	return r.flush()
}

// beat writes a comment.
func (r *response) beat() error {
	if err := r.open(); err != nil {
		return err
	}
	if _, err := io.WriteString(r, ":\n\n"); err != nil {
		return err
	}
	return r.flush()
}

// exchange is the response to one request. Nothing is set up for a stream unless
// something has to be said before the answer.
type exchange struct {
	*response
	heartbeat time.Duration
	abandon   func() // of a call whose client does not read
	mu        sync.Mutex
	writer    *writer
	beats     *time.Ticker
	over      bool
}

func (x *exchange) stream() *writer { return x.begin(func() {}) }

// quiet makes a stream of an exchange that has said nothing for long, which proxies
// take for dead.
func (x *exchange) quiet() { x.begin(func() { _ = x.open() }) }

func (x *exchange) begin(first func()) *writer {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.over:
		return nil
	case x.writer != nil:
		return x.writer
	}
	w := newWriter(x.response, 4, 64)
	x.beats = time.NewTicker(x.heartbeat)
	w.beats = x.beats.C
	go func() {
		first()
		w.run()
		select {
		case <-w.broken:
			x.abandon()
		default:
		}
	}()
	x.writer = w
	return w
}

// finish answers and returns when that is written.
func (x *exchange) finish(answer *outgoing) {
	x.mu.Lock()
	x.over = true
	w := x.writer
	x.mu.Unlock()
	if w == nil && answer == nil { // mcp-go answers every request
		x.http.WriteHeader(http.StatusAccepted)
		return
	}
	if w == nil {
		_ = x.send(answer) // a client that is gone needs no answer
		answer.release()
		return
	}
	x.beats.Stop()
	if answer != nil {
		w.write(answer)
	}
	_ = w.close()
}

// refuse is the response to what is not served at all.
func refuse(w http.ResponseWriter, status int, id []byte, code int, text string) {
	refuseWith(w, status, id, mcp.NewJSONRPCError(mcp.NewRequestId(nil), code, text, nil))
}

func refuseWith(w http.ResponseWriter, status int, id []byte, refusal mcp.JSONRPCError) {
	answer, err := encode(refusal, id)
	if err != nil { // texts and a number: cannot happen
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_ = newResponse(w, readTime).plain(answer, status)
}
