package tools

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"
	"brickmcp/transport/serve"

	"github.com/tidwall/gjson"
)

const (
	pendingAnswer  = `{"id":"resp_1","status":"completed","output":[{"type":"mcp_approval_request","id":"ask_1","name":"search","server_label":"web","arguments":"{\"q\": \"x\"}"}]}`
	finishedAnswer = `{"id":"resp_2","status":"completed","output":[{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"Done."}]}]}`
	queuedAnswer   = `{"id":"resp_1","status":"queued","output":[]}`
)

// gatewayOf answers POSTs in turn, and every GET with look.
func gatewayOf(look string, posts ...string) *fake {
	f := &fake{}
	f.do = func(_ context.Context, call *catalog.Call) (string, error) {
		if call.Row.Method == "GET" {
			return look, nil
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(posts) == 0 {
			return "", fmt.Errorf("a POST was not expected")
		}
		first := posts[0]
		posts = posts[1:]
		return first, nil
	}
	return f
}

func startRun(t *testing.T, s *Server, arguments string) string {
	t.Helper()
	return gjson.Get(succeed(t, s, "supervisor_start_run", arguments), "run_id").Str
}

func TestStartsThatAreRefusedHere(t *testing.T) {
	for arguments, says := range map[string]string{
		`{}`:                       `input\" is required`,
		`{"input":""}`:             `input\" must not be empty`,
		`{"input":[]}`:             `input\" must not be empty`,
		`{"input":["x"]}`:          "array of objects",
		`{"input":[{"text":"x"}]}`: "it has no type",
		`{"input":[{"type":"message","content":"x"}]}`: "needs role",
		`{"input":[{"type":"mcp_approval_request","id":"a","name":"drop","server_label":"web","arguments":"{}"},{"type":"mcp_approval_response","approval_request_id":"a","approve":true}]}`: "no input of a start",
		`{"input":[{"type":"\u006dcp_approval_response","approval_request_id":"a","approve":true}]}`:                                                                                         "no input of a start",
		`{"input":[{"type":"message","role":"user","content":"x","type":"mcp_approval_response","approval_request_id":"a","approve":true}]}`:                                                 "more than one type",
		`{"input":[{"role":"user","content":"x","\u0074ype":"message","type":"mcp_approval_response"}]}`:                                                                                     "more than one type",
		`{"input":"x","temperature":0.5}`:                                           "not supported when tools are provided",
		`{"input":"x","top_p":1}`:                                                   "not supported when tools are provided",
		`{"input":"x","metadata":{}}`:                                               "unknown argument",
		`{"input":"x","stream":true,"background":true}`:                             "do not go together",
		`{"input":"x","background":false}`:                                          "always in the background",
		`{"input":"x","tools":[{"type":"function","name":"f"}]}`:                    "executed by the client",
		`{"input":"x","tools":[{"type":"genie_spaces"}]}`:                           `did you mean \"genie_space\"`,
		`{"input":"x","tools":[{"type":"genie_space","genie_space":{"name":"x"}}]}`: "must have the form",
		`{"input":"x","tools":[{"type":"web_search_preview"}]}`:                     "is none of genie_space",
		`{"input":"x","agent":"teapots/x"}`:                                         "no known kind",
		`{"input":"x","agent":"apps/"}`:                                             "no known kind",
		`{"input":"x","agent":"genie/s","model":"m"}`:                               "for the Supervisor",
		`{"input":"x","agent":"genie/s","stream":true}`:                             "for the Supervisor",
	} {
		api := gatewayOf("")
		wantError(t, newServer(t, api, nil), "supervisor_start_run", arguments, catalog.Invalid, says)
		if seen := api.seen(); len(seen) > 0 {
			t.Errorf("%s: sent %v", arguments, seen)
		}
	}
}

// Everything of a run fits the budget, and its pages are all of it.
func TestRunResultsAreBounded(t *testing.T) {
	var items []string
	for i := range 60 {
		items = append(items, fmt.Sprintf(`{"type":"function_call_output","call_id":"c%d","output":%q}`, i, strings.Repeat("x", 100+40*i)))
	}
	items = append(items, fmt.Sprintf(`{"type":"function_call_output","call_id":"huge","output":%q}`, strings.Repeat("y", 100_000)),
		fmt.Sprintf(`{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":%q}]}`, strings.Repeat("z", 2000)))
	look := `{"id":"resp_1","status":"completed","output":[` + strings.Join(items, ",") + `],"databricks_output":{"trace":{"spans":"` + strings.Repeat("s", 50_000) + `"}}}`
	s := newServer(t, gatewayOf(look, queuedAnswer), func(c *Config) { c.ResultTokens = 3000 })
	id := startRun(t, s, `{"input":"x"}`)
	seen := map[string]int{}
	token := ""
	for page := 0; ; page++ {
		text := succeed(t, s, "supervisor_get_run", fmt.Sprintf(`{"run_id":%q,"page_token":%q}`, id, token))
		if len(text) > 3000*4 {
			t.Errorf("page %d has %d bytes", page, len(text))
		}
		if page == 0 && gjson.Get(text, "output_text").Str != strings.Repeat("z", 2000) {
			t.Errorf("the output is cut: %s", gjson.Get(text, "output_text"))
		}
		if gjson.Get(text, "items.#").Int() != gjson.Get(text, "returned").Int() {
			t.Errorf("page %d counts wrongly", page)
		}
		for _, item := range gjson.Get(text, "items").Array() {
			seen[item.Get("call_id").Str+item.Get("id").Str]++
		}
		if token = gjson.Get(text, "next_page_token").Str; token == "" {
			break
		}
		if page > 100 {
			t.Fatal("the pages do not end")
		}
	}
	if len(seen) != 62 {
		t.Errorf("%d items in all pages, want 62", len(seen))
	}
	for _, tokens := range []int{200, 400, 1000} { // 200 is the least
		s := newServer(t, gatewayOf(look, queuedAnswer), func(c *Config) { c.ResultTokens = tokens })
		text := succeed(t, s, "supervisor_get_run", fmt.Sprintf(`{"run_id":%q}`, startRun(t, s, `{"input":"x"}`)))
		if most := max(tokens*4, 1200); len(text) > most {
			t.Errorf("%d bytes at %d tokens, more than %d: %s", len(text), tokens, most, text)
		}
	}
	wantError(t, s, "supervisor_get_run", fmt.Sprintf(`{"run_id":%q,"page_token":"~99~"}`, id), catalog.Invalid, "behind the end")
}

// That the time of a wait is over is no failure.
func TestWaitEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, gatewayOf(`{"id":"resp_1","status":"in_progress","output":[]}`, queuedAnswer), nil)
		id := startRun(t, s, `{"input":"x"}`)
		for given, want := range map[string]time.Duration{"": 45 * time.Second, `,"timeout_seconds":5`: 5 * time.Second, `,"timeout_seconds":600`: 45 * time.Second, `,"timeout_seconds":0`: 0} {
			began := time.Now()
			text := succeed(t, s, "supervisor_wait_run", fmt.Sprintf(`{"run_id":%q%s}`, id, given))
			if took := time.Since(began); took != want || gjson.Get(text, "status").Str != "in_progress" || gjson.Get(text, "poll_after_ms").Int() < 1000 {
				t.Errorf("%q took %s: %s", given, took, text)
			}
		}
	})
}

