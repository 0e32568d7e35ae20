package catalog

import "errors"

// ErrSignInElsewhere is the cause of an error whose sign-in is to a service behind the
// workspace, such as that of a connection, and not to the workspace.
var ErrSignInElsewhere = errors.New("the sign-in is to a service behind the workspace")

// managedRows find the MCP servers that a workspace has. None is a tool: what they
// find is for the person who sets this server up.
func managedRows() []*Row {
	return []*Row{&ListMCPServices.Row, &ListConnections.Row, &ListSearchEndpoints.Row, &ListSearchIndexes.Row, &ListFunctions.Row}
}

// MCPServicesRequest names a schema, as schemas/CATALOG.SCHEMA.
type MCPServicesRequest struct {
	Parent   string `json:"parent" jsonschema_description:"Schema"`
	PageSize int64  `json:"page_size" jsonschema_description:"At most 100"`
}

// ListMCPServices lists the MCP services of a schema: mcp.md, section 5.
var ListMCPServices = Define[MCPServicesRequest, struct {
	Services []struct {
		Name    string `json:"name"`
		Comment string `json:"comment"`
	} `json:"mcp_services"`
	NextPageToken string `json:"next_page_token"`
}](Row{
	Name: "managed_list_services", Group: Managed, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.1/unity-catalog/mcp-services", Items: "mcp_services", Paging: WholeList,
	Needs: "READ_METADATA or EXECUTE on the services",
})

// ListConnections lists connections. The options of one to an MCP server say so.
var ListConnections = Define[struct{}, struct {
	Connections []struct {
		Name    string            `json:"name"`
		Comment string            `json:"comment"`
		Options map[string]string `json:"options"`
	} `json:"connections"`
	NextPageToken string `json:"next_page_token"`
}](Row{
	Name: "managed_list_connections", Group: Managed, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.1/unity-catalog/connections", Items: "connections", Paging: WholeList,
	Needs: "USE CONNECTION on the connections",
})

// ListSearchEndpoints lists the endpoints of vector search.
var ListSearchEndpoints = Define[struct{}, struct {
	Endpoints []struct {
		Name string `json:"name"`
	} `json:"endpoints"`
	NextPageToken string `json:"next_page_token"`
}](Row{
	Name: "managed_list_search_endpoints", Group: Managed, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.0/vector-search/endpoints", Items: "endpoints", Paging: WholeList,
	Needs: "CAN_USE on the endpoints",
})

// SearchIndexesRequest names an endpoint of vector search.
type SearchIndexesRequest struct {
	EndpointName string `json:"endpoint_name" jsonschema_description:"Endpoint"`
}

// ListSearchIndexes lists the indexes of an endpoint.
var ListSearchIndexes = Define[SearchIndexesRequest, struct {
	Indexes []struct {
		Name      string `json:"name"`
		IndexType string `json:"index_type"`
	} `json:"vector_indexes"`
	NextPageToken string `json:"next_page_token"`
}](Row{
	Name: "managed_list_search_indexes", Group: Managed, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.0/vector-search/indexes", Items: "vector_indexes", Paging: WholeList,
	Needs: "SELECT on the indexes",
})

// FunctionsRequest names a schema.
type FunctionsRequest struct {
	CatalogName string `json:"catalog_name" jsonschema_description:"Catalog"`
	SchemaName  string `json:"schema_name" jsonschema_description:"Schema"`
}

// ListFunctions lists the functions of a schema.
var ListFunctions = Define[FunctionsRequest, struct {
	Functions []struct {
		Name string `json:"name"`
	} `json:"functions"`
	NextPageToken string `json:"next_page_token"`
}](Row{
	Name: "managed_list_functions", Group: Managed, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.1/unity-catalog/functions", Items: "functions", Paging: WholeList,
	Needs: "EXECUTE on the functions, USE CATALOG and USE SCHEMA",
})
