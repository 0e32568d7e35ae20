package sandbox

import (
	"errors"
	"sort"
	"strings"
)

// tree is a hierarchy of named things: the files of a volume, DBFS, the
// workspace's folders. A node with children is a directory and may carry a
// value too. Not safe for concurrent use; its owner locks.
type tree[T any] struct{ root *node[T] }

type node[T any] struct {
	name     string
	parent   *node[T]
	children map[string]*node[T] // nil: not a directory
	value    T
}

// errNotDirectory: something that is no directory stands where one is needed.
var errNotDirectory = errors.New("not a directory")

func newTree[T any]() *tree[T] {
	return &tree[T]{root: &node[T]{children: map[string]*node[T]{}}}
}

// segments splits a slash path; empty segments vanish, as the workspace
// collapses repeated slashes.
func segments(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

func (n *node[T]) directory() bool { return n.children != nil }

// path is the node's path from the root, "/" for the root itself.
func (n *node[T]) path() string {
	if n.parent == nil {
		return "/"
	}
	if n.parent.parent == nil {
		return "/" + n.name
	}
	return n.parent.path() + "/" + n.name
}

// list returns the children in name order.
func (n *node[T]) list() []*node[T] {
	out := make([]*node[T], 0, len(n.children))
	for _, c := range n.children {
		out = append(out, c)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

// walk visits every node below n, parents first.
func (n *node[T]) walk(visit func(*node[T])) {
	for _, c := range n.list() {
		visit(c)
		c.walk(visit)
	}
}

// lookup returns the node at path, or nil.
func (t *tree[T]) lookup(path string) *node[T] {
	n := t.root
	for _, s := range segments(path) {
		if n = n.children[s]; n == nil {
			return nil
		}
	}
	return n
}

// mkdirs makes the directory at path and what is missing above it; made is
// called for each new one.
func (t *tree[T]) mkdirs(path string, made func(*node[T])) (*node[T], error) {
	n := t.root
	for _, s := range segments(path) {
		c := n.children[s]
		switch {
		case c == nil:
			c = &node[T]{name: s, parent: n, children: map[string]*node[T]{}}
			n.children[s] = c
			if made != nil {
				made(c)
			}
		case !c.directory():
			return nil, errNotDirectory
		}
		n = c
	}
	return n, nil
}

// put sets the value of the leaf name below dir, making it when it is missing.
func (n *node[T]) put(name string, v T) *node[T] {
	c := n.children[name]
	if c == nil {
		c = &node[T]{name: name, parent: n}
		n.children[name] = c
	}
	c.value = v
	return c
}

// remove takes the node and everything below it out of the tree.
func (n *node[T]) remove() {
	if n.parent != nil {
		delete(n.parent.children, n.name)
	}
}

// dirBase splits a path into its directory and last segment.
func dirBase(path string) (dir, base string) {
	s := segments(path)
	if len(s) == 0 {
		return "/", ""
	}
	return "/" + strings.Join(s[:len(s)-1], "/"), s[len(s)-1]
}
