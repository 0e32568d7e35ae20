package tools

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"brickmcp/catalog"
)

// localFile is a path of an agent below a directory that the user allowed. The
// directory is held open as an os.Root: neither ".." nor a symlink leads out of
// it, also when somebody swaps a link in between.
type localFile struct {
	root *os.Root
	name string // relative to root
	path string // as the agent gave it
}

// local finds the allowed directory of a path. The caller closes the file.
func (s *Server) local(row *catalog.Row, path string) (*localFile, error) {
	refuse := func(why, advice string) error {
		return &catalog.Error{Kind: catalog.Denied, Message: fmt.Sprintf("%s: local_path %q %s", row.Name, path, why), Advice: advice + " Nothing was sent."}
	}
	if len(s.dirs) == 0 {
		return nil, refuse("is not allowed: no directory is", "The person who runs this server can allow one with --allow-dir DIR; or use contents.")
	}
	if !filepath.IsAbs(path) {
		return nil, refuse("is not absolute", "Give a path below one of: "+strings.Join(s.dirs, ", ")+".")
	}
	for _, dir := range s.dirs {
		name, err := filepath.Rel(dir, filepath.Clean(path))
		if err != nil || !filepath.IsLocal(name) {
			continue
		}
		if name == "." {
			return nil, refuse("is an allowed directory itself", "Give a file below it.")
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, refuse("is below an allowed directory that cannot be opened ("+reason(err)+")", "Check --allow-dir.")
		}
		return &localFile{root: root, name: name, path: path}, nil
	}
	return nil, refuse("is outside the allowed directories", "Allowed are: "+strings.Join(s.dirs, ", ")+".")
}

func (f *localFile) close() { _ = f.root.Close() }

// part is the name of an unfinished download.
func (f *localFile) part() string { return f.name + ".part" }

// real is one name of the file, whatever links lead to its directory.
func (f *localFile) real() string {
	path := filepath.Join(f.root.Name(), f.name)
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// failed explains an error of the local file system.
func (f *localFile) failed(row *catalog.Row, doing string, err error) error {
	kind, advice := catalog.Invalid, "Check the path and the permissions on the server's machine."
	switch {
	case errors.Is(err, fs.ErrNotExist):
		kind, advice = catalog.Missing, "Check the path; its directory must exist on the server's machine."
	case errors.Is(err, syscall.ENOSPC):
		kind, advice = catalog.Conflict, "Free some space on the server's machine, then go on."
	case strings.Contains(err.Error(), "escapes"):
		kind, advice = catalog.Denied, "A link leads out of the allowed directory; use the real path of a file inside."
	}
	return &catalog.Error{Kind: kind, Message: fmt.Sprintf("%s: cannot %s local_path %q: %s", row.Name, doing, f.path, reason(err)), Advice: advice, Err: err}
}

// reason is the bare cause of a file system error, without operation and path.
func reason(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}
