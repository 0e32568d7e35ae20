package runs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// Runner starts, watches and ends runs: it keeps the order in which things are
// written down and sent. It is safe for concurrent use.
type Runner struct {
	Registry *Registry
	// Backend finds who does the work of an agent; an error names the valid ones.
	Backend func(agent string) (Backend, error)

	waiting atomic.Int64 // runs that are waited for

	once  sync.Once
	looks chan struct{} // has room for as many as look at once
}

// lookTime bounds one look: a service that does not answer must not use up the time
// of a whole wait.
const lookTime = 15 * time.Second

// Start begins a run. When it returns an error of kind unknown_fate there is a run
// as well, of status Unknown.
func (r *Runner) Start(ctx context.Context, owner Owner, agent string, request Request) (*Run, error) {
	backend, err := r.Backend(agent)
	if err != nil {
		return nil, err
	}
	run := &Run{Owner: owner, Agent: agent, Request: request, Status: Queued, Sending: &Sending{What: "start", At: time.Now().UTC()}}
	unlock, err := r.Registry.add(ctx, run)
	if err != nil {
		return nil, err
	}
	defer unlock()
	step("recorded")
	err = backend.Start(ctx, run)
	step("sent")
	run.Sending = nil
	switch {
	case err == nil:
		return run, r.sent(run)
	case catalog.AsError(err).Kind == catalog.UnknownFate:
		return r.unknown(run, err)
	}
	_ = r.Registry.shelf(owner).remove(run.ID) // else it is found as unknown
	return nil, err
}

// sent writes down what the service answered.
func (r *Runner) sent(run *Run) error {
	if err := r.Registry.put(run); err != nil {
		id := ""
		if last := run.LastResponse(); last != nil {
			id = " as " + last.ID
		}
		return &catalog.Error{Kind: catalog.Internal, Err: err, Message: "run " + run.ID + " goes on in the service" + id + ", but its record cannot be written: " + fault(err),
			Advice: "Do not start it again. The person who runs this server must make its state directory writable."}
	}
	step("answered")
	return nil
}

// unknown keeps a run whose request may have arrived, and says how to find it.
func (r *Runner) unknown(run *Run, cause error) (*Run, error) {
	e := *catalog.AsError(cause)
	run.End(Unknown, &Failure{Code: string(catalog.UnknownFate), Message: e.Message})
	if err := r.Registry.put(run); err != nil {
		return run, r.sent(run)
	}
	e.Message += "; it is kept as " + run.ID + " with status unknown"
	return run, &e
}

// Look is a run as it is now: after one look at the service, where that may bring
// news. A look that failed is looked (an *catalog.Error), and the run is as it was
// last seen; err says that there is no such run.
func (r *Runner) Look(ctx context.Context, owner Owner, id string) (run *Run, looked, err error) {
	run, err = r.settled(ctx, owner, id)
	if err != nil || !run.Status.Polls() || run.Sending != nil {
		return run, nil, err
	}
	backend, err := r.Backend(run.Agent)
	if err != nil {
		return run, err, nil
	}
	looking, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	before := run.clone()
	if err := backend.Poll(looking, run); err != nil {
		return before, err, nil
	}
	if !differ(before, run) {
		return run, nil, nil
	}
	if before.Status == run.Status && time.Since(before.Updated) < persistTime {
		return run, nil, nil // whoever looks next finds it out alike
	}
	switch err := r.Registry.replace(run); {
	case errors.Is(err, ErrChanged): // what was looked at is not the newest any more
		if latest, err := r.Registry.get(owner, id); err == nil && latest.Revision != before.Revision {
			return latest, nil, nil
		}
	case err != nil:
		return run, notKept(run, err), nil // seen, but not written down
	}
	return run, nil, nil
}

// notKept says so without the path of the record.
func notKept(run *Run, err error) error {
	return &catalog.Error{Kind: catalog.Internal, Err: err, Message: "run " + run.ID + ": what came of it cannot be written down: " + fault(err),
		Advice: "The person who runs this server must make its state directory writable."}
}

// differ reports whether a look brought news.
func differ(a, b *Run) bool {
	return a.Status != b.Status || len(a.Items) != len(b.Items) || len(a.Responses) != len(b.Responses) ||
		a.Conversation != b.Conversation || (a.Error == nil) != (b.Error == nil) ||
		!bytes.Equal(a.Usage, b.Usage) || !bytes.Equal(a.Trace, b.Trace) || !bytes.Equal(a.State, b.State)
}

