package sqlguard

import "slices"

// call reads ( arguments ) and what may follow, of the function n that the
// token start names. The function must be one that is known to only compute.
func (p *parser) call(n Name, start *token) {
	// IDENTIFIER(…)(…) and a.IDENTIFIER(…) call what an expression names.
	if last := p.toks[p.i-1]; last.word == ")" || last.word == "IDENTIFIER" {
		p.refuse(start, "the function is named by an expression", "Name the function.")
	}
	name, builtin := builtinName(n)
	if r := refusedFunction(name); builtin && r != nil {
		p.refuse(start, r.reason, r.instead)
	}
	if !builtin || !isBuiltin(name) {
		if len(n) > 3 || p.Function == nil || !p.Function(n) {
			p.refuse(start, n.String()+" is no built-in function, and others may do more than read", "Use built-in functions, or sql_execute_statement.")
		}
		p.q.Functions = append(p.q.Functions, n)
		name = ""
	}
	p.expect("(")
	p.enter()
	p.callArguments(name)
	p.leave()
	p.expect(")")
	p.callSuffixes()
	p.noCall()
}

// callArguments reads the arguments of a built-in function, or of another if
// the name is empty.
func (p *parser) callArguments(name string) {
	switch name {
	case "read_files":
		p.readFiles()
	case "table_changes":
		p.tableChanges()
	case "event_log":
		p.eventLog()
	case "cast", "try_cast":
		p.expr()
		p.expect("AS")
		p.dataType()
	case "extract":
		p.expr()
		p.fromOrMore("FROM")
	case "trim":
		if p.eatAny("BOTH", "LEADING", "TRAILING") && p.eat("FROM") {
			p.expr()
			return
		}
		p.expr()
		p.fromOrMore("FROM")
	case "substring", "substr":
		p.expr()
		p.fromOrMore("FROM", "FOR")
	case "overlay":
		p.expr()
		p.fromOrMore("PLACING", "FROM", "FOR")
	case "from_xml", "schema_of_xml":
		p.xml(name)
	default:
		p.arguments()
	}
}

// builtinName is the name of a built-in function, if n can be one: it stands
// alone, or in system.builtin.
func builtinName(n Name) (string, bool) {
	last := lowerASCII(n[len(n)-1])
	switch {
	case len(n) == 1:
		return last, true
	case lowerASCII(n[len(n)-2]) != "builtin":
		return "", false
	case len(n) == 2:
		return last, true
	}
	return last, len(n) == 3 && lowerASCII(n[0]) == "system"
}

func isBuiltin(name string) bool {
	_, found := slices.BinarySearch(builtins[:], name)
	return found
}

// fromOrMore reads the arguments behind the first: with the words of SQL's
// own syntax, as in substring(s FROM 2 FOR 3), or with commas.
func (p *parser) fromOrMore(words ...string) {
	for p.eatAny(words...) {
		p.expr()
	}
	for p.eat(",") {
		p.argument()
	}
}

// arguments reads the arguments of a call, up to the closing bracket.
func (p *parser) arguments() {
	if p.at(")") {
		return
	}
	p.eatAny("DISTINCT", "ALL")
	p.list(p.argument)
	p.eatAny("IGNORE", "RESPECT")
	p.eat("NULLS")
	if p.eat("ORDER", "BY") {
		p.sortItems()
	}
	if p.eat("LIMIT") {
		p.expr()
	}
}

// argument reads an expression, name => expression, or a table.
func (p *parser) argument() {
	if next := p.ahead(1); next.word == "=>" {
		p.field()
		p.advance()
	}
	switch {
	case p.eat("TABLE"):
		p.tableArgument()
	case p.atAny("SELECT", "WITH", "FROM"):
		p.query()
	default:
		p.expr()
		p.labelled() // struct(a AS b)
	}
}

// tableArgument reads TABLE name, TABLE (name) or TABLE (query), with how it
// is partitioned and ordered.
func (p *parser) tableArgument() {
	if p.at("(") {
		p.parens(func() {
			if p.atQuery() {
				p.query()
			} else {
				p.namedTable()
			}
		})
	} else {
		p.namedTable()
	}
	if p.eat("WITH", "SINGLE", "PARTITION") {
		return
	}
	if p.eat("PARTITION", "BY") || p.eat("DISTRIBUTE", "BY") {
		p.expr()
	}
	if p.eat("ORDER", "BY") || p.eat("SORT", "BY") {
		p.expr()
		p.direction()
	}
}

// callSuffixes reads WITHIN GROUP, FILTER, IGNORE NULLS and OVER.
func (p *parser) callSuffixes() {
	if p.eat("WITHIN", "GROUP") {
		p.parens(func() { p.expect("ORDER", "BY"); p.sortItems() })
	}
	if p.at("FILTER", "(") {
		p.advance()
		p.parens(func() { p.expect("WHERE"); p.expr() })
	}
	if p.at("IGNORE", "NULLS") || p.at("RESPECT", "NULLS") {
		p.i += 2
	}
	if p.eat("OVER") {
		p.window()
	}
}

// readFiles reads the arguments of read_files: the path as it stands, and
// options that only say how to read.
func (p *parser) readFiles() {
	for first := true; first || p.eat(","); first = false {
		option := ""
		start := p.peek()
		if p.ahead(1).word == "=>" {
			option = lowerASCII(p.field())
			p.advance()
		}
		switch {
		case option == "path" || option == "" && first:
			p.file()
		case option == "":
			p.refuse(start, "read_files takes one path, and options by name", "Write format => 'csv'.")
		case !readFilesOption(option):
			p.refuse(start, "this option of read_files may write, or name further files", "Leave it out, or use sql_execute_statement.")
		case option == "format":
			at := p.peek()
			if format, plain := p.strings(); !plain || !isFileFormat(format) {
				p.refuse(at, "the format is not one of files that is known", "Use csv, json, parquet, delta, text, avro, orc, xml or binaryFile.")
			}
		default:
			p.expr()
		}
	}
}

// xml reads the arguments of from_xml and schema_of_xml without their options,
// one of which names a schema file that may lie anywhere.
func (p *parser) xml(name string) {
	p.argument()
	if name == "from_xml" && p.eat(",") {
		p.argument()
	}
	if p.at(",") {
		p.refuse(p.peek(), "options of "+name+" may name a file", "Leave the options out.")
	}
}

// file reads a path that stands in quotes.
func (p *parser) file() {
	t := p.peek()
	if !p.atString() {
		p.refuse(t, "the path is an expression: which file it names is not known", "Write the path in quotes.")
	}
	path, plain := p.strings()
	if !plain || p.peek().kind != end && !p.atAny(",", ")", ";") {
		p.refuse(t, "the path is put together: which file it names is not known", "Write the path as one plain string.")
	}
	p.path(path, t)
}

// tableChanges reads the arguments of table_changes, the first of which names
// a table in a string.
func (p *parser) tableChanges() {
	if p.eat("TABLE") {
		p.tableArgument()
	} else {
		at := p.peek()
		n, known := p.identifierArgument()
		if known {
			p.table(n)
		}
		if at.kind == text && !known {
			p.refuse(at, "the name of the table is not understood", "Write it as 'catalog.schema.table'.")
		}
	}
	for p.eat(",") {
		p.argument()
	}
}

// eventLog reads the argument of event_log: a table, or the id of a pipeline,
// which says nothing of the table.
func (p *parser) eventLog() {
	if p.eat("TABLE") {
		p.tableArgument()
		return
	}
	p.expr()
	p.q.Opaque = true
}
