package runs

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// The whole life: queued, partial items, a failed look, and the end.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answers: map[string][]answer{
			posts: {response("resp_1", "queued")},
			gets: {
				response("resp_1", "in_progress", callItem, outputItem, `{"type":"message","id":null,"role":"assistant","status":"in_progress","content":[]}`),
				response("resp_1", "in_progress", callItem), // never less
				failing(catalog.Limited, 429, "", "slow down"),
				failing(catalog.Down, 503, "", "not now"),
				{body: `<html>`},
				{body: `{"id":"resp_1","status":"completed","output":[` + callItem + `,` + outputItem + `,` + textItem1 + `],"error":null,"usage":{"input_tokens":9007199254740993},"databricks_output":{"trace":{"id":"tr-1"}}}`},
			},
		}}
		r := supervised(t.TempDir(), g)
		run := mustStart(t, r, task())
		checkRun(t, run, Queued, 0, "")
		began := time.Now()
		var seen []int
		run, looked, err := r.Wait(t.Context(), gatewayUser, run.ID, func(run *Run) { seen = append(seen, len(run.Items)) })
		if err != nil || looked != nil {
			t.Fatal(looked, err)
		}
		checkRun(t, run, Completed, 3, "It is 42.")
		if string(run.Usage) != `{"input_tokens":9007199254740993}` || string(run.Trace) != `{"id":"tr-1"}` || run.Ended == nil {
			t.Errorf("usage %s, trace %s, ended %v", run.Usage, run.Trace, run.Ended)
		}
		if !slices.Equal(seen, []int{2, 2, 2, 2, 2}) {
			t.Errorf("items seen on the way: %v", seen)
		}
		if took := time.Since(began); took != 8*time.Second { // looks at 0, 1, 2, 4, 6, 8
			t.Errorf("took %s", took)
		}
		again := mustLook(t, r, run.ID)
		checkRun(t, again, Completed, 3, "It is 42.")
		if n := len(g.paths(&catalog.GetResponse.Row)); n != 6 {
			t.Errorf("%d looks: one that ended is looked at no more", n)
		}
		body := g.sent(&catalog.CreateResponse.Row)[0]
		if want := `{"model":"m-1","input":[{"type":"message","role":"user","content":"How many?"}],"instructions":"be brief","tools":[{"type":"genie_space","genie_space":{"id":"s1","description":"orders"}},{"type":"uc_connection","uc_connection":{"name":"web"}}],"background":true}`; body.Raw != want {
			t.Errorf("sent %s\nwant %s", body.Raw, want)
		}
	})
}

