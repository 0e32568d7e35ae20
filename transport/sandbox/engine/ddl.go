package engine

import (
	"database/sql"
	"errors"
	"strings"

	"github.com/google/uuid"
)

// properName checks the name of a new object.
func properName(name string) error {
	if name == "" || len(name) > 255 || strings.ContainsAny(name, " ./\x00\n\t") {
		return newError("INVALID_NAME", "42602", "%s is not a valid name: names cannot contain spaces, periods, forward slashes or control characters, and have at most 255 characters.", quoteParts([]string{name}))
	}
	return nil
}

func (a *analyzer) createContainer(s *createContainerStmt) error {
	parts, err := a.nameParts(s.name)
	if err != nil {
		return err
	}
	if s.catalog {
		if len(parts) != 1 {
			return newError("IDENTIFIER_TOO_MANY_NAME_PARTS", "42601", "%s is not a valid identifier as it has more than 1 name parts.", quoteParts(parts))
		}
		name := strings.ToLower(parts[0])
		if err := properName(name); err != nil {
			return err
		}
		if err := a.require("CREATE_CATALOG", "metastore", ""); err != nil {
			return err
		}
		if a.catalogInfo(name) != nil {
			if s.ifNotExists {
				return nil
			}
			return newError("CATALOG_ALREADY_EXISTS", "42P06", "Cannot create catalog %s because it already exists.", quoteParts(parts))
		}
		return a.engine.opts.Catalog.PutCatalog(a.session.User, CatalogInfo{Name: name, Comment: s.comment, Owner: a.session.User, CreatedAt: a.now, CreatedBy: a.session.User, Properties: s.properties})
	}
	catalog, schema, err := a.schemaName(parts)
	if err != nil {
		return err
	}
	if err := properName(schema); err != nil {
		return err
	}
	if a.catalogInfo(catalog) == nil {
		return errCatalogNotFound(catalog)
	}
	if err := a.require("USE_CATALOG", "catalog", catalog); err != nil {
		return err
	}
	if err := a.require("CREATE_SCHEMA", "catalog", catalog); err != nil {
		return err
	}
	if a.schemaExists(catalog, schema) {
		if s.ifNotExists {
			return nil
		}
		return newError("SCHEMA_ALREADY_EXISTS", "42P06", "Cannot create schema %s because it already exists.\nChoose a different name, drop the existing schema, or add the IF NOT EXISTS clause to tolerate pre-existing schema.", quoteParts([]string{catalog, schema}))
	}
	return a.engine.opts.Catalog.PutSchema(a.session.User, SchemaInfo{Catalog: catalog, Name: schema, Comment: s.comment, Owner: a.session.User, CreatedAt: a.now, CreatedBy: a.session.User, Properties: s.properties})
}

// newTable checks that a table or view may be created; existing is what has the
// name already.
func (a *analyzer) newTable(n nameRef) (full Name, existing *Table, err error) {
	parts, err := a.nameParts(n)
	if err != nil {
		return full, nil, err
	}
	if full, err = a.fullName(parts); err != nil {
		return full, nil, err
	}
	if err = properName(full.Table); err != nil {
		return full, nil, err
	}
	if err = a.checkSchema(full.Catalog, full.Schema); err != nil {
		return full, nil, err
	}
	if err = a.enterSchema(full.Catalog, full.Schema); err != nil {
		return full, nil, err
	}
	if full.Schema == "information_schema" {
		return full, nil, errDenied("CREATE_TABLE", "schema", full.Catalog+"."+full.Schema)
	}
	err = a.require("CREATE_TABLE", "schema", full.Catalog+"."+full.Schema)
	return full, a.engine.opts.Catalog.Table(full), err
}

// mayReplace decides about an object that exists under the name of a new one.
func (a *analyzer) mayReplace(existing *Table, view, replace, ifNotExists bool) (skip bool, err error) {
	switch {
	case existing == nil:
		return false, nil
	case ifNotExists && !replace:
		return true, nil
	case !replace:
		return false, errTableExists(existing.parts())
	case existing.isView() != view:
		if view {
			return false, newError("EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE", "42809", "The table %s does not support CREATE OR REPLACE VIEW.", quoteParts(existing.parts()))
		}
		return false, newError("EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE", "42809", "'CREATE OR REPLACE TABLE' expects a table but %s is a view.", quoteParts(existing.parts()))
	}
	return false, a.require("MANAGE", "table", existing.Name.String())
}

