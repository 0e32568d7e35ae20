package catalog

import (
	"encoding/json"
	"errors"
)

// Kind is the closed list of ways a call can fail, named for what the agent can
// do about it rather than for where it happened.
type Kind string

// The kinds.
const (
	Invalid     Kind = "invalid"      // the arguments, or the SQL, are wrong: correct and call again
	SignIn      Kind = "signin"       // no usable credential: a person must sign in
	Forbidden   Kind = "forbidden"    // the workspace refuses this user
	Denied      Kind = "denied"       // this server's own access settings refuse
	Missing     Kind = "missing"      // the object or the route is not there
	Conflict    Kind = "conflict"     // it exists already, or its state does not allow this
	Busy        Kind = "busy"         // not now: the object is in transition, or time ran out here
	Limited     Kind = "limited"      // too many requests, or a quota is used up
	Down        Kind = "down"         // the workspace cannot be reached or is failing
	UnknownFate Kind = "unknown_fate" // a write may or may not have taken effect
	Internal    Kind = "internal"     // a fault of this server
)

// ErrLinkExpired is the cause of an error about a presigned link that is no
// longer valid; asking for the same chunk again gives a fresh one.
var ErrLinkExpired = errors.New("the link has expired")

// Error is the one error that crosses rooms: rest turns HTTP into it, tools turn
// it into a result that an agent can act on.
type Error struct {
	Kind      Kind
	Message   string // what failed, on which object, and why
	Advice    string // what to do next
	RequestID string // for support; may be empty
	Status    int    // HTTP status; 0 when there was none
	Code      string // the API's own error_code; may be empty
	Err       error  // the cause, for errors.Is; never shown

	// Quoted says that the message has words of the workspace in it, which somebody
	// else may have written: data for an agent, and no instruction.
	Quoted bool

	// MissingRoute says that the workspace has no such endpoint, as opposed to no
	// such object.
	MissingRoute bool

	// SignInURL is where a person can sign in right now; empty: nowhere. Clients
	// that can open an address for their person are asked to.
	SignInURL string
}

func (e *Error) Error() string {
	if e.Advice == "" {
		return e.Message
	}
	return e.Message + "; " + e.Advice
}

func (e *Error) Unwrap() error { return e.Err }

// MarshalJSON gives the settled shape {kind, untrusted?, message, advice,
// request_id?, status?}.
func (e *Error) MarshalJSON() ([]byte, error) {
	var untrusted []string
	if e.Quoted {
		untrusted = []string{"message"}
	}
	return json.Marshal(struct {
		Kind      Kind     `json:"kind"`
		Untrusted []string `json:"untrusted,omitempty"`
		Message   string   `json:"message"`
		Advice    string   `json:"advice"`
		RequestID string   `json:"request_id,omitempty"`
		Status    int      `json:"status,omitempty"`
	}{e.Kind, untrusted, e.Message, e.Advice, e.RequestID, e.Status})
}

// AsError finds the *Error in err, or wraps err as Internal.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Message: err.Error(), Advice: "This is a fault of the server, not of the call; report it.", Err: err}
}

func invalid(message, advice string) *Error {
	return &Error{Kind: Invalid, Message: message, Advice: advice}
}