// How a response ends, or does not.
func TestEnds(t *testing.T) {
	for name, c := range map[string]struct {
		create answer
		look   []answer
		after  time.Duration
		status Status
		says   string // in the failure
		items  int
	}{
		"already ended":     {create: response("r", "completed", textItem1), status: Completed, items: 1},
		"failed":            {look: []answer{{body: `{"id":"r","status":"failed","error":{"code":"server_error","message":"it broke"},"output":[]}`}}, status: Failed, says: "it broke"},
		"failed, no reason": {look: []answer{{body: `{"id":"r","status":"failed","output":[]}`}}, status: Failed, says: "no reason"},
		"lying completed":   {look: []answer{{body: `{"id":"r","status":"completed","error":{"error_code":"X","message":"it broke"},"output":[` + textItem1 + `]}`}}, status: Failed, says: "it broke", items: 1},
		"incomplete":        {look: []answer{{body: `{"id":"r","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[` + textItem1 + `]}`}}, status: Incomplete, says: "max_output_tokens", items: 1},
		"cancelled":         {look: []answer{response("r", "cancelled")}, status: Cancelled},
		"canceled":          {look: []answer{response("r", "canceled")}, status: Cancelled},
		"unknown word":      {look: []answer{response("r", "thinking", callItem)}, status: InProgress, items: 1},
		"unknown for good":  {look: []answer{response("r", "thinking")}, after: 33 * time.Minute, status: Failed, says: "service limit"},
		"late but ended":    {look: []answer{response("r", "completed", textItem1)}, after: 33 * time.Minute, status: Completed, items: 1},
		"not found":         {look: []answer{failing(catalog.Missing, 404, "", "no such response")}, after: time.Hour, status: Expired, says: "30 days"},
		"not found yet":     {look: []answer{failing(catalog.Missing, 404, "", "no such response")}, after: time.Second, status: Queued},
		"gateway down long": {look: []answer{failing(catalog.Down, 503, "", "no")}, after: time.Hour, status: Queued},
		"feature gone":      {look: []answer{{err: &catalog.Error{Kind: catalog.Missing, Status: 404, Code: "FEATURE_DISABLED", MissingRoute: true, Message: "off"}}}, status: Expired, says: "not know"},
		"switched off":      {look: []answer{failing(catalog.Down, 501, "", "no more")}, after: 33 * time.Minute, status: Expired, says: "switched off"},
		"off for a moment":  {look: []answer{failing(catalog.Down, 501, "", "no more")}, after: time.Minute, status: Queued},
		"no usage details":  {look: []answer{{body: `{"id":"r","status":"completed","output":[` + textItem1 + `],"usage":{"input_tokens":1}}`}}, status: Completed, items: 1},
		"refusal":           {look: []answer{response("r", "completed", `{"type":"message","id":"m","role":"assistant","content":[{"type":"refusal","refusal":"no"}]}`)}, status: Completed, items: 1},
		"asks":              {look: []answer{response("r", "completed", callItem, outputItem, request1)}, status: ApprovalRequired, items: 3},
		"empty end keeps":   {look: []answer{response("r", "in_progress", textItem1), response("r", "completed")}, status: Completed, items: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if c.create.body == "" {
					c.create = response("r", "queued")
				}
				g := &gateway{answers: map[string][]answer{posts: {c.create}, gets: c.look}}
				r := supervised(t.TempDir(), g)
				run := mustStart(t, r, task())
				time.Sleep(c.after)
				for range c.look {
					time.Sleep(persistTime)
					var err error
					if run, _, err = r.Look(t.Context(), gatewayUser, run.ID); err != nil {
						t.Fatal(err)
					}
				}
				if run.Status != c.status || len(run.Items) != c.items {
					t.Errorf("status %s with %d items, want %s with %d", run.Status, len(run.Items), c.status, c.items)
				}
				if said := run.Error; (c.says == "") != (said == nil) || said != nil && !strings.Contains(said.Message, c.says) {
					t.Errorf("says %+v, want %q", said, c.says)
				}
				kept, err := r.Registry.get(gatewayUser, run.ID)
				if err != nil || kept.Status != run.Status {
					t.Errorf("kept as %v, %v", kept, err)
				}
			})
		})
	}
}

