// Package runs keeps long runs of agents: what was asked, what came of it so far,
// and which requests of the service belong to it. A run is a handle that any
// client can poll, approve and find again, also after a restart. What does the
// work is behind Backend.
package runs

import (
	"encoding/json"
	"errors"
	"time"
)

// Status is where a run stands, in the words that agents are shown.
type Status string

// The statuses. Unknown is that of a request which may or may not have arrived.
const (
	Queued           Status = "queued"
	InProgress       Status = "in_progress"
	ApprovalRequired Status = "approval_required"
	Completed        Status = "completed"
	Failed           Status = "failed"
	Incomplete       Status = "incomplete"
	Cancelled        Status = "cancelled"
	Abandoned        Status = "abandoned" // it may go on in the service; here nobody looks any more
	Expired          Status = "expired"   // the service does not know it any more
	Unknown          Status = "unknown"
)

// Ended reports that polling cannot change the status any more. A run that waits
// for an approval has not ended, but polling is of no use to it either.
func (s Status) Ended() bool { return s != Queued && s != InProgress && s != ApprovalRequired }

// Polls reports whether polling may bring news.
func (s Status) Polls() bool { return s == Queued || s == InProgress }

// Owner is whose run it is. Nobody else finds it.
type Owner struct {
	Host string `json:"host"`
	User string `json:"user"`
}

// Request is what was asked, as it goes out; it is sent again with every
// continuation. It holds no credentials.
type Request struct {
	Model            string            `json:"model,omitempty"`
	Instructions     string            `json:"instructions,omitempty"`
	Input            []json.RawMessage `json:"input"` // items; a bare text is one user message
	Tools            []json.RawMessage `json:"tools,omitempty"`
	TraceDestination json.RawMessage   `json:"trace_destination,omitempty"`
	Reasoning        json.RawMessage   `json:"reasoning,omitempty"`
	ReturnTrace      bool              `json:"return_trace,omitempty"`
	ConversationID   string            `json:"conversation_id,omitempty"` // to go on with
	Stream           bool              `json:"stream,omitempty"`          // foreground: this process holds the stream
}

// Response is one request of the service: a continuation makes a new one.
type Response struct {
	ID        string    `json:"id"` // as the service names it; opaque
	CreatedAt time.Time `json:"created_at"`
	Status    string    `json:"status"` // as the service says it
	// From is how many items of the run were there before this response.
	From int `json:"from"`
	// Stream says that only the process that holds the stream knows how it goes on.
	Stream bool `json:"stream,omitempty"`
}

// Failure is why a run ended without success. Message is the service's text.
type Failure struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
	// SignInURL is where the user signs in to a connection that the run needs: https,
	// on the workspace's own host.
	SignInURL string `json:"sign_in_url,omitempty"`
}

// Approval is one answer to an mcp_approval_request. It is written down as used
// before it is sent, so that it is never used twice.
type Approval struct {
	RequestID string    `json:"approval_request_id"`
	Approve   bool      `json:"approve"`
	Reason    string    `json:"reason,omitempty"`
	By        string    `json:"by"` // "tool", or "person" who was asked
	At        time.Time `json:"at"`
	Used      bool      `json:"used"`
}

// Sending is a request that is about to go out. It stands in the record before the
// first byte is sent, and is taken out when the answer is written down. Found in a
// record that nobody holds, it means that the process died in between.
type Sending struct {
	What string    `json:"what"` // "start" or "continue"
	At   time.Time `json:"at"`
}

// Run is one run: also its record on disk, where what a list shows comes first.
// Times are UTC.
type Run struct {
	Version  int    `json:"version"`
	Revision int64  `json:"revision"` // rises with every write
	ID       string `json:"run_id"`   // ours: "run_", when it began, and 128 random bits
	Owner    Owner  `json:"owner"`
	// Agent is who does the work: apps/NAME, endpoints/NAME, genie/SPACE_ID; "" is
	// the Supervisor.
	Agent   string     `json:"agent,omitempty"`
	Status  Status     `json:"status"`
	Created time.Time  `json:"created_at"`
	Updated time.Time  `json:"updated_at"`
	Ended   *time.Time `json:"ended_at,omitempty"`
	Sending *Sending   `json:"sending,omitempty"`
	Error   *Failure   `json:"error,omitempty"`
	// Conversation is what a next run gives as conversation_id to go on from here.
	Conversation string `json:"conversation_id,omitempty"`

	Responses []Response      `json:"responses,omitempty"`
	Usage     json.RawMessage `json:"usage,omitempty"`
	Trace     json.RawMessage `json:"trace,omitempty"` // as the service gives it: an object, or an id
	Approvals []Approval      `json:"approvals,omitempty"`
	Request   Request         `json:"request"`
	// Items are the output items so far, verbatim and in order, complete ones only,
	// with the approvals (mcp_approval_response) between them. Request.Input and
	// Items together are the whole history.
	Items []json.RawMessage `json:"items,omitempty"`

	// State is the backend's own: no other part looks into it.
	State json.RawMessage `json:"state,omitempty"`

	// Doing is what the agent is at right now, for progress; "" when that is not known.
	Doing string `json:"-"`

	keeper keeper // of the record; nil: a run that is nowhere kept
}

// ErrChanged says that the record was changed since it was read.
var ErrChanged = errors.New("the run was changed meanwhile")

// Save writes the run down: on disk, when it returns nil. A backend calls it before
// a request that needs State to be found again, such as an idempotency key.
func (r *Run) Save() error {
	if r.keeper == nil {
		return nil
	}
	return r.keeper.save(r)
}

// LastResponse is the newest response; nil before the first.
func (r *Run) LastResponse() *Response {
	if len(r.Responses) == 0 {
		return nil
	}
	return &r.Responses[len(r.Responses)-1]
}

// Expires is when the record is dropped: 30 days after its last change.
func (r *Run) Expires() time.Time { return r.Updated.Add(keepTime) }

// End puts the run into a status that polling does not change.
func (r *Run) End(status Status, why *Failure) {
	now := time.Now().UTC()
	r.Status, r.Error, r.Ended = status, why, &now
}

// clone is a copy that shares nothing that is written to. Items and the like are
// replaced, never written into.
func (r *Run) clone() *Run {
	c := *r
	c.Responses = append([]Response(nil), r.Responses...)
	c.Items = append([]json.RawMessage(nil), r.Items...)
	c.Approvals = append([]Approval(nil), r.Approvals...)
	if r.Error != nil {
		e := *r.Error
		c.Error = &e
	}
	if r.Sending != nil {
		s := *r.Sending
		c.Sending = &s
	}
	return &c
}
