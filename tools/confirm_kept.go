package tools

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// maxWaiting bounds the calls that wait for their confirmation; the oldest give
	// way.
	maxWaiting = 1000
	// sweepAfter is the least time between two sweeps of a directory.
	sweepAfter = 10 * time.Second
	// usedSuffix marks a token as used, until it would have expired anyway.
	usedSuffix = ".used"
)

// remembered keeps tokens as long as the process lives.
type remembered struct {
	mu      sync.Mutex
	records map[string]*rememberedToken
}

type rememberedToken struct {
	record []byte
	since  time.Time
	used   bool
}

func newRemembered() *remembered {
	return &remembered{records: map[string]*rememberedToken{}}
}

func (m *remembered) put(id string, record []byte, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	oldest := ""
	for other, t := range m.records {
		if now.Sub(t.since) > 2*confirmTime {
			delete(m.records, other)
		} else if oldest == "" || t.since.Before(m.records[oldest].since) {
			oldest = other
		}
	}
	if len(m.records) >= maxWaiting {
		delete(m.records, oldest)
	}
	m.records[id] = &rememberedToken{record: record, since: now}
	return nil
}

func (m *remembered) get(id string) (record []byte, used bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.records[id]
	if t == nil {
		return nil, false, fs.ErrNotExist
	}
	return t.record, t.used, nil
}

func (m *remembered) take(id string, _ time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.records[id]
	if t == nil || t.used {
		return false, nil
	}
	t.used = true
	return true, nil
}

// tokenFiles keeps a file per token. Their times are those of the clock that is
// passed in, not of the file system: sweep goes by them.
type tokenFiles struct {
	dir string

	mu    sync.Mutex
	swept time.Time
	since int // files written since then
}

// confirmDir is where in the state directory tokens are kept, apart from what else
// is in it; "" when there is none.
func confirmDir(state string) string {
	if state == "" {
		return ""
	}
	return filepath.Join(state, "confirm")
}

func (f *tokenFiles) path(id string) string { return filepath.Join(f.dir, id) }

func (f *tokenFiles) put(id string, record []byte, now time.Time) error {
	if err := f.open(); err != nil {
		return err
	}
	f.sweep(now)
	return create(f.path(id), record, now)
}

// open makes the directory, for this user alone.
func (f *tokenFiles) open() error {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(f.dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no directory", f.dir)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return os.Chmod(f.dir, 0o700)
	}
	return nil
}

// create writes a file that must not be there yet; of several callers one succeeds.
func create(path string, content []byte, now time.Time) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Chtimes(path, now, now)
	}
	if err != nil {
		_ = os.Remove(path)
	}
	return err
}

func (f *tokenFiles) get(id string) (record []byte, used bool, err error) {
	record, err = os.ReadFile(f.path(id))
	if _, usedErr := os.Lstat(f.path(id) + usedSuffix); usedErr == nil {
		return nil, true, nil
	}
	return record, false, err
}

// take marks the token as used, which succeeds once, and removes it. The mark
// alone would let a caller through who slept until the mark was swept; removing
// alone can succeed twice at the same time on Windows, and fail there while another
// reads.
func (f *tokenFiles) take(id string, now time.Time) (bool, error) {
	mark := f.path(id) + usedSuffix
	file, err := os.OpenFile(mark, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err == nil {
		err = errors.Join(file.Close(), os.Chtimes(mark, now, now))
	}
	if err != nil {
		return false, err
	}
	err = os.Remove(f.path(id))
	return !errors.Is(err, fs.ErrNotExist), nil
}

// sweep removes what expired some time ago, and the oldest of too many.
func (f *tokenFiles) sweep(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.since++; now.Sub(f.swept) < sweepAfter && f.since < maxWaiting/10 {
		return
	}
	f.swept, f.since = now, 0
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return
	}
	type aged struct {
		name string
		at   time.Time
	}
	var waiting []aged
	for _, entry := range entries {
		name := entry.Name()
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || len(strings.TrimSuffix(name, usedSuffix)) != 32 {
			continue // not ours
		}
		if now.Sub(info.ModTime()) > 2*confirmTime {
			_ = os.Remove(filepath.Join(f.dir, name))
		} else if !strings.HasSuffix(name, usedSuffix) {
			waiting = append(waiting, aged{name, info.ModTime()})
		}
	}
	slices.SortFunc(waiting, func(a, b aged) int { return a.at.Compare(b.at) })
	for ; len(waiting) >= maxWaiting; waiting = waiting[1:] {
		_ = os.Remove(f.path(waiting[0].name))
	}
}
