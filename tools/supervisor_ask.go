package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"brickmcp/catalog"
	"brickmcp/tools/runs"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// approvalQuestion is the question about the tools that a run wants to use.
const approvalQuestion = "approval"

// askPatience is the least time that is worth asking a person in.
const askPatience = 8 * time.Second

// asksApproval reports whether a person is asked by the client behind ctx.
func (s *Server) asksApproval(ctx context.Context) bool {
	return (s.approvals == ApprovalsEither || s.approvals == ApprovalsElicit) &&
		s.access.Allows(&catalog.ApproveRun.Row) && canAsk(ctx)
}

// askApproval asks the person about the tools that a run waits for, when a wait
// ended with them, and lets the run go on by the answer. The result, if there is
// one, is to be returned now: the client calls again with the reply.
func (s *Server) askApproval(ctx context.Context, req mcp.CallToolRequest, row *catalog.Row, answer []byte, err error) ([]byte, *mcp.CallToolResult, error) {
	if err != nil || row.Name != catalog.WaitSupervisorRun.Name {
		return answer, nil, err
	}
	if gjson.GetBytes(answer, "error.sign_in_url").Exists() {
		asked, err := s.askConnection(ctx, req, row, gjson.GetBytes(answer, "run_id").Str)
		return answer, asked, err
	}
	if !s.asksApproval(ctx) || gjson.GetBytes(answer, "status").Str != string(runs.ApprovalRequired) {
		return answer, nil, nil
	}
	deadline, bounded := ctx.Deadline()
	if bounded && time.Until(deadline) < askPatience {
		return answer, nil, nil // the next wait asks at once
	}
	id := gjson.GetBytes(answer, "run_id").Str
	pending, bound := s.pendingOf(ctx, req, row, id)
	if len(pending) == 0 {
		return answer, nil, nil // it went on meanwhile
	}
	question, ids := approvalForm(pending)
	if len(question.Message) > maxQuestion {
		return answer, nil, nil // nobody can decide on what is not shown at all
	}
	// What comes back is the client's word. The token in its state says that this very
	// question was asked, and is good for one answer.
	reply, replied := replyTo(ctx, req, approvalQuestion)
	if !replied {
		if question.State, _, err = s.confirmations.issue(bound); err != nil {
			return nil, nil, err
		}
		var asked *mcp.CallToolResult
		reply, asked, err = s.askPerson(ctx, req, question, min(confirmPatience, time.Until(deadline)-startTime))
		if asked != nil {
			return answer, asked, nil
		}
		if err != nil || reply.Action == ReplyNone {
			s.confirmations.revoke(question.State)
			return answer, nil, nil
		}
	}
	decisions := repliedDecisions(reply, ids)
	if decisions == nil {
		s.confirmations.revoke(reply.State)
		return answer, nil, nil // it stays pending
	}
	if s.confirmations.redeem(reply.State, bound) != nil {
		return answer, nil, nil // an answer to another question, or to none
	}
	// The arguments of the wait name run and workspace.
	args := object{}
	args.text("run_id", id)
	args.raw("decisions", string(decisions))
	if profile := gjson.GetBytes(req.Params.RawArguments, profileArgument); s.several() && profile.Exists() {
		args.raw(profileArgument, profile.Raw)
	}
	given := args.bytes()
	approved, err := s.run(byPerson(ctx), &catalog.ApproveRun.Row, given)
	var waits *awaiting
	if errors.As(err, &waits) { // the person who would confirm it has just decided it
		confirmed, setErr := sjson.SetBytes(slices.Clone(given), confirmArgument, waits.token)
		if setErr != nil {
			return nil, nil, setErr
		}
		approved, err = s.run(byPerson(ctx), &catalog.ApproveRun.Row, confirmed)
	}
	if err != nil {
		return nil, nil, err
	}
	if left := time.Until(deadline) - startTime; bounded && left > startTime && !runs.Status(gjson.GetBytes(approved, "status").Str).Ended() {
		again, err := s.run(ctx, row, withTimeout(req.Params.RawArguments, left))
		return again, nil, err
	}
	return approved, nil, nil
}

// askConnection sends the person to where a connection wants a sign-in, which ended
// the run: once for each run, because a client may repeat a call that it was
// answered so. Clients that cannot open addresses find it in the run's error.
func (s *Server) askConnection(ctx context.Context, req mcp.CallToolRequest, row *catalog.Row, id string) (*mcp.CallToolResult, error) {
	run := s.recorded(ctx, req, row, id)
	if run == nil || run.Error == nil {
		return nil, nil
	}
	at := run.Error.SignInURL
	e := &catalog.Error{Kind: catalog.SignIn, Message: "run " + id + ": a connection wants its user to sign in", Advice: "Open " + at + ", then start the run again.", SignInURL: at, Err: catalog.ErrSignInElsewhere}
	asked, err := askToSignIn(ctx, req, e)
	if asked == nil && err == nil || !s.registry.FirstSignIn(id) {
		return nil, nil
	}
	if err != nil { // the older clients' way: an error, which is made of this one
		return nil, e
	}
	return asked, nil
}

