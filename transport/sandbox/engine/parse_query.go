package engine

import "strings"

// isQuery tells whether a query starts here.
func (p *parser) isQuery() bool { return p.queryFollows(0) }

func (p *parser) queryFollows(n int) bool {
	for p.peek(n).kind == tokOp && p.peek(n).text == "(" {
		n++
	}
	t := p.peek(n)
	if t.kind != tokWord {
		return false
	}
	next := p.peek(n + 1)
	switch t.text {
	case "SELECT":
		return true
	case "WITH":
		return next.kind == tokWord || next.kind == tokQuoted
	case "VALUES":
		return next.kind != tokOp || strings.Contains("(+-:?", next.text)
	case "TABLE":
		return next.kind == tokWord || next.kind == tokQuoted
	case "FROM":
		return false
	}
	return false
}

func (p *parser) query() (*query, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	q := &query{}
	start := p.tok().pos
	if p.accept("WITH") {
		if err := p.with(q); err != nil {
			return nil, err
		}
	}
	var err error
	if q.body, err = p.setOperation(0); err != nil {
		return nil, err
	}
	if err := p.orderAndLimit(q); err != nil {
		return nil, err
	}
	q.text = p.src[start:p.toks[max(p.i-1, 0)].end]
	return q, nil
}

func (p *parser) with(q *query) error {
	q.recursive = p.accept("RECURSIVE")
	for {
		var c cte
		var err error
		if c.name, err = p.name(); err != nil {
			return err
		}
		if p.isOp("(") {
			if c.columns, err = p.nameList(); err != nil {
				return err
			}
		}
		p.accept("AS")
		if err = p.expectOp("("); err != nil {
			return err
		}
		if c.query, err = p.query(); err != nil {
			return err
		}
		if err = p.expectOp(")"); err != nil {
			return err
		}
		q.ctes = append(q.ctes, c)
		if !p.acceptOp(",") {
			return nil
		}
	}
}

func (p *parser) orderAndLimit(q *query) error {
	var err error
	if p.isOne("CLUSTER", "DISTRIBUTE", "SORT") && p.peek(1).text == "BY" {
		return errUnsupported("%s BY", p.tok().text)
	}
	if p.accept("ORDER", "BY") {
		if p.is("ALL") && p.peek(1).text != "," {
			q.orderAll = true
			p.advance()
			q.order = []orderItem{{desc: !p.accept("ASC") && p.accept("DESC")}}
		} else if q.order, err = p.orderItems(); err != nil {
			return err
		}
	}
	if p.accept("LIMIT") {
		if !p.accept("ALL") {
			if q.limit, err = p.expr(); err != nil {
				return err
			}
		}
	}
	if p.accept("OFFSET") {
		q.offset, err = p.expr()
	}
	return err
}

// setOperation reads UNION, EXCEPT (level 0) and INTERSECT (level 1), which
// binds tighter.
func (p *parser) setOperation(level int) (queryBody, error) {
	if level == 2 {
		return p.queryPrimary()
	}
	l, err := p.setOperation(level + 1)
	for err == nil {
		op := ""
		if level == 0 {
			op = p.acceptOne("UNION", "EXCEPT", "MINUS")
			if op == "MINUS" {
				op = "EXCEPT"
			}
		} else {
			op = p.acceptOne("INTERSECT")
		}
		if op == "" {
			break
		}
		s := &setBody{op: op, l: l, all: p.accept("ALL")}
		if !s.all {
			p.accept("DISTINCT")
		}
		s.r, err = p.setOperation(level + 1)
		l = s
	}
	return l, err
}

func (p *parser) queryPrimary() (queryBody, error) {
	switch {
	case p.acceptOp("("):
		q, err := p.query()
		if err != nil {
			return nil, err
		}
		return &nestedBody{q}, p.expectOp(")")
	case p.accept("SELECT"):
		return p.selectBody()
	case p.accept("VALUES"):
		return p.values()
	case p.accept("TABLE"):
		pos := p.tok().pos
		name, err := p.objectName()
		return &selectBody{items: []selectItem{{x: &starExpr{}}}, from: []relation{&tableRel{name: name, pos: pos}}}, err
	}
	return nil, p.unexpected()
}

