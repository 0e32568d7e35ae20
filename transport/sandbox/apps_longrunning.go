package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// The long-running agent server (contract supervisor.md, section 9.2).

func (as *apps) serveLongRunning() {
	only := func(method, path string, h handler) {
		as.serve(method, path, map[string]handler{appLongRunning: h})
	}
	only("POST", "/responses", as.respond)
	only("POST", "/invocations", as.respond)
	only("GET", "/responses/{id}", as.response)
	only("POST", "/responses/{id}/cancel", func(*request) (any, error) {
		return detail(http.StatusNotImplemented, "Cancelling a response is not implemented"), nil
	})
	only("GET", "/agent/info", func(r *request) (any, error) {
		return object{"name": r.PathValue("name"), "agent_api": "responses", "version": "1.0.0"}, nil
	})
	only("GET", "/health", func(*request) (any, error) { return object{"status": "healthy"}, nil })
}

func (as *apps) respond(r *request) (any, error) {
	var in struct {
		Input              json.RawMessage
		Background, Stream bool
	}
	if err := r.decode(&in); err != nil || in.Input == nil {
		return unprocessable("missing", "input", "Field required"), nil
	}
	if in.Background && magicWords(spoken(in.Input))["no-database"] {
		return detail(http.StatusNotImplemented, "Background mode needs a database"), nil
	}
	a := as.find(r.PathValue("name"))
	as.mu.Lock()
	as.made++
	t := as.newTask(r, a, "resp_"+bareUUID(fmt.Sprint("app response ", as.made, r.now.UnixNano()))[:24], in.Input)
	as.mu.Unlock()
	if in.Background {
		return object{
			"id": t.id, "object": "response", "created_at": t.created.Unix(), "status": "in_progress", "error": nil, "incomplete_details": nil,
			"output": []object{}, "metadata": object{},
		}, nil
	}
	<-t.done
	switch {
	case in.Stream:
		return nil, t.sendResponse(r, as.w, -1, false)
	case t.failed:
		return detail(http.StatusInternalServerError, "The agent failed"), nil
	}
	return object{"id": t.id, "object": "response", "created_at": t.created.Unix(), "status": "completed", "output": t.items, "metadata": object{}}, nil
}

func (as *apps) response(r *request) (any, error) {
	after, err := r.position("starting_after")
	streamed := r.URL.Query().Get("stream") == "true"
	switch {
	case err != nil:
		return detail(http.StatusUnprocessableEntity, err.Error()), nil
	case after >= 0 && !streamed:
		return detail(http.StatusBadRequest, "starting_after needs stream=true"), nil
	}
	t := as.task(r)
	switch {
	case t == nil:
		return detail(http.StatusNotFound, "Response "+r.PathValue("id")+" not found"), nil
	case streamed:
		return nil, t.sendResponse(r, as.w, after, true)
	}
	return t.responseAt(r.now), nil
}

// responseAt is the task as a response at a time.
func (t *agentTask) responseAt(now time.Time) object {
	body := object{
		"id": t.id, "object": "response", "created_at": t.created.Unix(), "status": "in_progress", "error": nil, "incomplete_details": nil,
		"attempt_number": 1, "metadata": object{"trace_id": "tr-" + bareUUID("trace of "+t.id)},
	}
	if t.magic["retried"] && now.Sub(t.created) > 2*time.Second { // the worker died and another took over
		body["attempt_number"] = 2
	}
	output := []object{}
	for i, item := range t.items {
		if !now.Before(t.due(i)) {
			output = append(output, item)
		}
	}
	body["output"] = output
	fail := func(code, text string) {
		body["status"], body["error"] = "failed", object{"message": text, "type": "server_error", "code": code}
	}
	switch {
	case !t.ended(now) && now.Sub(t.created) >= taskCap:
		fail("task_timeout", "Task exceeded 3600 seconds")
	case !t.ended(now):
	case t.failed:
		fail("task_failed", "The agent raised an exception")
	default:
		body["status"] = "completed"
	}
	return body
}

// sendResponse writes the frames of a task behind a sequence number, and the
// sentinel that a resumed stream begins with.
func (t *agentTask) sendResponse(r *request, w *Workspace, after int, paced bool) error {
	e := newEventStream(r.w)
	if after >= 0 {
		e.raw("response.resumed", object{"type": "response.resumed", "response_id": t.id, "starting_after": after})
	}
	send := func(number int, due time.Time, kind string, event object) bool {
		if number <= after {
			return true
		}
		if paced && !w.sleepUntil(r.Context(), due) {
			return false
		}
		event["type"], event["sequence_number"], event["response_id"] = kind, number, t.id
		e.raw(kind, event)
		return e.err == nil
	}
	for i, item := range t.items {
		if !send(i, t.due(i), "response.output_item.done", object{"output_index": i, "item": item}) {
			return errWritten
		}
	}
	end := t.due(t.steps)
	final := t.responseAt(end)
	if send(len(t.items), end, "response."+final["status"].(string), object{"response": final}) {
		e.write("data: [DONE]\n\n")
	}
	return errWritten
}
