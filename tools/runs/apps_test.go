package runs

import (
	"context"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

const (
	appUp      = `{"name":"orders","url":"https://orders-1.example","app_status":{"state":"RUNNING"},"compute_status":{"state":"ACTIVE"}}`
	getTheApp  = "GET /api/2.0/apps/orders"
	invokeApp  = "POST /api/invocations"
	respondApp = "POST /responses"
)

var noSuchRoute = refuses(catalog.Missing, 404, "SCIM_404")

// appsOf are Apps whose one app, orders, answers from a script; the runs ask for the
// invocation by the id of the first request.
func appsOf(t *testing.T, answers map[string][]scripted) (*Runner, *script, *Apps) {
	app := newScript(t, answers)
	workspace := newScript(t, map[string][]scripted{getTheApp: {says(appUp)}})
	apps := &Apps{API: workspace, Open: func(_ context.Context, url string) (catalog.Caller, error) {
		if url != "https://orders-1.example" {
			t.Errorf("opened %s", url)
		}
		return app, nil
	}}
	return runnerOf(apps), app, apps
}

// invocationPath is where the invocation of the first request is.
func (s *script) invocationPath() string {
	return "GET /api/invocations/" + gjson.GetBytes(s.sent(invokeApp)[0].Body, "id").Str
}

func (s *script) then(key string, answers ...scripted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[key] = answers
}

func TestDurableApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runner, app, _ := appsOf(t, map[string][]scripted{invokeApp: {says(`{"id":"","status":"queued","status_url":"/api/invocations/x"}`)}})
		run := start(t, runner, "apps/orders", asking("how many?"))
		wantRun(t, run, Queued, "")
		sent := app.sent(invokeApp)[0]
		body := gjson.ParseBytes(sent.Body)
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(body.Get("id").Str) {
			t.Errorf("the key is no UUID: %s", sent.Body)
		}
		if body.Get("input.0.content").Str != "how many?" || !body.Get("background").Bool() || len(body.Map()) != 3 {
			t.Errorf("sent: %s", sent.Body)
		}
		if got := sent.Header["X-Databricks-Session-Id"]; !slices.Equal(got, []string{run.ID}) || run.Conversation != run.ID {
			t.Errorf("session %v, conversation %q, run %s", got, run.Conversation, run.ID)
		}
		if !sent.Keyed {
			t.Error("the request does not count as one that may be repeated")
		}

		path := app.invocationPath()
		app.then(path, says(`{"id":"x","status":"active"}`))
		app.then(path+"/events",
			says("id: 1\nevent: run.started\ndata: {\"type\":\"run.started\"}\n\n"+
				"id: 2\ndata: {\"type\":\"response.output_item.done\",\"item\":{\"type\":\"function_call\",\"id\":\"f\",\"call_id\":\"c\",\"name\":\"sql\"}}\n\n"+
				"id: 3\nevent: run.completed\ndata: {\"type\":\"run.completed\"}\n\n"),
			says("id: 3\ndata: {\"type\":\"response.output_item.done\",\"item\":{\"type\":\"message\",\"text\":\"twice\"}}\n\n"))
		run = look(t, runner, run)
		wantRun(t, run, InProgress, "", "function_call") // the look-alike ended nothing
		time.Sleep(3 * time.Second)
		run = look(t, runner, run)
		wantRun(t, run, InProgress, "", "function_call")
		if q := app.sent(path + "/events")[1].Query; q != "after=3" {
			t.Errorf("resumed with %q", q)
		}

		app.then(path, says(`{"id":"x","status":"completed","output":{"output":[{"type":"function_call","call_id":"c"},{"type":"function_call_output","call_id":"c","output":"42"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"It is 42."}]}],"usage":{"total_tokens":9}}}`))
		run = look(t, runner, run)
		wantRun(t, run, Completed, "It is 42.", "function_call", "function_call_output", "message")
		if gjson.GetBytes(run.Usage, "total_tokens").Int() != 9 || run.LastResponse().Status != "completed" {
			t.Errorf("usage %s, response %+v", run.Usage, run.LastResponse())
		}
	})
}

