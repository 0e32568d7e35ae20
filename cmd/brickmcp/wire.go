package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"brickmcp/auth"
	"brickmcp/catalog"
	"brickmcp/tools"
	"brickmcp/tools/audit"
	"brickmcp/transport/metrics"
	"brickmcp/transport/otlp"
	"brickmcp/transport/rest"
	"brickmcp/transport/sandbox"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// app is everything put together. Building it touches no network and reads no
// file: what a call needs is opened by the first call.
type app struct {
	shared    *shared
	tools     *tools.Server
	workspace *workspace
	policy    *policyFile // nil: no policy file
	audit     *audit.Log  // nil: off
	log       *zap.Logger
	close     func() error
}

// shared is what all users of this process have in common. Everything else a user has
// alone: credentials, limits, caches, runs, confirmations.
type shared struct {
	*settings
	config   *config
	log      *zap.Logger
	audit    *audit.Log       // nil: off
	exporter *otlp.Exporter   // of audit lines; nil: none
	policy   *policyFile      // nil: no policy file
	sandbox  *embedded        // nil: a real workspace
	pool     *rest.Pool       // nil: each workspace has connections of its own
	metrics  *metrics.Metrics // nil: nobody reads them
}

func (c *config) share() (*shared, error) {
	s, err := c.check()
	if err != nil {
		return nil, err
	}
	sh := &shared{settings: &s, config: c, log: newLog(c.err, s.level, c.logFormat)}
	if sh.audit, sh.exporter, err = c.openAudit(sh.log); err != nil {
		return nil, err
	}
	if c.policy != "" {
		sh.policy = &policyFile{path: c.policy, prefixes: prefixes(s.managed), fill: c.otherwise, log: sh.log, audit: sh.audit}
	}
	if c.sandbox {
		sh.sandbox = &embedded{options: sandbox.Options{Clock: c.sandboxClock(), Faults: s.faults}}
	}
	return sh, nil
}

func (sh *shared) close() error {
	var errs []error
	if sh.sandbox != nil {
		errs = append(errs, sh.sandbox.close())
	}
	if sh.audit != nil {
		errs = append(errs, sh.audit.Close())
	}
	if sh.pool != nil {
		sh.pool.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), leave)
	defer cancel()
	if err := sh.exporter.Close(ctx); err != nil {
		sh.log.Warn("audit lines may not have been exported", zap.Error(err))
	}
	return errors.Join(errs...)
}

// build is the app of the one person whose credentials are configured.
func (c *config) build() (*app, error) {
	sh, err := c.share()
	if err != nil {
		return nil, err
	}
	a := sh.person()
	own := a.close
	a.close = func() error { return errors.Join(own(), sh.close()) }
	return a, nil
}

// person is build without what is shared.
func (sh *shared) person() *app {
	c := sh.config
	var spaces []*workspace
	for _, profile := range c.places() {
		w := sh.workspace(profile)
		w.introduces = c.serving
		if sh.sandbox != nil {
			w.credential = sandboxCredential()
		} else {
			w.credential = c.credential(profile)
		}
		spaces = append(spaces, w)
	}
	a := sh.app(spaces, c.stateDir())
	if a.policy != nil {
		a.policy.changed = a.tools.ToolsChanged
	}
	return a
}

// workspace is one that has no credential yet.
func (sh *shared) workspace(profile string) *workspace {
	w := &workspace{
		profile: profile, log: sh.log, rateLimit: sh.rateLimit, access: sh.config.accessReport(sh.access),
		audit: sh.audit, policy: sh.policy, pool: sh.pool, observe: sh.observe(),
	}
	if sh.sandbox != nil {
		w.roundTripper = sh.sandbox.open
	}
	w.life, w.end = context.WithCancel(context.Background())
	return w
}

// app is one user's, in one or several workspaces. What outlives the process is kept
// in stateDir.
func (sh *shared) app(spaces []*workspace, stateDir string) *app {
	c := sh.config
	a := &app{shared: sh, workspace: spaces[0], policy: sh.policy, audit: sh.audit, log: sh.log}
	config := tools.Config{
		Managed: sh.managed,
		Version: version, Access: sh.access,
		ResultTokens: c.resultTokens, Structured: c.structured, AllowDirs: sh.dirs, Log: sh.log,
		Audit: sh.audit, AuditNeed: sh.auditNeed, StateDir: stateDir, Approvals: tools.Approvals(c.approvals),
	}
	for _, w := range spaces {
		config.Workspaces = append(config.Workspaces, tools.Workspace{
			Name: w.profile, API: w, Links: w, WhoAmI: w.whoJSON, App: w.openApp, Identify: w.identify, Host: w.hostName, Address: w.address,
			Warehouse: c.defaultWarehouse(w), Managed: w.managed(),
		})
	}
	if sh.policy != nil {
		config.Policies = sh.policy
	}
	if sh.metrics != nil {
		config.Observe = sh.metrics.Call
	}
	a.tools = tools.New(config)
	a.close = func() error {
		a.tools.Close()
		for _, w := range spaces {
			w.close()
		}
		return nil
	}
	return a
}

// places are the profiles to serve; one without a name stands for whatever the
// environment says.
func (c *config) places() []string {
	if c.sandbox || len(c.profiles) == 0 {
		return []string{c.profile}
	}
	return c.profiles
}

// whoJSON is what the whoami tool answers.
func (w *workspace) whoJSON(ctx context.Context) (json.RawMessage, error) {
	who, err := w.who(ctx)
	if err != nil {
		return nil, err
	}
	client, _ := tools.Client(ctx)
	who.under(w.policy, client)
	return json.Marshal(who)
}

