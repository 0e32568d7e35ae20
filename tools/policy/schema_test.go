package policy

import (
	"bytes"
	"encoding/json"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	raw, err := Schema()
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
