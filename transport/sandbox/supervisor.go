package sandbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	responseLife = 30 * 24 * time.Hour // of results
	responseCap  = 30 * time.Minute    // of execution

	// mostResponses bounds memory; beyond it the oldest are forgotten early.
	mostResponses = 5000
)

// supervisor is the Supervisor API (contract supervisor.md): a scripted model
// and real tools. The work is done at once in the background; what a poll shows
// of it moves with the workspace's clock.
type supervisor struct {
	w          *Workspace
	assistants []*assistant
	all        context.Context // ends with the workspace
	stop       context.CancelFunc
	work       sync.WaitGroup

	mu    sync.Mutex
	byID  map[string]*agentRun
	order []*agentRun // oldest first
	made  int
}

// agentRun is one response. What is below the line is set when done is closed,
// and stays as it is.
type agentRun struct {
	id      string
	user    *principal
	in      *responsesRequest
	tools   []*hostedTool
	created time.Time
	base    string // address of the workspace
	otel    string // trace id of the caller or a new one
	done    chan struct{}
	made    int // ids given to items

	echo   []object
	steps  []step
	status string // terminal
	fault  object // error
	reason string // of incomplete
	trace  string // id, "" without a destination and without return_trace
	usage  object
}

// step is one item of the output and how long it takes to come.
type step struct {
	item object
	took time.Duration
}

func addSupervisor(w *Workspace) error {
	s := &supervisor{w: w, byID: map[string]*agentRun{}, assistants: seedAssistants()}
	s.all, s.stop = context.WithCancel(context.Background())
	w.supervisor = s
	w.close = append(w.close, func() error {
		s.stop()
		s.work.Wait()
		return nil
	})
	const root = "/ai-gateway/mlflow/v1/responses"
	w.on("POST "+root, s.create)
	w.on("GET "+root+"/{id}", s.get)
	w.on("POST "+root+"/{id}/cancel", func(*request) (any, error) {
		return nil, failure(http.StatusNotImplemented, "NOT_IMPLEMENTED", "Cancelling a response is not supported.")
	})
	return nil
}

func (s *supervisor) create(r *request) (any, error) {
	run, err := s.begin(r)
	var model modelError
	if errors.As(err, &model) {
		return model.answer(), nil
	}
	var api *apiError
	if errors.As(err, &api) && api.status == http.StatusTooManyRequests {
		r.w.Header().Set("Retry-After", "2")
	}
	if err != nil {
		return nil, err
	}
	switch {
	case run.in.Background && !run.in.magic["instant"]:
		return run.envelope("queued", nil), nil
	case run.in.Stream:
		return nil, s.stream(r, run)
	}
	if err := s.await(r.Context(), run); err != nil {
		return nil, err
	}
	return run.final(), nil
}