// An event stream that stays open does not keep a look.
func TestDurableEventsThatStayOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runner, app, _ := appsOf(t, map[string][]scripted{invokeApp: {says(`{"id":"","status":"active"}`)}})
		run := start(t, runner, "apps/orders", asking("x"))
		path := app.invocationPath()
		out, in := io.Pipe()
		go func() {
			_, _ = io.WriteString(in, "id: 1\ndata: {\"type\":\"response.output_item.done\",\"item\":{\"type\":\"reasoning\"}}\n\n")
		}()
		app.then(path, says(`{"status":"active"}`))
		app.then(path+"/events", opened(out))
		began := time.Now()
		run = look(t, runner, run)
		wantRun(t, run, InProgress, "", "reasoning")
		if took := time.Since(began); took > time.Second {
			t.Errorf("the look took %s", took)
		}
		// A server without events is not asked again.
		app.then(path+"/events", refuses(catalog.Missing, 404, ""))
		time.Sleep(5 * time.Second)
		run = look(t, runner, run)
		time.Sleep(5 * time.Second)
		look(t, runner, run)
		if n := len(app.sent(path + "/events")); n != 2 {
			t.Errorf("events were asked for %d times", n)
		}
	})
}

func TestDurableEnds(t *testing.T) {
	for name, c := range map[string]struct {
		answer scripted
		status Status
		text   string
		code   string
		says   string
	}{
		"text":              {says(`{"status":"completed","output":"done"}`), Completed, "done", "", ""},
		"any JSON":          {says(`{"status":"completed","output":{"a":[1]}}`), Completed, `{"a":[1]}`, "", ""},
		"no output":         {says(`{"status":"completed","output":null}`), Completed, "", "", ""},
		"messages":          {says(`{"status":"completed","output":[{"role":"assistant","content":"hi"}]}`), Completed, "hi", "", ""},
		"failed, text":      {says(`{"status":"failed","error":"boom"}`), Failed, "", "", "boom"},
		"failed, object":    {says(`{"status":"failed","error":{"code":"MCP_USER_AUTH_REQUIRED","message":"consent"}}`), Failed, "", "MCP_USER_AUTH_REQUIRED", "consent"},
		"failed, no reason": {says(`{"status":"failed"}`), Failed, "", "", "without saying why"},
		"unknown status":    {says(`{"status":"pondering"}`), InProgress, "", "", ""},
		"preview's word":    {says(`{"run_id":"x","status":"in_progress"}`), InProgress, "", "", ""},
		"forgotten":         {refuses(catalog.Missing, 404, "SCIM_404"), Expired, "", "not_found", "does not know"},
	} {
		t.Run(name, func(t *testing.T) {
			runner, app, _ := appsOf(t, map[string][]scripted{invokeApp: {says(`{"status":"queued"}`)}})
			run := start(t, runner, "apps/orders", asking("x"))
			app.then(app.invocationPath(), c.answer)
			run = look(t, runner, run)
			if run.Status != c.status || run.OutputText() != c.text {
				t.Errorf("%s %q, want %s %q", run.Status, run.OutputText(), c.status, c.text)
			}
			if f := run.Error; (f != nil) != (c.says != "") || f != nil && (f.Code != c.code || !strings.Contains(f.Message, c.says)) {
				t.Errorf("error %+v", f)
			}
		})
	}
}

// A look that fails ends nothing.
func TestAppLookFails(t *testing.T) {
	runner, app, apps := appsOf(t, map[string][]scripted{invokeApp: {says(`{"status":"active"}`)}})
	run := start(t, runner, "apps/orders", asking("x"))
	app.then(app.invocationPath(), refuses(catalog.Down, 503, ""))
	seen, failed, err := runner.Look(t.Context(), ana, run.ID)
	if err != nil || seen.Status != InProgress {
		t.Errorf("%v, %v", seen, err)
	}
	wantError(t, failed, catalog.Down, "app orders")
	// A page of the platform is no word of the app.
	app.then(app.invocationPath(), func(context.Context, *catalog.Call) (*catalog.Answer, error) {
		return nil, &catalog.Error{Kind: catalog.Missing, Status: 404, MissingRoute: true, Message: "a web page", Advice: "x"}
	})
	if seen, failed, _ := runner.Look(t.Context(), ana, run.ID); failed == nil || seen.Status != InProgress {
		t.Errorf("%v, %v", seen, failed)
	}
	// An app that was stopped meanwhile says how it can be started.
	apps.API.(*script).then(getTheApp, says(`{"name":"orders","url":"u","compute_status":{"state":"STOPPED"}}`))
	_, failed, _ = runner.Look(t.Context(), ana, run.ID)
	wantError(t, failed, catalog.Conflict, "does not run", "databricks apps start orders")
}

