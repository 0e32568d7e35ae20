package sandbox

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"brickmcp/transport/sandbox/engine"
)

// Stand-ins for the half an hour after which raw payloads are in their table,
// and for the hourly job that makes formatted rows of them.
const (
	payloadDelay   = 30 * time.Second
	formattedDelay = 90 * time.Second
)

// largestLogged is the most of a request or an answer that is logged.
const largestLogged = 1 << 20

// agentLogs fills inference tables: rows wait here until they are due, and
// whoever looks at the lakehouse brings them in first.
type agentLogs struct {
	w *Workspace

	mu    sync.Mutex // held while rows are loaded: who looks next finds them all
	queue []logRow   // in order of arrival, which for each table is that of due
}

type logRow struct {
	due     time.Time
	table   engine.Name
	columns []string
	owner   string
	cells   []any
}

// Columns of the tables, as in tableSeed (contract agents.md, section 6).
var (
	payloadColumns = []string{
		"request_date date Day of the request", "databricks_request_id string Id of the request", "client_request_id string Id that the client gave",
		"request_time timestamp Moment of the request, UTC", "status_code int HTTP status", "sampling_fraction double Share of requests logged",
		"execution_duration_ms bigint Time in the model", "request string Body of the request", "response string Body of the answer",
		"logging_error_codes array<string> Why something is missing", "served_entity_id string Served entity", "requester string Who asked",
	}
	requestLogColumns = []string{
		"client_request_id string Id that the client gave", "databricks_request_id string Id of the request", "date date Day of the request", "timestamp_ms bigint Epoch milliseconds",
		"timestamp timestamp Moment of the request, UTC", "status_code int HTTP status", "execution_time_ms bigint Time in the agent",
		"conversation_id string From databricks_options", "request string Last question", "response string Last answer",
		"request_raw string JSON", "response_raw string JSON", "trace string Trace, JSON", "sampling_fraction double Share of requests logged",
		"request_metadata map<string,string> Endpoint, model and version", "schema_version string Version of this table",
	}
	assessmentLogColumns = []string{
		"request_id string The request that is judged", "step_id string Step of the retrieval", "source struct<id:string,type:string,tags:map<string,string>> Who judged",
		"timestamp timestamp Moment of the feedback, UTC",
		"text_assessment struct<step_id:string,ratings:map<string,struct<value:string,double_value:double,rationale:string>>,free_text_comment:string,suggested_output:string> Of the answer",
		"retrieval_assessment struct<step_id:string,position:int,ratings:map<string,struct<value:string,double_value:double,rationale:string>>,free_text_comment:string> Of a document",
	}
)

func addAgentLogs(w *Workspace) error {
	a := &agentLogs{w: w}
	w.agentLogs = a
	w.lakehouse.arrivals = a.deliver
	return nil
}

// add queues a row.
func (a *agentLogs) add(row logRow) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue = append(a.queue, row)
}

// deliver loads what is due. Delivery is best effort: rows for a schema that is
// gone are lost.
func (a *agentLogs) deliver(ctx context.Context) {
	now := a.w.clock.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		return
	}
	var waiting []logRow
	var tables []logRow // the first row of each
	due := map[engine.Name][][]any{}
	for _, r := range a.queue {
		if now.Before(r.due) {
			waiting = append(waiting, r)
			continue
		}
		if due[r.table] == nil {
			tables = append(tables, r)
		}
		due[r.table] = append(due[r.table], r.cells)
	}
	a.queue = waiting
	ctx = context.WithoutCancel(ctx) // who looks may leave, the rows are for everybody
	for _, first := range tables {
		if a.ensure(first) == nil {
			_ = a.w.lakehouse.engine.Load(ctx, first.table, slices.Values(due[first.table]))
		}
	}
}

// ensure makes a table before its first row.
func (a *agentLogs) ensure(r logRow) error {
	catalog := sqlCatalog{a.w.lakehouse}
	if catalog.Table(r.table) != nil {
		return nil
	}
	return catalog.PutTable(r.owner, engine.Table{
		Name: r.table, ID: stableUUID("inference table " + r.table.String() + r.due.String()), Owner: r.owner, Columns: seedColumns(r.columns),
		Comment: "Requests and answers of a serving endpoint", CreatedAt: r.due, CreatedBy: r.owner, UpdatedAt: r.due,
	})
}

