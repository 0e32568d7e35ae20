package install

import (
	"bytes"
	"strings"

	"github.com/tailscale/hujson"
)

// layout is how the people of a JSON file lay it out.
type layout struct {
	text    []byte
	newline string
	unit    string // one level of indentation
	lines   bool   // members of the top object are on lines of their own
}

// field is a member to write: a value, or an object.
type field struct {
	name   string
	text   string
	fields []field
}

func layoutOf(text []byte, root *hujson.Value) layout {
	s := layout{text: text, newline: newline(text), unit: "  ", lines: true}
	obj := root.Value.(*hujson.Object)
	if len(obj.Members) == 0 {
		return s
	}
	first := obj.Members[0].Name
	s.lines = bytes.IndexByte(text[root.StartOffset:first.StartOffset], '\n') >= 0
	outer := indentation(text, root.StartOffset)
	if unit, ok := strings.CutPrefix(indentation(text, first.StartOffset), outer); ok && s.lines && unit != "" {
		s.unit = unit
	}
	return s
}

// object is one with these members, on lines that are indented or on one line.
func (s layout) object(fields []field, indent string, lines bool) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		switch {
		case lines:
			b.WriteString(s.newline + indent + s.unit)
		case i > 0:
			b.WriteByte(' ')
		}
		b.WriteString(s.member(f, indent+s.unit, lines))
	}
	if lines {
		b.WriteString(s.newline + indent)
	}
	b.WriteByte('}')
	return b.String()
}

func (s layout) member(f field, indent string, lines bool) string {
	if f.fields == nil {
		return quote(f.name) + ": " + f.text
	}
	return quote(f.name) + ": " + s.object(f.fields, indent, lines)
}

// insert puts a member at the end of an object. Nothing is moved: comments stay where
// they are, and a trailing comma stays a trailing comma.
func (s layout) insert(at *hujson.Value, f field) []edit {
	obj := at.Value.(*hujson.Object)
	if len(obj.Members) == 0 {
		return s.fill(at, f)
	}
	first, last := obj.Members[0], obj.Members[len(obj.Members)-1]
	tail := last.Value.EndOffset
	var edits []edit
	comma := ""
	if last.Value.AfterExtra == nil {
		edits = append(edits, edit{tail, tail, ","})
	} else {
		tail += len(last.Value.AfterExtra) + 1
		comma = ","
	}
	if bytes.IndexByte(s.text[at.StartOffset:first.Name.StartOffset], '\n') < 0 {
		return append(edits, edit{tail, tail, " " + s.member(f, "", false) + comma}) // a comment may end the line
	}
	indent := indentation(s.text, first.Name.StartOffset)
	if own := indentation(s.text, last.Name.StartOffset); s.text[last.Name.StartOffset-len(own)-1] == '\n' {
		indent = own
	}
	here := lineEnd(s.text, tail, at.EndOffset-1)
	return append(edits, edit{here, here, s.newline + indent + s.member(f, indent, true) + comma})
}

// fill puts a member into an object that has none.
func (s layout) fill(at *hujson.Value, f field) []edit {
	start, end := at.StartOffset+1, at.EndOffset-1
	if !s.lines {
		return []edit{{start, start, s.member(f, "", false)}}
	}
	outer := indentation(s.text, at.StartOffset)
	text := s.newline + outer + s.unit + s.member(f, outer+s.unit, true)
	here := lineEnd(s.text, start, end)
	if here < end && bytes.IndexByte(s.text[here:end], '\n') >= 0 {
		return []edit{{here, here, text}}
	}
	return []edit{{here, end, text + s.newline + outer}}
}

// lineEnd is where a new line can begin between what is in text[start:end] and the
// brace: where the last line of it ends, or before the white space at its end.
func lineEnd(text []byte, start, end int) int {
	i := bytes.LastIndexByte(text[start:end], '\n')
	if i < 0 || !blank(text[start+i:end]) {
		return trimmed(text, start, end)
	}
	if i > 0 && text[start+i-1] == '\r' {
		i--
	}
	return start + i
}

func trimmed(text []byte, start, end int) int {
	return start + len(bytes.TrimRight(text[start:end], " \t\r\n"))
}

// remove takes member i out of an object, the reverse of insert. Comments around it
// stay.
func remove(text []byte, at *hujson.Value, i int) []edit {
	obj := at.Value.(*hujson.Object)
	m, last := obj.Members[i], i == len(obj.Members)-1
	if last && i == 0 && blank(m.Name.BeforeExtra) && blank(m.Value.AfterExtra) && blank(obj.AfterExtra) {
		return []edit{{at.StartOffset + 1, at.EndOffset - 1, ""}}
	}
	var edits []edit
	end := m.Value.EndOffset
	comma := end + len(m.Value.AfterExtra)
	switch {
	case last && m.Value.AfterExtra == nil:
		if i > 0 { // the member before is the last one now
			before := obj.Members[i-1].Value
			at := before.EndOffset + len(before.AfterExtra)
			edits = append(edits, edit{at, at + 1, ""})
		}
		comma = -1
	case blank(m.Value.AfterExtra):
		end, comma = comma+1, -1
	}
	edits = append(edits, edit{removalStart(text, m.Name, end), end, ""})
	if comma >= 0 {
		edits = append(edits, edit{comma, comma + 1, ""})
	}
	return edits
}

// removalStart is where the removal of a member with that name begins: with the line
// break before, when another one or the brace follows. A line comment before it keeps
// its end so.
func removalStart(text []byte, name hujson.Value, end int) int {
	lead := name.BeforeExtra
	nl := bytes.LastIndexByte(lead, '\n')
	if nl < 0 || !blank(lead[nl:]) {
		return name.StartOffset - (len(lead) - len(bytes.TrimRight(lead, " \t\r\n")))
	}
	if nl > 0 && lead[nl-1] == '\r' {
		nl--
	}
	rest := bytes.TrimLeft(text[end:], " \t\r")
	if rest[0] == '\n' || rest[0] == '}' && !endsInLineComment(lead[:nl]) {
		return name.StartOffset - (len(lead) - nl)
	}
	return name.StartOffset
}

func endsInLineComment(extra []byte) bool {
	for i := 0; i < len(extra); {
		end, mark := token(extra, i, false)
		if mark == lineComment && end == len(extra) {
			return true
		}
		i = end
	}
	return false
}
