package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"brickmcp/catalog"
	"brickmcp/tools/runs"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// form is what an endpoint is asked in, and answers in: agents.md, section 4.
type form string

const (
	responsesForm form = "responses"
	chatAgentForm form = "chat_agent"
	chatForm      form = "chat"
	dataframeForm form = "dataframe"
	rawForm       form = "raw"
)

// The largest requests that serving takes: contract/serving.md, limits.
const (
	maxAgentRequest = 4 << 20
	maxModelRequest = 16 << 20
)

// formOf is the form of a task; "" for tasks that are no conversation.
func formOf(task string) form {
	switch task {
	case "agent/v1/responses":
		return responsesForm
	case "agent/v2/chat":
		return chatAgentForm
	case "agent/v1/chat", "llm/v1/chat":
		return chatForm
	case "":
		return dataframeForm
	}
	return ""
}

// agentQuery is one question on its way.
type agentQuery struct {
	s    *Server
	call *catalog.Call
	name string
	form form
	full bool // the whole trace is wanted
}

// queryAgent asks an agent in the form of its task. It is asked once: nothing that
// may have reached it is sent again.
func (s *Server) queryAgent(ctx context.Context, call *catalog.Call) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	q := &agentQuery{s: s, call: call, name: argumentText(call, "endpoint_name")}
	q.full, _ = argument[bool](call, "full_trace")
	sent, err := q.prepare(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := s.api.Do(ctx, sent)
	if err != nil {
		return nil, q.explained(err)
	}
	body, partial := answer.Body, ""
	if answer.Stream != nil {
		defer answer.Stream.Close()
		if body, partial, err = q.read(ctx, answer); err != nil {
			return nil, q.explained(err)
		}
	}
	return q.result(answer, body, partial), nil
}

func (q *agentQuery) refuse(kind catalog.Kind, why, advice string) error {
	return &catalog.Error{Kind: kind, Message: q.call.About() + ": " + why, Advice: advice + " Nothing was sent."}
}

// prepare looks at the endpoint, and makes the request that it takes.
func (q *agentQuery) prepare(ctx context.Context) (*catalog.Call, error) {
	raw := gjson.ParseBytes(q.call.Args["request"])
	version := argumentText(q.call, "model_version")
	e, err := q.s.endpointNamed(ctx, q.call, q.name)
	switch {
	case err != nil && raw.Exists() && version == "" && catalog.AsError(err).Kind == catalog.Forbidden:
		q.form = rawForm // it may be asked, and not be looked at
	case err != nil:
		return nil, err
	default:
		if err := q.check(e); err != nil {
			return nil, err
		}
		if q.form = formOf(e.Get("task").Str); raw.Exists() {
			q.form = rawForm
		}
	}
	sent := *q.call
	if version != "" {
		one, err := q.versioned(e, version)
		if err != nil {
			return nil, err
		}
		bound, err := catalog.QueryServedModel.Bind(one)
		if err != nil {
			return nil, err
		}
		sent.Path, sent.Row = bound.Path, bound.Row
	}
	if sent.Body, err = q.body(e, raw); err != nil {
		return nil, err
	}
	most := maxAgentRequest
	if q.form == dataframeForm || q.form == rawForm {
		most = maxModelRequest
	}
	if len(sent.Body) > most {
		return nil, q.refuse(catalog.Invalid, fmt.Sprintf("the request has %d bytes, the endpoint takes %d", len(sent.Body), most), "Send a shorter conversation.")
	}
	if gjson.GetBytes(sent.Body, "stream").Bool() {
		sent.Stream, sent.Header = true, http.Header{"Accept": {"text/event-stream"}}
	}
	return &sent, nil
}

// check refuses an endpoint that cannot answer.
func (q *agentQuery) check(e endpoint) error {
	switch {
	case e.Get("route_optimized").Bool():
		return q.refuse(catalog.Invalid, "the endpoint is route-optimised, and answers only at an address of its own with tokens made for it", "Deploy the agent on an endpoint without route optimisation.")
	case e.Get("state.ready").Str == "NOT_READY":
		advice := "Poll agents_get until it is READY."
		if e.failed() {
			advice = "agents_get shows why it did not come up."
		}
		return q.refuse(catalog.Busy, "the endpoint is NOT_READY ("+cmp.Or(e.Get("state.config_update").Str, "no update")+")", advice)
	}
	return nil
}

