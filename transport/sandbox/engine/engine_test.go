package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var session = Session{User: ana, Catalog: "main", Schema: "sales"}

func ptr(s string) *string { return &s }

func TestNothingOpensBeforeTheFirstStatement(t *testing.T) {
	dir := t.TempDir()
	e, _ := open(t, func(o *Options) { o.TempDir = dir })
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Fatalf("New made %v", files)
	}
	mustRun(t, e, session, "SELECT 1")
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Fatalf("want one directory after a statement, got %v", files)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Fatalf("Close left %v", files)
	}
	if _, err := run(t, e, session, "SELECT 1"); err == nil {
		t.Fatal("a closed engine answered")
	}
}

func TestParameters(t *testing.T) {
	e, _ := open(t)
	s := session
	s.Parameters = []Parameter{{Name: "n", Value: ptr("41"), Type: "INT"}, {Name: "s", Value: ptr("it's")}, {Name: "d", Value: ptr("2024-01-31"), Type: "DATE"},
		{Name: "m", Value: ptr("9.5"), Type: "DECIMAL(10,2)"}, {Name: "nothing", Type: "BIGINT"}, {Name: "table", Value: ptr("main.sales.orders")}, {Name: "ts", Value: ptr("2024-01-31T10:00:00Z"), Type: "timestamp"},
		{Value: ptr("7"), Type: "INT"}, {Value: ptr("8"), Type: "INT"}}
	for _, c := range []struct{ sql, want string }{
		{"SELECT :n + 1 AS n, :s AS s, :d AS d, :m AS m, :nothing AS x, :ts AS t", "n INT, s STRING, d DATE, m DECIMAL(10,2), x BIGINT, t TIMESTAMP\n42 | it's | 2024-01-31 | 9.50 | NULL | 2024-01-31T10:00:00.000Z\n"},
		{"SELECT id FROM orders WHERE ordered = :d OR customer = :s OR id = :n", "id BIGINT\n"},
		{"SELECT ? - ? AS x", "x INT\n-1\n"},
		{"SELECT count(*) AS n FROM IDENTIFIER(:table)", "n BIGINT\n5\n"},
		{"SELECT id FROM orders ORDER BY id LIMIT ? OFFSET :nothing + 0", ""},
	} {
		r, err := run(t, e, s, c.sql)
		if c.want == "" {
			continue // NULL offsets are refused by whoever sees them first
		}
		if err != nil || r.String() != c.want {
			t.Errorf("%s\ngot %s (%v)\nwant %s", c.sql, r, err, c.want)
		}
	}
	s.Parameters = []Parameter{{Name: "n", Value: ptr("4x"), Type: "INT"}, {Name: "a", Value: ptr("[]"), Type: "ARRAY<INT>"}, {Name: "bad", Value: ptr("x"), Type: "NOPE"}}
	for sql, class := range map[string]string{"SELECT :n": "CAST_INVALID_INPUT", "SELECT :a": "UNSUPPORTED_FEATURE.SANDBOX", "SELECT :bad": "UNSUPPORTED_DATATYPE", "SELECT :other": "UNBOUND_SQL_PARAMETER"} {
		var got *Error
		if _, err := run(t, e, s, sql); !errors.As(err, &got) || got.Class != class {
			t.Errorf("%s: got %v, want %s", sql, err, class)
		}
	}
}

func TestErrorsCarryClassAndState(t *testing.T) {
	e, _ := open(t)
	for _, c := range []struct{ sql, class, state string }{
		{"SELECT * FROM nope", "TABLE_OR_VIEW_NOT_FOUND", "42P01"},
		{"SELECT 1/0", "DIVIDE_BY_ZERO", "22012"}, // comes through SQLite
		{"SELEC", "PARSE_SYNTAX_ERROR", "42601"},
		{"", "PARSE_EMPTY_STATEMENT", "42617"},
	} {
		_, err := run(t, e, session, c.sql)
		var got *Error
		if !errors.As(err, &got) || got.Class != c.class || got.SQLState != c.state || got.Code != "BAD_REQUEST" || !strings.HasPrefix(got.Message, "["+c.class+"] ") {
			t.Errorf("%q: %#v", c.sql, err)
		}
	}
}

