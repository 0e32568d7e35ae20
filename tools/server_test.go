package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
)

// TestStructured: the same JSON as structured content, beside one line; errors
// carry both forms in every mode.
func TestStructured(t *testing.T) {
	for _, c := range []struct{ tool, arguments, body, line string }{
		{"jobs_list", `{}`, `{"jobs":[{"job_id":9223372036854775807}]}`, "jobs_list: 1 returned"},
		{"jobs_list", `{}`, `{"jobs":[{"job_id":1}],"next_page_token":"x"}`, "jobs_list: 1 returned, there are more"},
		{"jobs_cancel_run", `{"run_id":1}`, `{}`, "jobs_cancel_run: done"},
		{"jobs_get", `{"job_id":1}`, `{"job_id":1}`, "jobs_get: done"},
	} {
		plain := newServer(t, answering(c.body), nil).Call(t.Context(), catalog.Find(c.tool), []byte(c.arguments))
		structured := newServer(t, answering(c.body), func(cfg *Config) { cfg.Structured = true }).Call(t.Context(), catalog.Find(c.tool), []byte(c.arguments))
		if len(plain.Content) != 1 || plain.RawStructuredContent != nil || len(structured.Content) != 1 {
			t.Fatalf("%s: %+v, %+v", c.tool, plain, structured)
		}
		if got, want := string(structured.RawStructuredContent), textOf(plain); got != want {
			t.Errorf("%s: structured %s, text %s", c.tool, got, want)
		}
		if got := textOf(structured); got != c.line || strings.Contains(got, "\n") {
			t.Errorf("%s: line %q, want %q", c.tool, got, c.line)
		}
	}
	for _, structured := range []bool{false, true} {
		s := newServer(t, answering(), func(cfg *Config) { cfg.Structured = structured })
		result := s.Call(t.Context(), catalog.Find("jobs_get"), []byte(`{"job_id":"x"}`))
		if text := textOf(result); !result.IsError || text != string(result.RawStructuredContent) || gjson.Get(text, "error.kind").Str != "invalid" {
			t.Errorf("structured %v: %s, %s", structured, text, result.RawStructuredContent)
		}
	}
}

func textOf(result *mcp.CallToolResult) string {
	block, _ := result.Content[0].(mcp.TextContent)
	return block.Text
}

// TestErrorForm: the settled members, readable signs, bounded texts, and no causes.
func TestErrorForm(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&catalog.Error{Kind: catalog.Missing, Message: "no <job>", Advice: "a & b", Code: "NOT_FOUND", Err: errors.New("cause")},
			`{"error":{"kind":"missing","message":"no <job>","advice":"a & b"}}`},
		{fmt.Errorf("wrapped: %w", &catalog.Error{Kind: catalog.Limited, Message: "m", Advice: "a", RequestID: "r", Status: 429}),
			`{"error":{"kind":"limited","message":"m","advice":"a","request_id":"r","status":429}}`},
		{&catalog.Error{Kind: catalog.Missing, Message: "no job", Advice: "a", Status: 404, Quoted: true},
			`{"error":{"kind":"missing","untrusted":["message"],"message":"no job","advice":"a","status":404}}`},
		{errors.New("odd"), `{"error":{"kind":"internal","message":"odd","advice":"This is a fault of the server, not of the call; report it."}}`},
	} {
		result := failed(c.err)
		if got := textOf(result); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
		var settled struct{ Error json.RawMessage }
		if err := json.Unmarshal(result.RawStructuredContent, &settled); err != nil {
			t.Fatal(err)
		}
		declared, err := json.Marshal(catalog.AsError(c.err))
		if err != nil || !sameJSON(t, declared, settled.Error) {
			t.Errorf("%s is not %s (%v)", settled.Error, declared, err)
		}
	}
	long := textOf(failed(&catalog.Error{Kind: catalog.Invalid, Message: strings.Repeat("\x01ü", 50000), Advice: strings.Repeat("a", 50000), RequestID: strings.Repeat("r", 50000)}))
	if len(long) > 3*maxErrorText+300 || !gjson.Valid(long) {
		t.Errorf("%d bytes", len(long))
	}
	if text, failed := ask(t, newServer(t, answering(), nil), "jobs_list", `{"limit":`+strings.Repeat("1", 100000)+`}`); !failed || len(text) > 3*maxErrorText {
		t.Errorf("%d bytes", len(text))
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal(a, &x), json.Unmarshal(b, &y)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}