// versioned is the address of one version.
func (q *agentQuery) versioned(e endpoint, version string) ([]byte, error) {
	var versions []string
	for _, one := range e.served() {
		if one.isFeedback() {
			continue
		}
		if one.version != version {
			versions = append(versions, one.version)
			continue
		}
		if state := one.Get("state.deployment").Str; state != "" && state != "DEPLOYMENT_READY" {
			return nil, q.refuse(catalog.Busy, fmt.Sprintf("version %s is %s", version, state), "Poll agents_get until it is DEPLOYMENT_READY.")
		}
		var o object
		o.text("endpoint_name", q.name)
		o.text("served_model_name", one.name)
		return o.bytes(), nil
	}
	return nil, q.refuse(catalog.Missing, "version "+version+" is not served there", "It serves "+orNone(versions)+".")
}

// body is the question in the form of the endpoint.
func (q *agentQuery) body(e endpoint, raw gjson.Result) ([]byte, error) {
	trace, _ := argument[bool](q.call, "return_trace")
	trace = trace || q.full
	stream, _ := argument[bool](q.call, "stream")
	conversation := argumentText(q.call, "conversation_id")
	if q.form == rawForm {
		return amended([]byte(raw.Raw), trace, stream, conversation)
	}
	rows, framed := q.call.Args["dataframe_records"]
	task := cmp.Or(e.Get("task").Str, "none")
	switch {
	case framed && q.form != dataframeForm:
		return nil, q.refuse(catalog.Invalid, "its task is "+task+", which takes no dataframe_records", "Give input or messages.")
	case q.form == "":
		return nil, q.refuse(catalog.Invalid, "its task is "+task+", which is no conversation", "Give request: the body as the endpoint takes it.")
	case stream && q.form == dataframeForm:
		return nil, q.refuse(catalog.Invalid, "a model that takes dataframes does not stream", "Leave stream out.")
	}
	messages := string(q.call.Args["messages"])
	if text, given := argument[string](q.call, "input"); given {
		var o object
		o.text("role", "user")
		o.text("content", text)
		messages = "[" + string(o.bytes()) + "]"
	}
	if q.form != dataframeForm && len(gjson.Parse(messages).Array()) == 0 {
		return nil, q.refuse(catalog.Invalid, "messages is empty", `Give [{"role": "user", "content": "…"}], or input.`)
	}
	var o object
	switch {
	case framed:
		o.raw("dataframe_records", string(rows))
	case q.form == dataframeForm:
		o.raw("dataframe_records", `[{"messages":`+messages+`}]`)
	case q.form == responsesForm:
		o.raw("input", messages)
	default:
		o.raw("messages", messages)
	}
	if inputs, given := q.call.Args["custom_inputs"]; given {
		o.raw("custom_inputs", string(inputs))
	}
	if conversation != "" && (q.form == responsesForm || q.form == chatAgentForm) {
		o.raw("context", string(jsonObject("conversation_id", conversation)))
	}
	if q.form == dataframeForm {
		conversation = "" // it would be one more input of the model
	}
	return amended(o.bytes(), trace, stream, conversation)
}

// amended adds what goes into every form.
func amended(body []byte, trace, stream bool, conversation string) ([]byte, error) {
	var err error
	set := func(path string, value any) {
		if err == nil {
			body, err = sjson.SetBytes(body, path, value)
		}
	}
	if stream {
		set("stream", true)
	}
	if trace {
		set("databricks_options.return_trace", true)
	}
	if conversation != "" {
		set("databricks_options.conversation_id", conversation)
	}
	return body, err
}

// explained adds to an error what an agent has to know of agents: they may have
// acted, they may take longer than a call, and they may be asleep.
func (q *agentQuery) explained(err error) error {
	e := *catalog.AsError(err)
	longer := fmt.Sprintf("What takes longer than %s: %s with agent=%s/%s, and poll.", maxWait, startRunTool, "endpoints", q.name)
	cold := e.Status == http.StatusServiceUnavailable || e.Status == http.StatusGatewayTimeout
	switch {
	case e.Kind == catalog.UnknownFate && runs.Asleep(err):
		e.Kind = catalog.Busy
		e.Message, _, _ = strings.Cut(e.Message, unknownFateMark)
		e.Advice = "Nothing ran. It starts from zero, which takes up to a few minutes: ask again in a minute, or " + startRunTool + " with agent=endpoints/" + q.name + ", which waits for it."
	case e.Kind == catalog.UnknownFate && cold:
		e.Advice = "It may be starting from zero, which takes up to a few minutes, or be overloaded. If it acts on the world, check whether it did before you ask again. " + longer
	case e.Kind == catalog.UnknownFate, errors.Is(err, context.DeadlineExceeded):
		e.Advice = "Do not ask again blindly: the agent may have acted, or still be at work. " + longer
	case e.Status == http.StatusNotFound && !e.MissingRoute:
		e.Advice += " agents_list shows the agents; one that was just deployed takes minutes to answer."
	case e.Kind == catalog.Down && e.Status >= 500:
		e.Advice = "The agent itself failed, perhaps after it had acted: read the message, and agents_read_logs in a while. " + e.Advice
	}
	return &e
}

