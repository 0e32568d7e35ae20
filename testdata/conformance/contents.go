package conformance

import (
	"context"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

const (
	// pixel is a PNG of one pixel, silence a WAV of one sample.
	pixel   = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
	silence = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
)

// schema202012 is the one of the scenario json-schema-2020-12, word for word.
const schema202012 = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"type": "object",
	"$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
	"properties": {
		"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"},
		"contactMethod": {"type": "string", "enum": ["phone", "email"]}, "phone": {"type": "string"}, "email": {"type": "string"}
	},
	"allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
	"if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
	"then": {"required": ["phone"]},
	"else": {"required": ["email"]},
	"additionalProperties": false
}`

// headerSchema has an argument that clients send in a header as well.
const headerSchema = `{"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}, "required": ["region"]}`

// contents are tools with one answer each.
func (f *fixtures) contents() []server.ServerTool {
	return []server.ServerTool{
		tool("test_simple_text", "Answers with a text", always(text("This is a simple text response for testing."))),
		tool("test_image_content", "Answers with an image", always(mcp.NewImageContent(pixel, "image/png"))),
		tool("test_audio_content", "Answers with a sound", always(mcp.NewAudioContent(silence, "audio/wav"))),
		tool("test_embedded_resource", "Answers with a resource", always(mcp.NewEmbeddedResource(mcp.TextResourceContents{
			URI: "test://embedded-resource", MIMEType: "text/plain", Text: "This is an embedded resource content.",
		}))),
		tool("test_multiple_content_types", "Answers with a text, an image and a resource", always(
			text("Multiple content types test:"),
			mcp.NewImageContent(pixel, "image/png"),
			mcp.NewEmbeddedResource(mcp.TextResourceContents{
				URI: "test://mixed-content-resource", MIMEType: "application/json", Text: `{"test":"data","value":123}`,
			}),
		)),
		tool("test_error_handling", "Fails", func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultError("This tool intentionally returns an error for testing"), nil
		}),
		withSchema("json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features", schema202012, always(text("valid"))),
		withSchema("test_x_mcp_header", "Takes an argument that stands in a header as well", headerSchema, always(text("the header is that of the argument"))),
	}
}
