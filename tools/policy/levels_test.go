package policy

import (
	"fmt"
	"strings"
	"testing"

	"brickmcp/catalog"
)

func parse(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Parse("team.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

// TestEveryToolAtEveryLevel holds every tool at every level of its group, with
// every word that the file can say of it, by a table written by hand.
func TestEveryToolAtEveryLevel(t *testing.T) {
	want := map[string]map[string]map[Action]Action{ // kind of tool, level, word
		"read": {
			"off":  {"": Deny, Allow: Deny, Confirm: Deny, Deny: Deny},
			"read": {"": Allow, Allow: Allow, Confirm: Confirm, Deny: Deny},
			"full": {"": Allow, Allow: Allow, Confirm: Confirm, Deny: Deny},
		},
		"write": {
			"off":  {"": Deny, Allow: Deny, Confirm: Deny, Deny: Deny},
			"read": {"": Deny, Allow: Allow, Confirm: Deny, Deny: Deny},
			"full": {"": Allow, Allow: Allow, Confirm: Confirm, Deny: Deny},
		},
	}
	rows := catalog.All()
	if len(rows) < 40 {
		t.Fatalf("only %d tools", len(rows))
	}
	for _, row := range rows {
		kind := "write"
		if row.Effect == catalog.Read {
			kind = "read"
		}
		for level, byWord := range want[kind] {
			for word, action := range byWord {
				text := fmt.Sprintf("default: full\ngroups: {%s: %s}\n", row.Group.ID, level)
				if word != "" {
					text += fmt.Sprintf("tools: {%s: %s}\n", row.Name, word)
				}
				rules := parse(t, text).Rules(Subject{})
				d := rules.Tool(row)
				if d.Action != action {
					t.Errorf("%s, level %s, tools %q: %s, want %s", row.Name, level, word, d.Action, action)
				}
				if rules.Lists(row) != (action != Deny) {
					t.Errorf("%s, level %s, tools %q: listed %t", row.Name, level, word, rules.Lists(row))
				}
				if d.Has.String() != level || d.Needs != row.Effect.Needs() || d.File != "team.yaml" || d.Line != 2 && d.Line != 3 {
					t.Errorf("%s: decision %+v", row.Name, d)
				}
				if (d.Why == "") != (action == Allow) {
					t.Errorf("%s %s: why is %q", row.Name, action, d.Why)
				}
				for other, is := range map[string]bool{"destructive": row.Effect.Destructive(), "writes": kind == "write"} {
					asked := parse(t, text+"confirm: "+other).Rules(Subject{}).Tool(row).Action
					wanted := action
					if action == Allow && is && word != Allow {
						wanted = Confirm
					}
					if asked != wanted {
						t.Errorf("%s, level %s, tools %q, confirm %s: %s, want %s", row.Name, level, word, other, asked, wanted)
					}
				}
			}
		}
		if d := None().Rules(Subject{}).Tool(row); d.Action != Allow || d.Rule != "" || d.File != "" {
			t.Errorf("%s without a file: %+v", row.Name, d)
		}
	}
}

func TestLevels(t *testing.T) {
	levels := parse(t, "default: read\ngroups: {jobs: full,\n  secrets: off}").Rules(Subject{}).Levels()
	if len(levels) != len(catalog.Groups()) {
		t.Errorf("%d groups", len(levels))
	}
	for group, want := range map[string]string{"jobs": "full groups.jobs: full 2", "secrets": "off groups.secrets: off 3", "files": "read default: read 1"} {
		d := levels[group]
		if got := fmt.Sprint(d.Has, " ", d.Rule, " ", d.Line); got != want {
			t.Errorf("%s: %s, want %s", group, got, want)
		}
	}
	if d := None().Rules(Subject{}).Levels()["jobs"]; d.Has != catalog.LevelFull || d.Rule != "" {
		t.Errorf("without a file: %+v", d)
	}
}

// TestSections shows the order of sections: who is asked for, and what wins.
func TestSections(t *testing.T) {
	const file = `
default: read
groups: {sql: full}
tools: {jobs_delete: deny}
sections:
  - {client: claude-desktop, default: full, tools: {jobs_delete: confirm}}
  - {group: data-*, groups: {jobs: full}, tools: {jobs_delete: allow}}
  - {group: interns, groups: {jobs: off}}
  - {user: ana@example.com, groups: {secrets: full}}
  - {user: ana@example.com, client: Cursor, groups: {secrets: off}, default: off}
  - {user: "*@contractor.example", default: off}
  - {user: "*@contractor.example", group: data-admins, default: read}
`
	p := parse(t, file)
	for _, c := range []struct {
		name string
		who  Subject
		tool string
		want string
	}{
		{"base", Subject{}, "jobs_get", "allow default: read"},
		{"base group", Subject{}, "sql_execute_statement", "allow groups.sql: full"},
		{"base tool", Subject{}, "jobs_delete", "deny tools.jobs_delete: deny"},
		{"unknown user and client", Subject{User: "zoe@example.com", Client: "cursor"}, "jobs_create", "deny default: read"},
		{"client beats base", Subject{Client: "claude-desktop"}, "files_upload", "allow section client claude-desktop: default: full"},
		{"default of a client beats a group of the base", Subject{Client: "Claude-Desktop"}, "sql_execute_statement", "allow section client claude-desktop: default: full"},
		{"client tool beats base tool", Subject{Client: "claude-desktop"}, "jobs_delete", "confirm section client claude-desktop: tools.jobs_delete: confirm"},
		{"group beats client", Subject{Client: "claude-desktop", Groups: []string{"data-admins"}}, "jobs_delete", "allow section group data-*: tools.jobs_delete: allow"},
		{"groups without case", Subject{Groups: []string{"x", "Data-Admins"}}, "jobs_create", "allow section group data-*: groups.jobs: full"},
		{"what a group leaves out, the client says", Subject{Client: "claude-desktop", Groups: []string{"data-admins"}}, "files_upload", "allow section client claude-desktop: default: full"},
		{"of two groups the narrower", Subject{Groups: []string{"data-x", "interns"}}, "jobs_get", "deny section group interns: groups.jobs: off"},
		{"user beats group", Subject{User: "Ana@example.com", Groups: []string{"interns"}}, "secrets_put", "allow section user ana@example.com: groups.secrets: full"},
		{"what a user leaves out, the group says", Subject{User: "ana@example.com", Groups: []string{"interns"}}, "jobs_get", "deny section group interns: groups.jobs: off"},
		{"user and client beat user", Subject{User: "ana@example.com", Client: "cursor"}, "secrets_put", "deny section user ana@example.com, client Cursor: groups.secrets: off"},
		{"user and client beat user by default", Subject{User: "ana@example.com", Client: "cursor"}, "jobs_get", "deny section user ana@example.com, client Cursor: default: off"},
		{"user and group need both", Subject{User: "bob@contractor.example"}, "jobs_get", "deny section user *@contractor.example: default: off"},
		{"user and group beat user", Subject{User: "bob@contractor.example", Groups: []string{"data-admins"}}, "uc_list_catalogs", "allow section user *@contractor.example, group data-admins: default: read"},
		{"a more specific default beats a group's own word", Subject{User: "bob@contractor.example", Groups: []string{"data-admins"}}, "jobs_create", "deny section user *@contractor.example, group data-admins: default: read"},
	} {
		d := p.Rules(c.who).Tool(catalog.Find(c.tool))
		if got := fmt.Sprintf("%s %s", d.Action, d.Rule); got != c.want {
			t.Errorf("%s: %s: %s\nwant %s", c.name, c.tool, got, c.want)
		}
		if line := strings.Split(file, "\n")[max(d.Line, 1)-1]; d.Line == 0 || !strings.Contains(line, d.Rule[strings.LastIndex(d.Rule, ":")+2:]) {
			t.Errorf("%s: line %d is %q", c.name, d.Line, line)
		}
	}
	if !p.ByIdentity() {
		t.Error("the file asks for users and groups")
	}
	if parse(t, "sections: [{client: x, default: off}]").ByIdentity() {
		t.Error("a client is no identity")
	}
}

// TestAllow: an allow raises the level of its own section and of less specific
// ones only.
func TestAllow(t *testing.T) {
	ana := Subject{User: "ana@example.com", Client: "cursor"}
	for _, c := range []struct {
		text string
		want Action
	}{
		{"{default: off, tools: {jobs_run_now: allow}}", Allow}, // a list of allowed tools
		{"{default: read, tools: {jobs_run_now: allow}}", Allow},
		{"{groups: {jobs: read}, tools: {jobs_run_now: allow}}", Allow},
		{"{groups: {jobs: off}, tools: {jobs_run_now: allow}}", Deny},
		{"{default: full, tools: {jobs_run_now: allow}, sections: [{client: cursor, default: read}]}", Deny},
		{"{default: full, tools: {jobs_run_now: allow}, sections: [{client: cursor, default: off}]}", Deny},
		{"{groups: {jobs: off}, sections: [{client: cursor, tools: {jobs_run_now: allow}}]}", Allow},
		{"{default: off, sections: [{client: cursor, default: off}, {user: ana@*, tools: {jobs_run_now: allow}}]}", Allow},
		{"{default: off, sections: [{client: cursor, tools: {jobs_run_now: allow}}, {user: ana@*, groups: {jobs: read}}]}", Deny},
		{"{tools: {jobs_run_now: deny}, sections: [{client: cursor, tools: {jobs_run_now: allow}}]}", Allow},
		{"{sections: [{client: c*, tools: {jobs_run_now: allow}}, {client: cursor, tools: {jobs_run_now: confirm}}]}", Confirm},
		{"{sections: [{client: c*, tools: {jobs_run_now: deny}}, {client: cursor, tools: {jobs_run_now: confirm}}]}", Deny},
		// Presets add up; an allow exempts from those of its own section and of less specific ones.
		{"{confirm: writes, sections: [{user: ana@*, confirm: none}]}", Confirm},
		{"{sections: [{client: cursor, confirm: writes}]}", Confirm},
		{"{confirm: writes, tools: {jobs_run_now: allow}}", Allow},
		{"{confirm: writes, sections: [{client: cursor, tools: {jobs_run_now: allow}}]}", Allow},
		{"{tools: {jobs_run_now: allow}, sections: [{client: cursor, confirm: writes}]}", Confirm},
	} {
		if d := parse(t, c.text).Rules(ana).Tool(catalog.Find("jobs_run_now")); d.Action != c.want {
			t.Errorf("%s: %s (%s), want %s", c.text, d.Action, d.Rule, c.want)
		}
	}
}

func TestShadow(t *testing.T) {
	p := parse(t, "mode: shadow\ndefault: off\nscopes: {jobs: []}")
	row := catalog.Find("jobs_get")
	if d := p.Rules(Subject{}).Tool(row); d.Action != Deny || !d.Shadow || !p.Shadow() {
		t.Errorf("%+v", d)
	}
	if !p.Rules(Subject{}).Lists(row) {
		t.Error("shadow mode refuses nothing, so it lists everything")
	}
	rules := parse(t, "mode: shadow\nscopes: {jobs: [], volumes: []}").Rules(Subject{})
	if !rules.Shows(Object{Scope: catalog.ScopeJobs, ID: "1"}) || rules.Narrows(catalog.ScopeJobs) || rules.SQL().Path != nil {
		t.Error("shadow mode leaves nothing out")
	}
	if d, _ := rules.Judge(t.Context(), bind(t, `jobs_get {"job_id":1}`), nil); d.Action != Deny || !d.Shadow {
		t.Errorf("%+v", d)
	}
	if d, _ := rules.Judge(t.Context(), bind(t, `jobs_create {}`), nil); d.Action != Deny || !d.Shadow {
		t.Errorf("%+v", d)
	}
	if d := parse(t, "default: off").Rules(Subject{}).Tool(row); d.Shadow {
		t.Errorf("%+v", d)
	}
}