// unknownFateMark begins what is added to an error whose effect is not known.
const unknownFateMark = "; it may or may not have taken effect"

// startRunTool is the tool for agents that take longer than a call.
const startRunTool = "supervisor_start_run"

// read reads a stream to its end, as progress, and makes one answer of it. A stream
// that breaks off leaves what came so far, and why.
func (q *agentQuery) read(ctx context.Context, answer *catalog.Answer) (body []byte, partial string, err error) {
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		body, err = io.ReadAll(io.LimitReader(answer.Stream, maxModelRequest))
		if err != nil || !gjson.ValidBytes(body) {
			return nil, "", q.lost("the answer could not be read to its end", answer, err)
		}
		return body, "", nil
	}
	var c collected
	err = c.collect(ctx, answer.Stream)
	var said *agentError
	switch {
	case errors.As(err, &said):
		return nil, "", &catalog.Error{Kind: catalog.Down, Status: answer.Status, RequestID: answer.RequestID, Quoted: true, Code: said.code,
			Message: q.call.About() + ": the agent failed while it answered: " + cutText(said.message, 2000),
			Advice:  "It may have acted before. Read the message, and agents_read_logs in a while, before asking again."}
	case err != nil && c.empty():
		return nil, "", q.lost("the stream ended before it said anything", answer, err)
	case err != nil:
		partial = "The stream ended early"
		if ctx.Err() != nil {
			partial = fmt.Sprintf("The time of the call, %s, ended", maxWait)
		}
		partial += ": this is what came so far. The agent may have acted, or go on; " + startRunTool + " with agent=endpoints/" + q.name + " follows it for longer."
	}
	return c.body(), partial, nil
}

func (q *agentQuery) lost(why string, answer *catalog.Answer, err error) error {
	return &catalog.Error{Kind: catalog.UnknownFate, Status: answer.Status, RequestID: answer.RequestID, Err: err,
		Message: q.call.About() + ": " + why + "; whether the agent acted is not known", Advice: q.call.Row.Verify}
}

// untrustedAnswer are the members of an answer that an agent wrote.
var untrustedAnswer = []string{"output_text", "output", "predictions", "custom_outputs", "trace"}

// result is the answer with its text first, and the ids that feedback needs.
func (q *agentQuery) result(answer *catalog.Answer, body []byte, partial string) []byte {
	clean := q.call.Projection().Append(nil, string(body)) // ids become texts, secrets go
	a := agentAnswer{gjson.ParseBytes(clean)}
	var o object
	o.text("endpoint_name", q.name)
	if served := answer.Header.Get("Served-Model-Name"); served != "" {
		o.text("served_entity_name", cutText(served, 200))
	}
	o.text("form", string(q.form))
	o.untrusted(untrustedAnswer...)
	room := q.s.budget / 4
	text, found := a.text()
	if found {
		n := fitting(text, q.s.budget/2)
		o.text("output_text", text[:n])
		if n < len(text) {
			o.integer("output_text_bytes", int64(len(text)))
			o.shortened("output_text is cut; a larger --max-result-tokens shows more.")
		}
	}
	for _, part := range a.parts(found) {
		o.raw(part.name, string(shorten([]byte(part.value), room)))
	}
	if id := a.Get("databricks_output.databricks_request_id").String(); id != "" {
		o.text("databricks_request_id", id)
	}
	if id := a.traceID(); id != "" {
		o.text("trace_id", id)
	}
	if trace := a.Get("databricks_output.trace"); trace.IsObject() {
		if q.full {
			o.raw("trace", string(shorten([]byte(trace.Raw), q.s.budget/2)))
		} else {
			o.raw("trace", traceSummary(trace))
		}
	}
	if partial != "" {
		o.boolean("incomplete", true)
		o.text("note", partial)
	}
	if q.form == rawForm && !found && len(a.parts(found)) == 0 {
		o.raw("predictions", string(shorten(clean, q.s.budget/2)))
	}
	return q.s.whole(o.bytes())
}

// kinds of an item of the responses form that are calls of tools.
func isToolCall(kind string) bool {
	return slices.Contains([]string{"function_call", "mcp_call", "mcp_approval_request", "web_search_call"}, kind)
}
