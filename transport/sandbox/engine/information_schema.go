package engine

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// informationSchemas are the columns of the information schema's tables, as
// "name TYPE"; STRING is the default.
var informationSchemas = map[string][]string{
	"catalogs":                        {"catalog_name", "catalog_owner", "comment", "created TIMESTAMP", "created_by", "last_altered TIMESTAMP", "last_altered_by"},
	"schemata":                        {"catalog_name", "schema_name", "schema_owner", "comment", "created TIMESTAMP", "created_by", "last_altered TIMESTAMP", "last_altered_by"},
	"tables":                          {"table_catalog", "table_schema", "table_name", "table_type", "is_insertable_into", "commit_action", "table_owner", "comment", "created TIMESTAMP", "created_by", "last_altered TIMESTAMP", "last_altered_by", "data_source_format", "storage_sub_directory"},
	"columns":                         {"table_catalog", "table_schema", "table_name", "column_name", "ordinal_position INT", "column_default", "is_nullable", "full_data_type", "data_type", "numeric_precision INT", "numeric_scale INT", "partition_ordinal_position INT", "comment"},
	"views":                           {"table_catalog", "table_schema", "table_name", "view_definition", "check_option", "is_updatable", "is_insertable_into", "sql_path", "is_materialized"},
	"volumes":                         {"volume_catalog", "volume_schema", "volume_name", "volume_type", "volume_owner", "comment"},
	"routines":                        {"routine_catalog", "routine_schema", "routine_name", "routine_type", "data_type", "routine_owner", "comment"},
	"table_privileges":                {"grantor", "grantee", "table_catalog", "table_schema", "table_name", "privilege_type", "is_grantable", "inherited_from"},
	"schema_privileges":               {"grantor", "grantee", "catalog_name", "schema_name", "privilege_type", "is_grantable", "inherited_from"},
	"catalog_privileges":              {"grantor", "grantee", "catalog_name", "privilege_type", "is_grantable", "inherited_from"},
	"information_schema_catalog_name": {"catalog_name"},
}

// informationTable is the metadata of one of its tables, for DESCRIBE.
func (a *analyzer) informationTable(name Name, written []string) (*Table, error) {
	specs, ok := informationSchemas[name.Table]
	if !ok || a.catalogInfo(name.Catalog) == nil {
		return nil, errTableNotFound(written)
	}
	return &Table{Name: name, ID: "information_schema." + name.Table, Type: "VIEW", Columns: columns(specs...), Owner: "System user", ViewDefinition: "system"}, nil
}

// informationSchema makes the rows of one of its tables out of the catalog and
// what the session may see, as a JSON text that SQLite unpacks.
func (a *analyzer) informationSchema(name Name, written []string) (plan, error) {
	t, err := a.informationTable(name, written)
	if err != nil {
		return plan{}, err
	}
	if name.Catalog != "system" { // everybody may read the metastore-wide one
		if err := a.require("USE_CATALOG", "catalog", name.Catalog); err != nil {
			return plan{}, err
		}
	}
	catalogs := []string{name.Catalog}
	if name.Catalog == "system" {
		catalogs = a.catalogNames()
	}
	rows := [][]any{}
	for _, c := range catalogs {
		rows = append(rows, a.informationRows(name.Table, c)...)
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return plan{}, err
	}
	list := make([]string, len(t.Columns))
	for i := range t.Columns {
		list[i] = "value ->> " + strconv.Itoa(i) + " AS " + outputName(i)
	}
	return plan{"SELECT " + strings.Join(list, ", ") + " FROM json_each(" + quoteText(string(text)) + ")", t.Columns}, nil
}

func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (a *analyzer) informationRows(table, catalog string) [][]any {
	var rows [][]any
	switch table {
	case "information_schema_catalog_name":
		return [][]any{{catalog}}
	case "catalogs":
		if c := a.catalogInfo(catalog); c != nil {
			rows = append(rows, []any{c.Name, c.Owner, orNil(c.Comment), micros(c.CreatedAt), orNil(c.CreatedBy), micros(c.CreatedAt), orNil(c.CreatedBy)})
		}
		return rows
	case "catalog_privileges":
		return a.privileges("catalog", catalog, catalog)
	}
	for _, s := range a.schemaNames(catalog) {
		rows = append(rows, a.schemaRows(table, catalog, s)...)
	}
	return rows
}

