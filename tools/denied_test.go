package tools

import (
	"context"
	"strings"
	"testing"

	"brickmcp/catalog"
	"brickmcp/tools/policy"
)

// A refusal names the call once, and the rule once.
func TestDeniedSaysEverythingOnce(t *testing.T) {
	p, err := policy.Parse("team.yaml", []byte("default: full\ntools: {jobs_delete: deny}\nscopes: {jobs: ['7']}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		row  *catalog.Row
		want string
	}{
		{&catalog.DeleteJob.Row, "jobs_delete on job 5 is denied by the policy team.yaml, line 2 (tools.jobs_delete: deny)"},
		{&catalog.GetJob.Row, "jobs_get on job 5: Job 5 is outside the policy team.yaml, line 3 (scopes.jobs): none of 7 lets it through"},
	} {
		call, err := tt.row.Bind([]byte(`{"job_id":"5"}`))
		if err != nil {
			t.Fatal(err)
		}
		d, _ := p.Rules(policy.Subject{}).Judge(context.Background(), call, nil)
		e := catalog.AsError(denied(call.About(), d))
		if e.Message != tt.want {
			t.Errorf("got  %s\nwant %s", e.Message, tt.want)
		}
		if strings.Contains(e.Advice, "team.yaml") || !strings.Contains(e.Advice, "Nothing was sent") {
			t.Errorf("advice: %s", e.Advice)
		}
	}
}

// An agent that cannot mend a policy is not shown all that is wrong with it.
func TestABrokenPolicyInShort(t *testing.T) {
	_, err := policy.Parse("team.yaml", []byte("defualt: read\ngroups: {job: full}\ntools: {x: deny}\n"))
	if got := inShort(err); !strings.HasPrefix(got, "team.yaml:1: defualt is unknown (did you mean default?)") ||
		!strings.HasSuffix(got, " (and 2 more)") || strings.Contains(got, "team.yaml:2") {
		t.Errorf("got %s", got)
	}
	if _, err = policy.Parse("team.yaml", nil); inShort(err) != err.Error() {
		t.Errorf("one problem alone: %s", inShort(err))
	}
}
