// Package sandbox is an embedded Databricks workspace: an http.Handler that
// answers the REST surface with the real shapes, states and errors, so that
// everything above the wire can be tried and tested without an account.
//
// Its shapes come from the published REST contract, never from what this
// project's own client happens to need: the official Databricks CLI works
// against it. It is stateful, bound to one process, and forgets everything when
// it is closed.
package sandbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// ID is the numeric id of the embedded workspace, sent in X-Databricks-Org-Id.
const ID = "7405612938471650"

// Clock tells the time to everything in the workspace that moves by itself: job
// runs, clusters, warehouses, statements. Tests inject their own and advance it.
type Clock interface{ Now() time.Time }

// SystemClock is the wall clock.
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Time { return time.Now() }

// Options configure a Workspace; the zero value is a seeded workspace on the
// wall clock, without faults.
type Options struct {
	Clock         Clock         // nil: SystemClock
	Faults        []Fault       // injected failures: delays add up, of the others the first match wins
	TokenLifetime time.Duration // of OAuth access tokens; 0: one hour
	OAuthClients  []OAuthClient // beside databricks-cli, which is always there
	// NumberedUsers lets in whoever has the token sandbox-user-N, as user-N@example.com
	// of the groups users and analysts: for trying out a server of many users.
	NumberedUsers bool
}

// Workspace is one embedded workspace. Safe for concurrent use; each group of
// endpoints has its own state and lock.
type Workspace struct {
	clock         Clock
	tokenLifetime time.Duration
	oauthClients  []OAuthClient
	numberedUsers bool
	mux           *http.ServeMux
	patterns      []string // as registered, "METHOD /path/{hole}"
	requests      atomic.Int64
	faults        *faults
	close         []func() error // in order of creation, run in reverse

	people     *people
	lakehouse  *lakehouse
	jobs       *jobs
	clusters   *clusters
	warehouses *warehouses
	statements *statements
	files      *files
	dbfs       *dbfs
	notebooks  *notebooks
	secrets    *secrets
	managed    *managed
	serving    *serving
	agentLogs  *agentLogs
	mlflow     *mlflow

	connections *connections
	supervisor  *supervisor
	genie       *genie
	apps        *apps
}

