package tools

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/policy"

	"github.com/tidwall/gjson"
)

const (
	// maxServed is how many entities an endpoint takes.
	maxServed = 15
	// deployPoll is how often a deployment is looked at while somebody waits for it.
	deployPoll = 5 * time.Second
)

// deployment is one agents_deploy on its way.
type deployment struct {
	s    *Server
	call *catalog.Call

	model, version        string
	schema, base, catalog string
	name                  string // of the endpoint
	given                 bool   // by the caller
	served                string // name of the new entity
	experiment            string // "": none
	existing              *endpoint
	prefix                string // of the inference tables made; "": none
	feedback              string // version of the feedback model that joins; "": none
	notes                 []string
}

// deployAgent serves a model version: on the endpoint that has the model already, or
// on a new one. It answers as soon as the workspace has taken it, or waits a little
// for the version to come up.
func (s *Server) deployAgent(ctx context.Context, call *catalog.Call) ([]byte, error) {
	began := time.Now()
	d := &deployment{s: s, call: call}
	if err := d.prepare(ctx); err != nil {
		return nil, err
	}
	var err error
	before := "{}"
	var after endpoint
	if d.existing != nil {
		before = d.existing.routes()
		err = d.update(ctx)
	} else {
		after, err = d.create(ctx)
	}
	if err != nil {
		return nil, d.explained(err)
	}
	d.permit(ctx, after)
	wait, _ := argument[int64](call, "wait_seconds")
	after = d.await(ctx, after, began.Add(min(time.Duration(wait)*time.Second, maxWait)))
	return d.result(ctx, after, before), nil
}

func (d *deployment) text(name string) string { return argumentText(d.call, name) }

// prepare finds out all that may refuse the deployment before anything is changed.
func (d *deployment) prepare(ctx context.Context) error {
	d.model, d.version = d.text("model_name"), d.text("model_version")
	var ok bool
	if d.catalog, d.schema, d.base, ok = splitModel(d.model); !ok {
		return d.refuse(catalog.Invalid, fmt.Sprintf("%q is no full name of a registered model", d.model), "Give model_name as catalog.schema.model.")
	}
	if strings.HasPrefix(d.version, "-") || d.version == "0" {
		return d.refuse(catalog.Invalid, fmt.Sprintf("%s is no version of a model", d.version), "Versions count from 1.")
	}
	d.served = servedEntityName(d.model, d.version)
	d.name = d.text("endpoint_name")
	d.given = d.name != ""
	if err := d.checkModel(ctx); err != nil {
		return err
	}
	if err := d.findEndpoint(ctx); err != nil {
		return err
	}
	if rules := rulesOf(ctx); rules != nil && !d.given && rules.Minds(policy.Object{Scope: catalog.ScopeAgents, ID: d.name}) {
		return d.refuse(catalog.Denied, fmt.Sprintf("it would go to endpoint %s, on which the policy has a say", d.name), "Call again with endpoint_name="+d.name+", so that the policy can decide.")
	}
	if err := d.checkFeedback(ctx); err != nil || d.existing == nil {
		return err
	}
	return d.checkEndpoint()
}

func (d *deployment) refuse(kind catalog.Kind, why, advice string) error {
	return &catalog.Error{Kind: kind, Message: d.call.About() + ": " + why, Advice: advice + " Nothing was sent."}
}

// checkModel asks whether the version is there and ready, and for the experiment of
// the run that logged it: traces go there.
func (d *deployment) checkModel(ctx context.Context) error {
	d.experiment = d.text("experiment_id")
	version, err := catalog.GetModelVersion.Call(ctx, d.s.api, catalog.GetModelVersionRequest{FullName: d.model, Version: catalog.ID(d.version)})
	if err != nil {
		e := catalog.AsError(err)
		if e.Kind != catalog.Down && e.Kind != catalog.Busy && !e.MissingRoute {
			return onTheWay(d.call, "reading the model version", err)
		}
		d.note("the model version could not be read beforehand")
		return nil
	}
	switch version.Status {
	case "", "READY":
	case "FAILED_REGISTRATION":
		return d.refuse(catalog.Conflict, fmt.Sprintf("version %s failed to register", d.version), "Register the model again, and deploy that version.")
	default:
		return d.refuse(catalog.Busy, fmt.Sprintf("version %s is still %s", d.version, version.Status), "Call again in a minute.")
	}
	if d.experiment != "" || version.RunID == "" {
		return nil
	}
	run, err := catalog.GetMLflowRun.Call(ctx, d.s.api, catalog.GetMLflowRunRequest{RunID: version.RunID})
	if err != nil || run.Run.Info.ExperimentID == "" {
		d.note("the experiment of the model could not be read, so traces are not sent to it; experiment_id names one")
		return nil
	}
	d.experiment = run.Run.Info.ExperimentID
	return nil
}

func (d *deployment) note(text string) { d.notes = append(d.notes, text) }

