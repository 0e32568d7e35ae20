package engine

import "strings"

func (p *parser) explain() (statement, error) {
	p.advance()
	p.acceptOne("EXTENDED", "FORMATTED", "CODEGEN", "COST")
	if p.is("EXPLAIN") {
		return nil, p.unexpected()
	}
	inner, err := p.statement()
	return &explainStmt{inner}, err
}

func (p *parser) use() (statement, error) {
	p.advance()
	s := &useStmt{catalog: p.accept("CATALOG")}
	if !s.catalog && !p.accept("SCHEMA") {
		p.accept("DATABASE")
	}
	var err error
	if p.tok().kind == tokString && s.catalog {
		text, err := p.stringLiteral()
		s.name.parts = []string{text}
		return s, err
	}
	s.name, err = p.objectName()
	return s, err
}

// set reads SET, SET key and SET key = value, also SET TIME ZONE.
func (p *parser) set() (statement, error) {
	p.advance()
	s := &setStmt{}
	if p.tok().kind == tokEOF || p.isOp(";") {
		return s, nil
	}
	if p.isOne("VAR", "VARIABLE", "RECIPIENT") {
		return nil, errUnsupported("SET %s", p.tok().text)
	}
	start := p.tok().pos
	for p.tok().kind != tokEOF && !p.isOp(";") && !p.isOp("=") {
		p.advance()
	}
	s.key = strings.TrimSpace(p.src[start:p.tok().pos])
	if p.acceptOp("=") {
		start = p.tok().pos
		for p.tok().kind != tokEOF && !p.isOp(";") {
			p.advance()
		}
		s.value = strings.TrimSpace(p.src[start:p.tok().pos])
	}
	return s, nil
}

func (p *parser) describe() (statement, error) {
	p.advance()
	s := &describeStmt{what: "TABLE"}
	var err error
	switch {
	case p.accept("QUERY"), p.isQuery() && !p.is("TABLE"):
		s.what = "QUERY"
		s.query, err = p.query()
		return s, err
	case p.accept("HISTORY"):
		s.what = "HISTORY"
	case p.accept("DETAIL"):
		s.what = "DETAIL"
	case p.accept("FUNCTION"):
		s.what = "FUNCTION"
		s.extended = p.accept("EXTENDED")
		parts, err := p.qualified(3)
		s.function = strings.Join(parts, ".")
		return s, err
	case p.accept("CATALOG"):
		s.what = "CATALOG"
	case p.accept("SCHEMA"), p.accept("DATABASE"):
		s.what = "SCHEMA"
	default:
		p.accept("TABLE")
	}
	s.extended = p.accept("EXTENDED") || p.accept("FORMATTED")
	if s.name, err = p.objectName(); err != nil {
		return nil, err
	}
	if p.accept("AS", "JSON") {
		return nil, errUnsupported("DESCRIBE … AS JSON")
	}
	if s.what == "TABLE" && (p.tok().kind == tokWord || p.tok().kind == tokQuoted) {
		s.column, err = p.name()
	}
	return s, err
}

func (p *parser) show() (statement, error) {
	p.advance()
	s := &showStmt{}
	if p.isOne("USER", "SYSTEM", "ALL") && p.peek(1).text == "FUNCTIONS" {
		p.advance()
	}
	switch {
	case p.accept("CREATE", "TABLE"), p.accept("CREATE", "VIEW"):
		s.what = "CREATE TABLE"
	case p.accept("CURRENT"):
		return nil, errUnsupported("SHOW CURRENT")
	default:
		s.what = p.acceptOne("CATALOGS", "SCHEMAS", "DATABASES", "TABLES", "VIEWS", "COLUMNS", "FUNCTIONS", "VOLUMES", "GRANTS", "GRANT", "TBLPROPERTIES", "TABLE", "PARTITIONS", "USERS", "GROUPS", "CONNECTIONS", "SHARES")
	}
	switch s.what {
	case "":
		return nil, p.unexpected()
	case "DATABASES":
		s.what = "SCHEMAS"
	case "GRANT":
		s.what = "GRANTS"
	case "USERS", "GROUPS", "CONNECTIONS", "SHARES", "PARTITIONS":
		return nil, errUnsupported("SHOW %s", s.what)
	case "TABLE":
		return nil, errUnsupported("SHOW TABLE EXTENDED")
	}
	return s, p.showRest(s)
}

