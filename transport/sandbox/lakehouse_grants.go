package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
)

func (l *lakehouse) addGrantRoutes() {
	l.on("GET "+unity+"/permissions/{kind}/{name}", l.getGrants)
	l.on("PATCH "+unity+"/permissions/{kind}/{name}", l.updateGrants)
	l.on("GET "+unity+"/effective-permissions/{kind}/{name}", l.effectiveGrants)
}

// assignment is what one principal holds directly on an object.
type assignment struct {
	Principal  string   `json:"principal"`
	Privileges []string `json:"privileges"`
}

// securable resolves the path of a permissions call.
func (l *lakehouse) securable(r *request) (*securable, error) {
	kind := strings.ToLower(r.PathValue("kind"))
	if _, ok := titles[kind]; !ok || kind == kindModel {
		return nil, badArgument(fmt.Sprintf("Invalid securable type '%s'. The sandbox knows metastore, catalog, schema, table, volume and function.", r.PathValue("kind")))
	}
	s, err := l.find(kind, r.PathValue("name"))
	if err != nil && kind == kindFunction { // a model, if any
		if model, none := l.find(kindModel, r.PathValue("name")); none == nil {
			return model, nil
		}
	}
	return s, err
}

// maySeeGrants: those who manage the object, and everybody about themselves.
func maySeeGrants(r *request, s *securable) error {
	if p := r.URL.Query().Get("principal"); p != "" && strings.EqualFold(p, r.user.UserName) {
		return nil
	}
	return needManage(r.user, s)
}

func (s *securable) assignments(principal string) []assignment {
	var out []assignment
	for name, privileges := range s.grants {
		if principal == "" || strings.EqualFold(principal, name) {
			out = append(out, assignment{name, privileges})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Principal < out[j].Principal })
	return out
}

func (l *lakehouse) getGrants(r *request) (any, error) {
	s, err := l.securable(r)
	if err != nil {
		return nil, err
	}
	if err := maySeeGrants(r, s); err != nil {
		return nil, err
	}
	all := s.assignments(r.URL.Query().Get("principal"))
	page, next, err := pageOfGrants(r, all, func(a assignment) (string, int) { return a.Principal, len(a.Privileges) })
	if err != nil {
		return nil, err
	}
	body := shape{}
	if len(page) > 0 {
		body["privilege_assignments"] = page
	}
	body.set("next_page_token", next)
	return body, nil
}

// pageOfGrants cuts a page of at least one principal; max_results counts
// privileges, and a principal is never split.
func pageOfGrants[T any](r *request, all []T, of func(T) (principal string, privileges int)) (page []T, next string, err error) {
	const least, serverLimit = 150, 1000
	limit := 0
	if text := r.URL.Query().Get("max_results"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || 0 < n && n < least {
			return nil, "", badArgument(fmt.Sprintf("Invalid value for max_results: %s. The value must be 0, or at least %d.", text, least))
		}
		limit = serverLimit
		if n > 0 {
			limit = min(n, serverLimit)
		}
	}
	after, err := openToken(r.URL)
	if err != nil {
		return nil, "", err
	}
	count := 0
	for _, a := range all {
		principal, privileges := of(a)
		if after != "" && principal <= after {
			continue
		}
		if limit > 0 && len(page) > 0 && count+privileges > limit {
			last, _ := of(page[len(page)-1])
			return page, sealToken(r.URL, last), nil
		}
		count += privileges
		page = append(page, a)
	}
	return page, "", nil
}

func (l *lakehouse) updateGrants(r *request) (any, error) {
	s, err := l.securable(r)
	if err != nil {
		return nil, err
	}
	if err := needManage(r.user, s); err != nil {
		return nil, err
	}
	var in struct {
		Changes []struct {
			Principal string   `json:"principal"`
			Add       []string `json:"add"`
			Remove    []string `json:"remove"`
		} `json:"changes"`
		Omit bool `json:"omit_permissions_in_response"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	for i, c := range in.Changes { // all are checked before any is made: they apply together
		if c.Principal == "" {
			return nil, badArgument("Missing required field: principal")
		}
		name, ok := l.principal(c.Principal)
		if !ok && !s.named(c.Principal) { // grants of a deleted principal can still be taken away
			return nil, noPrincipal(c.Principal)
		}
		if ok {
			in.Changes[i].Principal = name
		}
		for _, list := range [][]string{c.Add, c.Remove} {
			for j := range list {
				list[j] = strings.ReplaceAll(strings.ToUpper(strings.TrimSpace(list[j])), " ", "_")
				if !slices.Contains(grantable()[s.kind], list[j]) {
					return nil, badArgument(fmt.Sprintf("Privilege %s is not applicable to this entity [%s:%s/%s].", list[j], s.fullName(), strings.ToUpper(s.kind), strings.ToUpper(s.kind)))
				}
			}
		}
		for _, p := range c.Add {
			if slices.Contains(c.Remove, p) {
				return nil, badArgument(fmt.Sprintf("Duplicate privileges to add and delete for principal %s.", c.Principal))
			}
		}
	}
	for _, c := range in.Changes {
		s.change(c.Principal, c.Add, c.Remove)
	}
	if in.Omit {
		return nil, nil
	}
	body := shape{}
	if all := s.assignments(""); len(all) > 0 {
		body["privilege_assignments"] = all
	}
	return body, nil
}

func (s *securable) named(principal string) bool {
	for name := range s.grants {
		if strings.EqualFold(name, principal) {
			return true
		}
	}
	return false
}

func noPrincipal(name string) *apiError {
	return failure(http.StatusNotFound, "PRINCIPAL_DOES_NOT_EXIST", "Could not find principal with name "+name+".")
}

// effective is what one principal holds on an object, directly or from above.
type effective struct {
	Principal  string               `json:"principal"`
	Privileges []effectivePrivilege `json:"privileges"`
}

type effectivePrivilege struct {
	Privilege string `json:"privilege"`
	FromType  string `json:"inherited_from_type,omitempty"`
	FromName  string `json:"inherited_from_name,omitempty"`
}

func (l *lakehouse) effectiveGrants(r *request) (any, error) {
	s, err := l.securable(r)
	if err != nil {
		return nil, err
	}
	if err := maySeeGrants(r, s); err != nil {
		return nil, err
	}
	held := map[string][]effectivePrivilege{}
	for at := s; at != nil; at = at.parent {
		for _, a := range at.assignments(r.URL.Query().Get("principal")) {
			for _, p := range a.Privileges {
				e := effectivePrivilege{Privilege: p}
				if at != s {
					if !slices.Contains(grantable()[s.kind], p) {
						continue // says something about the parent only
					}
					e.FromType, e.FromName = strings.ToUpper(at.kind), at.fullName()
				}
				held[a.Principal] = append(held[a.Principal], e)
			}
		}
	}
	var all []effective
	for name, privileges := range held {
		all = append(all, effective{name, privileges})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Principal < all[j].Principal })
	page, next, err := pageOfGrants(r, all, func(e effective) (string, int) { return e.Principal, len(e.Privileges) })
	if err != nil {
		return nil, err
	}
	body := shape{}
	if len(page) > 0 {
		body["privilege_assignments"] = page
	}
	body.set("next_page_token", next)
	return body, nil
}
