package sandbox

import (
	"slices"
	"strings"
	"testing"
)

func TestEverySeededTableIsReadable(t *testing.T) {
	ana, _, _ := newCallers(t)
	total := 0
	for _, s := range seedSchemas {
		for _, table := range s.tables {
			name := s.catalog + "." + s.name + "." + table.name
			got := ana.sql("SELECT * FROM " + name + " LIMIT 3")
			if dig(got, "status", "state") != "SUCCEEDED" {
				t.Errorf("%s: %v", name, got["status"])
				continue
			}
			if dig(got, "manifest", "total_row_count") == "0" || dig(got, "manifest", "schema", "column_count") == "0" {
				t.Errorf("%s: %v", name, got["manifest"])
			}
			for i, c := range seedColumns(table.columns) {
				column := got["manifest"].(map[string]any)["schema"].(map[string]any)["columns"].([]any)[i]
				if dig(column, "name") != c.Name || dig(column, "type_text") != c.Type.String() {
					t.Errorf("%s: column %s %s, listed as %s %s", name, dig(column, "name"), dig(column, "type_text"), c.Name, c.Type)
				}
			}
			if table.rows != nil {
				for range table.rows() {
					total++
				}
			}
		}
	}
	if total < 25000 {
		t.Errorf("%d rows in all", total)
	}
}

func TestSeededTablesAgree(t *testing.T) {
	ana, _, _ := newCallers(t)
	for _, c := range []struct{ sql, want string }{
		{"SELECT count(*) FROM main.retail.orders", "5000"},
		{"SELECT count(*) FROM main.retail.orders o JOIN (SELECT order_id, sum(line_amount) AS total, count(*) AS n FROM main.retail.order_items GROUP BY order_id) i ON i.order_id = o.order_id AND i.total = o.total_amount AND i.n = o.items", "5000"},
		{"SELECT count(*) FROM main.retail.orders WHERE customer_id NOT IN (SELECT customer_id FROM main.retail.customers)", "0"},
		{"SELECT max(order_date) FROM main.retail.orders", "2025-06-29"},
	} {
		if got := dig(ana.sql(c.sql), "result", "data_array", 0, 0); got != c.want {
			t.Errorf("%s: %s, want %s", c.sql, got, c.want)
		}
	}
}

func TestGrantsHoldInSQL(t *testing.T) {
	ana, ben, _ := newCallers(t)
	for _, c := range []struct {
		who  caller
		sql  string
		want string // the message's beginning; "" succeeds
	}{
		{ben, "SELECT count(*) FROM main.retail.orders", ""},
		{ben, "SELECT * FROM main.hr.salaries", "[INSUFFICIENT_PERMISSIONS]"},
		{ben, "SELECT * FROM prod_sales.core.transactions", "[INSUFFICIENT_PERMISSIONS]"},
		{ben, "DELETE FROM main.retail.orders WHERE order_id = 100001", "[INSUFFICIENT_PERMISSIONS]"},
		{ben, "DROP TABLE main.retail.orders", "[INSUFFICIENT_PERMISSIONS]"},
		{ben, "CREATE TABLE main.retail.mine (a INT)", "[INSUFFICIENT_PERMISSIONS]"},
		{ben, "GRANT SELECT ON TABLE main.hr.salaries TO `ben@example.com`", "[INSUFFICIENT_PERMISSIONS]"},
		{ben, "CREATE TABLE main.default.mine AS SELECT 1 AS a", ""},
		{ben, "INSERT INTO main.default.mine VALUES (2)", ""},
		{ben, "SELECT * FROM main.retail.top_customers LIMIT 1", ""}, // the view's owner reads
		{ana, "GRANT USE SCHEMA ON SCHEMA main.hr TO `ben@example.com`", ""},
		{ana, "GRANT SELECT ON TABLE main.hr.salaries TO `ben@example.com`", ""},
		{ben, "SELECT * FROM main.hr.salaries", ""},
		{ana, "REVOKE SELECT ON TABLE main.hr.salaries FROM `ben@example.com`", ""},
		{ben, "SELECT * FROM main.hr.salaries", "[INSUFFICIENT_PERMISSIONS]"},
		{ana, "GRANT SELECT ON TABLE main.hr.salaries TO nobody", "[PRINCIPAL_DOES_NOT_EXIST]"},
	} {
		got := c.who.sql(c.sql)
		message := dig(got, "status", "error", "message")
		if (c.want == "") != (dig(got, "status", "state") == "SUCCEEDED") || !strings.HasPrefix(message, c.want) {
			t.Errorf("%s: %v", c.sql, got["status"])
		}
		if c.want == "[INSUFFICIENT_PERMISSIONS]" && dig(got, "status", "sql_state") != "42501" {
			t.Errorf("%s: sql_state %s", c.sql, dig(got, "status", "sql_state"))
		}
	}
	if got := ana.get(unity + "/tables/main.default.mine"); got["owner"] != benName || got["table_type"] != "MANAGED" || got["data_source_format"] != "DELTA" {
		t.Errorf("made by SQL: %v", got)
	}
}

