package catalog

import (
	"encoding/json"
	"strings"
	"testing"
)

func foreignRow() *Row {
	return Foreign(Row{
		Name: "docs_search", Title: "Search", Group: Managed, Effect: Read, Method: "POST", Path: "/api/2.0/mcp/x",
		Object: "tool search of docs", Did: "called {}",
	}, func(args map[string]json.RawMessage) []Touch {
		return []Touch{{Scope: ScopeSQL, ID: strings.Trim(string(args["query"]), `"`)}}
	})
}

func TestForeignArgumentsComeThroughAsTheyAre(t *testing.T) {
	const raw = `{"query":"SELECT 1","n":9007199254740993,"deep":{"x":[1,null]},"gone":null}`
	call, err := foreignRow().Bind([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if string(call.Body) != raw {
		t.Errorf("the body is %s", call.Body)
	}
	if string(call.Args["n"]) != "9007199254740993" || call.Args["gone"] != nil {
		t.Errorf("the arguments are %s", call.Args)
	}
	if len(call.Touches) != 1 || call.Touches[0].ID != "SELECT 1" || call.About() != "docs_search on tool search of docs" {
		t.Errorf("%+v, %s", call.Touches, call.About())
	}
	if call, err = foreignRow().Bind(nil); err != nil || string(call.Body) != "{}" {
		t.Errorf("%v, %s", err, call.Body)
	}
}

func TestForeignArgumentsThatAreNone(t *testing.T) {
	for _, raw := range []string{`[]`, `{"a":1,"a":2}`, `{`, `{"a":"` + Hidden + `"}`} {
		_, err := foreignRow().Bind([]byte(raw))
		if err == nil || AsError(err).Kind != Invalid || strings.Contains(AsError(err).Advice, "no arguments") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// TestForeignArgumentsAreRecorded: audit shows them, but no secret in them.
func TestForeignArgumentsAreRecorded(t *testing.T) {
	got := string(foreignRow().Recorded(json.RawMessage(`{"query":"hello","api_token":"xyz","headers":{"password":"pw"}}`)))
	if !strings.Contains(got, `"query":"hello"`) || strings.Contains(got, "xyz") || strings.Contains(got, `"pw"`) {
		t.Error(got)
	}
}
