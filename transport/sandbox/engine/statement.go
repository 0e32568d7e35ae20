package engine

import "strings"

// statement is one parsed statement; the node types are below.
type statement interface{ isStatement() }

type (
	selectStmt struct{ query *query }

	explainStmt  struct{ inner statement }
	describeStmt struct {
		what     string // TABLE, SCHEMA, CATALOG, QUERY, HISTORY, DETAIL, FUNCTION
		name     nameRef
		column   string
		extended bool
		query    *query
		function string
	}
	showStmt struct {
		what    string  // CATALOGS, SCHEMAS, TABLES, VIEWS, COLUMNS, …
		in      nameRef // IN / FROM
		pattern string  // LIKE; "": none
		name    nameRef // of SHOW CREATE TABLE, COLUMNS, TBLPROPERTIES, GRANTS
		kind    string  // securable of SHOW GRANTS
		to      string  // principal of SHOW GRANTS
		key     string  // of TBLPROPERTIES
	}
	useStmt struct {
		catalog bool
		name    nameRef
	}
	setStmt struct{ key, value string }

	createContainerStmt struct { // CATALOG or SCHEMA
		catalog     bool
		name        nameRef
		ifNotExists bool
		comment     string
		properties  map[string]string
	}
	dropStmt struct {
		kind     string // CATALOG, SCHEMA, TABLE, VIEW
		name     nameRef
		ifExists bool
		cascade  bool
	}
	createTableStmt struct {
		name        nameRef
		replace     bool
		ifNotExists bool
		columns     []Column
		partitioned []string
		comment     string
		format      string
		external    bool
		properties  map[string]string
		like        *nameRef
		clone       bool
		query       *query
	}
	createViewStmt struct {
		name        nameRef
		replace     bool
		ifNotExists bool
		columns     []Column // names and comments only
		comment     string
		properties  map[string]string
		query       *query
	}
	alterStmt struct {
		kind    string // TABLE, VIEW, SCHEMA, CATALOG
		name    nameRef
		action  string // RENAME TO, ADD COLUMNS, DROP COLUMNS, RENAME COLUMN, SET TBLPROPERTIES, UNSET TBLPROPERTIES, OWNER TO, COMMENT COLUMN, NOTHING
		to      nameRef
		columns []Column
		names   []string
		props   map[string]string
		text    string
		lenient bool // IF EXISTS / IF NOT EXISTS
		query   *query
	}
	commentStmt struct {
		kind string // CATALOG, SCHEMA, TABLE, COLUMN
		name nameRef
		text string
	}
	grantStmt struct {
		revoke     bool
		privileges []string
		kind       string // securable, lower case
		name       nameRef
		principal  string
	}
	maintainStmt struct { // OPTIMIZE, VACUUM, ANALYZE, REFRESH, MSCK REPAIR
		verb string
		name nameRef
	}
	truncateStmt struct{ name nameRef }
	insertStmt   struct {
		name      nameRef
		overwrite bool
		byName    bool
		columns   []string
		query     *query
	}
	updateStmt struct {
		name  nameRef
		alias string
		set   []assignment
		where expr
	}
	deleteStmt struct {
		name  nameRef
		alias string
		where expr
	}
	mergeStmt struct {
		name    nameRef
		alias   string
		source  relation
		on      expr
		actions []mergeAction
	}
)

type assignment struct {
	column []string
	x      expr
}

// mergeAction is one WHEN clause.
type mergeAction struct {
	when    string // MATCHED, NOT MATCHED, NOT MATCHED BY SOURCE
	cond    expr
	verb    string // UPDATE, DELETE, INSERT
	star    bool   // UPDATE SET *, INSERT *
	set     []assignment
	columns []string
	values  []expr
}

func (*selectStmt) isStatement()          {}
func (*explainStmt) isStatement()         {}
func (*describeStmt) isStatement()        {}
func (*showStmt) isStatement()            {}
func (*useStmt) isStatement()             {}
func (*setStmt) isStatement()             {}
func (*createContainerStmt) isStatement() {}
func (*dropStmt) isStatement()            {}
func (*createTableStmt) isStatement()     {}
func (*createViewStmt) isStatement()      {}
func (*alterStmt) isStatement()           {}
func (*commentStmt) isStatement()         {}
func (*grantStmt) isStatement()           {}
func (*maintainStmt) isStatement()        {}
func (*truncateStmt) isStatement()        {}
func (*insertStmt) isStatement()          {}
func (*updateStmt) isStatement()          {}
func (*deleteStmt) isStatement()          {}
func (*mergeStmt) isStatement()           {}

// StatementType classifies a statement as query history does (SELECT, INSERT,
// CREATE, SHOW, …; OTHER) by its first word, without executing it.
func StatementType(text string) string {
	toks, err := tokenize(text)
	if err != nil {
		return "OTHER"
	}
	i := 0
	for toks[i].text == "(" {
		i++
	}
	switch w := toks[i].text; w {
	case "WITH", "VALUES", "TABLE", "FROM":
		return "SELECT"
	case "DESC":
		return "DESCRIBE"
	case "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "CREATE", "REPLACE", "ALTER", "DROP", "TRUNCATE", "OPTIMIZE",
		"ANALYZE", "DESCRIBE", "EXPLAIN", "SHOW", "SET", "USE", "GRANT", "REVOKE", "REFRESH":
		return w
	}
	return "OTHER"
}

// statement reads one statement by its first words.
func (p *parser) statement() (statement, error) {
	if p.isQuery() {
		q, err := p.query()
		return &selectStmt{q}, err
	}
	t := p.tok()
	if t.kind != tokWord {
		return nil, p.unexpected()
	}
	read, ok := map[string]func() (statement, error){
		"EXPLAIN": p.explain, "DESCRIBE": p.describe, "DESC": p.describe, "SHOW": p.show, "USE": p.use, "SET": p.set,
		"CREATE": p.create, "REPLACE": p.create, "DROP": p.drop, "ALTER": p.alter, "COMMENT": p.comment,
		"GRANT": p.grant, "REVOKE": p.grant, "OPTIMIZE": p.maintain, "VACUUM": p.maintain, "ANALYZE": p.maintain,
		"REFRESH": p.maintain, "MSCK": p.maintain, "TRUNCATE": p.truncate, "INSERT": p.insert, "UPDATE": p.update,
		"DELETE": p.delete, "MERGE": p.merge,
	}[t.text]
	if ok {
		return read()
	}
	if strings.Contains(" COPY CALL EXECUTE CACHE UNCACHE CLEAR RESET RESTORE SYNC FSCK REORG CONVERT UNDROP LIST PUT GET REMOVE BEGIN DECLARE LOAD FROM ", " "+t.text+" ") {
		return nil, errUnsupported("the statement %s", t.text)
	}
	return nil, p.unexpected()
}
