package main

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"brickmcp/auth"
	"brickmcp/catalog"
	"brickmcp/transport/rest"
	"brickmcp/transport/serve"

	"go.uber.org/zap"
)

// forwardedHeader brings a user's token for this app, made by the platform for this
// purpose (contract auth.md, section 9). What the client sent to the platform as its
// Authorization is never seen here.
const forwardedHeader = "X-Forwarded-Access-Token"

// maxForwarded bounds a token: Databricks' have 1 to 2 KiB.
const maxForwarded = 8 << 10

// appUsers are the users of a Databricks App. Each is served as themselves: by a
// server of their own, with the token of their request.
type appUsers struct {
	shared  *shared
	options auth.Options // where the workspace is
	place   *auth.Identity
	tokens  *tokenUsers
	tenants *tenants
}

var _ serve.Authenticator = (*appUsers)(nil)

func (sh *shared) appUsers() (*appUsers, error) {
	u := &appUsers{shared: sh, options: auth.Options{Getenv: sh.config.getenv}, tokens: newTokenUsers(time.Now), tenants: newTenants(time.Now)}
	if sh.sandbox != nil {
		sh.sandbox.options.NumberedUsers = true
		u.options = auth.Options{Host: sandboxHost}
	}
	nobody, err := auth.NewForwarded(u.options, nil)
	if err != nil {
		return nil, usagef("%w", err)
	}
	if u.place, err = nobody.Identity(); err != nil {
		return nil, err
	}
	sh.pool = rest.NewPool()
	u.tokens.ask, u.tokens.denied = u.whose, notTaken
	u.tenants.make = u.open
	if sh.policy != nil {
		sh.policy.changed = u.tenants.toolsChanged
	}
	return u, nil
}

// Authenticate implements serve.Authenticator.
func (u *appUsers) Authenticate(r *http.Request) (serve.Principal, error) {
	given := r.Header.Values(forwardedHeader)
	if len(given) != 1 || given[0] == "" {
		return serve.Principal{}, &serve.Refusal{
			Status: http.StatusUnauthorized, Challenge: noSecret,
			Message: "the request has no " + forwardedHeader + ": call the app by its own address, as a user of the workspace; if that is so, user authorization of the app is off, or it has no user_api_scopes",
		}
	}
	token := given[0]
	if !bearer(token) {
		return serve.Principal{}, refusedToken()
	}
	userID, err := u.tokens.of(r.Context(), token)
	if err != nil {
		return serve.Principal{}, u.refusal(r, err)
	}
	one, err := u.tenants.enter(tenantKey(u.place.Host, u.place.WorkspaceID, userID))
	if err != nil {
		return serve.Principal{}, u.refusal(r, err)
	}
	return serve.Principal{
		ID:      one.key,
		Server:  one.app.Load().tools.MCP(),
		With:    func(ctx context.Context) context.Context { return one.credential.With(ctx, token) },
		Release: sync.OnceFunc(func() { u.tenants.leave(one) }),
	}, nil
}

// bearer reports what can be a token.
func bearer(token string) bool {
	for i := range len(token) {
		if token[i] <= ' ' || token[i] >= 0x7f {
			return false
		}
	}
	return len(token) <= maxForwarded
}

func refusedToken() *serve.Refusal {
	return &serve.Refusal{
		Status: http.StatusUnauthorized, Challenge: wrongSecret,
		Message: "the workspace does not take the user's token: reconnect, so that a new one comes; if that does not help, open the app in a browser and consent to its scopes",
	}
}

var errBusyAsking = errors.New("the workspace is being asked about too many users at once")

// notTaken: the workspace has looked at the token and said no. Everything else may be
// otherwise in a moment.
func notTaken(err error) bool {
	var e *catalog.Error
	return errors.As(err, &e) && (e.Kind == catalog.SignIn || e.Kind == catalog.Forbidden)
}

// refusal is the answer to a user who cannot be served.
func (u *appUsers) refusal(r *http.Request, err error) error {
	again := &serve.Refusal{Status: http.StatusServiceUnavailable, RetryAfter: 2 * time.Second}
	var e *catalog.Error
	errors.As(err, &e)
	switch {
	case r.Context().Err() != nil:
		again.Message = "the client went away"
	case notTaken(err) && e.Kind == catalog.Forbidden:
		return &serve.Refusal{Status: http.StatusForbidden, Message: "the workspace takes the user's token, but lets it do nothing: " + e.Advice}
	case notTaken(err):
		return refusedToken()
	case errors.Is(err, errEnding), errors.Is(err, errTooMany), errors.Is(err, errBusyAsking):
		again.Message = err.Error() + ": try again in a moment"
	case e != nil:
		u.shared.log.Warn("a user cannot be served: the workspace does not say who they are", zap.String("kind", string(e.Kind)), zap.String("request_id", e.RequestID))
		again.Message = "the workspace does not answer who the user is: try again in a moment"
	default:
		u.shared.log.Error("a user cannot be served", zap.Error(err))
		again.Message = "the user's part of this server cannot be opened; its log says why"
	}
	return again
}

// whose asks the workspace whose token it is, with that token and nothing else.
func (u *appUsers) whose(ctx context.Context, token string) (userID string, end time.Time, err error) {
	asker, err := auth.NewForwarded(u.options, nil)
	if err != nil {
		return "", time.Time{}, err
	}
	config := rest.Config{
		Host: u.place.Host, WorkspaceID: u.place.WorkspaceID, Token: asker.Token, SignInError: signInError,
		UserAgent: userAgent(u.place.AuthType), RateLimit: rest.NoRateLimit, MissingScope: missingScope, Logger: u.shared.log, Pool: u.shared.pool, Observe: u.shared.observe(),
	}
	if u.shared.sandbox != nil {
		if config.RoundTripper, err = u.shared.sandbox.open(); err != nil {
			return "", time.Time{}, err
		}
	}
	client, err := rest.New(config)
	if err != nil {
		return "", time.Time{}, err
	}
	me, _, err := askMe(asker.With(ctx, token), client)
	if err != nil {
		return "", time.Time{}, err
	}
	if me.ID == "" {
		return "", time.Time{}, &catalog.Error{Kind: catalog.Down, Message: "the workspace gives the user no id"}
	}
	key := tenantKey(u.place.Host, u.place.WorkspaceID, string(me.ID))
	u.tenants.verified(key, token)
	return string(me.ID), auth.TokenExpiry(token), nil
}

// open builds what is the user's alone.
func (u *appUsers) open(one *tenant) (*app, error) {
	var err error
	if one.credential, err = auth.NewForwarded(u.options, u.tokens.forget); err != nil {
		return nil, err
	}
	w := u.shared.workspace("")
	w.credential, w.forwarded = one.credential.Credential, true
	state := u.shared.config.stateDir()
	if state != "" {
		state = filepath.Join(state, "users", one.key)
	}
	return u.shared.app([]*workspace{w}, state), nil
}

func (u *appUsers) begin(ctx context.Context) { go u.tenants.look(ctx) }

func (u *appUsers) count() int { return u.tenants.count() }

func (u *appUsers) end(ctx context.Context) error {
	u.tenants.end(ctx)
	return nil
}

// strip takes out of a request what the platform consumed, or may have left there.
func (u *appUsers) strip(h http.Header) {
	h.Del("Authorization")
	h.Del("Cookie")
}
