package rest

import (
	"strings"
	"time"

	"brickmcp/catalog"
)

// fate is what is known about a request that did not succeed. Whether it may
// be sent again follows from it and from the row's effect.
type fate uint8

const (
	refused  fate = iota // answered and not done; the same again would get the same answer
	unsent               // nothing of it left this machine
	rejected             // answered before any work, because there are too many
	lost                 // nobody knows, and it is likely to pass: reset, timeout, 503, broken answer
	failed               // nobody knows, and it is unlikely to pass soon: 500, 502, 504
)

// failure is the end of one attempt that did not succeed.
type failure struct {
	*catalog.Error
	fate  fate
	after time.Duration // what the workspace asked to wait; 0: nothing
	tries int           // attempts in all at such failures; 0: until the call's time is up
	final bool          // not to be repeated, whatever the fate
	quick bool          // there is no load to wait out: the first repeats follow fast
	gone  bool          // the object is missing, as against the route
	taken bool          // it exists already, or its state is as wanted
	stale string        // the token that the workspace refused with 401
}

// doubtful reports that the request may have taken effect.
func (f *failure) doubtful() bool { return f.fate == lost || f.fate == failed }

// mayRepeat is the table of contract README, sections 6.2 and 7.
func (f *failure) mayRepeat(call *catalog.Call) bool {
	if f.final {
		return false
	}
	switch f.fate {
	case unsent, rejected:
		return true
	case lost:
		return call.Row.Effect.Repeatable() || call.Keyed
	case failed:
		return call.Row.Effect.ReadOnly()
	}
	return false
}

// signInAgain takes over how to sign in from the error of whoever hands out
// tokens; the status, the request id and the words stay the workspace's.
func (f *failure) signInAgain(asked *failure) {
	e := *f.Error
	e.Advice, e.SignInURL = asked.Advice, asked.SignInURL
	e.Message += " (" + asked.Message[strings.LastIndex(asked.Message, ": ")+1:] + ")"
	f.Error = &e
}
