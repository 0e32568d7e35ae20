package main

import "testing"

// TestGenerated fails when a generated file does not follow from the catalog.
func TestGenerated(t *testing.T) {
	if err := run("../..", true); err != nil {
		t.Fatal(err)
	}
}
