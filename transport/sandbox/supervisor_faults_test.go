package sandbox

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// sandboxed is a request with magic words in its instructions.
func sandboxed(request object, words ...string) object {
	return but(request, object{"instructions": "sandbox-" + strings.Join(words, " sandbox-")})
}

func TestSupervisorMisbehaves(t *testing.T) {
	_, ben, clock := newCallers(t)
	const pair = "function_call function_call_output"
	orders := asked("How many orders last week?", ordersTool)
	wants(t, ben.respond(clock, sandboxed(orders, "refusal")), "completed", pair+" message", "")
	wants(t, ben.respond(clock, sandboxed(orders, "cancelled")), "cancelled", pair, "")

	failed := ben.respond(clock, sandboxed(orders, "fail"))
	wants(t, failed, "failed", pair, "")
	if failed.Error["code"] != "server_error" || failed.Error["message"] == "" {
		t.Fatal(failed.Error)
	}
	incomplete := ben.respond(clock, sandboxed(orders, "incomplete"))
	wants(t, incomplete, "incomplete", pair+" message", "Accor")
	if last := incomplete.Output[2]; incomplete.Incomplete["reason"] != "max_output_tokens" || last["status"] != "incomplete" || last["id"] == nil {
		t.Fatal(incomplete)
	}
	long := ben.respond(clock, sandboxed(orders, "long"))
	wants(t, long, "completed", pair+" "+pair+" message", "**96**")
	if long.Output[0]["name"] != "system__ai__python_exec" || len(textOf(long.Output[1], "output")) != 200_000 {
		t.Fatal(long.Output[0])
	}
	ids := ben.respond(clock, sandboxed(orders, "long-ids"))
	if id := textOf(ids.Output[2], "id"); len(id) <= longestID {
		t.Fatal(id)
	}
	rec := ben.send("POST", responses, but(orders, object{"input": append([]object{{"role": "user", "content": "x"}}, ids.Output...)}))
	if rec.Code != 400 || !strings.Contains(rec.Body.String(), "maximum length 64") {
		t.Fatal(rec.Code, rec.Body)
	}
	instant := ben.outcome(ben.call("POST", responses, sandboxed(orders, "instant")))
	wants(t, instant, "completed", pair+" message", "**96**")
	wants(t, ben.poll(instant.ID), "completed", pair+" message", "**96**")

	history := but(orders, object{"input": []object{{"role": "user", "content": "a"}, {"type": "message", "role": "assistant", "content": "b"}, {"role": "user", "content": "Orders?"}}})
	wants(t, ben.respond(clock, history), "completed", "message "+pair+" message", "Orders: **5000**")
	wants(t, ben.respond(clock, sandboxed(history, "no-echo")), "completed", pair+" message", "Orders: **5000**")
}

func TestSupervisorTakesTime(t *testing.T) {
	_, ben, clock := newCallers(t)
	hello := asked("Hello")
	start := func(word string) string {
		return ben.outcome(ben.call("POST", responses, sandboxed(hello, word))).ID
	}
	slow, stuck, hung, unknown := start("slow"), start("stuck"), start("hang"), start("unknown")
	status := func() string {
		return strings.Join([]string{ben.poll(slow).Status, ben.poll(stuck).Status, ben.poll(hung).Status, ben.poll(unknown).Status}, " ")
	}
	for _, step := range []struct {
		after time.Duration
		want  string
	}{
		{0, "queued queued queued queued"},
		{2 * time.Second, "in_progress in_progress in_progress contemplating"},
		{2 * time.Second, "in_progress in_progress in_progress completed"},
		{2 * time.Minute, "completed in_progress in_progress completed"},
		{28 * time.Minute, "completed failed in_progress completed"},
		{24 * time.Hour, "completed failed in_progress completed"},
	} {
		clock.advance(step.after)
		if got := status(); got != step.want {
			t.Fatalf("after %v more: %s, want %s", step.after, got, step.want)
		}
	}
	if got := ben.poll(stuck); got.Error["code"] != "timeout" {
		t.Fatal(got)
	}
	clock.advance(responseLife)
	ben.refused("GET", responses+"/"+slow, nil, 404, "RESOURCE_DOES_NOT_EXIST")
}

