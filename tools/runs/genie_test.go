package runs

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

const (
	genieSpace = "/api/2.0/genie/spaces/s1"
	askFirst   = "POST " + genieSpace + "/start-conversation"
	askNext    = "POST " + genieSpace + "/conversations/c1/messages"
	getMessage = "GET " + genieSpace + "/conversations/c1/messages/m1"
	getRows    = getMessage + "/attachments/a1/query-result"
	runAgain   = "POST " + genieSpace + "/conversations/c1/messages/m1/attachments/a1/execute-query"

	askedGenie = `{"conversation_id":"c1","message_id":"m1","message":{"message_id":"m1","status":"SUBMITTED"}}`
	twoRows    = `{"statement_response":{"statement_id":"st","status":{"state":"SUCCEEDED"},"manifest":{"schema":{"columns":[{"name":"country"},{"name":"n"}]},"total_row_count":2},"result":{"data_array":[["AT","3"],["DE",null]]}}}`
	withQuery  = `"attachments":[{"attachment_id":"a1","query":{"query":"SELECT country, count(*) FROM orders","title":"Orders","description":"Orders by country."}}`
)

func genieOf(t *testing.T, answers map[string][]scripted) (*Runner, *script) {
	api := newScript(t, answers)
	if api.answers[askFirst] == nil {
		api.answers[askFirst] = []scripted{says(askedGenie)}
	}
	return runnerOf(&Genie{API: api}), api
}

func TestGenie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runner, api := genieOf(t, map[string][]scripted{
			getMessage: {
				says(`{"status":"ASKING_AI"}`), says(`{"status":"SOMETHING_NEW"}`), says(`{"status":"PENDING_WAREHOUSE"}`),
				says(`{"status":"EXECUTING_QUERY",` + withQuery + `]}`),
				says(`{"status":"COMPLETED",` + withQuery + `,{"text":{"content":"Austria leads.","purpose":"TEXT_ATTACHMENT_PURPOSE_ANSWER"}},{"suggested_questions":{"questions":["And by month?"]}},{"viz":{"title":"x"}}]}`),
			},
			getRows: {says(twoRows)},
		})
		run := start(t, runner, "genie/s1", asking(" Orders by country? "))
		if got := gjson.GetBytes(api.sent(askFirst)[0].Body, "content").Str; got != "Orders by country?" {
			t.Errorf("asked %q", got)
		}
		if run.Status != Queued || run.Conversation != "c1" || run.LastResponse().ID != "m1" {
			t.Errorf("%s %q %+v", run.Status, run.Conversation, run.LastResponse())
		}
		for _, doing := range []string{"asking ai", "something new", "waiting for the warehouse to start"} {
			run = look(t, runner, run)
			wantRun(t, run, InProgress, "")
			if run.Doing != doing {
				t.Errorf("doing %q, want %q", run.Doing, doing)
			}
			time.Sleep(3 * time.Second)
		}
		run = look(t, runner, run)
		wantRun(t, run, InProgress, "", "function_call")
		run = look(t, runner, run)
		wantRun(t, run, Completed, "Austria leads.", "function_call", "function_call_output", "message", "suggested_questions")
		call := gjson.ParseBytes(run.Items[0])
		if call.Get("name").Str != "genie_query" || gjson.Parse(call.Get("arguments").Str).Get("query").Str != "SELECT country, count(*) FROM orders" {
			t.Errorf("call %s", run.Items[0])
		}
		output := gjson.ParseBytes(run.Items[1])
		rows := gjson.Parse(output.Get("output").Str)
		if output.Get("call_id").Str != call.Get("call_id").Str || rows.Get("rows").Raw != `[["AT","3"],["DE",null]]` || rows.Get("columns").Raw != `["country","n"]` || rows.Get("total_rows").Int() != 2 || rows.Get("truncated").Bool() {
			t.Errorf("output %s", run.Items[1])
		}
		if gjson.GetBytes(run.Items[3], "questions.0").Str != "And by month?" {
			t.Errorf("suggested %s", run.Items[3])
		}
	})
}

func TestGenieFollowsUp(t *testing.T) {
	runner, api := genieOf(t, map[string][]scripted{
		askNext:    {says(`{"id":"m1","status":"SUBMITTED"}`)}, // an older workspace
		getMessage: {says(`{"status":"COMPLETED","attachments":[{"text":{"content":"Which year?","purpose":"FOLLOW_UP_QUESTION"}}]}`)},
	})
	request := asking("and by year?")
	request.ConversationID = "c1"
	run := start(t, runner, "genie/s1", request)
	wantRun(t, look(t, runner, run), Completed, "Which year?", "message")
	if n := len(api.sent(askFirst)); n != 0 {
		t.Errorf("%d conversations were started", n)
	}
}

