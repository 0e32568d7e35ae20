package tools

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// What a server may add to tools/list, which agents pay for on every request.
const (
	maxManagedTools = 100  // of one server
	maxManagedDoc   = 700  // bytes of a description
	maxManagedIn    = 8000 // bytes of an input schema
	maxManagedDepth = 24   // of its nesting
)

// managedTool is a tool of another server as ours shows it.
type managedTool struct {
	upstream string // its name there
	listed   mcp.Tool
	row      *catalog.Row
	moved    []string // arguments that go into _meta
}

// managedTools are the tools that a server lists, by name. What cannot be shown is
// left out, with a warning.
func (m ManagedServer) managedTools(listed []json.RawMessage, warn func(string)) map[string]*managedTool {
	names := map[string]string{} // ours -> theirs
	shown := map[string]*managedTool{}
	wanted := map[string]map[string]bool{} // ours -> those of theirs that it would fit
	for _, raw := range listed {
		name := gjson.GetBytes(raw, "name").Str
		ours := m.managedName(name)
		if wanted[ours] == nil {
			wanted[ours] = map[string]bool{}
		}
		wanted[ours][name] = true
	}
	sorted := slices.Clone(listed)
	slices.SortFunc(sorted, func(a, b json.RawMessage) int { // the answer's order must not decide who keeps a name
		return strings.Compare(gjson.GetBytes(a, "name").Str, gjson.GetBytes(b, "name").Str)
	})
	for _, raw := range sorted {
		tool := gjson.ParseBytes(raw)
		name := tool.Get("name").Str
		switch {
		case name == "" || len(name) > 512:
			warn("a tool without a usable name is left out")
			continue
		case name == "view_ask" && m.Genie():
			continue // a page for clients that show pages
		case len(shown) == maxManagedTools:
			warn(fmt.Sprintf("only the first %d tools are shown", maxManagedTools))
			return shown
		}
		ours := m.managedName(name)
		if len(wanted[ours]) > 1 && ours != m.Prefix+"_"+name {
			// A short name that two tools could have is neither's: which tool it stands
			// for must not change when one of them goes.
			ours = m.hashedName(name)
		}
		if _, ok := names[ours]; ok {
			warn("a second tool of the same name is left out: " + ours)
			continue
		}
		names[ours] = name
		shown[ours] = m.managedTool(ours, name, tool, warn)
	}
	return shown
}

func (m ManagedServer) managedTool(ours, name string, tool gjson.Result, warn func(string)) *managedTool {
	name = strings.Clone(name) // else it keeps all that the server said
	t := &managedTool{upstream: name}
	effect := m.effect(name, tool.Get("annotations"))
	schema, ok := managedSchema(tool.Get("inputSchema"))
	if !ok {
		warn("the input schema of " + ours + " cannot be used; it is shown without one")
	}
	for _, argument := range m.metaArguments(name) {
		if property := "properties." + argument.name; !gjson.GetBytes(schema, property).Exists() {
			if with, err := sjson.SetRawBytes(schema, property, []byte(argument.schema)); err == nil {
				schema, t.moved = with, append(t.moved, argument.name)
			}
		}
	}
	title := strings.Clone(managedText(tool.Get("title").Str, 60))
	t.row = catalog.Foreign(catalog.Row{
		Name: ours, Title: title, Group: catalog.Managed, Effect: effect, Method: "POST", Path: cmp.Or(m.Path(), "/mcp"), Needs: m.Needs(),
		Object: "tool " + managedText(name, 200) + " of " + m.String(), Did: "called {}",
		Touches: m.declared(name),
		Verify:  "Ask the server what has become of it before you call again.",
	}, func(args map[string]json.RawMessage) []catalog.Touch { return m.touches(name, args) })
	if title == "" {
		t.row.Title = ours
	}
	// No output schema: results are bounded, and marked as others' words, in a form of
	// our own, and clients refuse a result that is not of the form it was declared to be.
	t.listed = mcp.Tool{
		Name: ours, Title: title, Description: m.describe(tool.Get("description").Str), RawInputSchema: schema,
		Annotations: mcp.ToolAnnotation{
			ReadOnlyHint:    mcp.ToBoolPtr(effect.ReadOnly()),
			DestructiveHint: mcp.ToBoolPtr(effect.Destructive()),
			IdempotentHint:  mcp.ToBoolPtr(effect.Idempotent()),
			OpenWorldHint:   mcp.ToBoolPtr(true),
		},
	}
	return t
}

