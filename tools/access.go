package tools

import (
	"fmt"
	"slices"
	"strings"

	"brickmcp/catalog"
)

// Access is what an agent may use: a level per group, and a default.
type Access struct {
	fallback catalog.Level
	groups   map[string]catalog.Level
}

// ParseAccess reads LEVEL[,GROUP=LEVEL…], for example read,jobs=full,secrets=off.
// The level without a group may be left out; it is read then.
func ParseAccess(spec string) (Access, error) {
	a := Access{fallback: catalog.LevelRead, groups: map[string]catalog.Level{}}
	for i, part := range strings.Split(spec, ",") {
		part = strings.TrimSpace(part)
		group, word, override := strings.Cut(part, "=")
		if !override {
			group, word = "", part
		}
		group, word = strings.TrimSpace(group), strings.TrimSpace(word)
		level, ok := catalog.ParseLevel(word)
		switch {
		case spec == "" || part == "" && i > 0:
			continue
		case !ok:
			return Access{}, fmt.Errorf("access %q: %q is no level; valid levels: %s", spec, word, strings.Join(catalog.Levels(), ", "))
		case !override && i > 0:
			return Access{}, fmt.Errorf("access %q: only the first part may be a level without a group; write GROUP=%s", spec, word)
		case !override:
			a.fallback = level
			continue
		case !slices.Contains(groupIDs(), group):
			hint := ""
			if near := catalog.Nearest(group, groupIDs()); near != "" {
				hint = " (did you mean " + near + "?)"
			}
			return Access{}, fmt.Errorf("access %q: %q is no group%s; valid groups: %s", spec, group, hint, strings.Join(groupIDs(), ", "))
		}
		if _, twice := a.groups[group]; twice {
			return Access{}, fmt.Errorf("access %q: the group %s is named twice", spec, group)
		}
		a.groups[group] = level
	}
	return a, nil
}

func groupIDs() []string {
	var ids []string
	for _, g := range catalog.Groups() {
		ids = append(ids, g.ID)
	}
	return ids
}

// Level is the level of a group.
func (a Access) Level(group *catalog.Group) catalog.Level {
	if level, ok := a.groups[group.ID]; ok {
		return level
	}
	return a.fallback
}

// Allows reports whether the row's tool may be used, and so is listed.
func (a Access) Allows(row *catalog.Row) bool {
	return a.Level(row.Group) >= row.Effect.Needs()
}

// String is the spec that ParseAccess reads.
func (a Access) String() string {
	parts := []string{a.fallback.String()}
	for _, id := range groupIDs() {
		if level, ok := a.groups[id]; ok {
			parts = append(parts, id+"="+level.String())
		}
	}
	return strings.Join(parts, ",")
}

// check refuses a call that the access does not allow, in words a person can
// act on.
func (a Access) check(row *catalog.Row) error {
	if a.Allows(row) {
		return nil
	}
	has, needs := a.Level(row.Group), row.Effect.Needs()
	return &catalog.Error{
		Kind:    catalog.Denied,
		Message: fmt.Sprintf("%s is not allowed: the group %s has access %s, this tool needs %s", row.Name, row.Group.ID, has, needs),
		Advice:  fmt.Sprintf("The person who runs this server can allow it with --access %s=%s (or BRICKMCP_ACCESS). Nothing was sent.", row.Group.ID, needs),
	}
}
