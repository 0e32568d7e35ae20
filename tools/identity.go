package tools

import (
	"context"
	"errors"
	"sync"
	"time"

	"brickmcp/catalog"
)

// Identity is as whom calls go out.
type Identity struct {
	User     string   // userName; of a service principal, its application id
	Groups   []string // of the user in the workspace, by display name
	AuthType string   // as the Databricks SDK spells it
}

const (
	// identityTime is how long an identity is believed: groups change, and a person
	// may sign in as somebody else.
	identityTime = time.Minute
	// identityRetry is how soon after a failure the workspace is asked again.
	identityRetry = 5 * time.Second
)

// identities keeps who is signed in. One question at a time is under way.
type identities struct {
	ask     func(context.Context) (Identity, error) // nil: nobody knows
	now     func() time.Time
	changed func() // the identity is known now, or another one

	mu     sync.Mutex
	known  bool
	who    Identity
	asked  time.Time // when the last question ended
	err    error     // how
	asking chan struct{}
	began  time.Time // when the question that is under way did
}

// current is who is signed in, as fresh as identityTime. It waits for the workspace
// when that has to be asked.
func (i *identities) current(ctx context.Context) (Identity, error) {
	for {
		i.mu.Lock()
		age := i.now().Sub(i.asked)
		switch {
		case i.ask == nil:
			i.mu.Unlock()
			return Identity{}, nil
		case i.err == nil && i.known && age < identityTime:
			defer i.mu.Unlock()
			return i.who, nil
		case i.err != nil && age < identityRetry && !wantsSignIn(i.err): // which a person may have done by now
			defer i.mu.Unlock()
			return Identity{}, i.err
		}
		asking := i.start()
		i.mu.Unlock()
		select {
		case <-asking:
			i.mu.Lock()
			err := i.err
			i.mu.Unlock()
			if err != nil {
				return Identity{}, err
			}
		case <-ctx.Done():
			return Identity{}, &catalog.Error{Kind: catalog.Busy, Err: context.Cause(ctx), Message: "the workspace did not say who is signed in before the call was over", Advice: "Call again."}
		}
	}
}

func wantsSignIn(err error) bool {
	var e *catalog.Error
	return errors.As(err, &e) && e.Kind == catalog.SignIn
}

// start asks in the background, unless that is under way. i.mu is held.
func (i *identities) start() <-chan struct{} {
	if i.asking != nil {
		return i.asking
	}
	done := make(chan struct{})
	i.asking, i.began = done, i.now()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), callTime)
		defer cancel()
		who, err := i.ask(ctx)
		i.mu.Lock()
		other := err == nil && (!i.known || who.User != i.who.User)
		if err == nil {
			i.who, i.known = who, true
		}
		i.err, i.asked, i.asking = err, i.now(), nil
		i.mu.Unlock()
		close(done)
		if other && i.changed != nil {
			i.changed()
		}
	}()
	return done
}

// last is who was signed in when it was last asked, without waiting; a question is
// started when the answer is old.
func (i *identities) last() (Identity, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ask == nil {
		return Identity{}, false
	}
	limit := identityTime
	if i.err != nil {
		limit = identityRetry
	}
	if i.now().Sub(i.asked) >= limit {
		i.start()
	}
	return i.who, i.known
}

// settle waits a moment for a first answer, so that an audit line can name the
// user. All who wait for one question share the moment: a workspace that does not
// answer it costs each call no more than what is left.
func (i *identities) settle(ctx context.Context) (Identity, bool) {
	i.mu.Lock()
	asking, known := i.asking, i.known
	left := identityRetry - i.now().Sub(i.began)
	i.mu.Unlock()
	if asking != nil && !known && left > 0 {
		timer := time.NewTimer(left)
		defer timer.Stop()
		select {
		case <-asking:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.who, i.known
}
