package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools"
	"brickmcp/tools/audit"

	"github.com/spf13/cobra"
)

const (
	followEvery = 300 * time.Millisecond
	followFrom  = 10 // lines that --follow begins with
)

func (c *config) auditCommand() *cobra.Command {
	var filter audit.Filter
	var since string
	var follow, asJSON bool
	cmd := &cobra.Command{
		Use: "audit", Short: "Show what agents did, as sentences", Args: usage(cobra.NoArgs),
		Long: "Show the audit log: one sentence for each call, refusal, confirmation, sign-in and start, oldest first.\n" +
			"--follow begins with the last lines, or with --since, and goes on; it shows calls when they are over.",
		Example: "  brickmcp audit --since 1h --denied\n  brickmcp audit --follow --user ana@example.com --tool 'jobs_*'\n  brickmcp audit --call 2o824Tg0    what an undo hint points at",
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := c.auditToRead()
			if err != nil {
				return err
			}
			v := newAuditView(c.out, c.err, time.Now())
			if filter.Since, err = v.since(since); err != nil {
				return err
			}
			v.asJSON, v.whole = asJSON, filter.Call != ""
			if !follow {
				if err := v.show(path, filter); err != nil || v.shown > 0 || asJSON {
					return err
				}
				return v.nothing(filter)
			}
			last := followFrom
			if since != "" {
				last = -1
			}
			filter.Ended = !asJSON
			return v.print(audit.Follow(cmd.Context(), path, filter, last, followEvery), true)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&follow, "follow", false, "go on with what is written")
	flags.StringVar(&since, "since", "", "only what is not older than `DURATION`, such as 1h or 7d")
	flags.StringVar(&filter.User, "user", "", "only of `USER`; * stands for anything")
	flags.StringVar(&filter.Tool, "tool", "", "only of `TOOL`; * stands for anything")
	flags.BoolVar(&filter.Denied, "denied", false, "only what was refused, or would have been in shadow mode")
	flags.StringVar(&filter.Call, "call", "", "only the call `ID`, with the values that it replaced")
	flags.BoolVar(&asJSON, "json", false, "print the lines as they are in the file")
	cmd.AddCommand(c.auditVerifyCommand(), c.auditSummaryCommand())
	return cmd
}

// auditToRead is the path of the audit log.
func (c *config) auditToRead() (string, error) {
	path, off := c.auditPath()
	switch {
	case !off:
		return path, nil
	case c.auditFile == "":
		return "", errors.New("the environment names no home directory, so there is no audit log: name it with --audit-file")
	}
	return "", usagef("--audit-file is off: name the file that is to be read")
}

// auditView shows an audit log to a person.
type auditView struct {
	out    io.Writer
	err    io.Writer
	now    time.Time
	zone   *time.Location
	asJSON bool
	whole  bool // with earlier values
	shown  int  // lines so far
}

func newAuditView(out, err io.Writer, now time.Time) *auditView {
	return &auditView{out: out, err: err, now: now, zone: time.Local}
}

// since is the moment that a duration means, which may be in days; "" is the
// zero time.
func (v *auditView) since(duration string) (time.Time, error) {
	if duration == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(duration, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n < 100_000 {
			return v.now.AddDate(0, 0, -n), nil
		}
	}
	d, err := time.ParseDuration(duration)
	if err != nil || d <= 0 {
		return time.Time{}, usagef("--since: %q is no duration such as 30m, 1h or 7d", duration)
	}
	return v.now.Add(-d), nil
}

// show prints the lines that the filter picks. Of a call that began and has no
// end it prints the beginning.
func (v *auditView) show(path string, filter audit.Filter) error {
	if v.asJSON {
		return v.explain(path, v.print(audit.Read(path, filter), false))
	}
	open, err := openCalls(path, filter.Since)
	if err != nil {
		return v.explain(path, err)
	}
	lines := func(yield func(audit.Entry, error) bool) {
		for e, err := range audit.Read(path, filter) {
			if err == nil && e.Event == audit.EventBegin && !open[e.Call] {
				continue
			}
			if !yield(e, err) {
				return
			}
		}
	}
	return v.explain(path, v.print(lines, false))
}

// openCalls are the calls that began and have no end.
func openCalls(path string, since time.Time) (map[string]bool, error) {
	open := map[string]bool{}
	var bad *audit.Unreadable
	for e, err := range audit.Read(path, audit.Filter{Since: since}) {
		switch {
		case errors.As(err, &bad):
		case err != nil:
			return nil, err
		case e.Event == audit.EventBegin:
			open[e.Call] = true
		default:
			delete(open, e.Call)
		}
	}
	return open, nil
}

func (v *auditView) explain(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no audit log at %s: nothing has been called yet, or --audit-file named another file", path)
	}
	return err
}

