package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// Filter picks lines. Its zero value picks all.
type Filter struct {
	Since  time.Time // lines of that time and later
	User   string    // without regard to case; * stands for anything
	Tool   string    // likewise
	Denied bool      // what was refused, or would have been
	Ended  bool      // no begin lines
	Call   string    // of that call alone
}

// Match says whether the filter picks the line.
func (f *Filter) Match(l *Line) bool {
	return !l.Time.Before(f.Since) && like(f.User, l.User) && like(f.Tool, l.Tool) &&
		(!f.Denied || l.Denied()) && (!f.Ended || l.Event != EventBegin) && (f.Call == "" || f.Call == l.Call)
}

func like(pattern, name string) bool {
	if pattern == "" {
		return true
	}
	// Match keeps * from crossing a slash, which names of users and tools have not.
	ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(name))
	return ok && err == nil || strings.EqualFold(pattern, name)
}

// Denied says whether the line is a refusal, or in shadow mode what would have
// been one.
func (l *Line) Denied() bool {
	return l.Event == "denied" || strings.Contains(l.Decision, "deny") || l.ErrorKind == "denied"
}

// Entry is a line as it stands in a file.
type Entry struct {
	Line
	Raw    []byte // without newline
	File   string
	Number int // from 1
}

// Unreadable is a line that is no JSON object, such as one that was left
// unfinished. Reading goes on after it.
type Unreadable struct {
	File   string
	Number int
}

func (u *Unreadable) Error() string {
	return fmt.Sprintf("%s, line %d: it is not a line of an audit log", u.File, u.Number)
}

// Read goes through all files of the log at path, oldest first. A line that
// cannot be read is an *Unreadable, after which it goes on; any other error is
// the last. A log that is not there is fs.ErrNotExist.
func Read(path string, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		r := NewReader(path, f)
		defer r.Close()
		for r.each(yield) {
			return // the end of what is there
		}
	}
}

// Follow begins with the last lines that are there, all of them when last is
// negative, and goes on with what is written, looking every so often until ctx
// is done. The log need not be there yet.
func Follow(ctx context.Context, path string, f Filter, last int, every time.Duration) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		r := NewReader(path, f)
		defer r.Close()
		r.wait = true
		if last >= 0 && !r.tail(last, yield) {
			return
		}
		look := time.NewTicker(every)
		defer look.Stop()
		for r.each(yield) {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
			}
		}
	}
}

// tail yields the last lines of what there is to read, as each does.
func (r *Reader) tail(last int, yield func(Entry, error) bool) bool {
	var kept []Entry
	var failed error
	ok := r.each(func(e Entry, err error) bool {
		if failed = err; err == nil { // of old lines that cannot be read, Read tells
			kept = append(kept, e)
			kept = kept[max(0, len(kept)-last):]
		}
		return true
	})
	for _, e := range kept {
		if !yield(e, nil) {
			return false
		}
	}
	if !ok {
		yield(Entry{}, failed)
	}
	return ok
}

// each yields what there is to read; false: nothing more is wanted or possible.
func (r *Reader) each(yield func(Entry, error) bool) bool {
	for {
		entry, err := r.Next()
		if err == io.EOF {
			return true
		}
		var bad *Unreadable
		if !yield(entry, err) || err != nil && !errors.As(err, &bad) {
			return false
		}
	}
}

// Reader reads the lines of a log, oldest first, over rotated files too.
type Reader struct {
	path   string
	filter Filter
	wait   bool // a log that is not there is no error

	file    *os.File // nil: not begun
	info    os.FileInfo
	lines   *bufio.Reader
	partial []byte // of a line that is not finished yet
	number  int
	left    bool // the path names another file than ours: read on to its end, then leave it
}

// NewReader makes a Reader. It opens nothing.
func NewReader(path string, f Filter) *Reader { return &Reader{path: path, filter: f} }

// Close lets the file go.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

// Next is the next line that the filter picks. io.EOF: there is none now; a
// later Next may have one.
func (r *Reader) Next() (Entry, error) {
	if r.file == nil {
		if err := r.begin(); err != nil {
			return Entry{}, err
		}
	}
	for {
		part, err := r.lines.ReadSlice('\n')
		r.partial = append(r.partial, part...)
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF:
			more, err := r.onward()
			if err != nil {
				return Entry{}, err
			}
			if !more {
				return Entry{}, io.EOF
			}
			continue
		case err != nil:
			return Entry{}, failure(r.file.Name(), "read", err)
		}
		r.number++
		raw := bytes.TrimSuffix(r.partial, []byte("\n"))
		r.partial = r.partial[:0]
		e := Entry{File: r.file.Name(), Number: r.number}
		if json.Unmarshal(raw, &e.Line) != nil {
			return e, &Unreadable{File: e.File, Number: e.Number}
		}
		if r.filter.Match(&e.Line) {
			e.Raw = bytes.Clone(raw)
			return e, nil
		}
	}
}

// begin opens the first file that can have lines the filter picks.
func (r *Reader) begin() error {
	names, err := rotatedFiles(r.path)
	if err != nil {
		return err
	}
	for _, name := range names {
		if at, _ := rotatedAt(r.path, name); at.Before(r.filter.Since) {
			continue // all its lines are older than its rotation
		}
		return r.open(name)
	}
	err = r.open(r.path)
	if r.wait && errors.Is(err, fs.ErrNotExist) {
		return io.EOF
	}
	return err
}

func (r *Reader) open(name string) error {
	f, err := open(name, os.O_RDONLY)
	if err != nil {
		return readFailure(name, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNoFile
	}
	if err != nil {
		_ = f.Close()
		return readFailure(name, err)
	}
	_ = r.Close()
	r.file, r.info, r.number, r.left = f, info, 0, false
	r.partial = r.partial[:0] // a line that stayed unfinished
	r.lines = bufio.NewReaderSize(f, 64<<10)
	return nil
}

// onward is at the end of a file. When that was rotated it goes on with the
// one after, and reports true.
func (r *Reader) onward() (bool, error) {
	if names(r.path, r.info) {
		return false, nil
	}
	if !r.left { // something may have been written between our last read and the rotation
		r.left = true
		return true, nil
	}
	rotated, err := rotatedFiles(r.path)
	if err != nil {
		return false, err
	}
	next := r.path
	at := slices.IndexFunc(rotated, func(name string) bool { return names(name, r.info) })
	if at >= 0 && at+1 < len(rotated) {
		next = rotated[at+1]
	}
	err = r.open(next)
	if errors.Is(err, fs.ErrNotExist) { // in the middle of a rotation, or nothing was written since
		return false, nil
	}
	return err == nil, err
}

// readFailure is an error of a reader, who wants no advice on writing.
func readFailure(name string, err error) error {
	var f *Failure
	if errors.As(failure(name, "read", err), &f) {
		err = f.Err
	}
	return fmt.Errorf("the audit log %s cannot be read: %w", name, err)
}
