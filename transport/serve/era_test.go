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

var eraParams = map[string]string{
	"plain":              `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}`,
	"escaped":            `{"_meta":{"io.modelcontextprotocol\/protocolVersio\u006e":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}`,
	"escaped, the value": `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07\u002d28","io.modelcontextprotocol/clientCapabilities":{}}}`,
	"the last one":       `{"_meta":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}`,
	"the last version":   `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/protocolVersion":"2025-11-25","io.modelcontextprotocol/clientCapabilities":{}}}`,
	"of another case":    `{"_META":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}`,
	"null":               `{"_meta":null}`,
	"a number":           `{"_meta":7}`,
	"an older one":       `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}`,
	"a version, not so":  `{"_meta":{"io.modelcontextprotocol/protocolVersion":["2026-07-28"]}}`,
	"a huge number":      `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"n":1e999}}`,
	"a long number":      `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"n":1` + strings.Repeat("0", 400) + `}}`,
}

// The era is read as mcp-go reads it, so that no message is checked as one thing and
// served as another.
func TestEraIsReadAsItIsServed(t *testing.T) {
	for name, params := range eraParams {
		raw := []byte(`{"jsonrpc":"2.0","id":7,"method":"ping","params":` + params + `}`)
		refused, _ := hello().HandleMessage(t.Context(), raw).(mcp.JSONRPCError)
		served := refused.Error.Code == mcp.METHOD_NOT_FOUND // ping was removed in 2026-07-28
		m, problem := parse(raw)
		if problem != nil {
			t.Fatalf("%s: %s", name, problem.text)
		}
		if e := readEra(http.Header{}, m); e.modern != served {
			t.Errorf("%s: read as modern: %v, served as modern: %v", name, e.modern, served)
		}
	}
}

// Names that only look like those of a message are refused: mcp-go would serve what
// was not checked.
func TestMisspeltMembers(t *testing.T) {
	for _, raw := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"ping","METHOD":"tools/list"}`,
		`{"jsonrpc":"2.0","id":1,"method":"ping","Params":{}}`,
		`{"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":{}}`, // a long s
		`{"jsonrpc":"2.0","id":1,"method":"ping","ID":2}`,
	} {
		if _, problem := parse([]byte(raw)); problem == nil || problem.code != mcp.INVALID_REQUEST {
			t.Errorf("%s: %v", raw, problem)
		}
	}
	if _, problem := parse([]byte(`{"jsonrpc":"2.0","id":1,"method":"ping","extra":{}}`)); problem != nil {
		t.Errorf("a member of no meaning: %v", problem.text)
	}
}

// FuzzEra: where the scan is sure, the decoder reads the same.
func FuzzEra(f *testing.F) {
	for _, params := range eraParams {
		f.Add(params)
	}
	f.Add(`{"name":"a","arguments":{"x":[1e5]},"_meta":{"progressToken":1e5}}`)
	f.Add(`{"name":"a","Name":"b"}`)
	f.Add(`{"uri":"\u0061","name":null}`)
	f.Fuzz(func(t *testing.T, params string) {
		raw := []byte(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":` + params + `}`)
		m, _ := parse(raw)
		scanned, sure := scanEra(m.root)
		if !sure {
			return
		}
		version, decoded := decodeEra(raw)
		if scanned.meta != version || string(scanned.params) != string(decoded) {
			t.Errorf("%s: version %q, decoded %q; params %s, decoded %s", raw, scanned.meta, version, scanned.params, decoded)
		}
		for _, method := range []mcp.MCPMethod{mcp.MethodToolsCall, mcp.MethodResourcesRead} {
			name, ok := mcp.ExtractHeaderName(method, scanned.named)
			if want, wanted := mcp.ExtractHeaderName(method, decoded); name != want || ok != wanted && decoded != nil {
				t.Errorf("%s: %q %v, decoded %q %v", raw, name, ok, want, wanted)
			}
		}
	})
}
