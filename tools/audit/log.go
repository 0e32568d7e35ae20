package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Config is where and how a Log writes.
type Config struct {
	Path     string
	MaxBytes int64             // of one file, before it is rotated; 0: 32 MiB
	Keep     int               // how many rotated files are kept; 0: all
	Now      func() time.Time  // nil: time.Now
	Export   func(line []byte) // gets a copy of each line written, in order, without its newline; must not block; nil: none
	Log      *zap.Logger       // nil: none
}

const defaultMaxBytes = 32 << 20

// Log writes lines. It is safe for concurrent use, and other processes may
// write the same file.
type Log struct {
	cfg  Config
	last atomic.Pointer[error] // how the last Write ended

	mu       sync.Mutex // guards what is below; held before the lock between processes
	headFile *os.File   // nil: nothing is open
	headFD   uintptr
	file     *os.File    // the log; nil while the path names no file
	info     os.FileInfo // of file when it was opened, to see whether the path still names it
	size     int64       // of file

	head     head
	headText []byte // head as the head file has it; empty: not known
	fresh    bool   // there was no log and no head before

	hash     hash.Hash
	out      []byte // one line in the making
	in       []byte // the head file as it is
	patience time.Duration
	rotateAt int64 // the size from which rotation is tried
}

// How long a Write waits for another process that holds the lock, and how long
// after one waited in vain: a process that is stopped must not make every
// caller wait.
const (
	patience   = 5 * time.Second
	impatience = 20 * time.Millisecond
)

// New makes a Log. It touches no disk: the first Write makes file and directory.
func New(cfg Config) *Log {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = defaultMaxBytes
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	return &Log{cfg: cfg, hash: sha256.New(), in: make([]byte, headLength+1), patience: patience, rotateAt: cfg.MaxBytes}
}

var bodies = sync.Pool{New: func() any { return new([]byte) }}

// Write appends a line. When it returns nil, the line survives the death of
// the process. An error is a *Failure, which says what is wrong with which
// file and what to do. The next Write tries anew.
func (l *Log) Write(line *Line) error {
	if line.Time.IsZero() {
		line.Time = l.cfg.Now()
	}
	body := bodies.Get().(*[]byte)
	*body = appendLine((*body)[:0], line)
	err := l.write(*body)
	bodies.Put(body)
	if err == nil {
		l.last.Store(nil)
	} else {
		l.last.Store(&err)
	}
	return err
}

// Err is how the last Write ended; nil: well, or there was none.
func (l *Log) Err() error {
	if err := l.last.Load(); err != nil {
		return *err
	}
	return nil
}

// Close lets the files go. A Write after it opens them again.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.letGo()
	return nil // every line is with the operating system already
}

func (l *Log) write(body []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.writeLocked(body)
	if err != nil {
		l.letGo() // the lock too
	}
	return err
}

func (l *Log) writeLocked(body []byte) error {
	if err := l.lock(); err != nil {
		return err
	}
	if err := l.catchUp(); err != nil {
		return err
	}
	if l.size > 0 && l.size+int64(len(body)+sealLength) > l.rotateAt {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	if err := l.append(nil, body); err != nil {
		return err
	}
	unlock(l.headFD)
	if l.cfg.Export != nil {
		l.cfg.Export(bytes.Clone(l.out[:len(l.out)-1]))
	}
	return nil
}

// append writes one line, after what ends an unfinished one, and the head.
func (l *Log) append(before, body []byte) error {
	if l.file == nil {
		if err := l.openLog(os.O_CREATE | os.O_EXCL); err != nil {
			return err
		}
	}
	b := append(append(l.out[:0], before...), body...)
	skip := len(before)
	line, sum := seal(b[skip:], &l.head.hash, l.hash)
	if skip > 0 { // seal may have moved the line
		line = append(b[:skip], line...)
	}
	l.out = append(line, '\n')
	n, err := l.file.Write(l.out)
	if err != nil {
		if n > 0 { // our own bytes, under the lock; if they stay, the next writer ends the line
			_ = l.file.Truncate(l.size)
		}
		return failure(l.cfg.Path, "written", err)
	}
	l.size += int64(n)
	l.head = head{bytes: l.size, lines: l.head.lines + 1, hash: sum}
	return l.storeHead()
}

func (l *Log) storeHead() error {
	l.headText = l.head.encode(l.headText[:0])
	if _, err := l.headFile.WriteAt(l.headText, 0); err != nil {
		return failure(l.headPath(), "written", err)
	}
	return nil
}

func (l *Log) headPath() string { return headPath(l.cfg.Path) }

func headPath(path string) string { return path + ".head" }

// lock opens the head file if need be, and locks it.
func (l *Log) lock() error {
	if l.headFile == nil {
		if err := l.openHead(); err != nil {
			return err
		}
	}
	err := waitLock(l.headFD, true, l.patience)
	l.patience = patience
	if err == errBusy {
		l.patience = impatience
	}
	if err != nil {
		return failure(l.headPath(), "locked", err)
	}
	return nil
}

// waitLock takes the lock, waiting for at most so long.
func waitLock(fd uintptr, exclusive bool, most time.Duration) error {
	pause := 20 * time.Microsecond
	for try := 0; ; try++ {
		err := tryLock(fd, exclusive)
		switch {
		case err != errBusy || most <= 0:
			return err
		case try < 20: // it is held for some microseconds
			runtime.Gosched()
		default:
			time.Sleep(pause)
			most -= pause
			pause = min(2*pause, time.Millisecond)
		}
	}
}

func (l *Log) openHead() error {
	name := l.headPath()
	f, err := open(name, os.O_RDWR|os.O_CREATE)
	if errors.Is(err, fs.ErrNotExist) {
		dir := filepath.Dir(name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return failure(l.cfg.Path, "made", err)
		}
		f, err = open(name, os.O_RDWR|os.O_CREATE)
	}
	if err != nil {
		return failure(name, "opened", err)
	}
	l.headFile, l.headFD, l.headText = f, f.Fd(), l.headText[:0]
	return nil
}

// openLog opens what the path names, which must be a regular file.
func (l *Log) openLog(flag int) error {
	f, err := open(l.cfg.Path, flag|os.O_RDWR|os.O_APPEND)
	if err != nil {
		return failure(l.cfg.Path, "opened", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNoFile
	}
	if err != nil {
		_ = f.Close()
		return failure(l.cfg.Path, "opened", err)
	}
	l.file, l.info, l.size = f, info, info.Size()
	return nil
}

func (l *Log) closeLog() {
	if l.file != nil {
		_ = l.file.Close()
	}
	l.file, l.info, l.size = nil, nil, 0
}

// letGo closes everything, which ends the lock.
func (l *Log) letGo() {
	l.closeLog()
	if l.headFile != nil {
		_ = l.headFile.Close()
	}
	l.headFile, l.headText = nil, l.headText[:0]
}
