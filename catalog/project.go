package catalog

import (
	"reflect"
	"strings"

	"github.com/tidwall/gjson"
)

// node says what is kept of a JSON value: the declared fields of an object, or,
// without fields, the whole value.
type node struct {
	fields map[string]*node
	items  *node // of an array
	id     bool  // an integer here becomes a string, whatever its name
}

// keepAll is the node of an open value.
var keepAll = &node{}

func (r *Row) projection() *node {
	s := r.shape
	s.nodeOnce.Do(func() { s.node = nodeOf(r.resp) })
	return s.node
}

func nodeOf(t reflect.Type) *node {
	switch t {
	case reflect.TypeFor[ID]():
		return &node{id: true}
	case reflect.TypeFor[Raw](), reflect.TypeFor[Object]():
		return keepAll
	}
	switch t.Kind() {
	case reflect.Pointer:
		return nodeOf(t.Elem())
	case reflect.Slice:
		return &node{items: nodeOf(t.Elem())}
	case reflect.Struct:
		n := &node{fields: map[string]*node{}}
		for field := range t.Fields() {
			if field.Anonymous {
				for name, child := range nodeOf(field.Type).fields {
					n.fields[name] = child
				}
				continue
			}
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			n.fields[name] = nodeOf(field.Type)
		}
		return n
	}
	return keepAll
}

// with returns a copy of n that also keeps the field at a dotted path. Arrays on
// the way are passed through: settings.tasks.task_key works.
func (n *node) with(path string) *node {
	if n == keepAll || n.id {
		return n
	}
	if n.items != nil {
		return &node{items: n.items.with(path)}
	}
	name, rest, deeper := strings.Cut(path, ".")
	wider := &node{fields: make(map[string]*node, len(n.fields)+1)}
	for key, child := range n.fields {
		wider.fields[key] = child
	}
	switch child := wider.fields[name]; {
	case !deeper:
		wider.fields[name] = keepAll
	case child == nil:
		wider.fields[name] = (&node{fields: map[string]*node{}}).with(rest)
	default:
		wider.fields[name] = child.with(rest)
	}
	return wider
}

// append appends the kept part of the value of a member called key, compact. A null where an object or
// array is declared stays null.
func (n *node) append(dst []byte, key string, v gjson.Result) []byte {
	switch {
	case n.id && v.Type == gjson.Number:
		return appendNumber(dst, v.Raw, true)
	case n.fields != nil && v.IsObject():
		dst = append(dst, '{')
		first := true
		v.ForEach(func(key, value gjson.Result) bool {
			child := n.fields[key.Str]
			if child == nil {
				return true
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(append(dst, key.Raw...), ':')
			dst = child.append(dst, key.Str, value)
			return true
		})
		return append(dst, '}')
	case v.IsArray() && (n.items != nil || n.fields != nil):
		item := n.items
		if item == nil { // fields asked for through an array that is not declared
			item = n
		}
		dst = append(dst, '[')
		first := true
		v.ForEach(func(_, value gjson.Result) bool {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = item.append(dst, key, value)
			return true
		})
		return append(dst, ']')
	}
	return appendClean(dst, key, v.Raw)
}

// Projection is what a call keeps of its answer.
type Projection struct {
	root  *node
	items *node // of the list's array; nil for a single object
}

// Projection of the call: the declared fields, and those that the caller asked
// for by name.
func (c *Call) Projection() Projection {
	root := c.Row.projection()
	p := Projection{root: root}
	if c.Row.list() {
		p.items = root.fields[c.Row.Items]
		if p.items != nil && p.items.items != nil {
			p.items = p.items.items
		}
		for _, path := range c.Fields {
			p.items = p.items.with(path)
		}
	}
	return p
}

// Append appends the kept part of a whole answer, which must be valid JSON.
func (p Projection) Append(dst []byte, answer string) []byte {
	return p.root.append(dst, "", gjson.Parse(answer))
}

// AppendItem appends the kept part of one item of the list.
func (p Projection) AppendItem(dst []byte, item gjson.Result) []byte {
	return p.items.append(dst, "", item)
}

// AppendField appends the kept part of one member of the answer; it reports
// false, and appends nothing, for a member that is not kept.
func (p Projection) AppendField(dst []byte, name string, value gjson.Result) ([]byte, bool) {
	child := p.root.fields[name]
	if child == nil {
		return dst, false
	}
	return child.append(dst, name, value), true
}
