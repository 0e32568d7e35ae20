package runs

import (
	"context"
	"net/http"
	"strings"
)

// Traced is a W3C trace context: what a client wants its own trace joined with.
type Traced struct{ Parent, State string }

type tracedKey struct{}

// WithTraceContext passes a client's trace context on to the requests of the call.
// What is not well-formed is left out.
func WithTraceContext(ctx context.Context, parent, state string) context.Context {
	if !validTraceparent(parent) {
		return ctx
	}
	if !validTracestate(state) {
		state = ""
	}
	return context.WithValue(ctx, tracedKey{}, Traced{parent, state})
}

// TraceContext is what WithTraceContext put there.
func TraceContext(ctx context.Context) Traced {
	t, _ := ctx.Value(tracedKey{}).(Traced)
	return t
}

func (t Traced) set(h http.Header) {
	if t.Parent != "" {
		h.Set("Traceparent", t.Parent)
	}
	if t.State != "" {
		h.Set("Tracestate", t.State)
	}
}

// validTraceparent: version 00, as W3C Trace Context, section 3.2, has it.
func validTraceparent(s string) bool {
	parts := strings.Split(s, "-")
	if len(parts) != 4 || parts[0] != "00" {
		return false
	}
	for i, length := range []int{2, 32, 16, 2} {
		if len(parts[i]) != length || strings.Trim(parts[i], "0123456789abcdef") != "" {
			return false
		}
	}
	return strings.Trim(parts[1], "0") != "" && strings.Trim(parts[2], "0") != ""
}

// validTracestate: it becomes a header.
func validTracestate(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= 512
}
