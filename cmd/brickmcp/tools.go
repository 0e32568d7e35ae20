package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"brickmcp/catalog"
	"brickmcp/tools"

	"github.com/spf13/cobra"
)

// listed is a tool as `tools --json` prints it.
type listed struct {
	Name        string          `json:"name"`
	Group       string          `json:"group"`
	Title       string          `json:"title"`
	Description string          `json:"description"`
	Access      string          `json:"access"`
	Allowed     bool            `json:"allowed"`
	Permission  string          `json:"permission"`
	Endpoint    string          `json:"endpoint"`
	RateLimit   string          `json:"rate_limit"`
	InputSchema json.RawMessage `json:"input_schema"`
}

func (c *config) toolsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "tools", Short: "List the tools with group, access, permission and endpoint", Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := c.check()
			if err != nil {
				return err
			}
			var all []listed
			for _, row := range catalog.All() {
				all = append(all, listed{
					Name: row.Name, Group: row.Group.ID, Title: row.Title, Description: row.Doc,
					Access: row.Effect.Needs().String(), Allowed: s.access.Allows(row),
					Permission: row.Needs, Endpoint: row.Endpoint(), RateLimit: row.Limit.String(),
					InputSchema: row.Schema(),
				})
			}
			who := tools.WhoAmI()
			all = append(all, listed{
				Name: who.Name, Title: who.Title, Description: who.Description, Access: catalog.LevelRead.String(), Allowed: true,
				Permission: catalog.GetMe.Needs, Endpoint: catalog.GetMe.Endpoint(), RateLimit: catalog.GetMe.Limit.String(),
				InputSchema: who.RawInputSchema,
			})
			if len(s.managed) > 0 {
				theirs, err := c.managedTools(cmd.Context(), s.access)
				if err != nil {
					return err
				}
				all = append(all, theirs...)
			}
			if asJSON {
				return printJSON(c.out, all)
			}
			table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "TOOL\tGROUP\tACCESS\tALLOWED\tPERMISSION\tENDPOINT")
			for _, t := range all {
				allowed := "no"
				if t.Allowed {
					allowed = "yes"
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", t.Name, t.Group, t.Access, allowed, t.Permission, t.Endpoint)
			}
			return table.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// managedTools are the tools of the servers that --managed names. Those that cannot be
// asked within their time are named on stderr.
func (c *config) managedTools(ctx context.Context, access tools.Access) ([]listed, error) {
	c.logLevel = "error" // what goes wrong with them is said below
	a, err := c.build()
	if err != nil {
		return nil, err
	}
	defer a.close()
	managed, failed := a.tools.ManagedTools(ctx)
	for _, err := range failed {
		clean, _ := catalog.Clean(err.Error())
		c.printf("brickmcp: %s\n", clean)
	}
	var all []listed
	for _, t := range managed {
		all = append(all, listed{
			Name: t.Row.Name, Group: t.Row.Group.ID, Title: t.Row.Title, Description: t.Listed.Description,
			Access: t.Row.Effect.Needs().String(), Allowed: access.Allows(t.Row),
			Permission: t.Row.Needs, Endpoint: t.Row.Endpoint(), RateLimit: t.Row.Limit.String(),
			InputSchema: t.Listed.RawInputSchema,
		})
	}
	return all, nil
}
