package runs

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// Responses and their items, in the OpenAI dialect that the Supervisor and agent
// servers speak: contract/supervisor.md, sections 2.1, 4 and 5. Everything is read
// leniently: what is absent is nothing, what is unknown is kept.

// maxItemID is the longest id that is accepted in an input; some models make longer
// ones.
const maxItemID = 64

// outgoing is an item as it may be sent back: verbatim, but for ids that would be
// refused.
func outgoing(item json.RawMessage) json.RawMessage {
	for _, name := range []string{"id", "approval_request_id"} {
		id := gjson.GetBytes(item, name)
		var err error
		switch {
		case id.Exists() && id.Type == gjson.Null:
			item, err = sjson.DeleteBytes(slices.Clone(item), name)
		case len(id.Str) > maxItemID:
			item, err = sjson.SetBytes(slices.Clone(item), name, cutID(id.Str))
		}
		if err != nil { // of a valid object it cannot fail
			panic(err)
		}
	}
	return item
}

func cutID(id string) string {
	if len(id) <= maxItemID {
		return id
	}
	return strings.ToValidUTF8(id[:maxItemID], "")
}

// unfinished reports an item that a later look brings complete.
func unfinished(item gjson.Result) bool {
	switch item.Get("status").Str {
	case "queued", "in_progress", "incomplete":
		return true
	}
	return item.Get("id").Type == gjson.Null && item.Get("type").Str != "function_call_output"
}

// echoed reports an item of the history that a background response repeats at its
// beginning.
func echoed(item gjson.Result) bool {
	switch item.Get("type").Str {
	case "function_call", "function_call_output":
		return true
	case "message", "":
		return item.Get("role").Str == "assistant"
	}
	return false
}

// sameItem compares an item that was sent with one that came back.
func sameItem(sent, got gjson.Result) bool {
	kind := got.Get("type").Str
	if sent.Get("type").Str != kind && !(sent.Get("type").Str == "" && kind == "message") {
		return false
	}
	if kind == "function_call" || kind == "function_call_output" {
		return cutID(sent.Get("call_id").Str) == cutID(got.Get("call_id").Str)
	}
	if id := got.Get("id").Str; id != "" && cutID(sent.Get("id").Str) == cutID(id) {
		return true
	}
	return got.Get("role").Str == sent.Get("role").Str && itemText(sent) == itemText(got)
}

// approvalOf is the id of an approval that an item asks for or answers; "" when it
// does neither.
func approvalOf(item gjson.Result) string {
	switch item.Get("type").Str {
	case "mcp_approval_request":
		return "? " + callOf(item)
	case "mcp_approval_response":
		return "! " + callOf(item)
	}
	return ""
}

// withoutEcho is the output of a response behind the history that was sent. The ids
// are compared: an echo that is not there must not hide a new item. Approvals are not
// to be echoed; where they are, they are no new ones.
func withoutEcho(output []gjson.Result, history []json.RawMessage) []gjson.Result {
	known := map[string]bool{}
	for _, raw := range history {
		if id := approvalOf(gjson.ParseBytes(raw)); id != "" {
			known[id] = true
		}
	}
	output = slices.DeleteFunc(slices.Clone(output), func(item gjson.Result) bool { return known[approvalOf(item)] })
	for _, raw := range history {
		sent := gjson.ParseBytes(raw)
		if !echoed(sent) {
			continue
		}
		if len(output) == 0 || !sameItem(sent, output[0]) {
			break
		}
		output = output[1:]
	}
	return output
}

// History is all that was said in the run, to go on from: without calls that were
// never answered, and answers to no call, which the service refuses (section 6), and
// without approvals of which no output is known: sent again, they might act twice.
func (r *Run) History() []json.RawMessage {
	all := slices.Concat(r.Request.Input, r.Items)
	called, approved, answered := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, raw := range all {
		switch item := gjson.ParseBytes(raw); item.Get("type").Str {
		case "function_call", "mcp_approval_request":
			called[callOf(item)] = true
		case "mcp_approval_response":
			approved[callOf(item)] = item.Get("approve").Bool()
		case "function_call_output":
			answered[callOf(item)] = true
		}
	}
	return slices.DeleteFunc(all, func(raw json.RawMessage) bool {
		item := gjson.ParseBytes(raw)
		switch id := callOf(item); item.Get("type").Str {
		case "function_call":
			return !answered[id]
		case "function_call_output":
			return !called[id]
		case "mcp_approval_request", "mcp_approval_response":
			return approved[id] && !answered[id]
		}
		return false
	})
}

