package install

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/tailscale/hujson"
)

// jsonForm is JSON, with comments and trailing commas unless it is plain: an object
// at the top, in it the container, in that the entry.
type jsonForm struct {
	container string
	typed     bool // entries say "type": "stdio"
	plain     bool // the client reads nothing but standard JSON
}

func quote(s string) string { return string(hujson.String(s)) }

// document is a file that could be read.
type document struct {
	text       []byte
	root       *hujson.Value
	containerI int           // in root; -1: not there
	container  *hujson.Value // nil: not there
	entryI     int           // in container; -1: not there
	entry      *hujson.Value // nil: not there
}

func (f jsonForm) read(text []byte) (*document, error) {
	if deep := deepest(text); deep >= 0 {
		return nil, problemf(deep, "it is nested more than %d deep", maxDepth)
	}
	root, err := hujson.Parse(text)
	if err != nil {
		return nil, brokenJSON(err, text)
	}
	if f.plain {
		if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(text, new(json.RawMessage))); ok {
			return nil, problemf(int(syntax.Offset)-1, "there is a comment or a trailing comma: take it out, for this client reads plain JSON, and so nothing of this file")
		}
	}
	d := &document{text: text, root: &root, containerI: -1, entryI: -1}
	obj, ok := root.Value.(*hujson.Object)
	if !ok {
		return nil, problemf(root.StartOffset, "the file has to hold an object, {…}")
	}
	if d.containerI, d.container, err = member(obj, f.container); d.container == nil || err != nil {
		return d, err
	}
	if obj, ok = d.container.Value.(*hujson.Object); !ok {
		return nil, problemf(d.container.StartOffset, "%q has to be an object, {…}", f.container)
	}
	if d.entryI, d.entry, err = member(obj, Name); d.entry == nil || err != nil {
		return d, err
	}
	return d, f.starts(d.entry)
}

// maxDepth keeps the parser, which calls itself, off the end of the stack.
const maxDepth = 10000

// deepest is where a text goes deeper than that; -1: nowhere.
func deepest(text []byte) int {
	depth := 0
	for i := 0; i < len(text); {
		switch text[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth > maxDepth {
			return i
		}
		i, _ = token(text, i, false)
	}
	return -1
}

// starts refuses an entry that brickmcp install does not write: one that starts no
// command is somebody else's.
func (f jsonForm) starts(entry *hujson.Value) error {
	if obj, ok := entry.Value.(*hujson.Object); ok {
		_, command, err := member(obj, "command")
		if err != nil {
			return err
		}
		_, kind, err := member(obj, "type")
		if err != nil {
			return err
		}
		if command != nil && command.Value.Kind() == '"' && (kind == nil || stringOf(kind) == "stdio") {
			return nil
		}
	}
	return problemf(entry.StartOffset, "the entry %q starts no command, so it is not from brickmcp install: take it out by hand, or rename it", Name)
}

// member finds a member by its name. Programs differ in which of two they take.
func member(obj *hujson.Object, name string) (int, *hujson.Value, error) {
	at := -1
	for i := range obj.Members {
		if stringOf(&obj.Members[i].Name) != name {
			continue
		}
		if at >= 0 {
			return -1, nil, problemf(obj.Members[i].Name.StartOffset, "%q is there twice: take one out", name)
		}
		at = i
	}
	if at < 0 {
		return -1, nil, nil
	}
	return at, &obj.Members[at].Value, nil
}

// stringOf is the value of a string, and empty for anything else.
func stringOf(v *hujson.Value) string {
	if lit, ok := v.Value.(hujson.Literal); ok && lit.Kind() == '"' {
		return lit.String()
	}
	return ""
}

// brokenJSON says where, but not all of why: the reason may quote the file.
func brokenJSON(err error, text []byte) error {
	row, column := 1, 1
	if words := strings.Fields(err.Error()); len(words) > 4 { // hujson: line 3, column 5: …
		row, _ = strconv.Atoi(strings.TrimSuffix(words[2], ","))
		column, _ = strconv.Atoi(strings.TrimSuffix(words[4], ":"))
	}
	offset := 0
	for i := 1; i < row; i++ {
		offset += bytes.IndexByte(text[offset:], '\n') + 1
	}
	why := "not readable"
	if inner := errors.Unwrap(err); inner != nil {
		why, _, _ = strings.Cut(inner.Error(), "invalid literal: ")
		if why == "" {
			why = "invalid value"
		}
	}
	return problemf(offset, "column %d: this is not JSON: %s", column, why)
}

func (f jsonForm) fields(e Entry) []field {
	var all []field
	if f.typed {
		all = append(all, field{name: "type", text: `"stdio"`})
	}
	return append(all, field{name: "command", text: quote(e.Command)}, field{name: "args", text: list(e.Args)})
}

func (f jsonForm) put(text []byte, e Entry) ([]edit, error) {
	if blank(text) {
		return []edit{{0, len(text), f.snippet(e)}}, nil
	}
	d, err := f.read(text)
	if err != nil {
		return nil, err
	}
	s := layoutOf(text, d.root)
	entry := field{name: Name, fields: f.fields(e)}
	switch {
	case d.container == nil:
		return s.insert(d.root, field{name: f.container, fields: []field{entry}}), nil
	case d.entry == nil:
		return s.insert(d.container, entry), nil
	}
	obj := d.entry.Value.(*hujson.Object)
	_, command, err := member(obj, "command") // read has seen it
	if err != nil {
		return nil, err
	}
	var edits []edit
	if stringOf(command) != e.Command {
		edits = append(edits, edit{command.StartOffset, command.EndOffset, quote(e.Command)})
	}
	_, args, err := member(obj, "args")
	switch {
	case err != nil:
		return nil, err
	case args == nil:
		edits = append(edits, s.insert(d.entry, field{name: "args", text: list(e.Args)})...)
	case !holds(args, e.Args):
		edits = append(edits, edit{args.StartOffset, args.EndOffset, list(e.Args)})
	}
	return ordered(edits), nil
}

// holds reports whether a value is the array of these strings, however it is written.
func holds(v *hujson.Value, items []string) bool {
	array, ok := v.Value.(*hujson.Array)
	if !ok || len(array.Elements) != len(items) {
		return false
	}
	for i := range items {
		if array.Elements[i].Value.Kind() != '"' || stringOf(&array.Elements[i]) != items[i] {
			return false
		}
	}
	return true
}

func (f jsonForm) take(text []byte, keep bool) ([]edit, error) {
	if blank(text) {
		return nil, nil
	}
	d, err := f.read(text)
	if err != nil || d.entry == nil {
		return nil, err
	}
	obj := d.container.Value.(*hujson.Object)
	m := obj.Members[0]
	alone := len(obj.Members) == 1 && blank(m.Name.BeforeExtra) && blank(m.Value.AfterExtra) && blank(obj.AfterExtra)
	if alone && !keep {
		return remove(text, d.root, d.containerI), nil
	}
	return remove(text, d.container, d.entryI), nil
}

func (f jsonForm) snippet(e Entry) string {
	s := layout{newline: "\n", unit: "  ", lines: true}
	return s.object([]field{{name: f.container, fields: []field{{name: Name, fields: f.fields(e)}}}}, "", true) + "\n"
}

func (f jsonForm) hide(text []byte, shown []span) string { return hide(text, shown, false) }
