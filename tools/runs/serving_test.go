package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

const (
	getEndpoint = "GET /api/2.0/serving-endpoints/bot"
	askEndpoint = "POST /serving-endpoints/bot/invocations"
)

func endpointOf(task string) scripted {
	return says(fmt.Sprintf(`{"name":"bot","task":%q,"state":{"ready":"READY","config_update":"NOT_UPDATING"}}`, task))
}

func frames(data ...string) string {
	var b strings.Builder
	for _, d := range data {
		b.WriteString("data: " + d + "\n\n")
	}
	return b.String()
}

// ended looks until the run has ended. The clock is a test's own.
func ended(t *testing.T, r *Runner, run *Run) *Run {
	t.Helper()
	for range 1000 {
		if run = look(t, r, run); run.Status.Ended() {
			return run
		}
		time.Sleep(time.Second)
	}
	t.Fatalf("it never ended: %s", run.Status)
	return nil
}

const messageFrame = `{"type":"response.output_item.done","item":{"type":"message","id":"m1","role":"assistant","content":[{"type":"output_text","text":"Hello."}]}}`

func TestEndpointAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		task   string
		answer scripted
		status Status
		text   string
		items  []string
		says   string // of the error
	}{
		"responses": {"agent/v1/responses", says(frames(
			`{"type":"response.output_item.done","item":{"type":"function_call","call_id":"c"}}`,
			`{"type":"response.output_item.done","item":{"type":"function_call_output","call_id":"c","output":"1"}}`,
			`{"type":"response.output_text.delta","item_id":"m1","delta":"Hel"}`, messageFrame, `[DONE]`)),
			Completed, "Hello.", []string{"function_call", "function_call_output", "message"}, ""},
		"deltas alone":            {"agent/v1/responses", says(frames(`{"type":"response.output_text.delta","delta":"Hel"}`, `{"type":"response.output_text.delta","delta":"lo"}`, `[DONE]`)), Completed, "Hello", []string{"message"}, ""},
		"completed, empty":        {"agent/v1/responses", says(frames(messageFrame, `{"type":"response.completed","response":{"status":"completed","output":[]}}`)), Completed, "Hello.", []string{"message"}, ""},
		"completed, with all":     {"agent/v1/responses", says(frames(`{"type":"responses.completed","response":{"output":[{"type":"message","role":"assistant","content":"all"}]}}`)), Completed, "all", []string{"message"}, ""},
		"failed":                  {"agent/v1/responses", says(frames(messageFrame, `{"type":"response.failed","response":{"error":{"code":"x","message":"boom"}}}`)), Failed, "Hello.", []string{"message"}, "boom"},
		"incomplete":              {"agent/v1/responses", says(frames(messageFrame, `{"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"}}}`)), Incomplete, "Hello.", []string{"message"}, "max_output_tokens"},
		"error, then a lie":       {"agent/v1/responses", says("event: error\ndata: {\"message\":\"boom\",\"code\":\"c\"}\n\n" + frames(`{"type":"response.completed","response":{"status":"completed"}}`)), Failed, "", nil, "boom"},
		"error frame, text":       {"agent/v1/responses", says(frames(messageFrame, `{"error":"boom"}`)), Failed, "Hello.", []string{"message"}, "boom"},
		"error frame, code":       {"agent/v1/responses", says(frames(`{"error_code":"BAD_REQUEST","message":"boom"}`)), Failed, "", nil, "boom"},
		"early end":               {"agent/v1/responses", says(frames(messageFrame)), Failed, "Hello.", []string{"message"}, "may have taken effect"},
		"no JSON":                 {"agent/v1/responses", says(frames("what?", messageFrame, "[DONE]")), Completed, "Hello.", []string{"message"}, ""},
		"no stream":               {"agent/v1/responses", saysWhole(`{"object":"response","output":[{"type":"message","role":"assistant","content":"whole"}]}`), Completed, "whole", []string{"message"}, ""},
		"no stream, an error":     {"agent/v1/responses", saysWhole(`{"error_code":"INTERNAL","message":"boom"}`), Failed, "", nil, "boom"},
		"no stream, half":         {"agent/v1/responses", saysWhole(`{"output":[`), Failed, "", nil, "ended early"},
		"chat model":              {"llm/v1/chat", says(frames(`{"choices":[{"delta":{"role":"assistant","content":"Hel"}}]}`, `{"choices":[{"delta":{"content":"lo"},"finish_reason":"stop"}],"usage":{"total_tokens":3}}`, `[DONE]`)), Completed, "Hello", []string{"message"}, ""},
		"chat, no [DONE]":         {"agent/v1/chat", says(frames(`{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}`)), Completed, "Hi", []string{"message"}, ""},
		"chat, no reason":         {"agent/v1/chat", says(frames(`{"choices":[{"delta":{"content":"Hi"}}]}`)), Failed, "Hi", []string{"message"}, "ended early"},
		"chat, parts":             {"llm/v1/chat", says(frames(`{"choices":[{"delta":{"content":[{"type":"text","text":"Hi"}]}}]}`, `[DONE]`)), Completed, "Hi", []string{"message"}, ""},
		"chat, tool calls":        {"llm/v1/chat", says(frames(`{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"sql","arguments":"{\"a\""}}]}}]}`, `{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]},"finish_reason":"tool_calls"}]}`, `[DONE]`)), Completed, "", []string{"function_call"}, ""},
		"ChatAgent":               {"agent/v2/chat", says(frames(`{"delta":{"role":"assistant","id":"a","content":"","tool_calls":[{"id":"c1","function":{"name":"f","arguments":"{}"}}]}}`, `{"delta":{"role":"tool","id":"b","tool_call_id":"c1","content":"42"}}`, `{"delta":{"role":"assistant","id":"c","content":"It "}}`, `{"delta":{"role":"assistant","id":"c","content":"is 42"}}`, `[DONE]`)), Completed, "It is 42", []string{"function_call", "function_call_output", "message"}, ""},
		"ChatAgent, two messages": {"agent/v2/chat", says(frames(`{"delta":{"role":"assistant","id":"a","content":"One."}}`, `{"delta":{"role":"assistant","id":"b","content":"Two."}}`, `[DONE]`)), Completed, "One.Two.", []string{"message", "message"}, ""},
		"ChatAgent, no stream":    {"agent/v2/chat", saysWhole(`{"messages":[{"role":"assistant","content":"Hi","id":"x"}]}`), Completed, "Hi", []string{"message"}, ""},
		"chat model, no stream":   {"llm/v1/chat", saysWhole(`{"choices":[{"message":{"role":"assistant","content":"Hi"}}]}`), Completed, "Hi", []string{"message"}, ""},
		"chat, error":             {"llm/v1/chat", says(frames(`{"choices":[{"delta":{"content":"Hi"}}]}`, `{"error":{"message":"boom"}}`)), Failed, "Hi", []string{"message"}, "boom"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				runner := runnerOf(&Endpoints{API: newScript(t, map[string][]scripted{getEndpoint: {endpointOf(c.task)}, askEndpoint: {c.answer}})})
				run := ended(t, runner, start(t, runner, "endpoints/bot", asking("x")))
				wantRun(t, run, c.status, c.text, c.items...)
				if f := run.Error; (f != nil) != (c.says != "") || f != nil && !strings.Contains(f.Message, c.says) {
					t.Errorf("error %+v", f)
				}
			})
		})
	}
}

func TestEndpointRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request := asking("x")
		request.Input = append(request.Input, []byte(`{"role":"developer","content":[{"type":"input_text","text":"be brief"}]}`))
		request.ConversationID, request.ReturnTrace = "c1", true
		for task, conversation := range map[string]string{
			"agent/v1/responses": "context", "agent/v2/chat": "context", "agent/v1/chat": "databricks_options", "llm/v1/chat": "databricks_options",
		} {
			api := newScript(t, map[string][]scripted{getEndpoint: {endpointOf(task)}, askEndpoint: {says(frames(`{"databricks_output":{"trace":{"info":1}}}`, `[DONE]`))}})
			runner := runnerOf(&Endpoints{API: api})
			run := ended(t, runner, start(t, runner, "endpoints/bot", request))
			call := api.sent(askEndpoint)[0]
			body := gjson.ParseBytes(call.Body)
			if !body.Get("stream").Bool() || body.Get(conversation+".conversation_id").Str != "c1" || body.Get("context").Exists() != (conversation == "context") || !body.Get("databricks_options.return_trace").Bool() || body.Get("client_request_id").Str != run.ID || body.Get("name").Exists() {
				t.Errorf("sent: %s", call.Body)
			}
			if !call.Stream || call.Header.Get("Accept") != "text/event-stream" {
				t.Errorf("stream %t, header %v", call.Stream, call.Header)
			}
			chat := strings.HasSuffix(task, "chat")
			if got := body.Get("messages.1"); chat && (got.Get("role").Str != "system" || got.Get("content").Str != "be brief") || chat == body.Get("input").Exists() {
				t.Errorf("sent: %s", call.Body)
			}
			if string(run.Trace) != `{"info":1}` || run.Conversation != "c1" {
				t.Errorf("trace %s, conversation %q", run.Trace, run.Conversation)
			}
		}
	})
}