func (p *parser) values() (*valuesBody, error) {
	v := &valuesBody{}
	for {
		var row []expr
		var err error
		if p.isOp("(") && !p.queryFollows(0) {
			p.advance()
			if row, err = p.exprs(); err == nil {
				err = p.expectOp(")")
			}
		} else {
			var x expr
			x, err = p.expr()
			row = []expr{x}
		}
		if err != nil {
			return nil, err
		}
		v.rows = append(v.rows, row)
		if !p.acceptOp(",") {
			return v, nil
		}
	}
}

func (p *parser) selectBody() (*selectBody, error) {
	s := &selectBody{}
	if s.distinct = p.accept("DISTINCT"); !s.distinct {
		p.accept("ALL")
	}
	var err error
	if s.items, err = p.selectItems(); err != nil {
		return nil, err
	}
	if p.accept("FROM") {
		if s.from, err = p.from(); err != nil {
			return nil, err
		}
	}
	if p.accept("WHERE") {
		if s.where, err = p.expr(); err != nil {
			return nil, err
		}
	}
	if p.accept("GROUP", "BY") {
		if err = p.groupBy(s); err != nil {
			return nil, err
		}
	}
	if p.accept("HAVING") {
		if s.having, err = p.expr(); err != nil {
			return nil, err
		}
	}
	if p.accept("QUALIFY") {
		if s.qualify, err = p.expr(); err != nil {
			return nil, err
		}
	}
	if p.accept("WINDOW") {
		err = p.namedWindows(s)
	}
	return s, err
}

func (p *parser) groupBy(s *selectBody) error {
	if p.isOne("ROLLUP", "CUBE") && p.peek(1).text == "(" || p.is("GROUPING", "SETS") {
		return errUnsupported("GROUP BY %s", p.tok().text)
	}
	if p.is("ALL") && p.peek(1).text != "," && p.peek(1).text != "(" {
		p.advance()
		s.groupAll = true
		return nil
	}
	var err error
	if s.group, err = p.exprs(); err != nil {
		return err
	}
	if p.is("WITH", "ROLLUP") || p.is("WITH", "CUBE") || p.is("GROUPING", "SETS") {
		return errUnsupported("GROUP BY … %s %s", p.tok().text, p.peek(1).text)
	}
	return nil
}

func (p *parser) namedWindows(s *selectBody) error {
	s.windows = map[string]*window{}
	for {
		name, err := p.name()
		if err != nil {
			return err
		}
		if err := p.expect("AS"); err != nil {
			return err
		}
		if s.windows[strings.ToLower(name)], err = p.window(); err != nil {
			return err
		}
		if !p.acceptOp(",") {
			return nil
		}
	}
}

func (p *parser) selectItems() ([]selectItem, error) {
	var items []selectItem
	for {
		if p.isOne("FROM", "WHERE") {
			return nil, p.unexpected()
		}
		x, err := p.expr()
		if err != nil {
			return nil, err
		}
		it := selectItem{x: x}
		if p.is("AS") && p.peek(1).text == "(" {
			p.advance()
			if it.aliases, err = p.nameList(); err != nil {
				return nil, err
			}
		} else if it.alias, err = p.alias(); err != nil {
			return nil, err
		}
		items = append(items, it)
		if !p.acceptOp(",") {
			return items, nil
		}
	}
}

func (p *parser) from() ([]relation, error) {
	var list []relation
	for {
		r, err := p.relation()
		if err != nil {
			return nil, err
		}
		for p.is("LATERAL", "VIEW") {
			if r, err = p.lateralView(r); err != nil {
				return nil, err
			}
		}
		list = append(list, r)
		if !p.acceptOp(",") {
			return list, nil
		}
	}
}

func (p *parser) lateralView(l relation) (relation, error) {
	p.advance()
	p.advance()
	f := &functionRel{outer: p.accept("OUTER")}
	pos := p.tok().pos
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	x, err := p.call(strings.ToLower(name), pos)
	if err != nil {
		return nil, err
	}
	f.call = x.(*callExpr)
	if !p.is("AS") {
		if f.alias, err = p.alias(); err != nil {
			return nil, err
		}
	}
	if p.accept("AS") {
		for {
			c, err := p.name()
			if err != nil {
				return nil, err
			}
			f.columns = append(f.columns, c)
			if !p.acceptOp(",") {
				break
			}
		}
	}
	return &joinRel{kind: "CROSS", l: l, r: f}, nil
}

