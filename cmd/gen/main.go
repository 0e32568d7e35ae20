// Command gen writes what follows from the catalog: the embedded input schemas,
// the JSON Schema of the policy file, one golden per tool as tools/list sends it,
// and the tables of the README. With -check it writes nothing and fails when
// something has drifted.
//
// The goldens come from the schemas that are embedded in gen itself. So after a
// change of a schema a first run writes the schemas, and a second, which is built
// with them, the rest: make gen does both.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"brickmcp/catalog"
)

func main() {
	check := flag.Bool("check", false, "report drift instead of writing")
	root := flag.String("root", ".", "the project's directory")
	flag.Parse()
	if err := run(*root, catalog.All(), *check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(root string, rows []*catalog.Row, check bool) error {
	files, all, err := generate(root, rows)
	if err != nil {
		return err
	}
	drifted := 0
	for _, f := range files {
		have, err := os.ReadFile(filepath.Join(root, f.path))
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		if err == nil && bytes.Equal(have, f.content) {
			continue
		}
		drifted++
		if check {
			fmt.Fprintln(os.Stderr, "drifted:", f.path)
			continue
		}
		if err := os.WriteFile(filepath.Join(root, f.path), f.content, 0o644); err != nil {
			return err
		}
	}
	var stale []string
	if all {
		if stale, err = staleGoldens(root, files); err != nil {
			return err
		}
	} else if !check {
		fmt.Fprintln(os.Stderr, "gen: wrote the schemas; the goldens and the README follow in a second run, which has them embedded")
	}
	for _, path := range stale {
		drifted++
		if check {
			fmt.Fprintln(os.Stderr, "stale:", path)
		} else if err := os.Remove(filepath.Join(root, path)); err != nil {
			return err
		}
	}
	if check && drifted > 0 {
		return fmt.Errorf("%d generated files do not follow from the catalog; run make gen", drifted)
	}
	return nil
}

// staleGoldens are goldens of tools that are no more.
func staleGoldens(root string, files []file) ([]string, error) {
	known := map[string]bool{}
	for _, f := range files {
		known[f.path] = true
	}
	var stale []string
	matches, err := fs.Glob(os.DirFS(root), goldenDir+"/*.json")
	for _, path := range matches {
		if !known[path] {
			stale = append(stale, path)
		}
	}
	return stale, err
}
