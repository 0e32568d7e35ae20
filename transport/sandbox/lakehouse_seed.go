package sandbox

import (
	"fmt"
	"time"

	"brickmcp/transport/sandbox/engine"
)

// seedCatalogs builds the tree of a retail company's lakehouse: main, which
// analysts may read in part; samples, open to everyone; prod_sales, which is
// protected; and system.
func seedCatalogs(m *securable) {
	made := seeded.AddDate(0, -14, 0)
	for _, c := range []struct{ name, kind, owner, comment string }{
		{"main", "MANAGED_CATALOG", anaName, "Main catalog of the company"},
		{"samples", "DELTASHARING_CATALOG", "System user", "Sample data, readable by everyone"},
		{"system", "SYSTEM_CATALOG", "System user", "System tables"},
		{"prod_sales", "MANAGED_CATALOG", "data-engineers", "Production sales ledger. Protected: no changes by hand"},
	} {
		s := m.add(kindCatalog, c.name, c.owner, made)
		s.catalogType, s.comment = c.kind, c.comment
	}
	m.child(kindCatalog, "main").props = map[string]string{"cost_center": "retail-platform"}
	m.child(kindCatalog, "prod_sales").props = map[string]string{"protected": "true", "environment": "prod"}

	for i, seed := range seedSchemas {
		at := made.Add(time.Duration(i) * time.Hour)
		schema := m.child(kindCatalog, seed.catalog).add(kindSchema, seed.name, seed.owner, at)
		schema.comment = seed.comment
		for j, t := range seed.tables {
			seedTable(schema, t, at.Add(time.Duration(j)*time.Minute))
		}
	}
	seedDropped(m.schema("main", "staging"))
	seedVolumesAndFunctions(m, made)
	seedGrants(m)
	seedModels(m, made)
}

func seedTable(schema *securable, seed tableSeed, at time.Time) {
	s := schema.add(kindTable, seed.name, schema.owner, at)
	s.comment, s.props = seed.comment, seed.props
	s.updated.at = seeded
	s.table = &tableInfo{
		tableType: "MANAGED", format: "DELTA", columns: seedColumns(seed.columns), partitions: seed.partitions,
		primaryKey: seed.key, foreignKeys: seed.refs,
	}
	if seed.view != "" {
		s.table.tableType, s.table.format, s.table.view, s.table.depends = "VIEW", "", seed.view, seed.reads
		s.table.viewIn = [2]string{schema.parent.name, schema.name}
	}
}

// seedDropped leaves the names of dropped temporary tables behind, which
// listings walk over: a first page of main.staging is empty and carries a token.
func seedDropped(staging *securable) {
	for i := range serverPage + 14 {
		s := staging.add(kindTable, fmt.Sprintf("_tmp_load_%03d", i), staging.owner, seeded.AddDate(0, 0, -7))
		s.table, s.dropped = &tableInfo{tableType: "MANAGED", format: "DELTA"}, true
	}
}

func seedVolumesAndFunctions(m *securable, at time.Time) {
	for _, v := range []struct{ catalog, schema, name, comment string }{
		{"main", "retail", "landing", "Files as the shops send them"},
		{"main", "retail", "exports", "Exports for the business; analysts may write"},
		{"main", "hr", "documents", "Contracts; restricted"},
		{"samples", "bench", "files", "Any <N>MiB.bin can be read, N up to 10240"},
	} {
		schema := m.schema(v.catalog, v.schema)
		s := schema.add(kindVolume, v.name, schema.owner, at)
		s.comment, s.volumeType = v.comment, "MANAGED"
	}
	const rates = " WHEN 'EUR' THEN 1.0 WHEN 'USD' THEN 1.08 WHEN 'GBP' THEN 0.85 WHEN 'CHF' THEN 0.96 END"
	for _, f := range []struct {
		schema, name, comment, returns, language, body string
		parameters                                     []string
	}{
		{"hr", "net_salary", "Salary after tax", "DECIMAL(10,2)", "SQL", "CAST(gross * 0.68 AS DECIMAL(10,2))", []string{"gross decimal(10,2) Per year, EUR"}},
		{"retail", "convert_currency", "Convert an amount between EUR, USD, GBP and CHF at the rates of the month", "DECIMAL(12,2)", "SQL", "CAST(amount * CASE upper(to_currency)" + rates + " / CASE upper(from_currency)" + rates + " AS DECIMAL(12,2))", []string{"amount decimal(12,2) Amount", "from_currency string ISO 4217 code", "to_currency string ISO 4217 code"}},
		{"retail", "net_price", "Price after discount", "DECIMAL(10,2)", "SQL", "CAST(price * (1 - discount) AS DECIMAL(10,2))", []string{"price decimal(10,2) List price, EUR", "discount decimal(4,2) Between 0 and 1"}},
		{"retail", "sku_category", "Category letters of a stock keeping unit", "STRING", "PYTHON", "return sku.split('-')[0]", []string{"sku string Stock keeping unit"}},
	} {
		schema := m.schema("main", f.schema)
		s := schema.add(kindFunction, f.name, schema.owner, at)
		s.comment = f.comment
		s.function = &functionInfo{parameters: seedColumns(f.parameters), returns: f.returns, language: f.language, body: f.body}
	}
}

func seedGrants(m *securable) {
	grant := func(s *securable, principal string, privileges ...string) { s.change(principal, privileges, nil) }
	c := func(name string) *securable { return m.child(kindCatalog, name) }
	main, retail, marketing := c("main"), m.schema("main", "retail"), m.schema("main", "marketing")

	grant(m, "data-engineers", "CREATE_CATALOG")
	grant(main, "data-engineers", "USE_CATALOG", "USE_SCHEMA", "CREATE_SCHEMA", "SELECT", "MODIFY", "CREATE_TABLE")
	grant(main, "analysts", "USE_CATALOG")
	grant(retail, "analysts", "USE_SCHEMA", "SELECT", "EXECUTE")
	grant(retail.child(kindVolume, "landing"), "analysts", "READ_VOLUME")
	grant(retail.child(kindVolume, "exports"), "analysts", "READ_VOLUME", "WRITE_VOLUME")
	grant(marketing, "analysts", "USE_SCHEMA")
	grant(marketing.child(kindTable, "campaigns"), "analysts", "SELECT")
	grant(marketing.child(kindTable, "spend_daily"), benName, "SELECT")
	grant(m.schema("main", "default"), "analysts", "USE_SCHEMA", "SELECT", "MODIFY", "CREATE_TABLE", "CREATE_VOLUME")
	grant(c("samples"), everyone, "USE_CATALOG", "USE_SCHEMA", "SELECT", "EXECUTE", "READ_VOLUME")
	grant(c("system"), everyone, "USE_CATALOG")
	grant(c("prod_sales"), everyone, "BROWSE")
}

// columnNames names the columns of a seeded table, for the files that hold the
// same rows.
func columnNames(columns []engine.Column) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Name
	}
	return out
}
