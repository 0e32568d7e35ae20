package catalog

// UpdateEndpointConfigRequest is a whole configuration: entities that are not in it
// are removed, and the routes sum up to 100.
type UpdateEndpointConfigRequest struct {
	EndpointName      string   `json:"endpoint_name" jsonschema_description:"Name"`
	ServedEntities    []Object `json:"served_entities" audit:"hide" jsonschema_description:"All entities"`
	TrafficConfig     Object   `json:"traffic_config" jsonschema_description:"{routes}"`
	AutoCaptureConfig Object   `json:"auto_capture_config,omitempty" jsonschema_description:"As it is"`
}

// UpdateEndpointConfig sets the configuration of an endpoint. A repeat would meet
// the update that the first one began, and look like a conflict.
var UpdateEndpointConfig = Define[UpdateEndpointConfigRequest, None](Row{
	Name: "agents_update_config", Group: Agents, Effect: Create, Inner: true, Limit: endpointLimit,
	Method: "PUT", Path: endpointPath + "/config",
	Needs: "CAN_MANAGE on the endpoint", Object: anEndpoint,
	Verify: "Look at the versions of the endpoint with agents_get before doing it again.",
})

// UpdateEndpointTagsRequest adds tags; one that exists gets the new value.
type UpdateEndpointTagsRequest struct {
	EndpointName string   `json:"endpoint_name" jsonschema_description:"Name"`
	AddTags      []Object `json:"add_tags" jsonschema_description:"{key, value}"`
}

// UpdateEndpointTags changes tags.
var UpdateEndpointTags = Define[UpdateEndpointTagsRequest, Raw](Row{
	Name: "agents_update_tags", Group: Agents, Effect: Update, Inner: true,
	Method: "PATCH", Path: endpointPath + "/tags",
	Needs: "CAN_MANAGE on the endpoint", Object: anEndpoint,
})

// UpdateEndpointDescriptionRequest is a text.
type UpdateEndpointDescriptionRequest struct {
	EndpointName string `json:"endpoint_name" jsonschema_description:"Name"`
	Description  string `json:"description" jsonschema_description:"Text"`
}

// UpdateEndpointDescription changes the description.
var UpdateEndpointDescription = Define[UpdateEndpointDescriptionRequest, None](Row{
	Name: "agents_update_description", Group: Agents, Effect: Update, Inner: true,
	Method: "PATCH", Path: endpointPath + "/description",
	Needs: "CAN_MANAGE on the endpoint", Object: anEndpoint,
})

// UpdateEndpointBudgetRequest names a usage policy.
type UpdateEndpointBudgetRequest struct {
	EndpointName   string `json:"endpoint_name" jsonschema_description:"Name"`
	BudgetPolicyID string `json:"budget_policy_id" jsonschema_description:"Usage policy"`
}

// UpdateEndpointBudget changes the usage policy.
var UpdateEndpointBudget = Define[UpdateEndpointBudgetRequest, None](Row{
	Name: "agents_update_budget", Group: Agents, Effect: Update, Inner: true,
	Method: "PATCH", Path: endpointPath + "/budget-policy",
	Needs: "CAN_MANAGE on the endpoint, and the right to use the policy", Object: anEndpoint,
})

// UpdateEndpointPermissionsRequest adds permissions, by the id of the endpoint.
type UpdateEndpointPermissionsRequest struct {
	EndpointID        string   `json:"endpoint_id" jsonschema_description:"Id, not name"`
	AccessControlList []Object `json:"access_control_list" jsonschema_description:"{user_name, permission_level}"`
}

// UpdateEndpointPermissions gives permissions on an endpoint.
var UpdateEndpointPermissions = Define[UpdateEndpointPermissionsRequest, None](Row{
	Name: "agents_update_permissions", Group: Agents, Effect: Update, Inner: true,
	Method: "PATCH", Path: "/api/2.0/permissions/serving-endpoints/{endpoint_id}",
	Needs: "CAN_MANAGE on the endpoint", Object: "endpoint {endpoint_id}",
})

// ServedModelRequest names an entity of an endpoint.
type ServedModelRequest struct {
	EndpointName    string `json:"endpoint_name" jsonschema_description:"Name"`
	ServedModelName string `json:"served_model_name" jsonschema_description:"Entity"`
}

// LogText is the end of a log.
type LogText struct {
	Logs string `json:"logs"`
}

// GetBuildLogs reads how the image of an entity was built.
var GetBuildLogs = Define[ServedModelRequest, LogText](Row{
	Name: "agents_get_build_logs", Group: Agents, Effect: Read, Inner: true,
	Method: "GET", Path: endpointPath + "/served-models/{served_model_name}/build-logs",
	Needs: "CAN_VIEW on the endpoint", Object: anEndpoint,
})

// GetServerLogs reads what the container of an entity printed lately.
var GetServerLogs = Define[ServedModelRequest, LogText](Row{
	Name: "agents_get_server_logs", Group: Agents, Effect: Read, Inner: true,
	Method: "GET", Path: endpointPath + "/served-models/{served_model_name}/logs",
	Needs: "CAN_VIEW on the endpoint", Object: anEndpoint,
})

