package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// agentTask is one turn of an agent in an app. The items are set when done is
// closed, and stay as they are.
type agentTask struct {
	id      string
	app     *app
	user    *principal
	text    string
	magic   map[string]bool
	created time.Time
	begins  time.Time // after the turns of the same session before it
	input   string    // canonical JSON
	session string
	steps   int           // items there will be
	took    time.Duration // from begins, by the workspace's clock
	failed  bool
	done    chan struct{}

	items []object
}

const (
	taskQueue = time.Second
	taskStep  = time.Second // per item
	taskCap   = time.Hour   // of the long-running server
	mostTasks = 2000
)

// newTask makes a task and starts its work. Needs as.mu held.
func (as *apps) newTask(r *request, a *app, id string, input json.RawMessage) *agentTask {
	text := spoken(input)
	t := &agentTask{id: id, app: a, user: r.user, text: text, magic: magicWords(text), created: r.now, begins: r.now.Add(taskQueue), input: canonical(input), done: make(chan struct{})}
	t.steps, t.failed = 3, t.magic["fail"]
	if t.failed {
		t.steps = 2
	}
	t.took = time.Duration(t.steps) * taskStep
	switch {
	case t.magic["slow"]:
		t.took *= 60
	case t.magic["stuck"]:
		t.took = 2 * taskCap
	}
	key := [2]string{a.name, id}
	as.tasks[key], as.order = t, append(as.order, key)
	if len(as.order) > mostTasks {
		delete(as.tasks, as.order[0])
		as.order = as.order[1:]
	}
	as.w.supervisor.work.Go(func() {
		defer close(t.done)
		as.perform(as.w.supervisor.all, t)
	})
	return t
}

// perform is the agent: one call of a tool and an answer.
func (as *apps) perform(ctx context.Context, t *agentTask) {
	callID := "call_" + bareUUID("task " + t.app.name + " " + t.id)[:12]
	arguments, err := json.Marshal(object{"query": t.text})
	if err != nil {
		panic(err) // a string always encodes
	}
	text, err := as.ask(ctx, t.app, t.user, t.text)
	if err != nil {
		text = "Error: " + err.Error()
	}
	t.items = []object{
		{"type": "function_call", "id": "fc_" + callID, "call_id": callID, "name": "query_data", "arguments": string(arguments), "status": "completed"},
		{"type": "function_call_output", "call_id": callID, "output": text},
	}
	if !t.failed {
		t.items = append(t.items, object{
			"type": "message", "id": "msg_" + callID, "role": "assistant", "status": "completed",
			"content": []any{object{"type": "output_text", "text": text, "annotations": []any{}}},
		})
	}
}

// canonical makes equal JSON texts the same text.
func canonical(text json.RawMessage) string {
	var v any
	if unmarshal(text, &v) != nil {
		return string(text)
	}
	body, err := json.Marshal(v)
	if err != nil {
		return string(text)
	}
	return string(body)
}

// task looks up a task of the caller.
func (as *apps) task(r *request) *agentTask {
	as.mu.Lock()
	t := as.tasks[[2]string{r.PathValue("name"), r.PathValue("id")}]
	as.mu.Unlock()
	if t == nil || t.user.ID != r.user.ID {
		return nil
	}
	select {
	case <-t.done:
	case <-r.Context().Done():
	}
	return t
}

// due is when item i is ready; the end comes with the last one.
func (t *agentTask) due(i int) time.Time {
	return t.begins.Add(t.took * time.Duration(min(i+1, t.steps)) / time.Duration(t.steps))
}

// ended says whether the task is over at a time.
func (t *agentTask) ended(now time.Time) bool { return !now.Before(t.due(t.steps)) }

// readSession checks the session header: required, once, and one plain value.
func readSession(r *request, required bool) (string, string) {
	values := r.Header.Values("X-Databricks-Session-Id")
	switch {
	case len(values) == 0 && !required:
		return "", ""
	case len(values) != 1:
		return "", "X-Databricks-Session-Id must be given exactly once"
	}
	v := values[0]
	if v == "" || v[0] == ' ' || v[len(v)-1] == ' ' {
		return "", "X-Databricks-Session-Id must not be blank or have spaces at its ends"
	}
	for i := range len(v) {
		if v[i] == ',' || v[i] < ' ' || v[i] == 0x7f {
			return "", "X-Databricks-Session-Id must not have commas or control characters"
		}
	}
	return v, ""
}

// position reads a sequence number from the query.
func (r *request) position(name string) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return -1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s must be a whole number", name)
	}
	return n, nil
}