// A continuation sends everything again, and its answer begins with an echo.
func TestApproval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("m", 80)
		longText := strings.Replace(textItem1, "msg_1", long, 1)
		echo := strings.Replace(textItem1, "msg_1", long[:64], 1)
		final := `{"type":"message","id":"msg_2","role":"assistant","status":"completed","content":[{"type":"output_text","text":" Done."}]}`
		g := &gateway{answers: map[string][]answer{
			posts: {response("resp_1", "queued"), response("resp_2", "in_progress"), response("resp_3", "queued")},
			gets: {
				response("resp_1", "completed", callItem, outputItem, longText, `{"type":"reasoning","id":null,"summary":[]}`, request1, request2),
				response("resp_2", "completed", callItem, outputItem, echo, `{"type":"function_call_output","call_id":"ask_1","output":"found"}`, `{"type":"mcp_approval_request","id":"ask_3","name":"more","server_label":"web","arguments":"{}"}`),
				response("resp_3", "completed", final), // without an echo
			},
		}}
		r := supervised(t.TempDir(), g)
		run := mustStart(t, r, task())
		run = mustLook(t, r, run.ID)
		checkRun(t, run, ApprovalRequired, 6, "It is 42.")
		if p := run.Pending(); len(p) != 2 || p[0].ID != "ask_1" || p[0].ServerLabel != "web" || p[0].Name != "search" || p[1].Arguments != "not json" {
			t.Fatalf("pending %+v", p)
		}
		for _, bad := range []struct {
			decisions []Decision
			kind      catalog.Kind
			says      string
		}{
			{[]Decision{{RequestID: "ask_1", Approve: true}}, catalog.Invalid, "ask_1, ask_2"},
			{[]Decision{{RequestID: "ask_1"}, {RequestID: "ask_1"}}, catalog.Invalid, "twice"},
			{[]Decision{{RequestID: "ask_9"}, {RequestID: "ask_1"}}, catalog.Invalid, `"ask_9"`},
		} {
			_, err := r.Approve(t.Context(), gatewayUser, run.ID, bad.decisions, "tool")
			checkError(t, err, bad.kind, bad.says)
		}
		both := []Decision{{RequestID: "ask_1", Approve: true}, {RequestID: "ask_2", Reason: "no need"}}
		run, err := r.Approve(t.Context(), gatewayUser, run.ID, both, "tool")
		if err != nil || run.Status != InProgress {
			t.Fatal(run, err)
		}
		_, err = r.Approve(t.Context(), gatewayUser, run.ID, both, "tool")
		checkError(t, err, catalog.Conflict, "already approved")
		run = mustLook(t, r, run.ID)
		checkRun(t, run, ApprovalRequired, 10, "It is 42.")
		if _, err = r.Approve(t.Context(), gatewayUser, run.ID, []Decision{{RequestID: "ask_3", Approve: true}}, "person"); err != nil {
			t.Fatal(err)
		}
		run = mustLook(t, r, run.ID)
		checkRun(t, run, Completed, 12, "It is 42. Done.")
		var ids []string
		for _, response := range run.Responses {
			ids = append(ids, response.ID)
		}
		if !slices.Equal(ids, []string{"resp_1", "resp_2", "resp_3"}) || len(run.Approvals) != 3 || run.Approvals[2].By != "person" || !run.Approvals[0].Used {
			t.Errorf("chain %v, approvals %+v", ids, run.Approvals)
		}
		body := g.sent(&catalog.CreateResponse.Row)[1]
		var types []string
		for _, item := range body.Get("input").Array() {
			types = append(types, item.Get("type").Str)
			if item.Get("id").Exists() && (item.Get("id").Type == gjson.Null || len(item.Get("id").Str) > 64) {
				t.Errorf("sent id %s", item.Get("id").Raw)
			}
		}
		if want := []string{"message", "function_call", "function_call_output", "message", "reasoning", "mcp_approval_request", "mcp_approval_request", "mcp_approval_response", "mcp_approval_response"}; !slices.Equal(types, want) {
			t.Errorf("sent %v", types)
		}
		if got := body.Get("input.8").Raw; got != `{"type":"mcp_approval_response","id":"ask_2","approval_request_id":"ask_2","approve":false,"reason":"no need"}` {
			t.Errorf("refusal %s", got)
		}
		if body.Get("model").Str != "m-1" || body.Get("instructions").Str != "be brief" || len(body.Get("tools").Array()) != 2 || !body.Get("background").Bool() {
			t.Errorf("sent %s", body.Raw)
		}
	})
}

