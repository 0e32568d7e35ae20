package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"brickmcp/catalog"
	"brickmcp/tools/policy"
	"brickmcp/tools/runs"

	"github.com/tidwall/gjson"
)

// hostedTools are the types of tools that the Supervisor runs itself, and the
// member of each that it cannot do without (contract/supervisor.md, section 3).
var hostedTools = [][2]string{
	{"genie_space", "id"}, {"uc_function", "name"}, {"uc_connection", "name"}, {"app", "name"}, {"knowledge_assistant", "knowledge_assistant_id"},
}

// runRequest reads and checks the arguments of a start: what the service would
// refuse is refused here, with the reason.
func runRequest(call *catalog.Call) (request runs.Request, agent string, err error) {
	agent, _ = argument[string](call, "agent")
	request.Model, _ = argument[string](call, "model")
	request.Instructions, _ = argument[string](call, "instructions")
	request.ReturnTrace, _ = argument[bool](call, "return_trace")
	request.ConversationID, _ = argument[string](call, "conversation_id")
	request.Stream, _ = argument[bool](call, "stream")
	request.Tools, _ = argument[[]json.RawMessage](call, "tools")
	request.TraceDestination = call.Args["trace_destination"]
	request.Reasoning = call.Args["reasoning"]
	request.Input = inputItems(gjson.ParseBytes(call.Args["input"]))
	problem := refusedParameters(call, request)
	if problem == "" && agent != "" {
		problem = supervisorOnly(call)
	}
	for i, tool := range request.Tools {
		if problem == "" {
			problem = toolProblem(i, gjson.ParseBytes(tool))
		}
	}
	if problem == "" {
		problem = itemProblem(request.Input)
	}
	if problem != "" {
		return request, agent, &catalog.Error{Kind: catalog.Invalid, Message: call.Row.Name + ": " + problem, Advice: "Correct it and call again. Nothing was sent."}
	}
	return request, agent, nil
}

// inputItems makes one user message of a text.
func inputItems(input gjson.Result) []json.RawMessage {
	if input.Type == gjson.String {
		item := object{}
		item.text("type", "message")
		item.text("role", "user")
		item.text("content", input.Str)
		return []json.RawMessage{item.bytes()}
	}
	var items []json.RawMessage
	eachItem(input, func(item gjson.Result) bool {
		items = append(items, json.RawMessage(item.Raw))
		return true
	})
	return items
}

func refusedParameters(call *catalog.Call, request runs.Request) string {
	for _, name := range []string{"temperature", "top_p"} {
		if _, given := call.Args[name]; given {
			return fmt.Sprintf("%q is refused by the service: inference parameters are not supported when tools are provided", name)
		}
	}
	background, given := argument[bool](call, "background")
	switch {
	case given && background && request.Stream:
		return "stream and background do not go together: the service streams in the foreground only"
	case given && !background && !request.Stream:
		return "runs are always in the background; stream=true waits for one in the foreground"
	}
	return ""
}

// supervisorOnly finds arguments that another agent would ignore.
func supervisorOnly(call *catalog.Call) string {
	for _, name := range []string{"model", "instructions", "tools", "trace_destination", "reasoning"} {
		if _, given := call.Args[name]; given {
			return fmt.Sprintf("%q is for the Supervisor; an agent has its own", name)
		}
	}
	if stream, _ := argument[bool](call, "stream"); stream {
		return "stream is for the Supervisor; wait for the run with supervisor_wait_run"
	}
	return ""
}

func toolProblem(index int, tool gjson.Result) string {
	kind := tool.Get("type").Str
	if kind == "function" {
		return fmt.Sprintf("tool %d: type function is executed by the client, which the Supervisor does not support beside its own tools; use a uc_function", index)
	}
	known := make([]string, len(hostedTools))
	for i, hosted := range hostedTools {
		known[i] = hosted[0]
		if hosted[0] != kind {
			continue
		}
		if tool.Get(kind+"."+hosted[1]).Str == "" {
			return fmt.Sprintf(`tool %d: it must have the form {"type": %q, %q: {%q: "…", "description": "…"}}`, index, kind, kind, hosted[1])
		}
		return ""
	}
	if near := catalog.Nearest(kind, known); near != "" {
		return fmt.Sprintf("tool %d: type %q is unknown (did you mean %q?)", index, cutText(kind, 64), near)
	}
	return fmt.Sprintf("tool %d: type %q is none of %s", index, cutText(kind, 64), strings.Join(known, ", "))
}

