package tools

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"brickmcp/catalog"
)

// Calls are counted once each, with what became of them, with an audit log or
// without one.
func TestCallsAreObserved(t *testing.T) {
	for name, start := range map[string]func(*testing.T, *fake, func(*Config)) *Server{
		"counted":             func(t *testing.T, api *fake, change func(*Config)) *Server { return newServer(t, api, change) },
		"counted and audited": func(t *testing.T, api *fake, change func(*Config)) *Server { s, _ := audited(t, api, change); return s },
	} {
		t.Run(name, func(t *testing.T) {
			var heard []string
			api := &fake{do: func(_ context.Context, call *catalog.Call) (string, error) {
				switch {
				case strings.HasSuffix(call.Path, "/jobs/list"):
					return "", &catalog.Error{Kind: catalog.Down, Message: "it is down"}
				case strings.HasSuffix(call.Path, "/jobs/delete"):
					panic("in the middle")
				}
				return `{"job_id":1,"settings":{"name":"x"}}`, nil
			}}
			s := start(t, api, func(c *Config) {
				c.Workspaces[0].WhoAmI = func(context.Context) (json.RawMessage, error) { return json.RawMessage(`{}`), nil }
				c.Observe = func(tool, outcome string, took time.Duration) {
					if took < 0 {
						t.Errorf("%s took %v", tool, took)
					}
					heard = append(heard, tool+" "+outcome)
				}
			})
			for _, request := range []string{
				`{"name":"jobs_get","arguments":{"job_id":"1"}}`,
				`{"name":"jobs_list","arguments":{}}`,
				`{"name":"jobs_get","arguments":{"nonsense":"1"}}`,
				`{"name":"jobs_delete","arguments":{"job_id":"1"}}`,
				`{"name":"whoami","arguments":{}}`,
				`{"name":"jobs_destroy","arguments":{}}`,
			} {
				s.MCP().HandleMessage(t.Context(), json.RawMessage(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":`+request+`}`))
			}
			want := "jobs_get ok; jobs_list down; jobs_get invalid; jobs_delete internal; whoami ok; jobs_destroy invalid"
			if got := strings.Join(heard, "; "); got != want {
				t.Errorf("heard of\n%s, want\n%s", got, want)
			}
		})
	}
}

// A kind of error that is missing here would be counted as "other".
func TestOutcomesNameEveryKind(t *testing.T) {
	text, err := os.ReadFile("../catalog/error.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile(`\bKind = "(\w+)"`).FindAllStringSubmatch(string(text), -1)
	if len(kinds) < 10 {
		t.Fatalf("found %d kinds", len(kinds))
	}
	for _, kind := range kinds {
		if !slices.Contains(Outcomes(), kind[1]) {
			t.Errorf("Outcomes does not name %s", kind[1])
		}
	}
}

// Whatever tools/list may show has a name here.
func TestNamesAreThoseOfTheTools(t *testing.T) {
	names := Names()
	for _, row := range catalog.All() {
		if !slices.Contains(names, row.Name) {
			t.Errorf("there is no %s", row.Name)
		}
	}
	if !slices.Contains(names, "whoami") || len(names) != len(catalog.All())+1 {
		t.Errorf("%d names", len(names))
	}
}
