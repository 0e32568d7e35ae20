package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

var (
	errBusy   = errors.New("another process holds its lock")
	errLink   = errors.New("it is a symbolic link")
	errNoFile = errors.New("it is a directory or a device")
)

// Failure is why a file of the log cannot be used, and what to do.
type Failure struct {
	Path   string
	Doing  string // "written", "opened", …
	Err    error
	Advice string
}

func (f *Failure) Error() string {
	return fmt.Sprintf("the audit log %s cannot be %s: %v. %s", f.Path, f.Doing, f.Err, f.Advice)
}

func (f *Failure) Unwrap() error { return f.Err }

// failure explains err, which came from the file at path. The file's name is
// said once.
func failure(path, doing string, err error) error {
	if f, ok := err.(*Failure); ok {
		return f
	}
	var inPath *fs.PathError
	if errors.As(err, &inPath) {
		err = inPath.Err
	}
	f := &Failure{Path: path, Doing: doing, Err: err}
	switch {
	case isFull(err):
		f.Advice = "Free space on that disk, or name a file on another with --audit-file."
	case isReadOnly(err):
		f.Advice = "Name a file on a writable disk with --audit-file."
	case isLink(err) || err == errLink:
		f.Err = errLink
		f.Advice = "Links are not followed: name the file that it points to with --audit-file."
	case err == errNoFile || errors.Is(err, syscall.EISDIR):
		f.Err = errNoFile
		f.Advice = "Name a regular file with --audit-file, or move what is there away."
	case errors.Is(err, syscall.ENOTDIR):
		f.Advice = "A part of the path is a file: name another path with --audit-file."
	case errors.Is(err, fs.ErrPermission):
		f.Advice = "Let this user write the file and its directory, or name another with --audit-file."
	case err == errBusy:
		f.Advice = "End the stopped or hanging brickmcp process that holds it."
	default:
		f.Advice = "Mend that, or name another file with --audit-file."
	}
	return f
}
