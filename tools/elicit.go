package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/tidwall/gjson"
	"go.uber.org/zap"
)

// Question is put to the person behind a client: elicitation in form mode.
type Question struct {
	ID      string          // of the question within its call
	Message string          // plain text; cleaned and cut to 2,000 bytes before it is sent
	Schema  json.RawMessage // of the form: an object of strings, numbers and booleans; nil: nothing but accept or decline
	// State comes back with the reply. It is ours and opaque to the client: a token
	// that is good for this question once.
	State string
}

// Reply is what came back. It is the client's word, which can be forged: a
// convenience for the person, not a barrier against the client.
type Reply struct {
	Action  ReplyAction
	Content json.RawMessage // of an accepted form: an object, not checked against the schema; or nil
	State   string          // as the client sent it back: to be checked by whoever asked
}

// ReplyAction is what the person chose.
type ReplyAction string

const (
	ReplyNone    ReplyAction = "" // no answer, or none that can be read
	ReplyAccept  ReplyAction = "accept"
	ReplyDecline ReplyAction = "decline"
	ReplyCancel  ReplyAction = "cancel" // closed without a choice
)

const (
	maxQuestion = 2000     // bytes of a message
	maxReply    = 64 << 10 // bytes of an answer
)

var errCannotAsk = errors.New("the client cannot ask its person")

// canAsk reports whether the client behind ctx can put a form to its person. Asking
// one that cannot would leave the call hanging.
func canAsk(ctx context.Context) bool {
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.Modern {
		return showsForms(info.ClientCapabilities)
	}
	session := asking(ctx)
	if session == nil || session.SessionID() == "" { // without sessions the answer finds no way back
		return false
	}
	capabilities := session.GetClientCapabilities()
	return showsForms(&capabilities)
}

// showsForms: a client that names no mode means forms, as it was before modes.
func showsForms(c *mcp.ClientCapabilities) bool {
	return c != nil && c.Elicitation != nil && (c.Elicitation.Form != nil || c.Elicitation.URL == nil)
}

// askingSession is a session that can carry requests of ours and knows for whom.
type askingSession interface {
	server.SessionWithClientInfo
	server.SessionWithElicitation
}

func asking(ctx context.Context) askingSession {
	session, _ := server.ClientSessionFromContext(ctx).(askingSession)
	return session
}

// askPerson puts one question. An older client is sent a request of ours and
// answered for within timeout. A newer one gets the result to be returned now,
// and calls again with the reply in req.
//
// Everything that is no proper answer is ReplyNone. The error is not nil when ctx
// ended, when the client cannot be asked (see canAsk), and for a faulty question.
func (s *Server) askPerson(ctx context.Context, req mcp.CallToolRequest, q Question, timeout time.Duration) (Reply, *mcp.CallToolResult, error) {
	params, err := q.params()
	if err != nil {
		return Reply{}, nil, err
	}
	if !canAsk(ctx) {
		return Reply{}, nil, errCannotAsk
	}
	if reply, replied := replyTo(ctx, req, q.ID); replied {
		return reply, nil, nil
	}
	if server.IsModernRequest(ctx) {
		return Reply{}, server.NewInputRequestBuilder(q.State).Elicit(q.ID, params).ToolResult(), nil
	}
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	result, err := asking(ctx).RequestElicitation(waiting, mcp.ElicitationRequest{
		Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)}, Params: params,
	})
	if ctx.Err() != nil {
		return Reply{}, nil, ctx.Err()
	}
	if err != nil || result == nil {
		s.log.Debug("a question was not answered", zap.String("question", q.ID), zap.Error(err))
		return Reply{}, nil, nil
	}
	answer, err := json.Marshal(result.ElicitationResponse)
	if err != nil {
		return Reply{}, nil, nil
	}
	return readReply(answer, q.State), nil, nil
}

// replyTo is the reply that a call brings with it to the question with that id, and
// whether it brings one: whoever has to make a token for a question looks here
// first. Only the newer clients reply so; from others it would be a forgery.
func replyTo(ctx context.Context, req mcp.CallToolRequest, id string) (Reply, bool) {
	response, replied := req.Params.InputResponses[id]
	if !replied || !server.IsModernRequest(ctx) || !canAsk(ctx) {
		return Reply{}, false
	}
	if req.Params.RequestState == "" { // to a question that was never asked
		return Reply{}, true
	}
	answer, err := json.Marshal(response) // the client's own JSON, with its numbers as they are
	if err != nil {
		return Reply{}, true
	}
	return readReply(answer, req.Params.RequestState), true
}

// readReply reads an ElicitResult; one that is out of shape is no reply.
func readReply(answer []byte, state string) Reply {
	if len(answer) > maxReply {
		return Reply{}
	}
	reply := Reply{Action: ReplyAction(gjson.GetBytes(answer, "action").Str), State: state}
	switch reply.Action {
	case ReplyAccept:
		switch content := gjson.GetBytes(answer, "content"); {
		case content.IsObject():
			reply.Content = json.RawMessage(content.Raw)
		case content.Type != gjson.Null:
			return Reply{}
		}
	case ReplyDecline, ReplyCancel:
	default:
		return Reply{}
	}
	return reply
}

// params are the question on the wire. The mode is left out: form is what a client
// of before modes understands, too.
func (q Question) params() (mcp.ElicitationParams, error) {
	message := questionText(q.Message)
	schema := q.Schema
	if schema == nil {
		schema = json.RawMessage(`{"type":"object","properties":{}}`)
	}
	switch {
	case q.ID == "" || q.State == "" || message == "":
		return mcp.ElicitationParams{}, errors.New("a question needs an id, a message and a state")
	case !flat(schema):
		return mcp.ElicitationParams{}, fmt.Errorf("question %s: the schema must be an object of strings, numbers and booleans", q.ID)
	}
	return mcp.ElicitationParams{Message: message, RequestedSchema: schema}, nil
}

// flat reports whether a client can show schema as a form.
func flat(schema json.RawMessage) bool {
	if !json.Valid(schema) {
		return false
	}
	properties := gjson.GetBytes(schema, "properties")
	flat := gjson.GetBytes(schema, "type").Str == "object" && properties.IsObject()
	properties.ForEach(func(_, property gjson.Result) bool {
		switch property.Get("type").Str {
		case "string", "number", "integer", "boolean":
		default:
			flat = false
		}
		return flat
	})
	return flat
}

// questionText makes a text fit for a person to decide by: nothing in it is
// invisible, reorders its neighbours or pushes them out of sight.
func questionText(s string) string {
	breaks := 0
	s = strings.Map(func(r rune) rune {
		if r == '\n' {
			if breaks++; breaks > 2 {
				return -1
			}
			return r
		}
		switch {
		case r == '\t':
			r = ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector):
			return -1
		}
		if r != ' ' {
			breaks = 0
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.TrimSpace(s)
	if len(s) <= maxQuestion {
		return s
	}
	const rest = "… (there is more, which is not shown)"
	cut := maxQuestion - len(rest)
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + rest
}