// TestPanic: a panic is an error result, wherever it happens, and shows nothing of
// its inside.
func TestPanic(t *testing.T) {
	s := newServer(t, &fake{do: func(context.Context, *catalog.Call) (string, error) { panic("secret-token") }}, nil)
	for _, row := range catalog.All() {
		if row.Inner || row.Group == catalog.Supervisor && row != &catalog.StartSupervisorRun.Row { // there is no run to ask about
			continue
		}
		text, failed := ask(t, s, row.Name, minimal(t, row))
		if !failed || gjson.Get(text, "error.kind").Str != string(catalog.Internal) || strings.Contains(text, "secret-token") {
			t.Errorf("%s: %s", row.Name, text)
		}
	}
	s.Wait(t.Context())
}

// particular are arguments that the tools themselves check, beyond Bind.
var particular = map[string]string{
	"agents_deploy":        `{"model_name":"main.rag.bot","model_version":"1"}`,
	"agents_give_feedback": `{"endpoint_name":"bot","request_id":"573d4a61-4adb-41bd-96db-0ec8cebc3744","comment":"x"}`,
	"agents_read_logs":     `{"endpoint_name":"bot"}`,
}

// minimal are the least arguments that a tool takes.
func minimal(t *testing.T, row *catalog.Row) string {
	t.Helper()
	if given := particular[row.Name]; given != "" {
		return given
	}
	arguments := map[string]any{}
	if row.Proven { // it takes no other statement, and would look for a warehouse
		arguments["statement"], arguments["warehouse_id"] = "SELECT 1", "1"
	}
	for range 20 {
		raw, err := json.Marshal(arguments)
		if err != nil {
			t.Fatal(err)
		}
		_, err = row.Bind(raw)
		if err == nil {
			return string(raw)
		}
		if !supply(row, err.Error(), arguments) {
			t.Fatalf("%s: %v", row.Name, err)
		}
	}
	t.Fatalf("%s: no arguments do", row.Name)
	return ""
}

// supply gives an argument that a refusal names a value that may pass.
func supply(row *catalog.Row, problem string, arguments map[string]any) bool {
	if len(row.OneOf) > 0 && strings.Contains(problem, "exactly one of") && !strings.Contains(problem, "is required") {
		arguments[row.OneOf[0]] = "x"
		return true
	}
	for _, name := range row.Arguments() {
		switch {
		case strings.Contains(problem, fmt.Sprintf("%q is required", name)):
			arguments[name] = "1"
		case strings.Contains(problem, fmt.Sprintf("%q must be an object", name)):
			arguments[name] = map[string]any{}
		case strings.Contains(problem, fmt.Sprintf("%q must be an array", name)):
			arguments[name] = []any{}
		case strings.Contains(problem, fmt.Sprintf("%q must be an integer", name)):
			arguments[name] = 1
		case strings.Contains(problem, fmt.Sprintf("%q must be true", name)):
			arguments[name] = true
		case strings.Contains(problem, fmt.Sprintf("%q must be one of ", name)):
			_, after, _ := strings.Cut(problem, fmt.Sprintf("%q must be one of ", name))
			arguments[name], _, _ = strings.Cut(after, ",")
		case strings.Contains(problem, fmt.Sprintf("%q cannot be", name)):
			arguments[name] = "/Volumes/c/s/v/f"
		default:
			continue
		}
		return true
	}
	return false
}

// TestEveryResultIsBounded holds every tool against an answer in which everything
// is long, and against the smallest budget.
func TestEveryResultIsBounded(t *testing.T) {
	long := strings.Repeat(`x\u001b\"€`, 1200)
	item := `{"job_id":1,"id":"` + long + `","name":"` + long + `","principal":"` + long + `","key":"` + long + `","path":"` + long + `","settings":{"name":"` + long + `","tags":{` + strings.TrimSuffix(manyMembers(500), ",") + `}}}`
	items := "[" + strings.TrimSuffix(strings.Repeat(item+",", 5), ",") + "]"
	for _, row := range catalog.All() {
		if row.Inner || row == catalog.Find("files_download") {
			continue // which streams: TestDownloadInPieces
		}
		if row == &catalog.GiveFeedback.Row || row == &catalog.ReadAgentLogs.Row {
			continue // which no such answer satisfies: TestAgentResultsAreBounded
		}
		if row.Group == catalog.Supervisor {
			continue // which answer about runs that were started: TestRunResultsAreBounded
		}
		body := `{"object_id":1,"data":"` + strings.Repeat("AAEC", 30000) + `","content":"` + strings.Repeat("AAEC", 30000) + `","name":"` + long + `","comment":"` + long + `","displayName":"` + long +
			`","logs":"` + long + `","error":"` + long + `","state":"` + long + `","state_message":"` + long + `","status":{"state":"SUCCEEDED"},"statement_id":"1","settings":{"tasks":` + items + `,"description":"` + long + `","job_clusters":` + items + `},` +
			`"tasks":` + items + `,"columns":` + items + `,"privilege_assignments":` + items + `,"manifest":{"schema":{"columns":[{"name":"` + long + `"}]}},"result":{"data_array":[["` + long + `"]]}`
		if row.Items != "" {
			body += `,"` + row.Items + `":` + items
		}
		body += `}`
		for _, tokens := range []int{1, 100, 2000} {
			api := &fake{do: func(context.Context, *catalog.Call) (string, error) { return body, nil }}
			s := newServer(t, api, func(cfg *Config) { cfg.ResultTokens = tokens })
			text, failed := ask(t, s, row.Name, minimal(t, row))
			if failed {
				t.Errorf("%s: %s", row.Name, text)
			}
			if most := max(tokens*4, 300) + 350; len(text) > most {
				t.Errorf("%s at %d tokens: %d bytes, more than %d: %.300s", row.Name, tokens, len(text), most, text)
			}
		}
	}
}

