package main

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// storyQuery is an analyst's agent, which may only read.
func storyQuery(t *testing.T) {
	a := inSandbox(t, "--access", "read")
	list, err := a.session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	listed := false
	for _, tool := range list.Tools {
		if tool.Name == "sql_execute_statement" {
			t.Error("sql_execute_statement is listed at --access read")
		}
		listed = listed || tool.Name == "sql_query" && tool.Annotations.ReadOnlyHint
	}
	if !listed {
		t.Error("sql_query is not listed, or not as a tool that reads")
	}
	a.refused("denied", "sql_execute_statement", args{"warehouse_id": a.warehouse(), "statement": "SELECT 1"})

	answer := a.call("sql_query", args{"statement": "SELECT count(*) AS n FROM main.retail.orders WHERE order_id > :least", "parameters": []any{args{"name": "least", "value": "0", "type": "BIGINT"}}})
	before := answer.Get("rows.0.0").Int()
	if before == 0 || answer.Get("warehouse_id").Str != a.warehouse() {
		t.Errorf("count: %s", answer.Raw)
	}
	for _, statement := range []string{
		"DELETE FROM main.retail.orders",
		"SELECT 1; DELETE FROM main.retail.orders",
		"WITH x AS (SELECT 1) DELETE FROM main.retail.orders",
		"SELECT 1 /* ; */ ; DELETE FROM main.retail.orders -- SELECT",
		"EXPLAIN DELETE FROM main.retail.orders",
	} {
		refusal := a.refused("invalid", "sql_query", args{"statement": statement})
		a.must(refusal.Get("message").Str, "line 1, column ")
		a.must(refusal.Get("advice").Str, "Nothing was sent")
	}
	if after := a.call("sql_query", args{"statement": "SELECT count(*) FROM orders", "catalog": "main", "schema": "retail"}); after.Get("rows.0.0").Int() != before {
		t.Errorf("%d orders before the refused writes, and after them: %s", before, after.Raw)
	}
	failure := a.refused("invalid", "sql_query", args{"statement": "SELECT * FROM main.retail.ordrs"})
	a.must(failure.Get("message").Str, "TABLE_OR_VIEW_NOT_FOUND")

	cut := a.call("sql_query", args{"statement": "SELECT order_id FROM main.retail.order_items", "row_limit": 7})
	if cut.Get("returned").Int() != 7 || !cut.Get("truncated").Bool() {
		t.Errorf("with row_limit 7: %s", cut.Raw)
	}
	a.must(cut.Get("limited_by").Str, "row_limit 7")
	page := a.call("sql_query", args{"statement": "SELECT order_id, line, note FROM (SELECT order_id, line, repeat('x', 40) AS note FROM main.retail.order_items)"})
	next := a.call("sql_get_statement", args{"statement_id": page.Get("statement_id").Str, "page_token": page.Get("next_page_token").Str})
	if next.Get("returned").Int() == 0 || next.Get("rows.0").Raw == page.Get("rows.0").Raw {
		t.Errorf("the second page: %s", next.Raw)
	}

	// 30 MB are above what the workspace answers inline.
	large := a.call("sql_query", args{"statement": "SELECT repeat('x', 3000) AS long FROM main.retail.order_items"})
	if large.Get("returned").Int() == 0 || !strings.HasPrefix(large.Get("rows.0.0").Str, "xxx") {
		t.Errorf("a large result: %.300s", large.Raw)
	}

	stopped := a.call("warehouses_list", args{}).Get(`warehouses.#(state=="STOPPED").id`).Str
	refusal := a.refused("denied", "sql_query", args{"statement": "SELECT 1", "warehouse_id": stopped})
	a.must(refusal.Get("advice").Str, a.warehouse())
	state := func() string {
		var found string
		a.call("warehouses_list", args{}).Get("warehouses").ForEach(func(_, w gjson.Result) bool {
			if w.Get("id").Str == stopped {
				found = w.Get("state").Str
			}
			return true
		})
		return found
	}
	if got := state(); got != "STOPPED" {
		t.Errorf("the refused query left the warehouse %s", got)
	}

	b := inSandbox(t, "--access", "read,warehouses=full", "--warehouse", stopped)
	if got := b.call("sql_query", args{"statement": "VALUES (1)"}); got.Get("rows").Raw != "[[1]]" || got.Get("warehouse_id").Exists() {
		t.Errorf("on the default warehouse, which was stopped: %s", got.Raw)
	}
}
