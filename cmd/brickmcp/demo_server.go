package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"brickmcp/transport/sandbox"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// demoEnvironment blanks what the person has set for their own servers and
// workspaces: the demo is about neither, and for nobody's log.
func demoEnvironment(cmd *cobra.Command) []string {
	environment := []string{"OTEL_SDK_DISABLED=true"}
	blank := func(flag string) {
		environment = append(environment, "BRICKMCP_"+strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))+"=")
	}
	cmd.Root().PersistentFlags().VisitAll(func(f *pflag.Flag) { blank(f.Name) })
	for _, flag := range serveTwins {
		blank(flag)
	}
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "DATABRICKS_") || strings.HasPrefix(name, "ARM_") {
			environment = append(environment, name+"=")
		}
	}
	return environment
}

// demoSpeed is how fast the time of the demo's workspace runs.
const demoSpeed = 8

// workspace serves the embedded workspace from this process, so that it outlives
// the server that is killed.
func (d *demo) workspace() (stop func() error, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	box, err := sandbox.New(sandbox.Options{Clock: &fastClock{began: time.Now(), speed: demoSpeed}})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: box, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // until Close
	stop = func() error { return errors.Join(server.Close(), box.Close()) }
	profiles := filepath.Join(d.dir, "databrickscfg")
	settings := fmt.Sprintf("[DEFAULT]\nhost = http://%s\ntoken = %s\n", listener.Addr(), sandbox.Token)
	if err := os.WriteFile(profiles, []byte(settings), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("write the profile: %w", err), stop())
	}
	d.environment = append(d.environment, "DATABRICKS_CONFIG_FILE="+profiles, "XDG_STATE_HOME="+d.dir)
	d.say("$ brickmcp sandbox --listen %s --sandbox-speed %d", listener.Addr(), demoSpeed)
	return stop, nil
}

// start starts a server as a client would, and connects to it.
func (d *demo) start(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	arguments := []string{"--policy", filepath.Join(d.dir, "team.yaml"), "--audit-file", d.audit, "--log-level", "error"}
	var cmd *exec.Cmd
	d.session, err = client.NewStdioMCPClientWithOptions(self, d.environment, arguments,
		transport.WithCommandFunc(func(ctx context.Context, command string, environment, arguments []string) (*exec.Cmd, error) {
			cmd = exec.CommandContext(ctx, command, arguments...)
			cmd.Env = append(os.Environ(), environment...)
			return cmd, nil
		}))
	if err != nil {
		return fmt.Errorf("start %s: %w", self, err)
	}
	d.process = cmd.Process
	d.say("$ brickmcp %s", strings.ReplaceAll(strings.Join(arguments, " "), d.dir+string(filepath.Separator), ""))
	var request mcp.InitializeRequest
	request.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	request.Params.ClientInfo = mcp.Implementation{Name: "brickmcp-demo", Version: version}
	result, err := d.session.Initialize(ctx, request)
	if err != nil {
		return errors.Join(fmt.Errorf("initialize: %w", err), d.session.Close())
	}
	d.say("  connected to %s %s, protocol %s", result.ServerInfo.Name, result.ServerInfo.Version, result.ProtocolVersion)
	return nil
}

// kill ends the server without any warning, as a crash would.
func (d *demo) kill() error {
	if err := d.process.Kill(); err != nil {
		return fmt.Errorf("kill the server: %w", err)
	}
	_ = d.session.Close() // waits for its end, which was no good one
	return nil
}
