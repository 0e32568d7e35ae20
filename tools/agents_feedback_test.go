package tools

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

const (
	aRequest    = `"endpoint_name":"bot","request_id":"573d4a61-4adb-41bd-96db-0ec8cebc3744"`
	aTrace      = `"endpoint_name":"bot","trace_id":"tr-1"`
	feedbackURL = "POST /serving-endpoints/bot/served-models/feedback/invocations"
	assessURL   = "POST /api/3.0/mlflow/traces/tr-1/assessments"
)

func feedbackHost() *agentHost {
	return newAgentHost(map[string]string{
		endpointsPath + "/bot": botOf("agent/v1/chat", ""), feedbackURL: `{"predictions":["ok"]}`,
		"POST /api/3.0/mlflow/traces/": `{"assessment":{"assessment_id":"a-1"}}`,
		"POST /api/4.0/mlflow/traces/": `{"assessment":{"assessment_id":"a-4"}}`,
	})
}

func TestFeedbackModel(t *testing.T) {
	h := feedbackHost()
	text := succeed(t, h.server(t, nil), "agents_give_feedback", `{`+aRequest+`,"ratings":{"answer_correct":{"value":"positive","rationale":"as \"the\" runbook"},"short":true,"kind":"negative"},"retrieval_ratings":{"groundedness":false},"comment":"fine"}`)
	want := `{"dataframe_records":[{"source":{"id":"ana@example.com","type":"human"},"request_id":"573d4a61-4adb-41bd-96db-0ec8cebc3744",` +
		`"text_assessments":[{"ratings":{"answer_correct":{"value":"positive","rationale":"as \"the\" runbook"},"short":{"value":"positive"},"kind":{"value":"negative"}},"free_text_comment":"fine"}],` +
		`"retrieval_assessments":[{"ratings":{"groundedness":{"value":"negative"}}}]}]}`
	if sent := h.sent(); len(sent) != 1 || sent[0] != feedbackURL+" "+want {
		t.Errorf("sent %s", sent)
	}
	if gjson.Get(text, "recorded_by").Str != "feedback model" || gjson.Get(text, "source").Str != "ana@example.com" {
		t.Error(text)
	}
	h = feedbackHost()
	succeed(t, h.server(t, nil), "agents_give_feedback", `{`+aRequest+`,"comment":"only this"}`)
	if got := h.body(t, feedbackURL).Get("dataframe_records.0.text_assessments").Raw; got != `[{"ratings":{},"free_text_comment":"only this"}]` {
		t.Error(got)
	}
	h = feedbackHost()
	h.answers[endpointsPath+"/bot"] = strings.ReplaceAll(botOf("agent/v1/chat", ""), "feedback", "other")
	wantError(t, h.server(t, nil), "agents_give_feedback", `{`+aRequest+`,"comment":"x"}`, catalog.Missing, "no feedback model", "return_trace", "trace_id")
	if len(h.sent()) > 0 {
		t.Errorf("sent %q", h.sent())
	}
}

