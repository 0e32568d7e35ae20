package tools

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"brickmcp/tools/runs"

	"github.com/tidwall/gjson"
)

const (
	// maxCollected bounds, in bytes, what is kept of a stream: no result shows more.
	maxCollected = 4 << 20
	// progressPause is between two notes of progress: nobody reads faster.
	progressPause = time.Second
	// progressText is how much of the text, from its end, a note shows.
	progressText = 160
)

// agentError is an error that an agent sends within its stream.
type agentError struct{ code, message string }

func (e *agentError) Error() string { return e.message }

// collected is an answer put together from the events of a stream.
type collected struct {
	text     []byte       // of deltas
	items    []string     // of the responses form that are complete
	messages []message    // of the ChatAgent form
	chat     bool         // chunks of the chat form came
	response gjson.Result // that the last event carries whole
	rest     map[string]string
	kept     int
	spoken   time.Time
}

type message struct {
	id, role string
	content  []byte
	raw      string // its calls of tools
}

func (c *collected) empty() bool {
	return len(c.text) == 0 && len(c.items) == 0 && len(c.messages) == 0 && !c.response.Exists()
}

// collect reads events to the end of the stream. Any other end is an error; what
// came before it stays.
func (c *collected) collect(ctx context.Context, stream io.Reader) error {
	events := runs.NewEvents(stream)
	c.rest = map[string]string{}
	for {
		event, err := events.Next()
		switch {
		case errors.Is(err, io.EOF):
			if c.empty() {
				return io.ErrUnexpectedEOF
			}
			return nil
		case err != nil:
			return err
		case strings.TrimSpace(string(event.Data)) == "[DONE]":
			return nil
		case !gjson.ValidBytes(event.Data):
			continue // a comment of a proxy, or a ping
		}
		if err := c.take(ctx, gjson.Parse(string(event.Data))); err != nil {
			return err
		}
	}
}

// take adds one event.
func (c *collected) take(ctx context.Context, v gjson.Result) error {
	if err := streamError(v); err != nil {
		return err
	}
	for _, name := range []string{"usage", "custom_outputs", "databricks_output", "finish_reason"} {
		if value := v.Get(name); value.Exists() && value.Type != gjson.Null {
			c.rest[name] = value.Raw
		}
	}
	kind := v.Get("type").Str
	switch {
	case kind == "response.output_text.delta":
		c.add(&c.text, v.Get("delta").Str)
	case kind == "response.output_item.done":
		c.item(ctx, v.Get("item"))
	case kind == "response.completed", kind == "response.incomplete":
		c.response = v.Get("response")
	case strings.HasPrefix(kind, "response."):
	case v.Get("choices").IsArray():
		c.chat = true
		c.add(&c.text, contentText(v.Get("choices.0.delta.content")))
		if reason := v.Get("choices.0.finish_reason"); reason.Str != "" {
			c.rest["finish_reason"] = reason.Raw
		}
	case v.Get("delta").IsObject():
		c.delta(v.Get("delta"))
	case v.Get("output").IsArray(), v.Get("messages").IsArray():
		c.response = v // all at once
	}
	c.speak(ctx)
	return nil
}

// streamError is an error that came as an event.
func streamError(v gjson.Result) error {
	said, code := v.Get("error"), v.Get("error_code").String()
	kind := v.Get("type").Str
	switch {
	case kind == "response.failed":
		said = v.Get("response.error")
	case kind == "error" && !said.Exists():
		return &agentError{v.Get("code").String(), v.Get("message").String()}
	case code != "":
		return &agentError{code, code + ": " + v.Get("message").String()}
	}
	switch {
	case said.IsObject():
		return &agentError{said.Get("code").String(), said.Get("message").String()}
	case said.Type == gjson.String && said.Str != "", kind == "response.failed":
		return &agentError{"", said.String()}
	}
	return nil
}

// add appends to a text as long as there is room.
func (c *collected) add(to *[]byte, text string) {
	if c.kept += len(text); c.kept <= maxCollected {
		*to = append(*to, text...)
	}
}

// item keeps a complete item; its text replaces the deltas that came before.
func (c *collected) item(ctx context.Context, item gjson.Result) {
	if item.Get("type").Str == "message" {
		c.text = nil
	}
	if c.kept += len(item.Raw); c.kept <= maxCollected {
		c.items = append(c.items, item.Raw)
	}
	if kind := item.Get("type").Str; isToolCall(kind) {
		Progress(ctx, "the agent calls "+cutText(item.Get("name").String(), 80))
	}
}

// delta adds a piece of a message of the ChatAgent form; pieces of one message have
// its id.
func (c *collected) delta(delta gjson.Result) {
	id := delta.Get("id").String()
	if n := len(c.messages); n == 0 || c.messages[n-1].id != id || c.messages[n-1].role != delta.Get("role").Str {
		c.messages = append(c.messages, message{id: id, role: delta.Get("role").Str})
	}
	m := &c.messages[len(c.messages)-1]
	c.add(&m.content, contentText(delta.Get("content")))
	if calls := delta.Get("tool_calls"); calls.IsArray() {
		if c.kept += len(calls.Raw); c.kept <= maxCollected {
			m.raw = calls.Raw
		}
	}
}

// speak tells the client the end of the text, now and then.
func (c *collected) speak(ctx context.Context) {
	text := c.text
	if n := len(c.messages); len(text) == 0 && n > 0 {
		text = c.messages[n-1].content
	}
	if len(text) == 0 || time.Since(c.spoken) < progressPause {
		return
	}
	c.spoken = time.Now()
	if n := len(text); n > progressText {
		Progress(ctx, "…"+strings.ToValidUTF8(string(text[n-progressText:]), ""))
		return
	}
	Progress(ctx, string(text))
}

// body is the answer as it would have come without a stream.
func (c *collected) body() []byte {
	c.unwrap()
	var o object
	switch {
	case c.rest["messages"] != "" || c.rest["choices"] != "": // it came whole
	case c.chat:
		var m object
		m.text("role", "assistant")
		m.text("content", string(c.text))
		o.raw("choices", `[{"message":`+string(m.bytes())+`}]`)
	case len(c.messages) > 0:
		var all []string
		for i := range c.messages {
			all = append(all, c.messages[i].json())
		}
		o.raw("messages", "["+strings.Join(all, ",")+"]")
	default:
		items := c.items
		if len(c.text) > 0 { // of an item that did not get done
			var part, m object
			part.text("type", "output_text")
			part.text("text", string(c.text))
			m.text("type", "message")
			m.raw("content", "["+string(part.bytes())+"]")
			items = append(items, string(m.bytes()))
		}
		o.raw("output", "["+strings.Join(items, ",")+"]")
	}
	for _, name := range sortedKeys(c.rest) {
		o.raw(quotedKey(name), c.rest[name])
	}
	return o.bytes()
}

// unwrap takes over what the last event says of the whole answer. Its items, when it
// repeats them, are the complete ones.
func (c *collected) unwrap() {
	c.response.ForEach(func(key, value gjson.Result) bool {
		switch {
		case key.Str == "output":
			if all := value.Array(); len(all) > 0 {
				c.items, c.text = nil, nil
				for _, item := range all {
					c.items = append(c.items, item.Raw)
				}
			}
		case c.rest[key.Str] == "":
			c.rest[key.Str] = value.Raw
		}
		return true
	})
}

func (m *message) json() string {
	var o object
	o.text("role", m.role)
	o.text("content", string(m.content))
	if m.id != "" {
		o.text("id", m.id)
	}
	if m.raw != "" {
		o.raw("tool_calls", m.raw)
	}
	return string(o.bytes())
}
