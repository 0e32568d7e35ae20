package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/policy"
)

// pickTime is how long a picked warehouse is used again without a look around.
const pickTime = 5 * time.Minute

// queryWarehouse is the warehouse of one query, and who chose it. Its state is
// empty where nobody had to know it.
type queryWarehouse struct {
	catalog.Warehouse
	from choice
}

type choice uint8

const (
	named      choice = iota // by the caller
	configured               // by the server's settings
	picked                   // by us
)

// queryWarehouse chooses a warehouse and makes sure that a query may run on it. A
// statement starts its warehouse, which costs money: where that is not allowed,
// only one that runs or is about to will do.
func (s *Server) queryWarehouse(ctx context.Context, call *catalog.Call) (queryWarehouse, error) {
	if id, ok := argument[string](call, "warehouse_id"); ok && id != "" {
		return s.usable(ctx, id, named)
	}
	if s.warehouse != nil {
		if id := s.warehouse(); id != "" && s.mayUse(ctx, id, "") {
			return s.usable(ctx, id, configured)
		}
	}
	if w, ok := s.picked.get(time.Now()); ok && s.mayUse(ctx, w.ID, w.Name) {
		if s.mayStart(ctx, w.ID) {
			return queryWarehouse{catalog.Warehouse{ID: w.ID, Name: w.Name}, picked}, nil
		}
		if w, err := s.lookAt(ctx, w.ID); err == nil && isUp(w) {
			return queryWarehouse{w, picked}, nil
		}
	}
	return s.pickWarehouse(ctx)
}

// mayUse reports whether the policy lets a query run on the warehouse. The name is
// empty where it is not known.
func (s *Server) mayUse(ctx context.Context, id, name string) bool {
	rules := rulesOf(ctx)
	if rules == nil || rules.Shows(policy.Object{Scope: catalog.ScopeWarehouses, ID: id, Name: name}) {
		return true
	}
	if name != "" {
		return false
	}
	w, err := s.lookups.Object(ctx, catalog.ScopeWarehouses, id)
	return err == nil && rules.Shows(w)
}

// mayStart reports whether a query may start the warehouse: what asks for
// confirmation, or is protected, no query starts on its own.
func (s *Server) mayStart(ctx context.Context, id string) bool {
	row := &catalog.StartWarehouse.Row
	if !s.access.Allows(row) {
		return false
	}
	rules := rulesOf(ctx)
	if rules == nil {
		return true
	}
	args, err := json.Marshal(map[string]string{"warehouse_id": id})
	if err != nil {
		return false
	}
	call, err := row.Bind(args)
	if err != nil {
		return false
	}
	d, _ := rules.Judge(ctx, call, s.lookups)
	return d.Action == policy.Allow || d.Shadow
}

// usable is the warehouse of that id, if a query may run on it.
func (s *Server) usable(ctx context.Context, id string, from choice) (queryWarehouse, error) {
	on := queryWarehouse{catalog.Warehouse{ID: id}, from}
	if s.mayStart(ctx, id) {
		return on, nil
	}
	w, err := s.lookAt(ctx, id)
	if err != nil {
		return on, on.blamed(inQuery("reading the state of the warehouse", err))
	}
	if on.Warehouse = w; isUp(w) {
		return on, nil
	}
	return on, on.blamed(s.wouldStart(ctx, w))
}

// lookAt reads the state of a warehouse.
func (s *Server) lookAt(ctx context.Context, id string) (catalog.Warehouse, error) {
	w, err := catalog.GetWarehouse.Call(ctx, s.api, catalog.GetWarehouseRequest{WarehouseID: id})
	if err != nil {
		return catalog.Warehouse{}, err
	}
	w.ID = id
	return *w, nil
}

// blamed says of an error in whose choice the warehouse was: the caller may not
// have named it.
func (on queryWarehouse) blamed(err error) error {
	if on.from == named {
		return err
	}
	e := *catalog.AsError(err)
	switch on.from {
	case configured:
		e.Advice += " The warehouse is the default of this server (--warehouse, DATABRICKS_WAREHOUSE_ID, or warehouse_id of the profile); warehouse_id names another."
	case picked:
		e.Advice += fmt.Sprintf(" Warehouse %s was picked, as none was named; warehouse_id names another.", on.ID)
	}
	return &e
}

// inQuery words an error of what a query does on the way.
func inQuery(doing string, err error) error {
	e := *catalog.AsError(err)
	e.Message = catalog.Query.Name + ", " + doing + ": " + e.Message
	return &e
}

// wouldStart refuses a warehouse that a query would start, and names others.
func (s *Server) wouldStart(ctx context.Context, w catalog.Warehouse) error {
	advice := ""
	if s.access.Allows(&catalog.ListWarehouses.Row) {
		advice = s.upNow(ctx)
	}
	return &catalog.Error{Kind: catalog.Denied,
		Message: fmt.Sprintf("%s on warehouse %s: it is %s; a query starts its warehouse, and starting warehouses is not allowed", catalog.Query.Name, w.ID, cmp.Or(w.State, "in no known state")),
		Advice:  advice + mayBeStarted}
}

// upNow names warehouses that a query can run on without a start; it is empty when
// they cannot be listed.
func (s *Server) upNow(ctx context.Context) string {
	all, err := s.listWarehouses(ctx)
	if err != nil {
		return ""
	}
	var names []string
	for _, w := range all {
		if isUp(w) && len(names) < 5 {
			names = append(names, fmt.Sprintf("%s (%s, %s)", w.ID, w.Name, w.State))
		}
	}
	if len(names) == 0 {
		return "No other is running. "
	}
	return "Give warehouse_id of one that is up: " + strings.Join(names, "; ") + ". "
}

