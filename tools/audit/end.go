package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
)

// tail is how much of the log VerifyEnd reads.
const tail = 256 << 10

// VerifyEnd looks at the last lines of the log at path and at its head, in a
// moment whatever the size of the log. It returns what is wrong; nil: the chain
// is whole as far as it looked, or there is no log yet. Verify tells more.
func VerifyEnd(path string) (*Finding, error) {
	s, err := takeSnapshot(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer s.close()
	h, known := decodeHead(s.head)
	wrong := func(what string) (*Finding, error) { return &Finding{File: path, What: what}, nil }
	switch {
	case !known && len(s.names) > 0:
		return wrong("its head file is missing or was changed: whether lines were cut from the end cannot be told.")
	case s.live == nil || s.size == 0:
		if h.lines > 0 {
			return wrong("it was emptied or removed.")
		}
		return nil, nil
	}
	from := max(0, s.size-tail)
	text := make([]byte, s.size-from)
	if _, err := s.live.ReadAt(text, from); err != nil && err != io.EOF {
		return nil, readFailure(path, err)
	}
	if from > 0 {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	sum, seen, first := sha256.New(), false, true
	var last digest
	for line := range bytes.Lines(text) {
		one, ok := unseal(bytes.TrimSuffix(line, []byte("\n")), sum)
		switch {
		case !ok: // a torn line is followed by a repair; Verify tells whether it is
			continue
		case !one.whole():
			return wrong("a line near its end was changed.")
		case !first && one.prev != last:
			return wrong("near its end, a line does not follow the one before.")
		}
		first, last = false, one.hash
		seen = seen || one.hash == h.hash
	}
	if first && from > 0 {
		return nil, nil // one line longer than what was read
	}
	if !seen && h.lines > 0 { // lines behind the head's: a process was killed before it could tell
		return wrong("its end was cut or changed: the last line that was written is not there.")
	}
	return nil, nil
}
