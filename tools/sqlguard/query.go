package sqlguard

// query reads [WITH …] terms joined by set operations, with what may follow.
// The names that its WITH defines end with it.
func (p *parser) query() {
	p.enter()
	scope := len(p.ctes)
	if p.eat("WITH") {
		p.with()
	}
	p.term()
	p.tail()
	p.ctes = p.ctes[:scope]
	p.leave()
}

// with reads the named queries. Each sees those before it; the name hides a
// table of that name from there on, and within itself only if it is recursive.
func (p *parser) with() {
	recursive := p.eat("RECURSIVE")
	p.list(func() {
		t := p.peek()
		name := lowerASCII(p.ident())
		if len(p.ctes) == maxCTEs {
			p.refuse(t, "WITH names too many queries", "Split the statement.")
		}
		if recursive {
			p.ctes = append(p.ctes, name)
		}
		if p.at("(") {
			p.columns()
		}
		if recursive && p.eat("MAX", "RECURSION", "LEVEL") {
			p.number()
		}
		p.eat("AS")
		p.parens(p.subquery)
		if !recursive {
			p.ctes = append(p.ctes, name)
		}
	})
}

// subquery reads a query where nothing else will do.
func (p *parser) subquery() {
	if !p.atQuery() {
		p.unexpected("a query was expected")
	}
	p.query()
}

// columns reads (a, b).
func (p *parser) columns() {
	p.parens(func() { p.list(func() { p.ident() }) })
}

// term reads one SELECT, VALUES, TABLE, FROM … or a query in brackets.
func (p *parser) term() {
	switch {
	case p.eat("SELECT"):
		p.selectList()
		if p.eat("FROM") {
			p.from()
		}
		p.clauses()
	case p.eat("FROM"):
		p.from()
		for p.eat("SELECT") {
			p.selectList()
			p.clauses()
		}
	case p.eat("VALUES"):
		p.list(func() { p.expr() })
		p.alias()
	case p.eat("TABLE"):
		p.namedTable()
	case p.at("("):
		p.parens(p.subquery)
	default:
		p.unexpected("SELECT was expected")
	}
}

// tail reads what may follow a term: clauses, set operations with further
// terms, and the operators of the pipe syntax.
func (p *parser) tail() {
	for {
		p.clauses()
		switch {
		case p.eatAny("UNION", "INTERSECT", "EXCEPT", "MINUS"):
			p.eatAny("ALL", "DISTINCT")
			p.eat("BY", "NAME")
			p.term()
		case p.eat("|>"):
			p.pipe()
		default:
			return
		}
	}
}

func (p *parser) selectList() {
	p.eatAny("ALL", "DISTINCT")
	p.list(p.item)
}

// item reads expression [[AS] name | AS (a, b)].
func (p *parser) item() {
	p.expr()
	switch {
	case p.eat("AS"):
		if p.at("(") {
			p.columns()
			return
		}
		p.label()
	case p.atName() || p.peek().kind == doubleQuoted:
		p.label()
	}
}

// label reads the name of a column of the result. "…" is harmless here: an
// error as a string, a name as a name.
func (p *parser) label() {
	if p.peek().kind == doubleQuoted {
		p.advance()
		return
	}
	p.ident()
}

// clauses reads WHERE and what comes behind it, in whatever order.
func (p *parser) clauses() {
	for {
		switch {
		case p.at("LATERAL", "VIEW"):
			p.lateralView()
		case p.eatAny("WHERE", "HAVING", "QUALIFY"):
			p.expr()
		case p.eat("GROUP", "BY"):
			p.groupBy()
		case p.eat("ORDER", "BY"), p.eat("SORT", "BY"):
			p.sortItems()
		case p.eat("CLUSTER", "BY"), p.eat("DISTRIBUTE", "BY"):
			p.list(func() { p.expr() })
		case p.eat("LIMIT", "ALL"):
		case p.eatAny("LIMIT", "OFFSET"):
			p.expr()
		case p.eat("WINDOW"):
			p.list(func() { p.ident(); p.expect("AS"); p.window() })
		default:
			return
		}
	}
}

