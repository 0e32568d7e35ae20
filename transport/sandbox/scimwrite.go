package sandbox

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// servicePrincipalBody is what POST and PUT take. A pointer tells an absent
// "active" (default true) from a false one.
type servicePrincipalBody struct {
	ApplicationID string      `json:"applicationId"`
	DisplayName   string      `json:"displayName"`
	ExternalID    string      `json:"externalId"`
	Active        *bool       `json:"active"`
	Entitlements  []scimValue `json:"entitlements"`
	Groups        []scimValue `json:"groups"`
	Roles         []scimValue `json:"roles"`
}

type scimValue struct {
	Value string `json:"value"`
}

func plain(list []scimValue) []string {
	var out []string
	for _, v := range list {
		if !slices.Contains(out, v.Value) {
			out = append(out, v.Value)
		}
	}
	return out
}

var (
	entitlements = []string{"workspace-access", "databricks-sql-access", "allow-cluster-create", "allow-instance-pool-create", "workspace-consume"}
	uuid         = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
)

func checkEntitlements(names []string) error {
	for _, n := range names {
		if !slices.Contains(entitlements, n) {
			return scimFailure(http.StatusBadRequest, "invalidValue", "Invalid entitlement: "+n+". Valid entitlements are: "+strings.Join(entitlements, ", "))
		}
	}
	return nil
}

func adminOnly(r *request) error {
	if !r.user.Admin {
		return scimFailure(http.StatusForbidden, "", r.user.UserName+" is not authorized to perform this operation. Only workspace admins can.")
	}
	return nil
}

// scimBody decodes a request body; a malformed one gets SCIM's error shape.
func scimBody(r *request, v any) error {
	if err := r.decode(v); err != nil {
		return scimFailure(http.StatusBadRequest, "invalidSyntax", "Request is unparsable, syntactically incorrect, or violates schema")
	}
	return nil
}

// createServicePrincipal has no uniqueness but that of an application id the
// caller brings: the same display name twice makes two principals.
func (p *people) createServicePrincipal(r *request) (any, error) {
	if err := adminOnly(r); err != nil {
		return nil, err
	}
	var body servicePrincipalBody
	if err := scimBody(r, &body); err != nil {
		return nil, err
	}
	if body.DisplayName == "" && body.ApplicationID == "" {
		return nil, scimFailure(http.StatusBadRequest, "invalidValue", "displayName is required to create a service principal")
	}
	if body.ApplicationID != "" && !uuid.MatchString(body.ApplicationID) {
		return nil, scimFailure(http.StatusBadRequest, "invalidValue", "applicationId must be a UUID: "+body.ApplicationID)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.members {
		if m.servicePrincipal && body.ApplicationID != "" && strings.EqualFold(m.name, body.ApplicationID) {
			return nil, scimFailure(http.StatusConflict, "uniqueness", "Service principal with application ID "+body.ApplicationID+" already exists.")
		}
	}
	m := &member{id: p.newID(), name: body.ApplicationID, servicePrincipal: true}
	if m.name == "" {
		m.name = newApplicationID(m.id)
	}
	if err := p.replace(m, body); err != nil {
		return nil, err
	}
	p.members = append(p.members, m)
	return answer{http.StatusCreated, p.resource(m, r.user)}, nil
}

// replace gives m the attributes of body and no others. Needs p.mu held.
func (p *people) replace(m *member, body servicePrincipalBody) error {
	names := plain(body.Entitlements)
	if err := checkEntitlements(names); err != nil {
		return err
	}
	for _, id := range plain(body.Groups) {
		if p.group(id) == nil {
			return scimFailure(http.StatusBadRequest, "invalidValue", "Group with id "+id+" does not exist")
		}
	}
	m.display, m.external, m.entitlements, m.roles = body.DisplayName, body.ExternalID, names, plain(body.Roles)
	if m.display == "" {
		m.display = m.name
	}
	m.active = body.Active == nil || *body.Active
	p.join(m.id, plain(body.Groups))
	return nil
}

// join makes the member belong to these groups and "users" alone.
func (p *people) join(id string, groups []string) {
	for _, g := range p.groups {
		g.members = slices.DeleteFunc(g.members, func(m string) bool { return m == id })
		if g.name == "users" || slices.Contains(groups, g.id) {
			g.members = append(g.members, id)
		}
	}
}

// servicePrincipal looks one up for a change. Needs p.mu held.
func (p *people) servicePrincipal(r *request) (*member, error) {
	if err := adminOnly(r); err != nil {
		return nil, err
	}
	m := p.find(r.PathValue("id"))
	if m == nil || !m.servicePrincipal {
		return nil, scimFailure(http.StatusNotFound, "", "Service principal with id "+r.PathValue("id")+" not found.")
	}
	return m, nil
}

func (p *people) putServicePrincipal(r *request) (any, error) {
	var body servicePrincipalBody
	if err := scimBody(r, &body); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m, err := p.servicePrincipal(r)
	if err != nil {
		return nil, err
	}
	if err := p.replace(m, body); err != nil {
		return nil, err
	}
	return p.resource(m, r.user), nil
}

func (p *people) deleteServicePrincipal(r *request) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m, err := p.servicePrincipal(r)
	if err != nil {
		return nil, err
	}
	p.members = slices.DeleteFunc(p.members, func(other *member) bool { return other == m })
	for _, g := range p.groups {
		g.members = slices.DeleteFunc(g.members, func(id string) bool { return id == m.id })
	}
	delete(p.secrets, m.name)
	return answer{status: http.StatusNoContent}, nil
}

