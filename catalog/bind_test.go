package catalog

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestBindRefuses(t *testing.T) {
	tests := []struct {
		name, tool, args string
		want             []string // in the message
	}{
		{"unknown, with the nearest", "jobs_get", `{"job_idd":"1"}`, []string{`unknown argument "job_idd" (did you mean "job_id"?)`, `"job_id" is required`}},
		{"unknown, far from all", "jobs_get", `{"job_id":"1","colour":"red"}`, []string{`unknown argument "colour"`}},
		{"camel case", "jobs_get", `{"jobId":"1"}`, []string{`did you mean "job_id"?`}},
		{"missing", "jobs_delete", `{}`, []string{`"job_id" is required: a 64-bit id`}},
		{"no arguments at all", "jobs_delete", ``, []string{`"job_id" is required`}},
		{"null is not given", "jobs_delete", `{"job_id":null}`, []string{`"job_id" is required`}},
		{"empty string", "secrets_list", `{"scope":""}`, []string{`"scope" must not be empty`}},
		{"id too large", "jobs_get", `{"job_id":9223372036854775808}`, []string{`"job_id" must be a 64-bit id (decimal string or integer), not 9223372036854775808`}},
		{"id as a float", "jobs_get", `{"job_id":1.5e3}`, []string{`must be a 64-bit id`}},
		{"id with a plus", "jobs_get", `{"job_id":"+1"}`, []string{`must be a 64-bit id`}},
		{"id with zeros in front", "jobs_get", `{"job_id":"007"}`, []string{`must be a 64-bit id`}},
		{"id is a name", "service_principals_get", `{"id":"0e3a-uuid"}`, []string{`"id" must be a 64-bit id`, `the string "0e3a-uuid"`}},
		{"integer as text", "jobs_list", `{"limit":"20"}`, []string{`"limit" must be an integer, not the string "20"`}},
		{"integer with a fraction", "jobs_list", `{"limit":1.5}`, []string{`"limit" must be an integer, not 1.5`}},
		{"below the minimum", "jobs_list", `{"limit":0}`, []string{`"limit" must be from 1 to 100, not 0`}},
		{"above the maximum", "jobs_list_runs", `{"limit":26}`, []string{`"limit" must be from 0 to 25, not 26`}},
		{"negative page length", "uc_list_catalogs", `{"max_results":-1}`, []string{`"max_results" must be at least 0, not -1`}},
		{"boolean as text", "jobs_list", `{"expand_tasks":"yes"}`, []string{`"expand_tasks" must be true or false`}},
		{"enum", "jobs_list_runs", `{"run_type":"job_run"}`, []string{`"run_type" must be one of JOB_RUN, SUBMIT_RUN, WORKFLOW_RUN, not the string "job_run"`}},
		{"object as text", "jobs_update", `{"job_id":1,"new_settings":"{}"}`, []string{`"new_settings" must be an object, not the string "{}"`}},
		{"array item", "jobs_create", `{"tasks":[{"task_key":"a"},"b"]}`, []string{`"tasks": item 1 must be an object, not the string "b"`}},
		{"map value", "jobs_run_now", `{"job_id":1,"job_parameters":{"day":5}}`, []string{`"job_parameters": item day must be a string, not 5`}},
		{"given twice", "jobs_get", `{"job_id":1,"job_id":2}`, []string{`"job_id" is given twice`}},
		{"not an object", "jobs_get", `[1]`, []string{`must be one JSON object`}},
		{"not JSON", "jobs_get", `{"job_id":`, []string{`not valid JSON`}},
		{"none of a choice", "secrets_put", `{"scope":"a","key":"b"}`, []string{`exactly one of string_value, bytes_value must be given, not 0`}},
		{"two of a choice", "secrets_put", `{"scope":"a","key":"b","string_value":"c","bytes_value":"Yw=="}`, []string{`exactly one of string_value, bytes_value must be given, not 2`}},
		{"too long", "secrets_put", `{"scope":"a","key":"` + strings.Repeat("k", 129) + `","string_value":"c"}`, []string{`"key" is longer than 128 characters`}},
		{"wait out of range", "sql_execute_statement", `{"warehouse_id":"a","statement":"SELECT 1","wait_timeout":"3s"}`, []string{`"wait_timeout" cannot be the string "3s": 0s, 5s to 50s`}},
		{"not a volume", "files_delete", `{"path":"/tmp/a"}`, []string{`"path" cannot be the string "/tmp/a": /Volumes/catalog/schema/volume/file`}},
		{"dot segment in a path", "files_delete", `{"path":"/Volumes/a/../../b"}`, []string{`"path" must not have an empty, ".", ".." or NUL path segment`}},
		{"empty segment", "files_delete", `{"path":"/Volumes//b"}`, []string{`must not have an empty`}},
		{"NUL in a path", "files_delete", `{"path":"/Volumes/a/b\u0000c"}`, []string{`must not have an empty`}},
		{"dot segment in a hole", "warehouses_stop", `{"warehouse_id":".."}`, []string{`must not have an empty, ".", ".." or NUL path segment: ".."`}},
		{"token of nobody", "jobs_list", `{"page_token":"~x~"}`, []string{`"page_token" is not a token of an earlier answer`}},
		{"token where nothing is paged", "workspace_list", `{"path":"/","page_token":"abc"}`, []string{`"page_token" is not a token of an earlier answer`}},
		{"token of a cut object", "uc_get_table", `{"full_name":"a.b.c","page_token":"abc"}`, []string{`"page_token" is not a token of an earlier answer`}},
		{"index that is none", "service_principals_list", `{"page_token":"next"}`, []string{`"page_token" is not a token of an earlier answer`}},
		{"misspelt setting", "jobs_update", `{"job_id":1,"new_settings":{"shedule":{}}}`, []string{`"new_settings": unknown setting "shedule" (did you mean "schedule"?)`}},
		{"all problems at once", "jobs_list_runs", `{"limit":99,"runtype":"JOB_RUN"}`, []string{`"limit" must be`, `did you mean "run_type"?`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			call, err := Find(tt.tool).Bind([]byte(tt.args))
			if err == nil {
				t.Fatalf("accepted: %s?%s %s", call.Path, call.Query, call.Body)
			}
			var e *Error
			if !errors.As(err, &e) || e.Kind != Invalid {
				t.Fatalf("kind of %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(e.Message, want) {
					t.Errorf("message %q\ndoes not say %q", e.Message, want)
				}
			}
			if !strings.HasPrefix(e.Message, tt.tool+": ") {
				t.Errorf("message %q does not begin with the tool", e.Message)
			}
			if !strings.Contains(e.Advice, "Nothing was sent.") {
				t.Errorf("advice %q", e.Advice)
			}
		})
	}
}

