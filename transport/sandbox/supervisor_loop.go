package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// approval is the user's answer to a request to run a tool.
type approval struct {
	request  object
	answered bool
	approve  bool
	reason   string
	output   string // of the tool, in a later turn
	ran      bool
}

// loop is the agent: it calls what the plan says and was not called before,
// stops where an approval is wanted, and sums up at the end.
func (s *supervisor) loop(ctx context.Context, run *agentRun) {
	in := run.in
	message, since := in.turn()
	run.echo, run.status = in.echo(), "completed"
	outputs, approvals := history(since)
	calls, found := plan(message, run.tools, in.magic)
	if effort := textOf(in.Reasoning, "effort"); effort != "" && len(since) == 0 {
		run.reflect(effort, calls)
	}
	if in.magic["long"] && len(since) == 0 {
		run.longOutput()
	}
	waiting := false
	for _, c := range calls {
		key := callKey(c.tool.label, c.tool.server, c.arguments)
		if output, ok := outputs[key]; ok {
			found = append(found, finding(c.tool.label, output))
			continue
		}
		a := approvals[key]
		switch {
		case a != nil && a.ran:
			found = append(found, finding(c.tool.server, a.output))
			continue
		case a != nil && !a.approve:
			found = append(found, refused(c.tool, a.reason))
			continue
		case a == nil && c.tool.needsApproval() && (in.Background || !in.magic["trusting"]):
			run.add(time.Second, object{
				"type": "mcp_approval_request", "id": run.newID("call_"), "name": c.tool.label, "server_label": c.tool.server,
				"arguments": c.arguments, "status": "completed",
			})
			waiting = true
			if in.magic["two"] {
				continue // the model asks for everything at once
			}
			s.finish(ctx, run)
			return
		}
		if waiting {
			continue // what comes after needs the answers first
		}
		output, err := s.call(ctx, run, c, a)
		if err != nil {
			run.status, run.fault = "failed", object{"code": "oauth", "message": err.Error()}
			s.finish(ctx, run)
			return
		}
		label := c.tool.label
		if c.tool.server != "" {
			label = c.tool.server
		}
		found = append(found, finding(label, output))
	}
	if !waiting {
		run.conclude(message, found)
	}
	s.finish(ctx, run)
}

// call runs a tool and writes its items: a function_call and its output, or
// after an approval the output alone, under the id of the request.
func (s *supervisor) call(ctx context.Context, run *agentRun, c plannedCall, a *approval) (string, error) {
	callID := ""
	if a != nil {
		callID = textOf(a.request, "id")
	} else {
		callID = run.newID("call_")
		run.add(time.Second, object{
			"type": "function_call", "id": run.newID("fc_"), "call_id": callID, "name": c.tool.label, "arguments": c.arguments, "status": "completed",
		})
	}
	output, err := s.run(ctx, run, c.tool, c.arguments)
	var signIn errSignIn
	if errors.As(err, &signIn) {
		return "", err
	}
	if err != nil {
		_, message, _ := explain(err)
		var api *apiError
		if errors.As(err, &api) {
			message = api.message
		}
		output = "Error: " + message
	}
	run.add(time.Second, object{"type": "function_call_output", "call_id": callID, "output": output})
	return output, nil
}

// history is what has happened since the user's message: the outputs of calls
// and the approvals, by callKey.
func history(since []object) (outputs map[string]string, approvals map[string]*approval) {
	outputs, approvals = map[string]string{}, map[string]*approval{}
	keys, requests := map[string]string{}, map[string]*approval{}
	for _, item := range since {
		switch textOf(item, "type") {
		case "function_call":
			keys[textOf(item, "call_id")] = callKey(textOf(item, "name"), "", textOf(item, "arguments"))
		case "mcp_approval_request":
			a := &approval{request: item}
			requests[textOf(item, "id")] = a
			approvals[callKey(textOf(item, "name"), textOf(item, "server_label"), textOf(item, "arguments"))] = a
		}
	}
	for _, item := range since {
		switch textOf(item, "type") {
		case "function_call_output":
			id, output := textOf(item, "call_id"), textOf(item, "output")
			if a := requests[id]; a != nil {
				a.ran, a.output = true, output
			} else {
				outputs[keys[id]] = output
			}
		case "mcp_approval_response":
			if a := requests[textOf(item, "approval_request_id")]; a != nil {
				a.answered, a.reason = true, textOf(item, "reason")
				a.approve, _ = item["approve"].(bool)
			}
		}
	}
	return outputs, approvals
}

// callKey tells calls apart; arguments are compared as JSON.
func callKey(name, server, arguments string) string {
	var given any
	if unmarshal([]byte(arguments), &given) == nil {
		if canonical, err := json.Marshal(given); err == nil {
			arguments = string(canonical)
		}
	}
	return name + "\x00" + server + "\x00" + arguments
}

