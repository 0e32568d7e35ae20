package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// responsesRequest is the body of a call of the Supervisor API (contract
// supervisor.md, section 2). Fields that it does not name are accepted and
// ignored.
type responsesRequest struct {
	Model        string          `json:"model"`
	Input        json.RawMessage `json:"input"`
	Instructions *string         `json:"instructions"`
	Tools        []object        `json:"tools"`
	Stream       bool            `json:"stream"`
	Background   bool            `json:"background"`
	Destination  *struct {
		Catalog string `json:"catalog_name"`
		Schema  string `json:"schema_name"`
		Prefix  string `json:"table_prefix"`
	} `json:"trace_destination"`
	Options struct {
		ReturnTrace bool `json:"return_trace"`
	} `json:"databricks_options"`
	Reasoning object `json:"reasoning"`

	items []object // of input
	magic map[string]bool
}

// inference parameters are refused as soon as there are tools.
var inference = []string{"temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty", "stop", "seed", "logprobs"}

// longestID is that of an item in the input; output may have longer ones.
const longestID = 64

func (r *request) decodeResponses() (*responsesRequest, error) {
	var raw map[string]json.RawMessage
	if err := r.decode(&raw); err != nil {
		return nil, err
	}
	in := &responsesRequest{}
	if err := recast(raw, in); err != nil {
		return nil, err
	}
	in.magic = magicWords(in.Model)
	if in.Instructions != nil {
		for word := range magicWords(*in.Instructions) {
			in.magic[word] = true
		}
	}
	if err := in.unavailable(); err != nil {
		return nil, err
	}
	given := func(field string) bool { v, ok := raw[field]; return ok && string(v) != "null" }
	switch {
	case in.Model == "":
		return nil, badArgument("Missing required field: model")
	case !given("input"):
		return nil, badArgument("Missing required field: input")
	case in.Stream && in.Background:
		return nil, badArgument("stream and background cannot be used together.")
	case given("previous_response_id"):
		return nil, badArgument("previous_response_id is not supported. Send the whole conversation as input.")
	}
	if i := slices.IndexFunc(inference, given); i >= 0 && len(in.Tools) > 0 {
		return nil, badArgument("Parameter not supported when tools are provided: " + inference[i])
	}
	if d := in.Destination; d != nil && (d.Catalog == "" || d.Schema == "") {
		return nil, badArgument("trace_destination needs catalog_name and schema_name")
	}
	return in, in.readItems()
}

// magicWords are the words that begin with "sandbox-" in the name of the model
// or in the instructions. They make the service misbehave on demand:
//
//	sandbox-gone          404 as after the end of life       sandbox-gateway-off  404, the preview is off
//	sandbox-no-model      404, no such model                 sandbox-rate         429 with Retry-After
//	sandbox-fail          failed with an error object        sandbox-incomplete   incomplete, cut by max_output_tokens
//	sandbox-cancelled     status cancelled                   sandbox-oauth        failed: sign in to the connection first
//	sandbox-slow          a minute per step                  sandbox-stuck        in progress until the cap of 30 min
//	sandbox-hang          in progress for ever               sandbox-unknown      a status that no document lists
//	sandbox-instant       the create answer is terminal      sandbox-no-echo      history is not echoed
//	sandbox-two           two approval requests at once      sandbox-trusting     foreground needs no approval
//	sandbox-long          a tool output of 200 kB            sandbox-long-ids     item ids of 80 characters
//	sandbox-refusal       the model refuses                  sandbox-bare         streamed: response.completed without output
//	sandbox-lie           streamed: an error, then completed sandbox-eof          streamed: ends without a terminal event
func magicWords(text string) map[string]bool {
	words := map[string]bool{}
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') }) {
		if rest, ok := strings.CutPrefix(w, "sandbox-"); ok {
			words[rest] = true
		}
	}
	return words
}

// unavailable are the answers of a workspace without the service.
func (in *responsesRequest) unavailable() error {
	switch {
	case in.magic["gone"]:
		return failure(http.StatusNotFound, "FEATURE_DISABLED", "The Supervisor API has reached its end of life and is no longer available in this workspace.")
	case in.magic["gateway-off"]:
		return failure(http.StatusNotFound, "FEATURE_DISABLED", "Please ensure AI Gateway V2 is enabled for this workspace.")
	case in.magic["no-model"]:
		return failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "The given model '"+in.Model+"' does not exist.")
	case in.magic["rate"]:
		return failure(http.StatusTooManyRequests, "REQUEST_LIMIT_EXCEEDED", "Exceeded workspace rate limit for the AI gateway.")
	}
	return nil
}

