package runs

import (
	"encoding/json"
	"errors"
	"io"
	"strings"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// The answers of serving endpoints: streams in responses or chat form, or one
// answer for all (contract/agents.md, section 4).

// maxAnswer bounds an answer that does not come as a stream.
const maxAnswer = 16 << 20

// readEndpoint reads an answer to its end.
func readEndpoint(answer *catalog.Answer, held *Held, chat bool) {
	reader := endpointReader{held: held, chat: chat}
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "application/json") {
		raw, err := io.ReadAll(io.LimitReader(answer.Stream, maxAnswer+1))
		reader.whole(raw, err)
		return
	}
	events := NewEvents(answer.Stream)
	for {
		event, err := events.Next()
		if err != nil {
			reader.end(err)
			return
		}
		if reader.event(event) {
			return
		}
	}
}

// endpointReader is what was seen of an answer so far.
type endpointReader struct {
	held *Held
	chat bool
	// of the message under way, whose pieces come one by one
	text  strings.Builder
	calls []toolCall
	id    string
	done  bool // a reason to finish was given
}

type toolCall struct{ id, name, arguments string }

// whole takes an answer that is no stream.
func (e *endpointReader) whole(raw []byte, err error) {
	root := gjson.ParseBytes(raw)
	switch {
	case err == nil && len(raw) > maxAnswer:
		err = ErrEventTooLong
	case err == nil && !gjson.ValidBytes(raw):
		err = errors.New("the answer is not complete JSON")
	}
	if err != nil {
		e.end(err)
		return
	}
	if failure := frameError(root, ""); failure != nil {
		e.held.Update(func(r *Run) { r.End(Failed, failure) })
		return
	}
	e.held.Update(func(r *Run) {
		r.Items = keep(r.Items, outputItems(raw)...)
		e.beside(r, root)
		finish(r, Completed, nil)
	})
}

// event takes one event over; true ends the stream.
func (e *endpointReader) event(event Event) (ended bool) {
	if string(event.Data) == "[DONE]" {
		e.done = true
		e.end(io.EOF)
		return true
	}
	if !gjson.ValidBytes(event.Data) {
		return false
	}
	data := gjson.ParseBytes(event.Data)
	if failure := frameError(data, event.Type); failure != nil {
		e.flush()
		e.held.Update(func(r *Run) { finish(r, Failed, failure) })
		return true // whatever comes behind it would lie
	}
	if e.chat && data.Get("type").Str == "" {
		e.chunk(data)
		return false
	}
	switch kind := data.Get("type").Str; kind {
	case "response.output_item.done":
		if shown := data.Get("item"); isItem(shown) {
			raw := json.RawMessage([]byte(shown.Raw))
			e.text.Reset()
			e.held.Update(func(r *Run) { r.Items = keep(r.Items, raw); r.Doing = "" })
		}
	case "response.output_item.added":
		if name := data.Get("item.name").Str; name != "" {
			e.held.Update(func(r *Run) { r.Doing = "calling " + cut(name, 80) })
		}
	case "response.output_text.delta":
		e.write(data.Get("delta").Str)
	case "response.completed", "responses.completed", "response.failed", "response.incomplete":
		e.last(strings.TrimPrefix(strings.TrimPrefix(kind, "responses."), "response."), data)
		return true
	default:
		e.held.Update(func(r *Run) { e.beside(r, data) })
	}
	return false
}

// write adds to the message under way, as far as there is room.
func (e *endpointReader) write(text string) {
	if e.text.Len()+len(text) <= maxItemsBytes {
		e.text.WriteString(text)
	}
}

// beside takes over what comes along with an answer.
func (e *endpointReader) beside(r *Run, data gjson.Result) {
	if trace := traceOf(data); trace != nil {
		r.Trace = keepTrace(trace)
	}
	if usage := data.Get("usage"); usage.IsObject() {
		r.Usage = json.RawMessage([]byte(usage.Raw))
	}
}

// keepTrace: a trace can be megabytes; what is too long leaves its id.
func keepTrace(trace json.RawMessage) json.RawMessage {
	if len(trace) <= 1<<20 {
		return json.RawMessage([]byte(string(trace)))
	}
	for _, path := range []string{"info.trace_id", "info.request_id"} {
		if id := gjson.GetBytes(trace, path).Str; id != "" {
			return item(cut(id, 200))
		}
	}
	return nil
}

