package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"brickmcp/tools/audit"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"
)

func (c *config) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use: "demo", Short: "Show a guided session on the embedded workspace", Args: usage(cobra.NoArgs),
		Long: "Start this program as an MCP client would, over stdio and on the embedded workspace, and use it step by step.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Minute)
			defer cancel()
			return c.demo(ctx, demoEnvironment(cmd))
		},
	}
}

// demoPolicy lets the session start and delete jobs and start agents, and asks
// before what cannot be taken back: a refusal and a question can be seen.
const demoPolicy = `default: read
groups: {jobs: full, supervisor: full}      # files, clusters and the rest: read
confirm: destructive                        # asks before what changes or removes something
tools: {supervisor_approve: allow}          # answers a question, and needs no other
`

func (c *config) demo(ctx context.Context, environment []string) (err error) {
	dir, err := os.MkdirTemp("", "brickmcp-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for policy and audit log: %w", err)
	}
	defer os.RemoveAll(dir)
	d := &demo{config: c, dir: dir, environment: environment, audit: filepath.Join(dir, "audit.jsonl")}
	if err := os.WriteFile(filepath.Join(dir, "team.yaml"), []byte(demoPolicy), 0o600); err != nil {
		return fmt.Errorf("write the policy: %w", err)
	}
	stop, err := d.workspace()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := d.start(ctx); err != nil {
		return err
	}
	defer func() { d.session.Close() }()
	for _, step := range []func(context.Context) error{d.tools, d.browse, d.query, d.job, d.agentRun, d.refusal, d.deletion, d.written} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	d.say("\nThat was a real MCP session over stdio. To use it with your workspace and client, see the README.")
	return nil
}

// demo is one MCP client that a person reads along.
type demo struct {
	*config
	dir         string
	environment []string // of the server
	audit       string   // file
	process     *os.Process
	session     *client.Client
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

func (d *demo) title(text string) { d.say("\n── %s", text) }

// call runs a tool; an error result is an error unless it is wanted.
func (d *demo) call(ctx context.Context, tool string, arguments map[string]any) (gjson.Result, error) {
	shown, err := json.Marshal(arguments)
	if err != nil {
		return gjson.Result{}, err
	}
	d.say("→ %s %s", tool, shown)
	answer, failed, err := d.ask(ctx, tool, arguments)
	if err == nil && failed {
		err = fmt.Errorf("%s: %s", tool, answer.Get("error.message").Str)
	}
	return answer, err
}

func (d *demo) ask(ctx context.Context, tool string, arguments map[string]any) (gjson.Result, bool, error) {
	var request mcp.CallToolRequest
	request.Params.Name, request.Params.Arguments = tool, arguments
	result, err := d.session.CallTool(ctx, request)
	if err != nil {
		return gjson.Result{}, false, fmt.Errorf("%s: %w", tool, err)
	}
	for _, content := range result.Content {
		if text, ok := content.(mcp.TextContent); ok {
			return gjson.Parse(text.Text), result.IsError, nil
		}
	}
	return gjson.Result{}, result.IsError, fmt.Errorf("%s: a result without text", tool)
}

func (d *demo) tools(ctx context.Context) error {
	d.title("What may an agent do? team.yaml says:")
	for line := range strings.Lines(demoPolicy) {
		d.say("  %s", strings.TrimSuffix(line, "\n"))
	}
	list, err := d.session.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil {
		return fmt.Errorf("tools/list: %w", err)
	}
	encoded, err := json.Marshal(list.Tools)
	if err != nil {
		return err
	}
	writes := 0
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
		if tool.Annotations.ReadOnlyHint == nil || !*tool.Annotations.ReadOnlyHint {
			writes++
		}
	}
	d.say("→ tools/list\n  %d tools, %d of them may write; about %d tokens", len(names), writes, len(encoded)/4)
	d.wrapped(strings.Join(names, " "))
	return nil
}

func (d *demo) wrapped(text string) {
	for line := range strings.Lines(wrap(text, 120)) {
		d.say("  %s", strings.TrimSpace(line))
	}
}

