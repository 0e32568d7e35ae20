package sandbox

import (
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const clustersPath = "/api/2.1/clusters/"

var smallCluster = object{"cluster_name": "c", "spark_version": "16.4.x-scala2.12", "node_type_id": "i3.xlarge", "num_workers": 2, "autotermination_minutes": 10}

func TestClusterLife(t *testing.T) {
	ana, _, clock := newCallers(t)
	id := ana.call("POST", clustersPath+"create", smallCluster)["cluster_id"].(string)
	get := func() map[string]any { return ana.get(clustersPath + "get?cluster_id=" + id) }
	named := object{"cluster_id": id}
	if got := get(); got["state"] != "PENDING" || got["cluster_source"] != "API" || got["spec"].(map[string]any)["num_workers"] != json.Number("2") {
		t.Fatal(got)
	}
	if why := ana.refused("POST", clustersPath+"start", named, 400, "INVALID_STATE"); why != "Cluster "+id+" is in unexpected state Pending." {
		t.Error(why)
	}
	clock.advance(clusterPending)
	running := get()
	context, err := running["spark_context_id"].(json.Number).Int64()
	if running["state"] != "RUNNING" || len(running["executors"].([]any)) != 2 || err != nil || context <= 1<<53 {
		t.Fatal(running)
	}
	if why := ana.refused("POST", clustersPath+"start", named, 400, "INVALID_STATE"); why != "Cluster "+id+" is in unexpected state Running." {
		t.Error(why)
	}
	ana.call("POST", clustersPath+"resize", object{"cluster_id": id, "num_workers": 3})
	if got := get(); got["state"] != "RESIZING" || got["num_workers"] != json.Number("3") {
		t.Error(got)
	}
	clock.advance(clusterResizing)
	ana.call("POST", clustersPath+"restart", named)
	clock.advance(clusterRestarting)
	if got := get(); got["state"] != "RUNNING" || got["spark_context_id"] == running["spark_context_id"] {
		t.Error("a restart makes another context:", got)
	}
	clock.advance(10 * time.Minute)
	if got := get(); got["state"] != "TERMINATING" || got["termination_reason"].(map[string]any)["code"] != "INACTIVITY" {
		t.Error(got)
	}
	if why := ana.refused("POST", clustersPath+"start", named, 400, "INVALID_STATE"); !strings.HasSuffix(why, "Terminating.") {
		t.Error(why)
	}
	clock.advance(clusterTerminating)
	ana.refused("POST", clustersPath+"resize", object{"cluster_id": id, "num_workers": 1}, 400, "INVALID_STATE")
	ana.call("POST", clustersPath+"edit", with(object{"cluster_id": id, "autotermination_minutes": 0, "num_workers": 0}, object{
		"spark_version": "15.4.x-scala2.12", "node_type_id": "i3.xlarge",
	}))
	if got := get(); got["state"] != "TERMINATED" || got["cluster_name"] != nil || got["num_workers"] != json.Number("0") {
		t.Error("edit replaces everything:", got)
	}
	ana.call("POST", clustersPath+"start", named)
	clock.advance(1000 * time.Hour)
	if got := get(); got["state"] != "RUNNING" || got["terminated_time"] != nil {
		t.Error("0 minutes means never:", got)
	}
	for range 2 { // terminating what terminates changes nothing
		ana.call("POST", clustersPath+"delete", named)
	}
	if got := get(); got["state"] != "TERMINATING" || got["state_message"] != "Terminated by ana@example.com" {
		t.Error(got)
	}
	events := ana.call("POST", clustersPath+"events", object{"cluster_id": id, "order": "ASC"})
	if got := names(events["events"], "type"); !reflect.DeepEqual(got, []string{
		"CREATING", "RUNNING", "RESIZING", "RUNNING", "RESTARTING", "RUNNING", "TERMINATING", "EDITED", "STARTING", "RUNNING", "TERMINATING",
	}) {
		t.Error(got)
	}
	paged := ana.call("POST", clustersPath+"events", object{"cluster_id": id, "page_size": 2, "event_types": []string{"TERMINATING"}})
	if got := names(paged["events"], "type"); len(got) != 2 || paged["next_page_token"] != "" {
		t.Error(paged)
	}
	clock.advance(30*24*time.Hour + time.Minute)
	if why := ana.refused("GET", clustersPath+"get?cluster_id="+id, nil, 400, "INVALID_STATE"); !strings.Contains(why, "terminated or unpinned more than 30 days ago") {
		t.Error(why)
	}
}

func TestClusterCreate(t *testing.T) {
	ana, ben, _ := newCallers(t)
	keyed := with(object{"idempotency_token": "once"}, smallCluster)
	first, again := ana.call("POST", clustersPath+"create", keyed), ana.call("POST", clustersPath+"create", keyed)
	if first["cluster_id"] != again["cluster_id"] {
		t.Error("one token made two clusters")
	}
	if third := ana.call("POST", clustersPath+"create", smallCluster); third["cluster_id"] == first["cluster_id"] {
		t.Error("names are not unique, but no second cluster was made")
	}
	ben.refused("POST", clustersPath+"create", smallCluster, 403, "PERMISSION_DENIED")
	less := func(fields ...string) object {
		o := clone(smallCluster)
		for _, f := range fields {
			delete(o, f)
		}
		return o
	}
	for name, c := range map[string]struct {
		body object
		why  string
	}{
		"no version":   {less("spark_version"), "Missing required field: spark_version"},
		"bad version":  {with(object{"spark_version": "1"}, less("spark_version")), "Invalid spark version 1."},
		"no size":      {less("num_workers"), "Missing required field: size"},
		"two sizes":    {with(object{"autoscale": object{"min_workers": 1, "max_workers": 2}}, smallCluster), "Only one of"},
		"bad scale":    {with(object{"autoscale": object{"min_workers": 2, "max_workers": 2}}, less("num_workers")), "max_workers must be greater"},
		"no node type": {less("node_type_id"), "Missing required field: node_type_id"},
		"bad node":     {with(less("node_type_id"), object{"node_type_id": "i9"}), "Node type i9 is not supported"},
		"bad driver":   {with(object{"driver_node_type_id": "i9"}, smallCluster), "Node type i9 is not supported"},
		"no pool":      {with(object{"instance_pool_id": "p"}, less("node_type_id")), "Can't find an instance pool"},
		"no policy":    {with(object{"policy_id": "p"}, smallCluster), "Cluster policy p does not exist"},
		"short life":   {with(less("autotermination_minutes"), object{"autotermination_minutes": 9}), "autotermination_minutes"},
		"long token":   {with(object{"idempotency_token": strings.Repeat("x", 65)}, smallCluster), "at most 64"},
	} {
		if why := ana.refused("POST", clustersPath+"create", c.body, 400, "INVALID_PARAMETER_VALUE"); !strings.Contains(why, c.why) {
			t.Errorf("%s: %s", name, why)
		}
	}
	ana.refused("POST", clustersPath+"create", `{"num_workers": "two"}`, 400, "MALFORMED_REQUEST")
	ana.refused("POST", clustersPath+"create", `{`, 400, "MALFORMED_REQUEST")
	// Unknown fields are neither refused nor kept.
	id := ana.call("POST", clustersPath+"create", with(object{"colour": "red"}, smallCluster))["cluster_id"].(string)
	if got := ana.get(clustersPath + "get?cluster_id=" + id); got["colour"] != nil {
		t.Error(got)
	}
}

func TestClusterList(t *testing.T) {
	ana, ben, _ := newCallers(t)
	list := func(query string) []string {
		return names(ana.get(clustersPath + "list?" + query)["clusters"], "cluster_name")
	}
	if all := list(""); len(all) != 6 || all[0] != "analytics-shared" {
		t.Error(all)
	}
	people := list("filter_by.cluster_sources=UI&filter_by.cluster_sources=API")
	if !reflect.DeepEqual(people, []string{"analytics-shared", "ana-dev", "ml-training"}) {
		t.Error(people)
	}
	if got := list("filter_by.cluster_states=RUNNING"); !reflect.DeepEqual(got, []string{"analytics-shared"}) {
		t.Error(got)
	}
	if got := list("filter_by.is_pinned=false"); len(got) != 5 {
		t.Error(got)
	}
	if got := list("filter_by.policy_id=p"); got != nil {
		t.Error(got)
	}
	byName := list("sort_by.field=CLUSTER_NAME&sort_by.direction=DESC")
	slices.Reverse(byName)
	if !slices.IsSorted(byName) {
		t.Error(byName)
	}
	first := ana.get(clustersPath + "list?page_size=4")
	if first["prev_page_token"] != "" || len(first["clusters"].([]any)) != 4 || first["clusters"].([]any)[0].(map[string]any)["spec"] != nil {
		t.Error(first)
	}
	second := ana.get(clustersPath + "list?page_size=4&page_token=" + url.QueryEscape(first["next_page_token"].(string)))
	if second["next_page_token"] != "" || len(second["clusters"].([]any)) != 2 {
		t.Error(second)
	}
	if whole := ana.get("/api/2.0/clusters/list?page_size=1"); len(whole["clusters"].([]any)) != 6 || whole["next_page_token"] != nil {
		t.Error("2.0 does not page:", whole)
	}
	if got := names(ben.get(clustersPath + "list")["clusters"], "cluster_name"); !reflect.DeepEqual(got, []string{"analytics-shared"}) {
		t.Error("ben sees", got)
	}
	for _, query := range []string{"filter_by.cluster_sources=ui", "filter_by.cluster_states=OFF", "page_size=101", "page_size=0", "sort_by.field=AGE", "sort_by.direction=UP", "filter_by.is_pinned=yes", "page_token=%%%"} {
		path := clustersPath + "list?" + strings.ReplaceAll(query, "%%%", "abc")
		ana.refused("GET", path, nil, 400, "INVALID_PARAMETER_VALUE")
	}
}

func TestClusterAccess(t *testing.T) {
	ana, ben, _ := newCallers(t)
	ben.get(clustersPath + "get?cluster_id=" + sharedClusterID)
	for _, verb := range []string{"start", "delete", "restart", "permanent-delete", "pin"} {
		ben.refused("POST", clustersPath+verb, object{"cluster_id": sharedClusterID}, 403, "PERMISSION_DENIED")
	}
	if why := ana.refused("GET", clustersPath+"get?cluster_id=nope", nil, 400, "INVALID_PARAMETER_VALUE"); why != "Cluster nope does not exist" {
		t.Error(why)
	}
	ana.refused("POST", clustersPath+"start", object{}, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("POST", clustersPath+"permanent-delete", object{"cluster_id": sharedClusterID}, 400, "INVALID_PARAMETER_VALUE")
	ana.call("POST", clustersPath+"unpin", object{"cluster_id": sharedClusterID})
	ana.call("POST", clustersPath+"permanent-delete", object{"cluster_id": sharedClusterID})
	ana.refused("GET", clustersPath+"get?cluster_id="+sharedClusterID, nil, 400, "INVALID_PARAMETER_VALUE")
	for _, c := range ana.get(clustersPath + "list?filter_by.cluster_sources=JOB")["clusters"].([]any) {
		id := c.(map[string]any)["cluster_id"]
		ana.refused("POST", clustersPath+"start", object{"cluster_id": id}, 400, "INVALID_PARAMETER_VALUE")
		ana.refused("POST", clustersPath+"edit", with(object{"cluster_id": id}, smallCluster), 400, "INVALID_PARAMETER_VALUE")
	}
}

func TestClusterCatalogues(t *testing.T) {
	_, ben, _ := newCallers(t)
	if got := names(ben.get(clustersPath + "spark-versions")["versions"], "key"); !slices.Contains(got, "16.4.x-scala2.12") {
		t.Error(got)
	}
	if got := names(ben.get(clustersPath + "list-node-types")["node_types"], "node_type_id"); !slices.Contains(got, "i3.xlarge") {
		t.Error(got)
	}
	if got := ben.get(clustersPath + "list-zones"); got["default_zone"] == nil {
		t.Error(got)
	}
}
