package sandbox

import (
	"fmt"
	"sync"
	"testing"
)

// TestDataUnderConcurrentUse mixes SQL, grants, drops and files: the catalog's
// lock and the engine's must never wait for each other.
func TestDataUnderConcurrentUse(t *testing.T) {
	ana, ben, _ := newCallers(t)
	ana.call("POST", unity+"/schemas", shape{"name": "busy", "catalog_name": "main"})
	id := ana.warehouse("Shared Serverless")
	sql := func(c caller, text string) {
		if rec := c.send("POST", statementsAPI, shape{"warehouse_id": id, "statement": text, "wait_timeout": "50s"}); rec.Code != 200 {
			t.Errorf("%s: %d %s", text, rec.Code, rec.Body)
		}
	}
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 5 {
				table := fmt.Sprintf("main.busy.t%d_%d", worker, i)
				sql(ana, "CREATE TABLE "+table+" AS SELECT 1 AS a")
				sql(ben, "SELECT count(*) FROM main.marketing.campaigns")
				ana.send("PATCH", unity+"/permissions/table/"+table, shape{"changes": []shape{{"principal": benName, "add": []string{"SELECT"}}}})
				ben.send("GET", unity+"/schemas?catalog_name=main", nil)
				ana.send("PUT", fmt.Sprintf("%s%s/w%d/%d", fsFiles, exports, worker, i), "x")
				ben.send("GET", fsDirs+exports, nil)
				if rec := ana.send("DELETE", unity+"/tables/"+table, nil); rec.Code != 200 {
					t.Errorf("%s: %d %s", table, rec.Code, rec.Body)
				}
			}
		})
	}
	all.Wait()
	if left := ana.get(unity + "/tables?catalog_name=main&schema_name=busy"); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}
