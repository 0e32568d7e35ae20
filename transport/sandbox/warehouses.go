package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// warehouses is the state behind /api/2.0/sql/warehouses (contract sql.md,
// section 1).
type warehouses struct {
	mu     sync.Mutex // held by every handler
	all    []*warehouse
	made   int64
	people *people
}

type warehouse struct {
	lifecycle
	id       string
	settings warehouseSettings
	creator  string
	acl      acl
	used     time.Time // last statement or start: auto-stop counts from here
}

// warehouseSettings are the fields of create and edit. Pointers: absent means
// "default" on create and "keep" on edit, and zero is a value.
type warehouseSettings struct {
	Name               *string `json:"name"`
	ClusterSize        *string `json:"cluster_size"`
	MinClusters        *int64  `json:"min_num_clusters"`
	MaxClusters        *int64  `json:"max_num_clusters"`
	AutoStopMins       *int64  `json:"auto_stop_mins"`
	Type               *string `json:"warehouse_type"`
	Serverless         *bool   `json:"enable_serverless_compute"`
	Photon             *bool   `json:"enable_photon"`
	SpotPolicy         *string `json:"spot_instance_policy"`
	Channel            object  `json:"channel"`
	Tags               object  `json:"tags"`
	InstanceProfileARN *string `json:"instance_profile_arn"`
}

func addWarehouses(w *Workspace) error {
	ws := &warehouses{people: w.people}
	w.warehouses = ws
	ws.seed(w.clock.Now())
	on := func(pattern string, h handler) { w.on(pattern, locked(&ws.mu, h)) }
	const root = "/api/2.0/sql/warehouses"
	on("POST "+root, ws.create)
	on("GET "+root, ws.list)
	on("GET "+root+"/{id}", ws.get)
	on("POST "+root+"/{id}/start", ws.start)
	on("POST "+root+"/{id}/stop", ws.stop)
	on("POST "+root+"/{id}/edit", ws.edit)
	on("DELETE "+root+"/{id}", ws.delete)
	return nil
}

// startup is how long a start takes: seconds for serverless, and for the others
// a short stand-in for the minutes of a real one.
func (wh *warehouse) startup() time.Duration {
	switch {
	case *wh.settings.Serverless:
		return 3 * time.Second
	case *wh.settings.Type == "PRO":
		return 10 * time.Second
	}
	return 15 * time.Second
}

const warehouseStopping = 3 * time.Second

// begin starts wh at a point in time.
func (wh *warehouse) begin(at time.Time) {
	wh.used = at
	wh.pass("STARTING", at, wh.startup(), "RUNNING")
}

// advance brings wh to now, auto-stop included.
func (wh *warehouse) advance(now time.Time) {
	for {
		wh.settle(now, func(state string, at time.Time) {
			if state == "RUNNING" && at.After(wh.used) {
				wh.used = at
			}
		})
		idle := time.Duration(*wh.settings.AutoStopMins) * time.Minute
		if wh.state != "RUNNING" || idle == 0 || now.Before(wh.used.Add(idle)) {
			return
		}
		wh.pass("STOPPING", wh.used.Add(idle), warehouseStopping, "STOPPED")
	}
}

// find brings the warehouse up to now; nil: there is none. Needs ws.mu held.
func (ws *warehouses) find(id string, now time.Time) *warehouse {
	for _, wh := range ws.all {
		if wh.id == id {
			wh.advance(now)
			if wh.state == "DELETED" {
				return nil
			}
			return wh
		}
	}
	return nil
}

func noWarehouse(id string) *apiError {
	return failure(http.StatusBadRequest, "RESOURCE_DOES_NOT_EXIST", "Warehouse "+id+" does not exist")
}

// acquire is what a statement does to its warehouse: it uses it, and starts it
// when it is stopped. running is false while it starts; the caller asks again.
// An unknown id is 400 RESOURCE_DOES_NOT_EXIST.
func (ws *warehouses) acquire(id string, now time.Time) (running bool, err error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	wh := ws.find(id, now)
	if wh == nil || wh.state == "DELETING" {
		return false, noWarehouse(id)
	}
	switch wh.state {
	case "STOPPED":
		wh.begin(now)
	case "RUNNING":
		wh.used = now
	}
	return wh.state == "RUNNING", nil
}

// mayUse refuses a user without CAN_USE on the warehouse; an unknown id is the
// business of acquire.
func (ws *warehouses) mayUse(user *principal, id string, now time.Time) error {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if wh := ws.find(id, now); wh != nil {
		return wh.check(user, "CAN_USE", "use")
	}
	return nil
}

func (wh *warehouse) check(user *principal, level, verb string) error {
	if !wh.acl.allows(user, "warehouses", level) {
		return denied(fmt.Sprintf("%s does not have permission to %s SQL warehouse %s. It needs %s.", user.UserName, verb, wh.id, level))
	}
	return nil
}

// named looks up the {id} of the path, checking the caller's level on it.
func (ws *warehouses) named(r *request, level, verb string) (*warehouse, error) {
	wh := ws.find(r.PathValue("id"), r.now)
	if wh == nil {
		return nil, noWarehouse(r.PathValue("id"))
	}
	return wh, wh.check(r.user, level, verb)
}

func (ws *warehouses) create(r *request) (any, error) {
	if !r.user.Admin && !r.user.in("data-engineers") {
		return nil, denied("You do not have permission to create SQL warehouses: the allow-cluster-create entitlement is missing.")
	}
	var s warehouseSettings
	if err := r.decode(&s); err != nil {
		return nil, err
	}
	s = s.over(warehouseDefaults())
	if err := ws.check(s, ""); err != nil {
		return nil, err
	}
	wh := ws.add(s, r.user.UserName)
	wh.begin(r.now)
	return object{"id": wh.id}, nil
}

