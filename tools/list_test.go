package tools

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

func TestListEnvelope(t *testing.T) {
	for _, c := range []struct{ name, tool, arguments, body, want string }{
		{"empty", "jobs_list", `{}`, `{}`, `{"jobs":[],"returned":0,"truncated":false}`},
		{"null array", "jobs_list", `{}`, `{"jobs":null}`, `{"jobs":[],"returned":0,"truncated":false}`},
		{"ids exact", "jobs_list", `{}`, `{"jobs":[{"job_id":9223372036854775807,"settings":{"name":"n","max_concurrent_runs":1}}]}`,
			`{"jobs":[{"job_id":"9223372036854775807","settings":{"name":"n"}}],"returned":1,"truncated":false}`},
		{"next page", "jobs_list", `{"limit":1}`, `{"jobs":[{"job_id":1}],"next_page_token":"a+b/="}`,
			`{"jobs":[{"job_id":"1"}],"returned":1,"truncated":true,"next_page_token":"a+b/="}`},
		{"fields", "jobs_list", `{"fields":["settings.max_concurrent_runs","nothing"]}`, `{"jobs":[{"job_id":1,"settings":{"name":"n","max_concurrent_runs":4,"x":1}}]}`,
			`{"jobs":[{"job_id":"1","settings":{"name":"n","max_concurrent_runs":4}}],"returned":1,"truncated":false,"absent_fields":["nothing"]}`},
		{"whole list", "secrets_list_scopes", `{}`, `{"scopes":[{"name":"a","backend_type":"DATABRICKS","x":1}]}`,
			`{"scopes":[{"name":"a","backend_type":"DATABRICKS"}],"returned":1,"truncated":false}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := succeed(t, newServer(t, answering(c.body), nil), c.tool, c.arguments); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestListCut: whatever the budget, following next_page_token gives every item
// exactly once and in order.
func TestListCut(t *testing.T) {
	const perPage, pages = 7, 4
	api := &fake{do: func(_ context.Context, call *catalog.Call) (string, error) {
		page := 0
		if token := call.Page.Token; token != "" {
			if _, err := fmt.Sscanf(token, "p%d", &page); err != nil {
				return "", err
			}
		}
		var items []string
		for i := range perPage {
			items = append(items, fmt.Sprintf(`{"job_id":%d,"settings":{"name":"job %s"}}`, page*perPage+i, strings.Repeat("x", (i*37)%90)))
		}
		body := `{"jobs":[` + strings.Join(items, ",") + `]`
		if page < pages-1 {
			body += fmt.Sprintf(`,"next_page_token":"p%d"`, page+1)
		}
		return body + "}", nil
	}}
	for _, tokens := range []int{60, 100, 200, 100000} {
		s := newServer(t, api, func(c *Config) { c.ResultTokens = tokens })
		next, arguments := 0, `{}`
		for rounds := 0; ; rounds++ {
			text := succeed(t, s, "jobs_list", arguments)
			if len(text) > tokens*4+300 {
				t.Fatalf("budget %d: %d bytes", tokens*4, len(text))
			}
			for _, job := range gjson.Get(text, "jobs").Array() {
				if got := job.Get("job_id").Str; got != fmt.Sprint(next) {
					t.Fatalf("budget %d: job %s, want %d", tokens, got, next)
				}
				next++
			}
			token := gjson.Get(text, "next_page_token").Str
			if (token != "") != gjson.Get(text, "truncated").Bool() {
				t.Fatalf("truncated and next_page_token disagree: %s", text)
			}
			if token == "" || rounds > 100 {
				break
			}
			arguments = fmt.Sprintf(`{"page_token":%q}`, token)
		}
		if next != perPage*pages {
			t.Errorf("budget %d: %d items, want %d", tokens, next, perPage*pages)
		}
	}
}

// TestOneLargeItem: an item above the budget comes shortened and not as nothing.
func TestOneLargeItem(t *testing.T) {
	body := `{"jobs":[{"job_id":1,"settings":{"name":"` + strings.Repeat("ü", 50000) + `"}},{"job_id":2,"settings":{"name":"b"}}]}`
	s := newServer(t, answering(body), nil)
	text := succeed(t, s, "jobs_list", `{}`)
	if len(text) > 8000*4+300 || gjson.Get(text, "jobs.0.job_id").Str != "1" || !gjson.Get(text, "shortened").Bool() {
		t.Fatalf("%.300s…", text)
	}
	if gjson.Get(text, "jobs.1.job_id").Str != "2" || gjson.Get(text, "truncated").Bool() {
		t.Errorf("the item behind the large one is missing: %.300s…", text)
	}
}

func TestEmptyPagesAreFollowed(t *testing.T) {
	api := answering(`{"next_page_token":"a"}`, `{"catalogs":[],"next_page_token":"b"}`, `{"catalogs":[{"name":"main"}]}`)
	if got := succeed(t, newServer(t, api, nil), "uc_list_catalogs", `{}`); !strings.Contains(got, `"main"`) {
		t.Errorf("got %s", got)
	}
	calls := api.seen()
	if len(calls) != 3 || !strings.Contains(calls[1], "page_token=a") || !strings.Contains(calls[2], "page_token=b") {
		t.Errorf("calls: %q", calls)
	}
	for _, call := range calls {
		if !strings.Contains(call, "max_results=") {
			t.Errorf("a Unity Catalog list without max_results: %s", call)
		}
	}
}

func TestRepeatedTokenEndsTheList(t *testing.T) {
	api := answering(`{"next_page_token":"a"}`, `{"next_page_token":"a"}`)
	if got := succeed(t, newServer(t, api, nil), "uc_list_catalogs", `{}`); gjson.Get(got, "truncated").Bool() {
		t.Errorf("a token that repeats is no next page: %s", got)
	}
}

func TestSCIMPages(t *testing.T) {
	page := func(start int) string {
		return fmt.Sprintf(`{"totalResults":5,"startIndex":%d,"itemsPerPage":2,"Resources":[{"id":"%d"},{"id":"%d"}]}`, start, start, start+1)
	}
	api := answering(page(1), page(3), `{"totalResults":5,"startIndex":5,"itemsPerPage":1,"Resources":[{"id":"5"}]}`)
	s := newServer(t, api, nil)
	text := succeed(t, s, "service_principals_list", `{"count":2}`)
	for _, want := range []string{"3", "5"} {
		token := gjson.Get(text, "next_page_token").Str
		if token != want {
			t.Fatalf("next_page_token %q, want %q: %s", token, want, text)
		}
		text = succeed(t, s, "service_principals_list", fmt.Sprintf(`{"count":2,"page_token":%q}`, token))
	}
	if gjson.Get(text, "truncated").Bool() {
		t.Errorf("the last page: %s", text)
	}
	if calls := api.seen(); !strings.Contains(calls[1], "startIndex=3") || strings.Contains(calls[1], "page_token") {
		t.Errorf("calls: %q", calls)
	}
}

func TestGather(t *testing.T) {
	tasks := func(from, to int) string {
		var items []string
		for i := from; i < to; i++ {
			items = append(items, fmt.Sprintf(`{"task_key":"t%d","run_job_task":{"job_id":%d}}`, i, 1e15+i))
		}
		return strings.Join(items, ",")
	}
	pages := map[string]string{
		"":   `{"job_id":7,"settings":{"name":"n","tasks":[` + tasks(0, 100) + `],"job_clusters":[{"job_cluster_key":"a"}]},"next_page_token":"p2"}`,
		"p2": `{"job_id":7,"settings":{"tasks":[` + tasks(100, 200) + `],"job_clusters":[{"job_cluster_key":"b"}]},"next_page_token":"p3"}`,
		"p3": `{"job_id":7,"settings":{"tasks":[` + tasks(200, 230) + `]}}`,
	}
	api := &fake{do: func(_ context.Context, call *catalog.Call) (string, error) {
		if strings.Contains(call.Query, "page_token") != (call.Page.Token != "") {
			return "", fmt.Errorf("query %q does not fit the page %v", call.Query, call.Page)
		}
		return pages[call.Page.Token], nil
	}}
	whole := succeed(t, newServer(t, api, nil), "jobs_get", `{"job_id":"7"}`)
	if n := len(gjson.Get(whole, "settings.tasks").Array()); n != 230 || gjson.Get(whole, "truncated").Exists() {
		t.Errorf("%d tasks, want 230 in one object", n)
	}
	if got := gjson.Get(whole, "settings.job_clusters.#.job_cluster_key").Raw; got != `["a","b"]` {
		t.Errorf("job clusters %s", got)
	}
	if got := gjson.Get(whole, "settings.tasks.229.run_job_task.job_id"); got.Raw != `"1000000000000229"` {
		t.Errorf("a deep id is %s", got.Raw)
	}
	small := newServer(t, api, func(c *Config) { c.ResultTokens = 1000 })
	next, arguments := 0, `{"job_id":7}`
	for rounds := 0; rounds < 100; rounds++ {
		text := succeed(t, small, "jobs_get", arguments)
		for _, task := range gjson.Get(text, "settings.tasks").Array() {
			if got := task.Get("task_key").Str; got != fmt.Sprintf("t%d", next) {
				t.Fatalf("task %s, want t%d", got, next)
			}
			next++
		}
		token := gjson.Get(text, "next_page_token").Str
		if token == "" {
			break
		}
		arguments = fmt.Sprintf(`{"job_id":7,"page_token":%q}`, token)
	}
	if next != 230 {
		t.Errorf("%d tasks by pages, want 230", next)
	}
}
