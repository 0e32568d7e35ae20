package engine

import (
	"database/sql"
	"strconv"
	"strings"
)

// merge has no counterpart in SQLite. The source is joined to the target once
// into a temporary table that also notes which clause applies to each row; each
// clause is then one UPDATE, DELETE or INSERT from it.
func (a *analyzer) merge(x *execution, s *mergeStmt) error {
	t, err := a.readWritable(s.name)
	if err != nil {
		return err
	}
	m := merge{a: a, t: t, table: "temp." + quoteIdent("merge_"+strconv.FormatInt(x.id, 10))}
	if err := m.join(s); err != nil {
		return err
	}
	for i, action := range s.actions {
		text, err := m.clause(i, action)
		if err != nil {
			return err
		}
		m.steps = append(m.steps, mergeStep{text, action.verb})
	}
	counts := map[string]int64{}
	err = a.engine.store.transaction(x.ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(x.ctx, m.create); err != nil {
			return err
		}
		if err := m.checkSingle(x, tx); err != nil {
			return err
		}
		for _, inserts := range []bool{false, true} { // new rows are not matched by later clauses
			for _, step := range m.steps {
				if (step.verb == "INSERT") != inserts {
					continue
				}
				r, err := tx.ExecContext(x.ctx, step.text)
				if err != nil {
					return err
				}
				n, err := r.RowsAffected()
				if err != nil {
					return err
				}
				counts[step.verb] += n
			}
		}
		_, err := tx.ExecContext(x.ctx, "DROP TABLE "+m.table)
		return err
	})
	if err != nil {
		return err
	}
	u, d, i := counts["UPDATE"], counts["DELETE"], counts["INSERT"]
	return x.counted([]string{"num_affected_rows", "num_updated_rows", "num_deleted_rows", "num_inserted_rows"}, u+d+i, u, d, i)
}

type mergeStep struct{ text, verb string }

type merge struct {
	a      *analyzer
	t      *Table
	table  string // joined rows: the source's columns, target_id, clause
	create string
	steps  []mergeStep

	cols   []boundColumn // of the source
	source *scope        // the joined table's source columns
	both   *scope        // target and source
	target *scope
}

// join analyses the source and the condition, and which clause fires for a row.
func (m *merge) join(s *mergeStmt) error {
	a := m.a
	from := &scope{}
	var f fromClause
	sourceText, err := a.relation(s.source, from, &f)
	if err != nil {
		return err
	}
	src := from.rels[0]
	if len(src.qualifier) == 0 {
		src.qualifier = []string{"source"} // so that SET * can name its columns
	}
	m.target = targetScope(m.t, s.alias, "target")
	both := &scope{rels: []*boundRelation{m.target.rels[0], src}}
	on, err := a.condition(s.on, both)
	if err != nil {
		return err
	}
	list := make([]string, 0, len(src.cols)+2)
	stored := &boundRelation{qualifier: src.qualifier}
	for i, c := range src.cols {
		list = append(list, c.sql+" AS "+outputName(i))
		stored.cols = append(stored.cols, boundColumn{name: c.name, typ: c.typ, sql: "source." + outputName(i)})
	}
	m.cols = stored.cols
	m.source = &scope{rels: []*boundRelation{stored}}
	m.both = &scope{rels: []*boundRelation{m.target.rels[0], stored}}
	var choose strings.Builder
	for i, action := range s.actions {
		test, sc := "target._rowid_ IS NOT NULL", both
		switch action.when {
		case "NOT MATCHED":
			test, sc = "target._rowid_ IS NULL", from
		case "NOT MATCHED BY SOURCE":
			continue
		}
		if action.cond != nil {
			v, err := a.condition(action.cond, sc)
			if err != nil {
				return err
			}
			test += " AND " + v.sql
		}
		choose.WriteString(" WHEN " + test + " THEN " + strconv.Itoa(i))
	}
	clause := "NULL"
	if choose.Len() > 0 {
		clause = "CASE" + choose.String() + " END"
	}
	list = append(list, "target._rowid_ AS target_id", clause+" AS clause")
	m.create = "CREATE TEMP TABLE " + strings.TrimPrefix(m.table, "temp.") + " AS SELECT " + strings.Join(list, ", ") +
		" FROM " + sourceText + " LEFT JOIN " + storedTable(m.t.ID) + " AS target ON " + on.sql
	return nil
}

