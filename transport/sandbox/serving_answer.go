package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

func jsonEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}

// modelAnswer is what a served entity answers: the turn of an agent, or a finished
// body of a model that is none.
type modelAnswer struct {
	turn   turn
	body   object
	broken *apiError // the agent failed after it had begun to answer
}

// answer runs the model. A stream that breaks comes back with both.
func (s *serving) answer(ctx context.Context, in *invocation) (*modelAnswer, error) {
	switch {
	case in.entity.model.task == "" && in.entity.in["foundation_model"] == nil && in.entity.External == nil:
		body, err := in.predict()
		if err != nil {
			return nil, err
		}
		if in.entity.Name == feedbackModel {
			s.assess(in)
		}
		return &modelAnswer{body: body}, nil
	case in.task == taskEmbeddings:
		body, err := in.embed()
		return &modelAnswer{body: body}, err
	}
	question, err := in.question()
	if err != nil {
		return nil, err
	}
	if in.entity.model.task == "" {
		return &modelAnswer{turn: turn{question: question, text: "This is the sandbox's " + in.entity.Name + ". It cannot think; it read: " + question}}, nil
	}
	t, err := s.think(ctx, in.creator, question)
	in.trace = s.traced(in, t, err)
	if err != nil {
		failed := crash(err)
		return &modelAnswer{turn: t, broken: failed}, failed
	}
	return &modelAnswer{turn: t}, nil
}

// crash is an exception of the agent's code, as the model server reports it.
func crash(err error) *apiError {
	return failure(http.StatusInternalServerError, "INTERNAL_ERROR", "Encountered an unexpected error while evaluating the model. Error: '"+err.Error()+"'\nTraceback (most recent call last):\n"+
		"  File \"/opt/conda/envs/mlflow-env/lib/python3.11/site-packages/mlflowserving/scoring_server/__init__.py\", line 248, in transformation\n    raw_predictions = model.predict(data, params=params)\n"+
		"  File \"/model/agent.py\", line 61, in predict\n    rows = warehouse.execute(statement)\n"+
		"databricks.sql.exc.ServerOperationError: "+err.Error())
}

// mismatch is the refusal of a request in another form than the model's.
func (in *invocation) mismatch(missing string) *apiError {
	extra := []string{}
	for key := range in.request {
		if !slices.Contains([]string{"stream", "databricks_options", "client_request_id", "usage_context", "context", "custom_inputs", "model"}, key) {
			extra = append(extra, key)
		}
	}
	slices.Sort(extra)
	return failure(http.StatusBadRequest, "BAD_REQUEST", fmt.Sprintf("Failed to enforce schema of data. Error: Model is missing inputs ['%s']. Note that there were extra inputs: ['%s']", missing, strings.Join(extra, "', '")))
}

// question is the last thing the user said.
func (in *invocation) question() (string, error) {
	key := "messages"
	if in.task == taskResponses {
		key = "input"
	}
	messages, _ := in.request[key].([]any)
	if len(messages) == 0 {
		if _, there := in.request[key]; there {
			return "", failure(http.StatusBadRequest, "BAD_REQUEST", "Invalid value for field "+key+": it must be a list of at least one message.")
		}
		return "", in.mismatch(key)
	}
	for _, m := range slices.Backward(messages) {
		message, _ := m.(object)
		if kind, typed := message["type"].(string); typed && kind != "message" {
			continue // an item of another kind: a tool call, its output
		}
		role, _ := message["role"].(string)
		if !slices.Contains([]string{"user", "assistant", "system", "developer", "tool"}, role) {
			return "", failure(http.StatusBadRequest, "BAD_REQUEST", fmt.Sprintf("Invalid role '%s' of a message.", role))
		}
		if text := contentText(message["content"]); role == "user" && text != "" {
			return text, nil
		}
	}
	return "", failure(http.StatusBadRequest, "BAD_REQUEST", "There is no user message in "+key+".")
}

// contentText is a message's content: a string, or parts with a text.
func contentText(content any) string {
	if text, ok := content.(string); ok {
		return text
	}
	var all []string
	parts, _ := content.([]any)
	for _, p := range parts {
		part, _ := p.(object)
		if text, ok := part["text"].(string); ok {
			all = append(all, text)
		}
	}
	return strings.Join(all, "\n")
}

// id names the n-th thing of an answer.
func (in *invocation) id(prefix, of string) string {
	return prefix + strings.ReplaceAll(stableUUID(fmt.Sprint(of, " of ", in.endpoint, in.number)), "-", "")[:24]
}

// databricks is databricks_output: the trace where it is asked for, and the
// request's id then, or always where the deployment says so.
func (in *invocation) databricks() object {
	options, _ := in.request["databricks_options"].(object)
	wanted, _ := options["return_trace"].(bool)
	if in.entity.model.task == "" || !wanted && in.entity.Environment["RETURN_REQUEST_ID_IN_RESPONSE"] != "true" {
		return nil
	}
	o := object{"databricks_request_id": in.requestID}
	if wanted && in.trace != nil {
		o["trace"] = in.trace.whole()
	}
	return o
}

