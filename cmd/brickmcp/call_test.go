package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// Without a terminal, a call that waits for its confirmation is not taken for one
// that was done, and the same command with the token does it.
func TestCallConfirmed(t *testing.T) {
	dir := t.TempDir()
	team := filepath.Join(dir, "team.yaml")
	if err := os.WriteFile(team, []byte("default: full\nconfirm: destructive\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environment := map[string]string{"XDG_STATE_HOME": dir, "BRICKMCP_POLICY": team, "BRICKMCP_SANDBOX": "true"}
	out, _, err := within(t, environment, "call", "jobs_list", "limit=1")
	if err != nil {
		t.Fatal(err)
	}
	job := "job_id=" + gjson.Get(out, "jobs.0.job_id").Str
	out, said, err := within(t, environment, "call", "jobs_delete", job)
	token := gjson.Get(out, "confirm.confirm_token").Str
	if !errors.Is(err, errSilent) || token == "" {
		t.Fatalf("%v: %s", err, out)
	}
	mustContain(t, "stderr", said, "nothing was done yet", "confirm_token="+token)
	if kept, err := filepath.Glob(filepath.Join(dir, "brickmcp", "*")); err != nil || len(kept) > 3 {
		t.Errorf("the state directory is littered: %v, %v", kept, err) // audit log, its head, and the tokens
	}
	if out, _, err = within(t, environment, "call", "jobs_delete", job, "confirm_token="+token); err != nil || !gjson.Get(out, "ok").Bool() {
		t.Errorf("%v: %s", err, out)
	}
	if out, _, err = within(t, environment, "call", "jobs_delete", job, "confirm_token="+token); !errors.Is(err, errSilent) || gjson.Get(out, "error.kind").Str != "denied" {
		t.Errorf("a second time: %v: %s", err, out)
	}
}

// On a terminal only a yes is a yes.
func TestAgreed(t *testing.T) {
	asked := gjson.Parse(`{"what":"Changes job 1 '\u001b[31mnightly'. Nothing was done yet: call again.","rule":"confirm: writes","preview":{"changes":["timeout_seconds changes from 0 to 60"]}}`)
	for answer, want := range map[string]bool{"y\n": true, " Yes \n": true, "n\n": false, "\n": false, "": false, "yy\n": false} {
		var said bytes.Buffer
		c := newConfig(nil, strings.NewReader(answer), nil, &said)
		if got := c.agreed(t.Context(), asked); got != want {
			t.Errorf("%q counts as %t", answer, got)
		}
		if want := "Changes job 1 'nightly'.\n  timeout_seconds changes from 0 to 60\nDo it (confirm: writes asks)? [y/N] "; said.String() != want {
			t.Errorf("asked\n%q, want\n%q", said.String(), want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in, keeps, err := os.Pipe() // nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer keeps.Close()
	if newConfig(nil, in, nil, &bytes.Buffer{}).agreed(ctx, asked) {
		t.Error("an interrupted question is answered yes")
	}
}

// whoami takes its arguments as any tool does.
func TestCallWhoAmI(t *testing.T) {
	environment := map[string]string{"XDG_STATE_HOME": t.TempDir(), "BRICKMCP_SANDBOX": "true", "BRICKMCP_ACCESS": "read"}
	out, _, err := within(t, environment, "call", "whoami", "tool=jobs_delete", `arguments={"job_id":"5"}`)
	if err != nil || gjson.Get(out, "call.decision").Str != "deny" {
		t.Errorf("%v: %s", err, out)
	}
}