type patchBody struct {
	Operations []patchOperation `json:"Operations"`
}

type patchOperation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

func invalidPath(detail string) error {
	return scimFailure(http.StatusBadRequest, "invalidPath", detail)
}

func (p *people) patchServicePrincipal(r *request) (any, error) {
	var body patchBody
	if err := scimBody(r, &body); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m, err := p.servicePrincipal(r)
	if err != nil {
		return nil, err
	}
	next := *m // a refused operation leaves nothing half done
	next.entitlements, next.roles = slices.Clone(m.entitlements), slices.Clone(m.roles)
	for _, op := range body.Operations {
		if err := next.patch(op); err != nil {
			return nil, err
		}
	}
	if err := checkEntitlements(next.entitlements); err != nil {
		return nil, err
	}
	*m = next
	return answer{status: http.StatusNoContent}, nil
}

var selector = regexp.MustCompile(`^(\w+)\[value eq "((?:[^"\\]|\\.)*)"\]$`)

func (m *member) patch(op patchOperation) error {
	path, chosen := op.Path, ""
	if s := selector.FindStringSubmatch(path); s != nil {
		path, chosen = s[1], s[2]
	}
	verb := strings.ToLower(op.Op)
	if verb != "add" && verb != "replace" && verb != "remove" {
		return scimFailure(http.StatusBadRequest, "invalidSyntax", "Invalid patch operation: "+op.Op)
	}
	given := patchValues(op.Value)
	switch path {
	case "active":
		if len(given) != 1 {
			return scimFailure(http.StatusBadRequest, "invalidValue", "active must be true or false")
		}
		on, err := strconv.ParseBool(given[0])
		if err != nil {
			return scimFailure(http.StatusBadRequest, "invalidValue", "active must be true or false")
		}
		m.active = on
	case "displayName", "externalId":
		if len(given) != 1 || verb == "remove" {
			return scimFailure(http.StatusBadRequest, "invalidValue", path+" must be a text")
		}
		if path == "displayName" {
			m.display = given[0]
		} else {
			m.external = given[0]
		}
	case "entitlements", "roles":
		list := &m.entitlements
		if path == "roles" {
			list = &m.roles
		}
		return patchList(list, path, verb, chosen, given)
	default:
		return invalidPath("No such attribute with the name : " + path + " in the current resource")
	}
	return nil
}

func patchList(list *[]string, path, verb, chosen string, given []string) error {
	switch verb {
	case "replace":
		*list = given
	case "add":
		for _, v := range given {
			if !slices.Contains(*list, v) {
				*list = append(*list, v)
			}
		}
	case "remove":
		if len(*list) == 0 || chosen != "" && !slices.Contains(*list, chosen) {
			return invalidPath("No such attribute with the name : " + path + " in the current resource")
		}
		*list = slices.DeleteFunc(*list, func(v string) bool { return chosen == "" || v == chosen })
	}
	return nil
}

// patchValues accepts every form clients send: "x", true, ["x"], {"value": "x"},
// [{"value": "x"}].
func patchValues(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		var out []string
		for _, item := range v {
			out = append(out, patchValues(item)...)
		}
		return out
	case object:
		return patchValues(v["value"])
	default:
		return []string{fmt.Sprint(v)}
	}
}

// patchGroup adds and removes members; adding one twice changes nothing.
func (p *people) patchGroup(r *request) (any, error) {
	if err := adminOnly(r); err != nil {
		return nil, err
	}
	var body patchBody
	if err := scimBody(r, &body); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.group(r.PathValue("id"))
	if g == nil {
		return nil, scimFailure(http.StatusNotFound, "", "Group with id "+r.PathValue("id")+" not found.")
	}
	members := slices.Clone(g.members)
	for _, op := range body.Operations {
		path, chosen := op.Path, ""
		if s := selector.FindStringSubmatch(path); s != nil {
			path, chosen = s[1], s[2]
		}
		if path != "members" {
			return nil, invalidPath("No such attribute with the name : " + path + " in the current resource")
		}
		given := patchValues(op.Value)
		for _, id := range given {
			if p.find(id) == nil {
				return nil, scimFailure(http.StatusBadRequest, "invalidValue", "Member with id "+id+" does not exist")
			}
		}
		if err := patchList(&members, path, strings.ToLower(op.Op), chosen, given); err != nil {
			return nil, err
		}
	}
	g.members = members
	return answer{status: http.StatusNoContent}, nil
}
