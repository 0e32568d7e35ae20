package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// A sign-in in the background is shared by all calls of a process and by all
// processes of the user. The process that runs it holds a lock for as long as
// it waits, and leaves the URL in a file beside it; when it dies, the kernel
// lets go of the lock, and whoever needs a token next starts another one.

const (
	attemptSuffix = ".attempt.json"
	attemptWait   = 3 * time.Second // for the URL of an attempt that is just starting elsewhere
)

// attempt is a sign-in that this process runs.
type attempt struct {
	url     string
	expires time.Time
	cancel  context.CancelFunc

	finished <-chan struct{} // it is decided; the browser does not know yet
	settled  chan struct{}   // and the next one may begin
	done     chan struct{}   // and the browser has its last page, or had time for it
}

// attemptRecord tells other processes. The URL holds the state, but neither
// code nor verifier; the file is for this user alone.
type attemptRecord struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
	Process   int       `json:"process"`
}

// askToSignIn completes an error that only a person can mend with the way to
// do it.
func (u *u2m) askToSignIn(ctx context.Context, e *Error) *Error {
	command := loginCommand(u.target.key.Host, u.target.profile)
	if !u.options.SignIn {
		e.Advice = fmt.Sprintf("Sign in with: %s. The next call works then, without a restart.", command)
		return e
	}
	u.settle()
	u.mu.Lock()
	if u.lastTry != nil {
		e.Message += " The last attempt: " + messageOf(u.lastTry)
	}
	u.mu.Unlock()
	address, expires, err := u.startAttempt(ctx)
	if err != nil {
		// Why it cannot be started is the news: host gone, no port, no space.
		out := &Error{Message: e.Message + " A sign-in cannot be started: " + messageOf(err), Advice: "Mend that, or sign in with: " + command + ".", signIn: true, noHold: true}
		if cause, ok := errors.AsType[*Error](err); ok {
			out.Advice = cause.Advice + " Or sign in with: " + command + "."
			out.Temporary = cause.Temporary
		}
		return out
	}
	e.SignInURL, e.SignInExpires = address, expires
	e.Advice = fmt.Sprintf("Ask the user to open this address in a browser on this machine and sign in, then make the same call again: %s (it is good for %d minutes; without a browser here: %s).",
		address, max(1, int(expires.Sub(u.options.Now().Round(0)).Round(time.Minute)/time.Minute)), command)
	return e
}

// settle lets an attempt that is decided get out of the way: its address is of
// no use any more, though the browser may still be reading from it.
func (u *u2m) settle() {
	u.mu.Lock()
	a := u.latest
	u.mu.Unlock()
	if a == nil {
		return
	}
	select {
	case <-a.finished:
		<-a.settled
	default:
	}
}

func messageOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Message
	}
	return err.Error() + "."
}

