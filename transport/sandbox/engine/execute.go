package engine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strconv"
	"strings"
	"sync"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// execution is one running statement.
type execution struct {
	id      int64
	ctx     context.Context
	cancel  context.CancelFunc
	session Session
	sink    Sink

	mu    sync.Mutex
	types []Type
	cells []Cell
	err   error // of the sink or of rendering: it must not pass through SQLite's text
}

// execute runs a parsed statement.
func (e *Engine) execute(ctx context.Context, s Session, stmt statement, sink Sink) error {
	if err := e.open(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x := &execution{id: e.next.Add(1), ctx: ctx, cancel: cancel, session: s, sink: sink}
	e.store.running.Store(x.id, x)
	defer e.store.running.Delete(x.id)
	err := e.dispatch(x, stmt)
	return x.outcome(err)
}

func (e *Engine) dispatch(x *execution, stmt statement) error {
	a := e.newAnalyzer(x)
	switch s := stmt.(type) {
	case *selectStmt:
		p, err := a.query(s.query, nil)
		if err != nil {
			return err
		}
		return e.stream(x, p)
	case *explainStmt:
		return a.explain(x, s)
	case *describeStmt:
		return a.describe(x, s)
	case *showStmt:
		return a.show(x, s)
	case *useStmt:
		return a.use(s)
	case *setStmt:
		return a.set(x, s)
	}
	unlock, err := e.lock(x.ctx)
	if err != nil {
		return err
	}
	defer unlock()
	switch s := stmt.(type) {
	case *createContainerStmt:
		return a.createContainer(s)
	case *dropStmt:
		return a.drop(s)
	case *createTableStmt:
		return a.createTable(x, s)
	case *createViewStmt:
		return a.createView(s)
	case *alterStmt:
		return a.alter(s)
	case *commentStmt:
		return a.comment(s)
	case *grantStmt:
		return a.grant(s)
	case *maintainStmt:
		return a.maintain(x, s)
	case *truncateStmt:
		return a.truncate(s)
	case *insertStmt:
		return a.insert(x, s)
	case *updateStmt:
		return a.update(x, s)
	case *deleteStmt:
		return a.delete(x, s)
	case *mergeStmt:
		return a.merge(x, s)
	}
	return errUnsupported("this statement")
}

// outcome turns what came back from SQLite into the error of the statement.
func (x *execution) outcome(err error) error {
	x.mu.Lock()
	own := x.err
	x.mu.Unlock()
	switch {
	case err == nil:
		return nil
	case own != nil:
		return own
	case x.ctx.Err() != nil:
		return x.ctx.Err()
	}
	return translate(err)
}

// translate words SQLite's errors as Databricks words them. What remains after
// analysis is few: most mistakes never reach SQLite.
func translate(err error) error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	text := err.Error()
	if e, ok := unmarked(text); ok {
		return e
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err // of the catalog or the sink
	}
	switch {
	case e.Code() == sqlite3.SQLITE_CONSTRAINT_NOTNULL:
		column := text[strings.LastIndex(text, ".c_")+3:]
		column, _, _ = strings.Cut(column, " ")
		return newError("DELTA_NOT_NULL_CONSTRAINT_VIOLATED", "23502", "NOT NULL constraint violated for column: %s.", column)
	case strings.Contains(text, "integer overflow"):
		return errOverflow(Scalar(Long))
	case strings.Contains(text, "no such table"):
		return newError("TABLE_OR_VIEW_NOT_FOUND", "42P01", "A table of this statement cannot be found. It was dropped while the statement was starting.")
	case strings.Contains(text, "too large") || strings.Contains(text, "too many") || strings.Contains(text, "stack overflow") || strings.Contains(text, "at most"):
		return newError("FAILED_TO_PARSE_TOO_COMPLEX", "54001", "The statement, including potential SQL functions and referenced views, was too complex to parse.")
	case strings.Contains(text, "circular reference") || strings.Contains(text, "recursive"):
		return newError("INVALID_RECURSIVE_REFERENCE.PLACE", "42836", "Invalid recursive reference found inside the WITH RECURSIVE clause: recursive references cannot be used in this place.")
	case strings.Contains(text, "window function"), strings.Contains(text, "aggregate"):
		return newError("UNSUPPORTED_EXPR_FOR_OPERATOR", "42K0E", "A query operator contains one or more unsupported expressions: an aggregate or window function in a place where none is allowed.")
	}
	return newError("INTERNAL_ERROR", "XX000", "The sandbox could not execute the statement (storage error %d). Try a simpler form of it.", e.Code())
}

// stream runs a query and hands its rows to the sink.
func (e *Engine) stream(x *execution, p plan) error {
	for _, c := range p.cols {
		x.types = append(x.types, c.Type)
	}
	if err := x.sink.Columns(p.cols); err != nil {
		return err
	}
	if len(p.cols) > 900 { // SQLite functions take up to 1000 arguments
		return errUnsupported("a result of %d columns", len(p.cols))
	}
	x.cells = make([]Cell, len(p.cols))
	text := "SELECT x_emit(" + strconv.FormatInt(x.id, 10) + ", " + outputList(len(p.cols), "") + ") FROM (" + p.sql + ")"
	var ignored sql.NullString
	err := e.store.reader.QueryRowContext(x.ctx, text).Scan(&ignored)
	return err
}

// emit renders one row; SQLite calls it through the emitter.
func (x *execution) emit(row []driver.Value) error {
	fail := func(err error) error {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.err = err
		return err
	}
	if err := x.ctx.Err(); err != nil {
		return fail(err)
	}
	for i, v := range row {
		c, err := render(x.types[i], v)
		if err != nil {
			return fail(err)
		}
		x.cells[i] = c
	}
	if err := x.sink.Row(x.cells); err != nil {
		return fail(err)
	}
	return nil
}

// table delivers a result that the engine made itself.
func (x *execution) table(cols []Column, rows [][]Cell) error {
	if err := x.sink.Columns(cols); err != nil {
		return err
	}
	for _, r := range rows {
		if err := x.sink.Row(r); err != nil {
			return err
		}
	}
	return nil
}

// columns makes result columns from "name TYPE" words; STRING is the default.
func columns(specs ...string) []Column {
	cols := make([]Column, len(specs))
	for i, s := range specs {
		name, kind, typed := strings.Cut(s, " ")
		if !typed {
			kind = string(String)
		}
		cols[i] = Column{Name: name, Type: Scalar(Kind(kind))}
	}
	return cols
}

// cells makes a row of texts.
func cells(texts ...string) []Cell {
	row := make([]Cell, len(texts))
	for i, t := range texts {
		row[i] = Cell{Text: t}
	}
	return row
}

// orNullCell is NULL for an empty text.
func orNullCell(s string) Cell { return Cell{Text: s, Null: s == ""} }
