package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/policy"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// confirmArgument is the token of a call that was confirmed. Every tool takes it;
// no schema shows it, because the answer that asks for it says so.
const confirmArgument = "confirm_token"

const (
	// confirmQuestion is the question of a call that waits for its confirmation.
	confirmQuestion = "confirm"
	// confirmPatience is how long a person has to answer it within the call; after
	// that the call is answered with the token.
	confirmPatience = 35 * time.Second
)

// runConfirmed runs a call and, where it waits for a confirmation, asks the person
// behind a client that can. A client that cannot gets the token, and so does one
// whose person does not answer. The result, if there is one, is to be returned now:
// the client calls again with the reply.
func (s *Server) runConfirmed(ctx context.Context, req mcp.CallToolRequest, row *catalog.Row) ([]byte, *mcp.CallToolResult, error) {
	args := req.Params.RawArguments
	reply, replied := replyTo(ctx, req, confirmQuestion)
	if replied {
		return s.runReplied(ctx, row, args, reply, nil)
	}
	answer, err := s.run(ctx, row, args)
	var waits *awaiting
	if !errors.As(err, &waits) || !canAsk(ctx) {
		return answer, nil, err
	}
	reply, asked, askErr := s.askPerson(ctx, req, Question{ID: confirmQuestion, Message: waits.question, State: waits.token}, confirmPatience)
	if asked != nil || askErr != nil {
		return answer, asked, err
	}
	return s.runReplied(ctx, row, args, reply, waits)
}

// runReplied goes on after a person was asked. The state of the reply is the token
// that the question was asked with: a forged reply has none that is worth anything.
func (s *Server) runReplied(ctx context.Context, row *catalog.Row, args json.RawMessage, reply Reply, waits *awaiting) ([]byte, *mcp.CallToolResult, error) {
	switch {
	case reply.Action == ReplyAccept && reply.State != "":
		confirmed, err := sjson.SetBytes(slices.Clone(args), confirmArgument, reply.State)
		if err != nil {
			return nil, nil, err
		}
		answer, err := s.run(ctx, row, confirmed)
		return answer, nil, err
	case reply.Action == ReplyDecline:
		return nil, nil, s.declined(ctx, row, args, reply.State)
	case waits != nil:
		return nil, nil, waits
	}
	answer, err := s.run(ctx, row, args) // no answer: nothing is confirmed
	return answer, nil, err
}

// declined ends a call to which the person said no, and its token with it.
func (s *Server) declined(ctx context.Context, row *catalog.Row, args json.RawMessage, token string) error {
	s.confirmations.revoke(token)
	w, args, err := s.in(row.Name, args)
	if err != nil {
		return err
	}
	r := w.newRecord(ctx, row)
	call, bindErr := row.Bind(args)
	r.decided(policy.Decision{Action: policy.Deny, Rule: "declined by the person"})
	about := row.Name
	if bindErr == nil {
		r.bound(call, args, nil)
		about = call.About()
	}
	err = &catalog.Error{Kind: catalog.Denied, Message: about + ": the person who was asked declined it",
		Advice: "Nothing was sent. Do not call it again unless the person wants it after all."}
	r.end(ctx, nil, err, false)
	return err
}

// awaiting is the outcome of a call that waits for its confirmation: nothing was
// done, and its result says what would be.
type awaiting struct {
	token    string
	question string // for a person
	result   []byte
}

func (a *awaiting) Error() string { return "not confirmed" }

// confirm lets a call through that brings a valid token, and tells any other what
// it would do.
func (s *Server) confirm(ctx context.Context, r *record, call *catalog.Call, d policy.Decision, token string, args json.RawMessage) error {
	who, err := s.identities.current(ctx)
	if err != nil {
		return err
	}
	b := binding{User: who.User, Workspace: s.place(), Tool: call.Row.Name, Arguments: canonical(args)}
	if token != "" {
		if err := s.confirmations.redeem(token, b); err != nil {
			return err
		}
		r.confirmed()
		return nil
	}
	p, err := s.preview(ctx, call)
	if err != nil {
		return err
	}
	token, expires, err := s.confirmations.issue(b)
	if err != nil {
		return err
	}
	until := expires.UTC().Format(time.RFC3339)
	if r != nil {
		r.waits = until
	}
	var o object
	o.text(confirmArgument, token)
	o.text("expires_at", until)
	o.text("what", p.What+" Nothing was done yet: to do it, call again with the same arguments and confirm_token.")
	if d.Rule != "" {
		o.text("rule", d.Rule)
	}
	o.untrusted("what", "preview") // both quote names
	p.append(&o)
	return &awaiting{token: token, question: p.question(), result: fmt.Appendf(nil, `{"confirm":%s}`, o.bytes())}
}

// question is the preview for a person who is asked directly.
func (p preview) question() string {
	return strings.Join(append([]string{p.What}, p.Changes...), "\n")
}

// takeToken takes the confirmation token out of the arguments.
func takeToken(tool string, args json.RawMessage) (string, json.RawMessage, error) {
	if len(args) == 0 || !gjson.ValidBytes(args) {
		return "", args, nil
	}
	given := gjson.GetBytes(args, confirmArgument)
	if !given.Exists() {
		return "", args, nil
	}
	if given.Type != gjson.String && given.Type != gjson.Null {
		return "", args, &catalog.Error{Kind: catalog.Invalid, Message: tool + `: "confirm_token" must be a string`, Advice: "Give the token of the answer that asks for it. Nothing was sent."}
	}
	rest, err := sjson.DeleteBytes(slices.Clone(args), confirmArgument)
	return given.Str, rest, err
}
