package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"brickmcp/tools"
	"brickmcp/transport/rest"
	"brickmcp/transport/sandbox"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap/zapcore"
)

// config is the command line and the environment, read in one place: nothing
// else in the program looks at either.
type config struct {
	getenv func(string) string
	in     io.Reader
	out    io.Writer
	err    io.Writer

	profiles     []string
	profile      string // the first of them
	host         string
	warehouse    string
	access       string
	policy       string // file
	auditFile    string
	auditNeed    string
	approvals    string
	allowDirs    []string
	resultTokens int
	structured   bool
	rateLimit    string
	sandbox      bool
	sandboxSpeed int
	faults       []string
	managed      []string
	logLevel     string
	logFormat    string
	transport    string
	drain        time.Duration
	listen       string
	adminListen  string
	identity     string
	allowHosts   []string
	allowOrigins []string

	oauthClientID string
	oauthScopes   string
	oauthUser     string

	serving bool              // this process lives on, as a server
	given   map[string]string // where a flag's value came from: "--access", "BRICKMCP_ACCESS"
}

func newConfig(getenv func(string) string, in io.Reader, out, err io.Writer) *config {
	return &config{getenv: getenv, in: in, out: out, err: err, given: map[string]string{}}
}

// bind defines the global flags. Each has a twin in the environment,
// BRICKMCP_<FLAG>, which the flag beats.
func (c *config) bind(flags *pflag.FlagSet) {
	flags.StringArrayVar(&c.profiles, "profile", nil, "profile of the Databricks config `NAME` (repeatable: the first is the default, every tool takes profile)")
	flags.StringVar(&c.host, "host", "", "workspace `URL`")
	flags.StringVar(&c.warehouse, "warehouse", "", "`ID` of the SQL warehouse for queries that name none (default DATABRICKS_WAREHOUSE_ID, warehouse_id of the profile, or a pick)")
	flags.StringVar(&c.oauthClientID, "oauth-client-id", "", "sign in with an OAuth app of your own, `ID` (default databricks-cli)")
	flags.StringVar(&c.oauthScopes, "oauth-scopes", "", "sign in with these scopes, `LIST` with commas (default all-apis)")
	flags.StringVar(&c.oauthUser, "oauth-user", "", "which `USER`, when several are signed in to one host (default who did last)")
	flags.StringVar(&c.access, "access", "", "what agents may use: `LEVEL[,GROUP=LEVEL…]` with off, read, full (default read; full with --sandbox or --policy)")
	flags.StringVar(&c.policy, "policy", "", "policy `FILE` (YAML) that narrows what agents may do; see docs/policy.md")
	flags.StringVar(&c.auditFile, "audit-file", "", "`FILE` that every call is written to, or off (default audit.jsonl in the state directory)")
	flags.StringVar(&c.auditNeed, "audit-required", string(tools.AuditWrites), "`WHAT` stops when the audit file cannot be written: writes, all or none")
	flags.StringVar(&c.approvals, "approvals", "", "who approves the tools of agent runs: elicit (a person, asked by the client), tool (supervisor_approve) or never (default elicit where the client can, else tool)")
	flags.StringArrayVar(&c.allowDirs, "allow-dir", nil, "`DIR` that local_path may read and write below (repeatable; none by default)")
	flags.IntVar(&c.resultTokens, "max-result-tokens", tools.DefaultResultTokens, "budget of one result in tokens of 4 bytes")
	flags.BoolVar(&c.structured, "structured", false, "answer with structured content and a line of text, in place of text")
	flags.StringVar(&c.rateLimit, "rate-limit", "", "requests to the workspace: documented, off, or `N` a second (default documented)")
	flags.BoolVar(&c.sandbox, "sandbox", false, "serve an embedded workspace that needs no account")
	flags.StringArrayVar(&c.faults, "fault", nil, "failure to inject into the sandbox, `RULE` such as 503:count=2 (repeatable)")
	flags.IntVar(&c.sandboxSpeed, "sandbox-speed", 1, "let time in the sandbox run `N` times as fast")
	flags.StringArrayVar(&c.managed, "managed", nil, "show the tools of an MCP server of the workspace, `PREFIX=PATH` such as docs=vector-search/main/kb (repeatable; see managed discover)")
	flags.StringVar(&c.logLevel, "log-level", "info", "debug, info, warn or error; logs go to stderr")
	flags.StringVar(&c.logFormat, "log-format", "console", "console or json")
}

// serveTwins are the flags beside the global ones that have a twin.
var serveTwins = []string{"transport", "drain-timeout", "listen", "admin-listen", "identity", "allow-host", "allow-origin"}