// New builds and seeds a workspace. The SQL engine opens on first use.
func New(opts Options) (*Workspace, error) {
	w := &Workspace{clock: opts.Clock, mux: http.NewServeMux(), faults: newFaults(opts.Faults), tokenLifetime: opts.TokenLifetime, oauthClients: opts.OAuthClients, numberedUsers: opts.NumberedUsers}
	if w.clock == nil {
		w.clock = SystemClock{}
	}
	if w.tokenLifetime == 0 {
		w.tokenLifetime = time.Hour
	}
	for _, add := range []func(*Workspace) error{
		addPeople, addLakehouse, addWarehouses, addStatements, addClusters, addJobs,
		addFiles, addDBFS, addNotebooks, addSecrets, addAgentLogs, addMLflow, addServing,
		addConnections, addGenie, addApps, addSupervisor, addManaged,
	} {
		if err := add(w); err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	w.mux.HandleFunc("/", w.unknownRoute)
	return w, nil
}

// Close releases the SQL engine and stored files.
func (w *Workspace) Close() error {
	var errs []error
	for i := len(w.close) - 1; i >= 0; i-- {
		errs = append(errs, w.close[i]())
	}
	w.close = nil
	return errors.Join(errs...)
}

// Patterns lists every served route as "METHOD /path/{hole}".
func (w *Workspace) Patterns() []string { return append([]string(nil), w.patterns...) }

// request is one call as a handler sees it.
type request struct {
	*http.Request
	w    http.ResponseWriter // only for handlers that stream; they return errWritten
	user *principal          // nil on routes registered by open
	now  time.Time
}

// errWritten is returned by a handler that has answered through request.w itself.
var errWritten = errors.New("already written")

// handler answers one call: a value to encode as JSON (nil: {}), an answer for
// another status than 200, or an error, of which *apiError keeps its status and
// code.
type handler func(*request) (any, error)

// answer is a success with a status of its own, e.g. 201 or 204 (no body).
type answer struct {
	status int
	body   any
}

// on registers a route of the authenticated REST surface.
func (w *Workspace) on(pattern string, h handler) {
	w.open(pattern, func(r *request) (any, error) {
		var refused *apiError
		if r.user, refused = w.people.identify(r.Request, r.now); refused != nil {
			return nil, refused
		}
		return h(r)
	})
}

// open registers a route that needs no bearer token: discovery, the token
// endpoint, the sign-in page, presigned links.
func (w *Workspace) open(pattern string, h handler) {
	w.patterns = append(w.patterns, pattern)
	w.mux.HandleFunc(pattern, func(rw http.ResponseWriter, r *http.Request) {
		id := w.requestID()
		rw.Header().Set("X-Databricks-Org-Id", ID)
		rw.Header().Set("X-Request-Id", id)
		got, err := h(&request{Request: r, w: rw, now: w.clock.Now()})
		switch {
		case errors.Is(err, errWritten):
		case err != nil:
			fail(rw, err, id)
		default:
			if a, ok := got.(answer); ok {
				reply(rw, a.status, a.body)
				return
			}
			reply(rw, http.StatusOK, got)
		}
	})
}

// base is the address the client called, e.g. "http://127.0.0.1:8080", for links
// in answers.
func (r *request) base() string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// requestID is a deterministic request id, unique in this workspace.
func (w *Workspace) requestID() string {
	n := strconv.FormatInt(w.requests.Add(1), 16)
	const blank = "00000000-0000-4000-8000-000000000000"
	return blank[:len(blank)-len(n)] + n
}

func (w *Workspace) unknownRoute(rw http.ResponseWriter, r *http.Request) {
	fail(rw, failure(http.StatusNotFound, "ENDPOINT_NOT_FOUND", "No API found for '"+r.Method+" "+r.URL.Path+"'"), w.requestID())
}

// ServeHTTP applies the fault rules, then routes. The hosts of apps are paths to
// both.
func (w *Workspace) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.faults.serve(rw, w.apps.route(r), w.mux)
}

// apiError is an error in the shape of the REST API.
type apiError struct {
	status  int
	code    string
	message string
	scim    bool   // SCIM endpoints answer in SCIM's own error shape
	kind    string // scimType, of SCIM errors that have one
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

// failure makes an API error, e.g. failure(404, "RESOURCE_DOES_NOT_EXIST", "…").
func failure(status int, code, message string) *apiError {
	return &apiError{status: status, code: code, message: message}
}

// badArgument is the commonest failure: 400 INVALID_PARAMETER_VALUE.
func badArgument(message string) *apiError {
	return failure(http.StatusBadRequest, "INVALID_PARAMETER_VALUE", message)
}

func fail(rw http.ResponseWriter, err error, requestID string) {
	var api *apiError
	if !errors.As(err, &api) {
		api = failure(http.StatusInternalServerError, "INTERNAL_ERROR", err.Error())
	}
	if api.scim {
		body := map[string]any{
			"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"},
			"detail":  api.message, "status": strconv.Itoa(api.status),
		}
		if api.kind != "" {
			body["scimType"] = api.kind
		}
		reply(rw, api.status, body)
		return
	}
	reply(rw, api.status, map[string]any{
		"error_code": api.code, "message": api.message,
		"details": []any{map[string]any{
			"@type": "type.googleapis.com/google.rpc.RequestInfo", "request_id": requestID, "serving_data": "",
		}},
	})
}

func reply(rw http.ResponseWriter, status int, v any) {
	if status == http.StatusNoContent {
		rw.WriteHeader(status)
		return
	}
	if v == nil {
		v = struct{}{}
	}
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error_code":"INTERNAL_ERROR","message":"the sandbox could not encode its answer"}`)
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_, _ = rw.Write(body) // a client that went away is no fault of ours
}
