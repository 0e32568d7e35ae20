package runs

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"brickmcp/catalog"
)

// Apps runs agents that live on Databricks Apps. Which of the two known servers an
// app has is found out by the first request, and remembered with the run
// (contract/supervisor.md, section 9).
type Apps struct {
	API catalog.Caller // of the workspace
	// Open opens an app by its URL, as tools.Workspace.App; nil: apps cannot be
	// reached.
	Open func(ctx context.Context, url string) (catalog.Caller, error)

	mu   sync.Mutex
	seen map[string]seenApp // by name
}

type seenApp struct {
	url string
	at  time.Time
}

const (
	appPrefix = "apps/"
	// appTime is how long polls trust the URL of an app.
	appTime = 10 * time.Minute
	maxApps = 200 // that are remembered
)

var (
	_ Backend   = (*Apps)(nil)
	_ Recoverer = (*Apps)(nil)
)

// The servers.
const (
	durable     = "durable"      // AgentKit's DurableAgentServer
	preview     = "preview"      // the same, older
	longRunning = "long_running" // LongRunningAgentServer
)

// appState is what an app's run remembers.
type appState struct {
	Server  string `json:"server"`
	ID      string `json:"id"`                // as the server names it
	Session string `json:"session,omitempty"` // of a durable server
	After   int64  `json:"after,omitempty"`   // the last event that was read
	Silent  bool   `json:"silent,omitempty"`  // it has no events
	Attempt int64  `json:"attempt,omitempty"` // of a long-running server
}

func stateOf(run *Run) (appState, error) {
	var state appState
	if err := json.Unmarshal(run.State, &state); err != nil || state.Server == "" {
		return state, &catalog.Error{Kind: catalog.Internal, Message: "run " + run.ID + ": its record does not say which server has it", Advice: "The run cannot be reached from here."}
	}
	return state, nil
}

// remember writes the state down before a request that it is needed for.
func (s appState) remember(run *Run) error {
	s.put(run)
	if err := run.Save(); err != nil {
		return notWritten("run "+run.ID, err)
	}
	return nil
}

func (s appState) put(run *Run) { run.State = item(s) }

// Start implements Backend.
func (a *Apps) Start(ctx context.Context, run *Run) error {
	name := strings.TrimPrefix(run.Agent, appPrefix)
	if err := onlyInput(run, "app "+name); err != nil {
		return err
	}
	session := run.Request.ConversationID
	if session == "" {
		session = run.ID
	}
	if !validSession(session) {
		return &catalog.Error{Kind: catalog.Invalid, Message: "conversation_id cannot be the session of an app: it must be 1 to 200 characters of ASCII without commas, control characters and spaces at its ends", Advice: "Leave it out for a new session. Nothing was sent."}
	}
	app, err := a.connect(ctx, name)
	if err != nil {
		return err
	}
	state := appState{Server: durable, ID: invocationID(run), Session: session}
	if err := state.remember(run); err != nil {
		return err
	}
	err = startDurable(ctx, app, run, &state)
	if unprocessable(err) {
		// A preview calls the key run_id, and refuses any field that it does not
		// know. What was refused did not begin.
		state.Server = preview
		if err := state.remember(run); err != nil {
			return err
		}
		if second := startPreview(ctx, app, run, &state); !unprocessable(second) {
			err = second
		}
	}
	if noRoute(err) {
		state = appState{Server: longRunning}
		if err := state.remember(run); err != nil {
			return err
		}
		if err = startLongRunning(ctx, app, run, &state); noRoute(err) {
			return &catalog.Error{Kind: catalog.Missing, Err: err, Message: "app " + name + " answers neither at /api/invocations nor at /responses: it is no agent server that is known here", Advice: "Use another agent. Nothing began."}
		}
	}
	if err != nil {
		return appError(name, err)
	}
	state.put(run)
	return nil
}

