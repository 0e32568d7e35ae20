package sandbox

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const (
	durableApp = appsPath + "agent-bricks-orders/api/invocations"
	runningApp = appsPath + "stock-agent"
	turnID     = "3d0f4a6e-1b52-4c7d-8e90-a1b2c3d4e5f6"
	inSession  = "X-Databricks-Session-Id: s1"
)

func turnOf(id, text string) object { return object{"id": id, "input": text, "background": true} }

func TestAppsAPI(t *testing.T) {
	ana, ben, clock := newCallers(t)
	if got := names(ana.get("/api/2.0/apps")["apps"], "name"); strings.Join(got, " ") != "agent-bricks-orders agent-bricks-trial forecast-agent sales-dashboard stock-agent mcp-stock" {
		t.Fatal(got)
	}
	if got := names(ben.get("/api/2.0/apps?page_size=3")["apps"], "name"); len(got) != 3 {
		t.Fatal(got)
	}
	all, _ := ben.follow("/api/2.0/apps?page_size=2", "apps", "name")
	if len(all) != 4 {
		t.Fatal(all)
	}
	ben.refused("GET", "/api/2.0/apps/stock-agent", nil, 403, "PERMISSION_DENIED")
	ben.refused("GET", "/api/2.0/apps/none", nil, 404, "RESOURCE_DOES_NOT_EXIST")
	for name, want := range map[string]string{"agent-bricks-orders": "ACTIVE RUNNING", "forecast-agent": "ACTIVE CRASHED", "sales-dashboard": "STOPPED UNAVAILABLE"} {
		got := ben.get("/api/2.0/apps/" + name)
		if s := fmt.Sprint(got["compute_status"].(map[string]any)["state"], " ", got["app_status"].(map[string]any)["state"]); s != want {
			t.Errorf("%s is %s, want %s", name, s, want)
		}
		if got["url"] != "http://example.com/sandbox-apps/"+name {
			t.Error(got["url"])
		}
	}
	ben.refused("POST", "/api/2.0/apps/sales-dashboard/start", nil, 403, "PERMISSION_DENIED")
	ana.call("POST", "/api/2.0/apps/sales-dashboard/start", nil)
	ana.refused("POST", "/api/2.0/apps/sales-dashboard/start", nil, 400, "BAD_REQUEST")
	ana.call("POST", "/api/2.0/apps/forecast-agent/stop", nil)
	clock.advance(appChange)
	ana.call("POST", "/api/2.0/apps/forecast-agent/start", nil)
	clock.advance(appChange)
	if got := ana.get("/api/2.0/apps/forecast-agent"); got["app_status"].(map[string]any)["state"] != "RUNNING" {
		t.Fatal("a restart mends a crash:", got)
	}
	if got := ana.get("/api/2.0/apps/sales-dashboard"); got["compute_status"].(map[string]any)["state"] != "ACTIVE" {
		t.Fatal(got)
	}
}

func TestAppsTakeOAuthOnly(t *testing.T) {
	ana, _, _ := newCallers(t)
	app := caller{t, ana.w, OAuthToken}
	for _, token := range []string{Token, "", "unknown"} {
		rec := caller{t, ana.w, token}.send("POST", durableApp, turnOf(turnID, "orders"), inSession)
		if to := rec.Header().Get("Location"); rec.Code != 302 || !strings.HasPrefix(to, "http://example.com/oidc/v1/authorize?") {
			t.Fatal(rec.Code, to)
		}
	}
	if rec := app.send("GET", appsPath+"forecast-agent/health", nil); rec.Code != 503 || !strings.Contains(rec.Body.String(), "App Not Available") {
		t.Fatal(rec.Code, rec.Body)
	}
	if rec := app.send("GET", appsPath+"agent-bricks-orders/responses/x", nil); rec.Code != 404 || !strings.Contains(rec.Body.String(), `"detail":"Not Found"`) {
		t.Fatal(rec.Code, rec.Body)
	}
}