func refused(t *hostedTool, reason string) string {
	text := "I did not run " + t.label + " of " + t.server + ", because you refused it"
	if reason != "" {
		text += " (" + strings.TrimRight(reason, ".") + ")"
	}
	return text
}

func (run *agentRun) add(took time.Duration, item object) {
	run.steps = append(run.steps, step{item, took})
}

// conclude writes the answer.
func (run *agentRun) conclude(message string, found []string) {
	content := object{"type": "output_text"}
	switch {
	case run.in.magic["refusal"]:
		content = object{"type": "refusal", "refusal": "I cannot help with that."}
	case len(found) > 0:
		content["text"] = strings.Join(found, "\n")
	case len(run.tools) > 0:
		content["text"] = "None of my tools fits this question. I could use one of: " + labels(run.tools) + "."
	default:
		content["text"] = "You asked: " + message + "\nI have no tools to look it up with."
	}
	if text, ok := content["text"].(string); ok {
		content["annotations"] = citations(text, run.tools)
	}
	run.add(2*time.Second, object{
		"type": "message", "id": run.newID("msg_"), "role": "assistant", "status": "completed", "content": []any{content},
	})
	switch magic := run.in.magic; {
	case magic["fail"], magic["lie"]:
		run.steps = run.steps[:len(run.steps)-1]
		run.status, run.fault = "failed", object{"code": "server_error", "message": "The model provider could not complete the request."}
	case magic["oauth"]:
		run.steps = run.steps[:len(run.steps)-1]
		c := connection{name: "crm"}
		for _, t := range run.tools {
			if t.connection != nil {
				c = *t.connection
			}
		}
		run.status, run.fault = "failed", object{"code": "oauth", "message": run.signIn(&c)}
	case magic["cancelled"]:
		run.steps, run.status = run.steps[:len(run.steps)-1], "cancelled"
	case magic["incomplete"]:
		last := &run.steps[len(run.steps)-1]
		last.item = partial(last.item)
		last.item["id"], last.item["status"] = run.newID("msg_"), "incomplete"
		run.status, run.reason = "incomplete", "max_output_tokens"
	}
}

func labels(tools []*hostedTool) string {
	var all []string
	for _, t := range tools {
		all = append(all, t.label)
	}
	return strings.Join(all, ", ")
}

// citations are the sources that an answer from documents names.
func citations(text string, tools []*hostedTool) []any {
	found := []any{}
	for _, t := range tools {
		if t.assistant == nil {
			continue
		}
		for _, d := range t.assistant.documents {
			if at := strings.Index(text, d.text); at >= 0 {
				start := len([]rune(text[:at]))
				found = append(found, object{"type": "url_citation", "url": d.uri, "title": d.title, "start_index": start, "end_index": start + len([]rune(d.text))})
			}
		}
	}
	return found
}

// reflect writes a reasoning item.
func (run *agentRun) reflect(effort string, calls []plannedCall) {
	text := fmt.Sprintf("With %s effort: %d tool call(s) are needed.", effort, len(calls))
	run.add(time.Second, object{"type": "reasoning", "id": run.newID("rs_"), "summary": []any{object{"type": "summary_text", "text": text}}})
}

// longOutput writes a call whose output is one very long line. Its name is that
// of a tool nobody offered: a log entry, not something to execute.
func (run *agentRun) longOutput() {
	callID := run.newID("call_")
	run.add(time.Second, object{"type": "function_call", "id": run.newID("fc_"), "call_id": callID, "name": "system__ai__python_exec", "arguments": `{"code":"print('x' * 200000)"}`, "status": "completed"})
	run.add(time.Second, object{"type": "function_call_output", "call_id": callID, "output": strings.Repeat("x", 200_000)})
}

// finish counts tokens and writes the trace.
func (s *supervisor) finish(ctx context.Context, run *agentRun) {
	count := func(items []object) (n int) {
		for _, item := range items {
			if body, err := json.Marshal(item); err == nil {
				n += len(body)/4 + 1
			}
		}
		return n
	}
	var items []object
	for _, st := range run.steps {
		items = append(items, st.item)
	}
	input, output := 40*len(run.tools)+count(run.in.items), count(items)
	run.usage = object{"input_tokens": input, "output_tokens": output, "total_tokens": input + output}
	if !strings.Contains(run.in.Model, "claude") { // some models give no details
		run.usage["input_tokens_details"], run.usage["output_tokens_details"] = object{"cached_tokens": 0}, object{"reasoning_tokens": 0}
	}
	s.writeTrace(ctx, run)
}
