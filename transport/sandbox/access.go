package sandbox

import (
	"net/http"
	"slices"
)

// acl is the direct permissions of one object: user name, group name or
// application id -> level. Admins can manage everything besides.
type acl map[string]string

// levels of each object type, low to high (contract README.md, section 11).
var levels = map[string][]string{
	"jobs":       {"CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"},
	"clusters":   {"CAN_ATTACH_TO", "CAN_RESTART", "CAN_MANAGE"},
	"warehouses": {"CAN_VIEW", "CAN_USE", "CAN_MONITOR", "CAN_MANAGE", "IS_OWNER"},

	"serving-endpoints": {"CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"},
	"experiments":       {"CAN_READ", "CAN_EDIT", "CAN_MANAGE"},
}

// allows says whether user holds at least the level on an object of this type.
func (a acl) allows(user *principal, kind, level string) bool {
	if user.Admin {
		return true
	}
	order := levels[kind]
	need := slices.Index(order, level)
	for who, has := range a {
		if (who == user.UserName || user.in(who)) && slices.Index(order, has) >= need {
			return true
		}
	}
	return false
}

// owner is the one principal that owns the object, "" if it has none.
func (a acl) owner() string {
	for who, level := range a {
		if level == "IS_OWNER" {
			return who
		}
	}
	return ""
}

// denied is a 403 in the words the real service uses.
func denied(message string) *apiError {
	return failure(http.StatusForbidden, "PERMISSION_DENIED", message)
}
