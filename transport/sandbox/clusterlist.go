package sandbox

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

var (
	clusterSources = []string{"UI", "API", "JOB", "MODELS", "PIPELINE", "PIPELINE_MAINTENANCE", "SQL"}
	clusterStates  = []string{"PENDING", "RUNNING", "RESTARTING", "RESIZING", "TERMINATING", "TERMINATED", "ERROR", "UNKNOWN"}
)

// visible is every cluster the caller may see, brought up to now. Needs cs.mu
// held.
func (cs *clusters) visible(r *request) []*cluster {
	var out []*cluster
	for _, c := range cs.all {
		c.advance(r.now)
		if !c.expired(r.now) && c.acl.allows(r.user, "clusters", "CAN_ATTACH_TO") {
			out = append(out, c)
		}
	}
	return out
}

// listAll is version 2.0 of list: one answer, no filters.
func (cs *clusters) listAll(r *request) (any, error) {
	return clusterPage(cs.visible(r)), nil
}

func clusterPage(list []*cluster) object {
	if len(list) == 0 {
		return object{}
	}
	rows := make([]object, len(list))
	for i, c := range list {
		rows[i] = c.view()
	}
	return object{"clusters": rows}
}

// list is version 2.1: everything of the last 30 days, job clusters included,
// unless the caller filters (contract clusters.md, section 2.2).
func (cs *clusters) list(r *request) (any, error) {
	q := r.URL.Query()
	sources, states := q["filter_by.cluster_sources"], q["filter_by.cluster_states"]
	for name, given := range map[string][2][]string{"cluster_sources": {sources, clusterSources}, "cluster_states": {states, clusterStates}} {
		for _, v := range given[0] {
			if !slices.Contains(given[1], v) {
				return nil, badArgument(fmt.Sprintf("Invalid filter_by.%s %q. Valid values are: %s", name, v, strings.Join(given[1], ", ")))
			}
		}
	}
	pinned, err := r.bool("filter_by.is_pinned")
	if err != nil {
		return nil, err
	}
	size, err := r.int("page_size", 20)
	if err != nil {
		return nil, err
	}
	if size < 1 || size > 100 {
		return nil, badArgument(fmt.Sprintf("Invalid page_size %d. It must be between 1 and 100", size))
	}
	less, err := clusterOrder(q.Get("sort_by.field"), q.Get("sort_by.direction"))
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(cs.visible(r), func(c *cluster) bool {
		policy, _ := c.spec["policy_id"].(string)
		return len(sources) > 0 && !slices.Contains(sources, c.source) ||
			len(states) > 0 && !slices.Contains(states, c.state) ||
			q.Has("filter_by.is_pinned") && c.pinned != pinned ||
			q.Get("filter_by.policy_id") != "" && policy != q.Get("filter_by.policy_id")
	})
	slices.SortStableFunc(all, less)
	cut, err := page("clusters", q.Get("page_token"), len(all), int(size), 0)
	if err != nil {
		return nil, err
	}
	out := clusterPage(all[cut.from:cut.to])
	out["next_page_token"], out["prev_page_token"] = cut.next, cut.prev
	return out, nil
}

func (c *cluster) name() string {
	name, _ := c.spec["cluster_name"].(string)
	return name
}

// clusterOrder is DEFAULT (state, pinned, name) or CLUSTER_NAME.
func clusterOrder(field, direction string) (func(a, b *cluster) int, error) {
	var order func(a, b *cluster) int
	switch field {
	case "", "DEFAULT":
		rank := func(c *cluster) int {
			n := 2 * max(0, slices.Index(clusterStates, c.state))
			if !c.pinned {
				n++
			}
			return n
		}
		order = func(a, b *cluster) int { return cmp.Or(rank(a)-rank(b), cmp.Compare(a.name(), b.name())) }
	case "CLUSTER_NAME":
		order = func(a, b *cluster) int { return cmp.Compare(a.name(), b.name()) }
	default:
		return nil, badArgument("Invalid sort_by.field " + field + ". Valid values are: DEFAULT, CLUSTER_NAME")
	}
	switch direction {
	case "", "ASC":
		return order, nil
	case "DESC":
		return func(a, b *cluster) int { return order(b, a) }, nil
	}
	return nil, badArgument("Invalid sort_by.direction " + direction + ". Valid values are: ASC, DESC")
}

type clusterEvent struct {
	at      time.Time
	kind    string
	details object
}

func (c *cluster) event(kind string, at time.Time, details object) {
	c.events = append(c.events, clusterEvent{at, kind, details})
}

// listEvents is POST events, which only reads.
func (cs *clusters) listEvents(r *request) (any, error) {
	var body struct {
		ID       string   `json:"cluster_id"`
		Start    int64    `json:"start_time"`
		End      int64    `json:"end_time"`
		Order    string   `json:"order"`
		Types    []string `json:"event_types"`
		PageSize int64    `json:"page_size"`
		Limit    int64    `json:"limit"`
		Offset   int64    `json:"offset"`
		Token    string   `json:"page_token"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	size := cmp.Or(body.PageSize, body.Limit, 50)
	if size < 0 || size > 500 {
		return nil, badArgument(fmt.Sprintf("Invalid page_size %d. It must be between 0 and 500", size))
	}
	c, err := cs.permitted(r, body.ID, "CAN_ATTACH_TO")
	if err != nil {
		return nil, err
	}
	var rows []object
	for _, e := range c.events {
		at := millis(e.at)
		if at < body.Start || body.End > 0 && at > body.End || len(body.Types) > 0 && !slices.Contains(body.Types, e.kind) {
			continue
		}
		rows = append(rows, object{"cluster_id": c.id, "timestamp": at, "type": e.kind, "details": e.details})
	}
	if body.Order != "ASC" {
		slices.Reverse(rows)
	}
	cut, err := page("events", body.Token, len(rows), int(size), int(max(0, body.Offset)))
	if err != nil {
		return nil, err
	}
	out := object{"next_page_token": cut.next, "prev_page_token": cut.prev, "total_count": len(rows)}
	if rows = rows[cut.from:cut.to]; len(rows) > 0 {
		out["events"] = rows
	}
	return out, nil
}
