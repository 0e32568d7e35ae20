package engine

import (
	"strings"
)

func (p *parser) expr() (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if p.isLambda() {
		return p.lambda()
	}
	return p.or()
}

func (p *parser) exprs() ([]expr, error) {
	var list []expr
	for {
		x, err := p.expr()
		if err != nil {
			return nil, err
		}
		list = append(list, x)
		if !p.acceptOp(",") {
			return list, nil
		}
	}
}

func (p *parser) or() (expr, error) {
	l, err := p.and()
	for err == nil && p.accept("OR") {
		var r expr
		r, err = p.and()
		l = &binaryExpr{"OR", l, r}
	}
	return l, err
}

func (p *parser) and() (expr, error) {
	l, err := p.not()
	for err == nil && p.accept("AND") {
		var r expr
		r, err = p.not()
		l = &binaryExpr{"AND", l, r}
	}
	return l, err
}

func (p *parser) not() (expr, error) {
	if p.accept("NOT") || p.acceptOp("!") {
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer p.leave()
		x, err := p.not()
		return &unaryExpr{"NOT", x}, err
	}
	return p.predicate()
}

var comparisons = map[string]string{"=": "=", "==": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "<=>": "<=>"}

func (p *parser) predicate() (expr, error) {
	l, err := p.binary(0)
	for err == nil {
		if op, ok := comparisons[p.tok().text]; ok && p.tok().kind == tokOp {
			p.advance()
			var r expr
			r, err = p.binary(0)
			l = &binaryExpr{op, l, r}
			continue
		}
		not := p.is("NOT") && (p.peek(1).kind == tokWord && strings.Contains(" IN BETWEEN LIKE ILIKE RLIKE REGEXP ", " "+p.peek(1).text+" "))
		if not {
			p.advance()
		}
		switch word := p.acceptOne("IN", "BETWEEN", "LIKE", "ILIKE", "RLIKE", "REGEXP", "IS"); word {
		case "IN":
			l, err = p.in(l, not)
		case "BETWEEN":
			b := &betweenExpr{x: l, not: not}
			if b.lo, err = p.binary(0); err == nil {
				if err = p.expect("AND"); err == nil {
					b.hi, err = p.binary(0)
				}
			}
			l = b
		case "LIKE", "ILIKE", "RLIKE", "REGEXP":
			if p.isOne("ANY", "ALL", "SOME") && p.peek(1).text == "(" {
				return nil, errUnsupported("%s %s", word, p.tok().text)
			}
			if word == "REGEXP" {
				word = "RLIKE"
			}
			n := &likeExpr{x: l, op: word, not: not}
			if n.pattern, err = p.binary(0); err == nil && p.accept("ESCAPE") {
				n.escape, err = p.binary(0)
			}
			l = n
		case "IS":
			l, err = p.isSomething(l)
		default:
			return l, nil
		}
	}
	return l, err
}

func (p *parser) in(l expr, not bool) (expr, error) {
	if err := p.expectOp("("); err != nil {
		return nil, err
	}
	n := &inExpr{x: l, not: not}
	var err error
	if p.isQuery() {
		n.query, err = p.query()
	} else {
		n.list, err = p.exprs()
	}
	if err != nil {
		return nil, err
	}
	return n, p.expectOp(")")
}

func (p *parser) isSomething(l expr) (expr, error) {
	not := p.accept("NOT")
	if what := p.acceptOne("NULL", "TRUE", "FALSE", "UNKNOWN"); what != "" {
		if what == "UNKNOWN" {
			what = "NULL"
		}
		return &isExprNode{x: l, what: what, not: not}, nil
	}
	if err := p.expect("DISTINCT", "FROM"); err != nil {
		return nil, err
	}
	r, err := p.binary(0)
	var x expr = &binaryExpr{"<=>", l, r}
	if !not {
		x = &unaryExpr{"NOT", x}
	}
	return x, err
}

