package main

import "testing"

// Files that hold the version, and cannot compute it, must follow from VERSION.
func TestStamped(t *testing.T) {
	version, err := readVersion("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := stamp("../..", version, true); err != nil {
		t.Error(err)
	}
}
