package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"brickmcp/transport/sandbox/engine"
)

// hostedTool is one entry of tools, resolved and allowed (contract
// supervisor.md, section 3). One of the pointers is set.
type hostedTool struct {
	kind   string
	label  string // of calls: the name of the function, or of the remote tool
	server string // server_label, of tools that need approval

	space      *genieSpace
	function   *securable
	connection *connection
	assistant  *assistant
	app        *app
}

// toolScopes are the API scopes that a token with narrow scopes needs.
var toolScopes = map[string]string{
	"genie_space": "genie", "uc_function": "unity-catalog", "uc_connection": "unity-catalog", "app": "apps", "knowledge_assistant": "model-serving",
}

// resolve finds the tools of a request, and refuses those that are malformed,
// missing or not granted to the user.
func (s *supervisor) resolve(r *request, specs []object) ([]*hostedTool, error) {
	scopes := s.w.people.scopesOf(r.Request)
	var tools []*hostedTool
	for i, spec := range specs {
		kind := textOf(spec, "type")
		if kind == "function" {
			if name := textOf(spec, "name"); !functionName(name) {
				return nil, badArgument("function tool 'name' must match ^[a-zA-Z0-9_-]{1,64}$")
			}
			return nil, badArgument("Client-side function tools are not supported by the Supervisor API.")
		}
		scope, known := toolScopes[kind]
		config, ok := spec[kind].(object)
		if !known || !ok {
			return nil, badArgument(fmt.Sprintf("tools[%d]: '%s' is not a supported tool with its configuration. Supported types: app, genie_space, knowledge_assistant, uc_connection, uc_function.", i, kind))
		}
		if scopes != nil && !slices.Contains(scopes, allAPIs) && !slices.Contains(scopes, scope) {
			return nil, failure(http.StatusForbidden, "PERMISSION_DENIED", "Provided OAuth token does not have required scopes: "+scope)
		}
		if kind != "uc_function" && textOf(config, "description") == "" {
			return nil, badArgument(fmt.Sprintf("tools[%d].%s.description is required.", i, kind))
		}
		t, err := s.tool(r.user, kind, config)
		if err != nil {
			return nil, err
		}
		tools = append(tools, t)
	}
	return tools, nil
}

