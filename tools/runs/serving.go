package runs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// Endpoints runs agents behind serving endpoints. Their calls are synchronous, so a
// run is a stream that this process reads, and ends with it (contract/agents.md,
// section 4).
type Endpoints struct {
	API catalog.Caller
}

const (
	endpointPrefix = "endpoints/"
	// endpointLimit bounds a run: 297 s of work, after a start from zero.
	endpointLimit = 15 * time.Minute
	// openTime is how long a start waits for a refusal. Many agents send nothing
	// before their first words.
	openTime = 3 * time.Second
	// coldTime is how long an endpoint may take to come up from zero.
	coldTime = 5 * time.Minute
	// maxAgentRequest is what serving takes of agents and chat models, in bytes
	// (contract/serving.md, limits).
	maxAgentRequest = 4 << 20
)

var _ Backend = (*Endpoints)(nil)

// Start implements Backend. What is answered later than openTime becomes part of
// the run.
func (e *Endpoints) Start(ctx context.Context, run *Run) error {
	name := strings.TrimPrefix(run.Agent, endpointPrefix)
	if err := onlyInput(run, "endpoint "+name); err != nil {
		return err
	}
	task, err := e.task(ctx, name)
	if err != nil {
		return err
	}
	call, err := endpointCall(name, run, task)
	if err != nil {
		return err
	}
	run.Status = InProgress
	run.Responses = []Response{{ID: run.ID, CreatedAt: time.Now().UTC(), Status: "in_progress", Stream: true}}
	run.Conversation = run.Request.ConversationID
	opened := make(chan error, 1)
	err = run.Hold(endpointLimit, func(ctx context.Context, held *Held) {
		stream, err := e.open(ctx, call, held, opened)
		tell(opened, err)
		if err != nil {
			held.Update(func(r *Run) { endUnopened(r, err) })
			return
		}
		defer stream.Stream.Close()
		held.Update(func(r *Run) {
			if r.Status.Polls() {
				r.Status, r.Doing = InProgress, "" // it may have waited for a cold start
			}
		})
		readEndpoint(stream, held, task != responsesTask)
	})
	if err != nil {
		return err
	}
	patience := time.NewTimer(openTime)
	defer patience.Stop()
	select {
	case err := <-opened:
		if err != nil {
			return err
		}
	case <-patience.C:
	case <-ctx.Done(): // it goes on without the caller
	}
	run.Live()
	return nil
}

// tell hands the start its answer, unless it has one or is gone.
func tell(opened chan<- error, err error) {
	select {
	case opened <- err:
	default:
	}
}

// endUnopened ends a run whose request brought no answer, unless Start told of it.
func endUnopened(r *Run, err error) {
	if !r.Status.Polls() {
		return
	}
	e := catalog.AsError(err)
	status := Failed
	if e.Kind == catalog.UnknownFate {
		status = Unknown
	}
	r.End(status, &Failure{Code: string(e.Kind), Message: e.Message})
}

// The tasks whose requests differ.
const (
	responsesTask = "agent/v1/responses"
	chatAgentTask = "agent/v2/chat"
)

// task finds out how the endpoint is asked: in responses form, or in one of the
// chat forms.
func (e *Endpoints) task(ctx context.Context, name string) (string, error) {
	endpoint, err := catalog.GetRunEndpoint.Call(ctx, e.API, catalog.RunEndpointName{Name: name})
	if kindOf(err) == catalog.Forbidden {
		return responsesTask, nil // who may ask it need not be able to see it
	}
	if err != nil {
		return "", err
	}
	refuse := func(kind catalog.Kind, problem, advice string) error {
		return &catalog.Error{Kind: kind, Message: "endpoint " + name + " " + problem, Advice: advice + " Nothing was sent."}
	}
	switch {
	case endpoint.RouteOptimized:
		return "", refuse(catalog.Invalid, "is route-optimised: it takes tokens made for it alone", "Ask another endpoint.")
	case endpoint.State.Ready == "NOT_READY" && endpoint.State.ConfigUpdate == "IN_PROGRESS":
		return "", refuse(catalog.Busy, "is still coming up", "Start the run again in a few minutes.")
	case endpoint.State.Ready == "NOT_READY":
		return "", refuse(catalog.Conflict, "is not ready: no version of it could be deployed", "Look with agents_get why.")
	}
	switch task := endpoint.Task; {
	case task == responsesTask, strings.HasSuffix(task, "/chat"): // agent/v2, agent/v1, llm/v1
		return task, nil
	default:
		if task == "" {
			task = "none: a classic model"
		}
		return "", refuse(catalog.Invalid, "is no agent and no chat model (its task is "+cut(task, 80)+")", "Ask an endpoint whose task is agent/… or llm/v1/chat.")
	}
}

