package audit

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
)

// snapshot is the log at one moment.
type snapshot struct {
	path  string
	names []string
	live  *os.File // the log itself; nil: only rotated files
	size  int64    // of live
	head  []byte   // nil: missing
}

// takeSnapshot holds the lock, so that no line is in the making.
func takeSnapshot(path string) (*snapshot, error) {
	s := &snapshot{path: path}
	head, err := open(headPath(path), os.O_RDONLY)
	if err == nil {
		defer head.Close()
		if err := waitLock(head.Fd(), false, patience); err != nil && err != errBusy { // a hanging writer shall not hide what it did
			return nil, readFailure(head.Name(), err)
		}
		if s.head, err = readHead(head, make([]byte, headLength+1)); err != nil {
			return nil, readFailure(head.Name(), err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, readFailure(headPath(path), err)
	}
	if s.names, err = rotatedFiles(path); err != nil {
		return nil, err
	}
	s.live, err = open(path, os.O_RDONLY)
	switch {
	case err == nil:
		info, err := s.live.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = errNoFile
		}
		if err != nil {
			s.close()
			return nil, readFailure(path, err)
		}
		s.size = info.Size()
		s.names = append(s.names, path)
	case !errors.Is(err, fs.ErrNotExist) || len(s.names) == 0 && len(s.head) == 0:
		return nil, readFailure(path, err)
	}
	return s, nil
}

func (s *snapshot) close() {
	if s.live != nil {
		_ = s.live.Close()
	}
}

// lines visits the lines of a file with their newlines.
func (s *snapshot) lines(name string, visit func(number int, line []byte)) error {
	var content io.Reader
	if name == s.path {
		content = io.NewSectionReader(s.live, 0, s.size)
	} else {
		f, err := open(name, os.O_RDONLY)
		if err != nil {
			return readFailure(name, err)
		}
		defer f.Close()
		content = f
	}
	in := bufio.NewReaderSize(content, 256<<10)
	var long []byte
	for number := 1; ; {
		part, err := in.ReadSlice('\n')
		line := part
		if len(long) > 0 || err == bufio.ErrBufferFull {
			long = append(long, part...)
			line = long
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		if len(line) > 0 {
			visit(number, line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return readFailure(name, err)
		}
		number++
		long = long[:0]
	}
}
