package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
)

const scim = "/api/2.0/preview/scim/v2"

const (
	schemaUser             = "urn:ietf:params:scim:schemas:core:2.0:User"
	schemaServicePrincipal = "urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal"
	schemaGroup            = "urn:ietf:params:scim:schemas:core:2.0:Group"
	schemaList             = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
)

// scimFailure is an error in SCIM's own shape; kind is its scimType or "".
func scimFailure(status int, kind, detail string) *apiError {
	return &apiError{status: status, code: "SCIM_" + strconv.Itoa(status), message: detail, scim: true, kind: kind}
}

// serveSCIM registers the directory (contract identities.md).
func (p *people) serveSCIM(w *Workspace) {
	w.on("GET "+scim+"/Me", p.me)
	w.on("GET "+scim+"/Users", p.listUsers)
	w.on("GET "+scim+"/Users/{id}", p.getUser)
	w.on("GET "+scim+"/Groups", p.listGroups)
	w.on("GET "+scim+"/Groups/{id}", p.getGroup)
	w.on("PATCH "+scim+"/Groups/{id}", p.patchGroup)
	w.on("GET "+scim+"/ServicePrincipals", p.listServicePrincipals)
	w.on("GET "+scim+"/ServicePrincipals/{id}", p.getServicePrincipal)
	w.on("POST "+scim+"/ServicePrincipals", p.createServicePrincipal)
	w.on("PUT "+scim+"/ServicePrincipals/{id}", p.putServicePrincipal)
	w.on("PATCH "+scim+"/ServicePrincipals/{id}", p.patchServicePrincipal)
	w.on("DELETE "+scim+"/ServicePrincipals/{id}", p.deleteServicePrincipal)
}

func values(items []string) []object {
	var out []object
	for _, v := range items {
		out = append(out, object{"value": v})
	}
	return out
}

// resource is m as SCIM shows it. People who are not admins see of others no
// more than names and ids. Needs p.mu held.
func (p *people) resource(m *member, viewer *principal) object {
	o := object{"id": m.id, "displayName": m.display}
	if m.servicePrincipal {
		o["schemas"], o["applicationId"] = []string{schemaServicePrincipal}, m.name
	} else {
		o["schemas"], o["userName"] = []string{schemaUser}, m.name
	}
	if !viewer.Admin && viewer.ID != m.id {
		return o
	}
	o["active"] = m.active
	if !m.servicePrincipal {
		o["name"] = object{"givenName": m.given, "familyName": m.family}
		o["emails"] = []object{{"value": m.name, "type": "work", "primary": true}}
	}
	if m.external != "" {
		o["externalId"] = m.external
	}
	if len(m.entitlements) > 0 {
		o["entitlements"] = values(m.entitlements)
	}
	if len(m.roles) > 0 {
		o["roles"] = values(m.roles)
	}
	var groups []object
	for _, g := range p.groupsOf(m.id) {
		groups = append(groups, object{"value": g.id, "display": g.name, "type": "direct", "$ref": "Groups/" + g.id})
	}
	if groups != nil {
		o["groups"] = groups
	}
	return o
}

// me shows the caller as a User, also when it is a service principal: then
// userName is its application id.
func (p *people) me(r *request) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.find(r.user.ID)
	if m == nil {
		return nil, scimFailure(http.StatusNotFound, "", "User not found.")
	}
	o := p.resource(m, r.user)
	if m.servicePrincipal {
		delete(o, "applicationId")
		o["schemas"], o["userName"] = []string{schemaUser}, m.name
	}
	return project(r, o), nil
}

func (p *people) listUsers(r *request) (any, error) {
	return p.list(r, func(m *member) bool { return !m.servicePrincipal })
}

func (p *people) listServicePrincipals(r *request) (any, error) {
	return p.list(r, func(m *member) bool { return m.servicePrincipal })
}

func (p *people) list(r *request, keep func(*member) bool) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []object
	for _, m := range p.members {
		if keep(m) {
			all = append(all, p.resource(m, r.user))
		}
	}
	return listResources(r, all)
}