// session is a connected client.
type session struct{ notes chan mcp.JSONRPCNotification }

func (s session) Initialize()                                         {}
func (s session) Initialized() bool                                   { return true }
func (s session) SessionID() string                                   { return "s" }
func (s session) NotificationChannel() chan<- mcp.JSONRPCNotification { return s.notes }

var _ server.ClientSession = session{}

// TestProgress: only with a token, in rising numbers, and never behind the answer.
func TestProgress(t *testing.T) {
	for _, meta := range []string{``, `,"_meta":{}`, `,"_meta":{"progressToken":"tok"}`, `,"_meta":{"progressToken":7}`} {
		synctest.Test(t, func(t *testing.T) {
			var late context.Context
			api := answeringIn(func(ctx context.Context) {
				for range 5 {
					Progress(ctx, "waiting") // at the same moment
				}
				time.Sleep(90 * time.Millisecond)
				Progress(ctx, "still\u202e \x1b[31mwaiting")
				late = ctx
			})
			s := newServer(t, api, nil)
			client := session{make(chan mcp.JSONRPCNotification, 100)}
			ctx := s.MCP().WithContext(t.Context(), client)
			response := s.MCP().HandleMessage(ctx, []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"jobs_list","arguments":{}`+meta+`}}`))
			if _, ok := response.(mcp.JSONRPCResponse); !ok {
				t.Fatalf("got %+v", response)
			}
			Progress(late, "too late")
			synctest.Wait()
			want, last := 0, 0.0
			if strings.Contains(meta, "progressToken") {
				want = 6
			}
			if n := len(client.notes); n != want {
				t.Fatalf("%q: %d notifications, want %d", meta, n, want)
			}
			for range want {
				note := <-client.notes
				params := note.Params.AdditionalFields
				number, _ := params["progress"].(float64)
				if note.Method != "notifications/progress" || number <= last || params["progressToken"] == nil || params["message"] != "waiting" && params["message"] != "still waiting" {
					t.Errorf("after %v: %+v", last, note)
				}
				last = number
			}
		})
	}
	Progress(t.Context(), "nobody waits") // does nothing
}

func answeringIn(do func(context.Context)) *fake {
	return &fake{do: func(ctx context.Context, _ *catalog.Call) (string, error) { do(ctx); return "{}", nil }}
}

// TestManyAtOnce: lists of tools and calls at the same time, on one server.
func TestManyAtOnce(t *testing.T) {
	api := &fake{do: func(context.Context, *catalog.Call) (string, error) {
		return `{"jobs":[{"job_id":1,"settings":{"name":"n"}}]}`, nil
	}}
	access, err := ParseAccess("read")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, api, func(c *Config) { c.Access = access })
	var names []string
	for _, tool := range listTools(t, s) {
		names = append(names, tool.Name)
	}
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			var again []string
			for _, tool := range listTools(t, s) {
				again = append(again, tool.Name)
			}
			if !slices.Equal(again, names) {
				t.Errorf("listed %v, then %v", names, again)
			}
		})
		calls.Go(func() {
			if text, failed := ask(t, s, "jobs_list", `{"fields":["settings.tags"]}`); failed {
				t.Error(text)
			}
		})
		calls.Go(func() {
			if text, failed := ask(t, s, "jobs_delete", `{"job_id":1}`); !failed || !strings.Contains(text, "denied") {
				t.Error(text)
			}
		})
	}
	calls.Wait()
}
