package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"time"
)

// databricksCLI takes tokens from the login of the Databricks CLI, which
// keeps them where it will and refreshes them itself (contract auth.md,
// section 4.1). Nothing of its store is read or written here.
type databricksCLI struct {
	*refresher
	programs Programs
	named    string // databricks_cli_path, else "databricks"
	cliPath  string // the source of named, for messages; "" if it is the default
	host     string
	account  string // of an account host
	profile  string // "" when the host is not that of the profile
	env      []string
	now      func() time.Time
	explain  explainer

	mu      sync.Mutex
	refused string // the token that the workspace refused last
}

const (
	// The CLI of old was a small Python script without "auth token".
	smallestCLI = 1 << 20 // bytes

	installCLI = "Install the Databricks CLI (https://docs.databricks.com/dev-tools/cli/install.html), or name it in DATABRICKS_CLI_PATH."
)

var (
	cliWithProfile = cliVersion{0, 207, 1}
	cliWithForce   = cliVersion{0, 296, 0}
)

func newDatabricksCLI(s signIn) tokenSource {
	c := &databricksCLI{
		programs: s.options.Programs, named: "databricks", host: s.id.Host, now: s.options.Now,
		explain: explainer{host: s.id.Host, now: s.options.Now},
	}
	if v := s.settings.values["databricks_cli_path"]; v != "" {
		c.named, c.cliPath = v, s.settings.sources["databricks_cli_path"].String()
	}
	// With another host than the profile's own, the profile's token would go
	// to a host that it is not for.
	if s.settings.sources["host"].Origin == FromFile {
		c.profile = s.id.Profile
	}
	if s.id.ConfigFile != "" {
		c.env = []string{"DATABRICKS_CONFIG_FILE=" + s.id.ConfigFile}
	}
	if isAccountHost(s.id.Host) {
		c.account = s.id.AccountID
	}
	c.refresher = &refresher{
		fetch: c.fetch, now: s.options.Now, pause: pause,
		stale: &Error{
			Message: fmt.Sprintf("%s refuses the tokens of the Databricks CLI's login.", s.id.Host),
			Advice:  "Sign in again: " + c.login() + ". If it goes on, the user is probably not assigned to this workspace.",
		},
	}
	return c
}

// Invalidate remembers the token, for the CLI does not know that it is dead.
func (c *databricksCLI) Invalidate(token string) {
	c.mu.Lock()
	c.refused = token
	c.mu.Unlock()
	c.refresher.Invalidate(token)
}

// login is the command that signs in.
func (c *databricksCLI) login() string {
	if c.profile != "" {
		return "databricks auth login --profile " + quoted(c.profile)
	}
	if c.account != "" {
		return "databricks auth login --host " + c.host + " --account-id " + c.account
	}
	return "databricks auth login --host " + c.host
}

func quoted(s string) string {
	if strings.ContainsAny(s, " '\"$&|;<>()") {
		return strconv.Quote(s)
	}
	return s
}

// fetch finds the CLI anew each time: whoever installs or updates it need not
// restart anything.
func (c *databricksCLI) fetch(ctx context.Context) (granted, error) {
	program, err := c.programs.Find(c.named)
	switch {
	case err != nil:
		return granted{}, c.notFound(err)
	case program.Size < smallestCLI:
		return granted{}, &Error{
			Message: fmt.Sprintf("%s is the legacy Databricks CLI (a Python script), which has no login to take tokens from.", program.Path),
			Advice:  "Uninstall it (pip uninstall databricks-cli). " + installCLI,
		}
	}
	// A version that cannot be read is treated as the oldest.
	version := cliVersion{}
	if out, err := c.run(ctx, program.Path, "version"); err == nil {
		version = parseCLIVersion(out)
	} else if timedOut(err) {
		return granted{}, c.failed(err, program.Path, version)
	}
	args := []string{"auth", "token"}
	switch {
	case c.profile != "" && !version.before(cliWithProfile):
		args = append(args, "--profile", c.profile)
	case c.account != "":
		args = append(args, "--host", c.host, "--account-id", c.account)
	default:
		args = append(args, "--host", c.host)
	}

	got, err := c.token(ctx, program.Path, version, args)
	if err != nil {
		return granted{}, err
	}
	if got.life >= renewLead && !c.isRefused(got.token) {
		return got, nil
	}
	// The CLI gave what it had in store. Where it can, it is told to refresh;
	// not always, for each time spends a refresh token.
	if !version.before(cliWithForce) {
		if got, err = c.token(ctx, program.Path, version, append(args, "--force-refresh")); err != nil {
			return granted{}, err
		}
	}
	switch {
	case c.isRefused(got.token):
		return granted{}, &Error{
			Message: fmt.Sprintf("%s refused the token of the Databricks CLI's login, and the CLI still gives the same one.", c.host),
			Advice:  "Sign in again: " + c.login() + ". A Databricks CLI of 0.296.0 or later refreshes by itself.",
		}
	case got.life <= 0:
		return granted{}, &Error{
			Message: fmt.Sprintf("The token that %s gave for %s has expired, by the clock of this machine (%s).", program.Path, c.host, c.now().UTC().Format(time.RFC3339)),
			Advice:  "If that time is wrong, set the clock. Otherwise sign in again: " + c.login() + ".",
		}
	}
	return got, nil
}

func (c *databricksCLI) isRefused(token string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return token == c.refused
}

