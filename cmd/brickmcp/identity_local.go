package main

import (
	"context"
	"net/http"
	"strings"

	"brickmcp/transport/serve"

	"go.uber.org/zap"
)

// local is the one person whose credentials this process has: whoever is on this
// machine and knows the secret is that person.
type local struct {
	app    *app
	secret *watched
}

var _ serve.Authenticator = (*local)(nil)

const (
	noSecret    = `Bearer realm="brickmcp"`
	wrongSecret = `Bearer realm="brickmcp", error="invalid_token"`
)

// Authenticate implements serve.Authenticator.
func (l *local) Authenticate(r *http.Request) (serve.Principal, error) {
	given := r.Header.Values("Authorization")
	scheme, secret, _ := strings.Cut(strings.Join(given, ","), " ")
	if len(given) != 1 || !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return serve.Principal{}, &serve.Refusal{
			Status: http.StatusUnauthorized, Challenge: noSecret,
			Message: "the request has no secret: the client must send the header Authorization: Bearer SECRET, where SECRET is what `brickmcp secret` prints",
		}
	}
	right, err := l.secret.is(strings.TrimSpace(secret))
	switch {
	case err != nil:
		l.app.log.Error("nobody is served: the secret cannot be checked", zap.Error(err))
		return serve.Principal{}, &serve.Refusal{
			Status:  http.StatusServiceUnavailable,
			Message: "the secret of this server cannot be checked; its log says why, and `brickmcp secret` tells whether it is mended",
		}
	case !right:
		return serve.Principal{}, &serve.Refusal{
			Status: http.StatusUnauthorized, Challenge: wrongSecret,
			Message: "this is not the secret of this server: `brickmcp secret` prints it",
		}
	}
	return serve.Principal{ID: identityLocal, Server: l.app.tools.MCP()}, nil
}

func (l *local) begin(context.Context) {}

func (l *local) count() int { return 1 }

func (l *local) end(ctx context.Context) error {
	l.app.tools.Wait(ctx)
	return l.app.close()
}

// strip takes out of a request what no one behind us is to believe or to see.
func (l *local) strip(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded-") || name == "Forwarded" {
			delete(h, name) // only a platform may say who somebody is, and there is none
		}
	}
}