// levels of binary operators, loosest first.
var levels = [][]string{{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-", "||"}, {"*", "/", "%", "DIV"}}

func (p *parser) binary(level int) (expr, error) {
	if level == len(levels) {
		return p.unary()
	}
	l, err := p.binary(level + 1)
	for err == nil {
		op := ""
		for _, o := range levels[level] {
			if t := p.tok(); t.text == o && (t.kind == tokOp || t.kind == tokWord) {
				op = o
			}
		}
		if op == "" {
			break
		}
		p.advance()
		var r expr
		r, err = p.binary(level + 1)
		l = &binaryExpr{op, l, r}
	}
	return l, err
}

func (p *parser) unary() (expr, error) {
	for _, op := range []string{"-", "+", "~"} {
		if !p.acceptOp(op) {
			continue
		}
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer p.leave()
		if op == "-" && p.tok().kind == tokNumber { // -9223372036854775808 is one literal
			x, err := p.numberLiteral(true)
			if err != nil {
				return nil, err
			}
			return p.postfix(x)
		}
		x, err := p.unary()
		if op == "+" {
			return x, err
		}
		return &unaryExpr{op, x}, err
	}
	x, err := p.primary()
	if err != nil {
		return nil, err
	}
	return p.postfix(x)
}

// postfix reads x::type, x[i], x.field and x:json.path.
func (p *parser) postfix(x expr) (expr, error) {
	for {
		switch {
		case p.acceptOp("::"):
			t, err := p.dataType()
			if err != nil {
				return nil, err
			}
			x = &castExpr{x: x, to: t}
		case p.acceptOp("["):
			i, err := p.expr()
			if err != nil {
				return nil, err
			}
			if err := p.expectOp("]"); err != nil {
				return nil, err
			}
			x = &indexExpr{x, i}
		case p.isOp("."):
			p.advance()
			name, err := p.name()
			if err != nil {
				return nil, err
			}
			x = &fieldExpr{x, name}
		case p.isOp(":") && (p.peek(1).kind == tokWord || p.peek(1).kind == tokQuoted || p.peek(1).text == "["):
			path, err := p.jsonPath()
			if err != nil {
				return nil, err
			}
			x = &jsonExpr{x, path}
		default:
			return x, nil
		}
	}
}

// jsonPath reads :a.b[0]['c'] into the form get_json_object takes.
func (p *parser) jsonPath() (string, error) {
	p.advance()
	path := "$"
	if !p.isOp("[") {
		name, err := p.name()
		if err != nil {
			return "", err
		}
		path += "." + name
	}
	for {
		switch {
		case p.acceptOp("."):
			name, err := p.name()
			if err != nil {
				return "", err
			}
			path += "." + name
		case p.acceptOp("["):
			t := p.advance()
			switch t.kind {
			case tokNumber:
				path += "[" + t.val + "]"
			case tokString:
				path += "." + t.val
			default:
				return "", p.unexpectedAt(t)
			}
			if err := p.expectOp("]"); err != nil {
				return "", err
			}
		default:
			return path, nil
		}
	}
}

func (p *parser) primary() (expr, error) {
	t := p.tok()
	switch t.kind {
	case tokNumber:
		return p.numberLiteral(false)
	case tokString:
		s, err := p.stringLiteral()
		return &literal{Scalar(String), s}, err
	case tokQuoted:
		return p.column()
	case tokOp:
		return p.operatorPrimary(t)
	case tokWord:
		if x, ok, err := p.keyword(t); ok || err != nil {
			return x, err
		}
		if p.peek(1).kind == tokOp && p.peek(1).text == "(" {
			return p.call(strings.ToLower(p.advance().val), t.pos)
		}
		if clauseWords[t.text] {
			return nil, p.unexpected()
		}
		return p.column()
	}
	return nil, p.unexpected()
}

func (p *parser) operatorPrimary(t *token) (expr, error) {
	switch t.text {
	case "(":
		p.advance()
		if p.isQuery() {
			q, err := p.query()
			if err != nil {
				return nil, err
			}
			return &subqueryEx{q}, p.expectOp(")")
		}
		x, err := p.expr()
		if err != nil {
			return nil, err
		}
		if p.isOp(",") {
			return nil, errUnsupported("a row value (a, b)")
		}
		return x, p.expectOp(")")
	case "*":
		p.advance()
		return p.star(nil)
	case "?":
		p.advance()
		p.markers++
		return &paramExpr{index: p.markers - 1, pos: t.pos}, nil
	case ":":
		p.advance()
		name, err := p.name()
		return &paramExpr{name: name, pos: t.pos}, err
	}
	return nil, p.unexpected()
}

// star reads what may follow *: EXCEPT (columns).
func (p *parser) star(qualifier []string) (expr, error) {
	s := &starExpr{qualifier: qualifier}
	if p.is("EXCEPT") && p.peek(1).text == "(" && !p.queryFollows(2) {
		p.advance()
		var err error
		if s.except, err = p.nameList(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// column reads a, t.a, s.t.a, c.s.t.a, t.*, and deeper struct fields.
func (p *parser) column() (expr, error) {
	n := &nameExpr{pos: p.tok().pos}
	for {
		part, err := p.name()
		if err != nil {
			return nil, err
		}
		n.parts = append(n.parts, part)
		if p.isOp(".") && p.peek(1).text == "*" && p.peek(1).kind == tokOp {
			p.advance()
			p.advance()
			return p.star(n.parts)
		}
		if p.isOp("(") && len(n.parts) > 1 {
			return p.call(strings.Join(n.parts, "."), n.pos)
		}
		if !p.acceptOp(".") {
			return n, nil
		}
	}
}

func (p *parser) isLambda() bool {
	if p.tok().kind == tokWord && p.peek(1).text == "->" {
		return true
	}
	if !p.isOp("(") || p.peek(1).kind != tokWord {
		return false
	}
	n := 1
	for p.peek(n).kind == tokWord && p.peek(n+1).text == "," {
		n += 2
	}
	return p.peek(n).kind == tokWord && p.peek(n+1).text == ")" && p.peek(n+2).text == "->"
}

func (p *parser) lambda() (expr, error) {
	l := &lambdaExpr{}
	if p.isOp("(") {
		names, err := p.nameList()
		if err != nil {
			return nil, err
		}
		l.params = names
	} else {
		l.params = []string{p.advance().val}
	}
	if err := p.expectOp("->"); err != nil {
		return nil, err
	}
	var err error
	l.body, err = p.expr()
	return l, err
}
