package tools

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/policy"

	"github.com/tidwall/gjson"
)

func TestQueryPicks(t *testing.T) {
	for _, c := range []struct {
		name   string
		houses string
		full   string // the pick where starting is allowed; "!…" is part of an error
		read   string // and where it is not
	}{
		{"running before all", "a STOPPED 2X-Small serverless, b STARTING 2X-Small serverless, c RUNNING 5X-Large", "c", "c"},
		{"smallest that runs", "a RUNNING Large serverless, b RUNNING Small, c RUNNING Medium", "b", "b"},
		{"serverless of one size", "a RUNNING Small, b RUNNING Small serverless", "b", "b"},
		{"healthy", "a RUNNING Small DEGRADED, b RUNNING Large HEALTHY", "b", "b"},
		{"unwell but up, rather than stopped", "a STOPPED Small serverless, b RUNNING Large DEGRADED", "b", "b"},
		{"starting", "a STOPPED 2X-Small serverless, b STARTING Large, c STARTING Small", "c", "c"},
		{"serverless that is stopped", "a STOPPED 2X-Small, b STOPPED Large serverless, c STOPPING Small serverless", "c", "!no SQL warehouse is running"},
		{"stopped", "a STOPPED Medium, b STOPPED X-Small", "b", "!no SQL warehouse is running"},
		{"last start failed", "a STOPPED 2X-Small serverless FAILED, b STOPPED Large", "b", "!starting one (b would be picked)"},
		{"by name", "b RUNNING Small, a RUNNING Small", "a", "a"},
		{"size of tomorrow", "a RUNNING Auto, b RUNNING 5X-Large", "b", "b"},
		{"none", "", "!there is no SQL warehouse", "!there is no SQL warehouse"},
		{"only ghosts", "a DELETING Small, b DELETED Small, c SOMETHING Small", "!there is no SQL warehouse", "!there is no SQL warehouse"},
	} {
		for access, want := range map[string]string{"full": c.full, "read": c.read, "full,warehouses=read": c.read} {
			t.Run(c.name+" at "+access, func(t *testing.T) {
				l := newLakehouse()
				if c.houses != "" {
					l.houses = strings.Split(c.houses, ", ")
				}
				text, failed := ask(t, l.server(t, access, nil), "sql_query", aQuery)
				if part, refused := strings.CutPrefix(want, "!"); refused {
					if !failed || !strings.Contains(text, part) || len(l.submitted) > 0 {
						t.Errorf("want a refusal with %q, got %s", part, text)
					}
					return
				}
				if failed || gjson.Get(text, "warehouse_id").Str != want || l.submitted[0].Get("warehouse_id").Str != want {
					t.Errorf("want %s, got %s", want, text)
				}
			})
		}
	}
}

func TestQueryRemembersItsPick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLakehouse("a RUNNING Small", "b RUNNING Large")
		s := l.server(t, "read", nil)
		lists := func(want int, when string) {
			t.Helper()
			if got := l.count(listed) - l.count(lookedAt); got != want {
				t.Errorf("%s: listed %d times, want %d", when, got, want)
			}
		}
		succeed(t, s, "sql_query", aQuery)
		succeed(t, s, "sql_query", aQuery)
		lists(1, "at once")
		if got := l.count(lookedAt); got != 1 {
			t.Errorf("looked at the pick %d times: a query must not start it", got)
		}
		l.houses[0] = "a STOPPED Small"
		if got := succeed(t, s, "sql_query", aQuery); gjson.Get(got, "warehouse_id").Str != "b" {
			t.Errorf("after the pick stopped: %s", got)
		}
		lists(2, "after the pick stopped")
		time.Sleep(pickTime)
		succeed(t, s, "sql_query", aQuery)
		lists(3, "later")
		l.answer = func(gjson.Result) string {
			return `{"statement_id":"st-1","status":{"state":"FAILED","error":{"error_code":"INTERNAL_ERROR","message":"boom"}}}`
		}
		wantError(t, s, "sql_query", aQuery, catalog.Down, "boom")
		l.answer = nil
		succeed(t, s, "sql_query", aQuery)
		lists(4, "after an error")

		full := l.server(t, "full", nil)
		looked := l.count(lookedAt)
		succeed(t, full, "sql_query", aQuery)
		succeed(t, full, "sql_query", aQuery)
		lists(5, "where starting is allowed")
		if l.count(lookedAt) != looked {
			t.Error("looked at the pick though it may be started")
		}
	})
}

