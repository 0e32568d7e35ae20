package engine

import (
	"fmt"
	"strings"
)

// Error is a failed statement, worded as Databricks words it.
type Error struct {
	Code     string // status.error.error_code: BAD_REQUEST, …
	Class    string // the bracketed class: TABLE_OR_VIEW_NOT_FOUND
	SQLState string // status.sql_state: 42P01
	Message  string // "[CLASS] text. SQLSTATE: xxxxx", ready for status.error.message
}

func (e *Error) Error() string { return e.Message }

// newError words an error; text is without class and SQLSTATE.
func newError(class, state, format string, args ...any) *Error {
	text := fmt.Sprintf(format, args...)
	return &Error{Code: "BAD_REQUEST", Class: class, SQLState: state,
		Message: "[" + class + "] " + text + " SQLSTATE: " + state}
}

// at adds the place, as the parser's errors have it.
func (e *Error) at(line, pos int) *Error {
	e.Message += fmt.Sprintf(" (line %d, pos %d)", line, pos)
	return e
}

func errSyntax(near string, line, pos int) *Error {
	where := "'" + near + "'"
	if near == "" {
		where = "end of input"
	}
	return newError("PARSE_SYNTAX_ERROR", "42601", "Syntax error at or near %s.", where).at(line, pos)
}

func errUnsupported(format string, args ...any) *Error {
	return newError("UNSUPPORTED_FEATURE.SANDBOX", "0A000", "The feature is not supported: "+format+" is not supported by the sandbox.", args...)
}

func errTableNotFound(parts []string) *Error {
	return newError("TABLE_OR_VIEW_NOT_FOUND", "42P01", "The table or view %s cannot be found. Verify the spelling and correctness of the schema and catalog.\n"+
		"If you did not qualify the name with a schema, verify the current_schema() output, or qualify the name with the correct schema and catalog.\n"+
		"To tolerate the error on drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS.", quoteParts(parts))
}

func errTableExists(parts []string) *Error {
	return newError("TABLE_OR_VIEW_ALREADY_EXISTS", "42P07", "Cannot create table or view %s because it already exists.\n"+
		"Choose a different name, drop or replace the existing object, add the IF NOT EXISTS clause to tolerate pre-existing objects, or add the OR REFRESH clause to refresh the existing streaming table.", quoteParts(parts))
}

func errSchemaNotFound(parts ...string) *Error {
	return newError("SCHEMA_NOT_FOUND", "42704", "The schema %s cannot be found. Verify the spelling and correctness of the schema and catalog.\n"+
		"If you did not qualify the name with a catalog, verify the current_schema() output, or qualify the name with the correct catalog.\n"+
		"To tolerate the error on drop use DROP SCHEMA IF EXISTS.", quoteParts(parts))
}

func errCatalogNotFound(name string) *Error {
	return newError("NO_SUCH_CATALOG_EXCEPTION", "42704", "Catalog %s was not found. Please verify the spelling and correctness of the catalog name, and that you have access to it.", quoteParts([]string{name}))
}

func errColumn(name []string, candidates []string) *Error {
	if len(candidates) == 0 {
		return newError("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", "42703", "A column, variable, or function parameter with name %s cannot be resolved.", quoteParts(name))
	}
	return newError("UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703", "A column, variable, or function parameter with name %s cannot be resolved. Did you mean one of the following? [%s].",
		quoteParts(name), strings.Join(nearest(name[len(name)-1], candidates, 5), ", "))
}

// errMismatch is an argument or operand of the wrong type.
func errMismatch(what, format string, args ...any) *Error {
	return newError("DATATYPE_MISMATCH."+what, "42K09", format, args...)
}

var privilegeNames = strings.NewReplacer("_", " ")

func errDenied(privilege, securable, name string) *Error {
	kind := strings.ToUpper(securable[:1]) + securable[1:]
	if name != "" {
		kind += " '" + name + "'"
	}
	e := newError("INSUFFICIENT_PERMISSIONS", "42501", "Insufficient privileges:\nUser does not have %s on %s.", privilegeNames.Replace(privilege), kind)
	return e
}

func quoteParts(parts []string) string {
	quoted := make([]string, len(parts))
	for i, p := range parts {
		quoted[i] = "`" + strings.ReplaceAll(p, "`", "``") + "`"
	}
	return strings.Join(quoted, ".")
}
