package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"brickmcp/auth"
)

const (
	// maxTenants bounds the users who have a server of their own in memory; the one
	// who was here longest ago gives way.
	maxTenants = 1000
	// tenantIdle is how long a server waits for its user.
	tenantIdle = time.Hour
	// tenantSweep is how often idle ones are looked for.
	tenantSweep = time.Minute
	// tenantEnd bounds the clean-up of one that is closed.
	tenantEnd = 30 * time.Second
)

// tenant is one user, with everything that is theirs alone.
type tenant struct {
	key        string // names the user in this workspace, and tells nothing
	credential *auth.Forwarded

	build sync.Once
	app   atomic.Pointer[app] // nil until it is built
	err   error               // of that

	requests int       // under way; guarded by tenants.mu
	used     time.Time // likewise: when the last one ended
}

// tenants keeps them. One is made by the first request of its user, and closed when
// the user is gone for long or too many others came. What outlives that is on disk.
type tenants struct {
	make func(*tenant) (*app, error)
	now  func() time.Time
	most int

	mu      sync.Mutex
	all     map[string]*tenant
	ended   bool
	closing sync.WaitGroup
}

func newTenants(now func() time.Time) *tenants {
	return &tenants{now: now, most: maxTenants, all: map[string]*tenant{}}
}

// tenantKey is the user's: of the workspace, and of the id that it gave the user. A
// name can pass to somebody else, an id never does.
func tenantKey(host, workspaceID, userID string) string {
	sum := sha256.Sum256([]byte(host + "\x00" + workspaceID + "\x00" + userID))
	return hex.EncodeToString(sum[:16])
}

var (
	errTooMany = errors.New("too many users are being served at once")
	errEnding  = errors.New("the server is ending")
)

// enter is the tenant of that key, for a request that leaves it when it is over.
func (t *tenants) enter(key string) (*tenant, error) {
	t.mu.Lock()
	one := t.all[key]
	switch {
	case t.ended:
		t.mu.Unlock()
		return nil, errEnding
	case one == nil && len(t.all) >= t.most && !t.evict():
		t.mu.Unlock()
		return nil, errTooMany
	case one == nil:
		one = &tenant{key: key}
		t.all[key] = one
	}
	one.requests++
	t.mu.Unlock()
	one.build.Do(func() {
		a, err := t.make(one)
		if one.err = err; err == nil {
			one.app.Store(a)
		}
	})
	if one.err != nil {
		t.leave(one)
		t.mu.Lock()
		if t.all[key] == one { // the next request tries again
			delete(t.all, key)
		}
		t.mu.Unlock()
		return nil, one.err
	}
	return one, nil
}

// leave ends what enter began, once for each.
func (t *tenants) leave(one *tenant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one.requests--
	one.used = t.now()
}

// verified passes on that the workspace has just taken a token of this user.
func (t *tenants) verified(key, token string) {
	t.mu.Lock()
	one := t.all[key]
	t.mu.Unlock()
	if one != nil && one.app.Load() != nil {
		one.credential.Verified(token)
	}
}

// idle reports that nothing of the user goes on here. t.mu is held.
func (one *tenant) idle() bool {
	a := one.app.Load()
	return one.requests == 0 && a != nil && !a.tools.Holding()
}

// evict closes the one who was here longest ago, if nothing of theirs goes on. t.mu is
// held.
func (t *tenants) evict() bool {
	var oldest *tenant
	for _, one := range t.all {
		if one.idle() && (oldest == nil || one.used.Before(oldest.used)) {
			oldest = one
		}
	}
	if oldest == nil {
		return false
	}
	t.drop(oldest)
	return true
}

// drop closes a tenant in the background. t.mu is held.
func (t *tenants) drop(one *tenant) {
	delete(t.all, one.key)
	t.closing.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), tenantEnd)
		defer cancel()
		one.close(ctx)
	})
}

func (one *tenant) close(ctx context.Context) {
	if a := one.app.Load(); a != nil {
		a.tools.Wait(ctx)
		_ = a.close() // it has no files open, and says in the log what else is wrong
	}
}

// sweep closes those whose users are gone for long.
func (t *tenants) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for _, one := range t.all {
		if one.idle() && now.Sub(one.used) >= tenantIdle {
			t.drop(one)
		}
	}
}

// look sweeps now and then, until ctx ends.
func (t *tenants) look(ctx context.Context) {
	ticker := time.NewTicker(tenantSweep)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			t.sweep()
		case <-ctx.Done():
			return
		}
	}
}

// apps are those that are there right now.
func (t *tenants) apps() []*app {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*app, 0, len(t.all))
	for _, one := range t.all {
		if a := one.app.Load(); a != nil {
			all = append(all, a)
		}
	}
	return all
}

func (t *tenants) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all)
}

// toolsChanged tells all clients that their lists may be others now.
func (t *tenants) toolsChanged() {
	for _, a := range t.apps() {
		a.tools.ToolsChanged()
	}
}

// end closes all, and lets nobody in any more. ctx bounds what they have left to do.
func (t *tenants) end(ctx context.Context) {
	t.mu.Lock()
	t.ended = true
	for key, one := range t.all {
		delete(t.all, key)
		t.closing.Go(func() { one.close(ctx) })
	}
	t.mu.Unlock()
	t.closing.Wait()
}
