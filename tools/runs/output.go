package runs

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"
)

const (
	// maxItemsBytes and maxItems bound what is kept of one run.
	maxItemsBytes = 8 << 20
	maxItems      = 5000
)

// message is an output item with a text.
func message(text string) json.RawMessage {
	type part struct {
		Type        string   `json:"type"`
		Text        string   `json:"text"`
		Annotations []string `json:"annotations"`
	}
	return item(struct {
		Type    string `json:"type"`
		Role    string `json:"role"`
		Status  string `json:"status"`
		Content []part `json:"content"`
	}{"message", "assistant", "completed", []part{{"output_text", text, []string{}}}})
}

// functionCall is a log of a call that the agent made: nobody here executes it.
func functionCall(callID, name, arguments string) json.RawMessage {
	return item(struct {
		Type      string `json:"type"`
		CallID    string `json:"call_id"`
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
		Status    string `json:"status"`
	}{"function_call", callID, name, arguments, "completed"})
}

// functionOutput is what came of it.
func functionOutput(callID, output string) json.RawMessage {
	return item(struct {
		Type   string `json:"type"`
		CallID string `json:"call_id"`
		Output string `json:"output"`
	}{"function_call_output", callID, output})
}

func item(value any) json.RawMessage {
	raw, err := json.Marshal(value)
	if err != nil { // structs of strings
		panic(err)
	}
	return raw
}

// outputItems makes items of whatever an agent answers: items as they are, a
// response or messages around them, a text, or any other JSON as text.
func outputItems(raw []byte) []json.RawMessage {
	root := gjson.ParseBytes(raw)
	switch {
	case !root.Exists() || root.Type == gjson.Null:
		return nil
	case root.Type == gjson.String:
		return textItem(root.Str)
	case root.IsArray():
		if list := root.Array(); len(list) > 0 && isItem(list[0]) {
			return rawItems(list)
		} else if len(list) == 0 {
			return nil
		} else if list[0].Get("role").Exists() {
			return messageItems(list)
		}
	case isItem(root):
		return []json.RawMessage{json.RawMessage(root.Raw)}
	case root.Get("output").IsArray():
		return outputItems([]byte(root.Get("output").Raw))
	case root.Get("messages").IsArray():
		return messageItems(root.Get("messages").Array())
	case root.Get("choices.0.message").IsObject():
		return messageItems([]gjson.Result{root.Get("choices.0.message")})
	case root.Get("content").Type == gjson.String:
		return textItem(root.Get("content").Str)
	}
	return textItem(root.Raw)
}

func isItem(v gjson.Result) bool { return v.IsObject() && v.Get("type").Type == gjson.String }

func rawItems(list []gjson.Result) []json.RawMessage {
	items := make([]json.RawMessage, len(list))
	for i, v := range list {
		items[i] = json.RawMessage(v.Raw)
	}
	return items
}

func textItem(text string) []json.RawMessage {
	if text == "" {
		return nil
	}
	return []json.RawMessage{message(text)}
}

// messageItems makes items of the messages that chat agents answer with
// (contract/agents.md, section 4).
func messageItems(messages []gjson.Result) []json.RawMessage {
	var items []json.RawMessage
	for _, m := range messages {
		text := contentText(m.Get("content"))
		if m.Get("role").Str == "tool" {
			items = append(items, functionOutput(m.Get("tool_call_id").Str, text))
			continue
		}
		items = append(items, textItem(text)...)
		for _, call := range m.Get("tool_calls").Array() {
			items = append(items, functionCall(call.Get("id").Str, call.Get("function.name").Str, call.Get("function.arguments").String()))
		}
	}
	return items
}

// contentText is the text of a message: a string, or parts of which some are text.
func contentText(content gjson.Result) string {
	if !content.IsArray() {
		return content.String()
	}
	var b strings.Builder
	for _, part := range content.Array() {
		b.WriteString(part.Get("text").String())
	}
	return b.String()
}

// keep appends items as far as memory is given to a run. What does not fit leaves a
// note of its type.
func keep(items []json.RawMessage, more ...json.RawMessage) []json.RawMessage {
	size := 0
	for _, i := range items {
		size += len(i)
	}
	for _, i := range more {
		if len(items) >= maxItems {
			break
		}
		if size+len(i) > maxItemsBytes {
			i = item(struct {
				Type string `json:"type"`
				ID   string `json:"id,omitempty"`
				Note string `json:"note"`
			}{cut(gjson.GetBytes(i, "type").String(), 64), cut(gjson.GetBytes(i, "id").String(), 64), "left out: the run has more than 8 MiB of items"})
		}
		size += len(i)
		items = append(items, i)
	}
	return items
}

// cut shortens a text to at most n bytes.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

// failureOf reads an error in whichever form agents give it: a text, or an object
// with code or type, and message.
func failureOf(raw []byte) *Failure {
	root := gjson.ParseBytes(raw)
	if inner := root.Get("error"); inner.Exists() && !root.Get("message").Exists() {
		root = inner
	}
	f := &Failure{}
	switch {
	case root.Type == gjson.String:
		f.Message = root.Str
	case root.IsObject():
		for _, name := range []string{"code", "error_code", "type"} {
			if v := root.Get(name); f.Code == "" && (v.Type == gjson.String || v.Type == gjson.Number) {
				f.Code = cut(v.String(), 80)
			}
		}
		for _, name := range []string{"message", "detail"} {
			if f.Message == "" {
				f.Message = root.Get(name).String()
			}
		}
	}
	f.Message = cut(f.Message, maxFailureText)
	if f.Message == "" {
		f.Message = "the agent failed without saying why"
	}
	return f
}

// maxFailureText: a traceback has no more to say.
const maxFailureText = 4 << 10
