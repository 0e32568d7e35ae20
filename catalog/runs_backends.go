package catalog

import "time"

// What runs of agents are made of beside the Supervisor API: agents on Databricks
// Apps, serving endpoints and Genie spaces (contract/supervisor.md section 9,
// agents.md section 4, genie.md). Runs join these calls in Go: none is a tool.

func runsBackendRows() []*Row {
	return []*Row{
		&GetApp.Row, &StartInvocation.Row, &StartPreviewInvocation.Row, &GetInvocation.Row, &InvocationEvents.Row,
		&StartAppResponse.Row, &GetAppResponse.Row, &CancelAppResponse.Row,
		&GetRunEndpoint.Row, &StreamEndpoint.Row,
		&StartConversation.Row, &AskGenie.Row, &GetGenieMessage.Row, &GetGenieResult.Row, &RunGenieQuery.Row,
	}
}

// AppName names a Databricks App.
type AppName struct {
	Name string `json:"name" jsonschema_description:"Name of the app"`
}

// App is where an app is and whether it runs. AppStatus.State is RUNNING, CRASHED,
// DEPLOYING or UNAVAILABLE; ComputeStatus.State is ACTIVE, STARTING, STOPPED and
// the like. Either may be absent.
type App struct {
	Name          string    `json:"name"`
	URL           string    `json:"url"`
	AppStatus     *AppState `json:"app_status"`
	ComputeStatus *AppState `json:"compute_status"`
}

// AppState is a state and the workspace's words about it.
type AppState struct {
	State   string `json:"state"`
	Message string `json:"message"`
}

// GetApp finds the URL of an app.
var GetApp = Define[AppName, App](Row{
	Name: "supervisor_get_app", Group: Supervisor, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.0/apps/{name}",
	Needs: "CAN_USE on the app", Object: "app {name}",
})

// InvocationRequest starts an invocation of a DurableAgentServer. The server
// refuses fields that it does not know; the session goes in a header.
type InvocationRequest struct {
	ID         string   `json:"id" jsonschema_description:"UUID: the idempotency key"`
	Input      []Object `json:"input,omitempty" jsonschema_description:"Items"`
	Background bool     `json:"background" jsonschema_description:"Answer at once"`
}

// Invocation is a state. Older previews name it by run_id and say in_progress for
// active. Output is whatever the agent made.
type Invocation struct {
	ID     string `json:"id"`
	RunID  string `json:"run_id"`
	Status string `json:"status"` // queued, active, completed, failed
	Output Raw    `json:"output"`
	Error  Raw    `json:"error"`
}

// StartInvocation is answered alike however often the same id, input and session
// are sent: a repeat is safe.
var StartInvocation = Define[InvocationRequest, Invocation](Row{
	Name: "supervisor_start_invocation", Group: Supervisor, Effect: Run, Inner: true,
	Method: "POST", Path: "/api/invocations", Token: "id",
	Needs: "CAN_USE on the app, and what its agent's tools need", Object: "invocation {id}",
	Verify: "Look at the run: it is asked for by the same id.",
})

// PreviewInvocationRequest is an InvocationRequest of the servers' previews.
type PreviewInvocationRequest struct {
	RunID      string   `json:"run_id" jsonschema_description:"UUID"`
	Input      []Object `json:"input,omitempty" jsonschema_description:"Items"`
	Background bool     `json:"background" jsonschema_description:"Answer at once"`
}

// StartPreviewInvocation is StartInvocation of a preview: whether it knows a repeat
// is not documented.
var StartPreviewInvocation = Define[PreviewInvocationRequest, Invocation](Row{
	Name: "supervisor_start_preview", Group: Supervisor, Effect: Run, Inner: true,
	Method: "POST", Path: "/api/invocations",
	Needs: "CAN_USE on the app, and what its agent's tools need", Object: "invocation {run_id}",
	Verify: "The agent may be at work: look at what it would have changed before starting it again.",
})

// InvocationName names an invocation.
type InvocationName struct {
	ID string `json:"id" jsonschema_description:"UUID"`
}

// GetInvocation polls an invocation.
var GetInvocation = Define[InvocationName, Invocation](Row{
	Name: "supervisor_get_invocation", Group: Supervisor, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/invocations/{id}",
	Needs: "CAN_USE on the app, as the user who started the run", Object: "invocation {id}",
})

// InvocationEventsRequest names an invocation, and the last event that is known.
type InvocationEventsRequest struct {
	ID    string `json:"id" jsonschema_description:"UUID"`
	After int64  `json:"after,omitempty" check:"minimum=0" jsonschema_description:"Sequence number"`
}

