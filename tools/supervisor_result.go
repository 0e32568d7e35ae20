package tools

import (
	"encoding/json"
	"strconv"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/runs"

	"github.com/tidwall/gjson"
)

const (
	// runKept is how long a run is found.
	runKept = 30 * 24 * time.Hour
	// memoryNote is said of runs that a restart loses.
	memoryNote = "runs are kept in memory only, because this server has no state directory: a restart forgets them"
)

func itemType(item json.RawMessage) string { return gjson.GetBytes(item, "type").Str }

// shownStatus is the status for agents: of a record that a killed process left open
// nobody knows it.
func (s *Server) shownStatus(run *runs.Run) runs.Status {
	if run.Sending != nil && !s.registry.Sending(run) {
		return runs.Unknown
	}
	return run.Status
}

// runStarted is the short answer of a start: there is nothing else to say yet.
func (s *Server) runStarted(run *runs.Run) []byte {
	var o object
	o.text("run_id", run.ID)
	o.text("status", string(run.Status))
	o.integer("poll_after_ms", s.runner.Next(run).Milliseconds())
	if !s.registry.Durable() {
		o.text("note", memoryNote)
	}
	return o.bytes()
}

// runResult is a run for an agent. The budget goes to what matters: status, pending
// approvals, the output text whole if it fits, and then the newest items; the
// older ones are on the next page.
func (s *Server) runResult(call *catalog.Call, run *runs.Run, looked error) []byte {
	limit := s.budget - headRoom
	var o object
	o.untrusted("output_text", "items", "pending_approvals", "error", "trace")
	o.text("run_id", run.ID)
	if run.Agent != "" {
		o.text("agent", run.Agent)
	}
	o.text("status", string(s.shownStatus(run)))
	if run.Status.Polls() {
		o.integer("poll_after_ms", s.runner.Next(run).Milliseconds())
	}
	if looked != nil {
		o.text("last_look", "failed, so this is how it was last seen: "+cutText(catalog.AsError(looked).Message, 300))
	}
	o.text("created_at", run.Created.Format(time.RFC3339))
	o.text("expires_at", run.Created.Add(runKept).Format(time.RFC3339))
	if run.Conversation != "" {
		o.text("conversation_id", run.Conversation)
	}
	shortened := false
	if call.Page.Skip == 0 {
		shortened = s.runHead(&o, run, limit)
	}
	shortened = runItems(&o, run, call.Page.Skip, limit) || shortened
	if !s.registry.Durable() {
		o.text("note", memoryNote)
	} else if shortened {
		o.shortened(shortNote)
	}
	return o.bytes()
}

// runHead appends what stands before the items.
func (s *Server) runHead(o *object, run *runs.Run, limit int) (shortened bool) {
	fit := func(name string, value []byte, room int) {
		if (name == "usage" || name == "trace") && room < 300 && len(value) > room {
			shortened = true // with a budget this small there are better things to show
			return
		}
		room = max(room, 300)
		if len(value) > room {
			value, shortened = shorten(value, room), true
		}
		o.raw(name, string(value))
	}
	left := func() int { return limit - len(o.buf) }
	if run.Error != nil {
		value, err := json.Marshal(run.Error)
		if err == nil {
			fit("error", value, left()/4)
		}
	}
	if pending := run.Pending(); len(pending) > 0 && !run.Status.Ended() {
		fit("pending_approvals", pendingJSON(pending), left()/2)
	}
	var ids []string
	for _, response := range run.Responses {
		if response.ID != "" {
			ids = append(ids, response.ID)
		}
	}
	if len(ids) > 0 {
		o.texts("response_ids", ids[max(0, len(ids)-10):])
	}
	if text := run.OutputText(); text != "" {
		fit("output_text", appendText(nil, text), left()-left()/8)
	}
	if run.Usage != nil {
		fit("usage", compact(run.Usage), left()/4)
	}
	if run.Trace != nil {
		fit("trace", compact(run.Trace), left()/3)
	}
	return shortened
}

