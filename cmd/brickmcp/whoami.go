package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"brickmcp/auth"
	"brickmcp/catalog"
	"brickmcp/tools"
	"brickmcp/tools/policy"

	"github.com/spf13/cobra"
)

// who says who is signed in, and what agents may do in their name: the answer
// of whoami, as command and as tool. It holds no secret.
type who struct {
	User        string               `json:"user"` // userName; of a service principal, its application id
	AuthType    string               `json:"auth_type"`
	Host        string               `json:"host"`
	Profile     string               `json:"profile,omitempty"`
	WorkspaceID string               `json:"workspace_id"` // "" if the host does not tell
	ExpiresAt   *time.Time           `json:"expires_at"`   // of the token in hand; null when it has no known end
	Scopes      []string             `json:"scopes"`       // empty: not a token with scopes
	Access      map[string]allowance `json:"access"`       // by group
	Policy      *policyReport        `json:"policy,omitempty"`

	groups []string // of the user in the workspace
}

// policyReport says which policy narrows the access, and how.
type policyReport struct {
	File  string `json:"file"`
	Mode  string `json:"mode"`            // enforce or shadow
	Error string `json:"error,omitempty"` // why it cannot be used: nothing is allowed then

	problems []string // Error, one by one
}

// allowance is the access level of one group.
type allowance struct {
	Level string `json:"level"`
	Why   string `json:"why"` // the setting that says so: "--access", "BRICKMCP_ACCESS", "default", "--sandbox"
}

// orgHeader of any answer is the id of the workspace that gave it.
const orgHeader = "X-Databricks-Org-Id"

// who asks the workspace. Its errors are *catalog.Error.
func (w *workspace) who(ctx context.Context) (*who, error) {
	client, err := w.get()
	if err != nil {
		return nil, err
	}
	me, workspaceID, err := askMe(ctx, client)
	if err != nil {
		return nil, err
	}
	id, err := w.credential.Identity() // after the call: now there is a token
	if err != nil {
		return nil, signInError(err)
	}
	return describe(id, me, workspaceID, w.access), nil
}

// askMe is SCIM Me, and the id of the workspace that answered.
func askMe(ctx context.Context, api catalog.Caller) (me catalog.Me, workspaceID string, err error) {
	call, err := catalog.GetMe.Bind(json.RawMessage(`{}`))
	if err != nil {
		return me, "", err
	}
	answer, err := api.Do(ctx, call)
	if err != nil {
		// To ask who one is, is no tool that anybody has called.
		e := *catalog.AsError(err)
		e.Message = strings.TrimPrefix(e.Message, call.About()+": ")
		return me, "", &e
	}
	if err := json.Unmarshal(answer.Body, &me); err != nil || me.UserName == "" {
		return me, "", &catalog.Error{
			Kind: catalog.Down, RequestID: answer.RequestID, Status: answer.Status,
			Message: "the workspace does not say who is signed in",
			Advice:  "Check that the host is that of a workspace, and that no proxy answers in its place.",
		}
	}
	return me, answer.Header.Get(orgHeader), nil
}

func describe(id *auth.Identity, me catalog.Me, workspaceID string, access map[string]allowance) *who {
	out := &who{
		groups: me.GroupNames(),
		User:   me.UserName, AuthType: id.AuthType, Host: id.Host, Profile: id.Profile,
		WorkspaceID: workspaceID, Scopes: id.Scopes, Access: access,
	}
	if out.WorkspaceID == "" {
		out.WorkspaceID = id.WorkspaceID
	}
	if end := id.ExpiresAt(); !end.IsZero() {
		end = end.UTC().Truncate(time.Second)
		out.ExpiresAt = &end
	}
	if out.Scopes == nil {
		out.Scopes = []string{}
	}
	return out
}

// accessReport says for each group what level applies, and which setting says
// so.
func (c *config) accessReport(access tools.Access) map[string]allowance {
	where := c.given["access"]
	named := map[string]bool{}
	general := "default"
	for part := range strings.SplitSeq(c.access, ",") {
		if group, _, ok := strings.Cut(part, "="); ok {
			named[strings.TrimSpace(group)] = true
		} else if strings.TrimSpace(part) != "" {
			general = where
		}
	}
	switch {
	case c.access == "" && c.policy != "":
		general = "--policy"
	case c.access == "" && c.sandbox:
		general = "--sandbox"
	}
	report := map[string]allowance{}
	for _, group := range catalog.Groups() {
		why := general
		if named[group.ID] {
			why = where
		}
		report[group.ID] = allowance{Level: access.Level(group).String(), Why: why}
	}
	return report
}

