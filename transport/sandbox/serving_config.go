package sandbox

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// servingRequest is the body of create; that of an update is its config.
type servingRequest struct {
	Name        string        `json:"name"`
	Description string        `json:"description"`
	Config      configRequest `json:"config"`
	Gateway     object        `json:"ai_gateway"`
	Tags        []servingTag  `json:"tags"`
	Budget      string        `json:"budget_policy_id"`
	Optimized   bool          `json:"route_optimized"`
}

type configRequest struct {
	Entities []object `json:"served_entities"`
	Models   []object `json:"served_models"` // the same, deprecated
	Traffic  struct {
		Routes []servingRoute `json:"routes"`
	} `json:"traffic_config"`
	Capture object `json:"auto_capture_config"`
}

var endpointName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$`) })

func (s *serving) create(r *request) (any, error) {
	var in servingRequest
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	switch {
	case in.Name == "":
		return nil, badArgument("Missing required field: name")
	case !endpointName().MatchString(in.Name):
		return nil, badArgument("Endpoint name '" + in.Name + "' is invalid: it must have at most 63 letters, digits, dashes and underscores, and begin and end with a letter or a digit.")
	case strings.HasPrefix(in.Name, "databricks-"):
		return nil, badArgument("Endpoint names that begin with 'databricks-' are reserved.")
	case s.find(in.Name, r.now) != nil:
		return nil, failure(http.StatusConflict, "RESOURCE_ALREADY_EXISTS", "Endpoint with name '"+in.Name+"' already exists.")
	case len(s.endpoints) >= maxEndpoints:
		return nil, failure(http.StatusBadRequest, "QUOTA_EXCEEDED", fmt.Sprintf("The workspace has %d serving endpoints, which is the limit.", maxEndpoints))
	}
	e := &servingEndpoint{
		name: in.Name, creator: r.user.UserName, description: in.Description, budget: in.Budget,
		created: r.now, updated: r.now, tags: in.Tags, acl: acl{r.user.UserName: "CAN_MANAGE"}, optimized: in.Optimized,
	}
	if err := s.checkTags(in.Tags); err != nil {
		return nil, err
	}
	if err := s.plan(r, e, in.Config); err != nil {
		return nil, err
	}
	if in.Gateway != nil {
		gateway, err := s.checkGateway(r.user, e, in.Gateway)
		if err != nil {
			return nil, err
		}
		e.gateway = gateway
	}
	if err := s.change(r.now); err != nil {
		return nil, err
	}
	s.add(e)
	return e.detail(r), nil
}

// add gives an endpoint its id and stores it. Needs s.mu held.
func (s *serving) add(e *servingEndpoint) {
	s.made++
	e.id = strings.ReplaceAll(stableUUID("endpoint "+strconv.Itoa(s.made)), "-", "")
	s.endpoints = append(s.endpoints, e)
}

func (s *serving) putConfig(r *request) (any, error) {
	var in configRequest
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	e, err := s.named(r, "CAN_MANAGE")
	if err != nil {
		return nil, err
	}
	switch {
	case e.foundation():
		return nil, denied("The endpoint '" + e.name + "' is managed by Databricks and cannot be changed.")
	case e.state == "IN_PROGRESS":
		return nil, failure(http.StatusConflict, "RESOURCE_CONFLICT", "Endpoint '"+e.name+"' is currently updating. Wait until the update is finished before you start another one.")
	}
	if err := s.plan(r, e, in); err != nil {
		return nil, err
	}
	if err := s.change(r.now); err != nil {
		return nil, err
	}
	return e.detail(r), nil
}

// plan checks a configuration and begins to bring it up: what the endpoint
// serves already stays, the rest is deployed.
func (s *serving) plan(r *request, e *servingEndpoint, in configRequest) error {
	next := &servingConfig{version: 1, started: r.now, capture: in.Capture}
	if e.config != nil {
		next.version = e.config.version + 1
	}
	if err := s.planEntities(r, e, next, in); err != nil {
		return err
	}
	if err := next.route(in.Traffic.Routes); err != nil {
		return err
	}
	after, outcome := servingSwitch, "NOT_UPDATING"
	for _, d := range next.entities {
		switch up := d.begun.Add(servingBuild + servingStart); {
		case outcome == "UPDATE_FAILED":
		case d.lack != "":
			after, outcome = max(d.begun.Add(servingBuild).Sub(r.now), servingSwitch), "UPDATE_FAILED"
		case up.After(r.now):
			after = max(after, up.Sub(r.now))
		}
	}
	e.pending, e.updated = next, r.now
	e.pass("IN_PROGRESS", r.now, after, outcome)
	return nil
}

func (s *serving) planEntities(r *request, e *servingEndpoint, next *servingConfig, in configRequest) error {
	sent := in.Entities
	for _, m := range in.Models {
		m = clone(m)
		m["entity_name"], m["entity_version"] = m["model_name"], m["model_version"]
		sent = append(sent, m)
	}
	if len(sent) == 0 {
		return badArgument("At least one served entity must be given.")
	}
	if len(sent) > maxServedEntities {
		return badArgument(fmt.Sprintf("An endpoint can have at most %d served entities, got %d.", maxServedEntities, len(sent)))
	}
	for _, o := range sent {
		d, err := s.entity(r, o)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(next.entities, func(other *servedEntity) bool { return other.Name == d.Name }) {
			return badArgument("Served entity names must be unique within an endpoint: '" + d.Name + "' is given twice.")
		}
		if kept := e.running(d, r.now); kept != nil {
			kept.ScaleToZero, kept.in = d.ScaleToZero, d.in
			d = kept
		}
		next.entities = append(next.entities, d)
	}
	if external := next.entities[0].External; external != nil {
		e.external, _ = external["task"].(string)
	}
	return nil
}

// running is what the endpoint serves already as d describes it, a copy.
func (e *servingEndpoint) running(d *servedEntity, now time.Time) *servedEntity {
	if e.config == nil {
		return nil
	}
	for _, old := range e.config.entities {
		if old.Name == d.Name && old.Entity == d.Entity && old.Version == d.Version && old.Size == d.Size && maps.Equal(old.Environment, d.Environment) {
			kept := *old
			return &kept
		}
	}
	return nil
}

var workloadTypes = []string{"CPU", "CPU_LARGE", "CPU_MEDIUM", "GPU_LARGE", "GPU_MEDIUM", "GPU_SMALL", "GPU_XLARGE", "GPU_XLARGE_8", "MULTIGPU_MEDIUM"}

// entity checks one entity of a request.
func (s *serving) entity(r *request, sent object) (*servedEntity, error) {
	d := &servedEntity{in: object{}, creator: r.user.UserName, begun: r.now, used: r.now.Add(servingBuild + servingStart)}
	for _, key := range entityFields {
		if v, ok := sent[key]; ok {
			d.in[key] = v
		}
	}
	if err := recast(d.in, d); err != nil {
		return nil, err
	}
	if d.External != nil {
		return d, d.proxy()
	}
	switch {
	case d.Entity == "":
		return nil, badArgument("Missing required field: entity_name")
	case d.Version == "":
		return nil, badArgument("Missing required field: entity_version")
	}
	if d.Name == "" {
		d.Name = d.Entity[strings.LastIndex(d.Entity, ".")+1:] + "-" + d.Version
	}
	if d.Size == "" {
		d.Size = "Small"
	}
	if d.Workload == "" {
		d.Workload = "CPU"
	}
	d.in["name"], d.in["workload_size"], d.in["workload_type"] = d.Name, d.Size, d.Workload
	d.in["scale_to_zero_enabled"] = d.ScaleToZero
	switch {
	case len(d.Name) > 63 || !endpointName().MatchString(d.Name):
		return nil, badArgument("Served entity name '" + d.Name + "' is invalid: it must have at most 63 letters, digits, dashes and underscores.")
	case !slices.Contains([]string{"Small", "Medium", "Large"}, d.Size):
		return nil, badArgument("Invalid workload_size '" + d.Size + "'. Valid sizes are: Small, Medium, Large")
	case !slices.Contains(workloadTypes, d.Workload):
		return nil, badArgument("Invalid workload_type '" + d.Workload + "'. Valid types are: " + strings.Join(workloadTypes, ", "))
	}
	model, version, err := s.w.lakehouse.model(r.user, d.Entity, d.Version)
	if err != nil {
		return nil, err
	}
	d.model, d.lack = model, version.lack
	if name, missing := s.w.secrets.unreadable(r.user, d.Environment); missing {
		d.lack = "Failed to deploy " + d.Entity + " version " + d.Version + ": the secret that the environment variable " + name + " refers to does not exist, or the creator of the endpoint may not read it."
	}
	return d, nil
}

// proxy makes an entity of an external model: it is up at once, and its API
// keys are never shown again.
func (d *servedEntity) proxy() error {
	name, _ := d.External["name"].(string)
	if name == "" {
		return badArgument("Missing required field: external_model.name")
	}
	if d.Name == "" {
		d.Name = strings.NewReplacer(".", "-", ":", "-").Replace(name)
	}
	for _, config := range d.External {
		if o, ok := config.(object); ok {
			for key := range o {
				if strings.HasSuffix(key, "_plaintext") {
					delete(o, key)
				}
			}
		}
	}
	d.in["name"], d.in["external_model"] = d.Name, d.External
	d.begun = d.begun.Add(-servingBuild - servingStart)
	return nil
}

// route checks and sets the traffic. A single entity gets all of it unasked.
func (c *servingConfig) route(routes []servingRoute) error {
	if len(routes) == 0 && len(c.entities) == 1 {
		routes = []servingRoute{{Entity: c.entities[0].Name, Percent: 100}}
	}
	total := 0
	for _, r := range routes {
		if r.Entity == "" {
			r.Entity = r.Model
		}
		switch {
		case !slices.ContainsFunc(c.entities, func(d *servedEntity) bool { return d.Name == r.Entity }):
			return badArgument("The traffic configuration names the served entity '" + r.Entity + "', which the endpoint does not have.")
		case slices.ContainsFunc(c.routes, func(other servingRoute) bool { return other.Entity == r.Entity }):
			return badArgument("The traffic configuration has more than one route for '" + r.Entity + "'.")
		case r.Percent < 0 || r.Percent > 100:
			return badArgument("traffic_percentage must be between 0 and 100.")
		}
		total += r.Percent
		c.routes = append(c.routes, r)
	}
	if total != 100 {
		return badArgument(fmt.Sprintf("The traffic percentages of all routes must sum to 100, got %d.", total))
	}
	return nil
}

// checkTags refuses tags without a key and twice the same.
func (s *serving) checkTags(tags []servingTag) error {
	for i, t := range tags {
		if t.Key == "" {
			return badArgument("Missing required field: tags.key")
		}
		if slices.ContainsFunc(tags[:i], func(other servingTag) bool { return other.Key == t.Key }) {
			return badArgument("The tag '" + t.Key + "' is given twice.")
		}
	}
	return nil
}

func (s *serving) patchTags(r *request) (any, error) {
	var in struct {
		Add    []servingTag `json:"add_tags"`
		Delete []string     `json:"delete_tags"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	e, err := s.named(r, "CAN_MANAGE")
	if err != nil {
		return nil, err
	}
	if err := s.checkTags(in.Add); err != nil {
		return nil, err
	}
	gone := func(t servingTag) bool {
		return slices.Contains(in.Delete, t.Key) || slices.ContainsFunc(in.Add, func(a servingTag) bool { return a.Key == t.Key })
	}
	e.tags = append(slices.DeleteFunc(slices.Clone(e.tags), gone), in.Add...)
	e.updated = r.now
	return object{"tags": e.tags}, nil
}

func (s *serving) patchDescription(r *request) (any, error) {
	var in struct {
		Description string `json:"description"`
	}
	return s.patch(r, &in, func(e *servingEndpoint) { e.description = in.Description })
}

func (s *serving) patchBudget(r *request) (any, error) {
	var in struct {
		Budget string `json:"budget_policy_id"`
	}
	return s.patch(r, &in, func(e *servingEndpoint) { e.budget = in.Budget })
}

func (s *serving) patch(r *request, in any, set func(*servingEndpoint)) (any, error) {
	err := r.decode(in)
	e, refused := s.named(r, "CAN_MANAGE")
	if err := errors.Join(err, refused); err != nil {
		return nil, err
	}
	set(e)
	e.updated = r.now
	return e.detail(r), nil
}
