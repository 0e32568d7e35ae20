package sqlguard

// statement reads the whole text.
func (p *parser) statement() {
	switch t := p.peek(); {
	case t.kind == end:
		p.refuse(t, "there is no statement", "Send a SELECT.")
	case p.eat("EXPLAIN"):
		p.eatAny("EXTENDED", "CODEGEN", "COST", "FORMATTED", "LOGICAL")
		if !p.atQuery() {
			p.unexpected("EXPLAIN takes a query here")
		}
		p.query()
		p.q.Kind = "EXPLAIN"
	case p.eat("SHOW"):
		p.q.Kind, p.q.About = "SHOW", p.about()
		p.show()
	case p.eatAny("DESCRIBE", "DESC"):
		p.q.Kind, p.q.About = "DESCRIBE", p.about()
		p.describe()
	case p.atQuery():
		p.q.Kind = "SELECT"
		if t.word == "VALUES" || t.word == "TABLE" {
			p.q.Kind = t.word
		}
		p.query()
	case t.kind == word && effect(t.word) == "":
		p.refuse(t, t.word+" begins no statement that is known to only read", beginRead)
	default:
		p.unexpected("a query was expected")
	}
	p.eat(";")
	if p.peek().kind != end {
		if p.toks[p.i-1].word == ";" {
			p.refuse(p.peek(), "the text holds more than one statement", "Send one statement at a time.")
		}
		p.unexpected("the statement should end")
	}
}

// about is the next word; comments, which could look like one, are no tokens.
func (p *parser) about() string {
	if t := p.peek(); t.kind == word {
		return t.word
	}
	return ""
}

// atQuery reports whether a query begins here, perhaps in brackets.
//
//go:noinline
func (p *parser) atQuery() bool {
	n := 0
	for p.ahead(n).word == "(" && n < maxDepth {
		n++
	}
	switch p.ahead(n).word {
	case "SELECT", "WITH", "FROM", "VALUES", "TABLE":
		return true
	}
	return false
}

// object reads the name of a table, or IDENTIFIER(…).
func (p *parser) object() {
	if n, ok := p.reference(); ok {
		p.table(n)
	}
}

// container reads the name of a catalog or schema.
func (p *parser) container() {
	if n, ok := p.reference(); ok {
		p.q.Containers = append(p.q.Containers, n)
	}
}

// member reads the name of what lives in a schema and is no table: a function,
// a volume. What it lives in is what counts.
func (p *parser) member() {
	if n, ok := p.reference(); ok && len(n) > 1 {
		p.q.Containers = append(p.q.Containers, n[:len(n)-1])
	}
}

func (p *parser) in(read func()) {
	if p.eatAny("IN", "FROM") {
		read()
	}
}

func (p *parser) like() {
	if p.eat("LIKE") || p.atString() {
		p.strings()
	}
}

// partition reads PARTITION (day = '2024-01-01', …).
func (p *parser) partition() {
	if p.eat("PARTITION") {
		p.parens(func() { p.list(func() { p.expr() }) })
	}
}

// show reads the SHOW statements: a closed list.
func (p *parser) show() {
	switch {
	case p.eat("CATALOGS"):
		p.like()
	case p.eatAny("SCHEMAS", "DATABASES", "NAMESPACES"):
		p.in(p.container)
		p.like()
	case p.eat("TABLES", "DROPPED"), p.eatAny("TABLES", "VIEWS", "VOLUMES", "PROCEDURES"):
		p.in(p.container)
		p.like()
	case p.eat("TABLE", "EXTENDED"):
		p.in(p.container)
		p.expect("LIKE")
		p.strings()
		p.partition()
	case p.eat("COLUMNS"):
		p.showColumns()
	case p.eat("FUNCTIONS"), p.eat("USER", "FUNCTIONS"), p.eat("SYSTEM", "FUNCTIONS"), p.eat("ALL", "FUNCTIONS"):
		p.in(p.container)
		if p.eat("LIKE") && !p.atString() || p.atName() {
			p.member()
		} else if p.atString() {
			p.strings()
		}
	case p.eat("PARTITIONS"):
		p.object()
		p.partition()
	case p.eat("TBLPROPERTIES"):
		p.object()
		if p.at("(") {
			p.parens(func() { p.propertyKey() })
		}
	case p.eat("CREATE", "TABLE"), p.eat("CREATE", "VIEW"):
		p.object()
		p.eat("AS", "SERDE")
	case p.eatAny("GRANTS", "GRANT"):
		p.showGrants()
	case p.eatAny("USERS", "CONNECTIONS", "CREDENTIALS", "PROVIDERS", "RECIPIENTS"),
		p.eat("EXTERNAL", "LOCATIONS"), p.eat("STORAGE", "CREDENTIALS"), p.eat("SERVICE", "CREDENTIALS"):
		p.like()
	case p.eat("GROUPS"):
		if p.eat("WITH") {
			if !p.eatAny("USER", "GROUP") {
				p.unexpected("USER or GROUP was expected")
			}
			p.ident()
		}
		p.like()
	case p.eat("SHARES"):
		if p.eat("IN", "PROVIDER") {
			p.ident()
		}
		p.like()
	case p.eat("ALL", "IN", "SHARE"):
		p.ident()
	case p.eat("CURRENT", "SCHEMA"), p.eat("CURRENT", "DATABASE"), p.eat("CURRENT", "NAMESPACE"), p.eat("CURRENT", "CATALOG"):
	default:
		t := p.peek()
		if t.kind == end {
			p.unexpected("what to show was expected")
		}
		p.refuse(t, "SHOW "+t.word+" is not known to only read", "Use SHOW TABLES, SCHEMAS, COLUMNS, GRANTS …, or sql_execute_statement.")
	}
}

