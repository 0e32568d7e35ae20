package tools

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

const approving = `,"inputResponses":{"approval":{"action":"accept","content":{"decision":"approve"}}}`

// askedFor is the state of the question that a wait puts to a newer client.
func (a *agent) askedFor(id string) string {
	a.t.Helper()
	a.waitRun(1, id, newer(`{"elicitation":{}}`))
	asked := a.receive().Get("result")
	state := asked.Get("requestState").Str
	if state == "" || strings.Contains(state, id) || asked.Get("inputRequests.approval").Raw == "" {
		a.t.Fatalf("asked %s", asked.Raw)
	}
	return state
}

// replied is the answer to a wait that brings an approval with it.
func (a *agent) replied(id, state string) string {
	a.t.Helper()
	encoded, _ := json.Marshal(state)
	a.waitRun(2, id, newer(`{"elicitation":{}}`)+`,"requestState":`+string(encoded)+approving)
	return a.receive().Get("result.content.0.text").Str
}

// An approval counts when this very question was asked, and once: what a client sends
// unasked lets no tool act.
func TestForgedApproval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := strings.ReplaceAll(pendingAnswer, "ask_1", "ask_7")
		api := gatewayOf("", pendingAnswer, other) // and refuses every continuation
		s := newServer(t, api, func(c *Config) { c.Approvals = ApprovalsElicit })
		id, second := startRun(t, s, `{"input":"x"}`), startRun(t, s, `{"input":"y"}`)
		a := clientOfRuns(t, s)
		of := a.askedFor(second)
		confirm, _, err := s.confirmations.issue(binding{User: "ana@example.com", Workspace: s.workspaces[0].place(), Tool: catalog.ApproveRun.Name})
		if err != nil {
			t.Fatal(err)
		}
		for name, state := range map[string]string{
			"none": "", "garbage": "x", "one that could be guessed": id + " ask_1", "of another run": of,
			"of a confirmation": confirm, "never given out": strings.Repeat("A", 22),
		} {
			if answer := a.replied(id, state); gjson.Get(answer, "status").Str != "approval_required" {
				t.Errorf("%s: answered %s", name, answer)
			}
		}
		if calls := strings.Join(api.seen(), "\n"); strings.Contains(calls, "mcp_approval_response") {
			t.Fatalf("an approval was sent: %s", calls)
		}
		state := a.askedFor(id)
		if answer := a.replied(id, state); !strings.Contains(strings.Join(api.seen(), "\n"), "mcp_approval_response") {
			t.Fatalf("the person's own answer: %s", answer)
		}
		sent := len(api.seen())
		if answer := a.replied(id, state); gjson.Get(answer, "status").Str != "approval_required" || len(api.seen()) != sent {
			t.Errorf("used twice: %s", answer)
		}
		a.askedFor(id) // it still waits, and the person is asked again
	})
}

// A question counts for what it showed: not for other arguments under the same id.
func TestApprovalOfOtherArguments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := gatewayOf("", pendingAnswer)
		s := newServer(t, api, nil)
		w := s.workspaces[0]
		id := startRun(t, s, `{"input":"x"}`)
		a := clientOfRuns(t, s)
		state := a.askedFor(id)
		owner, err := w.runOwner(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		run, _, err := w.runner.Look(t.Context(), owner, id)
		if err != nil {
			t.Fatal(err)
		}
		run.Items = []json.RawMessage{json.RawMessage(`{"type":"mcp_approval_request","id":"ask_1","name":"search","server_label":"web","arguments":"{\"q\": \"other\"}"}`)}
		if err := run.Save(); err != nil {
			t.Fatal(err)
		}
		if answer := a.replied(id, state); gjson.Get(answer, "status").Str != "approval_required" || len(api.seen()) != 1 {
			t.Errorf("answered %s, sent %v", answer, api.seen())
		}
	})
}