// Recover implements Recoverer. A durable server knows the request by its key; what
// one of the others got, nobody can tell.
func (a *Apps) Recover(ctx context.Context, run *Run) error {
	if len(run.State) == 0 { // it is written before anything is sent
		return a.Start(ctx, run)
	}
	state, err := stateOf(run)
	if err != nil {
		return err
	}
	if state.Server != durable {
		return &catalog.Error{Kind: catalog.UnknownFate, Message: "run " + run.ID + ": whether app " + strings.TrimPrefix(run.Agent, appPrefix) + " got it is not known", Advice: catalog.StartAppResponse.Verify}
	}
	name := strings.TrimPrefix(run.Agent, appPrefix)
	app, err := a.connect(ctx, name)
	if err != nil {
		return err
	}
	err = startDurable(ctx, app, run, &state)
	if kind := kindOf(err); err != nil && (kind == catalog.Conflict || catalog.AsError(err).Code == authRecovery) {
		// The server knows the key, and will not take it up: not now, and not later.
		e := catalog.AsError(appError(name, err))
		run.Responses = []Response{{ID: state.ID, CreatedAt: time.Now().UTC(), Status: "failed"}}
		run.End(Failed, &Failure{Code: cmp.Or(e.Code, string(e.Kind)), Message: cut(e.Message, maxFailureText)})
		return nil
	}
	if err != nil {
		return appError(name, err)
	}
	state.put(run)
	return nil
}

// Poll implements Backend.
func (a *Apps) Poll(ctx context.Context, run *Run) error {
	name := strings.TrimPrefix(run.Agent, appPrefix)
	state, err := stateOf(run)
	if err != nil {
		return err
	}
	app, err := a.reach(ctx, name)
	if deleted(err) {
		endWithApp(run)
		return nil
	}
	if err != nil {
		return err
	}
	look := pollDurable
	if state.Server == longRunning {
		look = pollLongRunning
	}
	if err := look(ctx, app, run, &state); err != nil {
		// An app that does not run answers for itself in many ways; one that was made
		// anew has another URL.
		switch _, asked := a.connect(ctx, name); {
		case asked == nil || ctx.Err() != nil:
		case deleted(asked):
			endWithApp(run)
			return nil
		case stopped(asked):
			return asked
		}
		return appError(name, err)
	}
	state.put(run)
	return nil
}

// Continue implements Backend: an app's agent asks in its own output.
func (a *Apps) Continue(context.Context, *Run, []Decision) error { return ErrNoApprovals }

// deleted reports that the workspace has no such app.
func deleted(err error) bool {
	return kindOf(err) == catalog.Missing && !catalog.AsError(err).MissingRoute
}

func endWithApp(run *Run) {
	run.End(Expired, &Failure{Code: "not_found", Message: "the app does not exist any more, and what came of the run went with it"})
}

// Cancel implements Backend. Durable servers have no such call, and the others
// answer that they have none.
func (a *Apps) Cancel(ctx context.Context, run *Run) (stopped bool, err error) {
	state, err := stateOf(run)
	if err != nil {
		return false, nil
	}
	if state.Server == longRunning {
		app, err := a.reach(ctx, strings.TrimPrefix(run.Agent, appPrefix))
		if err != nil {
			return false, nil // nobody is there to stop it
		}
		if stopped, err = cancelLongRunning(ctx, app, run, state); err != nil || stopped {
			return stopped, err
		}
	}
	endedMeanwhile(ctx, a, run)
	return false, nil
}

