package main

import (
	"strings"
	"testing"
	"time"

	"brickmcp/transport/sandbox"

	"github.com/tidwall/gjson"
)

// TestRunStories asks every kind of agent that runs can have, in the sandbox.
func TestRunStories(t *testing.T) {
	t.Run("apps", storyApps)
	t.Run("apps that refuse", storyAppsRefuse)
	t.Run("endpoints", storyEndpoints)
	t.Run("genie", storyGenie)
	t.Run("sign-in and restart", storyAppsSignIn)
}

const ordersSpace, ordersApp = "genie/01ef8d2a5c7b1e4f9a3d6b8c0e2f4a61", "apps/agent-bricks-orders"

// run starts a run and waits for its end.
func (a *agent) run(arguments args) gjson.Result {
	a.t.Helper()
	started := a.call("supervisor_start_run", arguments)
	id := started.Get("run_id").Str
	if id == "" {
		a.t.Fatalf("no run_id: %s", started.Raw)
	}
	return a.ended(id)
}

func (a *agent) ended(id string) gjson.Result {
	a.t.Helper()
	return a.until("supervisor_wait_run", args{"run_id": id, "timeout_seconds": 20}, func(r gjson.Result) bool {
		return r.Get("status").Str != "queued" && r.Get("status").Str != "in_progress"
	})
}

func (a *agent) completed(arguments args) gjson.Result {
	a.t.Helper()
	run := a.run(arguments)
	if run.Get("status").Str != "completed" || run.Get("output_text").Str == "" || !strings.Contains(run.Get("untrusted").Raw, "output_text") {
		a.t.Errorf("%v: %s", arguments, run.Raw)
	}
	return run
}

func storyApps(t *testing.T) {
	a := inSandbox(t)
	run := a.completed(args{"agent": ordersApp, "input": "How many orders are there?"})
	if n := len(run.Get(`items.#(type=="message")#`).Array()); n != 1 {
		t.Errorf("%d messages: %s", n, run.Raw)
	}
	session := run.Get("conversation_id").Str
	if next := a.completed(args{"agent": ordersApp, "input": "And by month?", "conversation_id": session}); next.Get("conversation_id").Str != session {
		t.Errorf("session %s, then %s", session, next.Get("conversation_id").Raw)
	}
	a.completed(args{"agent": "apps/agent-bricks-trial", "input": "How many orders are there?"})
	a.completed(args{"agent": "apps/stock-agent", "input": "How many pieces are in stock?"})

	failed := a.run(args{"agent": ordersApp, "input": "sandbox-fail"})
	if failed.Get("status").Str != "failed" || failed.Get("error.message").Str == "" {
		t.Errorf("the failing agent: %s", failed.Raw)
	}
	// Neither server can stop what it has begun.
	for _, agent := range []string{ordersApp, "apps/stock-agent"} {
		id := a.call("supervisor_start_run", args{"agent": agent, "input": "sandbox-stuck"}).Get("run_id").Str
		if got := a.call("supervisor_cancel_run", args{"run_id": id}); got.Get("status").Str != "abandoned" {
			t.Errorf("%s: %s", agent, got.Raw)
		}
	}
	if listed := a.call("supervisor_list_runs", args{"status": "abandoned"}); listed.Get("returned").Int() != 2 {
		t.Errorf("abandoned: %s", listed.Raw)
	}
}

func storyAppsRefuse(t *testing.T) {
	a := inSandbox(t)
	for agent, c := range map[string]struct{ kind, input, message, advice string }{
		"apps/forecast-agent":       {"conflict", "x", "has crashed", "databricks apps start forecast-agent"},
		"apps/sales-dashboard":      {"conflict", "x", "does not run (compute STOPPED)", "databricks apps start sales-dashboard"},
		"apps/no-such-app":          {"missing", "x", "", ""},
		ordersApp:                   {"signin", "sandbox-user-auth", "MCP_USER_AUTH_REQUIRED", "user authorization"},
		"apps/agent-bricks-orders ": {"missing", "x", "", ""},
	} {
		refusal := a.refused(c.kind, "supervisor_start_run", args{"agent": agent, "input": c.input})
		a.must(refusal.Get("message").Str, c.message)
		a.must(refusal.Get("advice").Str, c.advice)
	}
	a.refused("forbidden", "supervisor_start_run", args{"agent": ordersApp, "input": "sandbox-user-denied"})
	a.refused("invalid", "supervisor_start_run", args{"agent": "teapots/x", "input": "x"})
	if listed := a.call("supervisor_list_runs", args{}); listed.Get("returned").Int() != 0 {
		t.Errorf("refused starts are listed: %s", listed.Raw)
	}
}