func TestEndpointStartRefused(t *testing.T) {
	for name, c := range map[string]struct {
		endpoint, answer scripted
		request          func(*Request)
		kind             catalog.Kind
		says             string
	}{
		"missing":         {endpoint: refuses(catalog.Missing, 404, ""), kind: catalog.Missing},
		"classic":         {endpoint: endpointOf(""), kind: catalog.Invalid, says: "classic model"},
		"embeddings":      {endpoint: endpointOf("llm/v1/embeddings"), kind: catalog.Invalid, says: "llm/v1/embeddings"},
		"route-optimised": {endpoint: says(`{"task":"agent/v1/responses","route_optimized":true}`), kind: catalog.Invalid, says: "route-optimised"},
		"coming up":       {endpoint: says(`{"task":"agent/v1/responses","state":{"ready":"NOT_READY","config_update":"IN_PROGRESS"}}`), kind: catalog.Busy, says: "coming up"},
		"not ready":       {endpoint: says(`{"task":"agent/v1/responses","state":{"ready":"NOT_READY"}}`), kind: catalog.Conflict, says: "not ready"},
		"no grant":        {endpoint: endpointOf("agent/v1/responses"), answer: refuses(catalog.Forbidden, 403, ""), kind: catalog.Forbidden},
		"no view either":  {endpoint: refuses(catalog.Forbidden, 403, ""), answer: refuses(catalog.Invalid, 400, "BAD_REQUEST"), kind: catalog.Invalid},
		"lost":            {endpoint: endpointOf("agent/v1/responses"), answer: refuses(catalog.UnknownFate, 504, ""), kind: catalog.UnknownFate},
		"tools":           {endpoint: endpointOf("agent/v1/responses"), request: func(r *Request) { r.Tools = append(r.Tools, []byte(`{}`)) }, kind: catalog.Invalid, says: "cannot be given tools"},
		"too long":        {endpoint: endpointOf("agent/v1/responses"), request: func(r *Request) { r.Input = asking(strings.Repeat("x", maxAgentRequest)).Input }, kind: catalog.Invalid, says: "4194304"},
		"items for chat":  {endpoint: endpointOf("agent/v2/chat"), request: func(r *Request) { r.Input = append(r.Input, []byte(`{"type":"function_call"}`)) }, kind: catalog.Invalid, says: "function_call"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newScript(t, map[string][]scripted{getEndpoint: {c.endpoint}})
				if c.answer != nil {
					api.then(askEndpoint, c.answer)
				}
				request := asking("x")
				if c.request != nil {
					c.request(&request)
				}
				runner := runnerOf(&Endpoints{API: api})
				run, err := runner.Start(t.Context(), ana, "endpoints/bot", request)
				wantError(t, err, c.kind, c.says)
				if (run != nil) != (c.kind == catalog.UnknownFate) {
					t.Errorf("run %+v", run)
				}
				synctest.Wait()
				if n := len(api.sent(askEndpoint)); n > 1 {
					t.Errorf("asked %d times", n)
				}
			})
		})
	}
}

// The start does not wait for an agent that thinks before it speaks, and news come
// as they come.
func TestEndpointHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, in := io.Pipe()
		slow := func(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
			time.Sleep(20 * time.Second)
			return opened(out)(ctx, call)
		}
		runner := runnerOf(&Endpoints{API: newScript(t, map[string][]scripted{getEndpoint: {endpointOf("agent/v1/responses")}, askEndpoint: {slow}})})
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		run, err := runner.Start(ctx, ana, "endpoints/bot", asking("x"))
		cancel() // the call is over: the stream is not
		if took := time.Since(began); err != nil || took > 5*time.Second {
			t.Fatalf("%v after %s", err, took)
		}
		wantRun(t, run, InProgress, "")
		time.Sleep(30 * time.Second)
		_, _ = io.WriteString(in, frames(`{"type":"response.output_item.done","item":{"type":"reasoning"}}`))
		synctest.Wait()
		wantRun(t, look(t, runner, run), InProgress, "", "reasoning")
		_, _ = io.WriteString(in, frames(messageFrame, "[DONE]"))
		synctest.Wait()
		wantRun(t, look(t, runner, run), Completed, "Hello.", "reasoning", "message")
	})
}

