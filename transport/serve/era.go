package serve

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
)

// era is which of the two protocols a message over HTTP speaks. It goes by message:
// since 2026-07-28 there are no sessions, and each request says its version twice.
type era struct {
	modern bool
	header string // MCP-Protocol-Version; "": 2025-03-26 or older
	meta   string // the version in the message
	params json.RawMessage
	named  json.RawMessage // of params, what Mcp-Name is compared with
}

// readEra reads what mcp-go reads: what stands twice in a message must mean the same to
// both.
func readEra(h http.Header, m message) era {
	e := era{header: h.Get(mcp.HeaderProtocolVersion)}
	if scanned, sure := scanEra(m.root); sure {
		e.meta, e.params, e.named = scanned.meta, scanned.params, scanned.named
	} else {
		e.meta, e.params = decodeEra(m.raw)
		e.named = e.params
	}
	e.modern = mcp.IsModernProtocol(e.meta) || mcp.IsModernProtocol(e.header)
	return e
}

// scanEra reads messages as clients write them, which costs a tenth of decoding them.
// It is false when a decoder might read something else.
func scanEra(root gjson.Result) (e era, sure bool) {
	envelope, sure := members(root, "params")
	params := envelope[0]
	if !sure || !params.Exists() {
		return e, sure
	}
	inner, sure := members(params, "_meta", "name", "uri")
	meta, name, uri := inner[0], inner[1], inner[2]
	if !sure || name.Exists() && !plainText(name) || uri.Exists() && !plainText(uri) {
		return e, false
	}
	if meta.Exists() {
		inner, sure := members(meta, mcp.MetaKeyProtocolVersion)
		if version := inner[0]; version.Exists() {
			sure = sure && plainText(version) && !hugeNumbers(meta.Raw)
			e.meta = version.Str
		}
		if !sure {
			return e, false
		}
	}
	e.params = json.RawMessage(params.Raw)
	switch {
	case name.Exists() == uri.Exists():
		e.named = e.params
	case name.Exists():
		e.named = json.RawMessage(`{"name":` + name.Raw + `}`)
	default:
		e.named = json.RawMessage(`{"uri":` + uri.Raw + `}`)
	}
	return e, true
}

// decodeEra reads with the decoder that mcp-go uses.
func decodeEra(raw []byte) (version string, params json.RawMessage) {
	var envelope struct{ Params json.RawMessage }
	var inner struct {
		Meta *mcp.Meta `json:"_meta"`
	}
	if json.Unmarshal(raw, &envelope) == nil && json.Unmarshal(envelope.Params, &inner) == nil {
		version = inner.Meta.ProtocolVersion()
	}
	return version, envelope.Params
}

// check refuses what the version forbids, always with 400; nil: nothing.
func (e era) check(h http.Header, m message, srv *server.MCPServer) *mcp.JSONRPCError {
	refused := func(code int, text string) *mcp.JSONRPCError {
		refusal := mcp.NewJSONRPCError(mcp.NewRequestId(nil), code, text, nil)
		return &refusal
	}
	unsupported := func(version string) *mcp.JSONRPCError {
		refusal := mcp.UnsupportedProtocolVersionError{Version: version, Supported: mcp.ValidProtocolVersions}.JSONRPCError()
		return &refusal
	}
	known := mcp.IsValidProtocolVersion(e.header)
	switch {
	case m.method == string(mcp.MethodInitialize) && !e.modern: // which negotiates
		return nil
	case e.header != "" && !known && e.meta == "":
		return unsupported(e.header)
	case !e.modern && m.id != nil && h.Get(mcp.HeaderMethod) != "" && h.Get(mcp.HeaderMethod) != m.method:
		// Nothing wants the header of these clients, but what stands before us goes by it.
		return refused(mcp.HEADER_MISMATCH, mcp.HeaderMethod+": the header and the message differ")
	case !e.modern:
		return nil
	case m.method == "":
		return refused(mcp.INVALID_REQUEST, "answers are for requests of the server, which "+mcp.ProtocolVersion20260728+" has none of")
	case m.id == nil: // a notification says nothing that could contradict
		return nil
	case h.Get(mcp.HeaderLastEventID) != "":
		return refused(mcp.HEADER_MISMATCH, "Last-Event-ID: streams are not resumed; send the request again with a new id")
	case e.header == "":
		return refused(mcp.HEADER_MISMATCH, mcp.HeaderProtocolVersion+": missing required header")
	case e.meta == "":
		return refused(mcp.INVALID_PARAMS, "params._meta must have "+mcp.MetaKeyProtocolVersion)
	case e.header != e.meta:
		return refused(mcp.HEADER_MISMATCH, mcp.HeaderProtocolVersion+": the header and "+mcp.MetaKeyProtocolVersion+" differ")
	case !known:
		return unsupported(e.meta)
	}
	if err := mcp.ValidateStandardHeaders(h.Get, e.meta, mcp.MCPMethod(m.method), e.named); err != nil {
		return refused(mcp.HEADER_MISMATCH, err.Error())
	}
	if m.method == string(mcp.MethodToolsCall) {
		if err := checkParamHeaders(h, e, srv); err != nil {
			return refused(mcp.HEADER_MISMATCH, err.Error())
		}
	}
	return nil
}

// checkParamHeaders compares the arguments that a tool wants in headers as well.
func checkParamHeaders(h http.Header, e era, srv *server.MCPServer) error {
	name, _ := mcp.ExtractHeaderName(mcp.MethodToolsCall, e.named)
	tool := srv.GetTool(name)
	if tool == nil || !bytes.Contains(tool.Tool.RawInputSchema, []byte("x-mcp-header")) {
		return nil
	}
	return mcp.ValidateParamHeadersLookup(func(name string) (string, bool) {
		return h.Get(name), len(h.Values(name)) > 0
	}, &tool.Tool, e.params)
}