// Two calls that answer the same request: one goes out.
func TestApprovalRace(t *testing.T) {
	g := &gateway{answers: map[string][]answer{posts: {response("r1", "completed", request1), response("r2", "in_progress")}}}
	dir := t.TempDir()
	r := supervised(dir, g)
	run := mustStart(t, r, task())
	var wg sync.WaitGroup
	var mu sync.Mutex
	won, told := 0, 0
	for i := range 8 {
		other := supervised(dir, g) // another process, as far as files go
		wg.Go(func() {
			_, err := other.Approve(context.Background(), gatewayUser, run.ID, []Decision{{RequestID: "ask_1", Approve: i%2 == 0}}, "tool")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case catalog.AsError(err).Kind == catalog.Conflict:
				told++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 1 || told != 7 || len(g.sent(&catalog.CreateResponse.Row)) != 2 {
		t.Errorf("%d won, %d were told, %d requests", won, told, len(g.sent(&catalog.CreateResponse.Row)))
	}
}

// What a failed POST leaves behind.
func TestRefusedStart(t *testing.T) {
	for name, c := range map[string]struct {
		answer answer
		kind   catalog.Kind
		says   string
		kept   Status // "": no run
	}{
		"forbidden":     {failing(catalog.Forbidden, 403, "PERMISSION_DENIED", "no"), catalog.Forbidden, "genie_space: CAN_RUN", ""},
		"invalid":       {failing(catalog.Invalid, 400, "BAD_REQUEST", "No tool output found for function call x"), catalog.Invalid, "No tool output", ""},
		"limited":       {failing(catalog.Limited, 429, "REQUEST_LIMIT_EXCEEDED", "slow"), catalog.Limited, "slow", ""},
		"unknown fate":  {failing(catalog.UnknownFate, 0, "", "the connection broke"), catalog.UnknownFate, "status unknown", Unknown},
		"without an id": {answer{body: `{"status":"queued"}`}, catalog.UnknownFate, "without a response id", Unknown},
		"no JSON":       {answer{body: `ok`}, catalog.UnknownFate, "without a response id", Unknown},
		"id of a path":  {answer{body: `{"id":"..","status":"queued"}`}, catalog.UnknownFate, "without a response id", Unknown},
		"no such model": {failing(catalog.Missing, 404, "", "model m-1 was not found"), catalog.Missing, "Check the model (m-1)", ""},
		"no such tool":  {failing(catalog.Missing, 404, "RESOURCE_DOES_NOT_EXIST", "space s1 does not exist"), catalog.Missing, "names of the tools", ""},
		"wrong model":   {failing(catalog.Missing, 404, "RESOURCE_DOES_NOT_EXIST", "model m-1 does not exist"), catalog.Missing, "Check the model", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := supervised(t.TempDir(), &gateway{answers: map[string][]answer{posts: {c.answer}}})
			_, err := r.Start(t.Context(), gatewayUser, "", task())
			checkError(t, err, c.kind, c.says)
			listed, err := r.Registry.List(gatewayUser, "", func(*Run) (bool, bool) { return true, false })
			if err != nil {
				t.Fatal(err)
			}
			if c.kept == "" && len(listed.Runs) != 0 || c.kept != "" && (len(listed.Runs) != 1 || listed.Runs[0].Status != c.kept) {
				t.Errorf("kept %+v, want %q", listed.Runs, c.kept)
			}
		})
	}
}

// A continuation that surely was not taken leaves the approval to be given again; one
// of unknown fate does not.
func TestRefusedContinuation(t *testing.T) {
	g := &gateway{answers: map[string][]answer{posts: {response("r1", "completed", request1), failing(catalog.Limited, 429, "", "slow"), failing(catalog.UnknownFate, 0, "", "broke")}}}
	r := supervised(t.TempDir(), g)
	run := mustStart(t, r, task())
	yes := []Decision{{RequestID: "ask_1", Approve: true}}
	_, err := r.Approve(t.Context(), gatewayUser, run.ID, yes, "tool")
	checkError(t, err, catalog.Limited)
	checkRun(t, mustLook(t, r, run.ID), ApprovalRequired, 1, "")
	_, err = r.Approve(t.Context(), gatewayUser, run.ID, yes, "tool")
	checkError(t, err, catalog.UnknownFate, "status unknown")
	_, err = r.Approve(t.Context(), gatewayUser, run.ID, yes, "tool")
	checkError(t, err, catalog.Conflict, "already approved")
	if got := mustLook(t, r, run.ID); got.Status != Unknown {
		t.Errorf("status %s", got.Status)
	}
}

func TestGone(t *testing.T) {
	for name, gone := range map[string]answer{
		"404 no route": {err: &catalog.Error{Kind: catalog.Missing, Status: 404, Code: "ENDPOINT_NOT_FOUND", MissingRoute: true, Message: "No API found"}},
		"404 plain":    failing(catalog.Missing, 404, "", "not found"),
		"404 unnamed":  failing(catalog.Missing, 404, "RESOURCE_DOES_NOT_EXIST", "no such thing"),
		"403 disabled": {err: &catalog.Error{Kind: catalog.Missing, Status: 403, Code: "FEATURE_DISABLED", MissingRoute: true, Message: "off"}},
		"410":          failing(catalog.Missing, 410, "", "gone"),
		"501":          {err: &catalog.Error{Kind: catalog.Missing, Status: 501, MissingRoute: true, Message: "not implemented"}},
		"preview off":  failing(catalog.Invalid, 400, "BAD_REQUEST", "Please ensure AI Gateway V2 is enabled for your workspace"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &gateway{answers: map[string][]answer{
					posts:                         {gone},
					catalog.ListApps.Name:         {{body: `{"apps":[{"name":"agent-bricks-orders","url":"https://a.example"},{"name":"odd, name","url":"https://b.example"},{"name":"mcp-stock","url":"https://c.example"}]}`}},
					catalog.ListRunEndpoints.Name: {{body: `{"endpoints":[{"name":"llm","task":"llm/v1/chat"},{"name":"churn","task":"agent/v1/responses"}]}`}},
					catalog.ListSpaces.Name:       {failing(catalog.Forbidden, 403, "", "no")},
				}}
				r := supervised(t.TempDir(), g)
				for range 3 {
					_, err := r.Start(t.Context(), gatewayUser, "", task())
					checkError(t, err, catalog.Missing, "not available in this workspace", "apps/agent-bricks-orders, endpoints/churn.")
					if strings.Contains(err.Error(), "endpoints/llm") || strings.Contains(err.Error(), "odd") {
						t.Error(err)
					}
				}
				if n := len(g.sent(&catalog.CreateResponse.Row)); n != 1 {
					t.Errorf("asked %d times", n)
				}
				time.Sleep(goneTime + time.Second)
				_, err := r.Start(t.Context(), gatewayUser, "", task())
				checkError(t, err, catalog.Missing)
				if n := len(g.sent(&catalog.CreateResponse.Row)); n != 2 {
					t.Errorf("asked %d times after the time", n)
				}
			})
		})
	}
}

