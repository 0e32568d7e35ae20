package runs

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

const (
	// goneTime is how long a workspace without a Supervisor API is not asked again.
	goneTime = 10 * time.Minute
	// insteadTime bounds the look for what is there instead.
	insteadTime = 5 * time.Second
	maxInstead  = 4 // of each kind
)

// gone remembers that there is no Supervisor API.
type gone struct {
	until time.Time
	why   *catalog.Error
}

// noSupervisor tells a workspace without the API, or with its preview off, from a
// request about something that is not there.
func noSupervisor(e *catalog.Error, run *Run) bool {
	switch {
	case strings.Contains(e.Message, "Please ensure AI Gateway V2 is enabled"):
		return true
	case e.Code == "FEATURE_DISABLED", e.Status == http.StatusGone, e.Status == http.StatusNotImplemented:
		return true
	case e.Status == http.StatusForbidden && strings.Contains(strings.ToLower(e.Message), "not enabled"):
		return true
	case e.Kind != catalog.Missing:
		return false
	case e.MissingRoute:
		return true
	}
	// Any other 404 may be the path, the model or a tool: the API is there when the
	// message names something of the request, or had been there before.
	names := []string{run.Request.Model}
	for _, tool := range run.Request.Tools {
		kind := gjson.GetBytes(tool, "type").Str
		for _, name := range []string{"id", "name", "knowledge_assistant_id"} {
			names = append(names, gjson.GetBytes(tool, kind+"."+name).Str)
		}
	}
	for _, name := range names {
		if name != "" && strings.Contains(e.Message, name) {
			return false
		}
	}
	return e.Code == "" || len(run.Responses) == 0
}

// remembered refuses at once what was refused for good a short while ago.
func (s *Supervisor) remembered(ctx context.Context) error {
	s.mu.Lock()
	known := s.gone
	s.mu.Unlock()
	if known.why == nil || !time.Now().Before(known.until) {
		return nil
	}
	return s.retired(ctx, known.why)
}

// leave remembers that there is no Supervisor API, and refuses.
func (s *Supervisor) leave(ctx context.Context, why *catalog.Error) error {
	s.mu.Lock()
	s.gone = gone{until: time.Now().Add(goneTime), why: why}
	s.mu.Unlock()
	return s.retired(ctx, why)
}

// retired is the refusal. What is there instead is looked up each time: it differs
// by user and by policy, and apps are stopped and started.
func (s *Supervisor) retired(ctx context.Context, why *catalog.Error) error {
	left := *why
	left.Kind = catalog.Missing
	left.Message = "the Supervisor API is not available in this workspace: " + why.Message
	left.Advice = "Its end of life was 30 September 2026, or its preview (AI Gateway) is off. " + s.instead(ctx) + " Nothing was started."
	return &left
}

// instead names the agents that this user may ask here and that can answer now, as
// far as they are found in time.
func (s *Supervisor) instead(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, insteadTime)
	defer cancel()
	lists := []struct {
		row   *catalog.Row
		query string
		items string
		name  func(gjson.Result) string
	}{
		{&catalog.ListApps.Row, "page_size=50", "apps", runningApp},
		{&catalog.ListRunEndpoints.Row, "", "endpoints", readyAgent},
		{&catalog.ListSpaces.Row, "page_size=50", "spaces", func(space gjson.Result) string {
			return prefixed(geniePrefix, space.Get("space_id").Str)
		}},
	}
	found := make([][]string, len(lists))
	var all sync.WaitGroup
	for i, list := range lists {
		all.Go(func() {
			answer, err := s.API.Do(ctx, &catalog.Call{Row: list.row, Path: list.row.Path, Query: list.query})
			if err != nil {
				return // what is not found is not named
			}
			gjson.GetBytes(answer.Body, list.items).ForEach(func(_, item gjson.Result) bool {
				if name := list.name(item); name != "" && (s.Permits == nil || s.Permits(ctx, name)) {
					found[i] = append(found[i], name)
				}
				return len(found[i]) < maxInstead
			})
		})
	}
	all.Wait()
	var names []string
	for _, some := range found {
		names = append(names, some...)
	}
	if len(names) == 0 {
		return "Give agent=apps/NAME, endpoints/NAME or genie/SPACE_ID instead; none that runs and may be asked was found here."
	}
	return "Give one of these as agent instead: " + strings.Join(names, ", ") + "."
}

// runningApp is an app that can answer; "" of another one. Apps named mcp-… are
// MCP servers and no agents.
func runningApp(item gjson.Result) string {
	var app catalog.App
	if json.Unmarshal([]byte(item.Raw), &app) != nil || running(app.Name, &app) != nil || strings.HasPrefix(app.Name, "mcp-") {
		return ""
	}
	return prefixed(appPrefix, app.Name)
}

// readyAgent is an endpoint with an agent that can answer; "" of another one.
func readyAgent(endpoint gjson.Result) string {
	switch {
	case !strings.HasPrefix(endpoint.Get("task").Str, "agent/"), endpoint.Get("state.ready").Str == "NOT_READY", endpoint.Get("route_optimized").Bool():
		return ""
	}
	return prefixed(endpointPrefix, endpoint.Get("name").Str)
}

func prefixed(prefix, name string) string {
	if name == "" || len(name) > 128 || strings.ContainsAny(name, " \t\n\r,") {
		return ""
	}
	return prefix + name
}