func functionName(name string) bool {
	return name != "" && len(name) <= 64 && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// tool resolves one tool. What does not exist is a bad argument here: 404 would
// say that the whole service is missing.
func (s *supervisor) tool(user *principal, kind string, config object) (*hostedTool, error) {
	t := &hostedTool{kind: kind}
	granted := true
	lacks := ""
	name := textOf(config, "name")
	switch kind {
	case "genie_space":
		name = textOf(config, "id")
		if t.space = s.w.genie.space(name); t.space != nil {
			t.label, granted, lacks = "genie_"+t.space.slug, t.space.mayRun(user), "CAN_RUN on Genie space '"+name+"'"
		}
	case "knowledge_assistant":
		name = textOf(config, "knowledge_assistant_id")
		if i := slices.IndexFunc(s.assistants, func(a *assistant) bool { return a.id == name }); i >= 0 {
			t.assistant = s.assistants[i]
			t.label, granted, lacks = "assistant_"+t.assistant.name, t.assistant.mayQuery(user), "CAN_QUERY on knowledge assistant '"+name+"'"
		}
	case "uc_connection":
		if t.connection = s.w.connections.find(name); t.connection != nil {
			t.label, t.server = t.connection.tool, name
			granted, lacks = t.connection.mayUse(user), "USE CONNECTION on Connection '"+name+"'"
		}
	case "app":
		if t.app = s.w.apps.find(name); t.app != nil {
			t.label, t.server = "ask", name
			granted, lacks = t.app.mayUse(user), "CAN_USE on App '"+name+"'"
		}
	case "uc_function":
		f, err := s.w.lakehouse.routine(user, name)
		var refused *apiError
		if errors.As(err, &refused) && refused.status == http.StatusForbidden {
			return nil, err
		}
		if err == nil {
			t.function, t.label = f, strings.ReplaceAll(f.fullName(), ".", "__")
		}
	}
	if t.label == "" {
		return nil, badArgument(fmt.Sprintf("Tool %s '%s' does not exist.", kind, name))
	}
	if !granted {
		return nil, denied("User does not have " + lacks + ".")
	}
	return t, nil
}

// needsApproval: what leaves the workspace is asked for first.
func (t *hostedTool) needsApproval() bool { return t.server != "" }

// errSignIn ends a response: the user has to sign in to a connection first.
type errSignIn struct{ message string }

func (e errSignIn) Error() string { return e.message }

// run really calls the tool, with the rights of the user. An error other than
// errSignIn is told to the model as the tool's output.
func (s *supervisor) run(ctx context.Context, run *agentRun, t *hostedTool, arguments string) (string, error) {
	var given object
	if err := unmarshal([]byte(arguments), &given); err != nil {
		return "", err
	}
	user := run.user
	switch {
	case t.space != nil:
		text, rows, err := t.space.ask(ctx, s.w.lakehouse, user, textOf(given, "query"))
		if err == nil && rows != nil {
			text += "\n\n" + rows.markdown(20)
		}
		return text, err
	case t.function != nil:
		return s.w.lakehouse.execute(ctx, user, t.function, given)
	case t.assistant != nil:
		var found []string
		for _, d := range t.assistant.search(textOf(given, "query")) {
			found = append(found, d.text+" ["+d.title+"]("+d.uri+")")
		}
		if len(found) == 0 {
			return "The documents say nothing about this.", nil
		}
		return strings.Join(found, "\n\n"), nil
	case t.connection != nil:
		if run.in.magic["oauth"] || !s.w.connections.signedIn(user.ID, t.connection) {
			return "", errSignIn{run.signIn(t.connection)}
		}
		return s.w.connections.call(t.connection, textOf(given, t.connection.argument)), nil
	}
	return s.w.apps.ask(ctx, t.app, user, textOf(given, "input"))
}

// signIn is the error of a connection that the user has not signed in to.
func (run *agentRun) signIn(c *connection) string {
	return fmt.Sprintf("Credential for user identity('%s') is not found for the connection '%s'. Please login first to the connection by visiting %s",
		run.user.UserName, c.name, c.signInURL(run.base, run.user.ID))
}

// arguments of a call, from the user's words; ok is false if some are missing.
func (t *hostedTool) arguments(text string) (arguments string, ok bool) {
	given := object{}
	switch {
	case t.function != nil:
		numbers, codes := operands(text)
		for _, p := range t.function.function.parameters {
			from := &numbers
			if p.Type.Kind == engine.String {
				from = &codes
			}
			if len(*from) == 0 {
				return "", false
			}
			given[p.Name] = (*from)[0]
			*from = (*from)[1:]
		}
	case t.connection != nil:
		given[t.connection.argument] = topic(text)
	case t.app != nil:
		given["input"] = text
	default:
		given["query"] = text
	}
	body, err := json.Marshal(given)
	return string(body), err == nil
}

// operands are the numbers of a text, and what looks like a code: words in
// capitals or in quotes.
func operands(text string) (numbers, codes []any) {
	for _, w := range strings.Fields(text) {
		bare := strings.Trim(w, `.,;:?!()%'"`)
		switch {
		case bare == "":
		case strings.Trim(bare, "0123456789.") == "":
			numbers = append(numbers, json.Number(bare))
		case w[0] == '\'' || w[0] == '"' || len(bare) > 2 && bare == strings.ToUpper(bare):
			codes = append(codes, bare)
		}
	}
	return numbers, codes
}

// topic is what a request is about: "search the web for X" is about X.
func topic(text string) string {
	for _, mark := range []string{" for ", " about ", ": "} {
		if _, after, ok := strings.Cut(text, mark); ok && strings.TrimSpace(after) != "" {
			return strings.Trim(after, " .?!")
		}
	}
	return strings.Trim(text, " .?!")
}
