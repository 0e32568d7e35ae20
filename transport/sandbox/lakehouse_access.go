package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// everyone is the account group that contains all principals.
const everyone = "account users"

// holds says whether user holds a privilege on s itself or on a parent, by
// name, through a group, or as owner. ALL_PRIVILEGES does not cover MANAGE and
// the EXTERNAL_USE family.
func holds(user *principal, s *securable, privilege string) bool {
	if user.Admin {
		return true
	}
	for at := s; at != nil; at = at.parent {
		if at.kind != kindMetastore && is(user, at.owner) {
			return true
		}
		for name, privileges := range at.grants {
			if !is(user, name) {
				continue
			}
			if slices.Contains(privileges, privilege) {
				return true
			}
			if privilege != "MANAGE" && !strings.HasPrefix(privilege, "EXTERNAL_USE") && slices.Contains(privileges, "ALL_PRIVILEGES") {
				return true
			}
		}
	}
	return false
}

// is says whether user is the named principal or in the named group.
func is(user *principal, name string) bool {
	if strings.EqualFold(name, user.UserName) || name == everyone {
		return true
	}
	return slices.ContainsFunc(user.Groups, func(g string) bool { return strings.EqualFold(g, name) })
}

// visible says whether a listing shows s: what is needed to use it, or on
// request BROWSE, which shows less of it.
func visible(user *principal, s *securable, includeBrowse bool) (shown, browseOnly bool) {
	if s.dropped {
		return false, false
	}
	if need(user, s, useOf[s.kind]) == nil {
		return true, false
	}
	if includeBrowse && holds(user, s, "BROWSE") {
		return true, true
	}
	return false, false
}

// useOf is the privilege that makes an object of a kind readable.
var useOf = map[string]string{
	kindCatalog: "USE_CATALOG", kindSchema: "USE_SCHEMA", kindTable: "SELECT",
	kindVolume: "READ_VOLUME", kindFunction: "EXECUTE", kindModel: "EXECUTE",
}

// need checks a privilege on s together with USE CATALOG and USE SCHEMA on the
// way to it; the error names the first that is lacking.
func need(user *principal, s *securable, privilege string) error {
	if s.kind == kindSchema && s.name == informationSchema && privilege == "USE_SCHEMA" || systemView(s, privilege) {
		return needParents(user, s)
	}
	if err := needParents(user, s); err != nil {
		return err
	}
	if !holds(user, s, privilege) {
		return lacking(s, privilege)
	}
	return nil
}

// systemView: everybody may read the information schema; its views show only
// what the reader may see.
func systemView(s *securable, privilege string) bool {
	return s.kind == kindTable && s.parent.name == informationSchema && privilege == "SELECT"
}

func needParents(user *principal, s *securable) error {
	if s.parent == nil || s.parent.kind == kindMetastore {
		return nil
	}
	return need(user, s.parent, useOf[s.parent.kind])
}

func lacking(s *securable, privilege string) *apiError {
	return failure(http.StatusForbidden, "PERMISSION_DENIED",
		"User does not have "+strings.ReplaceAll(privilege, "_", " ")+" on "+s.title()+".")
}

// needManage is the right to change grants, owner and existence: owner of the
// object or of a parent, MANAGE, or metastore admin.
func needManage(user *principal, s *securable) error {
	if holds(user, s, "MANAGE") {
		return nil
	}
	return lacking(s, "MANAGE")
}

// grantable lists the privileges that apply to a kind; those of what is below
// are inherited downward and so may be granted above.
var grantable = sync.OnceValue(func() map[string][]string {
	table := []string{"APPLY_TAG", "MANAGE", "MODIFY", "SELECT", "REFRESH"}
	volume := []string{"APPLY_TAG", "MANAGE", "READ_VOLUME", "WRITE_VOLUME"}
	function := []string{"APPLY_TAG", "EXECUTE", "MANAGE"}
	schema := []string{
		"APPLY_TAG", "CREATE_FUNCTION", "CREATE_MATERIALIZED_VIEW", "CREATE_MODEL", "CREATE_TABLE",
		"CREATE_VOLUME", "EXTERNAL_USE_SCHEMA", "MANAGE", "USE_SCHEMA",
	}
	catalog := []string{"APPLY_TAG", "BROWSE", "CREATE_SCHEMA", "MANAGE", "USE_CATALOG"}
	schema = slices.Concat(schema, table, volume, function)
	all := map[string][]string{
		kindMetastore: {
			"CREATE_CATALOG", "CREATE_CLEAN_ROOM", "CREATE_CONNECTION", "CREATE_EXTERNAL_LOCATION", "CREATE_PROVIDER",
			"CREATE_RECIPIENT", "CREATE_SHARE", "CREATE_SERVICE_CREDENTIAL", "CREATE_STORAGE_CREDENTIAL",
			"SET_SHARE_PERMISSION", "USE_MARKETPLACE_ASSETS", "USE_PROVIDER", "USE_RECIPIENT", "USE_SHARE", "MANAGE_ALLOWLIST",
		},
		kindCatalog: slices.Concat(catalog, schema), kindSchema: schema, kindTable: table, kindVolume: volume, kindFunction: function,
		kindModel: function,
	}
	for kind, privileges := range all {
		if kind != kindMetastore {
			privileges = append(slices.Clone(privileges), "ALL_PRIVILEGES")
		}
		slices.Sort(privileges)
		all[kind] = slices.Compact(privileges)
	}
	return all
})

// change adds or takes away privileges of one principal. Removing
// ALL_PRIVILEGES clears all that the principal holds here.
func (s *securable) change(principal string, add, remove []string) {
	now := s.grants[principal]
	if slices.Contains(remove, "ALL_PRIVILEGES") {
		now = nil
	}
	now = slices.DeleteFunc(slices.Clone(now), func(p string) bool { return slices.Contains(remove, p) })
	now = append(now, add...)
	slices.Sort(now)
	now = slices.Compact(now)
	if len(now) == 0 {
		delete(s.grants, principal)
		return
	}
	s.grants[principal] = now
}

// principal finds a user, service principal (by application id) or account
// group as the directory spells it. The workspace's own groups are no
// principals of Unity Catalog.
func (l *lakehouse) principal(name string) (canonical string, ok bool) {
	if strings.EqualFold(name, everyone) {
		return everyone, true
	}
	p := l.w.people
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.members {
		if strings.EqualFold(m.name, name) {
			return m.name, true
		}
	}
	for _, g := range p.groups {
		if strings.EqualFold(g.name, name) && g.name != "admins" && g.name != "users" {
			return g.name, true
		}
	}
	return "", false
}

// workspaceNumber is the workspace id as the JSON number it is in some answers.
const workspaceNumber = json.Number(ID)
