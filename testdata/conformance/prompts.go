package conformance

import (
	"context"
	"fmt"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

func (f *fixtures) addPrompts() {
	f.server.AddPrompt(mcp.Prompt{Name: "test_simple_prompt", Description: "A prompt without arguments"},
		prompt("This is a simple prompt for testing."))
	f.server.AddPrompt(
		mcp.Prompt{Name: "test_prompt_with_arguments", Description: "A prompt with arguments", Arguments: required("arg1", "arg2")},
		func(_ context.Context, request mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			given := request.Params.Arguments
			return messages(text(fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", given["arg1"], given["arg2"]))), nil
		})
	f.server.AddPrompt(
		mcp.Prompt{Name: "test_prompt_with_embedded_resource", Description: "A prompt with a resource", Arguments: required("resourceUri")},
		func(_ context.Context, request mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return messages(
				mcp.NewEmbeddedResource(mcp.TextResourceContents{
					URI: request.Params.Arguments["resourceUri"], MIMEType: "text/plain", Text: "Embedded resource content for testing.",
				}),
				text("Please process the embedded resource above."),
			), nil
		})
	f.server.AddPrompt(mcp.Prompt{Name: "test_prompt_with_image", Description: "A prompt with an image"},
		func(context.Context, mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return messages(mcp.NewImageContent(pixel, "image/png"), text("Please analyze the image above.")), nil
		})
	f.server.AddPrompt(mcp.Prompt{Name: "test_input_required_result_prompt", Description: "A prompt that needs a context"},
		func(_ context.Context, request mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			about := struct{ Context string }{}
			if !filled(request.Params.InputResponses, "user_context", &about) {
				missing := form("What context should the prompt use?", `{"context": {"type": "string"}}`, "context")
				return ask("").Elicit("user_context", missing).PromptResult(), nil
			}
			return messages(text("The context is " + about.Context)), nil
		})
}

// prompt is the handler of a prompt that is one text.
func prompt(s string) server.PromptHandlerFunc {
	return func(context.Context, mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return messages(text(s)), nil
	}
}

func messages(contents ...mcp.Content) *mcp.GetPromptResult {
	result := &mcp.GetPromptResult{}
	for _, c := range contents {
		result.Messages = append(result.Messages, mcp.PromptMessage{Role: mcp.RoleUser, Content: c})
	}
	return result
}

func required(names ...string) []mcp.PromptArgument {
	var arguments []mcp.PromptArgument
	for _, name := range names {
		arguments = append(arguments, mcp.PromptArgument{Name: name, Description: "A text", Required: true})
	}
	return arguments
}