func TestWhoApproves(t *testing.T) {
	for mode, kind := range map[Approvals]catalog.Kind{ApprovalsEither: "", ApprovalsTool: "", ApprovalsElicit: catalog.Denied, ApprovalsNever: catalog.Denied} {
		s := newServer(t, gatewayOf(finishedAnswer, pendingAnswer, queuedAnswer), func(c *Config) { c.Approvals = mode })
		id := startRun(t, s, `{"input":"x"}`)
		arguments := fmt.Sprintf(`{"run_id":%q,"decisions":[{"approval_request_id":"ask_1","approve":true}]}`, id)
		if kind != "" {
			wantError(t, s, "supervisor_approve", arguments, kind, "--approvals "+string(mode))
			continue
		}
		succeed(t, s, "supervisor_approve", arguments)
		wantError(t, s, "supervisor_approve", arguments, catalog.Conflict, "already approved")
	}
	s := newServer(t, gatewayOf("", pendingAnswer), nil)
	id := startRun(t, s, `{"input":"x"}`)
	for decisions, says := range map[string]string{
		`[]`:                                "must not be empty",
		`[{"approve":true}]`:                "needs approval_request_id",
		`[{"approval_request_id":"ask_1"}]`: "needs approve",
		`[{"approval_request_id":"ask_1","approve":"yes"}]`:              "needs approve",
		`[{"approval_request_id":"ask_1","approve":true,"reason":1}]`:    "must be a string",
		`[{"approval_request_id":"ask_1","approve":true,"reasons":"x"}]`: "no member",
		`[{"approval_request_id":"ask_2","approve":true}]`:               "pending: ask_1",
	} {
		wantError(t, s, "supervisor_approve", fmt.Sprintf(`{"run_id":%q,"decisions":%s}`, id, decisions), catalog.Invalid, says)
	}
}

