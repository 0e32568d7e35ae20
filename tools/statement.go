package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
	"go.uber.org/zap"
)

const (
	// askedWait is the longest wait left to the workspace. A statement's id is
	// known only when the request is answered, and what has no id cannot be
	// cancelled: longer waits submit, and then poll.
	askedWait = 5 * time.Second
	// defaultWait is the API's own default of wait_timeout.
	defaultWait = 10 * time.Second
	// maxWait leaves a call the time to answer with the handle.
	maxWait = callTime - 2*time.Second
	// cancelTime bounds the clean-up behind a cancelled call.
	cancelTime = 10 * time.Second
)

// executeStatement runs SQL. It waits in short steps for as long as wait_timeout
// says, and gives the handle when that is over. A cancelled call cancels the
// statement in the workspace.
func (s *Server) executeStatement(ctx context.Context, call *catalog.Call) ([]byte, error) {
	began := time.Now()
	wait := defaultWait
	if text, ok := argument[string](call, "wait_timeout"); ok {
		wait, _ = time.ParseDuration(text) // Bind has checked the form
		wait = min(wait, maxWait)
	}
	action, _ := argument[string](call, "on_wait_timeout")
	asked := *call
	var err error
	if wait > askedWait && action != "CANCEL" { // which the workspace does best
		if asked.Body, err = sjson.SetBytes(asked.Body, "wait_timeout", "0s"); err != nil {
			return nil, err
		}
	}
	st, err := s.start(ctx, &asked)
	if err != nil {
		return nil, err
	}
	if st, err = s.await(ctx, st, began, began.Add(wait)); err != nil {
		return nil, err
	}
	if !st.ended() && action == "CANCEL" && wait > 0 {
		s.cancelStatement(context.WithoutCancel(ctx), st.id)
		return nil, &catalog.Error{
			Kind:      catalog.Busy,
			Message:   fmt.Sprintf("sql_execute_statement: statement %s did not end within %s and was cancelled, as on_wait_timeout=CANCEL asks", st.id, wait),
			Advice:    "Leave on_wait_timeout out to keep it running, and poll it with sql_get_statement.",
			RequestID: st.requestID,
		}
	}
	return s.statementRows(ctx, st, catalog.Page{})
}

// start submits a statement; it has an id then, and may have ended.
func (s *Server) start(ctx context.Context, call *catalog.Call) (statement, error) {
	answer, err := s.submit(ctx, call)
	if err != nil {
		return statement{}, err
	}
	st := newStatement(answer)
	st.row = call.Row
	if st.id == "" {
		return st, &catalog.Error{Kind: unanswered(call.Row), Status: answer.Status, RequestID: answer.RequestID,
			Message: call.About() + ": the workspace took the statement and answered without its id; it may run there", Advice: call.Row.Verify}
	}
	return st, nil
}

// unanswered is the kind of a call of which nobody knows whether it arrived.
func unanswered(row *catalog.Row) catalog.Kind {
	if row.Effect.ReadOnly() {
		return catalog.Down
	}
	return catalog.UnknownFate
}

// await polls a statement, submitted when it began, until it has ended, or the end
// of the wait.
func (s *Server) await(ctx context.Context, st statement, began, end time.Time) (statement, error) {
	var err error
	for !st.ended() && time.Now().Before(end) && ctx.Err() == nil {
		if st, err = s.poll(ctx, st, min(time.Until(end), pause(time.Since(began)))); err != nil {
			return st, err
		}
	}
	return st, nil
}

// submit sends the statement. The request outlives a cancelled call: only its
// answer tells what has to be cancelled in the workspace.
func (s *Server) submit(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
	type outcome struct {
		answer *catalog.Answer
		err    error
	}
	outcomes := make(chan outcome, 1)
	detached, stop := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	s.background.Go(func() {
		defer stop()
		answer, err := s.askDetached(detached, call)
		outcomes <- outcome{answer, err}
		if err != nil || !errors.Is(ctx.Err(), context.Canceled) {
			return
		}
		if st := newStatement(answer); !st.ended() {
			s.cancelStatement(detached, st.id)
		}
	})
	select {
	case o := <-outcomes:
		if !errors.Is(ctx.Err(), context.Canceled) {
			return o.answer, o.err
		}
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, cancelled(ctx, call, "the statement is being cancelled there")
	}
	return nil, &catalog.Error{Kind: unanswered(call.Row), Err: ctx.Err(),
		Message: call.About() + ": the workspace did not answer within " + callTime.String() + "; the statement may run there",
		Advice:  call.Row.Verify}
}

