package engine

import (
	"strconv"
	"strings"
)

// pretty writes an expression the way Spark names an unaliased column:
// (a + 1), sum(x), CAST(x AS INT).
func pretty(x expr) string {
	switch x := x.(type) {
	case nil:
		return ""
	case *literal:
		return prettyLiteral(x)
	case *nameExpr:
		return x.parts[len(x.parts)-1]
	case *starExpr:
		return "*"
	case *callExpr:
		return prettyCall(x)
	case *unaryExpr:
		if x.op == "NOT" {
			return "(NOT " + pretty(x.x) + ")"
		}
		return "(" + x.op + " " + pretty(x.x) + ")"
	case *binaryExpr:
		if x.op == "||" {
			return "concat(" + pretty(x.l) + ", " + pretty(x.r) + ")"
		}
		if x.op == "<>" {
			return "(NOT (" + pretty(x.l) + " = " + pretty(x.r) + "))"
		}
		return "(" + pretty(x.l) + " " + strings.ToLower(x.op) + " " + pretty(x.r) + ")"
	case *betweenExpr:
		return prettyNot(x.not, "between("+pretty(x.x)+", "+pretty(x.lo)+", "+pretty(x.hi)+")")
	case *inExpr:
		if x.query != nil {
			return prettyNot(x.not, "("+pretty(x.x)+" IN (listquery()))")
		}
		return prettyNot(x.not, "("+pretty(x.x)+" IN ("+prettyList(x.list)+"))")
	case *likeExpr:
		if x.op == "LIKE" {
			return prettyNot(x.not, pretty(x.x)+" LIKE "+pretty(x.pattern))
		}
		return prettyNot(x.not, strings.ToLower(x.op)+"("+pretty(x.x)+", "+pretty(x.pattern)+")")
	case *isExprNode:
		if x.not {
			return "(" + pretty(x.x) + " IS NOT " + x.what + ")"
		}
		return "(" + pretty(x.x) + " IS " + x.what + ")"
	case *existsExpr:
		return "exists()"
	case *subqueryEx:
		return "scalarsubquery()"
	case *caseExpr:
		return prettyCase(x)
	case *castExpr:
		name := "CAST("
		if x.try {
			name = "TRY_CAST("
		}
		return name + pretty(x.x) + " AS " + x.to.String() + ")"
	case *intervalExpr:
		parts := make([]string, len(x.parts))
		for i, p := range x.parts {
			parts[i] = "INTERVAL '" + pretty(p.value) + "' " + p.unit
		}
		return strings.Join(parts, " + ")
	case *paramExpr:
		if x.name == "" {
			return "?"
		}
		return ":" + x.name
	case *indexExpr:
		return pretty(x.x) + "[" + pretty(x.index) + "]"
	case *fieldExpr:
		return pretty(x.x) + "." + x.name
	case *jsonExpr:
		return pretty(x.x) + ":" + strings.TrimPrefix(strings.TrimPrefix(x.path, "$"), ".")
	case *lambdaExpr:
		return "lambdafunction(" + pretty(x.body) + ", " + strings.Join(x.params, ", ") + ")"
	}
	return "expr"
}

func prettyNot(not bool, s string) string {
	if not {
		return "(NOT " + s + ")"
	}
	return s
}

func prettyList(list []expr) string {
	parts := make([]string, len(list))
	for i, x := range list {
		parts[i] = pretty(x)
	}
	return strings.Join(parts, ", ")
}

func prettyLiteral(l *literal) string {
	switch v := l.val.(type) {
	case nil:
		return "NULL"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return v
	case float64:
		return formatDouble(v)
	case int64:
		switch l.typ.Kind {
		case Date:
			return "DATE '" + formatDate(v) + "'"
		case Timestamp:
			return "TIMESTAMP '" + formatTimestampText(v) + "'"
		}
		return strconv.FormatInt(v, 10)
	}
	return ""
}

func prettyCall(c *callExpr) string {
	if c.star {
		return c.name + "(1)" + prettyOver(c)
	}
	args := prettyList(c.args)
	if c.distinct {
		args = "DISTINCT " + args
	}
	s := c.name + "(" + args + ")"
	if c.filter != nil {
		s += " FILTER (WHERE " + pretty(c.filter) + ")"
	}
	return s + prettyOver(c)
}

func prettyOver(c *callExpr) string {
	if c.over == nil {
		return ""
	}
	var parts []string
	if len(c.over.partition) > 0 {
		parts = append(parts, "PARTITION BY "+prettyList(c.over.partition))
	}
	if len(c.over.order) > 0 {
		var keys []string
		for _, o := range c.over.order {
			dir := " ASC NULLS FIRST"
			if o.desc {
				dir = " DESC NULLS LAST"
			}
			keys = append(keys, pretty(o.x)+dir)
		}
		parts = append(parts, "ORDER BY "+strings.Join(keys, ", "))
	}
	return " OVER (" + strings.Join(parts, " ") + ")"
}

func prettyCase(x *caseExpr) string {
	var b strings.Builder
	b.WriteString("CASE")
	if x.operand != nil {
		b.WriteString(" " + pretty(x.operand))
	}
	for _, w := range x.whens {
		b.WriteString(" WHEN " + pretty(w.when) + " THEN " + pretty(w.then))
	}
	if x.other != nil {
		b.WriteString(" ELSE " + pretty(x.other))
	}
	return b.String() + " END"
}
