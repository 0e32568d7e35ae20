package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// externalBrowser is the auth_type of a sign-in of this program itself, as the
// Databricks SDKs for Python and Java spell it. "databricks-cli" is the
// hand-off to a login of the Databricks CLI.
const externalBrowser = "external-browser"

// target is what a person signs in to, from merged settings.
type target struct {
	key          loginKey
	user         string // "": whoever signed in last
	profile      string
	workspaceID  string
	discoveryURL string
	port         int // of the redirect; 0: the first free one of the usual
	noRefresh    bool
}

// newTarget reads the settings of a sign-in. The client id of a configuration
// counts only where auth_type says that it is meant for this: otherwise it is
// half of a service principal.
func newTarget(id *Identity, s settings, o Options) (target, error) {
	client := o.SignInClientID
	if client == "" && s.values["auth_type"] == externalBrowser {
		client = s.values["client_id"]
	}
	want := o.SignInScopes
	if len(want) == 0 {
		want = scopes(s.values["scopes"])
	}
	t := target{
		key:  newLoginKey(id.Host, s.values["account_id"], client, want),
		user: o.User, profile: id.Profile, workspaceID: id.WorkspaceID,
		discoveryURL: s.values["discovery_url"],
		noRefresh:    isTrue(s.values["disable_oauth_refresh_token"]),
	}
	if v := s.values["oauth_callback_port"]; v != "" {
		n, err := strconv.ParseUint(v, 10, 16)
		if err != nil || n == 0 {
			return t, &Error{
				Message: fmt.Sprintf("oauth_callback_port (%s) is not a port from 1 to 65535.", s.sources["oauth_callback_port"]),
				Advice:  fmt.Sprintf("Correct it, or unset it to use the first free port from %d to %d.", firstPort, lastPort),
			}
		}
		t.port = int(n)
	}
	return t, nil
}

// u2m is a person who signs in with a browser (OAuth authorization code with
// PKCE). The refresher keeps the token in hand fresh within the process; where
// a token comes from is decided by what is stored, under a lock that all
// processes of this user share.
type u2m struct {
	refresher
	target  target
	broken  error // of the settings; answers every call
	options Options
	store   *store
	client  *http.Client
	explain explainer
	hint    string // what else may be wrong when nobody is signed in

	refreshing sync.Mutex // held from before a refresh request until its answer is stored

	mu       sync.Mutex
	rejected string   // the access token that the workspace refused
	signedIn bool     // the last fetch found a usable sign-in
	unsaved  *record  // refreshed, but the disk did not take it
	attempt  *attempt // of this process; nil if none runs
	latest   *attempt // the last that this process began; nil if none
	lastTry  error    // why the last attempt of this process came to nothing
}

func newU2M(s signIn) tokenSource {
	t, err := newTarget(s.id, s.settings, s.options)
	s.id.ClientID, s.id.Scopes = t.key.ClientID, t.key.Scopes
	u := &u2m{
		target: t, broken: err, options: s.options, store: newStore(s.options),
		client:  noRedirects(s.options.HTTPClient),
		explain: explainer{host: t.key.Host, clientID: t.key.ClientID, now: s.options.Now},
		hint:    s.hint, signedIn: true,
	}
	u.refresher = refresher{
		fetch: u.fetch, now: s.options.Now, pause: pause,
		stale: &Error{
			Message: fmt.Sprintf("%s refused a token that its own token endpoint had just issued.", t.key.where()),
			Advice:  "The user is probably not assigned to this workspace, or inactive: ask an admin. To sign in as somebody else: " + loginCommand(t.key.Host, t.profile) + ".",
		},
	}
	return u
}

// Refused: while nobody is signed in, the configuration is worth another look
// at each call.
func (u *u2m) Refused() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.signedIn || u.refresher.Refused()
}

// Invalidate: the same token must not come back from the store.
func (u *u2m) Invalidate(token string) {
	u.mu.Lock()
	if token != "" {
		u.rejected = token
	}
	u.mu.Unlock()
	u.refresher.Invalidate(token)
}

// fetch returns the stored token, refreshed if it is time, or starts a
// sign-in. The refresher runs it in one goroutine at a time.
func (u *u2m) fetch(ctx context.Context) (granted, error) {
	if u.broken != nil {
		return granted{}, u.broken
	}
	if u.options.StateDir == "" {
		return granted{}, &Error{Message: "There is no directory to keep a sign-in in.", Advice: "Set XDG_STATE_HOME or HOME."}
	}
	got, err := u.stored(ctx)
	var e *Error
	ended := errors.As(err, &e) && e.signIn
	u.mu.Lock()
	u.signedIn = !ended
	u.mu.Unlock()
	switch {
	case err == nil:
		u.stopAttempt()
		return got, nil
	case ended:
		return granted{}, u.askToSignIn(ctx, e)
	}
	return granted{}, err
}

