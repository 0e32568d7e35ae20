package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// OAuthToken speaks for ana@example.com like Token, and is an OAuth token: apps
// take no personal access tokens. It is for clients in this process, which have
// no browser to sign in with; others get theirs from the token endpoint.
const OAuthToken = "oauth-sandbox-ana"

// AppsDomain is what the hosts of apps end in for clients that call the
// workspace by https, which is in this process: "NAME-ID.sandbox-apps.invalid".
// Over a plain listener an app is a path below the workspace's own address,
// because its host could not be resolved.
const AppsDomain = ".sandbox-apps.invalid"

const appsPath = "/sandbox-apps/"

// app is a Databricks App. Its lifecycle is that of its compute.
type app struct {
	lifecycle
	name, description string
	server            string // what runs in it
	creator           string
	use               []string // groups with CAN_USE; admins have it besides
	scopes            []string // user_api_scopes
	crashed           bool
	created           time.Time
}

// Kinds of agent servers in apps (contract supervisor.md, section 9).
const (
	appDurable     = "durable"
	appPreview     = "preview" // of the durable one
	appLongRunning = "long-running"
	appWeb         = "web" // no agent
)

// apps is the Apps API and the apps themselves.
type apps struct {
	w *Workspace

	mu    sync.Mutex // guards the apps and the tasks
	all   []*app
	tasks map[[2]string]*agentTask // by app and id
	order [][2]string              // oldest first
	made  int
}

func addApps(w *Workspace) error {
	as := &apps{w: w, all: seedApps(), tasks: map[[2]string]*agentTask{}}
	w.apps = as
	w.people.tokens[OAuthToken] = accessToken{id: w.people.tokens[Token].id, scopes: []string{allAPIs}}
	const root = "/api/2.0/apps"
	w.on("GET "+root, as.list)
	w.on("GET "+root+"/{name}", as.get)
	w.on("POST "+root+"/{name}/start", as.start)
	w.on("POST "+root+"/{name}/stop", as.stop)
	as.serveDurable()
	as.serveLongRunning()
	as.serveMCP()
	return nil
}

// seedApps: agents on AgentKit of today and of its preview, one on the older
// server, one that has crashed, and two that are no agents: a stopped app, and an
// MCP server.
func seedApps() []*app {
	made := seeded.AddDate(0, -2, 0)
	all := []*app{
		{name: "agent-bricks-orders", description: "Answers questions about orders (AgentKit)", server: appDurable, creator: anaName, use: []string{"users"}, scopes: []string{"sql", "genie"}},
		{name: "agent-bricks-trial", description: "An early AgentKit agent", server: appPreview, creator: "carla@example.com", use: []string{"users"}, scopes: []string{"sql"}},
		{name: "forecast-agent", description: "Forecasts demand", server: appDurable, creator: "carla@example.com", use: []string{"users"}, crashed: true},
		{name: "sales-dashboard", description: "Dashboard of the sales team", server: appWeb, creator: "carla@example.com", use: []string{"users"}},
		{name: "stock-agent", description: "Answers questions about returns and stock", server: appLongRunning, creator: anaName, use: []string{"data-engineers"}, scopes: []string{"sql"}},
		{name: "mcp-stock", description: "MCP server: stock levels", server: appMCP, creator: anaName, use: []string{"data-engineers"}, scopes: []string{"sql"}},
	}
	for i, a := range all {
		a.created = made.AddDate(0, 0, 3*i)
		a.enter("ACTIVE", a.created)
		if a.server == appWeb {
			a.enter("STOPPED", seeded.AddDate(0, 0, -5))
		}
	}
	return all
}

// status is the state of the app in its compute.
func (a *app) status() (state, text string) {
	switch {
	case a.state != "ACTIVE":
		return "UNAVAILABLE", "App compute is " + strings.ToLower(a.state) + "."
	case a.crashed:
		return "CRASHED", "The app crashed: exit code 1. Look into its logs."
	}
	return "RUNNING", "App has status: App is running"
}

