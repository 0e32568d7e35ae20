package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// deployed finds the served entity that a request for logs names.
func (s *serving) deployed(r *request) (*servedEntity, error) {
	e, err := s.named(r, "CAN_VIEW")
	if err != nil {
		return nil, err
	}
	d := e.entity(r.PathValue("served"))
	switch {
	case d == nil:
		return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Served model with name '"+r.PathValue("served")+"' does not exist in endpoint '"+e.name+"'.")
	case e.foundation() || d.External != nil:
		return nil, badArgument("Logs are not available for foundation models and external models.")
	}
	return d, nil
}

// logLine is one line of a container's log.
func logLine(at time.Time, text string) string {
	return at.UTC().Format("2006-01-02 15:04:05") + " " + text + "\n"
}

func (s *serving) buildLogs(r *request) (any, error) {
	d, err := s.deployed(r)
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	out.WriteString(logLine(d.begun, "Downloading the artifacts of model "+d.Entity+" version "+d.Version))
	if at := d.begun.Add(servingBuild / 2); !r.now.Before(at) {
		out.WriteString(logLine(at, "Collecting mlflow==3.1.1, databricks-agents==1.2.0"))
	}
	if at := d.begun.Add(servingBuild); !r.now.Before(at) {
		if d.lack != "" {
			out.WriteString(logLine(at, "ERROR "+d.lack))
		} else {
			out.WriteString(logLine(at, "Container image built and pushed"))
		}
	}
	return object{"logs": out.String()}, nil
}

func (s *serving) serverLogs(r *request) (any, error) {
	d, err := s.deployed(r)
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	switch up := d.begun.Add(servingBuild + servingStart); {
	case d.lack != "" || d.aborted || r.now.Before(d.begun.Add(servingBuild)):
		return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "There are no logs of served model '"+d.Name+"': it has not started.")
	default:
		out.WriteString(logLine(up.Add(-servingStart), "[INFO] Starting gunicorn 23.0.0"))
		if !r.now.Before(up) {
			out.WriteString(logLine(up, "[INFO] Listening at: http://0.0.0.0:8080"))
		}
		if d.used.After(up) {
			out.WriteString(logLine(d.used, "[INFO] POST /invocations"))
		}
	}
	return object{"logs": out.String()}, nil
}

// openAPI answers an OpenAPI document as text/plain, as the real one.
func (s *serving) openAPI(r *request) (any, error) {
	e, err := s.named(r, "CAN_VIEW")
	if err != nil {
		return nil, err
	}
	if e.config == nil || e.foundation() {
		return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "There is no schema of endpoint '"+e.name+"'.")
	}
	properties, required := object{}, []string{}
	list := func(name string) {
		properties[name] = object{"type": "array", "items": object{"type": "object"}}
		required = append(required, name)
	}
	switch e.task() {
	case taskResponses:
		list("input")
		properties["custom_inputs"], properties["stream"] = object{"type": "object"}, object{"type": "boolean"}
	case taskChatAgent, taskAgentChat, taskChat:
		list("messages")
		properties["stream"] = object{"type": "boolean"}
	default:
		list("dataframe_records")
	}
	content := func(schema object) object { return object{"application/json": object{"schema": schema}} }
	paths := object{}
	for _, d := range e.config.entities {
		paths["/served-models/"+d.Name+"/invocations"] = object{"post": object{
			"requestBody": object{"content": content(object{"type": "object", "properties": properties, "required": required})},
			"responses":   object{"200": object{"description": "Successful operation", "content": content(object{"type": "object"})}},
		}}
	}
	body, err := json.Marshal(object{
		"openapi": "3.1.0", "info": object{"title": e.name, "version": fmt.Sprint(e.config.version)},
		"servers": []object{{"url": r.base() + "/serving-endpoints/" + e.name}}, "paths": paths,
	})
	return r.text(body, err)
}

// metrics answers Prometheus' text form.
func (s *serving) metrics(r *request) (any, error) {
	e, err := s.named(r, "CAN_VIEW")
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	if e.config != nil {
		for _, name := range []string{"cpu_usage_percentage", "mem_usage_percentage", "request_count_total", "request_4xx_count_total", "request_5xx_count_total"} {
			fmt.Fprintf(&out, "# TYPE %s gauge\n", name)
			for _, d := range e.config.entities {
				value := 0
				if strings.HasSuffix(name, "percentage") && !d.asleep(r.now) {
					value = 12
				}
				fmt.Fprintf(&out, "%s{endpoint_name=%q,served_entity_name=%q} %d\n", name, e.name, d.Name, value)
			}
		}
	}
	return r.text([]byte(out.String()), nil)
}

// text answers text/plain.
func (r *request) text(body []byte, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	r.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	r.w.WriteHeader(http.StatusOK)
	_, _ = r.w.Write(body) // a client that went away is no fault of ours
	return nil, errWritten
}
