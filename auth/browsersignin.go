package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// browserSignIn is the method of a person who has configured no credentials at
// all: a host is enough, and where not even that is set, the only host that
// somebody has signed in to with this program. That is no falling through to
// another identity: there is no other, and whoever it is has signed in by hand.
func browserSignIn(o *Options, s settings, host Host) (Host, *method) {
	pinned := s.values["auth_type"] == externalBrowser
	if o.StateDir == "" && !pinned {
		return host, nil
	}
	if host.URL == "" && o.StateDir != "" {
		if only := onlySignIn(*o); only != nil {
			from := Source{Origin: FromSignIn, Name: only.Key.file(only.User)}
			s.add("host", only.Key.Host, from)
			s.add("account_id", only.Key.AccountID, from)
			host = Host{URL: only.Key.Host, AccountID: only.Key.AccountID}
			o.SignInClientID, o.SignInScopes = only.Key.ClientID, only.Key.Scopes
		}
	}
	if host.URL == "" {
		return host, nil
	}
	i := slices.IndexFunc(methods, func(m method) bool { return m.name == externalBrowser })
	return host, &methods[i]
}

// onlySignIn is the record of the only key that somebody is signed in for; nil
// if there are none or several. An explicit client or scopes must match.
func onlySignIn(o Options) *record {
	all := storedSignIns(o)
	all = slices.DeleteFunc(all, func(r *record) bool {
		want := newLoginKey(r.Key.Host, r.Key.AccountID, r.Key.ClientID, r.Key.Scopes)
		if o.SignInClientID != "" {
			want.ClientID = o.SignInClientID
		}
		if len(o.SignInScopes) > 0 {
			want = newLoginKey(want.Host, want.AccountID, want.ClientID, o.SignInScopes)
		}
		return !want.equal(r.Key)
	})
	for _, r := range all {
		if !r.Key.equal(all[0].Key) {
			return nil
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// storedSignIns lists what is stored, seals unopened. What cannot be read is
// left out: whoever uses it will say so.
func storedSignIns(o Options) []*record {
	all, _, err := newStore(o).records(func(string) bool { return true })
	if err != nil {
		return nil
	}
	return all
}

// signInAdvice says how to sign in where not even a host is known.
func signInAdvice(o Options) string {
	var hosts []string
	for _, r := range storedSignIns(o) {
		if !slices.Contains(hosts, r.Key.Host) {
			hosts = append(hosts, r.Key.Host)
		}
	}
	if len(hosts) > 1 {
		return fmt.Sprintf("There are sign-ins to %s: choose with DATABRICKS_HOST or --host.", strings.Join(hosts, ", "))
	}
	return "Simplest: sign in once with brickmcp login --host https://… (the URL of your workspace)."
}

// StoredSignIn is one sign-in of the token store, without its tokens.
type StoredSignIn struct {
	Host      string
	AccountID string
	User      string // "" if unknown
	ClientID  string
	Scopes    []string
	Sealed    bool // with a key from the keyring
	File      string
}

// SignIns lists the stored sign-ins of o.StateDir. It opens no keyring and no
// connection.
func SignIns(o Options) ([]StoredSignIn, error) {
	o = o.withDefaults()
	if o.StateDir == "" {
		return nil, nil
	}
	s := newStore(o)
	all, damaged, err := s.records(func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	var out []StoredSignIn
	for _, r := range all {
		out = append(out, StoredSignIn{Host: r.Key.Host, AccountID: r.Key.AccountID, User: r.User, ClientID: r.Key.ClientID, Scopes: r.Key.Scopes, Sealed: r.Sealed != nil, File: s.path(r)})
	}
	if len(damaged) > 0 {
		return out, &Error{
			Message: fmt.Sprintf("Damaged files among the stored sign-ins in %s: %s.", s.dir, strings.Join(damaged, ", ")),
			Advice:  "They are put aside when they are next needed; sign in again then.",
		}
	}
	return out, nil
}

// CheckStore tells whether a sign-in could be stored in o.StateDir, and
// whether under a key of the keyring ("keyring") or protected by its mode
// alone ("file"). It writes and deletes a file and asks the keyring, which
// takes up to 3 seconds.
func CheckStore(o Options) (storage string, err error) {
	o = o.withDefaults()
	if o.StateDir == "" {
		return "", &Error{Message: "There is no directory to keep a sign-in in.", Advice: "Set XDG_STATE_HOME or HOME."}
	}
	s := newStore(o)
	if err := s.prepare(); err != nil {
		return "", err
	}
	p, err := s.begin(&record{Key: loginKey{Host: "https://check", ClientID: "check"}})
	if err != nil {
		return "", err
	}
	p.abandon()
	if _, err := s.vault.sealKey(false); err == nil || errors.Is(err, ErrNotInKeyring) {
		return "keyring", nil
	}
	return "file", nil
}