// A conversation goes on with the whole history; one that waits does not.
func TestConversationGoesOn(t *testing.T) {
	api := gatewayOf("", finishedAnswer, pendingAnswer)
	s := newServer(t, api, nil)
	first := gjson.Get(succeed(t, s, "supervisor_start_run", `{"input":"one","instructions":"be brief"}`), "conversation_id").Str
	second := startRun(t, s, fmt.Sprintf(`{"input":"two","conversation_id":%q}`, first))
	calls := api.seen()
	body := gjson.Parse(calls[len(calls)-1][strings.IndexByte(calls[len(calls)-1], '{'):])
	if body.Get("input.#").Int() != 3 || body.Get("input.0.content").Str != "one" || body.Get("input.1.role").Str != "assistant" || body.Get("input.2.content").Str != "two" || body.Get("instructions").Str != "be brief" {
		t.Errorf("sent %s", body.Raw)
	}
	wantError(t, s, "supervisor_start_run", fmt.Sprintf(`{"input":"three","conversation_id":%q}`, second), catalog.Conflict, "approval_required")
	wantError(t, s, "supervisor_start_run", `{"input":"three","conversation_id":"run_x"}`, catalog.Missing)
}

// The tools of an earlier run are no way around the policy.
func TestConversationKeepsToThePolicy(t *testing.T) {
	const narrow = "scopes: {functions: [main.retail.*]}"
	api := gatewayOf("", finishedAnswer, finishedAnswer, finishedAnswer, finishedAnswer)
	dir := t.TempDir()
	given := func(function string) string {
		s := newServer(t, api, func(c *Config) { c.StateDir = dir })
		return startRun(t, s, `{"input":"one","tools":[{"type":"uc_function","uc_function":{"name":"`+function+`"}}]}`)
	}
	s := newServer(t, api, func(c *Config) { underPolicy(t, narrow)(c); c.StateDir = dir })
	again := func(id, more string) string { return fmt.Sprintf(`{"input":"two","conversation_id":%q%s}`, id, more) }
	refused, sent := given("main.hr.salary"), len(api.seen())
	wantError(t, s, "supervisor_start_run", again(refused, ""), catalog.Denied, "main.hr.salary", "Give tools")
	if len(api.seen()) != sent {
		t.Error("it was sent")
	}
	startRun(t, s, again(refused, `,"tools":[]`))
	startRun(t, s, again(given("main.retail.net_price"), ""))
}

func TestListedRuns(t *testing.T) {
	s := newServer(t, gatewayOf("", queuedAnswer, finishedAnswer), nil)
	startRun(t, s, `{"input":"one"}`)
	second := startRun(t, s, `{"input":"two"}`)
	all := succeed(t, s, "supervisor_list_runs", `{"fields":["error","request.input"]}`)
	if gjson.Get(all, "returned").Int() != 2 || gjson.Get(all, "truncated").Bool() || !strings.Contains(gjson.Get(all, "note").Str, "in memory") || gjson.Get(all, "runs.0.request\\.input.0.role").Str != "user" {
		t.Errorf("all: %s", all)
	}
	only := succeed(t, s, "supervisor_list_runs", `{"status":"completed"}`)
	if gjson.Get(only, "runs.#").Int() != 1 || gjson.Get(only, "runs.0.run_id").Str != second || gjson.Get(only, "runs.0.input").Str != "two" {
		t.Errorf("completed: %s", only)
	}
}

