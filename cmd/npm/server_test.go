package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/tidwall/gjson"
)

// server.json must fit the schema of the MCP registry, testdata/server.schema.json,
// which is 2025-12-11 of https://static.modelcontextprotocol.io/schemas/ but for one
// list of examples.
func TestServerJSON(t *testing.T) {
	schemaText, err := os.ReadFile(filepath.Join("testdata", "server.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "server.json"))
	if err != nil {
		t.Fatal(err)
	}
	id := gjson.GetBytes(schemaText, `\$id`).Str
	if given := gjson.GetBytes(text, `\$schema`).Str; given != id {
		t.Errorf("server.json is for %s, the schema is %s", given, id)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaText))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource(id, document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	validate := func(text []byte) error {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(value)
	}
	if err := validate(text); err != nil {
		t.Errorf("server.json: %v", err)
	}
	for _, spoil := range [][2]string{
		{`"type": "stdio"`, `"type": "carrier pigeon"`},
		{`"name": "io.github.`, `"name": "io/github.`},
		{`"description": "`, `"description": "` + strings.Repeat("x", 100)},
		{`"version": "`, `"version": 1, "was": "`},
	} {
		spoilt := bytes.Replace(text, []byte(spoil[0]), []byte(spoil[1]), 1)
		if bytes.Equal(spoilt, text) || validate(spoilt) == nil {
			t.Errorf("%s in place of %s is not refused", spoil[1], spoil[0])
		}
	}
	// What the registry checks beyond its schema: images have their version in the
	// identifier alone.
	for _, p := range gjson.GetBytes(text, "packages").Array() {
		if p.Get("registryType").Str == "oci" && (p.Get("version").Exists() || !strings.Contains(p.Get("identifier").Str, ":")) {
			t.Errorf("package %s", p.Raw)
		}
	}
}
