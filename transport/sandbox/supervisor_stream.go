package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// eventStream writes server-sent events. The first error sticks.
type eventStream struct {
	w        http.ResponseWriter
	sequence int
	err      error
}

// newEventStream sends the header of a stream.
func newEventStream(w http.ResponseWriter) *eventStream {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	return &eventStream{w: w}
}

// send numbers an event and writes it.
func (e *eventStream) send(kind string, fields object) {
	event := object{"type": kind, "sequence_number": e.sequence}
	for k, v := range fields {
		event[k] = v
	}
	e.sequence++
	e.raw(kind, event)
}

// raw writes an event as it is; kind is for its event line.
func (e *eventStream) raw(kind string, event object) {
	body, err := json.Marshal(event)
	if err != nil {
		panic(err) // made of decoded JSON
	}
	e.write("event: " + kind + "\ndata: " + string(body) + "\n\n")
}

func (e *eventStream) write(frame string) {
	if e.err != nil {
		return
	}
	if _, e.err = fmt.Fprint(e.w, frame); e.err == nil {
		e.err = http.NewResponseController(e.w).Flush()
	}
}

// stream is a foreground call as events (contract supervisor.md, section 8).
func (s *supervisor) stream(r *request, run *agentRun) error {
	e := newEventStream(r.w)
	e.send("response.created", object{"response": run.envelope("in_progress", nil)})
	e.send("response.in_progress", object{"response": run.envelope("in_progress", nil)})
	if s.await(r.Context(), run) != nil {
		return errWritten
	}
	due := run.created
	for i, st := range run.steps {
		if run.in.magic["slow"] {
			due = due.Add(60 * st.took)
			if !s.w.sleepUntil(r.Context(), due) {
				return errWritten
			}
		}
		e.item(i, st.item)
	}
	run.sendEnd(e)
	return errWritten
}

// sleepUntil waits for the workspace's clock, which a test may move at any
// moment; false when nobody waits for the answer any more.
func (w *Workspace) sleepUntil(ctx context.Context, due time.Time) bool {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for w.clock.Now().Before(due) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// sendEnd writes the end of a stream, or what a faulty one has instead.
func (run *agentRun) sendEnd(e *eventStream) {
	magic := run.in.magic
	if magic["eof"] {
		return
	}
	if magic["lie"] { // the type stands in the event line only, and a success follows
		e.raw("error", run.fault)
		lie := run.envelope("completed", nil)
		lie["usage"] = run.usage
		e.send("response.completed", object{"response": lie})
		return
	}
	if run.fault != nil {
		e.send("error", object{"code": run.fault["code"], "error_code": run.fault["code"], "message": run.fault["message"]})
	}
	final := run.final()
	if magic["bare"] {
		final["output"] = []object{}
	}
	e.send("response."+run.status, object{"response": final})
}

// item writes the events of one item from its beginning to its end.
func (e *eventStream) item(index int, item object) {
	id := textOf(item, "id")
	at := object{"item_id": id, "output_index": index}
	with := func(fields object) object {
		for k, v := range at {
			fields[k] = v
		}
		return fields
	}
	if kind := textOf(item, "type"); kind != "function_call_output" && kind != "mcp_approval_request" { // these come whole
		begun := partial(item)
		begun["id"] = id
		switch kind {
		case "message":
			begun["content"] = []any{}
		case "reasoning":
			begun["summary"] = []any{}
		}
		e.send("response.output_item.added", object{"output_index": index, "item": begun})
		e.inside(kind, item, with)
	}
	e.send("response.output_item.done", object{"output_index": index, "item": item})
}

// inside writes what happens between the first and the last event of an item.
func (e *eventStream) inside(kind string, item object, with func(object) object) {
	switch kind {
	case "function_call":
		arguments := textOf(item, "arguments")
		half := len(arguments) / 2
		for _, delta := range []string{arguments[:half], arguments[half:]} {
			e.send("response.function_call_arguments.delta", with(object{"delta": delta}))
		}
		e.send("response.function_call_arguments.done", with(object{"arguments": arguments}))
	case "reasoning":
		part := item["summary"].([]any)[0].(object)
		text := textOf(part, "text")
		e.send("response.reasoning_summary_part.added", with(object{"summary_index": 0, "part": object{"type": "summary_text", "text": ""}}))
		e.send("response.reasoning_summary_text.delta", with(object{"summary_index": 0, "delta": text}))
		e.send("response.reasoning_summary_text.done", with(object{"summary_index": 0, "text": text}))
		e.send("response.reasoning_summary_part.done", with(object{"summary_index": 0, "part": part}))
	case "message":
		part := item["content"].([]any)[0].(object)
		refusal := textOf(part, "refusal")
		begun := object{"type": "output_text", "text": "", "annotations": []any{}}
		if refusal != "" {
			begun = object{"type": "refusal", "refusal": ""}
		}
		e.send("response.content_part.added", with(object{"content_index": 0, "part": begun}))
		if refusal != "" {
			e.send("response.refusal.delta", with(object{"content_index": 0, "delta": refusal}))
			e.send("response.refusal.done", with(object{"content_index": 0, "refusal": refusal}))
		} else {
			e.text(part, with)
		}
		e.send("response.content_part.done", with(object{"content_index": 0, "part": part}))
	}
}

// text writes a text in deltas of a few words.
func (e *eventStream) text(part object, with func(object) object) {
	const perDelta = 4
	text := textOf(part, "text")
	for words := range slices.Chunk(strings.SplitAfter(text, " "), perDelta) {
		e.send("response.output_text.delta", with(object{"content_index": 0, "delta": strings.Join(words, "")}))
	}
	annotations, _ := part["annotations"].([]any)
	for i, a := range annotations {
		e.send("response.output_text.annotation.added", with(object{"content_index": 0, "annotation_index": i, "annotation": a}))
	}
	e.send("response.output_text.done", with(object{"content_index": 0, "text": text}))
}
