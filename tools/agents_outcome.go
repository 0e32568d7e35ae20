package tools

import (
	"context"
	"fmt"
	"strings"
	"time"

	"brickmcp/catalog"
)

// await looks at the endpoint until it is up, has failed, or the time is over. What
// was known before stays when a look fails.
func (d *deployment) await(ctx context.Context, e endpoint, end time.Time) endpoint {
	look := func() {
		if now, err := d.s.endpointNamed(ctx, d.call, d.name); err == nil {
			e = now
		}
	}
	if d.existing != nil || time.Now().Before(end) {
		look()
	}
	for e.Exists() && (e.updating() || !e.ready()) && !e.failed() {
		Progress(ctx, fmt.Sprintf("endpoint %s is coming up: %s", d.name, d.coming(e)))
		left := time.Until(end)
		if left <= 0 {
			break
		}
		timer := time.NewTimer(min(deployPoll, left))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return e
		}
		look()
	}
	return e
}

// coming says how far the new version is.
func (d *deployment) coming(e endpoint) string {
	for _, one := range e.entities() {
		if one.name == d.served {
			return strings.TrimSpace(one.Get("state.deployment").Str + " " + cutText(one.Get("state.deployment_state_message").Str, 200))
		}
	}
	return e.Get("state.config_update").Str
}

// result is what deploy() answers, and what came of the traffic.
func (d *deployment) result(ctx context.Context, e endpoint, before string) []byte {
	var o object
	o.text("model_name", d.model)
	o.text("model_version", d.version)
	o.text("endpoint_name", d.name)
	o.text("served_entity_name", d.served)
	shown := e
	if shown.name() == "" { // it could not be read; its name is known
		shown.Result = parse(jsonObject("name", d.name))
	}
	d.s.addURLs(&o, shown, d.served)
	shown.addState(&o)
	o.boolean("created", d.existing == nil)
	var stays []entity
	if d.existing != nil {
		stays = d.existing.served()
	}
	o.raw("routes_before", before)
	o.raw("routes_after", routesTo(stays, d.served, d.additions()...))
	if d.prefix != "" {
		o.text("inference_table", d.catalog+"."+d.schema+"."+d.prefix+payloadSuffix)
	}
	if failure := d.s.failure(ctx, e, d.served); failure != "{}" {
		o.untrusted("failure")
		o.raw("failure", failure)
	} else if !e.ready() || e.updating() {
		o.text("next", "It takes up to 15 minutes: poll agents_get until state.ready is READY and config_update is not IN_PROGRESS. The routes hold from then on.")
	}
	if len(d.notes) > 0 {
		o.texts("notes", d.notes)
	}
	return d.s.whole(o.bytes())
}

// explained adds to an error of the deployment itself which permission is missing,
// and what to look at when its fate is not known. Values of the environment are
// taken out of what the workspace repeats.
func (d *deployment) explained(err error) error {
	e := *catalog.AsError(err)
	given, _ := argument[catalog.Map](d.call, "environment_vars")
	for _, name := range sortedKeys(given) {
		if value := given[name]; len(value) >= 4 && !strings.HasPrefix(value, "{{secrets/") {
			e.Message = strings.ReplaceAll(e.Message, value, catalog.Hidden)
		}
	}
	if e.Kind == catalog.UnknownFate {
		e.Advice = fmt.Sprintf("Look at endpoint %s with agents_get: if it has %s, the deployment is under way; deploy again only if it has not.", d.name, d.served)
		return &e
	}
	if missing := missingPermissions(e.Message); len(missing) > 0 {
		e.Advice = "Whoever deploys needs " + strings.Join(missing, "; ") + ". " + e.Advice
	}
	return &e
}