// stored returns a token of the store. An *Error with signIn set means that
// only a person can go on.
func (u *u2m) stored(ctx context.Context) (granted, error) {
	u.saveUnsaved(ctx)
	if r := u.unsavedRecord(); r != nil {
		if got, ok := u.usable(r); ok {
			return got, nil
		}
	}
	// Without the lock first: in the usual case there is nothing to do.
	r, err := u.store.load(u.target.key, u.target.user)
	if err == nil {
		if got, ok := u.usable(r); ok {
			return got, nil
		}
	}
	if errors.Is(err, errNoSignIn) {
		return granted{}, u.notSignedIn(nil)
	}
	var e *Error
	if errors.As(err, &e) {
		return granted{}, e
	}

	unlock, err := u.store.lock(ctx, u.target.key)
	if err != nil {
		if got, ok := u.alive(r); ok {
			return got, nil
		}
		return granted{}, err
	}
	defer unlock()
	r, aside, err := u.store.loadLocked(u.target.key, u.target.user)
	switch {
	case errors.Is(err, errNoSignIn):
		return granted{}, u.notSignedIn(aside)
	case err != nil:
		return granted{}, err
	}
	if got, ok := u.usable(r); ok {
		return got, nil // another process has refreshed it
	}
	if own := u.unsavedRecord(); own != nil {
		r = own // what the disk has is used up
	}
	if r.Tokens.Refresh != "" {
		fresh, err := u.refresh(ctx, r)
		if err == nil {
			got, _ := u.grant(fresh, fresh.Tokens.lead())
			return got, nil
		}
		// A refresh before the end of the token that fails does no harm yet.
		if got, ok := u.alive(r); ok {
			return got, nil
		}
		return granted{}, err
	}
	if got, ok := u.alive(r); ok {
		return got, nil
	}
	return granted{}, u.ended(r)
}

// usable: the token needs no refresh yet.
func (u *u2m) usable(r *record) (granted, bool) {
	lead := r.Tokens.lead()
	if r.Tokens.Refresh == "" {
		lead = lastMoment // nothing can be done before
	}
	if !u.options.Now().Round(0).Before(r.Tokens.ExpiresAt.Add(-lead)) {
		return granted{}, false
	}
	return u.grant(r, lead)
}

// alive: the token works, although it should have been refreshed by now. It is
// looked at again soon.
func (u *u2m) alive(r *record) (granted, bool) {
	if r == nil || r.Tokens == nil {
		return granted{}, false
	}
	left := r.Tokens.ExpiresAt.Sub(u.options.Now().Round(0))
	if left <= lastMoment {
		return granted{}, false
	}
	return u.grant(r, max(left-renewAgain, 0))
}

func (u *u2m) grant(r *record, lead time.Duration) (granted, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if r.Tokens.Access == u.rejected {
		return granted{}, false
	}
	return granted{token: r.Tokens.Access, life: r.Tokens.ExpiresAt.Sub(u.options.Now().Round(0)), lead: lead}, true
}

// notSignedIn is the error of an empty store, or of one whose files were put
// aside.
func (u *u2m) notSignedIn(aside []string) *Error {
	e := &Error{Message: fmt.Sprintf("Nobody is signed in to %s.", u.target.key.where()), signIn: true, noHold: true}
	if u.target.user != "" {
		e.Message = fmt.Sprintf("%s is not signed in to %s.", printable(u.target.user), u.target.key.where())
	}
	e.Message += u.hint
	if len(aside) > 0 {
		e.Message = fmt.Sprintf("The stored sign-in to %s was damaged and has been put aside as %s.", u.target.key.where(), strings.Join(aside, ", "))
	}
	return e
}

func (u *u2m) ended(r *record) *Error {
	why := "it came without a refresh token and its time is over"
	if r.Tokens.Ended != "" {
		why = r.Tokens.Ended
	}
	return &Error{
		Message: fmt.Sprintf("The sign-in of %s to %s has ended (%s).", nameOr(r.User, "the user"), u.target.key.where(), why),
		signIn:  true, noHold: true,
	}
}

// loginCommand is what to type, for advice.
func loginCommand(host, profile string) string {
	if profile != "" && profile != fallbackProfile {
		return "brickmcp login --profile " + profile
	}
	return "brickmcp login --host " + host
}

func (u *u2m) endpoints() endpoints {
	return endpoints{client: u.client, host: u.target.key.Host, accountID: u.target.key.AccountID, discoveryURL: u.target.discoveryURL, explain: u.explain}
}