// findEndpoint finds the endpoint that serves the model: by its name, or else by
// what it serves, because somebody may have named it otherwise.
func (d *deployment) findEndpoint(ctx context.Context) error {
	if !d.given {
		d.name = agentEndpointName(d.model)
	}
	e, err := d.s.endpointNamed(ctx, d.call, d.name)
	taken := ""
	switch {
	case err == nil && d.servesModel(e.Result):
		d.existing = &e
		return nil
	case err == nil:
		if taken = otherModel(e); taken == "" {
			d.existing = &e
			return nil
		}
	case !missing(catalog.AsError(err)):
		return err
	}
	if !d.given {
		elsewhere, err := d.elsewhere(ctx)
		switch {
		case err != nil:
			return err
		case len(elsewhere) > 1:
			return d.refuse(catalog.Conflict, "several endpoints serve the model: "+strings.Join(elsewhere, ", "), "Say which with endpoint_name.")
		case len(elsewhere) == 1:
			d.name = elsewhere[0]
			found, err := d.s.endpointNamed(ctx, d.call, d.name)
			d.existing = &found
			return err
		}
	}
	if taken != "" {
		return d.refuse(catalog.Conflict, fmt.Sprintf("endpoint %s serves another model, %s", d.name, taken), "Give another endpoint_name; two long names of models may be cut to the same.")
	}
	return nil
}

// servesModel reports whether the model is among what an endpoint serves.
func (d *deployment) servesModel(item gjson.Result) bool {
	return slices.ContainsFunc(endpoint{Result: item}.entities(), func(one entity) bool {
		return strings.EqualFold(one.model, d.model)
	})
}

// otherModel is what an endpoint serves that may not be replaced silently.
func otherModel(e endpoint) string {
	for _, one := range e.entities() {
		if !one.isFeedback() {
			return cmp.Or(one.model, one.name)
		}
	}
	return ""
}

// elsewhere are the names of all endpoints that serve the model.
func (d *deployment) elsewhere(ctx context.Context) ([]string, error) {
	list, err := catalog.ListAgents.Bind(nil)
	if err != nil {
		return nil, err
	}
	answer, err := d.s.ask(ctx, list)
	if err != nil {
		return nil, onTheWay(d.call, "looking for the endpoint of the model", err)
	}
	var names []string
	eachItem(parse(answer.Body).Get("endpoints"), func(item gjson.Result) bool {
		if d.servesModel(item) {
			names = append(names, item.Get("name").Str)
		}
		return true
	})
	return names, nil
}

// checkEndpoint refuses what the endpoint would refuse, or do twice.
func (d *deployment) checkEndpoint() error {
	for _, one := range d.existing.entities() {
		if !strings.EqualFold(one.model, d.model) || one.version != d.version {
			continue
		}
		if one.pending && !d.existing.updating() {
			continue // of an update that failed: it may be tried again
		}
		state := cmp.Or(one.Get("state.deployment").Str, "in no known state")
		advice := "There is nothing to do; agents_get shows its traffic."
		if one.failed() {
			advice = "Remove it with agents_delete (the version, or the endpoint when it is the only one), then deploy it again."
		}
		return d.refuse(catalog.Conflict, fmt.Sprintf("endpoint %s has version %s already (%s)", d.name, d.version, state), advice)
	}
	if d.existing.updating() {
		return isUpdating(d.call, *d.existing)
	}
	if n := len(d.existing.served()); n+len(d.additions()) > maxServed {
		return d.refuse(catalog.Conflict, fmt.Sprintf("endpoint %s has %d served entities, the most it takes", d.name, n), "Remove a version that is not needed any more with agents_delete.")
	}
	return nil
}

// entity is the new served entity, with the environment that agents need.
func (d *deployment) entity() []byte {
	var o object
	o.text("name", d.served)
	o.text("entity_name", d.model)
	o.text("entity_version", d.version)
	o.text("workload_size", cmp.Or(d.text("workload_size"), "Small"))
	toZero, _ := argument[bool](d.call, "scale_to_zero")
	o.boolean("scale_to_zero_enabled", toZero)
	given, _ := argument[catalog.Map](d.call, "environment_vars")
	environment := make(map[string]string, len(given)+4)
	for name, value := range given {
		environment[name] = value
	}
	for _, forced := range []string{"ENABLE_MLFLOW_TRACING", "ENABLE_LANGCHAIN_STREAMING", "RETURN_REQUEST_ID_IN_RESPONSE"} {
		environment[forced] = "true"
	}
	if d.experiment != "" {
		environment["MLFLOW_EXPERIMENT_ID"] = d.experiment
	}
	var variables object
	for _, name := range sortedKeys(environment) {
		variables.text(quotedKey(name), environment[name])
	}
	o.raw("environment_vars", string(variables.bytes()))
	if profile := d.text("instance_profile_arn"); profile != "" {
		o.text("instance_profile_arn", profile)
	}
	return o.bytes()
}