// showColumns reads SHOW COLUMNS IN table [IN schema]. The schema, if given,
// is where the table is.
func (p *parser) showColumns() {
	if !p.eatAny("IN", "FROM") {
		p.unexpected("IN was expected")
	}
	table, known := p.reference()
	if p.eatAny("IN", "FROM") {
		schema, ok := p.reference()
		if known = known && ok; known && len(table) == 1 {
			table = append(schema, table...)
		}
	}
	if known {
		p.table(table)
	}
}

func (p *parser) propertyKey() {
	if p.atString() {
		p.strings()
		return
	}
	p.name()
}

// showGrants reads SHOW GRANTS [principal] ON [type] name.
func (p *parser) showGrants() {
	if !p.at("ON") {
		p.ident()
	}
	p.expect("ON")
	switch {
	case p.eat("CATALOG"), p.eatAny("SCHEMA", "DATABASE"):
		p.container()
	case p.eat("METASTORE"), p.eat("ANY", "FILE"), p.eat("ANONYMOUS", "FUNCTION"):
	case p.eatAny("FUNCTION", "VOLUME", "PROCEDURE"):
		p.member()
	case p.eat("EXTERNAL", "LOCATION"), p.eat("STORAGE", "CREDENTIAL"), p.eat("SERVICE", "CREDENTIAL"),
		p.eatAny("CREDENTIAL", "CONNECTION", "SHARE"):
		p.ident()
	default:
		p.eatAny("TABLE", "VIEW")
		p.object()
	}
}

// describe reads the DESCRIBE statements: a closed list.
func (p *parser) describe() {
	named := p.ahead(1).kind == word || p.ahead(1).kind == quoted // DESCRIBE history may mean a table of that name
	switch {
	case p.eat("QUERY") || p.atQuery() && !p.at("TABLE"):
		if !p.atQuery() {
			p.unexpected("a query was expected")
		}
		p.query()
	case named && p.eatAny("CATALOG", "SCHEMA", "DATABASE", "NAMESPACE"):
		p.eat("EXTENDED")
		p.container()
	case p.eat("FUNCTION"):
		p.eat("EXTENDED")
		if t := p.peek(); t.kind == symbol && t.word != ";" || t.kind == word && reserved(t.word) {
			p.advance() // DESCRIBE FUNCTION + or AND
		} else if p.atString() {
			p.strings()
		} else {
			p.member()
		}
	case named && p.eatAny("VOLUME", "PROCEDURE"):
		p.member()
	case named && p.at("RECIPIENT"):
		p.refuse(p.peek(), "DESCRIBE RECIPIENT returns a link that gives out a credential", "SHOW RECIPIENTS lists them without it.")
	case p.eat("EXTERNAL", "LOCATION"), p.eat("STORAGE", "CREDENTIAL"), p.eat("SERVICE", "CREDENTIAL"),
		named && p.eatAny("CREDENTIAL", "CONNECTION", "SHARE", "PROVIDER"):
		p.eat("EXTENDED")
		p.ident()
	case named && p.eat("HISTORY"):
		p.object()
		if p.eat("LIMIT") {
			p.expr()
		}
	case p.at("DETAIL") && (named || p.ahead(1).kind == text):
		p.advance()
		if p.atString() {
			p.file()
		} else {
			p.object()
		}
	default:
		p.eat("TABLE")
		if p.at("EXTENDED") && named || p.at("FORMATTED") && named {
			p.advance()
		}
		p.object()
		p.eat("AS", "JSON")
		p.partition()
		if p.atName() {
			p.name() // a column
		}
		p.eat("AS", "JSON")
	}
}
