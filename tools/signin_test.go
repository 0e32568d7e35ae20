package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
)

const signInAddress = "http://localhost:8020/start"

func notSignedIn(t *testing.T) *Server {
	t.Helper()
	return newServer(t, &fake{do: func(context.Context, *catalog.Call) (string, error) {
		return "", &catalog.Error{Kind: catalog.SignIn, Message: "nobody is signed in", Advice: "Open " + signInAddress, SignInURL: signInAddress}
	}}, nil)
}

// modern is a request of a client of 2026-07-28, with its capabilities.
func modern(t *testing.T, s *Server, capabilities, more string) string {
	t.Helper()
	request := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"jobs_list","arguments":{}%s,"_meta":{
		"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":%s}}}`, more, capabilities)
	encoded, err := json.Marshal(s.MCP().HandleMessage(t.Context(), []byte(request)))
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func TestModernClientIsAskedToSignIn(t *testing.T) {
	s := notSignedIn(t)
	asked := modern(t, s, `{"elicitation":{"url":{}}}`, "")
	if gjson.Get(asked, "result.resultType").Str != "input_required" || !strings.Contains(asked, signInAddress) || !strings.Contains(asked, `"mode":"url"`) {
		t.Errorf("a client that opens addresses: %s", asked)
	}
	for name, got := range map[string]string{
		"cannot":       modern(t, s, `{}`, ""),
		"only forms":   modern(t, s, `{"elicitation":{"form":{}}}`, ""),
		"asked before": modern(t, s, `{"elicitation":{"url":{}}}`, `,"inputResponses":{"signin":{"action":"accept"}}`),
	} {
		if !gjson.Get(got, "result.isError").Bool() || gjson.Get(got, "result.structuredContent.error.kind").Str != "signin" || !strings.Contains(got, signInAddress) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestOlderClientIsAskedToSignIn(t *testing.T) {
	for _, opens := range []bool{true, false} {
		session, err := client.NewInProcessClientWithSamplingHandler(notSignedIn(t).MCP(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := session.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		var hello mcp.InitializeRequest
		hello.Params.ProtocolVersion = "2025-11-25"
		if opens {
			hello.Params.Capabilities.Elicitation = &mcp.ElicitationCapability{URL: &struct{}{}}
		}
		if _, err := session.Initialize(t.Context(), hello); err != nil {
			t.Fatal(err)
		}
		var call mcp.CallToolRequest
		call.Params.Name = "jobs_list"
		result, err := session.CallTool(t.Context(), call)
		switch {
		case opens && err == nil:
			t.Errorf("a client that opens addresses got a result: %v", result.Content)
		case !opens && (err != nil || !result.IsError):
			t.Errorf("a client that does not: %v, %v", result, err)
		}
	}
}
