package auth

import (
	"context"
	"net/http"
	"sync"
)

// Credential is the credential of a running server. It resolves at the first
// use, so that construction costs nothing and cannot fail, and until it
// succeeds every call resolves anew: whoever sets up a profile meanwhile need
// not restart anything.
//
// Once resolved the host stays. When the workspace or the token endpoint
// refuses the credentials, the configuration is read again, and new ones for
// the same host and profile replace the old: a renewed token in the file is
// enough. Another host would be another workspace, and takes a restart.
type Credential struct {
	options Options

	mu sync.Mutex
	id *Identity
}

// NewCredential neither reads nor opens anything.
func NewCredential(o Options) *Credential { return &Credential{options: o.withDefaults()} }

// Identity says who is asking. Take host and token from one Identity, so that
// they belong together. The error is an *Error.
func (c *Credential) Identity() (*Identity, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.id != nil && !c.id.source.Refused() {
		return c.id, nil
	}
	next, err := Resolve(c.options)
	switch {
	case c.id == nil:
		if err != nil {
			return nil, err
		}
		c.id = next
	case err == nil && next.Host == c.id.Host && next.WorkspaceID == c.id.WorkspaceID && next.Profile == c.id.Profile && next.fingerprint != c.id.fingerprint:
		c.id = next
	}
	return c.id, nil
}

// Token is the token function for the REST client; see Identity.Token.
func (c *Credential) Token(ctx context.Context) (string, error) {
	id, err := c.Identity()
	if err != nil {
		return "", err
	}
	return id.Token(ctx)
}

// Headers are what a request carries besides the token; see Identity.Headers.
func (c *Credential) Headers(ctx context.Context) (http.Header, error) {
	id, err := c.Identity()
	if err != nil {
		return nil, err
	}
	return id.Headers(ctx)
}

// Invalidate reports a token that the workspace refused; see
// Identity.Invalidate.
func (c *Credential) Invalidate(token string) {
	c.mu.Lock()
	id := c.id
	c.mu.Unlock()
	if id != nil {
		id.Invalidate(token)
	}
}
