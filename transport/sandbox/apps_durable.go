package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// AgentKit's DurableAgentServer, and its preview, which spells some things
// otherwise (contract supervisor.md, section 9.1).

const invocations = "/api/invocations"

func (as *apps) serveDurable() {
	only := func(method, path string, h handler) {
		as.serve(method, path, map[string]handler{appDurable + " " + appPreview: h})
	}
	only("POST", invocations, as.invoke)
	only("GET", invocations+"/{id}", as.invocation)
	only("GET", invocations+"/{id}/events", as.events)
	as.serve("GET", "/{rest...}", nil)
	as.serve("POST", "/{rest...}", nil)
}

// unprocessable is a refusal in the words of the validation library.
func unprocessable(kind, field, text string) answer {
	return detail(http.StatusUnprocessableEntity, []object{{"type": kind, "loc": []string{"body", field}, "msg": text}})
}

func (as *apps) invoke(r *request) (any, error) {
	var raw map[string]json.RawMessage
	if err := r.decode(&raw); err != nil {
		return unprocessable("json_invalid", "", "JSON decode error"), nil
	}
	a := as.find(r.PathValue("name"))
	key, preview := "id", a.server == appPreview
	if preview {
		key = "run_id"
	}
	for field := range raw {
		switch field {
		case key, "input", "background", "stream":
		default:
			return unprocessable("extra_forbidden", field, "Extra inputs are not permitted"), nil
		}
	}
	var in struct {
		ID, RunID          string
		Background, Stream bool
	}
	for field, into := range map[string]any{key: &in.ID, "background": &in.Background, "stream": &in.Stream} {
		if v, ok := raw[field]; ok && json.Unmarshal(v, into) != nil {
			return unprocessable("type_error", field, "Input has the wrong type"), nil
		}
	}
	input := raw["input"]
	if input == nil {
		input = json.RawMessage("[]")
	}
	session, problem := readSession(r, !preview)
	switch {
	case problem != "":
		return detail(http.StatusUnprocessableEntity, problem), nil
	case !preview && !isUUID(in.ID):
		return unprocessable("uuid_parsing", key, "Input should be a valid UUID"), nil
	}
	if refused, ok := userTools(magicWords(spoken(input))); ok {
		return refused, nil
	}
	t, conflict := as.begin(r, a, in.ID, session, input)
	if conflict {
		return detail(http.StatusConflict, key+" is already used with another input or session"), nil
	}
	status := t.status(r.now, preview)
	body := object{key: t.id, "status": status}
	if in.Background {
		if status == "queued" || status == "active" {
			body["status_url"] = invocations + "/" + t.id
		}
		if in.Stream {
			body["events_url"] = invocations + "/" + t.id + "/events"
		}
		if preview {
			body["status"] = "in_progress"
		}
		return answer{http.StatusAccepted, body}, nil
	}
	<-t.done
	switch {
	case in.Stream:
		return nil, t.sendEvents(r, as.w, -1, false)
	case t.failed:
		return detail(http.StatusInternalServerError, "agent invocation failed"), nil
	}
	return object{key: t.id, "status": "completed", "output": t.items}, nil
}

// begin finds the task of a key, or makes it. The same key with another input
// or in another session is a conflict.
func (as *apps) begin(r *request, a *app, id, session string, input json.RawMessage) (t *agentTask, conflict bool) {
	as.mu.Lock()
	defer as.mu.Unlock()
	if id == "" {
		as.made++
		id = "inv_" + bareUUID(fmt.Sprint("invocation ", as.made, r.now.UnixNano()))[:24]
	}
	if t = as.tasks[[2]string{a.name, id}]; t != nil {
		return t, t.input != canonical(input) || t.session != session || t.user.ID != r.user.ID
	}
	t = as.newTask(r, a, id, input)
	t.session = session
	if session == "" {
		return t, false
	}
	for _, other := range as.tasks { // turns of one session run one after another
		if other != t && other.app == a && other.session == session && other.user.ID == r.user.ID {
			if end := other.due(other.steps); end.After(t.begins) {
				t.begins = end
			}
		}
	}
	return t, false
}

// userTools are the answers of an agent whose tools act for the user.
func userTools(magic map[string]bool) (answer, bool) {
	refuse := func(status int, code string) (answer, bool) {
		return answer{status, object{"error": object{"code": code, "message": "The tools of this agent act for the user.", "integration_id": "github"}}}, true
	}
	switch {
	case magic["user-auth"]:
		return refuse(http.StatusUnauthorized, "MCP_USER_AUTH_REQUIRED")
	case magic["user-denied"]:
		return refuse(http.StatusForbidden, "MCP_PERMISSION_DENIED")
	case magic["user-recovery"]:
		return refuse(http.StatusInternalServerError, "MCP_USER_AUTH_RECOVERY_UNSUPPORTED")
	}
	return answer{}, false
}

func isUUID(text string) bool {
	return len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' &&
		strings.Trim(strings.ToLower(text), "0123456789abcdef-") == ""
}

func (t *agentTask) status(now time.Time, preview bool) string {
	<-t.done
	switch {
	case now.Before(t.begins) && !preview:
		return "queued"
	case !t.ended(now) && !preview:
		return "active"
	case !t.ended(now):
		return "in_progress"
	case t.failed:
		return "failed"
	}
	return "completed"
}

func (as *apps) invocation(r *request) (any, error) {
	t := as.task(r)
	if t == nil {
		return detail(http.StatusNotFound, "invocation not found"), nil
	}
	preview, key := t.app.server == appPreview, "id"
	if preview {
		key = "run_id"
	}
	body := object{key: t.id, "status": t.status(r.now, preview)}
	switch body["status"] {
	case "completed":
		body["output"] = t.items
	case "failed":
		body["error"] = "agent invocation failed"
	}
	return body, nil
}

func (as *apps) events(r *request) (any, error) {
	t := as.task(r)
	if t == nil {
		return detail(http.StatusNotFound, "invocation not found"), nil
	}
	after, err := r.position("after")
	if err != nil {
		return detail(http.StatusUnprocessableEntity, err.Error()), nil
	}
	return nil, t.sendEvents(r, as.w, after, true)
}

// sendEvents writes the events of a task behind a sequence number. A paced
// stream waits for the workspace's clock.
func (t *agentTask) sendEvents(r *request, w *Workspace, after int, paced bool) error {
	e := newEventStream(r.w)
	number := 0
	send := func(due time.Time, kind string, event object) bool {
		number++
		if number <= after {
			return true
		}
		if paced && !w.sleepUntil(r.Context(), due) {
			return false
		}
		event["type"] = kind
		e.write("id: " + strconv.Itoa(number) + "\n")
		e.raw(kind, event)
		return e.err == nil
	}
	if !send(t.begins, "run.started", object{"id": t.id}) {
		return errWritten
	}
	for i, item := range t.items {
		if !send(t.due(i), "response.output_item.done", object{"item": item}) {
			return errWritten
		}
		if i == 0 && t.magic["lookalike"] && !send(t.due(i), "run.completed", object{"note": "an event of the agent's own"}) {
			return errWritten
		}
	}
	end := "run.completed"
	if t.failed {
		end = "run.failed"
	}
	if send(t.due(t.steps), end, object{"id": t.id}) && t.app.server == appPreview {
		e.write("data: [DONE]\n\n")
	}
	return errWritten
}
