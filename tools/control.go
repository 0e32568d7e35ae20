package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"brickmcp/catalog"
	"brickmcp/tools/policy"

	"github.com/tidwall/sjson"
)

// Policies hands out the policy that is in force.
type Policies interface {
	// Current is read for every call. Its error means that nothing is allowed.
	Current() (*policy.Policy, error)
}

// answer is one call from policy to audit line: judged, confirmed where that is
// asked for, done once, and written down.
func (s *Server) answer(ctx context.Context, row *catalog.Row, args json.RawMessage) (answer []byte, err error) {
	r := s.newRecord(ctx, row)
	duplicate := false
	defer func() {
		if p := recover(); p != nil {
			answer, err = nil, s.panicked(row.Name, p)
		}
		r.end(ctx, answer, err, duplicate)
	}()
	token, args, err := takeToken(row.Name, args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.recorded(ctx), callTime)
	defer cancel()
	call, d, rules, err := s.judge(ctx, r, row, args)
	if err != nil {
		return nil, err
	}
	if d.Action == policy.Confirm && !d.Shadow {
		if err := s.confirm(ctx, r, call, d, token, args); err != nil {
			return nil, err
		}
	}
	var earlier json.RawMessage
	if !row.Effect.ReadOnly() {
		earlier, _ = s.earlier(ctx, call) // without them there is no undo, and no other harm
	}
	if err := r.begin(earlier); err != nil {
		return nil, err
	}
	r.findName(ctx, earlier)
	ctx = withRules(ctx, rules)
	if answer, duplicate, err = s.once(ctx, call, args); err != nil {
		return nil, err
	}
	if row.Effect == catalog.Delete {
		s.duplicates.gone(row.Group)
	}
	return s.annotated(r, call, earlier, answer, duplicate), nil
}

// judge binds a call and asks the access levels and the policy. An error refuses it.
func (s *Server) judge(ctx context.Context, r *record, row *catalog.Row, args json.RawMessage) (*catalog.Call, policy.Decision, *policy.Rules, error) {
	d := policy.Decision{Action: policy.Allow, Rule: row.Group.ID + "=" + s.access.Level(row.Group).String()}
	r.decided(d)
	r.bound(nil, args, nil)
	if err := s.access.check(row); err != nil {
		return nil, d, nil, err
	}
	rules, err := s.rules(ctx, row.Name)
	if err != nil {
		return nil, d, nil, err
	}
	if rules != nil {
		d = rules.Tool(row)
		if r.decided(d); d.Action == policy.Deny && !d.Shadow {
			return nil, d, nil, denied(row.Name, d)
		}
	}
	call, err := row.Bind(args)
	if err != nil {
		return nil, d, nil, err
	}
	var objects []policy.Object
	if rules != nil {
		d, objects = rules.Judge(ctx, call, s.lookups)
		r.decided(d)
	}
	r.bound(call, args, objects)
	if d.Action == policy.Deny && !d.Shadow {
		return nil, d, nil, denied(call.About(), d)
	}
	return call, d, rules, nil
}

// denied is the refusal of a policy, in words that a person can act on.
func denied(about string, d policy.Decision) error {
	tool, _, _ := strings.Cut(about, " ")
	message := about + ": " + d.Why
	if why, ok := strings.CutPrefix(d.Why, tool+" "); ok {
		message = about + " " + why
	}
	return &catalog.Error{Kind: catalog.Denied, Message: strings.TrimSuffix(message, "."),
		Advice: "Nothing was sent. If it is needed, ask the person who runs this server to change that rule; whoami shows what is allowed."}
}

// rules are what the policy says for whoever is behind ctx; nil without a policy.
// A policy that cannot be read, or a user that it must know and cannot, allows
// nothing.
func (s *Server) rules(ctx context.Context, tool string) (*policy.Rules, error) {
	if s.policies == nil {
		return nil, nil
	}
	p, err := s.policies.Current()
	if err != nil {
		return nil, &catalog.Error{Kind: catalog.Denied, Err: err, Message: tool + ": nothing is allowed while the policy cannot be read: " + inShort(err),
			Advice: "The person who runs this server must correct the policy file (brickmcp doctor says all that is wrong with it); it is read again at the next call. Nothing was sent."}
	}
	name, _ := Client(ctx)
	subject := policy.Subject{Client: name}
	if p.ByIdentity() {
		who, err := s.identities.current(ctx)
		var e *catalog.Error
		switch {
		case errors.As(err, &e) && e.Kind == catalog.SignIn:
			return nil, err
		case err != nil || who.User == "":
			return nil, &catalog.Error{Kind: catalog.Denied, Err: err, Quoted: e != nil && e.Quoted, Message: tool + ": the policy goes by user, and who is signed in cannot be found out" + because(err),
				Advice: "Call again; if it stays, check the sign-in with whoami. Nothing was sent."}
		}
		subject.User, subject.Groups = who.User, who.Groups
	}
	return s.ruled.of(p, subject), nil
}

