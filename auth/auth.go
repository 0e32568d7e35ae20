// Package auth answers who is asking: from explicit options, the DATABRICKS_*
// environment and the Databricks configuration file to a bearer token for one
// workspace.
//
// Resolve reads the configuration, opens no connection, and says in an
// Identity who will be asking and where every attribute came from. Credential
// is what a running server holds: it resolves at the first call, so that a
// missing or broken configuration never prevents a start, and again after a
// failure, so that a mended one works without a restart.
//
// The rules (attributes, precedence, profiles, hosts, discovery) are those of
// the unified authentication of the Databricks SDKs, with two differences.
//
// Two complete methods at once are refused even where the SDK would quietly
// take one of them. And the SDK tries one method after the other until one
// yields a token; here the configuration alone decides which one is meant.
// "Not configured" passes a method over, "failed" never does: when the method
// that is configured cannot get a token, that is the answer, for the next one
// would be somebody else. So that this holds, a method that needs nothing but
// a host (databricks-cli) is never guessed but named by auth_type, and what a
// CI system offers to every job (github-oidc, azure-devops-oidc) counts only
// where nothing else is set.
//
// A person signs in with a browser: Login at a terminal, or in the background
// of a server, where the Error of a call carries the address to open. What
// they get is kept in a store that all processes of the user share; see store
// and tokenwrite.go for what happens when two of them, or a kill, meet.
package auth

import (
	"context"
	"net/http"
	"os"
	"runtime"
	"time"
)

// Options are the explicit part of the configuration and what the package
// needs from outside. The zero value of a field means "not given".
type Options struct {
	Profile    string // a section of the configuration file; beats DATABRICKS_CONFIG_PROFILE
	Host       string // a workspace URL as a person pastes it; beats DATABRICKS_HOST
	ConfigFile string // beats DATABRICKS_CONFIG_FILE; "~/" is the home directory

	// Getenv reads one variable of the environment. Nil is an empty
	// environment: this package never reads the one of the process.
	Getenv func(string) string
	// Home is the directory that ~ stands for. Empty: HOME, or USERPROFILE
	// on Windows, as Getenv gives it.
	Home string

	HTTPClient *http.Client     // for discovery and tokens; nil: http.DefaultClient
	Now        func() time.Time // nil: time.Now

	// ReadFile reads a file that holds an id token. Nil: os.ReadFile, up to
	// 1 MiB.
	ReadFile func(path string) ([]byte, error)
	// Programs runs the command line tools that keep a login of their own:
	// databricks and az. Nil: the programs of this machine, with an
	// environment picked from Getenv.
	Programs Programs

	// StateDir is where sign-ins of this program are kept,
	// $XDG_STATE_HOME/brickmcp or what the operating system has for it. Empty:
	// nobody can sign in with a browser.
	StateDir string
	// Keyring holds the key that seals the stored tokens. Nil: the one of the
	// operating system, unless DATABRICKS_AUTH_STORAGE is plaintext. Where
	// there is none, the file is readable for this user alone.
	Keyring Keyring
	// SignIn: a call that finds nobody signed in starts a sign-in in the
	// background, and its Error carries the URL to open. For processes that
	// live long enough for a person to follow it.
	SignIn bool
	// SignInClientID and SignInScopes are those of an OAuth app of one's own
	// (public client, redirect to http://localhost:8020 and so on). Empty: the
	// client databricks-cli, and all-apis.
	SignInClientID string
	SignInScopes   []string
	// User picks one of several people who signed in to the same host. Empty:
	// whoever did last.
	User string
	// WhoAmI asks a workspace whose token it is, for the sign-in page and the
	// token store. Nil: GET /api/2.0/preview/scim/v2/Me.
	WhoAmI func(ctx context.Context, host, token string) (user string, err error)

	after func(time.Duration) <-chan time.Time // nil: time.After; the clock of the sign-in's time limit
	sync  func(*os.File) error                 // nil: (*os.File).Sync; tests need not wait for a disk
}

func (o Options) withDefaults() Options {
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.Home == "" {
		o.Home = o.Getenv("HOME")
		if runtime.GOOS == "windows" {
			o.Home = o.Getenv("USERPROFILE")
		}
	}
	if o.HTTPClient == nil {
		o.HTTPClient = http.DefaultClient
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.after == nil {
		o.after = time.After
	}
	if o.sync == nil {
		o.sync = (*os.File).Sync
	}
	if o.ReadFile == nil {
		o.ReadFile = readSmallFile
	}
	if o.Programs == nil {
		o.Programs = machine{getenv: o.Getenv}
	}
	return o
}

// Error says why there is no token, to an agent and to the person behind it.
// No part of it ever holds a secret or the text of an answer that may quote
// one, and that goes for the wrapped error too.
type Error struct {
	Message string // what was looked for or tried, on which host, file or variable, and what came of it
	Advice  string // what to set or do next

	// Temporary: nobody has to do anything about the credentials; the same
	// call may work later (network, 5xx, 429). False: sign in or set something.
	Temporary bool

	Err error // the cause where it is safe to show; may be nil

	// SignInURL is where a person signs in; the sign-in waits for them in the
	// background until SignInExpires, and the call works afterwards. Empty
	// when no sign-in is under way. It is for the user's eyes, not for a log.
	SignInURL     string
	SignInExpires time.Time

	signIn     bool          // only a person who signs in can mend it
	noHold     bool          // worth asking again at once: somebody may have mended it meanwhile
	retryAfter time.Duration // what a token endpoint asked for; 0 if nothing
}

func (e *Error) Error() string {
	if e.Advice == "" {
		return e.Message
	}
	return e.Message + " " + e.Advice
}

func (e *Error) Unwrap() error { return e.Err }
