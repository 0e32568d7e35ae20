package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"brickmcp/auth"
	"brickmcp/tools/audit"
	"brickmcp/transport/sandbox"

	"github.com/spf13/cobra"
	"go.uber.org/zap/zapcore"
)

func (c *config) loginCommand() *cobra.Command {
	return &cobra.Command{
		Use: "login", Short: "Sign in to a workspace with a browser", Args: usage(cobra.NoArgs),
		Long: "Sign in to a workspace with a browser (OAuth, no token to paste). The address to open is printed on stderr;\n" +
			"on a machine without a browser, open it elsewhere and paste the address that the browser ends on.\n" +
			"Servers that run already use the sign-in from their next call on.",
		Example: "  brickmcp login --host https://dbc-a1b2c3d4-e5f6.cloud.databricks.com\n  brickmcp login --profile work\n" +
			"  brickmcp login --sandbox         a rehearsal on the embedded workspace",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.sandbox {
				return c.rehearseLogin(cmd.Context())
			}
			return c.login(cmd.Context(), c.authOptions(c.profile))
		},
	}
}

func (c *config) login(ctx context.Context, o auth.Options) error {
	options := auth.LoginOptions{Options: o, Out: c.err, OpenBrowser: auth.OpenBrowser(c.getenv)}
	if isTerminal(c.in) { // in a pipe may be the rest of somebody's script
		options.In = c.in
	}
	result, err := auth.Login(ctx, options)
	switch {
	case err != nil && ctx.Err() != nil:
		return errors.New("the sign-in was interrupted; nobody was signed in")
	case err != nil:
		return spoken(err)
	}
	for _, warning := range result.Warnings {
		c.printf("brickmcp: warning: %s\n", warning)
	}
	c.record(audit.Line{
		Event: "signin", User: result.User, Workspace: strings.TrimPrefix(result.Host, "https://"), Client: "brickmcp login", Outcome: "ok",
		Say: someone(result.User) + " signed in to " + strings.TrimPrefix(result.Host, "https://") + " with brickmcp login",
	})
	_, err = fmt.Fprint(c.out, loginText(result))
	return err
}

// record writes what a command of a person did. That it cannot be written stops no
// sign-in: it is said.
func (c *config) record(line audit.Line) {
	log := newLog(c.err, zapcore.WarnLevel, c.logFormat)
	to, exporter, err := c.openAudit(log)
	if err != nil {
		c.printf("brickmcp: warning: %v\n", err)
		return
	}
	note(to, log, line)
	ctx, cancel := context.WithTimeout(context.Background(), leave)
	defer cancel()
	if err := exporter.Close(ctx); err != nil {
		c.printf("brickmcp: warning: the audit line may not have been exported: %v\n", err)
	}
}

func someone(user string) string {
	if user == "" {
		return "somebody"
	}
	return user
}

func loginText(r *auth.LoginResult) string {
	where := r.Host
	if r.AccountID != "" {
		where += " (account " + r.AccountID + ")"
	}
	text := fmt.Sprintf("Signed in to %s", where)
	if r.User != "" {
		text += " as " + r.User
	}
	protection := "readable by you alone"
	if r.Storage == "keyring" {
		protection = "sealed with a key in the keyring of this machine"
	}
	text += fmt.Sprintf(".\nStored in %s, %s.\n", r.File, protection)
	if r.Renewable {
		text += "It renews itself; brickmcp logout ends it.\n"
	} else {
		text += fmt.Sprintf("It cannot renew itself and ends at %s.\n", r.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return text
}

// spoken separates what went wrong from what to do about it.
func spoken(err error) error {
	if e, ok := errors.AsType[*auth.Error](err); ok && e.Advice != "" {
		return fmt.Errorf("%s\n%s", e.Message, e.Advice)
	}
	return err
}

// rehearseLogin is a whole sign-in, to the embedded workspace on a port of this
// machine. Nothing of it stays.
func (c *config) rehearseLogin(ctx context.Context) (err error) {
	s, err := c.check()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "brickmcp-rehearsal-")
	if err != nil {
		return fmt.Errorf("make a directory for the rehearsal: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the rehearsal: %w", err)
	}
	box, err := sandbox.New(sandbox.Options{Clock: c.sandboxClock(), Faults: s.faults})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	server := &http.Server{Handler: box, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // until Close
	defer server.Close()

	o := c.authOptions("")
	o.Host, o.StateDir, o.Keyring = "http://"+listener.Addr().String(), dir, auth.NoKeyring
	o.Getenv = func(name string) string { // no credentials of a real workspace
		if strings.HasPrefix(name, "DATABRICKS_") {
			return ""
		}
		return c.getenv(name)
	}
	c.auditFile = "off" // nothing of it stays
	if err := c.login(ctx, o); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, "This was a rehearsal: the embedded workspace and the sign-in are gone now.")
	return err
}

func (c *config) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "Delete the stored sign-in to a workspace", Args: usage(cobra.NoArgs),
		Long: "Delete the stored sign-in to a workspace: of everybody who signed in to it from here, or of --oauth-user.\n" +
			"The host may be left out when there is only one sign-in.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.sandbox {
				return usagef("logout: the embedded workspace keeps no sign-in")
			}
			return c.logout(cmd.Context())
		},
	}
}

func (c *config) logout(ctx context.Context) error {
	o := c.authOptions(c.profile)
	if id, err := auth.Resolve(o); err == nil && id.Sources["host"].Origin == auth.FromSignIn {
		o.Host, o.SignInClientID, o.SignInScopes = id.Host, id.ClientID, id.Scopes
		if id.AccountID != "" {
			o.Host += "?account_id=" + id.AccountID
		}
	}
	result, err := auth.Logout(ctx, o)
	if err != nil && o.Host == "" && o.Profile == "" {
		// Without a host, what is stored says more than what is not configured.
		if stored, e := auth.SignIns(o); e == nil {
			return c.logoutWhere(stored, err)
		}
	}
	if err != nil {
		return spoken(err)
	}
	if len(result.Users) == 0 {
		_, err = fmt.Fprintf(c.out, "Nobody was signed in to %s.\n", result.Host)
		return err
	}
	for i, user := range result.Users {
		c.record(audit.Line{
			Event: "signout", User: user, Workspace: strings.TrimPrefix(result.Host, "https://"), Client: "brickmcp logout", Outcome: "ok",
			Say: someone(user) + " was signed out of " + strings.TrimPrefix(result.Host, "https://") + " with brickmcp logout",
		})
		if user == "" {
			result.Users[i] = "a user without a name"
		}
	}
	_, err = fmt.Fprintf(c.out, "Signed out of %s: %s. The stored tokens are deleted.\n"+
		"A server that runs uses up the access token that it holds, for an hour at most.\n", result.Host, strings.Join(result.Users, ", "))
	return err
}

// logoutWhere ends a logout for which no host is known.
func (c *config) logoutWhere(stored []auth.StoredSignIn, why error) error {
	var hosts []string
	for _, s := range stored {
		if !slices.Contains(hosts, s.Host) {
			hosts = append(hosts, s.Host)
		}
	}
	switch len(hosts) {
	case 0:
		_, err := fmt.Fprintln(c.out, "Nobody is signed in; there is nothing to delete.")
		return err
	case 1:
		return spoken(why)
	}
	return usagef("there are sign-ins to %s: choose with --host", strings.Join(hosts, ", "))
}
