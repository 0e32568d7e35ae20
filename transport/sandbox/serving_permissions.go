package sandbox

import (
	"maps"
	"net/http"
	"slices"
)

// getPermissions and its kin go by id, not by name (contract README.md,
// section 11).
func (s *serving) getPermissions(r *request) (any, error) {
	e, err := s.withID(r, "CAN_VIEW")
	if err != nil {
		return nil, err
	}
	return s.permissions(e), nil
}

func (s *serving) withID(r *request, level string) (*servingEndpoint, error) {
	id := r.PathValue("id")
	for _, e := range s.endpoints {
		if e.id == id {
			return s.permitted(r, e.name, level)
		}
	}
	return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Serving endpoint with id "+id+" does not exist.")
}

func (s *serving) permissions(e *servingEndpoint) object {
	list := []object{{
		"group_name":      "admins",
		"all_permissions": []object{{"permission_level": "CAN_MANAGE", "inherited": true, "inherited_from_object": []string{"/serving-endpoints/"}}},
	}}
	for _, who := range slices.Sorted(maps.Keys(e.acl)) {
		list = append(list, object{
			s.w.people.field(who): who, "display_name": who,
			"all_permissions": []object{{"permission_level": e.acl[who], "inherited": false}},
		})
	}
	return object{"object_id": "/serving-endpoints/" + e.id, "object_type": "serving-endpoint", "access_control_list": list}
}

// setPermissions replaces the direct entries (PUT) or adds to them (PATCH).
func (s *serving) setPermissions(r *request) (any, error) {
	e, err := s.withID(r, "CAN_MANAGE")
	if err != nil {
		return nil, err
	}
	var in struct {
		List []struct {
			User      string `json:"user_name"`
			Group     string `json:"group_name"`
			Principal string `json:"service_principal_name"`
			Level     string `json:"permission_level"`
		} `json:"access_control_list"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	next := acl{}
	if r.Method == http.MethodPatch {
		next = maps.Clone(e.acl)
	}
	for _, entry := range in.List {
		given := map[string]string{"user_name": entry.User, "group_name": entry.Group, "service_principal_name": entry.Principal}
		maps.DeleteFunc(given, func(_, name string) bool { return name == "" })
		who := entry.User + entry.Group + entry.Principal
		switch {
		case len(given) != 1:
			return nil, badArgument("Exactly one of user_name, group_name and service_principal_name must be given.")
		case !slices.Contains(levels["serving-endpoints"], entry.Level):
			return nil, badArgument("Permission level " + entry.Level + " is not valid for a serving endpoint. Valid levels are: CAN_MANAGE, CAN_QUERY, CAN_VIEW.")
		case given[s.w.people.field(who)] != who:
			return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Principal "+who+" does not exist.")
		}
		if order := levels["serving-endpoints"]; slices.Index(order, entry.Level) > slices.Index(order, next[who]) { // PATCH raises only
			next[who] = entry.Level
		}
	}
	e.acl = next
	return s.permissions(e), nil
}

func (s *serving) permissionLevels(r *request) (any, error) {
	if _, err := s.withID(r, "CAN_VIEW"); err != nil {
		return nil, err
	}
	return object{"permission_levels": []object{
		{"permission_level": "CAN_VIEW", "description": "Can view the endpoint and its logs"},
		{"permission_level": "CAN_QUERY", "description": "Can query the endpoint"},
		{"permission_level": "CAN_MANAGE", "description": "Can manage the endpoint"},
	}}, nil
}

// field is the field of an access control list that holds a principal's name:
// user_name, service_principal_name or group_name; "" for an unknown one.
func (p *people) field(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.members {
		switch {
		case m.name != name:
		case m.servicePrincipal:
			return "service_principal_name"
		default:
			return "user_name"
		}
	}
	for _, g := range p.groups {
		if g.name == name {
			return "group_name"
		}
	}
	return ""
}