func TestSQLAndRESTShareOneCatalog(t *testing.T) {
	ana, _, _ := newCallers(t)
	run := func(sql string) map[string]any {
		t.Helper()
		got := ana.sql(sql)
		if dig(got, "status", "state") != "SUCCEEDED" {
			t.Fatalf("%s: %v", sql, got["status"])
		}
		return got
	}
	run("CREATE CATALOG lab COMMENT 'c'")
	run("CREATE SCHEMA lab.s")
	run("CREATE TABLE lab.s.t (id BIGINT NOT NULL COMMENT 'key', d DATE) PARTITIONED BY (d) COMMENT 'a table' TBLPROPERTIES ('quality' = 'bronze')")
	run("INSERT INTO lab.s.t VALUES (9007199254740993, '2025-01-01')")
	run("CREATE VIEW lab.s.v AS SELECT id FROM lab.s.t")
	table := ana.get(unity + "/tables/lab.s.t")
	if dig(table, "columns", 0, "comment") != "key" || dig(table, "columns", 0, "nullable") != "false" || dig(table, "columns", 1, "partition_index") != "0" ||
		table["comment"] != "a table" || dig(table, "properties", "quality") != "bronze" {
		t.Errorf("table: %v", table)
	}
	if view := ana.get(unity + "/tables/lab.s.v"); view["table_type"] != "VIEW" || dig(view, "columns", 0, "type_name") != "LONG" {
		t.Errorf("view: %v", view)
	}
	run("ALTER TABLE lab.s.t RENAME TO lab.s.t2")
	if got := dig(run("SELECT id FROM lab.s.t2"), "result", "data_array", 0, 0); got != "9007199254740993" {
		t.Errorf("renamed: %s", got)
	}
	ana.call("DELETE", unity+"/tables/lab.s.t2", nil)
	if got := ana.sql("SELECT * FROM lab.s.t2"); dig(got, "status", "state") != "FAILED" {
		t.Errorf("dropped by REST: %v", got)
	}
	run("DROP CATALOG lab CASCADE")
	ana.refused("GET", unity+"/catalogs/lab", nil, 404, "CATALOG_DOES_NOT_EXIST")

	ana.call("POST", unity+"/schemas", shape{"name": "rest", "catalog_name": "main"})
	got := run("SHOW SCHEMAS IN main")
	var schemas []string
	for _, row := range got["result"].(map[string]any)["data_array"].([]any) {
		schemas = append(schemas, row.([]any)[0].(string))
	}
	if !slices.Contains(schemas, "rest") || !slices.Contains(schemas, "retail") {
		t.Errorf("SHOW SCHEMAS: %v", schemas)
	}
}

func TestRecreatedTableStartsEmpty(t *testing.T) {
	ana, _, _ := newCallers(t)
	ana.call("DELETE", unity+"/tables/main.retail.promotions", nil)
	ana.sql("CREATE TABLE main.retail.promotions (id INT)")
	if got := ana.sql("SELECT count(*) FROM main.retail.promotions"); dig(got, "result", "data_array", 0, 0) != "0" {
		t.Errorf("%v", got)
	}
}

func TestInformationSchemaIsListedAndReadable(t *testing.T) {
	_, ben, _ := newCallers(t)
	listed := names(ben.get(unity + "/tables?catalog_name=main&schema_name=information_schema")["tables"], "full_name")
	if len(listed) != len(informationViews) {
		t.Errorf("listed: %v", listed)
	}
	for _, name := range listed {
		if got := ben.sql("SELECT * FROM " + name + " LIMIT 1"); dig(got, "status", "state") != "SUCCEEDED" {
			t.Errorf("%s: %v", name, got["status"])
		}
	}
	got := ben.sql("SELECT DISTINCT table_schema FROM main.information_schema.tables ORDER BY 1")
	if rows := dig(got, "result", "data_array"); rows != "[[information_schema] [marketing] [retail]]" {
		t.Errorf("ben sees %s", rows)
	}
}

func TestReplacedTableForgetsItsKeys(t *testing.T) {
	ana, _, _ := newCallers(t)
	ana.sql("CREATE OR REPLACE TABLE main.retail.stores (id INT)")
	if got := ana.get(unity + "/tables/main.retail.stores"); got["table_constraints"] != nil {
		t.Errorf("%v", got["table_constraints"])
	}
}
