package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"brickmcp/catalog"
	"brickmcp/tools"
	"brickmcp/tools/policy"

	"github.com/spf13/cobra"
)

func (c *config) policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "policy", Short: "Test a policy file, or explain what it decides", Args: usage(cobra.NoArgs),
		Long: "A policy file says what agents may do: levels, single tools, objects, and what asks for confirmation.\n" +
			"docs/policy.md describes it.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.policyTestCommand(), c.policyExplainCommand())
	return cmd
}

// policyAccess is what --access says beside a policy; where it is not given, the
// policy alone decides.
func (c *config) policyAccess() (tools.Access, error) {
	spec := c.access
	if spec == "" {
		spec = catalog.LevelFull.String()
	}
	access, err := tools.ParseAccess(spec)
	if err != nil {
		return access, usagef("%w", err)
	}
	return access, nil
}

// otherwise puts the level of a server in the place of a default that neither
// --access nor the file gives.
func (c *config) otherwise(p *policy.Policy) *policy.Policy {
	if c.access != "" {
		return p
	}
	return p.Otherwise(catalog.LevelRead)
}

func (c *config) policyTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test FILE",
		Short: "Judge the cases of a file and say which come out otherwise",
		Long: "Judge the cases of a file, without a workspace, and say which come out otherwise; the exit status is 1 then.\n" +
			"FILE is YAML: {policy: FILE, cases: [{user, groups, client, tool, arguments, expect: allow|confirm|deny}]}.\n" +
			"--policy takes the place of the file that it names; --access narrows as it does in a server.",
		Example: "  brickmcp policy test team.cases.yaml",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			access, err := c.policyAccess()
			if err != nil {
				return err
			}
			servers, err := c.managedServers()
			if err != nil {
				return err
			}
			cases, err := policy.LoadCases(args[0], c.policy, prefixes(servers)...)
			if err != nil {
				return inLines(err)
			}
			cases.Policy = c.otherwise(cases.Policy)
			failures := cases.Run(cmd.Context(), access.Allows)
			for _, f := range failures {
				fmt.Fprintf(c.out, "%s:%d: %s\n", filepath.Base(args[0]), f.Line, f)
			}
			if len(failures) > 0 {
				fmt.Fprintf(c.out, "%d of %d cases failed\n", len(failures), len(cases.Cases))
				return errSilent
			}
			fmt.Fprintf(c.out, "%d cases passed\n", len(cases.Cases))
			return nil
		},
	}
}

func (c *config) policyExplainCommand() *cobra.Command {
	var who policy.Subject
	cmd := &cobra.Command{
		Use:   "explain TOOL [key=value …]",
		Short: "Say what the policy decides of a call, and by which rule",
		Long: "Say what --policy and --access decide of a call, by which rule, and which level it needs.\n" +
			"No workspace is asked: where a rule goes by the name or the tags of an object, it says so.",
		Example: "  brickmcp policy explain jobs_delete job_id=5001 --policy team.yaml --as-user ana@example.com",
		Args:    usage(cobra.MinimumNArgs(1)),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return completeCall(args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == tools.WhoAmI().Name {
				fmt.Fprintf(c.out, "%s: allow.\nIt is in no group: neither --access nor a policy narrows it.\n", args[0])
				return nil
			}
			row := catalog.Find(args[0])
			if row == nil {
				return usagef("there is no tool %q%s; brickmcp tools lists them", args[0], nearestTool(args[0]))
			}
			access, err := c.policyAccess()
			if err != nil {
				return err
			}
			p := policy.None()
			if c.policy != "" {
				servers, err := c.managedServers()
				if err != nil {
					return err
				}
				if p, err = policy.Load(c.policy, prefixes(servers)...); err != nil {
					return inLines(err)
				}
				p = c.otherwise(p)
			} else if c.access == "" && !c.sandbox {
				if access, err = tools.ParseAccess(""); err != nil {
					return err
				}
			}
			e := explanation{out: c.out, row: row, access: access, given: c.access != "", policy: p}
			if len(args) > 1 {
				if e.arguments, err = parseArguments(row, "", args[1:]); err != nil {
					return err
				}
			}
			return e.print(cmd.Context(), who)
		},
	}
	cmd.Flags().StringVar(&who.User, "as-user", "", "as this `USER`")
	cmd.Flags().StringArrayVar(&who.Groups, "as-group", nil, "as a member of this `GROUP` (repeatable)")
	cmd.Flags().StringVar(&who.Client, "as-client", "", "as this MCP `CLIENT`, such as claude-desktop")
	return cmd
}

