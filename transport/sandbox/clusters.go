package sandbox

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// clusters is the state behind /api/2.x/clusters (contract clusters.md).
type clusters struct {
	mu     sync.Mutex // held by every handler
	all    []*cluster // in order of creation
	tokens map[string]string
	made   int64
}

type cluster struct {
	lifecycle
	id         string
	spec       object // as last requested
	source     string // UI, API, JOB, …
	creator    string
	pinned     bool
	acl        acl
	created    time.Time
	started    time.Time // of the last start
	restarted  time.Time
	terminated time.Time
	reason     object // why it terminated
	message    string
	contextID  int64 // spark_context_id: beyond 2^53, another one after each start
	events     []clusterEvent
}

// How long the states that pass take: short stand-ins for the minutes of a
// real cluster.
const (
	clusterPending     = 15 * time.Second
	clusterRestarting  = 10 * time.Second
	clusterResizing    = 5 * time.Second
	clusterTerminating = 5 * time.Second
)

func addClusters(w *Workspace) error {
	cs := &clusters{tokens: map[string]string{}}
	w.clusters = cs
	cs.seed(w.clock.Now())
	on := func(pattern string, h handler) { w.on(pattern, locked(&cs.mu, h)) }
	// Both versions are alive; only list differs.
	for _, version := range []string{"2.0", "2.1"} {
		root := "/api/" + version + "/clusters/"
		on("POST "+root+"create", cs.create)
		on("GET "+root+"get", cs.get)
		on("POST "+root+"start", cs.start)
		on("POST "+root+"delete", cs.terminate)
		on("POST "+root+"restart", cs.restart)
		on("POST "+root+"resize", cs.resize)
		on("POST "+root+"edit", cs.edit)
		on("POST "+root+"permanent-delete", cs.permanentDelete)
		on("POST "+root+"pin", cs.pin(true))
		on("POST "+root+"unpin", cs.pin(false))
		on("POST "+root+"events", cs.listEvents)
		w.on("GET "+root+"list-node-types", listNodeTypes)
		w.on("GET "+root+"spark-versions", listSparkVersions)
		w.on("GET "+root+"list-zones", listZones)
	}
	on("GET /api/2.0/clusters/list", cs.listAll)
	on("GET /api/2.1/clusters/list", cs.list)
	w.on("GET /api/2.0/policies/clusters/list", func(*request) (any, error) { return object{}, nil })
	w.on("GET /api/2.0/instance-pools/list", func(*request) (any, error) { return object{}, nil })
	return nil
}

// begin starts c at a point in time, at its last size.
func (c *cluster) begin(at time.Time, user string) {
	c.started, c.restarted, c.terminated = at, at, time.Time{}
	c.reason, c.message = nil, "Finding instances for new nodes, acquiring more instances if necessary"
	c.contextID = contextID(c.id, at)
	c.pass("PENDING", at, clusterPending, "RUNNING")
	kind := "STARTING"
	if len(c.events) == 0 {
		kind = "CREATING"
	}
	c.event(kind, at, object{"user": user, "cluster_size": c.size()})
}

// end begins the termination of c.
func (c *cluster) end(at time.Time, code, kind, message string, parameters object) {
	c.reason = object{"code": code, "type": kind, "parameters": parameters}
	c.message = message
	c.pass("TERMINATING", at, clusterTerminating, "TERMINATED")
	c.event("TERMINATING", at, object{"reason": c.reason})
}

// advance brings c to now, auto-termination included.
func (c *cluster) advance(now time.Time) {
	for {
		c.settle(now, func(state string, at time.Time) {
			switch state {
			case "RUNNING":
				c.message = ""
				c.event("RUNNING", at, object{"current_num_workers": c.workers(), "target_num_workers": c.workers()})
			case "TERMINATED":
				c.terminated = at
			}
		})
		idle := time.Duration(number(c.spec["autotermination_minutes"])) * time.Minute
		if c.state != "RUNNING" || idle == 0 || now.Before(c.since.Add(idle)) {
			return
		}
		minutes := fmt.Sprint(number(c.spec["autotermination_minutes"]))
		c.end(c.since.Add(idle), "INACTIVITY", "SUCCESS",
			"Inactive cluster terminated (inactive for "+minutes+" minutes).", object{"inactivity_duration_min": minutes})
	}
}