func TestAppStartRefused(t *testing.T) {
	for name, c := range map[string]struct {
		app     string // of the Apps API
		answers map[string][]scripted
		request func(*Request)
		kind    catalog.Kind
		says    []string
	}{
		"stopped":            {app: `{"url":"u","compute_status":{"state":"STOPPED","message":"by ben"}}`, kind: catalog.Conflict, says: []string{"STOPPED", "by ben", "databricks apps start orders"}},
		"starting":           {app: `{"url":"u","compute_status":{"state":"STARTING"}}`, kind: catalog.Busy, says: []string{"coming up"}},
		"crashed":            {app: `{"url":"u","app_status":{"state":"CRASHED"},"compute_status":{"state":"ACTIVE"}}`, kind: catalog.Conflict, says: []string{"crashed", "/logz"}},
		"unavailable":        {app: `{"url":"u","app_status":{"state":"UNAVAILABLE"}}`, kind: catalog.Conflict, says: []string{"not available"}},
		"deploying":          {app: `{"url":"u","app_status":{"state":"DEPLOYING"}}`, kind: catalog.Busy, says: []string{"deployed"}},
		"never deployed":     {app: `{"name":"orders"}`, kind: catalog.Conflict, says: []string{"no URL"}},
		"no agent server":    {app: appUp, kind: catalog.Missing, says: []string{"neither at /api/invocations nor at /responses"}},
		"login page":         {app: appUp, answers: map[string][]scripted{invokeApp: {refuses(catalog.Down, 302, "")}}, kind: catalog.SignIn, says: []string{"login page", "OAuth"}},
		"no user token":      {app: appUp, answers: map[string][]scripted{invokeApp: {refuses(catalog.SignIn, 401, "MCP_USER_AUTH_REQUIRED")}}, kind: catalog.SignIn, says: []string{"user authorization"}},
		"no grant":           {app: appUp, answers: map[string][]scripted{invokeApp: {refuses(catalog.Forbidden, 403, "MCP_PERMISSION_DENIED")}}, kind: catalog.Forbidden, says: []string{"grant"}},
		"no recovery":        {app: appUp, answers: map[string][]scripted{invokeApp: {refuses(catalog.UnknownFate, 500, "MCP_USER_AUTH_RECOVERY_UNSUPPORTED")}}, kind: catalog.Conflict, says: []string{"Start a new run"}},
		"another input":      {app: appUp, answers: map[string][]scripted{invokeApp: {refuses(catalog.Conflict, 409, "SCIM_409")}}, kind: catalog.Conflict},
		"no database":        {app: appUp, answers: map[string][]scripted{invokeApp: {noSuchRoute}, respondApp: {refuses(catalog.Missing, 501, "SCIM_501")}}, kind: catalog.Conflict, says: []string{"database"}},
		"not valid anywhere": {app: appUp, answers: map[string][]scripted{invokeApp: {refuses(catalog.Invalid, 422, "")}}, kind: catalog.Invalid},
		"model":              {app: appUp, request: func(r *Request) { r.Model, r.Instructions = "m", "i" }, kind: catalog.Invalid, says: []string{"instructions, model", "Nothing was sent"}},
		"session":            {app: appUp, request: func(r *Request) { r.ConversationID = "a,b" }, kind: catalog.Invalid, says: []string{"conversation_id"}},
	} {
		t.Run(name, func(t *testing.T) {
			runner, _, apps := appsOf(t, c.answers)
			apps.API.(*script).then(getTheApp, says(c.app))
			apps.API.(*script).t = t
			if c.answers == nil {
				apps.Open = func(context.Context, string) (catalog.Caller, error) { return newScript(t, nil), nil }
			}
			request := asking("x")
			if c.request != nil {
				c.request(&request)
			}
			_, err := runner.Start(t.Context(), ana, "apps/orders", request)
			wantError(t, err, c.kind, c.says...)
			if listed, err := runner.Registry.List(ana, "", func(*Run) (bool, bool) { return true, false }); err != nil || len(listed.Runs) != 0 {
				t.Errorf("a refused start left %d runs behind: %v", len(listed.Runs), err)
			}
		})
	}
	t.Run("cannot be opened", func(t *testing.T) {
		runner, _, apps := appsOf(t, nil)
		apps.Open = func(context.Context, string) (catalog.Caller, error) {
			return nil, &catalog.Error{Kind: catalog.SignIn, Message: "a personal access token", Advice: "Sign in."}
		}
		_, err := runner.Start(t.Context(), ana, "apps/orders", asking("x"))
		wantError(t, err, catalog.SignIn, "app orders: a personal access token")
		apps.Open = nil
		_, err = runner.Start(t.Context(), ana, "apps/orders", asking("x"))
		wantError(t, err, catalog.Denied)
	})
}

