package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"brickmcp/catalog"
	"brickmcp/tools/sqlguard"
)

// text is the SQL that the call carries.
func (j *judgement) text() (string, bool) {
	for _, t := range j.call.Touches {
		if t.Scope == catalog.ScopeSQL {
			return t.ID, true
		}
	}
	return "", false
}

// onlyReads reports a statement that provably only reads.
func (j *judgement) onlyReads() bool {
	text, ok := j.text()
	if !ok {
		return false
	}
	_, err := sqlguard.Read(text, j.SQL())
	return err == nil
}

// statement adds what a SQL text reads to the objects. Where Unity Catalog is
// narrowed, a text that is no plain read cannot be judged, and is refused.
func (j *judgement) statement() bool {
	text, ok := j.text()
	l := j.narrowing(ucScopes...)
	if !ok || l == nil {
		return true
	}
	query, err := sqlguard.Read(text, j.readable())
	switch {
	case err != nil:
		var refusal *sqlguard.Refusal
		if errors.As(err, &refusal) && strings.Contains(refusal.Instead, catalog.ExecuteStatement.Name) {
			refusal.Instead = "" // that would be refused as well
		}
		j.refuse(l, nil, fmt.Sprintf("where %s narrows, only plain reads go through: %s", j.place(l.rule, l.line), err))
		return false
	case query.Opaque:
		j.refuse(l, nil, fmt.Sprintf("the statement names an object by an expression, and %s narrows what it may read; write the name itself.", j.place(l.rule, l.line)))
		return false
	}
	j.writes = false
	for _, name := range query.Tables {
		if !j.add(l, catalog.ScopeTables, name) {
			return false
		}
	}
	for _, name := range query.Functions {
		if !j.add(l, catalog.ScopeFunctions, name) {
			return false
		}
	}
	for _, path := range query.Paths {
		j.objects = append(j.objects, Object{Scope: catalog.ScopeVolumes, ID: path})
	}
	return j.containers(l, query)
}

// readable lets every function and every file through that the scopes can judge
// afterwards, so that their refusal says which scope it was.
func (j *judgement) readable() sqlguard.Options {
	o := sqlguard.Options{Path: inVolumes}
	if len(j.lists[catalog.ScopeFunctions]) > 0 {
		o.Function = func(sqlguard.Name) bool { return true }
	}
	return o
}

// add completes a name by the call's catalog and schema and puts it among the
// objects.
func (j *judgement) add(l *list, scope catalog.Scope, name sqlguard.Name) bool {
	parts := append(sqlguard.Name(nil), name...)
	if len(parts) == 1 {
		if schema := j.argument("schema"); schema != "" {
			parts = append(sqlguard.Name{schema}, parts...)
		}
	}
	if len(parts) == 2 {
		if name := j.argument("catalog"); name != "" {
			parts = append(sqlguard.Name{name}, parts...)
		}
	}
	if len(parts) != 3 {
		_, example := shapeOf(scope)
		o := &Object{Scope: scope, ID: name.String()}
		j.refuse(l, o, fmt.Sprintf("which catalog and schema %s is in is not known, and %s narrows it; write a full name such as %s, or pass catalog and schema.", o, j.place(l.rule, l.line), example))
		return false
	}
	j.objects = append(j.objects, Object{Scope: scope, ID: parts.String()})
	return true
}

// containers judges what SHOW lists and DESCRIBE describes. No one filters the
// rows of SHOW: all that is in the catalog or schema must be let through. What is
// in none, such as an external location, no scope can let through.
func (j *judgement) containers(l *list, query *sqlguard.Query) bool {
	names, about := query.Containers, query.About
	nothing := len(names) == 0 && len(query.Tables) == 0 && len(query.Functions) == 0 && len(query.Paths) == 0
	reach := itself
	switch {
	case query.Kind == "SHOW":
		reach = listed(about)
		if nothing {
			names = []sqlguard.Name{nil} // of the session
		}
	case query.Kind == "DESCRIBE" && nothing:
		switch about {
		case "QUERY", "SELECT", "WITH", "VALUES", "FROM", "": // of a query, perhaps in brackets, that reads nothing
		default:
			j.refuse(l, nil, fmt.Sprintf("what the statement describes is in no catalog and schema, or none that is known, and %s narrows it; write the full name of a table, schema, function or volume.", j.place(l.rule, l.line)))
			return false
		}
	}
	for _, name := range names {
		o, ok := j.container(about, name)
		if !ok {
			j.refuse(l, nil, fmt.Sprintf("which catalog and schema the statement is about is not known, and %s narrows it; write both, such as IN main.sales, or use the uc_list tools, which show what is allowed.", j.place(l.rule, l.line)))
			return false
		}
		if v := j.judge(&o, reach); v.by != nil {
			j.refuse(v.by, &o, fmt.Sprintf("%s is outside %s, or not all in it is let through; the uc_list tools show what is allowed.", &o, j.place(v.by.rule, v.by.line)))
			return false
		}
		j.objects = append(j.objects, o)
	}
	return true
}

// listed is how much of a catalog or schema a SHOW lists.
func listed(about string) extent {
	switch about {
	case "SCHEMAS", "DATABASES", "TABLES", "TABLE", "VIEWS", "COLUMNS":
		return itsTables
	}
	return everything
}

// container completes the name of a catalog or schema by the call's arguments.
// Whether one part is a catalog or a schema depends on what the statement is
// about.
func (j *judgement) container(about string, name sqlguard.Name) (o Object, ok bool) {
	inCatalog, inSchema := false, false
	switch about {
	case "SCHEMAS", "DATABASES", "CATALOG":
		inCatalog = true
	case "TABLES", "TABLE", "VIEWS", "COLUMNS", "VOLUMES", "FUNCTIONS", "SCHEMA", "DATABASE":
		inSchema = true
	}
	parts := append(sqlguard.Name(nil), name...)
	if len(parts) == 0 && inSchema && j.argument("schema") != "" {
		parts = sqlguard.Name{j.argument("schema")}
	}
	if (len(parts) == 0 && inCatalog || len(parts) == 1 && inSchema) && j.argument("catalog") != "" {
		parts = append(sqlguard.Name{j.argument("catalog")}, parts...)
	}
	switch {
	case len(parts) == 1 && inCatalog:
		return Object{Scope: catalog.ScopeCatalogs, ID: parts.String()}, true
	case len(parts) == 2 && !inCatalog:
		return Object{Scope: catalog.ScopeSchemas, ID: parts.String()}, true
	}
	return o, false
}

// argument is a text argument of the call.
func (j *judgement) argument(name string) string {
	var value string
	if raw, ok := j.call.Args[name]; ok {
		if err := json.Unmarshal(raw, &value); err != nil {
			return ""
		}
	}
	return value
}
