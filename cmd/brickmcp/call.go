package main

import (
	"bytes"
	"encoding/json"
	"strings"

	"brickmcp/catalog"
	"brickmcp/tools"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/spf13/cobra"
)

func (c *config) callCommand() *cobra.Command {
	var raw string
	var pretty bool
	cmd := &cobra.Command{
		Use:   "call TOOL [key=value …]",
		Short: "Run one tool and print its result as JSON",
		Long: "Run one tool and print its result as JSON; the exit status is 1 when the result is an error.\n" +
			"Values that are objects or arrays are written as JSON; --json gives all arguments as one object.",
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
			var result *mcp.CallToolResult
			if who {
				result = a.tools.CallWhoAmI(cmd.Context(), arguments)
			} else {
				result = a.tools.Call(cmd.Context(), row, arguments)
			}
			a.tools.Wait(cmd.Context())
			return c.printResult(result, pretty)
		},
	}
	cmd.Flags().StringVar(&raw, "json", "", "all arguments as one JSON `OBJECT`")
	cmd.Flags().BoolVar(&pretty, "pretty", isTerminal(c.out), "indent the result (default on a terminal)")
	return cmd
}

func (c *config) printResult(result *mcp.CallToolResult, pretty bool) error {
	out := []byte(result.RawStructuredContent)
	if len(out) == 0 {
		for _, content := range result.Content {
			if text, ok := content.(mcp.TextContent); ok {
				out = append(out, text.Text...)
			}
		}
	}
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
		if row == nil { // whoami takes text
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
