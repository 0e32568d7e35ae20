package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"brickmcp/catalog"
	"brickmcp/tools"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

func (c *config) callCommand() *cobra.Command {
	var raw string
	var pretty bool
	cmd := &cobra.Command{
		Use:   "call TOOL [key=value …]",
		Short: "Run one tool and print its result as JSON",
		Long: "Run one tool and print its result as JSON; the exit status is 1 when the result is an error.\n" +
			"Values that are objects or arrays are written as JSON; --json gives all arguments as one object.\n" +
			"A call that the policy wants confirmed asks on a terminal. Elsewhere it does nothing, ends with status 1, and prints\n" +
			"what it would do and a confirm_token: the same command with confirm_token=TOKEN does it.",
		Example: "  brickmcp call jobs_list limit=5 --sandbox\n  brickmcp call sql_execute_statement --json '{\"warehouse_id\":\"abc\",\"statement\":\"SELECT 1\"}'",
		Args:    usage(cobra.MinimumNArgs(1)),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return completeCall(args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			row := catalog.Find(args[0])
			who := args[0] == tools.WhoAmI().Name
			if row == nil && !who && len(c.managed) == 0 {
				return usagef("there is no tool %q%s; brickmcp tools lists them", args[0], nearestTool(args[0]))
			}
			if cmd.Flags().Changed("json") && raw == "" {
				return usagef("--json must be a JSON object, not empty")
			}
			a, err := c.build()
			if err != nil {
				return err
			}
			defer a.close()
			if row == nil && !who {
				row, err = a.tools.Find(cmd.Context(), args[0])
				switch {
				case err != nil:
					return explained(err)
				case row == nil:
					return usagef("there is no tool %q%s; brickmcp tools lists them", args[0], nearestTool(args[0]))
				}
			}
			arguments, err := parseArguments(row, raw, args[1:])
			if err != nil {
				return err
			}
			defer a.tools.Wait(cmd.Context())
			if who {
				return c.printResult(a.tools.CallWhoAmI(cmd.Context(), arguments), pretty)
			}
			result := a.tools.Call(cmd.Context(), row, arguments)
			asked := gjson.GetBytes(resultJSON(result), "confirm")
			if !asked.Exists() {
				return c.printResult(result, pretty)
			}
			if !isTerminal(c.in) || !isTerminal(c.err) {
				if err := c.printResult(result, pretty); err != nil {
					return err
				}
				c.printf("brickmcp: nothing was done yet; the same command with confirm_token=%s does it\n", asked.Get("confirm_token").Str)
				return errSilent
			}
			if !c.agreed(cmd.Context(), asked) {
				c.printf("Nothing was done.\n")
				return errSilent
			}
			if arguments, err = sjson.SetBytes(arguments, "confirm_token", asked.Get("confirm_token").Str); err != nil {
				return err
			}
			return c.printResult(a.tools.Call(cmd.Context(), row, arguments), pretty)
		},
	}
	cmd.Flags().StringVar(&raw, "json", "", "all arguments as one JSON `OBJECT`")
	cmd.Flags().BoolVar(&pretty, "pretty", isTerminal(c.out), "indent the result (default on a terminal)")
	return cmd
}

// agreed shows a person what a call would do, and asks. Anything but yes is a no,
// the end of the input and of the program too.
func (c *config) agreed(ctx context.Context, asked gjson.Result) bool {
	what, _, _ := strings.Cut(asked.Get("what").Str, " Nothing was done yet")
	c.printf("%s\n", plain(what))
	for _, change := range asked.Get("preview.changes").Array() {
		c.printf("  %s\n", plain(change.Str))
	}
	c.printf("Do it (%s asks)? [y/N] ", plain(asked.Get("rule").Str))
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(c.in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case word := <-answer:
		return word == "y" || word == "yes"
	case <-ctx.Done():
		c.printf("\n")
		return false
	}
}

// resultJSON is a result as the agent gets it.
func resultJSON(result *mcp.CallToolResult) []byte {
	out := []byte(result.RawStructuredContent)
	if len(out) == 0 {
		for _, content := range result.Content {
			if text, ok := content.(mcp.TextContent); ok {
				out = append(out, text.Text...)
			}
		}
	}
	return out
}

func (c *config) printResult(result *mcp.CallToolResult, pretty bool) error {
	out := resultJSON(result)
	if pretty {
		var indented bytes.Buffer
		if json.Indent(&indented, out, "", "  ") == nil {
			out = indented.Bytes()
		}
	}
	if _, err := c.out.Write(append(out, '\n')); err != nil {
		return err
	}
	if result.IsError {
		return errSilent
	}
	return nil
}

// parseArguments makes the JSON object of the arguments; Bind checks it.
func parseArguments(row *catalog.Row, raw string, pairs []string) (json.RawMessage, error) {
	if raw != "" {
		if len(pairs) > 0 {
			return nil, usagef("give the arguments either as key=value or by --json, not both")
		}
		return json.RawMessage(raw), nil
	}
	arguments := map[string]json.RawMessage{}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, usagef("%q is not of the form key=value", pair)
		}
		if _, twice := arguments[key]; twice {
			return nil, usagef("%q is given twice", key)
		}
		if row == nil && key == "arguments" && json.Valid([]byte(value)) {
			arguments[key] = json.RawMessage(value)
			continue
		}
		if row == nil { // whoami takes the name of a tool
			quoted, err := json.Marshal(value)
			if err != nil {
				return nil, err
			}
			arguments[key] = quoted
			continue
		}
		arguments[key] = row.FromText(key, value)
	}
	return json.Marshal(arguments)
}

func completeCall(args []string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		var names []string
		for _, row := range catalog.All() {
			names = append(names, row.Name+"\t"+row.Title)
		}
		names = append(names, tools.WhoAmI().Name+"\t"+tools.WhoAmI().Title)
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	var keys []string
	if row := catalog.Find(args[0]); row != nil {
		for _, name := range row.Arguments() {
			keys = append(keys, name+"=")
		}
	}
	return keys, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

func nearestTool(name string) string {
	names := []string{tools.WhoAmI().Name}
	for _, row := range catalog.All() {
		names = append(names, row.Name)
	}
	if near := catalog.Nearest(name, names); near != "" {
		return " (did you mean " + near + "?)"
	}
	return ""
}