func TestSupervisorSignIn(t *testing.T) {
	_, ben, clock := newCallers(t)
	request := but(asked("Find the account of Keller", crmTool), object{"background": false, "model": "sandbox-trusting"})
	failed := ben.outcome(ben.call("POST", responses, request))
	message := textOf(failed.Error, "message")
	if failed.Status != "failed" || failed.Error["code"] != "oauth" || !strings.HasPrefix(message, "Credential for user identity('ben@example.com') is not found for the connection 'crm'. Please login first to the connection by visiting http://example.com/explore/connections/crm?") {
		t.Fatal(failed)
	}
	url := message[strings.Index(message, "http://example.com"):]
	ben.get(strings.TrimPrefix(url, "http://example.com"))
	wants(t, ben.outcome(ben.call("POST", responses, request)), "completed", "function_call function_call_output message", "open tickets 2")
	if got := ben.respond(clock, sandboxed(asked("Hello", crmTool), "oauth")); got.Status != "completed" { // asks first
		t.Fatal(got)
	}
	if got := ben.respond(clock, sandboxed(asked("Hello"), "oauth")); got.Error["code"] != "oauth" {
		t.Fatal(got)
	}
}

func TestSupervisorTraces(t *testing.T) {
	ana, ben, clock := newCallers(t)
	request := but(asked("How many orders?", ordersTool), object{
		"trace_destination": object{"catalog_name": "main", "schema_name": "default", "table_prefix": "runs"}, "databricks_options": object{"return_trace": true},
	})
	const parent = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	begun := ben.outcome(ben.call("POST", responses, request, parent))
	clock.advance(time.Minute)
	end := ben.poll(begun.ID)
	const id = "trace:/main.default.runs/0af7651916cd43dd8448eb211c80319c"
	if end.Databricks["databricks_request_id"] != id || !strings.Contains(fmt.Sprint(end.Databricks["trace"]), "genie_retail_orders") {
		t.Fatal(end.Databricks)
	}
	rows, err := ben.w.lakehouse.query(context.Background(), &principal{UserName: benName, Groups: []string{"analysts"}}, "SELECT name FROM main.default.runs_otel_spans WHERE trace_id = '0af7651916cd43dd8448eb211c80319c' ORDER BY start_time, name")
	if got := fmt.Sprint(rows.rows, err); got != "[[supervisor] [genie_retail_orders] [function_call_output] [message]] <nil>" {
		t.Fatal(got)
	}
	plain := ana.respond(clock, asked("Hello"))
	if plain.Databricks != nil {
		t.Fatal(plain.Databricks)
	}
	for header, want := range map[string]string{parent[len("traceparent: "):]: "0af7651916cd43dd8448eb211c80319c", "": "", "00-0-0-0": "", "00-00000000000000000000000000000000-b7ad6b7169203331-01": ""} {
		if got := traceParent(header); got != want {
			t.Errorf("%q: %q", header, got)
		}
	}
}

// events reads a stream into its event types and its frames.
func events(body string) (kinds []string, frames []object) {
	for _, frame := range strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		kind, data, _ := strings.Cut(frame, "\ndata: ")
		var event object
		if err := unmarshal([]byte(data), &event); err != nil {
			panic(err)
		}
		kinds, frames = append(kinds, strings.TrimPrefix(kind, "event: ")), append(frames, event)
	}
	return kinds, frames
}

