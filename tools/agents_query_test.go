package tools

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

const askBot = "POST /serving-endpoints/bot/invocations"

// botOf is an endpoint called bot of that task.
func botOf(task, more string) string {
	return `{"name":"bot","task":"` + task + `","state":{"ready":"READY","config_update":"NOT_UPDATING"},"config":{"served_entities":[` +
		servedJSON("bot_1", "a.b.bot", "1", "DEPLOYMENT_READY") + "," + servedJSON("bot_2", "a.b.bot", "2", "DEPLOYMENT_CREATING") + "," + servedJSON("feedback", "a.b.feedback", "3", "DEPLOYMENT_READY") + `]}` + more + `}`
}

func TestQueryForms(t *testing.T) {
	for _, c := range []struct{ name, task, arguments, sent, answer, text, more string }{
		{"responses", "agent/v1/responses", `"input":"Hi","custom_inputs":{"conversation_id":"7"},"conversation_id":"c1","return_trace":true`,
			`{"input":[{"role":"user","content":"Hi"}],"custom_inputs":{"conversation_id":"7"},"context":{"conversation_id":"c1"},"databricks_options":{"return_trace":true,"conversation_id":"c1"}}`,
			`{"object":"response","output":[{"type":"function_call","name":"f"},{"type":"message","content":[{"type":"output_text","text":"Hel"},{"type":"output_text","text":"lo"}]}],"databricks_output":{"databricks_request_id":"573d4a61-4adb-41bd-96db-0ec8cebc3744","trace":{"info":{"trace_id":"tr-1"}}}}`,
			"Hello", `{"output.0.name":"f","databricks_request_id":"573d4a61-4adb-41bd-96db-0ec8cebc3744","trace_id":"tr-1"}`},
		{"chat agent", "agent/v2/chat", `"messages":[{"role":"user","content":"Hi"}]`, `{"messages":[{"role":"user","content":"Hi"}]}`,
			`{"messages":[{"role":"assistant","content":"","tool_calls":[{"id":"1"}]},{"role":"tool","content":"42"},{"role":"assistant","content":"Hello"}],"finish_reason":"stop"}`,
			"Hello", `{"finish_reason":"stop","output.#":"3"}`},
		{"chat", "agent/v1/chat", `"input":"Hi","conversation_id":"c1"`, `{"messages":[{"role":"user","content":"Hi"}],"databricks_options":{"conversation_id":"c1"}}`,
			`{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"total_tokens":7},"databricks_output":{"databricks_request_id":"tr-9"}}`,
			"Hello", `{"finish_reason":"stop","usage.total_tokens":"7","databricks_request_id":"tr-9","trace_id":"tr-9"}`},
		{"plain chat", "llm/v1/chat", `"input":"Hi"`, `{"messages":[{"role":"user","content":"Hi"}]}`, `{"choices":[{"message":{"content":[{"type":"text","text":"Hel"},{"text":"lo"}]},"finishReason":"stop"}]}`, "Hello", `{"finish_reason":"stop"}`},
		{"dataframe", "", `"dataframe_records":[{"a":1,"run_job_task":{"job_id":"7"}}]`, `{"dataframe_records":[{"a":1,"run_job_task":{"job_id":"7"}}]}`, `{"predictions":[0.25,0.75]}`, "-", `{"predictions":"[0.25,0.75]"}`},
		{"dataframe of a question", "", `"input":"Hi"`, `{"dataframe_records":[{"messages":[{"role":"user","content":"Hi"}]}]}`, `{"predictions":["Hello"]}`, "Hello", `{"predictions":""}`},
		{"dataframe of a chat", "", `"input":"Hi"`, `{"dataframe_records":[{"messages":[{"role":"user","content":"Hi"}]}]}`, `{"predictions":[{"choices":[{"message":{"content":"Hello"}}]}]}`, "Hello", ""},
		{"old chain", "", `"request":{"query":"Hi","history":[]}`, `{"query":"Hi","history":[]}`, `{"content":"Hello"}`, "Hello", ""},
		{"a text", "", `"request":{"query":"Hi"}`, `{"query":"Hi"}`, `"Hello"`, "Hello", ""},
		{"raw", "llm/v1/embeddings", `"request":{"input":["a"],"conversation_id":"0012","n":9007199254740993},"return_trace":true`, `{"input":["a"],"conversation_id":"0012","n":9007199254740993,"databricks_options":{"return_trace":true}}`,
			`{"data":[{"embedding":[0.1]}]}`, "-", `{"data.0.embedding.0":"0.1"}`},
		{"neither", "", `"request":{"x":1}`, `{"x":1}`, `[1,9007199254740993]`, "-", `{"predictions.1":"9007199254740993"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newAgentHost(map[string]string{endpointsPath + "/bot": botOf(c.task, ""), askBot: c.answer})
			h.header.Set("Served-Model-Name", "bot_1")
			text := succeed(t, h.server(t, nil), "agents_query", `{"endpoint_name":"bot",`+c.arguments+`}`)
			if sent := h.sent(); len(sent) != 1 || sent[0] != askBot+" "+c.sent {
				t.Errorf("sent %q\nwant %s", sent, c.sent)
			}
			got := gjson.Get(text, "output_text")
			if c.text == "-" && got.Exists() || c.text != "-" && got.Str != c.text || gjson.Get(text, "served_entity_name").Str != "bot_1" {
				t.Errorf("got %s", text)
			}
			gjson.Parse(c.more).ForEach(func(path, want gjson.Result) bool {
				if v := gjson.Get(text, path.Str).String(); v != want.Str {
					t.Errorf("%s is %q, want %q: %s", path.Str, v, want.Str, text)
				}
				return true
			})
			if !strings.Contains(text, `"untrusted":["output_text"`) {
				t.Errorf("not marked: %s", text)
			}
		})
	}
}

func TestQueryAgentRefusals(t *testing.T) {
	notReady := strings.Replace(botOf("agent/v1/chat", ""), `"READY"`, `"NOT_READY"`, 1)
	for _, c := range []struct {
		name, endpoint, arguments string
		kind                      catalog.Kind
		says                      []string
	}{
		{"not ready", notReady, `"input":"x"`, catalog.Busy, []string{"NOT_READY", "Poll agents_get"}},
		{"never ready", strings.Replace(notReady, "NOT_UPDATING", "UPDATE_FAILED", 1), `"input":"x"`, catalog.Busy, []string{"why it did not come up"}},
		{"route-optimised", botOf("agent/v1/chat", `,"route_optimized":true`), `"input":"x"`, catalog.Invalid, []string{"route-optimised"}},
		{"no conversation", botOf("llm/v1/embeddings", ""), `"input":"x"`, catalog.Invalid, []string{"llm/v1/embeddings", "Give request"}},
		{"rows for an agent", botOf("agent/v1/chat", ""), `"dataframe_records":[{}]`, catalog.Invalid, []string{"takes no dataframe_records"}},
		{"streamed rows", botOf("", ""), `"dataframe_records":[{}],"stream":true`, catalog.Invalid, []string{"does not stream"}},
		{"no messages", botOf("agent/v1/chat", ""), `"messages":[]`, catalog.Invalid, []string{"messages is empty"}},
		{"two questions", botOf("agent/v1/chat", ""), `"input":"x","messages":[]`, catalog.Invalid, []string{"exactly one of"}},
		{"no question", botOf("agent/v1/chat", ""), `"stream":true`, catalog.Invalid, []string{"exactly one of"}},
		{"no such version", botOf("agent/v1/chat", ""), `"input":"x","model_version":3`, catalog.Missing, []string{"It serves version 1, 2"}},
		{"a version that comes up", botOf("agent/v1/chat", ""), `"input":"x","model_version":"2"`, catalog.Busy, []string{"DEPLOYMENT_CREATING"}},
		{"too long", botOf("agent/v1/chat", ""), `"input":"` + strings.Repeat("x", maxAgentRequest) + `"`, catalog.Invalid, []string{"4194304"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newAgentHost(map[string]string{endpointsPath + "/bot": c.endpoint, askBot: "{}"})
			wantError(t, h.server(t, nil), "agents_query", `{"endpoint_name":"bot",`+c.arguments+`}`, c.kind, append(c.says, "Nothing was sent")...)
			if sent := h.sent(); len(sent) > 0 {
				t.Errorf("sent %.200q", sent)
			}
		})
	}
}

func TestQueryAVersion(t *testing.T) {
	const path = "POST /serving-endpoints/bot/served-models/bot_1/invocations"
	h := newAgentHost(map[string]string{endpointsPath + "/bot": botOf("agent/v1/chat", ""), path: `{"choices":[{"message":{"content":"one"}}]}`})
	if text := succeed(t, h.server(t, nil), "agents_query", `{"endpoint_name":"bot","input":"x","model_version":1}`); gjson.Get(text, "output_text").Str != "one" {
		t.Error(text)
	}
}

// TestQueryBlindly: who may ask and not look can give the body.
func TestQueryBlindly(t *testing.T) {
	h := newAgentHost(map[string]string{askBot: `{"content":"Hello"}`})
	h.errors[endpointsPath+"/bot"] = &catalog.Error{Kind: catalog.Forbidden, Message: "no CAN_VIEW"}
	if text := succeed(t, h.server(t, nil), "agents_query", `{"endpoint_name":"bot","request":{"q":1}}`); gjson.Get(text, "output_text").Str != "Hello" {
		t.Error(text)
	}
	wantError(t, h.server(t, nil), "agents_query", `{"endpoint_name":"bot","input":"x"}`, catalog.Forbidden, "reading the endpoint")
	wantError(t, h.server(t, nil), "agents_query", `{"endpoint_name":"bot","request":{"q":1},"model_version":1}`, catalog.Forbidden)
}

// TestQueryErrors: what may have run is never asked again, by nobody.
func TestQueryAgentErrors(t *testing.T) {
	const mark = unknownFateMark
	for _, c := range []struct {
		name    string
		failure catalog.Error
		kind    catalog.Kind
		says    []string
		not     string
	}{
		{"asleep", catalog.Error{Kind: catalog.UnknownFate, Status: 503, Message: "The served entity 'x' is scaled to zero and is starting." + mark}, catalog.Busy, []string{"Nothing ran", "ask again in a minute", "supervisor_start_run with agent=endpoints/bot, which waits"}, "may or may not"},
		{"asleep, says the agent", catalog.Error{Kind: catalog.UnknownFate, Status: 503, Message: "Error code: 503 - 'y' is scaled to zero" + mark}, catalog.UnknownFate, []string{"before you ask again"}, "Nothing ran"},
		{"something is starting", catalog.Error{Kind: catalog.UnknownFate, Status: 503, Message: "the warehouse is starting" + mark}, catalog.UnknownFate, []string{"before you ask again"}, "Nothing ran"},
		{"asleep behind a gateway", catalog.Error{Kind: catalog.UnknownFate, Status: 504, Message: "scaled to zero" + mark}, catalog.UnknownFate, []string{"before you ask again"}, "Nothing ran"},
		{"overloaded", catalog.Error{Kind: catalog.UnknownFate, Status: 503, Message: "unavailable" + mark}, catalog.UnknownFate, []string{"starting from zero", "before you ask again", "supervisor_start_run"}, ""},
		{"gateway", catalog.Error{Kind: catalog.UnknownFate, Status: http.StatusGatewayTimeout, Message: "time-out" + mark}, catalog.UnknownFate, []string{"starting from zero"}, ""},
		{"time over", catalog.Error{Kind: catalog.UnknownFate, Message: "no answer" + mark, Err: context.DeadlineExceeded}, catalog.UnknownFate, []string{"Do not ask again blindly", "supervisor_start_run with agent=endpoints/bot"}, ""},
		{"traceback", catalog.Error{Kind: catalog.Down, Status: 500, Message: "Traceback"}, catalog.Down, []string{"The agent itself failed", "agents_read_logs"}, ""},
		{"gone", catalog.Error{Kind: catalog.Missing, Status: 404, Message: "no"}, catalog.Missing, []string{"agents_list"}, ""},
		{"too many", catalog.Error{Kind: catalog.Limited, Status: 429, Message: "too many", Advice: "Wait."}, catalog.Limited, []string{"Wait."}, "supervisor_start_run"},
	} {
		h := newAgentHost(map[string]string{endpointsPath + "/bot": botOf("agent/v1/chat", "")})
		h.errors[askBot] = &c.failure
		s := h.server(t, nil)
		wantError(t, s, "agents_query", `{"endpoint_name":"bot","input":"x"}`, c.kind, c.says...)
		if text, _ := ask(t, s, "agents_query", `{"endpoint_name":"bot","input":"x"}`); c.not != "" && strings.Contains(text, c.not) {
			t.Errorf("%s: %s", c.name, text)
		}
		if sent := h.sent(); c.kind == catalog.UnknownFate && len(sent) != 1 {
			t.Errorf("%s: a second call was sent: %q", c.name, sent)
		}
	}
}

// TestQueryIsAskedOnce: the same question again has the same answer for a while.
func TestQueryIsAskedOnce(t *testing.T) {
	h := newAgentHost(map[string]string{endpointsPath + "/bot": botOf("agent/v1/chat", ""), askBot: `{"choices":[]}`})
	s := h.server(t, nil)
	for range 2 {
		succeed(t, s, "agents_query", `{"endpoint_name":"bot","input":"x"}`)
	}
	succeed(t, s, "agents_query", `{"endpoint_name":"bot","input":"x","force":true}`)
	if n := len(h.sent()); n != 2 {
		t.Errorf("asked %d times, want twice", n)
	}
}

func TestTraceSummary(t *testing.T) {
	spans := make([]string, 40)
	for i := range spans {
		spans[i] = fmt.Sprintf(`{"name":"step %d","start_time_ns":1751263200000000000,"end_time_ns":1751263201500000001,"attributes":{"mlflow.spanType":"\"TOOL\""},"status_code":"ERROR","inputs":"secret"}`, i)
	}
	got := gjson.Parse(traceSummary(gjson.Parse(`{"info":{"status":"ERROR","execution_time_ms":1500},"data":{"spans":[` + strings.Join(spans, ",") + `]}}`)))
	if got.Get("state").Str != "ERROR" || got.Get("execution_time_ms").Int() != 1500 || got.Get("spans").Int() != 40 || len(got.Get("steps").Array()) != maxSpans ||
		got.Get("steps.0").Raw != `{"name":"step 0","type":"TOOL","ms":1500,"status":"ERROR"}` || strings.Contains(got.Raw, "secret") {
		t.Errorf("got %s", got.Raw)
	}
	for span, want := range map[string]string{`{"status":{"code":"STATUS_CODE_OK"}}`: "", `{"status":{"status_code":"ERROR"}}`: "ERROR", `{"status":{"code":1}}`: "", `{"status":{"code":"STATUS_CODE_ERROR"}}`: "STATUS_CODE_ERROR"} {
		if got := spanStatus(gjson.Parse(span)); got != want {
			t.Errorf("%s: %q", span, got)
		}
	}
}

// events are a stream of those data lines.
func events(lines ...string) string {
	return "data: " + strings.Join(lines, "\n\ndata: ") + "\n\n"
}

func TestQueryStreams(t *testing.T) {
	for _, c := range []struct{ name, task, stream, text, more string }{
		{"chat", "agent/v1/chat", events(`{"choices":[{"delta":{"role":"assistant","content":"Hel"}}]}`, `{"choices":[{"delta":{"content":"lo"},"finish_reason":"stop"}],"usage":{"total_tokens":3},"databricks_output":{"databricks_request_id":"tr-1"}}`, "[DONE]"),
			"Hello", `{"finish_reason":"stop","usage.total_tokens":"3","trace_id":"tr-1"}`},
		{"chat agent", "agent/v2/chat", ": ping\n\n" + events(`{"delta":{"id":"a","role":"assistant","content":"","tool_calls":[{"id":"1"}]}}`, `{"delta":{"id":"b","role":"tool","content":"42"}}`, `{"delta":{"id":"c","role":"assistant","content":"Hel"}}`, `{"delta":{"id":"c","role":"assistant","content":"lo"},"finish_reason":"stop"}`),
			"Hello", `{"output.#":"3","output.0.tool_calls.0.id":"1","finish_reason":"stop"}`},
		{"responses", "agent/v1/responses", events(`{"type":"response.output_item.done","item":{"type":"function_call","name":"f"}}`, `{"type":"response.output_text.delta","delta":"Hel"}`, `{"type":"response.output_text.delta","delta":"lo"}`,
			`{"type":"response.output_item.done","item":{"type":"message","content":[{"type":"output_text","text":"Hello!"}]},"databricks_output":{"trace":{"info":{"trace_id":"tr-2"}}}}`, "[DONE]"),
			"Hello!", `{"output.0.name":"f","trace_id":"tr-2"}`},
		{"responses, completed", "agent/v1/responses", events(`{"type":"response.output_text.delta","delta":"Hel"}`, `{"type":"response.completed","response":{"output":[{"type":"message","content":[{"type":"output_text","text":"Hello"}]}],"usage":{"n":1},"status":"completed"}}`),
			"Hello", `{"usage.n":"1","status":"completed"}`},
		{"responses, no done", "agent/v1/responses", events(`{"type":"response.output_text.delta","delta":"Hel"}`, `{"type":"response.output_text.delta","delta":"lo"}`), "Hello", ""},
		{"all at once", "agent/v2/chat", events(`{"messages":[{"role":"assistant","content":"Hello"}],"custom_outputs":{"a":1}}`), "Hello", `{"custom_outputs.a":"1"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newAgentHost(map[string]string{endpointsPath + "/bot": botOf(c.task, ""), askBot: ""})
			h.header.Set("Content-Type", "text/event-stream; charset=utf-8")
			h.stream = c.stream
			text := succeed(t, h.server(t, nil), "agents_query", `{"endpoint_name":"bot","input":"x","stream":true}`)
			if body := h.body(t, askBot); !body.Get("stream").Bool() {
				t.Errorf("sent %s", body.Raw)
			}
			if gjson.Get(text, "output_text").Str != c.text || gjson.Get(text, "incomplete").Exists() {
				t.Errorf("got %s", text)
			}
			gjson.Parse(c.more).ForEach(func(path, want gjson.Result) bool {
				if v := gjson.Get(text, path.Str).String(); v != want.Str {
					t.Errorf("%s is %q, want %q: %s", path.Str, v, want.Str, text)
				}
				return true
			})
		})
	}
}

func TestQueryStreamsThatFail(t *testing.T) {
	const some = `{"choices":[{"delta":{"content":"Hel"}}]}`
	for _, c := range []struct {
		name, contentType, stream string
		kind                      catalog.Kind
		says                      string
	}{
		{"an error", "text/event-stream", events(some, `{"error":"it broke"}`), catalog.Down, "it broke"},
		{"an error object", "text/event-stream", events(`{"error":{"code":"429","message":"slow down"}}`), catalog.Down, "slow down"},
		{"an error code", "text/event-stream", events(`{"error_code":"BAD_REQUEST","message":"no predict_stream"}`), catalog.Down, "BAD_REQUEST: no predict_stream"},
		{"a failed response", "text/event-stream", events(`{"type":"response.failed","response":{"error":{"message":"no tool"}}}`), catalog.Down, "no tool"},
		{"an error event", "text/event-stream", events(`{"type":"error","code":"x","message":"bad"}`), catalog.Down, "bad"},
		{"nothing", "text/event-stream", "", catalog.UnknownFate, "before it said anything"},
		{"only comments", "text/event-stream", ": ping\n\n", catalog.UnknownFate, "before it said anything"},
		{"no stream, and no JSON", "application/json", `{"a":`, catalog.UnknownFate, "could not be read"},
	} {
		h := newAgentHost(map[string]string{endpointsPath + "/bot": botOf("agent/v1/chat", ""), askBot: ""})
		h.header.Set("Content-Type", c.contentType)
		h.stream = c.stream
		wantError(t, h.server(t, nil), "agents_query", `{"endpoint_name":"bot","input":"x","stream":true}`, c.kind, c.says)
	}
	h := newAgentHost(map[string]string{endpointsPath + "/bot": botOf("agent/v1/chat", ""), askBot: ""})
	h.header.Set("Content-Type", "application/json")
	h.stream = `{"choices":[{"message":{"content":"Hello"}}]}`
	if text := succeed(t, h.server(t, nil), "agents_query", `{"endpoint_name":"bot","input":"x","stream":true}`); gjson.Get(text, "output_text").Str != "Hello" {
		t.Errorf("an endpoint that does not stream: %s", text)
	}
}

// TestBrokenStreams: what came before the end is kept, and said to be a part.
func TestBrokenStreams(t *testing.T) {
	h := newAgentHost(nil)
	call := bound(t, "agents_query", `{"endpoint_name":"bot","input":"x"}`)
	q := &agentQuery{s: h.server(t, nil), call: call, name: "bot", form: chatForm}
	answer := &catalog.Answer{Header: http.Header{"Content-Type": {"text/event-stream"}}}
	broken := io.MultiReader(strings.NewReader(events(`{"choices":[{"delta":{"content":"Hel"}}]}`)), iotest.ErrReader(io.ErrUnexpectedEOF))
	answer.Stream = io.NopCloser(broken)
	body, partial, err := q.read(t.Context(), answer)
	if err != nil || !strings.Contains(partial, "supervisor_start_run with agent=endpoints/bot") || gjson.GetBytes(body, "choices.0.message.content").Str != "Hel" {
		t.Fatalf("%s, %q, %v", body, partial, err)
	}
	if got := gjson.ParseBytes(q.result(answer, body, partial)); !got.Get("incomplete").Bool() || got.Get("output_text").Str != "Hel" {
		t.Errorf("got %s", got.Raw)
	}
}

// TestCollectedIsBounded: an endless stream fills no memory.
func TestCollectedIsBounded(t *testing.T) {
	c := collected{rest: map[string]string{}, spoken: time.Now()}
	piece := gjson.Parse(`{"choices":[{"delta":{"content":"` + strings.Repeat("x", 100_000) + `"}}]}`)
	item := gjson.Parse(`{"type":"response.output_item.done","item":{"type":"function_call","arguments":"` + strings.Repeat("x", 100_000) + `"}}`)
	for range 100 {
		for _, v := range []gjson.Result{piece, item} {
			if err := c.take(t.Context(), v); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(c.body()); n > maxCollected+1000 {
		t.Errorf("%d bytes are kept", n)
	}
}

func FuzzCollected(f *testing.F) {
	f.Add(events(`{"choices":[{"delta":{"content":"Hel"}}]}`, `{"delta":{"id":"c","content":[{"text":"lo"}]}}`, `{"type":"response.output_item.done","item":{"type":"message"}}`))
	f.Add(events(`{"type":"response.completed","response":{"output":[1,"x"],"a\"b":2}}`, `{"error":{}}`, `7`, `"x"`, `[]`))
	f.Fuzz(func(t *testing.T, stream string) {
		var c collected
		_ = c.collect(t.Context(), strings.NewReader(stream)) // a broken one leaves what came
		body := c.body()
		if !gjson.ValidBytes(body) {
			t.Fatalf("no JSON: %s", body)
		}
		a := agentAnswer{gjson.ParseBytes(body)}
		text, found := a.text()
		for _, part := range a.parts(found) {
			if !gjson.Valid(part.value) {
				t.Fatalf("%s of %s is no JSON: %s", part.name, body, part.value)
			}
		}
		_, _ = a.traceID(), text
	})
}