// settled reads a run, and ends what a killed process left open.
func (r *Runner) settled(ctx context.Context, owner Owner, id string) (*Run, error) {
	run, err := r.Registry.get(owner, id)
	if err != nil || run.Sending == nil || r.Registry.sending(owner, id) {
		return run, err
	}
	unlock, err := r.Registry.lock(ctx, owner, id)
	if err != nil {
		return run, nil
	}
	defer unlock()
	if run, err = r.Registry.get(owner, id); err != nil || run.Sending == nil {
		return run, err
	}
	backend, err := r.Backend(run.Agent)
	if err != nil {
		return run, nil
	}
	if again, ok := backend.(Recoverer); ok && run.Sending.What == "start" {
		err := again.Recover(ctx, run)
		switch kind := kindOf(err); {
		case err == nil:
			run.Sending = nil
			return run, r.Registry.put(run)
		case kind != catalog.UnknownFate && kind != catalog.Invalid && kind != catalog.Missing:
			return run, nil // next time
		}
	}
	what := "it was started"
	if run.Sending.What == "continue" {
		what = "its approvals were sent"
	}
	run.Sending = nil
	run.End(Unknown, &Failure{Code: string(catalog.UnknownFate), Message: "the server ended while " + what + ": whether the service got that is not known, and nothing was sent again"})
	return run, r.Registry.put(run)
}

// take is a settled run that nobody else changes until it is unlocked.
func (r *Runner) take(ctx context.Context, owner Owner, id string) (run *Run, unlock func(), err error) {
	if _, err := r.settled(ctx, owner, id); err != nil {
		return nil, nil, err
	}
	if unlock, err = r.Registry.lock(ctx, owner, id); err != nil {
		return nil, nil, err
	}
	if run, err = r.Registry.get(owner, id); err != nil {
		unlock()
		return nil, nil, err
	}
	return run, unlock, nil
}

// Approve answers all requests that the run waits for, and lets it go on. by is
// "tool", or "person".
func (r *Runner) Approve(ctx context.Context, owner Owner, id string, decisions []Decision, by string) (*Run, error) {
	decisions = slices.Clone(decisions)
	for i := range decisions {
		decisions[i].RequestID = cutID(decisions[i].RequestID)
	}
	run, unlock, err := r.take(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	defer unlock()
	backend, err := r.Backend(run.Agent)
	if err != nil {
		return nil, err
	}
	if err := unused(run, decisions); err != nil {
		return nil, err
	}
	if run.Status.Polls() && run.Sending == nil { // a look may have seen more than was written down
		r.lookAgain(ctx, backend, run)
	}
	if err := answerable(run, decisions); err != nil {
		return nil, err
	}
	waiting := run.clone()
	now := time.Now().UTC()
	for _, d := range decisions {
		run.Approvals = append(run.Approvals, Approval{RequestID: d.RequestID, Approve: d.Approve, Reason: d.Reason, By: by, At: now, Used: true})
		run.Items = append(run.Items, approvalItem(d))
	}
	run.Status, run.Sending = InProgress, &Sending{What: "continue", At: now}
	if err := r.Registry.put(run); err != nil {
		return nil, notWritten("the approval", err)
	}
	step("used")
	err = backend.Continue(ctx, run, decisions)
	step("continued")
	run.Sending = nil
	switch {
	case err == nil:
		return run, r.sent(run)
	case catalog.AsError(err).Kind == catalog.UnknownFate:
		return r.unknown(run, err)
	}
	// Nothing began: the run waits as before, and the answers may be given again.
	waiting.Revision = run.Revision
	return waiting, errors.Join(err, r.Registry.put(waiting))
}

// lookAgain brings the run up to date, if that can be done.
func (r *Runner) lookAgain(ctx context.Context, backend Backend, run *Run) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if seen := run.clone(); backend.Poll(ctx, seen) == nil {
		run.bring(seen)
		run.Revision = seen.Revision
	}
}

func approvalItem(d Decision) json.RawMessage {
	item, err := json.Marshal(struct {
		Type      string `json:"type"`
		ID        string `json:"id"`
		RequestID string `json:"approval_request_id"`
		Approve   bool   `json:"approve"`
		Reason    string `json:"reason,omitempty"`
	}{"mcp_approval_response", d.RequestID, d.RequestID, d.Approve, d.Reason})
	if err != nil { // strings and a bool
		panic(err)
	}
	return item
}