// withTimeout are the arguments of a wait with less time.
func withTimeout(args json.RawMessage, left time.Duration) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(args, &members) != nil {
		return args
	}
	members["timeout_seconds"] = json.RawMessage(fmt.Sprint(int(left.Seconds())))
	shorter, err := json.Marshal(members)
	if err != nil {
		return args
	}
	return shorter
}

// recorded is the run that a call is about, from its record: the answer to the agent
// is cut to its budget, and a person is asked about all of it. Nil: there is none.
func (s *Server) recorded(ctx context.Context, req mcp.CallToolRequest, row *catalog.Row, id string) *runs.Run {
	w, _, err := s.in(row.Name, req.Params.RawArguments)
	if err != nil {
		return nil
	}
	owner, err := w.runOwner(ctx)
	if err != nil {
		return nil
	}
	run, _, err := w.runner.Look(ctx, owner, id)
	if err != nil {
		return nil
	}
	return run
}

// pendingOf is what the run waits for. The token of the question is bound to every
// byte of that.
func (s *Server) pendingOf(ctx context.Context, req mcp.CallToolRequest, row *catalog.Row, id string) ([]runs.Pending, binding) {
	run := s.recorded(ctx, req, row, id)
	if run == nil || run.Status != runs.ApprovalRequired {
		return nil, binding{}
	}
	pending := run.Pending()
	about := object{}
	about.text("run_id", id)
	about.raw("pending", string(pendingJSON(pending, every)))
	return pending, binding{User: run.Owner.User, Workspace: run.Owner.Host, Tool: approvalQuestion, Arguments: about.bytes()}
}

// approvalForm asks for one decision on each. What it quotes is the agent's; what of
// it is not shown is said, because it may be what matters.
func approvalForm(pending []runs.Pending) (Question, []string) {
	var text strings.Builder
	fmt.Fprintf(&text, "An agent run asks to use %s. What stands in quotes is the agent's own text.", plural(len(pending), "tool"))
	var ids, required []string
	properties := object{}
	share := max(maxQuestion/(len(pending)+1)-100, 100)
	for i, p := range pending {
		ids = append(ids, p.ID)
		name := decisionName(i)
		fmt.Fprintf(&text, "\n%d. %s on %s with %s", i+1, quotedFor(p.Name, 80), quotedFor(p.ServerLabel, 80), quotedFor(string(compactText(p.Arguments)), share))
		properties.raw(name, fmt.Sprintf(`{"type":"string","enum":["approve","refuse"],"title":"Decision %d"}`, i+1))
		required = append(required, name)
	}
	properties.raw("reason", `{"type":"string","title":"Reason, for the agent"}`)
	var schema object
	schema.text("type", "object")
	schema.raw("properties", string(properties.bytes()))
	schema.texts("required", required)
	return Question{ID: approvalQuestion, Message: text.String(), Schema: schema.bytes()}, ids
}

// compactText is JSON without its blanks, or a text as it is.
func compactText(text string) []byte {
	if gjson.Valid(text) {
		return compact(json.RawMessage(text))
	}
	return []byte(text)
}

// quotedFor is a text in quotes, with at most limit bytes between them, and how much
// is missing.
func quotedFor(text string, limit int) string {
	shown, size := 0, 0
	for shown < len(text) {
		_, width := utf8.DecodeRuneInString(text[shown:])
		size += len(strconv.Quote(text[shown:shown+width])) - len(`""`)
		if size > limit {
			return fmt.Sprintf("%q (and %d more bytes, which are not shown)", text[:shown], len(text)-shown)
		}
		shown += width
	}
	return strconv.Quote(text)
}

func decisionName(i int) string {
	if i == 0 {
		return "decision"
	}
	return fmt.Sprintf("decision_%d", i+1)
}

// repliedDecisions are the decisions of a reply; nil leaves everything pending. A
// person who declines refuses; one who closes the question has not decided.
func repliedDecisions(reply Reply, ids []string) json.RawMessage {
	decisions := make([]runs.Decision, len(ids))
	reason := cutText(gjson.GetBytes(reply.Content, "reason").Str, 1000)
	for i, id := range ids {
		word := gjson.GetBytes(reply.Content, decisionName(i)).Str
		switch {
		case reply.Action == ReplyDecline:
		case reply.Action != ReplyAccept || !slices.Contains([]string{"approve", "refuse"}, word):
			return nil
		}
		decisions[i] = runs.Decision{RequestID: id, Approve: reply.Action == ReplyAccept && word == "approve", Reason: reason}
	}
	raw, err := json.Marshal(decisions)
	if err != nil { // strings and bools
		panic(err)
	}
	return raw
}

// withClientTrace passes the trace context on that a client sends along.
func withClientTrace(ctx context.Context, req mcp.CallToolRequest) context.Context {
	if req.Params.Meta == nil {
		return ctx
	}
	parent, _ := req.Params.Meta.AdditionalFields["traceparent"].(string)
	state, _ := req.Params.Meta.AdditionalFields["tracestate"].(string)
	return runs.WithTraceContext(ctx, parent, state)
}
