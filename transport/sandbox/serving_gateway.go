package sandbox

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"brickmcp/transport/sandbox/engine"
)

// inferenceTable is where an endpoint's requests and answers are logged.
type inferenceTable struct {
	Enabled bool   `json:"enabled"`
	Catalog string `json:"catalog_name"`
	Schema  string `json:"schema_name"`
	Prefix  string `json:"table_name_prefix"`
}

func (t inferenceTable) name(suffix string) engine.Name {
	return engine.Name{Catalog: t.Catalog, Schema: t.Schema, Table: strings.ToLower(t.Prefix) + suffix}
}

// rateLimit is one of ai_gateway.rate_limits; only calls are counted here.
type rateLimit struct {
	Calls     int64  `json:"calls"`
	Tokens    int64  `json:"tokens"`
	Key       string `json:"key"`
	Principal string `json:"principal"`
	Period    string `json:"renewal_period"`
}

type gatewayConfig struct {
	Table  *inferenceTable `json:"inference_table_config"`
	Limits []rateLimit     `json:"rate_limits"`
}

// readGateway is the part of ai_gateway that has an effect here.
func (e *servingEndpoint) readGateway() (c gatewayConfig) {
	if e.gateway != nil {
		_ = recast(e.gateway, &c) // checked when it was set
	}
	return c
}

func (s *serving) putGateway(r *request) (any, error) {
	var in object
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	e, err := s.named(r, "CAN_MANAGE")
	if err != nil {
		return nil, err
	}
	gateway, err := s.checkGateway(r.user, e, in)
	if err != nil {
		return nil, err
	}
	e.gateway, e.updated = gateway, r.now
	return gateway, nil
}

// checkGateway checks ai_gateway and completes it. An inference table can be
// set once: then only the same one, or its end, may be asked for.
func (s *serving) checkGateway(user *principal, e *servingEndpoint, in object) (object, error) {
	in = maps.Clone(in)
	maps.DeleteFunc(in, func(key string, _ any) bool {
		return !slices.Contains([]string{"fallback_config", "guardrails", "inference_table_config", "rate_limits", "usage_tracking_config"}, key)
	})
	var c gatewayConfig
	if err := recast(in, &c); err != nil {
		return nil, err
	}
	for _, limit := range c.Limits {
		switch {
		case limit.Period != "minute":
			return nil, badArgument("renewal_period must be 'minute'.")
		case limit.Calls < 0 || limit.Tokens < 0:
			return nil, badArgument("calls and tokens must not be negative.")
		case limit.Key != "" && !slices.Contains([]string{"endpoint", "user", "user_group", "service_principal"}, limit.Key):
			return nil, badArgument("Invalid key '" + limit.Key + "' of a rate limit. Valid keys are: endpoint, service_principal, user, user_group")
		}
	}
	if c.Table == nil || !c.Table.Enabled {
		return in, nil
	}
	before, t := e.readGateway().Table, *c.Table
	if t.Prefix == "" {
		t.Prefix = strings.ReplaceAll(e.name, "-", "_")
	}
	if before != nil && before.Enabled {
		if *before == t {
			return in, nil
		}
		return nil, badArgument("Inference tables is already enabled for endpoint '" + e.name + "'. Its catalog, schema and table name prefix cannot be changed.")
	}
	for _, other := range s.endpoints {
		if used := other.readGateway().Table; used != nil && used.name("") == t.name("") {
			return nil, badArgument("The inference table of endpoint '" + other.name + "' has the same name. Choose another table_name_prefix.")
		}
	}
	if err := s.w.lakehouse.mayCreateTable(user, t.name("_payload")); err != nil {
		return nil, err
	}
	in["inference_table_config"] = object{"enabled": true, "catalog_name": t.Catalog, "schema_name": t.Schema, "table_name_prefix": t.Prefix}
	return in, nil
}

// mayCreateTable refuses a table that is there already and a user who may not
// make it.
func (l *lakehouse) mayCreateTable(user *principal, n engine.Name) error {
	l.ready()
	l.mu.RLock()
	defer l.mu.RUnlock()
	schema, err := l.find(kindSchema, n.Catalog+"."+n.Schema)
	if err != nil {
		return err
	}
	if err := need(user, schema, "CREATE_TABLE"); err != nil {
		return err
	}
	if err := validName(kindTable, n.Table); err != nil {
		return err
	}
	if schema.child(kindTable, n.Table) != nil {
		return failure(http.StatusBadRequest, "TABLE_ALREADY_EXISTS", "Table '"+n.String()+"' already exists. Choose another table_name_prefix.")
	}
	return nil
}

// rateCount counts the calls of one minute by one key.
type rateCount struct {
	of    string // index of the limit, and the user where it counts per user
	began time.Time
	calls int64
}

// meter counts a call and refuses it beyond the endpoint's rate limits.
func (e *servingEndpoint) meter(user *principal, now time.Time) error {
	for n, limit := range e.readGateway().Limits {
		of := strconv.Itoa(n) // each limit counts by itself
		switch limit.Key {
		case "user":
			if limit.Principal != "" && limit.Principal != user.UserName {
				continue
			}
			of += user.UserName
		case "user_group":
			if !user.in(limit.Principal) {
				continue
			}
		case "service_principal":
			if limit.Principal != user.UserName {
				continue
			}
		}
		if limit.Calls == 0 {
			continue // of tokens
		}
		i := slices.IndexFunc(e.window, func(c rateCount) bool { return c.of == of })
		if i < 0 {
			i = len(e.window)
			e.window = append(e.window, rateCount{of: of, began: now})
		}
		count := &e.window[i]
		if !now.Before(count.began.Add(time.Minute)) {
			count.began, count.calls = now, 0
		}
		if count.calls >= limit.Calls {
			return failure(http.StatusTooManyRequests, "REQUEST_LIMIT_EXCEEDED", fmt.Sprintf("Exceeded the rate limit of %d calls per minute on the endpoint '%s'. Please try again later.", limit.Calls, e.name))
		}
		count.calls++
	}
	return nil
}
