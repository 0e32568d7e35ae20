package runs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// shelf keeps the records of one owner: bytes by id, and a lock for each.
type shelf interface {
	read(id string) ([]byte, error) // fs.ErrNotExist: there is none
	write(id string, record []byte) error
	remove(id string) error
	ids() ([]string, error) // oldest first
	// lock is exclusive among all processes that use the shelf. errBusy: somebody has
	// it, and still has when ctx ends.
	lock(ctx context.Context, id string) (unlock func(), err error)
	tryLock(id string) (unlock func(), err error)
	// sweep removes what was not written to for keep.
	sweep(now time.Time, keep time.Duration)
}

var errBusy = errors.New("somebody else has the lock")

const (
	recordSuffix = ".json"
	heldSuffix   = ".held"
	lockRetry    = 20 * time.Millisecond
	// litterAge is how old a half-written file is when nobody can be writing it.
	litterAge = time.Hour
)

// files is a directory with a file per run, for this user alone. A file is always
// whole: it is written beside, made durable, and moved into its place.
type files struct{ dir string }

func (f files) path(id string) string { return filepath.Join(f.dir, id+recordSuffix) }

// open makes the directories.
func (f files) open() error {
	for _, dir := range []string{f.dir, filepath.Join(f.dir, "locks")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			if err := os.Chmod(dir, 0o700); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f files) read(id string) ([]byte, error) { return os.ReadFile(f.path(id)) }

func (f files) write(id string, record []byte) (err error) {
	if err := f.open(); err != nil {
		return err
	}
	file, err := os.CreateTemp(f.dir, "."+id+".*.tmp") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	step("temp")
	_, err = file.Write(record)
	step("written")
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	step("synced")
	if err = replace(file.Name(), f.path(id)); err != nil {
		return err
	}
	step("renamed")
	syncDir(f.dir)
	return nil
}

// replace moves a file over another. On Windows that fails while somebody reads
// the other, which takes no time.
func replace(from, to string) error {
	err := os.Rename(from, to)
	for tries := 0; err != nil && runtime.GOOS == "windows" && tries < 20; tries++ {
		time.Sleep(lockRetry)
		err = os.Rename(from, to)
	}
	return err
}

// syncDir makes a new name durable, where directories can be.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

func (f files) remove(id string) error {
	err := os.Remove(f.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (f files) ids() ([]string, error) {
	entries, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	ids := make([]string, 0, len(entries))
	for _, entry := range entries { // sorted by name, and so by time
		if id, ok := strings.CutSuffix(entry.Name(), recordSuffix); ok && validID(id) {
			ids = append(ids, id)
		}
	}
	return ids, err
}

func (f files) lock(ctx context.Context, id string) (func(), error) {
	return f.locked(id, func(l *flock.Flock) (bool, error) { return l.TryLockContext(ctx, lockRetry) })
}

func (f files) tryLock(id string) (func(), error) {
	return f.locked(id, (*flock.Flock).TryLock)
}

// locked takes the lock of a file that stays: removing it would let two have it.
func (f files) locked(id string, take func(*flock.Flock) (bool, error)) (func(), error) {
	if err := f.open(); err != nil {
		return nil, err
	}
	l := flock.New(filepath.Join(f.dir, "locks", id), flock.SetPermissions(0o600))
	got, err := take(l)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), err == nil && !got:
		_ = l.Close()
		return nil, errBusy
	case err != nil:
		_ = l.Close()
		return nil, err
	}
	return func() { _ = l.Close() }, nil
}

// heldNow reports whether a process on this machine holds the stream of the run.
func (f files) heldNow(id string) bool {
	if _, err := os.Lstat(filepath.Join(f.dir, "locks", id+heldSuffix)); err != nil {
		return false
	}
	unlock, err := f.tryLock(id + heldSuffix)
	if err == nil {
		unlock()
	}
	return errors.Is(err, errBusy)
}

// sweep also removes half-written files of killed processes.
func (f files) sweep(now time.Time, keep time.Duration) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		name := entry.Name()
		id, record := strings.CutSuffix(name, recordSuffix)
		limit := keep
		switch {
		case record && validID(id):
			if now.Sub(began(id)) < keep {
				continue // without a look at the file
			}
		case strings.HasPrefix(name, ".run_") && strings.HasSuffix(name, ".tmp"):
			limit = litterAge
		default:
			continue // not ours
		}
		path := filepath.Join(f.dir, name)
		if !unchanged(path, now, limit) {
			continue
		}
		if !record {
			_ = os.Remove(path)
			continue
		}
		unlock, err := f.tryLock(id)
		if err != nil {
			continue // somebody goes on with it
		}
		if unchanged(path, now, limit) { // still, now that nobody writes
			_ = os.Remove(path)
		}
		unlock()
	}
	f.sweepLocks(now, keep)
}

// unchanged reports that nobody wrote to a file for so long.
func unchanged(path string, now time.Time, since time.Duration) bool {
	info, err := os.Lstat(path)
	return err == nil && now.Sub(info.ModTime()) >= since
}

// sweepLocks removes the locks of runs without a record: it was dropped, or their
// start was refused.
func (f files) sweepLocks(now time.Time, keep time.Duration) {
	entries, err := os.ReadDir(filepath.Join(f.dir, "locks"))
	if err != nil {
		return
	}
	for _, entry := range entries {
		id := strings.TrimSuffix(entry.Name(), heldSuffix)
		if !validID(id) || now.Sub(began(id)) < keep {
			continue
		}
		if _, err := os.Lstat(f.path(id)); errors.Is(err, fs.ErrNotExist) {
			_ = os.Remove(filepath.Join(f.dir, "locks", entry.Name()))
		}
	}
}

// memory keeps records as long as the process lives.
type memory struct {
	mu      sync.Mutex
	records map[string]remembered
	locks   map[string]chan struct{}
}

type remembered struct {
	record []byte
	at     time.Time
}

func newMemory() *memory {
	return &memory{records: map[string]remembered{}, locks: map[string]chan struct{}{}}
}

func (m *memory) sweep(now time.Time, keep time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, r := range m.records {
		if now.Sub(r.at) >= keep {
			delete(m.records, id)
		}
	}
}

func (m *memory) read(id string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[id]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return r.record, nil
}

func (m *memory) write(id string, record []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records[id] = remembered{record, time.Now()}
	return nil
}

func (m *memory) remove(id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.records, id)
	return nil
}

func (m *memory) ids() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make([]string, 0, len(m.records))
	for id := range m.records {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

func (m *memory) lock(ctx context.Context, id string) (func(), error) {
	for {
		m.mu.Lock()
		taken := m.locks[id]
		if taken == nil {
			mine := make(chan struct{})
			m.locks[id] = mine
			m.mu.Unlock()
			return func() {
				m.mu.Lock()
				delete(m.locks, id)
				m.mu.Unlock()
				close(mine)
			}, nil
		}
		m.mu.Unlock()
		select {
		case <-taken:
		case <-ctx.Done():
			return nil, errBusy
		}
	}
}

func (m *memory) tryLock(id string) (func(), error) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	return m.lock(ended, id)
}