// relation reads a table expression with its joins.
func (p *parser) relation() (relation, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	l, err := p.relationPrimary()
	for err == nil {
		kind, ok, kerr := p.joinKind()
		if kerr != nil || !ok {
			return l, kerr
		}
		j := &joinRel{kind: kind, l: l}
		if j.r, err = p.relationPrimary(); err != nil {
			return nil, err
		}
		switch {
		case p.accept("ON"):
			j.on, err = p.expr()
		case p.accept("USING"):
			j.using, err = p.nameList()
		}
		l = j
	}
	return nil, err
}

func (p *parser) joinKind() (kind string, ok bool, err error) {
	if p.is("NATURAL") {
		return "", false, errUnsupported("NATURAL JOIN")
	}
	switch {
	case p.accept("JOIN"), p.accept("INNER", "JOIN"):
		return "INNER", true, nil
	case p.accept("CROSS", "JOIN"):
		return "CROSS", true, nil
	case p.accept("SEMI", "JOIN"), p.accept("LEFT", "SEMI", "JOIN"):
		return "LEFT SEMI", true, nil
	case p.accept("ANTI", "JOIN"), p.accept("LEFT", "ANTI", "JOIN"):
		return "LEFT ANTI", true, nil
	}
	for _, k := range []string{"LEFT", "RIGHT", "FULL"} {
		if p.accept(k, "OUTER", "JOIN") || p.accept(k, "JOIN") {
			return k, true, nil
		}
	}
	return "", false, nil
}

func (p *parser) relationPrimary() (relation, error) {
	p.accept("LATERAL")
	t := p.tok()
	switch {
	case p.isOp("(") && p.queryFollows(1), p.is("VALUES"):
		return p.subqueryRelation()
	case p.acceptOp("("):
		r, err := p.relation()
		if err != nil {
			return nil, err
		}
		return r, p.expectOp(")")
	case t.kind == tokWord && p.peek(1).text == "(" && t.text != "IDENTIFIER":
		p.advance()
		x, err := p.call(strings.ToLower(t.val), t.pos)
		if err != nil {
			return nil, err
		}
		f := &functionRel{call: x.(*callExpr)}
		f.alias, f.columns, err = p.tableAlias()
		return f, err
	case t.kind == tokWord && clauseWords[t.text]:
		return nil, p.unexpected()
	}
	name, err := p.objectName()
	if err != nil {
		return nil, err
	}
	for _, w := range []string{"VERSION", "TIMESTAMP"} {
		if p.is(w, "AS", "OF") {
			return nil, errUnsupported("time travel (%s AS OF)", w)
		}
	}
	if p.isOp("@") {
		return nil, errUnsupported("time travel (table@version)")
	}
	r := &tableRel{name: name, pos: t.pos}
	r.alias, r.columns, err = p.tableAlias()
	return r, err
}

func (p *parser) subqueryRelation() (relation, error) {
	r := &subqueryRel{}
	var err error
	if p.accept("VALUES") {
		v, verr := p.values()
		r.query, err = &query{body: v}, verr
	} else {
		p.advance()
		if r.query, err = p.query(); err == nil {
			err = p.expectOp(")")
		}
	}
	if err != nil {
		return nil, err
	}
	r.alias, r.columns, err = p.tableAlias()
	return r, err
}

// tableAlias reads [AS] t [(a, b)] and refuses what could follow.
func (p *parser) tableAlias() (alias string, columns []string, err error) {
	for _, w := range []string{"TABLESAMPLE", "PIVOT", "UNPIVOT"} {
		if p.is(w) {
			return "", nil, errUnsupported("%s", w)
		}
	}
	if alias, err = p.alias(); err != nil || alias == "" {
		return alias, nil, err
	}
	if p.isOp("(") {
		columns, err = p.nameList()
	}
	return alias, columns, err
}
