package tools

import (
	"context"
	"fmt"
	"strings"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/policy"
	"brickmcp/tools/runs"
)

const (
	// maxRunWait keeps a call that waits for a run below callTime, and that below the
	// 60 s at which clients give up.
	maxRunWait = 45 * time.Second
	// startTime is what a start that also waits leaves for the start itself.
	startTime = 2 * time.Second
)

// Approvals says who may let an agent's tool act.
type Approvals string

// The settings. Without one, a person is asked where the client can, and the tool
// supervisor_approve is there for the others.
const (
	ApprovalsEither Approvals = ""
	ApprovalsElicit Approvals = "elicit" // only a person who is asked through the client
	ApprovalsTool   Approvals = "tool"   // only supervisor_approve
	ApprovalsNever  Approvals = "never"  // nobody: runs stay pending
)

// backends are who does the work of runs, by the beginning of their agent.
var backends = []struct {
	prefix string // with its slash; "": no agent at all
	open   func(s *Server) runs.Backend
}{
	{"", func(s *Server) runs.Backend {
		return &runs.Supervisor{API: s.api, Host: s.origin, Permits: mayAskAgent}
	}},
	{"apps/", func(s *Server) runs.Backend { return &runs.Apps{API: s.api, Open: s.app} }},
	{"endpoints/", func(s *Server) runs.Backend { return &runs.Endpoints{API: s.api} }},
	{"genie/", func(s *Server) runs.Backend { return &runs.Genie{API: s.api} }},
}

// newRunner joins the registry, which all workspaces share, with the backends of
// this one.
func (s *Server) newRunner() *runs.Runner {
	opened := make([]runs.Backend, len(backends))
	for i, b := range backends {
		opened[i] = b.open(s)
	}
	return &runs.Runner{Registry: s.registry, Backend: func(agent string) (runs.Backend, error) {
		for i, b := range backends {
			if name, ok := strings.CutPrefix(agent, b.prefix); ok && (name == "") == (b.prefix == "") {
				return opened[i], nil
			}
		}
		return nil, &catalog.Error{Kind: catalog.Invalid, Message: fmt.Sprintf("agent %q is of no known kind", cutText(agent, 80)),
			Advice: "Give " + agentForms() + ", or no agent for the Supervisor. Nothing was sent."}
	}}
}

// mayAskAgent reports whether the policy lets an agent through, as in a list.
func mayAskAgent(ctx context.Context, agent string) bool {
	rules := rulesOf(ctx)
	return rules == nil || rules.Shows(policy.Object{Scope: catalog.ScopeAgents, ID: agent})
}

func agentForms() string {
	var forms []string
	for _, b := range backends {
		switch b.prefix {
		case "":
		case "genie/":
			forms = append(forms, "genie/SPACE_ID")
		default:
			forms = append(forms, b.prefix+"NAME")
		}
	}
	return strings.Join(forms, ", ")
}

// runOwner is whose runs a call is about. Who that is must be known: runs are found
// by it.
func (s *Server) runOwner(ctx context.Context) (runs.Owner, error) {
	who, err := s.identities.current(ctx)
	if err != nil {
		return runs.Owner{}, err
	}
	return runs.Owner{Host: s.place(), User: who.User}, nil
}

