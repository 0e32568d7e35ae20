package tools

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// allPrivileges is stored as one grant; taking it takes every direct grant of the
// principal on the object (contract/catalog.md section 5).
const allPrivileges = "ALL_PRIVILEGES"

// grantChange is what uc_update_grants asks for one principal.
type grantChange struct {
	Principal   string   `json:"principal,omitempty"`
	PrincipalID string   `json:"principal_id,omitempty"` // instead of a principal that is gone
	Add         []string `json:"add,omitempty"`
	Remove      []string `json:"remove,omitempty"`
}

// holding is what one principal holds directly on the object.
type holding struct {
	Principal   string   `json:"principal,omitempty"`
	PrincipalID string   `json:"principal_id,omitempty"`
	Privileges  []string `json:"privileges"`
}

func (h holding) name() string {
	if h.Principal == "" {
		return h.PrincipalID
	}
	return h.Principal
}

// grantChanges reads the changes of a call, one per principal. The workspace
// compares names without case, and takes privileges in any case and with spaces.
func grantChanges(call *catalog.Call) []grantChange {
	var changes []grantChange
	gjson.ParseBytes(call.Args["changes"]).ForEach(func(_, v gjson.Result) bool {
		c := grantChange{Principal: v.Get("principal").String(), PrincipalID: v.Get("principal_id").String()}
		if id := v.Get("principal_id"); id.Type == gjson.Number {
			c.PrincipalID = id.Raw
		}
		at := slices.IndexFunc(changes, func(other grantChange) bool { return c.of(other.Principal, other.PrincipalID) })
		if at < 0 {
			at = len(changes)
			changes = append(changes, c)
		}
		changes[at].Add = append(changes[at].Add, privileges(v.Get("add"))...)
		changes[at].Remove = append(changes[at].Remove, privileges(v.Get("remove"))...)
		return true
	})
	return changes
}

// of reports whether the change is about that principal.
func (c grantChange) of(principal, id string) bool {
	return c.Principal != "" && strings.EqualFold(c.Principal, principal) || c.PrincipalID != "" && c.PrincipalID == id
}

func privileges(list gjson.Result) []string {
	var names []string
	list.ForEach(func(_, name gjson.Result) bool {
		names = append(names, strings.ReplaceAll(strings.ToUpper(strings.TrimSpace(name.String())), " ", "_"))
		return true
	})
	return names
}

// after is what a principal holds behind the change.
func (c grantChange) after(held []string) []string {
	var after []string
	if !slices.Contains(c.Remove, allPrivileges) {
		after = without(held, c.Remove)
	}
	after = append(after, c.Add...)
	slices.Sort(after)
	return slices.Compact(after)
}

func without(list, gone []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(p string) bool { return slices.Contains(gone, p) })
}

// held is what each principal of the call holds now, in the order of its changes;
// one that holds nothing has no privileges.
func (s *Server) held(ctx context.Context, call *catalog.Call) ([]holding, *catalog.Call, error) {
	changes := grantChanges(call)
	found := make([]holding, len(changes))
	for i, c := range changes {
		found[i] = holding{Principal: c.Principal, PrincipalID: c.PrincipalID, Privileges: []string{}}
	}
	var o object
	o.text("securable_type", argumentText(call, "securable_type"))
	o.text("full_name", argumentText(call, "full_name"))
	list, err := catalog.GetGrants.Bind(o.bytes())
	if err != nil {
		return nil, nil, err
	}
	for range maxInnerPages {
		answer, err := s.ask(ctx, list)
		if err != nil {
			return nil, list, err
		}
		root := parse(answer.Body)
		for _, a := range root.Get("privilege_assignments").Array() {
			name, id := a.Get("principal").Str, a.Get("principal_id").String()
			if raw := a.Get("principal_id"); raw.Type == gjson.Number {
				id = raw.Raw
			}
			for i, c := range changes {
				if c.of(name, id) {
					found[i] = holding{Principal: name, PrincipalID: id, Privileges: privileges(a.Get("privileges"))}
				}
			}
		}
		page, more := list.Row.Next(root, list, 0)
		if !more {
			return found, list, nil
		}
		list = list.At(page)
	}
	return nil, list, &catalog.Error{Kind: catalog.Down, Message: list.About() + ": the list of grants has no end"}
}