// under narrows the access to what the policy says for this user and client. The
// reason is then the rule, with its place in the file.
func (w *who) under(f *policyFile, client string) {
	if f == nil {
		return
	}
	p, err := f.Current()
	w.Policy = &policyReport{File: filepath.Base(f.path), Mode: "enforce"}
	if err != nil {
		w.Policy.Error, w.Policy.problems = err.Error(), mistakes(err)
		access := map[string]allowance{} // the one that is there is everybody's
		for id := range w.Access {
			access[id] = allowance{Level: catalog.LevelOff.String(), Why: "the policy cannot be used"}
		}
		w.Access = access
		return
	}
	if p.Shadow() {
		w.Policy.Mode = "shadow"
		return
	}
	access := map[string]allowance{}
	levels := p.Rules(policy.Subject{User: w.User, Groups: w.groups, Client: client}).Levels()
	for id, has := range w.Access {
		level, _ := catalog.ParseLevel(has.Level)
		if d, ok := levels[id]; ok && (d.Has < level || has.Why == "--policy") {
			has = allowance{Level: min(d.Has, level).String(), Why: d.Place()}
		}
		access[id] = has
	}
	w.Access = access
}

func (c *config) whoamiCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "whoami", Short: "Show who is signed in, and what agents may do", Args: usage(cobra.NoArgs),
		Long: "Ask the workspace who is signed in, and show with which credentials and what agents may do in their name.\n" +
			"The exit status is 1 when nobody is.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := c.build()
			if err != nil {
				return err
			}
			defer a.close()
			who, err := a.workspace.who(cmd.Context())
			if err == nil {
				who.under(a.policy, "")
			}
			switch {
			case err != nil && asJSON:
				if err := printJSON(c.out, map[string]*catalog.Error{"error": catalog.AsError(err)}); err != nil {
					return err
				}
				return errSilent
			case err != nil:
				return explained(err)
			case asJSON:
				return printJSON(c.out, who)
			}
			return who.print(c.out, time.Now())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// explained is an error as a person reads it: what and why, then what to do.
func explained(err error) error {
	e := catalog.AsError(err)
	message := strings.TrimRight(e.Message, ".") + "."
	if e.Advice == "" {
		return fmt.Errorf("%s", message)
	}
	return fmt.Errorf("%s\n%s", message, e.Advice)
}

func printJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

func (w *who) print(out io.Writer, now time.Time) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, value)
		}
	}
	line("user", w.User)
	line("auth type", w.AuthType)
	line("host", w.Host)
	line("profile", w.Profile)
	line("workspace id", w.WorkspaceID)
	if w.ExpiresAt != nil {
		line("expires at", fmt.Sprintf("%s (%s)", w.ExpiresAt.Format(time.RFC3339), left(w.ExpiresAt.Sub(now))))
	}
	line("scopes", strings.Join(w.Scopes, " "))
	switch {
	case w.Policy == nil:
	case w.Policy.Error == "":
		line("policy", w.Policy.File+" ("+w.Policy.Mode+")")
	default:
		line("policy", w.Policy.File+" cannot be used, so nothing is allowed:")
		for _, problem := range w.Policy.problems {
			line(" ", problem)
		}
	}
	name := "access"
	for _, same := range w.sameAccess() {
		line(name, same)
		name = " "
	}
	return table.Flush()
}

// sameAccess joins the groups whose access is the same for the same reason.
func (w *who) sameAccess() []string {
	var order []allowance
	groups := map[allowance][]string{}
	for _, group := range catalog.Groups() {
		a := w.Access[group.ID]
		if groups[a] == nil {
			order = append(order, a)
		}
		groups[a] = append(groups[a], group.ID)
	}
	var out []string
	for _, a := range order {
		out = append(out, fmt.Sprintf("%s (%s): %s", a.Level, a.Why, strings.Join(groups[a], ", ")))
	}
	return out
}

// left is a remaining time in words.
func left(d time.Duration) string {
	switch {
	case d <= 0:
		return "over"
	case d < 2*time.Minute:
		return fmt.Sprintf("in %d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("in %d min", int(d.Minutes()))
	}
	return fmt.Sprintf("in %d h", int(d.Hours()))
}
