package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/zap"
)

// A client that we did not write, in either era.
func TestForeignClientReplies(t *testing.T) {
	for _, version := range []string{"2025-06-18", "2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			questions := 0
			client := sdk.NewClient(&sdk.Implementation{Name: "c", Version: "1"}, &sdk.ClientOptions{
				ElicitationHandler: func(_ context.Context, req *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
					questions++
					if req.Params.Message != "Delete job 'n[1m'?" {
						t.Errorf("asked %q", req.Params.Message)
					}
					return &sdk.ElicitResult{Action: "accept", Content: map[string]any{"sure": true}}, nil
				},
			})
			in, out := serveAsking(t)
			session, err := client.Connect(t.Context(), &sdk.IOTransport{Reader: out, Writer: in}, &sdk.ClientSessionOptions{ProtocolVersion: version})
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			if spoken := session.InitializeResult().ProtocolVersion; spoken != version {
				t.Errorf("the client speaks %s", spoken)
			}
			result, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "ask", Arguments: map[string]any{"n": 1}})
			if err != nil {
				t.Fatal(err)
			}
			text, _ := result.Content[0].(*sdk.TextContent)
			if want := `accept|{"sure":true}|token of 1`; text == nil || text.Text != want || questions != 1 {
				t.Errorf("%d questions brought %v, want %q", questions, text, want)
			}
		})
	}
}

// otherSession is one that mcp-go brings with it, such as that of HTTP.
type otherSession struct {
	server.ClientSession
	id      string
	result  *mcp.ElicitationResult
	err     error
	content mcp.ElicitationParams // of the question
}

func (s *otherSession) SessionID() string                          { return s.id }
func (*otherSession) GetClientInfo() (i mcp.Implementation)        { return }
func (*otherSession) SetClientInfo(mcp.Implementation)             {}
func (*otherSession) SetClientCapabilities(mcp.ClientCapabilities) {}
func (*otherSession) GetClientCapabilities() mcp.ClientCapabilities {
	return mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapability{}}
}
func (s *otherSession) RequestElicitation(_ context.Context, req mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	s.content = req.Params
	return s.result, s.err
}

func TestOtherSessions(t *testing.T) {
	s := &Server{log: zap.NewNop()}
	accepted := &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{Action: "accept", Content: map[string]any{"sure": true}}}
	for _, c := range []struct {
		name    string
		session *otherSession
		can     bool
		want    string
	}{
		{"stateful", &otherSession{id: "s", result: accepted}, true, `accept {"sure":true} token`},
		{"stateless", &otherSession{result: accepted}, false, "  "},
		{"that fails", &otherSession{id: "s", err: errors.New("queue full")}, true, "  "},
		{"that brings nothing", &otherSession{id: "s"}, true, "  "},
		{"that brings what is no JSON", &otherSession{id: "s", result: &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{Action: "accept", Content: make(chan int)}}}, true, "  "},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := server.NewMCPServer("test", "1").WithContext(t.Context(), c.session)
			if can := canAsk(ctx); can != c.can {
				t.Errorf("canAsk: %v", can)
			}
			reply, asked, err := s.askPerson(ctx, mcp.CallToolRequest{}, Question{ID: "q", Message: "sure?", State: "token"}, time.Minute)
			if got := fmt.Sprintf("%s %s %s", reply.Action, reply.Content, reply.State); got != c.want || asked != nil || errors.Is(err, errCannotAsk) == c.can {
				t.Errorf("got %q, %v, %v", got, asked, err)
			}
			if c.can && c.session.content.Validate() != nil {
				t.Errorf("asked %v", c.session.content)
			}
		})
	}
	if canAsk(t.Context()) {
		t.Error("without any session somebody can be asked")
	}
}

