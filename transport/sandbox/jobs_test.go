package sandbox

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const jobsPath = "/api/2.2/jobs/"

// task is a notebook task; on names what it depends on.
func task(key string, on ...string) object {
	return notebook(key, "/Shared/etl/validate_orders", on...)
}

func (c caller) createJob(body object) json.Number {
	c.t.Helper()
	return c.call("POST", jobsPath+"create", body)["job_id"].(json.Number)
}

func (c caller) job(id json.Number) map[string]any {
	c.t.Helper()
	return c.get(jobsPath + "get?job_id=" + id.String())
}

func keys(settings any) []string { return names(settings.(map[string]any)["tasks"], "task_key") }

func TestSeededJobs(t *testing.T) {
	ana, ben, _ := newCallers(t)
	all, pages := followSettings(ana, "limit=10")
	if len(all) != 24 || !reflect.DeepEqual(pages, []int{10, 10, 4}) || !slices.Contains(all, "nightly_sales_ingest") {
		t.Error(all, pages)
	}
	if first := ana.get(jobsPath + "list"); len(first["jobs"].([]any)) != 20 || first["has_more"] != true || first["prev_page_token"] != nil {
		t.Error(first["has_more"], first["prev_page_token"])
	}
	visible, _ := followSettings(ben, "limit=100")
	if len(visible) != 9 || slices.Contains(visible, "hr_headcount_sync") {
		t.Error("ben sees", visible)
	}
	found := ana.get(jobsPath + "list?name=NIGHTLY_sales_ingest")["jobs"].([]any)
	if len(found) != 1 {
		t.Fatal("the name filter is exact and ignores case:", found)
	}
	item := found[0].(map[string]any)["settings"].(map[string]any)
	if item["tasks"] != nil || item["job_clusters"] != nil || item["format"] != "MULTI_TASK" || item["schedule"] == nil {
		t.Error("list without expand_tasks:", item)
	}
	expanded := ana.get(jobsPath + "list?expand_tasks=true&name=store_replication_full")["jobs"].([]any)[0].(map[string]any)
	if len(keys(expanded["settings"])) != 100 || expanded["has_more"] != true {
		t.Error("an expanded item is cut at 100 tasks:", expanded["has_more"])
	}
	if got := ana.get(jobsPath + "list?name=nightly"); got["jobs"] != nil || got["has_more"] != false {
		t.Error(got)
	}
	for _, query := range []string{"limit=0", "limit=101", "limit=x", "offset=1001", "offset=-1", "expand_tasks=yes", "page_token=x"} {
		ana.refused("GET", jobsPath+"list?"+query, nil, 400, "INVALID_PARAMETER_VALUE")
	}
}

// followSettings pages through jobs/list and returns the names.
func followSettings(c caller, query string) (all []string, pages []int) {
	c.t.Helper()
	for token := ""; ; {
		page := c.get(jobsPath + "list?" + query + "&page_token=" + url.QueryEscape(token))
		jobs, _ := page["jobs"].([]any)
		for _, j := range jobs {
			all = append(all, j.(map[string]any)["settings"].(map[string]any)["name"].(string))
		}
		pages = append(pages, len(jobs))
		next, more := page["next_page_token"].(string)
		if more != (page["has_more"] == true) {
			c.t.Fatal("has_more and next_page_token disagree:", page)
		}
		if !more {
			return all, pages
		}
		token = next
	}
}

