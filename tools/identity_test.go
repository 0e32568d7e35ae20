package tools

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"
)

// A failure is believed for a moment, so that a workspace that is down is not asked
// by every call; that nobody is signed in is not, because a person may just have
// done it.
func TestIdentityAfterFailures(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		asks int // for two calls at once after each other
	}{
		"down":          {errors.New("no route"), 1},
		"not signed in": {&catalog.Error{Kind: catalog.SignIn, Message: "nobody"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked, changed := 0, 0
				fails := c.err
				i := &identities{now: time.Now, changed: func() { changed++ }, ask: func(context.Context) (Identity, error) {
					asked++
					return Identity{User: "ana"}, fails
				}}
				for range 2 {
					if _, err := i.current(t.Context()); err != c.err {
						t.Fatalf("the error is %v", err)
					}
				}
				synctest.Wait()
				if asked != c.asks || changed != 0 {
					t.Errorf("asked %d times, changed %d times", asked, changed)
				}
				fails = nil
				if asked == 1 {
					time.Sleep(identityRetry)
				}
				if who, err := i.current(t.Context()); err != nil || who.User != "ana" {
					t.Errorf("then %v, %v", who, err)
				}
				synctest.Wait()
				if changed != 1 {
					t.Errorf("changed %d times", changed)
				}
			})
		})
	}
}