// QueryServedModel asks one version, whatever traffic it gets. The tool brings the
// body.
var QueryServedModel = Define[ServedModelRequest, None](Row{
	Name: "agents_query_version", Group: Agents, Effect: Create, Inner: true,
	Method: "POST", Path: "/serving-endpoints/{endpoint_name}/served-models/{served_model_name}/invocations",
	Needs: "CAN_QUERY on the endpoint", Object: anEndpoint,
	Verify: QueryAgent.Verify,
})

// GetModelVersionRequest names a version of a registered model.
type GetModelVersionRequest struct {
	FullName string `json:"full_name" jsonschema_description:"catalog.schema.model"`
	Version  ID     `json:"version" jsonschema_description:"Number"`
}

// ModelVersion is what a deployment needs of one: its state, and the MLflow run
// that logged it.
type ModelVersion struct {
	Status string `json:"status"` // PENDING_REGISTRATION, READY, FAILED_REGISTRATION
	RunID  string `json:"run_id"`
}

// GetModelVersion reads a version of a registered model.
var GetModelVersion = Define[GetModelVersionRequest, ModelVersion](Row{
	Name: "agents_get_model_version", Group: Agents, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.1/unity-catalog/models/{full_name}/versions/{version}",
	Needs: "EXECUTE on the model, USE SCHEMA on its schema and USE CATALOG on its catalog", Object: "version {version} of model {full_name}",
})

// ListModelVersionsRequest names a registered model.
type ListModelVersionsRequest struct {
	FullName   string `json:"full_name" jsonschema_description:"catalog.schema.model"`
	MaxResults int64  `json:"max_results,omitempty" jsonschema_description:"Page size"`
}

// ModelVersionList is a page of versions, in no order.
type ModelVersionList struct {
	Versions []struct {
		Version ID     `json:"version"`
		Status  string `json:"status"`
	} `json:"model_versions"`
}

// ListModelVersions lists the versions of a registered model.
var ListModelVersions = Define[ListModelVersionsRequest, ModelVersionList](Row{
	Name: "agents_list_model_versions", Group: Agents, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.1/unity-catalog/models/{full_name}/versions",
	Needs: "EXECUTE on the model, USE SCHEMA on its schema and USE CATALOG on its catalog", Object: "model {full_name}",
})

// GetMLflowRunRequest names a run.
type GetMLflowRunRequest struct {
	RunID string `json:"run_id" jsonschema_description:"Run"`
}

// MLflowRun tells which experiment a run is of.
type MLflowRun struct {
	Run struct {
		Info struct {
			ExperimentID string `json:"experiment_id"`
		} `json:"info"`
	} `json:"run"`
}

// GetMLflowRun reads a run of MLflow.
var GetMLflowRun = Define[GetMLflowRunRequest, MLflowRun](Row{
	Name: "agents_get_mlflow_run", Group: Agents, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.0/mlflow/runs/get",
	Needs: "CAN_READ on the experiment", Object: "MLflow run {run_id}",
})

// AssessTraceRequest is an assessment of a trace: agents.md, section 5.2.
type AssessTraceRequest struct {
	TraceID    string `json:"trace_id" jsonschema_description:"tr-…"`
	Assessment Object `json:"assessment" jsonschema_description:"{assessment_name, source, feedback, rationale}"`
}

// Assessed names the assessment that was made.
type Assessed struct {
	Assessment struct {
		AssessmentID string `json:"assessment_id"`
	} `json:"assessment"`
}

const verifyAssessment = "Look at the trace: sent again, the assessment is there twice."

// AssessTrace writes an assessment to a trace of an experiment.
var AssessTrace = Define[AssessTraceRequest, Assessed](Row{
	Name: "agents_assess_trace", Group: Agents, Effect: Create, Inner: true,
	Method: "POST", Path: "/api/3.0/mlflow/traces/{trace_id}/assessments",
	Needs: "CAN_EDIT on the experiment", Object: "trace {trace_id}", Verify: verifyAssessment,
})

// AssessLocatedTraceRequest is an assessment of a trace that Unity Catalog keeps.
type AssessLocatedTraceRequest struct {
	Location   string `json:"location" jsonschema_description:"catalog.schema"`
	TraceID    string `json:"trace_id" jsonschema_description:"Trace"`
	Assessment Object `json:"assessment" jsonschema_description:"{assessment_name, source, feedback, rationale}"`
}

// AssessLocatedTrace writes an assessment to a trace that Unity Catalog keeps.
var AssessLocatedTrace = Define[AssessLocatedTraceRequest, Assessed](Row{
	Name: "agents_assess_located_trace", Group: Agents, Effect: Create, Inner: true,
	Method: "POST", Path: "/api/4.0/mlflow/traces/{location}/{trace_id}/assessments",
	Needs: "MODIFY on the tables of the traces", Object: "trace {trace_id}", Verify: verifyAssessment,
})