func (p *parser) groupBy() {
	if !p.eat("ALL") {
		p.list(p.groupItem)
	}
	if p.eat("WITH", "ROLLUP") || p.eat("WITH", "CUBE") {
		return
	}
	if p.at("GROUPING", "SETS") {
		p.groupItem()
	}
}

// groupItem reads an expression, GROUPING SETS ((a, b), ()), ROLLUP or CUBE.
func (p *parser) groupItem() {
	switch {
	case p.eat("GROUPING", "SETS"), p.at("ROLLUP", "(") && p.eat("ROLLUP"), p.at("CUBE", "(") && p.eat("CUBE"):
		p.parens(func() { p.list(p.groupItem) })
	case p.eat("(", ")"):
	default:
		p.expr()
	}
}

func (p *parser) sortItems() {
	if p.at("ALL") {
		p.advance()
		p.direction()
		return
	}
	p.list(func() {
		p.expr()
		p.direction()
	})
}

func (p *parser) direction() {
	p.eatAny("ASC", "DESC")
	if p.eat("NULLS") && !p.eatAny("FIRST", "LAST") {
		p.unexpected("FIRST or LAST was expected")
	}
}

// window reads a name or ( [name] [PARTITION BY …] [ORDER BY …] [frame] ).
func (p *parser) window() {
	if !p.at("(") {
		p.ident()
		return
	}
	p.parens(func() {
		if !p.at("PARTITION", "BY") && !p.atAny("ROWS", "RANGE", "GROUPS") && p.atName() {
			p.ident()
		}
		if p.eat("PARTITION", "BY") || p.eat("DISTRIBUTE", "BY") || p.eat("CLUSTER", "BY") {
			p.list(func() { p.expr() })
		}
		if p.eat("ORDER", "BY") || p.eat("SORT", "BY") {
			p.sortItems()
		}
		if p.eatAny("ROWS", "RANGE", "GROUPS") {
			if p.eat("BETWEEN") {
				p.bound()
				p.expect("AND")
			}
			p.bound()
		}
	})
}

func (p *parser) bound() {
	if p.eat("CURRENT", "ROW") {
		return
	}
	if !p.eat("UNBOUNDED") {
		p.operand() // AND behind it belongs to the frame
		for p.eatAny("*", "/", "+", "-") {
			p.operand()
		}
	}
	if !p.eatAny("PRECEDING", "FOLLOWING") {
		p.unexpected("PRECEDING or FOLLOWING was expected")
	}
}

// pipe reads one operator of the pipe syntax. SET and DROP work on the columns
// of the result there. A |> that writes is not among these.
func (p *parser) pipe() {
	switch {
	case p.eat("SELECT"):
		p.selectList()
	case p.eat("EXTEND"):
		p.list(p.item)
	case p.eat("SET"):
		p.list(func() { p.ident(); p.expect("="); p.expr() })
	case p.eat("DROP"):
		p.list(func() { p.ident() })
	case p.eat("AS"):
		p.ident()
	case p.eat("AGGREGATE"):
		if !p.at("GROUP", "BY") {
			p.list(p.item)
		}
		if p.eat("GROUP", "BY") {
			p.list(func() { p.groupItem(); p.labelled() })
		}
	case p.atAny("WHERE", "ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "LIMIT", "OFFSET", "WINDOW"), p.at("LATERAL", "VIEW"):
		p.clauses()
	case p.atAny("UNION", "INTERSECT", "EXCEPT", "MINUS"):
		// the loop in tail reads it
	case p.atJoin():
		p.joins()
	case p.atAny("PIVOT", "UNPIVOT", "TABLESAMPLE"):
		p.suffixes()
	default:
		p.unexpected("an operator such as WHERE, SELECT or AGGREGATE was expected")
	}
}

func (p *parser) labelled() {
	if p.eat("AS") || p.atName() {
		p.label()
	}
}

//go:noinline
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c - 'A' + 'a'
		}
	}
	return string(b)
}