// url is where the app is reached by who called the workspace with r.
func (a *app) url(r *request) string {
	if r.TLS != nil {
		return "https://" + a.name + "-" + ID + AppsDomain
	}
	return r.base() + appsPath + a.name
}

// route sends requests for the hosts of apps to their paths.
func (as *apps) route(r *http.Request) *http.Request {
	label, ok := strings.CutSuffix(r.Host, AppsDomain)
	if !ok {
		return r
	}
	name := strings.TrimSuffix(label, "-"+ID)
	routed, u := *r, *r.URL
	u.Path = appsPath + name + u.Path
	if u.RawPath != "" {
		u.RawPath = appsPath + name + u.RawPath
	}
	routed.URL = &u
	return &routed
}

func (a *app) show(r *request) object {
	state, text := a.status()
	o := object{
		"id": stableUUID("app " + a.name), "name": a.name, "description": a.description, "url": a.url(r),
		"creator": a.creator, "updater": a.creator, "create_time": a.created.Format(time.RFC3339), "update_time": a.created.Format(time.RFC3339),
		"app_status": object{"state": state, "message": text}, "compute_status": object{"state": a.state, "message": "App compute is " + strings.ToLower(a.state) + "."},
		"compute_size": "MEDIUM", "default_source_code_path": "/Workspace/Users/" + a.creator + "/" + a.name,
		"service_principal_name": "app-" + a.name, "service_principal_client_id": stableUUID("client of app " + a.name),
		"active_deployment": object{
			"deployment_id": bareUUID("deployment " + a.name), "creator": a.creator, "create_time": a.created.Format(time.RFC3339), "mode": "SNAPSHOT",
			"source_code_path": "/Workspace/Users/" + a.creator + "/" + a.name, "status": object{"state": "SUCCEEDED", "message": "App started successfully"},
		},
	}
	if a.scopes != nil {
		o["user_api_scopes"], o["effective_user_api_scopes"] = a.scopes, append([]string{"iam.current-user:read"}, a.scopes...)
	}
	return o
}

func (as *apps) list(r *request) (any, error) {
	as.mu.Lock()
	defer as.mu.Unlock()
	var all []object
	for _, a := range as.all {
		if a.mayUse(r.user) {
			a.settle(r.now, func(string, time.Time) {})
			all = append(all, a.show(r))
		}
	}
	return r.pageOf("apps", all)
}

// named looks up the {name} of the path for its users. Needs as.mu held.
func (as *apps) named(r *request) (*app, error) {
	for _, a := range as.all {
		if a.name == r.PathValue("name") {
			if !a.mayUse(r.user) {
				return nil, denied("User " + r.user.UserName + " does not have CAN_USE on App " + a.name + ".")
			}
			a.settle(r.now, func(string, time.Time) {})
			return a, nil
		}
	}
	return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "App with name "+r.PathValue("name")+" does not exist or is deleted.")
}

func (as *apps) get(r *request) (any, error) {
	as.mu.Lock()
	defer as.mu.Unlock()
	a, err := as.named(r)
	if err != nil {
		return nil, err
	}
	return a.show(r), nil
}

const appChange = 30 * time.Second // to start or to stop

func (as *apps) start(r *request) (any, error) {
	return as.change(r, "STOPPED", "STARTING", "ACTIVE")
}

func (as *apps) stop(r *request) (any, error) {
	return as.change(r, "ACTIVE", "STOPPING", "STOPPED")
}

// change moves the compute of an app from one state through another to a third.
// A restart mends a crash.
func (as *apps) change(r *request, from, through, to string) (any, error) {
	as.mu.Lock()
	defer as.mu.Unlock()
	a, err := as.named(r)
	if err != nil {
		return nil, err
	}
	if !r.user.Admin && !is(r.user, a.creator) {
		return nil, denied("User " + r.user.UserName + " does not have CAN_MANAGE on App " + a.name + ".")
	}
	if a.state != from {
		return nil, failure(http.StatusBadRequest, "BAD_REQUEST", "App "+a.name+" is "+a.state+", not "+from+".")
	}
	a.pass(through, r.now, appChange, to)
	a.crashed = false
	return a.show(r), nil
}

