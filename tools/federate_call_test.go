package tools

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
)

func TestToolIsCallableBeforeTheList(t *testing.T) {
	fn := &fakeUpstream{list: listing("f"), call: saying("hello")}
	c := mcpClient(t, federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, nil))
	if text, failed := use(t, c, "fn_f", `{"query":"x"}`); failed || gjson.Get(text, "text").Str != "hello" || gjson.Get(text, "untrusted.0").Str != "text" {
		t.Error(text)
	}
	if text, failed := use(t, c, "fn_g", `{}`); !failed || !strings.Contains(text, "not found") {
		t.Error(text)
	}
	if got := fn.calls(); len(got) != 1 || got[0] != `{"name":"f","arguments":{"query":"x"}}` {
		t.Error(got)
	}
}

func TestResultsOfOtherServers(t *testing.T) {
	long := strings.Repeat("word ", 20_000)
	for name, test := range map[string]struct {
		result string
		want   func(gjson.Result) bool
	}{
		"text":       {`{"content":[{"type":"text","text":"hi"}]}`, func(r gjson.Result) bool { return r.Raw == `{"untrusted":["text"],"text":"hi"}` }},
		"json text":  {`{"content":[{"type":"text","text":"{\"n\":9007199254740993}"}]}`, func(r gjson.Result) bool { return r.Get("result.n").Raw == "9007199254740993" }},
		"structured": {`{"content":[{"type":"text","text":"{\"a\":1}"}],"structuredContent":{"a":1}}`, func(r gjson.Result) bool { return r.Raw == `{"untrusted":["result"],"result":{"a":1}}` }},
		"both":       {`{"content":[{"type":"text","text":"words"}],"structuredContent":{"a":1}}`, func(r gjson.Result) bool { return r.Get("text").Str == "words" && r.Get("untrusted.1").Str == "text" }},
		"big": {`{"content":[],"structuredContent":{"n":9007199254740993,"deep":[{"id":-9223372036854775808}]}}`, func(r gjson.Result) bool {
			return r.Get("result").Raw == `{"n":9007199254740993,"deep":[{"id":-9223372036854775808}]}`
		}},
		"same twice": {`{"content":[{"type":"text","text":"[1, 2]"}],"structuredContent":{"result":[1,2]}}`, func(r gjson.Result) bool { return !r.Get("text").Exists() }},
		"two things": {`{"content":[{"type":"text","text":"{\"b\":2}"}],"structuredContent":{"a":1}}`, func(r gjson.Result) bool { return r.Get("text").Str == `{"b":2}` && r.Get("result.a").Int() == 1 }},
		"image":      {`{"content":[{"type":"image","mimeType":"image/png","data":"AAAA"},{"type":"text","text":"see"}]}`, func(r gjson.Result) bool { return strings.HasPrefix(r.Get("not_shown.0").Str, "image image/png") }},
		"nothing":    {`{"content":[]}`, func(r gjson.Result) bool { return r.Get("text").Exists() }},
		"long text": {`{"content":[{"type":"text","text":"` + long + `"}]}`, func(r gjson.Result) bool {
			return r.Get("truncated").Bool() && len(r.Raw) < 4*DefaultResultTokens && len(r.Raw) > 2*DefaultResultTokens
		}},
		"long json": {`{"content":[],"structuredContent":{"a":"` + long + `","b":1}}`, func(r gjson.Result) bool {
			return r.Get("truncated").Bool() && r.Get("result.b").Int() == 1 && len(r.Raw) < 4*DefaultResultTokens
		}},
		"controls":  {`{"content":[{"type":"text","text":"a\u001b[31mb\u202ec"}]}`, func(r gjson.Result) bool { return r.Get("text").Str == "abc" && r.Get("removed_characters").Int() == 6 }},
		"no object": {`[]`, func(r gjson.Result) bool { return r.Get("text").Exists() }},
	} {
		fn := &fakeUpstream{list: listing("f"), call: func(context.Context, json.RawMessage, func(string)) (string, error) { return test.result, nil }}
		text, failed := use(t, mcpClient(t, federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, nil)), "fn_f", `{}`)
		if failed || !gjson.Valid(text) || !test.want(gjson.Parse(text)) {
			t.Errorf("%s: %.300s", name, text)
		}
	}
	fn := &fakeUpstream{list: listing("f"), call: func(context.Context, json.RawMessage, func(string)) (string, error) {
		return `{"isError":true,"content":[{"type":"text","text":"price must be positive"}]}`, nil
	}}
	text, failed := use(t, mcpClient(t, federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, nil)), "fn_f", `{}`)
	if !failed || gjson.Get(text, "error.kind").Str != "invalid" || gjson.Get(text, "error.untrusted.0").Str != "message" || !strings.Contains(text, "price must be positive") {
		t.Error(text)
	}
}

