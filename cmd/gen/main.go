// Command gen writes what follows from the catalog: the embedded input schemas,
// one golden per tool as tools/list sends it, and the tables of the README. With
// -check it writes nothing and fails when something has drifted.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

func main() {
	check := flag.Bool("check", false, "report drift instead of writing")
	root := flag.String("root", ".", "the project's directory")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	files, err := generate(root)
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
	stale, err := staleGoldens(root, files)
	if err != nil {
		return err
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
