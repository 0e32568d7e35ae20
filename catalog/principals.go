package catalog

// Service principals, by SCIM: contract/identities.md. Its names are camelCase and
// its pages go by index.

func principalRows() []*Row {
	return []*Row{
		&ListServicePrincipals.Row, &GetServicePrincipal.Row, &CreateServicePrincipal.Row,
		&GetMe.Row,
	}
}

// ListServicePrincipalsRequest narrows the list. What the list does not show is
// excluded at the source, where it is expensive.
type ListServicePrincipalsRequest struct {
	Filter             string `json:"filter,omitempty" jsonschema_description:"displayName co \"etl\""`
	Attributes         string `json:"attributes,omitempty" jsonschema:"-" jsonschema_description:"Only these"`
	ExcludedAttributes string `json:"excludedAttributes,omitempty" send:"\"entitlements,groups,roles\"" unless:"entitlements,groups,roles" jsonschema:"-" jsonschema_description:"Not these"`
	StartIndex         int64  `json:"startIndex,omitempty" check:"minimum=1" jsonschema:"-" jsonschema_description:"Or page_token"`
	Count              int64  `json:"count,omitempty" send:"100" check:"minimum=1,maximum=10000" jsonschema_description:"Page size"`
	SortBy             string `json:"sortBy,omitempty" jsonschema:"-" jsonschema_description:"Attribute"`
	SortOrder          string `json:"sortOrder,omitempty" check:"enum=ascending,enum=descending" jsonschema:"-" jsonschema_description:"Order"`
	Paged
}

// ServicePrincipalList is the answer of a SCIM list.
type ServicePrincipalList struct {
	Resources []struct {
		ID            ID     `json:"id"`
		ApplicationID string `json:"applicationId"`
		DisplayName   string `json:"displayName"`
		Active        bool   `json:"active"`
	} `json:"Resources"`
}

// ListServicePrincipals lists service principals of the workspace.
var ListServicePrincipals = Define[ListServicePrincipalsRequest, ServicePrincipalList](Row{
	Name: "service_principals_list", Title: "List service principals", Group: ServicePrincipals, Effect: Read,
	Method: "GET", Path: "/api/2.0/preview/scim/v2/ServicePrincipals", Items: "Resources", Paging: IndexPages,
	Needs: "no permission to see names and ids, and to be a workspace admin to see more", Limit: scimReadLimit,
	Doc:   "List service principals.",
	Did:   "listed service principals",
	Shows: Shown{Scope: ScopeServicePrincipals, ID: "id", Name: "displayName"},
})

// GetServicePrincipalRequest names a principal by its SCIM id.
type GetServicePrincipalRequest struct {
	ID ID `json:"id" jsonschema_description:"Numeric id"`
}

// ServicePrincipal is one principal. id is the SCIM id, applicationId the UUID
// that grants and run_as take.
type ServicePrincipal struct {
	ID            ID     `json:"id"`
	ApplicationID string `json:"applicationId"`
	DisplayName   string `json:"displayName"`
	Active        bool   `json:"active"`
	ExternalID    string `json:"externalId"`
	Entitlements  Raw    `json:"entitlements"`
	Groups        Raw    `json:"groups"`
	Roles         Raw    `json:"roles"`
}

// GetServicePrincipal reads one principal.
var GetServicePrincipal = Define[GetServicePrincipalRequest, ServicePrincipal](Row{
	Name: "service_principals_get", Title: "Get service principal", Group: ServicePrincipals, Effect: Read,
	Method: "GET", Path: "/api/2.0/preview/scim/v2/ServicePrincipals/{id}",
	Needs: "no permission to see names and ids, and to be a workspace admin to see more", Object: "service principal {id}", Limit: scimReadLimit,
	Doc:     "Show a service principal.",
	Did:     "read {}",
	Touches: []Touch{{Scope: ScopeServicePrincipals, ID: "{id}"}},
})

// CreateServicePrincipalRequest describes a principal.
type CreateServicePrincipalRequest struct {
	DisplayName   string   `json:"displayName,omitempty" jsonschema_description:"Not unique"`
	Active        *bool    `json:"active,omitempty" jsonschema_description:"Default true"`
	Entitlements  []Object `json:"entitlements,omitempty" jsonschema_description:"{value}"`
	Groups        []Object `json:"groups,omitempty" jsonschema_description:"{value: group id}"`
	Roles         []Object `json:"roles,omitempty" jsonschema_description:"{value: ARN}"`
	ApplicationID string   `json:"applicationId,omitempty" jsonschema_description:"Entra only"`
	ExternalID    string   `json:"externalId,omitempty" jsonschema:"-" jsonschema_description:"Your id"`
	ID            string   `json:"id,omitempty" jsonschema:"-" jsonschema_description:"Ignored"`
	Schemas       []string `json:"schemas,omitempty" send:"[\"urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal\"]" check:"enum=urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal" jsonschema:"-" jsonschema_description:"Ignored"`
	Forced
}

// CreateServicePrincipal makes a principal without credentials. Names are not
// unique: a repeat makes a second one.
var CreateServicePrincipal = Define[CreateServicePrincipalRequest, ServicePrincipal](Row{
	Name: "service_principals_create", Title: "Create service principal", Group: ServicePrincipals, Effect: Create,
	Method: "POST", Path: "/api/2.0/preview/scim/v2/ServicePrincipals",
	Needs: "to be a workspace admin", Object: "service principal {displayName}", Limit: scimWriteLimit,
	Verify: "Look for it with service_principals_list filter=displayName eq \"…\" before creating it again: names are not unique.",
	Doc:    "Create a service principal.",
	Did:    "created {}", Then: "service principal {id}",
	Touches: []Touch{{Scope: ScopeServicePrincipals, Name: "{displayName}"}},
})

// GetMeRequest leaves out what is long.
type GetMeRequest struct {
	Attributes         string `json:"attributes,omitempty" jsonschema_description:"Only these"`
	ExcludedAttributes string `json:"excludedAttributes,omitempty" send:"\"entitlements,roles\"" jsonschema_description:"Not these"`
}

// Me is the caller. A service principal's userName is its applicationId.
type Me struct {
	ID          ID     `json:"id"`
	UserName    string `json:"userName"`
	DisplayName string `json:"displayName"`
	Active      bool   `json:"active"`
	Groups      []struct {
		Display string `json:"display"`
	} `json:"groups"` // that the user is in directly, by the workspace's names
}

// GroupNames are the groups by name.
func (m Me) GroupNames() []string {
	var names []string
	for _, g := range m.Groups {
		names = append(names, g.Display)
	}
	return names
}

// GetMe says who is calling; the answer's X-Databricks-Org-Id header names the
// workspace.
var GetMe = Define[GetMeRequest, Me](Row{
	Name: "service_principals_me", Group: ServicePrincipals, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.0/preview/scim/v2/Me",
	Needs: "no permission, only to be signed in", Limit: scimReadLimit,
})