// InvocationEvents streams the events of an invocation, as server-sent events.
var InvocationEvents = Define[InvocationEventsRequest, None](Row{
	Name: "supervisor_invocation_events", Group: Supervisor, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/invocations/{id}/events",
	Needs: "CAN_USE on the app, as the user who started the run", Object: "invocation {id}",
})

// AppResponseRequest starts a response of a LongRunningAgentServer.
type AppResponseRequest struct {
	Input        []Object `json:"input,omitempty" jsonschema_description:"Items"`
	Background   bool     `json:"background" jsonschema_description:"Answer at once"`
	Context      Object   `json:"context,omitempty" jsonschema_description:"{conversation_id}"`
	CustomInputs Object   `json:"custom_inputs,omitempty" jsonschema_description:"Of the agent"`
}

// StartAppResponse begins a response of the form that the Supervisor's have. There
// is no idempotency key: a repeat is a second run.
var StartAppResponse = Define[AppResponseRequest, None](Row{
	Name: "supervisor_start_app_response", Group: Supervisor, Effect: Run, Inner: true,
	Method: "POST", Path: "/responses",
	Needs:  "CAN_USE on the app, and what its agent's tools need",
	Verify: "The agent may be at work: look at what it would have changed before starting it again.",
})

// AppResponseName names a response of an app.
type AppResponseName struct {
	ResponseID string `json:"response_id" jsonschema_description:"Of the app"`
}

// GetAppResponse polls a response of an app.
var GetAppResponse = Define[AppResponseName, None](Row{
	Name: "supervisor_get_app_response", Group: Supervisor, Effect: Read, Inner: true,
	Method: "GET", Path: "/responses/{response_id}",
	Needs: "CAN_USE on the app, as the user who started the run", Object: "response {response_id}",
})

// CancelAppResponse is answered with 501 by the servers known so far.
var CancelAppResponse = Define[AppResponseName, None](Row{
	Name: "supervisor_cancel_app_response", Group: Supervisor, Effect: Replace, Inner: true,
	Method: "POST", Path: "/responses/{response_id}/cancel",
	Needs: "CAN_USE on the app, as the user who started the run", Object: "response {response_id}",
})

// RunEndpointName names a serving endpoint.
type RunEndpointName struct {
	Name string `json:"name" jsonschema_description:"Name of the endpoint"`
}

// RunEndpoint is what a run has to know of a serving endpoint. A route-optimised
// one is answered at a URL of its own, with a token of its own.
type RunEndpoint struct {
	Name           string `json:"name"`
	Task           string `json:"task"` // agent/v1/responses, agent/v2/chat, agent/v1/chat, llm/v1/chat, …
	RouteOptimized bool   `json:"route_optimized"`
	State          struct {
		Ready        string `json:"ready"` // READY, NOT_READY
		ConfigUpdate string `json:"config_update"`
	} `json:"state"`
}

// GetRunEndpoint finds out how an endpoint is to be asked.
var GetRunEndpoint = Define[RunEndpointName, RunEndpoint](Row{
	Name: "supervisor_get_endpoint", Group: Supervisor, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.0/serving-endpoints/{name}",
	Needs: "CAN_VIEW on the endpoint", Object: "endpoint {name}",
})

// StreamEndpointRequest asks an endpoint: Input in responses form, Messages in chat
// form.
type StreamEndpointRequest struct {
	Name     string   `json:"name" jsonschema_description:"Name of the endpoint"`
	Input    []Object `json:"input,omitempty" jsonschema_description:"Items"`
	Messages []Object `json:"messages,omitempty" jsonschema_description:"{role, content}"`
	Context  Object   `json:"context,omitempty" jsonschema_description:"{conversation_id}"`
	Options  Object   `json:"databricks_options,omitempty" jsonschema_description:"{return_trace, conversation_id}"`
	Request  string   `json:"client_request_id,omitempty" jsonschema_description:"For the endpoint's logs"`
	Stream   bool     `json:"stream" jsonschema_description:"Answer as events"`
}

// StreamEndpoint asks an agent or a model. What answers may act on the world, so it
// is never asked twice.
var StreamEndpoint = Define[StreamEndpointRequest, None](Row{
	Name: "supervisor_stream_endpoint", Group: Supervisor, Effect: Run, Inner: true,
	Method: "POST", Path: "/serving-endpoints/{name}/invocations",
	Needs: "CAN_QUERY on the endpoint, and what its agent's tools need", Object: "endpoint {name}",
	Limit:  Limit{Bucket: "invocations", Calls: 200, Per: time.Second},
	Verify: "The agent may be at work: look at what it would have changed before asking again.",
})
