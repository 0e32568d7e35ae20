package engine

import "strings"

func (p *parser) create() (statement, error) {
	replace := p.advance().text == "REPLACE"
	if p.accept("OR", "REPLACE") {
		replace = true
	}
	external := p.accept("EXTERNAL")
	switch {
	case p.accept("CATALOG"), p.accept("FOREIGN", "CATALOG"):
		return p.createContainer(true)
	case p.accept("SCHEMA"), p.accept("DATABASE"):
		return p.createContainer(false)
	case p.accept("TABLE"):
		return p.createTable(replace, external)
	case p.accept("VIEW"):
		return p.createView(replace)
	}
	if t := p.tok(); t.kind == tokWord && !replace || p.isOne("TEMP", "TEMPORARY", "FUNCTION", "MATERIALIZED", "STREAMING") {
		return nil, errUnsupported("CREATE %s", t.text)
	}
	return nil, p.unexpected()
}

func (p *parser) ifNotExists() bool { return p.accept("IF", "NOT", "EXISTS") }

func (p *parser) createContainer(catalog bool) (statement, error) {
	s := &createContainerStmt{catalog: catalog, ifNotExists: p.ifNotExists()}
	var err error
	if s.name, err = p.objectName(); err != nil {
		return nil, err
	}
	for {
		switch {
		case p.accept("COMMENT"):
			s.comment, err = p.stringLiteral()
		case p.accept("MANAGED", "LOCATION"), p.accept("LOCATION"):
			_, err = p.stringLiteral()
		case p.accept("WITH", "DBPROPERTIES"), p.accept("DBPROPERTIES"), p.accept("OPTIONS"):
			s.properties, err = p.properties()
		default:
			return s, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// properties reads ('key' = 'value', a.b = 1, …).
func (p *parser) properties() (map[string]string, error) {
	if err := p.expectOp("("); err != nil {
		return nil, err
	}
	props := map[string]string{}
	for {
		key, err := p.propertyKey()
		if err != nil {
			return nil, err
		}
		p.acceptOp("=")
		t := p.tok()
		if t.kind != tokString && t.kind != tokNumber && !p.isOne("TRUE", "FALSE") {
			return nil, p.unexpected()
		}
		props[key] = p.advance().val
		if !p.acceptOp(",") {
			return props, p.expectOp(")")
		}
	}
}

func (p *parser) propertyKey() (string, error) {
	if p.tok().kind == tokString {
		return p.stringLiteral()
	}
	parts, err := p.qualified(8)
	return strings.Join(parts, "."), err
}

func (p *parser) createTable(replace, external bool) (statement, error) {
	s := &createTableStmt{replace: replace, external: external, ifNotExists: p.ifNotExists()}
	var err error
	if s.name, err = p.objectName(); err != nil {
		return nil, err
	}
	if p.accept("LIKE") {
		name, err := p.objectName()
		s.like = &name
		return s, err
	}
	if p.accept("SHALLOW", "CLONE") || p.accept("DEEP", "CLONE") || p.accept("CLONE") {
		name, err := p.objectName()
		s.like, s.clone = &name, true
		return s, err
	}
	if p.isOp("(") && !p.queryFollows(0) {
		if s.columns, err = p.columnDefinitions(true); err != nil {
			return nil, err
		}
	}
	for {
		switch {
		case p.accept("USING"):
			s.format, err = p.name()
		case p.accept("COMMENT"):
			s.comment, err = p.stringLiteral()
		case p.accept("TBLPROPERTIES"), p.accept("OPTIONS"):
			s.properties, err = p.properties()
		case p.accept("PARTITIONED", "BY"):
			s.partitioned, err = p.nameList()
		case p.accept("CLUSTER", "BY"):
			if !p.accept("AUTO") && !p.accept("NONE") {
				_, err = p.nameList()
			}
		case p.accept("LOCATION"):
			_, err = p.stringLiteral()
			s.external = true
		case p.accept("DEFAULT", "COLLATION"):
			_, err = p.name()
		case p.is("AS"), p.isQuery():
			p.accept("AS")
			if !p.isQuery() {
				return nil, p.unexpected()
			}
			s.query, err = p.query()
			return s, err
		default:
			return s, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// columnDefinitions reads (name type [NOT NULL] [DEFAULT x] [COMMENT '…'], …);
// table constraints are accepted and ignored, as they are informational.
func (p *parser) columnDefinitions(typed bool) ([]Column, error) {
	if err := p.expectOp("("); err != nil {
		return nil, err
	}
	var cols []Column
	for {
		if p.isOne("CONSTRAINT") || p.is("PRIMARY", "KEY") || p.is("FOREIGN", "KEY") {
			if err := p.skipConstraint(); err != nil {
				return nil, err
			}
		} else {
			c, err := p.columnDefinition(typed)
			if err != nil {
				return nil, err
			}
			cols = append(cols, c)
		}
		if !p.acceptOp(",") {
			return cols, p.expectOp(")")
		}
	}
}

// skipConstraint passes to the comma or parenthesis after a constraint.
func (p *parser) skipConstraint() error {
	for depth := 0; ; p.advance() {
		t := p.tok()
		switch {
		case t.kind == tokEOF:
			return p.unexpected()
		case t.text == "(" && t.kind == tokOp:
			depth++
		case t.text == ")" && t.kind == tokOp && depth > 0:
			depth--
		case depth == 0 && t.kind == tokOp && (t.text == ")" || t.text == ","):
			return nil
		}
	}
}

func (p *parser) columnDefinition(typed bool) (c Column, err error) {
	if c.Name, err = p.name(); err != nil {
		return c, err
	}
	if typed {
		p.acceptOp(":")
		if c.Type, err = p.dataType(); err != nil {
			return c, err
		}
	}
	for err == nil {
		switch {
		case p.accept("NOT", "NULL"):
			c.NotNull = true
		case p.accept("NULL"):
		case p.accept("COMMENT"):
			c.Comment, err = p.stringLiteral()
		case p.accept("DEFAULT"):
			start := p.tok().pos
			if _, err = p.expr(); err == nil {
				c.Default = p.src[start:p.toks[p.i-1].end]
			}
		case p.is("GENERATED"):
			err = errUnsupported("a GENERATED column")
		case p.accept("PRIMARY", "KEY"):
		case p.isOne("CONSTRAINT", "REFERENCES", "CHECK"):
			return c, p.skipConstraint()
		case p.accept("FIRST"):
		case p.accept("AFTER"):
			_, err = p.name()
		default:
			return c, nil
		}
	}
	return c, err
}

func (p *parser) createView(replace bool) (statement, error) {
	s := &createViewStmt{replace: replace, ifNotExists: p.ifNotExists()}
	var err error
	if s.name, err = p.objectName(); err != nil {
		return nil, err
	}
	if p.isOp("(") {
		if s.columns, err = p.columnDefinitions(false); err != nil {
			return nil, err
		}
	}
	for {
		switch {
		case p.accept("COMMENT"):
			s.comment, err = p.stringLiteral()
		case p.accept("TBLPROPERTIES"):
			s.properties, err = p.properties()
		case p.is("WITH", "METRICS"), p.is("WITH", "SCHEMA"):
			return nil, errUnsupported("CREATE VIEW … %s %s", p.tok().text, p.peek(1).text)
		default:
			if err = p.expect("AS"); err != nil {
				return nil, err
			}
			if !p.isQuery() {
				return nil, p.unexpected()
			}
			s.query, err = p.query()
			return s, err
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) drop() (statement, error) {
	p.advance()
	s := &dropStmt{}
	switch s.kind = p.acceptOne("CATALOG", "SCHEMA", "DATABASE", "TABLE", "VIEW"); s.kind {
	case "":
		if t := p.tok(); t.kind == tokWord {
			return nil, errUnsupported("DROP %s", t.text)
		}
		return nil, p.unexpected()
	case "DATABASE":
		s.kind = "SCHEMA"
	}
	s.ifExists = p.accept("IF", "EXISTS")
	var err error
	if s.name, err = p.objectName(); err != nil {
		return nil, err
	}
	s.cascade = p.acceptOne("CASCADE", "RESTRICT") == "CASCADE"
	p.accept("PURGE")
	return s, nil
}

func (p *parser) truncate() (statement, error) {
	p.advance()
	if err := p.expect("TABLE"); err != nil {
		return nil, err
	}
	name, err := p.objectName()
	return &truncateStmt{name}, err
}

func (p *parser) comment() (statement, error) {
	p.advance()
	if err := p.expect("ON"); err != nil {
		return nil, err
	}
	s := &commentStmt{}
	switch s.kind = p.acceptOne("CATALOG", "SCHEMA", "DATABASE", "TABLE", "VIEW", "COLUMN"); s.kind {
	case "":
		return nil, p.unexpected()
	case "DATABASE":
		s.kind = "SCHEMA"
	case "VIEW":
		s.kind = "TABLE"
	}
	var err error
	if s.kind == "COLUMN" {
		s.name.parts, err = p.qualified(4)
	} else {
		s.name, err = p.objectName()
	}
	if err != nil {
		return nil, err
	}
	if err = p.expect("IS"); err != nil {
		return nil, err
	}
	if !p.accept("NULL") {
		s.text, err = p.stringLiteral()
	}
	return s, err
}

// grant reads GRANT … ON … TO …, and REVOKE … ON … FROM ….
func (p *parser) grant() (statement, error) {
	s := &grantStmt{revoke: p.advance().text == "REVOKE"}
	for {
		var words []string
		for !p.is("ON") && p.tok().kind == tokWord {
			words = append(words, p.advance().text)
		}
		if len(words) == 0 {
			return nil, p.unexpected()
		}
		if words[0] == "ALL" {
			words = []string{"ALL", "PRIVILEGES"}
		}
		s.privileges = append(s.privileges, strings.Join(words, "_"))
		if !p.acceptOp(",") {
			break
		}
	}
	if err := p.expect("ON"); err != nil {
		return nil, err
	}
	var err error
	if s.kind, s.name, err = p.securable(); err != nil {
		return nil, err
	}
	preposition := "TO"
	if s.revoke {
		preposition = "FROM"
	}
	if err := p.expect(preposition); err != nil {
		return nil, err
	}
	s.principal, err = p.principal()
	return s, err
}

// principal reads `user@example.com`, or a bare or quoted name.
func (p *parser) principal() (string, error) {
	if p.tok().kind == tokString {
		return p.stringLiteral()
	}
	return p.name()
}

// securable reads [TABLE] name, SCHEMA name, …; a table is the default.
func (p *parser) securable() (string, nameRef, error) {
	kind := strings.ToLower(p.acceptOne("CATALOG", "SCHEMA", "DATABASE", "TABLE", "VIEW", "VOLUME", "FUNCTION", "METASTORE"))
	switch kind {
	case "metastore":
		return kind, nameRef{}, nil
	case "database":
		kind = "schema"
	case "", "view":
		kind = "table"
	}
	name, err := p.objectName()
	return kind, name, err
}

// maintain reads OPTIMIZE, VACUUM, ANALYZE TABLE, REFRESH TABLE, MSCK REPAIR
// TABLE; their options change nothing here.
func (p *parser) maintain() (statement, error) {
	s := &maintainStmt{verb: p.advance().text}
	switch s.verb {
	case "ANALYZE", "REFRESH":
		if !p.accept("TABLE") {
			return nil, errUnsupported("%s %s", s.verb, p.tok().text)
		}
	case "MSCK":
		if err := p.expect("REPAIR", "TABLE"); err != nil {
			return nil, err
		}
	}
	var err error
	if s.name, err = p.objectName(); err != nil {
		return nil, err
	}
	for p.tok().kind != tokEOF && !p.isOp(";") {
		p.advance()
	}
	return s, nil
}
