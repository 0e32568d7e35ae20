package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"brickmcp/transport/sandbox/engine"
)

// scopesOf are the scopes of the token of a request; nil: it is not limited.
func (p *people) scopesOf(r *http.Request) []string {
	_, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.tokens[bearer].scopes)
}

// traceParent is the trace id of a W3C traceparent header, "" if it is not one.
func traceParent(header string) string {
	parts := strings.Split(header, "-")
	if len(parts) < 4 || len(parts[0]) != 2 || len(parts[1]) != 32 || len(parts[2]) != 16 || strings.Trim(parts[1], "0") == "" ||
		strings.Trim(parts[1]+parts[2], "0123456789abcdef") != "" {
		return ""
	}
	return parts[1]
}

// spanTable is the table that traces go to.
func (in *responsesRequest) spanTable() engine.Name {
	d := in.Destination
	name := "otel_spans"
	if d.Prefix != "" {
		name = d.Prefix + "_" + name
	}
	return engine.Name{Catalog: strings.ToLower(d.Catalog), Schema: strings.ToLower(d.Schema), Table: strings.ToLower(name)}
}

// mayTrace checks the destination before the run starts.
func (s *supervisor) mayTrace(user *principal, in *responsesRequest) error {
	n, l := in.spanTable(), s.w.lakehouse
	for _, part := range []string{n.Catalog, n.Schema, n.Table} {
		if strings.ContainsAny(part, "`. /") {
			return badArgument("Invalid trace_destination: '" + part + "' is not a valid name.")
		}
	}
	l.ready()
	l.mu.RLock()
	defer l.mu.RUnlock()
	schema, err := l.find(kindSchema, n.Catalog+"."+n.Schema)
	if err != nil {
		return badArgument("Invalid trace_destination: " + err.(*apiError).message)
	}
	if table := schema.child(kindTable, n.Table); table != nil {
		return need(user, table, "MODIFY")
	}
	return need(user, schema, "CREATE_TABLE")
}

// traceSpan is one step of a run in its trace.
type traceSpan struct {
	id, name   string
	start, end time.Time
	attributes string // JSON
}

func (run *agentRun) spans() []traceSpan {
	at := run.created.Add(queueing)
	all := []traceSpan{{bareUUID("root " + run.id)[:16], "supervisor", run.created, at.Add(run.duration()), `{"mlflow.spanType":"AGENT"}`}}
	for i, st := range run.steps {
		name := textOf(st.item, "name")
		if name == "" {
			name = textOf(st.item, "type")
		}
		attributes, err := json.Marshal(object{"mlflow.spanType": "TOOL", "item": textOf(st.item, "type"), "call_id": textOf(st.item, "call_id")})
		if err != nil {
			panic(err) // strings always encode
		}
		all = append(all, traceSpan{bareUUID(fmt.Sprint("span ", run.id, i))[:16], name, at, at.Add(st.took), string(attributes)})
		at = at.Add(st.took)
	}
	return all
}

// writeTrace names the trace and appends its spans to the table of the
// destination, which it makes when it is not there.
func (s *supervisor) writeTrace(ctx context.Context, run *agentRun) {
	run.trace = "tr-" + run.otel
	if run.in.Destination == nil {
		return
	}
	n := run.in.spanTable()
	place := n.Catalog + "." + n.Schema
	if run.in.Destination.Prefix != "" {
		place += "." + run.in.Destination.Prefix
	}
	run.trace = "trace:/" + place + "/" + run.otel
	quoted := fmt.Sprintf("`%s`.`%s`.`%s`", n.Catalog, n.Schema, n.Table)
	_, err := s.w.lakehouse.query(ctx, run.user, "CREATE TABLE IF NOT EXISTS "+quoted+
		" (trace_id STRING, span_id STRING, parent_span_id STRING, name STRING, start_time TIMESTAMP, end_time TIMESTAMP, attributes STRING)")
	if err != nil {
		return // the answer does not depend on its trace
	}
	spans := run.spans()
	_ = s.w.lakehouse.engine.Load(ctx, n, func(yield func([]any) bool) {
		for i, sp := range spans {
			var parent any
			if i > 0 {
				parent = spans[0].id
			}
			if !yield([]any{run.otel, sp.id, parent, sp.name, sp.start.UTC(), sp.end.UTC(), sp.attributes}) {
				return
			}
		}
	})
}

// traceObject is the trace as it comes with the answer.
func (run *agentRun) traceObject() object {
	spans := run.spans()
	var data []object
	for i, sp := range spans {
		var parent any
		if i > 0 {
			parent = spans[0].id
		}
		data = append(data, object{
			"trace_id": run.otel, "span_id": sp.id, "parent_span_id": parent, "name": sp.name,
			"start_time_unix_nano": sp.start.UnixNano(), "end_time_unix_nano": sp.end.UnixNano(), "status": object{"code": "STATUS_CODE_OK"},
			"attributes": json.RawMessage(sp.attributes),
		})
	}
	return object{
		"info": object{"trace_id": run.trace, "request_time": run.created.UTC().Format(time.RFC3339Nano), "execution_duration": run.duration().String(), "state": "OK"},
		"data": object{"spans": data},
	}
}
