package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"brickmcp/auth"
	"brickmcp/catalog"
	"brickmcp/transport/rest"
	"brickmcp/transport/sandbox"

	"github.com/spf13/cobra"
)

// doctorTime bounds a whole diagnosis.
const doctorTime = 10 * time.Second

// The statuses of a finding.
const (
	statusOK      = "ok"
	statusWarning = "warning"
	statusFailure = "failure"
)

// finding is one line of a diagnosis. No part of it holds a secret.
type finding struct {
	Check   string `json:"check"`
	Status  string `json:"status"` // "ok", "warning" or "failure"
	Message string `json:"message"`
	Fix     string `json:"fix"` // what mends it; "" when nothing needs mending

	because string // the check whose failure made this one be skipped
}

func fine(format string, args ...any) finding {
	return finding{Status: statusOK, Message: fmt.Sprintf(format, args...)}
}

func doubtful(fix, format string, args ...any) finding {
	return finding{Status: statusWarning, Message: fmt.Sprintf(format, args...), Fix: fix}
}

func broken(fix, format string, args ...any) finding {
	return finding{Status: statusFailure, Message: fmt.Sprintf(format, args...), Fix: fix}
}

// unchecked is the finding of a check that another's failure made pointless.
func unchecked(because string) finding {
	return finding{Status: statusWarning, Message: "Not checked, because " + because + " failed.", Fix: "Mend " + because + " first.", because: because}
}

// brokenBy is a failure that auth or the workspace has explained.
func brokenBy(err error) finding {
	if e, ok := err.(*auth.Error); ok {
		return finding{Status: statusFailure, Message: e.Message, Fix: e.Advice}
	}
	e := catalog.AsError(err)
	message := strings.TrimRight(e.Message, ".") + "."
	if e.RequestID != "" {
		message += " The request id is " + e.RequestID + "."
	}
	return finding{Status: statusFailure, Message: message, Fix: e.Advice}
}

// doctor examines one workspace from here. Checks write what they learn into
// it for those that need them.
type doctor struct {
	options auth.Options
	getenv  func(string) string
	sandbox func() (http.RoundTripper, error) // nil: a real workspace

	now     func() time.Time
	resolve func(ctx context.Context, name string) ([]string, error)
	proxy   func(*http.Request) (*url.URL, error)
	system  string // GOOS

	policyFile string // "": none
	auditPath  string // "": off
	secret     secretFile

	credential *auth.Credential
	id         *auth.Identity // nil: the configuration is broken
	host       string         // normalised; "" if none is known
	through    string         // the proxy, without its credentials; "": none
	date       time.Time      // of the host's first answer; zero if it told none
	heard      time.Time      // when that came, by the clock here
	storage    string         // what CheckStore found
	client     *rest.Client
	org        string // the workspace that answered SCIM Me
}

// check is one examination. It begins when those that it needs have ended, and
// is skipped unless they found nothing broken.
type check struct {
	name   string
	needs  []string
	remote bool // of the network: there is none to the embedded workspace
	run    func(*doctor, context.Context) finding
}

var checks = []check{
	{name: "configuration", run: (*doctor).checkConfiguration},
	{name: "host", run: (*doctor).checkHost, remote: true},
	{name: "proxy", run: (*doctor).checkProxy, needs: []string{"host"}, remote: true},
	{name: "dns", run: (*doctor).checkDNS, needs: []string{"proxy"}, remote: true},
	{name: "tls", run: (*doctor).checkTLS, needs: []string{"dns"}, remote: true},
	{name: "clock", run: (*doctor).checkClock, needs: []string{"tls"}, remote: true},
	{name: "discovery", run: (*doctor).checkDiscovery, needs: []string{"tls"}, remote: true},
	{name: "token", run: (*doctor).checkToken, needs: []string{"configuration", "tls"}},
	{name: "user", run: (*doctor).checkUser, needs: []string{"token"}},
	{name: "workspace", run: (*doctor).checkWorkspace, needs: []string{"user"}},
	{name: "warehouse", run: (*doctor).checkWarehouse, needs: []string{"user"}},
	{name: "login_ports", run: (*doctor).checkPorts},
	{name: "state_directory", run: (*doctor).checkStateDirectory},
	{name: "token_store", run: (*doctor).checkTokenStore, needs: []string{"state_directory"}},
	{name: "http_secret", run: (*doctor).checkSecret},
	{name: "policy", run: (*doctor).checkPolicy},
	{name: "audit", run: (*doctor).checkAudit},
}

