package engine

import (
	"context"
	"iter"
	"sync/atomic"
	"time"
)

// Options configure an Engine. Only Catalog is required.
type Options struct {
	// Catalog knows which catalogs, schemas, tables and grants exist.
	Catalog Catalog

	// Rows gives the initial rows of a table that the Catalog lists and that
	// has no stored data yet: seed data, loaded when the table is first used.
	// A cell is nil, bool, int, int64, float64, string or time.Time and is
	// converted to the column's type. Asked once per Table.ID (again only if
	// the statement that needed it was cancelled); nil (the func or the
	// sequence) means an empty table.
	Rows func(Table) iter.Seq[[]any]

	// Now is the clock of current_timestamp() and friends; nil: time.Now.
	Now func() time.Time

	// Sleep serves sandbox_sleep(seconds); it returns ctx.Err() when ctx ends
	// first. nil: a timer.
	Sleep func(ctx context.Context, d time.Duration) error

	// TempDir is where the database file lives while the engine is open;
	// "": the system's temporary directory.
	TempDir string
}

// Engine executes Databricks SQL. Safe for concurrent use: reads run in
// parallel and are not blocked by writes, writes run one after the other.
type Engine struct {
	opts  Options
	store *store
	write chan struct{} // one writer at a time, from its first catalog look-up to its commit
	next  atomic.Int64
}

// New makes an engine. It costs nothing until the first Run or Load: only then
// is the database opened.
func New(opts Options) *Engine {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Sleep == nil {
		opts.Sleep = sleep
	}
	return &Engine{opts: opts, store: newStore(opts.TempDir), write: make(chan struct{}, 1)}
}

// lock waits for the writers before; unlock is to be called when err is nil.
func (e *Engine) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case e.write <- struct{}{}:
		return func() { <-e.write }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// open makes the database, the first time.
func (e *Engine) open() error {
	return e.store.open(func(ctx context.Context, seconds float64) error {
		return e.opts.Sleep(ctx, time.Duration(seconds*float64(time.Second)))
	})
}

// Close releases the database and deletes its file. Statements still running
// fail; so does everything after it.
func (e *Engine) Close() error { return e.store.close() }

// Session is what a statement runs with. The statement execution API has no
// state between statements, so it is passed to each Run.
type Session struct {
	User    string // current_user(); owner of what is created
	Catalog string // current_catalog(); "": "main"
	Schema  string // current_schema(); "": "default"

	// Parameters are the values of :name markers (by name) and ? markers (by
	// position, among those with an empty Name).
	Parameters []Parameter

	// Allowed answers whether User holds a privilege; nil allows everything.
	// Asked for each object touched, outermost first: USE_CATALOG, USE_SCHEMA,
	// then SELECT or MODIFY on the table; CREATE_CATALOG, CREATE_SCHEMA,
	// CREATE_TABLE on the parent; MANAGE for DROP, ALTER, COMMENT, GRANT, REVOKE
	// (owners hold MANAGE; the owner of a parent holds it on the child).
	// BROWSE is asked to filter listings (SHOW, information_schema): "may see
	// that it exists", true with any privilege on the object or ownership.
	// Securables are "metastore" (Name ""), "catalog", "schema", "table" (also
	// views), "volume", "function". A view is read with its owner's rights:
	// only the view itself is asked for.
	Allowed func(privilege, securable, fullName string) bool
}

// Parameter is one value of the statement API's parameters list.
type Parameter struct {
	Name  string
	Value *string // nil: NULL
	Type  string  // SQL type name; "": STRING
}

// Sink receives a result. Its errors end the statement and come back from Run.
type Sink interface {
	// Columns is called once, before any row, and only by statements that have
	// a result: not by DDL.
	Columns([]Column) error
	// Row delivers one row, as many cells as columns, each as the JSON_ARRAY
	// format renders it. The slice is reused for the next row.
	Row([]Cell) error
}

// Cell is one rendered value.
type Cell struct {
	Text string
	Null bool
}

// Run executes one statement and streams its result into sink. An error in
// the statement is an *Error; ctx's error comes back as context.Canceled or
// context.DeadlineExceeded when the statement was interrupted.
func (e *Engine) Run(ctx context.Context, s Session, text string, sink Sink) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	stmt, err := parse(text)
	if err != nil {
		return err
	}
	return e.execute(ctx, s.withDefaults(), stmt, sink)
}

// Load appends rows to a table that the Catalog knows. Cells are as in
// Options.Rows.
func (e *Engine) Load(ctx context.Context, table Name, rows iter.Seq[[]any]) error {
	t := e.opts.Catalog.Table(table.normal())
	if t == nil {
		return errTableNotFound(table.parts())
	}
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := e.stored(ctx, t); err != nil {
		return err
	}
	return e.store.append(ctx, t, rows)
}

// Discard deletes the stored rows of a table that was dropped outside SQL, by
// its Table.ID. Unknown ids are fine.
func (e *Engine) Discard(ctx context.Context, id string) error {
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return e.store.discard(ctx, id)
}

func (s Session) withDefaults() Session {
	if s.Catalog == "" {
		s.Catalog = "main"
	}
	if s.Schema == "" {
		s.Schema = "default"
	}
	if s.Allowed == nil {
		s.Allowed = func(string, string, string) bool { return true }
	}
	return s
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
