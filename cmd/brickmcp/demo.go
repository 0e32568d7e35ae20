package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

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
			return c.demo(ctx)
		},
	}
}

// demoAccess lets the session start jobs and change nothing else, so that a
// refusal can be seen.
const demoAccess = "read,jobs=full,sql=full"

func (c *config) demo(ctx context.Context) (err error) {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	arguments := []string{"--sandbox", "--sandbox-speed", "8", "--access", demoAccess, "--log-level", "error"}
	session, err := client.NewStdioMCPClient(self, nil, arguments...)
	if err != nil {
		return fmt.Errorf("start %s: %w", self, err)
	}
	defer session.Close()
	d := &demo{config: c, session: session}
	d.say("$ brickmcp %s", strings.Join(arguments, " "))
	for _, step := range []func(context.Context) error{d.hello, d.tools, d.browse, d.query, d.job, d.refusal} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	d.say("\nThat was a real MCP session over stdio. To use it with your workspace and client, see the README.")
	return nil
}

// demo is one MCP client session that a person reads along.
type demo struct {
	*config
	session *client.Client
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

func (d *demo) hello(ctx context.Context) error {
	var request mcp.InitializeRequest
	request.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	request.Params.ClientInfo = mcp.Implementation{Name: "brickmcp-demo", Version: version}
	result, err := d.session.Initialize(ctx, request)
	if err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	d.say("  connected to %s %s, protocol %s", result.ServerInfo.Name, result.ServerInfo.Version, result.ProtocolVersion)
	return nil
}

func (d *demo) tools(ctx context.Context) error {
	d.title("What may an agent do? (tools/list with --access " + demoAccess + ")")
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
	d.say("  %d tools, %d of them may write; about %d tokens", len(names), writes, len(encoded)/4)
	for line := range strings.Lines(wrap(strings.Join(names, " "), 96)) {
		d.say("  %s", strings.TrimSpace(line))
	}
	return nil
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
	d.title("Run a query")
	warehouses, err := d.call(ctx, "warehouses_list", map[string]any{})
	if err != nil {
		return err
	}
	id := warehouses.Get(`warehouses.#(state=="RUNNING").id`).Str
	answer, err := d.call(ctx, "sql_execute_statement", map[string]any{
		"warehouse_id": id, "wait_timeout": "30s",
		"statement": "SELECT s.city, count(*) AS orders, round(sum(o.total_amount), 2) AS revenue FROM main.retail.orders o JOIN main.retail.stores s ON s.store_id = o.store_id GROUP BY s.city ORDER BY revenue DESC LIMIT 5",
	})
	if err != nil {
		return err
	}
	d.say("  %s", answer.Get("columns").Raw)
	for _, row := range answer.Get("rows").Array() {
		d.say("  %s", row.Raw)
	}
	d.say("  %d rows, state %s", answer.Get("returned").Int(), answer.Get("state").Str)
	return nil
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
	d.title("Try something that the access settings do not allow")
	arguments := map[string]any{"path": "/Volumes/main/retail/landing/orders.csv"}
	d.say("→ files_delete %q", arguments["path"])
	answer, failed, err := d.ask(ctx, "files_delete", arguments)
	switch {
	case err != nil:
		return err
	case !failed || answer.Get("error.kind").Str != "denied":
		return fmt.Errorf("files_delete was not refused: %s", answer.Raw)
	}
	d.say("  refused: %s", answer.Get("error.message").Str)
	d.say("  advice:  %s", answer.Get("error.advice").Str)
	return nil
}
