package catalog

// Effect says in one word what a call does to the workspace. Hints, retry and
// policy all follow from it, so they cannot contradict each other. The zero
// value is invalid: a row must say.
type Effect uint8

// The effects. When it is unclear whether something only reads, it is not Read.
const (
	_       Effect = iota
	Read           // looks; changes nothing
	Ensure         // brings about a state, harmless when already there: start a cluster
	Create         // makes something new; a second call makes a second one
	Update         // changes parts of what exists; what else changed meanwhile stays
	Replace        // sets what exists to a given state: reset a job, put a secret, stop a warehouse
	Delete         // removes what exists; gone already is success on a repeat
	Run            // executes the caller's own code or SQL: anything may happen
)

type effectFacts struct {
	word                              string
	readOnly, destructive, idempotent bool
	repeatable                        bool
}

// Idempotent is the MCP hint; repeatable is the narrower question whether the
// very same bytes may be sent again when nobody knows if they arrived. Update is
// the one where they differ: the contract calls a repeat of jobs/update safe.
var effects = [...]effectFacts{
	Read:    {word: "read", readOnly: true, idempotent: true, repeatable: true},
	Ensure:  {word: "ensure", idempotent: true, repeatable: true},
	Create:  {word: "create"},
	Update:  {word: "update", destructive: true, repeatable: true},
	Replace: {word: "replace", destructive: true, idempotent: true, repeatable: true},
	Delete:  {word: "delete", destructive: true, idempotent: true, repeatable: true},
	Run:     {word: "run", destructive: true},
}

func (e Effect) facts() effectFacts {
	if int(e) >= len(effects) {
		return effectFacts{}
	}
	return effects[e]
}

// Valid reports whether e is one of the named effects.
func (e Effect) Valid() bool { return e.facts().word != "" }

// String is the lower-case word, as in audit lines and tables.
func (e Effect) String() string { return e.facts().word }

// ReadOnly reports that the call changes nothing (MCP readOnlyHint).
func (e Effect) ReadOnly() bool { return e.facts().readOnly }

// Destructive reports that the call changes or removes what exists (MCP destructiveHint).
func (e Effect) Destructive() bool { return e.facts().destructive }

// Idempotent reports that the same call twice leaves the same state (MCP idempotentHint).
func (e Effect) Idempotent() bool { return e.facts().idempotent }

// Repeatable reports that a request whose fate is unknown (a reset connection, a
// 5xx) may be sent again without an idempotency token.
func (e Effect) Repeatable() bool { return e.facts().repeatable }

// Needs is the access level that the effect requires.
func (e Effect) Needs() Level {
	if e.ReadOnly() {
		return LevelRead
	}
	return LevelFull
}
