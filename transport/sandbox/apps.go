package sandbox

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// app is a Databricks App.
type app struct {
	id, name, description string
	server                string // what runs in it: appDurable, appLongRunning, "" nothing we serve
	creator               string
	use                   []string // groups with CAN_USE; admins have it besides
	scopes                []string // user_api_scopes
	compute, state        string   // ComputeState, ApplicationState
	message               string   // of the state
	created               time.Time
}

// Kinds of agent servers in apps (contract supervisor.md, section 9).
const (
	appDurable     = "durable"
	appLongRunning = "long-running"
)

// apps is the Apps API and the apps themselves.
type apps struct {
	w *Workspace

	mu  sync.Mutex // guards what follows, and state of the apps
	all []*app
}

func addApps(w *Workspace) error {
	w.apps = &apps{w: w, all: seedApps()}
	return nil
}

// seedApps: an agent on AgentKit, one on the older server, one that has crashed
// and one that is stopped.
func seedApps() []*app {
	made := seeded.AddDate(0, -2, 0)
	return []*app{
		{name: "agent-bricks-orders", description: "Answers questions about orders (AgentKit)", server: appDurable, creator: anaName, use: []string{"users"}, scopes: []string{"sql", "genie"}, compute: "ACTIVE", state: "RUNNING", created: made},
		{name: "stock-agent", description: "Answers questions about returns and stock", server: appLongRunning, creator: anaName, use: []string{"data-engineers"}, scopes: []string{"sql"}, compute: "ACTIVE", state: "RUNNING", created: made.AddDate(0, 0, 3)},
		{name: "forecast-agent", description: "Forecasts demand", server: appDurable, creator: "carla@example.com", use: []string{"users"}, compute: "ACTIVE", state: "CRASHED", message: "The app crashed: exit code 1. Look into its logs.", created: made.AddDate(0, 0, 9)},
		{name: "sales-dashboard", description: "Dashboard of the sales team", creator: "carla@example.com", use: []string{"users"}, compute: "STOPPED", state: "UNAVAILABLE", message: "App compute is stopped.", created: made.AddDate(0, 0, 20)},
	}
}

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
	state := a.state
	as.mu.Unlock()
	if state != "RUNNING" {
		return "", fmt.Errorf("App %s is not available: its state is %s.", a.name, state) //lint:ignore ST1005 a sentence for the agent
	}
	space := as.w.genie.all[0]
	if a.server == appLongRunning {
		space = as.w.genie.all[1]
	}
	answer, _, err := space.ask(ctx, as.w.lakehouse, user, text)
	return answer, err
}