// workspace is the workspace of the signed-in user. It is connected by the first
// call that needs it, so that neither a missing sign-in nor a slow network ever
// keeps the server from starting.
type workspace struct {
	profile      string
	credential   *auth.Credential
	forwarded    bool                              // its tokens come with requests
	roundTripper func() (http.RoundTripper, error) // nil: the network
	pool         *rest.Pool                        // nil: connections of its own
	log          *zap.Logger
	rateLimit    rest.RateLimit
	observe      func(status int) // of the workspace's answers; nil: nobody counts them
	access       map[string]allowance
	introduces   bool // says in the log who is signed in
	audit        *audit.Log
	policy       *policyFile

	mu     sync.Mutex
	client *rest.Client
	apps   map[string]catalog.Caller // by address

	introduced atomic.Bool
	signedIn   atomic.Pointer[string] // the user that audit was told
	background sync.WaitGroup
	life       context.Context // of the background
	end        context.CancelFunc
}

var (
	_ catalog.Caller = (*workspace)(nil)
	_ tools.Links    = (*workspace)(nil)
)

// Do implements catalog.Caller.
func (w *workspace) Do(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
	client, err := w.get()
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(ctx, call)
	if err == nil {
		w.introduce()
	}
	return answer, err
}

// Link implements tools.Links.
func (w *workspace) Link(ctx context.Context, url string, headers map[string]string) (io.ReadCloser, error) {
	client, err := w.get()
	if err != nil {
		return nil, err
	}
	return client.Link(ctx, url, headers)
}

func (w *workspace) get() (*rest.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.client != nil {
		return w.client, nil
	}
	config, err := w.config()
	if err != nil {
		return nil, signInError(err)
	}
	if w.client, err = rest.New(config); err != nil {
		return nil, signInError(err)
	}
	return w.client, nil
}

// config opens what a call needs. Without credentials there is none, and the
// next call looks again.
func (w *workspace) config() (rest.Config, error) {
	id, err := w.credential.Identity()
	if err != nil {
		return rest.Config{}, err
	}
	for _, warning := range id.Warnings {
		w.log.Warn(warning)
	}
	config := rest.Config{
		Host: id.Host, WorkspaceID: id.WorkspaceID,
		Token: w.credential.Token, Invalidate: w.credential.Invalidate, Headers: w.credential.Headers,
		SignInError: signInError, UserAgent: userAgent(id.AuthType),
		RateLimit: w.rateLimit, Logger: w.log, Waiting: waiting, Pool: w.pool, Observe: w.observe,
	}
	if w.forwarded {
		config.MissingScope = missingScope
	}
	if w.roundTripper != nil {
		config.RoundTripper, err = w.roundTripper()
	}
	return config, err
}

// signInError turns an error of auth into one that an agent can act on.
func signInError(err error) *catalog.Error {
	var e *auth.Error
	if !errors.As(err, &e) {
		return &catalog.Error{Kind: catalog.SignIn, Message: err.Error(), Advice: "Check the host and the credentials of the server.", Err: err}
	}
	kind := catalog.SignIn
	if e.Temporary {
		kind = catalog.Down
	}
	return &catalog.Error{Kind: kind, Message: e.Message, Advice: e.Advice, Err: err, SignInURL: e.SignInURL}
}

// waiting tells the agent's client what a call is waiting for.
func waiting(ctx context.Context, reason string, wait time.Duration) {
	tools.Progress(ctx, fmt.Sprintf("%s; going on in %s", reason, wait.Round(time.Second)))
}

// userAgent names this server, and the MCP client it works for.
func userAgent(authType string) func(context.Context) string {
	base := fmt.Sprintf("brickmcp/%s go/%s os/%s", version, runtime.Version()[2:], runtime.GOOS)
	return func(ctx context.Context) string {
		agent := base
		if authType != "" {
			agent += " auth/" + authType
		}
		if client := rest.AgentToken(tools.Client(ctx)); client != "" {
			agent += " mcp-client/" + client
		}
		return agent
	}
}

// named puts our User-Agent on sign-in requests.
type named struct{ next http.RoundTripper }

func (n named) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", userAgent("")(req.Context()))
	return n.next.RoundTrip(req)
}

// embedded is the sandbox in this process, opened by the first call.
type embedded struct {
	options sandbox.Options
	mu      sync.Mutex
	box     *sandbox.Workspace
}

func (e *embedded) open() (http.RoundTripper, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.box == nil {
		box, err := sandbox.New(e.options)
		if err != nil {
			return nil, fmt.Errorf("open the sandbox: %w", err)
		}
		e.box = box
	}
	return e.box.RoundTripper(), nil
}

func (e *embedded) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.box == nil {
		return nil
	}
	return e.box.Close()
}

// sandboxClock is nil for the wall clock.
func (c *config) sandboxClock() sandbox.Clock {
	if c.sandboxSpeed <= 1 {
		return nil
	}
	return &fastClock{began: time.Now(), speed: time.Duration(c.sandboxSpeed)}
}

type fastClock struct {
	began time.Time
	speed time.Duration
}

func (f *fastClock) Now() time.Time { return f.began.Add(time.Since(f.began) * f.speed) }

// newLog writes to stderr and nowhere else: stdout is the protocol.
func newLog(out io.Writer, level zapcore.Level, format string) *zap.Logger {
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.ISO8601TimeEncoder
	encoder := zapcore.NewConsoleEncoder(encoding)
	if format == "json" {
		encoder = zapcore.NewJSONEncoder(encoding)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(out)), level))
}
