package catalog

// Secrets: contract/secrets.md. All calls share one rate.

func secretRows() []*Row {
	return []*Row{&ListSecretScopes.Row, &ListSecrets.Row, &PutSecret.Row}
}

// ListSecretScopesRequest lists scopes; the API has no paging.
type ListSecretScopesRequest struct{ Paged }

// SecretScopes is the answer of secrets/scopes/list.
type SecretScopes struct {
	Scopes []struct {
		Name        string `json:"name"`
		BackendType string `json:"backend_type"`
	} `json:"scopes"`
}

// ListSecretScopes lists the scopes that the user may see.
var ListSecretScopes = Define[ListSecretScopesRequest, SecretScopes](Row{
	Name: "secrets_list_scopes", Title: "List secret scopes", Group: Secrets, Effect: Read,
	Method: "GET", Path: "/api/2.0/secrets/scopes/list", Items: "scopes", Paging: WholeList,
	Needs: "none (any user sees the scopes they may read)", Limit: secretsLimit,
	Doc:   "List secret scopes.",
	Did:   "listed secret scopes",
	Shows: Shown{Scope: ScopeSecretScopes, ID: "name"},
})

// ListSecretsRequest names a scope.
type ListSecretsRequest struct {
	Scope string `json:"scope" jsonschema_description:"Scope"`
	Paged
}

// SecretKeys is the answer of secrets/list: names and times (epoch ms), never values.
type SecretKeys struct {
	Secrets []struct {
		Key         string `json:"key"`
		LastUpdated int64  `json:"last_updated_timestamp"`
	} `json:"secrets"`
}

// ListSecrets lists the keys of a scope.
var ListSecrets = Define[ListSecretsRequest, SecretKeys](Row{
	Name: "secrets_list", Title: "List secrets", Group: Secrets, Effect: Read,
	Method: "GET", Path: "/api/2.0/secrets/list", Items: "secrets", Paging: WholeList,
	Needs: "READ on the scope", Object: "scope {scope}", Limit: secretsLimit,
	Doc:     "List secret keys, never values.",
	Did:     "listed the secrets of {}",
	Touches: []Touch{{Scope: ScopeSecretScopes, ID: "{scope}"}},
})

// PutSecretRequest carries one value, as text or as base64.
type PutSecretRequest struct {
	Scope       string `json:"scope" jsonschema_description:"Scope"`
	Key         string `json:"key" check:"maxLength=128" jsonschema_description:"Key"`
	StringValue string `json:"string_value,omitempty" audit:"hide" jsonschema_description:"Text"`
	BytesValue  string `json:"bytes_value,omitempty" audit:"hide" jsonschema_description:"Or base64"`
}

// PutSecret writes a secret. Its answer never echoes the value.
var PutSecret = Define[PutSecretRequest, None](Row{
	Name: "secrets_put", Title: "Put secret", Group: Secrets, Effect: Replace,
	Method: "POST", Path: "/api/2.0/secrets/put",
	Needs: "WRITE on the scope", Object: "secret {scope}/{key}", Limit: secretsLimit,
	OneOf:   []string{"string_value", "bytes_value"},
	Doc:     "Create or overwrite a secret.",
	Did:     "wrote {}",
	Touches: []Touch{{Scope: ScopeSecretScopes, ID: "{scope}", Name: "{key}"}},
})
