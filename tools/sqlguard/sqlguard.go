// Package sqlguard decides whether one text of Databricks SQL provably only
// reads.
//
// It is an allow-list: a tokenizer and a recursive-descent check that know the
// statements which read, and refuse what they do not know. It is a barrier and
// not the only one: the rights of the token that runs the statement come on top.
package sqlguard

import (
	"fmt"
	"strings"
)

// Options widen what counts as a read.
type Options struct {
	// Function reports whether a user-defined function may be called.
	// Without it, none may.
	Function func(name Name) bool
	// Path reports whether a file may be read. Without it, those below
	// /Volumes/ may.
	Path func(path string) bool
}

// Query is what an accepted statement reads.
type Query struct {
	Kind       string   // SELECT, VALUES, TABLE, SHOW, DESCRIBE or EXPLAIN
	About      string   // the word behind SHOW or DESCRIBE, in upper case: TABLES, SCHEMA; empty where none stands there
	Tables     []Name   // tables and views, as qualified as written; no CTE names, no aliases, no duplicates
	Containers []Name   // catalogs and schemas named by SHOW … IN and DESCRIBE
	Functions  []Name   // user-defined functions called
	Paths      []string // files read: read_files('/Volumes/…'), csv.`/Volumes/…`
	Parameters []string // names of :markers
	Opaque     bool     // an object is named by an expression, such as IDENTIFIER(:t): which one is not known
}

// Refusal says which token stands in the way of a statement.
type Refusal struct {
	Token        string // as written, cut to 64 bytes
	Line, Column int    // from 1, in characters
	Reason       string // why: "INSERT changes data"
	Instead      string // what to use: "Use sql_execute_statement."
}

func (r *Refusal) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (line %d, column %d", r.Reason, r.Line, r.Column)
	if r.Token != "" {
		fmt.Fprintf(&b, ", at %q", r.Token)
	}
	b.WriteString(").")
	if r.Instead != "" {
		b.WriteString(" " + r.Instead)
	}
	return b.String()
}

// Read returns what a statement reads, or a *Refusal when it is not provably a
// read.
func Read(text string, o Options) (q *Query, err error) {
	if len(text) > maxText {
		return nil, &Refusal{Line: 1, Column: 1, Reason: "the statement is longer than 256 KiB", Instead: useWrite}
	}
	defer caught(&err)
	p := &parser{Options: o, src: text, toks: tokenize(text)}
	p.statement()
	p.q.Tables = distinct(p.q.Tables)
	p.q.Containers = distinct(p.q.Containers)
	p.q.Functions = distinct(p.q.Functions)
	p.q.Paths = distinctStrings(p.q.Paths)
	p.q.Parameters = distinctStrings(p.q.Parameters)
	return &p.q, nil
}

// distinct drops names that came before, in whatever case.
func distinct(names []Name) []Name {
	if len(names) < 2 {
		return names
	}
	seen := make(map[string]bool, len(names))
	out := names[:0]
	for _, n := range names {
		if key := strings.ToLower(n.String()); !seen[key] {
			seen[key] = true
			out = append(out, n)
		}
	}
	return out
}

func distinctStrings(list []string) []string {
	if len(list) < 2 {
		return list
	}
	seen := make(map[string]bool, len(list))
	out := list[:0]
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