func TestGenieEnds(t *testing.T) {
	failed := func(kind string) scripted {
		return says(fmt.Sprintf(`{"status":"FAILED","error":{"error":"Sorry.","type":%q},%s]}`, kind, withQuery))
	}
	for name, c := range map[string]struct {
		message, rows scripted
		status        Status
		text          string // in the output text
		code, says    string // of the failure
	}{
		"cancelled":         {says(`{"status":"CANCELLED"}`), nil, Cancelled, "", "", ""},
		"failed":            {failed("UNHEARD_OF"), nil, Failed, "", "UNHEARD_OF", "Sorry."},
		"failed, no reason": {says(`{"status":"FAILED"}`), nil, Failed, "", "FAILED", "no reason"},
		"rate limit":        {failed("RATE_LIMIT_EXCEEDED_GENERIC_EXCEPTION"), nil, Failed, "", "RATE_LIMIT_EXCEEDED_GENERIC_EXCEPTION", "limited: "},
		"timeout":           {failed("CHAT_COMPLETION_CLIENT_TIMEOUT_EXCEPTION"), nil, Failed, "", "CHAT_COMPLETION_CLIENT_TIMEOUT_EXCEPTION", "busy: "},
		"warehouse":         {failed("WAREHOUSE_ACCESS_MISSING_EXCEPTION"), nil, Failed, "", "WAREHOUSE_ACCESS_MISSING_EXCEPTION", "CAN_USE"},
		"tables":            {failed("TABLES_MISSING_EXCEPTION"), nil, Failed, "", "TABLES_MISSING_EXCEPTION", "SELECT"},
		"filter":            {failed("CONTENT_FILTER_EXCEPTION"), nil, Failed, "", "CONTENT_FILTER_EXCEPTION", "other words"},
		"two at once":       {failed("BLOCK_MULTIPLE_EXECUTIONS_EXCEPTION"), nil, Failed, "", "BLOCK_MULTIPLE_EXECUTIONS_EXCEPTION", "conflict: "},
		"forgotten":         {refuses(catalog.Missing, 404, ""), nil, Expired, "", "not_found", "does not know"},
		"rows without text": {says(`{"status":"COMPLETED",` + withQuery + `]}`), says(twoRows), Completed, "Orders by country.\n\ncountry | n\nAT | 3\nDE | \n(2 rows in all)", "", ""},
		"SQL failed":        {says(`{"status":"COMPLETED",` + withQuery + `]}`), says(`{"statement_response":{"status":{"state":"FAILED","error":{"message":"no column x"}}}}`), Completed, "no column x", "", ""},
		"rows not allowed":  {says(`{"status":"COMPLETED",` + withQuery + `]}`), refuses(catalog.Forbidden, 403, "NO_SELECT"), Completed, "NO_SELECT", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			runner, api := genieOf(t, map[string][]scripted{getMessage: {c.message}})
			if c.rows != nil {
				api.then(getRows, c.rows)
			}
			run := look(t, runner, start(t, runner, "genie/s1", asking("x")))
			if run.Status != c.status || !strings.Contains(run.OutputText(), c.text) {
				t.Errorf("%s %q, want %s %q", run.Status, run.OutputText(), c.status, c.text)
			}
			if f := run.Error; (f != nil) != (c.code != "") || f != nil && (f.Code != c.code || !strings.Contains(f.Message, c.says)) {
				t.Errorf("error %+v", f)
			}
		})
	}
}

