package sqlguard

import "slices"

// from reads the list of relations behind FROM.
func (p *parser) from() {
	p.list(p.relation)
}

// relation reads one source with the joins behind it.
func (p *parser) relation() {
	p.eat("LATERAL")
	p.source()
	p.suffixes()
	p.joins()
}

// atJoin reports whether a JOIN with its words before it begins here.
func (p *parser) atJoin() bool {
	return p.atAny("JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "FULL", "SEMI", "ANTI", "NATURAL")
}

func (p *parser) joins() {
	for p.atJoin() {
		for p.eatAny("NATURAL", "INNER", "CROSS", "LEFT", "RIGHT", "FULL", "SEMI", "ANTI", "OUTER") {
		}
		p.expect("JOIN")
		p.eat("LATERAL")
		p.source()
		p.suffixes()
		switch {
		case p.eat("ON"):
			p.expr()
		case p.eat("USING"):
			p.columns()
		}
	}
}

// source reads a table, a function of tables, VALUES, or a query or relation
// in brackets.
func (p *parser) source() {
	switch {
	case p.at("("):
		p.parens(func() {
			if p.atAny("SELECT", "WITH", "FROM", "VALUES", "TABLE") {
				p.query()
				return
			}
			p.list(p.relation) // a query in further brackets is one, too
			p.tail()
		})
	case p.eat("VALUES"):
		p.list(func() { p.expr() })
	case p.at("STREAM") && (p.ahead(1).word == "(" || isName(p.ahead(1))):
		p.refuse(p.peek(), "STREAM reads without an end", "Read the table itself.")
	default:
		p.tableSource()
	}
}

func (p *parser) tableSource() {
	start := p.peek()
	n, known := p.reference()
	if p.at("(") {
		p.call(n, start)
		return
	}
	if p.at("WITH", "(") {
		p.refuse(p.peek(), "options of a table are not understood", "Leave WITH (…) out.")
	}
	p.readTable(start, n, known)
}

// namedTable reads the name of a table that TABLE stands before.
func (p *parser) namedTable() {
	start := p.peek()
	n, known := p.reference()
	p.readTable(start, n, known)
}

// readTable records a table, unless the name is that of a query in WITH. With
// time travel, or behind IDENTIFIER, it need not be, so it counts as a table.
func (p *parser) readTable(start *token, n Name, known bool) {
	travels := p.timeTravel()
	if !known || len(n) == 1 && !travels && start.word != "IDENTIFIER" && slices.Contains(p.ctes, lowerASCII(n[0])) {
		return
	}
	p.table(n)
}

// timeTravel reads @v12, VERSION AS OF 12 or TIMESTAMP AS OF '…'.
func (p *parser) timeTravel() bool {
	if p.at("@") {
		p.advance()
		if t := p.advance(); t.kind != word && t.kind != number || !t.glued {
			p.i--
			p.unexpected("@v1 or @20240101000000000 was expected")
		}
		return true
	}
	n := 0
	if p.at("FOR") {
		n = 1
	}
	switch p.ahead(n).word {
	case "VERSION", "TIMESTAMP", "SYSTEM_VERSION", "SYSTEM_TIME":
		if p.ahead(n+1).word == "AS" && p.ahead(n+2).word == "OF" {
			p.i += n + 3
			p.expr()
			return true
		}
	}
	return false
}

// suffixes reads what may follow a relation: TABLESAMPLE, PIVOT, an alias.
func (p *parser) suffixes() {
	for {
		switch {
		case p.eat("TABLESAMPLE"):
			p.parens(p.sample)
			if p.eat("REPEATABLE") {
				p.parens(func() { p.expr() })
			}
		case p.eat("PIVOT"):
			p.parens(p.pivot)
		case p.eat("UNPIVOT"):
			if p.eatAny("INCLUDE", "EXCLUDE") {
				p.expect("NULLS")
			}
			p.parens(p.unpivot)
		case p.at("LATERAL", "VIEW"):
			p.lateralView()
		case p.at("AS"), p.atName():
			p.alias()
			if p.at("AS") || p.atName() {
				p.unexpected("a table has one alias")
			}
		default:
			return
		}
	}
}

// alias reads [[AS] name [(a, b)]].
func (p *parser) alias() {
	if !p.eat("AS") && !p.atName() {
		return
	}
	name := p.peek()
	p.ident()
	if p.at("(") {
		// A list of columns and a call look alike.
		if r := refusedFunction(lowerASCII(namePart(p.src, *name))); r != nil {
			p.refuse(name, r.reason, r.instead)
		}
		p.columns()
	}
}

// sample reads 10 PERCENT, 5 ROWS, BUCKET 1 OUT OF 4 or a size.
func (p *parser) sample() {
	if p.eat("BUCKET") {
		p.expr()
		p.expect("OUT", "OF")
		p.expr()
		if p.eat("ON") {
			p.expr()
		}
		return
	}
	p.expr()
	p.eatAny("PERCENT", "ROWS")
}

// pivot reads sum(x) AS s, … FOR a IN (1 AS one, …).
func (p *parser) pivot() {
	p.list(p.item)
	p.expect("FOR")
	p.pivotColumns()
	p.expect("IN")
	p.parens(func() { p.list(p.item) })
}

// unpivot reads v FOR n IN (a, b AS x), or the form with several columns.
func (p *parser) unpivot() {
	p.pivotColumns()
	p.expect("FOR")
	p.ident()
	p.expect("IN")
	p.parens(func() {
		p.list(func() {
			if p.at("(") {
				p.parens(func() { p.list(func() { p.name() }) })
			} else {
				p.name()
			}
			if p.eat("AS") || p.atName() || p.peek().kind == doubleQuoted {
				p.label()
			}
		})
	})
}

func (p *parser) pivotColumns() {
	if p.at("(") {
		p.parens(func() { p.list(func() { p.name() }) })
		return
	}
	p.name()
}

// lateralView reads LATERAL VIEW [OUTER] explode(x) [t] [[AS] a, b].
func (p *parser) lateralView() {
	p.expect("LATERAL", "VIEW")
	p.eat("OUTER")
	start := p.peek()
	p.call(p.name(), start)
	if p.atName() {
		p.ident()
	}
	if p.eat("AS") || p.atName() {
		p.list(func() { p.ident() })
	}
}

// reference reads the name of an object. It is not known if an expression
// names it.
func (p *parser) reference() (n Name, known bool) {
	if !p.at("IDENTIFIER", "(") {
		return p.name(), true
	}
	p.advance()
	p.parens(func() { n, known = p.identifierArgument() })
	if p.at(".") {
		p.unexpected("IDENTIFIER names the whole object")
	}
	return n, known
}

// identifierArgument reads the expression in IDENTIFIER(…): the name itself,
// if that is what it is.
func (p *parser) identifierArgument() (Name, bool) {
	at := p.i
	p.expr()
	if t := p.toks[at]; p.i == at+1 && t.kind == text {
		p.i = at
		if value, plain := p.strings(); plain {
			if n := parseName(value); n != nil {
				return n, true
			}
		}
	}
	p.q.Opaque = true
	return nil, false
}

// parseName reads a.b.c from a string.
func parseName(s string) (n Name) {
	defer func() {
		if r := recover(); r != nil {
			if _, refused := r.(*Refusal); !refused {
				panic(r)
			}
			n = nil
		}
	}()
	p := &parser{src: s, toks: tokenize(s)}
	n = p.name()
	if p.peek().kind != end {
		return nil
	}
	return n
}
