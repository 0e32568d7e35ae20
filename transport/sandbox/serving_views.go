package sandbox

import (
	"maps"
	"time"
)

// head is what a listing and a single read have in common.
func (e *servingEndpoint) head() object {
	o := object{
		"id": e.id, "name": e.name, "creator": e.creator,
		"creation_timestamp": millis(e.created), "last_updated_timestamp": millis(e.updated),
		"state": e.condition(),
	}
	for key, text := range map[string]string{"description": e.description, "budget_policy_id": e.budget, "task": e.task()} {
		if text != "" {
			o[key] = text
		}
	}
	if len(e.tags) > 0 {
		o["tags"] = e.tags
	}
	if e.gateway != nil {
		o["ai_gateway"] = clone(e.gateway)
	}
	return o
}

func (e *servingEndpoint) condition() object {
	ready := "NOT_READY"
	if e.config != nil {
		ready = "READY"
	}
	return object{"ready": ready, "config_update": e.state}
}

func (e *servingEndpoint) summary() object {
	o := e.head()
	c := e.config
	if c == nil {
		c = e.pending
	}
	entities := []object{}
	for _, d := range c.entities {
		entity := object{}
		for _, key := range []string{"name", "entity_name", "entity_version", "foundation_model", "external_model"} {
			if v, ok := d.in[key]; ok {
				entity[key] = v
			}
		}
		entities = append(entities, entity)
	}
	o["config"] = object{"served_entities": entities}
	return o
}

func (e *servingEndpoint) detail(r *request) object {
	o := e.head()
	level := ""
	for _, l := range levels["serving-endpoints"] {
		if e.acl.allows(r.user, "serving-endpoints", l) {
			level = l
		}
	}
	o["permission_level"], o["route_optimized"] = level, e.optimized
	if e.config != nil {
		o["config"] = e.config.view(r.now, e.foundation())
	}
	if e.pending != nil {
		pending := e.pending.view(r.now, false)
		pending["start_time"] = millis(e.pending.started)
		o["pending_config"] = pending
	}
	return o
}

func (c *servingConfig) view(now time.Time, foundation bool) object {
	entities, models, routes := []object{}, []object{}, []object{}
	for _, d := range c.entities {
		entities = append(entities, d.view(now))
		if d.Entity != "" && !foundation {
			models = append(models, d.modelView(now))
		}
	}
	for _, r := range c.routes {
		routes = append(routes, object{"served_model_name": r.Entity, "served_entity_name": r.Entity, "traffic_percentage": r.Percent})
	}
	o := object{"served_entities": entities, "config_version": c.version, "traffic_config": object{"routes": routes}}
	if len(models) > 0 {
		o["served_models"] = models
	}
	if c.capture != nil {
		o["auto_capture_config"] = clone(c.capture)
	}
	return o
}

func (d *servedEntity) condition(now time.Time) object {
	state, message := d.deployment(now)
	return object{"deployment": state, "deployment_state_message": message}
}

func (d *servedEntity) view(now time.Time) object {
	o := maps.Clone(d.in)
	o["creator"], o["creation_timestamp"], o["state"] = d.creator, millis(d.begun), d.condition(now)
	return o
}

// modelView is the entity in the words of the deprecated served_models.
func (d *servedEntity) modelView(now time.Time) object {
	o := d.view(now)
	o["model_name"], o["model_version"] = o["entity_name"], o["entity_version"]
	delete(o, "entity_name")
	delete(o, "entity_version")
	return o
}

// entityFields are the fields of an entity that are kept and shown again.
var entityFields = []string{
	"burst_scaling_enabled", "entity_name", "entity_version", "environment_vars", "external_model", "instance_profile_arn",
	"max_provisioned_concurrency", "max_provisioned_throughput", "min_provisioned_concurrency", "min_provisioned_throughput", "name",
	"provisioned_model_units", "scale_to_zero_enabled", "workload_size", "workload_type",
}