// Rows that have expired are made again, once.
func TestGenieRowsExpired(t *testing.T) {
	running := `{"statement_response":{"status":{"state":"RUNNING"}}}`
	closed := `{"statement_response":{"status":{"state":"CLOSED"}}}`
	expired := says(`{"status":"QUERY_RESULT_EXPIRED",` + withQuery + `]}`)
	completed := says(`{"status":"COMPLETED",` + withQuery + `]}`)
	for name, c := range map[string]struct {
		message scripted
		again   []scripted
		rows    []scripted
		looks   int
		text    string
	}{
		"runs a while":    {expired, []scripted{says(running)}, []scripted{says(running), says(twoRows)}, 3, "AT | 3"},
		"at once":         {expired, []scripted{says(twoRows)}, nil, 1, "AT | 3"},
		"closed":          {completed, []scripted{says(running)}, []scripted{says(closed), says(twoRows)}, 2, "AT | 3"},
		"closed again":    {completed, []scripted{says(running)}, []scripted{says(closed), says(closed)}, 2, "expired"},
		"not allowed":     {expired, []scripted{refuses(catalog.Forbidden, 403, "NO_WAREHOUSE")}, nil, 1, "NO_WAREHOUSE"},
		"its answer lost": {expired, []scripted{refuses(catalog.UnknownFate, 0, "")}, []scripted{says(twoRows)}, 2, "AT | 3"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				runner, api := genieOf(t, map[string][]scripted{getMessage: {c.message}, runAgain: c.again, getRows: c.rows})
				run := start(t, runner, "genie/s1", asking("x"))
				for i := range c.looks {
					if run = look(t, runner, run); run.Status.Ended() != (i == c.looks-1) {
						t.Fatalf("look %d: %s", i, run.Status)
					}
					time.Sleep(3 * time.Second)
				}
				if run.Status != Completed || !strings.Contains(run.OutputText(), c.text) {
					t.Errorf("%s %q", run.Status, run.OutputText())
				}
				if n := len(api.sent(runAgain)); n != 1 {
					t.Errorf("the query was run again %d times", n)
				}
			})
		})
	}
}

func TestGenieLookFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runner, api := genieOf(t, map[string][]scripted{getMessage: {says(`{"status":"COMPLETED",` + withQuery + `]}`)}, getRows: {refuses(catalog.Down, 503, ""), says(twoRows)}})
		run := start(t, runner, "genie/s1", asking("x"))
		seen, failed, err := runner.Look(t.Context(), ana, run.ID)
		if err != nil || seen.Status != Queued {
			t.Errorf("%v %v", seen.Status, err)
		}
		wantError(t, failed, catalog.Down)
		if run = look(t, runner, run); run.Status != Completed {
			t.Errorf("%s", run.Status)
		}
		// One that never ends is given up at some time.
		run = start(t, runner, "genie/s1", asking("x"))
		api.then(getMessage, says(`{"status":"ASKING_AI"}`))
		time.Sleep(genieLimit + time.Second)
		if run = look(t, runner, run); run.Status != Failed || run.Error.Code != "timed_out" {
			t.Errorf("%s %+v", run.Status, run.Error)
		}
		// And one that is cancelled goes on over there.
		run = start(t, runner, "genie/s1", asking("x"))
		if run, err = runner.Cancel(t.Context(), ana, run.ID); err != nil || run.Status != Abandoned || !strings.Contains(run.Error.Message, "Genie has no cancel") {
			t.Errorf("%v %+v %v", run.Status, run.Error, err)
		}
	})
}