// unused refuses decisions on what was decided before.
func unused(run *Run, decisions []Decision) error {
	for _, d := range decisions {
		for _, a := range run.Approvals {
			if a.Used && cutID(a.RequestID) == d.RequestID {
				word := "refused"
				if a.Approve {
					word = "approved"
				}
				return refusal(run, catalog.Conflict, "Nothing was sent. Look with supervisor_get_run how it goes on.", "%s was already %s at %s", d.RequestID, word, a.At.Format(time.RFC3339))
			}
		}
	}
	return nil
}

// refusal is one of decisions. It repeats ids, which are the agent's.
func refusal(run *Run, kind catalog.Kind, advice, format string, args ...any) error {
	return &catalog.Error{Kind: kind, Message: "run " + run.ID + ": " + fmt.Sprintf(format, args...), Advice: advice, Quoted: true}
}

// answerable says what is wrong with decisions, in words that help.
func answerable(run *Run, decisions []Decision) error {
	if run.Status != ApprovalRequired {
		return refusal(run, catalog.Conflict, "Nothing was sent. Look with supervisor_get_run.", "it waits for no approval: its status is %s", run.Status)
	}
	var pending, given []string
	for _, p := range run.Pending() {
		pending = append(pending, p.ID)
	}
	for _, d := range decisions {
		if !slices.Contains(pending, d.RequestID) {
			return refusal(run, catalog.Invalid, "Nothing was sent.", "there is no approval request %q; pending: %s", d.RequestID, strings.Join(pending, ", "))
		}
		if slices.Contains(given, d.RequestID) {
			return refusal(run, catalog.Invalid, "Nothing was sent.", "%q is decided twice", d.RequestID)
		}
		given = append(given, d.RequestID)
	}
	if len(given) < len(pending) {
		return refusal(run, catalog.Invalid, "Decide all of them in one call. Nothing was sent.", "it waits for %d approvals, and %d were given: %s", len(pending), len(given), strings.Join(pending, ", "))
	}
	return nil
}

// Pending is one mcp_approval_request without an answer. Its texts are the agent's:
// untrusted.
type Pending struct {
	ID          string // at most 64 bytes: more of it no service takes back
	ServerLabel string
	Name        string
	Arguments   string // JSON text, or whatever the agent made of it
}

// Pending lists what the run waits for.
func (r *Run) Pending() []Pending {
	answered := map[string]bool{}
	var pending []Pending
	for i := len(r.Items) - 1; i >= 0; i-- {
		switch item := gjson.ParseBytes(r.Items[i]); item.Get("type").Str {
		case "mcp_approval_response", "function_call_output": // or the tool ran
			answered[callOf(item)] = true
		case "mcp_approval_request":
			if id := callOf(item); !answered[id] {
				answered[id] = true
				pending = append(pending, Pending{ID: id, ServerLabel: item.Get("server_label").Str, Name: item.Get("name").Str, Arguments: item.Get("arguments").String()})
			}
		}
	}
	slices.Reverse(pending)
	return pending
}

// Cancel stops a run, or at least the looking at it. The answer tells which: a run
// that is Cancelled was stopped, one that is Abandoned may go on in the service.
func (r *Runner) Cancel(ctx context.Context, owner Owner, id string) (*Run, error) {
	run, unlock, err := r.take(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if run.Status.Ended() {
		return run, nil
	}
	if run.Status == ApprovalRequired { // the response is complete: nothing runs
		run.End(Cancelled, nil)
		return run, r.Registry.put(run)
	}
	backend, err := r.Backend(run.Agent)
	if err != nil {
		return nil, err
	}
	stopped, err := backend.Cancel(ctx, run)
	switch {
	case err != nil:
		return nil, err
	case run.Status.Ended(): // it ended by itself, or the backend says more
	case stopped:
		run.End(Cancelled, nil)
	default:
		run.End(Abandoned, &Failure{Code: "not_supported", Message: "the service cannot stop it: it ends by itself, and may still have effects; here nobody looks at it any more"})
	}
	return run, r.Registry.put(run)
}

// kindOf is the kind of an error; "" of none.
func kindOf(err error) catalog.Kind {
	if err == nil {
		return ""
	}
	return catalog.AsError(err).Kind
}
