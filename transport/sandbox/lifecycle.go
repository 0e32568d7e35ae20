package sandbox

import "time"

// A lifecycle is a state that moves on by itself: it holds until a point in
// time and then becomes the next one. Nothing ticks; whoever looks calls settle
// first with the clock's time.
type lifecycle struct {
	state string
	since time.Time
	until time.Time // zero: the state holds until something happens
	next  string
}

// enter goes into a state that holds.
func (l *lifecycle) enter(state string, at time.Time) {
	*l = lifecycle{state: state, since: at}
}

// pass goes into a state that becomes next after a while.
func (l *lifecycle) pass(state string, at time.Time, after time.Duration, next string) {
	*l = lifecycle{state: state, since: at, until: at.Add(after), next: next}
}

// settle makes the transitions that are due, oldest first, and calls entered
// after each, which may set the following one.
func (l *lifecycle) settle(now time.Time, entered func(state string, at time.Time)) {
	for !l.until.IsZero() && !now.Before(l.until) {
		at, state := l.until, l.next
		l.enter(state, at)
		entered(state, at)
	}
}

// millis is a time as the API writes it: epoch milliseconds, 0 for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
