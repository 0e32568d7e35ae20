package sandbox

import "strings"

// seed sets up what the company runs: an agent with a history, two newer ones,
// a classic model, and the foundation models that every workspace lists.
func (s *serving) seed() {
	made := seeded.AddDate(0, -3, 0)
	entity := func(name, model, version, task string, environment map[string]string) *servedEntity {
		in := object{"name": name, "entity_name": model, "entity_version": version, "workload_size": "Small", "workload_type": "CPU", "scale_to_zero_enabled": false}
		if environment != nil {
			in["environment_vars"] = environment
		}
		d := &servedEntity{
			Name: name, Entity: model, Version: version, Size: "Small", Workload: "CPU", Environment: environment,
			in: in, model: modelInfo{task: task}, creator: anaName, begun: made,
		}
		return d
	}
	endpoint := func(name string, routes []int, entities ...*servedEntity) *servingEndpoint {
		e := &servingEndpoint{
			name: name, creator: anaName, created: made, updated: seeded, acl: acl{anaName: "CAN_MANAGE", "analysts": "CAN_QUERY"},
			config: &servingConfig{version: len(entities), started: made, entities: entities},
		}
		for i, percent := range routes {
			e.config.routes = append(e.config.routes, servingRoute{Entity: entities[i].Name, Percent: percent})
		}
		e.enter("NOT_UPDATING", made)
		s.add(e)
		return e
	}
	sleeper := func(d *servedEntity) *servedEntity {
		d.ScaleToZero = true
		d.in["scale_to_zero_enabled"] = true
		return d
	}
	forced := func(experiment string) map[string]string {
		o := map[string]string{"ENABLE_LANGCHAIN_STREAMING": "true", "ENABLE_MLFLOW_TRACING": "true", "RETURN_REQUEST_ID_IN_RESPONSE": "true"}
		if experiment != "" {
			o["MLFLOW_EXPERIMENT_ID"] = experiment
		}
		return o
	}

	bot := endpoint("agents_main-rag-support_bot", []int{0, 100, 0},
		entity("main-rag-support_bot_1", "main.rag.support_bot", "1", taskResponses, forced("")),
		entity("main-rag-support_bot_2", "main.rag.support_bot", "2", taskResponses, forced(supportExperiment)),
		entity(feedbackModel, "main.rag.feedback", "1", "", nil))
	bot.description, bot.formatted = "Answers questions of the shops' staff", true
	bot.tags = []servingTag{{"MONITOR_EXPERIMENT_ID", supportExperiment}}
	bot.gateway = object{"inference_table_config": object{"enabled": true, "catalog_name": "main", "schema_name": "rag", "table_name_prefix": "support_bot"}}

	endpoint("order-helper", []int{100}, sleeper(entity("main-rag-order_helper_1", "main.rag.order_helper", "1", taskAgentChat, forced(""))))

	analyst := endpoint("agents_main-rag-store_analyst", []int{100}, entity("main-rag-store_analyst_1", "main.rag.store_analyst", "1", taskChatAgent, forced(supportExperiment)))
	analyst.tags = []servingTag{{"MONITOR_EXPERIMENT_ID", supportExperiment}}
	delete(analyst.acl, "analysts")

	churn := entity("churn-2", "main.ml.churn", "2", "", nil)
	churn.model.inputs = []string{"orders", "average_basket", "returns_rate"}
	delete(endpoint("churn", []int{100}, churn).acl, "analysts")

	for _, f := range []struct{ name, display, task string }{
		{"databricks-claude-sonnet-4-5", "Claude Sonnet 4.5", taskChat},
		{"databricks-gpt-oss-120b", "GPT OSS 120B", taskChat},
		{"databricks-meta-llama-3-3-70b-instruct", "Meta Llama 3.3 70B Instruct", taskChat},
		{"databricks-gte-large-en", "GTE Large (En)", taskEmbeddings},
	} {
		d := entity(f.name, "system.ai."+strings.TrimPrefix(f.name, "databricks-"), "1", "", nil)
		d.in = object{"name": f.name, "entity_name": d.Entity, "entity_version": "1", "foundation_model": object{"name": d.Entity, "display_name": f.display}}
		e := endpoint(f.name, []int{100}, d)
		e.creator, e.external, e.acl = "Databricks", f.task, acl{"users": "CAN_QUERY"}
	}
}