// clientOfRuns is an MCP client of a whole server, on the stdio loop.
func clientOfRuns(t *testing.T, s *Server) *agent {
	t.Helper()
	inRead, in := io.Pipe()
	out, outWrite := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := (&serve.Stdio{Server: s.MCP(), In: inRead, Out: outWrite}).Run(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("the loop ended with %v", err)
		}
		outWrite.Close()
	}()
	t.Cleanup(func() { in.Close(); <-done })
	a := &agent{t: t, in: in, lines: make(chan gjson.Result, 1000)}
	go func() {
		defer close(a.lines)
		for reader := bufio.NewReader(out); ; {
			line, err := reader.ReadBytes('\n')
			if err != nil {
				return
			}
			a.lines <- gjson.ParseBytes(line)
		}
	}()
	return a
}

func (a *agent) waitRun(n int, id, more string) {
	a.send(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"supervisor_wait_run","arguments":{"run_id":%q}%s}}`, n, id, more)
}

// A person answers within the wait, whichever way the client asks.
func TestApprovalByPerson(t *testing.T) {
	for name, c := range map[string]struct {
		reply  string
		status string // of the run afterwards
		sent   string // in the continuation
	}{
		"approve": {`{"action":"accept","content":{"decision":"approve","reason":"ok"}}`, "completed", `"approve":true,"reason":"ok"`},
		"refuse":  {`{"action":"accept","content":{"decision":"refuse"}}`, "completed", `"approve":false`},
		"decline": {`{"action":"decline"}`, "completed", `"approve":false`},
		"cancel":  {`{"action":"cancel"}`, "approval_required", ""},
		"garbage": {`{"action":"accept","content":{"decision":"maybe"}}`, "approval_required", ""},
	} {
		for _, modern := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " modern ", modern), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := gatewayOf(finishedAnswer, pendingAnswer, `{"id":"resp_2","status":"queued","output":[]}`)
					s := newServer(t, api, func(cfg *Config) { cfg.Approvals = ApprovalsElicit })
					id := startRun(t, s, `{"input":"x"}`)
					a := clientOfRuns(t, s)
					const able = `{"elicitation":{"form":{}}}`
					if modern {
						a.waitRun(1, id, newer(able))
						asked := a.receive().Get("result")
						state, _ := json.Marshal(asked.Get("requestState").Str)
						message := asked.Get("inputRequests.approval.params.message").Str
						if !strings.Contains(message, `"search" on "web"`) {
							t.Fatalf("asked %s", asked.Raw)
						}
						a.waitRun(2, id, newer(able)+fmt.Sprintf(`,"requestState":%s,"inputResponses":{"approval":%s}`, state, c.reply))
					} else {
						a.initialize(able)
						a.waitRun(1, id, "")
						a.send(`{"jsonrpc":"2.0","id":%s,"result":%s}`, a.asked(), c.reply)
					}
					answer := a.receive().Get("result.content.0.text").Str
					if gjson.Get(answer, "status").Str != c.status {
						t.Errorf("answered %s", answer)
					}
					calls := api.seen()
					if continued := strings.Contains(strings.Join(calls, "\n"), "mcp_approval_response"); continued != (c.sent != "") || !strings.Contains(strings.Join(calls, "\n"), c.sent) {
						t.Errorf("sent %v", calls)
					}
				})
			})
		}
	}
}

// asksFor is an answer that waits for n approvals, with arguments of that size.
func asksFor(n, size int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`{"type":"mcp_approval_request","id":"ask_%d","name":"search","server_label":"web","arguments":"{\"q\": \"%s\", \"drop\": true}"}`, i+1, strings.Repeat("x", size))
	}
	return `{"id":"resp_1","status":"completed","output":[` + strings.Join(items, ",") + `]}`
}

// A person decides on everything that a run waits for, also where the answer to the
// agent has no room for it, and is told what of it is not shown.
func TestPersonIsAskedAboutAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := gatewayOf(finishedAnswer, asksFor(3, 3000), finishedAnswer)
		s := newServer(t, api, func(c *Config) { c.Approvals, c.ResultTokens = ApprovalsElicit, 200 })
		id := startRun(t, s, `{"input":"x"}`)
		a := clientOfRuns(t, s)
		a.initialize(`{"elicitation":{"form":{}}}`)
		a.waitRun(1, id, "")
		asked := a.receive()
		message := asked.Get("params.message").Str
		if shown := strings.Count(message, "more bytes, which are not shown"); shown != 3 || len(message) > maxQuestion {
			t.Errorf("%d of 3 say that they are cut, in %d bytes: %s", shown, len(message), message)
		}
		a.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept","content":{"decision":"approve","decision_2":"refuse","decision_3":"approve"}}}`, asked.Get("id").Raw)
		if answer := a.receive().Get("result.content.0.text").Str; gjson.Get(answer, "status").Str != "completed" {
			t.Errorf("answered %s", answer)
		}
		calls := api.seen()
		for _, want := range []string{`"approval_request_id":"ask_1","approve":true`, `"approval_request_id":"ask_2","approve":false`, `"approval_request_id":"ask_3","approve":true`} {
			if !strings.Contains(strings.Join(calls, "\n"), want) {
				t.Errorf("%s was not sent", want)
			}
		}
	})
}

