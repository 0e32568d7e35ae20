package tools

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/policy"

	"github.com/tidwall/gjson"
)

// lookupTime is how long the name and the tags of an object are believed. A policy
// that goes by names has to see a renaming soon.
const lookupTime = 30 * time.Second

// lookups asks the workspace about objects whose names and tags a policy needs.
type lookups struct {
	api catalog.Caller
	now func() time.Time

	mu   sync.Mutex
	kept map[string]lookedUp
}

type lookedUp struct {
	object policy.Object
	at     time.Time
}

var _ policy.Lookup = (*lookups)(nil)

// nameable are the rows that show an object by its id, and where the answer has
// its name and tags. Tags are an object, or an array of {key, value}.
var nameable = map[catalog.Scope]struct {
	row              *catalog.Row
	argument         string
	name, tags, more string
}{
	catalog.ScopeJobs:              {&catalog.GetJob.Row, "job_id", "settings.name", "settings.tags", ""},
	catalog.ScopeClusters:          {&catalog.GetCluster.Row, "cluster_id", "cluster_name", "custom_tags", ""},
	catalog.ScopeWarehouses:        {&catalog.GetWarehouse.Row, "warehouse_id", "name", "tags.custom_tags", ""},
	catalog.ScopeServicePrincipals: {&catalog.GetServicePrincipal.Row, "id", "displayName", "", "applicationId"},
}

// Object implements policy.Lookup.
func (l *lookups) Object(ctx context.Context, scope catalog.Scope, id string) (policy.Object, error) {
	object := policy.Object{Scope: scope, ID: id}
	how, ok := nameable[scope]
	if !ok {
		return object, nil // its id is its name
	}
	return l.once(string(scope)+" "+id, func() (policy.Object, error) {
		answer, err := l.get(ctx, how.row, how.argument, id)
		if err != nil {
			return object, err
		}
		object.Name = answer.Get(how.name).String()
		if how.tags != "" {
			object.Tags = tags(answer.Get(how.tags))
		}
		if how.more != "" {
			object.Tags = append(object.Tags, answer.Get(how.more).String())
		}
		return object, nil
	})
}

// JobOfRun implements policy.Lookup.
func (l *lookups) JobOfRun(ctx context.Context, runID string) (string, error) {
	object, err := l.once("runs "+runID, func() (policy.Object, error) {
		answer, err := l.get(ctx, &catalog.GetRun.Row, "run_id", runID)
		return policy.Object{ID: answer.Get("job_id").String()}, err
	})
	return object.ID, err
}

func (l *lookups) get(ctx context.Context, row *catalog.Row, argument, id string) (gjson.Result, error) {
	args, err := json.Marshal(map[string]string{argument: id})
	if err != nil {
		return gjson.Result{}, err
	}
	call, err := row.Bind(args)
	if err != nil {
		return gjson.Result{}, err
	}
	answer, err := l.api.Do(ctx, call)
	if err != nil {
		return gjson.Result{}, err
	}
	return parse(answer.Body), nil
}

// once keeps what find says for a while. Failures are not kept.
func (l *lookups) once(key string, find func() (policy.Object, error)) (policy.Object, error) {
	l.mu.Lock()
	kept, ok := l.kept[key]
	l.mu.Unlock()
	if ok && l.now().Sub(kept.at) < lookupTime {
		return kept.object, nil
	}
	object, err := find()
	if err != nil {
		return object, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept == nil || len(l.kept) >= 1000 {
		l.kept = map[string]lookedUp{}
	}
	l.kept[key] = lookedUp{object, l.now()}
	return object, nil
}

// name is what an object was last called, for people to read; "" when nobody asked.
func (l *lookups) name(scope catalog.Scope, id string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept[string(scope)+" "+id].object.Name
}

// tags reads {"env":"prod"} and [{"key":"env","value":"prod"}].
func tags(v gjson.Result) []string {
	var found []string
	v.ForEach(func(key, value gjson.Result) bool {
		switch {
		case value.IsObject():
			found = append(found, value.Get("key").String()+"="+value.Get("value").String())
		case value.String() == "":
			found = append(found, key.String())
		default:
			found = append(found, key.String()+"="+value.String())
		}
		return true
	})
	return found
}
