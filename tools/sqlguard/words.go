package sqlguard

// reserved words are no names without backticks. Spark would let many of them
// pass as names; then a query could read in two ways, so they are refused.
//
//go:noinline
func reserved(w string) bool {
	switch w {
	case "ALL", "AND", "ANTI", "AS", "BETWEEN", "CASE", "CROSS", "DISTINCT", "ELSE", "EXCEPT",
		"FROM", "FULL", "GROUP", "HAVING", "IN", "INNER", "INTERSECT", "INTO", "IS", "JOIN", "LATERAL",
		"LEFT", "LIKE", "ILIKE", "RLIKE", "REGEXP", "MINUS", "NATURAL", "NOT", "ON", "OR", "ORDER",
		"PIVOT", "QUALIFY", "RIGHT", "SELECT", "SEMI", "TABLE", "TABLESAMPLE", "THEN", "UNION",
		"UNPIVOT", "USING", "WHEN", "WHERE", "WITH",
		"DELETE", "INSERT", "MERGE", "OVERWRITE", "UPDATE":
		return true
	}
	return false
}

// clause words begin a clause where a name without AS could stand, and are
// names elsewhere: SELECT offset, window.start FROM t.
//
//go:noinline
func clause(w string) bool {
	switch w {
	case "CLUSTER", "DISTRIBUTE", "END", "FETCH", "FOR", "LIMIT", "OFFSET", "SORT", "WINDOW",
		"SET", "VALUES", "DIV", "ESCAPE", "COLLATE", "DESC", "ASC", "NULLS", "ASOF", "MATCH_RECOGNIZE",
		"RECORDWRITER", "RECORDREADER":
		return true
	}
	return false
}

// effect says what a statement or clause that begins with the word does, and
// is empty for the rest.
//
//go:noinline
func effect(w string) string {
	switch w {
	case "INSERT", "MERGE", "UPDATE", "DELETE", "TRUNCATE", "COPY", "OVERWRITE", "LOAD", "IMPORT":
		return w + " changes data"
	case "CREATE", "ALTER", "DROP", "UNDROP", "REPLACE", "COMMENT", "RENAME", "MSCK", "REPAIR", "SYNC", "LOCK", "UNLOCK":
		return w + " changes the catalog"
	case "GRANT", "REVOKE", "DENY":
		return w + " changes who may do what"
	case "OPTIMIZE", "VACUUM", "REORG", "FSCK", "RESTORE", "CLONE", "CONVERT", "GENERATE", "APPLY":
		return w + " rewrites a table"
	case "ANALYZE", "CACHE", "UNCACHE", "CLEAR", "REFRESH":
		return w + " changes caches or statistics"
	case "SET", "RESET", "USE", "UNSET":
		return w + " changes settings of the session"
	case "CALL", "EXECUTE", "EXEC", "PREPARE", "DO", "RUN":
		return w + " runs a program"
	case "BEGIN", "DECLARE", "IF", "LOOP", "WHILE", "FOR", "REPEAT", "SIGNAL", "RESIGNAL", "OPEN", "CLOSE":
		return w + " begins a SQL script or a transaction"
	case "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "ATOMIC", "END", "ABORT", "TRANSACTION":
		return w + " controls a transaction"
	case "LIST", "LS", "PUT", "GET", "REMOVE", "RM", "ADD", "EXPORT", "UNLOAD", "DFS":
		return w + " works on files"
	case "INTO":
		return "INTO writes the result somewhere"
	case "MAP", "REDUCE", "RECORDWRITER", "RECORDREADER":
		return w + " … USING runs a program"
	case "KILL", "STOP", "ATTACH", "DETACH", "PRAGMA", "HANDLER", "FLUSH", "SHUTDOWN", "CHANGE", "PURGE", "RELEASE", "UNINSTALL", "INSTALL", "WAITFOR", "VALIDATE":
		return w + " is no read"
	}
	return ""
}