func TestQuotedFor(t *testing.T) {
	for text, want := range map[string]string{
		"":                         `""`,
		"short":                    `"short"`,
		strings.Repeat("x", 30):    `"xxxxxxxxxx" (and 20 more bytes, which are not shown)`,
		strings.Repeat(`"`, 12):    `"\"\"\"\"\"" (and 7 more bytes, which are not shown)`,
		strings.Repeat("\x00", 40): `"\x00\x00" (and 38 more bytes, which are not shown)`,
	} {
		if got := quotedFor(text, 10); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// A policy that asks for confirmation does not ask the person twice, and does not
// leave a run that nobody can approve.
func TestApprovalUnderConfirmation(t *testing.T) {
	under := underPolicy(t, "tools: {supervisor_approve: confirm}")
	synctest.Test(t, func(t *testing.T) {
		api := gatewayOf("", pendingAnswer, finishedAnswer)
		s := newServer(t, api, func(c *Config) { under(c); c.Approvals = ApprovalsElicit })
		id := startRun(t, s, `{"input":"x"}`)
		wantError(t, s, "supervisor_wait_run", `{"run_id":"run_x"}`, catalog.Missing)
		a := clientOfRuns(t, s)
		a.initialize(`{"elicitation":{"form":{}}}`)
		a.waitRun(1, id, "")
		a.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept","content":{"decision":"approve"}}}`, a.asked())
		if answer := a.receive().Get("result.content.0.text").Str; gjson.Get(answer, "status").Str != "completed" {
			t.Errorf("answered %s", answer)
		}
	})
}

// What a backend keeps for itself is not listed, under whatever name.
func TestListedRunsKeepTheirState(t *testing.T) {
	s := newServer(t, gatewayOf("", queuedAnswer), nil)
	id := startRun(t, s, `{"input":"one"}`)
	owner, err := s.workspaces[0].runOwner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run, _, err := s.workspaces[0].runner.Look(t.Context(), owner, id)
	if err != nil {
		t.Fatal(err)
	}
	run.State = json.RawMessage(`{"session":"kept-private"}`)
	if err := run.Save(); err != nil {
		t.Fatal(err)
	}
	all := succeed(t, s, "supervisor_list_runs", `{"fields":["state","state.session","@this","owner.user"]}`)
	if strings.Contains(all, "kept-private") {
		t.Errorf("it is shown: %s", all)
	}
}