// readItems reads the input, and checks that calls and outputs are in pairs.
func (in *responsesRequest) readItems() error {
	var text string
	if json.Unmarshal(in.Input, &text) == nil {
		in.items = []object{{"type": "message", "role": "user", "content": text}}
		return nil
	}
	if unmarshal(in.Input, &in.items) != nil {
		return badArgument("input must be a string or an array of items")
	}
	if len(in.items) == 0 {
		return badArgument("input must not be empty")
	}
	calls, outputs := map[string]bool{}, map[string]bool{}
	for i, item := range in.items {
		if id, ok := item["id"]; ok {
			text, isText := id.(string)
			if !isText {
				return pairing("Invalid type for 'input[%d].id': expected a string.", i)
			}
			if len(text) > longestID {
				return pairing("Invalid 'input[%d].id': string too long. Expected a string with maximum length %d, but got a string with length %d instead.", i, longestID, len(text))
			}
		}
		kind := textOf(item, "type")
		switch kind {
		case "", "message":
			if role := textOf(item, "role"); !slices.Contains([]string{"user", "assistant", "system", "developer"}, role) {
				return pairing("Invalid value for 'input[%d].role': '%s'.", i, role)
			}
		case "function_call":
			calls[textOf(item, "call_id")] = true
		case "function_call_output":
			outputs[textOf(item, "call_id")] = true
		case "mcp_approval_request":
			calls[textOf(item, "id")] = true
		case "mcp_approval_response":
			if _, ok := item["approve"].(bool); !ok {
				return pairing("Missing required parameter: 'input[%d].approve'.", i)
			}
			outputs[textOf(item, "approval_request_id")] = true
		case "reasoning":
		default:
			return pairing("Invalid value for 'input[%d].type': '%s'.", i, kind)
		}
	}
	for _, item := range in.items {
		switch textOf(item, "type") {
		case "function_call", "mcp_approval_request":
			id := textOf(item, "call_id") + textOf(item, "approval_request_id")
			if id == "" {
				id = textOf(item, "id")
			}
			if !outputs[id] {
				return pairing("No tool output found for function call %s.", id)
			}
		case "function_call_output", "mcp_approval_response":
			id := textOf(item, "call_id") + textOf(item, "approval_request_id")
			if !calls[id] {
				return pairing("No tool call found for function call output with call_id %s.", id)
			}
		}
	}
	return nil
}

// modelError is a refusal by the model's side of the gateway, which has
// OpenAI's shape: {"error":{"code","message"}}.
type modelError string

func (e modelError) Error() string { return string(e) }

func pairing(format string, arguments ...any) error {
	return modelError(fmt.Sprintf(format, arguments...))
}

func (e modelError) answer() answer {
	return answer{http.StatusBadRequest, object{"error": object{"code": "BAD_REQUEST", "type": "invalid_request_error", "message": string(e), "param": nil}}}
}

// textOf is a field that is a string, else "".
func textOf(o object, field string) string {
	text, _ := o[field].(string)
	return text
}

// said is the text of a message item.
func said(item object) string {
	if text, ok := item["content"].(string); ok {
		return text
	}
	var b strings.Builder
	parts, _ := item["content"].([]any)
	for _, p := range parts {
		if part, ok := p.(object); ok {
			b.WriteString(textOf(part, "text"))
		}
	}
	return b.String()
}

// turn is the last user message and what has happened since.
func (in *responsesRequest) turn() (message string, since []object) {
	for i := len(in.items) - 1; i >= 0; i-- {
		if textOf(in.items[i], "role") == "user" {
			return said(in.items[i]), in.items[i+1:]
		}
	}
	return "", in.items
}

// echo is the history that a background response starts with: assistant
// messages, calls and their outputs, but no user messages and no approvals.
func (in *responsesRequest) echo() []object {
	if !in.Background || in.magic["no-echo"] {
		return nil
	}
	var echo []object
	for _, item := range in.items {
		kind := textOf(item, "type")
		if kind == "function_call" || kind == "function_call_output" || textOf(item, "role") == "assistant" {
			echo = append(echo, item)
		}
	}
	return echo
}