// add stores a new warehouse, without a state. Needs ws.mu held.
func (ws *warehouses) add(s warehouseSettings, creator string) *warehouse {
	ws.made++
	wh := &warehouse{id: warehouseID(ws.made), settings: s, creator: creator, acl: acl{creator: "IS_OWNER"}}
	ws.all = append(ws.all, wh)
	return wh
}

// warehouseID is the id of the n-th warehouse made: 16 hex digits, the same in
// every process.
func warehouseID(n int64) string {
	sum := sha256.Sum256([]byte("warehouse " + strconv.FormatInt(n, 10)))
	return hex.EncodeToString(sum[:8])
}

func (ws *warehouses) list(r *request) (any, error) {
	size, err := r.int("page_size", 100)
	if err != nil {
		return nil, err
	}
	if size < 1 || size > 1000 {
		return nil, badArgument(fmt.Sprintf("Invalid page_size %d. It must be between 1 and 1000.", size))
	}
	var rows []object
	for _, wh := range ws.all {
		wh.advance(r.now)
		if wh.state != "DELETED" && wh.acl.allows(r.user, "warehouses", "CAN_VIEW") {
			rows = append(rows, wh.view(r))
		}
	}
	cut, err := page("warehouses", r.URL.Query().Get("page_token"), len(rows), int(size), 0)
	if err != nil {
		return nil, err
	}
	out := object{}
	if rows = rows[cut.from:cut.to]; len(rows) > 0 {
		out["warehouses"] = rows
	}
	if cut.next != "" {
		out["next_page_token"] = cut.next
	}
	return out, nil
}

func (ws *warehouses) get(r *request) (any, error) {
	wh, err := ws.named(r, "CAN_VIEW", "view")
	if err != nil {
		return nil, err
	}
	return wh.view(r), nil
}

func (ws *warehouses) start(r *request) (any, error) {
	wh, err := ws.named(r, "CAN_USE", "start")
	if err != nil {
		return nil, err
	}
	if wh.state == "STOPPED" || wh.state == "STOPPING" {
		wh.begin(r.now)
	}
	return nil, nil
}

func (ws *warehouses) stop(r *request) (any, error) {
	wh, err := ws.named(r, "CAN_MANAGE", "stop")
	if err != nil {
		return nil, err
	}
	if wh.state == "RUNNING" || wh.state == "STARTING" {
		wh.pass("STOPPING", r.now, warehouseStopping, "STOPPED")
	}
	return nil, nil
}

func (ws *warehouses) edit(r *request) (any, error) {
	var s warehouseSettings
	if err := r.decode(&s); err != nil {
		return nil, err
	}
	wh, err := ws.named(r, "CAN_MANAGE", "edit")
	if err != nil {
		return nil, err
	}
	s = s.over(wh.settings)
	if err := ws.check(s, wh.id); err != nil {
		return nil, err
	}
	wh.settings = s
	return nil, nil
}

func (ws *warehouses) delete(r *request) (any, error) {
	wh, err := ws.named(r, "CAN_MANAGE", "delete")
	if err != nil {
		return nil, err
	}
	if wh.state != "DELETING" {
		wh.pass("DELETING", r.now, warehouseStopping, "DELETED")
	}
	return nil, nil
}

var warehouseSizes = []string{"2X-Small", "X-Small", "Small", "Medium", "Large", "X-Large", "2X-Large", "3X-Large", "4X-Large", "5X-Large"}

// check refuses what create and edit refuse; self is the warehouse's own id.
func (ws *warehouses) check(s warehouseSettings, self string) error {
	switch {
	case *s.Name == "":
		return badArgument("Missing required field: name")
	case len(*s.Name) >= 100:
		return badArgument("SQL warehouse name must be less than 100 characters")
	case *s.ClusterSize == "":
		return badArgument("Missing required field: cluster_size")
	case !slices.Contains(warehouseSizes, *s.ClusterSize):
		return badArgument("Invalid cluster_size `" + *s.ClusterSize + "`. Valid sizes are: " + strings.Join(warehouseSizes, ", "))
	case *s.AutoStopMins != 0 && *s.AutoStopMins < 10 && !(*s.Serverless && *s.AutoStopMins > 0):
		return badArgument("auto_stop_mins must be 0 (no auto stop) or at least 10")
	case *s.MinClusters < 1 || *s.MinClusters > 30:
		return badArgument("min_num_clusters must be between 1 and 30")
	case *s.MaxClusters < *s.MinClusters || *s.MaxClusters > 40:
		return badArgument("max_num_clusters must be between min_num_clusters and 40")
	case !slices.Contains([]string{"PRO", "CLASSIC", "TYPE_UNSPECIFIED"}, *s.Type):
		return badArgument("Invalid warehouse_type `" + *s.Type + "`. Valid types are: PRO, CLASSIC")
	case !slices.Contains([]string{"COST_OPTIMIZED", "RELIABILITY_OPTIMIZED", "POLICY_UNSPECIFIED"}, *s.SpotPolicy):
		return badArgument("Invalid spot_instance_policy `" + *s.SpotPolicy + "`. Valid policies are: COST_OPTIMIZED, RELIABILITY_OPTIMIZED")
	case *s.Serverless && *s.Type != "PRO":
		return badArgument("Serverless compute requires warehouse_type PRO")
	}
	for _, other := range ws.all {
		if other.id != self && other.state != "DELETING" && other.state != "DELETED" && *other.settings.Name == *s.Name {
			return badArgument("SQL warehouse with name `" + *s.Name + "` already exists")
		}
	}
	return nil
}
