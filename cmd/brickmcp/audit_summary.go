package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/audit"

	"github.com/spf13/cobra"
)

func (c *config) auditSummaryCommand() *cobra.Command {
	var since string
	cmd := &cobra.Command{
		Use: "summary", Short: "Sum up the day", Args: usage(cobra.NoArgs),
		Long: "Sum up what the audit log has since midnight: calls, writes, refusals and errors, by user, client and tool.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := c.auditToRead()
			if err != nil {
				return err
			}
			v := newAuditView(c.out, c.err, time.Now())
			from, err := v.since(since)
			if err != nil {
				return err
			}
			if since == "" {
				year, month, day := v.now.In(v.zone).Date()
				from = time.Date(year, month, day, 0, 0, 0, 0, v.zone)
			}
			d, err := summarise(path, from)
			if err != nil {
				return v.explain(path, err)
			}
			return d.print(v, from)
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "sum up the last `DURATION`, such as 1h or 7d, in place of the day")
	return cmd
}

// day is what happened, in numbers.
type day struct {
	calls, writes, refused, shadowed, failed, waiting, repeated int

	users, clients, tools map[string]int
	open                  map[string]bool // calls that began and have no end
	biggest, slowest      []*audit.Line
	unreadable            int
}

const (
	extremes  = 3 // biggest and slowest calls that are told
	mostNames = 5 // users, clients, tools that are told
)

func summarise(path string, since time.Time) (*day, error) {
	d := &day{users: map[string]int{}, clients: map[string]int{}, tools: map[string]int{}, open: map[string]bool{}}
	for e, err := range audit.Read(path, audit.Filter{Since: since}) {
		var bad *audit.Unreadable
		switch {
		case errors.As(err, &bad):
			d.unreadable++
		case err != nil:
			return nil, err
		default:
			d.add(&e.Line)
		}
	}
	return d, nil
}

func (d *day) add(l *audit.Line) {
	switch {
	case l.Event == audit.EventBegin:
		d.open[l.Call] = true
		return
	case l.Tool == "": // a start, a sign-in and the like
		return
	}
	delete(d.open, l.Call)
	d.calls++
	d.tools[l.Tool]++
	d.users[l.User]++
	d.clients[l.Client]++
	refused := l.Event == "denied" || l.Decision == "deny"
	switch {
	case refused:
		d.refused++
	case l.Event == "confirm":
		d.waiting++
	case l.Outcome == "error":
		d.failed++
	case l.Outcome == "deduplicated":
		d.repeated++
	case l.Effect != "" && l.Effect != catalog.Read.String():
		d.writes++
	}
	if !refused && l.Denied() {
		d.shadowed++
	}
	if l.Bytes > 0 {
		d.biggest = top(d.biggest, l, func(l *audit.Line) float64 { return float64(l.Bytes) })
	}
	if l.DurationMS > 0 {
		d.slowest = top(d.slowest, l, func(l *audit.Line) float64 { return l.DurationMS })
	}
}

// top keeps the lines with the highest figures, highest first.
func top(lines []*audit.Line, l *audit.Line, figure func(*audit.Line) float64) []*audit.Line {
	at := len(lines)
	for at > 0 && figure(l) > figure(lines[at-1]) {
		at--
	}
	if at == extremes {
		return lines
	}
	kept := *l
	kept.Arguments, kept.Before = nil, nil // they may be long
	lines = slices.Insert(lines, at, &kept)
	return lines[:min(len(lines), extremes)]
}

func (d *day) print(v *auditView, from time.Time) error {
	parts := []string{count(d.calls, "call")}
	if d.writes > 0 {
		parts = append(parts, count(d.writes, "write"))
	}
	for _, part := range []struct {
		n    int
		what string
	}{
		{d.refused, "refused"}, {d.shadowed, "would have been refused"},
		{d.failed, "failed"}, {d.waiting, "waited for confirmation"}, {d.repeated, "repeated another"},
	} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	fmt.Fprintf(v.out, "Since %s: %s.\n", v.at(from), strings.Join(parts, ", "))
	table := tabwriter.NewWriter(v.out, 0, 0, 2, ' ', 0)
	for _, by := range []struct {
		name   string
		counts map[string]int
	}{{"users", d.users}, {"clients", d.clients}, {"tools", d.tools}} {
		if len(by.counts) > 0 {
			fmt.Fprintf(table, "%s\t%s\n", by.name, most(by.counts))
		}
	}
	extreme := func(name string, lines []*audit.Line, figure func(*audit.Line) string) {
		for _, l := range lines {
			fmt.Fprintf(table, "%s\t%s  %s  %s\n", name, figure(l), v.at(l.Time), v.sentence(l))
			name = " "
		}
	}
	extreme("biggest", d.biggest, func(l *audit.Line) string {
		size := byteSize(l.Bytes)
		if l.Rows > 0 {
			size += ", " + count(int(l.Rows), "row")
		}
		return size
	})
	extreme("slowest", d.slowest, func(l *audit.Line) string {
		return time.Duration(l.DurationMS * float64(time.Millisecond)).Round(time.Millisecond).String()
	})
	if len(d.open) > 0 {
		fmt.Fprintf(table, "no end\t%s began and did not end: under way now, or when a server stopped\n", count(len(d.open), "call"))
	}
	if d.unreadable > 0 {
		fmt.Fprintf(table, "unreadable\t%s; brickmcp audit verify tells why\n", count(d.unreadable, "line"))
	}
	return table.Flush()
}

// most are the names with the highest counts.
func most(counts map[string]int) string {
	names := slices.Sorted(maps.Keys(counts))
	sort.SliceStable(names, func(i, j int) bool { return counts[names[i]] > counts[names[j]] })
	var parts []string
	for i, name := range names {
		if i == mostNames {
			parts = append(parts, fmt.Sprintf("%d others", len(names)-i))
			break
		}
		n := counts[name]
		if name == "" {
			name = "unknown"
		}
		parts = append(parts, fmt.Sprintf("%s %d", plain(name), n))
	}
	return strings.Join(parts, ", ")
}

func byteSize(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 10_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%d MB", n/1_000_000)
}
