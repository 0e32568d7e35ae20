package policy

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"brickmcp/catalog"

	"go.yaml.in/yaml/v4"
)

// Error is everything that is wrong with a policy file.
type Error struct {
	File     string
	Problems []Problem
}

// Problem is one thing that is wrong with a policy file.
type Problem struct {
	Line int    // from 1; 0 when no line is to blame
	Key  string // dotted, such as groups.jobs; empty for the whole file
	Text string
}

func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(e.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
		if p.Key != "" {
			b.WriteString(p.Key + " ")
		}
		b.WriteString(p.Text)
	}
	return b.String()
}

// Load reads and checks a policy file. Its error is an *Error. Prefixes are those of
// tools that are known only when other MCP servers have been asked: such a tool may
// be named although nobody knows it yet, and all of a prefix as PREFIX_*.
func Load(path string, prefixes ...string) (*Policy, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(filepath.Base(path), text, prefixes...)
}

// readFile reads no more than a file may have.
func readFile(path string) ([]byte, error) {
	failed := func(err error) error {
		where := path // whole: a relative one may be meant to start elsewhere
		if abs, err := filepath.Abs(path); err == nil {
			where = abs
		}
		var inPath *fs.PathError
		if errors.As(err, &inPath) {
			err = inPath.Err
		}
		return &Error{File: where, Problems: []Problem{{Text: "it cannot be read: " + err.Error()}}}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, failed(err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return nil, failed(err)
	}
	return text, nil
}

// The keys of the file and of its sections; docs/policy.schema.json has the same.
var (
	sectionKeys = []string{"default", "groups", "tools", "scopes", "protected", "confirm"}
	fileKeys    = append([]string{"mode", "sections"}, sectionKeys...)
	whoKeys     = []string{"user", "group", "client"}
)

// Parse checks the text of a policy file, as Load does.
func Parse(name string, text []byte, prefixes ...string) (*Policy, error) {
	f := fileReader{reader: reader{file: name}, prefixes: prefixes}
	if root := f.document(text); root != nil {
		f.read(root)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	p := f.policy
	slices.SortStableFunc(p.sections, func(a, b section) int { return cmp.Compare(b.weight, a.weight) })
	return &p, nil
}

// fileReader reads a policy file.
type fileReader struct {
	reader
	policy   Policy
	prefixes []string // of tools that other servers have
}

// known reports a tool that there is, or may be.
func (f *fileReader) known(tool string) bool {
	if catalog.Find(tool) != nil {
		return true
	}
	return slices.ContainsFunc(f.prefixes, func(prefix string) bool {
		rest, ok := strings.CutPrefix(tool, prefix+"_")
		return ok && (rest == "*" || rest != "" && !strings.Contains(rest, "*"))
	})
}

func (f *fileReader) read(root *yaml.Node) {
	f.policy.file = f.file
	if root.Kind == yaml.MappingNode && len(root.Content) == 0 {
		f.problem(root.Line, "", "says nothing; give one of %s", strings.Join(fileKeys, ", "))
	}
	var base section
	f.mapping(root, "", fileKeys, func(name string, at, value *yaml.Node) {
		switch name {
		case "mode":
			word, _ := f.word(value, name, "enforce", "shadow")
			f.policy.shadow = word == "shadow"
		case "sections":
			f.sequence(value, name, func(key string, item *yaml.Node) {
				f.policy.sections = append(f.policy.sections, f.section(item, key))
			})
		default:
			f.entry(&base, "", name, at, value)
		}
	})
	f.policy.sections = append(f.policy.sections, base)
}

// section reads whom a section is about first: its weight goes into every rule.
func (f *fileReader) section(n *yaml.Node, key string) section {
	var s section
	var about []string
	keys := append(slices.Clone(whoKeys), sectionKeys...)
	says := false
	f.mapping(n, key, keys, func(name string, _, value *yaml.Node) {
		if !slices.Contains(whoKeys, name) {
			says = true
			return
		}
		who, ok := f.text(value, join(key, name))
		if !ok {
			return
		}
		about = append(about, name+" "+who)
		who = strings.ToLower(who)
		switch name {
		case "user":
			s.user = who
			s.weight += byUser
		case "group":
			s.group = who
			s.weight += byGroup
		case "client":
			s.client = who
			s.weight += byClient
		}
	})
	f.policy.byIdentity = f.policy.byIdentity || s.weight >= byGroup
	if len(f.problems) > 0 {
		return s // the second pass would say it again
	}
	if s.weight == 0 {
		f.problem(n.Line, key, "must say whom it is about: user, group or client")
	}
	if !says {
		f.problem(n.Line, key, "says nothing; give one of %s", strings.Join(sectionKeys, ", "))
	}
	s.label = "section " + strings.Join(about, ", ") + ": "
	f.mapping(n, key, keys, func(name string, at, value *yaml.Node) {
		if !slices.Contains(whoKeys, name) {
			f.entry(&s, key, name, at, value)
		}
	})
	return s
}

// entry reads one key that the file and its sections share.
func (f *fileReader) entry(s *section, parent, name string, at, value *yaml.Node) {
	key := join(parent, name)
	switch name {
	case "default":
		if l, ok := f.level(s, value, key, "default", at.Line); ok {
			s.fallback = &l
		}
	case "groups":
		s.groups = map[string]level{}
		f.mapping(value, key, groupIDs(), func(group string, at, value *yaml.Node) {
			if l, ok := f.level(s, value, join(key, group), "groups."+group, at.Line); ok {
				l.byName = true
				s.groups[group] = l
			}
		})
	case "tools":
		s.tools = map[string]word{}
		f.mapping(value, key, nil, func(tool string, at, value *yaml.Node) {
			if !f.known(tool) {
				f.problem(at.Line, join(key, tool), "is no tool%s; brickmcp tools lists them", hint(tool, toolNames()))
				return
			}
			if action, ok := f.word(value, join(key, tool), string(Allow), string(Confirm), string(Deny)); ok {
				s.tools[tool] = word{action: Action(action), rule: s.label + "tools." + tool + ": " + action, line: at.Line, weight: s.weight}
			}
		})
	case "scopes":
		s.lists = map[catalog.Scope]*list{}
		f.mapping(value, key, scopeWords(), func(scope string, at, value *yaml.Node) {
			s.lists[catalog.Scope(scope)] = f.list(s, catalog.Scope(scope), join(key, scope), at.Line, value)
		})
	case "protected":
		f.sequence(value, key, func(key string, item *yaml.Node) {
			if text, ok := f.text(item, key); ok {
				s.protected = append(s.protected, protection{pattern: strings.ToLower(text), rule: s.label + "protected: " + text, line: item.Line})
			}
		})
	case "confirm":
		word, ok := f.word(value, key, "none", "destructive", "writes")
		if ok && word != "none" {
			s.confirm = &preset{writes: word == "writes", rule: s.label + "confirm: " + word, line: at.Line, weight: s.weight}
		}
	}
}

func (f *fileReader) level(s *section, n *yaml.Node, key, rule string, line int) (level, bool) {
	word, ok := f.word(n, key, catalog.Levels()...)
	l, _ := catalog.ParseLevel(word)
	return level{Level: l, rule: s.label + rule + ": " + word, line: line, weight: s.weight}, ok
}

func (f *fileReader) list(s *section, scope catalog.Scope, key string, line int, n *yaml.Node) *list {
	l := &list{scope: scope, rule: s.label + "scopes." + string(scope), line: line, weight: s.weight}
	f.sequence(n, key, func(key string, item *yaml.Node) {
		text, ok := f.text(item, key)
		if !ok {
			return
		}
		if text == "*" {
			l.any = true
		}
		p, problem := parsePattern(scope, text)
		if problem != "" && text != "*" {
			f.problem(item.Line, key, "%s", problem)
			return
		}
		l.patterns = append(l.patterns, p)
	})
	return l
}

func groupIDs() []string {
	var ids []string
	for _, g := range catalog.Groups() {
		ids = append(ids, g.ID)
	}
	return ids
}

func scopeWords() []string {
	var words []string
	for _, s := range catalog.Scopes() {
		words = append(words, string(s))
	}
	return words
}

func toolNames() []string {
	var names []string
	for _, row := range catalog.All() {
		names = append(names, row.Name)
	}
	return names
}