// askDetached asks outside of the call's own goroutine, where nothing else catches
// a panic.
func (s *Server) askDetached(ctx context.Context, call *catalog.Call) (answer *catalog.Answer, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = s.panicked(call.Row.Name, r)
		}
	}()
	return s.api.Do(ctx, call)
}

// poll waits, then asks for the statement's state. A failed question does not
// lose the handle: the last known state comes back.
func (s *Server) poll(ctx context.Context, st statement, pause time.Duration) (statement, error) {
	if pause >= time.Second { // nobody reads faster
		Progress(ctx, st.progress())
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return st, s.abandon(ctx, st)
	}
	call, err := catalog.GetStatement.Bind(jsonObject("statement_id", st.id))
	if err != nil {
		return st, err
	}
	answer, err := s.ask(ctx, call)
	if ctx.Err() != nil {
		return st, s.abandon(ctx, st)
	}
	if err != nil {
		s.log.Info("polling a statement failed; it goes on", zap.String("statement_id", st.id), zap.Error(err))
		return st, nil
	}
	next := newStatement(answer)
	next.row, next.pending = st.row, st.pending
	return next, nil
}

// abandon cancels the statement of a call that its client gave up. At a deadline
// it does nothing: the statement goes on, and its handle is the answer.
func (s *Server) abandon(ctx context.Context, st statement) error {
	if !errors.Is(ctx.Err(), context.Canceled) {
		return nil
	}
	s.background.Go(func() { s.cancelStatement(context.WithoutCancel(ctx), st.id) })
	return cancelled(ctx, st.call(), "statement "+st.id+" is being cancelled there")
}

// pause grows from 50 ms, so that a quick query is not kept, to five seconds.
func pause(waited time.Duration) time.Duration {
	return max(50*time.Millisecond, min(waited/2, 5*time.Second))
}

func (s *Server) cancelStatement(ctx context.Context, id string) {
	ctx, stop := context.WithTimeout(ctx, cancelTime)
	defer stop()
	call, err := catalog.CancelStatement.Bind(jsonObject("statement_id", id))
	if err == nil {
		_, err = s.askDetached(ctx, call)
	}
	if err != nil {
		s.log.Warn("cannot cancel the statement of a cancelled call", zap.String("statement_id", id), zap.Error(err))
	}
}

// cancelled is the error of a call that its client gave up.
func cancelled(ctx context.Context, call *catalog.Call, there string) error {
	return &catalog.Error{Kind: catalog.Busy, Message: call.About() + ": cancelled by the client; " + there,
		Advice: "Call again when it is wanted after all.", Err: ctx.Err()}
}

// getStatement polls a statement, or reads on in its rows.
func (s *Server) getStatement(ctx context.Context, call *catalog.Call) ([]byte, error) {
	id, _ := argument[string](call, "statement_id")
	page := call.Page
	index, byIndex := argument[int64](call, "chunk_index")
	switch {
	case byIndex && page != catalog.Page{}:
		return nil, &catalog.Error{Kind: catalog.Invalid, Message: "sql_get_statement: chunk_index and page_token are both given",
			Advice: "Give page_token to go on where a result was cut, or chunk_index to read one chunk. Nothing was sent."}
	case byIndex:
		page = catalog.Page{Token: fmt.Sprint(index)}
	}
	chunk := page.Token
	if chunk == "" {
		chunk = "0"
	}
	if m, known := s.manifests.get(id); known && (byIndex || chunk != "0") {
		return s.chunkRows(ctx, statement{id: id, state: "SUCCEEDED", manifest: m}, chunk, page.Skip)
	}
	plain, err := catalog.GetStatement.Bind(jsonObject("statement_id", id))
	if err != nil {
		return nil, err
	}
	answer, err := s.ask(ctx, plain)
	if err != nil {
		return nil, err
	}
	st := newStatement(answer)
	if st.state == "SUCCEEDED" && chunk != "0" {
		return s.chunkRows(ctx, st, chunk, page.Skip)
	}
	return s.statementRows(ctx, st, page)
}

// statement is a parsed answer of the Statement Execution API.
type statement struct {
	id, state string
	manifest  manifest
	result    gjson.Result // of the first chunk
	failure   gjson.Result // status.error
	requestID string

	row     *catalog.Row // of the tool that runs it; nil: sql_execute_statement
	pending string       // what it waits for while it is PENDING, if that is known
}

