package tools

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"brickmcp/catalog"
	"brickmcp/tools/policy"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// listAgents lists the endpoints that serve agents, of all that there are.
func (s *Server) listAgents(ctx context.Context, call *catalog.Call) ([]byte, error) {
	return s.listOf(ctx, call, isAgent)
}

// getAgent shows an endpoint as a deployment: its versions with their traffic, and
// where it is asked and logs to.
func (s *Server) getAgent(ctx context.Context, call *catalog.Call) ([]byte, error) {
	answer, err := s.ask(ctx, call)
	if err != nil {
		return nil, err
	}
	e := endpointOf(answer)
	var o object
	o.text("endpoint_name", e.name())
	e.addState(&o)
	for _, name := range []string{"task", "permission_level", "creator"} {
		if value := e.Get(name).Str; value != "" {
			o.text(name, value)
		}
	}
	o.untrusted("description", "tags", "versions", "failure") // people wrote them, or their code
	if text := e.Get("description").Str; text != "" {
		o.text("description", text)
	}
	o.raw("versions", s.versions(e))
	if failure := s.failure(ctx, e, ""); failure != "{}" {
		o.raw("failure", failure)
	}
	s.addURLs(&o, e, "")
	if tables := s.inferenceTables(ctx, e); tables != "" {
		o.raw("inference_tables", tables)
	}
	if tags := e.Get("tags"); len(tags.Array()) > 0 {
		o.raw("tags", string(appendCanonical(nil, tags, 1)))
	}
	return s.whole(o.bytes()), nil
}

// versions are the entities of an endpoint, without their environment.
func (s *Server) versions(e endpoint) string {
	shares := e.traffic()
	var all []string
	for _, one := range e.entities() {
		var o object
		o.text("served_entity_name", one.name)
		o.text("model_name", one.model)
		o.text("model_version", one.version)
		o.integer("traffic_percentage", shares[one.name])
		o.text("state", one.Get("state.deployment").Str)
		if message := one.Get("state.deployment_state_message").Str; message != "" {
			o.text("message", cutText(message, maxFailureLog))
		}
		if size := one.Get("workload_size").Str; size != "" {
			o.text("workload_size", size)
		}
		if one.Get("scale_to_zero_enabled").Bool() {
			o.boolean("scale_to_zero", true)
		}
		if one.pending {
			o.boolean("pending", true)
		}
		o.text("query_url", queryURL(s.workspaceURL(), e.name(), one.name))
		all = append(all, string(o.bytes()))
	}
	return "[" + strings.Join(all, ",") + "]"
}

// inferenceTables says where an endpoint logs to and which of the tables are there;
// "" when it logs nothing.
func (s *Server) inferenceTables(ctx context.Context, e endpoint) string {
	log, ok := loggingOf(e)
	if !ok {
		return ""
	}
	var tables []string
	for _, name := range []string{log.payload, log.requests, log.assessments} {
		var o object
		o.text("name", name)
		if s.mayReadTable(ctx, name) {
			if _, err := s.tableColumns(ctx, name); err == nil {
				o.boolean("exists", true)
			} else if missing(catalog.AsError(err)) {
				o.boolean("exists", false)
			}
		}
		tables = append(tables, string(o.bytes()))
	}
	return fmt.Sprintf(`{"enabled":%t,"tables":[%s]}`, log.enabled, strings.Join(tables, ","))
}

// mayReadTable reports whether the policy lets a table through.
func (s *Server) mayReadTable(ctx context.Context, name string) bool {
	rules := rulesOf(ctx)
	return rules == nil || rules.Shows(policy.Object{Scope: catalog.ScopeTables, ID: name})
}

const agentLeftovers = "The registered model with its versions and the inference tables stay."

// deleteAgent removes an endpoint, or one version of it, and says what went.
func (s *Server) deleteAgent(ctx context.Context, call *catalog.Call) ([]byte, error) {
	name := argumentText(call, "endpoint_name")
	version, one := argument[catalog.ID](call, "model_version")
	if !one {
		if _, err := s.api.Do(ctx, call); err != nil {
			return nil, err
		}
		return deletedAgent(name, "", "", ""), nil
	}
	e, err := s.endpointNamed(ctx, call, name)
	if err != nil {
		return nil, err
	}
	goes, stays, err := splitVersion(call, e, string(version))
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(stays, func(one entity) bool { return !one.isFeedback() }) {
		if _, err := s.api.Do(ctx, call); err != nil {
			return nil, err
		}
		return deletedAgent(name, goes.name, e.routes(), ""), nil
	}
	if e.updating() {
		return nil, isUpdating(call, e)
	}
	heir := highest(stays, goes.model)
	if err := s.configure(ctx, call, e, stays, heir.name); err != nil {
		return nil, err
	}
	return deletedAgent(name, goes.name, e.routes(), routesTo(stays, heir.name)), nil
}

// deletedAgent says what went. Without routes behind it, that was all.
func deletedAgent(name, entity, before, after string) []byte {
	var o object
	o.text("endpoint_name", name)
	if entity != "" {
		o.text("deleted_served_entity", entity)
	}
	o.boolean("deleted_endpoint", after == "")
	if before != "" {
		o.raw("routes_before", before)
	}
	if after != "" {
		o.raw("routes_after", after)
	}
	o.text("note", agentLeftovers)
	return o.bytes()
}

