package main

import (
	"context"
	"fmt"

	"github.com/tidwall/gjson"
)

// agentRun shows that a run outlives the server that started it.
func (d *demo) agentRun(ctx context.Context) error {
	d.title("Give an agent a long task, kill the server while it waits for an approval, and go on")
	started, err := d.call(ctx, "supervisor_start_run", map[string]any{
		"input": "How many orders are there? Search the web for order statistics",
		"tools": []any{
			map[string]any{"type": "genie_space", "genie_space": map[string]any{"id": "01ef8d2a5c7b1e4f9a3d6b8c0e2f4a61", "description": "Orders"}},
			map[string]any{"type": "uc_connection", "uc_connection": map[string]any{"name": "web_search", "description": "The web"}},
		},
	})
	if err != nil {
		return err
	}
	id := started.Get("run_id").Str
	run, err := d.waitRun(ctx, id, "approval_required")
	if err != nil {
		return err
	}
	pending := run.Get("pending_approvals.0")
	d.say("  it asks: may I call %s of %s with %s?", pending.Get("name").Str, pending.Get("server_label").Str, pending.Get("arguments").Raw)
	if err := d.kill(); err != nil {
		return err
	}
	d.say("  The server is killed, and the client starts another:")
	if err := d.start(ctx); err != nil {
		return err
	}
	listed, err := d.call(ctx, "supervisor_list_runs", map[string]any{"status": "approval_required"})
	if err != nil {
		return err
	}
	if found := listed.Get("runs.0.run_id").Str; found != id || listed.Get("returned").Int() != 1 {
		return fmt.Errorf("the run %s was lost: %s", id, listed.Raw)
	}
	d.say("  %s is there, and still waits", id)
	if _, err := d.call(ctx, "supervisor_approve", map[string]any{"run_id": id, "decisions": []any{
		map[string]any{"approval_request_id": pending.Get("approval_request_id").Str, "approve": true},
	}}); err != nil {
		return err
	}
	if run, err = d.waitRun(ctx, id, "completed"); err != nil {
		return err
	}
	d.wrapped(run.Get("output_text").Str)
	return nil
}

// waitRun waits until a run gets somewhere, which must be there.
func (d *demo) waitRun(ctx context.Context, id, status string) (gjson.Result, error) {
	for {
		run, err := d.call(ctx, "supervisor_wait_run", map[string]any{"run_id": id})
		if err != nil {
			return run, err
		}
		switch now := run.Get("status").Str; now {
		case status:
			return run, nil
		case "queued", "in_progress":
		default:
			return run, fmt.Errorf("the run is %s, not %s: %s", now, status, run.Raw)
		}
	}
}
