package sandbox

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// modelInfo is what a registered model of Unity Catalog has beyond other
// securables (contract catalog.md, sections 13 and 14).
type modelInfo struct {
	task     string // of an endpoint that serves it; "" for classic ML
	inputs   []string
	versions []modelVersion
	aliases  map[string]int
}

// modelVersion is one version of a model. A version with a lack cannot be
// deployed: its creator has no right on something that the model depends on.
type modelVersion struct {
	number  int
	comment string
	run     string // MLflow run that logged it
	lack    string // message of the deployment that fails
}

// Tasks of an endpoint, after the interface of what it serves (contract
// agents.md, section 4).
const (
	taskResponses  = "agent/v1/responses"
	taskChatAgent  = "agent/v2/chat"
	taskAgentChat  = "agent/v1/chat"
	taskChat       = "llm/v1/chat"
	taskEmbeddings = "llm/v1/embeddings"
)

// feedbackModel is the name of the served entity that takes feedback of old
// deployments, and the last part of its model's name.
const feedbackModel = "feedback"

func seedModels(m *securable, at time.Time) {
	rag := m.schema("main", "rag")
	version := func(n int, comment, run string) modelVersion {
		return modelVersion{number: n, comment: comment, run: run}
	}
	lacking := version(4, "Also asks the finance figures", supportRun)
	lacking.lack = "Failed to deploy main.rag.support_bot version 4: the creator of the endpoint, " + anaName +
		", does not have the permission Can Run on the Genie space 01f0a1b2c3d4e5f60718293a4b5c6d7e that the model declares as a resource."
	for _, s := range []struct {
		in            *securable
		name, comment string
		model         modelInfo
	}{
		{rag, "support_bot", "Answers questions of the shops' staff about orders, customers and stock", modelInfo{
			task: taskResponses, aliases: map[string]int{"champion": 2},
			versions: []modelVersion{version(1, "First release", "6d1b0c4f8e2a4b7d9c3e5f7081a2b3c4"), version(2, "Knows returns", supportRun), version(3, "Knows stock", supportRun), lacking},
		}},
		{rag, "order_helper", "Chat about orders", modelInfo{task: taskAgentChat, versions: []modelVersion{version(1, "", supportRun)}}},
		{rag, "store_analyst", "Figures of the stores, as a ChatAgent", modelInfo{task: taskChatAgent, versions: []modelVersion{version(1, "", supportRun), version(2, "", supportRun)}}},
		{rag, feedbackModel, "Takes feedback of deployed agents", modelInfo{versions: []modelVersion{version(1, "", "")}}},
		{m.schema("main", "ml"), "churn", "Probability that a customer leaves", modelInfo{
			inputs:   []string{"orders", "average_basket", "returns_rate"},
			versions: []modelVersion{version(1, "", churnRun), version(2, "Window of 180 days", churnRun)},
		}},
	} {
		c := s.in.add(kindModel, s.name, s.in.owner, at)
		c.comment, c.model, c.updated.at = s.comment, &s.model, seeded
	}
	rag.child(kindModel, feedbackModel).change(everyone, []string{"EXECUTE"}, nil)
	m.schema("main", "rag").change("data-engineers", []string{"EXECUTE", "CREATE_MODEL"}, nil)
}

func (l *lakehouse) addModelRoutes() {
	const models = unity + "/models"
	l.on("GET "+models, l.listModels)
	l.on("GET "+models+"/{name}", l.get(kindModel, showModel))
	l.on("GET "+models+"/{name}/versions", l.listVersions)
	l.on("GET "+models+"/{name}/versions/{version}", func(r *request) (any, error) {
		return l.oneVersion(r, r.PathValue("version"))
	})
	l.on("GET "+models+"/{name}/aliases/{alias}", func(r *request) (any, error) {
		s, err := l.find(kindModel, r.PathValue("name"))
		if err != nil {
			return nil, err
		}
		n, ok := s.model.aliases[r.PathValue("alias")]
		if !ok {
			return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Alias '"+r.PathValue("alias")+"' does not exist.")
		}
		return l.oneVersion(r, strconv.Itoa(n))
	})
}

