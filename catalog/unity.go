package catalog

// Unity Catalog: contract/catalog.md. Every list sends max_results: without it
// the service answers everything at once, or refuses when that is too much; 0
// lets it choose the page length.

func unityRows() []*Row {
	return []*Row{
		&ListCatalogs.Row, &ListSchemas.Row, &ListTables.Row, &GetGrants.Row, &UpdateGrants.Row, &GetTable.Row,
	}
}

// ListCatalogsRequest narrows the list of catalogs.
type ListCatalogsRequest struct {
	MaxResults     int64 `json:"max_results,omitempty" send:"0" check:"minimum=0" jsonschema_description:"Page size"`
	IncludeBrowse  bool  `json:"include_browse,omitempty" jsonschema_description:"Add browsable"`
	IncludeUnbound bool  `json:"include_unbound,omitempty" jsonschema:"-" jsonschema_description:"Add unbound"`
	Paged
}

// CatalogList is the answer of unity-catalog/catalogs, in no order.
type CatalogList struct {
	Catalogs []struct {
		Name        string `json:"name"`
		CatalogType string `json:"catalog_type"`
		Comment     string `json:"comment"`
	} `json:"catalogs"`
}

// ListCatalogs lists catalogs. What the user may not use is left out silently.
var ListCatalogs = Define[ListCatalogsRequest, CatalogList](Row{
	Name: "uc_list_catalogs", Title: "List catalogs", Group: UnityCatalog, Effect: Read,
	Method: "GET", Path: "/api/2.1/unity-catalog/catalogs", Items: "catalogs", Paging: TokenPages,
	Needs: "USE CATALOG on the catalogs",
	Doc:   "List catalogs.",
	Did:   "listed catalogs",
	Shows: Shown{Scope: ScopeCatalogs, ID: "name"},
})

// ListSchemasRequest names a catalog.
type ListSchemasRequest struct {
	CatalogName   string `json:"catalog_name" jsonschema_description:"Catalog"`
	MaxResults    int64  `json:"max_results,omitempty" send:"0" check:"minimum=0" jsonschema_description:"Page size"`
	IncludeBrowse bool   `json:"include_browse,omitempty" jsonschema_description:"Add browsable"`
	Paged
}

// SchemaList is the answer of unity-catalog/schemas.
type SchemaList struct {
	Schemas []struct {
		Name    string `json:"name"`
		Comment string `json:"comment"`
	} `json:"schemas"`
}

// ListSchemas lists the schemas of a catalog.
var ListSchemas = Define[ListSchemasRequest, SchemaList](Row{
	Name: "uc_list_schemas", Title: "List schemas", Group: UnityCatalog, Effect: Read,
	Method: "GET", Path: "/api/2.1/unity-catalog/schemas", Items: "schemas", Paging: TokenPages,
	Needs: "USE SCHEMA on the schemas and USE CATALOG on the catalog", Object: "catalog {catalog_name}",
	Doc:     "List a catalog's schemas.",
	Did:     "listed the schemas of {}",
	Touches: []Touch{{Scope: ScopeCatalogs, ID: "{catalog_name}"}},
	Shows:   Shown{Scope: ScopeSchemas, ID: "full_name"},
})

// ListTablesRequest names a schema. Columns and properties, most of a table's
// size, are left out at the source unless they are asked for.
type ListTablesRequest struct {
	CatalogName                 string `json:"catalog_name" jsonschema_description:"Catalog"`
	SchemaName                  string `json:"schema_name" jsonschema_description:"Schema"`
	MaxResults                  int64  `json:"max_results,omitempty" send:"0" check:"minimum=0" jsonschema_description:"Page size"`
	OmitColumns                 *bool  `json:"omit_columns,omitempty" send:"true" unless:"columns" jsonschema_description:"Default true"`
	OmitProperties              *bool  `json:"omit_properties,omitempty" send:"true" unless:"properties" jsonschema:"-" jsonschema_description:"Default true"`
	OmitUsername                bool   `json:"omit_username,omitempty" jsonschema:"-" jsonschema_description:"Hide owners"`
	IncludeBrowse               bool   `json:"include_browse,omitempty" jsonschema_description:"Add browsable"`
	IncludeManifestCapabilities bool   `json:"include_manifest_capabilities,omitempty" jsonschema:"-" jsonschema_description:"Add capabilities"`
	Paged
}

// TableList is the answer of unity-catalog/tables: tables and views of all kinds.
// Columns are there when the request does not omit them.
type TableList struct {
	Tables []struct {
		Name      string `json:"name"`
		TableType string `json:"table_type"`
		Comment   string `json:"comment"`
		Columns   []struct {
			Name     string `json:"name"`
			TypeText string `json:"type_text"`
		} `json:"columns"`
		Capabilities Raw `json:"securable_kind_manifest"`
	} `json:"tables"`
}

// ListTables lists the tables and views of a schema.
var ListTables = Define[ListTablesRequest, TableList](Row{
	Name: "uc_list_tables", Title: "List tables", Group: UnityCatalog, Effect: Read,
	Method: "GET", Path: "/api/2.1/unity-catalog/tables", Items: "tables", Paging: TokenPages,
	Needs: "SELECT on the tables, USE SCHEMA on the schema and USE CATALOG on the catalog", Object: "schema {catalog_name}.{schema_name}",
	Doc:     "List a schema's tables and views.",
	Did:     "listed the tables of {}",
	Touches: []Touch{{Scope: ScopeSchemas, ID: "{catalog_name}.{schema_name}"}},
	Shows:   Shown{Scope: ScopeTables, ID: "full_name"},
})

