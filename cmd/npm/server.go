package main

// serverJSON is what the MCP registry wants to know:
// https://github.com/modelcontextprotocol/registry/tree/main/docs/reference/server-json
type serverJSON struct {
	Schema      string           `json:"$schema"`
	Name        string           `json:"name"`
	Title       string           `json:"title"`
	Description string           `json:"description"` // at most 100 characters
	Repository  serverRepository `json:"repository"`
	Version     string           `json:"version"`
	Packages    []serverPackage  `json:"packages"`
}

type serverRepository struct {
	URL    string `json:"url"`
	Source string `json:"source"`
}

type serverPackage struct {
	RegistryType     string           `json:"registryType"`
	Identifier       string           `json:"identifier"`
	Version          string           `json:"version,omitempty"` // not with oci: it is in the identifier
	RuntimeHint      string           `json:"runtimeHint"`
	RuntimeArguments []serverArgument `json:"runtimeArguments,omitempty"`
	Transport        serverTransport  `json:"transport"`
	Environment      []serverVariable `json:"environmentVariables"`
}

type serverArgument struct {
	Type  string `json:"type"`
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
}

type serverTransport struct {
	Type string `json:"type"`
}

type serverVariable struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Format      string `json:"format,omitempty"`
	Placeholder string `json:"placeholder,omitempty"`
	Required    bool   `json:"isRequired,omitempty"`
	Secret      bool   `json:"isSecret,omitempty"`
}

// newServerJSON leaves bundles out: the registry cannot say which platform one is
// for, and a client would take any.
func newServerJSON(version string) serverJSON {
	const workspace = "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com"
	access := serverVariable{
		Name: "BRICKMCP_ACCESS", Placeholder: "read,jobs=full",
		Description: "What agents may use: off, read or full, also for single groups (default read, or what the policy says)",
	}
	policy := serverVariable{Name: "BRICKMCP_POLICY", Format: "filepath", Description: "Policy file (YAML) that narrows what agents may do"}
	return serverJSON{
		Schema: "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
		Name:   registryName, Title: title, Description: description,
		Repository: serverRepository{repository, "github"}, Version: version,
		Packages: []serverPackage{
			{
				RegistryType: "npm", Identifier: name, Version: version,
				RuntimeHint: "npx", RuntimeArguments: []serverArgument{{Type: "positional", Value: "-y"}},
				Transport: serverTransport{"stdio"},
				Environment: []serverVariable{
					{Name: "BRICKMCP_HOST", Description: "Workspace URL; the first call says where to sign in", Placeholder: workspace},
					access, policy,
				},
			},
			{
				RegistryType: "oci", Identifier: image + ":" + version,
				RuntimeHint: "docker", RuntimeArguments: []serverArgument{{Type: "named", Name: "-i"}, {Type: "named", Name: "--rm"}},
				Transport: serverTransport{"stdio"},
				// A browser cannot reach into a container.
				Environment: []serverVariable{
					{Name: "DATABRICKS_HOST", Description: "Workspace URL", Placeholder: workspace, Required: true},
					{Name: "DATABRICKS_CLIENT_ID", Description: "Application id of a service principal", Required: true},
					{Name: "DATABRICKS_CLIENT_SECRET", Description: "OAuth secret of the service principal", Required: true, Secret: true},
					access,
				},
			},
		},
	}
}
