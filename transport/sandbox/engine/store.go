package engine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"modernc.org/sqlite"
)

// store is the SQLite database behind an engine: a file in a temporary
// directory in WAL mode, because only there do readers and a writer not block
// each other (shared memory databases lock whole tables). It opens on first use.
type store struct {
	tempDir string
	running sync.Map // id -> *execution, for functions that need their statement

	mu     sync.Mutex
	dir    string
	reader *sql.DB
	writer *sql.DB // a single connection: writes are serial
	closed bool

	seeding chan struct{} // one at a time
	known   sync.Map      // ids of the tables that are stored
}

func newStore(tempDir string) *store {
	return &store{tempDir: tempDir, seeding: make(chan struct{}, 1)}
}

var errClosed = newError("INTERNAL_ERROR", "XX000", "The sandbox's SQL engine is closed.")

// open makes the database if need be.
func (s *store) open(sleep func(context.Context, float64) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if s.reader != nil {
		return nil
	}
	dir, err := os.MkdirTemp(s.tempDir, "brickmcp-sandbox-")
	if err != nil {
		return newError("INTERNAL_ERROR", "XX000", "The sandbox could not make its temporary directory: %v.", err)
	}
	drv := &sqlite.Driver{}
	if err := s.register(drv, sleep); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(OFF)", "temp_store(MEMORY)", "case_sensitive_like(1)", "busy_timeout(10000)", "cache_size(-2000)"}}
	dsn := filepath.Join(dir, "data.db") + "?" + pragmas.Encode()
	s.dir = dir
	s.writer = sql.OpenDB(connector{drv, dsn})
	s.writer.SetMaxOpenConns(1)
	s.reader = sql.OpenDB(connector{drv, dsn})
	s.reader.SetMaxOpenConns(max(16, 4*runtime.NumCPU())) // a sleeping statement holds one
	s.reader.SetMaxIdleConns(2)
	return nil
}

type connector struct {
	drv *sqlite.Driver
	dsn string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.drv.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.drv }

func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.reader == nil {
		s.closed = true
		return nil
	}
	s.closed = true
	s.running.Range(func(_, x any) bool {
		x.(*execution).cancel()
		return true
	})
	return errors.Join(s.reader.Close(), s.writer.Close(), os.RemoveAll(s.dir))
}

// storedTable and storedColumn are the SQLite names. Columns have a prefix so
// that none is mistaken for SQLite's own rowid.
func storedTable(id string) string { return quoteIdent("t_" + id) }

func storedColumn(name string) string { return quoteIdent("c_" + strings.ToLower(name)) }

func createTable(t *Table) string {
	cols := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		cols[i] = columnDefinition(c)
	}
	return "CREATE TABLE IF NOT EXISTS " + storedTable(t.ID) + " (" + strings.Join(cols, ", ") + ")"
}

// columnDefinition has no type: SQLite then stores values as they come.
func columnDefinition(c Column) string {
	if c.NotNull {
		return storedColumn(c.Name) + " NOT NULL"
	}
	return storedColumn(c.Name)
}

// ensure sees to it that a table of the catalog is stored, with its seed rows.
func (e *Engine) ensure(ctx context.Context, t *Table) error {
	s := e.store
	if _, ok := s.known.Load(t.ID); ok {
		return nil
	}
	select {
	case s.seeding <- struct{}{}:
		defer func() { <-s.seeding }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if _, ok := s.known.Load(t.ID); ok {
		return nil
	}
	var rows iter.Seq[[]any]
	if e.opts.Rows != nil {
		rows = e.opts.Rows(*t)
	}
	if err := s.create(ctx, t, rows); err != nil {
		return err
	}
	s.known.Store(t.ID, true)
	return nil
}

func (e *Engine) stored(ctx context.Context, t *Table) error {
	if err := e.open(); err != nil {
		return err
	}
	return e.ensure(ctx, t)
}

func (s *store) create(ctx context.Context, t *Table, rows iter.Seq[[]any]) error {
	return s.transaction(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, createTable(t)); err != nil {
			return err
		}
		return insertRows(ctx, tx, t, rows)
	})
}

// append adds rows to a stored table.
func (s *store) append(ctx context.Context, t *Table, rows iter.Seq[[]any]) error {
	return s.transaction(ctx, func(tx *sql.Tx) error { return insertRows(ctx, tx, t, rows) })
}

func (s *store) discard(ctx context.Context, id string) error {
	s.mu.Lock()
	writer := s.writer
	s.mu.Unlock()
	s.known.Delete(id)
	if writer == nil {
		return nil
	}
	_, err := writer.ExecContext(ctx, "DROP TABLE IF EXISTS "+storedTable(id))
	return err
}

// transaction runs one write transaction.
func (s *store) transaction(ctx context.Context, write func(*sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := write(tx); err != nil {
		return errors.Join(err, rollback(tx))
	}
	return tx.Commit()
}

// rollback ignores that a cancelled transaction is rolled back already.
func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

// batchCells is how many values one INSERT of a bulk load carries; more do not
// make it faster, and SQLite allows 32766.
const batchCells = 1000

// insertRows loads rows in batches of a prepared statement.
func insertRows(ctx context.Context, tx *sql.Tx, t *Table, rows iter.Seq[[]any]) error {
	if rows == nil || len(t.Columns) == 0 {
		return nil
	}
	width := len(t.Columns)
	batch := max(1, batchCells/width)
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", width), ",") + ")"
	insert := "INSERT INTO " + storedTable(t.ID) + " VALUES "
	full, err := tx.PrepareContext(ctx, insert+strings.TrimSuffix(strings.Repeat(row+",", batch), ","))
	if err != nil {
		return err
	}
	defer full.Close()
	args := make([]any, 0, batch*width)
	for cells := range rows {
		if len(cells) != width {
			return newError("INTERNAL_ERROR", "XX000", "A row for %s has %d cells, the table has %d columns.", t.Name, len(cells), width)
		}
		for i, v := range cells {
			stored, err := storable(t.Columns[i].Type, v)
			if err != nil {
				return err
			}
			args = append(args, stored)
		}
		if len(args) == cap(args) {
			if _, err := full.ExecContext(ctx, args...); err != nil {
				return err
			}
			args = args[:0]
		}
	}
	if len(args) > 0 {
		_, err = tx.ExecContext(ctx, insert+strings.TrimSuffix(strings.Repeat(row+",", len(args)/width), ","), args...)
	}
	return err
}