func TestQueryOnTheDefaultWarehouse(t *testing.T) {
	settings := func(c *Config) { c.Workspaces[0].Warehouse = func() string { return "d" } }
	l := newLakehouse("a RUNNING 2X-Small", "d RUNNING Large")
	if got := succeed(t, l.server(t, "full", settings), "sql_query", aQuery); gjson.Get(got, "warehouse_id").Exists() || l.submitted[0].Get("warehouse_id").Str != "d" {
		t.Errorf("got %s, sent %s", got, l.submitted)
	}
	if l.count(listed) > 0 {
		t.Error("looked for a warehouse though there is a default")
	}
	succeed(t, l.server(t, "full", settings), "sql_query", `{"statement":"SELECT 1","warehouse_id":"a"}`)
	if l.submitted[1].Get("warehouse_id").Str != "a" {
		t.Error("the default beats the caller's")
	}
	l = newLakehouse("a RUNNING Small")
	wantError(t, l.server(t, "read", settings), "sql_query", aQuery, catalog.Missing, "no such warehouse", "DATABRICKS_WAREHOUSE_ID")
	none := func(c *Config) { c.Workspaces[0].Warehouse = func() string { return "" } }
	if got := succeed(t, l.server(t, "read", none), "sql_query", aQuery); gjson.Get(got, "warehouse_id").Str != "a" {
		t.Errorf("without a default: %s", got)
	}
}

// TestQueryStartsNothing where it is not allowed to.
func TestQueryStartsNothing(t *testing.T) {
	for _, c := range []struct {
		access, houses string
		says           []string
		silent         string // must not be said
	}{
		{"read", "w STOPPED Small, a RUNNING Small, b STARTING Large", []string{"warehouse w: it is STOPPED", "a (name of a, RUNNING); b (name of b, STARTING)", "--access warehouses=full"}, ""},
		{"read", "w STOPPING Small", []string{"it is STOPPING", "No other is running"}, ""},
		{"full,warehouses=off", "w STOPPED Small, a RUNNING Small", []string{"it is STOPPED", "--access warehouses=full"}, "name of a"},
		{"read", "w SOMETHING Small", []string{"it is SOMETHING"}, ""}, // a state that nobody knows
	} {
		l := newLakehouse(strings.Split(c.houses, ", ")...)
		s := l.server(t, c.access, nil)
		wantError(t, s, "sql_query", `{"statement":"SELECT 1","warehouse_id":"w"}`, catalog.Denied, c.says...)
		if text, _ := ask(t, s, "sql_query", `{"statement":"SELECT 1","warehouse_id":"w"}`); c.silent != "" && strings.Contains(text, c.silent) {
			t.Errorf("%s: %s", c.access, text)
		}
		if len(l.submitted) > 0 {
			t.Errorf("%s: the query was sent", c.houses)
		}
	}
	l := newLakehouse("w STARTING Small")
	succeed(t, l.server(t, "read", nil), "sql_query", `{"statement":"SELECT 1","warehouse_id":"w"}`)
}

// What the policy keeps from warehouses_start, a query does not start either.
func TestQueryStartsNothingProtected(t *testing.T) {
	for rules, want := range map[string]string{
		"default: full\nprotected: [\"name of a\"]\n":                       "b",
		"default: full\nprotected: [nothing]\n":                             "a",
		"default: full\nprotected: [\"*\"]\n":                               "",
		"default: full\nconfirm: writes\n":                                  "",
		"default: full\ntools: {warehouses_start: confirm}\n":               "",
		"mode: shadow\ndefault: full\ntools: {warehouses_start: confirm}\n": "a",
	} {
		p, err := policy.Parse("team.yaml", []byte(rules))
		if err != nil {
			t.Fatal(err)
		}
		l := newLakehouse("a STOPPED Small", "b STOPPED Large")
		s := l.server(t, "full", func(c *Config) { c.Policies = onePolicy{p} })
		text, failed := ask(t, s, "sql_query", aQuery)
		if got := gjson.Get(text, "warehouse_id").Str; got != want || failed != (want == "") {
			t.Errorf("%q: want warehouse %q, got %s", rules, want, text)
		}
	}
}
