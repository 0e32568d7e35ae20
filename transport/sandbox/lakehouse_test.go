package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestCatalogListsAreFilteredByPrivilege(t *testing.T) {
	ana, ben, _ := newCallers(t)
	for _, c := range []struct {
		who   caller
		path  string
		key   string
		names string
	}{
		{ana, "/catalogs", "catalogs", "main prod_sales samples system"},
		{ben, "/catalogs", "catalogs", "main samples system"},
		{ben, "/catalogs?include_browse=true", "catalogs", "main prod_sales samples system"},
		{ana, "/schemas?catalog_name=main", "schemas", "default hr information_schema marketing ml rag retail staging"},
		{ben, "/schemas?catalog_name=main", "schemas", "default information_schema marketing retail"},
		{ana, "/tables?catalog_name=samples&schema_name=tpch", "tables", "customer nation orders region"},
		{ben, "/tables?catalog_name=MAIN&schema_name=marketing", "tables", "campaigns spend_daily"},
		{ben, "/volumes?catalog_name=main&schema_name=retail", "volumes", "exports landing"},
		{ben, "/functions?catalog_name=main&schema_name=retail", "functions", "convert_currency net_price sku_category"},
		{ben, "/functions?catalog_name=main&schema_name=marketing", "functions", ""},
	} {
		page := c.who.get(unity + c.path)
		if got := strings.Join(names(page[c.key], "name"), " "); got != c.names {
			t.Errorf("%s: %q, want %q", c.path, got, c.names)
		}
		if _, there := page[c.key]; !there && c.names != "" || there && c.names == "" {
			t.Errorf("%s: an empty list must be absent, a full one present", c.path)
		}
	}
}

func TestTablesCarryColumnsAndTheSingleReadConstraints(t *testing.T) {
	ana, _, _ := newCallers(t)
	orders := ana.get(unity + "/tables/main.retail.orders")
	columns := orders["columns"].([]any)
	total := columns[len(columns)-1].(map[string]any)
	for key, want := range map[string]string{
		"name": "total_amount", "type_name": "DECIMAL", "type_text": "decimal(12,2)", "type_precision": "12", "type_scale": "2", "position": "8", "nullable": "false",
		"type_json": `{"name":"total_amount","type":"decimal(12,2)","nullable":false,"metadata":{"comment":"Sum of the order lines, EUR"}}`,
	} {
		if got := fmt.Sprint(total[key]); got != want {
			t.Errorf("column %s: %s, want %s", key, got, want)
		}
	}
	if n := len(orders["table_constraints"].([]any)); n != 3 {
		t.Errorf("%d constraints, want a primary and two foreign keys", n)
	}
	view := ana.get(unity + "/tables/main.retail.orders_daily")
	if view["table_type"] != "VIEW" || !strings.HasPrefix(view["view_definition"].(string), "SELECT") || view["view_dependencies"] == nil {
		t.Errorf("view: %v", view)
	}
	if _, there := view["data_source_format"]; there {
		t.Error("a view has no format")
	}
	listed := ana.get(unity + "/tables?catalog_name=main&schema_name=retail&omit_columns=true&omit_username=true")["tables"].([]any)[0].(map[string]any)
	for _, key := range []string{"columns", "owner", "table_constraints"} {
		if _, there := listed[key]; there {
			t.Errorf("the list carries %s", key)
		}
	}
}

