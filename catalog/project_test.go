package catalog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

func project(t *testing.T, tool, args, answer string) string {
	t.Helper()
	row := Find(tool)
	call, err := row.Bind([]byte(args))
	if err != nil {
		t.Fatal(err)
	}
	p := call.Projection()
	if !row.list() {
		return string(p.Append(nil, answer))
	}
	var items []string
	gjson.Get(answer, row.Items).ForEach(func(_, item gjson.Result) bool {
		items = append(items, string(p.AppendItem(nil, item)))
		return true
	})
	return strings.Join(items, "\n")
}

func TestProjection(t *testing.T) {
	tests := []struct{ name, tool, args, answer, want string }{
		{"only what is declared", "secrets_list_scopes", `{}`,
			`{"scopes":[{"name":"a","backend_type":"DATABRICKS","keyvault_metadata":{"dns_name":"x"}}]}`,
			`{"name":"a","backend_type":"DATABRICKS"}`},
		{"ids of any name", "jobs_create", `{}`, `{"job_id":9007199254740993,"extra":1}`, `{"job_id":"9007199254740993"}`},
		{"a declared id that has another name", "service_principals_get", `{"id":"1"}`, `{"id":"5","applicationId":"u-u","schemas":["x"]}`, `{"id":"5","applicationId":"u-u"}`},
		{"open values stay whole", "jobs_get", `{"job_id":1}`,
			`{"job_id":1,"settings":{"x":{"run_id":5,"y":[1, 2]}},"has_more":false}`, `{"job_id":"1","settings":{"x":{"run_id":"5","y":[1,2]}}}`},
		{"more fields", "jobs_list", `{"fields":["settings.tags","created_time"]}`,
			`{"jobs":[{"job_id":1,"created_time":5,"settings":{"name":"n","tags":{"a":"b"},"format":"X"}}]}`,
			`{"job_id":"1","created_time":5,"settings":{"name":"n","tags":{"a":"b"}}}`},
		{"more fields through an array", "jobs_list", `{"fields":["settings.tasks.notebook_task.notebook_path"],"expand_tasks":true}`,
			`{"jobs":[{"job_id":1,"settings":{"tasks":[{"task_key":"a","notebook_task":{"notebook_path":"/x","source":"GIT"}},{"task_key":"b"}]}}]}`,
			`{"job_id":"1","settings":{"tasks":[{"task_key":"a","notebook_task":{"notebook_path":"/x"}},{"task_key":"b"}]}}`},
		{"a whole object as a field", "clusters_list", `{"fields":["termination_reason"]}`,
			`{"clusters":[{"cluster_id":"c","termination_reason":{"code":"X","type":"SUCCESS"}}]}`,
			`{"cluster_id":"c","termination_reason":{"code":"X","type":"SUCCESS"}}`},
		{"a field that is not there", "jobs_list", `{"fields":["nope.deeper"]}`, `{"jobs":[{"job_id":1}]}`, `{"job_id":"1"}`},
		{"nulls and surprises", "jobs_list", `{}`, `{"jobs":[{"job_id":null,"settings":null},{"settings":5},7]}`, "{\"job_id\":null,\"settings\":null}\n{\"settings\":5}\n7"},
		{"order is the answer's", "warehouses_list", `{}`, `{"warehouses":[{"state":"RUNNING","name":"w","id":"a1"}]}`, `{"state":"RUNNING","name":"w","id":"a1"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := project(t, tt.tool, tt.args, tt.answer); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Asking one call for more fields must not widen the next.
func TestProjectionIsNotShared(t *testing.T) {
	answer := `{"jobs":[{"job_id":1,"settings":{"name":"n","tags":{"a":"b"}}}]}`
	plain := project(t, "jobs_list", `{}`, answer)
	project(t, "jobs_list", `{"fields":["settings.tags"]}`, answer)
	if again := project(t, "jobs_list", `{}`, answer); again != plain {
		t.Errorf("first %s, then %s", plain, again)
	}
}

// Presigned links of a dbt run are never shown.
func TestRunOutputHasNoLinks(t *testing.T) {
	got := project(t, "jobs_get_run_output", `{"run_id":1}`,
		`{"metadata":{"run_id":1},"error":"e","dbt_output":{"artifacts_link":"https://signed","artifacts_headers":{"x":"y"}}}`)
	if want := `{"metadata":{"run_id":"1"},"error":"e"}`; got != want {
		t.Errorf("got %s", got)
	}
}

// The budget of the list that agents call most: 20 jobs in 720 tokens of 4 bytes,
// with ids of 15 digits and names of 25 characters.
func TestTwentyJobsFit(t *testing.T) {
	var jobs []string
	for i := range 20 {
		jobs = append(jobs, fmt.Sprintf(`{"job_id":%d,"creator_user_name":"ana.fernandez@example.com","run_as_user_name":"ana.fernandez@example.com","created_time":1735689600000,`+
			`"settings":{"name":"%-25s","email_notifications":{},"webhook_notifications":{},"timeout_seconds":0,"schedule":{"quartz_cron_expression":"0 0 6 * * ?","timezone_id":"UTC","pause_status":"UNPAUSED"},`+
			`"max_concurrent_runs":1,"tags":{"team":"sales"},"format":"MULTI_TASK","queue":{"enabled":true}}}`, 581234567890123+i, fmt.Sprintf("nightly-sales-refresh-%02d", i)))
	}
	got := project(t, "jobs_list", `{}`, `{"jobs":[`+strings.Join(jobs, ",")+`]}`)
	size := len(`{"jobs":[`) + len(got) + len(`],"returned":20,"truncated":true,"next_page_token":"CAEomPSriYcxMPWM_IiIxvEB"}`)
	if size/4 > 720 {
		t.Errorf("20 jobs take %d tokens", size/4)
	}
	t.Logf("20 jobs: %d bytes", size)
}
