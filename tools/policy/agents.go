package policy

import (
	"fmt"
	"slices"
	"strings"

	"brickmcp/catalog"
)

// supervisorAgent is how a policy names the Supervisor, which runs without an agent.
const supervisorAgent = "supervisor"

const endpointAgent = "endpoints"

// agentID is an agent as kind/name in lower case: two endpoints differ by more than
// case. A name alone is that of an endpoint.
func agentID(id string) string {
	id = strings.ToLower(id)
	if id == supervisorAgent || strings.Contains(id, "/") {
		return id
	}
	return endpointAgent + "/" + id
}

// parseAgent reads an entry of scopes.agents.
func parseAgent(text string) (id, problem string) {
	id = agentID(text)
	kind, name, _ := strings.Cut(id, "/")
	if id != supervisorAgent && (name == "" || !slices.Contains([]string{"apps", endpointAgent, "genie", assistantAgent}, kind)) {
		return id, fmt.Sprintf("%q is none of ENDPOINT, endpoints/NAME, apps/NAME, genie/SPACE_ID, knowledge_assistants/ID and supervisor", text)
	}
	return id, ""
}

// judgeAgent holds an agent against the lists.
func (r *Rules) judgeAgent(o *Object) verdict {
	id := o.ID
	if id == "" {
		id = o.Name
	}
	id = agentID(id)
	for _, l := range r.lists[o.Scope] {
		if !l.some(func(p *pattern) bool { return glob(p.text, id) }) {
			return verdict{by: l}
		}
	}
	return verdict{}
}

// supervised reports a call that goes to the Supervisor, because it names no agent.
func supervised(call *catalog.Call) bool {
	of := func(t catalog.Touch) bool { return t.Scope == catalog.ScopeAgents }
	return call.Row.Group == catalog.Supervisor && slices.ContainsFunc(call.Row.Touches, of) && !slices.ContainsFunc(call.Touches, of)
}

// Minds reports whether the rules refuse writes on an object, or ask before them.
// A tool that finds out only on the way what it touches goes by it.
func (r *Rules) Minds(o Object) bool {
	if r.shadow {
		return false
	}
	j := judgement{Rules: r}
	return r.narrowed && r.judge(&o, everything).by != nil || len(r.protected) > 0 && j.protecting(&o) != nil
}
