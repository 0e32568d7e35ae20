package tools

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/sjson"
)

const (
	// duplicateTime is how long a create is remembered after its end.
	duplicateTime = 2 * time.Minute
	// maxDuplicates bounds what is remembered; the oldest gives way.
	maxDuplicates = 1000
)

// duplicates remembers creates for two minutes: agents repeat a call that took
// long, and would make a second job or cluster.
type duplicates struct {
	now func() time.Time

	mu      sync.Mutex
	creates map[[sha256.Size]byte]*created
}

// created is one create, under way or ended. Its outcome may be read once done is
// closed.
type created struct {
	group  *catalog.Group
	began  time.Time
	before *created // what a forced one took the place of
	done   chan struct{}

	ended   time.Time // guarded by duplicates.mu; zero: under way
	answer  []byte
	err     error
	unknown bool // whether it took effect is not known
}

func newDuplicates(now func() time.Time) *duplicates {
	return &duplicates{now: now, creates: map[[sha256.Size]byte]*created{}}
}

// do answers with what the same call just made, or is making, and otherwise
// creates. A call that failed for sure is as if it had not been; one of unknown
// fate is remembered, because a second one may make a second object. force creates
// anyway.
func (d *duplicates) do(ctx context.Context, b binding, force bool, create func(context.Context) ([]byte, error)) (answer []byte, duplicate bool, err error) {
	key, group := b.key(), (*catalog.Group)(nil)
	if row := catalog.Find(b.Tool); row != nil {
		group = row.Group
	}
	for {
		c, first := d.enter(key, group, force)
		if first {
			answer, err = d.run(ctx, key, c, create)
			return slices.Clone(answer), false, err
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			return nil, false, stillWaiting(ctx, b)
		}
		switch {
		case c.err == nil:
			return slices.Clone(c.answer), true, nil
		case c.unknown:
			return nil, true, unsureOfFirst(b, c.err)
		}
	}
}

// key tells creates apart. force is no part of what is made.
func (b binding) key() [sha256.Size]byte {
	arguments := b.Arguments
	if rest, err := sjson.DeleteBytes(slices.Clone(arguments), "force"); err == nil {
		arguments = rest
	}
	h := sha256.New()
	for _, part := range []string{b.User, b.Workspace, b.Tool, string(arguments)} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// enter finds the create that this one repeats; the first of its kind, and every
// forced one, is to run.
func (d *duplicates) enter(key [sha256.Size]byte, group *catalog.Group, force bool) (c *created, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if c = d.creates[key]; c != nil && c.over(now) {
		delete(d.creates, key)
		c = nil
	}
	if c != nil && !force {
		return c, false
	}
	if c == nil && len(d.creates) >= maxDuplicates {
		d.forget(now)
	}
	fresh := &created{group: group, began: now, before: c, done: make(chan struct{})}
	d.creates[key] = fresh
	return fresh, true
}

func (c *created) over(now time.Time) bool {
	return !c.ended.IsZero() && now.Sub(c.ended) >= duplicateTime
}

// gone forgets what was made in a group when something of it was deleted: that may
// be just what a create made, and its answer must not name what is no more.
func (d *duplicates) gone(group *catalog.Group) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, c := range d.creates {
		if c.group == group && !c.ended.IsZero() && !c.unknown {
			delete(d.creates, key)
		}
	}
}

// forget makes room: what is over goes, and if nothing is, the oldest.
func (d *duplicates) forget(now time.Time) {
	var oldest [sha256.Size]byte
	var since time.Time
	for key, c := range d.creates {
		if c.over(now) {
			delete(d.creates, key)
		} else if since.IsZero() || c.began.Before(since) {
			oldest, since = key, c.began
		}
	}
	if len(d.creates) >= maxDuplicates {
		delete(d.creates, oldest)
	}
}

// run creates, and tells those who wait. A panic is an outcome too: the request
// may have gone out before it.
func (d *duplicates) run(ctx context.Context, key [sha256.Size]byte, c *created, create func(context.Context) ([]byte, error)) ([]byte, error) {
	c.unknown, c.err = true, errors.New("a fault of this server stopped the call")
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		c.ended = d.now()
		if before := c.before; d.creates[key] == c && c.err != nil && !c.unknown {
			if delete(d.creates, key); before != nil {
				d.creates[key] = before
			}
		}
		c.before = nil
		close(c.done)
	}()
	answer, err := create(ctx)
	c.answer, c.err, c.unknown = answer, err, false
	if err != nil {
		kind := catalog.AsError(err).Kind
		c.unknown = kind == catalog.UnknownFate || kind == catalog.Internal
	}
	return answer, err
}

// unsureOfFirst is the error of the first call, for one that repeats it.
func unsureOfFirst(b binding, err error) error {
	e := *catalog.AsError(err)
	e.Kind = catalog.UnknownFate
	e.Message = b.Tool + ": the same call was made a moment ago, and whether it took effect is not known: " + trimAbout(e.Message, b.Tool)
	e.Advice = "Check that first; then call with force=true if it is missing."
	if row := catalog.Find(b.Tool); row != nil && row.Verify != "" {
		e.Advice = row.Verify + " Then call with force=true."
	}
	return &e
}

func stillWaiting(ctx context.Context, b binding) error {
	return &catalog.Error{Kind: catalog.Busy, Err: ctx.Err(), Message: b.Tool + ": the same call is still under way, and this one waited for it",
		Advice: "Call again to get the first one's answer. Nothing was sent by this call."}
}
