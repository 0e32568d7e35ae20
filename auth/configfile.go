package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/ini.v1"
)

const (
	defaultConfigFile = "~/.databrickscfg"
	fallbackProfile   = "DEFAULT"
	settingsSection   = "__settings__" // reserved: settings of tools, never a profile
	maxConfigFile     = 1 << 20        // bytes; a real one has a few kB
)

// configFile is the parsed configuration file.
type configFile struct {
	path string
	file *ini.File // nil: there is no such file
}

// readConfigFile reads and parses a file as the Databricks CLI and SDKs do.
// A file that does not exist is an empty one.
func readConfigFile(path string) (configFile, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return configFile{path: path}, nil
	}
	var data []byte
	if err == nil {
		data, err = io.ReadAll(io.LimitReader(f, maxConfigFile+1))
		_ = f.Close() // only read from
	}
	if err != nil {
		return configFile{}, &Error{
			Message: fmt.Sprintf("The Databricks configuration file %s cannot be read: %s.", path, reason(err)),
			Advice:  "Make it a file that this user may read, or name another one in DATABRICKS_CONFIG_FILE.",
			Err:     err,
		}
	}
	parsed, err := parseConfig(data)
	if err != nil {
		return configFile{}, &Error{
			Message: fmt.Sprintf("The Databricks configuration file %s is malformed: %s.", path, err),
			Advice:  "Mend that line. A profile is a line [name] followed by lines like: host = https://…",
		}
	}
	return configFile{path: path, file: parsed}, nil
}

// parseConfig parses INI text. Its errors name the line and never quote it:
// a token on a line of its own is the commonest mistake.
func parseConfig(data []byte) (*ini.File, error) {
	switch {
	case len(data) > maxConfigFile:
		return nil, fmt.Errorf("it is larger than %d bytes", maxConfigFile)
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return nil, errors.New("it is encoded as UTF-16; save it as UTF-8")
	case bytes.IndexByte(data, 0) >= 0:
		return nil, fmt.Errorf("line %d has a zero byte: this is not a text file", 1+bytes.Count(data[:bytes.IndexByte(data, 0)], []byte("\n")))
	}
	lines := &lineReader{rest: data}
	file, err := ini.LoadSources(ini.LoadOptions{
		// A password may contain '#': only " #" begins a comment. The same
		// setting as in the SDK, so that the file means the same to both.
		SpaceBeforeInlineComment: true,
	}, io.Reader(lines))
	if err == nil {
		return file, nil
	}
	what := "cannot be read"
	switch {
	case ini.IsErrDelimiterNotFound(err):
		what = `has no "=" between a key and its value`
	case ini.IsErrEmptyKeyName(err):
		what = `has no key before the "="`
	case strings.HasPrefix(err.Error(), "unclosed section"):
		what = "opens a section with [ and does not close it with ]"
	case strings.HasPrefix(err.Error(), "empty section name"):
		what = "has a section without a name: []"
	case strings.HasPrefix(err.Error(), "missing closing key quote"):
		return nil, fmt.Errorf("at line %d a value or key that begins with a quotation mark is not closed", lines.number)
	}
	return nil, fmt.Errorf("line %d %s", lines.number, what)
}

// lineReader hands out one line for each Read, so that when the parser stops,
// number is the line it stopped at: the parser itself does not say.
type lineReader struct {
	rest   []byte
	number int  // of the line last begun, from 1
	inside bool // the line did not fit the buffer of the last Read
}

func (r *lineReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	if !r.inside {
		r.number++
	}
	end := bytes.IndexByte(r.rest, '\n') + 1
	if end == 0 {
		end = len(r.rest)
	}
	n := copy(p, r.rest[:end])
	r.rest, r.inside = r.rest[n:], n < end
	return n, nil
}

// profiles lists the sections that have a host, a token or anything else, in
// the order of the file.
func (c configFile) profiles() []string {
	if c.file == nil {
		return nil
	}
	var names []string
	for _, s := range c.file.Sections() {
		if s.Name() != settingsSection && len(s.Keys()) > 0 {
			names = append(names, s.Name())
		}
	}
	return names
}

// profile returns the raw values of a section; empty if there is none.
// KeysHash neither inherits from a parent section ("a" for "a.b") nor expands
// %(name)s, either of which could change a secret.
func (c configFile) profile(name string) map[string]string {
	if c.file == nil || !c.file.HasSection(name) {
		return nil
	}
	return c.file.Section(name).KeysHash()
}

// profileForHost finds a profile that names the host, for advice.
func (c configFile) profileForHost(hostURL string) string {
	for _, name := range c.profiles() {
		if h, err := ParseHost(c.profile(name)["host"]); err == nil && h.URL == hostURL {
			return name
		}
	}
	return ""
}

// choose returns the profile to use: the one asked for, else default_profile
// of [__settings__], else DEFAULT, of which alone it is fine not to exist.
func (c configFile) choose(asked string, from Source) (string, error) {
	name, why := asked, from.String()
	if name == "" {
		name = strings.TrimSpace(c.profile(settingsSection)["default_profile"])
		why = fmt.Sprintf("default_profile in [%s] of %s", settingsSection, c.path)
	}
	if name == "" {
		return fallbackProfile, nil
	}
	if name == settingsSection {
		return "", &Error{
			Message: fmt.Sprintf("%s (%s) is reserved for settings of the Databricks tools and cannot be a profile.", settingsSection, why),
			Advice:  c.choices(name),
		}
	}
	if len(c.profile(name)) > 0 {
		return name, nil
	}
	what := fmt.Sprintf("There is no profile %q in %s", printable(name), c.path)
	if c.file == nil {
		what = fmt.Sprintf("There is no profile %q because there is no configuration file %s", printable(name), c.path)
	} else if c.file.HasSection(name) {
		what = fmt.Sprintf("The profile %q in %s is empty", printable(name), c.path)
	}
	return "", &Error{Message: fmt.Sprintf("%s; it was asked for by %s.", what, why), Advice: c.choices(name)}
}

// choices advises on a profile name that leads nowhere.
func (c configFile) choices(wrong string) string {
	names := c.profiles()
	if len(names) == 0 {
		return "Set DATABRICKS_HOST and DATABRICKS_TOKEN instead, or write a profile into that file (databricks configure does)."
	}
	advice := ""
	if near := nearest(wrong, names); len(near) > 0 {
		advice = "Did you mean " + strings.Join(near, " or ") + "? "
	}
	const shown = 20
	list := strings.Join(names[:min(shown, len(names))], ", ")
	if len(names) > shown {
		list += fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return advice + "The file has: " + list + "."
}

// expandHome resolves a leading ~ as the CLI does.
func expandHome(path, home string) string {
	if path == "~" || strings.HasPrefix(path, "~/") || strings.HasPrefix(path, `~\`) {
		return filepath.Join(home, path[1:])
	}
	return path
}

// reason is the last part of a file error, without the path that the message
// has already.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
