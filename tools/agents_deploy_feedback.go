package tools

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"brickmcp/catalog"
	"brickmcp/tools/policy"
)

// addition is a served entity that joins a configuration.
type addition struct {
	name   string
	config []byte // as a configuration takes it
}

// additions are the new version and, where it was asked for, the feedback model.
func (d *deployment) additions() []addition {
	all := []addition{{d.served, d.entity()}}
	if d.feedback == "" {
		return all
	}
	var o object
	o.text("name", feedbackEntity)
	o.text("entity_name", d.feedbackModel())
	o.text("entity_version", d.feedback)
	o.text("workload_size", "Small")
	o.boolean("scale_to_zero_enabled", true)
	return append(all, addition{feedbackEntity, o.bytes()})
}

func (d *deployment) feedbackModel() string {
	return d.catalog + "." + d.schema + "." + feedbackEntity
}

// checkFeedback finds the version of the schema's feedback model that joins the
// endpoint: agents.md, section 1. A first version cannot be made here, because
// its files are uploaded by the Python package.
func (d *deployment) checkFeedback(ctx context.Context) error {
	wanted, _ := argument[bool](d.call, "deploy_feedback_model")
	if !wanted || d.existing != nil && slices.ContainsFunc(d.existing.entities(), entity.isFeedback) {
		return nil
	}
	const instead = "Leave deploy_feedback_model out: feedback with a trace_id goes to MLflow and needs none."
	model := d.feedbackModel()
	if rules := rulesOf(ctx); rules != nil && rules.Minds(policy.Object{Scope: catalog.ScopeFunctions, ID: model}) {
		return d.refuse(catalog.Denied, fmt.Sprintf("it would serve model %s, on which the policy has a say", model), instead)
	}
	list, err := catalog.ListModelVersions.Call(ctx, d.s.api, catalog.ListModelVersionsRequest{FullName: model, MaxResults: 1000})
	if err != nil && !missing(catalog.AsError(err)) {
		return onTheWay(d.call, "looking for the feedback model", err)
	}
	var newest int64
	if err == nil {
		for _, version := range list.Versions {
			if n, _ := strconv.ParseInt(string(version.Version), 10, 64); version.Status == "" || version.Status == "READY" {
				newest = max(newest, n)
			}
		}
	}
	if newest == 0 {
		return d.refuse(catalog.Missing, fmt.Sprintf("there is no feedback model %s, and only deploy() of the Python package databricks-agents makes one", model), instead)
	}
	d.feedback = strconv.FormatInt(newest, 10)
	d.note("feedback model " + model + " joins at 0 %; its tables of feedback are not filled for new deployments, the payload table is")
	return nil
}

// noteTables says what becomes of an argument that an endpoint takes once.
func (d *deployment) noteTables() {
	logs, given := argument[bool](d.call, "inference_tables")
	switch log, configured := loggingOf(*d.existing); {
	case !configured && (logs || !given):
		d.note("the endpoint has no inference tables, and an update sets none: enable them in the workspace under AI Gateway")
	case configured && given && logs != log.enabled:
		d.note("the inference tables stay as they were: " + map[bool]string{true: "enabled", false: "disabled"}[log.enabled])
	}
}

// routesOfNew are the routes of a new endpoint: all traffic to the version.
func routesOfNew(additions []addition) string {
	var routes []string
	for i, one := range additions {
		var o object
		o.text("served_model_name", one.name)
		share := int64(0)
		if i == 0 {
			share = 100
		}
		o.integer("traffic_percentage", share)
		routes = append(routes, string(o.bytes()))
	}
	return "[" + strings.Join(routes, ",") + "]"
}
