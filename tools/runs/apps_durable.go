package runs

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"brickmcp/catalog"

	"github.com/google/uuid"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// AgentKit's DurableAgentServer: contract/supervisor.md, section 9.1.

const (
	sessionHeader = "X-Databricks-Session-Id"
	authRecovery  = "MCP_USER_AUTH_RECOVERY_UNSUPPORTED"
)

// invocations is the name space of the keys: one run has one key, whoever asks.
var invocations = uuid.UUID{0x5a, 0x1d, 0x3c, 0x0e, 0x77, 0x42, 0x4b, 0x9f, 0x8e, 0x21, 0x60, 0xbb, 0x0d, 0xf4, 0x93, 0x6a}

func invocationID(run *Run) string { return uuid.NewSHA1(invocations, []byte(run.ID)).String() }

// startDurable may be called again for the same run: the server answers alike.
func startDurable(ctx context.Context, app catalog.Caller, run *Run, state *appState) error {
	call, err := catalog.StartInvocation.Bind(item(catalog.InvocationRequest{ID: state.ID, Background: true}))
	if err != nil {
		return err
	}
	invocation, err := invoke(ctx, app, call, run, state)
	if kindOf(err) == catalog.UnknownFate && catalog.AsError(err).Code != authRecovery {
		// It is asked for by the key that it was sent with. One that is not known
		// may still be on its way.
		found, lookErr := catalog.GetInvocation.Call(ctx, app, catalog.InvocationName{ID: state.ID})
		if lookErr != nil {
			return err
		}
		invocation, err = found, nil
	}
	if err != nil {
		return err
	}
	run.Conversation = state.Session
	accepted(run, state, invocation)
	return nil
}

func startPreview(ctx context.Context, app catalog.Caller, run *Run, state *appState) error {
	call, err := catalog.StartPreviewInvocation.Bind(item(catalog.PreviewInvocationRequest{RunID: state.ID, Background: true}))
	if err != nil {
		return err
	}
	invocation, err := invoke(ctx, app, call, run, state)
	if err != nil {
		return err
	}
	run.Conversation = state.Session
	accepted(run, state, invocation)
	return nil
}

// invoke sends the items as they are: Bind would look into them.
func invoke(ctx context.Context, app catalog.Caller, call *catalog.Call, run *Run, state *appState) (*catalog.Invocation, error) {
	var err error
	if call.Body, err = sjson.SetRawBytes(call.Body, "input", inputItems(run)); err != nil {
		return nil, err
	}
	call.Header = http.Header{sessionHeader: {state.Session}}
	answer, err := app.Do(ctx, call)
	if err != nil {
		return nil, err
	}
	invocation := &catalog.Invocation{}
	if err := json.Unmarshal(answer.Body, invocation); err != nil {
		return nil, &catalog.Error{Kind: catalog.UnknownFate, Message: call.About() + ": the app's answer is not the documented JSON", Advice: call.Row.Verify, RequestID: answer.RequestID, Err: err}
	}
	return invocation, nil
}

// accepted writes down the answer to a start.
func accepted(run *Run, state *appState, invocation *catalog.Invocation) {
	for _, id := range []string{invocation.ID, invocation.RunID} {
		if id != "" {
			state.ID = id
			break
		}
	}
	run.Responses = []Response{{ID: state.ID, CreatedAt: time.Now().UTC(), Status: invocation.Status}}
	settle(run, invocation)
}

func inputItems(run *Run) []byte {
	if len(run.Request.Input) == 0 {
		return []byte("[]")
	}
	return item(run.Request.Input)
}

// settle takes over a status. One that is not known is on the way.
func settle(run *Run, invocation *catalog.Invocation) {
	run.LastResponse().Status = invocation.Status
	switch invocation.Status {
	case "queued":
		run.Status = Queued
	case "completed":
		if items := outputItems(invocation.Output); len(items) > 0 {
			run.Items = keep(nil, items...) // in place of what the events showed
		}
		if usage := gjson.GetBytes(invocation.Output, "usage"); usage.IsObject() {
			run.Usage = json.RawMessage(usage.Raw)
		}
		run.End(Completed, nil)
	case "failed":
		run.End(Failed, failureOf(invocation.Error))
	default:
		run.Status = InProgress
	}
}

func pollDurable(ctx context.Context, app catalog.Caller, run *Run, state *appState) error {
	invocation, err := catalog.GetInvocation.Call(ctx, app, catalog.InvocationName{ID: state.ID})
	if unknownThere(err) {
		run.End(Expired, &Failure{Code: "not_found", Message: "the app does not know the invocation (any more)"})
		return nil
	}
	if err != nil {
		return err
	}
	settle(run, invocation)
	unshown := run.Status == Completed && len(outputItems(invocation.Output)) == 0
	if (run.Status == InProgress || unshown) && !state.Silent {
		followEvents(ctx, app, run, state)
	}
	return nil
}

const (
	// eventsTime and eventsPause bound a look at events: they come at once as far as
	// there are any, and then one by one.
	eventsTime  = 3 * time.Second
	eventsPause = 400 * time.Millisecond
	maxEvents   = 1000
)

// followEvents adds the items that the agent's own events show so far. They end
// nothing: a handler may send an event that looks like the end, and only the status
// is proof. That they cannot be read is no failure of the look.
func followEvents(ctx context.Context, app catalog.Caller, run *Run, state *appState) {
	ctx, cancel := context.WithTimeout(ctx, eventsTime)
	defer cancel()
	call, err := catalog.InvocationEvents.Bind(item(catalog.InvocationEventsRequest{ID: state.ID, After: state.After}))
	if err != nil {
		return
	}
	call.Stream, call.Header = true, http.Header{"Accept": {"text/event-stream"}}
	answer, err := app.Do(ctx, call)
	if err != nil {
		state.Silent = httpStatus(err) == http.StatusNotFound || httpStatus(err) == http.StatusMethodNotAllowed || httpStatus(err) == http.StatusNotImplemented
		return
	}
	defer answer.Stream.Close()
	idle := time.AfterFunc(eventsPause, cancel)
	defer idle.Stop()
	events := NewEvents(answer.Stream)
	items := slices.Clone(run.Items)
	for range maxEvents {
		event, err := events.Next()
		if err != nil {
			break
		}
		idle.Reset(eventsPause)
		after, err := strconv.ParseInt(event.ID, 10, 64)
		if err != nil || after <= state.After {
			continue // it was read before, or cannot be found again
		}
		state.After = after
		data := gjson.ParseBytes(event.Data)
		if shown := data.Get("item"); strings.HasSuffix(data.Get("type").Str, "output_item.done") && isItem(shown) {
			items = keep(items, json.RawMessage(shown.Raw))
		}
	}
	run.Items = items
}