func (a *analyzer) privileges(securable, name string, parts ...any) [][]any {
	var rows [][]any
	for _, g := range a.engine.opts.Catalog.Grants(securable, name) {
		for _, p := range g.Privileges {
			row := append([]any{nil, g.Principal}, parts...)
			rows = append(rows, append(row, p, "NO", "NONE"))
		}
	}
	return rows
}

func (a *analyzer) schemaRows(table, catalog, schema string) [][]any {
	var rows [][]any
	lower := strings.ToLower(schema)
	switch table {
	case "schemata":
		info := a.schemaInfo(catalog, schema)
		if info == nil {
			info = &SchemaInfo{Owner: "System user"}
		}
		return [][]any{{catalog, schema, info.Owner, orNil(info.Comment), micros(info.CreatedAt), orNil(info.CreatedBy), micros(info.CreatedAt), orNil(info.CreatedBy)}}
	case "schema_privileges":
		return a.privileges("schema", catalog+"."+lower, catalog, schema)
	case "volumes":
		for _, v := range a.engine.opts.Catalog.Volumes(catalog, lower) {
			if a.shown("volume", catalog+"."+lower+"."+strings.ToLower(v.Name)) {
				rows = append(rows, []any{catalog, schema, v.Name, orElse(v.Type, "MANAGED"), v.Owner, orNil(v.Comment)})
			}
		}
		return rows
	case "routines":
		for _, f := range a.engine.opts.Catalog.Functions(catalog, lower) {
			if a.shown("function", catalog+"."+lower+"."+strings.ToLower(f.Name)) {
				rows = append(rows, []any{catalog, schema, f.Name, "FUNCTION", orNil(f.Type), f.Owner, orNil(f.Comment)})
			}
		}
		return rows
	}
	for _, t := range a.schemaTables(catalog, lower) {
		rows = append(rows, a.tableRows(table, catalog, schema, t)...)
	}
	return rows
}

// schemaTables are the visible tables, those of the information schema included.
func (a *analyzer) schemaTables(catalog, schema string) []Table {
	if schema != "information_schema" {
		return a.visibleTables(catalog, schema)
	}
	var list []Table
	for name := range informationSchemas {
		if t, err := a.informationTable(Name{catalog, schema, name}, nil); err == nil {
			list = append(list, *t)
		}
	}
	return list
}

func (a *analyzer) tableRows(table, catalog, schema string, t Table) [][]any {
	switch table {
	case "tables":
		kind, insertable := orElse(t.Type, "MANAGED"), "YES"
		if t.isView() {
			insertable = "NO"
		}
		updated := t.UpdatedAt
		if updated.IsZero() {
			updated = t.CreatedAt
		}
		return [][]any{{catalog, schema, t.Table, kind, insertable, "PRESERVE", t.Owner, orNil(t.Comment), micros(t.CreatedAt), orNil(t.CreatedBy), micros(updated), orNil(t.CreatedBy), orElse(t.Format, "DELTA"), nil}}
	case "views":
		if t.isView() {
			return [][]any{{catalog, schema, t.Table, t.ViewDefinition, "NONE", "NO", "NO", nil, "NO"}}
		}
	case "table_privileges":
		return a.privileges("table", t.normal().String(), catalog, schema, t.Table)
	case "columns":
		var rows [][]any
		for i, c := range t.Columns {
			nullable := "YES"
			if c.NotNull {
				nullable = "NO"
			}
			var precision, scale, partition any
			if c.Type.Kind == Decimal {
				precision, scale = c.Type.Precision, c.Type.Scale
			} else if n, ok := integerDigits[c.Type.Kind]; ok {
				precision, scale = n, 0
			}
			for j, p := range t.PartitionedBy {
				if strings.EqualFold(p, c.Name) {
					partition = j + 1
				}
			}
			rows = append(rows, []any{catalog, schema, t.Table, c.Name, i, orNil(c.Default), nullable, lowerType(c.Type), string(c.Type.Kind), precision, scale, partition, orNil(c.Comment)})
		}
		return rows
	}
	return nil
}
