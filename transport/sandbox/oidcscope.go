package sandbox

import (
	"net/http"
	"slices"
	"strings"
)

const (
	allAPIs       = "all-apis"
	offlineAccess = "offline_access"
)

// apiScopes are the scopes that parts of the REST surface need (contract
// README.md, section 10). Of the rest no scope is known, so any token does;
// SCIM Me answers everybody.
var apiScopes = []struct{ path, scope string }{
	{"/api/2.0/sql/", "sql"},
	{"/api/2.0/clusters/", "clusters"},
	{"/api/2.1/clusters/", "clusters"},
	{"/api/2.0/policies/clusters/", "clusters"},
	{"/api/2.0/permissions/", "access-management"},
	{"/api/2.1/jobs/", "jobs"},
	{"/api/2.2/jobs/", "jobs"},
	{"/api/2.0/genie/", "genie"},
	{"/api/2.0/apps/", "apps"},
	{"/ai-gateway/mlflow/", "ai-gateway"},
}

// outOfScope is the 403 for a call that the token is too narrow for, nil if it
// is not. Personal access tokens have no scopes and may do everything.
func (t accessToken) outOfScope(path string) *apiError {
	if t.scopes == nil || slices.Contains(t.scopes, allAPIs) {
		return nil
	}
	for _, s := range apiScopes {
		if strings.HasPrefix(path+"/", s.path) && !slices.Contains(t.scopes, s.scope) {
			return failure(http.StatusForbidden, "PERMISSION_DENIED", "Provided OAuth token does not have required scopes: "+s.scope)
		}
	}
	return nil
}
