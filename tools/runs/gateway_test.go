package runs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// gateway is a Supervisor API made of prepared answers: those of a kind of call are
// given in turn, the last one again and again.
type gateway struct {
	mu      sync.Mutex
	answers map[string][]answer // by row name
	calls   []*catalog.Call
}

// answer is a body, an error, or a stream.
type answer struct {
	body   string
	err    *catalog.Error
	stream io.ReadCloser
}

func (g *gateway) Do(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls = append(g.calls, call)
	name := call.Row.Name
	left := g.answers[name]
	if len(left) == 0 {
		return nil, &catalog.Error{Kind: catalog.Missing, Status: 404, MissingRoute: true, Message: name + " was not expected"}
	}
	if len(left) > 1 {
		g.answers[name] = left[1:]
	}
	a := left[0]
	switch {
	case a.err != nil:
		return nil, a.err
	case a.stream != nil:
		return &catalog.Answer{Status: 200, Stream: a.stream}, nil
	}
	return &catalog.Answer{Status: 200, Body: []byte(a.body)}, nil
}

// sent are the bodies of the calls of a row.
func (g *gateway) sent(row *catalog.Row) []gjson.Result {
	g.mu.Lock()
	defer g.mu.Unlock()
	var bodies []gjson.Result
	for _, call := range g.calls {
		if call.Row.Name == row.Name {
			bodies = append(bodies, gjson.ParseBytes(call.Body))
		}
	}
	return bodies
}

func (g *gateway) paths(row *catalog.Row) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var paths []string
	for _, call := range g.calls {
		if call.Row.Name == row.Name {
			paths = append(paths, call.Path)
		}
	}
	return paths
}

var (
	posts   = catalog.CreateResponse.Name
	gets    = catalog.GetResponse.Name
	cancels = catalog.CancelResponse.Name
)

var gatewayUser = Owner{Host: "https://dbc-1.example", User: "ana@example.com"}

// supervised is a runner on a gateway.
func supervised(dir string, g *gateway) *Runner {
	s := &Supervisor{API: g, Host: func() string { return "https://dbc-1.example" }}
	return &Runner{Registry: New(dir), Backend: func(string) (Backend, error) { return s, nil }}
}

func userSays(text string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"type":"message","role":"user","content":%q}`, text))
}

func task() Request {
	return Request{
		Model: "m-1", Instructions: "be brief", Input: []json.RawMessage{userSays("How many?")},
		Tools: []json.RawMessage{json.RawMessage(`{"type":"genie_space","genie_space":{"id":"s1","description":"orders"}}`), json.RawMessage(`{"type":"uc_connection","uc_connection":{"name":"web"}}`)},
	}
}

// response is a response object with these items.
func response(id, status string, items ...string) answer {
	return answer{body: fmt.Sprintf(`{"id":%q,"object":"response","status":%q,"output":[%s],"error":null,"incomplete_details":null,"usage":null}`, id, status, strings.Join(items, ","))}
}

func failing(kind catalog.Kind, status int, code, message string) answer {
	return answer{err: &catalog.Error{Kind: kind, Status: status, Code: code, Message: message}}
}

const (
	callItem   = `{"type":"function_call","id":"fc_1","call_id":"call_1","name":"genie_orders","arguments":"{}","status":"completed"}`
	outputItem = `{"type":"function_call_output","call_id":"call_1","output":"42"}`
	textItem1  = `{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"It is 42.","annotations":[]}]}`
	request1   = `{"type":"mcp_approval_request","id":"ask_1","name":"search","server_label":"web","arguments":"{\"query\": \"x\"}","status":"completed"}`
	request2   = `{"type":"mcp_approval_request","id":"ask_2","name":"fetch","server_label":"web","arguments":"not json","status":"completed"}`
)

func mustStart(t *testing.T, r *Runner, request Request) *Run {
	t.Helper()
	run, err := r.Start(t.Context(), gatewayUser, "", request)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func mustLook(t *testing.T, r *Runner, id string) *Run {
	t.Helper()
	run, looked, err := r.Look(t.Context(), gatewayUser, id)
	if err != nil || looked != nil {
		t.Fatal(looked, err)
	}
	return run
}

func checkRun(t *testing.T, run *Run, status Status, items int, text string) {
	t.Helper()
	if run.Status != status || len(run.Items) != items || run.OutputText() != text {
		t.Fatalf("status %s, %d items, text %q; want %s, %d, %q (error %+v)", run.Status, len(run.Items), run.OutputText(), status, items, text, run.Error)
	}
}

func checkError(t *testing.T, err error, kind catalog.Kind, parts ...string) {
	t.Helper()
	if err == nil || catalog.AsError(err).Kind != kind {
		t.Fatalf("error %v, want one of kind %s", err, kind)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %q", part, err)
		}
	}
}
