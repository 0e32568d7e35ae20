package engine

// containsAggregate tells whether an expression aggregates its rows, not
// counting window functions and subqueries.
func containsAggregate(x expr) bool {
	if c, ok := x.(*callExpr); ok && c.over == nil {
		if _, agg := aggregates[c.name]; agg || c.star {
			return true
		}
	}
	for _, child := range children(x) {
		if containsAggregate(child) {
			return true
		}
	}
	return false
}

// children are the direct subexpressions, without those of subqueries.
func children(x expr) []expr {
	switch x := x.(type) {
	case *callExpr:
		list := append([]expr(nil), x.args...)
		if x.over != nil {
			list = append(list, x.over.partition...)
			for _, o := range x.over.order {
				list = append(list, o.x)
			}
		}
		return list
	case *unaryExpr:
		return []expr{x.x}
	case *binaryExpr:
		return []expr{x.l, x.r}
	case *betweenExpr:
		return []expr{x.x, x.lo, x.hi}
	case *inExpr:
		return append([]expr{x.x}, x.list...)
	case *likeExpr:
		return []expr{x.x, x.pattern}
	case *isExprNode:
		return []expr{x.x}
	case *caseExpr:
		var list []expr
		if x.operand != nil {
			list = append(list, x.operand)
		}
		for _, w := range x.whens {
			list = append(list, w.when, w.then)
		}
		if x.other != nil {
			list = append(list, x.other)
		}
		return list
	case *castExpr:
		return []expr{x.x}
	case *intervalExpr:
		var list []expr
		for _, p := range x.parts {
			list = append(list, p.value)
		}
		return list
	case *indexExpr:
		return []expr{x.x, x.index}
	case *fieldExpr:
		return []expr{x.x}
	case *jsonExpr:
		return []expr{x.x}
	}
	return nil
}
