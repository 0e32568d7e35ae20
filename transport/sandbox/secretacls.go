package sandbox

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

func (s *secrets) listACLs(r *request) (any, error) {
	scope, err := s.scope(r.user, r.URL.Query().Get("scope"), "MANAGE")
	if err != nil {
		return nil, err
	}
	var rows []object
	for _, who := range slices.Sorted(maps.Keys(scope.acl)) {
		rows = append(rows, object{"principal": who, "permission": scope.acl[who]})
	}
	if rows == nil {
		return object{}, nil
	}
	return object{"items": rows}, nil
}

func noACL(scope *secretScope, who string) error {
	return failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Failed to get secret acl for principal "+who+" on scope "+scope.name)
}

func (s *secrets) getACL(r *request) (any, error) {
	scope, err := s.scope(r.user, r.URL.Query().Get("scope"), "MANAGE")
	if err != nil {
		return nil, err
	}
	who := r.URL.Query().Get("principal")
	level, ok := scope.acl[who]
	if !ok {
		return nil, noACL(scope, who)
	}
	return object{"principal": who, "permission": level}, nil
}

type secretACL struct {
	Scope      string `json:"scope"`
	Principal  string `json:"principal"`
	Permission string `json:"permission"`
}

func (s *secrets) putACL(r *request) (any, error) {
	var body secretACL
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	scope, err := s.scope(r.user, body.Scope, "MANAGE")
	switch {
	case err != nil:
		return nil, err
	case body.Principal == "":
		return nil, badArgument("Missing required field: principal")
	case !slices.Contains(secretLevels, body.Permission):
		return nil, badArgument("Invalid permission `" + body.Permission + "`. Valid permissions are: READ, WRITE, MANAGE")
	}
	scope.acl[body.Principal] = body.Permission
	return nil, nil
}

func (s *secrets) deleteACL(r *request) (any, error) {
	var body secretACL
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	scope, err := s.scope(r.user, body.Scope, "MANAGE")
	if err != nil {
		return nil, err
	}
	if _, ok := scope.acl[body.Principal]; !ok {
		return nil, noACL(scope, body.Principal)
	}
	delete(scope.acl, body.Principal)
	return nil, nil
}

// seed makes scopes with every kind of access: one that analysts read, one
// that is closed to them, and a read-only one in a key vault.
func (s *secrets) seed(now time.Time) {
	day := 24 * time.Hour
	add := func(name string, vault object, access acl, ages map[string]time.Duration) {
		scope := &secretScope{name: name, vault: vault, acl: access, values: map[string]secretValue{}}
		for key, age := range ages {
			scope.values[key] = secretValue{[]byte("sandbox-value-of-" + name + "-" + key), now.Add(-age)}
		}
		s.scopes[name] = scope
	}
	add("etl", nil, acl{"data-engineers": "MANAGE", ClientID: "READ"}, map[string]time.Duration{
		"warehouse-jdbc-password": 91 * day, "erp-api-key": 12 * day, "sftp-private-key": 203 * day, "kafka-sasl-password": 33 * day,
	})
	add("analytics", nil, acl{"carla@example.com": "MANAGE", "analysts": "READ"}, map[string]time.Duration{
		"maps-api-key": 64 * day, "slack-webhook": 5 * day,
	})
	add("ml", nil, acl{"carla@example.com": "MANAGE", "ben@example.com": "WRITE"}, map[string]time.Duration{
		"hf-token": 17 * day,
	})
	add("payments-prod", object{
		"resource_id": "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/retail/providers/Microsoft.KeyVault/vaults/payments-prod",
		"dns_name":    "https://payments-prod.vault.azure.net/",
	}, acl{"admins": "MANAGE"}, map[string]time.Duration{"stripe-key": 140 * day, "adyen-hmac": 140 * day})
}