// firstRow signals the first row, then keeps reading.
type firstRow struct {
	result
	once sync.Once
	seen chan struct{}
}

func (f *firstRow) Row([]Cell) error {
	f.once.Do(func() { close(f.seen) })
	return nil
}

func TestCancelInterruptsBetweenRows(t *testing.T) {
	e, _ := open(t)
	for name, sql := range map[string]string{
		"rows":    "SELECT id FROM range(100000000000)",
		"far row": "SELECT id FROM range(100000000000) WHERE id = 0 OR id = 99999999999", // a second row never comes
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			sink := &firstRow{seen: make(chan struct{})}
			done := make(chan error, 1)
			go func() { done <- e.Run(ctx, session, sql, sink) }()
			<-sink.seen
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v", err)
			}
		})
	}
	mustRun(t, e, session, "SELECT count(*) FROM orders") // the engine is well
}

func TestCancelEndsASleepAndAWrite(t *testing.T) {
	asleep := make(chan struct{}, 8)
	e, _ := open(t, func(o *Options) {
		o.Sleep = func(ctx context.Context, _ time.Duration) error {
			asleep <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}
	})
	for _, sql := range []string{"SELECT sandbox_sleep(3600)", "INSERT INTO orders (id) SELECT 77 WHERE sandbox_sleep(3600)", "CREATE TABLE slow AS SELECT sandbox_sleep(3600) AS s"} {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx, session, sql, &result{}) }()
		<-asleep
		// a reader is not blocked by the writer that sleeps
		if r := mustRun(t, e, session, "SELECT count(*) FROM orders"); r.rows[0][0] != "5" {
			t.Errorf("during %s: %s", sql, r)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", sql, err)
		}
	}
	if r := mustRun(t, e, session, "SELECT count(*) FROM orders"); r.rows[0][0] != "5" {
		t.Errorf("a cancelled insert left its row: %s", r)
	}
	if _, err := run(t, e, session, "SELECT * FROM slow"); err == nil {
		t.Error("a cancelled CREATE TABLE AS left a table")
	}
}

func TestSleepIsInjected(t *testing.T) {
	var slept []time.Duration
	e, _ := open(t, func(o *Options) {
		o.Sleep = func(_ context.Context, d time.Duration) error { slept = append(slept, d); return nil }
	})
	mustRun(t, e, session, "SELECT sandbox_sleep(id / 2) FROM range(1, 4)")
	if want := []time.Duration{500 * time.Millisecond, time.Second, 1500 * time.Millisecond}; !slices.Equal(slept, want) {
		t.Errorf("slept %v, want %v", slept, want)
	}
}

