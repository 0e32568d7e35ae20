package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// refreshLimit is the time for one refresh request. It is longer than that of
// other token requests, and does not end when the caller gives up: an answer
// that nobody waits for any more still holds the only refresh token there is.
const refreshLimit = 30 * time.Second

// refresh exchanges the refresh token of r, which was read under the lock that
// is still held, and returns the new record, stored.
func (u *u2m) refresh(ctx context.Context, r *record) (*record, error) {
	if err := u.endpoints().trusted(r.Tokens.Endpoint, "The token endpoint"); err != nil {
		return nil, err
	}
	interrupted := u.store.interrupted(r)
	var seal []byte
	if r.vaulted {
		key, err := u.store.vault.sealKey(false)
		if err != nil {
			return nil, u.store.sealed(r, err)
		}
		seal = key
	}
	u.refreshing.Lock()
	defer u.refreshing.Unlock()
	pending, err := u.store.begin(r)
	if err != nil {
		return nil, err
	}
	got, err := u.exchange(ctx, r)
	if err != nil {
		return nil, u.refreshFailed(pending, r, seal, interrupted, err)
	}
	next := *r
	next.Generation++
	next.Tokens = got
	if err := u.commit(pending, next, seal); err != nil {
		// The old refresh token is used up. This process goes on with the new
		// one and tries again to store it at every call.
		u.mu.Lock()
		u.unsaved = &next
		u.mu.Unlock()
	}
	return &next, nil
}

// commit seals a copy, so that next keeps its tokens for the caller.
func (u *u2m) commit(p *pendingWrite, next record, seal []byte) error {
	if seal != nil {
		if err := next.seal(seal); err != nil {
			p.abandon()
			return err
		}
	}
	return p.commit(&next)
}

// exchange asks the token endpoint. It does not stop with ctx.
func (u *u2m) exchange(ctx context.Context, r *record) (*tokens, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshLimit)
	defer cancel()
	config := oauth2.Config{
		ClientID: r.Key.ClientID, // in the form: a public client has no basic auth
		Endpoint: oauth2.Endpoint{TokenURL: r.Tokens.Endpoint, AuthStyle: oauth2.AuthStyleInParams},
	}
	source := config.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, u.client), &oauth2.Token{RefreshToken: r.Tokens.Refresh})
	t, err := source.Token()
	if err != nil {
		return nil, err
	}
	return newTokens(t, r.Tokens.Endpoint, u.options.Now())
}

var errNotBearer = errors.New("not a bearer token")

// newTokens takes an answer of a token endpoint over. x/oauth2 keeps the old
// refresh token where none came back.
func newTokens(t *oauth2.Token, endpoint string, now time.Time) (*tokens, error) {
	life := unknownLife
	if !t.Expiry.IsZero() {
		life = time.Until(t.Expiry) // the library reads the wall clock; only the length counts here
	}
	now = now.Round(0).UTC()
	out := &tokens{Access: t.AccessToken, Refresh: t.RefreshToken, Endpoint: endpoint, IssuedAt: now, ExpiresAt: now.Add(life)}
	if t.TokenType != "" && !strings.EqualFold(t.TokenType, "Bearer") || !out.valid() {
		return nil, errNotBearer
	}
	return out, nil
}

// refreshFailed sorts a failure. A dead refresh token is remembered in the
// store, so that no process asks again.
func (u *u2m) refreshFailed(pending *pendingWrite, r *record, seal []byte, interrupted bool, err error) error {
	x := u.explain
	x.secrets = []string{r.Tokens.Refresh, r.Tokens.Access}
	said, dead := x.refusedGrant(err)
	if !dead {
		if _, answered := errors.AsType[*oauth2.RetrieveError](err); answered {
			pending.abandon()
		} else {
			pending.leave() // perhaps the server has used the token up
		}
		return x.user(err)
	}
	if interrupted {
		said += "; the refresh before was interrupted, and the token that it got was lost"
	}
	next := *r
	old := *r.Tokens
	old.Refresh, old.Ended = "", said
	next.Generation++
	next.Tokens = &old
	// If this cannot be stored the next process asks once more: no harm.
	_ = u.commit(pending, next, seal)
	return u.ended(&next)
}