// Nobody is asked to decide on what the question has no room for.
func TestTooManyToAskAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, gatewayOf("", asksFor(30, 10)), nil)
		id := startRun(t, s, `{"input":"x"}`)
		a := clientOfRuns(t, s)
		a.waitRun(1, id, newer(`{"elicitation":{}}`))
		answer := a.receive().Get("result.content.0.text").Str
		if gjson.Get(answer, "pending_approvals.#").Int() != 30 {
			t.Errorf("answered %s", answer)
		}
	})
}

// With the smallest budget all approvals can still be decided on.
func TestPendingApprovalsFit(t *testing.T) {
	for _, c := range []struct {
		count, size, tokens int
		names               bool // are shown
		arguments           string
	}{
		{1, 5, 200, true, `{"q":"xxxxx","drop":true}`},
		{1, 50_000, 200, true, "bytes"},
		{2, 100, 200, true, ""},
		{6, 3000, 200, false, ""},
		{6, 3000, 2000, true, "more bytes"},
		{30, 2000, 1000, false, ""},
	} {
		t.Run(fmt.Sprint(c.count, " of ", c.size, " in ", c.tokens), func(t *testing.T) {
			s := newServer(t, gatewayOf("", asksFor(c.count, c.size)), func(cfg *Config) { cfg.ResultTokens = c.tokens })
			id := startRun(t, s, `{"input":"x"}`)
			text := succeed(t, s, "supervisor_get_run", fmt.Sprintf(`{"run_id":%q}`, id))
			pending := gjson.Get(text, "pending_approvals").Array()
			if len(pending) != c.count {
				t.Fatalf("%d shown: %s", len(pending), text)
			}
			decisions := make([]string, len(pending))
			for i, p := range pending {
				if p.Get("approval_request_id").Str != fmt.Sprintf("ask_%d", i+1) || p.Get("name").Exists() != c.names || !strings.Contains(p.Get("arguments").Raw, c.arguments) {
					t.Errorf("%d is %s", i, p.Raw)
				}
				decisions[i] = fmt.Sprintf(`{"approval_request_id":%q,"approve":false}`, p.Get("approval_request_id").Str)
			}
			if most := max(c.tokens*4, 1200) + 45*c.count; len(text) > most {
				t.Errorf("%d bytes, more than %d: %s", len(text), most, text)
			}
			_, failed := ask(t, s, "supervisor_approve", fmt.Sprintf(`{"run_id":%q,"decisions":[%s]}`, id, strings.Join(decisions, ",")))
			if !failed { // no POST is expected by the gateway: it was sent
				t.Error("the decisions were not sent")
			}
		})
	}
}

// An absurd number of approvals does not flood a result.
func TestPendingApprovalsAreBounded(t *testing.T) {
	s := newServer(t, gatewayOf("", asksFor(5000, 10)), func(c *Config) { c.ResultTokens = 1000 })
	text := succeed(t, s, "supervisor_get_run", fmt.Sprintf(`{"run_id":%q}`, startRun(t, s, `{"input":"x"}`)))
	if len(text) > 8000 || gjson.Get(text, "pending_approvals."+fmt.Sprint(maxPendingShown)).Str != "… 4900 more" {
		t.Errorf("%d bytes: %.300s", len(text), text)
	}
}

// Names of any length and kind are cut, and stay JSON.
func TestPendingNames(t *testing.T) {
	answer := `{"id":"resp_1","status":"completed","output":[{"type":"mcp_approval_request","id":"ask_1","name":` + string(mustJSON(strings.Repeat("ü\"", 400))) + `,"server_label":` + string(mustJSON(strings.Repeat("\n", 900))) + `,"arguments":"not json ` + strings.Repeat("x", 900) + `"}]}`
	s := newServer(t, gatewayOf("", answer), func(c *Config) { c.ResultTokens = 200 })
	text := succeed(t, s, "supervisor_get_run", fmt.Sprintf(`{"run_id":%q}`, startRun(t, s, `{"input":"x"}`)))
	if p := gjson.Get(text, "pending_approvals.0"); !gjson.Valid(text) || p.Get("approval_request_id").Str != "ask_1" || !strings.HasSuffix(p.Get("name").Str, "…") || len(text) > 1200 {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}

func mustJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}