// splitVersion finds the version that goes and those that stay.
func splitVersion(call *catalog.Call, e endpoint, version string) (goes entity, stays []entity, err error) {
	found := 0
	var versions []string
	for _, one := range e.served() {
		if one.version == version && !one.isFeedback() {
			goes, found = one, found+1
			continue
		}
		stays = append(stays, one)
		if !one.isFeedback() {
			versions = append(versions, one.version)
		}
	}
	switch {
	case found == 0:
		return goes, nil, &catalog.Error{Kind: catalog.Missing, Message: fmt.Sprintf("%s: version %s is not served there", call.About(), version),
			Advice: "It serves " + orNone(versions) + ". Nothing was sent."}
	case found > 1:
		return goes, nil, &catalog.Error{Kind: catalog.Conflict, Message: fmt.Sprintf("%s: several models have a version %s there", call.About(), version),
			Advice: "Delete the whole endpoint, or change it in the workspace. Nothing was sent."}
	}
	return goes, stays, nil
}

func orNone(versions []string) string {
	if len(versions) == 0 {
		return "no version"
	}
	return "version " + strings.Join(versions, ", ")
}

// highest is the entity with the highest version, of the same model if there is one.
func highest(entities []entity, model string) entity {
	var best entity
	rank := func(one entity) (bool, int64) {
		n, _ := strconv.ParseInt(one.version, 10, 64)
		return one.model == model, n
	}
	for _, one := range entities {
		if one.isFeedback() {
			continue
		}
		ours, n := rank(one)
		bestOurs, bestN := rank(best)
		if best.name == "" || ours && !bestOurs || ours == bestOurs && n > bestN {
			best = one
		}
	}
	return best
}

func isUpdating(call *catalog.Call, e endpoint) error {
	return &catalog.Error{Kind: catalog.Busy, Message: fmt.Sprintf("%s: endpoint %s is being updated (IN_PROGRESS), and takes no other update meanwhile", call.Row.Name, e.name()),
		Advice: "Poll agents_get until config_update is not IN_PROGRESS, then call again. Nothing was sent."}
}

// entityInput are the members that an entity may be configured with.
var entityInput = []string{
	"name", "entity_name", "entity_version", "workload_size", "workload_type", "scale_to_zero_enabled", "environment_vars", "instance_profile_arn",
	"external_model", "min_provisioned_throughput", "max_provisioned_throughput", "min_provisioned_concurrency", "max_provisioned_concurrency",
	"provisioned_model_units", "burst_scaling_enabled",
}

// input is the entity as a configuration takes it.
func (e entity) input() string {
	var o object
	for _, name := range entityInput {
		if v := e.Get(name); v.Exists() && v.Type != gjson.Null {
			o.raw(name, v.Raw)
		}
	}
	return string(o.bytes())
}

// configure sends a configuration of the entities that stay and, perhaps, new ones.
// All traffic goes to one of them; the others stay at 0.
func (s *Server) configure(ctx context.Context, call *catalog.Call, e endpoint, stays []entity, to string, added ...addition) error {
	inputs := make([]string, 0, len(stays)+len(added))
	routes := make([]string, 0, len(stays)+len(added))
	route := func(name string) {
		var o object
		o.text("served_model_name", name)
		share := int64(0)
		if name == to {
			share = 100
		}
		o.integer("traffic_percentage", share)
		routes = append(routes, string(o.bytes()))
	}
	for _, one := range stays {
		inputs = append(inputs, one.input())
		route(one.name)
	}
	for _, one := range added {
		inputs = append(inputs, string(one.config))
		route(one.name)
	}
	var args object
	args.text("endpoint_name", e.name())
	args.raw("served_entities", "["+strings.Join(inputs, ",")+"]")
	args.raw("traffic_config", `{"routes":[`+strings.Join(routes, ",")+`]}`)
	// The older form of inference tables is part of the configuration, and would go
	// with it.
	if capture := e.Get("config.auto_capture_config"); capture.Get("enabled").Bool() {
		kept, err := sjson.Delete(capture.Raw, "state")
		if err != nil {
			return err
		}
		args.raw("auto_capture_config", kept)
	}
	update, err := catalog.UpdateEndpointConfig.Bind(args.bytes())
	if err != nil {
		return err
	}
	if _, err := s.api.Do(ctx, update); err != nil {
		return onTheWay(call, "changing the versions", err)
	}
	return nil
}

// routesTo is the traffic after such a configuration, as JSON.
func routesTo(stays []entity, to string, added ...addition) string {
	var o object
	names := make([]string, 0, len(stays)+len(added))
	for _, one := range stays {
		names = append(names, one.name)
	}
	for _, one := range added {
		names = append(names, one.name)
	}
	for _, name := range names {
		share := int64(0)
		if name == to {
			share = 100
		}
		o.integer(quotedKey(name), share)
	}
	return string(o.bytes())
}
