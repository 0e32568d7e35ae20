package conformance

import (
	"context"
	"fmt"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// questions are tools that ask clients before 2026-07-28, by requests of their own.
func (f *fixtures) questions() []server.ServerTool {
	return []server.ServerTool{
		tool("test_sampling", "Asks the client's model", f.sample, "prompt"),
		tool("test_elicitation", "Asks the person", func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return f.elicit(ctx, "User response", request.GetString("message", ""), `{
				"username": {"type": "string", "description": "User's response"},
				"email": {"type": "string", "description": "User's email address"}
			}`, "username", "email")
		}, "message"),
		tool("test_elicitation_sep1034_defaults", "Asks with defaults", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return f.elicit(ctx, "Elicitation completed", "Please check these", `{
				"name": {"type": "string", "default": "John Doe"},
				"age": {"type": "integer", "default": 30},
				"score": {"type": "number", "default": 95.5},
				"status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
				"verified": {"type": "boolean", "default": true}
			}`)
		}),
		tool("test_elicitation_sep1330_enums", "Asks for a choice of each kind", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return f.elicit(ctx, "Elicitation completed", "Please choose", `{
				"untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
				"titledSingle": {"type": "string", "oneOf": [{"const": "value1", "title": "First Option"}, {"const": "value2", "title": "Second Option"}, {"const": "value3", "title": "Third Option"}]},
				"legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]},
				"untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
				"titledMulti": {"type": "array", "items": {"anyOf": [{"const": "value1", "title": "First Choice"}, {"const": "value2", "title": "Second Choice"}, {"const": "value3", "title": "Third Choice"}]}}
			}`)
		}),
	}
}

func (f *fixtures) sample(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	//lint:ignore SA1019 the suite's requirements for 2025-11-25 still have it
	answer, err := f.server.RequestSampling(ctx, mcp.CreateMessageRequest{
		Request:             mcp.Request{Method: string(mcp.MethodSamplingCreateMessage)},
		CreateMessageParams: sampling(request.GetString("prompt", "")),
	})
	if err != nil {
		return mcp.NewToolResultError(err.Error()), nil
	}
	said, _ := answer.Content.(mcp.TextContent)
	return mcp.NewToolResultText("LLM response: " + said.Text), nil
}

func sampling(prompt string) mcp.CreateMessageParams {
	return mcp.CreateMessageParams{Messages: []mcp.SamplingMessage{{Role: mcp.RoleUser, Content: text(prompt)}}, MaxTokens: 100}
}

// elicit puts a form to the person and tells what came of it.
func (f *fixtures) elicit(ctx context.Context, prefix, message, properties string, required ...string) (*mcp.CallToolResult, error) {
	reply, err := f.server.RequestElicitation(ctx, mcp.ElicitationRequest{
		Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)}, Params: form(message, properties, required...),
	})
	if err != nil {
		return mcp.NewToolResultError(err.Error()), nil
	}
	return mcp.NewToolResultText(fmt.Sprintf("%s: action=%s, content=%s", prefix, reply.Action, reply.Content)), nil
}
