package serve

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// A tool may want arguments in headers as well, for what stands before the server.
func TestArgumentsInHeaders(t *testing.T) {
	site := publish(t, func() *server.MCPServer {
		s := server.NewMCPServer("test", "1", server.WithToolCapabilities(false))
		s.AddTool(mcp.Tool{Name: "say", RawInputSchema: []byte(`{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}`)}, say("hi"))
		return s
	})
	for _, c := range []struct {
		name, arguments, header string
		status                  int
	}{
		{"both", `{"region":"eu"}`, "eu", 200},
		{"both, in base64", `{"region":"ü"}`, "=?base64?w7w=?=", 200},
		{"neither", `{}`, "-", 200},
		{"only the argument", `{"region":"eu"}`, "-", 400},
		{"only the header", `{}`, "eu", 400},
		{"another", `{"region":"eu"}`, "us", 400},
		{"twice in the message", `{"region":"us","region":"eu"}`, "us", 400},
	} {
		body, headers := modernCall("7", "say", "")
		res, answer := site.send(strings.Replace(body, `"arguments":{}`, `"arguments":`+c.arguments, 1), append(headers, "Mcp-Param-Region", c.header)...)
		want := int64(0)
		if c.status == 400 {
			want = mcp.HEADER_MISMATCH
		}
		if res.StatusCode != c.status || answer.Get("error.code").Int() != want {
			t.Errorf("%s: status %d with %s", c.name, res.StatusCode, answer.Raw)
		}
	}
}

// The era is read as mcp-go reads it, so that no message is checked as one thing and
// served as another.
func TestEraIsReadAsItIsServed(t *testing.T) {
	for name, params := range map[string]string{
		"plain":             `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}`,
		"escaped":           `{"_meta":{"io.modelcontextprotocol\/protocolVersio\u006e":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}`,
		"the last one":      `{"_meta":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}`,
		"of another case":   `{"_META":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}`,
		"null":              `{"_meta":null}`,
		"a number":          `{"_meta":7}`,
		"an older one":      `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}`,
		"a version, not so": `{"_meta":{"io.modelcontextprotocol/protocolVersion":["2026-07-28"]}}`,
	} {
		raw := []byte(`{"jsonrpc":"2.0","id":7,"method":"ping","params":` + params + `}`)
		refused, _ := hello().HandleMessage(t.Context(), raw).(mcp.JSONRPCError)
		served := refused.Error.Code == mcp.METHOD_NOT_FOUND // ping was removed in 2026-07-28
		if e := readEra(http.Header{}, message{raw: raw}); e.modern != served {
			t.Errorf("%s: read as modern: %v, served as modern: %v", name, e.modern, served)
		}
	}
}
