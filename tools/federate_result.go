package tools

import (
	"encoding/json"
	"fmt"
	"strings"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

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
	} else if structured.Raw != "" && repeats(trimmed, structured) {
		text = ""
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

// repeats reports a text that says once more what the structured content does, as
// servers add it for clients without; a plain value is "result" there.
func repeats(text string, structured gjson.Result) bool {
	if !gjson.Valid(text) {
		return false
	}
	said := string(appendCanonical(nil, gjson.Parse(text), 0))
	return said == string(appendCanonical(nil, structured, 0)) || said == string(appendCanonical(nil, structured.Get("result"), 0))
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