// A job of 130 tasks comes in two pages through API 2.2 and not at all through 2.1.
func TestJobOfManyTasks(t *testing.T) {
	ana, _, _ := newCallers(t)
	id := ana.get(jobsPath + "list?name=store_replication_full")["jobs"].([]any)[0].(map[string]any)["job_id"].(json.Number)
	first := ana.job(id)
	token, _ := first["next_page_token"].(string)
	if len(keys(first["settings"])) != 100 || token == "" {
		t.Fatal(len(keys(first["settings"])), token)
	}
	second := ana.get(jobsPath + "get?job_id=" + id.String() + "&page_token=" + url.QueryEscape(token))
	if len(keys(second["settings"])) != 30 || second["next_page_token"] != nil || second["settings"].(map[string]any)["job_clusters"] != nil {
		t.Error("arrays that ran out are absent:", second)
	}
	why := ana.refused("GET", "/api/2.1/jobs/get?job_id="+id.String(), nil, 400, "INVALID_PARAMETER_VALUE")
	if !strings.HasPrefix(why, "Resources with more than 100 tasks can only be handled by API 2.2 and above") {
		t.Error(why)
	}
	tasks := make([]object, 101)
	for i := range tasks {
		tasks[i] = task(fmt.Sprint("t", i))
	}
	ana.refused("POST", "/api/2.1/jobs/create", object{"tasks": tasks}, 400, "INVALID_PARAMETER_VALUE")
	ana.createJob(object{"tasks": tasks})
}

func TestCreateJob(t *testing.T) {
	ana, ben, clock := newCallers(t)
	id := ana.createJob(object{
		"name": "n", "tasks": []object{task("b", "c", "a"), task("a"), task("c")}, "colour": "red",
		"max_retries": 3, "parameters": parameters("x", "1"), "run_as": object{"service_principal_name": ClientID},
	})
	got := ana.job(id)
	settings := got["settings"].(map[string]any)
	if got["creator_user_name"] != "ana@example.com" || got["run_as_user_name"] != ClientID || got["created_time"] != json.Number(fmt.Sprint(clock.Now().UnixMilli())) {
		t.Error(got)
	}
	for field, want := range map[string]any{
		"email_notifications": map[string]any{}, "webhook_notifications": map[string]any{}, "timeout_seconds": json.Number("0"),
		"max_concurrent_runs": json.Number("1"), "format": "MULTI_TASK", "colour": nil, "run_as": nil, "name": "n",
	} {
		if !reflect.DeepEqual(settings[field], want) {
			t.Errorf("%s: %v, want %v", field, settings[field], want)
		}
	}
	b := settings["tasks"].([]any)[0].(map[string]any)
	if b["run_if"] != "ALL_SUCCESS" || !reflect.DeepEqual(names(b["depends_on"], "task_key"), []string{"a", "c"}) {
		t.Error("defaults of a task, and its sorted depends_on:", b)
	}
	if twin := ana.createJob(object{"name": "n"}); twin == id {
		t.Error("names are not unique, but no second job was made")
	}
	if untitled := ana.job(ana.createJob(object{})); untitled["settings"].(map[string]any)["name"] != "Untitled" {
		t.Error(untitled)
	}
	owned := ben.createJob(object{"name": "bens", "access_control_list": []object{{"group_name": "users", "permission_level": "CAN_VIEW"}}})
	if got := ben.job(owned); got["run_as_user_name"] != "ben@example.com" {
		t.Error(got)
	}
	ben.refused("POST", jobsPath+"create", object{"run_as": object{"user_name": "ana@example.com"}}, 403, "PERMISSION_DENIED")
}

