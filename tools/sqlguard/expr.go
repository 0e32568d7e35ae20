package sqlguard

// expr reads one expression: operands with operators between them.
func (p *parser) expr() {
	p.enter()
	p.operand()
	for p.operator() {
		p.operand()
	}
	p.leave()
}

// operator takes an operator that a further operand follows.
func (p *parser) operator() bool {
	for p.eat("IS") { // x IS NOT NULL IS TRUE
		p.eat("NOT")
		switch {
		case p.eat("DISTINCT", "FROM"):
			return true
		case !p.eatAny("NULL", "TRUE", "FALSE", "UNKNOWN"):
			p.unexpected("NULL, TRUE, FALSE or DISTINCT FROM was expected")
		}
	}
	switch t := p.peek(); t.word {
	case "=", "==", "<>", "!=", "<", "<=", "!>", ">=", "!<", "<=>", "<<",
		"+", "-", "*", "/", "%", "&", "|", "^", "||", "AND", "OR", "DIV", "->", "RLIKE", "REGEXP", "ESCAPE", "BETWEEN", "IN":
		p.advance()
	case ">": // also >> and >>>
		for p.eat(">") {
		}
	case "LIKE", "ILIKE":
		p.advance()
		p.quantifier()
	case "NOT", "!":
		p.advance()
		switch {
		case p.eatAny("IN", "BETWEEN", "RLIKE", "REGEXP"):
		case p.eatAny("LIKE", "ILIKE"):
			p.quantifier()
		default:
			p.unexpected("IN, BETWEEN or LIKE was expected")
		}
	default:
		return false
	}
	return true
}

// quantifier takes the ANY in LIKE ANY ('a', 'b').
func (p *parser) quantifier() {
	if (p.atAny("ANY", "SOME", "ALL")) && p.ahead(1).word == "(" {
		p.advance()
	}
}

// operand reads one value with the signs before it and what is taken from it.
func (p *parser) operand() {
	for p.eatAny("-", "+", "~", "!", "NOT") {
	}
	p.primary()
	for p.postfix() {
	}
}

// postfix takes .field, [index], ::type, :json.path or COLLATE.
func (p *parser) postfix() bool {
	switch {
	case p.eat("."):
		if !p.eat("*") {
			p.field()
		} else {
			p.exceptColumns()
		}
	case p.eat(":"):
		if p.at("[") {
			p.index()
		} else {
			p.field()
		}
	case p.at("["):
		p.index()
	case p.eatAny("::", "?::"):
		p.dataType()
		return true // int and a bracket behind it are no call
	case p.eat("COLLATE"):
		p.name()
	default:
		return false
	}
	p.noCall()
	return true
}

// noCall refuses (…) behind what is no name of a function.
func (p *parser) noCall() {
	if p.at("(") {
		p.refuse(p.peek(), "what is called here has no plain name", "Call functions by their name.")
	}
}

func (p *parser) index() {
	p.expect("[")
	p.enter()
	if !p.eat("*") {
		p.expr()
	}
	p.leave()
	p.expect("]")
}

// primary reads the value itself.
func (p *parser) primary() {
	switch t := p.peek(); t.kind {
	case number:
		p.advance()
		p.noCall()
	case text, doubleQuoted:
		p.strings()
		if p.at(".") {
			p.unexpected("a string has no fields") // a name, to ANSI mode
		}
		p.noCall()
	case symbol:
		p.primarySymbol(t)
	case quoted:
		p.nameOrCall()
	case word:
		p.primaryWord(t)
	default:
		p.unexpected("a value was expected")
	}
}

func (p *parser) primarySymbol(t *token) {
	switch t.word {
	case "(":
		p.parens(p.bracketed)
		p.noCall()
	case "*":
		p.advance()
		p.exceptColumns()
	case ":":
		p.advance()
		if p.peek().kind != word {
			p.unexpected("the name of a parameter was expected")
		}
		p.q.Parameters = append(p.q.Parameters, p.field())
		p.noCall()
	default:
		p.unexpected("a value was expected")
	}
}

// exceptColumns reads the EXCEPT (a, b) of * EXCEPT (a, b).
func (p *parser) exceptColumns() {
	if !p.at("EXCEPT", "(") || p.ahead(2).word == "(" || p.ahead(2).word == "SELECT" {
		return
	}
	p.advance()
	p.parens(func() { p.list(func() { p.name() }) })
}

// bracketed reads what stands in ( ): a query, an expression or a tuple.
func (p *parser) bracketed() {
	if p.atBareQuery() {
		p.query()
		return
	}
	p.list(p.item)
	// ((SELECT 1) UNION (SELECT 2)): the first operand was a query.
	if p.atAny("UNION", "INTERSECT", "EXCEPT", "MINUS", "ORDER", "LIMIT", "|>") {
		p.tail()
	}
}

// atBareQuery reports whether a query begins here. VALUES alone is a column.
func (p *parser) atBareQuery() bool {
	switch p.peek().word {
	case "SELECT", "WITH", "FROM", "TABLE":
		return true
	case "VALUES":
		next := p.ahead(1)
		return next.kind != symbol && next.kind != end || next.word == "(" || next.word == "-" || next.word == ":"
	}
	return false
}

