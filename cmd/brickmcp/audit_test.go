package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brickmcp/tools/audit"
)

// auditDay writes a day's log and returns its path. Its last line is a quarter
// of an hour before now.
func auditDay(t *testing.T, now time.Time) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := audit.New(audit.Config{Path: path})
	defer l.Close()
	at := now.Add(-3 * time.Hour)
	for _, line := range []audit.Line{
		{Event: "start", Say: "The server started."},
		{Event: "begin", Call: "1", Say: "Claude, for ana@example.com, calls sql_query."},
		{Event: "call", Call: "1", User: "ana@example.com", Client: "Claude 1", Tool: "sql_query", Effect: "read", Decision: "allow", Outcome: "ok",
			Bytes: 2_500_000, Rows: 900, DurationMS: 1500, Say: "Claude, for ana@example.com, read main.sales."},
		{Event: "call", Call: "2", User: "ana@example.com", Client: "Claude 1", Tool: "jobs_reset", Effect: "replace", Decision: "allow", Outcome: "ok",
			Bytes: 20, DurationMS: 80, Say: "Claude, for ana@example.com, reset job 42 '\x1b[31mnight\u202ely\nfake\tline'."},
		{Event: "denied", Call: "3", User: "bo@example.com", Client: "Cursor 2", Tool: "jobs_delete", Effect: "delete", Decision: "deny", Outcome: "error",
			ErrorKind: "denied", Say: "Cursor, for bo@example.com, was not allowed jobs_delete."},
		{Event: "call", Call: "4", User: "bo@example.com", Client: "Cursor 2", Tool: "jobs_list", Effect: "read", Decision: "would deny", Outcome: "ok",
			Say: "Cursor, for bo@example.com, listed jobs."},
		{Event: "call", Call: "5", User: "ana@example.com", Client: "Claude 1", Tool: "jobs_get", Effect: "read", Decision: "allow", Outcome: "error",
			ErrorKind: "missing", Say: "Claude, for ana@example.com, called jobs_get, which failed."},
		{Event: "begin", Call: "6", Tool: "clusters_start", Say: "Claude, for ana@example.com, calls clusters_start."},
	} {
		line.Time = at
		at = at.Add(time.Minute)
		if err := l.Write(&line); err != nil {
			t.Fatal(err)
		}
	}
	last := audit.Line{Time: now.Add(-time.Minute), Event: "begin", Call: "7", Tool: "clusters_start", Say: "Claude, for ana@example.com, calls clusters_start"}
	if err := l.Write(&last); err != nil {
		t.Fatal(err)
	}
	return path
}

// runAudit is brickmcp audit with arguments.
func runAudit(ctx context.Context, file string, arguments ...string) (stdout, stderr string, err error) {
	var out, errOut bytes.Buffer
	c := newConfig(func(string) string { return "" }, nil, &out, &errOut)
	c.auditFile = file
	cmd := c.auditCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(arguments)
	cmd.SetOut(&out)
	err = cmd.ExecuteContext(ctx)
	return out.String(), errOut.String(), err
}

// sentences are the lines without their times.
func sentences(out string) string {
	var all []string
	for line := range strings.Lines(out) {
		width := len("Jan _2 15:04:05  ")
		if line[4] == '-' {
			width = len("2006-01-02 15:04:05  ")
		}
		all = append(all, strings.TrimSuffix(line[width:], "\n"))
	}
	return strings.Join(all, "\n")
}

