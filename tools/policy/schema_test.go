package policy

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"sync"
	"testing"

	"brickmcp/catalog"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

var update = flag.Bool("update", false, "write docs/policy.schema.json")

const schemaFile = "../../docs/policy.schema.json"

type object = map[string]any

// schema is the published JSON Schema, made of the same lists that Parse goes by.
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

// TestSchemaIsPublished: run with -update to write the file anew.
func TestSchemaIsPublished(t *testing.T) {
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(schema()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("docs/policy.schema.json is not as the code has it (%v): run go test ./tools/policy -run Schema -update", err)
	}
}

var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	raw, err := os.ReadFile(schemaFile)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("policy.schema.json", doc); err != nil {
		return nil, err
	}
	return compiler.Compile("policy.schema.json")
})

// validate holds a policy file against the published schema.
func validate(t testing.TB, text string) error {
	t.Helper()
	s, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		return err
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	return s.Validate(instance)
}

// agreesWithSchema: what Parse takes, the schema takes.
func agreesWithSchema(t testing.TB, text string) {
	t.Helper()
	if err := validate(t, text); err != nil {
		t.Errorf("Parse takes what the schema refuses: %v\n%s", err, text)
	}
}

// TestSchemaAndParseAgree on what is wrong in structure. What only Parse sees is
// how a pattern is written.
func TestSchemaAndParseAgree(t *testing.T) {
	for _, text := range []string{
		"default: read", "mode: shadow", "groups: {}", "protected: []", "scopes: {tables: [], jobs: [1, '2', nightly-*]}",
		"groups: {jobs: full}\ntools: {jobs_delete: confirm}\nconfirm: writes\nprotected: ['*prod*', 5]",
		"sections: []", "sections: [{user: a, default: off}, {client: b, groups: {jobs: read}, tools: {}, scopes: {}}]",
	} {
		parse(t, text)
		agreesWithSchema(t, text)
	}
	for _, text := range []string{
		"", "{}", "[]", "x", "scops: {}", "default: ful", "default: false", "default: ~", "mode: dry", "confirm: all", "confirm: [none]",
		"groups: [jobs]", "groups: {jbos: full}", "groups: {jobs: allow}", "tools: {job_delete: deny}", "tools: {jobs_delete: off}", "tools: ~",
		"scopes: {table: []}", "scopes: {jobs: nightly}", "scopes: {jobs: ~}", "scopes: {jobs: [~]}", "scopes: {jobs: [['a']]}", "scopes: {jobs: [1.5]}",
		"scopes: {jobs: [-1]}", "scopes: {jobs: ['']}", "scopes: {jobs: [true]}", "protected: prod", "protected: [{a: b}]", "sections: {}", "sections: [x]",
		"sections: [{default: off}]", "sections: [{user: a}]", "sections: [{user: '', default: off}]", "sections: [{user: a, mode: shadow}]",
		"sections: [{user: [a], default: off}]", "sections: [{user: a, sections: []}]", "jobs: full",
	} {
		if _, err := Parse("x", []byte(text)); err == nil {
			t.Errorf("Parse takes %q", text)
		}
		if validate(t, text) == nil {
			t.Errorf("the schema takes %q", text)
		}
	}
}