// In this process an app has a host of its own, over a listener it is a path.
func TestAppsByHostAndByPath(t *testing.T) {
	ana, _, _ := newCallers(t)
	server := httptest.NewServer(ana.w)
	defer server.Close()
	for base, client := range map[string]*http.Client{
		"https://workspace.invalid": {Transport: ana.w.RoundTripper()},
		server.URL:                  server.Client(),
	} {
		get := func(url string) (int, string) {
			req, err := http.NewRequest("GET", url, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+OAuthToken)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode, string(body)
		}
		_, shown := get(base + "/api/2.0/apps/stock-agent")
		_, rest, _ := strings.Cut(shown, `"url":"`)
		url, _, _ := strings.Cut(rest, `"`)
		if base == server.URL != strings.HasPrefix(url, server.URL+appsPath) {
			t.Error(base, "gives", url)
		}
		if status, body := get(url + "/health"); status != 200 || !strings.Contains(body, "healthy") {
			t.Error(url, status, body)
		}
	}
}

func TestDurableAgent(t *testing.T) {
	ana, _, clock := newCallers(t)
	app := caller{t, ana.w, OAuthToken}
	rec := app.send("POST", durableApp, but(turnOf(turnID, "How many orders last week?"), object{"stream": true}), inSession)
	if rec.Code != 202 || strings.TrimSpace(rec.Body.String()) != `{"events_url":"/api/invocations/`+turnID+`/events","id":"`+turnID+`","status":"queued","status_url":"/api/invocations/`+turnID+`"}` {
		t.Fatal(rec.Code, rec.Body)
	}
	second := strings.Replace(turnID, "3d", "4d", 1)
	app.call("POST", durableApp, turnOf(second, "orders"), inSession) // waits for the first turn
	for _, want := range []string{"queued queued", "active queued", "active queued", "active queued", "completed active", "completed active", "completed active", "completed completed"} {
		if got := fmt.Sprint(app.get(durableApp + "/" + turnID)["status"], " ", app.get(durableApp + "/" + second)["status"]); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
		clock.advance(time.Second)
	}
	done := app.get(durableApp + "/" + turnID)
	if output := done["output"].([]any); len(output) != 3 || !strings.Contains(said(output[2].(object)), "**96**") {
		t.Fatal(done)
	}
	// The same again is the same invocation, in any mode; otherwise a conflict.
	if got := app.call("POST", durableApp, object{"id": turnID, "input": "How many orders last week?"}, inSession); got["status"] != "completed" || got["output"] == nil {
		t.Fatal(got)
	}
	for _, c := range []struct {
		body    object
		headers []string
		status  int
	}{
		{turnOf(turnID, "other"), []string{inSession}, 409},
		{turnOf(turnID, "How many orders last week?"), []string{"X-Databricks-Session-Id: s2"}, 409},
		{turnOf("x", "orders"), []string{inSession}, 422},
		{turnOf(second, "orders"), nil, 422},
		{turnOf(second, "orders"), []string{"X-Databricks-Session-Id: a,b"}, 422},
		{but(turnOf(second, "orders"), object{"session_id": "s1"}), []string{inSession}, 422},
		{but(turnOf(second, "orders"), object{"stream": "yes"}), []string{inSession}, 422},
		{object{"id": strings.Replace(turnID, "3d", "5d", 1), "input": "sandbox-fail"}, []string{inSession}, 500},
		{object{"id": strings.Replace(turnID, "3d", "6d", 1), "input": "sandbox-user-auth"}, []string{inSession}, 401},
	} {
		if rec := app.send("POST", durableApp, c.body, c.headers...); rec.Code != c.status {
			t.Errorf("%v: %d %s, want %d", c.body, rec.Code, rec.Body, c.status)
		}
	}
	if rec := app.send("GET", durableApp+"/"+strings.Replace(turnID, "3d", "7d", 1), nil); rec.Code != 404 {
		t.Fatal(rec.Code)
	}
}

func TestDurableEvents(t *testing.T) {
	ana, _, clock := newCallers(t)
	app := caller{t, ana.w, OAuthToken}
	app.send("POST", durableApp, turnOf(turnID, "orders sandbox-lookalike"), inSession)
	clock.advance(time.Minute)
	whole := app.send("GET", durableApp+"/"+turnID+"/events", nil)
	var kinds []string
	for _, line := range strings.Split(whole.Body.String(), "\n") {
		if kind, ok := strings.CutPrefix(line, "event: "); ok {
			kinds = append(kinds, kind)
		}
	}
	if got := strings.Join(kinds, " "); got != "run.started response.output_item.done run.completed response.output_item.done response.output_item.done run.completed" {
		t.Fatal(got)
	}
	rest := app.send("GET", durableApp+"/"+turnID+"/events?after=5", nil).Body.String()
	if !strings.HasPrefix(rest, "id: 6\nevent: run.completed\ndata: {") || strings.Count(rest, "id: ") != 1 {
		t.Fatal(rest)
	}
}

