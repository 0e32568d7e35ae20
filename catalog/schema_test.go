package catalog

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEmbeddedSchemasAreTheTypes(t *testing.T) {
	want, err := SchemaFile(All())
	if err != nil {
		t.Fatal(err)
	}
	if schemaLines != string(want) {
		t.Error("schemas.jsonl does not follow from the request types; run make gen")
	}
	for _, row := range All() {
		if len(row.Schema()) == 0 {
			t.Errorf("%s has no schema", row.Name)
		}
	}
}

// schema is what our schemas may be made of. Anything else is refused by some
// client or model provider.
type schema struct {
	Type        string             `json:"type"`
	Description string             `json:"description"`
	Properties  map[string]*schema `json:"properties"`
	Required    []string           `json:"required"`
	Items       *schema            `json:"items"`
	Enum        []string           `json:"enum"`
}

var portableName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

func TestSchemasArePortable(t *testing.T) {
	for _, row := range All() {
		if !portableName.MatchString(row.Name) {
			t.Errorf("%s: the name is not portable", row.Name)
		}
		decoder := json.NewDecoder(strings.NewReader(string(row.Schema())))
		decoder.DisallowUnknownFields() // no $ref, $defs, $schema, anyOf, oneOf, allOf, not, const …
		var root schema
		if err := decoder.Decode(&root); err != nil {
			t.Errorf("%s: %v", row.Name, err) // also a bare true, or a list of types
			continue
		}
		if root.Type != "object" || root.Properties == nil {
			t.Errorf("%s: the root must be an object with properties", row.Name)
		}
		for _, name := range root.Required {
			if root.Properties[name] == nil {
				t.Errorf("%s: requires %q, which it does not have", row.Name, name)
			}
		}
		for name, property := range root.Properties {
			if property.Description == "" {
				t.Errorf("%s.%s is not described", row.Name, name)
			}
			if strings.Contains(property.Description, "\n") || len(property.Description) > 200 {
				t.Errorf("%s.%s: description %q", row.Name, name, property.Description)
			}
			property.lint(t, row.Name+"."+name)
		}
	}
}

func (s *schema) lint(t *testing.T, at string) {
	switch s.Type {
	case "string", "integer", "number", "boolean":
	case "object":
		for name, p := range s.Properties {
			p.lint(t, at+"."+name)
		}
	case "array":
		if s.Items == nil {
			t.Errorf("%s: an array without items", at)
			return
		}
		s.Items.lint(t, at+"[]")
	default:
		t.Errorf("%s: type %q", at, s.Type)
	}
	if len(s.Enum) > 0 && s.Type != "string" {
		t.Errorf("%s: an enum of type %s", at, s.Type)
	}
}

// The schema and Bind must tell the same story.
func TestSchemasAgreeWithBind(t *testing.T) {
	for _, row := range All() {
		var root schema
		if err := json.Unmarshal(row.Schema(), &root); err != nil {
			t.Fatal(err)
		}
		params, byName := row.lookup()
		for name, property := range root.Properties {
			p := byName[name]
			if p == nil {
				t.Errorf("%s shows %q, which Bind does not know", row.Name, name)
				continue
			}
			want := [...]string{kindString: "string", kindID: "string", kindInteger: "integer", kindNumber: "number", kindBoolean: "boolean", kindObject: "object", kindArray: "array", kindInput: "string"}[p.kind]
			if property.Type != want || property.Description != p.doc {
				t.Errorf("%s.%s: schema %s %q, Bind %s %q", row.Name, name, property.Type, property.Description, want, p.doc)
			}
			if p.kind != kindArray && property.Enum != nil && !slices.Equal(property.Enum, p.enum) {
				t.Errorf("%s.%s: schema enum %v, Bind %v", row.Name, name, property.Enum, p.enum)
			}
		}
		for _, p := range params {
			if p.required != slices.Contains(root.Required, p.name) {
				t.Errorf("%s.%s: required is %t for Bind, not so in the schema", row.Name, p.name, p.required)
			}
		}
	}
}

// toolJSON is a tool as tools/list sends it.
func toolJSON(t *testing.T, row *Row) []byte {
	t.Helper()
	type hints struct {
		ReadOnly    bool `json:"readOnlyHint"`
		Destructive bool `json:"destructiveHint"`
		Idempotent  bool `json:"idempotentHint"`
		OpenWorld   bool `json:"openWorldHint"`
	}
	raw, err := json.Marshal(struct {
		Name        string          `json:"name"`
		Title       string          `json:"title"`
		Description string          `json:"description"`
		InputSchema json.RawMessage `json:"inputSchema"`
		Annotations hints           `json:"annotations"`
	}{row.Name, row.Title, row.Doc, row.Schema(), hints{row.Effect.ReadOnly(), row.Effect.Destructive(), row.Effect.Idempotent(), true}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Agents pay for the list of tools in every request. The last budget stands for
// 112 tokens of the o200k encoding a tool, for name, description and schema: counted
// once, 20,500 bytes of these texts were 4,685 tokens.
func TestToolListFitsItsBudget(t *testing.T) {
	all, read, model := 0, 0, 0
	for _, row := range All() {
		size := len(toolJSON(t, row)) + len(",")
		all += size
		if row.Effect.ReadOnly() {
			read += size
		}
		model += len(`{"name":"","description":"","inputSchema":},`) + len(row.Name) + len(row.Doc) + len(row.Schema())
		if size > maxToolBytes {
			t.Errorf("%s takes %d bytes, the limit is %d", row.Name, size, maxToolBytes)
		}
	}
	for _, b := range []struct {
		what      string
		got, most int
	}{
		{"all tools", all, 37_000},
		{"the tools that only read", read, 16_000},
		{"what a model sees of all tools", model, 112 * len(All()) * 20_500 / 4_685},
	} {
		if b.got > b.most {
			t.Errorf("%s take %d bytes, the budget is %d", b.what, b.got, b.most)
		}
	}
	t.Logf("all %d, read %d, model %d bytes", all, read, model)
}
