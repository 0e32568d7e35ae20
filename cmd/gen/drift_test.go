package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"brickmcp/catalog"
)

// TestGenerated fails when a generated file does not follow from the catalog.
func TestGenerated(t *testing.T) {
	if err := run("../..", catalog.All(), true); err != nil {
		t.Fatal(err)
	}
}

// A row that is new has no schema yet in the gen that is to write it.
func TestANewRow(t *testing.T) {
	type request struct {
		ID catalog.ID `json:"job_id" jsonschema_description:"Job id"`
	}
	added := catalog.Define[request, struct{}](catalog.Row{
		Name: "jobs_get_thing", Title: "Get thing", Group: catalog.Jobs, Effect: catalog.Read,
		Method: "GET", Path: "/api/2.2/jobs/thing", Object: "thing of job {job_id}",
		Doc: "Show a thing.", Did: "read {}", Needs: "nothing", Touches: []catalog.Touch{{Scope: catalog.ScopeJobs, ID: "{job_id}"}},
	})
	root := t.TempDir()
	golden := filepath.Join(root, goldenDir, "jobs_get.json")
	for _, path := range []string{schemaPath, policyPath, goldenDir + "/jobs_get.json", readmePath} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rows := append(slices.Clone(catalog.All()), &added.Row)
	if err := run(root, rows, true); err == nil || !strings.Contains(err.Error(), "make gen") {
		t.Errorf("-check finds nothing: %v", err)
	}
	if err := run(root, rows, false); err != nil {
		t.Fatal(err)
	}
	schemas, err := os.ReadFile(filepath.Join(root, schemaPath))
	if err != nil || !strings.Contains(string(schemas), "\njobs_get_thing\t{") {
		t.Errorf("the schema of the new row is not written: %v", err)
	}
	if old, err := os.ReadFile(golden); err != nil || string(old) != "old" {
		t.Errorf("a golden was touched by a gen that has not all schemas: %q, %v", old, err)
	}
	// The gen that is built next has them: here, the rows that it has.
	if err := run(root, catalog.All(), false); err == nil || !strings.Contains(err.Error(), "markers") {
		t.Errorf("the second run does not come to the README: %v", err)
	}
}