func (c *databricksCLI) run(ctx context.Context, path string, args ...string) ([]byte, error) {
	return c.programs.Run(ctx, Command{Path: path, Args: args, Env: c.env})
}

func (c *databricksCLI) token(ctx context.Context, path string, version cliVersion, args []string) (granted, error) {
	out, err := c.run(ctx, path, args...)
	if err != nil {
		return granted{}, c.failed(err, path, version)
	}
	token, expiry, err := parseCLIToken(out)
	if err != nil {
		return granted{}, &Error{
			Message: fmt.Sprintf("%s auth token did not answer with a token: %v.", path, err),
			Advice:  "Check that it is the Databricks CLI (databricks version), and update it. " + installCLI,
		}
	}
	return granted{token: token, life: lifeUntil(expiry, c.now())}, nil
}

func (c *databricksCLI) notFound(err error) *Error {
	e := &Error{Err: err, Advice: installCLI + " Then sign in with it: " + c.login() + "."}
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		e.Message = fmt.Sprintf("The Databricks CLI %s cannot be used: %s.", c.named, reason(err))
	case c.cliPath != "":
		e.Message = fmt.Sprintf("There is no Databricks CLI at %s (databricks_cli_path: %s).", c.named, c.cliPath)
	default:
		e.Message = "The sign-in method databricks-cli needs the Databricks CLI, and there is no program databricks in the PATH of this server."
		e.Advice += " Clients with a window often start servers with a shorter PATH than a terminal has."
	}
	return e
}

var (
	cliTooOld  = pattern(`(?i)unknown (command|flag|shorthand)|no such (command|option)`)
	cliOffline = pattern(`(?i)dial tcp|no such host|connection (refused|reset)|i/o timeout|TLS handshake|temporary failure|deadline exceeded|EOF$`)
)

func (c *databricksCLI) failed(err error, path string, version cliVersion) *Error {
	var exit *ExitError
	switch {
	case timedOut(err):
		return &Error{
			Message:   fmt.Sprintf("%s did not answer in time.", path),
			Advice:    "Try in a terminal: databricks auth token. It may be waiting for the network, or for the keyring to be unlocked.",
			Temporary: true, Err: err,
		}
	case !errors.As(err, &exit):
		return &Error{
			Message: fmt.Sprintf("%s could not be run: %s.", path, reason(err)),
			Advice:  "Check that it is an executable for this machine. " + installCLI, Err: err,
		}
	}
	said := c.explain.clean(strings.TrimPrefix(strings.TrimSpace(exit.Stderr), "Error: "))
	if said == "" {
		said = exit.Error()
	}
	e := &Error{Err: exit}
	switch {
	case cliTooOld().MatchString(said):
		e.Message = fmt.Sprintf("The Databricks CLI %s (%s) is too old to give tokens: %s.", path, version, said)
		e.Advice = "Update it to 0.207.1 or later. " + installCLI
	case cliOffline().MatchString(said):
		e.Message = fmt.Sprintf("The Databricks CLI could not refresh its login for %s: %s.", c.host, said)
		e.Advice, e.Temporary = "Check the network, VPN, and HTTPS_PROXY if this network needs a proxy.", true
	default:
		e.Message = fmt.Sprintf("The Databricks CLI has no usable login for %s%s: %s.", c.host, c.ofProfile(), strings.TrimSuffix(said, "."))
		e.Advice = "Sign in again: " + c.login() + ". The next call then works."
	}
	e.Err = nil // its Stderr is not cleaned
	return e
}

func (c *databricksCLI) ofProfile() string {
	if c.profile == "" {
		return ""
	}
	return " (profile " + printable(c.profile) + ")"
}

// parseCLIToken reads the answer of "databricks auth token":
//
//	{"access_token": "…", "token_type": "Bearer", "expiry": "2026-01-01T12:00:00.123Z"}
//
// Its errors quote nothing.
func parseCLIToken(out []byte) (token string, expiry time.Time, err error) {
	var doc struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		Expiry      string `json:"expiry"`
	}
	if json.Unmarshal(out, &doc) != nil {
		return "", time.Time{}, errors.New("the answer is not the expected JSON")
	}
	if !isBearer(doc.AccessToken) || doc.TokenType != "" && !strings.EqualFold(doc.TokenType, "Bearer") {
		return "", time.Time{}, errors.New("the answer holds no bearer token")
	}
	expiry, err = time.Parse(time.RFC3339, doc.Expiry)
	if err != nil {
		return "", time.Time{}, errors.New("the answer does not say when the token expires")
	}
	return doc.AccessToken, expiry, nil
}

// cliVersion is major, minor, patch; the zero value is unknown and before all.
type cliVersion [3]int

var versionPattern = pattern(`\bv(\d{1,6})\.(\d{1,6})\.(\d{1,6})`)

// parseCLIVersion reads "Databricks CLI v0.207.1". A build from source calls
// itself v0.0.0-dev, which is before all, too.
func parseCLIVersion(out []byte) (v cliVersion) {
	if m := versionPattern().FindSubmatch(out); m != nil {
		for i := range v {
			v[i], _ = strconv.Atoi(string(m[i+1])) // digits only
		}
	}
	return v
}

func (v cliVersion) before(o cliVersion) bool {
	for i := range v {
		if v[i] != o[i] {
			return v[i] < o[i]
		}
	}
	return false
}

func (v cliVersion) String() string {
	if v == (cliVersion{}) {
		return "of unknown version"
	}
	return fmt.Sprintf("version %d.%d.%d", v[0], v[1], v[2])
}
