package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"brickmcp/transport/sandbox/engine"
)

const (
	largestStatement = 16 << 20
	// poll is how often a waiting statement looks at the clock and its
	// warehouse; both may be moved by a test at any moment.
	poll = 20 * time.Millisecond
)

// States of a statement.
const (
	statementPending   = "PENDING"
	statementRunning   = "RUNNING"
	statementSucceeded = "SUCCEEDED"
	statementFailed    = "FAILED"
	statementCanceled  = "CANCELED"
	statementClosed    = "CLOSED"
)

// statements is the statement execution API: SQL runs in the background on the
// lakehouse's engine, its result is kept in chunks for an hour.
type statements struct {
	w     *Workspace
	key   [32]byte // signs result links
	blobs blobs
	all   context.Context // ends with the workspace
	stop  context.CancelFunc
	runs  sync.WaitGroup

	mu           sync.Mutex
	byID         map[string]*statement
	order        []*statement // oldest first
	made         int
	memory, disk int64 // taken by results
	swept        time.Time
}

// statement is one execution. Fields below the line change under statements.mu.
type statement struct {
	id      string
	user    *principal
	in      executeRequest
	started time.Time
	cancel  context.CancelFunc
	done    chan struct{} // closed in a terminal state

	state    string
	failure  *statementError
	sqlState string
	ended    time.Time
	result   *result
}

type statementError struct {
	Code    string `json:"error_code"`
	Message string `json:"message"`
}

type executeRequest struct {
	Warehouse   string `json:"warehouse_id"`
	Statement   string `json:"statement"`
	Catalog     string `json:"catalog"`
	Schema      string `json:"schema"`
	WaitTimeout string `json:"wait_timeout"`
	OnTimeout   string `json:"on_wait_timeout"`
	Disposition string `json:"disposition"`
	Format      string `json:"format"`
	RowLimit    int64  `json:"row_limit"`
	ByteLimit   int64  `json:"byte_limit"`
	Parameters  []struct {
		Name  string  `json:"name"`
		Value *string `json:"value"`
		Type  string  `json:"type"`
	} `json:"parameters"`
	QueryTags []queryTag `json:"query_tags"`

	wait time.Duration
}

type queryTag struct {
	Key   string `json:"key"`
	Value string `json:"value,omitempty"`
}

func addStatements(w *Workspace) error {
	ss := &statements{w: w, byID: map[string]*statement{}}
	if _, err := rand.Read(ss.key[:]); err != nil {
		return err
	}
	ss.all, ss.stop = context.WithCancel(context.Background())
	w.statements = ss
	w.close = append(w.close, ss.close)
	const root = "/api/2.0/sql/statements"
	w.on("POST "+root, ss.execute)
	w.on("POST "+root+"/{$}", ss.execute) // as older SDKs send it
	w.on("GET "+root+"/{id}", ss.get)
	w.on("POST "+root+"/{id}/cancel", ss.cancel)
	w.on("GET "+root+"/{id}/result/chunks/{chunk}", ss.chunk)
	w.on("GET /api/2.0/sql/history/queries", ss.history)
	w.open("GET "+linkPath+"{id}/{chunk}", ss.follow)
	return nil
}

// close stops what runs and deletes the results.
func (ss *statements) close() error {
	ss.stop()
	ss.runs.Wait()
	return ss.blobs.close()
}

// check applies the rules of the request and fills in defaults.
func (in *executeRequest) check() error {
	switch {
	case in.Warehouse == "":
		return badArgument("Missing required field: warehouse_id")
	case in.Statement == "":
		return badArgument("Missing required field: statement")
	case len(in.Statement) > largestStatement:
		return badArgument(fmt.Sprintf("The statement text has %d bytes, which exceeds the maximum of %d bytes.", len(in.Statement), largestStatement))
	case in.RowLimit < 0 || in.ByteLimit < 0:
		return badArgument("row_limit and byte_limit must not be negative.")
	}
	if in.WaitTimeout == "" {
		in.WaitTimeout = "10s"
	}
	for _, f := range []struct {
		name  string
		value *string
		valid []string // the first is the default
	}{
		{"on_wait_timeout", &in.OnTimeout, []string{"CONTINUE", "CANCEL"}},
		{"disposition", &in.Disposition, []string{"INLINE", "EXTERNAL_LINKS"}},
		{"format", &in.Format, []string{"JSON_ARRAY", "ARROW_STREAM", "CSV"}},
	} {
		if *f.value == "" {
			*f.value = f.valid[0]
		}
		if !slices.Contains(f.valid, *f.value) {
			return badArgument(fmt.Sprintf("Invalid value for field %s: '%s' is not one of %s.", f.name, *f.value, strings.Join(f.valid, ", ")))
		}
	}
	if in.Format != "JSON_ARRAY" && in.Disposition == "INLINE" {
		return badArgument(fmt.Sprintf("The format %s is supported only with disposition EXTERNAL_LINKS.", in.Format))
	}
	if in.Format == "ARROW_STREAM" {
		return badArgument("The format ARROW_STREAM is not supported by the sandbox. Use JSON_ARRAY or CSV.")
	}
	digits, unit := strings.CutSuffix(in.WaitTimeout, "s")
	seconds, err := strconv.ParseUint(digits, 10, 8)
	if !unit || err != nil || seconds != 0 && seconds < 5 || seconds > 50 {
		return badArgument(fmt.Sprintf("Invalid wait_timeout '%s'. It must be 0s, or between 5s and 50s.", in.WaitTimeout))
	}
	in.wait = time.Duration(seconds) * time.Second
	for _, p := range in.Parameters {
		if p.Name == "" {
			return badArgument("Parameters must be named: a parameter has no name.")
		}
	}
	return nil
}

