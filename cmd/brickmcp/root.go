package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"brickmcp/catalog"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// version is set by the build: -ldflags "-X main.version=1.2.3".
var version = "0.0.0-dev"

func newRoot(c *config) *cobra.Command {
	root := &cobra.Command{
		Use:   "brickmcp",
		Short: "The MCP server that gives AI agents all of Databricks, safely",
		Long: "brickmcp serves Databricks to MCP clients (Claude, Cursor, VS Code and others) as the signed-in user.\n" +
			"Without a command it serves MCP over stdin and stdout.",
		Args:          noCommand,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return c.environment(cmd)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return c.serve(cmd.Context()) },
	}
	c.bind(root.PersistentFlags())
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetIn(c.in)
	root.SetFlagErrorFunc(wrongFlag)
	root.AddCommand(c.serveCommand(), c.toolsCommand(), c.callCommand(), c.demoCommand(), c.sandboxCommand(), c.versionCommand(),
		c.loginCommand(), c.logoutCommand(), c.whoamiCommand(), c.doctorCommand(), c.policyCommand(), c.auditCommand(), c.managedCommand(), c.secretCommand(),
		c.installCommand())
	c.serveFlags(root.Flags())
	return root
}

// usage makes what check refuses a wrong usage, exit status 2.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{fmt.Errorf("%s: %w; see %s --help", cmd.Name(), err, cmd.CommandPath())}
		}
		return nil
	}
}

// wrongFlag names the flag that an unknown one probably means.
func wrongFlag(cmd *cobra.Command, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !unknown {
		return usageError{err}
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := catalog.Nearest(name, names); near != "" {
		return usagef("%w (did you mean --%s?)", err, near)
	}
	return usageError{err}
}

func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = " (did you mean " + near[0] + "?)"
	}
	return usagef("unknown command %q%s; brickmcp --help lists the commands", args[0], hint)
}

func (c *config) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: usage(cobra.NoArgs),
		Run: func(cmd *cobra.Command, _ []string) {
			revision, modified := "", ""
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					switch {
					case s.Key == "vcs.revision" && len(s.Value) >= 12:
						revision = " " + s.Value[:12]
					case s.Key == "vcs.modified" && s.Value == "true":
						modified = " (modified)"
					}
				}
			}
			cmd.Printf("brickmcp %s%s%s\n", version, revision, modified)
		},
	}
}
