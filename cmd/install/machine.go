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

// config is the file that the client reads.
func (m Machine) config(c *Client) (string, error) {
	home, places := m.Getenv("HOME"), c.places
	switch {
	case m.OS == "windows":
		if home = m.Getenv("USERPROFILE"); c.windows != nil {
			places = c.windows
		}
	case m.OS == "darwin" && c.darwin != nil:
		places = c.darwin
	}
	if home == "" {
		return "", errors.New("the home directory is not known: set HOME (on Windows USERPROFILE)")
	}
	last := ""
	for _, place := range places {
		for _, last = range m.expand(place, home) {
			if _, err := os.Stat(filepath.Dir(m.local(last))); err == nil {
				return last, nil
			}
		}
	}
	return last, nil
}

// below is what a variable stands for that is not set: a directory below the home
// directory. Others stand for nothing.
func below(variable string) (dir string, ok bool) {
	switch variable {
	case "XDG_CONFIG_HOME":
		return "/.config", true
	case "APPDATA":
		return "/AppData/Roaming", true
	case "LOCALAPPDATA":
		return "/AppData/Local", true
	case "CODEX_HOME":
		return "/.codex", true
	case "CLAUDE_CONFIG_DIR", "GEMINI_CLI_HOME":
		return "", true
	}
	return "", false
}

// expand makes paths of a place: ~ is the home directory, $NAME at the start a variable,
// and NAME_* any directory whose name starts so. On Windows / becomes \.
func (m Machine) expand(place, home string) []string {
	first, rest, _ := strings.Cut(place, "/")
	if name, ok := strings.CutPrefix(first, "$"); ok {
		dir, ok := below(name)
		home += m.system(dir)
		if value := m.Getenv(name); value != "" {
			home = value
		} else if !ok {
			return nil
		}
	}
	before, after, several := strings.Cut(m.system("/"+rest), "*")
	before = home + before
	if !several {
		return []string{before}
	}
	parent := before[:strings.LastIndexAny(before, `/\`)]
	entries, err := os.ReadDir(m.local(parent))
	if err != nil {
		return nil // it is not there
	}
	var all []string
	for _, e := range entries {
		if dir := parent + m.system("/"+e.Name()); strings.HasPrefix(dir, before) {
			all = append(all, dir+after)
		}
	}
	return all
}

// system writes a path as that system does.
func (m Machine) system(path string) string {
	if m.OS == "windows" {
		return strings.ReplaceAll(path, "/", `\`)
	}
	return path
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