func TestAssessments(t *testing.T) {
	for _, c := range []struct {
		name, arguments string
		sent            []string // path and assessment
	}{
		{"a rating and a comment", aTrace + `,"ratings":{"answer_correct":true},"comment":"fine"`,
			[]string{assessURL + ` {"assessment":{"assessment_name":"answer_correct","source":{"source_type":"HUMAN","source_id":"ana@example.com"},"feedback":{"value":true},"rationale":"fine","metadata":{"client":"mcp"}}}`}},
		{"several ratings", aTrace + `,"ratings":{"score":{"value":0.5,"rationale":"r"},"tags":["a","b"]},"comment":"fine"`, []string{
			assessURL + ` {"assessment":{"assessment_name":"score","source":{"source_type":"HUMAN","source_id":"ana@example.com"},"feedback":{"value":0.5},"rationale":"r","metadata":{"client":"mcp"}}}`,
			assessURL + ` {"assessment":{"assessment_name":"tags","source":{"source_type":"HUMAN","source_id":"ana@example.com"},"feedback":{"value":["a","b"]},"metadata":{"client":"mcp"}}}`,
			assessURL + ` {"assessment":{"assessment_name":"comment","source":{"source_type":"HUMAN","source_id":"ana@example.com"},"feedback":{"value":"fine"},"metadata":{"client":"mcp"}}}`}},
		{"a trace as request id", `"endpoint_name":"bot","request_id":"tr-1","comment":"fine"`, []string{assessURL + ` {"assessment":{"assessment_name":"comment"`}},
		{"a trace in Unity Catalog", `"endpoint_name":"bot","trace_id":"trace:/main.traces/0af1","ratings":{"a":"b"}`, []string{`POST /api/4.0/mlflow/traces/main.traces/0af1/assessments {"assessment":{"assessment_name":"a"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := feedbackHost()
			text := succeed(t, h.server(t, nil), "agents_give_feedback", `{`+c.arguments+`}`)
			sent := h.sent()
			if len(sent) != len(c.sent) || len(gjson.Get(text, "assessment_ids").Array()) != len(c.sent) {
				t.Fatalf("sent %q: %s", sent, text)
			}
			for i, want := range c.sent {
				if !strings.HasPrefix(sent[i], want) {
					t.Errorf("sent %s\nwant %s", sent[i], want)
				}
			}
			if len(h.seen()) != len(sent) {
				t.Errorf("asked %q", h.seen())
			}
		})
	}
}

// TestAssessmentsBreakOff: what is there already is named.
func TestAssessmentsBreakOff(t *testing.T) {
	h := feedbackHost()
	plain, n := h.do, 0
	h.do = func(ctx context.Context, call *catalog.Call) (string, error) {
		if n++; n == 2 {
			return "", &catalog.Error{Kind: catalog.Forbidden, Message: call.About() + ": no CAN_EDIT", Advice: "Ask."}
		}
		return plain(ctx, call)
	}
	wantError(t, h.server(t, nil), "agents_give_feedback", `{`+aTrace+`,"ratings":{"a":true,"b":true,"c":true}}`, catalog.Forbidden, "assessing b", "recorded before it: a", "Do not send those again")
	if len(h.sent()) != 2 {
		t.Errorf("sent %q", h.sent())
	}
	h = feedbackHost()
	h.errors[assessURL] = &catalog.Error{Kind: catalog.Missing, Message: "no such trace", Status: 404}
	wantError(t, h.server(t, nil), "agents_give_feedback", `{`+aTrace+`,"comment":"x"}`, catalog.Missing, "may not be stored yet")
	h = feedbackHost()
	h.errors["POST /api/4.0/mlflow/traces/main.traces/0af1/assessments"] = &catalog.Error{Kind: catalog.Missing, Message: "No API found", Status: 404, MissingRoute: true}
	wantError(t, h.server(t, nil), "agents_give_feedback", `{"endpoint_name":"bot","trace_id":"trace:/main.traces/0af1","comment":"x"}`, catalog.Missing, "on the page of the trace")
}

// TestFeedbackIsSomebodys: never of whom an agent names, and of nobody not at all.
func TestFeedbackIsSomebodys(t *testing.T) {
	for _, c := range []struct {
		who  Identity
		err  error
		kind catalog.Kind
	}{
		{Identity{}, nil, catalog.SignIn},
		{Identity{}, &catalog.Error{Kind: catalog.SignIn, Message: "sign in"}, catalog.SignIn},
		{Identity{}, errors.New("broken"), catalog.Internal},
	} {
		for _, about := range []string{aTrace, aRequest} {
			h := feedbackHost()
			s := h.server(t, func(cfg *Config) {
				cfg.Workspaces[0].Identify = func(context.Context) (Identity, error) { return c.who, c.err }
			})
			wantError(t, s, "agents_give_feedback", `{`+about+`,"comment":"x"}`, c.kind)
			if len(h.sent()) > 0 {
				t.Errorf("sent %q", h.sent())
			}
		}
	}
	wantError(t, feedbackHost().server(t, nil), "agents_give_feedback", `{`+aTrace+`,"comment":"x","source":{"id":"ben"}}`, catalog.Invalid, "unknown argument")
}

func TestFeedbackRefusals(t *testing.T) {
	many := make([]string, maxRatings+1)
	for i := range many {
		many[i] = fmt.Sprintf(`"r%d":true`, i)
	}
	for _, c := range []struct{ name, arguments, says string }{
		{"no UUID", `"endpoint_name":"bot","request_id":"573d4a61","comment":"x"`, "no UUID"},
		{"nearly a UUID", `"endpoint_name":"bot","request_id":"573d4a61-4adb-41bd-96db-0ec8cebc374g","comment":"x"`, "no UUID"},
		{"no trace", `"endpoint_name":"bot","trace_id":"1","comment":"x"`, "trace_id is no id"},
		{"a trace that climbs", `"endpoint_name":"bot","trace_id":"tr-../../x","comment":"x"`, "trace_id is no id"},
		{"a location that climbs", `"endpoint_name":"bot","trace_id":"trace:/../x","comment":"x"`, "trace_id is no id"},
		{"both ids", aRequest + `,"trace_id":"tr-1","comment":"x"`, "exactly one of"},
		{"nothing said", aRequest, "neither a rating nor a comment"},
		{"blank comment", aRequest + `,"comment":"  "`, "neither a rating nor a comment"},
		{"long comment", aRequest + `,"comment":"` + strings.Repeat("é", maxFeedbackLen+1) + `"`, "10001 characters"},
		{"unknown member", aRequest + `,"ratings":{"a":{"valeu":"positive"}}`, `did you mean \"value\"?`},
		{"strange member", aRequest + `,"ratings":{"a":{"value":"x","zzzzzzzz":1}}`, "valid: value, rationale"},
		{"no value", aRequest + `,"ratings":{"a":{"rationale":"x"}}`, "has no value"},
		{"empty value", aRequest + `,"ratings":{"a":""}`, "empty value"},
		{"long value", aRequest + `,"ratings":{"a":"` + strings.Repeat("x", maxRatingText+1) + `"}`, "more than 1000 bytes"},
		{"a number for the model", aRequest + `,"ratings":{"a":1}`, "must be a text"},
		{"an object", aTrace + `,"ratings":{"a":{"value":{"b":1}}}`, "an object as its value"},
		{"a list of numbers", aTrace + `,"ratings":{"a":[1]}`, "something else than short texts"},
		{"an empty list", aTrace + `,"ratings":{"a":[]}`, "without texts"},
		{"a rationale that is no text", aTrace + `,"ratings":{"a":{"value":true,"rationale":1}}`, "rationale that is no text"},
		{"a long rationale", aTrace + `,"ratings":{"a":{"value":true,"rationale":"` + strings.Repeat("x", maxFeedbackLen+1) + `"}}`, "rationale of more than"},
		{"a full stop", aTrace + `,"ratings":{"a.b":true}`, "no name of a rating"},
		{"no name", aTrace + `,"ratings":{"":true}`, "no name of a rating"},
		{"a long name", aTrace + `,"ratings":{"` + strings.Repeat("x", maxRatingName+1) + `":true}`, "no name of a rating"},
		{"a name twice", aTrace + `,"ratings":{"a":true,"a":false}`, "given twice"},
		{"many", aTrace + `,"ratings":{` + strings.Join(many, ",") + `}`, "more than 20"},
		{"wrong retrieval", aRequest + `,"retrieval_ratings":{"a":7}`, "retrieval_ratings.a must be a text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := feedbackHost()
			wantError(t, h.server(t, nil), "agents_give_feedback", `{`+c.arguments+`}`, catalog.Invalid, c.says, "Nothing was sent")
			if seen := h.seen(); len(seen) > 0 {
				t.Errorf("asked %q", seen)
			}
		})
	}
}

// FuzzFeedback: what passes the checks is feedback as the model is documented to take
// it, by the caller.
func FuzzFeedback(f *testing.F) {
	f.Add(`{"answer_correct":{"value":"positive","rationale":"x"}}`, "comment", false)
	f.Add(`{"a":true,"b":0.5,"c":["x"],"d\"e":{"value":null}}`, "", true)
	f.Add(`{"a":{"valeu":1}}`, "x", false)
	f.Fuzz(func(t *testing.T, ratings, comment string, onTrace bool) {
		var o object
		o.text("endpoint_name", "bot")
		if onTrace {
			o.text("trace_id", "tr-1")
		} else {
			o.text("request_id", "573d4a61-4adb-41bd-96db-0ec8cebc3744")
		}
		if gjson.Valid(ratings) {
			o.raw("ratings", ratings)
		}
		o.text("comment", comment)
		call, err := catalog.GiveFeedback.Bind(o.bytes())
		if err != nil {
			t.Skip()
		}
		feedback, problems := newFeedback(call)
		if len(problems) > 0 {
			return
		}
		body := feedback.body("ana@example.com")
		row := gjson.GetBytes(body, "dataframe_records.0")
		if !gjson.ValidBytes(body) || row.Get("source").Raw != `{"id":"ana@example.com","type":"human"}` {
			t.Fatalf("%s", body)
		}
		said := 0
		for _, a := range row.Get("text_assessments").Array() {
			a.Get("ratings").ForEach(func(name, r gjson.Result) bool {
				said++
				if strings.Contains(name.String(), ".") || !onTrace && r.Get("value").Type != gjson.String {
					t.Fatalf("%s", body)
				}
				return true
			})
			if a.Get("free_text_comment").String() != "" {
				said++
			}
		}
		if said == 0 {
			t.Fatalf("it says nothing: %s", body)
		}
	})
}
