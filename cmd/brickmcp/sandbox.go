package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"brickmcp/transport/sandbox"

	"github.com/spf13/cobra"
)

func (c *config) sandboxCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Serve the embedded workspace over HTTP",
		Long: "Serve the embedded workspace over HTTP, for this server, the Databricks CLI or anything else that speaks its REST API.\n" +
			"It prints the settings that point a client at it. Everything in it is gone when it ends.",
		Example: "  brickmcp sandbox --listen 127.0.0.1:8080 --fault '503:path=/api/2.2/jobs/*,count=2'",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.sandbox = true
			return c.serveSandbox(cmd.Context(), listen)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "loopback `ADDRESS` to listen on; port 0 picks a free one")
	return cmd
}

func (c *config) serveSandbox(ctx context.Context, address string) (err error) {
	s, err := c.check()
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return usagef("--listen %q: want HOST:PORT", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return usagef("--listen %q: the sandbox knows its tokens by heart, so it listens on loopback only", address)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	box, err := sandbox.New(sandbox.Options{Clock: c.sandboxClock(), Faults: s.faults})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	fmt.Fprintf(c.out, "DATABRICKS_HOST=http://%s\nDATABRICKS_TOKEN=%s\n", listener.Addr(), sandbox.Token)
	server := &http.Server{Handler: box, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err = <-ended:
		return err
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := server.Shutdown(closing); err != nil {
		return server.Close()
	}
	return nil
}