// startSupervisorRun starts a run in the background, or streams it.
func (s *Server) startSupervisorRun(ctx context.Context, call *catalog.Call) ([]byte, error) {
	began := time.Now()
	request, agent, err := runRequest(call)
	if err != nil {
		return nil, err
	}
	owner, err := s.runOwner(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.goOn(ctx, owner, agent, &request); err != nil {
		return nil, err
	}
	run, err := s.runner.Start(ctx, owner, agent, request)
	if err != nil {
		return nil, err
	}
	if request.Stream {
		waiting, cancel := context.WithDeadline(ctx, began.Add(maxRunWait))
		defer cancel()
		if seen, _, err := s.runner.Wait(waiting, owner, run.ID, s.tellRun(ctx)); err == nil && seen != nil {
			run = seen
		}
	}
	if run.Status.Polls() && !request.Stream {
		return s.runStarted(run), nil
	}
	return s.runResult(call, run, nil), nil
}

// getSupervisorRun looks once.
func (s *Server) getSupervisorRun(ctx context.Context, call *catalog.Call) ([]byte, error) {
	owner, id, err := s.namedRun(ctx, call)
	if err != nil {
		return nil, err
	}
	run, looked, err := s.runner.Look(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	if err := checkItemPage(call, run); err != nil {
		return nil, err
	}
	return s.runResult(call, run, looked), nil
}

func (s *Server) namedRun(ctx context.Context, call *catalog.Call) (runs.Owner, string, error) {
	id, _ := argument[string](call, "run_id")
	owner, err := s.runOwner(ctx)
	return owner, id, err
}

// waitSupervisorRun looks until there is something to say. That its time is over is
// no failure: the run is as it is, and the answer says when to look again.
func (s *Server) waitSupervisorRun(ctx context.Context, call *catalog.Call) ([]byte, error) {
	began := time.Now()
	owner, id, err := s.namedRun(ctx, call)
	if err != nil {
		return nil, err
	}
	seconds, given := argument[int64](call, "timeout_seconds")
	wait := maxRunWait
	if given {
		wait = time.Duration(min(seconds, int64(maxRunWait/time.Second))) * time.Second
	}
	end := began.Add(wait)
	if deadline, ok := ctx.Deadline(); ok && deadline.Add(-startTime).Before(end) {
		end = deadline.Add(-startTime)
	}
	if wait == 0 {
		end = began.Add(startTime) // for one look
	}
	waiting, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	var run *runs.Run
	var looked error
	if wait == 0 {
		run, looked, err = s.runner.Look(waiting, owner, id)
	} else {
		run, looked, err = s.runner.Wait(waiting, owner, id, s.tellRun(ctx))
	}
	switch {
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		return nil, &catalog.Error{Kind: catalog.Busy, Err: ctx.Err(), Message: call.About() + ": the call was cancelled", Advice: "The run goes on."}
	}
	return s.runResult(call, run, looked), nil
}

// tellRun passes on what a run is at.
func (s *Server) tellRun(ctx context.Context) func(*runs.Run) {
	return func(run *runs.Run) {
		calls, seconds := 0, int(time.Since(run.Created).Seconds())
		for _, item := range run.Items {
			if kind := itemType(item); kind == "function_call" || kind == "mcp_approval_request" {
				calls++
			}
		}
		message := fmt.Sprintf("%s, %s, %d s", run.Status, plural(calls, "tool call"), seconds)
		if run.Doing != "" {
			message += ": " + cutText(run.Doing, 100)
		}
		Progress(ctx, message)
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

type personKey struct{}

// byPerson marks a call that a person decided, who was asked through the client.
func byPerson(ctx context.Context) context.Context {
	return context.WithValue(ctx, personKey{}, true)
}

// approveRun answers what a run waits for.
func (s *Server) approveRun(ctx context.Context, call *catalog.Call) ([]byte, error) {
	by := "tool"
	if ctx.Value(personKey{}) != nil {
		by = "person"
	}
	refuse := func(why, advice string) ([]byte, error) {
		return nil, &catalog.Error{Kind: catalog.Denied, Message: call.About() + ": " + why, Advice: advice + " Nothing was sent."}
	}
	switch {
	case s.approvals == ApprovalsNever:
		return refuse("approvals are switched off here (--approvals never)", "The run stays pending; supervisor_cancel_run ends it.")
	case s.approvals == ApprovalsElicit && by == "tool":
		return refuse("only a person may approve (--approvals elicit)", "Call supervisor_wait_run: it asks the person through a client that can.")
	}
	decisions, err := decisionsOf(call)
	if err != nil {
		return nil, err
	}
	owner, id, err := s.namedRun(ctx, call)
	if err != nil {
		return nil, err
	}
	run, err := s.runner.Approve(ctx, owner, id, decisions, by)
	if err != nil {
		return nil, err
	}
	if run.Status.Polls() {
		return s.runStarted(run), nil
	}
	return s.runResult(call, run, nil), nil
}

// cancelSupervisorRun stops a run, or says truthfully that it could not.
func (s *Server) cancelSupervisorRun(ctx context.Context, call *catalog.Call) ([]byte, error) {
	owner, id, err := s.namedRun(ctx, call)
	if err != nil {
		return nil, err
	}
	run, err := s.runner.Cancel(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	return s.runResult(call, run, nil), nil
}

// listSupervisorRuns reads the registry: the service has no list.
func (s *Server) listSupervisorRuns(ctx context.Context, call *catalog.Call) ([]byte, error) {
	if err := checkFields(call); err != nil {
		return nil, err
	}
	owner, err := s.runOwner(ctx)
	if err != nil {
		return nil, err
	}
	status, _ := argument[string](call, "status")
	var head object
	head.untrusted("runs") // they show what was asked
	head.name("runs")
	out := append(head.buf, '[')
	returned := 0
	listed, err := s.registry.List(owner, call.Page.Token, func(run *runs.Run) (take, stop bool) {
		shown := s.shownStatus(run)
		if status != "" && status != string(shown) {
			return false, false
		}
		before := len(out)
		if returned > 0 {
			out = append(out, ',')
		}
		start := len(out)
		out = append(out, listedRun(call, run, shown)...)
		if len(out) > s.budget-headRoom || returned == maxListedRuns {
			if returned > 0 {
				out = out[:before]
				return false, true
			}
			out = append(out[:start], shorten(out[start:], s.budget-headRoom-start)...)
		}
		returned++
		return true, false
	})
	if err != nil {
		return nil, err
	}
	tail := object{buf: append(out, ']')}
	tail.integer("returned", int64(returned))
	tail.boolean("truncated", listed.Next != "")
	if listed.Next != "" {
		tail.text("next_page_token", listed.Next)
	}
	if listed.Damaged > 0 {
		tail.text("note", plural(listed.Damaged, "record")+" in the state directory cannot be read and is left out")
	} else if !s.registry.Durable() {
		tail.text("note", memoryNote)
	}
	return tail.bytes(), nil
}

// maxListedRuns bounds a page: an agent rarely wants more.
const maxListedRuns = 50
