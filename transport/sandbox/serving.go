package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// serving is the state behind /api/2.0/serving-endpoints and
// /serving-endpoints (contract serving.md, agents.md).
type serving struct {
	w *Workspace

	mu        sync.Mutex // never held while SQL runs
	endpoints []*servingEndpoint
	made      int
	asked     int         // requests, for ids and the choice of a route
	changes   []time.Time // creates and updates of the last five minutes
}

// Stand-ins for what takes minutes: an agent is up in a quarter of an hour.
const (
	servingBuild  = 12 * time.Second // of the container image
	servingStart  = 8 * time.Second  // of its first replica
	servingSwitch = 2 * time.Second  // of traffic alone
	servingIdle   = 30 * time.Minute // until an entity scales to zero
)

// What the workspace allows.
const (
	maxServedEntities  = 15
	maxEndpoints       = 1000
	maxEndpointChanges = 50 // in endpointChanges
	endpointChanges    = 5 * time.Minute
)

// servingEndpoint is one endpoint. What is served is config; pending is what an
// update works on, or has failed on.
type servingEndpoint struct {
	lifecycle // state.config_update

	id, name, creator, description, budget string
	external                               string // task of an external model, or of a foundation model
	created, updated                       time.Time
	tags                                   []servingTag
	acl                                    acl
	gateway                                object
	optimized                              bool // route_optimized
	config, pending                        *servingConfig
	formatted                              bool        // an old deployment: its logs are processed into tables of their own
	window                                 []rateCount // calls of the running minute
}

type servingTag struct {
	Key   string `json:"key"`
	Value string `json:"value,omitempty"`
}

// servingConfig is one version of what an endpoint serves.
type servingConfig struct {
	version  int
	started  time.Time
	entities []*servedEntity
	routes   []servingRoute
	capture  object // auto_capture_config
}

// servedEntity is one deployment of a model version.
type servedEntity struct {
	Name        string            `json:"name"`
	Entity      string            `json:"entity_name"`
	Version     string            `json:"entity_version"`
	Size        string            `json:"workload_size"`
	Workload    string            `json:"workload_type"`
	ScaleToZero bool              `json:"scale_to_zero_enabled"`
	Environment map[string]string `json:"environment_vars"`
	External    object            `json:"external_model"`

	in      object // as it was sent, echoed
	model   modelInfo
	lack    string
	creator string
	begun   time.Time // of the deployment
	used    time.Time // last request; zero: scaled to zero, if it may
	warm    time.Time // when the replica started by a request is there
	// aborted: another entity of the same update failed first.
	aborted bool
}

type servingRoute struct {
	Entity  string `json:"served_entity_name"`
	Model   string `json:"served_model_name"`
	Percent int    `json:"traffic_percentage"`
}

func addServing(w *Workspace) error {
	s := &serving{w: w}
	w.serving = s
	s.seed()
	on := func(pattern string, h handler) { w.on(pattern, locked(&s.mu, h)) }
	const root = "/api/2.0/serving-endpoints"
	on("POST "+root, s.create)
	on("GET "+root, s.list)
	on("GET "+root+"/{name}", s.get)
	on("PUT "+root+"/{name}/config", s.putConfig)
	on("PUT "+root+"/{name}/ai-gateway", s.putGateway)
	on("PATCH "+root+"/{name}/tags", s.patchTags)
	on("PATCH "+root+"/{name}/description", s.patchDescription)
	on("PATCH "+root+"/{name}/budget-policy", s.patchBudget)
	on("DELETE "+root+"/{name}", s.delete)
	on("GET "+root+"/{name}/served-models/{served}/build-logs", s.buildLogs)
	on("GET "+root+"/{name}/served-models/{served}/logs", s.serverLogs)
	on("GET "+root+"/{name}/openapi", s.openAPI)
	on("GET "+root+"/{name}/metrics", s.metrics)
	const permissions = "/api/2.0/permissions/serving-endpoints/{id}"
	on("GET "+permissions, s.getPermissions)
	on("PUT "+permissions, s.setPermissions)
	on("PATCH "+permissions, s.setPermissions)
	on("GET "+permissions+"/permissionLevels", s.permissionLevels)
	s.addQueryRoutes()
	return nil
}

// advance brings an endpoint's update to its end, if that is due.
func (e *servingEndpoint) advance(now time.Time) {
	e.settle(now, func(state string, at time.Time) {
		e.updated = at
		if state != "NOT_UPDATING" {
			for _, entity := range e.pending.entities {
				entity.aborted = entity.lack == "" && !entity.ready(at)
			}
			return // what failed stays to be read, what ran before runs on
		}
		e.config, e.pending = e.pending, nil
	})
}

