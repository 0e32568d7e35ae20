package catalog

import (
	"encoding/json"

	"github.com/tidwall/gjson"
)

// Scope is a kind of object that a policy can narrow, by its word in the policy
// file.
type Scope string

// The scopes. Patterns of tables, schemas, catalogs and functions are dotted
// names; those of volumes and workspace paths are paths; the others are ids or
// names.
const (
	ScopeCatalogs          Scope = "catalogs"
	ScopeSchemas           Scope = "schemas"
	ScopeTables            Scope = "tables"
	ScopeFunctions         Scope = "functions"
	ScopeVolumes           Scope = "volumes" // also files of DBFS, as dbfs:/…
	ScopeWorkspacePaths    Scope = "workspace_paths"
	ScopeWarehouses        Scope = "warehouses"
	ScopeClusters          Scope = "clusters"
	ScopeJobs              Scope = "jobs"
	ScopeSecretScopes      Scope = "secret_scopes"
	ScopeServicePrincipals Scope = "service_principals"
	ScopeAgents            Scope = "agents" // apps/NAME, endpoints/NAME, genie/SPACE_ID; a name alone is an endpoint's
)

// Scopes lists the scopes of the policy file, in the order of the book.
func Scopes() []Scope {
	return []Scope{
		ScopeCatalogs, ScopeSchemas, ScopeTables, ScopeFunctions, ScopeVolumes, ScopeWorkspacePaths,
		ScopeWarehouses, ScopeClusters, ScopeJobs, ScopeSecretScopes, ScopeServicePrincipals, ScopeAgents,
	}
}

// Scopes that no policy file names: what they hold has to be looked up, or read
// out of the name, before a policy can judge it.
const (
	ScopeRuns       Scope = "runs"       // of a job: which one, only the workspace knows
	ScopeStatements Scope = "statements" // SQL that this user has run
	ScopeSecurables Scope = "securables" // TYPE:FULL_NAME of Unity Catalog
	ScopeSQL        Scope = "sql"        // a text that names tables
	ScopeAgentRuns  Scope = "agent_runs" // runs of agents that this user has started
)

// Touch names an object that a call is about. In a row ID and Name are patterns
// with {holes}, each an argument; in a bound call they are filled in. What exists
// has an ID, what is to be created only a Name.
type Touch struct {
	Scope    Scope
	ID, Name string
}

// Shown says what the items of a list are: the scope, and where an item has its
// id and name, as dotted paths. A policy that narrows the scope narrows the list.
type Shown struct {
	Scope    Scope
	ID, Name string
}

// fillTouches names what a call touches. An argument that is not given leaves its
// touch out.
func (r *Row) fillTouches(values map[string]string) []Touch {
	var touched []Touch
	for _, t := range r.Touches {
		t.ID, t.Name = fillWhole(t.ID, values), fillWhole(t.Name, values)
		if t.ID != "" || t.Name != "" {
			touched = append(touched, t)
		}
	}
	return touched
}

// Outcome fills Then from an answer: "run 42 began". It is empty when the answer
// does not have what Then names.
func (r *Row) Outcome(answer []byte) string { return fillAnswer(r.Then, answer, nil) }

// TakenBack fills Undo, from the answer and from the arguments of the call.
func (c *Call) TakenBack(answer []byte) string { return fillAnswer(c.Row.Undo, answer, c.Args) }

func fillAnswer(pattern string, answer []byte, args map[string]json.RawMessage) string {
	if pattern == "" {
		return ""
	}
	values := map[string]string{}
	for _, name := range holesOf(pattern) {
		if v := gjson.GetBytes(answer, name); v.Exists() {
			values[name] = v.String()
		} else if raw, ok := args[name]; ok {
			values[name] = gjson.ParseBytes(raw).String()
		}
	}
	return fillObject(pattern, values)
}

// Deduplicated reports whether the same call again, soon after, answers with what
// the first one made.
func (r *Row) Deduplicated() bool {
	_, byName := r.lookup()
	return byName["force"] != nil
}

// Forced lets a caller create the same thing again on purpose: without it the
// same create within two minutes answers with what the first one made.
type Forced struct {
	Force bool `json:"force,omitempty" in:"local" jsonschema:"-" jsonschema_description:"Even if just created"`
}