func TestRefusalListsTheValidArguments(t *testing.T) {
	_, err := ListSecrets.Bind([]byte(`{"scop":"a"}`))
	if want := "Valid arguments: scope, page_token, fields."; !strings.Contains(AsError(err).Advice, want) {
		t.Errorf("advice %q does not say %q", AsError(err).Advice, want)
	}
}

// A value that must not be written down is not in a refusal either.
func TestRefusalsKeepSecrets(t *testing.T) {
	for _, args := range []string{
		`{"scope":"a","key":"b","string_value":12345678}`,
		`{"scope":"a","key":"b","bytes_value":["12345678"]}`,
		`{"scope":"a","key":"b","bytes_value":"","string_value":"12345678"}`,
	} {
		_, err := PutSecret.Bind([]byte(args))
		if err == nil {
			t.Errorf("%s is accepted", args)
		} else if strings.Contains(err.Error(), "12345678") {
			t.Errorf("%s is refused with %v", args, err)
		}
	}
	_, err := CreateCluster.Bind([]byte(`{"spark_version":"x","spark_env_vars":{"TOKEN":12345678}}`))
	if err == nil || strings.Contains(err.Error(), "12345678") {
		t.Errorf("the environment of a cluster: %v", err)
	}
}

func TestBindBuilds(t *testing.T) {
	tests := []struct {
		name, tool, args        string
		path, query, body, text string
	}{
		{"19 digits as a number", "jobs_get", `{"job_id":9007199254740993123}`,
			"/api/2.2/jobs/get", "job_id=9007199254740993123", "", "job 9007199254740993123"},
		{"19 digits as text", "jobs_get", `{"job_id":"9007199254740993123"}`,
			"/api/2.2/jobs/get", "job_id=9007199254740993123", "", "job 9007199254740993123"},
		{"an id in a body is a number", "jobs_delete", `{"job_id":"9007199254740993123"}`,
			"/api/2.2/jobs/delete", "", `{"job_id":9007199254740993123}`, "job 9007199254740993123"},
		{"an id in a path", "service_principals_get", `{"id":9007199254740993123}`,
			"/api/2.0/preview/scim/v2/ServicePrincipals/9007199254740993123", "", "", "service principal 9007199254740993123"},
		{"nulls are left out", "jobs_list", `{"name":null,"limit":5,"page_token":null}`,
			"/api/2.2/jobs/list", "limit=5", "", ""},
		{"no arguments", "jobs_list", ``, "/api/2.2/jobs/list", "", "", ""},
		{"null arguments", "jobs_list", `null`, "/api/2.2/jobs/list", "", "", ""},
		{"false and zero are sent", "warehouses_create", `{"name":"w","enable_photon":false,"auto_stop_mins":0}`,
			"/api/2.0/sql/warehouses", "", `{"name":"w","auto_stop_mins":0,"enable_photon":false}`, "warehouse w"},
		{"a body without fields", "warehouses_start", `{"warehouse_id":"ab c"}`,
			"/api/2.0/sql/warehouses/ab%20c/start", "", `{}`, "warehouse ab c"},
		{"slash in a hole", "uc_get_table", `{"full_name":"a.b.c/d"}`,
			"/api/2.1/unity-catalog/tables/a.b.c%2Fd", "", "", "table a.b.c/d"},
		{"a path keeps its slashes", "files_delete", `{"path":"/Volumes/a/b/c d/100%?#.csv"}`,
			"/api/2.0/fs/files/Volumes/a/b/c%20d/100%25%3F%23.csv", "", "", "file /Volumes/a/b/c d/100%?#.csv"},
		{"upload says whether it overwrites", "files_upload", `{"path":"/Volumes/a/b/c/d","contents":"x"}`,
			"/api/2.0/fs/files/Volumes/a/b/c/d", "overwrite=false", `{}`, "file /Volumes/a/b/c/d"},
		{"clusters of people", "clusters_list", `{}`,
			"/api/2.1/clusters/list", "filter_by.cluster_sources=UI&filter_by.cluster_sources=API", "", ""},
		{"also with another filter", "clusters_list", `{"filter_by":{"is_pinned":true,"cluster_states":["RUNNING","PENDING"]}}`,
			"/api/2.1/clusters/list", "filter_by.cluster_sources=UI&filter_by.cluster_sources=API&filter_by.cluster_states=RUNNING&filter_by.cluster_states=PENDING&filter_by.is_pinned=true", "", ""},
		{"but not against the caller", "clusters_list", `{"filter_by":{"cluster_sources":["JOB"]},"sort_by":{"field":"CLUSTER_NAME"}}`,
			"/api/2.1/clusters/list", "filter_by.cluster_sources=JOB&sort_by.field=CLUSTER_NAME", "", ""},
		{"all sources", "clusters_list", `{"filter_by":{"cluster_sources":[]}}`, "/api/2.1/clusters/list", "", "", ""},
		{"lists say max_results", "uc_list_schemas", `{"catalog_name":"main"}`,
			"/api/2.1/unity-catalog/schemas", "catalog_name=main&max_results=0", "", "catalog main"},
		{"no columns in lists", "uc_list_tables", `{"catalog_name":"main","schema_name":"s"}`,
			"/api/2.1/unity-catalog/tables", "catalog_name=main&max_results=0&omit_columns=true&omit_properties=true&schema_name=s", "", "schema main.s"},
		{"but when fields asks for them", "uc_list_tables", `{"catalog_name":"main","schema_name":"s","fields":["columns.name"]}`,
			"/api/2.1/unity-catalog/tables", "catalog_name=main&max_results=0&omit_properties=true&schema_name=s", "", "schema main.s"},
		{"or omit_columns says so", "uc_list_tables", `{"catalog_name":"main","schema_name":"s","omit_columns":false}`,
			"/api/2.1/unity-catalog/tables", "catalog_name=main&max_results=0&omit_columns=false&omit_properties=true&schema_name=s", "", "schema main.s"},
		{"SCIM leaves the long attributes out", "service_principals_list", `{"filter":"displayName co \"a+b\""}`,
			"/api/2.0/preview/scim/v2/ServicePrincipals", "count=100&excludedAttributes=entitlements%2Cgroups%2Croles&filter=displayName+co+%22a%2Bb%22", "", ""},
		{"unless asked", "service_principals_list", `{"fields":["groups.display"],"count":5}`,
			"/api/2.0/preview/scim/v2/ServicePrincipals", "count=5", "", ""},
		{"SCIM pages", "service_principals_list", `{"page_token":"101","startIndex":1}`,
			"/api/2.0/preview/scim/v2/ServicePrincipals", "count=100&excludedAttributes=entitlements%2Cgroups%2Croles&startIndex=101", "", ""},
		{"the API's token behind ours", "jobs_list", `{"page_token":"~3~CAEo+/="}`,
			"/api/2.2/jobs/list", "page_token=CAEo%2B%2F%3D", "", ""},
		{"our token is not sent", "workspace_list", `{"path":"/Users","page_token":"~7~"}`,
			"/api/2.0/workspace/list", "path=%2FUsers", "", "workspace folder /Users"},
		{"nor a chunk", "sql_get_statement", `{"statement_id":"01ef","page_token":"3"}`,
			"/api/2.0/sql/statements/01ef", "", "", "statement 01ef"},
		{"the object's type in lower case", "uc_get_grants", `{"securable_type":"TABLE","full_name":"a.B.c"}`,
			"/api/2.1/unity-catalog/permissions/table/a.B.c", "max_results=0", "", "table a.B.c"},
		{"SCIM schema", "service_principals_create", `{"displayName":"etl","active":false}`,
			"/api/2.0/preview/scim/v2/ServicePrincipals", "", `{"displayName":"etl","active":false,"schemas":["urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal"]}`, "service principal etl"},
		{"an empty token is none", "jobs_run_now", `{"job_id":1,"idempotency_token":""}`,
			"/api/2.2/jobs/run-now", "", `{"job_id":1}`, "job 1"},
		{"white space stays out of the way", "jobs_cancel_run", " {\n\"run_id\" : 7 } ",
			"/api/2.2/jobs/runs/cancel", "", `{"run_id":7}`, "run 7"},
		{"no name, no object", "jobs_create", `{"description":"d"}`, "/api/2.2/jobs/create", "", `{"description":"d"}`, ""},
		{"ids inside settings are numbers again", "jobs_reset", `{"job_id":"5","new_settings":{"tasks":[{"task_key":"a","run_job_task":{"job_id":"9007199254740993123","job_parameters":{"job_id":"7"}}}],"tags":{"job_id":"8"}}}`,
			"/api/2.2/jobs/reset", "", `{"job_id":5,"new_settings":{"tasks":[{"task_key":"a","run_job_task":{"job_id":9007199254740993123,"job_parameters":{"job_id":"7"}}}],"tags":{"job_id":"8"}}}`, "job 5"},
		{"an unknown setting that resembles none", "jobs_reset", `{"job_id":5,"new_settings":{"brand_new_setting":true}}`,
			"/api/2.2/jobs/reset", "", `{"job_id":5,"new_settings":{"brand_new_setting":true}}`, "job 5"},
		{"parameters stay texts", "jobs_run_now", `{"job_id":5,"job_parameters":{"job_id":"7","run_id":"8"}}`,
			"/api/2.2/jobs/run-now", "", `{"job_id":5,"job_parameters":{"job_id":"7","run_id":"8"}}`, "job 5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			call, err := Find(tt.tool).Bind([]byte(tt.args))
			if err != nil {
				t.Fatal(err)
			}
			want, err := url.ParseQuery(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			if call.Path != tt.path || call.Query != want.Encode() || string(call.Body) != tt.body {
				t.Errorf("got  %s?%s %s\nwant %s?%s %s", call.Path, call.Query, call.Body, tt.path, want.Encode(), tt.body)
			}
			if call.Object != tt.text {
				t.Errorf("object %q, want %q", call.Object, tt.text)
			}
		})
	}
}

