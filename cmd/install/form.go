package install

import (
	"bytes"
	"fmt"
	"strings"
)

// form is how a configuration file is written: JSON or TOML.
type form interface {
	// put returns the edits that make text start e, none when it does already. What
	// else the entry has, such as env, stays.
	put(text []byte, e Entry) ([]edit, error)
	// take returns the edits that take the entry out, none when there is none. The
	// object that held it goes too when nothing else is in it, unless keep.
	take(text []byte, keep bool) ([]edit, error)
	// snippet is a whole file with e alone.
	snippet(e Entry) string
	// hide shows text without what may be a secret, except in shown.
	hide(text []byte, shown []span) string
}

// edit replaces the bytes from start to end.
type edit struct {
	start, end int
	text       string
}

// span is a part of a text.
type span struct{ start, end int }

// apply makes the edits, which are in order and do not overlap, and tells where they
// are before and after.
func apply(text []byte, edits []edit) (after []byte, removed, added []span) {
	last := 0
	for _, e := range edits {
		after = append(after, text[last:e.start]...)
		added = append(added, span{len(after), len(after) + len(e.text)})
		after = append(after, e.text...)
		removed = append(removed, span{e.start, e.end})
		last = e.end
	}
	return append(after, text[last:]...), removed, added
}

// ordered puts the edit of args, the last one, before that of command where it stands
// before it.
func ordered(edits []edit) []edit {
	if last := len(edits) - 1; last > 0 && edits[last].start < edits[0].start {
		edits[0], edits[last] = edits[last], edits[0]
	}
	return edits
}

// problem is what keeps a file from being edited, at an offset in it. It quotes nothing
// of the file, which may hold secrets.
type problem struct {
	offset int
	what   string
}

func (p *problem) Error() string { return p.what }

func problemf(offset int, format string, args ...any) error {
	return &problem{offset, fmt.Sprintf(format, args...)}
}

func line(text []byte, offset int) int {
	return 1 + bytes.Count(text[:min(offset, len(text))], []byte("\n"))
}

// newline is the one of the file.
func newline(text []byte) string {
	if i := bytes.IndexByte(text, '\n'); i > 0 && text[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

func blank(text []byte) bool { return len(bytes.Trim(text, " \t\r\n")) == 0 }

// indentation is the white space that the line of an offset begins with.
func indentation(text []byte, offset int) string {
	start := 1 + bytes.LastIndexByte(text[:offset], '\n')
	end := start
	for end < offset && (text[end] == ' ' || text[end] == '\t') {
		end++
	}
	return string(text[start:end])
}

// list is an array of strings, the same in JSON and in TOML.
func list(items []string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = quote(item)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
