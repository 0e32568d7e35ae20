package sandbox

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"brickmcp/transport/sandbox/engine"
)

// sqlCatalog is the lakehouse as the SQL engine sees it (engine.Catalog): what
// SQL creates is listed by REST, and the other way round.
type sqlCatalog struct{ l *lakehouse }

// reading runs f on the tree.
func (c sqlCatalog) reading(f func(metastore *securable)) {
	c.l.ready()
	c.l.mu.RLock()
	defer c.l.mu.RUnlock()
	f(c.l.metastore)
}

// writing runs f on the tree.
func (c sqlCatalog) writing(f func(metastore *securable) error) error {
	c.l.ready()
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	return f(c.l.metastore)
}

// live lists the children that exist.
func (s *securable) live(kind string) []*securable {
	if s == nil {
		return nil
	}
	return slices.DeleteFunc(s.children(kind), func(c *securable) bool { return c.dropped })
}

// schema finds a schema below the metastore, or nil.
func (s *securable) schema(catalog, schema string) *securable {
	if c := s.child(kindCatalog, catalog); c != nil {
		return c.child(kindSchema, schema)
	}
	return nil
}

// Catalogs implements engine.Catalog.
func (c sqlCatalog) Catalogs() (out []engine.CatalogInfo) {
	c.reading(func(m *securable) {
		for _, s := range m.live(kindCatalog) {
			out = append(out, engine.CatalogInfo{
				Name: s.name, Comment: s.comment, Owner: s.owner, Type: s.catalogType,
				CreatedAt: s.created.at, CreatedBy: s.created.by, Properties: maps.Clone(s.props),
			})
		}
	})
	return out
}

// Schemas implements engine.Catalog.
func (c sqlCatalog) Schemas(catalog string) (out []engine.SchemaInfo) {
	c.reading(func(m *securable) {
		for _, s := range m.child(kindCatalog, catalog).live(kindSchema) {
			out = append(out, engine.SchemaInfo{
				Catalog: catalog, Name: s.name, Comment: s.comment, Owner: s.owner,
				CreatedAt: s.created.at, CreatedBy: s.created.by, Properties: maps.Clone(s.props),
			})
		}
	})
	return out
}

// Tables implements engine.Catalog.
func (c sqlCatalog) Tables(catalog, schema string) (out []engine.Table) {
	c.reading(func(m *securable) {
		for _, s := range m.schema(catalog, schema).live(kindTable) {
			out = append(out, s.sqlTable())
		}
	})
	return out
}

// Table implements engine.Catalog.
func (c sqlCatalog) Table(n engine.Name) (out *engine.Table) {
	c.reading(func(m *securable) {
		if schema := m.schema(n.Catalog, n.Schema); schema != nil {
			if s := schema.child(kindTable, n.Table); s != nil {
				t := s.sqlTable()
				out = &t
			}
		}
	})
	return out
}

func (s *securable) sqlTable() engine.Table {
	t := s.table
	return engine.Table{
		Name: engine.Name{Catalog: s.parent.parent.name, Schema: s.parent.name, Table: s.name},
		ID:   s.id, Type: t.tableType, Format: t.format, Columns: slices.Clone(t.columns), PartitionedBy: slices.Clone(t.partitions),
		Comment: s.comment, Owner: s.owner, Properties: maps.Clone(s.props),
		CreatedAt: s.created.at, CreatedBy: s.created.by, UpdatedAt: s.updated.at,
		ViewDefinition: t.view, ViewCatalog: t.viewIn[0], ViewSchema: t.viewIn[1],
	}
}

// Volumes implements engine.Catalog.
func (c sqlCatalog) Volumes(catalog, schema string) (out []engine.Volume) {
	c.reading(func(m *securable) {
		for _, s := range m.schema(catalog, schema).live(kindVolume) {
			out = append(out, engine.Volume{Catalog: catalog, Schema: schema, Name: s.name, Type: s.volumeType, Comment: s.comment, Owner: s.owner})
		}
	})
	return out
}

// Functions implements engine.Catalog.
func (c sqlCatalog) Functions(catalog, schema string) (out []engine.Function) {
	c.reading(func(m *securable) {
		for _, s := range m.schema(catalog, schema).live(kindFunction) {
			out = append(out, engine.Function{Catalog: catalog, Schema: schema, Name: s.name, Type: s.function.returns, Comment: s.comment, Owner: s.owner})
		}
	})
	return out
}