// A question outlives the server that asked it, with what was run again for it.
func TestGenieAfterARestart(t *testing.T) {
	dir := t.TempDir()
	api := newScript(t, map[string][]scripted{askFirst: {says(askedGenie)}, getMessage: {says(`{"status":"ASKING_AI"}`)}})
	server := func() *Runner {
		return &Runner{Registry: New(dir), Backend: func(string) (Backend, error) { return &Genie{API: api}, nil }}
	}
	run := start(t, server(), "genie/s1", asking("Orders by country?"))
	run = look(t, server(), run)
	wantRun(t, run, InProgress, "")
	api.then(getMessage, says(`{"status":"QUERY_RESULT_EXPIRED",`+withQuery+`]}`))
	api.then(runAgain, says(`{"statement_response":{"status":{"state":"RUNNING"}}}`))
	wantRun(t, look(t, server(), run), InProgress, "", "function_call")
	api.then(getRows, says(twoRows))
	ended := look(t, server(), run)
	wantRun(t, ended, Completed, "Orders by country.\n\ncountry | n\nAT | 3\nDE | \n(2 rows in all)", "function_call", "function_call_output", "message")
	if n := len(api.sent(askFirst)) + len(api.sent(runAgain)); n != 2 || ended.Conversation != "c1" {
		t.Errorf("%d writes, conversation %q", n, ended.Conversation)
	}

	// One whose answer was never written down is not asked again.
	lost := &Run{Owner: ana, Agent: "genie/s1", Request: asking("x"), Status: Queued, Sending: &Sending{What: "start", At: time.Now()}}
	unlock, err := New(dir).add(t.Context(), lost)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if seen := look(t, server(), lost); seen.Status != Unknown || !strings.Contains(seen.Error.Message, "nothing was sent again") {
		t.Errorf("%s %+v", seen.Status, seen.Error)
	}
	if n := len(api.sent(askFirst)); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestGenieStartRefused(t *testing.T) {
	text := func(items ...string) Request {
		var r Request
		for _, i := range items {
			r.Input = append(r.Input, json.RawMessage(i))
		}
		return r
	}
	for name, c := range map[string]struct {
		request Request
		answer  scripted
		kind    catalog.Kind
		says    string
	}{
		"no text":      {text(`{"role":"user","content":" "}`), nil, catalog.Invalid, "one question"},
		"two items":    {text(`{"role":"user","content":"a"}`, `{"role":"user","content":"b"}`), nil, catalog.Invalid, "conversation_id"},
		"of an agent":  {text(`{"role":"assistant","content":"a"}`), nil, catalog.Invalid, "one question"},
		"model":        {Request{Model: "m", Input: asking("x").Input}, nil, catalog.Invalid, "model"},
		"limit":        {asking("x"), refuses(catalog.Limited, 429, ""), catalog.Limited, "5 questions a minute"},
		"still asking": {asking("x"), refuses(catalog.Invalid, 400, "BLOCK_MULTIPLE_EXECUTIONS_EXCEPTION"), catalog.Conflict, "wait for its end"},
		"no grant":     {asking("x"), refuses(catalog.Forbidden, 403, ""), catalog.Forbidden, ""},
		"lost":         {asking("x"), refuses(catalog.UnknownFate, 0, ""), catalog.UnknownFate, ""},
		"no message":   {asking("x"), says(`{}`), catalog.UnknownFate, "names no message"},
	} {
		t.Run(name, func(t *testing.T) {
			runner, api := genieOf(t, map[string][]scripted{})
			if c.answer != nil {
				api.then(askFirst, c.answer)
			}
			_, err := runner.Start(t.Context(), ana, "genie/s1", c.request)
			wantError(t, err, c.kind, c.says)
		})
	}
}

func TestGenieResultIsBounded(t *testing.T) {
	row := `["` + strings.Repeat("x", 1000) + `"]`
	var result catalog.GenieResult
	result.Statement.Status.State = "SUCCEEDED"
	result.Statement.Result = &catalog.ResultChunk{DataArray: catalog.Raw("[" + strings.Repeat(row+",", 499) + row + "]")}
	rows := genieRowsOf(&result)
	if out := rows.output(); len(out) > maxGenieBytes+1000 || !rows.truncated || rows.total != 500 || len(rows.rows) == 0 {
		t.Errorf("%d bytes, %d of %d rows, truncated %t", len(out), len(rows.rows), rows.total, rows.truncated)
	}
	result.Statement.Result.DataArray = catalog.Raw("[" + strings.Repeat(`["1"],`, 499) + `["1"]]`)
	if rows = genieRowsOf(&result); len(rows.rows) != maxGenieRows || strings.Count(rows.text(), "\n") != maxShownRows+1 {
		t.Errorf("%d rows, shown %q", len(rows.rows), rows.text())
	}
}

// What Genie itself left out counts as left out.
func TestGenieSaysWhatItCut(t *testing.T) {
	query := strings.Replace(withQuery, `"title"`, `"parameters":[{"keyword":"day","sql_type":"DATE","value":"2025-01-31"}],"query_result_metadata":{"row_count":7000,"is_truncated":true},"title"`, 1)
	runner, _ := genieOf(t, map[string][]scripted{getMessage: {says(`{"status":"COMPLETED",` + query + `]}`)}, getRows: {says(twoRows)}})
	run := look(t, runner, start(t, runner, "genie/s1", asking("x")))
	if got := gjson.Parse(gjson.GetBytes(run.Items[0], "arguments").Str).Get("parameters.0.value").Str; got != "2025-01-31" {
		t.Errorf("the parameters of the query: %s", run.Items[0])
	}
	rows := gjson.Parse(gjson.GetBytes(run.Items[1], "output").Str)
	if rows.Get("total_rows").Int() != 7000 || !rows.Get("truncated").Bool() || !strings.Contains(run.OutputText(), "(7000 rows in all)") {
		t.Errorf("%s, %q", rows.Raw, run.OutputText())
	}
}

func TestGenieIsLookedAtAsItSuggests(t *testing.T) {
	run := &Run{Created: time.Unix(1e9, 0)}
	for age, want := range map[time.Duration]time.Duration{0: time.Second, 20 * time.Second: 2 * time.Second, 10 * time.Minute: 5 * time.Second} {
		if got := (&Genie{}).Next(run, run.Created.Add(age)); got != want {
			t.Errorf("at %s: %s, want %s", age, got, want)
		}
	}
}