// describe puts the origin before what a server says of its tool.
func (m ManagedServer) describe(said string) string {
	origin := "[" + m.String()
	if m.kind().leaves && !m.SQL() && !m.Genie() { // services of Databricks itself
		origin += "; what it is told leaves the workspace"
	}
	return origin + "] " + managedText(said, maxManagedDoc)
}

// managedText is a text of a server: clean, of one line, bounded.
func managedText(text string, limit int) string {
	text, _ = catalog.Clean(text[:min(len(text), 4*limit)])
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if cut := cutText(text, limit); cut != text {
		return cut + "…"
	}
	return text
}

// effect is what a tool does, as far as it is known (contract mcp.md, section 6.2).
// A server's own word counts when the operator says so; else whatever is not known
// to read may do anything.
func (m ManagedServer) effect(tool string, hints gjson.Result) catalog.Effect {
	switch {
	case m.search(), m.SQL() && (tool == "execute_sql_read_only" || tool == "poll_sql_result"):
		return catalog.Read
	case m.Genie() && tool == genieCancel:
		return catalog.Ensure
	case m.Genie():
		return catalog.Read
	case m.SQL() || !m.Hints:
		return catalog.Run
	}
	destructive := hints.Get("destructiveHint")
	gentle := destructive.Exists() && !destructive.Bool()
	switch idempotent := hints.Get("idempotentHint").Bool(); {
	case hints.Get("readOnlyHint").Bool():
		return catalog.Read
	case gentle && idempotent:
		return catalog.Ensure
	case gentle:
		return catalog.Create
	}
	return catalog.Run
}

// managedSchema is an input schema that clients can read: an object, clean, bounded,
// and without combinators at the root, for one of which some models refuse the whole
// list. ok is false when what the server says cannot be shown.
func managedSchema(given gjson.Result) (schema json.RawMessage, ok bool) {
	bare := json.RawMessage(`{"type":"object","properties":{}}`)
	if !given.IsObject() || len(given.Raw) > maxManagedIn || deeper(given.Raw, maxManagedDepth) {
		return bare, false
	}
	clean, _ := catalog.CleanJSON([]byte(given.Raw))
	root := gjson.ParseBytes(clean)
	if refersElsewhere(root) {
		return bare, false
	}
	var o object
	for _, m := range schemaMembers(root) {
		switch m.name {
		case "$schema", "$id", "anyOf", "oneOf", "allOf", "not", "enum", "if", "then", "else", "$ref", "$dynamicRef":
			continue
		// For these clients refuse the whole list.
		case "type":
			if m.value.Str != "object" {
				return bare, false
			}
		case "properties":
			if !m.value.IsObject() {
				return bare, false
			}
			m.raw = managedProperties(m.value)
		case "required":
			if !m.value.IsArray() || slices.ContainsFunc(m.value.Array(), func(v gjson.Result) bool { return v.Type != gjson.String }) {
				continue
			}
		}
		m.appendTo(&o)
	}
	schema = o.bytes()
	for _, missing := range []schemaMember{{name: "type", raw: `"object"`}, {name: "properties", raw: `{}`}} {
		if !gjson.GetBytes(schema, missing.name).Exists() {
			var err error
			if schema, err = sjson.SetRawBytes(schema, missing.name, []byte(missing.raw)); err != nil {
				return bare, false
			}
		}
	}
	if !json.Valid(schema) {
		return bare, false
	}
	return schema, true
}

// schemaMember is one of a JSON object.
type schemaMember struct {
	name  string
	value gjson.Result
	raw   string
}

// appendTo writes the member, whatever its name has in it.
func (m schemaMember) appendTo(o *object) {
	quoted := appendText(nil, m.name)
	o.raw(string(quoted[1:len(quoted)-1]), m.raw)
}

// schemaMembers are those of an object, each name once: readers differ on which of two
// they believe.
func schemaMembers(of gjson.Result) []schemaMember {
	var all []schemaMember
	seen := map[string]bool{}
	of.ForEach(func(key, value gjson.Result) bool {
		if name := key.String(); !seen[name] {
			seen[name] = true
			all = append(all, schemaMember{name, value, value.Raw})
		}
		return true
	})
	return all
}