// GetTableRequest names a table.
type GetTableRequest struct {
	FullName                    string `json:"full_name" jsonschema_description:"catalog.schema.table"`
	IncludeBrowse               bool   `json:"include_browse,omitempty" jsonschema:"-" jsonschema_description:"If browsable"`
	IncludeDeltaMetadata        bool   `json:"include_delta_metadata,omitempty" jsonschema_description:"Add Delta"`
	IncludeManifestCapabilities bool   `json:"include_manifest_capabilities,omitempty" jsonschema:"-" jsonschema_description:"Add capabilities"`
	Cut
}

// Table is one table or view; times in epoch ms.
type Table struct {
	FullName         string        `json:"full_name"`
	TableType        string        `json:"table_type"`
	DataSourceFormat string        `json:"data_source_format"`
	Comment          string        `json:"comment"`
	Owner            string        `json:"owner"`
	StorageLocation  string        `json:"storage_location"`
	ViewDefinition   string        `json:"view_definition"`
	Columns          []TableColumn `json:"columns"`
	TableConstraints Raw           `json:"table_constraints"`
	ViewDependencies Raw           `json:"view_dependencies"`
	RowFilter        Raw           `json:"row_filter"`
	Properties       Raw           `json:"properties"`
	DeltaProperties  Raw           `json:"delta_runtime_properties_kvpairs"`
	Capabilities     Raw           `json:"securable_kind_manifest"`
	PipelineID       string        `json:"pipeline_id"`
	CreatedAt        int64         `json:"created_at"`
	UpdatedAt        int64         `json:"updated_at"`
}

// TableColumn is one column. nullable is true when absent; partition_index says
// its place in the partitioning.
type TableColumn struct {
	Name           string `json:"name"`
	TypeText       string `json:"type_text"`
	Comment        string `json:"comment"`
	Nullable       bool   `json:"nullable"`
	PartitionIndex int64  `json:"partition_index"`
	Mask           Raw    `json:"mask"`
}

// GetTable reads one table. The API gives all columns at once; a wide table is cut
// by the result budget and continued.
var GetTable = Define[GetTableRequest, Table](Row{
	Name: "uc_get_table", Title: "Get table", Group: UnityCatalog, Effect: Read,
	Method: "GET", Path: "/api/2.1/unity-catalog/tables/{full_name}",
	Needs: "SELECT on the table, USE SCHEMA on its schema and USE CATALOG on its catalog", Object: "table {full_name}",
	Gather:  []string{"columns"},
	Doc:     "Show a table's columns, types, comments.",
	Did:     "read {}",
	Touches: []Touch{{Scope: ScopeTables, ID: "{full_name}"}},
})

// GetGrantsRequest names a securable. max_results counts privileges and must be 0
// or at least 150.
type GetGrantsRequest struct {
	SecurableType string `json:"securable_type" case:"lower" jsonschema_description:"catalog, schema, table, volume, function ..."`
	FullName      string `json:"full_name" jsonschema_description:"catalog.schema.object"`
	Principal     string `json:"principal,omitempty" jsonschema_description:"Only this"`
	MaxResults    int64  `json:"max_results,omitempty" send:"0" check:"minimum=0" jsonschema_description:"0 or 150 up"`
	Paged
}

// Grants are direct grants: nothing inherited, and no ownership.
type Grants struct {
	PrivilegeAssignments []struct {
		Principal   string   `json:"principal"`
		PrincipalID ID       `json:"principal_id"` // of a principal that is gone
		Privileges  []string `json:"privileges"`
	} `json:"privilege_assignments"`
}

// GetGrants lists who holds what on one securable.
var GetGrants = Define[GetGrantsRequest, Grants](Row{
	Name: "uc_get_grants", Title: "Get grants", Group: UnityCatalog, Effect: Read,
	Method: "GET", Path: "/api/2.1/unity-catalog/permissions/{securable_type}/{full_name}",
	Items: "privilege_assignments", Paging: TokenPages,
	Needs: "MANAGE on the object, or to own it or a parent of it", Object: "{securable_type} {full_name}",
	Doc:     "List direct grants on an object.",
	Did:     "read the grants on {}",
	Touches: []Touch{{Scope: ScopeSecurables, ID: "{securable_type}:{full_name}"}},
})

// UpdateGrantsRequest adds and removes privileges.
type UpdateGrantsRequest struct {
	SecurableType             string   `json:"securable_type" case:"lower" jsonschema_description:"As uc_get_grants"`
	FullName                  string   `json:"full_name" jsonschema_description:"catalog.schema.object"`
	Changes                   []Object `json:"changes,omitempty" jsonschema_description:"{principal, add: [SELECT], remove}"`
	OmitPermissionsInResponse bool     `json:"omit_permissions_in_response,omitempty" jsonschema_description:"No answer"`
}

// UpdateGrants changes grants of the named principals; others stay. The answer
// holds all direct grants as they are now.
var UpdateGrants = Define[UpdateGrantsRequest, Grants](Row{
	Name: "uc_update_grants", Title: "Update grants", Group: UnityCatalog, Effect: Replace,
	Method: "PATCH", Path: "/api/2.1/unity-catalog/permissions/{securable_type}/{full_name}",
	Needs: "MANAGE on the object, or to own it or a parent of it", Object: "{securable_type} {full_name}",
	Doc:     "Grant and revoke privileges.",
	Did:     "changed the grants on {}",
	Touches: []Touch{{Scope: ScopeSecurables, ID: "{securable_type}:{full_name}"}},
})
