package sandbox

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// endpoints is every REST call of the product, as a client would send it.
var endpoints = []string{
	"POST /api/2.2/jobs/create", "GET /api/2.2/jobs/get", "GET /api/2.2/jobs/list", "POST /api/2.2/jobs/update", "POST /api/2.2/jobs/reset",
	"POST /api/2.2/jobs/delete", "POST /api/2.2/jobs/run-now", "GET /api/2.2/jobs/runs/list", "GET /api/2.2/jobs/runs/get",
	"POST /api/2.2/jobs/runs/cancel", "GET /api/2.2/jobs/runs/get-output",
	"POST /api/2.1/clusters/create", "GET /api/2.1/clusters/list", "GET /api/2.1/clusters/get", "POST /api/2.1/clusters/start", "POST /api/2.1/clusters/delete",
	"POST /api/2.0/sql/warehouses", "GET /api/2.0/sql/warehouses", "GET /api/2.0/sql/warehouses/w", "POST /api/2.0/sql/warehouses/w/start", "POST /api/2.0/sql/warehouses/w/stop",
	"POST /api/2.0/sql/statements", "POST /api/2.0/sql/statements/", "GET /api/2.0/sql/statements/s", "POST /api/2.0/sql/statements/s/cancel", "GET /api/2.0/sql/statements/s/result/chunks/0",
	"GET /api/2.1/unity-catalog/catalogs", "GET /api/2.1/unity-catalog/schemas", "GET /api/2.1/unity-catalog/tables", "GET /api/2.1/unity-catalog/tables/a.b.c",
	"GET /api/2.1/unity-catalog/permissions/table/a.b.c", "PATCH /api/2.1/unity-catalog/permissions/table/a.b.c",
	"PUT /api/2.0/fs/files/Volumes/a/b/c/d", "GET /api/2.0/fs/files/Volumes/a/b/c/d", "HEAD /api/2.0/fs/files/Volumes/a/b/c/d", "DELETE /api/2.0/fs/files/Volumes/a/b/c/d",
	"POST /api/2.0/dbfs/put", "POST /api/2.0/dbfs/create", "POST /api/2.0/dbfs/add-block", "POST /api/2.0/dbfs/close", "GET /api/2.0/dbfs/read",
	"POST /api/2.0/workspace/import", "GET /api/2.0/workspace/export", "GET /api/2.0/workspace/list",
	"GET /api/2.0/secrets/scopes/list", "GET /api/2.0/secrets/list", "POST /api/2.0/secrets/put",
	"GET /api/2.0/preview/scim/v2/ServicePrincipals", "GET /api/2.0/preview/scim/v2/ServicePrincipals/1", "POST /api/2.0/preview/scim/v2/ServicePrincipals",
	"GET /api/2.0/preview/scim/v2/Me",
	"POST /api/2.0/serving-endpoints", "GET /api/2.0/serving-endpoints", "GET /api/2.0/serving-endpoints/e", "DELETE /api/2.0/serving-endpoints/e",
	"PUT /api/2.0/serving-endpoints/e/config", "PUT /api/2.0/serving-endpoints/e/ai-gateway", "PATCH /api/2.0/serving-endpoints/e/tags",
	"GET /api/2.0/serving-endpoints/e/served-models/m/build-logs", "GET /api/2.0/serving-endpoints/e/served-models/m/logs", "GET /api/2.0/serving-endpoints/e/openapi",
	"GET /api/2.0/permissions/serving-endpoints/i", "PUT /api/2.0/permissions/serving-endpoints/i", "PATCH /api/2.0/permissions/serving-endpoints/i",
	"POST /serving-endpoints/e/invocations", "POST /serving-endpoints/e/served-models/m/invocations", "POST /serving-endpoints/responses", "POST /serving-endpoints/chat/completions",
	"POST /api/3.0/mlflow/traces/t/assessments", "GET /api/3.0/mlflow/traces/t",
}

func TestEveryEndpointIsServed(t *testing.T) {
	ana, _, _ := newCallers(t)
	nobody := caller{t, ana.w, ""}
	patterns := ana.w.Patterns()
	for _, e := range endpoints {
		method, path, _ := strings.Cut(e, " ")
		_, pattern := ana.w.mux.Handler(httptest.NewRequest(method, path, nil))
		// A pattern for GET serves HEAD too.
		if pattern == "/" || !slices.Contains(patterns, pattern) {
			t.Errorf("%s is not served (matches %q)", e, pattern)
			continue
		}
		if rec := nobody.send(method, path, nil); rec.Code != 401 {
			t.Errorf("%s without a token: %d", e, rec.Code)
		}
	}
}