// What is refused after the start has gone ends the run.
func TestEndpointRefusedLate(t *testing.T) {
	for kind, want := range map[catalog.Kind]Status{catalog.Limited: Failed, catalog.UnknownFate: Unknown} {
		synctest.Test(t, func(t *testing.T) {
			slow := func(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
				time.Sleep(20 * time.Second)
				return refuses(kind, 0, "")(ctx, call)
			}
			api := newScript(t, map[string][]scripted{getEndpoint: {endpointOf("agent/v1/responses")}, askEndpoint: {slow}})
			runner := runnerOf(&Endpoints{API: api})
			run := ended(t, runner, start(t, runner, "endpoints/bot", asking("x")))
			if run.Status != want || run.Error.Code != string(kind) || len(api.sent(askEndpoint)) != 1 {
				t.Errorf("%s %+v", run.Status, run.Error)
			}
		})
	}
}

// What proves that no agent saw the request is the endpoint's own words.
func TestAsleep(t *testing.T) {
	for said, want := range map[string]bool{
		"The served entity 'bot_1' is scaled to zero and is starting. Please try again later.":                               true,
		"Endpoint bot is scaling from zero":                                                                                  true,
		"Endpoint bot is Scaling up from zero":                                                                               true,
		"upstream connect error or disconnect/reset before headers":                                                          false,
		"no healthy upstream":                                                                                                false,
		"The service is temporarily unavailable (TEMPORARILY_UNAVAILABLE)":                                                   false,
		"the warehouse is starting, and the index is not ready":                                                              false, // an agent's
		"Encountered an exception while evaluating the model: Error code: 503 - the served entity 'other' is scaled to zero": false,
		"Traceback (most recent call last): other is scaled to zero":                                                         false,
	} {
		if got := Asleep(&catalog.Error{Kind: catalog.UnknownFate, Status: 503, Message: said}); got != want {
			t.Errorf("%q: %t", said, got)
		}
		if Asleep(&catalog.Error{Kind: catalog.UnknownFate, Status: 504, Message: said}) {
			t.Errorf("%q: a time-out of a gateway proves nothing", said)
		}
	}
	if Asleep(nil) || Asleep(errors.New("scaled to zero")) {
		t.Error("what is no answer proves nothing")
	}
}

// A 503 that proves nothing is not repeated: its run is unknown.
func TestEndpointUnavailable(t *testing.T) {
	for name, answers := range map[string][]scripted{
		"at once":        {refuses(catalog.UnknownFate, 503, "TEMPORARILY_UNAVAILABLE")},
		"behind a start": {refuses(catalog.UnknownFate, 503, "bot is scaled to zero"), refuses(catalog.UnknownFate, 503, "no healthy upstream")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newScript(t, map[string][]scripted{getEndpoint: {endpointOf("agent/v1/responses")}, askEndpoint: answers})
				runner := runnerOf(&Endpoints{API: api})
				run, err := runner.Start(t.Context(), ana, "endpoints/bot", asking("x"))
				if len(answers) == 1 {
					wantError(t, err, catalog.UnknownFate, "is kept as")
				} else if err != nil {
					t.Fatal(err)
				}
				if run = ended(t, runner, run); run.Status != Unknown || run.Error.Code != string(catalog.UnknownFate) {
					t.Errorf("%s %+v", run.Status, run.Error)
				}
				time.Sleep(coldTime)
				if n := len(api.sent(askEndpoint)); n != len(answers) {
					t.Errorf("asked %d times", n)
				}
			})
		})
	}
}

