package catalog

import "encoding/json"

// foreign marks a row whose tool another MCP server declares.
type foreign struct {
	touches func(args map[string]json.RawMessage) []Touch
}

// Foreign makes a row of a tool that another MCP server has. Access, policy, audit
// and confirmation see a row like any other; its arguments are that server's, so Bind
// lets every JSON object through and leaves it in Call.Body as it came. Touches, which
// may be nil, says what a call with these arguments is about.
func Foreign(row Row, touches func(args map[string]json.RawMessage) []Touch) *Row {
	row.shape = &shape{foreign: &foreign{touches}}
	return &row
}

// IsForeign reports a row that Foreign made.
func (r *Row) IsForeign() bool { return r.shape != nil && r.shape.foreign != nil }

// bindForeign is Bind without knowing the arguments.
func (r *Row) bindForeign(raw []byte) (*Call, error) {
	args, err := r.arguments(raw)
	if err != nil {
		return nil, err
	}
	call := &Call{Row: r, Path: r.Path, Body: raw, Object: r.Object, Args: make(map[string]json.RawMessage, len(args.values))}
	if len(raw) == 0 || string(raw) == "null" {
		call.Body = []byte("{}")
	}
	for name, value := range args.values {
		call.Args[name] = json.RawMessage(value.Raw)
	}
	if r.shape.foreign.touches != nil {
		call.Touches = r.shape.foreign.touches(call.Args)
	}
	return call, nil
}
