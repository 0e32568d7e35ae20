package policy

import "fmt"

// Place is the rule with where it stands: "groups.jobs: read (team.yaml:3)".
func (d Decision) Place() string {
	if d.Line == 0 || d.File == "" {
		return d.Rule
	}
	return fmt.Sprintf("%s (%s:%d)", d.Rule, d.File, d.Line)
}
