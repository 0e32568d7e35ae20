package sandbox

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// faults decides per request which rules apply, and does what they say.
type faults struct {
	mu    sync.Mutex
	rules []*armed
}

// armed is a rule with what it has seen so far.
type armed struct {
	Fault
	seen  int64 // requests that its method and path matched
	fired int64
	dice  *rand.Rand
}

func newFaults(rules []Fault) *faults {
	f := &faults{}
	for _, r := range rules {
		f.rules = append(f.rules, &armed{Fault: r, dice: rand.New(rand.NewPCG(r.Seed, 0))})
	}
	return f
}

// fires says whether the rule applies to r, and counts.
func (a *armed) fires(r *http.Request) bool {
	if a.Method != "" && a.Method != r.Method || a.Path != "" && !glob(a.Path, r.URL.Path) {
		return false
	}
	a.seen++
	n := a.seen - a.Skip
	switch {
	case n <= 0,
		a.Count > 0 && a.fired >= a.Count,
		a.Every > 0 && n%a.Every != 0,
		a.Probability > 0 && a.dice.Float64() >= a.Probability:
		return false
	}
	a.fired++
	return true
}

// choose adds up the delays that apply and picks the first other rule.
func (f *faults) choose(r *http.Request) (delay time.Duration, rule *Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.rules {
		if a.Kind != FaultLatency && rule != nil || !a.fires(r) {
			continue
		}
		if a.Kind == FaultLatency {
			delay += a.Delay
		} else {
			rule = &a.Fault
		}
	}
	return delay, rule
}

func (f *faults) serve(rw http.ResponseWriter, r *http.Request, next http.Handler) {
	if len(f.rules) == 0 {
		next.ServeHTTP(rw, r)
		return
	}
	delay, rule := f.choose(r)
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler) // nobody waits for an answer
		}
	}
	if rule == nil {
		next.ServeHTTP(rw, r)
		return
	}
	if rule.After && rule.Kind != FaultTruncate { // the effect happens, its answer is lost
		next.ServeHTTP(httptest.NewRecorder(), r)
	} else if rule.Kind != FaultTruncate {
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxBody)) // else the server would wait or reset by itself
	}
	rule.strike(rw, r, next)
}

// strike answers in place of the workspace.
func (f *Fault) strike(rw http.ResponseWriter, r *http.Request, next http.Handler) {
	switch f.Kind {
	case FaultReset:
		reset(rw)
	case FaultTruncate:
		whole := httptest.NewRecorder()
		next.ServeHTTP(whole, r)
		for k, v := range whole.Header() {
			rw.Header()[k] = v
		}
		rw.Header().Set("Content-Length", strconv.Itoa(whole.Body.Len()))
		rw.WriteHeader(whole.Code)
		_, _ = rw.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
		_ = http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler) // breaks the connection short of Content-Length
	case FaultHTML:
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		rw.WriteHeader(f.status(http.StatusOK))
		_, _ = io.WriteString(rw, loginPage)
	case FaultEmpty:
		rw.WriteHeader(f.status(http.StatusOK))
	case FaultStatus:
		f.refuse(rw)
	}
}

const loginPage = `<!doctype html>
<html><head><title>Databricks - Sign In</title></head><body><pre>Sign in to continue to this workspace</pre></body></html>
`

func (f *Fault) status(absent int) int {
	if f.Status != 0 {
		return f.Status
	}
	return absent
}

// refuse answers with the status, and the code and message the real service
// uses with it.
func (f *Fault) refuse(rw http.ResponseWriter) {
	code, message := faultText(f.Status)
	if f.Code != "" {
		code = f.Code
	}
	if f.Message != "" {
		message = f.Message
	}
	body := map[string]any{"error_code": code, "message": message}
	if f.RetryAfter > 0 {
		seconds := int64((f.RetryAfter + time.Second - 1) / time.Second)
		rw.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
		body["details"] = []any{map[string]any{
			"@type": "type.googleapis.com/google.rpc.RetryInfo", "retry_delay": fmt.Sprintf("%gs", f.RetryAfter.Seconds()),
		}}
	}
	reply(rw, f.Status, body)
}

func faultText(status int) (code, message string) {
	switch status {
	case http.StatusBadRequest:
		return "INVALID_PARAMETER_VALUE", "Injected fault: the request is refused"
	case http.StatusUnauthorized:
		return "UNAUTHENTICATED", "Invalid access token."
	case http.StatusForbidden:
		return "PERMISSION_DENIED", "Injected fault: permission denied"
	case http.StatusNotFound:
		return "RESOURCE_DOES_NOT_EXIST", "Injected fault: the object does not exist"
	case http.StatusConflict:
		return "RESOURCE_CONFLICT", "Injected fault: the object was changed meanwhile"
	case http.StatusTooManyRequests:
		return "REQUEST_LIMIT_EXCEEDED", "Too many requests. Please wait a moment and try again."
	case http.StatusInternalServerError:
		return "INTERNAL_ERROR", "There was an error processing your request"
	case http.StatusServiceUnavailable:
		return "TEMPORARILY_UNAVAILABLE", "The service at this path is temporarily unavailable. Please try again later."
	case http.StatusGatewayTimeout:
		return "DEADLINE_EXCEEDED", "The request took too long to complete"
	}
	return strings.ToUpper(strings.ReplaceAll(http.StatusText(status), " ", "_")), "Injected fault: " + http.StatusText(status)
}

// reset breaks the connection: with a TCP RST where there is a socket, and as
// the same error from the in-process RoundTripper.
func reset(rw http.ResponseWriter) {
	conn, _, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// glob matches a whole path; "*" stands for any text, also across "/".
func glob(pattern, path string) bool {
	parts := bytes.Split([]byte(pattern), []byte("*"))
	rest := []byte(path)
	if !bytes.HasPrefix(rest, parts[0]) {
		return false
	}
	if len(parts) == 1 {
		return len(rest) == len(parts[0])
	}
	rest = rest[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		at := bytes.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return bytes.HasSuffix(rest, parts[len(parts)-1])
}
