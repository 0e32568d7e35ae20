package tools

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"brickmcp/catalog"
	"brickmcp/tools/runs"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
	"go.uber.org/zap"
)

// serve is the handler of a tool of another server: that of any tool, once it is
// known what the tool is to this user.
func (f *federated) serve(name string) server.ToolHandlerFunc {
	return func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		finding, cancel := context.WithTimeout(ctx, listTime)
		t, err := f.find(finding, name)
		cancel()
		if err != nil {
			if asked, askErr := askToSignIn(ctx, req, err); asked != nil || askErr != nil {
				return asked, askErr
			}
			return f.root.result(name, nil, err), nil
		}
		req.Params.RawArguments = t.withMeta(req.Params.RawArguments, req.Params.Meta)
		return f.root.serve(t.row)(ctx, req)
	}
}

// withMeta puts what a client gives in _meta among the arguments, where they take it:
// policy, audit and confirmation are about arguments.
func (t *managedTool) withMeta(args json.RawMessage, meta *mcp.Meta) json.RawMessage {
	if meta == nil || len(args) > 0 && !gjson.ParseBytes(args).IsObject() {
		return args
	}
	for _, name := range t.moved {
		value, given := meta.AdditionalFields[name]
		if !given || gjson.GetBytes(args, name).Exists() {
			continue
		}
		if len(args) == 0 {
			args = json.RawMessage(`{}`)
		}
		if with, err := sjson.SetBytes(slices.Clone(args), name, value); err == nil {
			args = with
		}
	}
	return args
}

// Find is the row of a tool, of ours or of another server; nil when there is none.
// A server that was never asked is asked now; its error says why it cannot be.
func (s *Server) Find(ctx context.Context, name string) (*catalog.Row, error) {
	if row := catalog.Find(name); row != nil {
		return row, nil
	}
	f := s.federation.of(name)
	if f == nil {
		return nil, nil
	}
	t, err := f.find(ctx, name)
	if err != nil {
		return nil, err
	}
	return t.row, nil
}

// relay sends a call to the server that the tool belongs to.
func (s *Server) relay(ctx context.Context, call *catalog.Call) ([]byte, error) {
	name := call.Row.Name
	f := s.federation.of(name)
	t, err := f.find(ctx, name)
	if err != nil {
		return nil, err
	}
	if t.row.Effect != call.Row.Effect { // it was judged as another kind of tool
		return nil, &catalog.Error{Kind: catalog.Conflict, Message: name + ": " + f.String() + " has changed what this tool does since the call began",
			Advice: "List the tools again, and call again if it still is what you want. Nothing was sent."}
	}
	if err := f.warehouseNamed(ctx, call, t); err != nil {
		return nil, err
	}
	params, err := t.params(call, runs.TraceContext(ctx).Parent)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	v := f.view(ctx)
	upstream := f.connect(v)
	v.calls++
	f.mu.Unlock()
	defer f.ended(v)
	var progress func(string)
	// With a progress token Genie answers in the one call, which takes minutes: the
	// pair of ask and poll stays a pair.
	if t.upstream != "genie_ask" && ctx.Value(progressKey{}) != nil {
		progress = func(message string) { Progress(ctx, managedText(message, 300)) }
	}
	result, err := upstream.Call(ctx, params, call.Row.Effect.Repeatable(), progress, f.asker(ctx, t))
	if err == nil {
		return s.relayed(call, result)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		f.cancelAnswer(ctx, v, t, call)
	}
	e := *catalog.AsError(err)
	if e.Kind == catalog.Missing {
		f.mu.Lock()
		v.stale = true
		f.load(ctx, v)
		f.mu.Unlock()
	}
	e.Message = call.About() + ": " + e.Message
	return nil, &e
}

// ended counts a call off.
func (f *federated) ended(v *managedView) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v.calls--
}

// cancelAnswer stops what Genie works at for a call that its client has cancelled:
// closing the stream ends only the waiting. A call that asks a question has no id yet
// that could be cancelled.
func (f *federated) cancelAnswer(ctx context.Context, v *managedView, t *managedTool, call *catalog.Call) {
	conversation, response := call.Args["conversation_id"], call.Args["response_id"]
	if !f.Genie() || t.upstream != "genie_poll_response" || conversation == nil || response == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	offered := false
	for _, other := range v.tools {
		offered = offered || other.upstream == genieCancel
	}
	if !offered {
		return
	}
	var params, args object
	args.raw("conversation_id", string(conversation))
	args.raw("response_id", string(response))
	params.text("name", genieCancel)
	params.raw("arguments", string(args.bytes()))
	upstream := f.connect(v)
	v.calls++
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listTime)
	f.w.background.Go(func() {
		defer cancel()
		defer f.ended(v)
		if _, err := upstream.Call(ctx, params.bytes(), true, nil, nil); err != nil {
			f.logger().Debug("an answer of Genie was not cancelled", zap.String("error", catalog.AsError(err).Message))
		}
	})
}

// genieCancel is the tool of Genie One that stops an answer.
const genieCancel = "genie_cancel_response"

// warehouseNamed refuses SQL on a warehouse that the server picks, where the policy
// says which ones may be used.
func (f *federated) warehouseNamed(ctx context.Context, call *catalog.Call, t *managedTool) error {
	rules := rulesOf(ctx)
	picks := slices.ContainsFunc(f.metaArguments(t.upstream), func(a metaArgument) bool { return a.name == "warehouse_id" })
	if named := gjson.ParseBytes(call.Args["warehouse_id"]).String() != ""; rules == nil || !picks || named || !rules.Narrows(catalog.ScopeWarehouses) {
		return nil
	}
	return &catalog.Error{Kind: catalog.Denied, Message: call.About() + ": the policy says which warehouses may be used, and the call names none",
		Advice: "Give warehouse_id. Nothing was sent."}
}

// params are those of tools/call: the arguments as they came, without what belongs
// into _meta, and the traceparent of the client, which may be "".
func (t *managedTool) params(call *catalog.Call, traceparent string) (json.RawMessage, error) {
	args := slices.Clone(call.Body)
	var o, meta object
	var err error
	for _, name := range t.moved {
		raw, given := call.Args[name]
		if gjson.GetBytes(args, name).Exists() {
			if args, err = sjson.DeleteBytes(args, name); err != nil {
				return nil, err
			}
		}
		if given {
			meta.raw(name, metaValue(name, gjson.ParseBytes(raw)))
		}
	}
	if traceparent != "" {
		meta.text("traceparent", traceparent)
	}
	o.text("name", t.upstream)
	o.raw("arguments", string(args))
	if len(meta.buf) > 0 {
		o.raw("_meta", string(meta.bytes()))
	}
	return o.bytes(), nil
}

// metaValue is a value in the form that _meta has it: lists with commas, filters as
// JSON text.
func metaValue(name string, v gjson.Result) string {
	switch {
	case v.IsArray() && strings.HasPrefix(name, "columns"):
		var columns []string
		for _, c := range v.Array() {
			columns = append(columns, c.String())
		}
		return string(appendText(nil, strings.Join(columns, ",")))
	case v.IsObject() || v.IsArray():
		return string(appendText(nil, v.Raw))
	}
	return v.Raw
}

// relays says what a call to another server would do, as far as anybody here knows.
func (v *previewer) relays() {
	v.What = "Call the " + v.call.Object + ". What it does, only that server knows."
	for _, name := range sortedKeys(v.call.Args) {
		v.say("%s: %s", managedText(name, 64), managedText(string(v.call.Args[name]), 300))
	}
}