// callOf is the id of the call that an item is about.
func callOf(item gjson.Result) string {
	name := "call_id"
	switch item.Get("type").Str {
	case "mcp_approval_request":
		name = "id"
	case "mcp_approval_response":
		name = "approval_request_id"
	}
	return cutID(item.Get(name).Str)
}

// itemText is the text of a message: content as text, or the text parts of it.
func itemText(item gjson.Result) string {
	content := item.Get("content")
	if content.Type == gjson.String {
		return content.Str
	}
	var text strings.Builder
	if content.IsArray() {
		content.ForEach(func(_, part gjson.Result) bool {
			switch part.Get("type").Str {
			case "output_text", "input_text", "text":
				text.WriteString(part.Get("text").Str)
			case "refusal":
				text.WriteString(part.Get("refusal").Str)
			}
			return true
		})
	}
	return text.String()
}

// OutputText joins the texts of all assistant messages, as the OpenAI clients'
// output_text does.
func (r *Run) OutputText() string {
	var text strings.Builder
	for _, raw := range r.Items {
		item := gjson.ParseBytes(raw)
		if kind := item.Get("type").Str; (kind == "message" || kind == "") && item.Get("role").Str != "user" {
			text.WriteString(itemText(item))
		}
	}
	return text.String()
}

// read takes a response over into the run: from its last response on.
func (r *Run) read(response gjson.Result) {
	last := r.LastResponse()
	word := response.Get("status").Str
	last.Status = word
	status := statusOf(word)
	r.readOutput(response.Get("output"), status)
	if usage := response.Get("usage"); usage.IsObject() {
		r.Usage = json.RawMessage(usage.Raw)
	}
	if trace := traceOf(response); trace != nil {
		r.Trace = trace
	}
	failure := errorOf(response.Get("error"))
	switch {
	case failure != nil && (status == Completed || status == Failed):
		r.End(Failed, failure) // an error beside completed: the error is right
	case status == Failed:
		r.End(Failed, &Failure{Message: "the service gives no reason"})
	case status == Incomplete:
		reason := response.Get("incomplete_details.reason").String()
		r.End(Incomplete, &Failure{Code: "incomplete", Message: "it ended before it was complete: " + orUnknown(reason)})
	case status == Completed && len(r.Pending()) > 0:
		r.Status = ApprovalRequired
	case status.Ended():
		r.End(status, nil)
	default:
		r.Status = status
	}
}

func orUnknown(s string) string {
	if s == "" {
		return "no reason is given"
	}
	return s
}

// readOutput replaces the items of the last response.
func (r *Run) readOutput(output gjson.Result, status Status) {
	last := r.LastResponse()
	history := append(slices.Clone(r.Request.Input), r.Items[:last.From]...)
	var all []gjson.Result
	if output.IsArray() {
		all = output.Array()
	}
	items := slices.Clone(r.Items[:last.From])
	for _, item := range withoutEcho(all, history) {
		if status.Polls() && unfinished(item) {
			break
		}
		if item.IsObject() {
			items = append(items, json.RawMessage(item.Raw))
		}
	}
	// While it runs nothing gets less, and the end may come with an empty output.
	if len(items) > len(r.Items) || len(all) > 0 && status.Ended() {
		r.Items = items
	}
}

// statusOf reads a status word. One that nobody knows yet is not the end.
func statusOf(word string) Status {
	switch word {
	case "queued":
		return Queued
	case "completed":
		return Completed
	case "failed":
		return Failed
	case "incomplete":
		return Incomplete
	case "cancelled", "canceled":
		return Cancelled
	}
	return InProgress
}

// errorOf reads an error: {code, message}, {error_code, message}, one inside the
// other, or a text; nil when there is none.
func errorOf(e gjson.Result) *Failure {
	switch {
	case e.Type == gjson.String && e.Str != "":
		return &Failure{Message: e.Str}
	case !e.IsObject():
		return nil
	case e.Get("error").IsObject() || e.Get("error").Type == gjson.String && e.Get("message").Str == "":
		return errorOf(e.Get("error"))
	}
	f := &Failure{Code: e.Get("code").String(), Message: e.Get("message").String()}
	if f.Code == "" {
		f.Code = e.Get("error_code").String()
	}
	if f.Code == "" && f.Message == "" {
		return nil
	}
	if f.Message == "" {
		f.Message = f.Code
	}
	return f
}

// traceOf looks for a trace where services of the family put it.
func traceOf(response gjson.Result) json.RawMessage {
	for _, path := range []string{"databricks_output.trace", "metadata.trace_id", "trace_id", "databricks_output.databricks_request_id"} {
		if v := response.Get(path); v.IsObject() || v.Type == gjson.String && v.Str != "" {
			return json.RawMessage(v.Raw)
		}
	}
	return nil
}