// managedProperties are the properties of an input schema in the one form that MCP
// lets them have: each is an object, never true or false.
func managedProperties(given gjson.Result) string {
	var o object
	for _, p := range schemaMembers(given) {
		if !p.value.IsObject() {
			p.raw = `{}`
		}
		p.appendTo(&o)
	}
	return string(o.bytes())
}

// refersElsewhere reports a reference to another document, which a client might
// fetch.
func refersElsewhere(schema gjson.Result) bool {
	found := false
	schema.ForEach(func(key, value gjson.Result) bool {
		switch name := key.String(); {
		case (name == "$ref" || name == "$dynamicRef") && value.Type == gjson.String:
			found = !strings.HasPrefix(value.String(), "#")
		case value.IsObject() || value.IsArray():
			found = refersElsewhere(value)
		}
		return !found
	})
	return found
}

// deeper reports brackets nested deeper than limit. Those in strings count too:
// that is on the safe side.
func deeper(text string, limit int) bool {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '{', '[':
			if depth++; depth > limit {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// metaArgument is a member of _meta that is offered as an argument, because many
// clients cannot set _meta.
type metaArgument struct{ name, schema string }

// metaArguments are those that a tool takes (contract mcp.md, sections 3.2 to 3.5).
func (m ManagedServer) metaArguments(tool string) []metaArgument {
	warehouse := []metaArgument{{"warehouse_id", `{"type":"string","description":"SQL warehouse to use"}`}}
	switch {
	case m.search():
		return []metaArgument{
			{"num_results", `{"type":"integer","description":"Default 5"}`},
			{"query_type", `{"type":"string","enum":["ANN","HYBRID"]}`},
			{"columns", `{"type":"string","description":"To return, with commas"}`},
			{"columns_to_rerank", `{"type":"string","description":"With commas"}`},
			{"filters", `{"type":"string","description":"JSON text"}`},
			{"include_score", `{"type":"boolean"}`},
			{"score_threshold", `{"type":"number"}`},
		}
	case m.SQL() && strings.HasPrefix(tool, "execute_sql"), m.Genie() && tool == "genie_ask":
		return warehouse
	}
	return nil
}

// declared are the kinds of objects that a tool is about.
func (m ManagedServer) declared(tool string) []catalog.Touch {
	if m.SQL() && strings.HasPrefix(tool, "execute_sql") {
		return []catalog.Touch{{Scope: catalog.ScopeSQL, ID: "{query}"}, {Scope: catalog.ScopeWarehouses, ID: "{warehouse_id}"}}
	}
	return m.touches(tool, nil)
}

// touches are the objects of one call, which policies narrow.
func (m ManagedServer) touches(tool string, args map[string]json.RawMessage) []catalog.Touch {
	text := func(name string) string { return gjson.ParseBytes(args[name]).String() }
	full := m.fullName(tool)
	var warehouse []catalog.Touch
	if id := text("warehouse_id"); id != "" {
		warehouse = []catalog.Touch{{Scope: catalog.ScopeWarehouses, ID: id}}
	}
	switch {
	case m.SQL() && tool == "poll_sql_result":
		return []catalog.Touch{{Scope: catalog.ScopeStatements, ID: text("statement_id")}}
	case m.SQL():
		return append([]catalog.Touch{{Scope: catalog.ScopeSQL, ID: text("query")}}, warehouse...)
	case m.Kind == "functions":
		return []catalog.Touch{{Scope: catalog.ScopeFunctions, ID: full}}
	case m.search():
		return []catalog.Touch{{Scope: catalog.ScopeTables, ID: full}}
	case m.Kind == "genie" && m.Name != "":
		return []catalog.Touch{{Scope: catalog.ScopeAgents, ID: "genie/" + m.Name}}
	case m.Kind == "app":
		return []catalog.Touch{{Scope: catalog.ScopeAgents, ID: "apps/" + m.Name}}
	}
	return warehouse
}

// fullName is the function or index that a tool stands for. What is behind the
// schema is its name, even where that has two underscores in it.
func (m ManagedServer) fullName(tool string) string {
	if segments := m.segments(); len(segments) >= 2 {
		schema := segments[0] + "__" + segments[1] + "__"
		if len(tool) > len(schema) && strings.EqualFold(tool[:len(schema)], schema) {
			return segments[0] + "." + segments[1] + "." + tool[len(schema):]
		}
	}
	return strings.ReplaceAll(tool, "__", ".")
}