// tags are those of the caller, and the one that names the experiment.
func (d *deployment) tags() string {
	given, _ := argument[catalog.Map](d.call, "tags")
	all := make(map[string]string, len(given)+1)
	for key, value := range given {
		all[key] = value
	}
	if d.experiment != "" {
		all[monitorTag] = d.experiment
	}
	var tags []string
	for _, key := range sortedKeys(all) {
		var o object
		o.text("key", key)
		o.text("value", all[key])
		tags = append(tags, string(o.bytes()))
	}
	return "[" + strings.Join(tags, ",") + "]"
}

// create makes the endpoint. Inference tables can be set now and never again.
func (d *deployment) create(ctx context.Context) (endpoint, error) {
	var o object
	o.text("name", d.name)
	if text := d.text("description"); text != "" {
		o.text("description", text)
	}
	var config object
	additions := d.additions()
	var entities []string
	for _, one := range additions {
		entities = append(entities, string(one.config))
	}
	config.raw("served_entities", "["+strings.Join(entities, ",")+"]")
	config.raw("traffic_config", `{"routes":`+routesOfNew(additions)+`}`)
	o.raw("config", string(config.bytes()))
	if logs, given := argument[bool](d.call, "inference_tables"); logs || !given {
		if err := d.choosePrefix(ctx); err != nil {
			return endpoint{}, err
		}
		var table object
		table.boolean("enabled", true)
		table.text("catalog_name", d.catalog)
		table.text("schema_name", d.schema)
		table.text("table_name_prefix", d.prefix)
		o.raw("ai_gateway", `{"inference_table_config":`+string(table.bytes())+`}`)
	}
	if tags := d.tags(); tags != "[]" {
		o.raw("tags", tags)
	}
	if policy := d.text("usage_policy_id"); policy != "" {
		o.text("budget_policy_id", policy)
	}
	sent := *d.call
	sent.Body = o.bytes()
	answer, err := d.s.ask(ctx, &sent)
	if err != nil {
		return endpoint{}, err
	}
	return endpointOf(answer), nil
}

// choosePrefix finds a prefix whose payload table is not there yet.
func (d *deployment) choosePrefix(ctx context.Context) error {
	for _, prefix := range tablePrefixes(d.base) {
		table := d.catalog + "." + d.schema + "." + prefix + payloadSuffix
		if rules := rulesOf(ctx); rules != nil && rules.Minds(policy.Object{Scope: catalog.ScopeTables, ID: table}) {
			return d.refuse(catalog.Denied, fmt.Sprintf("it would log to table %s, on which the policy has a say", table), "Deploy it without inference tables (inference_tables=false), or ask whoever runs this server.")
		}
		_, err := d.s.tableColumns(ctx, table)
		if err == nil {
			continue
		}
		switch e := catalog.AsError(err); {
		case e.Kind == catalog.Forbidden: // it is there
			continue
		case !missing(e):
			return onTheWay(d.call, "looking for a free name of the inference tables", err)
		}
		d.prefix = prefix
		return nil
	}
	d.prefix = fmt.Sprintf("%s_%08x", d.base, rand.Uint32())
	return nil
}

// update adds the version to the endpoint, and then what else was asked for: that
// may fail by itself, with the version under way.
func (d *deployment) update(ctx context.Context) error {
	if err := d.s.configure(ctx, d.call, *d.existing, d.existing.served(), d.served, d.additions()...); err != nil {
		return err
	}
	d.noteTables()
	try := func(what string, row *catalog.Row, args object) {
		call, err := row.Bind(args.bytes())
		if err == nil {
			_, err = d.s.api.Do(ctx, call)
		}
		if err != nil {
			d.note(what + " could not be set: " + catalog.AsError(err).Message)
		}
	}
	named := func() (o object) {
		o.text("endpoint_name", d.name)
		return o
	}
	if tags := d.tags(); tags != "[]" {
		o := named()
		o.raw("add_tags", tags)
		try("the tags", &catalog.UpdateEndpointTags.Row, o)
	}
	if text := d.text("description"); text != "" {
		o := named()
		o.text("description", text)
		try("the description", &catalog.UpdateEndpointDescription.Row, o)
	}
	if policy := d.text("usage_policy_id"); policy != "" {
		o := named()
		o.text("budget_policy_id", policy)
		try("the usage policy", &catalog.UpdateEndpointBudget.Row, o)
	}
	return nil
}

// permit gives the permissions that were asked for.
func (d *deployment) permit(ctx context.Context, made endpoint) {
	list, given := d.call.Args["access_control_list"]
	if !given {
		return
	}
	id := made.Get("id").String()
	if d.existing != nil {
		id = d.existing.Get("id").String()
	}
	var o object
	o.text("endpoint_id", id)
	o.raw("access_control_list", string(list))
	call, err := catalog.UpdateEndpointPermissions.Bind(o.bytes())
	if err == nil {
		_, err = d.s.api.Do(ctx, call)
	}
	if err != nil {
		d.note("the permissions could not be set: " + catalog.AsError(err).Message)
	}
}
