package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"brickmcp/catalog"

	"go.yaml.in/yaml/v4"
)

const (
	maxSize     = 1 << 20 // of a file, in bytes
	maxNodes    = 50_000  // of a file, those behind aliases counted each time
	maxProblems = 20      // that one error names
)

// reader reads YAML node by node, so that each problem has its line.
type reader struct {
	file     string
	problems []Problem
	nodes    int
}

// document is the one document of a file, or nil.
func (r *reader) document(text []byte) *yaml.Node {
	if len(text) > maxSize {
		r.problem(0, "", "the file has %d bytes; %d is the most", len(text), maxSize)
		return nil
	}
	var root, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	switch err := decoder.Decode(&root); {
	case errors.Is(err, io.EOF):
		r.problem(0, "", "the file is empty")
		return nil
	case err != nil:
		r.syntax(err, text)
		return nil
	}
	if err := decoder.Decode(&second); err == nil {
		r.problem(second.Line, "", "a second document begins here; write one")
		return nil
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err, text)
		return nil
	}
	if len(root.Content) != 1 {
		r.problem(root.Line, "", "the file is empty")
		return nil
	}
	return root.Content[0]
}

func (r *reader) syntax(err error, file []byte) {
	line := 0
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if at, rest, ok := strings.Cut(strings.TrimPrefix(text, "line "), ": "); ok && all(at, "0123456789") {
		if n, err := strconv.Atoi(at); err == nil {
			line, text = n, rest
		}
	}
	if _, after, ok := strings.Cut(text, "unknown anchor '"); ok { // said without its line
		anchor, _, _ := strings.Cut(after, "' referenced")
		if before, _, found := bytes.Cut(file, []byte("*"+anchor)); found {
			line = 1 + bytes.Count(before, []byte("\n"))
		}
	}
	if strings.Contains(text, "anchor") || strings.Contains(text, "alphabetic or numeric") {
		text += `; a pattern that begins with * or & needs quotes: "*prod*"`
	}
	r.problem(line, "", "it is no YAML: %s", text)
}

func (r *reader) problem(line int, key, format string, args ...any) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, Problem{Line: line, Key: key, Text: fmt.Sprintf(format, args...)})
	}
}

// err is an *Error when there are problems.
func (r *reader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return &Error{File: r.file, Problems: r.problems}
}

// follow is the node behind an alias. It counts: an alias costs its reader as
// much as what it stands for.
func (r *reader) follow(n *yaml.Node) *yaml.Node {
	if r.nodes++; r.nodes > maxNodes {
		if r.nodes == maxNodes+1 {
			r.problem(n.Line, "", "the file has more than %d values", maxNodes)
		}
		return &yaml.Node{Line: n.Line}
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// mapping calls each for the members of a mapping, which must be in keys, when
// there are any.
func (r *reader) mapping(n *yaml.Node, key string, keys []string, each func(name string, at, value *yaml.Node)) {
	n = r.follow(n)
	if n.Kind != yaml.MappingNode {
		r.problem(n.Line, key, "must be a mapping of names to values, not %s", kindOf(n))
		return
	}
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		at := r.follow(n.Content[i])
		name, path := at.Value, join(key, at.Value)
		switch {
		case at.Kind != yaml.ScalarNode || at.Tag != "!!str":
			r.problem(n.Content[i].Line, key, "has a key that is no text: %s", kindOf(at))
		case seen[name]:
			r.problem(at.Line, path, "is given twice")
		case len(keys) > 0 && !slices.Contains(keys, name):
			r.problem(at.Line, path, "is unknown%s; valid: %s", hint(name, keys), strings.Join(keys, ", "))
		default:
			each(name, at, n.Content[i+1])
		}
		seen[name] = true
	}
}

// sequence calls each for the items of a sequence.
func (r *reader) sequence(n *yaml.Node, key string, each func(key string, item *yaml.Node)) (ok bool) {
	n = r.follow(n)
	if n.Kind != yaml.SequenceNode {
		r.problem(n.Line, key, "must be a list, such as [a, b], not %s", kindOf(n))
		return false
	}
	for i, item := range n.Content {
		each(fmt.Sprintf("%s[%d]", key, i), item)
	}
	return true
}

// text is a text that is not empty. An integer is taken as it is written: ids
// need no quotes.
func (r *reader) text(n *yaml.Node, key string) (string, bool) {
	n = r.follow(n)
	integer := n.Tag == "!!int" && all(n.Value, "0123456789")
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag == "!!null":
		r.problem(n.Line, key, "must be text, not %s", kindOf(n))
	case n.Tag != "!!str" && !integer:
		r.problem(n.Line, key, "must be text: write it with quotes, %q", n.Value)
	case n.Value == "":
		r.problem(n.Line, key, "must not be empty")
	case len(n.Value) > 1024:
		r.problem(n.Line, key, "is longer than 1024 bytes")
	default:
		return n.Value, true
	}
	return "", false
}

// word is one of some words.
func (r *reader) word(n *yaml.Node, key string, valid ...string) (string, bool) {
	n = r.follow(n)
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && slices.Contains(valid, n.Value) {
		return n.Value, true
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		r.problem(n.Line, key, "must be one of %s, not %s", strings.Join(valid, ", "), kindOf(n))
	} else {
		r.problem(n.Line, key, "must be one of %s, not %q%s", strings.Join(valid, ", "), short(n.Value), hint(n.Value, valid))
	}
	return "", false
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	}
	return fmt.Sprintf("%q", short(n.Value))
}

func join(key, name string) string {
	if key == "" {
		return short(name)
	}
	return key + "." + short(name)
}

func hint(name string, valid []string) string {
	if near := catalog.Nearest(name, valid); near != "" {
		return " (did you mean " + near + "?)"
	}
	return ""
}