// Grants implements engine.Catalog.
func (c sqlCatalog) Grants(kind, fullName string) (out []engine.Grant) {
	c.reading(func(*securable) {
		if s, err := c.l.named(kind, fullName); err == nil {
			for _, a := range s.assignments("") {
				out = append(out, engine.Grant{Principal: a.Principal, Privileges: slices.Clone(a.Privileges)})
			}
		}
	})
	return out
}

// named finds an object as the engine names it: the metastore has no name.
func (l *lakehouse) named(kind, fullName string) (*securable, error) {
	if kind == kindMetastore {
		return l.metastore, nil
	}
	return l.find(kind, fullName)
}

// PutCatalog implements engine.Catalog.
func (c sqlCatalog) PutCatalog(by string, in engine.CatalogInfo) error {
	return c.writing(func(m *securable) error {
		s := m.child(kindCatalog, in.Name)
		if s == nil {
			if err := validName(kindCatalog, in.Name); err != nil {
				return err
			}
			s = m.add(kindCatalog, in.Name, by, c.l.w.clock.Now())
			s.catalogType = "MANAGED_CATALOG"
			s.add(kindSchema, "default", by, c.l.w.clock.Now()).comment = "Default schema (auto-created)"
		}
		return c.l.describe(s, by, in.Owner, in.Comment, in.Properties)
	})
}

// describe sets what SQL may change of an object.
func (l *lakehouse) describe(s *securable, by, owner, comment string, props map[string]string) error {
	if owner != "" && owner != s.owner {
		name, ok := l.principal(owner)
		if !ok {
			return noSQLPrincipal(owner)
		}
		s.owner = name
	}
	s.comment, s.props = comment, maps.Clone(props)
	s.touch(by, l.w.clock.Now())
	return nil
}

func noSQLPrincipal(name string) *engine.Error {
	return &engine.Error{
		Code: "BAD_REQUEST", Class: "PRINCIPAL_DOES_NOT_EXIST", SQLState: "42704",
		Message: "[PRINCIPAL_DOES_NOT_EXIST] Could not find principal with name " + name + ". SQLSTATE: 42704",
	}
}

// DropCatalog implements engine.Catalog.
func (c sqlCatalog) DropCatalog(_, name string) error { return c.dropNamed(kindCatalog, name) }

// DropSchema implements engine.Catalog.
func (c sqlCatalog) DropSchema(_, catalog, name string) error {
	return c.dropNamed(kindSchema, catalog+"."+name)
}

// DropTable implements engine.Catalog.
func (c sqlCatalog) DropTable(_ string, n engine.Name) error {
	return c.dropNamed(kindTable, n.String())
}

func (c sqlCatalog) dropNamed(kind, name string) error {
	return c.writing(func(*securable) error {
		s, err := c.l.find(kind, name)
		if err != nil {
			return err
		}
		if s.system() {
			return fmt.Errorf("%s is managed by the system and cannot be dropped", s.title())
		}
		orphans := c.l.orphans
		c.l.drop(s)
		c.l.orphans = orphans // the engine deletes the rows of what it drops itself
		return nil
	})
}

// PutSchema implements engine.Catalog.
func (c sqlCatalog) PutSchema(by string, in engine.SchemaInfo) error {
	return c.writing(func(m *securable) error {
		parent, err := c.l.find(kindCatalog, in.Catalog)
		if err != nil {
			return err
		}
		s := parent.child(kindSchema, in.Name)
		if s == nil {
			if err := validName(kindSchema, in.Name); err != nil {
				return err
			}
			s = parent.add(kindSchema, in.Name, by, c.l.w.clock.Now())
		}
		return c.l.describe(s, by, in.Owner, in.Comment, in.Properties)
	})
}

