package tools

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
)

// person answers what a client is asked.
type person func(mcp.ElicitationParams) mcp.ElicitationResponse

func (p person) Elicit(_ context.Context, req mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	return &mcp.ElicitationResult{ElicitationResponse: p(req.Params)}, nil
}

// askable is a client whose person can be asked by forms.
func askable(t *testing.T, s *Server, p person) *client.Client {
	t.Helper()
	c, err := client.NewInProcessClientWithOptions(s.MCP(), client.WithElicitationHandler(p))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var hello mcp.InitializeRequest
	hello.Params.ProtocolVersion = "2025-11-25"
	hello.Params.Capabilities.Elicitation = &mcp.ElicitationCapability{Form: &struct{}{}}
	if _, err := c.Initialize(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	return c
}

// questioning is a server that asks with each call, times often, and answers with what
// it was told; "nobody" when it cannot ask.
func questioning(times int, message, schema string) *fakeUpstream {
	return &fakeUpstream{list: listing("do"), call: func(ctx context.Context, _ json.RawMessage, _ func(string)) (string, error) {
		ask, _ := ctx.Value(fakeAskerKey{}).(Asker)
		said := "nobody"
		if ask != nil {
			said = ""
			for range times {
				action, content := ask(ctx, message, json.RawMessage(schema))
				said += action + string(content) + " "
			}
		}
		encoded, err := json.Marshal(said)
		return `{"content":[{"type":"text","text":` + string(encoded) + `}]}`, err
	}}
}

const branchForm = `{"type":"object","properties":{"branch":{"type":"string"}}}`

// TestQuestionsOfOtherServers: a form of a server of others reaches the person, with
// the server's name and in quotes, and the answer the server.
func TestQuestionsOfOtherServers(t *testing.T) {
	s := federating(t, map[string]*fakeUpstream{
		"gh=service/main.tools.github": questioning(1, "Which\u202e branch?\nSay it", branchForm),
		"deep=external/deep":           questioning(1, "Deep?", `{"type":"object","properties":{"a":{"type":"object"}}}`),
		"long=external/long":           questioning(1, "Long?", `{"type":"object","properties":{"a":{"type":"string","title":"`+strings.Repeat("x", maxAskedForm)+`"}}}`),
		"often=app/often":              questioning(maxAsked+1, "Again?", branchForm),
		"fn=functions/main/tools":      questioning(1, "Ours?", branchForm),
	}, nil)
	var heard []mcp.ElicitationParams
	reply := mcp.ElicitationResponse{Action: "accept", Content: map[string]any{"branch": "main"}}
	c := askable(t, s, func(p mcp.ElicitationParams) mcp.ElicitationResponse {
		heard = append(heard, p)
		return reply
	})
	foreignTools(t, c)
	for _, test := range []struct{ tool, want string }{
		{"gh_do", `accept{"branch":"main"} `},
		{"deep_do", "decline "},
		{"long_do", "decline "},
		{"often_do", strings.Repeat(`accept{"branch":"main"} `, maxAsked) + "decline "},
		{"fn_do", "nobody"},
	} {
		if text, failed := use(t, c, test.tool, `{}`); failed || gjson.Get(text, "text").Str != test.want {
			t.Errorf("%s: %s, want %s", test.tool, text, test.want)
		}
	}
	if len(heard) != 1+maxAsked {
		t.Fatalf("asked %d times", len(heard))
	}
	schema, err := json.Marshal(heard[0].RequestedSchema)
	if got := heard[0].Message; err != nil || !strings.HasPrefix(got, "The MCP server service/main.tools.github asks, for its tool do.") ||
		!strings.Contains(got, `"Which\u202e branch?\nSay it"`) || !strings.Contains(got, "no password") || string(schema) != branchForm {
		t.Errorf("%s %s", got, schema)
	}
	for _, reply = range []mcp.ElicitationResponse{{Action: "decline"}, {Action: "cancel"}, {Action: "who knows"}} {
		want := string(reply.Action)
		if want == "who knows" {
			want = "cancel"
		}
		if text, _ := use(t, c, "gh_do", `{}`); gjson.Get(text, "text").Str != want+" " {
			t.Errorf("%s: %s", reply.Action, text)
		}
	}
}

// TestWhoIsNotAskedByOtherServers: clients without forms, and newer ones, which could
// only call again.
func TestWhoIsNotAskedByOtherServers(t *testing.T) {
	s := federating(t, map[string]*fakeUpstream{"gh=service/main.tools.github": questioning(1, "Which?", branchForm)}, nil)
	c := mcpClient(t, s)
	foreignTools(t, c)
	if text, _ := use(t, c, "gh_do", `{}`); gjson.Get(text, "text").Str != "nobody" {
		t.Error(text)
	}
	request := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"gh_do","arguments":{}` + newer(`{"elicitation":{"form":{}}}`) + `}}`
	encoded, err := json.Marshal(s.MCP().HandleMessage(t.Context(), []byte(request)))
	if err != nil || !strings.Contains(string(encoded), "nobody") {
		t.Errorf("%s, %v", encoded, err)
	}
}

// TestSignInSaysWhere: a person is told what to sign in to.
func TestSignInSaysWhere(t *testing.T) {
	const address = "https://work.cloud.databricks.com/explore/connections/crm"
	for cause, want := range map[error]string{catalog.ErrSignInElsewhere: "Sign in to the service behind crm_find;", nil: "Sign in to Databricks;"} {
		s := federating(t, map[string]*fakeUpstream{"crm=external/crm": {list: listing("find"), call: func(context.Context, json.RawMessage, func(string)) (string, error) {
			return "", &catalog.Error{Kind: catalog.SignIn, Message: "sign in", Err: cause, Advice: "Open " + address, SignInURL: address}
		}}}, nil)
		foreignTools(t, mcpClient(t, s))
		request := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"crm_find","arguments":{}` + newer(`{"elicitation":{"url":{}}}`) + `}}`
		encoded, err := json.Marshal(s.MCP().HandleMessage(t.Context(), []byte(request)))
		if err != nil || !strings.Contains(string(encoded), want) || !strings.Contains(string(encoded), address) {
			t.Errorf("%s, %v", encoded, err)
		}
	}
}
