package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
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
	if err := f.warehouseNamed(ctx, call, t); err != nil {
		return nil, err
	}
	params, err := t.params(call)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	v := f.view()
	if v.upstream == nil {
		v.upstream = f.open(f.ManagedServer, func() { f.changed(v) })
	}
	upstream := v.upstream
	f.mu.Unlock()
	var progress func(string)
	// With a progress token Genie answers in the one call, which takes minutes: the
	// pair of ask and poll stays a pair.
	if t.upstream != "genie_ask" && ctx.Value(progressKey{}) != nil {
		progress = func(message string) { Progress(ctx, managedText(message, 300)) }
	}
	result, err := upstream.Call(ctx, params, call.Row.Effect.Repeatable(), progress)
	if err != nil {
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
	return s.relayed(call, result)
}

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
// into _meta.
func (t *managedTool) params(call *catalog.Call) (json.RawMessage, error) {
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

// relayed is a server's result in the form of ours: bounded, and marked as what
// others wrote.
func (s *Server) relayed(call *catalog.Call, result json.RawMessage) ([]byte, error) {
	root := gjson.ParseBytes(result)
	text, others := managedContent(root.Get("content"))
	if root.Get("isError").Bool() {
		return nil, managedFailure(call, text)
	}
	structured := root.Get("structuredContent")
	if !structured.IsObject() && !structured.IsArray() {
		structured = gjson.Result{}
	}
	if trimmed := strings.TrimSpace(text); structured.Raw == "" && gjson.Valid(trimmed) {
		if v := gjson.Parse(trimmed); v.IsObject() || v.IsArray() {
			structured, text = v, ""
		}
	} else if structured.Raw != "" && gjson.Valid(trimmed) {
		text = "" // the same once more, for clients without structured content
	}
	var o object
	room := s.room()
	cut := false
	var foreign []string
	if structured.Raw != "" {
		foreign = append(foreign, "result")
	}
	if text != "" || structured.Raw == "" {
		foreign = append(foreign, "text")
	}
	if len(others) > 0 {
		foreign = append(foreign, "not_shown") // types and addresses are theirs, too
	}
	o.untrusted(foreign...)
	if structured.Raw != "" {
		whole := json.RawMessage(structured.Raw)
		if text != "" {
			room /= 2
		}
		if len(whole) > room {
			whole, cut = shorten(whole, room), true
		}
		o.raw("result", string(whole))
	}
	if text != "" || structured.Raw == "" {
		if n := fitting(text, room); n < len(text) {
			text, cut = text[:n], true
		}
		o.text("text", text)
	}
	if len(others) > 0 {
		o.texts("not_shown", others)
	}
	if cut {
		o.boolean("truncated", true)
		o.text("note", "It is longer than a result may be. Ask for less, such as fewer results, rows or columns; a larger --max-result-tokens shows more.")
	}
	return o.bytes(), nil
}

// managedContent is the text of a result, and what else is in it, by type and size.
func managedContent(content gjson.Result) (text string, others []string) {
	var parts []string
	content.ForEach(func(_, block gjson.Result) bool {
		switch kind := block.Get("type").Str; {
		case kind == "text":
			parts = append(parts, block.Get("text").Str)
		case kind == "resource" && block.Get("resource.text").Exists():
			parts = append(parts, block.Get("resource.text").Str)
		case len(others) < 20:
			address, _, _ := strings.Cut(block.Get("uri").Str, "?") // what is behind it may let in whoever has it
			others = append(others, managedText(fmt.Sprintf("%s %s %s, %d bytes", kind, block.Get("mimeType").Str, address, len(block.Raw)), 200))
		}
		return true
	})
	return strings.Join(parts, "\n"), others
}

// managedFailure is a result that says of itself that it is an error.
func managedFailure(call *catalog.Call, text string) error {
	e := &catalog.Error{Kind: catalog.Invalid, Quoted: true, Message: call.About() + ": the server answers with an error",
		Advice: "If the arguments are at fault, correct them and call again."}
	if text = managedText(text, 2000); text != "" {
		e.Message += ": " + text
	}
	upper := strings.ToUpper(text)
	if strings.Contains(upper, "PERMISSION_DENIED") || strings.Contains(upper, "INSUFFICIENT_PERMISSIONS") {
		e.Kind, e.Advice = catalog.Forbidden, "The call needs "+call.Row.Needs+"."
	}
	if !call.Row.Effect.ReadOnly() {
		e.Advice += " Part of it may have been done."
	}
	return e
}

// relays says what a call to another server would do, as far as anybody here knows.
func (v *previewer) relays() {
	v.What = "Call the " + v.call.Object + ". What it does, only that server knows."
	for _, name := range sortedKeys(v.call.Args) {
		v.say("%s: %s", managedText(name, 64), managedText(string(v.call.Args[name]), 300))
	}
}
