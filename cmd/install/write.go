package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// backupSuffix names the file as it was before the last change.
const backupSuffix = ".brickmcp.bak"

func (c *Change) backup() string { return c.real + backupSuffix }

// Write makes the change, in one step: the client, or a power cut, never meets half a
// file. It returns the path of the backup, empty where there was nothing to keep.
// Mode and symbolic links stay as they are.
func (c *Change) Write() (backup string, err error) {
	if c.Empty() {
		return "", nil
	}
	now, err := os.ReadFile(c.real)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %w", c.Path, reason(err))
	}
	if (err == nil) == c.New() || !bytes.Equal(now, c.before) { // a client that runs writes, too
		return "", fmt.Errorf("%s was changed in the meantime; nothing was written, run this again", c.Path)
	}
	switch {
	case c.Remove:
		return "", os.Remove(c.real)
	case c.New():
		if err := os.MkdirAll(filepath.Dir(c.real), 0o700); err != nil {
			return "", err
		}
		return "", replace(c.real, c.after, c.mode)
	case c.mode&0o200 == 0:
		return "", fmt.Errorf("%s may only be read; nothing was written: make it writable, or change it by hand (--print shows the entry)", c.Path)
	case made(c.Client.form, bytes.TrimPrefix(c.before, bom)): // there is nothing to keep
		return "", replace(c.real, c.after, c.mode)
	}
	if err := replace(c.backup(), c.before, c.mode); err != nil {
		return "", fmt.Errorf("the backup cannot be written, so nothing was changed: %w", err)
	}
	return c.backup(), replace(c.real, c.after, c.mode)
}

// replace puts a file in the place of another one, or of none.
func replace(path string, text []byte, mode fs.FileMode) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".brickmcp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name()) // it is not there after the rename
		}
	}()
	if err = file.Chmod(mode); err != nil {
		return err
	}
	if _, err = file.Write(text); err != nil {
		return err
	}
	if err = file.Sync(); err != nil {
		return err
	}
	if err = file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