func (ss *statements) execute(r *request) (any, error) {
	var in executeRequest
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	if err := ss.w.warehouses.mayUse(r.user, in.Warehouse, r.now); err != nil {
		return nil, err
	}
	running, err := ss.w.warehouses.acquire(in.Warehouse, r.now)
	if err != nil {
		return nil, err
	}
	s := ss.start(r, in, running)
	if in.wait == 0 {
		return bareResponse(s, statementPending), nil
	}
	ss.await(r.Context(), s)
	if in.OnTimeout == "CANCEL" {
		ss.end(s, statementCanceled, &statementError{"CANCELLED", fmt.Sprintf("The statement was canceled because it did not finish within wait_timeout (%s).", in.WaitTimeout)}, "", nil)
	}
	return ss.show(r, s)
}

func bareResponse(s *statement, state string) statementResponse {
	return statementResponse{ID: s.id, Status: statementStatus{State: state}}
}

// start registers a statement and runs it in the background: it outlives the
// request that brought it.
func (ss *statements) start(r *request, in executeRequest, running bool) *statement {
	ctx, cancel := context.WithCancel(ss.all)
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.sweep(r.now)
	ss.made++
	s := &statement{
		id: stableUUID("statement " + strconv.Itoa(ss.made)), user: r.user, in: in, started: r.now,
		cancel: cancel, done: make(chan struct{}), state: statementPending,
	}
	ss.byID[s.id], ss.order = s, append(ss.order, s)
	ss.runs.Go(func() {
		defer cancel()
		ss.run(ctx, s, running)
	})
	return s
}

// run waits for the warehouse and executes the SQL.
func (ss *statements) run(ctx context.Context, s *statement, running bool) {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for !running {
		select {
		case <-ctx.Done():
			return // canceled while it was pending
		case <-tick.C:
		}
		var err error
		if running, err = ss.w.warehouses.acquire(s.in.Warehouse, ss.w.clock.Now()); err != nil {
			ss.end(s, statementFailed, &statementError{"NOT_FOUND", err.Error()}, "", nil)
			return
		}
	}
	if !ss.running(s) {
		return
	}
	session := engine.Session{User: s.user.UserName, Catalog: s.in.Catalog, Schema: s.in.Schema, Allowed: ss.w.lakehouse.allowed(s.user)}
	for _, p := range s.in.Parameters {
		session.Parameters = append(session.Parameters, engine.Parameter{Name: p.Name, Value: p.Value, Type: p.Type})
	}
	ss.w.lakehouse.ready()
	ss.w.lakehouse.arrivals(ctx)
	rows := newResult(&s.in, ss.blobs.create())
	err := ss.w.lakehouse.engine.Run(ctx, session, s.in.Statement, rows)
	if errors.Is(err, errTruncated) {
		err = nil
	}
	if err == nil {
		err = rows.finish()
	}
	if err == nil && ss.end(s, statementSucceeded, nil, "", rows) {
		return
	}
	rows.content.discard()
	if err != nil {
		code, message, state := explain(err)
		ss.end(s, statementFailed, &statementError{code, message}, state, nil)
	}
}

// explain words an error of the engine or of the result.
func explain(err error) (code, message, sqlState string) {
	var sql *engine.Error
	if errors.As(err, &sql) {
		return sql.Code, sql.Message, sql.SQLState
	}
	if errors.Is(err, errInlineLimit) {
		return "BAD_REQUEST", err.Error(), ""
	}
	return "INTERNAL_ERROR", err.Error(), ""
}

// running moves a statement on from PENDING, unless it has been canceled.
func (ss *statements) running(s *statement) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s.state != statementPending {
		return false
	}
	s.state = statementRunning
	return true
}

// end moves a statement into a terminal state, once; it reports whether it did.
func (ss *statements) end(s *statement, state string, failure *statementError, sqlState string, rows *result) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s.state != statementPending && s.state != statementRunning {
		return false
	}
	s.state, s.failure, s.sqlState, s.result, s.ended = state, failure, sqlState, rows, ss.w.clock.Now()
	s.cancel()
	close(s.done)
	ss.keep(s)
	return true
}

// await blocks until the statement ends or its wait_timeout has passed, by the
// workspace's clock or by real time, whichever is first.
func (ss *statements) await(ctx context.Context, s *statement) {
	timeout, tick := time.NewTimer(s.in.wait), time.NewTicker(poll)
	defer timeout.Stop()
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-timeout.C:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
			if !ss.w.clock.Now().Before(s.started.Add(s.in.wait)) {
				return
			}
		}
	}
}

// find looks up a statement of this user; those of others do not exist for him.
func (ss *statements) find(r *request) (*statement, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.sweep(r.now)
	s := ss.byID[r.PathValue("id")]
	if s == nil || ss.lapse(s, r.now) || s.user.ID != r.user.ID {
		return nil, failure(http.StatusNotFound, "NOT_FOUND", fmt.Sprintf("The statement %s was not found.", r.PathValue("id")))
	}
	return s, nil
}

func (ss *statements) get(r *request) (any, error) {
	s, err := ss.find(r)
	if err != nil {
		return nil, err
	}
	return ss.show(r, s)
}

// cancel asks for the end of a statement; of one that has ended it asks nothing.
func (ss *statements) cancel(r *request) (any, error) {
	s, err := ss.find(r)
	if err != nil {
		return nil, err
	}
	ss.end(s, statementCanceled, &statementError{"CANCELLED", "The statement was canceled by " + r.user.UserName + "."}, "", nil)
	return nil, nil
}