func newStatement(answer *catalog.Answer) statement {
	root := parse(answer.Body)
	return statement{
		id:        strings.Clone(root.Get("statement_id").Str),
		state:     strings.Clone(root.Get("status.state").Str),
		manifest:  newManifest(root.Get("manifest")),
		result:    root.Get("result"),
		failure:   root.Get("status.error"),
		requestID: answer.RequestID,
	}
}

// ended reports whether the state is final; an unknown state is not.
func (st statement) ended() bool {
	switch st.state {
	case "SUCCEEDED", "FAILED", "CANCELED", "CLOSED":
		return true
	}
	return false
}

func (st statement) call() *catalog.Call {
	return &catalog.Call{Row: cmp.Or(st.row, &catalog.ExecuteStatement.Row), Object: "statement " + st.id}
}

// progress tells a waiting client about the statement.
func (st statement) progress() string {
	if st.state == "PENDING" && st.pending != "" {
		return st.pending
	}
	return fmt.Sprintf("statement %s is %s", st.id, st.state)
}

// tooLarge reports that its result is above what the workspace answers inline.
func (st statement) tooLarge() bool {
	return st.state == "FAILED" && strings.Contains(st.failure.Get("message").Str, "Inline byte limit exceeded")
}

// statementRows answers with the rows of an ended statement from a place in its
// first chunk on, or with the handle of a running one. SQL failures arrive under
// HTTP 200 and become errors here.
func (s *Server) statementRows(ctx context.Context, st statement, page catalog.Page) ([]byte, error) {
	switch st.state {
	case "SUCCEEDED":
		s.manifests.put(st.id, st.manifest)
		return s.rows(ctx, st, st.result, 0, page.Skip)
	case "FAILED":
		return nil, st.failed()
	case "CANCELED", "CLOSED":
		return nil, &catalog.Error{Kind: catalog.Conflict, RequestID: st.requestID,
			Message: fmt.Sprintf("statement %s is %s; it has no rows any more", st.id, st.state),
			Advice:  "Run the SQL again if its rows are wanted."}
	}
	var o object
	o.text("state", st.state)
	o.text("statement_id", st.id)
	o.integer("returned", 0)
	o.boolean("truncated", false) // there is no page to ask for, but a state to poll
	return o.bytes(), nil
}

// failureKinds maps the API's error codes of statements to kinds; what is not
// listed is the statement's own fault.
var failureKinds = map[string]catalog.Kind{
	"INTERNAL_ERROR": catalog.Down, "IO_ERROR": catalog.Down, "SERVICE_UNDER_MAINTENANCE": catalog.Down,
	"TEMPORARILY_UNAVAILABLE": catalog.Down, "WORKSPACE_TEMPORARILY_UNAVAILABLE": catalog.Down, "UNKNOWN": catalog.Down,
	"RESOURCE_EXHAUSTED": catalog.Limited, "DEADLINE_EXCEEDED": catalog.Busy, "CANCELLED": catalog.Conflict, "ABORTED": catalog.Conflict,
	"ALREADY_EXISTS": catalog.Conflict, "NOT_FOUND": catalog.Missing, "UNAUTHENTICATED": catalog.SignIn,
}

func (st statement) failed() error {
	code, message := st.failure.Get("error_code").Str, strings.TrimSpace(st.failure.Get("message").Str)
	kind, advice := failureKinds[code], "Correct the SQL and run it again."
	if message == "" {
		message = "the workspace gives no reason"
	}
	switch {
	case strings.Contains(message, "INSUFFICIENT_PERMISSIONS") || strings.Contains(message, "PERMISSION_DENIED"):
		kind, advice = catalog.Forbidden, "Ask the owner of the object, or an admin, for the privilege that the message names."
	case st.tooLarge():
		kind, advice = catalog.Invalid, "Run it again with disposition EXTERNAL_LINKS, or with row_limit."
	case kind == "":
		kind = catalog.Invalid
	case kind != catalog.Invalid:
		advice = "See what the message says; if it was only a moment's trouble, run the statement again after checking that it left nothing behind."
	}
	return &catalog.Error{Kind: kind, Code: code, RequestID: st.requestID, Status: 200, Advice: advice, Quoted: true,
		Message: fmt.Sprintf("statement %s failed: %s: %s", st.id, code, cutText(message, 2000))}
}

func jsonObject(name, value string) json.RawMessage {
	var o object
	o.text(name, value)
	return o.bytes()
}
