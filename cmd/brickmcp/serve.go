package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"brickmcp/tools/audit"
	"brickmcp/transport/serve"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
)

// farewell bounds the clean-up in the workspace after the last call, unless more
// time was given to the calls themselves.
const farewell = 3 * time.Second

func (c *config) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve MCP (the default)", Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.serve(cmd.Context()) },
	}
	c.serveFlags(cmd.Flags())
	return cmd
}

// serveFlags are the flags of serving, which the command without a name does too.
func (c *config) serveFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.transport, "transport", "stdio", "how to serve: stdio")
	flags.DurationVar(&c.drain, "drain-timeout", serve.DefaultDrain, "how long running calls may still be answered at the end")
}

func (c *config) serve(ctx context.Context) (err error) {
	if c.transport != "stdio" {
		return usagef("--transport %q is not available; valid: stdio", c.transport)
	}
	if c.drain <= 0 {
		return usagef("--drain-timeout must be above 0, not %s", c.drain)
	}
	c.serving = true
	a, err := c.build()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	c.greet()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watchParent(ctx, stop)
	a.begin(ctx)
	err = (&serve.Stdio{Server: a.tools.MCP(), In: c.in, Out: c.out, Log: a.log, Drain: c.drain}).Run(ctx)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(farewell, c.drain))
	defer cancel()
	a.tools.Wait(ending)
	if err != nil {
		a.log.Warn("the client went away", zap.Error(err))
	}
	return nil
}

// begin writes down that the server has started, and looks after its policy.
func (a *app) begin(ctx context.Context) {
	say := "brickmcp " + version + " began to serve " + a.place()
	if a.policy != nil {
		_, _ = a.policy.Current() // what is wrong with it is said by load
		say += " under the policy " + filepath.Base(a.policy.path)
		a.policy.watch(ctx)
	}
	note(a.audit, a.log, audit.Line{Event: "start", Workspace: a.workspace.hostName(), Outcome: "ok", Say: say})
}

func (a *app) place() string {
	if host := a.workspace.hostName(); host != "" {
		return host
	}
	return "a workspace that nobody is signed in to yet"
}

// greet tells a person at a terminal that this program talks to programs.
func (c *config) greet() {
	if !isTerminal(c.in) {
		return
	}
	c.printf(`brickmcp %s is an MCP server: an AI client starts it and talks to it over stdin and stdout.
It is waiting for JSON-RPC on stdin; end it with Ctrl-C.

Try instead:
  brickmcp demo                    a guided session on an embedded workspace
  brickmcp tools                   what agents can do
  brickmcp call jobs_list --sandbox
  brickmcp --help
`, version)
}

// isTerminal reports whether a stream, in or out, is a person's terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
