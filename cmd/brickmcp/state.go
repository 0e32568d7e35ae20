package main

import (
	"path/filepath"
	"runtime"
)

// stateDir is where sign-ins are kept. "" when the environment names no home:
// nobody can sign in with a browser then. It is made by the first sign-in, for
// this user alone.
func (c *config) stateDir() string { return stateDir(runtime.GOOS, c.getenv) }

// stateDir follows the XDG base directory specification wherever its variable
// is set, else the custom of the operating system.
func stateDir(system string, getenv func(string) string) string {
	below := func(root string, names ...string) string {
		if !filepath.IsAbs(root) { // the specification: relative paths are to be ignored
			return ""
		}
		return filepath.Join(append([]string{root}, append(names, "brickmcp")...)...)
	}
	if dir := below(getenv("XDG_STATE_HOME")); dir != "" {
		return dir
	}
	switch system {
	case "windows":
		return below(getenv("LOCALAPPDATA"))
	case "darwin":
		return below(getenv("HOME"), "Library", "Application Support")
	}
	return below(getenv("HOME"), ".local", "state")
}