// saveUnsaved tries again to store what the disk did not take.
func (u *u2m) saveUnsaved(ctx context.Context) {
	next := u.unsavedRecord()
	if next == nil {
		return
	}
	unlock, err := u.store.lock(ctx, u.target.key)
	if err != nil {
		return
	}
	defer unlock()
	current, _, err := u.store.loadLocked(u.target.key, next.User)
	if err == nil && (current.Generation >= next.Generation || !current.SignedInAt.Equal(next.SignedInAt)) {
		u.dropUnsaved() // finished from the pending file, or a new sign-in
		return
	}
	if err != nil && !errors.Is(err, errNoSignIn) {
		return
	}
	if errors.Is(err, errNoSignIn) { // signed out meanwhile: so be it
		u.dropUnsaved()
		return
	}
	toSave := *next
	if current.vaulted {
		key, err := u.store.vault.sealKey(false)
		if err != nil || toSave.seal(key) != nil {
			return
		}
	}
	if u.store.save(&toSave) == nil {
		u.dropUnsaved()
	}
}

func (u *u2m) unsavedRecord() *record {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.unsaved
}

func (u *u2m) dropUnsaved() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.unsaved = nil
}

// refusedGrant recognises a refresh token or code that is dead: RFC 6749's
// invalid_grant, the OpenID codes for "ask the person again", and the words
// that Databricks uses (contract auth.md, section 5).
func (x explainer) refusedGrant(err error) (said string, dead bool) {
	r, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || r.Response == nil || r.Response.StatusCode >= http.StatusInternalServerError {
		return "", false
	}
	switch r.ErrorCode {
	case "invalid_grant", "interaction_required", "login_required", "consent_required":
	default:
		if !strings.Contains(strings.ToLower(r.ErrorDescription), "refresh token is invalid") {
			return "", false
		}
	}
	return x.said(r), true
}

// said is the error of a token endpoint, fit to show.
func (x explainer) said(r *oauth2.RetrieveError) string {
	code := r.ErrorCode
	if !oauthCode().MatchString(code) {
		code = fmt.Sprintf("HTTP %d", r.Response.StatusCode)
	}
	if d := x.clean(r.ErrorDescription); d != "" {
		return code + ": " + d
	}
	return code
}

// user explains a failed token request on behalf of a person.
func (x explainer) user(err error) *Error {
	r, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || r.Response == nil {
		if _, ok := errors.AsType[*url.Error](err); ok || errors.Is(err, context.DeadlineExceeded) {
			return x.network(err)
		}
		return &Error{
			Message:   fmt.Sprintf("The token endpoint of %s answered with something that is not a bearer token.", x.host),
			Advice:    "Check that the host is a Databricks workspace or account, and that no proxy answers in its place.",
			Temporary: true,
		}
	}
	var e *Error
	switch r.ErrorCode {
	case "invalid_client", "unauthorized_client":
		e = &Error{
			Message: fmt.Sprintf("%s does not know the OAuth client %s, or does not let it sign users in (%s).", x.host, printable(x.clientID), x.said(r)),
			Advice:  "Without a client id of your own the public client databricks-cli is used; an account admin may have disabled it (account console, Settings, App connections).",
		}
	case "invalid_scope":
		e = &Error{
			Message: fmt.Sprintf("%s does not grant the requested scopes to the client %s (%s).", x.host, printable(x.clientID), x.said(r)),
			Advice:  "Remove scopes from the profile, which then asks for all-apis, or have an admin allow them.",
		}
	case "temporarily_unavailable", "server_error", "slow_down":
		e = &Error{
			Message: fmt.Sprintf("The token endpoint of %s is not available at the moment (%s).", x.host, x.said(r)),
			Advice:  "Try again in a minute.", Temporary: true,
		}
	default:
		e = x.status(r.Response.StatusCode, r.Body, "the token request")
		if s := r.Response.StatusCode; s >= 400 && s < 500 && oauthCode().MatchString(r.ErrorCode) {
			e = &Error{Message: fmt.Sprintf("%s refused the token request (%s).", x.host, x.said(r)), Advice: "Sign in again."}
		}
	}
	e.retryAfter = retryAfter(r.Response.Header, x.now())
	if skew := x.skew(r.Response.Header); skew != "" {
		e.Message += " " + skew
	}
	return e
}
