package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	largestAgentRequest = 4 << 20  // agents, foundation and external models
	largestModelRequest = 16 << 20 // custom models
)

// invocation is one request to a served entity.
type invocation struct {
	endpoint, creator string
	entity            servedEntity
	task              string
	table             *inferenceTable
	formatted         bool
	request           object
	raw               []byte
	user              *principal
	now               time.Time
	number            int
	requestID         string // databricks_request_id
	trace             *trace
}

func (s *serving) addQueryRoutes() {
	w := s.w
	w.on("POST /serving-endpoints/{name}/invocations", func(r *request) (any, error) {
		return s.invoke(r, r.PathValue("name"), "", nil)
	})
	w.on("POST /serving-endpoints/{name}/served-models/{served}/invocations", func(r *request) (any, error) {
		return s.invoke(r, r.PathValue("name"), r.PathValue("served"), nil)
	})
	for path, tasks := range map[string][]string{
		"responses":        {taskResponses},
		"chat/completions": {taskChat, taskAgentChat, taskChatAgent},
		"embeddings":       {taskEmbeddings},
	} {
		w.on("POST /serving-endpoints/"+path, func(r *request) (any, error) { return s.invoke(r, "", "", tasks) })
	}
}

// invoke answers a request. Without a name the body's model is the endpoint,
// which must then have one of the tasks, as the OpenAI clients call it.
func (s *serving) invoke(r *request, name, served string, tasks []string) (any, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(r.w, r.Body, largestModelRequest))
	if err != nil {
		return nil, requestTooLarge(largestModelRequest)
	}
	var body object
	malformed := unmarshal(raw, &body)
	if name == "" {
		if malformed != nil {
			return nil, failure(http.StatusBadRequest, "BAD_REQUEST", malformed.Error())
		}
		if name, _ = body["model"].(string); name == "" {
			return nil, failure(http.StatusBadRequest, "BAD_REQUEST", "Missing required field: model")
		}
	}
	in, err := s.accept(r, name, served, tasks, len(raw))
	if err != nil {
		return nil, err
	}
	r.w.Header().Set("served-model-name", in.entity.Name)
	if malformed != nil || body == nil {
		return nil, failure(http.StatusBadRequest, "BAD_REQUEST", "Failed to parse the request body as a JSON object. Ensure that it is valid JSON.")
	}
	in.request, in.raw = body, raw
	given, err := s.answer(r.Context(), in)
	stream, _ := body["stream"].(bool)
	if stream && given != nil && in.task != "" && in.task != taskEmbeddings {
		s.record(in, http.StatusOK, given.whole(in))
		return nil, given.stream(r, in)
	}
	if err != nil {
		var api *apiError
		if errors.As(err, &api) {
			s.record(in, api.status, object{"error_code": api.code, "message": api.message})
		}
		return nil, err
	}
	whole := given.whole(in)
	s.record(in, http.StatusOK, whole)
	return whole, nil
}

func requestTooLarge(limit int) *apiError {
	return failure(http.StatusRequestEntityTooLarge, "BAD_REQUEST", fmt.Sprintf("Request size cannot exceed %d bytes.", limit))
}

// accept finds what serves a request and does all that comes before the model:
// permission, size, rate limits, a replica that must start first.
func (s *serving) accept(r *request, name, served string, tasks []string, size int) (*invocation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.permitted(r, name, "CAN_QUERY")
	if err != nil {
		return nil, err
	}
	if e.config == nil {
		return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "The endpoint '"+e.name+"' is not ready: nothing is deployed on it yet.")
	}
	task := e.task()
	if tasks != nil && !slices.Contains(tasks, task) {
		return nil, failure(http.StatusBadRequest, "BAD_REQUEST", fmt.Sprintf("The endpoint '%s' has task '%s', which this API does not serve. Use /serving-endpoints/%s/invocations.", e.name, task, e.name))
	}
	if task != "" && size > largestAgentRequest {
		return nil, requestTooLarge(largestAgentRequest)
	}
	s.asked++
	d := e.config.pick(s.asked)
	if served != "" {
		if d = e.config.named(served); d == nil {
			return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Served model with name '"+served+"' does not exist in endpoint '"+e.name+"'.")
		}
	}
	if err := e.meter(r.user, r.now); err != nil {
		return nil, err
	}
	if !d.wake(r.now) {
		return nil, failure(http.StatusServiceUnavailable, "TEMPORARILY_UNAVAILABLE", "The served entity '"+d.Name+"' is scaled to zero and is starting. Please try again later.")
	}
	in := &invocation{
		endpoint: e.name, creator: e.creator, entity: *d, task: d.model.task, table: e.readGateway().Table, formatted: e.formatted,
		user: r.user, now: r.now, number: s.asked, requestID: stableUUID("serving request " + strconv.Itoa(s.asked)),
	}
	if e.external != "" {
		in.task = e.external
	}
	if d.Environment["MLFLOW_EXPERIMENT_ID"] != "" { // real-time tracing: the trace's id is the request's
		in.requestID = "tr-" + strings.ReplaceAll(in.requestID, "-", "")
	}
	return in, nil
}

func (c *servingConfig) named(name string) *servedEntity {
	for _, d := range c.entities {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// pick spreads the n-th request over the routes: of a hundred in a row each
// gets its percentage.
func (c *servingConfig) pick(n int) *servedEntity {
	at := n * 61 % 100 // 61 has no factor in common with 100
	for _, r := range c.routes {
		if at -= r.Percent; at < 0 {
			return c.named(r.Entity)
		}
	}
	return c.entities[0]
}

// stream sends the answer as server-sent events.
func (p *modelAnswer) stream(r *request, in *invocation) error {
	r.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	control := http.NewResponseController(r.w)
	for _, event := range p.events(in) {
		body, err := marshal(event)
		if err != nil {
			return err
		}
		if _, err := r.w.Write(append(append([]byte("data: "), body...), "\n\n"...)); err != nil || r.Context().Err() != nil {
			return errWritten // the client went away
		}
		_ = control.Flush()
	}
	if p.broken == nil {
		_, _ = io.WriteString(r.w, "data: [DONE]\n\n")
	}
	return errWritten
}

// marshal is JSON on one line, with <, > and & as they are: texts of agents are
// long enough.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	e := jsonEncoder(&out)
	err := e.Encode(v)
	return bytes.TrimRight(out.Bytes(), "\n"), err
}
