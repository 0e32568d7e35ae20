package engine

import (
	"context"
	"database/sql/driver"
	"strings"

	"modernc.org/sqlite"
)

// native is a function that SQLite lacks, in Go. Arguments are int64, float64,
// string or []byte, never nil: a NULL argument gives NULL without a call.
type native func(args []driver.Value) (any, error)

// register adds the functions to a driver. The names begin with x_ to keep them
// apart from SQLite's own and from those a statement can name.
func (s *store) register(drv *sqlite.Driver, sleep func(context.Context, float64) error) error {
	for _, table := range []map[string]native{nativeCasts, nativeStrings, nativeNumbers, nativeTimes, nativeArrays, nativesOfNull} {
		for name, fn := range table {
			_, seesNull := nativesOfNull[name]
			err := drv.RegisterFunction(name, &sqlite.FunctionImpl{NArgs: -1, Deterministic: !volatile[name], Scalar: scalar(fn, seesNull)})
			if err != nil {
				return err
			}
		}
	}
	for name, fold := range bags {
		fold := fold
		err := drv.RegisterFunction(name, &sqlite.FunctionImpl{NArgs: -1, Deterministic: true, MakeAggregate: func(sqlite.FunctionContext) (sqlite.AggregateFunction, error) {
			return &bag{fold: fold}, nil
		}})
		if err != nil {
			return err
		}
	}
	err := drv.RegisterFunction("x_sleep", &sqlite.FunctionImpl{NArgs: 2, Scalar: func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		x, ok := s.execution(args[0])
		if seconds := number(args[1]); ok && seconds > 0 {
			if err := sleep(x.ctx, seconds); err != nil {
				return nil, err
			}
		}
		return int64(1), nil
	}})
	if err != nil {
		return err
	}
	return drv.RegisterFunction("x_emit", &sqlite.FunctionImpl{NArgs: -1, MakeAggregate: func(sqlite.FunctionContext) (sqlite.AggregateFunction, error) {
		return &emitter{store: s}, nil
	}})
}

func (s *store) execution(id driver.Value) (*execution, bool) {
	x, ok := s.running.Load(id)
	if !ok {
		return nil, false
	}
	return x.(*execution), true
}

// volatile are the natives that do not always give the same answer.
var volatile = map[string]bool{"x_uuid": true, "x_rand": true, "x_randn": true, "x_raise_error": true, "x_assert_true": true}

func scalar(fn native, seesNull bool) func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
	return func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		for _, a := range args {
			if a == nil && !seesNull {
				return nil, nil
			}
		}
		return answer(fn(args))
	}
}

// answer makes what a native returns fit for SQLite, and marks its error so
// that it can be recovered from SQLite's text.
func answer(v any, err error) (driver.Value, error) {
	if err != nil {
		return nil, marked(err)
	}
	switch v := v.(type) {
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case int:
		return int64(v), nil
	}
	return v, nil
}

// mark separates the parts of an *Error on its way through SQLite.
const mark = "\x01"

type markedError struct{ e *Error }

func (m markedError) Error() string {
	return mark + strings.Join([]string{m.e.Code, m.e.Class, m.e.SQLState, m.e.Message}, mark) + mark
}

func marked(err error) error {
	if e, ok := err.(*Error); ok {
		return markedError{e}
	}
	return err
}

// unmarked recovers an *Error from SQLite's text.
func unmarked(text string) (*Error, bool) {
	parts := strings.Split(text, mark)
	if len(parts) < 5 {
		return nil, false
	}
	return &Error{Code: parts[1], Class: parts[2], SQLState: parts[3], Message: parts[4]}, true
}

// emitter is the aggregate that every query runs under: its steps hand the
// rows to the sink, so that the whole query is one SQLite step and can be
// interrupted at any point, also between two rows that are far apart.
type emitter struct{ store *store }

func (m *emitter) Step(_ *sqlite.FunctionContext, args []driver.Value) error {
	x, ok := m.store.execution(args[0])
	if !ok {
		return context.Canceled
	}
	return x.emit(args[1:])
}

func (m *emitter) WindowInverse(*sqlite.FunctionContext, []driver.Value) error { return nil }
func (m *emitter) WindowValue(*sqlite.FunctionContext) (driver.Value, error)   { return nil, nil }
func (m *emitter) Final(*sqlite.FunctionContext)                               {}

// bag is an aggregate that keeps its rows and folds them at the end. NULLs are
// left out by most folds themselves.
type bag struct {
	rows [][]driver.Value
	fold func(rows [][]driver.Value) (any, error)
}

func (b *bag) Step(_ *sqlite.FunctionContext, args []driver.Value) error {
	b.rows = append(b.rows, append([]driver.Value(nil), args...))
	return nil
}

func (b *bag) WindowInverse(*sqlite.FunctionContext, []driver.Value) error {
	b.rows = b.rows[1:]
	return nil
}

func (b *bag) WindowValue(*sqlite.FunctionContext) (driver.Value, error) {
	return answer(b.fold(b.rows))
}

func (b *bag) Final(*sqlite.FunctionContext) { b.rows = nil }

// text, integer and number read an argument whatever its storage class.
func text(v driver.Value) string {
	c, _ := render(Type{}, v)
	return c.Text
}

func integer(v driver.Value) int64 {
	switch x := v.(type) {
	case int64:
		return x
	case float64:
		return int64(x)
	}
	return 0
}

func number(v driver.Value) float64 {
	switch x := v.(type) {
	case int64:
		return float64(x)
	case float64:
		return x
	}
	return 0
}