func compact(value json.RawMessage) []byte { return []byte(gjson.GetBytes(value, "@ugly").Raw) }

// pendingJSON shows what a person has to decide: arguments as the JSON that they
// are, or as text if they are none.
func pendingJSON(pending []runs.Pending) []byte {
	out := []byte{'['}
	for i, p := range pending {
		if i > 0 {
			out = append(out, ',')
		}
		var o object
		o.text("approval_request_id", p.ID)
		o.text("server_label", p.ServerLabel)
		o.text("name", p.Name)
		if gjson.Valid(p.Arguments) {
			o.raw("arguments", gjson.Get(p.Arguments, "@ugly").Raw)
		} else {
			o.text("arguments", p.Arguments)
		}
		out = append(out, o.bytes()...)
	}
	return append(out, ']')
}

// checkItemPage refuses a page_token of another run.
func checkItemPage(call *catalog.Call, run *runs.Run) error {
	if call.Page.Skip > 0 && call.Page.Skip >= len(run.Items) {
		return behindEnd(call)
	}
	return nil
}

// runItems appends the newest items that fit, skip of them left out, in the order
// in which they came. A message whose text is in output_text stands there only.
func runItems(o *object, run *runs.Run, skip, limit int) (shortened bool) {
	if len(run.Items) == 0 {
		return false
	}
	const around = len(`,"items":[],"returned":12345,"truncated":true,"next_page_token":"~12345~"`)
	room := limit - len(o.buf) - around
	end := max(len(run.Items)-skip, 0)
	first, size := end, 0
	for first > 0 {
		item := len(compact(run.Items[first-1])) + len(",")
		if size+item > room {
			break
		}
		size += item
		first--
	}
	if first == end && skip > 0 || first == end && room > 600 { // one item that is larger than a page
		first, shortened = end-1, true
	}
	o.name("items")
	o.buf = append(o.buf, '[')
	for i := first; i < end; i++ {
		if i > first {
			o.buf = append(o.buf, ',')
		}
		value := compact(run.Items[i])
		if shortened {
			value = shorten(value, max(room, 300))
		}
		o.buf = append(o.buf, value...)
	}
	o.buf = append(o.buf, ']')
	o.integer("returned", int64(end-first))
	o.boolean("truncated", first > 0)
	if first > 0 {
		next := catalog.Page{Skip: len(run.Items) - first}
		if next.Skip == 0 { // nothing fitted: the page behind begins with the newest
			return shortened
		}
		o.text("next_page_token", next.String())
	}
	return shortened
}

// listedRun is a run in a list.
func listedRun(call *catalog.Call, run *runs.Run, status runs.Status) []byte {
	var o object
	o.text("run_id", run.ID)
	if run.Agent != "" {
		o.text("agent", run.Agent)
	}
	o.text("status", string(status))
	o.text("input", asked(run))
	o.text("created_at", run.Created.Format(time.RFC3339))
	o.text("updated_at", run.Updated.Format(time.RFC3339))
	if len(call.Fields) > 0 {
		shown := *run
		shown.State = nil // the backend's own
		record, err := json.Marshal(&shown)
		for _, name := range call.Fields {
			if v := gjson.GetBytes(record, name); err == nil && v.Exists() {
				o.raw(strconv.Quote(name)[1:len(strconv.Quote(name))-1], v.Raw)
			}
		}
	}
	return o.bytes()
}

// asked is the beginning of the last thing that a user said.
func asked(run *runs.Run) string {
	for i := len(run.Request.Input) - 1; i >= 0; i-- {
		item := gjson.ParseBytes(run.Request.Input[i])
		if item.Get("role").Str != "user" {
			continue
		}
		text := item.Get("content")
		if text.IsArray() {
			text = text.Get("0.text")
		}
		if cut := cutText(text.String(), 100); cut != text.String() {
			return cut + "…"
		}
		return text.String()
	}
	return ""
}
