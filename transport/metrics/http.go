package metrics

import (
	"net/http"
	"strings"
)

// Count is next, with its requests and streams counted.
func (m *Metrics) Count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &counted{ResponseWriter: w, m: m}
		m.inFlight.Add(1)
		defer func() {
			m.inFlight.Add(-1)
			if c.stream {
				m.streams.Add(-1)
			}
			m.request(r.Method, c.status)
		}()
		next.ServeHTTP(c, r)
		if c.status == 0 {
			c.status = http.StatusOK // net/http sends it when the handler is over
		}
	})
}

// counted knows the status of an answer, and whether it is a stream of events.
type counted struct {
	http.ResponseWriter
	m      *Metrics
	status int // 0: none yet; a handler that panics leaves it
	stream bool
}

func (c *counted) begin(status int) {
	if c.status != 0 || status < 200 {
		return
	}
	c.status = status
	if strings.HasPrefix(c.Header().Get("Content-Type"), "text/event-stream") {
		c.stream = true
		c.m.streams.Add(1)
	}
}

func (c *counted) WriteHeader(status int) {
	c.begin(status)
	c.ResponseWriter.WriteHeader(status)
}

func (c *counted) Write(p []byte) (int, error) {
	c.begin(http.StatusOK)
	return c.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find what is beneath.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// Flush sends what was written so far.
func (c *counted) Flush() {
	c.begin(http.StatusOK)
	_ = http.NewResponseController(c.ResponseWriter).Flush() // a broken connection shows at the next Write
}
