package policy

import (
	"bytes"
	"encoding/json"
	"strings"

	"brickmcp/catalog"
)

type object = map[string]any

// Schema is the JSON Schema of the policy file, made of the same lists that Parse
// goes by. cmd/gen publishes it as docs/policy.schema.json; the program itself has
// no use for it.
func Schema() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(schema())
	return out.Bytes(), err
}

func schema() object {
	text := []any{object{"type": "string", "minLength": 1, "maxLength": 1024}, object{"type": "integer", "minimum": 0}}
	who := func(doc string) object {
		return object{"description": doc, "anyOf": text}
	}
	words := func(doc string, of ...string) object {
		return object{"type": "string", "enum": of, "description": doc}
	}
	patterns := func(doc string) object {
		return object{"type": "array", "description": doc, "items": object{"anyOf": text}}
	}
	levels := func(doc string) object { return words(doc, catalog.Levels()...) }
	closed := func(doc string, members object) object {
		return object{"type": "object", "description": doc, "properties": members, "additionalProperties": false}
	}
	groups, tools, scopes := object{}, object{}, object{}
	for _, g := range catalog.Groups() {
		groups[g.ID] = levels(g.Title)
	}
	for _, row := range catalog.All() {
		tools[row.Name] = words(row.Title, string(Allow), string(Confirm), string(Deny))
	}
	for _, s := range catalog.Scopes() {
		scopes[string(s)] = patterns("What is let through of " + plural(s) + "; an empty list lets nothing through")
	}
	single := closed("What becomes of single tools", tools)
	single["patternProperties"] = object{`^[a-z][a-z0-9_]*_\*$`: words("All tools of an MCP server that --managed names by this prefix", string(Allow), string(Confirm), string(Deny))}
	shared := object{
		"default":   levels("The level of the groups that are not named"),
		"groups":    closed("The level of each group", groups),
		"tools":     single,
		"scopes":    closed("The objects that calls may reach; what is left out is not narrowed", scopes),
		"protected": patterns("Names or tags on which writes ask for confirmation; * stands for anything"),
		"confirm":   words("Which tools ask for confirmation beside those named", "none", "destructive", "writes"),
	}
	section := object{
		"user":   who("The user name; * stands for anything"),
		"group":  who("A group of the user in the workspace; * stands for anything"),
		"client": who("The name that the MCP client gives itself; * stands for anything"),
	}
	root := object{
		"mode": words("enforce, or shadow: write down what would be refused, and refuse nothing", "enforce", "shadow"),
	}
	for key, value := range shared {
		section[key], root[key] = value, object{"$ref": "#/$defs/" + key}
		section[key] = object{"$ref": "#/$defs/" + key}
	}
	one := func(keys []string) object {
		var any []any
		for _, key := range keys {
			any = append(any, object{"required": []string{key}})
		}
		return object{"anyOf": any}
	}
	item := closed("What holds for some users, groups or clients; the most specific section wins", section)
	item["allOf"] = []any{one(whoKeys), one(sectionKeys)}
	root["sections"] = object{"type": "array", "items": item}
	whole := closed("What agents may do with brickmcp: see docs/policy.md", root)
	whole["minProperties"] = 1
	whole["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	whole["title"] = "BrickMCP policy"
	whole["$defs"] = shared
	return whole
}

func plural(s catalog.Scope) string { return strings.ReplaceAll(string(s), "_", " ") }
