package serve

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

const (
	// smallBody is what a body may have without being counted, in bytes.
	smallBody = 256 << 10
	// largeTime is how long a large one waits for its place. It has waited for its own
	// bytes longer than that.
	largeTime = 5 * time.Second
)

// counted is the body of a user's request. It takes a place among the large ones as soon
// as it turns out to be one, and has it until the request is over: what is read of it
// stands in memory several times over. Its length is not asked, for it need not be given.
type counted struct {
	io.ReadCloser
	ctx       context.Context
	user, all slots
	small     int  // bytes that may still come; below 0 it is large
	holds     bool // a place of the user, and one of all
	refused   func(reason string)
}

func (g *Guard) counted(r *http.Request, one *user) *counted {
	return &counted{ReadCloser: r.Body, ctx: r.Context(), user: one.large, all: g.users.large, small: smallBody, refused: g.Refused}
}

// Read fails with a *Refusal when there is no place.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if c.small = max(-1, c.small-n); c.small < 0 && !c.holds {
		if refusal := c.take(); refusal != nil {
			// Most clients read the answer when they have sent everything.
			_, _ = io.Copy(io.Discard, c.ReadCloser)
			return 0, refusal
		}
	}
	return n, err
}

func (c *counted) take() *Refusal {
	if !c.user.take(c.ctx, largeTime) {
		c.refused(reasonCalls)
		return tooMany("too many large messages of this user are being served", queueTime)
	}
	if !c.all.take(c.ctx, largeTime) {
		c.user.give()
		c.refused(reasonBusy)
		return &Refusal{
			Status: http.StatusServiceUnavailable, Code: mcp.INTERNAL_ERROR, RetryAfter: queueTime,
			Message: "the server is busy with large messages; try again later, as Retry-After says",
		}
	}
	c.holds = true
	return nil
}

// give ends what take began.
func (c *counted) give() {
	if c.holds {
		c.holds = false
		c.all.give()
		c.user.give()
	}
}