// examine runs all checks, each as soon as it can, and returns their findings
// in the order of the list.
func (d *doctor) examine(ctx context.Context) []finding {
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	findings := make([]finding, len(checks))
	ended := map[string]chan struct{}{}
	place := map[string]int{}
	for i, c := range checks {
		ended[c.name], place[c.name] = make(chan struct{}), i
	}
	for i, c := range checks {
		one := func() {
			defer close(ended[c.name])
			for _, need := range c.needs {
				<-ended[need]
				f := findings[place[need]]
				root := f.because
				if root == "" && f.Status == statusFailure {
					root = need
				}
				if root != "" {
					findings[i] = unchecked(root)
					findings[i].Check = c.name
					return
				}
			}
			if c.remote && d.sandbox != nil {
				findings[i] = fine("Not needed: the embedded workspace is in this process.")
			} else {
				findings[i] = c.run(d, ctx)
			}
			findings[i].Check = c.name
		}
		if c.name == "configuration" || c.name == "host" {
			one() // everything else stands on what they learn, even when they fail
		} else {
			go one()
		}
	}
	for _, c := range checks {
		<-ended[c.name]
	}
	return findings
}

func (c *config) doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check everything that a call needs, and say how to mend it", Args: usage(cobra.NoArgs),
		Long: "Check configuration, network, sign-in, workspace, policy and audit log, and say how to mend what is wrong. It takes 10 seconds at most.\n" +
			"The exit status is 1 when anything failed; warnings do not count. No secret is printed.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := c.check()
			if err != nil {
				return err
			}
			d := newDoctor(c.authOptions(c.profile), c.getenv)
			d.policyFile = c.policy
			d.auditPath, _ = c.auditPath()
			if c.stateDir() != "" {
				d.secret = c.bearerFile()
			}
			if c.sandbox {
				box := &embedded{options: sandbox.Options{Clock: c.sandboxClock(), Faults: s.faults}}
				defer box.close()
				d.credential, d.sandbox = sandboxCredential(), box.open
			}
			findings := d.examine(cmd.Context())
			ending, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), leave)
			defer cancel()
			if err := d.credential.Close(ending); err != nil {
				c.printf("brickmcp: warning: a refreshed sign-in may not have been stored: %v\n", err)
			}
			return printFindings(c.out, findings, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newDoctor(o auth.Options, getenv func(string) string) *doctor {
	return &doctor{
		options: o, getenv: getenv, credential: auth.NewCredential(o),
		now: time.Now, resolve: net.DefaultResolver.LookupHost, proxy: http.ProxyFromEnvironment, system: goos,
	}
}

// printFindings prints them; errSilent if any is a failure.
func printFindings(out io.Writer, findings []finding, asJSON bool) error {
	failures, warnings, skipped := 0, 0, 0
	for _, f := range findings {
		switch {
		case f.Status == statusFailure:
			failures++
		case f.because != "":
			skipped++
		case f.Status == statusWarning:
			warnings++
		}
	}
	var err error
	if asJSON {
		err = printJSON(out, findings)
	} else {
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, f := range findings {
			if f.because != "" {
				fmt.Fprintf(table, "skipped\t%s\t%s\n", f.Check, f.Message)
				continue
			}
			fmt.Fprintf(table, "%s\t%s\t%s\n", f.Status, f.Check, f.Message)
			if f.Fix != "" {
				fmt.Fprintf(table, "\t\t→ %s\n", f.Fix)
			}
		}
		fmt.Fprintf(table, "\n%d checks: %d failed, %d with a warning, %d skipped.\n", len(findings), failures, warnings, skipped)
		err = table.Flush()
	}
	if err == nil && failures > 0 {
		return errSilent
	}
	return err
}