func TestPreviewAgent(t *testing.T) {
	ana, _, clock := newCallers(t)
	app := caller{t, ana.w, OAuthToken}
	const at = appsPath + "agent-bricks-trial/api/invocations"
	if rec := app.send("POST", at, turnOf(turnID, "orders"), inSession); rec.Code != 422 {
		t.Fatal(rec.Code, rec.Body)
	}
	begun := app.call("POST", at, object{"input": "orders", "background": true})
	id, _ := begun["run_id"].(string)
	if !strings.HasPrefix(id, "inv_") || begun["status"] != "in_progress" {
		t.Fatal(begun)
	}
	clock.advance(time.Minute)
	if got := app.get(at + "/" + id); got["status"] != "completed" {
		t.Fatal(got)
	}
	if got := app.send("GET", at+"/"+id+"/events", nil).Body.String(); !strings.HasSuffix(got, "data: [DONE]\n\n") {
		t.Fatal(got)
	}
}

func TestLongRunningAgent(t *testing.T) {
	ana, _, clock := newCallers(t)
	app := caller{t, ana.w, OAuthToken}
	start := func(text string) string {
		begun := app.call("POST", runningApp+"/responses", object{"input": []any{object{"role": "user", "content": text}}, "background": true})
		if begun["status"] != "in_progress" || len(begun["id"].(string)) != len("resp_")+24 {
			t.Fatal(begun)
		}
		return runningApp + "/responses/" + begun["id"].(string)
	}
	at, failing, stuck := start("returns by reason sandbox-retried"), start("sandbox-fail"), start("sandbox-stuck")
	if got := app.get(at); got["status"] != "in_progress" || fmt.Sprint(got["attempt_number"]) != "1" {
		t.Fatal(got)
	}
	clock.advance(5 * time.Second)
	got := app.get(at)
	if output := got["output"].([]any); got["status"] != "completed" || fmt.Sprint(got["attempt_number"]) != "2" || !strings.HasPrefix(said(output[2].(object)), "Returned lines by reason") {
		t.Fatal(got)
	}
	if got := app.get(failing); got["error"].(map[string]any)["code"] != "task_failed" {
		t.Fatal(got)
	}
	stream := app.send("GET", at+"?stream=true&starting_after=1", nil).Body.String()
	if !strings.HasPrefix(stream, "event: response.resumed\n") || strings.Count(stream, "event: ") != 3 || !strings.HasSuffix(stream, "data: [DONE]\n\n") {
		t.Fatal(stream)
	}
	for path, status := range map[string]int{at + "?starting_after=1": 400, runningApp + "/responses/resp_none": 404} {
		if rec := app.send("GET", path, nil); rec.Code != status {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
	if rec := app.send("POST", at+"/cancel", nil); rec.Code != 501 {
		t.Fatal(rec.Code)
	}
	if rec := app.send("POST", runningApp+"/responses", object{"input": "sandbox-no-database", "background": true}); rec.Code != 501 {
		t.Fatal(rec.Code)
	}
	clock.advance(time.Hour)
	if got := app.get(stuck); got["error"].(map[string]any)["code"] != "task_timeout" {
		t.Fatal(got)
	}
	now := app.call("POST", runningApp+"/invocations", object{"input": "stock by category"})
	if now["status"] != "completed" || !strings.HasPrefix(said(now["output"].([]any)[2].(object)), "Pieces in stock by category") {
		t.Fatal(now)
	}
}

func TestWhatAnAgentIsAsked(t *testing.T) {
	for input, want := range map[string]string{
		`"a"`: "a",
		`[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]`: "a",
		`[{"role":"user","content":[{"type":"input_text","text":"a"}]}]`:     "a",
		`{"query":"a"}`: "a",
		`{"input":[{"role":"user","content":"a"}]}`: "a",
		`{"other":1}`: "",
		`7`:           "",
	} {
		if got := spoken([]byte(input)); got != want {
			t.Errorf("%s: %q, want %q", input, got, want)
		}
	}
}