// An endpoint that comes up from zero is waited for; nothing else is asked twice.
func TestEndpointColdStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, in := io.Pipe()
		cold := refuses(catalog.UnknownFate, 503, "The served entity 'bot_1' is scaled to zero and is starting.")
		api := newScript(t, map[string][]scripted{getEndpoint: {endpointOf("agent/v1/responses")}, askEndpoint: {cold, cold, cold, opened(out)}})
		runner := runnerOf(&Endpoints{API: api})
		run := start(t, runner, "endpoints/bot", asking("x"))
		wantRun(t, run, Queued, "")
		time.Sleep(40 * time.Second) // it is up, and thinks
		wantRun(t, look(t, runner, run), InProgress, "")
		_, _ = io.WriteString(in, frames(messageFrame, "[DONE]"))
		wantRun(t, ended(t, runner, run), Completed, "Hello.", "message")

		api.then(askEndpoint, cold)
		run = ended(t, runner, start(t, runner, "endpoints/bot", asking("x")))
		if run.Status != Failed || !strings.Contains(run.Error.Message, "did not come up") {
			t.Errorf("%s %+v", run.Status, run.Error)
		}
	})
}

func TestEndpointCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, _ := io.Pipe()
		runner := runnerOf(&Endpoints{API: newScript(t, map[string][]scripted{getEndpoint: {endpointOf("agent/v1/responses")}, askEndpoint: {opened(out)}})})
		run := start(t, runner, "endpoints/bot", asking("x"))
		run, err := runner.Cancel(t.Context(), ana, run.ID)
		if err != nil || run.Status != Abandoned || !strings.Contains(run.Error.Message, "may have effects") {
			t.Errorf("%v %+v", err, run)
		}
		synctest.Wait() // the stream was closed: nothing is left running
		wantRun(t, look(t, runner, run), Abandoned, "")
	})
}

// A restart ends what only the old process could read.
func TestEndpointNotHeldAnyMore(t *testing.T) {
	dir := t.TempDir()
	endpoints := &Endpoints{}
	runner := &Runner{Registry: New(dir), Backend: func(string) (Backend, error) { return endpoints, nil }}
	run := &Run{Owner: ana, Agent: "endpoints/bot", Request: asking("x"), Status: InProgress, Responses: []Response{{ID: "r"}}}
	unlock, err := runner.Registry.add(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	seen := look(t, runner, run)
	if seen.Status != Abandoned || seen.Error.Code != "not_held" {
		t.Errorf("%s %+v", seen.Status, seen.Error)
	}
	again := &Runner{Registry: New(dir), Backend: runner.Backend}
	if kept := look(t, again, run); kept.Status != Abandoned {
		t.Errorf("%s is what was kept", kept.Status)
	}
}

func TestEndpointLimits(t *testing.T) {
	big := strings.Repeat("x", maxItemsBytes/2)
	items := keep(nil, functionOutput("a", big), functionOutput("b", big), functionOutput("c", big), message("end"))
	if len(items) != 4 || !strings.Contains(string(items[1]), "left out") || len(items[2]) > 200 || !strings.Contains(string(items[3]), "end") {
		t.Errorf("%d items of %d, %d, %d, %d bytes", len(items), len(items[0]), len(items[1]), len(items[2]), len(items[3]))
	}
	for range 3 {
		items = keep(items, make([]json.RawMessage, maxItems)...)
	}
	if len(items) != maxItems {
		t.Errorf("%d items", len(items))
	}
	if got := keepTrace([]byte(`{"info":{"trace_id":"tr-1"},"data":"` + strings.Repeat("x", 1<<20) + `"}`)); string(got) != `"tr-1"` {
		t.Errorf("%.100s", got)
	}
}

func FuzzEndpointAnswer(f *testing.F) {
	f.Add(true, []byte(frames(`{"choices":[{"delta":{"content":"Hi","tool_calls":[{"id":"c"}]}}]}`, "[DONE]")))
	f.Add(false, []byte(frames(messageFrame, `{"error":"x"}`)))
	f.Add(false, []byte(`{"output":[{"type":1}]}`))
	f.Fuzz(func(t *testing.T, chat bool, in []byte) {
		for _, whole := range []bool{false, true} {
			held := &Held{run: &Run{Status: InProgress, Responses: []Response{{}}}, changed: make(chan struct{}), persisted: time.Now().Add(time.Hour), registry: New("")}
			answer, _ := saysWhole(string(in))(t.Context(), nil)
			if !whole {
				answer.Header.Set("Content-Type", "text/event-stream")
			}
			readEndpoint(answer, held, chat)
			run := held.run
			if !run.Status.Ended() {
				t.Fatalf("%q: it ended as %s", in, run.Status)
			}
			for _, raw := range run.Items {
				if !gjson.ValidBytes(raw) || !isItem(gjson.ParseBytes(raw)) {
					t.Fatalf("%q: item %q", in, raw)
				}
			}
		}
	})
}
