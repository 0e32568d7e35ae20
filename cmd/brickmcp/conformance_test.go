package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The product must have nothing of the fixtures of the conformance suite, least of
// all the door that is open there.
func TestFixturesStayOut(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the go command is not installed, which knows what a build consists of")
	}
	const fixtures = "brickmcp/testdata/conformance"
	for _, build := range []struct {
		tags string
		has  bool
	}{{"", false}, {"conformance", true}} {
		list, err := exec.Command("go", "list", "-deps", "-tags", build.tags, ".").Output()
		if err != nil {
			t.Fatalf("go list -tags %q: %v", build.tags, err)
		}
		if has := slices.Contains(strings.Fields(string(list)), fixtures); has != build.has {
			t.Errorf("build with the tags %q: contains %s: %v, want %v", build.tags, fixtures, has, build.has)
		}
	}
}
