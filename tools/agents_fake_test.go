package tools

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// agentHost is a fake workspace of serving endpoints: a request is answered by its
// method and path, or by a key that ends in a slash. What is not there is missing.
type agentHost struct {
	*fake
	answers map[string]string
	errors  map[string]*catalog.Error
	header  http.Header
	stream  string // body of a streamed answer
}

func newAgentHost(answers map[string]string) *agentHost {
	h := &agentHost{fake: &fake{}, answers: answers, errors: map[string]*catalog.Error{}, header: http.Header{}}
	h.do = func(_ context.Context, call *catalog.Call) (string, error) {
		line := call.Row.Method + " " + call.Path
		if key, ok := matching(h.errors, line); ok {
			failure := *h.errors[key]
			failure.Message = call.About() + ": " + failure.Message
			return "", &failure
		}
		key, ok := matching(h.answers, line)
		if !ok {
			return "", &catalog.Error{Kind: catalog.Missing, Message: call.About() + ": it does not exist", Advice: "Look.", Status: 404}
		}
		return h.answers[key], nil
	}
	return h
}

// matching is the key that is the line, or the longest one ending in a slash that the
// line begins with.
func matching[V any](keys map[string]V, line string) (best string, ok bool) {
	if _, exact := keys[line]; exact {
		return line, true
	}
	for key := range keys {
		if strings.HasSuffix(key, "/") && strings.HasPrefix(line, key) && len(key) > len(best) {
			best = key
		}
	}
	return best, best != ""
}

// Do adds the headers, and opens the answer to a call that streams.
func (h *agentHost) Do(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
	answer, err := h.fake.Do(ctx, call)
	if err != nil {
		return nil, err
	}
	answer.Header = h.header
	if call.Stream {
		answer.Stream, answer.Body = opened(h.stream), nil
	}
	return answer, nil
}

func (h *agentHost) server(t testing.TB, change func(*Config)) *Server {
	t.Helper()
	access, err := ParseAccess("full")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Version: "test", Access: access, Workspaces: []Workspace{{
		API: h, Links: h.fake, Host: func() string { return "dbc-1.cloud.databricks.com" },
		Identify: func(context.Context) (Identity, error) { return Identity{User: "ana@example.com"}, nil },
	}}}
	if change != nil {
		change(&cfg)
	}
	return New(cfg)
}

// sent are the requests that change something, in order.
func (h *agentHost) sent() []string {
	var writes []string
	for _, line := range h.seen() {
		if !strings.HasPrefix(line, "GET ") {
			writes = append(writes, line)
		}
	}
	return writes
}

// body is the JSON of the write that begins so.
func (h *agentHost) body(t testing.TB, prefix string) gjson.Result {
	t.Helper()
	for _, line := range h.sent() {
		if rest, ok := strings.CutPrefix(line, prefix+" "); ok {
			if !json.Valid([]byte(rest)) {
				t.Fatalf("%s: no JSON: %s", prefix, rest)
			}
			return gjson.Parse(rest)
		}
	}
	t.Fatalf("no request %s; sent were %q", prefix, h.sent())
	return gjson.Result{}
}

const (
	endpointsPath = "GET /api/2.0/serving-endpoints"
	botPath       = endpointsPath + "/agents_main-rag-bot"
	versionPath   = "GET /api/2.1/unity-catalog/models/main.rag.bot/versions/"
	tablesPath    = "GET /api/2.1/unity-catalog/tables/"
)

// served is an entity of an endpoint's configuration.
func servedJSON(name, model, version, state string) string {
	return `{"name":"` + name + `","entity_name":"` + model + `","entity_version":"` + version + `","workload_size":"Small","scale_to_zero_enabled":true,` +
		`"environment_vars":{"KEY":"plain"},"creator":"x","creation_timestamp":1,"state":{"deployment":"` + state + `","deployment_state_message":""}}`
}

// botJSON is the endpoint of main.rag.bot with these entities and routes.
func botJSON(ready, update, entities, routes string) string {
	return `{"name":"agents_main-rag-bot","id":"e1","task":"agent/v1/responses","state":{"ready":"` + ready + `","config_update":"` + update + `"},` +
		`"config":{"served_entities":[` + entities + `],"traffic_config":{"routes":[` + routes + `]}},"tags":[{"key":"a","value":"b"}],"creator":"ana@example.com",` +
		`"ai_gateway":{"inference_table_config":{"enabled":true,"catalog_name":"main","schema_name":"rag","table_name_prefix":"bot"}}}`
}

func route(name, percent string) string {
	return `{"served_model_name":"` + name + `","traffic_percentage":` + percent + `}`
}

// twoVersions is the endpoint with versions 1 and 2, and a feedback model.
func twoVersions() string {
	return botJSON("READY", "NOT_UPDATING",
		servedJSON("main-rag-bot_1", "main.rag.bot", "1", "DEPLOYMENT_READY")+","+servedJSON("main-rag-bot_2", "main.rag.bot", "2", "DEPLOYMENT_READY")+","+servedJSON("feedback", "main.rag.feedback", "1", "DEPLOYMENT_READY"),
		route("main-rag-bot_1", "0")+","+route("main-rag-bot_2", "100")+","+route("feedback", "0"))
}

func opened(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }
