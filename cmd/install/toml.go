package install

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// tomlForm is Codex' config.toml, with a table for each server. It is edited as text,
// at the places that a parser finds, because no writer of TOML keeps comments.
type tomlForm struct{}

const tomlServers = "mcp_servers"

// tomlTable is our table, with the tables below it.
type tomlTable struct {
	blocks  []span // from the header's line to the last value's, that of the table itself first
	command *tomlValue
	args    *tomlValue
}

// tomlValue is one key = value of our table.
type tomlValue struct {
	line  int // offset of the key
	span  span
	items []string // one for a string
	ok    bool     // it is a string, or a list of strings
}

// read finds our table; nil: there is none.
func (tomlForm) read(text []byte) (*tomlTable, error) {
	var p unstable.Parser
	p.Reset(text)
	var table *tomlTable
	var in []string // the table that the reader is in
	inBlock := false
	for p.NextExpression() {
		node := p.Expression()
		key, start, end := tomlKey(node)
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			in, inBlock = key, ours(key)
			switch {
			case node.Kind == unstable.ArrayTable && (slices.Equal(key, []string{tomlServers}) || inBlock && len(key) == 2):
				return nil, problemf(start, "%s has to be a table, [%[1]s.NAME]", tomlServers)
			case inBlock && (table == nil) != (len(key) == 2):
				return nil, problemf(start, "the tables of %s.%s have to begin with [%[1]s.%[2]s], once", tomlServers, Name)
			case inBlock:
				if table == nil {
					table = &tomlTable{}
				}
				from := 1 + bytes.LastIndexByte(text[:start], '\n')
				table.blocks = append(table.blocks, span{from, lineAfter(text, end)})
			}
		case unstable.KeyValue:
			full := append(slices.Clip(in), key...)
			switch {
			case !inBlock && ours(full):
				return nil, problemf(start, "%q is not a table of its own, [%s.%s]: make it one, or take it out by hand", Name, tomlServers, Name)
			case slices.Equal(full, []string{tomlServers}):
				return nil, problemf(start, "%s is written in braces, where nothing can be put in: make it tables, [%[1]s.NAME]", tomlServers)
			case inBlock:
				last := &table.blocks[len(table.blocks)-1]
				last.end = lineAfter(text, int(node.Raw.Offset+node.Raw.Length))
				table.keep(text, node, key, len(in) == 2, span{start, end})
			}
		}
	}
	if err := p.Error(); err != nil {
		return nil, brokenTOML(&p, err)
	}
	if table != nil && (table.command == nil || !table.command.ok) {
		return nil, problemf(table.blocks[0].start, "the table [%s.%s] starts no command, so it is not from brickmcp install: take it out by hand, or rename it", tomlServers, Name)
	}
	return table, nil
}

// keep notes a value of the table itself that is ours to write.
func (t *tomlTable) keep(text []byte, node *unstable.Node, key []string, itself bool, where span) {
	if !itself || len(key) != 1 {
		return
	}
	end := int(node.Raw.Offset + node.Raw.Length)
	equals := where.end + bytes.IndexByte(text[where.end:end], '=') + 1
	from := equals + len(text[equals:end]) - len(bytes.TrimLeft(text[equals:end], " \t"))
	v := &tomlValue{line: where.start, span: span{from, end}}
	value := node.Value()
	switch key[0] {
	case "command":
		v.ok, v.items = value.Kind == unstable.String, []string{string(value.Data)}
		t.command = v
	case "args":
		v.ok = value.Kind == unstable.Array
		for items := value.Children(); v.ok && items.Next(); {
			item := items.Node()
			v.ok = item.Kind == unstable.String
			v.items = append(v.items, string(item.Data))
		}
		t.args = v
	}
}

// tomlKey is the key of a table or value, and where it stands.
func tomlKey(node *unstable.Node) (key []string, start, end int) {
	for parts := node.Key(); parts.Next(); {
		part := parts.Node()
		if key == nil {
			start = int(part.Raw.Offset)
		}
		key, end = append(key, string(part.Data)), int(part.Raw.Offset+part.Raw.Length)
	}
	return key, start, end
}

func ours(key []string) bool {
	return len(key) >= 2 && key[0] == tomlServers && key[1] == Name
}

// lineAfter is where the line after that of an offset begins.
func lineAfter(text []byte, offset int) int {
	if i := bytes.IndexByte(text[offset:], '\n'); i >= 0 {
		return offset + i + 1
	}
	return len(text)
}

// brokenTOML says where, but not all of why: the reason may quote the file.
func brokenTOML(p *unstable.Parser, err error) error {
	offset, why := 0, "not readable"
	if broken, ok := errors.AsType[*unstable.ParserError](err); ok {
		why = broken.Message
		if len(broken.Highlight) > 0 {
			offset = int(p.Range(broken.Highlight).Offset)
		}
	}
	return problemf(offset, "this is not TOML: %s", why)
}

func (f tomlForm) put(text []byte, e Entry) ([]edit, error) {
	t, err := f.read(text)
	if err != nil {
		return nil, err
	}
	nl := newline(text)
	if t == nil {
		block := strings.ReplaceAll(f.snippet(e), "\n", nl)
		switch {
		case len(text) == 0:
		case text[len(text)-1] == '\n':
			block = nl + block
		default: // take finds by the missing line break that there was none
			block = nl + nl + strings.TrimSuffix(block, nl)
		}
		return []edit{{len(text), len(text), block}}, nil
	}
	var edits []edit
	if command := t.command; command.items[0] != e.Command {
		edits = append(edits, edit{command.span.start, command.span.end, quote(e.Command)})
	}
	switch {
	case t.args == nil:
		at := t.command.line
		edits = append(edits, edit{at, at, "args = " + list(e.Args) + nl + indentation(text, at)})
	case !t.args.ok || !slices.Equal(t.args.items, e.Args):
		edits = append(edits, edit{t.args.span.start, t.args.span.end, list(e.Args)})
	}
	return ordered(edits), nil
}

// take does not ask for keep: a table needs no other one around it.
func (f tomlForm) take(text []byte, _ bool) ([]edit, error) {
	t, err := f.read(text)
	if err != nil || t == nil {
		return nil, err
	}
	var edits []edit
	for _, b := range t.blocks {
		lines := 1 // the empty one before, which put wrote
		if text[b.end-1] != '\n' {
			lines = 2
		}
		start := b.start - lineBreaks(text[:b.start], lines)
		if n := len(edits); n > 0 {
			start = max(start, edits[n-1].end)
		}
		edits = append(edits, edit{start, b.end, ""})
	}
	return edits, nil
}

// lineBreaks is the length of the line breaks that text ends with, as far as they may
// go: n of them, if one more is left or the text begins there.
func lineBreaks(text []byte, n int) int {
	rest := text
	for range n {
		shorter := bytes.TrimSuffix(bytes.TrimSuffix(rest, []byte("\n")), []byte("\r"))
		if len(shorter) > 0 && n == 1 && shorter[len(shorter)-1] != '\n' {
			break
		}
		rest = shorter
	}
	return len(text) - len(rest)
}

func (tomlForm) snippet(e Entry) string {
	return "[" + tomlServers + "." + Name + "]\ncommand = " + quote(e.Command) + "\nargs = " + list(e.Args) + "\n"
}

func (tomlForm) hide(text []byte, shown []span) string { return hide(text, shown, true) }
