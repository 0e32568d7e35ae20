package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

const (
	signInLimit   = 10 * time.Minute
	exchangeLimit = 30 * time.Second
	whoLimit      = 5 * time.Second
	lastPageLimit = 3 * time.Second // for the browser to fetch the last page
)

// flow is one sign-in of a person: authorization code with PKCE (S256), a
// redirect to a loopback listener, one exchange. It is over when one answer
// that carries its state has come in, whatever that says; answers with another
// state are refused and change nothing, or any web page could end a sign-in.
type flow struct {
	target  target
	options Options
	store   *store
	client  *http.Client
	explain explainer

	config   oauth2.Config
	found    found
	state    string
	verifier string
	port     int
	expires  time.Time

	server    *http.Server
	listeners []net.Listener
	refused   func(why string) // an answer that was not ours came in; may be nil

	once     sync.Once
	claimed  chan struct{} // closed by the first answer with the right state
	finished chan struct{} // closed when outcome and err are set
	outcome  *LoginResult
	err      error
}

// beginFlow discovers the endpoints and opens the listener. The caller runs
// wait, or closes it.
func beginFlow(ctx context.Context, t target, o Options, s *store, client *http.Client) (*flow, error) {
	x := explainer{host: t.key.Host, clientID: t.key.ClientID, now: o.Now}
	e := endpoints{client: client, host: t.key.Host, accountID: t.key.AccountID, discoveryURL: t.discoveryURL, explain: x}
	discovery, cancel := context.WithTimeout(ctx, exchangeLimit)
	where, err := e.both(discovery)
	cancel()
	if err != nil {
		return nil, err
	}
	listeners, port, err := listenLoopback(t.port)
	if err != nil {
		return nil, err
	}
	f := &flow{
		target: t, options: o, store: s, client: client, explain: x, found: where,
		state: randomText(16), verifier: randomText(64),
		port: port, expires: o.Now().Add(signInLimit), listeners: listeners,
		claimed: make(chan struct{}), finished: make(chan struct{}),
	}
	f.explain.secrets = []string{f.verifier, f.state}
	asked := t.key.Scopes
	if !t.noRefresh {
		asked = append([]string{offlineAccess}, asked...)
	}
	f.config = oauth2.Config{
		ClientID:    t.key.ClientID,
		Endpoint:    oauth2.Endpoint{AuthURL: where.authorization, TokenURL: where.token, AuthStyle: oauth2.AuthStyleInParams},
		RedirectURL: fmt.Sprintf("http://localhost:%d", port),
		Scopes:      asked,
	}
	f.server = &http.Server{
		Handler:           http.HandlerFunc(f.serve),
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // it would quote what strangers send
	}
	for _, l := range listeners {
		go func() { _ = f.server.Serve(l) }()
	}
	return f, nil
}

// url is what a person opens. It holds neither the code nor the verifier.
func (f *flow) url() string {
	return f.config.AuthCodeURL(f.state, oauth2.S256ChallengeOption(f.verifier))
}

// wait returns when the person has come back, the time is over, or ctx is.
func (f *flow) wait(ctx context.Context) (*LoginResult, error) {
	defer f.close()
	select {
	case <-f.finished:
		return f.outcome, f.err
	case <-f.claimed:
		<-f.finished // the exchange has a time limit of its own
		return f.outcome, f.err
	case <-ctx.Done():
		return f.lose(ctx.Err())
	case <-f.options.after(signInLimit):
		return f.lose(&Error{
			Message: fmt.Sprintf("Nobody finished the sign-in to %s within %d minutes.", f.target.key.where(), signInLimit/time.Minute),
			Advice:  "Start it again: " + loginCommand(f.target.key.Host, f.target.profile) + ".",
			noHold:  true,
		})
	}
}

// lose claims the flow for a failure, so that no answer is taken any more; an
// answer that was faster wins.
func (f *flow) lose(err error) (*LoginResult, error) {
	f.once.Do(func() {
		f.err = err
		close(f.claimed)
		close(f.finished)
	})
	<-f.finished
	return f.outcome, f.err
}