// A start whose answer was lost is asked for by its key.
func TestDurableStartLost(t *testing.T) {
	runner, app, _ := appsOf(t, nil)
	app.answers = map[string][]scripted{invokeApp: {func(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
		app.then("GET /api/invocations/"+gjson.GetBytes(call.Body, "id").Str, says(`{"status":"active"}`))
		return refuses(catalog.UnknownFate, 0, "")(ctx, call)
	}}}
	run := start(t, runner, "apps/orders", asking("x"))
	wantRun(t, run, InProgress, "")

	app.then(invokeApp, refuses(catalog.UnknownFate, 500, "SCIM_500"))
	run, err := runner.Start(t.Context(), ana, "apps/orders", asking("x"))
	wantError(t, err, catalog.UnknownFate)
	if run == nil || run.Status != Unknown {
		t.Errorf("%+v", run)
	}
}

// After a crash a durable start is sent again, and no other.
func TestAppsRecover(t *testing.T) {
	runner, app, apps := appsOf(t, map[string][]scripted{invokeApp: {says(`{"status":"active"}`)}, respondApp: {says(`{"id":"resp_1","status":"in_progress"}`)}})
	run := start(t, runner, "apps/orders", asking("x"))
	first := string(app.sent(invokeApp)[0].Body)
	run.Responses = nil
	if err := apps.Recover(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if second := string(app.sent(invokeApp)[1].Body); second != first || app.sent(invokeApp)[1].Header.Get(sessionHeader) != run.ID {
		t.Errorf("sent again: %s, first %s", second, first)
	}
	untouched := &Run{ID: run.ID, Agent: "apps/orders", Request: asking("x")}
	if err := apps.Recover(t.Context(), untouched); err != nil || untouched.Status != InProgress {
		t.Errorf("%v, %s", err, untouched.Status)
	}
	long := &Run{ID: run.ID, Agent: "apps/orders", Request: asking("x"), State: []byte(`{"server":"long_running"}`)}
	wantError(t, apps.Recover(t.Context(), long), catalog.UnknownFate)
	if n := len(app.sent(respondApp)); n != 0 {
		t.Errorf("a start without a key was repeated %d times", n)
	}
}

func TestPreviewApp(t *testing.T) {
	runner, app, _ := appsOf(t, map[string][]scripted{
		invokeApp:                    {refuses(catalog.Invalid, 422, ""), says(`{"run_id":"inv_7","status":"in_progress"}`)},
		"GET /api/invocations/inv_7": {says(`{"run_id":"inv_7","status":"completed","output":"done"}`)},
	})
	run := start(t, runner, "apps/orders", asking("x"))
	wantRun(t, run, InProgress, "")
	sent := gjson.ParseBytes(app.sent(invokeApp)[1].Body)
	if sent.Get("id").Exists() || sent.Get("run_id").Str == "" || app.sent(invokeApp)[1].Row.Token != "" {
		t.Errorf("sent: %s", sent.Raw)
	}
	wantRun(t, look(t, runner, run), Completed, "done", "message")
}

func TestLongRunningApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request := asking("x")
		request.ReturnTrace, request.ConversationID = true, "c1"
		runner, app, _ := appsOf(t, map[string][]scripted{
			invokeApp:                       {noSuchRoute},
			respondApp:                      {says(`{"id":"resp_1","object":"response","status":"in_progress","output":[],"error":null}`)},
			"GET /responses/resp_1":         {says(`{"id":"resp_1","status":"in_progress","attempt_number":1,"output":[{"type":"function_call","id":"f","call_id":"c","status":"completed"},{"type":"message","id":"m","role":"assistant","status":"in_progress"}]}`)},
			"POST /responses/resp_1/cancel": {refuses(catalog.Missing, 501, "")},
		})
		run := start(t, runner, "apps/orders", request)
		sent := app.sent(respondApp)[0]
		if body := gjson.ParseBytes(sent.Body); body.Get("context.conversation_id").Str != "c1" || body.Get("input.0.content").Str != "x" || !body.Get("background").Bool() {
			t.Errorf("sent: %s", sent.Body)
		}
		if sent.Header.Get("X-Mlflow-Return-Trace-Id") != "true" || sent.Keyed {
			t.Errorf("header %v, keyed %t", sent.Header, sent.Keyed)
		}
		run = look(t, runner, run)
		wantRun(t, run, InProgress, "", "function_call")
		app.then("GET /responses/resp_1", says(`{"id":"resp_1","status":"completed","metadata":{"trace_id":"tr-1"},"output":[{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"done"}]}]}`))
		run = look(t, runner, run)
		wantRun(t, run, Completed, "done", "message")
		if string(run.Trace) != `"tr-1"` {
			t.Errorf("trace %s", run.Trace)
		}

		// A second one fails in its second attempt.
		run = start(t, runner, "apps/orders", asking("x"))
		app.then("GET /responses/resp_1", says(`{"id":"resp_1","status":"failed","attempt_number":2,"error":{"message":"too slow","type":"t","code":"task_timeout"}}`))
		run = look(t, runner, run)
		if run.Status != Failed || run.Error.Code != "task_timeout" || run.Error.Message != "too slow (attempt 2)" {
			t.Errorf("%s %+v", run.Status, run.Error)
		}
		// A third one is cancelled, which the server does not do.
		run = start(t, runner, "apps/orders", asking("x"))
		app.then("GET /responses/resp_1", says(`{"id":"resp_1","status":"in_progress"}`))
		cancelled, err := runner.Cancel(t.Context(), ana, run.ID)
		if err != nil || cancelled.Status != Abandoned {
			t.Errorf("%v %v", cancelled.Status, err)
		}
		// A fourth never ends.
		run = start(t, runner, "apps/orders", asking("x"))
		app.then("GET /responses/resp_1", says(`{"id":"resp_1","status":"in_progress"}`))
		time.Sleep(longRunningLimit + time.Minute)
		run = look(t, runner, run)
		if run.Status != Failed || run.Error.Code != "timed_out" {
			t.Errorf("%s %+v", run.Status, run.Error)
		}
		// A fifth is forgotten by the server, and a sixth was answered at once.
		run = start(t, runner, "apps/orders", asking("x"))
		app.then("GET /responses/resp_1", refuses(catalog.Missing, 404, "SCIM_404"))
		if run = look(t, runner, run); run.Status != Expired {
			t.Errorf("%s", run.Status)
		}
		app.then(respondApp, says(`{"object":"response","output":[{"type":"message","id":"m","role":"assistant","content":"at once"}]}`))
		wantRun(t, start(t, runner, "apps/orders", asking("x")), Completed, "at once", "message")
		app.then(respondApp, says(`{}`))
		_, err = runner.Start(t.Context(), ana, "apps/orders", asking("x"))
		wantError(t, err, catalog.UnknownFate)
	})
}

func TestAppsAskForNoApproval(t *testing.T) {
	for _, backend := range []Backend{&Apps{}, &Endpoints{}, &Genie{}} {
		if err := backend.Continue(t.Context(), &Run{}, nil); !errors.Is(err, ErrNoApprovals) {
			t.Errorf("%T: %v", backend, err)
		}
	}
}

func TestValidSession(t *testing.T) {
	for session, want := range map[string]bool{
		"": false, "a": true, "a b": true, " a": false, "a ": false, "a,b": false, "a\nb": false, "é": false, "\x7f": false,
		strings.Repeat("a", 200): true, strings.Repeat("a", 201): false,
	} {
		if validSession(session) != want {
			t.Errorf("%q: want %t", session, want)
		}
	}
}
