package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// rotatedLayout makes names that sort by time, and that every file system takes.
const rotatedLayout = "2006-01-02T15-04-05.000000Z"

// rotatedName is audit-TIME.jsonl for audit.jsonl.
func rotatedName(path string, at time.Time) string {
	suffix := filepath.Ext(path)
	return strings.TrimSuffix(path, suffix) + "-" + at.UTC().Format(rotatedLayout) + suffix
}

// rotatedAt is when the file of that name was rotated; false: it is not a
// rotated file of the log at path.
func rotatedAt(path, name string) (time.Time, bool) {
	suffix := filepath.Ext(path)
	stamp, before := strings.CutPrefix(filepath.Base(name), strings.TrimSuffix(filepath.Base(path), suffix)+"-")
	stamp, after := strings.CutSuffix(stamp, suffix)
	at, err := time.Parse(rotatedLayout, stamp)
	return at, before && after && err == nil && at.Format(rotatedLayout) == stamp
}

// rotatedFiles are the rotated files of the log at path, oldest first.
func rotatedFiles(path string) ([]string, error) {
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir) // sorted by name
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failure(dir, "listed", err)
	}
	var names []string
	for _, e := range entries {
		if _, ok := rotatedAt(path, e.Name()); ok {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	return names, nil
}

// rotate renames the log and starts a new file, under the lock. When the
// system refuses, the log grows on: to lose lines would be worse.
func (l *Log) rotate() error {
	names, err := rotatedFiles(l.cfg.Path)
	if err != nil {
		return err
	}
	at := l.cfg.Now().UTC().Truncate(time.Microsecond)
	if len(names) > 0 { // clocks go back; the order of the files must not
		if last, _ := rotatedAt(l.cfg.Path, names[len(names)-1]); !at.After(last) {
			at = last.Add(time.Microsecond)
		}
	}
	name := rotatedName(l.cfg.Path, at)
	if err := os.Rename(l.cfg.Path, name); err != nil {
		l.rotateAt = l.size + l.cfg.MaxBytes/8
		l.cfg.Log.Warn("the audit log cannot be rotated, and grows on", zap.String("file", l.cfg.Path), zap.Error(err))
		return nil
	}
	l.rotateAt = l.cfg.MaxBytes
	l.closeLog()
	if err := l.openLog(os.O_CREATE | os.O_EXCL); err != nil {
		return err
	}
	l.head.bytes = 0
	if err := l.storeHead(); err != nil {
		return err
	}
	return l.removeOldest(append(names, name))
}

// removeOldest removes the rotated files that are too many. What the first
// line that is left follows is written down before.
func (l *Log) removeOldest(names []string) error {
	if l.cfg.Keep <= 0 || len(names) <= l.cfg.Keep {
		return nil
	}
	gone, left := names[:len(names)-l.cfg.Keep], names[len(names)-l.cfg.Keep:]
	first, err := firstPrev(left)
	if err != nil {
		return err
	}
	say := fmt.Sprintf("Removed the oldest part of the audit log, %s: %d rotated files are kept.", filepath.Base(gone[len(gone)-1]), l.cfg.Keep)
	if err := l.note(nil, repair{FirstPrev: string(first[:])}, say); err != nil {
		return err
	}
	for _, name := range gone {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.cfg.Log.Warn("an old file of the audit log cannot be removed", zap.String("file", name), zap.Error(err))
		}
	}
	return nil
}

// firstPrev is prev of the first line in the files.
func firstPrev(names []string) (digest, error) {
	h := sha256.New()
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			return digest{}, failure(name, "read", err)
		}
		for line := range bytes.Lines(content) {
			if s, ok := unseal(bytes.TrimSuffix(line, []byte("\n")), h); ok {
				return s.prev, nil
			}
		}
	}
	return genesis, nil
}

// lastRotated is the hash of the last line in the rotated files, and the
// number of lines in the file that has it; genesis when there is none.
func (l *Log) lastRotated() (digest, int64, error) {
	names, err := rotatedFiles(l.cfg.Path)
	if err != nil {
		return genesis, 0, err
	}
	for _, name := range slices.Backward(names) {
		content, err := os.ReadFile(name)
		if err != nil {
			return genesis, 0, failure(name, "read", err)
		}
		if last, n := lastSealed(content); n > 0 {
			return last, n, nil
		}
	}
	return genesis, 0, nil
}
