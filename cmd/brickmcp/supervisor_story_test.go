package main

import (
	"strings"
	"testing"
	"time"

	"brickmcp/transport/sandbox"
)

// TestSupervisorStories goes through what the Supervisor can do wrong.
func TestSupervisorStories(t *testing.T) {
	t.Run("quirks", storySupervisorQuirks)
	t.Run("gone", storySupervisorGone)
	t.Run("restart", storySupervisorRestart)
}

var (
	ordersTool = args{"type": "genie_space", "genie_space": args{"id": ordersSpace[len("genie/"):], "description": "Orders"}}
	webTool    = args{"type": "uc_connection", "uc_connection": args{"name": "web_search", "description": "The web"}}
)

func storySupervisor(t *testing.T) {
	a := inSandbox(t)
	run := a.completed(args{"input": "How many orders are there?", "tools": []any{ordersTool}, "return_trace": true})
	if !run.Get(`items.#(type=="function_call")`).Exists() || !run.Get(`items.#(type=="function_call_output")`).Exists() || !run.Get("trace").Exists() {
		t.Errorf("the run: %s", run.Raw)
	}
	next := a.completed(args{"input": "And by month?", "conversation_id": run.Get("conversation_id").Str})
	if next.Get("run_id").Str == run.Get("run_id").Str {
		t.Errorf("the same run went on: %s", next.Raw)
	}
	streamed := a.call("supervisor_start_run", args{"input": "How many orders are there? ", "tools": []any{ordersTool}, "stream": true})
	if streamed.Get("status").Str != "completed" || streamed.Get("output_text").Str == "" {
		t.Errorf("streamed: %s", streamed.Raw)
	}

	asks := a.run(args{"input": "Search the web for Databricks", "tools": []any{webTool}})
	id, pending := asks.Get("run_id").Str, asks.Get("pending_approvals.0")
	if asks.Get("status").Str != "approval_required" || !pending.Get("arguments").IsObject() || pending.Get("name").Str != "you-search" {
		t.Fatalf("it does not ask: %s", asks.Raw)
	}
	decisions := []any{args{"approval_request_id": pending.Get("approval_request_id").Str, "approve": true}}
	a.call("supervisor_approve", args{"run_id": id, "decisions": decisions})
	a.refused("conflict", "supervisor_approve", args{"run_id": id, "decisions": decisions})
	if run := a.ended(id); run.Get("status").Str != "completed" || run.Get("response_ids.#").Int() != 2 {
		t.Errorf("after the approval: %s", run.Raw)
	}

	no := a.run(args{"input": "Search the web for nothing", "tools": []any{webTool}, "instructions": "sandbox-two"})
	var refusals []any
	for _, p := range no.Get("pending_approvals").Array() {
		refusals = append(refusals, args{"approval_request_id": p.Get("approval_request_id").Str, "approve": false, "reason": "no need"})
	}
	if len(refusals) != 2 {
		t.Fatalf("two are asked for: %s", no.Raw)
	}
	a.refused("invalid", "supervisor_approve", args{"run_id": no.Get("run_id").Str, "decisions": refusals[:1]})
	a.call("supervisor_approve", args{"run_id": no.Get("run_id").Str, "decisions": refusals})
	if run := a.ended(no.Get("run_id").Str); run.Get("status").Str != "completed" || strings.Contains(run.Get("items").Raw, `"function_call_output"`) {
		t.Errorf("after the refusal: %s", run.Raw)
	}

	stuck := a.call("supervisor_start_run", args{"input": "x", "instructions": "sandbox-stuck"}).Get("run_id").Str
	if got := a.call("supervisor_get_run", args{"run_id": stuck}); got.Get("status").Str == "completed" {
		t.Errorf("stuck: %s", got.Raw)
	}
	if got := a.call("supervisor_cancel_run", args{"run_id": stuck}); got.Get("status").Str != "abandoned" {
		t.Errorf("cancelled: %s", got.Raw)
	}
	if listed := a.call("supervisor_list_runs", args{}); listed.Get("returned").Int() != 6 || listed.Get("runs.0.run_id").Str != stuck {
		t.Errorf("listed: %s", listed.Raw)
	}
}