func TestSupervisorStreams(t *testing.T) {
	_, ben, _ := newCallers(t)
	request := but(asked("How long may customers return goods?", handbookTool), object{"background": false, "stream": true, "reasoning": object{"effort": "low"}})
	rec := ben.send("POST", responses, request)
	if rec.Code != 200 || rec.Header().Get("Content-Type") != "text/event-stream" {
		t.Fatal(rec.Code, rec.Header())
	}
	kinds, frames := events(rec.Body.String())
	var distinct []string
	text := ""
	for i, k := range kinds {
		if frames[i]["type"] != k || fmt.Sprint(frames[i]["sequence_number"]) != fmt.Sprint(i) {
			t.Fatalf("event %d: %s, %v", i, k, frames[i])
		}
		if i == 0 || kinds[i-1] != k {
			distinct = append(distinct, strings.TrimPrefix(k, "response."))
		}
		if k == "response.output_text.delta" {
			text += textOf(frames[i], "delta")
		}
	}
	const want = "created in_progress " +
		"output_item.added reasoning_summary_part.added reasoning_summary_text.delta reasoning_summary_text.done reasoning_summary_part.done output_item.done " +
		"output_item.added function_call_arguments.delta function_call_arguments.done output_item.done " +
		"output_item.added content_part.added output_text.delta output_text.annotation.added output_text.done content_part.done output_item.done completed"
	if got := strings.Join(distinct, " "); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	var last outcome
	if err := recast(frames[len(frames)-1]["response"], &last); err != nil {
		t.Fatal(err)
	}
	wants(t, last, "completed", "reasoning function_call function_call_output message", "within 30 days")
	if last.text() != text {
		t.Fatalf("deltas give %q, the message is %q", text, last.text())
	}
}

func TestSupervisorStreamsGoWrong(t *testing.T) {
	_, ben, _ := newCallers(t)
	request := but(asked("Orders?", ordersTool), object{"background": false, "stream": true})
	end := func(words ...string) (string, object, string) {
		kinds, frames := events(ben.send("POST", responses, sandboxed(request, words...)).Body.String())
		n := len(kinds)
		return strings.Join(kinds[n-2:], " "), frames[n-2], fmt.Sprint(frames[n-1]["response"])
	}
	kinds, fault, _ := end("lie")
	if kinds != "error response.completed" || fault["type"] != nil || fault["code"] != "server_error" {
		t.Fatal(kinds, fault)
	}
	if kinds, fault, last := end("fail"); kinds != "error response.failed" || fault["type"] != "error" || !strings.Contains(last, "server_error") {
		t.Fatal(kinds, fault, last)
	}
	if kinds, _, last := end("bare"); kinds != "response.output_item.done response.completed" || !strings.Contains(last, "output:[]") {
		t.Fatal(kinds, last)
	}
	if kinds, _, _ := end("eof"); kinds != "response.content_part.done response.output_item.done" {
		t.Fatal(kinds)
	}
	if kinds, _, _ := end("incomplete"); !strings.HasSuffix(kinds, " response.incomplete") {
		t.Fatal(kinds)
	}
	all, _ := events(ben.send("POST", responses, sandboxed(request, "refusal")).Body.String())
	if got := strings.Join(all, " "); !strings.Contains(got, "response.refusal.delta response.refusal.done") {
		t.Fatal(got)
	}
}

// A slow stream waits for the clock, item by item.
func TestSupervisorStreamsSlowly(t *testing.T) {
	_, ben, clock := newCallers(t)
	body := `{"model":"m","input":"Hello","stream":true,"instructions":"sandbox-slow"}`
	req, err := http.NewRequest("POST", "https://workspace.invalid"+responses, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+ben.token)
	resp, err := ben.w.RoundTripper().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	upTo := func(event string) bool {
		for lines.Scan() {
			if lines.Text() == "event: "+event {
				return true
			}
		}
		return false
	}
	if !upTo("response.in_progress") {
		t.Fatal("the stream has not begun")
	}
	clock.advance(2 * time.Minute)
	if !upTo("response.completed") {
		t.Fatal("the stream does not end")
	}
}

func TestSupervisorScopes(t *testing.T) {
	ana, _, clock := newCallers(t)
	token := func(scopes ...string) caller {
		name := strings.Join(scopes, " ")
		ana.w.people.mu.Lock()
		defer ana.w.people.mu.Unlock()
		ana.w.people.tokens[name] = accessToken{id: ana.w.people.tokens[Token].id, expires: clock.Now().Add(time.Hour), scopes: scopes}
		return caller{t, ana.w, name}
	}
	narrow := token("ai-gateway", "genie")
	narrow.call("POST", responses, asked("Orders?", ordersTool))
	for tool, scope := range map[string]object{"unity-catalog": convertTool, "apps": ordersApp, "model-serving": handbookTool} {
		if got := narrow.refused("POST", responses, asked("x", scope), 403, "PERMISSION_DENIED"); !strings.Contains(got, "required scopes: "+tool) {
			t.Error(got)
		}
	}
	token("sql").refused("POST", responses, asked("x"), 403, "PERMISSION_DENIED")
	token("sql").refused("GET", "/api/2.0/genie/spaces", nil, 403, "PERMISSION_DENIED")
	token("sql").refused("GET", "/api/2.0/apps", nil, 403, "PERMISSION_DENIED")
	token(allAPIs).call("POST", responses, asked("x", convertTool))
}

