package engine

import "strings"

// newAnalyzer prepares the analysis of one statement.
func (e *Engine) newAnalyzer(x *execution) *analyzer {
	return &analyzer{engine: e, ctx: x.ctx, session: x.session, now: e.opts.Now().UTC(), run: x.id,
		catalog: strings.ToLower(x.session.Catalog), schema: strings.ToLower(x.session.Schema)}
}

// nameParts gives a name's parts; IDENTIFIER(expr) must be a constant string.
func (a *analyzer) nameParts(n nameRef) ([]string, error) {
	if n.ident == nil {
		return n.parts, nil
	}
	v, err := a.expr(n.ident, &scope{})
	if err != nil {
		return nil, err
	}
	text, ok := "", false
	if v.lit != nil {
		text, ok = v.lit.val.(string)
	}
	if !ok {
		return nil, newError("NOT_A_CONSTANT_STRING.NOT_CONSTANT", "42601", "The expression %q used for the routine or clause IDENTIFIER must be a constant STRING which is NOT NULL.", pretty(n.ident))
	}
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	parts, err := p.qualified(3)
	if err == nil {
		err = p.end()
	}
	return parts, err
}

// fullName completes a table name with the current catalog and schema.
func (a *analyzer) fullName(parts []string) (Name, error) {
	switch len(parts) {
	case 1:
		return Name{a.catalog, a.schema, parts[0]}.normal(), nil
	case 2:
		return Name{a.catalog, parts[0], parts[1]}.normal(), nil
	case 3:
		return Name{parts[0], parts[1], parts[2]}.normal(), nil
	}
	return Name{}, newError("IDENTIFIER_TOO_MANY_NAME_PARTS", "42601", "%s is not a valid identifier as it has more than 2 name parts.", quoteParts(parts))
}

// schemaName completes a schema's name.
func (a *analyzer) schemaName(parts []string) (catalog, schema string, err error) {
	switch len(parts) {
	case 0:
		return a.catalog, a.schema, nil
	case 1:
		return a.catalog, strings.ToLower(parts[0]), nil
	case 2:
		return strings.ToLower(parts[0]), strings.ToLower(parts[1]), nil
	}
	return "", "", newError("IDENTIFIER_TOO_MANY_NAME_PARTS", "42601", "%s is not a valid identifier as it has more than 2 name parts.", quoteParts(parts))
}

// require asks the session for a privilege.
func (a *analyzer) require(privilege, securable, name string) error {
	if a.trusted || a.session.Allowed(privilege, securable, name) {
		return nil
	}
	return errDenied(privilege, securable, name)
}

// enterSchema requires the privileges on the parents of an object.
func (a *analyzer) enterSchema(catalog, schema string) error {
	if err := a.require("USE_CATALOG", "catalog", catalog); err != nil {
		return err
	}
	return a.require("USE_SCHEMA", "schema", catalog+"."+schema)
}

// lookUp finds a table; written is the name as the statement has it.
func (a *analyzer) lookUp(name Name, written []string) (*Table, error) {
	if t := a.engine.opts.Catalog.Table(name); t != nil {
		return t, nil
	}
	return nil, errTableNotFound(written)
}

// readable finds a table that may be selected from, and sees to its rows.
func (a *analyzer) readable(name Name, written []string) (*Table, error) {
	return a.accessible(name, written, "SELECT")
}

func (a *analyzer) accessible(name Name, written []string, privilege string) (*Table, error) {
	t, err := a.lookUp(name, written)
	if err != nil {
		return nil, err
	}
	if err := a.enterSchema(name.Catalog, name.Schema); err != nil {
		return nil, err
	}
	if err := a.require(privilege, "table", name.String()); err != nil {
		return nil, err
	}
	if t.isView() || a.describing {
		return t, nil
	}
	return t, a.engine.ensure(a.ctx, t)
}

func (a *analyzer) schemaExists(catalog, schema string) bool {
	for _, s := range a.engine.opts.Catalog.Schemas(catalog) {
		if strings.EqualFold(s.Name, schema) {
			return true
		}
	}
	return schema == "information_schema" && a.catalogInfo(catalog) != nil
}

func (a *analyzer) catalogInfo(name string) *CatalogInfo {
	for _, c := range a.engine.opts.Catalog.Catalogs() {
		if strings.EqualFold(c.Name, name) {
			return &c
		}
	}
	return nil
}

func (a *analyzer) schemaInfo(catalog, name string) *SchemaInfo {
	for _, s := range a.engine.opts.Catalog.Schemas(catalog) {
		if strings.EqualFold(s.Name, name) {
			return &s
		}
	}
	return nil
}

// checkSchema fails unless the catalog and schema exist.
func (a *analyzer) checkSchema(catalog, schema string) error {
	if a.catalogInfo(catalog) == nil {
		return errCatalogNotFound(catalog)
	}
	if !a.schemaExists(catalog, schema) {
		return errSchemaNotFound(catalog, schema)
	}
	return nil
}