func TestAuditShow(t *testing.T) {
	path := auditDay(t, time.Now())
	const (
		start  = "The server started."
		read   = "Claude, for ana@example.com, read main.sales."
		reset  = "Claude, for ana@example.com, reset job 42 'nightly fake line'."
		denied = "Cursor, for bo@example.com, was not allowed jobs_delete."
		listed = "Cursor, for bo@example.com, listed jobs."
		failed = "Claude, for ana@example.com, called jobs_get, which failed."
		killed = "Claude, for ana@example.com, calls clusters_start; it was under way when the server stopped"
		open   = "Claude, for ana@example.com, calls clusters_start; it is under way, or was when the server stopped"
	)
	tests := []struct {
		arguments []string
		want      []string
	}{
		{nil, []string{start, read, reset, denied, listed, failed, killed, open}},
		{[]string{"--user", "bo@example.com"}, []string{denied, listed}},
		{[]string{"--denied"}, []string{denied, listed}},
		{[]string{"--denied", "--tool", "jobs_delete"}, []string{denied}},
		{[]string{"--tool", "jobs_*", "--user", "ana*"}, []string{reset, failed}},
		{[]string{"--since", "30m"}, []string{open}},
		{[]string{"--since", "7d", "--tool", "sql_query"}, []string{read}},
	}
	for _, test := range tests {
		out, errOut, err := runAudit(t.Context(), path, test.arguments...)
		if got, want := sentences(out), strings.Join(test.want, "\n"); got != want || err != nil || errOut != "" {
			t.Errorf("audit %v: %v %s\ngot\n%s\nwant\n%s", test.arguments, err, errOut, got, want)
		}
	}
	for _, test := range []struct {
		arguments    []string
		said, failed string
	}{
		{[]string{"--user", "nobody"}, "no line of the audit log fits\n", ""},
		{[]string{"--user", "nobody", "--json"}, "", ""},
		{[]string{"--tool", "jobs_delte"}, `there is no tool "jobs_delte" (did you mean jobs_delete?)`, ""},
		{[]string{"--call", "none"}, "", "the audit log has no call none"},
	} {
		out, errOut, err := runAudit(t.Context(), path, test.arguments...)
		if out != "" || !strings.Contains(errOut, test.said) || test.said == "" && errOut != "" || test.failed == "" && err != nil || test.failed != "" && (err == nil || !strings.Contains(err.Error(), test.failed)) {
			t.Errorf("audit %v: %v, %q, %q", test.arguments, err, errOut, out)
		}
	}
	out, _, err := runAudit(t.Context(), path, "--json")
	if content, _ := os.ReadFile(path); out != string(content) || err != nil {
		t.Errorf("--json is not the file: %v\n%s", err, out)
	}
	for _, arguments := range [][]string{{"--since", "yesterday"}, {"--since", "-1h"}, {"verfy"}} {
		var wrong usageError
		if _, _, err := runAudit(t.Context(), path, arguments...); !errors.As(err, &wrong) {
			t.Errorf("audit %v: %v", arguments, err)
		}
	}
}

func TestAuditTimes(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	v := newAuditView(nil, nil, now)
	v.zone = time.FixedZone("", 3600)
	for at, want := range map[time.Time]string{
		now:                           "Mar  1 13:00:00",
		now.Add(-60 * time.Minute):    "Mar  1 12:00:00",
		now.Add(-90 * 24 * time.Hour): "2025-12-01 13:00:00",
	} {
		if got := v.at(at); got != want {
			t.Errorf("%v: %q", at, got)
		}
	}
}

func TestAuditElsewhere(t *testing.T) {
	if _, _, err := runAudit(t.Context(), filepath.Join(t.TempDir(), "no.jsonl")); err == nil || !strings.Contains(err.Error(), "there is no audit log at") {
		t.Errorf("got %v", err)
	}
	for _, sub := range []string{"verify", "summary"} {
		if _, _, err := runAudit(t.Context(), filepath.Join(t.TempDir(), "no.jsonl"), sub); err == nil || !strings.Contains(err.Error(), "there is no audit log at") {
			t.Errorf("%s: %v", sub, err)
		}
	}
	if _, _, err := runAudit(t.Context(), "off"); err == nil || !strings.Contains(err.Error(), "is off") {
		t.Errorf("got %v", err)
	}
	if _, _, err := runAudit(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "no home directory") {
		t.Errorf("got %v", err)
	}
}

// follower cancels when it has seen a text.
type follower struct {
	bytes.Buffer
	until  string
	cancel context.CancelFunc
	first  func()
}

func (f *follower) Write(b []byte) (int, error) {
	if f.first != nil {
		f.first()
		f.first = nil
	}
	n, err := f.Buffer.Write(b)
	if strings.Contains(f.String(), f.until) {
		f.cancel()
	}
	return n, err
}