// TestInstead: only what runs and may be asked is named, as it is right now.
func TestInstead(t *testing.T) {
	app := func(name, app, compute string) string {
		return fmt.Sprintf(`{"name":%q,"url":"https://%s.example","app_status":{"state":%q},"compute_status":{"state":%q}}`, name, name, app, compute)
	}
	up := `{"apps":[` + strings.Join([]string{
		app("stopped", "UNAVAILABLE", "STOPPED"), app("crashed", "CRASHED", "ACTIVE"), app("starting", "RUNNING", "STARTING"),
		app("mine", "RUNNING", "ACTIVE"), app("others", "RUNNING", "ACTIVE"), `{"name":"never-deployed","compute_status":{"state":"ACTIVE"}}`,
	}, ",") + `]}`
	endpoints := `{"endpoints":[{"name":"down","task":"agent/v1/responses","state":{"ready":"NOT_READY"}},{"name":"bot","task":"agent/v2/chat","state":{"ready":"READY"}},` +
		`{"name":"fast","task":"agent/v1/chat","route_optimized":true},{"name":"others","task":"agent/v1/chat","state":{"ready":"READY"}}]}`
	g := &gateway{answers: map[string][]answer{
		posts:                         {failing(catalog.Missing, 410, "", "gone")},
		catalog.ListApps.Name:         {{body: up}, {body: `{"apps":[` + app("late", "RUNNING", "ACTIVE") + `]}`}, {body: `{}`}},
		catalog.ListRunEndpoints.Name: {{body: endpoints}, {body: `{}`}},
		catalog.ListSpaces.Name:       {{body: `{"spaces":[{"space_id":"s1"},{"space_id":"others"}]}`}, {body: `{}`}},
	}}
	s := &Supervisor{API: g, Permits: func(ctx context.Context, agent string) bool {
		return ctx.Value(askedBy{}) == "ana" && !strings.HasSuffix(agent, "/others")
	}}
	r := &Runner{Registry: New(""), Backend: func(string) (Backend, error) { return s, nil }}
	ctx := context.WithValue(t.Context(), askedBy{}, "ana")
	for _, want := range []string{"instead: apps/mine, endpoints/bot, genie/s1. ", "instead: apps/late. ", "none that runs and may be asked was found here. "} {
		_, err := r.Start(ctx, gatewayUser, "", task())
		checkError(t, err, catalog.Missing, want)
	}
	if n := len(g.sent(&catalog.CreateResponse.Row)); n != 1 {
		t.Errorf("the API was asked %d times", n)
	}
}

