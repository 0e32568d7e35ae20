package engine

import (
	"strings"
	"time"
)

// Catalog is what exists: Unity Catalog as the engine sees it. The engine keeps
// the rows, the Catalog everything about them. It must be safe for concurrent
// use. Names given to it are lower case; what it returns must not be changed by
// either side afterwards (return copies or immutable values).
//
// Reads return everything: the engine filters listings by Session.Allowed.
// Every catalog's information_schema is the engine's own: the Catalog need not
// list it, and if it does its content is ignored.
//
// Writes happen after the engine has checked existence and privileges, and one
// at a time. An *Error they return is passed on as it is; other errors become
// a failed statement with their text.
type Catalog interface {
	Catalogs() []CatalogInfo
	Schemas(catalog string) []SchemaInfo
	Tables(catalog, schema string) []Table
	Table(Name) *Table // nil: there is none
	Volumes(catalog, schema string) []Volume
	Functions(catalog, schema string) []Function
	Grants(securable, fullName string) []Grant // direct grants only

	PutCatalog(by string, c CatalogInfo) error // create, or replace comment, owner, properties
	DropCatalog(by, name string) error         // with everything in it
	PutSchema(by string, s SchemaInfo) error
	DropSchema(by, catalog, name string) error // with everything in it
	PutTable(by string, t Table) error         // create or replace; same ID = same rows
	RenameTable(by string, from, to Name) error
	DropTable(by string, name Name) error

	// Grant adds (or with revoke takes away) privileges, upper case with
	// underscores (SELECT, USE_SCHEMA, ALL_PRIVILEGES).
	Grant(by, securable, fullName, principal string, privileges []string, revoke bool) error
}

// Name is a three-level name, without quotes.
type Name struct{ Catalog, Schema, Table string }

// String is the dotted full name.
func (n Name) String() string { return n.Catalog + "." + n.Schema + "." + n.Table }

func (n Name) parts() []string { return []string{n.Catalog, n.Schema, n.Table} }

func (n Name) normal() Name {
	return Name{strings.ToLower(n.Catalog), strings.ToLower(n.Schema), strings.ToLower(n.Table)}
}

// CatalogInfo is one catalog.
type CatalogInfo struct {
	Name, Comment, Owner string
	Type                 string // catalog_type, "": MANAGED_CATALOG
	CreatedAt            time.Time
	CreatedBy            string
	Properties           map[string]string
}

// SchemaInfo is one schema.
type SchemaInfo struct {
	Catalog, Name, Comment, Owner string
	CreatedAt                     time.Time
	CreatedBy                     string
	Properties                    map[string]string
}

// Table is a table or a view.
type Table struct {
	Name
	// ID is what rows are stored under: a UUID that SQL makes for new tables,
	// kept by RenameTable, and new after CREATE OR REPLACE. It must not be empty.
	ID             string
	Type           string // MANAGED, EXTERNAL, VIEW, …; "": MANAGED
	Format         string // data_source_format, "": DELTA
	Columns        []Column
	PartitionedBy  []string
	Comment, Owner string
	Properties     map[string]string
	CreatedAt      time.Time
	CreatedBy      string
	UpdatedAt      time.Time

	// ViewDefinition is the query of a view; names in it that are not complete
	// resolve in ViewCatalog.ViewSchema (if empty: the view's own schema).
	ViewDefinition          string
	ViewCatalog, ViewSchema string
}

func (t *Table) isView() bool { return t.ViewDefinition != "" }

// Column is a column of a table or of a result.
type Column struct {
	Name    string
	Type    Type
	NotNull bool
	Comment string
	Default string // SQL text of DEFAULT, if any
}

// Volume is one volume.
type Volume struct{ Catalog, Schema, Name, Type, Comment, Owner string }

// Function is one user-defined function. SQL cannot call it here, only list it.
type Function struct{ Catalog, Schema, Name, Type, Comment, Owner string }

// Grant is one principal's direct privileges on an object.
type Grant struct {
	Principal  string
	Privileges []string
}
