package install

import (
	"fmt"
	"strings"
)

const (
	context = 3   // lines around what differs
	width   = 160 // of lines that are shown, in bytes: a file may be one line
)

// unified is the difference between two texts, in one hunk.
func unified(from, to, before, after string) string {
	a, b := lines(before), lines(after)
	head, tail := alike(a, b)
	start := max(0, head-context)
	end := min(tail, context)
	gone, come := a[head:len(a)-tail], b[head:len(b)-tail]
	var d strings.Builder
	fmt.Fprintf(&d, "--- %s\n+++ %s\n@@ -%s +%s @@\n", from, to, hunk(start, len(a)-tail+end), hunk(start, len(b)-tail+end))
	for _, l := range a[start:head] {
		write(&d, ' ', l)
	}
	if len(gone) == 1 && len(come) == 1 {
		gone, come = crop(gone[0], come[0])
	}
	for _, l := range gone {
		write(&d, '-', l)
	}
	for _, l := range come {
		write(&d, '+', l)
	}
	for _, l := range a[len(a)-tail : len(a)-tail+end] {
		write(&d, ' ', l)
	}
	return d.String()
}

// lines are those of a text, each with its line break.
func lines(text string) []string {
	all := strings.SplitAfter(text, "\n")
	if all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}

// hunk is the range of lines from start to end as diffs have it.
func hunk(start, end int) string {
	if start == end {
		return fmt.Sprintf("%d,0", start)
	}
	return fmt.Sprintf("%d,%d", start+1, end-start)
}

func write(d *strings.Builder, sign byte, line string) {
	text, ended := strings.CutSuffix(line, "\n")
	text = strings.TrimSuffix(text, "\r")
	if sign == ' ' && len(text) > width {
		text = strings.ToValidUTF8(text[:width], "") + "…"
	}
	d.WriteByte(sign)
	d.WriteString(text)
	d.WriteByte('\n')
	if !ended {
		d.WriteString("\\ No newline at end of file\n")
	}
}

// alike counts what two sequences begin with alike, and what of the rest they end with.
func alike[T comparable](a, b []T) (head, tail int) {
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	return head, tail
}

// crop leaves of two long lines what differs, and a little around it.
func crop(a, b string) ([]string, []string) {
	if max(len(a), len(b)) <= 2*width {
		return []string{a}, []string{b}
	}
	head, tail := alike([]byte(a), []byte(b))
	part := func(s string) []string {
		start, end := max(0, head-width/4), min(len(s), len(s)-tail+width/4)
		cut := s[start:end]
		if start > 0 {
			cut = "…" + cut
		}
		if end < len(s) {
			cut += "…\n"
		}
		return []string{strings.ToValidUTF8(cut, "")}
	}
	return part(a), part(b)
}