type askedBy struct{}

func TestSignInToConnection(t *testing.T) {
	says := func(url string) string {
		return `{"id":"r","status":"failed","output":[],"error":{"code":"oauth","message":"Credential for user identity('x') is not found for the connection 'web'. Please login first to the connection by visiting ` + url + `"}}`
	}
	for url, offered := range map[string]bool{
		"https://dbc-1.example/explore/connections/web?o=1":   true,
		"https://dbc-1.example.evil.example/login":            false,
		"http://dbc-1.example/login":                          false,
		"https://user@dbc-1.example/login":                    false,
		"https://evil.example/?x=https://dbc-1.example/login": false,
	} {
		g := &gateway{answers: map[string][]answer{posts: {{body: says(url)}}}}
		run := mustStart(t, supervised("", g), task())
		if got := run.Error.SignInURL; (got == url) != offered || !offered && (got != "" || strings.Contains(run.Error.Message, "login?") || strings.Contains(run.Error.Message, "://")) {
			t.Errorf("%s: offers %q, says %q", url, got, run.Error.Message)
		}
	}
}

// A sandbox on this machine is the one workspace that has no https.
func TestSignInOnThisMachine(t *testing.T) {
	for _, c := range []struct {
		host, address string
		offered       bool
	}{
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080/explore/connections/web", true},
		{"http://127.0.0.1:8080", "http://127.0.0.1:9090/explore/connections/web", false},
		{"https://127.0.0.1:8080", "http://127.0.0.1:8080/explore/connections/web", false},
		{"http://dbc-1.example", "http://dbc-1.example/explore/connections/web", false},
	} {
		f := &Failure{Code: "oauth", Message: "Please login first to the connection by visiting " + c.address}
		(&Supervisor{Host: func() string { return c.host }}).offerSignIn(f)
		if (f.SignInURL == c.address) != c.offered || !c.offered && f.SignInURL != "" {
			t.Errorf("%s offers %q of %s", c.host, f.SignInURL, c.address)
		}
	}
}

func TestTraceContext(t *testing.T) {
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for parent, want := range map[string]string{
		good: good,
		"":   "",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01":         "",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01":         "",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nX: y": "",
	} {
		g := &gateway{answers: map[string][]answer{posts: {response("r", "completed")}}}
		r := supervised("", g)
		if _, err := r.Start(WithTraceContext(t.Context(), parent, "a=b"), gatewayUser, "", task()); err != nil {
			t.Fatal(err)
		}
		if got := g.calls[0].Header.Get("traceparent"); got != want {
			t.Errorf("%q is passed on as %q", parent, got)
		}
		if got := g.calls[0].Header.Get("tracestate"); (got == "a=b") != (want != "") {
			t.Errorf("tracestate %q", got)
		}
	}
}

func FuzzResponse(f *testing.F) {
	f.Add([]byte(response("r", "completed", callItem, outputItem, textItem1, request1).body))
	f.Add([]byte(`{"id":1,"status":[],"output":{"a":null},"error":"x"}`))
	f.Add([]byte(`{"status":"in_progress","output":[null,1,"x",{"type":"message","id":null}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if !gjson.ValidBytes(body) {
			t.Skip()
		}
		run := &Run{Request: task(), Responses: []Response{{ID: "r"}}, Status: Queued}
		run.read(gjson.ParseBytes(body))
		run.Pending()
		run.OutputText()
		for _, item := range run.Items {
			if !json.Valid(outgoing(item)) {
				t.Errorf("%s cannot be sent back", item)
			}
		}
		if _, err := json.Marshal(run); err != nil {
			t.Error(err)
		}
	})
}