func TestCreateJobRefusals(t *testing.T) {
	ana, _, _ := newCallers(t)
	schedule := func(cron, zone string) object {
		return object{"schedule": object{"quartz_cron_expression": cron, "timezone_id": zone}}
	}
	tags := object{}
	for n := range 26 {
		tags[fmt.Sprint(n)] = "x"
	}
	two := with(task("a"), object{"sql_task": object{"warehouse_id": "w"}})
	for name, c := range map[string]struct {
		body object
		why  string
	}{
		"unnamed task":     {object{"tasks": []object{task("")}}, "task_key must be set and unique"},
		"twice a key":      {object{"tasks": []object{task("a"), task("a")}}, `"a" is not`},
		"no kind":          {object{"tasks": []object{{"task_key": "a"}}}, "exactly one of the task type fields"},
		"two kinds":        {object{"tasks": []object{two}}, "exactly one of the task type fields"},
		"unknown upstream": {object{"tasks": []object{task("a", "z")}}, "depends on task 'z', which does not exist"},
		"circle":           {object{"tasks": []object{task("a", "b"), task("b", "a")}}, "in a circle"},
		"bad run_if":       {object{"tasks": []object{with(task("a"), object{"run_if": "SOMETIMES"})}}, "Invalid run_if"},
		"no job cluster":   {object{"tasks": []object{with(task("a"), object{"job_cluster_key": "x"})}}, "not defined in job_clusters"},
		"no environment":   {object{"tasks": []object{with(task("a"), object{"environment_key": "x"})}}, "not defined in environments"},
		"no warehouse":     {object{"tasks": []object{query("a", "", "/q.sql")}}, "sql_task.warehouse_id"},
		"bad cron":         {schedule("0 0 * * *", "UTC"), "Invalid quartz_cron_expression: '0 0 * * *'"},
		"bad zone":         {schedule("0 0 2 * * ?", "Nowhere"), "Invalid timezone_id: Nowhere"},
		"no zone":          {schedule("0 0 2 * * ?", ""), "schedule.timezone_id"},
		"two triggers":     {with(schedule("0 0 2 * * ?", "UTC"), object{"continuous": object{}}), "Only one of schedule, continuous and trigger"},
		"many tags":        {object{"tags": tags}, "at most 25 tags"},
		"many runs":        {object{"max_concurrent_runs": 1001}, "between 0 and 1000"},
		"bad provider":     {object{"git_source": object{"git_url": "u", "git_provider": "svn"}}, "git_source.git_provider must be one of"},
		"twice a name":     {object{"parameters": parameters("a", "1", "a", "2")}, "parameter name"},
		"long name":        {object{"name": strings.Repeat("n", 4097)}, "4096"},
		"two owners": {object{"access_control_list": []object{{"user_name": "a@b.c", "permission_level": "IS_OWNER"}, {"user_name": "d@b.c", "permission_level": "IS_OWNER"}}},
			"The job must have exactly one owner."},
		"bad level": {object{"access_control_list": []object{{"user_name": "a@b.c", "permission_level": "CAN_FLY"}}}, "permission_level"},
	} {
		if why := ana.refused("POST", jobsPath+"create", c.body, 400, "INVALID_PARAMETER_VALUE"); !strings.Contains(why, c.why) {
			t.Errorf("%s: %s", name, why)
		}
	}
	for _, body := range []any{`{"name": 1}`, `{"tasks": [null]}`, `{"tasks": [1]}`, `{"tasks": {}}`, `[]`, `{"name": "a"} x`, object{"tasks": []object{{"task_key": "a", "for_each_task": 1}}}} {
		ana.refused("POST", jobsPath+"create", body, 400, "MALFORMED_REQUEST")
	}
}