const mayBeStarted = "The person who runs this server can start one, or allow it with --access warehouses=full. The query was not sent."

// pickWarehouse picks among all warehouses, and remembers which.
func (s *Server) pickWarehouse(ctx context.Context) (queryWarehouse, error) {
	all, err := s.listWarehouses(ctx)
	if err != nil {
		return queryWarehouse{}, err
	}
	if len(all) == 0 {
		advice := "Ask an admin for CAN_USE on one."
		if s.access.Allows(&catalog.CreateWarehouse.Row) {
			advice = "Make one with " + catalog.CreateWarehouse.Name + ", or ask an admin for CAN_USE on one."
		}
		return queryWarehouse{}, &catalog.Error{Kind: catalog.Missing,
			Message: catalog.Query.Name + ": there is no SQL warehouse that may be used", Advice: advice + " The query was not sent."}
	}
	slices.SortFunc(all, byPreference)
	best := all[0]
	i := slices.IndexFunc(all, func(w catalog.Warehouse) bool { return isUp(w) || s.mayStart(ctx, w.ID) })
	if i >= 0 {
		best = all[i]
	} else {
		return queryWarehouse{}, &catalog.Error{Kind: catalog.Denied,
			Message: fmt.Sprintf("%s: no SQL warehouse is running, and starting one (%s would be picked) is not allowed", catalog.Query.Name, best.ID), Advice: mayBeStarted}
	}
	s.picked.put(best, time.Now().Add(pickTime))
	return queryWarehouse{best, picked}, nil
}

// listWarehouses are all that a query may run on and that are not being deleted.
func (s *Server) listWarehouses(ctx context.Context) ([]catalog.Warehouse, error) {
	call, err := catalog.ListWarehouses.Bind(nil)
	if err != nil {
		return nil, err
	}
	var all []catalog.Warehouse
	for range maxInnerPages {
		answer, err := s.ask(ctx, call)
		if err != nil {
			return nil, inQuery("looking for a warehouse", err)
		}
		var page catalog.WarehouseList
		if err := json.Unmarshal(answer.Body, &page); err != nil {
			return nil, &catalog.Error{Kind: catalog.Down, Err: err, RequestID: answer.RequestID,
				Message: catalog.Query.Name + ", looking for a warehouse: the workspace's list is not the documented JSON", Advice: "Give warehouse_id."}
		}
		for _, w := range page.Warehouses {
			if preference(w) < unusable && s.mayUse(ctx, w.ID, w.Name) {
				all = append(all, w)
			}
		}
		next, more := call.Row.Next(parse(answer.Body), call, len(page.Warehouses))
		if !more {
			break
		}
		call = call.At(next)
	}
	return all, nil
}

// isUp reports whether a statement on the warehouse starts nothing. It may still
// stop before the statement arrives: the API has no way to say "only if it runs".
func isUp(w catalog.Warehouse) bool { return w.State == "RUNNING" || w.State == "STARTING" }

// unusable is the preference of a warehouse that is being deleted.
const unusable = 6

// preference is how good a pick a warehouse is, by state; the lowest is the best.
func preference(w catalog.Warehouse) int {
	healthy := w.Health.Status == "" || w.Health.Status == "HEALTHY"
	stopped := w.State == "STOPPED" || w.State == "STOPPING"
	switch {
	case w.State == "RUNNING" && healthy:
		return 0
	case w.State == "STARTING":
		return 1
	case w.State == "RUNNING": // it costs nothing more, but may be slow
		return 2
	case stopped && healthy && w.Serverless: // up in seconds
		return 3
	case stopped && healthy:
		return 4
	case stopped: // its last start failed
		return 5
	}
	return unusable
}

// byPreference orders warehouses from the best pick on: by state, small before
// large, serverless first, and by name so that the pick is always the same.
func byPreference(a, b catalog.Warehouse) int {
	serverless := 0
	switch {
	case a.Serverless && !b.Serverless:
		serverless = -1
	case b.Serverless && !a.Serverless:
		serverless = 1
	}
	return cmp.Or(cmp.Compare(preference(a), preference(b)), cmp.Compare(size(a), size(b)), serverless, cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
}

// size orders the sizes of contract sql.md, section 1.1; one that is not known
// counts as large.
func size(w catalog.Warehouse) int {
	for i, known := range [...]string{"2X-Small", "X-Small", "Small", "Medium", "Large", "X-Large", "2X-Large", "3X-Large", "4X-Large", "5X-Large"} {
		if w.ClusterSize == known {
			return i
		}
	}
	return 100
}

// starting says that a query waits for its warehouse to start; empty when it waits
// for something else, or when that cannot be found out.
func (s *Server) starting(ctx context.Context, on queryWarehouse) string {
	if on.State == "" {
		if w, err := s.lookAt(ctx, on.ID); err == nil {
			on.Warehouse = w
		}
	}
	if on.State == "" || on.State == "RUNNING" {
		return ""
	}
	return fmt.Sprintf("warehouse %s is starting", cmp.Or(on.Name, on.ID))
}

// pickedWarehouse remembers a pick for a while.
type pickedWarehouse struct {
	mu        sync.Mutex
	warehouse catalog.Warehouse
	until     time.Time
}

func (p *pickedWarehouse) get(now time.Time) (catalog.Warehouse, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.warehouse, now.Before(p.until)
}

func (p *pickedWarehouse) put(w catalog.Warehouse, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.warehouse, p.until = w, until
}

func (p *pickedWarehouse) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Time{}
}
