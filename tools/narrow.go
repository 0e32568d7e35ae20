package tools

import (
	"context"

	"brickmcp/catalog"
	"brickmcp/tools/policy"

	"github.com/tidwall/gjson"
)

type rulesKey struct{}

// withRules puts what the policy says where the tools find it.
func withRules(ctx context.Context, rules *policy.Rules) context.Context {
	if rules == nil {
		return ctx
	}
	return context.WithValue(ctx, rulesKey{}, rules)
}

// rulesOf are the rules that a call runs under; nil without a policy.
func rulesOf(ctx context.Context) *policy.Rules {
	rules, _ := ctx.Value(rulesKey{}).(*policy.Rules)
	return rules
}

// hides says which items of a list the policy keeps back; nil when it keeps none.
func (s *Server) hides(ctx context.Context, row *catalog.Row) func(item gjson.Result) bool {
	rules, shown := rulesOf(ctx), row.Shows
	if rules == nil || shown.Scope == "" || !narrows(rules, shown.Scope) {
		return nil
	}
	return func(item gjson.Result) bool {
		o := policy.Object{Scope: shown.Scope, ID: item.Get(shown.ID).String()}
		if shown.Name != "" {
			o.Name = item.Get(shown.Name).String()
		}
		if rules.Shows(o) {
			return false
		}
		if o.Name == "" && o.ID != "" { // the item has no name; the object may
			if named, err := s.lookups.Object(ctx, shown.Scope, o.ID); err == nil && named.Name != "" {
				return !rules.Shows(named)
			}
		}
		return true
	}
}

// narrows reports whether lists of a scope are narrowed: those of Unity Catalog by
// the scopes of what they contain, too.
func narrows(rules *policy.Rules, scope catalog.Scope) bool {
	switch scope {
	case catalog.ScopeCatalogs, catalog.ScopeSchemas, catalog.ScopeTables:
		return rules.Narrows(catalog.ScopeCatalogs) || rules.Narrows(catalog.ScopeSchemas) || rules.Narrows(catalog.ScopeTables)
	}
	return rules.Narrows(scope)
}
