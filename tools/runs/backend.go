package runs

import (
	"context"
	"errors"
	"time"
)

// Backend does the work of runs. What it may assume:
//
//   - The record is on disk, with Sending set, before Start or Continue is called,
//     and nobody else starts, continues or cancels the run meanwhile. So one Start
//     is called in the life of a run, unless Recover says otherwise.
//   - What it writes into the Run is saved when it returns, also with an error.
//   - ctx ends with the tool call (within 50 s). What has to live longer is held:
//     see Run.Hold.
//
// Its errors are *catalog.Error. One of kind unknown_fate from Start or Continue
// says that the request may have arrived: the run becomes Unknown, and nothing is
// sent again. Any other error says that it surely did not begin: a start leaves no
// run behind, a continuation leaves it waiting for the approval.
type Backend interface {
	// Start sends the first request, and fills in Responses, Status and Items.
	Start(ctx context.Context, run *Run) error

	// Poll looks once, and updates Status, Items, Error, Usage and Trace. A look that
	// failed is an error, changes nothing, and ends no run. It is called only while
	// run.Status.Polls(). Looks at one run may happen side by side, each with a copy.
	Poll(ctx context.Context, run *Run) error

	// Continue goes on after an approval. The answers stand in run.Approvals and as
	// mcp_approval_response at the end of run.Items already. Backends without
	// approvals answer ErrNoApprovals.
	Continue(ctx context.Context, run *Run, decisions []Decision) error

	// Cancel asks the service to stop. stopped says truthfully whether it did; when
	// it cannot, (false, nil): the run is then Abandoned.
	Cancel(ctx context.Context, run *Run) (stopped bool, err error)
}

// Recoverer is a Backend whose start may be sent again after a crash, because the
// service knows the request by a key that stands in State.
type Recoverer interface {
	// Recover finds out what became of a start whose answer was never written down:
	// as Start, for the same run.
	Recover(ctx context.Context, run *Run) error
}

// Pacer is a Backend that knows when the next look is worth it. Without it runs
// are looked at after 1 s, then every 2 s, and less often as they grow old.
type Pacer interface {
	Next(run *Run, now time.Time) time.Duration
}

// Decision answers one mcp_approval_request.
type Decision struct {
	RequestID string `json:"approval_request_id"`
	Approve   bool   `json:"approve"`
	Reason    string `json:"reason,omitempty"`
}

// ErrNoApprovals is the answer of a backend whose agents ask for none.
var ErrNoApprovals = errors.New("this agent asks for no approvals")

// keeper is where a run is kept.
type keeper interface {
	save(*Run) error
	replace(*Run) error
	hold(run *Run, limit time.Duration, follow func(context.Context, *Held)) error
	live(*Run) bool
}

// Hold lets follow go on after the call, for at most limit: it reads a stream that
// only this process has. Its context keeps the values of none of the calls. What it
// reports through Held is what Live gives, also to other processes on this machine.
// When follow returns and the run has not ended, it ends as failed: "the stream
// ended early".
func (r *Run) Hold(limit time.Duration, follow func(context.Context, *Held)) error {
	if r.keeper == nil {
		return errors.New("a run that is nowhere kept cannot be held")
	}
	return r.keeper.hold(r, limit, follow)
}

// Note writes the run down in the middle of a look, before something that is to be
// done once. ErrChanged: somebody else wrote meanwhile, and it is theirs to do.
func (r *Run) Note() error {
	if r.keeper == nil {
		return nil
	}
	return r.keeper.replace(r)
}

// Live brings the run up to date from whoever holds its stream, and reports whether
// somebody does or the run has ended. False: the process that held it is gone.
// Poll of a backend with streams is made of it.
func (r *Run) Live() bool { return r.keeper != nil && r.keeper.live(r) }

// endedMeanwhile looks once more at a run that a backend cannot stop: one that has
// ended by itself is brought up to date, and there is nothing to abandon.
func endedMeanwhile(ctx context.Context, b Backend, run *Run) bool {
	look := run.clone()
	if b.Poll(ctx, look) != nil || look.Status.Polls() || look.Status == Expired {
		return false
	}
	run.bring(look)
	return true
}
