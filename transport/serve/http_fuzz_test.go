package serve

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// FuzzPost: whatever is sent, there is one answer of the right shape, and it tells
// nothing of what is inside.
func FuzzPost(f *testing.F) {
	// The list of tools never changes here, so that a subscription ends at once.
	e := &Endpoint{Auth: &crowd{build: hello}, Key: testKey}
	handler := e.StreamableHTTP()
	session := grant{nonce: strings.Repeat("n", nonceBytes), issued: time.Now()}.sign(testKey, "alice")
	newCall, newHeaders := modernCall("1", "say", "")
	f.Add(callOf("1", "say"), "", "", session, "")
	f.Add(newCall, newHeaders[1], newHeaders[3], "", newHeaders[5])
	f.Add(`{"jsonrpc":"2.0","id":"x","result":{}}`, "2025-11-25", "", session, "")
	f.Add(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, "", "", session, "")
	f.Add(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`, "", "", "", "")
	listen, listenHeaders := listening("1", `{"toolsListChanged":true}`)
	f.Add(listen, listenHeaders[1], listenHeaders[3], "", "")
	f.Add(`[`, "latest", "ping", "x", "=?base64?!?=")
	f.Add(`{"id":{},"params":[]}`, "", "", "", "")
	f.Fuzz(func(t *testing.T, body, version, method, session, name string) {
		r := httptest.NewRequest("POST", "/mcp", strings.NewReader(body))
		r.Header = http.Header{"User": {"alice"}, "Content-Type": {"application/json"}}
		for key, value := range map[string]string{"Mcp-Protocol-Version": version, "Mcp-Method": method, "Mcp-Session-Id": session, "Mcp-Name": name} {
			if value != "" {
				r.Header.Set(key, value)
			}
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		text := w.Body.String()
		if w.Header().Get("Content-Type") == "text/event-stream" { // of a subscription: the answer comes last
			text = strings.TrimSpace(text[strings.LastIndex(text, "data: ")+len("data: "):])
		}
		switch w.Code {
		case http.StatusAccepted:
			if text != "" {
				t.Errorf("202 with %q", text)
			}
		case http.StatusOK, http.StatusBadRequest, http.StatusNotFound:
			answer := gjson.Parse(text)
			if !gjson.Valid(text) || answer.Get("jsonrpc").Str != "2.0" || answer.Get("result").Exists() == answer.Get("error").Exists() || !answer.Get("id").Exists() {
				t.Errorf("%d with %q", w.Code, text)
			}
			if strings.Contains(text, "goroutine") || strings.Contains(text, "json: cannot") {
				t.Errorf("%q tells what is inside", text)
			}
		default:
			t.Errorf("status %d for %q", w.Code, body)
		}
	})
}