func TestBindKeys(t *testing.T) {
	for args, want := range map[string]bool{
		`{"job_id":1}`:                               false,
		`{"job_id":1,"idempotency_token":""}`:        false,
		`{"job_id":1,"idempotency_token":"a-token"}`: true,
	} {
		call, err := RunJob.Bind([]byte(args))
		if err != nil {
			t.Fatal(err)
		}
		if call.Keyed != want {
			t.Errorf("%s: keyed is %t", args, call.Keyed)
		}
	}
}

func TestBindKeepsLocalArguments(t *testing.T) {
	call, err := DownloadFile.Bind([]byte(`{"path":"/Volumes/a/b/c/d","offset":5,"local_path":"/tmp/x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if call.Query != "" || call.Body != nil {
		t.Errorf("local arguments are sent: %q %q", call.Query, call.Body)
	}
	if string(call.Args["offset"]) != "5" || string(call.Args["local_path"]) != `"/tmp/x"` {
		t.Errorf("arguments %v", call.Args)
	}
}

func TestHiddenArguments(t *testing.T) {
	if got := strings.Join(PutSecret.Hidden(), " "); got != "string_value bytes_value" {
		t.Errorf("hidden of secrets_put: %s", got)
	}
	if got := strings.Join(CreateCluster.Hidden(), " "); got != "spark_env_vars azure_attributes docker_image" {
		t.Errorf("hidden of clusters_create: %s", got)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"job_id", "name", "run_type"}
	for misspelt, want := range map[string]string{
		"jobid": "job_id", "JOB_ID": "job_id", "nam": "name", "runtype": "run_type", "warehouse": "", "": "", strings.Repeat("job_id", 20): "",
	} {
		if got := Nearest(misspelt, names); got != want {
			t.Errorf("nearest to %q is %q, want %q", misspelt, got, want)
		}
	}
}

// Arguments come from outside: a refusal stays short, and quick, however many
// wrong ones there are.
func TestRefusalsStayShort(t *testing.T) {
	var args strings.Builder
	args.WriteByte('{')
	for i := range 50_000 {
		fmt.Fprintf(&args, `"wrong_argument_%d":1,`, i)
	}
	args.WriteString(`"` + strings.Repeat("x", 100_000) + `":1}`)
	_, err := ListJobs.Bind([]byte(args.String()))
	if err == nil || len(err.Error()) > 2000 {
		t.Errorf("a refusal of %d bytes", len(fmt.Sprint(err)))
	}
}