// close lets the browser have its last page, then closes the port.
func (f *flow) close() {
	ctx, cancel := context.WithTimeout(context.Background(), lastPageLimit)
	defer cancel()
	if f.server.Shutdown(ctx) != nil {
		_ = f.server.Close()
	}
	for _, l := range f.listeners {
		_ = l.Close() // when Serve has not begun yet
	}
}

// serve answers the browser.
func (f *flow) serve(w http.ResponseWriter, r *http.Request) {
	if status, why := refuseRequest(r, f.port); status != 0 {
		if status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", http.MethodGet)
		}
		page{Title: "Not here", Text: why, Advice: "Nothing happened. You can close this tab."}.write(w, status)
		return
	}
	_, err := f.answer(r.URL.RawQuery)
	f.page(err).write(w, pageStatus(err))
}

// answer takes a redirect's query, from the browser or pasted by a person. A
// second time the same good answer gives the same result: browsers reload.
func (f *flow) answer(query string) (*LoginResult, error) {
	c, err := parseCallback(query)
	if err == nil && !c.belongs(f.state) {
		err = errWrongState
	}
	if err != nil {
		if f.refused != nil && !errors.Is(err, errEmptyCallback) {
			f.refused(err.Error())
		}
		return nil, err
	}
	f.once.Do(func() {
		close(f.claimed)
		f.outcome, f.err = f.complete(c)
		close(f.finished)
	})
	<-f.finished
	return f.outcome, f.err
}

// complete turns a code into a stored sign-in. It does not stop when the
// browser closes the tab.
func (f *flow) complete(c callback) (*LoginResult, error) {
	if c.failure != "" {
		return nil, f.denied(c)
	}
	if c.issuer != "" {
		// RFC 9207: an answer of another authorization server is a mix-up.
		if c.issuer != f.found.issuer && (endpoints{host: f.target.key.Host}).trusted(c.issuer, "") != nil {
			return nil, &Error{Message: fmt.Sprintf("The answer came from another authorization server than that of %s. It was not used.", f.target.key.where()), Advice: "Check the host, then sign in again.", noHold: true}
		}
	}
	ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), oauth2.HTTPClient, f.client), exchangeLimit)
	defer cancel()
	t, err := f.config.Exchange(ctx, c.code, oauth2.VerifierOption(f.verifier))
	if err != nil {
		x := f.explain
		x.secrets = append([]string{c.code}, x.secrets...)
		if said, dead := x.refusedGrant(err); dead {
			return nil, &Error{
				Message: fmt.Sprintf("%s did not accept the answer of the sign-in (%s).", f.target.key.where(), said),
				Advice:  "It can be used once and for a short time only. Start the sign-in again.", noHold: true,
			}
		}
		return nil, x.user(err)
	}
	got, err := newTokens(t, f.found.token, f.options.Now())
	if err != nil {
		return nil, f.explain.user(err)
	}
	idToken, _ := t.Extra("id_token").(string)
	return f.keep(got, f.who(got.Access, idToken))
}

