package engine

// expr is an expression; the node types are below.
type expr interface{ isExpr() }

type (
	// literal has a Go value of its type: nil, bool, int64, float64 or string;
	// DECIMAL keeps its digits as string, DATE days and TIMESTAMP microseconds
	// since 1970 as int64.
	literal struct {
		typ Type
		val any
	}
	nameExpr struct {
		parts []string
		pos   int
	}
	starExpr struct {
		qualifier []string
		except    []string
	}
	callExpr struct {
		name        string // lower case
		args        []expr
		distinct    bool
		star        bool // count(*)
		ignoreNulls bool
		within      []orderItem // WITHIN GROUP (ORDER BY …)
		filter      expr
		over        *window
		overName    string
		pos         int
	}
	unaryExpr struct {
		op string
		x  expr
	}
	binaryExpr struct {
		op   string
		l, r expr
	}
	betweenExpr struct {
		x, lo, hi expr
		not       bool
	}
	inExpr struct {
		x     expr
		list  []expr
		query *query
		not   bool
	}
	likeExpr struct {
		x, pattern, escape expr
		op                 string // LIKE, ILIKE, RLIKE
		not                bool
	}
	isExprNode struct {
		x    expr
		what string // NULL, TRUE, FALSE
		not  bool
	}
	existsExpr struct{ query *query }
	subqueryEx struct{ query *query }
	caseExpr   struct {
		operand expr
		whens   []whenArm
		other   expr
	}
	castExpr struct {
		x   expr
		to  Type
		try bool
	}
	intervalExpr struct{ parts []intervalPart }
	paramExpr    struct {
		name  string // "" for ?
		index int
		pos   int
	}
	indexExpr struct{ x, index expr }
	fieldExpr struct {
		x    expr
		name string
	}
	jsonExpr struct {
		x    expr
		path string
	}
	lambdaExpr struct {
		params []string
		body   expr
	}
)

type whenArm struct{ when, then expr }

type intervalPart struct {
	value expr
	unit  string // singular, upper case
}

func (*literal) isExpr()      {}
func (*nameExpr) isExpr()     {}
func (*starExpr) isExpr()     {}
func (*callExpr) isExpr()     {}
func (*unaryExpr) isExpr()    {}
func (*binaryExpr) isExpr()   {}
func (*betweenExpr) isExpr()  {}
func (*inExpr) isExpr()       {}
func (*likeExpr) isExpr()     {}
func (*isExprNode) isExpr()   {}
func (*existsExpr) isExpr()   {}
func (*subqueryEx) isExpr()   {}
func (*caseExpr) isExpr()     {}
func (*castExpr) isExpr()     {}
func (*intervalExpr) isExpr() {}
func (*paramExpr) isExpr()    {}
func (*indexExpr) isExpr()    {}
func (*fieldExpr) isExpr()    {}
func (*jsonExpr) isExpr()     {}
func (*lambdaExpr) isExpr()   {}

type orderItem struct {
	x     expr
	desc  bool
	nulls string // "", FIRST, LAST
}

type window struct {
	base      string // WINDOW name it builds on
	partition []expr
	order     []orderItem
	frame     string // ROWS or RANGE, "" for none
	from, to  frameBound
}

type frameBound struct {
	x    expr   // of "x PRECEDING"
	what string // UNBOUNDED PRECEDING, PRECEDING, CURRENT ROW, FOLLOWING, UNBOUNDED FOLLOWING
}

// query is a full query expression: WITH … body ORDER BY … LIMIT … OFFSET.
type query struct {
	recursive bool
	ctes      []cte
	body      queryBody
	order     []orderItem
	orderAll  bool
	limit     expr
	offset    expr
	text      string // as written, for views
}

type cte struct {
	name    string
	columns []string
	query   *query
}

type queryBody interface{ isBody() }

type (
	selectBody struct {
		distinct bool
		items    []selectItem
		from     []relation
		where    expr
		group    []expr
		groupAll bool
		having   expr
		qualify  expr
		windows  map[string]*window
	}
	setBody struct {
		op   string // UNION, INTERSECT, EXCEPT
		all  bool
		l, r queryBody
	}
	valuesBody struct{ rows [][]expr }
	nestedBody struct{ query *query }
)

func (*selectBody) isBody() {}
func (*setBody) isBody()    {}
func (*valuesBody) isBody() {}
func (*nestedBody) isBody() {}

type selectItem struct {
	x       expr
	alias   string
	aliases []string // AS (a, b), for generators
}

// relation is an item of FROM.
type relation interface{ isRelation() }

type (
	tableRel struct {
		name    nameRef
		alias   string
		columns []string
		pos     int
	}
	subqueryRel struct {
		query   *query
		alias   string
		columns []string
	}
	functionRel struct {
		call    *callExpr
		alias   string
		columns []string
		outer   bool // LATERAL VIEW OUTER
	}
	joinRel struct {
		kind  string // INNER, LEFT, RIGHT, FULL, CROSS, LEFT SEMI, LEFT ANTI
		l, r  relation
		on    expr
		using []string
	}
)

func (*tableRel) isRelation()    {}
func (*subqueryRel) isRelation() {}
func (*functionRel) isRelation() {}
func (*joinRel) isRelation()     {}

// nameRef is a possibly qualified object name, or IDENTIFIER(expr).
type nameRef struct {
	parts []string
	ident expr
}
