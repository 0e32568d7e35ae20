package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"go.uber.org/zap"
)

// catchUp learns, under the lock, what other processes wrote since, and mends
// what a killed one left. When nobody wrote it costs one read and one lstat.
func (l *Log) catchUp() error {
	if err := l.look(); err != nil {
		return err
	}
	if l.size == l.head.bytes && len(l.headText) > 0 {
		return nil
	}
	// Somebody may have removed the head file that we hold: then others hold
	// another lock.
	if held, err := l.headFile.Stat(); err != nil || !names(l.headPath(), held) {
		l.letGo()
		if err := l.lock(); err != nil {
			return err
		}
		if err := l.look(); err != nil {
			return err
		}
	}
	switch {
	case len(l.headText) == 0:
		return l.newHead()
	case l.size > l.head.bytes:
		return l.adopt()
	case l.size < l.head.bytes:
		return l.shrunk()
	}
	return nil
}

// look reads the head, and opens the log if the path names another file than
// before.
func (l *Log) look() error {
	text, err := readHead(l.headFile, l.in)
	if err != nil {
		return failure(l.headPath(), "read", err)
	}
	if len(l.headText) == 0 || !bytes.Equal(text, l.headText) {
		l.headText = l.headText[:0]
		l.fresh = len(text) == 0
		var ok bool
		if l.head, ok = decodeHead(text); ok {
			l.headText = append(l.headText, text...)
		} else {
			l.head.hash = genesis
		}
	}
	info, err := os.Lstat(l.cfg.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.closeLog()
		return nil
	case err != nil:
		return failure(l.cfg.Path, "opened", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return failure(l.cfg.Path, "opened", errLink)
	case !info.Mode().IsRegular():
		return failure(l.cfg.Path, "opened", errNoFile)
	case l.file != nil && os.SameFile(l.info, info):
		l.size = info.Size()
		return nil
	}
	l.closeLog()
	return l.openLog(0)
}

// names says whether the path still names the file.
func names(path string, file os.FileInfo) bool {
	info, err := os.Lstat(path)
	return err == nil && os.SameFile(info, file)
}

// adopt goes through what stands behind the last line that the head knows: a
// line of a process that was killed before it could tell the head, then
// perhaps an unfinished one.
func (l *Log) adopt() error {
	rest := make([]byte, l.size-l.head.bytes)
	if _, err := l.file.ReadAt(rest, l.head.bytes); err != nil && err != io.EOF {
		return failure(l.cfg.Path, "read", err)
	}
	for {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			break
		}
		s, ok := unseal(rest[:end], l.hash)
		if !ok || !s.whole() || s.prev != l.head.hash {
			break
		}
		l.head = head{bytes: l.head.bytes + int64(end) + 1, lines: l.head.lines + 1, hash: s.hash}
		rest = rest[end+1:]
	}
	if s, ok := unseal(rest, l.hash); ok && s.whole() && s.prev == l.head.hash { // all but its newline was written
		if _, err := l.file.Write([]byte{'\n'}); err != nil {
			return failure(l.cfg.Path, "written", err)
		}
		l.size++
		l.head = head{bytes: l.size, lines: l.head.lines + 1, hash: s.hash}
		rest = nil
	}
	if len(rest) == 0 {
		return l.storeHead()
	}
	return l.endTorn(rest, repair{}, "A line was left unfinished, by a process that was killed or a disk that was full.")
}

// repair is what the log says of itself, in arguments.
type repair struct {
	TornBytes  int64  `json:"torn_bytes,omitempty"` // that stand before this line and are no lines of the log, with their newline
	TornSHA256 string `json:"torn_sha256,omitempty"`
	HeadLost   bool   `json:"head_lost,omitempty"`  // the head was made anew: what was cut before cannot be told
	Shrunk     bool   `json:"shrunk,omitempty"`     // lines that the head knew were gone
	FirstPrev  string `json:"first_prev,omitempty"` // files were removed as set; prev of the first line that is left
}

// endTorn ends an unfinished line, or what else stands there, and says so.
func (l *Log) endTorn(torn []byte, r repair, say string) error {
	var newline []byte
	if len(torn) > 0 {
		if torn[len(torn)-1] != '\n' {
			newline = []byte{'\n'}
		}
		if s, ok := unseal(torn, l.hash); ok && s.whole() { // a line after all, once it has its newline
			return l.note(newline, r, say)
		}
		l.hash.Reset()
		l.hash.Write(torn)
		l.hash.Write(newline)
		r.TornBytes, r.TornSHA256 = int64(len(torn)+len(newline)), hex.EncodeToString(l.hash.Sum(nil))
		say += " Its " + strconv.Itoa(len(torn)) + " bytes stand before this line."
	}
	return l.note(newline, r, say)
}

// note writes a line of the log about itself.
func (l *Log) note(before []byte, r repair, say string) error {
	l.cfg.Log.Warn("audit log repaired", zap.String("file", l.cfg.Path), zap.String("what", say))
	arguments, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return l.append(before, appendLine(nil, &Line{Time: l.cfg.Now(), Event: eventRepair, Say: say, Arguments: arguments}))
}

const eventRepair = "repair"

// shrunk goes on after lines that the head knew are gone from the file. When
// that is because a process was killed in the middle of a rotation, they are
// in the file that it rotated.
func (l *Log) shrunk() error {
	if l.size == 0 {
		if last, _, err := l.lastRotated(); err != nil || last == l.head.hash {
			return err
		}
	}
	torn, err := l.fragment()
	if err != nil {
		return err
	}
	return l.endTorn(torn, repair{Shrunk: true}, fmt.Sprintf(
		"Lines were gone from the end of the audit log, or all of it, when this line was written: it had had %d bytes, and had %d.",
		l.head.bytes, l.size))
}

// newHead starts a head: for a new log, or for one whose head was lost.
func (l *Log) newHead() error {
	last, lines, err := l.lastRotated()
	if err != nil {
		return err
	}
	was := lines
	l.head = head{hash: last, lines: lines}
	if l.size > 0 {
		content := make([]byte, l.size)
		if _, err := l.file.ReadAt(content, 0); err != nil && err != io.EOF {
			return failure(l.cfg.Path, "read", err)
		}
		if hash, n := lastSealed(content); n > 0 {
			l.head.hash = hash
			l.head.lines += n
		}
	}
	l.head.bytes = l.size
	if l.size == 0 && was == 0 && l.fresh {
		return l.storeHead() // before the first line: a disk without room for it fails here
	}
	torn, err := l.fragment()
	if err != nil {
		return err
	}
	return l.endTorn(torn, repair{HeadLost: true},
		"The head file of the audit log was missing or not readable, and was made anew: whether lines had been cut from the end before this one cannot be told.")
}

// fragment is what follows the last newline of the file.
func (l *Log) fragment() ([]byte, error) {
	const most = 1 << 20
	tail := make([]byte, min(l.size, most))
	if len(tail) == 0 {
		return nil, nil
	}
	if _, err := l.file.ReadAt(tail, l.size-int64(len(tail))); err != nil && err != io.EOF {
		return nil, failure(l.cfg.Path, "read", err)
	}
	return tail[bytes.LastIndexByte(tail, '\n')+1:], nil
}

// lastSealed is the hash of the last line in content that states one, and the
// number of such lines.
func lastSealed(content []byte) (last digest, n int64) {
	h := sha256.New()
	last = genesis
	for line := range bytes.Lines(content) {
		if s, ok := unseal(bytes.TrimSuffix(line, []byte("\n")), h); ok {
			last, n = s.hash, n+1
		}
	}
	return last, n
}