func TestMissingObjectsAreNamedByTheirOutermostMissingPart(t *testing.T) {
	ana, ben, _ := newCallers(t)
	for _, c := range []struct{ path, code, message string }{
		{"/catalogs/nope", "CATALOG_DOES_NOT_EXIST", "Catalog 'nope' does not exist."},
		{"/tables/nope.x.y", "CATALOG_DOES_NOT_EXIST", "Catalog 'nope' does not exist."},
		{"/schemas?catalog_name=nope", "CATALOG_DOES_NOT_EXIST", "Catalog 'nope' does not exist."},
		{"/schemas/main.nope", "SCHEMA_DOES_NOT_EXIST", "Schema 'main.nope' does not exist."},
		{"/tables/main.retail.nope", "TABLE_DOES_NOT_EXIST", "Table 'main.retail.nope' does not exist."},
		{"/volumes/main.retail.nope", "RESOURCE_DOES_NOT_EXIST", "Volume 'main.retail.nope' does not exist."},
		{"/tables/main.staging._tmp_load_001", "TABLE_DOES_NOT_EXIST", "Table 'main.staging._tmp_load_001' does not exist."},
	} {
		if got := ana.refused("GET", unity+c.path, nil, 404, c.code); got != c.message {
			t.Errorf("%s: %q", c.path, got)
		}
	}
	ana.refused("GET", unity+"/tables/retail.orders", nil, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("GET", unity+"/schemas", nil, 400, "INVALID_PARAMETER_VALUE")
	if got := ben.refused("GET", unity+"/tables/main.hr.employees", nil, 403, "PERMISSION_DENIED"); got != "User does not have USE SCHEMA on Schema 'main.hr'." {
		t.Error(got)
	}
	if got := ana.get(unity + "/tables/main.retail.nope/exists"); len(got) != 0 {
		t.Errorf("exists: %v, want the key absent", got)
	}
	if got := ana.get(unity + "/tables/main.retail.orders/exists"); got["table_exists"] != true {
		t.Errorf("exists: %v", got)
	}
}

func TestPagesMayBeEmptyAndCarryAToken(t *testing.T) {
	ana, ben, _ := newCallers(t)
	all, pages := ana.follow(unity+"/tables?catalog_name=main&schema_name=staging&max_results=0", "tables", "name")
	if pages[0] != 0 || len(pages) < 2 || !slices.Equal(all, []string{"load_log", "orders_raw"}) {
		t.Errorf("pages of %v items, in all %v: the first must be empty", pages, all)
	}
	all, pages = ben.follow(unity+"/catalogs?max_results=1", "catalogs", "name")
	if !slices.Equal(pages, []int{1, 0, 1, 1}) || !slices.Equal(all, []string{"main", "samples", "system"}) {
		t.Errorf("pages of %v items, in all %v: the second must be empty", pages, all)
	}
	if _, there := ana.get(unity + "/tables?catalog_name=main&schema_name=staging")["next_page_token"]; there {
		t.Error("without max_results everything comes at once")
	}
	token := ana.get(unity + "/catalogs?max_results=1")["next_page_token"].(string)
	ana.refused("GET", unity+"/catalogs?max_results=2&page_token="+token, nil, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("GET", unity+"/catalogs?page_token=rubbish", nil, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("GET", unity+"/catalogs?max_results=-1", nil, 400, "INVALID_PARAMETER_VALUE")
}

func TestUnpagedListsRefuseToGrowTooLarge(t *testing.T) {
	ana, _, _ := newCallers(t)
	ana.call("POST", unity+"/catalogs", shape{"name": "wide"})
	for i := range largestUnpaged {
		ana.call("POST", unity+"/schemas", shape{"name": fmt.Sprintf("s%d", i), "catalog_name": "wide"})
	}
	message := ana.refused("GET", unity+"/schemas?catalog_name=wide", nil, 400, "INVALID_PARAMETER_VALUE")
	if !strings.Contains(message, "UC-PGRQD") || !strings.Contains(message, "setting max_results") {
		t.Error(message)
	}
	all, _ := ana.follow(unity+"/schemas?catalog_name=wide&max_results=0", "schemas", "name")
	if len(all) != largestUnpaged+2 { // default and information_schema
		t.Errorf("%d schemas", len(all))
	}
}

func TestCreateAndDelete(t *testing.T) {
	ana, ben, _ := newCallers(t)
	made := ana.call("POST", unity+"/catalogs", shape{"name": "Lab", "comment": "c", "properties": shape{"a": "b"}})
	if made["name"] != "lab" || made["owner"] != anaName || made["catalog_type"] != "MANAGED_CATALOG" {
		t.Errorf("created: %v", made)
	}
	ana.refused("POST", unity+"/catalogs", shape{"name": "lab"}, 400, "CATALOG_ALREADY_EXISTS")
	ana.refused("POST", unity+"/catalogs", shape{"name": "a.b"}, 400, "INVALID_PARAMETER_VALUE")
	ben.refused("POST", unity+"/catalogs", shape{"name": "bens"}, 403, "PERMISSION_DENIED")
	ana.call("POST", unity+"/schemas", shape{"name": "s", "catalog_name": "lab"})
	ana.call("POST", unity+"/volumes", shape{"name": "v", "catalog_name": "lab", "schema_name": "s", "volume_type": "MANAGED"})
	if got := ana.refused("DELETE", unity+"/schemas/lab.s", nil, 400, "INVALID_STATE"); got != "Schema 'lab.s' is not empty. The schema has 1 volume(s)." {
		t.Error(got)
	}
	ben.refused("DELETE", unity+"/catalogs/main?force=true", nil, 403, "PERMISSION_DENIED")
	ana.refused("DELETE", unity+"/schemas/main.information_schema", nil, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("DELETE", unity+"/catalogs/system?force=true", nil, 400, "INVALID_PARAMETER_VALUE")
	updated := ana.call("PATCH", unity+"/schemas/lab.s", shape{"comment": "new", "owner": benName})
	if updated["comment"] != "new" || updated["owner"] != benName {
		t.Errorf("updated: %v", updated)
	}
	ana.call("DELETE", unity+"/catalogs/lab?force=true", nil)
	ana.refused("GET", unity+"/volumes/lab.s.v", nil, 404, "CATALOG_DOES_NOT_EXIST")
	ana.call("DELETE", unity+"/tables/main.retail.promotions", nil)
	ana.refused("DELETE", unity+"/tables/main.retail.promotions", nil, 404, "TABLE_DOES_NOT_EXIST")
}

func TestTableSummariesMatchPatterns(t *testing.T) {
	ana, ben, _ := newCallers(t)
	all, pages := ana.follow(unity+"/table-summaries?catalog_name=main&table_name_pattern=o%25&max_results=3", "tables", "full_name")
	if !slices.Equal(all, []string{"main.retail.order_items", "main.retail.orders", "main.retail.orders_daily", "main.staging.orders_raw"}) || len(pages) != 2 {
		t.Errorf("%v in pages of %v", all, pages)
	}
	if all, _ := ben.follow(unity+"/table-summaries?catalog_name=main&schema_name_pattern=h_", "tables", "full_name"); all != nil {
		t.Errorf("ben sees %v", all)
	}
}

func TestGrants(t *testing.T) {
	ana, ben, _ := newCallers(t)
	const table = unity + "/permissions/table/main.hr.employees"
	grants := func(c caller, path string) string {
		var out []string
		list, _ := c.get(path)["privilege_assignments"].([]any)
		for _, a := range list {
			o := a.(map[string]any)
			var privileges []string
			for _, p := range o["privileges"].([]any) {
				privileges = append(privileges, p.(string))
			}
			out = append(out, fmt.Sprintf("%s:%s", o["principal"], strings.Join(privileges, ",")))
		}
		return strings.Join(out, " ")
	}
	change := func(principal string, add, remove []string) shape {
		return shape{"changes": []shape{{"principal": principal, "add": add, "remove": remove}}}
	}
	if got := grants(ana, table); got != "" {
		t.Fatalf("at first: %s", got)
	}
	ana.call("PATCH", table, change("BEN@example.com", []string{"select", "MODIFY"}, nil))
	ana.call("PATCH", table, change("data-engineers", []string{"ALL PRIVILEGES"}, nil))
	if got := grants(ana, table); got != "ben@example.com:MODIFY,SELECT data-engineers:ALL_PRIVILEGES" {
		t.Errorf("granted: %s", got)
	}
	ben.refused("GET", unity+"/tables/main.hr.employees", nil, 403, "PERMISSION_DENIED") // SELECT alone is not enough
	ana.call("PATCH", unity+"/permissions/schema/main.hr", change(benName, []string{"USE_SCHEMA"}, nil))
	ben.get(unity + "/tables/main.hr.employees")
	if got := grants(ben, table+"?principal="+benName); got != "ben@example.com:MODIFY,SELECT" {
		t.Errorf("about himself: %s", got)
	}
	ben.refused("GET", table, nil, 403, "PERMISSION_DENIED")
	ben.refused("PATCH", table, change(benName, []string{"SELECT"}, nil), 403, "PERMISSION_DENIED")
	ana.call("PATCH", table, change(benName, []string{"MANAGE"}, []string{"MODIFY"}))
	ben.call("PATCH", table, change("analysts", []string{"SELECT"}, nil)) // MANAGE is enough
	ana.call("PATCH", table, change("data-engineers", nil, []string{"ALL_PRIVILEGES"}))
	ana.call("PATCH", table, change("data-engineers", nil, []string{"SELECT"})) // not held: no-op
	if got := grants(ana, table); got != "analysts:SELECT ben@example.com:MANAGE,SELECT" {
		t.Errorf("changed: %s", got)
	}
	if got := ana.call("PATCH", table, shape{"changes": []shape{}, "omit_permissions_in_response": true}); len(got) != 0 {
		t.Errorf("omitted: %v", got)
	}
	ana.refused("PATCH", table, change("nobody@example.com", []string{"SELECT"}, nil), 404, "PRINCIPAL_DOES_NOT_EXIST")
	ana.refused("PATCH", table, change("admins", []string{"SELECT"}, nil), 404, "PRINCIPAL_DOES_NOT_EXIST")
	ana.refused("PATCH", table, change(benName, []string{"CREATE_SCHEMA"}, nil), 400, "INVALID_PARAMETER_VALUE")
	if got := ana.refused("PATCH", table, change(benName, []string{"SELECT"}, []string{"SELECT"}), 400, "INVALID_PARAMETER_VALUE"); !strings.HasPrefix(got, "Duplicate privileges to add and delete for principal") {
		t.Error(got)
	}
	ana.refused("GET", unity+"/permissions/model/main.hr.x", nil, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("GET", table+"?max_results=149", nil, 400, "INVALID_PARAMETER_VALUE")
	ana.get(table + "?max_results=150")
	ana.get(unity + "/permissions/metastore/" + MetastoreID)
}

func TestEffectiveGrantsNameTheirOrigin(t *testing.T) {
	ana, _, _ := newCallers(t)
	page := ana.get(unity + "/effective-permissions/table/main.retail.orders?principal=analysts")
	got := fmt.Sprint(page["privilege_assignments"])
	want := "[map[principal:analysts privileges:[map[inherited_from_name:main.retail inherited_from_type:SCHEMA privilege:SELECT]]]]"
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestGrantPagesCountPrivilegesAndKeepPrincipalsWhole(t *testing.T) {
	ana, _, _ := newCallers(t)
	// Enough principals with enough privileges for more than one page of 150.
	all := grantable()[kindCatalog]
	all = slices.DeleteFunc(slices.Clone(all), func(p string) bool { return p == "ALL_PRIVILEGES" })
	var principals []string
	for i := range 12 {
		sp := ana.call("POST", "/api/2.0/preview/scim/v2/ServicePrincipals", shape{"displayName": fmt.Sprint("sp", i)})
		principals = append(principals, sp["applicationId"].(string))
		ana.call("PATCH", unity+"/permissions/catalog/samples", shape{"changes": []shape{{"principal": principals[i], "add": all}}})
	}
	got, pages := ana.follow(unity+"/permissions/catalog/samples?max_results=150", "privilege_assignments", "principal")
	if len(got) != 13 || len(pages) < 2 { // and account users
		t.Errorf("%d principals on %d pages", len(got), len(pages))
	}
	for i, p := range pages {
		if p == 0 {
			t.Errorf("page %d is empty", i)
		}
	}
}