func storySupervisorQuirks(t *testing.T) {
	a := inSandbox(t)
	for word, want := range map[string]string{
		"fail": "failed", "incomplete": "incomplete", "cancelled": "cancelled", "oauth": "failed", "instant": "completed",
		"long": "completed", "refusal": "completed",
	} {
		started := a.call("supervisor_start_run", args{"input": "How many orders are there?", "tools": []any{ordersTool}, "instructions": "sandbox-" + word})
		run := a.ended(started.Get("run_id").Str)
		if run.Get("status").Str != want || len(run.Raw) > 33_000 {
			t.Errorf("%s: %d bytes, %s", word, len(run.Raw), run.Raw[:min(len(run.Raw), 2000)])
		}
		if at := run.Get("error.sign_in_url").Str; strings.HasPrefix(at, sandboxHost+"/") != (word == "oauth") {
			t.Errorf("%s: sign in at %q: %s", word, at, run.Get("error"))
		}
	}
	for word, want := range map[string]string{"lie": "failed", "eof": "failed", "bare": "completed", "fail": "failed"} {
		run := a.call("supervisor_start_run", args{"input": "How many orders are there?", "tools": []any{ordersTool}, "instructions": "sandbox-" + word, "stream": true})
		if run.Get("status").Str != want {
			t.Errorf("streamed %s: %s", word, run.Raw)
		}
	}
	for _, word := range []string{"no-echo", "long-ids"} {
		asks := a.run(args{"input": "How many orders are there? Search the web for Databricks", "tools": []any{ordersTool, webTool}, "instructions": "sandbox-" + word})
		id := asks.Get("run_id").Str
		a.call("supervisor_approve", args{"run_id": id, "decisions": []any{args{"approval_request_id": asks.Get("pending_approvals.0.approval_request_id").Str, "approve": true}}})
		run := a.ended(id)
		calls := map[string]int{}
		for _, item := range run.Get(`items.#(type=="function_call")#`).Array() {
			calls[item.Get("call_id").Str]++
		}
		for call, n := range calls {
			if n != 1 {
				t.Errorf("%s: %s stands there %d times: %s", word, call, n, run.Raw)
			}
		}
		if run.Get("status").Str != "completed" || len(calls) == 0 {
			t.Errorf("%s: %s", word, run.Raw)
		}
	}
	a.refused("missing", "supervisor_start_run", args{"input": "x", "instructions": "sandbox-no-model"})
}

func storySupervisorGone(t *testing.T) {
	a := inSandbox(t)
	for range 2 {
		refusal := a.refused("missing", "supervisor_start_run", args{"input": "x", "instructions": "sandbox-gone"})
		a.must(refusal.Get("message").Str, "not available in this workspace")
		for _, instead := range []string{ordersApp, "endpoints/", "genie/"} {
			a.must(refusal.Get("advice").Str, instead)
		}
	}
	// What is known is not asked again, and the others still work.
	a.refused("missing", "supervisor_start_run", args{"input": "y"})
	a.completed(args{"agent": ordersSpace, "input": "How many orders are there?"})
}

// A server is killed while its run waits for an approval; the next one finds it.
func storySupervisorRestart(t *testing.T) {
	f := newOffice(t, sandbox.Options{Clock: &fastClock{began: time.Now(), speed: 20}, TokenLifetime: 24 * time.Hour})
	server := func() (*agent, func()) {
		cmd := f.command("--access", "full")
		cmd.Env = append(cmd.Env, "DATABRICKS_HOST="+f.URL, "DATABRICKS_TOKEN="+sandbox.Token)
		a := newAgent(t, cmd, nil)
		return a, func() {
			a.killed = true
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	first, kill := server()
	asks := first.run(args{"input": "Search the web for Databricks", "tools": []any{webTool}})
	id := asks.Get("run_id").Str
	kill()
	second, _ := server()
	listed := second.call("supervisor_list_runs", args{"status": "approval_required"})
	if listed.Get("runs.0.run_id").Str != id {
		t.Fatalf("after the restart: %s", listed.Raw)
	}
	again := second.call("supervisor_get_run", args{"run_id": id})
	second.call("supervisor_approve", args{"run_id": id, "decisions": []any{
		args{"approval_request_id": again.Get("pending_approvals.0.approval_request_id").Str, "approve": true},
	}})
	if run := second.ended(id); run.Get("status").Str != "completed" || !strings.Contains(run.Get("items").Raw, "mcp_approval_response") {
		t.Errorf("after the approval: %s", run.Raw)
	}
}