// serve registers a route of the app servers of some kinds; all other requests
// to apps are answered by missing routes. Who has no OAuth token is sent to
// sign in, as a browser would be.
func (as *apps) serve(method, path string, answers map[string]handler) {
	as.w.open(method+" "+appsPath+"{name}"+path, func(r *request) (any, error) {
		user, refused := as.w.people.identify(r.Request, r.now)
		if refused != nil || as.w.people.scopesOf(r.Request) == nil {
			r.w.Header().Set("Location", as.signIn(r))
			return answer{http.StatusFound, nil}, nil
		}
		r.user = user
		as.mu.Lock()
		a, err := as.named(r)
		state := ""
		if a != nil {
			state, _ = a.status()
		}
		as.mu.Unlock()
		switch {
		case err != nil:
			return nil, err
		case state != "RUNNING":
			r.w.Header().Set("Content-Type", "text/html; charset=utf-8")
			r.w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = fmt.Fprint(r.w, "<!doctype html><title>App Not Available</title><p>Sorry, the Databricks app you are trying to access is currently not available.")
			return nil, errWritten
		}
		for kinds, h := range answers {
			if slices.Contains(strings.Fields(kinds), a.server) {
				return h(r)
			}
		}
		return detail(http.StatusNotFound, "Not Found"), nil
	})
}

// signIn is the login page of the workspace.
func (as *apps) signIn(r *request) string {
	host := "https://sandbox.brickmcp.invalid"
	if r.TLS == nil {
		host = r.base()
	}
	return host + "/oidc/v1/authorize?" + url.Values{"response_type": {"code"}, "client_id": {stableUUID("client of app " + r.PathValue("name"))}, "redirect_uri": {"https://" + r.Host + "/.auth/callback"}}.Encode()
}

// detail is an error of an app's own server.
func detail(status int, text any) answer { return answer{status, object{"detail": text}} }

// find returns nil for an unknown name.
func (as *apps) find(name string) *app {
	as.mu.Lock()
	defer as.mu.Unlock()
	for _, a := range as.all {
		if a.name == name {
			return a
		}
	}
	return nil
}

func (a *app) mayUse(user *principal) bool {
	return user.Admin || is(user, a.creator) || slices.ContainsFunc(a.use, user.in)
}

// ask has the agent in the app answer with the rights of user.
func (as *apps) ask(ctx context.Context, a *app, user *principal, text string) (string, error) {
	as.mu.Lock()
	a.settle(as.w.clock.Now(), func(string, time.Time) {})
	state, _ := a.status()
	as.mu.Unlock()
	if state != "RUNNING" {
		return "", fmt.Errorf("app %s is not available: its state is %s", a.name, state)
	}
	space := as.w.genie.all[0]
	if a.server == appLongRunning {
		space = as.w.genie.all[1]
	}
	answer, _, err := space.ask(ctx, as.w.lakehouse, user, text)
	return answer, err
}

// spoken is the text of an agent's input: a string, or the last user message of
// a list of items, or such a list in an object.
func spoken(input json.RawMessage) string {
	var text string
	if json.Unmarshal(input, &text) == nil {
		return text
	}
	var items []object
	if unmarshal(input, &items) == nil {
		text, _ = (&responsesRequest{items: items}).turn()
		return text
	}
	var wrapped map[string]json.RawMessage
	if unmarshal(input, &wrapped) == nil {
		for _, key := range []string{"input", "messages", "query"} {
			if inner, ok := wrapped[key]; ok {
				return spoken(inner)
			}
		}
	}
	return ""
}