// begin checks a request and starts the work.
func (s *supervisor) begin(r *request) (*agentRun, error) {
	in, err := r.decodeResponses()
	if err != nil {
		return nil, err
	}
	tools, err := s.resolve(r, in.Tools)
	if err != nil {
		return nil, err
	}
	if in.Destination != nil {
		if err := s.mayTrace(r.user, in); err != nil {
			return nil, err
		}
	}
	run := &agentRun{user: r.user, in: in, tools: tools, created: r.now, base: r.base(), done: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	// The time is part of the id: a workspace that is started anew must not give
	// an old handle to another run.
	run.id = "resp_" + bareUUID("response "+strconv.Itoa(s.made)+" "+strconv.FormatInt(r.now.UnixNano(), 36))
	if run.otel = traceParent(r.Header.Get("traceparent")); run.otel == "" {
		run.otel = bareUUID("trace " + run.id)
	}
	s.byID[run.id], s.order = run, append(s.order, run)
	for len(s.order) > mostResponses || !r.now.Before(s.order[0].created.Add(responseLife)) {
		delete(s.byID, s.order[0].id)
		s.order = s.order[1:]
	}
	s.work.Go(func() {
		defer close(run.done)
		s.loop(s.all, run)
	})
	return run, nil
}

// get shows a response of the caller; those of others do not exist for him.
func (s *supervisor) get(r *request) (any, error) {
	s.mu.Lock()
	run := s.byID[r.PathValue("id")]
	s.mu.Unlock()
	if run == nil || run.user.ID != r.user.ID || !run.in.Background || !r.now.Before(run.created.Add(responseLife)) {
		return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Response with id '"+r.PathValue("id")+"' not found.")
	}
	if err := s.await(r.Context(), run); err != nil {
		return nil, err
	}
	return run.at(r.now), nil
}

// await blocks until the work is done. That is real time and short; how far
// the run appears to be is another matter.
func (s *supervisor) await(ctx context.Context, run *agentRun) error {
	select {
	case <-run.done:
		return nil
	case <-ctx.Done():
		return failure(http.StatusServiceUnavailable, "TEMPORARILY_UNAVAILABLE", "The request was cancelled.")
	}
}

// queueing is how long a background run waits before it is looked at.
const queueing = time.Second

// at shows a background response at a moment: finished items, then the one in
// the making.
func (run *agentRun) at(now time.Time) object {
	elapsed := now.Sub(run.created)
	magic := run.in.magic
	switch {
	case magic["instant"]:
		return run.final()
	case elapsed < queueing:
		return run.envelope("queued", nil)
	}
	elapsed -= queueing
	status := "in_progress"
	if magic["unknown"] {
		status = "contemplating"
	}
	endless := magic["stuck"] || magic["hang"]
	output := run.echo
	for i, st := range run.steps {
		took := st.took
		if magic["slow"] {
			took *= 60
		}
		if elapsed < took || endless && i == len(run.steps)-1 {
			output = append(output[:len(output):len(output)], partial(st.item))
			if magic["hang"] || now.Sub(run.created) < responseCap {
				return run.envelope(status, output)
			}
			out := run.envelope("failed", output)
			out["error"] = object{"code": "timeout", "message": "The response exceeded the maximum execution time of 30 minutes."}
			return out
		}
		elapsed -= took
		output = append(output[:len(output):len(output)], st.item)
	}
	return run.final()
}

// partial is an item in the making: it has no id yet, and only half of its
// text.
func partial(item object) object {
	p := maps.Clone(item)
	p["id"], p["status"] = nil, "in_progress"
	if _, ok := p["arguments"]; ok {
		p["arguments"] = ""
	}
	if _, ok := p["output"]; ok {
		p["output"] = ""
	}
	if textOf(item, "type") == "message" {
		text := []rune(said(item))
		p["content"] = []any{object{"type": "output_text", "text": string(text[:len(text)/2]), "annotations": []any{}}}
	}
	return p
}

// final is the response with everything in it.
func (run *agentRun) final() object {
	output := append([]object(nil), run.echo...)
	for _, st := range run.steps {
		output = append(output, st.item)
	}
	o := run.envelope(run.status, output)
	o["completed_at"] = run.created.Add(queueing + run.duration()).Unix()
	o["usage"] = run.usage
	if run.fault != nil {
		o["error"] = run.fault
	}
	if run.reason != "" {
		o["incomplete_details"] = object{"reason": run.reason}
	}
	if run.in.Options.ReturnTrace {
		o["databricks_output"] = object{"trace": run.traceObject(), "databricks_request_id": run.trace}
	}
	return o
}

// duration is how long the work takes by the workspace's clock.
func (run *agentRun) duration() (d time.Duration) {
	for _, st := range run.steps {
		d += st.took
	}
	return d
}

// envelope is the response object (contract supervisor.md, section 4.3).
func (run *agentRun) envelope(status string, output []object) object {
	if output == nil {
		output = []object{}
	}
	tools := run.in.Tools
	if tools == nil {
		tools = []object{}
	}
	return object{
		"id": run.id, "object": "response", "created_at": run.created.Unix(), "completed_at": nil,
		"status": status, "background": run.in.Background, "model": run.in.Model,
		"instructions": run.in.Instructions, "previous_response_id": nil,
		"output": output, "error": nil, "incomplete_details": nil,
		"tools": tools, "tool_choice": "auto", "parallel_tool_calls": true, "truncation": "disabled",
		"usage": nil, "metadata": object{},
	}
}

// newID is the id of an item.
func (run *agentRun) newID(prefix string) string {
	run.made++
	id := prefix + bareUUID(fmt.Sprint(run.id, " item ", run.made))
	if run.in.magic["long-ids"] {
		id += bareUUID("more of "+id) + "0123456789abcdef"
	}
	return id
}

// bareUUID makes 32 hex digits that are always the same.
func bareUUID(of string) string {
	id := stableUUID(of)
	return id[:8] + id[9:13] + id[14:18] + id[19:23] + id[24:]
}
