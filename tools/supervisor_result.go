package tools

import (
	"encoding/json"
	"strconv"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/runs"

	"github.com/tidwall/gjson"
)

// memoryNote is said of runs that a restart loses.
const memoryNote = "runs are kept in memory only, because this server has no state directory: a restart forgets them"

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

// runPage is a run for an agent, while it is put together. The budget goes to what
// matters: status, pending approvals, the output text whole if it fits, and then the
// newest items; the older ones are on the next page.
type runPage struct {
	object
	limit     int      // bytes
	foreign   []string // members whose texts are not ours
	shortened bool     // something was cut for good
}

func (s *Server) runResult(call *catalog.Call, run *runs.Run, looked error) []byte {
	p := runPage{limit: s.budget - headRoom}
	p.text("run_id", run.ID)
	if run.Agent != "" {
		p.text("agent", run.Agent)
	}
	p.text("status", string(s.shownStatus(run)))
	if run.Status.Polls() {
		p.integer("poll_after_ms", s.runner.Next(run).Milliseconds())
	}
	if looked != nil {
		p.says("last_look")
		p.text("last_look", "failed, so this is how it was last seen: "+cutText(catalog.AsError(looked).Message, 300))
	}
	p.text("created_at", run.Created.Format(time.RFC3339))
	p.text("expires_at", run.Expires().Format(time.RFC3339))
	if run.Conversation != "" {
		p.text("conversation_id", run.Conversation)
	}
	if call.Page.Skip == 0 {
		p.head(run)
	}
	p.items(run, call.Page.Skip)
	if !s.registry.Durable() {
		p.text("note", memoryNote)
	} else if p.shortened {
		p.object.shortened(shortNote)
	}
	result := p.bytes()
	if len(p.foreign) == 0 {
		return result
	}
	var mark object
	mark.untrusted(p.foreign...) // before all of them
	return append(append(mark.buf, ','), result[1:]...)
}

// says marks a member whose texts the service, or an agent, wrote.
func (p *runPage) says(name string) { p.foreign = append(p.foreign, name) }

func (p *runPage) left() int { return p.limit - len(p.buf) }

// fit appends a member of the service's, cut to room or 300 bytes.
func (p *runPage) fit(name string, value []byte, room int) {
	if (name == "usage" || name == "trace") && room < 300 && len(value) > room {
		p.shortened = true // with a budget this small there are better things to show
		return
	}
	room = max(room, 300)
	if len(value) > room {
		value, p.shortened = shorten(value, room), true
	}
	p.says(name)
	p.raw(name, string(value))
}

// head appends what stands before the items.
func (p *runPage) head(run *runs.Run) {
	if run.Error != nil {
		value, err := json.Marshal(run.Error)
		if err == nil {
			p.fit("error", value, p.left()/4)
		}
	}
	if pending := run.Pending(); len(pending) > 0 && !run.Status.Ended() {
		value := pendingJSON(pending, every)
		if room := max(p.left()/2, 300); len(value) > room {
			value, p.shortened = pendingJSON(pending, room), true
		}
		p.says("pending_approvals")
		p.raw("pending_approvals", string(value))
	}
	var ids []string
	for _, response := range run.Responses {
		if response.ID != "" {
			ids = append(ids, response.ID)
		}
	}
	if len(ids) > 0 {
		p.texts("response_ids", ids[max(0, len(ids)-10):])
	}
	if text := run.OutputText(); text != "" {
		p.fit("output_text", appendText(nil, text), p.left()-p.left()/8)
	}
	if run.Usage != nil {
		p.fit("usage", compact(run.Usage), p.left()/4)
	}
	if run.Trace != nil {
		p.fit("trace", compact(run.Trace), p.left()/3)
	}
}

func compact(value json.RawMessage) []byte { return []byte(gjson.GetBytes(value, "@ugly").Raw) }

// checkItemPage refuses a page_token of another run.
func checkItemPage(call *catalog.Call, run *runs.Run) error {
	if call.Page.Skip > 0 && call.Page.Skip >= len(run.Items) {
		return behindEnd(call)
	}
	return nil
}

// items appends the newest items that fit, skip of them left out, in the order in
// which they came.
func (p *runPage) items(run *runs.Run, skip int) {
	if len(run.Items) == 0 {
		return
	}
	const around = len(`,"items":[],"returned":12345,"truncated":true,"next_page_token":"~12345~"`)
	room := p.left() - around
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
	cutting := first == end && (skip > 0 || room > 600) // one item that is larger than a page
	if cutting {
		first, p.shortened = end-1, true
	}
	p.says("items")
	p.name("items")
	p.buf = append(p.buf, '[')
	for i := first; i < end; i++ {
		if i > first {
			p.buf = append(p.buf, ',')
		}
		value := compact(run.Items[i])
		if cutting {
			value = shorten(value, max(room, 300))
		}
		p.buf = append(p.buf, value...)
	}
	p.buf = append(p.buf, ']')
	p.integer("returned", int64(end-first))
	p.boolean("truncated", first > 0)
	if next := (catalog.Page{Skip: len(run.Items) - first}); first > 0 && next.Skip > 0 { // 0: nothing fitted
		p.text("next_page_token", next.String())
	}
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