// checkSingle refuses a target row that several source rows would change.
func (m *merge) checkSingle(x *execution, tx *sql.Tx) error {
	var n int
	err := tx.QueryRowContext(x.ctx, "SELECT count(*) FROM (SELECT 1 FROM "+m.table+" WHERE target_id IS NOT NULL AND clause IS NOT NULL GROUP BY target_id HAVING count(*) > 1)").Scan(&n)
	if err == nil && n > 0 {
		return newError("DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE", "21506", "Cannot perform Merge as multiple source rows matched and attempted to modify the same target row in the Delta table in possibly conflicting ways.")
	}
	return err
}

// clause writes the statement of one WHEN clause.
func (m *merge) clause(i int, action mergeAction) (string, error) {
	target := storedTable(m.t.ID)
	fires := "source.clause = " + strconv.Itoa(i)
	switch action.when {
	case "NOT MATCHED":
		return m.insert(action, fires)
	case "NOT MATCHED BY SOURCE":
		where := "target._rowid_ NOT IN (SELECT target_id FROM " + m.table + " WHERE target_id IS NOT NULL)"
		if action.cond != nil {
			v, err := m.a.condition(action.cond, m.target)
			if err != nil {
				return "", err
			}
			where += " AND " + v.sql
		}
		if action.verb == "DELETE" {
			return "DELETE FROM " + target + " AS target WHERE " + where, nil
		}
		set, err := m.a.setList(m.t, action.set, m.target)
		return "UPDATE " + target + " AS target SET " + set + " WHERE " + where, err
	}
	if action.verb == "DELETE" {
		return "DELETE FROM " + target + " WHERE _rowid_ IN (SELECT target_id FROM " + m.table + " AS source WHERE " + fires + ")", nil
	}
	set := action.set
	if action.star {
		var err error
		if set, err = m.star(); err != nil {
			return "", err
		}
	}
	list, err := m.a.setList(m.t, set, m.both)
	return "UPDATE " + target + " AS target SET " + list + " FROM " + m.table + " AS source WHERE target._rowid_ = source.target_id AND " + fires, err
}

// star is SET *: every column of the target from the source's column of that name.
func (m *merge) star() ([]assignment, error) {
	var set []assignment
	for _, c := range m.t.Columns {
		x, err := m.sourceColumn(c.Name)
		if err != nil {
			return nil, err
		}
		set = append(set, assignment{[]string{c.Name}, x})
	}
	return set, nil
}

func (m *merge) sourceColumn(name string) (expr, error) {
	if len(m.source.candidates(nil, name)) == 0 {
		return nil, errColumn([]string{name}, m.source.visibleNames())
	}
	q := m.source.rels[0].qualifier
	return &nameExpr{parts: append(append([]string(nil), q...), name)}, nil
}

func (m *merge) insert(action mergeAction, fires string) (string, error) {
	names, values := action.columns, action.values
	if action.star {
		for _, c := range m.t.Columns {
			x, err := m.sourceColumn(c.Name)
			if err != nil {
				return "", err
			}
			names, values = append(names, c.Name), append(values, x)
		}
	}
	p := plan{}
	list := make([]string, len(values))
	for i, x := range values {
		v, err := m.a.expr(x, m.source)
		if err != nil {
			return "", err
		}
		list[i] = v.sql + " AS " + outputName(i)
		p.cols = append(p.cols, Column{Name: outputLabel(x), Type: v.typ})
	}
	p.sql = "SELECT " + strings.Join(list, ", ") + " FROM " + m.table + " AS source WHERE " + fires
	return m.a.insertText(m.t, p, names, false)
}
