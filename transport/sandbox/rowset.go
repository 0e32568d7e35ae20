package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"brickmcp/transport/sandbox/engine"
)

// rowset is a small result in memory (engine.Sink); NULL is "".
type rowset struct {
	columns []string
	rows    [][]string
}

// Columns implements engine.Sink.
func (rs *rowset) Columns(columns []engine.Column) error {
	for _, c := range columns {
		rs.columns = append(rs.columns, c.Name)
	}
	return nil
}

// Row implements engine.Sink.
func (rs *rowset) Row(cells []engine.Cell) error {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = c.Text
	}
	rs.rows = append(rs.rows, row)
	return nil
}

// markdown is the result as agents get it: a table, of at most as many rows.
func (rs *rowset) markdown(most int) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(rs.columns)
	b.WriteString("|" + strings.Repeat("---|", len(rs.columns)) + "\n")
	for _, row := range rs.rows[:min(most, len(rs.rows))] {
		line(row)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// query runs one small statement with the rights of user.
func (l *lakehouse) query(ctx context.Context, user *principal, text string, parameters ...engine.Parameter) (*rowset, error) {
	l.ready()
	rows := &rowset{}
	return rows, l.engine.Run(ctx, engine.Session{User: user.UserName, Allowed: l.allowed(user), Parameters: parameters}, text, rows)
}

// routine finds a function that user may execute: missing and forbidden ones
// are *apiErrors.
func (l *lakehouse) routine(user *principal, fullName string) (*securable, error) {
	l.ready()
	l.mu.RLock()
	defer l.mu.RUnlock()
	s, err := l.find(kindFunction, fullName)
	if err == nil {
		err = need(user, s, "EXECUTE")
	}
	return s, err
}

// execute evaluates a SQL function with the SQL engine. Arguments are JSON
// values by parameter name; an error is one of the call, in words for its agent.
func (l *lakehouse) execute(ctx context.Context, user *principal, s *securable, arguments map[string]any) (string, error) {
	f := s.function
	if f.language != "SQL" {
		return "", failure(http.StatusBadRequest, "BAD_REQUEST", fmt.Sprintf("The sandbox runs SQL functions only; %s is written in %s.", s.fullName(), f.language))
	}
	var columns []string
	var values []engine.Parameter
	for _, p := range f.parameters {
		v, given := arguments[p.Name]
		if !given {
			return "", badArgument(fmt.Sprintf("Parameter %s of function %s is required.", p.Name, s.fullName()))
		}
		value := engine.Parameter{Name: p.Name, Type: "STRING"}
		switch v := v.(type) {
		case nil:
		case string:
			value.Value = &v
		case json.Number, bool, float64:
			value.Value = ptr(fmt.Sprint(v))
		default:
			return "", badArgument(fmt.Sprintf("Parameter %s of function %s must be of type %s.", p.Name, s.fullName(), p.Type))
		}
		values = append(values, value)
		columns = append(columns, fmt.Sprintf("CAST(:%s AS %s) AS %s", p.Name, p.Type, p.Name))
	}
	for name := range arguments {
		if !slices.ContainsFunc(f.parameters, func(p engine.Column) bool { return p.Name == name }) {
			return "", badArgument(fmt.Sprintf("Function %s has no parameter %s.", s.fullName(), name))
		}
	}
	if len(columns) == 0 {
		columns = []string{"1"}
	}
	rows, err := l.query(ctx, user, fmt.Sprintf("SELECT %s AS result FROM (SELECT %s)", f.body, strings.Join(columns, ", ")), values...)
	if err != nil {
		return "", err
	}
	return rows.rows[0][0], nil
}
