package auth

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// static is a personal access token: there is nothing to refresh. After a 401
// whoever asks for another token is told why there is none; then it is tried
// again, for a 401 may be a hiccup.
type static struct {
	token   string
	refusal *Error

	mu      sync.Mutex
	refused bool
}

func newStatic(s signIn) tokenSource {
	return &static{
		token: s.settings.values["token"],
		refusal: &Error{
			Message: fmt.Sprintf("%s refused the personal access token from %s.", s.id.Host, s.settings.sources["token"]),
			Advice:  "It has expired, was revoked, or belongs to another workspace. Make a new one in the workspace (Settings, Developer, Access tokens) and put it in the same place; a new value in the configuration file is picked up at the next call, one in the environment needs a restart.",
		},
	}
}

func (s *static) Token(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused {
		s.refused = false
		return "", s.refusal
	}
	return s.token, nil
}

func (s *static) Invalidate(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if token == s.token {
		s.refused = true
	}
}

func (s *static) ExpiresAt() time.Time { return time.Time{} }

func (s *static) Refused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}