func TestFaultyQuestions(t *testing.T) {
	ctx := server.NewMCPServer("test", "1").WithContext(t.Context(), &otherSession{id: "s", err: errors.New("asked")})
	form := func(properties string) json.RawMessage {
		return json.RawMessage(`{"type":"object","properties":` + properties + `}`)
	}
	for name, c := range map[string]struct {
		q  Question
		ok bool
	}{
		"good":           {Question{ID: "q", Message: "m", State: "t"}, true},
		"all kinds":      {Question{ID: "q", Message: "m", State: "t", Schema: form(`{"a":{"type":"string","enum":["x"]},"b":{"type":"number"},"c":{"type":"integer"},"d":{"type":"boolean"}}`)}, true},
		"no id":          {Question{Message: "m", State: "t"}, false},
		"no message":     {Question{ID: "q", Message: " \x00\n", State: "t"}, false},
		"no state":       {Question{ID: "q", Message: "m"}, false},
		"broken schema":  {Question{ID: "q", Message: "m", State: "t", Schema: json.RawMessage(`{`)}, false},
		"empty schema":   {Question{ID: "q", Message: "m", State: "t", Schema: json.RawMessage{}}, false},
		"no object":      {Question{ID: "q", Message: "m", State: "t", Schema: json.RawMessage(`{"type":"string"}`)}, false},
		"nested objects": {Question{ID: "q", Message: "m", State: "t", Schema: form(`{"a":{"type":"object","properties":{}}}`)}, false},
		"arrays":         {Question{ID: "q", Message: "m", State: "t", Schema: form(`{"b":{"type":"string"},"a":{"type":"array"}}`)}, false},
		"no type":        {Question{ID: "q", Message: "m", State: "t", Schema: form(`{"a":{}}`)}, false},
	} {
		_, _, err := (&Server{log: zap.NewNop()}).askPerson(ctx, mcp.CallToolRequest{}, c.q, time.Minute)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestQuestionText(t *testing.T) {
	for in, want := range map[string]string{
		"Delete job 42?":                     "Delete job 42?",
		"ana gains SELECT\nbob loses MODIFY": "ana gains SELECT\nbob loses MODIFY",
		"a\tb\r\nc":                          "a b\nc",
		"\x00a\x07\x1b]0;t\x07b\u0085\x7f":   "a]0;tb",
		"pay\u202eecilA\u2066 \u200bnow":     "payecilA now",
		"tag\U000e0041\ufe0f\U000e0101":      "tag",
		"a\u2028b":                           "ab",
		"a\n \n\t\n\n\n b":                   "a\n \n  b",
		"a\xffb":                             "a\uFFFDb",
		" \n\n ":                             "",
		"Größe 表 😀":                          "Größe 表 😀",
		strings.Repeat("é", 1000):            strings.Repeat("é", 1000),
		strings.Repeat("é", 1001):            strings.Repeat("é", 980) + "… (there is more, which is not shown)",
	} {
		if got := questionText(in); got != want {
			t.Errorf("%.40q: %.60q (%d bytes), want %.60q", in, got, len(got), want)
		}
	}
}

func FuzzQuestionText(f *testing.F) {
	f.Add("Delete\u202e job\x1b[1m?\n\n\n")
	f.Add(strings.Repeat("\xf0\x9f\x98\x80", 600))
	f.Fuzz(func(t *testing.T, in string) {
		got := questionText(in)
		if len(got) > maxQuestion || !utf8.ValidString(got) || got != strings.TrimSpace(got) || questionText(got) != got {
			t.Errorf("%q became %q", in, got)
		}
		for _, r := range got {
			if r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf) {
				t.Errorf("%q keeps %U", in, r)
			}
		}
	})
}

func FuzzReadReply(f *testing.F) {
	for _, c := range replies {
		if len(c.result) < 1000 {
			f.Add([]byte(c.result))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if !json.Valid(in) {
			return // never comes this far
		}
		got := readReply(in, "state")
		switch got.Action {
		case ReplyNone:
			if got.Content != nil || got.State != "" {
				t.Errorf("no reply, but %v", got)
			}
		case ReplyAccept:
			if got.Content != nil && (!json.Valid(got.Content) || got.Content[0] != '{') {
				t.Errorf("content %s", got.Content)
			}
		case ReplyDecline, ReplyCancel:
			if got.Content != nil {
				t.Errorf("%s with content", got.Action)
			}
		default:
			t.Errorf("action %q", got.Action)
		}
	})
}
