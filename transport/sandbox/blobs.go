package sandbox

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// stored is a file as a volume or DBFS holds it.
type stored struct {
	content  content
	modified time.Time
}

// content is the bytes of a stored file. Contents are never changed once they
// are in a tree: an overwrite puts another one in their place, so that a
// download that has begun reads to its end what it began.
type content interface {
	size() int64
	open() (io.ReadSeekCloser, error)
	discard() // frees the space; readers that are open keep reading
}

// spillAfter is how much of one file stays in memory; beyond it the file lives
// in a temporary directory, so that uploads of any size need none.
const spillAfter = 1 << 20

// blobs creates contents. The temporary directory is made by the first one that
// needs it.
type blobs struct {
	mu  sync.Mutex
	dir string
}

func (b *blobs) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir == "" {
		return nil
	}
	dir := b.dir
	b.dir = ""
	return os.RemoveAll(dir)
}

func (b *blobs) create() *blob { return &blob{in: b} }

// bytes makes a content of a byte slice that nobody changes afterwards.
func (b *blobs) bytes(p []byte) *blob { return &blob{in: b, memory: p, length: int64(len(p))} }

func (b *blobs) spill() (*os.File, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir == "" {
		dir, err := os.MkdirTemp("", "sandbox-files-")
		if err != nil {
			return nil, err
		}
		b.dir = dir
	}
	return os.CreateTemp(b.dir, "blob-")
}

// blob is written once, front to back, then only read.
type blob struct {
	in     *blobs
	memory []byte
	file   *os.File // open for writing until sealed
	path   string   // of the spilled file
	length int64
}

// Write implements io.Writer.
func (c *blob) Write(p []byte) (int, error) {
	if c.path == "" && c.length+int64(len(p)) <= spillAfter {
		c.memory = append(c.memory, p...)
		c.length += int64(len(p))
		return len(p), nil
	}
	if c.path == "" {
		f, err := c.in.spill()
		if err != nil {
			return 0, err
		}
		c.file, c.path = f, f.Name()
		if _, err := f.Write(c.memory); err != nil {
			return 0, err
		}
		c.memory = nil
	}
	n, err := c.file.Write(p)
	c.length += int64(n)
	return n, err
}

// seal ends writing.
func (c *blob) seal() error {
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}

func (c *blob) size() int64 { return c.length }

func (c *blob) open() (io.ReadSeekCloser, error) {
	if c.path != "" {
		return os.Open(c.path)
	}
	return nopCloser{bytes.NewReader(c.memory)}, nil
}

func (c *blob) discard() {
	// A failed removal (a reader on Windows) waits for the directory's own.
	_ = errors.Join(c.seal(), removeIfSet(c.path))
}

func removeIfSet(path string) error {
	if path == "" {
		return nil
	}
	return os.Remove(path)
}

// generated is a content that is computed as it is read: a file of any size
// that takes no space.
type generated struct {
	length int64
	fill   func(p []byte, off int64) // p never reaches beyond length
}

func (g *generated) size() int64 { return g.length }
func (g *generated) discard()    {}
func (g *generated) open() (io.ReadSeekCloser, error) {
	return nopCloser{io.NewSectionReader(g, 0, g.length)}, nil
}

// ReadAt implements io.ReaderAt.
func (g *generated) ReadAt(p []byte, off int64) (int, error) {
	if off >= g.length {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), g.length-off))
	g.fill(p[:n], off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

// readRange reads at most length bytes from off.
func readRange(c content, off, length int64) ([]byte, error) {
	length = max(0, min(length, c.size()-off))
	if length == 0 {
		return nil, nil
	}
	f, err := c.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(off, io.SeekStart); err != nil {
		return nil, err
	}
	p := make([]byte, length)
	_, err = io.ReadFull(f, p)
	return p, err
}

// footprint is what the content takes, in memory and on disk.
func (c *blob) footprint() (memory, disk int64) {
	if c.path != "" {
		return 0, c.length
	}
	return int64(cap(c.memory)), 0
}