func contextID(id string, at time.Time) int64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "spark context %s %d", id, at.UnixMilli()))
	return 1<<60 | int64(binary.BigEndian.Uint64(sum[:8])>>4)
}

// newID has the shape of real ones: MMDD-hhmmss-xxxxxxxx. Needs cs.mu held.
func (cs *clusters) newID(at time.Time) string {
	cs.made++
	sum := sha256.Sum256(fmt.Appendf(nil, "cluster %d", cs.made))
	return at.UTC().Format("0102-150405-") + hex.EncodeToString(sum[:4])
}

// find brings the cluster up to now. Needs cs.mu held.
func (cs *clusters) find(id string, now time.Time) (*cluster, error) {
	if id == "" {
		return nil, badArgument("Missing required field: cluster_id")
	}
	for _, c := range cs.all {
		if c.id == id {
			c.advance(now)
			if c.expired(now) {
				return nil, failure(http.StatusBadRequest, "INVALID_STATE", "Cannot access cluster "+id+" that was terminated or unpinned more than 30 days ago.")
			}
			return c, nil
		}
	}
	return nil, badArgument("Cluster " + id + " does not exist")
}

// expired clusters are gone from lists and refused by id.
func (c *cluster) expired(now time.Time) bool {
	return c.state == "TERMINATED" && !c.pinned && now.Sub(c.terminated) > 30*24*time.Hour
}