// whole is the answer in one piece, in the form of the endpoint's task.
func (p *modelAnswer) whole(in *invocation) object {
	if p.body != nil {
		return p.body
	}
	var o object
	switch in.task {
	case taskResponses:
		o = object{"id": in.id("resp_", "answer"), "object": "response", "output": p.items(in), "custom_outputs": in.echo()}
	case taskChatAgent:
		o = object{"messages": p.messages(in), "finish_reason": "stop", "custom_outputs": in.echo(), "usage": p.usage()}
	default:
		o = object{
			"id": in.id("chatcmpl_", "answer"), "object": "chat.completion", "created": in.now.Unix(), "model": in.endpoint, "usage": p.usage(),
			"choices": []object{{"index": 0, "message": object{"role": "assistant", "content": p.turn.text}, "finish_reason": "stop"}},
		}
	}
	if extra := in.databricks(); extra != nil {
		o["databricks_output"] = extra
	}
	return o
}

// echo gives custom_inputs back as custom_outputs, as many agents do.
func (in *invocation) echo() object {
	o, _ := in.request["custom_inputs"].(object)
	if o == nil {
		o = object{}
	}
	return o
}

func (p *modelAnswer) usage() object {
	asked, said := len(p.turn.question)/4+40, len(p.turn.text)/4+1
	return object{"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
}

// items are the output items of a responses agent (contract supervisor.md, 4.2).
func (p *modelAnswer) items(in *invocation) []object {
	var items []object
	if t := p.turn; t.tool != "" {
		call := in.id("call_", "tool")
		items = append(items,
			object{"type": "function_call", "id": in.id("fc_", "tool"), "call_id": call, "name": t.tool, "arguments": t.arguments, "status": "completed"},
			object{"type": "function_call_output", "call_id": call, "output": t.output})
	}
	return append(items, object{
		"type": "message", "id": in.id("msg_", "text"), "role": "assistant", "status": "completed",
		"content": []object{{"type": "output_text", "text": p.turn.text, "annotations": []any{}}},
	})
}

// messages are those of a ChatAgent.
func (p *modelAnswer) messages(in *invocation) []object {
	var all []object
	if t := p.turn; t.tool != "" {
		call := in.id("call_", "tool")
		all = append(all,
			object{"role": "assistant", "content": "", "id": in.id("msg_", "call"), "tool_calls": []object{{"id": call, "type": "function", "function": object{"name": t.tool, "arguments": t.arguments}}}},
			object{"role": "tool", "content": t.output, "id": in.id("msg_", "tool"), "name": t.tool, "tool_call_id": call})
	}
	return append(all, object{"role": "assistant", "content": p.turn.text, "id": in.id("msg_", "text")})
}

// events are the answer piece by piece; an agent that fails on its way says so
// in an event of its own, after status 200 has gone out.
func (p *modelAnswer) events(in *invocation) (events []object) {
	last := func(o object) object {
		if extra := in.databricks(); extra != nil {
			o["databricks_output"] = extra
		}
		return o
	}
	text := p.turn.text
	if p.broken != nil {
		text = "Let me look that up. "
	}
	id := in.id("msg_", "text")
	chunk := func(delta object, finish any) object {
		if in.task == taskChatAgent {
			return object{"delta": delta, "finish_reason": finish}
		}
		return object{
			"id": in.id("chatcmpl_", "answer"), "object": "chat.completion.chunk", "created": in.now.Unix(), "model": in.endpoint,
			"choices": []object{{"index": 0, "delta": delta, "finish_reason": finish}},
		}
	}
	items := p.items(in)
	if in.task == taskResponses && p.broken == nil {
		for i, item := range items[:len(items)-1] {
			events = append(events, object{"type": "response.output_item.done", "output_index": i, "item": item})
		}
	}
	for _, piece := range pieces(text) {
		switch in.task {
		case taskResponses:
			events = append(events, object{"type": "response.output_text.delta", "item_id": id, "output_index": len(items) - 1, "content_index": 0, "delta": piece})
		case taskChatAgent:
			events = append(events, chunk(object{"role": "assistant", "content": piece, "id": id}, nil))
		default:
			events = append(events, chunk(object{"role": "assistant", "content": piece}, nil))
		}
	}
	switch {
	case p.broken != nil:
		return append(events, object{"error_code": p.broken.code, "message": p.broken.message})
	case in.task == taskResponses:
		return append(events, last(object{"type": "response.output_item.done", "output_index": len(items) - 1, "item": items[len(items)-1]}))
	case in.task == taskChatAgent:
		return append(events, last(chunk(object{"role": "assistant", "content": "", "id": id}, "stop")))
	}
	return append(events, last(chunk(object{}, "stop")))
}

// pieces cuts a text after every third word.
func pieces(text string) (all []string) {
	words := strings.SplitAfter(text, " ")
	for part := range slices.Chunk(words, 3) {
		all = append(all, strings.Join(part, ""))
	}
	return all
}