// environment fills in the flags that were not given from their twins.
func (c *config) environment(cmd *cobra.Command) error {
	var problem error
	global := cmd.Root().PersistentFlags()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if global.Lookup(f.Name) == nil && !slices.Contains(serveTwins, f.Name) {
			return // --json and the like belong to one command line
		}
		name := "BRICKMCP_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value := c.getenv(name)
		if f.Changed {
			c.given[f.Name] = "--" + f.Name
		}
		if f.Changed || value == "" || f.Name == "help" || problem != nil {
			return
		}
		values := []string{value}
		switch f.Name {
		case "allow-dir":
			values = filepath.SplitList(value)
		case "profile", "managed", "allow-host", "allow-origin":
			for i, name := range strings.Split(value, ",") {
				values = append(values[:i:i], strings.TrimSpace(name))
			}
		case "fault": // a rule has colons and commas in it
			values = strings.Split(value, ";")
		}
		for _, v := range values {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				problem = usagef("%s=%q: %w", name, value, err)
				return
			}
		}
		c.given[f.Name] = name
	})
	if problem == nil {
		problem = c.pickProfile()
	}
	return problem
}

// pickProfile checks the profiles and takes the first as the default.
func (c *config) pickProfile() error {
	for i, name := range c.profiles {
		switch {
		case name == "":
			return usagef("--profile must not be empty")
		case slices.Contains(c.profiles[:i], name):
			return usagef("--profile %s is given twice", name)
		}
	}
	if len(c.profiles) > 1 && c.host != "" {
		return usagef("--host goes with one profile, not with %d: put the hosts into the profiles", len(c.profiles))
	}
	if len(c.profiles) > 1 && c.warehouse != "" {
		return usagef("--warehouse goes with one profile, not with %d: put warehouse_id into the profiles", len(c.profiles))
	}
	if len(c.profiles) > 0 {
		c.profile = c.profiles[0]
	}
	return nil
}

// settings are the checked form of config.
type settings struct {
	access    tools.Access
	auditNeed tools.AuditNeed
	rateLimit rest.RateLimit
	faults    []sandbox.Fault
	managed   []tools.ManagedServer
	dirs      []string
	level     zapcore.Level
}

func (c *config) check() (settings, error) {
	var s settings
	var err error
	spec := c.access
	if spec == "" && (c.sandbox || c.policy != "") {
		spec = "full" // the sandbox is nobody's, and a policy says itself what is allowed
	}
	if s.access, err = tools.ParseAccess(spec); err != nil {
		return s, usagef("%w", err)
	}
	s.auditNeed = tools.AuditNeed(cmp.Or(c.auditNeed, string(tools.AuditWrites)))
	if !slices.Contains([]tools.AuditNeed{tools.AuditWrites, tools.AuditAll, tools.AuditNone}, s.auditNeed) {
		return s, usagef("--audit-required: %q is none of writes, all, none", c.auditNeed)
	}
	if s.managed, err = c.managedServers(); err != nil {
		return s, err
	}
	if !slices.Contains([]string{"", string(tools.ApprovalsElicit), string(tools.ApprovalsTool), string(tools.ApprovalsNever)}, c.approvals) {
		return s, usagef("--approvals: %q is none of elicit, tool, never", c.approvals)
	}
	limit := c.rateLimit
	if limit == "" {
		limit = c.getenv("DATABRICKS_RATE_LIMIT")
	}
	if s.rateLimit, err = rest.ParseRateLimit(limit); err != nil {
		return s, usagef("--rate-limit: %w", err)
	}
	if len(c.faults) > 0 && !c.sandbox {
		return s, usagef("--fault only works with --sandbox")
	}
	for _, rule := range c.faults {
		fault, err := sandbox.ParseFault(rule)
		if err != nil {
			return s, usagef("--fault %q: %w", rule, err)
		}
		s.faults = append(s.faults, fault)
	}
	if c.sandboxSpeed < 1 {
		return s, usagef("--sandbox-speed must be at least 1, not %d", c.sandboxSpeed)
	}
	if c.resultTokens < 200 {
		return s, usagef("--max-result-tokens must be at least 200, not %d", c.resultTokens)
	}
	for _, dir := range c.allowDirs {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return s, usagef("--allow-dir %s: %w", strconv.Quote(dir), err)
		}
		s.dirs = append(s.dirs, abs)
	}
	if s.level, err = zapcore.ParseLevel(c.logLevel); err != nil {
		return s, usagef("--log-level: %q is none of debug, info, warn, error", c.logLevel)
	}
	if c.logFormat != "console" && c.logFormat != "json" {
		return s, usagef("--log-format: %q is none of console, json", c.logFormat)
	}
	return s, nil
}

func (c *config) printf(format string, args ...any) { fmt.Fprintf(c.err, format, args...) }
