package install

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Machine is where the files of clients are looked for. The zero Root is the machine
// that this runs on.
type Machine struct {
	OS     string // as runtime.GOOS has it; what is neither windows nor darwin counts as linux
	Getenv func(string) string
	Root   string // for tests of other systems: stands for / and for every drive
}

// config is the file that the client reads: of its places the first one whose
// directory is there, else the last.
func (m Machine) config(c *Client) (string, error) {
	home := m.Getenv("HOME")
	if m.OS == "windows" {
		home = m.Getenv("USERPROFILE")
	}
	if home == "" {
		return "", errors.New("the home directory is not known: set HOME (on Windows USERPROFILE)")
	}
	places := c.files(m, home)
	for _, path := range places {
		if _, err := os.Stat(filepath.Dir(m.local(path))); err == nil {
			return path, nil
		}
	}
	return places[len(places)-1], nil
}

// local is the path to open for one that the person knows.
func (m Machine) local(path string) string {
	if m.Root == "" {
		return path
	}
	if m.OS == "windows" {
		if len(path) > 1 && path[1] == ':' {
			path = path[2:]
		}
		path = strings.ReplaceAll(path, `\`, "/")
	}
	return filepath.Join(m.Root, path)
}

// join joins paths of that system, which is another one in tests.
func (m Machine) join(parts ...string) string {
	if m.OS == "windows" {
		return strings.Join(parts, `\`)
	}
	return strings.Join(parts, "/")
}

func (m Machine) env(name, otherwise string) string {
	if value := m.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func (m Machine) xdgConfig(home string) string {
	return m.env("XDG_CONFIG_HOME", m.join(home, ".config"))
}

func (m Machine) appData(home string) string {
	return m.env("APPDATA", m.join(home, "AppData", "Roaming"))
}

func (m Machine) localAppData(home string) string {
	return m.env("LOCALAPPDATA", m.join(home, "AppData", "Local"))
}

// subdirectories are the names in dir that begin with prefix.
func (m Machine) subdirectories(dir, prefix string) []string {
	entries, err := os.ReadDir(m.local(dir))
	if err != nil {
		return nil // it is not there
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	return names
}