// connect finds the app and opens it, when it runs.
func (a *Apps) connect(ctx context.Context, name string) (catalog.Caller, error) {
	if a.Open == nil {
		return nil, &catalog.Error{Kind: catalog.Denied, Message: "app " + name + ": apps cannot be reached from this server", Advice: "Use another agent."}
	}
	app, err := catalog.GetApp.Call(ctx, a.API, catalog.AppName{Name: name})
	if err != nil {
		return nil, err
	}
	if err := running(name, app); err != nil {
		return nil, err
	}
	caller, err := a.Open(ctx, app.URL)
	if err != nil {
		return nil, appError(name, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil || len(a.seen) >= maxApps {
		a.seen = map[string]seenApp{}
	}
	a.seen[name] = seenApp{app.URL, time.Now()}
	return caller, nil
}

// reach is connect, without a look at the app where one was taken lately.
func (a *Apps) reach(ctx context.Context, name string) (catalog.Caller, error) {
	a.mu.Lock()
	known := a.seen[name]
	a.mu.Unlock()
	if known.url == "" || time.Since(known.at) > appTime {
		return a.connect(ctx, name)
	}
	caller, err := a.Open(ctx, known.url)
	if err != nil {
		return nil, appError(name, err)
	}
	return caller, nil
}

// running refuses an app that cannot answer, and says how it can.
func running(name string, app *catalog.App) error {
	refuse := func(kind catalog.Kind, state *catalog.AppState, problem, advice string) error {
		e := &catalog.Error{Kind: kind, Message: "app " + name + " " + problem, Advice: advice}
		if state.Message != "" {
			e.Message += ": " + cut(state.Message, 300)
			e.Quoted = true
		}
		return e
	}
	how := "A person with CAN_MANAGE on it can start it: on its page under Compute > Apps, or with `databricks apps start " + name + "`."
	if s := app.ComputeStatus; s != nil {
		switch s.State {
		case "STOPPED", "STOPPING", "DELETING", "ERROR":
			return refuse(catalog.Conflict, s, "does not run (compute "+s.State+")", how)
		case "STARTING", "UPDATING":
			return refuse(catalog.Busy, s, "is coming up (compute "+s.State+")", "Start the run again in a minute.")
		}
	}
	if s := app.AppStatus; s != nil {
		switch s.State {
		case "CRASHED":
			return refuse(catalog.Conflict, s, "has crashed", "Its logs, at the app's URL with /logz, say why. Once that is mended: "+how)
		case "UNAVAILABLE":
			return refuse(catalog.Conflict, s, "is not available", how)
		case "DEPLOYING":
			return refuse(catalog.Busy, s, "is being deployed", "Start the run again in a minute.")
		}
	}
	if app.URL == "" {
		return &catalog.Error{Kind: catalog.Conflict, Message: "app " + name + " has no URL yet", Advice: "It was never deployed. " + how}
	}
	return nil
}

// stopped reports errors of running.
func stopped(err error) bool {
	e := catalog.AsError(err)
	return e.Status == 0 && (e.Kind == catalog.Conflict || e.Kind == catalog.Busy)
}

// appError puts what an app answered into words. In its own code the contract's
// three words of user authorization mean more than their status.
func appError(name string, err error) error {
	e := *catalog.AsError(err)
	if !strings.Contains(e.Message, "app "+name) {
		e.Message = "app " + name + ": " + e.Message
	}
	switch {
	case e.Code == "MCP_USER_AUTH_REQUIRED":
		e.Kind = catalog.SignIn
		e.Advice = "Its tools act for the user, and the app got no token of theirs: a person must open the app in a browser once and agree, and the app needs user authorization."
	case e.Code == "MCP_PERMISSION_DENIED":
		e.Kind = catalog.Forbidden
		e.Advice = "The user lacks the right to what a tool of the agent uses; its owner can grant it."
	case e.Code == authRecovery:
		e.Kind = catalog.Conflict
		e.Advice = "The app cannot take up again what was begun with a user's token. Start a new run."
	case e.Status >= 300 && e.Status < 400:
		e.Kind = catalog.SignIn
		e.Message = "app " + name + ": it sends to a login page, so it did not take the token"
		e.Advice = "A person must sign in again with OAuth (brickmcp login), as a user who has CAN_USE on the app."
	case e.Status == http.StatusNotImplemented:
		e.Kind = catalog.Conflict
		e.Advice = "Its server keeps no background runs: the app's owner must give it a database."
	}
	return &e
}

// noRoute reports that a request to start met nothing that starts.
func noRoute(err error) bool { return httpStatus(err) == 404 || httpStatus(err) == 405 }

func unprocessable(err error) bool { return httpStatus(err) == http.StatusUnprocessableEntity }

// httpStatus is the HTTP status of an error; 0 of none.
func httpStatus(err error) int {
	if err == nil {
		return 0
	}
	return catalog.AsError(err).Status
}

// unknownThere reports that the app runs, and does not know what was asked for.
func unknownThere(err error) bool {
	return httpStatus(err) == http.StatusNotFound && !catalog.AsError(err).MissingRoute
}

// onlyInput refuses what is the agent's own business.
func onlyInput(run *Run, agent string) error {
	r := run.Request
	var given []string
	for name, is := range map[string]bool{
		"model": r.Model != "", "instructions": r.Instructions != "", "tools": len(r.Tools) > 0,
		"trace_destination": len(r.TraceDestination) > 0, "reasoning": len(r.Reasoning) > 0,
	} {
		if is {
			given = append(given, name)
		}
	}
	if len(given) == 0 {
		return nil
	}
	slices.Sort(given)
	return &catalog.Error{Kind: catalog.Invalid, Message: agent + " has settings of its own and cannot be given " + strings.Join(given, ", "), Advice: "Leave them out: they are for runs of the Supervisor. Nothing was sent."}
}

// validSession: what the server takes in its header (section 9.1).
func validSession(s string) bool {
	if s == "" || len(s) > 200 || strings.TrimSpace(s) != s {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f || s[i] == ',' {
			return false
		}
	}
	return true
}
