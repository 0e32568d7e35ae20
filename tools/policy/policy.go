// Package policy decides what each agent may do: a level for every group of
// tools, a word for single tools, the objects that calls may reach, and what asks
// for confirmation, all read from one YAML file.
//
// A policy only narrows. It never sees --access: the caller asks both, and a call
// goes through when both let it.
package policy

import (
	"context"

	"brickmcp/catalog"
	"brickmcp/tools/sqlguard"
)

// Subject is who calls.
type Subject struct {
	User   string   // the workspace's user name, mostly an e-mail address
	Groups []string // of the user in the workspace, by display name
	Client string   // the MCP client's own name, such as claude-desktop; compared without case
}

// Action is what becomes of a call.
type Action string

// The actions, in narrowing order.
const (
	Allow   Action = "allow"
	Confirm Action = "confirm" // the call waits for a second one with a token
	Deny    Action = "deny"
)

// Object is one thing that a call reaches.
type Object struct {
	Scope    catalog.Scope
	ID, Name string
	Tags     []string // key=value, or the key alone
}

// Decision is what the policy says of one call, and why.
type Decision struct {
	Action Action
	// Rule is what decided, as audit writes it: "groups.jobs: full",
	// "tools.jobs_delete: confirm", "scopes.tables", "protected: *prod*", and
	// "section user ana@example.com: groups.secrets: off" in a section.
	Rule       string
	File       string        // base name of the policy file; empty without one
	Line       int           // of the rule, from 1; 0 when no line says it
	Has, Needs catalog.Level // of the tool's group, and of the tool
	Object     *Object       // that decided, if one did
	Why        string        // one sentence for the agent
	Shadow     bool          // a Deny or Confirm that is only to be written down
}

// Lookup finds out about objects what their ids do not say. It may ask the
// workspace; policies ask it only when a rule depends on the answer.
type Lookup interface {
	// Object is the name and the tags of a job, cluster, warehouse or service
	// principal.
	Object(ctx context.Context, scope catalog.Scope, id string) (Object, error)
	// JobOfRun is the id of the job that a run belongs to; empty when the run was
	// submitted without one.
	JobOfRun(ctx context.Context, runID string) (string, error)
}

// Policy is a checked policy file. It is immutable.
type Policy struct{}

// None is the policy without a file: it allows whatever --access allows.
func None() *Policy { return &Policy{} }

// ByIdentity reports whether a section asks for a user or a group: the subject
// must be known before anything is decided.
func (p *Policy) ByIdentity() bool { return false }

// Shadow reports whether decisions are only to be written down.
func (p *Policy) Shadow() bool { return false }

// Rules are what the policy says for one subject. They are immutable, and worth
// keeping per subject.
type Rules struct{}

// Rules gathers what holds for a subject.
func (p *Policy) Rules(s Subject) *Rules { return &Rules{} }

// Lists reports whether tools/list shows the row's tool.
func (r *Rules) Lists(row *catalog.Row) bool { return true }

// Tool decides by level and tool alone, before arguments are known.
func (r *Rules) Tool(row *catalog.Row) Decision { return Decision{Action: Allow} }

// Judge decides a bound call. It returns the objects that the call reaches too.
// What it cannot find out it refuses.
func (r *Rules) Judge(ctx context.Context, call *catalog.Call, look Lookup) (Decision, []Object) {
	return Decision{Action: Allow}, nil
}

// Narrows reports whether objects of the scope are narrowed.
func (r *Rules) Narrows(s catalog.Scope) bool { return false }

// Shows reports whether an item stays in a list.
func (r *Rules) Shows(o Object) bool { return true }

// SQL says what else counts as a read in a statement.
func (r *Rules) SQL() sqlguard.Options { return sqlguard.Options{} }

// Levels is the level of every group by its id, with the rule behind it.
func (r *Rules) Levels() map[string]Decision { return nil }