// chunk takes a piece of a chat answer: choices of a model, or one delta of a
// ChatAgent, whose messages differ by id.
func (e *endpointReader) chunk(data gjson.Result) {
	delta, reason := data.Get("delta"), data.Get("finish_reason").Str
	if choice := data.Get("choices.0"); choice.Exists() {
		delta, reason = choice.Get("delta"), choice.Get("finish_reason").Str
		if !delta.Exists() {
			delta = choice.Get("message")
		}
	}
	if id := delta.Get("id").Str; id != "" {
		if e.id != "" && id != e.id {
			e.flush()
		}
		e.id = id
	}
	if delta.Get("role").Str == "tool" {
		e.flush()
		output := functionOutput(delta.Get("tool_call_id").Str, contentText(delta.Get("content")))
		e.held.Update(func(r *Run) { r.Items = keep(r.Items, output) })
	} else {
		e.write(contentText(delta.Get("content")))
		for _, call := range delta.Get("tool_calls").Array() {
			e.call(call)
		}
	}
	if reason != "" {
		e.done = true
		e.flush()
	}
	e.held.Update(func(r *Run) { e.beside(r, data) })
}

// call adds a piece of a tool call; its index, or its id, says of which.
func (e *endpointReader) call(piece gjson.Result) {
	at := len(e.calls) - 1
	if id := piece.Get("id").Str; id != "" && (at < 0 || e.calls[at].id != id) && len(e.calls) < 100 {
		e.calls = append(e.calls, toolCall{id: id})
		at++
	}
	if at < 0 {
		return
	}
	call := &e.calls[at]
	call.name += piece.Get("function.name").Str
	if arguments := piece.Get("function.arguments").Str; len(call.arguments)+len(arguments) <= maxItemsBytes {
		call.arguments += arguments
	}
}

// flush makes items of the message under way.
func (e *endpointReader) flush() {
	items := textItem(e.text.String())
	for _, call := range e.calls {
		items = append(items, functionCall(call.id, call.name, call.arguments))
	}
	e.text.Reset()
	e.calls, e.id = nil, ""
	if len(items) > 0 {
		e.held.Update(func(r *Run) { r.Items = keep(r.Items, items...) })
	}
}

// last takes over a terminal event. Its output may be empty although there was one.
func (e *endpointReader) last(word string, data gjson.Result) {
	response := data.Get("response")
	output := outputItems([]byte(response.Get("output").Raw))
	if len(output) == 0 {
		e.flush()
	}
	e.held.Update(func(r *Run) {
		if len(output) > len(r.Items) {
			r.Items = keep(nil, output...)
		}
		e.beside(r, data)
		e.beside(r, response)
		switch failure := errorOf(response.Get("error")); {
		case failure != nil:
			finish(r, Failed, failure)
		case word == "failed":
			finish(r, Failed, failureOf(nil))
		case word == "incomplete":
			finish(r, Incomplete, &Failure{Code: "incomplete", Message: "it ended before it was complete: " + orUnknown(response.Get("incomplete_details.reason").String())})
		default:
			finish(r, Completed, nil)
		}
	})
}

// end is the end of the stream itself.
func (e *endpointReader) end(err error) {
	e.flush()
	e.held.Update(func(r *Run) {
		if err == io.EOF && e.done {
			finish(r, Completed, nil)
			return
		}
		why := "the stream ended early"
		if errors.Is(err, ErrEventTooLong) {
			why = ErrEventTooLong.Error()
		}
		finish(r, Failed, &Failure{Code: "stream_ended", Message: why + ": what the agent had begun may have taken effect"})
	})
}

// finish ends a run that was not ended otherwise meanwhile.
func finish(r *Run, status Status, why *Failure) {
	if r.Status.Polls() {
		r.Doing = ""
		r.End(status, why)
		r.LastResponse().Status = string(status)
	}
}

// frameError is the error that a frame reports: {"error": …}, {"error_code",
// "message"}, or one whose type stands in the event line alone; nil when it is none.
func frameError(data gjson.Result, event string) *Failure {
	inner := data.Get("error")
	switch {
	case data.Get("type").Str == "error", event == "error":
		return failureOf([]byte(data.Raw))
	case data.Get("type").Str == "" && inner.Exists() && inner.Type != gjson.Null,
		data.Get("type").Str == "" && data.Get("error_code").Exists():
		return failureOf([]byte(data.Raw))
	}
	return nil
}