// print prints lines as they come; at once: each is to be seen without delay.
func (v *auditView) print(lines func(func(audit.Entry, error) bool), atOnce bool) error {
	out := bufio.NewWriter(v.out)
	unreadable := 0
	var failed error
	for e, err := range lines {
		var bad *audit.Unreadable
		switch {
		case errors.As(err, &bad):
			unreadable++
			continue
		case err != nil:
			failed = err
		case v.asJSON:
			_, failed = out.Write(append(e.Raw, '\n'))
		default:
			v.shown++
			_, failed = fmt.Fprintf(out, "%s  %s\n", v.at(e.Time), v.sentence(&e.Line))
			if v.whole && len(e.Before) > 0 && e.Event != audit.EventBegin && failed == nil {
				before, _ := catalog.CleanJSON(e.Before)
				_, failed = fmt.Fprintf(out, "before:\n%s\n", before)
			}
		}
		if atOnce && failed == nil {
			failed = out.Flush()
		}
		if failed != nil {
			break
		}
	}
	if err := out.Flush(); failed == nil {
		failed = err
	}
	if unreadable > 0 {
		fmt.Fprintf(v.err, "brickmcp: %s cannot be read; brickmcp audit verify tells why\n", count(unreadable, "line"))
	}
	if errors.Is(failed, syscall.EPIPE) { // head and the like have seen enough
		return nil
	}
	return failed
}

// nothing says that no line was picked, and what may be misspelt. To name a call
// that is not there is a mistake, to look for others is none.
func (v *auditView) nothing(filter audit.Filter) error {
	if filter.Call != "" {
		return fmt.Errorf("the audit log has no call %s that fits", plain(filter.Call))
	}
	if filter == (audit.Filter{}) {
		return nil
	}
	hint := ""
	if tool := filter.Tool; tool != "" && !strings.Contains(tool, "*") && tool != tools.WhoAmI().Name && catalog.Find(tool) == nil {
		hint = fmt.Sprintf("; there is no tool %q%s", plain(tool), nearestTool(tool))
	}
	fmt.Fprintf(v.err, "brickmcp: no line of the audit log fits%s\n", hint)
	return nil
}

// at is a time as short as it is clear.
func (v *auditView) at(t time.Time) string {
	t, now := t.In(v.zone), v.now.In(v.zone)
	if t.Year() == now.Year() {
		return t.Format("Jan _2 15:04:05")
	}
	return t.Format("2006-01-02 15:04:05")
}

// A call may be under way as long as this without anybody wondering.
const longCall = 10 * time.Minute

// sentence is what the line says, fit for a terminal.
func (v *auditView) sentence(l *audit.Line) string {
	say := l.Say
	if say == "" {
		say = strings.TrimSpace(l.Event + " " + l.Tool)
	}
	if l.Event == audit.EventBegin {
		say = strings.TrimRight(say, ".")
		if v.now.Sub(l.Time) < longCall {
			say += "; it is under way, or was when the server stopped"
		} else {
			say += "; it was under way when the server stopped"
		}
	}
	return plain(say)
}

// plain is a text on one line that moves no cursor and hides nothing.
func plain(text string) string {
	text = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\t", " ", "\u2028", " ", "\u2029", " ").Replace(text)
	text, _ = catalog.Clean(text)
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func (c *config) auditVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "verify", Short: "Check that nobody changed or cut the audit log", Args: usage(cobra.NoArgs),
		Long: "Check the chain of hashes through all files of the audit log, rotated ones too, and say what was changed, cut, inserted or moved.\n" +
			"The exit status is 1 then. Who can write both the log and its head file can write another log: see the documentation.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := c.auditToRead()
			if err != nil {
				return err
			}
			v := newAuditView(c.out, c.err, time.Now())
			report, err := audit.Verify(path)
			if err != nil {
				return v.explain(path, err)
			}
			return v.verified(&report)
		},
	}
}

// findingsShown of each kind are printed.
const findingsShown = 20

// verified prints a report; errSilent if anything was changed.
func (v *auditView) verified(r *audit.Report) error {
	list := func(findings []audit.Finding) {
		for i, f := range findings {
			if i == findingsShown {
				fmt.Fprintf(v.out, "  and %d more\n", len(findings)-i)
				break
			}
			fmt.Fprintf(v.out, "  %s\n", plain(f.String()))
		}
	}
	size := count(int(r.Lines), "line") + " in " + count(len(r.Files), "file")
	if r.Lines > 0 {
		size += ", " + v.at(r.First) + " to " + v.at(r.Last)
	}
	if r.OK() {
		fmt.Fprintf(v.out, "The audit log is whole: nothing was changed, cut, inserted or moved (%s).\n", size)
	} else {
		fmt.Fprintf(v.out, "The audit log is broken (%s):\n", size)
		list(r.Problems)
	}
	if len(r.Notes) > 0 {
		fmt.Fprintln(v.out, "It tells of itself:")
		list(r.Notes)
	}
	if !r.OK() {
		return errSilent
	}
	return nil
}