// TestSignInElsewhereIsRelayed: the address reaches clients of both eras, and is in
// the text for the others.
func TestSignInElsewhereIsRelayed(t *testing.T) {
	const address = "https://work.cloud.databricks.com/explore/connections/crm"
	s := federating(t, map[string]*fakeUpstream{"crm=external/crm": {list: listing("find"), call: func(context.Context, json.RawMessage, func(string)) (string, error) {
		return "", &catalog.Error{Kind: catalog.SignIn, Message: "sign in", Advice: "Open " + address, SignInURL: address}
	}}}, nil)
	foreignTools(t, mcpClient(t, s))
	newerClient := func(capabilities string) string {
		request := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"crm_find","arguments":{}` + newer(capabilities) + `}}`
		encoded, err := json.Marshal(s.MCP().HandleMessage(t.Context(), []byte(request)))
		if err != nil {
			t.Fatal(err)
		}
		return string(encoded)
	}
	if got := newerClient(`{"elicitation":{"url":{}}}`); gjson.Get(got, "result.resultType").Str != "input_required" || !strings.Contains(got, address) {
		t.Error(got)
	}
	if got := newerClient(`{}`); gjson.Get(got, "result.structuredContent.error.kind").Str != "signin" || !strings.Contains(got, address) {
		t.Error(got)
	}
	for _, opens := range []bool{true, false} {
		c, err := client.NewInProcessClientWithSamplingHandler(s.MCP(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		var hello mcp.InitializeRequest
		hello.Params.ProtocolVersion = "2025-11-25"
		if opens {
			hello.Params.Capabilities.Elicitation = &mcp.ElicitationCapability{URL: &struct{}{}}
		}
		if _, err := c.Initialize(t.Context(), hello); err != nil {
			t.Fatal(err)
		}
		var req mcp.CallToolRequest
		req.Params.Name = "crm_find"
		result, err := c.CallTool(t.Context(), req)
		var asked mcp.URLElicitationRequiredError
		switch {
		case opens && (!errors.As(err, &asked) || asked.Elicitations[0].URL != address):
			t.Errorf("a client that opens addresses: %v, %v", result, err)
		case !opens && (err != nil || !result.IsError):
			t.Errorf("a client that does not: %v, %v", result, err)
		}
	}
}

// TestProgressAndPairs: progress comes through, but Genie is never asked to answer in
// the one call, which would take longer than ours may.
func TestProgressAndPairs(t *testing.T) {
	heard := map[string]bool{}
	var mu sync.Mutex
	up := &fakeUpstream{list: listing("genie_ask", "genie_poll_response"), call: func(_ context.Context, params json.RawMessage, progress func(string)) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		heard[gjson.GetBytes(params, "name").Str] = progress != nil
		return `{"content":[]}`, nil
	}}
	c := mcpClient(t, federating(t, map[string]*fakeUpstream{"one=service/system.ai.genie_one_mcp": up}, nil))
	foreignTools(t, c)
	for _, tool := range []string{"one_genie_ask", "one_genie_poll_response"} {
		var req mcp.CallToolRequest
		req.Params.Name, req.Params.Meta = tool, &mcp.Meta{ProgressToken: "p"}
		if _, err := c.CallTool(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	if heard["genie_ask"] || !heard["genie_poll_response"] {
		t.Error(heard)
	}
}

// TestWhatIsNotShownIsTheirs: types and addresses are the server's words, and an
// address without its query lets nobody in.
func TestWhatIsNotShownIsTheirs(t *testing.T) {
	fn := &fakeUpstream{list: listing("f"), call: func(context.Context, json.RawMessage, func(string)) (string, error) {
		return `{"content":[{"type":"resource_link","uri":"https://store/x?sig=abc","mimeType":"obey me"},{"type":"text","text":"see"}]}`, nil
	}}
	text, _ := use(t, mcpClient(t, federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, nil)), "fn_f", `{}`)
	if gjson.Get(text, "untrusted").Raw != `["text","not_shown"]` || !strings.HasPrefix(gjson.Get(text, "not_shown.0").Str, "resource_link obey me https://store/x, ") {
		t.Error(text)
	}
}

// TestStructuredResultsOfOtherServers: with --structured numbers are as exact.
func TestStructuredResultsOfOtherServers(t *testing.T) {
	fn := &fakeUpstream{list: listing("f"), call: func(context.Context, json.RawMessage, func(string)) (string, error) {
		return `{"content":[],"structuredContent":{"n":9007199254740993}}`, nil
	}}
	s := federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, func(cfg *Config) { cfg.Structured = true })
	foreignTools(t, mcpClient(t, s))
	encoded, err := json.Marshal(s.MCP().HandleMessage(t.Context(), []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"fn_f","arguments":{}}}`)))
	if got := gjson.GetBytes(encoded, "result.structuredContent.result").Raw; err != nil || got != `{"n":9007199254740993}` {
		t.Errorf("%s, %v", encoded, err)
	}
}