// named decodes {"cluster_id": …} and looks it up, checking the caller's level.
func (cs *clusters) named(r *request, level string) (*cluster, error) {
	var body struct {
		ID string `json:"cluster_id"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	return cs.permitted(r, body.ID, level)
}

func (cs *clusters) permitted(r *request, id, level string) (*cluster, error) {
	c, err := cs.find(id, r.now)
	if err != nil {
		return nil, err
	}
	if !c.acl.allows(r.user, "clusters", level) {
		return nil, denied(fmt.Sprintf("%s does not have %s permissions on cluster %s", r.user.UserName, level, id))
	}
	return c, nil
}

func unexpectedState(c *cluster) error {
	return failure(http.StatusBadRequest, "INVALID_STATE", "Cluster "+c.id+" is in unexpected state "+title(c.state)+".")
}

// title turns PENDING into Pending.
func title(state string) string {
	b := []byte(state)
	for i := 1; i < len(b); i++ {
		b[i] |= 0x20
	}
	return string(b)
}

func (cs *clusters) create(r *request) (any, error) {
	if !r.user.Admin && !r.user.in("data-engineers") {
		return nil, denied("You are not authorized to create clusters. Please contact your administrator.")
	}
	var body object
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	token, err := popToken(body)
	if err != nil {
		return nil, err
	}
	spec, err := clusterSpec(body)
	if err != nil {
		return nil, err
	}
	if id, again := cs.tokens[token]; again && token != "" {
		return object{"cluster_id": id}, nil
	}
	c := cs.add(cs.newID(r.now), spec, "API", r.user.UserName, r.now)
	c.begin(r.now, r.user.UserName)
	if token != "" {
		cs.tokens[token] = c.id
	}
	return object{"cluster_id": c.id}, nil
}

// popToken takes idempotency_token out of a request.
func popToken(body object) (string, error) {
	token, _ := body["idempotency_token"].(string)
	delete(body, "idempotency_token")
	if len(token) > 64 {
		return "", badArgument(fmt.Sprintf("idempotency_token must be at most 64 characters, got %d", len(token)))
	}
	return token, nil
}

// add stores a new cluster, without a state. Needs cs.mu held.
func (cs *clusters) add(id string, spec object, source, creator string, at time.Time) *cluster {
	c := &cluster{id: id, spec: spec, source: source, creator: creator, created: at, acl: acl{creator: "CAN_MANAGE"}}
	cs.all = append(cs.all, c)
	return c
}

func (cs *clusters) get(r *request) (any, error) {
	c, err := cs.permitted(r, r.URL.Query().Get("cluster_id"), "CAN_ATTACH_TO")
	if err != nil {
		return nil, err
	}
	o := c.view()
	o["spec"] = c.spec
	return o, nil
}

func (cs *clusters) start(r *request) (any, error) {
	c, err := cs.named(r, "CAN_RESTART")
	switch {
	case err != nil:
		return nil, err
	case c.source == "JOB":
		return nil, badArgument("Cluster " + c.id + " was created by a job and cannot be started")
	case c.state != "TERMINATED":
		return nil, unexpectedState(c)
	}
	c.begin(r.now, r.user.UserName)
	return nil, nil
}

func (cs *clusters) terminate(r *request) (any, error) {
	c, err := cs.named(r, "CAN_RESTART")
	if err != nil {
		return nil, err
	}
	if c.state != "TERMINATING" && c.state != "TERMINATED" {
		c.end(r.now, "USER_REQUEST", "SUCCESS", "Terminated by "+r.user.UserName, object{"username": r.user.UserName})
	}
	return nil, nil
}

func (cs *clusters) restart(r *request) (any, error) {
	c, err := cs.named(r, "CAN_RESTART")
	if err != nil {
		return nil, err
	}
	if c.state == "RUNNING" {
		c.restartNow(r.now, r.user.UserName)
	}
	return nil, nil
}

func (c *cluster) restartNow(at time.Time, user string) {
	c.restarted, c.contextID = at, contextID(c.id, at)
	c.pass("RESTARTING", at, clusterRestarting, "RUNNING")
	c.event("RESTARTING", at, object{"user": user})
}

func (cs *clusters) resize(r *request) (any, error) {
	var body struct {
		ID      string `json:"cluster_id"`
		Workers *int64 `json:"num_workers"`
		Scale   object `json:"autoscale"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	c, err := cs.permitted(r, body.ID, "CAN_MANAGE")
	switch {
	case err != nil:
		return nil, err
	case c.state != "RUNNING":
		return nil, unexpectedState(c)
	case body.Workers == nil && body.Scale == nil:
		return nil, badArgument("Missing required field: num_workers or autoscale")
	}
	before := c.size()
	delete(c.spec, "autoscale")
	delete(c.spec, "num_workers")
	if body.Scale != nil {
		c.spec["autoscale"] = body.Scale
	} else {
		c.spec["num_workers"] = *body.Workers
	}
	c.pass("RESIZING", r.now, clusterResizing, "RUNNING")
	c.event("RESIZING", r.now, object{"user": r.user.UserName, "previous_cluster_size": before, "cluster_size": c.size()})
	return nil, nil
}

// edit replaces the whole specification, and restarts a running cluster.
func (cs *clusters) edit(r *request) (any, error) {
	var body object
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	id, _ := body["cluster_id"].(string)
	delete(body, "cluster_id")
	spec, err := clusterSpec(body)
	if err != nil {
		return nil, err
	}
	c, err := cs.permitted(r, id, "CAN_MANAGE")
	switch {
	case err != nil:
		return nil, err
	case c.source == "JOB":
		return nil, badArgument("Cluster " + c.id + " was created by a job and cannot be edited")
	case c.state != "RUNNING" && c.state != "TERMINATED":
		return nil, unexpectedState(c)
	}
	c.spec = spec
	c.event("EDITED", r.now, object{"user": r.user.UserName})
	if c.state == "RUNNING" {
		c.restartNow(r.now, r.user.UserName)
	}
	return nil, nil
}

func (cs *clusters) permanentDelete(r *request) (any, error) {
	c, err := cs.named(r, "CAN_MANAGE")
	if err != nil {
		return nil, err
	}
	if c.pinned {
		return nil, badArgument("Cluster " + c.id + " is pinned: unpin the cluster first")
	}
	cs.all = slices.DeleteFunc(cs.all, func(other *cluster) bool { return other == c })
	return nil, nil
}

func (cs *clusters) pin(on bool) handler {
	return func(r *request) (any, error) {
		c, err := cs.named(r, "CAN_MANAGE")
		if err != nil {
			return nil, err
		}
		if !r.user.Admin {
			return nil, denied("Only workspace admins can pin and unpin clusters")
		}
		if c.pinned != on {
			c.pinned = on
			c.event(map[bool]string{true: "PINNED", false: "UNPINNED"}[on], r.now, object{"user": r.user.UserName})
		}
		return nil, nil
	}
}