// startAttempt returns the URL of the attempt that is under way, of this or of
// another process, or starts one.
func (u *u2m) startAttempt(ctx context.Context) (address string, expires time.Time, err error) {
	u.mu.Lock()
	running := u.attempt
	u.mu.Unlock()
	if running != nil {
		return running.url, running.expires, nil
	}
	if err := u.store.prepare(); err != nil {
		return "", time.Time{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, attemptWait)
	defer cancel()
	lock := flock.New(u.attemptPath(".attempt.lock"), flock.SetPermissions(0o600))
	for {
		mine, err := lock.TryLock()
		if err != nil {
			return "", time.Time{}, u.store.unwritable(cause(err))
		}
		if mine {
			return u.runAttempt(ctx, lock)
		}
		if r, ok := u.attemptElsewhere(); ok {
			u.mu.Lock()
			u.lastTry = nil // told once; what counts now is the other's
			u.mu.Unlock()
			return r.URL, r.ExpiresAt, nil
		}
		if pause(ctx, lockPoll) != nil {
			return "", time.Time{}, &Error{
				Message: "Another process of this user is starting a sign-in and has no address for it yet.",
				Advice:  "Make the same call again in a few seconds.", Temporary: true, noHold: true,
			}
		}
	}
}

func (u *u2m) attemptPath(suffix string) string {
	return filepath.Join(u.store.dir, u.target.key.slot()+suffix)
}

// attemptElsewhere reads the URL that the holder of the lock has left. A
// record that is older than the lock is of an attempt that died; it is removed
// by the next holder before anybody can read it.
func (u *u2m) attemptElsewhere() (attemptRecord, bool) {
	data, err := readShared(u.attemptPath(attemptSuffix))
	var r attemptRecord
	if err != nil || json.Unmarshal(data, &r) != nil || !u.options.Now().Before(r.ExpiresAt) {
		return r, false
	}
	return r, strings.HasPrefix(r.URL, "https://") || strings.HasPrefix(r.URL, "http://")
}

// runAttempt starts the attempt of this process. It owns the lock.
func (u *u2m) runAttempt(ctx context.Context, lock *flock.Flock) (string, time.Time, error) {
	path := u.attemptPath(attemptSuffix)
	err := removeIfThere(path)
	var f *flow
	if err == nil {
		// Discovery has the time of a token request, not only of the lock.
		begin, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptLimit)
		f, err = beginFlow(begin, u.target, u.options, u.store, u.client)
		cancel()
	} else {
		err = u.store.unwritable(cause(err))
	}
	if err != nil {
		_ = lock.Unlock()
		return "", time.Time{}, err
	}
	address := f.url()
	if err := u.tellOthers(path, attemptRecord{URL: address, ExpiresAt: f.expires, Process: os.Getpid()}); err != nil {
		f.close()
		_ = lock.Unlock()
		return "", time.Time{}, err
	}
	waiting, cancel := context.WithCancel(context.Background())
	a := &attempt{
		url: address, expires: f.expires, cancel: cancel,
		finished: f.finished, settled: make(chan struct{}), done: make(chan struct{}),
	}
	u.mu.Lock()
	u.attempt, u.latest, u.lastTry = a, a, nil
	u.mu.Unlock()
	go func() {
		defer close(a.done)
		defer cancel()
		_, _ = f.wait(waiting) // how it ended is read below
	}()
	go func() {
		defer close(a.settled)
		<-f.finished
		_ = removeIfThere(path)
		u.mu.Lock()
		u.attempt = nil
		if f.err != nil && !errors.Is(f.err, context.Canceled) {
			u.lastTry = f.err
		}
		u.mu.Unlock()
		_ = lock.Unlock()
	}()
	return address, f.expires, nil
}

func (u *u2m) tellOthers(path string, r attemptRecord) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	temporary := path + pendingSuffix
	err = os.WriteFile(temporary, data, 0o600)
	if err == nil {
		err = renameShared(temporary, path)
	}
	if err != nil {
		_ = removeIfThere(temporary)
		return u.store.unwritable(cause(err))
	}
	return nil
}

// stopAttempt ends the attempt of this process: somebody has signed in by
// another way meanwhile.
func (u *u2m) stopAttempt() {
	u.mu.Lock()
	running := u.attempt
	u.mu.Unlock()
	if running != nil {
		running.cancel()
	}
}

// awaitPoll is how often AwaitSignIn looks whether another process has done it.
const awaitPoll = 250 * time.Millisecond

// AwaitSignIn returns nil when there is a usable sign-in, or an error when the
// attempt of this process has come to nothing or ctx is over. It starts
// nothing; for whoever shows a person Error.SignInURL and wants to go on by
// itself.
func (c *Credential) AwaitSignIn(ctx context.Context) error {
	for {
		id, err := c.Identity()
		if err != nil {
			return err
		}
		u, ok := id.source.(*u2m)
		if !ok {
			return nil // another method: nothing to wait for
		}
		if r, err := u.store.load(u.target.key, u.target.user); err == nil {
			if _, ok := u.usable(r); ok {
				return nil
			}
		}
		u.mu.Lock()
		over := u.attempt == nil && u.lastTry != nil
		why := u.lastTry
		u.mu.Unlock()
		if over {
			return why
		}
		if err := pause(ctx, awaitPoll); err != nil {
			return err
		}
	}
}

// Close ends what runs in the background: it waits for a refresh whose answer
// is not on the disk yet, because with it the sign-in would be lost, and ends
// a sign-in that nobody has finished. Call it before the process ends; ctx
// bounds the wait.
func (c *Credential) Close(ctx context.Context) error {
	c.mu.Lock()
	id := c.id
	c.mu.Unlock()
	if id == nil {
		return nil
	}
	u, ok := id.source.(*u2m)
	if !ok {
		return nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		u.refreshing.Lock()
		u.saveUnsaved(ctx)
		u.refreshing.Unlock()
		u.mu.Lock()
		a := u.latest
		u.mu.Unlock()
		if a != nil {
			a.cancel()
			<-a.done
			<-a.settled
		}
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
