package serve

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// readBodies serves as an Endpoint does: it reads, and goes on until release.
func readBodies(guard *Guard, release <-chan struct{}) http.Handler {
	auth := guard.Authenticator(&byToken{})
	return guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := auth.Authenticate(r)
		var refused *Refusal
		if errors.As(err, &refused) {
			turnAway(w, refused)
			return
		}
		defer p.Release()
		if _, ok := body(w, r); !ok {
			return
		}
		<-release
		w.WriteHeader(http.StatusOK)
	}))
}

// with is a request of a user whose body has that many bytes; its length is not given.
func with(user string, bytes int, header ...string) *http.Request {
	r := post("", append([]string{"Authorization", user, "Content-Type", "application/json"}, header...)...)
	r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat(" ", bytes)))), -1
	return r
}

func TestLargeBodiesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var reasons []string
		guard := &Guard{Limits: Limits{UserLarge: 1, Large: 2}, Refused: func(reason string) { reasons = append(reasons, reason) }}
		h := readBodies(guard, release)
		const large = smallBody + 1
		running := hold(h, 2, func(i int) *http.Request { return with([]string{"ann", "bob"}[i], large) })
		began := time.Now()
		mustRefuse(t, do(h, with("ann", large)), http.StatusTooManyRequests)
		if waited := time.Since(began); waited != largeTime {
			t.Errorf("refused after %v", waited)
		}
		mustRefuse(t, do(h, with("eve", large)), http.StatusServiceUnavailable)
		if len(reasons) != 2 || reasons[0] != reasonCalls || reasons[1] != reasonBusy {
			t.Errorf("reasons %q", reasons)
		}
		small := hold(h, 20, func(int) *http.Request { return with("ann", smallBody) }) // are no matter
		waiting := make(chan int, 1)
		go func() { waiting <- do(h, with("ann", large)).Code }()
		synctest.Wait()
		close(release)
		running.Wait()
		small.Wait()
		if status := <-waiting; status != http.StatusOK {
			t.Errorf("the one that waited: %d", status)
		}
		for range 5 { // every place was given back, also by who was refused
			for _, user := range []string{"ann", "bob", "eve"} {
				if w := do(h, with(user, large)); w.Code != http.StatusOK {
					t.Errorf("%s afterwards: %d", user, w.Code)
				}
			}
		}
	})
}

// What asks for a stream stays for long, and must not bring a large body past the limit.
func TestLargeBodyOfAStream(t *testing.T) {
	release := make(chan struct{})
	close(release)
	h := readBodies(&Guard{}, release)
	for bytes, status := range map[int]int{smallBody: http.StatusOK, smallBody + 1: http.StatusRequestEntityTooLarge} {
		if w := do(h, with("ann", bytes, "Mcp-Method", "subscriptions/listen")); w.Code != status {
			t.Errorf("%d bytes: %d", bytes, w.Code)
		}
	}
}
