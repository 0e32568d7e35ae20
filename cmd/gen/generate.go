package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"brickmcp/catalog"
	"brickmcp/tools"
	"brickmcp/tools/policy"

	"github.com/mark3labs/mcp-go/mcp"
)

const (
	schemaPath = "catalog/schemas.jsonl"
	policyPath = "docs/policy.schema.json"
	goldenDir  = "testdata/tools"
	readmePath = "README.md"
)

// file is one generated file, path relative to the project's directory.
type file struct {
	path    string
	content []byte
}

// generate makes all files. Where the schemas that are embedded in this process are
// not those of the rows, it makes only those that do not need them, and reports
// false: the rest takes a gen that is built with the new ones.
func generate(root string, rows []*catalog.Row) (files []file, all bool, err error) {
	for _, row := range append(catalog.Inner(), rows...) {
		if err := row.Check(); err != nil {
			return nil, false, err
		}
	}
	schemas, err := catalog.SchemaFile(rows)
	if err != nil {
		return nil, false, err
	}
	forPolicies, err := policy.Schema()
	if err != nil {
		return nil, false, err
	}
	files = []file{{schemaPath, schemas}, {policyPath, forPolicies}}
	for _, row := range rows {
		if schema, err := row.Reflect(); err != nil || !bytes.Equal(schema, row.Schema()) {
			return files, false, err
		}
	}
	goldens, err := goldens()
	if err != nil {
		return nil, false, err
	}
	readme, err := os.ReadFile(filepath.Join(root, readmePath))
	if err != nil {
		return nil, false, err
	}
	for name, table := range map[string]string{"tools": toolTable()} {
		if readme, err = between(readme, name, table); err != nil {
			return nil, false, err
		}
	}
	return append(append(files, goldens...), file{readmePath, readme}), true, nil
}

// goldens takes the tools through the protocol: what is written is what a client
// sees.
func goldens() ([]file, error) {
	access, err := tools.ParseAccess("full")
	if err != nil {
		return nil, err
	}
	server := tools.New(tools.Config{Access: access, Workspaces: make([]tools.Workspace, 1)})
	request := json.RawMessage(`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`)
	response, ok := server.MCP().HandleMessage(context.Background(), request).(mcp.JSONRPCResponse)
	if !ok {
		return nil, fmt.Errorf("tools/list failed")
	}
	raw, err := json.Marshal(response.Result)
	if err != nil {
		return nil, err
	}
	var list struct {
		Tools []json.RawMessage `json:"tools"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	var files []file
	for _, tool := range list.Tools {
		var named struct {
			Name string `json:"name"`
		}
		if err := json.Unmarshal(tool, &named); err != nil {
			return nil, err
		}
		var out bytes.Buffer
		if err := json.Indent(&out, tool, "", "  "); err != nil {
			return nil, err
		}
		out.WriteByte('\n')
		files = append(files, file{goldenDir + "/" + named.Name + ".json", out.Bytes()})
	}
	return files, nil
}

// between puts text between the markers of that name.
func between(document []byte, name, text string) ([]byte, error) {
	begin, end := "<!-- begin "+name+" (generated) -->\n", "<!-- end "+name+" -->"
	before, rest, ok := strings.Cut(string(document), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return nil, fmt.Errorf("%s has no markers for %q", readmePath, name)
	}
	return []byte(before + begin + text + end + after), nil
}

// toolTable is the README's table of tools, a section per group.
func toolTable() string {
	var b strings.Builder
	for _, group := range catalog.Groups() {
		first := true
		for _, row := range catalog.All() {
			if row.Group != group {
				continue
			}
			if first {
				fmt.Fprintf(&b, "\n**%s** (`%s`)\n\n| tool | access | what it does | permission | endpoint | rate |\n|---|---|---|---|---|---|\n", group.Title, group.ID)
				first = false
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | `%s` | %s |\n", row.Name, row.Effect.Needs(), cell(row.Doc), cell(row.Needs), row.Endpoint(), row.Limit)
		}
	}
	return strings.TrimPrefix(b.String(), "\n") + "\n"
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
