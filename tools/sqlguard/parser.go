package sqlguard

import (
	"slices"
	"strings"
)

// Limits of what is read. The engine takes more; a read that needs it is odd.
const (
	maxText  = 256 << 10 // bytes
	maxDepth = 400       // brackets, expressions, queries and CASEs within each other
	maxCTEs  = 500       // in scope at once
)

// parser reads one statement. It knows the shape of queries exactly and the
// precedence of operators not at all: that has no part in what is read.
type parser struct {
	Options
	src   string
	toks  []token
	i     int
	depth int
	ctes  []string // in scope, in lower case
	q     Query
}

func (p *parser) peek() *token { return &p.toks[p.i] }

// ahead is the token n places on.
func (p *parser) ahead(n int) *token { return &p.toks[min(p.i+n, len(p.toks)-1)] }

//go:noinline
func (p *parser) advance() *token {
	t := &p.toks[p.i]
	if t.kind != end {
		p.i++
	}
	return t
}

// at reports whether the next tokens are these keywords or symbols. It and its
// kin are called from hundreds of places: inlined, they double the code.
//
//go:noinline
func (p *parser) at(words ...string) bool {
	for n, w := range words {
		if p.ahead(n).word != w {
			return false
		}
	}
	return true
}

// atAny reports whether the next token is one of these.
//
//go:noinline
func (p *parser) atAny(words ...string) bool {
	w := p.peek().word
	return w != "" && slices.Contains(words, w)
}

// eat takes the next tokens if they are these.
//
//go:noinline
func (p *parser) eat(words ...string) bool {
	if !p.at(words...) {
		return false
	}
	p.i += len(words)
	return true
}

// eatAny takes the next token if it is one of these.
//
//go:noinline
func (p *parser) eatAny(words ...string) bool {
	if !p.atAny(words...) {
		return false
	}
	p.i++
	return true
}

func (p *parser) expect(words ...string) {
	for _, w := range words {
		if !p.eat(w) {
			p.unexpected(w + " was expected")
		}
	}
}

// enter and leave bound the recursion.
func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.refuse(p.peek(), "the statement is nested too deeply", "Split it with WITH, or use sql_execute_statement.")
	}
}

func (p *parser) leave() { p.depth-- }

// parens reads ( body ).
func (p *parser) parens(body func()) {
	p.expect("(")
	p.enter()
	body()
	p.leave()
	p.expect(")")
}

// list reads item, item, …
func (p *parser) list(item func()) {
	for item(); p.eat(","); item() {
	}
}

// ident reads one name. A reserved word is none without backticks.
func (p *parser) ident() string {
	t := p.peek()
	if t.kind != quoted && (t.kind != word || reserved(t.word)) {
		p.unexpected("a name was expected")
	}
	if p.at("IDENTIFIER", "(") {
		p.refuse(t, "a name is given by an expression", "Write the name.")
	}
	p.advance()
	return namePart(p.src, *t)
}

// field reads the name behind a dot or a colon, which may be any word.
func (p *parser) field() string {
	t := p.peek()
	if t.kind != quoted && t.kind != word {
		p.unexpected("a name was expected")
	}
	p.advance()
	return namePart(p.src, *t)
}

// name reads a.b.c.
func (p *parser) name() Name {
	n := Name{p.ident()}
	for p.at(".") && (p.ahead(1).kind == word || p.ahead(1).kind == quoted) {
		p.advance()
		n = append(n, p.field())
	}
	return n
}

// atName reports whether the next token can be a name without AS before it.
func (p *parser) atName() bool { return isName(p.peek()) }

func isName(t *token) bool {
	return t.kind == quoted || t.kind == word && t.word != "AS" && !reserved(t.word) && !clause(t.word)
}

func (p *parser) atString() bool {
	k := p.peek().kind
	return k == text || k == doubleQuoted
}

// strings reads 'a' or 'a' 'b'. It returns the value if that is beyond doubt.
func (p *parser) strings() (value string, plain bool) {
	if !p.atString() {
		p.unexpected("a 'string' was expected")
	}
	t := p.advance()
	value = inside(p.src, *t)
	plain = t.raw || strings.IndexByte(value, '\\') < 0
	for p.atString() {
		p.advance()
		plain = false
	}
	return value, plain
}

//go:noinline
func (p *parser) refuse(t *token, reason, instead string) {
	panic(refusalAt(p.src, int(t.pos), int(t.end), reason, instead))
}

// opens reports whether a statement could begin at the next token.
func (p *parser) opens() bool {
	if p.i == 0 {
		return true
	}
	switch p.toks[p.i-1].word {
	case "(", ")", "|>", "EXPLAIN", "EXTENDED", "FORMATTED", "CODEGEN", "COST", "LOGICAL", "QUERY":
		return true
	}
	return false
}

// unexpected refuses the next token: for what it would do, if that is known.
func (p *parser) unexpected(why string) {
	t := p.peek()
	reason := ""
	if t.kind == word && (reserved(t.word) || p.opens()) {
		reason = effect(t.word)
	}
	switch {
	case t.kind == end:
		p.refuse(t, "the statement ends too early: "+why, "Complete it.")
	case t.word == ";":
		p.refuse(t, "the text holds more than one statement", "Send one statement at a time.")
	case reason != "":
		p.refuse(t, reason, useWrite)
	case p.at("FOR", "UPDATE"), p.at("FOR", "SHARE"):
		p.refuse(t, "FOR "+p.ahead(1).word+" locks rows", "Leave it out.")
	case t.word == "USING" && p.ahead(1).word != "(":
		p.refuse(t, "TRANSFORM, MAP and REDUCE … USING run a program", useWrite)
	case t.kind == doubleQuoted:
		p.refuse(t, "\"…\" is a string or a name, as the warehouse is set", "Use `backticks` for names.")
	case t.kind == word && (reserved(t.word) || clause(t.word)):
		p.refuse(t, t.word+" is not understood here: "+why, "Put it in `backticks` if it is a name.")
	default:
		p.refuse(t, "this is not understood here: "+why, "Write it in plainer SQL, or use sql_execute_statement.")
	}
}
