package serve

import (
	"encoding/json"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
)

// message is one checked JSON-RPC message.
type message struct {
	raw    []byte
	id     []byte       // JSON text; nil for a notification
	method string       // empty for a response
	root   gjson.Result // raw, as far as it is valid
}

// problem is why a message is refused, in JSON-RPC's terms.
type problem struct {
	code int
	text string
}

// parse checks the envelope. mcp-go would call everything that is not quite right
// a parse error without an id, which leaves the client waiting for its answer.
func parse(raw []byte) (message, *problem) {
	if !json.Valid(raw) { // not gjson.Valid: its recursion has no limit, and a line of 16 million brackets would end the process
		return message{}, &problem{mcp.PARSE_ERROR, "the message is not valid JSON, or nests too deep"}
	}
	root := gjson.ParseBytes(raw)
	switch {
	case root.IsArray():
		return message{}, &problem{mcp.INVALID_REQUEST, "batches are not supported; send one message at a time"}
	case !root.IsObject():
		return message{}, &problem{mcp.INVALID_REQUEST, "the message must be a JSON-RPC object"}
	}
	m := message{raw: raw, root: root}
	var version, id, method, params gjson.Result
	var response, foreign bool
	root.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "jsonrpc":
			version = value
		case "id":
			id = value
		case "method":
			method = value
		case "params":
			params = value
		case "result", "error":
			response = true
		default:
			foreign = foreign || misspelt(key.Str)
		}
		return true
	})
	switch id.Type {
	case gjson.String, gjson.Number:
		m.id = []byte(id.Raw)
	case gjson.Null: // absent, or null as some clients mark notifications
	default:
		return m, &problem{mcp.INVALID_REQUEST, "id must be a string or a number"}
	}
	switch {
	case foreign: // mcp-go would take it for the member that it resembles
		return m, &problem{mcp.INVALID_REQUEST, "the names of a message's members are in lower case"}
	case version.Str != mcp.JSONRPC_VERSION:
		return m, &problem{mcp.INVALID_REQUEST, `jsonrpc must be "2.0"`}
	case !method.Exists() && response:
		return m, nil
	case response: // mcp-go would not answer it
		return m, &problem{mcp.INVALID_REQUEST, "a message is a request or a response, not both"}
	case method.Type != gjson.String || method.Str == "":
		return m, &problem{mcp.INVALID_REQUEST, "method must be a string"}
	case params.Exists() && !params.IsObject() && params.Type != gjson.Null:
		return m, &problem{mcp.INVALID_PARAMS, "params must be an object"}
	}
	m.method = method.Str
	if m.method == string(mcp.MethodToolsCall) {
		return m, checkToolCall(params)
	}
	return m, nil
}

// misspelt is a member's name in capitals, or partly so.
func misspelt(name string) bool {
	for _, right := range []string{"jsonrpc", "id", "method", "params", "result"} {
		if strings.EqualFold(name, right) {
			return true
		}
	}
	return false
}

func checkToolCall(params gjson.Result) *problem {
	if name := params.Get("name"); name.Type != gjson.String || name.Str == "" {
		return &problem{mcp.INVALID_PARAMS, "params.name must be the name of a tool"}
	}
	if arguments := params.Get("arguments"); arguments.Exists() && !arguments.IsObject() && arguments.Type != gjson.Null {
		return &problem{mcp.INVALID_PARAMS, "params.arguments must be an object"}
	}
	return nil
}