// endpointCall is the request, with the items as they are.
func endpointCall(name string, run *Run, task string) (*catalog.Call, error) {
	call, err := catalog.StreamEndpoint.Bind(item(catalog.StreamEndpointRequest{Name: name, Stream: true, Request: run.ID}))
	if err != nil {
		return nil, err
	}
	member, value := "input", inputItems(run)
	if task != responsesTask {
		member = "messages"
		if value, err = chatMessages(run.Request.Input); err != nil {
			return nil, err
		}
	}
	set := func(path string, raw []byte) {
		if err == nil {
			call.Body, err = sjson.SetRawBytes(call.Body, path, raw)
		}
	}
	set(member, value)
	if id := run.Request.ConversationID; id != "" {
		where := "databricks_options.conversation_id"
		if task == responsesTask || task == chatAgentTask {
			where = "context.conversation_id"
		}
		set(where, item(id))
	}
	if run.Request.ReturnTrace {
		set("databricks_options.return_trace", []byte("true"))
	}
	if len(call.Body) > maxAgentRequest {
		return nil, &catalog.Error{Kind: catalog.Invalid, Message: fmt.Sprintf("the request has %d bytes, endpoint %s takes %d", len(call.Body), name, maxAgentRequest), Advice: "Send a shorter conversation. Nothing was sent."}
	}
	call.Stream, call.Header = true, http.Header{"Accept": {"text/event-stream"}}
	return call, err
}

// chatMessages are the items as a chat agent takes them.
func chatMessages(items []json.RawMessage) ([]byte, error) {
	type chatMessage struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	messages := []chatMessage{}
	for _, raw := range items {
		item := gjson.ParseBytes(raw)
		role := item.Get("role").Str
		if kind := item.Get("type").Str; kind != "" && kind != "message" || role == "" {
			return nil, &catalog.Error{Kind: catalog.Invalid, Message: "this endpoint takes messages, and an item of type " + cut(kind, 60) + " is none", Advice: "Give messages with role and content. Nothing was sent."}
		}
		if role == "developer" {
			role = "system"
		}
		messages = append(messages, chatMessage{role, itemText(item)})
	}
	return item(messages), nil
}

// open sends the request, again and again while the endpoint is provably asleep, and
// otherwise once.
func (e *Endpoints) open(ctx context.Context, call *catalog.Call, held *Held, opened chan error) (*catalog.Answer, error) {
	began, wait := time.Now(), 5*time.Second
	for {
		answer, err := e.API.Do(ctx, call)
		if !Asleep(err) {
			return answer, err
		}
		if time.Since(began) > coldTime {
			return nil, &catalog.Error{Kind: catalog.Down, Status: http.StatusServiceUnavailable, Message: call.Object + " did not come up in " + coldTime.String(), Advice: "Try again later; agents_get shows its state.", Err: err}
		}
		tell(opened, nil) // the start need not wait for it
		held.Update(func(r *Run) { r.Status, r.Doing = Queued, "waiting for the endpoint to come up" })
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, &catalog.Error{Kind: catalog.Busy, Message: call.Object + " did not come up in time", Advice: "Try again later.", Err: ctx.Err()}
		}
		wait = min(2*wait, 30*time.Second)
	}
}

// Poll implements Backend: the news come from whoever reads the stream.
func (e *Endpoints) Poll(_ context.Context, run *Run) error {
	if !run.Live() {
		run.End(Abandoned, heldNoMore())
	}
	return nil
}

// Continue implements Backend.
func (e *Endpoints) Continue(context.Context, *Run, []Decision) error { return ErrNoApprovals }

// Cancel closes the stream. What the agent does about that is not known.
func (e *Endpoints) Cancel(_ context.Context, run *Run) (bool, error) {
	run.Release()
	run.End(Abandoned, &Failure{Code: "released", Message: "nobody reads the stream any more; what the agent had begun may have effects"})
	return false, nil
}
