package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// mlflow keeps the experiments that agents trace into, and the traces (contract
// agents.md, section 5.2, and more.md, section D).
type mlflow struct {
	mu          sync.Mutex // held by every handler
	experiments []*experiment
	traces      []*trace // the newest; maxTraces at most
	made        int      // assessments
}

// maxTraces bounds what a long session keeps.
const maxTraces = 500

// Ids of what is seeded.
const (
	supportExperiment = "3081744920516837"
	churnExperiment   = "3081744920517002"
	supportRun        = "a41f6d0b9c2e4e5f8a7b6c5d4e3f2a1b"
	churnRun          = "b52a7e1cad3f4f60ab8c7d6e5f4a3b2c"
)

type experiment struct {
	id, name string
	acl      acl
	runs     []string
}

// trace is one call of an agent.
type trace struct {
	id, experiment    string
	endpoint          string
	at                time.Time
	took              time.Duration
	state             string
	request, response string // previews
	spans             []object
	assessments       []object
}

func addMLflow(w *Workspace) error {
	m := &mlflow{experiments: []*experiment{
		{supportExperiment, "/Users/ana@example.com/support_bot", acl{anaName: "CAN_MANAGE", "analysts": "CAN_EDIT"}, []string{supportRun, "6d1b0c4f8e2a4b7d9c3e5f7081a2b3c4"}},
		{churnExperiment, "/Users/ana@example.com/churn", acl{anaName: "CAN_MANAGE", "data-engineers": "CAN_READ"}, []string{churnRun}},
	}}
	w.mlflow = m
	on := func(pattern string, h handler) { w.on(pattern, locked(&m.mu, h)) }
	on("GET /api/2.0/mlflow/experiments/get", m.getExperiment)
	on("GET /api/2.0/mlflow/experiments/get-by-name", m.getExperiment)
	on("GET /api/2.0/mlflow/runs/get", m.getRun)
	const one = "/api/3.0/mlflow/traces/{trace}"
	on("GET "+one, m.getTrace)
	on("POST "+one+"/assessments", m.createAssessment)
	on("GET "+one+"/assessments/{id}", m.getAssessment)
	on("PATCH "+one+"/assessments/{id}", m.updateAssessment)
	on("DELETE "+one+"/assessments/{id}", m.deleteAssessment)
	return nil
}

// experiment finds one by id, for a user with a level on it.
func (m *mlflow) experiment(user *principal, match func(*experiment) bool, named, level string) (*experiment, error) {
	i := slices.IndexFunc(m.experiments, match)
	if i < 0 {
		return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "No experiment was found with "+named+".")
	}
	e := m.experiments[i]
	if !e.acl.allows(user, "experiments", level) {
		return nil, denied(fmt.Sprintf("User %s does not have %s permission on the experiment %s.", user.UserName, level, e.id))
	}
	return e, nil
}

func (m *mlflow) getExperiment(r *request) (any, error) {
	id, name := r.URL.Query().Get("experiment_id"), r.URL.Query().Get("experiment_name")
	e, err := m.experiment(r.user, func(e *experiment) bool { return e.id == id || name != "" && e.name == name }, "id or name "+id+name, "CAN_READ")
	if err != nil {
		return nil, err
	}
	return object{"experiment": object{
		"experiment_id": e.id, "name": e.name, "artifact_location": "dbfs:/databricks/mlflow-tracking/" + e.id, "lifecycle_stage": "active",
		"creation_time": seeded.UnixMilli(), "last_update_time": seeded.UnixMilli(),
	}}, nil
}

func (m *mlflow) getRun(r *request) (any, error) {
	id := r.URL.Query().Get("run_id")
	for _, e := range m.experiments {
		if !slices.Contains(e.runs, id) {
			continue
		}
		if !e.acl.allows(r.user, "experiments", "CAN_READ") {
			break
		}
		return object{"run": object{
			"info": object{
				"run_id": id, "run_uuid": id, "run_name": "log_model", "experiment_id": e.id, "status": "FINISHED", "lifecycle_stage": "active", "user_id": anaName,
				"start_time": seeded.UnixMilli(), "end_time": seeded.Add(time.Minute).UnixMilli(), "artifact_uri": "dbfs:/databricks/mlflow-tracking/" + e.id + "/" + id + "/artifacts",
			},
			"data": object{},
		}}, nil
	}
	return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Run with id="+id+" not found")
}

