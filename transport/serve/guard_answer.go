package serve

import (
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// serverError is JSON-RPC's code for errors of the implementation.
const serverError = -32000

// statusWriter knows the status that was sent, and sends nobody away without saying
// for how long.
type statusWriter struct {
	http.ResponseWriter
	status int // 0: none yet
}

func (a *statusWriter) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
		wait := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
		if wait && a.Header().Get("Retry-After") == "" {
			a.Header().Set("Retry-After", "1")
		}
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *statusWriter) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find what is beneath.
func (a *statusWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Flush sends what was written so far.
func (a *statusWriter) Flush() {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	_ = http.NewResponseController(a.ResponseWriter).Flush() // a broken connection shows at the next Write
}

// turnAway answers with a refusal: a JSON-RPC error that belongs to no id, for the
// message was not read.
func turnAway(w http.ResponseWriter, refusal *Refusal) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	if refusal.Challenge != "" {
		h.Set("WWW-Authenticate", refusal.Challenge)
	}
	if refusal.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(refusal.RetryAfter.Seconds()))))
	}
	text, err := json.Marshal(refusal.Message)
	if err != nil { // never of a string
		text = []byte(`""`)
	}
	body := `{"jsonrpc":"2.0","id":null,"error":{"code":` + strconv.Itoa(cmp.Or(refusal.Code, mcp.INVALID_REQUEST)) + `,"message":` + string(text) + "}}\n"
	w.WriteHeader(refusal.Status)
	_, _ = w.Write([]byte(body)) // whoever was refused may have left
}

func tooMany(why string, retry time.Duration) *Refusal {
	return &Refusal{
		Status: http.StatusTooManyRequests, Code: serverError, RetryAfter: retry,
		Message: why + "; try again later, as Retry-After says",
	}
}
