package catalog

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// wireField is a top-level request field as the API declares it.
type wireField struct {
	Name, Place, Type string
	Required          bool
	Enum              []string
}

type wireRequest struct {
	Tool, Endpoint string
	Fields         []wireField
}

// renamed are the arguments whose names differ from the API's, on purpose.
var renamed = map[string]string{
	"warehouses_start.id": "warehouse_id", "warehouses_stop.id": "warehouse_id",
	"files_upload.file_path": "path", "files_download.file_path": "path", "files_delete.file_path": "path",
}

// encoded are the fields that the tool fills from arguments of its own: text,
// base64 or a file.
var encoded = map[string]bool{"dbfs_put.contents": true, "workspace_import.content": true}

// beyond are the fields that the API documents but its machine description lacks.
var beyond = map[string]bool{"clusters_create.idempotency_token": true}

func TestEveryFieldOfTheAPIIsAnArgument(t *testing.T) {
	for _, wire := range readTestdata[[]wireRequest](t, "wire_requests.json") {
		row := Find(wire.Tool)
		if row == nil {
			t.Errorf("%s is missing", wire.Tool)
			continue
		}
		_, byName := row.lookup()
		known := map[string]bool{}
		for _, f := range wire.Fields {
			key := wire.Tool + "." + f.Name
			if encoded[key] {
				continue
			}
			name := f.Name
			if other := renamed[key]; other != "" {
				name = other
			}
			p := byName[name]
			if p == nil {
				t.Errorf("%s has no argument %s", wire.Tool, name)
				continue
			}
			known[name] = true
			if got := p.wireType(); got != f.Type && !(got == "id" && (f.Type == "integer" || f.Type == "string")) {
				t.Errorf("%s.%s is %s, the API wants %s", wire.Tool, name, got, f.Type)
			}
			if p.required != f.Required {
				t.Errorf("%s.%s: required is %t, in the API %t", wire.Tool, name, p.required, f.Required)
			}
			if want := f.Enum; !slices.Equal(slices.Sorted(slices.Values(p.enum)), want) && !(len(want) == 0 && len(p.enum) == 0) {
				t.Errorf("%s.%s: enum %v, the API's is %v", wire.Tool, name, p.enum, want)
			}
			sendsField(t, row, p, f)
		}
		for _, p := range byName {
			ours := p.in == inLocal || p.name == "page_token" && row.Paging != NotPaged || beyond[wire.Tool+"."+p.name]
			if !known[p.name] && !ours {
				t.Errorf("%s.%s is sent, but the API has no such field", wire.Tool, p.name)
			}
		}
	}
}

func (p *param) wireType() string {
	words := [...]string{kindString: "string", kindID: "id", kindInteger: "integer", kindNumber: "number", kindBoolean: "boolean", kindObject: "object", kindArray: "array"}
	switch {
	case p.kind == kindArray:
		return "[]" + words[p.items]
	case p.values:
		return "map"
	}
	return words[p.kind]
}

// sendsField binds a call with the field and looks for it in the request.
func sendsField(t *testing.T, row *Row, p *param, f wireField) {
	t.Helper()
	args, err := json.Marshal(sampleArguments(row, p.name))
	if err != nil {
		t.Fatal(err)
	}
	call, err := row.Bind(args)
	if err != nil {
		t.Errorf("%s with %s: %v", row.Name, args, err)
		return
	}
	want := sample(p)
	switch f.Place {
	case "path":
		text := url.PathEscape(fmt.Sprint(want))
		if row.Path != strings.ReplaceAll(row.Path, "...", "") { // a path is escaped by segment
			text = fmt.Sprint(want)
		}
		if !strings.Contains(call.Path, text) {
			t.Errorf("%s.%s: %v is not in the path %s", row.Name, p.name, want, call.Path)
		}
	case "query":
		query, err := url.ParseQuery(call.Query)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(mapKeys(query), func(k string) bool { return k == f.Name || strings.HasPrefix(k, f.Name+".") }) {
			t.Errorf("%s.%s is not in the query %s", row.Name, p.name, call.Query)
		}
	case "body":
		got := gjson.GetBytes(call.Body, strings.ReplaceAll(f.Name, ".", `\.`))
		if !got.Exists() {
			t.Errorf("%s.%s is not in the body %s", row.Name, p.name, call.Body)
		} else if f.Type == "integer" && got.Type != gjson.Number {
			t.Errorf("%s.%s: the API wants a number, sent is %s", row.Name, p.name, got.Raw)
		}
	}
}

func mapKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

// sampleArguments are all required arguments, one of each OneOf, and the named ones.
func sampleArguments(row *Row, names ...string) map[string]any {
	args := map[string]any{}
	params, _ := row.lookup()
	for i := range params {
		if p := &params[i]; p.required || slices.Contains(names, p.name) {
			args[p.name] = sample(p)
		}
	}
	if len(row.OneOf) > 0 && !slices.ContainsFunc(names, func(n string) bool { return slices.Contains(row.OneOf, n) }) {
		args[row.OneOf[0]] = "x"
	}
	return args
}

// sample is a valid value of an argument.
func sample(p *param) any {
	switch {
	case p.name == "path" && p.pattern != nil:
		return "/Volumes/main/sales/in/a.csv"
	case p.name == "wait_timeout":
		return "30s"
	case len(p.enum) > 0 && p.kind == kindArray:
		return []any{p.enum[0]}
	case len(p.enum) > 0:
		return p.enum[0]
	case p.values:
		return map[string]any{"k": "v"}
	}
	switch p.kind {
	case kindID:
		return "9007199254740993"
	case kindInteger:
		if p.min != nil {
			return *p.min
		}
		return 7
	case kindNumber:
		return 1.5
	case kindBoolean:
		return true
	case kindObject:
		return map[string]any{"k": "v"}
	case kindArray:
		if p.items == kindObject {
			return []any{map[string]any{"k": "v"}}
		}
		return []any{"v"}
	}
	return "v"
}