func (p *people) getUser(r *request) (any, error) { return p.get(r, false, "User") }

func (p *people) getServicePrincipal(r *request) (any, error) {
	return p.get(r, true, "Service principal")
}

func (p *people) get(r *request, servicePrincipal bool, what string) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.find(r.PathValue("id"))
	if m == nil || m.servicePrincipal != servicePrincipal {
		return nil, scimFailure(http.StatusNotFound, "", what+" with id "+r.PathValue("id")+" not found.")
	}
	return project(r, p.resource(m, r.user)), nil
}

func (p *people) groupResource(g *group) object {
	kind := "Group"
	if g.name == "admins" || g.name == "users" {
		kind = "WorkspaceGroup"
	}
	o := object{"schemas": []string{schemaGroup}, "id": g.id, "displayName": g.name, "meta": object{"resourceType": kind}}
	var members []object
	for _, id := range g.members {
		if m := p.find(id); m != nil {
			ref := "Users/"
			if m.servicePrincipal {
				ref = "ServicePrincipals/"
			}
			members = append(members, object{"value": id, "display": m.display, "$ref": ref + id})
		}
	}
	if members != nil {
		o["members"] = members
	}
	return o
}

func (p *people) listGroups(r *request) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []object
	for _, g := range p.groups {
		all = append(all, p.groupResource(g))
	}
	return listResources(r, all)
}

func (p *people) getGroup(r *request) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.group(r.PathValue("id"))
	if g == nil {
		return nil, scimFailure(http.StatusNotFound, "", "Group with id "+r.PathValue("id")+" not found.")
	}
	return project(r, p.groupResource(g)), nil
}

// listResources filters, sorts, cuts and projects a list (contract
// identities.md, section 0).
func listResources(r *request, all []object) (any, error) {
	q := r.URL.Query()
	filter, err := parseFilter(q.Get("filter"))
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(o object) bool { return !filter.match(o) })
	by, order := q.Get("sortBy"), q.Get("sortOrder")
	if order != "" && order != "ascending" && order != "descending" {
		return nil, scimFailure(http.StatusBadRequest, "invalidValue", "Invalid sortOrder: "+order)
	}
	if by != "" {
		sort.SliceStable(all, func(i, j int) bool {
			a, b := attribute(all[i], by), attribute(all[j], by)
			if order == "descending" {
				a, b = b, a
			}
			return len(a) > 0 && len(b) > 0 && strings.ToLower(a[0]) < strings.ToLower(b[0])
		})
	}
	start, err := scimNumber(q.Get("startIndex"), "startIndex", 1)
	if err != nil {
		return nil, err
	}
	count, err := scimNumber(q.Get("count"), "count", 100)
	if err != nil {
		return nil, err
	}
	start = max(start, 1)
	from := min(start-1, len(all))
	to := from + min(max(count, 0), len(all)-from)
	rows := []object{}
	for _, o := range all[from:to] {
		rows = append(rows, project(r, o))
	}
	return object{
		"schemas": []string{schemaList}, "totalResults": len(all), "startIndex": start, "itemsPerPage": len(rows), "Resources": rows,
	}, nil
}

func scimNumber(text, name string, absent int) (int, error) {
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, scimFailure(http.StatusBadRequest, "invalidValue", fmt.Sprintf("Invalid %s: %s", name, text))
	}
	return n, nil
}

// project keeps the attributes asked for; id and schemas always stay.
func project(r *request, o object) object {
	split := func(name string) []string {
		return strings.FieldsFunc(r.URL.Query().Get(name), func(c rune) bool { return c == ',' || c == ' ' })
	}
	named := func(names []string, key string) bool {
		return slices.ContainsFunc(names, func(n string) bool {
			top, _, _ := strings.Cut(n, ".")
			return strings.EqualFold(top, key)
		})
	}
	only, without := split("attributes"), split("excludedAttributes")
	for key := range o {
		always := key == "id" || key == "schemas"
		if !always && (len(only) > 0 && !named(only, key) || named(without, key)) {
			delete(o, key)
		}
	}
	return o
}