// inShort is the first thing that is wrong with a policy: an agent mends none of it.
func inShort(err error) string {
	var wrong *policy.Error
	if !errors.As(err, &wrong) || len(wrong.Problems) < 2 {
		return err.Error()
	}
	first := policy.Error{File: wrong.File, Problems: wrong.Problems[:1]}
	return fmt.Sprintf("%v (and %d more)", &first, len(wrong.Problems)-1)
}

// lists says which tools the client behind ctx is shown. As long as it is not known
// who is signed in, a policy that goes by user leaves nothing out: tools/list waits
// for no network, and clients hear of it when the list has changed.
func (s *Server) lists(ctx context.Context) func(*catalog.Row) bool {
	if s.policies == nil {
		return s.access.Allows
	}
	p, err := s.policies.Current()
	if err != nil {
		return func(*catalog.Row) bool { return false }
	}
	name, _ := Client(ctx)
	subject := policy.Subject{Client: name}
	if p.ByIdentity() {
		who, known := s.identities.last()
		if !known {
			return s.access.Allows
		}
		subject.User, subject.Groups = who.User, who.Groups
	}
	rules := s.ruled.of(p, subject)
	return func(row *catalog.Row) bool { return s.access.Allows(row) && rules.Lists(row) }
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + catalog.AsError(err).Message
}

// ruled keeps the rules of the subjects of one policy.
type ruled struct {
	mu     sync.Mutex
	policy *policy.Policy
	rules  map[string]*policy.Rules
}

func (k *ruled) of(p *policy.Policy, s policy.Subject) *policy.Rules {
	key := s.Client + "\x00" + s.User + "\x00" + strings.Join(s.Groups, "\x00")
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.policy != p || len(k.rules) > 1000 {
		k.policy, k.rules = p, map[string]*policy.Rules{}
	}
	rules := k.rules[key]
	if rules == nil {
		rules = p.Rules(s)
		k.rules[key] = rules
	}
	return rules
}

// once does the call. A create that was just made is not made again.
func (s *Server) once(ctx context.Context, call *catalog.Call, args json.RawMessage) (answer []byte, duplicate bool, err error) {
	if !call.Row.Deduplicated() {
		answer, err = s.perform(ctx, call)
		return answer, false, err
	}
	force, _ := argument[bool](call, "force")
	if args, err = sjson.DeleteBytes(slices.Clone(args), "force"); err != nil {
		return nil, false, err
	}
	who, _ := s.identities.settle(ctx) // unknown is a user, too
	b := binding{User: who.User, Workspace: s.place(), Tool: call.Row.Name, Arguments: canonical(args)}
	return s.duplicates.do(ctx, b, force, func(ctx context.Context) ([]byte, error) { return s.perform(ctx, call) })
}

// perform does the call in the way of its tool.
func (s *Server) perform(ctx context.Context, call *catalog.Call) ([]byte, error) {
	row := call.Row
	think := thinking[row.Name]
	switch {
	case row.IsForeign():
		return s.relay(ctx, call)
	case think != nil:
		return think(s, ctx, call)
	case row.Items != "":
		return s.list(ctx, call)
	case len(row.Gather) > 0:
		return s.gather(ctx, call)
	}
	return s.plain(ctx, call)
}

// annotated adds to an answer how to take the call back, and that it was not
// repeated.
func (s *Server) annotated(r *record, call *catalog.Call, earlier json.RawMessage, answer []byte, duplicate bool) []byte {
	if call.Row.Effect.ReadOnly() || len(answer) < 2 || answer[len(answer)-1] != '}' {
		return answer
	}
	kept := ""
	if r != nil && r.told {
		kept = r.line.Call
	}
	back := undo(call, earlier, answer, kept)
	if back == "" && !duplicate {
		return answer
	}
	o := object{buf: slices.Clone(answer[:len(answer)-1])}
	if duplicate {
		o.boolean("deduplicated", true)
		o.text("note", "the same call was just made: this is its answer; force=true makes another")
	}
	if back != "" {
		if s.oneOfSeveral {
			back += ", with profile " + s.name
		}
		o.text("undo", back)
	}
	return o.bytes()
}
