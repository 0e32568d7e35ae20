package main

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// maxTokens bounds the tokens that are known by their hash.
	maxTokens = 4096
	// maxQuestions bounds how many tokens the workspace is asked about at once.
	maxQuestions = 64
	// maxUnknown bounds the tokens that are asked about or wait for that. Whoever sent
	// them may be gone, so nothing else bounds them.
	maxUnknown = maxTokens / 4
	// askTime bounds one question, in which a workspace that is busy is asked again.
	askTime = 30 * time.Second

	// tokenTime is how long a token is taken for the same user's; its own end may come
	// earlier. Whether it is still good, the workspace says at each call.
	tokenTime = time.Hour
	// refusedTime and downTime are how long a refusal, and a failure, is remembered.
	refusedTime = 5 * time.Second
	downTime    = time.Second
)

// tokenUsers says whose a forwarded token is. The workspace is asked once for each. They
// are known by their SHA-256 alone.
type tokenUsers struct {
	ask    func(ctx context.Context, token string) (userID string, end time.Time, err error)
	denied func(error) bool // of ask: the workspace has looked at the token and said no
	now    func() time.Time
	slots  chan struct{}

	mu      sync.Mutex
	known   map[[sha256.Size]byte]*knownToken
	unknown int // of them
}

type knownToken struct {
	asked  chan struct{} // closed when what follows is known
	userID string
	err    error
	until  time.Time
	used   time.Time // guarded by tokenUsers.mu
}

func newTokenUsers(now func() time.Time) *tokenUsers {
	return &tokenUsers{now: now, slots: make(chan struct{}, maxQuestions), known: map[[sha256.Size]byte]*knownToken{}}
}

// of is the id of the token's user. All who bring the same token wait for one question;
// it goes on when they leave.
func (t *tokenUsers) of(ctx context.Context, token string) (string, error) {
	sum := sha256.Sum256([]byte(token))
	t.mu.Lock()
	now := t.now()
	k := t.known[sum]
	if k == nil || k.over(now) {
		if t.unknown >= maxUnknown {
			t.mu.Unlock()
			return "", errBusyAsking
		}
		t.unknown++
		t.sweep(now)
		k = &knownToken{asked: make(chan struct{})}
		t.known[sum] = k
		go t.question(k, token)
	}
	k.used = now
	t.mu.Unlock()
	select {
	case <-k.asked:
		return k.userID, k.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// over reports an answer that is too old.
func (k *knownToken) over(now time.Time) bool {
	select {
	case <-k.asked:
		return !now.Before(k.until)
	default:
		return false
	}
}

func (t *tokenUsers) question(k *knownToken, token string) {
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.unknown--
		close(k.asked)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	case <-ctx.Done():
		k.err, k.until = errBusyAsking, t.now().Add(downTime)
		return
	}
	var end time.Time
	k.userID, end, k.err = t.ask(ctx, token)
	k.until = t.now().Add(tokenTime)
	switch {
	case k.err != nil && t.denied(k.err):
		k.until = t.now().Add(refusedTime)
	case k.err != nil:
		k.until = t.now().Add(downTime)
	case !end.IsZero() && end.Before(k.until):
		k.until = end
	}
}

// forget makes the next request with this token ask again: the workspace refused it.
func (t *tokenUsers) forget(token string) {
	sum := sha256.Sum256([]byte(token))
	t.mu.Lock()
	defer t.mu.Unlock()
	if k := t.known[sum]; k != nil {
		select {
		case <-k.asked:
			delete(t.known, sum)
		default: // it is being asked right now
		}
	}
}

// sweep makes room: first of what is over, then of refusals, of which a flood may
// bring any number, then of what was not used for longest. t.mu is held.
func (t *tokenUsers) sweep(now time.Time) {
	if len(t.known) < maxTokens {
		return
	}
	drop := func(which func(*knownToken) bool) {
		for sum, k := range t.known {
			select {
			case <-k.asked:
				if which(k) {
					delete(t.known, sum)
				}
			default:
			}
		}
	}
	drop(func(k *knownToken) bool { return !now.Before(k.until) })
	if len(t.known) >= maxTokens {
		drop(func(k *knownToken) bool { return k.err != nil })
	}
	// Half of the idle time, and half again: each round is a sweep over all.
	for idle := tokenTime / 2; len(t.known) >= maxTokens && idle > time.Millisecond; idle /= 2 {
		drop(func(k *knownToken) bool { return now.Sub(k.used) >= idle })
	}
	if len(t.known) >= maxTokens { // all within a moment
		drop(func(*knownToken) bool { return true })
	}
}
