package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// stamped are the files that must hold the version and are read where nobody can
// compute it: the registry's publisher takes server.json from the repository, and
// Databricks runs npm install in the app's folder.
func stamped(version string) ([]stampedFile, error) {
	server, err := indented(newServerJSON(version))
	if err != nil {
		return nil, err
	}
	// Not a packageJSON: the folder is no package of its own.
	app, err := indented(struct {
		Name         string            `json:"name"`
		Private      bool              `json:"private"`
		Dependencies map[string]string `json:"dependencies"`
	}{name + "-app", true, map[string]string{name: version}})
	if err != nil {
		return nil, err
	}
	return []stampedFile{{"server.json", server}, {"docs/deploy/databricks-app/package.json", app}}, nil
}

type stampedFile struct {
	path    string
	content []byte
}

// stamp writes them, or with check names those that do not follow from VERSION.
func stamp(root, version string, check bool) error {
	files, err := stamped(version)
	if err != nil {
		return err
	}
	var drifted []string
	for _, f := range files {
		path := filepath.Join(root, filepath.FromSlash(f.path))
		have, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil && bytes.Equal(have, f.content) {
			continue
		}
		drifted = append(drifted, f.path)
		if !check {
			if err := os.WriteFile(path, f.content, 0o644); err != nil {
				return err
			}
		}
	}
	if check && len(drifted) > 0 {
		return fmt.Errorf("%s: not what follows from %s and cmd/npm; run make stamp", strings.Join(drifted, ", "), versionFile)
	}
	return nil
}