// traced makes the trace of an invocation and, where the deployment traces into
// an experiment of the workspace, keeps it.
func (s *serving) traced(in *invocation, t turn, failed error) *trace {
	got := &trace{
		id: in.requestID, experiment: in.entity.Environment["MLFLOW_EXPERIMENT_ID"], endpoint: in.endpoint, at: in.now, took: in.took(), state: "OK",
		request: preview(t.question), response: preview(t.text),
	}
	status := object{"code": "STATUS_CODE_OK"}
	if failed != nil {
		got.state, got.response = "ERROR", ""
		status = object{"code": "STATUS_CODE_ERROR", "message": failed.Error()}
	}
	span := func(name, kind, parent string, from, to time.Time, inputs, outputs any) object {
		return object{
			"trace_id": got.id, "span_id": in.id("", name)[:16], "parent_span_id": orNull(parent), "name": name, "status": status,
			"start_time_unix_nano": from.UnixNano(), "end_time_unix_nano": to.UnixNano(),
			"attributes": object{"mlflow.spanType": kind, "mlflow.spanInputs": inputs, "mlflow.spanOutputs": outputs},
		}
	}
	got.spans = []object{span("predict", "AGENT", "", in.now, in.now.Add(got.took), t.question, t.text)}
	if t.tool != "" {
		got.spans = append(got.spans, span(t.tool, "TOOL", in.id("", "predict")[:16], in.now.Add(got.took/4), in.now.Add(got.took/2), t.arguments, t.output))
	}
	m := s.w.mlflow
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.ContainsFunc(m.experiments, func(e *experiment) bool { return e.id == got.experiment }) {
		m.traces = append(m.traces, got)
		if len(m.traces) > maxTraces {
			m.traces = slices.Delete(m.traces, 0, len(m.traces)-maxTraces)
		}
	}
	return got
}

// preview is as much of a text as a trace's info shows: 10 KB.
func preview(text string) string { return strings.ToValidUTF8(text[:min(len(text), 10_000)], "") }

// whole is the trace as databricks_output carries it.
func (t *trace) whole() object {
	info := t.info()
	delete(info, "assessments")
	return object{"info": info, "data": object{"spans": t.spans}}
}

func (t *trace) info() object {
	o := object{
		"trace_id": t.id, "request_time": stampText(t.at), "execution_duration": fmt.Sprintf("%.3fs", t.took.Seconds()), "state": t.state,
		"request_preview": t.request, "response_preview": t.response,
		"trace_metadata": object{"mlflow.trace_schema.version": "3", "mlflow.modelServing.endpointName": t.endpoint},
		"tags":           object{"mlflow.traceName": "predict"},
	}
	if t.experiment != "" {
		o["trace_location"] = object{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": object{"experiment_id": t.experiment}}
	}
	if len(t.assessments) > 0 {
		o["assessments"] = t.assessments
	}
	return o
}

// stampText is a time as MLflow's third API writes it.
func stampText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// find looks up the {trace} of the path for a user with a level on its
// experiment.
func (m *mlflow) find(r *request, level string) (*trace, error) {
	id := r.PathValue("trace")
	for _, t := range m.traces {
		if t.id == id {
			_, err := m.experiment(r.user, func(e *experiment) bool { return e.id == t.experiment }, "id "+t.experiment, level)
			return t, err
		}
	}
	return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Trace with ID '"+id+"' not found.")
}

func (m *mlflow) getTrace(r *request) (any, error) {
	t, err := m.find(r, "CAN_READ")
	if err != nil {
		return nil, err
	}
	return object{"trace": object{"trace_info": t.info()}}, nil
}
