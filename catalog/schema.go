package catalog

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/invopop/jsonschema"
)

// Schemas are reflected when the project is built, not when it starts: that
// would cost more than the rest of the start together. cmd/gen writes the file,
// and a test compares it with Reflect.
//
//go:embed schemas.jsonl
var schemaLines string

var embeddedSchemas = sync.OnceValue(func() map[string]string {
	schemas := make(map[string]string, 64)
	for line := range strings.Lines(schemaLines) {
		if name, schema, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok {
			schemas[name] = schema
		}
	}
	return schemas
})

// Schema is the row's input schema as tools/list sends it.
func (r *Row) Schema() json.RawMessage {
	return json.RawMessage(embeddedSchemas()[r.Name])
}

// reflector has the one set of rules that every MCP client can read: no $ref, no
// $defs, no $schema, properties in the order of the struct. additionalProperties
// is left out to stay within the budget: Bind refuses unknown arguments anyway,
// and says which one was meant.
var reflector = jsonschema.Reflector{Anonymous: true, DoNotReference: true, ExpandedStruct: true, AllowAdditionalProperties: true}

// Reflect makes the input schema from the request type.
func (r *Row) Reflect() (json.RawMessage, error) {
	schema := reflector.ReflectFromType(r.req)
	schema.Version = ""
	raw, err := json.Marshal(schema)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out) // not Marshal: < and > would become escapes
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(json.RawMessage(raw)); err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte{'\n'}), nil
}

// SchemaFile is the content of schemas.jsonl for the given rows: a name, a tab
// and a schema per line.
func SchemaFile(rows []*Row) ([]byte, error) {
	var out bytes.Buffer
	for _, row := range rows {
		schema, err := row.Reflect()
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "%s\t%s\n", row.Name, schema)
	}
	return out.Bytes(), nil
}
