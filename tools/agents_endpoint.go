package tools

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// feedbackEntity is the served entity that takes feedback: it is no agent.
const feedbackEntity = "feedback"

// monitorTag marks an endpoint whose traces go to an experiment.
const monitorTag = "MONITOR_EXPERIMENT_ID"

// endpoint is a serving endpoint as the workspace shows it.
type endpoint struct {
	gjson.Result
	workspaceID string // "" when the answer does not tell
}

// entity is a model version on an endpoint. In a pending configuration it is not
// served yet.
type entity struct {
	gjson.Result
	name, model, version string
	pending              bool
}

// endpointNamed reads an endpoint on the way of another call.
func (s *Server) endpointNamed(ctx context.Context, call *catalog.Call, name string) (endpoint, error) {
	get, err := catalog.GetAgent.Bind(jsonObject("endpoint_name", name))
	if err != nil {
		return endpoint{}, err
	}
	answer, err := s.ask(ctx, get)
	if err != nil {
		return endpoint{}, onTheWay(call, "reading the endpoint", err)
	}
	return endpointOf(answer), nil
}

func endpointOf(answer *catalog.Answer) endpoint {
	return endpoint{parse(answer.Body), answer.Header.Get("X-Databricks-Org-Id")}
}

// onTheWay words an error of what a tool does before or behind its own call.
func onTheWay(call *catalog.Call, doing string, err error) error {
	e := *catalog.AsError(err)
	if strings.HasPrefix(e.Message, call.Row.Name) {
		return err
	}
	e.Message = call.Row.Name + ", " + doing + ": " + e.Message
	return &e
}

func (e endpoint) name() string { return e.Get("name").Str }

// entities are those of the configuration in force, then those that come up.
func (e endpoint) entities() []entity {
	var all []entity
	for _, config := range []string{"config", "pending_config"} {
		eachItem(e.Get(config+".served_entities"), func(v gjson.Result) bool {
			one := entity{v, v.Get("name").Str, v.Get("entity_name").Str, v.Get("entity_version").String(), config != "config"}
			for _, known := range all {
				if known.name == one.name && known.model == one.model && known.version == one.version {
					return true
				}
			}
			all = append(all, one)
			return true
		})
	}
	return all
}

// served are the entities of the configuration in force.
func (e endpoint) served() []entity {
	var served []entity
	for _, one := range e.entities() {
		if !one.pending {
			served = append(served, one)
		}
	}
	return served
}

// isFeedback reports an entity that takes feedback.
func (e entity) isFeedback() bool {
	return e.name == feedbackEntity || strings.HasSuffix(e.model, "."+feedbackEntity)
}

// failed reports that a version did not come up.
func (e entity) failed() bool {
	state := e.Get("state.deployment").Str
	return state == "DEPLOYMENT_FAILED" || state == "DEPLOYMENT_ABORTED"
}

func (e endpoint) ready() bool    { return e.Get("state.ready").Str == "READY" }
func (e endpoint) updating() bool { return e.Get("state.config_update").Str == "IN_PROGRESS" }

// failed reports that the last update, or the first deployment, did not succeed.
func (e endpoint) failed() bool {
	switch e.Get("state.config_update").Str {
	case "UPDATE_FAILED", "UPDATE_CANCELED":
		return true
	case "IN_PROGRESS":
		return false
	}
	for _, one := range e.entities() {
		if one.failed() {
			return true
		}
	}
	return false
}

// isAgent tells agents from other models: agents.md, section 1.2.
func isAgent(item gjson.Result) bool {
	if strings.HasPrefix(item.Get("task").Str, "agent/") || strings.HasPrefix(item.Get("name").Str, agentPrefix) {
		return true
	}
	found := false
	eachItem(item.Get("tags"), func(tag gjson.Result) bool {
		found = tag.Get("key").Str == monitorTag
		return !found
	})
	return found
}

// traffic is the share of each served entity, by its name.
func (e endpoint) traffic() map[string]int64 {
	shares := map[string]int64{}
	for _, config := range []string{"pending_config", "config"} {
		eachItem(e.Get(config+".traffic_config.routes"), func(route gjson.Result) bool {
			name := route.Get("served_model_name").Str
			if name == "" {
				name = route.Get("served_entity_name").Str
			}
			shares[name] = route.Get("traffic_percentage").Int()
			return true
		})
	}
	return shares
}

// routes is the traffic as JSON, in the order of the entities.
func (e endpoint) routes() string {
	var o object
	shares := e.traffic()
	for _, one := range e.served() {
		o.raw(quotedKey(one.name), strconv.FormatInt(shares[one.name], 10))
	}
	return string(o.bytes())
}

// quotedKey is a name as it may stand between the quotes of a JSON key.
func quotedKey(name string) string {
	quoted := appendText(nil, name)
	return string(quoted[1 : len(quoted)-1])
}

// workspaceURL is where people open the workspace; "" when it is not known.
func (s *Server) workspaceURL() string {
	host := ""
	if s.host != nil {
		host = s.host()
	}
	switch {
	case strings.Contains(host, "://"), host == "", !strings.ContainsAny(host, ".:"):
		if strings.Contains(host, "://") {
			return host
		}
		return ""
	}
	return "https://" + host
}

// addURLs adds where an agent is asked and looked at. Without a known host they are
// paths.
func (s *Server) addURLs(o *object, e endpoint, served string) {
	root, name := s.workspaceURL(), url.PathEscape(e.name())
	o.text("query_endpoint", queryURL(root, name, served))
	o.text("endpoint_url", root+"/ml/endpoints/"+name)
	review := root + "/ml/review-v2/chat?endpoint=" + url.QueryEscape(e.name())
	if e.workspaceID != "" {
		review += "&o=" + url.QueryEscape(e.workspaceID)
	}
	o.text("review_app_url", review)
}

// queryURL is where one version is asked, or, without one, whatever gets traffic.
func queryURL(root, endpoint, served string) string {
	if served == "" {
		return root + "/serving-endpoints/" + endpoint + "/invocations"
	}
	return root + "/serving-endpoints/" + endpoint + "/served-models/" + url.PathEscape(served) + "/invocations"
}

// addState adds whether an endpoint answers, and whether it changes.
func (e endpoint) addState(o *object) {
	var state object
	state.text("ready", e.Get("state.ready").Str)
	state.text("config_update", e.Get("state.config_update").Str)
	o.raw("state", string(state.bytes()))
}
