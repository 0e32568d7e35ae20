package engine

import (
	"database/sql"
	"strconv"
	"strings"
)

// writable finds a table whose rows may be changed.
func (a *analyzer) writable(n nameRef, privilege string) (*Table, error) {
	parts, err := a.nameParts(n)
	if err != nil {
		return nil, err
	}
	full, err := a.fullName(parts)
	if err != nil {
		return nil, err
	}
	if full.Schema == "information_schema" {
		return nil, errDenied("MODIFY", "table", full.String())
	}
	t, err := a.accessible(full, parts, privilege)
	if err != nil {
		return nil, err
	}
	if t.isView() {
		return nil, newError("EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE", "42809", "The operation expects a table but %s is a view.", quoteParts(full.parts()))
	}
	return t, nil
}

// readWritable finds a table for a statement that also reads it.
func (a *analyzer) readWritable(n nameRef) (*Table, error) {
	t, err := a.writable(n, "MODIFY")
	if err != nil {
		return nil, err
	}
	return t, a.require("SELECT", "table", t.normal().String())
}

// counted delivers the one-row answer of a DML statement.
func (x *execution) counted(names []string, counts ...int64) error {
	cols := make([]Column, len(names))
	row := make([]Cell, len(names))
	for i, n := range names {
		cols[i] = Column{Name: n, Type: Scalar(Long)}
		row[i] = Cell{Text: strconv.FormatInt(counts[i], 10)}
	}
	return x.table(cols, [][]Cell{row})
}

// exec runs statements in one transaction and gives the rows each changed.
func (a *analyzer) exec(x *execution, statements ...string) ([]int64, error) {
	counts := make([]int64, len(statements))
	err := a.engine.store.transaction(x.ctx, func(tx *sql.Tx) error {
		for i, text := range statements {
			r, err := tx.ExecContext(x.ctx, text)
			if err != nil {
				return err
			}
			if counts[i], err = r.RowsAffected(); err != nil {
				return err
			}
		}
		return nil
	})
	return counts, err
}

func (a *analyzer) insert(x *execution, s *insertStmt) error {
	t, err := a.writable(s.name, "MODIFY")
	if err != nil {
		return err
	}
	if err := a.resolveDefaults(t, s); err != nil {
		return err
	}
	p, err := a.query(s.query, nil)
	if err != nil {
		return err
	}
	text, err := a.insertText(t, p, s.columns, s.byName)
	if err != nil {
		return err
	}
	statements := []string{text}
	if s.overwrite {
		// the new rows are read before the old ones go
		temp := quoteIdent("overwrite_" + strconv.FormatInt(x.id, 10))
		statements = []string{
			"CREATE TEMP TABLE " + temp + " AS " + p.sql,
			"DELETE FROM " + storedTable(t.ID),
			strings.Replace(text, "("+p.sql+")", temp, 1),
			"DROP TABLE " + temp,
		}
	}
	counts, err := a.exec(x, statements...)
	if err != nil {
		return err
	}
	n := counts[0]
	if s.overwrite {
		n = counts[2]
	}
	return x.counted([]string{"num_affected_rows", "num_inserted_rows"}, n, n)
}

// resolveDefaults replaces DEFAULT in the rows of INSERT … VALUES.
func (a *analyzer) resolveDefaults(t *Table, s *insertStmt) error {
	v, ok := s.query.body.(*valuesBody)
	if !ok {
		return nil
	}
	for _, row := range v.rows {
		for i, x := range row {
			n, ok := x.(*nameExpr)
			if !ok || len(n.parts) != 1 || !strings.EqualFold(n.parts[0], "DEFAULT") {
				continue
			}
			col := i
			if s.columns != nil && i < len(s.columns) {
				col = columnIndex(t, s.columns[i])
			}
			if col < 0 || col >= len(t.Columns) {
				continue
			}
			def, err := defaultOf(t.Columns[col])
			if err != nil {
				return err
			}
			row[i] = def
		}
	}
	return nil
}

func defaultOf(c Column) (expr, error) {
	if c.Default == "" {
		return &literal{Scalar(Null), nil}, nil
	}
	p, err := newParser(c.Default)
	if err != nil {
		return nil, err
	}
	return p.expr()
}

func columnIndex(t *Table, name string) int {
	for i, c := range t.Columns {
		if strings.EqualFold(c.Name, name) {
			return i
		}
	}
	return -1
}

// insertText writes INSERT … SELECT with every value cast to its column.
func (a *analyzer) insertText(t *Table, p plan, names []string, byName bool) (string, error) {
	if byName {
		names = make([]string, len(p.cols))
		for i, c := range p.cols {
			names[i] = c.Name
		}
	}
	want := len(t.Columns)
	if names != nil {
		want = len(names)
	}
	if len(p.cols) != want {
		class, text := "INSERT_COLUMN_ARITY_MISMATCH.TOO_MANY_DATA_COLUMNS", "too many data columns"
		if len(p.cols) < want {
			class, text = "INSERT_COLUMN_ARITY_MISMATCH.NOT_ENOUGH_DATA_COLUMNS", "not enough data columns"
		}
		return "", newError(class, "21S01", "Cannot write to %s, the reason is %s:\nTable columns: %s.\nData columns: %s.", quoteParts(t.parts()), text, columnNames(t.Columns), columnNames(p.cols))
	}
	var targets, values []string
	given := map[int]bool{}
	for i, c := range p.cols {
		at := i
		if names != nil {
			if at = columnIndex(t, names[i]); at < 0 {
				return "", errColumn([]string{names[i]}, quotedNames(t.Columns))
			}
			if given[at] {
				return "", newError("COLUMN_ALREADY_EXISTS", "42711", "The column %s already exists. Choose another name or rename the existing column.", quoteParts([]string{names[i]}))
			}
		}
		given[at] = true
		v, err := assignable(t, t.Columns[at], value{sql: outputName(i), typ: c.Type})
		if err != nil {
			return "", err
		}
		targets, values = append(targets, storedColumn(t.Columns[at].Name)), append(values, v.sql)
	}
	for i, c := range t.Columns { // columns left out take their default
		if given[i] || c.Default == "" {
			continue
		}
		def, err := defaultOf(c)
		if err != nil {
			return "", err
		}
		v, err := a.expr(def, &scope{})
		if err == nil {
			v, err = assignable(t, c, v)
		}
		if err != nil {
			return "", err
		}
		targets, values = append(targets, storedColumn(c.Name)), append(values, v.sql)
	}
	return "INSERT INTO " + storedTable(t.ID) + " (" + strings.Join(targets, ", ") + ") SELECT " + strings.Join(values, ", ") + " FROM (" + p.sql + ")", nil
}