func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		if column > 0 && column+1+len(word) > width {
			b.WriteByte('\n')
			column = 0
		} else if column > 0 {
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

func (d *demo) browse(ctx context.Context) error {
	d.title("Browse Unity Catalog")
	for _, step := range []struct {
		tool, list string
		arguments  map[string]any
	}{
		{"uc_list_catalogs", "catalogs", map[string]any{}},
		{"uc_list_schemas", "schemas", map[string]any{"catalog_name": "main"}},
		{"uc_list_tables", "tables", map[string]any{"catalog_name": "main", "schema_name": "retail"}},
	} {
		answer, err := d.call(ctx, step.tool, step.arguments)
		if err != nil {
			return err
		}
		var names []string
		for _, item := range answer.Get(step.list).Array() {
			names = append(names, item.Get("name").Str)
		}
		d.say("  %s", strings.Join(names, ", "))
	}
	return nil
}

func (d *demo) query(ctx context.Context) error {
	d.title("Run a query: it provably only reads, and needs no warehouse to be picked")
	answer, err := d.call(ctx, "sql_query", map[string]any{
		"statement": "SELECT s.city, count(*) AS orders, round(sum(o.total_amount), 2) AS revenue FROM main.retail.orders o JOIN main.retail.stores s ON s.store_id = o.store_id GROUP BY s.city ORDER BY revenue DESC LIMIT 5",
	})
	if err != nil {
		return err
	}
	d.say("  %s", answer.Get("columns").Raw)
	for _, row := range answer.Get("rows").Array() {
		d.say("  %s", row.Raw)
	}
	d.say("  %d rows, on warehouse %s", answer.Get("returned").Int(), answer.Get("warehouse_id").Str)
	return d.refused(ctx, "sql_query", map[string]any{"statement": "DELETE FROM main.retail.orders"}, "invalid")
}

// failingJob is the seeded job that never succeeds.
const failingJob = "customer_churn_features"

func (d *demo) job(ctx context.Context) error {
	d.title("Start the failing job, poll it, and find out why")
	jobs, err := d.call(ctx, "jobs_list", map[string]any{"name": failingJob})
	if err != nil {
		return err
	}
	id := jobs.Get("jobs.0.job_id").Str
	if id == "" {
		return fmt.Errorf("the sandbox has no job %s", failingJob)
	}
	started, err := d.call(ctx, "jobs_run_now", map[string]any{"job_id": id})
	if err != nil {
		return err
	}
	run := started.Get("run_id").Str
	d.say("  run %s began; the sandbox's time runs 8 times as fast here", run)
	state, tasks := "", gjson.Result{}
	for last := ""; state != "TERMINATED" && state != "INTERNAL_ERROR"; {
		answer, failed, err := d.ask(ctx, "jobs_get_run", map[string]any{"run_id": run})
		if err != nil {
			return err
		}
		if failed {
			return fmt.Errorf("jobs_get_run: %s", answer.Get("error.message").Str)
		}
		state, tasks = answer.Get("status.state").Str, answer.Get("tasks")
		if now := state + " " + answer.Get("status.termination_details.code").Str; now != last {
			d.say("→ jobs_get_run {\"run_id\":%q}: %s", run, now)
			last = now
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, task := range tasks.Array() {
		if code := task.Get("status.termination_details.code").Str; code == "SUCCESS" || strings.Contains(code, "UPSTREAM") {
			continue
		}
		output, err := d.call(ctx, "jobs_get_run_output", map[string]any{"run_id": task.Get("run_id").Str})
		if err != nil {
			return err
		}
		d.say("  task %s: %s", task.Get("task_key").Str, output.Get("error").Str)
		break // what follows it did not run
	}
	return nil
}

func (d *demo) refusal(ctx context.Context) error {
	d.title("Try something that the policy does not allow")
	return d.refused(ctx, "files_delete", map[string]any{"path": "/Volumes/main/retail/landing/orders.csv"}, "denied")
}

// refused makes a call that must end with an error of that kind.
func (d *demo) refused(ctx context.Context, tool string, arguments map[string]any, kind string) error {
	shown, err := json.Marshal(arguments)
	if err != nil {
		return err
	}
	d.say("→ %s %s", tool, shown)
	answer, failed, err := d.ask(ctx, tool, arguments)
	switch {
	case err != nil:
		return err
	case !failed || answer.Get("error.kind").Str != kind:
		return fmt.Errorf("%s was not refused: %s", tool, answer.Raw)
	}
	d.say("  refused: %s", answer.Get("error.message").Str)
	d.say("  advice:  %s", answer.Get("error.advice").Str)
	return nil
}

// scratchJob is a seeded job that nobody misses.
const scratchJob = "ana_scratch_test"

func (d *demo) deletion(ctx context.Context) error {
	d.title("Delete a job: the first call only says what it would do")
	jobs, err := d.call(ctx, "jobs_list", map[string]any{"name": scratchJob})
	if err != nil {
		return err
	}
	arguments := map[string]any{"job_id": jobs.Get("jobs.0.job_id").Str}
	answer, err := d.call(ctx, "jobs_delete", arguments)
	if err != nil {
		return err
	}
	asked := answer.Get("confirm")
	token := asked.Get("confirm_token").Str
	if token == "" {
		return fmt.Errorf("jobs_delete asked for no confirmation: %s", answer.Raw)
	}
	d.say("  what:    %s", asked.Get("what").Str)
	d.say("  rule:    %s", asked.Get("rule").Str)
	now := asked.Get("preview.now")
	d.say("  preview: created by %s, runs as %s, tags %s, %d task …", now.Get("creator_user_name").Str, now.Get("run_as_user_name").Str, now.Get("settings.tags").Raw, len(now.Get("settings.tasks").Array()))
	d.say("  The agent shows that to its person: the same call with the token does it, once, within 10 minutes.")
	arguments["confirm_token"] = token
	if answer, err = d.call(ctx, "jobs_delete", arguments); err != nil {
		return err
	}
	d.say("  undo:    %s", answer.Get("undo").Str)
	return nil
}

// written shows the audit log of the session, as its commands do.
func (d *demo) written(context.Context) error {
	d.title("What did the agent do? (brickmcp audit)")
	v := newAuditView(d.out, d.err, time.Now())
	if err := v.show(d.audit, audit.Filter{}); err != nil {
		return err
	}
	d.title("Can anybody have changed that? (brickmcp audit verify)")
	report, err := audit.Verify(d.audit)
	if err != nil {
		return err
	}
	return v.verified(&report)
}