// inLines gives each thing that is wrong with a file a line of its own.
func inLines(err error) error {
	all := mistakes(err)
	if len(all) < 2 {
		return err
	}
	return fmt.Errorf("there are %s:\n  %s", count(len(all), "mistake"), strings.Join(all, "\n  "))
}

// mistakes are what is wrong with a file, one by one.
func mistakes(err error) []string {
	var wrong *policy.Error
	if !errors.As(err, &wrong) {
		return []string{err.Error()}
	}
	var all []string
	for _, p := range wrong.Problems {
		one := policy.Error{File: wrong.File, Problems: []policy.Problem{p}}
		all = append(all, one.Error())
	}
	return all
}

// explanation is the answer to "why can't I".
type explanation struct {
	out       io.Writer
	row       *catalog.Row
	arguments json.RawMessage // nil: of no particular call
	access    tools.Access
	given     bool // --access, or its twin
	policy    *policy.Policy
	asked     []string // what only the workspace knows
}

func (e *explanation) print(ctx context.Context, who policy.Subject) error {
	rules := e.policy.Rules(who)
	d, about := rules.Tool(e.row), e.row.Name
	if call, err := e.row.Bind(e.arguments); err == nil {
		about = call.About()
		if d.Action != policy.Deny {
			d, _ = rules.Judge(ctx, call, e)
		}
	} else if e.arguments != nil {
		return usageError{err}
	}
	var b strings.Builder
	group := e.row.Group.ID
	accessDenies := !e.access.Allows(e.row)
	action := d.Action
	if accessDenies {
		action = policy.Deny
	}
	unless := ""
	if len(e.asked) > 0 && !accessDenies {
		unless = ", as long as the name is not known"
	}
	fmt.Fprintf(&b, "%s: %s%s.\n", about, action, unless)
	needs, level := e.row.Effect.Needs(), e.access.Level(e.row.Group)
	fmt.Fprintf(&b, "It needs %s=%s.", group, needs)
	switch {
	case e.given && d.File != "":
		fmt.Fprintf(&b, " --access gives %s=%s, the policy gives %[1]s=%[3]s.\n", group, level, d.Has)
	case d.File != "":
		fmt.Fprintf(&b, " The policy gives %s=%s; --access is not given, and narrows nothing.\n", group, d.Has)
	case e.given:
		fmt.Fprintf(&b, " --access gives %s=%s.\n", group, level)
	default:
		fmt.Fprintf(&b, " Without --access and --policy, agents have %s=%s.\n", group, level)
	}
	switch {
	case accessDenies && e.given:
		fmt.Fprintf(&b, "--access alone denies it; the person who runs the server can allow it with --access %s=%s.\n", group, needs)
	case accessDenies:
		fmt.Fprintf(&b, "The person who runs the server can allow it with --access %s=%s.\n", group, needs)
	}
	switch {
	case d.File == "" && e.given:
		b.WriteString("There is no policy file.\n")
	case d.File == "":
	case d.Rule == "":
		fmt.Fprintf(&b, "The policy %s says nothing of it: --access decides.\n", d.File)
	default:
		fmt.Fprintf(&b, "The policy decides %s by the rule %s.\n", d.Action, d.Place())
	}
	if d.Why != "" {
		b.WriteString(d.Why + "\n")
	}
	if d.Shadow {
		b.WriteString("The policy is in shadow mode: this is only written down, and the call goes through.\n")
	}
	if e.arguments == nil && d.Action != policy.Deny && len(e.row.Touches) > 0 {
		b.WriteString("This holds for the tool; give its arguments to have the object judged too.\n")
	}
	for _, what := range e.asked {
		fmt.Fprintf(&b, "The name or tags of %s decide, and only the workspace knows them: whoami in a running server looks them up.\n", what)
	}
	if e.policy.ByIdentity() && who.User == "" && len(who.Groups) == 0 {
		b.WriteString("Some sections ask for a user or a group; name one with --as-user and --as-group.\n")
	}
	_, err := io.WriteString(e.out, b.String())
	return err
}

var errOffline = errors.New("no workspace is asked here")

// Object implements policy.Lookup: it only notes that it was asked.
func (e *explanation) Object(_ context.Context, scope catalog.Scope, id string) (policy.Object, error) {
	o := policy.Object{Scope: scope, ID: id}
	e.asked = append(e.asked, o.String())
	return o, errOffline
}

// JobOfRun implements policy.Lookup in the same way.
func (e *explanation) JobOfRun(_ context.Context, runID string) (string, error) {
	e.asked = append(e.asked, "the job of run "+runID)
	return "", errOffline
}