func columnNames(cols []Column) string { return strings.Join(quotedNames(cols), ", ") }

func quotedNames(cols []Column) []string {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = quoteParts([]string{c.Name})
	}
	return names
}

// assignable casts a value to a column, as storing it does.
func assignable(t *Table, c Column, v value) (value, error) {
	ok := v.typ.Kind == Null || v.typ.equal(c.Type) || c.Type.Kind == String && !v.typ.isNested() || v.typ.Kind == String && !c.Type.isNested() ||
		v.typ.isNumeric() && c.Type.isNumeric() || v.typ.isTemporal() && c.Type.isTemporal() || v.typ.Kind == c.Type.Kind && castable(v.typ, c.Type)
	if !ok {
		return v, newError("INCOMPATIBLE_DATA_FOR_TABLE.CANNOT_SAFELY_CAST", "KD000", "Cannot write incompatible data for the table %s: Cannot safely cast %s %q to %q.", quoteParts(t.parts()), quoteParts([]string{c.Name}), v.typ, c.Type)
	}
	return castTo(v, c.Type, false)
}

// targetScope puts the target of UPDATE, DELETE or MERGE into scope.
func targetScope(t *Table, alias, name string) *scope {
	r := &boundRelation{qualifier: t.parts()}
	if alias != "" {
		r.qualifier = []string{alias}
	}
	for _, c := range t.Columns {
		r.cols = append(r.cols, boundColumn{name: c.Name, typ: c.Type, sql: name + "." + storedColumn(c.Name)})
	}
	return &scope{rels: []*boundRelation{r}}
}

// setList writes the assignments of UPDATE.
func (a *analyzer) setList(t *Table, set []assignment, sc *scope) (string, error) {
	var parts []string
	seen := map[int]bool{}
	for _, s := range set {
		i := columnIndex(t, s.column[len(s.column)-1])
		if i < 0 {
			return "", errColumn(s.column, quotedNames(t.Columns))
		}
		if seen[i] {
			return "", newError("DELTA_CONFLICT_SET_COLUMN", "42701", "There is a conflict from these SET columns: %s.", quoteParts([]string{t.Columns[i].Name}))
		}
		seen[i] = true
		x := s.x
		if n, ok := x.(*nameExpr); ok && len(n.parts) == 1 && strings.EqualFold(n.parts[0], "DEFAULT") {
			def, err := defaultOf(t.Columns[i])
			if err != nil {
				return "", err
			}
			x = def
		}
		v, err := a.expr(x, sc)
		if err != nil {
			return "", err
		}
		if v.agg || v.win {
			return "", newError("UNSUPPORTED_EXPR_FOR_OPERATOR", "42K0E", "A query operator contains one or more unsupported expressions: %q.", pretty(s.x))
		}
		if v, err = assignable(t, t.Columns[i], v); err != nil {
			return "", err
		}
		parts = append(parts, storedColumn(t.Columns[i].Name)+" = "+v.sql)
	}
	return strings.Join(parts, ", "), nil
}

func (a *analyzer) update(x *execution, s *updateStmt) error {
	t, err := a.readWritable(s.name)
	if err != nil {
		return err
	}
	sc := targetScope(t, s.alias, "target")
	set, err := a.setList(t, s.set, sc)
	if err != nil {
		return err
	}
	text := "UPDATE " + storedTable(t.ID) + " AS target SET " + set
	where, err := a.where(s.where, sc)
	if err != nil {
		return err
	}
	if len(where) > 0 {
		text += " WHERE " + where[0]
	}
	counts, err := a.exec(x, text)
	if err != nil {
		return err
	}
	return x.counted([]string{"num_affected_rows"}, counts[0])
}

func (a *analyzer) delete(x *execution, s *deleteStmt) error {
	t, err := a.readWritable(s.name)
	if err != nil {
		return err
	}
	text := "DELETE FROM " + storedTable(t.ID) + " AS target WHERE 1"
	where, err := a.where(s.where, targetScope(t, s.alias, "target"))
	if err != nil {
		return err
	}
	if len(where) > 0 {
		text += " AND " + where[0]
	}
	counts, err := a.exec(x, text)
	if err != nil {
		return err
	}
	return x.counted([]string{"num_affected_rows"}, counts[0])
}

func (a *analyzer) truncate(s *truncateStmt) error {
	t, err := a.writable(s.name, "MODIFY")
	if err != nil {
		return err
	}
	_, err = a.engine.store.writer.ExecContext(a.ctx, "DELETE FROM "+storedTable(t.ID))
	return err
}
