package serve

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, in   string
		id, method string
		code       int // 0: accepted
	}{
		{"request", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, `1`, "ping", 0},
		{"id in any place", `{"params":{"id":9},"method":"ping","jsonrpc":"2.0","id":"a"}`, `"a"`, "ping", 0},
		{"large id", `{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`, `9007199254740993`, "ping", 0},
		{"negative id", `{"jsonrpc":"2.0","id":-1,"method":"ping"}`, `-1`, "ping", 0},
		{"notification", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, ``, "notifications/initialized", 0},
		{"null id", `{"jsonrpc":"2.0","id":null,"method":"notifications/initialized"}`, ``, "notifications/initialized", 0},
		{"null params", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}`, `1`, "tools/list", 0},
		{"response", `{"jsonrpc":"2.0","id":1,"result":{}}`, `1`, "", 0},
		{"error response", `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}`, `1`, "", 0},
		{"call", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}`, `1`, "tools/call", 0},

		{"not JSON", `{"jsonrpc":`, ``, "", mcp.PARSE_ERROR},
		{"words", `hello`, ``, "", mcp.PARSE_ERROR},
		{"two values", `{} {}`, ``, "", mcp.PARSE_ERROR},
		{"deep", strings.Repeat("[", 1<<20), ``, "", mcp.PARSE_ERROR},
		{"batch", `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, ``, "", mcp.INVALID_REQUEST},
		{"number", `7`, ``, "", mcp.INVALID_REQUEST},
		{"no version", `{"id":1,"method":"ping"}`, `1`, "", mcp.INVALID_REQUEST},
		{"other version", `{"jsonrpc":"1.0","id":1,"method":"ping"}`, `1`, "", mcp.INVALID_REQUEST},
		{"version is a number", `{"jsonrpc":2.0,"id":1,"method":"ping"}`, `1`, "", mcp.INVALID_REQUEST},
		{"id is an object", `{"jsonrpc":"2.0","id":{},"method":"ping"}`, ``, "", mcp.INVALID_REQUEST},
		{"id is true", `{"jsonrpc":"2.0","id":true,"method":"ping"}`, ``, "", mcp.INVALID_REQUEST},
		{"method is a number", `{"jsonrpc":"2.0","id":1,"method":5}`, `1`, "", mcp.INVALID_REQUEST},
		{"no method", `{"jsonrpc":"2.0","id":1}`, `1`, "", mcp.INVALID_REQUEST},
		{"empty method", `{"jsonrpc":"2.0","id":1,"method":""}`, `1`, "", mcp.INVALID_REQUEST},
		{"request and response", `{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}`, `1`, "", mcp.INVALID_REQUEST},
		{"params is an array", `{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}`, `1`, "", mcp.INVALID_PARAMS},
		{"params is text", `{"jsonrpc":"2.0","id":1,"method":"ping","params":"a"}`, `1`, "", mcp.INVALID_PARAMS},
		{"call without params", `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`, `1`, "tools/call", mcp.INVALID_PARAMS},
		{"tool name is a number", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}}`, `1`, "tools/call", mcp.INVALID_PARAMS},
		{"arguments is an array", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":[]}}`, `1`, "tools/call", mcp.INVALID_PARAMS},
		{"arguments is text", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":"{}"}}`, `1`, "tools/call", mcp.INVALID_PARAMS},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, problem := parse([]byte(c.in))
			code := 0
			if problem != nil {
				code = problem.code
			}
			if code != c.code || string(m.id) != c.id || m.method != c.method {
				t.Errorf("id %q, method %q, code %d; want %q, %q, %d", m.id, m.method, code, c.id, c.method, c.code)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{}}}`,
		`{"jsonrpc":"2.0","id":"\u0061","method":"ping"}`, `{"id":1,"id":2}`, `[]`, `{`, `"`, "\xff", `{"jsonrpc":"2.0","id":1e400,"method":"m"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, problem := parse(raw)
		valid := json.Valid(raw)
		if !valid && (problem == nil || problem.code != mcp.PARSE_ERROR) {
			t.Fatalf("%q is no JSON and is not refused as such", raw)
		}
		if m.id != nil {
			if !json.Valid(m.id) || m.id[0] == '{' || m.id[0] == '[' {
				t.Fatalf("id %q of %q", m.id, raw)
			}
		}
		if problem != nil {
			return
		}
		// What is accepted is read alike by encoding/json, and so by mcp-go.
		var other struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
		}
		decoder := json.NewDecoder(bytes.NewReader(raw))
		if err := decoder.Decode(&other); err != nil || hasOtherCase(raw) {
			return // encoding/json also takes keys in other cases
		}
		if other.Method != m.method && json.Valid(raw) && !bytes.Contains(raw, []byte{'\\'}) && validText(raw) {
			t.Fatalf("method %q, encoding/json reads %q", m.method, other.Method)
		}
	})
}

// hasOtherCase reports whether raw may hold a key that only encoding/json takes
// for one of ours.
func hasOtherCase(raw []byte) bool {
	return bytes.ContainsAny(raw, "ABCDEFGHIJKLMNOPQRSTUVWXYZſK")
}

func validText(raw []byte) bool { return bytes.Equal(bytes.ToValidUTF8(raw, nil), raw) }