// PutTable implements engine.Catalog.
func (c sqlCatalog) PutTable(by string, in engine.Table) error {
	return c.writing(func(m *securable) error {
		parent, err := c.l.find(kindSchema, in.Catalog+"."+in.Schema)
		if err != nil {
			return err
		}
		s := parent.child(kindTable, in.Name.Table)
		if s == nil {
			if err := validName(kindTable, in.Name.Table); err != nil {
				return err
			}
			s = parent.add(kindTable, in.Name.Table, by, c.l.w.clock.Now())
			s.table = &tableInfo{}
		}
		t := *s.table
		if s.id != in.ID { // a new table in the old one's place
			t = tableInfo{}
		}
		s.id = in.ID
		t.tableType, t.format, t.columns, t.partitions = in.Type, in.Format, slices.Clone(in.Columns), slices.Clone(in.PartitionedBy)
		t.view, t.viewIn = in.ViewDefinition, [2]string{in.ViewCatalog, in.ViewSchema}
		switch {
		case t.view != "":
			t.tableType, t.format = "VIEW", ""
		case t.tableType == "":
			t.tableType = "MANAGED"
		}
		if t.view == "" && t.format == "" {
			t.format = "DELTA"
		}
		s.table = &t
		return c.l.describe(s, by, in.Owner, in.Comment, in.Properties)
	})
}

// RenameTable implements engine.Catalog.
func (c sqlCatalog) RenameTable(by string, from, to engine.Name) error {
	return c.writing(func(*securable) error {
		s, err := c.l.find(kindTable, from.String())
		if err != nil {
			return err
		}
		parent, err := c.l.find(kindSchema, to.Catalog+"."+to.Schema)
		if err != nil {
			return err
		}
		if err := validName(kindTable, to.Table); err != nil {
			return err
		}
		delete(s.parent.below, kindTable+" "+s.name)
		s.parent, s.name = parent, strings.ToLower(to.Table)
		parent.below[kindTable+" "+s.name] = s
		s.touch(by, c.l.w.clock.Now())
		return nil
	})
}

// Grant implements engine.Catalog.
func (c sqlCatalog) Grant(_, kind, fullName, principal string, privileges []string, revoke bool) error {
	return c.writing(func(*securable) error {
		s, err := c.l.named(kind, fullName)
		if err != nil {
			return err
		}
		name, ok := c.l.principal(principal)
		if !ok {
			if !revoke {
				return noSQLPrincipal(principal)
			}
			name = principal
		}
		for _, p := range privileges {
			if !slices.Contains(grantable()[s.kind], p) {
				return &engine.Error{
					Code: "BAD_REQUEST", Class: "INVALID_PARAMETER_VALUE", SQLState: "22023",
					Message: fmt.Sprintf("[INVALID_PARAMETER_VALUE] Privilege %s is not applicable to this entity [%s:%s]. SQLSTATE: 22023", p, s.fullName(), strings.ToUpper(s.kind)),
				}
			}
		}
		if revoke {
			s.change(name, nil, privileges)
		} else {
			s.change(name, privileges, nil)
		}
		return nil
	})
}

// allowed is the engine's question (Session.Allowed) for one user.
func (l *lakehouse) allowed(user *principal) func(privilege, kind, fullName string) bool {
	return func(privilege, kind, fullName string) bool {
		l.ready()
		l.mu.RLock()
		defer l.mu.RUnlock()
		s, err := l.named(kind, fullName)
		if err != nil {
			return user.Admin // existence is the engine's own question
		}
		if privilege == "BROWSE" {
			return discoverable(user, s)
		}
		if s.name == informationSchema && privilege == "USE_SCHEMA" {
			return true
		}
		return holds(user, s, privilege)
	}
}

// discoverable: any privilege on the object lets one see that it exists.
func discoverable(user *principal, s *securable) bool {
	return holds(user, s, "BROWSE") || slices.ContainsFunc(grantable()[s.kind], func(p string) bool { return holds(user, s, p) })
}

// system objects cannot be dropped.
func (s *securable) system() bool {
	for at := s; at.parent != nil; at = at.parent {
		if at.name == informationSchema || at.catalogType == "SYSTEM_CATALOG" {
			return true
		}
	}
	return false
}

// seeded is the day the sandbox's story was recorded: all seeded times hang on
// it, so that they are the same in every run.
var seeded = time.Date(2025, time.June, 30, 6, 0, 0, 0, time.UTC)

const anaName, benName = "ana@example.com", "ben@example.com"