func (p *parser) primaryWord(t *token) {
	next := p.ahead(1)
	switch t.word {
	case "CASE":
		p.caseWhen()
		return
	case "INTERVAL":
		if p.interval() {
			return
		}
	case "EXISTS":
		if next.word == "(" {
			p.advance()
			p.parens(func() {
				if p.atQuery() {
					p.query()
				} else {
					p.arguments() // the function exists(array, x -> …)
				}
			})
			p.noCall()
			return
		}
	case "DATE", "TIMESTAMP", "TIMESTAMP_LTZ", "TIMESTAMP_NTZ", "TIME", "X":
		if next.kind == text || next.kind == doubleQuoted {
			p.advance()
			p.strings()
			p.noCall()
			return
		}
	case "LEFT", "RIGHT", "LIKE", "ILIKE", "RLIKE", "REGEXP":
		if next.word == "(" {
			p.advance()
			p.call(Name{t.word}, t)
			return
		}
		if side := t.word == "LEFT" || t.word == "RIGHT"; side && lambdaName(next) {
			p.advance()
			return
		}
	case "IDENTIFIER":
		if next.word == "(" {
			p.advance()
			p.parens(func() { p.expr() })
			p.noCall()
			return
		}
	}
	if next.kind == text || next.kind == doubleQuoted {
		p.advance()
		p.unexpected("a string cannot follow " + t.word)
	}
	p.nameOrCall()
}

// lambdaName reports whether left or right is a name before this token, as in
// (left, right) -> left < right, the usual argument of array_sort. No join has
// one of these behind it.
func lambdaName(next *token) bool {
	switch next.word {
	case ",", ")", "<", ">", "=", "-", "+", "->", ".", "IS", "<=", ">=", "THEN":
		return true
	}
	return false
}

// nameOrCall reads a column, or a call of the function with the name.
func (p *parser) nameOrCall() {
	start := p.peek()
	if n := p.name(); p.at("(") {
		p.call(n, start)
	}
}

func (p *parser) caseWhen() {
	p.expect("CASE")
	p.enter()
	if !p.at("WHEN") {
		p.expr()
	}
	for once := true; once || p.at("WHEN"); once = false {
		p.expect("WHEN")
		p.expr()
		p.expect("THEN")
		p.expr()
	}
	if p.eat("ELSE") {
		p.expr()
	}
	p.leave()
	p.expect("END")
	p.noCall()
}

// interval reads INTERVAL '1-2' YEAR TO MONTH or INTERVAL 1 DAY 2 HOURS, and
// reports whether there is one: interval may be a column.
func (p *parser) interval() bool {
	n := 1
	if w := p.ahead(n).word; w == "-" || w == "+" {
		n++
	}
	if t := p.ahead(n); t.kind != number && t.kind != text && t.kind != doubleQuoted && t.word != ":" {
		return false
	}
	switch t := p.ahead(n); { // not interval * 2 or interval:field
	case t.kind == number && !isUnit(p.ahead(n+1).word), t.word == ":" && !isUnit(p.ahead(n+2).word):
		return false
	}
	p.advance()
	for {
		p.eatAny("-", "+")
		if p.at(":") {
			p.primary()
		} else {
			p.advance()
		}
		if !isUnit(p.peek().word) {
			return true
		}
		p.advance()
		if p.eat("TO") {
			if !isUnit(p.peek().word) {
				p.unexpected("a unit was expected")
			}
			p.advance()
			return true
		}
		if t := p.peek(); t.kind != number && t.kind != text || !isUnit(p.ahead(1).word) {
			return true
		}
	}
}

//go:noinline
func isUnit(w string) bool {
	switch w {
	case "YEAR", "YEARS", "QUARTER", "QUARTERS", "MONTH", "MONTHS", "WEEK", "WEEKS", "DAY", "DAYS", "HOUR", "HOURS",
		"MINUTE", "MINUTES", "SECOND", "SECONDS", "MILLISECOND", "MILLISECONDS", "MICROSECOND", "MICROSECONDS",
		"NANOSECOND", "NANOSECONDS":
		return true
	}
	return false
}

// dataType reads INT, DECIMAL(10, 2), ARRAY<…>, MAP<…>, STRUCT<a: INT, …>.
func (p *parser) dataType() {
	p.enter()
	t := p.peek()
	if t.kind != word || reserved(t.word) {
		p.unexpected("a type was expected")
	}
	p.advance()
	switch {
	case t.word == "STRUCT" && p.eat("<>"):
	case t.word == "STRUCT" && p.eat("<"):
		p.list(p.typedField)
		p.expect(">")
	case (t.word == "ARRAY" || t.word == "MAP") && p.eat("<"):
		p.list(p.dataType)
		p.expect(">")
	case t.word == "INTERVAL" && isUnit(p.peek().word):
		p.advance()
		if p.eat("TO") && !p.eatAny("MONTH", "HOUR", "MINUTE", "SECOND") {
			p.unexpected("a unit was expected")
		}
	case t.word == "TIMESTAMP" && p.eatAny("WITH", "WITHOUT"):
		p.eat("LOCAL")
		p.expect("TIME", "ZONE")
	case p.at("(") && p.ahead(1).kind == number:
		p.parens(func() { p.list(p.number) })
	}
	if p.eat("COLLATE") {
		p.name()
	}
	p.leave()
}

func (p *parser) number() {
	if p.peek().kind != number {
		p.unexpected("a number was expected")
	}
	p.advance()
}

func (p *parser) typedField() {
	p.field()
	p.eat(":")
	p.dataType()
	p.eat("NOT", "NULL")
	if p.eat("COMMENT") {
		p.strings()
	}
}