func TestSupervisorFaultRules(t *testing.T) {
	clock := newTurnClock()
	var rules []Fault
	for _, text := range []string{"429:path=" + responses + "/*,method=GET,count=1,retry-after=3", "reset:when=after,method=POST,path=" + responses + ",count=1", "503:path=" + appsPath + "*"} {
		rule, err := ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, rule)
	}
	w, err := New(Options{Clock: clock, Faults: rules})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	client := &http.Client{Transport: w.RoundTripper()}
	send := func(method, url, body string) (*http.Response, error) {
		req, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+Token)
		return client.Do(req)
	}
	if _, err := send("POST", "https://w.invalid"+responses, `{"model":"m","input":"Hello","background":true}`); err == nil {
		t.Fatal("the answer was to be lost")
	}
	if len(w.supervisor.order) != 1 {
		t.Fatal("the effect was to happen")
	}
	id := w.supervisor.order[0].id
	resp, err := send("GET", "https://w.invalid"+responses+"/"+id, "")
	if err != nil || resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "3" {
		t.Fatal(resp, err)
	}
	if resp, err = send("GET", "https://stock-agent-"+ID+AppsDomain+"/health", ""); err != nil || resp.StatusCode != 503 {
		t.Fatal(resp, err)
	}
}

func TestSupervisorAtTheSameTime(t *testing.T) {
	ana, ben, clock := newCallers(t)
	app := caller{t, ana.w, OAuthToken}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			begun := ben.outcome(ben.call("POST", responses, asked("Orders by channel? Then convert 1 EUR to USD.", ordersTool, convertTool)))
			clock.advance(3 * time.Second)
			ben.poll(begun.ID)
			at := durableApp
			app.call("POST", at, turnOf(strings.Replace(turnID, "3d0f", fmt.Sprintf("%04x", i/2), 1), "orders"), inSession)
			app.get("/api/2.0/apps")
			ana.send("POST", ordersSpace+"/start-conversation", object{"content": "orders?"})
			ana.get(ordersSpace + "/conversations")
		})
	}
	wg.Wait()
	if n := len(ana.w.apps.tasks); n != 4 {
		t.Fatal("tasks:", n)
	}
}

// FuzzSupervisor: whatever is sent is answered, with an error that is the
// sender's, and whatever is accepted comes to its end.
func FuzzSupervisor(f *testing.F) {
	for _, body := range []string{
		`{"model":"m","input":"Convert 1.2.3 EUR to USD. Search the web for ;","tools":[{"type":"uc_function","uc_function":{"name":"main.retail.convert_currency"}},{"type":"uc_connection","uc_connection":{"name":"web_search","description":"d"}}]}`,
		`{"model":"m","input":[null,{"role":"user","content":[{"text":"top 0 customers by revenue in May"},7]}],"tools":[null]}`,
		`{"model":"sandbox-two sandbox-long-ids","stream":true,"input":[{"role":"user","content":"x"},{"type":"function_call","call_id":"","arguments":"{"},{"type":"function_call_output","call_id":""}],"tools":[{"type":"genie_space","genie_space":{"id":"01ef8d2a5c7b1e4f9a3d6b8c0e2f4a61","description":"d"}}]}`,
	} {
		f.Add(body)
	}
	w, err := New(Options{Clock: newTurnClock()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = w.Close() })
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Contains(body, "sandbox-slow") {
			t.Skip("it would wait for the clock, which stands still")
		}
		if rec := (caller{t, w, Token}).send("POST", responses, body); rec.Code >= 500 {
			t.Fatal(rec.Code, rec.Body)
		}
	})
}
