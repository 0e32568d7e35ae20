package catalog

import (
	"testing"

	"github.com/tidwall/gjson"
)

func TestPageTokens(t *testing.T) {
	for token, want := range map[string]Page{
		"":         {},
		"CAEo+/==": {Token: "CAEo+/=="},
		"~3~":      {Skip: 3},
		"~3~CA~E":  {Token: "CA~E", Skip: 3},
	} {
		page, ok := ParsePage(token)
		if !ok || page != want || page.String() != token {
			t.Errorf("%q is %+v (%t) and then %q", token, page, ok, page.String())
		}
	}
	for _, token := range []string{"~", "~3", "~0~a", "~-3~a", "~x~a", "~~a"} {
		if page, ok := ParsePage(token); ok {
			t.Errorf("%q is accepted as %+v", token, page)
		}
	}
}

func TestTurningPages(t *testing.T) {
	tests := []struct {
		tool, args, answer string
		count              int
		more               bool
		page, query        string
	}{
		{"jobs_list", `{"limit":2}`, `{"next_page_token":"N"}`, 2, true, "N", "limit=2&page_token=N"},
		{"jobs_list", `{"limit":2}`, `{"next_page_token":"N"}`, 0, true, "N", "limit=2&page_token=N"},
		{"jobs_list", `{"page_token":"N"}`, `{"next_page_token":"N"}`, 2, false, "", ""},
		{"jobs_list", `{}`, `{"next_page_token":""}`, 2, false, "", ""},
		{"clusters_list", `{"filter_by":{"cluster_sources":["SQL"]}}`, `{"next_page_token":"+/="}`, 1, true, "+/=", "filter_by.cluster_sources=SQL&page_token=%2B%2F%3D"},
		{"jobs_get", `{"job_id":1}`, `{"next_page_token":"T"}`, 100, true, "T", "job_id=1&page_token=T"},
		{"uc_get_table", `{"full_name":"a.b.c"}`, `{}`, 3, false, "", ""},
		{"service_principals_list", `{"count":2,"excludedAttributes":"x"}`, `{"totalResults":5,"startIndex":1}`, 2, true, "3", "count=2&excludedAttributes=x&startIndex=3"},
		{"service_principals_list", `{"page_token":"3"}`, `{"totalResults":5,"startIndex":3}`, 2, true, "5", "count=100&excludedAttributes=entitlements%2Cgroups%2Croles&startIndex=5"},
		{"service_principals_list", `{"page_token":"5"}`, `{"totalResults":5,"startIndex":5}`, 1, false, "", ""},
		{"service_principals_list", `{"page_token":"5"}`, `{"totalResults":9,"startIndex":5}`, 0, false, "", ""},
		{"workspace_list", `{"path":"/"}`, `{"next_page_token":"odd"}`, 9, false, "", ""},
	}
	for _, tt := range tests {
		row := Find(tt.tool)
		call, err := row.Bind([]byte(tt.args))
		if err != nil {
			t.Fatalf("%s %s: %v", tt.tool, tt.args, err)
		}
		page, more := row.Next(gjson.Parse(tt.answer), call, tt.count)
		if more != tt.more {
			t.Errorf("%s %s after %s: more is %t", tt.tool, tt.args, tt.answer, more)
			continue
		}
		if !more {
			continue
		}
		if page.String() != tt.page {
			t.Errorf("%s %s after %s: token %q, want %q", tt.tool, tt.args, tt.answer, page.String(), tt.page)
		}
		if got := call.At(page).Query; got != tt.query {
			t.Errorf("%s %s: the next query is %s, want %s", tt.tool, tt.args, got, tt.query)
		}
	}
}

// A page in the middle of the API's first page has no token of the API.
func TestTurningBackToTheFirstPage(t *testing.T) {
	call, err := ListJobs.Bind([]byte(`{"page_token":"N"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := call.At(Page{Skip: 4}); got.Query != "" || got.Page.Skip != 4 {
		t.Errorf("query %q, page %+v", got.Query, got.Page)
	}
	if call.Query != "page_token=N" {
		t.Errorf("the call itself moved to %q", call.Query)
	}
}

func TestHasField(t *testing.T) {
	v := gjson.Parse(`{"settings":{"tasks":[{"task_key":"a"},{"cluster":{"id":1}}],"a.b":1},"none":null}`)
	for path, want := range map[string]bool{
		"settings": true, "settings.tasks": true, "settings.tasks.task_key": true, "settings.tasks.cluster.id": true, "none": true,
		"setting": false, "settings.tasks.x": false, "none.x": false, "": false,
	} {
		if got := HasField(v, path); got != want {
			t.Errorf("%q: %t", path, got)
		}
	}
}
