package tools

import (
	"strings"

	"github.com/tidwall/gjson"
)

// agentAnswer is an answer in any of the forms.
type agentAnswer struct{ gjson.Result }

// text is what the agent says; false when the answer has no text of its own.
func (a agentAnswer) text() (string, bool) {
	switch output, messages, choices := a.Get("output"), a.Get("messages"), a.Get("choices"); {
	case output.IsArray():
		return outputText(output), true
	case messages.IsArray():
		text := ""
		eachItem(messages, func(m gjson.Result) bool {
			if content := contentText(m.Get("content")); m.Get("role").Str == "assistant" && content != "" {
				text = content
			}
			return true
		})
		return text, true
	case choices.IsArray():
		message := choices.Get("0.message.content")
		if !message.Exists() {
			message = choices.Get("0.text")
		}
		return contentText(message), true
	case a.Type == gjson.String:
		return a.Str, true
	case a.Get("content").Exists():
		return contentText(a.Get("content")), true
	}
	one := a.Get("predictions")
	if one.IsArray() && len(one.Array()) == 1 {
		one = one.Get("0")
	}
	if one.IsObject() && (one.Get("output").IsArray() || one.Get("messages").IsArray() || one.Get("choices").IsArray() || one.Get("content").Exists()) {
		return agentAnswer{one}.text()
	}
	return one.Str, one.Type == gjson.String
}

// outputText is the text of the message items of a response.
func outputText(output gjson.Result) string {
	var texts []string
	eachItem(output, func(item gjson.Result) bool {
		if item.Get("type").Str == "message" {
			texts = append(texts, contentText(item.Get("content")))
		}
		return true
	})
	return strings.Join(texts, "\n")
}

// contentText is a text, or those of a list of parts.
func contentText(content gjson.Result) string {
	if !content.IsArray() {
		return content.String()
	}
	var b strings.Builder
	eachItem(content, func(part gjson.Result) bool {
		b.WriteString(part.Get("text").String())
		b.WriteString(part.Get("refusal").String())
		return true
	})
	return b.String()
}

type answerPart struct{ name, value string }

// parts are what an answer has beside its text.
func (a agentAnswer) parts(hasText bool) []answerPart {
	var parts []answerPart
	add := func(name string, value gjson.Result) {
		if value.Exists() && value.Type != gjson.Null {
			parts = append(parts, answerPart{name, value.Raw})
		}
	}
	var items []string
	eachItem(a.Get("output"), func(item gjson.Result) bool {
		if item.Get("type").Str != "message" {
			items = append(items, item.Raw)
		}
		return true
	})
	if all := a.Get("messages").Array(); len(all) > 1 {
		for _, m := range all {
			items = append(items, m.Raw)
		}
	}
	if calls := a.Get("choices.0.message.tool_calls"); calls.IsArray() {
		items = append(items, calls.Raw)
	}
	if len(items) > 0 {
		parts = append(parts, answerPart{"output", "[" + strings.Join(items, ",") + "]"})
	}
	if !hasText {
		add("predictions", a.Get("predictions"))
		add("outputs", a.Get("outputs"))
		add("data", a.Get("data"))
	}
	finish := a.Get("finish_reason")
	for _, path := range []string{"choices.0.finish_reason", "choices.0.finishReason"} {
		if !finish.Exists() {
			finish = a.Get(path)
		}
	}
	add("finish_reason", finish)
	add("status", a.Get("status"))
	add("error", a.Get("error"))
	add("custom_outputs", a.Get("custom_outputs"))
	add("usage", a.Get("usage"))
	return parts
}

// traceID is the trace that feedback can be given on; "" when the answer names none.
func (a agentAnswer) traceID() string {
	for _, path := range []string{"databricks_output.trace.info.trace_id", "databricks_output.trace.info.request_id", "databricks_output.databricks_request_id", "metadata.trace_id"} {
		if id := a.Get(path).Str; isTraceID(id) {
			return id
		}
	}
	return ""
}

// maxSpans bounds the spans in the summary of a trace.
const maxSpans = 25

// traceSummary says what an agent did, step by step, without what went in and out.
func traceSummary(trace gjson.Result) string {
	var o object
	info := trace.Get("info")
	for _, name := range []string{"state", "status"} {
		if value := info.Get(name).String(); value != "" {
			o.text("state", cutText(value, 60))
			break
		}
	}
	if took := info.Get("execution_time_ms"); took.Type == gjson.Number {
		o.raw("execution_time_ms", took.Raw)
	} else if took := info.Get("execution_duration"); took.Exists() {
		o.raw("execution_duration", took.Raw)
	}
	spans := trace.Get("data.spans").Array()
	o.integer("spans", int64(len(spans)))
	var steps []string
	for _, span := range spans[:min(len(spans), maxSpans)] {
		var step object
		step.text("name", cutText(span.Get("name").String(), 80))
		kind := span.Get("attributes.mlflow\\.spanType").String()
		if kind == "" {
			kind = span.Get("span_type").String()
		}
		if kind = strings.Trim(kind, `"`); kind != "" {
			step.text("type", cutText(kind, 40))
		}
		if ms, ok := spanTime(span); ok {
			step.integer("ms", ms)
		}
		if status := spanStatus(span); status != "" {
			step.text("status", status)
		}
		steps = append(steps, string(step.bytes()))
	}
	o.raw("steps", "["+strings.Join(steps, ",")+"]")
	return string(o.bytes())
}

// spanTime is how long a step took; the names of its times differ by version.
func spanTime(span gjson.Result) (ms int64, ok bool) {
	for _, names := range [][2]string{{"start_time_unix_nano", "end_time_unix_nano"}, {"start_time_ns", "end_time_ns"}, {"start_time", "end_time"}} {
		start, end := span.Get(names[0]).Int(), span.Get(names[1]).Int()
		if start > 0 && end >= start {
			return (end - start) / 1e6, true
		}
	}
	return 0, false
}

// spanStatus is the status of a step that did not go well; "" of one that did.
func spanStatus(span gjson.Result) string {
	for _, path := range []string{"status.code", "status.status_code", "status_code"} {
		status := span.Get(path).String()
		if status != "" && !strings.HasSuffix(status, "OK") && !strings.HasSuffix(status, "UNSET") && status != "1" && status != "0" {
			return cutText(status, 60)
		}
	}
	return ""
}