// keep stores the sign-in. A new sign-in of the same user replaces the old.
func (f *flow) keep(got *tokens, user string) (*LoginResult, error) {
	ctx, cancel := context.WithTimeout(context.Background(), exchangeLimit)
	defer cancel()
	unlock, err := f.store.lock(ctx, f.target.key)
	if err != nil {
		return nil, err
	}
	defer unlock()
	r := &record{Key: f.target.key, User: user, SignedInAt: got.IssuedAt, Generation: 1, Tokens: got}
	before, _, err := f.store.loadLocked(f.target.key, "")
	if e, ok := errors.AsType[*Error](err); ok && !e.noHold {
		return nil, e // a newer version's file: not to be overwritten
	}
	if before != nil {
		// Later than any other of this key, whatever the clock did: "the latest" is this one.
		if !r.SignedInAt.After(before.SignedInAt) {
			r.SignedInAt = before.SignedInAt.Add(time.Millisecond)
		}
		r.Generation = before.Generation + 1
	}
	result := &LoginResult{
		Host: f.target.key.Host, AccountID: f.target.key.AccountID, Profile: f.target.profile,
		User: user, ClientID: f.target.key.ClientID, Scopes: f.target.key.Scopes,
		ExpiresAt: got.ExpiresAt, Storage: "keyring", File: f.store.path(r), Renewable: got.Refresh != "",
	}
	if key, err := f.store.vault.sealKey(true); err != nil {
		result.Storage = "file"
	} else if err := r.seal(key); err != nil {
		return nil, err
	}
	return result, f.store.save(r)
}

// denied explains an answer that is an error. Its description is anybody's
// text: cleaned here, escaped on the page.
func (f *flow) denied(c callback) error {
	said := c.failure
	if d := f.explain.clean(c.description); d != "" {
		said += ": " + d
	}
	again := "To try again: " + loginCommand(f.target.key.Host, f.target.profile) + "."
	switch c.failure {
	case "access_denied":
		return &Error{
			Message: fmt.Sprintf("The sign-in to %s was declined (%s).", f.target.key.where(), said),
			Advice:  "Whoever signed in did not agree, or may not use this workspace: then ask an admin. " + again, noHold: true,
		}
	case "invalid_scope", "unauthorized_client", "invalid_client":
		return &Error{
			Message: fmt.Sprintf("%s does not let the client %s sign in with these scopes (%s).", f.target.key.where(), printable(f.target.key.ClientID), said),
			Advice:  "Check client id and scopes with an account admin. " + again, noHold: true,
		}
	case "temporarily_unavailable", "server_error":
		return &Error{
			Message: fmt.Sprintf("%s cannot sign anybody in at the moment (%s).", f.target.key.where(), said),
			Advice:  "Wait a minute. " + again, Temporary: true, noHold: true,
		}
	}
	return &Error{Message: fmt.Sprintf("The sign-in to %s failed (%s).", f.target.key.where(), said), Advice: again, noHold: true}
}

// page says to the person at the browser how it ended.
func (f *flow) page(err error) page {
	e, explained := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return page{
			OK: true, Title: "You are signed in", User: f.outcome.User, Host: f.target.key.where(),
			Text:   "BrickMCP can now act for you in this workspace.",
			Advice: "You can close this tab and go back to where you came from. The next call works.",
		}
	case errors.Is(err, errEmptyCallback):
		return page{Title: "Nothing arrived here", Text: "A sign-in ends on this page, but this request carries no answer of one.", Advice: "Open the sign-in address that your agent or terminal shows."}
	case errors.Is(err, errWrongState):
		return page{
			Title: "This answer belongs to another sign-in", Text: "It was refused, and nobody was signed in. An older sign-in that was started before, or another web page, may have sent it.",
			Advice: "Open the sign-in address that your agent or terminal shows now. If it shows none, ask it again.",
		}
	case explained:
		return page{Title: "You are not signed in", Text: e.Message, Advice: e.Advice}
	case errors.Is(err, errBadCallback), errors.Is(err, errDoubleCallback):
		return page{Title: "This answer cannot be used", Text: "It was refused: " + err.Error() + ".", Advice: "Open the sign-in address that your agent or terminal shows, and sign in again."}
	}
	return page{Title: "You are not signed in", Text: "The sign-in was ended before you came back.", Advice: "Start it again from your agent or terminal."}
}

func pageStatus(err error) int {
	e, explained := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return http.StatusOK
	case explained && e.Temporary:
		return http.StatusBadGateway
	case explained:
		return http.StatusForbidden
	}
	return http.StatusBadRequest
}

// randomText is n random bytes in base64url: 16 for the state, 64 for the
// verifier, as the Databricks SDK does.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}
