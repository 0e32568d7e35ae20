package runs

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"brickmcp/catalog"
)

// script is a workspace, or an app, that answers from a script: by method and path,
// the last answer of a list over and over.
type script struct {
	t       *testing.T
	mu      sync.Mutex
	answers map[string][]scripted
	calls   []*catalog.Call
}

type scripted func(ctx context.Context, call *catalog.Call) (*catalog.Answer, error)

func newScript(t *testing.T, answers map[string][]scripted) *script {
	return &script{t: t, answers: answers}
}

func (s *script) Do(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
	key := call.Row.Method + " " + call.Path
	s.mu.Lock()
	s.calls = append(s.calls, call)
	list := s.answers[key]
	if len(list) > 1 {
		s.answers[key] = list[1:]
	}
	s.mu.Unlock()
	if len(list) == 0 {
		return nil, &catalog.Error{Kind: catalog.Missing, Status: 404, Message: key + ": not in the script"}
	}
	return list[0](ctx, call)
}

// sent lists the calls of a key.
func (s *script) sent(key string) []*catalog.Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var calls []*catalog.Call
	for _, c := range s.calls {
		if c.Row.Method+" "+c.Path == key {
			calls = append(calls, c)
		}
	}
	return calls
}

func says(body string) scripted {
	return func(_ context.Context, call *catalog.Call) (*catalog.Answer, error) {
		answer := &catalog.Answer{Status: 200, Header: http.Header{}}
		if call.Stream {
			answer.Stream = io.NopCloser(strings.NewReader(body))
			answer.Header.Set("Content-Type", "text/event-stream")
		} else {
			answer.Body = []byte(body)
		}
		return answer, nil
	}
}

// saysWhole answers a streamed call with plain JSON.
func saysWhole(body string) scripted {
	return func(context.Context, *catalog.Call) (*catalog.Answer, error) {
		return &catalog.Answer{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Stream: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func refuses(kind catalog.Kind, status int, code string) scripted {
	return func(_ context.Context, call *catalog.Call) (*catalog.Answer, error) {
		return nil, &catalog.Error{Kind: kind, Status: status, Code: code, Message: call.About() + ": scripted " + code, Advice: "As scripted."}
	}
}

// opened streams what is written to the pipe.
func opened(body io.ReadCloser) scripted {
	return func(ctx context.Context, _ *catalog.Call) (*catalog.Answer, error) {
		if p, ok := body.(*io.PipeReader); ok {
			context.AfterFunc(ctx, func() { p.CloseWithError(ctx.Err()) })
		}
		return &catalog.Answer{Status: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Stream: body}, nil
	}
}

var ana = Owner{Host: "https://w.example", User: "ana@example.com"}

// running is a runner of backend, whose runs are in memory.
func runnerOf(backend Backend) *Runner {
	return &Runner{Registry: New(""), Backend: func(string) (Backend, error) { return backend, nil }}
}

func asking(text string) Request {
	return Request{Input: []json.RawMessage{item(map[string]string{"type": "message", "role": "user", "content": text})}}
}

// start begins a run that has to begin.
func start(t *testing.T, r *Runner, agent string, request Request) *Run {
	t.Helper()
	run, err := r.Start(t.Context(), ana, agent, request)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	return run
}

// look takes one look, which has to succeed.
func look(t *testing.T, r *Runner, run *Run) *Run {
	t.Helper()
	seen, failed, err := r.Look(t.Context(), ana, run.ID)
	if err != nil || failed != nil {
		t.Fatalf("look: %v, %v", failed, err)
	}
	return seen
}

// kinds are the types of a run's items.
func kinds(run *Run) []string {
	var all []string
	for _, raw := range run.Items {
		var shown struct{ Type string }
		if err := json.Unmarshal(raw, &shown); err != nil {
			all = append(all, "broken: "+string(raw))
		}
		all = append(all, shown.Type)
	}
	return all
}

func wantRun(t *testing.T, run *Run, status Status, text string, items ...string) {
	t.Helper()
	if run.Status != status || run.OutputText() != text || !slices.Equal(kinds(run), items) {
		t.Errorf("%s %q %v, want %s %q %v (error %+v)", run.Status, run.OutputText(), kinds(run), status, text, items, run.Error)
	}
	if run.Status.Ended() != (run.Ended != nil) {
		t.Errorf("status %s, ended at %v", run.Status, run.Ended)
	}
}

func wantError(t *testing.T, err error, kind catalog.Kind, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", kind)
	}
	e := catalog.AsError(err)
	if e.Kind != kind || e.Advice == "" {
		t.Errorf("%s %q with advice %q, want %s", e.Kind, e.Message, e.Advice, kind)
	}
	for _, w := range words {
		if !strings.Contains(e.Error(), w) {
			t.Errorf("%q does not say %q", e.Error(), w)
		}
	}
}
