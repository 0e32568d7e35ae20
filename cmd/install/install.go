// Package install writes the entry that makes an MCP client start this server into
// the client's configuration file, and takes it out again. All else in the file stays
// byte for byte.
package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Change is what is to be written into the file of a client.
type Change struct {
	Client *Client
	Path   string // of the file, as the person knows it
	Remove bool   // the file was made by install and holds nothing else now: it goes

	real    string // of the file to write: Path, or where a symbolic link leads
	before  []byte // nil: there is no file
	after   []byte
	removed []span // of before
	added   []span // of after
	mode    fs.FileMode
}

// bom is what editors on Windows may begin a file with. No parser here knows it.
var bom = []byte("\xef\xbb\xbf")

// Put returns what makes the client start e. An error names the file, and its line
// where that has it.
func Put(m Machine, c *Client, e Entry) (*Change, error) {
	change, body, err := open(m, c)
	if err != nil {
		return nil, err
	}
	edits, err := c.form.put(body, e)
	if err != nil {
		return nil, change.locate(err)
	}
	change.edit(edits)
	// The next install has to find it there. What is not as planned is not written.
	if again, err := c.form.put(change.body(), e); err != nil || len(again) > 0 {
		return nil, fmt.Errorf("%s cannot be edited safely, and nothing was written; put the entry in by hand (--print shows it)", change.Path)
	}
	return change, nil
}

// Take returns what takes the entry out of the client's file.
func Take(m Machine, c *Client) (*Change, error) {
	change, body, err := open(m, c)
	if err != nil {
		return nil, err
	}
	backup, err := os.ReadFile(change.backup())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the backup %s: %w", change.backup(), reason(err))
	}
	edits, err := c.form.take(body, held(c.form, backup))
	if err != nil {
		return nil, change.locate(err)
	}
	change.edit(edits)
	if again, err := c.form.take(change.body(), true); err != nil || len(again) > 0 {
		return nil, fmt.Errorf("%s cannot be edited safely, and nothing was written; take the entry %q out by hand", change.Path, Name)
	}
	change.removed = nil // an entry that people have added to may hold a secret in env
	change.Remove = backup == nil && made(c.form, body)
	return change, nil
}

// held reports whether there was an object for servers before install came: the backup
// tells.
func held(f form, backup []byte) bool {
	json, ok := f.(jsonForm)
	if !ok || blank(backup) {
		return false
	}
	d, err := json.read(bytes.TrimPrefix(backup, bom))
	return err == nil && d.container != nil && d.entry == nil
}

// made reports that a file holds what install writes into a new one, and nothing that
// people have added, to the entry neither.
func made(f form, text []byte) bool {
	probe := Entry{Command: "probe", Args: []string{"probe"}}
	edits, err := f.put(text, probe)
	if err != nil || blank(text) {
		return false
	}
	after, _, _ := apply(text, edits)
	return string(after) == f.snippet(probe)
}

// Snippet is a whole configuration file with the entry alone.
func (c *Client) Snippet(e Entry) string { return c.form.snippet(e) }

// File is the path of the client's configuration file on that machine.
func (c *Client) File(m Machine) (string, error) { return m.config(c) }

func open(m Machine, c *Client) (*Change, []byte, error) {
	path, err := m.config(c)
	if err != nil {
		return nil, nil, err
	}
	change := &Change{Client: c, Path: path, real: m.local(path), mode: 0o600}
	info, err := os.Lstat(change.real)
	if errors.Is(err, fs.ErrNotExist) {
		return change, nil, nil
	}
	if err == nil && info.Mode()&fs.ModeSymlink != 0 { // write where it leads, or the link is gone
		if change.real, err = filepath.EvalSymlinks(change.real); err != nil {
			return nil, nil, fmt.Errorf("%s is a link that leads nowhere: mend or remove it; nothing was written", path)
		}
	}
	if err == nil {
		info, err = os.Stat(change.real)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, reason(err))
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is no file", path)
	}
	change.mode = info.Mode().Perm()
	text, err := os.ReadFile(change.real)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, reason(err))
	}
	change.before = append([]byte{}, text...)
	return change, bytes.TrimPrefix(text, bom), nil
}

// reason is an error of the file system without the path, which is said already.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// edit computes what the file will be.
func (c *Change) edit(edits []edit) {
	skip := len(c.before) - len(bytes.TrimPrefix(c.before, bom))
	for i := range edits {
		edits[i].start += skip
		edits[i].end += skip
	}
	c.after, c.removed, c.added = apply(c.before, edits)
}

func (c *Change) body() []byte { return bytes.TrimPrefix(c.after, bom) }

// locate names the file and the line of a problem.
func (c *Change) locate(err error) error {
	if p, ok := errors.AsType[*problem](err); ok {
		return fmt.Errorf("%s, line %d: %s; nothing was written", c.Path, line(bytes.TrimPrefix(c.before, bom), p.offset), p.what)
	}
	return fmt.Errorf("%s: %w", c.Path, err)
}

// Empty reports that nothing is to be done.
func (c *Change) Empty() bool { return bytes.Equal(c.before, c.after) && !c.Remove }

// New reports that there is no file yet.
func (c *Change) New() bool { return c.before == nil }

// Diff is the change as a unified diff, with … for what else the file has in strings
// and comments: that may be the secrets of others.
func (c *Change) Diff() string {
	from, to := c.Path, c.Path
	if c.New() {
		from = "/dev/null"
	}
	after, added := c.after, c.added
	if c.Remove {
		to, after, added = "/dev/null", nil, nil
	}
	return unified(from, to, c.Client.form.hide(c.before, c.removed), c.Client.form.hide(after, added))
}