// listModels lists a schema's models, or with neither parameter all of them.
func (l *lakehouse) listModels(r *request) (any, error) {
	query := r.URL.Query()
	if (query.Get("catalog_name") == "") != (query.Get("schema_name") == "") {
		return nil, badArgument("catalog_name and schema_name must be given both or not at all.")
	}
	if query.Get("catalog_name") != "" {
		s, err := l.parent(r, kindSchema)
		if err != nil {
			return nil, err
		}
		return l.list(r, s, kindModel, "registered_models", unpagedUnlessAsked, showModel)
	}
	body, all := shape{}, []any(nil)
	for _, c := range l.metastore.live(kindCatalog) {
		for _, s := range c.live(kindSchema) {
			for _, m := range s.live(kindModel) {
				if shown, browseOnly := visible(r.user, m, query.Get("include_browse") == "true"); shown {
					all = append(all, showModel(m, browseOnly))
				}
			}
		}
	}
	if all != nil {
		body["registered_models"] = all
	}
	return body, nil
}

func (l *lakehouse) listVersions(r *request) (any, error) {
	s, err := l.find(kindModel, r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	if err := need(r.user, s, "EXECUTE"); err != nil {
		return nil, err
	}
	size, err := r.int("max_results", 0)
	if err != nil {
		return nil, err
	}
	if size <= 0 {
		size = 100
	}
	cut, err := page("versions", r.URL.Query().Get("page_token"), len(s.model.versions), int(min(size, 1000)), 0)
	if err != nil {
		return nil, err
	}
	rows := []shape{}
	for _, v := range s.model.versions[cut.from:cut.to] {
		rows = append(rows, showVersion(s, v))
	}
	body := shape{"model_versions": rows}
	body.set("next_page_token", cut.next)
	return body, nil
}

func (l *lakehouse) oneVersion(r *request, number string) (any, error) {
	s, err := l.find(kindModel, r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	if err := need(r.user, s, "EXECUTE"); err != nil {
		return nil, err
	}
	v, err := s.version(number)
	if err != nil {
		return nil, err
	}
	body := showVersion(s, *v)
	if aliases := s.aliases(v.number); aliases != nil {
		body["aliases"] = aliases
	}
	return body, nil
}

// version finds one by its decimal number.
func (s *securable) version(number string) (*modelVersion, error) {
	for i, v := range s.model.versions {
		if strconv.Itoa(v.number) == number {
			return &s.model.versions[i], nil
		}
	}
	return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", fmt.Sprintf("Model version '%s' of '%s' does not exist.", number, s.fullName()))
}

// aliases are those of a version, or with 0 all.
func (s *securable) aliases(number int) (all []shape) {
	for _, name := range slices.Sorted(maps.Keys(s.model.aliases)) {
		if n := s.model.aliases[name]; number == 0 || n == number {
			all = append(all, shape{
				"alias_name": name, "version_num": n, "id": stableUUID("alias " + s.fullName() + " " + name),
				"catalog_name": s.parent.parent.name, "schema_name": s.parent.name, "model_name": s.name,
			})
		}
	}
	return all
}

func showModel(s *securable, browseOnly bool) any {
	o := s.inSchema(browseOnly)
	if !browseOnly {
		o["storage_location"] = storageRoot + "/models/" + s.id
		if aliases := s.aliases(0); aliases != nil {
			o["aliases"] = aliases
		}
	}
	return o
}

func showVersion(s *securable, v modelVersion) shape {
	o := shape{
		"version": v.number, "model_name": s.name, "catalog_name": s.parent.parent.name, "schema_name": s.parent.name,
		"status": "READY", "metastore_id": MetastoreID, "id": stableUUID(fmt.Sprintf("version %d of %s", v.number, s.id)),
		"source": "dbfs:/databricks/mlflow-tracking/" + supportExperiment + "/" + v.run + "/artifacts/agent", "storage_location": storageRoot + "/models/" + s.id + "/versions/" + strconv.Itoa(v.number),
		"created_at": s.created.at.UnixMilli(), "created_by": anaName, "updated_at": s.updated.at.UnixMilli(), "updated_by": anaName,
	}
	o.set("comment", v.comment)
	if v.run != "" {
		o["run_id"], o["run_workspace_id"] = v.run, workspaceNumber
	}
	return o
}

// model finds a version of a model for a user who may execute it.
func (l *lakehouse) model(user *principal, name, number string) (modelInfo, modelVersion, error) {
	l.ready()
	l.mu.RLock()
	defer l.mu.RUnlock()
	s, err := l.find(kindModel, name)
	if err != nil {
		return modelInfo{}, modelVersion{}, err
	}
	if err := need(user, s, "EXECUTE"); err != nil {
		return modelInfo{}, modelVersion{}, err
	}
	v, err := s.version(number)
	if err != nil {
		return modelInfo{}, modelVersion{}, err
	}
	return *s.model, *v, nil
}
