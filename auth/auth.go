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
// the unified authentication of the Databricks SDKs, with two differences: two
// complete methods at once are refused even where the SDK would quietly take
// one of them, and there is no falling through from a method that fails to
// another identity.
package auth

import (
	"net/http"
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

	retryAfter time.Duration // what a token endpoint asked for; 0 if nothing
}

func (e *Error) Error() string {
	if e.Advice == "" {
		return e.Message
	}
	return e.Message + " " + e.Advice
}

func (e *Error) Unwrap() error { return e.Err }
