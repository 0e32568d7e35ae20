package engine

func (p *parser) insert() (statement, error) {
	p.advance()
	s := &insertStmt{}
	switch {
	case p.accept("OVERWRITE"):
		s.overwrite = true
		p.accept("INTO")
	case !p.accept("INTO"):
		return nil, p.unexpected()
	}
	p.accept("TABLE")
	var err error
	if s.name, err = p.objectName(); err != nil {
		return nil, err
	}
	for _, w := range []string{"PARTITION", "REPLACE"} {
		if p.is(w) {
			return nil, errUnsupported("INSERT … %s", w)
		}
	}
	if p.accept("BY", "NAME") {
		s.byName = true
	} else if p.isOp("(") && !p.queryFollows(0) {
		if s.columns, err = p.nameList(); err != nil {
			return nil, err
		}
	}
	if !p.isQuery() {
		return nil, p.unexpected()
	}
	s.query, err = p.query()
	return s, err
}

// target reads a table name and its alias.
func (p *parser) target() (name nameRef, alias string, err error) {
	if name, err = p.objectName(); err == nil {
		alias, err = p.alias()
	}
	return name, alias, err
}

func (p *parser) assignments() ([]assignment, error) {
	var list []assignment
	for {
		col, err := p.qualified(4)
		if err != nil {
			return nil, err
		}
		if !p.acceptOp("=") && !p.acceptOp("==") {
			return nil, p.unexpected()
		}
		x, err := p.expr()
		if err != nil {
			return nil, err
		}
		list = append(list, assignment{col, x})
		if !p.acceptOp(",") {
			return list, nil
		}
	}
}

func (p *parser) update() (statement, error) {
	p.advance()
	s := &updateStmt{}
	var err error
	if s.name, s.alias, err = p.target(); err != nil {
		return nil, err
	}
	if err = p.expect("SET"); err != nil {
		return nil, err
	}
	if s.set, err = p.assignments(); err != nil {
		return nil, err
	}
	if p.accept("WHERE") {
		s.where, err = p.expr()
	}
	return s, err
}

func (p *parser) delete() (statement, error) {
	p.advance()
	if err := p.expect("FROM"); err != nil {
		return nil, err
	}
	s := &deleteStmt{}
	var err error
	if s.name, s.alias, err = p.target(); err != nil {
		return nil, err
	}
	if p.accept("WHERE") {
		s.where, err = p.expr()
	}
	return s, err
}

func (p *parser) merge() (statement, error) {
	p.advance()
	if p.is("WITH", "SCHEMA") {
		return nil, errUnsupported("MERGE WITH SCHEMA EVOLUTION")
	}
	if err := p.expect("INTO"); err != nil {
		return nil, err
	}
	s := &mergeStmt{}
	var err error
	if s.name, s.alias, err = p.target(); err != nil {
		return nil, err
	}
	if err = p.expect("USING"); err != nil {
		return nil, err
	}
	if s.source, err = p.relationPrimary(); err != nil {
		return nil, err
	}
	if err = p.expect("ON"); err != nil {
		return nil, err
	}
	if s.on, err = p.expr(); err != nil {
		return nil, err
	}
	for p.is("WHEN") {
		a, err := p.mergeAction()
		if err != nil {
			return nil, err
		}
		s.actions = append(s.actions, a)
	}
	if len(s.actions) == 0 {
		return nil, p.unexpected()
	}
	return s, nil
}

func (p *parser) mergeAction() (a mergeAction, err error) {
	p.advance()
	switch {
	case p.accept("MATCHED"):
		a.when = "MATCHED"
	case p.accept("NOT", "MATCHED", "BY", "SOURCE"):
		a.when = "NOT MATCHED BY SOURCE"
	case p.accept("NOT", "MATCHED"):
		a.when = "NOT MATCHED"
		p.accept("BY", "TARGET")
	default:
		return a, p.unexpected()
	}
	if p.accept("AND") {
		if a.cond, err = p.expr(); err != nil {
			return a, err
		}
	}
	if err = p.expect("THEN"); err != nil {
		return a, err
	}
	if a.when == "NOT MATCHED" {
		err = p.mergeInsert(&a)
		return a, err
	}
	switch {
	case p.accept("DELETE"):
		a.verb = "DELETE"
	case p.accept("UPDATE"):
		a.verb = "UPDATE"
		if err = p.expect("SET"); err != nil {
			return a, err
		}
		if a.when == "MATCHED" && p.acceptOp("*") {
			a.star = true
			return a, nil
		}
		a.set, err = p.assignments()
	default:
		err = p.unexpected()
	}
	return a, err
}

func (p *parser) mergeInsert(a *mergeAction) (err error) {
	if err = p.expect("INSERT"); err != nil {
		return err
	}
	a.verb = "INSERT"
	if p.acceptOp("*") {
		a.star = true
		return nil
	}
	if p.isOp("(") {
		if a.columns, err = p.nameList(); err != nil {
			return err
		}
	}
	if err = p.expect("VALUES"); err != nil {
		return err
	}
	if err = p.expectOp("("); err != nil {
		return err
	}
	if a.values, err = p.exprs(); err != nil {
		return err
	}
	return p.expectOp(")")
}