func (a *analyzer) createTable(x *execution, s *createTableStmt) error {
	full, existing, err := a.newTable(s.name)
	if err != nil {
		return err
	}
	if skip, err := a.mayReplace(existing, false, s.replace, s.ifNotExists); skip || err != nil {
		return err
	}
	t := Table{Name: full, ID: uuid.NewString(), Type: "MANAGED", Format: "DELTA", Columns: s.columns, PartitionedBy: s.partitioned, Comment: s.comment,
		Owner: a.session.User, Properties: s.properties, CreatedAt: a.now, CreatedBy: a.session.User, UpdatedAt: a.now}
	if s.external {
		t.Type = "EXTERNAL"
	}
	if s.format != "" {
		t.Format = strings.ToUpper(s.format)
	}
	var p *plan
	switch {
	case s.like != nil:
		if p, err = a.copied(&t, s); err != nil {
			return err
		}
	case s.query != nil:
		q, err := a.query(s.query, nil)
		if err != nil {
			return err
		}
		if s.columns != nil {
			return newError("PARSE_SYNTAX_ERROR", "42601", "Schema may not be specified in a Create Table As Select (CTAS) statement.")
		}
		t.Columns = storableColumns(q.cols)
		p = &q
	}
	if err := checkColumns(t.Columns); err != nil {
		return err
	}
	if err := a.checkDefaults(&t); err != nil {
		return err
	}
	if err := a.store(x, &t, p); err != nil {
		return err
	}
	a.engine.store.known.Store(t.ID, true) // before others can find it and seed it
	if err := a.engine.opts.Catalog.PutTable(a.session.User, t); err != nil {
		return errors.Join(err, a.engine.store.discard(a.ctx, t.ID))
	}
	if existing != nil {
		if err := a.engine.store.discard(a.ctx, existing.ID); err != nil {
			return err
		}
	}
	if s.query != nil { // what CREATE TABLE AS answers: the two columns, no row
		return x.table([]Column{{Name: "num_affected_rows", Type: Scalar(Long)}, {Name: "num_inserted_rows", Type: Scalar(Long)}}, nil)
	}
	return nil
}

// storableColumns gives VOID columns a type that can be stored.
func storableColumns(cols []Column) []Column {
	out := append([]Column(nil), cols...)
	for i := range out {
		if out[i].Type.Kind == Null || out[i].Type.Kind == Interval {
			out[i].Type = Scalar(String)
		}
	}
	return out
}

// copied takes the columns of another table, and with CLONE its rows.
func (a *analyzer) copied(t *Table, s *createTableStmt) (*plan, error) {
	parts, err := a.nameParts(*s.like)
	if err != nil {
		return nil, err
	}
	full, err := a.fullName(parts)
	if err != nil {
		return nil, err
	}
	from, err := a.readable(full, parts)
	if err != nil {
		return nil, err
	}
	t.Columns, t.Comment = from.Columns, from.Comment
	if !s.clone {
		return nil, nil
	}
	p, err := a.query(&query{body: &selectBody{items: []selectItem{{x: &starExpr{}}}, from: []relation{&tableRel{name: nameRef{parts: full.parts()}}}}}, nil)
	return &p, err
}

func checkColumns(cols []Column) error {
	seen := map[string]bool{}
	for _, c := range cols {
		if seen[strings.ToLower(c.Name)] {
			return newError("COLUMN_ALREADY_EXISTS", "42711", "The column %s already exists. Choose another name or rename the existing column.", quoteParts([]string{strings.ToLower(c.Name)}))
		}
		seen[strings.ToLower(c.Name)] = true
		if strings.ContainsAny(c.Name, " ,;{}()\n\t=") {
			return newError("DELTA_INVALID_CHARACTERS_IN_COLUMN_NAMES", "42K05", "Found invalid character(s) among ' ,;{}()\\n\\t=' in the column names of your schema.\nInvalid column names: %s.\nPlease use other characters and try again.", c.Name)
		}
	}
	return nil
}

func (a *analyzer) checkDefaults(t *Table) error {
	for _, c := range t.Columns {
		if c.Default == "" {
			continue
		}
		x, err := defaultOf(c)
		if err != nil {
			return err
		}
		v, err := a.expr(x, &scope{})
		if err != nil {
			return err
		}
		if _, err := assignable(t, c, v); err != nil {
			return err
		}
	}
	return nil
}

// store makes the rows of a new table.
func (a *analyzer) store(x *execution, t *Table, p *plan) error {
	return a.engine.store.transaction(x.ctx, func(tx *sql.Tx) error {
		create := createTable(t)
		if len(t.Columns) == 0 { // SQLite has no table without columns
			create = "CREATE TABLE " + storedTable(t.ID) + " (nothing)"
		}
		if _, err := tx.ExecContext(x.ctx, create); err != nil || p == nil {
			return err
		}
		text, err := a.insertText(t, *p, nil, false)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(x.ctx, text)
		return err
	})
}

func (a *analyzer) createView(s *createViewStmt) error {
	full, existing, err := a.newTable(s.name)
	if err != nil {
		return err
	}
	if skip, err := a.mayReplace(existing, true, s.replace, s.ifNotExists); skip || err != nil {
		return err
	}
	a.describing = true
	cols, err := a.viewColumns(s.query, s.columns)
	if err != nil {
		return err
	}
	return a.engine.opts.Catalog.PutTable(a.session.User, Table{Name: full, ID: uuid.NewString(), Type: "VIEW", Columns: cols, Comment: s.comment, Owner: a.session.User,
		Properties: s.properties, CreatedAt: a.now, CreatedBy: a.session.User, UpdatedAt: a.now, ViewDefinition: s.query.text, ViewCatalog: a.catalog, ViewSchema: a.schema})
}