func (p *parser) showRest(s *showStmt) (err error) {
	switch s.what {
	case "CREATE TABLE":
		s.name, err = p.objectName()
		return err
	case "TBLPROPERTIES":
		if s.name, err = p.objectName(); err == nil && p.acceptOp("(") {
			if s.key, err = p.propertyKey(); err == nil {
				err = p.expectOp(")")
			}
		}
		return err
	case "GRANTS":
		if !p.is("ON") {
			if s.to, err = p.principal(); err != nil {
				return err
			}
		}
		if err = p.expect("ON"); err != nil {
			return err
		}
		s.kind, s.name, err = p.securable()
		return err
	case "COLUMNS":
		if !p.accept("IN") && !p.accept("FROM") {
			return p.unexpected()
		}
		if s.name, err = p.objectName(); err != nil {
			return err
		}
	}
	if p.accept("IN") || p.accept("FROM") {
		if s.in, err = p.objectName(); err != nil {
			return err
		}
	}
	if p.accept("LIKE") || p.tok().kind == tokString {
		s.pattern, err = p.stringLiteral()
	} else if s.what == "FUNCTIONS" && p.tok().kind == tokWord {
		s.pattern, err = p.name()
	}
	return err
}

func (p *parser) alter() (statement, error) {
	p.advance()
	s := &alterStmt{}
	switch s.kind = p.acceptOne("TABLE", "VIEW", "SCHEMA", "DATABASE", "CATALOG"); s.kind {
	case "":
		return nil, errUnsupported("ALTER %s", p.tok().text)
	case "DATABASE":
		s.kind = "SCHEMA"
	}
	var err error
	if s.name, err = p.objectName(); err != nil {
		return nil, err
	}
	switch {
	case p.accept("RENAME", "TO"):
		s.action = "RENAME TO"
		s.to, err = p.objectName()
	case p.accept("SET", "TBLPROPERTIES"), p.accept("SET", "DBPROPERTIES"):
		s.action = "SET TBLPROPERTIES"
		s.props, err = p.properties()
	case p.accept("UNSET", "TBLPROPERTIES"):
		err = p.unset(s)
	case p.accept("SET", "OWNER", "TO"), p.accept("OWNER", "TO"):
		s.action = "OWNER TO"
		s.text, err = p.principal()
	case p.accept("ADD", "COLUMN"), p.accept("ADD", "COLUMNS"):
		s.action = "ADD COLUMNS"
		s.lenient = p.ifNotExists()
		if p.isOp("(") {
			s.columns, err = p.columnDefinitions(true)
		} else {
			var c Column
			c, err = p.columnDefinition(true)
			s.columns = []Column{c}
		}
	case p.accept("DROP", "COLUMN"), p.accept("DROP", "COLUMNS"):
		s.action = "DROP COLUMNS"
		s.lenient = p.accept("IF", "EXISTS")
		if p.isOp("(") {
			s.names, err = p.nameList()
		} else {
			var n string
			n, err = p.name()
			s.names = []string{n}
		}
	case p.accept("RENAME", "COLUMN"):
		err = p.renameColumn(s)
	case p.accept("ALTER", "COLUMN"), p.accept("CHANGE", "COLUMN"), p.accept("ALTER"):
		err = p.alterColumn(s)
	case s.kind == "VIEW" && p.accept("AS"):
		s.action = "AS"
		s.query, err = p.query()
	case p.accept("CLUSTER", "BY"):
		s.action = "NOTHING"
		if !p.accept("NONE") && !p.accept("AUTO") {
			_, err = p.nameList()
		}
	case p.tok().kind == tokWord:
		err = errUnsupported("ALTER %s … %s %s", s.kind, p.tok().text, p.peek(1).text)
	default:
		err = p.unexpected()
	}
	return s, err
}

func (p *parser) unset(s *alterStmt) error {
	s.action = "UNSET TBLPROPERTIES"
	p.accept("IF", "EXISTS")
	if err := p.expectOp("("); err != nil {
		return err
	}
	for {
		key, err := p.propertyKey()
		if err != nil {
			return err
		}
		s.names = append(s.names, key)
		if !p.acceptOp(",") {
			return p.expectOp(")")
		}
	}
}

func (p *parser) renameColumn(s *alterStmt) error {
	s.action = "RENAME COLUMN"
	from, err := p.name()
	if err != nil {
		return err
	}
	if err := p.expect("TO"); err != nil {
		return err
	}
	to, err := p.name()
	s.names = []string{from, to}
	return err
}

func (p *parser) alterColumn(s *alterStmt) error {
	name, err := p.name()
	if err != nil {
		return err
	}
	s.names = []string{name}
	switch {
	case p.accept("COMMENT"):
		s.action = "COMMENT COLUMN"
		s.text, err = p.stringLiteral()
	case p.accept("SET", "NOT", "NULL"):
		s.action = "SET NOT NULL"
	case p.accept("DROP", "NOT", "NULL"):
		s.action = "DROP NOT NULL"
	default:
		return errUnsupported("ALTER COLUMN … %s %s", p.tok().text, p.peek(1).text)
	}
	return err
}