func TestWaitingWriterHonoursItsContext(t *testing.T) {
	e, _ := open(t)
	unlock, err := e.lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.Run(ctx, session, "DELETE FROM orders", &result{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

type failingSink struct{ result }

var errSink = errors.New("the reader went away")

func (*failingSink) Row([]Cell) error { return errSink }

func TestSinkErrorEndsTheStatement(t *testing.T) {
	e, _ := open(t)
	if err := e.Run(context.Background(), session, "SELECT id FROM range(100000000000)", &failingSink{}); !errors.Is(err, errSink) {
		t.Errorf("got %v", err)
	}
}

func TestConcurrentStatements(t *testing.T) {
	e, _ := open(t)
	mustRun(t, e, session, "CREATE TABLE counters (n INT)")
	var wg sync.WaitGroup
	failures := make(chan error, 200)
	for w := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 10 {
				sql := "SELECT customer, sum(amount), upper(status) FROM orders GROUP BY ALL"
				if w%2 == 0 {
					sql = fmt.Sprintf("INSERT INTO counters VALUES (%d)", i)
				}
				if err := e.Run(context.Background(), session, sql, &result{}); err != nil {
					failures <- err
				}
			}
		}()
	}
	wg.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
	if r := mustRun(t, e, session, "SELECT count(*) FROM counters"); r.rows[0][0] != "40" {
		t.Errorf("rows after concurrent inserts: %s", r)
	}
}

func TestLoad(t *testing.T) {
	e, m := open(t)
	cols := []Column{{Name: "id", Type: Scalar(Long)}, {Name: "at", Type: Scalar(Timestamp)}, {Name: "price", Type: DecimalOf(10, 2)}, {Name: "ok", Type: Scalar(Boolean)}, {Name: "tags", Type: ArrayOf(Scalar(String))}}
	_ = m.PutTable("", Table{Name: Name{"main", "sales", "bulk"}, ID: "bulk", Columns: cols})
	const n = 20_000
	rows := func(yield func([]any) bool) {
		for i := range n {
			if !yield([]any{i, testNow.Add(time.Duration(i) * time.Second), float64(i) / 4, i%2 == 0, []string{"a", "b"}}) {
				return
			}
		}
	}
	start := time.Now()
	if err := e.Load(context.Background(), Name{"MAIN", "sales", "Bulk"}, iter.Seq[[]any](rows)); err != nil {
		t.Fatal(err)
	}
	t.Logf("loaded %d rows in %v", n, time.Since(start))
	r := mustRun(t, e, session, "SELECT count(*) AS n, max(id) AS m, sum(price) AS s, count_if(ok) AS ok, max(at) AS at, max(tags[1]) AS t FROM bulk")
	if want := "n BIGINT, m BIGINT, s DECIMAL(20,2), ok BIGINT, at TIMESTAMP, t STRING\n20000 | 19999 | 49997500.00 | 10000 | 2024-06-15T16:03:19.000Z | b\n"; r.String() != want {
		t.Errorf("got %s want %s", r, want)
	}
	if err := e.Load(context.Background(), Name{"main", "sales", "bulk"}, slices.Values([][]any{{"x", nil, nil, nil, nil}})); err == nil {
		t.Error("a text was loaded into a BIGINT column")
	}
	if err := e.Load(context.Background(), Name{"main", "sales", "nope"}, nil); err == nil {
		t.Error("rows were loaded into a table that does not exist")
	}
	if err := e.Discard(context.Background(), "bulk"); err != nil {
		t.Fatal(err)
	}
	if r := mustRun(t, e, session, "SELECT count(*) FROM bulk"); r.rows[0][0] != "0" {
		t.Errorf("rows after Discard: %s", r)
	}
}

// TestNamesCannotInject sends hostile names and texts through every quoting layer.
func TestNamesCannotInject(t *testing.T) {
	e, _ := open(t)
	mustRun(t, e, session, "CREATE TABLE `we\"ird'--` (`a\"b` STRING, `rowid` INT, `select` INT)")
	mustRun(t, e, session, "INSERT INTO `we\"ird'--` VALUES ('it''s \"x\" -- /*', 1, 2)")
	r := mustRun(t, e, session, "SELECT `a\"b`, rowid, `select` FROM `we\"ird'--` WHERE `a\"b` LIKE 'it%'")
	if got := r.rows[0]; got[0] != "it's \"x\" -- /*" || got[1] != "1" || got[2] != "2" {
		t.Errorf("got %q", got)
	}
}

func TestStatementType(t *testing.T) {
	for text, want := range map[string]string{"-- x\n select 1": "SELECT", "with a as (select 1) select * from a": "SELECT", "(select 1)": "SELECT", "desc t": "DESCRIBE",
		"Merge into t": "MERGE", "nonsense": "OTHER", "'": "OTHER", "": "OTHER", "values (1)": "SELECT"} {
		if got := StatementType(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestParseType(t *testing.T) {
	for text, want := range map[string]string{"int": "INT", "bigint": "BIGINT", "decimal(12, 3)": "DECIMAL(12,3)", "array<array<string>>": "ARRAY<ARRAY<STRING>>", "map<string,int>": "MAP<STRING, INT>",
		"struct<a: int, b array<date>>": "STRUCT<a: INT, b: ARRAY<DATE>>", "varchar(10)": "STRING"} {
		got, err := ParseType(text)
		if err != nil || got.String() != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "int int", "decimal(99,1)", "array<", "array<int", "map<int>", "nope", "struct<a>"} {
		if got, err := ParseType(bad); err == nil {
			t.Errorf("%q gave %s", bad, got)
		}
	}
}