func (a *analyzer) viewColumns(q *query, names []Column) ([]Column, error) {
	p, err := a.query(q, nil)
	if err != nil {
		return nil, err
	}
	cols := storableColumns(p.cols)
	if names != nil {
		if len(names) != len(cols) {
			return nil, newError("CREATE_VIEW_COLUMN_ARITY_MISMATCH", "21S01", "Cannot create view, the reason is: view columns: %s, data columns: %s.", columnNames(names), columnNames(cols))
		}
		for i, n := range names {
			cols[i].Name, cols[i].Comment = n.Name, n.Comment
		}
	}
	return cols, checkColumns(cols)
}

func (a *analyzer) drop(s *dropStmt) error {
	parts, err := a.nameParts(s.name)
	if err != nil {
		return err
	}
	switch s.kind {
	case "CATALOG":
		return a.dropCatalog(parts, s)
	case "SCHEMA":
		return a.dropSchema(parts, s)
	}
	full, err := a.fullName(parts)
	if err != nil {
		return err
	}
	t := a.engine.opts.Catalog.Table(full)
	if t == nil {
		if s.ifExists {
			return nil
		}
		return errTableNotFound(parts)
	}
	if err := a.enterSchema(full.Catalog, full.Schema); err != nil {
		return err
	}
	if err := a.require("MANAGE", "table", full.String()); err != nil {
		return err
	}
	if t.isView() != (s.kind == "VIEW") {
		if t.isView() {
			return newError("EXPECT_TABLE_NOT_VIEW.USE_ALTER_VIEW", "42809", "'DROP TABLE' expects a table but %s is a view. Please use DROP VIEW instead.", quoteParts(full.parts()))
		}
		return newError("EXPECT_VIEW_NOT_TABLE.USE_ALTER_TABLE", "42809", "'DROP VIEW' expects a view but %s is a table. Please use DROP TABLE instead.", quoteParts(full.parts()))
	}
	return a.dropTable(t)
}

func (a *analyzer) dropTable(t *Table) error {
	if err := a.engine.opts.Catalog.DropTable(a.session.User, t.normal()); err != nil {
		return err
	}
	return a.engine.store.discard(a.ctx, t.ID)
}

func (a *analyzer) dropSchema(parts []string, s *dropStmt) error {
	catalog, schema, err := a.schemaName(parts)
	if err != nil {
		return err
	}
	if a.schemaInfo(catalog, schema) == nil || schema == "information_schema" {
		if s.ifExists {
			return nil
		}
		return errSchemaNotFound(catalog, schema)
	}
	if err := a.require("MANAGE", "schema", catalog+"."+schema); err != nil {
		return err
	}
	tables := a.engine.opts.Catalog.Tables(catalog, schema)
	if !s.cascade && len(tables)+len(a.engine.opts.Catalog.Volumes(catalog, schema))+len(a.engine.opts.Catalog.Functions(catalog, schema)) > 0 {
		return newError("SCHEMA_NOT_EMPTY", "2BP01", "Cannot drop a schema %s because it contains objects.\nUse DROP SCHEMA ... CASCADE to drop the schema and all its objects.", quoteParts([]string{catalog, schema}))
	}
	if err := a.engine.opts.Catalog.DropSchema(a.session.User, catalog, schema); err != nil {
		return err
	}
	return a.discardAll(tables)
}

func (a *analyzer) discardAll(tables []Table) error {
	for _, t := range tables {
		if err := a.engine.store.discard(a.ctx, t.ID); err != nil {
			return err
		}
	}
	return nil
}

func (a *analyzer) dropCatalog(parts []string, s *dropStmt) error {
	name := strings.ToLower(parts[0])
	if len(parts) != 1 || a.catalogInfo(name) == nil {
		if s.ifExists {
			return nil
		}
		return errCatalogNotFound(strings.Join(parts, "."))
	}
	if err := a.require("MANAGE", "catalog", name); err != nil {
		return err
	}
	var tables []Table
	content := 0
	for _, sc := range a.engine.opts.Catalog.Schemas(name) {
		list := a.engine.opts.Catalog.Tables(name, sc.Name)
		tables = append(tables, list...)
		if sc.Name != "information_schema" && (sc.Name != "default" || len(list) > 0) {
			content++
		}
	}
	if !s.cascade && content > 0 {
		return newError("CATALOG_NOT_EMPTY", "2BP01", "Cannot drop a catalog %s because it contains schemas. Use DROP CATALOG ... CASCADE to drop the catalog and all its objects.", quoteParts(parts))
	}
	if err := a.engine.opts.Catalog.DropCatalog(a.session.User, name); err != nil {
		return err
	}
	return a.discardAll(tables)
}