func TestUpdateJob(t *testing.T) {
	ana, ben, _ := newCallers(t)
	id := ana.createJob(object{
		"name": "n", "tags": object{"a": "1"}, "tasks": []object{task("a"), with(task("b", "a"), object{"max_retries": 2}), task("c")},
		"parameters": parameters("x", "1", "y", "2"), "schedule": object{"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "UTC"},
		"run_as": object{"service_principal_name": ClientID},
	})
	update := func(settings object, remove ...string) map[string]any {
		ana.call("POST", jobsPath+"update", object{"job_id": id, "new_settings": settings, "fields_to_remove": remove})
		return ana.job(id)["settings"].(map[string]any)
	}
	got := update(object{"tasks": []object{task("b"), task("d", "b")}, "tags": object{"z": "9"}, "parameters": parameters("y", "3")})
	if want := []string{"a", "b", "c", "d"}; !reflect.DeepEqual(keys(got), want) {
		t.Error("tasks merge by key:", keys(got))
	}
	if b := got["tasks"].([]any)[1].(map[string]any); b["max_retries"] != nil || b["depends_on"] != nil {
		t.Error("a task that is given is replaced whole:", b)
	}
	if jsonText(got["tags"]) != `{"z":"9"}` {
		t.Error("objects are replaced whole:", got["tags"])
	}
	if jsonText(got["parameters"]) != `[{"default":"1","name":"x"},{"default":"3","name":"y"}]` {
		t.Error(got["parameters"])
	}
	got = update(nil, "tasks/d", "schedule")
	if got["schedule"] != nil || len(keys(got)) != 3 || got["name"] != "n" {
		t.Error(got)
	}
	for _, remove := range []string{"tasks/nope", "tags/z"} {
		ana.refused("POST", jobsPath+"update", object{"job_id": id, "fields_to_remove": []string{remove}}, 400, "INVALID_PARAMETER_VALUE")
	}
	ana.refused("POST", jobsPath+"update", object{"job_id": id, "fields_to_remove": []string{"tasks/a"}, "new_settings": object{"tasks": []object{task("e", "a")}}}, 400, "INVALID_PARAMETER_VALUE")
	if len(keys(ana.job(id)["settings"])) != 3 {
		t.Error("a refused update left something behind")
	}

	ana.call("POST", jobsPath+"reset", object{"job_id": id, "new_settings": object{"name": "m"}})
	after := ana.job(id)
	if s := after["settings"].(map[string]any); s["name"] != "m" || s["tasks"] != nil || s["tags"] != nil || after["run_as_user_name"] != ClientID {
		t.Error("reset drops everything but run_as:", after)
	}
	ana.refused("POST", jobsPath+"reset", object{"job_id": id}, 400, "INVALID_PARAMETER_VALUE")
	for _, verb := range []string{"update", "reset", "delete"} {
		why := ben.refused("POST", jobsPath+verb, object{"job_id": id, "new_settings": object{}}, 403, "PERMISSION_DENIED")
		if want := fmt.Sprintf("User ben@example.com does not have Admin or Owner permissions on job %s", id); why != want {
			t.Error(why)
		}
	}
	ana.call("POST", jobsPath+"delete", object{"job_id": id})
	if why := ana.refused("POST", jobsPath+"delete", object{"job_id": id}, 400, "INVALID_PARAMETER_VALUE"); why != fmt.Sprintf("Job %s does not exist.", id) {
		t.Error(why)
	}
}

// For people who are not admins a missing job and a hidden one are the same.
func TestJobPermissions(t *testing.T) {
	ana, ben, _ := newCallers(t)
	hidden := ana.createJob(object{"name": "hidden"})
	missing := json.Number("123456789012345")
	for _, id := range []json.Number{hidden, missing} {
		why := ben.refused("GET", jobsPath+"get?job_id="+id.String(), nil, 403, "PERMISSION_DENIED")
		if want := "User ben@example.com does not have View or Admin or Manage Run or Owner permissions on job " + id.String(); why != want {
			t.Error(why)
		}
	}
	if why := ana.refused("GET", jobsPath+"get?job_id="+missing.String(), nil, 400, "INVALID_PARAMETER_VALUE"); why != "Job "+missing.String()+" does not exist." {
		t.Error(why)
	}
	for _, query := range []string{"", "?job_id=x", "?job_id=9223372036854775808", "?job_id=1.5"} {
		ana.refused("GET", jobsPath+"get"+query, nil, 400, "INVALID_PARAMETER_VALUE")
	}
	viewable := ana.get(jobsPath + "list?name=supplier_scorecard")["jobs"].([]any)[0].(map[string]any)["job_id"].(json.Number)
	ben.job(viewable)
	ben.refused("POST", jobsPath+"run-now", object{"job_id": viewable}, 403, "PERMISSION_DENIED")
	runnable := ana.get(jobsPath + "list?name=bi_extract_refresh")["jobs"].([]any)[0].(map[string]any)["job_id"].(json.Number)
	ben.call("POST", jobsPath+"run-now", object{"job_id": runnable})
}
