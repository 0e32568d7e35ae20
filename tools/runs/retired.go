package runs

import (
	"context"
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
	case e.MissingRoute, e.Code == "":
		return true
	}
	// RESOURCE_DOES_NOT_EXIST may be the path, the model or a tool: the API is there
	// when the message names something of the request, or had been there before.
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
	return len(run.Responses) == 0 && !strings.Contains(e.Message, DefaultModel)
}

// remembered refuses at once what was refused for good a short while ago.
func (s *Supervisor) remembered(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone.why != nil && time.Now().Before(s.gone.until) {
		return s.gone.why
	}
	return nil
}

// leave makes of an error the refusal that names what is there instead, and
// remembers it.
func (s *Supervisor) leave(ctx context.Context, e *catalog.Error) error {
	left := *e
	left.Kind = catalog.Missing
	left.Message = "the Supervisor API is not available in this workspace: " + e.Message
	left.Advice = "Its end of life was 30 September 2026, or its preview (AI Gateway) is off. " + s.instead(ctx) + " Nothing was started."
	s.mu.Lock()
	s.gone = gone{until: time.Now().Add(goneTime), why: &left}
	s.mu.Unlock()
	return &left
}

// instead names the agents that this workspace has, as far as they are found in
// time.
func (s *Supervisor) instead(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, insteadTime)
	defer cancel()
	lists := []struct {
		row   *catalog.Row
		query string
		items string
		name  func(gjson.Result) string
	}{
		{&catalog.ListApps.Row, "page_size=50", "apps", func(app gjson.Result) string {
			return prefixed("apps/", app.Get("name").Str)
		}},
		{&catalog.ListRunEndpoints.Row, "", "endpoints", func(endpoint gjson.Result) string {
			if !strings.HasPrefix(endpoint.Get("task").Str, "agent/") {
				return ""
			}
			return prefixed("endpoints/", endpoint.Get("name").Str)
		}},
		{&catalog.ListSpaces.Row, "page_size=50", "spaces", func(space gjson.Result) string {
			return prefixed("genie/", space.Get("space_id").Str)
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
				if name := list.name(item); name != "" {
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
		return "Give agent=apps/NAME, endpoints/NAME or genie/SPACE_ID instead; none of them was found here."
	}
	return "Give one of these as agent instead: " + strings.Join(names, ", ") + "."
}

func prefixed(prefix, name string) string {
	if name == "" || len(name) > 128 || strings.ContainsAny(name, " \t\n\r,") {
		return ""
	}
	return prefix + name
}
