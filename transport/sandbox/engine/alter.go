package engine

import (
	"database/sql"
	"maps"
	"sort"
	"strings"
)

func (a *analyzer) alter(s *alterStmt) error {
	parts, err := a.nameParts(s.name)
	if err != nil {
		return err
	}
	if s.kind == "CATALOG" || s.kind == "SCHEMA" {
		return a.alterContainer(parts, s)
	}
	full, err := a.fullName(parts)
	if err != nil {
		return err
	}
	t, err := a.accessible(full, parts, "MANAGE")
	if err != nil {
		return err
	}
	if t.isView() && s.kind == "TABLE" && !strings.Contains(s.action, "TBLPROPERTIES") && s.action != "RENAME TO" && s.action != "OWNER TO" {
		return newError("EXPECT_TABLE_NOT_VIEW.USE_ALTER_VIEW", "42809", "'ALTER TABLE ... %s' expects a table but %s is a view. Please use ALTER VIEW instead.", s.action, quoteParts(full.parts()))
	}
	if s.action == "RENAME TO" {
		return a.renameTable(t, s)
	}
	changed := *t
	changed.UpdatedAt = a.now
	changed.Columns = append([]Column(nil), t.Columns...)
	changed.Properties = maps.Clone(t.Properties)
	text, err := a.alteration(&changed, s)
	if err != nil {
		return err
	}
	if len(text) > 0 {
		err := a.engine.store.transaction(a.ctx, func(tx *sql.Tx) error {
			for _, q := range text {
				if _, err := tx.ExecContext(a.ctx, q); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return a.engine.opts.Catalog.PutTable(a.session.User, changed)
}

// alteration changes the metadata, and gives the statements that change the rows.
func (a *analyzer) alteration(t *Table, s *alterStmt) ([]string, error) {
	column := func(name string) (*Column, error) {
		i := columnIndex(t, name)
		if i < 0 {
			return nil, errColumn([]string{name}, quotedNames(t.Columns))
		}
		return &t.Columns[i], nil
	}
	table := "ALTER TABLE " + storedTable(t.ID)
	switch s.action {
	case "SET TBLPROPERTIES":
		t.Properties = withProperties(t.Properties, s.props)
	case "UNSET TBLPROPERTIES":
		for _, k := range s.names {
			delete(t.Properties, k)
		}
	case "OWNER TO":
		t.Owner = s.text
	case "ADD COLUMNS":
		var text []string
		for _, c := range s.columns {
			if columnIndex(t, c.Name) >= 0 {
				if s.lenient {
					continue
				}
				return nil, newError("FIELD_ALREADY_EXISTS", "42710", "Cannot add column, because %s already exists.", quoteParts([]string{c.Name}))
			}
			if c.NotNull {
				return nil, newError("DELTA_ADDING_COLUMN_WITH_NOT_NULL", "42601", "NOT NULL is not supported for adding the column %s to an existing table.", quoteParts([]string{c.Name}))
			}
			t.Columns = append(t.Columns, c)
			text = append(text, table+" ADD COLUMN "+columnDefinition(c))
		}
		return text, checkColumns(t.Columns)
	case "DROP COLUMNS":
		var text []string
		for _, n := range s.names {
			i := columnIndex(t, n)
			if i < 0 {
				if s.lenient {
					continue
				}
				return nil, errColumn([]string{n}, quotedNames(t.Columns))
			}
			if len(t.Columns) == 1 {
				return nil, errUnsupported("dropping the last column of a table")
			}
			t.Columns = append(t.Columns[:i], t.Columns[i+1:]...)
			text = append(text, table+" DROP COLUMN "+storedColumn(n))
		}
		return text, nil
	case "RENAME COLUMN":
		c, err := column(s.names[0])
		if err != nil {
			return nil, err
		}
		text := []string{table + " RENAME COLUMN " + storedColumn(c.Name) + " TO " + storedColumn(s.names[1])}
		c.Name = s.names[1]
		return text, checkColumns(t.Columns)
	case "COMMENT COLUMN":
		c, err := column(s.names[0])
		if err != nil {
			return nil, err
		}
		c.Comment = s.text
	case "SET NOT NULL":
		return nil, errUnsupported("ALTER COLUMN … SET NOT NULL")
	case "DROP NOT NULL":
		return nil, errUnsupported("ALTER COLUMN … DROP NOT NULL")
	case "AS":
		cols, err := a.viewColumns(s.query, nil)
		if err != nil {
			return nil, err
		}
		t.Columns, t.ViewDefinition, t.ViewCatalog, t.ViewSchema = cols, s.query.text, a.catalog, a.schema
	}
	return nil, nil
}

func withProperties(old, added map[string]string) map[string]string {
	props := map[string]string{}
	maps.Copy(props, old)
	maps.Copy(props, added)
	return props
}

func (a *analyzer) renameTable(t *Table, s *alterStmt) error {
	parts, err := a.nameParts(s.to)
	if err != nil {
		return err
	}
	if len(parts) == 1 {
		parts = []string{t.Catalog, t.Schema, parts[0]}
	}
	to, existing, err := a.newTable(nameRef{parts: parts})
	if err != nil {
		return err
	}
	if existing != nil {
		return errTableExists(to.parts())
	}
	return a.engine.opts.Catalog.RenameTable(a.session.User, t.normal(), to)
}

func (a *analyzer) alterContainer(parts []string, s *alterStmt) error {
	if s.kind == "CATALOG" {
		c := a.catalogInfo(strings.Join(parts, "."))
		if c == nil {
			return errCatalogNotFound(strings.Join(parts, "."))
		}
		if err := a.require("MANAGE", "catalog", strings.ToLower(c.Name)); err != nil {
			return err
		}
		switch s.action {
		case "OWNER TO":
			c.Owner = s.text
		case "SET TBLPROPERTIES":
			c.Properties = withProperties(c.Properties, s.props)
		default:
			return errUnsupported("ALTER CATALOG … %s", s.action)
		}
		return a.engine.opts.Catalog.PutCatalog(a.session.User, *c)
	}
	sc, err := a.managedSchema(parts)
	if err != nil {
		return err
	}
	switch s.action {
	case "OWNER TO":
		sc.Owner = s.text
	case "SET TBLPROPERTIES":
		sc.Properties = withProperties(sc.Properties, s.props)
	default:
		return errUnsupported("ALTER SCHEMA … %s", s.action)
	}
	return a.engine.opts.Catalog.PutSchema(a.session.User, *sc)
}

func (a *analyzer) managedSchema(parts []string) (*SchemaInfo, error) {
	catalog, schema, err := a.schemaName(parts)
	if err != nil {
		return nil, err
	}
	sc := a.schemaInfo(catalog, schema)
	if sc == nil {
		return nil, errSchemaNotFound(catalog, schema)
	}
	return sc, a.require("MANAGE", "schema", catalog+"."+schema)
}

func (a *analyzer) comment(s *commentStmt) error {
	parts, err := a.nameParts(s.name)
	if err != nil {
		return err
	}
	switch s.kind {
	case "CATALOG":
		c := a.catalogInfo(parts[0])
		if c == nil || len(parts) != 1 {
			return errCatalogNotFound(strings.Join(parts, "."))
		}
		if err := a.require("MANAGE", "catalog", strings.ToLower(c.Name)); err != nil {
			return err
		}
		c.Comment = s.text
		return a.engine.opts.Catalog.PutCatalog(a.session.User, *c)
	case "SCHEMA":
		sc, err := a.managedSchema(parts)
		if err != nil {
			return err
		}
		sc.Comment = s.text
		return a.engine.opts.Catalog.PutSchema(a.session.User, *sc)
	}
	column := ""
	if s.kind == "COLUMN" {
		if len(parts) < 2 {
			return errColumn(parts, nil)
		}
		column, parts = parts[len(parts)-1], parts[:len(parts)-1]
	}
	full, err := a.fullName(parts)
	if err != nil {
		return err
	}
	t, err := a.accessible(full, parts, "MANAGE")
	if err != nil {
		return err
	}
	changed := *t
	changed.UpdatedAt = a.now
	if column == "" {
		changed.Comment = s.text
	} else {
		i := columnIndex(t, column)
		if i < 0 {
			return errColumn([]string{column}, quotedNames(t.Columns))
		}
		changed.Columns = append([]Column(nil), t.Columns...)
		changed.Columns[i].Comment = s.text
	}
	return a.engine.opts.Catalog.PutTable(a.session.User, changed)
}

// securable completes the name of what GRANT or SHOW GRANTS is about.
func (a *analyzer) securable(kind string, n nameRef) (string, error) {
	if kind == "metastore" {
		return "", nil
	}
	parts, err := a.nameParts(n)
	if err != nil {
		return "", err
	}
	switch kind {
	case "catalog":
		if len(parts) != 1 || a.catalogInfo(parts[0]) == nil {
			return "", errCatalogNotFound(strings.Join(parts, "."))
		}
		return strings.ToLower(parts[0]), nil
	case "schema":
		catalog, schema, err := a.schemaName(parts)
		if err == nil {
			err = a.checkSchema(catalog, schema)
		}
		return catalog + "." + schema, err
	}
	full, err := a.fullName(parts)
	if err != nil {
		return "", err
	}
	if kind == "table" {
		_, err = a.lookUp(full, parts)
	}
	return full.String(), err
}

func (a *analyzer) grant(s *grantStmt) error {
	name, err := a.securable(s.kind, s.name)
	if err != nil {
		return err
	}
	if err := a.require("MANAGE", s.kind, name); err != nil {
		return err
	}
	privileges := append([]string(nil), s.privileges...)
	sort.Strings(privileges)
	return a.engine.opts.Catalog.Grant(a.session.User, s.kind, name, s.principal, privileges, s.revoke)
}

// maintain answers OPTIMIZE and its kin, which have nothing to do here.
func (a *analyzer) maintain(x *execution, s *maintainStmt) error {
	t, err := a.writable(s.name, "MODIFY")
	if err != nil {
		return err
	}
	path := "s3://sandbox/" + t.ID
	switch s.verb {
	case "OPTIMIZE":
		return x.table([]Column{{Name: "path", Type: Scalar(String)}, {Name: "metrics", Type: Type{Kind: Struct, Fields: []Field{{"numFilesAdded", Scalar(Long)}, {"numFilesRemoved", Scalar(Long)}}}}},
			[][]Cell{cells(path, `{"numFilesAdded":0,"numFilesRemoved":0}`)})
	case "VACUUM":
		return x.table(columns("path"), [][]Cell{cells(path)})
	}
	return nil
}
