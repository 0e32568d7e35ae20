package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every item of docs/security.md names tests, and each of them is there.
func TestSecurityIsProven(t *testing.T) {
	named := regexp.MustCompile("`([^`]+)`")
	sources := map[string]string{} // of the tests of a package
	tests := func(dir string) string {
		if _, read := sources[dir]; !read {
			files, err := filepath.Glob(filepath.Join("../..", filepath.FromSlash(dir), "*_test.go"))
			if err != nil || len(files) == 0 {
				t.Fatalf("docs/security.md names the package %s, which has no tests (%v)", dir, err)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				sources[dir] += string(text)
			}
		}
		return sources[dir]
	}
	items := strings.Split(document(t, "docs/security.md"), "\n### ")[1:]
	if len(items) < 18 {
		t.Errorf("there are %d items", len(items))
	}
	for _, item := range items {
		title, rest, _ := strings.Cut(item, "\n")
		_, proof, found := strings.Cut(rest, "\nProof: ")
		if !found {
			t.Errorf("%s: no proof", title)
			continue
		}
		proof, _, _ = strings.Cut(proof, "\n")
		dir, count := "", 0
		for _, name := range named.FindAllStringSubmatch(proof, -1) {
			if name := name[1]; !strings.HasPrefix(name, "Test") && !strings.HasPrefix(name, "Fuzz") {
				dir = name
			} else if count++; !strings.Contains(tests(dir), "\nfunc "+name+"(") {
				t.Errorf("%s: there is no %s in %s", title, name, dir)
			}
		}
		if count == 0 {
			t.Errorf("%s: the proof names no test", title)
		}
	}
}