// record logs a request and its answer, where the endpoint has inference tables.
func (s *serving) record(in *invocation, status int, response object) {
	t := in.table
	if t == nil || !t.Enabled {
		return
	}
	answer, err := marshal(response)
	if err != nil {
		return // every answer was encoded once already
	}
	text := func(key string) any {
		if v, ok := in.request[key].(string); ok {
			return v
		}
		return nil
	}
	problems := []string{}
	var request, answered any = string(in.raw), string(answer)
	if len(in.raw) > largestLogged {
		request, problems = nil, append(problems, "MAX_REQUEST_SIZE_EXCEEDED")
	}
	if len(answer) > largestLogged {
		answered, problems = nil, append(problems, "MAX_RESPONSE_SIZE_EXCEEDED")
	}
	row := logRow{due: in.now.Add(payloadDelay), table: t.name("_payload"), columns: payloadColumns, owner: in.creator}
	row.cells = []any{
		in.now, in.requestID, text("client_request_id"), in.now, status, 1.0, in.took().Milliseconds(), request, answered, problems, in.entityID(), in.user.UserName,
	}
	s.w.agentLogs.add(row)
	if !in.formatted || in.entity.Name == feedbackModel {
		return
	}
	var conversation, trace any
	if options, ok := in.request["databricks_options"].(object); ok {
		conversation = options["conversation_id"]
	}
	if in.trace != nil {
		whole, _ := marshal(in.trace.whole())
		trace = string(whole)
	}
	question, _ := in.question()
	row.due, row.table, row.columns = in.now.Add(formattedDelay), t.name("_payload_request_logs"), requestLogColumns
	row.cells = []any{
		text("client_request_id"), in.requestID, in.now, in.now.UnixMilli(), in.now, status, in.took().Milliseconds(), conversation, question, answerText(response),
		request, answered, trace, 1.0, map[string]string{"endpoint_name": in.endpoint, "model_name": in.entity.Entity, "model_version": in.entity.Version}, "3",
	}
	if id, ok := conversation.(string); !ok || id == "" {
		row.cells[7] = nil
	}
	s.w.agentLogs.add(row)
}

// answerText is the text of a responses agent's answer; the only formatted logs
// of the sandbox are those of one.
func answerText(response object) any {
	items, _ := response["output"].([]object)
	if len(items) == 0 {
		return nil
	}
	content, _ := items[len(items)-1]["content"].([]object)
	if len(content) == 0 {
		return nil
	}
	return content[0]["text"]
}

func (in *invocation) entityID() string {
	return strings.ReplaceAll(stableUUID("served entity "+in.endpoint+" "+in.entity.Name), "-", "")
}

// took is how long the model needed, by the length of the question: the clock
// does not move while the sandbox thinks.
func (in *invocation) took() time.Duration {
	return time.Duration(640+3*(len(in.raw)%400)) * time.Millisecond
}

// assess turns a request to the feedback model into rows of the assessment
// logs, one per assessment. What has another form is lost without a word.
func (s *serving) assess(in *invocation) {
	if in.table == nil || !in.table.Enabled || !in.formatted {
		return
	}
	var body struct {
		Records []struct {
			Source    json.RawMessage   `json:"source"`
			RequestID string            `json:"request_id"`
			Text      []json.RawMessage `json:"text_assessments"`
			Retrieval []json.RawMessage `json:"retrieval_assessments"`
		} `json:"dataframe_records"`
	}
	if unmarshal(in.raw, &body) != nil {
		return
	}
	for _, r := range body.Records {
		row := logRow{due: in.now.Add(formattedDelay), table: in.table.name("_payload_assessment_logs"), columns: assessmentLogColumns, owner: in.creator}
		add := func(step string, text, retrieval any) {
			row.cells = []any{r.RequestID, orNull(step), orNull(string(r.Source)), in.now, text, retrieval}
			s.w.agentLogs.add(row)
		}
		for _, a := range r.Text {
			add("", string(a), nil)
		}
		for _, a := range r.Retrieval {
			var step struct {
				ID string `json:"step_id"`
			}
			_ = unmarshal(a, &step)
			add(step.ID, nil, string(a))
		}
	}
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