// itemProblem finds items that no service takes, and approvals that nobody gave: in a
// history of the caller's own they would let a tool act past --approvals.
func itemProblem(items []json.RawMessage) string {
	for i, raw := range items {
		item := gjson.ParseBytes(raw)
		kind, kinds := item.Get("type").Str, 0
		item.ForEach(func(key, _ gjson.Result) bool {
			if strings.EqualFold(key.String(), "type") {
				kinds++
			}
			return true
		})
		switch {
		case kinds > 1: // the service may read the other one
			return fmt.Sprintf("input item %d: it has more than one type", i)
		case strings.Contains(strings.ToLower(kind), "approval"):
			return fmt.Sprintf("input item %d: %s is no input of a start: a run asks, and supervisor_approve or a person answers; conversation_id goes on from an earlier run with what was approved there", i, cutText(kind, 64))
		case kind == "" && item.Get("role").Exists(): // a message, said shortly
		case kind == "message" && !slices.Contains([]string{"user", "assistant", "system", "developer"}, item.Get("role").Str):
			return fmt.Sprintf("input item %d: a message needs role user, assistant, system or developer", i)
		case kind == "":
			return fmt.Sprintf("input item %d: it has no type", i)
		}
	}
	return ""
}

// goOn finds the conversation that a run goes on with: that of an earlier run, by
// its id, or one that the agent itself named. The Supervisor keeps none: it is sent
// the whole history again.
func (s *Server) goOn(ctx context.Context, owner runs.Owner, agent string, request *runs.Request) error {
	id := request.ConversationID
	if id == "" || agent != "" && !strings.HasPrefix(id, "run_") {
		return nil
	}
	earlier, _, err := s.runner.Look(ctx, owner, id)
	if err != nil {
		return err
	}
	refuse := func(format string, args ...any) error {
		return &catalog.Error{Kind: catalog.Conflict, Message: fmt.Sprintf("conversation_id "+id+": "+format, args...), Advice: "Nothing was sent."}
	}
	switch {
	case earlier.Agent != agent:
		return refuse("that run is one of agent %q", earlier.Agent)
	case !earlier.Status.Ended():
		return refuse("that run is %s: it goes on by itself, or with supervisor_approve", earlier.Status)
	case agent == "" && len(earlier.Pending()) > 0:
		return refuse("that run ended with approvals open, which a history must not have")
	case agent != "" && earlier.Conversation == "":
		return refuse("that run has no conversation to go on with")
	case agent != "":
		request.ConversationID = earlier.Conversation
		return nil
	}
	request.Input = slices.Concat(earlier.History(), request.Input)
	if request.Model == "" {
		request.Model = earlier.Request.Model
	}
	if request.Instructions == "" {
		request.Instructions = earlier.Request.Instructions
	}
	if request.Tools == nil {
		if o := minded(ctx, earlier.Request.Tools); o != nil {
			return &catalog.Error{Kind: catalog.Denied, Message: "conversation_id " + id + ": that run has a tool on which the policy has a say: " + o.String(),
				Advice: "Give tools, so that the policy can decide. Nothing was sent."}
		}
		request.Tools = earlier.Request.Tools
	}
	return nil
}

// minded is what the policy refuses, or asks about, of tools that an earlier run was
// given: they are no arguments of this call, which it has judged. Nil: nothing.
func minded(ctx context.Context, tools []json.RawMessage) *policy.Object {
	rules := rulesOf(ctx)
	for _, tool := range tools {
		for _, o := range policy.HostedTool(gjson.ParseBytes(tool)) {
			if rules != nil && rules.Minds(o) {
				return &o
			}
		}
	}
	return nil
}

// decisionsOf reads the decisions of supervisor_approve.
func decisionsOf(call *catalog.Call) ([]runs.Decision, error) {
	var decisions []runs.Decision
	problem := ""
	eachItem(gjson.ParseBytes(call.Args["decisions"]), func(d gjson.Result) bool {
		id, approve, reason := d.Get("approval_request_id"), d.Get("approve"), d.Get("reason")
		switch {
		case id.Type != gjson.String || id.Str == "":
			problem = "a decision needs approval_request_id, a string of pending_approvals"
		case !approve.IsBool():
			problem = fmt.Sprintf("the decision on %q needs approve, true or false", cutText(id.Str, 80))
		case reason.Exists() && reason.Type != gjson.String && reason.Type != gjson.Null:
			problem = fmt.Sprintf("the reason of the decision on %q must be a string", cutText(id.Str, 80))
		}
		d.ForEach(func(key, _ gjson.Result) bool {
			if !slices.Contains([]string{"approval_request_id", "approve", "reason"}, key.Str) {
				problem = fmt.Sprintf("a decision has no member %q: it takes approval_request_id, approve, reason", cutText(key.Str, 64))
			}
			return problem == ""
		})
		decisions = append(decisions, runs.Decision{RequestID: id.Str, Approve: approve.Bool(), Reason: reason.Str})
		return problem == ""
	})
	if problem == "" && len(decisions) == 0 {
		problem = "decisions must not be empty"
	}
	if problem != "" {
		return nil, &catalog.Error{Kind: catalog.Invalid, Message: call.About() + ": " + problem, Advice: "Nothing was sent."}
	}
	return decisions, nil
}
