package serve

import (
	"bytes"

	"github.com/tidwall/gjson"
)

// idScanner finds the id of a message that is too long to be kept. Many clients
// write the id last, behind the params that make the message long, so the whole
// message is scanned, in pieces as they come.
type idScanner struct {
	depth   int
	quoted  bool // inside a string
	escaped bool // behind a backslash
	value   bool // behind the colon of a member of the message itself
	key     []byte
	raw     []byte // of the value of "id"
}

// maxID bounds what is kept of a key and of an id.
const maxID = 256

func (s *idScanner) scan(part []byte) {
	for len(part) > 0 {
		if s.depth > 1 || s.quoted && !s.kept() { // nothing of interest until one of these
			n := bytes.IndexAny(part, `"\\{}[]`)
			if s.escaped {
				n = 0
			}
			if n < 0 {
				return
			}
			part = part[n:]
		}
		s.next(part[0])
		part = part[1:]
	}
}

// kept reports whether the next byte belongs to a key or an id.
func (s *idScanner) kept() bool {
	return s.depth == 1 && (!s.value || string(s.key) == `"id"`)
}

func (s *idScanner) next(c byte) {
	if s.quoted {
		s.keep(c)
		switch {
		case s.escaped:
			s.escaped = false
		case c == '\\':
			s.escaped = true
		case c == '"':
			s.quoted = false
		}
		return
	}
	switch c {
	case '"':
		s.quoted = true
		s.keep(c)
	case '{', '[':
		s.keep(c)
		s.depth++
	case '}', ']':
		s.depth--
	case ':':
		if s.depth == 1 && !s.value {
			s.value = true
			if s.kept() {
				s.raw = nil // of two ids the last one counts, as in encoding/json
			}
		}
	case ',':
		if s.depth == 1 {
			s.value, s.key = false, nil
		}
	case ' ', '\t', '\r', '\n':
	default:
		s.keep(c)
	}
}

func (s *idScanner) keep(c byte) {
	switch {
	case s.depth != 1:
	case !s.value && len(s.key) < maxID:
		s.key = append(s.key, c)
	case s.value && len(s.raw) < maxID && string(s.key) == `"id"`:
		s.raw = append(s.raw, c)
	}
}

// id is the JSON text of the id; nil when there is none that can be answered.
func (s *idScanner) id() []byte {
	if !gjson.ValidBytes(s.raw) {
		return nil
	}
	if t := gjson.ParseBytes(s.raw).Type; t != gjson.String && t != gjson.Number {
		return nil
	}
	return s.raw
}