func storyEndpoints(t *testing.T) {
	a := inSandbox(t)
	for _, name := range []string{"agents_main-rag-support_bot", "agents_main-rag-store_analyst", "order-helper"} {
		run := a.completed(args{"agent": "endpoints/" + name, "input": "How many orders are there?"})
		if !run.Get(`items.#(type=="message")`).Exists() {
			t.Errorf("%s: %s", name, run.Raw)
		}
	}
	a.refused("missing", "supervisor_start_run", args{"agent": "endpoints/no-such-endpoint", "input": "x"})
	a.refused("invalid", "supervisor_start_run", args{"agent": "endpoints/agents_main-rag-support_bot", "input": "x", "model": "m"})
}

func storyGenie(t *testing.T) {
	a := inSandbox(t)
	run := a.completed(args{"agent": ordersSpace, "input": "How many orders per country?"})
	call := run.Get(`items.#(type=="function_call")`)
	if !strings.Contains(gjson.Parse(call.Get("arguments").Str).Get("query").Str, "main.retail.orders") {
		t.Errorf("the SQL: %s", run.Raw)
	}
	output := run.Get(`items.#(type=="function_call_output")`)
	if rows := gjson.Parse(output.Get("output").Str); rows.Get("rows.0.0").Str == "" || output.Get("call_id").Str != call.Get("call_id").Str {
		t.Errorf("the rows: %s", output.Raw)
	}
	a.completed(args{"agent": ordersSpace, "input": "And by month?", "conversation_id": run.Get("conversation_id").Str})
	expired := a.completed(args{"agent": ordersSpace, "input": "How many orders are there? sandbox-expired"})
	if rows := gjson.Parse(expired.Get(`items.#(type=="function_call_output").output`).Str); rows.Get("rows.0.0").Str == "" {
		t.Errorf("after the rows had expired: %s", expired.Raw)
	}
	failed := a.run(args{"agent": ordersSpace, "input": "sandbox-fail CONTENT_FILTER_EXCEPTION"})
	if failed.Get("status").Str != "failed" || failed.Get("error.code").Str != "CONTENT_FILTER_EXCEPTION" {
		t.Errorf("the refused question: %s", failed.Raw)
	}
	a.refused("missing", "supervisor_start_run", args{"agent": "genie/0123456789abcdef0123456789abcdef", "input": "x"})
}

// A person signs in, asks an app, and leaves; the next session finds the run. A
// personal access token is of no use for apps.
func storyAppsSignIn(t *testing.T) {
	f := newOffice(t, sandbox.Options{Clock: &fastClock{began: time.Now(), speed: 20}, TokenLifetime: 24 * time.Hour})
	cmd := f.command("--access", "full")
	cmd.Env = append(cmd.Env, "DATABRICKS_HOST="+f.URL, "DATABRICKS_TOKEN="+sandbox.Token)
	withToken := newAgent(t, cmd, nil)
	refusal := withToken.refused("signin", "supervisor_start_run", args{"agent": ordersApp, "input": "x"})
	withToken.must(refusal.Get("message").Str, "personal access token")
	withToken.must(refusal.Get("advice").Str, "brickmcp login")

	a := newAgent(t, f.command("--host", f.URL, "--access", "full"), nil)
	question := args{"agent": ordersApp, "input": "How many orders are there?"}
	answer, failed := a.ask(t.Context(), "supervisor_start_run", question)
	if !failed {
		t.Fatalf("nobody is signed in, and yet: %s", answer.Raw)
	}
	choose(t, addressIn(t, answer.Get("error")), "ana@example.com")
	deadline := time.After(30 * time.Second) // who is signed in is asked for every few seconds
	for failed && answer.Get("error.kind").Str == "signin" {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-deadline:
			t.Fatalf("signed in, and yet: %s", answer.Raw)
		}
		answer, failed = a.ask(t.Context(), "supervisor_start_run", question)
	}
	id := answer.Get("run_id").Str
	if err := a.session.Close(); err != nil {
		t.Error(err)
	}
	next := newAgent(t, f.command("--host", f.URL, "--access", "full"), nil)
	if run := next.ended(id); run.Get("status").Str != "completed" || run.Get("output_text").Str == "" {
		t.Errorf("after the restart: %s", run.Raw)
	}
}
