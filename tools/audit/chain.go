package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// digest is a SHA-256 as 64 hex digits.
type digest [2 * sha256.Size]byte

// genesis is prev in the first line of a log.
var genesis = func() (d digest) {
	for i := range d {
		d[i] = '0'
	}
	return d
}()

// The end of every line: ,"hash":"…","prev":"…"}
const (
	hashOpen = `"hash":"`
	between  = `",`
	prevOpen = `"prev":"`
	closing  = `"}`

	hashMember = len(hashOpen) + len(digest{}) + len(between)
	prevMember = len(prevOpen) + len(digest{}) + len(closing)

	sealLength = 1 + hashMember + prevMember + 1 // with comma and newline
)

// seal ends a line that appendLine began, and returns its hash.
func seal(b []byte, prev *digest, h hash.Hash) ([]byte, digest) {
	b = append(b, ',')
	at := len(b)
	b = append(b, hashOpen...)
	b = append(b, genesis[:]...)
	b = append(b, between+prevOpen...)
	b = append(b, prev[:]...)
	b = append(b, closing...)
	sum := sumWithout(b, at, h)
	copy(b[at+len(hashOpen):], sum[:])
	return b, sum
}

// sumWithout hashes a line without its hash member, which begins at.
func sumWithout(line []byte, at int, h hash.Hash) (d digest) {
	var sum [sha256.Size]byte
	h.Reset()
	h.Write(line[:at])
	h.Write(line[at+hashMember:])
	hex.Encode(d[:], h.Sum(sum[:0]))
	return d
}

// sealed is the end of a line, read.
type sealed struct {
	hash, prev digest // as the line states them
	sum        digest // what hash ought to be
}

func (s *sealed) whole() bool { return s.hash == s.sum }

// unseal reads the end of a line without its newline. It reports false when
// the line has no such end.
func unseal(line []byte, h hash.Hash) (s sealed, ok bool) {
	at := len(line) - prevMember - hashMember
	if at < 2 || line[0] != '{' || line[at-1] != ',' {
		return s, false
	}
	rest := line[at:]
	for _, part := range []struct {
		text string
		into *digest
	}{{hashOpen, &s.hash}, {between + prevOpen, &s.prev}} {
		if !bytes.HasPrefix(rest, []byte(part.text)) {
			return s, false
		}
		rest = rest[len(part.text):]
		rest = rest[copy(part.into[:], rest):]
	}
	if string(rest) != closing {
		return s, false
	}
	s.sum = sumWithout(line, at, h)
	return s, true
}
