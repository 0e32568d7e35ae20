package tools

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/sqlguard"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// queryRows is the row_limit of a query that names none. It keeps a SELECT * of a
// huge table cheap, and most results below the 25 MiB that the workspace answers
// inline.
const queryRows = 10000

// query runs SQL that provably only reads, on a warehouse that it picks where none
// is named, and waits for the rows. A cancelled call cancels the statement in the
// workspace.
func (s *Server) query(ctx context.Context, call *catalog.Call) ([]byte, error) {
	end := time.Now().Add(maxWait)
	proven, err := s.proveRead(ctx, call)
	if err != nil {
		return nil, err
	}
	on, err := s.queryWarehouse(ctx, call)
	if err != nil {
		return nil, err
	}
	if call.Object == "" { // for messages and audit
		call.Object = "warehouse " + on.ID
	}
	recordOf(ctx).queried(call, proven, on.Name)
	answer, err := s.queryOn(ctx, call, on, end)
	if err != nil && on.from == picked {
		s.picked.forget()
	}
	return answer, err
}

// proveRead refuses what is not provably one read, and parameters that do not go
// with it.
func (s *Server) proveRead(ctx context.Context, call *catalog.Call) (*sqlguard.Query, error) {
	text, _ := argument[string](call, "statement")
	read, err := sqlguard.Read(text, s.sqlOptions(ctx))
	var refusal *sqlguard.Refusal
	switch {
	case errors.As(err, &refusal):
		return nil, s.refuse(ctx, refusal)
	case err != nil:
		return nil, s.refuse(ctx, &sqlguard.Refusal{Line: 1, Column: 1, Reason: err.Error()})
	}
	return read, checkParameters(call, read.Parameters)
}

// sqlOptions is what else counts as a read.
func (s *Server) sqlOptions(ctx context.Context) sqlguard.Options {
	if rules := rulesOf(ctx); rules != nil {
		return rules.SQL()
	}
	return sqlguard.Options{}
}

func (s *Server) refuse(ctx context.Context, r *sqlguard.Refusal) error {
	at := fmt.Sprintf("line %d, column %d", r.Line, r.Column)
	if r.Token != "" {
		at += fmt.Sprintf(", at %q", r.Token)
	}
	advice := strings.TrimSpace(r.Instead + " Nothing was sent.")
	if execute := &catalog.ExecuteStatement.Row; strings.Contains(r.Instead, execute.Name) && !s.allows(ctx, execute) {
		advice += fmt.Sprintf(" But %s is not allowed here (it needs %s=%s): ask the person who runs this server.", execute.Name, execute.Group.ID, execute.Effect.Needs())
	}
	return &catalog.Error{Kind: catalog.Invalid, Message: fmt.Sprintf("%s: %s (%s)", catalog.Query.Name, strings.TrimSuffix(r.Reason, "."), at), Advice: advice}
}

// allows reports whether access and policy let the tool through, whatever it is
// about.
func (s *Server) allows(ctx context.Context, row *catalog.Row) bool {
	if !s.access.Allows(row) {
		return false
	}
	rules := rulesOf(ctx)
	return rules == nil || rules.Lists(row)
}

// checkParameters finds markers without a parameter, which the workspace would
// refuse, and parameters without a marker, which it would ignore.
func checkParameters(call *catalog.Call, markers []string) error {
	var given, problems []string
	eachItem(gjson.ParseBytes(call.Args["parameters"]), func(p gjson.Result) bool {
		name, value := p.Get("name"), p.Get("value")
		switch {
		case name.Type != gjson.String || name.Str == "":
			problems = append(problems, "a parameter has no name")
		case slices.Contains(given, name.Str):
			problems = append(problems, fmt.Sprintf("parameter %q is given twice", name.Str))
		case !slices.Contains(markers, name.Str):
			problems = append(problems, fmt.Sprintf("parameter %q has no marker :%s in the statement", name.Str, name.Str))
		case value.Type != gjson.String && value.Type != gjson.Null:
			problems = append(problems, fmt.Sprintf("the value of parameter %q must be a string; its type says what it is cast to", name.Str))
		}
		given = append(given, name.Str)
		return true
	})
	for _, name := range markers {
		if !slices.Contains(given, name) {
			problems, given = append(problems, fmt.Sprintf("the marker :%s has no parameter", name)), append(given, name)
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return &catalog.Error{Kind: catalog.Invalid, Message: catalog.Query.Name + ": " + strings.Join(problems[:min(len(problems), 10)], "; "),
		Advice: `Give parameters: [{"name": "day", "value": "2025-01-31", "type": "DATE"}] for a marker :day. Nothing was sent.`}
}

// queryOn runs a proven query. A result that is too large for an answer comes
// through links, in a second run: it only reads.
func (s *Server) queryOn(ctx context.Context, call *catalog.Call, on queryWarehouse, end time.Time) ([]byte, error) {
	limit, given := argument[int64](call, "row_limit")
	if !given {
		limit = queryRows
	}
	body, err := sjson.SetBytes(call.Body, "warehouse_id", on.ID)
	if err == nil {
		body, err = sjson.SetBytes(body, "row_limit", limit)
	}
	if err != nil {
		return nil, err
	}
	st, err := s.read(ctx, call, body, on, end)
	if err != nil {
		return nil, on.blamed(err)
	}
	linked := st.tooLarge()
	if linked {
		Progress(ctx, "the result is too large for one answer; running the query again, to read it through links")
		if body, err = sjson.SetBytes(body, "disposition", "EXTERNAL_LINKS"); err != nil {
			return nil, err
		}
		if st, err = s.read(ctx, call, body, on, end); err != nil {
			return nil, tooLarge(ctx, err)
		}
	}
	st.manifest.limit = fmt.Sprintf("row_limit %d; a larger one gives more", limit)
	rows, err := s.statementRows(ctx, st, catalog.Page{})
	if err != nil {
		if linked {
			err = tooLarge(ctx, err)
		}
		return nil, err
	}
	o := object{buf: rows[:len(rows)-1]}
	if on.from == picked {
		o.text("warehouse_id", on.ID)
	}
	if st.state == "PENDING" && st.pending != "" {
		o.text("warehouse_state", "STARTING")
	}
	return o.bytes(), nil
}

// read submits the body and waits for its end, or for that of the call's time.
func (s *Server) read(ctx context.Context, call *catalog.Call, body []byte, on queryWarehouse, end time.Time) (statement, error) {
	began, wait := time.Now(), "0s"
	if time.Until(end) > askedWait {
		wait = askedWait.String()
	}
	asked := *call
	var err error
	if asked.Body, err = sjson.SetBytes(body, "wait_timeout", wait); err != nil {
		return statement{}, err
	}
	st, err := s.start(ctx, &asked)
	if err != nil {
		return st, err
	}
	if st.state == "PENDING" {
		st.pending = s.starting(ctx, on)
	}
	return s.await(ctx, st, began, end)
}

// tooLarge adds to an error of the second, linked run what avoids it.
func tooLarge(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	e := *catalog.AsError(err)
	e.Advice += " The result was too large for an answer without links: a smaller row_limit, or fewer columns, avoids them."
	return &e
}