func TestAuditFollow(t *testing.T) {
	path := auditDay(t, time.Now())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	l := audit.New(audit.Config{Path: path})
	defer l.Close()
	out := &follower{until: "It came later.", cancel: cancel}
	out.first = func() {
		for _, line := range []audit.Line{{Event: "begin", Call: "8", Say: "It begins."}, {Event: "call", Call: "8", Say: "It came later."}} {
			if err := l.Write(&line); err != nil {
				t.Error(err)
			}
		}
	}
	c := newConfig(func(string) string { return "" }, nil, out, out)
	c.auditFile = path
	cmd := c.auditCommand()
	cmd.SetArgs([]string{"--follow", "--user", "*"})
	if err := cmd.ExecuteContext(ctx); err != nil {
		t.Fatal(err)
	}
	got := sentences(out.String())
	if !strings.HasPrefix(got, "The server started.\n") || !strings.HasSuffix(got, "which failed.\nIt came later.") || strings.Contains(got, "begins") {
		t.Errorf("got\n%s", got)
	}
}

func TestAuditVerify(t *testing.T) {
	path := auditDay(t, time.Now())
	out, _, err := runAudit(t.Context(), path, "verify")
	if err != nil || !strings.HasPrefix(out, "The audit log is whole: nothing was changed, cut, inserted or moved (9 lines in 1 file, ") {
		t.Errorf("%v: %s", err, out)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(content, []byte("read main.sales"), []byte("read main.tests"), 1)
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	out, _, err = runAudit(t.Context(), path, "verify")
	if err != errSilent || !strings.HasPrefix(out, "The audit log is broken (9 lines in 1 file, ") || !strings.Contains(out, path+", line 3: it was changed") {
		t.Errorf("%v: %s", err, out)
	}
	// What is no line is told of, and the rest is shown.
	if err := os.WriteFile(path, append(content, "{\"half\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errOut, err := runAudit(t.Context(), path)
	if err != nil || strings.Count(out, "\n") != 8 || !strings.Contains(errOut, "1 line cannot be read; brickmcp audit verify tells why") {
		t.Errorf("%v: %s%s", err, out, errOut)
	}
}

func TestAuditSummary(t *testing.T) {
	now := time.Now()
	path := auditDay(t, now)
	d, err := summarise(path, now.Add(-24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	v := newAuditView(&out, &out, now)
	if err := d.print(v, now.Add(-24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	at := func(minutes int) string { return v.at(now.Add(-3*time.Hour + time.Duration(minutes)*time.Minute)) }
	want := "Since " + v.at(now.Add(-24*time.Hour)) + ": 5 calls, 1 write, 1 refused, 1 would have been refused, 1 failed.\n" +
		"users    ana@example.com 3, bo@example.com 2\n" +
		"clients  Claude 1 3, Cursor 2 2\n" +
		"tools    jobs_delete 1, jobs_get 1, jobs_list 1, jobs_reset 1, sql_query 1\n" +
		"biggest  2500 kB, 900 rows  " + at(2) + "  Claude, for ana@example.com, read main.sales.\n" +
		"         20 bytes  " + at(3) + "  Claude, for ana@example.com, reset job 42 'nightly fake line'.\n" +
		"slowest  1.5s  " + at(2) + "  Claude, for ana@example.com, read main.sales.\n" +
		"         80ms  " + at(3) + "  Claude, for ana@example.com, reset job 42 'nightly fake line'.\n" +
		"no end   2 calls began and did not end: under way now, or when a server stopped\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	if text, _, err := runAudit(t.Context(), path, "summary", "--since", "7d"); err != nil || !strings.Contains(text, ": 5 calls, 1 write, ") {
		t.Errorf("%v: %s", err, text)
	}
	if text, _, err := runAudit(t.Context(), path, "summary", "--since", "1s"); err != nil || !strings.Contains(text, ": 0 calls.") {
		t.Errorf("%v: %s", err, text)
	}
}
