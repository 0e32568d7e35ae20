package tools

import (
	"fmt"

	"brickmcp/catalog"
)

// deployAgent says where the version goes, and what happens to those that are there.
func (v *previewer) deployAgent() error {
	v.What = "Deploys version " + v.text("model_version") + " of" + v.about(" ") + "."
	d := &deployment{s: v.s, call: v.call}
	if err := d.prepare(v.ctx); err != nil {
		if e := catalog.AsError(err); e.Kind == catalog.Down || e.Kind == catalog.Limited {
			return v.failed(nil, err)
		}
		return err
	}
	if d.existing == nil {
		v.What = fmt.Sprintf("Makes the serving endpoint %s for version %s of model %s. It costs money while it runs.", d.name, d.version, d.model)
		return nil
	}
	v.What = fmt.Sprintf("Deploys version %s of model %s on endpoint %s.", d.version, d.model, d.name)
	shares := d.existing.traffic()
	for _, one := range d.existing.served() {
		v.say("%s stays, and its traffic goes from %d %% to 0", one.name, shares[one.name])
	}
	return nil
}

// deleteAgent names exactly what goes.
func (v *previewer) deleteAgent() error {
	v.What = "Deletes" + v.about(" ") + ". " + agentLeftovers
	e, err := v.s.endpointNamed(v.ctx, v.call, v.text("endpoint_name"))
	if err != nil {
		return v.failed(nil, err)
	}
	shares := e.traffic()
	say := func(one entity, what string) {
		v.say("%s (%s version %s, %d %% of the traffic) %s", one.name, one.model, one.version, shares[one.name], what)
	}
	version := v.text("model_version")
	if version == "" {
		v.What = "Deletes" + v.about(" ") + " with all that it serves. " + agentLeftovers
		for _, one := range e.served() {
			say(one, "goes")
		}
		return nil
	}
	goes, stays, err := splitVersion(v.call, e, version)
	if err != nil {
		return err
	}
	heir := highest(stays, goes.model)
	if heir.name == "" {
		v.What = "Deletes" + v.about(" ") + ": it serves no other version. " + agentLeftovers
		say(goes, "goes")
		return nil
	}
	v.What = fmt.Sprintf("Deletes version %s from%s. %s", version, v.about(" "), agentLeftovers)
	say(goes, "goes")
	v.say("%s gets all traffic", heir.name)
	return nil
}
