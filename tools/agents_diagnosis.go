package tools

import (
	"context"
	"slices"
	"strings"

	"brickmcp/catalog"
)

// dependencies are what agents use, by words that messages have for it, and the
// permission that it takes: agents.md, section 2. The first that fits counts.
var dependencies = []struct {
	words []string
	needs string
}{
	{[]string{"genie"}, "Can Run on the Genie space"},
	{[]string{"vector search", "vector-search", "vector_search", "vectorsearch", "index"}, "Can Use on the Vector Search index (SELECT on it in Unity Catalog)"},
	{[]string{"warehouse"}, "Can Use on the SQL warehouse"},
	{[]string{"serving endpoint", "serving-endpoint", "serving_endpoint", "foundation model"}, "Can Query on the serving endpoint that the agent calls"},
	{[]string{"connection"}, "USE CONNECTION on the Unity Catalog connection"},
	{[]string{"registered model", "on model", "or model"}, "EXECUTE on the registered model or function, with USE SCHEMA and USE CATALOG"},
	{[]string{"execute", "function", "routine"}, "EXECUTE on the Unity Catalog function"},
	{[]string{"databricks app", "/apps/", " app "}, "Can Use on the Databricks App"},
	{[]string{"use schema"}, "USE SCHEMA on the schema"},
	{[]string{"use catalog"}, "USE CATALOG on the catalog"},
	{[]string{"create table", "create_table"}, "CREATE TABLE on the schema of the inference tables"},
	{[]string{"table", "select"}, "SELECT on the table, with USE SCHEMA and USE CATALOG"},
	{[]string{"secret"}, "READ on the secret scope of an environment variable"},
}

var permissionWords = []string{"permission", "privilege", "not authorized", "unauthorized", "forbidden", "does not have access", "access denied", "no access", "403"}

// missingPermissions names the permissions that a message of a failed deployment is
// about; none when it is about something else.
func missingPermissions(message string) []string {
	var found []string
	for line := range strings.Lines(strings.ToLower(message)) {
		if !slices.ContainsFunc(permissionWords, func(w string) bool { return strings.Contains(line, w) }) {
			continue
		}
		for _, d := range dependencies {
			if slices.ContainsFunc(d.words, func(w string) bool { return strings.Contains(line, w) }) {
				if !slices.Contains(found, d.needs) {
					found = append(found, d.needs)
				}
				break
			}
		}
		if len(found) == 5 {
			break
		}
	}
	return found
}

// maxFailureLog bounds, in bytes, the end of a log in an answer.
const maxFailureLog = 1500

// failure says why versions of an endpoint did not come up: what the workspace says
// of each, else the end of its log, and the permission that is missing. It is "{}"
// when nothing failed. A failed update may be forgotten by the endpoint; of a version
// known by name the log is still there.
func (s *Server) failure(ctx context.Context, e endpoint, known string) string {
	var o object
	if !e.failed() {
		return string(o.bytes())
	}
	said := ""
	for _, one := range e.entities() {
		state := one.Get("state.deployment").Str
		if one.name == known {
			known = ""
		}
		if !one.failed() && !one.pending || state == "DEPLOYMENT_READY" {
			continue
		}
		message := strings.TrimSpace(one.Get("state.deployment_state_message").Str)
		said += message + "\n"
		if len(missingPermissions(message)) == 0 { // the log may know more
			if log := s.logEnd(ctx, e.name(), one.name); log != "" {
				said += log + "\n"
				o.text(quotedKey(one.name), cutText(strings.TrimSpace(message+"\n"+log), 2*maxFailureLog))
				continue
			}
		}
		o.text(quotedKey(one.name), cutText(message, maxFailureLog))
	}
	if known != "" {
		if log := s.logEnd(ctx, e.name(), known); log != "" {
			said += log
			o.text(quotedKey(known), log)
		}
	}
	var whole object
	whole.untrusted("messages")
	whole.raw("messages", string(o.bytes()))
	missing := missingPermissions(said)
	switch {
	case len(missing) > 0:
		whole.texts("missing_permissions", missing)
		whole.text("advice", "Whoever created the endpoint needs these, and the model must declare the resource. Grant it, then deploy again.")
	case strings.TrimSpace(said) == "":
		whole.text("advice", "The workspace gives no reason here; the endpoint's events in the workspace may.")
	default:
		whole.text("advice", "Correct what the messages say, register a new version of the model, and deploy that.")
	}
	return string(whole.bytes())
}

// logEnd is the end of how an entity was built or, if that says nothing, of what it
// printed; "" when neither can be had.
func (s *Server) logEnd(ctx context.Context, endpoint, served string) string {
	request := catalog.ServedModelRequest{EndpointName: endpoint, ServedModelName: served}
	for _, row := range []*catalog.Endpoint[catalog.ServedModelRequest, catalog.LogText]{catalog.GetBuildLogs, catalog.GetServerLogs} {
		answer, err := row.Call(ctx, s.api, request)
		if err != nil {
			continue // it says why something else failed, and is worth no error of its own
		}
		if text := strings.TrimSpace(hideSecrets(answer.Logs)); text != "" {
			if len(text) > maxFailureLog {
				text = "…" + strings.ToValidUTF8(text[len(text)-maxFailureLog:], "")
			}
			return text
		}
	}
	return ""
}

// hideSecrets leaves lines out of a log that speak of secrets: user code prints its
// environment.
func hideSecrets(log string) string {
	var kept strings.Builder
	for line := range strings.Lines(log) {
		lower := strings.ToLower(line)
		if slices.ContainsFunc([]string{"password", "token=", "token:", "api_key", "apikey", "dapi", "bearer ", "secret="}, func(w string) bool { return strings.Contains(lower, w) }) {
			kept.WriteString(catalog.Hidden + "\n")
			continue
		}
		kept.WriteString(line)
	}
	return kept.String()
}
