package tools

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"brickmcp/catalog"
	"brickmcp/tools/policy"

	"github.com/tidwall/gjson"
)

// whoAmIRow stands for whoami in audit lines; it is no endpoint.
var whoAmIRow = &catalog.Row{Name: whoAmIName, Effect: catalog.Read, Did: "asked who is signed in"}

// question is what whoami is asked about one call.
type question struct {
	row       *catalog.Row
	arguments json.RawMessage // nil: of no particular call
}

// bindQuestion reads the arguments of whoami.
func (s *Server) bindQuestion(ctx context.Context, args json.RawMessage) (q question, err error) {
	refuse := func(what, advice string) error {
		return &catalog.Error{Kind: catalog.Invalid, Message: whoAmIName + ": " + what, Advice: advice}
	}
	if len(args) == 0 || string(args) == "null" {
		return q, nil
	}
	if !gjson.ValidBytes(args) || !gjson.ParseBytes(args).IsObject() {
		return q, refuse("the arguments must be one JSON object", "Give tool and arguments, or nothing.")
	}
	gjson.ParseBytes(args).ForEach(func(key, value gjson.Result) bool {
		switch {
		case value.Type == gjson.Null:
		case key.Str == "tool" && value.Type == gjson.String:
			if q.row, err = s.Find(ctx, value.Str); q.row == nil && err == nil {
				hint := ""
				if near := catalog.Nearest(value.Str, toolNames()); near != "" {
					hint = " (did you mean " + near + "?)"
				}
				err = refuse("there is no tool "+strings.ToValidUTF8(cutText(value.Raw, 80), "")+hint, "Give the name of a tool.")
			}
		case key.Str == "arguments" && value.IsObject():
			q.arguments = json.RawMessage(value.Raw)
		default:
			err = refuse("unknown argument or wrong type: "+cutText(key.Raw, 80), `It takes "tool", a name, and "arguments", an object.`)
		}
		return err == nil
	})
	if err == nil && q.row == nil && q.arguments != nil {
		err = refuse(`"arguments" without "tool"`, "Give the tool that they are for.")
	}
	return q, err
}

func toolNames() []string {
	var names []string
	for _, row := range catalog.All() {
		names = append(names, row.Name)
	}
	return names
}

// explain adds to an answer of whoami what would become of a call. Nothing is sent
// but what the policy has to look up.
func (s *Server) explain(ctx context.Context, q question, answer []byte) []byte {
	_, d, _, err := s.judge(ctx, nil, q.row, q.arguments)
	var o object
	o.text("tool", q.row.Name)
	o.text("needs", q.row.Group.ID+"="+q.row.Effect.Needs().String())
	var e *catalog.Error
	if err != nil {
		e = catalog.AsError(err)
	}
	switch {
	case err != nil && e.Kind == catalog.Invalid && q.arguments == nil:
		o.text("decision", string(d.Action))
		o.text("note", "as far as the tool alone goes; arguments decide too")
	case err != nil && e.Kind != catalog.Denied:
		o.text("decision", "unknown")
		o.text("why", e.Message)
	case err != nil:
		o.text("decision", string(policy.Deny))
		o.text("why", e.Message)
	default:
		o.text("decision", string(d.Action))
		if d.Why != "" {
			o.text("why", d.Why)
		}
	}
	if d.Rule != "" {
		o.text("rule", d.Place())
	}
	if d.Shadow {
		o.boolean("shadow", true)
	}
	out := object{buf: slices.Clone(answer[:len(answer)-1])}
	out.raw("call", string(o.bytes()))
	return out.bytes()
}