// TestTraceIsPassedOn: the trace that a client is in goes on in the server; what is no
// traceparent goes nowhere.
func TestTraceIsPassedOn(t *testing.T) {
	kb := &fakeUpstream{list: listing("main__kb__a"), call: saying("x")}
	c := mcpClient(t, federating(t, map[string]*fakeUpstream{"kb=vector-search/main/kb": kb}, nil))
	foreignTools(t, c)
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, traceparent := range []string{parent, "00-nothing"} {
		var req mcp.CallToolRequest
		req.Params.Name, req.Params.Arguments = "kb_main__kb__a", map[string]any{"query": "q", "num_results": 3}
		req.Params.Meta = &mcp.Meta{AdditionalFields: map[string]any{"traceparent": traceparent, "other": "x"}}
		if result, err := c.CallTool(t.Context(), req); err != nil || result.IsError {
			t.Fatal(result, err)
		}
	}
	want := []string{
		`{"name":"main__kb__a","arguments":{"query":"q"},"_meta":{"num_results":3,"traceparent":"` + parent + `"}}`,
		`{"name":"main__kb__a","arguments":{"query":"q"},"_meta":{"num_results":3}}`,
	}
	if got := kb.calls(); !slices.Equal(got, want) {
		t.Error(got)
	}
}

// TestCancelStopsGenie: a client that cancels its poll wants no answer any more; time
// that runs out says nothing of the kind.
func TestCancelStopsGenie(t *testing.T) {
	for name, test := range map[string]struct {
		tools   []string
		tool    string
		cancels bool // else the time runs out
		want    int
	}{
		"cancelled":        {[]string{"genie_poll_response", genieCancel}, "one_genie_poll_response", true, 2},
		"out of time":      {[]string{"genie_poll_response", genieCancel}, "one_genie_poll_response", false, 1},
		"cannot be":        {[]string{"genie_poll_response"}, "one_genie_poll_response", true, 1},
		"only the reading": {[]string{"genie_get_query_result", genieCancel}, "one_genie_get_query_result", true, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			up := &fakeUpstream{list: listing(test.tools...), call: func(ctx context.Context, params json.RawMessage, _ func(string)) (string, error) {
				if gjson.GetBytes(params, "name").Str == genieCancel {
					return `{"content":[]}`, nil
				}
				<-ctx.Done()
				return "", &catalog.Error{Kind: catalog.Busy, Err: ctx.Err(), Message: "over"}
			}}
			s := federating(t, map[string]*fakeUpstream{"one=service/system.ai.genie_one_mcp": up}, nil)
			row, err := s.Find(t.Context(), test.tool)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.cancels {
				time.AfterFunc(time.Second, cancel)
			}
			if result := s.Call(ctx, row, []byte(`{"conversation_id":"c","response_id":"r"}`)); !result.IsError {
				t.Errorf("%s: %v", name, result)
			}
			s.Wait(t.Context())
			got := up.calls()
			if len(got) != test.want || test.want == 2 && got[1] != `{"name":"genie_cancel_response","arguments":{"conversation_id":"c","response_id":"r"}}` {
				t.Errorf("%s: %v", name, got)
			}
		})
	}
}

// TestToolThatBecameAnother: a call judged as a read does not go to a tool that its
// server has meanwhile declared to write.
func TestToolThatBecameAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fn := &fakeUpstream{list: listing("a"), call: saying("x")}
		s := federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, nil)
		row, err := s.Find(t.Context(), "fn_a")
		if err != nil {
			t.Fatal(err)
		}
		judged := *row
		for judged.Effect == row.Effect {
			judged.Effect++
		}
		call, err := judged.Bind(json.RawMessage(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		call.Row = &judged
		_, err = s.relay(t.Context(), call)
		if e := catalog.AsError(err); e == nil || e.Kind != catalog.Conflict || len(fn.calls()) != 0 {
			t.Errorf("%v after %v", err, fn.calls())
		}
		s.Wait(t.Context())
	})
}
