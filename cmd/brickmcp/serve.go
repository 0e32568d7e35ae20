package main

import (
	"cmp"
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
		Long: "Serve MCP over stdin and stdout, or over HTTP with --transport http or sse.\n" +
			"On HTTP, --identity says whom: local is yourself on this machine, who has what brickmcp secret prints; apps is each user of a Databricks App, as themselves.",
		RunE: func(cmd *cobra.Command, _ []string) error { return c.serve(cmd.Context()) },
	}
	c.serveFlags(cmd.Flags())
	return cmd
}

// serveFlags are the flags of serving, which the command without a name does too.
func (c *config) serveFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.transport, "transport", transportStdio, "how to serve: stdio, http (streamable HTTP at /mcp) or sse (the older /sse and /message)")
	flags.DurationVar(&c.drain, "drain-timeout", 0, "how long running calls may still be answered at the end (default 2s; http and sse 10s)")
	flags.StringVar(&c.listen, "listen", "", "`ADDRESS` of http and sse (default "+localListen+"; with --identity apps 0.0.0.0 and DATABRICKS_APP_PORT)")
	flags.StringVar(&c.adminListen, "admin-listen", "", "`ADDRESS` of /metrics, such as 127.0.0.1:9090 (default none)")
	flags.StringVar(&c.identity, "identity", "", "whom http and sse serve: local (one person, on this machine, who has the secret) or apps (the users of a Databricks App)")
	flags.StringArrayVar(&c.allowHosts, "allow-host", nil, "host `NAME` that requests may be for, besides this machine (repeatable)")
	flags.StringArrayVar(&c.allowOrigins, "allow-origin", nil, "web page `ORIGIN` that may call, such as https://chat.example.com (repeatable; none by default)")
}

func (c *config) serve(ctx context.Context) (err error) {
	if err := c.checkTransport(); err != nil {
		return err
	}
	c.serving = true
	if c.transport != transportStdio {
		return c.serveHTTP(ctx)
	}
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

// begin is that of what users share.
func (a *app) begin(ctx context.Context) { a.shared.begin(ctx, a.workspace.hostName()) }

// begin writes down that the server has started, and looks after its policy.
func (sh *shared) begin(ctx context.Context, host string) {
	say := "brickmcp " + version + " began to serve " + cmp.Or(host, "a workspace that nobody is signed in to yet")
	if sh.policy != nil {
		_, _ = sh.policy.Current() // what is wrong with it is said by load
		say += " under the policy " + filepath.Base(sh.policy.path)
		sh.policy.watch(ctx)
	}
	note(sh.audit, sh.log, audit.Line{Event: "start", Workspace: host, Outcome: "ok", Say: say})
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
