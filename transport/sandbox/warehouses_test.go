package sandbox

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

const warehousesPath = "/api/2.0/sql/warehouses"

func TestWarehouseLife(t *testing.T) {
	ana, _, clock := newCallers(t)
	body := object{"name": "adhoc", "cluster_size": "2X-Small", "warehouse_type": "PRO", "enable_serverless_compute": true, "auto_stop_mins": 10}
	id := ana.call("POST", warehousesPath, body)["id"].(string)
	path := warehousesPath + "/" + id
	state := func() any { return ana.get(path)["state"] }
	if got := ana.get(path); len(id) != 16 || got["state"] != "STARTING" || got["max_num_clusters"] != json.Number("1") || got["num_clusters"] != json.Number("0") {
		t.Fatal("a new warehouse starts at once:", got)
	}
	clock.advance(3 * time.Second)
	if got := ana.get(path); got["state"] != "RUNNING" || got["num_clusters"] != json.Number("1") ||
		got["odbc_params"].(map[string]any)["path"] != "/sql/1.0/warehouses/"+id {
		t.Fatal(got)
	}
	ana.call("POST", path+"/start", nil) // runs already: nothing happens
	clock.advance(9 * time.Minute)
	if running, err := ana.w.warehouses.acquire(id, clock.Now()); !running || err != nil {
		t.Fatal(running, err)
	}
	clock.advance(9 * time.Minute)
	if state() != "RUNNING" {
		t.Error("the statement did not put auto-stop off")
	}
	clock.advance(time.Minute)
	if state() != "STOPPING" {
		t.Error("auto-stop:", state())
	}
	clock.advance(warehouseStopping)
	if state() != "STOPPED" {
		t.Error(state())
	}
	// A statement starts a stopped warehouse.
	if running, err := ana.w.warehouses.acquire(id, clock.Now()); running || err != nil || state() != "STARTING" {
		t.Fatal(running, err, state())
	}
	clock.advance(3 * time.Second)
	if running, _ := ana.w.warehouses.acquire(id, clock.Now()); !running {
		t.Error("not running after its start")
	}
	for range 2 {
		ana.call("POST", path+"/stop", "{}")
	}
	clock.advance(time.Hour)
	if state() != "STOPPED" {
		t.Error(state())
	}
	ana.call("POST", path+"/edit", object{"auto_stop_mins": 0})
	if got := ana.get(path); got["auto_stop_mins"] != json.Number("0") || got["name"] != "adhoc" || got["enable_serverless_compute"] != true {
		t.Error("edit keeps what it does not send:", got)
	}
	ana.call("POST", path+"/start", nil)
	clock.advance(1000 * time.Hour)
	if state() != "RUNNING" {
		t.Error("0 means never:", state())
	}
	ana.call("DELETE", path, nil)
	clock.advance(warehouseStopping)
	ana.refused("GET", path, nil, 400, "RESOURCE_DOES_NOT_EXIST")
	ana.call("POST", warehousesPath, body) // the name is free again
}

func TestWarehouseRefusals(t *testing.T) {
	ana, ben, clock := newCallers(t)
	good := func(field string, value any) object {
		o := object{"name": "w", "cluster_size": "Small", "warehouse_type": "PRO", "enable_serverless_compute": false}
		o[field] = value
		return o
	}
	for _, c := range []struct {
		field string
		value any
		why   string
	}{
		{"name", "Shared Serverless", "SQL warehouse with name `Shared Serverless` already exists"},
		{"name", "", "Missing required field: name"}, {"name", strings.Repeat("n", 100), "less than 100"},
		{"cluster_size", "small", "Invalid cluster_size"}, {"cluster_size", "", "Missing required field: cluster_size"},
		{"auto_stop_mins", 9, "auto_stop_mins"}, {"min_num_clusters", 0, "min_num_clusters"}, {"max_num_clusters", 41, "max_num_clusters"},
		{"warehouse_type", "BIG", "Invalid warehouse_type"}, {"spot_instance_policy", "CHEAP", "Invalid spot_instance_policy"},
	} {
		if why := ana.refused("POST", warehousesPath, good(c.field, c.value), 400, "INVALID_PARAMETER_VALUE"); !strings.Contains(why, c.why) {
			t.Errorf("%s=%v: %s", c.field, c.value, why)
		}
	}
	ana.refused("POST", warehousesPath, object{"name": "w", "cluster_size": "Small", "enable_serverless_compute": true}, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("POST", warehousesPath, `{"name": 1}`, 400, "MALFORMED_REQUEST")
	if why := ana.refused("POST", warehousesPath+"/nope/start", nil, 400, "RESOURCE_DOES_NOT_EXIST"); why != "Warehouse nope does not exist" {
		t.Error(why)
	}
	var api *apiError
	if _, err := ana.w.warehouses.acquire("nope", clock.Now()); !errors.As(err, &api) || api.code != "RESOURCE_DOES_NOT_EXIST" {
		t.Error(err)
	}

	// ben uses the shared ones, and neither stops nor sees the rest.
	if got := names(ben.get(warehousesPath)["warehouses"], "name"); !reflect.DeepEqual(got, []string{"Shared Serverless", "Finance Reporting"}) {
		t.Error(got)
	}
	shared, pro := warehousesPath+"/"+warehouseID(1), warehousesPath+"/"+warehouseID(3)
	ben.call("POST", shared+"/start", nil)
	ben.refused("POST", shared+"/stop", nil, 403, "PERMISSION_DENIED")
	ben.refused("GET", pro, nil, 403, "PERMISSION_DENIED")
	ben.refused("POST", warehousesPath, good("name", "mine"), 403, "PERMISSION_DENIED")
	who := &principal{UserName: "ben@example.com", Groups: []string{"users", "analysts"}}
	if err := ben.w.warehouses.mayUse(who, warehouseID(3), clock.Now()); !errors.As(err, &api) || api.status != 403 {
		t.Error(err)
	}
	if err := ben.w.warehouses.mayUse(who, warehouseID(1), clock.Now()); err != nil {
		t.Error(err)
	}
}

func TestWarehousePaging(t *testing.T) {
	ana, _, _ := newCallers(t)
	all, pages := ana.follow(warehousesPath+"?page_size=2", "warehouses", "name")
	if len(all) != 3 || !reflect.DeepEqual(pages, []int{2, 1}) {
		t.Error(all, pages)
	}
	ana.refused("GET", warehousesPath+"?page_token=x", nil, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("GET", warehousesPath+"?page_size=x", nil, 400, "INVALID_PARAMETER_VALUE")
	wrong := pageToken("jobs", 1)
	ana.refused("GET", warehousesPath+"?page_token="+wrong, nil, 400, "INVALID_PARAMETER_VALUE") // of another list
}
