package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/mark3labs/mcp-go/mcp"
)

// outgoing is one line for the client. A long text in it is quoted on its way
// out: a result of megabytes is then never held twice.
type outgoing struct {
	bytes.Buffer
	long   string // a text that stands at the place at, still to be quoted
	at     int
	answer bool // to a request of the client
	code   int  // of the error that it is; 0: none
}

// longText is the size from which a text is kept out of the buffer.
const longText = 256 << 10

// shortAnswer is the size of an answer that says little.
const shortAnswer = 384

// writeTo writes the line; a short one at once, so that it is one system call.
func (o *outgoing) writeTo(out io.Writer) error {
	line := o.Bytes()
	if o.long == "" {
		_, err := out.Write(line)
		return err
	}
	if _, err := out.Write(line[:o.at]); err != nil {
		return err
	}
	if err := quoteTo(out, o.long); err != nil {
		return err
	}
	_, err := out.Write(line[o.at:])
	return err
}

// text writes a JSON string.
func (o *outgoing) text(s string) {
	if len(s) >= longText && o.long == "" {
		o.long, o.at = s, o.Len()
		return
	}
	o.Grow(len(s) + len(s)/8 + 64)
	o.WriteByte('"')
	o.Write(appendQuoted(o.AvailableBuffer(), s))
	o.WriteByte('"')
}

// encode makes one line of a response, with the id exactly as it came: mcp-go
// keeps ids as float64, which rounds large ones.
func encode(response mcp.JSONRPCMessage, id []byte) (*outgoing, error) {
	if id == nil {
		id = []byte("null")
	}
	out := &outgoing{answer: true}
	out.Grow(shortAnswer)
	out.WriteString(`{"jsonrpc":"2.0","id":`)
	out.Write(id)
	switch r := response.(type) {
	case mcp.JSONRPCResponse:
		if listened, ok := r.Result.(mcp.SubscriptionsListenResult); ok {
			listened.EnsureResultMeta().SetSubscriptionID(json.RawMessage(id)) // the id again
			r.Result = listened
		}
		out.WriteString(`,"result":`)
		if err := encodeResult(out, r.Result); err != nil {
			return nil, err
		}
	case mcp.JSONRPCError:
		out.code = r.Error.Code
		out.WriteString(`,"error":`)
		if err := encodeValue(out, r.Error); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("unexpected message %T", response)
	}
	out.WriteString("}\n")
	return out, nil
}

// encodeRequest makes one line of a request of our own; without an id it is a
// notification.
func encodeRequest(id string, method mcp.MCPMethod, params any) (*outgoing, error) {
	out := &outgoing{}
	out.WriteString(`{"jsonrpc":"2.0",`)
	if id != "" {
		out.WriteString(`"id":`)
		out.text(id)
		out.WriteByte(',')
	}
	out.WriteString(`"method":`)
	out.text(string(method))
	out.WriteString(`,"params":`)
	if err := encodeValue(out, params); err != nil {
		return nil, err
	}
	out.WriteString("}\n")
	return out, nil
}

// encodeResult writes tool results itself: mcp-go builds and compacts them
// several times over, which a result of some megabytes pays for in memory.
func encodeResult(out *outgoing, result any) error {
	var r *mcp.CallToolResult
	switch v := result.(type) {
	case *mcp.CallToolResult:
		r = v
	case mcp.CallToolResult:
		r = &v
	}
	switch {
	case r == nil:
		if list, ok := result.(mcp.ListToolsResult); ok {
			return encodeTools(out, list)
		}
		return encodeValue(out, result)
	case len(r.InputRequests) > 0 || r.RequestState != "":
		return encodeValue(out, result)
	}
	out.WriteString(`{"content":[`)
	for i, content := range r.Content {
		if i > 0 {
			out.WriteByte(',')
		}
		text, ok := content.(mcp.TextContent)
		if !ok || text.Annotations != nil || text.Meta != nil {
			if err := encodeValue(out, content); err != nil {
				return err
			}
			continue
		}
		out.WriteString(`{"type":"text","text":`)
		out.text(text.Text)
		out.WriteByte('}')
	}
	out.WriteByte(']')
	if len(r.RawStructuredContent) > 0 {
		out.WriteString(`,"structuredContent":`)
		out.Write(r.RawStructuredContent)
	} else if r.StructuredContent != nil {
		out.WriteString(`,"structuredContent":`)
		if err := encodeValue(out, r.StructuredContent); err != nil {
			return err
		}
	}
	if r.IsError {
		out.WriteString(`,"isError":true`)
	}
	if r.ResultType != "" {
		fmt.Fprintf(out, `,"resultType":%q`, r.ResultType)
	}
	if r.Meta != nil {
		out.WriteString(`,"_meta":`)
		if err := encodeMeta(out, r.Meta); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}

// encodeMeta writes what is mostly the name of the server alone without a map's detour.
func encodeMeta(out *outgoing, meta *mcp.Meta) error {
	info, ok := meta.AdditionalFields[mcp.MetaKeyServerInfo].(mcp.Implementation)
	if !ok || len(meta.AdditionalFields) != 1 || meta.ProgressToken != nil {
		return encodeValue(out, meta)
	}
	out.WriteString(`{"` + mcp.MetaKeyServerInfo + `":`)
	if err := encodeValue(out, info); err != nil {
		return err
	}
	out.WriteByte('}')
	return nil
}

// encodeTools writes tools/list: mcp-go makes a map of each tool and encodes it
// three times over, which is a good part of a short-lived process's life.
func encodeTools(out *outgoing, list mcp.ListToolsResult) error {
	const empty = `"tools":[]`
	tools := list.Tools
	list.Tools = []mcp.Tool{}
	var frame bytes.Buffer
	if err := encodeValue(&frame, list); err != nil {
		return err
	}
	before, after, ok := bytes.Cut(frame.Bytes(), []byte(empty))
	if !ok {
		return fmt.Errorf("tools/list without %s", empty)
	}
	out.Write(before)
	out.WriteString(`"tools":[`)
	for i, tool := range tools {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := encodeTool(out, tool); err != nil {
			return err
		}
	}
	out.WriteByte(']')
	out.Write(after)
	return nil
}

// plainTool is a tool with a ready schema and nothing out of the ordinary.
type plainTool struct {
	Name        string             `json:"name"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	InputSchema json.RawMessage    `json:"inputSchema"`
	Annotations mcp.ToolAnnotation `json:"annotations"`
}

func encodeTool(out *outgoing, t mcp.Tool) error {
	if len(t.RawInputSchema) == 0 || t.InputSchema.Type != "" || t.RawOutputSchema != nil || t.OutputSchema.Type != "" || t.Meta != nil || t.Execution != nil || t.DeferLoading || len(t.Icons) > 0 {
		return encodeValue(out, t)
	}
	return encodeValue(out, plainTool{t.Name, t.Title, t.Description, t.RawInputSchema, t.Annotations})
}

// encodeValue writes JSON without escaping <, > and &: the line is read by
// JSON parsers, never by a browser, and SQL is full of them.
func encodeValue(out interface {
	io.Writer
	Len() int
	Truncate(int)
}, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	out.Truncate(out.Len() - 1) // the newline
	return nil
}
