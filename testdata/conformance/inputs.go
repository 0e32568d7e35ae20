package conformance

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

var errState = errors.New("requestState is not one of this server")

// inputs are tools that ask clients of 2026-07-28: the answer says what is missing,
// and the client calls again with it.
func (f *fixtures) inputs() []server.ServerTool {
	const state = "first round"
	return []server.ServerTool{
		tool("test_input_required_result_elicitation", "Needs a name", func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			name := struct{ Name string }{}
			if !filled(request.Params.InputResponses, "user_name", &name) {
				return ask("").Elicit("user_name", whatName).ToolResult(), nil
			}
			return mcp.NewToolResultText("Hello, " + name.Name + "!"), nil
		}),
		tool("test_input_required_result_sampling", "Needs the client's model", func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			answer := server.SamplingResponse(request.Params.InputResponses, "capital_question")
			if answer == nil {
				return ask("").Sample("capital_question", sampling("What is the capital of France?")).ToolResult(), nil
			}
			return mcp.NewToolResultText(fmt.Sprintf("The model says: %v", answer.Content)), nil
		}),
		tool("test_input_required_result_list_roots", "Needs the client's roots", func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			answer := server.RootsResponse(request.Params.InputResponses, "client_roots")
			if answer == nil {
				return ask("").Roots("client_roots").ToolResult(), nil
			}
			return mcp.NewToolResultText(fmt.Sprintf("%d roots: %v", len(answer.Roots), answer.Roots)), nil
		}),
		tool("test_input_required_result_request_state", "Needs a confirmation, and its state back", confirmed(state)),
		tool("test_input_required_result_tampered_state", "Needs a confirmation, and its state as it was", confirmed(state)),
		tool("test_input_required_result_multiple_inputs", "Needs a name, the client's model and its roots", func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			name, answers := struct{ Name string }{}, request.Params.InputResponses
			if !filled(answers, "user_name", &name) || server.SamplingResponse(answers, "greeting") == nil || server.RootsResponse(answers, "client_roots") == nil {
				return ask(state).Elicit("user_name", whatName).Sample("greeting", sampling("Generate a greeting")).Roots("client_roots").ToolResult(), nil
			}
			return mcp.NewToolResultText("Hello, " + name.Name + "!"), opened(request, state)
		}),
		tool("test_input_required_result_multi_round", "Needs a name, then a color", func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			name, color, answers := struct{ Name string }{}, struct{ Color string }{}, request.Params.InputResponses
			switch {
			case filled(answers, "step2", &color):
				return mcp.NewToolResultText("Your favorite color is " + color.Color), opened(request, "second round")
			case filled(answers, "step1", &name):
				second := form("Step 2: What is your favorite color?", `{"color": {"type": "string"}}`, "color")
				return ask("second round").Elicit("step2", second).ToolResult(), opened(request, state)
			}
			return ask(state).Elicit("step1", form("Step 1: What is your name?", `{"name": {"type": "string"}}`, "name")).ToolResult(), nil
		}),
		tool("test_input_required_result_capabilities", "Asks only what the client can answer", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			asked := ask(state)
			if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.ClientCapabilities != nil {
				if info.ClientCapabilities.Sampling != nil {
					asked.Sample("greeting", sampling("Generate a greeting"))
				}
				if info.ClientCapabilities.Elicitation != nil {
					asked.Elicit("user_name", whatName)
				}
			}
			return asked.ToolResult(), nil
		}),
		tool("test_streaming_elicitation", "Needs a name, on a stream", func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return ask("").Elicit("user_name", whatName).ToolResult(), nil
		}),
		tool("test_missing_capability", "Needs a client that can sample", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			if info := server.RequestProtocolInfoFromContext(ctx); info == nil || info.ClientCapabilities == nil || info.ClientCapabilities.Sampling == nil {
				return nil, mcp.MissingRequiredClientCapabilityError{Capability: "sampling"}
			}
			return mcp.NewToolResultText("The client can sample"), nil
		}),
	}
}

// confirmed is a tool that does something when the person says yes and the state is
// the one it gave.
func confirmed(state string) server.ToolHandlerFunc {
	return func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		yes := struct{ OK bool }{}
		if !filled(request.Params.InputResponses, "confirm", &yes) {
			return ask(state).Elicit("confirm", form("Please confirm", `{"ok": {"type": "boolean"}}`, "ok")).ToolResult(), nil
		}
		return mcp.NewToolResultText("state-ok"), opened(request, state)
	}
}

var whatName = form("What is your name?", `{"name": {"type": "string"}}`, "name")

func form(message, properties string, required ...string) mcp.ElicitationParams {
	schema := map[string]any{"type": "object", "properties": json.RawMessage(properties)}
	if len(required) > 0 {
		schema["required"] = required
	}
	return mcp.ElicitationParams{Message: message, RequestedSchema: schema}
}

// filled reads the form that the person filled in; false when there is none.
func filled(answers mcp.InputResponses, id string, into any) bool {
	reply := server.ElicitationResponse(answers, id)
	if reply == nil || reply.Action != mcp.ElicitationResponseActionAccept {
		return false
	}
	content, err := json.Marshal(reply.Content)
	return err == nil && json.Unmarshal(content, into) == nil
}

// key seals states, for as long as this process lives.
var key = []byte(rand.Text())

func sealed(state string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(state))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func ask(state string) *server.InputRequestBuilder {
	if state != "" {
		state = sealed(state)
	}
	return server.NewInputRequestBuilder(state)
}

// opened checks that a client brings back the state that it was given.
func opened(request mcp.CallToolRequest, state string) error {
	if !hmac.Equal([]byte(request.Params.RequestState), []byte(sealed(state))) {
		return errState
	}
	return nil
}