// deployment is an entity's state with its message.
func (d *servedEntity) deployment(now time.Time) (state, message string) {
	switch built := d.begun.Add(servingBuild); {
	case now.Before(built):
		return "DEPLOYMENT_CREATING", "Building the container image."
	case d.lack != "":
		return "DEPLOYMENT_FAILED", d.lack
	case d.aborted:
		return "DEPLOYMENT_ABORTED", "The deployment was aborted because another served entity of the update failed."
	case now.Before(built.Add(servingStart)):
		return "DEPLOYMENT_CREATING", "The container image is built. Waiting for the served entity to start."
	case d.asleep(now):
		return "DEPLOYMENT_READY", "Scaled to zero"
	}
	return "DEPLOYMENT_READY", ""
}

func (d *servedEntity) ready(now time.Time) bool {
	return d.lack == "" && !now.Before(d.begun.Add(servingBuild+servingStart))
}

// asleep says whether an entity that may has scaled to zero.
func (d *servedEntity) asleep(now time.Time) bool {
	return d.ScaleToZero && !now.Before(d.used.Add(servingIdle))
}

// wake starts a replica for a request, and says whether there is one already.
func (d *servedEntity) wake(now time.Time) bool {
	if d.asleep(now) {
		d.warm = now.Add(servingStart)
	}
	d.used = now
	return !now.Before(d.warm)
}

// task is the interface of what the endpoint serves, "" for classic ML.
func (e *servingEndpoint) task() string {
	if e.external != "" {
		return e.external
	}
	c := e.config
	if c == nil {
		c = e.pending
	}
	for _, d := range c.entities {
		if d.model.task != "" {
			return d.model.task
		}
	}
	return ""
}

// entity finds a served entity by name, of the update too.
func (e *servingEndpoint) entity(name string) *servedEntity {
	for _, c := range []*servingConfig{e.pending, e.config} {
		if c == nil {
			continue
		}
		for _, d := range c.entities {
			if d.Name == name {
				return d
			}
		}
	}
	return nil
}

// find brings an endpoint up to now; nil: there is none.
func (s *serving) find(name string, now time.Time) *servingEndpoint {
	for _, e := range s.endpoints {
		if strings.EqualFold(e.name, name) {
			e.advance(now)
			return e
		}
	}
	return nil
}

func noEndpoint(name string) *apiError {
	return failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Endpoint with name '"+name+"' does not exist.")
}

// named looks up the {name} of the path, checking the caller's level on it.
func (s *serving) named(r *request, level string) (*servingEndpoint, error) {
	return s.permitted(r, r.PathValue("name"), level)
}

func (s *serving) permitted(r *request, name, level string) (*servingEndpoint, error) {
	e := s.find(name, r.now)
	if e == nil {
		return nil, noEndpoint(name)
	}
	if !e.acl.allows(r.user, "serving-endpoints", level) {
		return nil, denied(fmt.Sprintf("User %s does not have %s permission on the serving endpoint '%s'.", r.user.UserName, level, e.name))
	}
	return e, nil
}

func (s *serving) list(r *request) (any, error) {
	rows := []object{}
	for _, e := range s.endpoints {
		e.advance(r.now)
		if e.acl.allows(r.user, "serving-endpoints", "CAN_VIEW") {
			rows = append(rows, e.summary())
		}
	}
	return object{"endpoints": rows}, nil
}

func (s *serving) get(r *request) (any, error) {
	e, err := s.named(r, "CAN_VIEW")
	if err != nil {
		return nil, err
	}
	return e.detail(r), nil
}

func (s *serving) delete(r *request) (any, error) {
	e, err := s.named(r, "CAN_MANAGE")
	if err != nil {
		return nil, err
	}
	if e.foundation() {
		return nil, denied("The endpoint '" + e.name + "' is managed by Databricks and cannot be deleted.")
	}
	s.endpoints = slices.DeleteFunc(s.endpoints, func(other *servingEndpoint) bool { return other == e })
	return nil, nil
}

// foundation endpoints are Databricks' own, pay per token.
func (e *servingEndpoint) foundation() bool { return strings.HasPrefix(e.name, "databricks-") }

// change counts a create or an update against the workspace's limit.
func (s *serving) change(now time.Time) error {
	s.changes = slices.DeleteFunc(s.changes, func(at time.Time) bool { return !now.Before(at.Add(endpointChanges)) })
	if len(s.changes) >= maxEndpointChanges {
		return failure(http.StatusTooManyRequests, "REQUEST_LIMIT_EXCEEDED", fmt.Sprintf("More than %d endpoints were created or updated in the last 5 minutes. Please try again later.", maxEndpointChanges))
	}
	s.changes = append(s.changes, now)
	return nil
}
