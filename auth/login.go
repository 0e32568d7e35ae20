package auth

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// LoginOptions are those of Options, and what a sign-in at a terminal needs.
type LoginOptions struct {
	Options // Host or Profile say where to; SignInClientID and SignInScopes as what

	// Out takes the URL and what a person has to know: stderr, never stdout.
	// Nil: nothing is said.
	Out io.Writer
	// In is read for a pasted redirect, line by line, for a browser on another
	// machine. Nil: none. A Read that is under way when the sign-in is over
	// goes on until the process ends.
	In io.Reader
	// OpenBrowser opens a URL. Nil: nobody does; see OpenBrowser.
	OpenBrowser func(url string) error
}

// LoginResult is a sign-in that is stored. It holds no token.
type LoginResult struct {
	Host      string // normalised
	AccountID string // of an account or unified host
	Profile   string // "" when none was used
	User      string // userName; "" if the workspace does not tell
	ClientID  string
	Scopes    []string // without offline_access
	ExpiresAt time.Time
	Renewable bool // there is a refresh token: it lasts longer than ExpiresAt
	// Storage is "keyring" when the file is sealed with a key in the keyring
	// of the operating system, "file" when only its mode protects it.
	Storage  string
	File     string
	Warnings []string // why a server that is started the same way would not use it
}

// Login signs a person in with a browser and stores the tokens: authorization
// code with PKCE through a redirect to this machine (contract auth.md,
// sections 2 and 3). It takes up to 10 minutes, ends with ctx, and lives in
// one attempt: an answer that says no ends it. Errors are an *Error, or ctx's.
//
// It does not matter which other credentials are configured; where a server
// would take those instead, Warnings says so.
func Login(ctx context.Context, o LoginOptions) (*LoginResult, error) {
	o.Options = o.Options.withDefaults()
	t, err := findTarget(o.Options)
	if err != nil {
		return nil, err
	}
	s := newStore(o.Options)
	// What would stop the storing is better known before than after.
	unlock, err := s.lock(ctx, t.key)
	if err != nil {
		return nil, err
	}
	unlock()
	if _, err := s.load(t.key, ""); err != nil {
		if e, ok := errors.AsType[*Error](err); ok && !e.noHold {
			return nil, e
		}
	}
	f, err := beginFlow(ctx, t, o.Options, s, noRedirects(o.HTTPClient))
	if err != nil {
		return nil, err
	}
	var printing sync.Mutex
	say := func(format string, args ...any) {
		printing.Lock()
		defer printing.Unlock()
		if o.Out != nil {
			_, _ = fmt.Fprintf(o.Out, format, args...) // a closed stderr must not end a sign-in
		}
	}
	f.refused = func(why string) { say("An answer was refused: %s. Still waiting.\n", why) }
	say("To sign in to %s, open this address in a browser:\n\n  %s\n\n", t.key.where(), f.url())
	if o.In != nil {
		say("If that browser runs on another machine, it will end on an address that begins with\n%s and cannot be opened there: copy that address, paste it here, and press Enter.\n", f.config.RedirectURL)
		go f.paste(o.In, say)
	}
	if o.OpenBrowser != nil {
		go func() { // some launchers return only when the browser is closed
			if o.OpenBrowser(f.url()) != nil {
				say("No browser could be opened from here.\n")
			}
		}()
	}
	result, err := f.wait(ctx)
	if err != nil {
		return nil, err
	}
	result.Warnings = o.whatIsUsedInstead(t)
	return result, nil
}

// paste takes the address on which a browser elsewhere ended. It never echoes.
func (f *flow) paste(in io.Reader, say func(string, ...any)) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 4096), 2*maxCallback)
	for lines.Scan() {
		line := strings.Trim(strings.TrimSpace(lines.Text()), `"'<>`)
		if line == "" {
			continue
		}
		_, query, ok := strings.Cut(line, "?")
		if !ok {
			query = line // somebody copied the part behind the question mark
		}
		query, _, _ = strings.Cut(query, "#")
		if _, err := url.ParseQuery(query); err != nil || !strings.Contains(query, "=") {
			say("This is not the address that the browser ended on: that has a code and a state behind a question mark. Paste it again.\n")
			continue
		}
		_, _ = f.answer(query) // a refusal is said by f.refused, an outcome by Login
		select {
		case <-f.finished:
			return
		default:
		}
	}
}

// findTarget merges the configuration as Resolve does, and cares for nothing
// but where to sign in.
func findTarget(o Options) (target, error) {
	if o.StateDir == "" {
		return target{}, &Error{Message: "There is no directory to keep a sign-in in.", Advice: "Set XDG_STATE_HOME or HOME."}
	}
	s, file, err := merge(o)
	if err != nil {
		return target{}, err
	}
	host, err := mergedHost(s)
	if err != nil {
		return target{}, err
	}
	if host.URL == "" {
		return target{}, &Error{
			Message: fmt.Sprintf("There is no host to sign in to: no host option, no DATABRICKS_HOST, and %s.", file.state("host")),
			Advice:  "Name it: brickmcp login --host https://… . " + hostExample,
		}
	}
	id := &Identity{Host: host.URL, Profile: file.profile, WorkspaceID: s.values["workspace_id"], AccountID: s.values["account_id"]}
	return newTarget(id, s, o)
}

// whatIsUsedInstead warns when a server with the same configuration would not
// take this sign-in.
func (o LoginOptions) whatIsUsedInstead(t target) []string {
	id, err := Resolve(o.Options)
	switch {
	case err != nil:
		return []string{"A server with this configuration cannot use the sign-in: " + err.Error()}
	case id.AuthType != externalBrowser:
		return []string{fmt.Sprintf("A server with this configuration uses %s and not this sign-in. To use the sign-in, set auth_type = %s in the profile, or DATABRICKS_AUTH_TYPE=%s, or remove the other credentials.", id, externalBrowser, externalBrowser)}
	}
	if u, ok := id.source.(*u2m); ok && !u.target.key.equal(t.key) {
		return []string{fmt.Sprintf("A server with this configuration asks for client %s with scopes %s, for which nobody is signed in.", u.target.key.ClientID, strings.Join(u.target.key.Scopes, " "))}
	}
	return nil
}

// LogoutResult says whose sign-ins were deleted.
type LogoutResult struct {
	Host  string
	Users []string // "" for one whose name nobody knew
}

// Logout deletes the stored tokens for the host, client and scopes that the
// options name, of o.User or of everybody. To have nothing to delete is no
// error. Databricks documents no endpoint to revoke a refresh token: a copy
// made before stays good until it expires or an admin revokes it. Another
// process that holds an access token uses it up, at most an hour.
func Logout(ctx context.Context, o Options) (*LogoutResult, error) {
	o = o.withDefaults()
	t, err := findTarget(o)
	if err != nil {
		return nil, err
	}
	s := newStore(o)
	unlock, err := s.lock(ctx, t.key)
	if err != nil {
		return nil, err
	}
	defer unlock()
	gone, err := s.remove(t.key, o.User)
	result := &LogoutResult{Host: t.key.Host}
	for _, r := range gone {
		result.Users = append(result.Users, r.User)
	}
	slices.Sort(result.Users)
	return result, err
}
