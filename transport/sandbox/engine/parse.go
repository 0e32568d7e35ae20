package engine

import "strings"

// maxDepth bounds the nesting of expressions and queries, as the real parser's
// stack does; SQLite's own limit is 1000 levels.
const maxDepth = 150

// parser reads tokens of one statement by recursive descent.
type parser struct {
	src     string
	toks    []token
	i       int
	depth   int
	markers int // ? seen so far
}

func newParser(text string) (*parser, error) {
	toks, err := tokenize(text)
	return &parser{src: text, toks: toks}, err
}

// parse reads exactly one statement, with an optional semicolon at its end.
func parse(text string) (statement, error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	if p.tok().kind == tokEOF {
		return nil, newError("PARSE_EMPTY_STATEMENT", "42617", "Syntax error, unexpected empty statement.")
	}
	s, err := p.statement()
	if err != nil {
		return nil, err
	}
	return s, p.end()
}

// end expects nothing but semicolons.
func (p *parser) end() error {
	for p.acceptOp(";") {
		continue
	}
	if p.tok().kind != tokEOF {
		return p.unexpected()
	}
	return nil
}

func (p *parser) tok() *token { return &p.toks[p.i] }

func (p *parser) peek(n int) *token { return &p.toks[min(p.i+n, len(p.toks)-1)] }

func (p *parser) advance() *token {
	t := p.tok()
	if p.i < len(p.toks)-1 {
		p.i++
	}
	return t
}

func (p *parser) unexpected() error { return p.unexpectedAt(p.tok()) }

func (p *parser) unexpectedAt(t *token) error {
	line, pos := place(p.src, t.pos)
	return errSyntax(p.src[t.pos:t.end], line, pos)
}

// is tells whether the next tokens are these bare words.
func (p *parser) is(words ...string) bool {
	for n, w := range words {
		if t := p.peek(n); t.kind != tokWord || t.text != w {
			return false
		}
	}
	return true
}

// isOne tells whether the next token is one of these words.
func (p *parser) isOne(words ...string) bool {
	for _, w := range words {
		if p.is(w) {
			return true
		}
	}
	return false
}

// accept consumes the words if all of them come next.
func (p *parser) accept(words ...string) bool {
	if !p.is(words...) {
		return false
	}
	for range words {
		p.advance()
	}
	return true
}

// acceptOne consumes one of the words and returns it, or "".
func (p *parser) acceptOne(words ...string) string {
	for _, w := range words {
		if p.accept(w) {
			return w
		}
	}
	return ""
}

func (p *parser) expect(words ...string) error {
	for _, w := range words {
		if !p.accept(w) {
			return p.unexpected()
		}
	}
	return nil
}

func (p *parser) isOp(op string) bool {
	t := p.tok()
	return t.kind == tokOp && t.text == op
}

func (p *parser) acceptOp(op string) bool {
	if !p.isOp(op) {
		return false
	}
	p.advance()
	return true
}

func (p *parser) expectOp(op string) error {
	if !p.acceptOp(op) {
		return p.unexpected()
	}
	return nil
}

// enter guards recursion; each enter is paired with leave.
func (p *parser) enter() error {
	p.depth++
	if p.depth > maxDepth {
		line, pos := place(p.src, p.tok().pos)
		return newError("FAILED_TO_PARSE_TOO_COMPLEX", "54001", "The statement, including potential SQL functions and referenced views, was too complex to parse.").at(line, pos)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// name reads an identifier; keywords that are not reserved are identifiers too.
func (p *parser) name() (string, error) {
	t := p.tok()
	if t.kind == tokQuoted && t.val != "" || t.kind == tokWord {
		p.advance()
		return t.val, nil
	}
	return "", p.unexpected()
}

// qualified reads a.b.c of up to n parts.
func (p *parser) qualified(n int) ([]string, error) {
	var parts []string
	for {
		part, err := p.name()
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		if !p.isOp(".") {
			return parts, nil
		}
		if len(parts) == n {
			return nil, p.unexpected()
		}
		p.advance()
	}
}

// objectName reads a table or other object name, or IDENTIFIER(expr).
func (p *parser) objectName() (nameRef, error) {
	if p.is("IDENTIFIER") && p.peek(1).text == "(" {
		p.advance()
		p.advance()
		x, err := p.expr()
		if err != nil {
			return nameRef{}, err
		}
		return nameRef{ident: x}, p.expectOp(")")
	}
	parts, err := p.qualified(3)
	return nameRef{parts: parts}, err
}

// nameList reads (a, b, c).
func (p *parser) nameList() ([]string, error) {
	if err := p.expectOp("("); err != nil {
		return nil, err
	}
	var names []string
	for {
		n, err := p.name()
		if err != nil {
			return nil, err
		}
		names = append(names, n)
		if !p.acceptOp(",") {
			return names, p.expectOp(")")
		}
	}
}

// stringLiteral reads one string, adjacent ones being joined.
func (p *parser) stringLiteral() (string, error) {
	if p.tok().kind != tokString {
		return "", p.unexpected()
	}
	var b strings.Builder
	for p.tok().kind == tokString {
		b.WriteString(p.advance().val)
	}
	return b.String(), nil
}

// clauseWords end an item: they cannot be an alias without AS.
var clauseWords = map[string]bool{}

func init() {
	for _, w := range strings.Fields(`FROM WHERE GROUP HAVING QUALIFY WINDOW ORDER LIMIT OFFSET UNION INTERSECT EXCEPT MINUS
		JOIN INNER LEFT RIGHT FULL CROSS NATURAL ANTI SEMI ON USING LATERAL WHEN THEN ELSE END AS AND OR NOT IN IS BETWEEN LIKE
		ILIKE RLIKE REGEXP SET VALUES SELECT WITH CLUSTER DISTRIBUTE SORT TABLESAMPLE PIVOT UNPIVOT FOR MATCHED BY DIV INTO TBLPROPERTIES`) {
		clauseWords[w] = true
	}
}

// alias reads [AS] name, or nothing.
func (p *parser) alias() (string, error) {
	if p.accept("AS") {
		return p.name()
	}
	t := p.tok()
	if t.kind == tokQuoted || t.kind == tokWord && !clauseWords[t.text] {
		return p.name()
	}
	return "", nil
}