func (v *previewer) changeGrants() error {
	object := v.about("")
	v.What = "Changes grants on " + object + "."
	changes := grantChanges(v.call)
	if len(changes) == 0 {
		v.What = "Changes nothing: no changes are given."
		return nil
	}
	held, inner, err := v.s.held(v.ctx, v.call)
	if err != nil {
		if err := v.failed(inner, err); err != nil {
			return err
		}
	}
	var d difference
	for i, c := range changes {
		who := plainKey(holding{Principal: c.Principal, PrincipalID: c.PrincipalID}.name())
		if err != nil { // what is asked for, without what is there
			d.grants(who, "is to gain", c.Add, object)
			d.grants(who, "is to lose", c.Remove, object)
			continue
		}
		now := held[i].Privileges
		after := c.after(now)
		d.grants(who, "gains", without(after, now), object)
		d.grants(who, "loses", without(now, after), object)
		if idle := without(c.Add, without(after, now)); len(idle) > 0 {
			d.grants(who, "already has", idle, object+": nothing changes")
		}
		if idle := without(c.Remove, now); len(idle) > 0 && !slices.Contains(c.Remove, allPrivileges) {
			d.grants(who, "does not have", idle, object+" directly: nothing changes")
		}
		if slices.Contains(after, allPrivileges) && !slices.Contains(now, allPrivileges) {
			d.say("ALL_PRIVILEGES lets %s do everything with %s but manage it", who, object)
		}
	}
	v.Changes = append(v.Changes, d.all()...)
	return nil
}

func (d *difference) grants(who, verb string, privileges []string, object string) {
	if len(privileges) > 0 {
		d.say("%s %s %s on %s", who, verb, cutText(strings.Join(privileges, ", "), 200), object)
	}
}

// inverseGrants is the change that makes of what is held now what was held before.
func inverseGrants(call *catalog.Call, before []holding) []grantChange {
	var back []grantChange
	for _, c := range grantChanges(call) {
		at := slices.IndexFunc(before, func(h holding) bool { return c.of(h.Principal, h.PrincipalID) })
		if at < 0 {
			continue
		}
		held := before[at]
		after := c.after(held.Privileges)
		gained, lost := without(after, held.Privileges), without(held.Privileges, after)
		if len(gained)+len(lost) == 0 {
			continue
		}
		if slices.Contains(gained, allPrivileges) { // taking it takes the rest as well
			lost = held.Privileges
		}
		inverse := grantChange{Principal: held.Principal, Add: lost, Remove: gained}
		if held.Principal == "" {
			inverse.PrincipalID = held.PrincipalID
		}
		back = append(back, inverse)
	}
	return back
}

// earlierGrants are the grants of the principals that the call names.
func (s *Server) earlierGrants(ctx context.Context, call *catalog.Call) (json.RawMessage, error) {
	held, _, err := s.held(ctx, call)
	if err != nil || len(held) == 0 {
		return nil, err
	}
	return json.Marshal(struct {
		Assignments []holding `json:"privilege_assignments"`
	}{held})
}

func undoGrants(call *catalog.Call, earlier json.RawMessage, auditCall string) string {
	var before struct {
		Assignments []holding `json:"privilege_assignments"`
	}
	if json.Unmarshal(earlier, &before) != nil {
		return ""
	}
	back := inverseGrants(call, before.Assignments)
	if len(back) == 0 {
		return ""
	}
	changes, err := json.Marshal(back)
	if err != nil {
		return ""
	}
	var o object
	o.text("securable_type", argumentText(call, "securable_type"))
	o.text("full_name", argumentText(call, "full_name"))
	o.raw("changes", string(changes))
	if text := callText(call.Row.Name, o.bytes()); text != "" {
		return text
	}
	return inAudit("the earlier grants are", auditCall, "them", earlier)
}
